/* SPDX-License-Identifier: BSD-2-Clause */
/* low.c: watches of accounts that run low. See watch.h. Lock: the kernel lock.
 *
 * A watch is quiet while free >= threshold and comes true when free falls below it. Which ones are true follows from
 * the free frames at the last look alone, so a fall from f to g makes those with thresholds in (g, f] come true and
 * touches none of them: they are noted as one interval, and told one by one from its top. Another fall before all are
 * told widens the interval. If free rose in between, and fell not as far as it rose, thresholds between two intervals
 * are told too: nobody can tell that from a fall and a rise just before.
 */
#include "lib/assert.h"
#include "mem/account.h"

static struct watch *watch_at(const struct avl_node *n) { return n ? container_of(n, struct watch, by_threshold) : NULL; }

/* The order of the tree: by threshold, then address. */
static bool precedes(const struct watch *w, u64 threshold, uintptr_t at)
{
	return w->threshold != threshold ? w->threshold < threshold : (uintptr_t)w < at;
}

/* The last one before that place, or NULL. */
static struct watch *last_before(const struct watch_low *low, u64 threshold, uintptr_t at)
{
	struct watch *best = NULL;

	for (struct avl_node *n = low->watches.root; n;) {
		bool before = precedes(watch_at(n), threshold, at);
		if (before)
			best = watch_at(n);
		n = before ? n->right : n->left;
	}
	return best;
}

/* They are to be told from the top of [from, before). */
static void note(struct watch_low *low, u64 from, u64 before)
{
	bool more = list_on(&low->firing);

	if (!more)
		list_append(&watch_firing_low, &low->firing);
	low->from = more ? MIN(low->from, from) : from;
	if (!more || before > low->before) {
		low->before = before;
		low->at = 0;
	}
	watch_hooks.fired();
}

void low_look(struct watch_low *low, u64 free, u64 *quiet, u64 *passed)
{
	const struct watch *below = last_before(low, free + 1, 0), *above;

	above = watch_at(below ? avl_next(&below->by_threshold) : avl_first(&low->watches));
	if (above && above->threshold <= low->free)
		note(low, above->threshold, low->free + 1);
	low->free = free;
	*quiet = below ? below->threshold : 0;
	*passed = above ? above->threshold : UINT64_MAX;
}

static bool stands_before(const struct avl_node *a, const struct avl_node *b)
{
	return precedes(watch_at(a), watch_at(b)->threshold, (uintptr_t)watch_at(b));
}

void low_insert(struct watch_low *low, u64 free, struct watch *w)
{
	if (!low->watches.root)
		low->free = free;
	avl_insert(&low->watches, &w->by_threshold, stands_before);
}

void low_remove(struct watch_low *low, struct watch *w)
{
	avl_remove(&low->watches, &w->by_threshold);
	if (!low->watches.root)
		list_remove(&low->firing);
}

bool low_to_tell(const struct watch_low *low, const struct watch *w)
{
	return list_on(&low->firing) && w->threshold >= low->from && precedes(w, low->before, low->at);
}

struct watch *low_next(struct watch_low *low)
{
	struct watch *w = last_before(low, low->before, low->at);

	if (!w || w->threshold < low->from) {
		list_remove(&low->firing);
		return NULL;
	}
	low->before = w->threshold;
	low->at = (uintptr_t)w;
	return w;
}

/* No threshold lies between what was free at the last look and what is free. */
void low_check(const struct watch_low *low, u64 free)
{
	avl_check(&low->watches, stands_before, NULL);
	for (struct avl_node *n = avl_first(&low->watches); n; n = avl_next(n)) {
		const struct watch *w = watch_at(n);
		ASSERT(!w->list && w->event == SYS_EVENT_LOW);
		ASSERT((free < w->threshold) == (low->free < w->threshold));
	}
}
