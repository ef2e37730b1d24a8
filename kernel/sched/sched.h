/* SPDX-License-Identifier: BSD-2-Clause */
/* sched.h: who runs, and where: fixed priorities, round robin among equals, a run queue for each CPU. And the queues of deadlines.
 *
 * A thread that becomes ready goes to a CPU where it runs at once, if there is one that it may use: its last one, an idle one, or the one that runs
 * what matters least. Else it waits on its last CPU's queue. A CPU that looks for work takes what matters more than its own from the others' queues, so
 * none idles while a thread that may use it waits. A thread stands on one queue or runs on one CPU: `thread.cpu`, which otherwise says where it ran last.
 *
 * The running thread is on no run queue. A tick comes at least every QUANTUM while a thread runs; a thread that has used up a quantum of CPU time
 * by then, in one piece or in several, goes behind its equals. So a slice is one to two quanta and a switch need not touch the timer.
 *
 * Another CPU is only ever told to look again (its `resched`, and a kick), or stopped: then it is in the kernel and waits for the lock, and what
 * it ran is a thread like any other (sched_stop). Lock: the kernel lock, for all CPUs' blocks; docs/smp.md.
 */
#pragma once
#include "sched/thread.h"

#define QUANTUM 5000000ll               /* nanoseconds */

struct cpu {
	struct thread *current;         /* NULL: idle */
	bool resched;                   /* look for a better thread before leaving */
	bool tell;                      /* there are watches to tell (mem/watch.h) */
	u32 since;                      /* low half of the cycles up to which current's time is accounted; every tick does, so it never wraps */
	i64 timer_at;                   /* what the machine's timer is set to */
	struct thread *next;            /* ready, and before all on the lists: most that become ready run next, and pass by the lists */
	struct cpu *self;
	u32 number;
	u32 ready_words;                /* bit i: ready_mask[i] is not 0 */
	u64 ready_mask[PRIORITIES / 64];
	struct list ready[PRIORITIES];
	struct avl_tree timers;         /* set here */
};
_Static_assert(sizeof(struct cpu) <= ARCH_CPU_AREA_SIZE, "the machine keeps a CPU's block");
/* This CPU's block, in place; `my_cpu->self` is an ordinary pointer to it. */
#define my_cpu ARCH_THIS(struct cpu)
static inline struct cpu *cpu_at(unsigned number) { return arch_cpu_area(number); }

void sched_init(void);
/* Each switch goes the long way, past everything that looks at switches; with several CPUs it always does. */
void sched_long_way(bool on);
void sched_enqueue(struct thread *t);   /* READY, not running, not suspended: at the end of its priority */
void sched_dequeue(struct thread *t);
/* It is ready and waits for a CPU. */
static inline bool sched_queued(const struct thread *t) { return t == t->cpu->next || list_on(&t->run); }
/* It has a CPU, this one or another. */
static inline bool sched_running(const struct thread *t) { return t == t->cpu->current; }
/* t may not go on as it is: on this CPU it leaves on the way out; on another it is taken off before this returns, and all of its state is in memory. */
void sched_stop(struct thread *t);
/* After a stop: it goes on, if nothing else is the matter. */
void sched_go_on(struct thread *t);
/* Its priority or its affinity changed while it ran: its CPU looks again. */
void sched_reconsider(struct thread *t);
u64 sched_cpus(void);                   /* a bit for each CPU that takes part */
void sched_yield(void);                 /* the running thread goes behind its equals */
/* The thread to leave into, already current, finish done; runs interrupts' work, reaps and idles meanwhile. */
struct thread *sched_next(void);

/* What the running thread's entry leaves into: itself, unless something came up. */
static inline struct thread *sched_leave(struct thread *t)
{
	if (likely(!my_cpu->resched && !t->finish && !arch_is_pending()))
		return t;
	return sched_next();
}

static inline void sched_account(struct thread *t, u32 now)
{
	t->cpu_time += now - my_cpu->since;
	my_cpu->since = now;
}

/* The running thread `from` waits from now on; `to`, which is ready, of no lower priority and may run here, runs at once and passes by the queues. */
static inline void sched_switch(struct thread *from, struct thread *to)
{
	sched_account(from, (u32)arch_cycles());
	from->object.refs--;            /* the CPU's reference (sched.c); capabilities keep it */
	to->object.refs++;
	to->switches++;
	to->cpu = from->cpu;
	my_cpu->current = to;
}

void timer_arm(struct timer *t, i64 when);
void timer_disarm(struct timer *t);
void sched_check(void);

/* Work at interrupts that the layer above does: console input came. */
extern void (*sched_console_hook)(void);
