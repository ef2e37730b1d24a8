/* SPDX-License-Identifier: BSD-2-Clause */
/* families.c: a program makes memory objects of all kinds, children of them and children of those, in several accounts,
 * and does everything with them that the contract has: reads and writes through calls and through mappings, sizes,
 * operations on ranges, moving of pages, copies of capabilities, deletion and revoking in any order.
 *
 * After each call its status, what it gave back, and the bytes, sizes, counts and shares that can be seen are compared
 * with arrays of bytes (familyrules.h). At each walk everything is compared, and the frames in use and what each account
 * pays are counted. Now and then an allocation fails in the middle of a call: then nothing may have changed, or as much
 * as the call says. */
#include <string.h>
#include "model/familyworld.h"
#include "syscall/check.h"

#define NEAR  (24 * PAGE_SIZE_)         /* most of what happens, happens below here */
#define FAR   (1ull << 34)              /* and some here */
#define REACH (3 * PAGE_SIZE_)          /* of a read or write */

static u64 free_before[ACCOUNTS];

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* The call may say NO_MEMORY: it needs up to so many frames of this account, or an allocation was made to fail. */
static bool may_be_short(int a, u64 most) { return world_fired || free_before[a] < most; }

/* What writing to so many pages that are not there takes at most: the pages, their nodes. */
static u64 most_for(u64 pages) { return pages ? 2 * pages + 2 * TREE_LEVELS : 0; }

static void prepare(void)
{
	kernel_reap();
	for (int a = 0; a < ACCOUNTS; a++)
		free_before[a] = account_free(payer[a].a);
	world_arm = chance(4) ? 1 + choose(4) : 0;
	world_fired = false;
}

/* ---- choosing ---------------------------------------------------------------------------------------------------- */

struct target {
	int c, i, o;                    /* the capability, the object, the content; o NONE: it has ended */
	u64 size, shift;                /* bytes; where the object begins in the content */
	sys_cap_t name;
};

static u64 size_of(int i)
{
	return vmo[i].kind == REFERENCE && vmo[i].owner != NONE ? vmo[vmo[i].owner].size : vmo[i].size;
}

static bool pick(struct target *t)
{
	int c = (int)choose(CAPS);

	for (int n = 0; n < CAPS; n++, c = (c + 1) % CAPS) {
		if (!capability[c].name || capability[c].vmo == NONE)
			continue;
		int i = capability[c].vmo;
		*t = (struct target){ c, i, content_of(i), size_of(i), vmo[i].shift, capability[c].name };
		return true;
	}
	return false;
}

/* What the dispatcher says of the capability. */
static sys_status_t allowed(const struct target *t, sys_rights_t all, sys_rights_t any)
{
	if (vmo[t->i].over)
		return SYS_ERR_BAD_CAP;
	if ((capability[t->c].rights & all) != all || (any && !(capability[t->c].rights & any)))
		return SYS_ERR_ACCESS_DENIED;
	return SYS_OK;
}

static u64 any_place(u64 size)
{
	u64 at = choose(NEAR);

	if (size > NEAR && chance(20))
		at = chance(70) ? FAR + choose(2 * PAGE_SIZE_) : size - choose(2 * PAGE_SIZE_);
	return chance(40) ? at & ~PAGE_MASK : at;
}

static u64 any_length(u64 most)
{
	u64 length = choose(chance(50) ? PAGE_SIZE_ / 4 : most);

	return chance(30) ? page_up(length) : length;
}

/* A range within the size, mostly. */
static void any_range(const struct target *t, u64 most, u64 *offset, u64 *length)
{
	*offset = any_place(t->size);
	*length = any_length(most);
	if (chance(90) && *offset > t->size)
		*offset = t->size ? choose(t->size) : 0;
	if (chance(90) && *length > t->size - MIN(*offset, t->size))
		*length = t->size - MIN(*offset, t->size);
	if (chance(1))
		*(chance(50) ? offset : length) = UINT64_MAX - choose(2 * PAGE_SIZE_);
}

static bool outside(u64 size, u64 offset, u64 length) { return offset > size || length > size - offset; }

static struct wants wants_of(const struct target *t, u64 offset, u64 length)
{
	u64 from = t->shift + (offset >> PAGE_SHIFT);

	if (t->o == NONE || !length || outside(t->size, offset, length))
		return NO_WANTS;
	return (struct wants){ t->o, from, t->shift + ((offset + length - 1) >> PAGE_SHIFT) + 1 };
}

static bool any_free_vmo(void)
{
	for (int i = 0; i < VMOS; i++)
		if (!vmo[i].v)
			return true;
	return false;
}

static bool any_free_cap(void)
{
	int used = 0;

	for (int c = 0; c < CAPS; c++)
		used += capability[c].name != 0;
	return used < CAPS - 4;
}

/* ---- comparing --------------------------------------------------------------------------------------------------- */

static void compare_page(int c, u64 page)
{
	const struct m_entry *e = entry_at(c, page);
	tree_slot_t slot = tree_lookup(&vmo[c].v->tree, page);

	must((tree_tag(slot) == TREE_PAGE) == (e && e->p));
	if (vmo[c].kind != ANONYMOUS)
		must((tree_tag(slot) == TREE_ZERO) == (e && !e->p));
	if (e && e->p) {
		must(memcmp(phys_to_virt(tree_frame(slot)), e->p->byte, PAGE_SIZE_) == 0);
		must(frame_of(tree_frame(slot))->refs >= 1);
	}
}

static void compare_range(int c, u64 from, u64 to)
{
	for (u64 page = from >> PAGE_SHIFT; page << PAGE_SHIFT < to && page < (from >> PAGE_SHIFT) + 8; page++)
		compare_page(c, page);
}

static void compare_content(int c)
{
	u64 pages, nodes;

	tree_totals(&vmo[c].v->tree, &pages, &nodes);
	must(pages == pages_of(c));
	for (u32 e = 0; e < vmo[c].count; e++)
		compare_page(c, vmo[c].entry[e].page);
}

static u32 info_flags(int i)
{
	int c = content_of(i);
	u32 flags = vmo[i].options & SYS_VMO_RESIZABLE ? SYS_VMO_INFO_RESIZABLE : 0;

	flags |= vmo[i].options & SYS_VMO_DISCARDABLE ? SYS_VMO_INFO_DISCARDABLE : 0;
	flags |= vmo[i].options & SYS_VMO_UNBOUNDED ? SYS_VMO_INFO_UNBOUNDED : 0;
	flags |= vmo[i].kind == SLICE ? SYS_VMO_INFO_SLICE : vmo[i].kind == REFERENCE ? SYS_VMO_INFO_REFERENCE : 0;
	flags |= vmo[i].kind == CLONE || (vmo[i].kind == ANONYMOUS && vmo[i].parent_koid) ? SYS_VMO_INFO_COW_CLONE : 0;
	if (c != NONE) {
		flags |= vmo[c].kind == ROOT ? SYS_VMO_INFO_PAGER_BACKED : 0;
		flags |= vmo[c].contiguous ? SYS_VMO_INFO_CONTIGUOUS : 0;
	}
	return flags;
}

/* What a program is told of it. */
static void compare_info(int i)
{
	sys_vmo_info_t info;
	int c = content_of(i);

	if (vmo[i].over || c == NONE)
		return;
	while (vmo_info(vmo[i].v, &info) == VM_AGAIN)
		;
	must(info.koid == vmo[i].v->object.koid && info.parent_koid == vmo[i].parent_koid);
	must(info.size == size_of(i) && info.stream_size == vmo[vmo[i].kind == REFERENCE ? c : i].stream);
	must(info.children == vmo[i].children && info.flags == info_flags(i));
	must(info.cache_policy == vmo[c].policy);
	if (c != i) {
		must(!info.committed && !info.private_bytes && !info.scaled_bytes && !info.scaled_fraction);
		return;
	}
	must(info.mappings == segments_of(c));
	must(info.committed == pages_of(c) << PAGE_SHIFT && info.populated == info.committed);
	must(info.private_bytes == private_pages(c) << PAGE_SHIFT);
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

static u64 any_size(void)
{
	if (chance(10))
		return chance(80) ? FAR + choose(8 * PAGE_SIZE_) : VMO_MAX_SIZE + 4 - choose(8);
	return chance(50) ? (1 + choose(24)) << PAGE_SHIFT : choose(NEAR);
}

static int any_payer(void) { return 1 + (int)choose(ACCOUNTS - 1); }

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

#define RIGHTS_FRESH (SYS_RIGHTS_VMO & ~SYS_RIGHT_RESIZE)

static void op_create(void)
{
	int a = any_payer();
	u64 size = any_size();
	u32 options = chance(60) ? SYS_VMO_RESIZABLE : chance(5) ? 1u << choose(32) : 0;
	sys_status_t status, expected = SYS_OK;

	if (!any_free_vmo() || !any_free_cap())
		return;
	if (options & ~SYS_VMO_RESIZABLE)
		expected = options & (SYS_VMO_DISCARDABLE | SYS_VMO_UNBOUNDED) ? SYS_ERR_NOT_SUPPORTED : SYS_ERR_INVALID_ARGS;
	if (expected != SYS_ERR_INVALID_ARGS && size > VMO_MAX_SIZE)
		expected = SYS_ERR_OUT_OF_RANGE;
	status = world_call(NO_WANTS, NR_vmo_create, capability[a].name, size, options);
	if (status == SYS_ERR_NO_MEMORY && expected == SYS_OK) {
		must(may_be_short(a, 1));
		return;
	}
	must(status == expected);
	if (status == SYS_OK) {
		int i = made(ANONYMOUS, a, size, a, RIGHTS_FRESH | (options & SYS_VMO_RESIZABLE ? SYS_RIGHT_RESIZE : 0));
		vmo[i].options = options;
	}
}

/* Its key is where the model has it. */
static void op_create_root(void)
{
	int a = any_payer(), i = 0;
	u64 size = any_size();
	u32 options = chance(60) ? SYS_VMO_RESIZABLE : 0;
	sys_status_t status;

	while (i < VMOS && vmo[i].v)
		i++;
	if (i == VMOS || !any_free_cap() || size > VMO_MAX_SIZE)
		return;
	status = world_call(NO_WANTS, NR_pager_create_vmo, pager_cap, capability[a].name, options, (u64)i, size);
	if (status == SYS_ERR_NO_MEMORY) {
		must(may_be_short(a, 2));
		return;
	}
	must(status == SYS_OK);
	must(made(ROOT, a, size, a, RIGHTS_FRESH | (options & SYS_VMO_RESIZABLE ? SYS_RIGHT_RESIZE : 0)) == i);
	vmo[i].options = options;
	vmo[i].limit = vmo[i].size >> PAGE_SHIFT;
}

static void op_copy(void)
{
	struct target t;
	sys_rights_t rights;
	sys_status_t status, expected;

	if (!pick(&t) || !any_free_cap())
		return;
	rights = capability[t.c].rights & (chance(60) ? ~0u : ~(1u << choose(9)));
	status = world_call(NO_WANTS, NR_cap_copy, t.name, cs_cap, SYS_SLOT_ANY, rights);
	expected = allowed(&t, SYS_RIGHT_COPY, 0);
	must(status == expected);
	if (status == SYS_OK)
		cap_new(world_regs()->rdx, t.i, t.c, rights);
}

/* ---- children ---------------------------------------------------------------------------------------------------- */

static const u32 kinds[] = {
	SYS_VMO_CHILD_SNAPSHOT, SYS_VMO_CHILD_SNAPSHOT, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE, SYS_VMO_CHILD_SNAPSHOT_MODIFIED,
	SYS_VMO_CHILD_SLICE, SYS_VMO_CHILD_REFERENCE,
};
#define KINDS (SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE | SYS_VMO_CHILD_SNAPSHOT_MODIFIED | \
               SYS_VMO_CHILD_SLICE | SYS_VMO_CHILD_REFERENCE)
#define COPIES (SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE | SYS_VMO_CHILD_SNAPSHOT_MODIFIED)

/* Which kinds are built. */
static const u32 built_kinds = SYS_VMO_CHILD_SNAPSHOT;

static sys_status_t judge_child(const struct target *t, u32 options, u64 offset, u64 size)
{
	const struct m_vmo *of = &vmo[t->o == NONE ? 0 : t->o];

	if (options & SYS_VMO_CHILD_RESIZABLE && options & (SYS_VMO_CHILD_NO_WRITE | SYS_VMO_CHILD_SLICE))
		return SYS_ERR_INVALID_ARGS;
	if (!page_aligned(offset) || (options & SYS_VMO_CHILD_REFERENCE && (offset || size)))
		return SYS_ERR_INVALID_ARGS;
	if (size > VMO_MAX_SIZE || page_up(size) > VMO_MAX_SIZE - MIN(offset, VMO_MAX_SIZE))
		return SYS_ERR_OUT_OF_RANGE;
	if (t->o == NONE)
		return SYS_ERR_BAD_STATE;
	if (!(options & built_kinds))
		return SYS_ERR_NOT_SUPPORTED;
	if (options & SYS_VMO_CHILD_SLICE && outside(t->size, offset, size))
		return SYS_ERR_INVALID_ARGS;
	if (options & SYS_VMO_CHILD_SLICE && of->options & SYS_VMO_RESIZABLE)
		return SYS_ERR_NOT_SUPPORTED;
	if (options & SYS_VMO_CHILD_SNAPSHOT && of->kind != ANONYMOUS)
		return SYS_ERR_NOT_SUPPORTED;
	if (of->options & SYS_VMO_DISCARDABLE && !(options & SYS_VMO_CHILD_REFERENCE))
		return SYS_ERR_NOT_SUPPORTED;
	if (options & SYS_VMO_CHILD_REFERENCE && options & SYS_VMO_CHILD_RESIZABLE && !(capability[t->c].rights & SYS_RIGHT_RESIZE))
		return SYS_ERR_ACCESS_DENIED;
	return SYS_OK;
}

static sys_rights_t child_rights(sys_rights_t parent, u32 options)
{
	sys_rights_t rights = (parent | SYS_RIGHT_SET_PROPERTY) & ~SYS_RIGHT_RESIZE;

	if (options & SYS_VMO_CHILD_NO_WRITE)
		rights &= ~SYS_RIGHT_WRITE;
	else if (options & (SYS_VMO_CHILD_SNAPSHOT | COPIES))
		rights = (rights | SYS_RIGHT_WRITE) & ~SYS_RIGHT_EXECUTE;
	return rights | (options & SYS_VMO_CHILD_RESIZABLE ? SYS_RIGHT_RESIZE : 0);
}

static u64 pages_in(int c, u64 page, u64 pages)
{
	u64 count = 0;

	for (u32 e = 0; e < vmo[c].count; e++)
		count += vmo[c].entry[e].page - page < pages;
	return count;
}

/* The child is a window: it shows what its parent has. */
static void show(int i, const struct target *t, u64 offset)
{
	vmo[i].owner = t->o;
	vmo[i].shift = t->shift + (offset >> PAGE_SHIFT);
}

/* The child is a copy of what lies in the window, and where its content is one before a root, falls through to that. */
static void copy(int i, const struct target *t, u64 offset)
{
	u64 page = t->shift + (offset >> PAGE_SHIFT);
	u64 there = t->size > offset ? (t->size - offset) >> PAGE_SHIFT : 0, pages = MIN(vmo[i].size >> PAGE_SHIFT, there);
	const struct m_vmo *of = &vmo[t->o];

	if (of->kind == ANONYMOUS) {
		copy_window(i, t->o, page, pages);
		return;
	}
	vmo[i].root = of->kind == ROOT ? t->o : of->root;
	vmo[i].view_below = of->kind == ROOT ? t->c : of->view_below;
	vmo[i].first = of->kind == ROOT ? page : of->first + page;
	vmo[i].limit = of->kind == ROOT ? pages : MIN(pages, of->limit > page ? of->limit - page : 0);
	if (of->kind == CLONE)
		copy_window(i, t->o, page, pages);
}

static void op_child(void)
{
	struct target t;
	int a = any_payer();
	u32 kind = kinds[choose(ARRAY_LEN(kinds))];
	u32 options = kind | (chance(30) ? SYS_VMO_CHILD_RESIZABLE : chance(20) ? SYS_VMO_CHILD_NO_WRITE : 0);
	u64 offset, size, most;
	sys_status_t status, expected;

	if (!pick(&t) || !any_free_vmo() || !any_free_cap())
		return;
	offset = chance(50) ? 0 : any_place(t.size) & ~(chance(95) ? PAGE_MASK : 0);
	size = chance(40) && t.size >= offset ? t.size - offset : any_size();
	if (kind == SYS_VMO_CHILD_REFERENCE && chance(95))
		offset = size = 0;
	expected = allowed(&t, SYS_RIGHT_COPY | SYS_RIGHT_READ, 0);
	if (expected == SYS_OK)
		expected = judge_child(&t, options, offset, size);
	status = world_call(NO_WANTS, NR_vmo_create_child, t.name, capability[a].name, options, offset, size);
	if (status == SYS_ERR_NO_MEMORY && expected == SYS_OK) {
		most = 2 + most_for(pages_in(t.o, 0, UINT64_MAX));
		must(may_be_short(a, most));
		return;
	}
	must(status == expected);
	if (status != SYS_OK)
		return;
	bool window = kind == SYS_VMO_CHILD_SLICE || kind == SYS_VMO_CHILD_REFERENCE;
	enum m_kind is = kind == SYS_VMO_CHILD_SLICE ? SLICE : kind == SYS_VMO_CHILD_REFERENCE ? REFERENCE :
	                 vmo[t.o].kind == ANONYMOUS ? ANONYMOUS : CLONE;
	int i = made(is, a, size, window ? t.c : a, child_rights(capability[t.c].rights, options));
	vmo[i].options = options & SYS_VMO_CHILD_RESIZABLE ? SYS_VMO_RESIZABLE : 0;
	become_child(i, t.i);
	if (window)
		show(i, &t, offset);
	else
		copy(i, &t, offset);
}

/* ---- reading and writing ----------------------------------------------------------------------------------------- */

static sys_status_t judge_range(const struct target *t, sys_rights_t rights, u64 offset, u64 length)
{
	sys_status_t status = allowed(t, rights, 0);

	if (status == SYS_OK && outside(t->size, offset, length))
		status = SYS_ERR_OUT_OF_RANGE;
	if (status == SYS_OK && t->o == NONE)
		status = SYS_ERR_BAD_STATE;
	if (status == SYS_OK && vmo[t->o].policy != SYS_CACHE_CACHED)
		status = SYS_ERR_BAD_STATE;
	return status;
}

static u8 bytes[BUFFER_PAGES * PAGE_SIZE_], model_bytes[BUFFER_PAGES * PAGE_SIZE_];

/* What an access ends with that must have a page which nobody has. */
static sys_status_t ended_with(sys_status_t status)
{
	if (status != SYS_ERR_SHOULD_WAIT)
		return status;
	must(world_failed != SYS_OK);
	return world_failed;
}

/* Moves bytes between the model's content and model_bytes, as far as `length`, page by page. */
static sys_status_t move(const struct target *t, bool write, u64 offset, u64 length)
{
	for (u64 done = 0, part; done < length; done += part) {
		u64 at = offset + done, page = t->shift + (at >> PAGE_SHIFT);
		struct m_page *p;
		sys_status_t status = write ? own(t->o, page, &p) : see(t->o, page, &p);
		if (status != SYS_OK)
			return ended_with(status);
		part = MIN(length - done, PAGE_SIZE_ - (at & PAGE_MASK));
		if (write)
			memcpy(p->byte + (at & PAGE_MASK), model_bytes + done, part);
		else if (p)
			memcpy(model_bytes + done, p->byte + (at & PAGE_MASK), part);
		else
			memset(model_bytes + done, 0, part);
	}
	return SYS_OK;
}

static void op_read(void)
{
	struct target t;
	u64 offset, length;
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	any_range(&t, REACH, &offset, &length);
	status = world_call(wants_of(&t, offset, length), NR_vmo_read, t.name, world_buffer(), offset, length);
	expected = judge_range(&t, SYS_RIGHT_READ, offset, length);
	if (expected == SYS_OK) {
		u64 left = world_regs()->r10;
		must(left <= length);
		expected = move(&t, false, offset, length);
		world_take(0, bytes, length - left);
		must(memcmp(bytes, model_bytes, length - left) == 0);
	}
	must(status == expected);
}

static void op_write(void)
{
	struct target t;
	u64 offset, length, left;
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	any_range(&t, REACH, &offset, &length);
	if (length <= REACH) {
		if (t.o != NONE && !room_for(t.o, 5))
			return;
		world_pattern(model_bytes, length);
		world_fill(0, model_bytes, length);
	}
	status = world_call(wants_of(&t, offset, length), NR_vmo_write, t.name, world_buffer(), offset, length);
	left = world_regs()->r10;
	expected = judge_range(&t, SYS_RIGHT_WRITE, offset, length);
	if (expected == SYS_OK && status == SYS_ERR_NO_MEMORY) {
		u64 next = t.shift + ((offset + length - left) >> PAGE_SHIFT);
		must(left && grows(t.o, next) && may_be_short(vmo[t.o].account, most_for(5)));
		must(move(&t, true, offset, length - left) == SYS_OK);
	} else {
		if (expected == SYS_OK)
			expected = move(&t, true, offset, length);
		must(status == expected);
	}
	if (t.o != NONE && !outside(t.size, offset, length))
		compare_range(t.o, (t.shift << PAGE_SHIFT) + offset, (t.shift << PAGE_SHIFT) + offset + length);
}

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

static void op_get_size(void)
{
	struct target t;
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	status = world_call(NO_WANTS, NR_vmo_get_size, t.name);
	expected = allowed(&t, 0, 0);
	if (expected == SYS_OK && t.o == NONE)
		expected = SYS_ERR_BAD_STATE;
	must(status == expected);
	if (status == SYS_OK)
		must(world_regs()->rdx == t.size);
}

static sys_status_t judge_set_size(const struct target *t, u64 size)
{
	sys_status_t status = allowed(t, SYS_RIGHT_WRITE, 0);

	if (status != SYS_OK)
		return status;
	if (size > VMO_MAX_SIZE)
		return SYS_ERR_OUT_OF_RANGE;
	if (t->o == NONE)
		return SYS_ERR_BAD_STATE;
	if (vmo[t->i].kind == SLICE || !(vmo[t->o].options & SYS_VMO_RESIZABLE))
		return SYS_ERR_UNAVAILABLE;
	return capability[t->c].rights & SYS_RIGHT_RESIZE ? SYS_OK : SYS_ERR_ACCESS_DENIED;
}

static void op_set_size(void)
{
	struct target t;
	u64 size = any_size();
	sys_status_t status;
	struct m_page *p;

	if (!pick(&t))
		return;
	if (chance(1))
		size = UINT64_MAX - choose(PAGE_SIZE_ * 70);
	status = world_call(NO_WANTS, NR_vmo_set_size, t.name, size);
	must(status == judge_set_size(&t, size));
	if (status != SYS_OK)
		return;
	if (!page_aligned(size) && size >> PAGE_SHIFT < vmo[t.o].size >> PAGE_SHIFT && !grows(t.o, size >> PAGE_SHIFT)) {
		must(own(t.o, size >> PAGE_SHIFT, &p) == SYS_OK);
		memset(p->byte + (size & PAGE_MASK), 0, PAGE_SIZE_ - (size & PAGE_MASK));
	}
	shrink(t.o, size);
	vmo[t.o].size = page_up(size);
	vmo[t.o].stream = size;
	compare_range(t.o, size & ~PAGE_MASK, size + 1);
}

/* ---- operations on ranges ---------------------------------------------------------------------------------------- */

#define MANY (9 * PAGE_SIZE_)

/* How far a COMMIT that found no memory got is seen only in the content. */
static sys_status_t commit(const struct target *t, u64 offset, u64 length, bool cut)
{
	u64 page = t->shift + (offset >> PAGE_SHIFT), end = t->shift + ((offset + length + PAGE_MASK) >> PAGE_SHIFT);
	struct m_page *p;

	for (; length && page < end; page++) {
		if (cut && grows(t->o, page) && tree_tag(tree_lookup(&vmo[t->o].v->tree, page)) != TREE_PAGE)
			return SYS_ERR_NO_MEMORY;
		sys_status_t status = own(t->o, page, &p);
		if (status != SYS_OK)
			return ended_with(status);
	}
	return SYS_OK;
}

static void op_commit(void)
{
	struct target t;
	u64 offset, length;
	sys_status_t status, expected;

	if (!pick(&t))
		return;
	any_range(&t, MANY, &offset, &length);
	if (length > MANY || (t.o != NONE && !room_for(t.o, 12)))
		return;
	status = world_call(wants_of(&t, offset, length), NR_vmo_op_range, t.name, SYS_VMO_OP_COMMIT, offset, length, 0, 0);
	expected = judge_range(&t, SYS_RIGHT_WRITE, offset, length);
	if (expected == SYS_OK)
		expected = commit(&t, offset, length, status == SYS_ERR_NO_MEMORY);
	must(status == expected);
	if (status == SYS_ERR_NO_MEMORY)
		must(may_be_short(vmo[t.o].account, most_for(12)));
}

static void op_decommit(void)
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
	if (expected == SYS_OK && vmo[t.o].kind != ANONYMOUS)
		expected = SYS_ERR_NOT_SUPPORTED;
	must(status == expected);
	if (status == SYS_OK)
		entries_remove(t.o, t.shift + (offset >> PAGE_SHIFT), t.shift + ((offset + length) >> PAGE_SHIFT));
}

/* ---- supply ------------------------------------------------------------------------------------------------------ */

/* One page of the root from one of aux. False: that would need memory, and there is none. */
static bool supply_page(int root, u64 page, int aux, u64 from, bool stop, u64 *fresh)
{
	struct m_entry *e = entry_at(aux, from);
	struct m_page *p;

	if (see(root, page, &p) == SYS_ERR_SHOULD_WAIT) {
		if (stop)
			return false;
		p = e ? e->p : NULL;
		if (p && p->refs > 1)
			p = page_new(p);
		else if (p)
			p->refs++;
		entry_put(root, page, p);
		*fresh += PAGE_SIZE_;
	}
	if (e)
		entry_remove(aux, e);
	return true;
}

/* The program brings pages by itself, out of another member of a family. */
static void op_supply(void)
{
	struct target t, aux;
	u64 offset, length, from, fresh = 0;
	sys_status_t status, expected;

	if (!pick(&t) || !pick(&aux) || vmo[t.i].over || vmo[aux.i].over || t.o != t.i || aux.o != aux.i)
		return;
	any_range(&t, MANY, &offset, &length);
	from = any_place(aux.size);
	if (chance(90)) {
		offset &= ~PAGE_MASK;
		from &= ~PAGE_MASK;
		length = MIN(length, MANY) & ~PAGE_MASK;
	}
	if (!room_for(t.o, 12))
		return;
	status = world_call(NO_WANTS, NR_pager_supply_pages, pager_cap, t.name, offset, length, aux.name, from);
	expected = allowed(&aux, SYS_RIGHT_READ | SYS_RIGHT_WRITE, 0);
	if (expected == SYS_OK) {
		if (!page_aligned(offset) || !page_aligned(length) || !page_aligned(from) || vmo[t.o].kind != ROOT)
			expected = SYS_ERR_INVALID_ARGS;
		else if (outside(t.size, offset, length) || outside(aux.size, from, length))
			expected = SYS_ERR_OUT_OF_RANGE;
		else if (vmo[aux.o].kind == ROOT)
			expected = SYS_ERR_NOT_SUPPORTED;
	}
	must(status == expected || (expected == SYS_OK && status == SYS_ERR_NO_MEMORY && may_be_short(vmo[t.o].account, most_for(12))));
	if (expected != SYS_OK)
		return;
	for (u64 done = 0; done < length; done += PAGE_SIZE_) {
		bool stop = status != SYS_OK && fresh == world_regs()->rdx;
		if (!supply_page(t.o, (offset + done) >> PAGE_SHIFT, aux.o, (from + done) >> PAGE_SHIFT, stop, &fresh))
			break;
	}
	must(world_regs()->rdx == fresh);
}

/* ---- mappings ---------------------------------------------------------------------------------------------------- */

static void op_map(void)
{
	struct target t;
	u32 page = (u32)choose(ARENA), pages = 1 + (u32)choose(MIN(ARENA - page, 12));
	u32 perms = chance(60) ? SYS_VM_PERM_READ | SYS_VM_PERM_WRITE : chance(80) ? SYS_VM_PERM_READ : (u32)choose(4);
	u32 options = perms | SYS_VM_SPECIFIC | (chance(50) ? SYS_VM_ALLOW_FAULTS : 0) | (chance(20) ? SYS_VM_MAP_RANGE : 0);
	u64 offset;
	sys_status_t status, expected;
	int s = segment_new();

	if (!pick(&t) || s == NONE || s > SEGMENTS - 16)
		return;
	offset = any_place(t.size) & ~PAGE_MASK;
	status = world_call(NO_WANTS, NR_vmar_map, vmar_cap, options, arena_at(page) - PAGE_SIZE_, t.name,
	                    offset, pages * PAGE_SIZE_);
	expected = allowed(&t, SYS_RIGHT_MAP | perms, 0);
	if (expected == SYS_OK && (perms & SYS_VM_PERM_WRITE) && !(perms & SYS_VM_PERM_READ))
		expected = SYS_ERR_INVALID_ARGS;
	if (expected == SYS_OK && offset + pages * PAGE_SIZE_ <= offset)
		expected = SYS_ERR_OUT_OF_RANGE;
	if (expected == SYS_OK && t.o == NONE)
		expected = SYS_ERR_BAD_STATE;
	if (expected == SYS_OK && status == SYS_ERR_NO_MEMORY) {
		must(may_be_short(0, 1));
		return;
	}
	for (u32 p = page; p < page + pages && expected == SYS_OK; p++)
		if (segment_at(p) != NONE)
			expected = SYS_ERR_ALREADY_EXISTS;
	must(status == expected);
	if (status != SYS_OK)
		return;
	segment[s] = (struct m_segment){
		.live = true, .vmo = t.o, .through = t.o == t.i ? NONE : t.i, .below = t.c, .first = page, .pages = pages,
		.ceiling = capability[t.c].rights & (SYS_RIGHT_READ | SYS_RIGHT_WRITE | SYS_RIGHT_EXECUTE), .options = options,
		.offset = t.shift + (offset >> PAGE_SHIFT),
	};
	memset(permission + page, (int)perms, pages);
}

static void op_unmap(void)
{
	u32 page = (u32)choose(ARENA), pages = 1 + (u32)choose(MIN(ARENA - page, 12));
	int s = segment_new();
	sys_status_t status;

	if (s == NONE)
		return;
	status = world_call(NO_WANTS, NR_vmar_unmap, vmar_cap, arena_at(page), pages * PAGE_SIZE_);
	if (status == SYS_ERR_NO_MEMORY) {      /* a hole would be cut into one */
		s = segment_at(page);
		must(may_be_short(0, 2) && s != NONE && segment[s].first < page && page + pages < segment[s].first + segment[s].pages);
		return;
	}
	must(status == SYS_OK);
	unmap(page, pages);
}

static void op_protect(void)
{
	u32 page = (u32)choose(ARENA), pages = 1 + (u32)choose(8);
	u32 perms = (u32)choose(2) * SYS_VM_PERM_WRITE | SYS_VM_PERM_READ;
	int s = segment_at(page);
	sys_status_t status;

	if (s == NONE)
		return;
	pages = MIN(pages, segment[s].first + segment[s].pages - page);
	status = world_call(NO_WANTS, NR_vmar_protect, vmar_cap, perms, arena_at(page), pages * PAGE_SIZE_);
	if (status == SYS_ERR_NO_MEMORY) {      /* range by range of one permission: how far it got */
		must(may_be_short(0, 2) && !(perms & ~segment[s].ceiling));
		for (u32 p = page; p < page + pages; p++) {
			vaddr_t until;
			permission[p] = (u8)mapping_perm(vmar_find(&vmar_of(cnode_lookup(cs, vmar_cap)->object)->space->root_vmar, arena_at(p)),
			                                 arena_at(p), &until);
		}
		return;
	}
	must(status == (perms & ~segment[s].ceiling ? SYS_ERR_ACCESS_DENIED : SYS_OK));
	if (status == SYS_OK)
		memset(permission + page, (int)perms, pages);
}

/* What an access there ends with; *c and *at: what it reaches. */
static sys_status_t judge_access(u32 page, bool write, int *c, u64 *at)
{
	int s = segment_at(page);

	*c = NONE;
	if (s == NONE)
		return SYS_ERR_NOT_FOUND;
	if (!(permission[page] & (write ? SYS_VM_PERM_WRITE : SYS_VM_PERM_READ)))
		return SYS_ERR_ACCESS_DENIED;
	*c = segment[s].vmo;
	*at = segment[s].offset + page - segment[s].first;
	if (*at >= vmo[*c].size >> PAGE_SHIFT)
		return SYS_ERR_OUT_OF_RANGE;
	if (segment[s].through != NONE) {
		const struct m_vmo *w = &vmo[segment[s].through];
		if (w->kind == SLICE && *at >= w->shift + (w->size >> PAGE_SHIFT))
			return SYS_ERR_OUT_OF_RANGE;
	}
	return SYS_OK;
}

static void op_access(void)
{
	u32 page = (u32)choose(ARENA), within = (u32)choose(PAGE_SIZE_ - 64);
	bool write = chance(50), grew;
	sys_status_t status, expected;
	struct m_page *p;
	u8 *at;
	int c;
	u64 number;

	for (unsigned i = 0; i < 8 && segment_at(page) == NONE; i++)
		page = (u32)choose(ARENA);
	expected = judge_access(page, write, &c, &number);
	if (expected == SYS_OK && !room_for(c, 2))
		return;
	status = world_access(expected == SYS_OK ? (struct wants){ c, number, number + 1 } : NO_WANTS, page, write, &at);
	if (expected != SYS_OK) {
		must(status == expected);
		return;
	}
	grew = write && grows(c, number);
	if (status == SYS_ERR_NO_MEMORY) {
		must(grew && may_be_short(vmo[c].account, most_for(1)));
		return;
	}
	expected = write ? own(c, number, &p) : see(c, number, &p);
	must(status == ended_with(expected));
	if (status != SYS_OK)
		return;
	if (write) {
		world_pattern(p->byte + within, 64);
		memcpy(at + within, p->byte + within, 64);
	}
	for (u32 i = 0; i < 64; i++)
		must(at[within + i] == (p ? p->byte[within + i] : 0));
	compare_page(c, number);
}

/* ---- ends -------------------------------------------------------------------------------------------------------- */

static void op_delete(void)
{
	struct target t;

	if (!pick(&t))
		return;
	must(world_call(NO_WANTS, NR_cap_delete, t.name) == SYS_OK);
	delete_cap(t.c);
	settle();
}

static void op_revoke(void)
{
	struct target t;

	if (!pick(&t))
		return;
	must(world_call(NO_WANTS, NR_cap_revoke, t.name) == (vmo[t.i].over ? SYS_ERR_BAD_CAP : SYS_OK));
	if (!vmo[t.i].over)
		revoke_cap(t.c);
}

static void op_revoke_account(int a)
{
	must(world_call(NO_WANTS, NR_cap_revoke, capability[a].name) == SYS_OK);
	revoke_account(a);
	must(payer[a].a->used == payer[a].fixed);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static const struct { unsigned weight; void (*run)(void); } operations[] = {
	{ 60, op_create }, { 20, op_create_root }, { 30, op_copy }, { 90, op_child }, { 120, op_read }, { 150, op_write },
	{ 20, op_get_size }, { 50, op_set_size }, { 50, op_commit }, { 50, op_decommit }, { 20, op_supply }, { 50, op_map },
	{ 30, op_unmap }, { 30, op_protect }, { 200, op_access }, { 90, op_delete }, { 10, op_revoke },
};

static void compare_some(void)
{
	int i = (int)choose(VMOS);

	if (!vmo[i].v || vmo[i].over)
		return;
	compare_info(i);
	if (content_of(i) == i && vmo[i].count)
		compare_page(i, vmo[i].entry[choose(vmo[i].count)].page);
}

static void step(void)
{
	u64 dice;
	unsigned all = 0, i = 0;

	for (unsigned o = 0; o < ARRAY_LEN(operations); o++)
		all += operations[o].weight;
	host_preempt_every((unsigned)choose(4));
	prepare();
	if (choose(500) == 0) {
		world_arm = 0;
		op_revoke_account(any_payer());
	} else {
		for (dice = choose(all); dice >= operations[i].weight; i++)
			dice -= operations[i].weight;
		operations[i].run();
	}
	host_preempt_every(0);
	kernel_reap();
	compare_some();
}

/* ---- counting ---------------------------------------------------------------------------------------------------- */

struct census { u64 pages, nodes, of[ACCOUNTS]; };        /* of: frames that belong to an account as a whole */

static void census(struct census *n)
{
	*n = (struct census){ 0 };
	for (u64 i = 0; i < frame_table_len; i++) {
		const struct frame *f = &frame_table[i];
		n->pages += f->kind == FRAME_PAGE;
		n->nodes += f->kind == FRAME_NODE;
		for (int a = 0; a < ACCOUNTS && f->kind == FRAME_SLAB; a++)
			n->of[a] += f->list.owner == (u64)(uintptr_t)payer[a].a;
	}
}

static void compare_accounts(const struct census *n)
{
	u64 used[ACCOUNTS];

	for (int a = 0; a < ACCOUNTS; a++)
		used[a] = n->of[a];
	for (int i = 0; i < VMOS; i++) {
		u64 pages, nodes;
		if (!vmo[i].v || vmo[i].over || content_of(i) != i)
			continue;
		tree_totals(&vmo[i].v->tree, &pages, &nodes);
		must(vmo[i].v->tree.charged == pages + nodes);
		used[vmo[i].account] += pages + nodes;
	}
	for (int a = 1; a < ACCOUNTS; a++)
		must(payer[a].a->used == used[a] && payer[a].a->total == payer[a].total);
}

/* The shares of all objects add up to what is in use. */
static void compare_shares(void)
{
	unsigned __int128 sum = 0, all = (unsigned __int128)(pages_in_use << PAGE_SHIFT) << 63;
	sys_vmo_info_t info;

	for (int i = 0; i < VMOS; i++) {
		if (!vmo[i].v || vmo[i].over)
			continue;
		must(vmo_info(vmo[i].v, &info) == SYS_OK);
		sum += ((unsigned __int128)info.scaled_bytes << 63) + info.scaled_fraction;
	}
	must(sum <= all && all - sum <= pages_in_use * (TREE_LEVELS + 1) * VMOS);
}

static void walk(void)
{
	struct census n;

	kernel_reap();
	for (int i = 0; i < VMOS; i++) {
		if (!vmo[i].v || vmo[i].over)
			continue;
		compare_info(i);
		if (content_of(i) == i)
			compare_content(i);
	}
	census(&n);
	must(n.pages == base_pages + pages_in_use);
	compare_accounts(&n);
	compare_shares();
	check_all();
}

static void start(void)
{
	struct census n;

	rules_start();
	world_start();
	kernel_reap();
	census(&n);
	base_pages = n.pages;
	for (int a = 0; a < ACCOUNTS; a++)
		payer[a].fixed = payer[a].a->used;
}

static void finish(void)
{
	host_preempt_every(0);
	for (int c = ACCOUNTS; c < CAPS; c++)
		if (capability[c].name && chance(50)) {
			must(world_call(NO_WANTS, NR_cap_delete, capability[c].name) == SYS_OK);
			delete_cap(c);
			settle();
		}
	walk();
	for (int a = 1; a < ACCOUNTS; a++)
		op_revoke_account(a);
	for (int i = 0; i < VMOS; i++)
		must(!vmo[i].v || vmo[i].over);
	must(pages_in_use == 0);
}

const struct model model = { "families", 4000, start, step, walk, finish };
