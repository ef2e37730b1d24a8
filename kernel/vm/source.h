/* SPDX-License-Identifier: BSD-2-Clause */
/* source.h: page sources and pagers (docs/architecture.md, docs/abi.md "Pagers").
 *
 * A source stands behind a root VMO and keeps the requests in flight, by range, never overlapping; each lives in the
 * page_wait of a thread that waits for one of its pages (its owner), or, when nobody waits for any of it, in one of the
 * source's few records. Who needs a page that is asked for already joins; joiners stand in a tree by page.
 * A pager has a queue of undelivered requests by priority, then age (and later COMPLETE of VMO headers), and is itself
 * one entry on its endpoint while that queue is not empty (the layer above does that: pager_ready hook, `above`).
 * Lock: the kernel lock.
 *
 * Life of a request: QUEUED -> (received) DELIVERED -> answered page by page (supply: page there; fail: status) ->
 * every waiter whose next page was answered is woken at once, even when the rest of the request is outstanding; the
 * rest passes to a joiner, or into a record, so that it is not sent again. An owner that goes: passed on in the same way,
 * but one that is undelivered and has no joiner is withdrawn. When all records are in use a request is forgotten: at
 * worst its pages are asked for twice.
 */
#pragma once
#include "vm/window.h"

struct page_ref;
struct pager {
	struct object object;
	struct pqueue queue;            /* page_wait.queue of undelivered requests */
	struct list roots;              /* sources that it serves */
	bool dead;                      /* its endpoint is gone, or it is dying: misses give BAD_STATE */
	/* For the layer above (ipc): its place on its endpoint. vm only stores them. */
	struct pqueue_node above;       /* in the endpoint's queue of senders */
	struct list endpoint_link;      /* in the endpoint's list of bound pagers */
	void *endpoint;                 /* NULL: gone */
	struct pqueue receivers;        /* threads in pager_recv */
	u64 badge;
};
extern const struct object_type pager_type;

#define SOURCE_RECORDS 4u
struct request_record {                 /* a delivered request that nobody waits for now */
	u64 first, count;               /* count 0: unused */
	u64 arrived[REQUEST_PAGES / 64];
};

struct source {                         /* a part of a root: PART in the slab of the VMO's account, made with it */
	u8 part;                        /* PART_SOURCE */
	struct vmo *root;
	struct pager *pager;            /* NULL: detached or dead: misses give BAD_STATE */
	struct list link;               /* in pager->roots */
	u64 key;
	u64 limit;                      /* the root grew by the pages from here on: known zero, not the pager's */
	struct avl_tree requests;       /* page_wait.node of owners, by first */
	struct avl_tree joined;         /* page_wait.node of joiners, by page */
	struct request_record record[SOURCE_RECORDS];
	bool recorded;                  /* one of them was used before */
	struct watch_list watches;      /* DETACHED */
};

sys_status_t pager_create(struct account *a, u64 badge, struct pager **out);
/* Options: RESIZABLE, UNBOUNDED; TRAP_DIRTY: NOT_SUPPORTED until its issue; others INVALID_ARGS. */
sys_status_t pager_create_vmo(struct pager *p, struct account *a, u32 options, u64 key, u64 size, struct vmo **out);
/* Moves or copies pages from aux; *done (in/out) bytes already handled, *fresh (in/out) bytes that were new: kept by
 * the caller over VM_AGAIN. Finishes the faults of waiters and wakes them. INVALID_ARGS (alignment; v is not this
 * pager's own root), OUT_OF_RANGE, NOT_SUPPORTED (aux has a source), BAD_STATE (detached), NO_MEMORY. */
sys_status_t pager_supply(struct pager *p, struct vmo *v, u64 offset, u64 len, struct vmo *aux, u64 aux_offset,
                          u64 *done, u64 *fresh);
/* FAIL; other ops NOT_SUPPORTED until their issue, unknown too. VM_AGAIN: some waiters are woken, make the
 * same call again. */
sys_status_t pager_op_range(struct pager *p, u32 op, struct vmo *v, u64 offset, u64 len, i64 data);
/* v is this pager's own root. One without a pager was somebody's, perhaps this one's: BAD_STATE. INVALID_ARGS (also:
 * parts of pages), OUT_OF_RANGE. */
static inline sys_status_t pager_root(const struct pager *p, struct vmo *v, u64 offset, u64 len)
{
	const struct source *s = v->source;
	if (!page_aligned(offset | len) || !(s ? s->pager == p || !s->pager : v->info_flags & SYS_VMO_INFO_PAGER_BACKED))
		return SYS_ERR_INVALID_ARGS;
	sys_status_t status = vmo_resolve(&v, &offset, len);
	return status != SYS_OK || likely(s && s->pager == p && !p->dead) ? status : SYS_ERR_BAD_STATE;
}
/* The first request in the queue, which is not empty. */
static inline struct page_wait *pager_first(const struct pager *p)
{
	return container_of(pqueue_first(&p->queue), struct page_wait, queue);
}
/* Takes it off: it is DELIVERED now. */
static inline struct page_wait *pager_take(struct pager *p)
{
	struct page_wait *w = pager_first(p);
	pqueue_remove(&w->queue);
	w->state = PAGE_WAIT_DELIVERED;
	return w;
}
/* What it asks for. */
static inline sys_pager_request_t page_request(const struct page_wait *w)
{
	return (sys_pager_request_t){
		.type = 0, .access = w->access, .key = w->root->source->key,
		.offset = w->first << PAGE_SHIFT, .length = w->count << PAGE_SHIFT,
	};
}
/* Dead from now on: misses give BAD_STATE, the object ends; its reap wakes every waiter with BAD_STATE in steps. O(1).
 * Supplied pages stay. */
void pager_kill(struct pager *p);

/* Called by cursor.c: page of root v is missing. Registers w, unless it only polls: SHOULD_WAIT; or BAD_STATE. */
sys_status_t source_request(struct source *s, u64 page, u64 run, u8 access, struct page_wait *w);
/* Does anybody wait for this page, which is there, still? */
bool source_awaits(const struct source *s, u64 page);
/* One step each, a bounded number of waiters; true: nothing is left to do. */
#define SOURCE_STEP 16u
/* This page of the root is there now (ref; frame 0: look it up): finishes the faults of those who wait for it, and wakes them. */
bool source_answer_step(struct source *s, u64 page, const struct page_ref *ref);
/* Pages [page, end) failed: wakes who waits for one of them. */
bool source_fail_step(struct source *s, u64 page, u64 end, sys_status_t status);
/* The root shrank to `pages`: waiters beyond are woken; they try again and find out. */
bool source_shrink_step(struct source *s, u64 pages);
/* Everybody who waits is woken with this status; all requests are forgotten. */
bool source_end_step(struct source *s, sys_status_t status);
/* Ends the source itself; nobody waits any more. The root has none from now on. */
void source_free(struct source *s);
void source_check(const struct source *s);
void pager_check(const struct pager *p);
