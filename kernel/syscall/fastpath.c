/* SPDX-License-Identifier: BSD-2-Clause */
/* fastpath.c: the way of a message from a caller to a server that waits, and back. Everything passes with it switched off (boot option `nofast`); it only
 * skips what cannot matter when all of this holds:
 *
 *   both     no capabilities, a label of the user's; no deadline on either side; the other thread's priority is not lower: as the sender runs, nobody with a
 *            higher one is ready, so the other runs next in any case. (On the way into a system call nobody has asked for a look at the run queues and no
 *            interrupt is noted: the way out saw to that.) Words beyond the registers lie in one page on either side, and both can be accessed as it is:
 *            then they go straight from one to the other, in the entry that leaves into the receiver, as its own copy-out would
 *   call     the endpoint's capability has SEND and the endpoint lives; one receiver waits there and offers a reply object
 *   reply    the reply object holds a caller that waits for a reply (not for a fault's); the endpoint's capability has RECV and nobody stands on its list of
 *            senders or receivers; the receiver's bound notification has no bits
 *
 * A suspended thread is never among them (a receiver that is suspended leaves its queue, and a suspended caller is refused here), nor one that is bound to
 * some CPUs: the other thread runs on this one.
 * Each way is there three times: for messages that fit the registers, for longer ones, and for the calls of four words. The commit point is marked; before it nothing has changed that a call may not
 * change of its own registers. Lock: the kernel lock.
 */
#include "lib/counters.h"
#include "lib/string.h"
#include "sched/sched.h"
#include "syscall/fastpath.h"

/* What makes one way differ from another, known when it is compiled. FOUR: the arguments that say otherwise are not looked at. */
enum form { SHORT, FOUR, LONG };
#define FORM __attribute__((always_inline)) inline

/* Up to so many words, no capabilities, and nothing wrong. Nearly always nothing is accepted, and then the header is the number of words. */
static inline bool message_plain(const struct regs *r, u32 words)
{
	u64 header = r->r9;

	if (unlikely(header > REGISTER_WORDS) && (header << 16 >> 16 > words || header_accept(header) > SYS_MSG_CAPS))
		return false;
	return !(r->r8 & SYS_LABEL_KERNEL);
}

/* The words behind those in registers, on both sides, each in one page. */
struct rest { void *from, *to; u64 bytes; };

/* False: they cannot be reached at once, on both sides. */
static bool find_rest(struct rest *rest, struct thread *from, struct thread *to)
{
	rest->bytes = (header_words(from->context.regs.r9) - REGISTER_WORDS) * sizeof(u64);
	rest->from = space_window(from->space, from->context.regs.rsi + MESSAGE_REST, rest->bytes, SYS_ACCESS_READ);
	rest->to = space_window(to->space, to->context.regs.rsi + MESSAGE_REST, rest->bytes, SYS_ACCESS_WRITE);
	return rest->from && rest->to;
}

/* As cnode_lookup and the dispatcher's checks, for a right at least; a CNode of two levels is for the ordinary way. */
static inline struct slot *find(const struct thread *t, sys_cap_t name, enum sys_type type, u32 rights)
{
	const struct cnode *c = t->cspace;
	u32 index = (u32)name;
	struct slot *s;

	if (unlikely(index >= c->direct))
		return NULL;
	s = c->leaf[index / SLOTS_PER_FRAME] + index % SLOTS_PER_FRAME;
	if (unlikely(s->generation != name >> 32 || (s->rights & rights) != rights))
		return NULL;
	return likely(s->object->alive_as == type) ? s : NULL;         /* who has a right has an object */
}

/* So many words and no capabilities came; what the receiver accepts stays as it was. */
static inline void header_put(u64 *header, u32 words)
{
	((u32 *)header)[0] = words;
	((u16 *)header)[2] = 0;
}

/* Ends the waiting call of `to` with the message in the registers of `from`. */
static inline void deliver(const struct thread *from, struct thread *to, u64 badge, enum form form)
{
	const struct regs *f = &from->context.regs;
	struct regs *r = &to->context.regs;
	u32 words = form == FOUR ? REGISTER_WORDS : header_words(f->r9);

	to->waits_as = SYS_THREAD_READY;         /* it is not suspended, timed or pinned */
	to->reply = NULL;
	r->rip += 2;
	r->rax = SYS_OK;
	r->rdx = badge;
	r->r8 = f->r8;
	header_put(&r->r9, words);
	message_copy_registers(r, &f->r12, words);
}

/* From now on t waits; its call will be made again unless it is completed. `to` runs. */
static inline struct arch_context *wait_for(struct thread *t, enum wait_kind kind, struct reply *reply, struct thread *to)
{
	t->stands_as = THREAD_WAITS_AS(kind);
	t->reply = reply;
	arch_context_restart_syscall(&t->context);
	counters.entries++;
	sched_switch(t, to);
	return &to->context;
}

FORM static struct arch_context *call(struct thread *t, enum form form, call_way *else_way)
{
	struct regs *r = &t->context.regs;
	struct slot *s = find(t, r->rdi, SYS_TYPE_ENDPOINT, SYS_RIGHT_SEND);
	struct endpoint *ep;
	struct thread *to;
	struct reply *reply;
	struct rest rest;

	if (form == FOUR)
		call_set_four(r);
	if (unlikely(!s || (form != FOUR && r->rdx != (u64)SYS_TIME_INFINITE)))
		return syscall_ordinary(t);
	if (unlikely(!message_plain(r, form == LONG ? SYS_MSG_WORDS : REGISTER_WORDS)))
		return else_way(t);
	ep = (struct endpoint *)s->object;
	to = container_of(ep->receivers.all.next, struct thread, queue.all);
	if (unlikely(pqueue_empty(&ep->receivers) || !pqueue_alone(&ep->receivers, &to->queue)))
		return syscall_ordinary(t);
	reply = to->reply;
	if (unlikely(!reply || to->priority < t->priority || to->waits_as != THREAD_WAITS_AS(WAIT_RECV)))
		return syscall_ordinary(t);
	if (form == LONG && !find_rest(&rest, t, to))
		return syscall_ordinary(t);
	/* COMMIT */
	pqueue_remove_alone(&ep->receivers);
	to->waits_on = NULL;
	deliver(t, to, s->badge, form);
	if (form == LONG)
		memmove(rest.to, rest.from, rest.bytes);
	reply->receiver = NULL;
	reply->caller = t;
	return wait_for(t, WAIT_REPLY, reply, to);
}

FORM static struct arch_context *reply_recv(struct thread *t, enum form form, call_way *else_way)
{
	struct regs *r = &t->context.regs;
	struct slot *s = find(t, r->rdi, SYS_TYPE_REPLY, SYS_RIGHT_SEND | SYS_RIGHT_RECV);
	struct endpoint *ep;
	struct reply *reply;
	struct thread *to;
	struct rest rest;

	if (unlikely(!s))
		return syscall_ordinary(t);
	reply = (struct reply *)s->object;
	s = find(t, r->rdx, SYS_TYPE_ENDPOINT, SYS_RIGHT_RECV);
	if (form == FOUR)
		call_set_four(r);
	if (unlikely(!s || (form != FOUR && r->r10 != (u64)SYS_TIME_INFINITE)))
		return syscall_ordinary(t);
	if (unlikely(!message_plain(r, form == LONG ? SYS_MSG_WORDS : REGISTER_WORDS)))
		return else_way(t);
	ep = (struct endpoint *)s->object;
	to = reply->caller;
	if (unlikely(!to || !pqueue_empty(&ep->senders) || !pqueue_empty(&ep->receivers)))
		return syscall_ordinary(t);
	if (unlikely(to->waits_as != THREAD_WAITS_AS(WAIT_REPLY) || to->priority < t->floor))
		return syscall_ordinary(t);
	if (form == LONG && !find_rest(&rest, t, to))
		return syscall_ordinary(t);
	/* COMMIT: from here on the call is a receive */
	deliver(t, to, 0, form);
	if (form == LONG)
		memmove(rest.to, rest.from, rest.bytes);
	r->rax = NR_ipc_recv_rest;
	if (form == FOUR)
		r->r10 = (u64)SYS_TIME_INFINITE;
	reply->caller = NULL;
	reply->receiver = t;
	t->waits_on = &ep->receivers;
	t->arrival = ++thread_arrivals;
	pqueue_insert_alone(&ep->receivers, &t->queue, (u8)t->floor);      /* its priority */
	return wait_for(t, WAIT_RECV, reply, to);
}

__attribute__((noinline)) static struct arch_context *long_call(struct thread *t) { return call(t, LONG, syscall_ordinary); }
static struct arch_context *fast_call(struct thread *t) { return call(t, SHORT, long_call); }
static struct arch_context *fast_call4(struct thread *t) { return call(t, FOUR, syscall_ordinary); }
__attribute__((noinline)) static struct arch_context *long_reply_recv(struct thread *t) { return reply_recv(t, LONG, syscall_ordinary); }
static struct arch_context *fast_reply_recv(struct thread *t) { return reply_recv(t, SHORT, long_reply_recv); }
static struct arch_context *fast_reply_recv4(struct thread *t) { return reply_recv(t, FOUR, syscall_ordinary); }

void fast_ways_on(void)
{
	syscall_ways[NR_ipc_call] = fast_call;
	syscall_ways[NR_ipc_reply_recv] = fast_reply_recv;
	syscall_ways[NR_ipc_call4] = fast_call4;
	syscall_ways[NR_ipc_reply_recv4] = fast_reply_recv4;
}
