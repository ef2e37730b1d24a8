/* SPDX-License-Identifier: BSD-2-Clause */
/* list.h: circular doubly linked lists with the links inside the members. A head is a link; a link that is on no list points to
 * itself, so removing it again is harmless and list_on() tells. Every operation is O(1). The lock is the list owner's. */
#pragma once
#include "lib/types.h"

struct list { struct list *next, *prev; };

#define LIST_INIT(name) { &(name), &(name) }

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_on(const struct list *l) { return l->next != l; }
static inline bool list_empty(const struct list *head) { return head->next == head; }

static inline void list_insert_after(struct list *at, struct list *l)
{
	l->prev = at;
	l->next = at->next;
	at->next->prev = l;
	at->next = l;
}

static inline void list_push(struct list *head, struct list *l) { list_insert_after(head, l); }
static inline void list_append(struct list *head, struct list *l) { list_insert_after(head->prev, l); }

static inline void list_remove(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

#define list_first(head, type, member) (list_empty(head) ? NULL : container_of((head)->next, type, member))
#define list_each(pos, head) for (struct list *pos = (head)->next; pos != (head); pos = pos->next)
