/* SPDX-License-Identifier: BSD-2-Clause */
/* transfer.c: vmo_transfer_data and supply: into what is mapped, shared, a clone's; out of it; short of memory; in steps. */
#include "common/contents.h"
#include "vm/pagemap.h"
#include "vm/transfer.h"

#define SNAPSHOT SYS_VMO_CHILD_SNAPSHOT

static u64 moved;                       /* bytes, by the last call */

static sys_status_t once(struct vmo *dst, u64 page, u64 pages, struct vmo *src, u64 from)
{
	return vmo_transfer(dst, 0, page * P, pages * P, src, from * P, &moved, &poll);
}

static sys_status_t move(struct vmo *dst, u64 page, u64 pages, struct vmo *src, u64 from)
{
	moved = 0;
	sys_status_t status = again(once(dst, page, pages, src, from));
	must(status != SYS_OK || moved == pages * P);
	return status;
}

static struct vmo *filled(u64 pages, u64 value)
{
	struct vmo *v = anonymous(other, pages, SYS_VMO_RESIZABLE);
	for (u64 i = 0; i < pages; i++)
		must_ok(put(v, i, value + i));
	return v;
}

static void map_often(struct vmo *v, u64 first, u64 pages, vaddr_t at[12])
{
	for (unsigned i = 0; i < 12; i++) {
		at[i] = map(v, first, pages);
		for (u64 p = 0; p < pages; p++)
			shown(at[i] + p * P);
	}
}

static void unmap_all(u64 pages, const vaddr_t at[12])
{
	for (unsigned i = 0; i < 12; i++)
		unmap(at[i], pages);
}

START_TEST(refusals)
{
	struct accessor record = { 0 };
	struct vmo *a, *b, *row;
	u64 next = 0, start = 0;
	begin(8);
	a = filled(8, 10), b = filled(8, 20);
	must_ok(vmo_create_contiguous(other, 2 * P, 0, &next, &start, &row));
	object_cap(&row->object);
	must_ok(vmo_contiguous_build(row, 0, &next, &start));
	moved = 0;
	eq(vmo_transfer(a, 1, 0, P, b, 0, &moved, &poll), SYS_ERR_INVALID_ARGS);
	eq(vmo_transfer(a, 0, 1, P, b, 0, &moved, &poll), SYS_ERR_INVALID_ARGS);
	eq(vmo_transfer(a, 0, 0, 1, b, 0, &moved, &poll), SYS_ERR_INVALID_ARGS);
	eq(vmo_transfer(a, 0, 0, P, b, 1, &moved, &poll), SYS_ERR_INVALID_ARGS);
	eq(move(a, 8, 1, b, 0), SYS_ERR_OUT_OF_RANGE);
	eq(move(a, 0, 1, b, 8), SYS_ERR_OUT_OF_RANGE);
	eq(move(a, 2, 3, a, 4), SYS_ERR_INVALID_ARGS);
	eq(move(a, 4, 3, a, 2), SYS_ERR_INVALID_ARGS);
	eq(move(root, 0, 1, a, 0), SYS_ERR_NOT_SUPPORTED);
	eq(move(a, 0, 1, root, 0), SYS_ERR_NOT_SUPPORTED);
	eq(move(row, 0, 1, a, 0), SYS_ERR_NOT_SUPPORTED);
	eq(move(a, 0, 1, row, 0), SYS_ERR_NOT_SUPPORTED);
	must_ok(pagemap_open(a, 3 * P, 64, NULL, &record));
	eq(move(a, 2, 2, b, 0), SYS_ERR_BAD_STATE);
	eq(move(b, 2, 2, a, 2), SYS_ERR_BAD_STATE);
	must_ok(move(a, 4, 1, b, 0));
	must_ok(move(a, 8, 0, b, 8));
	ck_assert(seen(a, 4) == 20 && seen(b, 0) == 0 && seen(a, 3) == 13 && seen(b, 7) == 27);
	accessor_close(&record);
	must_ok(move(a, 2, 2, a, 4));                           /* within one, side by side, both ways */
	must_ok(move(a, 4, 2, a, 6));
	must_ok(move(a, 6, 2, a, 2));
	ck_assert(seen(a, 6) == 20 && seen(a, 7) == 15 && seen(a, 4) == 16 && seen(a, 2) == 0);
	check(a), check(b);
	drop(&a->object), drop(&b->object), drop(&row->object);
	end();
}
END_TEST

/* Entries go first: dst's all at once, src's page by page, in steps where there are many. */
START_TEST(mapped_often)
{
	vaddr_t at[12], from[12];
	struct vmo *a, *b;
	begin(4);
	a = filled(8, 10), b = filled(8, 20);
	map_often(a, 0, 8, at), map_often(b, 0, 8, from);
	host_preempt_every(1);
	moved = 0;
	eq(once(a, 0, 4, b, 2), VM_AGAIN);
	ck_assert(moved == 0 && a->closing.end == 4 && shown(from[0] + 2 * P) == 22);
	host_preempt_every(0);
	eq(once(a, 0, 4, b, 2), VM_AGAIN);                      /* now b's */
	ck_assert(moved == 0 && !a->closing.end && b->closing.end == 3);
	check(a), check(b);
	must_ok(move(a, 0, 4, b, 2));
	for (unsigned i = 0; i < 12; i++)
		for (u64 p = 0; p < 4; p++)
			ck_assert(shown(at[i] + p * P) == 22 + p && shown(from[i] + (2 + p) * P) == 0);
	ck_assert(shown(at[3] + 4 * P) == 14 && shown(from[3]) == 20);
	check(a), check(b);
	must_ok(put(aux, 0, 30));
	must_ok(put(aux, 1, 31));
	unmap_all(8, from);
	map_often(aux, 0, 2, from);
	u64 done = 0, fresh = 0;
	eq(pager_supply(pager, root, 0, 2 * P, aux, 0, &done, &fresh), VM_AGAIN);
	ck_assert(done == 0 && fresh == 0 && aux->closing.end == 1 && !there(root, 0));
	must_ok(pager_supply(pager, root, 0, 2 * P, aux, 0, &done, &fresh));
	ck_assert(fresh == 2 * P && seen(root, 0) == 30 && seen(root, 1) == 31 && shown(from[11] + P) == 0);
	must_ok(put(aux, 0, 40));                               /* what is there already stays; aux's page goes, with its entries */
	ck_assert_uint_eq(shown(from[0]), 40);
	for (unsigned i = 1; i < 12; i++)
		shown(from[i]);
	done = fresh = 0;
	eq(pager_supply(pager, root, 0, P, aux, 0, &done, &fresh), VM_AGAIN);
	must_ok(pager_supply(pager, root, 0, P, aux, 0, &done, &fresh));
	ck_assert(done == P && fresh == 0 && seen(root, 0) == 30 && shown(from[5]) == 0 && !there(aux, 0));
	check(aux);
	unmap_all(8, at), unmap_all(2, from);
	drop(&a->object), drop(&b->object);
	end();
}
END_TEST

/* It stops after each page if somebody asks for the CPU, but not behind the last. */
START_TEST(in_steps)
{
	u64 done = 0, fresh = 0;
	begin(8);
	struct vmo *a = filled(8, 10), *b = filled(8, 20);
	for (u64 i = 0; i < 3; i++)
		must_ok(put(aux, i, 30 + i));
	host_preempt_every(1);
	moved = 0;
	for (u64 i = 1; i <= 3; i++) {
		eq(once(a, 0, 3, b, 4), i < 3 ? VM_AGAIN : SYS_OK);
		ck_assert_uint_eq(moved, i * P);
	}
	for (u64 i = 1; i <= 3; i++) {
		eq(pager_supply(pager, root, 0, 3 * P, aux, 0, &done, &fresh), i < 3 ? VM_AGAIN : SYS_OK);
		ck_assert(done == i * P && fresh == i * P);
	}
	host_preempt_every(0);
	ck_assert(seen(a, 2) == 26 && seen(b, 6) == 0 && seen(root, 2) == 32);
	check(a), check(b);
	drop(&a->object), drop(&b->object);
	end();
}
END_TEST

/* What lies beyond a size that has just shrunk goes first. */
START_TEST(while_trimming)
{
	struct vmo *a, *b;
	begin(1);
	a = filled(300, 1), b = filled(300, 1000);
	host_preempt_every(1);
	for (unsigned i = 0; i < 2; i++) {
		struct vmo *v = i ? b : a;
		while (vmo_set_size(v, 100 * P, true, &poll) == VM_AGAIN && !v->trimming)
			;
		must(v->trimming);
	}
	moved = 0;
	unsigned first = 0, second = 0;
	while (once(a, 10, 40, b, 20) == VM_AGAIN) {
		first += a->trimming;
		second += !a->trimming && b->trimming;
		must(a->trimming || b->trimming || moved > 0 || a->closing.end);
	}
	host_preempt_every(0);
	ck_assert(first > 0 && second > 0 && moved == 40 * P && seen(a, 49) == 1059 && seen(b, 59) == 0);
	check(a), check(b);
	drop(&a->object), drop(&b->object);
	end();
}
END_TEST

/* A page that others reach too is copied; of the path that others reach, step by step; those see what they saw. */
START_TEST(shared)
{
	struct vmo *a, *b, *old_a, *old_b;
	begin(1);
	a = filled(1200, 0), b = filled(1200, 5000);
	old_a = clone_in(other, a, SNAPSHOT, 0, 1200), old_b = clone_in(other, b, SNAPSHOT, 0, 1200);
	must_ok(move(a, 700, 3, b, 100));
	for (u64 i = 0; i < 3; i++)
		ck_assert(seen(a, 700 + i) == 5100 + i && seen(b, 100 + i) == 0 && seen(old_a, 700 + i) == 700 + i && seen(old_b, 100 + i) == 5100 + i);
	must_ok(move(a, 0, 600, b, 100));                       /* nothing, then pages */
	ck_assert(seen(a, 2) == 0 && !there(a, 2) && seen(a, 599) == 5699 && seen(old_a, 2) == 2);
	must_ok(move(a, 0, 690, b, 10));                        /* holes behind pages */
	ck_assert(seen(a, 89) == 5099 && !there(a, 90) && !there(a, 689) && seen(a, 690) == 690);
	check(a), check(b), check(old_a), check(old_b);
	drop(&a->object), drop(&b->object), drop(&old_a->object), drop(&old_b->object);
	end();
}
END_TEST

/* Out of a clone of a root: its own pages, what falls through, markers; then it reads as zero there, whatever its root has. */
START_TEST(out_of_clones)
{
	begin(1400);
	struct vmo *dst = filled(1400, 9000), *old = clone_in(other, dst, SNAPSHOT, 0, 1400);
	struct vmo *c = clone_of(root, 0, 1400), *twin;
	u64 done = 0;
	for (u64 i = 600; i < 606; i++)
		must_ok(supply(i, i == 603 ? 0 : i));
	must_ok(supply(3, 3));
	must_ok(put(c, 3, 4));                                  /* far from the others: its tree has two levels */
	must_ok(put(c, 600, 1));
	must_ok(vmo_op_range(c, SYS_VMO_OP_ZERO, 602 * P, P, &done, &poll));
	twin = clone_of(c, 0, 1400);                            /* shares its tree */
	vaddr_t at[12];
	map_often(c, 600, 6, at);
	eq(move(dst, 10, 8, c, 600), SYS_ERR_SHOULD_WAIT);      /* 606 is nobody's yet */
	ck_assert_uint_eq(moved, 6 * P);
	ck_assert(seen(dst, 10) == 1 && seen(dst, 11) == 601 && seen(dst, 12) == 0 && seen(dst, 13) == 0 && seen(dst, 15) == 605);
	ck_assert(seen(dst, 16) == 9016 && seen(old, 10) == 9010 && seen(twin, 600) == 1 && seen(twin, 601) == 601);
	for (u64 i = 0; i < 6; i++)
		ck_assert(seen(c, 600 + i) == 0 && shown(at[i] + i * P) == 0);
	must_ok(put(root, 601, 8));
	ck_assert(seen(c, 3) == 4 && seen(twin, 3) == 4);
	ck_assert(seen(c, 601) == 0 && seen(twin, 601) == 8 && seen(dst, 11) == 601);
	check(c), check(twin), check(dst), check(old);
	unmap_all(6, at);
	drop(&dst->object), drop(&old->object), drop(&c->object), drop(&twin->object);
	end();
}
END_TEST

/* Of four pages so many were moved; then what dst has there reads as zero, or it does not yet. */
static void expect_moved(struct vmo *dst, struct vmo *src, u64 done, bool own)
{
	for (u64 i = 0; i < 4; i++) {
		u64 value = i < 2 ? 1900 + i : 0, old = !own || i % 2 ? 7040 + i : i ? 99 : 77, is = seen(dst, 40 + i);
		must(i < done ? is == value : is == old || (i == done && is == 0));
		must(seen(src, 1000 + i) == (i < done ? 0 : value));
	}
}

/* With the n-th allocation failing, into pages of its own or of the root's. False: there are not so many. */
static bool moved_short(u64 n, bool own)
{
	u64 done = 0, used = other->used;
	struct vmo *dst = clone_of(root, 0, 2000), *src = clone_of(root, 900, 1100);
	if (own) {
		must_ok(put(dst, 40, 77));
		must_ok(put(dst, 42, 99));
	}
	must_ok(put(src, 1000, 1900));          /* its own; then the root's, a marker of its own, one of the root's */
	must_ok(vmo_op_range(src, SYS_VMO_OP_ZERO, 1002 * P, P, &done, &poll));
	host_fail_charge_at = n;
	sys_status_t status = move(dst, 40, 4, src, 1000);
	bool hit = host_fail_charge_at == 0;
	host_fail_charge_at = 0;
	eq(status, hit ? SYS_ERR_NO_MEMORY : SYS_OK);
	expect_moved(dst, src, moved / P, own);
	check(dst), check(src);
	if (hit)
		must_ok(again(once(dst, 40, 4, src, 1000)));
	expect_moved(dst, src, 4, own);
	ck_assert_uint_eq(seen(dst, 44), 7044);
	drop(&dst->object), drop(&src->object);
	ck_assert_uint_eq(other->used, used);
	return hit;
}

/* From a clone to a clone: what was moved by then stays moved. */
START_TEST(short_of_memory)
{
	u64 n = 1, m = 1;
	begin(2000);
	for (u64 i = 0; i < 2000; i++)
		if (i < 50 || i >= 1900)
			must_ok(supply(i, i < 1900 ? 7000 + i : i % 4 == 3 ? 0 : i));
	while (moved_short(n, false))
		n++;
	while (moved_short(m, true))
		m++;
	ck_assert(n > 3 && m > 2);
	end();
}
END_TEST

/* Within one object: the place it comes from may have moved when the way to the other one is there. */
START_TEST(within)
{
	begin(1);
	struct vmo *v = anonymous(other, 64, 0);        /* inline so far */
	must_ok(put(v, 3, 7));
	must_ok(move(v, 40, 1, v, 3));
	ck_assert(seen(v, 40) == 7 && seen(v, 3) == 0);
	must_ok(move(v, 5, 1, v, 40));
	ck_assert(seen(v, 5) == 7 && seen(v, 40) == 0);
	check(v);
	drop(&v->object);
	end();
}
END_TEST

/* Markers move as what they say, many at once; into a clone a hole becomes one too. */
START_TEST(zeros)
{
	u64 done = 0;
	begin(1600);
	for (u64 i = 0; i < 1600; i += 8)
		must_ok(supply(i, 1 + i));
	struct vmo *c = clone_of(root, 0, 1600), *plain = filled(1600, 1), *empty = anonymous(other, 1600, 0);
	must_ok(vmo_op_range(c, SYS_VMO_OP_ZERO, 0, 1500 * P, &done, &poll));
	must_ok(move(plain, 0, 1500, c, 0));
	ck_assert(!there(plain, 0) && !there(plain, 1499) && seen(plain, 1500) == 1501);
	drop(&c->object);
	c = clone_of(root, 0, 1600);
	ck_assert_uint_eq(seen(c, 1592), 1593);
	must_ok(move(c, 8, 1500, empty, 8));
	ck_assert(seen(c, 0) == 1 && seen(c, 8) == 0 && seen(c, 1504) == 0 && seen(c, 1512) == 1513 && seen(root, 8) == 9);
	check(c), check(plain), check(empty);
	drop(&c->object), drop(&plain->object), drop(&empty->object);
	end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("transfer");
	add_test(s, refusals);
	add_test(s, mapped_often);
	add_test(s, in_steps);
	add_test(s, while_trimming);
	add_test(s, shared);
	add_test(s, out_of_clones);
	add_test(s, short_of_memory);
	add_test(s, within);
	add_test(s, zeros);
	return s;
}
