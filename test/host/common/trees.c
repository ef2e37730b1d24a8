/* SPDX-License-Identifier: BSD-2-Clause */
/* trees.c: see trees.h. A step may give or take so many frames, and an operation so many steps for the nodes and pages
 * that it meets. */
#include <stdlib.h>
#include "arch/arch.h"
#include "common/harness.h"
#include "common/trees.h"
#include "vm/tree_node.h"
#include "vm/wait.h"

#define STEP_FRAMES (TREE_STEP + 4 * TREE_LEVELS)

unsigned trees_steps;

u64 trees_value(tree_slot_t slot) { return *(u64 *)phys_to_virt(tree_frame(slot)); }

sys_status_t trees_edit(struct tree *t, u64 page, tree_slot_t **slot)
{
	bool whole = random_below(4) == 0;
	for (unsigned steps = 0;; steps++) {
		sys_status_t status = tree_edit(t, page, whole, slot);
		if (status != VM_AGAIN)
			return status;
		must(!whole && steps < TREE_LEVELS);
	}
}

sys_status_t trees_put(struct tree *t, u64 page, u64 value, enum tree_state state)
{
	tree_slot_t *slot;
	sys_status_t status;
	bool fresh = tree_tag(tree_lookup(t, page)) != TREE_PAGE;
	if (fresh && (status = tree_charge(t, 1)) != SYS_OK)
		return status;
	if ((status = trees_edit(t, page, &slot)) != SYS_OK) {
		if (fresh)
			tree_uncharge(t, 1);
		return status;
	}
	if (fresh)
		tree_fill(t, page, slot, frame_alloc_zeroed(FRAME_PAGE) | TREE_PAGE);
	else if (frame_of(tree_frame(*slot))->refs > 1)
		tree_replace(t, page, slot, frame_alloc_zeroed(FRAME_PAGE));
	*slot = tree_with_state(*slot, state);
	*(u64 *)phys_to_virt(tree_frame(*slot)) = value;
	return SYS_OK;
}

/* ---- steps -------------------------------------------------------------------------------------- */
static u64 free_before;
static unsigned steps_left;

static void steps_begin(const struct tree *t, u64 page, u64 end)
{
	struct tree_counts all, range;
	tree_count(t, 0, TREE_ALL, &all);
	tree_count(t, page, end, &range);
	steps_left = (unsigned)(range.pages / TREE_STEP + 3 * all.nodes + 6 * TREE_LEVELS);
	trees_steps = 0;
}

static void step_begin(void)
{
	must(steps_left-- > 0);
	trees_steps++;
	free_before = frame_count_free();
}

static void step_end(void)
{
	u64 now = frame_count_free();
	must((now > free_before ? now - free_before : free_before - now) <= STEP_FRAMES);
}

void trees_remove(struct tree *t, u64 page, u64 end)
{
	bool done = false;
	steps_begin(t, page, end);
	steps_left += TREE_FANOUT * 2 * TREE_LEVELS;    /* a step for each marker at the edges */
	while (!done) {
		step_begin();
		done = tree_remove_step(t, page, end);
		step_end();
	}
}

sys_status_t trees_zero(struct tree *t, u64 *page, u64 end, enum tree_state state)
{
	sys_status_t status;
	steps_begin(t, *page, end);
	do {
		u64 was = *page;
		step_begin();
		status = tree_zero_step(t, page, end, state);
		step_end();
		must(*page >= was && *page <= (was > end ? was : end) && (status == SYS_OK) == (*page >= end));
	} while (status == VM_AGAIN);
	return status;
}

sys_status_t trees_set_state(struct tree *t, u64 *page, u64 end, unsigned from, enum tree_state to)
{
	sys_status_t status;
	steps_begin(t, *page, end);
	steps_left += TREE_FANOUT * 2 * TREE_LEVELS;
	do {
		u64 was = *page;
		step_begin();
		status = tree_state_step(t, page, end, from, to);
		step_end();
		must(*page >= was && (status == SYS_OK) == (*page >= end));
	} while (status == VM_AGAIN);
	return status;
}

static sys_status_t split_step(struct tree *t, u64 page)
{
	u64 index = tree_index(t, page);
	struct spot at = { .copies = 1 };
	struct tree_path p;
	tree_slot_t *slot;
	if (t->inlined || tree_tag(tree_lookup(t, page)) != TREE_ZERO)
		return SYS_OK;
	path_find(t, index, &p);
	if ((index & (slot_span(p.low) - 1)) == 0)
		return SYS_OK;
	sys_status_t status = spot_reach(t, (struct window){ index, 1 }, index, false, &at);
	return status == SYS_OK ? path_grow(t, index, level_within(index, TREE_ALL), &slot) : status;
}

sys_status_t trees_split(struct tree *t, u64 page)
{
	sys_status_t status;
	for (unsigned copies = 0; (status = split_step(t, page)) == VM_AGAIN; copies++)
		must(copies < TREE_LEVELS);
	return status;
}

void trees_end(struct tree *t)
{
	trees_remove(t, 0, TREE_ALL);
	must(t->charged == 0 && t->inlined);
}
