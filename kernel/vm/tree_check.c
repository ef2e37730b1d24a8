/* SPDX-License-Identifier: BSD-2-Clause */
/* tree_check.c: what must hold of a tree: the walker that debug builds and tests run. What it holds true of nodes is in
 * tree_node.h, of charges in tree.h; and what has a dirty state is reached by one tree only.
 * Lock: the kernel lock. */
#include "vm/tree_node.h"

struct sums { u64 pages, nodes; };

static void check_slot(tree_slot_t slot, bool own)
{
	ASSERT((slot & ~TREE_KIND & PAGE_MASK) == 0 && tree_state(slot) <= TREE_AWAITING);
	ASSERT(own || tree_state(slot) == TREE_CLEAN);
	ASSERT(slot == TREE_EMPTY || tree_tag(slot) == TREE_PAGE || (tree_tag(slot) == TREE_ZERO && !tree_frame(slot)));
}

static struct sums check_page(tree_slot_t slot, u64 index, bool own)
{
	struct frame *f = frame_of(tree_frame(slot));
	ASSERT(f->kind == FRAME_PAGE && f->refs > 0 && f->page.index == index);
	check_slot(slot, own && f->refs == 1);
	return (struct sums){ 1, 0 };
}

static struct sums check_node(paddr_t node, unsigned level, u64 base, bool own)
{
	struct frame *f = frame_of(node);
	struct sums sum = { 0, 0 };
	unsigned used = 0;
	own &= f->refs == 1;
	ASSERT(f->kind == FRAME_NODE && f->refs > 0);
	ASSERT(f->level == level && f->tree.base == base && base == node_base(base, level));
	for (unsigned i = 0; i < TREE_FANOUT; i++) {
		tree_slot_t slot = node_slots(node)[i];
		u64 index = base + i * slot_span(level);
		struct sums s = { 0, 0 };
		used += slot != TREE_EMPTY;
		if (tree_tag(slot) == TREE_NODE) {
			ASSERT(level > 0);
			ASSERT((slot & PAGE_MASK) == TREE_NODE);
			s = check_node(tree_frame(slot), level - 1, index, own);
		} else if (tree_tag(slot) == TREE_PAGE) {
			ASSERT(level == 0);
			s = check_page(slot, index, own);
		} else {
			check_slot(slot, own);
		}
		sum.pages += s.pages;
		sum.nodes += s.nodes;
	}
	ASSERT(used > 0 && used == f->state);
	ASSERT(sum.pages == f->tree.pages && sum.nodes == f->tree.nodes);
	sum.nodes++;
	return sum;
}

void tree_check(const struct tree *t)
{
	struct sums sum = { 0, 0 };
	ASSERT(t->bias <= TREE_INDEX_MASK);
	if (!t->inlined) {
		ASSERT(tree_tag(t->slot[0]) == TREE_NODE);
		struct frame *root = frame_of(tree_root(t));
		ASSERT(root->level < TREE_LEVELS);
		sum = check_node(tree_root(t), root->level, root->tree.base, true);
		for (unsigned i = 1; i < TREE_INLINE; i++)
			ASSERT(t->slot[i] == TREE_EMPTY);
	}
	for (unsigned i = 0; t->inlined && i < TREE_INLINE; i++) {
		check_slot(t->slot[i], true);
		if (tree_tag(t->slot[i]) == TREE_PAGE)
			sum.pages += check_page(t->slot[i], tree_index(t, i), true).pages;
	}
	ASSERT(sum.pages + sum.nodes == t->charged);
}
