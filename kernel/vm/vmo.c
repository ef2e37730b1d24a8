/* SPDX-License-Identifier: BSD-2-Clause */
/* vmo.c: memory objects: making, copying, resizing, measuring them, and their end. Pages are reached through cursor.c,
 * reading and writing by calls is in copy.c.
 *
 * Shrinking, while others map the object, is in this order, so that nobody ever reaches a page that has been freed:
 *   1. the kept bytes' last page is cleared behind the new end;
 *   2. hardware entries beyond the end are removed, in steps; a record on the VMO keeps them from coming back;
 *   3. in the entry that finds none left the size changes: from now on every access beyond it is out of range;
 *   4. waiters for pages beyond it are woken, content beyond it is removed, in steps (`trimming`). Should the caller
 *      die here, the next one who resizes or copies the object goes on.
 * Lock: the kernel lock.
 */
#include "arch/arch.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "vm/mapping.h"
#include "vm/source.h"
#include "vm/vmo.h"

paddr_t zero_page;

#define OPTIONS       (SYS_VMO_RESIZABLE | SYS_VMO_DISCARDABLE | SYS_VMO_TRAP_DIRTY | SYS_VMO_UNBOUNDED)
#define CHILD_KINDS   (SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE | \
                       SYS_VMO_CHILD_SNAPSHOT_MODIFIED | SYS_VMO_CHILD_SLICE | SYS_VMO_CHILD_REFERENCE)
#define CHILD_OPTIONS (CHILD_KINDS | SYS_VMO_CHILD_RESIZABLE | SYS_VMO_CHILD_NO_WRITE)

static u64 pages_of(const struct vmo *v) { return v->size >> PAGE_SHIFT; }

/* ---- making ------------------------------------------------------------------------------------- */
sys_status_t vmo_make(struct account *a, u64 size, u32 options, u32 info_flags, struct vmo **out)
{
	sys_status_t status;
	struct vmo *v = object_create(a, SYS_TYPE_VMO, &status);
	if (!v)
		return status;
	tree_init(&v->tree, a);
	v->size = page_up(size);
	v->stream_size = size;
	v->options = options;
	v->info_flags = info_flags | (options & SYS_VMO_RESIZABLE ? SYS_VMO_INFO_RESIZABLE : 0);
	list_init(&v->children);
	list_init(&v->sibling);
	list_init(&v->writable);
	watch_list_init(&v->watches);
	*out = v;
	return SYS_OK;
}

void vmo_discard(struct vmo *v)
{
	ASSERT(v->tree.charged == 0 && !v->mapping_count && !v->source && !list_on(&v->sibling));
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
	if (options & (SYS_VMO_UNBOUNDED | SYS_VMO_DISCARDABLE))
		return SYS_ERR_NOT_SUPPORTED;
	return vmo_make(a, size, options, 0, out);
}

/* Clears what of this page is behind byte `size` of the object. */
static void clear_behind(paddr_t page, u64 size)
{
	memset((u8 *)phys_to_virt(page) + (size & PAGE_MASK), 0, PAGE_SIZE_ - (size & PAGE_MASK));
}

/* Puts a module's pages, charged already, into v from *page on, as many as stand in one row; *page: the next one. */
static sys_status_t take_module_row(struct vmo *v, paddr_t base, u64 *page)
{
	struct tree_place at;
	paddr_t first = base + *page * PAGE_SIZE_;
	tree_locate(&v->tree, *page, &at);
	sys_status_t status = tree_edit_at(&v->tree, *page, true, &at);
	if (status != SYS_OK)
		return status;
	u64 pages = MIN(tree_row(&v->tree, *page), pages_of(v) - *page);
	for (u64 i = 0; i < pages; i++)
		frame_take_module(first + i * PAGE_SIZE_);
	tree_fill_row(&v->tree, *page, &at, first, pages);
	*page += pages;
	return SYS_OK;
}

static sys_status_t take_module(struct vmo *v, paddr_t base)
{
	u64 page = 0;
	sys_status_t status = tree_charge(&v->tree, pages_of(v));
	if (status != SYS_OK)
		return status;
	while (status == SYS_OK && page < pages_of(v))
		status = take_module_row(v, base, &page);
	tree_uncharge(&v->tree, pages_of(v) - page);
	return status;
}

sys_status_t vmo_create_module(struct account *a, paddr_t base, u64 size, struct vmo **out)
{
	sys_status_t status = vmo_make(a, size, 0, 0, out);
	if (status != SYS_OK)
		return status;
	status = take_module(*out, base);
	if (status != SYS_OK)
		object_end(&(*out)->object);
	else if (!page_aligned(size))           /* the loader leaves anything behind a module's last byte */
		clear_behind(base + (size & ~PAGE_MASK), size);
	return status;
}

/* ---- removing what is beyond the size ----------------------------------------------------------- */
/* True: nothing is left beyond the size. */
static bool trim(struct vmo *v)
{
	while (v->trimming) {
		if (!v->source || source_shrink_step(v->source, pages_of(v)))
			v->trimming = !tree_remove_step(&v->tree, pages_of(v), TREE_ALL);
		if (v->trimming && arch_preempt_poll())
			return false;
	}
	return true;
}

/* ---- copying ------------------------------------------------------------------------------------ */
static sys_status_t child_arguments(u32 options, u64 offset, u64 size)
{
	u32 kind = options & CHILD_KINDS;
	if ((options & ~CHILD_OPTIONS) || kind == 0 || (kind & (kind - 1)))
		return SYS_ERR_INVALID_ARGS;
	if ((options & SYS_VMO_CHILD_RESIZABLE) && (options & (SYS_VMO_CHILD_NO_WRITE | SYS_VMO_CHILD_SLICE)))
		return SYS_ERR_INVALID_ARGS;
	if (!page_aligned(offset) || (kind == SYS_VMO_CHILD_REFERENCE && (offset || size)))
		return SYS_ERR_INVALID_ARGS;
	if (size > VMO_MAX_SIZE || page_up(size) > VMO_MAX_SIZE - MIN(offset, VMO_MAX_SIZE))
		return SYS_ERR_OUT_OF_RANGE;
	return SYS_OK;
}

/* How much of v the child's window takes: all there may be behind its start when it reaches v's end, so that the tree's
 * right edge is not cut. */
static u64 window_pages(const struct vmo *v, u64 offset, u64 size)
{
	u64 first = offset >> PAGE_SHIFT;
	if (first >= pages_of(v))
		return 0;
	return page_up(size) >= v->size - offset ? TREE_ALL - first : page_up(size) >> PAGE_SHIFT;
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

sys_status_t vmo_create_child(struct vmo *v, struct account *a, u32 options, u64 offset, u64 size, struct vmo **out)
{
	struct vmo *child;
	sys_status_t status = child_arguments(options, offset, size);
	if (status != SYS_OK)
		return status;
	if (object_dying(&v->object))
		return SYS_ERR_BAD_STATE;
	if (!(options & SYS_VMO_CHILD_SNAPSHOT) || v->source)
		return SYS_ERR_NOT_SUPPORTED;
	if (!trim(v))
		return VM_AGAIN;
	unsigned steps = 0;
	for (; !mapping_protect_step(v); steps++)
		if (arch_preempt_poll())
			return VM_AGAIN;
	if (steps > PROTECT_FEW)
		return VM_AGAIN;
	u32 child_options = options & SYS_VMO_CHILD_RESIZABLE ? SYS_VMO_RESIZABLE : 0;
	status = vmo_make(a, size, child_options, SYS_VMO_INFO_COW_CLONE, &child);
	if (status != SYS_OK)
		return status;
	status = tree_snapshot(&child->tree, &v->tree, offset >> PAGE_SHIFT, window_pages(v, offset, size));
	if (status != SYS_OK) {
		vmo_discard(child);
		return status;
	}
	adopt(v, child);
	*out = child;
	return SYS_OK;
}

/* ---- size --------------------------------------------------------------------------------------- */
sys_status_t vmo_get_size(struct vmo *v, u64 *size)
{
	if (object_dying(&v->object))
		return SYS_ERR_BAD_STATE;
	*size = v->size;
	return SYS_OK;
}

/* Clears the bytes from `size` to the end of its page, if there is content. Never charges: what is there is at most
 * copied. */
static sys_status_t clear_tail(struct vmo *v, u64 size)
{
	struct page_ref page;
	u64 number = size >> PAGE_SHIFT;
	if (page_aligned(size) || number >= pages_of(v) || tree_tag(tree_lookup(&v->tree, number)) != TREE_PAGE)
		return SYS_OK;
	sys_status_t status = cursor_require(v, number, true, 1, TREE_LEVELS + 1, NULL, &page);
	if (status == SYS_OK)
		clear_behind(page.frame, size);
	return status;
}

sys_status_t vmo_set_size(struct vmo *v, u64 size, bool can_resize)
{
	if (size > VMO_MAX_SIZE)
		return SYS_ERR_OUT_OF_RANGE;
	if (object_dying(&v->object))
		return SYS_ERR_BAD_STATE;
	if (!(v->options & SYS_VMO_RESIZABLE))
		return SYS_ERR_UNAVAILABLE;
	if (!can_resize)
		return SYS_ERR_ACCESS_DENIED;
	if (!trim(v))
		return VM_AGAIN;
	sys_status_t status = clear_tail(v, size);
	if (status != SYS_OK)
		return status;
	if (page_up(size) < v->size) {
		while (!mapping_unmap_step(v, page_up(size) >> PAGE_SHIFT, pages_of(v)))
			if (arch_preempt_poll())
				return VM_AGAIN;
		v->trimming = true;
	}
	/* COMMIT */
	v->size = page_up(size);
	v->stream_size = size;
	return trim(v) ? SYS_OK : VM_AGAIN;
}

/* ---- operations on ranges ----------------------------------------------------------------------- */
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
	while (!tree_remove_step(&v->tree, page, end == pages_of(v) ? TREE_ALL : end)) {
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
	if (!trim(v))
		return VM_AGAIN;
	return decommit(v, offset, size, done);
}

/* ---- info --------------------------------------------------------------------------------------- */
/* Measures what needs a walk over all leaves. The state is the VMO's: callers that ask at the same time do it
 * together. */
static bool survey(struct vmo *v)
{
	if (!v->surveying)
		v->survey = (struct tree_survey){ 0 };
	v->surveying = true;
	while (!tree_survey_step(&v->tree, &v->survey))
		if (arch_preempt_poll())
			return false;
	v->surveying = false;
	return true;
}

sys_status_t vmo_info(struct vmo *v, sys_vmo_info_t *info)
{
	struct tree_counts counts = { 0 };
	if (object_dying(&v->object))
		return SYS_ERR_BAD_STATE;
	if (!trim(v) || !survey(v))
		return VM_AGAIN;
	tree_totals(&v->tree, &counts.pages, &counts.nodes);
	*info = (sys_vmo_info_t){
		.koid = v->object.koid, .parent_koid = v->parent_koid,
		.size = v->size, .stream_size = v->stream_size,
		.committed = counts.pages * PAGE_SIZE_, .populated = counts.pages * PAGE_SIZE_,
		.private_bytes = v->survey.private_pages * PAGE_SIZE_,
		.scaled_bytes = v->survey.share.bytes, .scaled_fraction = v->survey.share.fraction,
		.metadata_bytes = counts.pages + counts.nodes ? counts.nodes * PAGE_SIZE_ + sizeof(*v) : 0,
		.children = v->child_count, .mappings = v->mapping_count,
		.flags = v->info_flags, .cache_policy = SYS_CACHE_CACHED,
	};
	return SYS_OK;
}

/* ---- the end ------------------------------------------------------------------------------------ */
/* Its parent counts it no longer. */
static void vmo_ended(struct object *o)
{
	struct vmo *v = container_of(o, struct vmo, object);
	if (!v->parent)
		return;
	list_remove(&v->sibling);
	if (--v->parent->child_count == 0)
		watch_fire(&v->parent->watches);
	v->parent = NULL;
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
	if (child) {                            /* it lives on by itself */
		list_remove(&child->sibling);
		child->parent = NULL;
		v->child_count--;
		return false;
	}
	if (watch_end_one(&v->watches))
		return false;
	if (v->source)
		return end_source(v);
	return mapping_end_step(v) && tree_drop_step(&v->tree);
}

const struct object_type vmo_type = { .name = "vmo", .size = sizeof(struct vmo), .ended = vmo_ended, .reap = vmo_reap };

void vmo_boot(void)
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
	tree_check(&v->tree);
	ASSERT(page_aligned(v->size) && v->stream_size <= v->size && v->size - v->stream_size < PAGE_SIZE_);
	ASSERT(v->trimming || tree_next(&v->tree, pages_of(v), TREE_ALL) >= TREE_ALL);
	list_each(l, &v->children) {
		struct vmo *child = container_of(l, struct vmo, sibling);
		ASSERT(child->parent == v && !object_dying(&child->object));
		children++;
	}
	ASSERT(children == v->child_count);
	ASSERT((v->parent != NULL) == list_on(&v->sibling));
	watch_list_check(&v->watches);
	if (v->source)
		source_check(v->source);
	mapping_check(v);
}
