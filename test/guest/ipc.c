/* SPDX-License-Identifier: BSD-2-Clause */
/* ipc.c: endpoints and replies: messages, capabilities in messages, deadlines, order, and every refusal. */
#include "common/ipcjob.h"

#include <stdio.h>
#include <string.h>

enum { SLOTS = 16 };

static sys_msg_t numbered(uint64_t label, uint32_t words)
{
	sys_msg_t msg = {.label = label, .words = words};
	for (uint32_t i = 0; i < words && i < SYS_MSG_WORDS; i++)
		msg.word[i] = label * 1000 + i;
	return msg;
}

static void check_numbered(const sys_msg_t *msg, uint64_t label, uint32_t words)
{
	EQ(msg->label, label);
	EQ(msg->words, words);
	for (uint32_t i = 0; i < words; i++)
		EQ(msg->word[i], label * 1000 + i);
}

/* ---- what works ---- */

static const uint32_t lengths[] = {0, 1, 3, 4, 5, 17, 63, 64};
enum { LENGTHS = sizeof(lengths) / sizeof(lengths[0]) };

TEST("ipc_send:OK ipc_recv:OK every length, the sender first")
{
	sys_cap_t ep = new_endpoint(), badged;

	OKAY(sys_cap_mint(ep, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHT_SEND, 31, &badged));
	for (int i = 0; i < LENGTHS; i++) {
		struct ipc_job job = {.op = JOB_SEND, .ep = badged, .msg = numbered(i + 1, lengths[i])};
		sys_cap_t thread = job_start(&job);
		sys_msg_t msg = {0};
		uint64_t badge = 0;

		until_waiting(thread);
		OKAY(sys_ipc_recv(ep, SYS_CAP_NULL, &msg, &badge, SYS_TIME_POLL));
		check_numbered(&msg, i + 1, lengths[i]);
		EQ(badge, 31);
		EQ(msg.caps, 0);
		EQ(until_exited(thread), SYS_OK);
	}
}

TEST("ipc_send:OK ipc_recv:OK every length, the receiver first, also by polling")
{
	sys_cap_t ep = new_endpoint();

	for (int i = 0; i < LENGTHS; i++) {
		struct ipc_job job = {.op = JOB_RECV, .ep = ep};
		sys_cap_t thread = job_start(&job);
		sys_msg_t msg = numbered(i + 1, lengths[i]);

		until_waiting(thread);
		OKAY(sys_ipc_send(ep, &msg, SYS_TIME_POLL));
		EQ(until_exited(thread), SYS_OK);
		check_numbered(&job.msg, i + 1, lengths[i]);
		EQ(job.badge, 0);
	}
}

TEST("ipc_recv:OK only what came is written")
{
	sys_cap_t ep = new_endpoint();
	struct ipc_job job = {.op = JOB_SEND, .ep = ep, .msg = numbered(3, 2)};
	sys_msg_t msg;

	memset(&msg, 0x77, sizeof(msg));
	msg.accept = 0;
	sys_cap_t thread = job_start(&job);
	OKAY(sys_ipc_recv(ep, SYS_CAP_NULL, &msg, NULL, after(LIMIT)));
	check_numbered(&msg, 3, 2);
	for (uint32_t i = 2; i < SYS_MSG_WORDS; i++)
		EQ(msg.word[i], 0x7777777777777777);
	EQ(until_exited(thread), SYS_OK);
}

TEST("ipc_call:OK ipc_reply:OK every length both ways")
{
	sys_cap_t ep = new_endpoint(), reply = new_reply();

	for (int i = 0; i < LENGTHS; i++) {
		struct ipc_job job = {.op = JOB_CALL, .ep = ep, .msg = numbered(i + 1, lengths[i])};
		sys_cap_t thread = job_start(&job);
		sys_msg_t msg = {0}, answer = numbered(i + 100, lengths[LENGTHS - 1 - i]);
		uint64_t badge = 5;

		OKAY(sys_ipc_recv(ep, reply, &msg, &badge, after(LIMIT)));
		check_numbered(&msg, i + 1, lengths[i]);
		EQ(badge, 0);
		EQ(thread_info(thread).state, SYS_THREAD_WAITING);
		OKAY(sys_ipc_reply(reply, &answer));
		EQ(until_exited(thread), SYS_OK);
		check_numbered(&job.msg, i + 100, lengths[LENGTHS - 1 - i]);
	}
}

/* A server at places of its own choosing: every length comes and goes back reversed, words behind the last as they were. */
struct mirror { sys_cap_t ep, reply; sys_msg_t *msg; volatile unsigned served; };

static int64_t reflect(void *arg)
{
	struct mirror *m = arg;
	sys_status_t status = sys_ipc_recv(m->ep, m->reply, m->msg, NULL, SYS_TIME_INFINITE);

	while (status == SYS_OK) {
		m->served++;
		for (uint32_t i = 0, j = m->msg->words; i + 1 < j; i++) {
			uint64_t first = m->msg->word[i];
			m->msg->word[i] = m->msg->word[--j];
			m->msg->word[j] = first;
		}
		status = sys_ipc_reply_recv(m->reply, m->msg, m->ep, NULL, SYS_TIME_INFINITE);
	}
	return status;
}

static void mirror_calls(struct mirror *m, sys_msg_t *msg)
{
	sys_cap_t thread;

	m->ep = new_endpoint();
	m->reply = new_reply();
	m->msg->accept = msg->accept = 0;
	thread = helper_start(reflect, m);
	until_waiting(thread);
	for (uint32_t words = 0; words <= SYS_MSG_WORDS; words++) {
		for (uint32_t i = 0; i < SYS_MSG_WORDS; i++)
			msg->word[i] = 100 * words + i;
		msg->label = words;
		msg->words = words;
		msg->caps = 0;
		OKAY(sys_ipc_call(m->ep, msg, SYS_TIME_INFINITE));
		EQ(msg->label, words);
		EQ(msg->words, words);
		for (uint32_t i = 0; i < SYS_MSG_WORDS; i++)
			EQ(msg->word[i], 100 * words + (i < words ? words - 1 - i : i));
	}
	EQ(m->served, SYS_MSG_WORDS + 1);
	OKAY(sys_thread_kill(thread, 0));
}

TEST("ipc_call:OK ipc_reply_recv:OK every length, messages anywhere in their pages, also across two")
{
	static const unsigned at[] = {0, PAGE - sizeof(sys_msg_t), PAGE - 300, PAGE - 48, PAGE - 8};
	enum { PLACES = sizeof(at) / sizeof(at[0]) };
	uint8_t *mine = map(new_vmo(2 * PAGE), 2 * PAGE), *its = map(new_vmo(2 * PAGE), 2 * PAGE);

	for (int i = 0; i < PLACES * PLACES; i++) {
		struct mirror m = {.msg = (sys_msg_t *)(its + at[i / PLACES])};
		mirror_calls(&m, (sys_msg_t *)(mine + at[i % PLACES]));
		helper_drop(1);
	}
	unmap(mine, 2 * PAGE);
	unmap(its, 2 * PAGE);
}

TEST("ipc_call:OK ipc_reply_recv:OK both messages at one place")
{
	static sys_msg_t both;
	struct mirror m = {.msg = &both};

	m.ep = new_endpoint();
	m.reply = new_reply();
	sys_cap_t thread = helper_start(reflect, &m);
	until_waiting(thread);
	both = numbered(1, SYS_MSG_WORDS);
	OKAY(sys_ipc_call(m.ep, &both, SYS_TIME_INFINITE));
	for (uint32_t i = 0; i < SYS_MSG_WORDS; i++)
		EQ(both.word[i], 1000 + SYS_MSG_WORDS - 1 - i);
	OKAY(sys_thread_kill(thread, 0));
}

struct caller { sys_cap_t ep; sys_msg_t *msg; };

/* A call, and then one of no words, so that who answers the first need not wait for nothing. */
static int64_t call_twice(void *arg)
{
	struct caller *c = arg;
	sys_status_t status = sys_ipc_call(c->ep, c->msg, SYS_TIME_INFINITE);
	uint64_t label = 0, word[4] = {0, 0, 0, 0};

	return status == SYS_OK ? sys_ipc_call4(c->ep, &label, word) : status;
}

/* A server whose answers bring back what came, its own endpoint's capability among it. */
static int64_t give_back(void *arg)
{
	struct mirror *m = arg;
	sys_status_t status = sys_ipc_recv(m->ep, m->reply, m->msg, NULL, SYS_TIME_INFINITE);

	while (status == SYS_OK) {
		m->served++;
		status = sys_ipc_reply_recv(m->reply, m->msg, m->ep, NULL, SYS_TIME_INFINITE);
	}
	return status;
}

TEST("ipc_call:OK ipc_reply_recv:OK four capabilities and every length, there and back")
{
	static sys_msg_t its, mine;
	static const uint32_t words[] = {0, 4, 5, SYS_MSG_WORDS};
	struct mirror m = {.ep = new_endpoint(), .reply = new_reply(), .msg = &its};
	sys_cap_t badged;

	its.accept = SYS_MSG_CAPS;
	sys_cap_t thread = helper_start(give_back, &m), vmo = new_vmo(PAGE);
	until_waiting(thread);
	put(vmo, 0, 99);
	OKAY(sys_cap_mint(m.ep, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, 41, &badged));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		sys_koid_t koid = cap_info(m.ep).koid;
		mine = numbered(9, words[i]);
		mine.accept = SYS_MSG_CAPS;
		mine.caps = 4;          /* the one that the call is made through goes along */
		sys_cap_t names[] = {vmo, badged, new_notification(), reduced(ut, SYS_RIGHT_GRANT)};
		memcpy(mine.cap, names, sizeof(names));
		OKAY(sys_ipc_call(badged, &mine, SYS_TIME_INFINITE));
		check_numbered(&mine, 9, words[i]);
		EQ(mine.caps, 4);
		EQ(mine.accept, SYS_MSG_CAPS);
		for (int c = 0; c < 4; c++)
			CHECK(cap_is_gone(names[c]));
		vmo = mine.cap[0];
		badged = mine.cap[1];
		EQ(get(vmo, 0), 99);
		EQ(cap_info(badged).badge, 41);
		EQ(cap_info(badged).koid, koid);
		EQ(cap_info(mine.cap[2]).type, SYS_TYPE_NOTIFICATION);
		EQ(cap_info(mine.cap[3]).rights, SYS_RIGHT_GRANT);
	}
	EQ(m.served, sizeof(words) / sizeof(words[0]));
	OKAY(sys_thread_kill(thread, 0));
}

TEST("ipc_recv:OK the badge of a capability that goes along in its own message")
{
	struct ipc_job job = {.op = JOB_RECV, .ep = new_endpoint(), .reply = new_reply(), .msg = {.accept = 1}};
	sys_msg_t msg = {.caps = 1};
	sys_cap_t badged, thread = job_start(&job);

	until_waiting(thread);
	OKAY(sys_cap_mint(job.ep, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, 41, &badged));
	msg.cap[0] = badged;
	struct caller c = {.ep = badged, .msg = &msg};
	sys_cap_t caller = helper_start(call_twice, &c);
	EQ(until_exited(thread), SYS_OK);
	EQ(job.badge, 41);
	CHECK(cap_is_gone(badged));
	OKAY(sys_ipc_reply(job.reply, &(sys_msg_t){0}));
	EQ(until_exited(caller), SYS_ERR_BAD_CAP);
}

/* The receiver's page is shared with a snapshot when the words come, first the server's, then the caller's. */
TEST("ipc_call:OK ipc_reply_recv:OK what comes is not written to a snapshot's page")
{
	enum { LAST = SYS_MSG_WORDS - 1 };
	const uint64_t at = offsetof(sys_msg_t, word[LAST]);
	sys_cap_t mine = new_vmo(PAGE), its = new_vmo(PAGE), before;
	struct mirror m = {.ep = new_endpoint(), .reply = new_reply(), .msg = map(its, PAGE)};
	struct caller c = {.ep = new_endpoint(), .msg = map(mine, PAGE)};
	sys_msg_t msg = numbered(7, SYS_MSG_WORDS);
	sys_cap_t thread;

	*m.msg = numbered(1, 0);
	m.msg->word[LAST] = 55;
	sys_cap_t server = helper_start(reflect, &m);
	until_waiting(server);
	before = new_snapshot(its, 0, PAGE);
	OKAY(sys_ipc_call(m.ep, &msg, SYS_TIME_INFINITE));
	EQ(msg.word[0], 7000 + LAST);
	EQ(get(before, at), 55);
	EQ(get(its, at), 7000);

	*c.msg = numbered(3, SYS_MSG_WORDS);
	thread = helper_start(call_twice, &c);
	OKAY(sys_ipc_recv(c.ep, m.reply = new_reply(), &msg, NULL, after(LIMIT)));
	check_numbered(&msg, 3, SYS_MSG_WORDS);
	before = new_snapshot(mine, 0, PAGE);
	msg = numbered(4, SYS_MSG_WORDS);
	OKAY(sys_ipc_reply_recv(m.reply, &msg, c.ep, NULL, SYS_TIME_INFINITE));
	OKAY(sys_ipc_reply(m.reply, &msg));
	EQ(until_exited(thread), SYS_OK);
	EQ(get(before, at), 3000 + LAST);
	EQ(get(mine, at), 4000 + LAST);
	unmap(m.msg, PAGE);
	unmap(c.msg, PAGE);
}

struct client { sys_cap_t ep; volatile uint64_t sum; };

static int64_t three_calls(void *arg)
{
	struct client *client = arg;
	sys_msg_t msg;

	for (uint64_t i = 1; i <= 3; i++) {
		msg.label = i;
		msg.words = 1;
		msg.caps = 0;
		msg.accept = 0;
		msg.word[0] = i * 10;
		sys_status_t status = sys_ipc_call(client->ep, &msg, SYS_TIME_INFINITE);
		if (status != SYS_OK)
			return status;
		client->sum += msg.word[0];
	}
	return SYS_OK;
}

TEST("ipc_reply_recv:OK a server's loop")
{
	struct client client = {.ep = new_endpoint()};
	sys_cap_t reply = new_reply(), thread = helper_start(three_calls, &client);
	sys_msg_t msg = {0};
	uint64_t badge;

	OKAY(sys_ipc_recv(client.ep, reply, &msg, &badge, after(LIMIT)));
	for (uint64_t i = 1; i < 3; i++) {
		EQ(msg.label, i);
		msg.word[0] += 1;
		OKAY(sys_ipc_reply_recv(reply, &msg, client.ep, &badge, after(LIMIT)));
	}
	msg.word[0] += 1;
	OKAY(sys_ipc_reply(reply, &msg));
	EQ(until_exited(thread), SYS_OK);
	EQ(client.sum, 63);
}

TEST("ipc_send:OK four capabilities move, with their rights, badges and descendants")
{
	sys_cap_t ep = new_endpoint(), cnode = new_cnode(SLOTS), name, badged;
	sys_cap_t vmo = new_vmo(PAGE), child = reduced(vmo, SYS_RIGHTS_SAME), third = new_endpoint();
	sys_koid_t koid = cap_info(vmo).koid;
	struct ipc_job job = {.op = JOB_RECV, .ep = 1, .msg = {.accept = SYS_MSG_CAPS}};
	sys_msg_t msg = {.label = 9, .caps = 4};

	OKAY(sys_cap_mint(third, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHT_SEND | SYS_RIGHT_GRANT, 8, &badged));
	OKAY(sys_cap_copy(ep, cnode, 1, SYS_RIGHTS_SAME, &name));
	sys_cap_t thread = job_start_in(&job, cnode);
	until_waiting(thread);
	sys_cap_t moved[SYS_MSG_CAPS] = {vmo, badged, new_reply(), reduced(third, SYS_RIGHT_GRANT)};
	memcpy(msg.cap, moved, sizeof(moved));
	OKAY(sys_ipc_send(ep, &msg, after(LIMIT)));
	EQ(until_exited(thread), SYS_OK);
	EQ(job.msg.caps, 4);
	EQ(job.msg.label, 9);
	for (int i = 0; i < 4; i++)
		CHECK(cap_is_gone(moved[i]));
	sys_cap_info_t info;
	static const struct {
		enum sys_type type;
		sys_rights_t rights;
		uint64_t badge;
	} want[] = {
		{SYS_TYPE_VMO, SYS_RIGHTS_VMO & ~SYS_RIGHT_RESIZE, 0},
		{SYS_TYPE_ENDPOINT, SYS_RIGHT_SEND | SYS_RIGHT_GRANT, 8},
		{SYS_TYPE_REPLY, SYS_RIGHTS_REPLY, 0},
		{SYS_TYPE_ENDPOINT, SYS_RIGHT_GRANT, 0},
	};
	for (int i = 0; i < 4; i++) {
		OKAY(sys_cnode_info(cnode, (uint32_t)job.msg.cap[i], &name, &info));
		EQ(name, job.msg.cap[i]);
		EQ(info.type, want[i].type);
		EQ(info.rights, want[i].rights);
		EQ(info.badge, want[i].badge);
	}
	OKAY(sys_cnode_info(cnode, (uint32_t)job.msg.cap[0], &name, &info));
	EQ(info.koid, koid);
	CHECK(info.derived);
	EQ(get(child, 0), 0);
}

TEST("ipc_reply:OK ipc_call:OK a capability comes back with the answer")
{
	struct ipc_job job = {.msg = {.accept = 1}};
	sys_cap_t thread, reply = job_held_call(&job, &thread), vmo = new_vmo(PAGE);
	sys_msg_t answer = {.label = 1, .caps = 1, .cap = {vmo}};

	put(vmo, 8, 123);
	OKAY(sys_ipc_reply(reply, &answer));
	EQ(until_exited(thread), SYS_OK);
	EQ(job.msg.caps, 1);
	CHECK(cap_is_gone(vmo));
	EQ(get(job.msg.cap[0], 8), 123);
}

TEST("ipc_send:OK order: higher priority first, then who came first")
{
	sys_cap_t ep = new_endpoint();
	uint32_t low = own_priority() - 1;
	struct ipc_job job[4];
	sys_cap_t thread[4];
	static const uint64_t want[] = {2, 3, 0, 1};

	for (int i = 0; i < 4; i++) {
		job[i] = (struct ipc_job){.op = JOB_SEND, .ep = ep, .msg = {.label = i}};
		thread[i] = job_start_at(&job[i], i < 2 ? low : low + 1);
		sleep_until(thread[i], SYS_THREAD_WAITING);
	}
	for (int i = 0; i < 4; i++) {
		sys_msg_t msg = {0};
		OKAY(sys_ipc_recv(ep, SYS_CAP_NULL, &msg, NULL, SYS_TIME_POLL));
		EQ(msg.label, want[i]);
	}
}

TEST("ipc_recv:PEER_CLOSED ipc_call:PEER_CLOSED a call to who takes no calls")
{
	struct ipc_job job = {.op = JOB_CALL, .ep = new_endpoint(), .msg = numbered(4, 1)};
	sys_cap_t thread = job_start(&job);
	sys_msg_t msg = {0};

	until_waiting(thread);
	OKAY(sys_ipc_recv(job.ep, SYS_CAP_NULL, &msg, NULL, after(LIMIT)));
	EQ(msg.label, 4);
	EQ(until_exited(thread), SYS_ERR_PEER_CLOSED);
}

/* ---- waiting in vain ---- */

TEST("ipc_send:TIMED_OUT ipc_call:TIMED_OUT ipc_recv:TIMED_OUT nobody comes")
{
	sys_cap_t ep = new_endpoint(), reply = new_reply();
	sys_msg_t msg = numbered(1, 1);

	REFUSED(SYS_ERR_TIMED_OUT, sys_ipc_send(ep, &msg, SYS_TIME_POLL));
	REFUSED(SYS_ERR_TIMED_OUT, sys_ipc_recv(ep, reply, &msg, NULL, SYS_TIME_POLL));
	sys_time_t start = sys_clock_get();
	REFUSED(SYS_ERR_TIMED_OUT, sys_ipc_send(ep, &msg, start + MILLISECOND));
	CHECK(sys_clock_get() >= start + MILLISECOND);
	REFUSED(SYS_ERR_TIMED_OUT, sys_ipc_recv(ep, SYS_CAP_NULL, &msg, NULL, start + 2 * MILLISECOND));
	CHECK(sys_clock_get() >= start + 2 * MILLISECOND);
	start = sys_clock_get();                /* far enough ahead that a busy machine does not begin the call after it */
	REFUSED(SYS_ERR_TIMED_OUT, sys_ipc_call(ep, &msg, start + SECOND / 5));
	CHECK(sys_clock_get() >= start + SECOND / 5 && sys_clock_get() < start + 5 * SECOND);
	/* who timed out is on no list any more */
	REFUSED(SYS_ERR_TIMED_OUT, sys_ipc_recv(ep, SYS_CAP_NULL, &msg, NULL, SYS_TIME_POLL));
}

TEST("ipc_call:INVALID_ARGS a deadline in the past")
{
	sys_cap_t ep = new_endpoint();
	sys_msg_t msg = numbered(1, 1);

	REFUSED(SYS_ERR_INVALID_ARGS, sys_ipc_call(ep, &msg, SYS_TIME_POLL));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_ipc_call(ep, &msg, 1));
}

TEST("ipc_call:TIMED_OUT ipc_reply:BAD_STATE the answer comes too late, twice, to nobody")
{
	struct ipc_job job = {.deadline = after(SECOND)};
	sys_cap_t thread, reply = job_held_call(&job, &thread), unused = new_reply();
	sys_msg_t msg = numbered(1, 1);

	EQ(until_exited(thread), SYS_ERR_TIMED_OUT);
	REFUSED(SYS_ERR_BAD_STATE, sys_ipc_reply(reply, &msg));
	REFUSED(SYS_ERR_BAD_STATE, sys_ipc_reply(unused, &msg));
	struct ipc_job again = {0};
	reply = job_held_call(&again, &thread);
	OKAY(sys_ipc_reply(reply, &msg));
	REFUSED(SYS_ERR_BAD_STATE, sys_ipc_reply(reply, &msg));
	EQ(until_exited(thread), SYS_OK);
}

TEST("ipc_reply:BAD_STATE ipc_reply_recv:BAD_STATE the caller was killed")
{
	struct ipc_job job = {0};
	sys_cap_t thread, reply = job_held_call(&job, &thread), ep = new_endpoint();
	sys_msg_t msg = numbered(1, 1);

	OKAY(sys_thread_kill(thread, 9));
	REFUSED(SYS_ERR_BAD_STATE, sys_ipc_reply(reply, &msg));
	REFUSED(SYS_ERR_BAD_STATE, sys_ipc_reply_recv(reply, &msg, ep, NULL, after(LIMIT)));
	EQ(job.status, 77);
}

TEST("ipc_recv:BAD_STATE the reply object still holds a caller")
{
	struct ipc_job job = {0};
	sys_cap_t thread, reply = job_held_call(&job, &thread);
	sys_msg_t msg = {0};

	REFUSED(SYS_ERR_BAD_STATE, sys_ipc_recv(job.ep, reply, &msg, NULL, SYS_TIME_POLL));
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	OKAY(sys_ipc_reply(reply, &msg));
	EQ(until_exited(thread), SYS_OK);
}

TEST("ipc_call:PEER_CLOSED the reply is dropped unused")
{
	struct ipc_job job = {0};
	sys_cap_t thread, reply = job_held_call(&job, &thread);

	OKAY(sys_cap_delete(reply));
	EQ(until_exited(thread), SYS_ERR_PEER_CLOSED);
}

TEST("ipc_reply_recv:BAD_CAP the answer takes away what the call would receive with")
{
	for (int which = 0; which < 2; which++) {
		struct ipc_job job = {.msg = {.accept = 1}};
		sys_cap_t thread, reply = job_held_call(&job, &thread);
		sys_msg_t msg = {.caps = 1, .cap = {which == 0 ? job.ep : reply}};
		sys_cap_t taken = msg.cap[0];

		STATUS(SYS_ERR_BAD_CAP, sys_ipc_reply_recv(reply, &msg, job.ep, NULL, after(LIMIT)));
		EQ(until_exited(thread), SYS_OK);
		EQ(job.msg.caps, 1);
		CHECK(cap_is_gone(taken));
		EQ(cap_info(job.msg.cap[0]).type, which == 0 ? SYS_TYPE_ENDPOINT : SYS_TYPE_REPLY);
	}
}

TEST("ipc_reply_recv:TIMED_OUT after the answer is given")
{
	struct ipc_job job = {0};
	sys_cap_t thread, reply = job_held_call(&job, &thread);
	sys_msg_t msg = numbered(6, 2);

	STATUS(SYS_ERR_TIMED_OUT, sys_ipc_reply_recv(reply, &msg, job.ep, NULL, after(MILLISECOND)));
	EQ(until_exited(thread), SYS_OK);
	check_numbered(&job.msg, 6, 2);
}

/* ---- the other side ends ---- */

TEST("ipc_send:PEER_CLOSED ipc_call:PEER_CLOSED the last capability to receive goes, and later")
{
	sys_cap_t ep = new_endpoint(), send_only = reduced(ep, SYS_RIGHT_SEND | SYS_RIGHT_COPY);
	struct ipc_job send = {.op = JOB_SEND, .ep = send_only}, call = {.op = JOB_CALL, .ep = send_only};
	sys_cap_t sender = job_start(&send), caller = job_start(&call), second = reduced(ep, SYS_RIGHT_RECV);
	sys_msg_t msg = {0};

	until_waiting(sender);
	until_waiting(caller);
	OKAY(sys_cap_delete(second));
	EQ(thread_info(sender).state, SYS_THREAD_WAITING);
	OKAY(sys_cap_delete(ep));
	EQ(until_exited(sender), SYS_ERR_PEER_CLOSED);
	EQ(until_exited(caller), SYS_ERR_PEER_CLOSED);
	REFUSED(SYS_ERR_PEER_CLOSED, sys_ipc_send(send_only, &msg, SYS_TIME_POLL));
	REFUSED(SYS_ERR_PEER_CLOSED, sys_ipc_send(send_only, &msg, SYS_TIME_INFINITE));
	REFUSED(SYS_ERR_PEER_CLOSED, sys_ipc_call(send_only, &msg, SYS_TIME_INFINITE));
}

TEST("ipc_recv:PEER_CLOSED ipc_reply_recv:PEER_CLOSED the endpoint ends while they wait")
{
	struct ipc_job held = {0};
	sys_cap_t held_thread, reply = job_held_call(&held, &held_thread), ep = new_endpoint();
	struct ipc_job recv = {.op = JOB_RECV, .ep = ep}, server = {.op = JOB_REPLY_RECV, .ep = ep, .reply = reply};
	sys_cap_t receiver = job_start(&recv), second = job_start(&server);

	until_waiting(receiver);
	until_waiting(second);
	EQ(until_exited(held_thread), SYS_OK);
	OKAY(sys_cap_delete(ep));
	EQ(until_exited(receiver), SYS_ERR_PEER_CLOSED);
	EQ(until_exited(second), SYS_ERR_PEER_CLOSED);
}

TEST("ipc_recv:OK a receiver that is killed leaves the endpoint, its sender waits on")
{
	sys_cap_t ep = new_endpoint();
	struct ipc_job recv = {.op = JOB_RECV, .ep = ep}, send = {.op = JOB_SEND, .ep = ep, .msg = numbered(2, 6)};
	sys_cap_t receiver = job_start(&recv);
	sys_msg_t msg = {0};

	until_waiting(receiver);
	OKAY(sys_thread_kill(receiver, 1));
	sys_cap_t sender = job_start(&send);
	until_waiting(sender);
	OKAY(sys_ipc_recv(ep, SYS_CAP_NULL, &msg, NULL, SYS_TIME_POLL));
	check_numbered(&msg, 2, 6);
	EQ(until_exited(sender), SYS_OK);
}

/* ---- messages that are refused: by send, call, reply and reply_recv alike ---- */

enum { SEND, CALL, REPLY, REPLY_RECV, EMITTERS };

/* Someone who waits for what we emit: a receiver on ep, or a caller that `reply` holds. */
struct stage { sys_cap_t ep, reply, thread, cspace; struct ipc_job job; };

static void set_stage(struct stage *s, int how, uint16_t accept, bool full)
{
	sys_cap_t name;

	memset(s, 0, sizeof(*s));
	s->ep = new_endpoint();
	s->cspace = new_cnode(SLOTS);
	OKAY(sys_cap_copy(s->ep, s->cspace, 1, SYS_RIGHTS_SAME, &name));
	s->reply = new_reply();
	if (how == SEND || how == CALL) {
		OKAY(sys_cap_move(s->reply, s->cspace, 2, &name));
		s->job = (struct ipc_job){.op = JOB_ANSWER, .ep = 1, .reply = 2};
	} else {
		s->job = (struct ipc_job){.op = JOB_CALL, .ep = 1};
	}
	for (uint32_t slot = 3; full && slot < SLOTS; slot++)
		OKAY(sys_cap_copy(s->ep, s->cspace, slot, SYS_RIGHTS_SAME, &name));
	if (full && (how == REPLY || how == REPLY_RECV))
		OKAY(sys_cap_copy(s->ep, s->cspace, 2, SYS_RIGHTS_SAME, &name));
	s->job.msg.accept = accept;
	s->thread = job_start_in(&s->job, s->cspace);
	until_waiting(s->thread);
	sys_msg_t msg = {0};
	if (how == REPLY || how == REPLY_RECV)
		OKAY(sys_ipc_recv(s->ep, s->reply, &msg, NULL, after(LIMIT)));
}

static sys_status_t emit(int how, const struct stage *s, sys_msg_t *msg, sys_time_t deadline)
{
	switch (how) {
	case SEND:
		return sys_ipc_send(s->ep, msg, deadline);
	case CALL:
		return sys_ipc_call(s->ep, msg, deadline);
	case REPLY:
		return sys_ipc_reply(s->reply, msg);
	default:
		return sys_ipc_reply_recv(s->reply, msg, s->ep, NULL, deadline);
	}
}

/* The message is refused, its capabilities stay, and the other side goes on waiting: a good message then reaches it. */
static void emit_refused(int how, struct stage *s, sys_msg_t *msg, sys_status_t want)
{
	sys_msg_t good = numbered(17, 2);

	REFUSED(want, emit(how, s, msg, after(LIMIT)));
	REFUSED(want, emit(how, s, msg, SYS_TIME_INFINITE));
	EQ(thread_info(s->thread).state, SYS_THREAD_WAITING);
	EQ(s->job.status, 77);
	if (how == REPLY_RECV)
		STATUS(SYS_ERR_TIMED_OUT, emit(how, s, &good, after(5 * MILLISECOND)));
	else
		OKAY(emit(how, s, &good, after(LIMIT)));
	EQ(until_exited(s->thread), SYS_OK);
	check_numbered(&s->job.msg, 17, 2);
}

static void bad_label(int how)
{
	struct stage s;
	sys_msg_t msg = {.label = SYS_LABEL_KERNEL | 5};

	set_stage(&s, how, 0, false);
	emit_refused(how, &s, &msg, SYS_ERR_INVALID_ARGS);
}

static void bad_words(int how)
{
	struct stage s;
	sys_msg_t msg = {.words = SYS_MSG_WORDS + 1};

	set_stage(&s, how, 0, false);
	emit_refused(how, &s, &msg, SYS_ERR_INVALID_ARGS);
}

static void bad_caps(int how)
{
	struct stage s;
	sys_msg_t msg = {.caps = SYS_MSG_CAPS + 1};

	set_stage(&s, how, SYS_MSG_CAPS, false);
	emit_refused(how, &s, &msg, SYS_ERR_INVALID_ARGS);
}

static void bad_cap_in_message(int how)
{
	struct stage s;
	sys_cap_t vmo = new_vmo(PAGE);
	sys_msg_t msg = {.caps = 2, .cap = {vmo, stale_cap()}};

	set_stage(&s, how, SYS_MSG_CAPS, false);
	emit_refused(how, &s, &msg, SYS_ERR_BAD_CAP);
	CHECK(!cap_is_gone(vmo));
}

static void no_grant(int how)
{
	struct stage s;
	sys_cap_t vmo = new_vmo(PAGE), weak = less(vmo, SYS_RIGHT_GRANT);
	sys_msg_t msg = {.caps = 2, .cap = {vmo, weak}};

	set_stage(&s, how, SYS_MSG_CAPS, false);
	emit_refused(how, &s, &msg, SYS_ERR_ACCESS_DENIED);
	CHECK(!cap_is_gone(vmo) && !cap_is_gone(weak));
}

static void too_many(int how)
{
	struct stage s;
	sys_cap_t vmo = new_vmo(PAGE), ep = new_endpoint();
	sys_msg_t msg = {.caps = 2, .cap = {vmo, ep}};

	set_stage(&s, how, 1, false);
	emit_refused(how, &s, &msg, SYS_ERR_BUFFER_TOO_SMALL);
	CHECK(!cap_is_gone(vmo) && !cap_is_gone(ep));
}

static void no_slot(int how)
{
	struct stage s;
	sys_cap_t vmo = new_vmo(PAGE);
	sys_msg_t msg = {.caps = 1, .cap = {vmo}};

	set_stage(&s, how, SYS_MSG_CAPS, true);
	emit_refused(how, &s, &msg, SYS_ERR_NO_SLOT);
	CHECK(!cap_is_gone(vmo));
}

/* A message whose first words are there and whose fifth word is not. */
static void missing_words(int how)
{
	struct stage s;
	sys_vaddr_t base;
	sys_cap_t region = new_region(SYS_CAP_VMAR, 2 * PAGE, &base), vmo = new_vmo(PAGE);
	sys_vaddr_t at;

	OKAY(sys_vmar_map(region, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE | SYS_VM_SPECIFIC, 0, vmo, 0, PAGE, &at));
	sys_msg_t *msg = (sys_msg_t *)(base + PAGE - offsetof(sys_msg_t, word[4]));
	msg->label = 1;
	msg->words = 5;
	msg->caps = 0;
	msg->accept = 0;
	set_stage(&s, how, 0, false);
	emit_refused(how, &s, msg, SYS_ERR_BAD_ADDRESS);
	unmap((void *)base, 2 * PAGE);
}

void guest_tables(void)
{
	static const char *const names[EMITTERS] = {"ipc_send", "ipc_call", "ipc_reply", "ipc_reply_recv"};
	static const struct {
		const char *what;
		void (*run)(int);
	} cases[] = {
		{"INVALID_ARGS a label of the kernel's", bad_label},
		{"INVALID_ARGS too many words", bad_words},
		{"INVALID_ARGS too many capabilities", bad_caps},
		{"BAD_CAP a capability in the message is none", bad_cap_in_message},
		{"ACCESS_DENIED a capability in the message without GRANT", no_grant},
		{"BUFFER_TOO_SMALL more capabilities than accepted", too_many},
		{"NO_SLOT no room on the other side", no_slot},
		{"BAD_ADDRESS words that are not there", missing_words},
	};
	char name[96];

	for (int how = 0; how < EMITTERS; how++)
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			snprintf(name, sizeof(name), "%s:%s", names[how], cases[i].what);
			guest_add(name, cases[i].run, how);
		}
}

TEST("ipc_call:INVALID_ARGS ipc_recv:INVALID_ARGS ipc_reply_recv:INVALID_ARGS accepting more than there can be")
{
	struct ipc_job job = {0};
	sys_cap_t thread, reply = job_held_call(&job, &thread), other = new_reply(), ep = new_endpoint();
	sys_msg_t msg = {.accept = SYS_MSG_CAPS + 1};

	REFUSED(SYS_ERR_INVALID_ARGS, sys_ipc_call(ep, &msg, after(MILLISECOND)));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_ipc_recv(ep, other, &msg, NULL, SYS_TIME_POLL));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_ipc_reply_recv(reply, &msg, ep, NULL, SYS_TIME_POLL));
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
}

TEST("ipc_recv:BAD_ADDRESS ipc_call:BAD_ADDRESS no memory for the words that come")
{
	sys_vaddr_t base, at;
	sys_cap_t region = new_region(SYS_CAP_VMAR, 2 * PAGE, &base), vmo = new_vmo(PAGE), ep = new_endpoint(),
		  reply = new_reply();
	struct ipc_job send = {.op = JOB_SEND, .ep = ep, .msg = numbered(3, 8)};

	OKAY(sys_vmar_map(region, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE | SYS_VM_SPECIFIC, 0, vmo, 0, PAGE, &at));
	sys_msg_t *msg = (sys_msg_t *)(base + PAGE - offsetof(sys_msg_t, word[4]));
	msg->accept = 0;
	sys_cap_t sender = job_start(&send);
	until_waiting(sender);
	STATUS(SYS_ERR_BAD_ADDRESS, sys_ipc_recv(ep, reply, msg, NULL, after(LIMIT)));
	EQ(until_exited(sender), SYS_OK);
	unmap((void *)base, 2 * PAGE);
}

struct paged { sys_cap_t ep; sys_msg_t *msg; volatile sys_status_t status; };

static int64_t recv_into(void *arg)
{
	struct paged *paged = arg;
	return paged->status = sys_ipc_recv(paged->ep, SYS_CAP_NULL, paged->msg, NULL, SYS_TIME_INFINITE);
}

TEST("ipc_recv:OK the sender is done while the receiver's memory comes from a pager")
{
	sys_vaddr_t base, at;
	sys_cap_t pager_ep, pager = new_pager(&pager_ep), vmo, aux = new_vmo(PAGE), first = new_vmo(PAGE);
	sys_cap_t region = new_region(SYS_CAP_VMAR, 2 * PAGE, &base);
	sys_msg_t msg = numbered(12, 64), request = {0};
	uint64_t fresh;

	OKAY(sys_pager_create_vmo(pager, ut, 0, 1, PAGE, &vmo));
	OKAY(sys_vmar_map(region, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE | SYS_VM_SPECIFIC, 0, first, 0, PAGE, &at));
	OKAY(sys_vmar_map(region, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE | SYS_VM_SPECIFIC, PAGE, vmo, 0, PAGE, &at));
	struct paged paged = {new_endpoint(), (sys_msg_t *)(base + PAGE - offsetof(sys_msg_t, word[4])), 77};
	paged.msg->accept = 0;
	sys_cap_t thread = helper_start(recv_into, &paged);
	until_waiting(thread);
	OKAY(sys_ipc_send(paged.ep, &msg, SYS_TIME_POLL));
	OKAY(sys_ipc_recv(pager_ep, SYS_CAP_NULL, &request, NULL, after(LIMIT)));
	EQ(request.label, SYS_PAGER_READ);
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	OKAY(sys_pager_supply_pages(pager, vmo, 0, PAGE, aux, 0, &fresh));
	EQ(until_exited(thread), SYS_OK);
	check_numbered(paged.msg, 12, 64);
	unmap((void *)base, 2 * PAGE);
}
