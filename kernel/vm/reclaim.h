/* SPDX-License-Identifier: BSD-2-Clause */
/* reclaim.h: what an account can have again when a charge is short (reclaim.c). Lock: the kernel lock. */
#pragma once
#include "vm/vmo.h"

/* v's content can be had again from now on: it goes behind those that already can. */
void reclaim_offer(struct vmo *v, struct cache *cache);
/* It cannot any more; or v has nothing that could be looked at. */
void reclaim_withdraw(struct vmo *v);
/* Pages of the root v are as old as can be from now on: they go before all others. */
void reclaim_oldest_first(struct vmo *v);
/* For who is about to tell of `status`, and holds no place in any content: NO_MEMORY becomes VM_AGAIN if a step was done for the
 * account that was short; then the call or the access is made again. False steps end: at most a few rounds over what there is. */
sys_status_t reclaim_step(void);
static inline sys_status_t reclaim_or(sys_status_t status)
{
	return unlikely(status == SYS_ERR_NO_MEMORY) ? reclaim_step() : status;
}
/* That charge was for a copy of this page, so the step leaves it: else its copy might never be made. */
extern paddr_t reclaim_leaves;
static inline sys_status_t reclaim_but(paddr_t page, sys_status_t status)
{
	reclaim_leaves = page;
	return status;
}
/* A page that comes to this account, which is short, would take the place of one whose waiter has not run yet: it goes at once, and
 * who waits for it asks again, when the other one may have run. Not for ever: once in a while it is false. */
bool reclaim_spares(struct account *a);
/* Walker: v is where its account looks for it, and counted so. */
void reclaim_check(const struct vmo *v);
