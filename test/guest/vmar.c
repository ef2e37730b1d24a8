/* SPDX-License-Identifier: BSD-2-Clause */
/* vmar.c: regions: allocate, unmap, protect, info, maps, and what they cost. Numbers in names are those of
 * docs/deviations.md. */
#include "common/region.h"

/* ---- allocate ---- */

TEST("vmar_allocate:OK a region in a region, its options and rights (VMAR-ALLOC-22)")
{
	sys_vaddr_t at, inner_at;
	sys_vmar_info_t info;
	sys_cap_t inner, bare;

	region_begin();
	OKAY(sys_vmar_allocate(region, SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE, 0, 8 * PAGE, &inner, &at));
	CHECK(at >= base && at + 8 * PAGE <= base + REGION_PAGES * PAGE);
	EQ(cap_info(inner).rights, SYS_RIGHTS_VMAR & ~SYS_RIGHT_EXECUTE);
	OKAY(sys_vmar_info(inner, &info));
	EQ(info.base, at);
	EQ(info.size, 8 * PAGE);
	EQ(info.koid, cap_info(inner).koid);
	EQ(info.options, SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE);
	OKAY(sys_vmar_allocate(inner, 0, 0, PAGE, &bare, &inner_at));
	CHECK(inner_at >= at && inner_at < at + 8 * PAGE);
	EQ(cap_info(bare).rights, SYS_RIGHTS_VMAR & ~(SYS_RIGHT_READ | SYS_RIGHT_WRITE | SYS_RIGHT_EXECUTE));
	region_end();
}

TEST("vmar_allocate:OK SPECIFIC, UPPER_LIMIT, COMPACT and an exact fit (VMAR-ALLOC-13, VMAR-ALLOC-15)")
{
	sys_vaddr_t at;
	sys_cap_t out;

	region_begin();
	OKAY(sys_vmar_allocate(region, SYS_VM_SPECIFIC, 5 * PAGE, 3 * PAGE, &out, &at));
	EQ(at, base + 5 * PAGE);
	for (int i = 0; i < 5; i++) {
		OKAY(sys_vmar_allocate(region, SYS_VM_OFFSET_IS_UPPER_LIMIT, 5 * PAGE, PAGE, &out, &at));
		CHECK(at + PAGE <= base + 5 * PAGE);
	}
	REFUSED(SYS_ERR_NO_RESOURCES,
		sys_vmar_allocate(region, SYS_VM_OFFSET_IS_UPPER_LIMIT, 5 * PAGE, PAGE, &out, &at));
	OKAY(sys_vmar_allocate(region, SYS_VM_COMPACT, 0, (REGION_PAGES - 8) * PAGE, &out, &at));
	EQ(at, base + 8 * PAGE);
	region_end();
	region_begin();
	OKAY(sys_vmar_allocate(region, CAN_ALL, 0, REGION_PAGES * PAGE, &out, &at));
	EQ(at, base);
	region_end();
}

TEST("vmar_allocate:OK ALIGN (VMAR-ALLOC-16, VMAR-ALLOC-17)")
{
	sys_vaddr_t at;
	sys_cap_t out;

	region_begin();
	for (uint32_t log2 = 10; log2 <= 16; log2++) {
		OKAY(sys_vmar_allocate(SYS_CAP_VMAR, SYS_VM_ALIGN(log2), 0, PAGE, &out, &at));
		EQ(at & ((1ull << log2) - 1), 0);
		unmap((void *)at, PAGE);
	}
	OKAY(sys_vmar_allocate(SYS_CAP_VMAR, SYS_VM_ALIGN(32), 0, PAGE, &out, &at));
	EQ(at & 0xffffffff, 0);
	unmap((void *)at, PAGE);
	region_end();
}

TEST("vmar_allocate:INVALID_ARGS sizes, offsets, options (VMAR-ALLOC-05, VMAR-ALLOC-06, VMAR-ALLOC-07, "
     "VMAR-ALLOC-08, VMAR-ALLOC-09, VMAR-ALLOC-10, VMAR-ALLOC-11, VMAR-ALLOC-16, VMAR-ALLOC-18)")
{
	static const struct {
		uint32_t options;
		uint64_t offset, size;
	} bad[] = {
		{0, 0, 0},
		{0, 0, UINT64_MAX},
		{0, 0, 100},
		{0, 0, 4097},
		{0, 4096, 4096},
		{SYS_VM_SPECIFIC, 5, 4096},
		{SYS_VM_SPECIFIC | SYS_VM_OFFSET_IS_UPPER_LIMIT, 0, 4096},
		{SYS_VM_PERM_READ, 0, 4096},
		{SYS_VM_PERM_EXECUTE, 0, 4096},
		{SYS_VM_MAP_RANGE, 0, 4096},
		{1u << 23, 0, 4096},
		{0, 0, (REGION_PAGES + 1) * 4096ull},
		{0, 0, 1ull << 60},
		{SYS_VM_SPECIFIC, (REGION_PAGES - 1) * 4096ull, 8192},
		{SYS_VM_SPECIFIC, REGION_PAGES * 4096ull, 4096},
		{SYS_VM_SPECIFIC, ~4095ull, 4096},
		{SYS_VM_ALIGN(9), 0, 4096},
		{SYS_VM_ALIGN(33), 0, 4096},
		{SYS_VM_ALIGN(255), 0, 4096},
		{SYS_VM_SPECIFIC_OVERWRITE | SYS_VM_OFFSET_IS_UPPER_LIMIT, 0, 4096},
	};
	sys_vaddr_t at = 99;
	sys_cap_t out = 99;

	region_begin();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		REFUSED(SYS_ERR_INVALID_ARGS,
			sys_vmar_allocate(region, bad[i].options, bad[i].offset, bad[i].size, &out, &at));
	uint64_t odd = base & 0xffff ? 0 : PAGE;
	REFUSED(SYS_ERR_INVALID_ARGS,
		sys_vmar_allocate(region, SYS_VM_SPECIFIC | SYS_VM_ALIGN(16), odd, PAGE, &out, &at));
	EQ(out, 99);
	EQ(at, 99);
	region_end();
}

TEST("vmar_allocate:ALREADY_EXISTS over a region or a mapping (VMAR-ALLOC-12)")
{
	sys_vaddr_t at;
	sys_cap_t out = 99, inner;

	region_begin();
	OKAY(sys_vmar_allocate(region, SYS_VM_SPECIFIC, 4 * PAGE, 4 * PAGE, &inner, &at));
	map_at(20, numbered(2, 1), RW, 0, 2);
	REFUSED(SYS_ERR_ALREADY_EXISTS, sys_vmar_allocate(region, SYS_VM_SPECIFIC, 4 * PAGE, 4 * PAGE, &out, &at));
	REFUSED(SYS_ERR_ALREADY_EXISTS, sys_vmar_allocate(region, SYS_VM_SPECIFIC, 7 * PAGE, PAGE, &out, &at));
	REFUSED(SYS_ERR_ALREADY_EXISTS, sys_vmar_allocate(region, SYS_VM_SPECIFIC, 0, 5 * PAGE, &out, &at));
	REFUSED(SYS_ERR_ALREADY_EXISTS, sys_vmar_allocate(region, SYS_VM_SPECIFIC, 21 * PAGE, 5 * PAGE, &out, &at));
	REFUSED(SYS_ERR_ALREADY_EXISTS, sys_vmar_allocate(region, SYS_VM_SPECIFIC, 0, REGION_PAGES * PAGE, &out, &at));
	EQ(*page_at(21), 2);
	OKAY(sys_vmar_allocate(region, SYS_VM_SPECIFIC, 8 * PAGE, 12 * PAGE, &out, &at));
	region_end();
}

TEST("vmar_allocate:NO_RESOURCES no hole is large enough, or none at that alignment (VMAR-ALLOC-10, "
     "VMAR-ALLOC-19)")
{
	sys_vaddr_t at;
	sys_cap_t out = 99;

	region_begin();
	for (uint64_t page = 7; page < REGION_PAGES; page += 8)
		map_at(page, numbered(1, 1), RW, 0, 1);
	REFUSED(SYS_ERR_NO_RESOURCES, sys_vmar_allocate(region, 0, 0, 8 * PAGE, &out, &at));
	REFUSED(SYS_ERR_NO_RESOURCES, sys_vmar_allocate(region, SYS_VM_ALIGN(32), 0, PAGE, &out, &at));
	EQ(out, 99);
	OKAY(sys_vmar_allocate(region, 0, 0, 7 * PAGE, &out, &at));
	region_end();
}

TEST("vmar_allocate:ACCESS_DENIED beyond the parent's caps, SPECIFIC without CAN_MAP_SPECIFIC (VMAR-ALLOC-01, "
     "VMAR-ALLOC-02, VMAR-ALLOC-03, VMAR-ALLOC-04)")
{
	sys_vaddr_t at;
	sys_cap_t inner, out = 99;

	region_begin();
	OKAY(sys_vmar_allocate(region, SYS_VM_CAN_MAP_READ, 0, 8 * PAGE, &inner, &at));
	REFUSED(SYS_ERR_ACCESS_DENIED,
		sys_vmar_allocate(inner, SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE, 0, PAGE, &out, &at));
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmar_allocate(inner, SYS_VM_CAN_MAP_EXECUTE, 0, PAGE, &out, &at));
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmar_allocate(inner, SYS_VM_SPECIFIC, 0, PAGE, &out, &at));
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmar_allocate(inner, SYS_VM_OFFSET_IS_UPPER_LIMIT, PAGE, PAGE, &out, &at));
	EQ(out, 99);
	OKAY(sys_vmar_allocate(inner, SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_SPECIFIC, 0, PAGE, &out, &at));
	region_end();
}

/* ---- unmap ---- */

TEST("vmar_unmap:OK a part of a mapping, several mappings, holes (UNMAP-02, UNMAP-04, UNMAP-05, UNMAP-09, "
     "UNMAP-11)")
{
	sys_cap_t vmo = numbered(20, 100);

	region_begin();
	map_at(0, vmo, RW, 0, 20);
	map_at(30, vmo, SYS_VM_PERM_READ, 5, 10);
	for (uint64_t i = 0; i < 20; i++)
		EQ(*page_at(i), 100 + i);
	OKAY(sys_vmar_unmap(region, base + 5 * PAGE, 3 * PAGE - 7));
	OKAY(sys_vmar_unmap(region, base, PAGE));
	OKAY(sys_vmar_unmap(region, base + 18 * PAGE, 14 * PAGE));
	for (uint64_t i = 0; i < 45; i++) {
		bool in_first = i >= 1 && i < 18 && (i < 5 || i >= 8), in_second = i >= 32 && i < 40;
		if (in_first)
			EQ(*page_at(i), 100 + i);
		else if (in_second)
			EQ(*page_at(i), 105 + i - 30);
		else
			FAULTS(READ, SYS_ERR_NOT_FOUND, page_at(i));
	}
	FAULTS(WRITE, SYS_ERR_ACCESS_DENIED, page_at(33));
	OKAY(sys_vmar_unmap(region, base + 50 * PAGE, PAGE));
	map_at(5, vmo, RW, 0, 3);
	EQ(*page_at(5), 100);
	region_end();
}

TEST("vmar_map:BAD_STATE vmar_allocate:BAD_STATE vmar_unmap:BAD_STATE vmar_protect:BAD_STATE vmar_info:BAD_STATE "
     "vmar_maps:BAD_STATE vmar_unmap:OK takes a region that is wholly inside (UNMAP-06)")
{
	sys_cap_t vmo = numbered(2, 5), inner, innermost, out;
	sys_vaddr_t at, dead_at[2];
	sys_vmar_info_t info;
	sys_maps_t maps;
	size_t actual, available;

	region_begin();
	OKAY(sys_vmar_allocate(region, CAN_ALL | SYS_VM_SPECIFIC, 4 * PAGE, 8 * PAGE, &inner, &dead_at[0]));
	OKAY(sys_vmar_allocate(inner, CAN_ALL, 0, 4 * PAGE, &innermost, &dead_at[1]));
	OKAY(sys_vmar_map(innermost, RW, 0, vmo, 0, PAGE, &at));
	OKAY(sys_vmar_unmap(region, base + 3 * PAGE, 10 * PAGE));
	FAULTS(READ, SYS_ERR_NOT_FOUND, (void *)at);
	EQ(vmo_info(vmo).mappings, 0);
	sys_cap_t dead[] = {inner, innermost};
	for (int i = 0; i < 2; i++) {
		REFUSED(SYS_ERR_BAD_STATE, sys_vmar_map(dead[i], RW, 0, vmo, 0, PAGE, &at));
		REFUSED(SYS_ERR_BAD_STATE, sys_vmar_allocate(dead[i], 0, 0, PAGE, &out, &at));
		REFUSED(SYS_ERR_BAD_STATE, sys_vmar_unmap(dead[i], dead_at[i], PAGE));
		REFUSED(SYS_ERR_BAD_STATE, sys_vmar_protect(dead[i], SYS_VM_PERM_READ, dead_at[i], PAGE));
		REFUSED(SYS_ERR_BAD_STATE, sys_vmar_info(dead[i], &info));
		REFUSED(SYS_ERR_BAD_STATE, sys_vmar_maps(dead[i], &maps, 1, &actual, &available));
	}
	region_end();
}

TEST("vmar_unmap:BAD_STATE oneself")
{
	sys_vaddr_t at;
	sys_cap_t inner;

	region_begin();
	OKAY(sys_vmar_allocate(region, CAN_ALL, 0, PAGE, &inner, &at));
	region_end();   /* takes `region` and `inner` from under their capabilities */
	REFUSED(SYS_ERR_BAD_STATE, sys_vmar_unmap(inner, at, PAGE));
	REFUSED(SYS_ERR_BAD_STATE, sys_vmar_unmap(region, base, PAGE));
}

TEST("vmar_unmap:INVALID_ARGS addresses, lengths, outside, part of a region, a region without MANAGE "
     "(UNMAP-01, UNMAP-03, UNMAP-07, UNMAP-08)")
{
	sys_cap_t vmo = numbered(4, 5), inner;
	sys_vaddr_t at;

	region_begin();
	map_at(0, vmo, RW, 0, 4);
	OKAY(sys_vmar_allocate(region, CAN_ALL | SYS_VM_SPECIFIC, 4 * PAGE, 4 * PAGE, &inner, &at));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmar_unmap(region, base + 1, PAGE));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmar_unmap(region, base, 0));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmar_unmap(region, base, UINT64_MAX));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmar_unmap(region, base - PAGE, PAGE));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmar_unmap(region, base, (REGION_PAGES + 1) * PAGE));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmar_unmap(region, base, 6 * PAGE));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmar_unmap(less(region, SYS_RIGHT_MANAGE), base, 8 * PAGE));
	for (uint64_t i = 0; i < 4; i++)
		EQ(*page_at(i), 5 + i);
	OKAY(sys_vmar_unmap(less(region, SYS_RIGHT_MANAGE), base, 4 * PAGE));
	region_end();
}

/* ---- protect ---- */

TEST("vmar_protect:OK parts of one mapping and several mappings (PROT-01, PROT-04, PROT-10, PROT-14, PROT-15)")
{
	sys_cap_t vmo = numbered(20, 100);

	region_begin();
	map_at(0, vmo, RW, 0, 10);
	map_at(10, vmo, RW, 10, 10);
	for (uint64_t i = 0; i < 15; i++)
		*page_at(i) = 200 + i;
	OKAY(sys_vmar_protect(region, SYS_VM_PERM_READ, base + 3 * PAGE, 10 * PAGE - 5));
	OKAY(sys_vmar_protect(region, 0, base + 6 * PAGE, PAGE));
	for (uint64_t i = 0; i < 20; i++) {
		if (i == 6) {
			FAULTS(READ, SYS_ERR_ACCESS_DENIED, page_at(i));
			continue;
		}
		EQ(*page_at(i), (i < 15 ? 200 : 100) + i);
		if (i >= 3 && i < 13)
			FAULTS(WRITE, SYS_ERR_ACCESS_DENIED, page_at(i));
		else
			*page_at(i) = 300 + i;
	}
	OKAY(sys_vmar_protect(region, RW, base, 20 * PAGE));
	for (uint64_t i = 0; i < 20; i++)
		*page_at(i) = 400 + i;
	EQ(get(vmo, 6 * PAGE), 406);
	region_end();
}

TEST("vmar_protect:OK alternating pages read back, and unmap keeps each side's (PROT-11, PROT-17)")
{
	sys_cap_t vmo = numbered(32, 1);

	region_begin();
	map_at(0, vmo, RW, 0, 32);
	for (uint64_t i = 0; i < 32; i += 2)
		OKAY(sys_vmar_protect(region, SYS_VM_PERM_READ, base + i * PAGE, PAGE));
	OKAY(sys_vmar_unmap(region, base + 15 * PAGE, 2 * PAGE));
	for (uint64_t i = 0; i < 32; i++) {
		if (i == 15 || i == 16)
			FAULTS(READ, SYS_ERR_NOT_FOUND, page_at(i));
		else if (i % 2 == 0)
			FAULTS(WRITE, SYS_ERR_ACCESS_DENIED, page_at(i));
		else
			*page_at(i) = i;
	}
	region_end();
}

TEST("vmar_protect:OK write access given to a shared page does not reach the other side (PROT-12)")
{
	sys_cap_t vmo = numbered(4, 1), child = new_snapshot(vmo, 0, 4 * PAGE);

	region_begin();
	map_at(0, child, SYS_VM_PERM_READ, 0, 4);
	EQ(*page_at(2), 3);
	OKAY(sys_vmar_protect(region, RW, base, 4 * PAGE));
	*page_at(2) = 33;
	EQ(get(vmo, 2 * PAGE), 3);
	EQ(get(child, 2 * PAGE), 33);
	region_end();
}

TEST("vmar_protect:INVALID_ARGS addresses, lengths, options (PROT-01, PROT-02, PROT-03, PROT-09)")
{
	sys_cap_t vmo = numbered(4, 5), inner;
	sys_vaddr_t at;

	region_begin();
	map_at(0, vmo, RW, 0, 4);
	OKAY(sys_vmar_allocate(region, CAN_ALL | SYS_VM_SPECIFIC, 4 * PAGE, 4 * PAGE, &inner, &at));
	OKAY(sys_vmar_map(inner, RW | SYS_VM_SPECIFIC, 0, vmo, 0, 4 * PAGE, &at));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmar_protect(region, SYS_VM_PERM_READ, base + 1, PAGE));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmar_protect(region, SYS_VM_PERM_READ, base, 0));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmar_protect(region, SYS_VM_PERM_READ, base, UINT64_MAX));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmar_protect(region, SYS_VM_PERM_WRITE, base, PAGE));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmar_protect(region, SYS_VM_PERM_READ | SYS_VM_CAN_MAP_READ, base, PAGE));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmar_protect(region, SYS_VM_PERM_READ | SYS_VM_SPECIFIC, base, PAGE));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmar_protect(region, SYS_VM_PERM_READ, base - PAGE, PAGE));
	REFUSED(SYS_ERR_INVALID_ARGS,
		sys_vmar_protect(less(region, SYS_RIGHT_MANAGE), SYS_VM_PERM_READ, base, 8 * PAGE));
	NO_FAULT(WRITE, page_at(0));
	NO_FAULT(WRITE, page_at(4));
	region_end();
}

TEST("vmar_protect:NOT_FOUND a hole in the range (PROT-05)")
{
	sys_cap_t vmo = numbered(4, 5);

	region_begin();
	map_at(0, vmo, RW, 0, 2);
	map_at(3, vmo, RW, 2, 2);
	REFUSED(SYS_ERR_NOT_FOUND, sys_vmar_protect(region, SYS_VM_PERM_READ, base + 2 * PAGE, PAGE));
	REFUSED(SYS_ERR_NOT_FOUND, sys_vmar_protect(region, SYS_VM_PERM_READ, base, 5 * PAGE));
	REFUSED(SYS_ERR_NOT_FOUND, sys_vmar_protect(region, SYS_VM_PERM_READ, base + 40 * PAGE, PAGE));
	NO_FAULT(WRITE, page_at(0));
	NO_FAULT(WRITE, page_at(4));
	region_end();
}

TEST("vmar_protect:ACCESS_DENIED beyond what the mapping was made with; children only lose (PROT-06, PROT-07, "
     "PROT-08)")
{
	sys_cap_t vmo = numbered(4, 5), weak = less(vmo, SYS_RIGHT_WRITE), inner;
	sys_vaddr_t at;

	region_begin();
	map_at(0, weak, SYS_VM_PERM_READ, 0, 4);
	OKAY(sys_cap_delete(weak));
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmar_protect(region, RW, base, 4 * PAGE));
	OKAY(sys_vmar_allocate(region, CAN_ALL | SYS_VM_SPECIFIC, 8 * PAGE, 4 * PAGE, &inner, &at));
	OKAY(sys_vmar_map(inner, RW | SYS_VM_SPECIFIC, 0, vmo, 0, 4 * PAGE, &at));
	OKAY(sys_vmar_protect(region, SYS_VM_PERM_READ, at, 2 * PAGE));
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmar_protect(region, RW, at, 2 * PAGE));
	FAULTS(WRITE, SYS_ERR_ACCESS_DENIED, page_at(8));
	OKAY(sys_vmar_protect(inner, RW, at, 2 * PAGE));
	*page_at(8) = 1;
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmar_protect(region, SYS_VM_PERM_READ | SYS_VM_PERM_EXECUTE, base, PAGE));
	region_end();
}

/* ---- info, maps ---- */

TEST("vmar_info:OK the root covers user space (VMAR-ALLOC-20, VMAR-ALLOC-21)")
{
	sys_vmar_info_t info;
	sys_cap_t root = new_vspace(), vmo = new_vmo(PAGE);
	sys_vaddr_t at;

	OKAY(sys_vmar_info(SYS_CAP_VMAR, &info));
	EQ(info.base, PAGE);
	EQ(info.base + info.size, 0x7fffffffe000);
	EQ(info.options, CAN_ALL);
	OKAY(sys_vmar_info(root, &info));
	EQ(info.base, PAGE);
	OKAY(sys_vmar_map(root, RW | SYS_VM_SPECIFIC, 0x200000 - info.base, vmo, 0, PAGE, &at));
	EQ(at, 0x200000);
	OKAY(sys_vmar_map(root, RW | SYS_VM_SPECIFIC, 0, vmo, 0, PAGE, &at));
	EQ(at, PAGE);
	OKAY(sys_vmar_map(root, RW | SYS_VM_SPECIFIC, info.size - PAGE, vmo, 0, PAGE, &at));
	EQ(at, 0x7fffffffd000);
}

TEST("vmar_maps:OK everything, in order, with its depth; a short buffer gives the first")
{
	static sys_maps_t maps[16];
	sys_cap_t vmo = numbered(8, 1), inner;
	sys_vaddr_t at;
	size_t actual = 99, available = 99;

	region_begin();
	map_at(0, vmo, RW, 2, 4);
	OKAY(sys_vmar_allocate(region, CAN_ALL | SYS_VM_SPECIFIC, 8 * PAGE, 8 * PAGE, &inner, &at));
	OKAY(sys_vmar_map(inner, SYS_VM_PERM_READ | SYS_VM_SPECIFIC, PAGE, vmo, 0, PAGE, &at));
	map_at(20, vmo, SYS_VM_PERM_READ, 0, 8);
	*page_at(0) = 1;
	OKAY(sys_vmar_maps(region, maps, 16, &actual, &available));
	EQ(actual, available);
	size_t mappings = 0, regions = 0;
	sys_vaddr_t last = 0;
	for (size_t i = 0; i < actual; i++) {
		CHECK(maps[i].base >= last);
		last = maps[i].base;
		mappings += maps[i].kind == 1;
		regions += maps[i].kind == 0;
		if (maps[i].kind == 1) {
			EQ(maps[i].vmo_koid, cap_info(vmo).koid);
			CHECK(maps[i].size % PAGE == 0 && maps[i].size > 0);
		}
		if (maps[i].kind == 1 && maps[i].base == base) {
			EQ(maps[i].size, 4 * PAGE);
			EQ(maps[i].vmo_offset, 2 * PAGE);
			EQ(maps[i].options & 7, RW);
		}
		if (maps[i].kind == 1 && maps[i].base == base + 9 * PAGE)
			EQ(maps[i].options & 7, SYS_VM_PERM_READ);
	}
	EQ(mappings, 3);
	CHECK(regions >= 1);
	size_t all = available;
	OKAY(sys_vmar_maps(region, maps, 2, &actual, &available));
	EQ(actual, 2);
	EQ(available, all);
	OKAY(sys_vmar_maps(region, NULL, 0, &actual, &available));
	EQ(actual, 0);
	EQ(available, all);
	OKAY(sys_vmar_maps(region, maps, 16, NULL, NULL));
	region_end();
}

TEST("vmar_maps:BAD_ADDRESS a buffer that is not there")
{
	size_t actual = 99, available = 99;

	region_begin();
	map_at(0, numbered(1, 1), RW, 0, 1);
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_vmar_maps(region, NOWHERE, 4, &actual, &available));
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_vmar_maps(region, (sys_maps_t *)KERNEL_HALF, 4, &actual, &available));
	EQ(actual, 99);
	region_end();
}

/* ---- costs, and an account that is full ---- */

TEST("mappings, regions and tables are paid by the address space and given back")
{
	sys_cap_t own = new_untyped(1024 * PAGE), root, vmo = new_vmo(PAGE);
	sys_vaddr_t at;

	OKAY(sys_vspace_create(own, SYS_CAP_NULL, 0, &root));
	uint64_t empty = used(own), outside = used(ut);
	for (uint64_t i = 0; i < 300; i++)
		OKAY(sys_vmar_map(root, RW | SYS_VM_SPECIFIC, (i + 1) * 0x200000000, vmo, 0, PAGE, &at));
	CHECK(used(own) > empty);
	EQ(used(ut), outside);
	OKAY(sys_vmar_unmap(root, 0x100000000, 0x200000000ull * 301));
	EQ(used(own), empty);
	OKAY(sys_cap_delete(root));
	EQ(used(own), 0);
}

TEST("vmar_map:NO_MEMORY vmar_allocate:NO_MEMORY vmar_protect:NO_MEMORY vmar_unmap:NO_MEMORY "
     "the address space's account is full")
{
	enum { PAGES = 4096 };
	sys_cap_t own = new_untyped(48 * PAGE), root, vmo = new_vmo(PAGES * PAGE), out, full = new_cnode(4096), name;
	sys_vaddr_t at, big;
	sys_status_t status = SYS_OK;
	uint64_t made = 0;

	OKAY(sys_vspace_create(own, SYS_CAP_NULL, 0, &root));
	OKAY(sys_vmar_map(root, RW | SYS_VM_SPECIFIC, 0x10000000, vmo, 0, PAGES * PAGE, &big));
	for (; made < 100000 && status == SYS_OK; made++)
		status = sys_vmar_map(root, RW, 0, vmo, 0, PAGE, &at);
	STATUS(SYS_ERR_NO_MEMORY, status);
	REFUSED(SYS_ERR_NO_MEMORY, sys_vmar_map(root, RW, 0, vmo, 0, PAGE, &at));
	for (status = SYS_OK; status == SYS_OK;) {
		status = sys_vmar_allocate(root, 0, 0, PAGE, &out, &at);
		if (status == SYS_OK)
			OKAY(sys_cap_move(out, full, SYS_SLOT_ANY, &name));
	}
	STATUS(SYS_ERR_NO_MEMORY, status);
	uint64_t page = 1;
	for (status = SYS_OK; page < PAGES && status == SYS_OK; page += 2)
		status = sys_vmar_protect(root, SYS_VM_PERM_READ, big + page * PAGE, PAGE);
	STATUS(SYS_ERR_NO_MEMORY, status);
	for (status = SYS_OK, page = 2; page < PAGES && status == SYS_OK; page += 2)
		status = sys_vmar_unmap(root, big + page * PAGE, PAGE);
	STATUS(SYS_ERR_NO_MEMORY, status);
	OKAY(sys_vmar_unmap(root, big, PAGES * PAGE));
	OKAY(sys_vmar_map(root, RW, 0, vmo, 0, PAGE, &at));
	OKAY(sys_cap_delete(root));
	OKAY(sys_cap_delete(full));
	EQ(used(own), 0);
}

TEST("vspace_create:OK vspace_create:INVALID_ARGS options")
{
	sys_cap_t root = 99, wx;

	REFUSED(SYS_ERR_INVALID_ARGS, sys_vspace_create(ut, SYS_CAP_NULL, 1, &root));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vspace_create(ut, SYS_CAP_NULL, 1u << 31, &root));
	EQ(root, 99);
	OKAY(sys_vspace_create(ut, SYS_CAP_NULL, 0, &root));
	EQ(cap_info(root).rights, SYS_RIGHTS_VMAR);
	OKAY(sys_vspace_create(ut, SYS_CAP_RESOURCE, 0, &wx));
	EQ(cap_info(wx).rights, SYS_RIGHTS_VMAR | SYS_RIGHT_WX);
}

TEST("adjacent mappings of a VMO and its snapshot, and gaps in offsets, show their own (MERGE-05)")
{
	sys_cap_t vmo = numbered(8, 100), child = new_snapshot(vmo, 0, 8 * PAGE);

	put(child, PAGE, 501);
	region_begin();
	map_at(0, vmo, RW, 0, 1);
	map_at(1, child, RW, 1, 1);
	map_at(2, vmo, RW, 2, 2);
	map_at(4, vmo, RW, 6, 2);
	map_at(6, vmo, RW, 4, 2);
	static const uint64_t want[] = {100, 501, 102, 103, 106, 107, 104, 105};
	for (uint64_t i = 0; i < 8; i++)
		EQ(*page_at(i), want[i]);
	OKAY(sys_vmar_unmap(region, base + 3 * PAGE, 2 * PAGE));
	EQ(*page_at(2), 102);
	EQ(*page_at(5), 107);
	region_end();
}

TEST("a large mapping with a hole cut across table boundaries (UNMAP-10)")
{
	sys_cap_t vmo = new_vmo(1ull << 32);
	sys_vaddr_t at;

	OKAY(sys_vmar_map(SYS_CAP_VMAR, RW, 0, vmo, 0, 1ull << 32, &at));
	static const uint64_t touched[] = {
		0, 0x1ff000, 0x200000, 0x3fe000, 0x3fffe000, 0x40000000, 0x40001000, 0xfffff000};
	for (size_t i = 0; i < 8; i++)
		*(volatile uint64_t *)(at + touched[i]) = i + 1;
	OKAY(sys_vmar_unmap(SYS_CAP_VMAR, at + 0x200000, 0x40000000 - 0x1ff000));
	for (size_t i = 0; i < 8; i++)
		if (touched[i] < 0x200000 || touched[i] >= 0x40001000)
			EQ(*(volatile uint64_t *)(at + touched[i]), i + 1);
		else
			FAULTS(READ, SYS_ERR_NOT_FOUND, (void *)(at + touched[i]));
	unmap((void *)at, 1ull << 32);
}
