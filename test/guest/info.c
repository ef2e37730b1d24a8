/* SPDX-License-Identifier: BSD-2-Clause */
/* info.c: what vmo_info tells: who has how many pages, alone and shared. Flags and shares that only some kinds of VMOs have are
 * tested with those. */
#include "common/content.h"
#include "common/helper.h"

enum { FAMILY = 6, WRITES = 300, ROUNDS = 40 };

static unsigned __int128 share_of(sys_cap_t vmo)
{
	sys_vmo_info_t info = vmo_info(vmo);
	CHECK(info.scaled_bytes <= info.size);
	return ((unsigned __int128)info.scaled_bytes << 63) + info.scaled_fraction;
}

/* What these are told adds up to so many pages, less a unit of the fraction for each division. */
static void shares_add_up(const sys_cap_t *vmo, int count, uint64_t pages, uint64_t divisions)
{
	unsigned __int128 sum = 0, all = (unsigned __int128)(pages * PAGE) << 63;
	for (int i = 0; i < count; i++)
		sum += share_of(vmo[i]);
	CHECK(sum <= all);
	CHECK(all - sum <= divisions);
}

TEST("vmo_info:OK pages there are, of one VMO alone (INFO-01, INFO-02, INFO-03, INFO-15)")
{
	sys_cap_t vmo = new_vmo(64 * PAGE);

	EQ(committed_of(vmo), 0);
	number(vmo, 10, 20, 1);
	sys_vmo_info_t info = vmo_info(vmo);
	EQ(info.committed, 20 * PAGE);
	EQ(info.populated, 20 * PAGE);
	EQ(info.private_bytes, 20 * PAGE);
	EQ(info.scaled_bytes, 20 * PAGE);
	EQ(info.scaled_fraction, 0);
	CHECK(info.metadata_bytes > 0);
}

TEST("vmo_info:OK three that share a page: each has all of it, none alone, a third by share (INFO-02, INFO-03, INFO-05, "
     "INFO-07)")
{
	sys_cap_t vmo[3] = {new_vmo(PAGE)};

	put(vmo[0], 0, 1);
	vmo[1] = new_snapshot(vmo[0], 0, PAGE);
	vmo[2] = new_snapshot(vmo[0], 0, PAGE);
	for (int i = 0; i < 3; i++) {
		sys_vmo_info_t info = vmo_info(vmo[i]);
		EQ(info.committed, PAGE);
		EQ(info.populated, PAGE);
		EQ(info.private_bytes, 0);
		EQ(info.scaled_bytes, PAGE / 3);
		CHECK(info.scaled_fraction / 3 < (1ull << 63) / 9 + 2 && info.scaled_fraction >= (1ull << 63) / 3 - 1);
	}
	shares_add_up(vmo, 3, 1, 3);
}

TEST("vmo_info:OK shares of a family that writes at random add up to the pages there are, after each write (INFO-04, INFO-06, "
     "INFO-07)")
{
	sys_machine_info_t before, now;
	sys_cap_t vmo[FAMILY] = {numbered_with(40, 1, 0)};
	uint64_t state = 5;

	for (int i = 1; i < FAMILY; i++)
		vmo[i] = new_snapshot(vmo[(i - 1) / 2], 0, 40 * PAGE);
	for (int i = 0; i < FAMILY; i++)        /* nodes are everyone's own from now on: what is taken then are pages */
		put(vmo[i], 0, 1);
	OKAY(sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_MACHINE, &before, sizeof(before)));
	for (int i = 0; i < WRITES; i++) {
		uint64_t random = random_next(&state);
		put(vmo[random % FAMILY], (random >> 16) % 40 * PAGE, random);
		OKAY(sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_MACHINE, &now, sizeof(now)));
		shares_add_up(vmo, FAMILY, 40 + FAMILY - 1 + before.free_frames - now.free_frames, 1000);
	}
}

TEST("vmo_info:OK a sharer's end and a sharer's shrink give the others what it shared (INFO-12, INFO-13, INFO-14)")
{
	sys_cap_t vmo = numbered_with(16, 1, 0), a = child_of(vmo, SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_RESIZABLE, 0, 16 * PAGE);
	sys_cap_t b = new_snapshot(vmo, 0, 16 * PAGE);

	OKAY(sys_cap_delete(b));
	EQ(vmo_info(vmo).scaled_bytes, 8 * PAGE);
	EQ(vmo_info(a).scaled_bytes, 8 * PAGE);
	EQ(private_of(vmo), 0);
	OKAY(sys_vmo_set_size(a, 4 * PAGE));
	EQ(private_of(vmo), 12 * PAGE);
	EQ(vmo_info(vmo).scaled_bytes, 14 * PAGE);
	EQ(vmo_info(a).scaled_bytes, 2 * PAGE);
	OKAY(sys_vmo_set_size(a, 0));
	EQ(vmo_info(a).scaled_bytes, 0);
	EQ(vmo_info(a).scaled_fraction, 0);
	EQ(vmo_info(a).committed, 0);
	EQ(private_of(vmo), 16 * PAGE);
	EQ(vmo_info(vmo).scaled_bytes, 16 * PAGE);
}

struct ender { sys_cap_t cap; volatile bool go; };

static int64_t ends(void *arg)
{
	struct ender *ender = arg;
	while (!ender->go)
		sys_thread_yield();
	return sys_cap_delete(ender->cap);
}

/* What it has alone and its share, until a copy that has changed one page ends, and never anything between. */
static void seen_while_it_ends(sys_cap_t vmo, uint64_t pages)
{
	struct ender ender = {new_snapshot(vmo, 0, pages * PAGE), false};

	put(ender.cap, 0, 99);
	sys_cap_t thread = helper_start(ends, &ender);
	ender.go = true;
	for (;;) {
		sys_vmo_info_t info = vmo_info(vmo);
		EQ(info.committed, pages * PAGE);
		if (info.private_bytes == pages * PAGE)
			break;
		EQ(info.private_bytes, PAGE);
		EQ(info.scaled_bytes, PAGE + (pages - 1) * PAGE / 2);
		sys_thread_yield();
	}
	EQ(vmo_info(vmo).scaled_bytes, pages * PAGE);
	EQ(until_exited(thread), SYS_OK);
	OKAY(sys_cap_delete(thread));
	helper_drop(1);
}

TEST("vmo_info:OK asked while a sharer ends: as before or as after, nothing else (INFO-19)")
{
	sys_cap_t vmo = numbered_with(300, 1, 0);

	for (int round = 0; round < ROUNDS; round++)
		seen_while_it_ends(vmo, 300);
}

TEST("vmo_info:OK size, rights of this capability, policy, flags (INFO-16, INFO-17)")
{
	sys_cap_t v = new_resizable(3 * PAGE + 5), child = new_snapshot(v, 0, 2 * PAGE);

	EQ(vmo_info(v).size, 4 * PAGE);
	EQ(vmo_info(v).stream_size, 3 * PAGE + 5);
	EQ(vmo_info(v).flags, SYS_VMO_INFO_RESIZABLE);
	EQ(vmo_info(child).flags, SYS_VMO_INFO_COW_CLONE);
	EQ(vmo_info(child).size, 2 * PAGE);
	OKAY(sys_vmo_set_size(v, PAGE));
	EQ(vmo_info(v).size, PAGE);
	EQ(vmo_info(reduced(v, SYS_RIGHT_INSPECT | SYS_RIGHT_READ)).rights, SYS_RIGHT_INSPECT | SYS_RIGHT_READ);
	sys_cap_t other = new_vmo(PAGE);
	EQ(vmo_info(other).cache_policy, SYS_CACHE_CACHED);
	OKAY(sys_vmo_set_cache_policy(other, SYS_CACHE_WRITE_COMBINING));
	EQ(vmo_info(other).cache_policy, SYS_CACHE_WRITE_COMBINING);
}
