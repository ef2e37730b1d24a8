/* SPDX-License-Identifier: BSD-2-Clause */
/* futex_calls.c: the two calls on futexes, which need no capability. See call.h for their shape. Lock: the kernel
 * lock. */
#include "ipc/futex.h"
#include "syscall/call.h"

int call_futex_wait(struct call *c) { return futex_wait(c->t, c->r->rdi, (u32)c->r->rsi, (i64)c->r->rdx); }

/* How many are left to wake stands in the argument, how many have been woken in the call's progress. */
int call_futex_wake(struct call *c)
{
	u32 count = (u32)c->r->rsi;
	int status = futex_wake(c->t, c->r->rdi, &count, &c->t->progress);

	c->r->rsi = count;
	if (status == SYS_OK)
		c->r->rdx = c->t->progress;
	return status;
}
