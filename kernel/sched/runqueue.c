/* SPDX-License-Identifier: BSD-2-Clause */
/* runqueue.c: see runqueue.h. Lock: the kernel lock. */
#include "sched/runqueue.h"

#include "lib/assert.h"

BOOT void runqueue_init(struct cpu *c)
{
	for (unsigned p = 0; p < PRIORITIES; p++)
		list_init(&c->ready[p]);
}

static struct thread *at_head(const struct cpu *c, unsigned priority)
{
	return container_of(c->ready[priority].next, struct thread, run);
}

/* The first of the highest priority below `below` on the lists, or NULL. */
static struct thread *listed_below(const struct cpu *c, unsigned below)
{
	for (int word = (int)(below - 1) / 64; below && word >= 0; word--) {
		u64 mask = c->ready_mask[word];

		if (below < (unsigned)(word + 1) * 64)
			mask &= (1ull << below % 64) - 1;
		if (mask)
			return at_head(c, (unsigned)word * 64 + 63 - (unsigned)__builtin_clzll(mask));
	}
	return NULL;
}

struct thread *runqueue_first_listed(const struct cpu *c)
{
	return c->ready_words ? listed_below(c, PRIORITIES) : NULL;
}

struct thread *runqueue_behind(const struct cpu *c, const struct thread *t)
{
	if (t == c->next)
		return runqueue_first_listed(c);
	if (t->run.next != &c->ready[t->priority])
		return container_of(t->run.next, struct thread, run);
	return listed_below(c, t->priority);
}

static void put_listed(struct cpu *c, struct thread *t, bool front)
{
	struct list *queue = &c->ready[t->priority];

	if (front)
		list_push(queue, &t->run);
	else
		list_append(queue, &t->run);
	c->ready_mask[t->priority / 64] |= 1ull << (t->priority % 64);
	c->ready_words |= 1u << (t->priority / 64);
}

/* Does t come before all that wait? */
static bool comes_first(const struct cpu *c, const struct thread *t, bool front)
{
	const struct thread *first = runqueue_first(c);

	return !first || t->priority > first->priority || (front && t->priority == first->priority);
}

void runqueue_put_among(struct cpu *c, struct thread *t, bool front)
{
	if (!comes_first(c, t, front))
		return put_listed(c, t, front);
	if (c->next)
		put_listed(c, c->next, true);
	c->next = t;
}

void runqueue_take_listed(struct cpu *c, struct thread *t)
{
	u64 *mask = &c->ready_mask[t->priority / 64];

	list_remove(&t->run);
	if (!list_empty(&c->ready[t->priority]))
		return;
	*mask &= ~(1ull << (t->priority % 64));
	if (!*mask)
		c->ready_words &= ~(1u << (t->priority / 64));
}

void runqueue_check(const struct cpu *c, void (*check)(const struct cpu *, const struct thread *))
{
	if (c->next) {
		ASSERT(!list_on(&c->next->run) && (!c->ready_words || runqueue_first_listed(c)->priority <= c->next->priority));
		check(c, c->next);
	}
	for (unsigned p = 0; p < PRIORITIES; p++) {
		ASSERT((c->ready_mask[p / 64] >> (p % 64) & 1) == !list_empty(&c->ready[p]));
		ASSERT((c->ready_words >> (p / 64) & 1) == (c->ready_mask[p / 64] != 0));
		list_each(link, &c->ready[p]) {
			const struct thread *t = container_of(link, struct thread, run);

			ASSERT(t->priority == p);
			check(c, t);
		}
	}
}
