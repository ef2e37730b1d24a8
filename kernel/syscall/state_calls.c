/* SPDX-License-Identifier: BSD-2-Clause */
/* state_calls.c: registers as data: thread_read_state, thread_write_state. See call.h for the shape of handlers.
 *
 * Both may wait for the caller's own memory and are then made again from the beginning, so what was read or copied in
 * counts only if nothing waits after it. Lock: the kernel lock.
 */
#include "syscall/call.h"

/* Arguments, which are checked before the thread's state. */
static sys_status_t check_kind(u64 kind, u64 len)
{
	if (kind == SYS_STATE_DEBUG)
		return SYS_ERR_NOT_SUPPORTED;
	if (kind > SYS_STATE_DEBUG || !arch_state_size((unsigned)kind))
		return SYS_ERR_INVALID_ARGS;
	return len < arch_state_size((unsigned)kind) ? SYS_ERR_BUFFER_TOO_SMALL : SYS_OK;
}

int call_thread_read_state(struct call *c)
{
	_Alignas(64) u8 area[ARCH_STATE_MAX];
	unsigned kind = (unsigned)c->r->rsi;
	sys_status_t status = check_kind(c->r->rsi, c->r->r10);

	if (status == SYS_OK)
		status = thread_read_state(call_object(c, 0), kind, area);
	if (status != SYS_OK)
		return status;
	return call_copy_out(c, c->r->rdx, area, arch_state_size(kind));
}

int call_thread_write_state(struct call *c)
{
	_Alignas(64) u8 area[ARCH_STATE_MAX];
	unsigned kind = (unsigned)c->r->rsi;
	u64 done = 0;
	sys_status_t status = check_kind(c->r->rsi, c->r->r10);

	if (status == SYS_OK)
		status = thread_writable(call_object(c, 0), kind);
	if (status == SYS_OK)
		status = space_copy_in(c->t->space, area, c->r->rdx, arch_state_size(kind), &done, c->t->retries,
		                       &c->t->page);
	/* COMMIT, if the values can be so */
	return status == SYS_OK ? thread_write_state(call_object(c, 0), kind, area) : status;
}
