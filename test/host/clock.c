/* SPDX-License-Identifier: BSD-2-Clause */
/* clock.c: which of a root's pages go first when their account is short: what programs access through mappings, what they wrote
 * there, who waits. reclaim.c has the same by calls alone. */
#include "common/contents.h"
#include "lib/counters.h"

static void fill(u64 pages)
{
	for (u64 i = 0; i < pages; i++)
		must_ok(supply(i, 100 + i));
}

static u64 count_there(u64 from, u64 to)
{
	u64 n = 0;
	for (u64 i = from; i < to; i++)
		n += there(root, i);
	return n;
}

static u16 state_of(u64 page) { return frame_of(tree_frame(tree_lookup(&root->tree, page)))->state; }

/* Presses until a page has gone. */
static void one_goes(void)
{
	u64 evictions = counters.evictions;
	for (unsigned steps = 0; counters.evictions == evictions; steps++) {
		must(press(payer) == VM_AGAIN && steps < 1000);
		check(root);
	}
	must(counters.evictions == evictions + 1);
}

/* What is accessed all the time stays while there is anything else. If there is not, it goes too. */
START_TEST(accessed_pages_stay)
{
	u64 value;
	begin(32);
	fill(32);
	vaddr_t at = map(root, 0, 32), part = map(root, 2, 2);  /* the second shows none of those that are looked at behind it */
	ck_assert(shown(at) == 100 && shown(at + 16 * P) == 116 && shown(part) == 102);
	for (unsigned i = 0; i < 28; i++) {
		for (u64 hot = 8; hot < 12; hot++)
			ck_assert_uint_eq(shown(at + hot * P), 100 + hot);
		one_goes();
		ck_assert_uint_eq(count_there(8, 12), 4);
	}
	ck_assert_uint_eq(count_there(0, 32), 4);
	unsigned steps = 0;
	while (count_there(8, 12) == 4) {
		for (u64 hot = 8; hot < 12; hot++)
			ck_assert_uint_eq(shown(at + hot * P), 100 + hot);
		eq(press(payer), VM_AGAIN);
		ck_assert_uint_lt(++steps, 100);
	}
	for (u64 hot = 8; hot < 12; hot++)
		eq(load(at + hot * P, &value, &poll), there(root, hot) ? SYS_OK : SYS_ERR_SHOULD_WAIT);
	check(root);
	unmap(at, 32), unmap(part, 2);
	end();
}
END_TEST

/* An access by a call makes a page young as well; the order is that of age. */
START_TEST(oldest_first)
{
	u64 done = 0;
	begin(8);
	fill(8);
	must_ok(vmo_op_range(root, SYS_VMO_OP_DONT_NEED, 6 * P, P, &done, &poll));
	one_goes();
	ck_assert(!there(root, 6) && count_there(0, 8) == 7);
	ck_assert_uint_eq(seen(root, 2), 102);
	done = 0;
	must_ok(vmo_op_range(root, SYS_VMO_OP_DONT_NEED, P, P, &done, &poll));
	vaddr_t at = map(root, 0, 2);
	ck_assert_uint_eq(shown(at + P), 101);                  /* somebody needs it all the same */
	for (unsigned i = 0; i < 4; i++) {
		one_goes();
		ck_assert(there(root, 2) && there(root, 1));
	}
	unmap(at, 2);
	while (count_there(0, 8) > 0)
		one_goes();
	eq(press(payer), SYS_ERR_NO_MEMORY);
	end();
}
END_TEST

/* What is not needed any more goes first whenever that is said, in front of the hand and behind it; of several roots too. */
START_TEST(not_needed_later)
{
	struct vmo *second;
	u64 done = 0, fresh = 0;
	begin(8);
	fill(8);
	must_ok(pager_create_vmo(pager, payer, 0, 78, 4 * P, &second));
	object_cap(&second->object);
	for (u64 i = 0; i < 4; i++) {
		must_ok(put(aux, 0, 200 + i));
		done = 0;
		must_ok(pager_supply(pager, second, i * P, P, aux, 0, &done, &fresh));
	}
	one_goes();
	one_goes();
	ck_assert(there(root, 6) && there(root, 7));
	for (u64 page = 7; page > 3; page--) {
		struct vmo *v = page % 2 ? root : second;
		u64 here = page % 2 ? page : page - 3;
		must(there(v, here));
		done = 0;
		must_ok(vmo_op_range(v, SYS_VMO_OP_DONT_NEED, here * P, P, &done, &poll));
		one_goes();
		ck_assert(!there(v, here));
		vmo_check(second);
	}
	vmo_check(root);
	drop(&second->object);
	end();
}
END_TEST

/* With many mappings of a page nobody asks all of them: it counts as accessed. Its entries go in steps. */
START_TEST(many_mappings)
{
	vaddr_t at[20];
	begin(2);
	fill(2);
	for (unsigned i = 0; i < 20; i++) {
		at[i] = map(root, 0, 1);
		ck_assert_uint_eq(shown(at[i]), 100);
	}
	one_goes();
	ck_assert(there(root, 0) && !there(root, 1));
	unsigned halves = 0;
	for (unsigned steps = 0; there(root, 0); steps++) {
		must(press(payer) == VM_AGAIN && steps < 100);
		halves += root->closing.end == 1;
		check(root);
	}
	ck_assert_uint_ge(halves, 2);
	for (unsigned i = 0; i < 20; i++) {
		ck_assert(!pt_query(space->root, at[i]).flags);
		unmap(at[i], 1);
	}
	end();
}
END_TEST

/* Only its entries know that a page was written to: that is seen when they go, and then it stays. */
START_TEST(written_pages_stay)
{
	begin(4);
	fill(4);
	vaddr_t at = map(root, 0, 4);
	must_ok(store(at + P, 7, &poll));
	must_ok(put(root, 2, 8));
	ck_assert_uint_eq(shown(at + 3 * P), 103);
	u64 *word = pt_reach(space->root, at + 3 * P, PT_READ | PT_WRITE);      /* no fault says that it is written to */
	must(word);
	*word = 9;
	ck_assert_uint_eq(state_of(1) & FRAME_WRITTEN, FRAME_WRITTEN);
	ck_assert_uint_eq(state_of(3) & FRAME_WRITTEN, 0);
	ck_assert_uint_ge(press_all(payer), 3);
	ck_assert(count_there(0, 4) == 3 && seen(root, 1) == 7 && seen(root, 2) == 8 && shown(at + 3 * P) == 9);
	ck_assert_uint_eq(state_of(3) & FRAME_WRITTEN, FRAME_WRITTEN);
	check(root);
	unmap(at, 4);
	end();
}
END_TEST

/* A page that has just come stays until all who waited for it have it. */
START_TEST(waiters_have_it_first)
{
	struct page_wait w[40];
	struct page_ref ref;
	u64 done = 0, fresh = 0;
	begin(4);
	for (unsigned i = 0; i < 40; i++) {
		page_wait_init(&w[i]);
		eq(need(root, i ? 1 : 0, false, 2, 0, &w[i], &ref), SYS_ERR_SHOULD_WAIT);       /* the first asks for both */
	}
	struct page_wait behind[2];             /* the second joins the first */
	for (unsigned i = 0; i < 2; i++) {
		page_wait_init(&behind[i]);
		eq(need(root, 3, false, 1, 0, &behind[i], &ref), SYS_ERR_SHOULD_WAIT);
	}
	must(source_awaits(root->source, 3) && source_awaits(root->source, 1) && !source_awaits(root->source, 2));
	must_ok(supply(3, 3));
	must(!source_awaits(root->source, 3));
	wakes = 0;
	must_ok(put(aux, 0, 9));
	host_preempt_every(1);
	eq(pager_supply(pager, root, P, P, aux, 0, &done, &fresh), VM_AGAIN);
	ck_assert(wakes == 16 && there(root, 1) && fresh == P && done == 0);
	host_preempt_every(0);
	press_all(payer);
	ck_assert(there(root, 1) && seen(root, 1) == 9);
	check(root);
	must_ok(pager_supply(pager, root, P, P, aux, 0, &done, &fresh));
	ck_assert(wakes == 39 && fresh == P && done == P);
	must_ok(supply(0, 0));
	ck_assert_uint_eq(wakes, 40);
	press_all(payer);
	ck_assert(!there(root, 1) && seen(root, 0) == 0);       /* what is known to be zero takes no page */
	end();
}
END_TEST

/* The source ends before the root does: what lies beyond it is nobody's to bring again. And a pager that is about to go. */
START_TEST(only_what_comes_again)
{
	begin(8);
	fill(8);
	must_ok(vmo_set_size(root, 4 * P, true, NULL));
	must_ok(vmo_set_size(root, 8 * P, true, NULL));
	must_ok(put(root, 6, 0));
	must_ok(supply(1, 5));                                  /* it has that already */
	ck_assert_uint_eq(count_there(0, 8), 5);
	one_goes();
	object_ref(&pager->object);
	object_end(&pager->object);
	ck_assert_uint_gt(payer->roots.frames, 0);
	press_all(payer);
	ck_assert(count_there(0, 4) == 3 && there(root, 6));
	kernel_reap();
	ck_assert_uint_eq(payer->roots.frames, 0);
	eq(press(payer), SYS_ERR_NO_MEMORY);
	ck_assert(count_there(0, 4) == 3 && there(root, 6));
	check(root);
	object_unref(&pager->object);
	end();
}
END_TEST

/* A clone's mappings show root pages: they are found, and what they show goes and comes back. */
START_TEST(through_clones)
{
	u64 value;
	begin(8);
	fill(8);
	struct vmo *c = clone_of(root, 2, 6);
	vaddr_t at = map(c, 0, 6);
	must_ok(put(c, 5, 1));
	ck_assert(shown(at) == 102 && shown(at + P) == 103);
	for (unsigned i = 0; i < 7; i++) {
		ck_assert_uint_eq(shown(at), 102);
		one_goes();
		check(c);
	}
	ck_assert(there(root, 2) && !pt_query(space->root, at + P).flags);
	press_all(payer);
	ck_assert(count_there(0, 8) == 0 && shown(at + 5 * P) == 1);
	eq(load(at, &value, &poll), SYS_ERR_SHOULD_WAIT);
	must_ok(supply(2, 55));
	ck_assert_uint_eq(shown(at), 55);
	check(c);
	unmap(at, 6);
	drop(&c->object);
	end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("clock");
	add_test(s, accessed_pages_stay);
	add_test(s, oldest_first);
	add_test(s, not_needed_later);
	add_test(s, many_mappings);
	add_test(s, written_pages_stay);
	add_test(s, waiters_have_it_first);
	add_test(s, only_what_comes_again);
	add_test(s, through_clones);
	return s;
}
