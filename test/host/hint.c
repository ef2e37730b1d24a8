/* SPDX-License-Identifier: BSD-2-Clause */
/* hint.c: ALWAYS_NEED, DONT_NEED, PREFETCH and cache operations: what they ask for, what they mark, where they do nothing. */
#include "common/contents.h"

static u64 done;

static sys_status_t hint(struct vmo *v, u32 op, u64 page, u64 pages)
{
	done = 0;
	return again(vmo_op_range(v, op, page * P, pages * P, &done, &poll));
}

static u16 state_of(u64 page) { return frame_of(tree_frame(tree_lookup(&root->tree, page)))->state; }

START_TEST(roots)
{
	begin(8);
	for (u64 i = 0; i < 4; i++)
		must_ok(supply(i, i == 2 ? 0 : 100 + i));
	must_ok(hint(root, SYS_VMO_OP_ALWAYS_NEED, 0, 4));      /* one of them is known to be zero */
	ck_assert(done == 4 * P && state_of(0) == FRAME_GUARDED && state_of(3) == FRAME_GUARDED);
	eq(hint(root, SYS_VMO_OP_ALWAYS_NEED, 3, 3), SYS_ERR_SHOULD_WAIT);
	ck_assert_uint_eq(done, P);
	eq(hint(root, SYS_VMO_OP_PREFETCH, 0, 6), SYS_ERR_SHOULD_WAIT);
	ck_assert_uint_eq(done, 4 * P);
	must_ok(hint(root, SYS_VMO_OP_DONT_NEED, 1, 7));        /* asks for nothing */
	ck_assert(state_of(0) == FRAME_GUARDED && state_of(1) == FRAME_OLDEST && state_of(3) == FRAME_OLDEST);
	must_ok(hint(root, SYS_VMO_OP_PREFETCH, 0, 4));
	ck_assert(state_of(0) == FRAME_GUARDED && state_of(3) == FRAME_OLDEST);
	must_ok(vmo_set_size(root, 4 * P, true, &poll));        /* behind it there is no pager any more */
	must_ok(vmo_set_size(root, 8 * P, true, &poll));
	must_ok(hint(root, SYS_VMO_OP_ALWAYS_NEED, 0, 8));
	must_ok(hint(root, SYS_VMO_OP_PREFETCH, 0, 0));
	eq(hint(root, SYS_VMO_OP_DONT_NEED, 8, 1), SYS_ERR_OUT_OF_RANGE);
	check(root);
	end();
}
END_TEST

/* DONT_NEED takes entries away, so that an access is seen; in steps where there are many. */
START_TEST(entries_go)
{
	vaddr_t at[12];
	begin(8);
	must_ok(supply(1, 101));
	must_ok(supply(2, 102));
	for (unsigned i = 0; i < 12; i++) {
		at[i] = map(root, 0, 8);
		ck_assert(shown(at[i] + P) == 101 && shown(at[i] + 2 * P) == 102);
	}
	host_preempt_every(1);
	done = 0;
	eq(vmo_op_range(root, SYS_VMO_OP_DONT_NEED, P, 2 * P, &done, &poll), VM_AGAIN);
	host_preempt_every(0);
	must_ok(hint(root, SYS_VMO_OP_DONT_NEED, 1, 2));
	for (unsigned i = 0; i < 12; i++)
		ck_assert(!pt_query(space->root, at[i] + P).flags && !pt_query(space->root, at[i] + 2 * P).flags);
	ck_assert(shown(at[5] + P) == 101 && state_of(2) == FRAME_OLDEST);
	check(root);
	for (unsigned i = 0; i < 12; i++)
		unmap(at[i], 8);
	end();
}
END_TEST

/* Of a clone it is the root's pages: those that are seen through it. */
START_TEST(clones)
{
	begin(1200);
	for (u64 i = 600; i < 608; i++)
		must_ok(supply(i, i == 605 ? 0 : i));
	struct vmo *c = clone_of(root, 590, 100);
	must_ok(put(c, 11, 5));
	must_ok(hint(c, SYS_VMO_OP_ALWAYS_NEED, 10, 8));        /* 605 is a marker of the root's */
	ck_assert(done == 8 * P && state_of(600) == FRAME_GUARDED && state_of(601) != FRAME_GUARDED && state_of(607) == FRAME_GUARDED);
	eq(hint(c, SYS_VMO_OP_PREFETCH, 9, 1), SYS_ERR_SHOULD_WAIT);
	must_ok(hint(c, SYS_VMO_OP_DONT_NEED, 0, 100));
	ck_assert(state_of(600) == FRAME_OLDEST && state_of(601) == FRAME_OLDEST && state_of(607) == FRAME_OLDEST);
	must_ok(vmo_set_size(c, 12 * P, true, &poll));
	must_ok(vmo_set_size(c, 100 * P, true, &poll));
	must_ok(hint(c, SYS_VMO_OP_ALWAYS_NEED, 10, 90));       /* it sees no more than two of them now */
	ck_assert(state_of(600) == FRAME_GUARDED && state_of(602) == FRAME_OLDEST);
	check(c);
	drop(&c->object);
	end();
}
END_TEST

/* The root ends, then nothing is left of it: nobody is asked, nothing is marked. */
START_TEST(ended)
{
	begin(8);
	must_ok(supply(2, 7));
	struct vmo *c = clone_of(root, 0, 8), *plain = anonymous(other, 4, 0);
	struct vmo *slice = clone_in(payer, plain, SYS_VMO_CHILD_SLICE, 1, 2);
	must_ok(hint(slice, SYS_VMO_OP_DONT_NEED, 0, 2));
	must_ok(hint(slice, SYS_VMO_OP_DONT_NEED, 7, 2));       /* anonymous: not even that it is outside */
	eq(hint(slice, SYS_VMO_OP_PREFETCH, 7, 2), SYS_ERR_OUT_OF_RANGE);
	object_end(&plain->object);
	kernel_reap();
	eq(hint(slice, SYS_VMO_OP_DONT_NEED, 0, 1), SYS_ERR_BAD_STATE);
	object_end(&root->object);                              /* dying, its pages still there */
	must_ok(hint(c, SYS_VMO_OP_DONT_NEED, 0, 8));
	ck_assert_uint_eq(done, 8 * P);
	ck_assert_uint_ne(state_of(2) & FRAME_AGE, FRAME_OLDEST);
	eq(hint(c, SYS_VMO_OP_PREFETCH, 0, 8), SYS_ERR_BAD_STATE);
	kernel_reap();
	must(!c->view->root);
	must_ok(hint(c, SYS_VMO_OP_DONT_NEED, 0, 8));
	eq(hint(c, SYS_VMO_OP_ALWAYS_NEED, 0, 8), SYS_ERR_BAD_STATE);
	check(c);
	drop(&c->object), drop(&slice->object), drop(&plain->object), drop(&root->object);
	root = NULL;
	end();
}
END_TEST

/* Written back is what is there, wherever; the rest is passed: one by one where the root may have pages, else as a whole. */
START_TEST(caches)
{
	begin(2000);
	must_ok(supply(1500, 1));
	struct vmo *c = clone_of(root, 0, 1800);
	must_ok(vmo_op_range(c, SYS_VMO_OP_ZERO, 0, 1200 * P, &done, &poll));
	must_ok(put(c, 3, 1));
	must_ok(vmo_set_size(c, 1600 * P, true, &poll));
	must_ok(vmo_set_size(c, 1800 * P, true, &poll));
	u64 flushes = host_cache_flushes;
	must_ok(hint(c, SYS_VMO_OP_CACHE_CLEAN_INVALIDATE, 0, 1800));
	ck_assert(done == 1800 * P && host_cache_flushes == flushes + 2);
	eq(hint(c, SYS_VMO_OP_CACHE_INVALIDATE, 0, 1), SYS_ERR_NOT_SUPPORTED);
	eq(hint(c, SYS_VMO_OP_CACHE_SYNC, 0, 0), SYS_ERR_INVALID_ARGS);
	eq(hint(c, SYS_VMO_OP_CACHE_SYNC, 1800, 1), SYS_ERR_OUT_OF_RANGE);
	must_ok(hint(c, SYS_VMO_OP_CACHE_CLEAN, 0, 1800));
	ck_assert_uint_eq(host_cache_flushes, flushes + 2);
	drop(&c->object);
	end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("hint");
	add_test(s, roots);
	add_test(s, entries_go);
	add_test(s, clones);
	add_test(s, ended);
	add_test(s, caches);
	return s;
}
