/* SPDX-License-Identifier: BSD-2-Clause */
/* contiguous.c: VMOs whose pages are neighbours in memory. That they are is seen on the host (test/host/contiguous.c):
 * a program learns no physical address without a pin. */
#include "common/helper.h"

TEST("vmo_create_contiguous:OK is committed whole, and reads as zero (CONTIG-02)")
{
	sys_cap_t vmo;

	OKAY(sys_vmo_create_contiguous(ut, 20 * PAGE - 1, 16, &vmo));
	EQ(vmo_info(vmo).size, 20 * PAGE);
	EQ(vmo_info(vmo).committed, 20 * PAGE);
	EQ(vmo_info(vmo).private_bytes, 20 * PAGE);
	CHECK(vmo_info(vmo).flags & SYS_VMO_INFO_CONTIGUOUS);
	for (unsigned page = 0; page < 20; page++)
		EQ(get(vmo, page * PAGE + 8 * page), 0);
	put(vmo, 19 * PAGE, 7);
	EQ(get(vmo, 19 * PAGE), 7);
	EQ(vmo_info(vmo).committed, 20 * PAGE);
}

TEST("vmo_create_contiguous:INVALID_ARGS no size, an alignment below a page or beyond an address (CONTIG-01)")
{
	sys_cap_t vmo = 99;

	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_contiguous(ut, 0, 0, &vmo));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_contiguous(ut, PAGE, 11, &vmo));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_contiguous(ut, PAGE, 64, &vmo));
	EQ(vmo, 99);
	OKAY(sys_vmo_create_contiguous(ut, PAGE, 0, &vmo));
}

TEST("vmo_create_contiguous:OUT_OF_RANGE larger than the largest")
{
	sys_cap_t vmo;

	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_create_contiguous(ut, UINT64_MAX, 0, &vmo));
}

TEST("vmo_create_contiguous:NO_RESOURCES no free page of this alignment")
{
	sys_cap_t vmo;
	uint64_t used = account(ut).used;

	REFUSED(SYS_ERR_NO_RESOURCES, sys_vmo_create_contiguous(ut, PAGE, 46, &vmo));
	EQ(account(ut).used, used);
}

TEST("vmo_set_size:UNAVAILABLE a contiguous VMO, which has no RESIZE (VMO-SIZE-15, CONTIG-06)")
{
	sys_cap_t vmo;

	OKAY(sys_vmo_create_contiguous(ut, 3 * PAGE, 0, &vmo));
	EQ(cap_info(vmo).rights & SYS_RIGHT_RESIZE, 0);
	REFUSED(SYS_ERR_UNAVAILABLE, sys_vmo_set_size(vmo, 2 * PAGE));
	REFUSED(SYS_ERR_UNAVAILABLE, sys_vmo_set_size(vmo, 4 * PAGE));
}

TEST("vmo_op_range:NOT_SUPPORTED DECOMMIT of a contiguous VMO; ZERO clears it and keeps its pages (VMO-DECOMMIT-10, VMO-ZERO-11, "
     "CONTIG-05)")
{
	sys_cap_t vmo;

	OKAY(sys_vmo_create_contiguous(ut, 3 * PAGE, 0, &vmo));
	put(vmo, PAGE, 9);
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, 0, 3 * PAGE, NULL, 0));
	EQ(get(vmo, PAGE), 9);
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_ZERO, 0, 3 * PAGE, NULL, 0));
	EQ(get(vmo, PAGE), 0);
	EQ(vmo_info(vmo).committed, 3 * PAGE);
}

TEST("vmo_create_child:OK slices of a contiguous VMO say what it is, and keep its pages when its capability goes (CHILD-SLICE-09, "
     "INFO-16)")
{
	sys_cap_t vmo, slice;

	OKAY(sys_vmo_create_contiguous(ut, 8 * PAGE, 0, &vmo));
	put(vmo, 3 * PAGE, 7);
	OKAY(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SLICE, 2 * PAGE, 4 * PAGE, &slice));
	CHECK(vmo_info(slice).flags & SYS_VMO_INFO_CONTIGUOUS);
	CHECK(vmo_info(slice).flags & SYS_VMO_INFO_SLICE);
	uint64_t before = used(ut);
	OKAY(sys_cap_delete(vmo));
	EQ(used(ut), before);
	EQ(get(slice, PAGE), 7);
	put(slice, 0, 8);
	OKAY(sys_vmo_op_range(slice, SYS_VMO_OP_ZERO, PAGE, PAGE, NULL, 0));
	EQ(get(slice, PAGE), 0);
	EQ(get(slice, 0), 8);
	EQ(used(ut), before);
	OKAY(sys_cap_delete(slice));
	CHECK(used(ut) + 8 * PAGE <= before);
}

TEST("vmo_create_child:INVALID_ARGS a snapshot of a contiguous VMO (CHILD-SNAP-05)")
{
	sys_cap_t vmo, out = 99;

	OKAY(sys_vmo_create_contiguous(ut, 4 * PAGE, 0, &vmo));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT, 0, 4 * PAGE, &out));
	EQ(out, 99);
}
