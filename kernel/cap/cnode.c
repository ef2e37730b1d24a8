/* SPDX-License-Identifier: BSD-2-Clause */
/* cnode.c: CNodes: trees of frames of slots, free lists, names. See slot.h. Lock: the kernel lock.
 *
 * The frame table tells for each frame of slots whose it is and which slots: list.owner is the CNode, list.next the index of its first slot. */
#include "cap/slot.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "vm/window.h"

#define INDEX_BITS 9u
#define INDEX_MASK ((1u << INDEX_BITS) - 1)
#define FRAME_SLOT_BITS 6u

/* A free slot's place on the free list. */
static struct list *free_link(struct slot *s) { return (struct list *)&s->open; }
static struct slot *free_slot(struct list *l) { return container_of(l, struct slot, open); }

u32 slot_index(const struct slot *s)
{
	return frame_of(virt_to_phys(s))->list.next + (u32)(((uintptr_t)s & PAGE_MASK) / sizeof(*s));
}

struct cnode *slot_cnode(const struct slot *s)
{
	return (struct cnode *)frame_of(virt_to_phys(s))->list.owner;
}

/* ---- building ------------------------------------------------------------------------------------------------------------------------ */

static u8 levels_for(u32 slots)
{
	if (slots <= SLOTS_PER_FRAME)
		return 0;
	return slots <= SLOTS_PER_FRAME << INDEX_BITS ? 1 : 2;
}

static u32 frames_for(u32 slots)
{
	u32 leaves = (slots + SLOTS_PER_FRAME - 1) / SLOTS_PER_FRAME, levels = levels_for(slots);

	return leaves + (levels > 0) + (levels > 1 ? leaves >> INDEX_BITS : 0);
}

sys_status_t cnode_create(struct account *a, u32 slots, struct cnode **out)
{
	sys_status_t status;
	struct cnode *c;

	if (slots < CNODE_MIN_SLOTS || slots > CNODE_MAX_SLOTS || (slots & (slots - 1)))
		return SYS_ERR_INVALID_ARGS;
	c = object_create(a, SYS_TYPE_CNODE, &status);
	if (!c)
		return status;
	status = account_charge(a, frames_for(slots));
	if (status != SYS_OK) {
		object_discard(&c->object);
		return status;
	}
	list_init(&c->free);
	list_init(&c->threads);
	c->slots = slots;
	c->frames = frames_for(slots);
	c->levels = levels_for(slots);
	if (c->levels)
		c->root = phys_to_virt(frame_alloc_zeroed(FRAME_OBJECT));
	if (c->levels < 2)
		c->leaf = c->levels ? c->root : (struct slot **)&c->root;
	*out = c;
	return SYS_OK;
}

/* Where the address of the frame with this slot stands: a cell of the last index frame (made here if it is missing), or the root itself. */
static void **leaf_cell(struct cnode *c, u32 index)
{
	u32 leaf = index >> FRAME_SLOT_BITS;
	void **cell = &c->root;

	for (int level = c->levels; level > 0; level--) {
		if (!*cell)
			*cell = phys_to_virt(frame_alloc_zeroed(FRAME_OBJECT));
		cell = (void **)*cell + (leaf >> ((level - 1) * INDEX_BITS) & INDEX_MASK);
	}
	return cell;
}

bool cnode_build_step(struct cnode *c)
{
	u32 first = c->built, end = MIN(c->slots, first + SLOTS_PER_FRAME);
	struct slot *slot;
	paddr_t frame;

	if (first >= c->slots)
		return true;
	frame = frame_alloc_zeroed(FRAME_OBJECT);
	frame_of(frame)->list.owner = (u64)c;
	frame_of(frame)->list.next = first;
	slot = phys_to_virt(frame);
	*leaf_cell(c, first) = slot;
	for (u32 i = first; i < end; i++, slot++)
		if (i != 0)
			list_append(&c->free, free_link(slot));
	c->built = end;
	c->direct = c->leaf ? end : 0;
	return end == c->slots;
}

/* ---- finding --------------------------------------------------------------------------------------------------------------------------- */

struct slot *cnode_deep(const struct cnode *c, u32 index)
{
	u32 leaf = index >> FRAME_SLOT_BITS;
	void *at = c->root;

	for (int level = c->levels; level > 0; level--)
		at = ((void **)at)[leaf >> ((level - 1) * INDEX_BITS) & INDEX_MASK];
	return (struct slot *)at + index % SLOTS_PER_FRAME;
}

bool cnode_has_free(const struct cnode *c, u32 count)
{
	const struct list *l = &c->free;

	for (; count; count--)
		if ((l = l->next) == &c->free)
			return false;
	return true;
}

sys_status_t cnode_free_slot(struct cnode *c, sys_cap_t name, struct slot **out, u32 *generation)
{
	struct slot *s;

	if (c->built < c->slots)
		return SYS_ERR_BAD_STATE;
	if (name == SYS_SLOT_ANY) {
		if (list_empty(&c->free))
			return SYS_ERR_NO_SLOT;
		*out = free_slot(c->free.next);
		*generation = (*out)->generation;
		return SYS_OK;
	}
	if ((u32)name >= c->slots)
		return SYS_ERR_OUT_OF_RANGE;
	s = cnode_slot(c, (u32)name);
	if ((u32)name == 0 || !s || name >> 32 < s->generation || (s->flags & SLOT_RETIRED))
		return SYS_ERR_INVALID_ARGS;
	if (s->object)
		return SYS_ERR_ALREADY_EXISTS;
	*out = s;
	*generation = (u32)(name >> 32);
	return SYS_OK;
}

/* ---- the slot's own life ------------------------------------------------------------------------------------------------------------- */

/* An endpoint's RECV capabilities are counted: when the last one goes it can never get one back, so it ends. */
static void count_rights(struct object *o, sys_rights_t rights, int change)
{
	if (o->type != SYS_TYPE_ENDPOINT || !(rights & SYS_RIGHT_RECV))
		return;
	o->extra += (u32)change;
	if (o->extra == 0)
		object_end(o);
}

static void take_free(struct slot *s, u32 generation)
{
	DEBUG_ASSERT(!s->object);
	list_remove(free_link(s));
	s->generation = generation;
}

static void give_free(struct slot *s)
{
	s->object = NULL;
	s->rights = 0;                  /* so that the fast path need not ask for an object */
	list_init(free_link(s));
	s->flags = s->generation == GENERATION_LAST ? SLOT_RETIRED : 0;
	if (s->flags)
		return;
	s->generation++;
	list_append(&slot_cnode(s)->free, free_link(s));
}

void slot_fill(struct slot *s, u32 generation, struct object *o, sys_rights_t rights, u64 badge, struct slot *parent, u16 flags)
{
	take_free(s, generation);
	s->open = s->close = (struct deriv){ 0, 0 };
	s->object = o;
	s->rights = (u16)rights;
	s->badge = badge;
	s->flags = flags;
	if (o->type == SYS_TYPE_VMO && vmo_is_window((struct vmo *)o)) {
		s->flags |= SLOT_LISTED;
		list_append(&((struct vmo *)o)->slots, &s->listed);
	}
	object_cap(o);
	count_rights(o, rights, 1);
	if (parent)
		deriv_insert(&parent->open, DERIV_SLOT_OPEN, &s->open, DERIV_SLOT_OPEN);
	deriv_insert(&s->open, DERIV_SLOT_OPEN, &s->close, DERIV_SLOT_CLOSE);
}

/* Whoever names `from` as a neighbour names `to` from now on. */
static void take_place(struct deriv *from, struct deriv *to, enum deriv_kind kind)
{
	*to = *from;
	if (to->prev)
		deriv_at(to->prev)->next = (u64)to | kind;
	if (to->next)
		deriv_at(to->next)->prev = (u64)to | kind;
}

COLD static void hand_on(struct deriv *from, struct deriv *to, enum deriv_kind kind)
{
	take_place(from, to, kind);
	*from = (struct deriv){ 0 };
}

/* What a slot's flags stand for goes first. The first capability of an account that has others leaves its place, with all that was made with it, to the
 * last one (slot_inherit). */
COLD static void unflag(struct slot *s)
{
	struct account *a = (struct account *)s->object;

	if (s->flags & SLOT_WATCHED)
		watch_slot_gone(s);
	if (s->flags & SLOT_LISTED)
		list_remove(&s->listed);
	if (!(s->flags & SLOT_FIRST) || a->object.type != SYS_TYPE_UNTYPED || a->object.caps == 1 || object_dying(&a->object))
		return;
	hand_on(&s->open, &a->from, DERIV_ACCOUNT);
	hand_on(&s->close, &a->to, DERIV_ACCOUNT);
}

COLD void slot_inherit(struct slot *s, struct account *a)
{
	s->flags |= SLOT_REVOKING;
	if (!a->from.next)
		return;
	deriv_remove(&s->open);
	deriv_remove(&s->close);
	hand_on(&a->from, &s->open, DERIV_SLOT_OPEN);
	hand_on(&a->to, &s->close, DERIV_SLOT_CLOSE);
}

void slot_clear(struct slot *s)
{
	struct object *o = s->object;
	sys_rights_t rights = s->rights;

	if (unlikely(s->flags))
		unflag(s);
	deriv_remove(&s->open);
	deriv_remove(&s->close);
	give_free(s);
	count_rights(o, rights, -1);
	object_uncap(o);
}

void slot_move(struct slot *src, struct slot *dst, u32 generation)
{
	take_free(dst, generation);
	dst->object = src->object;
	dst->rights = src->rights;
	dst->badge = src->badge;
	dst->flags = src->flags;
	if (unlikely(src->flags & SLOT_WATCHED))
		watch_slot_moved(src, dst);
	if (unlikely(src->flags & SLOT_LISTED)) {
		list_insert_after(&src->listed, &dst->listed);
		list_remove(&src->listed);
	}
	take_place(&src->open, &dst->open, DERIV_SLOT_OPEN);
	take_place(&src->close, &dst->close, DERIV_SLOT_CLOSE);
	give_free(src);
}

/* ---- CSpaces ---------------------------------------------------------------------------------------------------------------------------- */

struct cnode cnode_none = { .object = { .type = SYS_TYPE_CNODE, .refs = 1 }, .free = LIST_INIT(cnode_none.free), .threads = LIST_INIT(cnode_none.threads) };

void cnode_set_cspace(struct thread *t, struct cnode *c)
{
	list_remove(&t->in_cspace);
	t->cspace = c ? c : &cnode_none;
	if (c)
		list_append(&c->threads, &t->in_cspace);
}

/* ---- the end ---------------------------------------------------------------------------------------------------------------------------- */

/* Capabilities that a step of destruction deletes. */
#define CLEAR_STEP 16u

/* Deletes the last capabilities that are left, and gives a frame back that has none. One under revoke is finished first. */
static void clear_some(struct cnode *c)
{
	void **cell = leaf_cell(c, c->built - 1);

	for (unsigned step = 0; step < CLEAR_STEP && c->built; step++) {
		u32 last = c->built - 1;
		struct slot *slot = (struct slot *)*cell + last % SLOTS_PER_FRAME;

		if (slot->object && cap_delete(slot) == VM_AGAIN)
			return;
		if (last != 0)
			list_remove(free_link(slot));
		c->built = last;
		c->direct = c->leaf ? last : 0;
		if (last % SLOTS_PER_FRAME == 0) {
			frame_free(virt_to_phys(*cell));
			*cell = NULL;
			return;
		}
	}
}

/* The frames of slots are gone: only of two levels is anything named here, from the first cell on, and never by the last. */
static void free_index(void **index)
{
	for (void **cell = index; *cell; cell++)
		frame_free(virt_to_phys(*cell));
	frame_free(virt_to_phys(index));
}

static bool cnode_reap(struct object *o)
{
	struct cnode *c = (struct cnode *)o;

	if (!list_empty(&c->threads)) {
		cnode_set_cspace(list_first(&c->threads, struct thread, in_cspace), NULL);
		return false;
	}
	if (c->built)
		return clear_some(c), false;
	if (c->levels)
		free_index(c->root);
	account_uncharge(c->object.account, c->frames);
	return true;
}

const struct object_type cnode_type = { .name = "cnode", .size = sizeof(struct cnode), .caps_gone = object_end, .reap = cnode_reap };

void cnode_check(const struct cnode *c)
{
	u32 used = 0, free = 0;

	for (u32 i = 1; i < c->built; i++) {
		struct slot *s = cnode_slot(c, i);

		ASSERT(slot_cnode(s) == c && slot_index(s) == i);
		if (!s->object)
			continue;
		used++;
		ASSERT(s->object->caps > 0);
		ASSERT(deriv_at(s->open.next)->prev == ((u64)&s->open | DERIV_SLOT_OPEN));
		ASSERT(deriv_at(s->close.prev)->next == ((u64)&s->close | DERIV_SLOT_CLOSE));
	}
	list_each(l, &c->free) {
		ASSERT(free_slot(l)->object == NULL);
		free++;
	}
	ASSERT(used + free <= c->built);
}
