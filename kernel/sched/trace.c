/* SPDX-License-Identifier: BSD-2-Clause */
/* trace.c: the trace ring. See trace.h. Lock: the kernel lock.
 *
 * A call is over when its entry leaves the kernel or its CPU goes to another thread, whichever is first, and its thread then
 * neither waits nor makes it again. One that waits is remembered in the thread: when the thread has a CPU again it either
 * stands at its syscall instruction, and makes the call again, or somebody has ended the call.
 */
#include "sched/trace.h"

#include "lib/assert.h"
#include "sched/sched.h"

#define SLOT  ((u32)sizeof(sys_trace_record_t))
#define SLOTS ((u32)PAGE_SIZE_ / SLOT)  /* of a page; the header takes the first of all */
_Static_assert(SYS_TRACE_ALL <= UINT8_MAX && sizeof(sys_trace_header_t) == 64 && sizeof(sys_trace_record_t) == 64, "records do not straddle pages");

u8 trace_events;
void (*trace_hook)(bool on);
static struct accessor ring[PAGEMAP_KEEPS];
static sys_trace_header_t header;
static struct thread *calling;          /* it is in a call that this entry began, and has this CPU */
static struct trace_call call;          /* that one */
static u32 session;

/* ---- beginning and end ------------------------------------------------------------------------------------------------------------- */

static void turn(u32 events)
{
	header.events = trace_events = (u8)events;
	calling = NULL;
	sched_long_way(events);
	if (trace_hook)
		trace_hook(events);
}

static void write_header(void)
{
	accessor_write(&ring[0], 0, &header, sizeof(header));
}

static void close_ring(void)
{
	for (unsigned i = 0; i < PAGEMAP_KEEPS; i++)
		accessor_close(&ring[i]);
}

/* Also of one that has not begun. */
static void trace_end(void)
{
	if (trace_events) {
		turn(0);
		write_header();
	}
	close_ring();
}

static void ring_ended(struct accessor *a)
{
	(void)a;
	trace_end();
}

/* Opens what is not open yet. Another VMO's ring that was begun, and never came to its end, makes room. */
static sys_status_t open_ring(struct vmo *v, u64 pages, struct deriv *below)
{
	static sys_koid_t koid;
	sys_status_t status = SYS_OK;

	if (koid != v->object.koid)
		close_ring();
	koid = v->object.koid;
	for (u64 i = 0; i < pages && status == SYS_OK; i++) {
		if (accessor_open(&ring[i]))
			continue;
		ring[i].ended = ring_ended;
		status = pagemap_open(v, i * PAGE_SIZE_, PAGE_SIZE_, below, &ring[i]);
		if (status == SYS_OK && i + 1 < pages && arch_preempt_poll())
			return VM_AGAIN;
	}
	return status;
}

sys_status_t trace_start(struct vmo *v, u32 events, struct deriv *below)
{
	u64 pages = MIN(v->shape->size >> PAGE_SHIFT, PAGEMAP_KEEPS);
	sys_status_t status;

	if (!events || (events & ~(u32)SYS_TRACE_ALL) || !pages)
		return SYS_ERR_INVALID_ARGS;
	if (trace_events)
		return SYS_ERR_BAD_STATE;
	status = open_ring(v, pages, below);
	if (status < SYS_OK)
		close_ring();
	if (status != SYS_OK)
		return status;
	/* COMMIT */
	header = (sys_trace_header_t){ .records = pages * SLOTS - 1 };
	session++;
	turn(events);
	write_header();
	return SYS_OK;
}

sys_status_t trace_stop(void)
{
	if (!trace_events)
		return SYS_ERR_BAD_STATE;
	trace_end();
	return SYS_OK;
}

/* ---- records ----------------------------------------------------------------------------------------------------------------------- */

static void record(u32 event, const struct thread *t, u64 w0, u64 w1, u64 w2, u64 w3)
{
	if (!(trace_events & event))
		return;
	u64 slot = 1 + header.head % header.records;
	sys_trace_record_t r = { arch_now(), header.head, event, my_cpu->number, t ? t->object.koid : 0, { w0, w1, w2, w3 } };
	accessor_write(&ring[slot / SLOTS], (u32)(slot % SLOTS) * SLOT, &r, SLOT);
	header.head++;
	header.lost = header.head - MIN(header.head, header.records);
	write_header();
}

static void record_request(const struct thread *t)
{
	const struct page_wait *w = &t->page;

	if (w->state != PAGE_WAIT_IDLE)
		record(SYS_TRACE_PAGE_REQUEST, t, w->root->object.koid, w->page << PAGE_SHIFT, w->access, 0);
}

/* Does t stand where it makes the call again? */
static bool again(const struct thread *t, const struct trace_call *c) { return t->context.regs.rip == c->behind - 2; }

static void call_over(void)
{
	struct thread *t = calling;

	calling = NULL;
	if (!t || t->state == SYS_THREAD_EXITED)
		return;
	record_request(t);
	if (t->state == SYS_THREAD_WAITING)
		t->traced = call;
	else if (!again(t, &call))
		record(SYS_TRACE_RETURN, t, call.number, t->context.regs.rax, 0, 0);
}

/* t has a CPU again: what has become of the call that it waited in? */
static void goes_on(struct thread *t)
{
	struct trace_call c = t->traced;

	t->traced.session = 0;
	if (c.session == session && !again(t, &c))
		record(SYS_TRACE_RETURN, t, c.number, t->context.regs.rax, 0, 0);
}

void trace_call(struct thread *t)
{
	const struct regs *r = &t->context.regs;

	record(SYS_TRACE_CALL, t, r->rax, r->rdi, r->rsi, r->rdx);
	calling = t;
	call = (struct trace_call){ r->rip, (u32)r->rax, session };
}

void trace_leave(struct thread *to)
{
	call_over();
	goes_on(to);
}

void trace_fault(const struct thread *t, vaddr_t address, unsigned access, sys_status_t status)
{
	record(SYS_TRACE_FAULT, t, address, access, (u64)(i64)status, t->context.regs.rip);
	record_request(t);
}

void trace_exception(const struct thread *t, const u64 word[3])
{
	record(SYS_TRACE_EXCEPTION, t, word[0], word[1], word[2], 0);
}

void trace_switch(struct thread *to)
{
	call_over();
	if (to || my_cpu->current)
		record(SYS_TRACE_SWITCH, to, to ? to->priority : 0, to ? to->switches + 1 : 0, 0, 0);
	if (to)
		goes_on(to);
}

void trace_interrupt(unsigned pending)
{
	call_over();
	record(SYS_TRACE_INTERRUPT, my_cpu->current, pending, 0, 0, 0);
}

void trace_check(void)
{
	u64 slots = 0;

	for (unsigned i = 0; i < PAGEMAP_KEEPS; i++)
		slots += accessor_open(&ring[i]) ? SLOTS : 0;
	ASSERT((!trace_events || slots == header.records + 1) && header.events == trace_events);
	ASSERT(!calling || calling == my_cpu->current);
}
