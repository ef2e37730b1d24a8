/* SPDX-License-Identifier: BSD-2-Clause */
/* fault.c: resolving accesses of programs.
 *
 * An access finds its mapping, then its permission, then its page through the cursor, and is entered. Pages behind
 * it that are there already come along as long as that is cheap: up to the first that is missing, all zero, or
 * entered. A page is entered writable only if it is the VMO's own (docs/architecture.md, invariant 5), and then also on a read, which
 * saves a fault. Lock: the kernel lock.
 */
#include "lib/assert.h"
#include "vm/reclaim.h"
#include "vm/space.h"
#include "vm/view.h"

void fault_enter(struct space *s, struct mapping *m, vaddr_t va, u32 perm, const struct page_ref *ref)
{
	u32 flags = mapping_entry_flags(m, perm, ref);

	if (flags & PT_WRITE)
		mapping_note_write(m, va, va + PAGE_SIZE_);
	space_enter(s, va, ref->frame, flags);
}

/* What an access to m at va may do where m's permission is `perm`, before its page is looked for. */
static inline sys_status_t fault_allowed(const struct mapping *m, vaddr_t va, unsigned access, u32 perm)
{
	if (access & MAPPING_PERMS & ~perm)
		return SYS_ERR_ACCESS_DENIED;
	if (unlikely(m->options & MAPPING_LIMITED) && va >= mapping_limit(m))
		return SYS_ERR_OUT_OF_RANGE;
	return SYS_OK;
}
_Static_assert((u32)SYS_ACCESS_READ == (u32)SYS_VM_PERM_READ && (u32)SYS_ACCESS_WRITE == (u32)SYS_VM_PERM_WRITE &&
               (u32)SYS_ACCESS_EXECUTE == (u32)SYS_VM_PERM_EXECUTE, "fault_allowed");

/* The pages behind va, which was entered: as far as its permission, its leaf table and the object go. */
static void enter_neighbours(struct space *s, struct mapping *m, vaddr_t va, vaddr_t until, u32 perm)
{
	vaddr_t end = MIN(MIN(va + FAULT_NEIGHBOURS * PAGE_SIZE_, until), span_end(va));

	if (unlikely(m->options & MAPPING_LIMITED))
		end = MIN(end, mapping_limit(m));
	if (likely(!m->vmo->closing.end) && !view_closing(m->vmo))
		space_enter_present(s, m, va + PAGE_SIZE_, end, perm);
}

sys_status_t vm_fault(struct space *s, vaddr_t va, unsigned access, unsigned retries, struct page_wait *w)
{
	struct mapping *m = space_find(s, va);
	bool write = access & SYS_ACCESS_WRITE;
	struct page_ref ref;
	struct cursor c;
	vaddr_t until;

	if (!m)
		return SYS_ERR_NOT_FOUND;
	va &= ~PAGE_MASK;
	u32 perm = mapping_perm(m, va, &until);
	sys_status_t status = fault_allowed(m, va, access, perm);
	if (status != SYS_OK)
		return status;
	struct vmo *v = m->vmo;
	u64 page = mapping_page(m, va);
	w->space = s;
	w->va = va;
	cursor_begin(&c, v, page, page + 1, retries, w);
	c.replacing = m;
	status = cursor_require(&c, write, &ref);
	if (status != SYS_OK) {
		if (unlikely(v->closing.end))           /* its walk left this entry out, and another fault may see its end */
			space_unmap_span(s, va, va + PAGE_SIZE_);
		return reclaim_or(status);
	}
	/* A page that is to be replaced takes the record's walk along inside of the cursor, which must see its end
	 * itself: so help comes after it. */
	if (unlikely(v->closing.end || v->closing.write) && !mapping_help_close(v, page, write)) {
		space_unmap_span(s, va, va + PAGE_SIZE_);       /* the cursor relied on its being replaced */
		return VM_AGAIN;
	}
	fault_enter(s, m, va, perm, &ref);
	if (!ref.fresh && ref.frame != zero_page)
		enter_neighbours(s, m, va, until, perm);
	return SYS_OK;
}

void vm_fault_finish(const struct page_wait *w, const struct page_ref *ref)
{
	vaddr_t va = w->va & ~PAGE_MASK, until;
	struct mapping *m = space_find(w->space, va);
	struct page_ref found;

	if (!m)
		return;
	u32 perm = mapping_perm(m, va, &until);
	if (fault_allowed(m, va, w->access, perm) != SYS_OK || object_dying(&m->vmo->object))
		return;
	u64 page = mapping_page(m, va);
	const struct vmo_closing *c = &m->vmo->closing;
	if (c->page <= page && page < c->end)
		return;
	if (!ref->frame || m->vmo != w->root || page != w->page) {
		struct cursor at;
		cursor_begin(&at, m->vmo, page, page + 1, 0, NULL);
		if (view_closing(m->vmo) || !cursor_maybe(&at, &found))
			return;
		ref = &found;
	}
	fault_enter(w->space, m, va, perm, ref);
}
