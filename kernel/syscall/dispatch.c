/* SPDX-License-Identifier: BSD-2-Clause */
/* dispatch.c: from a syscall instruction to its handler and back: the one place where types and rights of capabilities are checked.
 * Also the other ways into the kernel: page faults, exceptions, interrupts. Lock: the kernel lock. */
#include "lib/assert.h"
#include "lib/counters.h"
#include "sched/sched.h"
#include "syscall/check.h"
#include "syscall/fastpath.h"
#include "syscall/table.h"

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

/* The same for what nearly every call is: plain arguments, found and allowed. False: look_up() says what it is. */
static inline bool look_up_plain(struct call *c, const struct syscall *sc)
{
	const u64 *arg = &c->r->rdi;
	const struct cnode *cspace = c->t->cspace;
	const struct cap_arg *a = sc->cap;
	struct slot **out = c->slot;

	for (unsigned left = sc->caps; left; left--, a++, out++) {
		sys_cap_t name = arg[a->arg];
		u32 index = (u32)name;
		struct slot *s;

		if (unlikely(a->odd)) {
			if (!a->optional)
				return false;
			*out = NULL;
			if (name == SYS_CAP_NULL)
				continue;
		}
		if (unlikely(index >= cspace->built || !cspace->leaf))
			return false;
		s = cspace->leaf[index / SLOTS_PER_FRAME] + index % SLOTS_PER_FRAME;
		if (unlikely(s->generation != name >> 32 || !s->object))
			return false;
		if (unlikely(s->object->flags || !(a->types >> s->object->type & 1) || (a->rights & ~s->rights)))
			return false;
		*out = s;
	}
	return true;
}

/* ---- system calls ----------------------------------------------------------------------------------------------------------------------- */

__attribute__((noinline, cold)) static int no_place(struct call *c, u64 number)
{
	sys_status_t status;

	number &= ~NR_NO_PLACE;
	if (number >= SYSCALLS || !syscalls[number].handler)
		return SYS_ERR_BAD_SYSCALL;
	status = look_up(c, &syscalls[number]);
	return status == SYS_OK ? SYS_ERR_BAD_ADDRESS : status;
}

/* A debug kernel stops on a status that the table does not declare. */
static int declared(const struct syscall *sc, int status)
{
#ifdef VELLUM_DEBUG
	u32 errors = sc->errors | 1u << -SYS_ERR_BAD_CAP | 1u << -SYS_ERR_WRONG_TYPE | 1u << -SYS_ERR_ACCESS_DENIED;

	if (status < 0 && !(status == SYS_ERR_SHOULD_WAIT || errors >> -status & 1 || sc->flags & CALL_LATER))
		panic("%s returned %d, which its table entry does not declare", sc->name, status);
#else
	(void)sc;
#endif
	return status;
}

static inline int dispatch(struct call *c, u64 number)
{
	const struct syscall *sc;
	int status;

	if (unlikely(number >= SYSCALLS))
		return no_place(c, number);
	sc = &syscalls[number];
	if (unlikely(!sc->handler))
		return SYS_ERR_BAD_SYSCALL;
	if (unlikely(!look_up_plain(c, sc))) {
		status = look_up(c, sc);
		if (status != SYS_OK)
			return status;
	}
	return declared(sc, sc->handler(c));
}

/* A refusal; or what is neither a status nor done: the call is made again, or its thread waits. */
__attribute__((noinline)) static void not_ok(struct thread *t, int status)
{
	t->retries++;
	switch (status) {
	case VM_AGAIN:
		if (t->state != SYS_THREAD_EXITED)
			arch_context_restart_syscall(&t->context);
		return;
	case SYS_ERR_SHOULD_WAIT:
		t->page_requests++;
		thread_block(t, WAIT_PAGE, NULL, SYS_TIME_INFINITE, true);
		return;
	case CALL_BLOCKED:
		return;
	case CALL_DONE:
		break;
	default:
		t->context.regs.rax = (u64)(i64)status;
	}
	t->retries = 0;
	t->progress = 0;
}

struct arch_context *syscall_ordinary(struct thread *t)
{
	struct regs *r = &t->context.regs;
	struct call c;
	int status;

	c.t = t;
	c.r = r;
	counters.entries++;
	check_sometimes();
	status = dispatch(&c, r->rax);
	if (likely(status == SYS_OK)) {
		r->rax = SYS_OK;
		t->retries = 0;
		t->progress = 0;
	} else {
		not_ok(t, status);
	}
	return &sched_leave(t)->context;
}

struct arch_context *kernel_syscall(struct arch_context *context)
{
	u64 way = context->regs.rax - NR_ipc_call;

	if (way < FAST_WAYS)
		return fast_ways[way](thread_of(context));
	return syscall_ordinary(thread_of(context));
}

/* ---- faults, exceptions, interrupts ------------------------------------------------------------------------------------------------------ */

struct arch_context *kernel_page_fault(struct arch_context *context, vaddr_t address, unsigned access)
{
	struct thread *t = thread_of(context);
	sys_status_t status = vm_fault(t->space, address, access, t->retries, &t->page);

	counters.entries++;
	counters.faults++;
	t->faults++;
	if (likely(status == SYS_OK)) {
		t->retries = 0;
	} else if (status == VM_AGAIN) {
		t->retries++;
	} else if (status == SYS_ERR_SHOULD_WAIT) {
		t->page_requests++;
		thread_block(t, WAIT_PAGE, NULL, SYS_TIME_INFINITE, false);
	} else {
		u64 word[4] = { address, access, context->regs.rip, (u64)(i64)status };

		t->retries = 0;
		ipc_fault(t, SYS_FAULT_PAGE, word, 4, status);
	}
	return &sched_leave(t)->context;
}

struct arch_context *kernel_exception(struct arch_context *context, u64 vector, u64 error)
{
	u64 word[3] = { vector, error, context->regs.rip };

	struct thread *t = thread_of(context);

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
