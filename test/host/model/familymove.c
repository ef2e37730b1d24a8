/* SPDX-License-Identifier: BSD-2-Clause */
/* familymove.c: operations of families.c that move pages from one object to another. */
#include "model/familyops.h"

/* ---- supply ------------------------------------------------------------------------------------------------------ */

struct supplied { u64 fresh, unsure; };         /* bytes that came; that may have come, and gone */

/* One page of the root from one of aux. False: that would need memory, and there is none. What is not there now has gone
 * again, or before its turn came: then what is left of aux says whether that was reached. */
static bool supply_page(int root, u64 page, int aux, u64 from, bool cut, struct supplied *n)
{
	struct m_entry *e = entry_at(aux, from), *old = entry_at(root, page);
	struct m_page *p;

	if (cut && e && e->p && there_is(aux, from) == TREE_PAGE)
		return false;
	if (old && old->away)
		entry_remove(root, old);
	if (see(root, page, &p) == SYS_ERR_SHOULD_WAIT && there_is(root, page) == TREE_EMPTY) {
		must(cut || reclaimed[vmo[root].account]);
		if (!reclaimed[vmo[root].account])
			return false;
		n->unsure += PAGE_SIZE_;
	} else if (see(root, page, &p) == SYS_ERR_SHOULD_WAIT) {
		p = e ? e->p : NULL;
		if (p && p->refs > 1)
			p = page_new(p);
		else if (p)
			p->refs++;
		entry_put(root, page, p);
		n->fresh += PAGE_SIZE_;
	}
	if (e)
		entry_remove(aux, e);
	return true;
}

static sys_status_t judge_supply(const struct target *t, u64 at, u64 length, const struct target *aux, u64 from)
{
	sys_status_t status = allowed(t, 0, 0);

	if (status == SYS_OK)
		status = allowed(aux, SYS_RIGHT_READ | SYS_RIGHT_WRITE, 0);
	if (status != SYS_OK)
		return status;
	if (!page_aligned(at) || !page_aligned(length) || !page_aligned(from))
		return SYS_ERR_INVALID_ARGS;
	if (vmo[t->i].kind != ROOT)
		return SYS_ERR_INVALID_ARGS;
	status = judge_range(t, 0, at, length);
	if (status == SYS_OK && vmo[t->o].orphan)
		status = SYS_ERR_BAD_STATE;
	if (status == SYS_OK)
		status = judge_range(aux, 0, from, length);
	if (status == SYS_OK && (vmo[aux->o].kind != ANONYMOUS || vmo[aux->o].contiguous))
		status = SYS_ERR_NOT_SUPPORTED;
	return status;
}

/* The program brings pages by itself, out of another member of a family. */
void op_supply(void)
{
	struct target t, aux;
	u64 offset, length, from;
	struct supplied n = { 0, 0 };
	sys_status_t status, expected;

	if (!pick_kind(&t, chance(70) ? ROOT : NONE) || !pick_kind(&aux, chance(80) ? ANONYMOUS : NONE))
		return;
	any_range(&t, MANY, &offset, &length);
	from = any_place(aux.size);
	if (chance(95)) {
		make_pages(&offset, &length);
		from = MIN(from, aux.size - MIN(aux.size, length)) & ~PAGE_MASK;
	}
	if ((t.o != NONE && !room_for(t.o, 12)) || (aux.o != NONE && vmo[aux.o].policy != SYS_CACHE_CACHED))
		return;
	status = world_call(NO_WANTS, NR_pager_supply_pages, pager_cap, t.name, offset, length, aux.name, from);
	expected = judge_supply(&t, offset, length, &aux, from);
	if (status == SYS_ERR_NO_MEMORY)
		must(expected == SYS_OK && may_be_short(vmo[t.o].account, most_for(12)));
	else
		must(status == expected);
	if (expected != SYS_OK)
		return;
	for (u64 done = 0; done < length >> PAGE_SHIFT; done++) {
		if (!supply_page(t.o, t.shift + (offset >> PAGE_SHIFT) + done, aux.o,
		                 aux.shift + (from >> PAGE_SHIFT) + done, status != SYS_OK, &n))
			break;
	}
	must(world_regs()->rdx >= n.fresh && world_regs()->rdx - n.fresh <= n.unsure);
}

/* ---- transfer ---------------------------------------------------------------------------------------------------- */

static sys_status_t judge_transfer(const struct target *to, u64 at, const struct target *from, u64 of, u64 length,
                                   u32 options)
{
	sys_status_t status = allowed(to, SYS_RIGHT_WRITE, 0);

	if (status == SYS_OK)
		status = allowed(from, SYS_RIGHT_READ | SYS_RIGHT_WRITE, 0);
	if (status != SYS_OK)
		return status;
	if (options || !page_aligned(at) || !page_aligned(of) || !page_aligned(length))
		return SYS_ERR_INVALID_ARGS;
	if (to->o == NONE || from->o == NONE)
		return SYS_ERR_BAD_STATE;
	if (outside(to->size, at, length) || outside(from->size, of, length))
		return SYS_ERR_OUT_OF_RANGE;
	if (vmo[to->o].kind == ROOT || vmo[from->o].kind == ROOT || vmo[to->o].contiguous || vmo[from->o].contiguous)
		return SYS_ERR_NOT_SUPPORTED;
	return SYS_OK;
}

/* One page moves: what is seen there becomes the other's own, and nothing is seen there any more. */
static sys_status_t transfer_page(int to, u64 at, int from, u64 of)
{
	struct m_page *p;
	u64 begin = at << PAGE_SHIFT;
	sys_status_t status = see(from, of, &p);

	if (status != SYS_OK)
		return status;
	if (p)
		p->refs++;
	zero_bytes(to, &begin, begin + PAGE_SIZE_);
	if (p) {
		struct m_entry *marker = entry_at(to, at);
		if (marker)
			entry_remove(to, marker);
		entry_put(to, at, p);
	}
	begin = of << PAGE_SHIFT;
	zero_bytes(from, &begin, begin + PAGE_SIZE_);
	struct m_entry *e = entry_at(to, at);
	if (p && p->refs > 1) {                 /* it was shared: a copy came */
		e->p = page_new(p);
		page_release(p);
	}
	return SYS_OK;
}

void op_transfer(void)
{
	struct target to, from;
	u64 at, of, length;
	u32 options = chance(2);
	sys_status_t status, expected;

	if (!pick(&to) || !pick(&from) || to.o == NONE || from.o == NONE)
		return;
	any_range(&to, MANY, &at, &length);
	of = any_place(from.size);
	if (chance(95)) {
		make_pages(&at, &length);
		of = MIN(of, from.size - MIN(from.size, length)) & ~PAGE_MASK;
	}
	if (!room_for(to.o, 12) || !room_for(from.o, 12) || length > MANY)
		return;
	if (may_be_short(vmo[to.o].account, most_for(12)) || may_be_short(vmo[from.o].account, most_for(12)))
		return;                         /* how far it got cannot be told */
	world_arm = 0;
	if (to.o == from.o && (to.shift << PAGE_SHIFT) + at < (from.shift << PAGE_SHIFT) + of + length &&
	    (from.shift << PAGE_SHIFT) + of < (to.shift << PAGE_SHIFT) + at + length)
		return;
	status = world_call(wants_of(&from, of, length), NR_vmo_transfer_data, to.name, options, at, length, from.name,
	                    of);
	expected = judge_transfer(&to, at, &from, of, length, options);
	for (u64 done = 0; expected == SYS_OK && done < length; done += PAGE_SIZE_)
		expected = ended_with(transfer_page(to.o, to.shift + ((at + done) >> PAGE_SHIFT), from.o,
		                                    from.shift + ((of + done) >> PAGE_SHIFT)));
	must(status == expected);
	compare_range(&to, at, length);
	compare_range(&from, of, length);
}
