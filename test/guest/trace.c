/* SPDX-License-Identifier: BSD-2-Clause */
/* trace.c: the trace ring: what is recorded of calls, faults, waits and switches, how the ring wraps, what ends it. */
#include "common/client.h"
#include "common/cpus.h"

enum {
#define SYSCALL(number, name, args, errors, flags) NR_##name = number,
#define SYSCALL_HAND SYSCALL
#include <vellum/syscalls.def>
#undef SYSCALL
#undef SYSCALL_HAND
};

enum { RING = 16 * 4096, RECORDS = RING / 64 - 1 };
static sys_cap_t ring;                          /* its VMO */
static const volatile sys_trace_header_t *header;

static void ring_new(uint64_t size)
{
	ring = new_vmo(size);
	header = map(ring, size);
}

static void trace(uint32_t events)
{
	ring_new(RING);
	OKAY(sys_trace_start(SYS_CAP_RESOURCE, ring, events));
}

/* Ends it, and looks at all records: none is missing, time does not go back. */
static void over(void)
{
	int64_t last = 0;

	OKAY(sys_trace_stop(SYS_CAP_RESOURCE));
	EQ(header->events, 0);
	EQ(header->lost, header->head > header->records ? header->head - header->records : 0);
	for (uint64_t n = header->lost; n < header->head; n++) {
		const volatile sys_trace_record_t *r = (const volatile sys_trace_record_t *)header + 1 + n % header->records;
		EQ(r->n, n);
		CHECK(r->time >= last && r->cpu < cpu_count());
		CHECK(r->event && !(r->event & (r->event - 1)) && r->event <= SYS_TRACE_ALL);
		last = r->time;
	}
}

/* The next record of this kind from *n on, of this thread (0: any), whose first word is this (UINT64_MAX: any); NULL: none. */
static const volatile sys_trace_record_t *next(uint64_t *n, uint32_t event, uint64_t thread, uint64_t word)
{
	for (; *n < header->head; ++*n) {
		const volatile sys_trace_record_t *r = (const volatile sys_trace_record_t *)header + 1 + *n % header->records;
		if (r->event == event && (!thread || r->thread == thread) && (word == UINT64_MAX || r->word[0] == word)) {
			++*n;
			return r;
		}
	}
	return NULL;
}

static uint64_t koid(sys_cap_t cap) { return cap_info(cap).koid; }
static uint64_t count(uint32_t event)
{
	uint64_t found = 0;

	for (uint64_t n = header->lost; next(&n, event, 0, UINT64_MAX); found++)
		;
	return found;
}

static uint64_t records_of(uint64_t thread)
{
	uint64_t found = 0;

	for (uint64_t n = header->lost; n < header->head; n++)
		found += ((const volatile sys_trace_record_t *)header + 1 + n % header->records)->thread == thread;
	return found;
}

static void put_away(void)
{
	unmap((void *)(uintptr_t)header, vmo_info(ring).size);
}

TEST("trace_start:OK trace_stop:OK calls with their arguments and statuses, in order")
{
	uint64_t self = koid(SYS_CAP_THREAD), n = 0, size;
	const volatile sys_trace_record_t *r;

	trace(SYS_TRACE_CALL | SYS_TRACE_RETURN);
	OKAY(sys_vmo_get_size(ring, &size));
	STATUS(SYS_ERR_OUT_OF_RANGE, sys_vmo_set_size(ring, UINT64_MAX));
	STATUS(SYS_ERR_BAD_CAP, sys_cap_delete(0x7fffffff));
	over();
	EQ(header->records, RECORDS);
	EQ(records_of(self), 7);                /* others, elsewhere, may have theirs in between */
	r = next(&n, SYS_TRACE_CALL, self, NR_vmo_get_size);
	CHECK(r && r->word[1] == ring);
	r = next(&n, SYS_TRACE_RETURN, self, NR_vmo_get_size);
	CHECK(r && (int64_t)r->word[1] == SYS_OK);
	r = next(&n, SYS_TRACE_CALL, self, NR_vmo_set_size);
	CHECK(r && r->word[2] == UINT64_MAX);
	r = next(&n, SYS_TRACE_RETURN, self, NR_vmo_set_size);
	CHECK(r && (int64_t)r->word[1] == SYS_ERR_OUT_OF_RANGE);
	CHECK(next(&n, SYS_TRACE_CALL, self, NR_cap_delete));
	r = next(&n, SYS_TRACE_RETURN, self, NR_cap_delete);
	CHECK(r && (int64_t)r->word[1] == SYS_ERR_BAD_CAP);
	CHECK(next(&n, SYS_TRACE_CALL, self, NR_trace_stop));
	CHECK(!next(&n, SYS_TRACE_RETURN, self, NR_trace_stop));
	put_away();
}

TEST("trace_start:OK a call that goes in steps is made again and again, and returns once")
{
	uint64_t n = 0, calls = 0, returns = 0;

	sys_cap_t memory = new_vmo(1000 * PAGE);
	trace(SYS_TRACE_CALL | SYS_TRACE_RETURN);
	OKAY(sys_vmo_op_range(memory, SYS_VMO_OP_COMMIT, 0, 1000 * PAGE, NULL, 0));
	over();
	EQ(header->lost, 0);
	while (next(&n, SYS_TRACE_CALL, 0, NR_vmo_op_range))
		calls++;
	for (n = 0; next(&n, SYS_TRACE_RETURN, 0, NR_vmo_op_range);)
		returns++;
	CHECK(calls >= 1);                      /* how often depends on the time that a step takes */
	EQ(returns, 1);
	put_away();
}

static sys_cap_t bell, server_ep, server_reply;

static int64_t waits_twice(void *arg)
{
	uint64_t bits;

	(void)arg;
	sys_notification_wait(bell, &bits, SYS_TIME_INFINITE);
	return sys_notification_wait(bell, &bits, sys_clock_get() + MILLISECOND);
}

TEST("trace_start:OK a call that waits returns when it is over, however it is ended")
{
	uint64_t n = 0;
	const volatile sys_trace_record_t *r;

	bell = new_notification();
	trace(SYS_TRACE_CALL | SYS_TRACE_RETURN | SYS_TRACE_SWITCH);
	sys_cap_t thread = helper_start(waits_twice, NULL);
	uint64_t id = koid(thread);
	sleep_until(thread, SYS_THREAD_WAITING);        /* who yields writes much into the ring */
	OKAY(sys_notification_signal(bell, 1));
	sleep_until(thread, SYS_THREAD_EXITED);
	over();
	EQ(thread_info(thread).exit_code, SYS_ERR_TIMED_OUT);
	EQ(header->lost, 0);
	CHECK(next(&n, SYS_TRACE_SWITCH, id, UINT64_MAX));
	CHECK(next(&n, SYS_TRACE_CALL, id, NR_notification_wait));
	CHECK(next(&n, SYS_TRACE_CALL, koid(SYS_CAP_THREAD), NR_notification_signal));
	r = next(&n, SYS_TRACE_RETURN, id, NR_notification_wait);
	CHECK(r && (int64_t)r->word[1] == SYS_OK);
	CHECK(next(&n, SYS_TRACE_CALL, id, NR_notification_wait));
	r = next(&n, SYS_TRACE_RETURN, id, NR_notification_wait);
	CHECK(r && (int64_t)r->word[1] == SYS_ERR_TIMED_OUT);
	CHECK(next(&n, SYS_TRACE_CALL, id, NR_thread_exit));
	CHECK(!next(&n, SYS_TRACE_RETURN, id, UINT64_MAX));
	put_away();
}

static int64_t serves(void *arg)
{
	sys_msg_t msg = {0};
	sys_status_t status = sys_ipc_recv(server_ep, server_reply, &msg, NULL, SYS_TIME_INFINITE);

	(void)arg;
	while (status == SYS_OK) {
		msg.word[0]++;
		status = sys_ipc_reply_recv(server_reply, &msg, server_ep, NULL, SYS_TIME_INFINITE);
	}
	return status;
}

TEST("trace_start:OK messages go on while there is a trace, and the short way is back afterwards")
{
	uint64_t n = 0, times = 0;
	const volatile sys_trace_record_t *r;

	server_ep = new_endpoint();
	server_reply = new_reply();
	sys_cap_t server = helper_start(serves, NULL);
	sys_msg_t msg = {.words = 1};
	trace(SYS_TRACE_ALL);
	for (int i = 0; i < 5; i++)
		OKAY(sys_ipc_call(server_ep, &msg, SYS_TIME_INFINITE));
	over();
	while ((r = next(&n, SYS_TRACE_RETURN, koid(SYS_CAP_THREAD), NR_ipc_call)) && (int64_t)r->word[1] == SYS_OK)
		times++;
	EQ(times, 5);
	uint64_t head = header->head;
	OKAY(sys_ipc_call(server_ep, &msg, SYS_TIME_INFINITE));
	EQ(msg.word[0], 6);
	EQ(header->head, head);
	OKAY(sys_thread_kill(server, 0));
	put_away();
}

static int64_t bad_instruction(void *arg)
{
	(void)arg;
	__asm__ volatile("ud2");
	return 0;
}

TEST("trace_start:OK faults with their status, exceptions, requests for pages of calls and of accesses")
{
	uint64_t n = 0, id;
	const volatile sys_trace_record_t *r;

	pager_begin();
	uint8_t *at = map(vmo, PAGES * PAGE);
	struct client reads = {.act = READ_MAPPED, .vmo = vmo, .at = at, .offset = 3 * PAGE},
		      calls = {.act = VMO_READ, .vmo = vmo, .offset = 5 * PAGE, .len = 8};
	trace(SYS_TRACE_FAULT | SYS_TRACE_EXCEPTION | SYS_TRACE_PAGE_REQUEST);
	sys_cap_t thread = client_start(&reads);
	id = koid(thread);
	supply(3, 1, 100);
	until_exited(thread);
	sys_cap_t caller = client_start(&calls);
	supply(5, 1, 100);
	until_exited(caller);
	fault_run(bad_instruction, NULL);
	fault_read(NOWHERE);
	over();
	r = next(&n, SYS_TRACE_FAULT, id, (uintptr_t)at + 3 * PAGE);
	CHECK(r && r->word[1] == SYS_ACCESS_READ && (int64_t)r->word[2] == SYS_ERR_SHOULD_WAIT && r->word[3]);
	r = next(&n, SYS_TRACE_PAGE_REQUEST, id, koid(vmo));
	CHECK(r && r->word[1] == 3 * PAGE && r->word[2] == SYS_ACCESS_READ);
	r = next(&n, SYS_TRACE_PAGE_REQUEST, koid(caller), koid(vmo));
	CHECK(r && r->word[1] == 5 * PAGE && r->word[2] == SYS_ACCESS_READ);
	r = next(&n, SYS_TRACE_EXCEPTION, 0, 6);
	CHECK(r && r->word[2]);
	r = next(&n, SYS_TRACE_FAULT, 0, (uintptr_t)NOWHERE);
	CHECK(r && (int64_t)r->word[2] == SYS_ERR_NOT_FOUND);
	EQ(count(SYS_TRACE_CALL) + count(SYS_TRACE_RETURN) + count(SYS_TRACE_SWITCH) + count(SYS_TRACE_INTERRUPT), 0);
	unmap(at, PAGES * PAGE);
	put_away();
}

TEST("trace_start:OK switches, with the count that the status record has, and the clock")
{
	uint64_t n = 0;
	const volatile sys_trace_record_t *r;

	one_cpu();
	bell = new_notification();
	trace(SYS_TRACE_SWITCH | SYS_TRACE_INTERRUPT);
	sys_cap_t thread = helper_start(waits_twice, NULL);
	sleep_until(thread, SYS_THREAD_WAITING);
	sleep_for(8 * MILLISECOND);
	OKAY(sys_notification_signal(bell, 1));
	sleep_until(thread, SYS_THREAD_EXITED);
	over();
	for (uint64_t switches = 1; switches <= thread_info(thread).switches; switches++) {
		r = next(&n, SYS_TRACE_SWITCH, koid(thread), own_priority());
		CHECK(r && r->word[1] == switches);
	}
	CHECK(!next(&n, SYS_TRACE_SWITCH, koid(thread), UINT64_MAX));
	n = 0;
	CHECK(next(&n, SYS_TRACE_SWITCH, 0, 0));        /* nobody had the CPU while we slept */
	n = 0;
	while ((r = next(&n, SYS_TRACE_INTERRUPT, 0, UINT64_MAX)) && !(r->word[0] & 1))
		;
	CHECK(r);
	put_away();
}

TEST("trace_start:OK a ring of one page wraps; one of more than 64 uses those")
{
	uint64_t size;

	ring_new(PAGE);
	OKAY(sys_trace_start(SYS_CAP_RESOURCE, ring, SYS_TRACE_CALL));
	EQ(header->records, 63);
	for (int i = 0; i < 200; i++)
		OKAY(sys_vmo_get_size(ring, &size));
	over();
	CHECK(header->head >= 201 && header->lost == header->head - 63);
	EQ(count(SYS_TRACE_CALL), 63);
	put_away();
	ring_new(70 * PAGE);
	OKAY(sys_trace_start(SYS_CAP_RESOURCE, ring, SYS_TRACE_CALL));
	EQ(vmo_info(ring).committed, 64 * PAGE);
	EQ(header->records, 64 * 64 - 1);
	for (int i = 0; i < 5000; i++)
		OKAY(sys_vmo_get_size(ring, &size));
	over();
	CHECK(header->lost > 0);
	EQ(vmo_info(ring).committed, 64 * PAGE);
	put_away();
}

TEST("trace_start:INVALID_ARGS no events, unknown ones, a VMO without a page")
{
	sys_cap_t memory = new_vmo(PAGE);

	REFUSED(SYS_ERR_INVALID_ARGS, sys_trace_start(SYS_CAP_RESOURCE, memory, 0));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_trace_start(SYS_CAP_RESOURCE, memory, SYS_TRACE_ALL + 1));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_trace_start(SYS_CAP_RESOURCE, memory, 1u << 31 | 1));
	sys_cap_t empty = new_vmo(0);
	REFUSED(SYS_ERR_INVALID_ARGS, sys_trace_start(SYS_CAP_RESOURCE, empty, SYS_TRACE_ALL));
}

TEST("trace_start:BAD_STATE trace_stop:BAD_STATE one trace at a time, and none to stop")
{
	sys_cap_t memory = new_vmo(PAGE), other = new_vmo(PAGE);

	REFUSED(SYS_ERR_BAD_STATE, sys_trace_stop(SYS_CAP_RESOURCE));
	OKAY(sys_trace_start(SYS_CAP_RESOURCE, memory, SYS_TRACE_SWITCH));
	REFUSED(SYS_ERR_BAD_STATE, sys_trace_start(SYS_CAP_RESOURCE, other, SYS_TRACE_SWITCH));
	OKAY(sys_trace_stop(SYS_CAP_RESOURCE));
	REFUSED(SYS_ERR_BAD_STATE, sys_trace_stop(SYS_CAP_RESOURCE));
	OKAY(sys_trace_start(SYS_CAP_RESOURCE, other, SYS_TRACE_SWITCH));
	OKAY(sys_trace_stop(SYS_CAP_RESOURCE));
}

TEST("trace_start:NO_MEMORY trace_start:NO_RESOURCES trace_start:NOT_SUPPORTED and then there is no trace")
{
	sys_cap_t small = new_untyped(8 * PAGE), memory = new_vmo_in(small, 64 * PAGE), many = new_vmo(70 * PAGE), thread = new_thread();

	STATUS(SYS_ERR_NO_MEMORY, sys_trace_start(SYS_CAP_RESOURCE, memory, SYS_TRACE_ALL));
	REFUSED(SYS_ERR_BAD_STATE, sys_trace_stop(SYS_CAP_RESOURCE));
	CHECK(!cap_info(memory).derived);
	OKAY(sys_thread_set_status_record(thread, many, 65 * PAGE));
	STATUS(SYS_ERR_NO_RESOURCES, sys_trace_start(SYS_CAP_RESOURCE, many, SYS_TRACE_ALL));
	REFUSED(SYS_ERR_BAD_STATE, sys_trace_stop(SYS_CAP_RESOURCE));
	pager_begin();
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_trace_start(SYS_CAP_RESOURCE, vmo, SYS_TRACE_ALL));
}

TEST("cap_revoke:OK cap_delete:OK a revoke above the ring ends the trace, a deletion lets it fall to the parent")
{
	uint64_t size;

	ring_new(RING);
	sys_cap_t copy = reduced(ring, SYS_RIGHT_READ | SYS_RIGHT_WRITE | SYS_RIGHT_COPY), lower = reduced(copy, SYS_RIGHT_READ | SYS_RIGHT_WRITE);
	OKAY(sys_trace_start(SYS_CAP_RESOURCE, lower, SYS_TRACE_CALL));
	OKAY(sys_cap_delete(lower));
	uint64_t head = header->head;
	OKAY(sys_vmo_get_size(ring, &size));
	CHECK(header->head > head);
	OKAY(sys_cap_revoke(copy));
	CHECK(!cap_info(copy).derived);
	EQ(header->events, 0);
	head = header->head;
	OKAY(sys_vmo_get_size(ring, &size));
	EQ(header->head, head);
	REFUSED(SYS_ERR_BAD_STATE, sys_trace_stop(SYS_CAP_RESOURCE));
	put_away();
}

TEST("cap_revoke:OK of the account that holds the ring ends the trace")
{
	sys_cap_t other = new_untyped(64 * PAGE), memory = new_vmo_in(other, 20 * PAGE);

	OKAY(sys_trace_start(SYS_CAP_RESOURCE, memory, SYS_TRACE_ALL));
	OKAY(sys_cap_revoke(other));
	EQ(used(other), 0);
	REFUSED(SYS_ERR_BAD_STATE, sys_trace_stop(SYS_CAP_RESOURCE));
}

TEST("vmo_create_child:OK a snapshot of the ring stays as it was while the trace goes on (CHILD-SNAP-01)")
{
	uint64_t size;

	trace(SYS_TRACE_CALL);
	sys_cap_t child = new_snapshot(ring, 0, RING);
	uint64_t then = get(child, 8);
	for (int i = 0; i < 100; i++)
		OKAY(sys_vmo_get_size(ring, &size));
	CHECK(header->head >= then + 100);
	EQ(get(child, 8), then);
	EQ(get(child, 64 * (1 + then) + 8), 0);
	over();
	EQ(get(child, 8), then);
	put_away();
}
