/* SPDX-License-Identifier: BSD-2-Clause */
/* message.c: sending, receiving and replying. See ipc.h. Lock: the kernel lock.
 *
 * Registers of a call that sends: r8 label, r9 header, r12 to r15 words; the same on the way out of a receive, with the badge in rdx.
 * A waiting thread's registers still hold its call's arguments, so a receiver's `accept` is read from its r9; where its message goes stays in rsi: 0 where it is
 * in registers only (the calls of four words), and then nothing is ever copied out.
 */
#include "ipc/message.h"

#include "lib/assert.h"

struct ipc_hooks ipc_hooks;

#define CAPS_AT  offsetof(sys_msg_t, cap)

/* The first of those who wait there, or NULL. */
static struct thread *waiting(struct pqueue *q)
{
	struct pqueue_node *first = pqueue_first(q);

	return first ? container_of(first, struct thread, queue) : NULL;
}

/* ---- taking a message from the sender's memory -------------------------------------------------------------------------------------- */

/* What a vm call said, in terms of a syscall: waiting for a page is a wait of this thread. */
static int wait_for_page(struct thread *t, sys_status_t status)
{
	return status == SYS_ERR_SHOULD_WAIT ? thread_wait_page(t, true) : status;
}

static sys_status_t copy_part(struct thread *t, void *to, vaddr_t from, u64 len)
{
	u64 done = 0;

	return len ? space_copy_in(t->space, to, from, len, &done, t->retries, &t->page) : SYS_OK;
}

/* What the registers say of a message can be so. */
static bool header_good(const struct thread *t)
{
	u64 header = t->context.regs.r9;

	return header_words(header) <= SYS_MSG_WORDS && header_caps(header) <= SYS_MSG_CAPS && !(t->context.regs.r8 & SYS_LABEL_KERNEL);
}

/* Fetches what did not come in registers: SYS_OK, BAD_ADDRESS, BAD_CAP, ACCESS_DENIED, INVALID_ARGS (a capability twice), or it waits. */
static int fetch(struct thread *t, vaddr_t msg)
{
	u64 header = t->context.regs.r9;
	u32 words = header_words(header), caps = header_caps(header);
	sys_status_t status;

	if (likely(words <= 4 && caps == 0))
		return SYS_OK;
	status = copy_part(t, t->word, msg + MESSAGE_REST, words > 4 ? (words - 4) * sizeof(u64) : 0);
	if (status == SYS_OK)
		status = copy_part(t, t->cap, msg + CAPS_AT, caps * sizeof(sys_cap_t));
	if (status == SYS_OK && caps)
		status = ipc_hooks.caps_check(t, t->cap, caps);
	return wait_for_page(t, status);
}

/* ---- the hand-over ------------------------------------------------------------------------------------------------------------------- */

static void copy_words(struct thread *to, const struct thread *from, u32 words)
{
	for (u32 i = 0; i + 4 < words; i++)
		to->word[i] = from->word[i];
}

/* What does not fit the registers waits in the thread until it copies it out; without a place for them, further words are dropped. How many words came. */
COLD static u32 leave_rest(struct thread *to, const struct thread *from, u32 words, u32 caps)
{
	if (!to->context.regs.rsi && !caps)
		return REGISTER_WORDS;
	copy_words(to, from, words);
	to->finish = true;
	return words;
}

/* Puts a message into the registers of `to`, whose call is over. */
static void put_registers(struct thread *to, u64 badge, u64 label, u64 header, const u64 *word)
{
	struct regs *r = &to->context.regs;

	r->rdx = badge;
	r->r8 = label;
	r->r9 = header | (r->r9 & 0xffffull << 48);     /* what it accepts stays */
	message_copy_registers(r, word, header_words(header));
}

/* Ends the receiving call of `to`, which waits or (in its own call) runs. */
__attribute__((noinline)) static void end_call(struct thread *to)
{
	if (to->state == SYS_THREAD_WAITING)
		thread_complete(to, SYS_OK);
	else
		to->context.regs.rax = SYS_OK;
}

/* Passes the sender's message to `to`. An error is the sender's and nothing has moved. */
static sys_status_t hand_over(struct thread *from, struct thread *to, u64 badge)
{
	const struct regs *r = &from->context.regs;
	u32 words = header_words(r->r9), caps = header_caps(r->r9);

	if (unlikely(caps)) {
		sys_status_t status;

		if (caps > header_accept(to->context.regs.r9))
			return SYS_ERR_BUFFER_TOO_SMALL;
		status = ipc_hooks.caps_move(from, to, caps);
		if (status != SYS_OK)
			return status;
	}
	/* COMMIT */
	end_call(to);
	if (unlikely(words > 4 || caps))
		words = leave_rest(to, from, words, caps);
	put_registers(to, badge, r->r8, header_make(words, caps), &r->r12);
	return SYS_OK;
}

/* `caller` waits for a reply from now on, or, when the receiver offers none, is told so. */
static void await_reply(struct thread *caller, struct reply *reply)
{
	bool fault = caller->wait == WAIT_FAULT;

	if (unlikely(!reply)) {
		if (fault)
			return thread_exit(caller, SYS_ERR_CANCELED);
		return thread_complete(caller, SYS_ERR_PEER_CLOSED);
	}
	if (caller->waits_on)
		pqueue_remove(&caller->queue);
	caller->waits_on = NULL;
	if (!fault)
		caller->wait = WAIT_REPLY;
	caller->reply = reply;
	reply->caller = caller;
}

COLD static void put_fault(struct thread *faulter, struct thread *to)
{
	end_call(to);
	put_registers(to, faulter->badge, faulter->fault_label, header_make(faulter->fault_words, 0), faulter->fault_word);
}

static inline void put_request(struct pager *p, struct thread *to)
{
	sys_pager_request_t request = page_request(pager_take(p));

	put_registers(to, p->badge, SYS_PAGER_READ + request.type, header_make(4, 0),
	              (u64[]){ request.key, request.offset, request.length, request.access });
	end_call(to);
}

void message_put_bits(struct thread *to, u64 bits)
{
	end_call(to);
	put_registers(to, 0, SYS_LABEL_NOTIFICATION, header_make(1, 0), &bits);
}

/* A pager with requests stands on its endpoint's list of senders, with the priority of the first. */
static inline void stand(struct pager *p)
{
	struct endpoint *ep = p->endpoint;

	if (pqueue_on(&p->above))
		pqueue_remove(&p->above);
	if (unlikely(ep && !pqueue_empty(&p->queue)))
		pqueue_insert(&ep->senders, &p->above, pqueue_first(&p->queue)->priority);
}

/* ---- send, call ------------------------------------------------------------------------------------------------------------------------ */

static bool past(i64 deadline)
{
	return deadline != SYS_TIME_INFINITE && deadline <= arch_now();
}

static int queue_sender(struct thread *t, struct endpoint *ep, u64 badge, i64 deadline, bool call)
{
	t->badge = badge;
	return thread_block(t, call ? WAIT_CALL : WAIT_SEND, &ep->senders, deadline, true);
}

int ipc_send(struct thread *t, struct endpoint *ep, u64 badge, vaddr_t msg, i64 deadline, bool call)
{
	struct thread *to;
	struct reply *reply;
	int status;

	if (unlikely(!header_good(t) || (call && header_accept(t->context.regs.r9) > SYS_MSG_CAPS)))
		return SYS_ERR_INVALID_ARGS;
	if (unlikely(call && past(deadline)))
		return t->retries ? SYS_ERR_TIMED_OUT : SYS_ERR_INVALID_ARGS;
	if (unlikely(object_dying(&ep->object)))
		return SYS_ERR_PEER_CLOSED;
	status = fetch(t, msg);
	if (unlikely(status != SYS_OK))
		return status;
	to = waiting(&ep->receivers);
	if (!to)
		return past(deadline) ? SYS_ERR_TIMED_OUT : queue_sender(t, ep, badge, deadline, call);
	reply = to->reply;
	status = hand_over(t, to, badge);
	if (status != SYS_OK || !call)
		return status;
	if (unlikely(!reply))
		return SYS_ERR_PEER_CLOSED;     /* it got the message, and cannot answer */
	thread_block(t, WAIT_CALL, NULL, deadline, true);
	await_reply(t, reply);
	return CALL_BLOCKED;
}

/* ---- receive ----------------------------------------------------------------------------------------------------------------------------- */

/* Takes the first sender's message for t. False: that sender could not deliver and has been told. */
static bool receive_first(struct thread *t, struct pqueue_node *first, struct reply *reply)
{
	struct thread *from;
	sys_status_t status;

	if (first->kind == QUEUE_PAGER) {
		struct pager *p = container_of(first, struct pager, above);

		put_request(p, t);
		stand(p);
		return true;
	}
	from = container_of(first, struct thread, queue);
	if (from->wait == WAIT_FAULT) {
		put_fault(from, t);
		await_reply(from, reply);
		return true;
	}
	status = hand_over(from, t, from->badge);
	if (status != SYS_OK || from->wait == WAIT_SEND)
		thread_complete(from, status);
	else
		await_reply(from, reply);
	return status == SYS_OK;
}

/* From those who wait to send: CALL_DONE, VM_AGAIN; SYS_OK: none of them could. */
__attribute__((noinline)) static int receive_queued(struct thread *t, struct endpoint *ep, struct reply *reply)
{
	struct pqueue_node *first;

	while ((first = pqueue_first(&ep->senders)) != NULL) {
		if (receive_first(t, first, reply))
			return CALL_DONE;
		if (arch_preempt_poll())
			return VM_AGAIN;
	}
	return SYS_OK;
}

int ipc_recv(struct thread *t, struct endpoint *ep, struct reply *reply, i64 deadline)
{
	if (unlikely(header_accept(t->context.regs.r9) > SYS_MSG_CAPS))
		return SYS_ERR_INVALID_ARGS;
	if (unlikely(reply && (reply->caller || reply->receiver)))
		return SYS_ERR_BAD_STATE;
	if (unlikely(object_dying(&ep->object)))
		return SYS_ERR_PEER_CLOSED;
	if (unlikely(thread_has_news(t)))
		return notification_receive(t), CALL_DONE;
	if (!pqueue_empty(&ep->senders)) {
		int status = receive_queued(t, ep, reply);

		if (status != SYS_OK)
			return status;
	}
	if (past(deadline))
		return SYS_ERR_TIMED_OUT;
	if (reply) {
		reply->receiver = t;
		t->reply = reply;
	}
	return thread_block(t, WAIT_RECV, &ep->receivers, deadline, true);
}

/* ---- reply ------------------------------------------------------------------------------------------------------------------------------- */

int ipc_reply(struct thread *t, struct reply *reply, vaddr_t msg)
{
	struct thread *caller = reply->caller;
	int status;

	if (unlikely(!header_good(t)))
		return SYS_ERR_INVALID_ARGS;
	if (unlikely(!caller))
		return SYS_ERR_BAD_STATE;
	status = fetch(t, msg);
	if (unlikely(status != SYS_OK))
		return status;
	if (likely(caller->wait == WAIT_REPLY))
		return hand_over(t, caller, 0);
	if (header_caps(t->context.regs.r9))
		return SYS_ERR_BUFFER_TOO_SMALL;
	thread_wake(caller);            /* a fault: go on where it was */
	return SYS_OK;
}

/* ---- faults ------------------------------------------------------------------------------------------------------------------------------ */

static void queue_fault(struct thread *t)
{
	t->state = SYS_THREAD_WAITING;
	t->wait = WAIT_FAULT;
	t->in_call = false;
	t->badge = t->fault_badge;      /* it may be given another endpoint while it waits on this one */
	t->waits_on = &t->fault_endpoint->senders;
	pqueue_insert(t->waits_on, &t->queue, t->priority);
	my_cpu->resched = true;
}

COLD void ipc_fault(struct thread *t, u64 label, const u64 *word, u32 words, i64 code)
{
	struct thread *to;
	struct reply *reply;

	if (!t->fault_endpoint || object_dying(&t->fault_endpoint->object))
		return thread_exit(t, code);
	t->fault_label = label;
	t->fault_words = words;
	t->fault_code = code;
	for (u32 i = 0; i < 4; i++)
		t->fault_word[i] = i < words ? word[i] : 0;
	if (sched_queued(t))
		sched_dequeue(t);
	queue_fault(t);
	to = waiting(&t->fault_endpoint->receivers);
	if (!to)
		return;
	reply = to->reply;
	put_fault(t, to);
	await_reply(t, reply);
}

/* ---- the receiver's own copy-out ------------------------------------------------------------------------------------------------------ */

static sys_status_t copy_out(struct thread *t)
{
	u64 header = t->context.regs.r9, done = 0;
	u32 words = header_words(header), caps = header_caps(header);
	sys_status_t status = SYS_OK;

	if (words > 4)
		status = space_copy_out(t->space, t->context.regs.rsi + MESSAGE_REST, t->word, (words - 4) * sizeof(u64), &done, t->retries, &t->page);
	done = 0;
	if (status == SYS_OK && caps)
		status = space_copy_out(t->space, t->context.regs.rsi + CAPS_AT, t->cap, caps * sizeof(sys_cap_t), &done, t->retries, &t->page);
	return status;
}

/* True: t can go to user mode now. */
bool message_finish(struct thread *t)
{
	sys_status_t status = copy_out(t);

	if (status == VM_AGAIN) {
		t->retries++;
		return false;
	}
	if (wait_for_page(t, status) == CALL_BLOCKED)
		return false;
	t->finish = false;
	thread_anew(t);
	if (status != SYS_OK)
		t->context.regs.rax = (u64)(i64)status;
	return true;
}

/* ---- pagers on endpoints ------------------------------------------------------------------------------------------------------------------ */

/* Who of the endpoint's receivers and the pager's own stands first: by priority, then arrival. */
static struct thread *best_receiver(struct pager *p)
{
	struct thread *own = waiting(&p->receivers);
	struct thread *any = p->endpoint ? waiting(&((struct endpoint *)p->endpoint)->receivers) : NULL;

	if (!own || !any)
		return own ? own : any;
	if (own->priority != any->priority)
		return own->priority > any->priority ? own : any;
	return own->arrival < any->arrival ? own : any;
}

/* The pager's queue changed: hand its first requests to who waits for them, then stand on the endpoint for the rest. */
__attribute__((noinline)) void message_pager_ready(struct pager *p)
{
	struct thread *to;

	while (!pqueue_empty(&p->queue) && (to = best_receiver(p)) != NULL) {
		if (to->wait == WAIT_PAGER) {
			thread_wake(to);        /* it takes them itself, into its own memory */
			break;
		}
		put_request(p, to);
	}
	stand(p);
}

/* A request is taken when its copy is there; what made room for the copy may have ended it. */
int ipc_pager_recv(struct thread *t, struct pager *p, vaddr_t buf, u64 count, i64 deadline)
{
	u64 taken = 0;

	if (count == 0)
		return SYS_ERR_INVALID_ARGS;
	if (p->dead || !p->endpoint)
		return SYS_ERR_PEER_CLOSED;
	while (taken < count && taken < 16 && !pqueue_empty(&p->queue)) {
		const struct pqueue_node *first = pqueue_first(&p->queue);
		sys_pager_request_t request = page_request(pager_first(p));
		u64 done = 0;
		sys_status_t status = space_copy_out(t->space, buf + taken * sizeof(request), &request, sizeof(request), &done, t->retries, &t->page);

		if (status != SYS_OK && taken)
			break;
		if (status != SYS_OK)
			return wait_for_page(t, status);
		if (unlikely(pqueue_first(&p->queue) != first))
			continue;
		/* COMMIT */
		pager_take(p);
		taken++;
	}
	if (!taken) {
		if (past(deadline))
			return SYS_ERR_TIMED_OUT;
		return thread_block(t, WAIT_PAGER, &p->receivers, deadline, true);
	}
	message_pager_ready(p);
	t->context.regs.rdx = taken;
	return SYS_OK;
}
