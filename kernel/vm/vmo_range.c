/* SPDX-License-Identifier: BSD-2-Clause */
/* vmo_range.c: operations on ranges of memory objects. Lock: the kernel lock. */
#include "arch/arch.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "vm/cursor.h"
#include "vm/hint.h"
#include "vm/mapping.h"
#include "vm/pagemap.h"
#include "vm/reclaim.h"
#include "vm/source.h"
#include "vm/window.h"

#define COMMIT_BATCH 8u                 /* pages between looks at pending interrupts */

/* A few pages of its own, as writes would make them; a pager's pages are only made present. What is missing is charged at once, if the
 * account has that much. */
static sys_status_t commit_batch(struct cursor *c)
{
	u64 stop = MIN(c->end, c->page + COMMIT_BATCH);
	u64 missing = c->v->source ? 0 : tree_next(&c->v->tree, c->page, stop) - c->page;
	struct page_ref ref;
	sys_status_t status = missing > 1 ? cursor_give(c, missing) : SYS_OK;
	if (status == VM_AGAIN)
		return status;
	status = SYS_OK;
	while (status == SYS_OK && c->page < stop) {
		status = cursor_require_owned(c, false, &ref);
		if (status == SYS_OK)
			cursor_keep_row(c);
	}
	cursor_take_back(c);
	return status;
}

/* Whole paths are copied: six nodes at most. */
static sys_status_t commit(struct vmo *v, u64 offset, u64 size, u64 *done, struct page_wait *w)
{
	struct cursor c;
	sys_status_t status = SYS_OK;
	cursor_begin(&c, v, (offset + *done) >> PAGE_SHIFT, (offset + size + PAGE_MASK) >> PAGE_SHIFT, TREE_LEVELS + 1, w);
	c.made = 0;
	while (status == SYS_OK && *done < size) {
		status = commit_batch(&c);
		*done = MIN(size, MAX(offset + *done, c.page << PAGE_SHIFT) - offset);
		if (status == SYS_OK && *done < size && arch_preempt_poll())
			status = VM_AGAIN;
	}
	return reclaim_or(status);
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

/* The same where nothing does not mean zero, behind a clone or in front of a pager: markers take the place of whatever is
 * there. In a root they are dirty, but for what was known to be zero before; who waits for its pages goes on. */
static sys_status_t mark_step(struct vmo *v, u64 *page, u64 end)
{
	if (!v->source)
		return tree_zero_step(&v->tree, page, end, TREE_CLEAN);
	u64 at = *page, stop = tree_next(&v->tree, at, end);
	tree_slot_t kind = tree_lookup(&v->tree, at);
	if (tree_tag(kind) == TREE_ZERO)
		at = stop = tree_run(&v->tree, at, at + MIN(end - at, MAX(tree_span(&v->tree, at), TREE_FANOUT)), &kind);
	else if (tree_tag(kind) == TREE_PAGE)
		stop = tree_run(&v->tree, at, MIN(end, at + TREE_STEP), &kind);
	sys_status_t status = tree_zero_step(&v->tree, &at, stop, TREE_DIRTY);
	if (!source_fail_step(v->source, *page, at, SYS_OK))
		return VM_AGAIN;
	*page = at;
	return status == SYS_OK && at < end ? VM_AGAIN : status;
}

/* Whole pages. Entries go first, all of them: in the entry that finds none, pages go, for as long as nobody interrupts; then
 * entries are looked at again, since meanwhile somebody may have touched what is left. */
static sys_status_t empty(struct vmo *v, u64 offset, u64 size, u64 *done)
{
	bool marks = v->source || v->view;
	u64 page = (offset + *done) >> PAGE_SHIFT, end = (offset + size) >> PAGE_SHIFT;
	sys_status_t status = SYS_OK;
	if (page == end)
		return SYS_OK;
	if (!mapping_unmap_all(v, page, end))
		return VM_AGAIN;
	do
		status = marks ? mark_step(v, &page, end) : empty_step(v, &page, end) ? SYS_OK : VM_AGAIN;
	while (status == VM_AGAIN && !arch_preempt_poll());
	*done = size;
	if (status != SYS_OK)
		*done = ((marks ? page : tree_next(&v->tree, page, end)) << PAGE_SHIFT) - offset;
	return status;
}

/* Clears bytes within one page. What reads zero already stays as it is; what is shared is copied, which never charges. */
static sys_status_t clear(struct vmo *v, u64 offset, u64 size, struct page_wait *w)
{
	struct page_ref ref;
	struct cursor c;
	u64 page = offset >> PAGE_SHIFT;
	if (cursor_peek(v, page, &ref) && ref.frame == zero_page)
		return SYS_OK;
	cursor_begin(&c, v, page, page + 1, 0, w);
	sys_status_t status = cursor_require(&c, true, &ref);
	if (status == SYS_OK)
		memset((u8 *)phys_to_virt(ref.frame) + (offset & PAGE_MASK), 0, size);
	return status;
}

sys_status_t vmo_zero(struct vmo *v, u64 offset, u64 size, u64 *done, struct page_wait *w)
{
	u64 end = offset + size;
	if (!vmo_trim(v))
		return VM_AGAIN;
	while (*done < size) {
		u64 at = offset + *done, n = MIN(end - at, PAGE_SIZE_ - (at & PAGE_MASK)), part = 0;
		sys_status_t status;
		if (n < PAGE_SIZE_ || v->info_flags & SYS_VMO_INFO_CONTIGUOUS) {
			status = clear(v, at, n, w);
			part = status == SYS_OK ? n : 0;
		} else {
			status = empty(v, at, (end & ~PAGE_MASK) - at, &part);
		}
		*done += part;
		if (status != SYS_OK)
			return status;
		if (*done < size && arch_preempt_poll())
			return VM_AGAIN;
	}
	return SYS_OK;
}

sys_status_t vmo_op_range(struct vmo *v, u32 op, u64 offset, u64 size, u64 *done, struct page_wait *w)
{
	if (op < SYS_VMO_OP_COMMIT || op > SYS_VMO_OP_CACHE_CLEAN_INVALIDATE)
		return SYS_ERR_INVALID_ARGS;
	if (op == SYS_VMO_OP_DECOMMIT && !(page_aligned(offset) && page_aligned(size)))
		return SYS_ERR_INVALID_ARGS;
	if (op >= SYS_VMO_OP_CACHE_SYNC)
		return vmo_cache(v, op, offset, size, done);
	if (op >= SYS_VMO_OP_ALWAYS_NEED)
		return vmo_hint(v, op, offset, size, done, w);
	if (op >= SYS_VMO_OP_LOCK)              /* the caller's matter (discard.h) */
		return SYS_ERR_NOT_SUPPORTED;
	sys_status_t status = vmo_resolve(&v, &offset, size);
	if (status != SYS_OK)
		return status;
	if (op == SYS_VMO_OP_COMMIT)
		return commit(v, offset, size, done, w);
	if (op == SYS_VMO_OP_ZERO)
		return vmo_zero(v, offset, size, done, w);
	if (v->source || v->view || v->info_flags & SYS_VMO_INFO_CONTIGUOUS)
		return SYS_ERR_NOT_SUPPORTED;
	if (!vmo_trim(v))
		return VM_AGAIN;
	return empty(v, offset, size, done);
}

