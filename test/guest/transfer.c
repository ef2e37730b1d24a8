/* SPDX-License-Identifier: BSD-2-Clause */
/* transfer.c: moving pages between objects. Numbers in names are the statements' (docs/deviations.md). */
#include "common/client.h"

static sys_status_t transfer(sys_cap_t dst, uint64_t to, uint64_t pages, sys_cap_t src, uint64_t from)
{
	return sys_vmo_transfer_data(dst, 0, to * PAGE, pages * PAGE, src, from * PAGE);
}

/* Its first pages begin with tag, tag + 1 ... */
static sys_cap_t filled_in(sys_cap_t account_cap, uint64_t pages, uint64_t tag)
{
	sys_cap_t v = new_vmo_in(account_cap, 16 * PAGE);
	for (uint64_t i = 0; i < pages; i++)
		put(v, i * PAGE, tag + i);
	return v;
}

TEST("vmo_transfer_data:OK moves frames and their charge; src reads as zero, what dst had is gone (XFER-01)")
{
	sys_cap_t of_src = new_untyped(64 * PAGE), of_dst = new_untyped(64 * PAGE);
	sys_cap_t src = filled_in(of_src, 6, 10), dst = filled_in(of_dst, 4, 50);
	uint64_t before_src = used(of_src), before_dst = used(of_dst);
	volatile uint64_t *a = map(src, 16 * PAGE), *b = map(dst, 16 * PAGE);

	EQ(a[512] + b[512] + b[5 * 512], 11 + 51);
	b[512] = 52;
	OKAY(transfer(dst, 1, 5, src, 0));
	for (uint64_t i = 0; i < 5; i++) {
		EQ(b[(1 + i) * 512], 10 + i);
		EQ(a[i * 512], 0);
		EQ(get(src, i * PAGE), 0);
	}
	EQ(a[5 * 512], 15);
	EQ(b[0], 50);
	EQ(used(of_src), before_src - 5 * PAGE);
	EQ(used(of_dst), before_dst + 2 * PAGE);
	a[512] = 1;                             /* neither is the other's any more */
	b[2 * 512] = 2;
	EQ(get(dst, 2 * PAGE), 2);
	EQ(get(src, PAGE), 1);
	OKAY(transfer(dst, 0, 0, src, 16));
	unmap((void *)a, 16 * PAGE);
	unmap((void *)b, 16 * PAGE);
}

TEST("vmo_transfer_data:OK what was never written empties dst, however much it is (XFER-01)")
{
	sys_cap_t src = new_vmo(1ull << 50), dst = new_vmo(1ull << 50);

	put(dst, 5 * PAGE, 1);
	put(dst, 1ull << 49, 2);
	put(src, 1ull << 48, 3);
	OKAY(sys_vmo_transfer_data(dst, 0, 0, 1ull << 50, src, 0));
	EQ(get(dst, 5 * PAGE), 0);
	EQ(get(dst, 1ull << 49), 0);
	EQ(get(dst, 1ull << 48), 3);
	EQ(vmo_info(dst).committed, PAGE);
	EQ(vmo_info(src).committed, 0);
}

TEST("vmo_transfer_data:INVALID_ARGS options, whole pages, ranges of one object that meet (XFER-02)")
{
	sys_cap_t src = filled_in(ut, 2, 1), dst = filled_in(ut, 2, 9);

	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_transfer_data(dst, 1, 0, PAGE, src, 0));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_transfer_data(dst, 0, 8, PAGE, src, 0));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_transfer_data(dst, 0, 0, PAGE - 1, src, 0));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_transfer_data(dst, 0, 0, PAGE, src, PAGE + 1));
	REFUSED(SYS_ERR_INVALID_ARGS, transfer(src, 0, 2, src, 1));
	REFUSED(SYS_ERR_INVALID_ARGS, transfer(src, 1, 2, src, 0));
	REFUSED(SYS_ERR_INVALID_ARGS, transfer(src, 1, 1, src, 1));
	EQ(get(src, PAGE), 2);
	EQ(get(dst, 0), 9);
}

TEST("vmo_transfer_data:ACCESS_DENIED reads and writes src, writes dst (XFER-03)")
{
	sys_cap_t src = filled_in(ut, 2, 1), dst = filled_in(ut, 2, 9);

	REFUSED(SYS_ERR_ACCESS_DENIED, transfer(less(dst, SYS_RIGHT_WRITE), 0, 1, src, 0));
	REFUSED(SYS_ERR_ACCESS_DENIED, transfer(dst, 0, 1, less(src, SYS_RIGHT_WRITE), 0));
	REFUSED(SYS_ERR_ACCESS_DENIED, transfer(dst, 0, 1, less(src, SYS_RIGHT_READ), 0));
	OKAY(transfer(less(dst, SYS_RIGHT_READ), 0, 1, src, 0));
	EQ(get(dst, 0), 1);
}

TEST("vmo_transfer_data:OUT_OF_RANGE past either end, wrapping (XFER-04)")
{
	sys_cap_t src = filled_in(ut, 2, 1), dst = filled_in(ut, 2, 9);

	REFUSED(SYS_ERR_OUT_OF_RANGE, transfer(dst, 15, 2, src, 0));
	REFUSED(SYS_ERR_OUT_OF_RANGE, transfer(dst, 0, 2, src, 15));
	REFUSED(SYS_ERR_OUT_OF_RANGE, transfer(dst, 17, 0, src, 0));
	REFUSED(SYS_ERR_OUT_OF_RANGE, transfer(dst, 0, 0, src, 17));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_transfer_data(dst, 0, PAGE, -PAGE, src, 0));
	EQ(get(dst, 0), 9);
}

TEST("vmo_transfer_data:NOT_SUPPORTED a pager's VMO, contiguous ones, on either side (XFER-05)")
{
	sys_cap_t plain = filled_in(ut, 2, 1), row;

	pager_begin();
	supply(0, 1, 7);
	OKAY(sys_vmo_create_contiguous(ut, 2 * PAGE, 0, &row));
	REFUSED(SYS_ERR_NOT_SUPPORTED, transfer(vmo, 0, 1, plain, 0));
	REFUSED(SYS_ERR_NOT_SUPPORTED, transfer(plain, 0, 1, vmo, 0));
	REFUSED(SYS_ERR_NOT_SUPPORTED, transfer(row, 0, 1, plain, 0));
	REFUSED(SYS_ERR_NOT_SUPPORTED, transfer(plain, 0, 1, row, 0));
	REFUSED(SYS_ERR_NOT_SUPPORTED, transfer(plain, 0, 0, row, 0));
	EQ(get(plain, 0), 1);
	EQ(get(vmo, 0), 7);
}

TEST("vmo_transfer_data:BAD_STATE pages that the kernel keeps")
{
	sys_cap_t plain = filled_in(ut, 2, 1), kept = filled_in(ut, 2, 5), thread = new_thread();

	OKAY(sys_thread_set_status_record(thread, kept, PAGE));
	REFUSED(SYS_ERR_BAD_STATE, transfer(kept, 0, 2, plain, 0));
	REFUSED(SYS_ERR_BAD_STATE, transfer(plain, 0, 2, kept, 0));
	OKAY(transfer(plain, 0, 1, kept, 0));
	EQ(get(plain, 0), 5);
}

TEST("vmo_transfer_data:NO_MEMORY a copy that dst's account does not pay for; a move within one takes nothing")
{
	sys_cap_t one = new_untyped(64 * PAGE), src = filled_in(one, 8, 1), dst = new_vmo_in(one, 8 * PAGE);
	sys_cap_t tiny = new_untyped(4 * PAGE), into = new_vmo_in(tiny, 8 * PAGE);
	uint64_t before = used(one);

	OKAY(transfer(dst, 0, 4, src, 0));
	EQ(used(one), before);
	REFUSED(SYS_ERR_NO_MEMORY, transfer(into, 0, 4, src, 4));
	EQ(get(src, 7 * PAGE), 8);
	sys_cap_t child = new_snapshot(src, 0, 8 * PAGE);
	REFUSED(SYS_ERR_NO_MEMORY, transfer(into, 4, 4, child, 4));
	EQ(get(child, 7 * PAGE), 8);
}

TEST("vmo_transfer_data:OK within one object (XFER-07)")
{
	sys_cap_t v = filled_in(ut, 4, 1);
	uint64_t before = used(ut);

	OKAY(transfer(v, 2, 2, v, 0));
	for (uint64_t i = 0; i < 4; i++)
		EQ(get(v, i * PAGE), i < 2 ? 0 : i - 1);
	OKAY(transfer(v, 12, 4, v, 0));         /* out of the first eight pages: into nodes */
	EQ(get(v, 14 * PAGE), 1);
	EQ(get(v, 2 * PAGE), 0);
	OKAY(transfer(v, 0, 4, v, 12));
	EQ(get(v, 3 * PAGE), 2);
	EQ(vmo_info(v).committed, 2 * PAGE);
	CHECK(used(ut) <= before);
}

TEST("vmo_transfer_data:OK out of a snapshot and into one: nobody else changes (XFER-08, XFER-11)")
{
	sys_cap_t parent = filled_in(ut, 6, 1), dst = filled_in(ut, 1, 90);
	sys_cap_t child = new_snapshot(parent, 0, 16 * PAGE), sister = new_snapshot(parent, 0, 16 * PAGE);

	put(child, PAGE, 77);
	OKAY(transfer(dst, 0, 3, child, 0));
	EQ(get(dst, 0), 1);
	EQ(get(dst, PAGE), 77);
	EQ(get(dst, 2 * PAGE), 3);
	for (uint64_t i = 0; i < 6; i++) {
		EQ(get(parent, i * PAGE), 1 + i);
		EQ(get(sister, i * PAGE), 1 + i);
		EQ(get(child, i * PAGE), i < 3 ? 0 : 1 + i);
	}
	OKAY(sys_cap_delete(parent));
	OKAY(transfer(sister, 3, 2, child, 3));
	EQ(get(sister, 4 * PAGE), 5);
	OKAY(transfer(dst, 4, 2, sister, 4));
	EQ(get(dst, 5 * PAGE), 6);
	EQ(get(child, 5 * PAGE), 6);
}

TEST("vmo_transfer_data:OK through slices and references it is their content's (XFER-10)")
{
	sys_cap_t src = filled_in(ut, 8, 1), dst = filled_in(ut, 8, 50), slice, reference;

	OKAY(sys_vmo_create_child(src, ut, SYS_VMO_CHILD_SLICE, 4 * PAGE, 4 * PAGE, &slice));
	OKAY(sys_vmo_create_child(dst, ut, SYS_VMO_CHILD_REFERENCE, 0, 0, &reference));
	OKAY(transfer(reference, 8, 2, slice, 1));
	EQ(get(dst, 8 * PAGE), 6);
	EQ(get(dst, 9 * PAGE), 7);
	EQ(get(src, 5 * PAGE), 0);
	REFUSED(SYS_ERR_OUT_OF_RANGE, transfer(reference, 0, 4, slice, 1));
	REFUSED(SYS_ERR_INVALID_ARGS, transfer(src, 4, 2, slice, 1));
	OKAY(transfer(src, 0, 1, slice, 3));
	EQ(get(src, 0), 8);
}

TEST("vmo_transfer_data:OK both sides mapped, again and again")
{
	sys_cap_t src = new_vmo(64 * PAGE), dst = new_vmo(64 * PAGE);
	volatile uint64_t *a = map(src, 64 * PAGE), *b = map(dst, 64 * PAGE);

	for (unsigned round = 0; round < 20; round++) {
		for (uint64_t i = 0; i < 64; i++) {
			a[i * 512] = 1000 * round + i + 1;
			b[i * 512] = 7;
		}
		OKAY(transfer(dst, 0, 64, src, 0));
		for (uint64_t i = 0; i < 64; i++) {
			EQ(b[i * 512], 1000 * round + i + 1);
			EQ(a[i * 512], 0);
		}
	}
	unmap((void *)a, 64 * PAGE);
	unmap((void *)b, 64 * PAGE);
}

TEST("vmo_transfer_data:OK what was never written hides what a clone of a pager's VMO sees (XFER-09)")
{
	sys_cap_t nothing = new_vmo(8 * PAGE), clone;

	pager_begin();
	supply(0, 4, 10);
	OKAY(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE, 0, PAGES * PAGE, &clone));
	volatile uint64_t *at = map(clone, PAGES * PAGE);
	EQ(at[512], 11);
	OKAY(transfer(clone, 1, 8, nothing, 0));
	expect_none();
	EQ(at[0], 10);
	for (uint64_t i = 1; i < 9; i++)
		EQ(at[i * 512], 0);
	EQ(get(vmo, PAGE), 11);
	unmap((void *)at, PAGES * PAGE);
}

TEST("vmo_transfer_data:OK out of a clone of a pager's VMO: a copy comes, the clone reads zero (XFER-05)")
{
	sys_cap_t dst = filled_in(ut, 8, 50), clone;

	pager_begin();
	supply(0, 3, 10);
	OKAY(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE, 0, PAGES * PAGE, &clone));
	put(clone, PAGE, 99);
	volatile uint64_t *at = map(clone, PAGES * PAGE);
	EQ(at[0] + at[512] + at[1024], 10 + 99 + 12);
	OKAY(transfer(dst, 4, 3, clone, 0));
	EQ(get(dst, 4 * PAGE), 10);
	EQ(get(dst, 5 * PAGE), 99);
	EQ(get(dst, 6 * PAGE), 12);
	EQ(at[0] + at[512] + at[1024], 0);
	EQ(get(vmo, 2 * PAGE), 12);
	REFUSED(SYS_ERR_NOT_SUPPORTED, transfer(dst, 0, 1, vmo, 0));
	unmap((void *)at, PAGES * PAGE);
}

struct move { sys_cap_t dst, src; };
static int64_t moves(void *arg)
{
	struct move *m = arg;
	return transfer(m->dst, 0, 4, m->src, 8);
}

TEST("vmo_transfer_data:OK a clone's missing pages are asked for")
{
	struct move move = {.dst = new_vmo(8 * PAGE)};

	pager_begin();
	OKAY(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE, 0, PAGES * PAGE, &move.src));
	sys_cap_t thread = helper_start(moves, &move);
	expect(8 * PAGE, 4, SYS_ACCESS_READ);
	supply(8, 4, 10);
	EQ(until_exited(thread), SYS_OK);
	EQ(get(move.dst, 3 * PAGE), 21);
	EQ(get(vmo, 11 * PAGE), 21);
}

static const sys_status_t codes[] = {SYS_ERR_IO, SYS_ERR_IO_DATA_INTEGRITY, SYS_ERR_NO_SPACE, SYS_ERR_BUFFER_TOO_SMALL};

TEST("vmo_transfer_data:IO vmo_transfer_data:IO_DATA_INTEGRITY vmo_transfer_data:NO_SPACE "
     "vmo_transfer_data:BUFFER_TOO_SMALL what a pager says of a clone's missing page")
{
	struct move move = {.dst = filled_in(ut, 4, 1)};

	pager_begin();
	OKAY(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE, 0, PAGES * PAGE, &move.src));
	for (unsigned i = 0; i < 4; i++) {
		sys_cap_t thread = helper_start(moves, &move);
		expect(8 * PAGE, 4, SYS_ACCESS_READ);
		fail_range(8, 4, codes[i]);
		EQ(until_exited(thread), codes[i]);
		EQ(get(move.dst, 0), 1);
	}
}

TEST("vmo_transfer_data:SHOULD_WAIT vmo_transfer_data:TIMED_OUT as the thread's page timeout says")
{
	struct move move = {.dst = filled_in(ut, 4, 1)};

	pager_begin();
	OKAY(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE, 0, PAGES * PAGE, &move.src));
	OKAY(sys_thread_set_page_timeout(SYS_CAP_THREAD, 0));
	REFUSED(SYS_ERR_SHOULD_WAIT, transfer(move.dst, 0, 4, move.src, 8));
	OKAY(sys_thread_set_page_timeout(SYS_CAP_THREAD, 1000000));
	REFUSED(SYS_ERR_TIMED_OUT, transfer(move.dst, 0, 4, move.src, 8));
	OKAY(sys_thread_set_page_timeout(SYS_CAP_THREAD, SYS_TIME_INFINITE));
	EQ(get(move.dst, 0), 1);
}
