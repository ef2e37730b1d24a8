/* SPDX-License-Identifier: BSD-2-Clause */
/* region.c: see region.h. */
#include "region.h"

sys_cap_t region;
sys_vaddr_t base;

void region_begin(void)
{
	region = new_region(SYS_CAP_VMAR, REGION_PAGES * PAGE, &base);
}

void region_end(void)
{
	unmap((void *)base, REGION_PAGES * PAGE);
}

volatile uint64_t *page_at(uint64_t page)
{
	return (volatile uint64_t *)(base + page * PAGE);
}

void map_at(uint64_t page, sys_cap_t vmo, uint32_t options, uint64_t vmo_page, uint64_t pages)
{
	sys_vaddr_t at;
	OKAY(sys_vmar_map(region, options | SYS_VM_SPECIFIC, page * PAGE, vmo, vmo_page * PAGE, pages * PAGE, &at));
	EQ(at, base + page * PAGE);
}

sys_cap_t numbered(uint64_t pages, uint64_t tag)
{
	sys_cap_t vmo = new_vmo(pages * PAGE);
	for (uint64_t i = 0; i < pages; i++)
		put(vmo, i * PAGE, tag + i);
	return vmo;
}
