/* SPDX-License-Identifier: BSD-2-Clause */
/* ipc.c: threads that send, call, receive, reply, signal, fault, suspend, resume, kill and reprioritise each other, with
 * deadlines and with capabilities in messages, against an executable model. Programs come in through the dispatcher and
 * run when the scheduler says so; whoever runs makes the next call, and must be one of the best that can.
 *
 * The model has no queues: who is next is looked for among all waiting threads, by priority, then by the number of
 * its arrival. Of each CSpace it knows every slot, the order of the free ones and their next generations. After every
 * step each thread must have the outcome that the model gives it, what it received must be what was sent, and every
 * slot must hold what the model says. A call that must be made again (its thread was suspended, or an interrupt came) is
 * judged anew when its thread next runs. */
#include <string.h>
#include "common/user.h"
#include "model/engine.h"
#include "syscall/check.h"
#include "syscall/fastpath.h"

#define THREADS   9
#define ENDPOINTS 3
#define REPLIES   4
#define NTFNS     10                    /* the first two in every CSpace, the others once: they are sent about */
#define COMMON    2
#define SPACES    2                     /* CSpaces: thread i has i % SPACES */
#define SLOTS     32u
#define NONE      -1
#define HOLE      0x10000ull            /* nothing is mapped there */

enum wait { RUNS, SENDS, CALLS, RECEIVES, AWAITS_REPLY, AWAITS_BITS, FAULT_QUEUED, FAULT_TAKEN, DEAD };
/* What can be named. */
enum kind { FREE, ENDPOINT, REPLY, NTFN, THREAD };

struct message {                        /* word i is id * 100 + i, but a fault's are given */
	u64 id, label;
	u32 words, caps;
	sys_cap_t cap[SYS_MSG_CAPS];
	bool fault;
	u64 fault_word[4];
};
struct m_thread {
	struct thread *t;
	enum wait wait;
	bool suspended, again;          /* again: in a call that it makes anew when it runs */
	u64 call;                       /* its call's number */
	sys_cap_t name[3];              /* the call's capability arguments: endpoint, reply, notification */
	int ep, reply, ntfn;            /* what they named */
	int fault_ep;
	u64 priority, arrival, badge, fault_badge, accept;
	bool small;                     /* its message stays in registers (calls of four words) */
	struct message says;
	i64 deadline, status;           /* status: of its last call */
	i64 code;                       /* its exit code; before that, what a fault that nobody takes ends it with */
	bool got;                       /* its last call received: what follows */
	struct message hears;
	u64 got_badge;
	bool got_bits;                  /* a notification's: in got_badge */
};
struct m_slot { enum kind kind; int which; sys_rights_t rights; u64 badge; u32 generation; };
struct m_cspace { struct cnode *c; struct m_slot slot[SLOTS]; u32 queue[SLOTS], free; };

static struct m_thread thread[THREADS];
static struct m_cspace cspace[SPACES];
static struct { struct endpoint *e; bool over; } endpoint[ENDPOINTS];
static struct { struct reply *r; int caller, receiver; } reply[REPLIES];
static struct { struct notification *n; u64 bits; } ntfn[NTFNS];
static vaddr_t memory[THREADS];
static struct space *space;
static struct thread *idler;            /* never waits, never ends, has the lowest priority */
static struct slot *top;
static u64 arrivals, messages;
static i64 now;
static bool polls;                      /* every look for an interrupt finds one */

/* ---- the model: slots -------------------------------------------------------------------------------------------- */

static int index_of(const struct m_thread *t) { return (int)(t - thread); }
static struct m_cspace *cspace_of(const struct m_thread *t) { return &cspace[index_of(t) % SPACES]; }

static void *object_of(enum kind kind, int which)
{
	switch (kind) {
	case ENDPOINT: return endpoint[which].e;
	case REPLY:    return reply[which].r;
	case NTFN:     return ntfn[which].n;
	default:       return thread[which].t;
	}
}

static sys_cap_t name_at(const struct m_cspace *cs, u32 i) { return slot_name(i, cs->slot[i].generation); }

/* The slot that a name names, or NULL. */
static struct m_slot *named(struct m_cspace *cs, sys_cap_t name)
{
	u32 i = (u32)name;

	return i < SLOTS && cs->slot[i].kind && cs->slot[i].generation == name >> 32 ? &cs->slot[i] : NULL;
}

/* The oldest free slot. */
static u32 take_slot(struct m_cspace *cs, struct m_slot what)
{
	u32 i = cs->queue[0];

	must(cs->free > 0);
	memmove(cs->queue, cs->queue + 1, --cs->free * sizeof cs->queue[0]);
	what.generation = cs->slot[i].generation;
	cs->slot[i] = what;
	return i;
}

static void free_slot(struct m_cspace *cs, struct m_slot *s)
{
	*s = (struct m_slot){ .generation = s->generation + 1 };
	cs->queue[cs->free++] = (u32)(s - cs->slot);
}

/* A new capability in a CSpace or, if that is full, in another: all of them together have room. */
static void put(struct m_cspace *cs, enum kind kind, int which, sys_rights_t rights, u64 badge)
{
	struct slot *s;
	u32 i;

	while (!cs->free)
		cs = cs == cspace ? cs + 1 : cspace;
	i = take_slot(cs, (struct m_slot){ .kind = kind, .which = which, .rights = rights, .badge = badge });
	s = cap_put_with(cs->c, object_of(kind, which), rights, badge, top);
	must(slot_cap(s) == name_at(cs, i));
}

/* Deletes all capabilities to an object that have one of these rights (0: all). */
static void delete_caps(enum kind kind, int which, sys_rights_t rights)
{
	for (struct m_cspace *cs = cspace; cs < cspace + SPACES; cs++)
		for (u32 i = 1; i < SLOTS; i++) {
			struct m_slot *s = &cs->slot[i];

			if (s->kind != kind || s->which != which || (rights && !(s->rights & rights)))
				continue;
			must(delete_all(cnode_slot(cs->c, i)) == SYS_OK);
			free_slot(cs, s);
		}
}

/* What a capability argument must have: BAD_CAP, WRONG_TYPE, ACCESS_DENIED or OK. */
static sys_status_t check(struct m_thread *t, sys_cap_t name, enum kind kind, sys_rights_t rights, struct m_slot **out)
{
	struct m_slot *s = named(cspace_of(t), name);

	*out = s;
	if (!s)
		return SYS_ERR_BAD_CAP;
	if (s->kind != kind)
		return SYS_ERR_WRONG_TYPE;
	return (s->rights & rights) == rights ? SYS_OK : SYS_ERR_ACCESS_DENIED;
}

/* ---- the model: waiting ------------------------------------------------------------------------------------------ */

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
	return (t->wait == SENDS || t->wait == CALLS || t->wait == FAULT_QUEUED) && t->ep == e;
}
static bool past(const struct m_thread *t) { return t->deadline <= now; }

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
	t->wait = RUNS;
	t->again = t->got = false;
	t->status = status;
}

static void dies(struct m_thread *t, i64 code)
{
	leave(t);
	t->wait = DEAD;
	t->again = t->got = t->suspended = false;
	t->code = code;
}

static void waits(struct m_thread *t, enum wait kind)
{
	t->wait = kind;
	t->again = false;
	t->arrival = ++arrivals;
}

/* ---- the model: messages ----------------------------------------------------------------------------------------- */

/* Whether t may give these capabilities away, in the order in which they are looked at. */
static sys_status_t grantable(struct m_thread *t)
{
	struct message *m = &t->says;

	for (u32 i = 0; i < m->caps; i++) {
		const struct m_slot *s = named(cspace_of(t), m->cap[i]);

		if (!s)
			return SYS_ERR_BAD_CAP;
		if (!(s->rights & SYS_RIGHT_GRANT))
			return SYS_ERR_ACCESS_DENIED;
		for (u32 j = 0; j < i; j++)
			if (m->cap[j] == m->cap[i])
				return SYS_ERR_INVALID_ARGS;
	}
	return SYS_OK;
}

static void move_caps(struct m_thread *from, struct m_thread *to, struct message *m)
{
	for (u32 i = 0; i < m->caps; i++) {
		struct m_slot *s = named(cspace_of(from), m->cap[i]);
		u32 at = take_slot(cspace_of(to), *s);

		free_slot(cspace_of(from), s);
		m->cap[i] = name_at(cspace_of(to), at);
	}
}

/* from's message becomes to's, whose call is over; an error is from's, and nothing has moved. */
static sys_status_t hand_over(struct m_thread *from, struct m_thread *to, u64 badge)
{
	struct message m = from->says;
	sys_status_t status = SYS_OK;

	if (!m.fault && m.caps) {
		if (m.caps > to->accept)
			return SYS_ERR_BUFFER_TOO_SMALL;
		status = grantable(from);
		if (status == SYS_OK && cspace_of(to)->free < m.caps)
			status = SYS_ERR_NO_SLOT;
		if (status != SYS_OK)
			return status;
		move_caps(from, to, &m);
	}
	if (to->small)
		m.words = MIN(m.words, 4u);
	completes(to, SYS_OK);
	to->got = true;
	to->got_bits = false;
	to->hears = m;
	to->got_badge = badge;
	return SYS_OK;
}

/* from's message was taken by one who offers reply r: from waits for the answer, or is told that there is none. */
static void awaits(struct m_thread *from, int r)
{
	bool fault = from->says.fault;

	if (r == NONE)
		return fault ? dies(from, SYS_ERR_CANCELED) : completes(from, SYS_ERR_PEER_CLOSED);
	from->wait = fault ? FAULT_TAKEN : AWAITS_REPLY;
	from->again = false;
	reply[r].caller = index_of(from);
}

static int offered(const struct m_thread *t)
{
	for (int r = 0; r < REPLIES; r++)
		if (reply[r].receiver == index_of(t))
			return r;
	return NONE;
}

static bool good(const struct m_thread *t, bool reply_call)
{
	return t->says.words <= SYS_MSG_WORDS && t->says.caps <= SYS_MSG_CAPS && !(t->says.label & SYS_LABEL_KERNEL) &&
		(!reply_call || t->accept <= SYS_MSG_CAPS);
}

/* The sender t meets a receiver, if one waits. */
static sys_status_t meet_receiver(struct m_thread *t, bool call)
{
	struct m_thread *to = first(receives, t->ep);
	int r = to ? offered(to) : NONE;
	sys_status_t status;

	status = hand_over(t, to, t->badge);
	if (status != SYS_OK || !call)
		completes(t, status);
	else
		awaits(t, r);
	return status;
}

static void model_send(struct m_thread *t, bool call, bool anew)
{
	struct m_slot *s;
	sys_status_t status = check(t, t->name[0], ENDPOINT, SYS_RIGHT_SEND, &s);

	if (status != SYS_OK)
		return completes(t, status);
	t->ep = s->which;
	t->badge = s->badge;
	if (!good(t, call))
		return completes(t, SYS_ERR_INVALID_ARGS);
	if (call && past(t))
		return completes(t, anew ? SYS_ERR_TIMED_OUT : SYS_ERR_INVALID_ARGS);
	if (endpoint[t->ep].over)
		return completes(t, SYS_ERR_PEER_CLOSED);
	status = grantable(t);
	if (status != SYS_OK)
		return completes(t, status);
	if (first(receives, t->ep))
		meet_receiver(t, call);
	else if (past(t))
		completes(t, SYS_ERR_TIMED_OUT);
	else
		waits(t, call ? CALLS : SENDS);
}

/* Takes the first sender's message. False: it could not deliver, and was told. */
static bool receive_first(struct m_thread *t, struct m_thread *from)
{
	bool call = from->wait != SENDS;
	int r = t->reply;
	sys_status_t status = hand_over(from, t, from->badge);

	if (status != SYS_OK || !call)
		completes(from, status);
	else
		awaits(from, r);
	return status == SYS_OK;
}

/* The arguments are good: ep and reply say what they name. */
static void model_receive(struct m_thread *t)
{
	struct m_thread *from;

	t->call = NR_ipc_recv_rest;     /* of which a receive is the same as */
	if (t->accept > SYS_MSG_CAPS)
		return completes(t, SYS_ERR_INVALID_ARGS);
	if (t->reply != NONE && (reply[t->reply].caller != NONE || reply[t->reply].receiver != NONE))
		return completes(t, SYS_ERR_BAD_STATE);
	if (endpoint[t->ep].over)
		return completes(t, SYS_ERR_PEER_CLOSED);
	while ((from = first(sends, t->ep)) != NULL) {
		if (receive_first(t, from))
			return;
		if (polls) {
			t->again = true;
			return;
		}
	}
	if (past(t))
		return completes(t, SYS_ERR_TIMED_OUT);
	waits(t, RECEIVES);
	if (t->reply != NONE)
		reply[t->reply].receiver = index_of(t);
}

static void model_recv(struct m_thread *t)
{
	struct m_slot *ep, *r = NULL;
	sys_status_t status, second = SYS_OK;
	bool rest = t->call != NR_ipc_recv;     /* then the reply object stands first, and must be one */

	status = check(t, t->name[0], ENDPOINT, SYS_RIGHT_RECV, &ep);
	if (t->name[1] != SYS_CAP_NULL || rest)
		second = check(t, t->name[1], REPLY, SYS_RIGHT_RECV, &r);
	if (status == SYS_OK || (rest && second != SYS_OK))
		status = second;
	if (status != SYS_OK)
		return completes(t, status);
	t->ep = ep->which;
	t->reply = r ? r->which : NONE;
	t->call = rest ? NR_ipc_recv_rest : NR_ipc_recv;
	model_receive(t);
	if (!rest && t->call == NR_ipc_recv_rest)
		t->call = NR_ipc_recv;
}

/* The reply itself: what the call returns if that is all. */
static sys_status_t model_answer(struct m_thread *t, int r)
{
	struct m_thread *caller = reply[r].caller == NONE ? NULL : &thread[reply[r].caller];
	sys_status_t status;

	if (!good(t, false))
		return SYS_ERR_INVALID_ARGS;
	if (!caller)
		return SYS_ERR_BAD_STATE;
	status = grantable(t);
	if (status != SYS_OK)
		return status;
	if (caller->wait == AWAITS_REPLY)
		return hand_over(t, caller, 0);
	if (t->says.caps)
		return SYS_ERR_BUFFER_TOO_SMALL;
	completes(caller, caller->status);
	return SYS_OK;
}

static void model_reply(struct m_thread *t)
{
	struct m_slot *r;
	sys_status_t status = check(t, t->name[1], REPLY, SYS_RIGHT_SEND, &r);

	completes(t, status == SYS_OK ? model_answer(t, r->which) : status);
}

static void model_reply_recv(struct m_thread *t)
{
	struct m_slot *r, *ep;
	sys_status_t status = check(t, t->name[1], REPLY, SYS_RIGHT_SEND | SYS_RIGHT_RECV, &r);

	if (status == SYS_OK)
		status = check(t, t->name[0], ENDPOINT, SYS_RIGHT_RECV, &ep);
	if (status == SYS_OK && t->accept > SYS_MSG_CAPS)
		status = SYS_ERR_INVALID_ARGS;
	if (status != SYS_OK)
		return completes(t, status);
	t->ep = ep->which;
	t->reply = r->which;
	status = model_answer(t, t->reply);
	if (status != SYS_OK)
		return completes(t, status);
	t->call = NR_ipc_recv_rest;
	if (t->says.caps)
		t->again = true;                /* it may have given the call's own capabilities away */
	else
		model_receive(t);
}

static void take_bits(struct m_thread *t, int n)
{
	completes(t, SYS_OK);
	t->got = t->got_bits = true;
	t->got_badge = ntfn[n].bits;
	ntfn[n].bits = 0;
}

static void model_wait(struct m_thread *t)
{
	struct m_slot *s;
	sys_status_t status = check(t, t->name[2], NTFN, SYS_RIGHT_RECV, &s);

	if (status != SYS_OK)
		return completes(t, status);
	t->ntfn = s->which;
	if (ntfn[t->ntfn].bits)
		take_bits(t, t->ntfn);
	else if (past(t))
		completes(t, SYS_ERR_TIMED_OUT);
	else
		waits(t, AWAITS_BITS);
}

static void model_call(struct m_thread *t, bool anew)
{
	switch (t->call) {
	case NR_ipc_send:           return model_send(t, false, anew);
	case NR_ipc_call:
	case NR_ipc_call4:          return model_send(t, true, anew);
	case NR_ipc_recv:
	case NR_ipc_recv_rest:      return model_recv(t);
	case NR_ipc_reply:          return model_reply(t);
	case NR_notification_wait:  return model_wait(t);
	case NR_ipc_reply_recv:
	case NR_ipc_reply_recv4:    return model_reply_recv(t);
	default:                    return completes(t, SYS_OK);        /* the rest of a deletion */
	}
}

static void model_fault(struct m_thread *t, i64 code)
{
	t->code = code;
	if (t->fault_ep == NONE)
		return dies(t, code);
	t->ep = t->fault_ep;
	t->badge = t->fault_badge;
	waits(t, FAULT_QUEUED);
	if (first(receives, t->ep))
		meet_receiver(t, true);
}

/* ---- the model: the end of things -------------------------------------------------------------------------------- */

static void end_endpoint(int e)
{
	endpoint[e].over = true;
	for (struct m_thread *t = thread; t < thread + THREADS; t++) {
		if (t->fault_ep == e)
			t->fault_ep = NONE;
		if (t->again || t->ep != e)
			continue;
		if (t->wait == FAULT_QUEUED)
			dies(t, t->code);
		else if (sends(t, e) || receives(t, e))
			completes(t, SYS_ERR_PEER_CLOSED);
	}
}

static void end_reply(int r)
{
	struct m_thread *t = reply[r].caller == NONE ? NULL : &thread[reply[r].caller];

	reply[r].caller = reply[r].receiver = NONE;
	if (t && t->wait == FAULT_TAKEN)
		dies(t, SYS_ERR_CANCELED);
	else if (t)
		completes(t, SYS_ERR_PEER_CLOSED);
}

static void end_notification(int n)
{
	struct m_thread *t;

	while ((t = first(awaits_bits, n)) != NULL)
		completes(t, SYS_ERR_PEER_CLOSED);
	ntfn[n].bits = 0;
}

/* ---- what every thread's outcome must be ------------------------------------------------------------------------- */

static u64 word(const struct message *m, u32 i) { return m->fault ? m->fault_word[i] : m->id * 100 + i; }

static void compare_message(struct m_thread *t)
{
	const struct regs *r = &t->t->context.regs;
	const struct message *m = &t->hears;
	const u64 in_register[4] = { r->r12, r->r13, r->r14, r->r15 };
	sys_msg_t rest;

	t->got = false;
	must(r->rdx == t->got_badge);
	if (t->got_bits)
		return;
	must(r->r8 == m->label && r->r9 == (m->words | (u64)m->caps << 32 | t->accept << 48));
	for (u32 i = 0; i < MIN(m->words, 4u); i++)
		must(in_register[i] == word(m, i));
	if (m->words <= 4 && !m->caps)
		return;
	user_peek(space, memory[index_of(t)], &rest, sizeof rest);
	for (u32 i = 4; i < m->words; i++)
		must(rest.word[i] == word(m, i));
	for (u32 i = 0; i < m->caps; i++)
		must(rest.cap[i] == m->cap[i]);
}

static u32 state_of(const struct m_thread *t)
{
	if (t->wait == DEAD)
		return SYS_THREAD_EXITED;
	if (t->suspended)
		return SYS_THREAD_SUSPENDED;
	if (t->wait != RUNS && !t->again)
		return SYS_THREAD_WAITING;
	return t->t == user ? SYS_THREAD_RUNNING : SYS_THREAD_READY;
}

static void compare_thread(struct m_thread *t)
{
	bool faulted = t->wait == FAULT_QUEUED || t->wait == FAULT_TAKEN;
	sys_thread_info_t info;

	thread_info(t->t, &info);
	must(info.state == state_of(t) && info.priority == t->priority);
	if (t->wait == DEAD) {
		must(info.exit_code == t->code);
		return;
	}
	must(user_in_call(t->t) == (t->again || (t->wait != RUNS && !faulted)));
	if (t->wait != RUNS || t->again)
		return;
	must(user_status(t->t) == t->status);
	if (t->got && !t->t->finish)
		compare_message(t);
}

static void compare_slots(const struct m_cspace *cs)
{
	for (u32 i = 1; i < SLOTS; i++) {
		const struct m_slot *m = &cs->slot[i];
		const struct slot *s = cnode_slot(cs->c, i);

		must(s->generation == m->generation);
		must(s->object == (m->kind ? object_of(m->kind, m->which) : NULL));
		must(!m->kind || (s->rights == m->rights && s->badge == m->badge));
	}
}

/* Whoever has the CPU can run, and none that can is better. */
static void compare_cpu(void)
{
	u64 best = 0;
	bool runs = user == idler;

	for (struct m_thread *t = thread; t < thread + THREADS; t++) {
		u32 state = state_of(t);

		if (state == SYS_THREAD_READY || state == SYS_THREAD_RUNNING)
			best = MAX(best, t->priority);
		runs |= state == SYS_THREAD_RUNNING;
	}
	must(runs && user->priority == best);
}

static void compare_all(void)
{
	compare_cpu();
	for (struct m_thread *t = thread; t < thread + THREADS; t++)
		compare_thread(t);
	for (struct m_cspace *cs = cspace; cs < cspace + SPACES; cs++)
		compare_slots(cs);
	for (int e = 0; e < ENDPOINTS; e++)
		must(object_dying(&endpoint[e].e->object) == endpoint[e].over);
	for (int r = 0; r < REPLIES; r++) {
		must(reply[r].r->caller == (reply[r].caller == NONE ? NULL : thread[reply[r].caller].t));
		must(reply[r].r->receiver == (reply[r].receiver == NONE ? NULL : thread[reply[r].receiver].t));
	}
	for (int n = 0; n < NTFNS; n++)
		must(ntfn[n].n->bits == ntfn[n].bits);
}

/* ---- making things ----------------------------------------------------------------------------------------------- */

static sys_rights_t perhaps_grant(void) { return SYS_RIGHT_INSPECT | (chance(80) ? SYS_RIGHT_GRANT : 0); }

static void new_endpoint(int e)
{
	endpoint[e].e = object_new(account_root(), SYS_TYPE_ENDPOINT);
	endpoint[e].over = false;
	for (struct m_cspace *cs = cspace; cs < cspace + SPACES; cs++) {
		put(cs, ENDPOINT, e, SYS_RIGHT_SEND | SYS_RIGHT_RECV | perhaps_grant(), 0);
		put(cs, ENDPOINT, e, SYS_RIGHT_SEND | perhaps_grant(), 1 + choose(1000));
		put(cs, ENDPOINT, e, SYS_RIGHT_RECV | perhaps_grant(), 0);
	}
}

static void new_reply(int r)
{
	reply[r].r = object_new(account_root(), SYS_TYPE_REPLY);
	reply[r].caller = reply[r].receiver = NONE;
	for (struct m_cspace *cs = cspace; cs < cspace + SPACES; cs++)
		put(cs, REPLY, r, SYS_RIGHT_SEND | (chance(90) ? SYS_RIGHT_RECV : 0) | perhaps_grant(), 0);
}

static void new_notification(int n)
{
	ntfn[n].n = object_new(account_root(), SYS_TYPE_NOTIFICATION);
	ntfn[n].bits = 0;
	if (n >= COMMON)
		return put(&cspace[choose(SPACES)], NTFN, n, SYS_RIGHT_SEND | perhaps_grant(), 0);
	for (struct m_cspace *cs = cspace; cs < cspace + SPACES; cs++) {
		put(cs, NTFN, n, SYS_RIGHT_SEND | perhaps_grant(), 0);
		put(cs, NTFN, n, SYS_RIGHT_SEND | SYS_RIGHT_RECV | perhaps_grant(), 0);
	}
}

static void new_thread(int i)
{
	struct m_thread *t = &thread[i];

	*t = (struct m_thread){ .fault_ep = NONE, .ep = NONE, .priority = choose(5) };
	t->t = user_new(account_root(), cspace_of(t)->c, space, (u8)t->priority);
	for (struct m_cspace *cs = cspace; cs < cspace + SPACES; cs++)
		put(cs, THREAD, i, SYS_RIGHT_MANAGE | perhaps_grant(), 0);
	object_uncap(&t->t->object);            /* the test's own */
	if (chance(40))
		return;
	t->fault_ep = (int)choose(ENDPOINTS);
	if (endpoint[t->fault_ep].over)
		t->fault_ep = NONE;
	t->fault_badge = choose(1000);
	ipc_set_fault_endpoint(t->t, t->fault_ep == NONE ? NULL : endpoint[t->fault_ep].e, t->fault_badge);
}

static u32 caps_of(enum kind kind, int which, sys_rights_t rights)
{
	u32 n = 0;

	for (struct m_cspace *cs = cspace; cs < cspace + SPACES; cs++)
		for (u32 i = 1; i < SLOTS; i++)
			n += cs->slot[i].kind == kind && cs->slot[i].which == which && (cs->slot[i].rights & rights) == rights;
	return n;
}

/* Capabilities to it have gone: has it ended? What is named no more is replaced at once. */
static void caps_went(enum kind kind, int which)
{
	u32 caps = caps_of(kind, which, 0);

	kernel_reap();
	if (kind == ENDPOINT && !endpoint[which].over && !caps_of(kind, which, SYS_RIGHT_RECV))
		end_endpoint(which);
	if (caps)
		return;
	switch (kind) {
	case ENDPOINT: return new_endpoint(which);
	case REPLY:    end_reply(which); return new_reply(which);
	case NTFN:     end_notification(which); return new_notification(which);
	default:
		if (thread[which].wait != DEAD)
			dies(&thread[which], SYS_ERR_CANCELED);
		return new_thread(which);
	}
}

static void start(void)
{
	struct cnode *keeper;

	user_boot(2304);
	if (chance(30))
		syscall_boot();                 /* without the short ways */
	now = 0;
	arrivals = messages = 0;
	keeper = cnode_new(account_root(), 16);
	object_cap(&keeper->object);
	top = cap_put(keeper, account_root(), NULL, SLOT_FIRST);
	must(space_create(account_root(), false, &space) == SYS_OK);
	object_cap((struct object *)space);
	for (struct m_cspace *cs = cspace; cs < cspace + SPACES; cs++) {
		*cs = (struct m_cspace){ .c = cnode_new(account_root(), SLOTS), .free = SLOTS - 1 };
		object_cap(&cs->c->object);
		for (u32 i = 1; i < SLOTS; i++)
			cs->queue[i - 1] = i;
	}
	idler = user_new(account_root(), keeper, space, 0);
	for (int i = 0; i < ENDPOINTS; i++)
		new_endpoint(i);
	for (int i = 0; i < THREADS; i++) {
		new_thread(i);
		memory[i] = user_memory(space, 1);
	}
	for (int i = 0; i < REPLIES; i++)
		new_reply(i);
	for (int i = 0; i < NTFNS; i++)
		new_notification(i);
	user_begin();
}

/* The scheduler looks who should run. */
static void reschedule(void) { user_interrupt(); }

/* ---- operations: calls of the thread that runs ------------------------------------------------------------------- */

static struct m_thread *running(void)
{
	for (struct m_thread *t = thread; t < thread + THREADS; t++)
		if (t->t == user)
			return t;
	return NULL;
}

/* Mostly a capability of this kind with these rights, if there is one. */
static sys_cap_t pick(struct m_thread *t, enum kind kind, sys_rights_t rights)
{
	struct m_cspace *cs = cspace_of(t);
	u32 i = (u32)choose(SLOTS);

	if (chance(3))
		return slot_name(i, (u32)choose(4));
	if (chance(10))
		rights = 0;
	for (u32 n = chance(4) ? SLOTS : 0; n < SLOTS && (cs->slot[i].kind != kind || (cs->slot[i].rights & rights) != rights); n++)
		i = (i + 1) % SLOTS;
	return name_at(cs, i);
}

/* Mostly a reply object that holds somebody, or one that does not. */
static sys_cap_t pick_reply(struct m_thread *t, bool holds)
{
	sys_cap_t name = SYS_CAP_NULL;

	for (unsigned n = 0; n < 4; n++) {
		const struct m_slot *s = named(cspace_of(t), name = pick(t, REPLY, SYS_RIGHT_RECV | SYS_RIGHT_SEND));

		if (s && s->kind == REPLY && (holds ? reply[s->which].caller != NONE : reply[s->which].caller == NONE &&
		                                                                        reply[s->which].receiver == NONE))
			break;
	}
	return name;
}

static void pick_words(struct m_thread *t)
{
	struct message *m = &t->says;

	*m = (struct message){ .id = ++messages, .label = messages };
	m->words = (u32)(chance(95) ? choose(8) : choose(SYS_MSG_WORDS + 2));
	m->caps = (u32)(chance(70) ? 0 : choose(chance(5) ? 6 : 4));
	if (chance(1))
		m->label |= SYS_LABEL_KERNEL;
	for (u32 i = 0; i < MIN(m->caps, SYS_MSG_CAPS); i++)
		m->cap[i] = pick(t, chance(70) ? NTFN : (enum kind)(1 + choose(4)), SYS_RIGHT_GRANT);
	t->accept = chance(50) ? 0 : choose(chance(5) ? 6 : 5);
}

static void prepare(struct m_thread *t)
{
	static const i64 ahead[] = { -5, 0, 3, 20, 100 };
	sys_msg_t m;

	t->name[0] = pick(t, ENDPOINT, t->call == NR_ipc_send || t->call == NR_ipc_call || t->call == NR_ipc_call4
	                  ? SYS_RIGHT_SEND : SYS_RIGHT_RECV);
	t->name[1] = chance(15) ? SYS_CAP_NULL : pick_reply(t, t->call != NR_ipc_recv);
	t->name[2] = pick(t, NTFN, SYS_RIGHT_RECV);
	t->deadline = chance(60) ? SYS_TIME_INFINITE : now + ahead[choose(ARRAY_LEN(ahead))];
	t->small = false;
	t->again = false;
	pick_words(t);
	if (t->says.words <= 4 && !t->says.caps)
		return;
	for (u32 i = 0; i < SYS_MSG_WORDS; i++)
		m.word[i] = word(&t->says, i);
	memcpy(m.cap, t->says.cap, sizeof m.cap);
	user_poke(space, memory[index_of(t)], &m, sizeof m);
}

/* Calls of four words know neither deadlines nor capabilities. */
static void make_small(struct m_thread *t)
{
	t->small = true;
	t->deadline = SYS_TIME_INFINITE;
	t->says.words = 4;
	t->says.caps = 0;
	t->accept = 0;
}

static void enter(struct m_thread *t, u64 number)
{
	const struct message *m = &t->says;
	bool sends_first = number == NR_ipc_send || number == NR_ipc_call || number == NR_ipc_call4;
	u64 a[10] = { t->name[1], t->small ? 0 : memory[index_of(t)], t->name[0], (u64)t->deadline, m->label,
	              m->words | (u64)m->caps << 32 | t->accept << 48, word(m, 0), word(m, 1), word(m, 2), word(m, 3) };

	if (sends_first || number == NR_ipc_recv)
		a[0] = t->name[0];
	if (number == NR_ipc_recv)
		a[2] = t->name[1];
	if (number == NR_notification_wait)
		a[0] = t->name[2];
	if (sends_first || number == NR_notification_wait)
		a[2] = (u64)t->deadline;
	user_enter_with(number, a, 10);
}

static void op_ipc(struct m_thread *t)
{
	static const u64 calls[] = {
		NR_ipc_send, NR_ipc_send, NR_ipc_call, NR_ipc_call, NR_ipc_call, NR_ipc_recv, NR_ipc_recv, NR_ipc_recv,
		NR_ipc_reply, NR_ipc_reply_recv, NR_ipc_reply_recv, NR_ipc_call4, NR_ipc_reply_recv4, NR_notification_wait,
	};
	u64 number = calls[choose(ARRAY_LEN(calls))];

	t->call = number;
	prepare(t);
	if (number == NR_ipc_call4 || number == NR_ipc_reply_recv4)
		make_small(t);
	model_call(t, false);
	enter(t, number);
}

static void op_fault(struct m_thread *t)
{
	u64 at = HOLE + choose(100) * 8, vector = choose(32), error = choose(1000);

	if (chance(50)) {
		t->says = (struct message){ .label = SYS_FAULT_PAGE, .words = 4, .fault = true,
		                            .fault_word = { at, SYS_ACCESS_WRITE, USER_ENTRY, (u64)SYS_ERR_NOT_FOUND } };
		model_fault(t, SYS_ERR_NOT_FOUND);
		user_fault(at, SYS_ACCESS_WRITE);
	} else {
		t->says = (struct message){ .label = SYS_FAULT_EXCEPTION, .words = 3, .fault = true,
		                            .fault_word = { vector, error, USER_ENTRY } };
		model_fault(t, INT64_MIN + (i64)vector);
		user_exception(vector, error);
	}
}

/* The call of t (NULL: the idle one, whose CSpace has nothing in it) on a thread. */
static struct m_thread *pick_thread(struct m_thread *t, sys_cap_t *name, sys_status_t *status)
{
	struct m_slot *s;

	*name = pick(t, THREAD, SYS_RIGHT_MANAGE);
	*status = check(t, *name, THREAD, SYS_RIGHT_MANAGE, &s);
	return *status == SYS_OK ? &thread[s->which] : NULL;
}

/* Its own call is over with this status, if it still lives. */
static void returns(struct m_thread *t, sys_status_t status)
{
	if (t->wait != DEAD)
		completes(t, status);
}

static void suspend(struct m_thread *t)
{
	t->suspended = true;
	if (t->wait == SENDS || t->wait == CALLS || t->wait == RECEIVES || t->wait == AWAITS_BITS) {
		leave(t);
		t->again = true;
	}
}

static void op_suspend(struct m_thread *t)
{
	sys_cap_t name;
	sys_status_t status;
	struct m_thread *who = pick_thread(t, &name, &status);

	if (who && who->wait == DEAD)
		status = SYS_ERR_BAD_STATE;
	returns(t, status);
	if (status == SYS_OK)
		suspend(who);
	user_enter(NR_thread_suspend, name);
}

static void op_resume(struct m_thread *t)
{
	sys_cap_t name;
	sys_status_t status;
	struct m_thread *who = pick_thread(t, &name, &status);

	if (who && !who->suspended)
		status = SYS_ERR_BAD_STATE;
	if (status == SYS_OK)
		who->suspended = false;
	returns(t, status);
	user_enter(NR_thread_resume, name);
}

/* A deletion whose rest is left: the call is made again as that. */
static void note_rest(struct m_thread *t)
{
	if (t->wait == DEAD || !user_in_call(t->t) || t->t->context.regs.rax != NR_reap_rest)
		return;
	t->call = NR_reap_rest;
	t->again = true;
}

static void op_kill(struct m_thread *t)
{
	i64 code = (i64)choose(100);
	sys_cap_t name;
	sys_status_t status;
	struct m_thread *who = pick_thread(t, &name, &status);

	if (chance(20)) {
		dies(t, code);
		return user_enter(NR_thread_exit, (u64)code);
	}
	if (who && who->wait == DEAD)
		status = SYS_ERR_BAD_STATE;
	if (status == SYS_OK)
		dies(who, code);
	returns(t, status);
	user_enter(NR_thread_kill, name, (u64)code);
	note_rest(t);
}

static void op_priority(struct m_thread *t)
{
	u64 priority = choose(100) ? choose(6) : choose(1000), own = t->priority;
	sys_cap_t name;
	sys_status_t status;
	struct m_thread *who = pick_thread(t, &name, &status);

	if (who && priority > own)
		status = SYS_ERR_OUT_OF_RANGE;
	else if (who && who->wait == DEAD)
		status = SYS_ERR_BAD_STATE;
	if (status == SYS_OK) {
		who->priority = priority;
		who->arrival = ++arrivals;                              /* behind its new equals */
	}
	returns(t, status);
	user_enter(NR_thread_set_priority, name, priority);
}

static void op_fault_endpoint(struct m_thread *t)
{
	sys_cap_t name, ep = chance(10) ? SYS_CAP_NULL : pick(t, ENDPOINT, SYS_RIGHT_SEND);
	sys_status_t status;
	struct m_thread *who = pick_thread(t, &name, &status);
	struct m_slot *s = NULL;

	if (status == SYS_OK && ep != SYS_CAP_NULL)
		status = check(t, ep, ENDPOINT, SYS_RIGHT_SEND, &s);
	if (status == SYS_OK && (who->wait == DEAD || (s && endpoint[s->which].over)))
		status = SYS_ERR_BAD_STATE;
	if (status == SYS_OK) {
		who->fault_ep = s ? s->which : NONE;
		who->fault_badge = s ? s->badge : 0;
	}
	returns(t, status);
	user_enter(NR_thread_set_fault_endpoint, name, ep);
}

static void signal(int n, u64 bits)
{
	struct m_thread *t;

	ntfn[n].bits |= bits;
	t = first(awaits_bits, n);
	if (ntfn[n].bits && t)
		take_bits(t, n);
}

static void op_signal(struct m_thread *t)
{
	sys_cap_t name = pick(t, NTFN, SYS_RIGHT_SEND);
	u64 bits = choose(8);
	struct m_slot *s;
	sys_status_t status = check(t, name, NTFN, SYS_RIGHT_SEND, &s);

	if (status == SYS_OK)
		signal(s->which, bits);
	returns(t, status);
	user_enter(NR_notification_signal, name, bits);
}

static void op_delete(struct m_thread *t)
{
	sys_cap_t name = pick(t, (enum kind)(1 + choose(4)), 0);
	struct m_slot *s = named(cspace_of(t), name), was;

	returns(t, s ? SYS_OK : SYS_ERR_BAD_CAP);
	if (s) {
		was = *s;
		free_slot(cspace_of(t), s);
	}
	user_enter(NR_cap_delete, name);
	note_rest(t);
	if (!s)
		return;
	caps_went(was.kind, was.which);
	reschedule();
}

static void op_yield(struct m_thread *t)
{
	if (t)
		returns(t, SYS_OK);
	user_enter(NR_thread_yield);
}

/* ---- operations: what happens to all ----------------------------------------------------------------------------- */

static void op_time(u64 most)
{
	now += (i64)choose(most);
	for (struct m_thread *t = thread; t < thread + THREADS; t++)
		if (t->wait != RUNS && t->wait != DEAD && t->wait != FAULT_QUEUED && t->wait != FAULT_TAKEN && !t->again && past(t))
			completes(t, SYS_ERR_TIMED_OUT);
	user_time(now);
}

/* A thing loses all its capabilities (an endpoint at first only those to receive), and is replaced. */
static void op_end(void)
{
	enum kind kind = (enum kind)(1 + choose(3));
	int which = (int)choose(kind == ENDPOINT ? ENDPOINTS : kind == REPLY ? REPLIES : NTFNS);

	for (int e = 0; e < ENDPOINTS; e++)
		if (endpoint[e].over) {
			kind = ENDPOINT;
			which = e;
		}

	delete_caps(kind, which, kind == ENDPOINT && !endpoint[which].over ? SYS_RIGHT_RECV : 0);
	caps_went(kind, which);
	reschedule();
}

/* A thread that is dead, seldom another, is replaced. */
static void op_thread(void)
{
	int i = (int)choose(THREADS);

	for (int j = 0; j < THREADS; j++)
		if (thread[j].wait == DEAD)
			i = j;
	if (thread[i].t == user || (thread[i].wait != DEAD && !chance(10)))
		return;
	delete_caps(THREAD, i, 0);
	caps_went(THREAD, i);
	reschedule();
}

/* Somebody outside resumes whom nobody else can. */
static void op_rescue(void)
{
	struct m_thread *t = &thread[choose(THREADS)];

	must(thread_resume(t->t) == (t->suspended ? SYS_OK : SYS_ERR_BAD_STATE));
	t->suspended = false;
	reschedule();
}

static void step_running(struct m_thread *t)
{
	u64 dice = choose(100);

	if (dice < 70)
		op_ipc(t);
	else if (dice < 74)
		op_fault(t);
	else if (dice < 77)
		op_suspend(t);
	else if (dice < 80)
		op_resume(t);
	else if (dice < 81)
		op_kill(t);
	else if (dice < 84)
		op_priority(t);
	else if (dice < 89)
		op_fault_endpoint(t);
	else if (dice < 95)
		op_signal(t);
	else if (dice < 97)
		op_delete(t);
	else
		op_yield(t);
}

static void step(void)
{
	struct m_thread *t = running();
	u64 dice = choose(100);

	polls = chance(30);
	host_preempt_every(polls);
	if (dice < (t ? 4u : 35u))
		op_time(t ? 6 : 40);
	else if (dice < (t ? 6u : 40u))
		op_end();
	else if (dice < (t ? 9u : 65u))
		op_thread();
	else if (dice < (t ? 11u : 95u))
		op_rescue();
	else if (!t) {
		op_yield(NULL);
	} else if (t->again) {
		model_call(t, true);
		user_again();
		note_rest(t);
	} else {
		step_running(t);
	}
	compare_all();
}

static void walk(void)
{
	check_all();
	deriv_check(top);
}

static void finish(void) { }

const struct model model = { "ipc", 20000, start, step, walk, finish };
