/* SPDX-License-Identifier: BSD-2-Clause */
/* ipcrules.c: see ipcrules.h. */
#include <string.h>
#include "model/ipcrules.h"

struct m_thread thread[THREADS];
struct m_cspace cspace[SPACES];
struct m_endpoint endpoint[ENDPOINTS];
struct m_reply reply[REPLIES];
struct m_ntfn ntfn[NTFNS];
struct slot *top;
u64 arrivals;
i64 now;
bool polls;

/* ---- the model: slots -------------------------------------------------------------------------------------------- */


void *m_object_of(enum kind kind, int which)
{
	switch (kind) {
	case ENDPOINT: return endpoint[which].e;
	case REPLY:    return reply[which].r;
	case NTFN:     return ntfn[which].n;
	default:       return thread[which].t;
	}
}


/* The slot that a name names, or NULL. */
struct m_slot *m_named(struct m_cspace *cs, sys_cap_t name)
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

void m_free(struct m_cspace *cs, struct m_slot *s)
{
	*s = (struct m_slot){ .generation = s->generation + 1 };
	cs->queue[cs->free++] = (u32)(s - cs->slot);
}

/* A new capability in a CSpace or, if that is full, in another: all of them together have room. */
void m_put(struct m_cspace *cs, enum kind kind, int which, sys_rights_t rights, u64 badge)
{
	struct slot *s;
	u32 i;

	while (!cs->free)
		cs = cs == cspace ? cs + 1 : cspace;
	i = take_slot(cs, (struct m_slot){ .kind = kind, .which = which, .rights = rights, .badge = badge });
	s = cap_put_with(cs->c, m_object_of(kind, which), rights, badge, top);
	must(slot_cap(s) == m_name_at(cs, i));
}

/* Deletes all capabilities to an object that have one of these rights (0: all). */
void m_delete(enum kind kind, int which, sys_rights_t rights)
{
	for (struct m_cspace *cs = cspace; cs < cspace + SPACES; cs++)
		for (u32 i = 1; i < SLOTS; i++) {
			struct m_slot *s = &cs->slot[i];

			if (s->kind != kind || s->which != which || (rights && !(s->rights & rights)))
				continue;
			must(delete_all(cnode_slot(cs->c, i)) == SYS_OK);
			m_free(cs, s);
		}
}

/* What a capability argument must have: BAD_CAP, WRONG_TYPE, ACCESS_DENIED or OK. */
sys_status_t m_check(struct m_thread *t, sys_cap_t name, enum kind kind, sys_rights_t rights, struct m_slot **out)
{
	struct m_slot *s = m_named(cspace_of(t), name);

	*out = s;
	if (!s)
		return SYS_ERR_BAD_CAP;
	if (s->kind != kind)
		return SYS_ERR_WRONG_TYPE;
	return (s->rights & rights) == rights ? SYS_OK : SYS_ERR_ACCESS_DENIED;
}

/* ---- the model: waiting ------------------------------------------------------------------------------------------ */

/* The first that waits like this there: highest priority, then earliest. */
struct m_thread *m_first(bool (*waits)(const struct m_thread *, int), int at)
{
	struct m_thread *best = NULL;

	for (struct m_thread *t = thread; t < thread + THREADS; t++)
		if (!t->again && waits(t, at) && (!best || t->priority > best->priority ||
		                                  (t->priority == best->priority && t->arrival < best->arrival)))
			best = t;
	return best;
}

static bool receives(const struct m_thread *t, int e) { return t->wait == RECEIVES && t->ep == e; }
bool m_awaits_bits(const struct m_thread *t, int n) { return t->wait == AWAITS_BITS && t->ntfn == n; }
static bool sends(const struct m_thread *t, int e)
{
	return (t->wait == SENDS || t->wait == CALLS || t->wait == FAULT_QUEUED) && t->ep == e;
}

void m_leave(struct m_thread *t)
{
	for (int r = 0; r < REPLIES; r++) {
		if (reply[r].caller == index_of(t))
			reply[r].caller = NONE;
		if (reply[r].receiver == index_of(t))
			reply[r].receiver = NONE;
	}
}

void m_completes(struct m_thread *t, i64 status)
{
	m_leave(t);
	t->wait = RUNS;
	t->again = t->got = false;
	t->status = status;
}

void m_dies(struct m_thread *t, i64 code)
{
	m_leave(t);
	if (t->bound != NONE)
		ntfn[t->bound].bound = NONE;
	t->bound = NONE;
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
		const struct m_slot *s = m_named(cspace_of(t), m->cap[i]);

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
		struct m_slot *s = m_named(cspace_of(from), m->cap[i]);
		u32 at = take_slot(cspace_of(to), *s);

		m_free(cspace_of(from), s);
		m->cap[i] = m_name_at(cspace_of(to), at);
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
	m_completes(to, SYS_OK);
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
		return fault ? m_dies(from, SYS_ERR_CANCELED) : m_completes(from, SYS_ERR_PEER_CLOSED);
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
	struct m_thread *to = m_first(receives, t->ep);
	int r = to ? offered(to) : NONE;
	sys_status_t status;

	status = hand_over(t, to, t->badge);
	if (status != SYS_OK || !call)
		m_completes(t, status);
	else
		awaits(t, r);
	return status;
}

static void model_send(struct m_thread *t, bool call, bool anew)
{
	struct m_slot *s;
	sys_status_t status = m_check(t, t->name[0], ENDPOINT, SYS_RIGHT_SEND, &s);

	if (status != SYS_OK)
		return m_completes(t, status);
	t->ep = s->which;
	t->badge = s->badge;
	if (!good(t, call))
		return m_completes(t, SYS_ERR_INVALID_ARGS);
	if (call && m_past(t))
		return m_completes(t, anew ? SYS_ERR_TIMED_OUT : SYS_ERR_INVALID_ARGS);
	if (endpoint[t->ep].over)
		return m_completes(t, SYS_ERR_PEER_CLOSED);
	status = grantable(t);
	if (status != SYS_OK)
		return m_completes(t, status);
	if (m_first(receives, t->ep))
		meet_receiver(t, call);
	else if (m_past(t))
		m_completes(t, SYS_ERR_TIMED_OUT);
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
		m_completes(from, status);
	else
		awaits(from, r);
	return status == SYS_OK;
}

/* What is bound to t has bits. */
static void bits_as_message(struct m_thread *t, int n)
{
	m_completes(t, SYS_OK);
	t->got = true;
	t->got_bits = false;
	t->got_badge = 0;
	t->hears = (struct message){ .label = SYS_LABEL_NOTIFICATION, .words = 1, .fault = true, .fault_word = { ntfn[n].bits } };
	ntfn[n].bits = 0;
}

/* The arguments are good: ep and reply say what they name. */
void m_receive(struct m_thread *t)
{
	struct m_thread *from;

	t->call = NR_ipc_recv_rest;     /* of which a receive is the same as */
	if (t->accept > SYS_MSG_CAPS)
		return m_completes(t, SYS_ERR_INVALID_ARGS);
	if (t->reply != NONE && (reply[t->reply].caller != NONE || reply[t->reply].receiver != NONE))
		return m_completes(t, SYS_ERR_BAD_STATE);
	if (endpoint[t->ep].over)
		return m_completes(t, SYS_ERR_PEER_CLOSED);
	if (t->bound != NONE && ntfn[t->bound].bits)
		return bits_as_message(t, t->bound);
	while ((from = m_first(sends, t->ep)) != NULL) {
		if (receive_first(t, from))
			return;
		if (polls) {
			t->again = true;
			return;
		}
	}
	if (m_past(t))
		return m_completes(t, SYS_ERR_TIMED_OUT);
	waits(t, RECEIVES);
	if (t->reply != NONE)
		reply[t->reply].receiver = index_of(t);
}

static void model_recv(struct m_thread *t)
{
	struct m_slot *ep, *r = NULL;
	sys_status_t status, second = SYS_OK;
	bool rest = t->call != NR_ipc_recv;     /* then the reply object stands first, and must be one */

	status = m_check(t, t->name[0], ENDPOINT, SYS_RIGHT_RECV, &ep);
	if (t->name[1] != SYS_CAP_NULL || rest)
		second = m_check(t, t->name[1], REPLY, SYS_RIGHT_RECV, &r);
	if (status == SYS_OK || (rest && second != SYS_OK))
		status = second;
	if (status != SYS_OK)
		return m_completes(t, status);
	t->ep = ep->which;
	t->reply = r ? r->which : NONE;
	t->call = rest ? NR_ipc_recv_rest : NR_ipc_recv;
	m_receive(t);
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
	m_completes(caller, caller->status);
	return SYS_OK;
}

static void model_reply(struct m_thread *t)
{
	struct m_slot *r;
	sys_status_t status = m_check(t, t->name[1], REPLY, SYS_RIGHT_SEND, &r);

	m_completes(t, status == SYS_OK ? model_answer(t, r->which) : status);
}

static void model_reply_recv(struct m_thread *t)
{
	struct m_slot *r, *ep;
	sys_status_t status = m_check(t, t->name[1], REPLY, SYS_RIGHT_SEND | SYS_RIGHT_RECV, &r);

	if (status == SYS_OK)
		status = m_check(t, t->name[0], ENDPOINT, SYS_RIGHT_RECV, &ep);
	if (status == SYS_OK && t->accept > SYS_MSG_CAPS)
		status = SYS_ERR_INVALID_ARGS;
	if (status != SYS_OK)
		return m_completes(t, status);
	t->ep = ep->which;
	t->reply = r->which;
	status = model_answer(t, t->reply);
	if (status != SYS_OK)
		return m_completes(t, status);
	t->call = NR_ipc_recv_rest;
	if (t->says.caps)
		t->again = true;                /* it may have given the call's own capabilities away */
	else
		m_receive(t);
}

void m_take_bits(struct m_thread *t, int n)
{
	m_completes(t, SYS_OK);
	t->got = t->got_bits = true;
	t->got_badge = ntfn[n].bits;
	ntfn[n].bits = 0;
}

void m_give_bits(int n)
{
	struct m_thread *t = ntfn[n].bound == NONE ? NULL : &thread[ntfn[n].bound];

	if (!ntfn[n].bits)
		return;
	if (t && t->wait == RECEIVES && !t->again)
		return bits_as_message(t, n);
	t = m_first(m_awaits_bits, n);
	if (t)
		m_take_bits(t, n);
}

static void model_wait(struct m_thread *t)
{
	struct m_slot *s;
	sys_status_t status = m_check(t, t->name[2], NTFN, SYS_RIGHT_RECV, &s);

	if (status != SYS_OK)
		return m_completes(t, status);
	t->ntfn = s->which;
	if (ntfn[t->ntfn].bits)
		m_take_bits(t, t->ntfn);
	else if (m_past(t))
		m_completes(t, SYS_ERR_TIMED_OUT);
	else
		waits(t, AWAITS_BITS);
}

void m_call(struct m_thread *t, bool anew)
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
	default:                    return m_completes(t, SYS_OK);        /* the rest of a deletion */
	}
}

void m_fault(struct m_thread *t, i64 code)
{
	t->code = code;
	if (t->fault_ep == NONE)
		return m_dies(t, code);
	t->ep = t->fault_ep;
	t->badge = t->fault_badge;
	waits(t, FAULT_QUEUED);
	if (m_first(receives, t->ep))
		meet_receiver(t, true);
}

/* ---- the model: the end of things -------------------------------------------------------------------------------- */

void m_end_endpoint(int e)
{
	endpoint[e].over = true;
	for (struct m_thread *t = thread; t < thread + THREADS; t++) {
		if (t->fault_ep == e)
			t->fault_ep = NONE;
		if (t->again || t->ep != e)
			continue;
		if (t->wait == FAULT_QUEUED)
			m_dies(t, t->code);
		else if (sends(t, e) || receives(t, e))
			m_completes(t, SYS_ERR_PEER_CLOSED);
	}
}

void m_end_reply(int r)
{
	struct m_thread *t = reply[r].caller == NONE ? NULL : &thread[reply[r].caller];

	reply[r].caller = reply[r].receiver = NONE;
	if (t && t->wait == FAULT_TAKEN)
		m_dies(t, SYS_ERR_CANCELED);
	else if (t)
		m_completes(t, SYS_ERR_PEER_CLOSED);
}

void m_end_notification(int n)
{
	struct m_thread *t;

	while ((t = m_first(m_awaits_bits, n)) != NULL)
		m_completes(t, SYS_ERR_PEER_CLOSED);
	ntfn[n].bits = 0;
	if (ntfn[n].bound != NONE)
		thread[ntfn[n].bound].bound = NONE;
	ntfn[n].bound = NONE;
}
