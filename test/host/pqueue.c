/* SPDX-License-Identifier: BSD-2-Clause */
/* pqueue.c: kernel/lib/pqueue against a sorted array. */
#include "common/harness.h"
#include "lib/pqueue.h"

#define NODES 100

struct waiter { struct pqueue_node node; u64 arrival; };
static struct waiter waiter[NODES];
static struct pqueue queue;
static struct waiter *model[NODES];     /* in order */
static unsigned waiting;

static void start(void)
{
	pqueue_init(&queue);
	for (unsigned i = 0; i < NODES; i++)
		pqueue_node_init(&waiter[i].node);
	waiting = 0;
}

static bool goes_before(const struct waiter *a, const struct waiter *b)
{
	return a->node.priority != b->node.priority ? a->node.priority > b->node.priority : a->arrival < b->arrival;
}

static void insert(struct waiter *w, u8 priority)
{
	static u64 arrivals;
	unsigned at = waiting++;

	w->arrival = ++arrivals;
	pqueue_insert(&queue, &w->node, priority);
	for (; at > 0 && goes_before(w, model[at - 1]); at--)
		model[at] = model[at - 1];
	model[at] = w;
}

static void remove_one(struct waiter *w)
{
	unsigned at = 0;

	pqueue_remove(&w->node);
	while (model[at] != w)
		at++;
	for (waiting--; at < waiting; at++)
		model[at] = model[at + 1];
}

/* The one behind it in order, or NULL. */
static struct pqueue_node *next_of(const struct pqueue_node *n)
{
	return n->all.next == &queue.all ? NULL : container_of(n->all.next, struct pqueue_node, all);
}

static void compare(void)
{
	struct pqueue_node *n = pqueue_first(&queue);
	unsigned leaders = 0, linked = 0;
	bool alone = waiting == 1 && list_empty(&queue.leaders);        /* it came into an empty queue: no leader */

	must(pqueue_empty(&queue) == !waiting);
	for (unsigned i = 0; i < waiting; i++, n = next_of(n)) {
		bool leads = !alone && (i == 0 || model[i - 1]->node.priority != model[i]->node.priority);
		must(n == &model[i]->node);
		must(pqueue_on(n));
		must(list_on(&n->leader) == leads);
		leaders += leads;
	}
	must(!n);
	list_each(l, &queue.leaders)
		linked++;
	must(leaders == linked);
}

/* Priority first, then arrival. */
START_TEST(order)
{
	static const u8 priorities[] = { 5, 255, 0, 5, 200, 255, 0, 5 };

	start();
	compare();
	for (unsigned i = 0; i < ARRAY_LEN(priorities); i++) {
		insert(&waiter[i], priorities[i]);
		compare();
	}
	ck_assert_ptr_eq(pqueue_first(&queue), &waiter[1].node);
	ck_assert_ptr_eq(next_of(&waiter[1].node), &waiter[5].node);
	ck_assert_ptr_null(next_of(&waiter[6].node));
}
END_TEST

/* A leader that goes leaves the lead to the next of its priority, if there is one. */
START_TEST(leaders)
{
	start();
	insert(&waiter[0], 7);
	insert(&waiter[1], 7);
	insert(&waiter[2], 3);
	remove_one(&waiter[0]);
	compare();
	remove_one(&waiter[1]);
	compare();
	remove_one(&waiter[2]);
	compare();
	ck_assert_ptr_null(pqueue_first(&queue));
}
END_TEST

/* Removing what waits nowhere is harmless. */
START_TEST(remove_twice)
{
	start();
	ck_assert(!pqueue_on(&waiter[0].node));
	pqueue_remove(&waiter[0].node);
	insert(&waiter[0], 1);
	insert(&waiter[1], 1);
	remove_one(&waiter[0]);
	pqueue_remove(&waiter[0].node);
	compare();
}
END_TEST

/* The owner's mark stays what it was. */
START_TEST(kind_is_kept)
{
	start();
	waiter[0].node.kind = 9;
	insert(&waiter[0], 1);
	remove_one(&waiter[0]);
	ck_assert_uint_eq(waiter[0].node.kind, 9);
}
END_TEST

START_TEST(random_operations)
{
	start();
	for (unsigned step = 0; step < 20000; step++) {
		struct waiter *w = &waiter[random_below(NODES)];
		if (pqueue_on(&w->node))
			remove_one(w);
		else
			insert(w, (u8)(random_chance(50) ? random_below(4) : random_below(256)));
		compare();
	}
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("pqueue");
	add_test(s, order);
	add_test(s, leaders);
	add_test(s, remove_twice);
	add_test(s, kind_is_kept);
	add_test(s, random_operations);
	return s;
}
