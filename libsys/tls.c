/* SPDX-License-Identifier: BSD-2-Clause */
/* tls.c: a thread's own variables (errno among them), laid out as the linker expects it: below the head that %fs
 * points to. The first call comes before %fs is set, so nothing here may touch errno.
 */
#include <string.h>
#include "elf.h"
#include "internal.h"

extern const struct elf_header __ehdr_start;    /* the linker's; program.ld puts the headers into memory */

enum { TLS_HEAD_ALIGN = 64 };

/* The program's TLS segment, or an empty one. */
static struct elf_program_header tls_segment(void)
{
	const struct elf_program_header *ph = (const void *)((const char *)&__ehdr_start + __ehdr_start.phoff);
	struct elf_program_header none = { .align = 1 };

	for (int i = 0; i < __ehdr_start.phnum; i++)
		if (ph[i].type == ELF_PT_TLS)
			return ph[i];
	return none;
}

static uint64_t round_up(uint64_t n, uint64_t align)
{
	return (n + align - 1) / align * align;
}

static uint64_t head_align(const struct elf_program_header *segment)
{
	return segment->align > TLS_HEAD_ALIGN ? segment->align : TLS_HEAD_ALIGN;
}

/* Bytes from the first variable to the head. */
static uint64_t below_head(const struct elf_program_header *segment)
{
	return round_up(segment->memsz, segment->align ? segment->align : 1);
}

size_t tls_size(void)
{
	struct elf_program_header segment = tls_segment();

	return below_head(&segment) + 2 * head_align(&segment) + sizeof(struct tls_head);
}

struct tls_head *tls_make(void *area, bool first)
{
	struct elf_program_header segment = tls_segment();
	uint64_t below = below_head(&segment);
	struct tls_head *head = (void *)round_up((uintptr_t)area + below, head_align(&segment));
	char *variables = (char *)head - below;

	memcpy(variables, (const void *)segment.vaddr, segment.filesz);
	memset(variables + segment.filesz, 0, below - segment.filesz);
	*head = (struct tls_head){ .self = head, .first = first };
	return head;
}
