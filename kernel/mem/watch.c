/* SPDX-License-Identifier: BSD-2-Clause */
/* watch.c: watches: found by slot, fired by lists, told one by one. See watch.h. Lock: the kernel lock.
 *
 * A list is kept in the order of `seen`: a watch that is told, or new, goes to its end. So what is to be told stands in
 * front, and a list whose first watch has seen its last firing has told all.
 */
#include "mem/watch.h"
#include "lib/assert.h"
#include "mem/account.h"
#include "mem/frame.h"
#include "mem/slab.h"

struct list watch_firing = LIST_INIT(watch_firing), watch_firing_low = LIST_INIT(watch_firing_low);
struct watch_hooks watch_hooks;
static struct avl_tree watches;         /* all, by slot, then event */

static struct watch *watch_at(const struct avl_node *n) { return n ? container_of(n, struct watch, by_slot) : NULL; }
static struct account *account_of(const struct watch *w) { return container_of(w->object, struct account, object); }
static bool once(const struct watch *w) { return w->event != SYS_EVENT_ZERO_CHILDREN && w->event != SYS_EVENT_LOW; }

BOOT void watch_init(void)
{
	watches = (struct avl_tree){ 0 };
	list_init(&watch_firing);
	list_init(&watch_firing_low);
}

/* ---- by slot ----------------------------------------------------------------------------------------------------- */
static bool precedes(const struct watch *w, const void *slot, unsigned event)
{
	return w->slot != slot ? (uintptr_t)w->slot < (uintptr_t)slot : w->event < event;
}

/* The first one of this slot whose event is not before that one, or NULL. */
static struct watch *first_from(const void *slot, unsigned event)
{
	struct watch *best = NULL;

	for (struct avl_node *n = watches.root; n;) {
		bool before = precedes(watch_at(n), slot, event);
		if (!before)
			best = watch_at(n);
		n = before ? n->right : n->left;
	}
	return best && best->slot == slot ? best : NULL;
}

struct watch *watch_find(const void *slot, enum sys_event event)
{
	struct watch *w = first_from(slot, event);

	return w && w->event == event ? w : NULL;
}

static bool stands_before(const struct avl_node *a, const struct avl_node *b)
{
	return precedes(watch_at(a), watch_at(b)->slot, watch_at(b)->event);
}

void watch_slot_gone(const void *slot)
{
	for (struct watch *w; (w = first_from(slot, 0));)       /* one for each event at most */
		watch_end(w);
}

void watch_slot_moved(const void *from, const void *to)
{
	for (struct watch *w; (w = first_from(from, 0));) {
		avl_remove(&watches, &w->by_slot);
		w->slot = to;
		avl_insert(&watches, &w->by_slot, stands_before);
	}
}

/* ---- firing and telling ------------------------------------------------------------------------------------------ */
void watch_fire_list(struct watch_list *l)
{
	l->fired++;
	if (!list_on(&l->firing))
		list_append(&watch_firing, &l->firing);
	watch_hooks.fired();
}

static bool to_tell(const struct watch *w)
{
	return w->list ? w->seen != w->list->fired : low_to_tell(&account_of(w)->low, w);
}

/* One whose notification has ended has nobody to tell, and is about to end. */
static void tell(const struct watch *w)
{
	if (!object_dying(w->ntfn))
		watch_hooks.signal(w->ntfn, w->bits);
}

static void seen(struct watch *w)
{
	w->seen = w->list->fired;
	list_remove(&w->of_list);
	list_append(&w->list->watches, &w->of_list);
}

static void tell_first(struct watch_list *l)
{
	struct watch *w = list_first(&l->watches, struct watch, of_list);

	if (!w || w->seen == l->fired) {
		list_remove(&l->firing);
	} else if (once(w)) {
		watch_end(w);                   /* which tells it */
	} else {
		seen(w);
		tell(w);
	}
}

bool watch_tell_step(void)
{
	struct watch_list *l = list_first(&watch_firing, struct watch_list, firing);
	struct watch_low *low = list_first(&watch_firing_low, struct watch_low, firing);
	struct watch *w;

	if (l) {
		tell_first(l);
	} else if (low) {
		w = low_next(low);
		if (w)
			tell(w);
	}
	return l || low;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */
static void aim(struct watch *w, const struct watch_target *to)
{
	w->ntfn = to->ntfn;
	w->bits = to->bits;
	w->threshold = to->threshold;
	list_append(to->of_ntfn, &w->of_ntfn);
}

/* Its place at its object. */
static void attach(struct watch *w)
{
	if (w->list) {
		list_init(&w->of_list);
		return seen(w);
	}
	struct account *a = account_of(w);
	account_figure(a);
	low_insert(&a->low, account_free(a), w);
	account_figure(a);
}

static void detach(struct watch *w)
{
	if (w->list) {
		list_remove(&w->of_list);
		if (list_empty(&w->list->watches))
			list_remove(&w->list->firing);
		return;
	}
	struct account *a = account_of(w);
	low_remove(&a->low, w);
	account_figure(a);
}

sys_status_t watch_create(struct account *payer, const struct watch_subject *of, const struct watch_target *to)
{
	sys_status_t status;
	struct watch *w = slab_alloc(payer, sizeof *w, PART_WATCH, &status), *old;

	if (!w)
		return status;
	/* COMMIT */
	old = watch_find(of->slot, of->event);
	if (old)
		watch_end(old);
	w->event = (u8)of->event;
	w->slot = of->slot;
	w->object = of->object;
	w->payer = payer;
	w->list = of->list;
	avl_insert(&watches, &w->by_slot, stands_before);
	list_append(&payer->watches, &w->of_account);
	aim(w, to);
	attach(w);
	return SYS_OK;
}

void watch_change(struct watch *w, const struct watch_target *to)
{
	if (to_tell(w))
		tell(w);
	detach(w);
	list_remove(&w->of_ntfn);
	aim(w, to);
	attach(w);
}

void watch_end(struct watch *w)
{
	if (to_tell(w))
		tell(w);
	detach(w);
	avl_remove(&watches, &w->by_slot);
	list_remove(&w->of_ntfn);
	list_remove(&w->of_account);
	slab_free(w, sizeof *w);
}

static bool end(struct watch *w)
{
	if (w)
		watch_end(w);
	return w;
}

bool watch_end_one(struct watch_list *l) { return end(list_first(&l->watches, struct watch, of_list)); }
bool watch_end_first_of_ntfn(struct list *of_ntfn) { return end(list_first(of_ntfn, struct watch, of_ntfn)); }
bool watch_end_first_of_account(struct list *paid) { return end(list_first(paid, struct watch, of_account)); }
bool watch_end_lowest(struct watch_low *low)
{
	struct avl_node *n = avl_first(&low->watches);

	return end(n ? container_of(n, struct watch, by_threshold) : NULL);
}

/* ---- walkers ----------------------------------------------------------------------------------------------------- */
void watch_list_check(const struct watch_list *l)
{
	u64 before = 0;
	bool all_told = true;

	list_each(link, &l->watches) {
		struct watch *w = container_of(link, struct watch, of_list);
		ASSERT(w->list == l && link->next->prev == link && w->seen >= before && w->seen <= l->fired);
		ASSERT(watch_find(w->slot, w->event) == w);
		all_told &= w->seen == l->fired;
		before = w->seen;
	}
	ASSERT(all_told || list_on(&l->firing));
	ASSERT(!list_empty(&l->watches) || !list_on(&l->firing));
}

static bool linked(const struct list *l) { return list_on(l) && l->next->prev == l && l->prev->next == l; }

void watch_check(bool (*names)(const void *slot, const struct object *o))
{
	avl_check(&watches, stands_before, NULL);
	for (struct avl_node *n = avl_first(&watches); n; n = avl_next(n)) {
		struct watch *w = watch_at(n);
		ASSERT(w->part == PART_WATCH && w->event >= SYS_EVENT_ZERO_CHILDREN && w->event <= SYS_EVENT_LOW && w->bits);
		ASSERT((u64)(uintptr_t)w->payer == frame_of(virt_to_phys(w))->list.owner);
		ASSERT(names(w->slot, w->object) && w->ntfn->type == SYS_TYPE_NOTIFICATION);
		ASSERT(linked(&w->of_ntfn) && linked(&w->of_account) && (w->event == SYS_EVENT_LOW) == !w->list);
		ASSERT(!w->list || linked(&w->of_list));
	}
	list_each(l, &watch_firing)
		watch_list_check(container_of(l, struct watch_list, firing));
}
