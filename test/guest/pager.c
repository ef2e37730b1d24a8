/* SPDX-License-Identifier: BSD-2-Clause */
/* pager.c: pagers and their VMOs: made, asked for pages by every call that can need one, and what the other calls on
 * such a VMO do. What supply and failure do is supply.c's, death is lifecycle.c's.
 * Numbers in names are the statements' (docs/deviations.md). */
#include "common/client.h"

/* ---- create ---- */

TEST("pager_create:OK pager_create_vmo:OK what it looks like (PAGER-10, PAGER-11, PAGER-12, PAGER-13)")
{
	sys_cap_t resizable, empty;
	uint64_t size;

	pager_begin();
	EQ(cap_info(pager).rights, SYS_RIGHTS_PAGER);
	EQ(vmo_info(vmo).flags, SYS_VMO_INFO_PAGER_BACKED);
	EQ(cap_info(vmo).rights, SYS_RIGHTS_VMO & ~SYS_RIGHT_RESIZE);
	EQ(committed(), 0);
	OKAY(sys_pager_create_vmo(pager, ut, SYS_VMO_RESIZABLE, KEY, PAGE + 1, &resizable));
	EQ(vmo_info(resizable).flags, SYS_VMO_INFO_PAGER_BACKED | SYS_VMO_INFO_RESIZABLE);
	EQ(cap_info(resizable).rights, SYS_RIGHTS_VMO);
	OKAY(sys_vmo_get_size(resizable, &size));
	EQ(size, 2 * PAGE);
	OKAY(sys_pager_create_vmo(pager, ut, 0, KEY, 0, &empty));
	expect_none();
}

TEST("pager_create_vmo:INVALID_ARGS pager_create_vmo:NOT_SUPPORTED pager_create_vmo:OUT_OF_RANGE (PAGER-03, "
     "PAGER-05, PAGER-06, PAGER-10, VMO-STREAM-12)")
{
	sys_cap_t out = 99;

	pager_begin();
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_create_vmo(pager, ut, 1u << 30, KEY, PAGE, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_create_vmo(pager, ut, SYS_VMO_DISCARDABLE, KEY, PAGE, &out));
	REFUSED(SYS_ERR_INVALID_ARGS,
		sys_pager_create_vmo(pager, ut, SYS_VMO_UNBOUNDED | SYS_VMO_RESIZABLE, KEY, PAGE, &out));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_pager_create_vmo(pager, ut, SYS_VMO_TRAP_DIRTY, KEY, PAGE, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_create_vmo(pager, ut, SYS_VMO_UNBOUNDED, KEY, UINT64_MAX - PAGE, &out));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_pager_create_vmo(pager, ut, 0, KEY, UINT64_MAX, &out));
	EQ(out, 99);
}

TEST("pager_create_vmo:BAD_STATE the pager's endpoint has ended")
{
	sys_cap_t out = 99;

	pager_begin();
	OKAY(sys_cap_delete(ep));
	REFUSED(SYS_ERR_BAD_STATE, sys_pager_create_vmo(pager, ut, 0, KEY, PAGE, &out));
	EQ(out, 99);
}

/* ---- requests ---- */

TEST("pager_recv:OK a mapped read asks for its page, supply lets it run (READ-01, READ-12)")
{
	pager_begin();
	struct client client = {.act = READ_MAPPED, .at = map(vmo, PAGES * PAGE), .offset = 3 * PAGE};
	sys_cap_t thread = client_start(&client);

	EQ(committed(), 0);
	expect(3 * PAGE, 1, SYS_ACCESS_READ);
	EQ(thread_info(thread).page_requests, 1);
	EQ(supply(3, 1, 100), PAGE);
	EQ(until_exited(thread), SYS_OK);
	EQ(client.seen, 103);
	EQ(committed(), PAGE);
	expect_none();
	NO_FAULT(READ, client.at + 3 * PAGE);
	expect_none();
	unmap((void *)client.at, PAGES * PAGE);
}

TEST("pager_recv:OK a mapped write asks for its page and then writes")
{
	pager_begin();
	struct client client = {.act = WRITE_MAPPED, .at = map(vmo, PAGES * PAGE), .offset = 8};
	sys_cap_t thread = client_start(&client);

	expect(0, 1, SYS_ACCESS_WRITE);
	supply(0, 1, 100);
	EQ(until_exited(thread), SYS_OK);
	EQ(get(vmo, 8), 55);
	EQ(get(vmo, 0), 100);
	unmap((void *)client.at, PAGES * PAGE);
}

TEST("ipc_recv:OK a request comes as a message with the pager's badge, among others")
{
	sys_msg_t msg = {0}, plain = {.label = 5};
	uint64_t badge = 0;

	ep = new_endpoint();
	OKAY(sys_pager_create(ut, ep, 4242, &pager));
	OKAY(sys_pager_create_vmo(pager, ut, 0, KEY, PAGES * PAGE, &vmo));
	struct client client = {.act = VMO_READ, .vmo = vmo, .offset = PAGE, .len = 8};
	sys_cap_t thread = client_start(&client), reply = new_reply();
	OKAY(sys_ipc_recv(ep, reply, &msg, &badge, after(LIMIT)));
	EQ(msg.label, SYS_PAGER_READ);
	EQ(msg.words, 4);
	EQ(msg.caps, 0);
	EQ(msg.word[0], KEY);
	EQ(msg.word[1], PAGE);
	EQ(msg.word[2], PAGE);
	EQ(msg.word[3], SYS_ACCESS_READ);
	EQ(badge, 4242);
	REFUSED(SYS_ERR_BAD_STATE, sys_ipc_reply(reply, &plain));
	supply(1, 1, 100);
	EQ(until_exited(thread), SYS_OK);
	STATUS(SYS_ERR_TIMED_OUT, sys_ipc_recv(ep, reply, &msg, &badge, SYS_TIME_POLL));
}

TEST("pager_recv:OK a read asks for its whole run at once, up to what is there and to 512 pages (READ-13, "
     "READ-14)")
{
	pager_begin();
	supply(5, 1, 100);
	struct client client = {.act = VMO_READ, .vmo = vmo, .offset = 2 * PAGE + 100, .len = 8 * PAGE};
	sys_cap_t thread = client_start(&client);
	expect(2 * PAGE, 3, SYS_ACCESS_READ);
	supply(2, 3, 100);
	until_waiting(thread);
	expect(6 * PAGE, 5, SYS_ACCESS_READ);
	supply(6, 5, 100);
	EQ(until_exited(thread), SYS_OK);
	EQ(*(uint64_t *)(void *)(client_bytes + PAGE - 100), 103);
	sys_cap_t large;
	OKAY(sys_pager_create_vmo(pager, ut, 0, KEY, 2000 * PAGE, &large));
	struct client commit = {.act = COMMIT, .vmo = large, .offset = 10 * PAGE, .len = 1500 * PAGE};
	thread = client_start(&commit);
	expect(10 * PAGE, 512, 0);
}

TEST("pager_recv:OK several requests in one call, in order of arrival (READ-31)")
{
	struct client client[4];
	sys_cap_t thread[4];
	sys_pager_request_t request[8];
	size_t actual = 0;

	pager_begin();
	for (uint64_t i = 0; i < 4; i++) {
		client[i] = (struct client){.act = VMO_READ, .vmo = vmo, .offset = (9 - 2 * i) * PAGE, .len = 1};
		thread[i] = client_start(&client[i]);
	}
	OKAY(sys_pager_recv(pager, request, 3, &actual, SYS_TIME_POLL));
	EQ(actual, 3);
	for (uint64_t i = 0; i < 3; i++)
		EQ(request[i].offset, (9 - 2 * i) * PAGE);
	OKAY(sys_pager_recv(pager, request, 8, &actual, SYS_TIME_POLL));
	EQ(actual, 1);
	EQ(request[0].offset, 3 * PAGE);
	supply(3, 7, 1);
	for (int i = 0; i < 4; i++)
		EQ(until_exited(thread[i]), SYS_OK);
}

TEST("pager_recv:OK many threads on one page make one request, one supply wakes all (READ-30, READ-32)")
{
	struct client client[6];
	sys_cap_t thread[6];

	pager_begin();
	volatile uint8_t *at = map(vmo, PAGES * PAGE);
	for (int i = 0; i < 6; i++) {
		client[i] = (struct client){
			.act = i % 2 ? READ_MAPPED : VMO_READ, .vmo = vmo, .at = at, .offset = 4 * PAGE, .len = 16};
		thread[i] = client_start(&client[i]);
	}
	expect(4 * PAGE, 1, SYS_ACCESS_READ);
	expect_none();
	supply(4, 1, 7);
	for (int i = 0; i < 6; i++)
		EQ(until_exited(thread[i]), SYS_OK);
	EQ(client[1].seen, 11);
	expect_none();
	unmap((void *)at, PAGES * PAGE);
}

TEST("pager_recv:OK a request in front of one in flight is cut (READ-33)")
{
	pager_begin();
	struct client behind = {.act = VMO_READ, .vmo = vmo, .offset = 4 * PAGE, .len = 2 * PAGE};
	struct client front = {.act = COMMIT, .vmo = vmo, .offset = 2 * PAGE, .len = 4 * PAGE};
	sys_cap_t one = client_start(&behind), two = client_start(&front);

	expect(4 * PAGE, 2, SYS_ACCESS_READ);
	expect(2 * PAGE, 2, 0);
	expect_none();
	supply(4, 2, 1);
	EQ(until_exited(one), SYS_OK);
	EQ(thread_info(two).state, SYS_THREAD_WAITING);
	supply(2, 2, 1);
	EQ(until_exited(two), SYS_OK);
	expect_none();
}

TEST("pager_recv:TIMED_OUT pager_recv:INVALID_ARGS nobody asks; no room asked for")
{
	sys_pager_request_t request;
	size_t actual = 55;

	pager_begin();
	expect_none();
	sys_time_t end = after(2 * MILLISECOND);
	REFUSED(SYS_ERR_TIMED_OUT, sys_pager_recv(pager, &request, 1, &actual, end));
	CHECK(sys_clock_get() >= end);
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_recv(pager, &request, 0, &actual, SYS_TIME_POLL));
	EQ(actual, 55);
}

TEST("pager_recv:BAD_ADDRESS no place for the request, which is not lost")
{
	size_t actual = 55;

	pager_begin();
	struct client client = {.act = VMO_READ, .vmo = vmo, .offset = PAGE, .len = 8};
	sys_cap_t thread = client_start(&client);
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_pager_recv(pager, NOWHERE, 1, &actual, SYS_TIME_POLL));
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_pager_recv(pager, NULL, 1, &actual, SYS_TIME_POLL));
	sys_pager_request_t request;
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_pager_recv(pager, &request, 1, (size_t *)8, SYS_TIME_POLL));
	expect(PAGE, 1, SYS_ACCESS_READ);
	supply(1, 1, 1);
	EQ(until_exited(thread), SYS_OK);
}

static int64_t receives(void *arg)
{
	sys_pager_request_t request;
	size_t actual;
	return sys_pager_recv(*(sys_cap_t *)arg, &request, 1, &actual, SYS_TIME_INFINITE);
}

TEST("pager_recv:PEER_CLOSED the endpoint's last RECV capability goes, and after")
{
	sys_pager_request_t request;
	size_t actual;

	pager_begin();
	sys_cap_t thread = helper_start(receives, &pager);
	until_waiting(thread);
	OKAY(sys_cap_delete(ep));
	EQ(until_exited(thread), SYS_ERR_PEER_CLOSED);
	REFUSED(SYS_ERR_PEER_CLOSED, sys_pager_recv(pager, &request, 1, &actual, SYS_TIME_INFINITE));
}

TEST("pager_recv:OK a waiting server is woken by the request")
{
	pager_begin();
	sys_cap_t server = helper_start(receives, &pager);
	until_waiting(server);
	struct client client = {.act = VMO_READ, .vmo = vmo, .offset = 0, .len = 8};
	sys_cap_t thread = client_start(&client);
	EQ(until_exited(server), SYS_OK);
	expect_none();
	supply(0, 1, 1);
	EQ(until_exited(thread), SYS_OK);
}

/* ---- the other calls on a pager's VMO ---- */

TEST("vmo_op_range:NOT_SUPPORTED DECOMMIT of a pager's VMO (VMO-DECOMMIT-07)")
{
	pager_begin();
	supply(0, 1, 1);
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, 0, PAGE, NULL, 0));
	EQ(get(vmo, 0), 1);
}

TEST("vmo_set_size:OK shrinks under waiters, who get OUT_OF_RANGE; what grows is zero (VMO-SIZE-18, "
     "PRESIZE-01, PRESIZE-05, PRESIZE-06)")
{
	pager = new_pager(&ep);
	OKAY(sys_pager_create_vmo(pager, ut, SYS_VMO_RESIZABLE, KEY, PAGES * PAGE, &vmo));
	volatile uint8_t *at = map(vmo, PAGES * PAGE);
	struct client reads = {.act = VMO_READ, .vmo = vmo, .offset = 20 * PAGE, .len = 8};
	struct client touches = {.act = READ_MAPPED, .at = at, .offset = 21 * PAGE},
		      stays = {.act = VMO_READ, .vmo = vmo, .offset = PAGE, .len = 8};
	sys_cap_t one = client_start(&reads), two = client_start(&touches), three = client_start(&stays);

	supply(10, 1, 100);
	OKAY(sys_vmo_set_size(vmo, 8 * PAGE));
	EQ(until_exited(one), SYS_ERR_OUT_OF_RANGE);
	EQ(until_exited(two), SYS_ERR_OUT_OF_RANGE);
	EQ(thread_info(three).state, SYS_THREAD_WAITING);
	uint64_t fresh;
	sys_cap_t aux = new_vmo(PAGE);
	STATUS(SYS_ERR_OUT_OF_RANGE, sys_pager_supply_pages(pager, vmo, 20 * PAGE, PAGE, aux, 0, &fresh));
	OKAY(sys_vmo_set_size(vmo, PAGES * PAGE));
	EQ(get(vmo, 10 * PAGE), 0);
	EQ(get(vmo, 20 * PAGE), 0);
	supply(1, 1, 100);
	EQ(until_exited(three), SYS_OK);
	unmap((void *)at, PAGES * PAGE);
}

TEST("vmo_op_range:OK a shrink under COMMIT: it waits for what is left of its range, also where what was cut had come "
     "(PRESIZE-03, PRESIZE-04)")
{
	for (unsigned i = 0; i < 3; i++) {      /* the last time nothing is left */
		pager_begin_with(SYS_VMO_RESIZABLE);
		struct client client = {.act = RANGE, .vmo = vmo, .op = SYS_VMO_OP_COMMIT, .offset = 12 * PAGE + 1, .len = 8 * PAGE};
		sys_cap_t thread = client_start(&client);

		expect(12 * PAGE, 9, SYS_ACCESS_READ);
		if (i)
			supply(15, 2, 100);
		OKAY(sys_vmo_set_size(vmo, (i < 2 ? 14 : 12) * PAGE));
		if (i < 2) {
			supply(12, 1, 100);
			until_waiting(thread);
			supply(13, 1, 100);
		}
		EQ(until_exited(thread), SYS_OK);
		EQ(committed(), i < 2 ? 2 * PAGE : 0);
		expect_none();
	}
}

TEST("vmo_write:OK a buffer that a pager backs is asked for, and the call goes on (VMO-RW-19, FAULT-13)")
{
	sys_cap_t plain = new_vmo(PAGES * PAGE);

	pager_begin();
	struct client client = {
		.act = BUFFER, .vmo = plain, .at = map(vmo, PAGES * PAGE), .offset = 2 * PAGE - 8, .len = PAGE + 16};
	sys_cap_t thread = client_start(&client);
	expect(PAGE, 1, SYS_ACCESS_READ);
	supply(1, 1, 100);
	until_waiting(thread);
	expect(2 * PAGE, 1, SYS_ACCESS_READ);
	supply(2, 1, 100);
	until_waiting(thread);
	expect(3 * PAGE, 1, SYS_ACCESS_READ);
	supply(3, 1, 100);
	EQ(until_exited(thread), SYS_OK);
	EQ(get(plain, 8), 102);
	EQ(get(plain, PAGE + 8), 103);
	unmap((void *)client.at, PAGES * PAGE);
}

TEST("thread_suspend:OK a thread that waits for a page comes back to it (READ-45, READ-46)")
{
	pager_begin();
	volatile uint8_t *at = map(vmo, PAGES * PAGE);
	struct client client = {.act = READ_MAPPED, .at = at, .offset = 0};
	sys_cap_t thread = client_start(&client);

	OKAY(sys_thread_suspend(thread));
	expect_none();                                  /* withdrawn */
	OKAY(sys_thread_resume(thread));
	expect(0, 1, SYS_ACCESS_READ);
	OKAY(sys_thread_suspend(thread));
	supply(0, 1, 50);
	sleep_for(MILLISECOND);
	EQ(thread_info(thread).state, SYS_THREAD_SUSPENDED);
	OKAY(sys_thread_resume(thread));
	EQ(until_exited(thread), SYS_OK);
	EQ(client.seen, 50);
	expect_none();
	unmap((void *)at, PAGES * PAGE);
}

TEST("vmar_unmap:OK under a thread that waits for a page: it faults NOT_FOUND (UNMAP-14)")
{
	pager_begin();
	volatile uint8_t *at = map(vmo, PAGES * PAGE);
	struct client client = {.act = READ_MAPPED, .at = at, .offset = 3 * PAGE};
	sys_cap_t thread = client_start(&client);

	expect(3 * PAGE, 1, SYS_ACCESS_READ);
	unmap((void *)at, PAGES * PAGE);
	EQ(until_exited(thread), SYS_ERR_NOT_FOUND);
	supply(3, 1, 1);
	EQ(committed(), PAGE);
}

TEST("pager_supply_pages:OK while the clients' account is full: the fault still ends")
{
	pager_begin();
	sys_cap_t full = full_account();
	volatile uint8_t *at = map(vmo, PAGES * PAGE);
	struct client client = {.act = WRITE_MAPPED, .at = at, .offset = 0};
	sys_cap_t thread = client_start(&client);

	EQ(account(full).used, account(full).total);
	expect(0, 1, SYS_ACCESS_WRITE);
	supply(0, 1, 1);
	EQ(until_exited(thread), SYS_OK);
	unmap((void *)at, PAGES * PAGE);
}
