/* SPDX-License-Identifier: BSD-2-Clause */
/* source.h: page sources and pagers (design.md 7, docs/abi.md "Pagers").
 *
 * A source stands behind a root VMO and keeps the requests in flight, by range, never overlapping; each lives in the page_wait of the thread that asked.
 * A pager has a queue of undelivered requests by priority, then age (and later COMPLETE of VMO headers), and is itself one entry on its endpoint while that queue is not
 * empty (the layer above does that: pager_ready hook, `above`). Lock: the kernel lock.
 *
 * Life of a request: QUEUED -> (received) DELIVERED -> answered page by page (supply: page there; fail: status) -> every waiter whose next page arrived is woken at once,
 * even when the rest of the request is outstanding. An owner that goes: undelivered: withdrawn, joiners are woken and ask for themselves; delivered: the request stands
 * (struct request_record inside the source, one range list node per source... see source.c) and is not sent again until answered.
 */
#pragma once
#include "vm/vmo.h"

struct pager {
	struct object object;
	struct pqueue queue;            /* page_wait.queue of undelivered requests */
	struct list roots;              /* sources that it serves */
	bool dead;                      /* its endpoint lost its last RECV capability, or it is dying: misses give BAD_STATE */
	/* For the layer above (ipc): its place on its endpoint. vm only stores them. */
	struct pqueue_node above;       /* in the endpoint's queue of senders */
	struct list endpoint_link;      /* in the endpoint's list of bound pagers */
	void *endpoint;                 /* NULL: gone */
	struct pqueue receivers;        /* threads in pager_recv */
	u64 badge;
};
extern const struct object_type pager_type;

struct source {                         /* a part of a root: PART in the slab of the VMO's account, made with it */
	u8 part;                        /* PART_SOURCE */
	struct vmo *root;
	struct pager *pager;            /* NULL: detached or dead: misses give BAD_STATE */
	struct list link;               /* in pager->roots */
	u64 key;
	struct avl_tree requests;       /* page_wait.node by first */
	u64 request_count;
};

sys_status_t pager_create(struct account *a, u64 badge, struct pager **out);
/* Options: RESIZABLE; TRAP_DIRTY and UNBOUNDED: NOT_SUPPORTED until their issue; others INVALID_ARGS. */
sys_status_t pager_create_vmo(struct pager *p, struct account *a, u32 options, u64 key, u64 size, struct vmo **out);
/* Moves or copies pages from aux; *done (in/out) bytes already handled, *fresh (in/out) bytes that were new: kept by the caller over VM_AGAIN. Finishes the faults of waiters and wakes them.
 * INVALID_ARGS (alignment; v is not this pager's own root), OUT_OF_RANGE, NOT_SUPPORTED (aux has a source), BAD_STATE (detached), NO_MEMORY. */
sys_status_t pager_supply(struct pager *p, struct vmo *v, u64 offset, u64 len, struct vmo *aux, u64 aux_offset, u64 *done, u64 *fresh);
/* FAIL; other ops NOT_SUPPORTED until their issue, unknown INVALID_ARGS. */
sys_status_t pager_op_range(struct pager *p, u32 op, struct vmo *v, u64 offset, u64 len, i64 data);
/* Takes the next request off the queue: it is DELIVERED now. False: none. */
bool pager_take(struct pager *p, sys_pager_request_t *out);
void pager_kill(struct pager *p);       /* dead from now on: every waiter is woken with BAD_STATE; O(1) here, the rest in its reap or bounded steps */

/* Called by cursor.c: page of root v is missing. Registers w: SHOULD_WAIT; or BAD_STATE. */
sys_status_t source_request(struct source *s, u64 page, u64 run, u8 access, struct page_wait *w);
/* The root shrank to `pages`, or is dying: waiters beyond it are woken (they retry and find out). */
void source_shrink(struct source *s, u64 pages);
void source_check(const struct source *s);
void pager_check(const struct pager *p);
