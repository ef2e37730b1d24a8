/* SPDX-License-Identifier: BSD-2-Clause */
/* internal.h: what libsys' files share among themselves. */
#pragma once
#include <libsys/libsys.h>
#include <libsys/mutex.h>

/* The block that %fs points to, above a thread's variables (x86-64's variant II: they lie below it, and the first word
 * names itself). */
struct tls_head {
	struct tls_head *self;
	bool first;                     /* the program's first thread */
};

static inline struct tls_head *tls_current(void)
{
	struct tls_head *head;

	__asm__("mov %%fs:0, %0" : "=r"(head));
	return head;
}

/* Bytes that tls_make() needs for the variables and the head of one thread. */
size_t tls_size(void);
/* Lays a thread's variables out in `area` (tls_size() bytes, any alignment); returns the value for %fs. */
struct tls_head *tls_make(void *area, bool first);

/* One loadable segment of a program, checked: it ends in user space, and lies wholly in the file. */
struct elf_segment { uint64_t vaddr, memory, offset, file; uint32_t flags; };
enum { ELF_EXECUTE = 1, ELF_WRITE = 2, ELF_READ = 4, ELF_SEGMENTS_MAX = 16 };
struct elf_image { uint64_t entry; unsigned segments; struct elf_segment segment[ELF_SEGMENTS_MAX]; };

/* Reads a program's headers from a VMO. INVALID_ARGS: not a static x86-64 program; else vmo_read's errors. */
sys_status_t elf_read(sys_cap_t vmo, struct elf_image *image);
/* Maps its segments into the address space `vmar`, all of whose memory comes from `ut`. */
sys_status_t elf_map(sys_cap_t vmo, const struct elf_image *image, sys_cap_t ut, sys_cap_t vmar);
