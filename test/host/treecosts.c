/* SPDX-License-Identifier: BSD-2-Clause */
/* treecosts.c: what page trees cost, in frames and steps, and what single operations do to a tree's shape. That they do
 * the right thing to its content is tree.c's matter. */
#include "arch/arch.h"
#include "common/harness.h"
#include "common/trees.h"
#include "vm/tree.h"
#include "vm/wait.h"

#define LEAF 512ull
#define TIB  (1ull << 28)               /* in pages */

static u64 frames_at_start;
static struct account *account;
static struct tree a, b, c;

static void begin(struct tree *t, u64 bias)
{
	tree_init(t, account);
	t->bias = bias;
}

static void setup(void)
{
	machine_start(16384);
	account = account_root();
	frames_at_start = frame_count_free();
	begin(&a, 0);
	begin(&b, 0);
	begin(&c, 0);
}

static void put(struct tree *t, u64 page) { ck_assert_int_eq(trees_put(t, page, page + 1, TREE_CLEAN), SYS_OK); }

static unsigned zero(struct tree *t, u64 page, u64 end, enum tree_state state)
{
	ck_assert_int_eq(trees_zero(t, &page, end, state), SYS_OK);
	tree_check(t);
	return trees_steps;
}

static void cut(struct tree *dst, struct tree *src, u64 page, u64 pages)
{
	ck_assert_int_eq(tree_snapshot(dst, src, page, pages), SYS_OK);
	tree_check(dst);
}

static void finish(void)
{
	trees_end(&a);
	trees_end(&b);
	trees_end(&c);
	ck_assert_uint_eq(frame_count_free(), frames_at_start);
	ck_assert_uint_eq(account->used, 0);
}

/* A run of this kind from page to end, exactly. */
static void is_run(const struct tree *t, u64 page, u64 end, tree_slot_t kind)
{
	tree_slot_t found;
	ck_assert_uint_eq(tree_run(t, page, TREE_ALL, &found), end);
	ck_assert_uint_eq(found, kind);
	ck_assert(page == 0 || (tree_lookup(t, page - 1) & TREE_KIND) != kind);
}

/* ---- paths -------------------------------------------------------------------------------------- */
/* The first eight pages cost no node; the ninth moves them into leaves, which are charged then. */
START_TEST(inline_slots)
{
	setup();
	a.bias = 510;
	for (u64 p = 0; p < 8; p++)
		put(&a, p);
	ck_assert_uint_eq(a.charged, 8);
	host_fail_charge_at = 2;
	ck_assert_int_eq(trees_put(&a, 8, 9, TREE_CLEAN), SYS_ERR_NO_MEMORY);
	ck_assert(a.inlined);
	ck_assert_uint_eq(a.charged, 8);
	put(&a, 8);
	ck_assert_uint_eq(a.charged, 9 + 3);    /* index 510 .. 518: two leaves and a root */
	finish();
}
END_TEST

/* Far pages cost their paths: on each level a node for each, up to where they meet. */
START_TEST(sparse_costs_paths)
{
	setup();
	put(&a, 0);
	put(&a, 1ull << 51);
	put(&a, TREE_ALL / 4 - 1);
	ck_assert_uint_eq(a.charged, 3 + 1 + 3 * 5);
	tree_check(&a);
	put(&b, 512);                           /* the root stands no higher than it must */
	ck_assert_uint_eq(b.charged, 1 + 1);
	put(&b, 0);
	ck_assert_uint_eq(b.charged, 2 + 3);
	finish();
}
END_TEST

/* How far the slot reaches that says what is at a page. */
START_TEST(slots_span)
{
	setup();
	put(&a, 3);
	ck_assert_uint_eq(tree_span(&a, 3), 1);
	ck_assert_uint_eq(tree_span(&a, LEAF), 1);
	put(&a, 3 * LEAF + 7);
	ck_assert_uint_eq(tree_span(&a, 3 * LEAF + 100), 1);
	ck_assert_uint_eq(tree_span(&a, 2 * LEAF), LEAF);
	ck_assert_uint_eq(tree_span(&a, 2 * LEAF + 100), LEAF - 100);
	put(&a, TIB);
	ck_assert_uint_eq(tree_span(&a, 5 * LEAF * LEAF + LEAF + 1), LEAF * LEAF - LEAF - 1);
	ck_assert_uint_eq(tree_span(&a, 2 * LEAF + 100), LEAF - 100);
	finish();
}
END_TEST

/* Who edits and then has nothing to fill in gives the way back. */
START_TEST(pruned)
{
	tree_slot_t *slot;
	setup();
	put(&a, 9);
	ck_assert_int_eq(trees_edit(&a, 5 * LEAF * LEAF, &slot), SYS_OK);
	ck_assert_uint_eq(a.charged, 2 + 2 + 1 + 1);    /* two nodes above the leaf, two below the root */
	tree_prune(&a, 5 * LEAF * LEAF);
	ck_assert_uint_eq(a.charged, 2 + 2);
	tree_check(&a);
	finish();
}
END_TEST

/* ---- snapshots ---------------------------------------------------------------------------------- */
/* A snapshot of all shares the root, whatever its size; one of a window copies the nodes at its edges only. */
START_TEST(snapshot_shares)
{
	setup();
	for (u64 p = 0; p < 20; p++)
		put(&a, p * 100);
	u64 before = frame_count_free();
	cut(&b, &a, 0, TREE_ALL);
	ck_assert_uint_eq(frame_count_free(), before);
	ck_assert_uint_eq(b.slot[0], a.slot[0]);
	ck_assert_uint_eq(b.charged, a.charged);
	/* index 50 .. 1949: leaf 0 loses page 0, the last stays whole */
	cut(&c, &a, 50, 1900);
	ck_assert_uint_eq(frame_count_free(), before - 2);
	trees_end(&c);
	begin(&c, 0);
	host_fail_charge_at = 1;
	ck_assert_int_eq(tree_snapshot(&c, &a, 50, 1900), SYS_ERR_NO_MEMORY);
	ck_assert_uint_eq(c.charged, 0);
	finish();
}
END_TEST

/* A window into high content: two paths at most, however much is between. */
START_TEST(window_costs_two_paths)
{
	setup();
	for (u64 p = 0; p < 40; p++)
		put(&a, p * (LEAF * LEAF / 16 + 1));
	put(&a, TREE_ALL / 2);                  /* a root of level 5 */
	u64 before = frame_count_free();
	cut(&b, &a, 5, TREE_ALL / 2);
	ck_assert_uint_le(before - frame_count_free(), 2 * TREE_LEVELS);
	before = frame_count_free();
	cut(&c, &a, 100, 2 * LEAF * LEAF);      /* none of the nodes above what holds it */
	ck_assert_uint_le(before - frame_count_free(), 2 * 3 - 1);
	ck_assert_uint_eq(frame_of(tree_frame(c.slot[0]))->level, 2);
	trees_end(&c);
	begin(&c, 0);
	put(&a, 3);
	cut(&c, &a, 2, 20);                     /* all in one leaf: no more than that */
	ck_assert_uint_eq(frame_of(tree_frame(c.slot[0]))->level, 0);
	finish();
}
END_TEST

/* A window that begins right behind what there is and comes around to it is cut there as any other is. */
START_TEST(window_comes_around)
{
	setup();
	for (u64 p = 0; p < 10; p++)
		put(&a, p);
	put(&a, LEAF);                          /* a root of level 1 */
	cut(&b, &a, LEAF * LEAF, TREE_ALL - LEAF * LEAF + 5);
	ck_assert_uint_eq(b.charged, 5 + 2);
	is_run(&b, TREE_ALL - LEAF * LEAF, TREE_ALL - LEAF * LEAF + 5, TREE_PAGE);
	finish();
}
END_TEST

/* A thousand generations later a lookup goes down as many nodes as before, and all can go in any order. */
START_TEST(generations)
{
	struct tree *t[2] = { &b, &c };
	setup();
	for (u64 p = 0; p < 30; p++)
		put(&a, p * 50);
	cut(&c, &a, 0, TREE_ALL);
	for (unsigned g = 0; g < 1000; g++) {
		begin(t[g % 2], 0);
		cut(t[g % 2], t[1 - g % 2], 0, TREE_ALL);
		put(t[g % 2], random_below(30) * 50);
		trees_end(t[1 - g % 2]);
	}
	ck_assert_uint_eq(c.charged, a.charged);
	ck_assert_uint_eq(frame_of(tree_frame(c.slot[0]))->level, frame_of(tree_frame(a.slot[0]))->level);
	ck_assert_uint_le(frames_at_start - frame_count_free(), 2 * a.charged);
	finish();
}
END_TEST

/* Many snapshots at once of the same tree: none costs a frame, each goes in one step. */
START_TEST(many_snapshots)
{
	static struct tree many[100000];
	setup();
	for (u64 p = 0; p < 300; p++)
		put(&a, p * 3);
	account->total = account->limit = UINT64_MAX / 2;       /* promises enough, for once */
	u64 before = frame_count_free();
	for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
		begin(&many[i], 0);
		must(tree_snapshot(&many[i], &a, 0, TREE_ALL) == SYS_OK);
	}
	ck_assert_uint_eq(frame_count_free(), before);
	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		must(tree_drop_step(&many[i * 7919 % ARRAY_LEN(many)]));
	bool own;
	tree_find(&a, 3, &own);
	ck_assert(own);
	ck_assert(!tree_drop_step(&a));         /* alone, it goes in bounded steps */
	finish();
}
END_TEST

/* ---- markers ------------------------------------------------------------------------------------ */
/* Zeroing 1 TiB costs the nodes at its edges, what was there is given back, and steps are few. */
START_TEST(zero_costs_edges)
{
	setup();
	ck_assert_uint_le(zero(&a, 5, TIB + 9, TREE_CLEAN), 2 * TREE_LEVELS);
	is_run(&a, 5, TIB + 9, TREE_ZERO);
	ck_assert_uint_eq(a.charged, 3 + 1 + 3);        /* down to page 5, the root, and down to page 2^28 + 9 */
	for (u64 p = 0; p < 40; p++)
		put(&b, p * (LEAF * LEAF / 16 + 1));
	zero(&b, 0, TIB, TREE_CLEAN);
	is_run(&b, 0, TIB, TREE_ZERO);
	ck_assert_uint_le(b.charged, 2);
	zero(&b, 0, TREE_ALL, TREE_CLEAN);      /* all there is */
	ck_assert_uint_eq(b.charged, 1);
	zero(&c, 3, 6, TREE_CLEAN);             /* inline, it costs nothing */
	ck_assert_uint_eq(c.charged, 0);
	finish();
}
END_TEST

/* Where a step stops within a row, since it dropped enough, the next one goes on behind. */
START_TEST(zero_over_pages)
{
	setup();
	for (u64 p = 0; p < 100; p++)
		put(&a, p + 700);
	ck_assert_uint_le(zero(&a, 0, TREE_ALL, TREE_CLEAN), 100);
	ck_assert_uint_eq(a.charged, 1);
	for (u64 p = 0; p < 40; p++)
		put(&b, p << 45 | p);
	ck_assert_uint_le(zero(&b, 0, TREE_ALL, TREE_CLEAN), 600);
	ck_assert_uint_eq(b.charged, 1);
	for (u64 p = 0; p < 100; p++)
		put(&c, p * LEAF);
	ck_assert_uint_le(zero(&c, 3, TREE_ALL, TREE_CLEAN), 600);
	finish();
}
END_TEST

/* Node by node, what says the same becomes one marker. */
START_TEST(markers_merge)
{
	setup();
	for (u64 p = 0; p < LEAF + 1; p++)
		put(&a, p);
	for (u64 p = LEAF; p-- > 0;)
		zero(&a, p, p + 1, TREE_CLEAN);
	ck_assert_uint_eq(a.charged, 1 + 1 + 1);        /* the page behind, its leaf, the root */
	put(&a, 9);                                     /* broken up and together again */
	ck_assert_uint_eq(a.charged, 2 + 2 + 1);
	is_run(&a, 10, LEAF, TREE_ZERO);
	zero(&a, 9, 10, TREE_CLEAN);
	ck_assert_uint_eq(a.charged, 3);
	zero(&a, 9, 10, TREE_DIRTY);                    /* not the same */
	ck_assert_uint_eq(a.charged, 4);
	u64 from = 0;
	ck_assert_int_eq(trees_set_state(&a, &from, LEAF, 1u << TREE_DIRTY, TREE_CLEAN), SYS_OK);
	ck_assert_uint_eq(a.charged, 3);
	finish();
}
END_TEST

/* What others reach too goes whole. */
START_TEST(zero_drops_shared)
{
	setup();
	put(&a, LEAF * LEAF);
	for (u64 p = 0; p < 300; p++)
		put(&a, LEAF + p);
	cut(&b, &a, 0, TREE_ALL);
	ck_assert_uint_le(zero(&b, LEAF, 2 * LEAF, TREE_CLEAN), 3);     /* two nodes copied, one dropped */
	is_run(&b, LEAF, 2 * LEAF, TREE_ZERO);
	ck_assert_uint_eq(b.charged, a.charged - 301);
	finish();
}
END_TEST

/* A window within a marker, or with one at its edge, reads as zero. */
START_TEST(snapshot_keeps_markers)
{
	setup();
	put(&a, 0);
	zero(&a, LEAF, 9 * LEAF, TREE_CLEAN);
	cut(&b, &a, 2 * LEAF + 7, 20);          /* all in one marker */
	ck_assert_uint_eq(tree_lookup(&b, 0), TREE_ZERO);
	ck_assert_uint_eq(tree_lookup(&b, 19), TREE_ZERO);
	ck_assert_uint_eq(b.charged, 1);
	cut(&c, &a, 5, 4 * LEAF);
	ck_assert_uint_eq(tree_lookup(&c, LEAF - 6), TREE_EMPTY);
	ck_assert_uint_eq(tree_lookup(&c, 4 * LEAF - 1), TREE_ZERO);
	trees_end(&c);
	begin(&c, 0);
	cut(&c, &a, 3 * LEAF - 2, 6);           /* inline */
	ck_assert_uint_eq(tree_lookup(&c, 5), TREE_ZERO);
	ck_assert_uint_eq(c.charged, 0);
	finish();
}
END_TEST

/* Removing never needs memory: a marker that sticks out stays, unless it was broken before, which may fail. */
START_TEST(removal_and_markers)
{
	setup();
	put(&a, LEAF * LEAF);
	zero(&a, 0, LEAF * LEAF, TREE_CLEAN);
	u64 charged = a.charged;
	host_fail_charge_at = 1;
	trees_remove(&a, 100, 20 * LEAF);
	ck_assert_uint_eq(host_fail_charge_at, 1);
	is_run(&a, 0, LEAF * LEAF, TREE_ZERO);
	ck_assert_int_eq(trees_split(&a, 100), SYS_ERR_NO_MEMORY);
	ck_assert_uint_eq(a.charged, charged);
	is_run(&a, 0, LEAF * LEAF, TREE_ZERO);
	ck_assert_int_eq(trees_split(&a, 100), SYS_OK);
	ck_assert_int_eq(trees_split(&a, 20 * LEAF), SYS_OK);
	tree_check(&a);
	ck_assert_uint_eq(a.charged, charged + 2);      /* of 512^2 pages, of 512 */
	trees_remove(&a, 100, 20 * LEAF);
	is_run(&a, 100, 20 * LEAF, TREE_EMPTY);
	is_run(&a, 20 * LEAF, LEAF * LEAF, TREE_ZERO);
	finish();
}
END_TEST

/* ---- dirty state -------------------------------------------------------------------------------- */
static sys_status_t change(u64 page, u64 end, enum tree_state from, enum tree_state to)
{
	sys_status_t status = trees_set_state(&a, &page, end, 1u << from, to);
	tree_check(&a);
	return status;
}

static sys_status_t write_back_a_range(void)
{
	u64 page = 3;
	sys_status_t status = trees_zero(&a, &page, 2 * LEAF, TREE_CLEAN);
	if (status != SYS_OK || (status = change(600, 700, TREE_CLEAN, TREE_DIRTY)) != SYS_OK)
		return status;
	is_run(&a, 3, 600, TREE_ZERO);
	is_run(&a, 600, 700, TREE_ZERO | TREE_DIRTY << 3);
	if ((status = change(0, TREE_ALL, TREE_DIRTY, TREE_AWAITING)) != SYS_OK)
		return status;
	is_run(&a, 600, 700, TREE_ZERO | TREE_AWAITING << 3);
	if ((status = trees_put(&a, 650, 1, TREE_DIRTY)) != SYS_OK)
		return status;
	if ((status = change(0, TREE_ALL, TREE_AWAITING, TREE_CLEAN)) != SYS_OK)
		return status;
	is_run(&a, 3, 650, TREE_ZERO);
	is_run(&a, 650, 651, TREE_PAGE | TREE_DIRTY << 3);      /* the write was seen */
	is_run(&a, 651, 2 * LEAF, TREE_ZERO);
	return SYS_OK;
}

/* A part of a marker becomes dirty, is being written back, and is clean: with every charge failing once. */
START_TEST(states_of_ranges)
{
	setup();
	each_failure(n) {
		begin(&a, 0);
		ck_assert_int_eq(write_back_a_range(), allocation_failed() ? SYS_ERR_NO_MEMORY : SYS_OK);
		tree_check(&a);
		trees_end(&a);
	}
	finish();
}
END_TEST

/* ---- the walker --------------------------------------------------------------------------------- */
static void check(void *t) { tree_check(t); }

START_TEST(walker_finds)
{
	setup();
	for (u64 p = 0; p < 20; p++)
		put(&a, p);
	tree_slot_t *leaf = phys_to_virt(tree_frame(a.slot[0]));
	leaf[30] = TREE_ZERO;                                   /* not counted as used */
	expect_panic(check, &a, "used == f->state");
	leaf[30] = 0;
	leaf[3] |= 3ull << 3;                                   /* no such state */
	expect_panic(check, &a, "TREE_AWAITING");
	leaf[3] = tree_with_state(leaf[3], TREE_DIRTY);
	tree_check(&a);
	cut(&b, &a, 5, 10);                                     /* page 3 is not in it */
	frame_of(tree_frame(a.slot[0]))->refs++;                /* somebody shares a tree with states */
	expect_panic(check, &a, "own");
	frame_of(tree_frame(a.slot[0]))->refs--;
	a.charged++;
	expect_panic(check, &a, "charged");
	a.charged--;
	finish();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("treecosts");
	add_test(s, inline_slots);
	add_test(s, sparse_costs_paths);
	add_test(s, slots_span);
	add_test(s, pruned);
	add_test(s, snapshot_shares);
	add_test(s, window_costs_two_paths);
	add_test(s, window_comes_around);
	add_test(s, generations);
	add_test(s, many_snapshots);
	add_test(s, zero_costs_edges);
	add_test(s, zero_over_pages);
	add_test(s, markers_merge);
	add_test(s, zero_drops_shared);
	add_test(s, snapshot_keeps_markers);
	add_test(s, removal_and_markers);
	add_test(s, states_of_ranges);
	add_test(s, walker_finds);
	return s;
}
