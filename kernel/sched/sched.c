/* SPDX-License-Identifier: BSD-2-Clause */
/* sched.c: which thread gets which CPU, the timer queues, and the way out of the kernel. See sched.h. Lock: the kernel lock. */
#include "sched/sched.h"

#include "lib/assert.h"
#include "sched/runqueue.h"
#include "sched/trace.h"

void (*sched_console_hook)(void);
static bool several;                    /* CPUs; or as if there were */

static void fired(void);

BOOT void sched_init(void)
{
	watch_hooks.fired = fired;
	sched_long_way(false);
	for (unsigned n = 0; n < arch_cpus(); n++) {
		struct cpu *c = cpu_at(n);

		*c = (struct cpu){ .self = c, .number = n, .timer_at = INT64_MAX };
		runqueue_init(c);
	}
}

void sched_long_way(bool on) { several = on || arch_cpus() > 1; }

u64 sched_cpus(void)
{
	return arch_cpus() == 64 ? ~0ull : (1ull << arch_cpus()) - 1;
}

static bool runnable(const struct thread *t)
{
	return t->state == SYS_THREAD_READY && !t->suspended;
}

static bool allowed(const struct thread *t, const struct cpu *c)
{
	return t->affinity >> c->number & 1;
}

/* ---- which CPU -------------------------------------------------------------------------------------------------------------------- */

/* The priority of the best that c has or is about to have; -1: none. */
static int level(const struct cpu *c)
{
	const struct thread *first = runqueue_first(c), *t = c->current;
	int running = t && runnable(t) && allowed(t, c) ? t->priority : -1;

	return first ? MAX(running, (int)first->priority) : running;
}

/* Where t, which is ready, stands from now on: where it runs at once, its last CPU before others; else its last CPU, or the least of those it may use. */
static struct cpu *choose(const struct thread *t)
{
	struct cpu *home = t->cpu, *best = allowed(t, home) ? home : NULL;
	int least = best ? level(best) : (int)PRIORITIES;

	for (unsigned n = 0; n < arch_cpus() && least >= 0; n++) {
		struct cpu *c = cpu_at(n);

		if (allowed(t, c) && level(c) < least) {
			best = c;
			least = level(c);
		}
	}
	return allowed(t, home) && least >= t->priority ? home : best;
}

/* Another thread may be the one to run on c now. */
static void look_again(struct cpu *c)
{
	c->resched = true;
	if (c != my_cpu->self)
		arch_cpu_kick(c->number);
}

/* Does t come before what c runs? */
static bool takes_over(const struct cpu *c, const struct thread *t)
{
	return !c->current || t->priority > c->current->priority;
}

static void enqueue(struct thread *t, bool front)
{
	DEBUG_ASSERT(runnable(t) && !sched_queued(t) && !sched_running(t));
	if (unlikely(several))
		t->cpu = choose(t);
	runqueue_put(t->cpu, t, front);
}

static __attribute__((noinline)) void enqueue_among(struct thread *t)
{
	enqueue(t, false);
	if (takes_over(t->cpu, t))
		look_again(t->cpu);
}

/* Nearly always nobody else waits. */
void sched_enqueue(struct thread *t)
{
	struct cpu *c = t->cpu;

	if (unlikely(several || c->next || c->ready_words))
		return enqueue_among(t);
	DEBUG_ASSERT(runnable(t) && !sched_queued(t) && !sched_running(t));
	c->next = t;
	if (takes_over(c, t))
		c->resched = true;
}

void sched_dequeue(struct thread *t)
{
	runqueue_take(t->cpu, t);
}

/* The best thread that waits for another CPU, may use this one and matters more than `than`; NULL: none. It looks at LOOK threads of each at most: what
 * stands behind so many that are bound to their CPU has its turn there. */
#define LOOK 16u
static struct thread *best_elsewhere(int than)
{
	struct thread *best = NULL;

	for (unsigned n = 0; n < arch_cpus(); n++) {
		const struct cpu *c = cpu_at(n);
		struct thread *t = runqueue_first(c);

		for (unsigned i = 0; c != my_cpu->self && t && t->priority > than && i < LOOK; i++, t = runqueue_behind(c, t))
			if (allowed(t, my_cpu->self)) {
				best = t;
				than = t->priority;
				break;
			}
	}
	return best;
}

/* Takes a thread that waits elsewhere onto this CPU's queue, if one matters more than `than`. */
static void pull(int than)
{
	struct thread *t = best_elsewhere(than);

	if (!t)
		return;
	sched_dequeue(t);
	t->cpu = my_cpu->self;
	runqueue_put(t->cpu, t, false);
}

/* The first that waits here now that this CPU has its choice: it may have been about to run. Where it would run elsewhere, it goes there. */
static void push(void)
{
	struct thread *t = runqueue_first(my_cpu->self);

	if (!t || choose(t) == my_cpu->self)
		return;
	sched_dequeue(t);
	sched_enqueue(t);
}

/* ---- leaving a CPU ---------------------------------------------------------------------------------------------------------------- */

static void unref(struct thread *t)
{
	if (likely(t->object.refs > 1 || t->object.caps))
		t->object.refs--;
	else
		object_unref(&t->object);
}

/* The running thread leaves the CPU; it goes to a run queue if it still wants to run. */
static void put_current(struct thread *t, u32 now, bool front)
{
	my_cpu->current = NULL;
	sched_account(t, now);
	if (runnable(t))
		enqueue(t, front);
	if (unlikely(t->cpu != my_cpu->self) && takes_over(t->cpu, t))
		look_again(t->cpu);
	unref(t);
}

/* What it ran stays behind as a thread that is on no CPU and no queue; an exception that it had just taken is delivered, unless it ended. */
static void stop_elsewhere(struct cpu *c, struct thread *t)
{
	unsigned vector = arch_cpu_stop(c->number);

	t->cpu_time += (u32)arch_cycles() - c->since;
	c->current = NULL;
	c->resched = true;
	if (vector && t->state == SYS_THREAD_READY)
		thread_hooks.trapped(t, vector);
	unref(t);
}

void sched_stop(struct thread *t)
{
	struct cpu *c = t->cpu;

	if (c->current != t)
		return;
	if (c == my_cpu->self)
		my_cpu->resched = true;
	else
		stop_elsewhere(c, t);
}

void sched_go_on(struct thread *t)
{
	if (runnable(t) && !sched_queued(t) && !sched_running(t))
		sched_enqueue(t);
}

void sched_reconsider(struct thread *t)
{
	struct cpu *c = t->cpu;

	if (c->current != t)
		return;
	if (allowed(t, c) || c == my_cpu->self)
		return look_again(c);
	sched_stop(t);
	sched_go_on(t);
}

void sched_yield(void)
{
	struct thread *t = my_cpu->current;

	if (t) {
		u32 now = (u32)arch_cycles();

		sched_account(t, now);
		t->slice_from = t->cpu_time;
		put_current(t, now, false);
	}
	my_cpu->resched = true;
}

/* ---- timers ---------------------------------------------------------------------------------------------------------------------- */

static const struct timer *timer_at(const struct avl_node *n) { return container_of(n, struct timer, node); }
static bool before(const struct avl_node *a, const struct avl_node *b) { return timer_at(a)->when < timer_at(b)->when; }

void timer_arm(struct timer *t, i64 when)
{
	struct cpu *c = my_cpu->self;

	t->when = when;
	t->cpu = c;
	avl_insert(&c->timers, &t->node, before);
	if (when < c->timer_at) {
		c->timer_at = when;
		arch_timer_set(when);
	}
}

/* The alarm may ring for nothing then. */
void timer_disarm(struct timer *t)
{
	avl_remove(&t->cpu->timers, &t->node);
}

/* Ends the waits whose deadline has passed: a bounded number, the rest at the next way out. */
static void run_timers(i64 now)
{
	for (unsigned n = 0; n < 16; n++) {
		struct avl_node *first = avl_first(&my_cpu->self->timers);

		if (!first || timer_at(first)->when > now)
			return;
		thread_timed_out(container_of(timer_at(first), struct thread, timer));
	}
}

/* So many watches are told in one entry; the rest after so many nanoseconds, or by whoever has the time. */
#define TELLS      16u
#define TELL_AGAIN 50000ll

/* Sets this CPU's timer for the next deadline or, while a thread runs, the next tick. */
static void set_timer(i64 now)
{
	struct cpu *c = my_cpu->self;
	struct avl_node *first = avl_first(&c->timers);
	i64 when = first ? timer_at(first)->when : INT64_MAX;

	if (c->current || runqueue_first(c))
		when = MIN(when, now + (c->tell ? TELL_AGAIN : QUANTUM));
	c->timer_at = when;
	arch_timer_set(when);
}

/* It has had the CPU for a quantum, however often it was interrupted by its betters meanwhile. */
static bool slice_used(const struct thread *t)
{
	return arch_cycles_to_ns(t->cpu_time - t->slice_from) >= QUANTUM;
}

/* A thread of at least t's priority waits for this CPU. */
static bool equal_waits(const struct thread *t)
{
	const struct thread *first = runqueue_first(my_cpu->self);

	return first && first->priority >= t->priority;
}

/* Its slice is over: it goes behind its equals, also when it is a better one that takes the CPU now, and has a fresh one. Where none waits here, one that
 * waits for another CPU comes. */
static void rotate(struct thread *t)
{
	t->slice_from = t->cpu_time;
	if (several && !equal_waits(t))
		pull(t->priority - 1);
	if (equal_waits(t))
		sched_yield();
}

/* A deleter that was killed in the middle leaves its work to the clock. */
static void tick(void)
{
	i64 now = arch_now();

	if (my_cpu->current)
		sched_account(my_cpu->current, (u32)arch_cycles());
	run_timers(now);
	if (my_cpu->current && slice_used(my_cpu->current))
		rotate(my_cpu->current);
	object_reap_step(NULL);         /* one: whoever the tick woke waits for it */
	my_cpu->resched |= my_cpu->tell;
	set_timer(now);
}

static void interrupts(unsigned pending)
{
	if (unlikely(trace_events))
		trace_interrupt(pending);
	if (pending & ARCH_PENDING_TIMER)
		tick();
	if ((pending & ARCH_PENDING_CONSOLE) && sched_console_hook)
		sched_console_hook();
}

/* ---- the way out ----------------------------------------------------------------------------------------------------------------- */

/* Nobody wants the CPU: take memory apart, else sleep. */
static void idle(void)
{
	if (my_cpu->tell || object_reap_step(NULL))
		return arch_breathe();
	set_timer(arch_now());
	arch_idle();
	my_cpu->timer_at = INT64_MAX;   /* the timer was set for deadlines only: whom another CPU sent needs ticks */
}

static void fired(void)
{
	my_cpu->tell = true;
	my_cpu->resched = true;
}

static void tell_watches(void)
{
	for (unsigned n = 0; n < TELLS && watch_tell_step(); n++)
		;
	my_cpu->tell = watch_pending();
	if (my_cpu->tell)
		set_timer(arch_now());
}

/* The best of those that are ready gets the CPU, unless it has it. */
static void pick(void)
{
	struct thread *t = my_cpu->current, *best;
	u32 now;

	if (unlikely(my_cpu->tell))
		tell_watches();
	my_cpu->resched = false;
	if (unlikely(several))
		pull(level(my_cpu->self));
	best = runqueue_first(my_cpu->self);
	if (t && runnable(t) && allowed(t, my_cpu->self) && (!best || best->priority <= t->priority))
		return;
	if (unlikely(trace_events))
		trace_switch(best);
	now = (u32)arch_cycles();
	my_cpu->since = t ? my_cpu->since : now;
	if (t)
		put_current(t, now, true);
	if (!best)
		return idle();
	sched_dequeue(best);
	object_ref(&best->object);
	best->switches++;
	my_cpu->current = best;
	if (unlikely(best->recorded))
		thread_write_status(best);
	if (unlikely(several))
		push();
	if (unlikely(my_cpu->timer_at == INT64_MAX))
		set_timer(arch_now());
}

/* The long way round. */
static __attribute__((noinline)) struct thread *next_of_all(void)
{
	for (;;) {
		if (unlikely(arch_is_pending()))
			interrupts(arch_take_pending());
		if (my_cpu->resched || !my_cpu->current) {
			pick();
			if (!my_cpu->current)
				continue;
		}
		DEBUG_ASSERT(runnable(my_cpu->current) || my_cpu->resched);
		if (unlikely(my_cpu->current->finish) && !thread_hooks.finish(my_cpu->current))
			arch_breathe();
		else if (likely(!my_cpu->resched))
			return my_cpu->current;
	}
}

/* Most often the running thread waits, and nothing is the matter with the one that stands before all others. A thread that waits is named, so the CPU's
 * reference is not its last. */
struct thread *sched_next(void)
{
	struct thread *t = my_cpu->current, *next = my_cpu->next;

	if (unlikely(several || my_cpu->tell || arch_is_pending() || !t || t->state != SYS_THREAD_WAITING || !next || next->finish || next->recorded))
		return next_of_all();
	my_cpu->next = NULL;
	my_cpu->resched = false;
	sched_switch(t, next);
	return next;
}

/* ---- walker ----------------------------------------------------------------------------------------------------------------------- */

static void check_queued(const struct cpu *c, const struct thread *t)
{
	ASSERT(runnable(t) && t->cpu == c && t != c->current && allowed(t, c));
}

void sched_check(void)
{
	for (unsigned n = 0; n < arch_cpus(); n++) {
		const struct cpu *c = cpu_at(n);

		ASSERT(!c->current || c->current->cpu == c);
		runqueue_check(c, check_queued);
	}
}
