/* SPDX-License-Identifier: BSD-2-Clause */
/* trees.h: what the kernel does with page trees, for tests of the trees themselves: whole operations, made of steps
 * whose number and size are watched. */
#pragma once
#include "vm/tree.h"

/* A page of this value and state at `page`, as the cursor puts it there. The statuses of tree_charge and tree_edit. */
sys_status_t trees_put(struct tree *t, u64 page, u64 value, enum tree_state state);
/* The slot of `page`, the tree's own (tree_edit until it is). */
sys_status_t trees_edit(struct tree *t, u64 page, tree_slot_t **slot);
u64 trees_value(tree_slot_t slot);
void trees_remove(struct tree *t, u64 page, u64 end);
/* *page: how far it came. */
sys_status_t trees_zero(struct tree *t, u64 *page, u64 end, enum tree_state state);
sys_status_t trees_set_state(struct tree *t, u64 *page, u64 end, unsigned from, enum tree_state to);
/* Breaks a marker that reaches over the edge between page - 1 and page: SYS_OK, or what its nodes could not be had for. */
sys_status_t trees_split(struct tree *t, u64 page);
/* Everything goes; the tree is as new. */
void trees_end(struct tree *t);
/* Steps that the operation before this took. */
extern unsigned trees_steps;
