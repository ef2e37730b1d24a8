/* SPDX-License-Identifier: BSD-2-Clause */
/* closing.c: access being taken away in steps while others touch the same pages: by other calls, by faults, by mappings that go. */
#include "common/contents.h"
#include "vm/transfer.h"

#define MAPS 12u
static vaddr_t at[MAPS];

/* Content whose pages two reach, in many mappings that show it. */
static struct vmo *shown_often(u64 pages, struct vmo **copy)
{
	struct vmo *v = anonymous(other, pages, 0);
	for (u64 i = 0; i < pages; i++)
		must_ok(put(v, i, 10 + i));
	*copy = clone_in(other, v, SYS_VMO_CHILD_SNAPSHOT, 0, pages);
	for (unsigned m = 0; m < MAPS; m++) {
		at[m] = map(v, 0, pages);
		for (u64 i = 0; i < pages; i++)
			must(shown(at[m] + i * P) == 10 + i);
	}
	return v;
}

static sys_status_t decommit_step(struct vmo *v, u64 page, u64 pages)
{
	u64 done = 0;
	host_preempt_every(1);
	sys_status_t status = vmo_op_range(v, SYS_VMO_OP_DECOMMIT, page * P, pages * P, &done, &poll);
	host_preempt_every(0);
	return status;
}

/* A write that copies, at a page whose entries another call is taking away: all mappings show the copy. */
START_TEST(copy_inside_a_record)
{
	struct vmo *copy;
	begin(1);
	struct vmo *v = shown_often(4, &copy);
	eq(decommit_step(v, 0, 3), VM_AGAIN);
	ck_assert(v->closing.end == 3 && there(v, 1));
	must_ok(store(at[MAPS - 1] + P, 99, &poll));
	check(v);
	for (unsigned m = 0; m < MAPS; m++)
		ck_assert_uint_eq(shown(at[m] + P), 99);
	ck_assert(seen(copy, 1) == 11 && seen(v, 0) == 10);
	eq(decommit_step(v, 0, 3), VM_AGAIN);
	must_ok(put(v, 3, 5));
	u64 done = 0;
	must_ok(vmo_op_range(v, SYS_VMO_OP_DECOMMIT, 0, 3 * P, &done, &poll));
	for (unsigned m = 0; m < MAPS; m++) {
		ck_assert(shown(at[m] + P) == 0 && shown(at[m] + 3 * P) == 5);
		unmap(at[m], 4);
	}
	check(v), check(copy);
	drop(&v->object), drop(&copy->object);
	end();
}
END_TEST

/* The same where one mapping alone shows the object: its own walk goes on. */
START_TEST(one_mapping)
{
	begin(1);
	struct vmo *v = anonymous(other, 1200, 0), *copy;
	for (u64 i = 0; i < 1200; i++)
		must_ok(put(v, i, i));
	copy = clone_in(other, v, SYS_VMO_CHILD_SNAPSHOT, 0, 1200);
	vaddr_t va = map(v, 0, 1200);
	for (u64 i = 0; i < 1200; i++)
		must(shown(va + i * P) == i);
	eq(decommit_step(v, 0, 1100), VM_AGAIN);
	must_ok(store(va + 1050 * P, 7, &poll));
	must_ok(store(va + 1150 * P, 8, &poll));
	check(v);
	ck_assert(shown(va + 1050 * P) == 7 && shown(va + 1150 * P) == 8 && seen(copy, 1050) == 1050 && shown(va + 1049 * P) == 1049);
	while (decommit_step(v, 0, 1100) == VM_AGAIN)
		;
	ck_assert(shown(va) == 0 && shown(va + 1050 * P) == 0 && shown(va + 1100 * P) == 1100);
	check(v), check(copy);
	unmap(va, 1200);
	drop(&v->object), drop(&copy->object);
	end();
}
END_TEST

/* Write access goes mapping by mapping before a copy is made; a write meanwhile waits for that. */
START_TEST(write_access)
{
	begin(1);
	struct vmo *v = anonymous(other, 4, 0), *copy;
	for (unsigned m = 0; m < MAPS; m++) {
		at[m] = map(v, 0, 4);
		must_ok(store(at[m] + P, 20 + m, &poll));
	}
	host_preempt_every(1);
	eq(vmo_create_child(v, other, SYS_VMO_CHILD_SNAPSHOT, 0, 4 * P, &copy), VM_AGAIN);
	ck_assert(v->closing.write && !list_empty(&v->writable));
	eq(vm_fault(space, at[0] + P, SYS_ACCESS_WRITE, 0, &poll), VM_AGAIN);
	eq(vm_fault(space, at[0] + 2 * P, SYS_ACCESS_READ, 0, &poll), SYS_OK);
	check(v);
	host_preempt_every(0);
	must_ok(store(at[0] + P, 50, &poll));
	must_ok(vmo_create_child(v, other, SYS_VMO_CHILD_SNAPSHOT, 0, 4 * P, &copy));
	object_cap(&copy->object);
	must_ok(store(at[5] + P, 60, &poll));
	ck_assert(seen(copy, 1) == 50 && shown(at[0] + P) == 60);
	check(v), check(copy);
	for (unsigned m = 0; m < MAPS; m++)
		unmap(at[m], 4);
	drop(&v->object), drop(&copy->object);
	end();
}
END_TEST

/* A page of one's own, whose entries are being taken away: a write helps, and then stands. */
START_TEST(write_while_closing)
{
	struct vmo *copy;
	begin(1);
	struct vmo *v = shown_often(4, &copy);
	drop(&copy->object);
	eq(decommit_step(v, 0, 3), VM_AGAIN);
	must_ok(vm_fault(space, at[3] + 2 * P, SYS_ACCESS_WRITE, 0, &poll));
	ck_assert(!v->closing.end);
	ck_assert_uint_eq(shown(at[3] + 2 * P), 12);
	check(v);
	for (unsigned m = 0; m < MAPS; m++)
		unmap(at[m], 4);
	drop(&v->object);
	end();
}
END_TEST

/* Setting the size of the stream takes entries away too, in steps. */
START_TEST(stream_size)
{
	struct vmo *copy;
	u64 reached = 0;
	begin(1);
	struct vmo *v = shown_often(8, &copy);
	vaddr_t limited;
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW | SYS_VM_ALLOW_FAULTS | SYS_VM_FAULT_BEYOND_STREAM_SIZE, 0, v, SYS_RIGHTS_VMO,
	                 0, 8 * P, NULL, &limited));
	ck_assert(shown(limited) == 10 && shown(limited + 7 * P) == 17);
	host_preempt_every(1);
	unsigned steps = 0;
	sys_status_t status;
	while ((status = vmo_set_stream_size(v, 3 * P + 1, &reached, &poll)) == VM_AGAIN)
		steps++;
	host_preempt_every(0);
	u64 value;
	ck_assert(status == SYS_OK && steps > 2 && v->stream_size == 3 * P + 1);
	eq(load(limited + 4 * P, &value, &poll), SYS_ERR_OUT_OF_RANGE);
	ck_assert(shown(limited + 2 * P) == 12 && shown(limited + 3 * P) == 13 && shown(at[0] + 5 * P) == 0);
	ck_assert(!pt_query(space->root, limited + 4 * P).flags && seen(copy, 5) == 15);
	check(v);
	unmap(limited, 8);
	for (unsigned m = 0; m < MAPS; m++)
		unmap(at[m], 8);
	drop(&v->object), drop(&copy->object);
	end();
}
END_TEST

/* The middle of a mapping is cut out of what is dying: it goes whole. And a cut at the end of a long one, with entries far apart. */
START_TEST(cuts)
{
	begin(1);
	struct vmo *v = anonymous(other, 4000, 0), *gone = anonymous(other, 8, 0);
	vaddr_t va = map(v, 0, 4000), end_of = map(gone, 0, 8);
	must_ok(store(end_of + 6 * P, 1, &poll));
	for (u64 i = 0; i < 4000; i += 700)
		must_ok(store(va + i * P, i + 1, &poll));
	must_ok(vmar_unmap(&space->root_vmar, true, va + 900 * P, 3100 * P));
	check(v);
	for (u64 i = 0; i < 4000; i += 700)
		must(!pt_query(space->root, va + i * P).flags == (i >= 900));
	object_end(&gone->object);
	must_ok(vmar_unmap(&space->root_vmar, true, end_of + 3 * P, 2 * P));
	ck_assert(!space_find(space, end_of) && !space_find(space, end_of + 7 * P) && !pt_query(space->root, end_of + 6 * P).flags);
	check(v);
	unmap(va, 900);
	drop(&v->object), drop(&gone->object);
	end();
}
END_TEST

/* A page table is needed, and there is memory for it only when an object has ended that the same space shows: its tables go, too. */
START_TEST(tables_of_the_dying)
{
	for (u64 more = 0; more < 2; more++) {
		u64 value;
		begin(1);
		struct account *mine = account_named(200);
		struct space *usual = space;
		must_ok(space_create(mine, false, &space));
		object_cap((struct object *)space);
		struct vmo *v = anonymous(other, 512 * 20, 0), *gone = anonymous(mine, 512, 0);
		vaddr_t at = map(v, 0, 512 * 20), end_of = map(gone, 0, 512), span = 512 * P;
		ck_assert_uint_eq(shown(end_of), 0);
		for (u64 i = 0; space->tables < SPACE_RESERVE + more; i++)
			ck_assert_uint_eq(shown(at + i * span), 0);
		u64 rest = account_free(mine), tables = space->tables;
		must_ok(account_charge(mine, rest));
		object_end(&gone->object);
		ck_assert_uint_eq(shown(at + 19 * span), 0);
		ck_assert(space->tables <= tables && pt_query(space->root, at).flags);          /* none of the living went */
		eq(load(end_of, &value, &poll), SYS_ERR_NOT_FOUND);
		check(v);
		account_uncharge(mine, rest);
		drop(&gone->object);
		drop(space);
		ck_assert_uint_eq(mine->used, 0);
		space = usual;
		drop(&v->object), drop(&mine->object);
		end();
	}
}
END_TEST

/* A page comes for a fault through a clone that has begun to die: it is not entered. */
START_TEST(comes_for_the_dying)
{
	struct page_wait w;
	u64 value;
	begin(8);
	page_wait_init(&w);
	struct vmo *c = clone_of(root, 0, 8);
	vaddr_t va = map(c, 0, 8);
	eq(load(va + P, &value, &w), SYS_ERR_SHOULD_WAIT);
	object_end(&c->object);
	must_ok(supply(1, 5));
	ck_assert(w.state == PAGE_WAIT_IDLE && wakes == 1 && !pt_query(space->root, va + P).flags);
	eq(load(va + P, &value, &w), SYS_ERR_BAD_STATE);
	drop(&c->object);
	ck_assert_ptr_null(space_find(space, va));
	end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("closing");
	add_test(s, copy_inside_a_record);
	add_test(s, one_mapping);
	add_test(s, write_access);
	add_test(s, write_while_closing);
	add_test(s, stream_size);
	add_test(s, cuts);
	add_test(s, tables_of_the_dying);
	add_test(s, comes_for_the_dying);
	return s;
}
