/* SPDX-License-Identifier: BSD-2-Clause */
/* endpoint.c: the life and the end of endpoints and reply objects, and what is bound to them. See ipc.h.
 * Whatever stands on a list here when its object ends is told, one a step. Lock: the kernel lock. */
#include "ipc/futex.h"
#include "ipc/message.h"
#include "lib/assert.h"

/* ---- endpoints --------------------------------------------------------------------------------------------------------------------------- */

void endpoint_init(struct endpoint *e)
{
	pqueue_init(&e->senders);
	pqueue_init(&e->receivers);
	list_init(&e->fault_threads);
	list_init(&e->pagers);
	watch_list_init(&e->watches);
}

bool ipc_close_step(struct pqueue *q)
{
	struct pqueue_node *first = pqueue_first(q);

	if (first)
		thread_complete(container_of(first, struct thread, queue), SYS_ERR_PEER_CLOSED);
	return first;
}

static void drop_sender(struct pqueue_node *n)
{
	struct thread *t;

	if (n->kind == QUEUE_PAGER)
		return pqueue_remove(n);
	t = container_of(n, struct thread, queue);
	if (t->wait == WAIT_FAULT)
		thread_exit(t, t->fault_code);
	else
		thread_complete(t, SYS_ERR_PEER_CLOSED);
}

/* Its requests are over, or the endpoint's senders are. */
static void unbind_pager(struct pager *p)
{
	DEBUG_ASSERT(!pqueue_on(&p->above));
	list_remove(&p->endpoint_link);
	p->endpoint = NULL;
}

static void leave_fault_endpoint(struct thread *t)
{
	list_remove(&t->in_fault_endpoint);
	t->fault_endpoint = NULL;
}

/* Nobody can ever receive from it again. */
static void endpoint_ended(struct object *o)
{
	watch_fire(&container_of(o, struct endpoint, object)->watches);
}

static bool endpoint_reap(struct object *o)
{
	struct endpoint *e = (struct endpoint *)o;
	struct pager *p;

	if (!pqueue_empty(&e->senders))
		return drop_sender(pqueue_first(&e->senders)), false;
	if (ipc_close_step(&e->receivers))
		return false;
	if (!list_empty(&e->fault_threads))
		return leave_fault_endpoint(list_first(&e->fault_threads, struct thread, in_fault_endpoint)), false;
	p = list_first(&e->pagers, struct pager, endpoint_link);
	if (!p)
		return true;
	if (ipc_close_step(&p->receivers))
		return false;
	unbind_pager(p);
	pager_kill(p);
	return false;
}

const struct object_type endpoint_type = {
	.name = "endpoint", .size = sizeof(struct endpoint), .ended = endpoint_ended, .reap = endpoint_reap,
};

void ipc_set_fault_endpoint(struct thread *t, struct endpoint *ep, u64 badge)
{
	if (t->fault_endpoint)
		leave_fault_endpoint(t);
	t->fault_endpoint = ep;
	t->fault_badge = badge;
	if (ep)
		list_append(&ep->fault_threads, &t->in_fault_endpoint);
}

void ipc_bind_pager(struct pager *p, struct endpoint *ep, u64 badge)
{
	p->endpoint = ep;
	p->badge = badge;
	p->above.kind = QUEUE_PAGER;
	list_append(&ep->pagers, &p->endpoint_link);
}

/* A pager ends: it leaves its endpoint, and those who wait in pager_recv are told. One a step (vm's reap of the pager calls this). */
static bool pager_ended_step(struct pager *p)
{
	if (p->endpoint)
		unbind_pager(p);
	return !ipc_close_step(&p->receivers);
}

void endpoint_check(const struct endpoint *e)
{
	watch_list_check(&e->watches);
	list_each(link, &e->senders.all) {
		const struct pqueue_node *n = container_of(link, struct pqueue_node, all);
		const struct thread *t = container_of(n, struct thread, queue);

		ASSERT(n->kind == QUEUE_PAGER || t->wait == WAIT_SEND || t->wait == WAIT_CALL || t->wait == WAIT_FAULT);
	}
	list_each(link, &e->receivers.all) {
		const struct thread *t = container_of(container_of(link, struct pqueue_node, all), struct thread, queue);

		ASSERT(t->wait == WAIT_RECV && t->waits_on == &e->receivers);
		ASSERT(pqueue_empty(&e->senders));
	}
}

/* ---- replies ------------------------------------------------------------------------------------------------------------------------------ */

static void reply_ended(struct object *o)
{
	struct reply *r = (struct reply *)o;
	struct thread *caller = r->caller;

	if (r->receiver)
		r->receiver->reply = NULL;
	r->receiver = NULL;
	if (!caller)
		return;
	if (caller->wait == WAIT_FAULT)
		thread_exit(caller, SYS_ERR_CANCELED);
	else
		thread_complete(caller, SYS_ERR_PEER_CLOSED);
}

const struct object_type reply_type = { .name = "reply", .size = sizeof(struct reply), .ended = reply_ended };

/* t stops waiting: it is no longer a caller that somebody may answer, nor a receiver that offers. */
static void left(struct thread *t)
{
	struct reply *r = t->reply;

	t->reply = NULL;
	if (r->caller == t)
		r->caller = NULL;
	if (r->receiver == t)
		r->receiver = NULL;
}

/* ---- boot --------------------------------------------------------------------------------------------------------------------------------- */

static void gone(struct thread *t)
{
	if (t->fault_endpoint)
		leave_fault_endpoint(t);
	notification_unbind(t);
	ipc_hooks.cspace_left(t);
}

static void page_failed(struct thread *t, sys_status_t status)
{
	u64 word[4] = { t->fault_word[0], t->fault_word[1], t->context.regs.rip, (u64)(i64)status };

	ipc_fault(t, SYS_FAULT_PAGE, word, 4, status);
}

/* The exceptions that a program takes after an instruction have no error code. */
static void trapped(struct thread *t, unsigned vector)
{
	u64 word[3] = { vector, 0, t->context.regs.rip };

	ipc_fault(t, SYS_FAULT_EXCEPTION, word, 3, INT64_MIN + (i64)vector);
}

static void signal_watcher(struct object *ntfn, u64 bits)
{
	notification_signal(container_of(ntfn, struct notification, object), bits);
}

BOOT void ipc_boot(void)
{
	object_type_set(SYS_TYPE_ENDPOINT, &endpoint_type);
	object_type_set(SYS_TYPE_REPLY, &reply_type);
	object_type_set(SYS_TYPE_NOTIFICATION, &notification_type);
	thread_hooks.gone = gone;
	thread_hooks.left = left;
	thread_hooks.page_failed = page_failed;
	thread_hooks.trapped = trapped;
	thread_hooks.finish = message_finish;
	futex_boot();
	vm_hooks.pager_ready = message_pager_ready;
	vm_hooks.pager_ended = pager_ended_step;
	watch_hooks.signal = signal_watcher;
}
