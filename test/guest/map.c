/* SPDX-License-Identifier: BSD-2-Clause */
/* map.c: vmar_map: where, with which permissions, of what, and its refusals. Numbers in names are those of
 * docs/deviations.md. */
#include "common/region.h"

TEST("vmar_map:OK anywhere, at a place, below a limit, aligned; commits nothing (MAP-34, MAP-36, MAP-39, "
     "MAP-61)")
{
	sys_cap_t vmo = new_vmo(8 * PAGE);
	sys_vaddr_t at;

	region_begin();
	OKAY(sys_vmar_map(region, RW, 0, vmo, PAGE, 3 * PAGE, &at));
	CHECK(at >= base && at + 3 * PAGE <= base + REGION_PAGES * PAGE);
	EQ(vmo_info(vmo).committed, 0);
	EQ(*(volatile uint64_t *)at, 0);
	EQ(vmo_info(vmo).committed, 0);
	*(volatile uint64_t *)at = 8;
	EQ(get(vmo, PAGE), 8);
	EQ(vmo_info(vmo).committed, PAGE);
	EQ(vmo_info(vmo).mappings, 1);
	OKAY(sys_vmar_map(region, RW | SYS_VM_OFFSET_IS_UPPER_LIMIT, REGION_PAGES * PAGE / 2, vmo, 0, PAGE, &at));
	CHECK(at + PAGE <= base + REGION_PAGES * PAGE / 2);
	OKAY(sys_vmar_map(SYS_CAP_VMAR, RW | SYS_VM_ALIGN(21), 0, vmo, 0, PAGE, &at));
	EQ(at & 0x1fffff, 0);
	unmap((void *)at, PAGE);
	region_end();
	region_begin();
	OKAY(sys_vmar_map(
		region, RW | SYS_VM_OFFSET_IS_UPPER_LIMIT, REGION_PAGES * PAGE, vmo, 0, REGION_PAGES * PAGE, &at));
	EQ(at, base);
	region_end();
}

TEST("vmar_map:OK a length is rounded up, and may reach past the VMO (MAP-02, MAP-50)")
{
	sys_cap_t vmo = numbered(2, 5);

	region_begin();
	sys_vaddr_t at;
	OKAY(sys_vmar_map(region, RW | SYS_VM_SPECIFIC, 0, vmo, PAGE, PAGE + 1, &at));
	EQ(*page_at(0), 6);
	FAULTS(READ, SYS_ERR_OUT_OF_RANGE, page_at(1));
	FAULTS(READ, SYS_ERR_NOT_FOUND, page_at(2));
	region_end();
}

TEST("vmar_map:OK permissions hold, each mapping its own (MAP-10, MAP-24, MAP-26)")
{
	sys_cap_t vmo = numbered(1, 5);

	region_begin();
	map_at(0, vmo, RW, 0, 1);
	map_at(1, vmo, SYS_VM_PERM_READ, 0, 1);
	map_at(2, vmo, 0, 0, 1);
	*page_at(0) = 6;
	EQ(*page_at(1), 6);
	FAULTS(WRITE, SYS_ERR_ACCESS_DENIED, page_at(1));
	FAULTS(READ, SYS_ERR_ACCESS_DENIED, page_at(2));
	FAULTS(WRITE, SYS_ERR_ACCESS_DENIED, page_at(2));
	FAULTS(EXECUTE, SYS_ERR_ACCESS_DENIED, page_at(0));
	region_end();
}

TEST("vmar_map:OK SPECIFIC_OVERWRITE replaces, and leaves what is outside (MAP-31)")
{
	sys_cap_t vmo = numbered(10, 100), other = numbered(4, 200);

	region_begin();
	map_at(0, vmo, RW, 0, 10);
	for (uint64_t i = 0; i < 10; i++)
		EQ(*page_at(i), 100 + i);
	sys_vaddr_t at;
	OKAY(sys_vmar_map(region, RW | SYS_VM_SPECIFIC_OVERWRITE, 3 * PAGE, other, 0, 4 * PAGE, &at));
	EQ(at, base + 3 * PAGE);
	for (uint64_t i = 0; i < 10; i++)
		EQ(*page_at(i), i < 3 || i >= 7 ? 100 + i : 200 + i - 3);
	OKAY(sys_vmar_map(region, RW | SYS_VM_SPECIFIC_OVERWRITE, 20 * PAGE, other, 0, PAGE, &at));
	EQ(*page_at(20), 200);
	region_end();
}

TEST("vmar_map:OK MAP_RANGE and ALLOW_FAULTS (MAP-70, MAP-72)")
{
	sys_cap_t vmo = new_resizable(8 * PAGE);

	put(vmo, 2 * PAGE, 2);
	region_begin();
	map_at(0, vmo, RW | SYS_VM_MAP_RANGE, 0, 8);
	EQ(vmo_info(vmo).committed, PAGE);
	EQ(*page_at(2), 2);
	EQ(*page_at(3), 0);
	map_at(10, vmo, RW | SYS_VM_ALLOW_FAULTS, 0, 8);
	*page_at(11) = 4;
	EQ(*page_at(1), 4);
	region_end();
}

TEST("vmar_map:INVALID_ARGS lengths, offsets, options (MAP-01, MAP-03, MAP-06, MAP-07, MAP-08, MAP-11, "
     "MAP-12, MAP-33, MAP-35, MAP-52)")
{
	static const struct {
		uint32_t options;
		uint64_t at, vmo_offset, len;
	} bad[] = {
		{RW, 0, 0, 0},
		{RW | SYS_VM_SPECIFIC, 7, 0, 4096},
		{RW, 0, 7, 4096},
		{RW | SYS_VM_MAP_RANGE, 0, 100, 4096},
		{RW | SYS_VM_CAN_MAP_READ, 0, 0, 4096},
		{RW | 1u << 23, 0, 0, 4096},
		{RW | SYS_VM_MAP_RANGE | SYS_VM_SPECIFIC_OVERWRITE, 0, 0, 4096},
		{SYS_VM_PERM_WRITE, 0, 0, 4096},
		{RW | SYS_VM_SPECIFIC, ~4095ull, 0, 4096},
		{RW, 4096, 0, 4096},
		{RW | SYS_VM_SPECIFIC, (REGION_PAGES - 1) * 4096ull, 0, 8192},
		{RW | SYS_VM_SPECIFIC, REGION_PAGES * 4096ull, 0, 4096},
		{RW | SYS_VM_OFFSET_IS_UPPER_LIMIT, (REGION_PAGES + 1) * 4096ull, 0, 4096},
		{RW | SYS_VM_OFFSET_IS_UPPER_LIMIT, 4096, 0, 8192},
		{RW | SYS_VM_OFFSET_IS_UPPER_LIMIT | SYS_VM_SPECIFIC, 4096, 0, 4096},
		{RW, 0, 0, (REGION_PAGES + 1) * 4096ull},
		{RW | SYS_VM_FAULT_BEYOND_STREAM_SIZE, 0, 0, 4096},
		{RW | SYS_VM_ALIGN(9), 0, 0, 4096},
		{RW | SYS_VM_ALIGN(33), 0, 0, 4096},
	};
	sys_cap_t vmo = new_vmo(8 * PAGE);
	sys_vaddr_t at = 99;

	region_begin();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		REFUSED(SYS_ERR_INVALID_ARGS,
			sys_vmar_map(region, bad[i].options, bad[i].at, vmo, bad[i].vmo_offset, bad[i].len, &at));
	EQ(at, 99);
	EQ(vmo_info(vmo).mappings, 0);
	region_end();
}

TEST("vmar_map:OUT_OF_RANGE lengths and offsets that overflow (MAP-04, MAP-05)")
{
	sys_cap_t vmo = new_vmo(8 * PAGE);
	sys_vaddr_t at = 99;

	region_begin();
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmar_map(region, RW, 0, vmo, 0, UINT64_MAX, &at));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmar_map(region, RW, 0, vmo, UINT64_MAX - PAGE + 1, PAGE, &at));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmar_map(region, RW, 0, vmo, UINT64_MAX - PAGE + 1, 2 * PAGE, &at));
	EQ(at, 99);
	OKAY(sys_vmar_map(region, RW, 0, vmo, UINT64_MAX - 2 * PAGE + 1, PAGE, &at));
	region_end();
}

TEST("vmar_map:ALREADY_EXISTS over what is there, which stays (MAP-30, MAP-42)")
{
	sys_cap_t vmo = numbered(4, 5), inner;
	sys_vaddr_t at = 99;

	region_begin();
	map_at(4, vmo, RW, 0, 4);
	OKAY(sys_vmar_allocate(region, SYS_VM_SPECIFIC, 20 * PAGE, 4 * PAGE, &inner, &at));
	at = 99;
	static const struct {
		uint64_t page, pages;
	} over[] = {{4, 4}, {5, 1}, {0, 5}, {7, 2}, {0, 30}, {3, 10}, {20, 1}, {23, 3}};
	for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++)
		REFUSED(SYS_ERR_ALREADY_EXISTS, sys_vmar_map(region, RW | SYS_VM_SPECIFIC, over[i].page * PAGE, vmo, 0,
							over[i].pages * PAGE, &at));
	EQ(at, 99);
	EQ(vmo_info(vmo).mappings, 1);
	EQ(*page_at(7), 8);
	region_end();
}

TEST("vmar_map:INVALID_ARGS SPECIFIC_OVERWRITE of a region (MAP-32)")
{
	sys_cap_t vmo = numbered(4, 5), other = numbered(8, 9), inner;
	sys_vaddr_t at;

	region_begin();
	map_at(0, vmo, RW, 0, 4);
	OKAY(sys_vmar_allocate(region, SYS_VM_SPECIFIC, 4 * PAGE, PAGE, &inner, &at));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmar_map(region, RW | SYS_VM_SPECIFIC_OVERWRITE, 0, other, 0, 8 * PAGE, &at));
	REFUSED(SYS_ERR_INVALID_ARGS,
		sys_vmar_map(region, RW | SYS_VM_SPECIFIC_OVERWRITE, 4 * PAGE, other, 0, PAGE, &at));
	EQ(*page_at(3), 8);
	EQ(vmo_info(other).mappings, 0);
	region_end();
}

TEST("vmar_map:NO_RESOURCES no hole (MAP-37, MAP-40)")
{
	sys_cap_t vmo = new_vmo(REGION_PAGES * PAGE);
	sys_vaddr_t at;

	region_begin();
	map_at(16, vmo, RW, 0, 16);
	map_at(48, vmo, RW, 0, 8);
	REFUSED(SYS_ERR_NO_RESOURCES, sys_vmar_map(region, RW, 0, vmo, 0, 17 * PAGE, &at));
	OKAY(sys_vmar_map(region, RW | SYS_VM_OFFSET_IS_UPPER_LIMIT, 20 * PAGE, vmo, 0, 16 * PAGE, &at));
	EQ(at, base);
	REFUSED(SYS_ERR_NO_RESOURCES,
		sys_vmar_map(region, RW | SYS_VM_OFFSET_IS_UPPER_LIMIT, 20 * PAGE, vmo, 0, PAGE, &at));
	OKAY(sys_vmar_map(region, RW, 0, vmo, 0, 16 * PAGE, &at));
	EQ(at, base + 32 * PAGE);
	region_end();
}

TEST("vmar_map:NOT_SUPPORTED REQUIRE_NON_RESIZABLE of a resizable VMO (MAP-53)")
{
	sys_cap_t vmo = new_vmo(PAGE), resizable = new_resizable(PAGE);
	sys_vaddr_t at = 99;

	region_begin();
	REFUSED(SYS_ERR_NOT_SUPPORTED,
		sys_vmar_map(region, RW | SYS_VM_REQUIRE_NON_RESIZABLE, 0, resizable, 0, PAGE, &at));
	EQ(at, 99);
	OKAY(sys_vmar_map(region, RW | SYS_VM_REQUIRE_NON_RESIZABLE, 0, vmo, 0, PAGE, &at));
	region_end();
}

TEST("vmar_map:ACCESS_DENIED beyond the region's caps; SPECIFIC where it may not (MAP-20, MAP-21, MAP-22, "
     "MAP-23)")
{
	sys_cap_t vmo = new_vmo(PAGE), inner;
	sys_vaddr_t at;

	region_begin();
	OKAY(sys_vmar_allocate(region, SYS_VM_CAN_MAP_READ, 0, 8 * PAGE, &inner, &at));
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmar_map(inner, RW, 0, vmo, 0, PAGE, &at));
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmar_map(inner, SYS_VM_PERM_READ | SYS_VM_SPECIFIC, 0, vmo, 0, PAGE, &at));
	REFUSED(SYS_ERR_ACCESS_DENIED,
		sys_vmar_map(region, SYS_VM_PERM_READ | SYS_VM_PERM_EXECUTE, 0, vmo, 0, PAGE, &at));
	REFUSED(SYS_ERR_ACCESS_DENIED,
		sys_vmar_map(region, SYS_VM_PERM_WRITE, 0, less(vmo, SYS_RIGHT_MAP), 0, PAGE, &at));
	OKAY(sys_vmar_map(inner, SYS_VM_PERM_READ, 0, vmo, 0, PAGE, &at));
	region_end();
}

