/* SPDX-License-Identifier: BSD-2-Clause */
/* mapping.c: mappings: their places in their region's tree, their object's and its root's, and the points where their
 * permission changes. They are cut in cut.c; access to an object is taken away in closing.c. Lock: the kernel lock.
 */
#include "vm/mapping.h"
#include "arch/arch.h"
#include "lib/assert.h"
#include "mem/account.h"
#include "mem/slab.h"
#include "vm/space.h"
#include "vm/view.h"
#include "vm/window.h"


/* ---- places in interval trees ---------------------------------------------------------------------------- */
/* The walk of a closing record that stands at an interval which leaves its tree begins anew; that of a view that ends
 * goes on behind it. */
static void interval_leave(struct vmo *v, struct interval *i)
{
	if (v->closing.at == i) {
		v->closing.at = NULL;
		v->closing.va = 0;
	}
	if (v->view && v->view->at == i) {
		v->view->at = interval_next(i);
		v->view->va = 0;
	}
	interval_remove(&v->mappings, i);
}

/* What of a clone's mapping falls through to the root stands in the root's tree too. While a view ends only what stood there
 * does, and the view's walk will find it. */
void mapping_enter_root(struct mapping *m, bool stood)
{
	struct view *view = m->vmo->view;
	u64 limit, shift;

	if (!view || (view->ended && !stood) || m->own.first >= (limit = view->limit << PAGE_SHIFT))
		return;
	shift = view->first << PAGE_SHIFT;
	interval_insert(&view->root->mappings, &m->root, m, m->own.first + shift, MIN(m->own.last, limit - 1) + shift);
	if (view->ended && (!view->at || m->own.first < view->at->first))
		view->at = &m->own;             /* the walk stood there, and is at its start again: interval_leave() */
}

void mapping_leave_root(struct mapping *m)
{
	if (m->root.mapping)
		interval_leave(m->vmo->view->root, &m->root);
}

void mapping_moved(struct mapping *m, u64 first)
{
	bool stood = m->root.mapping;

	interval_leave(m->vmo, &m->own);
	mapping_leave_root(m);
	interval_insert(&m->vmo->mappings, &m->own, m, first, first + m->region.size - 1);
	mapping_enter_root(m, stood);
}

void mapping_shortened(struct mapping *m)
{
	bool stood = m->root.mapping;

	interval_end_at(&m->vmo->mappings, &m->own, m->own.first + m->region.size - 1);
	mapping_leave_root(m);
	mapping_enter_root(m, stood);
}

/* ---- coming and going ------------------------------------------------------------------------------------ */
struct mapping *mapping_alloc(struct space *s, sys_status_t *status)
{
	struct mapping *m = slab_alloc(s->account, sizeof *m, PART_MAPPING, status);

	if (m) {
		list_init(&m->writable);
		list_init(&m->through_link);
	}
	return m;
}

void mapping_discard(struct mapping *m) { slab_free(m, sizeof *m); }

void mapping_attach(struct mapping *m, struct vmar *parent, struct deriv *below, enum deriv_kind below_kind)
{
	struct vmo *held = m->through ? m->through : m->vmo;

	object_ref(&held->object);
	held->mapping_count++;
	if (m->through)
		list_append(&m->through->through, &m->through_link);
	interval_insert(&m->vmo->mappings, &m->own, m, m->own.first, m->own.first + m->region.size - 1);
	mapping_enter_root(m, false);
	region_insert(parent, &m->region);
	if (below)
		deriv_insert(below, below_kind, &m->deriv, DERIV_MAPPING);
}

void mapping_gone(struct mapping *m)
{
	struct vmo *v = m->vmo, *held = m->through ? m->through : v;
	struct space *s = m->region.parent->space;

	DEBUG_ASSERT(!m->changes.root);
	if (s && s->recent == m)
		s->recent = NULL;
	deriv_remove(&m->deriv);
	list_remove(&m->writable);
	list_remove(&m->through_link);
	mapping_leave_root(m);
	interval_leave(v, &m->own);
	region_remove(&m->region);
	held->mapping_count--;
	mapping_discard(m);
	object_unref(&held->object);
}
/* ---- change points --------------------------------------------------------------------------------------- */
u32 mapping_perm_slow(const struct mapping *m, vaddr_t va, vaddr_t *until)
{
	u32 perm = m->options & MAPPING_PERMS;

	*until = mapping_end_va(m);
	for (struct avl_node *n = m->changes.root; n;) {
		const struct range_change *c = change_of(n);
		if (c->from <= va) {
			perm = c->perm;
			n = n->right;
		} else {
			*until = c->from;
			n = n->left;
		}
	}
	return perm;
}

static bool before(const struct avl_node *a, const struct avl_node *b) { return change_of(a)->from < change_of(b)->from; }

void mapping_change_insert(struct mapping *m, struct range_change *c)
{
	avl_insert(&m->changes, &c->node, before);
}

void mapping_change_remove(struct mapping *m, struct range_change *c)
{
	avl_remove(&m->changes, &c->node);
	slab_free(c, sizeof *c);
}

/* ---- walker ---------------------------------------------------------------------------------------------- */
static void check_changes(const struct mapping *m)
{
	u32 perm = m->options & MAPPING_PERMS;

	avl_check(&m->changes, before, NULL);
	ASSERT(!(perm & ~m->ceiling));
	for (struct avl_node *n = avl_first(&m->changes); n; n = avl_next(n)) {
		const struct range_change *c = change_of(n);
		ASSERT(c->from > m->region.base && c->from < mapping_end_va(m));
		ASSERT(c->perm != perm && !(c->perm & ~m->ceiling));
		perm = c->perm;
	}
}

void mapping_check_entry(const struct mapping *m, vaddr_t va, struct pt_entry e)
{
	struct page_ref ref;
	vaddr_t until;
	u32 perm = mapping_perm(m, va, &until);

	ASSERT(perm && !(e.flags & (PT_WRITE | PT_EXEC) & ~perm));
	ASSERT(frame_of(e.frame)->kind == FRAME_PAGE && frame_of(e.frame)->page.mapped > 0);
	if (object_dying(&m->vmo->object))      /* it gives nothing any more, but keeps its pages until then */
		return;
	const struct view *view = m->vmo->view; /* the same holds for one that ends */
	if (view && (view->ended || object_dying(&view->root->object)))
		return;
	ASSERT(!(m->options & MAPPING_LIMITED) || va < mapping_limit(m));
	ASSERT(cursor_peek(m->vmo, mapping_page(m, va), &ref) && ref.frame == e.frame);
	if (e.flags & PT_WRITE)
		ASSERT(ref.writable && list_on(&m->writable) && m->write_low <= va && va < m->write_high);
}

static void check_mapping(const struct mapping *m)
{
	paddr_t root = m->region.parent->space->root;
	vaddr_t end = mapping_end_va(m);

	ASSERT(m->own.last - m->own.first + 1 == m->region.size);
	check_changes(m);
	for (vaddr_t va = pt_next(root, m->region.base, end); va < end; va = pt_next(root, va + PAGE_SIZE_, end)) {
		struct pt_entry e = pt_query(root, va);
		if (e.flags)
			mapping_check_entry(m, va, e);
	}
}

void mapping_check(struct vmo *v)
{
	u64 count = 0;

	interval_check(&v->mappings);
	for (struct interval *i = interval_of(avl_first(&v->mappings)); i; i = interval_next(i)) {
		ASSERT(i == &i->mapping->own ? i->mapping->vmo == v : i->mapping->vmo->view->root == v);
		if (i == &i->mapping->own)
			check_mapping(i->mapping);
		count += i == &i->mapping->own && !i->mapping->through;
	}
	ASSERT((vmo_is_window(v) || count == v->mapping_count) && !v->replacing);
	list_each(l, &v->writable)
		ASSERT(container_of(l, struct mapping, writable)->vmo == v);
}
