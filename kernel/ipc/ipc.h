/* SPDX-License-Identifier: BSD-2-Clause */
/* ipc.h: synchronous endpoints, reply objects, notifications, and faults as messages.
 *
 * A message lives in its sender: label, header and four words in the registers that it came with, more words and the names of capabilities in the thread object. At the
 * hand-over all passes into the receiver's registers and thread object, and capabilities move from CSpace to CSpace; only the receiver's own copy-out
 * to its memory, done when it runs next, can wait for a page. Nothing is allocated. No entry waits for another thread's memory (decision 5).
 *
 * An endpoint that has lost its last RECV capability can never get one back: it ends at once (object_end), whoever still names it gets PEER_CLOSED.
 * Lock: the kernel lock.
 */
#pragma once
#include "sched/sched.h"
#include "vm/source.h"

/* The header word of a message in registers (syscalls.def). */
static inline u32 header_words(u64 h) { return (u32)h; }
static inline u32 header_caps(u64 h) { return (u32)(h >> 32) & 0xffff; }
static inline u32 header_accept(u64 h) { return (u32)(h >> 48); }
static inline u64 header_make(u32 words, u32 caps) { return words | (u64)caps << 32; }

#define REGISTER_WORDS 4u               /* of a message, that travel in registers */
#define MESSAGE_REST (offsetof(sys_msg_t, word) + REGISTER_WORDS * sizeof(u64))         /* where the others stand in its memory */

/* As many of a message's first four words as there are: those behind them are not the receiver's to see. */
static inline void message_copy_registers(struct regs *to, const u64 *word, u32 words)
{
	if (words == 0)
		return;
	to->r12 = word[0];
	if (words > 1)
		to->r13 = word[1];
	if (words > 2)
		to->r14 = word[2];
	if (words > 3)
		to->r15 = word[3];
}

enum queue_kind { QUEUE_THREAD, QUEUE_PAGER };          /* pqueue_node.kind on an endpoint's list of senders: a thread's is 0 always */

struct endpoint {
	struct object object;           /* extra: capabilities with RECV that name it */
	struct pqueue senders;          /* threads in WAIT_SEND, WAIT_CALL, WAIT_FAULT; pagers with requests */
	struct pqueue receivers;        /* threads in WAIT_RECV */
	struct list fault_threads;      /* whose faults come here */
	struct list pagers;             /* bound to it */
	struct watch_list watches;      /* ABANDONED */
};

struct reply {
	struct object object;
	struct thread *caller;          /* waits for this reply; its t->reply is this */
	struct thread *receiver;        /* offers this in a recv that waits; its t->reply is this */
};

struct notification {
	struct object object;
	u64 bits;
	struct pqueue waiters;          /* threads in WAIT_NOTIFICATION */
	struct thread *bound;           /* weak: its t->bound is this */
	struct list watches;            /* that signal it */
};

extern const struct object_type endpoint_type, reply_type, notification_type;

/* All of these are called by the syscall layer with arguments checked for type and right only; they return a status, VM_AGAIN, CALL_BLOCKED or CALL_DONE. */
int ipc_send(struct thread *t, struct endpoint *ep, u64 badge, vaddr_t msg, i64 deadline, bool call);
int ipc_recv(struct thread *t, struct endpoint *ep, struct reply *reply, i64 deadline);  /* the message goes to what rsi says */
int ipc_reply(struct thread *t, struct reply *reply, vaddr_t msg);
/* Delivers t's fault (label, words) to its fault endpoint; without one the thread ends with `code`. The thread waits or has exited afterwards. */
void ipc_fault(struct thread *t, u64 label, const u64 *word, u32 words, i64 code);

/* The first of those who wait there is told that its peer has closed. False: nobody waited. */
bool ipc_close_step(struct pqueue *q);
void endpoint_init(struct endpoint *e);
void notification_init(struct notification *n);
void notification_signal(struct notification *n, u64 bits);
int notification_wait(struct thread *t, struct notification *n, i64 deadline);
/* t, where it receives messages, gets n's bits as one (notification.c). BAD_STATE: one of them is bound already, or t has exited. */
sys_status_t notification_bind(struct thread *t, struct notification *n);
void notification_unbind(struct thread *t);             /* harmless where nothing is bound */

/* A pager is bound to its endpoint for life. */
void ipc_bind_pager(struct pager *p, struct endpoint *ep, u64 badge);
int ipc_pager_recv(struct thread *t, struct pager *p, vaddr_t buf, u64 count, i64 deadline);
void ipc_set_fault_endpoint(struct thread *t, struct endpoint *ep, u64 badge);  /* NULL: none */

/* Capabilities in messages are the cap layer's: set at boot. */
struct ipc_hooks {
	/* The names are t's and may be granted: SYS_OK, BAD_CAP, ACCESS_DENIED. */
	sys_status_t (*caps_check)(struct thread *t, const sys_cap_t *name, u32 count);
	/* Moves them: names are looked up again in `from`, new names put into to->cap. Nothing moves on BAD_CAP, ACCESS_DENIED, NO_SLOT, INVALID_ARGS. */
	sys_status_t (*caps_move)(struct thread *from, struct thread *to, u32 count);
	void (*cspace_left)(struct thread *t);
};
extern struct ipc_hooks ipc_hooks;
void ipc_boot(void);
void endpoint_check(const struct endpoint *e);
void notification_check(const struct notification *n);
