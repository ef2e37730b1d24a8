/* SPDX-License-Identifier: BSD-2-Clause */
/* ipc.c: threads that send, call, receive, reply, signal, fault, suspend, resume, kill and reprioritise each other,
 * with deadlines and with capabilities in messages, against an executable model. Programs come in through the dispatcher and
 * run when the scheduler says so; whoever runs makes the next call, and must be one of the best that can.
 *
 * What each call does to the model is in ipcrules.c. After every step each thread must have the outcome that the model
 * gives it, what it received must be what was sent, and every slot must hold what the model says. A call that must be
 * made again (its thread was suspended, or an interrupt came) is judged anew when its thread next runs. */
#include <string.h>
#include "model/ipcrules.h"
#include "syscall/check.h"
#include "syscall/fastpath.h"

#define HOLE 0x10000ull                 /* nothing is mapped there */

static vaddr_t memory[THREADS];
static struct space *space;
static struct thread *idler;            /* never waits, never ends, has the lowest priority */
static u64 messages;

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
		must(s->object == (m->kind ? m_object_of(m->kind, m->which) : NULL));
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
	for (int n = 0; n < NTFNS; n++) {
		must(ntfn[n].n->bits == ntfn[n].bits);
		must(ntfn[n].n->bound == (ntfn[n].bound == NONE ? NULL : thread[ntfn[n].bound].t));
	}
}

/* ---- making things ----------------------------------------------------------------------------------------------- */

static sys_rights_t perhaps_grant(void) { return SYS_RIGHT_INSPECT | (chance(80) ? SYS_RIGHT_GRANT : 0); }

static void new_endpoint(int e)
{
	endpoint[e].e = object_new(account_root(), SYS_TYPE_ENDPOINT);
	endpoint[e].over = false;
	for (struct m_cspace *cs = cspace; cs < cspace + SPACES; cs++) {
		m_put(cs, ENDPOINT, e, SYS_RIGHT_SEND | SYS_RIGHT_RECV | perhaps_grant(), 0);
		m_put(cs, ENDPOINT, e, SYS_RIGHT_SEND | perhaps_grant(), 1 + choose(1000));
		m_put(cs, ENDPOINT, e, SYS_RIGHT_RECV | perhaps_grant(), 0);
	}
}

static void new_reply(int r)
{
	reply[r].r = object_new(account_root(), SYS_TYPE_REPLY);
	reply[r].caller = reply[r].receiver = NONE;
	for (struct m_cspace *cs = cspace; cs < cspace + SPACES; cs++)
		m_put(cs, REPLY, r, SYS_RIGHT_SEND | (chance(90) ? SYS_RIGHT_RECV : 0) | perhaps_grant(), 0);
}

static void new_notification(int n)
{
	ntfn[n].n = object_new(account_root(), SYS_TYPE_NOTIFICATION);
	ntfn[n].bits = 0;
	ntfn[n].bound = NONE;
	if (n >= COMMON)
		return m_put(&cspace[choose(SPACES)], NTFN, n, SYS_RIGHT_SEND | perhaps_grant(), 0);
	for (struct m_cspace *cs = cspace; cs < cspace + SPACES; cs++) {
		m_put(cs, NTFN, n, SYS_RIGHT_SEND | perhaps_grant(), 0);
		m_put(cs, NTFN, n, SYS_RIGHT_SEND | SYS_RIGHT_RECV | perhaps_grant(), 0);
	}
}

static void new_thread(int i)
{
	struct m_thread *t = &thread[i];

	*t = (struct m_thread){ .fault_ep = NONE, .bound = NONE, .ep = NONE, .priority = choose(5) };
	t->t = user_new(account_root(), cspace_of(t)->c, space, (u8)t->priority);
	for (struct m_cspace *cs = cspace; cs < cspace + SPACES; cs++)
		m_put(cs, THREAD, i, SYS_RIGHT_MANAGE | perhaps_grant(), 0);
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
		m_end_endpoint(which);
	if (caps)
		return;
	switch (kind) {
	case ENDPOINT: return new_endpoint(which);
	case REPLY:    m_end_reply(which); return new_reply(which);
	case NTFN:     m_end_notification(which); return new_notification(which);
	default:
		if (thread[which].wait != DEAD)
			m_dies(&thread[which], SYS_ERR_CANCELED);
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
	for (u32 n = chance(4) ? SLOTS : 0; n < SLOTS; n++, i = (i + 1) % SLOTS)
		if (cs->slot[i].kind == kind && (cs->slot[i].rights & rights) == rights)
			break;
	return m_name_at(cs, i);
}

/* Mostly a reply object that holds somebody, or one that does not. */
static sys_cap_t pick_reply(struct m_thread *t, bool holds)
{
	sys_cap_t name = SYS_CAP_NULL;

	for (unsigned n = 0; n < 4; n++) {
		const struct m_slot *s = m_named(cspace_of(t), name = pick(t, REPLY, SYS_RIGHT_RECV | SYS_RIGHT_SEND));

		if (s && s->kind == REPLY && (holds ? reply[s->which].caller != NONE : reply[s->which].caller == NONE &&
		                                                                        reply[s->which].receiver == NONE))
			break;
	}
	return name;
}

static void pick_words(struct m_thread *t)
{
	struct message *m = &t->says;

	messages++;
	*m = (struct message){ .id = messages, .label = messages };
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
	m_call(t, false);
	enter(t, number);
	/* After a reply with capabilities a server receives in another entry, or, on the short way, at once. */
	if (t->again && t->call == NR_ipc_recv_rest && t->t->state == SYS_THREAD_WAITING && m_named(cspace_of(t), t->name[0]) &&
	    m_named(cspace_of(t), t->name[1]))
		m_receive(t);
}

static void op_fault(struct m_thread *t)
{
	u64 at = HOLE + choose(100) * 8, vector = choose(32), error = choose(1000);

	if (chance(50)) {
		t->says = (struct message){ .label = SYS_FAULT_PAGE, .words = 4, .fault = true,
		                            .fault_word = { at, SYS_ACCESS_WRITE, USER_ENTRY, (u64)SYS_ERR_NOT_FOUND } };
		m_fault(t, SYS_ERR_NOT_FOUND);
		user_fault(at, SYS_ACCESS_WRITE);
	} else {
		t->says = (struct message){ .label = SYS_FAULT_EXCEPTION, .words = 3, .fault = true,
		                            .fault_word = { vector, error, USER_ENTRY } };
		m_fault(t, INT64_MIN + (i64)vector);
		user_exception(vector, error);
	}
}

/* The call of t (NULL: the idle one, whose CSpace has nothing in it) on a thread. */
static struct m_thread *pick_thread(struct m_thread *t, sys_cap_t *name, sys_status_t *status)
{
	struct m_slot *s;

	*name = pick(t, THREAD, SYS_RIGHT_MANAGE);
	*status = m_check(t, *name, THREAD, SYS_RIGHT_MANAGE, &s);
	return *status == SYS_OK ? &thread[s->which] : NULL;
}

/* Its own call is over with this status, if it still lives. */
static void returns(struct m_thread *t, sys_status_t status)
{
	if (t->wait != DEAD)
		m_completes(t, status);
}

static void suspend(struct m_thread *t)
{
	t->suspended = true;
	if (t->wait == SENDS || t->wait == CALLS || t->wait == RECEIVES || t->wait == AWAITS_BITS) {
		m_leave(t);
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
		m_dies(t, code);
		return user_enter(NR_thread_exit, (u64)code);
	}
	if (who && who->wait == DEAD)
		status = SYS_ERR_BAD_STATE;
	if (status == SYS_OK)
		m_dies(who, code);
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
		status = m_check(t, ep, ENDPOINT, SYS_RIGHT_SEND, &s);
	if (status == SYS_OK && (who->wait == DEAD || (s && endpoint[s->which].over)))
		status = SYS_ERR_BAD_STATE;
	if (status == SYS_OK) {
		who->fault_ep = s ? s->which : NONE;
		who->fault_badge = s ? s->badge : 0;
	}
	returns(t, status);
	user_enter(NR_thread_set_fault_endpoint, name, ep);
}

static void op_bind(struct m_thread *t)
{
	sys_cap_t name, n = chance(15) ? SYS_CAP_NULL : pick(t, NTFN, SYS_RIGHT_RECV);
	sys_status_t status;
	struct m_thread *who = pick_thread(t, &name, &status);
	struct m_slot *s = NULL;

	if (status == SYS_OK && n != SYS_CAP_NULL)
		status = m_check(t, n, NTFN, SYS_RIGHT_RECV, &s);
	if (status == SYS_OK && (who->wait == DEAD || (s && (who->bound != NONE || ntfn[s->which].bound != NONE))))
		status = SYS_ERR_BAD_STATE;
	returns(t, status);
	if (status == SYS_OK && who->bound != NONE)
		ntfn[who->bound].bound = NONE;
	if (status == SYS_OK)
		who->bound = s ? s->which : NONE;
	if (status == SYS_OK && s) {
		ntfn[s->which].bound = index_of(who);
		m_give_bits(s->which);
	}
	user_enter(NR_thread_bind_notification, name, n);
}

static void op_signal(struct m_thread *t)
{
	sys_cap_t name = pick(t, NTFN, SYS_RIGHT_SEND);
	u64 bits = choose(8);
	struct m_slot *s;
	sys_status_t status = m_check(t, name, NTFN, SYS_RIGHT_SEND, &s);

	if (status == SYS_OK) {
		ntfn[s->which].bits |= bits;
		m_give_bits(s->which);
	}
	returns(t, status);
	user_enter(NR_notification_signal, name, bits);
}

static void op_delete(struct m_thread *t)
{
	sys_cap_t name = pick(t, (enum kind)(1 + choose(4)), 0);
	struct m_slot *s = m_named(cspace_of(t), name), was = { 0 };

	returns(t, s ? SYS_OK : SYS_ERR_BAD_CAP);
	if (s) {
		was = *s;
		m_free(cspace_of(t), s);
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
		if (t->wait != RUNS && t->wait != DEAD && t->wait != FAULT_QUEUED && t->wait != FAULT_TAKEN && !t->again && m_past(t))
			m_completes(t, SYS_ERR_TIMED_OUT);
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

	m_delete(kind, which, kind == ENDPOINT && !endpoint[which].over ? SYS_RIGHT_RECV : 0);
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
	m_delete(THREAD, i, 0);
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
	else if (dice < 91)
		op_bind(t);
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
		m_call(t, true);
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
