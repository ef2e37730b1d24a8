/* SPDX-License-Identifier: BSD-2-Clause */
/* threads.c: see threads.h. */
#include <string.h>
#include "common/threads.h"
#include "ipc/futex.h"

#define CODE 0x400000ull                /* where each actor's one syscall instruction stands */
#define AFTER (CODE + 2)

static struct actor pool[ACTORS];       /* t NULL: free */
static struct actor *idler;

/* ---- life -------------------------------------------------------------------------------------------------------- */

struct actor *actor_new(struct account *a, struct space *space, struct cnode *cspace, u8 priority)
{
	struct actor *x = pool;

	while (x->t)
		must(++x < pool + ACTORS);
	*x = (struct actor){ .held = true };
	if (!space)
		must(space_create(a, false, &space) == SYS_OK);
	must(thread_create(a, space, priority, &x->t) == SYS_OK);
	object_cap(&x->t->object);
	cnode_set_cspace(x->t, cspace);
	must(thread_start(x->t, AFTER, 0, 0, 0) == SYS_OK);
	return x;
}

struct slot *actor_name(struct actor *x, struct cnode *c, struct slot *parent)
{
	struct slot *s = cap_put(c, x->t, parent, SLOT_FIRST);

	must(x->held);
	x->held = false;
	object_uncap(&x->t->object);
	return s;
}

void actor_drop(struct actor *x)
{
	must(x->held);
	object_uncap(&x->t->object);
	*x = (struct actor){ 0 };
}

void actors_forget(void)
{
	memset(pool, 0, sizeof pool);
	idler = NULL;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

void actor_memory(struct actor *x, u64 pages)
{
	struct space *s = x->t->space;
	struct vmo *v;

	must(vmo_create(s->account, pages * PAGE_SIZE_, 0, &v) == SYS_OK);
	must(vmar_map(&s->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, v, SYS_RIGHTS_VMO, 0,
	              v->size, NULL,
	              &x->memory) == SYS_OK);
}

typedef sys_status_t copy_function(struct space *, vaddr_t, const void *, u64, u64 *, unsigned, struct page_wait *);

static sys_status_t copy_in(struct space *s, vaddr_t at, const void *to, u64 size, u64 *done, unsigned retries,
                            struct page_wait *w)
{
	return space_copy_in(s, (void *)(uintptr_t)to, at, size, done, retries, w);
}

static sys_status_t copy(copy_function *f, struct actor *x, vaddr_t at, const void *what, u64 size)
{
	struct page_wait w;
	sys_status_t status;
	u64 done = 0;

	memset(&w, 0, sizeof w);
	page_wait_init(&w);
	while ((status = f(x->t->space, at, what, size, &done, 0, &w)) == VM_AGAIN)
		;
	return status;
}

void actor_write(struct actor *x, vaddr_t at, const void *from, u64 size)
{
	must(copy(space_copy_out, x, at, from, size) == SYS_OK);
}

void actor_read(struct actor *x, vaddr_t at, void *to, u64 size) { must(copy(copy_in, x, at, to, size) == SYS_OK); }

bool actor_can_read(struct actor *x, vaddr_t at)
{
	char byte = 0;
	sys_status_t status = copy(copy_in, x, at, &byte, 1);

	must(status == SYS_OK || status == SYS_ERR_BAD_ADDRESS);
	return status == SYS_OK;
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

void actor_says(struct actor *x, const sys_msg_t *m)
{
	struct regs *r = &x->t->context.regs;

	r->r8 = m->label;
	r->r9 = m->words | (u64)m->caps << 32 | (u64)x->accept << 48;
	r->r12 = m->word[0];
	r->r13 = m->word[1];
	r->r14 = m->word[2];
	r->r15 = m->word[3];
	if (x->memory && (m->words > 4 || m->caps))
		actor_write(x, x->memory, m, sizeof *m);
}

void actor_word(struct actor *x, u64 label, u64 word)
{
	actor_says(x, &(sys_msg_t){ .label = label, .words = 1, .word = { word, ~word, 0, 0 } });
}

void actor_hears(struct actor *x, sys_msg_t *m, u64 *badge)
{
	const struct regs *r = &x->t->context.regs;

	memset(m, 0, sizeof *m);
	if (x->memory)
		actor_read(x, x->memory, m, sizeof *m);
	m->label = r->r8;
	m->words = (u32)r->r9;
	m->caps = (u16)(r->r9 >> 32);
	m->word[0] = r->r12;
	m->word[1] = r->r13;
	m->word[2] = r->r14;
	m->word[3] = r->r15;
	*badge = r->rdx;
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

static void on_cpu(struct thread *t)
{
	must(!my_cpu->current && sched_queued(t));
	sched_dequeue(t);
	object_ref(&t->object);
	my_cpu->current = t;
	my_cpu->since = (u32)arch_cycles();
}

static void off_cpu(void)
{
	struct thread *t = my_cpu->current;

	my_cpu->current = NULL;
	if (t->state == SYS_THREAD_READY && !t->suspended)
		sched_enqueue(t);
	object_unref(&t->object);
}

/* As kernel/syscall/dispatch.c does. */
static void returned(struct thread *t, int status)
{
	switch (status) {
	case VM_AGAIN:
		t->retries++;
		if (t->state != SYS_THREAD_EXITED)
			arch_context_restart_syscall(&t->context);
		return;
	case SYS_ERR_SHOULD_WAIT:
		t->retries++;
		if (thread_wait_page(t, true) == CALL_BLOCKED)
			return;
		t->context.regs.rax = (u64)(i64)status;
		thread_anew(t);
		return;
	case CALL_DONE:
		thread_anew(t);
		return;
	case CALL_BLOCKED:
		t->retries++;
		return;
	default:
		must(status <= 0);
		t->context.regs.rax = (u64)(i64)status;
		thread_anew(t);
		t->progress = 0;
	}
}

/* Runs its one instruction, or what is left to do for it. */
static void run(struct actor *x)
{
	struct thread *t = x->t;

	on_cpu(t);
	if (t->finish) {
		thread_hooks.finish(t);
	} else {
		t->context.regs.rip += 2;
		returned(t, x->call(x));
	}
	off_cpu();
}

int actor_goes_on(struct actor *x)
{
	struct thread *t = x->t;

	for (;;) {
		if (t->state == SYS_THREAD_EXITED)
			return GONE;
		if (t->state == SYS_THREAD_WAITING || t->suspended)
			return BLOCKED;
		must(t->state == SYS_THREAD_READY);
		if (!t->finish && t->context.regs.rip == AFTER)
			return (int)(i64)t->context.regs.rax;
		must(t->finish || t->context.regs.rip == CODE);
		run(x);
	}
}

static int start(struct actor *x, int (*call)(struct actor *))
{
	must(x->t->state == SYS_THREAD_READY && !x->t->suspended && !x->t->finish && x->t->context.regs.rip == AFTER);
	x->call = call;
	x->t->context.regs.rip = CODE;
	x->t->context.regs.rsi = x->memory;     /* where a message goes */
	return actor_goes_on(x);
}

static int send(struct actor *x) { return ipc_send(x->t, x->ep, x->badge, x->memory, x->deadline, false); }
static int call(struct actor *x) { return ipc_send(x->t, x->ep, x->badge, x->memory, x->deadline, true); }
static int recv(struct actor *x) { return ipc_recv(x->t, x->ep, x->reply, x->deadline); }
static int reply(struct actor *x) { return ipc_reply(x->t, x->reply, x->memory); }
static int wait(struct actor *x) { return notification_wait(x->t, x->ntfn, x->deadline); }
static int pager_recv(struct actor *x)
{
	return ipc_pager_recv(x->t, x->pager, x->memory, x->count, x->deadline);
}

static int futex(struct actor *x) { return futex_wait(x->t, x->word, x->expected, x->deadline); }

int actor_send(struct actor *x, struct endpoint *ep, u64 badge, i64 deadline)
{
	x->ep = ep;
	x->badge = badge;
	x->deadline = deadline;
	return start(x, send);
}

int actor_call(struct actor *x, struct endpoint *ep, u64 badge, i64 deadline)
{
	x->ep = ep;
	x->badge = badge;
	x->deadline = deadline;
	return start(x, call);
}

int actor_recv(struct actor *x, struct endpoint *ep, struct reply *r, i64 deadline)
{
	x->ep = ep;
	x->reply = r;
	x->deadline = deadline;
	x->t->context.regs.r9 = (u64)x->accept << 48;
	return start(x, recv);
}

int actor_reply(struct actor *x, struct reply *r)
{
	x->reply = r;
	return start(x, reply);
}

int actor_wait(struct actor *x, struct notification *n, i64 deadline)
{
	x->ntfn = n;
	x->deadline = deadline;
	return start(x, wait);
}

int actor_pager_recv(struct actor *x, struct pager *p, u64 count, i64 deadline)
{
	x->pager = p;
	x->count = count;
	x->deadline = deadline;
	return start(x, pager_recv);
}

int actor_futex(struct actor *x, vaddr_t word, u32 expected, i64 deadline)
{
	x->word = word;
	x->expected = expected;
	x->deadline = deadline;
	return start(x, futex);
}

int actor_fault(struct actor *x, u64 address, i64 code)
{
	return actor_fault_words(x, (u64[]){ address, SYS_ACCESS_WRITE, x->t->context.regs.rip, (u64)code }, code);
}

int actor_fault_words(struct actor *x, const u64 word[4], i64 code)
{
	x->t->context.regs.rax = SYS_OK;
	on_cpu(x->t);
	ipc_fault(x->t, SYS_FAULT_PAGE, word, 4, code);
	off_cpu();
	return actor_goes_on(x);
}

/* As kernel/syscall/dispatch.c does. */
void actor_touches(struct actor *x, vaddr_t at, unsigned access)
{
	struct thread *t = x->t;
	sys_status_t status;

	on_cpu(t);
	while ((status = vm_fault(t->space, at, access, t->retries, &t->page)) == VM_AGAIN)
		t->retries++;
	t->fault_word[0] = at;
	t->fault_word[1] = access;
	if (status != SYS_ERR_SHOULD_WAIT || thread_wait_page(t, false) != CALL_BLOCKED) {
		thread_anew(t);
		if (status != SYS_OK)
			thread_hooks.page_failed(t, status);
	}
	off_cpu();
}

/* ---- time, walkers ----------------------------------------------------------------------------------------------- */

static bool timer_due(void)
{
	struct avl_node *first = avl_first(&my_cpu->self->timers);

	return first && container_of(first, struct timer, node)->when <= arch_now();
}

void time_pass(i64 to)
{
	if (!idler)
		idler = actor_new(account_root(), NULL, NULL, 0);
	host_time_set(to);
	do {
		sched_next();
		off_cpu();
	} while (timer_due());
}

void actors_check(void)
{
	for (unsigned i = 0; i < ACTORS; i++)
		if (pool[i].held)
			thread_check(pool[i].t);
	sched_check();
}
