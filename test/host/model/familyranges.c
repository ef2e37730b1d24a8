/* SPDX-License-Identifier: BSD-2-Clause */
/* familyranges.c: operations of families.c on ranges of objects, and on what holds for all of one. */
#include "model/familyops.h"

/* The kernel has a page there that only this content reaches. */
static bool is_own(int c, u64 page)
{
	struct tree_place at;

	return tree_tag(tree_locate(&vmo[c].v->tree, page, &at)) == TREE_PAGE && at.own;
}

/* How far a COMMIT that found no memory got is seen only in the content. */
static sys_status_t commit(const struct target *t, u64 offset, u64 length, bool cut)
{
	u64 page = t->shift + (offset >> PAGE_SHIFT), end = t->shift + ((offset + length + PAGE_MASK) >> PAGE_SHIFT);
	struct m_page *p;
	bool told = true;                       /* it got at least here */

	for (; length && page < end; page++) {
		if (cut && grows(t->o, page) && there_is(t->o, page) != TREE_PAGE) {
			if (!went(t->o, page))
				return SYS_ERR_NO_MEMORY;
			told = false;           /* it stopped here, or passed before that went */
			continue;
		}
		if (!told && !is_own(t->o, page))
			continue;
		sys_status_t status = own(t->o, page, &p);
		if (status != SYS_OK)
			return ended_with(status);
	}
	return told ? SYS_OK : SYS_ERR_NO_MEMORY;
}

void op_commit(void)
{
	struct target t;
	u64 offset, length;
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	any_range(&t, MANY, &offset, &length);
	if (length > MANY || (t.o != NONE && !room_for(t.o, 12)))
		return;
	status = world_call(wants_of(&t, offset, length), NR_vmo_op_range, t.name, SYS_VMO_OP_COMMIT, offset, length,
	                    0, 0);
	expected = judge_range(&t, SYS_RIGHT_WRITE, offset, length);
	if (expected == SYS_OK)
		expected = commit(&t, offset, length, status == SYS_ERR_NO_MEMORY);
	must(status == expected);
	if (status == SYS_ERR_NO_MEMORY)
		must(may_be_short(vmo[t.o].account, most_for(12)));
}

void op_decommit(void)
{
	struct target t;
	u64 offset, length;
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	any_range(&t, chance(80) ? MANY : UINT64_MAX, &offset, &length);
	if (chance(90)) {
		offset &= ~PAGE_MASK;
		length = length < UINT64_MAX - PAGE_SIZE_ ? page_up(length) : length;
	}
	status = world_call(NO_WANTS, NR_vmo_op_range, t.name, SYS_VMO_OP_DECOMMIT, offset, length, 0, 0);
	expected = allowed(&t, SYS_RIGHT_WRITE, 0);
	if (expected == SYS_OK && (!page_aligned(offset) || !page_aligned(length)))
		expected = SYS_ERR_INVALID_ARGS;
	if (expected == SYS_OK)
		expected = judge_range(&t, SYS_RIGHT_WRITE, offset, length);
	if (expected == SYS_OK && (vmo[t.o].kind != ANONYMOUS || vmo[t.o].contiguous))
		expected = SYS_ERR_NOT_SUPPORTED;
	must(status == expected);
	if (status == SYS_OK)
		entries_remove(t.o, t.shift + (offset >> PAGE_SHIFT), t.shift + ((offset + length) >> PAGE_SHIFT));
}

/* A page that one that found no memory could not hide, or could not make where something is seen. */
static bool stuck(int c, u64 page, bool whole)
{
	const struct m_entry *e = entry_at(c, page);
	enum tree_tag there = there_is(c, page);
	struct m_page *p;

	if (!whole)
		return grows(c, page) && there != TREE_PAGE && (see(c, page, &p) != SYS_OK || p);
	if (page < vmo[c].limit)
		return there != TREE_ZERO && !(e && !e->p);
	return e ? e->p && there == TREE_PAGE : vmo[c].kind != ANONYMOUS && there == TREE_EMPTY;        /* a marker, too */
}

sys_status_t zero_until(const struct target *t, u64 from, u64 to)
{
	while (from < to) {
		u64 page = from >> PAGE_SHIFT, next = MIN(to, (page + 1) << PAGE_SHIFT);
		if (stuck(t->o, page, next - from == PAGE_SIZE_))
			return SYS_ERR_NO_MEMORY;
		sys_status_t status = zero_bytes(t->o, &from, next);
		if (status != SYS_OK)
			return ended_with(status);
	}
	return SYS_OK;
}

void op_zero(void)
{
	struct target t;
	u64 offset, length, from;
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	any_range(&t, MANY, &offset, &length);
	if (t.o != NONE && (!room_for(t.o, 12) || (length > MANY && vmo[t.o].kind != ANONYMOUS)))
		return;
	struct wants wants = wants_of(&t, offset, length);
	wants.pieces = true;
	status = world_call(wants, NR_vmo_op_range, t.name, SYS_VMO_OP_ZERO, offset, length, 0, 0);
	expected = judge_range(&t, SYS_RIGHT_WRITE, offset, length);
	if (expected == SYS_OK) {
		from = (t.shift << PAGE_SHIFT) + offset;
		if (status == SYS_ERR_NO_MEMORY)
			expected = zero_until(&t, from, from + length);
		else
			expected = ended_with(zero_bytes(t.o, &from, from + length));
		must(status != SYS_ERR_NO_MEMORY || may_be_short(vmo[t.o].account, most_for(12)));
	}
	must(status == expected);
	compare_range(&t, offset, length);
}

/* ---- what moves no bytes ----------------------------------------------------------------------------------------- */

static sys_status_t judge_lock(const struct target *t, u32 op, bool buffer, u64 offset, u64 length)
{
	sys_status_t status = allowed(t, 0, SYS_RIGHT_READ | SYS_RIGHT_WRITE);

	if (status != SYS_OK)
		return status;
	if (op == SYS_VMO_OP_LOCK && !buffer)
		return t->o == NONE || vmo[t->o].options & SYS_VMO_DISCARDABLE ? SYS_ERR_INVALID_ARGS : SYS_ERR_NOT_SUPPORTED;
	if (t->o == NONE)
		return SYS_ERR_BAD_STATE;
	if (!(vmo[t->o].options & SYS_VMO_DISCARDABLE))
		return SYS_ERR_NOT_SUPPORTED;
	if (offset || length != t->size)
		return SYS_ERR_OUT_OF_RANGE;
	if (op == SYS_VMO_OP_TRY_LOCK && vmo[t->o].discarded)
		return SYS_ERR_UNAVAILABLE;
	return op == SYS_VMO_OP_UNLOCK && !vmo[t->o].locks ? SYS_ERR_BAD_STATE : SYS_OK;
}

void op_lock(void)
{
	struct target t;
	u32 op = SYS_VMO_OP_LOCK + (u32)choose(3);
	u64 offset = chance(90) ? 0 : choose(NEAR), length;
	sys_vmo_lock_state_t state;
	sys_status_t status, expected;
	bool buffer = chance(90);

	if (!pick(&t))
		return;
	length = chance(90) ? t.size : choose(NEAR);
	status = world_call(NO_WANTS, NR_vmo_op_range, t.name, op, offset, length, buffer ? world_buffer() : 0,
	                    buffer ? sizeof state : 0);
	expected = judge_lock(&t, op, buffer, offset, length);
	must(status == expected);
	if (status != SYS_OK)
		return;
	vmo[t.o].locks += op == SYS_VMO_OP_UNLOCK ? -1u : 1;
	if (op != SYS_VMO_OP_LOCK)
		return;
	world_take(0, &state, sizeof state);
	must(state.offset == 0 && state.size == t.size && !state.discarded_offset);
	must(state.discarded_size == (vmo[t.o].discarded ? t.size : 0));
	if (vmo[t.o].discarded)                 /* and what was written since then goes, too */
		entries_remove(t.o, 0, UINT64_MAX);
	vmo[t.o].discarded = false;
}

/* The root's page that is seen there, or NULL. */
static struct m_entry *seen_of_root(int c, u64 page)
{
	struct m_entry *e = NULL;

	if (vmo[c].kind == ROOT)
		e = entry_at(c, page);
	else if (vmo[c].kind == CLONE && vmo[c].root != NONE && page < vmo[c].limit && !entry_at(c, page))
		return seen_of_root(vmo[c].root, vmo[c].first + page);
	return e && e->p && page < vmo[c].limit ? e : NULL;
}

/* Pages of the root, also those that a clone sees its own instead of. */
static void release(const struct target *t, u64 offset, u64 length)
{
	int root = vmo[t->o].kind == CLONE ? vmo[t->o].root : t->o;
	u64 page = t->shift + (offset >> PAGE_SHIFT), end = t->shift + (page_up(offset + length) >> PAGE_SHIFT);

	for (end = MIN(end, vmo[t->o].limit); length && root != NONE && page < end; page++) {
		struct m_entry *e = seen_of_root(root, page + (root == t->o ? 0 : vmo[t->o].first));
		if (e)
			e->guarded = false;
	}
}

/* Missing pages of the root are brought, nothing is copied. */
static sys_status_t bring(const struct target *t, u64 offset, u64 length, bool guard)
{
	u64 page = t->shift + (offset >> PAGE_SHIFT), end = t->shift + (page_up(offset + length) >> PAGE_SHIFT);
	struct m_page *p;

	for (; length && page < end; page++) {
		sys_status_t status = see(t->o, page, &p);
		if (status != SYS_OK)
			return ended_with(status);
		struct m_entry *e = guard ? seen_of_root(t->o, page) : NULL;
		if (!e)
			continue;
		must(!e->away);
		e->guarded = true;
	}
	return SYS_OK;
}

void op_hint(void)
{
	struct target t;
	u32 op = SYS_VMO_OP_ALWAYS_NEED + (u32)choose(3);
	u64 offset, length;
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	any_range(&t, MANY, &offset, &length);
	if (t.o != NONE && (!room_for(t.o, 12) || length > MANY))
		return;
	struct wants wants = op == SYS_VMO_OP_DONT_NEED ? NO_WANTS : wants_of(&t, offset, length);
	status = world_call(wants, NR_vmo_op_range, t.name, op, offset, length, 0, 0);
	if (op == SYS_VMO_OP_PREFETCH)
		expected = judge_range(&t, SYS_RIGHT_READ, offset, length);
	else
		expected = allowed(&t, 0, SYS_RIGHT_READ | SYS_RIGHT_WRITE);
	if (expected == SYS_OK && t.o == NONE)
		expected = SYS_ERR_BAD_STATE;
	if (expected == SYS_OK && vmo[t.o].kind != ANONYMOUS && outside(t.size, offset, length))
		expected = SYS_ERR_OUT_OF_RANGE;
	if (expected == SYS_OK && op != SYS_VMO_OP_DONT_NEED && !outside(t.size, offset, length))
		expected = bring(&t, offset, length, op == SYS_VMO_OP_ALWAYS_NEED);
	else if (expected == SYS_OK && !outside(t.size, offset, length))
		release(&t, offset, length);
	must(status == expected);
}

void op_cache(void)
{
	struct target t;
	u32 op = SYS_VMO_OP_CACHE_SYNC + (u32)choose(4);
	u64 offset, length;
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	any_range(&t, NEAR, &offset, &length);
	status = world_call(NO_WANTS, NR_vmo_op_range, t.name, op, offset, length, 0, 0);
	expected = allowed(&t, op == SYS_VMO_OP_CACHE_INVALIDATE ? SYS_RIGHT_WRITE : SYS_RIGHT_READ, 0);
	if (expected == SYS_OK && !length)
		expected = SYS_ERR_INVALID_ARGS;
	if (expected == SYS_OK && op == SYS_VMO_OP_CACHE_INVALIDATE)
		expected = SYS_ERR_NOT_SUPPORTED;
	if (expected == SYS_OK)
		expected = judge_range(&t, 0, offset, length);
	must(status == expected);
}

void op_policy(void)
{
	struct target t;
	u64 policy = choose(SYS_CACHE_WRITE_COMBINING + (chance(5) ? 2 : 1));
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	status = world_call(NO_WANTS, NR_vmo_set_cache_policy, t.name, policy);
	expected = allowed(&t, SYS_RIGHT_MAP, 0);
	if (expected == SYS_OK && policy > SYS_CACHE_WRITE_COMBINING)
		expected = SYS_ERR_INVALID_ARGS;
	if (expected == SYS_OK && (t.o != t.i || vmo[t.i].kind != ANONYMOUS || vmo[t.i].copied))
		expected = SYS_ERR_BAD_STATE;
	if (expected == SYS_OK && (vmo[t.i].children || segments_of(t.i)))
		expected = SYS_ERR_BAD_STATE;
	if (expected == SYS_OK && pages_of(t.i) && vmo[t.i].policy != SYS_CACHE_CACHED && policy != vmo[t.i].policy)
		expected = SYS_ERR_BAD_STATE;
	must(status == expected);
	if (status == SYS_OK)
		vmo[t.o].policy = (u32)policy;
}
