/* SPDX-License-Identifier: BSD-2-Clause */
/* fastpath.c: the way of a small message from a caller to a server that waits, and back. Everything passes with it switched off (`fastpath` returning
 * NULL); it only skips what cannot matter when all of this holds:
 *
 *   both     the message fits the registers: at most four words, no capabilities, a label of the user's; no deadline on either side; nobody asked for a
 *            look at the run queues, no interrupt is noted; the other thread's priority is not lower, so that it runs next in any case
 *   call     the endpoint's capability has SEND and the endpoint lives; its first receiver offers a reply object
 *   reply    the reply object holds a caller that waits for a reply (not for a fault's); the endpoint's capability has RECV and nobody stands on its list of
 *            senders or receivers
 *
 * A suspended thread is never among them: a receiver that is suspended leaves its queue, and a suspended caller is refused here.
 * The commit point is marked; before it nothing has changed. Lock: the kernel lock.
 */
#include "lib/counters.h"
#include "sched/sched.h"
#include "syscall/fastpath.h"

/* At most four words and no capabilities: words are the header's low half, the number of capabilities lies right above. */
static inline bool small_message(const struct regs *r)
{
	return (r->r9 & 0xffffffffffffull) <= 4 && r->r9 >> 48 <= SYS_MSG_CAPS && !(r->r8 & SYS_LABEL_KERNEL);
}

static inline struct slot *find(const struct thread *t, sys_cap_t name, enum sys_type type, u32 rights)
{
	struct slot *s = t->cspace ? cnode_lookup(t->cspace, name) : NULL;

	if (unlikely(!s || s->object->type != type || (s->rights & rights) != rights || object_dying(s->object)))
		return NULL;
	return s;
}

/* Ends the waiting call of `to` with the message in the registers of `from`. */
static inline void deliver(const struct thread *from, struct thread *to, u64 badge)
{
	const struct regs *f = &from->context.regs;
	struct regs *r = &to->context.regs;

	to->state = SYS_THREAD_READY;
	to->wait = WAIT_NONE;
	to->waits_on = NULL;
	to->reply = NULL;
	to->retries = 0;
	r->rip += 2;
	r->rax = SYS_OK;
	r->rdx = badge;
	r->r8 = f->r8;
	r->r9 = f->r9 & 0xffffffff;
	r->r12 = f->r12;
	r->r13 = f->r13;
	r->r14 = f->r14;
	r->r15 = f->r15;
}

/* From now on t waits; its call will be made again unless it is completed. */
static inline void wait(struct thread *t, enum wait_kind kind, struct reply *reply)
{
	t->state = SYS_THREAD_WAITING;
	t->wait = kind;
	t->in_call = true;
	t->reply = reply;
	t->retries++;
	arch_context_restart_syscall(&t->context);
}

static inline struct thread *fast_call(struct thread *t)
{
	const struct regs *r = &t->context.regs;
	struct slot *s = find(t, r->rdi, SYS_TYPE_ENDPOINT, SYS_RIGHT_SEND);
	struct endpoint *ep;
	struct thread *to;
	struct reply *reply;

	if (unlikely(!s || r->rdx != (u64)SYS_TIME_INFINITE || !small_message(r)))
		return NULL;
	ep = (struct endpoint *)s->object;
	if (unlikely(pqueue_empty(&ep->receivers)))
		return NULL;
	to = container_of(pqueue_first(&ep->receivers), struct thread, queue);
	reply = to->reply;
	if (unlikely(!reply || to->priority < t->priority || to->timer.armed || cpu.resched || arch_is_pending()))
		return NULL;
	/* COMMIT */
	pqueue_remove_first(&ep->receivers, &to->queue);
	deliver(t, to, s->badge);
	reply->receiver = NULL;
	reply->caller = t;
	t->message = r->rsi;
	wait(t, WAIT_REPLY, reply);
	sched_switch(t, to);
	return to;
}

static inline struct thread *fast_reply_recv(struct thread *t)
{
	struct regs *r = &t->context.regs;
	struct slot *s = find(t, r->rdi, SYS_TYPE_REPLY, SYS_RIGHT_SEND | SYS_RIGHT_RECV);
	struct slot *on = find(t, r->rdx, SYS_TYPE_ENDPOINT, SYS_RIGHT_RECV);
	struct endpoint *ep;
	struct reply *reply;
	struct thread *to;
	vaddr_t msg = r->rsi;

	if (unlikely(!s || !on || r->r10 != (u64)SYS_TIME_INFINITE || !small_message(r)))
		return NULL;
	ep = (struct endpoint *)on->object;
	reply = (struct reply *)s->object;
	to = reply->caller;
	if (unlikely(!to || to->wait != WAIT_REPLY || !pqueue_empty(&ep->senders) || !pqueue_empty(&ep->receivers)))
		return NULL;
	if (unlikely(to->priority < t->priority || to->suspended || to->timer.armed || cpu.resched || arch_is_pending()))
		return NULL;
	/* COMMIT: from here on the call is a receive */
	deliver(t, to, 0);
	r->rsi = r->rdi;
	r->rdi = r->rdx;
	r->rdx = msg;
	r->rax = NR_ipc_recv;
	t->message = msg;
	reply->caller = NULL;
	reply->receiver = t;
	wait(t, WAIT_RECV, reply);
	t->waits_on = &ep->receivers;
	pqueue_insert_alone(&ep->receivers, &t->queue, t->priority);
	t->arrival = thread_arrival();
	sched_switch(t, to);
	return to;
}

struct thread *fastpath(struct thread *t, u64 number)
{
	if (number == NR_ipc_call)
		return fast_call(t);
	if (number == NR_ipc_reply_recv)
		return fast_reply_recv(t);
	return NULL;
}
