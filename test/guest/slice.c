/* SPDX-License-Identifier: BSD-2-Clause */
/* slice.c: vmo_create_child(SLICE): a window on a part of the same content. */
#include "common/client.h"
#include "common/content.h"

TEST("vmo_create_child:OK a slice and its parent see the same, by calls and mappings (CHILD-SLICE-01, CHILD-SLICE-08)")
{
	sys_cap_t v = numbered_with(16, 1, 0), slice = slice_of(v, 4 * PAGE, 8 * PAGE), inner = slice_of(slice, 2 * PAGE, 2 * PAGE);
	volatile uint64_t *at = map(inner, 2 * PAGE), *whole = map(v, 16 * PAGE);

	EQ(size_of(slice), 8 * PAGE);
	PAGES_ARE(slice, 0, 8, 5);
	PAGES_ARE(inner, 0, 2, 7);
	put(inner, 0, 70);
	EQ(get(v, 6 * PAGE), 70);
	EQ(get(slice, 2 * PAGE), 70);
	EQ(whole[6 * 512], 70);
	at[512] = 71;
	EQ(get(v, 7 * PAGE), 71);
	put(v, 6 * PAGE, 72);
	EQ(at[0], 72);
	unmap((void *)at, 2 * PAGE);
	unmap((void *)whole, 16 * PAGE);
}

TEST("vmo_create_child:INVALID_ARGS vmo_create_child:OUT_OF_RANGE a slice lies inside its parent, a size that cannot be comes first "
     "(CHILD-SLICE-02, CHILD-SLICE-03)")
{
	sys_cap_t v = new_vmo(4 * PAGE), out = 99;

	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_child(v, ut, SYS_VMO_CHILD_SLICE, 0, 5 * PAGE, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_child(v, ut, SYS_VMO_CHILD_SLICE, 4 * PAGE, 1, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_child(v, ut, SYS_VMO_CHILD_SLICE, 5 * PAGE, 0, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_child(v, ut, SYS_VMO_CHILD_SLICE, PAGE, 4 * PAGE, &out));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_create_child(v, ut, SYS_VMO_CHILD_SLICE, 0, UINT64_MAX, &out));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_create_child(v, ut, SYS_VMO_CHILD_SLICE, 2 * PAGE, UINT64_MAX - 8, &out));
	EQ(out, 99);
}

TEST("vmo_create_child:NOT_SUPPORTED a slice of a resizable VMO; outside it INVALID_ARGS; a resizable slice never (CHILD-SLICE-04, "
     "CHILD-SLICE-05, CHILD-SLICE-06, CHILD-07)")
{
	sys_cap_t fixed = new_vmo(4 * PAGE), resizable = new_resizable(4 * PAGE), out = 99;

	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_vmo_create_child(resizable, ut, SYS_VMO_CHILD_SLICE, 0, PAGE, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_child(resizable, ut, SYS_VMO_CHILD_SLICE, 0, 5 * PAGE, &out));
	REFUSED(SYS_ERR_INVALID_ARGS,
		sys_vmo_create_child(fixed, ut, SYS_VMO_CHILD_SLICE | SYS_VMO_CHILD_RESIZABLE, 0, PAGE, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create_child(fixed, ut,
		SYS_VMO_CHILD_SLICE | SYS_VMO_CHILD_RESIZABLE | SYS_VMO_CHILD_NO_WRITE, 0, PAGE, &out));
	EQ(out, 99);
}

TEST("vmo_create_child:OK empty slices, anywhere up to the end; nothing can be read of them (CHILD-SLICE-07)")
{
	sys_cap_t v = numbered_with(4, 1, 0);
	uint64_t word = 7;

	for (uint64_t page = 0; page <= 4; page++) {
		sys_cap_t slice = slice_of(v, page * PAGE, 0);
		EQ(size_of(slice), 0);
		REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_read(slice, &word, 0, 1));
		REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_write(slice, &word, 0, 1));
	}
}

TEST("vmo_read:OUT_OF_RANGE vmo_op_range:OUT_OF_RANGE a slice's own bounds, in every call (CHILD-SLICE-11, VMO-DECOMMIT-03)")
{
	static const enum sys_vmo_op ops[] = {SYS_VMO_OP_COMMIT, SYS_VMO_OP_DECOMMIT, SYS_VMO_OP_ZERO};
	sys_cap_t v = numbered_with(8, 1, 0), slice = slice_of(v, 2 * PAGE, 3 * PAGE);
	uint64_t word = 7;

	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_read(slice, &word, 3 * PAGE, 8));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_write(slice, &word, 3 * PAGE - 4, 8));
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		REFUSED(SYS_ERR_OUT_OF_RANGE, range(slice, ops[i], 2 * PAGE, 2 * PAGE));
	volatile uint64_t *at = map(slice, 4 * PAGE);
	EQ(at[2 * 512], 5);
	FAULTS(READ, SYS_ERR_OUT_OF_RANGE, at + 3 * 512);
	FAULTS(WRITE, SYS_ERR_OUT_OF_RANGE, at + 3 * 512);
	unmap((void *)at, 4 * PAGE);
	REFUSED(SYS_ERR_UNAVAILABLE, sys_vmo_set_size(slice, PAGE));
	PAGES_ARE(v, 0, 8, 1);
}

TEST("vmo_op_range:OK COMMIT, DECOMMIT and ZERO through a slice are the parent's, and the other way round (VMO-COMMIT-07, "
     "VMO-DECOMMIT-06)")
{
	sys_cap_t v = new_vmo(16 * PAGE), slice = slice_of(v, 4 * PAGE, 8 * PAGE);

	commit(slice, PAGE, 3 * PAGE);
	EQ(committed_of(v), 3 * PAGE);
	number(v, 0, 16, 1);
	OKAY(range(slice, SYS_VMO_OP_DECOMMIT, 0, 2 * PAGE));
	EQ(committed_of(v), 14 * PAGE);
	EQ(get(v, 4 * PAGE), 0);
	EQ(get(v, 6 * PAGE), 7);
	OKAY(range(v, SYS_VMO_OP_DECOMMIT, 7 * PAGE, PAGE));
	EQ(get(slice, 3 * PAGE), 0);
	zero(slice, 4 * PAGE, PAGE);
	EQ(get(v, 8 * PAGE), 0);
	EQ(get(v, 9 * PAGE), 10);
}

TEST("vmo_create_child:OK rights of a slice are its parent capability's, less WRITE with NO_WRITE (CHILD-10, CHILD-11)")
{
	sys_cap_t v = new_vmo(PAGE);

	OKAY(sys_vmo_replace_as_executable(v, SYS_CAP_RESOURCE, &v));
	sys_rights_t all = cap_info(v).rights;
	EQ(cap_info(slice_of(v, 0, PAGE)).rights, all);
	EQ(cap_info(slice_of(less(v, SYS_RIGHT_WRITE), 0, PAGE)).rights, all & ~SYS_RIGHT_WRITE);
	EQ(cap_info(child_of(v, SYS_VMO_CHILD_SLICE | SYS_VMO_CHILD_NO_WRITE, 0, PAGE)).rights, all & ~SYS_RIGHT_WRITE);
}

TEST("vmo_info:OK a slice has no pages of its own; it and its mappings count as children (CHILD-15, CHILD-16, CHILD-17, CHILD-18, INFO-16)")
{
	sys_cap_t v = numbered_with(8, 1, 0), slice = slice_of(v, 0, 4 * PAGE), inner = slice_of(slice, 0, PAGE);
	sys_vmo_info_t info = vmo_info(slice);

	EQ(info.scaled_bytes, 0);
	EQ(info.private_bytes, 0);
	CHECK(info.flags & SYS_VMO_INFO_SLICE);
	CHECK(!(info.flags & SYS_VMO_INFO_COW_CLONE));
	EQ(info.parent_koid, cap_info(v).koid);
	EQ(vmo_info(inner).parent_koid, cap_info(slice).koid);
	EQ(vmo_info(v).children, 1);
	EQ(vmo_info(v).scaled_bytes, 8 * PAGE);
	sys_cap_t ntfn = watch_children(v);
	void *at = map(inner, PAGE);
	OKAY(sys_cap_delete(slice));
	CHECK(!told(ntfn));
	OKAY(sys_cap_delete(inner));
	CHECK(!told(ntfn));
	unmap(at, PAGE);
	CHECK(told(ntfn));
	EQ(vmo_info(v).children, 0);
}

TEST("cap_delete:OK a slice keeps its content when the parent's capability goes; a revoke above it ends it (CHILD-19)")
{
	uint64_t before = used(ut);
	sys_cap_t v = numbered_with(8, 1, 0), slice = slice_of(v, 2 * PAGE, 4 * PAGE);

	OKAY(sys_cap_delete(v));
	PAGES_ARE(slice, 0, 4, 3);
	put(slice, 0, 9);
	EQ(get(slice, 0), 9);
	OKAY(sys_cap_delete(slice));
	EQ(used(ut), before);
	v = numbered_with(8, 1, 0);
	slice = slice_of(v, 2 * PAGE, 4 * PAGE);
	OKAY(sys_cap_revoke(v));
	CHECK(cap_is_gone(slice));
	PAGES_ARE(v, 0, 8, 1);
	EQ(vmo_info(v).children, 0);
}

TEST("vmo_create_child:OK copies of slices, and slices of copies (CHILD-SNAP-08, CHILD-09)")
{
	sys_cap_t v = numbered_with(8, 1, 0), slice = slice_of(v, 2 * PAGE, 4 * PAGE), copy = new_snapshot(slice, PAGE, 2 * PAGE);

	put(v, 3 * PAGE, 99);
	PAGES_ARE(copy, 0, 2, 4);
	sys_cap_t of_copy = slice_of(copy, PAGE, PAGE), again = new_snapshot(of_copy, 0, PAGE);
	put(of_copy, 0, 50);
	EQ(get(copy, PAGE), 50);
	EQ(get(again, 0), 5);
	EQ(get(v, 4 * PAGE), 5);
	sys_cap_t past = new_snapshot(slice, 0, 8 * PAGE);      /* nothing of the parent behind the slice's end */
	EQ(get(past, 3 * PAGE), 6);
	EQ(get(past, 4 * PAGE), 0);
}

TEST("pager_recv:OK a slice of a root asks by the root's offsets (CHILD-SLICE-01)")
{
	pager_begin();
	sys_cap_t slice = slice_of(vmo, 4 * PAGE, 8 * PAGE);
	struct client client = {.act = VMO_READ, .vmo = slice, .offset = PAGE, .len = 2 * PAGE};
	sys_cap_t thread = client_start(&client);
	expect(5 * PAGE, 2, SYS_ACCESS_READ);
	supply(5, 2, 100);
	EQ(until_exited(thread), SYS_OK);
	EQ(*(uint64_t *)(void *)client_bytes, 105);
	EQ(committed(), 2 * PAGE);
}
