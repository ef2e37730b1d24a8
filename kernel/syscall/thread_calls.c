/* SPDX-License-Identifier: BSD-2-Clause */
/* thread_calls.c: the calls on threads, address spaces and time. See call.h for their shape. Lock: the kernel lock. */
#include "arch/pagetable.h"
#include "sched/sched.h"
#include "syscall/call.h"

int call_vspace_create(struct call *c)
{
	bool wx = c->slot[1] != NULL;
	struct space *s;
	sys_status_t status;

	if (c->r->rdx != 0)
		return SYS_ERR_INVALID_ARGS;
	status = space_create(call_account(c, 0), wx, &s);
	return status == SYS_OK ? call_install_first(c, (struct object *)s, SYS_RIGHTS_VMAR | (wx ? SYS_RIGHT_WX : 0)) : status;
}

int call_thread_create(struct call *c)
{
	struct cnode *cspace = call_object(c, 1);
	struct vmar *root = vmar_of(call_object(c, 2));
	struct endpoint *fault = call_object(c, 3);
	struct thread *t;
	sys_status_t status;

	if (root->depth != 0)
		return SYS_ERR_INVALID_ARGS;
	if (vmar_is_dead(root) || cspace->built < cspace->slots || (fault && object_dying(&fault->object)))
		return SYS_ERR_BAD_STATE;
	status = thread_create(call_account(c, 0), root->space, c->t->priority, &t);
	if (status != SYS_OK)
		return status;
	status = call_install_first(c, &t->object, SYS_RIGHTS_THREAD);
	if (status != SYS_OK)
		return status;
	cnode_set_cspace(t, cspace);
	ipc_set_fault_endpoint(t, fault, c->slot[3] ? c->slot[3]->badge : 0);
	return SYS_OK;
}

int call_thread_start(struct call *c)
{
	const struct regs *r = c->r;

	if (r->rsi > PT_USER_TOP || r->rdx > PT_USER_TOP)
		return SYS_ERR_INVALID_ARGS;
	return thread_start(call_object(c, 0), r->rsi, r->rdx, r->r10, r->r8);
}

int call_thread_suspend(struct call *c) { return thread_suspend(call_object(c, 0)); }
int call_thread_resume(struct call *c) { return thread_resume(call_object(c, 0)); }

int call_thread_kill(struct call *c)
{
	struct thread *t = call_object(c, 0);

	if (t->state == SYS_THREAD_EXITED)
		return SYS_ERR_BAD_STATE;
	thread_exit(t, (i64)c->r->rsi);
	return t == c->t ? CALL_DONE : call_reap_rest(c);
}

int call_thread_set_priority(struct call *c)
{
	struct thread *t = call_object(c, 0);
	u32 priority = (u32)c->r->rsi;

	if (priority >= PRIORITIES || priority > c->t->priority)
		return SYS_ERR_OUT_OF_RANGE;
	if (t->state == SYS_THREAD_EXITED)
		return SYS_ERR_BAD_STATE;
	thread_set_priority(t, (u8)priority);
	return SYS_OK;
}

int call_thread_set_affinity(struct call *c) { return thread_set_affinity(call_object(c, 0), c->r->rsi); }

int call_thread_set_fault_endpoint(struct call *c)
{
	struct thread *t = call_object(c, 0);
	struct endpoint *ep = call_object(c, 1);

	if (t->state == SYS_THREAD_EXITED || (ep && object_dying(&ep->object)))
		return SYS_ERR_BAD_STATE;
	ipc_set_fault_endpoint(t, ep, c->slot[1] ? c->slot[1]->badge : 0);
	return SYS_OK;
}

int call_thread_set_page_timeout(struct call *c)
{
	i64 ns = (i64)c->r->rsi;

	return ns < 0 ? SYS_ERR_INVALID_ARGS : thread_set_page_timeout(call_object(c, 0), ns);
}

int call_thread_set_status_record(struct call *c)
{
	return thread_set_status_record(call_object(c, 0), call_object(c, 1), c->r->rdx, c->slot[1] ? &c->slot[1]->open : NULL);
}

int call_thread_bind_notification(struct call *c)
{
	struct thread *t = call_object(c, 0);
	struct notification *n = call_object(c, 1);

	if (n)
		return notification_bind(t, n);
	if (t->state == SYS_THREAD_EXITED)
		return SYS_ERR_BAD_STATE;
	notification_unbind(t);
	return SYS_OK;
}

int call_thread_set_tls(struct call *c)
{
	struct thread *t = call_object(c, 0);

	if (c->r->rsi > PT_USER_TOP)
		return SYS_ERR_INVALID_ARGS;
	if (t->state == SYS_THREAD_EXITED)
		return SYS_ERR_BAD_STATE;
	thread_set_tls(t, c->r->rsi);
	return SYS_OK;
}

int call_thread_info(struct call *c)
{
	sys_thread_info_t info;

	thread_info(call_object(c, 0), &info);
	return call_copy_out(c, c->r->rsi, &info, sizeof(info));
}

int call_thread_exit(struct call *c)
{
	thread_exit(c->t, (i64)c->r->rdi);
	return CALL_DONE;
}

int call_thread_yield(struct call *c)
{
	c->r->rax = SYS_OK;
	sched_yield();
	return CALL_DONE;
}

int call_clock_get(struct call *c)
{
	c->r->rax = (u64)arch_now();
	return CALL_DONE;
}
