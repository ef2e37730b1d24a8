/* SPDX-License-Identifier: BSD-2-Clause */
/* familymake.c: operations of families.c that make objects, children and capabilities, and end them. */
#include "model/familyops.h"

#define RIGHTS_FRESH (SYS_RIGHTS_VMO & ~SYS_RIGHT_RESIZE)


/* The object that a call has made. */
static int made(enum m_kind kind, int a, u64 size, int parent_cap, sys_rights_t rights)
{
	sys_cap_t name = world_regs()->rdx;
	const struct slot *s = cnode_lookup(cs, name);
	int i = vmo_new((struct vmo *)s->object, kind, a, size);

	must(s->rights == rights);
	cap_new(name, i, parent_cap, rights);
	return i;
}

static sys_rights_t fresh_rights(u32 options)
{
	return RIGHTS_FRESH | (options & SYS_VMO_RESIZABLE ? SYS_RIGHT_RESIZE : 0);
}

static sys_status_t judge_create(u32 options, u64 size)
{
	const u32 known = SYS_VMO_RESIZABLE | SYS_VMO_DISCARDABLE | SYS_VMO_UNBOUNDED;

	if (options & ~known || (options & SYS_VMO_UNBOUNDED && options & SYS_VMO_RESIZABLE))
		return SYS_ERR_INVALID_ARGS;
	if (size > VMO_MAX_SIZE)
		return SYS_ERR_OUT_OF_RANGE;
	return SYS_OK;
}

void op_create(void)
{
	int a = any_payer();
	u64 size = any_size();
	u32 options = chance(60) ? SYS_VMO_RESIZABLE : chance(30) ? SYS_VMO_DISCARDABLE : 0;
	sys_status_t status, expected;

	if (!any_room())
		return;
	if (chance(10))
		options |= chance(60) ? SYS_VMO_UNBOUNDED : 1u << choose(32);
	status = world_call(NO_WANTS, NR_vmo_create, capability[a].name, size, options);
	expected = judge_create(options, size);
	if (status == SYS_ERR_NO_MEMORY && expected == SYS_OK) {
		must(may_be_short(a, 1));
		return;
	}
	must(status == expected);
	if (status != SYS_OK)
		return;
	int i = made(ANONYMOUS, a, size, a, fresh_rights(options));
	vmo[i].options = options;
	if (options & SYS_VMO_UNBOUNDED)
		vmo[i].size = VMO_MAX_SIZE;
}

/* Its key is where the model has it. */
void op_create_root(void)
{
	int a = any_payer(), i = 0;
	u64 size = any_size();
	u32 options = chance(60) ? SYS_VMO_RESIZABLE : 0;
	sys_status_t status;

	while (i < VMOS && vmo[i].v)
		i++;
	if (!any_room() || size > VMO_MAX_SIZE)
		return;
	status = world_call(NO_WANTS, NR_pager_create_vmo, pager_cap, capability[a].name, options, (u64)i, size);
	if (status == SYS_ERR_NO_MEMORY) {
		must(may_be_short(a, 2));
		return;
	}
	must(status == SYS_OK);
	must(made(ROOT, a, size, a, fresh_rights(options)) == i);
	vmo[i].options = options;
	vmo[i].limit = vmo[i].size >> PAGE_SHIFT;
}

/* That as many frames are in a row is no part of what an account promises: but a few are, most of memory being free. */
void op_create_contiguous(void)
{
	int a = any_payer();
	u64 size = chance(90) ? choose(13 * PAGE_SIZE_) : any_size(), pages = page_up(size) >> PAGE_SHIFT;
	u32 align = chance(60) ? 0 : chance(80) ? 12 + (u32)choose(5) : (u32)choose(70);
	bool easy = pages < 16 && align <= 16;
	sys_status_t status, expected = SYS_OK;

	if (!any_room())
		return;
	if (size == 0 || (align && (align < PAGE_SHIFT || align > 63)))
		expected = SYS_ERR_INVALID_ARGS;
	else if (size > VMO_MAX_SIZE)
		expected = SYS_ERR_OUT_OF_RANGE;
	status = world_call(NO_WANTS, NR_vmo_create_contiguous, capability[a].name, size, align);
	if (expected == SYS_OK && status == SYS_ERR_NO_MEMORY) {
		must(may_be_short(a, pages < 16 ? pages + 2 : UINT64_MAX));
		return;
	}
	if (expected == SYS_OK && status == SYS_ERR_NO_RESOURCES) {
		must(!easy);
		return;
	}
	must(status == expected);
	if (status != SYS_OK)
		return;
	int i = made(ANONYMOUS, a, size, a, RIGHTS_FRESH);
	vmo[i].contiguous = true;
	vmo[i].frame = tree_frame(tree_lookup(&vmo[i].v->tree, 0));
	must(!align || !(vmo[i].frame & ((1ull << align) - 1)));
	for (u64 page = 0; page < pages; page++)
		entry_put(i, page, page_new(NULL));
}

void op_copy(void)
{
	struct target t;
	sys_rights_t rights;
	sys_status_t status;

	if (!pick(&t) || !any_room())
		return;
	rights = capability[t.c].rights & (chance(60) ? ~0u : ~(1u << choose(9)));
	status = world_call(NO_WANTS, NR_cap_copy, t.name, cs_cap, SYS_SLOT_ANY, rights);
	must(status == allowed(&t, SYS_RIGHT_COPY, 0));
	if (status == SYS_OK)
		cap_new(world_regs()->rdx, t.i, t.c, rights);
}

/* ---- children ---------------------------------------------------------------------------------------------------- */

#define COPIES (SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE | SYS_VMO_CHILD_SNAPSHOT_MODIFIED)
#define WINDOWS (SYS_VMO_CHILD_SLICE | SYS_VMO_CHILD_REFERENCE)

static const u32 kinds[] = {
	SYS_VMO_CHILD_SNAPSHOT, SYS_VMO_CHILD_SNAPSHOT, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE,
	SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE, SYS_VMO_CHILD_SNAPSHOT_MODIFIED, SYS_VMO_CHILD_SLICE,
	SYS_VMO_CHILD_REFERENCE,
};

static sys_status_t judge_arguments(u32 options, u64 offset, u64 size)
{
	if (options & SYS_VMO_CHILD_RESIZABLE && options & (SYS_VMO_CHILD_NO_WRITE | SYS_VMO_CHILD_SLICE))
		return SYS_ERR_INVALID_ARGS;
	if (!page_aligned(offset) || (options & SYS_VMO_CHILD_REFERENCE && (offset || size)))
		return SYS_ERR_INVALID_ARGS;
	if (size > VMO_MAX_SIZE)
		return SYS_ERR_OUT_OF_RANGE;
	if (!(options & SYS_VMO_CHILD_SLICE) && page_up(size) > VMO_MAX_SIZE - MIN(offset, VMO_MAX_SIZE))
		return SYS_ERR_OUT_OF_RANGE;
	return SYS_OK;
}

/* The copy's pages, counted in the first original of all, would wrap. */
static bool around(const struct target *t, u64 offset, u64 size)
{
	u64 page = t->shift + (offset >> PAGE_SHIFT), pages = page_up(size) >> PAGE_SHIFT;

	return page + pages > (1ull << (64 - PAGE_SHIFT)) - vmo[t->o].first;
}

/* The arguments are good, it has a content. */
static sys_status_t judge_kind(const struct target *t, u32 options, u64 offset, u64 size)
{
	const struct m_vmo *of = &vmo[t->o];

	if (options & SYS_VMO_CHILD_SLICE) {
		if (outside(t->size, offset, page_up(size)))
			return SYS_ERR_INVALID_ARGS;
		return of->options & (SYS_VMO_RESIZABLE | SYS_VMO_DISCARDABLE) ? SYS_ERR_NOT_SUPPORTED : SYS_OK;
	}
	if (options & SYS_VMO_CHILD_REFERENCE)
		return SYS_OK;
	if (of->options & SYS_VMO_DISCARDABLE || (options & SYS_VMO_CHILD_SNAPSHOT && of->kind != ANONYMOUS))
		return SYS_ERR_NOT_SUPPORTED;
	if (of->contiguous || around(t, offset, size))
		return SYS_ERR_INVALID_ARGS;
	return of->policy == SYS_CACHE_CACHED ? SYS_OK : SYS_ERR_BAD_STATE;
}

static sys_status_t judge_child(const struct target *t, u32 options, u64 offset, u64 size)
{
	sys_status_t status = allowed(t, SYS_RIGHT_COPY | SYS_RIGHT_READ, 0);

	if (status == SYS_OK && options & SYS_VMO_CHILD_REFERENCE && options & SYS_VMO_CHILD_RESIZABLE)
		status = allowed(t, SYS_RIGHT_RESIZE, 0);
	if (status == SYS_OK)
		status = judge_arguments(options, offset, size);
	if (status == SYS_OK && t->o == NONE)
		status = SYS_ERR_BAD_STATE;
	return status == SYS_OK ? judge_kind(t, options, offset, size) : status;
}

static sys_rights_t child_rights(sys_rights_t parent, u32 options)
{
	sys_rights_t rights = (parent | (options & COPIES ? SYS_RIGHT_SET_PROPERTY : 0)) & ~SYS_RIGHT_RESIZE;

	if (options & SYS_VMO_CHILD_NO_WRITE)
		rights &= ~SYS_RIGHT_WRITE;
	else if (options & COPIES)
		rights = (rights | SYS_RIGHT_WRITE) & ~SYS_RIGHT_EXECUTE;
	return rights | (options & SYS_VMO_CHILD_RESIZABLE ? SYS_RIGHT_RESIZE : 0);
}

/* The child shows what its parent has. */
static void make_window(int i, const struct target *t, u64 offset)
{
	vmo[i].owner = t->o;
	vmo[i].base = t->i;
	if (vmo[i].kind == REFERENCE)
		vmo[i].shape = vmo[t->i].shape;
	vmo[i].shift = t->shift + (offset >> PAGE_SHIFT);
}

/* The child has what lies in the window, and falls through to the root where its parent does. */
static void make_copy(int i, const struct target *t, u64 offset)
{
	u64 page = t->shift + (offset >> PAGE_SHIFT);
	u64 pages = MIN(vmo[i].size, t->size > offset ? t->size - offset : 0) >> PAGE_SHIFT;
	const struct m_vmo *of = &vmo[t->o];

	vmo[i].copied = true;
	vmo[i].first = of->first + page;
	if (of->kind == ROOT) {
		vmo[i].root = t->o;
		vmo[i].view_below = t->c;
		vmo[i].limit = pages;
		return;
	}
	copy_window(i, t->o, page, pages);
	if (of->kind == ANONYMOUS)
		return;
	vmo[i].root = of->root;
	vmo[i].view_below = of->view_below;
	vmo[i].limit = MIN(pages, of->limit > page ? of->limit - page : 0);
}

static enum m_kind kind_of(u32 kind, const struct target *t)
{
	if (kind == SYS_VMO_CHILD_SLICE)
		return SLICE;
	if (kind == SYS_VMO_CHILD_REFERENCE)
		return REFERENCE;
	return vmo[t->o].kind == ANONYMOUS ? ANONYMOUS : CLONE;
}

void op_child(void)
{
	struct target t;
	int a = any_payer();
	u32 kind = kinds[choose(ARRAY_LEN(kinds))];
	u32 options = kind | (chance(30) ? SYS_VMO_CHILD_RESIZABLE : chance(20) ? SYS_VMO_CHILD_NO_WRITE : 0);
	u64 offset, size;
	sys_status_t status, expected;

	if (!pick(&t) || !any_room())
		return;
	offset = chance(50) ? 0 : any_place(t.size) & ~(chance(95) ? PAGE_MASK : 0);
	size = chance(40) && t.size >= offset ? t.size - offset : any_size();
	if (kind == SYS_VMO_CHILD_REFERENCE && chance(95))
		offset = size = 0;
	expected = judge_child(&t, options, offset, size);
	status = world_call(NO_WANTS, NR_vmo_create_child, t.name, capability[a].name, options, offset, size);
	if (status == SYS_ERR_NO_MEMORY && expected == SYS_OK) {
		u64 charged = kind & COPIES ? vmo[t.o].v->tree.charged : 0;
		must(may_be_short(a, 2 + charged + (charged ? 2 * TREE_LEVELS : 0)));
		return;
	}
	must(status == expected);
	if (status != SYS_OK)
		return;
	sys_rights_t rights = child_rights(capability[t.c].rights, options);
	int i = made(kind_of(kind, &t), a, size, kind & WINDOWS ? t.c : a, rights);
	vmo[i].options = options & SYS_VMO_CHILD_RESIZABLE ? SYS_VMO_RESIZABLE : 0;
	become_child(i, t.i);
	if (kind & WINDOWS)
		make_window(i, &t, offset);
	else
		make_copy(i, &t, offset);
}

/* ---- ends -------------------------------------------------------------------------------------------------------- */

void op_delete(void)
{
	struct target t;

	if (!pick(&t))
		return;
	must(world_call(NO_WANTS, NR_cap_delete, t.name) == SYS_OK);
	delete_cap(t.c);
	settle();
}

void op_revoke(void)
{
	struct target t;

	if (!pick(&t))
		return;
	must(world_call(NO_WANTS, NR_cap_revoke, t.name) == (vmo[t.i].over ? SYS_ERR_BAD_CAP : SYS_OK));
	if (!vmo[t.i].over)
		revoke_cap(t.c);
}
