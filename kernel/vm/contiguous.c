/* SPDX-License-Identifier: BSD-2-Clause */
/* contiguous.c: VMOs whose pages are neighbours in physical memory, committed from the start, and never moved.
 *
 * One is made in steps: free frames in a row are looked for; then the VMO is made, showing nothing (content NULL: its
 * calls give BAD_STATE), and they are taken one by one; where somebody else was faster, what was taken is given back and
 * the search goes on behind. All is charged in advance. That free frames are in a row is no part of what an account
 * promises.
 * Lock: the kernel lock.
 */
#include "arch/arch.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "vm/vmo.h"


/* In frames. */
static u64 align_of(u32 align_log2) { return align_log2 ? 1ull << (align_log2 - PAGE_SHIFT) : 1; }

static u64 frames_for(u64 pages)
{
	u64 frames = pages;
	if (pages > TREE_INLINE)
		do
			frames += pages = (pages + TREE_FANOUT - 1) >> TREE_BITS;
		while (pages > 1);
	return frames;
}

sys_status_t vmo_create_contiguous(struct account *a, u64 size, u32 align_log2, u64 *next, u64 *start, struct vmo **out)
{
	u64 pages = page_up(size) >> PAGE_SHIFT;
	if (size == 0 || (align_log2 && (align_log2 < PAGE_SHIFT || align_log2 > 63)))
		return SYS_ERR_INVALID_ARGS;
	if (size > VMO_MAX_SIZE)
		return SYS_ERR_OUT_OF_RANGE;
	sys_status_t status;
	while ((status = frame_find_row(next, start, pages, align_of(align_log2))) == VM_AGAIN)
		if (arch_preempt_poll())
			return VM_AGAIN;
	if (status == SYS_OK)
		status = vmo_make(a, size, 0, SYS_VMO_INFO_CONTIGUOUS, out);
	if (status != SYS_OK)
		return status;
	(*out)->content = NULL;
	status = tree_reserve(&(*out)->tree, frames_for(pages));
	if (status != SYS_OK)
		vmo_discard(*out);
	return status;
}

/* Takes the frame of this page, behind those that are there. NO_RESOURCES: it is not free. */
static sys_status_t take_page(struct vmo *v, u64 page, u64 frame)
{
	struct tree_place at;
	sys_status_t status = frame_take(frame, FRAME_PAGE);
	if (status != SYS_OK)
		return status;
	tree_locate(&v->tree, page, &at);
	ASSERT(tree_charge(&v->tree, 1) == SYS_OK && tree_edit_at(&v->tree, page, true, &at) == SYS_OK);        /* all was in advance */
	/* COMMIT */
	memset(phys_to_virt(frame << PAGE_SHIFT), 0, PAGE_SIZE_);
	tree_fill_at(&v->tree, page, &at, frame << PAGE_SHIFT | TREE_PAGE);
	return SYS_OK;
}

/* VM_AGAIN: go on. */
static sys_status_t build_step(struct vmo *v, u64 align, u64 *next, u64 *start)
{
	u64 pages, nodes;
	tree_totals(&v->tree, &pages, &nodes);
	if (pages && tree_frame(tree_lookup(&v->tree, 0)) != *start << PAGE_SHIFT) {
		tree_remove_step(&v->tree, 0, TREE_ALL);        /* the row turned out not to be free */
		return VM_AGAIN;
	}
	sys_status_t status = frame_find_row(next, start, vmo_pages(v), align);
	if (status != SYS_OK)
		return status;
	status = take_page(v, pages, *start + pages);
	if (status == SYS_ERR_NO_RESOURCES) {
		*next = *start = *start + pages + 1;
		return VM_AGAIN;
	}
	return status == SYS_OK && pages + 1 < vmo_pages(v) ? VM_AGAIN : status;
}

sys_status_t vmo_contiguous_build(struct vmo *v, u32 align_log2, u64 *next, u64 *start)
{
	while (!object_dying(&v->object)) {
		sys_status_t status = build_step(v, align_of(align_log2), next, start);
		if (status == SYS_OK)
			v->content = v;
		if (status != VM_AGAIN)
			return status;
		if (arch_preempt_poll())
			return VM_AGAIN;
	}
	return SYS_ERR_BAD_STATE;
}
