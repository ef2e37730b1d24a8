/* SPDX-License-Identifier: BSD-2-Clause */
/* console.c: the console capability: the serial line, read by lines or bytes as they come. Output goes in pieces, with a preemption point between.
 * Lock: the kernel lock. */
#include "lib/string.h"
#include "sched/sched.h"
#include "syscall/call.h"

#define PIECE  128u
#define BUFFER 1024u

static struct {
	struct object object;
	struct pqueue readers;          /* threads in WAIT_CONSOLE */
	char buffer[BUFFER];            /* what came and nobody has read: [tail, head), modulo BUFFER */
	u32 head, tail;
} console;

static const struct object_type console_type = { .name = "console", .size = sizeof(console) };

struct object *console_object(void) { return &console.object; }

/* Takes what the machine has, as far as there is room (the rest waits there); who reads first makes its call again. */
static void console_input(void)
{
	struct pqueue_node *first = pqueue_first(&console.readers);
	int byte;

	while (console.head - console.tail < BUFFER && (byte = arch_console_read()) >= 0)
		console.buffer[console.head++ % BUFFER] = (char)byte;
	if (first && console.head != console.tail)
		thread_wake(container_of(first, struct thread, queue));
}

BOOT void console_boot(void)
{
	object_type_set(SYS_TYPE_CONSOLE, &console_type);
	object_init_static(&console.object, SYS_TYPE_CONSOLE);
	pqueue_init(&console.readers);
	sched_console_hook = console_input;
}

int call_console_write(struct call *c)
{
	struct regs *r = c->r;
	char piece[PIECE];

	while (r->rdx) {
		u64 len = MIN(r->rdx, (u64)PIECE), done = 0;
		sys_status_t status = space_copy_in(c->t->space, piece, r->rsi, len, &done, c->t->retries, &c->t->page);

		if (status != SYS_OK)
			return status;
		arch_console_write(piece, len);
		r->rsi += len;
		r->rdx -= len;
		if (r->rdx && arch_preempt_poll())
			return VM_AGAIN;
	}
	return SYS_OK;
}

/* The bytes are taken off the buffer after they are in the caller's memory. */
int call_console_read(struct call *c)
{
	struct regs *r = c->r;
	i64 deadline = (i64)r->r8;
	char piece[PIECE];
	u64 len = 0, done = 0;
	sys_status_t status;

	console_input();
	if (r->rdx == 0)
		return SYS_OK;
	if (console.head == console.tail) {
		if (deadline != SYS_TIME_INFINITE && deadline <= arch_now())
			return SYS_ERR_TIMED_OUT;
		return thread_block(c->t, WAIT_CONSOLE, &console.readers, deadline, true);
	}
	while (len < MIN(r->rdx, (u64)PIECE) && console.tail + len != console.head) {
		piece[len] = console.buffer[(console.tail + len) % BUFFER];
		len++;
	}
	status = space_copy_out(c->t->space, r->rsi, piece, len, &done, c->t->retries, &c->t->page);
	if (status != SYS_OK)
		return status;
	/* COMMIT */
	console.tail += (u32)len;
	r->rdx = len;
	console_input();                        /* what is left is for the next who waits */
	return SYS_OK;
}
