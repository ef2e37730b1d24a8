/* SPDX-License-Identifier: BSD-2-Clause */
/* familymaps.c: operations of families.c with mappings, and accesses through them. */
#include <string.h>
#include "model/familyops.h"

static u32 any_options(void)
{
	u32 perms = chance(60) ? SYS_VM_PERM_READ | SYS_VM_PERM_WRITE : chance(80) ? SYS_VM_PERM_READ : (u32)choose(4);
	u32 options = perms | SYS_VM_SPECIFIC;

	options |= chance(60) ? SYS_VM_ALLOW_FAULTS : 0;
	options |= chance(20) ? SYS_VM_MAP_RANGE : 0;
	options |= chance(20) ? SYS_VM_FAULT_BEYOND_STREAM_SIZE : 0;
	options |= chance(5) ? SYS_VM_REQUIRE_NON_RESIZABLE : 0;
	return options;
}

static sys_status_t judge_map(const struct target *t, u32 options, u32 page, u64 offset, u64 size)
{
	sys_status_t status = allowed(t, SYS_RIGHT_MAP | (options & 3), 0);

	if (status != SYS_OK)
		return status;
	if (options & SYS_VM_PERM_WRITE && !(options & SYS_VM_PERM_READ))
		return SYS_ERR_INVALID_ARGS;
	if (options & SYS_VM_FAULT_BEYOND_STREAM_SIZE && !(options & SYS_VM_ALLOW_FAULTS))
		return SYS_ERR_INVALID_ARGS;
	if (offset + size <= offset)
		return SYS_ERR_OUT_OF_RANGE;
	if (t->o == NONE)
		return SYS_ERR_BAD_STATE;
	if (options & SYS_VM_REQUIRE_NON_RESIZABLE && vmo[t->o].options & SYS_VMO_RESIZABLE)
		return SYS_ERR_NOT_SUPPORTED;
	if (vmo[t->o].options & SYS_VMO_DISCARDABLE && !(options & SYS_VM_ALLOW_FAULTS))
		return SYS_ERR_NOT_SUPPORTED;
	if (vmo[t->o].contiguous && options & SYS_VM_FAULT_BEYOND_STREAM_SIZE)
		return SYS_ERR_NOT_SUPPORTED;
	for (u32 p = page; p < page + (size >> PAGE_SHIFT); p++)
		if (segment_at(p) != NONE)
			return SYS_ERR_ALREADY_EXISTS;
	return SYS_OK;
}

void op_map(void)
{
	struct target t;
	u32 page = (u32)choose(ARENA), pages = 1 + (u32)choose(MIN(ARENA - page, 12)), options = any_options();
	u64 offset;
	sys_status_t status, expected;
	int s = segment_new();

	if (!pick(&t) || s == NONE || s > SEGMENTS - 16)
		return;
	offset = any_place(t.size) & ~PAGE_MASK;
	if (chance(80))
		offset = MIN(offset, t.size - MIN(t.size, pages * PAGE_SIZE_));
	expected = judge_map(&t, options, page, offset, pages * PAGE_SIZE_);
	status = world_call(NO_WANTS, NR_vmar_map, vmar_cap, options, arena_at(page) - PAGE_SIZE_, t.name, offset,
	                    pages * PAGE_SIZE_);
	if (status == SYS_ERR_NO_MEMORY && (expected == SYS_OK || expected == SYS_ERR_ALREADY_EXISTS)) {
		must(may_be_short(0, 1));
		return;
	}
	must(status == expected);
	if (status != SYS_OK)
		return;
	segment[s] = (struct m_segment){
		.live = true, .vmo = t.o, .through = t.o == t.i ? NONE : t.i, .below = t.c,
		.first = page, .pages = pages,
		.ceiling = capability[t.c].rights & (SYS_RIGHT_READ | SYS_RIGHT_WRITE | SYS_RIGHT_EXECUTE),
		.options = options, .offset = t.shift + (offset >> PAGE_SHIFT),
	};
	memset(permission + page, (int)(options & 3), pages);
}

void op_unmap(void)
{
	u32 page = (u32)choose(ARENA), pages = 1 + (u32)choose(MIN(ARENA - page, 12));
	int s = segment_new();
	sys_status_t status;

	if (s == NONE)
		return;
	status = world_call(NO_WANTS, NR_vmar_unmap, vmar_cap, arena_at(page), pages * PAGE_SIZE_);
	if (status == SYS_ERR_NO_MEMORY) {      /* a hole would be cut into one */
		s = segment_at(page);
		must(may_be_short(0, 2) && s != NONE && segment[s].first < page);
		must(page + pages < segment[s].first + segment[s].pages);
		return;
	}
	must(status == SYS_OK);
	unmap(page, pages);
}

void op_protect(void)
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
		const struct vmar *root = vmar_of(cnode_lookup(cs, vmar_cap)->object);
		must(may_be_short(0, 2) && !(perms & ~segment[s].ceiling));
		for (u32 p = page; p < page + pages; p++) {
			vaddr_t until;
			permission[p] = (u8)mapping_perm(vmar_find(root, arena_at(p)), arena_at(p), &until);
		}
		return;
	}
	must(status == (perms & ~segment[s].ceiling ? SYS_ERR_ACCESS_DENIED : SYS_OK));
	if (status == SYS_OK)
		memset(permission + page, (int)perms, pages);
}

/* The content's page behind the last that the mapping shows. */
static u64 end_of(const struct m_segment *s)
{
	const struct m_vmo *w = &vmo[s->through == NONE ? s->vmo : s->through], *shape = &vmo[w->shape];
	u64 size = s->options & SYS_VM_FAULT_BEYOND_STREAM_SIZE ? shape->stream : shape->size;

	return w->shift + (page_up(size) >> PAGE_SHIFT);
}

/* What an access there ends with, before the page is looked at; *c and *at: what it reaches. */
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
	return *at < end_of(&segment[s]) ? SYS_OK : SYS_ERR_OUT_OF_RANGE;
}

static u32 any_page_of_arena(void)
{
	u32 page = (u32)choose(ARENA);

	for (unsigned i = 0; i < 8 && segment_at(page) == NONE; i++)
		page = (u32)choose(ARENA);
	return page;
}

void op_access(void)
{
	u32 page = any_page_of_arena(), within = (u32)choose(PAGE_SIZE_ - 64);
	bool write = chance(50), grew;
	sys_status_t status, expected;
	struct m_page *p;
	u8 *at;
	int c;
	u64 number;

	expected = judge_access(page, write, &c, &number);
	if (expected == SYS_OK && !room_for(c, 2))
		return;
	status = world_access(expected == SYS_OK ? WANTS(c, number, number + 1) : NO_WANTS, page, write, &at);
	if (expected != SYS_OK) {
		must(status == expected);
		return;
	}
	grew = write && grows(c, number);
	if (status == SYS_ERR_NO_MEMORY) {
		must(grew && may_be_short(vmo[c].account, most_for(1)));
		return;
	}
	expected = write ? own_to_write(c, number, &p) : see(c, number, &p);
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

static int root_of(int c) { return vmo[c].kind == ROOT ? c : vmo[c].root; }

/* A read into, or a write from, memory that is a mapping of a family's. One piece, within one page on either side: the
 * buffer is reached first, then the object's page. */
void op_across(void)
{
	struct target t;
	u32 page = any_page_of_arena(), within = (u32)choose(PAGE_SIZE_ - 64);
	bool read = chance(50);
	u64 offset, length = 1 + choose(64), number = 0, object_page;
	sys_status_t status, expected, buffer;
	struct m_page *p = NULL, *q = NULL;
	int c;

	if (!pick(&t) || t.o == NONE)
		return;
	offset = (any_place(t.size) & ~PAGE_MASK) + choose(PAGE_SIZE_ - 64);
	object_page = t.shift + (offset >> PAGE_SHIFT);
	buffer = judge_access(page, read, &c, &number);
	if (buffer == SYS_OK && root_of(c) == root_of(t.o) && root_of(c) != NONE && reclaimable(vmo[root_of(c)].account))
		return;                         /* a page that both see may go after the one and before the other */
	if (!room_for(t.o, 4) || (buffer == SYS_OK && !room_for(c, 4)))
		return;
	struct wants wants = wants_of(&t, offset, length);
	if (buffer == SYS_OK)
		wants.also = (struct range){ c, number, number + 1 };
	reclaim_note(t.o, object_page);
	if (buffer == SYS_OK)
		reclaim_note(c, number);
	status = world_call(wants, read ? NR_vmo_read : NR_vmo_write, t.name, arena_at(page) + within, offset, length);
	expected = judge_copy(&t, read ? SYS_RIGHT_READ : SYS_RIGHT_WRITE, offset, length);
	if (expected != SYS_OK || buffer != SYS_OK) {
		must(status == (expected != SYS_OK ? expected : SYS_ERR_BAD_ADDRESS));
		return;
	}
	bool missing = read && grows(c, number) && there_is(c, number) != TREE_PAGE;
	if (missing && world_failed == SYS_OK && may_be_short(vmo[c].account, most_for(2))) {
		must(status == SYS_ERR_BAD_ADDRESS);
		return;
	}
	if ((read ? own_to_write(c, number, &q) : see(c, number, &q)) != SYS_OK) {
		must(status == SYS_ERR_BAD_ADDRESS);
		return;
	}
	if (status == SYS_ERR_NO_MEMORY) {
		must(!read && grows(t.o, object_page) && may_be_short(vmo[t.o].account, most_for(2)));
		return;
	}
	expected = read ? see(t.o, object_page, &p) : own_to_write(t.o, object_page, &p);
	must(status == ended_with(expected));
	if (status != SYS_OK)
		return;
	if (!read && c == t.o && number == object_page)
		q = p;
	u8 *to = read ? q->byte + within : p->byte + (offset & PAGE_MASK);
	const struct m_page *of = read ? p : q;
	if (of)
		memmove(to, of->byte + (read ? offset & PAGE_MASK : within), length);
	else
		memset(to, 0, length);
	compare_page(c, number);
	compare_page(t.o, object_page);
}
