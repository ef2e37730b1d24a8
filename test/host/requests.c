/* SPDX-License-Identifier: BSD-2-Clause */
/* requests.c: random clients of a random pager: nobody reads what was not supplied, and nobody sleeps for ever. */
#include "common/clients.h"

static u64 next_value = 1;

static void shake_aux(void)
{
	struct vmo *child;
	for (unsigned i = 0; i < 8; i++)
		if (random_chance(60))
			fill_aux(random_below(AUX), next_value++);
	if (random_chance(20)) {                                /* shared for a while: supply has to copy */
		must_ok(vmo_create_child(aux, other, SYS_VMO_CHILD_SNAPSHOT, 0, AUX * PAGE_SIZE_, &child));
		object_end(&child->object);
		if (random_chance(50))
			reap_all();
	}
}

static void resize(void)
{
	u64 pages = 100 + random_below(PAGES - 100), old = root->source->limit;
	must_ok(vmo_set_size(root, pages * PAGE_SIZE_, true, NULL));
	for (u64 p = MIN(pages, old); p < PAGES; p++) {
		known[p] = present[p] = false;
		value[p] = 0;
	}
}

static void random_step(u64 spread)
{
	unsigned i = (unsigned)random_below(THREADS);
	u64 page = random_below(root->size / PAGE_SIZE_) / spread, count = 1 + random_below(AUX - 1), from, length;
	count = MIN(count, root->size / PAGE_SIZE_ - page);
	switch (random_below(12)) {
	case 0: case 1: case 2: case 3:
		if (client[i].active)
			run(&client[i]);
		else
			start(i, page, page + count);
		break;
	case 4:
		page_wait_cancel(&client[i].wait);
		client[i].active = false;
		break;
	case 5: case 6: receive(&from, &length); break;
	case 7: case 8: case 9:
		shake_aux();
		host_fail_charge_at = random_chance(10) ? 1 + random_below(4) : 0;
		supply(page, 1 + random_below(count), random_below(AUX - count + 1));
		host_fail_charge_at = 0;
		break;
	case 10: must(fail_range(page, count, SYS_ERR_IO) == SYS_OK); break;
	default:
		if (random_chance(3))
			resize();
	}
}

START_TEST(random_requests)
{
	u64 page, count;
	for (unsigned round = 0; round < 4; round++) {
		setup(PAGES, SYS_VMO_RESIZABLE);
		for (unsigned step = 0; step < 3000; step++) {
			host_preempt_every((unsigned)random_below(4));
			random_step(1 + 3 * round);
			check();
		}
		/* Nobody sleeps for ever: once everything is received and answered, all run to their end. */
		for (unsigned turn = 0; turn < PAGES; turn++) {
			while (receive(&page, &count))
				;
			for (u64 p = 0; p < root->size / PAGE_SIZE_; p++)
				if (known[p])
					must_ok(supply(p, 1, 0));
			for (unsigned i = 0; i < THREADS; i++)
				run(&client[i]);
			check();
		}
		for (unsigned i = 0; i < THREADS; i++)
			ck_assert(!client[i].active);
		check_end();
	}
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("requests");
	add_test(s, random_requests);
	return s;
}
