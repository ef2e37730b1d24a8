/* SPDX-License-Identifier: BSD-2-Clause */
/* tree_range.c: what is true of whole ranges: where nothing is, what is known to be zero, what of it is dirty.
 *
 * A zero marker in a slot of level n says of 512^n pages that they read as zero. A range is zeroed with the largest
 * markers that fit into it, so that it costs its edges, however long it is; and a node that has come to say the same in
 * all its slots becomes one marker in the slot that named it:
 *
 *      [ 700, 262,000 ) zeroed:   root, level 2   [ . | . | ...
 *                                                   |
 *                         level 1   [ leaf 0 | . | z | z | ...  | z | . | ]     z: 512 pages each
 *                                               |                    |
 *                                level 0   [ ..p z z z ]         [ z z z p.. ]  z: one page
 *
 * Markers carry the dirty state of what they stand for, so a change of the state of some of it breaks them as well.
 * What lies wholly in a range needs no memory; at its two edges nodes may be missing, at most a path each.
 *
 * Steps go from the front of the range to its end and are at its first slot each time. One step copies a shared node,
 * or works on one node: all its slots in the range, up to TREE_STEP pages or shared subtrees, which go at once.
 * Lock: the kernel lock.
 */
#include "lib/words.h"
#include "vm/tree_node.h"

/* ---- runs --------------------------------------------------------------------------------------- */
/* Slots beside each other; the first names no node. */
struct slots {
	const tree_slot_t *slot;
	unsigned count;
	u64 span;                       /* pages that each stands for */
	u64 into;                       /* how many of the first one's lie before the page asked for */
};

/* From `page` on, up to the end of a node, and about as far as page + enough. */
static struct slots slots_at(const struct tree *t, u64 page, u64 enough)
{
	static const tree_slot_t empty = TREE_EMPTY;
	if (t->inlined && page < TREE_INLINE)
		return (struct slots){ &t->slot[page], (unsigned)(TREE_INLINE - page), 1, 0 };
	if (t->inlined)
		return (struct slots){ &empty, 1, enough, 0 };
	u64 index = tree_index(t, page);
	if (!tree_covers(t, index))
		return (struct slots){ &empty, 1, (frame_of(tree_root(t))->tree.base - index) & TREE_INDEX_MASK, 0 };
	struct tree_path p;
	path_find(t, index, &p);
	unsigned first = slot_number(index, p.low);
	u64 want = (enough >> TREE_BITS * p.low) + 2, span = slot_span(p.low);
	want = MIN(TREE_FANOUT - first, want);
	return (struct slots){ &node_slots(p.node[p.low])[first], (unsigned)want, span, index & (span - 1) };
}

/* How far on from `page` all is of one kind. */
static u64 run_end(const struct tree *t, u64 page, u64 end, tree_slot_t kind)
{
	while (page < end) {
		struct slots s = slots_at(t, page, end - page);
		unsigned n = kind == TREE_EMPTY ? words_zero(s.slot, 0, s.count) : 0;
		while (n < s.count && (s.slot[n] & TREE_KIND) == kind)
			n++;
		if (n > 0)
			page += n * s.span - s.into;
		if (n < s.count && tree_tag(s.slot[n]) != TREE_NODE)
			break;
	}
	return MIN(page, end);
}

u64 tree_next(const struct tree *t, u64 page, u64 end)
{
	return run_end(t, page, end, TREE_EMPTY);
}

u64 tree_run(const struct tree *t, u64 page, u64 end, tree_slot_t *kind)
{
	*kind = *slots_at(t, page, 1).slot & TREE_KIND;
	return run_end(t, page, end, *kind);
}

/* ---- steps -------------------------------------------------------------------------------------- */
/* Where a step works: in path.node[path.low], which is the tree's own. */
struct spot {
	struct tree_path path;
	tree_slot_t *slot;              /* on the way to the step's index */
	unsigned count;                 /* slots from there on that lie wholly in the range; 0: this one sticks out */
	u64 rest;                       /* pages from the index to the end of the slot */
};

/* Walks to `index`, which the root covers, as far as there are nodes, or up to a shared one that lies wholly in the
 * range and is to be dropped. VM_AGAIN: it copied a node that was in the way. */
static sys_status_t reach(struct tree *t, u64 index, u64 pages, bool drop, struct spot *at)
{
	unsigned inside = level_within(index, pages);
	at->slot = &t->slot[0];
	at->path.top = frame_of(tree_root(t))->level;
	for (at->path.low = at->path.top;; at->path.low--) {
		unsigned level = at->path.low, number = slot_number(index, level);
		paddr_t node = tree_frame(*at->slot);
		if (frame_of(node)->refs > 1) {
			*at->slot = node_copy(node) | TREE_NODE;
			return VM_AGAIN;
		}
		at->path.node[level] = node;
		at->slot = &node_slots(node)[number];
		at->count = level > inside ? 0 : (unsigned)MIN(TREE_FANOUT - number, pages >> TREE_BITS * level);
		at->rest = slot_span(level) - (index & (slot_span(level) - 1));
		bool node_below = tree_tag(*at->slot) == TREE_NODE;
		if (!node_below || (drop && at->count > 0 && frame_of(tree_frame(*at->slot))->refs > 1))
			return SYS_OK;
	}
}

/* Makes the nodes that it takes for a slot to stand wholly in the range, and goes there. */
static sys_status_t reach_inside(struct tree *t, u64 index, u64 pages, struct spot *at)
{
	tree_slot_t *slot;
	sys_status_t status = path_grow(t, index, level_within(index, pages), &slot);
	return status == SYS_OK ? reach(t, index, pages, true, at) : status;
}

/* A node that says the same of all that it spans becomes one marker, and so on upwards. The root stays. */
static void merge(struct tree *t, struct tree_path *p, u64 index)
{
	while (p->low < p->top) {
		paddr_t node = p->node[p->low];
		tree_slot_t marker = node_slots(node)[0];
		if (frame_of(node)->state < TREE_FANOUT || tree_tag(marker) != TREE_ZERO)
			return;
		for (unsigned i = 1; i < TREE_FANOUT; i++)
			if (node_slots(node)[i] != marker)
				return;
		frame_free(node);
		tree_uncharge(t, 1);
		p->low++;
		node_slots(p->node[p->low])[slot_number(index, p->low)] = marker;
		path_count(p, p->low, 0, -1);
	}
}

static sys_status_t step_done(u64 *page, u64 end, u64 pages)
{
	*page += MIN(pages, end - *page);
	return *page < end ? VM_AGAIN : SYS_OK;
}

/* ---- zero --------------------------------------------------------------------------------------- */
/* Puts markers in the slots at a spot, up to a node that is the tree's own or until TREE_STEP things were dropped.
 * Returns how many. */
static unsigned zero_slots(struct tree *t, const struct spot *at, tree_slot_t marker)
{
	struct frame *node = frame_of(at->path.node[at->path.low]);
	u64 pages = 0, nodes = 0;
	unsigned i = 0, dropped = 0;
	for (; i < at->count && dropped < TREE_STEP; i++) {
		tree_slot_t slot = at->slot[i];
		struct frame *f = frame_of(tree_frame(slot));
		if (tree_tag(slot) == TREE_NODE) {
			if (f->refs == 1)
				break;
			f->refs--;
			pages += f->tree.pages;
			nodes += (u64)f->tree.nodes + 1;
			dropped++;
		} else if (tree_tag(slot) == TREE_PAGE) {
			page_drop(tree_frame(slot));
			pages++;
			dropped++;
		}
		node->state += slot == TREE_EMPTY;
		at->slot[i] = marker;
	}
	path_count(&at->path, at->path.low, -(i64)pages, -(i64)nodes);
	tree_uncharge(t, pages + nodes);
	return i;
}

static sys_status_t zero_inline(struct tree *t, u64 *page, u64 end, tree_slot_t marker)
{
	u64 pages = 0;
	for (; *page < end && *page < TREE_INLINE; ++*page) {
		tree_slot_t *slot = &t->slot[*page];
		if (tree_tag(*slot) == TREE_PAGE) {
			page_drop(tree_frame(*slot));
			pages++;
		}
		*slot = marker;
	}
	tree_uncharge(t, pages);
	return step_done(page, end, 0);
}

sys_status_t tree_zero_step(struct tree *t, u64 *page, u64 end, enum tree_state state)
{
	tree_slot_t marker = tree_with_state(TREE_ZERO, state);
	u64 index = tree_index(t, *page), pages = end - *page;
	sys_status_t status = SYS_OK;
	struct spot at = { .count = 0 };
	if (*page >= end)
		return SYS_OK;
	if (t->inlined && *page < TREE_INLINE)
		return zero_inline(t, page, end, marker);
	if (tree_covers(t, index) && frame_of(tree_root(t))->level >= level_within(index, pages))
		status = reach(t, index, pages, true, &at);
	if (status == SYS_OK && at.count == 0) {
		if (at.slot && *at.slot == marker)
			return step_done(page, end, at.rest);
		status = reach_inside(t, index, pages, &at);
	}
	if (status != SYS_OK)
		return status;
	u64 done = zero_slots(t, &at, marker) * at.rest;
	merge(t, &at.path, index);
	return step_done(page, end, done);
}

/* ---- dirty state, edges ------------------------------------------------------------------------- */
static bool changes(tree_slot_t slot, unsigned from, enum tree_state to)
{
	return slot != TREE_EMPTY && (from >> tree_state(slot) & 1) && tree_state(slot) != to;
}

static unsigned change_slots(tree_slot_t *slot, u64 count, unsigned from, enum tree_state to)
{
	unsigned i = 0;
	for (; i < count && tree_tag(slot[i]) != TREE_NODE; i++)
		if (changes(slot[i], from, to))
			slot[i] = tree_with_state(slot[i], to);
	return i;
}

sys_status_t tree_state_step(struct tree *t, u64 *page, u64 end, unsigned from, enum tree_state to)
{
	struct spot at;
	*page = tree_next(t, *page, end);
	if (*page >= end)
		return SYS_OK;
	if (t->inlined)
		return step_done(page, end, change_slots(&t->slot[*page], MIN(end, TREE_INLINE) - *page, from, to));
	u64 index = tree_index(t, *page), pages = end - *page;
	sys_status_t status = reach(t, index, pages, false, &at);
	if (status == SYS_OK && at.count == 0) {
		if (!changes(*at.slot, from, to))
			return step_done(page, end, at.rest);
		status = reach_inside(t, index, pages, &at);
	}
	if (status != SYS_OK)
		return status;
	u64 done = change_slots(at.slot, at.count, from, to) * at.rest;
	merge(t, &at.path, index);
	return step_done(page, end, done);
}

sys_status_t tree_split(struct tree *t, u64 page)
{
	u64 index = tree_index(t, page);
	unsigned level = level_within(index, TREE_ALL);
	struct slots s = slots_at(t, page, 1);
	struct spot at;
	tree_slot_t *slot;
	if (tree_tag(*s.slot) != TREE_ZERO || s.into == 0)
		return SYS_OK;
	sys_status_t status = reach(t, index, 1, false, &at);
	return status == SYS_OK ? path_grow(t, index, level, &slot) : status;
}
