/* SPDX-License-Identifier: BSD-2-Clause */
/* tree.c: page trees against plain arrays: random operations of all kinds, with failing charges.
 *
 * The 2^54 indices are cut into cells: single indices around every kind of border between nodes, and what lies between
 * them whole. All that is done to a range is done from one cell's beginning to another's, so an array of cells says
 * exactly what each index holds. A tree sees the cells from its bias on, around.
 */
#include <stdlib.h>
#include <string.h>
#include "arch/arch.h"
#include "common/harness.h"
#include "common/trees.h"
#include "vm/tree.h"
#include "vm/wait.h"

#define FRAMES 32768u
#define TREES  8u
#define CELLS  512u                     /* at most */

struct cell { tree_slot_t kind; u64 value; };   /* kind: tag and state; value: of a page */
static struct model {
	bool alive, tracked;            /* tracked: with dirty states, never in a snapshot */
	struct tree tree;
	unsigned first;                 /* the cell of page 0 */
	struct cell cell[CELLS];        /* by index */
} model[TREES];
static u64 start[CELLS + 1];
static unsigned cells;
static u64 frames_at_start, next_value;
static struct account *account;

/* ---- cells -------------------------------------------------------------------------------------- */
static const u64 corner[] = { 0, 512, 1024, 512 * 5, 1ull << 18, (1ull << 18) + 512, 3ull << 18, 1ull << 27, 1ull << 36,
                             1ull << 45, 3ull << 45, 1ull << 53 };

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;
	return (x > y) - (x < y);
}

static void cut_cells(void)
{
	unsigned all = 0;
	for (unsigned c = 0; c < ARRAY_LEN(corner); c++)
		for (unsigned i = 0; i < 17; i++)
			start[all++] = (corner[c] + i - 4) & TREE_INDEX_MASK;
	qsort(start, all, sizeof start[0], by_value);
	cells = 0;
	for (unsigned i = 0; i < all; i++)
		if (i == 0 || start[i] != start[cells - 1])
			start[cells++] = start[i];
	start[cells] = TREE_ALL;
}

/* The n-th cell of a tree, and the page where it begins. */
static struct cell *cell_of(struct model *m, unsigned n) { return &m->cell[(m->first + n) % cells]; }
static u64 page_of(const struct model *m, unsigned n)
{
	return n >= cells ? TREE_ALL : (start[(m->first + n) % cells] - start[m->first]) & TREE_INDEX_MASK;
}
static bool single(const struct model *m, unsigned n) { return page_of(m, n + 1) - page_of(m, n) == 1; }
static tree_slot_t kind_at(const struct model *m, u64 page) { return tree_lookup(&m->tree, page) & TREE_KIND; }

static void setup(void)
{
	machine_start(FRAMES);
	account = account_root();
	frames_at_start = frame_count_free();
	next_value = 1;
	cut_cells();
}

static void begin(struct model *m, unsigned first)
{
	*m = (struct model){ .alive = true, .first = first };
	tree_init(&m->tree, account);
	m->tree.bias = start[first];
}

static enum tree_state some_state(const struct model *m)
{
	return m->tracked ? (enum tree_state)random_below(3) : TREE_CLEAN;
}

/* ---- operations --------------------------------------------------------------------------------- */
static void put(struct model *m, unsigned n)
{
	u64 charged = m->tree.charged;
	enum tree_state state = some_state(m);
	if (!single(m, n))
		return;
	if (trees_put(&m->tree, page_of(m, n), next_value, state) == SYS_OK)
		*cell_of(m, n) = (struct cell){ tree_with_state(TREE_PAGE, state), next_value++ };
	else
		must(m->tree.charged == charged);
}

/* A marker of one page, as supply puts it there. */
static void put_marker(struct model *m, unsigned n)
{
	tree_slot_t *slot, marker = tree_with_state(TREE_ZERO, some_state(m));
	u64 charged = m->tree.charged;
	if (!single(m, n) || cell_of(m, n)->kind != TREE_EMPTY)
		return;
	if (trees_edit(&m->tree, page_of(m, n), &slot) != SYS_OK) {
		must(m->tree.charged == charged);
		return;
	}
	tree_fill(&m->tree, page_of(m, n), slot, marker);
	cell_of(m, n)->kind = marker;
}

/* Pages in a row, of neighbouring frames: those that were never used yet. */
static void put_row(struct model *m, unsigned n)
{
	struct tree_place at;
	u64 page = page_of(m, n), row = 0;
	tree_locate(&m->tree, page, &at);
	if (!at.slot)
		return;
	while (row < 3 && row < tree_row(&m->tree, page) && n + row < cells && single(m, n + (unsigned)row) &&
	       cell_of(m, n + (unsigned)row)->kind == TREE_EMPTY)
		row++;
	if (row == 0 || tree_charge(&m->tree, row) != SYS_OK)
		return;
	paddr_t first = frame_alloc_zeroed(FRAME_PAGE);
	u64 got = 1;
	for (; got < row; got++) {
		paddr_t next = frame_alloc_zeroed(FRAME_PAGE);
		if (next == first + got * PAGE_SIZE_)
			continue;
		frame_free(next);
		break;
	}
	tree_uncharge(&m->tree, row - got);
	tree_fill_row(&m->tree, page, &at, first, got);
	for (u64 i = 0; i < got; i++) {
		*(u64 *)phys_to_virt(first + i * PAGE_SIZE_) = next_value;
		*cell_of(m, n + (unsigned)i) = (struct cell){ TREE_PAGE, next_value++ };
	}
}

static void take(struct model *m, unsigned n)
{
	struct tree_place at;
	if (tree_tag(tree_locate(&m->tree, page_of(m, n), &at)) != TREE_PAGE || !at.own)
		return;
	paddr_t frame = tree_take_at(&m->tree, page_of(m, n), &at);
	must(trees_value(frame) == cell_of(m, n)->value);
	frame_free(frame);
	tree_uncharge(&m->tree, 1);
	*cell_of(m, n) = (struct cell){ 0 };
}

/* What was not removed of pages page .. end, which should be empty, are markers that stand on both sides of an edge.
 * They go now, as memory is to be had. */
static void remove_rest(struct model *m, u64 page, u64 end)
{
	tree_slot_t kind;
	for (u64 at = page, to; at < end; at = to) {
		to = tree_run(&m->tree, at, end, &kind);
		bool before = at == page && (page == 0 || kind_at(m, page - 1) == kind);
		bool behind = to == end && (end == TREE_ALL || kind_at(m, end) == kind);
		must(kind == TREE_EMPTY || (tree_tag(kind) == TREE_ZERO && (before || behind)));
	}
	host_fail_charge_at = 0;
	must(trees_split(&m->tree, page) == SYS_OK && trees_split(&m->tree, end) == SYS_OK);
	trees_remove(&m->tree, page, end);
}

static void remove_range(struct model *m, unsigned n, unsigned end)
{
	u64 page = page_of(m, n), last = page_of(m, end);
	bool exact = random_below(2) && trees_split(&m->tree, page) == SYS_OK && trees_split(&m->tree, last) == SYS_OK;
	trees_remove(&m->tree, page, last);
	if (!exact)
		remove_rest(m, page, last);
	must(tree_next(&m->tree, page, last) == last);
	for (unsigned i = n; i < end; i++)
		*cell_of(m, i) = (struct cell){ 0 };
}

/* After an operation that went as far as page `at` of cells n .. end: before it is what became of them, then what was.
 * (Of all 2^54 pages, the last may have been done with the first, by one marker.) */
static void check_partly(struct model *m, unsigned n, unsigned end, u64 at, const struct cell *became)
{
	tree_check(&m->tree);
	for (unsigned i = n; i < end && end - n < cells; i++) {
		u64 page = page_of(m, i), next = page_of(m, i + 1);
		if (page < at)
			must(kind_at(m, MIN(next, at) - 1) == became[i].kind && kind_at(m, page) == became[i].kind);
		page = MAX(page, at);
		if (next > at)
			must(kind_at(m, page) == cell_of(m, i)->kind && kind_at(m, next - 1) == cell_of(m, i)->kind);
	}
}

static void finish(struct model *m, unsigned n, unsigned end, const struct cell *became)
{
	for (unsigned i = n; i < end; i++)
		*cell_of(m, i) = became[i];
}

static void zero_range(struct model *m, unsigned n, unsigned end)
{
	struct cell became[CELLS];
	enum tree_state state = some_state(m);
	u64 page = page_of(m, n);
	for (unsigned i = n; i < end; i++)
		became[i] = (struct cell){ tree_with_state(TREE_ZERO, state), 0 };
	if (trees_zero(&m->tree, &page, page_of(m, end), state) != SYS_OK) {
		check_partly(m, n, end, page, became);
		must(trees_zero(&m->tree, &page, page_of(m, end), state) == SYS_OK);
	}
	finish(m, n, end, became);
}

static void change_state(struct model *m, unsigned n, unsigned end)
{
	struct cell became[CELLS];
	unsigned from = (unsigned)random_below(8);
	enum tree_state to = some_state(m);
	u64 page = page_of(m, n);
	for (unsigned i = n; i < end; i++) {
		became[i] = *cell_of(m, i);
		if (became[i].kind != TREE_EMPTY && (from & 1u << tree_state(became[i].kind)))
			became[i].kind = tree_with_state(became[i].kind, to);
	}
	if (trees_set_state(&m->tree, &page, page_of(m, end), from, to) != SYS_OK) {
		check_partly(m, n, end, page, became);
		must(trees_set_state(&m->tree, &page, page_of(m, end), from, to) == SYS_OK);
	}
	finish(m, n, end, became);
}

static void snapshot(struct model *dst, struct model *src, unsigned n, unsigned end)
{
	u64 page = page_of(src, n);
	begin(dst, (src->first + n) % cells);
	dst->tree.bias = random_below(TREE_ALL);
	if (tree_snapshot(&dst->tree, &src->tree, page, page_of(src, end) - page) != SYS_OK) {
		must(dst->tree.charged == 0);
		dst->alive = false;
		return;
	}
	must(dst->tree.bias == start[dst->first]);
	tree_check(&dst->tree);
	for (unsigned i = 0; i < end - n; i++)
		*cell_of(dst, i) = *cell_of(src, n + i);
	remove_rest(dst, page_of(dst, end - n), TREE_ALL);
}

/* ---- checks ------------------------------------------------------------------------------------- */
static u8 reached[FRAMES];              /* by how many trees, for each page */

static void find_reached(void)
{
	memset(reached, 0, sizeof reached);
	for (unsigned t = 0; t < TREES; t++)
		for (unsigned i = 0; model[t].alive && i < cells; i++)
			if (tree_tag(cell_of(&model[t], i)->kind) == TREE_PAGE)
				reached[tree_frame(tree_lookup(&model[t].tree, page_of(&model[t], i))) >> PAGE_SHIFT]++;
}

static void check_pages(struct model *m)
{
	for (unsigned i = 0; i < cells; i++) {
		bool own;
		tree_slot_t slot = tree_find(&m->tree, page_of(m, i), &own);
		if (tree_tag(cell_of(m, i)->kind) != TREE_PAGE)
			continue;
		must(tree_tag(slot) == TREE_PAGE && trees_value(slot) == cell_of(m, i)->value);
		must(own == (reached[tree_frame(slot) >> PAGE_SHIFT] == 1));
	}
}

/* Runs of one kind, from the first page to the last, and cut short. */
static void check_runs(struct model *m)
{
	for (unsigned n = 0, end; n < cells; n = end) {
		tree_slot_t kind, expected = cell_of(m, n)->kind;
		u64 page = page_of(m, n);
		for (end = n + 1; end < cells && cell_of(m, end)->kind == expected; end++)
			;
		must(tree_run(&m->tree, page, TREE_ALL, &kind) == page_of(m, end) && kind == expected);
		u64 some = page + random_below(page_of(m, end) - page);
		must(tree_run(&m->tree, some, page_of(m, end), &kind) == page_of(m, end) && kind == expected);
		must(tree_run(&m->tree, page, some + 1, &kind) == some + 1 && kind == expected);
		must(tree_next(&m->tree, some, TREE_ALL) == (expected == TREE_EMPTY ? page_of(m, end) : some));
		must(tree_next(&m->tree, page, some) == (expected == TREE_EMPTY ? some : page) || some == page);
	}
}

static void check_counts(struct model *m, unsigned n, unsigned end)
{
	struct tree_counts counts;
	u64 pages = 0, private = 0;
	for (unsigned i = n; i < end; i++) {
		if (tree_tag(cell_of(m, i)->kind) != TREE_PAGE)
			continue;
		pages++;
		private += reached[tree_frame(tree_lookup(&m->tree, page_of(m, i))) >> PAGE_SHIFT] == 1;
	}
	tree_count(&m->tree, page_of(m, n), page_of(m, end), &counts);
	must(counts.pages == pages && counts.private_pages == private);
	if (n == 0 && end == cells)
		must(counts.pages + counts.nodes == m->tree.charged);
}

/* The shares add up to the pages in use, less the rounding. */
static void check_shares(void)
{
	u64 pages = 0, bytes = 0, fraction = 0, divisions = 1;
	for (u64 f = 0; f < frame_table_len; f++)
		pages += frame_table[f].kind == FRAME_PAGE;
	for (unsigned t = 0; t < TREES; t++) {
		struct tree_survey s = { 0 };
		if (!model[t].alive)
			continue;
		while (!tree_survey_step(&model[t].tree, &s))
			;
		struct tree_counts counts;
		tree_count(&model[t].tree, 0, TREE_ALL, &counts);
		must(s.private_pages == counts.private_pages);
		bytes += s.share.bytes + ((fraction + s.share.fraction) >> 63);
		fraction = (fraction + s.share.fraction) & INT64_MAX;
		divisions += (u64)cells * (TREE_LEVELS + 1);
	}
	must(bytes == pages * PAGE_SIZE_ || (bytes + 1 == pages * PAGE_SIZE_ && INT64_MAX - fraction < divisions));
}

static void check_all(void)
{
	u64 charged = 0;
	find_reached();
	for (unsigned t = 0; t < TREES; t++) {
		struct model *m = &model[t];
		if (!m->alive)
			continue;
		unsigned n = (unsigned)random_below(cells);
		tree_check(&m->tree);
		check_pages(m);
		check_runs(m);
		check_counts(m, 0, cells);
		check_counts(m, n, n + (unsigned)random_below(cells - n + 1));
		charged += m->tree.charged;
	}
	must(charged == account->used);
	check_shares();
	account_check_all();
}

/* ---- tests -------------------------------------------------------------------------------------- */
static unsigned some_end(unsigned n)
{
	unsigned rest = cells - n;
	switch (random_below(4)) {
	case 0: return cells;
	case 1: return n + (unsigned)random_below(rest + 1);
	default: return n + (unsigned)random_below(MIN(rest, 24u) + 1);
	}
}

/* Cells near page 0 more often, where slots stand inline. */
static unsigned some_cell(void)
{
	return (unsigned)random_below(random_below(3) ? cells : 12);
}

static void new_tree(struct model *m)
{
	struct model *src = &model[random_below(TREES)];
	if (src->alive && !src->tracked) {
		unsigned n = random_below(2) ? 0 : some_cell();
		snapshot(m, src, n, some_end(n));
		return;
	}
	begin(m, (unsigned)random_below(cells));
	m->tracked = random_below(3) == 0;
}

static void random_step(void)
{
	struct model *m = &model[random_below(TREES)];
	unsigned n = some_cell(), end = some_end(n);
	if (!m->alive) {
		new_tree(m);
		return;
	}
	switch (random_below(20)) {
	case 0: case 1: case 2: case 3: case 4: case 5: case 6: put(m, n); break;
	case 7: put_marker(m, n); break;
	case 8: put_row(m, n); break;
	case 9: case 10: case 11: zero_range(m, n, end); break;
	case 12: case 13: remove_range(m, n, end); break;
	case 14: case 15: change_state(m, n, end); break;
	case 16: case 17: take(m, n); break;
	case 18: trees_split(&m->tree, page_of(m, n)); break;
	default:
		if (random_below(8) == 0) {
			trees_end(&m->tree);
			m->alive = false;
		}
	}
}

START_TEST(random_operations)
{
	setup();
	for (unsigned step = 0; step < 16000; step++) {
		host_fail_charge_at = random_below(6) == 0 ? 1 + random_below(3) : 0;
		random_step();
		host_fail_charge_at = 0;
		if (step % 16 == 0)
			check_all();
	}
	check_all();
	for (unsigned t = 0; t < TREES; t++)
		if (model[t].alive)
			trees_end(&model[t].tree);
	ck_assert_uint_eq(frame_count_free(), frames_at_start);
	ck_assert_uint_eq(account->used, 0);
	frame_check();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("tree");
	add_test(s, random_operations);
	return s;
}
