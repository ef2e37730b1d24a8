/* SPDX-License-Identifier: BSD-2-Clause */
/* familyworld.h: the two programs of families.c, which share an address space and capabilities. One does all that the
 * model chooses. The other has a higher priority and waits at an endpoint for what the kernel sends: requests of the
 * one pager, which it answers as it likes, piece by piece, with pages, zeros or an error, until the first can go on;
 * and messages of failed accesses. So one of them is always ready, and the first never sees the second at work. */
#pragma once
#include "model/familyrules.h"

#define BUFFER_PAGES 8u

extern struct cnode *cs;
extern sys_cap_t cs_cap, pager_cap, vmar_cap;

/* A machine, the accounts, both programs. */
void world_start(void);
/* A call of the first program, until it is over. `wants`: which pages may be asked for, of up to two contents (c NONE:
 * none). */
struct range { int c; u64 lo, hi; };
struct wants { struct range first, also; bool pieces; };        /* pieces: a request need not be as long as it can */
#define WANTS(c, lo, hi) (struct wants){ { c, lo, hi }, { NONE, 0, 0 }, false }
sys_status_t world_call_with(struct wants wants, u64 number, const u64 *arg, unsigned args);
#define world_call(wants, number, ...) world_call_with(wants, number, USER_ARGS(__VA_ARGS__))
#define NO_WANTS WANTS(NONE, 0, 0)
/* What the pager has failed that call or access with; SYS_OK: nothing. */
extern sys_status_t world_failed;
/* Of the next call or access the world_arm-th allocation fails, if it is not 0; world_fired: it did. */
extern u64 world_arm;
extern bool world_fired;
/* The pager ends, and another one comes. */
void world_new_pager(void);
/* Result registers of the last call. */
const struct regs *world_regs(void);

/* An access at this page of the arena: as hardware does it, with a fault where the page tables do not allow it. SYS_OK:
 * *at is where the page is; else what the fault's message said. */
sys_status_t world_access(struct wants wants, u32 page, bool write, u8 **at);
vaddr_t arena_at(u32 page);
/* The buffer that calls read and write. */
vaddr_t world_buffer(void);
void world_fill(u64 offset, const void *from, u64 size);
void world_take(u64 offset, void *to, u64 size);
/* Bytes unlike those of any other place and time. */
void world_pattern(u8 *to, u64 size);
