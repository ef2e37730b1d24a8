/* SPDX-License-Identifier: BSD-2-Clause */
/* content.c: page trees: snapshots, the first writes after them, and what neither generations nor size may make dearer.
 * Rows of frames and bytes are what they say instead of instructions. Contents of 1 GiB are large.c's. */
#include "common/content.h"

#include <stdio.h>

enum { GENERATIONS = 1000, SMALL_PAGES = 8, TREE_PAGES = 64 };

const struct bench_side bench_sides[] = {{NULL, NULL}};

/* ---- generations ---- */

/* The last of so many generations, all of which live on: each is a snapshot of the one before with one page of its own. */
static sys_cap_t generations[GENERATIONS + 1];

static sys_cap_t make_generations(unsigned count, uint64_t size)
{
	generations[0] = committed_vmo(size);
	for (unsigned i = 1; i <= count; i++) {
		generations[i] = snapshot_of(generations[i - 1], size);
		MUST(sys_vmo_write(generations[i], &i, i % (size / PAGE) * PAGE, sizeof(i)));
	}
	return generations[count];
}

static void end_generations(unsigned count)
{
	for (unsigned i = 0; i <= count; i++)
		MUST(sys_cap_delete(generations[i]));
}

static void prepare_write(void *argument, unsigned round)
{
	(void)round;
	share_again(argument);
}

static void run_write(void *argument, unsigned round)
{
	struct shared *shared = argument;
	shared->at[round % SMALL_PAGES * (PAGE / 8)] = round;
}

/* A write to a page that a snapshot shares, in the youngest of so many generations. */
static void bench_depth(const char *id, unsigned count)
{
	const uint64_t size = SMALL_PAGES * PAGE;
	struct shared shared = {.vmo = make_generations(count, size), .size = size};
	sys_vaddr_t at;

	MUST(sys_vmar_map(SYS_CAP_VMAR, RW, 0, shared.vmo, 0, size, &at));
	shared.at = (volatile uint64_t *)at;
	measure(&(struct operation){.id = id, .prepare = prepare_write, .run = run_write, .argument = &shared});
	MUST(sys_vmar_unmap(SYS_CAP_VMAR, at, size));
	MUST(sys_cap_delete(shared.snapshot));
	end_generations(count);
}

static void run_lookup(void *argument, unsigned round)
{
	sys_cap_t *vmo = argument;
	uint64_t word;
	MUST(sys_vmo_read(*vmo, &word, round % TREE_PAGES * PAGE, sizeof(word)));
}

/* Reading a word of a content that has a node, in the youngest of so many generations. */
static void bench_lookup(const char *id, unsigned count)
{
	sys_cap_t vmo = make_generations(count, TREE_PAGES * PAGE);

	measure(&(struct operation){.id = id, .run = run_lookup, .argument = &vmo});
	end_generations(count);
}

/* ---- what content costs ---- */

static uint64_t free_frames(void)
{
	sys_machine_info_t info;
	MUST(sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_MACHINE, &info, sizeof(info)));
	return info.free_frames;
}

static void row(const char *id, uint64_t value)
{
	printf("bench %s %lu %lu 1\n", id, (unsigned long)value, (unsigned long)value);
}

/* Frames for three pages as far from each other as can be, their nodes included. */
static void bench_sparse(void)
{
	const uint64_t largest = -64 * PAGE, far[] = {0, largest / 2, largest - PAGE};
	sys_untyped_info_t before, then;
	sys_cap_t vmo;

	MUST(sys_vmo_create(SYS_CAP_UNTYPED, largest, 0, &vmo));
	MUST(sys_untyped_info(SYS_CAP_UNTYPED, &before));
	for (unsigned i = 0; i < 3; i++)
		MUST(sys_vmo_write(vmo, &i, far[i], sizeof(i)));
	MUST(sys_untyped_info(SYS_CAP_UNTYPED, &then));
	row("sparse_3_frames", (then.used - before.used) / PAGE);
	MUST(sys_cap_delete(vmo));
}

/* Bytes for each page of 256 MiB that are mapped and touched, the page and its entry in the frame table left out
 * (the runner adds that). */
static void bench_mapped(void)
{
	const uint64_t size = 256ull << 20;
	uint64_t before = free_frames();
	sys_vaddr_t at;
	sys_cap_t vmo;

	MUST(sys_vmo_create(SYS_CAP_UNTYPED, size, 0, &vmo));
	MUST(sys_vmar_map(SYS_CAP_VMAR, RW, 0, vmo, 0, size, &at));
	for (uint64_t i = 0; i < size; i += PAGE)
		*(volatile uint64_t *)(at + i) = i;
	row("mem_per_mapped_page", ((before - free_frames()) * PAGE - size + size / PAGE - 1) / (size / PAGE));
	MUST(sys_vmar_unmap(SYS_CAP_VMAR, at, size));
	MUST(sys_cap_delete(vmo));
}

void bench_rows(void)
{
	bench_snapshot("snapshot_4k", PAGE);
	bench_first_write("first_write_4k", PAGE);
	bench_first_write("first_write_2m", 2ull << 20);
	bench_depth("clone_depth_1_write", 1);
	bench_depth("clone_depth_1000_write", GENERATIONS);
	bench_lookup("lookup_generation_0", 0);
	bench_lookup("lookup_generation_1000", GENERATIONS);
	bench_sparse();
	bench_mapped();
}
