/* SPDX-License-Identifier: BSD-2-Clause */
/* pager.c: pagers and the VMOs behind which they stand: requests, supply, failure, and a client in every call that can wait for a
 * page. The test itself is the pager; clients are helper threads, whose exit code is what they met. Their deaths are
 * lifecycle.c's. Numbers in names are those of zircon-semantics. */
#include "common/helper.h"

#include <string.h>

enum { PAGES = 32, KEY = 900 };
enum act { READ_MAPPED, WRITE_MAPPED, VMO_READ, VMO_WRITE, COMMIT, BUFFER };

struct client { enum act act; sys_cap_t vmo; volatile uint8_t *at; uint64_t offset; size_t len; volatile uint64_t seen; };

static sys_cap_t pager, ep, vmo;
static uint8_t bytes[PAGES * 4096];

static void begin(void)
{
	pager = new_pager(&ep);
	OKAY(sys_pager_create_vmo(pager, ut, 0, KEY, PAGES * PAGE, &vmo));
}

static int64_t client_run(void *arg)
{
	struct client *client = arg;
	int64_t status = SYS_OK;

	switch (client->act) {
	case READ_MAPPED:
		client->seen = *(volatile uint64_t *)(client->at + client->offset);
		break;
	case WRITE_MAPPED:
		*(volatile uint64_t *)(client->at + client->offset) = 55;
		break;
	case VMO_READ:
		status = sys_vmo_read(client->vmo, bytes, client->offset, client->len);
		break;
	case VMO_WRITE:
		status = sys_vmo_write(client->vmo, bytes, client->offset, client->len);
		break;
	case COMMIT:
		status = sys_vmo_op_range(client->vmo, SYS_VMO_OP_COMMIT, client->offset, client->len, NULL, 0);
		break;
	case BUFFER:                                    /* memory of a pager's is the buffer of a call */
		status = sys_vmo_write(client->vmo, (void *)(uintptr_t)(client->at + client->offset), 0, client->len);
		break;
	}
	return status;
}

static sys_cap_t client_start(struct client *client)
{
	sys_cap_t thread = helper_start(client_run, client);
	until_waiting(thread);
	return thread;
}

/* The next request must be this one. */
static void expect(uint64_t offset, uint64_t pages, uint32_t access)
{
	sys_pager_request_t request = {.type = 77};
	size_t actual = 0;

	OKAY(sys_pager_recv(pager, &request, 1, &actual, after(LIMIT)));
	EQ(actual, 1);
	EQ(request.type, 0);
	EQ(request.key, KEY);
	EQ(request.offset, offset);
	EQ(request.length, pages * PAGE);
	if (access != 0)
		EQ(request.access, access);
}

static void expect_none(void)
{
	sys_pager_request_t request;
	size_t actual = 55;

	STATUS(SYS_ERR_TIMED_OUT, sys_pager_recv(pager, &request, 1, &actual, SYS_TIME_POLL));
	EQ(actual, 55);
}

/* Supplies pages whose words say tag + page number; returns the bytes that were new. */
static uint64_t supply(uint64_t page, uint64_t pages, uint64_t tag)
{
	sys_cap_t aux = new_vmo(pages * PAGE);
	uint64_t fresh = 99;

	for (uint64_t i = 0; i < pages; i++)
		put(aux, i * PAGE, tag + page + i);
	OKAY(sys_pager_supply_pages(pager, vmo, page * PAGE, pages * PAGE, aux, 0, &fresh));
	OKAY(sys_cap_delete(aux));
	return fresh;
}

static uint64_t committed(void)
{
	return vmo_info(vmo).committed;
}

/* ---- create ---- */

TEST("pager_create:OK pager_create_vmo:OK what it looks like (PAGER-10 to -13)")
{
	sys_cap_t resizable, empty;
	uint64_t size;

	begin();
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

TEST("pager_create_vmo:INVALID_ARGS pager_create_vmo:NOT_SUPPORTED pager_create_vmo:OUT_OF_RANGE (PAGER-03, -05, -06, -10)")
{
	sys_cap_t out = 99;

	begin();
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_create_vmo(pager, ut, 1u << 30, KEY, PAGE, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_create_vmo(pager, ut, SYS_VMO_DISCARDABLE, KEY, PAGE, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_create_vmo(pager, ut, SYS_VMO_UNBOUNDED | SYS_VMO_RESIZABLE, KEY, PAGE, &out));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_pager_create_vmo(pager, ut, SYS_VMO_TRAP_DIRTY, KEY, PAGE, &out));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_pager_create_vmo(pager, ut, SYS_VMO_UNBOUNDED, KEY, PAGE, &out));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_pager_create_vmo(pager, ut, 0, KEY, UINT64_MAX, &out));
	EQ(out, 99);
}

TEST("pager_create_vmo:BAD_STATE the pager's endpoint has ended")
{
	sys_cap_t out = 99;

	begin();
	OKAY(sys_cap_delete(ep));
	REFUSED(SYS_ERR_BAD_STATE, sys_pager_create_vmo(pager, ut, 0, KEY, PAGE, &out));
	EQ(out, 99);
}

/* ---- requests ---- */

TEST("pager_recv:OK a mapped read asks for its page, supply lets it run (READ-01, -12)")
{
	begin();
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
	begin();
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

TEST("pager_recv:OK a read asks for its whole run at once, up to what is there and to 512 pages (READ-13, -14)")
{
	begin();
	supply(5, 1, 100);
	struct client client = {.act = VMO_READ, .vmo = vmo, .offset = 2 * PAGE + 100, .len = 8 * PAGE};
	sys_cap_t thread = client_start(&client);
	expect(2 * PAGE, 3, SYS_ACCESS_READ);
	supply(2, 3, 100);
	until_waiting(thread);
	expect(6 * PAGE, 5, SYS_ACCESS_READ);
	supply(6, 5, 100);
	EQ(until_exited(thread), SYS_OK);
	EQ(*(uint64_t *)(void *)(bytes + PAGE - 100), 103);
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

	begin();
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

TEST("pager_recv:OK many threads on one page make one request, one supply wakes all (READ-30, -32)")
{
	struct client client[6];
	sys_cap_t thread[6];

	begin();
	volatile uint8_t *at = map(vmo, PAGES * PAGE);
	for (int i = 0; i < 6; i++) {
		client[i] = (struct client){.act = i % 2 ? READ_MAPPED : VMO_READ, .vmo = vmo, .at = at, .offset = 4 * PAGE, .len = 16};
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
	begin();
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

	begin();
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

	begin();
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

	begin();
	sys_cap_t thread = helper_start(receives, &pager);
	until_waiting(thread);
	OKAY(sys_cap_delete(ep));
	EQ(until_exited(thread), SYS_ERR_PEER_CLOSED);
	REFUSED(SYS_ERR_PEER_CLOSED, sys_pager_recv(pager, &request, 1, &actual, SYS_TIME_INFINITE));
}

TEST("pager_recv:OK a waiting server is woken by the request")
{
	begin();
	sys_cap_t server = helper_start(receives, &pager);
	until_waiting(server);
	struct client client = {.act = VMO_READ, .vmo = vmo, .offset = 0, .len = 8};
	sys_cap_t thread = client_start(&client);
	EQ(until_exited(server), SYS_OK);
	expect_none();
	supply(0, 1, 1);
	EQ(until_exited(thread), SYS_OK);
}

/* ---- supply ---- */

TEST("pager_supply_pages:OK moves the pages and their charge, aux reads as zero (SUPPLY-07, -15)")
{
	sys_cap_t of_aux = new_untyped(256 * PAGE), of_vmo = new_untyped(256 * PAGE), aux = new_vmo_in(of_aux, 16 * PAGE);
	uint64_t fresh = 0;

	pager = new_pager(&ep);
	OKAY(sys_pager_create_vmo(pager, of_vmo, 0, KEY, PAGES * PAGE, &vmo));
	uint64_t empty = used(of_aux), empty_vmo = used(of_vmo);
	for (uint64_t i = 0; i < 16; i++)
		put(aux, i * PAGE, i + 1);
	volatile uint64_t *mapped = map(aux, 16 * PAGE);
	EQ(mapped[512], 2);
	OKAY(sys_pager_supply_pages(pager, vmo, 4 * PAGE, 16 * PAGE, aux, 0, &fresh));
	EQ(fresh, 16 * PAGE);
	EQ(used(of_aux), empty);
	CHECK(used(of_vmo) >= empty_vmo + 16 * PAGE);
	EQ(mapped[512], 0);
	EQ(get(aux, 0), 0);
	for (uint64_t i = 0; i < 16; i++)
		EQ(get(vmo, (4 + i) * PAGE), i + 1);
	EQ(committed(), 16 * PAGE);
	mapped[512] = 77;
	EQ(get(vmo, 5 * PAGE), 2);
	unmap((void *)mapped, 16 * PAGE);
}

TEST("pager_supply_pages:OK what is there stays; out_new counts what was not (SUPPLY-08)")
{
	begin();
	EQ(supply(2, 2, 100), 2 * PAGE);
	put(vmo, 2 * PAGE, 5);
	EQ(supply(1, 4, 200), 2 * PAGE);
	EQ(get(vmo, PAGE), 201);
	EQ(get(vmo, 2 * PAGE), 5);
	EQ(get(vmo, 3 * PAGE), 103);
	EQ(get(vmo, 4 * PAGE), 204);
	EQ(supply(1, 4, 300), 0);
	EQ(get(vmo, PAGE), 201);
}

TEST("pager_supply_pages:OK what aux does not have is known to be zero, and costs no page (SUPPLY-09)")
{
	sys_cap_t aux = new_vmo(8 * PAGE);
	uint64_t fresh;

	begin();
	put(aux, 3 * PAGE, 33);
	struct client client = {.act = VMO_READ, .vmo = vmo, .offset = 0, .len = 8 * PAGE};
	sys_cap_t thread = client_start(&client);
	expect(0, 8, SYS_ACCESS_READ);
	OKAY(sys_pager_supply_pages(pager, vmo, 0, 8 * PAGE, aux, 0, &fresh));
	EQ(fresh, 8 * PAGE);
	EQ(until_exited(thread), SYS_OK);
	EQ(committed(), PAGE);
	EQ(get(vmo, 3 * PAGE), 33);
	EQ(get(vmo, 0), 0);
	EQ(supply(0, 1, 100), 0);
	EQ(get(vmo, 0), 0);
	put(vmo, 0, 4);
	EQ(get(vmo, 0), 4);
	expect_none();
}

TEST("pager_supply_pages:OK in pieces, out of order; a reader goes on when its next page is there (READ-34, -37, -39)")
{
	begin();
	struct client client = {.act = COMMIT, .vmo = vmo, .offset = 0, .len = 6 * PAGE};
	sys_cap_t thread = client_start(&client);

	expect(0, 6, 0);
	supply(4, 2, 1);
	supply(2, 1, 1);
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	supply(0, 2, 1);
	sleep_for(MILLISECOND);
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	supply(3, 1, 1);
	EQ(until_exited(thread), SYS_OK);
	expect_none();
}

TEST("pager_supply_pages:OK before anybody asks; a request that is answered is withdrawn (READ-05, -11, -35)")
{
	begin();
	supply(1, 1, 100);
	EQ(get(vmo, PAGE), 101);
	struct client client = {.act = VMO_READ, .vmo = vmo, .offset = 0, .len = 8};
	sys_cap_t thread = client_start(&client);
	supply(0, 1, 100);
	EQ(until_exited(thread), SYS_OK);
	expect_none();
}

TEST("pager_supply_pages:OK an aux that shares its pages keeps its relatives' content (SUPPLY-10)")
{
	sys_cap_t aux = new_vmo(4 * PAGE);
	uint64_t fresh;

	begin();
	for (uint64_t i = 0; i < 4; i++)
		put(aux, i * PAGE, i + 1);
	sys_cap_t child = new_snapshot(aux, 0, 4 * PAGE);
	OKAY(sys_pager_supply_pages(pager, vmo, 0, 3 * PAGE, child, PAGE, &fresh));
	EQ(fresh, 3 * PAGE);
	for (uint64_t i = 0; i < 3; i++)
		EQ(get(vmo, i * PAGE), i + 2);
	for (uint64_t i = 0; i < 4; i++)
		EQ(get(aux, i * PAGE), i + 1);
	EQ(get(child, 0), 1);
	EQ(get(child, PAGE), 0);
	put(vmo, 0, 9);
	EQ(get(aux, PAGE), 2);
}

TEST("pager_supply_pages:INVALID_ARGS parts of pages, a VMO that is not this pager's (SUPPLY-02, -03)")
{
	sys_cap_t aux = new_vmo(4 * PAGE), other = new_pager(NULL), others;
	uint64_t fresh = 99;

	begin();
	put(aux, 0, 7);
	OKAY(sys_pager_create_vmo(other, ut, 0, KEY, 4 * PAGE, &others));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_supply_pages(pager, vmo, 1, PAGE, aux, 0, &fresh));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_supply_pages(pager, vmo, 0, 100, aux, 0, &fresh));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_supply_pages(pager, vmo, 0, PAGE, aux, 1, &fresh));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_supply_pages(pager, vmo, 1, 0, aux, 0, &fresh));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_supply_pages(pager, others, 0, PAGE, aux, 0, &fresh));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_supply_pages(pager, aux, 0, PAGE, aux, PAGE, &fresh));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_supply_pages(other, vmo, 0, PAGE, aux, 0, &fresh));
	EQ(get(aux, 0), 7);
	EQ(committed(), 0);
}

TEST("pager_supply_pages:BAD_ADDRESS no place for the result: nothing is supplied")
{
	sys_cap_t aux = new_vmo(PAGE);

	begin();
	put(aux, 0, 7);
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_pager_supply_pages(pager, vmo, 0, PAGE, aux, 0, NULL));
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_pager_supply_pages(pager, vmo, 0, PAGE, aux, 0, (uint64_t *)KERNEL_HALF));
	EQ(get(aux, 0), 7);
	EQ(committed(), 0);
}

TEST("pager_supply_pages:OUT_OF_RANGE of the VMO and of aux (SUPPLY-06)")
{
	sys_cap_t aux = new_vmo(4 * PAGE);
	uint64_t fresh;

	begin();
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_pager_supply_pages(pager, vmo, PAGES * PAGE, PAGE, aux, 0, &fresh));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_pager_supply_pages(pager, vmo, (PAGES - 1) * PAGE, 2 * PAGE, aux, 0, &fresh));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_pager_supply_pages(pager, vmo, 0, PAGE, aux, 4 * PAGE, &fresh));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_pager_supply_pages(pager, vmo, 0, 5 * PAGE, aux, 0, &fresh));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_pager_supply_pages(pager, vmo, PAGE, -PAGE, aux, 0, &fresh));
	OKAY(sys_pager_supply_pages(pager, vmo, 0, 0, aux, 0, &fresh));
	EQ(fresh, 0);
}

TEST("pager_supply_pages:NOT_SUPPORTED an aux with a pager behind it (SUPPLY-04)")
{
	sys_cap_t second;
	uint64_t fresh;

	begin();
	OKAY(sys_pager_create_vmo(pager, ut, 0, KEY + 1, 4 * PAGE, &second));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_pager_supply_pages(pager, vmo, 0, PAGE, second, 0, &fresh));
}

TEST("pager_supply_pages:NO_MEMORY the VMO's account is full; how far it got is said, and it can go on")
{
	sys_cap_t of_vmo = new_untyped(16 * PAGE), aux = new_vmo(24 * PAGE), more = new_vmo_in(of_vmo, PAGE);
	uint64_t fresh = 99;

	pager = new_pager(&ep);
	OKAY(sys_pager_create_vmo(pager, of_vmo, 0, KEY, PAGES * PAGE, &vmo));
	for (uint64_t i = 0; i < 24; i++)
		put(aux, i * PAGE, i + 1);
	STATUS(SYS_ERR_NO_MEMORY, sys_pager_supply_pages(pager, vmo, 0, 24 * PAGE, aux, 0, &fresh));
	CHECK(fresh % PAGE == 0 && fresh >= 8 * PAGE && fresh < 16 * PAGE);
	EQ(committed(), fresh);
	for (uint64_t i = 0; i < fresh / PAGE; i++)
		EQ(get(vmo, i * PAGE), i + 1);
	for (uint64_t i = fresh / PAGE; i < 24; i++)
		EQ(get(aux, i * PAGE), i + 1);
	(void)more;
}

/* ---- failure ---- */

static const sys_status_t fail_codes[] = {SYS_ERR_IO, SYS_ERR_IO_DATA_INTEGRITY, SYS_ERR_BAD_STATE, SYS_ERR_NO_SPACE, SYS_ERR_BUFFER_TOO_SMALL};
enum { FAIL_CODES = sizeof(fail_codes) / sizeof(fail_codes[0]) };

static void fails_all_clients(int index)
{
	static const enum act acts[] = {READ_MAPPED, WRITE_MAPPED, VMO_READ, VMO_WRITE, COMMIT};
	sys_status_t code = fail_codes[index];

	begin();
	volatile uint8_t *at = map(vmo, PAGES * PAGE);
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		struct client client = {.act = acts[i], .vmo = vmo, .at = at, .offset = 5 * PAGE, .len = 100};
		sys_cap_t thread = client_start(&client);
		expect(5 * PAGE, 1, 0);
		OKAY(sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 5 * PAGE, PAGE, code));
		EQ(until_exited(thread), code);
		expect_none();
	}
	EQ(committed(), 0);
	/* a failure does not stick */
	struct client again = {.act = VMO_READ, .vmo = vmo, .offset = 5 * PAGE, .len = 8};
	sys_cap_t thread = client_start(&again);
	expect(5 * PAGE, 1, 0);
	supply(5, 1, 1);
	EQ(until_exited(thread), SYS_OK);
	unmap((void *)at, PAGES * PAGE);
}

void guest_tables(void)
{
	static const char *const names[] = {"IO", "IO_DATA_INTEGRITY", "BAD_STATE", "NO_SPACE", "BUFFER_TOO_SMALL"};
	char name[96];

	for (int i = 0; i < FAIL_CODES; i++) {
		strcpy(name, "vmo_read:");
		strcat(name, names[i]);
		strcat(name, " vmo_write:");
		strcat(name, names[i]);
		strcat(name, " vmo_op_range:");
		strcat(name, names[i]);
		strcat(name, " FAIL (-01, -02)");
		guest_add(name, fails_all_clients, i);
	}
}

TEST("pager_op_range:OK FAIL is a fault message's status")
{
	begin();
	volatile uint8_t *at = map(vmo, PAGES * PAGE);
	sys_cap_t fault_ep = new_endpoint(), reply = new_reply();
	struct client client = {.act = READ_MAPPED, .at = at, .offset = PAGE};
	sys_cap_t thread = helper_start_with(client_run, &client, fault_ep);
	sys_msg_t msg = {0}, empty = {0};

	expect(PAGE, 1, SYS_ACCESS_READ);
	OKAY(sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 0, 4 * PAGE, SYS_ERR_IO));
	OKAY(sys_ipc_recv(fault_ep, reply, &msg, NULL, after(LIMIT)));
	EQ(msg.label, SYS_FAULT_PAGE);
	EQ(msg.word[0], (uint64_t)at + PAGE);
	EQ(msg.word[1], SYS_ACCESS_READ);
	EQ((int64_t)msg.word[3], SYS_ERR_IO);
	OKAY(sys_ipc_reply(reply, &empty));             /* the access is made again, and asks again */
	expect(PAGE, 1, SYS_ACCESS_READ);
	supply(1, 1, 10);
	EQ(until_exited(thread), SYS_OK);
	EQ(client.seen, 11);
	unmap((void *)at, PAGES * PAGE);
}

TEST("pager_op_range:OK FAIL fails who needs the page next, and nobody else (FAIL-03 to -06)")
{
	begin();
	struct client whole = {.act = COMMIT, .vmo = vmo, .offset = 0, .len = 4 * PAGE};
	struct client joined = {.act = VMO_READ, .vmo = vmo, .offset = 0, .len = 8}, far = {.act = VMO_READ, .vmo = vmo, .offset = 9 * PAGE, .len = 8};
	sys_cap_t one = client_start(&whole), two = client_start(&joined), three = client_start(&far);

	expect(0, 4, 0);
	expect(9 * PAGE, 1, 0);
	OKAY(sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 20 * PAGE, PAGE, SYS_ERR_IO));
	EQ(thread_info(one).state, SYS_THREAD_WAITING);
	OKAY(sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 0, PAGE, SYS_ERR_NO_SPACE));
	EQ(until_exited(one), SYS_ERR_NO_SPACE);
	EQ(until_exited(two), SYS_ERR_NO_SPACE);
	EQ(thread_info(three).state, SYS_THREAD_WAITING);
	supply(9, 1, 1);
	EQ(until_exited(three), SYS_OK);
}

TEST("pager_op_range:OK FAIL of a later part: the reader gets what came before, then asks again (FAIL-05)")
{
	begin();
	struct client client = {.act = COMMIT, .vmo = vmo, .offset = 0, .len = 4 * PAGE};
	sys_cap_t thread = client_start(&client);

	expect(0, 4, 0);
	OKAY(sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 2 * PAGE, 2 * PAGE, SYS_ERR_IO));
	supply(0, 2, 1);
	until_waiting(thread);
	expect(2 * PAGE, 2, 0);
	supply(2, 2, 1);
	EQ(until_exited(thread), SYS_OK);
}

TEST("pager_op_range:INVALID_ARGS other codes, parts of pages, others' VMOs (POP-02, -03, -06)")
{
	sys_cap_t plain = new_vmo(4 * PAGE), other = new_pager(NULL);

	begin();
	static const int64_t codes[] = {SYS_OK, 1, SYS_ERR_NO_MEMORY, SYS_ERR_TIMED_OUT, SYS_ERR_INTERRUPTED, -1000, INT64_MIN,
					(1ll << 32) + SYS_ERR_IO, (int64_t)(uint32_t)SYS_ERR_IO};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 0, PAGE, codes[i]));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 1, PAGE, SYS_ERR_IO));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 0, 77, SYS_ERR_IO));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, plain, 0, PAGE, SYS_ERR_IO));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_op_range(other, SYS_PAGER_OP_FAIL, vmo, 0, PAGE, SYS_ERR_IO));
}

TEST("pager_op_range:OUT_OF_RANGE pager_op_range:NOT_SUPPORTED past the end; ops that are none or later (POP-01, -02, -08)")
{
	begin();
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, PAGES * PAGE, PAGE, SYS_ERR_IO));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, PAGE, -PAGE, SYS_ERR_IO));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_pager_op_range(pager, (enum sys_pager_op)99, vmo, 0, PAGE, 0));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_pager_op_range(pager, SYS_PAGER_OP_DIRTY, vmo, 0, PAGE, 0));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_pager_op_range(pager, SYS_PAGER_OP_WRITEBACK_BEGIN, vmo, 0, PAGE, 0));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_pager_op_range(pager, SYS_PAGER_OP_WRITEBACK_END, vmo, 0, PAGE, 0));
}

TEST("pager_supply_pages:BAD_STATE pager_op_range:BAD_STATE the pager's endpoint has ended")
{
	sys_cap_t aux = new_vmo(PAGE);
	uint64_t fresh;

	begin();
	supply(0, 1, 1);
	OKAY(sys_cap_delete(ep));
	REFUSED(SYS_ERR_BAD_STATE, sys_pager_supply_pages(pager, vmo, PAGE, PAGE, aux, 0, &fresh));
	REFUSED(SYS_ERR_BAD_STATE, sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 0, PAGE, SYS_ERR_IO));
	EQ(get(vmo, 0), 1);
}

/* ---- the other calls on a pager's VMO ---- */

TEST("vmo_op_range:NOT_SUPPORTED DECOMMIT of a pager's VMO (DECOMMIT-07)")
{
	begin();
	supply(0, 1, 1);
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, 0, PAGE, NULL, 0));
	EQ(get(vmo, 0), 1);
}

TEST("vmo_set_size:OK shrinks under waiters, who get OUT_OF_RANGE; what grows is zero (PRESIZE-01, -05, -06)")
{
	pager = new_pager(&ep);
	OKAY(sys_pager_create_vmo(pager, ut, SYS_VMO_RESIZABLE, KEY, PAGES * PAGE, &vmo));
	volatile uint8_t *at = map(vmo, PAGES * PAGE);
	struct client reads = {.act = VMO_READ, .vmo = vmo, .offset = 20 * PAGE, .len = 8};
	struct client touches = {.act = READ_MAPPED, .at = at, .offset = 21 * PAGE}, stays = {.act = VMO_READ, .vmo = vmo, .offset = PAGE, .len = 8};
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

TEST("vmo_write:OK a buffer that a pager backs is asked for, and the call goes on (RW-19, FAULT-13)")
{
	sys_cap_t plain = new_vmo(PAGES * PAGE);

	begin();
	struct client client = {.act = BUFFER, .vmo = plain, .at = map(vmo, PAGES * PAGE), .offset = 2 * PAGE - 8, .len = PAGE + 16};
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

TEST("thread_suspend:OK a thread that waits for a page comes back to it (READ-45, -46)")
{
	begin();
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
	begin();
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
	begin();
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
