/* SPDX-License-Identifier: BSD-2-Clause */
/* dispatch.c: from a syscall instruction to its handler and back: the one place where types and rights of capabilities are checked.
 * Also the other ways into the kernel: page faults, exceptions, interrupts. Lock: the kernel lock. */
#include "lib/assert.h"
#include "lib/counters.h"
#include "lib/string.h"
#include "sched/sched.h"
#include "sched/trace.h"
#include "syscall/check.h"
#include "syscall/fastpath.h"
#include "syscall/table.h"
#include "vm/reclaim.h"

/* ---- rights that options select -------------------------------------------------------------------------------------------------------- */

u16 select_vmo_op(u64 op)
{
	switch (op) {
	case SYS_VMO_OP_COMMIT: case SYS_VMO_OP_DECOMMIT: case SYS_VMO_OP_ZERO: case SYS_VMO_OP_CACHE_INVALIDATE:
		return SYS_RIGHT_WRITE;
	case SYS_VMO_OP_PREFETCH: case SYS_VMO_OP_CACHE_SYNC: case SYS_VMO_OP_CACHE_CLEAN: case SYS_VMO_OP_CACHE_CLEAN_INVALIDATE:
		return SYS_RIGHT_READ;
	default:
		return 0;
	}
}

u16 select_can_map(u64 options)
{
	return (options & SYS_VM_CAN_MAP_READ ? SYS_RIGHT_READ : 0) | (options & SYS_VM_CAN_MAP_WRITE ? SYS_RIGHT_WRITE : 0) |
	       (options & SYS_VM_CAN_MAP_EXECUTE ? SYS_RIGHT_EXECUTE : 0);
}

u16 select_vmo_perm(u64 options)
{
	return (options & SYS_VM_PERM_READ ? SYS_RIGHT_READ : 0) | (options & SYS_VM_PERM_WRITE ? SYS_RIGHT_WRITE : 0) |
	       (options & SYS_VM_PERM_EXECUTE ? SYS_RIGHT_EXECUTE : 0);
}

u16 select_perm(u64 options)
{
	bool wx = (options & SYS_VM_PERM_WRITE) && (options & SYS_VM_PERM_EXECUTE);

	return (u16)(select_vmo_perm(options) | (wx ? SYS_RIGHT_WX : 0));
}

u16 select_pin(u64 options)
{
	return (options & SYS_PIN_READ ? SYS_RIGHT_READ : 0) | (options & SYS_PIN_WRITE ? SYS_RIGHT_WRITE : 0);
}

/* ---- capability arguments --------------------------------------------------------------------------------------------------------------- */

/* An ended object that is still named: an endpoint answers PEER_CLOSED, a thread can be looked at, an address region says BAD_STATE; the rest is gone. */
#define NAMED_WHEN_ENDED (1u << SYS_TYPE_ENDPOINT | 1u << SYS_TYPE_THREAD | 1u << SYS_TYPE_VMAR | 1u << SYS_TYPE_PAGER)

/* The checks that most arguments do not need. */
static sys_status_t check_selected(const struct cap_arg *a, const struct slot *s, const u64 *arg)
{
	u32 want = a->select ? a->select(arg[a->select_arg]) : 0u;

	return (s->rights & want) != want || (a->any && !(s->rights & a->any)) ? SYS_ERR_ACCESS_DENIED : SYS_OK;
}

static bool usable(const struct syscall *sc, const struct object *o)
{
	return NAMED_WHEN_ENDED >> o->type & 1 || sc->handler == call_cap_delete;
}

__attribute__((noinline)) static sys_status_t look_up(struct call *c, const struct syscall *sc)
{
	const u64 *arg = &c->r->rdi;
	const struct cap_arg *end = sc->cap + sc->caps;
	struct slot **out = c->slot;

	for (const struct cap_arg *a = sc->cap; a < end; a++, out++) {
		sys_cap_t name = arg[a->arg];
		struct slot *s;

		*out = NULL;
		if (unlikely(name == SYS_CAP_NULL) && a->optional)
			continue;
		s = cnode_lookup(c->t->cspace, name);
		if (unlikely(!s) || (unlikely(s->object->flags) && !usable(sc, s->object)))
			return SYS_ERR_BAD_CAP;
		if (unlikely(!(a->types >> s->object->type & 1)))
			return SYS_ERR_WRONG_TYPE;
		if (unlikely(a->rights & ~s->rights) || (unlikely(a->odd) && check_selected(a, s, arg) != SYS_OK))
			return SYS_ERR_ACCESS_DENIED;
		*out = s;
	}
	return SYS_OK;
}

/* A capability argument without options, where it is found and allowed; else NULL: look_up() says what it is. */
static inline struct slot *find_plain(const struct cnode *cspace, const struct cap_arg *a, sys_cap_t name)
{
	u32 index = (u32)name;
	struct slot *s;

	if (unlikely(index >= cspace->direct))
		return NULL;
	s = cspace->leaf[index / SLOTS_PER_FRAME] + index % SLOTS_PER_FRAME;
	if (unlikely(s->generation != name >> 32 || !s->object))
		return NULL;
	if (unlikely(s->object->flags || !(a->types >> s->object->type & 1) || (a->rights & ~s->rights)))
		return NULL;
	return s;
}

/* The same for all arguments of a call. */
static inline bool look_up_plain(struct call *c, const struct syscall *sc)
{
	const u64 *arg = &c->r->rdi;
	const struct cnode *cspace = c->t->cspace;
	const struct cap_arg *a = sc->cap;
	struct slot **out = c->slot;

	for (unsigned left = sc->caps; left; left--, a++, out++) {
		sys_cap_t name = arg[a->arg];

		if (unlikely(a->odd)) {
			if (!a->optional)
				return false;
			*out = NULL;
			if (name == SYS_CAP_NULL)
				continue;
		}
		*out = find_plain(cspace, a, name);
		if (unlikely(!*out))
			return false;
	}
	return true;
}

/* ---- system calls ----------------------------------------------------------------------------------------------------------------------- */

COLD static int no_place(struct call *c, u64 number)
{
	sys_status_t status;

	number &= ~NR_NO_PLACE;
	if (number >= SYSCALLS || !syscalls[number].handler)
		return SYS_ERR_BAD_SYSCALL;
	status = look_up(c, &syscalls[number]);
	return status == SYS_OK ? SYS_ERR_BAD_ADDRESS : status;
}

/* A debug kernel stops on a status that the table does not declare. */
static int declared(const struct syscall *sc, const struct thread *t, int status)
{
#ifdef VELLUM_DEBUG
	bool waits = status == SYS_ERR_SHOULD_WAIT && t->page.state != PAGE_WAIT_IDLE;
	u32 errors = sc->errors | 1u << -SYS_ERR_BAD_CAP | 1u << -SYS_ERR_WRONG_TYPE | 1u << -SYS_ERR_ACCESS_DENIED;

	if (status < 0 && !(waits || errors >> -status & 1 || sc->flags & CALL_LATER))
		panic("%s returned %d, which its table entry does not declare", sc->name, status);
#else
	(void)sc, (void)t;
#endif
	return status;
}

/* The thread waits. The short way may end a wait without a deadline, and does not look at retries. */
__attribute__((noinline)) static struct arch_context *blocked(struct thread *t)
{
	t->retries = t->timed || t->wait == WAIT_PAGE ? t->retries + 1 : 0;
	return &sched_next()->context;
}

/* A refusal; or what is neither a status nor done: the call is made again, or its thread waits. */
__attribute__((noinline)) static struct arch_context *not_ok(struct thread *t, int status)
{
	t->retries++;
	status = reclaim_or(status);
	switch (status) {
	case VM_AGAIN:
		if (t->state != SYS_THREAD_EXITED)
			arch_context_restart_syscall(&t->context);
		break;
	case SYS_ERR_SHOULD_WAIT:
		if (thread_wait_page(t, true) == CALL_BLOCKED)
			break;                  /* it has retries, as one that waits with a deadline */
		/* fall through */
	default:
		t->context.regs.rax = (u64)(i64)status;
		/* fall through */
	case CALL_DONE:
		thread_anew(t);
		t->progress = 0;
	}
	return &sched_leave(t)->context;
}

/* Makes the call, whose capabilities are looked up: the end of every way. */
static inline struct arch_context *handle(struct call *c, const struct syscall *sc)
{
	struct thread *t = c->t;
	int status;

	check_sometimes();
	status = declared(sc, t, sc->handler(c));
	if (unlikely(status != SYS_OK))
		return status == CALL_BLOCKED ? blocked(t) : not_ok(t, status);
	t->context.regs.rax = SYS_OK;
	thread_anew(t);
	t->progress = 0;
	return &sched_leave(t)->context;
}

struct arch_context *syscall_ordinary(struct thread *t)
{
	u64 number = t->context.regs.rax;
	struct call c;
	sys_status_t status;

	counters.entries++;
	c.t = t;
	c.r = &t->context.regs;
	if (unlikely(number >= SYSCALLS))
		return not_ok(t, no_place(&c, number));
	if (unlikely(!syscalls[number].handler))
		return not_ok(t, SYS_ERR_BAD_SYSCALL);
	if (unlikely(!look_up_plain(&c, &syscalls[number]))) {
		status = look_up(&c, &syscalls[number]);
		if (status != SYS_OK)
			return not_ok(t, status);
	}
	return handle(&c, &syscalls[number]);
}

/* The same where one capability, without options, is the first argument, and no other argument is one. */
static struct arch_context *syscall_on_one(struct thread *t)
{
	const struct syscall *sc = &syscalls[t->context.regs.rax];
	struct slot *s = find_plain(t->cspace, &sc->cap[0], t->context.regs.rdi);
	struct call c;

	if (unlikely(!s))
		return syscall_ordinary(t);
	counters.entries++;
	c.t = t;
	c.r = &t->context.regs;
	c.slot[0] = s;
	return handle(&c, sc);
}

call_way *syscall_ways[SYSCALLS];

static struct arch_context *syscall_traced(struct thread *t)
{
	struct arch_context *context;

	trace_call(t);
	context = syscall_ordinary(t);
	trace_leave(thread_of(context));
	return context;
}

/* While there is a trace, all calls go by it, and the ordinary way. */
static void trace_turned(bool on)
{
	static call_way *untraced[SYSCALLS];

	if (!on)
		memcpy(syscall_ways, untraced, sizeof(untraced));
	else
		memcpy(untraced, syscall_ways, sizeof(untraced));
	for (unsigned number = 0; on && number < SYSCALLS; number++)
		syscall_ways[number] = syscall_traced;
}

BOOT void syscall_boot(void)
{
	trace_hook = trace_turned;
	for (unsigned number = 0; number < SYSCALLS; number++) {
		const struct syscall *sc = &syscalls[number];

		syscall_ways[number] = sc->caps == 1 && sc->cap[0].arg == 0 && !sc->cap[0].odd ? syscall_on_one : syscall_ordinary;
	}
}

struct arch_context *kernel_syscall(struct arch_context *context)
{
	struct thread *t = thread_of(context);
	u64 number = context->regs.rax;

	return likely(number < SYSCALLS) ? syscall_ways[number](t) : syscall_ordinary(t);
}

/* ---- faults, exceptions, interrupts ------------------------------------------------------------------------------------------------------ */

/* The access waits for its page, or cannot be: that is a fault. */
__attribute__((noinline)) static struct arch_context *access_stops(struct thread *t, vaddr_t address, unsigned access, sys_status_t status)
{
	t->fault_word[0] = address;
	t->fault_word[1] = access;
	if (status == SYS_ERR_SHOULD_WAIT && thread_wait_page(t, false) == CALL_BLOCKED)
		return &sched_next()->context;
	thread_anew(t);
	thread_hooks.page_failed(t, status);
	return &sched_leave(t)->context;
}

__attribute__((noinline)) static struct arch_context *fault_over(struct thread *t, vaddr_t address, unsigned access, sys_status_t status)
{
	if (likely(status == SYS_OK))
		thread_anew(t);
	else if (status == VM_AGAIN)
		t->retries++;
	else
		return access_stops(t, address, access, status);
	return &sched_leave(t)->context;
}

COLD static struct arch_context *fault_traced(struct thread *t, vaddr_t address, unsigned access, sys_status_t status)
{
	trace_fault(t, address, access, status);
	return fault_over(t, address, access, status);
}

struct arch_context *kernel_page_fault(struct arch_context *context, vaddr_t address, unsigned access)
{
	struct thread *t = thread_of(context);
	sys_status_t status;

	counters.faults++;
	t->faults++;
	status = vm_fault(t->space, address, access, t->retries, &t->page);
	return unlikely(trace_events) ? fault_traced(t, address, access, status) : fault_over(t, address, access, status);
}

COLD struct arch_context *kernel_exception(struct arch_context *context, u64 vector, u64 error)
{
	u64 word[3] = { vector, error, context->regs.rip };

	struct thread *t = thread_of(context);

	if (unlikely(trace_events))
		trace_exception(t, word);
	counters.entries++;
	ipc_fault(t, SYS_FAULT_EXCEPTION, word, 3, INT64_MIN + (i64)vector);
	return &sched_leave(t)->context;
}

struct arch_context *kernel_interrupt(struct arch_context *context)
{
	counters.entries++;
	return &sched_leave(thread_of(context))->context;
}

/* The thread that came in was stopped by another CPU before it got the lock. */
struct arch_context *kernel_taken(void)
{
	counters.entries++;
	return &sched_next()->context;
}

noreturn void kernel_secondary(void)
{
	arch_leave(&sched_next()->context);
}

/* ---- what handlers share ------------------------------------------------------------------------------------------------------------------ */

sys_status_t call_install(struct call *c, struct object *o, sys_rights_t rights, struct slot *parent)
{
	struct slot *slot;
	u32 generation;
	sys_status_t status = cnode_free_slot(c->t->cspace, SYS_SLOT_ANY, &slot, &generation);

	if (status != SYS_OK) {
		object_end(o);
		object_reap(NULL);              /* nothing of it is seen: memory, addresses */
		return status;
	}
	/* COMMIT */
	slot_fill(slot, generation, o, rights, 0, parent, SLOT_FIRST);
	c->r->rdx = slot_cap(slot);
	return SYS_OK;
}

int call_copy_out(struct call *c, vaddr_t to, const void *from, u64 len)
{
	u64 done = 0;

	return space_copy_out(c->t->space, to, from, len, &done, c->t->retries, &c->t->page);
}
