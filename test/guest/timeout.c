/* SPDX-License-Identifier: BSD-2-Clause */
/* timeout.c: how long a thread waits for a pager's page: each call and each access that can need one, against a pager
 * that never answers. */
#include "common/client.h"

#include <stdio.h>
#include <string.h>

#define SHORT (5 * MILLISECOND)
#define LONG (2 * SECOND)               /* the test is done with what it does meanwhile, on a busy machine too */

static void set(sys_time_t ns)
{
	OKAY(sys_thread_set_page_timeout(SYS_CAP_THREAD, ns));
}

/* ---- every call ----
 * Page 0 of the VMO is there, page 1 never comes. A message lies over their edge: its first four words are there. */

struct places {
	sys_cap_t vmo, thread, ep, reply, pager;
	uint8_t *there, *missing;
	sys_msg_t *msg;
};
static uint64_t plain[512];

#define MESSAGE_THERE (offsetof(sys_msg_t, word) + 4 * sizeof(uint64_t))
#define CALL(NAME, ...) static sys_status_t call_##NAME(struct places *p) { (void)p; return __VA_ARGS__; }
CALL(vmo_read, sys_vmo_read(p->vmo, plain, PAGE + 8, 8))
CALL(vmo_read_both, sys_vmo_read(p->vmo, plain, PAGE - 8, 16))
CALL(vmo_read_to, sys_vmo_read(p->vmo, p->missing, 0, 8))
CALL(vmo_write, sys_vmo_write(p->vmo, plain, PAGE + 8, 8))
CALL(vmo_write_from, sys_vmo_write(p->vmo, p->missing, 0, 8))
CALL(vmo_op_range, sys_vmo_op_range(p->vmo, SYS_VMO_OP_COMMIT, 0, 2 * PAGE, NULL, 0))
CALL(vmo_info, sys_vmo_info(p->vmo, (sys_vmo_info_t *)(void *)p->missing))
CALL(thread_info, sys_thread_info(p->thread, (sys_thread_info_t *)(void *)p->missing))
CALL(thread_read_state, sys_thread_read_state(p->thread, SYS_STATE_GENERAL, p->missing - 32, sizeof(sys_regs_t)))
CALL(thread_write_state, sys_thread_write_state(p->thread, SYS_STATE_GENERAL, p->missing - 32, sizeof(sys_regs_t)))
CALL(vmar_maps, sys_vmar_maps(SYS_CAP_VMAR, (sys_maps_t *)(void *)p->missing, 1, NULL, NULL))
CALL(console_write, sys_console_write(SYS_CAP_CONSOLE, (const char *)p->missing, 8))
CALL(system_info,
     sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_COUNTERS, p->missing, sizeof(sys_counters_t)))
CALL(futex_wait, sys_futex_wait((const uint32_t *)(void *)p->missing, 0, SYS_TIME_INFINITE))

static sys_msg_t *long_message(struct places *p)
{
	p->msg->label = 1;
	p->msg->words = 8;
	p->msg->caps = p->msg->accept = 0;
	return p->msg;
}
CALL(ipc_send, sys_ipc_send(p->ep, long_message(p), SYS_TIME_INFINITE))
CALL(ipc_call, sys_ipc_call(p->ep, long_message(p), SYS_TIME_INFINITE))

static int64_t sends(void *arg)
{
	sys_msg_t msg = {.label = 9, .words = 8};
	return sys_ipc_send(*(sys_cap_t *)arg, &msg, SYS_TIME_INFINITE);
}

static int64_t calls(void *arg)
{
	sys_msg_t msg = {.label = 9};
	return sys_ipc_call(*(sys_cap_t *)arg, &msg, SYS_TIME_INFINITE);
}

/* The message has come when its words turn out to have no place. */
static sys_status_t call_ipc_recv(struct places *p)
{
	sys_cap_t sender = helper_start(sends, &p->ep);
	uint64_t badge;

	until_waiting(sender);
	long_message(p);
	sys_status_t status = sys_ipc_recv(p->ep, SYS_CAP_NULL, p->msg, &badge, SYS_TIME_INFINITE);
	EQ(until_exited(sender), SYS_OK);
	helper_drop(1);
	return status;
}

/* The reply object holds a caller, who goes on waiting. */
static sys_cap_t caller_of(struct places *p)
{
	sys_cap_t caller = helper_start(calls, &p->ep);
	sys_msg_t msg = {0};

	OKAY(sys_ipc_recv(p->ep, p->reply, &msg, NULL, after(LIMIT)));
	return caller;
}

static sys_status_t reply_to(struct places *p, bool then_receive)
{
	sys_cap_t caller = caller_of(p);
	sys_msg_t *msg = long_message(p), plain_msg = {.label = 4};
	uint64_t badge;
	sys_status_t status = then_receive ? sys_ipc_reply_recv(p->reply, msg, p->ep, &badge, SYS_TIME_INFINITE) :
					     sys_ipc_reply(p->reply, msg);

	EQ(thread_info(caller).state, SYS_THREAD_WAITING);      /* it was not answered, and still can be */
	OKAY(sys_ipc_reply(p->reply, &plain_msg));
	EQ(until_exited(caller), SYS_OK);
	helper_drop(1);
	return status;
}

static sys_status_t call_ipc_reply(struct places *p)
{
	return reply_to(p, false);
}

static sys_status_t call_ipc_reply_recv(struct places *p)
{
	return reply_to(p, true);
}

/* There is a request to be received, of another thread. */
static sys_status_t call_pager_recv(struct places *p)
{
	struct client client = {.act = VMO_READ, .vmo = p->vmo, .offset = 9 * PAGE, .len = 8};
	sys_cap_t thread = client_start(&client);
	size_t actual;
	sys_status_t status =
		sys_pager_recv(p->pager, (sys_pager_request_t *)(void *)p->missing, 1, &actual, SYS_TIME_INFINITE);

	expect(9 * PAGE, 1, SYS_ACCESS_READ);           /* it is still there */
	OKAY(sys_thread_kill(thread, 0));
	helper_drop(1);
	return status;
}

static const struct {
	const char *name;
	sys_status_t (*run)(struct places *p);
} rows[] = {
	{"vmo_read", call_vmo_read}, {"vmo_read", call_vmo_read_both}, {"vmo_read", call_vmo_read_to},
	{"vmo_write", call_vmo_write}, {"vmo_write", call_vmo_write_from}, {"vmo_op_range", call_vmo_op_range},
	{"vmo_info", call_vmo_info}, {"thread_info", call_thread_info}, {"thread_read_state", call_thread_read_state},
	{"thread_write_state", call_thread_write_state}, {"vmar_maps", call_vmar_maps},
	{"console_write", call_console_write}, {"system_info", call_system_info}, {"futex_wait", call_futex_wait},
	{"ipc_send", call_ipc_send}, {"ipc_call", call_ipc_call}, {"ipc_recv", call_ipc_recv},
	{"ipc_reply", call_ipc_reply}, {"ipc_reply_recv", call_ipc_reply_recv}, {"pager_recv", call_pager_recv},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static struct places places_begin(void)
{
	pager_begin();
	supply(0, 1, 100);
	uint8_t *at = map(vmo, PAGES * PAGE);
	return (struct places){
		.vmo = vmo, .thread = new_thread(), .ep = new_endpoint(), .reply = new_reply(), .pager = pager,
		.there = at, .missing = at + PAGE, .msg = (sys_msg_t *)(void *)(at + PAGE - MESSAGE_THERE),
	};
}

static void polls(int index)
{
	struct places p = places_begin();
	uint64_t requests = thread_info(SYS_CAP_THREAD).page_requests;

	set(0);
	sys_status_t status = rows[index].run(&p);
	EQ(thread_info(SYS_CAP_THREAD).page_requests, requests);
	set(SYS_TIME_INFINITE);
	STATUS(SYS_ERR_SHOULD_WAIT, status);
	expect_none();
	unmap(p.there, PAGES * PAGE);
}

static void times_out(int index)
{
	struct places p = places_begin();

	set(SHORT);
	sys_time_t begin = sys_clock_get();
	sys_status_t status = rows[index].run(&p);
	sys_time_t took = sys_clock_get() - begin;
	set(SYS_TIME_INFINITE);
	STATUS(SYS_ERR_TIMED_OUT, status);
	CHECK(took >= SHORT && took < LIMIT);
	expect_none();                                  /* what nobody had received is withdrawn */
	unmap(p.there, PAGES * PAGE);
}

void guest_tables(void)
{
	char name[80];

	for (int i = 0; i < ROWS; i++) {
		snprintf(name, sizeof(name), "%s:SHOULD_WAIT with a timeout of 0, and nobody is asked", rows[i].name);
		guest_add(name, polls, i);
		snprintf(name, sizeof(name), "%s:TIMED_OUT when the page does not come", rows[i].name);
		guest_add(name, times_out, i);
	}
}

/* ---- what can be set ---- */

static int64_t exits(void *arg)
{
	return (int64_t)arg;
}

TEST("thread_set_page_timeout:OK thread_set_page_timeout:INVALID_ARGS thread_set_page_timeout:BAD_STATE")
{
	sys_cap_t thread = new_thread(), ended = helper_start(exits, NULL);

	OKAY(sys_thread_set_page_timeout(thread, 0));
	OKAY(sys_thread_set_page_timeout(thread, 1));
	OKAY(sys_thread_set_page_timeout(thread, SYS_TIME_INFINITE - 1));
	OKAY(sys_thread_set_page_timeout(thread, SYS_TIME_INFINITE));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_set_page_timeout(thread, -1));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_set_page_timeout(thread, INT64_MIN));
	EQ(until_exited(ended), 0);
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_set_page_timeout(ended, 1));
}

TEST("thread_set_page_timeout:OK what is there needs no waiting")
{
	struct places p = places_begin();

	set(0);
	NO_FAULT(READ, p.there);
	EQ(*(volatile uint64_t *)(void *)p.there, 100);
	OKAY(sys_vmo_read(vmo, plain, 0, 8));
	set(SYS_TIME_INFINITE);
	unmap(p.there, PAGES * PAGE);
}

/* ---- accesses ---- */

static int64_t reads(void *at)
{
	return *(volatile uint8_t *)at;
}

static int64_t writes(void *at)
{
	*(volatile uint8_t *)at = 7;
	return 7;
}

static int64_t executes(void *at)
{
	((void (*)(void))(uintptr_t)at)();
	return 0;
}

/* A thread that makes the access, with this timeout. */
static sys_cap_t accessor(helper_fn fn, void *at, sys_cap_t fault_ep, sys_time_t ns)
{
	sys_cap_t thread = helper_prepare(fn, at, fault_ep, own_priority());

	OKAY(sys_thread_set_page_timeout(thread, ns));
	helper_go(thread);
	return thread;
}

static void check_fault(const sys_msg_t *msg, const void *at, uint64_t access, sys_status_t status)
{
	EQ(msg->label, SYS_FAULT_PAGE);
	EQ(msg->words, 4);
	EQ(msg->word[0], (uint64_t)at);
	EQ(msg->word[1], access);
	EQ(msg->word[3], (uint64_t)(int64_t)status);
}

static void access_fails(sys_time_t ns, sys_status_t status)
{
	static const struct { helper_fn fn; uint64_t access; } kinds[] = {
		{reads, SYS_ACCESS_READ}, {writes, SYS_ACCESS_WRITE}, {executes, SYS_ACCESS_EXECUTE},
	};
	struct places p = places_begin();
	sys_cap_t executable, reply = new_reply();
	sys_msg_t msg = {0};

	OKAY(sys_vmo_replace_as_executable(reduced(vmo, SYS_RIGHTS_SAME), SYS_CAP_RESOURCE, &executable));
	uint8_t *code = map_in(SYS_CAP_VMAR, executable, SYS_VM_PERM_READ | SYS_VM_PERM_EXECUTE, 0, PAGES * PAGE);
	for (size_t i = 0; i < 3; i++) {
		uint8_t *at = (kinds[i].fn == executes ? code : p.there) + PAGE + 345;
		sys_cap_t ep = new_endpoint();
		sys_time_t begin = sys_clock_get();
		sys_cap_t thread = accessor(kinds[i].fn, at, ep, ns);
		OKAY(sys_ipc_recv(ep, reply, &msg, NULL, after(LIMIT)));
		CHECK(sys_clock_get() - begin >= ns);
		check_fault(&msg, at, kinds[i].access, status);
		EQ(thread_info(thread).page_requests, ns != 0);
		expect_none();
		OKAY(sys_thread_kill(thread, 1));
		/* without a fault endpoint */
		EQ(until_exited(accessor(kinds[i].fn, at, SYS_CAP_NULL, ns)), status);
	}
	unmap(code, PAGES * PAGE);
	unmap(p.there, PAGES * PAGE);
}

TEST("an access with a timeout of 0 is a fault with SHOULD_WAIT, and nobody is asked")
{
	access_fails(0, SYS_ERR_SHOULD_WAIT);
}

TEST("an access whose page does not come in time is a fault with TIMED_OUT")
{
	access_fails(SHORT, SYS_ERR_TIMED_OUT);
}

TEST("ipc_reply:OK to an access that timed out: it waits anew, and can be served then")
{
	struct places p = places_begin();
	sys_cap_t ep = new_endpoint(), reply = new_reply();
	sys_msg_t msg = {0}, empty = {0};
	sys_time_t begin = sys_clock_get();
	sys_cap_t thread = accessor(reads, p.missing, ep, SHORT);

	for (int i = 0; i < 3; i++) {
		OKAY(sys_ipc_recv(ep, reply, &msg, NULL, after(LIMIT)));
		CHECK(sys_clock_get() - begin >= SHORT);
		check_fault(&msg, p.missing, SYS_ACCESS_READ, SYS_ERR_TIMED_OUT);
		if (i == 2)
			supply(1, 1, 60);
		begin = sys_clock_get();
		OKAY(sys_ipc_reply(reply, &empty));
	}
	EQ(until_exited(thread), 61);
	unmap(p.there, PAGES * PAGE);
}

/* ---- each wait anew ---- */

struct reader { sys_cap_t vmo; uint64_t offset, len; sys_time_t until; };

static int64_t reads_vmo(void *arg)
{
	struct reader *reader = arg;
	return sys_vmo_read(reader->vmo, client_bytes, reader->offset, reader->len);
}

static int64_t commits_vmo(void *arg)
{
	struct reader *reader = arg;
	return sys_vmo_op_range(reader->vmo, SYS_VMO_OP_COMMIT, reader->offset, reader->len, NULL, 0);
}

static void one_by_one(helper_fn fn)
{
	enum { PARTS = 3 };
	pager_begin();
	struct reader reader = {.vmo = vmo, .len = PARTS * PAGE};
	sys_cap_t thread = accessor(fn, &reader, SYS_CAP_NULL, LONG);

	for (uint64_t i = 0; i < PARTS; i++) {
		sleep_for(LONG * 6 / 10);
		EQ(thread_info(thread).state, SYS_THREAD_WAITING);
		supply(i, 1, 100);
	}
	EQ(until_exited(thread), SYS_OK);
}

TEST("vmo_read:OK pages that come one by one restart the timeout each")
{
	one_by_one(reads_vmo);
}

TEST("vmo_op_range:OK pages that come one by one restart the timeout each")
{
	one_by_one(commits_vmo);
}

TEST("vmo_read:TIMED_OUT pages that others wait for restart nothing; what came is there")
{
	pager_begin();
	struct reader reader = {.vmo = vmo, .len = 2 * PAGE};
	sys_time_t begin = sys_clock_get();
	sys_cap_t thread = accessor(reads_vmo, &reader, SYS_CAP_NULL, LONG);

	sleep_for(LONG * 6 / 10);
	supply(5, 1, 100);
	supply(1, 1, 100);                              /* its own second page, but it waits for the first */
	EQ(until_exited(thread), SYS_ERR_TIMED_OUT);
	CHECK(sys_clock_get() - begin < LONG * 16 / 10);
	EQ(get(vmo, PAGE), 101);
}

static int64_t reads_again_and_again(void *arg)
{
	struct reader *reader = arg;
	sys_status_t status;
	uint64_t word;

	do
		status = sys_vmo_read(reader->vmo, &word, reader->offset, sizeof(word));
	while (status == SYS_ERR_TIMED_OUT && sys_clock_get() < reader->until);
	return status;
}

TEST("vmo_read:TIMED_OUT a wait for what another asked for, who gives up again and again, ends in time")
{
	pager_begin();
	struct reader often = {.vmo = vmo, .until = after(LIMIT / 2)}, once = {.vmo = vmo, .len = PAGE};
	OKAY(sys_thread_set_affinity(SYS_CAP_THREAD, 1));       /* and theirs */
	sys_cap_t first = accessor(reads_again_and_again, &often, SYS_CAP_NULL, 7 * MILLISECOND);

	until_waiting(first);
	sys_time_t begin = sys_clock_get();
	/* It is lower than the first, which always asks anew before this one runs. */
	sys_cap_t second = helper_prepare(reads_vmo, &once, SYS_CAP_NULL, own_priority() - 1);
	OKAY(sys_thread_set_page_timeout(second, 30 * MILLISECOND));
	helper_go(second);
	while (thread_info(second).state != SYS_THREAD_EXITED)
		sleep_for(MILLISECOND);
	EQ(thread_info(second).exit_code, SYS_ERR_TIMED_OUT);
	CHECK(sys_clock_get() - begin >= 30 * MILLISECOND && sys_clock_get() < often.until);
	EQ(until_exited(first), SYS_ERR_TIMED_OUT);
	OKAY(sys_thread_set_affinity(SYS_CAP_THREAD, UINT64_MAX));
	expect_none();
}

TEST("vmo_read:TIMED_OUT a request that was received stands, and is answered later without being sent again")
{
	pager_begin();
	struct reader reader = {.vmo = vmo, .len = PAGE};
	sys_cap_t thread = accessor(reads_vmo, &reader, SYS_CAP_NULL, LONG);

	expect(0, 1, SYS_ACCESS_READ);
	EQ(until_exited(thread), SYS_ERR_TIMED_OUT);
	thread = accessor(reads_vmo, &reader, SYS_CAP_NULL, SYS_TIME_INFINITE);
	until_waiting(thread);
	expect_none();
	supply(0, 1, 100);
	EQ(until_exited(thread), SYS_OK);
}

/* ---- while it waits ---- */

TEST("thread_set_page_timeout:OK bounds a wait that is under way")
{
	pager_begin();
	struct reader reader = {.vmo = vmo, .len = PAGE};
	sys_cap_t thread = accessor(reads_vmo, &reader, SYS_CAP_NULL, SYS_TIME_INFINITE);

	until_waiting(thread);
	OKAY(sys_thread_set_page_timeout(thread, SHORT));
	EQ(until_exited(thread), SYS_ERR_TIMED_OUT);
	thread = accessor(reads_vmo, &reader, SYS_CAP_NULL, SYS_TIME_INFINITE);
	until_waiting(thread);
	OKAY(sys_thread_set_page_timeout(thread, 0));
	EQ(until_exited(thread), SYS_ERR_SHOULD_WAIT);
	expect_none();
	thread = accessor(reads_vmo, &reader, SYS_CAP_NULL, LONG);
	until_waiting(thread);
	OKAY(sys_thread_set_page_timeout(thread, SYS_TIME_INFINITE));
	sleep_for(2 * LONG);
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	supply(0, 1, 100);
	EQ(until_exited(thread), SYS_OK);
}

TEST("thread_set_page_timeout:OK a fault for an access that waits already")
{
	struct places p = places_begin();
	sys_cap_t ep = new_endpoint(), reply = new_reply();
	sys_cap_t thread = accessor(reads, p.missing + 9, ep, SYS_TIME_INFINITE);
	sys_msg_t msg = {0};

	until_waiting(thread);
	OKAY(sys_thread_set_page_timeout(thread, 0));
	OKAY(sys_ipc_recv(ep, reply, &msg, NULL, after(LIMIT)));
	check_fault(&msg, p.missing + 9, SYS_ACCESS_READ, SYS_ERR_SHOULD_WAIT);
	expect_none();
	unmap(p.there, PAGES * PAGE);
}

TEST("thread_suspend:OK stops the clock of a wait for a page")
{
	pager_begin();
	struct reader reader = {.vmo = vmo, .len = PAGE};
	sys_cap_t thread = accessor(reads_vmo, &reader, SYS_CAP_NULL, LONG);

	until_waiting(thread);
	OKAY(sys_thread_suspend(thread));
	sleep_for(2 * LONG);
	supply(0, 1, 100);
	OKAY(sys_thread_resume(thread));
	EQ(until_exited(thread), SYS_OK);
	reader.offset = PAGE;
	thread = accessor(reads_vmo, &reader, SYS_CAP_NULL, LONG);
	until_waiting(thread);
	OKAY(sys_thread_kill(thread, 4));
	sleep_for(2 * LONG);
	EQ(until_exited(thread), 4);
	expect_none();
}
