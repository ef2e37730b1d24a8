/* SPDX-License-Identifier: BSD-2-Clause */
/* fault.c: resolving accesses of programs.
 *
 * An access finds its mapping, then its permission, then its page through the cursor, and is entered. Pages behind it that are there already come along as long as
 * that is cheap: up to the first that is missing, all zero, or entered. A page is entered writable only if it is the VMO's own (design.md 9.5), and then
 * also on a read, which saves a fault. Lock: the kernel lock.
 */
#include "lib/assert.h"
#include "vm/space.h"

void fault_enter(struct space *s, struct mapping *m, vaddr_t va, const struct page_ref *ref)
{
	vaddr_t until;
	u32 flags = space_flags(mapping_perm(m, va, &until));

	if (!ref->writable || unlikely(m->vmo->closing.write))
		flags &= ~(u32)PT_WRITE;
	if (flags & PT_WRITE)
		mapping_note_write(m, va, va + PAGE_SIZE_);
	space_enter(s, va, ref->frame, flags);
}

/* What an access to m at va may do, before its page is looked for. */
static sys_status_t fault_allowed(const struct mapping *m, vaddr_t va, unsigned access)
{
	vaddr_t until;
	u32 need = access & MAPPING_PERMS;

	if (need & ~mapping_perm(m, va, &until))
		return SYS_ERR_ACCESS_DENIED;
	if (unlikely(object_dying(&m->vmo->object)))
		return SYS_ERR_BAD_STATE;
	if (unlikely(m->options & SYS_VM_FAULT_BEYOND_STREAM_SIZE) && va >= mapping_stream_end(m))
		return SYS_ERR_OUT_OF_RANGE;
	return SYS_OK;
}
_Static_assert((u32)SYS_ACCESS_READ == (u32)SYS_VM_PERM_READ && (u32)SYS_ACCESS_WRITE == (u32)SYS_VM_PERM_WRITE && (u32)SYS_ACCESS_EXECUTE == (u32)SYS_VM_PERM_EXECUTE, "fault_allowed");

sys_status_t vm_fault(struct space *s, vaddr_t va, unsigned access, unsigned retries, struct page_wait *w)
{
	struct mapping *m = vmar_find(&s->root_vmar, va);
	bool write = access & SYS_ACCESS_WRITE;
	struct page_ref ref;

	if (!m)
		return SYS_ERR_NOT_FOUND;
	va &= ~PAGE_MASK;
	sys_status_t status = fault_allowed(m, va, access);
	if (status != SYS_OK)
		return status;
	struct vmo *v = m->vmo;
	u64 page = mapping_page(m, va);
	w->space = s;
	w->va = va;
	v->replacing = m;
	status = cursor_require(v, page, write, 1, retries, w, &ref);
	v->replacing = NULL;
	if (status != SYS_OK)
		return status;
	/* A page that is to be replaced takes the record's walk along inside of the cursor, which must see its end itself: so help comes after it. */
	if (unlikely(v->closing.end || v->closing.write) && !mapping_help_close(v, page, write)) {
		space_unmap_span(s, va, va + PAGE_SIZE_);       /* the cursor relied on its being replaced */
		return VM_AGAIN;
	}
	fault_enter(s, m, va, &ref);
	space_enter_present(s, m, va + PAGE_SIZE_, MIN(va + FAULT_NEIGHBOURS * PAGE_SIZE_, span_end(va)));
	return SYS_OK;
}

void vm_fault_finish(struct space *s, vaddr_t va, unsigned access)
{
	struct mapping *m = vmar_find(&s->root_vmar, va);
	struct page_ref ref;

	va &= ~PAGE_MASK;
	if (!m || fault_allowed(m, va, access) != SYS_OK)
		return;
	u64 page = mapping_page(m, va);
	struct vmo_closing *c = &m->vmo->closing;
	if ((c->page <= page && page < c->end) || !cursor_peek(m->vmo, page, &ref))
		return;
	fault_enter(s, m, va, &ref);
}
