/* SPDX-License-Identifier: BSD-2-Clause */
/* familymaps.c: operations of families.c with mappings, and accesses through them. */
#include <string.h>
#include "model/familyops.h"

void op_map(void)
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
		must(may_be_short(0, 2) && s != NONE && segment[s].first < page && page + pages < segment[s].first + segment[s].pages);
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

void op_access(void)
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

