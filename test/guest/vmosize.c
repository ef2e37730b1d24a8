/* SPDX-License-Identifier: BSD-2-Clause */
/* vmosize.c: the size of VMOs, and what mappings see of it. The plain cases are vmo.c's, roots' are pager.c's. */
#include "common/content.h"
#include "common/helper.h"

#include <string.h>

TEST("vmo_create:OK every size up to four pages, byte by byte (VMO-CREATE-01, VMO-CREATE-02, VMO-CREATE-20)")
{
	for (uint64_t size = 0; size <= 4 * PAGE; size++) {
		sys_cap_t vmo = new_vmo(size);
		EQ(size_of(vmo), (size + PAGE - 1) / PAGE * PAGE);
		EQ(vmo_info(vmo).stream_size, size);
		OKAY(sys_cap_delete(vmo));
	}
}

TEST("vmo_create:OK has all rights but EXECUTE, and RESIZE only with RESIZABLE (VMO-CREATE-08, VMO-CREATE-09, "
     "VMO-CREATE-10)")
{
	sys_cap_t fixed = new_vmo(PAGE), resizable = new_resizable(PAGE);

	EQ(cap_info(fixed).rights, SYS_RIGHTS_VMO & ~SYS_RIGHT_RESIZE);
	EQ(cap_info(resizable).rights, SYS_RIGHTS_VMO);
	CHECK(!(cap_info(resizable).rights & SYS_RIGHT_EXECUTE));
}

TEST("cap_watch:OK a new VMO has no children, and says so at once (VMO-CREATE-19)")
{
	sys_cap_t vmo = new_vmo(PAGE), resizable = new_resizable(0);

	CHECK(told(watch_children(vmo)));
	CHECK(told(watch_children(resizable)));
}

TEST("vmo_set_size:OK to the size it has, mapped; the last page is there whole (VMO-SIZE-07, VMO-SIZE-14)")
{
	sys_cap_t vmo = new_resizable(4 * PAGE);
	volatile uint8_t *at = map(vmo, 4 * PAGE);

	memset((void *)(uintptr_t)at, 8, 4 * PAGE);
	OKAY(sys_vmo_set_size(vmo, 4 * PAGE));
	CHECK(all_bytes(vmo, 0, 4 * PAGE, 8));
	EQ(at[3 * PAGE], 8);
	OKAY(sys_vmo_set_size(vmo, 2 * PAGE + 100));
	EQ(at[2 * PAGE + 99], 8);
	EQ(at[2 * PAGE + 100], 0);
	at[3 * PAGE - 1] = 9;
	EQ(at[3 * PAGE - 1], 9);
	FAULTS(READ, SYS_ERR_OUT_OF_RANGE, at + 3 * PAGE);
	FAULTS(WRITE, SYS_ERR_OUT_OF_RANGE, at + 3 * PAGE);
	unmap((void *)(uintptr_t)at, 4 * PAGE);
}

TEST("vmo_set_size:OK the stream size becomes what was asked for, larger and smaller (VMO-SIZE-05, VMO-SIZE-17)")
{
	static const uint64_t sizes[] = {3 * 4096 + 7, 4096, 100, 0, 1, 8 * 4096, 5 * 4096 - 1};
	sys_cap_t vmo = new_resizable(2 * PAGE);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		OKAY(sys_vmo_set_size(vmo, sizes[i]));
		EQ(size_of(vmo), (sizes[i] + PAGE - 1) / PAGE * PAGE);
		EQ(vmo_info(vmo).stream_size, sizes[i]);
	}
}

TEST("vmo_set_size:OK a shrink gives pages and nodes back, growth brings zeros only (VMO-SIZE-08, VMO-SIZE-09, "
     "VMO-SIZE-10)")
{
	sys_cap_t vmo = new_resizable(1024 * PAGE);
	uint64_t empty = used(ut);

	number(vmo, 0, 40, 1);
	put_bytes(vmo, 1000 * PAGE, 24 * PAGE, 5);
	OKAY(sys_vmo_set_size(vmo, 39 * PAGE + 4));
	EQ(committed_of(vmo), 40 * PAGE);
	OKAY(sys_vmo_set_size(vmo, 1024 * PAGE));
	PAGES_ARE(vmo, 0, 40, 1);
	CHECK(all_bytes(vmo, 40 * PAGE, 984 * PAGE, 0));
	put(vmo, 39 * PAGE, UINT64_MAX);
	OKAY(sys_vmo_set_size(vmo, 39 * PAGE + 4));
	EQ(get(vmo, 39 * PAGE), UINT32_MAX);
	OKAY(sys_vmo_set_size(vmo, 0));
	EQ(used(ut), empty);
	OKAY(sys_vmo_set_size(vmo, 64 * PAGE));
	CHECK(all_bytes(vmo, 0, 64 * PAGE, 0));
}
