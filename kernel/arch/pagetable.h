/* SPDX-License-Identifier: BSD-2-Clause */
/* pagetable.h: the arch-independent interface to hardware page tables. They are a cache of the mappings: anything may be dropped from
 * them and faulted in again. Pure memory manipulation but for TLB flushes; the same x86-64 code serves the host build.
 *
 * Memory: this layer allocates nothing. The caller asks pt_missing(), and hands that many zeroed frames to pt_map(); tables that become
 * empty are handed back. A table's number of used entries stands in the ignored bits 52..61 of the entry that names it.
 * Queries give the AND of the rights at all levels. Lock: the kernel lock.
 */
#pragma once
#include "lib/types.h"

enum { PT_READ = 1, PT_WRITE = 2, PT_EXEC = 4, PT_ACCESSED = 8, PT_DIRTY = 16, PT_COMBINING = 32, PT_UNCACHED = 96 };      /* the last two: one or none */
#define PT_LEVELS    4u
#define PT_SPAN      (1ull << 21)       /* what one leaf table covers */
#define PT_USER_TOP  0x00007ffffffff000ull

struct pt_entry { paddr_t frame; u32 flags; };          /* flags 0: nothing there */

/* A fresh root: copies the kernel's half into the (zeroed) frame. */
void pt_root_init(paddr_t root);
/* How many tables (0 .. 3) are missing on the way to va's entry. */
unsigned pt_missing(paddr_t root, vaddr_t va);
/* Names va's entry; replaces what is there. `tables`: as many zeroed frames as pt_missing() said, used top down. Flushes va where something was
 * replaced. Returns the entry that was there before. */
struct pt_entry pt_map(paddr_t root, vaddr_t va, paddr_t frame, u32 flags, const paddr_t *tables);
/* The same where no table is missing, in one walk; *old: what was there. False, and nothing done: one is. */
bool pt_map_present(paddr_t root, vaddr_t va, paddr_t frame, u32 flags, struct pt_entry *old);
/* How many entries from va's on, `max` at most, are not there yet, as far as va's leaf table goes; 0: that is missing. */
unsigned pt_absent(paddr_t root, vaddr_t va, unsigned max);
/* Makes n entries, which pt_absent() has counted, from va's on. */
void pt_map_absent(paddr_t root, vaddr_t va, const struct pt_entry *entry, unsigned n);
struct pt_entry pt_query(paddr_t root, vaddr_t va);
/* Does va's entry name this frame, and was it accessed since this was last asked? Flushes here only: another CPU that still has the entry does not mark it again. */
bool pt_harvest(paddr_t root, vaddr_t va, paddr_t frame);
/* For user copies: the kernel's address of the byte at va if all of `need` (PT_READ, PT_WRITE) is allowed at every level, else NULL. Marks accessed (dirty). */
void *pt_reach(paddr_t root, vaddr_t va, u32 need);

/* Called for each entry that is removed or changed. */
typedef void pt_visit(void *context, vaddr_t va, struct pt_entry old);
struct pt_freed { paddr_t table[3]; u8 level[3]; unsigned count; };   /* level 1: a leaf table */

/* Removes the entries of [va, end), which lies within one PT_SPAN; flushes; hands back up to three tables that became empty (leaf first).
 * Cost: a walk, and the entries of the range. */
void pt_unmap(paddr_t root, vaddr_t va, vaddr_t end, pt_visit *visit, void *context, struct pt_freed *freed);
/* Takes rights away: keeps only `keep` of PT_READ|PT_WRITE|PT_EXEC of each entry of [va, end) within one PT_SPAN; flushes. */
void pt_restrict(paddr_t root, vaddr_t va, vaddr_t end, u32 keep, pt_visit *visit, void *context);
/* The first address >= va below end whose leaf table exists (skips absent tables whole), or end. */
vaddr_t pt_next(paddr_t root, vaddr_t va, vaddr_t end);
