/* SPDX-License-Identifier: BSD-2-Clause */
/* tree.c: the page tree against a model that is a list of (page, value) for each tree, with failing charges, at the
 * corners of the index space. */
#include <stdlib.h>
#include <string.h>
#include "arch/arch.h"
#include "common/harness.h"
#include "vm/tree.h"
#include "vm/wait.h"

#define FRAMES 16384u
#define TREES  8u
#define ENTRIES    600u
#define ZERO   UINT64_MAX               /* the value of a known-zero marker */

struct entry { u64 page, value; };
static struct model { bool alive; struct tree tree; unsigned count; struct entry entry[ENTRIES]; } model[TREES];
static u64 frames_at_start, next_value;
static struct account *account;

static void setup(void)
{
	machine_start(FRAMES);
	account = account_root();
	frames_at_start = frame_count_free();
	next_value = 1;
}

/* ---- the model ---------------------------------------------------------------------------------- */
static struct entry *find(struct model *m, u64 page)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->entry[i].page == page)
			return &m->entry[i];
	return NULL;
}

static void set(struct model *m, u64 page, u64 value)
{
	struct entry *e = find(m, page);
	if (!e) {
		ck_assert_uint_lt(m->count, ENTRIES);
		e = &m->entry[m->count++];
	}
	*e = (struct entry){ page, value };
}

static void cut(struct model *m, u64 page, u64 end)
{
	for (unsigned i = 0; i < m->count;) {
		if (m->entry[i].page >= page && m->entry[i].page < end)
			m->entry[i] = m->entry[--m->count];
		else
			i++;
	}
}

static u64 value_at(paddr_t page) { return *(u64 *)phys_to_virt(page); }

static void begin(struct model *m, u64 bias)
{
	tree_init(&m->tree, account);
	m->tree.bias = bias;
	m->alive = true;
	m->count = 0;
}

/* ---- operations, as the cursor makes them ------------------------------------------------------- */
static sys_status_t edit(struct tree *t, u64 page, tree_slot_t **slot)
{
	bool whole = random_below(4) == 0;
	for (unsigned steps = 0;; steps++) {
		sys_status_t status = tree_edit(t, page, whole, slot);
		if (status != VM_AGAIN)
			return status;
		ck_assert(!whole && steps < TREE_LEVELS);
	}
}

static sys_status_t put(struct model *m, u64 page, u64 value)
{
	tree_slot_t *slot;
	sys_status_t status;
	bool fresh = tree_tag(tree_lookup(&m->tree, page)) != TREE_PAGE;
	if (fresh && (status = tree_charge(&m->tree, 1)) != SYS_OK)
		return status;
	if ((status = edit(&m->tree, page, &slot)) != SYS_OK) {
		if (fresh)
			tree_uncharge(&m->tree, 1);
		return status;
	}
	if (fresh)
		tree_fill(&m->tree, page, slot, frame_alloc_zeroed(FRAME_PAGE) | TREE_PAGE);
	else if (frame_of(tree_frame(*slot))->refs > 1)
		tree_replace(&m->tree, page, slot, frame_alloc_zeroed(FRAME_PAGE));
	*(u64 *)phys_to_virt(tree_frame(*slot)) = value;
	set(m, page, value);
	return SYS_OK;
}

static sys_status_t put_zero(struct model *m, u64 page)
{
	tree_slot_t *slot;
	sys_status_t status;
	if (tree_lookup(&m->tree, page) != TREE_EMPTY)
		return SYS_OK;
	if ((status = edit(&m->tree, page, &slot)) != SYS_OK)
		return status;
	tree_fill(&m->tree, page, slot, TREE_ZERO);
	set(m, page, ZERO);
	return SYS_OK;
}

static void drop_range(struct model *m, u64 page, u64 end)
{
	unsigned steps = 0;
	while (!tree_remove_step(&m->tree, page, end))
		must(++steps < 20000);
	cut(m, page, end);
}

static sys_status_t snapshot(struct model *dst, struct model *src, u64 page, u64 pages)
{
	begin(dst, random_below(TREE_ALL));
	sys_status_t status = tree_snapshot(&dst->tree, &src->tree, page, pages);
	if (status != SYS_OK) {
		dst->alive = false;
		ck_assert_uint_eq(dst->tree.charged, 0);
		return status;
	}
	for (unsigned i = 0; i < src->count; i++)
		if (src->entry[i].page >= page && src->entry[i].page - page < pages)
			set(dst, src->entry[i].page - page, src->entry[i].value);
	return SYS_OK;
}

static void take(struct model *m, u64 page)
{
	struct tree_place at;
	if (tree_tag(tree_locate(&m->tree, page, &at)) != TREE_PAGE || !at.own)
		return;
	paddr_t frame = tree_take_at(&m->tree, page, &at);
	ck_assert_uint_eq(value_at(frame), find(m, page)->value);
	frame_free(frame);
	tree_uncharge(&m->tree, 1);
	cut(m, page, page + 1);
}

static void end(struct model *m)
{
	unsigned steps = 0;
	while (!tree_drop_step(&m->tree))
		must(++steps < 20000);
	ck_assert_uint_eq(m->tree.charged, 0);
	m->alive = false;
}

/* ---- checks ------------------------------------------------------------------------------------- */
static int by_page(const void *a, const void *b)
{
	u64 x = ((const struct entry *)a)->page, y = ((const struct entry *)b)->page;
	return (x > y) - (x < y);
}

/* Is this frame reached by another tree than m? */
static bool reached_elsewhere(struct model *m, paddr_t frame)
{
	for (unsigned t = 0; t < TREES; t++) {
		if (!model[t].alive || &model[t] == m)
			continue;
		for (unsigned i = 0; i < model[t].count; i++)
			if (tree_frame(tree_lookup(&model[t].tree, model[t].entry[i].page)) == frame)
				return true;
	}
	return false;
}

static void check_one(struct model *m)
{
	u64 at = 0;
	tree_check(&m->tree);
	qsort(m->entry, m->count, sizeof m->entry[0], by_page);
	for (unsigned i = 0; i < m->count; i++) {
		tree_slot_t slot = tree_lookup(&m->tree, m->entry[i].page);
		must(tree_next(&m->tree, at, TREE_ALL) == m->entry[i].page);
		at = m->entry[i].page + 1;
		if (m->entry[i].value == ZERO) {
			must(slot == TREE_ZERO);
		} else {
			must(tree_tag(slot) == TREE_PAGE);
			must(value_at(tree_frame(slot)) == m->entry[i].value);
		}
	}
	must(tree_next(&m->tree, at, TREE_ALL) >= TREE_ALL);
}

static void check_counts(struct model *m, u64 page, u64 end)
{
	struct tree_counts counts;
	u64 pages = 0, private = 0;
	for (unsigned i = 0; i < m->count; i++) {
		if (m->entry[i].page < page || m->entry[i].page >= end || m->entry[i].value == ZERO)
			continue;
		pages++;
		bool own, others = reached_elsewhere(m, tree_frame(tree_find(&m->tree, m->entry[i].page, &own)));
		must(own == !others);
		private += own;
	}
	tree_count(&m->tree, page, end, &counts);
	must(counts.pages == pages);
	must(counts.private_pages == private);
	if (page == 0 && end == TREE_ALL)
		must(counts.pages + counts.nodes == m->tree.charged);
}

static void check_all(void)
{
	u64 charged = 0, pages = 0, bytes = 0, fraction = 0, divisions = 1;
	for (u64 f = 0; f < frame_table_len; f++)
		pages += frame_table[f].kind == FRAME_PAGE;
	for (unsigned t = 0; t < TREES; t++) {
		if (!model[t].alive)
			continue;
		struct tree_survey s = { 0 };
		check_one(&model[t]);
		check_counts(&model[t], 0, TREE_ALL);
		charged += model[t].tree.charged;
		while (!tree_survey_step(&model[t].tree, &s))
			;
		bytes += s.share.bytes + ((fraction + s.share.fraction) >> 63);
		fraction = (fraction + s.share.fraction) & INT64_MAX;
		divisions += (u64)model[t].count * (TREE_LEVELS + 1);
	}
	must(charged == account->used);
	/* The shares add up to the pages in use, less the rounding. */
	must(bytes == pages * PAGE_SIZE_ || (bytes + 1 == pages * PAGE_SIZE_ && INT64_MAX - fraction < divisions));
	account_check_all();
}

/* ---- tests -------------------------------------------------------------------------------------- */
static const u64 corner[] = { 0, 8, 512, 512 * 5, 1ull << 18, 3ull << 18, 1ull << 27, 1ull << 36, 1ull << 45,
                             1ull << 51 };
static const u64 biases[] = { 0, 1, 509, (1ull << 18) - 3, (1ull << 27) - 1, (1ull << 45) - 7, TREE_ALL - 1,
                             TREE_ALL - 5, TREE_ALL - 600, TREE_ALL - (1ull << 27) };

static u64 some_page(void)
{
	u64 page = corner[random_below(random_below(2) ? 4 : ARRAY_LEN(corner))] + random_below(14);
	return page > 6 ? page - random_below(7) : page;
}

static void random_step(void)
{
	struct model *m = &model[random_below(TREES)], *src = &model[random_below(TREES)];
	u64 page = some_page(), charged = m->tree.charged;
	if (!m->alive) {
		if (src->alive && src->count < ENTRIES / 2) {
			const u64 some[] = { random_below(12), TREE_ALL - page, some_page(), some_page() };
			u64 pages = some[random_below(4)];
			snapshot(m, src, random_below(3) ? page : 0, pages);
		} else {
			begin(m, biases[random_below(ARRAY_LEN(biases))]);
		}
		return;
	}
	switch (random_below(12)) {
	case 0: case 1: case 2: case 3: case 4: case 5:
		if (m->count < ENTRIES / 2 && put(m, page, next_value++) != SYS_OK)
			ck_assert_uint_eq(m->tree.charged, charged);
		break;
	case 6:
		if (m->count < ENTRIES / 2 && put_zero(m, page) != SYS_OK)
			ck_assert_uint_eq(m->tree.charged, charged);
		break;
	case 7: case 8: drop_range(m, page, page + random_below(20)); break;
	case 9: drop_range(m, page, random_below(2) ? TREE_ALL : page + some_page()); break;
	case 10: take(m, page); break;
	default:
		if (random_below(6) == 0)
			end(m);
	}
}

START_TEST(random_operations)
{
	setup();
	for (unsigned step = 0; step < 16000; step++) {
		host_fail_charge_at = random_below(8) == 0 ? 1 + random_below(3) : 0;
		random_step();
		host_fail_charge_at = 0;
		if (step % 16 == 0)
			check_all();
	}
	check_all();
	for (unsigned t = 0; t < TREES; t++)
		if (model[t].alive)
			end(&model[t]);
	ck_assert_uint_eq(frame_count_free(), frames_at_start);
	ck_assert_uint_eq(account->used, 0);
	frame_check();
}
END_TEST

/* The first eight pages cost no node; the ninth moves them into a leaf, which is charged then. */
START_TEST(inline_slots)
{
	setup();
	begin(&model[0], 510);
	for (u64 p = 0; p < 8; p++)
		ck_assert_int_eq(put(&model[0], p, p + 1), SYS_OK);
	ck_assert_uint_eq(model[0].tree.charged, 8);
	host_fail_charge_at = 2;
	ck_assert_int_eq(put(&model[0], 8, 9), SYS_ERR_NO_MEMORY);
	ck_assert(model[0].tree.inlined);
	ck_assert_uint_eq(model[0].tree.charged, 8);
	ck_assert_int_eq(put(&model[0], 8, 9), SYS_OK);
	ck_assert_uint_eq(model[0].tree.charged, 9 + 3);        /* index 510 .. 518: two leaves and a root */
	check_all();
	end(&model[0]);
	ck_assert(model[0].tree.inlined);
}
END_TEST

/* A snapshot of all shares the root, whatever its size; one of a window copies the nodes at its edges only. */
START_TEST(snapshot_shares)
{
	setup();
	begin(&model[0], 0);
	for (u64 p = 0; p < 20; p++)
		put(&model[0], p * 100, p + 1);
	u64 before = frame_count_free();
	ck_assert_int_eq(snapshot(&model[1], &model[0], 0, TREE_ALL), SYS_OK);
	ck_assert_uint_eq(frame_count_free(), before);
	ck_assert_uint_eq(model[1].tree.slot[0], model[0].tree.slot[0]);
	ck_assert_uint_eq(model[1].tree.charged, model[0].tree.charged);
	/* index 50 .. 1949: leaf 0 loses page 0, the last stays whole */
	ck_assert_int_eq(snapshot(&model[2], &model[0], 50, 1900), SYS_OK);
	ck_assert_uint_eq(frame_count_free(), before - 2);
	check_all();
	host_fail_charge_at = 1;
	ck_assert_int_eq(snapshot(&model[3], &model[0], 50, 1900), SYS_ERR_NO_MEMORY);
	check_all();
	end(&model[0]);
	check_all();
}
END_TEST

/* A thousand generations later a lookup still goes down one tree, and all can go in any order. */
START_TEST(generations)
{
	setup();
	begin(&model[0], 0);
	for (u64 p = 0; p < 30; p++)
		put(&model[0], p * 50, p + 1);
	for (unsigned g = 0; g < 1000; g++) {
		ck_assert_int_eq(snapshot(&model[1 + g % 2], &model[g ? 2 - g % 2 : 0], 0, TREE_ALL), SYS_OK);
		put(&model[1 + g % 2], random_below(30) * 50, next_value++);
		if (g > 0)
			end(&model[2 - g % 2]);
	}
	check_all();
	ck_assert_uint_eq(model[2].tree.charged, model[0].tree.charged);
	ck_assert_uint_le(frames_at_start - frame_count_free(), 2 * model[0].tree.charged);
}
END_TEST

/* A shared subtree goes in one step, however large. */
START_TEST(shared_drop_is_one_step)
{
	setup();
	begin(&model[0], 0);
	for (u64 p = 0; p < 300; p++)
		put(&model[0], p * 3, p + 1);
	snapshot(&model[1], &model[0], 0, TREE_ALL);
	ck_assert(tree_drop_step(&model[1].tree));
	ck_assert_uint_eq(model[1].tree.charged, 0);
	model[1].alive = false;
	bool own;
	tree_find(&model[0].tree, 3, &own);
	ck_assert(own);
	ck_assert(!tree_drop_step(&model[0].tree));
	end(&model[0]);
	ck_assert_uint_eq(frame_count_free(), frames_at_start);
}
END_TEST

/* A large marker breaks into smaller ones on the way to a page. */
START_TEST(large_marker)
{
	setup();
	begin(&model[0], 0);
	put(&model[0], 600, 7);
	struct tree *t = &model[0].tree;
	put(&model[0], 3, 8);                           /* a root of two leaves */
	((tree_slot_t *)phys_to_virt(tree_frame(t->slot[0])))[5] = TREE_ZERO;
	frame_of(tree_frame(t->slot[0]))->state++;
	tree_check(t);
	ck_assert_uint_eq(tree_lookup(t, 5 * 512 + 9), TREE_ZERO);
	ck_assert_uint_eq(tree_next(t, 601, TREE_ALL), 5 * 512);
	put(&model[0], 5 * 512 + 9, 11);
	tree_check(t);
	ck_assert_uint_eq(tree_lookup(t, 5 * 512 + 8), TREE_ZERO);
	ck_assert_uint_eq(t->charged, 3 + 4);
	while (!tree_remove_step(t, 5 * 512, 6 * 512))
		;
	ck_assert_uint_eq(t->charged, 2 + 3);
	tree_check(t);
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("tree");
	add_test(s, random_operations);
	add_test(s, inline_slots);
	add_test(s, snapshot_shares);
	add_test(s, generations);
	add_test(s, shared_drop_is_one_step);
	add_test(s, large_marker);
	return s;
}
