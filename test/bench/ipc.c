/* SPDX-License-Identifier: BSD-2-Clause */
/* ipc.c: round trips: a call and its answer, which the server gives by receiving the next one; and notifications. The
 * row of four words uses the calls that are made for four words. */
#include "common/bench.h"

#include <stdlib.h>

enum { STACK = 16 << 10 };

static sys_cap_t ep, ping, pong;

/* ---- servers ---- */

/* Answers with as much as came; what capabilities come are kept. */
static void echo(sys_cap_t from, uint16_t accept)
{
	sys_msg_t msg = {.accept = accept};
	sys_cap_t reply;

	MUST(sys_reply_create(SYS_CAP_UNTYPED, &reply));
	sys_status_t status = sys_ipc_recv(from, reply, &msg, NULL, SYS_TIME_INFINITE);
	while (status == SYS_OK) {
		msg.caps = 0;
		status = sys_ipc_reply_recv(reply, &msg, from, NULL, SYS_TIME_INFINITE);
	}
}

static int echo_thread(void *argument)
{
	(void)argument;
	echo(ep, 0);
	return 0;
}

static void side_echo(void)
{
	echo(side_find("ep"), 0);
}

static void side_keep(void)
{
	echo(side_find("ep"), 1);
}

static void side_echo4(void)
{
	sys_cap_t from = side_find("ep"), reply;
	sys_msg_t msg = {0};

	MUST(sys_reply_create(SYS_CAP_UNTYPED, &reply));
	sys_status_t status = sys_ipc_recv(from, reply, &msg, NULL, SYS_TIME_INFINITE);
	while (status == SYS_OK)
		status = sys_ipc_reply_recv4(reply, &msg.label, msg.word, from, NULL);
}

static void side_pong(void)
{
	sys_cap_t in = side_find("ping"), out = side_find("pong");
	uint64_t bits;

	for (;;) {
		MUST(sys_notification_wait(in, &bits, SYS_TIME_INFINITE));
		MUST(sys_notification_signal(out, bits));
	}
}

const struct bench_side bench_sides[] = {
	{"echo", side_echo}, {"keep", side_keep}, {"echo4", side_echo4}, {"pong", side_pong}, {NULL, NULL},
};

/* ---- operations ---- */

static sys_msg_t message;

static void run_call(void *argument, unsigned round)
{
	(void)argument, (void)round;
	MUST(sys_ipc_call(ep, &message, SYS_TIME_INFINITE));
}

static void run_call4(void *argument, unsigned round)
{
	(void)argument, (void)round;
	MUST(sys_ipc_call4(ep, &message.label, message.word));
}

static void put_copy(void *argument, unsigned round)
{
	(void)argument, (void)round;
	message.caps = 1;
	MUST(sys_cap_copy(ep, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &message.cap[0]));
}

static void run_signal(void *argument, unsigned round)
{
	(void)argument, (void)round;
	MUST(sys_notification_signal(ping, 1));
}

static void run_ping(void *argument, unsigned round)
{
	uint64_t bits;
	(void)argument, (void)round;
	MUST(sys_notification_signal(ping, 1));
	MUST(sys_notification_wait(pong, &bits, SYS_TIME_INFINITE));
}

/* ---- rows ---- */

static void bench_same(void)
{
	sys_cap_t thread;

	MUST(sys_endpoint_create(SYS_CAP_UNTYPED, &ep));
	MUST(sys_thread_spawn(SYS_CAP_UNTYPED, echo_thread, NULL, STACK, &thread));
	measure(&(struct operation){.id = "ipc_0w_same", .run = run_call});
	MUST(sys_cap_delete(ep));
	MUST(sys_thread_kill(thread, 0));
	MUST(sys_cap_delete(thread));
}

/* One row against a server of this kind. */
static void bench_other(const char *side, const struct operation *op)
{
	sys_startup_item_t given = {"ep", SYS_CAP_NULL, 0};
	sys_process_t process;

	MUST(sys_endpoint_create(SYS_CAP_UNTYPED, &ep));
	given.vmo = ep;
	side_start(side, &given, 1, &process);
	message = (sys_msg_t){.words = message.words};
	measure(op);
	MUST(sys_process_end(&process));
	MUST(sys_cap_delete(ep));
}

static void bench_notifications(void)
{
	sys_process_t process;

	MUST(sys_notification_create(SYS_CAP_UNTYPED, &ping));
	MUST(sys_notification_create(SYS_CAP_UNTYPED, &pong));
	measure(&(struct operation){.id = "ntfn_signal", .run = run_signal});
	const sys_startup_item_t given[] = {{"ping", ping, 0}, {"pong", pong, 0}};
	side_start("pong", given, 2, &process);
	run_ping(NULL, 0);
	measure(&(struct operation){.id = "ntfn_pingpong_other", .run = run_ping});
	MUST(sys_process_end(&process));
	MUST(sys_cap_delete(ping));
	MUST(sys_cap_delete(pong));
}

void bench_rows(void)
{
	bench_same();
	bench_other("echo", &(struct operation){.id = "ipc_0w_other", .run = run_call});
	bench_other("echo4", &(struct operation){.id = "ipc_4w_other", .run = run_call4});
	message.words = SYS_MSG_WORDS;
	bench_other("echo", &(struct operation){.id = "ipc_64w_other", .run = run_call});
	message.words = 0;
	bench_other("keep", &(struct operation){.id = "ipc_cap_other", .prepare = put_copy, .run = run_call});
	bench_notifications();
}
