/* SPDX-License-Identifier: BSD-2-Clause */
/* mapping.c: mappings: their place in three structures, cutting pieces off, splitting, and taking access to an
 * object away.
 *
 * A mapping shrinks from its ends in steps, each of which leaves a smaller mapping that is whole in itself:
 * nothing is half unmapped, and who faults the gone part in again cannot hold it up. Only where the middle goes it
 * is split first.
 *
 * Taking access to an object's pages away, over all its mappings, must hold at one moment before the content may
 * change; the record in the VMO (struct vmo_closing) holds entries off meanwhile. Its walk stands at a mapping:
 * one that leaves the tree, or moves in it, sends the walk back to its start. Lock: the kernel lock.
 */
#include "vm/mapping.h"
#include "arch/arch.h"
#include "lib/assert.h"
#include "mem/account.h"
#include "mem/slab.h"
#include "vm/source.h"
#include "vm/space.h"

#define CHANGES_STEP 64u                /* change points that one step drops or moves */
#define CLOSE_STEP   128u               /* work of one closing step, in pages */
#define CLOSE_VISIT  16u                /* looking at a mapping, in the same units */
#define WAKE_STEP    8u                 /* waiters that one step wakes */

static struct mapping *of(const struct avl_node *n) { return container_of(n, struct mapping, node); }
static struct range_change *change_of(const struct avl_node *n) { return container_of(n, struct range_change, node); }
static struct space *space_of(const struct mapping *m) { return m->region.parent->space; }

/* ---- the object's interval tree -------------------------------------------------------------------------- */
static u64 last_of(const struct mapping *m) { return m->vmo_offset + m->region.size - 1; }

static void interval_augment(struct avl_node *n)
{
	struct mapping *m = of(n);

	m->max_end = last_of(m);
	if (n->left)
		m->max_end = MAX(m->max_end, of(n->left)->max_end);
	if (n->right)
		m->max_end = MAX(m->max_end, of(n->right)->max_end);
}

static void interval_insert(struct mapping *m)
{
	struct avl_tree *t = &m->vmo->mappings;
	struct avl_node **link = &t->root, *above = NULL;

	t->augment = interval_augment;
	while (*link) {
		above = *link;
		link = m->vmo_offset < of(above)->vmo_offset ? &above->left : &above->right;
	}
	avl_insert(t, &m->node, above, link);
}

static void interval_remove(struct mapping *m)
{
	struct vmo_closing *c = &m->vmo->closing;

	if (c->at == m) {
		c->at = NULL;
		c->va = 0;
	}
	avl_remove(&m->vmo->mappings, &m->node);
}

/* The first mapping, by offset, that shows something of [lo, last]. */
static struct mapping *first_in(const struct vmo *v, u64 lo, u64 last)
{
	struct avl_node *n = v->mappings.root;

	while (n) {
		struct mapping *m = of(n);
		if (n->left && of(n->left)->max_end >= lo)
			n = n->left;            /* there, or nowhere: those behind it begin later still */
		else if (m->vmo_offset > last)
			return NULL;
		else if (last_of(m) >= lo)
			return m;
		else
			n = n->right;
	}
	return NULL;
}

/* ---- coming and going ------------------------------------------------------------------------------------ */
struct mapping *mapping_alloc(struct space *s, sys_status_t *status)
{
	struct mapping *m = slab_alloc(s->account, sizeof *m, PART_MAPPING, status);

	if (m)
		list_init(&m->writable);
	return m;
}

void mapping_discard(struct mapping *m) { slab_free(m, sizeof *m); }

void mapping_attach(struct mapping *m, struct vmar *parent, struct deriv *below, enum deriv_kind below_kind)
{
	object_ref(&m->vmo->object);
	m->vmo->mapping_count++;
	interval_insert(m);
	region_insert(parent, &m->region);
	if (below)
		deriv_insert(below, below_kind, &m->deriv, DERIV_MAPPING);
}

/* It has no hardware entries and no change points any more. */
static void mapping_gone(struct mapping *m)
{
	struct vmo *v = m->vmo;
	struct space *s = m->region.parent->space;

	DEBUG_ASSERT(!m->changes.root);
	if (s && s->recent == m)
		s->recent = NULL;
	deriv_remove(&m->deriv);
	list_remove(&m->writable);
	interval_remove(m);
	region_remove(&m->region);
	v->mapping_count--;
	mapping_discard(m);
	object_unref(&v->object);
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

void mapping_change_insert(struct mapping *m, struct range_change *c)
{
	struct avl_node **link = &m->changes.root, *above = NULL;

	while (*link) {
		above = *link;
		link = c->from < change_of(above)->from ? &above->left : &above->right;
	}
	avl_insert(&m->changes, &c->node, above, link);
}

void mapping_change_remove(struct mapping *m, struct range_change *c)
{
	avl_remove(&m->changes, &c->node);
	slab_free(c, sizeof *c);
}

/* The mapping is to begin at `to`: drops the points up to there, the last of them becomes the first permission.
 * Where there are too many, a lower address that it can begin at now. */
static vaddr_t drop_front_changes(struct mapping *m, vaddr_t to)
{
	vaddr_t reached = to;

	for (unsigned i = 0; m->changes.root; i++) {
		struct range_change *c = change_of(avl_first(&m->changes));
		if (c->from > to)
			return to;
		if (i == CHANGES_STEP)
			return reached;
		reached = c->from;
		m->options = (m->options & ~MAPPING_PERMS) | c->perm;
		mapping_change_remove(m, c);
	}
	return to;
}

/* The same for its end. */
static vaddr_t drop_tail_changes(struct mapping *m, vaddr_t to)
{
	vaddr_t reached = to;

	for (unsigned i = 0; m->changes.root; i++) {
		struct range_change *c = change_of(avl_last(&m->changes));
		if (c->from < to)
			return to;
		if (i == CHANGES_STEP)
			return reached;
		reached = c->from;
		mapping_change_remove(m, c);
	}
	return to;
}

/* ---- cutting --------------------------------------------------------------------------------------------- */
static void begin_at(struct mapping *m, vaddr_t va)
{
	u64 gone = va - m->region.base;

	interval_remove(m);
	m->region.base += gone;
	m->region.size -= gone;
	m->vmo_offset += gone;
	interval_insert(m);
	region_changed(&m->region);
}

static void end_at(struct mapping *m, vaddr_t va)
{
	m->region.size = va - m->region.base;
	avl_update(&m->vmo->mappings, &m->node);
	region_changed(&m->region);
}

/* Who waits for a page that it would see in [lo, hi) of m finds out that this goes. False: there may be more of
 * them. */
static bool wake_waiters(struct mapping *m, vaddr_t lo, vaddr_t hi)
{
	struct source *source = m->vmo->source;

	for (unsigned i = 0; source && i < WAKE_STEP; i++)
		if (source_unmap_step(source, mapping_page(m, lo), mapping_page(m, hi - 1) + 1, space_of(m), lo, hi))
			return true;
	return !source;
}

static sys_status_t cut_front(struct mapping *m, vaddr_t hi)
{
	struct space *s = space_of(m);
	vaddr_t va = pt_next(s->root, m->region.base, hi);

	if (va < hi) {
		vaddr_t end = MIN(hi, step_end(va));
		space_unmap_span(s, va, end);
		va = end;
	}
	if (!wake_waiters(m, m->region.base, va))
		return VM_AGAIN;
	va = drop_front_changes(m, va);
	if (va == mapping_end_va(m))
		mapping_gone(m);
	else
		begin_at(m, va);
	return va == hi ? SYS_OK : VM_AGAIN;
}

/* Narrows [*lo, *hi), which has a leaf table, to its last span that has one. */
static void last_span(paddr_t root, vaddr_t *lo, vaddr_t *hi)
{
	while (*hi > span_end(*lo)) {
		vaddr_t middle = (*lo + (*hi - *lo) / 2) & ~(PT_SPAN - 1);
		middle = MAX(middle, span_end(*lo));
		if (middle >= *hi)
			middle = span_end(*lo);
		if (pt_next(root, middle, *hi) < *hi)
			*lo = middle;
		else
			*hi = middle;
	}
}

static sys_status_t cut_tail(struct mapping *m, vaddr_t lo)
{
	struct space *s = space_of(m);
	vaddr_t va = lo, end = mapping_end_va(m);

	if (pt_next(s->root, va, end) < end) {
		last_span(s->root, &va, &end);
		va = MAX(va, step_end(end - 1) - STEP_SPAN);
		space_unmap_span(s, va, end);
	}
	if (!wake_waiters(m, va, mapping_end_va(m)))
		return VM_AGAIN;
	va = drop_tail_changes(m, va);
	end_at(m, va);
	return va == lo ? SYS_OK : VM_AGAIN;
}

/* Where a split at `at` would have to move too many change points: a higher address, that it can be split at in
 * one step. */
static vaddr_t split_place(const struct mapping *m, vaddr_t at)
{
	const struct avl_node *n = avl_last(&m->changes);

	for (unsigned i = 1; n && change_of(n)->from > at; i++, n = avl_prev(n))
		if (i == CHANGES_STEP)
			return change_of(n)->from;
	return at;
}

static void move_changes(struct mapping *from, struct mapping *to, vaddr_t at)
{
	while (from->changes.root) {
		struct range_change *c = change_of(avl_last(&from->changes));
		if (c->from < at)
			break;
		if (c->from == at) {
			mapping_change_remove(from, c);
			break;
		}
		avl_remove(&from->changes, &c->node);
		mapping_change_insert(to, c);
	}
}

static void share_writable(struct mapping *m, struct mapping *n)
{
	if (!list_on(&m->writable) || m->write_high <= n->region.base)
		return;
	mapping_note_write(n, MAX(m->write_low, n->region.base), m->write_high);
	m->write_high = n->region.base;
	if (m->write_low >= m->write_high)
		list_remove(&m->writable);
}

/* Makes what lies from `at` on a mapping of its own, beside the old one; or, if that is much, only its last part.
 * Hardware entries stay. */
static sys_status_t split(struct mapping *m, vaddr_t at)
{
	sys_status_t status;
	vaddr_t until, end = mapping_end_va(m);
	struct mapping *n = mapping_alloc(space_of(m), &status);

	if (!n)
		return status;
	at = split_place(m, at);
	n->region.base = at;
	n->region.size = end - at;
	n->vmo = m->vmo;
	n->vmo_offset = m->vmo_offset + (at - m->region.base);
	n->options = (m->options & ~MAPPING_PERMS) | mapping_perm(m, at, &until);
	n->ceiling = m->ceiling;
	move_changes(m, n, at);
	end_at(m, at);
	mapping_attach(n, m->region.parent, m->deriv.prev ? &m->deriv : NULL, DERIV_MAPPING);
	share_writable(m, n);
	return SYS_OK;
}

sys_status_t mapping_cut_step(struct mapping *m, vaddr_t lo, vaddr_t hi)
{
	vaddr_t base = m->region.base, end = mapping_end_va(m);

	lo = MAX(lo, base);
	hi = MIN(hi, end);
	ASSERT(lo < hi);
	if (lo == base)
		return cut_front(m, hi);
	if (hi == end)
		return cut_tail(m, lo);
	if (object_dying(&m->vmo->object))      /* it ends as a whole anyway; and making memory may be what ends it */
		return cut_front(m, end) == SYS_OK ? SYS_OK : VM_AGAIN;
	sys_status_t status = split(m, hi);
	return status == SYS_OK ? VM_AGAIN : status;
}

bool mapping_end(struct mapping *m) { return cut_front(m, mapping_end_va(m)) == SYS_OK; }

bool mapping_end_step(struct vmo *v)
{
	if (v->mappings.root)
		mapping_end(of(v->mappings.root));
	return !v->mappings.root;
}

/* ---- taking access away ---------------------------------------------------------------------------------- */
bool mapping_protect_step(struct vmo *v)
{
	struct mapping *m = list_first(&v->writable, struct mapping, writable);

	if (m) {
		struct space *s = space_of(m);
		vaddr_t end = MIN(m->write_high, mapping_end_va(m));
		vaddr_t va = pt_next(s->root, MAX(m->write_low, m->region.base), end);
		if (va < end) {
			m->write_low = MIN(end, step_end(va));
			space_restrict_span(s, va, m->write_low, SYS_VM_PERM_READ | SYS_VM_PERM_EXECUTE);
		}
		if (va >= end || m->write_low >= end)
			list_remove(&m->writable);
	}
	v->closing.write = !list_empty(&v->writable);
	return !v->closing.write;
}

/* Removes m's entries of [lo, last], one span of them. Returns the work done; *done: none is left. */
static u64 close_mapping(struct mapping *m, u64 lo, u64 last, bool *done)
{
	struct vmo_closing *c = &m->vmo->closing;
	struct space *s = space_of(m);
	vaddr_t va, end;

	*done = true;
	if (last_of(m) < lo || (m == m->vmo->replacing && c->end - c->page == 1))
		return 0;
	va = m->region.base + (MAX(lo, m->vmo_offset) - m->vmo_offset);
	end = m->region.base + (MIN(last, last_of(m)) - m->vmo_offset) + 1;
	va = pt_next(s->root, MAX(va, c->va), end);
	if (va >= end)
		return 0;
	c->va = MIN(end, step_end(va));
	space_unmap_span(s, va, c->va);
	*done = c->va == end;
	return (c->va - va) >> PAGE_SHIFT;
}

/* One step of removing the entries of the record's pages. True: there are none, and the record is gone. */
static bool close_step(struct vmo *v)
{
	struct vmo_closing *c = &v->closing;
	u64 lo = c->page << PAGE_SHIFT;
	u64 last = c->end > UINT64_MAX >> PAGE_SHIFT ? UINT64_MAX : (c->end << PAGE_SHIFT) - 1;
	struct mapping *m = c->at ? c->at : first_in(v, lo, last);
	bool done;

	for (u64 work = 0; m && m->vmo_offset <= last;) {
		work += CLOSE_VISIT + close_mapping(m, lo, last, &done);
		if (done) {
			struct avl_node *next = avl_next(&m->node);
			m = next ? of(next) : NULL;
			c->va = 0;
		}
		if (m && work >= CLOSE_STEP) {
			c->at = m;
			return false;
		}
	}
	*c = (struct vmo_closing){ .write = c->write };
	return true;
}

bool mapping_unmap_step(struct vmo *v, u64 page, u64 end)
{
	struct vmo_closing *c = &v->closing;

	ASSERT(page < end);
	if (c->end == 0) {
		c->page = page;
		c->end = end;
	} else if (page < c->page || end > c->end) {    /* another one's record stands: both together, from the start */
		*c = (struct vmo_closing){ .page = MIN(page, c->page), .end = MAX(end, c->end), .write = c->write };
	}
	return close_step(v);
}

bool mapping_unmap_page(struct vmo *v, u64 page)
{
	if (v->mapping_count == (v->replacing ? 1 : 0) && v->closing.end == 0)
		return true;
	return mapping_unmap_step(v, page, page + 1);
}

static bool forbids(const struct vmo_closing *c, u64 page) { return c->page <= page && page < c->end; }

bool mapping_help_close(struct vmo *v, u64 page, bool write)
{
	if (write && v->closing.write)
		mapping_protect_step(v);
	if (forbids(&v->closing, page))
		close_step(v);
	return !(write && v->closing.write) && !forbids(&v->closing, page);
}

/* ---- walker ---------------------------------------------------------------------------------------------- */
/* Several may begin at one offset. */
static int compare(const struct avl_node *a, const struct avl_node *b)
{
	return of(a)->vmo_offset <= of(b)->vmo_offset ? -1 : 1;
}

static bool summary_ok(const struct avl_node *n)
{
	struct mapping copy = *of(n);

	interval_augment(&copy.node);
	return copy.max_end == of(n)->max_end;
}

static int compare_changes(const struct avl_node *a, const struct avl_node *b)
{
	return change_of(a)->from < change_of(b)->from ? -1 : 1;
}

static void check_changes(const struct mapping *m)
{
	u32 perm = m->options & MAPPING_PERMS;

	avl_check(&m->changes, compare_changes, NULL);
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
	ASSERT(cursor_peek(m->vmo, mapping_page(m, va), &ref) && ref.frame == e.frame);
	if (e.flags & PT_WRITE)
		ASSERT(ref.writable && list_on(&m->writable) && m->write_low <= va && va < m->write_high);
}

static void check_mapping(const struct mapping *m)
{
	paddr_t root = space_of(m)->root;
	vaddr_t end = mapping_end_va(m);

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

	avl_check(&v->mappings, compare, summary_ok);
	for (struct avl_node *n = avl_first(&v->mappings); n; n = avl_next(n), count++) {
		ASSERT(of(n)->vmo == v);
		check_mapping(of(n));
	}
	ASSERT(count == v->mapping_count && !v->replacing);
	list_each(l, &v->writable)
		ASSERT(container_of(l, struct mapping, writable)->vmo == v);
}
