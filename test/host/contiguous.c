/* SPDX-License-Identifier: BSD-2-Clause */
/* contiguous.c: frames in a row, against a plain array of what is taken; contiguous VMOs, made in steps while others take
 * frames, and with failing charges. */
#include <string.h>
#include "common/user.h"
#include "vm/vmo.h"

#define FRAMES 4096u

static paddr_t held[FRAMES];
static unsigned held_count;
static struct account *account;

static void setup(void)
{
	machine_start(FRAMES);
	vmo_boot();
	account = account_root();
	held_count = 0;
}

static bool free_frame(u64 n)
{
	for (unsigned i = 0; i < held_count; i++)
		if (held[i] >> PAGE_SHIFT == n)
			return false;
	return true;
}

static void hold(void)
{
	must(account_charge(account, 1) == SYS_OK);
	held[held_count++] = frame_alloc_zeroed(FRAME_PAGE);
}

static void let_go(unsigned i)
{
	frame_free(held[i]);
	account_uncharge(account, 1);
	held[i] = held[--held_count];
}

/* Frames come and go; a row that is found is free, aligned, and can be taken; when none is found there is none. */
START_TEST(rows_are_found_and_taken)
{
	setup();
	u64 first = 0, end = frame_table_len;
	for (unsigned i = 0; i < 1500; i++)
		hold();
	for (unsigned i = 0; i < 1200; i++)
		let_go((unsigned)random_below(held_count));
	for (unsigned round = 0; round < 60; round++) {
		u64 next = 0, start = 0, count = 1 + random_below(40), align = 1ull << random_below(6);
		sys_status_t status;
		while ((status = frame_find_row(&next, &start, count, align)) == VM_AGAIN)
			;
		must(status == SYS_OK && start % align == 0 && start > first && start + count <= end);
		for (u64 n = start; n < start + count; n++) {
			must(free_frame(n));
			must(account_charge(account, 1) == SYS_OK);
			while ((status = frame_take(n, FRAME_PAGE)) == VM_AGAIN)
				frame_check();
			must(status == SYS_OK);
			held[held_count++] = n << PAGE_SHIFT;
			must(frame_take(n, FRAME_PAGE) == SYS_ERR_NO_RESOURCES);
		}
		for (unsigned i = 0; i < count / 2 + 5 && held_count; i++)
			let_go((unsigned)random_below(held_count));
		frame_check();
	}
	u64 next = 0, start = 0;
	sys_status_t status;
	while ((status = frame_find_row(&next, &start, FRAMES, 1)) == VM_AGAIN)
		;
	ck_assert_int_eq(status, SYS_ERR_NO_RESOURCES);
	while (held_count)
		let_go(held_count - 1);
	frame_check();
}
END_TEST

static void check_row(const struct vmo *v, u64 align)
{
	paddr_t first = tree_frame(tree_lookup(&v->tree, 0));
	must(first % align == 0 && v->content == v);
	for (u64 page = 0; page < vmo_pages(v); page++) {
		tree_slot_t slot = tree_lookup(&v->tree, page);
		must(tree_tag(slot) == TREE_PAGE && tree_frame(slot) == first + page * PAGE_SIZE_);
		must(((const u8 *)phys_to_virt(tree_frame(slot)))[random_below(PAGE_SIZE_)] == 0);
	}
}

/* Each step of the making stops, and somebody takes or gives back frames in between. */
START_TEST(made_while_others_take)
{
	unsigned made = 0;

	setup();
	for (unsigned round = 0; round < 40; round++) {
		struct account *a;
		struct vmo *v;
		u64 next = 0, start = 0, pages = 1 + random_below(700), log2 = 12 + random_below(5);
		sys_status_t status;
		must(account_create(account, 800, &a) == SYS_OK);
		object_cap(&a->object);
		host_preempt_every(1);
		while ((status = vmo_create_contiguous(a, pages * PAGE_SIZE_ - 7, (u32)log2, &next, &start, &v)) == VM_AGAIN)
			if (held_count < 60 && random_chance(20))
				hold();
		must(status == SYS_OK || status == SYS_ERR_NO_RESOURCES);
		if (status != SYS_OK)
			goto end;
		object_cap(&v->object);
		while ((status = vmo_contiguous_build(v, (u32)log2, &next, &start)) == VM_AGAIN) {
			if (held_count < 300 && random_chance(30))
				hold();
			if (held_count && random_chance(5))
				let_go((unsigned)random_below(held_count));
			must(!v->content);
			tree_check(&v->tree);
		}
		must(status == SYS_OK || (status == SYS_ERR_NO_RESOURCES && !v->content));
		host_preempt_every(0);
		if (status == SYS_OK)
			check_row(v, 1ull << log2);
		made += status == SYS_OK;
		vmo_check(v);
		account_check_all();
		object_uncap(&v->object);
		while (!object_reap(NULL))
			;
end:
		must(a->used == 0);
		host_preempt_every(0);
		object_uncap(&a->object);
		while (!object_reap(NULL))
			;
		frame_check();
	}
	ck_assert_uint_gt(made, 20);
}
END_TEST

/* Where no alignment is asked for the first frame that is free will do. */
START_TEST(not_aligned)
{
	u64 next, first, start;
	struct vmo *v;
	setup();
	do {
		hold();
		next = first = 0;
		while (frame_find_row(&next, &first, 1, 1) == VM_AGAIN)
			;
	} while (first % 2 == 0);
	next = start = 0;
	ck_assert_int_eq(vmo_create_contiguous(account, 1, 0, &next, &start, &v), SYS_OK);
	ck_assert_uint_eq(start, first);
	object_cap(&v->object);
	object_uncap(&v->object);
	while (!object_reap(NULL))
		;
	frame_check();
}
END_TEST

START_TEST(refusals)
{
	struct account *a;
	struct vmo *v;
	u64 next = 0, start = 0;
	setup();
	must(account_create(account, 20, &a) == SYS_OK);
	ck_assert_int_eq(vmo_create_contiguous(a, 0, 0, &next, &start, &v), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(vmo_create_contiguous(a, 1, 11, &next, &start, &v), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(vmo_create_contiguous(a, 1, 64, &next, &start, &v), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(vmo_create_contiguous(a, VMO_MAX_SIZE + 1, 0, &next, &start, &v), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(vmo_create_contiguous(a, 21 * PAGE_SIZE_, 0, &next, &start, &v), SYS_ERR_NO_MEMORY);
	ck_assert_int_eq(vmo_create_contiguous(a, 20 * PAGE_SIZE_, 0, &next, &start, &v), SYS_ERR_NO_MEMORY);    /* its node */
	next = start = 0;
	ck_assert_int_eq(vmo_create_contiguous(a, PAGE_SIZE_, 62, &next, &start, &v), SYS_ERR_NO_RESOURCES);
	ck_assert_uint_eq(a->used, 0);
}
END_TEST

/* It is ended half way: what was taken goes back. */
START_TEST(ended_half_way)
{
	struct account *a;
	struct vmo *v;
	u64 next = 0, start = 0;
	setup();
	must(account_create(account, 100, &a) == SYS_OK);
	object_cap(&a->object);
	while (vmo_create_contiguous(a, 40 * PAGE_SIZE_, 0, &next, &start, &v) == VM_AGAIN)
		;
	object_cap(&v->object);
	host_preempt_every(1);
	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(vmo_contiguous_build(v, 0, &next, &start), VM_AGAIN);
	host_preempt_every(0);
	ck_assert(!v->content && tree_tag(tree_lookup(&v->tree, 2)) == TREE_PAGE);
	object_end(&v->object);
	ck_assert_int_eq(vmo_contiguous_build(v, 0, &next, &start), SYS_ERR_BAD_STATE);
	object_uncap(&v->object);
	while (!object_reap(NULL))
		;
	ck_assert_uint_eq(a->used, 0);
	frame_check();
}
END_TEST

/* What was taken goes back when a charge fails in the middle. */
START_TEST(failing_charges)
{
	setup();
	u64 free = frame_count_free(), used = account->used;
	each_failure(n) {
		struct vmo *v;
		u64 next = 0, start = 0;
		sys_status_t status = vmo_create_contiguous(account, 40 * PAGE_SIZE_, 0, &next, &start, &v);
		must(status == SYS_OK || (status == SYS_ERR_NO_MEMORY && allocation_failed()));
		if (status != SYS_OK)
			continue;
		object_cap(&v->object);
		status = vmo_contiguous_build(v, 0, &next, &start);
		must(status == (allocation_failed() ? SYS_ERR_NO_MEMORY : SYS_OK));
		tree_check(&v->tree);
		object_uncap(&v->object);
		while (!object_reap(NULL))
			;
		must(frame_count_free() == free && account->used == used);
		frame_check();
	}
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("contiguous");
	add_test(s, rows_are_found_and_taken);
	add_test(s, made_while_others_take);
	add_test(s, not_aligned);
	add_test(s, refusals);
	add_test(s, ended_half_way);
	add_test(s, failing_charges);
	return s;
}
