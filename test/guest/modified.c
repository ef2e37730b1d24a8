/* SPDX-License-Identifier: BSD-2-Clause */
/* modified.c: vmo_create_child(SNAPSHOT_MODIFIED): a copy of what a clone has written; for the rest it shows the root. */
#include "common/client.h"
#include "common/content.h"

enum { ROUNDS = 60 };

TEST("vmo_create_child:OK MODIFIED of a root is a clone of it (CHILD-MOD-01)")
{
	pager_begin();
	supply(0, 4, 100);
	sys_cap_t clone = modified_of(vmo, 0, 8 * PAGE);

	put(vmo, 0, 60);
	EQ(get(clone, 0), 60);
	put(clone, PAGE, 50);
	put(vmo, PAGE, 61);
	EQ(get(clone, PAGE), 50);
	EQ(get(vmo, PAGE), 61);
	struct client client = {.act = VMO_READ, .vmo = clone, .offset = 5 * PAGE, .len = 8};
	sys_cap_t thread = client_start(&client);
	expect(5 * PAGE, 1, SYS_ACCESS_READ);
	supply(5, 1, 100);
	EQ(until_exited(thread), SYS_OK);
}

TEST("vmo_create_child:OK MODIFIED of a clone copies what it has written, the rest shows the root (CHILD-MOD-02, CHILD-MOD-04, "
     "CHILD-ALOW-12, INFO-09)")
{
	pager_begin();
	supply(0, 8, 100);
	sys_cap_t clone = clone_of(vmo, 0, 8 * PAGE);

	put(clone, PAGE, 50);
	put(clone, 2 * PAGE, 51);
	sys_cap_t copy = modified_of(clone, 0, 8 * PAGE);
	EQ(vmo_info(clone).scaled_bytes, PAGE);
	EQ(vmo_info(copy).scaled_bytes, PAGE);
	EQ(private_of(clone), 0);
	put(clone, PAGE, 60);
	put(copy, 2 * PAGE, 70);
	put(clone, 3 * PAGE, 61);
	put(copy, 4 * PAGE, 71);
	put(vmo, 5 * PAGE, 80);
	put(vmo, PAGE, 81);
	static const uint64_t of_root[] = {100, 81, 102, 103, 104, 80}, of_clone[] = {100, 60, 51, 61, 104, 80}, of_copy[] = {100, 50, 70, 103, 71, 80};
	for (uint64_t i = 0; i < 6; i++) {
		EQ(get(vmo, i * PAGE), of_root[i]);
		EQ(get(clone, i * PAGE), of_clone[i]);
		EQ(get(copy, i * PAGE), of_copy[i]);
	}
	sys_cap_t below = clone_of(copy, 0, 8 * PAGE);  /* which has a copy beside it */
	put(copy, PAGE, 72);
	EQ(get(below, PAGE), 50);
	EQ(get(below, 5 * PAGE), 80);
}

TEST("vmo_create_child:OK MODIFIED down a chain, beside other clones, of what has children (CHILD-MOD-03, CHILD-MOD-05, "
     "CHILD-MOD-06, CHILD-MOD-11)")
{
	enum { CHAIN = 12 };
	sys_cap_t link[CHAIN];

	pager_begin();
	supply(0, CHAIN, 100);
	sys_cap_t beside = clone_of(vmo, 0, CHAIN * PAGE), other = clone_of(vmo, 0, CHAIN * PAGE), below = clone_of(other, 0, CHAIN * PAGE);
	for (uint64_t i = 0; i < CHAIN; i++) {
		link[i] = modified_of(i == 0 ? vmo : link[i - 1], 0, CHAIN * PAGE);
		put(link[i], i * PAGE, 500 + i);
	}
	for (uint64_t i = 0; i < CHAIN; i++)
		for (uint64_t page = 0; page < CHAIN; page++)
			EQ(get(link[i], page * PAGE), (page <= i ? 500 : 100) + page);
	PAGES_ARE(beside, 0, CHAIN, 100);
	put(other, 0, 900);
	sys_cap_t of_other = modified_of(other, 0, CHAIN * PAGE), of_below = modified_of(below, 0, CHAIN * PAGE);
	EQ(get(of_other, 0), 900);
	EQ(get(of_below, 0), 100);
	PAGES_ARE(vmo, 0, CHAIN, 100);
	for (int i = 0; i < CHAIN; i++)
		OKAY(sys_cap_delete(link[(i * 5) % CHAIN]));
	EQ(get(of_other, PAGE), 101);
}

TEST("vmo_create_child:OK MODIFIED of a slice of a root, and of a slice of a snapshot (CHILD-MOD-07)")
{
	pager_begin();
	supply(0, 8, 100);
	sys_cap_t copy = modified_of(slice_of(vmo, 2 * PAGE, 4 * PAGE), PAGE, 2 * PAGE);

	PAGES_ARE(copy, 0, 2, 103);
	put(copy, 0, 50);
	EQ(get(vmo, 3 * PAGE), 103);
	put(vmo, 4 * PAGE, 60);
	EQ(get(copy, PAGE), 60);
	sys_cap_t snapshot = new_snapshot(numbered_with(8, 1, 0), 0, 8 * PAGE);
	sys_cap_t of_slice = modified_of(slice_of(snapshot, 2 * PAGE, 4 * PAGE), 0, 4 * PAGE);
	put(snapshot, 2 * PAGE, 70);
	PAGES_ARE(of_slice, 0, 4, 3);
}

TEST("vmo_create_child:OK MODIFIED of anonymous content is a snapshot (CHILD-MOD-08)")
{
	sys_cap_t v = numbered_with(8, 1, 0), copy = modified_of(v, 0, 8 * PAGE);

	put(v, 0, 60);
	put(copy, PAGE, 50);
	EQ(get(copy, 0), 1);
	EQ(get(v, PAGE), 2);
}

TEST("vmo_create_child:OK a clone's slices go on with it when it is copied (CHILD-MOD-09)")
{
	pager_begin();
	supply(0, 8, 100);
	sys_cap_t clone = clone_of(vmo, 0, 8 * PAGE), slice = slice_of(clone, 2 * PAGE, 2 * PAGE);

	put(slice, 0, 50);
	sys_cap_t copy = modified_of(clone, 0, 8 * PAGE);
	put(clone, 2 * PAGE, 51);
	EQ(get(slice, 0), 51);
	put(slice, PAGE, 52);
	EQ(get(clone, 3 * PAGE), 52);
	EQ(get(copy, 2 * PAGE), 50);
	EQ(get(copy, 3 * PAGE), 103);
}

struct resizer { volatile bool stop, cut; };

static int64_t resizes(void *arg)
{
	struct resizer *resizer = arg;
	sys_status_t status = SYS_OK;
	for (uint64_t i = 0; !resizer->stop && status == SYS_OK; i++) {
		status = sys_vmo_set_size(vmo, (i % 2 ? 16 : 4) * PAGE);
		resizer->cut = true;
	}
	return status;
}

TEST("vmo_create_child:OK MODIFIED while the root is cut and grows: pages of the root or zeros, and never more again "
     "(CHILD-MOD-10)")
{
	struct resizer resizer = {false, false};

	pager_begin_with(SYS_VMO_RESIZABLE);
	supply(0, 16, 100);
	sys_cap_t clone = clone_of(vmo, 0, 16 * PAGE), thread = helper_start(resizes, &resizer);
	while (!resizer.cut)
		sys_thread_yield();
	for (int round = 0; round < ROUNDS; round++) {
		sys_cap_t copy = modified_of(round % 2 ? vmo : clone, 0, 16 * PAGE);
		sleep_for(20000 + round * 1777);
		PAGES_ARE(copy, 0, 4, 100);
		CHECK(all_bytes(copy, 4 * PAGE, 12 * PAGE, 0));
		OKAY(sys_cap_delete(copy));
	}
	resizer.stop = true;
	EQ(until_exited(thread), SYS_OK);
	CHECK(all_bytes(clone, 4 * PAGE, 12 * PAGE, 0));
	expect_none();
}
