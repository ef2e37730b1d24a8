/* SPDX-License-Identifier: BSD-2-Clause */
/* source.c: page requests and pagers, rule by rule. Random clients are in requests.c. */
#include "arch/pagetable.h"
#include "common/clients.h"

START_TEST(one_page)
{
	u64 page, count;
	setup(100, 0);
	ck_assert_int_eq(start(0, 5, 6), SYS_ERR_SHOULD_WAIT);
	ck_assert_uint_eq(readies, 1);
	ck_assert(receive(&page, &count));
	ck_assert(page == 5 && count == 1);
	ck_assert(!receive(&page, &count));
	fill_aux(0, 77);
	u64 used = account->used, paid = other->used;
	must_ok(supply(5, 1, 0));
	ck_assert_uint_eq(account->used, used + 1);             /* the frame moved, and its charge */
	ck_assert_uint_eq(other->used, paid - 1);
	ck_assert_uint_eq(client[0].wakes, 1);
	ck_assert_int_eq(run(&client[0]), SYS_OK);
	ck_assert_int_eq(start(1, 5, 6), SYS_OK);
	fill_aux(0, 78);                                        /* what is there stays, what came goes */
	must_ok(supply(5, 1, 0));
	ck_assert_int_eq(start(1, 5, 6), SYS_OK);
	ck_assert_uint_eq(other->used, paid - 1);
	check();
	check_end();
}
END_TEST

/* What had arrived of the last request says nothing of the next, up to its last page. */
START_TEST(asked_by_the_same)
{
	u64 page, count;
	setup(700, 0);
	start(0, 0, 128);
	ck_assert(receive(&page, &count) && count == 128);
	for (u64 p = 112; p <= 112; p -= 16)
		must_ok(supply(p, 16, 0));
	ck_assert_int_eq(run(&client[0]), SYS_OK);
	ck_assert_uint_eq(client[0].wait.arrived[1], UINT64_MAX);
	start(0, 200, 265);
	start(1, 264, 265);
	ck_assert_int_eq(client[1].wait.state, PAGE_WAIT_JOINED);
	ck_assert(receive(&page, &count) && page == 200 && count == 65 && !receive(&page, &count));
	check();
	check_end();
}
END_TEST

/* A run stops at a page that is there, at another request, at 512 pages; one that starts inside a request joins it. */
START_TEST(request_ranges)
{
	u64 page, count;
	setup(700, 0);
	must_ok(supply(50, 1, 0));                              /* known zero */
	ck_assert_uint_eq(root->tree.charged, 1);               /* a leaf for the marker */
	start(0, 10, 100);
	start(1, 20, 30);
	start(2, 0, 40);
	start(3, 60, 700);
	ck_assert_int_eq(client[1].wait.state, PAGE_WAIT_JOINED);
	check();
	for (unsigned i = 0; i < 3; i++) {                      /* by priority, then age: client 2, then 0 and 3 */
		static const u64 expected[3][2] = { { 0, 10 }, { 10, 40 }, { 60, 512 } };
		ck_assert(receive(&page, &count));
		ck_assert_uint_eq(page, expected[i][0]);
		ck_assert_uint_eq(count, expected[i][1]);
	}
	ck_assert(!receive(&page, &count));
	ck_assert_uint_eq(asked_twice, 0);
	check();
	check_end();
}
END_TEST

/* Answers out of order; early wake; what is left is not asked for again. */
START_TEST(early_wake)
{
	u64 page, count;
	setup(100, 0);
	start(0, 0, 10);
	start(1, 4, 5);
	ck_assert(receive(&page, &count));
	must_ok(supply(7, 3, 0));
	ck_assert_uint_eq(client[0].wakes + client[1].wakes, 0);
	must_ok(supply(4, 1, 0));
	ck_assert_uint_eq(client[1].wakes, 1);
	must_ok(supply(0, 2, 0));
	ck_assert_uint_eq(client[0].wakes, 1);
	check();
	ck_assert_uint_eq(root->source->record[0].count, 10);
	ck_assert_int_eq(run(&client[0]), SYS_ERR_SHOULD_WAIT);
	ck_assert_int_eq(client[0].wait.state, PAGE_WAIT_DELIVERED);
	ck_assert(!receive(&page, &count));
	must_ok(supply(2, 2, 0));
	run(&client[0]);
	must_ok(supply(5, 2, 0));
	ck_assert_int_eq(run(&client[0]), SYS_OK);
	ck_assert(!client[0].active && !receive(&page, &count));
	ck_assert_uint_eq(root->source->record[0].count, 0);
	check();
	check_end();
}
END_TEST

START_TEST(cancelled_owner)
{
	u64 page, count;
	setup(100, 0);
	start(0, 40, 50);                                       /* undelivered, and nobody else: withdrawn */
	page_wait_cancel(&client[0].wait);
	ck_assert(!receive(&page, &count));
	start(0, 0, 10);                                        /* undelivered: the joiner has it now */
	start(1, 3, 4);
	page_wait_cancel(&client[0].wait);
	ck_assert_int_eq(client[1].wait.state, PAGE_WAIT_QUEUED);
	check();
	ck_assert(receive(&page, &count));
	ck_assert(page == 0 && count == 10);
	start(0, 10, 20);                                       /* delivered: it stands; a joiner has it now */
	start(2, 15, 16);
	ck_assert(receive(&page, &count));
	page_wait_cancel(&client[0].wait);
	ck_assert_int_eq(client[2].wait.state, PAGE_WAIT_DELIVERED);
	start(0, 12, 14);
	ck_assert_int_eq(client[0].wait.state, PAGE_WAIT_JOINED);
	check();
	page_wait_cancel(&client[2].wait);
	page_wait_cancel(&client[0].wait);                      /* nobody left: a record */
	start(0, 19, 25);
	ck_assert_int_eq(client[0].wait.state, PAGE_WAIT_DELIVERED);
	ck_assert(!receive(&page, &count));
	ck_assert_uint_eq(asked_twice, 0);
	check();
	/* more than there are records: at worst asked for twice */
	for (unsigned i = 0; i < 8; i++) {
		start(5, 30 + 3 * i, 31 + 3 * i);
		ck_assert(receive(&page, &count));
		page_wait_cancel(&client[5].wait);
		check();
	}
	start(5, 30, 31);
	ck_assert(!receive(&page, &count));
	start(6, 30 + 21, 52);
	ck_assert(receive(&page, &count));
	ck_assert_uint_eq(asked_twice, 1);
	check_end();
}
END_TEST

START_TEST(failing)
{
	u64 page, count;
	setup(100, 0);
	start(0, 0, 20);
	start(1, 8, 9);
	start(2, 8, 9);
	ck_assert(receive(&page, &count));
	ck_assert_int_eq(fail_range(0, 1, SYS_ERR_NOT_FOUND), SYS_ERR_INVALID_ARGS);
	known[0] = true;
	ck_assert_int_eq(fail_range(90, 10, SYS_ERR_IO), SYS_OK);     /* nothing outstanding */
	ck_assert_int_eq(fail_range(8, 2, SYS_ERR_IO_DATA_INTEGRITY), SYS_OK);
	ck_assert_int_eq(client[1].status, SYS_ERR_IO_DATA_INTEGRITY);
	ck_assert_int_eq(client[2].status, SYS_ERR_IO_DATA_INTEGRITY);
	ck_assert_uint_eq(client[0].wakes, 0);                  /* it needs page 0 first */
	/* not sticky: a new request, up to what is still outstanding */
	start(1, 8, 30);
	ck_assert(receive(&page, &count));
	ck_assert(page == 8);
	check();
	start(3, 15, 16);
	must_ok(supply(0, 8, 0));
	run(&client[0]);
	check();
	ck_assert_int_eq(fail_range(0, 100, SYS_ERR_NO_SPACE), SYS_OK);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(client[i].wait.state, PAGE_WAIT_IDLE);
	ck_assert_int_eq(client[0].status, SYS_ERR_NO_SPACE);
	start(4, 12, 13);                                       /* nothing of the old requests stands */
	ck_assert(receive(&page, &count));
	ck_assert(page == 12 && count == 1 && asked_twice == 0);
	page_wait_cancel(&client[4].wait);                      /* now it stands in a record */
	ck_assert_int_eq(fail_range(12, 1, SYS_ERR_IO), SYS_OK);
	ck_assert_uint_eq(root->source->record[0].count, 0);
	start(4, 12, 13);
	ck_assert(receive(&page, &count) && asked_twice == 0);
	check_end();
}
END_TEST

/* An owner that waits behind a failed page, and somebody who needs that page: the request is cut in two around it. */
START_TEST(cut_in_front_of_the_owner)
{
	u64 page, count;
	setup(100, 0);
	start(0, 0, 20);
	start(1, 12, 13);
	start(2, 3, 4);
	ck_assert(receive(&page, &count));
	page_wait_cancel(&client[0].wait);                      /* client 2 owns it now */
	page_wait_cancel(&client[2].wait);                      /* client 1 does, at page 12 */
	ck_assert_int_eq(client[1].wait.state, PAGE_WAIT_DELIVERED);
	ck_assert_uint_eq(client[1].wait.first, 0);
	start(3, 2, 3);
	ck_assert_int_eq(fail_range(5, 3, SYS_ERR_IO), SYS_OK);
	start(0, 6, 20);
	ck_assert(receive(&page, &count));
	ck_assert(page == 6 && count == 1 && asked_twice == 0);
	ck_assert_uint_eq(client[1].wait.first, 7);
	ck_assert_int_eq(client[3].wait.state, PAGE_WAIT_DELIVERED);
	ck_assert(client[3].wait.first == 0 && client[3].wait.count == 6);
	check();
	must_ok(supply(0, 20, 0));
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(client[i].wait.state, PAGE_WAIT_IDLE);
	check_end();
}
END_TEST

/* The same with a long request: bits move over several words. */
START_TEST(cut_long_request)
{
	u64 page, count;
	setup(700, 0);
	start(0, 0, 512);
	start(1, 300, 301);
	ck_assert(receive(&page, &count) && count == 512);
	page_wait_cancel(&client[0].wait);
	for (u64 p = 100; p < 512; p += 3)
		if (p != 300)
			must_ok(supply(p, 1, 0));
	ck_assert_int_eq(fail_range(85, 1, SYS_ERR_IO), SYS_OK);
	start(2, 85, 86);
	ck_assert(receive(&page, &count) && page == 85 && count == 1 && asked_twice == 0);
	const struct page_wait *w = &client[1].wait;
	ck_assert(w->first == 86 && w->count == 512 - 86);
	for (u64 p = 86; p < 512; p++)
		ck_assert_uint_eq(w->arrived[(p - 86) / 64] >> (p - 86) % 64 & 1, p >= 100 && p % 3 == 1 && p != 300);
	check();
	check_end();
}
END_TEST

/* More than one step's worth of waiters for one page: interrupted, each is woken once. */
START_TEST(many_waiters)
{
	u64 page, count;
	setup(100, SYS_VMO_RESIZABLE);
	host_preempt_every(1);
	for (unsigned way = 0; way < 3; way++) {
		for (unsigned i = 0; i < THREADS; i++)
			ck_assert_int_eq(start(i, 50 + way, 51 + way), SYS_ERR_SHOULD_WAIT);
		ck_assert(receive(&page, &count) && !receive(&page, &count));
		if (way == 0)
			ck_assert_int_eq(fail_range(50, 1, SYS_ERR_IO), SYS_OK);
		else if (way == 1)
			must_ok(supply(51, 1, 0));
		else
			must_ok(vmo_set_size(root, 10 * PAGE_SIZE_, true, NULL));
		for (unsigned i = 0; i < THREADS; i++) {
			ck_assert_uint_eq(client[i].wakes, 1);
			ck_assert_int_eq(client[i].status, way == 0 ? SYS_ERR_IO : SYS_OK);
			client[i].active = false;
		}
		check();
	}
	check_end();
}
END_TEST

/* A thread's priority changes while its request is queued: it moves among the others, and is asked for once. */
START_TEST(priority_changes)
{
	u64 page, count;
	setup(100, 0);
	for (unsigned i = 0; i < 4; i++)
		start(i, 10 * i, 10 * i + 1);
	page_wait_set_priority(&client[2].wait, 9);
	check();
	page_wait_set_priority(&client[2].wait, 8);
	page_wait_set_priority(&client[0].wait, 7);
	check();
	ck_assert(receive(&page, &count) && page == 20);
	ck_assert(receive(&page, &count) && page == 0);
	ck_assert(receive(&page, &count) && receive(&page, &count) && !receive(&page, &count));
	check_end();
}
END_TEST

/* As many as a step may wake go in one; with one more it has to go on. */
START_TEST(step_of_waiters)
{
	setup(100, SYS_VMO_RESIZABLE);
	for (unsigned n = SOURCE_STEP; n < SOURCE_STEP + 2; n++) {
		unsigned wakes = 0;
		for (unsigned i = 0; i < n; i++)
			ck_assert_int_eq(start(i, 90 - n, 91 - n), SYS_ERR_SHOULD_WAIT);
		ck_assert(source_shrink_step(root->source, 90 - n) == (n == SOURCE_STEP));
		for (unsigned i = 0; i < n; i++)
			wakes += client[i].wakes;
		ck_assert_uint_eq(wakes, SOURCE_STEP);
		ck_assert(source_shrink_step(root->source, 90 - n));
	}
	must_ok(vmo_set_size(root, 10 * PAGE_SIZE_, true, NULL));
	check();
	check_end();
}
END_TEST

/* A mapping goes: who waits for an access through it is woken, the others are not. */
START_TEST(mapping_goes)
{
	static struct space one, two;                           /* nothing else of them: nothing is supplied */
	u64 page, count;
	setup(100, 0);
	for (unsigned i = 0; i < 6; i++) {
		client[i].wait.space = i % 2 ? &one : &two;
		client[i].wait.va = 0x10000 + i * PAGE_SIZE_;
		client[i].wait.status = SYS_ERR_IO;             /* how its last wait ended */
		start(i, 10 + i % 3, 14);
	}
	ck_assert(receive(&page, &count) && page == 10);
	while (!page_wait_unmap_step(&one, 0x10000, 0x14000))
		check();
	for (unsigned i = 0; i < 6; i++)
		ck_assert_uint_eq(client[i].wakes, i == 1 || i == 3);
	ck_assert(client[1].wait.status == SYS_OK && client[3].wait.status == SYS_OK);
	while (!page_wait_unmap_step(&two, 0x10000, 0x14000))
		check();
	for (unsigned i = 0; i < 6; i++)
		ck_assert_uint_eq(client[i].wakes, i < 4);
	check_end();
}
END_TEST

/* A supply that cannot be paid for leaves pages, charges and waiters as they were. */
START_TEST(supply_without_memory)
{
	struct vmo *child;
	setup(100, 0);
	start(0, 20, 21);
	fill_aux(0, 1);
	fill_aux(1, 2);
	must_ok(vmo_create_child(aux, other, SYS_VMO_CHILD_SNAPSHOT, PAGE_SIZE_, PAGE_SIZE_, &child));
	/* page 1 is shared, page 0 is not, page 2 is known zero */
	object_cap(&child->object);
	for (u64 from = 0; from < 3; from++) {
		u64 failures = 0, used = account->used, paid = other->used;
		each_failure(n) {
			sys_status_t status = supply(20 + from, 1, from);
			if (!allocation_failed()) {
				ck_assert_int_eq(status, SYS_OK);
				continue;
			}
			failures++;
			ck_assert_int_eq(status, SYS_ERR_NO_MEMORY);
			ck_assert(account->used == used && other->used == paid);
			ck_assert(from != 0 || client[0].wakes == 0);
			check();
		}
		failure_disarm();
		ck_assert_uint_eq(failures, from == 0 ? 2 : from == 1 ? 1 : 0);
	}
	ck_assert_uint_eq(client[0].wakes, 1);
	object_uncap(&child->object);
	check_end();
}
END_TEST

START_TEST(arguments)
{
	struct vmo *v;
	struct pager *second;
	u64 done = 0, fresh = 0;
	setup(10, 0);
	must_ok(pager_create(other, 0, &second));
	ck_assert_int_eq(pager_create_vmo(pager, account, SYS_VMO_DISCARDABLE, 0, 1, &v), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pager_create_vmo(pager, account, SYS_VMO_UNBOUNDED | SYS_VMO_RESIZABLE, 0, 1, &v),
	                 SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pager_create_vmo(pager, account, 0, 0, UINT64_MAX, &v), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(pager_create_vmo(pager, account, SYS_VMO_TRAP_DIRTY, 0, 1, &v), SYS_ERR_NOT_SUPPORTED);
	ck_assert_int_eq(pager_supply(pager, root, 1, 0, aux, 0, &done, &fresh), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pager_supply(pager, root, 0, 0, aux, 1, &done, &fresh), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pager_supply(second, root, 0, PAGE_SIZE_, aux, 0, &done, &fresh), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pager_supply(pager, aux, 0, PAGE_SIZE_, aux, 0, &done, &fresh), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pager_supply(pager, root, 0, 11 * PAGE_SIZE_, aux, 0, &done, &fresh), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(pager_supply(pager, root, 0, PAGE_SIZE_, aux, AUX * PAGE_SIZE_, &done, &fresh),
	                 SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(pager_supply(pager, root, 0, PAGE_SIZE_, root, 0, &done, &fresh), SYS_ERR_NOT_SUPPORTED);
	ck_assert_int_eq(pager_op_range(pager, 99, root, 0, PAGE_SIZE_, 0), SYS_ERR_NOT_SUPPORTED);
	ck_assert_int_eq(pager_op_range(pager, SYS_PAGER_OP_DIRTY, root, 0, PAGE_SIZE_, 0), SYS_ERR_NOT_SUPPORTED);
	ck_assert_int_eq(pager_op_range(pager, SYS_PAGER_OP_WRITEBACK_END, root, 1, PAGE_SIZE_, 0), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pager_op_range(pager, SYS_PAGER_OP_WRITEBACK_END + 1, root, 1, PAGE_SIZE_, 0), SYS_ERR_NOT_SUPPORTED);
	ck_assert_int_eq(pager_op_range(pager, SYS_PAGER_OP_FAIL, root, 1, PAGE_SIZE_, SYS_ERR_IO),
	                 SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(vmo_op_range(root, SYS_VMO_OP_DECOMMIT, 0, PAGE_SIZE_, &done, &client[0].wait),
	                 SYS_ERR_NOT_SUPPORTED);
	ck_assert_int_eq(vmo_create_child(root, account, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE_SIZE_, &v),
	                 SYS_ERR_NOT_SUPPORTED);
	object_cap(&second->object);
	pager_kill(second);
	ck_assert_int_eq(pager_create_vmo(second, account, 0, 0, 1, &v), SYS_ERR_BAD_STATE);
	object_uncap(&second->object);
	each_failure(n) {
		sys_status_t status = pager_create_vmo(pager, other, 0, 1, 1, &v);
		if (allocation_failed())
			ck_assert_int_eq(status, SYS_ERR_NO_MEMORY);
		else
			object_end(&v->object);
	}
	failure_disarm();
	reap_all();
	check_end();
}
END_TEST

/* COMMIT waits for what is missing, in runs, and makes pages of what is known zero. */
START_TEST(commit_asks)
{
	u64 page, count, done = 0;
	setup(10, 0);
	fill_aux(0, 9);
	must_ok(supply(3, 2, 0));                               /* page 3, and page 4 known zero */
	ck_assert_uint_eq(root->tree.charged, 1);
	ck_assert_int_eq(vmo_op_range(root, SYS_VMO_OP_COMMIT, 0, 10 * PAGE_SIZE_, &done, &client[0].wait),
	                 SYS_ERR_SHOULD_WAIT);
	ck_assert(receive(&page, &count) && page == 0 && count == 3);
	must_ok(supply(0, 3, 0));
	ck_assert_int_eq(vmo_op_range(root, SYS_VMO_OP_COMMIT, 0, 10 * PAGE_SIZE_, &done, &client[0].wait),
	                 SYS_ERR_SHOULD_WAIT);
	ck_assert_uint_eq(done, 5 * PAGE_SIZE_);
	ck_assert(receive(&page, &count) && page == 5 && count == 5);
	must_ok(supply(5, 5, 0));
	must_ok(vmo_op_range(root, SYS_VMO_OP_COMMIT, 0, 10 * PAGE_SIZE_, &done, &client[0].wait));
	ck_assert_uint_eq(root->tree.charged, 11);              /* nine pages more, and the leaf for pages 8 and 9 */
	check_end();
}
END_TEST

START_TEST(resizing)
{
	u64 page, count;
	setup(100, SYS_VMO_RESIZABLE);
	start(0, 90, 91);
	start(1, 20, 60);
	start(2, 55, 56);
	must_ok(vmo_set_size(root, 40 * PAGE_SIZE_, true, NULL));
	ck_assert_uint_eq(client[0].wakes, 1);
	ck_assert_uint_eq(client[2].wakes, 1);
	ck_assert_int_eq(run(&client[0]), SYS_ERR_OUT_OF_RANGE);
	ck_assert(receive(&page, &count));                      /* priority 1; the one for page 90 was withdrawn */
	ck_assert(page == 20 && count == 20);
	ck_assert(!receive(&page, &count));
	check();
	must_ok(vmo_set_size(root, 100 * PAGE_SIZE_, true, NULL));
	ck_assert_int_eq(start(0, 40, 100), SYS_OK);            /* grown by: zero, and nobody is asked */
	fill_aux(0, 5);
	must_ok(supply(41, 1, 0));                              /* ignored */
	ck_assert_int_eq(start(0, 41, 42), SYS_OK);
	check();
	check_end();
}
END_TEST

/* The pager dies: everybody is woken, what is there stays. */
START_TEST(pager_dies)
{
	u64 page, count, done = 0, fresh = 0;
	setup(100, 0);
	fill_aux(0, 3);
	must_ok(supply(0, 1, 0));
	start(0, 0, 10);
	start(1, 5, 6);
	ck_assert(receive(&page, &count));
	for (unsigned i = 2; i < THREADS; i++)
		start(i, 20 + i / 2, 40);
	pager_kill(pager);
	reap_all();
	for (unsigned i = 0; i < THREADS; i++) {
		ck_assert_int_eq(client[i].wait.state, PAGE_WAIT_IDLE);
		ck_assert_int_eq(client[i].status, SYS_ERR_BAD_STATE);
	}
	ck_assert_int_eq(start(1, 50, 51), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(start(1, 0, 1), SYS_OK);
	ck_assert_int_eq(pager_supply(pager, root, 0, PAGE_SIZE_, aux, 0, &done, &fresh), SYS_ERR_BAD_STATE);
	vmo_check(root);
	check_end();
}
END_TEST

START_TEST(root_dies)
{
	u64 page, count;
	setup(100, 0);
	fill_aux(0, 3);
	must_ok(supply(0, 1, 0));
	for (unsigned i = 0; i < THREADS; i++)
		start(i, 1 + i / 2, 30);
	ck_assert(receive(&page, &count));
	object_end(&root->object);
	reap_all();
	for (unsigned i = 0; i < THREADS; i++) {
		ck_assert_int_eq(client[i].wait.state, PAGE_WAIT_IDLE);
		ck_assert_int_eq(client[i].status, SYS_ERR_BAD_STATE);
	}
	ck_assert(!receive(&page, &count));
	ck_assert(list_empty(&pager->roots));
	ck_assert_int_eq(start(0, 0, 1), SYS_ERR_BAD_STATE);
	check_end();
}
END_TEST

/* ---- a fault that waits ------------------------------------------------------------------------- */
/* The entry is there before the thread runs, and aux's own entries are gone before the frame moves. */
START_TEST(fault_is_finished)
{
	struct space *space;
	vaddr_t at, aux_at;
	u64 page, count;
	setup(100, 0);
	must_ok(space_create(other, false, &space));
	object_cap((struct object *)space);
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, root,
	                 SYS_RIGHTS_VMO, 0, 100 * PAGE_SIZE_, NULL, &at));
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, aux,
	                 SYS_RIGHTS_VMO, 0, AUX * PAGE_SIZE_, NULL, &aux_at));
	must_ok(vm_fault(space, aux_at, SYS_ACCESS_WRITE, 0, &client[1].wait));
	*(u64 *)phys_to_virt(pt_query(space->root, aux_at).frame) = 42;
	client[0].page = 9;
	ck_assert_int_eq(again(vm_fault(space, at + 9 * PAGE_SIZE_, SYS_ACCESS_READ, 0, &client[0].wait)),
	                 SYS_ERR_SHOULD_WAIT);
	ck_assert(receive(&page, &count) && page == 9 && count == 1);
	must_ok(supply(9, 1, 0));
	ck_assert_uint_eq(client[0].wakes, 1);
	ck_assert_uint_eq(pt_query(space->root, aux_at).flags, 0);
	struct pt_entry e = pt_query(space->root, at + 9 * PAGE_SIZE_);
	ck_assert(e.flags & PT_READ);
	ck_assert_uint_eq(*(u64 *)phys_to_virt(e.frame), 42);
	space_check(space);
	check();
	object_uncap((struct object *)space);
	reap_all();
	check_end();
}
END_TEST

/* Whose request it was went on; who has it now waits behind the new end of the root, the request begins before that. */
START_TEST(shrinks_below_an_heir)
{
	u64 page, count;
	setup(16, SYS_VMO_RESIZABLE);
	ck_assert_int_eq(start(0, 2, 7), SYS_ERR_SHOULD_WAIT);
	ck_assert(receive(&page, &count) && page == 2 && count == 5);
	ck_assert_int_eq(start(1, 5, 6), SYS_ERR_SHOULD_WAIT);
	fill_aux(0, 7);
	must_ok(supply(2, 1, 0));
	ck_assert_uint_eq(client[0].wakes, 1);
	page_wait_cancel(&client[0].wait);
	client[0].active = false;
	const struct page_wait *heir = &client[1].wait;
	ck_assert(heir->state == PAGE_WAIT_DELIVERED && heir->first == 2 && heir->count == 5);
	must_ok(vmo_set_size(root, 4 * PAGE_SIZE_, true, NULL));
	ck_assert(client[1].wakes == 1 && heir->state == PAGE_WAIT_IDLE);
	ck_assert_int_eq(run(&client[1]), SYS_ERR_OUT_OF_RANGE);
	check();
	ck_assert_int_eq(start(2, 3, 4), SYS_ERR_SHOULD_WAIT);  /* that the pager knows of still */
	ck_assert(!receive(&page, &count) && client[2].wait.state == PAGE_WAIT_DELIVERED);
	must_ok(supply(3, 1, 1));
	ck_assert_uint_eq(client[2].wakes, 1);
	check();
	check_end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("source");
	add_test(s, one_page);
	add_test(s, asked_by_the_same);
	add_test(s, request_ranges);
	add_test(s, early_wake);
	add_test(s, cancelled_owner);
	add_test(s, failing);
	add_test(s, cut_in_front_of_the_owner);
	add_test(s, cut_long_request);
	add_test(s, many_waiters);
	add_test(s, step_of_waiters);
	add_test(s, priority_changes);
	add_test(s, mapping_goes);
	add_test(s, supply_without_memory);
	add_test(s, arguments);
	add_test(s, commit_asks);
	add_test(s, resizing);
	add_test(s, pager_dies);
	add_test(s, root_dies);
	add_test(s, fault_is_finished);
	add_test(s, shrinks_below_an_heir);
	return s;
}
