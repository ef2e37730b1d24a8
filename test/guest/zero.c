/* SPDX-License-Identifier: BSD-2-Clause */
/* zero.c: vmo_op_range ZERO: anonymous content, copies of it. Roots and their clones are rootzero.c's. */
#include "common/content.h"
#include "common/helper.h"

TEST("vmo_op_range:ACCESS_DENIED ZERO without WRITE (VMO-ZERO-01)")
{
	sys_cap_t v = numbered_with(2, 1, 0);

	REFUSED(SYS_ERR_ACCESS_DENIED, range(less(v, SYS_RIGHT_WRITE), SYS_VMO_OP_ZERO, 0, PAGE));
	EQ(get(v, 0), 1);
	zero(less(v, SYS_RIGHT_READ), 0, PAGE);
	EQ(get(v, 0), 0);
}

TEST("vmo_op_range:OK ZERO of any range, and of no byte more (VMO-ZERO-02, VMO-ZERO-03)")
{
	static const struct { uint64_t offset, len; } ranges[] = {{0, 0}, {1, 0}, {4 * 4096, 0}, {0, 1}, {4095, 1}, {4095, 2}, {100, 50}, {4096, 4096},
		{0, 16384}, {1, 16382}, {4000, 8292}, {8192, 100}, {12288 - 1, 4097}, {16383, 1}};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		uint64_t from = ranges[i].offset, end = from + ranges[i].len;
		sys_cap_t v = new_vmo(4 * PAGE);
		put_bytes(v, 0, 4 * PAGE, 0xee);
		zero(v, from, end - from);
		CHECK(all_bytes(v, 0, from, 0xee));
		CHECK(all_bytes(v, from, end - from, 0));
		CHECK(all_bytes(v, end, 4 * PAGE - end, 0xee));
		OKAY(sys_cap_delete(v));
	}
}

TEST("vmo_op_range:OUT_OF_RANGE ZERO past the end, wrapping (VMO-ZERO-19)")
{
	sys_cap_t v = numbered_with(2, 1, 0);

	REFUSED(SYS_ERR_OUT_OF_RANGE, range(v, SYS_VMO_OP_ZERO, 2 * PAGE, 1));
	REFUSED(SYS_ERR_OUT_OF_RANGE, range(v, SYS_VMO_OP_ZERO, 2 * PAGE + 1, 0));
	REFUSED(SYS_ERR_OUT_OF_RANGE, range(v, SYS_VMO_OP_ZERO, 0, 2 * PAGE + 1));
	REFUSED(SYS_ERR_OUT_OF_RANGE, range(v, SYS_VMO_OP_ZERO, PAGE, UINT64_MAX));
	PAGES_ARE(v, 0, 2, 1);
}

TEST("vmo_op_range:OK ZERO gives whole pages back and keeps others; zeros stay free of charge (VMO-ZERO-04, VMO-ZERO-05, INFO-11)")
{
	sys_cap_t v = new_vmo(32 * PAGE);
	uint64_t empty = used(ut);

	zero(v, 0, 32 * PAGE);
	zero(v, 5 * PAGE + 7, 100);
	EQ(committed_of(v), 0);
	EQ(used(ut), empty);
	number(v, 0, 32, 1);
	zero(v, 4 * PAGE + 8, 10 * PAGE);
	EQ(committed_of(v), 23 * PAGE);         /* the two at the edges stay */
	EQ(vmo_info(v).scaled_bytes, 23 * PAGE);
	EQ(get(v, 4 * PAGE), 5);
	EQ(get(v, 14 * PAGE), 0);
	PAGES_ARE(v, 15, 17, 16);
	zero(v, 0, 32 * PAGE);
	EQ(committed_of(v), 0);
	EQ(vmo_info(v).scaled_bytes, 0);
	CHECK(all_bytes(v, 0, 32 * PAGE, 0));
}

TEST("vmo_op_range:OK ZERO through a mapping's eyes, and a later write (VMO-ZERO-03)")
{
	sys_cap_t v = numbered_with(8, 1, 0);
	volatile uint64_t *at = map(v, 8 * PAGE);

	EQ(at[3 * 512], 4);
	zero(v, 3 * PAGE, 2 * PAGE);
	EQ(at[3 * 512], 0);
	at[3 * 512 + 1] = 7;
	EQ(get(v, 3 * PAGE), 0);
	EQ(get(v, 3 * PAGE + 8), 7);
	EQ(at[5 * 512], 6);
	unmap((void *)at, 8 * PAGE);
}

TEST("vmo_op_range:OK ZERO in a copy hides the parent's content, which stays, also when the parent is gone (VMO-ZERO-06, "
     "VMO-ZERO-09)")
{
	sys_cap_t parent = new_vmo(16 * PAGE);

	put_bytes(parent, 0, 16 * PAGE, 9);
	sys_cap_t child = new_snapshot(parent, 0, 16 * PAGE);
	zero(child, PAGE, 2 * PAGE);
	zero(child, 5 * PAGE + 10, 20);
	CHECK(all_bytes(child, PAGE, 2 * PAGE, 0));
	CHECK(all_bytes(child, 5 * PAGE + 10, 20, 0));
	CHECK(all_bytes(child, 5 * PAGE + 30, PAGE, 9));
	CHECK(all_bytes(parent, 0, 16 * PAGE, 9));
	put(child, PAGE + 800, UINT64_MAX);
	CHECK(all_bytes(child, PAGE, 800, 0));
	CHECK(all_bytes(child, PAGE + 808, 2 * PAGE - 808, 0));
	OKAY(sys_cap_delete(parent));
	CHECK(all_bytes(child, 2 * PAGE, PAGE, 0));
	put(child, 2 * PAGE + 8, UINT64_MAX);
	CHECK(all_bytes(child, 2 * PAGE, 8, 0));
	CHECK(all_bytes(child, 3 * PAGE, 2 * PAGE, 9));
}

TEST("vmo_op_range:OK ZERO in a parent: its copies keep what they see, and have it alone; later copies see zeros (VMO-ZERO-07, "
     "VMO-ZERO-08, VMO-ZERO-10)")
{
	sys_cap_t parent = numbered_with(4, 1, 0), one = new_snapshot(parent, 0, 4 * PAGE), two = new_snapshot(parent, 0, 2 * PAGE);

	zero(parent, 0, 4 * PAGE);
	PAGES_ARE(one, 0, 4, 1);
	PAGES_ARE(two, 0, 2, 1);
	EQ(committed_of(parent), 0);
	EQ(vmo_info(parent).scaled_bytes, 0);
	EQ(private_of(one), 2 * PAGE);
	EQ(vmo_info(one).scaled_bytes, 3 * PAGE);
	EQ(vmo_info(two).scaled_bytes, PAGE);
	sys_cap_t later = new_snapshot(parent, 0, 4 * PAGE);
	CHECK(all_bytes(later, 0, 4 * PAGE, 0));
	zero(two, 0, PAGE);
	EQ(private_of(one), 3 * PAGE);
}
