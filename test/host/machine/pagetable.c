/* SPDX-License-Identifier: BSD-2-Clause */
/* pagetable.c: the host build's page tables are the x86-64 ones, in the fake machine's memory. */
#include "arch/x86_64/pagetable.c"
