/* SPDX-License-Identifier: BSD-2-Clause */
/* ipc.c: random sequences of sends, calls, receives, replies, signals, faults, kills, suspensions, deadlines
 * and ends against an executable model.
 *
 * The model has no queues: who is next is looked for among all waiting threads, by priority, then by the number of
 * its arrival. After every step each thread must have the outcome that the model gives it, and what it received
 * must be what was sent. */
#include <string.h>
#include "common/threads.h"
#include "model/engine.h"

#define THREADS   12
#define ENDPOINTS 3
#define REPLIES   4
#define NTFNS     2
#define NONE      -1

enum wait { RUNS, SENDS, CALLS, RECEIVES, AWAITS_REPLY, AWAITS_BITS, FAULT_QUEUED, FAULT_TAKEN, DEAD };

struct m_thread {
	struct actor *x;
	enum wait wait;
	bool suspended, again;          /* again: taken off its list; it makes its call anew when it is resumed */
	enum wait call;                 /* what it does again */
	int ep, reply, ntfn, fault_ep;
	u64 priority, arrival, badge, message, words, fault_badge;
	i64 deadline, status;           /* status: of its last call, when it runs; its exit code, when it is dead */
	bool got;                       /* its last call received: what follows */
	u64 got_message, got_words, got_badge;
};
static struct m_thread thread[THREADS];
static struct { struct endpoint *e; struct slot *cap; } endpoint[ENDPOINTS];
static struct { struct reply *r; struct slot *cap; int caller, receiver; } reply[REPLIES];
static struct { struct notification *n; struct slot *cap; u64 bits; } ntfn[NTFNS];
static vaddr_t memory[THREADS];
static struct space *space;
static struct cnode *cs;
static struct slot *top;
static u64 arrivals, messages;
static i64 now;
static u64 happened[DEAD + 1];

/* ---- the model --------------------------------------------------------------------------------------------------- */

static int index_of(const struct m_thread *t) { return t ? (int)(t - thread) : NONE; }

/* The first that waits like this there: highest priority, then earliest. */
static struct m_thread *first(bool (*waits)(const struct m_thread *, int), int at)
{
	struct m_thread *best = NULL;

	for (struct m_thread *t = thread; t < thread + THREADS; t++)
		if (!t->again && waits(t, at) && (!best || t->priority > best->priority ||
		                                  (t->priority == best->priority && t->arrival < best->arrival)))
			best = t;
	return best;
}

static bool receives(const struct m_thread *t, int e) { return t->wait == RECEIVES && t->ep == e; }
static bool awaits_bits(const struct m_thread *t, int n) { return t->wait == AWAITS_BITS && t->ntfn == n; }
static bool sends(const struct m_thread *t, int e)
{
	return ((t->wait == SENDS || t->wait == CALLS) && t->ep == e) || (t->wait == FAULT_QUEUED && t->ep == e);
}

static void leave(struct m_thread *t)
{
	for (int r = 0; r < REPLIES; r++) {
		if (reply[r].caller == index_of(t))
			reply[r].caller = NONE;
		if (reply[r].receiver == index_of(t))
			reply[r].receiver = NONE;
	}
}

static void completes(struct m_thread *t, i64 status)
{
	leave(t);
	happened[t->wait]++;
	t->wait = RUNS;
	t->again = false;
	t->status = status;
	t->got = false;
}

static void dies(struct m_thread *t, i64 code)
{
	leave(t);
	t->wait = DEAD;
	t->again = t->got = false;
	t->status = code;
}

static void waits(struct m_thread *t, enum wait kind)
{
	t->wait = t->call = kind;
	t->again = false;
	t->arrival = ++arrivals;
}

static void receives_message(struct m_thread *to, u64 message, u64 words, u64 badge)
{
	completes(to, SYS_OK);
	to->got = true;
	to->got_message = message;
	to->got_words = words;
	to->got_badge = badge;
}

/* from's message is taken by one who offers reply r. */
static void taken(struct m_thread *from, int r)
{
	bool fault = from->wait == FAULT_QUEUED;

	if (from->wait == SENDS)
		return completes(from, SYS_OK);
	happened[from->wait]++;
	if (r == NONE)
		return fault ? dies(from, SYS_ERR_CANCELED) : completes(from, SYS_ERR_PEER_CLOSED);
	from->wait = fault ? FAULT_TAKEN : AWAITS_REPLY;
	reply[r].caller = index_of(from);
}

static int offered(struct m_thread *t)
{
	for (int r = 0; r < REPLIES; r++)
		if (reply[r].receiver == index_of(t))
			return r;
	return NONE;
}

static bool past(const struct m_thread *t) { return t->deadline <= now; }
static bool over(int e) { return object_dying(&endpoint[e].e->object); }

static void meet_receiver(struct m_thread *t)
{
	struct m_thread *to = first(receives, t->ep);
	int r = to ? offered(to) : NONE;

	if (!to)
		return;
	receives_message(to, t->message, t->words, t->badge);
	taken(t, r);
}

static void model_send(struct m_thread *t, enum wait kind, bool anew)
{
	if (kind == CALLS && past(t))
		return completes(t, anew ? SYS_ERR_TIMED_OUT : SYS_ERR_INVALID_ARGS);
	if (!first(receives, t->ep) && past(t))
		return completes(t, SYS_ERR_TIMED_OUT);
	waits(t, kind);
	meet_receiver(t);
}

static void model_recv(struct m_thread *t)
{
	struct m_thread *from = first(sends, t->ep);

	if (t->reply != NONE && (reply[t->reply].caller != NONE || reply[t->reply].receiver != NONE))
		return completes(t, SYS_ERR_BAD_STATE);
	if (from) {
		int r = t->reply;
		receives_message(t, from->message, from->words, from->badge);
		return taken(from, r);
	}
	if (past(t))
		return completes(t, SYS_ERR_TIMED_OUT);
	waits(t, RECEIVES);
	if (t->reply != NONE)
		reply[t->reply].receiver = index_of(t);
}

static void model_reply(struct m_thread *t, int r)
{
	struct m_thread *caller = reply[r].caller == NONE ? NULL : &thread[reply[r].caller];

	completes(t, caller ? SYS_OK : SYS_ERR_BAD_STATE);
	if (!caller)
		return;
	if (caller->wait == AWAITS_REPLY)
		receives_message(caller, t->message, t->words, 0);
	else
		completes(caller, SYS_OK);
}

static void take_bits(struct m_thread *t, int n)
{
	receives_message(t, 0, 0, ntfn[n].bits);
	t->got_words = UINT64_MAX;                                      /* no message: bits in place of the badge */
	ntfn[n].bits = 0;
}

static void model_wait(struct m_thread *t)
{
	if (ntfn[t->ntfn].bits)
		take_bits(t, t->ntfn);
	else if (past(t))
		completes(t, SYS_ERR_TIMED_OUT);
	else
		waits(t, AWAITS_BITS);
}

static void model_fault(struct m_thread *t, i64 code)
{
	if (t->fault_ep == NONE)
		return dies(t, code);
	t->ep = t->fault_ep;
	t->badge = t->fault_badge;
	t->status = code;
	waits(t, FAULT_QUEUED);
	meet_receiver(t);
}

static void model_again(struct m_thread *t)
{
	switch (t->call) {
	case SENDS: case CALLS: return model_send(t, t->call, true);
	case RECEIVES:          return model_recv(t);
	default:                return model_wait(t);
	}
}

/* ---- what every thread's outcome must be ------------------------------------------------------------------------- */

static u64 word(u64 message, u64 i) { return message * 100 + i; }

static void compare_message(struct m_thread *t)
{
	sys_msg_t m;
	u64 badge;

	actor_hears(t->x, &m, &badge);
	must(badge == t->got_badge);
	if (t->got_words == UINT64_MAX)
		return;
	must(m.words == t->got_words);
	for (u64 i = 0; i < m.words; i++)
		must(m.word[i] == word(t->got_message, i));
	must(m.label == (t->got_message & ~SYS_LABEL_KERNEL) ||
	     (m.label == SYS_FAULT_PAGE && t->got_message >= SYS_LABEL_KERNEL));
}

static void compare(struct m_thread *t)
{
	int outcome = actor_goes_on(t->x);

	thread_check(t->x->t);
	if (t->wait == DEAD) {
		must(outcome == GONE && t->x->t->exit_code == t->status);
		return;
	}
	if (t->suspended || t->wait != RUNS) {
		must(outcome == BLOCKED);
		return;
	}
	must(outcome == t->status);
	if (t->got)
		compare_message(t);
	t->got = false;
}

static void compare_all(void)
{
	for (struct m_thread *t = thread; t < thread + THREADS; t++)
		compare(t);
	for (int e = 0; e < ENDPOINTS; e++)
		endpoint_check(endpoint[e].e);
	for (int r = 0; r < REPLIES; r++) {
		must(reply[r].r->caller == (reply[r].caller == NONE ? NULL : thread[reply[r].caller].x->t));
		must(reply[r].r->receiver == (reply[r].receiver == NONE ? NULL : thread[reply[r].receiver].x->t));
	}
	for (int n = 0; n < NTFNS; n++)
		must(ntfn[n].n->bits == ntfn[n].bits);
	sched_check();
}

/* ---- making things ----------------------------------------------------------------------------------------------- */

static void *named(enum sys_type type, struct slot **cap)
{
	struct object *o = object_new(account_root(), type);

	*cap = cap_put(cs, o, top, SLOT_FIRST);
	return o;
}

static void thread_new(struct m_thread *t)
{
	u64 priority = 1 + choose(4);

	if (t->x)
		actor_drop(t->x);
	*t = (struct m_thread){ .wait = RUNS, .fault_ep = NONE, .priority = priority, .status = SYS_OK };
	t->x = actor_new(account_root(), space, cs, (u8)priority);
	t->x->t->context.regs.rax = SYS_OK;
	t->x->memory = memory[index_of(t)];
}

static void start(void)
{
	memset(thread, 0, sizeof thread);
	memset(ntfn, 0, sizeof ntfn);
	arrivals = messages = 0;
	now = 0;
	actors_forget();
	kernel_start(4096);
	cs = cnode_new(account_root(), 64);
	object_cap(&cs->object);
	top = cap_put(cs, account_root(), NULL, SLOT_FIRST);
	must(space_create(account_root(), false, &space) == SYS_OK);
	object_cap((struct object *)space);
	for (int i = 0; i < THREADS; i++) {
		thread_new(&thread[i]);
		actor_memory(thread[i].x, 1);
		memory[i] = thread[i].x->memory;
	}
	for (int i = 0; i < ENDPOINTS; i++)
		endpoint[i].e = named(SYS_TYPE_ENDPOINT, &endpoint[i].cap);
	for (int i = 0; i < REPLIES; i++) {
		reply[i].r = named(SYS_TYPE_REPLY, &reply[i].cap);
		reply[i].caller = reply[i].receiver = NONE;
	}
	for (int i = 0; i < NTFNS; i++)
		ntfn[i].n = named(SYS_TYPE_NOTIFICATION, &ntfn[i].cap);
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

static void prepare(struct m_thread *t)
{
	static const i64 ahead[] = { -5, 0, 3, 20, 100 };
	sys_msg_t m = { .label = ++messages, .words = (u32)choose(9) };

	t->ep = (int)choose(ENDPOINTS);
	t->reply = (int)choose(REPLIES + 1) - 1;
	t->ntfn = (int)choose(NTFNS);
	t->badge = choose(1000);
	t->deadline = chance(60) ? SYS_TIME_INFINITE : now + ahead[choose(ARRAY_LEN(ahead))];
	t->message = messages;
	t->words = m.words;
	for (u64 i = 0; i < SYS_MSG_WORDS; i++)
		m.word[i] = word(messages, i);
	actor_says(t->x, &m);
}

static void op_call(struct m_thread *t)
{
	struct reply *r;

	prepare(t);
	r = t->reply == NONE ? NULL : reply[t->reply].r;
	switch (choose(12)) {
	case 0: case 1:
		actor_send(t->x, endpoint[t->ep].e, t->badge, t->deadline);
		return model_send(t, SENDS, false);
	case 2: case 3: case 4:
		actor_call(t->x, endpoint[t->ep].e, t->badge, t->deadline);
		return model_send(t, CALLS, false);
	case 5: case 6: case 7: case 8:
		actor_recv(t->x, endpoint[t->ep].e, r, t->deadline);
		return model_recv(t);
	case 9: case 10:
		if (!r)
			r = reply[t->reply = 0].r;
		actor_reply(t->x, r);
		return model_reply(t, t->reply);
	default:
		actor_wait(t->x, ntfn[t->ntfn].n, t->deadline);
		return model_wait(t);
	}
}

static void op_fault(struct m_thread *t)
{
	u64 words[4];

	t->message = SYS_LABEL_KERNEL + ++messages;
	t->words = 4;
	for (u64 i = 0; i < 4; i++)
		words[i] = word(t->message, i);
	actor_fault_words(t->x, words, SYS_ERR_IO);
	model_fault(t, SYS_ERR_IO);
}

static void op_suspend(struct m_thread *t)
{
	sys_status_t status = t->suspended ? thread_resume(t->x->t) : thread_suspend(t->x->t);

	must(status == (t->wait == DEAD ? SYS_ERR_BAD_STATE : SYS_OK));
	if (t->wait == DEAD)
		return;
	t->suspended = !t->suspended;
	if (t->suspended && (t->wait == SENDS || t->wait == CALLS || t->wait == RECEIVES || t->wait == AWAITS_BITS)) {
		leave(t);
		t->again = true;
	} else if (!t->suspended && t->again) {
		actor_goes_on(t->x);
		model_again(t);
	}
}

static void op_priority(struct m_thread *t)
{
	t->priority = 1 + choose(4);
	thread_set_priority(t->x->t, (u8)t->priority);
	t->arrival = ++arrivals;                                        /* behind its new equals */
}

static void op_fault_endpoint(struct m_thread *t)
{
	t->fault_ep = (int)choose(ENDPOINTS + 1) - 1;
	t->fault_badge = choose(1000);
	ipc_set_fault_endpoint(t->x->t, t->fault_ep == NONE ? NULL : endpoint[t->fault_ep].e, t->fault_badge);
}

static void op_signal(void)
{
	int n = (int)choose(NTFNS);
	u64 bits = choose(8);
	struct m_thread *t;

	ntfn[n].bits |= bits;
	notification_signal(ntfn[n].n, bits);
	t = first(awaits_bits, n);
	if (ntfn[n].bits && t)
		take_bits(t, n);
}

static void op_time(void)
{
	now += (i64)choose(6);
	time_pass(now);
	for (struct m_thread *t = thread; t < thread + THREADS; t++)
		if (t->wait != RUNS && t->wait != DEAD && t->wait != FAULT_QUEUED && t->wait != FAULT_TAKEN &&
		    !t->again && past(t))
			completes(t, SYS_ERR_TIMED_OUT);
}

/* Nobody who is suspended means to come back to it. */
static bool meant(int ep, int r, int n)
{
	for (struct m_thread *t = thread; t < thread + THREADS; t++)
		if (t->again && ((t->call != AWAITS_BITS && t->ep == ep) || (t->call == RECEIVES && t->reply == r) ||
		                 (t->call == AWAITS_BITS && t->ntfn == n)))
			return true;
	return false;
}

static void op_end_endpoint(int e)
{
	if (meant(e, NONE - 1, NONE))
		return;
	must(delete_all(endpoint[e].cap) == SYS_OK && over(e));
	kernel_reap();
	for (struct m_thread *t = thread; t < thread + THREADS; t++) {
		if (t->fault_ep == e)
			t->fault_ep = NONE;
		if (t->wait == FAULT_QUEUED && t->ep == e)
			dies(t, t->status);
		else if (sends(t, e) || receives(t, e))
			completes(t, SYS_ERR_PEER_CLOSED);
	}
	endpoint[e].e = named(SYS_TYPE_ENDPOINT, &endpoint[e].cap);
}

static void op_end_reply(int r)
{
	if (meant(NONE, r, NONE))
		return;
	must(delete_all(reply[r].cap) == SYS_OK);
	kernel_reap();
	if (reply[r].caller != NONE) {
		struct m_thread *t = &thread[reply[r].caller];
		if (t->wait == FAULT_TAKEN)
			dies(t, SYS_ERR_CANCELED);
		else
			completes(t, SYS_ERR_PEER_CLOSED);
	}
	reply[r].caller = reply[r].receiver = NONE;
	reply[r].r = named(SYS_TYPE_REPLY, &reply[r].cap);
}

static void op_end_notification(int n)
{
	struct m_thread *t;

	if (meant(NONE, NONE - 1, n))
		return;
	must(delete_all(ntfn[n].cap) == SYS_OK);
	kernel_reap();
	while ((t = first(awaits_bits, n)) != NULL)
		completes(t, SYS_ERR_PEER_CLOSED);
	ntfn[n].n = named(SYS_TYPE_NOTIFICATION, &ntfn[n].cap);
	ntfn[n].bits = 0;
}

static void op_end(void)
{
	u64 which = choose(4);

	if (which == 0)
		op_end_endpoint((int)choose(ENDPOINTS));
	else if (which == 1)
		op_end_notification((int)choose(NTFNS));
	else
		op_end_reply((int)choose(REPLIES));
}

static void op_kill(struct m_thread *t)
{
	i64 code = (i64)choose(100);

	thread_exit(t->x->t, code);
	dies(t, code);
}

static void step(void)
{
	struct m_thread *t = &thread[choose(THREADS)];
	bool runs = t->wait == RUNS && !t->suspended;
	u64 dice = choose(100);

	if (t->wait == DEAD && dice < 70)
		thread_new(t);
	else if (dice < 70 && runs)
		op_call(t);
	else if (dice < 76 && runs)
		op_fault(t);
	else if (dice < 70)
		op_time();
	else if (dice < 80 || (t->suspended && dice < 90))
		op_suspend(t);
	else if (dice < 84 && t->wait != DEAD)
		op_priority(t);
	else if (dice < 88 && t->wait != DEAD)
		op_fault_endpoint(t);
	else if (dice < 96)
		op_signal();
	else if (dice < 98)
		op_end();
	else if (t->wait != DEAD)
		op_kill(t);
}

static void step_and_compare(void)
{
	step();
	compare_all();
}

static void finish(void) { }

const struct model model = { "ipc", 50000, start, step_and_compare, kernel_check, finish };
