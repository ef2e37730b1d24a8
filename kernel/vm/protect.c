/* SPDX-License-Identifier: BSD-2-Clause */
/* protect.c: permissions of parts of mappings.
 *
 * A mapping has a first permission and points where it changes. A range of one permission gets another one by a
 * point at its start and one at its end, or fewer where a neighbour has the same. Order: both points are reserved,
 * then hardware loses what it may not have any more, then the points change. A permission that grows never touches
 * hardware: the next fault does. Lock: the kernel lock.
 */
#include "arch/arch.h"
#include "lib/assert.h"
#include "mem/slab.h"
#include "vm/space.h"

#define PROTECT_AHEAD 128u              /* ranges that are checked before the first is changed */
#define PERM_WX (SYS_VM_PERM_WRITE | SYS_VM_PERM_EXECUTE)

static struct range_change *change_at(const struct mapping *m, vaddr_t va)
{
	for (struct avl_node *n = m->changes.root; n;) {
		struct range_change *c = change_of(n);
		if (c->from == va)
			return c;
		n = va < c->from ? n->left : n->right;
	}
	return NULL;
}

static struct range_change *change_alloc(struct mapping *m, sys_status_t *status)
{
	return slab_alloc(m->region.parent->space->account, sizeof(struct range_change), PART_RANGE, status);
}

static void change_add(struct mapping *m, struct range_change **spare, vaddr_t from, u32 perm)
{
	struct range_change *c = *spare;

	ASSERT(c);
	*spare = NULL;
	c->from = from;
	c->perm = perm;
	mapping_change_insert(m, c);
}

/* Takes from the entries of [lo, hi) what perm does not allow; returns how far it got, hi or a span's end. */
static vaddr_t restrict_entries(struct space *s, vaddr_t lo, vaddr_t hi, u32 perm)
{
	for (vaddr_t va = lo; (va = pt_next(s->root, va, hi)) < hi;) {
		vaddr_t end = MIN(hi, step_end(va));
		space_restrict_span(s, va, end, perm);
		va = end;
		if (va < hi && arch_preempt_poll())
			return va;
	}
	return hi;
}

static void set_start(struct mapping *m, struct range_change **spare, vaddr_t lo, u32 perm)
{
	struct range_change *c = change_at(m, lo);
	vaddr_t until;

	if (lo == m->region.base) {
		m->options = (m->options & ~MAPPING_PERMS) | perm;
	} else if (mapping_perm(m, lo - PAGE_SIZE_, &until) == perm) {
		mapping_change_remove(m, c);    /* there is one: at lo it is another permission */
	} else if (c) {
		c->perm = perm;
	} else {
		change_add(m, spare, lo, perm);
	}
}

static void set_end(struct mapping *m, struct range_change **spare, vaddr_t hi, u32 perm, u32 behind)
{
	struct range_change *c = change_at(m, hi);

	if (hi == mapping_end_va(m))
		return;
	if (!c)
		change_add(m, spare, hi, behind);
	else if (c->perm == perm)
		mapping_change_remove(m, c);
}

sys_status_t mapping_protect(struct mapping *m, vaddr_t lo, vaddr_t *hi, u32 perm)
{
	vaddr_t until;
	u32 old = mapping_perm(m, lo, &until);
	bool less = old & ~perm;
	bool point_lo = lo != m->region.base && !change_at(m, lo);
	bool point_hi = (less && *hi > step_end(lo)) || (*hi != mapping_end_va(m) && !change_at(m, *hi));
	struct range_change *a = NULL, *b = NULL;
	sys_status_t status = SYS_OK;

	ASSERT(lo < *hi && *hi <= until);
	if (old == perm)
		return SYS_OK;
	if (point_lo)
		a = change_alloc(m, &status);
	if (point_hi && status == SYS_OK)
		b = change_alloc(m, &status);
	if (status == SYS_OK) {
		if (less)
			*hi = restrict_entries(m->region.parent->space, lo, *hi, perm);
		set_start(m, &a, lo, perm);
		set_end(m, &b, *hi, perm, old);
	}
	if (a)
		slab_free(a, sizeof *a);
	if (b)
		slab_free(b, sizeof *b);
	return status;
}

/* Whether the range of one permission at va may be given this one. *m: its mapping; *until: how far that holds. */
static sys_status_t protect_allowed(struct vmar *r, sys_rights_t rights, u32 perm, vaddr_t va, struct mapping **m,
                                    vaddr_t *until)
{
	*m = vmar_find(r, va);
	if (!*m)
		return SYS_ERR_NOT_FOUND;
	u32 now = mapping_perm(*m, va, until);
	if (perm & ~(*m)->ceiling)
		return SYS_ERR_ACCESS_DENIED;
	if ((*m)->region.parent != r && perm & ~now)
		return SYS_ERR_ACCESS_DENIED;
	if ((perm & PERM_WX) == PERM_WX && (!(*m)->region.parent->wx || !(rights & SYS_RIGHT_WX)))
		return SYS_ERR_ACCESS_DENIED;
	return SYS_OK;
}

/* Looks ahead, so that what is refused has changed nothing; a bounded number of ranges, those beyond are found out on the way. */
static sys_status_t protect_check(struct vmar *r, sys_rights_t rights, u32 perm, vaddr_t va, vaddr_t hi)
{
	struct mapping *m;

	for (unsigned i = 0; i < PROTECT_AHEAD && va < hi; i++) {
		sys_status_t status = protect_allowed(r, rights, perm, va, &m, &va);
		if (status != SYS_OK)
			return status;
	}
	return SYS_OK;
}

/* The next range of one permission, from va on, as far as `hi`. *reached: how far it got. */
static sys_status_t protect_next(struct vmar *r, sys_rights_t rights, u32 perm, vaddr_t va, vaddr_t hi,
                                 vaddr_t *reached)
{
	struct mapping *m;
	vaddr_t until;
	sys_status_t status = protect_allowed(r, rights, perm, va, &m, &until);

	*reached = va;
	if (m && object_dying(&m->vmo->object)) {       /* it goes: help, and look again */
		mapping_end(m);
		return SYS_OK;
	}
	if (status != SYS_OK)
		return status;
	until = MIN(until, hi);
	status = mapping_protect(m, va, &until, perm);
	if (status == SYS_OK)
		*reached = until;
	return status;
}

sys_status_t vmar_protect(struct vmar *r, sys_rights_t rights, u32 options, vaddr_t addr, u64 len, u64 *done)
{
	vaddr_t hi, reached;

	if (options & ~MAPPING_PERMS || (options & SYS_VM_PERM_WRITE && !(options & SYS_VM_PERM_READ)))
		return SYS_ERR_INVALID_ARGS;
	if (!vmar_range(r, addr, len, &hi))
		return SYS_ERR_INVALID_ARGS;
	if (vmar_is_dead(r))
		return SYS_ERR_BAD_STATE;
	if (!(rights & SYS_RIGHT_MANAGE) && region_first_region(r, addr, hi))
		return SYS_ERR_INVALID_ARGS;
	if (options & ~rights & MAPPING_PERMS)
		return SYS_ERR_ACCESS_DENIED;
	sys_status_t status = protect_check(r, rights, options, addr, hi);
	while (status == SYS_OK && addr + *done < hi) {
		status = protect_next(r, rights, options, addr + *done, hi, &reached);
		if (status != SYS_OK)
			break;
		*done = reached - addr;
		if (reached < hi && arch_preempt_poll())
			return VM_AGAIN;
	}
	return status;
}
