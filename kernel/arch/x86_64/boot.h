/* SPDX-License-Identifier: BSD-2-Clause */
/* boot.h: putting struct boot_info together. Everything that a loader hands over is input: sizes and addresses are
 * checked here. */
#pragma once
#include "arch/arch.h"

extern struct boot_info boot_info;

/* One by loader; each panics where there is nothing sensible to go on with. */
void multiboot2_parse(paddr_t info);
void pvh_parse(paddr_t info);

/* What the loader left in memory, while the first 4 GiB are mapped by boot.S; panics (naming `what`) where it lies
 * elsewhere. */
const void *boot_loader_memory(paddr_t at, u64 size, const char *what);
/* The same for what firmware left; NULL where it lies elsewhere. */
const void *boot_firmware_memory(paddr_t at, u64 size);
/* Copies a text of at most max bytes that need not end in a zero; cuts what does not fit. */
void boot_copy_text(char *to, size_t size, const char *from, size_t max);

/* RAM becomes known (whole pages of it, without the first); reserved parts go afterwards. */
void boot_add_ram(u64 base, u64 size);
void boot_reserve(u64 base, u64 size);
/* A module as loaded. `name`: at most max bytes; its first word, without the path, is taken. */
void boot_add_module(paddr_t base, u64 size, const char *name, size_t max);

/* The final page tables: image (W^X), physmap, APIC. */
void boot_map_memory(void);
/* Checks that modules, the kernel's image as the first, lie where they may. Before boot_map_memory(), which takes memory beside them, and makes the
 * first that part of the image which is over with boot. */
void boot_check_modules(void);
/* Replaces each bundle by the modules in it. After boot_map_memory(). */
void boot_unpack_bundles(void);

/* For other CPUs, after boot_map_memory(). A page of RAM below 1 MiB, 0: there is none; a page-table root for its code; and memory for a CPU's
 * stacks and block, in their place and zeroed. All of it is noted as taken. */
paddr_t boot_take_low(void);
paddr_t boot_low_root(void);
void boot_map_cpu(unsigned number);
/* smp.c: looks for other CPUs, while all that firmware left is mapped; makes room for them, after boot_map_memory(). */
void smp_find(void);
void smp_reserve(void);
