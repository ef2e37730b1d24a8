/* SPDX-License-Identifier: BSD-2-Clause */
/* captree.h: what capabilities.c knows of capabilities: a plain tree, in arrays, that the kernel's derivation list must
 * be after each step.
 *
 * Where destruction goes in steps the model does not know how far they got, but it knows what may go: what is below a
 * capability under revoke, and what is in a CNode or shows an object that has ended. Nothing else may. */
#pragma once
#include "common/user.h"
#include "model/engine.h"

#define PROGRAMS 5                      /* the last two share a CSpace */
#define CAPS     200
#define OBJECTS  256
#define SLOTS    64
#define PLACES   20                     /* for mappings of a page, apart from each other */
#define NONE     -1
#define MAX_GENERATION UINT32_MAX

struct m_object {
	struct object *object;          /* valid while named or mapped; NULL: the entry is free */
	enum sys_type type;
	unsigned base;                  /* names that the test itself has */
	unsigned caps, receivers;       /* capabilities to it; those with RECV */
	unsigned mappings;              /* VMO */
	u32 slots;                      /* CNode: how many, who is where, and each slot's next generation */
	int at[SLOTS];
	u32 generation[SLOTS];
	bool retired[SLOTS];
	unsigned taken, lost;           /* slots in use; retired ones */
};
struct m_cap {
	bool live, first, revoking;
	int object, parent, where;      /* where: the CNode */
	sys_rights_t rights;
	u64 badge;
	sys_cap_t name;
	struct slot *slot;
	u32 seen;
};
struct m_place { bool live; int object, parent; u32 seen; };
struct program {
	struct thread *t;
	struct space *space;
	vaddr_t memory;
	int home;                       /* its CSpace, among the objects */
	enum { ACTS, RECEIVES, SENDS } waits;
	int ep;                         /* there */
	u64 number, arg[6];             /* its call */
	u32 count;                      /* capabilities that it sends, or accepts */
	sys_cap_t sent[SYS_MSG_CAPS];
	sys_cap_t source;               /* it is making so many copies of this, and revokes them then */
	u32 copies;
};

extern struct m_object object[OBJECTS];
extern struct m_cap cap[CAPS];
extern struct m_place place[PLACES];
extern struct program program[PROGRAMS];
extern struct space *shown;             /* where mappings are made */

/* Empties the model. */
void tree_start(void);
int object_add(struct object *o, enum sys_type type, u32 slots);
static inline struct cnode *cnode_at(int where) { return (struct cnode *)object[where].object; }
static inline bool ended(int i) { return object_dying(object[i].object); }

/* A capability comes into a slot, or leaves its slot. */
void cap_place(int c, int where, struct slot *s);
void cap_unplace(int c);
int cap_add(int where, struct slot *s, int of, int parent, bool first);
/* c is gone from the kernel's list, and what was below it too if it was under revoke: from the model as well. */
void cap_deleted(int c);
void place_remove(int i);
int caps_live(void);
/* The capability that a name names, or NONE. */
int cap_named(int where, sys_cap_t name);
/* Something stands below it. */
bool cap_derived(int c);

/* What the kernel has lost, the model loses too, if it may go; then all must be the same. */
void compare_all(void);
