/* SPDX-License-Identifier: BSD-2-Clause */
/* reclaim.c: accounts that are smaller than what stands in them. A pager supplies whatever is missing; the values say whether a page
 * that went comes back as it was. */
#include "common/clients.h"
#include "common/page.h"
#include "lib/counters.h"
#include "vm/reclaim.h"
#include "vm/space.h"

/* As the way out of the kernel does. */
#define whole(call) again(reclaim_or(call))

static void shrink_to(u64 left)
{
	must_ok(account_resize(account_root(), account, account->used + left));
}

static bool there(u64 page) { return tree_tag(tree_lookup(&root->tree, page)) == TREE_PAGE; }

static void walk(void)
{
	vmo_check(root);
	vmo_check(aux);
	account_check_all();
	must(account->roots.frames == root->tree.charged);
}

/* The value of a page, which is supplied if it is missing. */
static u64 value_of(u64 page)
{
	struct page_wait *w = &client[0].wait;
	struct page_ref ref;
	u64 done = 0, fresh = 0;
	while (page_require(root, page, false, 1, 0, w, &ref) == SYS_ERR_SHOULD_WAIT) {
		pager_take(pager);
		fill_aux(0, page + 1);
		must_ok(pager_supply(pager, root, page * PAGE_SIZE_, PAGE_SIZE_, aux, 0, &done, &fresh));
		done = 0;
	}
	return *(u64 *)phys_to_virt(ref.frame);
}

/* The client asks for a page and is answered, but does not run. Is the page there? */
static bool answered(unsigned i, u64 page)
{
	struct page_ref ref;
	u64 done = 0, fresh = 0;
	must(page_require(root, page, false, 1, 0, &client[i].wait, &ref) == SYS_ERR_SHOULD_WAIT);
	pager_take(pager);
	fill_aux(0, page + 1);
	must_ok(pager_supply(pager, root, page * PAGE_SIZE_, PAGE_SIZE_, aux, 0, &done, &fresh));
	must(client[i].wait.state == PAGE_WAIT_IDLE && client[i].wait.came && aux->tree.charged == 0);
	must(fresh == (there(page) ? PAGE_SIZE_ : 0));
	return there(page);
}

/* What somebody waited for stays until that one has used it, but not for ever if it does not; another's page goes instead, as it
 * comes. */
START_TEST(who_waited_uses_the_page_first)
{
	struct page_ref ref;
	unsigned n = 0;
	setup(8, 0);
	shrink_to(1);
	must(answered(0, 1) && there(1));
	for (unsigned i = 1; i < 3; i++) {      /* as many rounds each time: the second begins as the first did */
		u32 before = account->round.number;
		must(!answered(i, 1 + i) && there(1));
		ck_assert_uint_eq(account->round.number - before, 4);
	}
	must_ok(page_require(root, 1, false, 1, 0, &client[0].wait, &ref));
	must(answered(1, 2) && !there(1));
	walk();
	while (!answered(0, 1) && ++n < 1000)
		must(there(2));
	ck_assert_uint_gt(n, 100);
	ck_assert_uint_le(n, 256);
	walk();
	struct vmo *v;                          /* what somebody else needs does not go */
	must_ok(vmo_create(account, 4 * PAGE_SIZE_, 0, &v));
	object_cap(&v->object);
	must(whole(page_require(v, 0, true, 1, 0, &client[3].wait, &ref)) == SYS_OK && !there(1));
	object_uncap(&v->object);
	check_end();
}
END_TEST

/* A page that is brought to be copied into the same account does not go to make room for its copy. */
START_TEST(what_is_to_be_copied_stays)
{
	struct page_wait *w = &client[0].wait;
	struct page_ref ref;
	struct vmo *clone;
	sys_status_t status;
	u64 done, fresh = 0;
	setup(8, 0);
	must_ok(vmo_create_child(root, account, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE, 0, root->size, &clone));
	object_cap(&clone->object);
	shrink_to(1);
	while ((status = whole(page_require(clone, 2, true, 1, 0, w, &ref))) == SYS_ERR_SHOULD_WAIT) {
		must(fresh == 0);
		pager_take(pager);
		fill_aux(0, 1);
		done = 0;
		must_ok(pager_supply(pager, root, 2 * PAGE_SIZE_, PAGE_SIZE_, aux, 0, &done, &fresh));
	}
	must(status == SYS_ERR_NO_MEMORY && there(2));
	walk();
	must_ok(account_resize(account_root(), account, account->used + 1));
	must(whole(page_require(clone, 2, true, 1, 0, w, &ref)) == SYS_OK && there(2));
	shrink_to(0);
	must(whole(page_require(clone, 3, true, 1, 0, w, &ref)) == SYS_ERR_SHOULD_WAIT);
	page_wait_cancel(w);
	object_uncap(&clone->object);
	check_end();
}
END_TEST

START_TEST(pages_of_a_root_go_and_come_back)
{
	setup(600, 0);
	shrink_to(40);
	for (unsigned i = 0; i < 5000; i++) {
		u64 page = random_below(600);
		must(value_of(page) == page + 1);
		if (i % 100 == 0)
			walk();
	}
	ck_assert_uint_gt(counters.evictions, 1000);
	ck_assert_uint_le(account->used, account->total);
	walk();
	check_end();
}
END_TEST

/* What is being used, by two in turns, stays or comes back; both go on, with room for hardly more than both. */
START_TEST(two_who_take_each_others_pages)
{
	setup(8, 0);
	shrink_to(2);
	for (unsigned i = 0; i < 2000; i++)
		must(value_of(i % 2 ? i % 4 : 7 - i % 3) > 0);
	walk();
	check_end();
}
END_TEST

/* Guarded pages stay, then the charge fails, and nothing was dropped. */
START_TEST(what_is_guarded_stays)
{
	struct page_ref ref;
	struct vmo *v;
	setup(8, 0);
	for (u64 p = 0; p < 8; p++) {
		value_of(p);
		must(cursor_peek(root, p, &ref));
		frame_of(ref.frame)->state |= p < 4 ? FRAME_GUARDED : p == 6 ? FRAME_OLDEST : 0;
	}
	must_ok(vmo_create(account, 16 * PAGE_SIZE_, 0, &v));
	object_cap(&v->object);
	shrink_to(0);
	for (u64 p = 0; p < 4; p++) {
		must(whole(page_require(v, p, true, 1, 0, &client[1].wait, &ref)) == SYS_OK);
		*(u64 *)phys_to_virt(ref.frame) = 1;
		if (p == 0)
			must(!there(6));        /* the oldest one first */
	}
	must(whole(page_require(v, 4, true, 1, 0, &client[1].wait, &ref)) == SYS_ERR_NO_MEMORY);
	for (u64 p = 0; p < 8; p++)
		must(there(p) == (p < 4));
	walk();
	object_uncap(&v->object);
	check_end();
}
END_TEST

/* More than there is: nothing is dropped in vain, nor in another account. */
START_TEST(nothing_goes_in_vain)
{
	struct account *child;
	setup(8, 0);
	for (u64 p = 0; p < 8; p++)
		value_of(p);
	shrink_to(1);
	must(whole(account_create(account, 1000, &child)) == SYS_ERR_NO_MEMORY);
	must(root->tree.charged == 8);
	must(whole(account_create(other, 1 << 20, &child)) == SYS_ERR_NO_MEMORY);
	must(root->tree.charged == 8);
	must(whole(account_create(account, 4, &child)) == SYS_OK);
	must(root->tree.charged < 8 && root->tree.charged > 2);
	walk();
	object_cap(&child->object);
	object_uncap(&child->object);
	check_end();
}
END_TEST

/* What a pager that is gone supplied cannot be had again, from the moment that it is killed. */
START_TEST(a_dead_pagers_pages_stay)
{
	struct page_ref ref;
	struct account *child;
	setup(8, 0);
	for (u64 p = 0; p < 8; p++)
		value_of(p);
	object_ref(&pager->object);
	shrink_to(0);
	pager_kill(pager);
	must(whole(account_create(account, 4, &child)) == SYS_ERR_NO_MEMORY && root->tree.charged == 8);
	reap_all();
	must(account->roots.frames == 0 && root->tree.charged == 8);
	must(whole(account_create(account, 4, &child)) == SYS_ERR_NO_MEMORY);
	for (u64 p = 0; p < 8; p++)
		must(cursor_peek(root, p, &ref) && *(u64 *)phys_to_virt(ref.frame) == p + 1);
	object_unref(&pager->object);
	check_end();
}
END_TEST

/* Who writes to what goes for it does not hold up its going, however many mappings are to be looked at and however often
 * somebody interrupts. */
START_TEST(what_is_written_to_goes)
{
	struct page_ref ref;
	struct space *space;
	struct vmo *v[2];
	vaddr_t at;
	sys_status_t status = VM_AGAIN;
	setup(8, 0);
	must_ok(space_create(account, false, &space));
	object_cap((struct object *)space);
	for (unsigned i = 0; i < 2; i++) {
		must_ok(vmo_create(account, 8 * PAGE_SIZE_, SYS_VMO_DISCARDABLE, &v[i]));
		object_cap(&v[i]->object);
	}
	for (unsigned i = 0; i < 20; i++)
		must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ | SYS_VM_ALLOW_FAULTS, 0, v[i == 19],
		                 SYS_RIGHTS_VMO, 0, v[0]->size, NULL, &at));
	must_ok(vm_fault(space, at, SYS_ACCESS_READ, 0, &client[0].wait));      /* of the other: zeros are shown there */
	must_ok(page_require(v[0], 0, true, 1, 0, &client[0].wait, &ref));
	shrink_to(0);
	host_preempt_every(1);
	for (unsigned i = 0; i < 100 && status == VM_AGAIN; i++)
		status = reclaim_or(page_require(v[0], 1, true, 1, i, &client[0].wait, &ref));
	host_preempt_every(0);
	must(status == SYS_OK && v[0]->discarded && v[0]->tree.charged == 1);
	object_uncap(&v[0]->object);
	object_uncap(&v[1]->object);
	object_uncap((struct object *)space);
	check_end();
}
END_TEST

/* Nor can its zeros, once they have become pages. */
START_TEST(a_dead_pagers_zeros_stay)
{
	struct page_ref ref;
	struct account *child;
	u64 done = 0, fresh = 0;
	setup(8, 0);
	must_ok(pager_supply(pager, root, 0, PAGE_SIZE_, aux, 0, &done, &fresh));
	object_ref(&pager->object);
	pager_kill(pager);
	reap_all();
	must_ok(page_require(root, 0, true, 1, 0, &client[0].wait, &ref));
	shrink_to(0);
	must(whole(account_create(account, 4, &child)) == SYS_ERR_NO_MEMORY);
	must(cursor_peek(root, 0, &ref));
	vmo_check(root);
	object_unref(&pager->object);
	check_end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("reclaim");
	add_test(s, who_waited_uses_the_page_first);
	add_test(s, what_is_to_be_copied_stays);
	add_test(s, pages_of_a_root_go_and_come_back);
	add_test(s, two_who_take_each_others_pages);
	add_test(s, what_is_guarded_stays);
	add_test(s, nothing_goes_in_vain);
	add_test(s, a_dead_pagers_pages_stay);
	add_test(s, what_is_written_to_goes);
	add_test(s, a_dead_pagers_zeros_stay);
	return s;
}
