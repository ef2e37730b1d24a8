/* SPDX-License-Identifier: BSD-2-Clause */
/* machine.h: a fake machine below host tests: some frames of memory, a clock that the test sets, a console in a
 * buffer. One thread; nothing here is locked. */
#pragma once
#include "lib/types.h"

struct regs {
	u64 rdi, rsi, rdx, r10, r8, r9, r12, r13, r14, r15, rax, rbx, rbp, rcx, r11, fs_base, gs_base;
	u64 vector, error, rip, cs, rflags, rsp, ss;
};

struct arch_context {
	struct regs regs;
	paddr_t root;
};

/* The machine's memory: physical addresses HOST_RAM_BASE .. + frames * 4096. Physical address 0 is no memory. */
#define HOST_RAM_BASE 0x100000ull
extern u8 *host_ram;
extern u64 host_ram_size;

void *phys_to_virt(paddr_t p);                   /* asserts that p lies in the machine's memory */
paddr_t virt_to_phys(const void *v);

u64 arch_cycles(void);                           /* nanoseconds of the fake clock */
bool arch_is_pending(void);

/* ---- what pagetable.c needs of the MMU: the loaded root is the one named last by host_root_load() ------------ */
extern paddr_t mmu_kernel_root;
void mmu_flush_page(paddr_t root, vaddr_t va);
void mmu_flush_all(paddr_t root);

/* ---- for tests ----------------------------------------------------------------------------------------------- */
/* A machine of so many zeroed frames; what was before is gone. Frame 0 of them becomes the kernel's page-table root,
 * its upper half filled: a test hands out frames from 1 on. */
void host_machine_init(u64 frames);
void host_machine_end(void);
/* The RAM as a boot loader would tell it (struct boot_info). */
struct boot_info;
void host_boot_info(struct boot_info *boot);
void host_time_set(i64 now);                     /* a due timer becomes pending */
i64  host_timer(void);                           /* what arch_timer_set() was told last */
/* arch_preempt_poll() says yes every n-th time (0: never). */
void host_preempt_every(unsigned n);
void host_root_load(paddr_t root);
extern u64 host_flushes_page, host_flushes_all;  /* of the loaded root */
void host_random_seed(u64 seed);                  /* outlives host_machine_init() */
const char *host_console(void);                  /* what was written, oldest first, at most the last 64 KiB */
void host_console_clear(void);
void host_console_type(const char *text);        /* bytes for arch_console_read(); notes ARCH_PENDING_CONSOLE */
