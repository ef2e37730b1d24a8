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
 * Steps go from the front of the range to its end. One step copies a shared node, if one is in the way, and works on
 * one node: all its slots in the range, up to TREE_STEP pages or shared subtrees, which go at once.
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

u64 tree_span(const struct tree *t, u64 page)
{
	struct tree_path p;
	u64 index = tree_index(t, page);
	if (t->inlined)
		return 1;
	path_find(t, index, &p);
	return slot_span(p.low) - (index & (slot_span(p.low) - 1));
}

u64 tree_next(const struct tree *t, u64 page, u64 end)
{
	return run_end(t, page, end, TREE_EMPTY);
}

u64 tree_run(const struct tree *t, u64 page, u64 end, tree_slot_t *kind)
{
	*kind = tree_lookup(t, page) & TREE_KIND;
	return run_end(t, page, end, *kind);
}

/* ---- steps -------------------------------------------------------------------------------------- */
sys_status_t spot_reach(struct tree *t, struct window w, u64 index, bool drop, struct spot *at)
{
	at->slot = &t->slot[0];
	at->path.top = frame_of(tree_root(t))->level;
	for (at->path.low = at->path.top;; at->path.low--) {
		unsigned level = at->path.low, number = slot_number(index, level);
		paddr_t node = tree_frame(*at->slot);
		if (frame_of(node)->refs > 1) {
			if (at->copies-- == 0)
				return VM_AGAIN;
			node = node_copy(node);
			*at->slot = node | TREE_NODE;
		}
		at->path.node[level] = node;
		at->slot = &node_slots(node)[number];
		at->span = slot_span(level);
		at->into = index & (at->span - 1);
		u64 base = index - at->into, left = w.pages - ((base - w.start) & TREE_INDEX_MASK);
		bool inside = window_holds(w, base, at->span);
		at->count = (unsigned)MIN(TREE_FANOUT - number, left >> TREE_BITS * level);
		at->count = inside ? MAX(at->count, 1) : 0;     /* a window of everything may begin within a slot */
		bool node_below = tree_tag(*at->slot) == TREE_NODE;
		if (!node_below || (drop && inside && frame_of(tree_frame(*at->slot))->refs > 1))
			return SYS_OK;
	}
}

unsigned spot_fill(struct tree *t, const struct spot *at, tree_slot_t content)
{
	tree_slot_t *slots = at->slot;
	u64 pages = 0, nodes = 0;
	unsigned i = 0, work = 0, emptied = 0;  /* to drop a page or a subtree is as much as four runs of markers */
	while (i < at->count && work < 4 * TREE_STEP) {
		tree_slot_t slot = slots[i];
		if (tree_frame(slot) == 0) {
			unsigned next = words_same(slots, slot, i, at->count);
			words_fill(&slots[i], content, next - i);
			emptied += slot == TREE_EMPTY ? 0 : next - i;
			i = next;
			work++;
			continue;
		}
		struct frame *f = frame_of(tree_frame(slot));
		if (tree_tag(slot) == TREE_NODE) {
			if (f->refs == 1)
				break;
			f->refs--;
			pages += f->tree.pages;
			nodes += (u64)f->tree.nodes + 1;
		} else {
			page_drop(tree_frame(slot));
			pages++;
		}
		work += 4;
		emptied++;
		slots[i++] = content;
	}
	frame_of(at->path.node[at->path.low])->state += (u16)(content == TREE_EMPTY ? -emptied : i - emptied);
	path_count(&at->path, at->path.low, -(i64)pages, -(i64)nodes);
	tree_uncharge(t, pages + nodes);
	return i;
}

void inline_fill(struct tree *t, u64 page, u64 end, tree_slot_t content)
{
	u64 pages = 0;
	for (; page < MIN(end, TREE_INLINE); page++) {
		if (tree_tag(t->slot[page]) == TREE_PAGE) {
			page_drop(tree_frame(t->slot[page]));
			pages++;
		}
		t->slot[page] = content;
	}
	tree_uncharge(t, pages);
}

/* Makes the nodes that are missing for a slot to stand wholly in the window, and goes there. */
static sys_status_t grow_inside(struct tree *t, struct window w, u64 index, struct spot *at)
{
	tree_slot_t *slot;
	u64 pages = w.pages - ((index - w.start) & TREE_INDEX_MASK);
	sys_status_t status = path_grow(t, index, level_within(index, pages), &slot);
	return status == SYS_OK ? spot_reach(t, w, index, true, at) : status;
}

/* A node that says the same of all that it spans becomes one marker, and so on upwards. The root stays, and inline slots. */
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

/* A step did `slots` of them. */
static sys_status_t step_done(u64 *page, u64 end, const struct spot *at, unsigned slots)
{
	*page += MIN(slots * at->span - at->into, end - *page);
	return *page < end ? VM_AGAIN : SYS_OK;
}

sys_status_t tree_zero_step(struct tree *t, u64 *page, u64 end, enum tree_state state)
{
	tree_slot_t marker = tree_with_state(TREE_ZERO, state);
	struct window w = tree_window(t, *page, end);
	sys_status_t status = SYS_OK;
	struct spot at = { .copies = 1 };
	if (*page >= end)
		return SYS_OK;
	if (t->inlined && *page < TREE_INLINE) {
		inline_fill(t, *page, end, marker);
		*page = MIN(end, TREE_INLINE);
		return *page < end ? VM_AGAIN : SYS_OK;
	}
	if (tree_covers(t, w.start) && frame_of(tree_root(t))->level >= level_within(w.start, w.pages))
		status = spot_reach(t, w, w.start, true, &at);
	if (status == SYS_OK && at.count == 0) {
		if (at.slot && *at.slot == marker)
			return step_done(page, end, &at, 1);
		status = grow_inside(t, w, w.start, &at);
	}
	if (status != SYS_OK)
		return status;
	unsigned slots = spot_fill(t, &at, marker);
	merge(t, &at.path, w.start);
	return step_done(page, end, &at, slots);
}

static bool changes(tree_slot_t slot, unsigned from, enum tree_state to)
{
	return slot != TREE_EMPTY && (from >> tree_state(slot) & 1) && tree_state(slot) != to;
}

static unsigned change_slots(tree_slot_t *slot, unsigned count, unsigned from, enum tree_state to)
{
	unsigned i = 0;
	for (; i < count && tree_tag(slot[i]) != TREE_NODE; i++)
		if (changes(slot[i], from, to))
			slot[i] = tree_with_state(slot[i], to);
	return i;
}

sys_status_t tree_state_step(struct tree *t, u64 *page, u64 end, unsigned from, enum tree_state to)
{
	struct window w = tree_window(t, *page, end);
	struct spot at = { .copies = 1 };
	*page = tree_next(t, *page, end);
	if (*page >= end)
		return SYS_OK;
	u64 index = tree_index(t, *page);
	sys_status_t status = SYS_OK;
	if (t->inlined)
		at = (struct spot){ .slot = &t->slot[*page], .count = (u32)(MIN(end, TREE_INLINE) - *page), .span = 1 };
	else
		status = spot_reach(t, w, index, false, &at);
	if (status == SYS_OK && at.count == 0) {
		if (!changes(*at.slot, from, to))
			return step_done(page, end, &at, 1);
		status = grow_inside(t, w, index, &at);
	}
	if (status != SYS_OK)
		return status;
	unsigned slots = change_slots(at.slot, at.count, from, to);
	merge(t, &at.path, index);
	return step_done(page, end, &at, slots);
}
