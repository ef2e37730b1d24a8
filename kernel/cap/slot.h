/* SPDX-License-Identifier: BSD-2-Clause */
/* slot.h: capabilities: slots, the CNodes that hold them, and how one comes from another.
 *
 * A capability is a slot: object, rights, badge, and two entries in the derivation list (mem/object.h). Everything between a slot's opening and closing
 * entry was derived from it:
 *
 *     untyped( endpoint( copy( ) minted( mapping ) ) vmo( ) )        one list, read from left to right
 *
 * Insertion behind an opening entry, removal of an inner capability (its children fall to its parent) and move are O(1). Revoke removes what stands
 * before its own closing entry, again and again.
 *
 * A CNode is a tree of frames of 64 slots. Free slots are on one list, oldest first, and keep their next generation; a slot at its last generation
 * retires. Slot 0 is never used. A CNode holds itself weakly: its threads have back links.
 *
 * Rules: rights of a child are a subset of its parent's. A slot under revoke is marked; who meets the mark does revoke steps first.
 * Lock: the kernel lock.
 */
#pragma once
#include "sched/thread.h"

enum slot_flags {
	SLOT_FIRST = 1,                 /* the first capability of its object: made with it */
	SLOT_REVOKING = 2,              /* somebody revokes below it */
	SLOT_RETIRED = 4,               /* its last generation was used */
	SLOT_WATCHED = 8,               /* a watch was set through it (mem/watch.h); it may have ended by itself */
	SLOT_LISTED = 16,               /* it names a window on a VMO, and is on the list of that one's slots */
};

struct slot {
	struct object *object;          /* NULL: free */
	u32 generation;
	u16 rights;
	u16 flags;
	struct deriv open, close;       /* free: open links the CNode's list of free slots */
	union {
		u64 badge;
		struct list listed;     /* SLOT_LISTED: among window->slots. A window does not stand below the account that pays for it, whose end
		                         * has to find its capabilities elsewhere */
	};
};
_Static_assert(sizeof(struct slot) == 64, "a slot is one cache line");

#define SLOTS_PER_FRAME 64u
#define CNODE_MAX_SLOTS (1u << 20)
#define CNODE_MIN_SLOTS 16u
#define GENERATION_LAST UINT32_MAX

struct cnode {
	struct object object;
	u32 slots, frames;              /* frames: all of its own, charged to its account */
	u32 built;                      /* slots that are laid out so far; == slots when finished */
	u32 direct;                     /* those of them that one step from `leaf` finds: all, or with two levels none */
	u8 levels;                      /* index frames on the way to a slot frame: 0 to 2 */
	void *root;                     /* the topmost frame: of slots, of their addresses, or of addresses of such frames */
	struct slot **leaf;             /* with up to one level: where the addresses of frames of slots stand; NULL with two */
	struct list free;               /* by slot.open, see free_link() */
	struct list threads;            /* whose CSpace it is */
};
struct notification;
extern const struct object_type cnode_type;
extern struct cnode cnode_none;         /* the CSpace of threads that have none: nothing is in it */

static inline sys_cap_t slot_name(u32 index, u32 generation) { return index | (u64)generation << 32; }
u32 slot_index(const struct slot *s);
struct cnode *slot_cnode(const struct slot *s);
static inline sys_cap_t slot_cap(const struct slot *s) { return slot_name(slot_index(s), s->generation); }

/* ---- CNodes ------------------------------------------------------------------------------------------------------------------------ */

/* INVALID_ARGS (not a power of two, out of bounds), NO_MEMORY, BAD_STATE. The CNode is charged whole, laid out by cnode_build_step. */
sys_status_t cnode_create(struct account *a, u32 slots, struct cnode **out);
bool cnode_build_step(struct cnode *c);                         /* one frame; true: finished */
struct slot *cnode_deep(const struct cnode *c, u32 index);      /* for a CNode of two levels */

/* NULL: past the end or not laid out. */
static inline struct slot *cnode_slot(const struct cnode *c, u32 index)
{
	if (likely(index < c->direct))
		return c->leaf[index / SLOTS_PER_FRAME] + index % SLOTS_PER_FRAME;
	return index < c->built ? cnode_deep(c, index) : NULL;
}

/* The slot that this name names: NULL when there is none (BAD_CAP). */
static inline struct slot *cnode_lookup(const struct cnode *c, sys_cap_t name)
{
	struct slot *s = cnode_slot(c, (u32)name);

	if (unlikely(!s) || unlikely(!s->object || s->generation != name >> 32))
		return NULL;
	return s;
}

/* A free slot for a destination: SYS_SLOT_ANY or a full name. NO_SLOT, OUT_OF_RANGE, INVALID_ARGS (slot 0, a generation below the slot's), ALREADY_EXISTS,
 * BAD_STATE (not laid out yet). Changes nothing: slot_fill takes it. *generation: what the capability's name will carry. */
sys_status_t cnode_free_slot(struct cnode *c, sys_cap_t name, struct slot **out, u32 *generation);
bool cnode_has_free(const struct cnode *c, u32 count);
void cnode_set_cspace(struct thread *t, struct cnode *c);       /* NULL: cnode_none */
void cnode_check(const struct cnode *c);

/* ---- capabilities ------------------------------------------------------------------------------------------------------------------ */

/* COMMIT of every creation: names `o` in the free slot, below `parent` (NULL: it stands alone, at boot). */
void slot_fill(struct slot *s, u32 generation, struct object *o, sys_rights_t rights, u64 badge, struct slot *parent, u16 flags);
/* Takes the capability out of its slot: its children fall to its parent. O(1). */
void slot_clear(struct slot *s);
/* The last capability of an account is to be revoked. It takes the place that the first one left, around all that was made with either. */
void slot_inherit(struct slot *s, struct account *a);
/* dst (free) takes the place of src, which is cleared. O(1). */
void slot_move(struct slot *src, struct slot *dst, u32 generation);
static inline u64 slot_badge(const struct slot *s) { return s->flags & SLOT_LISTED ? 0 : s->badge; }
static inline bool slot_derived(const struct slot *s) { return deriv_at(s->close.prev) != &s->open; }   /* something stands below it */

/* The calls' work; statuses as the table declares them, or VM_AGAIN. */
sys_status_t cap_delete(struct slot *s);
sys_status_t cap_revoke(struct slot *s);
sys_status_t cap_move(struct slot *src, struct cnode *to, sys_cap_t name, struct slot **out);

/* Sets, changes or (bits 0) ends the slot's watch of this event; there may be none to end. INVALID_ARGS (no such event; a threshold, but not LOW;
 * nobody to tell), WRONG_TYPE (an object without that event), NO_MEMORY, BAD_STATE (the CNode's account). */
sys_status_t cap_watch(struct slot *s, u64 event, u64 threshold, struct notification *n, u64 bits);
void cap_watch_check(void);                                     /* walker: all watches */

void cap_boot(void);
void deriv_check(const struct slot *first);                     /* walker: the Euler list from this slot on is well nested, rights shrink */
