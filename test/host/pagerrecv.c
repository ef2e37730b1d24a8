/* SPDX-License-Identifier: BSD-2-Clause */
/* pagerrecv.c: kernel/ipc: who gets a pager's requests: receivers of its endpoint and those of pager_recv, in which order,
 * and what becomes of them when pager or endpoint end. Clients are threads that touch pages. */
#include <string.h>
#include "common/stage.h"

#define CLIENTS 24u

static struct slot *n_cap;
static struct reply *r;
static struct notification *n;
static vaddr_t at;                      /* of v in the clients' space */
static struct actor *client[CLIENTS], *s, *t, *u;

static struct actor *server(u8 priority)
{
	struct actor *x = actor_new(root, NULL, cs, priority);

	actor_memory(x, 2);
	return x;
}

static void start(void)
{
	stage(8192, 128);
	stage_pager(64 * PAGE_SIZE_);
	r = made(SYS_TYPE_REPLY, NULL);
	n = made(SYS_TYPE_NOTIFICATION, &n_cap);
	client[0] = actor_new(root, NULL, cs, 10);
	for (unsigned i = 1; i < CLIENTS; i++)
		client[i] = actor_new(root, client[0]->t->space, cs, 10);
	must(vmar_map(&client[0]->t->space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, v, SYS_RIGHTS_VMO,
	              0, v->size, NULL, &at) == SYS_OK);
	s = server(10);
	t = server(10);
	u = server(10);
}

static void check(void)
{
	kernel_check();
	actors_check();
	endpoint_check(pages);
	pager_check(pager);
}

/* A client wants a page. */
static void wants(unsigned i, u64 page)
{
	actor_touches(client[i], at + page * PAGE_SIZE_, SYS_ACCESS_READ);
	must(client[i]->t->state == SYS_THREAD_WAITING && client[i]->t->wait == WAIT_PAGE);
}

static void supply(u64 page)
{
	u64 done = 0, fresh = 0;

	while (pager_supply(pager, v, page * PAGE_SIZE_, PAGE_SIZE_, aux, 0, &done, &fresh) == VM_AGAIN)
		;
}

/* The i-th request that x received by pager_recv. */
static sys_pager_request_t got(struct actor *x, u64 i)
{
	sys_pager_request_t request;

	actor_read(x, x->memory + i * sizeof request, &request, sizeof request);
	return request;
}

/* What x received by ipc_recv is the request for this page. */
static void came(struct actor *x, u64 page)
{
	const struct regs *regs = &x->t->context.regs;

	ck_assert_uint_eq(regs->rdx, 31);
	ck_assert_uint_eq(regs->r8, SYS_PAGER_READ);
	ck_assert_uint_eq(regs->r9, 4);
	ck_assert_uint_eq(regs->r12, 77);
	ck_assert_uint_eq(regs->r13, page * PAGE_SIZE_);
	ck_assert_uint_eq(regs->r14, PAGE_SIZE_);
	ck_assert_uint_eq(regs->r15, SYS_ACCESS_READ);
}

/* ---- one by one, several --------------------------------------------------------------------------------------------- */

START_TEST(by_messages)
{
	start();
	ck_assert_int_eq(actor_recv(s, pages, r, SYS_TIME_INFINITE), BLOCKED);
	wants(0, 5);
	ck_assert_int_eq(actor_goes_on(s), SYS_OK);
	came(s, 5);
	ck_assert(!r->caller && !r->receiver && !pqueue_on(&pager->above));       /* there is nobody to reply to */
	wants(1, 6);
	wants(2, 7);
	ck_assert(pqueue_on(&pager->above));
	check();
	ck_assert_int_eq(actor_recv(s, pages, r, SYS_TIME_POLL), SYS_OK);
	came(s, 6);
	ck_assert(pqueue_on(&pager->above));
	ck_assert_int_eq(actor_recv(t, pages, NULL, SYS_TIME_POLL), SYS_OK);
	came(t, 7);
	ck_assert(!pqueue_on(&pager->above));
	ck_assert_int_eq(actor_recv(t, pages, NULL, SYS_TIME_POLL), SYS_ERR_TIMED_OUT);
	for (unsigned i = 0; i < 3; i++) {
		supply(5 + i);
		ck_assert_int_eq(client[i]->t->state, SYS_THREAD_READY);
	}
	check();
}
END_TEST

START_TEST(several)
{
	sys_pager_request_t before[3];

	start();
	memset(before, 0xff, sizeof before);                                      /* all of it is written */
	actor_write(s, s->memory, before, sizeof before);
	for (unsigned i = 0; i < 20; i++)
		wants(i, i);
	ck_assert_int_eq(actor_pager_recv(s, pager, 3, SYS_TIME_POLL), SYS_OK);
	ck_assert_uint_eq(s->t->context.regs.rdx, 3);
	for (unsigned i = 0; i < 3; i++) {
		sys_pager_request_t request = got(s, i);

		ck_assert(request.key == 77 && request.offset == i * PAGE_SIZE_ && request.length == PAGE_SIZE_);
		ck_assert(request.type == 0 && request.access == SYS_ACCESS_READ);
	}
	ck_assert_uint_eq(got(s, 3).length, 0);                                   /* no more were asked for */
	ck_assert(pqueue_on(&pager->above));
	ck_assert_int_eq(actor_pager_recv(s, pager, 100, SYS_TIME_POLL), SYS_OK); /* sixteen in one call */
	ck_assert_uint_eq(s->t->context.regs.rdx, 16);
	ck_assert_uint_eq(got(s, 15).offset, 18 * PAGE_SIZE_);
	ck_assert_uint_eq(got(s, 16).length, 0);
	ck_assert_int_eq(actor_pager_recv(s, pager, 100, SYS_TIME_POLL), SYS_OK);
	ck_assert_uint_eq(s->t->context.regs.rdx, 1);
	ck_assert(!pqueue_on(&pager->above));
	check();
}
END_TEST

START_TEST(refusals)
{
	start();
	ck_assert_int_eq(actor_pager_recv(s, pager, 0, SYS_TIME_POLL), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(actor_pager_recv(s, pager, 1, SYS_TIME_POLL), SYS_ERR_TIMED_OUT);
	wants(0, 5);
	s->memory += 2 * PAGE_SIZE_;                    /* nothing is there */
	ck_assert_int_eq(actor_pager_recv(s, pager, 1, SYS_TIME_POLL), SYS_ERR_BAD_ADDRESS);
	ck_assert(pqueue_on(&pager->above) && client[0]->t->page.state == PAGE_WAIT_QUEUED);
	s->memory -= sizeof(sys_pager_request_t) + 8;   /* room for one, not for two */
	wants(1, 6);
	ck_assert_int_eq(actor_pager_recv(s, pager, 2, SYS_TIME_POLL), SYS_OK);
	ck_assert_uint_eq(s->t->context.regs.rdx, 1);
	ck_assert_uint_eq(got(s, 0).offset, 5 * PAGE_SIZE_);
	ck_assert(client[1]->t->page.state == PAGE_WAIT_QUEUED && pqueue_on(&pager->above));
	s->memory -= PAGE_SIZE_ - 24;                   /* across two pages, in one go */
	host_preempt_every(1);
	ck_assert_int_eq(actor_pager_recv(s, pager, 2, SYS_TIME_POLL), SYS_OK);
	host_preempt_every(0);
	ck_assert_uint_eq(got(s, 0).offset, 6 * PAGE_SIZE_);
	check();
}
END_TEST

/* A buffer whose page must be asked for: nothing is taken until it is there. */
START_TEST(buffer_comes_late)
{
	vaddr_t there;

	start();
	must(vmar_map(&s->t->space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, v, SYS_RIGHTS_VMO, 0, v->size,
	              NULL, &there) == SYS_OK);
	s->memory = there;
	wants(0, 5);
	ck_assert_int_eq(actor_pager_recv(s, pager, 1, SYS_TIME_INFINITE), BLOCKED);
	ck_assert(s->t->wait == WAIT_PAGE && client[0]->t->page.state == PAGE_WAIT_QUEUED);
	ck_assert_int_eq(actor_recv(t, pages, NULL, SYS_TIME_POLL), SYS_OK);
	came(t, 5);
	ck_assert_int_eq(actor_recv(t, pages, NULL, SYS_TIME_POLL), SYS_OK);
	ck_assert_uint_eq(t->t->context.regs.r13, 0);
	wants(1, 6);
	supply(0);
	ck_assert_int_eq(actor_goes_on(s), SYS_OK);
	ck_assert_uint_eq(got(s, 0).offset, 6 * PAGE_SIZE_);
	check();
}
END_TEST

/* ---- who comes first ---------------------------------------------------------------------------------------------------- */

START_TEST(waits_for_one)
{
	start();
	ck_assert_int_eq(actor_pager_recv(s, pager, 4, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(s->t->wait, WAIT_PAGER);
	check();
	wants(0, 5);
	ck_assert_int_eq(actor_goes_on(s), SYS_OK);
	ck_assert_uint_eq(s->t->context.regs.rdx, 1);
	ck_assert_int_eq(actor_pager_recv(s, pager, 4, 1000), BLOCKED);
	time_pass(1000);
	ck_assert_int_eq(actor_goes_on(s), SYS_ERR_TIMED_OUT);
	ck_assert(pqueue_empty(&pager->receivers));
	check();
}
END_TEST

/* Receivers of both kinds are one list: by priority, then by arrival. */
START_TEST(receivers_in_order)
{
	for (unsigned i = 0; i < 8; i++) {
		bool s_higher = i & 1, t_higher = i & 2, s_first = i & 4;

		start();
		thread_set_priority(s->t, s_higher ? 20 : 10);
		thread_set_priority(t->t, t_higher ? 20 : 10);
		if (s_first)
			ck_assert_int_eq(actor_pager_recv(s, pager, 1, SYS_TIME_INFINITE), BLOCKED);
		ck_assert_int_eq(actor_recv(t, pages, NULL, SYS_TIME_INFINITE), BLOCKED);
		if (!s_first)
			ck_assert_int_eq(actor_pager_recv(s, pager, 1, SYS_TIME_INFINITE), BLOCKED);
		bool s_gets = s_higher != t_higher ? s_higher : s_first;
		wants(0, 5);
		ck_assert_int_eq(s->t->state == SYS_THREAD_READY, s_gets);
		ck_assert_int_eq(t->t->state == SYS_THREAD_READY, !s_gets);
		ck_assert_int_eq(actor_goes_on(s_gets ? s : t), SYS_OK);
		wants(1, 6);
		ck_assert_int_eq(actor_goes_on(s_gets ? t : s), SYS_OK);
		check();
	}
}
END_TEST

/* Whoever is woken for a request, and finds that another has taken it, waits on. */
START_TEST(taken_meanwhile)
{
	start();
	ck_assert_int_eq(actor_pager_recv(s, pager, 4, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_pager_recv(t, pager, 4, SYS_TIME_INFINITE), BLOCKED);
	wants(0, 5);
	ck_assert(s->t->state == SYS_THREAD_READY && t->t->state == SYS_THREAD_WAITING);
	ck_assert_int_eq(actor_recv(u, pages, NULL, SYS_TIME_POLL), SYS_OK);
	came(u, 5);
	ck_assert_int_eq(actor_goes_on(s), BLOCKED);
	wants(1, 6);
	wants(2, 7);
	ck_assert(t->t->state == SYS_THREAD_READY);
	ck_assert_int_eq(actor_goes_on(t), SYS_OK);
	ck_assert_uint_eq(t->t->context.regs.rdx, 2);
	check();
}
END_TEST

/* Of what one call leaves, the next receiver gets some. */
START_TEST(left_for_the_next)
{
	start();
	ck_assert_int_eq(actor_pager_recv(s, pager, 1, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_pager_recv(t, pager, 4, SYS_TIME_INFINITE), BLOCKED);
	thread_suspend(t->t);
	wants(0, 5);
	wants(1, 6);
	wants(2, 7);
	ck_assert_int_eq(actor_recv(u, pages, NULL, SYS_TIME_POLL), SYS_OK);
	ck_assert_int_eq(actor_goes_on(s), SYS_OK);
	ck_assert_uint_eq(got(s, 0).offset, 6 * PAGE_SIZE_);
	thread_resume(t->t);
	ck_assert_int_eq(actor_goes_on(t), SYS_OK);
	ck_assert_uint_eq(got(t, 0).offset, 7 * PAGE_SIZE_);
	check();
}
END_TEST

/* A request stands among the senders with its client's priority. */
START_TEST(among_senders)
{
	struct actor *high;

	start();
	high = actor_new(root, client[0]->t->space, cs, 30);
	actor_word(u, 1, 1);
	ck_assert_int_eq(actor_send(u, pages, 3, SYS_TIME_INFINITE), BLOCKED);
	wants(0, 5);
	actor_touches(high, at + 6 * PAGE_SIZE_, SYS_ACCESS_READ);
	ck_assert_int_eq(actor_recv(s, pages, r, SYS_TIME_POLL), SYS_OK);
	came(s, 6);                                     /* the higher one is first */
	ck_assert_int_eq(actor_recv(s, pages, r, SYS_TIME_POLL), SYS_OK);
	ck_assert_uint_eq(s->t->context.regs.rdx, 3);   /* then who came first */
	ck_assert_int_eq(actor_recv(s, pages, r, SYS_TIME_POLL), SYS_OK);
	came(s, 5);
	check();
}
END_TEST

/* A client that does not wait any more takes its request with it. */
START_TEST(withdrawn)
{
	start();
	wants(0, 5);
	thread_exit(client[0]->t, 0);
	ck_assert(!pqueue_on(&pager->above));
	ck_assert_int_eq(actor_recv(s, pages, r, SYS_TIME_POLL), SYS_ERR_TIMED_OUT);
	check();
}
END_TEST

/* ---- the end ------------------------------------------------------------------------------------------------------- */

static void watch_detached(void)
{
	struct slot *cap = cap_put(cs, v, top, SLOT_FIRST);

	must(cap_watch(cap, SYS_EVENT_DETACHED, 0, n, 4) == SYS_OK);
}

/* Clients fail, receivers are told, the VMO's watch says DETACHED. */
static void ended(void)
{
	ck_assert(client[0]->t->state == SYS_THREAD_EXITED && client[0]->t->exit_code == SYS_ERR_BAD_STATE);
	ck_assert_int_eq(actor_goes_on(t), SYS_ERR_PEER_CLOSED);
	ck_assert_int_eq(actor_goes_on(u), SYS_ERR_PEER_CLOSED);
	ck_assert_int_eq(actor_wait(s, n, SYS_TIME_POLL), SYS_OK);
	ck_assert_uint_eq(s->t->context.regs.rdx, 4);
	actor_touches(client[1], at + PAGE_SIZE_, SYS_ACCESS_READ);
	ck_assert(client[1]->t->state == SYS_THREAD_EXITED && client[1]->t->exit_code == SYS_ERR_BAD_STATE);
	kernel_check();
	actors_check();
}

static void deliver_and_wait(void)
{
	wants(0, 5);
	ck_assert_int_eq(actor_recv(s, pages, NULL, SYS_TIME_POLL), SYS_OK);
	ck_assert_int_eq(actor_pager_recv(t, pager, 1, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_pager_recv(u, pager, 1, SYS_TIME_INFINITE), BLOCKED);
}

START_TEST(pager_ends)
{
	start();
	watch_detached();
	deliver_and_wait();
	ck_assert_int_eq(delete_all(pager_cap), SYS_OK);
	kernel_reap();
	ended();
	ck_assert(list_empty(&pages->pagers));
	ck_assert_int_eq(actor_recv(s, pages, NULL, SYS_TIME_POLL), SYS_ERR_TIMED_OUT);
}
END_TEST

START_TEST(pager_ends_with_requests)
{
	start();
	wants(0, 5);
	ck_assert(pqueue_on(&pager->above));
	ck_assert_int_eq(delete_all(pager_cap), SYS_OK);
	kernel_reap();
	ck_assert(pqueue_empty(&pages->senders) && list_empty(&pages->pagers));
	ck_assert(client[0]->t->state == SYS_THREAD_EXITED);
	kernel_check();
}
END_TEST

/* The pager is dead, and its capability remains. */
START_TEST(endpoint_ends)
{
	start();
	watch_detached();
	deliver_and_wait();
	ck_assert_int_eq(delete_all(pages_cap), SYS_OK);
	kernel_reap();
	ended();
	ck_assert(!pager->endpoint && pager->dead);
	ck_assert_int_eq(actor_pager_recv(s, pager, 1, SYS_TIME_POLL), SYS_ERR_PEER_CLOSED);
	ck_assert_int_eq(actor_pager_recv(s, pager, 0, SYS_TIME_POLL), SYS_ERR_INVALID_ARGS);
	u64 done = 0, fresh = 0;
	ck_assert_int_eq(pager_supply(pager, v, 0, PAGE_SIZE_, aux, 0, &done, &fresh), SYS_ERR_BAD_STATE);
}
END_TEST

START_TEST(endpoint_ends_with_requests)
{
	start();
	wants(0, 5);
	actor_word(u, 1, 1);
	ck_assert_int_eq(actor_send(u, pages, 3, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(delete_all(pages_cap), SYS_OK);
	kernel_reap();
	ck_assert_int_eq(actor_goes_on(u), SYS_ERR_PEER_CLOSED);
	ck_assert(client[0]->t->state == SYS_THREAD_EXITED && client[0]->t->exit_code == SYS_ERR_BAD_STATE);
	kernel_check();
	actors_check();
}
END_TEST

/* Both kinds of events that are past already are told at once. */
START_TEST(events_that_are_past)
{
	start();
	struct slot *cap = cap_put(cs, v, top, SLOT_FIRST), *plain = cap_put(cs, aux, top, SLOT_FIRST);
	struct slot *gone = cap_put(cs, client[0]->t, top, SLOT_FIRST), *held = cap_put_with(cs, pages, SYS_RIGHT_SEND, 5, pages_cap);

	ck_assert_int_eq(cap_watch(plain, SYS_EVENT_DETACHED, 0, n, 1), SYS_ERR_WRONG_TYPE);     /* it never had a pager */
	ck_assert_int_eq(cap_watch(cap, SYS_EVENT_EXITED, 0, n, 1), SYS_ERR_WRONG_TYPE);
	ck_assert_int_eq(cap_watch(cap, SYS_EVENT_ZERO_CHILDREN - 1, 0, n, 1), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(cap_watch(cap, SYS_EVENT_LOW + 1, 0, n, 1), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(cap_watch(cap, SYS_EVENT_DETACHED, 1, n, 1), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(cap_watch(cap, SYS_EVENT_DETACHED, 0, NULL, 1), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(cap_watch(cap, SYS_EVENT_DETACHED, 0, NULL, 0), SYS_OK);
	ck_assert_int_eq(cap_watch(gone, SYS_EVENT_EXITED, 0, n, 2), SYS_OK);
	ck_assert_int_eq(actor_wait(s, n, SYS_TIME_POLL), SYS_ERR_TIMED_OUT);
	thread_exit(client[0]->t, 0);
	kernel_reap();
	ck_assert_int_eq(actor_wait(s, n, SYS_TIME_POLL), SYS_OK);
	ck_assert_uint_eq(s->t->context.regs.rdx, 2);
	ck_assert_int_eq(cap_watch(gone, SYS_EVENT_EXITED, 0, n, 8), SYS_OK);
	ck_assert_int_eq(actor_wait(s, n, SYS_TIME_POLL), SYS_OK);
	ck_assert_uint_eq(s->t->context.regs.rdx, 8);
	ck_assert_int_eq(cap_watch(held, SYS_EVENT_ABANDONED, 0, n, 16), SYS_OK);
	object_ref(&pages->object);
	ck_assert_int_eq(cap_delete(pages_cap), SYS_OK);
	kernel_reap();
	ck_assert_int_eq(actor_wait(s, n, SYS_TIME_POLL), SYS_OK);
	ck_assert_uint_eq(s->t->context.regs.rdx, 16);
	ck_assert_int_eq(cap_watch(cap, SYS_EVENT_DETACHED, 0, n, 32), SYS_OK);
	ck_assert_int_eq(actor_wait(s, n, SYS_TIME_POLL), SYS_OK);
	ck_assert_uint_eq(s->t->context.regs.rdx, 32);
	object_unref(&pages->object);
	kernel_reap();
	kernel_check();
}
END_TEST

/* Objects that are watched end: nothing is told, and no watch is left. */
START_TEST(watched_objects_end)
{
	start();
	u64 used = root->used;
	struct pager *p;
	struct vmo *paged, *plain;

	must(pager_create(root, 0, &p) == SYS_OK);
	struct slot *p_cap = cap_put(cs, p, top, SLOT_FIRST);
	must(pager_create_vmo(p, root, 0, 7, PAGE_SIZE_, &paged) == SYS_OK && vmo_create(root, PAGE_SIZE_, 0, &plain) == SYS_OK);
	struct slot *one = cap_put(cs, paged, top, SLOT_FIRST), *two = cap_put(cs, plain, top, SLOT_FIRST);
	must(cap_watch(one, SYS_EVENT_DETACHED, 0, n, 1) == SYS_OK);
	must(cap_watch(two, SYS_EVENT_ZERO_CHILDREN, 0, n, 2) == SYS_OK);
	ck_assert_int_eq(actor_wait(s, n, SYS_TIME_POLL), SYS_OK);      /* it has no children now */
	ck_assert_uint_eq(s->t->context.regs.rdx, 2);
	object_ref(&plain->object);
	object_end(&paged->object);
	object_end(&plain->object);
	kernel_reap();
	ck_assert(list_empty(&plain->watches.watches));
	kernel_check();
	object_unref(&plain->object);
	must(delete_all(one) == SYS_OK && delete_all(two) == SYS_OK && delete_all(p_cap) == SYS_OK);
	kernel_reap();
	ck_assert_int_eq(actor_wait(s, n, SYS_TIME_POLL), SYS_ERR_TIMED_OUT);
	ck_assert_uint_eq(root->used, used);
	check();
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("pagerrecv");

	add_test(suite, by_messages);
	add_test(suite, several);
	add_test(suite, refusals);
	add_test(suite, buffer_comes_late);
	add_test(suite, waits_for_one);
	add_test(suite, receivers_in_order);
	add_test(suite, taken_meanwhile);
	add_test(suite, left_for_the_next);
	add_test(suite, among_senders);
	add_test(suite, withdrawn);
	add_test(suite, pager_ends);
	add_test(suite, pager_ends_with_requests);
	add_test(suite, endpoint_ends);
	add_test(suite, endpoint_ends_with_requests);
	add_test(suite, events_that_are_past);
	add_test(suite, watched_objects_end);
	return suite;
}
