/* SPDX-License-Identifier: BSD-2-Clause */
/* watch.h: who is told, by a notification, when something comes true of an object.
 *
 *     slot ------ one tree of all, by slot and event ---- watch ---- of_ntfn: the notification's list
 *     object's watch_list (of_list), or, LOW, its --------+     +--- of_account: the list of the account that pays
 *     account's tree by threshold (by_threshold)
 *
 * Life cycle:
 *   1. watch_create(): paid by the account of the slot's CNode; quiet.
 *   2. watch_fire(), or an account whose free frames fall: O(1) or O(log n) however many are to be told. Lists that fired, and accounts, stand on one
 *      list each, in order; a watch is to be told as long as it has not seen its list's last firing.
 *   3. watch_tell_step() tells one: its bits are signalled. On the way out of the kernel a few are told; the rest by whoever made it come true
 *      (object_reap), the next entries, the idle CPU. What comes true again before it was told is told once.
 *   4. What happens once (all but ZERO_CHILDREN and LOW) ends its watches by telling.
 *   5. watch_end(): with its slot (it moves with it), its notification, its object, or the account that pays; when it is to be told, it is told first.
 *
 * A watch's slot names its object, so an object's memory outlives its watches. A slot and a notification belong to higher layers: here they are
 * an address and an object. Lock: the kernel lock.
 */
#pragma once
#include <vellum/abi.h>
#include "lib/avl.h"
#include "lib/list.h"
#include "lib/types.h"

struct account;
struct object;

struct watch_list {                     /* of one event of an object, a part of it */
	struct list watches;            /* those that are to be told first */
	struct list firing;             /* on the list of lists with something to tell */
	u64 fired;                      /* how often it did */
};

struct watch_low {                      /* LOW: a part of an account */
	struct avl_tree watches;        /* by threshold, then address */
	u64 free;                       /* frames that were free at the last look */
	struct list firing;             /* on the list of accounts with something to tell: */
	u64 from, before;               /* thresholds in [from, before), from the largest down, ... */
	uintptr_t at;                   /* ... and, of threshold `before`, those at lower addresses */
};

struct watch {                          /* PART_WATCH in the slab of the account that pays */
	u8 part, event;
	const void *slot;
	struct object *object;
	struct account *payer;
	struct watch_list *list;        /* NULL: LOW */
	struct object *ntfn;
	u64 bits;
	u64 seen;                       /* its list's firing that it was told of last, or made after */
	u64 threshold;                  /* LOW: in frames */
	struct avl_node by_slot, by_threshold;
	struct list of_list, of_ntfn, of_account;
};

static inline void watch_list_init(struct watch_list *l)
{
	list_init(&l->watches);
	list_init(&l->firing);
}

/* ---- its owner's side ------------------------------------------------------------------------------------------------------------- */
/* It happened: all that are on the list are to be told. O(1). */
void watch_fire_list(struct watch_list *l);
static inline void watch_fire(struct watch_list *l)
{
	if (!list_empty(&l->watches))
		watch_fire_list(l);
}
/* For a reap: ends one of them. False: there is none. */
bool watch_end_one(struct watch_list *l);
bool watch_end_first_of_ntfn(struct list *of_ntfn);
bool watch_end_first_of_account(struct list *of_account);
bool watch_end_lowest(struct watch_low *low);
void watch_list_check(const struct watch_list *l);

/* ---- telling ---------------------------------------------------------------------------------------------------------------------- */
/* Tells one; false: nothing is to be told. */
bool watch_tell_step(void);
extern struct list watch_firing, watch_firing_low;
static inline bool watch_pending(void) { return !list_empty(&watch_firing) || !list_empty(&watch_firing_low); }
/* Set at boot by the layers above. */
struct watch_hooks {
	void (*signal)(struct object *ntfn, u64 bits);
	void (*fired)(void);            /* there is something to tell: come by before leaving */
};
extern struct watch_hooks watch_hooks;

/* ---- the slots' side --------------------------------------------------------------------------------------------------------------- */
void watch_init(void);
struct watch *watch_find(const void *slot, enum sys_event event);
struct watch_subject {                  /* a slot, what it names, and what will fire (NULL: LOW, of the account that it names) */
	const void *slot;
	struct object *object;
	struct watch_list *list;
	enum sys_event event;
};
struct watch_target { struct object *ntfn; struct list *of_ntfn; u64 bits, threshold; };
/* A new one; one of this slot and event that is there ends. NO_MEMORY, BAD_STATE (of the account that pays): that one stays. */
sys_status_t watch_create(struct account *payer, const struct watch_subject *of, const struct watch_target *to);
/* The same watch tells somebody else from now on. What it was to tell, it tells before. */
void watch_change(struct watch *w, const struct watch_target *to);
void watch_end(struct watch *w);
void watch_slot_gone(const void *slot);
void watch_slot_moved(const void *from, const void *to);
/* Walker: the tree, and each watch's place on its lists. `names`: the slot names that object, and is marked as watched. */
void watch_check(bool (*names)(const void *slot, const struct object *o));

/* ---- low.c: accounts ---------------------------------------------------------------------------------------------------------------- */
/* The free frames are so many now: what fell below its threshold is to be told. *quiet: the largest threshold that is not above `free`;
 * *passed: the smallest that is (UINT64_MAX: none). O(log n). */
void low_look(struct watch_low *low, u64 free, u64 *quiet, u64 *passed);
void low_insert(struct watch_low *low, u64 free, struct watch *w);
void low_remove(struct watch_low *low, struct watch *w);
bool low_to_tell(const struct watch_low *low, const struct watch *w);
/* The next to tell, as if told from now on; NULL: none is left, and the account is off the list. */
struct watch *low_next(struct watch_low *low);
void low_check(const struct watch_low *low, u64 free);
