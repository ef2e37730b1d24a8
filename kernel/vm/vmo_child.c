/* SPDX-License-Identifier: BSD-2-Clause */
/* vmo_child.c: children of memory objects. Lock: the kernel lock. */
#include "arch/arch.h"
#include "lib/assert.h"
#include "vm/mapping.h"
#include "vm/pagemap.h"
#include "vm/source.h"
#include "vm/view.h"
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
	u64 limit = kind == SYS_VMO_CHILD_SLICE ? VMO_MAX_SIZE :        /* that must be inside of what is there already */
	            VMO_MAX_SIZE - MIN(offset, VMO_MAX_SIZE);
	return size > limit ? SYS_ERR_OUT_OF_RANGE : SYS_OK;
}

/* How much of the content the child's window on v takes: all there may be behind its start when it reaches the content's
 * end, so that the tree's right edge is not cut. */
static u64 window_pages(const struct vmo *v, u64 offset, u64 size)
{
	u64 limit = v->shape->size;
	if (offset >= limit)
		return 0;
	if (page_up(size) >= limit - offset && v->shift + limit == v->content->size && size > TREE_INLINE * PAGE_SIZE_)
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

/* Nobody writes to v's pages through a mapping now. */
static bool take_write_access(struct vmo *v)
{
	unsigned steps = 0;
	for (; !mapping_protect_step(v); steps++)
		if (arch_preempt_poll())
			return false;
	return steps <= PROTECT_FEW;
}

/* True: the content c can be copied now. Of a root nothing is: its pages stay where they are. */
static bool copy_ready(struct vmo *c)
{
	struct vmo *root = c->view ? c->view->root : NULL;
	return vmo_trim(c) && (!root || vmo_trim(root)) && (c->source || take_write_access(c));
}

static bool gone(const struct vmo *v) { return !v->content || object_dying(&v->content->object); }

/* The child, empty so far, becomes a copy of what v shows of its content c from page `first` of that on: of what c has
 * itself, and a view of what it has not. */
static sys_status_t copy_content(struct vmo *child, struct vmo *v, u64 first, u64 pages)
{
	struct vmo *c = v->content;
	if (gone(v))                            /* its end was what made room for the child */
		return SYS_ERR_BAD_STATE;
	sys_status_t status = c->source || c->view ? view_make(child, c, first, pages) : SYS_OK;
	if (status != SYS_OK)
		return status;
	if (!gone(v) && c->source)
		return SYS_OK;
	status = gone(v) ? SYS_ERR_BAD_STATE : tree_snapshot(&child->tree, &c->tree, first, pages);
	if (status == SYS_OK)
		pagemap_unshare(c, &child->tree, first);
	else if (child->view)
		view_discard(child);
	return status;
}

/* A copy of what v shows of its content. */
static sys_status_t copy(struct vmo *v, struct account *a, u32 options, u64 offset, u64 size, struct vmo **out)
{
	struct vmo *child, *c = v->content;
	if (gone(v))
		return SYS_ERR_BAD_STATE;
	if (((options & SYS_VMO_CHILD_SNAPSHOT) && (c->source || c->view)) || c->options & SYS_VMO_DISCARDABLE)
		return SYS_ERR_NOT_SUPPORTED;
	u64 first = (v->shift >> PAGE_SHIFT) + (offset >> PAGE_SHIFT);
	if ((c->info_flags & SYS_VMO_INFO_CONTIGUOUS) ||
	    first + (page_up(size) >> PAGE_SHIFT) > ROOT_PAGES - c->tree.bias)
		return SYS_ERR_INVALID_ARGS;
	if (c->cache_policy != SYS_CACHE_CACHED || pagemap_copies(c) > PAGEMAP_COPIES)
		return SYS_ERR_BAD_STATE;
	if (!copy_ready(c))
		return VM_AGAIN;
	u64 pages = window_pages(v, offset, size);      /* v may have ended when there is room for the child */
	sys_status_t status = vmo_make(a, size, options & SYS_VMO_CHILD_RESIZABLE ? SYS_VMO_RESIZABLE : 0, SYS_VMO_INFO_COW_CLONE, &child);
	if (status != SYS_OK)
		return status;
	status = copy_content(child, v, first, pages);
	if (status != SYS_OK) {
		vmo_discard(child);
		return status;
	}
	*out = child;
	return SYS_OK;
}

sys_status_t vmo_create_child(struct vmo *v, struct account *a, u32 options, u64 offset, u64 size, struct vmo **out)
{
	sys_status_t status = child_arguments(options, offset, size);
	if (status == SYS_OK)
		status = (options & (SYS_VMO_CHILD_SLICE | SYS_VMO_CHILD_REFERENCE) ? window_create : copy)(v, a, options, offset, size, out);
	if (status == SYS_OK)
		adopt(v, *out);
	return status;
}
