/* SPDX-License-Identifier: BSD-2-Clause */
/* stream.c: the stream size of VMOs: how many of their bytes mean something. */
#include "common/content.h"
#include "common/helper.h"
#include "common/region.h"

#define BOUNDED (SYS_VM_PERM_READ | SYS_VM_PERM_WRITE | SYS_VM_ALLOW_FAULTS | SYS_VM_FAULT_BEYOND_STREAM_SIZE)

TEST("vmo_get_stream_size:OK begins as the size that was asked for (VMO-STREAM-01, VMO-CREATE-20)")
{
	static const uint64_t sizes[] = {0, 1, 100, 4095, 4096, 4097, 10 * 4096 - 1};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		EQ(stream_of(new_vmo(sizes[i])), sizes[i]);
		EQ(stream_of(new_resizable(sizes[i])), sizes[i]);
	}
	EQ(stream_of(child_of(new_vmo(4 * PAGE), SYS_VMO_CHILD_SNAPSHOT, 0, PAGE + 5)), PAGE + 5);
}

TEST("vmo_set_stream_size:OK anything up to the size, which stays (VMO-STREAM-02)")
{
	static const uint64_t sizes[] = {0, 4 * 4096, 1, 4097, 4 * 4096 - 1, 4096};
	const sys_cap_t vmos[] = {new_vmo(4 * PAGE), new_resizable(4 * PAGE)};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int j = 0; j < 2; j++) {
			OKAY(sys_vmo_set_stream_size(vmos[j], sizes[i]));
			EQ(stream_of(vmos[j]), sizes[i]);
			EQ(vmo_info(vmos[j]).stream_size, sizes[i]);
			EQ(size_of(vmos[j]), 4 * PAGE);
		}
}

TEST("vmo_set_stream_size:OUT_OF_RANGE beyond the size (VMO-STREAM-03)")
{
	sys_cap_t v = new_vmo(PAGE + 1);

	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_set_stream_size(v, 2 * PAGE + 1));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_set_stream_size(v, UINT64_MAX));
	EQ(stream_of(v), PAGE + 1);
	OKAY(sys_vmo_set_stream_size(v, 2 * PAGE));
}

TEST("vmo_set_stream_size:ACCESS_DENIED without WRITE, without SET_PROPERTY (VMO-STREAM-05)")
{
	sys_cap_t v = new_vmo(PAGE);

	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmo_set_stream_size(less(v, SYS_RIGHT_WRITE), 5));
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmo_set_stream_size(less(v, SYS_RIGHT_SET_PROPERTY), 5));
	EQ(stream_of(v), PAGE);
	OKAY(sys_vmo_set_stream_size(reduced(v, SYS_RIGHT_WRITE | SYS_RIGHT_SET_PROPERTY), 5));
}

TEST("vmo_set_stream_size:OK raised and lowered: what lies between reads as zero, what lies below stays (VMO-STREAM-06, "
     "VMO-STREAM-07, VMO-STREAM-08)")
{
	static const struct { uint64_t from, to; } steps[] = {{4096, 3 * 4096}, {100, 8 * 4096}, {8 * 4096, 4096}, {3 * 4096 + 7, 2 * 4096 + 9},
		{4096 + 100, 4096 + 300}, {4096 + 300, 4096 + 100}, {0, 1}, {1, 0}, {8 * 4096, 0}, {0, 8 * 4096}};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		uint64_t from = steps[i].from, to = steps[i].to, low = from < to ? from : to, high = from < to ? to : from;
		sys_cap_t v = new_vmo(8 * PAGE);
		OKAY(sys_vmo_set_stream_size(v, from));
		put_bytes(v, 0, 8 * PAGE, 9);   /* also behind the stream's end */
		OKAY(sys_vmo_set_stream_size(v, to));
		CHECK(all_bytes(v, 0, low, 9));
		CHECK(all_bytes(v, low, high - low, 0));
		OKAY(sys_cap_delete(v));
	}
}

struct setter { sys_cap_t vmo; uint64_t size; volatile bool go; };

static int64_t sets(void *arg)
{
	struct setter *setter = arg;
	while (!setter->go)
		sys_thread_yield();
	return sys_vmo_set_stream_size(setter->vmo, setter->size);
}

/* Between any two of the three sizes all is zero, and nothing else is. */
static void set_by_two(uint64_t from, uint64_t a, uint64_t b)
{
	uint64_t low = from < a ? from : a, high = from < a ? a : from;
	sys_cap_t v = numbered_with(400, 1, 0);

	OKAY(sys_vmo_set_stream_size(v, from * PAGE));
	number(v, from, 400 - from, from + 1);  /* also behind the stream's end */
	struct setter setter = {v, a * PAGE, false};
	sys_cap_t thread = helper_start(sets, &setter);
	setter.go = true;
	OKAY(sys_vmo_set_stream_size(v, b * PAGE));
	EQ(until_exited(thread), SYS_OK);
	CHECK(stream_of(v) == a * PAGE || stream_of(v) == b * PAGE);
	low = low < b ? low : b;
	high = high > b ? high : b;
	for (uint64_t i = 0; i < 400; i++)
		EQ(get(v, i * PAGE), i >= low && i < high ? 0 : i + 1);
	OKAY(sys_cap_delete(thread));
	OKAY(sys_cap_delete(v));
	helper_drop(1);
}

TEST("vmo_set_stream_size:OK by two at the same time: one after the other, either way (VMO-STREAM-06, VMO-STREAM-07)")
{
	static const uint64_t sizes[] = {5, 200, 395};

	for (unsigned i = 0; i < 27; i++)
		set_by_two(sizes[i % 3], sizes[i / 3 % 3], sizes[i / 9]);
}

TEST("vmo_create_child:OK a slice has a stream size of its own, a reference its parent's (VMO-STREAM-10, VMO-STREAM-11)")
{
	sys_cap_t v = new_vmo(8 * PAGE), slice = slice_of(v, PAGE, 3 * PAGE), reference = reference_of(v);

	EQ(stream_of(slice), 3 * PAGE);
	OKAY(sys_vmo_set_stream_size(v, 5));
	EQ(stream_of(slice), 3 * PAGE);
	EQ(stream_of(reference), 5);
	OKAY(sys_vmo_set_stream_size(slice, 77));
	EQ(stream_of(v), 5);
	OKAY(sys_vmo_set_stream_size(reference, 600));
	EQ(stream_of(v), 600);
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_set_stream_size(slice, 3 * PAGE + 1));
	put_bytes(v, PAGE, 3 * PAGE, 9);
	OKAY(sys_vmo_set_stream_size(slice, PAGE));
	CHECK(all_bytes(v, PAGE + 77, PAGE - 77, 0));
	CHECK(all_bytes(v, 2 * PAGE, 2 * PAGE, 9));
}

TEST("vmar_map:OK with the option: faults behind the page in which the stream ends, which is there whole (VMO-STREAM-13, "
     "VMO-STREAM-14, VMO-STREAM-20)")
{
	sys_cap_t v = numbered(8, 1);

	OKAY(sys_vmo_set_stream_size(v, 2 * PAGE + 100));
	region_begin();
	map_at(0, v, BOUNDED, 0, 8);
	map_at(20, v, RW, 0, 8);
	EQ(*page_at(1), 2);
	EQ(*page_at(2), 3);
	volatile uint64_t *last = page_at(2) + 511;
	*last = 5;
	EQ(*last, 5);
	for (uint64_t page = 3; page < 8; page++) {
		FAULTS(READ, SYS_ERR_OUT_OF_RANGE, page_at(page));
		FAULTS(WRITE, SYS_ERR_OUT_OF_RANGE, page_at(page));
		NO_FAULT(WRITE, page_at(20 + page));
	}
	put(v, 5 * PAGE, 60);
	EQ(get(v, 5 * PAGE), 60);
	region_end();
}

TEST("vmar_map:OK with the option: follows the stream size as it is raised and lowered (VMO-STREAM-15)")
{
	sys_cap_t v = numbered(8, 1);

	region_begin();
	map_at(0, v, BOUNDED, 0, 8);
	for (uint64_t page = 0; page < 8; page++)
		EQ(*page_at(page), page + 1);
	OKAY(sys_vmo_set_stream_size(v, PAGE));
	EQ(*page_at(0), 1);
	FAULTS(READ, SYS_ERR_OUT_OF_RANGE, page_at(1));
	FAULTS(WRITE, SYS_ERR_OUT_OF_RANGE, page_at(7));
	OKAY(sys_vmo_set_stream_size(v, 4 * PAGE));
	EQ(*page_at(3), 0);
	*page_at(3) = 7;
	FAULTS(READ, SYS_ERR_OUT_OF_RANGE, page_at(4));
	OKAY(sys_vmo_set_stream_size(v, 0));
	FAULTS(READ, SYS_ERR_OUT_OF_RANGE, page_at(0));
	region_end();
}

TEST("vmar_map:INVALID_ARGS the option without ALLOW_FAULTS; vmar_map:NOT_SUPPORTED for a contiguous VMO (VMO-STREAM-16, "
     "VMO-STREAM-17)")
{
	sys_cap_t v = new_vmo(PAGE), contiguous;
	sys_vaddr_t at = 99;

	OKAY(sys_vmo_create_contiguous(ut, PAGE, 0, &contiguous));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmar_map(SYS_CAP_VMAR, BOUNDED & ~SYS_VM_ALLOW_FAULTS, 0, v, 0, PAGE, &at));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_vmar_map(SYS_CAP_VMAR, BOUNDED, 0, contiguous, 0, PAGE, &at));
	EQ(at, 99);
}

TEST("vmar_map:OK MAP_RANGE with the option maps up to the stream's end (VMO-STREAM-19)")
{
	sys_cap_t v = numbered(8, 1);

	OKAY(sys_vmo_set_stream_size(v, 2 * PAGE + 5));
	put(v, 4 * PAGE, 9);
	region_begin();
	map_at(0, v, BOUNDED | SYS_VM_MAP_RANGE, 0, 8);
	for (uint64_t page = 0; page < 3; page++)
		EQ(*page_at(page), page + 1);
	FAULTS(READ, SYS_ERR_OUT_OF_RANGE, page_at(4));
	region_end();
}
