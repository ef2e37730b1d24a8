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
#include "vm/view.h"
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

/* ---- the trees ---------------------------------------------------------------------------------- */
static u64 key_of(const struct page_wait *w) { return w->state == PAGE_WAIT_JOINED ? w->page : w->first; }

/* Joiners may wait for the same page; requests begin at different ones. */
static bool before(const struct avl_node *a, const struct avl_node *b)
{
	return key_of(wait_of(a)) < key_of(wait_of(b));
}

static struct page_wait *in_space(const struct avl_node *n) { return container_of(n, struct page_wait, in_space); }
static struct page_wait *in_view(const struct avl_node *n) { return container_of(n, struct page_wait, in_view); }

static bool below(const struct avl_node *a, const struct avl_node *b) { return in_space(a)->va < in_space(b)->va; }
static bool earlier(const struct avl_node *a, const struct avl_node *b) { return in_view(a)->page < in_view(b)->page; }

static inline void insert(struct avl_tree *t, struct avl_node *n, avl_order *order)
{
	if (likely(!t->root))
		avl_insert_alone(t, n);
	else
		avl_insert(t, n, order);
}

static inline void take_out(struct avl_tree *t, struct avl_node *n)
{
	if (likely(avl_alone(t, n)))
		avl_remove_alone(t);
	else
		avl_remove(t, n);
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

static void enqueue(struct source *s, struct page_wait *w)
{
	pqueue_insert(&s->pager->queue, &w->queue, w->priority);
	vm_hooks.pager_ready(s->pager);
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

/* Is in the source's trees: the wait begins. */
static sys_status_t begin(struct page_wait *w)
{
	if (w->space)
		insert(&w->space->waits, &w->in_space, below);
	return SYS_ERR_SHOULD_WAIT;
}

/* Is in none of them any more: it ends. */
static void end(struct page_wait *w)
{
	w->state = PAGE_WAIT_IDLE;
	if (w->space)
		take_out(&w->space->waits, &w->in_space);
	if (unlikely(w->through != NULL)) {
		take_out(&w->through->waits, &w->in_view);
		w->through = NULL;
	}
}

static void wake(struct page_wait *w, sys_status_t status)
{
	end(w);
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
		insert(&s->requests, &w->node, before);
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
		vm_hooks.pager_ready(s->pager);
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
	end(w);
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
	insert(&s->joined, &w->node, before);
	return begin(w);
}

/* A request that stood in a record has somebody who waits for it again. */
COLD static sys_status_t take_over(struct source *s, struct request_record *r, struct page_wait *w)
{
	w->state = PAGE_WAIT_DELIVERED;
	w->first = r->first;
	w->count = r->count;
	memcpy(w->arrived, r->arrived, sizeof w->arrived);
	r->count = 0;
	insert(&s->requests, &w->node, before);
	return begin(w);
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
	insert(&s->requests, &w->node, before);
	counters.requests++;
	enqueue(s, w);
	return begin(w);
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
	w->access = unlikely(w->prefetch) ? SYS_ACCESS_PREFETCH : access;
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

COLD static bool answer_all(struct source *s, u64 page, const struct page_ref *ref)
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

bool source_answer_step(struct source *s, u64 page, const struct page_ref *ref)
{
	struct page_wait *w = owner_at(s, page);
	if (unlikely(!w || w->count != 1 || w->state != PAGE_WAIT_DELIVERED || s->joined.root))
		return answer_all(s, page, ref);
	take_out(&s->requests, &w->node);       /* it is all that was asked for */
	answer(w, ref);
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

/* ---- who came on one way --------------------------------------------------------------------------- */
void page_wait_in_view(struct page_wait *w, struct view *view)
{
	w->through = view;
	insert(&view->waits, &w->in_view, earlier);
}

static bool wake_again(struct page_wait *w)
{
	page_wait_cancel(w);
	w->status = SYS_OK;
	vm_hooks.wake(w);
	return false;
}

COLD bool page_wait_unmap_step(struct space *s, vaddr_t low, vaddr_t high)
{
	struct page_wait *found = NULL;
	for (struct avl_node *n = s->waits.root; n;) {
		bool here = in_space(n)->va >= low;
		if (here)
			found = in_space(n);
		n = here ? n->left : n->right;
	}
	return !found || found->va >= high || wake_again(found);
}

COLD bool page_wait_view_step(struct view *view, u64 page)
{
	struct avl_node *last = avl_last(&view->waits);
	return !last || in_view(last)->page < page || wake_again(in_view(last));
}

/* ---- walkers ------------------------------------------------------------------------------------ */
static void check_request(const struct source *s, u64 first, u64 count, const u64 *arrived)
{
	ASSERT(count > 0 && count <= REQUEST_PAGES && first + count <= s->limit && !all_set(arrived, 0, count));
}

void page_wait_check_space(const struct space *s)
{
	avl_check(&s->waits, below, NULL);
	for (struct avl_node *n = avl_first(&s->waits); n; n = avl_next(n))
		ASSERT(in_space(n)->state != PAGE_WAIT_IDLE && in_space(n)->space == s);
}

void page_wait_check_view(const struct view *view)
{
	avl_check(&view->waits, earlier, NULL);
	for (struct avl_node *n = avl_first(&view->waits); n; n = avl_next(n))
		ASSERT(in_view(n)->state != PAGE_WAIT_IDLE && in_view(n)->through == view && in_view(n)->root == view->root);
}

static void check_wait(const struct page_wait *w)
{
	const struct avl_node *a = &w->in_space, *b = &w->in_view;
	while (w->space && a->parent)
		a = a->parent;
	while (w->through && b->parent)
		b = b->parent;
	ASSERT((!w->space || a == w->space->waits.root) && (!w->through || b == w->through->waits.root));
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
		check_wait(w);
		end = w->first + w->count;
	}
	for (struct avl_node *n = avl_first(&s->joined); n; n = avl_next(n)) {
		const struct page_wait *w = wait_of(n), *owner = owner_at(s, w->page);
		ASSERT(w->state == PAGE_WAIT_JOINED && owner && !bit_get(owner->arrived, w->page - owner->first));
		check_wait(w);
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
