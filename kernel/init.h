/* SPDX-License-Identifier: BSD-2-Clause */
/* init.h: the first program. */
#pragma once
#include "arch/arch.h"

/* Makes init from the module of that name: account, CSpace, address space, thread, started. Every other module becomes a read-only VMO in its CSpace.
 * Panics with a clear text when there is no such module, or when it is not a program. */
void init_start(const struct boot_info *boot);
