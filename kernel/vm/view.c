/* SPDX-License-Identifier: BSD-2-Clause */
/* view.c: views of roots. See view.h. Lock: the kernel lock. */
#include "lib/assert.h"
#include "mem/slab.h"
#include "vm/cursor.h"
#include "vm/mapping.h"
#include "vm/source.h"
#include "vm/view.h"

#define VIEW_STEP 16u                   /* views, mappings or waiters of one step */

static struct view *view_at(struct list *l) { return container_of(l, struct view, link); }

/* ---- making ------------------------------------------------------------------------------------- */
sys_status_t view_make(struct vmo *clone, const struct vmo *v, u64 first, u64 pages)
{
	sys_status_t status;
	const struct view *of = v->view;
	struct vmo *root = of ? of->root : v->source->root;
	u64 limit = of ? of->limit : vmo_pages(v);
	struct view *view = slab_alloc(clone->object.account, sizeof *view, PART_VIEW, &status);
	if (!view)
		return status;
	view->clone = clone;
	view->first = clone->tree.bias = v->tree.bias + first;
	view->limit = MIN(MIN(vmo_pages(clone), pages), limit > first ? limit - first : 0);
	list_init(&view->link);
	clone->view = view;
	clone->info_flags |= VMO_CLONE;
	if ((of && of->ended) || object_dying(&root->object)) {
		view->ended = VIEW_GONE;
		return SYS_OK;
	}
	view->root = root;
	list_append(&root->views, &view->link);
	object_ref(&root->object);
	if (of && of->deriv.prev)
		deriv_insert(&v->view->deriv, DERIV_VIEW, &view->deriv, DERIV_VIEW);
	return SYS_OK;
}

void view_derive(const struct vmo *clone, struct deriv *below, enum deriv_kind below_kind)
{
	if (clone->view && !clone->view->ended && !clone->view->deriv.prev)
		deriv_insert(below, below_kind, &clone->view->deriv, DERIV_VIEW);
}

/* ---- looking ------------------------------------------------------------------------------------ */
/* A hole of the root, too, and not beyond what its source has. */
__attribute__((noinline)) static sys_status_t ask(struct view *view, u64 page, u8 access, u64 run, struct page_wait *w)
{
	if (!w)
		return SYS_ERR_SHOULD_WAIT;
	u64 end = tree_next(&view->clone->tree, page, page + MIN(run, view_limit(view) - page));
	sys_status_t status = source_request(view->root->source, view->first + page, end - page, access, w);
	if (w->state != PAGE_WAIT_IDLE)
		page_wait_in_view(w, view);
	return status;
}

sys_status_t view_page(struct view *view, u64 page, u8 access, u64 run, struct page_wait *w, paddr_t *frame)
{
	struct vmo *root = view->root;
	u64 at = view->first + page;
	*frame = zero_page;
	if (page >= view_limit(view))
		return SYS_OK;
	if (view->ended || object_dying(&root->object))
		return SYS_ERR_BAD_STATE;
	if (w && root->closing.end && !mapping_help_close(root, at, false))
		return VM_AGAIN;
	tree_slot_t slot = tree_lookup(&root->tree, at);
	if (tree_tag(slot) == TREE_PAGE)
		*frame = tree_frame(slot);
	else if (tree_tag(slot) == TREE_EMPTY && at < root->source->limit)
		return ask(view, page, access, run, w);
	return SYS_OK;
}

/* ---- ends --------------------------------------------------------------------------------------- */
/* Wakes who waits through it for pages from `page` on; they try again and find out. */
static bool wake_step(struct view *view, u64 page)
{
	for (unsigned i = 0; i < VIEW_STEP; i++)
		if (page_wait_view_step(view, view->first + page))
			return true;
	return false;
}

/* Entries go. None comes back, since nothing falls through any more: so nobody can hold this up by touching what is gone. */
static bool close_step(struct view *view)
{
	for (unsigned i = 0; view->at; i++) {
		struct mapping *m = view->at->mapping;
		if (i == VIEW_STEP || (m->root.mapping && !mapping_clear_root_step(m, &view->va)))
			return false;
		mapping_leave_root(m);
		view->at = interval_next(view->at);
		view->va = 0;
	}
	return true;
}

/* Nothing points from the clone to the root any more, and nothing back. */
static void let_go(struct view *view)
{
	struct vmo *root = view->root;
	view->limit = view_limit(view);
	if (root->untrimmed == &view->link)
		root->untrimmed = view->link.next;
	list_remove(&view->link);
	deriv_remove(&view->deriv);
	view->root = NULL;
	view->ended = VIEW_GONE;
	object_unref(&root->object);
}

bool view_end_step(struct view *view)
{
	if (view->ended == VIEW_LIVE) {
		view->ended = VIEW_CLOSING;
		view->at = interval_of(avl_first(&view->clone->mappings));
	}
	if (view->ended == VIEW_CLOSING) {
		if (!wake_step(view, 0) || !close_step(view))
			return false;
		let_go(view);
	}
	return true;
}

bool view_drop_step(struct vmo *clone)
{
	struct view *view = clone->view;
	if (view && !view_end_step(view))
		return false;
	clone->view = NULL;
	if (view)
		slab_free(view, sizeof *view);
	return true;
}

void view_discard(struct vmo *clone)
{
	if (clone->view->root)
		let_go(clone->view);
	slab_free(clone->view, sizeof *clone->view);
	clone->view = NULL;
}

bool view_trim_step(struct vmo *v)
{
	if (v->view)
		return wake_step(v->view, vmo_pages(v));
	for (unsigned i = 0; v->untrimmed != &v->views; i++) {
		if (i == VIEW_STEP)
			return false;
		struct view *view = view_at(v->untrimmed);
		view->limit = view_limit(view);
		v->untrimmed = view->link.next;
	}
	return true;
}

/* ---- walker ------------------------------------------------------------------------------------- */
static void check_mapping(const struct view *view, const struct mapping *m)
{
	u64 shift = view->first << PAGE_SHIFT, limit = view_limit(view) << PAGE_SHIFT;
	if (!view->ended && m->own.first < limit)
		ASSERT(m->root.mapping && m->root.last >= MIN(m->own.last, limit - 1) + shift);
	if (m->root.mapping)
		ASSERT(view->root && m->root.first == m->own.first + shift && m->root.last <= m->own.last + shift);
}

static void check_view(const struct view *view)
{
	ASSERT(view->part == PART_VIEW && view->clone->view == view && !view->clone->source);
	ASSERT(view->limit <= vmo_pages(view->clone) && (view->ended == VIEW_GONE) == !view->root);
	ASSERT(list_on(&view->link) == (view->root != NULL));
	page_wait_check_view(view);
	if (view->root)
		ASSERT(view_limit(view) == 0 || view->first + view_limit(view) <= vmo_pages(view->root));
	else
		ASSERT(!view->deriv.prev);
	for (struct interval *i = interval_of(avl_first(&view->clone->mappings)); i; i = interval_next(i))
		check_mapping(view, i->mapping);
}

void view_check(const struct vmo *v)
{
	bool untrimmed = v->untrimmed == &v->views;
	if (v->view)
		check_view(v->view);
	list_each(l, &v->views) {
		ASSERT(view_at(l)->root == v && v->source);
		untrimmed |= l == v->untrimmed;
		check_view(view_at(l));
	}
	ASSERT(!v->trimming || untrimmed);
}
