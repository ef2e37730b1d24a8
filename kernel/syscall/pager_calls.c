/* SPDX-License-Identifier: BSD-2-Clause */
/* pager_calls.c: the calls of pager servers. See call.h for their shape. Lock: the kernel lock. */
#include "syscall/call.h"

int call_pager_create(struct call *c)
{
	struct endpoint *ep = call_object(c, 1);
	struct pager *p;
	sys_status_t status;

	if (object_dying(&ep->object))
		return SYS_ERR_BAD_STATE;
	status = pager_create(call_account(c, 0), c->r->rdx, &p);
	if (status != SYS_OK)
		return status;
	ipc_bind_pager(p, ep, c->r->rdx);
	return call_install_first(c, &p->object, SYS_RIGHTS_PAGER);
}

int call_pager_create_vmo(struct call *c)
{
	u32 options = (u32)c->r->rdx;
	struct vmo *v;
	sys_status_t status = pager_create_vmo(call_object(c, 0), call_account(c, 1), options, c->r->r10, c->r->r8, &v);
	sys_rights_t rights = SYS_RIGHTS_VMO & ~(options & SYS_VMO_RESIZABLE ? 0 : SYS_RIGHT_RESIZE);

	return status == SYS_OK ? call_install(c, &v->object, rights, c->slot[1]) : status;
}

/* What was new so far is kept over restarts in the thread; the bytes done advance the arguments. */
int call_pager_supply_pages(struct call *c)
{
	struct regs *r = c->r;
	u64 done = 0, fresh = c->t->progress;
	struct pager *pager = call_given(c, 0);
	sys_status_t status = pager_supply(pager, call_given(c, 1), r->rdx, r->r10, call_given(c, 2), r->r9, &done, &fresh);

	if (status == VM_AGAIN || status == SYS_ERR_SHOULD_WAIT) {
		r->rdx += done;
		r->r10 -= done;
		r->r9 += done;
		c->t->progress = fresh;
		return status;
	}
	r->rdx = fresh;
	return status;
}

int call_pager_op_range(struct call *c)
{
	const struct regs *r = c->r;

	return pager_op_range(call_object(c, 0), (u32)r->rsi, call_object(c, 1), r->r10, r->r8, (i64)r->r9);
}

int call_pager_recv(struct call *c)
{
	return ipc_pager_recv(c->t, call_object(c, 0), c->r->rsi, c->r->rdx, (i64)c->r->r8);
}
