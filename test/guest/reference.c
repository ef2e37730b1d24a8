/* SPDX-License-Identifier: BSD-2-Clause */
/* reference.c: vmo_create_child(REFERENCE): another object with the same content and the same sizes. */
#include "common/client.h"
#include "common/content.h"

static sys_cap_t resizable_reference(sys_cap_t v)
{
	return child_of(v, SYS_VMO_CHILD_REFERENCE | SYS_VMO_CHILD_RESIZABLE, 0, 0);
}

TEST("vmo_create_child:OK a reference has its parent's content and size, both ways (CHILD-REF-01)")
{
	sys_cap_t v = numbered_with(8, 1, SYS_VMO_RESIZABLE), reference = resizable_reference(v);

	PAGES_ARE(reference, 0, 8, 1);
	put(reference, PAGE, 50);
	EQ(get(v, PAGE), 50);
	OKAY(sys_vmo_set_size(reference, 4 * PAGE + 100));
	EQ(size_of(v), 5 * PAGE);
	EQ(vmo_info(v).stream_size, 4 * PAGE + 100);
	EQ(vmo_info(reference).stream_size, 4 * PAGE + 100);
	OKAY(sys_vmo_set_size(v, 16 * PAGE));
	EQ(size_of(reference), 16 * PAGE);
	EQ(get(reference, 6 * PAGE), 0);
}

TEST("vmo_create_child:INVALID_ARGS a reference has no offset and no size of its own (CHILD-REF-01)")
{
	sys_cap_t v = new_vmo(8 * PAGE), out = 99;

	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_child(v, ut, SYS_VMO_CHILD_REFERENCE, PAGE, 0, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_child(v, ut, SYS_VMO_CHILD_REFERENCE, 0, PAGE, &out));
	EQ(out, 99);
}

TEST("vmo_create_child:ACCESS_DENIED a resizable reference of what cannot be resized by its capability (CHILD-REF-02)")
{
	sys_cap_t fixed = new_vmo(PAGE), v = new_resizable(PAGE), out = 99;
	uint32_t options = SYS_VMO_CHILD_REFERENCE | SYS_VMO_CHILD_RESIZABLE;

	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmo_create_child(less(v, SYS_RIGHT_RESIZE), ut, options, 0, 0, &out));
	CHECK(sys_vmo_create_child(fixed, ut, options, 0, 0, &out) != SYS_OK);
	EQ(out, 99);
	EQ(cap_info(resizable_reference(v)).rights, SYS_RIGHTS_VMO);
}

TEST("vmo_set_size:ACCESS_DENIED by a reference that is not resizable, of what is; it sees sizes change (CHILD-REF-03, CHILD-08)")
{
	sys_cap_t v = numbered_with(4, 1, SYS_VMO_RESIZABLE), reference = reference_of(v);

	EQ(cap_info(reference).rights, SYS_RIGHTS_VMO & ~SYS_RIGHT_RESIZE);
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmo_set_size(reference, PAGE));
	OKAY(sys_vmo_set_size(v, 2 * PAGE));
	EQ(size_of(reference), 2 * PAGE);
	uint64_t word;
	STATUS(SYS_ERR_OUT_OF_RANGE, sys_vmo_read(reference, &word, 2 * PAGE, 8));
}

TEST("vmo_create_child:OK children of a reference are its own, and see the content (CHILD-REF-04, CHILD-17)")
{
	sys_cap_t v = numbered_with(8, 1, 0), reference = reference_of(v), again = reference_of(reference);
	sys_cap_t copy = new_snapshot(reference, 2 * PAGE, 4 * PAGE), slice = slice_of(again, PAGE, 2 * PAGE);

	EQ(vmo_info(reference).parent_koid, cap_info(v).koid);
	EQ(vmo_info(again).parent_koid, cap_info(reference).koid);
	EQ(vmo_info(copy).parent_koid, cap_info(reference).koid);
	EQ(vmo_info(slice).parent_koid, cap_info(again).koid);
	EQ(vmo_info(v).children, 1);
	EQ(vmo_info(reference).children, 2);
	put(v, 2 * PAGE, 99);
	EQ(get(copy, 0), 3);
	EQ(get(slice, PAGE), 99);
}

TEST("vmo_create_child:NOT_SUPPORTED through a reference what its content cannot have (CHILD-REF-05, CHILD-SNAP-03)")
{
	sys_cap_t out = 99;

	pager_begin();
	sys_cap_t of_root = reference_of(vmo), of_resizable = reference_of(new_resizable(4 * PAGE));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_vmo_create_child(of_root, ut, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE, &out));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_vmo_create_child(of_resizable, ut, SYS_VMO_CHILD_SLICE, 0, PAGE, &out));
	REFUSED(SYS_ERR_NOT_SUPPORTED, range(of_root, SYS_VMO_OP_DECOMMIT, 0, PAGE));
	EQ(out, 99);
}

TEST("vmar_map:OK mappings through any reference follow what is done through another, whichever of them goes (CHILD-REF-06, "
     "VMO-DECOMMIT-09)")
{
	sys_cap_t v = numbered_with(8, 1, SYS_VMO_RESIZABLE), middle = reference_of(v), last = resizable_reference(v);
	volatile uint64_t *a = map(v, 8 * PAGE), *b = map(middle, 8 * PAGE), *c = map(last, 8 * PAGE);

	for (int i = 0; i < 8; i++)
		EQ(a[i * 512] + b[i * 512] + c[i * 512], 3 * (i + 1));
	OKAY(range(middle, SYS_VMO_OP_DECOMMIT, 0, PAGE));
	EQ(a[0] + b[0] + c[0], 0);
	OKAY(sys_cap_delete(v));
	b[512] = 60;
	EQ(c[512], 60);
	OKAY(sys_cap_delete(middle));
	OKAY(range(last, SYS_VMO_OP_DECOMMIT, 2 * PAGE, PAGE));
	EQ(a[1024] + b[1024] + c[1024], 0);
	OKAY(sys_vmo_set_size(last, 4 * PAGE));
	FAULTS(READ, SYS_ERR_OUT_OF_RANGE, a + 4 * 512);
	FAULTS(READ, SYS_ERR_OUT_OF_RANGE, b + 4 * 512);
	EQ(a[3 * 512], 4);
	unmap((void *)a, 8 * PAGE);
	unmap((void *)b, 8 * PAGE);
	unmap((void *)c, 8 * PAGE);
}

TEST("vmo_info:OK a reference is no copy and has no pages; the content's are its parent's, also when that has no capability left "
     "(CHILD-REF-07, CHILD-REF-08, INFO-16)")
{
	sys_cap_t v = numbered_with(8, 1, 0), reference = reference_of(v);

	CHECK(vmo_info(reference).flags & SYS_VMO_INFO_REFERENCE);
	CHECK(!(vmo_info(reference).flags & SYS_VMO_INFO_COW_CLONE));
	EQ(vmo_info(reference).private_bytes, 0);
	EQ(vmo_info(reference).scaled_bytes, 0);
	EQ(private_of(v), 8 * PAGE);
	uint64_t before = used(ut);
	OKAY(sys_cap_delete(v));
	EQ(used(ut), before);
	EQ(vmo_info(reference).scaled_bytes, 0);
	PAGES_ARE(reference, 0, 8, 1);
}
