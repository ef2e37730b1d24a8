/* SPDX-License-Identifier: BSD-2-Clause */
/* vmo_child.c: children of memory objects. Lock: the kernel lock. */
#include "arch/arch.h"
#include "lib/assert.h"
#include "vm/mapping.h"
#include "vm/pagemap.h"
#include "vm/source.h"
#include "vm/window.h"

#define CHILD_KINDS   (SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE | \
                       SYS_VMO_CHILD_SNAPSHOT_MODIFIED | SYS_VMO_CHILD_SLICE | SYS_VMO_CHILD_REFERENCE)
#define CHILD_OPTIONS (CHILD_KINDS | SYS_VMO_CHILD_RESIZABLE | SYS_VMO_CHILD_NO_WRITE)

static sys_status_t child_arguments(u32 options, u64 offset, u64 size)
{
	u32 kind = options & CHILD_KINDS;
	if ((options & ~CHILD_OPTIONS) || kind == 0 || (kind & (kind - 1)))
		return SYS_ERR_INVALID_ARGS;
	if ((options & SYS_VMO_CHILD_RESIZABLE) && (options & (SYS_VMO_CHILD_NO_WRITE | SYS_VMO_CHILD_SLICE)))
		return SYS_ERR_INVALID_ARGS;
	if (!page_aligned(offset) || (kind == SYS_VMO_CHILD_REFERENCE && (offset || size)))
		return SYS_ERR_INVALID_ARGS;
	if (size > VMO_MAX_SIZE)
		return SYS_ERR_OUT_OF_RANGE;
	if (kind == SYS_VMO_CHILD_SLICE)                /* it must be inside of what is there already */
		return SYS_OK;
	return page_up(size) > VMO_MAX_SIZE - MIN(offset, VMO_MAX_SIZE) ? SYS_ERR_OUT_OF_RANGE : SYS_OK;
}

/* How much of the content the child's window on v takes: all there may be behind its start when it reaches the content's
 * end, so that the tree's right edge is not cut. */
static u64 window_pages(const struct vmo *v, u64 offset, u64 size)
{
	u64 limit = v->shape->size;
	if (offset >= limit)
		return 0;
	if (page_up(size) >= limit - offset && v->shift + limit == v->content->size)
		return TREE_ALL - ((v->shift + offset) >> PAGE_SHIFT);
	return MIN(page_up(size), limit - offset) >> PAGE_SHIFT;
}

static void adopt(struct vmo *v, struct vmo *child)
{
	child->parent = v;
	child->parent_koid = v->object.koid;
	list_append(&v->children, &child->sibling);
	v->child_count++;
}

/* The cut has an entry of its own where much had to be protected before. What others write to meanwhile is no more than this many steps. */
#define PROTECT_FEW 4u

/* An independent copy of what v shows of its content c. */
static sys_status_t snapshot(struct vmo *v, struct account *a, u32 options, u64 offset, u64 size, struct vmo **out)
{
	struct vmo *child, *c = v->content;
	u64 first = (v->shift + offset) >> PAGE_SHIFT;
	if (!c || object_dying(&c->object))
		return SYS_ERR_BAD_STATE;
	if (!(options & SYS_VMO_CHILD_SNAPSHOT) || c->source || c->options & SYS_VMO_DISCARDABLE)
		return SYS_ERR_NOT_SUPPORTED;
	if (c->cache_policy != SYS_CACHE_CACHED)
		return SYS_ERR_BAD_STATE;
	if (!vmo_trim(c))
		return VM_AGAIN;
	unsigned steps = 0;
	for (; !mapping_protect_step(c); steps++)
		if (arch_preempt_poll())
			return VM_AGAIN;
	if (steps > PROTECT_FEW)
		return VM_AGAIN;
	u32 child_options = options & SYS_VMO_CHILD_RESIZABLE ? SYS_VMO_RESIZABLE : 0;
	sys_status_t status = vmo_make(a, size, child_options, SYS_VMO_INFO_COW_CLONE, &child);
	if (status != SYS_OK)
		return status;
	status = v->content ? tree_snapshot(&child->tree, &c->tree, first, window_pages(v, offset, size)) : SYS_ERR_BAD_STATE;
	if (status != SYS_OK) {
		vmo_discard(child);
		return status;
	}
	pagemap_unshare(c, &child->tree, first);
	*out = child;
	return SYS_OK;
}

sys_status_t vmo_create_child(struct vmo *v, struct account *a, u32 options, u64 offset, u64 size, struct vmo **out)
{
	bool window = options & (SYS_VMO_CHILD_SLICE | SYS_VMO_CHILD_REFERENCE);
	sys_status_t status = child_arguments(options, offset, size);
	if (status == SYS_OK)
		status = (window ? window_create : snapshot)(v, a, options, offset, size, out);
	if (status == SYS_OK)
		adopt(v, *out);
	return status;
}
