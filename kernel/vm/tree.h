/* SPDX-License-Identifier: BSD-2-Clause */
/* tree.h: persistent page trees, the content of VMOs (docs/architecture.md). A pure data structure: no locks, no
 * machine but frames. How it works, with a picture: tree.c.
 *
 * A content is a map from page index (54 bits, six levels of nine) to a slot. While it touches only its owner's first
 * TREE_INLINE pages they stand inline in the header; beyond that in a radix tree of nodes, one frame of 512 slots each.
 * Nodes and pages are shared between trees by reference count (frame table); whoever writes copies what is shared on
 * the path first ("path copying"). So there are no hidden parents.
 *
 * Charges: a tree's account pays for every page and node that the tree can reach (`charged` frames), shared or not.
 * Copying what is shared never charges: the reach stays the same.
 * Lock: the kernel lock.
 */
#pragma once
#include "mem/account.h"
#include "mem/frame.h"

#define TREE_INLINE     8u
#define TREE_BITS       9u
#define TREE_FANOUT     512u
#define TREE_LEVELS     6u
#define TREE_INDEX_BITS 54u
#define TREE_ALL        (1ull << TREE_INDEX_BITS)       /* as an end or a number of pages: as far as content goes */
#define TREE_INDEX_MASK (TREE_ALL - 1)

/* A slot: bits 0 .. 2 say what it is, the bits above 11 are the frame's physical address. Pages and markers have a
 * dirty state in bits 3 and 4: content behind which a source stands uses it, and no other tree ever reaches such
 * content. An EMPTY slot is 0 as a whole; a marker may have a state, so look at its tag. */
typedef u64 tree_slot_t;
enum tree_tag { TREE_EMPTY = 0, TREE_PAGE = 1, TREE_ZERO = 2, TREE_NODE = 3 };   /* ZERO: known zero, at any level */
enum tree_state { TREE_CLEAN = 0, TREE_DIRTY = 1, TREE_AWAITING = 2 };           /* AWAITING: being written back */
#define TREE_KIND 0x1full                                                        /* tag and state */
static inline enum tree_tag tree_tag(tree_slot_t s) { return (enum tree_tag)(s & 7); }
static inline paddr_t tree_frame(tree_slot_t s) { return s & ~PAGE_MASK; }
static inline enum tree_state tree_state(tree_slot_t s) { return (enum tree_state)(s >> 3 & 3); }
static inline tree_slot_t tree_with_state(tree_slot_t s, enum tree_state state)
{
	return (s & ~0x18ull) | (u64)state << 3;
}

struct tree {
	tree_slot_t slot[TREE_INLINE];  /* inline: slot i is index bias + i; else slot[0] names the root node */
	bool inlined;
	u64 bias;                       /* index of the owner's page 0 */
	u64 reserve;                    /* frames charged in advance: tree_charge() takes them first, and tree_uncharge()
	                                 * gives back to them while there are any */
	u64 charged;                    /* frames it can reach, charged to: */
	struct account *account;
	u64 *counted;                   /* which of that one's counts they are in */
};

void tree_init(struct tree *t, struct account *account);

/* All page numbers below are the owner's (0 based; the bias is added inside). */

/* What is at this page: EMPTY, PAGE or ZERO. Cost: the height. */
tree_slot_t tree_lookup(const struct tree *t, u64 page);
/* The same; *own: this tree alone reaches the slot and the page in it, so both may be written in place. */
tree_slot_t tree_find(const struct tree *t, u64 page, bool *own);

/* The nodes on the way to a page, by level: node[low] (the last there is) up to node[top] (the root). */
struct tree_path { unsigned low, top; paddr_t node[TREE_LEVELS]; };
/* Where a page is or would be. */
struct tree_place {
	bool own;                       /* as tree_find's */
	tree_slot_t *slot;              /* it is there for a page, and no other tree reaches it; else NULL */
	struct tree_path path;          /* what lies above the slot, if there are nodes */
};
/* tree_find, for a caller that goes on to tree_fill_at() and so walks once. */
tree_slot_t tree_locate(struct tree *t, u64 page, struct tree_place *at);
/* The slots from the page's own to the end of their row (a leaf, or the header), *count of them. *own: no other tree
 * reaches the row. NULL: there is no leaf. */
const tree_slot_t *tree_slots(const struct tree *t, u64 page, u64 *count, bool *own);
/* How many pages from this one on its slot stands for: more than one where there is a large marker or a hole above the
 * leaves. Cost: the height. */
u64 tree_span(const struct tree *t, u64 page);
/* The first page in [page, end) whose slot is not EMPTY; end if there is none. Cost: the height and skipped
 * siblings. */
u64 tree_next(const struct tree *t, u64 page, u64 end);
/* How far all from `page` (which is below `end`) on is of one kind: where that run ends, at most `end`. *kind: tag and
 * state, no frame. Cost: the nodes that it meets, and a look at each page and marker in them; who walks what users made
 * bounds that by `end`. A run of EMPTY meets no nodes but those at its two ends. */
u64 tree_run(const struct tree *t, u64 page, u64 end, tree_slot_t *kind);

/* Makes the slot of `page` writable in place and says where it is: shared nodes on the path are copied, missing nodes
 * made. SYS_OK: *out is this tree's own slot (its page, if any, may still be shared: refs > 1). VM_AGAIN: one shared
 * node was copied and another is in the way, call again (whole_path: all are copied, at most six). NO_MEMORY,
 * BAD_STATE: the account; the content is as it was. Nodes it makes are charged; a caller that then cannot fill the slot
 * calls tree_prune(). */
sys_status_t tree_edit(struct tree *t, u64 page, bool whole_path, tree_slot_t **out);
/* Puts a page (charged already as one frame by the caller through tree_charge) or marker into the slot that tree_edit
 * returned, which is EMPTY or ZERO; counts along the path. */
void tree_fill(struct tree *t, u64 page, tree_slot_t *slot, tree_slot_t content);
/* tree_edit for a place that tree_locate() gave: with SYS_OK, at->slot is there. Most often it was. */
sys_status_t tree_edit_at_slow(struct tree *t, u64 page, bool whole_path, struct tree_place *at);
static inline sys_status_t tree_edit_at(struct tree *t, u64 page, bool whole_path, struct tree_place *at)
{
	return likely(at->slot != NULL) ? SYS_OK : tree_edit_at_slow(t, page, whole_path, at);
}
/* tree_fill into at->slot, which is not NULL; the tree has not changed since at was found. */
void tree_fill_at(struct tree *t, u64 page, const struct tree_place *at, tree_slot_t content);
/* How many slots stand in one row from the page's own on: up to its node's end, or the header's. */
u64 tree_row(const struct tree *t, u64 page);
/* tree_fill_at for pages of neighbouring frames, from `first` on: into at->slot and those behind it, at most
 * tree_row(), all EMPTY. At boot. */
void tree_fill_row(struct tree *t, u64 page, const struct tree_place *at, paddr_t first, u64 pages);
/* Replaces the shared page in an edited slot by the tree's own copy (counts do not change). */
void tree_replace(struct tree *t, u64 page, tree_slot_t *slot, paddr_t copy);
/* Takes the page at a place that is the tree's own (at->own) out of the tree without freeing it (supply moves it). Its
 * charge stays: the caller moves or drops it. Nodes that became empty go, with their charge. */
paddr_t tree_take_at(struct tree *t, u64 page, struct tree_place *at);
/* Frees the nodes on the way to `page` that hold nothing. The path is the tree's own. */
void tree_prune(struct tree *t, u64 page);

static inline void tree_charged(struct tree *t, u64 frames)
{
	t->charged += frames;
	*t->counted += frames;
}
static inline sys_status_t tree_charge(struct tree *t, u64 frames)
{
	sys_status_t status = SYS_OK;
	if (unlikely(t->reserve >= frames))
		t->reserve -= frames;
	else
		status = account_charge(t->account, frames);
	if (likely(status == SYS_OK))
		tree_charged(t, frames);
	return status;
}
void tree_uncharge(struct tree *t, u64 frames);
/* Charges frames in advance, so that what is made next cannot fail (as account_charge); gives back what is left. */
sys_status_t tree_reserve(struct tree *t, u64 frames);
void tree_release(struct tree *t);
/* Moves the charge of `frames` frames that change trees. As account_move_charge. */
static inline sys_status_t tree_move_charge(struct tree *from, struct tree *to, u64 frames)
{
	sys_status_t status = account_move_charge(from->account, to->account, frames);
	if (status != SYS_OK)
		return status;
	tree_charged(from, -frames);
	tree_charged(to, frames);
	return SYS_OK;
}

/* Empties [page, end) in bounded steps (a step: up to TREE_STEP pages or one shared subtree dropped, or one node
 * copied). True: done. Emptied slots become EMPTY; nodes without content go. NO_MEMORY cannot happen: removal never
 * needs a charge. But a large marker that sticks out of the range stays, and its part in the range goes on reading
 * as zero. That is right beyond an owner's end, and in content where nothing reads as zero anyway. Hardware entries of removed pages are the caller's matter
 * (frame.page.mapped must be 0 for pages that are freed). Nothing behind the owner's last page? Then pass TREE_ALL as
 * end: shared subtrees that reach beyond it go whole. */
#define TREE_STEP 16u
bool tree_remove_step(struct tree *t, u64 page, u64 end);
/* Drops everything, in bounded steps. True: done. */
bool tree_drop_step(struct tree *t);

/* One bounded step (as tree_remove_step's) of making [*page, end) known zero: ZERO markers in this dirty state, as
 * large as fit, take the place of whatever is there. *page moves on to where it got: all before it is done, from it on
 * nothing has changed. SYS_OK: done. VM_AGAIN: there is more. NO_MEMORY, BAD_STATE: a node at an edge was missing (at
 * most a path at each edge is charged, and a marker that sticks out of the range is broken). Hardware entries: as
 * tree_remove_step. */
sys_status_t tree_zero_step(struct tree *t, u64 *page, u64 end, enum tree_state state);
/* One bounded step of giving all pages and markers of [*page, end) whose state is in `from` (1u << state | ...) the
 * state `to`. Statuses and *page as tree_zero_step: only a marker at an edge, if it changes in part, needs nodes. For
 * one page in a place of one's own (tree_edit_at): *at->slot = tree_with_state(*at->slot, to). */
sys_status_t tree_state_step(struct tree *t, u64 *page, u64 end, unsigned from, enum tree_state to);

/* dst (initialised, empty, same or another account) becomes a snapshot of [page, page + pages) of src. Counts first,
 * charges dst's account, then cuts: NO_MEMORY or BAD_STATE change nothing. VM_AGAIN: what ended to make room may have
 * changed src, or be its owner; call again. Cost: the two boundary paths. The caller has
 * taken write access to the window away. */
sys_status_t tree_snapshot(struct tree *dst, struct tree *src, u64 page, u64 pages);

struct tree_counts { u64 pages, nodes, private_pages; };
/* Exact counts of [page, end). Cost: the boundary paths for pages and nodes; private pages (reached by this tree only)
 * need a walk of unshared nodes. */
void tree_count(const struct tree *t, u64 page, u64 end, struct tree_counts *out);

/* The same for the whole tree, without private pages. O(1). */
void tree_totals(const struct tree *t, u64 *pages, u64 *nodes);

/* Who pays what: a share of each page, divided at every shared node and page on its path by the number of references to
 * it. What all trees are told adds up to the pages in use, less at most one unit of the fraction per division. */
struct tree_share { u64 bytes, fraction; };     /* fraction: in 2^-63 bytes */
struct tree_survey {                    /* zeroed at first */
	u64 next;                       /* the page to go on from */
	u64 private_pages;
	struct tree_share share;
};
/* One step (TREE_STEP slots of a leaf) of a survey of the whole tree. True: done. */
bool tree_survey_step(const struct tree *t, struct tree_survey *s);

/* Walker: counts in the frame table equal what is below; no slot names a frame with count 0; levels and bases agree;
 * charged is the exact reach. */
void tree_check(const struct tree *t);
