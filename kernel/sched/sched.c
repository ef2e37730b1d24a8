/* SPDX-License-Identifier: BSD-2-Clause */
/* sched.c: the run queues, the timer queue, and the way out of the kernel. See sched.h. Lock: the kernel lock. */
#include "sched/sched.h"

#include "lib/assert.h"

struct cpu cpu;
void (*sched_console_hook)(void);

void sched_init(void)
{
	for (unsigned p = 0; p < PRIORITIES; p++)
		list_init(&cpu.ready[p]);
	cpu.timer_at = INT64_MAX;
}

/* ---- run queues ------------------------------------------------------------------------------------------------------------------ */

/* The first of the highest priority on the lists, or NULL. */
static struct thread *best_listed(void)
{
	unsigned word, priority;

	if (!cpu.ready_words)
		return NULL;
	word = 31 - (unsigned)__builtin_clz(cpu.ready_words);
	priority = word * 64 + 63 - (unsigned)__builtin_clzll(cpu.ready_mask[word]);
	return container_of(cpu.ready[priority].next, struct thread, run);
}

static struct thread *best_ready(void)
{
	return cpu.next ? cpu.next : best_listed();
}

static void list_ready(struct thread *t, bool front)
{
	struct list *queue = &cpu.ready[t->priority];

	if (front)
		list_push(queue, &t->run);
	else
		list_append(queue, &t->run);
	cpu.ready_mask[t->priority / 64] |= 1ull << (t->priority % 64);
	cpu.ready_words |= 1u << (t->priority / 64);
}

/* Does t come before the one that stands in cpu.next, or before all where nobody does? */
static bool comes_next(const struct thread *t, bool front)
{
	const struct thread *first = best_ready();

	if (!first)
		return true;
	return t->priority > first->priority || (front && t->priority == first->priority);
}

static void enqueue(struct thread *t, bool front)
{
	DEBUG_ASSERT(t->state == SYS_THREAD_READY && !t->suspended && !sched_queued(t) && t != cpu.current);
	if (!comes_next(t, front))
		return list_ready(t, front);
	if (cpu.next)
		list_ready(cpu.next, true);
	cpu.next = t;
}

void sched_enqueue(struct thread *t)
{
	enqueue(t, false);
	if (!cpu.current || t->priority > cpu.current->priority)
		cpu.resched = true;
}

static void unlist(struct thread *t)
{
	u64 *mask = &cpu.ready_mask[t->priority / 64];

	list_remove(&t->run);
	if (!list_empty(&cpu.ready[t->priority]))
		return;
	*mask &= ~(1ull << (t->priority % 64));
	if (!*mask)
		cpu.ready_words &= ~(1u << (t->priority / 64));
}

void sched_dequeue(struct thread *t)
{
	if (t == cpu.next)
		cpu.next = NULL;
	else
		unlist(t);
}

static bool runnable(const struct thread *t)
{
	return t->state == SYS_THREAD_READY && !t->suspended;
}

/* The running thread leaves the CPU; it goes to a run queue if it still wants to run. */
static void put_current(struct thread *t, u32 now, bool front)
{
	cpu.current = NULL;
	sched_account(t, now);
	if (runnable(t))
		enqueue(t, front);
	if (likely(t->object.refs > 1 || t->object.caps))
		t->object.refs--;
	else
		object_unref(&t->object);
}

void sched_yield(void)
{
	struct thread *t = cpu.current;

	if (t) {
		u32 now = (u32)arch_cycles();

		sched_account(t, now);
		t->slice_from = t->cpu_time;
		put_current(t, now, false);
	}
	cpu.resched = true;
}

/* ---- timers ---------------------------------------------------------------------------------------------------------------------- */

static struct timer *timer_at(struct avl_node *n) { return container_of(n, struct timer, node); }

void timer_arm(struct timer *t, i64 when)
{
	struct avl_node **link = &cpu.timers.root, *parent = NULL;

	t->when = when;
	while (*link) {
		parent = *link;
		link = when < timer_at(parent)->when ? &parent->left : &parent->right;
	}
	avl_insert(&cpu.timers, &t->node, parent, link);
	if (when < cpu.timer_at) {
		cpu.timer_at = when;
		arch_timer_set(when);
	}
}

void timer_disarm(struct timer *t)
{
	avl_remove(&cpu.timers, &t->node);
}

/* Ends the waits whose deadline has passed: a bounded number, the rest at the next way out. */
static void run_timers(i64 now)
{
	for (unsigned n = 0; n < 16; n++) {
		struct avl_node *first = avl_first(&cpu.timers);

		if (!first || timer_at(first)->when > now)
			return;
		thread_complete(container_of(timer_at(first), struct thread, timer), SYS_ERR_TIMED_OUT);
	}
}

/* Sets the machine's timer for the next deadline or, while a thread runs, the next tick. */
static void set_timer(i64 now)
{
	struct avl_node *first = avl_first(&cpu.timers);
	i64 when = first ? timer_at(first)->when : INT64_MAX;

	if (cpu.current || best_ready())
		when = MIN(when, now + QUANTUM);
	cpu.timer_at = when;
	arch_timer_set(when);
}

/* It has had the CPU for a quantum, however often it was interrupted by its betters meanwhile. */
static bool slice_used(const struct thread *t)
{
	return arch_cycles_to_ns(t->cpu_time - t->slice_from) >= QUANTUM;
}

/* Its slice is over: it goes behind its equals, also when it is a better one that takes the CPU now, and has a fresh one. */
static void rotate(struct thread *t)
{
	const struct thread *other = best_ready();

	t->slice_from = t->cpu_time;
	if (other && other->priority >= t->priority)
		sched_yield();
}

/* Steps of destruction per tick: a deleter that was killed in the middle leaves its work to the clock. */
#define TICK_REAP 4u

static void tick(void)
{
	i64 now = arch_now();

	if (cpu.current)
		sched_account(cpu.current, (u32)arch_cycles());
	run_timers(now);
	if (cpu.current && slice_used(cpu.current))
		rotate(cpu.current);
	for (unsigned n = 0; n < TICK_REAP && object_reap_step(NULL); n++)
		;
	set_timer(now);
}

static void interrupts(unsigned pending)
{
	if (pending & ARCH_PENDING_TIMER)
		tick();
	if ((pending & ARCH_PENDING_CONSOLE) && sched_console_hook)
		sched_console_hook();
}

/* ---- the way out ----------------------------------------------------------------------------------------------------------------- */

/* Nobody wants the CPU: take memory apart, else sleep. */
static void idle(void)
{
	if (object_reap_step(NULL))
		return;
	set_timer(arch_now());
	arch_idle();
}

/* The best of those that are ready gets the CPU, unless it has it. */
static void pick(void)
{
	struct thread *t = cpu.current, *best = best_ready();
	u32 now;

	cpu.resched = false;
	if (t && runnable(t) && (!best || best->priority <= t->priority))
		return;
	now = (u32)arch_cycles();
	cpu.since = t ? cpu.since : now;
	if (t)
		put_current(t, now, true);
	if (!best)
		return idle();
	sched_dequeue(best);
	object_ref(&best->object);
	best->switches++;
	cpu.current = best;
	if (unlikely(cpu.timer_at == INT64_MAX))
		set_timer(arch_now());
}

struct thread *sched_next(void)
{
	for (;;) {
		if (unlikely(arch_is_pending()))
			interrupts(arch_take_pending());
		if (cpu.resched || !cpu.current) {
			pick();
			if (!cpu.current)
				continue;
		}
		DEBUG_ASSERT(runnable(cpu.current) || cpu.resched);
		if (likely(!cpu.current->finish) || thread_hooks.finish(cpu.current))
			if (likely(!cpu.resched))
				return cpu.current;
	}
}

void sched_check(void)
{
	ASSERT(!cpu.next || (runnable(cpu.next) && cpu.next != cpu.current && !list_on(&cpu.next->run)));
	ASSERT(!cpu.next || !cpu.ready_words || best_listed()->priority <= cpu.next->priority);
	for (unsigned p = 0; p < PRIORITIES; p++) {
		bool marked = cpu.ready_mask[p / 64] >> (p % 64) & 1;

		ASSERT(marked == !list_empty(&cpu.ready[p]));
		ASSERT((cpu.ready_words >> (p / 64) & 1) == (cpu.ready_mask[p / 64] != 0));
		list_each(link, &cpu.ready[p]) {
			struct thread *t = container_of(link, struct thread, run);

			ASSERT(t->priority == p && t->state == SYS_THREAD_READY && !t->suspended && t != cpu.current);
		}
	}
}
