/* SPDX-License-Identifier: BSD-2-Clause */
/* wait.h: how vm makes somebody wait, without knowing what a thread is (docs/architecture.md). A thread embeds one struct
 * page_wait; a page request lives in it, so nothing is allocated to ask for a page.
 *
 * Life of a wait:
 *   1. IDLE. The upper layer fills `priority` and `poll` and calls into vm with it (vm_fault, vmo_read ...).
 *   2. A page is missing: vm registers it with the root's source and returns SYS_ERR_SHOULD_WAIT. It is now QUEUED (it
 *      owns a request that its pager has not received), or JOINED (another's request covers the page). With `poll` it
 *      stays IDLE.
 *   3. The pager received it: DELIVERED. supply/fail/detach/kill of the owner changes it as source.h says.
 *   4. vm_hooks.wake(wait): it is IDLE again, `status` says how it ended: SYS_OK (go on: the same call or instruction
 *      is made again, or, if a fault, already finished) or the error that the call returns / the fault reports.
 *   The upper layer may end a wait at any time (kill, suspend, deadline): page_wait_cancel().
 * Lock: the kernel lock.
 */
#pragma once
#include "lib/avl.h"
#include "lib/list.h"
#include "lib/pqueue.h"
#include "lib/types.h"
#include "mem/object.h"

#define REQUEST_PAGES 512u

struct vmo;
struct space;
struct view;
enum page_wait_state { PAGE_WAIT_IDLE, PAGE_WAIT_QUEUED, PAGE_WAIT_DELIVERED, PAGE_WAIT_JOINED };

struct page_wait {
	u8 state;                       /* enum page_wait_state */
	u8 priority;
	u8 access;                      /* SYS_ACCESS_* that missed */
	bool poll;                      /* the upper layer's: nobody is asked, SHOULD_WAIT comes without being registered */
	bool prefetch;                  /* what asks does so for an operation of that name */
	bool came;                      /* it ended because the page came */
	sys_status_t status;            /* how the wait ended */
	struct vmo *root;               /* whose page is missing */
	u64 page;                       /* the page of the root needed next */
	u64 first, count;               /* owner: the request's pages */
	u64 arrived[REQUEST_PAGES / 64];/* owner: bit i: page first + i has arrived or failed */
	struct avl_node node;           /* owner: among the root's requests, by first; joiner: its joiners, by page */
	struct pqueue_node queue;       /* owner: in the pager's queue while QUEUED */
	/* Where the page is missing in a mapping (of an access, or of a call's buffer): there it is installed before
	 * the thread runs. Set before the cursor is called. */
	struct space *space;            /* NULL: a call waits for the object's page itself */
	vaddr_t va;
	struct avl_node in_space;       /* in space->waits, by va */
	struct view *through;           /* the clone's view that found the page missing, or NULL */
	struct avl_node in_view;        /* in through->waits, by page */
};

void page_wait_init(struct page_wait *w);
/* Its thread's priority changed: an undelivered request moves in its pager's queue. */
void page_wait_set_priority(struct page_wait *w, u8 priority);
/* Takes it off whatever it is on (source.c). Its request passes to a joiner; without one it is withdrawn if undelivered,
 * else it stands as a record until it is answered. Cost: O(log n). */
void page_wait_cancel(struct page_wait *w);
/* The page of w, which began to wait just now, was missing for this view. */
void page_wait_in_view(struct page_wait *w, struct view *view);
/* Who waits for a page that was missing at addresses [low, high) of s, or through this view for page `page` of the root
 * or a later one, is woken, since that goes, and will find out: one of them. True: there is none. Cost: O(log n). */
bool page_wait_unmap_step(struct space *s, vaddr_t low, vaddr_t high);
bool page_wait_view_step(struct view *view, u64 page);
/* Walkers of their trees; every member of one waits. */
void page_wait_check_space(const struct space *s);
void page_wait_check_view(const struct view *view);

struct pager;
/* Set at boot by the layer above. */
struct vm_hooks {
	void (*wake)(struct page_wait *w);              /* w->status is set; make its thread runnable */
	void (*pager_ready)(struct pager *p);           /* its queue has another head, or is empty now */
	/* Called by the pager's reap, a step each: leave the endpoint, wake receivers. True: done. */
	bool (*pager_ended)(struct pager *p);
	/* A window ends while capabilities name it: deletes that whose slot stands first on its list. */
	void (*uncap_window)(struct vmo *w);
};
extern struct vm_hooks vm_hooks;
