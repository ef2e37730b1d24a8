/* SPDX-License-Identifier: BSD-2-Clause */
/* paging.c: kernel/vm: pagers beside mappings and ends: supplying from an aux that programs look at, out of memory half
 * way, objects that are going, and waiters in numbers. Plain waits for pages: source.c. */
#include "common/clients.h"
#include "vm/space.h"


static struct space *space;
static struct page_wait none;

static void begin(u64 pages, u32 options)
{
	setup(pages, options);
	must_ok(space_create(account, false, &space));
	object_cap((struct object *)space);
	page_wait_init(&none);
}

static void end(void)
{
	space_check(space);
	object_uncap((struct object *)space);
	reap_all();
	check_end();
}

static vaddr_t map(struct vmo *v, u64 page, u64 pages)
{
	vaddr_t at;

	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW, 0, v, SYS_RIGHTS_VMO, page * P, pages * P, NULL, &at));
	return at;
}

static sys_status_t touch(vaddr_t at, unsigned access, struct page_wait *w)
{
	w->access = (u8)access;
	return again(vm_fault(space, at, access, 9, w));
}

static u64 word(vaddr_t at)
{
	u64 value = 0, done = 0;

	must_ok(space_copy_in(space, &value, at, sizeof value, &done, 9, &none));
	return value;
}

/* ---- aux that is mapped ---------------------------------------------------------------------------------------------- */

/* Its pages disappear from wherever they are looked at before they are somebody else's, in steps. */
START_TEST(aux_is_looked_at)
{
	enum { VIEWS = 200 };
	vaddr_t at[VIEWS], there;
	u64 done = 0, fresh = 0, restarts = 0;

	begin(10, 0);
	there = map(root, 0, 10);
	for (unsigned i = 0; i < VIEWS; i++)
		at[i] = map(aux, 0, 2);
	for (unsigned round = 0; round < 2; round++) {          /* the second time the root has the pages already */
		fill_aux(0, 100 + round);
		fill_aux(1, 200 + round);
		for (unsigned i = 0; i < VIEWS; i++)
			must_ok(touch(at[i], SYS_ACCESS_WRITE, &none));
		host_preempt_every(1);
		done = fresh = restarts = 0;
		while (pager_supply(pager, root, 0, 2 * P, aux, 0, &done, &fresh) == VM_AGAIN) {
			restarts++;
			check();
			space_check(space);
		}
		host_preempt_every(0);
		ck_assert(restarts > 1);
		ck_assert_uint_eq(fresh, round ? 0 : 2 * P);
		ck_assert_uint_eq(word(there), 100);
		ck_assert_uint_eq(word(there + P), 200);
		for (unsigned i = 0; i < VIEWS; i++)
			must(word(at[i]) == 0 && word(at[i] + P) == 0);
		check();
	}
	for (u64 i = 0; i < 2; i++)
		present[i] = true, value[i] = 100 * (i + 1);
	end();
}
END_TEST

/* Pages that somebody shares with aux are copied. Whatever of this cannot be paid for has changed nothing. */
START_TEST(each_kind_fails)
{
	u64 failures = 0;

	for (unsigned kind = 0; kind < 3; kind++) {             /* alone, shared, nothing */
		bool failed = true;

		for (u64 n = 1; failed; n++) {
			struct vmo *far, *child = NULL;
			u64 used, paid, done = 0, fresh = 0;

			begin(700, 0);
			must_ok(pager_create_vmo(pager, account, 0, 5, 1ull << 40, &far));
			object_cap(&far->object);
			if (kind < 2)
				fill_aux(3, 77);
			if (kind == 1) {
				must_ok(vmo_create_child(aux, other, SYS_VMO_CHILD_SNAPSHOT, 0, AUX * P, &child));
				object_cap(&child->object);
			}
			used = account->used;
			paid = other->used;
			host_fail_charge_at = n;
			sys_status_t status = again(pager_supply(pager, far, 1ull << 39, P, aux, 3 * P, &done, &fresh));
			failed = host_fail_charge_at == 0;
			host_fail_charge_at = 0;
			vmo_check(far);
			check();
			if (failed) {
				failures++;
				ck_assert_int_eq(status, SYS_ERR_NO_MEMORY);
				ck_assert(done == 0 && fresh == 0 && account->used == used && other->used == paid);
				ck_assert_uint_eq(tree_tag(tree_lookup(&far->tree, 1ull << 27)), TREE_EMPTY);
				ck_assert_uint_eq(tree_tag(tree_lookup(&aux->tree, 3)), kind < 2 ? TREE_PAGE : TREE_EMPTY);
			} else {
				ck_assert(status == SYS_OK && done == P && fresh == P);
				ck_assert_uint_eq(tree_tag(tree_lookup(&far->tree, 1ull << 27)), kind < 2 ? TREE_PAGE : TREE_ZERO);
				ck_assert_uint_eq(tree_tag(tree_lookup(&aux->tree, 3)), TREE_EMPTY);
			}
			object_uncap(&far->object);
			if (child)
				object_uncap(&child->object);
			end();
		}
	}
	ck_assert(failures >= 4);
}
END_TEST

/* ---- refusals ------------------------------------------------------------------------------------------------------- */

static sys_status_t supply_to(struct vmo *v, u64 offset, u64 len, struct vmo *from)
{
	u64 done = 0, fresh = 0;

	return pager_supply(pager, v, offset, len, from, 0, &done, &fresh);
}

START_TEST(supply_refusals)
{
	struct vmo *v;
	struct account *third;

	begin(10, 0);
	ck_assert_int_eq(supply_to(root, 0, P + 1, aux), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(supply_to(root, 11 * P, 0, aux), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(supply_to(root, 10 * P, 0, aux), SYS_OK);
	ck_assert_int_eq(supply_to(root, 9 * P, 2 * P, aux), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(supply_to(root, P, UINT64_MAX - P + 1, aux), SYS_ERR_OUT_OF_RANGE);
	must_ok(account_create(account_root(), 100, &third));
	object_cap(&third->object);
	must_ok(vmo_create(third, P, 0, &v));
	object_cap(&v->object);
	object_end(&v->object);                                 /* and is still named */
	ck_assert_int_eq(supply_to(root, 0, P, v), SYS_ERR_BAD_STATE);
	object_uncap(&v->object);
	reap_all();
	must_ok(pager_create_vmo(pager, third, 0, 9, P, &v));
	object_cap(&v->object);
	object_end(&v->object);
	ck_assert_int_eq(supply_to(v, 0, P, aux), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(pager_op_range(pager, SYS_PAGER_OP_FAIL, v, 0, P, SYS_ERR_IO), SYS_ERR_BAD_STATE);
	reap_all();
	ck_assert_int_eq(supply_to(v, 0, P, aux), SYS_ERR_BAD_STATE);   /* its source is gone */
	object_uncap(&v->object);
	object_uncap(&third->object);
	reap_all();
	ck_assert_int_eq(pager_create_vmo(pager, account, SYS_VMO_UNBOUNDED, 0, UINT64_MAX, &v), SYS_ERR_INVALID_ARGS);
	pager_kill(pager);
	ck_assert_int_eq(supply_to(root, 0, P, aux), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(start(0, 3, 4), SYS_ERR_BAD_STATE);
	reap_all();
	ck_assert(!root->source->pager);
	ck_assert_int_eq(start(0, 3, 4), SYS_ERR_BAD_STATE);
	page_wait_set_priority(&client[0].wait, 3);
	ck_assert_int_eq(supply_to(root, 0, P, aux), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(supply_to(root, 11 * P, P, aux), SYS_ERR_OUT_OF_RANGE);
	end();
}
END_TEST

START_TEST(fail_codes)
{
	static const i64 good[] = { SYS_ERR_IO, SYS_ERR_IO_DATA_INTEGRITY, SYS_ERR_BAD_STATE, SYS_ERR_NO_SPACE, SYS_ERR_BUFFER_TOO_SMALL };
	u64 page, count;

	begin(10, 0);
	for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
		start(0, 4, 5);
		ck_assert(receive(&page, &count));
		ck_assert_int_eq(fail_range(4, 1, good[i]), SYS_OK);
		ck_assert(client[0].wakes == 1 && client[0].status == good[i]);
		client[0].active = false;
		check();
	}
	for (i64 code = -60; code < 5; code++) {
		bool is_good = false;

		for (unsigned i = 0; i < ARRAY_LEN(good); i++)
			is_good |= code == good[i];
		ck_assert_int_eq(fail_range(4, 1, code), is_good ? SYS_OK : SYS_ERR_INVALID_ARGS);
	}
	ck_assert_int_eq(pager_op_range(pager, SYS_PAGER_OP_FAIL - 1, root, 0, P, SYS_ERR_IO), SYS_ERR_NOT_SUPPORTED);
	ck_assert_int_eq(pager_op_range(pager, SYS_PAGER_OP_WRITEBACK_END + 1, root, 0, P, SYS_ERR_IO), SYS_ERR_NOT_SUPPORTED);
	end();
}
END_TEST

/* ---- waiters in numbers ------------------------------------------------------------------------------------------------ */

/* More of them than one step wakes: for one page, and each with a request of its own. */
START_TEST(ends_in_steps)
{
	for (unsigned way = 0; way < 4; way++) {
		bool apart = way & 1, by_end = way & 2;
		u64 steps = 0;

		begin(100, SYS_VMO_RESIZABLE);
		for (unsigned i = 0; i < THREADS; i++)
			start(i, apart ? 2 * i + 1 : 50, apart ? 2 * i + 2 : 51);
		if (by_end) {
			while (!source_end_step(root->source, SYS_ERR_BAD_STATE))
				steps++;
		} else {
			while (!source_shrink_step(root->source, 1))
				steps++;
		}
		ck_assert(steps >= 1 && pqueue_empty(&pager->queue));
		for (unsigned i = 0; i < THREADS; i++) {
			ck_assert(client[i].wakes == 1 && client[i].status == (by_end ? SYS_ERR_BAD_STATE : SYS_OK));
			client[i].active = false;
		}
		source_check(root->source);
		end();
	}
}
END_TEST

/* A request that lies across the new end loses what is behind it; its owner waits for a page in front of that. */
START_TEST(shrink_cuts_requests)
{
	u64 page, count;

	begin(100, SYS_VMO_RESIZABLE);
	start(0, 5, 20);
	start(1, 30, 40);
	start(2, 34, 35);
	must_ok(vmo_set_size(root, 10 * P, true, NULL));
	ck_assert(client[0].wakes == 0 && client[1].wakes == 1 && client[2].wakes == 1);
	ck_assert(receive(&page, &count) && page == 5 && count == 5);
	must_ok(vmo_set_size(root, 0, true, NULL));
	ck_assert_uint_eq(client[0].wakes, 1);
	ck_assert(!receive(&page, &count));
	for (unsigned i = 0; i < 3; i++)
		client[i].active = false;
	vmo_check(root);
	end();
}
END_TEST

/* A request that an owner left behind, delivered, is cut as well, and one that is answered by that is forgotten. */
START_TEST(shrink_cuts_records)
{
	u64 page, count;

	begin(100, SYS_VMO_RESIZABLE);
	start(0, 5, 15);
	ck_assert(receive(&page, &count) && count == 10);
	page_wait_cancel(&client[0].wait);
	client[0].active = false;
	ck_assert_uint_eq(root->source->record[0].count, 10);
	must_ok(vmo_set_size(root, 8 * P, true, NULL));
	ck_assert_uint_eq(root->source->record[0].count, 3);
	for (u64 i = 8; i < 15; i++)
		known[i] = false;
	must_ok(supply(5, 2, 0));
	check();
	must_ok(vmo_set_size(root, 7 * P, true, NULL));
	known[7] = false;
	ck_assert_uint_eq(root->source->record[0].count, 0);
	vmo_check(root);
	end();
}
END_TEST

/* Priorities that change while a request is queued, delivered, or joined. */
START_TEST(priorities)
{
	u64 page, count, before;

	begin(100, 0);
	start(0, 10, 11);
	start(3, 20, 21);
	start(6, 20, 21);
	before = readies;
	page_wait_set_priority(&client[3].wait, 9);
	ck_assert_uint_eq(readies, before + 1);
	page_wait_set_priority(&client[6].wait, 9);             /* it joined */
	page_wait_set_priority(&client[9].wait, 9);             /* it does not wait */
	ck_assert_uint_eq(readies, before + 1);
	ck_assert(receive(&page, &count) && page == 20);
	page_wait_set_priority(&client[3].wait, 1);
	ck_assert(receive(&page, &count) && page == 10);
	ck_assert_uint_eq(readies, before + 1);
	for (unsigned i = 0; i < 10; i++)
		page_wait_cancel(&client[i].wait), client[i].active = false;
	end();
}
END_TEST

/* ---- accesses that wait ------------------------------------------------------------------------------------------------ */

/* Mappings of a root are cut at either end while threads wait for pages in them: who came through what goes is woken. */
START_TEST(cut_under_waiters)
{
	vaddr_t at, other_at;

	begin(200, 0);
	at = map(root, 0, 100);
	other_at = map(root, 0, 100);
	for (unsigned i = 0; i < THREADS; i++)
		must(touch((i % 2 ? other_at : at) + i * 4 * P, SYS_ACCESS_READ, &client[i].wait) == SYS_ERR_SHOULD_WAIT);
	must_ok(vmar_unmap(&space->root_vmar, true, at, 8 * P));
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_uint_eq(client[i].wakes, i == 0);
	must_ok(vmar_unmap(&space->root_vmar, true, at + 40 * P, 60 * P));
	for (unsigned i = 0; i < THREADS; i++)
		ck_assert_uint_eq(client[i].wakes, i % 2 == 0 && (i == 0 || i >= 10));
	space_check(space);
	must_ok(vmar_unmap(&space->root_vmar, true, other_at + 16 * P, 16 * P));
	for (unsigned i = 1; i < THREADS; i += 2)
		ck_assert_uint_eq(client[i].wakes, i == 5 || i == 7);
	source_check(root->source);
	end();
}
END_TEST

/* More of them than a step wakes, at the end of a mapping that stays. */
START_TEST(cut_under_many)
{
	for (unsigned front = 0; front < 2; front++) {
		u64 steps = 0;
		vaddr_t at;
		sys_status_t status;

		begin(200, 0);
		at = map(root, 0, 100);
		for (unsigned i = 0; i < THREADS; i++)
			must(touch(at + (front ? 10 : 60) * P, SYS_ACCESS_READ, &client[i].wait) == SYS_ERR_SHOULD_WAIT);
		host_preempt_every(1);
		while ((status = vmar_unmap(&space->root_vmar, true, at + (front ? 0 : 50) * P, 50 * P)) == VM_AGAIN) {
			steps++;
			space_check(space);
			source_check(root->source);
		}
		host_preempt_every(0);
		ck_assert_int_eq(status, SYS_OK);
		ck_assert(steps >= 2);
		for (unsigned i = 0; i < THREADS; i++)
			ck_assert_uint_eq(client[i].wakes, 1);
		end();
	}
}
END_TEST

/* What is supplied is entered where its waiters looked, unless that may not be looked at any more. */
START_TEST(finished_accesses)
{
	vaddr_t at;
	u64 done = 0;

	begin(200, 0);
	at = map(root, 0, 100);
	must(touch(at, SYS_ACCESS_READ, &client[0].wait) == SYS_ERR_SHOULD_WAIT);
	must(touch(at, SYS_ACCESS_READ, &client[1].wait) == SYS_ERR_SHOULD_WAIT);
	must(touch(at + 8 * P, SYS_ACCESS_WRITE, &client[2].wait) == SYS_ERR_SHOULD_WAIT);
	must_ok(vmar_protect(&space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ, at + 8 * P, P, &done));
	fill_aux(0, 4);
	u64 fresh = 0;
	done = 0;
	must_ok(pager_supply(pager, root, 0, P, aux, 0, &done, &fresh));
	ck_assert(pt_query(space->root, at).flags & PT_READ);
	ck_assert(client[0].wakes == 1 && client[1].wakes == 1 && client[2].wakes == 0);
	done = 0;
	must_ok(pager_supply(pager, root, 8 * P, P, aux, 0, &done, &fresh));
	ck_assert_uint_eq(client[2].wakes, 1);
	ck_assert_uint_eq(pt_query(space->root, at + 8 * P).flags, 0);
	value[0] = 4;
	present[0] = present[8] = true;
	end();
}
END_TEST

/* More waiters than one step answers: those of later steps see the page as well. */
START_TEST(finished_in_steps)
{
	vaddr_t at[THREADS];

	begin(200, 0);
	for (unsigned i = 0; i < THREADS; i++) {
		at[i] = map(root, 0, 100);
		must(touch(at[i] + 5 * P, SYS_ACCESS_READ, &client[i].wait) == SYS_ERR_SHOULD_WAIT);
	}
	fill_aux(0, 4);
	must_ok(supply(5, 1, 0));
	for (unsigned i = 0; i < THREADS; i++) {
		ck_assert_uint_eq(client[i].wakes, 1);
		ck_assert_uint_eq(pt_query(space->root, at[i] + 5 * P).flags, PT_READ | PT_WRITE);
	}
	end();
}
END_TEST

/* A page that comes while access to it is being taken away is not entered: its waiter looks again. */
START_TEST(supplied_while_closing)
{
	vaddr_t at[THREADS];

	begin(200, 0);
	must_ok(supply(7, 1, 0));
	for (unsigned i = 0; i < THREADS; i++) {
		at[i] = map(root, 0, 100);
		must_ok(touch(at[i] + 7 * P, SYS_ACCESS_READ, &none));
	}
	for (u64 page = 3; page < 12; page += 2)
		if (page != 7)
			must(touch(at[0] + page * P, SYS_ACCESS_READ, &client[page].wait) == SYS_ERR_SHOULD_WAIT);
	ck_assert(!mapping_unmap_step(root, 5, 10));
	for (u64 page = 3; page < 12; page += 2) {
		if (page == 7)
			continue;
		must_ok(supply(page, 1, 0));
		ck_assert_uint_eq(client[page].wakes, 1);
		ck_assert_int_eq(pt_query(space->root, at[0] + page * P).flags != 0, page < 5 || page >= 10);
	}
	while (!mapping_unmap_step(root, 5, 10))
		space_check(space);
	must_ok(touch(at[0] + 5 * P, SYS_ACCESS_READ, &none));
	end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("paging");

	add_test(s, aux_is_looked_at);
	add_test(s, each_kind_fails);
	add_test(s, supply_refusals);
	add_test(s, fail_codes);
	add_test(s, ends_in_steps);
	add_test(s, shrink_cuts_requests);
	add_test(s, shrink_cuts_records);
	add_test(s, priorities);
	add_test(s, cut_under_waiters);
	add_test(s, cut_under_many);
	add_test(s, finished_accesses);
	add_test(s, finished_in_steps);
	add_test(s, supplied_while_closing);
	return s;
}
