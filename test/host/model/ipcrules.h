/* SPDX-License-Identifier: BSD-2-Clause */
/* ipcrules.h: what ipc.c knows of threads and messages: plain arrays, and what each call does to them.
 *
 * There are no queues: who is next is looked for among all waiting threads, by priority, then by the number of its
 * arrival. Of each CSpace it knows every slot, the order of the free ones and their next generations. */
#pragma once
#include "common/user.h"
#include "model/engine.h"

#define THREADS   9
#define ENDPOINTS 3
#define REPLIES   4
#define NTFNS     10                    /* the first two in every CSpace, the others once: they are sent about */
#define COMMON    2
#define SPACES    2                     /* CSpaces: thread i has i % SPACES */
#define SLOTS     32u
#define NONE      -1

enum wait { RUNS, SENDS, CALLS, RECEIVES, AWAITS_REPLY, AWAITS_BITS, FAULT_QUEUED, FAULT_TAKEN, DEAD };
/* What can be named. */
enum kind { FREE, ENDPOINT, REPLY, NTFN, THREAD };

struct message {                        /* word i is id * 100 + i, but a fault's are given */
	u64 id, label;
	u32 words, caps;
	sys_cap_t cap[SYS_MSG_CAPS];
	bool fault;
	u64 fault_word[4];
};
struct m_thread {
	struct thread *t;
	enum wait wait;
	bool suspended, again;          /* again: in a call that it makes anew when it runs */
	u64 call;                       /* its call's number */
	sys_cap_t name[3];              /* the call's capability arguments: endpoint, reply, notification */
	int ep, reply, ntfn;            /* what they named */
	int fault_ep, bound;            /* bound: the notification whose bits come to its receives */
	u64 priority, arrival, badge, fault_badge, accept;
	bool small;                     /* its message stays in registers (calls of four words) */
	struct message says;
	i64 deadline, status;           /* status: of its last call */
	i64 code;                       /* its exit code; before that, what a fault that nobody takes ends it with */
	bool got;                       /* its last call received: what follows */
	struct message hears;
	u64 got_badge;
	bool got_bits;                  /* a notification's: in got_badge */
};
struct m_slot { enum kind kind; int which; sys_rights_t rights; u64 badge; u32 generation; };
struct m_cspace { struct cnode *c; struct m_slot slot[SLOTS]; u32 queue[SLOTS], free; };

extern struct m_thread thread[THREADS];
extern struct m_cspace cspace[SPACES];
extern struct m_endpoint { struct endpoint *e; bool over; } endpoint[ENDPOINTS];
extern struct m_reply { struct reply *r; int caller, receiver; } reply[REPLIES];
extern struct m_ntfn { struct notification *n; u64 bits; int bound; } ntfn[NTFNS];
extern struct slot *top;                /* above all capabilities */
extern u64 arrivals;
extern i64 now;
extern bool polls;                      /* every look for an interrupt finds one */

static inline int index_of(const struct m_thread *t) { return (int)(t - thread); }
static inline struct m_cspace *cspace_of(const struct m_thread *t) { return &cspace[index_of(t) % SPACES]; }
static inline sys_cap_t m_name_at(const struct m_cspace *cs, u32 i) { return slot_name(i, cs->slot[i].generation); }
static inline bool m_past(const struct m_thread *t) { return t->deadline <= now; }
void *m_object_of(enum kind kind, int which);

/* The slot that a name names, or NULL. */
struct m_slot *m_named(struct m_cspace *cs, sys_cap_t name);
/* A new capability, in the kernel too; in another CSpace if that is full: all of them together have room. */
void m_put(struct m_cspace *cs, enum kind kind, int which, sys_rights_t rights, u64 badge);
/* Deletes all capabilities to an object that have one of these rights (0: all), in the kernel too. */
void m_delete(enum kind kind, int which, sys_rights_t rights);
void m_free(struct m_cspace *cs, struct m_slot *s);
/* What a capability argument must have: BAD_CAP, WRONG_TYPE, ACCESS_DENIED or OK. */
sys_status_t m_check(struct m_thread *t, sys_cap_t name, enum kind kind, sys_rights_t rights, struct m_slot **out);

/* The first that waits like this there. */
struct m_thread *m_first(bool (*waits)(const struct m_thread *, int), int at);
bool m_awaits_bits(const struct m_thread *t, int n);
/* It is no longer a caller that somebody may answer, nor does it offer a reply object. */
void m_leave(struct m_thread *t);
/* Its call is over with this status. */
void m_completes(struct m_thread *t, i64 status);
void m_dies(struct m_thread *t, i64 code);
void m_take_bits(struct m_thread *t, int n);
/* The notification has bits: whoever is there for them gets them. */
void m_give_bits(int n);

/* t, which runs, makes the call that its fields say; anew: again. */
void m_call(struct m_thread *t, bool anew);
/* Its arguments are good: t receives at t->ep with t->reply. */
void m_receive(struct m_thread *t);
/* t faults with what t->says says. */
void m_fault(struct m_thread *t, i64 code);

/* The last capability (an endpoint: the last to receive) went. */
void m_end_endpoint(int e);
void m_end_reply(int r);
void m_end_notification(int n);
