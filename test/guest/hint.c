/* SPDX-License-Identifier: BSD-2-Clause */
/* hint.c: hints and cache operations on ranges. Numbers in names are the statements' (docs/deviations.md). What reclaim makes of hints
 * is reclaim.c's. */
#include "common/client.h"
#include "common/content.h"

static const struct { enum sys_vmo_op op; unsigned access; } brings[] = {
	{SYS_VMO_OP_ALWAYS_NEED, SYS_ACCESS_READ}, {SYS_VMO_OP_PREFETCH, SYS_ACCESS_PREFETCH}};
static const enum sys_vmo_op caches[] = {SYS_VMO_OP_CACHE_SYNC, SYS_VMO_OP_CACHE_CLEAN, SYS_VMO_OP_CACHE_CLEAN_INVALIDATE};

TEST("vmo_op_range:OK DONT_NEED brings nothing and asks for nothing; hints do not stand in the way (VMO-HINT-01, "
     "VMO-HINT-08, VMO-HINT-11)")
{
	pager_begin_with(SYS_VMO_RESIZABLE);
	supply(0, 2, 5);
	for (unsigned i = 0; i < 3; i++) {
		OKAY(range(vmo, SYS_VMO_OP_DONT_NEED, 0, PAGES * PAGE));
		OKAY(range(vmo, SYS_VMO_OP_ALWAYS_NEED, 0, 2 * PAGE));
	}
	expect_none();
	EQ(committed(), 2 * PAGE);
	EQ(get(vmo, PAGE), 6);
	OKAY(sys_vmo_set_size(vmo, PAGE));
	EQ(committed(), PAGE);
}

TEST("vmo_op_range:OK ALWAYS_NEED and PREFETCH ask for what is missing, in whole pages, each with its access (VMO-HINT-02, VMO-HINT-03, "
     "VMO-PREFETCH-04)")
{
	for (unsigned i = 0; i < 2; i++) {
		pager_begin();
		supply(5, 1, 100);
		struct client client = {.act = RANGE, .vmo = vmo, .op = brings[i].op, .offset = 3 * PAGE + 100, .len = 4 * PAGE};
		sys_cap_t thread = client_start(&client);
		expect(3 * PAGE, 2, brings[i].access);
		supply(3, 2, 100);
		expect(6 * PAGE, 2, brings[i].access);
		supply(6, 2, 100);
		EQ(until_exited(thread), SYS_OK);
		expect_none();
		EQ(committed(), 5 * PAGE);
	}
}

TEST("vmo_op_range:OK hints through a clone ask for what neither it nor a clone between it and the root has forked, and fork nothing "
     "(VMO-HINT-02, VMO-HINT-06, VMO-PREFETCH-05)")
{
	for (unsigned i = 0; i < 4; i++) {
		pager_begin();
		supply(3, 1, 100);
		sys_cap_t clone = clone_of(vmo, PAGE, 6 * PAGE);
		put(clone, 2 * PAGE, 50);
		sys_cap_t below = clone_of(clone, 0, 6 * PAGE);
		struct client client = {.act = RANGE, .vmo = i / 2 ? below : clone, .op = brings[i % 2].op, .offset = PAGE, .len = 4 * PAGE};
		sys_cap_t thread = client_start(&client);
		expect(2 * PAGE, 1, brings[i % 2].access);
		supply(2, 1, 100);
		until_waiting(thread);
		expect(4 * PAGE, 2, brings[i % 2].access);
		supply(4, 2, 100);
		EQ(until_exited(thread), SYS_OK);
		expect_none();
		EQ(committed(), 4 * PAGE);
		EQ(committed_of(clone), PAGE);
		PAGES_ARE(vmo, 2, 4, 102);
		EQ(get(below, 2 * PAGE), 50);
	}
}

TEST("vmo_op_range:IO a pager's failure comes back from PREFETCH; known zeros are not asked for")
{
	pager_begin();
	sys_cap_t nothing = new_vmo(PAGES * PAGE);
	uint64_t fresh;
	OKAY(sys_pager_supply_pages(pager, vmo, 0, 20 * PAGE, nothing, 0, &fresh));
	OKAY(range(vmo, SYS_VMO_OP_PREFETCH, 0, 20 * PAGE));
	expect_none();
	struct client client = {.act = RANGE, .vmo = vmo, .op = SYS_VMO_OP_PREFETCH, .offset = 0, .len = PAGES * PAGE};
	sys_cap_t thread = client_start(&client);
	expect(20 * PAGE, PAGES - 20, SYS_ACCESS_PREFETCH);
	fail_range(20, 1, SYS_ERR_IO);
	EQ(until_exited(thread), SYS_ERR_IO);
}

TEST("vmo_op_range:OUT_OF_RANGE hints past the end of a pager's VMO, wrapping (VMO-HINT-04)")
{
	pager_begin();
	for (enum sys_vmo_op op = SYS_VMO_OP_ALWAYS_NEED; op <= SYS_VMO_OP_PREFETCH; op++) {
		REFUSED(SYS_ERR_OUT_OF_RANGE, range(vmo, op, 0, PAGES * PAGE + 1));
		REFUSED(SYS_ERR_OUT_OF_RANGE, range(vmo, op, PAGE, -PAGE));
	}
	expect_none();
}

TEST("vmo_op_range:OK for anonymous memory hints do nothing, even past its end (VMO-HINT-05)")
{
	sys_cap_t v = new_vmo(2 * PAGE);

	for (enum sys_vmo_op op = SYS_VMO_OP_ALWAYS_NEED; op <= SYS_VMO_OP_DONT_NEED; op++) {
		OKAY(range(v, op, 0, 2 * PAGE));
		OKAY(range(v, op, 0, 200 * PAGE));
	}
	EQ(vmo_info(v).committed, 0);
}

TEST("vmo_op_range:OK a shrink ends ALWAYS_NEED with what is done (VMO-HINT-07)")
{
	pager_begin_with(SYS_VMO_RESIZABLE);
	struct client client = {.act = RANGE, .vmo = vmo, .op = SYS_VMO_OP_ALWAYS_NEED, .offset = 0, .len = 8 * PAGE};
	sys_cap_t thread = client_start(&client);
	expect(0, 8, SYS_ACCESS_READ);
	supply(0, 2, 1);
	until_waiting(thread);
	OKAY(sys_vmo_set_size(vmo, 2 * PAGE));
	EQ(until_exited(thread), SYS_OK);
}

TEST("vmo_op_range:ACCESS_DENIED PREFETCH reads (VMO-PREFETCH-01)")
{
	sys_cap_t v = new_vmo(PAGE);
	REFUSED(SYS_ERR_ACCESS_DENIED, range(less(v, SYS_RIGHT_READ), SYS_VMO_OP_PREFETCH, 0, PAGE));
	OKAY(range(less(v, SYS_RIGHT_WRITE), SYS_VMO_OP_PREFETCH, 0, PAGE));
}

TEST("vmo_op_range:OK vmo_op_range:OUT_OF_RANGE ranges of PREFETCH (VMO-PREFETCH-02)")
{
	sys_cap_t v = new_vmo(2 * PAGE);

	OKAY(range(v, SYS_VMO_OP_PREFETCH, 0, 0));
	OKAY(range(v, SYS_VMO_OP_PREFETCH, 2 * PAGE, 0));
	OKAY(range(v, SYS_VMO_OP_PREFETCH, 1, PAGE));
	REFUSED(SYS_ERR_OUT_OF_RANGE, range(v, SYS_VMO_OP_PREFETCH, 2 * PAGE + 1, 0));
	REFUSED(SYS_ERR_OUT_OF_RANGE, range(v, SYS_VMO_OP_PREFETCH, PAGE, PAGE + 1));
	REFUSED(SYS_ERR_OUT_OF_RANGE, range(v, SYS_VMO_OP_PREFETCH, PAGE, -PAGE));
	EQ(vmo_info(v).committed, 0);
}

TEST("vmo_op_range:ACCESS_DENIED rights of cache operations (VMO-CACHE-01)")
{
	sys_cap_t v = new_vmo(PAGE), reader = less(v, SYS_RIGHT_WRITE), writer = less(v, SYS_RIGHT_READ);

	for (unsigned i = 0; i < 3; i++) {
		OKAY(range(reader, caches[i], 0, PAGE));
		REFUSED(SYS_ERR_ACCESS_DENIED, range(writer, caches[i], 0, PAGE));
	}
	REFUSED(SYS_ERR_ACCESS_DENIED, range(reader, SYS_VMO_OP_CACHE_INVALIDATE, 0, PAGE));
}

TEST("vmo_op_range:OK vmo_op_range:INVALID_ARGS vmo_op_range:OUT_OF_RANGE ranges of cache operations (VMO-CACHE-02, "
     "VMO-CACHE-03, VMO-CACHE-04)")
{
	sys_cap_t v = new_vmo(4 * PAGE);

	put(v, PAGE, 8);
	for (unsigned i = 0; i < 3; i++) {
		REFUSED(SYS_ERR_INVALID_ARGS, range(v, caches[i], 0, 0));
		OKAY(range(v, caches[i], 1, 1));
		OKAY(range(v, caches[i], 100, 3 * PAGE));
		REFUSED(SYS_ERR_OUT_OF_RANGE, range(v, caches[i], 1, 4 * PAGE));
		REFUSED(SYS_ERR_OUT_OF_RANGE, range(v, caches[i], PAGE, -PAGE));
	}
	EQ(get(v, PAGE), 8);
	EQ(vmo_info(v).committed, PAGE);
}

TEST("vmo_op_range:OK cache operations cost the pages that are there (VMO-CACHE-05)")
{
	sys_cap_t v = new_vmo(1ull << 60);

	put(v, 1ull << 59, 5);
	for (unsigned i = 0; i < 3; i++)
		OKAY(range(v, caches[i], 0, 1ull << 60));
	EQ(get(v, 1ull << 59), 5);
}

TEST("vmo_op_range:NOT_SUPPORTED INVALIDATE would undo writes (VMO-CACHE-07)")
{
	sys_cap_t v = new_vmo(PAGE);

	put(v, 0, 5);
	REFUSED(SYS_ERR_NOT_SUPPORTED, range(v, SYS_VMO_OP_CACHE_INVALIDATE, 0, PAGE));
	REFUSED(SYS_ERR_INVALID_ARGS, range(v, SYS_VMO_OP_CACHE_INVALIDATE, 0, 0));
	EQ(get(v, 0), 5);
}

TEST("vmo_op_range:OK COMMIT through a slice is its content's (VMO-COMMIT-07)")
{
	sys_cap_t v = new_vmo(8 * PAGE), slice;

	OKAY(sys_vmo_create_child(v, ut, SYS_VMO_CHILD_SLICE, 4 * PAGE, 4 * PAGE, &slice));
	OKAY(range(slice, SYS_VMO_OP_COMMIT, PAGE, 2 * PAGE));
	EQ(vmo_info(v).committed, 2 * PAGE);
	EQ(vmo_info(slice).committed, 0);
}
