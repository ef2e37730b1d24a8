/* SPDX-License-Identifier: BSD-2-Clause */
/* families.c: a program makes memory objects of all kinds, children of them and children of those, in several accounts,
 * and does everything with them that the contract has: reads and writes through calls and through mappings, sizes,
 * operations on ranges, moving of pages, copies of capabilities, deletion and revoking in any order.
 *
 * After each call its status, what it gave back, and the bytes, sizes, counts and shares that can be seen are compared
 * with arrays of bytes (familyrules.h). At each walk everything is compared, and the frames in use and what each
 * account pays are counted. Now and then an allocation fails in the middle of a call: then nothing may have changed, or
 * as much as the call says. Accounts are often short, and then give up what can be had again (familyreclaim.c). */
#include "model/familyops.h"

/* An account becomes so small that it is short, or as large as it was. */
static void op_resize_account(void)
{
	int a = any_payer();
	struct m_account *of = &payer[a];
	u64 total = chance(60) ? of->a->used + choose(12) : of->most;

	if (total < of->a->used + of->a->promised || total > of->most)
		return;
	must(account_resize(account_root(), of->a, total) == SYS_OK);
	of->total = total;
}

/* What is not built yet is left out. */
static const struct { unsigned weight; void (*run)(void); bool built; } operations[] = {
	{ 60, op_create, true }, { 20, op_create_root, true }, { 10, op_create_contiguous, true },
	{ 30, op_copy, true }, { 90, op_child, true },
	{ 120, op_read, true }, { 150, op_write, true }, { 20, op_info, true },
	{ 10, op_get_size, true }, { 50, op_set_size, true }, { 10, op_get_stream, true }, { 40, op_set_stream, true },
	{ 50, op_commit, true }, { 50, op_decommit, true }, { 80, op_zero, true }, { 20, op_lock, true },
	{ 20, op_hint, true }, { 10, op_cache, true }, { 10, op_policy, true },
	{ 30, op_supply, true }, { 50, op_transfer, true },
	{ 50, op_map, true }, { 30, op_unmap, true }, { 30, op_protect, true }, { 200, op_access, true },
	{ 60, op_across, true },
	{ 90, op_delete, true }, { 10, op_revoke, true }, { 12, op_resize_account, true }, { 1, world_new_pager, true },
};

static void op_revoke_account(int a)
{
	must(world_call(NO_WANTS, NR_cap_revoke, capability[a].name) == SYS_OK);
	revoke_account(a);
	must(payer[a].a->used == payer[a].fixed);
}

static void any_operation(void)
{
	unsigned all = 0, i = 0;

	for (unsigned o = 0; o < ARRAY_LEN(operations); o++)
		all += operations[o].built ? operations[o].weight : 0;
	for (u64 dice = choose(all);; i++) {
		if (!operations[i].built)
			continue;
		if (dice < operations[i].weight)
			break;
		dice -= operations[i].weight;
	}
	operations[i].run();
}

static void step(void)
{
	host_preempt_every((unsigned)choose(4));
	prepare();
	if (choose(500) == 0) {
		world_arm = 0;
		op_revoke_account(any_payer());
	} else {
		any_operation();
	}
	host_preempt_every(0);
	reclaim_settle_all();
	compare_some();
}

static void start(void)
{
	rules_start();
	world_start();
	compare_nothing();
}

/* Half of the names go one by one, the rest with the accounts; then nothing is left. */
static void finish(void)
{
	world_arm = 0;
	for (int c = ACCOUNTS; c < CAPS; c++)
		if (capability[c].name && chance(50)) {
			must(world_call(NO_WANTS, NR_cap_delete, capability[c].name) == SYS_OK);
			delete_cap(c);
			settle();
		}
	compare_families();
	for (int a = 1; a < ACCOUNTS; a++)
		op_revoke_account(a);
	for (int i = 0; i < VMOS; i++)
		must(!vmo[i].v || vmo[i].over);
	for (int a = 1; a < ACCOUNTS; a++)
		must(payer[a].a->used == payer[a].fixed);
	must(pages_in_use == 0);
}

const struct model model = { "families", 4000, start, step, compare_families, finish };
