/* SPDX-License-Identifier: BSD-2-Clause */
/* account.h: memory accounts, the objects behind Untyped capabilities (design.md 4).
 *
 * An account is a right to `total` frames. used (charged here) + promised (totals of the children) <= total, always; so what an account
 * covers cannot fail. All figures in frames. Lock: the kernel lock.
 */
#pragma once
#include "mem/object.h"

#define SLAB_CLASSES 9u

struct account {
	struct object object;           /* its memory is its parent's */
	u64 total, used, promised, peak;
	struct account *parent;
	struct list children, sibling;
	u32 slabs[SLAB_CLASSES];        /* per size class: first frame number of the list of slabs that have room (slab.c) */
	u32 full[SLAB_CLASSES];         /* those without */
	struct object *dying;           /* objects being destroyed */
	struct list dying_link;         /* on the list of accounts that have some */
	bool closed;                    /* being swept: allocation gives BAD_STATE */
};

/* The account of all RAM that is free after boot, less the margin. Made once; its object is static. */
struct account *account_root(void);
void account_init(void);

/* Charges n frames: OK, BAD_STATE (closed or dying), NO_MEMORY (after the dying list was worked off). Nothing is taken from the free list by this. */
sys_status_t account_charge(struct account *a, u64 n);
void account_uncharge(struct account *a, u64 n);
/* Moves a charge between accounts (supply): OK, or as account_charge on `to`; from == to: OK. */
sys_status_t account_move_charge(struct account *from, struct account *to, u64 n);

/* A child of `frames` frames, promised by the parent. INVALID_ARGS is the caller's matter. */
sys_status_t account_create(struct account *parent, u64 frames, struct account **out);
u64 account_free(const struct account *a);      /* total - used - promised */
/* One step of ending every object of the account that still lives (its capabilities are gone already): true when none is left.
 * Children accounts are ended first. */
bool account_sweep_step(struct account *a);
void account_check(const struct account *a);    /* walker: sums, slabs, children */
extern const struct object_type account_type;
