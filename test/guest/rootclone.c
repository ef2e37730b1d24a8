/* SPDX-License-Identifier: BSD-2-Clause */
/* rootclone.c: vmo_create_child(SNAPSHOT_AT_LEAST_ON_WRITE) of a pager's VMO (a root), and of its clones: what a clone has written
 * is its own, for the rest it falls through to the root. MODIFIED is modified.c's. */
#include "common/client.h"
#include "common/content.h"

static const enum sys_vmo_op commit_op = SYS_VMO_OP_COMMIT;

TEST("vmo_create_child:OK AT_LEAST_ON_WRITE of anonymous content is a snapshot (CHILD-ALOW-01, INFO-16)")
{
	sys_cap_t v = numbered_with(8, 1, 0), clone = clone_of(v, 2 * PAGE, 4 * PAGE);

	put(v, 2 * PAGE, 99);
	PAGES_ARE(clone, 0, 4, 3);
	put(clone, PAGE, 98);
	EQ(get(v, 3 * PAGE), 4);
	EQ(vmo_info(clone).flags, SYS_VMO_INFO_COW_CLONE);
	EQ(vmo_info(v).children, 1);
}

TEST("vmo_create_child:OK a clone of a root: written pages are its own, the others show the root (CHILD-ALOW-02, CHILD-ALOW-03, "
     "CHILD-ALOW-04)")
{
	pager_begin();
	supply(0, 8, 100);
	sys_cap_t clone = clone_of(vmo, 2 * PAGE, 4 * PAGE);
	volatile uint64_t *at = map(clone, 4 * PAGE);

	EQ(at[0], 102);
	put(clone, PAGE, 50);
	put(vmo, 2 * PAGE, 60);
	put(vmo, 3 * PAGE, 61);
	EQ(at[0], 60);
	EQ(at[512], 50);
	EQ(get(clone, 0), 60);
	EQ(get(clone, PAGE), 50);
	EQ(get(vmo, 3 * PAGE), 61);
	at[2 * 512] = 51;
	EQ(get(vmo, 4 * PAGE), 104);
	EQ(get(clone, 2 * PAGE), 51);
	expect_none();
	unmap((void *)at, 4 * PAGE);
}

TEST("pager_recv:OK a clone's miss asks for the root's page, a write copies it then (CHILD-ALOW-02, INFO-08, INFO-09)")
{
	pager_begin();
	sys_cap_t clone = clone_of(vmo, 4 * PAGE, 8 * PAGE);
	struct client reader = {.act = VMO_READ, .vmo = clone, .offset = PAGE, .len = 2 * PAGE};
	sys_cap_t thread = client_start(&reader);
	expect(5 * PAGE, 2, SYS_ACCESS_READ);
	supply(5, 2, 100);
	EQ(until_exited(thread), SYS_OK);
	EQ(committed(), 2 * PAGE);
	EQ(committed_of(clone), 0);
	EQ(vmo_info(vmo).scaled_bytes, 2 * PAGE);
	struct client writer = {.act = WRITE_MAPPED, .at = map(clone, 8 * PAGE), .offset = 4 * PAGE};
	thread = client_start(&writer);
	expect(8 * PAGE, 1, 0);
	supply(8, 1, 100);
	EQ(until_exited(thread), SYS_OK);
	EQ(get(clone, 4 * PAGE), 55);
	EQ(get(vmo, 8 * PAGE), 108);
	EQ(committed(), 3 * PAGE);
	EQ(private_of(clone), PAGE);
	EQ(vmo_info(clone).scaled_bytes, PAGE);
	EQ(private_of(vmo), 3 * PAGE);
	unmap((void *)(uintptr_t)writer.at, 8 * PAGE);
}

TEST("vmo_create_child:OK a clone's clone has what was forked before it was made, and sees no more than those above it "
     "(CHILD-ALOW-05, CHILD-ALOW-06, CHILD-ALOW-07)")
{
	pager_begin();
	supply(0, 16, 100);
	sys_cap_t clone = clone_of(vmo, 0, 4 * PAGE);

	put(clone, PAGE, 50);
	sys_cap_t again = clone_of(clone, 0, 8 * PAGE);
	put(clone, 2 * PAGE, 51);
	put(clone, PAGE, 52);
	EQ(get(again, 0), 100);
	EQ(get(again, PAGE), 50);
	uint64_t later = get(again, 2 * PAGE);
	CHECK(later == 102 || later == 51);
	CHECK(all_bytes(again, 4 * PAGE, 4 * PAGE, 0));
	put(vmo, 0, 60);
	EQ(get(again, 0), 60);
	put(again, 3 * PAGE, 70);
	EQ(get(clone, 3 * PAGE), 103);
	sys_cap_t third = clone_of(again, PAGE, 4 * PAGE);
	EQ(get(third, 0), 50);
	EQ(get(third, 2 * PAGE), 70);
	EQ(get(third, 3 * PAGE), 0);
	OKAY(sys_cap_delete(clone));
	OKAY(sys_cap_delete(again));
	EQ(get(third, 0), 50);
	EQ(get(third, 2 * PAGE), 70);
}

TEST("vmo_set_size:OK of a root: clones see zeros where it was cut, also when it has grown again (CHILD-ALOW-08, CHILD-ALOW-09)")
{
	pager_begin_with(SYS_VMO_RESIZABLE);
	supply(0, 8, 100);
	sys_cap_t clone = clone_of(vmo, 0, 8 * PAGE);
	volatile uint64_t *at = map(clone, 8 * PAGE);

	put(clone, 5 * PAGE, 50);
	EQ(at[3 * 512], 103);
	EQ(at[6 * 512], 106);
	OKAY(sys_vmo_set_size(vmo, 4 * PAGE));
	EQ(at[3 * 512], 103);
	EQ(at[5 * 512], 50);
	EQ(at[6 * 512], 0);
	OKAY(sys_vmo_set_size(vmo, 8 * PAGE));
	supply(4, 4, 200);
	put(vmo, 6 * PAGE, 60);
	EQ(at[6 * 512], 0);
	EQ(get(clone, 7 * PAGE), 0);
	OKAY(sys_vmo_set_size(vmo, 0));
	EQ(at[0], 0);
	EQ(at[5 * 512], 50);
	NO_FAULT(WRITE, (void *)&at[512]);
	expect_none();
	unmap((void *)at, 8 * PAGE);
}

TEST("vmo_set_size:OK of a clone: its mappings fault behind its end; what grows is zero (CHILD-ALOW-10)")
{
	pager_begin();
	supply(0, 8, 100);
	sys_cap_t clone = child_of(vmo, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE | SYS_VMO_CHILD_RESIZABLE, 0, 8 * PAGE);
	volatile uint64_t *at = map(clone, 8 * PAGE);

	EQ(at[512], 101);
	OKAY(sys_vmo_set_size(clone, 0));
	FAULTS(READ, SYS_ERR_OUT_OF_RANGE, at);
	FAULTS(WRITE, SYS_ERR_OUT_OF_RANGE, at + 512);
	OKAY(sys_vmo_set_size(clone, 8 * PAGE));
	EQ(at[512], 0);
	CHECK(all_bytes(clone, 0, 8 * PAGE, 0));
	EQ(get(vmo, PAGE), 101);
	unmap((void *)at, 8 * PAGE);
}

TEST("vmo_set_size:INVALID_ARGS a clone whose window would wrap in its root (VMO-SIZE-16, CHILD-06)")
{
	sys_cap_t out = 99;

	pager_begin();
	sys_cap_t clone = child_of(vmo, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE | SYS_VMO_CHILD_RESIZABLE, 1ull << 63, PAGE);
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_set_size(clone, (1ull << 63) + PAGE));
	EQ(size_of(clone), PAGE);
	OKAY(sys_vmo_set_size(clone, 1ull << 62));
	CHECK(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE, -PAGE, 2 * PAGE, &out) != SYS_OK);
	EQ(out, 99);
}

TEST("vmo_create_child:NOT_SUPPORTED vmo_op_range:NOT_SUPPORTED SNAPSHOT and DECOMMIT of a root's clones (CHILD-SNAP-03, "
     "VMO-DECOMMIT-07)")
{
	sys_cap_t out = 99;

	pager_begin();
	sys_cap_t clone = clone_of(vmo, 0, 4 * PAGE), again = clone_of(clone, 0, 4 * PAGE), slice = slice_of(clone, 0, PAGE);
	const sys_cap_t all[] = {vmo, clone, again, slice, reference_of(clone)};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		REFUSED(SYS_ERR_NOT_SUPPORTED, sys_vmo_create_child(all[i], ut, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE, &out));
		REFUSED(SYS_ERR_NOT_SUPPORTED, range(all[i], SYS_VMO_OP_DECOMMIT, 0, PAGE));
	}
	EQ(out, 99);
}

TEST("vmo_op_range:OK COMMIT of a clone asks for what the root has not, and forks all; clones between get nothing "
     "(VMO-COMMIT-05, VMO-COMMIT-06)")
{
	pager_begin();
	supply(2, 1, 100);
	supply(5, 1, 100);
	sys_cap_t clone = clone_of(vmo, 0, 8 * PAGE), last = clone_of(clone, 0, 8 * PAGE);
	struct client client = {.act = RANGE, .op = commit_op, .vmo = last, .offset = 0, .len = 8 * PAGE};
	sys_cap_t thread = client_start(&client);
	expect(0, 2, 0);
	supply(0, 2, 100);
	until_waiting(thread);
	expect(3 * PAGE, 2, 0);
	supply(3, 2, 100);
	until_waiting(thread);
	expect(6 * PAGE, 2, 0);
	supply(6, 2, 100);
	EQ(until_exited(thread), SYS_OK);
	EQ(committed_of(last), 8 * PAGE);
	EQ(committed_of(clone), 0);
	PAGES_ARE(last, 0, 8, 100);
	put(vmo, 0, 9);
	EQ(get(last, 0), 100);
	EQ(get(clone, 0), 9);
}

TEST("cap_delete:OK the root's capability goes: clones go on asking, and have no share of its pages (CHILD-19, INFO-10)")
{
	pager_begin();
	supply(0, 2, 100);
	sys_cap_t clone = clone_of(vmo, 0, 8 * PAGE), kept = reference_of(vmo);
	put(clone, 0, 50);
	OKAY(sys_cap_delete(vmo));
	vmo = kept;
	EQ(get(clone, PAGE), 101);
	EQ(vmo_info(clone).scaled_bytes, PAGE);
	EQ(committed_of(clone), PAGE);
	struct client client = {.act = VMO_READ, .vmo = clone, .offset = 3 * PAGE, .len = 8};
	sys_cap_t thread = client_start(&client);
	expect(3 * PAGE, 1, SYS_ACCESS_READ);
	OKAY(sys_thread_kill(thread, 0));
}
