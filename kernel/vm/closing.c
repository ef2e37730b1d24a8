/* SPDX-License-Identifier: BSD-2-Clause */
/* closing.c: taking access to an object's pages away, over all mappings that show them: its own, and where it is a root
 * its clones' as well.
 *
 * At one moment no entry may stand, before the content may change; the record in the VMO (struct vmo_closing) holds
 * entries off meanwhile. Its walk stands at an interval: one that leaves the tree, or moves in it, sends the walk back
 * to its start. Lock: the kernel lock.
 */
#include "arch/arch.h"
#include "lib/assert.h"
#include "vm/space.h"

#define CLOSE_STEP   128u               /* work of one closing step, in pages */
#define CLOSE_VISIT  16u                /* looking at a mapping, in the same units */

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

/* Removes the entries of one span of [va, end), from *at on. Returns the work done; *at == end: none is left. */
static u64 clear_span(struct space *s, vaddr_t va, vaddr_t end, vaddr_t *at)
{
	va = pt_next(s->root, MAX(va, *at), end);
	*at = MIN(end, step_end(va));
	if (va < end)
		space_unmap_span(s, va, *at);
	return (*at - va) >> PAGE_SHIFT;
}

bool mapping_clear_root_step(struct mapping *m, vaddr_t *va)
{
	vaddr_t base = m->region.base, end = base + (m->root.last - m->root.first) + 1;

	clear_span(space_of(m), base, end, va);
	return *va == end;
}

/* Removes the entries that i's mapping has of [lo, last] of v, one span of them. Returns the work done; *done: none is
 * left. */
static u64 close_interval(struct vmo *v, const struct interval *i, u64 lo, u64 last, bool *done)
{
	struct vmo_closing *c = &v->closing;
	const struct mapping *m = i->mapping;
	vaddr_t va, end;

	*done = true;
	if (i->last < lo || (m == v->replacing && c->end - c->page == 1))
		return 0;
	va = m->region.base + (MAX(lo, i->first) - i->first);
	end = m->region.base + (MIN(last, i->last) - i->first) + 1;
	u64 work = clear_span(space_of(m), va, end, &c->va);
	*done = c->va == end;
	return work;
}

/* One step of removing the entries of the record's pages. True: there are none, and the record is gone. */
static bool close_step(struct vmo *v)
{
	struct vmo_closing *c = &v->closing;
	u64 lo = c->page << PAGE_SHIFT;
	u64 last = c->end > UINT64_MAX >> PAGE_SHIFT ? UINT64_MAX : (c->end << PAGE_SHIFT) - 1;
	struct interval *i = c->at ? c->at : interval_first_in(&v->mappings, lo, last);
	bool done;

	for (u64 work = 0; i && i->first <= last;) {
		work += CLOSE_VISIT + close_interval(v, i, lo, last, &done);
		if (done) {
			i = interval_next(i);
			c->va = 0;
		}
		if (i && work >= CLOSE_STEP) {
			c->at = i;
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

bool mapping_unmap_all(struct vmo *v, u64 page, u64 end)
{
	while (page < end && !mapping_unmap_step(v, page, end))
		if (arch_preempt_poll())
			return false;
	return true;
}

bool mapping_unmap_page(struct vmo *v, u64 page, struct mapping *but)
{
	v->replacing = but;
	bool done = mapping_unmap_step(v, page, page + 1);
	v->replacing = NULL;
	return done;
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
