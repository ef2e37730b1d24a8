/* SPDX-License-Identifier: BSD-2-Clause */
/* pagemap.h: the kernel's own access to small objects in pages that belong to programs: the status record of a thread,
 * the records of the trace ring. An accessor stands for one object (some bytes that lie in one page) and copies to and
 * from it; nobody is given a pointer, so nothing that a program writes meanwhile is seen twice or trusted.
 *
 * A page with accessors is kept: it is there, the content's own, and its frame stays the same. DECOMMIT and ZERO clear it in
 * place, reclaim leaves it, supply does not take it from aux, shrinking over it is BAD_STATE, and a snapshot gets a copy of
 * it (pagemap_unshare), unless there are more than can be copied in one step. A program's writes go to the same frame, and the kernel's never reach a snapshot.
 *
 *      thread.status    accessor --.
 *      thread.status    accessor ---+--> kept_page --> content        one kept_page for all accessors of a page
 *      trace ring [i]   accessor -----> kept_page -----'              content->kept lists them, PAGEMAP_KEEPS at most
 *
 * An accessor hangs below the capability it was opened with, as a mapping does: it ends by a revoke above that, by the end
 * of the content, or by its owner; deleting the capability lets it fall to the parent. Through a window it is the
 * content's: it has no more to do with the window. A kept page holds a reference to the content and is paid for by the
 * content's account.
 * Lock: the kernel lock.
 */
#pragma once
#include "vm/vmo.h"

#define PAGEMAP_KEEPS  64u              /* pages of one content */
#define PAGEMAP_COPIES 24u              /* if a snapshot took more for them, there is none: BAD_STATE */

struct kept_page;
struct accessor {
	struct kept_page *page;         /* NULL: it is closed */
	struct list in_page;            /* among the accessors of that page */
	struct deriv deriv;             /* DERIV_ACCESSOR */
	void (*ended)(struct accessor *);       /* it is being closed, and not by its owner; O(1) or nearly so */
	u16 at, size;                   /* where in the page the object lies */
};
static inline bool accessor_open(const struct accessor *a) { return a->page != NULL; }
static inline struct accessor *accessor_of_deriv(struct deriv *d) { return container_of(d, struct accessor, deriv); }

/* Where an object may lie: INVALID_ARGS (it straddles two pages, or is not aligned), OUT_OF_RANGE (not in the VMO). align: a
 * power of two, a page at most. */
sys_status_t pagemap_place(const struct vmo *v, u64 offset, u32 size, u32 align);
/* Opens `a` on the `size` bytes at `offset` of v, a good place, below a capability (NULL: below none). `a` is zero, was
 * closed, or is open: then it leaves its old place when nothing can fail any more. a->ended is the caller's to set.
 * BAD_STATE (its content ended or is not cached; the account is closed), NOT_SUPPORTED (a pager stands behind the content: its pages may be missing),
 * NO_RESOURCES (PAGEMAP_KEEPS others), NO_MEMORY (the page, or what keeps it), VM_AGAIN: nothing has changed. */
sys_status_t pagemap_open(struct vmo *v, u64 offset, u32 size, struct deriv *below, struct accessor *a);
/* A closed one stays closed. */
void accessor_close(struct accessor *a);
/* Tells its owner, then the same: a revoke. */
void accessor_end(struct accessor *a);
/* Copy `len` bytes at `field` of the object, which is open. */
void accessor_read(const struct accessor *a, u32 field, void *to, u32 len);
void accessor_write(const struct accessor *a, u32 field, const void *from, u32 len);

/* ---- for who changes content ---- */
/* The first kept page in [page, end), or end. */
u64 pagemap_next(const struct vmo *v, u64 page, u64 end);
/* Writes zeros to a kept page. */
void pagemap_clear(const struct vmo *v, u64 page);
/* How many pages and nodes pagemap_unshare() copies at most: about 1,200 instructions each. */
unsigned pagemap_copies(const struct vmo *v);
/* `child` has just become a snapshot of v from page `first` on: v's kept pages are its own again, the child has copies. Takes
 * frames that both were charged for. */
void pagemap_unshare(struct vmo *v, struct tree *child, u64 first);
/* One step of the end of v. True: nothing is kept any more. */
bool pagemap_end_step(struct vmo *v);
void pagemap_check(const struct vmo *v);        /* walker */
