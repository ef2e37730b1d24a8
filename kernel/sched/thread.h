/* SPDX-License-Identifier: BSD-2-Clause */
/* thread.h: threads: what a thread is to the machine, to the scheduler, to whoever it waits for.
 *
 * Life cycle: NEW (created) -> READY (started; on a run queue or running) <-> WAITING -> EXITED. `suspended` lies across: a suspended thread is
 * on no run queue; a waiting one is taken off its list and makes its call again when resumed, but one that waits for a reply keeps waiting.
 *
 * Event kernel: nothing blocks inside. A thread that must wait is left so that it makes its syscall (or faulting instruction) again when it is woken
 * (thread_block); thread_complete() instead ends that call with a status. What is left to do in the thread's own name before
 * it sees user mode again (copying out a message) is its `finish`. Its memory is one frame, paid by its account.
 * Lock: the kernel lock.
 */
#pragma once
#include "arch/arch.h"
#include "lib/pqueue.h"
#include "mem/watch.h"
#include "vm/pagemap.h"
#include "vm/vmar.h"

struct cnode;
struct cpu;
struct endpoint;
struct notification;
struct reply;
struct thread;

#define PRIORITIES 256u
#define MESSAGE_EXTRA (SYS_MSG_WORDS - 4)       /* words that do not travel in registers */

/* Internal results of a call, besides sys_status_t and VM_AGAIN (wait.h). */
enum { CALL_BLOCKED = 2, CALL_DONE = 3 };       /* it waits; its registers say all already */

enum wait_kind {
	WAIT_NONE, WAIT_SEND, WAIT_CALL, WAIT_FAULT, WAIT_RECV, WAIT_REPLY, WAIT_NOTIFICATION, WAIT_PAGER, WAIT_PAGE, WAIT_CONSOLE,
	WAIT_FUTEX,
};

struct timer { struct avl_node node; i64 when; struct cpu *cpu; };       /* cpu: in whose queue */

struct thread {
	struct object object;
	struct arch_context context;

	/* scheduling */
	union {
		struct {
			u8 state;       /* enum sys_thread_state but SUSPENDED and RUNNING, which are derived */
			u8 wait;        /* enum wait_kind */
			bool suspended;
			bool timed : 1; /* its timer is armed */
			bool pinned : 1;        /* not every CPU is allowed */
			bool recorded : 1;      /* it has a status record: a switch to it goes the long way */
			bool finish : 1;        /* has a message to copy out before it runs */
		};
		u16 stands_as;          /* state and wait */
		u32 waits_as;           /* all of it: THREAD_WAITS_AS(wait kind) where nothing else is the matter */
	};
	u16 priority;                   /* below PRIORITIES */
	u16 floor;                      /* the same; THREAD_NEWS while its bound notification has bits: so one comparison tells both (fastpath.c) */
	struct list run;                /* on a run queue; points to itself while it runs or waits */
	struct cpu *cpu;                /* where it runs or waits for its turn; else where it ran last */
	u64 affinity;                   /* a bit for each CPU it may use; at least one that takes part */
	u64 cpu_time;                   /* cycles */
	u64 slice_from;                 /* what cpu_time was when its slice began */
	u64 switches, faults, page_requests;
	i64 exit_code;

	/* what it belongs to */
	struct space *space;            /* a reference, given up at exit; listed in space->threads */
	struct list in_space;
	struct cnode *cspace;           /* weak: listed in the CNode, which may end first */
	struct list in_cspace;
	struct endpoint *fault_endpoint;        /* weak: listed in the endpoint */
	struct list in_fault_endpoint;
	u64 fault_badge;
	struct notification *bound;     /* weak: its n->bound is this */

	/* waiting */
	bool in_call;                   /* WAIT_PAGE: it waits inside a syscall, not an access */
	struct pqueue_node queue;       /* on an endpoint's, notification's, pager's or the console's queue */
	struct pqueue *waits_on;        /* that queue; NULL: on none, and queue's links say nothing */
	u64 arrival;                    /* its number among all waits, to compare two queues */
	struct timer timer;
	struct { struct avl_node node; sys_koid_t object; u64 offset; } futex;  /* while it waits at one (futex.c) */
	struct page_wait page;
	i64 page_timeout;               /* nanoseconds that it waits for a page at most; 0 goes with page.poll */
	i64 page_until;                 /* when the wait for a page under way ends, or would have ended */
	u32 retries;                    /* how often the same fault or call was made again */
	u32 in_vain;                    /* its last wait for a page ended without the page: the next goes on until page_until */
	u64 progress;                   /* of a call that goes in steps and has nowhere else to note it; 0 when none is under way */
	struct maps_count count;        /* of vmar_maps: the entry that it is at */

	/* messages */
	u64 badge;                      /* of the capability it sends through */
	struct reply *reply;            /* caller: the reply object that holds it; receiver: the one it offers (weak, reply.h) */
	u64 fault_label, fault_word[4]; /* a fault message's; of an access that waits for a page: what it would say */
	u32 fault_words;
	i64 fault_code;                 /* what it ends with if nobody takes that message */
	u64 word[MESSAGE_EXTRA];        /* words 4 .. */
	sys_cap_t cap[SYS_MSG_CAPS];

	struct watch_list watches;      /* EXITED */
	struct accessor status;         /* its status record: status.c */
	struct trace_call { u64 behind; u32 number, session; } traced;  /* of a call that it waits in: the instruction behind it; in which trace, 0: none (trace.c) */
};
#define THREAD_WAITS_AS(kind) ((u32)SYS_THREAD_WAITING | (u32)(kind) << 8)       /* also of stands_as */
_Static_assert(sizeof(struct thread) <= 4096, "a thread is one frame");
extern const struct object_type thread_type;

#define THREAD_NEWS (PRIORITIES + 1u)
static inline bool thread_has_news(const struct thread *t) { return t->floor == THREAD_NEWS; }
static inline void thread_set_news(struct thread *t, bool news) { t->floor = news ? THREAD_NEWS : t->priority; }

static inline struct thread *thread_of(struct arch_context *c) { return container_of(c, struct thread, context); }

/* Makes a thread in this space, which may use the CPUs that the running thread may (at boot: all). *out has no cspace and no fault endpoint yet.
 * NO_MEMORY, BAD_STATE. */
sys_status_t thread_create(struct account *a, struct space *s, u8 priority, struct thread **out);
sys_status_t thread_start(struct thread *t, vaddr_t entry, vaddr_t stack, u64 arg0, u64 arg1);  /* BAD_STATE: not NEW */
/* Off its CPU, off every list that can be left: its registers are in memory when this returns, unless it is the running one. BAD_STATE: exited. */
sys_status_t thread_suspend(struct thread *t);
sys_status_t thread_resume(struct thread *t);           /* BAD_STATE: not suspended */
/* Ends it with this code: it leaves every list, its space, its CSpace; what waits for it is told. May be the running one. O(1). */
void thread_exit(struct thread *t, i64 code);
void thread_set_priority(struct thread *t, u8 priority);
/* Moves it if it must. INVALID_ARGS: no CPU that takes part; BAD_STATE: exited. */
sys_status_t thread_set_affinity(struct thread *t, u64 cpus);
void thread_set_tls(struct thread *t, u64 fs_base);     /* at most PT_USER_TOP */
void thread_info(const struct thread *t, sys_thread_info_t *out);
/* How long t waits for a page: INFINITE, or 0: not at all. The wait under way, if there is one, is bounded from now on. BAD_STATE: exited. */
sys_status_t thread_set_page_timeout(struct thread *t, i64 ns);
/* Has a sys_thread_status_t at this offset of v kept current, instead of the one before; NULL: none is. Below a capability, as pagemap_open. INVALID_ARGS, OUT_OF_RANGE
 * (pagemap_place), BAD_STATE (exited), and as pagemap_open. */
sys_status_t thread_set_status_record(struct thread *t, struct vmo *v, u64 offset, struct deriv *below);
void thread_forget_status(struct thread *t);
void thread_write_status(const struct thread *t);       /* t, which is recorded, was given its CPU */
/* Registers as data (state.c): of a thread that is suspended, waits for its fault's reply, or was not started; else BAD_STATE. `kind` exists; as many bytes as
 * arch_state_size() says. GENERAL of a thread whose call is over but for its result, or is answered by a reply, cannot be written: BAD_STATE. INVALID_ARGS: values that
 * the CPU would not take. `readable` and `writable` are the checks alone: SYS_OK or BAD_STATE. */
sys_status_t thread_readable(const struct thread *t);
sys_status_t thread_writable(const struct thread *t, unsigned kind);
sys_status_t thread_read_state(struct thread *t, unsigned kind, void *to);
sys_status_t thread_write_state(struct thread *t, unsigned kind, const void *from);

extern u64 thread_arrivals;             /* counts waits */

/* ---- waiting -------------------------------------------------------------------------------------------------------------------- */
/* The running thread t waits from now on, for `kind`, on `queue` (NULL: on none), until `deadline`. In a call: the call will be made again when
 * t is woken without a completion. Returns CALL_BLOCKED. */
sys_status_t thread_block(struct thread *t, enum wait_kind kind, struct pqueue *queue, i64 deadline, bool in_call);
/* The running thread t waits for the page that vm said SHOULD_WAIT of, in a call or (its fault_word says which) an access, no longer than its page timeout allows:
 * each page's wait anew, one that was interrupted before the page came goes on. Returns CALL_BLOCKED; or SHOULD_WAIT, which is the outcome then: it does not wait for pages. */
sys_status_t thread_wait_page(struct thread *t, bool in_call);
/* Its deadline has passed: TIMED_OUT ends its call, or becomes a fault. */
void thread_timed_out(struct thread *t);
/* Another call or access, or progress in the same. */
static inline void thread_anew(struct thread *t)
{
	t->retries = 0;
	t->in_vain = 0;
}
/* Takes a waiting thread off whatever it waits on; it is runnable and makes its call or access again (unless suspended: later). */
void thread_wake(struct thread *t);
/* Takes it off and ends its call with this status; results were put in its registers by the caller. */
void thread_complete(struct thread *t, sys_status_t status);
/* Takes it off all lists and timers; the caller then sets its state. */
void thread_stop_waiting(struct thread *t);

/* What the layers above add; set at boot. */
struct thread_hooks {
	void (*gone)(struct thread *t);                 /* it exits: sever fault endpoint and CSpace */
	void (*left)(struct thread *t);                 /* it stops waiting while t->reply is set: sever that */
	void (*page_failed)(struct thread *t, sys_status_t status);     /* the access that its fault_word says failed: deliver a fault */
	void (*trapped)(struct thread *t, unsigned vector);             /* it took this exception just before it was stopped: deliver it */
	bool (*finish)(struct thread *t);               /* do its `finish`; false: it waits */
	void (*futex_leave)(struct thread *t);          /* off its place among those that wait at futexes; back, behind its equals */
	void (*futex_enter)(struct thread *t);
};
extern struct thread_hooks thread_hooks;
void thread_boot(void);                                 /* types and the vm's hooks */
void thread_check(const struct thread *t);              /* walker: on exactly the lists that its state says (docs/architecture.md, invariant 6) */
