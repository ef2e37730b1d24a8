/* SPDX-License-Identifier: BSD-2-Clause */
/* fastpath.c: the way of a message from a caller to a server that waits, and back. Everything passes with it switched off (boot option `nofast`); it only
 * skips what cannot matter when all of this holds:
 *
 *   both     a label of the user's; no deadline on either side; the other thread's priority is not lower: as the sender runs, nobody with a higher one is
 *            ready, so the other runs next in any case. (On the way into a system call nobody has asked for a look at the run queues and no interrupt is
 *            noted: the way out saw to that.) What does not fit the registers lies in one page on either side, and both can be accessed as it is: then it
 *            goes straight from one to the other, in the entry that leaves into the receiver, as its own copy-out would. Capabilities move without a fuss
 *   call     the endpoint's capability has SEND and the endpoint lives; one receiver waits there and offers a reply object
 *   reply    the reply object holds a caller that waits for a reply (not for a fault's); the endpoint's capability has RECV and nobody stands on its list of
 *            senders or receivers; the receiver's bound notification has no bits
 *
 * A suspended thread is never among them (a receiver that is suspended leaves its queue, and a suspended caller is refused here), nor one that is bound to
 * some CPUs: the other thread runs on this one.
 * Each way is there three times: for messages that fit the registers, for all others, and for the calls of four words. The commit point is marked; before it nothing has changed that a call may not
 * change of its own registers. Lock: the kernel lock.
 */
#include "lib/counters.h"
#include "lib/string.h"
#include "sched/sched.h"
#include "syscall/fastpath.h"

/* What makes one way differ from another, known when it is compiled. FOUR: the arguments that say otherwise are not looked at. */
enum form { SHORT, FOUR, LONG };
#define FORM __attribute__((always_inline)) inline

/* Does it fit the registers? Nearly always nothing is accepted either, and then the header is the number of words. */
static inline bool message_short(const struct regs *r)
{
	u64 header = r->r9;

	return likely(header <= REGISTER_WORDS) || (header << 16 >> 16 <= REGISTER_WORDS && header_accept(header) <= SYS_MSG_CAPS);
}

/* Is it right, as far as that is not known from its form? */
static inline bool message_good(const struct regs *r, enum form form)
{
	u64 header = r->r9;

	if (unlikely(r->r8 & SYS_LABEL_KERNEL))
		return false;
	return form != LONG || (header_words(header) <= SYS_MSG_WORDS && header_caps(header) <= SYS_MSG_CAPS && header_accept(header) <= SYS_MSG_CAPS);
}

/* So many bytes that lie at this place in both messages. */
struct part { void *from, *to; u64 bytes; };

/* False: they are not in one page on each side, or not there. */
static inline bool find_part(struct part *part, const struct thread *from, const struct thread *to, u64 place, u64 bytes)
{
	part->bytes = bytes;
	part->from = space_window(from->space, from->context.regs.rsi + place, bytes, SYS_ACCESS_READ);
	part->to = space_window(to->space, to->context.regs.rsi + place, bytes, SYS_ACCESS_WRITE);
	return part->from && part->to;
}

/* Moves the capabilities that are named there. False: something is the matter with one of them, and nothing has moved. Who goes on to receive must still
 * have what its call names. */
static bool move_caps(const struct part *names, struct thread *from, struct thread *to, u32 count, bool receives)
{
	const struct regs *r = &from->context.regs;

	memcpy(from->cap, names->from, names->bytes);
	for (u32 i = 0; receives && i < count; i++)
		if (from->cap[i] == r->rdi || from->cap[i] == r->rdx)
			return false;
	return count <= header_accept(to->context.regs.r9) && ipc_hooks.caps_move(from, to, count) == SYS_OK;
}

/* Passes on what does not fit the registers. False: not on this way, and nothing has moved. */
static bool pass_rest(struct thread *from, struct thread *to, bool receives)
{
	u32 words = header_words(from->context.regs.r9), caps = header_caps(from->context.regs.r9);
	struct part rest, names;

	if (words > REGISTER_WORDS && !find_part(&rest, from, to, MESSAGE_REST, (words - REGISTER_WORDS) * sizeof(u64)))
		return false;
	if (caps && !find_part(&names, from, to, offsetof(sys_msg_t, cap), caps * sizeof(sys_cap_t)))
		return false;
	if (caps && !move_caps(&names, from, to, caps, receives))
		return false;
	/* COMMIT */
	if (words > REGISTER_WORDS)
		memmove(rest.to, rest.from, rest.bytes);
	if (caps)
		memcpy(names.to, to->cap, names.bytes);
	return true;
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

/* So much came; what the receiver accepts stays as it was. */
static inline void header_put(u64 *header, u32 words, u32 caps)
{
	((u32 *)header)[0] = words;
	((u16 *)header)[2] = (u16)caps;
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
	header_put(&r->r9, words, form == LONG ? header_caps(f->r9) : 0);
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

FORM static struct arch_context *call(struct thread *t, enum form form)
{
	struct regs *r = &t->context.regs;
	struct slot *s = find(t, r->rdi, SYS_TYPE_ENDPOINT, SYS_RIGHT_SEND);
	struct endpoint *ep;
	struct thread *to;
	struct reply *reply;
	u64 badge;

	if (form == FOUR)
		call_set_four(r);
	if (unlikely(!s || (form != FOUR && r->rdx != (u64)SYS_TIME_INFINITE) || !message_good(r, form)))
		return syscall_ordinary(t);
	ep = (struct endpoint *)s->object;
	to = container_of(ep->receivers.all.next, struct thread, queue.all);
	if (unlikely(pqueue_empty(&ep->receivers) || !pqueue_alone(&ep->receivers, &to->queue)))
		return syscall_ordinary(t);
	reply = to->reply;
	if (unlikely(!reply || to->priority < t->priority || to->waits_as != THREAD_WAITS_AS(WAIT_RECV)))
		return syscall_ordinary(t);
	badge = s->badge;                       /* the capability itself may be one of those that move */
	if (form == LONG && !pass_rest(t, to, false))
		return syscall_ordinary(t);
	/* COMMIT */
	pqueue_remove_alone(&ep->receivers);
	to->waits_on = NULL;
	deliver(t, to, badge, form);
	reply->receiver = NULL;
	reply->caller = t;
	return wait_for(t, WAIT_REPLY, reply, to);
}

FORM static struct arch_context *reply_recv(struct thread *t, enum form form)
{
	struct regs *r = &t->context.regs;
	struct slot *s = find(t, r->rdi, SYS_TYPE_REPLY, SYS_RIGHT_SEND | SYS_RIGHT_RECV);
	struct endpoint *ep;
	struct reply *reply;
	struct thread *to;

	if (unlikely(!s))
		return syscall_ordinary(t);
	reply = (struct reply *)s->object;
	s = find(t, r->rdx, SYS_TYPE_ENDPOINT, SYS_RIGHT_RECV);
	if (form == FOUR)
		call_set_four(r);
	if (unlikely(!s || (form != FOUR && r->r10 != (u64)SYS_TIME_INFINITE) || !message_good(r, form)))
		return syscall_ordinary(t);
	ep = (struct endpoint *)s->object;
	to = reply->caller;
	if (unlikely(!to || !pqueue_empty(&ep->senders) || !pqueue_empty(&ep->receivers)))
		return syscall_ordinary(t);
	if (unlikely(to->waits_as != THREAD_WAITS_AS(WAIT_REPLY) || to->priority < t->floor))
		return syscall_ordinary(t);
	if (form == LONG && !pass_rest(t, to, true))
		return syscall_ordinary(t);
	/* COMMIT: from here on the call is a receive */
	deliver(t, to, 0, form);
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

static struct arch_context *fast_call4(struct thread *t) { return call(t, FOUR); }
__attribute__((noinline)) static struct arch_context *long_call(struct thread *t) { return call(t, LONG); }
static struct arch_context *fast_call(struct thread *t)
{
	return likely(message_short(&t->context.regs)) ? call(t, SHORT) : long_call(t);
}

static struct arch_context *fast_reply_recv4(struct thread *t) { return reply_recv(t, FOUR); }
__attribute__((noinline)) static struct arch_context *long_reply_recv(struct thread *t) { return reply_recv(t, LONG); }
static struct arch_context *fast_reply_recv(struct thread *t)
{
	return likely(message_short(&t->context.regs)) ? reply_recv(t, SHORT) : long_reply_recv(t);
}

BOOT void fast_ways_on(void)
{
	syscall_ways[NR_ipc_call] = fast_call;
	syscall_ways[NR_ipc_reply_recv] = fast_reply_recv;
	syscall_ways[NR_ipc_call4] = fast_call4;
	syscall_ways[NR_ipc_reply_recv4] = fast_reply_recv4;
}
