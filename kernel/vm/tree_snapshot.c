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

struct cut {
	u64 pages, nodes;       /* what the cut copy of a node reaches, itself included */
	bool whole;             /* nothing lies outside: the node itself will do */
};

static struct cut cut_whole(paddr_t node)
{
	struct frame *f = frame_of(node);
	return (struct cut){ f->tree.pages, (u64)f->tree.nodes + 1, true };
}

static struct cut cut_count(paddr_t node, struct window w)
{
	struct frame *f = frame_of(node);
	struct row row = window_row(w, f);
	struct cut sum = { 0, 0, true };
	unsigned used = 0;
	bool kept = false;
	if (window_holds(w, f->tree.base, node_span(f->level)))
		return cut_whole(node);
	for (unsigned i = 0; i < row.count; i++) {
		tree_slot_t slot = node_slots(node)[(row.first + i) % TREE_FANOUT];
		used += slot != TREE_EMPTY;
		if (tree_tag(slot) == TREE_NODE) {
			struct cut c = cut_count(tree_frame(slot), w);
			sum.pages += c.pages;
			sum.nodes += c.nodes;
			sum.whole &= c.whole;
			kept |= c.nodes > 0;
		} else {
			sum.pages += tree_tag(slot) == TREE_PAGE;
			kept |= slot != TREE_EMPTY;
		}
	}
	sum.whole &= used == f->state;
	sum.nodes += kept;
	return sum;
}

/* The slot that names the window's part of this node: EMPTY, the node itself, or a cut copy. */
static tree_slot_t cut_make(paddr_t node, struct window w)
{
	struct frame *f = frame_of(node);
	struct row row = window_row(w, f);
	struct cut c = cut_count(node, w);
	if (c.nodes == 0)
		return TREE_EMPTY;
	if (c.whole) {
		f->refs++;
		return node | TREE_NODE;
	}
	paddr_t copy = node_make(f->level, f->tree.base);
	for (unsigned i = 0; i < row.count; i++) {
		unsigned number = (row.first + i) % TREE_FANOUT;
		tree_slot_t slot = node_slots(node)[number];
		if (tree_tag(slot) == TREE_NODE)
			slot = cut_make(tree_frame(slot), w);
		else if (tree_tag(slot) == TREE_PAGE)
			frame_of(tree_frame(slot))->refs++;
		node_slots(copy)[number] = slot;
		frame_of(copy)->state += slot != TREE_EMPTY;
	}
	frame_of(copy)->tree.pages = (u32)c.pages;
	frame_of(copy)->tree.nodes = (u32)(c.nodes - 1);
	return copy | TREE_NODE;
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

static sys_status_t snapshot_nodes(struct tree *dst, struct tree *src, struct window w)
{
	tree_slot_t top = lowest_holder(src, w);
	if (top == TREE_EMPTY)
		return SYS_OK;
	struct cut c = cut_count(tree_frame(top), w);
	sys_status_t status = tree_charge(dst, c.pages + c.nodes);
	if (status != SYS_OK || c.nodes == 0)
		return status;
	dst->slot[0] = cut_make(tree_frame(top), w);
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
	sys_status_t status = count ? tree_charge(dst, count) : SYS_OK;
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
