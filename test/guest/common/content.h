/* SPDX-License-Identifier: BSD-2-Clause */
/* content.h: what the tests of VMOs' content share: children of every kind, ranges, and what can be seen. */
#pragma once
#include "guest.h"

sys_cap_t child_of(sys_cap_t vmo, uint32_t options, uint64_t offset, uint64_t size);
sys_cap_t slice_of(sys_cap_t vmo, uint64_t offset, uint64_t size);
sys_cap_t reference_of(sys_cap_t vmo);
sys_cap_t clone_of(sys_cap_t vmo, uint64_t offset, uint64_t size);      /* AT_LEAST_ON_WRITE */
sys_cap_t modified_of(sys_cap_t vmo, uint64_t offset, uint64_t size);

/* An operation on a range, without a buffer. */
sys_status_t range(sys_cap_t vmo, enum sys_vmo_op op, uint64_t offset, uint64_t size);
void commit(sys_cap_t vmo, uint64_t offset, uint64_t size);
void zero(sys_cap_t vmo, uint64_t offset, uint64_t size);

uint64_t size_of(sys_cap_t vmo);
uint64_t stream_of(sys_cap_t vmo);
uint64_t private_of(sys_cap_t vmo);
uint64_t committed_of(sys_cap_t vmo);
/* Bytes all of one value: written, and whether they are. */
void put_bytes(sys_cap_t vmo, uint64_t offset, uint64_t len, uint8_t value);
bool all_bytes(sys_cap_t vmo, uint64_t offset, uint64_t len, uint8_t value);
/* The first word of page i is first + i, for so many pages from `page` on. */
void check_pages(sys_cap_t vmo, uint64_t page, uint64_t pages, uint64_t first, int line);
#define PAGES_ARE(VMO, PAGE_AT, COUNT, FIRST) check_pages(VMO, PAGE_AT, COUNT, FIRST, __LINE__)
/* As numbered() in region.h, in a VMO made with these options. */
sys_cap_t numbered_with(uint64_t pages, uint64_t tag, uint32_t options);
void number(sys_cap_t vmo, uint64_t page, uint64_t pages, uint64_t tag);
/* A watch for the end of the last child, and whether it has been told since the last look. */
sys_cap_t watch_children(sys_cap_t vmo);
bool told(sys_cap_t ntfn);
