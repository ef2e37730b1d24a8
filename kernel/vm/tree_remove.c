/* SPDX-License-Identifier: BSD-2-Clause */
/* tree_remove.c: giving content up, in bounded steps.
 *
 * A step goes to the first slot of the window that holds something. On the way down it meets
 *   a shared node wholly inside the window: its reference is dropped, and its whole charge with it; what is below
 *                                           is the others' now
 *   a shared node partly inside:            it is copied (that never charges); the next step goes on in the copy
 *   an unshared leaf:                       up to TREE_STEP of its pages are dropped
 *   a large zero marker wholly inside:      it goes
 *   a large zero marker partly inside:      it stays. To break it would take nodes (tree_split, if they can be had);
 *                                           content ends in such markers where nobody looks, or where they read as
 *                                           nothing does
 * Nodes that hold nothing any more go at once. So removal needs no memory, and a step's cost does not depend on how
 * large the content is.
 * Lock: the kernel lock.
 */
#include "lib/string.h"
#include "vm/tree_node.h"

/* A tree without nodes is an inline one. */
static void forget_root(struct tree *t)
{
	memset(t->slot, 0, sizeof t->slot);
	t->inlined = true;
}

void path_prune(struct tree *t, struct tree_path *p, u64 index)
{
	while (frame_of(p->node[p->low])->state == 0) {
		frame_free(p->node[p->low]);
		tree_uncharge(t, 1);
		if (p->low == p->top)
			return forget_root(t);
		p->low++;
		node_slots(p->node[p->low])[slot_number(index, p->low)] = TREE_EMPTY;
		frame_of(p->node[p->low])->state--;
		path_count(p, p->low, 0, -1);
	}
}

void tree_prune(struct tree *t, u64 page)
{
	struct tree_path p;
	u64 index = tree_index(t, page);
	if (t->inlined || !node_covers(frame_of(tree_root(t)), index))
		return;
	path_find(t, index, &p);
	path_prune(t, &p, index);
}

/* Drops the pages of an array of slots. Returns how many pages went; *emptied counts markers as well. */
static unsigned drop_slots(tree_slot_t *slot, u64 count, unsigned *emptied)
{
	unsigned pages = 0;
	for (*emptied = 0; count > 0 && *emptied < TREE_STEP; count--, slot++) {
		if (*slot == TREE_EMPTY)
			continue;
		++*emptied;
		if (tree_tag(*slot) == TREE_PAGE) {
			page_drop(tree_frame(*slot));
			pages++;
		}
		*slot = TREE_EMPTY;
	}
	return pages;
}

static void drop_from_leaf(struct tree *t, struct tree_path *p, u64 index, u64 count)
{
	unsigned number = slot_number(index, 0), emptied;
	unsigned pages = drop_slots(&node_slots(p->node[0])[number], MIN(count, TREE_FANOUT - number), &emptied);
	frame_of(p->node[0])->state -= emptied;
	path_count(p, 0, -(i64)pages, 0);
	tree_uncharge(t, pages);
	path_prune(t, p, index);
}

/* Drops what the slot of p->node[low] on the way to `index` holds: a shared subtree or a large zero marker. */
static void drop_whole_slot(struct tree *t, struct tree_path *p, u64 index)
{
	tree_slot_t *slot = &node_slots(p->node[p->low])[slot_number(index, p->low)];
	if (tree_tag(*slot) == TREE_NODE) {
		struct frame *f = frame_of(tree_frame(*slot));
		f->refs--;
		path_count(p, p->low, -(i64)f->tree.pages, -(i64)f->tree.nodes - 1);
		tree_uncharge(t, (u64)f->tree.pages + f->tree.nodes + 1);
	}
	*slot = TREE_EMPTY;
	frame_of(p->node[p->low])->state--;
	path_prune(t, p, index);
}

static void drop_shared_root(struct tree *t)
{
	struct frame *f = frame_of(tree_root(t));
	f->refs--;
	tree_uncharge(t, (u64)f->tree.pages + f->tree.nodes + 1);
	t->slot[0] = TREE_EMPTY;
	t->inlined = true;
}

/* One step at `page`, which holds something. What it holds is a marker that sticks out of the window: returns how many
 * of its pages are behind, for it stays; 0 else. */
static u64 remove_at(struct tree *t, u64 page, u64 end, struct window w)
{
	u64 index = tree_index(t, page);
	tree_slot_t *link = &t->slot[0];
	struct tree_path p = { .top = frame_of(tree_root(t))->level };
	for (p.low = p.top;; p.low--) {
		paddr_t node = tree_frame(*link);
		struct frame *f = frame_of(node);
		if (f->refs > 1 && window_holds(w, f->tree.base, node_span(p.low))) {
			if (p.low == p.top) {
				drop_shared_root(t);
			} else {
				p.low++;
				drop_whole_slot(t, &p, index);
			}
			return 0;
		}
		if (f->refs > 1) {
			*link = node_copy(node) | TREE_NODE;
			return 0;
		}
		p.node[p.low] = node;
		link = &node_slots(node)[slot_number(index, p.low)];
		u64 span = slot_span(p.low), into = index & (span - 1);
		if (p.low == 0) {
			drop_from_leaf(t, &p, index, end - page);
			return 0;
		}
		if (tree_tag(*link) == TREE_NODE)
			continue;
		if (!window_holds(w, index - into, span))
			return span - into;
		drop_whole_slot(t, &p, index);
		return 0;
	}
}

bool tree_remove_step(struct tree *t, u64 page, u64 end)
{
	struct window w = tree_window(t, page, end);
	if (page >= end)
		return true;
	if (t->inlined) {
		unsigned emptied;
		if (page < TREE_INLINE)
			tree_uncharge(t, drop_slots(&t->slot[page], MIN(end, TREE_INLINE) - page, &emptied));
		return true;
	}
	for (u64 stays = 1; stays != 0; page += stays) {
		page = tree_next(t, page, end);
		if (page >= end)
			return true;
		stays = remove_at(t, page, end, w);
	}
	return t->inlined;
}

bool tree_drop_step(struct tree *t)
{
	tree_release(t);
	return tree_remove_step(t, 0, TREE_ALL);
}
