/* SPDX-License-Identifier: BSD-2-Clause */
/* grow.h: builds a tree of processes at random, one system call at a time: accounts in accounts, each with a CSpace, an
 * address space and threads in every state; objects of every type, in use; capabilities in foreign CSpaces, minted,
 * moved, in messages under way. All of it is paid by one account. The same seed builds the same.
 *
 * A call may fail (an account is full, a kind of call is for later): the builder goes on without. The tree's threads are
 * below the builder, so they run only when it lets them (and on other CPUs). */
#pragma once
#include "helper.h"

/* What the parent lends the tree, made from the test's account by grow_lend(). */
extern struct grow_lent { sys_cap_t ep, ntfn, vmo, pager_ep, pager, paged, cnode; } grow_lent;
void grow_lend(void);
/* None of it was harmed by the tree's end; `foreign` CSpaces are empty. */
void grow_check_lent(void);

struct grown {
	unsigned first_short;   /* the number of the first call that failed for lack of memory; 0: none */
	uint64_t bytes;         /* strict: what the account had used and promised at most */
};
/* Builds in `account` until `calls` were made. Strict (another number than GROW_FREELY): when a call fails, no account of
 * the tree may have changed, and our capabilities neither; these are compared for a few calls from that number on. */
#define GROW_FREELY UINT32_MAX
struct grown grow(sys_cap_t account, uint64_t seed, unsigned calls, unsigned strict_from);
/* Starts threads in the tree that go on making and sending as long as they live, as many as there is room for. */
void grow_activity(void);
/* Lets the tree's threads run for so long. */
void grow_run(sys_time_t ns);
