/* SPDX-License-Identifier: BSD-2-Clause */
/* secondary.c: what CPUs other than the first do: nothing yet but to halt. Lock: the kernel lock. */
#include "sched/sched.h"

noreturn void kernel_secondary(void)
{
	for (;;) {
		arch_idle();
		arch_take_pending();
	}
}

struct arch_context *kernel_taken(void)
{
	return &sched_next()->context;
}
