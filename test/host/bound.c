/* SPDX-License-Identifier: BSD-2-Clause */
/* bound.c: kernel/ipc/notification.c: notifications that are bound to threads: by hand, and random operations against
 * a model that says who gets which bits. */
#include <string.h>
#include "common/threads.h"

enum { NTFNS = 3, THREADS = 4, STEPS = 30000 };

static struct account *root;
static struct cnode *cs;
static struct endpoint *e;
static struct reply *r;
static struct notification *ntfn[NTFNS];
static struct actor *x[THREADS];

static void start(void)
{
	kernel_start(4096);
	actors_forget();
	root = account_root();
	cs = cnode_new(root, 64);
	object_cap(&cs->object);
	struct slot *top = cap_put(cs, root, NULL, SLOT_FIRST);
	e = object_new(root, SYS_TYPE_ENDPOINT);
	r = object_new(root, SYS_TYPE_REPLY);
	cap_put(cs, e, top, SLOT_FIRST);
	cap_put(cs, r, top, SLOT_FIRST);
	for (unsigned i = 0; i < NTFNS; i++) {
		ntfn[i] = object_new(root, SYS_TYPE_NOTIFICATION);
		object_cap(&ntfn[i]->object);
	}
	for (unsigned i = 0; i < THREADS; i++)
		x[i] = actor_new(root, NULL, cs, 10);
}

static void check(void)
{
	kernel_check();
	actors_check();
	endpoint_check(e);
	for (unsigned i = 0; i < NTFNS; i++)
		if (ntfn[i])
			notification_check(ntfn[i]);
}

static void got(struct actor *a, u64 bits)
{
	const struct regs *g = &a->t->context.regs;

	ck_assert_int_eq(actor_goes_on(a), SYS_OK);
	ck_assert(g->r8 == SYS_LABEL_NOTIFICATION && g->r9 == header_make(1, 0) && g->r12 == bits && g->rdx == 0);
}

/* ---- by hand ----------------------------------------------------------------------------------------------------- */

START_TEST(received)
{
	start();
	ck_assert_int_eq(notification_bind(x[0]->t, ntfn[0]), SYS_OK);
	ck_assert_int_eq(actor_recv(x[0], e, r, 1000), BLOCKED);
	notification_signal(ntfn[0], 5);
	ck_assert(!r->receiver && !x[0]->t->reply && !x[0]->t->timed);
	got(x[0], 5);
	notification_signal(ntfn[0], 6);
	notification_signal(ntfn[0], 8);
	ck_assert(thread_has_news(x[0]->t));
	actor_word(x[1], 1, 77);
	ck_assert_int_eq(actor_send(x[1], e, 0, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_recv(x[0], e, r, SYS_TIME_POLL), SYS_OK);
	got(x[0], 14);
	ck_assert(!thread_has_news(x[0]->t));
	ck_assert_int_eq(actor_recv(x[0], e, r, SYS_TIME_POLL), SYS_OK);
	ck_assert_uint_eq(x[0]->t->context.regs.r12, 77);
	check();
}
END_TEST

/* Its receive is refused: the bits stay. */
START_TEST(refused)
{
	start();
	ck_assert_int_eq(notification_bind(x[0]->t, ntfn[0]), SYS_OK);
	ck_assert_int_eq(actor_call(x[1], e, 0, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_recv(x[0], e, r, SYS_TIME_INFINITE), SYS_OK);
	notification_signal(ntfn[0], 5);
	ck_assert_int_eq(actor_recv(x[0], e, r, SYS_TIME_INFINITE), SYS_ERR_BAD_STATE);
	x[0]->accept = SYS_MSG_CAPS + 1;
	ck_assert_int_eq(actor_recv(x[0], e, NULL, SYS_TIME_INFINITE), SYS_ERR_INVALID_ARGS);
	x[0]->accept = 0;
	ck_assert_uint_eq(ntfn[0]->bits, 5);
	ck_assert_int_eq(actor_recv(x[0], e, NULL, SYS_TIME_INFINITE), SYS_OK);
	got(x[0], 5);
	check();
}
END_TEST

START_TEST(priorities)
{
	start();
	ck_assert_int_eq(notification_bind(x[0]->t, ntfn[0]), SYS_OK);
	notification_signal(ntfn[0], 1);
	thread_set_priority(x[0]->t, 200);
	ck_assert(thread_has_news(x[0]->t) && x[0]->t->priority == 200);
	check();
	ck_assert_int_eq(actor_recv(x[0], e, r, SYS_TIME_INFINITE), SYS_OK);
	ck_assert(x[0]->t->floor == 200);
	thread_set_priority(x[0]->t, 3);
	ck_assert(x[0]->t->floor == 3);
	check();
}
END_TEST

START_TEST(ends)
{
	start();
	ck_assert_int_eq(notification_bind(x[0]->t, ntfn[0]), SYS_OK);
	ck_assert_int_eq(notification_bind(x[1]->t, ntfn[1]), SYS_OK);
	notification_signal(ntfn[1], 1);
	object_uncap(&ntfn[1]->object);
	kernel_reap();
	ntfn[1] = NULL;
	ck_assert(!x[1]->t->bound && !thread_has_news(x[1]->t));
	ck_assert_int_eq(actor_recv(x[0], e, r, SYS_TIME_INFINITE), BLOCKED);
	thread_exit(x[0]->t, 1);
	ck_assert(!ntfn[0]->bound && !x[0]->t->bound);
	notification_signal(ntfn[0], 2);
	ck_assert_int_eq(notification_bind(x[0]->t, ntfn[0]), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(notification_bind(x[1]->t, ntfn[0]), SYS_OK);
	ck_assert(thread_has_news(x[1]->t));
	check();
}
END_TEST

/* ---- against a model --------------------------------------------------------------------------------------------- */

enum doing { IDLE, RECEIVES, WAITS };
static struct {
	struct { u64 bits; int bound; unsigned waiting[THREADS], waiters; } n[NTFNS];
	struct { enum doing doing; unsigned of; bool suspended; u64 got; } t[THREADS];   /* got: by its last call */
} m;

static void model_give(unsigned n)
{
	int bound = m.n[n].bound;

	if (!m.n[n].bits)
		return;
	if (bound >= 0 && m.t[bound].doing == RECEIVES && !m.t[bound].suspended) {
		m.t[bound].got = m.n[n].bits;
		m.t[bound].doing = IDLE;
	} else if (m.n[n].waiters) {
		unsigned first = m.n[n].waiting[0];
		m.t[first].got = m.n[n].bits;
		m.t[first].doing = IDLE;
		memmove(m.n[n].waiting, m.n[n].waiting + 1, --m.n[n].waiters * sizeof first);
	} else {
		return;
	}
	m.n[n].bits = 0;
}

static int bound_to(unsigned t)
{
	for (unsigned n = 0; n < NTFNS; n++)
		if (m.n[n].bound == (int)t)
			return (int)n;
	return -1;
}

static void signal_one(unsigned n)
{
	u64 bits = random_chance(10) ? 0 : 1ull << random_below(64);

	m.n[n].bits |= bits;
	model_give(n);
	notification_signal(ntfn[n], bits);
}

static void bind_one(unsigned t, unsigned n)
{
	bool can = bound_to(t) < 0 && m.n[n].bound < 0;

	must(notification_bind(x[t]->t, ntfn[n]) == (can ? SYS_OK : SYS_ERR_BAD_STATE));
	if (!can)
		return;
	m.n[n].bound = (int)t;
	model_give(n);
}

static void unbind_one(unsigned t)
{
	int n = bound_to(t);

	if (n >= 0)
		m.n[n].bound = -1;
	notification_unbind(x[t]->t);
}

static void receive_one(unsigned t)
{
	int n = bound_to(t);

	if (m.t[t].doing != IDLE || m.t[t].suspended)
		return;
	m.t[t].got = 0;
	m.t[t].doing = RECEIVES;
	if (n >= 0)
		model_give((unsigned)n);
	actor_recv(x[t], e, NULL, SYS_TIME_INFINITE);
}

static void wait_one(unsigned t, unsigned n)
{
	if (m.t[t].doing != IDLE || m.t[t].suspended)
		return;
	m.t[t].got = m.n[n].bits;
	m.n[n].bits = 0;
	if (!m.t[t].got) {
		m.t[t].doing = WAITS;
		m.t[t].of = n;
		m.n[n].waiting[m.n[n].waiters++] = t;
	}
	actor_wait(x[t], ntfn[n], SYS_TIME_INFINITE);
}

/* A suspended wait is left, and taken up again, behind the others. */
static void suspend_one(unsigned t)
{
	unsigned n = m.t[t].of;

	if (m.t[t].suspended || m.t[t].doing == IDLE)
		return;
	m.t[t].suspended = true;
	for (unsigned i = 0; m.t[t].doing == WAITS && i < m.n[n].waiters; i++)
		if (m.n[n].waiting[i] == t) {
			memmove(m.n[n].waiting + i, m.n[n].waiting + i + 1, (m.n[n].waiters - i - 1) * sizeof t);
			m.n[n].waiters--;
		}
	must(thread_suspend(x[t]->t) == SYS_OK);
}

static void resume_one(unsigned t)
{
	enum doing was = m.t[t].doing;
	int n = was == WAITS ? (int)m.t[t].of : bound_to(t);

	if (!m.t[t].suspended)
		return;
	m.t[t].suspended = false;
	if (was == WAITS)
		m.n[n].waiting[m.n[n].waiters++] = t;
	if (was == WAITS && m.n[n].bits) {      /* it takes them itself, whatever else is bound */
		m.t[t].got = m.n[n].bits;
		m.t[t].doing = IDLE;
		m.n[n].bits = 0;
		m.n[n].waiters--;
	} else if (was == RECEIVES && n >= 0) {
		model_give((unsigned)n);
	}
	must(thread_resume(x[t]->t) == SYS_OK);
}

static void compare(void)
{
	for (unsigned t = 0; t < THREADS; t++) {
		const struct regs *g = &x[t]->t->context.regs;
		int status = actor_goes_on(x[t]);
		must((status == BLOCKED) == (m.t[t].doing != IDLE));
		if (m.t[t].doing == IDLE && m.t[t].got)
			must(m.t[t].got == (g->r8 == SYS_LABEL_NOTIFICATION ? g->r12 : g->rdx));
	}
	for (unsigned n = 0; n < NTFNS; n++) {
		must(ntfn[n]->bits == m.n[n].bits);
		must(ntfn[n]->bound == (m.n[n].bound < 0 ? NULL : x[m.n[n].bound]->t));
	}
}

START_TEST(model)
{
	start();
	memset(&m, 0, sizeof m);
	for (unsigned n = 0; n < NTFNS; n++)
		m.n[n].bound = -1;
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned t = (unsigned)random_below(THREADS), n = (unsigned)random_below(NTFNS);
		switch (random_below(8)) {
		case 0: case 1: signal_one(n); break;
		case 2: bind_one(t, n); break;
		case 3: unbind_one(t); break;
		case 4: x[t]->t->context.regs.r8 = 0; receive_one(t); break;
		case 5: x[t]->t->context.regs.r8 = 0; wait_one(t, n); break;
		case 6: suspend_one(t); break;
		case 7: resume_one(t); break;
		}
		compare();
		if (step % 64 == 0)
			check();
	}
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("bound");

	add_test(suite, received);
	add_test(suite, refused);
	add_test(suite, priorities);
	add_test(suite, ends);
	add_test(suite, model);
	return suite;
}
