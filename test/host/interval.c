/* SPDX-License-Identifier: BSD-2-Clause */
/* interval.c: kernel/vm/interval against a plain array: intervals of bytes come, go, end elsewhere; which ones meet a range. */
#include "common/harness.h"
#include "vm/interval.h"

#define INTERVALS 60u
#define BYTES     100u

static struct interval interval[INTERVALS];
static struct avl_tree tree;
static struct mapping *const some = (struct mapping *)8;        /* a name only */

static bool meets(const struct interval *i, u64 lo, u64 last) { return i->mapping && i->first <= last && i->last >= lo; }

/* All that meet [lo, last] follow the first one that does, by where they begin. */
static void look(u64 lo, u64 last)
{
	struct interval *found = interval_first_in(&tree, lo, last);
	unsigned all = 0, behind = 0;
	u64 first = UINT64_MAX;

	for (unsigned i = 0; i < INTERVALS; i++)
		if (meets(&interval[i], lo, last)) {
			first = MIN(first, interval[i].first);
			all++;
		}
	must(all ? found && meets(found, lo, last) && found->first == first : !found);
	for (u64 at = first; found; found = interval_next(found)) {
		must(found->first >= at);
		at = found->first;
		behind += meets(found, lo, last);
	}
	must(behind == all);
}

START_TEST(against_an_array)
{
	for (unsigned n = 0; n < 20000; n++) {
		struct interval *i = &interval[random_below(INTERVALS)];
		u64 first = random_below(BYTES), lo = random_below(BYTES);

		if (!i->mapping)
			interval_insert(&tree, i, some, first, first + random_below(20));
		else if (random_chance(50))
			interval_remove(&tree, i);
		else
			interval_end_at(&tree, i, i->first + random_below(20));
		must(!tree.root || tree.augment);
		interval_check(&tree);
		look(lo, lo + random_below(3));
	}
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("interval");

	add_test(s, against_an_array);
	return s;
}
