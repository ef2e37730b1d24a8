/* SPDX-License-Identifier: BSD-2-Clause */
/* sched.h: who runs: fixed priorities, round robin among equals, one CPU. And the one queue of deadlines.
 *
 * The running thread is on no run queue. A tick comes at least every QUANTUM while a thread runs; a thread that had the CPU over a whole tick goes behind its
 * equals, so a slice is one to two quanta and a switch need not touch the timer. Lock: the kernel lock.
 */
#pragma once
#include "sched/thread.h"

#define QUANTUM 5000000ll               /* nanoseconds */

struct cpu {
	struct thread *current;         /* NULL: idle */
	bool resched;                   /* look for a better thread before leaving */
	bool ticked;                    /* current has had the CPU since before the last tick */
	i64 timer_at;                   /* what the machine's timer is set to */
	u64 ready_mask[PRIORITIES / 64];
	struct list ready[PRIORITIES];
	struct avl_tree timers;
};
extern struct cpu cpu;

void sched_init(void);
void sched_enqueue(struct thread *t);   /* READY, not running, not suspended: at the end of its priority */
void sched_dequeue(struct thread *t);
void sched_yield(void);                 /* the running thread goes behind its equals */
/* The thread to leave into, already current, finish done; runs interrupts' work, reaps and idles meanwhile. */
struct thread *sched_next(void);

/* What the running thread's entry leaves into: itself, unless something came up. */
static inline struct thread *sched_leave(struct thread *t)
{
	if (likely(!cpu.resched && !t->finish && !arch_is_pending()))
		return t;
	return sched_next();
}

/* The running thread `from` waits from now on; `to`, which is ready and of no lower priority, runs at once and passes by the queues.
 * Returns the time. */
static inline u64 sched_switch(struct thread *from, struct thread *to)
{
	u64 now = arch_cycles();

	from->cpu_time += now - from->since;
	from->object.refs--;            /* the CPU's reference (sched.c); capabilities keep it */
	to->object.refs++;
	to->since = now;
	to->switches++;
	cpu.current = to;
	cpu.ticked = false;
	return now;
}

void timer_arm(struct timer *t, i64 when);
void timer_disarm(struct timer *t);
void sched_check(void);

/* Work at interrupts that the layer above does: console input came. */
extern void (*sched_console_hook)(void);
