/* SPDX-License-Identifier: BSD-2-Clause */
/* lifecycle.c: ends at any moment. A client that dies while it waits for a page, a pager that fails or dies, a process
 * that is ended in whatever it was doing: who is left gets an error or a fault message, nothing else is disturbed, and
 * the account is back where it was, to the frame. The processes are real ones: own account, own CSpace, own address
 * space. */
#include "common/process.h"

#include <stdio.h>
#include <string.h>

enum { KEY = 7, PAGES = 16 };

/* What a child finds in its CSpace from slot 8 on, and in its copy of this variable. */
enum slots { EP, NTFN, REPLY, VMO, PAGER, AUX, GIVEN };
#define OWN(SLOT) ((sys_cap_t)(SYS_CAP_FIRST_FREE + (SLOT)))
static struct { volatile uint8_t *at; uint64_t seed; } child;

static sys_cap_t ep, ntfn, reply, pager_ep, pager, vmo, aux;
static sys_process_t process;
static sys_untyped_info_t before;

/* Everything that is given to the process, and the account as it was before the process was made. */
static void begin(sys_cap_t fault_ep)
{
	ep = new_endpoint();
	ntfn = new_notification();
	pager = new_pager(&pager_ep);
	OKAY(sys_pager_create_vmo(pager, ut, 0, KEY, PAGES * PAGE, &vmo));
	aux = new_vmo(PAGES * PAGE);
	for (uint64_t i = 0; i < PAGES; i++)
		put(aux, i * PAGE, 100 + i);
	reply = new_reply();
	before = account(ut);
	process_create(&process, fault_ep);
	process_give(&process, ep, EP);
	process_give(&process, ntfn, NTFN);
	process_give(&process, vmo, VMO);
	process_give(&process, pager, PAGER);
	process_give(&process, aux, AUX);
}

static void check_end(int line)
{
	process_end(&process);
	check_account(&before, ut, line);
}
#define END() check_end(__LINE__)

/* The VMO mapped in the process, for accesses; the address goes with the copied variables. */
static void map_in_process(sys_cap_t what)
{
	child.at = map_in(process.vmar, what, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, PAGES * PAGE);
}

static void expect_request(uint64_t page)
{
	sys_pager_request_t request = {.type = 9};
	size_t actual = 0;

	OKAY(sys_pager_recv(pager, &request, 1, &actual, after(LIMIT)));
	EQ(request.type, 0);
	EQ(request.offset, page * PAGE);
}

static void expect_no_request(void)
{
	sys_pager_request_t request;
	size_t actual;
	STATUS(SYS_ERR_TIMED_OUT, sys_pager_recv(pager, &request, 1, &actual, SYS_TIME_POLL));
}

static void supply(uint64_t page)
{
	uint64_t fresh;
	OKAY(sys_pager_supply_pages(pager, vmo, page * PAGE, PAGE, aux, page * PAGE, &fresh));
}

/* ---- what children do ---- */

static int64_t reads_page(void *arg)
{
	uint64_t page = (uint64_t)arg;
	return (int64_t)*(volatile uint64_t *)(child.at + page * PAGE);
}

static int64_t sends(void *arg)
{
	static sys_msg_t msg;
	(void)arg;
	msg.words = 64;
	return sys_ipc_send(OWN(EP), &msg, SYS_TIME_INFINITE);
}

static int64_t calls(void *arg)
{
	static sys_msg_t msg;
	(void)arg;
	return sys_ipc_call(OWN(EP), &msg, SYS_TIME_INFINITE);
}

static int64_t receives(void *arg)
{
	static sys_msg_t msg;
	sys_cap_t own_reply;
	(void)arg;
	sys_status_t status = sys_reply_create(SYS_CAP_UNTYPED, &own_reply);
	return status != SYS_OK ? status : sys_ipc_recv(OWN(EP), own_reply, &msg, NULL, SYS_TIME_INFINITE);
}

/* Receives a call and then never answers. */
static int64_t serves_never(void *arg)
{
	int64_t status = receives(arg);
	uint64_t bits;
	return status != SYS_OK ? status : sys_notification_wait(OWN(NTFN), &bits, SYS_TIME_INFINITE);
}

static int64_t waits_notification(void *arg)
{
	uint64_t bits;
	(void)arg;
	return sys_notification_wait(OWN(NTFN), &bits, SYS_TIME_INFINITE);
}

static int64_t sleeps(void *arg)
{
	uint64_t bits;
	(void)arg;
	return sys_notification_wait(OWN(NTFN), &bits, sys_clock_get() + 1000 * SECOND);
}

static int64_t reads_vmo(void *arg)
{
	static uint8_t buffer[4 * 4096];
	(void)arg;
	return sys_vmo_read(OWN(VMO), buffer, 0, sizeof(buffer));
}

static int64_t commits(void *arg)
{
	(void)arg;
	return sys_vmo_op_range(OWN(VMO), SYS_VMO_OP_COMMIT, 0, PAGES * PAGE, NULL, 0);
}

static int64_t receives_requests(void *arg)
{
	sys_pager_request_t request;
	size_t actual;
	(void)arg;
	for (;;) {
		sys_status_t status = sys_pager_recv(OWN(PAGER), &request, 1, &actual, SYS_TIME_INFINITE);
		if (status != SYS_OK)
			return status;
	}
}

static int64_t reads_console(void *arg)
{
	char byte;
	size_t actual;
	(void)arg;
	return sys_console_read(SYS_CAP_CONSOLE, &byte, 1, &actual, SYS_TIME_INFINITE);
}

static int64_t spins(void *arg)
{
	(void)arg;
	for (volatile bool on = true; on;)
		__asm__ volatile("pause");
	return 0;
}

static int64_t faults(void *arg)
{
	volatile int *volatile nowhere = (volatile int *)8;
	(void)arg;
	return *nowhere;
}

/* ---- a process is ended in the middle of ... ---- */

enum mood { RUNNING, WAITING, NEW, STOPPED };
static const struct { const char *what; helper_fn fn; enum mood mood;
} moments[] = {
	{"sending", sends, WAITING},
	{"calling, not received", calls, WAITING},
	{"receiving", receives, WAITING},
	{"waiting on a notification", waits_notification, WAITING},
	{"sleeping", sleeps, WAITING},
	{"reading a VMO, waiting for its page", reads_vmo, WAITING},
	{"committing, waiting for pages", commits, WAITING},
	{"touching a page, waiting for it", reads_page, WAITING},
	{"waiting for requests of a pager", receives_requests, WAITING},
	{"reading the console", reads_console, WAITING},
	{"running a loop", spins, RUNNING},
	{"suspended", spins, STOPPED},
	{"suspended while it received", receives, STOPPED},
	{"never started", spins, NEW},
	{"waiting on its fault", faults, WAITING},
};

static void ended_while(int index)
{
	sys_cap_t fault_ep = new_endpoint();

	begin(fault_ep);
	OKAY(sys_cap_copy(SYS_CAP_CONSOLE, process.cspace, SYS_CAP_CONSOLE, SYS_RIGHTS_SAME, &(sys_cap_t){0}));
	map_in_process(vmo);
	if (moments[index].mood != NEW)
		process_go(&process, moments[index].fn, NULL);
	if (moments[index].mood == WAITING || moments[index].fn == receives)
		until_waiting(process.thread);
	if (moments[index].mood == RUNNING)
		sleep_for(MILLISECOND);
	if (moments[index].mood == STOPPED)
		OKAY(sys_thread_suspend(process.thread));
	END();
	/* nobody is disturbed: the endpoint, the notification, the pager work on */
	sys_msg_t msg = {.label = 3};
	uint64_t bits;
	STATUS(SYS_ERR_TIMED_OUT, sys_ipc_send(ep, &msg, SYS_TIME_POLL));
	STATUS(SYS_ERR_TIMED_OUT, sys_ipc_recv(ep, SYS_CAP_NULL, &msg, NULL, SYS_TIME_POLL));
	STATUS(SYS_ERR_TIMED_OUT, sys_ipc_recv(fault_ep, SYS_CAP_NULL, &msg, NULL, SYS_TIME_POLL));
	OKAY(sys_notification_signal(ntfn, 1));
	OKAY(sys_notification_wait(ntfn, &bits, SYS_TIME_POLL));
	expect_no_request();
	supply(0);
	EQ(get(vmo, 0), 100);
}

void guest_tables(void)
{
	char name[96];

	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		snprintf(name, sizeof(name), "a process is ended: %s", moments[i].what);
		guest_add(name, ended_while, (int)i);
	}
}

TEST("a process runs, ends, and its code is read")
{
	begin(SYS_CAP_NULL);
	map_in_process(aux);
	process_go(&process, reads_page, (void *)3);
	int64_t code = 0;
	OKAY(sys_process_wait(&process, &code, after(LIMIT)));
	EQ(code, 103);
	END();
}

TEST("a server is ended while it holds a call: the caller gets PEER_CLOSED")
{
	static sys_msg_t msg;

	begin(SYS_CAP_NULL);
	process_go(&process, serves_never, NULL);
	until_waiting(process.thread);
	sys_process_t client = process;
	process_create(&client, SYS_CAP_NULL);
	process_give(&client, ep, EP);
	process_go(&client, calls, NULL);
	until_waiting(client.thread);
	until_waiting(process.thread);
	STATUS(SYS_ERR_TIMED_OUT, sys_ipc_recv(ep, SYS_CAP_NULL, &msg, NULL, SYS_TIME_POLL));
	process_end(&process);
	EQ(until_exited(client.thread), SYS_ERR_PEER_CLOSED);
	process_end(&client);
	check_account(&before, ut, __LINE__);
}

TEST("a client is ended while its call is held: the server's reply gives BAD_STATE, and it serves on")
{
	sys_msg_t msg = {0};

	begin(SYS_CAP_NULL);
	process_go(&process, calls, NULL);
	OKAY(sys_ipc_recv(ep, reply, &msg, NULL, after(LIMIT)));
	END();
	STATUS(SYS_ERR_BAD_STATE, sys_ipc_reply(reply, &msg));
	STATUS(SYS_ERR_TIMED_OUT, sys_ipc_recv(ep, reply, &msg, NULL, SYS_TIME_POLL));
}

TEST("a process is ended while its fault is held: the reply gives BAD_STATE")
{
	sys_cap_t fault_ep = new_endpoint();
	sys_msg_t msg = {0};

	begin(fault_ep);
	process_go(&process, faults, NULL);
	OKAY(sys_ipc_recv(fault_ep, reply, &msg, NULL, after(LIMIT)));
	EQ(msg.label, SYS_FAULT_PAGE);
	END();
	msg = (sys_msg_t){0};
	STATUS(SYS_ERR_BAD_STATE, sys_ipc_reply(reply, &msg));
}

TEST("another process's fault comes as a message, and its end disturbs nobody")
{
	sys_cap_t fault_ep = new_endpoint();
	sys_msg_t msg = {0};

	begin(fault_ep);
	process_go(&process, faults, NULL);
	OKAY(sys_ipc_recv(fault_ep, reply, &msg, NULL, after(LIMIT)));
	EQ(msg.word[0], 8);
	EQ(msg.word[1], SYS_ACCESS_READ);
	EQ((int64_t)msg.word[3], SYS_ERR_NOT_FOUND);
	OKAY(sys_cap_delete(reply));
	EQ(until_exited(process.thread), SYS_ERR_CANCELED);
	reply = new_reply();
	END();
}

/* ---- clients of a pager that die ---- */

TEST("a client is killed while its request is not delivered: the request is withdrawn")
{
	begin(SYS_CAP_NULL);
	map_in_process(vmo);
	process_go(&process, reads_page, (void *)2);
	until_waiting(process.thread);
	OKAY(sys_thread_kill(process.thread, 1));
	expect_no_request();
	END();
	EQ(vmo_info(vmo).committed, 0);
}

TEST("a client is killed while its request is delivered: the supply is taken, a later reader finds the page")
{
	begin(SYS_CAP_NULL);
	map_in_process(vmo);
	process_go(&process, reads_page, (void *)2);
	until_waiting(process.thread);
	expect_request(2);
	END();
	expect_no_request();
	before = account(ut);
	supply(2);
	EQ(get(vmo, 2 * PAGE), 102);
}

static int64_t joins(void *arg)
{
	return (int64_t)*(volatile uint64_t *)arg;
}

TEST("the owner of a request dies: it passes to who joined it, received or not")
{
	for (int delivered = 0; delivered < 2; delivered++) {
		begin(SYS_CAP_NULL);
		volatile uint8_t *at = map(vmo, PAGES * PAGE);
		map_in_process(vmo);
		process_go(&process, reads_page, (void *)5);
		until_waiting(process.thread);
		if (delivered)
			expect_request(5);
		sys_cap_t joiner = helper_start(joins, (void *)(uintptr_t)(at + 5 * PAGE));
		until_waiting(joiner);
		process_end(&process);
		if (delivered) {
			EQ(thread_info(joiner).state, SYS_THREAD_WAITING);
			expect_no_request();
		} else {
			until_waiting(joiner);
			expect_request(5);
		}
		supply(5);
		EQ(until_exited(joiner), 105);
		helper_drop(1);
		unmap((void *)at, PAGES * PAGE);
	}
}

TEST("a pager fails the range a process waits for: it gets a fault message with the code")
{
	sys_cap_t fault_ep = new_endpoint();
	sys_msg_t msg = {0};

	begin(fault_ep);
	map_in_process(vmo);
	process_go(&process, reads_page, (void *)4);
	expect_request(4);
	OKAY(sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 0, PAGES * PAGE, SYS_ERR_IO_DATA_INTEGRITY));
	OKAY(sys_ipc_recv(fault_ep, reply, &msg, NULL, after(LIMIT)));
	EQ(msg.label, SYS_FAULT_PAGE);
	EQ(msg.word[0], (uint64_t)child.at + 4 * PAGE);
	EQ((int64_t)msg.word[3], SYS_ERR_IO_DATA_INTEGRITY);
	OKAY(sys_ipc_reply(reply, &(sys_msg_t){0}));
	expect_request(4);
	supply(4);
	EQ(until_exited(process.thread), 104);
	END();
}

/* ---- pagers that die: clients in this program, in each way to wait ---- */

enum death { CAPABILITY, ENDPOINT, ACCOUNT };

static int64_t reads_dead(void *arg)
{
	static uint8_t buffer[16];
	return sys_vmo_read(*(sys_cap_t *)arg, buffer, 3 * PAGE, 16);
}

static int64_t commits_dead(void *arg)
{
	return sys_vmo_op_range(*(sys_cap_t *)arg, SYS_VMO_OP_COMMIT, 2 * PAGE, 4 * PAGE, NULL, 0);
}

static void pager_dies(enum death death, bool delivered)
{
	sys_cap_t of_pager = new_untyped(64 * PAGE), dying_ep, dying, backed, fault_ep = new_endpoint(),
		  own_aux = new_vmo(PAGE);
	sys_msg_t msg = {0};
	uint64_t fresh;

	OKAY(sys_endpoint_create(of_pager, &dying_ep));
	OKAY(sys_pager_create(of_pager, dying_ep, 1, &dying));
	OKAY(sys_pager_create_vmo(dying, ut, 0, KEY, PAGES * PAGE, &backed));
	put(own_aux, 0, 77);
	OKAY(sys_pager_supply_pages(dying, backed, PAGE, PAGE, own_aux, 0, &fresh));
	volatile uint8_t *at = map(backed, PAGES * PAGE);
	sys_cap_t touches = helper_start_with(joins, (void *)(uintptr_t)(at + 5 * PAGE), fault_ep);
	sys_cap_t reads = helper_start(reads_dead, &backed), commits_it = helper_start(commits_dead, &backed);
	until_waiting(touches);
	until_waiting(reads);
	until_waiting(commits_it);
	sys_pager_request_t request[4];
	size_t actual;
	if (delivered)
		OKAY(sys_pager_recv(dying, request, 4, &actual, SYS_TIME_POLL));
	OKAY(death == CAPABILITY    ? sys_cap_delete(dying)
		: death == ENDPOINT ? sys_cap_delete(dying_ep)
				    : sys_cap_revoke(of_pager));
	EQ(until_exited(reads), SYS_ERR_BAD_STATE);
	EQ(until_exited(commits_it), SYS_ERR_BAD_STATE);
	sys_cap_t own_reply = new_reply();
	OKAY(sys_ipc_recv(fault_ep, own_reply, &msg, NULL, after(LIMIT)));
	EQ(msg.label, SYS_FAULT_PAGE);
	EQ(msg.word[0], (uint64_t)at + 5 * PAGE);
	EQ((int64_t)msg.word[3], SYS_ERR_BAD_STATE);
	/* later misses too; what was supplied stays */
	FAULTS(READ, SYS_ERR_BAD_STATE, at + 6 * PAGE);
	EQ(*(volatile uint64_t *)(at + PAGE), 77);
	EQ(get(backed, PAGE), 77);
	STATUS(SYS_ERR_BAD_STATE, reads_dead(&backed));
	put(backed, PAGE, 78);
	EQ(*(volatile uint64_t *)(at + PAGE), 78);
	unmap((void *)at, PAGES * PAGE);
	OKAY(sys_cap_delete(backed));
	OKAY(sys_cap_revoke(of_pager));
	EQ(used(of_pager), 0);
	helper_drop(3);
}

TEST("a pager dies: its capability is deleted")
{
	pager_dies(CAPABILITY, false);
	pager_dies(CAPABILITY, true);
}

TEST("a pager dies: its endpoint's last RECV capability goes")
{
	pager_dies(ENDPOINT, false);
	pager_dies(ENDPOINT, true);
}

TEST("a pager dies: its account is revoked")
{
	pager_dies(ACCOUNT, false);
	pager_dies(ACCOUNT, true);
}

/* A pager that is a process of its own: it makes pager and endpoint itself, passes the VMO to us, takes a request and
 * hangs. */
static int64_t paging_process(void *arg)
{
	static sys_msg_t msg;
	sys_cap_t own_ep, own_pager, own_vmo;
	sys_pager_request_t request;
	size_t actual;
	sys_status_t status = sys_endpoint_create(SYS_CAP_UNTYPED, &own_ep);

	(void)arg;
	if (status == SYS_OK)
		status = sys_pager_create(SYS_CAP_UNTYPED, own_ep, 0, &own_pager);
	if (status == SYS_OK)
		status = sys_pager_create_vmo(own_pager, OWN(GIVEN), 0, KEY, PAGES * PAGE, &own_vmo);
	if (status != SYS_OK)
		return status;
	msg.caps = 1;
	msg.cap[0] = own_vmo;
	status = sys_ipc_send(OWN(EP), &msg, SYS_TIME_INFINITE);
	if (status == SYS_OK)
		status = sys_pager_recv(own_pager, &request, 1, &actual, SYS_TIME_INFINITE);
	return status == SYS_OK ? waits_notification(NULL) : status;
}

TEST("a pager's process is ended with a request in hand: its client gets BAD_STATE, and the account is whole")
{
	sys_msg_t msg = {.accept = 1};
	static sys_cap_t backed;

	begin(SYS_CAP_NULL);
	process_give(&process, ut, GIVEN);
	process_go(&process, paging_process, NULL);
	OKAY(sys_ipc_recv(ep, SYS_CAP_NULL, &msg, NULL, after(LIMIT)));
	EQ(msg.caps, 1);
	backed = msg.cap[0];
	sys_cap_t reader = helper_start(reads_dead, &backed);
	until_waiting(reader);
	until_waiting(process.thread);
	process_end(&process);
	EQ(until_exited(reader), SYS_ERR_BAD_STATE);
	OKAY(sys_cap_delete(reader));
	OKAY(sys_cap_delete(backed));
	check_account(&before, ut, __LINE__);
}

/* ---- ended at any moment, while it does a little of everything ---- */

static int64_t busy_body(void *arg)
{
	static uint8_t buffer[3 * 4096];
	uint64_t state = child.seed, fresh;
	sys_cap_t memory = 0, snap = 0, root = 0, thing, own_ep, own_pager, backed;
	sys_vaddr_t at;

	(void)arg;
	for (;;) {
		switch (random_next(&state) % 10) {
		case 0:
			sys_cap_delete(memory);
			sys_vmo_create(SYS_CAP_UNTYPED, 64 * PAGE, SYS_VMO_RESIZABLE, &memory);
			break;
		case 1:
			sys_vmo_op_range(
				memory, SYS_VMO_OP_COMMIT, random_next(&state) % 32 * PAGE, 20 * PAGE, NULL, 0);
			break;
		case 2:
			sys_vmo_write(memory, buffer, random_next(&state) % (32 * PAGE), sizeof(buffer));
			break;
		case 3:
			sys_cap_delete(snap);
			sys_vmo_create_child(memory, SYS_CAP_UNTYPED, SYS_VMO_CHILD_SNAPSHOT, 0, 40 * PAGE, &snap);
			break;
		case 4:
			if (sys_vmar_map(SYS_CAP_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, snap, 0, 8 * PAGE,
				    &at) == SYS_OK) {
				*(volatile uint8_t *)at = 1;
				*(volatile uint8_t *)(at + 7 * PAGE) = 1;
				sys_vmar_unmap(SYS_CAP_VMAR, at, 8 * PAGE);
			}
			break;
		case 5:
			sys_cap_delete(root);
			sys_vspace_create(SYS_CAP_UNTYPED, SYS_CAP_NULL, 0, &root);
			sys_vmar_map(root, SYS_VM_PERM_READ, 0, memory, 0, 64 * PAGE, &at);
			break;
		case 6:
			sys_untyped_create(SYS_CAP_UNTYPED, 64 * PAGE, &thing);
			sys_cnode_create(thing, 64, &own_ep);
			sys_cap_revoke(thing);
			sys_cap_delete(thing);
			break;
		case 7:
			for (int i = 0; i < 20; i++)
				sys_cap_copy(memory, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &thing);
			sys_cap_revoke(memory);
			break;
		case 8:
			sys_vmo_set_size(memory, random_next(&state) % 64 * PAGE);
			break;
		default:
			if (sys_endpoint_create(SYS_CAP_UNTYPED, &own_ep) != SYS_OK)
				break;
			if (sys_pager_create(SYS_CAP_UNTYPED, own_ep, 0, &own_pager) == SYS_OK) {
				if (sys_pager_create_vmo(own_pager, SYS_CAP_UNTYPED, 0, 1, 8 * PAGE, &backed) ==
					SYS_OK) {
					sys_pager_supply_pages(own_pager, backed, 0, 8 * PAGE, memory, 0, &fresh);
					sys_cap_delete(backed);
				}
				sys_cap_delete(own_pager);
			}
			sys_cap_delete(own_ep);
			break;
		}
	}
	return 0;
}

TEST("a busy process is ended at a hundred different moments")
{
	uint64_t state = 20260101;

	for (int round = 0; round < 100; round++) {
		before = account(ut);
		process_create(&process, SYS_CAP_NULL);
		child.seed = random_next(&state);
		process_go(&process, busy_body, NULL);
		sleep_for((sys_time_t)(random_next(&state) % 3000000));
		CHECK(thread_info(process.thread).state != SYS_THREAD_EXITED);
		END();
	}
}

/* ---- ends while interrupts come all the time, and the processor is never idle ---- */

struct ticker { sys_cap_t ntfn; uint32_t priority; volatile bool stop; };

/* Above everybody, a deadline every 40 microseconds: whatever the kernel does in steps is interrupted in most of them. */
static int64_t ticks(void *arg)
{
	struct ticker *ticker = arg;
	uint64_t bits;

	while (!ticker->stop)
		sys_notification_wait(ticker->ntfn, &bits, sys_clock_get() + 40000);
	return sys_thread_set_priority(SYS_CAP_THREAD, ticker->priority);
}

static sys_cap_t ticker_start(struct ticker *ticker)
{
	*ticker = (struct ticker){new_notification(), own_priority(), false};
	sys_cap_t thread = helper_prepare(ticks, ticker, SYS_CAP_NULL, ticker->priority);
	OKAY(sys_thread_set_priority(SYS_CAP_THREAD, ticker->priority - 1));
	helper_go(thread);
	return thread;
}

static void ticker_stop(struct ticker *ticker, sys_cap_t thread)
{
	ticker->stop = true;
	OKAY(sys_notification_signal(ticker->ntfn, 1));
	EQ(until_exited(thread), SYS_OK);
}

static int64_t receives_from(void *arg)
{
	static sys_msg_t msg;
	return sys_ipc_recv((sys_cap_t)arg, SYS_CAP_NULL, &msg, NULL, SYS_TIME_INFINITE);
}

TEST("an endpoint ends under interrupts: who waits on it is told at once, although nobody is idle")
{
	enum { WAITERS = 8 };
	struct ticker ticker;
	sys_cap_t thread = ticker_start(&ticker), waiter[WAITERS];

	for (int round = 0; round < 80; round++) {
		sys_cap_t dying = new_endpoint();
		for (int i = 0; i < WAITERS; i++) {
			waiter[i] = helper_start(receives_from, (void *)dying);
			until_waiting(waiter[i]);
		}
		OKAY(sys_cap_delete(dying));
		for (int i = WAITERS; i-- > 0;)
			EQ(until_exited(waiter[i]), SYS_ERR_PEER_CLOSED);
		for (int i = 0; i < WAITERS; i++)
			OKAY(sys_cap_delete(waiter[i]));
		helper_drop(WAITERS);
	}
	ticker_stop(&ticker, thread);
}

TEST("pagers die under interrupts, in each way")
{
	struct ticker ticker;
	sys_cap_t thread = ticker_start(&ticker);

	for (int round = 0; round < 15; round++) {
		pager_dies(CAPABILITY, round % 2);
		pager_dies(ENDPOINT, round % 2);
		pager_dies(ACCOUNT, round % 2);
	}
	ticker_stop(&ticker, thread);
}
