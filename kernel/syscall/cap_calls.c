/* SPDX-License-Identifier: BSD-2-Clause */
/* cap_calls.c: the calls on capabilities, CNodes and accounts. See call.h for their shape. Lock: the kernel lock. */
#include "lib/assert.h"
#include "syscall/call.h"
#include "syscall/check.h"

static u64 type_and_rights(const struct slot *s) { return s->object->type | (u64)s->rights << 32; }

/* What copy and mint share: a new capability to src's object, below src. */
static sys_status_t derive(struct call *c, sys_cap_t dst, sys_rights_t rights, u64 badge)
{
	struct slot *src = c->slot[0], *slot;
	sys_status_t status;
	u32 generation;

	if (rights == SYS_RIGHTS_SAME)
		rights = src->rights;
	if ((rights & ~(sys_rights_t)src->rights) || (badge && (src->object->type != SYS_TYPE_ENDPOINT || src->badge)))
		return SYS_ERR_INVALID_ARGS;
	status = cnode_free_slot(call_object(c, 1), dst, &slot, &generation);
	if (status != SYS_OK)
		return status;
	/* COMMIT */
	slot_fill(slot, generation, src->object, rights, badge ? badge : src->badge, src, 0);
	c->r->rdx = slot_cap(slot);
	return SYS_OK;
}

int call_cap_copy(struct call *c) { return derive(c, c->r->rdx, (sys_rights_t)c->r->r10, 0); }
int call_cap_mint(struct call *c) { return derive(c, c->r->rdx, (sys_rights_t)c->r->r10, c->r->r8); }

int call_cap_move(struct call *c)
{
	struct slot *slot;
	sys_status_t status = cap_move(c->slot[0], call_object(c, 1), c->r->rdx, &slot);

	if (status == SYS_OK)
		c->r->rdx = slot_cap(slot);
	return status;
}

/* Takes apart what has come to its end. When an interrupt waits, the call goes on as `reap_rest`: its own work is done, and who waits on what
 * ended must be told even if no CPU is ever idle. */
int call_reap_rest(struct call *c)
{
	if (object_reap(NULL))
		return SYS_OK;
	c->r->rax = NR_reap_rest;
	return VM_AGAIN;
}

static int delete(struct call *c, struct slot *s)
{
	sys_status_t status = cap_delete(s);

	return status == SYS_OK ? call_reap_rest(c) : status;
}

int call_cap_delete(struct call *c) { return delete(c, c->slot[0]); }

int call_cnode_delete(struct call *c)
{
	struct slot *s = cnode_lookup(call_object(c, 0), c->r->rsi);

	return s ? delete(c, s) : SYS_ERR_BAD_CAP;
}

int call_cap_revoke(struct call *c)
{
	sys_status_t status = cap_revoke(c->slot[0]);

	if (status != SYS_OK)
		return status;
	check_sometimes();
	return call_reap_rest(c);
}

int call_cap_info(struct call *c)
{
	const struct slot *s = c->slot[0];
	struct regs *r = c->r;

	r->rdx = type_and_rights(s);
	r->r8 = slot_badge(s);
	r->r9 = s->object->koid;
	r->r10 = slot_derived(s);
	return SYS_OK;
}

int call_cap_watch(struct call *c) { return cap_watch(c->slot[0], c->r->rsi, c->r->rdx, call_object(c, 1), c->r->r8); }

int call_cnode_create(struct call *c)
{
	struct slot *s = c->t->progress ? cnode_lookup(c->t->cspace, c->t->progress) : NULL;
	struct cnode *node;
	sys_status_t status;

	if (!s || s->object->type != SYS_TYPE_CNODE) {
		status = cnode_create(call_account(c, 0), (u32)c->r->rsi, &node);
		if (status == SYS_OK)
			status = call_install_first(c, &node->object, SYS_RIGHTS_CNODE);
		if (status != SYS_OK)
			return status;
		c->t->progress = c->r->rdx;     /* it stands in the caller's slot, unfinished, from here on */
		s = cnode_lookup(c->t->cspace, c->t->progress);
	}
	node = (struct cnode *)s->object;
	while (!cnode_build_step(node))
		if (arch_preempt_poll())
			return VM_AGAIN;
	c->r->rdx = c->t->progress;
	return SYS_OK;
}

int call_cnode_info(struct call *c)
{
	struct cnode *node = call_object(c, 0);
	u32 index = (u32)c->r->rsi;
	struct slot *s;

	if (index >= node->slots)
		return SYS_ERR_OUT_OF_RANGE;
	s = cnode_slot(node, index);
	c->r->rdx = s ? slot_name(index, s->generation) : index;
	if (s && !s->object)
		s = NULL;
	c->r->r8 = s ? type_and_rights(s) : 0;
	c->r->r9 = s ? slot_badge(s) : 0;
	c->r->r10 = s ? s->object->koid : 0;
	c->r->rdi = s && slot_derived(s);
	return SYS_OK;
}

int call_untyped_create(struct call *c)
{
	u64 bytes = c->r->rsi;
	struct account *a;
	sys_status_t status;

	if (bytes == 0 || !page_aligned(bytes))
		return SYS_ERR_INVALID_ARGS;
	status = account_create(call_account(c, 0), bytes >> PAGE_SHIFT, &a);
	return status == SYS_OK ? call_install_first(c, &a->object, SYS_RIGHTS_UNTYPED) : status;
}

/* What is dying in a child that shrinks below what it holds is taken apart first. */
int call_untyped_resize(struct call *c)
{
	struct account *child = call_account(c, 1);
	u64 bytes = c->r->rdx, frames = bytes >> PAGE_SHIFT;

	if (bytes == 0 || !page_aligned(bytes))
		return SYS_ERR_INVALID_ARGS;
	if (frames < child->used + child->promised && !object_reap(child))
		return VM_AGAIN;
	return account_resize(call_account(c, 0), child, frames);
}

/* What is dying already is taken apart first, so the figures are exact. */
int call_untyped_info(struct call *c)
{
	const struct account *a = call_account(c, 0);

	if (!object_reap(NULL))
		return VM_AGAIN;
	c->r->rdx = a->total << PAGE_SHIFT;
	c->r->r8 = a->used << PAGE_SHIFT;
	c->r->r9 = a->promised << PAGE_SHIFT;
	c->r->r10 = a->peak << PAGE_SHIFT;
	c->r->rdi = (a->discardable.frames + a->roots.frames) << PAGE_SHIFT;
	return SYS_OK;
}
