/* SPDX-License-Identifier: BSD-2-Clause */
/* region.h: a region of this program's own address space to map in, so that what is mapped can be touched. A test that
 * uses it calls region_begin() first and region_end() last. */
#pragma once
#include "helper.h"

#define RW (SYS_VM_PERM_READ | SYS_VM_PERM_WRITE)
#define CAN_ALL (SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE | SYS_VM_CAN_MAP_EXECUTE | SYS_VM_CAN_MAP_SPECIFIC)
enum { REGION_PAGES = 64 };

extern sys_cap_t region;                /* may map anything, anywhere in it; empty at the start */
extern sys_vaddr_t base;                /* where it begins */

void region_begin(void);
void region_end(void);
volatile uint64_t *page_at(uint64_t page);                      /* the first word of a page of the region */
void map_at(uint64_t page, sys_cap_t vmo, uint32_t options, uint64_t vmo_page, uint64_t pages);
sys_cap_t numbered(uint64_t pages, uint64_t tag);               /* a VMO in which page i begins with tag + i */
