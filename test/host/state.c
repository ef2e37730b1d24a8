/* SPDX-License-Identifier: BSD-2-Clause */
/* state.c: kernel/sched/state.c and the machine's registers as data: whose may be looked at, and that nothing that was
 * written can make the way out of the kernel fault. */
#include <string.h>
#include "arch/pagetable.h"
#include "arch/x86_64/state.h"
#include "common/threads.h"

static struct account *root;
static struct cnode *cs;
static struct endpoint *e;
static struct reply *r;
static struct notification *n;
static struct actor *s, *t;
static u8 area[ARCH_STATE_MAX];
static sys_regs_t regs;

static void start(void)
{
	kernel_start(4096);
	actors_forget();
	root = account_root();
	cs = cnode_new(root, 64);
	object_cap(&cs->object);
	struct slot *top = cap_put(cs, root, NULL, SLOT_FIRST);
	e = object_new(root, SYS_TYPE_ENDPOINT);
	r = object_new(root, SYS_TYPE_REPLY);
	n = object_new(root, SYS_TYPE_NOTIFICATION);
	cap_put(cs, e, top, SLOT_FIRST);
	cap_put(cs, r, top, SLOT_FIRST);
	cap_put(cs, n, top, SLOT_FIRST);
	s = actor_new(root, NULL, cs, 10);
	t = actor_new(root, NULL, cs, 10);
	actor_word(s, 1, 111);
}

static sys_status_t read_general(struct actor *x) { return thread_read_state(x->t, SYS_STATE_GENERAL, &regs); }
static sys_status_t write_general(struct actor *x) { return thread_write_state(x->t, SYS_STATE_GENERAL, &regs); }

static void both(struct actor *x, sys_status_t status)
{
	ck_assert_int_eq(read_general(x), status);
	ck_assert_int_eq(thread_readable(x->t), status);
	ck_assert_int_eq(write_general(x), status);
	ck_assert_int_eq(thread_writable(x->t, SYS_STATE_GENERAL), status);
	ck_assert_int_eq(thread_read_state(x->t, SYS_STATE_FPU, area), status);
	ck_assert_int_eq(thread_write_state(x->t, SYS_STATE_FPU, area), status);
}

/* ---- whose ------------------------------------------------------------------------------------------------------- */

START_TEST(states)
{
	struct thread *fresh;

	start();
	both(s, SYS_ERR_BAD_STATE);             /* ready */
	thread_suspend(s->t);
	both(s, SYS_OK);
	thread_resume(s->t);
	both(s, SYS_ERR_BAD_STATE);
	ck_assert_int_eq(actor_recv(s, e, r, SYS_TIME_INFINITE), BLOCKED);
	both(s, SYS_ERR_BAD_STATE);             /* waiting */
	thread_suspend(s->t);
	both(s, SYS_OK);                        /* its call is to be made again */
	ck_assert_uint_eq(regs.rip, 0x400000);  /* where the actors' one syscall stands */
	thread_resume(s->t);
	ck_assert_int_eq(actor_goes_on(s), BLOCKED);
	thread_exit(s->t, 1);
	both(s, SYS_ERR_BAD_STATE);
	thread_suspend(t->t);
	thread_exit(t->t, 1);
	both(t, SYS_ERR_BAD_STATE);
	ck_assert_int_eq(thread_create(root, actor_new(root, NULL, cs, 1)->t->space, 1, &fresh), SYS_OK);
	ck_assert_int_eq(thread_readable(fresh), SYS_OK);
	ck_assert_int_eq(thread_writable(fresh, SYS_STATE_GENERAL), SYS_OK);
}
END_TEST

START_TEST(faults)
{
	start();
	ipc_set_fault_endpoint(s->t, e, 5);
	ck_assert_int_eq(actor_fault(s, 0x1234000, 9), BLOCKED);
	both(s, SYS_OK);                        /* nobody has its message yet */
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), SYS_OK);
	ck_assert_int_eq(read_general(s), SYS_OK);
	regs.rbx = 77;
	ck_assert_int_eq(write_general(s), SYS_OK);
	actor_word(t, 1, 1);
	ck_assert_int_eq(actor_reply(t, r), SYS_OK);
	ck_assert_int_eq(s->t->state, SYS_THREAD_READY);
	ck_assert_uint_eq(s->t->context.regs.rbx, 77);
	both(s, SYS_ERR_BAD_STATE);
}
END_TEST

/* A reply comes into the registers: until then they are not to be written. */
START_TEST(replies)
{
	start();
	ck_assert_int_eq(actor_call(s, e, 0, SYS_TIME_INFINITE), BLOCKED);
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), SYS_OK);
	both(s, SYS_ERR_BAD_STATE);
	thread_suspend(s->t);
	ck_assert_int_eq(read_general(s), SYS_OK);
	ck_assert_int_eq(write_general(s), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(thread_read_state(s->t, SYS_STATE_FPU, area), SYS_OK);
	ck_assert_int_eq(thread_write_state(s->t, SYS_STATE_FPU, area), SYS_OK);
	actor_word(t, 5, 555);
	ck_assert_int_eq(actor_reply(t, r), SYS_OK);
	both(s, SYS_OK);
	ck_assert_uint_eq(s->t->context.regs.r12, 555);
	kernel_check();
	actors_check();
}
END_TEST

START_TEST(copies)
{
	sys_msg_t m = { .label = 1, .words = 9 };

	start();
	actor_memory(s, 1);
	actor_memory(t, 1);
	ck_assert_int_eq(actor_recv(t, e, r, SYS_TIME_INFINITE), BLOCKED);
	actor_says(s, &m);
	ck_assert_int_eq(actor_send(s, e, 0, SYS_TIME_INFINITE), SYS_OK);
	thread_suspend(t->t);
	ck_assert(t->t->finish);
	ck_assert_int_eq(read_general(t), SYS_OK);
	regs.r9 = UINT32_MAX;                   /* as many words as would be copied out */
	ck_assert_int_eq(write_general(t), SYS_ERR_BAD_STATE);
	thread_resume(t->t);
	ck_assert_int_eq(actor_goes_on(t), SYS_OK);
}
END_TEST

/* How far a call in steps is counts only for that call. */
START_TEST(progress)
{
	start();
	thread_suspend(s->t);
	for (unsigned field = 0; field < sizeof regs / sizeof(u64); field++) {
		u64 *value = (u64 *)&regs + field;
		ck_assert_int_eq(read_general(s), SYS_OK);
		s->t->progress = 3;
		s->t->retries = 4;
		ck_assert_int_eq(write_general(s), SYS_OK);
		ck_assert(s->t->progress == 3 && s->t->retries == 4);
		*value ^= 1 << 4;
		ck_assert_int_eq(write_general(s), SYS_OK);
		bool kept = value == &regs.rbx || value == &regs.rcx || value == &regs.rbp || value == &regs.rsp ||
		            value == &regs.r11 || value == &regs.rflags || value == &regs.fs_base ||
		            value == &regs.gs_base;
		ck_assert(s->t->progress == (kept ? 3 : 0) && s->t->retries == (kept ? 4u : 0u));
	}
}
END_TEST

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* What iretq and wrmsr take. */
static void check_loadable(const struct regs *g)
{
	ck_assert(g->rip <= PT_USER_TOP && g->rsp <= PT_USER_TOP);
	ck_assert(g->fs_base <= PT_USER_TOP && g->gs_base <= PT_USER_TOP);
	ck_assert_uint_eq(g->rflags & ~0x250dd5ull, 0x202);
	ck_assert(g->vector == 0 && g->cs == 0x23 && g->ss == 0x1b);
}

static u64 some_value(void)
{
	static const u64 edges[] = {
		0, 1, 0x1000, PT_USER_TOP, PT_USER_TOP + 1, 1ull << 47, UINT64_MAX, 0xffff800000000000,
	};

	return random_below(3) ? edges[random_below(8)] : random_u64() >> random_below(64);
}

START_TEST(general_values)
{
	unsigned taken = 0;

	start();
	thread_suspend(s->t);
	s->t->context.regs.cs = 0x23;
	s->t->context.regs.ss = 0x1b;
	s->t->context.regs.rflags = 0x202;
	for (unsigned i = 0; i < 20000; i++) {
		struct regs before = s->t->context.regs;
		sys_regs_t back;
		for (unsigned j = 0; j < sizeof regs / sizeof(u64); j++)
			((u64 *)&regs)[j] = some_value();
		sys_status_t status = write_general(s);
		bool good = regs.rip <= PT_USER_TOP && regs.rsp <= PT_USER_TOP && regs.fs_base <= PT_USER_TOP &&
		            regs.gs_base <= PT_USER_TOP;
		ck_assert_int_eq(status, good ? SYS_OK : SYS_ERR_INVALID_ARGS);
		taken += good;
		if (!good)
			ck_assert(!memcmp(&before, &s->t->context.regs, sizeof before));
		check_loadable(&s->t->context.regs);
		if (!good)
			continue;
		ck_assert_int_eq(thread_read_state(s->t, SYS_STATE_GENERAL, &back), SYS_OK);
		regs.rflags = (regs.rflags & 0x250dd5) | 0x202;
		ck_assert(!memcmp(&back, &regs, sizeof regs));
	}
	ck_assert_uint_gt(taken, 100);
}
END_TEST

/* By `syscall` rcx and r11 are lost; after a write they count. */
START_TEST(lost_registers)
{
	start();
	thread_suspend(s->t);
	s->t->context.regs.vector = VECTOR_SYSCALL;
	s->t->context.regs.rflags = 0x246;
	s->t->context.regs.rcx = s->t->context.regs.r11 = 9;
	ck_assert_int_eq(read_general(s), SYS_OK);
	ck_assert(regs.rcx == regs.rip && regs.r11 == 0x246);
	regs.rcx = 10;
	regs.r11 = 11;
	ck_assert_int_eq(write_general(s), SYS_OK);
	ck_assert(s->t->context.regs.vector != VECTOR_SYSCALL);
	ck_assert_int_eq(read_general(s), SYS_OK);
	ck_assert(regs.rcx == 10 && regs.r11 == 11);
}
END_TEST

/* What xrstor takes: nothing reserved in MXCSR, in XSTATE_BV, in the rest of the header. */
START_TEST(fpu_values)
{
	struct fpu_form form = fpu_form();
	u8 back[ARCH_STATE_MAX];
	unsigned taken = 0;

	start();
	thread_suspend(s->t);
	ck_assert_uint_eq(arch_state_size(SYS_STATE_FPU), form.size);
	for (unsigned i = 0; i < 5000; i++) {
		for (unsigned j = 0; j < form.size; j++)
			area[j] = (u8)random_u64();
		memset(area + 26, 0, 2);
		memset(area + 512, 0, 64);
		area[512] = (u8)random_below(8);
		bool good = !random_below(2);
		unsigned reserved[] = { 26, 27, 513 + (unsigned)random_below(63) };
		if (!good)
			area[reserved[random_below(3)]] |= 1 << random_below(8);
		u8 was[ARCH_STATE_MAX];
		memcpy(was, s->t->context.fpu, sizeof was);
		ck_assert_int_eq(thread_write_state(s->t, SYS_STATE_FPU, area), good ? SYS_OK : SYS_ERR_INVALID_ARGS);
		ck_assert(!memcmp(s->t->context.fpu, good ? area : was, form.size));
		ck_assert(!memcmp(s->t->context.fpu + form.size, was + form.size, sizeof was - form.size));
		ck_assert_int_eq(thread_read_state(s->t, SYS_STATE_FPU, back), SYS_OK);
		ck_assert(!memcmp(back, s->t->context.fpu, form.size));
		taken += good;
	}
	area[512] = 8;                          /* a part that is not in XCR0 */
	ck_assert_int_eq(thread_write_state(s->t, SYS_STATE_FPU, area), SYS_ERR_INVALID_ARGS);
	ck_assert_uint_gt(taken, 1000);
	ck_assert(arch_state_size(0) == 0 && arch_state_size(SYS_STATE_DEBUG) == 0 && arch_state_size(UINT32_MAX) == 0);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("state");

	add_test(suite, states);
	add_test(suite, faults);
	add_test(suite, replies);
	add_test(suite, copies);
	add_test(suite, progress);
	add_test(suite, general_values);
	add_test(suite, lost_registers);
	add_test(suite, fpu_values);
	return suite;
}
