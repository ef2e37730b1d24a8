/* SPDX-License-Identifier: BSD-2-Clause */
/* vmo_size.c: the size of a memory object, removing what lies beyond it, and the size of its stream.
 *
 * Shrinking, while others map the object, is in this order, so that nobody ever reaches a page that has been freed:
 *   1. the kept bytes' last page is cleared behind the new end (a clone may wait for what its root has there);
 *   2. hardware entries beyond the end are removed, in steps; a record on the VMO keeps them from coming back;
 *   3. in the entry that finds none left the size changes: from now on every access beyond it is out of range;
 *   4. waiters for pages beyond it are woken, content beyond it is removed, in steps (`trimming`). Should the caller
 *      die here, the next one who resizes or copies the object goes on.
 * Lock: the kernel lock.
 */
#include "arch/arch.h"
#include "lib/assert.h"
#include "vm/mapping.h"
#include "vm/pagemap.h"
#include "vm/source.h"
#include "vm/view.h"
#include "vm/window.h"

bool vmo_trim(struct vmo *v)
{
	while (v->trimming) {
		if (view_trim_step(v) && (!v->source || source_shrink_step(v->source, vmo_pages(v))))
			v->trimming = !tree_remove_step(&v->tree, vmo_pages(v), TREE_ALL);
		if (v->trimming && arch_preempt_poll())
			return false;
	}
	return true;
}

sys_status_t vmo_get_size(struct vmo *v, bool of_stream, u64 *size)
{
	u64 offset = 0;
	*size = of_stream ? v->shape->stream_size : v->shape->size;
	return vmo_resolve(&v, &offset, 0);
}

/* The bytes from `size` to the end of its page become zero. What a clone sees of its root there becomes its own. A root's
 * page that is missing stays so: whoever resizes it may be the one who brings it. */
static sys_status_t clear_tail(struct vmo *v, u64 size, struct page_wait *w)
{
	u64 done = 0;
	if (size >= v->size || (v->source && tree_tag(tree_lookup(&v->tree, size >> PAGE_SHIFT)) != TREE_PAGE))
		return SYS_OK;
	return vmo_zero(v, size, page_up(size) - size, &done, w);
}

sys_status_t vmo_set_size(struct vmo *v, u64 size, bool can_resize, struct page_wait *w)
{
	u64 offset = 0;
	sys_status_t status = size > VMO_MAX_SIZE ? SYS_ERR_OUT_OF_RANGE : vmo_resolve(&v, &offset, 0);
	if (status != SYS_OK)
		return status;
	if (!(v->options & SYS_VMO_RESIZABLE))
		return SYS_ERR_UNAVAILABLE;
	if (!can_resize)
		return SYS_ERR_ACCESS_DENIED;
	if (page_up(size) >> PAGE_SHIFT > ROOT_PAGES - v->tree.bias)
		return SYS_ERR_INVALID_ARGS;
	if (!vmo_trim(v))
		return VM_AGAIN;
	if (pagemap_next(v, page_up(size) >> PAGE_SHIFT, TREE_ALL) != TREE_ALL)
		return SYS_ERR_BAD_STATE;
	status = clear_tail(v, size, w);
	if (status != SYS_OK)
		return status;
	if (page_up(size) < v->size) {
		if (!mapping_unmap_all(v, page_up(size) >> PAGE_SHIFT, vmo_pages(v)))
			return VM_AGAIN;
		v->trimming = true;
		v->untrimmed = v->views.next;
	}
	/* COMMIT */
	v->size = page_up(size);
	if (v->view)
		v->view->limit = MIN(v->view->limit, vmo_pages(v));
	v->stream_size = size;
	return vmo_trim(v) ? SYS_OK : VM_AGAIN;
}

/* ---- the stream's size -------------------------------------------------------------------------- */
/* What lies between the old end and the new becomes zero first, whichever is lower. Who changes the size too meanwhile has
 * zeroed his part, so it is enough to go on from there. */
sys_status_t vmo_set_stream_size(struct vmo *v, u64 size, u64 *reached, struct page_wait *w)
{
	struct vmo *shape = v->shape;
	u64 start = 0, done = 0, old = shape->stream_size, high = MAX(old, size);
	sys_status_t status = vmo_resolve(&v, &start, size);
	if (status != SYS_OK)
		return status;
	*reached = MAX(*reached, MIN(old, size));
	if (*reached < high)
		status = vmo_zero(v, start + *reached, high - *reached, &done, w);
	*reached += done;
	if (status != SYS_OK)
		return status;
	if (!mapping_unmap_all(v, page_up(start + size) >> PAGE_SHIFT, page_up(start + old) >> PAGE_SHIFT))
		return VM_AGAIN;
	/* COMMIT */
	shape->stream_size = size;
	return SYS_OK;
}
