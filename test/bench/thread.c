/* SPDX-License-Identifier: BSD-2-Clause */
/* thread.c: a thread is created, configured (its TLS) and started, and runs: from its creator's first instruction to its
 * own first one. Threads of one priority take turns, so the creator yields to it, and that is counted too. */
#include "common/bench.h"

#include <stdlib.h>

enum { STACK = 4096, TLS = 64 };

const struct bench_side bench_sides[] = {{NULL, NULL}};

uint64_t first_instruction;             /* what the new thread's first instruction read */
static uint64_t begin, count[ROUNDS];
static char stack[STACK] __attribute__((aligned(16))), tls[TLS] __attribute__((aligned(16)));

/* Its first instruction reads the counter. It keeps the reading and ends. */
void entry(void);
__asm__(".pushsection .text.entry,\"ax\",@progbits\n"
	".globl entry\n"
	".type entry,@function\n"
	"entry:\n"
	"	rdtsc\n"
	"	shlq $32, %rdx\n"
	"	orq %rdx, %rax\n"
	"	movq %rax, first_instruction(%rip)\n"
	"	xorl %edi, %edi\n"
	"	call sys_thread_exit\n"
	".size entry, . - entry\n"
	".popsection\n");

static sys_cap_t create(void)
{
	sys_cap_t thread;

	begin = counter();
	MUST(sys_thread_create(SYS_CAP_UNTYPED, SYS_CAP_CNODE, SYS_CAP_VMAR, SYS_CAP_NULL, &thread));
	MUST(sys_thread_set_tls(thread, (sys_vaddr_t)tls));
	MUST(sys_thread_start(thread, (sys_vaddr_t)entry, (sys_vaddr_t)stack + STACK, 0, 0));
	sys_thread_yield();
	return thread;
}

void bench_rows(void)
{
	for (unsigned i = 0; i < WARM + ROUNDS; i++) {
		sys_cap_t thread = create();
		sys_thread_info_t info;

		do {
			sys_thread_yield();
			MUST(sys_thread_info(thread, &info));
		} while (info.state != SYS_THREAD_EXITED);
		MUST(sys_cap_delete(thread));
		if (i >= WARM)
			count[i - WARM] = *(volatile uint64_t *)&first_instruction - begin;
	}
	report("thread_create", count, ROUNDS, reading);
}
