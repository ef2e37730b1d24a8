/* SPDX-License-Identifier: BSD-2-Clause */
/* pqueue.c: waiters by priority, then arrival. The lock is the owner's.
 *
 *     leaders:  L(200) ------------------- L(10)          first of each priority, highest first
 *     all:      L(200) - b(200) - c(200) - L(10) - e(10)
 *
 * A node that stands alone may do without being a leader (pqueue_insert_alone); the second one to come makes it one.
 */
#include "lib/pqueue.h"

/* A node begins as a queue does: with its place among all, then its place among leaders. So what follows a node in
 * `all` can be asked for its second link before it is known to be a node or the head. */
_Static_assert(offsetof(struct pqueue, all) == offsetof(struct pqueue_node, all), "heads and nodes alike");
_Static_assert(offsetof(struct pqueue, leaders) == offsetof(struct pqueue_node, leader), "heads and nodes alike");

static struct list *leader_link(struct list *all) { return &container_of(all, struct pqueue, all)->leaders; }
static struct pqueue_node *leader_at(struct list *l) { return container_of(l, struct pqueue_node, leader); }

void pqueue_init(struct pqueue *q)
{
	list_init(&q->all);
	list_init(&q->leaders);
}

void pqueue_node_init(struct pqueue_node *n)
{
	list_init(&n->all);
	list_init(&n->leader);
}

void pqueue_insert_among(struct pqueue *q, struct pqueue_node *n, u8 priority)
{
	struct list *at;

	n->priority = priority;
	if (list_empty(&q->leaders))
		list_append(&q->leaders, &pqueue_first(q)->leader);
	at = q->leaders.next;
	while (at != &q->leaders && leader_at(at)->priority > priority)
		at = at->next;
	if (at != &q->leaders && leader_at(at)->priority == priority)
		at = at->next;                          /* behind the last of its own */
	else
		list_append(at, &n->leader);            /* the first of its priority, before the next lower one */
	list_append(at == &q->leaders ? &q->all : &leader_at(at)->all, &n->all);
}

/* A leader goes: the next of its priority takes its place. */
void pqueue_resign(struct pqueue_node *n)
{
	struct list *heir = leader_link(n->all.next);

	if (!list_on(heir))                     /* neither the next leader nor the head, whose list holds at least n */
		list_insert_after(&n->leader, heir);
	list_remove(&n->leader);
}
