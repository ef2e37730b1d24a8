/* SPDX-License-Identifier: BSD-2-Clause */
/* pagetime.c: kernel/sched: how long threads wait for pages: calls, copies of messages, accesses; what restarts the
 * clock and what does not. */
#include <string.h>
#include "common/threads.h"

static struct account *root;
static struct cnode *cs;
static struct endpoint *e, *pages;
static struct reply *r;
static struct pager *pager;
static struct vmo *v, *aux;
static struct actor *s, *t, *u;

/* x's message lies in a paged object from now on, over its first two pages. */
static void paged(struct actor *x)
{
	vaddr_t at;

	ck_assert_int_eq(vmar_map(&x->t->space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0,
	                          v, SYS_RIGHTS_VMO, 0, v->size, NULL, &at), SYS_OK);
	x->memory = at + PAGE_SIZE_ - 128;
}

static void start(void)
{
	kernel_start(4096);
	actors_forget();
	root = account_root();
	cs = cnode_new(root, 64);
	object_cap(&cs->object);
	struct slot *top = cap_put(cs, root, NULL, SLOT_FIRST);
	e = object_new(root, SYS_TYPE_ENDPOINT);
	pages = object_new(root, SYS_TYPE_ENDPOINT);
	r = object_new(root, SYS_TYPE_REPLY);
	cap_put(cs, e, top, SLOT_FIRST);
	cap_put(cs, pages, top, SLOT_FIRST);
	cap_put(cs, r, top, SLOT_FIRST);
	ck_assert_int_eq(pager_create(root, 31, &pager), SYS_OK);
	cap_put(cs, pager, top, SLOT_FIRST);
	ipc_bind_pager(pager, pages, 31);
	ck_assert_int_eq(pager_create_vmo(pager, root, 0, 77, 4 * PAGE_SIZE_, &v), SYS_OK);
	cap_put(cs, v, top, SLOT_FIRST);
	ck_assert_int_eq(vmo_create(root, 4 * PAGE_SIZE_, 0, &aux), SYS_OK);
	cap_put(cs, aux, top, SLOT_FIRST);
	s = actor_new(root, NULL, cs, 10);
	t = actor_new(root, NULL, cs, 10);
	u = actor_new(root, NULL, cs, 10);
	paged(s);
	paged(t);
}

static void check(void)
{
	kernel_check();
	actors_check();
	endpoint_check(e);
	pager_check(pager);
}

static bool asked(void) { return !pqueue_empty(&pager->queue); }

static void supply(u64 page)
{
	u64 done = 0, fresh = 0;

	while (pager_supply(pager, v, page * PAGE_SIZE_, PAGE_SIZE_, aux, 0, &done, &fresh) == VM_AGAIN)
		;
	check();
}

static void says_long(struct actor *x)
{
	x->t->context.regs.r8 = 1;
	x->t->context.regs.r9 = 60;
}

static int send_long(struct actor *x)
{
	says_long(x);
	return actor_send(x, e, 0, SYS_TIME_INFINITE);
}

static void set(struct actor *x, i64 ns) { ck_assert_int_eq(thread_set_page_timeout(x->t, ns), SYS_OK); }

/* ---- calls ------------------------------------------------------------------------------------------------------- */

START_TEST(polls)
{
	start();
	set(s, 0);
	ck_assert_int_eq(send_long(s), SYS_ERR_SHOULD_WAIT);
	ck_assert(!asked() && s->t->page.state == PAGE_WAIT_IDLE && s->t->page_requests == 0);
	check();
	supply(0);
	ck_assert_int_eq(send_long(s), SYS_ERR_SHOULD_WAIT);
	supply(1);
	ck_assert_int_eq(send_long(s), BLOCKED);        /* for a receiver */
	ck_assert_int_eq(s->t->wait, WAIT_SEND);
	check();
}
END_TEST

/* Also where another has asked already. */
START_TEST(polls_beside_others)
{
	start();
	ck_assert_int_eq(send_long(s), BLOCKED);
	ck_assert(asked());
	set(t, 0);
	ck_assert_int_eq(send_long(t), SYS_ERR_SHOULD_WAIT);
	ck_assert(s->t->wait == WAIT_PAGE && asked());
	check();
}
END_TEST

START_TEST(times_out)
{
	start();
	set(s, 100);
	ck_assert_int_eq(send_long(s), BLOCKED);
	ck_assert(asked() && s->t->timed);
	time_pass(99);
	ck_assert_int_eq(actor_goes_on(s), BLOCKED);
	time_pass(100);
	ck_assert_int_eq(actor_goes_on(s), SYS_ERR_TIMED_OUT);
	ck_assert(!asked() && s->t->retries == 0);
	ck_assert_int_eq(send_long(s), BLOCKED);        /* anew, with a fresh timeout */
	time_pass(199);
	ck_assert_int_eq(actor_goes_on(s), BLOCKED);
	supply(0);
	ck_assert_int_eq(actor_goes_on(s), BLOCKED);    /* its second page */
	time_pass(298);
	ck_assert_int_eq(actor_goes_on(s), BLOCKED);
	time_pass(299);
	ck_assert_int_eq(actor_goes_on(s), SYS_ERR_TIMED_OUT);
	check();
}
END_TEST

START_TEST(no_overflow)
{
	start();
	time_pass(1000);
	set(s, INT64_MAX - 1);
	ck_assert_int_eq(send_long(s), BLOCKED);
	ck_assert(!s->t->timed);
	check();
}
END_TEST

/* A receiver whose message has come already. */
START_TEST(copies_out)
{
	for (unsigned poll = 0; poll < 2; poll++) {
		start();
		s->memory = 0;
		actor_memory(s, 1);
		set(t, poll ? 0 : 100);
		ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), BLOCKED);
		ck_assert_int_eq(send_long(s), SYS_OK);
		if (!poll) {
			ck_assert_int_eq(actor_goes_on(t), BLOCKED);
			ck_assert(t->t->wait == WAIT_PAGE && t->t->finish);
			time_pass(100);
		}
		ck_assert_int_eq(actor_goes_on(t), poll ? SYS_ERR_SHOULD_WAIT : SYS_ERR_TIMED_OUT);
		ck_assert(!t->t->finish && !asked());
		check();
	}
}
END_TEST

/* ---- accesses ---------------------------------------------------------------------------------------------------- */

START_TEST(accesses)
{
	vaddr_t at;

	start();
	at = s->memory + PAGE_SIZE_ + 3;
	ipc_set_fault_endpoint(s->t, e, 9);
	set(s, 100);
	actor_touches(s, at, SYS_ACCESS_WRITE);
	ck_assert(s->t->wait == WAIT_PAGE && s->t->timed && asked());
	check();
	time_pass(100);
	ck_assert(s->t->wait == WAIT_FAULT && !s->t->timed && !asked());
	ck_assert_int_eq(actor_recv(u, e, r, SYS_TIME_INFINITE), SYS_OK);
	ck_assert_uint_eq(u->t->context.regs.r8, SYS_FAULT_PAGE);
	ck_assert(u->t->context.regs.r12 == at && u->t->context.regs.r13 == SYS_ACCESS_WRITE);
	ck_assert_int_eq((i64)u->t->context.regs.r15, SYS_ERR_TIMED_OUT);
	actor_word(u, 1, 1);
	ck_assert_int_eq(actor_reply(u, r), SYS_OK);
	set(s, 0);
	actor_touches(s, at, SYS_ACCESS_READ);
	ck_assert(s->t->wait == WAIT_FAULT && !asked());
	ck_assert_int_eq(actor_recv(u, e, r, SYS_TIME_INFINITE), SYS_OK);
	ck_assert_int_eq((i64)u->t->context.regs.r15, SYS_ERR_SHOULD_WAIT);
	check();
	set(t, 100);
	actor_touches(t, t->memory, SYS_ACCESS_READ);         /* it has no fault endpoint */
	time_pass(200);
	ck_assert(t->t->state == SYS_THREAD_EXITED && t->t->exit_code == SYS_ERR_TIMED_OUT);
	check();
}
END_TEST

/* ---- what restarts it -------------------------------------------------------------------------------------------- */

/* Another's request, which t joined, passes to t while nobody has received it: its clock runs on. */
START_TEST(inherited)
{
	start();
	set(t, 100);
	ck_assert_int_eq(send_long(s), BLOCKED);
	ck_assert_int_eq(send_long(t), BLOCKED);
	ck_assert_int_eq(t->t->page.state, PAGE_WAIT_JOINED);
	time_pass(60);
	thread_exit(s->t, 0);
	ck_assert_int_eq(actor_goes_on(t), BLOCKED);
	ck_assert_int_eq(t->t->page.state, PAGE_WAIT_QUEUED);
	time_pass(99);
	ck_assert_int_eq(actor_goes_on(t), BLOCKED);
	time_pass(100);
	ck_assert_int_eq(actor_goes_on(t), SYS_ERR_TIMED_OUT);
	ck_assert_int_eq(send_long(t), BLOCKED);        /* another call */
	time_pass(199);
	ck_assert_int_eq(actor_goes_on(t), BLOCKED);
	check();
}
END_TEST

/* What it waited for in vain was there when it looked again: the next wait is another. */
START_TEST(found)
{
	start();
	set(t, 100);
	ck_assert_int_eq(send_long(s), BLOCKED);
	ck_assert_int_eq(send_long(t), BLOCKED);
	time_pass(60);
	thread_exit(s->t, 0);                           /* t is awake, and has not run */
	supply(0);
	supply(1);
	ck_assert_int_eq(actor_goes_on(t), BLOCKED);
	ck_assert_int_eq(t->t->wait, WAIT_SEND);
	ck_assert_int_eq(actor_recv(u, e, NULL, SYS_TIME_INFINITE), SYS_OK);
	ck_assert_int_eq(t->t->in_vain, 0);
	check();
}
END_TEST

START_TEST(suspended)
{
	start();
	set(s, 100);
	ck_assert_int_eq(send_long(s), BLOCKED);
	time_pass(60);
	thread_suspend(s->t);
	time_pass(500);
	thread_resume(s->t);
	ck_assert_int_eq(actor_goes_on(s), BLOCKED);
	time_pass(599);
	ck_assert_int_eq(actor_goes_on(s), BLOCKED);
	time_pass(600);
	ck_assert_int_eq(actor_goes_on(s), SYS_ERR_TIMED_OUT);
	check();
}
END_TEST

/* ---- set meanwhile ----------------------------------------------------------------------------------------------- */

START_TEST(set_meanwhile)
{
	start();
	ck_assert_int_eq(send_long(s), BLOCKED);
	time_pass(1000);
	set(s, 50);
	time_pass(1049);
	ck_assert_int_eq(actor_goes_on(s), BLOCKED);
	check();
	set(s, SYS_TIME_INFINITE);
	time_pass(5000);
	ck_assert_int_eq(actor_goes_on(s), BLOCKED);
	set(s, 10);
	set(s, 20);
	time_pass(5019);
	ck_assert_int_eq(actor_goes_on(s), BLOCKED);
	set(s, 0);
	ck_assert_int_eq(actor_goes_on(s), SYS_ERR_SHOULD_WAIT);
	check();
	thread_exit(s->t, 0);
	ck_assert_int_eq(thread_set_page_timeout(s->t, 1), SYS_ERR_BAD_STATE);
}
END_TEST

/* A request has its thread's priority from the beginning. */
START_TEST(priority)
{
	start();
	struct actor *high = actor_new(root, NULL, cs, 77);
	paged(high);
	high->memory += 2 * PAGE_SIZE_;
	ck_assert_int_eq(send_long(s), BLOCKED);
	ck_assert_int_eq(send_long(high), BLOCKED);
	ck_assert_ptr_eq(pqueue_first(&pager->queue), &high->t->page.queue);
	check();
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("pagetime");

	add_test(suite, polls);
	add_test(suite, polls_beside_others);
	add_test(suite, times_out);
	add_test(suite, no_overflow);
	add_test(suite, copies_out);
	add_test(suite, accesses);
	add_test(suite, inherited);
	add_test(suite, found);
	add_test(suite, suspended);
	add_test(suite, set_meanwhile);
	add_test(suite, priority);
	return suite;
}
