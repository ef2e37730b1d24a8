/* SPDX-License-Identifier: BSD-2-Clause */
/* thread.c: the life of threads and their waits. See thread.h. Lock: the kernel lock. */
#include "sched/thread.h"

#include "lib/assert.h"
#include "sched/sched.h"

struct thread_hooks thread_hooks;

/* ---- life ------------------------------------------------------------------------------------------------------------------------ */

/* The space ends: its threads have nothing to run in. One a step, the space's reap calls again. */
COLD static void space_ended(struct space *s)
{
	thread_exit(list_first(&s->threads, struct thread, in_space), SYS_ERR_CANCELED);
}

COLD sys_status_t thread_create(struct account *a, struct space *s, u8 priority, struct thread **out)
{
	sys_status_t status;
	struct thread *t = object_create(a, SYS_TYPE_THREAD, &status);

	if (!t)
		return status;
	t->state = SYS_THREAD_NEW;
	t->priority = t->floor = priority;
	list_init(&t->run);
	list_init(&t->in_space);
	list_init(&t->in_cspace);
	list_init(&t->in_fault_endpoint);
	pqueue_node_init(&t->queue);
	page_wait_init(&t->page);
	t->page.priority = priority;
	t->page_timeout = SYS_TIME_INFINITE;
	t->cpu = my_cpu->self;
	t->affinity = my_cpu->current ? my_cpu->current->affinity : sched_cpus();
	t->pinned = t->affinity != sched_cpus();
	watch_list_init(&t->watches);
	arch_context_init(&t->context, s->root);
	t->space = s;
	s->ended = space_ended;
	object_ref((struct object *)s);
	list_append(&s->threads, &t->in_space);
	*out = t;
	return SYS_OK;
}

COLD sys_status_t thread_start(struct thread *t, vaddr_t entry, vaddr_t stack, u64 arg0, u64 arg1)
{
	if (t->state != SYS_THREAD_NEW)
		return SYS_ERR_BAD_STATE;
	arch_context_start(&t->context, entry, stack, arg0, arg1);
	t->state = SYS_THREAD_READY;
	if (!t->suspended)
		sched_enqueue(t);
	return SYS_OK;
}

static void leave_space(struct thread *t)
{
	if (!t->space)
		return;
	list_remove(&t->in_space);
	object_unref((struct object *)t->space);
	t->space = NULL;
}

COLD void thread_exit(struct thread *t, i64 code)
{
	if (t->state == SYS_THREAD_EXITED)
		return;
	if (t->state == SYS_THREAD_WAITING)
		thread_stop_waiting(t);
	else if (sched_queued(t))
		sched_dequeue(t);
	t->state = SYS_THREAD_EXITED;
	t->exit_code = code;
	t->finish = false;
	sched_stop(t);
	watch_fire(&t->watches);
	thread_hooks.gone(t);
	thread_forget_status(t);
	arch_context_drop(&t->context);
	leave_space(t);
}

/* The last capability went, or the account is swept: nobody can hold the thread any more. */
COLD static void thread_ended(struct object *o)
{
	thread_exit((struct thread *)o, SYS_ERR_CANCELED);
}

/* The CPU holds a reference while it runs the thread (sched.c), so its memory goes only after the CPU has left it. */
const struct object_type thread_type = {
	.name = "thread", .size = 4096, .caps_gone = object_end, .ended = thread_ended,
};

/* ---- waiting --------------------------------------------------------------------------------------------------------------------- */

u64 thread_arrivals;

sys_status_t thread_block(struct thread *t, enum wait_kind kind, struct pqueue *queue, i64 deadline, bool in_call)
{
	DEBUG_ASSERT(t->state == SYS_THREAD_READY && t == my_cpu->current);
	t->state = SYS_THREAD_WAITING;
	t->wait = kind;
	t->in_call = in_call;
	t->arrival = ++thread_arrivals;
	if (in_call && !t->finish)
		arch_context_restart_syscall(&t->context);
	t->waits_on = queue;
	if (queue)
		pqueue_insert(queue, &t->queue, t->priority);
	if (deadline != SYS_TIME_INFINITE) {
		t->timed = true;
		timer_arm(&t->timer, deadline);
	}
	my_cpu->resched = true;
	return CALL_BLOCKED;
}

static inline void stop_waiting(struct thread *t)
{
	if (t->waits_on)
		pqueue_remove(&t->queue);
	else if (t->wait == WAIT_FUTEX)
		thread_hooks.futex_leave(t);
	if (unlikely(t->timed)) {
		timer_disarm(&t->timer);
		t->timed = false;
	}
	if (t->page.state != PAGE_WAIT_IDLE)
		page_wait_cancel(&t->page);
	if (t->reply)
		thread_hooks.left(t);
	t->waits_on = NULL;
	t->wait = WAIT_NONE;
}

void thread_stop_waiting(struct thread *t) { stop_waiting(t); }

/* What it waits for may come before it has left the CPU (a deadline just ahead): then it simply stays there. */
static void make_ready(struct thread *t)
{
	t->state = SYS_THREAD_READY;
	if (likely(!t->suspended && !sched_running(t)))
		sched_enqueue(t);
}

__attribute__((noinline)) void thread_wake(struct thread *t)
{
	if (t->state != SYS_THREAD_WAITING)
		return;
	stop_waiting(t);
	make_ready(t);
}

void thread_complete(struct thread *t, sys_status_t status)
{
	DEBUG_ASSERT(t->state == SYS_THREAD_WAITING && !t->finish);
	stop_waiting(t);
	t->context.regs.rip += 2;
	t->context.regs.rax = (u64)(i64)status;
	thread_anew(t);
	t->progress = 0;
	make_ready(t);
}

COLD sys_status_t thread_suspend(struct thread *t)
{
	if (t->state == SYS_THREAD_EXITED)
		return SYS_ERR_BAD_STATE;
	if (t->suspended)
		return SYS_OK;
	if (t->state == SYS_THREAD_READY && sched_queued(t))
		sched_dequeue(t);
	t->suspended = true;
	t->in_vain = 0;                 /* while it is stopped it waits for nothing */
	if (t->state == SYS_THREAD_WAITING && t->wait != WAIT_REPLY && t->wait != WAIT_FAULT)
		thread_wake(t);
	sched_stop(t);
	return SYS_OK;
}

COLD sys_status_t thread_resume(struct thread *t)
{
	if (t->state == SYS_THREAD_EXITED || !t->suspended)
		return SYS_ERR_BAD_STATE;
	t->suspended = false;
	sched_go_on(t);
	return SYS_OK;
}

COLD void thread_set_priority(struct thread *t, u8 priority)
{
	bool ready = sched_queued(t), at_futex = t->wait == WAIT_FUTEX;

	if (ready)
		sched_dequeue(t);
	if (at_futex)
		thread_hooks.futex_leave(t);
	t->priority = priority;
	thread_set_news(t, thread_has_news(t));
	page_wait_set_priority(&t->page, priority);
	if (ready)
		sched_enqueue(t);
	if (t->waits_on) {
		pqueue_remove(&t->queue);
		pqueue_insert(t->waits_on, &t->queue, priority);
	}
	if (at_futex)
		thread_hooks.futex_enter(t);
	sched_reconsider(t);
}

COLD sys_status_t thread_set_affinity(struct thread *t, u64 cpus)
{
	bool ready = sched_queued(t);

	cpus &= sched_cpus();
	if (!cpus)
		return SYS_ERR_INVALID_ARGS;
	if (t->state == SYS_THREAD_EXITED)
		return SYS_ERR_BAD_STATE;
	/* COMMIT */
	if (ready)
		sched_dequeue(t);
	t->affinity = cpus;
	t->pinned = cpus != sched_cpus();
	if (ready)
		sched_enqueue(t);
	sched_reconsider(t);
	return SYS_OK;
}

COLD void thread_set_tls(struct thread *t, u64 fs_base)
{
	if (t != my_cpu->current)
		sched_stop(t);          /* its CPU has the old one */
	arch_context_set_tls(&t->context, fs_base);
	sched_go_on(t);
}

static u32 shown_state(const struct thread *t)
{
	if (t->state == SYS_THREAD_EXITED || t->state == SYS_THREAD_NEW)
		return t->state;
	if (t->suspended)
		return SYS_THREAD_SUSPENDED;
	return sched_running(t) ? (u32)SYS_THREAD_RUNNING : t->state;
}

COLD void thread_info(const struct thread *t, sys_thread_info_t *out)
{
	*out = (sys_thread_info_t){
		.koid = t->object.koid, .state = shown_state(t), .priority = t->priority, .affinity = t->affinity,
		.exit_code = t->exit_code, .switches = t->switches, .faults = t->faults, .page_requests = t->page_requests,
		.cpu_time = arch_cycles_to_ns(t->cpu_time + (sched_running(t) ? (u32)arch_cycles() - t->cpu->since : 0)),
	};
}

/* ---- waiting for pages ------------------------------------------------------------------------------------------------------------ */

static i64 page_deadline(const struct thread *t)
{
	i64 now;

	if (likely(t->page_timeout == SYS_TIME_INFINITE))
		return SYS_TIME_INFINITE;
	now = arch_now();
	return t->page_timeout > SYS_TIME_INFINITE - now ? SYS_TIME_INFINITE : now + t->page_timeout;
}

sys_status_t thread_wait_page(struct thread *t, bool in_call)
{
	if (unlikely(t->page.state == PAGE_WAIT_IDLE))
		return SYS_ERR_SHOULD_WAIT;
	t->page_requests++;
	if (likely(!t->in_vain))
		t->page_until = page_deadline(t);
	return thread_block(t, WAIT_PAGE, NULL, t->page_until, in_call);
}

/* The page will not come: that ends the call, or the copy that its message lacked, or becomes a fault. */
COLD static void page_over(struct thread *t, sys_status_t status)
{
	if (!t->in_call) {
		thread_stop_waiting(t);
		thread_anew(t);
		return thread_hooks.page_failed(t, status);
	}
	if (!t->finish)
		return thread_complete(t, status);
	t->finish = false;
	t->context.regs.rax = (u64)(i64)status;
	thread_anew(t);
	thread_wake(t);
}

/* vm's side: a wait ended. What failed is over; else the thread makes its access or call again. */
static void page_wake(struct page_wait *w)
{
	struct thread *t = container_of(w, struct thread, page);

	if (t->state != SYS_THREAD_WAITING || t->wait != WAIT_PAGE)
		return;
	t->in_vain = !w->came;
	if (w->status == SYS_OK)
		return thread_wake(t);
	page_over(t, t->in_call && w->space ? SYS_ERR_BAD_ADDRESS : w->status);
}

COLD void thread_timed_out(struct thread *t)
{
	if (t->wait == WAIT_PAGE)
		page_over(t, SYS_ERR_TIMED_OUT);
	else
		thread_complete(t, SYS_ERR_TIMED_OUT);
}

COLD static void bound_wait(struct thread *t)
{
	if (t->timed)
		timer_disarm(&t->timer);
	t->page_until = page_deadline(t);
	t->timed = t->page_until != SYS_TIME_INFINITE;
	if (t->timed)
		timer_arm(&t->timer, t->page_until);
}

COLD sys_status_t thread_set_page_timeout(struct thread *t, i64 ns)
{
	if (t->state == SYS_THREAD_EXITED)
		return SYS_ERR_BAD_STATE;
	t->page_timeout = ns;
	t->page.poll = ns == 0;
	if (t->wait != WAIT_PAGE)
		return SYS_OK;
	if (ns == 0)
		page_over(t, SYS_ERR_SHOULD_WAIT);
	else
		bound_wait(t);
	return SYS_OK;
}

BOOT void thread_boot(void)
{
	object_type_set(SYS_TYPE_VMAR, &vmar_type);
	object_type_set(SYS_TYPE_THREAD, &thread_type);
	vm_hooks.wake = page_wake;
}

/* ---- walker ---------------------------------------------------------------------------------------------------------------------- */

void thread_check(const struct thread *t)
{
	bool waiting = t->state == SYS_THREAD_WAITING;

	ASSERT(t->object.type == SYS_TYPE_THREAD);
	ASSERT(waiting == (t->wait != WAIT_NONE));
	ASSERT(waiting || !t->waits_on);
	ASSERT(!t->waits_on || pqueue_on(&t->queue));
	ASSERT(waiting || !t->timed);
	ASSERT(waiting || t->page.state == PAGE_WAIT_IDLE);
	ASSERT((t->wait == WAIT_PAGE) == (t->page.state != PAGE_WAIT_IDLE));
	ASSERT(t->floor == (thread_has_news(t) ? THREAD_NEWS : t->priority));
	ASSERT(!thread_has_news(t) || (t->bound && t->wait != WAIT_RECV));
	ASSERT(t->page.poll == (t->page_timeout == 0));
	ASSERT(!sched_queued(t) || (t->state == SYS_THREAD_READY && !t->suspended && !sched_running(t)));
	ASSERT(t->affinity && t->pinned == (t->affinity != sched_cpus()));
	ASSERT((t->state == SYS_THREAD_EXITED) == (t->space == NULL));
	ASSERT(accessor_open(&t->status) == t->recorded);
	watch_list_check(&t->watches);
	if (t->state == SYS_THREAD_READY && !t->suspended && !sched_running(t))
		ASSERT(sched_queued(t));
}
