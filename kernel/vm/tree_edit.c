/* SPDX-License-Identifier: BSD-2-Clause */
/* tree_edit.c: making room: the way to a slot becomes the tree's own and whole, before anything is put there.
 *
 * What is shared on the way is copied, which never charges. What is missing is made, and charged first, all at once, so
 * that an edit that fails has changed nothing but whose nodes are whose:
 *
 *      content stands inline          slots 0 .. 7 move into a leaf each, or into one, as their indices say
 *      the root covers less           levels are put on top of it, as often as it takes
 *      the slot is empty on a level   nodes are put below it
 *      a marker stands there          the same, each full of 512 smaller markers
 *
 * Lock: the kernel lock.
 */
#include "lib/string.h"
#include "lib/words.h"
#include "vm/tree_node.h"

/* One more level at the top. The old root may be shared: it is only named. */
static void grow_up(struct tree *t)
{
	struct frame *old = frame_of(tree_root(t));
	paddr_t root = node_make(old->level + 1, old->tree.base);
	struct frame *f = frame_of(root);
	node_slots(root)[slot_number(old->tree.base, f->level)] = t->slot[0];
	f->state = 1;
	f->tree.pages = old->tree.pages;
	f->tree.nodes = old->tree.nodes + 1;
	t->slot[0] = root | TREE_NODE;
}

/* Makes the nodes that are missing on the way to `index`, down to `level`; they are charged already, and nodes on the
 * way are the tree's own. */
static tree_slot_t *grow_path(struct tree *t, u64 index, unsigned level)
{
	struct tree_path p;
	if (t->slot[0] == TREE_EMPTY)
		t->slot[0] = node_make(level, index) | TREE_NODE;
	while (!tree_covers(t, index) || frame_of(tree_root(t))->level < level)
		grow_up(t);
	for (path_find(t, index, &p); p.low > level;) {
		tree_slot_t *slot = &node_slots(p.node[p.low])[slot_number(index, p.low)];
		paddr_t child = node_make(p.low - 1, index);
		if (*slot == TREE_EMPTY) {
			frame_of(p.node[p.low])->state++;
		} else {                        /* a large zero marker becomes 512 smaller ones */
			words_fill(node_slots(child), *slot, TREE_FANOUT);
			frame_of(child)->state = TREE_FANOUT;
		}
		*slot = child | TREE_NODE;
		path_count(&p, p.low, 0, 1);
		p.node[--p.low] = child;
	}
	return &node_slots(p.node[p.low])[slot_number(index, p.low)];
}

/* The nodes that inline content and a slot for `index` at `level` need together: on each level, as many as there are
 * different places, up to where there is one. */
static unsigned nodes_to_spill(const struct tree *t, u64 index, unsigned level)
{
	u64 place[TREE_INLINE + 1];
	unsigned places = 0, nodes = 0;
	for (unsigned i = 0; i < TREE_INLINE; i++)
		if (t->slot[i] != TREE_EMPTY)
			place[places++] = tree_index(t, i);
	for (unsigned at = 0; at <= level || places > 1; at++) {
		unsigned kept = 0;
		if (at == level)
			place[places++] = index >> TREE_BITS * at;
		for (unsigned i = 0, j; i < places; i++) {
			u64 up = place[i] >> TREE_BITS;
			for (j = 0; j < kept && place[j] != up; j++)
				;
			if (j == kept)
				place[kept++] = up;
		}
		places = kept;
		nodes += places;
	}
	return nodes;
}

/* Moves inline content out into leaf nodes. Charged already. */
static void spill(struct tree *t)
{
	tree_slot_t saved[TREE_INLINE];
	memcpy(saved, t->slot, sizeof saved);
	memset(t->slot, 0, sizeof t->slot);
	t->inlined = false;
	for (unsigned i = 0; i < TREE_INLINE; i++)
		if (saved[i] != TREE_EMPTY)
			tree_fill(t, i, grow_path(t, tree_index(t, i), 0), saved[i]);
}

/* Nodes to be made at the top until the root covers `index` and is no lower than `level`, and down from there. */
static unsigned nodes_to_cover(const struct frame *root, u64 index, unsigned level)
{
	unsigned top = root->level + 1;
	while (top < level || node_base(index, top) != node_base(root->tree.base, top))
		top++;
	return top - root->level + top - level;
}

sys_status_t path_grow(struct tree *t, u64 index, unsigned level, tree_slot_t **out)
{
	const struct frame *root = frame_of(tree_root(t));
	struct tree_path p;
	unsigned missing;
	if (t->inlined) {
		missing = nodes_to_spill(t, index, level);
	} else if (!tree_covers(t, index) || root->level < level) {
		missing = nodes_to_cover(root, index, level);
	} else {
		path_find(t, index, &p);
		missing = p.low - level;
	}
	sys_status_t status = tree_charge(t, missing);
	if (status != SYS_OK)
		return status;
	if (t->inlined)
		spill(t);
	*out = grow_path(t, index, level);
	return SYS_OK;
}

sys_status_t tree_edit(struct tree *t, u64 page, bool whole_path, tree_slot_t **out)
{
	u64 index = tree_index(t, page);
	struct spot at = { .copies = whole_path ? TREE_LEVELS : 1 };
	if (t->inlined && page < TREE_INLINE) {
		*out = &t->slot[page];
		return SYS_OK;
	}
	if (tree_covers(t, index)) {
		sys_status_t status = spot_reach(t, (struct window){ index, 1 }, index, false, &at);
		*out = at.slot;
		if (status != SYS_OK || at.span == 1)
			return status;
	}
	return path_grow(t, index, 0, out);
}

sys_status_t tree_edit_at_slow(struct tree *t, u64 page, bool whole_path, struct tree_place *at)
{
	tree_slot_t *slot;
	sys_status_t status = tree_edit(t, page, whole_path, &slot);
	if (status == SYS_OK)
		tree_locate(t, page, at);
	return status;
}
