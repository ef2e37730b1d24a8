/* SPDX-License-Identifier: BSD-2-Clause */
/* vmo_range.c: operations on ranges of memory objects. Lock: the kernel lock. */
#include "arch/arch.h"
#include "lib/assert.h"
#include "vm/mapping.h"
#include "vm/pagemap.h"
#include "vm/source.h"

/* A page of its own, as a write would make it; a pager's page is only made present. Whole paths are copied: six nodes
 * at most. */
static sys_status_t commit_page(struct vmo *v, u64 page, u64 run, struct page_wait *w)
{
	struct page_ref ref;
	sys_status_t status = cursor_require(v, page, !v->source, run, TREE_LEVELS + 1, w, &ref);
	if (status == SYS_OK && ref.frame == zero_page)
		status = cursor_require(v, page, true, run, TREE_LEVELS + 1, w, &ref);
	return status;
}

static sys_status_t commit(struct vmo *v, u64 offset, u64 size, u64 *done, struct page_wait *w)
{
	u64 last = (offset + size - 1) >> PAGE_SHIFT;
	while (*done < size) {
		u64 page = (offset + *done) >> PAGE_SHIFT;
		sys_status_t status = commit_page(v, page, last - page + 1, w);
		if (status != SYS_OK)
			return status;
		*done = MIN(size, ((page + 1) << PAGE_SHIFT) - offset);
		if (*done < size && arch_preempt_poll())
			return VM_AGAIN;
	}
	return SYS_OK;
}

/* One step of giving up [*page, end), which has no entries; what is kept is cleared in place. True: done. */
static bool empty_step(struct vmo *v, u64 *page, u64 end)
{
	u64 kept = pagemap_next(v, *page, end);
	if (*page < kept && !tree_remove_step(&v->tree, *page, kept == vmo_pages(v) ? TREE_ALL : kept))
		return false;
	if (kept < end)
		pagemap_clear(v, kept);
	*page = kept + 1;
	return kept == end;
}

/* Entries go first, all of them: in the entry that finds none, pages go, for as long as nobody interrupts; then entries
 * are looked at again, since meanwhile somebody may have touched what is left. */
static sys_status_t decommit(struct vmo *v, u64 offset, u64 size, u64 *done)
{
	u64 page = (offset + *done) >> PAGE_SHIFT, end = (offset + size) >> PAGE_SHIFT;
	if (page == end)
		return SYS_OK;
	while (!mapping_unmap_step(v, page, end))
		if (arch_preempt_poll())
			return VM_AGAIN;
	while (!empty_step(v, &page, end)) {
		if (arch_preempt_poll()) {
			*done = (tree_next(&v->tree, page, end) << PAGE_SHIFT) - offset;
			return VM_AGAIN;
		}
	}
	*done = size;
	return SYS_OK;
}

sys_status_t vmo_op_range(struct vmo *v, u32 op, u64 offset, u64 size, u64 *done, struct page_wait *w)
{
	if (op < SYS_VMO_OP_COMMIT || op > SYS_VMO_OP_CACHE_CLEAN_INVALIDATE)
		return SYS_ERR_INVALID_ARGS;
	if (op == SYS_VMO_OP_DECOMMIT && !(page_aligned(offset) && page_aligned(size)))
		return SYS_ERR_INVALID_ARGS;
	if (op != SYS_VMO_OP_COMMIT && op != SYS_VMO_OP_DECOMMIT)
		return SYS_ERR_NOT_SUPPORTED;
	if (offset > v->size || size > v->size - offset)
		return SYS_ERR_OUT_OF_RANGE;
	if (object_dying(&v->object))
		return SYS_ERR_BAD_STATE;
	if (op == SYS_VMO_OP_COMMIT)
		return commit(v, offset, size, done, w);
	if (v->source)
		return SYS_ERR_NOT_SUPPORTED;
	if (!vmo_trim(v))
		return VM_AGAIN;
	return decommit(v, offset, size, done);
}

