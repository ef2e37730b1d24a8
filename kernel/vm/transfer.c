/* SPDX-License-Identifier: BSD-2-Clause */
/* transfer.c: moving pages from one content to another: for a pager's supply and for sys_vmo_transfer_data. By what src
 * has:
 *      a page that only src reaches    its frame changes trees and accounts; src's hardware entries are removed first, so
 *                                      nobody writes to it any more
 *      a shared page                   a copy; then src gives its reference up, as if the frame had moved
 *      nothing                         nothing; and where a hole of dst would mean something else, a zero marker
 * Src reads as zero where it was moved from: where a hole of it would mean something else (a clone of a root), there is a
 * marker then. The new page is charged before anything changes.
 * Lock: the kernel lock.
 */
#include "vm/transfer.h"
#include "arch/arch.h"
#include "lib/assert.h"
#include "lib/counters.h"
#include "lib/string.h"
#include "vm/mapping.h"
#include "vm/pagemap.h"
#include "vm/reclaim.h"
#include "vm/source.h"

#define RUN_PAGES (8 * TREE_FANOUT)     /* of markers, in one step */

/* No mapping of v shows this frame of its page any more. False: one may, go on. */
static inline bool hidden(struct vmo *v, u64 page, paddr_t frame)
{
	return !v->mappings.root || !frame_of(frame)->page.mapped || mapping_unmap_step(v, page, page + 1);
}

/* v has nothing at this page any more, and reads as zero there. VM_AGAIN, NO_MEMORY, BAD_STATE. */
COLD static sys_status_t drop(struct vmo *v, u64 page)
{
	tree_slot_t slot = tree_lookup(&v->tree, page);
	sys_status_t status = SYS_OK;
	if (tree_tag(slot) == TREE_PAGE && !hidden(v, page, tree_frame(slot)))
		return VM_AGAIN;
	if (v->view) {
		u64 end = page + 1;
		if (v->mappings.root && !mapping_unmap_step(v, page, end))
			return VM_AGAIN;
		while ((status = tree_zero_step(&v->tree, &page, end, TREE_CLEAN)) == VM_AGAIN)  /* at most a path */
			;
	} else if (slot != TREE_EMPTY) {
		while (!tree_remove_step(&v->tree, page, page + 1))     /* the same */
			;
	}
	return status;
}

/* ---- one page ----------------------------------------------------------------------------------- */
COLD static sys_status_t put_zero(struct vmo *dst, u64 page, struct tree_place *to)
{
	sys_status_t status = tree_edit_at(&dst->tree, page, true, to);
	if (status == SYS_OK)
		tree_fill_at(&dst->tree, page, to, TREE_ZERO);
	return status;
}

static inline sys_status_t put_moved(struct vmo *dst, u64 page, struct tree_place *to, struct vmo *src, u64 src_page,
                                     struct tree_place *from)
{
	sys_status_t status = tree_edit_at(&dst->tree, page, true, to);
	if (status != SYS_OK)
		return status;
	status = tree_move_charge(&src->tree, &dst->tree, 1);
	if (status != SYS_OK) {
		tree_prune(&dst->tree, page);
		return status;
	}
	if (unlikely(src == dst))
		tree_locate(&src->tree, src_page, from);
	/* COMMIT: src's slot last, since nodes go that hold nothing */
	frame_of(tree_frame(*from->slot))->state = FRAME_HELD;
	tree_fill_at(&dst->tree, page, to, tree_frame(*from->slot) | TREE_PAGE);
	tree_take_at(&src->tree, src_page, from);
	return SYS_OK;
}

COLD static sys_status_t put_copy(struct vmo *dst, u64 page, struct tree_place *to, paddr_t shared)
{
	sys_status_t status = tree_charge(&dst->tree, 1);
	if (status != SYS_OK)
		return reclaim_but(shared, status);
	status = tree_edit_at(&dst->tree, page, true, to);
	if (status != SYS_OK) {
		tree_uncharge(&dst->tree, 1);
		return reclaim_but(shared, status);
	}
	/* COMMIT */
	paddr_t copy = frame_alloc(FRAME_PAGE);
	frame_of(copy)->state = FRAME_HELD;
	memcpy(phys_to_virt(copy), phys_to_virt(shared), PAGE_SIZE_);
	tree_fill_at(&dst->tree, page, to, copy | TREE_PAGE);
	return SYS_OK;
}

/* Src's page, `slot` at `from`, becomes dst's at `to`, where no page is; then src reads as zero. *ref: what was put there just now.
 * Nothing maps what dst has no page for. VM_AGAIN: make the same call again, also when it was put there already; NO_MEMORY,
 * BAD_STATE (account): nothing has changed. */
static inline __attribute__((always_inline)) sys_status_t move_page(struct vmo *dst, u64 page, struct tree_place *to, struct vmo *src,
                                                                    u64 src_page, struct tree_place *from, tree_slot_t slot,
                                                                    struct page_ref *ref)
{
	bool moves = from->own && !src->view;
	if (!hidden(src, src_page, tree_frame(slot)))
		return VM_AGAIN;
	sys_status_t status = likely(moves) ? put_moved(dst, page, to, src, src_page, from) :
	                      put_copy(dst, page, to, tree_frame(slot));
	if (status != SYS_OK)
		return status;
	*ref = (struct page_ref){ tree_frame(*to->slot), true, false };
	return likely(moves) ? SYS_OK : drop(src, src_page);
}

/* ---- supply ------------------------------------------------------------------------------------- */
/* One page, from nothing to answered. What the root has already stays as it is, and aux's page is given up nevertheless. */
static inline sys_status_t supply_page(struct vmo *v, u64 page, struct vmo *aux, u64 aux_page, u64 *fresh)
{
	struct page_ref ref = { 0 };
	struct tree_place to, from;
	tree_slot_t slot;
	sys_status_t status;
	if (unlikely(page >= v->source->limit || tree_locate(&v->tree, page, &to) != TREE_EMPTY)) {
		status = drop(aux, aux_page);
	} else if (likely(tree_tag(slot = tree_locate(&aux->tree, aux_page, &from)) == TREE_PAGE)) {
		status = move_page(v, page, &to, aux, aux_page, &from, slot, &ref);
	} else {
		status = put_zero(v, page, &to);
		ref.frame = status == SYS_OK ? zero_page : 0;
	}
	if (likely(ref.frame)) {
		*fresh += PAGE_SIZE_;
		counters.pages_supplied++;
	}
	if (unlikely(status != SYS_OK)) {
		if (status == SYS_ERR_NO_MEMORY && reclaim_spares(v->object.account))
			status = drop(aux, aux_page);
		if (status != SYS_OK)
			return status;
	}
	return source_answer_step(v->source, page, &ref) ? SYS_OK : VM_AGAIN;
}

sys_status_t pager_supply(struct pager *p, struct vmo *v, u64 offset, u64 len, struct vmo *aux, u64 aux_offset,
                          u64 *done, u64 *fresh)
{
	sys_status_t status = page_aligned(aux_offset) ? pager_root(p, v, offset, len) : SYS_ERR_INVALID_ARGS;
	if (status == SYS_OK)
		status = vmo_resolve(&aux, &aux_offset, len);
	if (status != SYS_OK)
		return status;
	if (aux->info_flags & (SYS_VMO_INFO_PAGER_BACKED | SYS_VMO_INFO_CONTIGUOUS | VMO_KEPT | VMO_CLONE))
		return SYS_ERR_NOT_SUPPORTED;
	while (*done < len) {
		status = supply_page(v, (offset + *done) >> PAGE_SHIFT, aux, (aux_offset + *done) >> PAGE_SHIFT, fresh);
		if (status != SYS_OK)
			return reclaim_or(status);
		*done += PAGE_SIZE_;
		if (*done < len && arch_preempt_poll())
			return VM_AGAIN;
	}
	return SYS_OK;
}

/* ---- ranges ------------------------------------------------------------------------------------- */
/* Src has nothing in the next `pages`: dst neither. Moves on by as many as one step does. */
COLD static sys_status_t move_nothing(struct vmo *dst, u64 *page, u64 end)
{
	if (dst->view)
		return tree_zero_step(&dst->tree, page, end, TREE_CLEAN);
	*page = tree_remove_step(&dst->tree, *page, end) ? end : tree_next(&dst->tree, *page, end);
	return *page < end ? VM_AGAIN : SYS_OK;
}

static sys_status_t empty_page(struct vmo *dst, u64 page)
{
	sys_status_t status;
	for (u64 next = page; (status = move_nothing(dst, &next, page + 1)) == VM_AGAIN;)       /* at most a path */
		;
	return status;
}

/* Dst's page, which nobody maps, becomes what src, a clone, sees of its root. */
static sys_status_t move_seen(struct vmo *dst, u64 page, struct vmo *src, u64 src_page, u64 end, struct page_wait *w)
{
	struct page_ref ref;
	struct tree_place to;
	struct cursor c;
	cursor_begin(&c, src, src_page, end, TREE_LEVELS + 1, w);
	sys_status_t status = cursor_require(&c, false, &ref);
	if (status == SYS_OK)
		status = empty_page(dst, page);
	if (status == SYS_OK && ref.frame != zero_page) {
		tree_locate(&dst->tree, page, &to);
		status = put_copy(dst, page, &to, ref.frame);
	}
	return status == SYS_OK ? drop(src, src_page) : status;
}

/* One step: a page, or many where src has nothing. *page moves on. Nothing maps dst's pages. */
static sys_status_t move_step(struct vmo *dst, u64 *page, u64 end, struct vmo *src, u64 src_page, struct page_wait *w)
{
	struct tree_place to, from;
	struct page_ref ref;
	tree_slot_t kind;
	u64 run = MIN(end - *page, RUN_PAGES);
	run = tree_run(&src->tree, src_page, src_page + run, &kind) - src_page;
	if (tree_tag(kind) == TREE_ZERO || (kind == TREE_EMPTY && !src->view)) {
		u64 until = kind == TREE_EMPTY ? tree_next(&src->tree, src_page, src_page + (end - *page)) - src_page : run;
		sys_status_t status = move_nothing(dst, page, *page + until);
		return status == VM_AGAIN ? SYS_OK : status;
	}
	sys_status_t status;
	if (tree_tag(kind) == TREE_EMPTY) {
		status = move_seen(dst, *page, src, src_page, src_page + (end - *page), w);
	} else if ((status = empty_page(dst, *page)) == SYS_OK) {
		tree_locate(&dst->tree, *page, &to);
		kind = tree_locate(&src->tree, src_page, &from);
		status = move_page(dst, *page, &to, src, src_page, &from, kind, &ref);
	}
	*page += status == SYS_OK;
	return status;
}

static sys_status_t allowed(const struct vmo *v, u64 page, u64 end)
{
	if (v->source || v->info_flags & SYS_VMO_INFO_CONTIGUOUS)
		return SYS_ERR_NOT_SUPPORTED;
	return pagemap_next(v, page, end) < end ? SYS_ERR_BAD_STATE : SYS_OK;
}

/* Dst's entries go first, all of them: in the entry that finds none pages are moved, for as long as nobody interrupts. */
COLD sys_status_t vmo_transfer(struct vmo *dst, u32 options, u64 offset, u64 len, struct vmo *src, u64 src_offset, u64 *done,
                          struct page_wait *w)
{
	if (options || !page_aligned(offset) || !page_aligned(len) || !page_aligned(src_offset))
		return SYS_ERR_INVALID_ARGS;
	sys_status_t status = vmo_resolve(&dst, &offset, len);
	if (status == SYS_OK)
		status = vmo_resolve(&src, &src_offset, len);
	if (status != SYS_OK)
		return status;
	if (src == dst && offset < src_offset + len && src_offset < offset + len)
		return SYS_ERR_INVALID_ARGS;
	u64 page = (offset + *done) >> PAGE_SHIFT, end = (offset + len) >> PAGE_SHIFT, src_page = (src_offset + *done) >> PAGE_SHIFT;
	status = allowed(dst, page, end);
	if (status == SYS_OK)
		status = allowed(src, src_page, src_page + (end - page));
	if (status != SYS_OK || page == end)
		return status;
	if (!vmo_trim(dst) || !vmo_trim(src))
		return VM_AGAIN;
	if (!mapping_unmap_all(dst, page, end))
		return VM_AGAIN;
	while (status == SYS_OK && page < end) {
		u64 before = page;
		status = move_step(dst, &page, end, src, src_page, w);
		src_page += page - before;
		*done = (page << PAGE_SHIFT) - offset;
		if (status == SYS_OK && page < end && arch_preempt_poll())
			return VM_AGAIN;
	}
	return reclaim_or(status);             /* here: what is done is not to be done again */
}
