/* SPDX-License-Identifier: BSD-2-Clause */
/* runqueue.h: the threads that wait for one CPU: a list for each priority, a bit for each list that is not empty, and `cpu.next`, which stands before them
 * all. All is O(1). Lock: the kernel lock. */
#pragma once
#include "sched/sched.h"

void runqueue_init(struct cpu *c);
/* Among the others (runqueue.c): where the place before all is taken, or not to be had. */
void runqueue_put_among(struct cpu *c, struct thread *t, bool front);
void runqueue_take_listed(struct cpu *c, struct thread *t);
struct thread *runqueue_first_listed(const struct cpu *c);

/* Highest priority, then who came first; NULL: none. */
static inline struct thread *runqueue_first(const struct cpu *c)
{
	return c->next || likely(!c->ready_words) ? c->next : runqueue_first_listed(c);
}

/* At the end of its priority, or at its front. */
static inline void runqueue_put(struct cpu *c, struct thread *t, bool front)
{
	if (likely(!c->next && !c->ready_words))
		c->next = t;
	else
		runqueue_put_among(c, t, front);
}

static inline void runqueue_take(struct cpu *c, struct thread *t)
{
	if (likely(t == c->next))
		c->next = NULL;
	else
		runqueue_take_listed(c, t);
}

struct thread *runqueue_behind(const struct cpu *c, const struct thread *t);            /* who follows in that order, or NULL */
/* Walker: masks and lists agree; calls check for each thread. */
void runqueue_check(const struct cpu *c, void (*check)(const struct cpu *, const struct thread *));
