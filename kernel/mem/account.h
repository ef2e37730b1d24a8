/* SPDX-License-Identifier: BSD-2-Clause */
/* account.h: memory accounts, the objects behind Untyped capabilities (docs/architecture.md).
 *
 * An account is a right to `total` frames. used (charged here) + promised (totals of the children) <= total, always; so what an account
 * covers cannot fail. All figures in frames. Lock: the kernel lock.
 */
#pragma once
#include "lib/assert.h"
#include "mem/object.h"
#include "mem/watch.h"

#define SLAB_CLASSES 9u

/* Contents that an account pays for and that can be had again, in the order in which they go, and the frames charged to them (vm/reclaim.c). */
struct cache {
	struct list contents;
	u64 frames;
};

struct account {
	struct object object;           /* its memory is its parent's */
	u64 total, used, promised, peak;
	struct account *parent;
	struct list children, sibling;  /* children: those that live, then those that end */
	u32 slabs[SLAB_CLASSES];        /* per size class: first frame number of the list of slabs that have room (slab.c) */
	u32 full[SLAB_CLASSES];         /* those without */
	u64 objects;                    /* objects in its slabs that live (children among them) */
	u32 sweep;                      /* the slab that slab_first_object looks at next */
	struct object *dying;           /* objects being destroyed, a stack (object.c) */
	struct list forks;              /* contents with pages that may hold nothing but zeros */
	struct cache discardable, roots;        /* unlocked ones, longest unlocked first; what pagers have */
	u64 uncached;                   /* as cache.frames, for all other contents */
	struct { u32 number; u8 oldest, seen, idle, spared; bool held; } round;    /* of looking at the pages of its roots */
	struct list watches;            /* that it pays for: those whose slots have moved elsewhere end with it */
	struct watch_low low;           /* that look at it */
	struct deriv from, to;          /* DERIV_ACCOUNT: the place of its first capability, kept when that goes and others stay; else 0 */
	struct list dying_link;         /* on the list of accounts that object_reap_step works on */
	u64 limit, below;               /* `used` may rise to limit, and fall to below, without anything having to be looked at: account_figure() */
	bool closed;                    /* being swept: allocation gives BAD_STATE. Set and cleared by revoke; stays set when the account ends */
	bool parked;                    /* ended, but something of it is still charged: see account.c */
};

/* Frames kept out of the root's total for each CPU, for page copies under way. */
#define ACCOUNT_MARGIN 16u

/* The account of all RAM that is free after boot, modules included, less the margin. Made once; its object is static and never ends.
 * account_init needs frame_init. */
struct account *account_root(void);
void account_init(void);

/* The account whose last charge or promise was refused, if giving up what can be had again would have helped; else NULL. */
extern struct account *account_short;

/* Charges n frames: OK, BAD_STATE (closed or dying), NO_MEMORY, or VM_AGAIN: something of the account's is dying, more than one entry can destroy; the call is
 * made again. Nothing is taken from the free list by this. Where it is short it destroys: the caller holds no pointer to a dying object of the account. */
static inline sys_status_t account_charge(struct account *a, u64 n);
static inline void account_uncharge(struct account *a, u64 n);
/* Moves a charge between accounts (supply): OK, or as account_charge on `to`; from == to: OK. */
static inline sys_status_t account_move_charge(struct account *from, struct account *to, u64 n);

/* A child of `frames` frames, promised by the parent. INVALID_ARGS is the caller's matter. */
sys_status_t account_create(struct account *parent, u64 frames, struct account **out);
/* Makes a child larger or smaller. INVALID_ARGS (not this parent's), BAD_STATE (one of them is closed; the child uses and promises more), NO_MEMORY
 * (the parent has less, after as many steps as a charge takes). What is dying in the child counts as used: the caller works it off first. */
sys_status_t account_resize(struct account *parent, struct account *child, u64 frames);
/* Takes its kept place out of the derivation list, if it has one: what stands there falls to the parent. */
void account_leave_place(struct account *a);
static inline u64 account_free(const struct account *a) { return a->total - a->used - a->promised; }
/* One bounded step of ending every object of the account that still lives (its capabilities are gone already), children accounts first, and of
 * destroying them: true when none is left. The account is closed meanwhile. */
bool account_sweep_step(struct account *a);
/* Anything but `used` has changed, or that has passed one of the limits: sets them anew, and fires watches. O(log of their number). */
void account_figure(struct account *a);
void account_check(const struct account *a);    /* walker: sums, slabs, children */
/* Calls visit for each object that lives, account by account. For walkers: it takes as long as there are objects. */
void account_each_object(void (*visit)(struct object *));
/* Walker over all accounts: each of them, and that no more frames are in use than are charged. */
void account_check_all(void);
extern const struct object_type account_type;   /* account_init sets it */

/* For object_reap_step: accounts with something to do, those to settle first; gives an ended account's frames back to its parent. */
extern struct list account_reapable;
void account_settle_step(struct account *a);

#ifdef VELLUM_HOST
/* Host tests: the n-th allocation from now on (a charge, a promise, a cell) fails with NO_MEMORY; 0: none does. Counts down. */
extern u64 host_fail_charge_at;
static inline bool account_fail_here(void)
{
	if (!host_fail_charge_at || --host_fail_charge_at)
		return false;
	account_short = NULL;
	return true;
}
#else
static inline bool account_fail_here(void) { return false; }
#endif

/* ---- charging, where nothing has to be looked at --------------------------------------------------------------------------------- */
sys_status_t account_charge_look(struct account *a, u64 n);     /* account.c: it is closed, or short, or watched */
void account_uncharge_look(struct account *a);                  /* account.c: it is parked and may have become empty, or it is watched */

static inline sys_status_t account_charge(struct account *a, u64 n)
{
	if (account_fail_here())
		return SYS_ERR_NO_MEMORY;
	if (unlikely(a->closed || n > a->limit - a->used))
		return account_charge_look(a, n);
	a->used += n;
	if (a->used > a->peak)
		a->peak = a->used;
	return SYS_OK;
}

static inline void account_uncharge(struct account *a, u64 n)
{
	ASSERT(n <= a->used);
	a->used -= n;
	if (unlikely(a->used < a->below))
		account_uncharge_look(a);
}

static inline sys_status_t account_move_charge(struct account *from, struct account *to, u64 n)
{
	ASSERT(n <= from->used);
	if (from == to)
		return SYS_OK;
	sys_status_t status = account_charge(to, n);
	if (status == SYS_OK)
		account_uncharge(from, n);
	return status;
}
