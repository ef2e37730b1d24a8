/* SPDX-License-Identifier: BSD-2-Clause */
/* status.c: a thread's status record: where it runs, in memory that its program chose, for other threads to read without a
 * call (sys_thread_status_t). `sequence` is twice the number of switches, less one while the rest is being written: a reader
 * takes it, then the rest, then it again, and has a whole record if both were the same even number. The record is only
 * written, so nothing here depends on what a program puts there.
 *
 * A thread with a record is switched to the long way (sched_next, fastpath.c), so that others pay nothing.
 * Lock: the kernel lock.
 */
#include "sched/sched.h"

void thread_write_status(const struct thread *t)
{
	sys_thread_status_t s = { t->cpu->number, 2 * (u32)t->switches - 1, t->switches };

	accessor_write(&t->status, offsetof(sys_thread_status_t, sequence), &s.sequence, sizeof(s.sequence));
	accessor_write(&t->status, 0, &s, sizeof(s));
	s.sequence++;
	accessor_write(&t->status, offsetof(sys_thread_status_t, sequence), &s.sequence, sizeof(s.sequence));
}

static void status_ended(struct accessor *a) { container_of(a, struct thread, status)->recorded = false; }

void thread_forget_status(struct thread *t)
{
	accessor_close(&t->status);
	t->recorded = false;
}

sys_status_t thread_set_status_record(struct thread *t, struct vmo *v, u64 offset, struct deriv *below)
{
	sys_status_t status = v ? pagemap_place(v, offset, sizeof(sys_thread_status_t), sizeof(sys_thread_status_t)) : SYS_OK;

	if (status != SYS_OK)
		return status;
	if (t->state == SYS_THREAD_EXITED)
		return SYS_ERR_BAD_STATE;
	if (!v) {
		thread_forget_status(t);
		return SYS_OK;
	}
	status = pagemap_open(v, offset, sizeof(sys_thread_status_t), below, &t->status);
	if (status != SYS_OK)
		return status;
	/* COMMIT */
	t->status.ended = status_ended;
	t->recorded = true;
	thread_write_status(t);
	return SYS_OK;
}
