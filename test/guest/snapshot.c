/* SPDX-License-Identifier: BSD-2-Clause */
/* snapshot.c: vmo_create_child(SNAPSHOT): an eager copy as far as anyone can see, at any window, any depth, mapped or
 * not; what it costs and who pays. */
#include "common/content.h"
#include "common/helper.h"

#include <string.h>

enum { DEEP = 1000 };

TEST("vmo_create_child:OK neither side sees the other's later writes (CHILD-SNAP-01)")
{
	sys_cap_t vmo = new_vmo(4 * PAGE);

	for (uint64_t i = 0; i < 3; i++)
		put(vmo, i * PAGE, 10 + i);
	sys_cap_t child = new_snapshot(vmo, 0, 4 * PAGE);
	put(vmo, 0, 20);
	put(child, PAGE, 31);
	put(child, 3 * PAGE, 33);
	static const uint64_t in_vmo[] = {20, 11, 12, 0}, in_child[] = {10, 31, 12, 33};
	for (uint64_t i = 0; i < 4; i++) {
		EQ(get(vmo, i * PAGE), in_vmo[i]);
		EQ(get(child, i * PAGE), in_child[i]);
	}
}

TEST("vmo_create_child:OK mapped writable parents lose their write access (CHILD-SNAP-02)")
{
	sys_cap_t vmo = new_vmo(40 * PAGE);
	volatile uint64_t *at = map(vmo, 40 * PAGE);

	for (uint64_t i = 0; i < 40; i++)
		at[i * 512] = i + 1;
	sys_cap_t child = new_snapshot(vmo, 0, 40 * PAGE);
	volatile uint64_t *copy = map(child, 40 * PAGE);
	for (uint64_t i = 0; i < 40; i++) {
		at[i * 512] = 1000 + i;
		EQ(copy[i * 512], i + 1);
		copy[i * 512 + 1] = i;
		EQ(at[i * 512 + 1], 0);
		EQ(at[i * 512], 1000 + i);
	}
	unmap((void *)at, 40 * PAGE);
	unmap((void *)copy, 40 * PAGE);
}

TEST("vmo_create_child:OK a window, also past the end, is cut from the parent (CHILD-05)")
{
	sys_cap_t vmo = new_vmo(8 * PAGE);

	for (uint64_t i = 0; i < 8; i++)
		put(vmo, i * PAGE, i + 1);
	sys_cap_t child = new_snapshot(vmo, 3 * PAGE, 2 * PAGE), past = new_snapshot(vmo, 6 * PAGE, 5 * PAGE);
	sys_cap_t beyond = new_snapshot(vmo, 100 * PAGE, PAGE);
	EQ(get(child, 0), 4);
	EQ(get(child, PAGE), 5);
	EQ(vmo_info(child).size, 2 * PAGE);
	EQ(get(past, PAGE), 8);
	EQ(get(past, 2 * PAGE), 0);
	EQ(get(beyond, 0), 0);
	put(past, 2 * PAGE, 77);
	put(past, 0, 78);
	EQ(get(vmo, 6 * PAGE), 7);
	sys_cap_t inner = new_snapshot(past, PAGE, 4 * PAGE);
	EQ(get(inner, 0), 8);
	EQ(get(inner, PAGE), 77);
	EQ(get(inner, 3 * PAGE), 0);
}

TEST("vmo_create_child:OK a middle clone hides what is past its end (CHILD-SNAP-13)")
{
	sys_cap_t vmo = new_vmo(4 * PAGE);

	for (uint64_t i = 0; i < 4; i++)
		put(vmo, i * PAGE, i + 1);
	sys_cap_t middle = new_snapshot(vmo, 0, 2 * PAGE), leaf = new_snapshot(middle, 0, 4 * PAGE);
	EQ(get(leaf, PAGE), 2);
	EQ(get(leaf, 2 * PAGE), 0);
	EQ(get(leaf, 3 * PAGE), 0);
}

TEST("vmo_create_child:OK the size is rounded, RESIZABLE and NO_WRITE (CHILD-04, CHILD-07, CHILD-08, "
     "CHILD-09, CHILD-10, CHILD-11, CHILD-12)")
{
	sys_cap_t vmo = new_vmo(4 * PAGE), child, out = 99;

	OKAY(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_RESIZABLE, 0, PAGE + 1, &child));
	sys_vmo_info_t info = vmo_info(child);
	EQ(info.size, 2 * PAGE);
	EQ(info.stream_size, PAGE + 1);
	EQ(info.flags, SYS_VMO_INFO_COW_CLONE | SYS_VMO_INFO_RESIZABLE);
	EQ(info.parent_koid, cap_info(vmo).koid);
	EQ(info.rights, SYS_RIGHTS_VMO);
	EQ(vmo_info(vmo).children, 1);
	OKAY(sys_vmo_set_size(child, 8 * PAGE));
	sys_cap_t fixed = new_snapshot(vmo, 0, PAGE);
	EQ(cap_info(fixed).rights, SYS_RIGHTS_VMO & ~SYS_RIGHT_RESIZE);
	STATUS(SYS_ERR_UNAVAILABLE, sys_vmo_set_size(fixed, PAGE));
	EQ(vmo_info(vmo).children, 2);
	OKAY(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_NO_WRITE, 0, PAGE, &child));
	EQ(cap_info(child).rights, SYS_RIGHTS_VMO & ~(SYS_RIGHT_RESIZE | SYS_RIGHT_WRITE));
	STATUS(SYS_ERR_ACCESS_DENIED, sys_vmo_write(child, "x", 0, 1));
	sys_cap_t again = new_snapshot(child, 0, PAGE);
	put(again, 0, 4);
	sys_cap_t of_weak = new_snapshot(reduced(vmo, SYS_RIGHT_READ | SYS_RIGHT_COPY), 0, PAGE);
	CHECK((cap_info(of_weak).rights & SYS_RIGHT_WRITE) && !(cap_info(of_weak).rights & SYS_RIGHT_MAP));
	REFUSED(SYS_ERR_INVALID_ARGS,
		sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_NO_WRITE | SYS_VMO_CHILD_RESIZABLE,
			0, PAGE, &out));
}

TEST("vmo_create_child:INVALID_ARGS no kind, two kinds, unknown options, an offset within a page (CHILD-01, "
     "CHILD-03)")
{
	sys_cap_t vmo = new_vmo(4 * PAGE), out = 99;

	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_child(vmo, ut, 0, 0, PAGE, &out));
	REFUSED(SYS_ERR_INVALID_ARGS,
		sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_SLICE, 0, PAGE, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT | 1u << 30, 0, PAGE, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT, 1, PAGE, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT, PAGE + 2048, PAGE, &out));
	EQ(out, 99);
	EQ(vmo_info(vmo).children, 0);
}

TEST("vmo_create_child:OUT_OF_RANGE a size or an end that cannot be (CHILD-06)")
{
	sys_cap_t vmo = new_vmo(4 * PAGE), out = 99;

	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT, 0, UINT64_MAX, &out));
	REFUSED(SYS_ERR_OUT_OF_RANGE,
		sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT, UINT64_MAX - PAGE + 1, 2 * PAGE, &out));
	EQ(out, 99);
}

TEST("vmo_set_size:INVALID_ARGS vmo_create_child:INVALID_ARGS a copy whose pages, counted in the first original, would wrap "
     "(VMO-SIZE-16, CHILD-06)")
{
	const uint64_t half = 1ull << 63;
	sys_cap_t vmo = new_vmo(PAGE), copy, out = 99;

	OKAY(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_RESIZABLE, half, PAGE, &copy));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_set_size(copy, half + 1));
	EQ(size_of(copy), PAGE);
	OKAY(sys_vmo_set_size(copy, half));
	put(copy, half - PAGE, 7);
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_child(copy, ut, SYS_VMO_CHILD_SNAPSHOT, half - PAGE, 2 * PAGE, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_child(copy, ut, SYS_VMO_CHILD_SNAPSHOT, half, 1, &out));
	EQ(out, 99);
	EQ(get(new_snapshot(copy, half - PAGE, PAGE), 0), 7);
}

TEST("vmo_create_child:NOT_SUPPORTED SNAPSHOT of a pager's VMO (CHILD-SNAP-03)")
{
	sys_cap_t pager = new_pager(NULL), vmo, out = 99;

	OKAY(sys_pager_create_vmo(pager, ut, 0, 1, 4 * PAGE, &vmo));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE, &out));
	EQ(out, 99);
}

TEST("vmo_create_child:NO_MEMORY the child's account must hold all that it reaches; then no write can fail")
{
	sys_cap_t vmo = new_vmo(64 * PAGE), small = new_untyped(20 * PAGE), child, out = 99;

	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, 64 * PAGE, NULL, 0));
	REFUSED(SYS_ERR_NO_MEMORY, sys_vmo_create_child(vmo, small, SYS_VMO_CHILD_SNAPSHOT, 0, 64 * PAGE, &out));
	EQ(used(small), 0);
	EQ(out, 99);
	EQ(vmo_info(vmo).children, 0);
	OKAY(sys_vmo_create_child(vmo, small, SYS_VMO_CHILD_SNAPSHOT, 10 * PAGE, 16 * PAGE, &child));
	CHECK(used(small) >= 16 * PAGE);
	sys_cap_t rest = new_vmo_in(small, 64 * PAGE);
	for (uint64_t i = 0; sys_vmo_op_range(rest, SYS_VMO_OP_COMMIT, i * PAGE, PAGE, NULL, 0) == SYS_OK; i++)
		;
	EQ(used(small), 20 * PAGE);
	for (uint64_t i = 0; i < 16; i++)
		put(child, i * PAGE, i);
	for (uint64_t i = 0; i < 64; i++)
		put(vmo, i * PAGE, i + 100);
	for (uint64_t i = 0; i < 16; i++)
		EQ(get(child, i * PAGE), i);
}

TEST("a copy-on-write fault cannot fail for memory either, mapped, with every account full")
{
	sys_cap_t a = new_untyped(24 * PAGE), b = new_untyped(24 * PAGE), vmo = new_vmo_in(a, 16 * PAGE), child;

	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, 16 * PAGE, NULL, 0));
	OKAY(sys_vmo_create_child(vmo, b, SYS_VMO_CHILD_SNAPSHOT, 0, 16 * PAGE, &child));
	sys_cap_t fill_a = new_vmo_in(a, 64 * PAGE), fill_b = new_vmo_in(b, 64 * PAGE);
	for (uint64_t i = 0; sys_vmo_op_range(fill_a, SYS_VMO_OP_COMMIT, i * PAGE, PAGE, NULL, 0) == SYS_OK; i++)
		;
	for (uint64_t i = 0; sys_vmo_op_range(fill_b, SYS_VMO_OP_COMMIT, i * PAGE, PAGE, NULL, 0) == SYS_OK; i++)
		;
	volatile uint64_t *x = map(vmo, 16 * PAGE), *y = map(child, 16 * PAGE);
	for (uint64_t i = 0; i < 16; i++) {
		x[i * 512] = i + 1;
		y[i * 512] = i + 101;
	}
	for (uint64_t i = 0; i < 16; i++) {
		EQ(x[i * 512], i + 1);
		EQ(y[i * 512], i + 101);
	}
	unmap((void *)x, 16 * PAGE);
	unmap((void *)y, 16 * PAGE);
}

TEST("the parent's end, in any order, leaves the others' content and no page behind (CHILD-19, CHILD-20, "
     "CHILD-SNAP-12)")
{
	uint64_t before = used(ut);

	for (int order = 0; order < 6; order++) {
		static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
		sys_cap_t vmo[3] = {new_vmo(20 * PAGE)};
		for (uint64_t i = 0; i < 20; i++)
			put(vmo[0], i * PAGE, i + 1);
		vmo[1] = new_snapshot(vmo[0], 0, 20 * PAGE);
		put(vmo[1], 5 * PAGE, 500);
		vmo[2] = new_snapshot(vmo[1], 0, 20 * PAGE);
		put(vmo[0], 6 * PAGE, 600);
		for (int i = 0; i < 3; i++) {
			OKAY(sys_cap_delete(vmo[orders[order][i]]));
			for (int j = i + 1; j < 3; j++) {
				int other = orders[order][j];
				EQ(get(vmo[other], 5 * PAGE), other == 0 ? 6 : 500);
				EQ(get(vmo[other], 6 * PAGE), other == 0 ? 600 : 7);
				EQ(get(vmo[other], 19 * PAGE), 20);
			}
		}
		EQ(used(ut), before);
	}
}

TEST("a snapshot outlives the account of its parent")
{
	sys_cap_t other = new_untyped(64 * PAGE), vmo = new_vmo_in(other, 20 * PAGE);

	for (uint64_t i = 0; i < 20; i++)
		put(vmo, i * PAGE, i + 1);
	sys_cap_t child = new_snapshot(vmo, 0, 20 * PAGE);
	OKAY(sys_cap_delete(other));
	CHECK(cap_is_gone(vmo));
	for (uint64_t i = 0; i < 20; i++)
		EQ(get(child, i * PAGE), i + 1);
	put(child, PAGE, 9);
	EQ(get(child, PAGE), 9);
	EQ(vmo_info(child).private_bytes, 20 * PAGE);
}

TEST("the last sharer writes in place, and figures follow (CHILD-SNAP-10, INFO-02, INFO-03, INFO-06)")
{
	sys_cap_t vmo = new_vmo(16 * PAGE);
	uint64_t empty = used(ut);

	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, 16 * PAGE, NULL, 0));
	uint64_t alone = used(ut);
	sys_cap_t child = new_snapshot(vmo, 0, 16 * PAGE);
	EQ(vmo_info(vmo).committed, 16 * PAGE);
	EQ(vmo_info(child).committed, 16 * PAGE);
	EQ(vmo_info(vmo).private_bytes, 0);
	EQ(vmo_info(vmo).scaled_bytes + vmo_info(child).scaled_bytes, 16 * PAGE);
	put(vmo, 0, 1);
	EQ(vmo_info(vmo).private_bytes, PAGE);
	EQ(vmo_info(child).private_bytes, PAGE);
	EQ(vmo_info(vmo).scaled_bytes + vmo_info(child).scaled_bytes, 17 * PAGE);
	OKAY(sys_cap_delete(child));
	EQ(used(ut), alone);
	EQ(vmo_info(vmo).private_bytes, 16 * PAGE);
	put(vmo, 5 * PAGE, 2);
	EQ(used(ut), alone);
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, 0, 16 * PAGE, NULL, 0));
	EQ(used(ut), empty);
}

TEST("set_size and decommit on one side never change the other (CHILD-SNAP-14, CHILD-SNAP-15, CHILD-SNAP-16, "
     "VMO-DECOMMIT-08)")
{
	sys_cap_t vmo = new_resizable(20 * PAGE), child;

	for (uint64_t i = 0; i < 20; i++)
		put(vmo, i * PAGE, i + 1);
	OKAY(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_RESIZABLE, 0, 20 * PAGE, &child));
	OKAY(sys_vmo_set_size(child, 4 * PAGE));
	OKAY(sys_vmo_set_size(child, 20 * PAGE));
	EQ(get(child, 3 * PAGE), 4);
	EQ(get(child, 4 * PAGE), 0);
	EQ(get(vmo, 4 * PAGE), 5);
	OKAY(sys_vmo_op_range(child, SYS_VMO_OP_DECOMMIT, 0, 2 * PAGE, NULL, 0));
	EQ(get(child, PAGE), 0);
	EQ(get(vmo, PAGE), 2);
	OKAY(sys_vmo_set_size(vmo, 0));
	EQ(get(child, 3 * PAGE), 4);
	OKAY(sys_vmo_set_size(vmo, 20 * PAGE));
	EQ(get(vmo, 3 * PAGE), 0);
	EQ(get(child, 3 * PAGE), 4);
}

TEST("a thousand generations of clones: each keeps its own, and all end (CHILD-22)")
{
	uint64_t before = used(ut);
	sys_cap_t last = new_vmo(8 * PAGE);

	for (uint64_t i = 0; i < 8; i++)
		put(last, i * PAGE, i);
	for (uint64_t i = 0; i < DEEP; i++) {
		sys_cap_t next = new_snapshot(last, 0, 8 * PAGE);
		put(next, i % 8 * PAGE, 1000 + i);
		OKAY(sys_cap_delete(last));
		last = next;
	}
	for (uint64_t i = 0; i < 8; i++)
		EQ(get(last, i * PAGE), 1000 + (DEEP - 8 + i));
	OKAY(sys_cap_delete(last));
	EQ(used(ut), before);
}

TEST("many clones at once of one content")
{
	enum { CLONES = 100 };
	uint64_t before = used(ut);
	sys_cap_t vmo = new_vmo(12 * PAGE), clone[CLONES];

	for (uint64_t i = 0; i < 12; i++)
		put(vmo, i * PAGE, i + 1);
	for (int i = 0; i < CLONES; i++)
		clone[i] = new_snapshot(vmo, 0, 12 * PAGE);
	EQ(vmo_info(vmo).children, CLONES);
	for (int i = 0; i < CLONES; i += 3)
		put(clone[i], (uint64_t)i % 12 * PAGE, 7000 + (uint64_t)i);
	for (int i = 0; i < CLONES; i++) {
		EQ(get(clone[i], (uint64_t)i % 12 * PAGE), i % 3 == 0 ? 7000 + (uint64_t)i : (uint64_t)i % 12 + 1);
		EQ(get(clone[i], (uint64_t)(i + 1) % 12 * PAGE), (uint64_t)(i + 1) % 12 + 1);
	}
	for (int i = 0; i < CLONES; i++)
		OKAY(sys_cap_delete(clone[(i * 37) % CLONES]));
	EQ(vmo_info(vmo).children, 0);
	OKAY(sys_cap_delete(vmo));
	EQ(used(ut), before);
}

TEST("a large snapshot shares its tree: it costs few frames beyond what it is charged")
{
	sys_cap_t vmo = new_vmo(1ull << 30), machine = SYS_CAP_RESOURCE;
	sys_machine_info_t before, after_it;

	for (uint64_t i = 0; i < 1024; i++)
		put(vmo, i * PAGE, i + 1);
	OKAY(sys_system_info(machine, SYS_TOPIC_MACHINE, &before, sizeof(before)));
	sys_cap_t child = new_snapshot(vmo, 0, 1ull << 30);
	OKAY(sys_system_info(machine, SYS_TOPIC_MACHINE, &after_it, sizeof(after_it)));
	CHECK(before.free_frames - after_it.free_frames <= 8);
	for (uint64_t i = 0; i < 1024; i += 100)
		EQ(get(child, i * PAGE), i + 1);
}

struct writer { volatile uint64_t *at; volatile bool stop; };

/* Writes an always growing number over all pages, again and again: in any one instant each page is at most one behind.
 */
static int64_t writes_on(void *arg)
{
	struct writer *writer = arg;
	for (uint64_t value = 1; !writer->stop; value++)
		for (int page = 0; page < 16; page++)
			writer->at[page * 512] = value;
	return 0;
}

TEST("a snapshot is one point in time, taken while another thread writes (RACE-10)")
{
	sys_cap_t vmo = new_vmo(16 * PAGE);
	struct writer writer = {map(vmo, 16 * PAGE), false};
	sys_cap_t thread = helper_start(writes_on, &writer);

	for (int round = 0; round < 50; round++) {
		sleep_for(20000 + round * 1777);
		sys_cap_t child = new_snapshot(vmo, 0, 16 * PAGE);
		uint64_t first = get(child, 0), previous = first;
		for (uint64_t page = 1; page < 16; page++) {
			uint64_t value = get(child, page * PAGE);
			CHECK(value == previous || (value == first - 1 && previous == first));
			previous = value;
		}
		EQ(get(child, 0), first);
		OKAY(sys_cap_delete(child));
	}
	writer.stop = true;
	EQ(until_exited(thread), 0);
	unmap((void *)writer.at, 16 * PAGE);
}
