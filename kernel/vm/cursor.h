/* SPDX-License-Identifier: BSD-2-Clause */
/* cursor.h: the one way to pages, for faults, reads, writes, commit, hints and supply (cursor.c says what each finds).
 *
 * A cursor stands at a page of a content and moves on as pages are found. It lives within one kernel entry. Between two
 * of its calls nobody else changes the content's tree (a fault may): whoever cannot say so begins anew.
 * Lock: the kernel lock.
 */
#pragma once
#include "vm/vmo.h"

struct page_ref {
	paddr_t frame;                  /* the page; the shared zero page where nothing is */
	bool writable;                  /* it is this VMO's own, unshared, and may be entered writable */
	bool fresh;                     /* it was made for this access: what lies beside it is hardly there yet */
};
extern paddr_t zero_page;

struct cursor {
	struct vmo *v;                  /* a content: no window */
	u64 page, end;                  /* where it stands; what the caller may want ends here: a request does too */
	struct page_wait *wait;
	struct mapping *replacing;      /* a fault's: that replaces its entry by itself; else NULL */
	u32 retries;                    /* how often the access was re-executed: above TREE_LEVELS a whole path is copied */
	bool unseen;                    /* what it finds does not count as accessed */
	u16 made;                       /* the state of pages that it makes from zero: FRAME_ZERO_FORK, or 0 where they are
	                                 * wanted as pages */
	/* A row that is kept: slots of pages [row_first, row_end) that are the tree's own to edit. */
	tree_slot_t *row;
	u64 row_first, row_end;
	struct tree_place at;
};

/* page < end. `replacing`, `unseen`, `made` are the caller's to change. */
static inline void cursor_begin(struct cursor *c, struct vmo *v, u64 page, u64 end, unsigned retries, struct page_wait *w)
{
	c->v = v;
	c->page = page;
	c->end = end;
	c->wait = w;
	c->replacing = NULL;
	c->retries = retries;
	c->unseen = false;
	c->made = FRAME_ZERO_FORK;
	c->row_end = 0;
}

/* The page where it stands, and moves on behind it: returns it, allocates, copies, or asks the source. SYS_OK; VM_AGAIN
 * (also: entries that show what would be replaced are being removed); SYS_ERR_SHOULD_WAIT (wait is registered);
 * OUT_OF_RANGE (beyond the size), NO_MEMORY, BAD_STATE (dying, detached, closed account).
 * write: it will be written to. own: it must be the VMO's own, and no zero page. */
sys_status_t cursor_find(struct cursor *c, bool write, bool own, struct page_ref *out);
/* A page to read, or to write to. */
static inline sys_status_t cursor_require(struct cursor *c, bool write, struct page_ref *out)
{
	return cursor_find(c, write, write, out);
}
/* An allocated page of the VMO's own. write: it will be written to, which matters where that is tracked. */
static inline sys_status_t cursor_require_owned(struct cursor *c, bool write, struct page_ref *out)
{
	return cursor_find(c, write, true, out);
}
/* A page was found just now, and those behind it will be wanted: as far as its row goes they are not looked for from the
 * root. */
void cursor_keep_row(struct cursor *c);
/* Pages in a row that are there, at most `max` and up to `end`: moves on by as many as it says. Does not allocate, copy or
 * ask; gives no zero page. Cost: one walk for each leaf. */
u64 cursor_existing(struct cursor *c, u64 max, struct page_ref *out);
/* The same for one page; always moves on. */
static inline bool cursor_maybe(struct cursor *c, struct page_ref *out)
{
	u64 next = c->page + 1;
	bool found = cursor_existing(c, 1, out);
	c->page = next;
	return found;
}
/* Moves on, up to `end`, over pages that cursor_existing() does not give: it has just said so of the first. Behind them there
 * need not be one yet: markers are passed in steps. */
void cursor_skip_missing(struct cursor *c);
/* Charges frames in advance for pages that are made from now on, as account_charge; gives back what is left of them. */
static inline sys_status_t cursor_give(struct cursor *c, u64 frames) { return tree_reserve(&c->v->tree, frames); }
static inline void cursor_take_back(struct cursor *c) { tree_release(&c->v->tree); }
/* What a read of this page would find without waiting. False: it would wait, or fail. */
bool cursor_peek(struct vmo *v, u64 page, struct page_ref *out);
