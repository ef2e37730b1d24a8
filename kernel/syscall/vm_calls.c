/* SPDX-License-Identifier: BSD-2-Clause */
/* vm_calls.c: the calls on VMOs and address regions. See call.h for their shape. Lock: the kernel lock. */
#include "syscall/call.h"
#include "vm/transfer.h"
#include "vm/view.h"

#define RIGHTS_VMO (SYS_RIGHTS_VMO & ~SYS_RIGHT_RESIZE)

/* ---- VMOs ------------------------------------------------------------------------------------------------------------------------------- */

static sys_rights_t vmo_rights(u32 options)
{
	return RIGHTS_VMO | (options & SYS_VMO_RESIZABLE ? SYS_RIGHT_RESIZE : 0);
}

int call_vmo_create(struct call *c)
{
	u32 options = (u32)c->r->rdx;
	struct vmo *v;
	sys_status_t status = vmo_create(call_account(c, 0), c->r->rsi, options, &v);

	return status == SYS_OK ? call_install_first(c, &v->object, vmo_rights(options)) : status;
}

/* The search goes first: how far it is stands in r10 and r8. Then the VMO stands in the caller's slot, unfinished; who takes frames or memory away from
 * between the steps can still make it fail, and the slot has had a name then. */
int call_vmo_create_contiguous(struct call *c)
{
	struct regs *r = c->r;
	struct thread *t = c->t;
	struct slot *s = t->progress > 1 ? cnode_lookup(t->cspace, t->progress) : NULL;
	u64 align = r->rdx;
	sys_status_t status;

	if (!t->progress)
		r->r10 = r->r8 = 0;
	t->progress = MAX(t->progress, 1);
	if (!s || s->object->type != SYS_TYPE_VMO) {
		struct vmo *v;
		status = vmo_create_contiguous(call_account(c, 0), r->rsi, align, &r->r10, &r->r8, &v);
		if (status == SYS_OK)
			status = call_install_first(c, &v->object, RIGHTS_VMO);
		if (status != SYS_OK)
			return status;
		t->progress = r->rdx;
		r->rdx = align;
		s = cnode_lookup(t->cspace, t->progress);
	}
	status = vmo_contiguous_build((struct vmo *)s->object, align, &r->r10, &r->r8);
	if (status == SYS_OK)
		r->rdx = t->progress;
	else if (status != VM_AGAIN)
		slot_clear(s);
	return status;
}

#define WINDOWS (SYS_VMO_CHILD_SLICE | SYS_VMO_CHILD_REFERENCE)

/* CHILD-08 to -11: what a child's capability may, from its parent's. A window adds nothing. */
static sys_rights_t child_rights(sys_rights_t parent, u32 options)
{
	sys_rights_t rights = (parent | (options & WINDOWS ? 0 : SYS_RIGHT_SET_PROPERTY)) & ~SYS_RIGHT_RESIZE;

	if (options & SYS_VMO_CHILD_NO_WRITE)
		rights &= ~SYS_RIGHT_WRITE;
	else if (!(options & WINDOWS))
		rights = (rights | SYS_RIGHT_WRITE) & ~SYS_RIGHT_EXECUTE;
	return rights | (options & SYS_VMO_CHILD_RESIZABLE ? SYS_RIGHT_RESIZE : 0);
}

int call_vmo_create_child(struct call *c)
{
	u32 options = (u32)c->r->rdx;
	struct slot *vmo = c->slot[0];
	struct vmo *child;

	if (options == (SYS_VMO_CHILD_REFERENCE | SYS_VMO_CHILD_RESIZABLE) && !(vmo->rights & SYS_RIGHT_RESIZE))
		return SYS_ERR_ACCESS_DENIED;           /* CHILD-REF-02 */
	sys_status_t status = vmo_create_child(call_object(c, 0), call_account(c, 1), options, c->r->r10, c->r->r8, &child);
	if (status != SYS_OK)
		return status;
	view_derive(child, &vmo->open, DERIV_SLOT_OPEN);
	return call_install(c, &child->object, child_rights(vmo->rights, options), options & WINDOWS ? vmo : c->slot[1]);
}

/* A read or write; one that was stopped goes on where it was. */
static int copy_call(struct call *c, __typeof__(vmo_read) *copy)
{
	struct regs *r = c->r;
	u64 done = 0;
	sys_status_t status = copy(call_object(c, 0), c->t->space, r->rsi, r->rdx, r->r10, &done, c->t->retries, &c->t->page);

	r->rsi += done;
	r->rdx += done;
	r->r10 -= done;
	if (done)
		thread_anew(c->t);
	return status;
}

int call_vmo_read(struct call *c) { return copy_call(c, vmo_read); }
int call_vmo_write(struct call *c) { return copy_call(c, vmo_write); }
int call_vmo_get_size(struct call *c) { return vmo_get_size(call_object(c, 0), false, &c->r->rdx); }
int call_vmo_get_stream_size(struct call *c) { return vmo_get_size(call_object(c, 0), true, &c->r->rdx); }

/* For a call that may wait for an object's page, not for its buffer's: where an earlier one was missing is forgotten. */
static struct page_wait *object_wait(struct call *c)
{
	c->t->page.space = NULL;
	return &c->t->page;
}

int call_vmo_set_size(struct call *c)
{
	return vmo_set_size(call_object(c, 0), c->r->rsi, c->slot[0]->rights & SYS_RIGHT_RESIZE, object_wait(c));
}

int call_vmo_set_stream_size(struct call *c)
{
	return vmo_set_stream_size(call_object(c, 0), c->r->rsi, &c->t->progress, object_wait(c));
}

/* What a LOCK tells is in the caller's memory before it is taken: the copy may wait. */
static int lock_call(struct call *c)
{
	const struct regs *r = c->r;
	struct vmo *v = call_object(c, 0);
	sys_vmo_lock_state_t state;
	bool tells = r->rsi == SYS_VMO_OP_LOCK;

	if (tells && (!r->r8 || r->r9 < sizeof(state)))
		return v->content && !(v->content->options & SYS_VMO_DISCARDABLE) ? SYS_ERR_NOT_SUPPORTED : SYS_ERR_INVALID_ARGS;
	int status = vmo_lock_check(&v, (u32)r->rsi, r->rdx, r->r10, &state);
	if (status == SYS_OK && tells)
		status = call_copy_out(c, r->r8, &state, sizeof(state));
	/* COMMIT */
	if (status == SYS_OK)
		vmo_lock(v, (u32)r->rsi);
	return status;
}

int call_vmo_op_range(struct call *c)
{
	struct vmo *v = call_object(c, 0);
	u64 done = 0;

	if (c->r->rsi >= SYS_VMO_OP_LOCK && c->r->rsi <= SYS_VMO_OP_UNLOCK)
		return lock_call(c);
	sys_status_t status = vmo_op_range(v, (u32)c->r->rsi, c->r->rdx, c->r->r10, &done, object_wait(c));

	if (status == VM_AGAIN || status == SYS_ERR_SHOULD_WAIT) {
		c->r->rdx += done;
		c->r->r10 -= done;
		c->t->progress = 1;
	}
	if (status == SYS_ERR_OUT_OF_RANGE && c->t->progress) {         /* it shrank meanwhile (VMO-HINT-07, PRESIZE-03) */
		c->r->r10 = v->shape->size - MIN(v->shape->size, c->r->rdx);
		return c->r->r10 ? VM_AGAIN : SYS_OK;
	}
	return status;
}

int call_vmo_transfer_data(struct call *c)
{
	struct regs *r = c->r;
	u64 done = 0;

	c->t->page.space = NULL;
	sys_status_t status = vmo_transfer(call_object(c, 0), (u32)r->rsi, r->rdx, r->r10, call_object(c, 1), r->r9, &done, &c->t->page);
	if (status == VM_AGAIN || status == SYS_ERR_SHOULD_WAIT) {
		r->rdx += done;
		r->r10 -= done;
		r->r9 += done;
	}
	return status;
}

int call_vmo_set_cache_policy(struct call *c)
{
	return vmo_set_cache_policy(call_object(c, 0), (u32)c->r->rsi, &c->t->progress);
}

/* The capability keeps its slot under a new name: the old one is consumed (EXEC-01). */
int call_vmo_replace_as_executable(struct call *c)
{
	struct slot *s = c->slot[0];

	if (s->generation == GENERATION_LAST)
		return SYS_ERR_BAD_CAP;
	/* COMMIT */
	s->generation++;
	s->rights |= SYS_RIGHT_EXECUTE;
	c->r->rdx = slot_cap(s);
	return SYS_OK;
}

#define INFO_REAPS 256u         /* entries that help to end what is dying, so that half of a sharer is not told of */

int call_vmo_info(struct call *c)
{
	sys_vmo_info_t info;

	if (!list_empty(&account_reapable) && c->t->retries < INFO_REAPS) {
		object_reap(NULL);              /* it may end anything */
		return VM_AGAIN;
	}
	sys_status_t status = vmo_info(call_object(c, 0), &info);
	if (status != SYS_OK)
		return status;
	info.rights = c->slot[0]->rights;
	return call_copy_out(c, c->r->rsi, &info, offsetof(sys_vmo_info_t, rights) + sizeof(info.rights));      /* no padding */
}

/* ---- regions ---------------------------------------------------------------------------------------------------------------------------- */

/* A region's capability: what its CAN_MAP bits allow; W+X comes down from the parent's. */
static sys_rights_t region_rights(sys_rights_t parent, u32 options)
{
	sys_rights_t rights = SYS_RIGHTS_BASIC | SYS_RIGHT_MANAGE | (parent & SYS_RIGHT_WX);

	return rights | (options & SYS_VM_CAN_MAP_READ ? SYS_RIGHT_READ : 0) | (options & SYS_VM_CAN_MAP_WRITE ? SYS_RIGHT_WRITE : 0) |
	       (options & SYS_VM_CAN_MAP_EXECUTE ? SYS_RIGHT_EXECUTE : 0);
}

int call_vmar_allocate(struct call *c)
{
	u32 options = (u32)c->r->rsi;
	struct vmar *region;
	sys_status_t status = vmar_allocate(vmar_of(call_object(c, 0)), c->slot[0]->rights, options, c->r->rdx, c->r->r10, &region);

	if (status == SYS_OK)
		status = call_install(c, (struct object *)region, region_rights(c->slot[0]->rights, options), c->slot[0]);
	if (status == SYS_OK)
		c->r->r8 = region->region.base;
	return status;
}

int call_vmar_map(struct call *c)
{
	const struct regs *r = c->r;

	return vmar_map(vmar_of(call_object(c, 0)), c->slot[0]->rights, (u32)r->rsi, r->rdx, call_object(c, 1), c->slot[1]->rights, r->r8, r->r9,
	                &c->slot[1]->open, &c->r->rdx);
}

int call_vmar_unmap(struct call *c)
{
	sys_status_t status = vmar_unmap(vmar_of(call_object(c, 0)), c->slot[0]->rights & SYS_RIGHT_MANAGE, c->r->rsi, c->r->rdx);

	return status == SYS_OK ? call_reap_rest(c) : status;   /* what nobody maps any more may have ended */
}

int call_vmar_protect(struct call *c)
{
	u64 done = 0;
	sys_status_t status = vmar_protect(vmar_of(call_object(c, 0)), c->slot[0]->rights, (u32)c->r->rsi, c->r->rdx, c->r->r10, &done);

	if (status == VM_AGAIN) {
		c->r->rdx += done;
		c->r->r10 -= done;
	}
	return status;
}

int call_vmar_info(struct call *c)
{
	const struct vmar *region = vmar_of(call_object(c, 0));

	if (vmar_is_dead(region))
		return SYS_ERR_BAD_STATE;
	c->r->rdx = c->slot[0]->object->koid;
	c->r->r8 = region->region.base;
	c->r->r9 = region->region.size;
	c->r->r10 = region->options;
	return SYS_OK;
}

/* A long listing goes in steps: where it is stands in the thread's progress (address and depth + 1), how many are written in r10. */
int call_vmar_maps(struct call *c)
{
	struct vmar *region = vmar_of(call_object(c, 0));
	struct regs *r = c->r;
	u64 seen = c->t->progress ? r->r10 : 0;
	vaddr_t at = c->t->progress ? c->t->progress & ~PAGE_MASK : region->region.base;
	u32 depth = c->t->progress ? (u32)(c->t->progress & PAGE_MASK) - 1 : 0;
	sys_maps_t entry;

	if (!c->t->progress)
		c->t->count = (struct maps_count){ 0 };
	if (vmar_is_dead(region))
		return SYS_ERR_BAD_STATE;
	while (c->t->progress = at | (depth + 1), r->r10 = seen, vmar_maps_next(region, &at, &depth, &entry)) {
		int status;

		while (entry.kind == 1 && seen < r->rdx && !vmar_maps_count(region, &entry, &c->t->count))
			if (arch_preempt_poll())
				return VM_AGAIN;
		status = seen < r->rdx ? call_copy_out(c, r->rsi + seen * sizeof(entry), &entry, sizeof(entry)) : SYS_OK;
		if (status != SYS_OK)
			return status;
		seen++;
		if (arch_preempt_poll()) {
			c->t->progress = at | (depth + 1);
			r->r10 = seen;
			return VM_AGAIN;
		}
	}
	r->rdx = MIN(r->rdx, seen);
	r->r8 = seen;
	return SYS_OK;
}
