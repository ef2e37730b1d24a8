/* SPDX-License-Identifier: BSD-2-Clause */
/* cursor.c: the one way to pages. Whoever wants a page of a VMO asks here, and here alone it is decided what that means:
 *
 *      what is there              to read                     to write, or to own
 *      a page of its own          that page                   that page
 *      a shared page              that page                   a copy of it takes its place
 *      a marker                   the zero page               a fresh page takes its place
 *      a hole                     as cursor_find() says       as cursor_find() says
 *
 * Before a page takes the place of another (or of the zero page), entries that show the old one are removed, so that no
 * mapping keeps it; the mapping whose fault this is replaces its entry by itself (cursor.replacing). Memory is charged
 * before anything changes, and a charge that succeeds has changed no content.
 * Lock: the kernel lock.
 */
#include "vm/cursor.h"
#include "arch/arch.h"
#include "lib/assert.h"
#include "lib/counters.h"
#include "lib/string.h"
#include "vm/mapping.h"
#include "vm/reclaim.h"
#include "vm/source.h"
#include "vm/view.h"

/* ---- changing what is there --------------------------------------------------------------------- */
/* Do other mappings than the one that faults show what is at this page? True: no, or not any more. */
static inline bool others_let_go(const struct cursor *c, paddr_t shown)
{
	return likely(vmo_shown_only_by(c->v, c->replacing)) || frame_of(shown)->page.mapped == 0 ||
	       mapping_unmap_page(c->v, c->page, c->replacing);
}

/* A write to a page that others reach too, by its path or by itself. Never charges. */
static sys_status_t copy_page(struct cursor *c, paddr_t shared, struct page_ref *out)
{
	struct vmo *v = c->v;
	if (!others_let_go(c, shared))
		return VM_AGAIN;
	sys_status_t status = tree_edit_at(&v->tree, c->page, c->retries > TREE_LEVELS, &c->at);
	if (status != SYS_OK)
		return status;
	paddr_t copy = frame_alloc(FRAME_PAGE);
	memcpy(phys_to_virt(copy), phys_to_virt(shared), PAGE_SIZE_);
	tree_replace(&v->tree, c->page, c->at.slot, copy);
	counters.copies++;
	*out = (struct page_ref){ copy, true, true };
	c->page++;
	return SYS_OK;
}

/* A clone's hole still shows the root's page: charging may have ended the root. */
static bool still_shows(const struct cursor *c)
{
	paddr_t shown;
	return view_page(c->v->view, c->page, 0, 1, NULL, &shown) == SYS_OK;
}

/* The page that takes the place of what is shown: the zero page, or the root's. */
static inline paddr_t fresh_page(const struct cursor *c, paddr_t shown)
{
	if (unlikely(shown != zero_page)) {
		paddr_t copy = frame_alloc(FRAME_PAGE);
		memcpy(phys_to_virt(copy), phys_to_virt(shown), PAGE_SIZE_);
		counters.copies++;
		return copy;
	}
	counters.zero_fills++;
	if (unlikely(!list_on(&c->v->reclaim)) && c->made)
		list_push(&c->v->object.account->forks, &c->v->reclaim);
	return frame_alloc_page(c->made | FRAME_WRITTEN);
}

/* A write to a hole or a marker. Most often its slot is there, and the walk that found it was the only one. Entries go
 * last: an account that is short may take away all entries of v to have its pages, and must not be set back by this. */
static sys_status_t fill_page(struct cursor *c, paddr_t shown, struct page_ref *out)
{
	struct vmo *v = c->v;
	sys_status_t status = tree_charge(&v->tree, 1);
	if (status != SYS_OK)
		return reclaim_but(shown, status);
	status = tree_edit_at(&v->tree, c->page, c->retries > TREE_LEVELS, &c->at);
	if (status == SYS_OK && ((unlikely(shown != zero_page) && !still_shows(c)) || !others_let_go(c, shown))) {
		tree_prune(&v->tree, c->page);
		status = VM_AGAIN;
	}
	if (status != SYS_OK) {
		tree_uncharge(&v->tree, 1);
		return reclaim_but(shown, status);
	}
	/* COMMIT */
	*out = (struct page_ref){ fresh_page(c, shown), true, true };
	tree_fill_at(&v->tree, c->page++, &c->at, out->frame | TREE_PAGE);
	if (unlikely(v->cache_policy))
		arch_cache_flush(out->frame);
	return SYS_OK;
}

/* ---- finding ------------------------------------------------------------------------------------ */
static inline void seen(const struct cursor *c, struct frame *f)
{
	if (!c->unseen)
		f->state &= (u16)~(FRAME_AGE | FRAME_HELD);
}

/* What is at the cursor's page, and (c->at) where. */
static inline tree_slot_t look(struct cursor *c)
{
	if (likely(c->page >= c->row_end))
		return tree_locate(&c->v->tree, c->page, &c->at);
	c->at.slot = &c->row[c->page - c->row_first];
	c->at.own = tree_tag(*c->at.slot) != TREE_PAGE || frame_of(tree_frame(*c->at.slot))->refs == 1;
	return *c->at.slot;
}

sys_status_t cursor_find(struct cursor *c, bool write, bool own, struct page_ref *out)
{
	struct vmo *v = c->v;
	if (unlikely(object_dying(&v->object)))
		return SYS_ERR_BAD_STATE;
	if (c->page >= vmo_pages(v))
		return SYS_ERR_OUT_OF_RANGE;
	tree_slot_t slot = look(c);
	if (tree_tag(slot) == TREE_PAGE) {
		seen(c, frame_of(tree_frame(slot)));
		if (own && !c->at.own)
			return copy_page(c, tree_frame(slot), out);
		counters.shares += !c->at.own;
		if (write)
			frame_of(tree_frame(slot))->state |= FRAME_WRITTEN;
		*out = (struct page_ref){ tree_frame(slot), c->at.own, false };
		c->page++;
		return SYS_OK;
	}
	/* Behind a hole stands nothing, which reads as zero; a source, which is asked; or, of a clone, its root (view.h). */
	u8 access = write ? SYS_ACCESS_WRITE : SYS_ACCESS_READ;
	if (unlikely(v->source != NULL) && slot == TREE_EMPTY && c->page < v->source->limit)
		return source_request(v->source, c->page, c->end - c->page, access, c->wait);
	paddr_t shown = zero_page;
	if (unlikely(v->view != NULL) && slot == TREE_EMPTY) {
		sys_status_t status = view_page(v->view, c->page, access, c->end - c->page, c->wait, &shown);
		if (status != SYS_OK)
			return status;
		if (shown != zero_page)
			seen(c, frame_of(shown));
	}
	if (own)
		return fill_page(c, shown, out);
	*out = (struct page_ref){ shown, false, false };
	c->page++;
	return SYS_OK;
}

void cursor_keep_row(struct cursor *c)
{
	if (c->page < c->row_end)
		return;
	c->row = c->at.slot;
	c->row_first = c->page - 1;
	c->row_end = c->row_first + tree_row(&c->v->tree, c->row_first);
}

/* A page of the root's, through a hole. */
static bool existing_behind(const struct cursor *c, struct page_ref *out)
{
	const struct vmo *v = c->v;
	*out = (struct page_ref){ zero_page, false, false };
	if (likely(!v->view) || tree_lookup(&v->tree, c->page) != TREE_EMPTY ||
	    view_page(v->view, c->page, 0, 1, NULL, &out->frame) != SYS_OK || out->frame == zero_page)
		return false;
	seen(c, frame_of(out->frame));
	return true;
}

u64 cursor_existing(struct cursor *c, u64 max, struct page_ref *out)
{
	struct vmo *v = c->v;
	u64 end = MIN(c->end, vmo_pages(v)), n = 0, row = 0;
	const tree_slot_t *slot = NULL;
	bool own = false;
	if (unlikely(object_dying(&v->object)))
		return 0;
	for (; n < max && c->page < end; n++, c->page++) {
		slot = row ? slot + 1 : tree_slots(&v->tree, c->page, &row, &own);
		row = slot ? row - 1 : 0;
		if (slot && tree_tag(*slot) == TREE_PAGE) {
			struct frame *f = frame_of(tree_frame(*slot));
			seen(c, f);
			out[n] = (struct page_ref){ tree_frame(*slot), own && f->refs == 1, false };
		} else if (!existing_behind(c, &out[n])) {
			break;
		}
	}
	return n;
}

void cursor_skip_missing(struct cursor *c)
{
	const struct tree *t = &c->v->tree;
	u64 from = c->page;
	tree_slot_t kind;
	if (unlikely(c->v->view != NULL) && from < view_limit(c->v->view)) {    /* one at a time: the root has pages of its own */
		c->page++;
		return;
	}
	c->page = tree_next(t, from, c->end);
	if (c->page == from)
		c->page = tree_run(t, from, MIN(c->end, from + TREE_FANOUT), &kind);
}

bool cursor_peek(struct vmo *v, u64 page, struct page_ref *out)
{
	struct page_wait nobody = { .poll = true };
	struct cursor c;
	cursor_begin(&c, v, page, page + 1, 0, &nobody);
	c.unseen = true;
	return cursor_require(&c, false, out) == SYS_OK;
}
