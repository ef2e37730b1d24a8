/* SPDX-License-Identifier: BSD-2-Clause */
/* content.c: see content.h. */
#include "content.h"

sys_cap_t committed_vmo(uint64_t size)
{
	sys_cap_t vmo;

	MUST(sys_vmo_create(SYS_CAP_UNTYPED, size, 0, &vmo));
	MUST(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, size, NULL, 0));
	return vmo;
}

sys_cap_t snapshot_of(sys_cap_t vmo, uint64_t size)
{
	sys_cap_t child;

	MUST(sys_vmo_create_child(vmo, SYS_CAP_UNTYPED, SYS_VMO_CHILD_SNAPSHOT, 0, size, &child));
	return child;
}

void share_again(struct shared *shared)
{
	if (shared->snapshot != SYS_CAP_NULL)
		MUST(sys_cap_delete(shared->snapshot));
	shared->snapshot = snapshot_of(shared->vmo, shared->size);
}

/* ---- snapshots ---- */

static void end_snapshot(void *argument, unsigned round)
{
	struct shared *shared = argument;

	if (round > 0)
		MUST(sys_cap_delete(shared->snapshot));
}

static void run_snapshot(void *argument, unsigned round)
{
	struct shared *shared = argument;

	(void)round;
	MUST(sys_vmo_create_child(shared->vmo, SYS_CAP_UNTYPED, SYS_VMO_CHILD_SNAPSHOT, 0, shared->size, &shared->snapshot));
}

void bench_snapshot(const char *id, uint64_t size)
{
	struct shared shared = {.vmo = committed_vmo(size), .size = size};

	measure(&(struct operation){.id = id, .prepare = end_snapshot, .run = run_snapshot, .argument = &shared});
	MUST(sys_cap_delete(shared.snapshot));
	MUST(sys_cap_delete(shared.vmo));
}

/* ---- first writes ---- */

static volatile uint64_t *page_of(struct shared *shared, unsigned round)
{
	return &shared->at[round * 37 % (shared->size / PAGE) * (PAGE / 8)];
}

/* The page has been mapped before it is shared: what is measured is the fault, not the tables on its way. */
static void touch_and_share(void *argument, unsigned round)
{
	struct shared *shared = argument;

	*page_of(shared, round) = round;
	share_again(shared);
}

static void run_first_write(void *argument, unsigned round)
{
	*page_of(argument, round) = round + 1;
}

void bench_first_write(const char *id, uint64_t size)
{
	struct shared shared = {.vmo = committed_vmo(size), .size = size};
	sys_vaddr_t at;

	MUST(sys_vmar_map(SYS_CAP_VMAR, RW, 0, shared.vmo, 0, size, &at));
	shared.at = (volatile uint64_t *)at;
	measure(&(struct operation){.id = id, .prepare = touch_and_share, .run = run_first_write, .argument = &shared});
	MUST(sys_vmar_unmap(SYS_CAP_VMAR, at, size));
	MUST(sys_cap_delete(shared.snapshot));
	MUST(sys_cap_delete(shared.vmo));
}
