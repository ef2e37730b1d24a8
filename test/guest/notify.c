/* SPDX-License-Identifier: BSD-2-Clause */
/* notify.c: notifications: bits that gather, one who takes them. */
#include "common/helper.h"

struct waiter { sys_cap_t ntfn; volatile uint64_t bits; volatile sys_status_t status; sys_time_t deadline; };

static int64_t waits(void *arg)
{
	struct waiter *waiter = arg;
	uint64_t bits = 0;

	waiter->status = sys_notification_wait(waiter->ntfn, &bits, waiter->deadline);
	waiter->bits = bits;
	return waiter->status;
}

TEST("notification_signal:OK notification_wait:OK bits gather, one wait takes them all")
{
	sys_cap_t ntfn = new_notification();
	uint64_t bits = 0;

	OKAY(sys_notification_signal(ntfn, 1));
	OKAY(sys_notification_signal(ntfn, 1ull << 63));
	OKAY(sys_notification_signal(ntfn, 1));
	OKAY(sys_notification_wait(ntfn, &bits, SYS_TIME_POLL));
	EQ(bits, 1 | 1ull << 63);
	REFUSED(SYS_ERR_TIMED_OUT, sys_notification_wait(ntfn, &bits, SYS_TIME_POLL));
	EQ(bits, 1 | 1ull << 63);
}

TEST("notification_wait:OK a waiting thread is woken with the bits")
{
	struct waiter waiter = {.ntfn = new_notification(), .deadline = SYS_TIME_INFINITE};
	sys_cap_t thread = helper_start(waits, &waiter);
	uint64_t bits;

	until_waiting(thread);
	OKAY(sys_notification_signal(waiter.ntfn, 0x10));
	EQ(until_exited(thread), SYS_OK);
	EQ(waiter.bits, 0x10);
	STATUS(SYS_ERR_TIMED_OUT, sys_notification_wait(waiter.ntfn, &bits, SYS_TIME_POLL));
}

TEST("notification_signal:OK one signal wakes one waiter")
{
	sys_cap_t ntfn = new_notification();
	struct waiter first = {.ntfn = ntfn, .deadline = SYS_TIME_INFINITE}, second = first;
	sys_cap_t one = helper_start(waits, &first);

	until_waiting(one);
	sys_cap_t two = helper_start(waits, &second);
	until_waiting(two);
	OKAY(sys_notification_signal(ntfn, 1));
	EQ(until_exited(one), SYS_OK);
	sleep_for(MILLISECOND);
	EQ(thread_info(two).state, SYS_THREAD_WAITING);
	OKAY(sys_notification_signal(ntfn, 2));
	EQ(until_exited(two), SYS_OK);
	EQ(first.bits, 1);
	EQ(second.bits, 2);
}

TEST("notification_wait:TIMED_OUT at its deadline")
{
	sys_cap_t ntfn = new_notification();
	uint64_t bits = 55;
	sys_time_t end = after(3 * MILLISECOND);

	REFUSED(SYS_ERR_TIMED_OUT, sys_notification_wait(ntfn, &bits, end));
	CHECK(sys_clock_get() >= end && sys_clock_get() < end + LIMIT);
	EQ(bits, 55);
	OKAY(sys_notification_signal(ntfn, 4));
	OKAY(sys_notification_wait(ntfn, &bits, end));
	EQ(bits, 4);
}

TEST("notification_wait:PEER_CLOSED the notification ends meanwhile")
{
	sys_cap_t ntfn = new_notification();
	struct waiter waiter = {.ntfn = ntfn, .deadline = SYS_TIME_INFINITE};
	sys_cap_t thread = helper_start(waits, &waiter);

	until_waiting(thread);
	OKAY(sys_cap_delete(ntfn));
	EQ(until_exited(thread), SYS_ERR_PEER_CLOSED);
	EQ(waiter.bits, 0);
}

TEST("notification_wait:OK several threads wait to different deadlines")
{
	sys_cap_t ntfn = new_notification(), thread[5];
	struct waiter waiter[5];
	sys_time_t now = sys_clock_get();
	static const int at[] = {5, 1, 4, 2, 3};

	for (int i = 0; i < 5; i++) {
		waiter[i] = (struct waiter){.ntfn = ntfn, .deadline = now + SECOND + at[i] * MILLISECOND};
		thread[i] = helper_start(waits, &waiter[i]);
	}
	for (int i = 0; i < 5; i++)
		until_waiting(thread[i]);
	for (int i = 0; i < 5; i++)
		EQ(until_exited(thread[i]), SYS_ERR_TIMED_OUT);
	CHECK(sys_clock_get() >= now + SECOND + 5 * MILLISECOND);
	uint64_t bits;
	OKAY(sys_notification_signal(ntfn, 1));
	OKAY(sys_notification_wait(ntfn, &bits, SYS_TIME_POLL));
}

TEST("notification_wait:OK a killed waiter takes nothing with it")
{
	struct waiter waiter = {.ntfn = new_notification(), .deadline = SYS_TIME_INFINITE};
	sys_cap_t thread = helper_start(waits, &waiter);
	uint64_t bits = 0;

	until_waiting(thread);
	OKAY(sys_thread_kill(thread, 0));
	OKAY(sys_notification_signal(waiter.ntfn, 8));
	OKAY(sys_notification_wait(waiter.ntfn, &bits, SYS_TIME_POLL));
	EQ(bits, 8);
}
