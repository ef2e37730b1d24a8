/* SPDX-License-Identifier: BSD-2-Clause */
/* space.c: address spaces: how they begin and end, and who is found at an address.
 *
 * End of a space, in steps: its threads go; its leaf tables are dropped, oldest first; then what lies in it is
 * structure without hardware, and is taken apart deepest first; then the root table goes. A region ends when it is
 * taken out of its parent (unmap, destroy), or is forced to with its account; the last capability to one that is
 * in use ends nothing. Lock: the kernel lock.
 */
#include "vm/space.h"
#include "arch/arch.h"
#include "lib/assert.h"
#include "mem/account.h"
#include "mem/frame.h"

#define ROOT_FRAMES (1 + SPACE_RESERVE)
#define CAN_MAP_ALL (SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE | SYS_VM_CAN_MAP_EXECUTE | SYS_VM_CAN_MAP_SPECIFIC)

static struct object *object_of(struct vmar *r) { return (struct object *)r; }
static struct space *space_of_root(struct vmar *r) { return container_of(r, struct space, root_vmar); }

sys_status_t space_create(struct account *a, bool wx, struct space **out)
{
	sys_status_t status = account_charge(a, ROOT_FRAMES);
	if (status != SYS_OK)
		return status;
	struct space *s = object_create(a, SYS_TYPE_VMAR, &status);
	if (!s) {
		account_uncharge(a, ROOT_FRAMES);
		return status;
	}
	vmar_prepare(&s->root_vmar, s, SPACE_LOW, SPACE_HIGH - SPACE_LOW);
	s->root_vmar.options = CAN_MAP_ALL;
	s->root_vmar.wx = wx;
	s->account = a;
	s->root = frame_alloc_zeroed(FRAME_TABLE);
	pt_root_init(s->root);
	list_init(&s->threads);
	*out = s;
	return SYS_OK;
}

void vmar_prepare(struct vmar *r, struct space *s, vaddr_t base, u64 size)
{
	r->region.base = base;
	r->region.size = size;
	r->space = s;
	region_tree_init(&r->children);
	r->anchor = base;
	if (vm_randomise)
		r->anchor += arch_random() % (size / 2 + 1) & ~PAGE_MASK;
}

struct mapping *vmar_find(const struct vmar *r, vaddr_t va)
{
	while (!r->destroyed) {
		struct region *c = region_at(r, va);
		if (!c)
			return NULL;
		if (region_is_mapping(c))
			return mapping_of(c);
		r = (struct vmar *)c;
	}
	return NULL;
}

bool vmar_is_dead(const struct vmar *r)
{
	if (!r->space)
		return true;
	for (; r; r = r->region.parent)
		if (r->destroyed)
			return true;
	return false;
}

/* ---- the end --------------------------------------------------------------------------------------------- */
void vmar_detach(struct vmar *r)
{
	region_remove(&r->region);
	r->destroyed = true;
	r->space = NULL;
	object_end(object_of(r));
}

bool vmar_empty_step(struct vmar *r)
{
	struct region *c = region_first(r, 0);

	while (c && !region_is_mapping(c)) {
		struct vmar *inner = (struct vmar *)c;
		inner->destroyed = true;
		c = region_first(inner, 0);
		if (!c)
			vmar_detach(inner);
	}
	if (c)
		mapping_end(mapping_of(c));
	return !r->children.root;
}

/* Nothing names it: a root ends, a region only when it is out of its parent. */
static void vmar_idle(struct object *o)
{
	if (vmar_of(o)->depth == 0)
		object_end(o);
}

static void vmar_ended(struct object *o) { vmar_of(o)->destroyed = true; }

static bool space_reap(struct space *s)
{
	if (!list_empty(&s->threads)) {
		ASSERT(s->ended);
		s->ended(s);
		return false;
	}
	if (space_drop_oldest(s) || !vmar_empty_step(&s->root_vmar))
		return false;
	ASSERT(s->tables == 0 && !s->waits.root);
	arch_root_drop(s->root);
	frame_free(s->root);
	account_uncharge(s->account, ROOT_FRAMES);
	s->root_vmar.space = NULL;
	return true;
}

static bool vmar_reap(struct object *o)
{
	struct vmar *r = vmar_of(o);

	if (r->depth == 0)
		return space_reap(space_of_root(r));
	if (!vmar_empty_step(r))
		return false;
	if (r->region.parent)
		vmar_detach(r);
	return true;
}

const struct object_type vmar_type = {
	.name = "vmar", .size = sizeof(struct space), .idle = vmar_idle, .ended = vmar_ended, .reap = vmar_reap,
};

/* ---- walker ---------------------------------------------------------------------------------------------- */
/* Trees and mappings, and that regions know their place. Recursion: VMAR_DEPTH at most. */
static void check_vmar(const struct space *s, const struct vmar *r)
{
	region_check(r);
	for (struct region *c = region_first(r, 0); c; c = region_next(c)) {
		struct vmar *inner = (struct vmar *)c;
		if (region_is_mapping(c))
			continue;
		ASSERT(inner->space == s && inner->depth == r->depth + 1 && inner->depth <= VMAR_DEPTH);
		ASSERT(!(inner->options & ~r->options & ~SYS_VM_CAN_MAP_SPECIFIC) && inner->wx == r->wx);
		check_vmar(s, inner);
	}
}

/* As vmar_find, in regions that are going as well: their mappings keep their entries until they go. */
static struct mapping *find_any(const struct vmar *r, vaddr_t va)
{
	struct region *c = region_at(r, va);

	while (c && !region_is_mapping(c))
		c = region_at((struct vmar *)c, va);
	return c ? mapping_of(c) : NULL;
}

/* Every entry of a leaf table lies in a mapping that allows it and shows the object's page. */
static void check_leaf(const struct space *s, vaddr_t base)
{
	unsigned entries = 0;

	for (vaddr_t va = base; va < MIN(base + PT_SPAN, PT_USER_TOP); va += PAGE_SIZE_) {
		struct pt_entry e = pt_query(s->root, va);
		if (!e.flags)
			continue;
		struct mapping *m = find_any(&s->root_vmar, va);
		ASSERT(m);
		mapping_check_entry(m, va, e);
		entries++;
	}
	ASSERT(entries > 0);
}

void space_check(struct space *s)
{
	u64 leaves = 0;
	u32 prev = FRAME_NIL;

	check_vmar(s, &s->root_vmar);
	page_wait_check_space(s);
	for (u32 n = s->oldest; n != FRAME_NIL; prev = n, n = frame_table[n].list.next, leaves++) {
		ASSERT(frame_table[n].kind == FRAME_TABLE && frame_table[n].level == 1);
		ASSERT(frame_table[n].list.prev == prev);
		check_leaf(s, frame_table[n].list.owner);
	}
	ASSERT(s->newest == prev && leaves <= s->tables && s->tables <= 3 * leaves);
}
