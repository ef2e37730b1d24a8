/* SPDX-License-Identifier: BSD-2-Clause */
/* forks.c: pages that an access made from zero, and that still hold nothing but zeros, when their account is short. */
#include "common/contents.h"
#include "vm/pagemap.h"

static struct vmo *copy_of(struct vmo *v, u64 first, u64 pages)
{
	return clone_in(other, v, SYS_VMO_CHILD_SNAPSHOT, first, pages);
}

static u64 pages_of(const struct vmo *v)
{
	u64 pages, nodes;
	tree_totals(&v->tree, &pages, &nodes);
	return pages;
}

START_TEST(only_zeros_go)
{
	begin(1);
	struct vmo *v = anonymous(other, 64, 0), *all = anonymous(other, 64, 0), *copy, *twin;
	for (u64 i = 0; i < 60; i++) {
		must_ok(put(v, i, i < 20 || i >= 40 ? 0 : i));
		must_ok(put(all, i, 0));
	}
	copy = copy_of(v, 4, 4);                                /* pages that two reach, */
	twin = copy_of(all, 0, 64);                             /* and a leaf */
	vaddr_t at = map(v, 0, 64);
	must_ok(store(at + 12 * P, 0, &poll));
	must_ok(store(at + 13 * P, 5, &poll));
	u64 used = other->used;
	ck_assert_uint_gt(press_all(other), 3);
	for (u64 i = 0; i < 64; i++)
		must(there(v, i) == ((i >= 4 && i < 8) || i == 13 || (i >= 20 && i < 40)));
	ck_assert_uint_eq(other->used, used - 35);
	ck_assert_uint_eq(pages_of(all), 60);
	ck_assert(shown(at + 12 * P) == 0 && shown(at + 13 * P) == 5 && seen(v, 30) == 30 && seen(v, 59) == 0);
	ck_assert(!list_on(&v->reclaim) && !list_on(&all->reclaim));
	must_ok(put(v, 0, 0));                                  /* they are looked for again */
	must_ok(put(v, 13, 0));                                 /* but each was looked at once */
	ck_assert(list_on(&v->reclaim));
	press_all(other);
	ck_assert(!there(v, 0) && there(v, 13));
	check(v), check(copy), check(all), check(twin);
	unmap(at, 64);
	drop(&v->object), drop(&copy->object), drop(&all->object), drop(&twin->object);
	end();
}
END_TEST

/* Entries go in steps. What a program writes meanwhile stays. */
START_TEST(written_between_steps)
{
	u64 *word[12];
	begin(1);
	struct vmo *v = anonymous(other, 4, 0);
	vaddr_t at[12];
	must_ok(put(v, 0, 0));
	must_ok(put(v, 1, 0));
	for (unsigned i = 0; i < 12; i++) {
		at[i] = map(v, 0, 4);
		ck_assert_uint_eq(shown(at[i]) + shown(at[i] + P), 0);
		word[i] = pt_reach(space->root, at[i], PT_READ | PT_WRITE);
		must(word[i]);
	}
	ck_assert_int_eq(press(other), VM_AGAIN);
	ck_assert(there(v, 0) && v->closing.end == 1);
	ck_assert(!pt_query(space->root, at[0]).flags && pt_query(space->root, at[11]).flags);
	*word[11] = 7;
	check(v);
	press_all(other);
	ck_assert(there(v, 0) && !there(v, 1));
	for (unsigned i = 0; i < 12; i++) {
		ck_assert(shown(at[i]) == 7 && shown(at[i] + P) == 0);
		unmap(at[i], 4);
	}
	check(v);
	drop(&v->object);
	end();
}
END_TEST

/* A clone's zeros become markers: a hole would show the root's page. Markers, large ones too, are passed. */
START_TEST(clones_have_markers)
{
	u64 done = 0;
	begin(2000);
	struct vmo *c = clone_of(root, 0, 1600);
	must_ok(vmo_op_range(c, SYS_VMO_OP_ZERO, 0, 1024 * P, &done, &poll));
	done = 0;
	must_ok(vmo_op_range(c, SYS_VMO_OP_ZERO, 1100 * P, P, &done, &poll));
	for (u64 i = 1400; i < 1403; i++) {
		must_ok(supply(i, 0));
		must_ok(put(c, i, i == 1402));
	}
	must_ok(supply(1500, 5));
	must_ok(put(c, 1500, 0));                               /* no page that was made from zero */
	u64 pages = pages_of(c);
	press_all(other);
	ck_assert(pages_of(c) == pages - 2 && !there(c, 1400) && there(c, 1402) && there(c, 1500));
	must_ok(put(root, 1400, 9));
	ck_assert(seen(c, 1400) == 0 && seen(c, 1402) == 1 && seen(root, 1400) == 9);
	check(c);
	must_ok(put(c, 0, 0));
	must_ok(vmo_set_size(c, 600 * P, true, &poll));         /* the second large marker sticks out of what is left */
	press_all(other);
	ck_assert(!there(c, 0) && seen(c, 0) == 0 && seen(c, 599) == 0);
	check(c);
	drop(&c->object);
	end();
}
END_TEST

/* What somebody keeps, and what is not cached, is left alone. */
START_TEST(left_alone)
{
	struct accessor record = { 0 };
	u64 next = 0, done = 0;
	begin(1);
	struct vmo *kept = anonymous(other, 4, 0), *plain = anonymous(other, 4, 0);
	must_ok(put(kept, 1, 0));
	must_ok(pagemap_open(kept, 0, 64, NULL, &record));
	must_ok(put(plain, 0, 0));
	must_ok(vmo_op_range(plain, SYS_VMO_OP_DECOMMIT, 0, P, &done, &poll));
	must_ok(vmo_set_cache_policy(plain, SYS_CACHE_UNCACHED, &next));
	must_ok(put(plain, 2, 0));
	press_all(other);
	ck_assert(there(kept, 0) && there(kept, 1) && there(plain, 2));
	accessor_close(&record);
	must_ok(put(kept, 2, 0));
	press_all(other);
	ck_assert(!there(kept, 1) && !there(kept, 2));
	check(kept), check(plain);
	drop(&kept->object), drop(&plain->object);
	end();
}
END_TEST

/* The charge that failed was for something that has gone since. */
START_TEST(nothing_left_to_look_at)
{
	begin(1);
	struct vmo *v = anonymous(other, 4, 0);
	must_ok(put(v, 0, 0));
	ck_assert_int_eq(account_charge(other, account_free(other) + 1), SYS_ERR_NO_MEMORY);
	drop(&v->object);
	ck_assert_int_eq(reclaim_step(), SYS_ERR_NO_MEMORY);
	ck_assert_int_eq(press(other), SYS_ERR_NO_MEMORY);
	ck_assert_int_eq(reclaim_step(), SYS_ERR_NO_MEMORY);    /* nobody is short */
	end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("forks");
	add_test(s, only_zeros_go);
	add_test(s, written_between_steps);
	add_test(s, clones_have_markers);
	add_test(s, left_alone);
	add_test(s, nothing_left_to_look_at);
	return s;
}
