/* SPDX-License-Identifier: BSD-2-Clause */
/* cursor.c: the one way to pages. Whoever wants a page of a VMO (a fault, a read, a write, commit, supply) asks here,
 * and here alone it is decided what that means:
 *
 *      what is there              to read                     to write
 *      a page of its own          that page                   that page
 *      a shared page              that page                   a copy of it takes its place
 *      a marker; a hole           the zero page               a fresh page takes its place
 *      a hole with a source       ask the source              ask the source
 *
 * Before a page takes the place of another (or of the zero page), entries that show the old one are removed, so that no
 * mapping keeps it; the mapping whose fault this is replaces its entry by itself (vmo->replacing). Memory is charged
 * before anything changes.
 * Lock: the kernel lock.
 */
#include "arch/arch.h"
#include "lib/assert.h"
#include "lib/counters.h"
#include "lib/string.h"
#include "vm/mapping.h"
#include "vm/source.h"
#include "vm/vmo.h"

/* Do other mappings than the one that faults show what is at this page? True: no, or not any more. */
static bool others_let_go(struct vmo *v, u64 page, paddr_t shown)
{
	if (!vmo_shown_elsewhere(v) || frame_of(shown)->page.mapped == 0)
		return true;
	return mapping_unmap_page(v, page);
}

/* A write to a page that others reach too, by its path or by itself. Never charges. */
static sys_status_t copy_page(struct vmo *v, u64 page, paddr_t shared, unsigned retries, struct tree_place *at,
                              struct page_ref *out)
{
	if (!others_let_go(v, page, shared))
		return VM_AGAIN;
	sys_status_t status = tree_edit_at(&v->tree, page, retries > TREE_LEVELS, at);
	if (status != SYS_OK)
		return status;
	if (frame_of(shared)->refs > 1) {
		paddr_t copy = frame_alloc(FRAME_PAGE);
		memcpy(phys_to_virt(copy), phys_to_virt(shared), PAGE_SIZE_);
		tree_replace(&v->tree, page, at->slot, copy);
		counters.copies++;
	}
	*out = (struct page_ref){ tree_frame(*at->slot), true, true };
	return SYS_OK;
}

/* A write to what reads as zero. Most often its slot is there, and the walk that found it was the only one. */
static sys_status_t fill_page(struct vmo *v, u64 page, unsigned retries, struct tree_place *at, struct page_ref *out)
{
	if (!others_let_go(v, page, zero_page))
		return VM_AGAIN;
	sys_status_t status = tree_charge(&v->tree, 1);
	if (status != SYS_OK)
		return status;
	status = tree_edit_at(&v->tree, page, retries > TREE_LEVELS, at);
	if (status != SYS_OK) {
		tree_uncharge(&v->tree, 1);
		return status;
	}
	/* COMMIT */
	*out = (struct page_ref){ frame_alloc_zeroed(FRAME_PAGE), true, true };
	tree_fill_at(&v->tree, page, at, out->frame | TREE_PAGE);
	counters.zero_fills++;
	return SYS_OK;
}

static bool source_has(const struct vmo *v, u64 page, tree_slot_t slot)
{
	return unlikely(v->source != NULL) && slot == TREE_EMPTY && page < v->source->limit;
}

sys_status_t cursor_require(struct vmo *v, u64 page, bool write, u64 run, unsigned retries, struct page_wait *w,
                            struct page_ref *out)
{
	struct tree_place at;
	if (unlikely(object_dying(&v->object)))
		return SYS_ERR_BAD_STATE;
	if (page >= v->size >> PAGE_SHIFT)
		return SYS_ERR_OUT_OF_RANGE;
	tree_slot_t slot = tree_locate(&v->tree, page, &at);
	if (tree_tag(slot) == TREE_PAGE) {
		if (write && !at.own)
			return copy_page(v, page, tree_frame(slot), retries, &at, out);
		counters.shares += !at.own;
		*out = (struct page_ref){ tree_frame(slot), at.own, false };
		return SYS_OK;
	}
	if (source_has(v, page, slot))
		return source_request(v->source, page, run, write ? SYS_ACCESS_WRITE : SYS_ACCESS_READ, w);
	if (write)
		return fill_page(v, page, retries, &at, out);
	*out = (struct page_ref){ zero_page, false, false };
	return SYS_OK;
}

bool cursor_peek(struct vmo *v, u64 page, struct page_ref *out)
{
	bool own;
	if (object_dying(&v->object) || page >= v->size >> PAGE_SHIFT)
		return false;
	tree_slot_t slot = tree_find(&v->tree, page, &own);
	if (tree_tag(slot) == TREE_PAGE) {
		*out = (struct page_ref){ tree_frame(slot), own, false };
		return true;
	}
	if (source_has(v, page, slot))
		return false;
	*out = (struct page_ref){ zero_page, false, false };
	return true;
}
