/* SPDX-License-Identifier: BSD-2-Clause */
/* tree_snapshot.c: cutting a window out of a tree, and counting what a window holds. Nothing is copied but the nodes
 * through which the window's edges run; each subtree between them is named once more:
 *
 *      [           root            ]     a window over the slots 2 .. 6 of this level, from the middle of slot 2
 *        0    1   (2   3   4   5   6)    to the middle of slot 6: the snapshot gets a root of its own, that names
 *        |    |    |   |   |   |   |     the nodes 3, 4 and 5, and nodes 2' and 6' of its own, which are cut in the
 *        v    v    v   v   v   v   v     same way further down
 *                 cut  share these  cut
 *
 * A marker is never cut: where an edge runs through what it stands for, the snapshot has it whole. What reads as zero
 * beyond the end of a snapshot is seen by nobody, until the snapshot grows: then it reads as what grew should.
 * A node from which nothing would be cut off is shared whole, so a snapshot of everything takes a reference to the
 * root. Counting comes first, charging second, cutting last: then nothing can fail. Recursion is as deep as the tree:
 * six.
 * Lock: the kernel lock.
 */
#include "lib/words.h"
#include "vm/tree_node.h"

struct row window_row(struct window w, const struct frame *node)
{
	unsigned shift = TREE_BITS * node->level;
	u64 into = (w.start - node->tree.base) & TREE_INDEX_MASK, all = TREE_ALL >> shift;
	if (into >= node_span(node->level)) {           /* it begins before the node */
		if (w.pages <= TREE_ALL - into)
			return (struct row){ 0, 0 };
		w.pages -= TREE_ALL - into;
		into = 0;
	}
	u64 first = into >> shift, last = (into + w.pages - 1) >> shift;
	u64 count = MIN(last, TREE_FANOUT - 1) - first + 1;
	if (last >= all)                                /* it comes around to the node again */
		count += MIN(first, last - all + 1);
	return (struct row){ (unsigned)first, (unsigned)count };
}

struct sum { u64 used, pages, nodes; };         /* slots that are in use, and what they reach */

/* What some slots of a node reach, from number `first` on. */
static struct sum sum_slots(const tree_slot_t *slots, unsigned first, unsigned count)
{
	struct sum sum = { 0, 0, 0 };
	for (unsigned i = first; (i = words_zero(slots, i, MIN(first + count, TREE_FANOUT))) < MIN(first + count, TREE_FANOUT); i++) {
		struct frame *f = frame_of(tree_frame(slots[i]));
		bool node = tree_tag(slots[i]) == TREE_NODE;
		sum.used++;
		sum.pages += node ? f->tree.pages : tree_tag(slots[i]) == TREE_PAGE;
		sum.nodes += node ? f->tree.nodes + 1ull : 0;
	}
	if (first + count > TREE_FANOUT) {
		struct sum rest = sum_slots(slots, 0, first + count - TREE_FANOUT);
		sum = (struct sum){ sum.used + rest.used, sum.pages + rest.pages, sum.nodes + rest.nodes };
	}
	return sum;
}

/* The same for a row of a node, by what is inside or outside of it, whichever is less to look at. */
static struct sum sum_row(paddr_t node, struct row row)
{
	const struct frame *f = frame_of(node);
	if (row.count <= TREE_FANOUT / 2)
		return sum_slots(node_slots(node), row.first, row.count);
	struct sum out = sum_slots(node_slots(node), (row.first + row.count) % TREE_FANOUT, TREE_FANOUT - row.count);
	return (struct sum){ f->state - out.used, f->tree.pages - out.pages, f->tree.nodes - out.nodes };
}

/* Copies a row to an empty node: one more reference to each thing that it names. */
static void copy_row(paddr_t from, paddr_t to, struct row row)
{
	for (unsigned i = 0; i < row.count; i++) {
		unsigned number = (row.first + i) % TREE_FANOUT;
		tree_slot_t slot = node_slots(from)[number];
		if (tree_frame(slot))
			frame_of(tree_frame(slot))->refs++;
		node_slots(to)[number] = slot;
	}
}

struct cut {
	tree_slot_t slot;       /* made: what names the window's part of a node: EMPTY, the node itself, or a cut copy */
	u64 pages, nodes;       /* what that reaches, itself included */
	bool whole;             /* nothing lies outside: the node itself will do */
};

/* Only the first and the last child in the window can be cut. Where `make` is not set, it is only counted. */
static struct cut cut(paddr_t node, struct window w, bool make)
{
	struct frame *f = frame_of(node);
	if (window_holds(w, f->tree.base, node_span(f->level))) {
		f->refs += make;
		return (struct cut){ node | TREE_NODE, f->tree.pages, f->tree.nodes + 1ull, true };
	}
	struct row row = window_row(w, f);
	struct cut edge[2];
	unsigned at[2] = { row.first, (row.first + row.count - 1) % TREE_FANOUT }, edges = 0;
	struct sum sum = sum_row(node, row);
	bool whole = sum.used == f->state;
	for (unsigned i = 0; f->level > 0 && i < MIN(row.count, 2); i++) {
		tree_slot_t child = node_slots(node)[at[i]];
		if (tree_tag(child) != TREE_NODE)
			continue;
		at[edges] = at[i];
		struct cut *e = &edge[edges++];
		*e = cut(tree_frame(child), w, make);
		sum.pages -= frame_of(tree_frame(child))->tree.pages - e->pages;
		sum.nodes -= frame_of(tree_frame(child))->tree.nodes + 1ull - e->nodes;
		sum.used -= e->nodes == 0;
		whole &= e->whole;
	}
	struct cut c = { TREE_EMPTY, sum.pages, sum.nodes + (sum.used > 0), whole };
	if (!make || sum.used == 0)
		return c;
	if (whole) {
		f->refs++;
		c.slot = node | TREE_NODE;
	} else {
		paddr_t copy = node_make(f->level, f->tree.base);
		copy_row(node, copy, row);
		frame_of(copy)->state = (u16)sum.used;
		frame_of(copy)->tree.pages = (u32)sum.pages;
		frame_of(copy)->tree.nodes = (u32)sum.nodes;
		c.slot = copy | TREE_NODE;
	}
	for (unsigned i = 0; i < edges; i++) {          /* an edge is named by its own cut, or, if all is whole, by nothing new */
		frame_of(tree_frame(node_slots(node)[at[i]]))->refs--;
		if (!whole)
			node_slots(tree_frame(c.slot))[at[i]] = edge[i].slot;
	}
	return c;
}

/* The lowest node that holds all of the window's content, or EMPTY: there is none. */
static tree_slot_t lowest_holder(const struct tree *t, struct window w)
{
	tree_slot_t slot = t->slot[0];
	for (;;) {
		struct frame *f = frame_of(tree_frame(slot));
		if (window_row(w, f).count == 0)
			return TREE_EMPTY;
		u64 into = w.start & (slot_span(f->level) - 1);
		if (f->level == 0 || !node_covers(f, w.start) || into + w.pages > slot_span(f->level))
			return slot;
		tree_slot_t below = node_slots(tree_frame(slot))[slot_number(w.start, f->level)];
		if (tree_tag(below) != TREE_NODE)
			return below == TREE_EMPTY ? TREE_EMPTY : slot;
		slot = below;
	}
}

/* VM_AGAIN: there is room now, but what ended for it may have been what was counted. */
static sys_status_t charge(struct tree *dst, u64 frames)
{
	bool room = frames <= account_free(dst->account);
	sys_status_t status = tree_charge(dst, frames);
	if (status != SYS_OK || room)
		return status;
	tree_uncharge(dst, frames);
	return VM_AGAIN;
}

static sys_status_t snapshot_nodes(struct tree *dst, struct tree *src, struct window w)
{
	tree_slot_t top = lowest_holder(src, w);
	if (top == TREE_EMPTY)
		return SYS_OK;
	struct cut c = cut(tree_frame(top), w, false);
	sys_status_t status = charge(dst, c.pages + c.nodes);
	if (status != SYS_OK || c.nodes == 0)
		return status;
	dst->slot[0] = cut(tree_frame(top), w, true).slot;
	dst->inlined = false;
	return SYS_OK;
}

static sys_status_t snapshot_inline(struct tree *dst, struct tree *src, u64 page, u64 pages)
{
	tree_slot_t slot[TREE_INLINE] = { 0 };
	u64 count = 0;
	for (u64 i = 0; i < pages && i < TREE_INLINE; i++) {
		slot[i] = tree_lookup(src, page + i);
		count += tree_tag(slot[i]) == TREE_PAGE;
	}
	sys_status_t status = count ? charge(dst, count) : SYS_OK;
	if (status != SYS_OK)
		return status;
	for (unsigned i = 0; i < TREE_INLINE; i++) {
		dst->slot[i] = slot[i];
		if (tree_tag(slot[i]) == TREE_PAGE)
			frame_of(tree_frame(slot[i]))->refs++;
	}
	return SYS_OK;
}

sys_status_t tree_snapshot(struct tree *dst, struct tree *src, u64 page, u64 pages)
{
	sys_status_t status;
	ASSERT(dst->inlined && dst->charged == 0);
	if (src->inlined || pages <= TREE_INLINE)
		status = snapshot_inline(dst, src, page, pages);
	else
		status = snapshot_nodes(dst, src, tree_window(src, page, page + pages));
	if (status == SYS_OK)
		dst->bias = tree_index(src, page);
	return status;
}

/* ---- counting ----------------------------------------------------------------------------------- */
/* Adds what the window holds of a node. own: no node above it is shared; then it is walked for private pages as
 * well. */
static void count_node(paddr_t node, struct window w, bool own, struct tree_counts *sum)
{
	struct frame *f = frame_of(node);
	struct row row = window_row(w, f);
	own &= f->refs == 1;
	sum->nodes += row.count > 0;
	if (!own && window_holds(w, f->tree.base, node_span(f->level))) {
		sum->pages += f->tree.pages;
		sum->nodes += f->tree.nodes;
		return;
	}
	for (unsigned i = 0; i < row.count; i++) {
		tree_slot_t slot = node_slots(node)[(row.first + i) % TREE_FANOUT];
		if (tree_tag(slot) == TREE_NODE) {
			count_node(tree_frame(slot), w, own, sum);
		} else if (tree_tag(slot) == TREE_PAGE) {
			sum->pages++;
			sum->private_pages += own && frame_of(tree_frame(slot))->refs == 1;
		}
	}
}

void tree_count(const struct tree *t, u64 page, u64 end, struct tree_counts *out)
{
	*out = (struct tree_counts){ 0, 0, 0 };
	if (!t->inlined && page < end)
		count_node(tree_root(t), tree_window(t, page, end), true, out);
	if (!t->inlined)
		return;
	for (; page < end && page < TREE_INLINE; page++) {
		if (tree_tag(t->slot[page]) != TREE_PAGE)
			continue;
		out->pages++;
		out->private_pages += frame_of(tree_frame(t->slot[page]))->refs == 1;
	}
}

void tree_totals(const struct tree *t, u64 *pages, u64 *nodes)
{
	*nodes = t->inlined ? 0 : (u64)frame_of(tree_root(t))->tree.nodes + 1;
	*pages = t->charged - *nodes;
}
