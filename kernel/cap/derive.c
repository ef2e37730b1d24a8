/* SPDX-License-Identifier: BSD-2-Clause */
/* derive.c: delete, revoke and move: what goes when a capability goes. See slot.h. Lock: the kernel lock.
 *
 * Revoke takes, from the end backwards, what stands right before the capability's own closing entry: a slot's closing entry (that slot is deleted as
 * an inner one: its children stay, and come next), or a leaf (a mapping: it is ended). Each is one bounded step. */
#include "cap/slot.h"
#include "lib/assert.h"
#include "sched/sched.h"
#include "vm/mapping.h"
#include "vm/pagemap.h"
#include "vm/view.h"

/* Steps per entry, at least: twice as many as there are CPUs, so that copiers elsewhere cannot outrun a revoke. A step of ending a mapping or
 * a view costs as much as ending so many capabilities. */
static unsigned revoke_steps(void) { return MAX(8u, 2 * arch_cpus()); }
#define MAPPING_STEPS 6u

/* One step. True: nothing stands below s any more. */
static bool revoke_step(struct slot *s)
{
	struct deriv *last = deriv_at(s->close.prev);

	switch (deriv_kind_of(s->close.prev)) {
	case DERIV_SLOT_OPEN:
		DEBUG_ASSERT(last == &s->open);
		return true;
	case DERIV_SLOT_CLOSE:
		slot_clear(container_of(last, struct slot, close));
		return false;
	case DERIV_ACCOUNT:
		account_leave_place(container_of(last, struct account, to));
		return false;
	case DERIV_MAPPING:
		mapping_end(container_of(last, struct mapping, deriv));
		return false;
	case DERIV_ACCESSOR:
		accessor_end(accessor_of_deriv(last));
		return false;
	case DERIV_VIEW:
		view_end_step(view_of_deriv(last));
		return false;
	}
	panic("derivation entry 0x%lx has no kind that can be revoked", (u64)last);
}

/* A revoke that destroyed its own caller stops: nobody is there to go on, and the slot may go next. */
static bool caller_gone(void)
{
	return my_cpu->current && my_cpu->current->state == SYS_THREAD_EXITED;
}

/* All descendants, in steps: SYS_OK or VM_AGAIN. */
static sys_status_t revoke(struct slot *s)
{
	const unsigned least = revoke_steps();

	s->flags |= SLOT_REVOKING;
	for (unsigned steps = 0;; steps++) {
		enum deriv_kind kind = deriv_kind_of(s->close.prev);
		steps += kind == DERIV_MAPPING || kind == DERIV_VIEW ? MAPPING_STEPS - 1 : 0;
		if (revoke_step(s))
			break;
		if (caller_gone() || (steps >= least && arch_preempt_poll()))
			return VM_AGAIN;
	}
	s->flags &= (u16)~SLOT_REVOKING;
	return SYS_OK;
}

/* The account's objects, when no capability to them is left: SYS_OK or VM_AGAIN. It is open and empty afterwards, unless it ended
 * itself meanwhile: the slot that names it may be in a CNode of its own. Until then that slot stays marked, if it is there. */
static sys_status_t sweep(struct slot *s)
{
	struct account *a = (struct account *)s->object;
	struct cnode *c = slot_cnode(s);
	sys_cap_t name = slot_cap(s);
	sys_status_t status = SYS_OK;

	s->flags |= SLOT_REVOKING;
	object_ref(&a->object);
	object_ref(&c->object);
	while (status == SYS_OK && !account_sweep_step(a))
		if (caller_gone() || arch_preempt_poll())
			status = VM_AGAIN;
	s = cnode_lookup(c, name);
	if (status == SYS_OK && s)
		s->flags &= (u16)~SLOT_REVOKING;
	if (status == SYS_OK && !object_dying(&a->object))
		a->closed = false;
	object_unref(&c->object);
	object_unref(&a->object);
	return status;
}

sys_status_t cap_revoke(struct slot *s)
{
	struct object *o = s->object;
	bool account = o->type == SYS_TYPE_UNTYPED && (s->flags & SLOT_FIRST);
	sys_status_t status;

	if (account)
		((struct account *)o)->closed = true;
	status = revoke(s);
	return status == SYS_OK && account && !object_dying(o) ? sweep(s) : status;
}

/* Deleting an account's last capability revokes what was made with it first; the account's own end then sweeps it. */
sys_status_t cap_delete(struct slot *s)
{
	struct object *o = s->object;

	if (o->type == SYS_TYPE_UNTYPED && o->caps == 1)
		slot_inherit(s, (struct account *)o);
	if (s->flags & SLOT_REVOKING) {
		sys_status_t status = revoke(s);

		if (status != SYS_OK)
			return status;
	}
	/* COMMIT */
	slot_clear(s);
	return SYS_OK;
}

sys_status_t cap_move(struct slot *src, struct cnode *to, sys_cap_t name, struct slot **out)
{
	struct slot *dst;
	u32 generation;
	sys_status_t status = cnode_free_slot(to, name, &dst, &generation);

	if (status != SYS_OK)
		return status;
	if (src->flags & SLOT_REVOKING) {
		cap_revoke(src);
		return VM_AGAIN;                                /* its place and the other may have gone with it */
	}
	/* COMMIT */
	slot_move(src, dst, generation);
	*out = dst;
	return SYS_OK;
}

/* ---- walker --------------------------------------------------------------------------------------------------------------------------- */

static void check_link(const struct deriv *d, enum deriv_kind kind)
{
	if (d->next)
		ASSERT(deriv_at(d->next)->prev == ((u64)d | kind));
	if (d->prev)
		ASSERT(deriv_at(d->prev)->next == ((u64)d | kind));
}

/* Walks from the slot's opening to its closing entry with a stack of the slots that are open, and compares each one's rights with those of the
 * slot that encloses it, where both name the same object. EXECUTE comes from a resource and is left out. */
void deriv_check(const struct slot *first)
{
	const struct slot *stack[1024];
	u32 depth = 0;
	u64 link = (u64)&first->open | DERIV_SLOT_OPEN;

	do {
		const struct deriv *d = deriv_at(link);

		check_link(d, deriv_kind_of(link));
		if (deriv_kind_of(link) == DERIV_SLOT_OPEN) {
			const struct slot *s = container_of(d, struct slot, open);

			ASSERT(s->object != NULL && depth < ARRAY_LEN(stack));
			if (depth && stack[depth - 1]->object == s->object)
				ASSERT((s->rights & ~stack[depth - 1]->rights & ~SYS_RIGHT_EXECUTE) == 0);
			stack[depth++] = s;
		} else if (deriv_kind_of(link) == DERIV_SLOT_CLOSE) {
			ASSERT(depth > 0 && stack[depth - 1] == container_of(d, struct slot, close));
			depth--;
		}
		link = d->next;
	} while (depth > 0);
}
