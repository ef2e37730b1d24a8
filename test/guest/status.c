/* SPDX-License-Identifier: BSD-2-Clause */
/* status.c: the status record of a thread: what the kernel writes there and when, where it may lie, and what ends it. */
#include "common/cpus.h"
#include "common/client.h"

static volatile uint64_t goes, stop;

/* Yields until it is told to stop; each yield may be a switch. */
static int64_t yields(void *arg)
{
	(void)arg;
	while (!stop) {
		goes++;
		sys_thread_yield();
	}
	return 5;
}

static sys_cap_t yielder(void)
{
	goes = stop = 0;
	return helper_prepare(yields, NULL, SYS_CAP_NULL, own_priority());
}

static void let_go_on(uint64_t times)
{
	for (uint64_t until_it = goes + times; goes < until_it;)
		sys_thread_yield();
}

static int64_t end(sys_cap_t thread)
{
	stop = 1;
	return until_exited(thread);
}

/* As a reader in another thread does it. */
static sys_thread_status_t read_record(const volatile sys_thread_status_t *record)
{
	sys_thread_status_t s;
	uint32_t before;

	do {
		before = record->sequence;
		s = (sys_thread_status_t){record->cpu, record->sequence, record->switches};
	} while (before % 2 || s.sequence != before || record->sequence != before);
	return s;
}

static volatile sys_thread_status_t *record_in(sys_cap_t memory, uint64_t offset)
{
	return (volatile sys_thread_status_t *)((char *)map(memory, 4 * PAGE) + offset);
}

TEST("thread_set_status_record:OK says at once, and at each switch, where the thread runs and how often it has")
{
	sys_cap_t memory = new_vmo(4 * PAGE), thread = yielder();
	volatile sys_thread_status_t *record = record_in(memory, PAGE + 48);

	OKAY(sys_thread_set_status_record(thread, memory, PAGE + 48));
	EQ(read_record(record).switches, 0);
	EQ(record->sequence, 0);
	helper_go(thread);
	let_go_on(20);
	sys_thread_status_t first = read_record(record);
	CHECK(first.switches >= 1 && first.cpu < cpu_count() && first.sequence == 2 * first.switches);
	OKAY(sys_thread_suspend(thread));
	sys_thread_status_t s = read_record(record);
	EQ(s.switches, thread_info(thread).switches);
	OKAY(sys_thread_resume(thread));
	let_go_on(2);
	CHECK(read_record(record).switches > s.switches);
	EQ(end(thread), 5);
	EQ(vmo_info(memory).committed, PAGE);
	EQ(record[1].sequence, 0);
	unmap((char *)record - PAGE - 48, 4 * PAGE);
}

TEST("thread_set_status_record:OK follows a thread from one CPU to another")
{
	sys_cap_t memory = new_vmo(4 * PAGE), thread = yielder();
	volatile sys_thread_status_t *record = record_in(memory, 0);

	cpus_begin();
	helper_go(thread);
	OKAY(sys_thread_set_status_record(thread, memory, 0));
	for (unsigned i = 0; i < 6; i++) {
		unsigned cpu = i % 2 ? other_cpu(i) : 0;
		bind(thread, cpu);
		let_go_on(5);
		EQ(read_record(record).cpu, cpu);
	}
	end(thread);
	cpus_end();
	unmap((void *)record, 4 * PAGE);
}

static sys_cap_t reply;

static int64_t serves(void *arg)
{
	sys_msg_t msg = {0};
	sys_status_t status = sys_ipc_recv(ep, reply, &msg, NULL, SYS_TIME_INFINITE);

	(void)arg;
	while (status == SYS_OK)
		status = sys_ipc_reply_recv(reply, &msg, ep, NULL, SYS_TIME_INFINITE);
	return status;
}

TEST("thread_set_status_record:OK of both sides of messages, which switch without a look at the queues")
{
	sys_cap_t memory = new_vmo(4 * PAGE), ntfn = new_notification();
	volatile sys_thread_status_t *record = record_in(memory, 0);
	sys_msg_t msg = {0};
	uint64_t bits;

	one_cpu();
	ep = new_endpoint();
	reply = new_reply();
	sys_cap_t server = helper_start(serves, NULL);
	for (unsigned recorded = 0; recorded < 4; recorded++) {
		OKAY(sys_thread_set_status_record(server, recorded & 1 ? memory : SYS_CAP_NULL, 0));
		OKAY(sys_thread_set_status_record(SYS_CAP_THREAD, recorded & 2 ? memory : SYS_CAP_NULL, 16));
		for (unsigned i = 0; i < 5; i++) {
			uint64_t before[2] = {record[0].switches, record[1].switches};
			OKAY(sys_ipc_call(ep, &msg, SYS_TIME_INFINITE));
			STATUS(SYS_ERR_TIMED_OUT, sys_notification_wait(ntfn, &bits, after(MILLISECOND / 10)));
			EQ(record[0].switches, recorded & 1 ? thread_info(server).switches : before[0]);
			EQ(record[1].switches, recorded & 2 ? thread_info(SYS_CAP_THREAD).switches : before[1]);
		}
	}
	OKAY(sys_thread_set_status_record(SYS_CAP_THREAD, SYS_CAP_NULL, 0));
	OKAY(sys_thread_kill(server, 0));
	unmap((void *)record, 4 * PAGE);
}

/* A slice may end between two looks: what was the same before and after counts. */
static void check_own(const volatile sys_thread_status_t *record)
{
	uint64_t switches, recorded;

	do {
		switches = thread_info(SYS_CAP_THREAD).switches;
		recorded = read_record(record).switches;
	} while (thread_info(SYS_CAP_THREAD).switches != switches);
	EQ(recorded, switches);
}

TEST("thread_set_status_record:OK a record of the caller's own, which goes on yielding")
{
	sys_cap_t memory = new_vmo(4 * PAGE), thread = yielder();
	volatile sys_thread_status_t *record = record_in(memory, 0);

	one_cpu();
	helper_go(thread);
	OKAY(sys_thread_set_status_record(SYS_CAP_THREAD, memory, 0));
	for (unsigned i = 0; i < 10; i++) {
		uint64_t before = read_record(record).switches;
		let_go_on(1);
		CHECK(read_record(record).switches > before);
		check_own(record);
	}
	OKAY(sys_thread_set_status_record(SYS_CAP_THREAD, SYS_CAP_NULL, 0));
	sys_thread_status_t s = read_record(record);
	let_go_on(3);
	EQ(record->sequence, s.sequence);
	end(thread);
	unmap((void *)record, 4 * PAGE);
}

TEST("thread_set_status_record:OK another takes its place; SYS_CAP_NULL ends it, twice as well; all is given back")
{
	sys_cap_t memory = new_vmo(4 * PAGE), thread = new_thread();

	put(memory, 0, 1);
	put(memory, PAGE, 1);
	uint64_t before = used(ut);
	OKAY(sys_thread_set_status_record(thread, memory, 0));
	OKAY(sys_thread_set_status_record(thread, memory, PAGE + 16));
	OKAY(sys_thread_set_status_record(thread, memory, PAGE + 32));
	OKAY(sys_thread_set_status_record(thread, SYS_CAP_NULL, 0));
	OKAY(sys_thread_set_status_record(thread, SYS_CAP_NULL, 7));
	EQ(used(ut), before);
}

TEST("thread_set_status_record:INVALID_ARGS thread_set_status_record:OUT_OF_RANGE where a record cannot lie")
{
	sys_cap_t memory = new_vmo(2 * PAGE), thread = new_thread();

	REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_set_status_record(thread, memory, 8));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_set_status_record(thread, memory, PAGE - 8));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_set_status_record(thread, memory, UINT64_MAX));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_thread_set_status_record(thread, memory, 2 * PAGE));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_thread_set_status_record(thread, memory, UINT64_MAX - 15));
	OKAY(sys_thread_set_status_record(thread, memory, 2 * PAGE - 16));
}

TEST("thread_set_status_record:BAD_STATE of a thread that has exited; arguments are looked at before")
{
	sys_cap_t memory = new_vmo(PAGE), thread = yielder();

	stop = 1;
	helper_go(thread);
	EQ(until_exited(thread), 5);
	REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_set_status_record(thread, memory, 1));
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_set_status_record(thread, memory, 0));
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_set_status_record(thread, SYS_CAP_NULL, 0));
}

TEST("thread_set_status_record:NO_MEMORY when the account of the VMO is full; the old record stays")
{
	sys_cap_t small = new_untyped(4 * PAGE), memory = new_vmo(4 * PAGE), thread = yielder(), full = new_vmo_in(small, PAGE), filler = new_vmo_in(small, 8 * PAGE);
	volatile sys_thread_status_t *record = record_in(memory, 0);
	uint64_t page = 0;

	while (sys_vmo_op_range(filler, SYS_VMO_OP_COMMIT, page, PAGE, NULL, 0) == SYS_OK)
		page += PAGE;
	OKAY(sys_thread_set_status_record(thread, memory, 0));
	REFUSED(SYS_ERR_NO_MEMORY, sys_thread_set_status_record(thread, full, 0));
	EQ(vmo_info(full).committed, 0);
	helper_go(thread);
	let_go_on(3);
	CHECK(record->switches > 0);
	end(thread);
	unmap((void *)record, 4 * PAGE);
}

TEST("thread_set_status_record:NO_RESOURCES for the 65th page of one VMO; a page that has records takes more")
{
	sys_cap_t memory = new_vmo(65 * PAGE), thread[65];

	for (unsigned i = 0; i < 64; i++) {
		thread[i] = new_thread();
		OKAY(sys_thread_set_status_record(thread[i], memory, i * PAGE));
	}
	thread[64] = new_thread();
	REFUSED(SYS_ERR_NO_RESOURCES, sys_thread_set_status_record(thread[64], memory, 64 * PAGE));
	OKAY(sys_thread_set_status_record(thread[64], memory, 63 * PAGE + 16));
	OKAY(sys_thread_set_status_record(thread[0], SYS_CAP_NULL, 0));
	OKAY(sys_thread_set_status_record(thread[64], memory, 64 * PAGE));
}

TEST("thread_set_status_record:NOT_SUPPORTED in a VMO whose pages a pager supplies")
{
	sys_cap_t thread = new_thread();

	pager_begin();
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_thread_set_status_record(thread, vmo, 0));
}

TEST("cap_revoke:OK cap_delete:OK a record ends with a revoke above it, and falls to the parent by a deletion")
{
	sys_cap_t memory = new_vmo(4 * PAGE), copy = reduced(memory, SYS_RIGHT_WRITE | SYS_RIGHT_COPY), lower = reduced(copy, SYS_RIGHT_WRITE), thread = yielder();
	volatile sys_thread_status_t *record = record_in(memory, 0);

	OKAY(sys_thread_set_status_record(thread, lower, 0));
	OKAY(sys_cap_delete(lower));
	helper_go(thread);
	let_go_on(3);
	CHECK(record->switches > 0);
	CHECK(cap_info(copy).derived);
	OKAY(sys_cap_revoke(copy));
	CHECK(!cap_info(copy).derived);
	uint32_t sequence = record->sequence;
	let_go_on(5);
	EQ(record->sequence, sequence);
	OKAY(sys_thread_set_status_record(thread, copy, 16));
	let_go_on(5);
	CHECK(record[1].switches > record[0].switches);
	end(thread);
	CHECK(!cap_info(copy).derived);
	unmap((void *)record, 4 * PAGE);
}

TEST("cap_revoke:OK of the account that holds the VMO ends the record; the thread goes on")
{
	sys_cap_t other = new_untyped(32 * PAGE), memory = new_vmo_in(other, PAGE), thread = yielder();

	OKAY(sys_thread_set_status_record(thread, memory, 0));
	helper_go(thread);
	let_go_on(3);
	OKAY(sys_cap_revoke(other));
	EQ(used(other), 0);
	let_go_on(3);
	OKAY(sys_thread_set_status_record(thread, new_vmo_in(other, PAGE), 0));
	OKAY(sys_cap_revoke(other));
	EQ(used(other), 0);
	EQ(end(thread), 5);
}

TEST("cap_delete:OK of the VMO's last capability: the record keeps it")
{
	sys_cap_t other = new_untyped(32 * PAGE), memory = new_vmo_in(other, PAGE), thread = yielder();

	OKAY(sys_thread_set_status_record(thread, memory, 0));
	helper_go(thread);
	OKAY(sys_cap_delete(memory));
	CHECK(used(other) > 0);
	let_go_on(3);
	OKAY(sys_thread_set_status_record(thread, SYS_CAP_NULL, 0));
	EQ(used(other), 0);
	end(thread);
}

TEST("thread_kill:OK gives the record's page back to who holds the VMO")
{
	sys_cap_t other = new_untyped(32 * PAGE), memory = new_vmo_in(other, PAGE), thread = yielder();

	put(memory, 0, 1);
	uint64_t before = used(other);
	OKAY(sys_thread_set_status_record(thread, memory, 0));
	helper_go(thread);
	let_go_on(1);
	OKAY(sys_thread_kill(thread, 0));
	EQ(used(other), before);
	CHECK(!cap_info(memory).derived);
}

TEST("vmo_create_child:OK a snapshot of a record stays as it was, however the thread goes on (CHILD-SNAP-01)")
{
	sys_cap_t memory = new_vmo(4 * PAGE), thread = yielder();
	volatile sys_thread_status_t *record = record_in(memory, 0);

	put(memory, PAGE, 11);
	OKAY(sys_thread_set_status_record(thread, memory, 0));
	helper_go(thread);
	let_go_on(4);
	OKAY(sys_thread_suspend(thread));
	sys_cap_t child = new_snapshot(memory, 0, 4 * PAGE);
	uint64_t then = record->switches;
	EQ(get(child, 8), then);
	OKAY(sys_thread_resume(thread));
	let_go_on(4);
	CHECK(record->switches > then);
	EQ(get(child, 8), then);
	record[4].switches = 77;                /* the program's own writes go where the kernel's do */
	let_go_on(4);
	EQ(get(memory, 4 * 16 + 8), 77);
	EQ(get(child, 4 * 16 + 8), 0);
	EQ(get(child, PAGE), 11);
	end(thread);
	unmap((void *)record, 4 * PAGE);
}

TEST("vmo_op_range:OK DECOMMIT over a record clears its page in place, and the record goes on")
{
	sys_cap_t memory = new_vmo(4 * PAGE), thread = yielder();
	volatile sys_thread_status_t *record = record_in(memory, PAGE);

	put(memory, 0, 1);
	put(memory, PAGE + 64, 2);
	OKAY(sys_thread_set_status_record(thread, memory, PAGE));
	helper_go(thread);
	let_go_on(4);
	OKAY(sys_thread_suspend(thread));
	OKAY(sys_vmo_op_range(memory, SYS_VMO_OP_DECOMMIT, 0, 4 * PAGE, NULL, 0));
	EQ(vmo_info(memory).committed, PAGE);
	EQ(get(memory, 0), 0);
	EQ(get(memory, PAGE + 64), 0);
	EQ(record->switches, 0);
	OKAY(sys_thread_resume(thread));
	let_go_on(2);
	OKAY(sys_thread_suspend(thread));               /* while it runs the record may be half written */
	EQ(record->sequence % 2, 0);
	CHECK(record->switches > 0);
	OKAY(sys_thread_resume(thread));
	end(thread);
	OKAY(sys_vmo_op_range(memory, SYS_VMO_OP_DECOMMIT, 0, 4 * PAGE, NULL, 0));
	EQ(vmo_info(memory).committed, 0);
	unmap((char *)record - PAGE, 4 * PAGE);
}

TEST("vmo_op_range:OK ZERO over a record clears in place what it is asked to, and the record goes on")
{
	sys_cap_t memory = new_vmo(4 * PAGE), thread = new_thread();

	put(memory, PAGE, 1);
	put(memory, 2 * PAGE, 2);
	put(memory, 2 * PAGE + 64, 3);
	OKAY(sys_thread_set_status_record(thread, memory, 2 * PAGE + 16));
	OKAY(sys_vmo_op_range(memory, SYS_VMO_OP_ZERO, PAGE, PAGE + 64, NULL, 0));
	EQ(get(memory, 2 * PAGE), 0);
	EQ(get(memory, 2 * PAGE + 64), 3);
	OKAY(sys_vmo_op_range(memory, SYS_VMO_OP_ZERO, 0, 4 * PAGE, NULL, 0));
	EQ(get(memory, 2 * PAGE + 64), 0);
	EQ(vmo_info(memory).committed, PAGE);
}

TEST("vmo_set_size:BAD_STATE a shrink over a record, which changes nothing")
{
	sys_cap_t memory = new_resizable(4 * PAGE), thread = new_thread();

	put(memory, 3 * PAGE, 3);
	OKAY(sys_thread_set_status_record(thread, memory, 2 * PAGE));
	REFUSED(SYS_ERR_BAD_STATE, sys_vmo_set_size(memory, 2 * PAGE));
	REFUSED(SYS_ERR_BAD_STATE, sys_vmo_set_size(memory, 0));
	EQ(get(memory, 3 * PAGE), 3);
	OKAY(sys_vmo_set_size(memory, 3 * PAGE));
	OKAY(sys_thread_set_status_record(thread, SYS_CAP_NULL, 0));
	OKAY(sys_vmo_set_size(memory, 2 * PAGE));
}

TEST("pager_supply_pages:NOT_SUPPORTED from an aux with a record in it")
{
	sys_cap_t aux = new_vmo(PAGE), thread = new_thread();
	uint64_t fresh;

	pager_begin();
	OKAY(sys_thread_set_status_record(thread, aux, 0));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_pager_supply_pages(pager, vmo, 0, PAGE, aux, 0, &fresh));
	OKAY(sys_thread_set_status_record(thread, SYS_CAP_NULL, 0));
	OKAY(sys_pager_supply_pages(pager, vmo, 0, PAGE, aux, 0, &fresh));
}
