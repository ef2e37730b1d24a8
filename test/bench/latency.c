/* SPDX-License-Identifier: BSD-2-Clause */
/* latency.c: how long a destruction keeps others waiting. A thread of a higher priority sleeps until a deadline, every
 * PERIOD, and notes how late it runs by the time stamp counter (under instruction counting: in executed instructions);
 * meanwhile this thread takes something very large apart in one call. A row's value is the worst delay, its minimum column
 * the median; the way out of a sleep is part of each, and all of `delay_idle`. A line for people says
 *
 *     revoke of 1000000 descendants: worst delay of a periodic thread N instructions
 */
#include "common/bench.h"

#include <stdio.h>
#include <stdlib.h>

#define SECOND 1000000000ll
#define PERIOD 20000ll                  /* ns; and a varying bit more, so that no step goes in time with it */
enum {
	CNODE_SLOTS = 1 << 20,
	DESCENDANTS = 1000000,
	OBJECTS = 200000,
	ACCOUNTS = 2000,
	PAGES = 32768,
	MAPPINGS = 4096,
	DELAYS_MAX = 1 << 17,
	STACK = 16384
};

const struct bench_side bench_sides[] = {{NULL, NULL}};

/* ---- the periodic thread ---- */

static struct {
	sys_cap_t never;                /* a notification that nobody signals */
	volatile bool on;
	double rate;                    /* counter per ns */
	sys_time_t base_time;
	uint64_t base_counter;
	volatile uint32_t count;
	uint32_t delay[DELAYS_MAX];
} periodic;

static char stack[STACK] __attribute__((aligned(16)));

/* The counter at a time of the clock. */
static uint64_t counter_at(sys_time_t time)
{
	return periodic.base_counter + (uint64_t)((double)(time - periodic.base_time) * periodic.rate);
}

static void set_clocks(void)
{
	sys_time_t begin = sys_clock_get(), now;
	uint64_t at_begin = counter();

	do
		now = sys_clock_get();
	while (now < begin + SECOND / 20);
	periodic.base_counter = counter();
	periodic.base_time = now;
	periodic.rate = (double)(periodic.base_counter - at_begin) / (double)(now - begin);
}

static void run_periodically(void)
{
	sys_time_t next = sys_clock_get();
	uint64_t bits;

	for (unsigned round = 0;; round++) {
		next += PERIOD + round * 37 % 1024;
		while (next < sys_clock_get())
			next += PERIOD;
		sys_notification_wait(periodic.never, &bits, next);
		uint64_t now = counter(), due = counter_at(next);
		if (periodic.on && periodic.count < DELAYS_MAX)
			periodic.delay[periodic.count++] = (uint32_t)(now > due ? now - due : 0);
	}
}

static void start_periodic(void)
{
	sys_thread_info_t own;
	sys_cap_t thread;

	set_clocks();
	MUST(sys_notification_create(SYS_CAP_UNTYPED, &periodic.never));
	MUST(sys_thread_create(SYS_CAP_UNTYPED, SYS_CAP_CNODE, SYS_CAP_VMAR, SYS_CAP_NULL, &thread));
	MUST(sys_thread_start(thread, (sys_vaddr_t)run_periodically, (sys_vaddr_t)stack + STACK - 8, 0, 0));
	MUST(sys_thread_info(SYS_CAP_THREAD, &own));
	MUST(sys_thread_set_priority(SYS_CAP_THREAD, own.priority - 1));
}

/* ---- rows ---- */

static int ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static void begin(void)
{
	periodic.count = 0;
	periodic.on = true;
}

/* The worst delay since begin(). */
static uint32_t end(const char *id)
{
	periodic.on = false;
	uint32_t n = periodic.count;
	if (n == 0) {
		printf("latency: %s: no period was in it\n", id);
		exit(EXIT_FAILURE);
	}
	qsort(periodic.delay, n, sizeof(periodic.delay[0]), ascending);
	printf("bench %s %u %u %u\n", id, periodic.delay[n - 1], periodic.delay[n / 2], n);
	return periodic.delay[n - 1];
}

static void idle(void)
{
	sys_time_t until = sys_clock_get() + SECOND / 50;

	begin();
	for (volatile unsigned i = 0; i % 4096 || sys_clock_get() < until; i++)
		;
	end("delay_idle");
}

static sys_cap_t account_of(uint64_t bytes)
{
	sys_cap_t account;

	MUST(sys_untyped_create(SYS_CAP_UNTYPED, bytes, &account));
	return account;
}

static void revoke_row(const char *id, sys_cap_t cap)
{
	begin();
	MUST(sys_cap_revoke(cap));
	end(id);
}

/* The row that is asked for: copies of one capability, in a CNode that is large enough. */
static void many_descendants(void)
{
	sys_cap_t account = account_of((CNODE_SLOTS / 64 + 64) * PAGE), cnode, ep, copy;

	MUST(sys_cnode_create(account, CNODE_SLOTS, &cnode));
	MUST(sys_endpoint_create(account, &ep));
	for (unsigned i = 0; i < DESCENDANTS; i++)
		MUST(sys_cap_copy(ep, cnode, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &copy));
	begin();
	MUST(sys_cap_revoke(ep));
	printf("revoke of %u descendants: worst delay of a periodic thread %u instructions\n", DESCENDANTS,
	       end("delay_revoke"));
	/* The same number again, and the CNode that holds them goes. */
	for (unsigned i = 0; i < DESCENDANTS; i++)
		MUST(sys_cap_copy(ep, cnode, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &copy));
	begin();
	MUST(sys_cap_delete(cnode));
	end("delay_cnode");
	MUST(sys_cap_delete(account));
}

/* An account full of small objects, none of which has been named elsewhere. */
static void many_objects(void)
{
	sys_cap_t account = account_of(128ull << 20), cnode, cap;

	MUST(sys_cnode_create(account, CNODE_SLOTS, &cnode));
	for (unsigned i = 0; i < OBJECTS; i++) {
		MUST(sys_endpoint_create(account, &cap));
		MUST(sys_cap_move(cap, cnode, SYS_SLOT_ANY, &cap));
	}
	revoke_row("delay_objects", account);
	MUST(sys_cap_delete(account));
}

/* Accounts in accounts. */
static void deep_accounts(void)
{
	sys_cap_t account = account_of(64ull << 20), at = account, deeper;
	uint64_t bytes = 64ull << 20;

	for (unsigned i = 0; i < ACCOUNTS; i++) {
		bytes -= 2 * PAGE;
		MUST(sys_untyped_create(at, bytes, &deeper));
		at = deeper;
	}
	revoke_row("delay_accounts", account);
	MUST(sys_cap_delete(account));
}

static sys_cap_t filled_vmo(sys_cap_t account, uint64_t pages)
{
	sys_cap_t vmo;

	MUST(sys_vmo_create(account, pages * PAGE, SYS_VMO_RESIZABLE, &vmo));
	MUST(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, pages * PAGE, NULL, 0));
	return vmo;
}

/* Pages: mapped and touched, then shared with a snapshot, then given up in every way. */
static void many_pages(void)
{
	sys_cap_t account = account_of(3 * PAGES * PAGE), vmo = filled_vmo(account, PAGES), snapshot;
	sys_vaddr_t at;

	MUST(sys_vmar_map(SYS_CAP_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, vmo, 0, PAGES * PAGE, &at));
	for (uint64_t i = 0; i < PAGES; i++)
		*(volatile uint64_t *)(at + i * PAGE) = i;
	begin();
	MUST(sys_vmo_create_child(vmo, account, SYS_VMO_CHILD_SNAPSHOT, 0, PAGES * PAGE, &snapshot));
	end("delay_snapshot");
	for (uint64_t i = 0; i < PAGES; i += 3)
		*(volatile uint64_t *)(at + i * PAGE) = i;
	begin();
	MUST(sys_vmo_set_size(vmo, PAGE));
	end("delay_shrink");
	revoke_row("delay_pages", account);
	MUST(sys_cap_delete(account));
}

/* Many mappings of one VMO, which end with the capability that they were made with. */
static void many_mappings(void)
{
	sys_cap_t account = account_of(64ull << 20), vmo = filled_vmo(account, 16);
	sys_vaddr_t at;

	for (unsigned i = 0; i < MAPPINGS; i++) {
		MUST(sys_vmar_map(SYS_CAP_VMAR, SYS_VM_PERM_READ, 0, vmo, 0, 16 * PAGE, &at));
		(void)*(volatile uint64_t *)at;
	}
	revoke_row("delay_mappings", vmo);
	MUST(sys_cap_delete(account));
}

void bench_rows(void)
{
	start_periodic();
	idle();
	many_descendants();
	many_objects();
	deep_accounts();
	many_pages();
	many_mappings();
}
