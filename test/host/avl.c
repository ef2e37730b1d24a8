/* SPDX-License-Identifier: BSD-2-Clause */
/* avl.c: kernel/lib/avl against a sorted array, with the two summaries that the kernel uses: the largest end below a
 * node (mappings by offset) and the largest gap between neighbours (regions by address). */
#include <string.h>
#include "common/harness.h"
#include "lib/avl.h"

#define NODES 512
#define SPACE 4096u

struct range {
	struct avl_node node;
	u64 start, end;
	u64 max_end;                    /* in the subtree */
	u64 first, last, gap;           /* in the subtree: lowest start, highest end, largest gap between neighbours */
};
static struct range range[NODES];
static struct avl_tree tree;
static struct range *model[NODES];      /* by start */
static unsigned count;

static struct range *range_of(const struct avl_node *n) { return container_of(n, struct range, node); }

/* Ranges of this test may overlap (mappings do); where they do, the gap is 0. */
static u64 gap_between(u64 end, u64 start) { return start > end ? start - end : 0; }

static struct range summary(const struct avl_node *n)
{
	struct range s = *range_of(n);

	s.max_end = s.last = s.end;
	s.first = s.start;
	s.gap = 0;
	if (n->left) {
		const struct range *l = range_of(n->left);
		s.max_end = MAX(s.max_end, l->max_end);
		s.first = l->first;
		s.gap = MAX(l->gap, gap_between(l->last, s.start));
	}
	if (n->right) {
		const struct range *r = range_of(n->right);
		s.max_end = MAX(s.max_end, r->max_end);
		s.last = r->last;
		s.gap = MAX(s.gap, MAX(r->gap, gap_between(s.end, r->first)));
	}
	return s;
}

static void augment(struct avl_node *n) { *range_of(n) = summary(n); }

static bool summary_ok(const struct avl_node *n)
{
	struct range s = summary(n);
	const struct range *r = range_of(n);
	return s.max_end == r->max_end && s.first == r->first && s.last == r->last && s.gap == r->gap;
}

static bool by_start(const struct avl_node *a, const struct avl_node *b) { return range_of(a)->start < range_of(b)->start; }

static void insert(struct range *r, u64 start, u64 end)
{
	unsigned at = count;

	r->start = start;
	r->end = end;
	avl_insert(&tree, &r->node, by_start);
	for (count++; at > 0 && model[at - 1]->start > start; at--)
		model[at] = model[at - 1];
	model[at] = r;
}

static struct range *remove_at(unsigned at)
{
	struct range *r = model[at];

	avl_remove(&tree, &r->node);
	count--;
	memmove(&model[at], &model[at + 1], (count - at) * sizeof model[0]);
	return r;
}

static unsigned height_limit(void)
{
	unsigned log = 0;
	while ((1u << log) < count + 2)
		log++;
	return log * 3 / 2 + 1;         /* 1.44 log2 n */
}

static void compare(void)
{
	u64 max_end = 0, gap = 0;
	const struct avl_node *n = avl_first(&tree);
	unsigned depth = 0;

	must(avl_check(&tree, by_start, tree.augment ? summary_ok : NULL) == count);
	for (unsigned i = 0; i < count; i++, n = avl_next(n)) {
		must(n == &model[i]->node);
		must(avl_prev(n) == (i ? &model[i - 1]->node : NULL));
		max_end = MAX(max_end, model[i]->end);
		gap = i ? MAX(gap, gap_between(model[i - 1]->end, model[i]->start)) : 0;
	}
	must(!n);
	must(avl_last(&tree) == (count ? &model[count - 1]->node : NULL));
	for (n = count ? &model[random_below(count)]->node : NULL; n; n = n->parent)
		depth++;
	must(depth <= height_limit());
	if (tree.root && tree.augment) {
		must(range_of(tree.root)->max_end == max_end);
		must(range_of(tree.root)->gap == gap);
	}
}

static void start(bool summaries)
{
	tree = (struct avl_tree){ .augment = summaries ? augment : NULL };
	count = 0;
}

START_TEST(empty)
{
	start(true);
	ck_assert_ptr_null(avl_first(&tree));
	ck_assert_ptr_null(avl_last(&tree));
	compare();
}
END_TEST

/* Every order of insertion and of removal of up to six nodes: all rotations, all shapes of removal. */
START_TEST(all_small_orders)
{
	static const unsigned factorial[] = { 1, 1, 2, 6, 24, 120, 720 };

	for (unsigned n = 1; n <= 6; n++)
		for (unsigned in = 0; in < factorial[n]; in++)
			for (unsigned out = 0; out < factorial[n]; out += n > 4 ? 7 : 1) {
				bool used[6] = { false };
				unsigned code = in;
				start(true);
				for (unsigned i = n; i > 0; code /= i, i--) {
					unsigned skip = code % i, key = 0;
					for (; used[key] || skip; key++)
						skip -= !used[key];
					used[key] = true;
					insert(&range[key], key * 10, key * 10 + 5);
				}
				compare();
				code = out;
				for (unsigned i = n; i > 0; code /= i, i--) {
					remove_at(code % i);
					compare();
				}
			}
}
END_TEST

/* A removed node's links are clean. */
START_TEST(links_after_removal)
{
	start(false);
	insert(&range[0], 1, 2);
	insert(&range[1], 3, 4);
	remove_at(0);
	ck_assert(!range[0].node.left && !range[0].node.right && !range[0].node.parent && !range[0].node.balance);
	compare();
}
END_TEST

/* avl_update carries a change of a node's own data up to the root. */
START_TEST(update)
{
	start(true);
	for (unsigned i = 0; i < 100; i++)
		insert(&range[i], i * 10, i * 10 + 5);
	for (unsigned i = 0; i < 1000; i++) {
		struct range *r = model[random_below(count)];
		r->end = r->start + random_below(SPACE);
		avl_update(&tree, &r->node);
		compare();
	}
}
END_TEST

static void break_order(void *unused)
{
	(void)unused;
	model[2]->start = 1000;
	avl_check(&tree, by_start, NULL);
}

static void break_balance(void *unused)
{
	(void)unused;
	tree.root->balance ^= 1;
	avl_check(&tree, by_start, NULL);
}

static void break_summary(void *unused)
{
	(void)unused;
	range_of(tree.root)->max_end++;
	avl_check(&tree, by_start, summary_ok);
}

static void break_parent(void *unused)
{
	(void)unused;
	tree.root->left->parent = tree.root->right;
	avl_check(&tree, by_start, NULL);
}

/* The walker sees what it is there to see. */
START_TEST(walker_finds_damage)
{
	start(true);
	for (unsigned i = 0; i < 6; i++)
		insert(&range[i], i * 10, i * 10 + 5);
	compare();
	expect_panic(break_order, NULL, "!before(n, last)");
	expect_panic(break_balance, NULL, "balance");
	expect_panic(break_summary, NULL, "summary_ok");
	expect_panic(break_parent, NULL, "parent");
}
END_TEST

/* Grows and shrinks in waves. The whole comparison is dear: now and then, with small trees more often. */
static void random_operations(bool summaries)
{
	struct range *spare[NODES];
	unsigned spares = 0;

	start(summaries);
	for (unsigned i = 0; i < NODES; i++)
		spare[spares++] = &range[i];
	for (unsigned step = 0; step < 200000; step++) {
		bool grow = random_chance(step / 5000 % 2 ? 35 : 65);
		u64 at = random_below(SPACE);
		if (grow && spares)     /* two that begin at the same place stand as they came */
			insert(spare[--spares], at, at + 1 + random_below(64));
		else if (!grow && count)
			spare[spares++] = remove_at((unsigned)random_below(count));
		if (random_below(count + 1) < 2 || step % 500 == 0)
			compare();
	}
	while (count)
		remove_at((unsigned)random_below(count));
	compare();
}

START_TEST(random_with_summaries)
{
	random_operations(true);
}
END_TEST

START_TEST(random_without)
{
	random_operations(false);
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("avl");
	add_test(s, empty);
	add_test(s, all_small_orders);
	add_test(s, links_after_removal);
	add_test(s, update);
	add_test(s, walker_finds_damage);
	add_test(s, random_with_summaries);
	add_test(s, random_without);
	return s;
}
