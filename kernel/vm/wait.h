/* SPDX-License-Identifier: BSD-2-Clause */
/* wait.h: how vm makes somebody wait, without knowing what a thread is (design.md 1). A thread embeds one struct page_wait; a page request lives in it,
 * so nothing is allocated to ask for a page.
 *
 * Life of a wait:
 *   1. IDLE. The upper layer fills `priority` and calls into vm with it (vm_fault, vmo_read ...).
 *   2. A page is missing: vm registers it with the root's source and returns SYS_ERR_SHOULD_WAIT. It is now QUEUED (it owns a request
 *      that its pager has not received), or JOINED (another's request covers the page).
 *   3. The pager received it: DELIVERED. supply/fail/detach/kill of the owner changes it as source.h says.
 *   4. vm_hooks.wake(wait): it is IDLE again, `status` says how it ended: SYS_OK (go on: the same call or instruction is made again, or, if a fault,
 *      already finished) or the error that the call returns / the fault reports.
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
/* Internal status: one bounded step was done, make the same call (or instruction) again. Never seen by programs. */
#define VM_AGAIN 1

struct vmo;
struct space;
enum page_wait_state { PAGE_WAIT_IDLE, PAGE_WAIT_QUEUED, PAGE_WAIT_DELIVERED, PAGE_WAIT_JOINED };

struct page_wait {
	u8 state;                       /* enum page_wait_state */
	u8 priority;
	u8 access;                      /* SYS_ACCESS_* that missed */
	sys_status_t status;            /* how the wait ended */
	struct vmo *root;               /* whose page is missing */
	u64 page;                       /* the page of the root needed next */
	u64 first, count;               /* owner: the request's pages */
	u64 arrived[REQUEST_PAGES / 64];/* owner: bit i: page first + i has arrived or failed */
	struct avl_node node;           /* owner: among the root's requests, by first; joiner: among its joiners, by page */
	struct pqueue_node queue;       /* owner: in the pager's queue while QUEUED */
	/* When an access waits: where to install the page so that it is there before the thread runs. Set before the cursor is called. */
	struct space *space;            /* NULL: a call waits, not an access */
	vaddr_t va;
};

void page_wait_init(struct page_wait *w);
/* Takes it off whatever it is on (source.c). Its request, if undelivered, is withdrawn and joiners are woken to ask for themselves; a delivered
 * one stands as a record without a waiter until it is answered. O(joiners) in bounded steps is not needed: wakes are O(1) each, bounded by REQUEST threads. */
void page_wait_cancel(struct page_wait *w);

struct pager;
/* Set at boot by the layer above. */
struct vm_hooks {
	void (*wake)(struct page_wait *w);              /* w->status is set; make its thread runnable */
	void (*pager_ready)(struct pager *p);           /* its queue went from empty to non-empty, or its head changed, or became empty */
	bool (*pager_ended)(struct pager *p);           /* called by the pager's reap, a step each: leave the endpoint, wake receivers. True: done */
};
extern struct vm_hooks vm_hooks;
