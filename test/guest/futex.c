/* SPDX-License-Identifier: BSD-2-Clause */
/* futex.c: waiting at an address: what makes two addresses the same futex, in which order waiters are woken, and every
 * other way in which a wait ends. What libsys builds on it is mutex.c's. */
#include "common/client.h"
#include "common/process.h"

enum { CROWD = 1000 };

struct waiter {
	const uint32_t *at;
	uint32_t expected;
	sys_time_t deadline;
	volatile sys_status_t status;   /* 77: not back */
};

static uint32_t word[4] __attribute__((aligned(64)));

static int64_t waits(void *arg)
{
	struct waiter *waiter = arg;

	waiter->status = sys_futex_wait(waiter->at, waiter->expected, waiter->deadline);
	return waiter->status;
}

static struct waiter waiter_at(const uint32_t *at)
{
	return (struct waiter){.at = at, .deadline = SYS_TIME_INFINITE, .status = 77};
}

/* Returns when it waits. */
static sys_cap_t start(struct waiter *waiter)
{
	sys_cap_t thread = helper_start(waits, waiter);

	until_waiting(thread);
	return thread;
}

static sys_cap_t start_at(struct waiter *waiter, uint32_t priority)
{
	sys_cap_t thread = helper_prepare(waits, waiter, SYS_CAP_NULL, priority);

	helper_go(thread);
	until_waiting(thread);
	return thread;
}

static uint32_t wake(const uint32_t *at, uint32_t count)
{
	uint32_t woken = 0xdeadbeef;

	OKAY(sys_futex_wake(at, count, &woken));
	return woken;
}

static uint32_t *map_words(sys_cap_t vmo, uint64_t offset)
{
	return map_in(SYS_CAP_VMAR, vmo, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, offset, PAGE);
}

/* ---- refusals ---- */

TEST("futex_wait:BAD_STATE the value differs")
{
	word[0] = 5;
	REFUSED(SYS_ERR_BAD_STATE, sys_futex_wait(word, 4, SYS_TIME_INFINITE));
	REFUSED(SYS_ERR_BAD_STATE, sys_futex_wait(word, 4, SYS_TIME_POLL));
	word[0] = 0x80000000;
	REFUSED(SYS_ERR_BAD_STATE, sys_futex_wait(word, 0, SYS_TIME_POLL));
	REFUSED(SYS_ERR_TIMED_OUT, sys_futex_wait(word, 0x80000000, SYS_TIME_POLL));
}

TEST("futex_wait:TIMED_OUT at once, and at its deadline")
{
	sys_time_t end;

	word[0] = UINT32_MAX;
	REFUSED(SYS_ERR_TIMED_OUT, sys_futex_wait(word, UINT32_MAX, SYS_TIME_POLL));
	REFUSED(SYS_ERR_TIMED_OUT, sys_futex_wait(word, UINT32_MAX, INT64_MIN));
	REFUSED(SYS_ERR_TIMED_OUT, sys_futex_wait(word, UINT32_MAX, sys_clock_get()));
	end = after(3 * MILLISECOND);
	REFUSED(SYS_ERR_TIMED_OUT, sys_futex_wait(word, UINT32_MAX, end));
	CHECK(sys_clock_get() >= end && sys_clock_get() < end + LIMIT);
	EQ(wake(word, 1), 0);
}

TEST("futex_wait:INVALID_ARGS futex_wake:INVALID_ARGS an address that is not aligned")
{
	static char *const at[] = {(char *)word, NOWHERE, (char *)KERNEL_HALF, NULL};
	uint32_t woken = 99;

	for (int i = 0; i < 4; i++)
		for (int by = 1; by < 4; by++) {
			const uint32_t *odd = (const uint32_t *)(uintptr_t)(at[i] + by);
			REFUSED(SYS_ERR_INVALID_ARGS, sys_futex_wait(odd, 0, SYS_TIME_POLL));
			REFUSED(SYS_ERR_INVALID_ARGS, sys_futex_wake(odd, 0, &woken));
		}
	EQ(woken, 99);
}

TEST("futex_wait:BAD_ADDRESS futex_wake:BAD_ADDRESS nothing that can be read")
{
	static const uint64_t at[] = {0, KERNEL_HALF, 0x7fffffffe000, 0x800000000000, -4ull, (uint64_t)NOWHERE};
	uint32_t *none = map_in(SYS_CAP_VMAR, new_vmo(PAGE), 0, 0, PAGE);
	uint32_t woken = 99;

	for (int i = 0; i < 6; i++) {
		REFUSED(SYS_ERR_BAD_ADDRESS, sys_futex_wait((uint32_t *)at[i], 0, SYS_TIME_POLL));
		REFUSED(SYS_ERR_BAD_ADDRESS, sys_futex_wake((uint32_t *)at[i], 1, &woken));
	}
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_futex_wait(none, 0, SYS_TIME_POLL));
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_futex_wake(none, 0, &woken));
	OKAY(sys_vmar_protect(SYS_CAP_VMAR, SYS_VM_PERM_READ, (sys_vaddr_t)none, PAGE));
	STATUS(SYS_ERR_TIMED_OUT, sys_futex_wait(none, 0, SYS_TIME_POLL));
	OKAY(sys_vmar_protect(SYS_CAP_VMAR, 0, (sys_vaddr_t)none, PAGE));
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_futex_wait(none, 0, SYS_TIME_POLL));
	EQ(woken, 99);
	unmap(none, PAGE);
}

TEST("futex_wait:BAD_ADDRESS beyond the end of an object that shrank; who waited there can be woken")
{
	sys_cap_t vmo = new_resizable(2 * PAGE);
	uint32_t *at = map(vmo, 2 * PAGE), *last = at + 2 * PAGE / sizeof(*at) - 1;
	struct waiter waiter = waiter_at(last);
	sys_cap_t thread = start(&waiter);

	OKAY(sys_vmo_set_size(vmo, PAGE));
	STATUS(SYS_ERR_BAD_ADDRESS, sys_futex_wait(last, 0, SYS_TIME_POLL));
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	EQ(wake(last, 7), 1);
	EQ(until_exited(thread), SYS_OK);
	unmap(at, 2 * PAGE);
}

/* ---- waking ---- */

TEST("futex_wait:OK futex_wake:OK one that waits is woken")
{
	struct waiter waiter = waiter_at(word);
	sys_cap_t thread;

	word[0] = 0;
	EQ(wake(word, 1), 0);
	thread = start(&waiter);
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	EQ(waiter.status, 77);
	EQ(wake(word, 1), 1);
	EQ(until_exited(thread), SYS_OK);
	EQ(wake(word, 1), 0);
}

TEST("futex_wake:OK as many as asked for: none, some, all")
{
	struct waiter waiter[6];
	sys_cap_t thread[6];

	word[0] = 0;
	for (int i = 0; i < 6; i++) {
		waiter[i] = waiter_at(word);
		thread[i] = start(&waiter[i]);
	}
	EQ(wake(word, 0), 0);
	EQ(wake(word, 2), 2);
	EQ(until_exited(thread[0]), SYS_OK);
	EQ(until_exited(thread[1]), SYS_OK);
	sleep_for(MILLISECOND);
	for (int i = 2; i < 6; i++)
		EQ(thread_info(thread[i]).state, SYS_THREAD_WAITING);
	EQ(wake(word, 1), 1);
	EQ(until_exited(thread[2]), SYS_OK);
	EQ(wake(word, UINT32_MAX), 3);
	for (int i = 3; i < 6; i++)
		EQ(until_exited(thread[i]), SYS_OK);
	EQ(wake(word, UINT32_MAX), 0);
}

TEST("futex_wake:OK by priority, then by arrival; a changed priority moves a waiter behind its equals")
{
	static const int below[] = {2, 1, 2, 1, 1, 0, 1};       /* our own priority */
	static const int order[] = {5, 1, 3, 6, 0, 4, 2};       /* after 4 has gone from 1 to 2, and 0 from 2 to 2 ... */
	uint32_t priority = own_priority();
	struct waiter waiter[7];
	sys_cap_t thread[7];

	word[0] = 0;
	for (int i = 0; i < 7; i++) {
		waiter[i] = waiter_at(word);
		thread[i] = start_at(&waiter[i], priority);
		OKAY(sys_thread_set_priority(thread[i], priority - (uint32_t)below[i]));
	}
	OKAY(sys_thread_set_priority(thread[4], priority - 2));
	OKAY(sys_thread_set_priority(thread[2], priority - 2)); /* ... and 2 likewise, so behind 4 */
	for (int i = 0; i < 7; i++) {
		EQ(wake(word, 1), 1);
		for (int j = i; j < 7; j++)
			if (order[j] != order[i])
				EQ(thread_info(thread[order[j]]).state, SYS_THREAD_WAITING);
		sys_status_t status = sys_thread_set_priority(thread[order[i]], priority);
		CHECK(status == SYS_OK || status == SYS_ERR_BAD_STATE);         /* on another CPU it may have ended */
		EQ(until_exited(thread[order[i]]), SYS_OK);
	}
}

TEST("futex_wait:OK a futex is one word, whatever stands beside it")
{
	struct waiter waiter[3];
	sys_cap_t thread[3];

	for (int i = 0; i < 3; i++) {
		word[i] = 0;
		waiter[i] = waiter_at(&word[i]);
		thread[i] = start(&waiter[i]);
	}
	EQ(wake(&word[1], UINT32_MAX), 1);
	EQ(until_exited(thread[1]), SYS_OK);
	EQ(wake(&word[3], UINT32_MAX), 0);
	EQ(wake(&word[1], UINT32_MAX), 0);
	EQ(wake(&word[0], UINT32_MAX), 1);
	EQ(wake(&word[2], UINT32_MAX), 1);
	EQ(until_exited(thread[0]), SYS_OK);
	EQ(until_exited(thread[2]), SYS_OK);
}

TEST("futex_wait:OK futex_wake:OK in a CSpace that holds nothing")
{
	struct waiter waiter = waiter_at(word);

	word[0] = 0;
	waiter.deadline = after(LIMIT);
	sys_cap_t thread = helper_start_in(new_cnode(16), waits, &waiter);
	until_waiting(thread);
	EQ(wake(word, 1), 1);
	EQ(until_exited(thread), SYS_OK);
}

/* ---- which addresses are the same ---- */

TEST("futex_wake:OK two mappings of one object are the same memory, for reading too")
{
	sys_cap_t vmo = new_vmo(3 * PAGE);
	uint32_t *all = map_in(SYS_CAP_VMAR, vmo, SYS_VM_PERM_READ, 0, 3 * PAGE), *middle = map_words(vmo, PAGE);
	uint32_t *first = map_words(vmo, 0);
	struct waiter waiter = waiter_at(all + PAGE / sizeof(*all) + 3);
	sys_cap_t thread = start(&waiter);

	EQ(wake(all + 3, 1), 0);
	EQ(wake(first + 3, 1), 0);
	EQ(wake(middle + 4, 1), 0);
	EQ(wake(middle + 3, 1), 1);
	EQ(until_exited(thread), SYS_OK);
	waiter = waiter_at(middle);
	thread = start(&waiter);
	EQ(wake(all + PAGE / sizeof(*all), 1), 1);
	EQ(until_exited(thread), SYS_OK);
	unmap(all, 3 * PAGE);
	unmap(middle, PAGE);
	unmap(first, PAGE);
}

TEST("futex_wake:OK a snapshot and its original are apart, both ways")
{
	sys_cap_t vmo = new_vmo(PAGE), copy;
	uint32_t *at = map_words(vmo, 0), *copied;
	struct waiter waiter = waiter_at(at), other;

	*at = 7;
	copy = new_snapshot(vmo, 0, PAGE);
	copied = map_words(copy, 0);
	EQ(*copied, 7);
	other = waiter_at(copied);
	waiter.expected = other.expected = 7;
	sys_cap_t thread = start(&waiter);
	EQ(wake(copied, UINT32_MAX), 0);
	sys_cap_t second = start(&other);
	EQ(wake(at, UINT32_MAX), 1);
	EQ(until_exited(thread), SYS_OK);
	EQ(thread_info(second).state, SYS_THREAD_WAITING);
	EQ(wake(copied, UINT32_MAX), 1);
	EQ(until_exited(second), SYS_OK);
	unmap(at, PAGE);
	unmap(copied, PAGE);
}

/* The other process: its image has the address where the object is mapped there. */
static uint32_t *shared, *replies;

static int64_t shares(void *arg)
{
	uint32_t woken = 0;
	sys_status_t status;

	(void)arg;
	while ((status = sys_futex_wait(shared, 1, SYS_TIME_INFINITE)) == SYS_OK)
		;
	if (status != SYS_ERR_BAD_STATE || *shared != 2)
		return 1;
	while (woken == 0)
		if (sys_futex_wake(replies, 1, &woken) != SYS_OK)
			return 2;
	return 42;
}

TEST("futex_wait:OK futex_wake:OK two processes that map an object at different addresses; not their private memory")
{
	sys_cap_t vmo = new_vmo(2 * PAGE);
	uint32_t *mine = map(vmo, 2 * PAGE);
	struct waiter waiter = waiter_at(&mine[PAGE / sizeof(*mine) + 5]);
	sys_process_t process;
	sys_vaddr_t at;

	process_create(&process, SYS_CAP_NULL);
	OKAY(sys_vmar_map(process.vmar, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE | SYS_VM_SPECIFIC, 0x123450000000, vmo, 0,
			  2 * PAGE, &at));
	CHECK(at != (sys_vaddr_t)mine);
	shared = (uint32_t *)at;
	replies = shared + PAGE / sizeof(*shared) + 5;
	*mine = 1;
	process_go(&process, shares, NULL);
	until_waiting(process.thread);
	EQ(wake((uint32_t *)&shared, UINT32_MAX), 0);
	EQ(wake(mine, UINT32_MAX), 1);
	until_waiting(process.thread);
	*mine = 2;
	EQ(wake(mine, UINT32_MAX), 1);
	EQ(sys_futex_wait(waiter.at, 0, after(LIMIT)), SYS_OK);
	EQ(until_exited(process.thread), 42);
	process_end(&process);
	unmap(mine, 2 * PAGE);
}

/* ---- other ends of a wait ---- */

TEST("futex_wait:TIMED_OUT several threads wait to different deadlines")
{
	static const int at[] = {5, 1, 4, 2, 3};
	sys_time_t now = sys_clock_get();
	struct waiter waiter[5];
	sys_cap_t thread[5];

	word[0] = 0;
	for (int i = 0; i < 5; i++) {
		waiter[i] = waiter_at(word);
		waiter[i].deadline = now + (1000 + 400 * at[i]) * MILLISECOND;
		thread[i] = start(&waiter[i]);
	}
	EQ(until_exited(thread[1]), SYS_ERR_TIMED_OUT);
	EQ(until_exited(thread[3]), SYS_ERR_TIMED_OUT);
	EQ(wake(word, 1), 1);           /* the first that came and is left */
	EQ(until_exited(thread[0]), SYS_OK);
	EQ(until_exited(thread[4]), SYS_ERR_TIMED_OUT);
	EQ(until_exited(thread[2]), SYS_ERR_TIMED_OUT);
	CHECK(sys_clock_get() >= now + 2600 * MILLISECOND);
	EQ(wake(word, 1), 0);
}

TEST("futex_wake:OK a killed waiter takes no wake-up with it")
{
	struct waiter first = waiter_at(word), second = first;
	sys_cap_t killed, thread;

	word[0] = 0;
	killed = start(&first);
	thread = start(&second);
	OKAY(sys_thread_kill(killed, -3));
	EQ(wake(word, 1), 1);
	EQ(until_exited(thread), SYS_OK);
	EQ(thread_info(killed).exit_code, -3);
	EQ(first.status, 77);
	EQ(wake(word, 1), 0);
}

TEST("futex_wait:OK a suspended waiter is not woken; resumed, it waits again, behind the others")
{
	struct waiter first = waiter_at(word), second = first;
	sys_cap_t one, two;

	word[0] = 0;
	one = start(&first);
	two = start(&second);
	OKAY(sys_thread_suspend(one));
	EQ(thread_info(one).state, SYS_THREAD_SUSPENDED);
	OKAY(sys_thread_resume(one));
	until_waiting(one);
	EQ(wake(word, 1), 1);
	EQ(until_exited(two), SYS_OK);
	OKAY(sys_thread_suspend(one));
	EQ(wake(word, 1), 0);
	OKAY(sys_thread_resume(one));
	until_waiting(one);
	EQ(wake(word, 1), 1);
	EQ(until_exited(one), SYS_OK);
}

TEST("futex_wait:BAD_STATE futex_wait:TIMED_OUT what happened while it was suspended")
{
	struct waiter changed = waiter_at(&word[0]), late = waiter_at(&word[1]);
	sys_cap_t one, two;

	word[0] = word[1] = 0;
	late.deadline = after(SECOND);
	one = start(&changed);
	two = start(&late);
	OKAY(sys_thread_suspend(one));
	OKAY(sys_thread_suspend(two));
	word[0] = 1;
	sleep_for(SECOND);
	EQ(changed.status, 77);
	EQ(late.status, 77);
	OKAY(sys_thread_resume(one));
	OKAY(sys_thread_resume(two));
	EQ(until_exited(one), SYS_ERR_BAD_STATE);
	EQ(until_exited(two), SYS_ERR_TIMED_OUT);
}

TEST("futex_wait:OK a waiter whose mapping goes waits on, and is woken through another")
{
	sys_cap_t vmo = new_vmo(PAGE);
	uint32_t *at = map_words(vmo, 0), *other = map_words(vmo, 0);
	struct waiter waiter = waiter_at(at);
	sys_cap_t thread = start(&waiter);

	unmap(at, PAGE);
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	EQ(wake(other, 1), 1);
	EQ(until_exited(thread), SYS_OK);
	unmap(other, PAGE);
}

TEST("futex_wait:TIMED_OUT futex_wait:BAD_ADDRESS who waits at memory that ends waits on, to its deadline or resumption")
{
	sys_cap_t vmo = new_vmo(PAGE);
	uint32_t *at = map_words(vmo, 0), *next;
	struct waiter waiter[3];
	sys_cap_t thread[3];

	for (int i = 0; i < 3; i++) {
		waiter[i] = waiter_at(at);
		if (i == 0)
			waiter[i].deadline = after(2 * SECOND);
		thread[i] = start(&waiter[i]);
	}
	unmap(at, PAGE);
	OKAY(sys_cap_delete(vmo));
	vmo = new_vmo(PAGE);            /* memory of the same size, in its place: another futex */
	OKAY(sys_vmar_map(SYS_CAP_VMAR, SYS_VM_PERM_READ | SYS_VM_SPECIFIC, (sys_vaddr_t)at - PAGE, vmo, 0, PAGE,
			  (sys_vaddr_t *)&next));
	EQ(next, at);
	EQ(wake(at, UINT32_MAX), 0);
	for (int i = 0; i < 3; i++)
		EQ(thread_info(thread[i]).state, SYS_THREAD_WAITING);
	EQ(until_exited(thread[0]), SYS_ERR_TIMED_OUT);
	OKAY(sys_thread_suspend(thread[1]));
	unmap(at, PAGE);
	OKAY(sys_thread_resume(thread[1]));
	EQ(until_exited(thread[1]), SYS_ERR_BAD_ADDRESS);
	EQ(thread_info(thread[2]).state, SYS_THREAD_WAITING);
	OKAY(sys_thread_kill(thread[2], 0));
}

TEST("futex_wait:OK futex_wait:BAD_STATE futex_wait:BAD_ADDRESS a word that a pager has; waking asks for no page")
{
	struct waiter waiter;
	sys_cap_t thread;
	uint32_t *at;

	pager_begin();
	at = map_in(SYS_CAP_VMAR, vmo, SYS_VM_PERM_READ, 0, PAGES * PAGE);
	EQ(wake(at, 1), 0);
	expect_none();
	waiter = waiter_at(at);
	waiter.expected = 5;
	thread = start(&waiter);
	expect(0, 1, SYS_ACCESS_READ);
	EQ(wake(at, 1), 0);             /* it waits for the page so far */
	EQ(supply(0, 1, 5), PAGE);
	until_waiting(thread);
	EQ(wake(at, 1), 1);
	EQ(until_exited(thread), SYS_OK);
	waiter = waiter_at(at + PAGE / sizeof(*at));
	thread = start(&waiter);
	expect(PAGE, 1, SYS_ACCESS_READ);
	EQ(supply(1, 1, 5), PAGE);
	EQ(until_exited(thread), SYS_ERR_BAD_STATE);
	waiter = waiter_at(at + 2 * PAGE / sizeof(*at));
	thread = start(&waiter);
	expect(2 * PAGE, 1, SYS_ACCESS_READ);
	OKAY(sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 2 * PAGE, PAGE, SYS_ERR_IO));
	EQ(until_exited(thread), SYS_ERR_BAD_ADDRESS);
	unmap(at, PAGES * PAGE);
}

/* ---- a crowd ---- */

/* A thread without a stack: waits at rdi while rsi is there; woken, at the other one of a pair of words. So who has
 * been woken by one call is not met by the next. Counts how often it came. */
void crowd_entry(void);
volatile uint32_t crowd_came;
__asm__(".text\n.globl crowd_entry\n"
	"crowd_entry:\n"
	"	movq %rdi, %rbx\n"
	"	movq %rsi, %rbp\n"
	"1:	lock incl crowd_came(%rip)\n"
	"	movl $51, %eax\n"               /* futex_wait */
	"	movq %rbx, %rdi\n"
	"	movq %rbp, %rsi\n"
	"	movq $0x7fffffffffffffff, %rdx\n"
	"	syscall\n"
	"	testl %eax, %eax\n"
	"	jnz 2f\n"
	"	xorq $4, %rbx\n"
	"	jmp 1b\n"
	"2:	movslq %eax, %rdi\n"
	"	movl $48, %eax\n"               /* thread_exit */
	"	syscall\n"
	"	ud2\n");

static sys_cap_t crowd[CROWD];
static uint32_t *crowd_at;              /* where it waits in this round */

static bool crowd_is(uint32_t state)
{
	for (int i = 0; i < CROWD; i++)
		if (thread_info(crowd[i]).state != state)
			return false;
	return true;
}

/* They are of lower priority, so we must sleep for them to go on. */
static void until_crowd_is(uint32_t state)
{
	sys_time_t end = after(8 * LIMIT);

	while (!crowd_is(state)) {
		CHECK(sys_clock_get() < end);
		sleep_for(MILLISECOND);
	}
}

/* After all have been woken: the next round is at the other word. */
static void crowd_again(void)
{
	until_crowd_is(SYS_THREAD_WAITING);
	crowd_at = crowd_at == word ? word + 1 : word;
}

static void crowd_begin(uint32_t priority)
{
	word[0] = word[1] = 0;
	crowd_at = word;
	for (int i = 0; i < CROWD; i++) {
		crowd[i] = new_thread();
		OKAY(sys_thread_set_priority(crowd[i], priority));
		OKAY(sys_thread_start(crowd[i], (sys_vaddr_t)crowd_entry, 0, (uint64_t)word, 0));
	}
	until_crowd_is(SYS_THREAD_WAITING);
}

struct waker { volatile sys_status_t status; volatile uint32_t woken; };

static int64_t wakes_all(void *arg)
{
	struct waker *waker = arg;
	uint32_t woken = 0;

	waker->status = sys_futex_wake(crowd_at, UINT32_MAX, &woken);
	waker->woken = woken;
	return waker->status;
}

TEST("futex_wake:OK a thousand waiters, in steps: who is better gets in between, and nobody is counted twice or missed")
{
	uint32_t priority = own_priority(), own, shared_out = 0;

	crowd_begin(priority - 2);
	for (int try = 1; shared_out == 0; try++) {
		struct waker waker = {77, 0};
		sys_cap_t thread = helper_prepare(wakes_all, &waker, SYS_CAP_NULL, priority - 1);

		CHECK(try < 400);
		helper_go(thread);
		sleep_for(try * 10000);         /* the waker runs, and we are back in the middle of its call */
		own = wake(crowd_at, UINT32_MAX);
		while (thread_info(thread).state != SYS_THREAD_EXITED)
			sleep_for(MILLISECOND / 10);
		EQ(waker.status, SYS_OK);
		EQ(waker.woken + own, CROWD);
		if (waker.woken > 0 && own > 0)
			shared_out = own;
		crowd_again();
		helper_drop(1);
		OKAY(sys_cap_delete(thread));
	}
	*(crowd_at == word ? word + 1 : word) = 1;
	EQ(wake(crowd_at, CROWD / 2), CROWD / 2);
	EQ(wake(crowd_at, UINT32_MAX), CROWD - CROWD / 2);
	until_crowd_is(SYS_THREAD_EXITED);
	for (int i = 0; i < CROWD; i++)
		EQ(thread_info(crowd[i]).exit_code, SYS_ERR_BAD_STATE);
}

TEST("futex_wake:OK a waker that is killed or suspended in the middle of a thousand leaves the rest waiting")
{
	uint32_t priority = own_priority(), rest, came;

	crowd_begin(priority - 2);
	for (int i = 0; i < 8; i++) {
		struct waker waker = {77, 0};
		sys_cap_t thread = helper_prepare(wakes_all, &waker, SYS_CAP_NULL, priority - 1);

		came = crowd_came;
		helper_go(thread);
		sleep_for(20000 + i * 30000);
		bool suspended = i % 2 && sys_thread_suspend(thread) == SYS_OK; /* unless it is through */
		if (!suspended)
			sys_thread_kill(thread, 0);
		rest = wake(crowd_at, UINT32_MAX);
		EQ(wake(crowd_at, UINT32_MAX), 0);
		if (suspended) {
			OKAY(sys_thread_resume(thread));
			while (thread_info(thread).state != SYS_THREAD_EXITED)
				sleep_for(MILLISECOND / 10);
			EQ(waker.woken + rest, CROWD);
		}
		crowd_again();
		EQ(crowd_came, came + CROWD);   /* each was woken once */
		OKAY(sys_cap_delete(thread));
		helper_drop(1);
	}
	EQ(wake(crowd_at, UINT32_MAX), CROWD);
}
