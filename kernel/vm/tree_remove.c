/* SPDX-License-Identifier: BSD-2-Clause */
/* tree_remove.c: giving content up, in bounded steps.
 *
 * A step goes to the first slot of the window that holds something. On the way down it meets
 *   a shared node wholly inside the window: its reference is dropped, and its whole charge with it; what is below
 *                                           is the others' now
 *   a shared node partly inside:            it is copied (that never charges); the next step goes on in the copy
 *   pages and markers inside the window:    all beside each other go, up to TREE_STEP pages and shared nodes
 *   a large marker partly inside:           it stays. To break it would take nodes; content ends in such markers where nobody looks, or where they read as
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
	if (t->inlined)
		return;
	path_find(t, index, &p);
	path_prune(t, &p, index);
}

void page_drop(paddr_t page)
{
	struct frame *f = frame_of(page);
	if (f->refs > 1)
		f->refs--;
	else
		frame_free(page);
}

static bool drop_shared_root(struct tree *t, struct window w)
{
	struct frame *f = frame_of(tree_root(t));
	if (f->refs == 1 || !window_holds(w, f->tree.base, node_span(f->level)))
		return false;
	f->refs--;
	tree_uncharge(t, (u64)f->tree.pages + f->tree.nodes + 1);
	forget_root(t);
	return true;
}

bool tree_remove_step(struct tree *t, u64 page, u64 end)
{
	struct window w = tree_window(t, page, end);
	struct spot at = { .copies = 1 };
	if (page >= end)
		return true;
	if (t->inlined)
		inline_fill(t, page, end, TREE_EMPTY);
	if (t->inlined || drop_shared_root(t, w))
		return true;
	for (; (page = tree_next(t, page, end)) < end; page += at.span - at.into) {
		u64 index = tree_index(t, page);
		if (spot_reach(t, w, index, true, &at) != SYS_OK)
			return false;
		if (at.count > 0) {
			spot_fill(t, &at, TREE_EMPTY);
			path_prune(t, &at.path, index);
			return t->inlined;
		}
	}
	return true;
}

bool tree_drop_step(struct tree *t)
{
	tree_release(t);
	return tree_remove_step(t, 0, TREE_ALL);
}
