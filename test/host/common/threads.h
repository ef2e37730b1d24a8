/* SPDX-License-Identifier: BSD-2-Clause */
/* threads.h: threads as the machine and the dispatcher would drive them, for host tests: each actor's program is
 * the test itself.
 *
 * A call is made with its arguments in the registers that vellum/syscalls.def says; a call that is to be made again
 * (VM_AGAIN, woken without a completion, resumed) is made again when the actor next goes on. No actor has the CPU
 * between two calls. */
#pragma once
#include "common/kernel.h"
#include "sched/sched.h"

struct actor {
	struct thread *t;
	bool held;                      /* the test itself counts as a capability to t: until it gets a real one */
	u16 accept;                     /* capabilities that its receives and calls take */
	vaddr_t memory;                 /* its message's place; 0: none (as a wild pointer) */
	int (*call)(struct actor *);    /* what it is in the middle of, and the arguments */
	struct endpoint *ep;
	struct reply *reply;
	struct notification *ntfn;
	struct pager *pager;
	u64 count;                      /* of requests that its pager_recv takes */
	u64 badge;
	i64 deadline;
	vaddr_t word;                   /* a futex, and what is expected there */
	u32 expected;
};

enum { BLOCKED = 1000, GONE = 1001 };   /* besides statuses */

/* A started thread; space NULL: one of its own; cspace may be NULL. At most ACTORS. */
#define ACTORS 64u
struct actor *actor_new(struct account *a, struct space *space, struct cnode *cspace, u8 priority);
/* Gives the thread a capability in c, below parent, instead of the test's own hold. */
struct slot *actor_name(struct actor *x, struct cnode *c, struct slot *parent);
/* The test does not look at it any more; without a capability the thread ends. */
void actor_drop(struct actor *x);
void actors_forget(void);               /* all of them are gone */

/* Readable and writable memory of x, from x->memory on. */
void actor_memory(struct actor *x, u64 pages);
void actor_write(struct actor *x, vaddr_t at, const void *from, u64 size);
void actor_read(struct actor *x, vaddr_t at, void *to, u64 size);
bool actor_can_read(struct actor *x, vaddr_t at);

/* What the next send, call or reply says: into registers and, words from the fifth on and capabilities, to
 * x->memory. */
void actor_says(struct actor *x, const sys_msg_t *m);
/* One word. */
void actor_word(struct actor *x, u64 label, u64 word);
/* What came, as libsys reads it. */
void actor_hears(struct actor *x, sys_msg_t *m, u64 *badge);

/* Calls: a status, BLOCKED (it waits, or is suspended), or GONE (its thread has exited). */
int actor_send(struct actor *x, struct endpoint *ep, u64 badge, i64 deadline);
int actor_call(struct actor *x, struct endpoint *ep, u64 badge, i64 deadline);
int actor_recv(struct actor *x, struct endpoint *ep, struct reply *reply, i64 deadline);
int actor_reply(struct actor *x, struct reply *reply);
int actor_wait(struct actor *x, struct notification *n, i64 deadline);
/* Requests come to x->memory. */
int actor_pager_recv(struct actor *x, struct pager *p, u64 count, i64 deadline);
int actor_futex(struct actor *x, vaddr_t word, u32 expected, i64 deadline);
/* A page fault that the memory system gave up on; SYS_OK: resumed. */
int actor_fault(struct actor *x, u64 address, i64 code);
/* The same with these words. */
int actor_fault_words(struct actor *x, const u64 word[4], i64 code);
/* Touches its memory once: an access, resolved, waiting for its page, or a fault. */
void actor_touches(struct actor *x, vaddr_t at, unsigned access);
/* Lets it run until it is in user mode again or waits: the outcome of its last call. */
int actor_goes_on(struct actor *x);

/* Time passes; whatever is due is done. */
void time_pass(i64 to);
/* The walkers of threads and of the scheduler. */
void actors_check(void);
