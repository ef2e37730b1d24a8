/* SPDX-License-Identifier: BSD-2-Clause */
/* reclaim.c: what an account gives up before a charge fails. Only its own, and nothing that is lost by it:
 *
 *      forks          pages made from zero by an access that still hold nothing but zeros: each is looked at once
 *      discardable    unlocked discardable VMOs, whole, the one that is unlocked for longest first
 *      roots          pages of roots that nobody has written to, oldest first: the pager is asked again for what is needed again
 *
 * Never inside of a charge, whose caller may stand anywhere in a tree: the charge fails and notes its account (account_short); on
 * the way out of the kernel one step is done here and the call or the access made again. All that a step leaves undone stands in
 * the VMO (`hand`, the record of entries being taken away) and in the account, so anybody can go on, or nobody.
 *
 * The clock. A round looks at all pages of an account's roots. A page's age (frame.state) is in rounds: one that has just come,
 * or whose entries were found accessed, is young, others get older by one. A round drops the pages that are at least as old as
 * the oldest one that was seen in the round before; after a DONT_NEED first one for its pages alone. What has just come for somebody who may not have
 * run yet is passed by at least once. If all are accessed all the time that does not protect them for ever (IDLE_FIRM).
 * Lock: the kernel lock.
 */
#include "vm/reclaim.h"
#include "lib/assert.h"
#include "lib/counters.h"
#include "lib/words.h"
#include "vm/pagemap.h"
#include "vm/source.h"
#include "vm/space.h"

paddr_t reclaim_leaves;

#define STEP_WORK   16u                 /* pages and VMOs looked at */
#define ZERO_WORK   8u                  /* reading a page, in the same units */
#define HARVEST_MAX 16u                 /* mappings asked whether they accessed a page; with more it counts as accessed */
#define IDLE_FIRM   4u                  /* rounds that dropped nothing, after which being accessed protects no page */
#define IDLE_END    8u                  /* and after which there is nothing to drop */

/* ---- what can be had again ---------------------------------------------------------------------- */
static void count_in(struct vmo *v, u64 *count)
{
	*v->tree.counted -= v->tree.charged;
	*count += v->tree.charged;
	v->tree.counted = count;
}

void reclaim_offer(struct vmo *v, struct cache *cache)
{
	list_remove(&v->reclaim);
	list_append(&cache->contents, &v->reclaim);
	count_in(v, &cache->frames);
}

void reclaim_withdraw(struct vmo *v)
{
	list_remove(&v->reclaim);
	count_in(v, &v->object.account->uncached);
}

static struct vmo *first_of(const struct list *l) { return list_first(l, struct vmo, reclaim); }

static void to_the_end(struct list *contents, struct vmo *v)
{
	list_remove(&v->reclaim);
	list_append(contents, &v->reclaim);
}

/* ---- pages -------------------------------------------------------------------------------------- */
/* The clean page of v's own at its hand, or NULL: there is none, and the hand has moved on. */
static struct frame *page_at_hand(struct vmo *v, u64 end)
{
	u64 row;
	bool own;
	v->hand = tree_next(&v->tree, v->hand, end);
	if (v->hand >= end)
		return NULL;
	const tree_slot_t *slot = tree_slots(&v->tree, v->hand, &row, &own);
	if (!slot || tree_tag(*slot) != TREE_PAGE) {
		v->hand += MIN(end - v->hand, tree_span(&v->tree, v->hand));
		return NULL;
	}
	struct frame *f = frame_of(tree_frame(*slot));
	if (own && f->refs == 1)
		return f;
	v->hand++;
	return NULL;
}

/* No entry shows the page at the hand, which is f. */
static bool hidden(struct vmo *v, const struct frame *f)
{
	return f->page.mapped == 0 || mapping_unmap_step(v, v->hand, v->hand + 1);
}

/* The page at the hand, which nothing shows, goes: in one step, since no other tree reaches it. */
static void drop(struct vmo *v)
{
	u64 page = v->hand;
	if (v->view)
		tree_zero_step(&v->tree, &page, page + 1, TREE_CLEAN);  /* a hole would show the root's */
	else
		tree_remove_step(&v->tree, page, page + 1);
}

/* ---- zeros -------------------------------------------------------------------------------------- */
static bool is_zero(const struct frame *f) { return words_zero(phys_to_virt(frame_addr(f)), 0, PAGE_SIZE_ / 8) == PAGE_SIZE_ / 8; }

static void forks_step(struct vmo *v)
{
	u64 end = v->source || v->cache_policy || v->info_flags & VMO_KEPT ? 0 : vmo_pages(v);
	for (unsigned work = 0; work < STEP_WORK && v->hand < end; work++) {
		struct frame *f = page_at_hand(v, end);
		if (!f)
			continue;
		if (f->state & FRAME_ZERO_FORK) {
			work += ZERO_WORK;
			if (is_zero(f) && !hidden(v, f))
				return;
			f->state &= (u16)~FRAME_ZERO_FORK;
			if (is_zero(f))         /* still, now that nobody writes to it */
				drop(v);
		}
		v->hand++;
	}
	if (v->hand < end)
		return;
	v->hand = 0;
	list_remove(&v->reclaim);
}

/* ---- discardable -------------------------------------------------------------------------------- */
static void discard_step(struct cache *cache)
{
	for (unsigned work = 0; work < STEP_WORK; work++) {
		struct vmo *v = first_of(&cache->contents);
		if (v && v->info_flags & VMO_KEPT) {
			reclaim_withdraw(v);            /* until it is unlocked again */
		} else if (v && v->tree.charged) {
			vmo_discard_step(v);
			return;
		} else if (v) {
			to_the_end(&cache->contents, v);
		}
	}
}

/* ---- pages of roots ----------------------------------------------------------------------------- */
/* Did a program access the page at the hand since it was last looked at? */
static bool accessed(const struct vmo *v, const struct frame *f)
{
	u64 byte = v->hand << PAGE_SHIFT;
	bool was = false;
	unsigned n = 0;
	if (f->page.mapped == 0)
		return false;
	for (struct interval *i = interval_first_in(&v->mappings, byte, byte); i && i->first <= byte; i = interval_next(i)) {
		const struct region *r = &i->mapping->region;
		if (++n > HARVEST_MAX)
			return true;
		if (i->last >= byte)
			was |= pt_harvest(r->parent->space->root, r->base + (byte - i->first), frame_addr(f));
	}
	return was;
}

/* May this page of a root go? Else it has its new age. */
static bool old_enough(struct account *a, const struct vmo *v, struct frame *f, paddr_t leaves)
{
	unsigned age = f->state & FRAME_AGE;
	bool used = accessed(v, f), firm = (used || f->state & FRAME_HELD) && a->round.idle < IDLE_FIRM;
	if (f->state & (FRAME_GUARDED | FRAME_WRITTEN) || frame_addr(f) == leaves ||
	    source_awaits(v->source, v->hand))
		return false;
	if (age >= a->round.oldest && !firm)
		return true;
	age = firm ? 0 : age + 1;       /* it is below `oldest` */
	f->state = (u16)((f->state & ~(FRAME_AGE | (used ? FRAME_HELD : 0))) | age);
	a->round.held |= firm && !used;
	a->round.seen = (u8)MAX(a->round.seen, age);
	return false;
}

/* All roots were looked at. False: several times, and nothing could go. */
static bool next_round(struct account *a)
{
	a->round.number++;
	a->round.oldest = MAX(a->round.seen, 1);
	a->round.seen = 0;
	if (++a->round.idle < IDLE_END)
		return true;
	a->round.idle = 0;
	return false;
}

void reclaim_oldest_first(struct vmo *v)
{
	struct account *a = v->object.account;
	a->round.number++;              /* a round of its own, which looks at all of v */
	a->round.oldest = FRAME_OLDEST;
	v->hand = 0;
}

static bool roots_step(struct account *a, paddr_t leaves)
{
	struct vmo *v = first_of(&a->roots.contents);
	if (v->round == a->round.number)
		return next_round(a);
	u64 end = !v->source->pager->dead ? MIN(v->source->limit, vmo_pages(v)) : 0;
	for (unsigned work = 0; work < STEP_WORK && v->hand < end; work++) {
		struct frame *f = page_at_hand(v, end);
		if (!f)
			continue;
		if (old_enough(a, v, f, leaves)) {
			if (!hidden(v, f))
				return true;
			if (f->state & FRAME_WRITTEN)   /* its entries said so */
				continue;
			drop(v);
			counters.evictions++;
			a->round.idle = 0;
			return true;            /* not one more than is needed */
		}
		v->hand++;
	}
	if (v->hand < end)
		return true;
	v->hand = 0;
	v->round = a->round.number;
	to_the_end(&a->roots.contents, v);
	return true;
}

bool reclaim_spares(struct account *a)
{
	if (account_short != a || !a->round.held || a->round.idle < IDLE_FIRM)
		return false;
	a->round.held = false;
	if (!++a->round.spared)
		return false;
	account_short = NULL;
	a->round.idle = 0;
	return true;
}

/* ------------------------------------------------------------------------------------------------- */
sys_status_t reclaim_step(void)
{
	struct account *a = account_short;
	paddr_t leaves = reclaim_leaves;
	account_short = NULL;
	reclaim_leaves = 0;
	if (!a)
		return SYS_ERR_NO_MEMORY;
	if (!list_empty(&a->forks))
		forks_step(first_of(&a->forks));
	else if (a->discardable.frames)
		discard_step(&a->discardable);
	else if (!a->roots.frames || !roots_step(a, leaves))
		return SYS_ERR_NO_MEMORY;
	return VM_AGAIN;
}

void reclaim_check(const struct vmo *v)
{
	const struct account *a = v->object.account;
	const u64 *counted = v->tree.counted;
	ASSERT(counted == &a->uncached || (list_on(&v->reclaim) && !object_dying(&v->object)));
	ASSERT(counted == &a->uncached || counted == (v->source ? &a->roots.frames : &a->discardable.frames));
	if (v->options & SYS_VMO_DISCARDABLE && counted != &a->uncached)
		ASSERT(v->locks == 0);
}
