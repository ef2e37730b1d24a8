/* SPDX-License-Identifier: BSD-2-Clause */
/* ipc4.c: calls whose message is in registers only: four words each way, no deadline, no capabilities; and what happens
 * when the other side sends more than that. Run with the short way and (boot option `nofast`) without it. */
#include "common/ipcjob.h"

#include <string.h>

enum { WORDS = 4, ROUNDS = 5, CANARY = 0x77 };

/* A helper's call: made `rounds` times, each word one more than what came back. */
struct caller {
	sys_cap_t ep;
	unsigned rounds;
	uint64_t label, word[WORDS];
	volatile sys_status_t status;
};

static int64_t call_rounds(void *arg)
{
	struct caller *c = arg;

	c->status = 77;
	sys_status_t status = SYS_OK;
	for (unsigned i = 0; i < c->rounds && status == SYS_OK; i++) {
		status = sys_ipc_call4(c->ep, &c->label, c->word);
		for (unsigned w = 0; w < WORDS; w++)
			c->word[w]++;
	}
	return c->status = status;
}

static struct caller new_caller(sys_cap_t ep, unsigned rounds)
{
	return (struct caller){.ep = ep, .rounds = rounds, .label = 5, .word = {10, 20, 30, 40}};
}

/* A helper's server: answers with each word doubled until its endpoint ends. */
struct server {
	sys_cap_t ep, reply;
	uint64_t label, badge, word[WORDS];
	unsigned served;
	volatile sys_status_t status;
};

static int64_t serve(void *arg)
{
	struct server *s = arg;
	sys_msg_t msg;

	msg.accept = 0;
	s->status = sys_ipc_recv(s->ep, s->reply, &msg, &s->badge, SYS_TIME_INFINITE);
	s->label = msg.label;
	for (unsigned w = 0; w < WORDS; w++)
		s->word[w] = msg.word[w];
	while (s->status == SYS_OK) {
		s->served++;
		s->label++;
		for (unsigned w = 0; w < WORDS; w++)
			s->word[w] *= 2;
		s->status = sys_ipc_reply_recv4(s->reply, &s->label, s->word, s->ep, &s->badge);
	}
	return s->status;
}

/* The caller runs and waits for its answer, held by the reply that is returned. */
static sys_cap_t held(struct caller *c, sys_cap_t *thread)
{
	sys_cap_t reply = new_reply();
	sys_msg_t msg = {0};

	*thread = helper_start(call_rounds, c);
	OKAY(sys_ipc_recv(c->ep, reply, &msg, NULL, after(LIMIT)));
	EQ(msg.label, 5);
	EQ(msg.words, WORDS);
	for (unsigned w = 0; w < WORDS; w++)
		EQ(msg.word[w], 10 * (w + 1));
	until_waiting(*thread);
	return reply;
}

/* A receiver in a call of four words: it has answered `first` and waits. Its badge and words are seen when it ends. */
static sys_cap_t receiving(struct server *s, struct caller *first, sys_cap_t *server)
{
	*s = (struct server){.ep = new_endpoint(), .reply = new_reply()};
	*first = new_caller(s->ep, 1);
	*server = helper_start(serve, s);
	EQ(until_exited(helper_start(call_rounds, first)), SYS_OK);
	until_waiting(*server);
	EQ(s->served, 1);
	return s->ep;
}

/* ---- what works ---- */

static void round_trips(uint32_t server_priority, uint32_t caller_priority)
{
	struct server s = {.ep = new_endpoint(), .reply = new_reply()};
	sys_cap_t badged;

	OKAY(sys_cap_mint(s.ep, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHT_SEND, 31, &badged));
	struct caller c = new_caller(badged, ROUNDS);
	sys_cap_t server = helper_prepare(serve, &s, SYS_CAP_NULL, server_priority);
	helper_go(server);
	sys_cap_t caller = helper_prepare(call_rounds, &c, SYS_CAP_NULL, caller_priority);
	helper_go(caller);
	sleep_until(caller, SYS_THREAD_EXITED);         /* not by yielding: one of them may be below us */
	EQ(until_exited(caller), SYS_OK);
	EQ(s.served, ROUNDS);
	EQ(s.badge, 31);
	EQ(c.label, 5 + ROUNDS);
	uint64_t want[WORDS] = {10, 20, 30, 40};
	for (unsigned i = 0; i < ROUNDS; i++)
		for (unsigned w = 0; w < WORDS; w++)
			want[w] = want[w] * 2 + 1;
	for (unsigned w = 0; w < WORDS; w++)
		EQ(c.word[w], want[w]);
}

TEST("ipc_call4:OK ipc_reply_recv4:OK round trips between equals")
{
	round_trips(own_priority(), own_priority());
}

TEST("ipc_call4:OK ipc_reply_recv4:OK round trips, either side the better")
{
	round_trips(own_priority() - 1, own_priority());
	round_trips(own_priority(), own_priority() - 1);
}

TEST("ipc_call4:OK ipc_reply_recv4:PEER_CLOSED the endpoint ends while the server waits")
{
	struct server s;
	struct caller c;
	sys_cap_t server, ep = receiving(&s, &c, &server);

	OKAY(sys_cap_delete(ep));
	EQ(until_exited(server), SYS_ERR_PEER_CLOSED);
}

TEST("ipc_reply_recv4:OK nobody waits for the badge")
{
	struct caller c = new_caller(new_endpoint(), 2);
	sys_cap_t thread, reply = held(&c, &thread);
	uint64_t label = 50, word[WORDS] = {1, 2, 3, 4};

	OKAY(sys_ipc_reply_recv4(reply, &label, word, c.ep, NULL));
	EQ(label, 50);
	for (unsigned w = 0; w < WORDS; w++)
		EQ(word[w], w + 2);
	OKAY(sys_ipc_reply(reply, &(sys_msg_t){0}));
	EQ(until_exited(thread), SYS_OK);
}

TEST("ipc_call4:OK an answer of fewer words leaves the others as they were")
{
	struct caller c = new_caller(new_endpoint(), 1);
	sys_cap_t thread, reply = held(&c, &thread);

	OKAY(sys_ipc_reply(reply, &(sys_msg_t){.label = 6, .words = 2, .word = {100, 200, 300, 400}}));
	EQ(until_exited(thread), SYS_OK);
	EQ(c.label, 6);
	const uint64_t want[WORDS] = {101, 201, 31, 41};
	CHECK(memcmp(c.word, want, sizeof(want)) == 0);
}

/* ---- more than fits ---- */

TEST("ipc_call4:OK of a longer answer four words come")
{
	struct caller c = new_caller(new_endpoint(), 1);
	sys_cap_t thread, reply = held(&c, &thread);
	sys_msg_t answer = {.label = 8, .words = SYS_MSG_WORDS};

	for (unsigned w = 0; w < SYS_MSG_WORDS; w++)
		answer.word[w] = 1000 + w;
	OKAY(sys_ipc_reply(reply, &answer));
	EQ(until_exited(thread), SYS_OK);
	EQ(c.label, 8);
	for (unsigned w = 0; w < WORDS; w++)
		EQ(c.word[w], 1001 + w);
}

TEST("ipc_reply_recv4:OK of a longer message four words come")
{
	struct server s;
	struct caller c;
	sys_cap_t server, ep = receiving(&s, &c, &server);
	sys_msg_t msg = {.label = 9, .words = 10};

	for (unsigned w = 0; w < 10; w++)
		msg.word[w] = 500 + w;
	OKAY(sys_ipc_call(ep, &msg, SYS_TIME_INFINITE));
	EQ(msg.label, 10);
	EQ(msg.words, WORDS);
	for (unsigned w = 0; w < 10; w++)
		EQ(msg.word[w], w < WORDS ? 2 * (500 + w) : 500 + w);
}

TEST("ipc_call4:OK an answer with a capability is refused to who answers")
{
	struct caller c = new_caller(new_endpoint(), 1);
	sys_cap_t thread, reply = held(&c, &thread), vmo = new_vmo(PAGE);
	sys_msg_t answer = {.label = 8, .caps = 1, .cap = {vmo}};

	REFUSED(SYS_ERR_BUFFER_TOO_SMALL, sys_ipc_reply(reply, &answer));
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	CHECK(!cap_is_gone(vmo));
	answer.caps = 0;
	OKAY(sys_ipc_reply(reply, &answer));
	EQ(until_exited(thread), SYS_OK);
}

TEST("ipc_reply_recv4:OK a message with a capability is refused to who sends")
{
	struct server s;
	struct caller c;
	sys_cap_t server, ep = receiving(&s, &c, &server), vmo = new_vmo(PAGE);
	sys_msg_t msg = {.caps = 1, .cap = {vmo}};

	REFUSED(SYS_ERR_BUFFER_TOO_SMALL, sys_ipc_send(ep, &msg, SYS_TIME_POLL));
	EQ(thread_info(server).state, SYS_THREAD_WAITING);
	CHECK(!cap_is_gone(vmo));
}

/* The call as a program makes it that does not keep to the stub: the arguments that the calls of four words do not use
 * say 64 words, four capabilities in, four accepted, a deadline that is over, and a place for all that. */
static sys_status_t raw_call(sys_cap_t ep, void *place)
{
	register uint64_t rax __asm__("rax") = 24, rdi __asm__("rdi") = ep, rsi __asm__("rsi") = (uint64_t)place;
	register uint64_t rdx __asm__("rdx") = 1, r10 __asm__("r10") = 1, r8 __asm__("r8") = 7;
	register uint64_t r9 __asm__("r9") = 64 | 4ull << 32 | 4ull << 48;
	register uint64_t r12 __asm__("r12") = 1, r13 __asm__("r13") = 2, r14 __asm__("r14") = 3, r15 __asm__("r15") = 4;

	__asm__ volatile("syscall"
		: "+r"(rax), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10), "+r"(r8), "+r"(r9), "+r"(r12), "+r"(r13),
		  "+r"(r14), "+r"(r15)
		: : "rcx", "r11", "memory");
	return (sys_status_t)rax;
}

struct raw { sys_cap_t ep; uint8_t place[sizeof(sys_msg_t)]; };

static int64_t run_raw(void *arg)
{
	struct raw *raw = arg;
	return raw_call(raw->ep, raw->place);
}

TEST("ipc_call4:OK its unused arguments mean nothing, its memory is not touched")
{
	struct raw raw = {.ep = new_endpoint()};
	sys_cap_t reply = new_reply(), vmo = new_vmo(PAGE);
	sys_msg_t msg = {.accept = SYS_MSG_CAPS}, answer = {.words = SYS_MSG_WORDS, .caps = 1, .cap = {vmo}};

	memset(raw.place, CANARY, sizeof(raw.place));
	sys_cap_t thread = helper_start(run_raw, &raw);
	OKAY(sys_ipc_recv(raw.ep, reply, &msg, NULL, after(LIMIT)));
	EQ(msg.label, 7);
	EQ(msg.words, WORDS);
	EQ(msg.caps, 0);
	for (unsigned w = 0; w < WORDS; w++)
		EQ(msg.word[w], w + 1);
	REFUSED(SYS_ERR_BUFFER_TOO_SMALL, sys_ipc_reply(reply, &answer));
	answer.caps = 0;
	OKAY(sys_ipc_reply(reply, &answer));
	EQ(until_exited(thread), SYS_OK);
	for (size_t i = 0; i < sizeof(raw.place); i++)
		EQ(raw.place[i], CANARY);
}

/* ---- waiting is undisturbed ---- */

TEST("ipc_call4:OK a caller that was suspended before anyone received calls again")
{
	struct caller c = new_caller(new_endpoint(), 1);
	sys_cap_t thread = helper_start(call_rounds, &c), reply = new_reply();
	sys_msg_t msg = {0};

	until_waiting(thread);
	OKAY(sys_thread_suspend(thread));
	STATUS(SYS_ERR_TIMED_OUT, sys_ipc_recv(c.ep, reply, &msg, NULL, SYS_TIME_POLL));
	OKAY(sys_thread_resume(thread));
	OKAY(sys_ipc_recv(c.ep, reply, &msg, NULL, after(LIMIT)));
	EQ(msg.word[3], 40);
	OKAY(sys_thread_suspend(thread));       /* its answer is kept for it */
	msg.word[3] = 4;
	OKAY(sys_ipc_reply(reply, &msg));
	EQ(thread_info(thread).state, SYS_THREAD_SUSPENDED);
	OKAY(sys_thread_resume(thread));
	EQ(until_exited(thread), SYS_OK);
	EQ(c.word[3], 5);
}

TEST("ipc_reply_recv4:OK a suspended server goes on receiving")
{
	struct server s;
	struct caller first, c;
	sys_cap_t server, ep = receiving(&s, &first, &server);

	OKAY(sys_thread_suspend(server));
	c = new_caller(ep, 1);
	sys_cap_t thread = helper_start(call_rounds, &c);
	until_waiting(thread);
	EQ(s.served, 1);
	OKAY(sys_thread_resume(server));
	EQ(until_exited(thread), SYS_OK);
	EQ(s.served, 2);
	EQ(c.word[1], 41);
}

static int64_t write_there(void *arg)
{
	*(volatile uint64_t *)arg = 6;
	return 3;
}

TEST("ipc_reply_recv4:OK a fault comes, and answering it lets the thread go on")
{
	struct caller c = new_caller(new_endpoint(), 2);
	sys_cap_t caller, reply = held(&c, &caller), region, vmo = new_vmo(PAGE);
	sys_vaddr_t base, at;
	uint64_t label = 1, word[WORDS] = {0}, badge = 3;

	region = new_region(SYS_CAP_VMAR, PAGE, &base);
	sys_cap_t writer = helper_start_with(write_there, (void *)base, c.ep);
	until_waiting(writer);
	OKAY(sys_ipc_reply_recv4(reply, &label, word, c.ep, &badge));
	EQ(label, SYS_FAULT_PAGE);
	EQ(badge, 0);
	EQ(word[0], base);
	EQ(word[1], SYS_ACCESS_WRITE);
	EQ((int64_t)word[3], SYS_ERR_NOT_FOUND);
	OKAY(sys_vmar_map(region, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE | SYS_VM_SPECIFIC, 0, vmo, 0, PAGE, &at));
	label = 2;
	OKAY(sys_ipc_reply_recv4(reply, &label, word, c.ep, &badge));   /* the caller's second call */
	EQ(label, 1);
	for (unsigned w = 0; w < WORDS; w++)
		EQ(word[w], 1);
	EQ(until_exited(writer), 3);
	EQ(get(vmo, 0), 6);
	OKAY(sys_ipc_reply(reply, &(sys_msg_t){0}));
	EQ(until_exited(caller), SYS_OK);
	unmap((void *)base, PAGE);
}

TEST("ipc_reply_recv4:OK an exception comes as three words, the fourth stays")
{
	struct caller c = new_caller(new_endpoint(), 1);
	sys_cap_t caller, reply = held(&c, &caller);
	uint64_t label = 1, word[WORDS] = {1, 2, 3, 444};
	static const uint8_t undefined[] __attribute__((aligned(16), section(".text#"))) = {0x0f, 0x0b};

	sys_cap_t thread = helper_start_with((helper_fn)(uintptr_t)undefined, NULL, c.ep);
	OKAY(sys_ipc_reply_recv4(reply, &label, word, c.ep, NULL));
	EQ(label, SYS_FAULT_EXCEPTION);
	EQ(word[0], 6);
	EQ(word[2], (uintptr_t)undefined);
	EQ(word[3], 444);
	OKAY(sys_thread_kill(thread, 0));
	EQ(until_exited(caller), SYS_OK);
}

/* ---- refusals ---- */

TEST("ipc_call4:INVALID_ARGS ipc_reply_recv4:INVALID_ARGS a label of the kernel's")
{
	struct caller c = new_caller(new_endpoint(), 1);
	sys_cap_t thread, reply = held(&c, &thread);
	uint64_t label = SYS_LABEL_KERNEL | 5, word[WORDS] = {0};

	REFUSED(SYS_ERR_INVALID_ARGS, sys_ipc_call4(c.ep, &label, word));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_ipc_reply_recv4(reply, &label, word, c.ep, NULL));
	EQ(label, SYS_LABEL_KERNEL | 5);
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	OKAY(sys_ipc_reply(reply, &(sys_msg_t){0}));
	EQ(until_exited(thread), SYS_OK);
}

TEST("ipc_call4:PEER_CLOSED the reply is dropped unused")
{
	struct caller c = new_caller(new_endpoint(), 1);
	sys_cap_t thread, reply = held(&c, &thread);

	OKAY(sys_cap_delete(reply));
	EQ(until_exited(thread), SYS_ERR_PEER_CLOSED);
	EQ(c.label, 5);
}

TEST("ipc_call4:PEER_CLOSED the endpoint ends while it waits, and later")
{
	sys_cap_t ep = new_endpoint(), send_only = reduced(ep, SYS_RIGHT_SEND);
	struct caller c = new_caller(send_only, 1);
	sys_cap_t thread = helper_start(call_rounds, &c);

	until_waiting(thread);
	OKAY(sys_cap_delete(ep));
	EQ(until_exited(thread), SYS_ERR_PEER_CLOSED);
	REFUSED(SYS_ERR_PEER_CLOSED, sys_ipc_call4(send_only, &c.label, c.word));
}

TEST("ipc_call4:PEER_CLOSED whoever receives takes no calls")
{
	struct ipc_job job = {.op = JOB_RECV, .ep = new_endpoint()};
	sys_cap_t thread = job_start(&job);
	uint64_t label = 4, word[WORDS] = {1, 2, 3, 4};

	until_waiting(thread);
	STATUS(SYS_ERR_PEER_CLOSED, sys_ipc_call4(job.ep, &label, word));
	EQ(until_exited(thread), SYS_OK);
	EQ(job.msg.label, 4);
	EQ(job.msg.words, WORDS);
	EQ(job.msg.word[3], 4);
}

TEST("ipc_reply_recv4:BAD_STATE nobody waits for the answer")
{
	struct caller c = new_caller(new_endpoint(), 1);
	sys_cap_t thread, reply = held(&c, &thread), unused = new_reply();
	uint64_t label = 1, word[WORDS] = {0};

	REFUSED(SYS_ERR_BAD_STATE, sys_ipc_reply_recv4(unused, &label, word, c.ep, NULL));
	OKAY(sys_thread_kill(thread, 9));
	REFUSED(SYS_ERR_BAD_STATE, sys_ipc_reply_recv4(reply, &label, word, c.ep, NULL));
	EQ(label, 1);
}

TEST("ipc_call4:BAD_ADDRESS ipc_reply_recv4:BAD_ADDRESS no place for what comes")
{
	struct caller c = new_caller(new_endpoint(), 1);
	sys_cap_t thread, reply = held(&c, &thread);
	uint64_t label = 1, word[WORDS] = {0};
	static uint64_t *const bad[] = {NULL, (uint64_t *)8, (uint64_t *)KERNEL_HALF, (uint64_t *)(KERNEL_HALF - 8)};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		REFUSED(SYS_ERR_BAD_ADDRESS, sys_ipc_call4(c.ep, bad[i], word));
		REFUSED(SYS_ERR_BAD_ADDRESS, sys_ipc_call4(c.ep, &label, bad[i]));
		REFUSED(SYS_ERR_BAD_ADDRESS, sys_ipc_reply_recv4(reply, bad[i], word, c.ep, NULL));
		REFUSED(SYS_ERR_BAD_ADDRESS, sys_ipc_reply_recv4(reply, &label, bad[i], c.ep, NULL));
		if (bad[i])
			REFUSED(SYS_ERR_BAD_ADDRESS, sys_ipc_reply_recv4(reply, &label, word, c.ep, bad[i]));
	}
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	OKAY(sys_ipc_reply(reply, &(sys_msg_t){0}));
	EQ(until_exited(thread), SYS_OK);
}
