/* SPDX-License-Identifier: BSD-2-Clause */
/* futex.c: kernel/ipc/futex.c: single cases: what waiting costs, what may happen between the steps of a wake, and ends
 * of waits. Random sequences are model/futexes.c's. */
#include "common/threads.h"
#include "ipc/futex.h"

static struct actor *x[8];
static vaddr_t at;

/* Eight threads of one space, of this priority, with memory at x[0]->memory. */
static void few(u8 priority)
{
	kernel_start(4096);
	actors_forget();
	x[0] = actor_new(account_root(), NULL, NULL, priority);
	for (int i = 1; i < 8; i++)
		x[i] = actor_new(account_root(), x[0]->t->space, NULL, priority);
	actor_memory(x[0], 2);
	at = x[0]->memory;
}

static int wait_at(int i, vaddr_t va) { return actor_futex(x[i], va, 0, SYS_TIME_INFINITE); }

static u64 wake_all(vaddr_t va, u32 count)
{
	u64 woken = 0;
	int status;

	while ((status = futex_wake(x[0]->t, va, &count, &woken)) == VM_AGAIN)
		;
	ck_assert_int_eq(status, SYS_OK);
	futex_check();
	actors_check();
	return woken;
}

/* The first look at the memory faults its page in; nothing that waits costs memory. */
START_TEST(costs_nothing)
{
	u64 used;

	few(10);
	ck_assert_int_eq(actor_futex(x[1], at, 1, SYS_TIME_INFINITE), SYS_ERR_BAD_STATE);
	used = account_root()->used;
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(wait_at(i, at + 8 * (u64)i), BLOCKED);
	ck_assert_uint_eq(account_root()->used, used);
	for (int i = 0; i < 8; i++)
		ck_assert_uint_eq(wake_all(at + 8 * (u64)i, 2), 1);
	kernel_check();
}
END_TEST

/* One a step when interrupts keep coming; who comes meanwhile is woken too, who leaves is not counted. */
START_TEST(steps)
{
	u32 count = UINT32_MAX;
	u64 woken = 0;

	few(10);
	for (int i = 1; i < 6; i++)
		ck_assert_int_eq(wait_at(i, at), BLOCKED);
	host_preempt_every(1);
	ck_assert_int_eq(futex_wake(x[0]->t, at, &count, &woken), VM_AGAIN);
	ck_assert(woken == 1 && count == UINT32_MAX - 1);
	ck_assert_int_eq(actor_goes_on(x[1]), SYS_OK);
	ck_assert_int_eq(wait_at(6, at), BLOCKED);
	thread_exit(x[2]->t, 0);
	ck_assert_int_eq(thread_suspend(x[3]->t), SYS_OK);
	ck_assert_int_eq(futex_wake(x[0]->t, at, &count, &woken), VM_AGAIN);
	ck_assert_int_eq(actor_goes_on(x[4]), SYS_OK);
	ck_assert_int_eq(actor_goes_on(x[5]), BLOCKED);
	ck_assert_int_eq(futex_wake(x[0]->t, at, &count, &woken), VM_AGAIN);
	ck_assert_int_eq(futex_wake(x[0]->t, at, &count, &woken), SYS_OK);      /* not once more behind the last */
	ck_assert_uint_eq(woken, 4);
	host_preempt_every(0);
	ck_assert_int_eq(thread_resume(x[3]->t), SYS_OK);
	ck_assert_int_eq(actor_goes_on(x[3]), BLOCKED);
	ck_assert_uint_eq(wake_all(at, 1), 1);
}
END_TEST

/* What is woken is told, though the memory is gone when the rest's turn comes. */
START_TEST(unmapped_between_steps)
{
	u32 count = 3;
	u64 woken = 0;

	few(10);
	for (int i = 1; i < 4; i++)
		ck_assert_int_eq(wait_at(i, at), BLOCKED);
	host_preempt_every(1);
	ck_assert_int_eq(futex_wake(x[0]->t, at, &count, &woken), VM_AGAIN);
	host_preempt_every(0);
	while (vmar_unmap(&x[0]->t->space->root_vmar, true, at, 2 * PAGE_SIZE_) == VM_AGAIN)
		;
	ck_assert_int_eq(futex_wake(x[0]->t, at, &count, &woken), SYS_OK);
	ck_assert_uint_eq(woken, 1);
	woken = 0;
	ck_assert_int_eq(futex_wake(x[0]->t, at, &count, &woken), SYS_ERR_BAD_ADDRESS);
	ck_assert_int_eq(actor_goes_on(x[2]), BLOCKED);
	thread_exit(x[2]->t, 0);
	thread_exit(x[3]->t, 0);
	futex_check();
}
END_TEST

/* A deadline so near that it comes before the thread has left the CPU. */
START_TEST(deadline_on_the_way_out)
{
	few(10);
	thread_set_priority(x[1]->t, 20);
	ck_assert_ptr_eq(sched_next(), x[1]->t);
	ck_assert_int_eq(futex_wait(x[1]->t, at, 0, 10), CALL_BLOCKED);
	futex_check();
	host_time_set(10);
	ck_assert_ptr_eq(sched_next(), x[1]->t);
	ck_assert((int)x[1]->t->context.regs.rax == SYS_ERR_TIMED_OUT && !x[1]->t->timed);
	futex_check();
}
END_TEST

/* A deadline that is now has passed, the next one has not. */
START_TEST(deadline_now)
{
	few(10);
	host_time_set(10);
	ck_assert_int_eq(actor_futex(x[1], at, 0, 9), SYS_ERR_TIMED_OUT);
	ck_assert_int_eq(actor_futex(x[1], at, 0, 10), SYS_ERR_TIMED_OUT);
	ck_assert_int_eq(actor_futex(x[1], at, 0, 11), BLOCKED);
	time_pass(11);
	ck_assert_int_eq(actor_goes_on(x[1]), SYS_ERR_TIMED_OUT);
	futex_check();
}
END_TEST

/* The space ends under its waiters: they end, and stand nowhere any more. */
START_TEST(space_ends)
{
	struct space *s;

	few(10);
	s = x[0]->t->space;
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(wait_at(i, at), BLOCKED);
	object_end((struct object *)s);
	kernel_reap();
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(actor_goes_on(x[i]), GONE);
	futex_check();
	kernel_check();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("futex");

	add_test(s, costs_nothing);
	add_test(s, steps);
	add_test(s, unmapped_between_steps);
	add_test(s, deadline_on_the_way_out);
	add_test(s, deadline_now);
	add_test(s, space_ends);
	return s;
}
