/* SPDX-License-Identifier: BSD-2-Clause */
/* unbounded.c: VMOs made UNBOUNDED: as large as there can be. */
#include "common/client.h"
#include "common/content.h"

#define LARGEST (-64 * PAGE)

static sys_cap_t unbounded(uint64_t size)
{
	sys_cap_t v;
	OKAY(sys_vmo_create(ut, size, SYS_VMO_UNBOUNDED, &v));
	return v;
}

TEST("vmo_create:OK UNBOUNDED is the largest there is, what was asked for is its stream's size (VMO-CREATE-07, VMO-CREATE-14)")
{
	sys_cap_t v = unbounded(PAGE + 5);

	EQ(size_of(v), LARGEST);
	EQ(stream_of(v), PAGE + 5);
	EQ(size_of(unbounded(0)), LARGEST);
	EQ(stream_of(unbounded(0)), 0);
	EQ(vmo_info(v).flags, SYS_VMO_INFO_UNBOUNDED);
	EQ(size_of(new_vmo(LARGEST)), LARGEST);
}

TEST("vmo_info:OK a slice of an UNBOUNDED object has an end, a reference has none (INFO-16)")
{
	sys_cap_t v = unbounded(PAGE), slice = child_of(v, SYS_VMO_CHILD_SLICE, 0, PAGE);

	EQ(vmo_info(slice).flags, SYS_VMO_INFO_SLICE);
	EQ(vmo_info(child_of(slice, SYS_VMO_CHILD_REFERENCE, 0, 0)).flags, SYS_VMO_INFO_REFERENCE);
	EQ(vmo_info(child_of(v, SYS_VMO_CHILD_REFERENCE, 0, 0)).flags, SYS_VMO_INFO_REFERENCE | SYS_VMO_INFO_UNBOUNDED);
}

TEST("vmo_set_size:UNAVAILABLE UNBOUNDED has no RESIZE (VMO-CREATE-15)")
{
	sys_cap_t v = unbounded(PAGE);

	EQ(cap_info(v).rights, SYS_RIGHTS_VMO & ~SYS_RIGHT_RESIZE);
	REFUSED(SYS_ERR_UNAVAILABLE, sys_vmo_set_size(v, PAGE));
	OKAY(sys_vmo_set_stream_size(v, 1ull << 50));
	EQ(stream_of(v), 1ull << 50);
}

TEST("vmo_write:OK vmo_read:OK UNBOUNDED up to its end, vmo_write:OUT_OF_RANGE not behind it (VMO-CREATE-16)")
{
	sys_cap_t v = unbounded(0);
	uint64_t word = 5;

	put(v, LARGEST - 8, 9);
	put(v, 1ull << 40, 10);
	EQ(get(v, LARGEST - 8), 9);
	EQ(get(v, 1ull << 40), 10);
	EQ(get(v, 1ull << 41), 0);
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_write(v, &word, LARGEST, 1));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_read(v, &word, LARGEST - 7, 8));
}

TEST("pager_create_vmo:INVALID_ARGS UNBOUNDED with a stream beyond what there can be; pager_create_vmo:OK up to that "
     "(VMO-STREAM-12)")
{
	sys_cap_t out = 99;

	pager_begin();
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_create_vmo(pager, ut, SYS_VMO_UNBOUNDED, KEY, UINT64_MAX, &out));
	EQ(out, 99);
	OKAY(sys_pager_create_vmo(pager, ut, SYS_VMO_UNBOUNDED, KEY, PAGE, &out));
	EQ(size_of(out), LARGEST);
	EQ(stream_of(out), PAGE);
	REFUSED(SYS_ERR_UNAVAILABLE, sys_vmo_set_size(out, PAGE));
}
