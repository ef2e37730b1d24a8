/* SPDX-License-Identifier: BSD-2-Clause */
/* pagemap.c: kernel access to objects in programs' memory. See pagemap.h. Lock: the kernel lock. */
#include "vm/pagemap.h"

#include "arch/arch.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "vm/cursor.h"

struct kept_page {
	u8 part;                        /* PART_KEPT */
	struct vmo *content;            /* a reference */
	u64 page;
	paddr_t frame;
	struct list in_content;         /* on content->kept */
	struct list accessors;          /* never empty */
};
_Static_assert(sizeof(struct kept_page) == 64, "a cell of the smallest class");

static struct kept_page *of(struct list *l) { return container_of(l, struct kept_page, in_content); }

static struct kept_page *find(const struct vmo *v, u64 page)
{
	list_each(l, &v->kept)
		if (of(l)->page == page)
			return of(l);
	return NULL;
}

/* ---- keeping a page ----------------------------------------------------------------------------- */
static sys_status_t keep(struct vmo *v, u64 page, struct kept_page **out)
{
	struct page_ref ref;
	struct cursor c;
	sys_status_t status;
	struct kept_page *k = *out = find(v, page);
	if (k)
		return SYS_OK;
	if (v->kept_count == PAGEMAP_KEEPS)
		return SYS_ERR_NO_RESOURCES;
	*out = k = slab_alloc(v->object.account, sizeof *k, PART_KEPT, &status);
	if (!k)
		return status;
	cursor_begin(&c, v, page, page + 1, TREE_LEVELS + 1, NULL);
	c.made = 0;
	status = cursor_require_owned(&c, true, &ref);
	if (status != SYS_OK) {
		slab_free(k, sizeof *k);
		return status;
	}
	k->content = v;
	k->page = page;
	k->frame = ref.frame;
	list_init(&k->accessors);
	list_append(&v->kept, &k->in_content);
	v->kept_count++;
	v->info_flags |= VMO_KEPT;
	frame_of(k->frame)->page.kept++;
	object_ref(&v->object);
	return SYS_OK;
}

/* One of its accessors left. */
static void let_go(struct kept_page *k)
{
	struct vmo *v = k->content;
	if (!list_empty(&k->accessors))
		return;
	frame_of(k->frame)->page.kept--;
	list_remove(&k->in_content);
	if (--v->kept_count == 0)
		v->info_flags &= ~VMO_KEPT;
	slab_free(k, sizeof *k);
	object_unref(&v->object);
}

/* ---- accessors ---------------------------------------------------------------------------------- */
sys_status_t pagemap_place(const struct vmo *v, u64 offset, u32 size, u32 align)
{
	if ((offset & (align - 1)) || (offset & PAGE_MASK) + size > PAGE_SIZE_)
		return SYS_ERR_INVALID_ARGS;
	u64 limit = v->shape->size;
	return size > limit - MIN(offset, limit) ? SYS_ERR_OUT_OF_RANGE : SYS_OK;
}

sys_status_t pagemap_open(struct vmo *v, u64 offset, u32 size, struct deriv *below, struct accessor *a)
{
	struct kept_page *k, *old = a->page;
	struct vmo *content = v->content;
	if (!content || object_dying(&content->object) || content->cache_policy != SYS_CACHE_CACHED)
		return SYS_ERR_BAD_STATE;
	if (content->source || content->view)
		return SYS_ERR_NOT_SUPPORTED;
	offset += v->shift;
	sys_status_t status = keep(content, offset >> PAGE_SHIFT, &k);
	if (status != SYS_OK)
		return status;
	/* COMMIT */
	if (old) {
		list_remove(&a->in_page);
		deriv_remove(&a->deriv);
	}
	a->page = k;
	a->at = (u16)(offset & PAGE_MASK);
	a->size = (u16)size;
	list_append(&k->accessors, &a->in_page);
	if (below)
		deriv_insert(below, DERIV_SLOT_OPEN, &a->deriv, DERIV_ACCESSOR);
	if (old)
		let_go(old);
	return SYS_OK;
}

void accessor_close(struct accessor *a)
{
	struct kept_page *k = a->page;
	if (!k)
		return;
	a->page = NULL;
	list_remove(&a->in_page);
	deriv_remove(&a->deriv);
	let_go(k);
}

void accessor_end(struct accessor *a)
{
	a->ended(a);
	accessor_close(a);
}

static u8 *place(const struct accessor *a, u32 field, u32 len)
{
	ASSERT(a->page && field <= a->size && len <= a->size - field);
	return (u8 *)phys_to_virt(a->page->frame) + a->at + field;
}

void accessor_read(const struct accessor *a, u32 field, void *to, u32 len) { memcpy(to, place(a, field, len), len); }
void accessor_write(const struct accessor *a, u32 field, const void *from, u32 len) { memcpy(place(a, field, len), from, len); }

/* ---- what becomes of kept pages when content changes -------------------------------------------- */
u64 pagemap_next(const struct vmo *v, u64 page, u64 end)
{
	list_each(l, &v->kept)
		if (of(l)->page >= page && of(l)->page < end)
			end = of(l)->page;
	return end;
}

void pagemap_clear(const struct vmo *v, u64 page) { memset(phys_to_virt(find(v, page)->frame), 0, PAGE_SIZE_); }

unsigned pagemap_copies(const struct vmo *v)
{
	unsigned copies = 0;
	u64 before = TREE_INDEX_MASK;           /* no leaf's number: the first one's whole path is copied */
	list_each(l, &v->kept) {
		u64 leaf = ((v->tree.bias + of(l)->page) & TREE_INDEX_MASK) >> TREE_BITS;
		copies++;
		for (u64 differs = leaf ^ before; differs; differs >>= TREE_BITS)
			copies++;
		before = leaf;
	}
	return copies;
}

/* The cut shares the path, or the page itself where the child's slots are inline. First v gets a path of its own; then the
 * old one is the child's alone, whose slot gets the copy. */
static void unshare(struct vmo *v, const struct kept_page *k, struct tree *child, u64 first)
{
	tree_slot_t *slot;
	sys_status_t status = tree_edit(&v->tree, k->page, true, &slot);
	ASSERT(status == SYS_OK && tree_frame(*slot) == k->frame);
	if (frame_of(k->frame)->refs == 1)
		return;
	status = tree_edit(child, k->page - first, true, &slot);
	ASSERT(status == SYS_OK && tree_frame(*slot) == k->frame);
	paddr_t copy = frame_alloc(FRAME_PAGE);
	memcpy(phys_to_virt(copy), phys_to_virt(k->frame), PAGE_SIZE_);
	tree_replace(child, k->page - first, slot, copy);
}

void pagemap_unshare(struct vmo *v, struct tree *child, u64 first)
{
	list_each(l, &v->kept)
		unshare(v, of(l), child, first);
}

bool pagemap_end_step(struct vmo *v)
{
	struct kept_page *k = list_first(&v->kept, struct kept_page, in_content);
	if (k)
		accessor_end(list_first(&k->accessors, struct accessor, in_page));
	return !k;
}

void pagemap_check(const struct vmo *v)
{
	u32 count = 0;
	list_each(l, &v->kept) {
		const struct kept_page *k = of(l);
		bool own;
		ASSERT(k->content == v && k->page < vmo_pages(v) && find(v, k->page) == k && !list_empty(&k->accessors));
		ASSERT(tree_find(&v->tree, k->page, &own) == (k->frame | TREE_PAGE) && own && frame_of(k->frame)->page.kept);
		list_each(m, &k->accessors)
			ASSERT(container_of(m, struct accessor, in_page)->page == k);
		count++;
	}
	ASSERT(count == v->kept_count && count <= PAGEMAP_KEEPS && !count == !(v->info_flags & VMO_KEPT));
}
