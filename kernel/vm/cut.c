/* SPDX-License-Identifier: BSD-2-Clause */
/* cut.c: cutting pieces off mappings, and splitting them.
 *
 * A mapping shrinks from its ends in steps, each of which leaves a smaller mapping that is whole in itself:
 * nothing is half unmapped, and who faults the gone part in again cannot hold it up. Only where the middle goes it
 * is split first. Lock: the kernel lock.
 */
#include "lib/assert.h"
#include "vm/source.h"
#include "vm/space.h"
#include "vm/view.h"

#define CHANGES_STEP 64u                /* change points that one step drops or moves */
#define WAKE_STEP    8u                 /* waiters that one step wakes */

/* The mapping is to begin, or with `tail` to end, at `to`: drops the points that it has no more; at its front the last
 * of them becomes the first permission. Where there are too many, an address nearer that it can begin or end at now. */
static vaddr_t drop_changes(struct mapping *m, vaddr_t to, bool tail)
{
	vaddr_t reached = to;

	for (unsigned i = 0; m->changes.root; i++) {
		struct range_change *c = change_of(avl_outermost(m->changes.root, tail));
		if (tail ? c->from < to : c->from > to)
			return to;
		if (i == CHANGES_STEP)
			return reached;
		reached = c->from;
		if (!tail)
			m->options = (m->options & ~MAPPING_PERMS) | c->perm;
		mapping_change_remove(m, c);
	}
	return to;
}

static void begin_at(struct mapping *m, vaddr_t va)
{
	u64 gone = va - m->region.base;

	m->region.base += gone;
	m->region.size -= gone;
	mapping_moved(m, m->own.first + gone);
	region_changed(&m->region);
}

static void end_at(struct mapping *m, vaddr_t va)
{
	m->region.size = va - m->region.base;
	mapping_shortened(m);
	region_changed(&m->region);
}

/* Who waits for a page that it would see in [lo, hi) of m finds out that this goes. False: there may be more of
 * them. */
static bool wake_waiters(struct mapping *m, vaddr_t lo, vaddr_t hi)
{
	for (unsigned i = 0; i < WAKE_STEP; i++)
		if (page_wait_unmap_step(space_of(m), lo, hi))
			return true;
	return false;
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
	va = drop_changes(m, va, false);
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
	va = drop_changes(m, va, true);
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
	n->through = m->through;
	n->own.first = m->own.first + (at - m->region.base);
	n->options = (m->options & ~MAPPING_PERMS) | mapping_perm(m, at, &until);
	n->ceiling = m->ceiling;
	move_changes(m, n, at);
	end_at(m, at);
	mapping_attach(n, m->region.parent, m->deriv.prev ? &m->deriv : NULL, DERIV_MAPPING);
	if (m->root.mapping && !n->root.mapping)
		mapping_enter_root(n, true);
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
	struct mapping *m = list_first(&v->through, struct mapping, through_link);

	if (!m && v->mappings.root)
		m = interval_of(v->mappings.root)->mapping;
	if (m)
		mapping_end(m);
	return list_empty(&v->through) && !v->mappings.root;
}
