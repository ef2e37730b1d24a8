/* SPDX-License-Identifier: BSD-2-Clause */
/* vmo.c: memory objects: making them, and their end. Children: vmo_child.c; sizes: vmo_size.c; ranges: vmo_range.c;
 * info: vmo_info.c. Pages are reached through cursor.c, reading and writing by calls is in copy.c.
 * Lock: the kernel lock.
 */
#include "lib/assert.h"
#include "lib/string.h"
#include "vm/cursor.h"
#include "vm/mapping.h"
#include "vm/pagemap.h"
#include "vm/reclaim.h"
#include "vm/source.h"
#include "vm/view.h"
#include "vm/window.h"

paddr_t zero_page;

#define OPTIONS       (SYS_VMO_RESIZABLE | SYS_VMO_DISCARDABLE | SYS_VMO_TRAP_DIRTY | SYS_VMO_UNBOUNDED)

/* ---- making ------------------------------------------------------------------------------------- */
sys_status_t vmo_make(struct account *a, u64 size, u32 options, u32 info_flags, struct vmo **out)
{
	sys_status_t status;
	struct vmo *v = object_create(a, SYS_TYPE_VMO, &status);
	if (!v)
		return status;
	tree_init(&v->tree, a);
	v->size = options & SYS_VMO_UNBOUNDED ? VMO_MAX_SIZE : page_up(size);
	v->stream_size = size;
	v->options = options;
	v->info_flags = info_flags | (options & SYS_VMO_RESIZABLE ? SYS_VMO_INFO_RESIZABLE : 0) |
	                (options & SYS_VMO_UNBOUNDED ? SYS_VMO_INFO_UNBOUNDED : 0) |
	                (options & SYS_VMO_DISCARDABLE ? SYS_VMO_INFO_DISCARDABLE : 0);
	list_init(&v->children);
	list_init(&v->sibling);
	list_init(&v->writable);
	list_init(&v->windows);
	list_init(&v->window);
	list_init(&v->through);
	list_init(&v->slots);
	list_init(&v->views);
	list_init(&v->kept);
	list_init(&v->reclaim);
	if (options & SYS_VMO_DISCARDABLE)
		reclaim_offer(v, &a->discardable);
	v->content = v->shape = v;
	watch_list_init(&v->watches);
	*out = v;
	return SYS_OK;
}

void vmo_discard(struct vmo *v)
{
	ASSERT(v->tree.charged == 0 && !v->mapping_count && !v->source && !v->view && !list_on(&v->sibling));
	reclaim_withdraw(v);
	object_discard(&v->object);
}

sys_status_t vmo_create(struct account *a, u64 size, u32 options, struct vmo **out)
{
	if ((options & ~OPTIONS) || (options & SYS_VMO_TRAP_DIRTY))
		return SYS_ERR_INVALID_ARGS;
	if ((options & SYS_VMO_UNBOUNDED) && (options & SYS_VMO_RESIZABLE))
		return SYS_ERR_INVALID_ARGS;
	if (size > VMO_MAX_SIZE)
		return SYS_ERR_OUT_OF_RANGE;
	return vmo_make(a, size, options, 0, out);
}

/* Puts a module's pages, charged already, into v from *page on, as many as stand in one row; *page: the next one. */
BOOT static sys_status_t take_module_row(struct vmo *v, paddr_t base, u64 *page)
{
	struct tree_place at;
	paddr_t first = base + *page * PAGE_SIZE_;
	tree_locate(&v->tree, *page, &at);
	sys_status_t status = tree_edit_at(&v->tree, *page, true, &at);
	if (status != SYS_OK)
		return status;
	u64 pages = MIN(tree_row(&v->tree, *page), vmo_pages(v) - *page);
	for (u64 i = 0; i < pages; i++)
		frame_take_module(first + i * PAGE_SIZE_);
	tree_fill_row(&v->tree, *page, &at, first, pages);
	*page += pages;
	return SYS_OK;
}

BOOT static sys_status_t take_module(struct vmo *v, paddr_t base)
{
	u64 page = 0;
	sys_status_t status = tree_charge(&v->tree, vmo_pages(v));
	if (status != SYS_OK)
		return status;
	while (status == SYS_OK && page < vmo_pages(v))
		status = take_module_row(v, base, &page);
	tree_uncharge(&v->tree, vmo_pages(v) - page);
	return status;
}

BOOT sys_status_t vmo_create_module(struct account *a, paddr_t base, u64 size, struct vmo **out)
{
	sys_status_t status = vmo_make(a, size, 0, 0, out);
	if (status != SYS_OK)
		return status;
	status = take_module(*out, base);
	if (status != SYS_OK)
		object_end(&(*out)->object);
	else                                    /* the loader leaves anything behind a module's last byte */
		memset((u8 *)phys_to_virt(base) + size, 0, page_up(size) - size);
	return status;
}

/* ---- the end ------------------------------------------------------------------------------------ */
/* Its parent counts it no longer. */
static void leave_parent(struct vmo *v)
{
	if (!v->parent)
		return;
	list_remove(&v->sibling);
	if (--v->parent->child_count == 0)
		watch_fire(&v->parent->watches);
	v->parent = NULL;
}

/* What has children is counted until they have gone over to its parent: that is not without for a moment. */
static void vmo_ended(struct object *o)
{
	struct vmo *v = container_of(o, struct vmo, object);
	reclaim_withdraw(v);
	if (!v->child_count)
		leave_parent(v);
}

static void hand_over(struct vmo *child, struct vmo *to)
{
	list_remove(&child->sibling);
	child->parent->child_count--;
	child->parent = to;
	if (!to)
		return;
	list_append(&to->children, &child->sibling);
	to->child_count++;
}

static bool end_source(struct vmo *v)
{
	if (!watch_end_one(&v->source->watches) && source_end_step(v->source, SYS_ERR_BAD_STATE))
		source_free(v->source);
	return false;
}

static bool vmo_reap(struct object *o)
{
	struct vmo *v = container_of(o, struct vmo, object);
	struct vmo *child = list_first(&v->children, struct vmo, sibling);
	if (child) {
		hand_over(child, v->parent);
		return false;
	}
	leave_parent(v);
	if (watch_end_one(&v->watches) || !window_sever_step(v))
		return false;
	struct list *view = v->views.next;
	if (view != &v->views) {
		view_end_step(container_of(view, struct view, link));
		return false;
	}
	if (v->source)
		return end_source(v);
	if (!pagemap_end_step(v) || !mapping_end_step(v) || !view_drop_step(v) || !tree_drop_step(&v->tree))
		return false;
	if (v->base)
		window_leave(v);
	if (!list_empty(&v->slots))
		vm_hooks.uncap_window(v);
	return list_empty(&v->slots);
}

const struct object_type vmo_type = { .name = "vmo", .size = sizeof(struct vmo), .ended = vmo_ended, .reap = vmo_reap };

BOOT void vmo_boot(void)
{
	sys_status_t status = account_charge(account_root(), 1);
	ASSERT(status == SYS_OK);
	zero_page = frame_alloc_zeroed(FRAME_PAGE);
	object_type_set(SYS_TYPE_VMO, &vmo_type);
	object_type_set(SYS_TYPE_PAGER, &pager_type);
}

void vmo_check(struct vmo *v)
{
	u64 children = 0;
	struct tree_counts beyond;
	tree_check(&v->tree);
	ASSERT(page_aligned(v->size) && v->stream_size <= v->size);
	tree_count(&v->tree, vmo_pages(v), TREE_ALL, &beyond);
	ASSERT(v->trimming || beyond.pages == 0);
	list_each(l, &v->children) {
		struct vmo *child = container_of(l, struct vmo, sibling);
		ASSERT(child->parent == v);
		children++;
	}
	ASSERT(children == v->child_count);
	ASSERT((v->parent != NULL) == list_on(&v->sibling));
	reclaim_check(v);
	watch_list_check(&v->watches);
	window_check(v);
	pagemap_check(v);
	view_check(v);
	if (v->source)
		source_check(v->source);
	mapping_check(v);
}
