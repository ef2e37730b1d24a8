/* SPDX-License-Identifier: BSD-2-Clause */
/* sched.h: who runs: fixed priorities, round robin among equals, one CPU. And the one queue of deadlines.
 *
 * The running thread is on no run queue. A tick comes at least every QUANTUM while a thread runs; a thread that has used up a quantum of CPU time
 * by then, in one piece or in several, goes behind its equals. So a slice is one to two quanta and a switch need not touch the timer. Lock: the kernel lock.
 */
#pragma once
#include "sched/thread.h"

#define QUANTUM 5000000ll               /* nanoseconds */

struct cpu {
	struct thread *current;         /* NULL: idle */
	bool resched;                   /* look for a better thread before leaving */
	u32 since;                      /* low half of the cycles up to which current's time is accounted; every tick does, so it never wraps */
	i64 timer_at;                   /* what the machine's timer is set to */
	struct thread *next;            /* ready, and before all on the lists: most that become ready run next, and pass by the lists */
	u64 ready_mask[PRIORITIES / 64];
	u32 ready_words;                /* bit i: ready_mask[i] is not 0 */
	struct list ready[PRIORITIES];
	struct avl_tree timers;
};
extern struct cpu cpu;

void sched_init(void);
void sched_enqueue(struct thread *t);   /* READY, not running, not suspended: at the end of its priority */
void sched_dequeue(struct thread *t);
/* It is ready and waits for the CPU. */
static inline bool sched_queued(const struct thread *t) { return t == cpu.next || list_on(&t->run); }
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

static inline void sched_account(struct thread *t, u32 now)
{
	t->cpu_time += now - cpu.since;
	cpu.since = now;
}

/* The running thread `from` waits from now on; `to`, which is ready and of no lower priority, runs at once and passes by the queues. */
static inline void sched_switch(struct thread *from, struct thread *to)
{
	sched_account(from, (u32)arch_cycles());
	from->object.refs--;            /* the CPU's reference (sched.c); capabilities keep it */
	to->object.refs++;
	to->switches++;
	cpu.current = to;
}

void timer_arm(struct timer *t, i64 when);
void timer_disarm(struct timer *t);
void sched_check(void);

/* Work at interrupts that the layer above does: console input came. */
extern void (*sched_console_hook)(void);
