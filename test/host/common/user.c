/* SPDX-License-Identifier: BSD-2-Clause */
/* user.c: see user.h. */
#include <string.h>
#include "common/user.h"

#define SYSCALL_AT (USER_ENTRY - 2)     /* the one syscall instruction of every program */

struct thread *user;

void user_boot(u64 frames)
{
	struct boot_info boot;

	kernel_start(frames);
	host_boot_info(&boot);
	console_boot();
	system_boot(&boot);
	syscall_boot();
	fast_ways_on();
	user = NULL;
}

struct thread *user_new(struct account *a, struct cnode *cspace, struct space *space, u8 priority)
{
	struct thread *t;

	must(thread_create(a, space, priority, &t) == SYS_OK);
	object_cap(&t->object);
	cnode_set_cspace(t, cspace);
	must(thread_start(t, USER_ENTRY, 0, 0, 0) == SYS_OK);
	return t;
}

void user_begin(void) { user = sched_next(); }

bool user_in_call(const struct thread *t) { return t->context.regs.rip == SYSCALL_AT; }

/* The instruction is executed. */
static void enter(void)
{
	user->context.regs.rip = USER_ENTRY;
	user = thread_of(kernel_syscall(&user->context));
}

void user_enter_with(u64 number, const u64 *arg, unsigned args)
{
	u64 *r = &user->context.regs.rdi;

	must(!user_in_call(user) && args <= 10);
	for (unsigned i = 0; i < args; i++)
		r[i] = arg[i];
	user->context.regs.rax = number;
	enter();
}

void user_again(void)
{
	must(user_in_call(user));
	enter();
}

void user_fault(vaddr_t address, unsigned access)
{
	must(!user_in_call(user));
	user = thread_of(kernel_page_fault(&user->context, address, access));
}

void user_exception(u64 vector, u64 error)
{
	must(!user_in_call(user));
	user = thread_of(kernel_exception(&user->context, vector, error));
}

void user_interrupt(void)
{
	user = thread_of(kernel_interrupt(&user->context));
}

void user_time(i64 to)
{
	host_time_set(to);
	user_interrupt();
}

sys_status_t user_call_with(u64 number, const u64 *arg, unsigned args)
{
	struct thread *t = user;

	user_enter_with(number, arg, args);
	while (user_in_call(t)) {
		must(user == t);
		user_again();
	}
	must(user == t);
	return user_status(t);
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

vaddr_t user_memory(struct space *s, u64 pages)
{
	struct vmo *v;
	vaddr_t at;
	u64 zero = 0;

	must(vmo_create(s->account, pages * PAGE_SIZE_, 0, &v) == SYS_OK);
	must(vmar_map(&s->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, v, SYS_RIGHTS_VMO, 0,
	              v->size, NULL, &at) == SYS_OK);
	for (u64 i = 0; i < pages; i++)
		user_poke(s, at + i * PAGE_SIZE_, &zero, sizeof zero);
	return at;
}

/* The kernel's view of a piece of the memory, one page's at most. */
static void *reach(struct space *s, vaddr_t at, unsigned access, u64 *len)
{
	struct page_wait w;
	sys_status_t status;
	void *out = NULL;

	memset(&w, 0, sizeof w);
	page_wait_init(&w);
	do
		status = space_reach(s, at, access, len, 0, &w, &out);
	while (status == VM_AGAIN);
	must(status == SYS_OK);
	return out;
}

void user_poke(struct space *s, vaddr_t at, const void *from, u64 size)
{
	for (u64 done = 0, part; done < size; done += part) {
		part = size - done;
		void *to = reach(s, at + done, SYS_ACCESS_WRITE, &part);
		memcpy(to, (const u8 *)from + done, part);
	}
}

void user_peek(struct space *s, vaddr_t at, void *to, u64 size)
{
	for (u64 done = 0, part; done < size; done += part) {
		part = size - done;
		const void *from = reach(s, at + done, SYS_ACCESS_READ, &part);
		memcpy((u8 *)to + done, from, part);
	}
}
