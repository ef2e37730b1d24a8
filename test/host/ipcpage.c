/* SPDX-License-Identifier: BSD-2-Clause */
/* ipcpage.c: kernel/ipc, kernel/sched: messages whose memory a pager has to bring first: the sender's, the
 * receiver's; and the pager's requests as messages. And creations that find no memory. */
#include <string.h>
#include "common/stage.h"

static struct endpoint *e;              /* the messages' */
static struct actor *s, *t, *server;

/* x's message lies in a paged object from now on, over its first two pages. */
static void paged(struct actor *x)
{
	vaddr_t at;

	ck_assert_int_eq(vmar_map(&x->t->space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0,
	                          v, SYS_RIGHTS_VMO, 0,
	                          v->size, NULL, &at), SYS_OK);
	x->memory = at + PAGE_SIZE_ - 128;
}

static void start(void)
{
	stage(4096, 64);
	stage_pager(4 * PAGE_SIZE_);
	e = made(SYS_TYPE_ENDPOINT, NULL);
	s = actor_new(root, NULL, cs, 10);
	t = actor_new(root, NULL, cs, 10);
	server = actor_new(root, NULL, cs, 20);
}

static void check(void)
{
	kernel_check();
	actors_check();
	endpoint_check(e);
	endpoint_check(pages);
	pager_check(pager);
}

/* The server receives a request, which must be for this page, and brings it. */
static void serve(u64 page)
{
	const struct regs *r = &server->t->context.regs;
	u64 done = 0, fresh = 0;

	ck_assert_int_eq(actor_recv(server, pages, NULL, SYS_TIME_POLL), SYS_OK);
	ck_assert(r->rdx == 31 && r->r8 == SYS_PAGER_READ && r->r9 == 4 && r->r12 == 77 &&
	          r->r13 == page * PAGE_SIZE_ && r->r14 >= PAGE_SIZE_);
	while (pager_supply(pager, v, page * PAGE_SIZE_, PAGE_SIZE_, aux, 0, &done, &fresh) == VM_AGAIN)
		;
	ck_assert_uint_eq(fresh, PAGE_SIZE_);
	check();
}

static void refuse_charges(u64 page, i64 status)
{
	ck_assert_int_eq(actor_recv(server, pages, NULL, SYS_TIME_POLL), SYS_OK);
	while (pager_op_range(pager, SYS_PAGER_OP_FAIL, v, page * PAGE_SIZE_, PAGE_SIZE_, status) == VM_AGAIN)
		;
	check();
}

static void says_long(struct actor *x)
{
	x->t->context.regs.r8 = 1;
	x->t->context.regs.r9 = 60;
	x->t->context.regs.r12 = 600;
}

/* ---- the sender's memory ----------------------------------------------------------------------------------------- */

START_TEST(sender_waits)
{
	start();
	paged(s);
	actor_memory(t, 1);
	ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), BLOCKED);
	says_long(s);
	ck_assert_int_eq(actor_send(s, e, 5, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(s->t->wait, WAIT_PAGE);
	ck_assert_int_eq(actor_goes_on(t), BLOCKED);
	serve(0);
	ck_assert_int_eq(actor_goes_on(s), BLOCKED);
	serve(1);
	ck_assert_int_eq(actor_goes_on(s), SYS_OK);
	ck_assert_int_eq(actor_goes_on(t), SYS_OK);
	ck_assert(t->t->context.regs.rdx == 5 && t->t->context.regs.r12 == 600);
	ck_assert_int_eq(actor_recv(server, pages, NULL, SYS_TIME_POLL), SYS_ERR_TIMED_OUT);
	check();
}
END_TEST

/* Failed, killed, suspended meanwhile. */
START_TEST(sender_gives_up)
{
	start();
	paged(s);
	says_long(s);
	ck_assert_int_eq(actor_send(s, e, 5, SYS_TIME_INFINITE), BLOCKED);
	refuse_charges(0, SYS_ERR_IO);
	ck_assert_int_eq(actor_goes_on(s), SYS_ERR_BAD_ADDRESS);
	ck_assert_int_eq(actor_send(s, e, 5, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(thread_suspend(s->t), SYS_OK);
	ck_assert_int_eq(s->t->page.state, PAGE_WAIT_IDLE);
	check();
	ck_assert_int_eq(thread_resume(s->t), SYS_OK);
	ck_assert_int_eq(actor_goes_on(s), BLOCKED);
	ck_assert_int_eq(s->t->wait, WAIT_PAGE);
	thread_exit(s->t, 0);
	check();
	ck_assert_int_eq(actor_recv(server, pages, NULL, SYS_TIME_POLL), SYS_ERR_TIMED_OUT);
}
END_TEST

/* ---- the receiver's memory --------------------------------------------------------------------------------------- */

START_TEST(receiver_waits)
{
	sys_msg_t m = { .label = 1, .words = 60, .word[59] = 5959 };
	u64 badge;

	start();
	paged(t);
	actor_memory(s, 1);
	actor_says(s, &m);
	ck_assert_int_eq(actor_recv(t, e, NULL, 100), BLOCKED);
	ck_assert_int_eq(actor_send(s, e, 5, SYS_TIME_POLL), SYS_OK);   /* the sender is done */
	ck_assert_int_eq(actor_goes_on(t), BLOCKED);
	ck_assert(t->t->wait == WAIT_PAGE && t->t->finish);
	time_pass(1000);                                                /* the receive is over: no deadline any more */
	ck_assert_int_eq(actor_goes_on(t), BLOCKED);
	ck_assert_int_eq(thread_suspend(t->t), SYS_OK);
	check();
	ck_assert_int_eq(thread_resume(t->t), SYS_OK);
	ck_assert_int_eq(actor_goes_on(t), BLOCKED);
	serve(0);
	ck_assert_int_eq(actor_goes_on(t), BLOCKED);
	serve(1);
	ck_assert_int_eq(actor_goes_on(t), SYS_OK);
	actor_hears(t, &m, &badge);
	ck_assert(badge == 5 && m.words == 60 && m.word[59] == 5959);
	check();
}
END_TEST

START_TEST(receiver_gives_up)
{
	sys_msg_t m = { .label = 1, .words = 60 };

	start();
	paged(t);
	actor_memory(s, 1);
	actor_says(s, &m);
	ck_assert_int_eq(actor_recv(t, e, NULL, 100), BLOCKED);
	ck_assert_int_eq(actor_send(s, e, 5, SYS_TIME_POLL), SYS_OK);
	ck_assert_int_eq(actor_goes_on(t), BLOCKED);
	refuse_charges(0, SYS_ERR_IO);
	ck_assert_int_eq(actor_goes_on(t), SYS_ERR_BAD_ADDRESS);
	ck_assert(!t->t->finish);
	ck_assert_int_eq(actor_recv(t, e, NULL, 100), BLOCKED);
	ck_assert_int_eq(actor_send(s, e, 5, SYS_TIME_POLL), SYS_OK);
	ck_assert_int_eq(actor_goes_on(t), BLOCKED);
	ck_assert_int_eq(delete_all(pages_cap), SYS_OK);                /* the pager dies with its endpoint */
	kernel_reap();
	ck_assert_int_eq(actor_goes_on(t), SYS_ERR_BAD_ADDRESS);
	kernel_check();
	actors_check();
}
END_TEST

/* A server that waits already; requests of several clients, by priority. */
START_TEST(requests_are_messages)
{
	const struct regs *r;

	start();
	r = &server->t->context.regs;
	paged(s);
	paged(t);
	s->memory += PAGE_SIZE_;                                        /* page 1 */
	t->memory += 2 * PAGE_SIZE_;                                    /* page 2 */
	says_long(s);
	says_long(t);
	ck_assert_int_eq(actor_recv(server, pages, NULL, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_goes_on(server), SYS_OK);
	ck_assert(r->r8 == SYS_PAGER_READ && r->r13 == PAGE_SIZE_);
	thread_set_priority(t->t, 15);
	ck_assert_int_eq(actor_send(t, e, 0, SYS_TIME_INFINITE), BLOCKED);
	check();
	ck_assert_int_eq(actor_recv(server, pages, NULL, SYS_TIME_POLL), SYS_OK);
	ck_assert_uint_eq(r->r13, 2 * PAGE_SIZE_);
	thread_exit(t->t, 0);
	thread_exit(s->t, 0);
	check();
}
END_TEST

/* ---- no memory --------------------------------------------------------------------------------------------------- */

START_TEST(creates_without_memory)
{
	static const enum sys_type types[] = { SYS_TYPE_ENDPOINT, SYS_TYPE_NOTIFICATION, SYS_TYPE_REPLY };
	sys_status_t status;
	struct thread *made;
	struct object *o;

	start();
	struct account *a = account_new(root, 100);
	struct space *space = s->t->space;
	u64 free = frame_count_free(), refs = ((struct object *)space)->refs;
	for (unsigned i = 0; i < ARRAY_LEN(types); i++)
		each_failure(n) {
			o = object_create(a, types[i], &status);
			if (allocation_failed()) {
				ck_assert(!o && status == SYS_ERR_NO_MEMORY && a->used == 0 &&
				          frame_count_free() == free && !a->objects);
				continue;
			}
			object_discard(o);
		}
	each_failure(n) {
		status = thread_create(a, space, 1, &made);
		if (allocation_failed()) {
			ck_assert(status == SYS_ERR_NO_MEMORY && a->used == 0 && frame_count_free() == free &&
			          !a->objects);
			ck_assert(((struct object *)space)->refs == refs);
			continue;
		}
		ck_assert_int_eq(status, SYS_OK);
		ck_assert_uint_eq(a->used, 1);
		object_end(&made->object);
		kernel_reap();
		ck_assert(a->used == 0 && ((struct object *)space)->refs == refs);
	}
	a->closed = true;
	ck_assert_int_eq(thread_create(a, space, 1, &made), SYS_ERR_BAD_STATE);
	check();
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("ipcpage");

	add_test(suite, sender_waits);
	add_test(suite, sender_gives_up);
	add_test(suite, receiver_waits);
	add_test(suite, receiver_gives_up);
	add_test(suite, requests_are_messages);
	add_test(suite, creates_without_memory);
	return suite;
}
