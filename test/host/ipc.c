/* SPDX-License-Identifier: BSD-2-Clause */
/* ipc.c: kernel/ipc: messages: what arrives, in which order, replies, and capabilities in messages. */
#include <string.h>
#include "common/stage.h"

static struct cnode *other;             /* another CSpace of 64 slots */
static struct endpoint *e;
static struct reply *r;
static struct slot *reply_cap;          /* of the last reply object made */
static struct actor *s, *t;             /* s sends, from cs; t receives, into other; each has memory */

static struct endpoint *endpoint_new(void) { return made(SYS_TYPE_ENDPOINT, NULL); }
static struct reply *reply_new(void) { return made(SYS_TYPE_REPLY, &reply_cap); }

static struct cnode *cspace_new(void)
{
	struct cnode *c = cnode_new(root, 64);
	object_cap(&c->object);
	return c;
}

static void start(void)
{
	stage(4096, 64);
	other = cspace_new();
	e = endpoint_new();
	r = reply_new();
	s = actor_new(root, NULL, cs, 10);
	t = actor_new(root, NULL, other, 10);
	actor_memory(s, 2);
	actor_memory(t, 2);
}

static void check(void)
{
	kernel_check();
	actors_check();
	endpoint_check(e);
	cnode_check(cs);
	cnode_check(other);
	deriv_check(top);
}

/* A message of so many words that are all different. */
static sys_msg_t numbered(u64 label, u32 words)
{
	sys_msg_t m = { .label = label, .words = words };

	for (u32 i = 0; i < SYS_MSG_WORDS; i++)
		m.word[i] = label * 1000 + i;
	return m;
}

static void expect_message(struct actor *x, const sys_msg_t *want, u64 badge)
{
	sys_msg_t m;
	u64 b;

	actor_hears(x, &m, &b);
	ck_assert_uint_eq(b, badge);
	ck_assert(m.label == want->label && m.words == want->words && m.caps == want->caps);
	ck_assert(memcmp(m.word, want->word, want->words * sizeof(u64)) == 0);
	check();
}

static u64 word_of(struct actor *x) { return x->t->context.regs.r12; }

/* ---- what arrives ------------------------------------------------------------------------------------------------ */

START_TEST(message_arrives)
{
	start();
	for (u32 words = 0; words <= SYS_MSG_WORDS; words++)
		for (unsigned receiver_first = 0; receiver_first < 2; receiver_first++) {
			sys_msg_t m = numbered(words + 1, words);

			actor_says(s, &m);
			if (receiver_first)
				ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), BLOCKED);
			struct regs *at = &t->t->context.regs;
			at->r12 = 1, at->r13 = 2, at->r14 = 3, at->r15 = 4;
			int status = actor_send(s, e, 7000 + words, SYS_TIME_INFINITE);
			ck_assert_int_eq(status, receiver_first ? SYS_OK : BLOCKED);
			ck_assert(t->t->finish == (receiver_first && words > 4));       /* what fits the registers is there already */
			if (!receiver_first)
				ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), SYS_OK);
			ck_assert_int_eq(actor_goes_on(s), SYS_OK);
			ck_assert_int_eq(actor_goes_on(t), SYS_OK);
			if (receiver_first)                     /* behind its last word nothing is the receiver's to see */
				ck_assert((words > 0 || at->r12 == 1) && (words > 1 || at->r13 == 2) && (words > 2 || at->r14 == 3) && (words > 3 || at->r15 == 4));
			expect_message(t, &m, 7000 + words);
		}
	for (t->accept = 0; t->accept <= SYS_MSG_CAPS; t->accept++) {
		actor_word(s, 1, 2);
		ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), BLOCKED);
		t->t->context.regs.r9 |= 1ull << 47;            /* below what it accepts nothing stays */
		ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_INFINITE), SYS_OK);
		ck_assert_uint_eq(t->t->context.regs.r9, (u64)t->accept << 48 | 1);
	}
}
END_TEST

START_TEST(message_refused)
{
	sys_msg_t m = numbered(1, 4);

	start();
	ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), BLOCKED);
	m.words = SYS_MSG_WORDS + 1;
	actor_says(s, &m);
	ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_INFINITE), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(actor_call(s, e, 0, SYS_TIME_INFINITE), SYS_ERR_INVALID_ARGS);
	m.words = 0;
	m.caps = SYS_MSG_CAPS + 1;
	actor_says(s, &m);
	ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_INFINITE), SYS_ERR_INVALID_ARGS);
	m.caps = 0;
	m.label = SYS_LABEL_KERNEL;
	actor_says(s, &m);
	ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_INFINITE), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(actor_reply(s, r), SYS_ERR_INVALID_ARGS);
	m.label = 1;
	s->accept = SYS_MSG_CAPS + 1;
	actor_says(s, &m);
	ck_assert_int_eq(actor_call(s, e, 0, SYS_TIME_INFINITE), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(actor_recv(s, e, NULL, SYS_TIME_INFINITE), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(actor_goes_on(t), BLOCKED);
	check();
}
END_TEST

/* The sender's memory is needed for the fifth word, the receiver's too; who has none is told. */
START_TEST(message_memory)
{
	sys_msg_t m = numbered(1, 5);

	start();
	vaddr_t place = s->memory;
	s->memory = 0x123456789000;
	ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), BLOCKED);
	s->t->context.regs.r9 = 5;
	ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_INFINITE), SYS_ERR_BAD_ADDRESS);
	ck_assert_int_eq(actor_goes_on(t), BLOCKED);
	s->t->context.regs.r9 = 4;
	ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_INFINITE), SYS_OK);
	ck_assert_int_eq(actor_goes_on(t), SYS_OK);
	s->memory = place;
	for (unsigned i = 0; i < 2; i++) {                              /* the sender is done all the same */
		actor_says(s, &m);
		t->memory = UINT64_MAX - 100;
		if (i)
			ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), BLOCKED);
		ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_INFINITE), i ? SYS_OK : BLOCKED);
		ck_assert_int_eq(i ? actor_goes_on(t) : actor_recv(t, e, NULL, SYS_TIME_INFINITE), SYS_ERR_BAD_ADDRESS);
		ck_assert_int_eq(actor_goes_on(s), SYS_OK);
		check();
	}
}
END_TEST

/* A message that reaches over the end of what is mapped. */
START_TEST(message_at_the_edge)
{
	sys_msg_t m = numbered(9, SYS_MSG_WORDS);

	start();
	vaddr_t place = t->memory;
	actor_says(s, &m);
	t->memory = place + 2 * PAGE_SIZE_ - 64;
	ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_INFINITE), SYS_OK);
	ck_assert_int_eq(actor_goes_on(t), SYS_ERR_BAD_ADDRESS);
	t->memory = place + PAGE_SIZE_ - 64;                            /* over a page's end, in one go */
	ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), BLOCKED);
	host_preempt_every(1);
	ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_INFINITE), SYS_OK);
	ck_assert_int_eq(actor_goes_on(t), SYS_OK);
	host_preempt_every(0);
	expect_message(t, &m, 0);
}
END_TEST

/* ---- in which order ---------------------------------------------------------------------------------------------- */

#define CROWD 30

START_TEST(order_of_senders)
{
	struct actor *x[CROWD];
	u64 last_priority = 255, last_arrival = 0;

	start();
	for (u64 i = 0; i < CROWD; i++) {
		x[i] = actor_new(root, s->t->space, cs, (u8)(20 + random_below(4)));
		actor_word(x[i], 1, i);
		ck_assert_int_eq(actor_send(x[i], e, i, SYS_TIME_INFINITE), BLOCKED);
		check();
	}
	for (unsigned i = 0; i < CROWD; i++) {
		ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_POLL), SYS_OK);
		u64 n = word_of(t), priority = x[n]->t->priority;
		ck_assert(priority < last_priority || (priority == last_priority && n > last_arrival));
		ck_assert_uint_eq(t->t->context.regs.rdx, n);
		ck_assert_int_eq(actor_goes_on(x[n]), SYS_OK);
		last_priority = priority;
		last_arrival = n;
	}
	ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_POLL), SYS_ERR_TIMED_OUT);
	check();
}
END_TEST

START_TEST(order_of_receivers)
{
	struct actor *x[CROWD];
	u64 last_priority = 255, last_arrival = 0;

	start();
	for (u64 i = 0; i < CROWD; i++) {
		x[i] = actor_new(root, s->t->space, cs, (u8)(20 + random_below(4)));
		ck_assert_int_eq(actor_recv(x[i], e, NULL, SYS_TIME_INFINITE), BLOCKED);
	}
	check();
	for (u64 i = 0; i < CROWD; i++) {
		actor_word(s, 1, 5000 + i);
		ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_POLL), SYS_OK);
		u64 n = 0;
		while (x[n]->t->state != SYS_THREAD_READY || word_of(x[n]) != 5000 + i)
			n++;
		u64 priority = x[n]->t->priority;
		ck_assert(priority < last_priority || (priority == last_priority && n >= last_arrival));
		last_priority = priority;
		last_arrival = n;
	}
	ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_POLL), SYS_ERR_TIMED_OUT);
	check();
}
END_TEST

/* A thread that waits and gets another priority goes behind those who have it. */
START_TEST(order_changes)
{
	struct actor *x[4];

	start();
	for (u64 i = 0; i < 4; i++) {
		x[i] = actor_new(root, s->t->space, cs, 20);
		actor_word(x[i], 1, i);
		ck_assert_int_eq(actor_send(x[i], e, i, SYS_TIME_INFINITE), BLOCKED);
	}
	thread_set_priority(x[3]->t, 30);
	thread_set_priority(x[0]->t, 10);
	thread_set_priority(x[1]->t, 10);
	check();
	static const u64 order[] = { 3, 2, 0, 1 };
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_POLL), SYS_OK);
		ck_assert_uint_eq(word_of(t), order[i]);
	}
}
END_TEST

/* ---- calls and replies ------------------------------------------------------------------------------------------- */

START_TEST(call_and_reply)
{
	start();
	for (u32 words = 0; words <= SYS_MSG_WORDS; words += 4)
		for (unsigned receiver_first = 0; receiver_first < 2; receiver_first++) {
			sys_msg_t question = numbered(1, words), answer = numbered(2, SYS_MSG_WORDS - words);

			actor_says(s, &question);
			if (receiver_first)
				ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), BLOCKED);
			ck_assert_int_eq(actor_call(s, e, 3, SYS_TIME_INFINITE), BLOCKED);
			if (!receiver_first)
				ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), SYS_OK);
			ck_assert_int_eq(actor_goes_on(t), SYS_OK);
			expect_message(t, &question, 3);
			ck_assert(r->caller == s->t && !r->receiver && s->t->wait == WAIT_REPLY);
			ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_POLL), SYS_ERR_BAD_STATE);
			actor_says(t, &answer);
			ck_assert_int_eq(actor_reply(t, r), SYS_OK);
			ck_assert(!r->caller && !s->t->reply);
			ck_assert_int_eq(actor_goes_on(s), SYS_OK);
			expect_message(s, &answer, 0);
			ck_assert_int_eq(actor_reply(t, r), SYS_ERR_BAD_STATE);
		}
}
END_TEST

/* A receiver without a reply object: the message arrives, the caller is told at once. */
START_TEST(call_without_reply)
{
	start();
	for (unsigned receiver_first = 0; receiver_first < 2; receiver_first++) {
		actor_word(s, 1, 55);
		if (receiver_first)
			ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), BLOCKED);
		int status = actor_call(s, e, 3, SYS_TIME_INFINITE);
		ck_assert_int_eq(status, receiver_first ? SYS_ERR_PEER_CLOSED : BLOCKED);
		if (!receiver_first)
			ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), SYS_OK);
		ck_assert_int_eq(actor_goes_on(s), SYS_ERR_PEER_CLOSED);
		ck_assert(s->t->retries == 0 && !s->t->timed);
		ck_assert_int_eq(actor_goes_on(t), SYS_OK);
		ck_assert_uint_eq(word_of(t), 55);
		check();
	}
}
END_TEST

/* Dropped while it holds a caller; dropped while somebody offers it. */
START_TEST(reply_dropped)
{
	start();
	actor_word(s, 1, 1);
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_call(s, e, 0, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_goes_on(t), SYS_OK);
	ck_assert_int_eq(delete_all(reply_cap), SYS_OK);
	ck_assert_int_eq(actor_goes_on(s), SYS_ERR_PEER_CLOSED);
	check();
	r = reply_new();
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(delete_all(reply_cap), SYS_OK);
	ck_assert_int_eq(actor_goes_on(t), BLOCKED);
	ck_assert_ptr_null(t->t->reply);
	actor_word(s, 1, 2);
	ck_assert_int_eq(actor_call(s, e, 0, SYS_TIME_INFINITE), SYS_ERR_PEER_CLOSED);
	ck_assert_int_eq(actor_goes_on(t), SYS_OK);
	check();
}
END_TEST

/* Two receivers cannot offer one reply object; one server can hold several callers with several. */
START_TEST(several_replies)
{
	struct actor *x[3];
	struct reply *held[3];

	start();
	struct actor *u = actor_new(root, NULL, cs, 10);
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_recv(u, e, r, SYS_TIME_INFINITE), SYS_ERR_BAD_STATE);
	actor_word(s, 1, 1);
	ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_INFINITE), SYS_OK);
	ck_assert(!r->receiver && !r->caller);                          /* not used: free again */
	ck_assert_int_eq(actor_goes_on(t), SYS_OK);
	for (u64 i = 0; i < 3; i++) {
		x[i] = actor_new(root, NULL, cs, 10);
		held[i] = reply_new();
		actor_word(x[i], 1, i);
		ck_assert_int_eq(actor_call(x[i], e, i, SYS_TIME_INFINITE), BLOCKED);
		ck_assert_int_eq(actor_recv(t, e, held[i], SYS_TIME_INFINITE), SYS_OK);
	}
	for (unsigned i = 3; i-- > 0;) {
		actor_word(t, 2, 100 + i);
		ck_assert_int_eq(actor_reply(t, held[i]), SYS_OK);
		ck_assert_int_eq(actor_goes_on(x[i]), SYS_OK);
		ck_assert_uint_eq(word_of(x[i]), 100 + i);
	}
	check();
}
END_TEST

/* ---- capabilities in messages ------------------------------------------------------------------------------------ */

static sys_cap_t name_new(sys_rights_t rights)
{
	return slot_cap(cap_put_with(cs, object_new(root, SYS_TYPE_NOTIFICATION), rights, 0, top));
}

static void says_caps(struct actor *x, u16 caps, const sys_cap_t *name)
{
	sys_msg_t m = numbered(1, 6);

	m.caps = caps;
	memcpy(m.cap, name, caps * sizeof *name);
	actor_says(x, &m);
}

START_TEST(capabilities_move)
{
	start();
	t->accept = 4;
	for (u16 caps = 1; caps <= 4; caps++)
		for (unsigned receiver_first = 0; receiver_first < 2; receiver_first++) {
			sys_cap_t name[4];
			struct object *o[4];
			sys_msg_t m;
			u64 badge;

			for (unsigned i = 0; i < caps; i++) {
				name[i] = name_new(SYS_RIGHTS_NOTIFICATION);
				o[i] = cnode_lookup(cs, name[i])->object;
				cap_copy(cs, cnode_lookup(cs, name[i]));
			}
			says_caps(s, caps, name);
			if (receiver_first)
				ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), BLOCKED);
			actor_send(s, e, 0, SYS_TIME_INFINITE);
			if (!receiver_first)
				ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), SYS_OK);
			ck_assert_int_eq(actor_goes_on(s), SYS_OK);
			ck_assert_int_eq(actor_goes_on(t), SYS_OK);
			actor_hears(t, &m, &badge);
			ck_assert(m.caps == caps && m.words == 6 && m.word[5] == 1005);
			for (unsigned i = 0; i < caps; i++) {
				struct slot *got = cnode_lookup(other, m.cap[i]);
				ck_assert(got && got->object == o[i] && got->rights == SYS_RIGHTS_NOTIFICATION &&
				          slot_derived(got));
				ck_assert(!cnode_lookup(cs, name[i]) && o[i]->caps == 2);
			}
			check();
		}
}
END_TEST

/* In a reply, and within one CSpace. */
START_TEST(capabilities_in_replies)
{
	sys_msg_t m;
	u64 badge;

	start();
	struct actor *u = actor_new(root, NULL, cs, 10);
	actor_memory(u, 2);
	s->accept = 2;
	actor_word(s, 1, 1);
	ck_assert_int_eq(actor_call(s, e, 0, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_recv(u, e, r, SYS_TIME_INFINITE), SYS_OK);
	sys_cap_t name[] = { name_new(SYS_RIGHT_GRANT), name_new(SYS_RIGHT_GRANT), name_new(SYS_RIGHT_GRANT) };
	says_caps(u, 3, name);
	ck_assert_int_eq(actor_reply(u, r), SYS_ERR_BUFFER_TOO_SMALL);
	ck_assert(s->t->wait == WAIT_REPLY && r->caller == s->t && cnode_lookup(cs, name[0]));
	says_caps(u, 2, name);
	ck_assert_int_eq(actor_reply(u, r), SYS_OK);
	ck_assert_int_eq(actor_goes_on(s), SYS_OK);
	actor_hears(s, &m, &badge);
	ck_assert(m.caps == 2 && cnode_lookup(cs, m.cap[0]) && cnode_lookup(cs, m.cap[1]) && m.cap[0] != name[0]);
	ck_assert(!cnode_lookup(cs, name[0]) && !cnode_lookup(cs, name[1]) && cnode_lookup(cs, name[2]));
	check();
}
END_TEST

/* Every refusal: it is the sender's, nothing has moved, the receiver goes on waiting. */
START_TEST(capabilities_refused)
{
	start();
	sys_cap_t good = name_new(SYS_RIGHT_GRANT), kept = name_new(SYS_RIGHTS_NOTIFICATION & ~SYS_RIGHT_GRANT);
	const struct { sys_cap_t name[2]; u16 accept; bool full, nowhere; sys_status_t status; } refusal[] = {
		{ { good, good + (1ull << 32) }, 4, false, false, SYS_ERR_BAD_CAP },
		{ { good, 63 }, 4, false, false, SYS_ERR_BAD_CAP },
		{ { good, 0 }, 4, false, false, SYS_ERR_BAD_CAP },
		{ { 1ull << 40, good }, 4, false, false, SYS_ERR_BAD_CAP },
		{ { good, kept }, 4, false, false, SYS_ERR_ACCESS_DENIED },
		{ { good, good }, 4, false, false, SYS_ERR_INVALID_ARGS },
		{ { good, slot_cap(top) }, 1, false, false, SYS_ERR_BUFFER_TOO_SMALL },
		{ { good, slot_cap(top) }, 4, true, false, SYS_ERR_NO_SLOT },
		{ { good, slot_cap(top) }, 4, false, true, SYS_ERR_NO_SLOT },
	};

	for (unsigned i = 0; i < ARRAY_LEN(refusal); i++)
		for (unsigned receiver_first = 0; receiver_first < 2; receiver_first++) {
			start();
			good = name_new(SYS_RIGHT_GRANT);
			kept = name_new(SYS_RIGHTS_NOTIFICATION & ~SYS_RIGHT_GRANT);
			while (refusal[i].full && cnode_has_free(other, 2))
				cap_copy(other, cnode_lookup(cs, kept));
			if (refusal[i].nowhere)
				cnode_set_cspace(t->t, NULL);
			t->accept = refusal[i].accept;
			says_caps(s, 2, refusal[i].name);
			if (receiver_first)
				ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), BLOCKED);
			int status = actor_send(s, e, 0, SYS_TIME_INFINITE);
			if (!receiver_first)
				ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), BLOCKED);
			ck_assert_int_eq(status == BLOCKED ? actor_goes_on(s) : status, refusal[i].status);
			ck_assert(cnode_lookup(cs, good) && cnode_lookup(cs, kept) && cnode_lookup(cs, slot_cap(top)));
			ck_assert(t->t->wait == WAIT_RECV && pqueue_on(&t->t->queue) && !pqueue_on(&s->t->queue));
			check();
		}
}
END_TEST

/* A capability that somebody revokes below: the sender finishes that, and sends it then. */
START_TEST(capability_under_revoke)
{
	sys_msg_t m;
	u64 badge;

	start();
	sys_cap_t name = name_new(SYS_RIGHTS_NOTIFICATION);
	sys_cap_t below = slot_cap(cap_copy(cs, cnode_lookup(cs, name)));

	cnode_lookup(cs, name)->flags |= SLOT_REVOKING;
	t->accept = 1;
	says_caps(s, 1, &name);
	ck_assert_int_eq(actor_recv(t, e, NULL, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_INFINITE), SYS_OK);
	ck_assert_int_eq(actor_goes_on(t), SYS_OK);
	actor_hears(t, &m, &badge);
	ck_assert(m.caps == 1 && cnode_lookup(other, m.cap[0]) && !(cnode_lookup(other, m.cap[0])->flags & SLOT_REVOKING));
	ck_assert(!cnode_lookup(cs, name) && !cnode_lookup(cs, below));
	check();
}
END_TEST

/* Looked at again when the message is taken: what was deleted meanwhile refuses it, and the next sender comes. */
START_TEST(capabilities_vanish)
{
	start();
	struct actor *u = actor_new(root, NULL, cs, 5);
	sys_cap_t name[2] = { name_new(SYS_RIGHT_GRANT), name_new(SYS_RIGHT_GRANT) };

	t->accept = 4;
	says_caps(s, 2, name);
	ck_assert_int_eq(actor_call(s, e, 0, SYS_TIME_INFINITE), BLOCKED);
	actor_word(u, 1, 99);
	ck_assert_int_eq(actor_send(u, e, 0, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(delete_all(cnode_lookup(cs, name[1])), SYS_OK);
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), SYS_OK);
	ck_assert_uint_eq(word_of(t), 99);
	ck_assert_int_eq(actor_goes_on(s), SYS_ERR_BAD_CAP);
	ck_assert(cnode_lookup(cs, name[0]) && !r->caller && !r->receiver);
	check();
	host_preempt_every(1);                                          /* many such: in steps */
	struct actor *x[CROWD];
	for (unsigned i = 0; i < CROWD; i++) {
		x[i] = actor_new(root, s->t->space, cs, 10);
		x[i]->memory = s->memory;
		says_caps(x[i], 2, (sys_cap_t[]){ name[0], slot_cap(top) });
		ck_assert_int_eq(actor_send(x[i], e, 0, SYS_TIME_INFINITE), BLOCKED);
	}
	ck_assert_int_eq(delete_all(cnode_lookup(cs, name[0])), SYS_OK);
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_POLL), SYS_ERR_TIMED_OUT);
	for (unsigned i = 0; i < CROWD; i++)
		ck_assert_int_eq(actor_goes_on(x[i]), SYS_ERR_BAD_CAP);
	check();
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("ipc");

	add_test(suite, message_arrives);
	add_test(suite, message_refused);
	add_test(suite, message_memory);
	add_test(suite, message_at_the_edge);
	add_test(suite, order_of_senders);
	add_test(suite, order_of_receivers);
	add_test(suite, order_changes);
	add_test(suite, call_and_reply);
	add_test(suite, call_without_reply);
	add_test(suite, reply_dropped);
	add_test(suite, several_replies);
	add_test(suite, capabilities_move);
	add_test(suite, capabilities_in_replies);
	add_test(suite, capabilities_refused);
	add_test(suite, capabilities_vanish);
	add_test(suite, capability_under_revoke);
	return suite;
}
