/* SPDX-License-Identifier: BSD-2-Clause */
/* watch.c: watches by hand, where the model (model/watches.c) does not look: order, what firing costs, and that all are
 * told in the end although each entry of the kernel tells a few only. */
#include <string.h>
#include "common/user.h"
#include "common/threads.h"

#define MANY    3000u
#define WATCHED 200u

static struct cnode *cs;
static struct slot *top;

static void begin(void)
{
	kernel_start(4096);
	cs = cnode_new(account_root(), 8192);
	object_cap(&cs->object);
	top = cap_put(cs, account_root(), NULL, SLOT_FIRST);
}

static struct notification *notification(void)
{
	struct notification *n = object_new(account_root(), SYS_TYPE_NOTIFICATION);

	object_cap(&n->object);
	return n;
}

static struct vmo *watched_vmo(struct slot **first, struct vmo **child)
{
	struct vmo *v;

	must(vmo_create(account_root(), PAGE_SIZE_, 0, &v) == SYS_OK);
	must(vmo_create_child(v, account_root(), SYS_VMO_CHILD_SNAPSHOT, 0, PAGE_SIZE_, child) == SYS_OK);
	object_cap(&(*child)->object);
	*first = cap_put(cs, v, top, SLOT_FIRST);
	return v;
}

static void walk(void)
{
	kernel_check();
	cap_watch_check();
	cnode_check(cs);
}

/* What comes true touches no watch: each is touched once, by the step that tells it. */
START_TEST(firing_touches_none)
{
	struct notification *n;
	struct vmo *child;
	struct slot *first;
	unsigned steps = 0;

	begin();
	n = notification();
	watched_vmo(&first, &child);
	for (unsigned i = 0; i < MANY; i++)
		must(cap_watch(cap_copy(cs, first), SYS_EVENT_ZERO_CHILDREN, 0, n, 1) == SYS_OK);
	walk();
	object_uncap(&child->object);
	ck_assert(!n->bits && watch_pending());
	while (watch_tell_step()) {
		ck_assert_uint_eq(n->bits, 1);
		n->bits = 0;
		if (++steps == MANY)
			break;
	}
	ck_assert(!watch_tell_step() || !n->bits);      /* it may find out that there is nothing left */
	ck_assert(!watch_pending() && !watch_tell_step());
	walk();
	ck_assert_int_eq(revoke_all(first), SYS_OK);
	ck_assert(list_empty(&account_root()->watches) && list_empty(&n->watches));
}
END_TEST

/* Those that were set first; LOW: the largest threshold first. Who was told stands behind who was not. */
START_TEST(order)
{
	struct notification *n[8];
	struct slot *first, *copy;
	struct account *a;
	struct vmo *child;
	unsigned i;

	begin();
	watched_vmo(&first, &child);
	a = account_new(account_root(), 20);
	struct slot *account_name = cap_put(cs, a, top, SLOT_FIRST);
	for (i = 0; i < 8; i++) {
		n[i] = notification();
		copy = cap_copy(cs, i < 4 ? first : account_name);
		must(cap_watch(copy, i < 4 ? SYS_EVENT_ZERO_CHILDREN : SYS_EVENT_LOW, i < 4 ? 0 : (14 - i) * PAGE_SIZE_,
		               n[i], 1) == SYS_OK);
	}
	object_uncap(&child->object);
	ck_assert_int_eq(account_charge(a, 20), SYS_OK);
	for (i = 0; i < 8; i++) {
		ck_assert(!n[i]->bits);
		while (!n[i]->bits)
			ck_assert(watch_tell_step());
		for (unsigned j = i + 1; j < 8; j++)
			ck_assert(!n[j]->bits);
	}
	walk();
}
END_TEST

/* What waits at a notification that ends is told that it ends, even if a watch has something to tell. */
START_TEST(dying_notification)
{
	struct notification *n;
	struct actor *waiter;
	struct vmo *child;
	struct slot *first;

	begin();
	n = notification();
	watched_vmo(&first, &child);
	must(cap_watch(first, SYS_EVENT_ZERO_CHILDREN, 0, n, 1) == SYS_OK);
	waiter = actor_new(account_root(), NULL, NULL, 1);
	ck_assert_int_eq(actor_wait(waiter, n, SYS_TIME_INFINITE), BLOCKED);
	object_uncap(&child->object);
	object_uncap(&n->object);
	while (watch_tell_step())
		;
	walk();
	ck_assert_int_eq(actor_goes_on(waiter), BLOCKED);
	kernel_reap();
	ck_assert_int_eq(actor_goes_on(waiter), SYS_ERR_PEER_CLOSED);
	ck_assert(list_empty(&account_root()->watches));
	walk();
}
END_TEST

/* The slot has room for one of each event. */
START_TEST(events_of_one_slot)
{
	struct notification *n;
	struct pager *p;
	struct vmo *v;
	struct slot *s;

	begin();
	n = notification();
	must(pager_create(account_root(), 0, &p) == SYS_OK);
	object_cap(&p->object);
	must(pager_create_vmo(p, account_root(), 0, 1, PAGE_SIZE_, &v) == SYS_OK);
	s = cap_put(cs, v, top, SLOT_FIRST);
	must(cap_watch(s, SYS_EVENT_ZERO_CHILDREN, 0, n, 1) == SYS_OK);
	must(cap_watch(s, SYS_EVENT_DETACHED, 0, n, 2) == SYS_OK);
	must(cap_move(s, cs, SYS_SLOT_ANY, &s) == SYS_OK);
	walk();
	must(cap_watch(s, SYS_EVENT_ZERO_CHILDREN, 0, NULL, 0) == SYS_OK);
	ck_assert(!list_empty(&account_root()->watches));
	must(delete_all(s) == SYS_OK);
	ck_assert(list_empty(&account_root()->watches));
	ck_assert_uint_eq(n->bits, 1);
}
END_TEST

/* ---- through the dispatcher ------------------------------------------------------------------------------------------ */

static struct notification *bell[WATCHED];

static unsigned rung(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < WATCHED; i++)
		count += bell[i]->bits != 0;
	return count;
}

/* A program that goes on in its own work while it has made hundreds of watches come true: the clock brings it back. */
START_TEST(told_by_the_clock)
{
	struct space *space;
	struct account *a;
	i64 now = 1000;
	unsigned before;

	user_boot(4096);
	cs = cnode_new(account_root(), 1024);
	object_cap(&cs->object);
	top = cap_put(cs, account_root(), NULL, SLOT_FIRST);
	a = account_new(account_root(), 50);
	struct slot *name = cap_put(cs, a, top, SLOT_FIRST);
	for (unsigned i = 0; i < WATCHED; i++) {
		bell[i] = notification();
		must(cap_watch(cap_copy(cs, name), SYS_EVENT_LOW, 40 * PAGE_SIZE_, bell[i], 1) == SYS_OK);
	}
	must(space_create(account_root(), false, &space) == SYS_OK);
	user_new(account_root(), cs, space, 10);
	user_begin();
	must(user_call(NR_vmo_create, slot_cap(name), 30 * PAGE_SIZE_, 0) == SYS_OK);
	must(user_call(NR_vmo_op_range, user->context.regs.rdx, SYS_VMO_OP_COMMIT, 0, 30 * PAGE_SIZE_) == SYS_OK);
	ck_assert(rung() > 0 && rung() < WATCHED);
	for (before = rung(); before < WATCHED; before = rung()) {
		now += 60000;
		user_time(now);
		ck_assert_uint_gt(rung(), before);
		ck_assert(rung() - before <= 32);
	}
	ck_assert(!my_cpu->tell && !watch_pending());
	walk();
}
END_TEST

/* ---- accounts that run low ------------------------------------------------------------------------------------------ */

static struct watch_low low;
static struct watch of[4];
static unsigned fires;
static void fired(void) { fires++; }

/* Watches with these thresholds, which have seen so many free frames. */
static void low_start(u64 free, const u64 threshold[4])
{
	memset(&low, 0, sizeof low);
	memset(of, 0, sizeof of);
	list_init(&low.firing);
	watch_hooks.fired = fired;
	for (unsigned i = 0; i < ARRAY_LEN(of); i++) {
		of[i].event = SYS_EVENT_LOW;
		of[i].threshold = threshold[i];
		low_insert(&low, free, &of[i]);
	}
	fires = 0;
}

static void look(u64 free)
{
	u64 quiet, passed;

	low_look(&low, free, &quiet, &passed);
	for (unsigned i = 0; i < ARRAY_LEN(of); i++)
		must(of[i].threshold <= free ? of[i].threshold <= quiet : of[i].threshold >= passed);
	low_check(&low, free);
}

static unsigned told(void)
{
	unsigned mask = 0;

	for (struct watch *w; (w = low_next(&low)) != NULL;) {
		must(!(mask >> (w - of) & 1));
		mask |= 1u << (w - of);
	}
	must(!list_on(&low.firing));
	return mask;
}

/* From so many free frames to so many: those are told whose threshold lies between, above the new figure, not above the old. */
START_TEST(low_falls)
{
	static const u64 threshold[4] = { 3, 4, 4, 6 };

	begin();
	for (u64 from = 0; from < 9; from++)
		for (u64 to = 0; to < 9; to++) {
			unsigned expected = 0;

			low_start(from, threshold);
			look(to);
			for (unsigned i = 0; i < ARRAY_LEN(of); i++) {
				bool tell = threshold[i] <= from && threshold[i] > to;
				must(low_to_tell(&low, &of[i]) == tell);
				expected |= (unsigned)tell << i;
			}
			ck_assert(fires == (expected != 0) && list_on(&low.firing) == (expected != 0));
			ck_assert_uint_eq(told(), expected);
		}
}
END_TEST

/* It falls again when some of equal thresholds were told: the others are told, too, and nobody twice. */
START_TEST(low_falls_again)
{
	static const u64 threshold[4] = { 2, 4, 4, 4 };

	begin();
	for (unsigned first = 0; first <= 3; first++)
		for (u64 then = 0; then < 4; then++) {
			unsigned mask = 0;

			low_start(9, threshold);
			look(3);
			for (unsigned i = 0; i < first; i++)
				mask |= 1u << (low_next(&low) - of);
			ck_assert_uint_eq(__builtin_popcount(mask), first);
			look(then);
			ck_assert_uint_eq(told() | mask, then < 2 ? 15 : 14);
			ck_assert_uint_eq(told(), 0);
			look(5);
			look(3);
			ck_assert_uint_eq(told(), 14);          /* it rose in between */
		}
}
END_TEST

/* It rises while they are told, to just below a threshold, and falls again: that one was true all the time. */
START_TEST(low_rises_while_told)
{
	static const u64 threshold[4] = { 50, 10, 20, 20 };

	begin();
	low_start(49, threshold);
	look(15);
	ck_assert_ptr_eq(low_next(&low), &of[3]);
	look(49);
	look(15);
	ck_assert_uint_eq(told(), 1u << 2 | 1u << 3);
}
END_TEST

/* A watch that is set when its threshold was passed long ago, while others were quiet, tells at once, and then not again. */
START_TEST(low_set_late)
{
	struct notification *n;
	struct slot *name;

	begin();
	n = notification();
	struct account *a = account_new(account_root(), 1000);
	name = cap_put(cs, a, top, SLOT_FIRST);
	must(cap_watch(name, SYS_EVENT_LOW, 10 * PAGE_SIZE_, n, 1) == SYS_OK);
	must(account_charge(a, 500) == SYS_OK);
	ck_assert(!n->bits && !watch_pending());
	must(cap_watch(cap_copy(cs, name), SYS_EVENT_LOW, 600 * PAGE_SIZE_, n, 2) == SYS_OK);
	ck_assert_uint_eq(n->bits, 2);
	n->bits = 0;
	while (watch_tell_step())
		;
	ck_assert_uint_eq(n->bits, 0);
	account_uncharge(a, 200);
	must(account_charge(a, 200) == SYS_OK);         /* it has risen above, and falls below */
	while (watch_tell_step())
		;
	ck_assert_uint_eq(n->bits, 2);
	account_uncharge(a, 500);
	walk();
	must(revoke_all(name) == SYS_OK);
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("watch");

	add_test(s, firing_touches_none);
	add_test(s, order);
	add_test(s, dying_notification);
	add_test(s, events_of_one_slot);
	add_test(s, told_by_the_clock);
	add_test(s, low_falls);
	add_test(s, low_falls_again);
	add_test(s, low_rises_while_told);
	add_test(s, low_set_late);
	return s;
}
