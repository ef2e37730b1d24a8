/* SPDX-License-Identifier: BSD-2-Clause */
/* state.c: a stopped thread's registers, for debuggers and fault handlers. The machine's part is arch_state_*().
 *
 * A stopped thread is always between two instructions: one that was stopped inside a call has its instruction pointer
 * on the `syscall` again, and its registers are the call's arguments, advanced past what is done. Only a result that
 * is still to come into them is in the way: a call that waits for its reply, or a message not yet copied out.
 * Lock: the kernel lock.
 */
#include "lib/assert.h"
#include "lib/string.h"
#include "sched/thread.h"

static bool stopped(const struct thread *t)
{
	if (t->state == SYS_THREAD_EXITED)
		return false;
	return t->suspended || t->state == SYS_THREAD_NEW || t->wait == WAIT_FAULT;
}

sys_status_t thread_readable(const struct thread *t)
{
	return stopped(t) ? SYS_OK : SYS_ERR_BAD_STATE;
}

sys_status_t thread_writable(const struct thread *t, unsigned kind)
{
	bool result_comes = t->finish || t->wait == WAIT_REPLY;

	return stopped(t) && !(kind == SYS_STATE_GENERAL && result_comes) ? SYS_OK : SYS_ERR_BAD_STATE;
}

sys_status_t thread_read_state(struct thread *t, unsigned kind, void *to)
{
	sys_status_t status = thread_readable(t);

	if (status != SYS_OK)
		return status;
	arch_context_drop(&t->context);
	arch_state_read(&t->context, kind, to);
	return SYS_OK;
}

/* What a call that is made again finds: its number, its arguments, where it stands. */
static bool same_call(const struct regs *a, const struct regs *b)
{
	return a->rip == b->rip && memcmp(a, b, offsetof(struct regs, rbx)) == 0;
}
_Static_assert(offsetof(struct regs, rdi) == 0 && offsetof(struct regs, rbx) == 11 * sizeof(u64), "same_call");

sys_status_t thread_write_state(struct thread *t, unsigned kind, const void *from)
{
	struct regs before = t->context.regs;
	sys_status_t status = thread_writable(t, kind);

	if (status != SYS_OK)
		return status;
	arch_context_drop(&t->context);
	if (!arch_state_write(&t->context, kind, from))
		return SYS_ERR_INVALID_ARGS;
	if (!same_call(&before, &t->context.regs)) {    /* how far the old one was means nothing to another */
		thread_anew(t);
		t->progress = 0;
	}
	return SYS_OK;
}
