/* SPDX-License-Identifier: BSD-2-Clause */
/* pqueue.h: waiters by priority (255 first), then arrival. One list of all in order, and one of the first of each priority; so the first is
 * found at once and insertion passes at most 256 leaders, however many wait. The lock is the owner's. */
#pragma once
#include "lib/list.h"

struct pqueue { struct list all, leaders; };
struct pqueue_node { struct list all, leader; u8 priority; u8 kind; };   /* kind: the owner's, to tell what waits */

void pqueue_init(struct pqueue *q);
void pqueue_node_init(struct pqueue_node *n);
void pqueue_insert_among(struct pqueue *q, struct pqueue_node *n, u8 priority);         /* pqueue.c: into a queue that is not empty */
void pqueue_resign(struct pqueue_node *n);              /* pqueue.c: a leader goes */
/* Harmless when it is on none. */
static inline void pqueue_remove(struct pqueue_node *n)
{
	if (unlikely(list_on(&n->leader)))
		pqueue_resign(n);
	list_remove(&n->all);
}
static inline bool pqueue_empty(const struct pqueue *q) { return list_empty(&q->all); }
static inline bool pqueue_on(const struct pqueue_node *n) { return list_on(&n->all); }
static inline struct pqueue_node *pqueue_first(const struct pqueue *q)
{
	return list_empty(&q->all) ? NULL : container_of(q->all.next, struct pqueue_node, all);
}
/* The shortcuts of the fast path: into a queue that is empty, with a node that is on none; out of one whose only node came so. */
static inline void pqueue_insert_alone(struct pqueue *q, struct pqueue_node *n, u8 priority)
{
	n->priority = priority;
	q->all = (struct list){ &n->all, &n->all };
	n->all = (struct list){ &q->all, &q->all };
}

static inline void pqueue_insert(struct pqueue *q, struct pqueue_node *n, u8 priority)
{
	if (likely(pqueue_empty(q)))
		pqueue_insert_alone(q, n, priority);
	else
		pqueue_insert_among(q, n, priority);
}

static inline bool pqueue_alone(const struct pqueue *q, const struct pqueue_node *n)
{
	return n->all.next == &q->all && list_empty(&q->leaders);
}

/* The node's own link is left as it is: nobody may look at it until it is inserted again. */
static inline void pqueue_remove_alone(struct pqueue *q)
{
	list_init(&q->all);
}
