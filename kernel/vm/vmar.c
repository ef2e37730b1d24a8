/* SPDX-License-Identifier: BSD-2-Clause */
/* vmar.c: the calls on address regions: allocate, map, unmap, destroy, maps. (protect: protect.c.)
 *
 * Order of checks: options, alignment and lengths (INVALID_ARGS); what the region itself allows (ACCESS_DENIED);
 * ranges (INVALID_ARGS, OUT_OF_RANGE); options that the object refuses (NOT_SUPPORTED); state (BAD_STATE); memory;
 * room. Memory is reserved before a place is chosen, because reserving may end things that are dying, and what has
 * a place is inserted at once. Lock: the kernel lock.
 */
#include "vm/vmar.h"
#include "arch/arch.h"
#include "lib/assert.h"
#include "vm/space.h"
#include "vm/view.h"
#include "vm/window.h"

#define PERM_WX      (SYS_VM_PERM_WRITE | SYS_VM_PERM_EXECUTE)
#define CAN_MAP_RWX  (SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE | SYS_VM_CAN_MAP_EXECUTE)
#define CAN_MAP_SHIFT 11u               /* CAN_MAP_* from PERM_* */
#define ALIGN_FIELD  0xff000000u
#define SPECIFIC     (SYS_VM_SPECIFIC | SYS_VM_SPECIFIC_OVERWRITE)
#define PLACE        (SYS_VM_COMPACT | SPECIFIC | SYS_VM_OFFSET_IS_UPPER_LIMIT | ALIGN_FIELD)
#define KEPT         (SYS_VM_ALLOW_FAULTS | SYS_VM_FAULT_BEYOND_STREAM_SIZE | SYS_VM_SHARED)
#define OVERWRITE_ATOMIC 4u             /* uninterrupted steps of replacing: 2 MiB of pages, or so many mappings */
#define PRESENT_PAGES 2048u             /* pages looked at for MAP_RANGE */

_Static_assert(SYS_VM_CAN_MAP_READ == SYS_VM_PERM_READ << CAN_MAP_SHIFT &&
               SYS_VM_CAN_MAP_EXECUTE == SYS_VM_PERM_EXECUTE << CAN_MAP_SHIFT, "CAN_MAP_SHIFT");
_Static_assert((u32)SYS_RIGHT_READ == (u32)SYS_VM_PERM_READ && (u32)SYS_RIGHT_WRITE == (u32)SYS_VM_PERM_WRITE &&
               (u32)SYS_RIGHT_EXECUTE == (u32)SYS_VM_PERM_EXECUTE, "rights as permissions");

/* ---- where ----------------------------------------------------------------------------------------------- */
bool vmar_range(const struct vmar *r, vaddr_t addr, u64 len, vaddr_t *end)
{
	vaddr_t base = r->region.base;

	if (!page_aligned(addr) || len == 0 || len > UINT64_MAX - PAGE_MASK)
		return false;
	len = page_up(len);
	if (addr < base || addr - base > r->region.size || len > r->region.size - (addr - base))
		return false;
	*end = addr + len;
	return true;
}

static u64 align_of(u32 options) { return options & ALIGN_FIELD ? 1ull << (options >> 24) : PAGE_SIZE_; }

static bool place_options_ok(u32 options, u64 offset)
{
	u32 log2 = options >> 24;
	bool specific = options & SPECIFIC, upper = options & SYS_VM_OFFSET_IS_UPPER_LIMIT;

	if (log2 && (log2 < 10 || log2 > 32))
		return false;
	return page_aligned(offset) && !(specific && upper) && (specific || upper || offset == 0);
}

static bool place_range_ok(const struct vmar *r, u32 options, u64 offset, u64 size)
{
	u64 room = r->region.size;

	if (options & SYS_VM_OFFSET_IS_UPPER_LIMIT)
		return offset <= room && size <= offset;
	if (offset >= room || size > room - offset)
		return false;
	return !(options & SPECIFIC) || ((r->region.base + offset) & (align_of(options) - 1)) == 0;
}

/* ACCESS_DENIED where the region does not allow a fixed place. */
static bool place_allowed(const struct vmar *r, u32 options)
{
	return !(options & (SPECIFIC | SYS_VM_OFFSET_IS_UPPER_LIMIT)) || r->options & SYS_VM_CAN_MAP_SPECIFIC;
}

static sys_status_t place_choose(const struct vmar *r, u32 options, u64 offset, u64 size, vaddr_t *at)
{
	vaddr_t base = r->region.base;

	if (options & SPECIFIC) {
		struct region *c = region_first(r, base + offset);
		*at = base + offset;
		return c && c->base < *at + size ? SYS_ERR_ALREADY_EXISTS : SYS_OK;
	}
	vaddr_t limit = options & SYS_VM_OFFSET_IS_UPPER_LIMIT ? base + offset : region_end(&r->region);
	bool compact = options & SYS_VM_COMPACT;
	return region_place(r, size, align_of(options), limit, compact, at) ? SYS_OK : SYS_ERR_NO_RESOURCES;
}

/* ---- allocate -------------------------------------------------------------------------------------------- */
static sys_status_t allocate_check(const struct vmar *parent, sys_rights_t rights, u32 options, u64 offset, u64 size)
{
	if (options & ~(PLACE | CAN_MAP_RWX | SYS_VM_CAN_MAP_SPECIFIC) || !place_options_ok(options, offset))
		return SYS_ERR_INVALID_ARGS;
	if (size == 0 || !page_aligned(size))
		return SYS_ERR_INVALID_ARGS;
	u32 allowed = parent->options & (rights & MAPPING_PERMS) << CAN_MAP_SHIFT;
	if (options & CAN_MAP_RWX & ~allowed || !place_allowed(parent, options))
		return SYS_ERR_ACCESS_DENIED;
	if (!place_range_ok(parent, options, offset, size))
		return SYS_ERR_INVALID_ARGS;
	if (vmar_is_dead(parent))
		return SYS_ERR_BAD_STATE;
	return parent->depth < VMAR_DEPTH ? SYS_OK : SYS_ERR_NO_RESOURCES;
}

sys_status_t vmar_allocate(struct vmar *parent, sys_rights_t rights, u32 options, u64 offset, u64 size,
                           struct vmar **out)
{
	vaddr_t at;
	sys_status_t status = allocate_check(parent, rights, options, offset, size);
	if (status != SYS_OK)
		return status;
	struct vmar *r = object_create(parent->space->account, SYS_TYPE_VMAR, &status);
	if (!r)
		return status;
	status = place_choose(parent, options, offset, size, &at);
	if (status != SYS_OK) {
		object_discard((struct object *)r);
		return status;
	}
	vmar_prepare(r, parent->space, at, size);
	r->options = options & (CAN_MAP_RWX | SYS_VM_CAN_MAP_SPECIFIC);
	r->wx = parent->wx;
	r->depth = parent->depth + 1;
	region_insert(parent, &r->region);
	*out = r;
	return SYS_OK;
}

/* ---- map ------------------------------------------------------------------------------------------------- */
static bool map_options_ok(u32 options)
{
	u32 known = MAPPING_PERMS | PLACE | KEPT | SYS_VM_MAP_RANGE | SYS_VM_REQUIRE_NON_RESIZABLE;

	if (options & ~known)
		return false;
	if (options & SYS_VM_PERM_WRITE && !(options & SYS_VM_PERM_READ))
		return false;
	if (options & SYS_VM_MAP_RANGE && options & SYS_VM_SPECIFIC_OVERWRITE)
		return false;
	return !(options & SYS_VM_FAULT_BEYOND_STREAM_SIZE) || options & SYS_VM_ALLOW_FAULTS;
}

/* The region's own limits: ceiling is what may be asked for, now or by protect. */
static bool map_allowed(const struct vmar *r, sys_rights_t rights, u32 options, u32 ceiling)
{
	if (options & MAPPING_PERMS & ~ceiling || !place_allowed(r, options))
		return false;
	return (options & PERM_WX) != PERM_WX || (r->wx && rights & SYS_RIGHT_WX);
}

static sys_status_t map_object_check(const struct vmar *r, const struct vmo *v, u32 options)
{
	v = v->content;
	if (!v)
		return SYS_ERR_BAD_STATE;
	if (options & SYS_VM_REQUIRE_NON_RESIZABLE && v->options & SYS_VMO_RESIZABLE)
		return SYS_ERR_NOT_SUPPORTED;
	if (v->options & SYS_VMO_DISCARDABLE && !(options & SYS_VM_ALLOW_FAULTS))
		return SYS_ERR_NOT_SUPPORTED;
	if (options & SYS_VM_FAULT_BEYOND_STREAM_SIZE && v->info_flags & (SYS_VMO_INFO_CONTIGUOUS | SYS_VMO_INFO_PHYSICAL))
		return SYS_ERR_NOT_SUPPORTED;
	return vmar_is_dead(r) || object_dying(&v->object) ? SYS_ERR_BAD_STATE : SYS_OK;
}

/* Unmaps [lo, hi), which holds no regions. In one entry, so that nobody sees a hole, unless it takes more than
 * OVERWRITE_ATOMIC steps. */
static sys_status_t overwrite(struct vmar *r, vaddr_t lo, vaddr_t hi)
{
	struct region *c;

	for (unsigned step = 0; (c = region_first(r, lo)) && c->base < hi; step++) {
		if (step >= OVERWRITE_ATOMIC && arch_preempt_poll())
			return VM_AGAIN;
		sys_status_t status = mapping_cut_step(mapping_of(c), lo, hi);
		if (status < 0)
			return status;
	}
	return SYS_OK;
}

static sys_status_t map_place(struct vmar *r, u32 options, u64 offset, u64 size, vaddr_t *at)
{
	vaddr_t lo = r->region.base + offset;

	if (options & SYS_VM_SPECIFIC_OVERWRITE) {
		if (region_first_region(r, lo, lo + size))
			return SYS_ERR_INVALID_ARGS;
		sys_status_t status = overwrite(r, lo, lo + size);
		if (status != SYS_OK)
			return status;
	}
	return place_choose(r, options, offset, size, at);
}

/* MAP_RANGE: enters pages that are there. Only a help: it stops after a number of pages, or when an interrupt is
 * pending. */
static void map_present(struct mapping *m)
{
	vaddr_t until, va = m->region.base, end = MIN(mapping_end_va(m), va + PRESENT_PAGES * PAGE_SIZE_);
	u32 perm = mapping_perm(m, va, &until);
	struct page_ref ref;
	struct cursor c;

	if (!perm || m->vmo->closing.end || view_closing(m->vmo))
		return;
	if (m->options & MAPPING_LIMITED)
		end = MIN(end, mapping_limit(m));
	cursor_begin(&c, m->vmo, mapping_page(m, va), UINT64_MAX, 0, NULL);
	c.unseen = true;
	for (; va < end && ((va & (16 * PAGE_SIZE_ - 1)) || !arch_preempt_poll()); va += PAGE_SIZE_)
		if (cursor_maybe(&c, &ref))
			fault_enter(m->region.parent->space, m, va, perm, &ref);
}

sys_status_t vmar_map(struct vmar *r, sys_rights_t rights_vmar, u32 options, u64 vmar_offset, struct vmo *vmo,
                      sys_rights_t rights_vmo, u64 vmo_offset, u64 len,
                      struct deriv *below, vaddr_t *out)
{
	u32 ceiling = r->options >> CAN_MAP_SHIFT & rights_vmar & rights_vmo & MAPPING_PERMS;

	if (!map_options_ok(options) || !place_options_ok(options, vmar_offset))
		return SYS_ERR_INVALID_ARGS;
	if (!page_aligned(vmo_offset) || len == 0)
		return SYS_ERR_INVALID_ARGS;
	if (!map_allowed(r, rights_vmar, options, ceiling))
		return SYS_ERR_ACCESS_DENIED;
	u64 size = page_up(len), first = vmo_offset + vmo->shift;
	if (len > UINT64_MAX - PAGE_MASK || first < vmo_offset || first + size < size)
		return SYS_ERR_OUT_OF_RANGE;
	if (!place_range_ok(r, options, vmar_offset, size))
		return SYS_ERR_INVALID_ARGS;
	sys_status_t status = map_object_check(r, vmo, options);
	if (status != SYS_OK)
		return status;
	struct mapping *m = mapping_alloc(r->space, &status);
	if (!m)
		return status;
	status = map_place(r, options, vmar_offset, size, &m->region.base);
	if (status != SYS_OK) {
		mapping_discard(m);
		return status;
	}
	m->region.size = size;
	m->vmo = vmo->content;
	m->own.first = first;
	m->options = options & (MAPPING_PERMS | KEPT);
	if (vmo_is_window(vmo))
		m->through = vmo;
	if (vmo->shape != m->vmo)
		m->options |= MAPPING_IS_SLICE;
	m->ceiling = ceiling;
	mapping_attach(m, r, below, DERIV_SLOT_OPEN);
	*out = m->region.base;
	if (options & SYS_VM_MAP_RANGE)
		map_present(m);
	return SYS_OK;
}

/* ---- unmap, destroy -------------------------------------------------------------------------------------- */
/* Regions may be unmapped as a whole only, and only with `manage`. first: the first child that ends above lo. */
static bool unmap_regions_ok(const struct vmar *r, const struct region *first, bool manage, vaddr_t lo, vaddr_t hi)
{
	if (!first || first->base >= hi || (region_is_mapping(first) && region_end(first) >= hi))
		return true;
	if (!manage)
		return !region_first_region(r, lo, hi);
	if (first->base < lo && !region_is_mapping(first))
		return false;
	const struct region *last = region_at(r, hi - 1);
	return !last || region_is_mapping(last) || region_end(last) == hi;
}

static sys_status_t destroy_step(struct vmar *r)
{
	r->destroyed = true;
	if (!vmar_empty_step(r))
		return VM_AGAIN;
	if (r->region.parent)
		vmar_detach(r);
	return SYS_OK;
}

/* A step with the child c, which meets [lo, hi). */
static sys_status_t unmap_step(struct region *c, vaddr_t lo, vaddr_t hi)
{
	return region_is_mapping(c) ? mapping_cut_step(mapping_of(c), lo, hi) : destroy_step((struct vmar *)c);
}

sys_status_t vmar_unmap(struct vmar *r, bool manage, vaddr_t addr, u64 len)
{
	vaddr_t end;

	if (!vmar_range(r, addr, len, &end))
		return SYS_ERR_INVALID_ARGS;
	if (vmar_is_dead(r))
		return SYS_ERR_BAD_STATE;
	struct region *c = region_first(r, addr);
	if (!unmap_regions_ok(r, c, manage, addr, end))
		return SYS_ERR_INVALID_ARGS;
	while (c && c->base < end) {
		vaddr_t reach = region_end(c);
		sys_status_t status = unmap_step(c, addr, end);
		if (status < 0 || (status == SYS_OK && reach >= end))
			return status;
		if (arch_preempt_poll())
			return VM_AGAIN;
		c = region_first(r, addr);
	}
	return SYS_OK;
}

sys_status_t vmar_destroy(struct vmar *r)
{
	if (!r->space || (r->region.parent && vmar_is_dead(r->region.parent)))
		return SYS_ERR_BAD_STATE;
	if (r->destroyed && !r->children.root)          /* else it goes on, or helps */
		return SYS_ERR_BAD_STATE;
	while (destroy_step(r) == VM_AGAIN)
		if (arch_preempt_poll())
			return VM_AGAIN;
	return SYS_OK;
}

/* ---- maps ------------------------------------------------------------------------------------------------ */
static void maps_mapping(const struct mapping *m, sys_maps_t *out)
{
	const struct vmo *v = m->through ? m->through : m->vmo;
	vaddr_t until;

	out->kind = 1;
	out->options = mapping_perm(m, m->region.base, &until);
	out->options |= (m->options & SYS_VM_SHARED) | m->ceiling << CAN_MAP_SHIFT;
	out->vmo_koid = v->object.koid;
	out->vmo_offset = m->own.first - v->shift;
}

#define COUNT_STEP 64u                  /* pages */

bool vmar_maps_count(const struct vmar *r, sys_maps_t *out, struct maps_count *k)
{
	const struct mapping *m = vmar_find(r, out->base);

	if (k->base != out->base)
		*k = (struct maps_count){ .base = out->base };
	if (m) {
		const struct tree *t = &m->vmo->tree;
		u64 shown = m->own.first + (mapping_limit(m) - m->region.base), end = MIN(shown, m->vmo->size) >> PAGE_SHIFT;
		u64 page = MAX(k->next, m->own.first >> PAGE_SHIFT);
		struct tree_counts part = { 0 };
		page = page < end ? tree_next(t, page, end) : end;
		k->next = MIN(end, page + COUNT_STEP);
		if (page < end)
			tree_count(t, page, k->next, &part);
		k->pages += part.pages;
		k->private_pages += part.private_pages;
		if (k->next < end)
			return false;
	}
	out->committed = k->pages << PAGE_SHIFT;
	out->private_bytes = k->private_pages << PAGE_SHIFT;
	out->shared_bytes = out->committed - out->private_bytes;
	*k = (struct maps_count){ 0 };
	return true;
}

/* The first entry in order behind everything that begins below va, or at va less deep than `depth`: goes down
 * through regions that hold va. */
static struct region *maps_find(struct vmar *r, vaddr_t va, u32 depth, u32 *found)
{
	struct vmar *in = r;
	struct region *c;

	for (u32 d = 1;; d++) {
		c = region_first(in, va);
		*found = d;
		if (!c || c->base > va || (c->base == va && d >= depth))
			break;
		if (region_is_mapping(c)) {
			c = region_next(c);
			break;
		}
		in = (struct vmar *)c;
	}
	for (; !c && in != r; in = in->region.parent, --*found)
		c = region_next(&in->region);
	return c;
}

bool vmar_maps_next(struct vmar *r, vaddr_t *at, u32 *depth, sys_maps_t *out)
{
	u32 found;
	struct region *c = maps_find(r, *at, *depth, &found);

	if (!c)
		return false;
	*out = (sys_maps_t){ .depth = found, .base = c->base, .size = c->size };
	if (region_is_mapping(c))
		maps_mapping(mapping_of(c), out);
	else
		out->options = ((struct vmar *)c)->options;
	*at = c->base;
	*depth = found + 1;
	return true;
}
