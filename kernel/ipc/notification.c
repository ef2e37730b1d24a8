/* SPDX-License-Identifier: BSD-2-Clause */
/* notification.c: words of bits that gather until somebody takes them, and threads that get theirs where they receive.
 *
 *     signal -> bits -> 1. the thread it is bound to, if that waits in a receive: as a message
 *                       2. the first who waits for the notification
 *                       3. nobody yet: they gather, and are the next's who asks: the bound thread's next receive, which
 *                          they come before all senders of, or a wait, by whomever
 *
 *     thread.bound <-> notification.bound        one of each at most; weak, cut at whichever end comes first
 *
 * So a bound thread never waits in a receive while there are bits; thread.floor says when there are (thread.h).
 * Lock: the kernel lock.
 */
#include "ipc/message.h"
#include "lib/assert.h"

void notification_init(struct notification *n)
{
	pqueue_init(&n->waiters);
	list_init(&n->watches);
}

/* ---- bits -------------------------------------------------------------------------------------------------------- */

/* Whoever gets them has all. */
static u64 take(struct notification *n)
{
	u64 bits = n->bits;

	n->bits = 0;
	if (unlikely(n->bound != NULL))
		thread_set_news(n->bound, false);
	return bits;
}

static inline void wake_first(struct notification *n, struct pqueue_node *first)
{
	struct thread *t = container_of(first, struct thread, queue);

	thread_complete(t, SYS_OK);
	t->context.regs.rdx = take(n);
}

/* There are bits, and a thread that is bound. */
__attribute__((noinline)) static void give_bound(struct notification *n)
{
	struct pqueue_node *first = pqueue_first(&n->waiters);

	if (n->bound->wait == WAIT_RECV)
		message_put_bits(n->bound, take(n));
	else if (first)
		wake_first(n, first);
	else
		thread_set_news(n->bound, true);
}

void notification_signal(struct notification *n, u64 bits)
{
	struct pqueue_node *first = pqueue_first(&n->waiters);

	n->bits |= bits;
	if (!n->bits)
		return;
	if (unlikely(n->bound != NULL))
		give_bound(n);
	else if (first)
		wake_first(n, first);
}

int notification_wait(struct thread *t, struct notification *n, i64 deadline)
{
	if (n->bits) {
		t->context.regs.rdx = take(n);
		return SYS_OK;
	}
	if (deadline != SYS_TIME_INFINITE && deadline <= arch_now())
		return SYS_ERR_TIMED_OUT;
	return thread_block(t, WAIT_NOTIFICATION, &n->waiters, deadline, true);
}

void notification_receive(struct thread *t)
{
	message_put_bits(t, take(t->bound));
}

/* ---- binding ----------------------------------------------------------------------------------------------------- */

void notification_unbind(struct thread *t)
{
	if (!t->bound)
		return;
	t->bound->bound = NULL;
	t->bound = NULL;
	thread_set_news(t, false);
}

sys_status_t notification_bind(struct thread *t, struct notification *n)
{
	if (t->state == SYS_THREAD_EXITED || t->bound || n->bound)
		return SYS_ERR_BAD_STATE;
	/* COMMIT */
	t->bound = n;
	n->bound = t;
	if (n->bits)
		give_bound(n);
	return SYS_OK;
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void notification_ended(struct object *o)
{
	struct thread *bound = ((struct notification *)o)->bound;

	if (bound)
		notification_unbind(bound);
}

static bool notification_reap(struct object *o)
{
	struct notification *n = (struct notification *)o;

	return !ipc_close_step(&n->waiters) && !watch_end_first_of_ntfn(&n->watches);
}

const struct object_type notification_type = {
	.name = "notification", .size = sizeof(struct notification),
	.ended = notification_ended, .reap = notification_reap,
};

void notification_check(const struct notification *n)
{
	const struct thread *t = n->bound;

	ASSERT(!n->bits || pqueue_empty(&n->waiters) || object_dying(&n->object));
	ASSERT(!t || (t->bound == n && t->state != SYS_THREAD_EXITED));
	ASSERT(!t || thread_has_news(t) == (n->bits != 0));
}
