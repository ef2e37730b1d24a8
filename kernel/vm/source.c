/* SPDX-License-Identifier: BSD-2-Clause */
/* source.c: the requests in flight of one root (source.h says how they live). Nothing is allocated here: a request is
 * in the page_wait of its owner, a thread that waits for one of its pages.
 *
 *     requests (by first)       [0 ..... 63]            [100 .. 131]      [512 ...]     never overlapping
 *                                ^ owner A, waits        ^ owner B         ^ owner C
 *     joined (by page)             j(3) j(40) j(40)                          j(600)
 *     record[]                             [64 .. 99]          delivered, but nobody waits
 *
 * A joiner stands at a page that some owner's request holds and that is not answered.
 * An owner always waits for a page of its own request that is not answered. When that page is answered the owner is
 * woken, and what is left of the request finds another owner among the joiners in it, or a record. A bitmap says which
 * pages are answered, so answers may come in any order and more than once. A page that was answered and is needed again
 * (it failed, or it left) is cut out of the old request, and asked for anew. Cost: O(log n) for a page, and the waiters
 * that are woken.
 * Lock: the kernel lock.
 */
#include "lib/assert.h"
#include "lib/counters.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "vm/cursor.h"
#include "vm/source.h"
#include "vm/vmar.h"

struct vm_hooks vm_hooks;

static struct page_wait *wait_of(const struct avl_node *n) { return n ? container_of(n, struct page_wait, node) : NULL; }

/* ---- bitmaps ------------------------------------------------------------------------------------ */
static bool bit_get(const u64 *bits, u64 i) { return bits[i / 64] >> i % 64 & 1; }
static void bit_set(u64 *bits, u64 i) { bits[i / 64] |= 1ull << i % 64; }

static bool all_set(const u64 *bits, u64 first, u64 end)
{
	while (first < end && bit_get(bits, first))
		first++;
	return first >= end;
}

/* Bit n becomes bit 0. */
static void shift_down(u64 *bits, u64 n)
{
	for (u64 i = 0; i < REQUEST_PAGES / 64; i++) {
		u64 from = i + n / 64;
		u64 low = from < REQUEST_PAGES / 64 ? bits[from] : 0;
		u64 high = from + 1 < REQUEST_PAGES / 64 ? bits[from + 1] : 0;
		bits[i] = n % 64 ? low >> n % 64 | high << (64 - n % 64) : low;
	}
}

/* ---- the two trees ------------------------------------------------------------------------------ */
static u64 key_of(const struct page_wait *w) { return w->state == PAGE_WAIT_JOINED ? w->page : w->first; }

/* Joiners may wait for the same page; requests begin at different ones. */
static bool before(const struct avl_node *a, const struct avl_node *b)
{
	return key_of(wait_of(a)) < key_of(wait_of(b));
}

static void insert(struct avl_tree *t, struct page_wait *w)
{
	if (likely(!t->root))
		avl_insert_alone(t, &w->node);
	else
		avl_insert(t, &w->node, before);
}

static inline void take_out(struct avl_tree *t, struct page_wait *w)
{
	if (likely(avl_alone(t, &w->node)))
		avl_remove_alone(t);
	else
		avl_remove(t, &w->node);
}

/* The first whose key is not below `key`. */
static struct page_wait *first_from(const struct avl_tree *t, u64 key)
{
	struct page_wait *found = NULL;
	for (struct avl_node *n = t->root; n;) {
		bool here = key_of(wait_of(n)) >= key;
		if (here)
			found = wait_of(n);
		n = here ? n->left : n->right;
	}
	return found;
}

/* The owner whose request holds `page`, or NULL. */
static struct page_wait *owner_at(const struct source *s, u64 page)
{
	struct page_wait *found = NULL;
	for (struct avl_node *n = s->requests.root; n;) {
		bool here = wait_of(n)->first <= page;
		if (here)
			found = wait_of(n);
		n = here ? n->right : n->left;
	}
	return found && page - found->first < found->count ? found : NULL;
}

static struct page_wait *joiner_in(const struct source *s, u64 page, u64 end)
{
	struct page_wait *w = first_from(&s->joined, page);
	return w && w->page < end ? w : NULL;
}

static struct request_record *record_at(struct source *s, u64 page)
{
	if (!s->recorded)
		return NULL;
	for (unsigned i = 0; i < SOURCE_RECORDS; i++)
		if (page - s->record[i].first < s->record[i].count)
			return &s->record[i];
	return NULL;
}

/* Where the first request behind `page` begins, at most `end`. */
static u64 next_request(const struct source *s, u64 page, u64 end)
{
	struct page_wait *w = first_from(&s->requests, page);
	if (w)
		end = MIN(end, w->first);
	for (unsigned i = 0; i < SOURCE_RECORDS; i++)
		if (s->record[i].count && s->record[i].first >= page)
			end = MIN(end, s->record[i].first);
	return end;
}

/* ---- waiting and waking ------------------------------------------------------------------------- */
void page_wait_init(struct page_wait *w)
{
	*w = (struct page_wait){ .state = PAGE_WAIT_IDLE };
	pqueue_node_init(&w->queue);
}

static void tell_pager(struct source *s)
{
	if (s->pager)
		vm_hooks.pager_ready(s->pager);
}

static void enqueue(struct source *s, struct page_wait *w)
{
	pqueue_insert(&s->pager->queue, &w->queue, w->priority);
	tell_pager(s);
}

COLD void page_wait_set_priority(struct page_wait *w, u8 priority)
{
	struct source *s = w->state == PAGE_WAIT_QUEUED ? w->root->source : NULL;

	w->priority = priority;
	if (!s)
		return;
	pqueue_remove(&w->queue);
	enqueue(s, w);
}

/* Is on nothing any more: ends the wait. */
static void wake(struct page_wait *w, sys_status_t status)
{
	w->state = PAGE_WAIT_IDLE;
	w->status = status;
	vm_hooks.wake(w);
}

static void wake_joiner(struct source *s, struct page_wait *w, sys_status_t status)
{
	avl_remove(&s->joined, &w->node);
	wake(w, status);
}

/* A request, or a part of one, loses its owner: unless it is answered, a joiner takes it over; else, if the pager has
 * it already, a record. */
COLD static void pass_on(struct source *s, enum page_wait_state state, u64 first, u64 count, const u64 *arrived)
{
	if (all_set(arrived, 0, count))
		return;
	struct page_wait *w = joiner_in(s, first, first + count);
	if (w) {
		avl_remove(&s->joined, &w->node);
		w->state = state;
		w->first = first;
		w->count = count;
		memcpy(w->arrived, arrived, sizeof w->arrived);
		insert(&s->requests, w);
		if (state == PAGE_WAIT_QUEUED)
			enqueue(s, w);
		return;
	}
	for (unsigned i = 0; state == PAGE_WAIT_DELIVERED && i < SOURCE_RECORDS; i++) {
		struct request_record *r = &s->record[i];
		if (r->count)
			continue;
		s->recorded = true;
		r->first = first;
		r->count = count;
		memcpy(r->arrived, arrived, sizeof r->arrived);
		return;
	}
}

/* Takes an owner out; its request lives on as far as it is not answered. The caller ends the wait. */
COLD static void leave(struct source *s, struct page_wait *w)
{
	avl_remove(&s->requests, &w->node);
	if (w->state == PAGE_WAIT_QUEUED) {
		pqueue_remove(&w->queue);
		tell_pager(s);
	}
	pass_on(s, w->state, w->first, w->count, w->arrived);
}

COLD void page_wait_cancel(struct page_wait *w)
{
	if (w->state == PAGE_WAIT_IDLE)
		return;
	struct source *s = w->root->source;
	if (w->state == PAGE_WAIT_JOINED)
		avl_remove(&s->joined, &w->node);
	else
		leave(s, w);
	w->state = PAGE_WAIT_IDLE;
}

/* ---- asking ------------------------------------------------------------------------------------- */
/* The owner's request becomes [first, first + count), a part of what it was. */
static void narrow(struct page_wait *w, u64 first, u64 count)
{
	shift_down(w->arrived, first - w->first);       /* its place among the requests stays the same */
	w->first = first;
	w->count = count;
}

/* Takes the part [first, end) away from an owner that waits elsewhere in its request. */
COLD static void give_part(struct source *s, const struct page_wait *was, u64 first, u64 end)
{
	u64 arrived[REQUEST_PAGES / 64];
	if (first >= end)
		return;
	memcpy(arrived, was->arrived, sizeof arrived);
	shift_down(arrived, first - was->first);
	pass_on(s, was->state, first, end - first, arrived);
}

/* Cuts an answered page out of a request, so that it can be asked for anew. */
COLD static void cut(struct source *s, struct page_wait *w, u64 page)
{
	struct page_wait was = *w;
	u64 end = w->first + w->count;
	if (w->page > page) {
		narrow(w, page + 1, end - page - 1);
		give_part(s, &was, was.first, page);
	} else {
		narrow(w, w->first, page - w->first);
		give_part(s, &was, page + 1, end);
	}
}

/* The same for a record. */
COLD static void cut_record(struct source *s, struct request_record *r, u64 page)
{
	struct page_wait was = { .state = PAGE_WAIT_DELIVERED, .first = r->first, .count = r->count };
	memcpy(was.arrived, r->arrived, sizeof was.arrived);
	r->count = 0;
	give_part(s, &was, was.first, page);
	give_part(s, &was, page + 1, was.first + was.count);
}

COLD static sys_status_t join(struct source *s, struct page_wait *w)
{
	w->state = PAGE_WAIT_JOINED;
	insert(&s->joined, w);
	return SYS_ERR_SHOULD_WAIT;
}

/* A request that stood in a record has somebody who waits for it again. */
COLD static sys_status_t take_over(struct source *s, struct request_record *r, struct page_wait *w)
{
	w->state = PAGE_WAIT_DELIVERED;
	w->first = r->first;
	w->count = r->count;
	memcpy(w->arrived, r->arrived, sizeof w->arrived);
	r->count = 0;
	insert(&s->requests, w);
	return SYS_ERR_SHOULD_WAIT;
}

/* Where a request for `run` pages from `page` on ends. That page is missing and in no request: only for more than it is
 * anything looked at. */
static u64 run_end(const struct source *s, u64 page, u64 run)
{
	if (run <= 1)
		return page + 1;
	u64 end = MIN(page + MIN(run, REQUEST_PAGES), MIN(s->limit, s->root->size >> PAGE_SHIFT));
	return next_request(s, page, tree_next(&s->root->tree, page, end));
}

static sys_status_t ask(struct source *s, u64 page, u64 run, struct page_wait *w)
{
	u64 end = run_end(s, page, run);
	w->state = PAGE_WAIT_QUEUED;
	w->first = page;
	w->count = end - page;
	for (u64 i = 0; i < w->count; i += 64)          /* what is behind the request is never looked at */
		w->arrived[i / 64] = 0;
	insert(&s->requests, w);
	counters.requests++;
	enqueue(s, w);
	return SYS_ERR_SHOULD_WAIT;
}

sys_status_t source_request(struct source *s, u64 page, u64 run, u8 access, struct page_wait *w)
{
	struct page_wait *owner;
	struct request_record *r;
	if (!s->pager || s->pager->dead)
		return SYS_ERR_BAD_STATE;
	ASSERT(w->state == PAGE_WAIT_IDLE);
	if (unlikely(w->poll))
		return SYS_ERR_SHOULD_WAIT;
	w->came = false;
	w->root = s->root;
	w->page = page;
	w->access = access;
	w->status = SYS_OK;
	owner = owner_at(s, page);
	if (owner && !bit_get(owner->arrived, page - owner->first))
		return join(s, w);
	if (owner)
		cut(s, owner, page);
	r = record_at(s, page);
	if (r && !bit_get(r->arrived, page - r->first))
		return take_over(s, r, w);
	if (r)
		cut_record(s, r, page);
	return ask(s, page, run, w);
}

/* ---- answering ---------------------------------------------------------------------------------- */
static void answer(struct page_wait *w, const struct page_ref *ref)
{
	if (w->space)
		vm_fault_finish(w, ref);
	w->came = true;
	wake(w, SYS_OK);
}

COLD static void answer_record(struct source *s, u64 page)
{
	struct request_record *r = record_at(s, page);
	if (!r)
		return;
	bit_set(r->arrived, page - r->first);
	if (all_set(r->arrived, 0, r->count))
		r->count = 0;
}

bool source_answer_step(struct source *s, u64 page, const struct page_ref *ref)
{
	struct page_wait *w;
	unsigned n = 0;
	for (; (w = joiner_in(s, page, page + 1)) != NULL; n++) {
		if (n == SOURCE_STEP)
			return false;
		avl_remove(&s->joined, &w->node);
		answer(w, ref);
	}
	w = owner_at(s, page);
	if (likely(w && w->count == 1 && w->state == PAGE_WAIT_DELIVERED)) {    /* all that it asked for */
		take_out(&s->requests, w);
		answer(w, ref);
		return true;
	}
	if (w)
		bit_set(w->arrived, page - w->first);
	else
		answer_record(s, page);
	if (w && w->page == page) {
		leave(s, w);
		answer(w, ref);
	} else if (n == 0) {
		frame_of(ref->frame)->state &= (u16)~FRAME_HELD;        /* frame 0 is nobody's */
	}
	return true;
}

bool source_awaits(const struct source *s, u64 page)
{
	const struct page_wait *w = owner_at(s, page);
	return (w && w->page == page) || joiner_in(s, page, page + 1);
}

static void mark(u64 *arrived, u64 first, u64 count, u64 page, u64 end)
{
	for (u64 i = MAX(first, page); i < MIN(first + count, end); i++)
		bit_set(arrived, i - first);
}

/* Wakes the first owner that waits for a page of the range. All of a request that lies in the range is answered; one
 * that meets only its edge may have an owner that waits for a page outside, and goes on waiting: there are at most two
 * of those. True: none is left. */
COLD static bool fail_owners(struct source *s, u64 page, u64 end, sys_status_t status)
{
	struct page_wait *w = owner_at(s, page);
	for (w = w ? w : first_from(&s->requests, page); w && w->first < end; w = wait_of(avl_next(&w->node))) {
		mark(w->arrived, w->first, w->count, page, end);
		if (w->page < page || w->page >= end)
			continue;
		leave(s, w);
		wake(w, status);
		return false;
	}
	return true;
}

COLD bool source_fail_step(struct source *s, u64 page, u64 end, sys_status_t status)
{
	struct page_wait *w;
	for (unsigned n = 0; (w = joiner_in(s, page, end)) != NULL; n++) {
		if (n == SOURCE_STEP)
			return false;
		wake_joiner(s, w, status);
	}
	if (!fail_owners(s, page, end, status))
		return false;
	for (struct request_record *r = s->record; r < s->record + SOURCE_RECORDS; r++) {
		if (!r->count)
			continue;
		mark(r->arrived, r->first, r->count, page, end);
		if (all_set(r->arrived, 0, r->count))
			r->count = 0;
	}
	return true;
}

/* ---- ends --------------------------------------------------------------------------------------- */
/* The request loses its pages from `pages` on. */
COLD static void shorten(struct source *s, struct page_wait *w, u64 pages, sys_status_t status)
{
	if (w->page < pages) {
		narrow(w, w->first, pages - w->first);
		return;
	}
	w->count = pages > w->first ? pages - w->first : 0;
	leave(s, w);
	wake(w, status);
}

/* Ends the waits for what is wholly behind; a bounded number. True: all. */
COLD static bool end_behind(struct source *s, u64 pages, sys_status_t status)
{
	struct page_wait *w;
	unsigned n = 0;
	for (; (w = first_from(&s->joined, pages)) != NULL; n++) {
		if (n == SOURCE_STEP)
			return false;
		wake_joiner(s, w, status);
	}
	for (; (w = first_from(&s->requests, pages)) != NULL; n++) {
		if (n == SOURCE_STEP)
			return false;
		shorten(s, w, pages, status);
	}
	return true;
}

COLD bool source_shrink_step(struct source *s, u64 pages)
{
	s->limit = MIN(s->limit, pages);
	if (!end_behind(s, pages, SYS_OK))
		return false;
	struct page_wait *w = pages ? owner_at(s, pages - 1) : NULL;
	if (w)
		shorten(s, w, pages, SYS_OK);
	for (struct request_record *r = s->record; r < s->record + SOURCE_RECORDS; r++) {
		r->count = pages > r->first ? MIN(r->count, pages - r->first) : 0;
		if (all_set(r->arrived, 0, r->count))
			r->count = 0;
	}
	return true;
}

COLD bool source_end_step(struct source *s, sys_status_t status)
{
	memset(s->record, 0, sizeof s->record);
	return end_behind(s, 0, status);
}

COLD void source_free(struct source *s)
{
	ASSERT(!s->requests.root && !s->joined.root);
	list_remove(&s->link);
	s->root->source = NULL;
	slab_free(s, sizeof *s);
}

/* On which way a waiter came: through a view, or (NULL) through addresses of a space. */
struct way { const struct view *view; const struct space *space; vaddr_t low, high; };

static bool came(const struct page_wait *w, const struct way *way)
{
	if (way->view)
		return w->through == way->view;
	return w->space == way->space && w->va >= way->low && w->va < way->high;
}

/* Who is woken is gone from the tree, so the next step finds the next. An owner's page may lie anywhere in its
 * request. */
static struct page_wait *who_came(const struct source *s, u64 page, u64 end, const struct way *way)
{
	struct page_wait *w = joiner_in(s, page, end);
	for (; w && w->page < end; w = wait_of(avl_next(&w->node)))
		if (came(w, way))
			return w;
	w = owner_at(s, page);
	if (!w)
		w = first_from(&s->requests, page);
	for (; w && w->first < end; w = wait_of(avl_next(&w->node)))
		if (came(w, way))
			return w;
	return NULL;
}

COLD static bool wake_step(struct source *s, u64 page, u64 end, const struct way *way)
{
	struct page_wait *w = who_came(s, page, end, way);
	if (!w)
		return true;
	page_wait_cancel(w);
	w->through = NULL;
	wake(w, SYS_OK);
	return false;
}

bool source_unmap_step(struct source *s, u64 page, u64 end, const struct space *space, vaddr_t low, vaddr_t high)
{
	return wake_step(s, page, end, &(struct way){ .space = space, .low = low, .high = high });
}

bool source_view_step(struct source *s, u64 page, const struct view *view)
{
	return wake_step(s, page, UINT64_MAX, &(struct way){ .view = view });
}

/* ---- walkers ------------------------------------------------------------------------------------ */
static void check_request(const struct source *s, u64 first, u64 count, const u64 *arrived)
{
	ASSERT(count > 0 && count <= REQUEST_PAGES && first + count <= s->limit && !all_set(arrived, 0, count));
}

void source_check(const struct source *s)
{
	u64 end = 0;
	ASSERT(s->part == PART_SOURCE && s->root->source == s && list_on(&s->link) == (s->pager != NULL));
	avl_check(&s->joined, before, NULL);
	avl_check(&s->requests, before, NULL);
	for (struct avl_node *n = avl_first(&s->requests); n; n = avl_next(n)) {
		const struct page_wait *w = wait_of(n);
		ASSERT(w->root == s->root && (w->state == PAGE_WAIT_QUEUED || w->state == PAGE_WAIT_DELIVERED));
		ASSERT(pqueue_on(&w->queue) == (w->state == PAGE_WAIT_QUEUED));
		ASSERT(w->first >= end && w->page >= w->first && w->page - w->first < w->count);
		ASSERT(!bit_get(w->arrived, w->page - w->first));
		check_request(s, w->first, w->count, w->arrived);
		end = w->first + w->count;
	}
	for (struct avl_node *n = avl_first(&s->joined); n; n = avl_next(n)) {
		const struct page_wait *w = wait_of(n), *owner = owner_at(s, w->page);
		ASSERT(w->state == PAGE_WAIT_JOINED && owner && !bit_get(owner->arrived, w->page - owner->first));
	}
	for (unsigned i = 0; i < SOURCE_RECORDS; i++) {
		const struct request_record *r = &s->record[i];
		if (!r->count)
			continue;
		check_request(s, r->first, r->count, r->arrived);
		ASSERT(!owner_at(s, r->first));
		ASSERT(next_request(s, r->first + 1, r->first + r->count) == r->first + r->count);
	}
}
