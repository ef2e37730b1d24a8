/* SPDX-License-Identifier: BSD-2-Clause */
/* space.h: the hardware side of an address space, for the files of this folder: page tables as a cache of the
 * mappings, and what they cost.
 *
 * Every entry that is made or removed goes through here, so that frame.page.mapped and the account of tables are
 * right. Lock: the kernel lock.
 */
#pragma once
#include "arch/pagetable.h"
#include "vm/cursor.h"
#include "vm/vmar.h"

static inline vaddr_t span_end(vaddr_t va) { return (va & ~(PT_SPAN - 1)) + PT_SPAN; }

/* As much of a leaf table as one step of taking access away looks at. */
#define STEP_SPAN (PT_SPAN / 4)
static inline vaddr_t step_end(vaddr_t va) { return (va & ~(STEP_SPAN - 1)) + STEP_SPAN; }

/* The mapping at va in r or in its regions, or NULL. Regions that are going hold none. */
struct mapping *vmar_find(const struct vmar *r, vaddr_t va);
static inline struct space *space_of(const struct mapping *m) { return m->region.parent->space; }
/* The same from the root, for faults: the next one is mostly where the last one was. */
static inline struct mapping *space_find(struct space *s, vaddr_t va)
{
	struct mapping *m = s->recent;

	if (likely(m && va - m->region.base < m->region.size && !s->root_vmar.destroyed))
		return m;
	m = vmar_find(&s->root_vmar, va);
	s->recent = m && m->region.parent == &s->root_vmar ? m : NULL;
	return m;
}
/* [addr, addr + len), len rounded up, is a range of pages within r. */
bool vmar_range(const struct vmar *r, vaddr_t addr, u64 len, vaddr_t *end);
/* A fresh VMAR's place and trees. */
void vmar_prepare(struct vmar *r, struct space *s, vaddr_t base, u64 size);
/* One bounded step of emptying r, deepest content first. True: it is empty. */
bool vmar_empty_step(struct vmar *r);
/* Takes an empty region out of its parent; its object ends. */
void vmar_detach(struct vmar *r);
/* Enters a page at va, in place of what is there. Never fails: where the account does not pay for tables the
 * space's oldest leaf tables are reused. */
void space_enter(struct space *s, vaddr_t va, paddr_t frame, u32 flags);
/* Removes the entries of [va, end), within one PT_SPAN. */
void space_unmap_span(struct space *s, vaddr_t va, vaddr_t end);
/* Makes the entries of [va, end), within one PT_SPAN, agree with these PERM_*: takes away what they do not allow. */
void space_restrict_span(struct space *s, vaddr_t va, vaddr_t end, u32 perm);
/* PERM_* as PT_*: what hardware may allow at most. x86 has no page that can be executed or written only. */
static inline u32 space_flags(u32 perm) { return PT_READ | (perm & (PT_WRITE | PT_EXEC)); }
_Static_assert((u32)SYS_VM_PERM_WRITE == (u32)PT_WRITE && (u32)SYS_VM_PERM_EXECUTE == (u32)PT_EXEC, "space_flags");
/* What hardware may allow for the page `ref` in m where m's permission is `perm`: never writing to a page that is
 * not m's VMO's own. */
static inline u32 mapping_entry_flags(const struct mapping *m, u32 perm, const struct page_ref *ref)
{
	u32 flags = space_flags(perm);
	if (unlikely(m->vmo->cache_policy))
		flags |= m->vmo->cache_policy == SYS_CACHE_WRITE_COMBINING ? PT_COMBINING : PT_UNCACHED;
	return ref->writable && likely(!m->vmo->closing.write) ? flags : flags & ~(u32)PT_WRITE;
}
/* Enters pages of m in [va, end), one range of permission, as long as they are present, not all zero and not yet
 * entered, and no table is missing. No closing record forbids pages. */
void space_enter_present(struct space *s, struct mapping *m, vaddr_t va, vaddr_t end, u32 perm);
/* Enters the page `ref` of m at va, where m's permission is `perm`. */
void fault_enter(struct space *s, struct mapping *m, vaddr_t va, u32 perm, const struct page_ref *ref);
/* Gives back the space's oldest leaf table, with its entries. False: there is none. */
bool space_drop_oldest(struct space *s);
/* Walker: this hardware entry agrees with m's permission and its object's page. */
void mapping_check_entry(const struct mapping *m, vaddr_t va, struct pt_entry e);
