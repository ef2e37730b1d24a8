/* SPDX-License-Identifier: BSD-2-Clause */
/* image.h: this program's code and constants in other address spaces, at the same addresses, cheaply: they are copied
 * once, and every address space maps the same copy. Threads there run plain functions (helper.h) that use system calls,
 * constants, and memory that they are given by pointer; no variables of the program, no TLS. */
#pragma once
#include "helper.h"

/* Copies what is read-only in this program to VMOs of the test's account; checks that it succeeded. */
void image_begin(void);
/* Maps it into an address space that has nothing there; the first failure. */
sys_status_t image_map(sys_cap_t root_vmar);
/* A VMO mapped readable and writable at an address of the caller's choice. */
sys_status_t image_map_at(sys_cap_t root_vmar, uint32_t perms, sys_vaddr_t at, sys_cap_t vmo, uint64_t offset,
			  uint64_t size);
