/* SPDX-License-Identifier: BSD-2-Clause */
/* view.h: what a clone of a root sees of it (view.c).
 *
 *      root      [ page 0 | page 1 | page 2 | page 3 | page 4 | page 5 ]
 *                              ^ first                      ^ first + limit
 *      clone              [ hole   | own     | marker | hole | hole ]
 *      reads as             page 1   own       zero     page 4 zero
 *
 * A clone has a tree of its private pages. Where that holds nothing, pages below the view's limit are the root's, and
 * pages from there on are zero. A clone of a clone has a copy of the private tree and a view of its own, of the same
 * root: so it never takes more than two lookups.
 *
 * The limit only sinks: with the clone's own size, and with the root's, which is written into each view in steps while
 * the root is `trimming`; until then view_limit() takes the lower of both. The clone's mappings stand in the root's
 * interval tree too, at least with what falls through, so what takes pages from the root finds their entries.
 *
 * A view stands in the derivation list right behind the capability of the root that it was made with, or behind the view
 * of the clone that it was made from. It ends with a revoke above it, with the root, or with its clone, in steps (enum
 * view_state). Then the clone keeps its private pages, and what would fall through gives BAD_STATE.
 * Lock: the kernel lock.
 */
#pragma once
#include "vm/vmo.h"

#define ROOT_PAGES (1ull << (64 - PAGE_SHIFT))  /* a clone's pages, counted in its root, end here at the latest */

enum view_state {
	VIEW_LIVE,
	VIEW_CLOSING,                   /* nothing falls through any more; mapping by mapping entries go */
	VIEW_GONE,                      /* nothing is left of it but this */
};

struct view {                           /* a part in the slab of the clone's account */
	u8 part;                        /* PART_VIEW */
	u8 ended;                       /* enum view_state */
	struct vmo *clone, *root;       /* it holds a reference to the root until it is GONE (then NULL) */
	u64 first;                      /* the root's page that is the clone's page 0 */
	u64 limit;                      /* pages of the clone that fall through: those below it */
	struct interval *at;            /* CLOSING: the clone's mappings before it have left the root's tree ... */
	vaddr_t va;                     /* ... and of this one no entry below here shows the root */
	struct list link;               /* in root->views */
	struct avl_tree waits;          /* page_wait.in_view: who waits for a page of the root through it */
	struct deriv deriv;             /* DERIV_VIEW */
};

/* A view for `clone`, just made, of what the content `v` (a root or a clone) shows in [first, first + pages), and never
 * more than `clone` has pages; v is not trimming, nor is its root. A view of what has ended is GONE. NO_MEMORY, BAD_STATE (the clone's
 * account). */
sys_status_t view_make(struct vmo *clone, const struct vmo *v, u64 first, u64 pages);
/* Undoes it: the clone has not been used. */
void view_discard(struct vmo *clone);
/* Has the view of a new clone, if it has one and that is not placed yet, end with a revoke above `below`. */
void view_derive(const struct vmo *clone, struct deriv *below, enum deriv_kind below_kind);
static inline struct view *view_of_deriv(struct deriv *d) { return container_of(d, struct view, deriv); }

/* How many of its clone's pages fall through now. */
static inline u64 view_limit(const struct view *view)
{
	u64 pages = view->root && view->root->trimming ? vmo_pages(view->root) : UINT64_MAX;
	return MIN(view->limit, pages > view->first ? pages - view->first : 0);
}
/* What the clone's page, a hole in its tree, shows: *frame is the root's page or the zero page. SHOULD_WAIT: the root's
 * source is asked, for as much of `run` pages as falls through to holes of the root, and w waits there; with w == NULL
 * nobody is asked. VM_AGAIN: the root is taking entries away. BAD_STATE: the view ended, or nobody is behind the root. */
sys_status_t view_page(struct view *view, u64 page, u8 access, u64 run, struct page_wait *w, paddr_t *frame);
/* Is access being taken away to any pages of the root that v's mappings may show? */
static inline bool view_closing(const struct vmo *v)
{
	return unlikely(v->view != NULL) && v->view->root && v->view->root->closing.end;
}

/* Each of these does one bounded step; true: nothing is left to do. */
/* Ends it; it stays with its clone, GONE. */
bool view_end_step(struct view *view);
/* Ends it and frees it: the clone, which has no mappings any more, has none then. */
bool view_drop_step(struct vmo *clone);
/* v, a root or a clone, has shrunk: lowers the limits of the root's views, wakes who waits through the clone beyond. */
bool view_trim_step(struct vmo *v);
/* Walker: v's own view and, where v is a root, its clones'. */
void view_check(const struct vmo *v);
