/* SPDX-License-Identifier: BSD-2-Clause */
/* bind.c: notifications that are bound to a thread: their bits come as messages where it receives. */
#include "common/helper.h"

#include <string.h>

/* A thread that receives once, and what it got. */
struct receiver {
	sys_cap_t ep, reply;
	sys_time_t deadline;
	volatile sys_status_t status;
	uint64_t badge;
	sys_msg_t msg;
};

static int64_t receives(void *arg)
{
	struct receiver *r = arg;

	r->status = sys_ipc_recv(r->ep, r->reply, &r->msg, &r->badge, r->deadline);
	return r->status;
}

static struct receiver receiver;
static sys_cap_t ntfn;

/* Not started yet, bound to ntfn. */
static sys_cap_t bound_receiver(void)
{
	receiver = (struct receiver){
		.ep = new_endpoint(), .reply = new_reply(), .deadline = SYS_TIME_INFINITE, .badge = 99,
		.msg = {.accept = 2, .word = {1, 2, 3, 4, 5}, .cap = {6}},
	};
	ntfn = new_notification();
	sys_cap_t thread = helper_prepare(receives, &receiver, SYS_CAP_NULL, own_priority());
	OKAY(sys_thread_bind_notification(thread, ntfn));
	return thread;
}

static sys_cap_t waiting_receiver(void)
{
	sys_cap_t thread = bound_receiver();

	helper_go(thread);
	until_waiting(thread);
	return thread;
}

static void check_bits(const sys_msg_t *msg, uint64_t badge, uint64_t bits)
{
	EQ(msg->label, SYS_LABEL_NOTIFICATION);
	EQ(msg->words, 1);
	EQ(msg->caps, 0);
	EQ(msg->word[0], bits);
	EQ(badge, 0);
}

static void check_received(sys_cap_t thread, uint64_t bits)
{
	EQ(until_exited(thread), SYS_OK);
	check_bits(&receiver.msg, receiver.badge, bits);
	EQ(receiver.msg.accept, 2);
	EQ(receiver.msg.word[1], 2);                    /* one word came */
	EQ(receiver.msg.word[4], 5);
	EQ(receiver.msg.cap[0], 6);
}

static void no_bits(sys_cap_t n)
{
	uint64_t bits;
	STATUS(SYS_ERR_TIMED_OUT, sys_notification_wait(n, &bits, SYS_TIME_POLL));
}

static uint64_t take_bits(sys_cap_t n)
{
	uint64_t bits = 0;
	OKAY(sys_notification_wait(n, &bits, SYS_TIME_POLL));
	return bits;
}

/* ---- receiving ---- */

TEST("thread_bind_notification:OK notification_signal:OK a thread that waits in a receive gets the bits as a message")
{
	sys_cap_t thread = waiting_receiver();
	sys_msg_t msg = {0};

	OKAY(sys_notification_signal(ntfn, 0x8000000000000005));
	check_received(thread, 0x8000000000000005);
	no_bits(ntfn);
	/* the reply object that was offered is free */
	REFUSED(SYS_ERR_BAD_STATE, sys_ipc_reply(receiver.reply, &msg));
	STATUS(SYS_ERR_TIMED_OUT, sys_ipc_recv(receiver.ep, receiver.reply, &msg, NULL, SYS_TIME_POLL));
}

TEST("thread_bind_notification:OK no bits, no message")
{
	sys_cap_t thread = waiting_receiver();

	OKAY(sys_notification_signal(ntfn, 0));
	sleep_for(MILLISECOND);
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	OKAY(sys_notification_signal(ntfn, 1));
	check_received(thread, 1);
}

TEST("thread_bind_notification:OK bits that gathered come at the next receive")
{
	sys_cap_t thread = bound_receiver();

	OKAY(sys_notification_signal(ntfn, 1));
	OKAY(sys_notification_signal(ntfn, 0x10));
	receiver.deadline = SYS_TIME_POLL;              /* it need not wait */
	helper_go(thread);
	check_received(thread, 0x11);
	no_bits(ntfn);
}

static int64_t sends(void *arg)
{
	sys_msg_t msg = {.label = 7};
	return sys_ipc_send(*(sys_cap_t *)arg, &msg, SYS_TIME_INFINITE);
}

TEST("ipc_recv:OK bits come before all senders, and senders after them")
{
	sys_cap_t ep = new_endpoint(), reply = new_reply(), n = new_notification(), sender = helper_start(sends, &ep);
	sys_msg_t msg = {0};
	uint64_t badge = 7;

	until_waiting(sender);
	OKAY(sys_thread_bind_notification(SYS_CAP_THREAD, n));
	OKAY(sys_notification_signal(n, 4));
	OKAY(sys_ipc_recv(ep, reply, &msg, &badge, SYS_TIME_POLL));
	check_bits(&msg, badge, 4);
	OKAY(sys_ipc_recv(ep, reply, &msg, &badge, SYS_TIME_POLL));
	EQ(msg.label, 7);
	STATUS(SYS_ERR_TIMED_OUT, sys_ipc_recv(ep, reply, &msg, &badge, after(MILLISECOND)));
	EQ(until_exited(sender), SYS_OK);
	OKAY(sys_thread_bind_notification(SYS_CAP_THREAD, SYS_CAP_NULL));
}

TEST("ipc_recv:OK what is wrong with the receive is told first, and the bits stay")
{
	sys_cap_t ep = new_endpoint(), n = new_notification();
	sys_msg_t msg = {.accept = SYS_MSG_CAPS + 1};

	OKAY(sys_thread_bind_notification(SYS_CAP_THREAD, n));
	OKAY(sys_notification_signal(n, 4));
	STATUS(SYS_ERR_INVALID_ARGS, sys_ipc_recv(ep, SYS_CAP_NULL, &msg, NULL, SYS_TIME_POLL));
	STATUS(SYS_ERR_ACCESS_DENIED, sys_ipc_recv(less(ep, SYS_RIGHT_RECV), SYS_CAP_NULL, &msg, NULL, SYS_TIME_POLL));
	EQ(take_bits(n), 4);
	OKAY(sys_thread_bind_notification(SYS_CAP_THREAD, SYS_CAP_NULL));
}

/* ---- a server's loop ---- */

struct server { sys_cap_t ep, reply, ntfn; bool four; uint64_t answered, notified, bits; };
enum { STOP = 1, SIGNAL = 2, ECHO = 3 };

static sys_status_t next(struct server *s, sys_msg_t *msg)
{
	return s->four ? sys_ipc_reply_recv4(s->reply, &msg->label, msg->word, s->ep, NULL) :
			 sys_ipc_reply_recv(s->reply, msg, s->ep, NULL, SYS_TIME_INFINITE);
}

/* Answers each call with its own words; SIGNAL: signals what it is bound to before that. */
static int64_t serves(void *arg)
{
	struct server *s = arg;
	sys_msg_t msg = {0};
	sys_status_t status = sys_ipc_recv(s->ep, s->reply, &msg, NULL, SYS_TIME_INFINITE);

	while (status == SYS_OK && msg.label != STOP) {
		if (msg.label == SYS_LABEL_NOTIFICATION) {
			s->notified++;
			s->bits |= msg.word[0];
			status = sys_ipc_recv(s->ep, s->reply, &msg, NULL, SYS_TIME_INFINITE);
			continue;
		}
		s->answered++;
		if (msg.label == SIGNAL)
			sys_notification_signal(s->ntfn, msg.word[0]);
		status = next(s, &msg);
	}
	sys_ipc_reply(s->reply, &msg);
	return status;
}

static void call(sys_cap_t ep, uint64_t label, uint64_t word)
{
	sys_msg_t msg = {.label = label, .words = 2, .word = {word, ~word}};

	OKAY(sys_ipc_call(ep, &msg, SYS_TIME_INFINITE));
	EQ(msg.label, label);
	EQ(msg.words, 2);
	EQ(msg.word[0], word);
	EQ(msg.word[1], ~word);
}

static void serve_calls(bool four)
{
	struct server server = {.ep = new_endpoint(), .reply = new_reply(), .ntfn = new_notification(), .four = four};
	sys_cap_t thread = helper_start(serves, &server);
	sys_msg_t msg = {.label = STOP};

	OKAY(sys_thread_bind_notification(thread, server.ntfn));
	for (uint64_t i = 0; i < 10; i++) {
		sys_msg_t four_words = {.label = ECHO, .words = 4};
		if (!four)
			call(server.ep, ECHO, i);
		else
			OKAY(sys_ipc_call4(server.ep, &four_words.label, four_words.word));
	}
	EQ(server.answered, 10);
	EQ(server.notified, 0);
	for (uint64_t i = 0; i < 10; i++) {
		sys_msg_t four_words = {.label = SIGNAL, .words = 4, .word = {1ull << i}};
		if (!four)
			call(server.ep, SIGNAL, 1ull << i);     /* answered, and then the bits */
		else
			OKAY(sys_ipc_call4(server.ep, &four_words.label, four_words.word));
		until_waiting(thread);
		EQ(server.notified, i + 1);
	}
	EQ(server.bits, 0x3ff);
	OKAY(sys_notification_signal(server.ntfn, 0x400));      /* from outside, while it waits */
	until_waiting(thread);
	EQ(server.bits, 0x7ff);
	no_bits(server.ntfn);
	OKAY(sys_ipc_call(server.ep, &msg, SYS_TIME_INFINITE));
	EQ(until_exited(thread), SYS_OK);
}

TEST("ipc_reply_recv:OK the caller is answered, and bits that gathered meanwhile come next")
{
	serve_calls(false);
}

TEST("ipc_reply_recv4:OK the caller is answered, and bits that gathered meanwhile come next")
{
	serve_calls(true);
}

TEST("ipc_reply_recv:OK bits stay known when the priority changes")
{
	struct server server = {.ep = new_endpoint(), .reply = new_reply(), .ntfn = new_notification()};
	sys_cap_t thread = helper_start(serves, &server);

	OKAY(sys_thread_bind_notification(thread, server.ntfn));
	until_waiting(thread);
	OKAY(sys_thread_suspend(thread));
	OKAY(sys_notification_signal(server.ntfn, 6));
	OKAY(sys_thread_set_priority(thread, own_priority() - 1));
	OKAY(sys_thread_set_priority(thread, own_priority()));
	OKAY(sys_thread_resume(thread));
	until_waiting(thread);
	EQ(server.bits, 6);
}

/* ---- others who wait for the same bits ---- */

struct waiter { sys_cap_t ntfn; volatile uint64_t bits; };

static int64_t waits(void *arg)
{
	struct waiter *w = arg;
	uint64_t bits = 0;
	sys_status_t status = sys_notification_wait(w->ntfn, &bits, SYS_TIME_INFINITE);

	w->bits = bits;
	return status;
}

TEST("notification_wait:OK of a bound notification: the receiver comes first, then who waits")
{
	sys_cap_t thread = waiting_receiver();
	struct waiter waiter = {.ntfn = ntfn};
	sys_cap_t other = helper_start(waits, &waiter);

	until_waiting(other);
	OKAY(sys_notification_signal(ntfn, 1));
	check_received(thread, 1);
	EQ(thread_info(other).state, SYS_THREAD_WAITING);
	OKAY(sys_notification_signal(ntfn, 2));         /* nobody receives now */
	EQ(until_exited(other), SYS_OK);
	EQ(waiter.bits, 2);
}

TEST("notification_wait:OK takes bits that the bound thread has not got yet, and then they are no message")
{
	sys_cap_t thread = bound_receiver();

	OKAY(sys_notification_signal(ntfn, 8));
	EQ(take_bits(ntfn), 8);
	receiver.deadline = SYS_TIME_POLL;
	helper_go(thread);
	EQ(until_exited(thread), SYS_ERR_TIMED_OUT);
}

TEST("notification_wait:OK by the bound thread itself")
{
	sys_cap_t n = new_notification(), ep = new_endpoint();
	sys_msg_t msg = {0};

	OKAY(sys_thread_bind_notification(SYS_CAP_THREAD, n));
	OKAY(sys_notification_signal(n, 8));
	EQ(take_bits(n), 8);
	STATUS(SYS_ERR_TIMED_OUT, sys_ipc_recv(ep, SYS_CAP_NULL, &msg, NULL, SYS_TIME_POLL));
	OKAY(sys_thread_bind_notification(SYS_CAP_THREAD, SYS_CAP_NULL));
}

/* ---- waits that are no receive ---- */

static int64_t calls_then_receives(void *arg)
{
	struct receiver *r = arg;
	sys_msg_t msg = {.label = 5};
	sys_status_t status = sys_ipc_call(r->ep, &msg, SYS_TIME_INFINITE);

	return status == SYS_OK && msg.label == 6 ? receives(arg) : -1000;
}

TEST("ipc_call:OK is not disturbed by a signal; the next receive gets it")
{
	sys_cap_t reply = new_reply();
	sys_msg_t msg = {0}, answer = {.label = 6};

	receiver = (struct receiver){.ep = new_endpoint(), .deadline = SYS_TIME_POLL};
	ntfn = new_notification();
	sys_cap_t thread = helper_start(calls_then_receives, &receiver);
	OKAY(sys_thread_bind_notification(thread, ntfn));
	until_waiting(thread);
	OKAY(sys_notification_signal(ntfn, 1));         /* it waits for a receiver */
	OKAY(sys_ipc_recv(receiver.ep, reply, &msg, NULL, after(LIMIT)));
	EQ(msg.label, 5);
	OKAY(sys_notification_signal(ntfn, 2));         /* it waits for its reply */
	sleep_for(MILLISECOND);
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	OKAY(sys_ipc_reply(reply, &answer));
	EQ(until_exited(thread), SYS_OK);
	check_bits(&receiver.msg, receiver.badge, 3);
}

TEST("thread_suspend:OK a receiver that is suspended gets its bits when it goes on")
{
	sys_cap_t thread = waiting_receiver();

	OKAY(sys_thread_suspend(thread));
	OKAY(sys_notification_signal(ntfn, 0x20));
	sleep_for(MILLISECOND);
	EQ(thread_info(thread).state, SYS_THREAD_SUSPENDED);
	OKAY(sys_thread_resume(thread));
	check_received(thread, 0x20);
}

/* ---- one of each ---- */

TEST("thread_bind_notification:BAD_STATE one notification a thread, one thread a notification")
{
	sys_cap_t one = new_thread(), two = new_thread(), a = new_notification(), b = new_notification();

	OKAY(sys_thread_bind_notification(one, a));
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_bind_notification(one, b));
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_bind_notification(two, a));
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_bind_notification(one, a));
	OKAY(sys_thread_bind_notification(two, b));
	OKAY(sys_thread_bind_notification(one, SYS_CAP_NULL));
	OKAY(sys_thread_bind_notification(one, SYS_CAP_NULL));
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_bind_notification(two, a));
	OKAY(sys_thread_bind_notification(two, SYS_CAP_NULL));
	OKAY(sys_thread_bind_notification(two, a));
	OKAY(sys_thread_bind_notification(one, b));
}

static int64_t exits(void *arg)
{
	return (int64_t)arg;
}

TEST("thread_bind_notification:BAD_STATE a thread that has exited")
{
	sys_cap_t thread = helper_start(exits, NULL), n = new_notification();

	EQ(until_exited(thread), 0);
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_bind_notification(thread, n));
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_bind_notification(thread, SYS_CAP_NULL));
}

TEST("thread_bind_notification:OK unbound: bits gather, and bound again they come at once")
{
	sys_cap_t thread = waiting_receiver();

	OKAY(sys_thread_bind_notification(thread, SYS_CAP_NULL));
	OKAY(sys_notification_signal(ntfn, 3));
	sleep_for(MILLISECOND);
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	OKAY(sys_thread_bind_notification(thread, ntfn));
	check_received(thread, 3);
	no_bits(ntfn);
}

TEST("thread_bind_notification:OK unbound with bits that it has not got: they stay, it goes on without")
{
	sys_cap_t thread = bound_receiver();

	OKAY(sys_notification_signal(ntfn, 3));
	OKAY(sys_thread_bind_notification(thread, SYS_CAP_NULL));
	receiver.deadline = SYS_TIME_POLL;
	helper_go(thread);
	EQ(until_exited(thread), SYS_ERR_TIMED_OUT);
	EQ(take_bits(ntfn), 3);
}

/* ---- the end of either ---- */

TEST("cap_delete:OK the notification ends: its thread goes on receiving, and can be bound to another")
{
	sys_cap_t thread = waiting_receiver(), other = new_notification();

	OKAY(sys_cap_delete(ntfn));
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	OKAY(sys_thread_bind_notification(thread, other));
	OKAY(sys_notification_signal(other, 9));
	check_received(thread, 9);
}

TEST("cap_delete:OK the notification ends with bits that its thread has not got: they are gone")
{
	sys_cap_t thread = bound_receiver();

	OKAY(sys_notification_signal(ntfn, 3));
	OKAY(sys_cap_delete(ntfn));
	receiver.deadline = SYS_TIME_POLL;
	helper_go(thread);
	EQ(until_exited(thread), SYS_ERR_TIMED_OUT);
}

TEST("thread_kill:OK the thread ends: its notification is free for another, bits and all")
{
	sys_cap_t thread = waiting_receiver(), first = ntfn;

	OKAY(sys_thread_kill(thread, 1));
	OKAY(sys_notification_signal(first, 3));
	OKAY(sys_thread_bind_notification(SYS_CAP_THREAD, first));
	sys_msg_t msg = {0};
	uint64_t badge = 5;
	OKAY(sys_ipc_recv(receiver.ep, SYS_CAP_NULL, &msg, &badge, SYS_TIME_POLL));
	check_bits(&msg, badge, 3);
	OKAY(sys_thread_bind_notification(SYS_CAP_THREAD, SYS_CAP_NULL));
	OKAY(sys_cap_delete(thread));
	OKAY(sys_notification_signal(first, 3));
}

TEST("cap_revoke:OK accounts of either end in any order")
{
	for (int order = 0; order < 2; order++) {
		sys_cap_t a = new_untyped(64 * PAGE), b = new_untyped(64 * PAGE), thread, n;
		OKAY(sys_thread_create(a, SYS_CAP_CNODE, SYS_CAP_VMAR, SYS_CAP_NULL, &thread));
		OKAY(sys_notification_create(b, &n));
		OKAY(sys_thread_bind_notification(thread, n));
		OKAY(sys_notification_signal(n, 1));
		OKAY(sys_cap_revoke(order ? a : b));
		if (order) {
			OKAY(sys_notification_signal(n, 2));
			EQ(take_bits(n), 3);
		} else {
			n = new_notification();
			OKAY(sys_thread_bind_notification(thread, n));
		}
		OKAY(sys_cap_revoke(order ? b : a));
		EQ(used(a), 0);
		EQ(used(b), 0);
	}
}
