/* SPDX-License-Identifier: BSD-2-Clause */
/* account.c: memory accounts.
 *
 * Life cycle of a child:
 *   1. account_create(): the parent promises the frames and pays for the account object.
 *   2. Charges, objects, children of its own.
 *   3. object_end(): closed. Its reap ends what lives in it, one object a step, and hands all that dies up to the stack
 *      that it is on.
 *   4. Nothing lives and nothing is charged: settled, the parent has its frames back to the last one.
 *   5. Nothing lives, but something is charged (a reaped object that a capability still names): parked. The last
 *      uncharge puts it on account_reapable; the next step settles it.
 * Lock: the kernel lock.
 */
#include "mem/account.h"
#include "arch/arch.h"
#include "lib/assert.h"
#include "mem/frame.h"
#include "mem/slab.h"

static struct account root;
static u64 root_frames;                 /* what can be in use by accounts: the root's total and the margin */
struct list account_reapable = LIST_INIT(account_reapable);
struct account *account_short;

#ifdef VELLUM_HOST
u64 host_fail_charge_at;
#endif

struct account *account_root(void) { return &root; }

void account_figure(struct account *a)
{
	u64 most = a->total - a->promised, quiet = 0, passed = UINT64_MAX;

	if (a->low.watches.root)
		low_look(&a->low, account_free(a), &quiet, &passed);
	a->limit = most - quiet;
	a->below = passed <= most ? most - passed + 1 : a->parked;
}

static void account_prepare(struct account *a, struct account *parent, u64 total)
{
	a->parent = parent;
	a->total = total;
	list_init(&a->children);
	list_init(&a->watches);
	list_init(&a->forks);
	list_init(&a->discardable.contents);
	list_init(&a->roots.contents);
	a->round.number = 1;
	a->round.oldest = FRAME_OLDEST;
	list_init(&a->dying_link);
	list_init(&a->low.firing);
	account_figure(a);
}

BOOT void account_init(void)
{
	root_frames = frame_count_free() + frame_count_modules();
	ASSERT(root_frames > arch_cpus() * ACCOUNT_MARGIN);
	list_init(&account_reapable);
	account_short = NULL;
	watch_init();
	object_type_set(SYS_TYPE_UNTYPED, &account_type);
	root = (struct account){ 0 };
	object_init_static(&root.object, SYS_TYPE_UNTYPED);
	account_prepare(&root, NULL, root_frames - arch_cpus() * ACCOUNT_MARGIN);
}

/* ---- charges ----------------------------------------------------------------------------------------------------- */
/* Makes n frames free by destroying what is dying anyway. */
static sys_status_t account_need_slow(struct account *a, u64 n)
{
	while (!a->closed && n <= a->total && object_reap_step(a)) {
		if (n <= account_free(a) && !a->closed)
			return SYS_OK;
		if (arch_preempt_poll())
			return VM_AGAIN;
	}
	bool helps = n <= account_free(a) + a->discardable.frames + a->roots.frames || !list_empty(&a->forks);
	account_short = helps && !a->closed ? a : NULL;
	return a->closed ? SYS_ERR_BAD_STATE : SYS_ERR_NO_MEMORY;
}

static inline sys_status_t account_need(struct account *a, u64 n)
{
	if (account_fail_here())
		return SYS_ERR_NO_MEMORY;
	if (likely(!a->closed && n <= account_free(a)))
		return SYS_OK;
	return account_need_slow(a, n);
}

sys_status_t account_charge_look(struct account *a, u64 n)
{
	sys_status_t status = a->closed || n > account_free(a) ? account_need_slow(a, n) : SYS_OK;

	if (status == SYS_OK) {
		a->used += n;
		a->peak = MAX(a->peak, a->used);
		account_figure(a);
	}
	return status;
}

void account_uncharge_look(struct account *a)
{
	if (a->low.watches.root)
		account_figure(a);
	if (a->parked && !a->used && !a->promised && !list_on(&a->dying_link))
		list_push(&account_reapable, &a->dying_link);
}

/* ---- children ---------------------------------------------------------------------------------------------------- */
static void account_promise(struct account *a, u64 more, u64 less)
{
	a->promised += more - less;
	account_figure(a);
}

sys_status_t account_create(struct account *parent, u64 frames, struct account **out)
{
	sys_status_t status = account_need(parent, frames);
	if (status != SYS_OK)
		return status;
	account_promise(parent, frames, 0);
	struct account *a = object_create(parent, SYS_TYPE_UNTYPED, &status);
	if (!a) {
		account_promise(parent, 0, frames);
		return status;
	}
	account_prepare(a, parent, frames);
	list_push(&parent->children, &a->sibling);
	*out = a;
	return SYS_OK;
}

sys_status_t account_resize(struct account *parent, struct account *child, u64 frames)
{
	sys_status_t status = SYS_OK;

	if (child->parent != parent)
		return SYS_ERR_INVALID_ARGS;
	if (parent->closed || child->closed || frames < child->used + child->promised)
		return SYS_ERR_BAD_STATE;
	object_ref(&child->object);             /* what the parent has dying may have its last name: it ends afterwards */
	if (frames > child->total)
		status = account_need(parent, frames - child->total);
	if (status == SYS_OK) {
		/* COMMIT */
		account_promise(parent, frames, child->total);
		child->total = frames;
		account_figure(child);
	}
	object_unref(&child->object);
	return status;
}

/* Nothing is charged to it any more: the parent has its frames back. (A parked parent still pays for this cell.) */
static void account_settle(struct account *a)
{
	account_promise(a->parent, 0, a->total);
	a->total = 0;
	list_remove(&a->sibling);
}

void account_settle_step(struct account *a)
{
	ASSERT(a->parked && !a->used && !a->promised);
	list_remove(&a->dying_link);
	a->parked = false;
	account_settle(a);
	object_unref(&a->object);
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */
/* Ends one object, children first, or looks for one at least; or a watch that it still pays for. False: none lives. */
static bool account_end_one(struct account *a)
{
	struct account *child = list_first(&a->children, struct account, sibling);

	if (watch_end_first_of_account(&a->watches))
		return true;
	if (!a->objects)
		return false;
	struct object *o = child && !object_dying(&child->object) ? &child->object : slab_first_object(a);
	if (o)
		object_end(o);
	return true;
}

bool account_sweep_step(struct account *a)
{
	return !object_reap_step(a) && !account_end_one(a);
}

void account_leave_place(struct account *a) { deriv_remove(&a->from), deriv_remove(&a->to); }

static void account_ended(struct object *o)
{
	struct account *a = container_of(o, struct account, object);

	a->closed = true;
	account_short = account_short == a ? NULL : account_short;
	account_leave_place(a);
	list_remove(&a->dying_link);            /* its dying objects are handed up from now on */
	list_remove(&a->sibling);
	list_append(&a->parent->children, &a->sibling);
}

static bool account_reap(struct object *o)
{
	struct account *a = container_of(o, struct account, object);

	if (object_hand_up(a) || account_end_one(a) || watch_end_lowest(&a->low))
		return false;
	if (a->used || a->promised) {
		object_ref(o);                  /* until account_settle_step */
		a->parked = true;
		account_figure(a);
	} else {
		account_settle(a);
	}
	return true;
}

const struct object_type account_type = {
	.name = "untyped", .size = sizeof(struct account), .ended = account_ended, .reap = account_reap,
};

/* ---- walkers ----------------------------------------------------------------------------------------------------- */
/* Charges and discharges that pass no watched threshold need no look; all others do. */
static void account_check_limits(const struct account *a)
{
	u64 free = account_free(a), quiet = 0, passed = UINT64_MAX, most = a->total - a->promised;

	for (struct avl_node *n = avl_first(&a->low.watches); n; n = avl_next(n)) {
		u64 threshold = container_of(n, struct watch, by_threshold)->threshold;
		if (threshold <= free)
			quiet = MAX(quiet, threshold);
		else
			passed = MIN(passed, threshold);
	}
	ASSERT(a->used <= a->limit && a->limit == most - quiet);
	ASSERT(passed <= most ? a->used >= a->below && a->below == most - passed + 1 : a->below == a->parked);
	low_check(&a->low, free);
}

void account_check(const struct account *a)
{
	u64 promised = 0;
	bool ended = false;

	list_each(l, &a->children) {
		const struct account *child = container_of(l, struct account, sibling);
		ASSERT(child->parent == a && child->object.account == a);
		ASSERT(!ended || object_dying(&child->object));         /* those that live stand first */
		ended = object_dying(&child->object);
		promised += child->total;
	}
	ASSERT(promised == a->promised && a->peak >= a->used);
	ASSERT(a->used <= a->total && a->promised <= a->total - a->used);
	account_check_limits(a);
	if (object_dying(&a->object))
		ASSERT(a->closed && !a->from.next && list_on(&a->dying_link) == (a->parked && !a->used && !a->promised));
	else
		ASSERT(list_on(&a->dying_link) == !!a->dying && !a->parked);
	for (const struct object *o = a->dying; o; o = o->next_dying)
		ASSERT(object_dying(o) && !(o->flags & OBJECT_REAPED));
	slab_check(a);
}

/* What follows in a walk from the root down: the first child, or the nearest ancestor's next sibling. */
static const struct account *account_next(const struct account *a)
{
	if (!list_empty(&a->children))
		return container_of(a->children.next, struct account, sibling);
	for (; a->parent; a = a->parent)
		if (a->sibling.next != &a->parent->children)
			return container_of(a->sibling.next, struct account, sibling);
	return NULL;
}

void account_each_object(void (*visit)(struct object *))
{
	for (const struct account *a = &root; a; a = account_next(a))
		slab_each_object((struct account *)a, visit);
}

void account_check_all(void)
{
	u64 charged = 0;

	for (const struct account *a = &root; a; a = account_next(a)) {
		account_check(a);
		charged += a->used;
	}
	ASSERT(root_frames - frame_count_free() - frame_count_modules() <= charged);
}
