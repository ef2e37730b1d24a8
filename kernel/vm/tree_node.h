/* SPDX-License-Identifier: BSD-2-Clause */
/* tree_node.h: nodes as the files of the tree see them (kernel/vm/tree*.c); nobody else includes it.
 *
 * A node is a frame of 512 slots. Its frame-table entry says the rest: `level` (0: its slots hold pages), `state`
 * (slots in use, markers included), `refs` (slots and contents that name it), tree.base (its first index), tree.pages
 * and tree.nodes (what is below it).
 */
#pragma once
#include "arch/arch.h"
#include "lib/assert.h"
#include "vm/tree.h"
#include "vm/wait.h"

static inline tree_slot_t *node_slots(paddr_t node) { return phys_to_virt(node); }
/* Pages that one slot of a node at this level stands for; the node itself spans 512 times that. */
static inline u64 slot_span(unsigned level) { return 1ull << TREE_BITS * level; }
static inline u64 node_span(unsigned level) { return slot_span(level + 1); }
static inline unsigned slot_number(u64 index, unsigned level) { return index >> TREE_BITS * level & (TREE_FANOUT - 1); }
static inline u64 node_base(u64 index, unsigned level) { return index & ~(node_span(level) - 1); }
static inline bool node_covers(const struct frame *f, u64 index) { return node_base(index, f->level) == f->tree.base; }
static inline u64 tree_index(const struct tree *t, u64 page) { return (t->bias + page) & TREE_INDEX_MASK; }
static inline paddr_t tree_root(const struct tree *t) { return tree_frame(t->slot[0]); }
static inline bool tree_covers(const struct tree *t, u64 index)
{
	return !t->inlined && node_covers(frame_of(tree_root(t)), index);
}
/* The highest level of which one slot, from `index` on, stands for no more than so many pages. */
static inline unsigned level_within(u64 index, u64 pages)
{
	unsigned level = 0;
	while (level + 1 < TREE_LEVELS && slot_span(level + 1) <= pages && !(index & (slot_span(level + 1) - 1)))
		level++;
	return level;
}

/* A window: `pages` indices from `start` on, modulo 2^54. All comparisons are made relative to `start`, so a window
 * that wraps is no special case. */
struct window { u64 start, pages; };
static inline struct window tree_window(const struct tree *t, u64 page, u64 end)
{
	return (struct window){ tree_index(t, page), end - page };
}
static inline bool window_holds(struct window w, u64 base, u64 span)
{
	return w.pages > TREE_INDEX_MASK || ((base - w.start) & TREE_INDEX_MASK) + span <= w.pages;
}
/* The slots of a node that the window touches: `count` from `first` on, modulo 512, as a window that wraps may begin
 * and end in one node. */
struct row { unsigned first, count; };
struct row window_row(struct window w, const struct frame *node);        /* tree_snapshot.c */

/* tree.c */
paddr_t node_make(unsigned level, u64 index);
/* The caller's own copy of a shared node: one reference to the old one becomes one to each thing that it names. */
paddr_t node_copy(paddr_t shared);
/* The tree has a root and it covers `index`. */
void path_find(const struct tree *t, u64 index, struct tree_path *p);
/* Empties the slot that names node[low], or any of its slots: `low`'s use count drops by `used`; nodes that hold
 * nothing go, and their charge. */
void path_prune(struct tree *t, struct tree_path *p, u64 index);
/* Drops one reference to a page: it is freed with the last. */
void page_drop(paddr_t page);
/* Adds to the counts of all nodes on the path (those at level `above` and higher). */
static inline void path_count(const struct tree_path *p, unsigned above, i64 pages, i64 nodes)
{
	for (unsigned level = above; level <= p->top; level++) {
		struct frame *f = frame_of(p->node[level]);
		DEBUG_ASSERT(f->refs == 1);
		f->tree.pages += (u32)pages;
		f->tree.nodes += (u32)nodes;
	}
}

/* tree_edit.c */
/* Charges and makes the nodes that are missing on the way to `index`, down to `level`; the nodes on the way that are
 * there and cover it are the tree's own. *out: the slot at that level; or above it, below the tree's old root, where
 * nothing was missing. A large marker on the way becomes 512 smaller ones, on each level. */
sys_status_t path_grow(struct tree *t, u64 index, unsigned level, tree_slot_t **out);

/* tree_range.c: how a range is gone through in steps */
/* Where a step works: on slots of path.node[path.low], which is the tree's own. */
struct spot {
	unsigned copies;                /* how many shared nodes may be copied on the way: set before */
	struct tree_path path;
	tree_slot_t *slot;              /* on the way to the step's index */
	unsigned count;                 /* slots from there on that lie wholly in the range; 0: this one sticks out */
	u64 span;                       /* pages that each stands for; the index is at page `into` of the first */
	u64 into;
};
/* Walks to `index`, which the window holds and the root covers, as far as there are nodes; or, to drop it, up to a
 * shared one that lies wholly in the window. VM_AGAIN: another than it may copy is in the way. */
sys_status_t spot_reach(struct tree *t, struct window w, u64 index, bool drop, struct spot *at);
/* Puts a marker or EMPTY into the slots at a spot, up to a node that is the tree's own or until TREE_STEP pages and
 * shared subtrees were dropped. Returns into how many. Nodes that hold nothing then are the caller's to prune. */
unsigned spot_fill(struct tree *t, const struct spot *at, tree_slot_t content);
/* The same for pages from `page` on that stand inline. */
void inline_fill(struct tree *t, u64 page, u64 end, tree_slot_t content);
