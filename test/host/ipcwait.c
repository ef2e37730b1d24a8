/* SPDX-License-Identifier: BSD-2-Clause */
/* ipcwait.c: kernel/ipc, kernel/sched: every way in which a wait ends: deadlines, kill, suspend, the end of what is
 * waited for; notifications, faults, and who runs next. */
#include <string.h>
#include "common/stage.h"

static struct slot *e_cap, *r_cap, *n_cap;
static struct endpoint *e;
static struct reply *r;
static struct notification *n;
static struct actor *s, *t, *u;

static void start(void)
{
	stage(4096, 64);
	e = made(SYS_TYPE_ENDPOINT, &e_cap);
	r = made(SYS_TYPE_REPLY, &r_cap);
	n = made(SYS_TYPE_NOTIFICATION, &n_cap);
	s = actor_new(root, NULL, cs, 10);
	t = actor_new(root, NULL, cs, 10);
	u = actor_new(root, NULL, cs, 10);
	actor_word(s, 1, 111);
	actor_word(u, 1, 333);
}

static void check(void)
{
	kernel_check();
	actors_check();
	endpoint_check(e);
}

static void drop(struct slot *cap)
{
	ck_assert_int_eq(delete_all(cap), SYS_OK);
	kernel_reap();
}

static u64 word_of(struct actor *x) { return x->t->context.regs.r12; }
static u64 label_of(struct actor *x) { return x->t->context.regs.r8; }

/* ---- deadlines --------------------------------------------------------------------------------------------------- */

START_TEST(polls)
{
	start();
	host_time_set(1000);
	for (i64 deadline = -1; deadline <= 1000; deadline += 1 + 999 * (deadline == 0)) {
		ck_assert_int_eq(actor_send(s, e, 0, deadline), SYS_ERR_TIMED_OUT);
		ck_assert_int_eq(actor_recv(t, e, r, deadline), SYS_ERR_TIMED_OUT);
		ck_assert_int_eq(actor_call(s, e, 0, deadline), SYS_ERR_INVALID_ARGS);
		ck_assert_int_eq(actor_wait(t, n, deadline), SYS_ERR_TIMED_OUT);
	}
	ck_assert(!r->receiver);
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_POLL), SYS_OK);
	ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_goes_on(t), SYS_OK);
	ck_assert_int_eq(actor_recv(t, e, r, INT64_MIN), SYS_OK);
	check();
}
END_TEST

START_TEST(deadlines)
{
	start();
	ck_assert_int_eq(actor_send(s, e, 0, 1000), BLOCKED);
	ck_assert_int_eq(actor_wait(t, n, 2000), BLOCKED);
	time_pass(999);
	ck_assert(actor_goes_on(s) == BLOCKED && actor_goes_on(t) == BLOCKED);
	time_pass(1000);
	ck_assert_int_eq(actor_goes_on(s), SYS_ERR_TIMED_OUT);
	ck_assert_int_eq(actor_goes_on(t), BLOCKED);
	ck_assert(pqueue_empty(&e->senders) && !s->t->timed);
	time_pass(5000);
	ck_assert_int_eq(actor_goes_on(t), SYS_ERR_TIMED_OUT);
	ck_assert_int_eq(actor_recv(t, e, r, 6000), BLOCKED);
	time_pass(6000);
	ck_assert_int_eq(actor_goes_on(t), SYS_ERR_TIMED_OUT);
	ck_assert(!r->receiver && !t->t->reply);
	check();
}
END_TEST

/* A call's deadline covers its reply. */
START_TEST(deadline_of_a_call)
{
	start();
	ck_assert_int_eq(actor_call(s, e, 0, 1000), BLOCKED);
	time_pass(1000);
	ck_assert_int_eq(actor_goes_on(s), SYS_ERR_TIMED_OUT);
	for (unsigned receiver_first = 0; receiver_first < 2; receiver_first++) {
		i64 deadline = arch_now() + 1000;
		if (receiver_first)
			ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), BLOCKED);
		ck_assert_int_eq(actor_call(s, e, 0, deadline), BLOCKED);
		ck_assert_int_eq(receiver_first ? actor_goes_on(t) : actor_recv(t, e, r, SYS_TIME_INFINITE), SYS_OK);
		time_pass(deadline - 1);
		ck_assert(s->t->wait == WAIT_REPLY && s->t->timed);
		time_pass(deadline);
		ck_assert_int_eq(actor_goes_on(s), SYS_ERR_TIMED_OUT);
		ck_assert(!r->caller && !s->t->reply);
		ck_assert_int_eq(actor_reply(t, r), SYS_ERR_BAD_STATE);
		check();
	}
}
END_TEST

START_TEST(many_deadlines)
{
	struct actor *x[50];
	i64 when[50];

	start();
	for (unsigned i = 0; i < 50; i++) {
		x[i] = actor_new(root, s->t->space, cs, 10);
		when[i] = 100 + (i64)random_below(20) * 10;
		ck_assert_int_eq(actor_recv(x[i], e, NULL, when[i]), BLOCKED);
	}
	for (i64 now = 90; now <= 300; now += 10) {
		time_pass(now);
		for (unsigned i = 0; i < 50; i++)
			must((x[i]->t->state == SYS_THREAD_WAITING) == (when[i] > now));
		check();
	}
	for (unsigned i = 0; i < 50; i++)
		ck_assert_int_eq(actor_goes_on(x[i]), SYS_ERR_TIMED_OUT);
}
END_TEST

/* A deadline so near that it comes before the thread has left the CPU. */
START_TEST(deadline_on_the_way_out)
{
	start();
	thread_set_priority(s->t, 20);
	ck_assert_ptr_eq(sched_next(), s->t);
	s->t->context.regs.r9 = 0;
	ck_assert_int_eq(ipc_recv(s->t, e, NULL, 10), CALL_BLOCKED);
	host_time_set(10);
	ck_assert_ptr_eq(sched_next(), s->t);
	ck_assert(my_cpu->current == s->t && s->t->state == SYS_THREAD_READY &&
	          (int)s->t->context.regs.rax == SYS_ERR_TIMED_OUT);
	check();
	ck_assert_int_eq(notification_wait(s->t, n, 20), CALL_BLOCKED);
	ck_assert_int_eq(thread_suspend(t->t), SYS_OK);
	notification_signal(n, 4);
	ck_assert_ptr_eq(sched_next(), s->t);
	ck_assert(s->t->context.regs.rdx == 4 && !s->t->timed);
	check();
}
END_TEST

/* ---- kill -------------------------------------------------------------------------------------------------------- */

START_TEST(kill_waiting)
{
	start();
	ck_assert_int_eq(actor_send(s, e, 0, 1000), BLOCKED);
	thread_exit(s->t, 7);
	ck_assert(pqueue_empty(&e->senders) && s->t->exit_code == 7 && !s->t->space && s->t->cspace == &cnode_none &&
	          actor_goes_on(s) == GONE);
	check();
	ck_assert_int_eq(actor_recv(t, e, r, 1000), BLOCKED);
	thread_exit(t->t, 8);
	ck_assert(pqueue_empty(&e->receivers) && !r->receiver);
	thread_exit(t->t, 9);
	ck_assert_int_eq(t->t->exit_code, 8);
	ck_assert_int_eq(actor_wait(u, n, 1000), BLOCKED);
	thread_exit(u->t, 8);
	ck_assert(pqueue_empty(&n->waiters));
	time_pass(2000);
	check();
}
END_TEST

START_TEST(kill_caller_and_server)
{
	start();
	ck_assert_int_eq(actor_call(s, e, 0, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), SYS_OK);
	thread_exit(s->t, 1);
	ck_assert_ptr_null(r->caller);
	ck_assert_int_eq(actor_reply(t, r), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(actor_call(u, e, 0, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), SYS_OK);
	/* Who holds the reply object may still answer. */
	thread_exit(t->t, 1);
	ck_assert_int_eq(actor_goes_on(u), BLOCKED);
	drop(r_cap);
	ck_assert_int_eq(actor_goes_on(u), SYS_ERR_PEER_CLOSED);
	check();
}
END_TEST

/* A message that has arrived but was not copied out yet, and its receiver is killed. */
START_TEST(kill_before_copy_out)
{
	sys_msg_t m = { .label = 1, .words = 20 };

	start();
	actor_memory(s, 1);
	actor_memory(t, 1);
	actor_says(s, &m);
	ck_assert_int_eq(actor_recv(t, e, NULL, 1000), BLOCKED);
	ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_POLL), SYS_OK);
	ck_assert(t->t->finish);
	thread_exit(t->t, 0);
	ck_assert(!t->t->finish && actor_goes_on(t) == GONE);
	check();
}
END_TEST

/* A receiver without a place in memory has nothing copied out: four words came, and that is what it is told. */
START_TEST(no_place_for_more)
{
	sys_msg_t m = { .label = 1, .words = 20, .word = { 1, 2, 3, 4, 5 } };

	start();
	actor_memory(s, 1);
	actor_says(s, &m);
	ck_assert_int_eq(actor_recv(t, e, NULL, 1000), BLOCKED);
	ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_POLL), SYS_OK);
	ck_assert(!t->t->finish && t->t->context.regs.r9 == REGISTER_WORDS && t->t->context.regs.r15 == 4);
	check();
}
END_TEST

/* ---- suspend ----------------------------------------------------------------------------------------------------- */

START_TEST(suspend_states)
{
	struct thread *fresh;

	start();
	ck_assert_int_eq(thread_resume(s->t), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(thread_suspend(s->t), SYS_OK);
	ck_assert_int_eq(thread_suspend(s->t), SYS_OK);
	ck_assert(!sched_queued(s->t) && actor_goes_on(s) == BLOCKED);
	ck_assert_int_eq(thread_resume(s->t), SYS_OK);
	ck_assert_int_eq(thread_resume(s->t), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(thread_start(s->t, 0, 0, 0, 0), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(thread_create(root, s->t->space, 10, &fresh), SYS_OK);
	ck_assert_int_eq(thread_suspend(fresh), SYS_OK);
	ck_assert_int_eq(thread_start(fresh, 0, 0, 0, 0), SYS_OK);
	ck_assert(!sched_queued(fresh) && fresh->state == SYS_THREAD_READY);
	ck_assert_int_eq(thread_resume(fresh), SYS_OK);
	ck_assert(sched_queued(fresh));
	thread_exit(fresh, 1);
	ck_assert_int_eq(thread_suspend(fresh), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(thread_resume(fresh), SYS_ERR_BAD_STATE);
	thread_check(fresh);
	check();
}
END_TEST

/* Off the list at once; when resumed, the call is made again, behind the others. */
START_TEST(suspend_waiting)
{
	start();
	ck_assert_int_eq(actor_send(s, e, 5, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_send(u, e, 6, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(thread_suspend(s->t), SYS_OK);
	ck_assert(!pqueue_on(&s->t->queue));
	check();
	ck_assert_int_eq(thread_resume(s->t), SYS_OK);
	ck_assert_int_eq(actor_goes_on(s), BLOCKED);
	ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), SYS_OK);
	ck_assert_uint_eq(word_of(t), 333);
	ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), SYS_OK);
	ck_assert(word_of(t) == 111 && t->t->context.regs.rdx == 5);
	ck_assert_int_eq(actor_goes_on(s), SYS_OK);
	/* A receiver: its reply object is free meanwhile. */
	ck_assert_int_eq(actor_recv(t, e, r, 1000), BLOCKED);
	ck_assert_int_eq(thread_suspend(t->t), SYS_OK);
	ck_assert(!r->receiver && pqueue_empty(&e->receivers) && !t->t->timed);
	ck_assert_int_eq(actor_send(s, e, 5, SYS_TIME_POLL), SYS_ERR_TIMED_OUT);
	time_pass(2000);
	ck_assert_int_eq(thread_resume(t->t), SYS_OK);
	ck_assert_int_eq(actor_goes_on(t), SYS_ERR_TIMED_OUT);
	/* A caller that nobody has taken yet, past its deadline. */
	ck_assert_int_eq(actor_call(u, e, 0, 3000), BLOCKED);
	ck_assert_int_eq(thread_suspend(u->t), SYS_OK);
	time_pass(4000);
	ck_assert_int_eq(thread_resume(u->t), SYS_OK);
	ck_assert_int_eq(actor_goes_on(u), SYS_ERR_TIMED_OUT);
	check();
}
END_TEST

/* Once its message is taken a caller only waits for the reply, suspended or not. */
START_TEST(suspend_caller)
{
	start();
	ck_assert_int_eq(actor_call(s, e, 0, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), SYS_OK);
	ck_assert_int_eq(thread_suspend(s->t), SYS_OK);
	ck_assert_ptr_eq(r->caller, s->t);
	check();
	actor_word(t, 2, 222);
	ck_assert_int_eq(actor_reply(t, r), SYS_OK);
	ck_assert(s->t->state == SYS_THREAD_READY && !sched_queued(s->t));
	check();
	ck_assert_int_eq(thread_resume(s->t), SYS_OK);
	ck_assert_int_eq(actor_goes_on(s), SYS_OK);
	ck_assert_uint_eq(word_of(s), 222);
	/* Resumed before the reply comes: it still waits. */
	ck_assert_int_eq(actor_call(s, e, 0, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), SYS_OK);
	ck_assert_int_eq(thread_suspend(s->t), SYS_OK);
	ck_assert_int_eq(thread_resume(s->t), SYS_OK);
	ck_assert_int_eq(actor_goes_on(s), BLOCKED);
	ck_assert_int_eq(actor_reply(t, r), SYS_OK);
	ck_assert_int_eq(actor_goes_on(s), SYS_OK);
	check();
}
END_TEST

/* ---- what is waited for ends ------------------------------------------------------------------------------------- */

START_TEST(endpoint_ends)
{
	start();
	struct slot *kept = cap_put_with(cs, e, SYS_RIGHT_SEND, 9, e_cap);
	struct actor *held = actor_new(root, NULL, cs, 10);

	actor_word(held, 1, 444);
	ck_assert_int_eq(actor_call(held, e, 0, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), SYS_OK);
	ck_assert_int_eq(actor_send(s, e, 9, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_call(u, e, 9, SYS_TIME_INFINITE), BLOCKED);
	host_preempt_every(1);
	drop(e_cap);
	ck_assert_int_eq(actor_goes_on(s), SYS_ERR_PEER_CLOSED);
	ck_assert_int_eq(actor_goes_on(u), SYS_ERR_PEER_CLOSED);
	ck_assert_int_eq(actor_send(s, e, 9, SYS_TIME_INFINITE), SYS_ERR_PEER_CLOSED);
	ck_assert_int_eq(actor_call(s, e, 9, SYS_TIME_INFINITE), SYS_ERR_PEER_CLOSED);
	ck_assert_int_eq(actor_recv(s, e, NULL, SYS_TIME_INFINITE), SYS_ERR_PEER_CLOSED);
	/* Its message was taken: the server may answer. */
	ck_assert_int_eq(actor_goes_on(held), BLOCKED);
	ck_assert_int_eq(actor_reply(t, r), SYS_OK);
	ck_assert_int_eq(actor_goes_on(held), SYS_OK);
	ck_assert(kept->object == &e->object);
	kernel_check();
	drop(kept);
	actors_check();
}
END_TEST

START_TEST(endpoint_ends_for_receivers)
{
	start();
	ck_assert_int_eq(actor_recv(s, e, NULL, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_recv(t, e, r, 1000), BLOCKED);
	object_ref(&e->object);
	drop(e_cap);
	ck_assert_int_eq(actor_goes_on(s), SYS_ERR_PEER_CLOSED);
	ck_assert_int_eq(actor_goes_on(t), SYS_ERR_PEER_CLOSED);
	ck_assert(!r->receiver && !t->t->timed);
	check();
}
END_TEST

START_TEST(notifications)
{
	start();
	notification_signal(n, 1);
	notification_signal(n, 4);
	ck_assert_int_eq(actor_wait(s, n, SYS_TIME_POLL), SYS_OK);
	ck_assert_uint_eq(s->t->context.regs.rdx, 5);
	ck_assert_int_eq(actor_wait(s, n, SYS_TIME_POLL), SYS_ERR_TIMED_OUT);
	thread_set_priority(t->t, 20);
	ck_assert_int_eq(actor_wait(s, n, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_wait(u, n, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_wait(t, n, SYS_TIME_INFINITE), BLOCKED);
	notification_signal(n, 0);
	ck_assert(actor_goes_on(t) == BLOCKED && actor_goes_on(s) == BLOCKED);
	notification_signal(n, 6);
	ck_assert_int_eq(actor_goes_on(t), SYS_OK);                     /* the highest priority, all bits */
	ck_assert(t->t->context.regs.rdx == 6 && n->bits == 0);
	notification_signal(n, 1ull << 63);
	ck_assert_int_eq(actor_goes_on(s), SYS_OK);                     /* then by arrival */
	ck_assert_uint_eq(s->t->context.regs.rdx, 1ull << 63);
	ck_assert_int_eq(actor_wait(s, n, SYS_TIME_INFINITE), BLOCKED);
	drop(n_cap);
	ck_assert(actor_goes_on(u) == SYS_ERR_PEER_CLOSED && actor_goes_on(s) == SYS_ERR_PEER_CLOSED);
	check();
}
END_TEST

/* ---- faults ------------------------------------------------------------------------------------------------------ */

static void expect_fault(struct actor *x, u64 badge, u64 address, i64 status)
{
	const struct regs *q = &x->t->context.regs;

	ck_assert(q->rdx == badge && q->r8 == SYS_FAULT_PAGE && q->r9 == 4);
	ck_assert(q->r12 == address && q->r13 == SYS_ACCESS_WRITE && q->r15 == (u64)status);
}

START_TEST(fault_delivered)
{
	start();
	ck_assert_int_eq(actor_fault(s, 0x1000, SYS_ERR_NOT_FOUND), GONE);
	ck_assert_int_eq(s->t->exit_code, SYS_ERR_NOT_FOUND);
	ipc_set_fault_endpoint(u->t, e, 77);
	for (unsigned receiver_first = 0; receiver_first < 2; receiver_first++) {
		struct regs before;

		if (receiver_first)
			ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), BLOCKED);
		u->t->context.regs.rax = SYS_OK;
		before = u->t->context.regs;
		ck_assert_int_eq(actor_fault(u, 0x2000, SYS_ERR_NOT_FOUND), BLOCKED);
		ck_assert_int_eq(receiver_first ? actor_goes_on(t) : actor_recv(t, e, r, SYS_TIME_INFINITE), SYS_OK);
		expect_fault(t, 77, 0x2000, SYS_ERR_NOT_FOUND);
		check();
		ck_assert_int_eq(actor_goes_on(u), BLOCKED);
		actor_word(t, 2, 1);
		t->t->context.regs.r9 = header_make(0, 1);
		ck_assert_int_eq(actor_reply(t, r), SYS_ERR_BAD_ADDRESS);  /* it has no memory */
		actor_word(t, 2, 1);
		ck_assert_int_eq(actor_reply(t, r), SYS_OK);
		ck_assert_int_eq(actor_goes_on(u), SYS_OK);
		ck_assert(memcmp(&before, &u->t->context.regs, sizeof before) == 0);
		ck_assert_int_eq(actor_reply(t, r), SYS_ERR_BAD_STATE);
		check();
	}
}
END_TEST

/* A reply with capabilities does not resume: there is nobody to take them. */
START_TEST(fault_reply_with_caps)
{
	sys_msg_t m = { .caps = 1, .cap = { 0 } };

	start();
	actor_memory(t, 1);
	ipc_set_fault_endpoint(u->t, e, 1);
	ck_assert_int_eq(actor_fault(u, 0x2000, SYS_ERR_NOT_FOUND), BLOCKED);
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), SYS_OK);
	m.cap[0] = slot_cap(n_cap);
	actor_says(t, &m);
	ck_assert_int_eq(actor_reply(t, r), SYS_ERR_BUFFER_TOO_SMALL);
	ck_assert(u->t->wait == WAIT_FAULT && r->caller == u->t && n_cap->object);
	check();
}
END_TEST

/* All that can happen to a fault instead of an answer. */
START_TEST(fault_unanswered)
{
	start();
	struct actor *x[5];
	for (unsigned i = 0; i < 5; i++) {
		x[i] = actor_new(root, NULL, cs, 10);
		ipc_set_fault_endpoint(x[i]->t, e, i);
	}
	ck_assert_int_eq(actor_fault(x[0], 1, SYS_ERR_IO), BLOCKED);    /* the reply object goes */
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), SYS_OK);
	drop(r_cap);
	ck_assert(actor_goes_on(x[0]) == GONE && x[0]->t->exit_code == SYS_ERR_CANCELED);
	ck_assert_int_eq(actor_fault(x[1], 1, SYS_ERR_IO), BLOCKED);    /* a receiver that cannot answer */
	ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), SYS_OK);
	ck_assert(actor_goes_on(x[1]) == GONE && x[1]->t->exit_code == SYS_ERR_CANCELED);
	ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_fault(x[2], 1, SYS_ERR_IO), GONE);       /* the same, waiting already */
	ck_assert_int_eq(x[2]->t->exit_code, SYS_ERR_CANCELED);
	ck_assert_int_eq(actor_goes_on(t), SYS_OK);
	ck_assert_int_eq(actor_fault(x[3], 1, SYS_ERR_IO), BLOCKED);    /* the endpoint goes */
	object_ref(&e->object);
	ck_assert_int_eq(delete_all(e_cap), SYS_OK);
	ck_assert_int_eq(actor_fault(x[4], 1, SYS_ERR_IO), GONE);
	kernel_reap();
	ck_assert(actor_goes_on(x[3]) == GONE && x[3]->t->exit_code == SYS_ERR_IO && x[4]->t->exit_code == SYS_ERR_IO);
	check();
}
END_TEST

/* Killed, suspended, given another endpoint while the fault waits to be taken. */
START_TEST(fault_queued)
{
	start();
	struct endpoint *second = object_new(root, SYS_TYPE_ENDPOINT);
	cap_put(cs, second, top, SLOT_FIRST);
	ipc_set_fault_endpoint(s->t, e, 1);
	ipc_set_fault_endpoint(u->t, e, 2);
	ck_assert_int_eq(actor_fault(s, 0x1000, SYS_ERR_IO), BLOCKED);
	ck_assert_int_eq(actor_fault(u, 0x2000, SYS_ERR_IO), BLOCKED);
	thread_exit(s->t, 3);
	ck_assert(list_first(&e->fault_threads, struct thread, in_fault_endpoint) == u->t);
	check();
	ck_assert_int_eq(thread_suspend(u->t), SYS_OK);
	ck_assert(pqueue_on(&u->t->queue));
	/* From the next fault on: this one keeps its badge. */
	ipc_set_fault_endpoint(u->t, second, 66);
	check();
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_POLL), SYS_OK);
	expect_fault(t, 2, 0x2000, SYS_ERR_IO);
	actor_word(t, 2, 1);
	ck_assert_int_eq(actor_reply(t, r), SYS_OK);
	ck_assert(u->t->state == SYS_THREAD_READY && actor_goes_on(u) == BLOCKED);
	ck_assert_int_eq(thread_resume(u->t), SYS_OK);
	ck_assert_int_eq(actor_goes_on(u), SYS_OK);
	ck_assert_int_eq(actor_fault(u, 0x3000, SYS_ERR_IO), BLOCKED);
	ck_assert_int_eq(actor_recv(t, second, r, SYS_TIME_POLL), SYS_OK);
	expect_fault(t, 66, 0x3000, SYS_ERR_IO);
	ck_assert_uint_eq(label_of(t), SYS_FAULT_PAGE);
	ipc_set_fault_endpoint(u->t, NULL, 0);
	ck_assert(list_empty(&second->fault_threads) && !u->t->fault_endpoint);
	check();
}
END_TEST

/* ---- who runs ---------------------------------------------------------------------------------------------------- */

static void run_until(struct actor *x, i64 time)
{
	host_time_set(time);
	ck_assert_ptr_eq(sched_next(), x->t);
	check();
}

START_TEST(who_runs)
{
	start();
	thread_set_priority(t->t, 11);
	run_until(t, 0);
	ck_assert_int_eq(thread_suspend(t->t), SYS_OK);
	run_until(s, 0);                                                /* then s and u in turn, a quantum each */
	run_until(u, QUANTUM);
	run_until(s, 2 * QUANTUM);
	run_until(u, 3 * QUANTUM);
	run_until(s, 4 * QUANTUM);
	sched_yield();
	run_until(u, 4 * QUANTUM);
	ck_assert_int_eq(thread_resume(t->t), SYS_OK);
	run_until(t, 4 * QUANTUM);
	thread_exit(t->t, 0);
	run_until(u, 4 * QUANTUM);                                      /* it goes on before its equals */
	ck_assert(t->t->exit_code == 0 && t->t->switches == 2);
	thread_exit(u->t, 0);
	run_until(s, 4 * QUANTUM);
	ck_assert_int_eq(notification_wait(s->t, n, 10 * QUANTUM), CALL_BLOCKED);
	ck_assert_ptr_eq(sched_next(), s->t);                           /* nobody else: the machine sleeps till then */
	ck_assert_int_eq(arch_now(), 10 * QUANTUM);
	ck_assert_int_eq((int)s->t->context.regs.rax, SYS_ERR_TIMED_OUT);
	check();
}
END_TEST

/* A better thread that comes again and again takes the CPU from one of two equals, but not the other's turn. */
START_TEST(turns_under_interrupts)
{
	unsigned turns[2] = { 0, 0 };

	start();
	thread_set_priority(t->t, 11);
	run_until(t, 0);
	ck_assert_int_eq(thread_suspend(t->t), SYS_OK);
	for (i64 now = 0; now < 40 * QUANTUM; now += QUANTUM) {         /* t comes with each tick, and goes at once */
		const struct thread *runs = sched_next();
		ck_assert(runs == s->t || runs == u->t);
		turns[runs == u->t]++;
		ck_assert_int_eq(thread_resume(t->t), SYS_OK);
		run_until(t, now + QUANTUM);
		ck_assert_int_eq(thread_suspend(t->t), SYS_OK);
	}
	ck_assert_uint_gt(turns[0], 10);
	ck_assert_uint_gt(turns[1], 10);
	check();
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("ipcwait");

	add_test(suite, polls);
	add_test(suite, deadlines);
	add_test(suite, deadline_of_a_call);
	add_test(suite, many_deadlines);
	add_test(suite, deadline_on_the_way_out);
	add_test(suite, kill_waiting);
	add_test(suite, kill_caller_and_server);
	add_test(suite, kill_before_copy_out);
	add_test(suite, no_place_for_more);
	add_test(suite, suspend_states);
	add_test(suite, suspend_waiting);
	add_test(suite, suspend_caller);
	add_test(suite, endpoint_ends);
	add_test(suite, endpoint_ends_for_receivers);
	add_test(suite, notifications);
	add_test(suite, fault_delivered);
	add_test(suite, fault_reply_with_caps);
	add_test(suite, fault_unanswered);
	add_test(suite, fault_queued);
	add_test(suite, who_runs);
	add_test(suite, turns_under_interrupts);
	return suite;
}
