/* SPDX-License-Identifier: BSD-2-Clause */
/* object.h: what all kernel objects have in common: a type, who pays, who names and who holds it, and how it dies.
 *
 * Life cycle:
 *   1. object_create() takes memory from an account's slabs, zeroed; caps = 0, refs = 0.
 *   2. Capabilities (caps) and other objects (refs) come and go. Only strong holders count in refs; a weak pointer has a back link instead.
 *   3. object_unref()/object_uncap(): when both are zero the type's `idle` decides; by default that is object_end().
 *      object_end() may also be forced: the account is swept, a process is killed. O(1): the object goes to its account's dying list.
 *   4. object_reap_step() calls the type's `reap` again and again, each a bounded step that cuts pointers from and to other objects and gives
 *      content back. When it says done, and neither capabilities nor references are left, the memory goes back to the slab.
 *      A dying object that is still named is unusable: lookups give BAD_STATE or BAD_CAP as the type's calls say.
 * Who reaps: whoever deleted, info on an account, a short allocation, revoke, and the idle CPU. Lock: the kernel lock.
 */
#pragma once
#include <vellum/abi.h>
#include "lib/list.h"
#include "lib/types.h"

/* Internal status: one bounded step was done, make the same call (or instruction) again. Never seen by programs. */
#define VM_AGAIN 1

struct account;

enum object_flags {
	OBJECT_DYING = 1,
	OBJECT_REAPED = 2,              /* reap is done, but the object is still named */
	OBJECT_CUT = 4,                 /* object.c's own: reap is done, but the object is not yet off the dying list */
};

struct object {
	union {
		struct {
			u8 type;        /* enum sys_type, or 0x80 and above: a part without this header (slab.h) */
			u8 flags;
		};
		u16 alive_as;           /* both at once: a type, where nothing is flagged */
	};
	u16 unused;
	u32 caps;                       /* capabilities that name it, in slots */
	u32 refs;                       /* strong references of other objects */
	u32 extra;                      /* the type's own */
	struct account *account;        /* who pays for its memory */
	sys_koid_t koid;
	struct object *next_dying;
};

struct object_type {
	const char *name;
	u32 size;                       /* bytes, as slab_alloc takes them */
	void (*idle)(struct object *);  /* caps and refs are 0 (or caps became 0: see caps_gone); NULL: object_end */
	void (*caps_gone)(struct object *);     /* the last capability went though refs may be left (not when dying); NULL: nothing */
	void (*ended)(struct object *); /* at once at object_end, O(1): make it unusable; NULL: nothing */
	bool (*reap)(struct object *);  /* one bounded step, allocates nothing; true: nothing left to cut (then not called again); NULL: nothing to cut */
};

/* Set once at boot (or by a host test) for each type. */
void object_type_set(enum sys_type type, const struct object_type *ops);
const struct object_type *object_type_of(const struct object *o);

/* NULL: the account is short (NO_MEMORY) or closed (BAD_STATE) - *status says which. */
void *object_create(struct account *account, enum sys_type type, sys_status_t *status);
/* Takes back an object_create whose caller failed later: nothing names the object yet. Its memory is back at once; no hook is called. */
void object_discard(struct object *o);
/* An object that is no account's and never ends (the kernel holds a reference). */
void object_init_static(struct object *o, enum sys_type type);
static inline void object_ref(struct object *o) { o->refs++; }
void object_unref(struct object *o);
static inline void object_cap(struct object *o) { o->caps++; }
void object_uncap(struct object *o);
void object_end(struct object *o);
static inline bool object_dying(const struct object *o) { return o->flags & OBJECT_DYING; }

/* One step of destruction, of this account's or (NULL, or the account itself is dying) of anybody's dying objects. False: there is none.
 * Inside a reap it does nothing and says false. */
bool object_reap_step(struct account *account);
extern u64 object_reap_steps;   /* done since boot */
/* For an account's own reap: hands its topmost dying object up to the list that is worked on. False: it has none. */
bool object_hand_up(struct account *account);
/* Steps until there is nothing left or an interrupt is pending (at least one step); tells watches too (watch.h). True: nothing left. */
bool object_reap(struct account *account);

/* The derivation list (docs/architecture.md): every capability has an opening and a closing entry in one doubly linked Euler list, things that
 * hang below capabilities (mappings, views, pins) a single leaf entry. The kind of a neighbour is kept in the low bits of the link to it. */
enum deriv_kind { DERIV_SLOT_OPEN, DERIV_SLOT_CLOSE, DERIV_MAPPING, DERIV_VIEW, DERIV_ACCESSOR, DERIV_ACCOUNT };
struct deriv { u64 next, prev; };       /* address of the neighbour's struct deriv | its enum deriv_kind */

static inline struct deriv *deriv_at(u64 link) { return (struct deriv *)(link & ~7ull); }
static inline enum deriv_kind deriv_kind_of(u64 link) { return (enum deriv_kind)(link & 7); }

/* Puts `d` (a leaf of this kind) right behind the entry `after` (of kind after_kind). O(1). */
void deriv_insert(struct deriv *after, enum deriv_kind after_kind, struct deriv *d, enum deriv_kind kind);
void deriv_remove(struct deriv *d);     /* a removed entry's links are 0; removing it again does nothing */
