/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz.c: random and plausible system calls from several threads of two processes at once (common/fuzzer.h). They live
 * in an account of their own; their lives are short: the account is revoked while they are at it, must be empty then,
 * and all begins anew. They hold no right to end the machine or to touch this program: copies of the resource without
 * MANAGE, of the console without WRITE.
 *
 * As a test of `make check` it makes CHECK_CALLS calls; started with arguments (CALLS SEED) as many as that says. The same
 * seed gives the same calls where the machine is repeatable (run-qemu --icount). */
#include "common/fuzzer.h"
#include "common/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	CHECK_CALLS = 300000,
	PROCESSES = 2,
	STATES_BYTES = 256 << 10,
	LIFE_CALLS = 20000,
	STUCK_TICKS = 4,
	ACCOUNT_MAX = 8 << 20,
};
#define TICK_MAX (400 * 1000)           /* ns */
#define LIFE_MAX (100 * MILLISECOND)

static uint64_t calls_wanted = CHECK_CALLS, seed = 1, dice;
static uint64_t calls_made, lives;
static uint64_t tried[CALL_NUMBERS], worked[CALL_NUMBERS];

/* Shared with the processes: the plan, then the states, then their stacks. */
static struct states {
	struct fuzz_plan plan __attribute__((aligned(4096)));
	struct fuzzer fuzzer[FUZZ_THREADS];
	char stack[FUZZ_THREADS][FUZZ_STACK] __attribute__((aligned(4096)));
} *states;
static sys_cap_t states_vmo;
#define THEIRS ((struct states *)FUZZ_STATES)
_Static_assert(sizeof(struct states) <= STATES_BYTES, "the states fit");

/* One life: everything is in its account. */
static struct {
	sys_cap_t account;
	sys_cap_t cnode[PROCESSES], vmar[PROCESSES], thread[FUZZ_THREADS], ep[3], ntfn[2], pager, paged, play;
	unsigned waited[FUZZ_THREADS];
	uint64_t calls_at_start;
} life;

static uint64_t roll(uint64_t below)
{
	return (random_next(&dice) >> 11) % below;
}

/* ---- a life begins --------------------------------------------------------------------------------------------- */

/* Memory may be short: then things are missing in this life. */
static bool made(sys_status_t status)
{
	return status == SYS_OK;
}

static sys_cap_t vmo_in_account(uint64_t size, uint32_t vmo_options)
{
	sys_cap_t vmo = SYS_CAP_NULL;
	sys_vmo_create(life.account, size, vmo_options, &vmo);
	return vmo;
}

/* Copies a capability into the CSpace of each process. */
static void give(sys_cap_t cap, sys_cap_t name, sys_rights_t rights)
{
	sys_cap_t got;

	for (unsigned p = 0; cap != SYS_CAP_NULL && p < PROCESSES; p++)
		if (life.cnode[p] != SYS_CAP_NULL)
			sys_cap_copy(cap, life.cnode[p], name, rights, &got);
}

static void give_any(sys_cap_t cap)
{
	give(cap, SYS_SLOT_ANY, SYS_RIGHTS_SAME);
}

static void map_for_all(sys_cap_t vmo, uint32_t perms, sys_vaddr_t at, uint64_t size)
{
	for (unsigned p = 0; vmo != SYS_CAP_NULL && p < PROCESSES; p++)
		if (life.vmar[p] != SYS_CAP_NULL)
			image_map_at(life.vmar[p], perms, at, vmo, 0, size);
}

static bool make_process(unsigned p)
{
	sys_cap_t got;

	if (!made(sys_cnode_create(life.account, FUZZ_SLOTS, &life.cnode[p])) ||
	    !made(sys_vspace_create(life.account, SYS_CAP_NULL, 0, &life.vmar[p])))
		return false;
	sys_cap_copy(life.cnode[p], life.cnode[p], SYS_CAP_CNODE, SYS_RIGHTS_SAME, &got);
	sys_cap_copy(life.vmar[p], life.cnode[p], SYS_CAP_VMAR, SYS_RIGHTS_SAME, &got);
	return made(image_map(life.vmar[p])) &&
	       made(image_map_at(life.vmar[p], SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, FUZZ_STATES, states_vmo, 0,
				 STATES_BYTES));
}

static void make_memory(void)
{
	const uint32_t rw = SYS_VM_PERM_READ | SYS_VM_PERM_WRITE;
	sys_cap_t snapshot = SYS_CAP_NULL, read_only = vmo_in_account(4 * PAGE, 0), executable = SYS_CAP_NULL;

	life.play = vmo_in_account(FUZZ_PAGES * PAGE, 0);
	map_for_all(life.play, rw, PLAY, FUZZ_PAGES * PAGE);
	map_for_all(read_only, SYS_VM_PERM_READ, PLAY_READ_ONLY, 4 * PAGE);
	sys_vmo_create_child(life.play, life.account, SYS_VMO_CHILD_SNAPSHOT, 0, FUZZ_PAGES * PAGE, &snapshot);
	map_for_all(snapshot, rw, PLAY_SNAPSHOT, FUZZ_PAGES * PAGE);
	sys_vmo_replace_as_executable(vmo_in_account(PAGE, 0), SYS_CAP_RESOURCE, &executable);
	give_any(life.play);
	give_any(snapshot);
	give_any(executable);
	give_any(vmo_in_account(4 * PAGE, SYS_VMO_RESIZABLE));
	give_any(vmo_in_account(600 * PAGE, 0));
	give_any(vmo_in_account(1ull << 40, SYS_VMO_RESIZABLE));
}

/* First of all: what stands in slots of its own. */
static void make_kept(void)
{
	sys_cap_t reply;

	sys_endpoint_create(life.account, &life.ep[2]);
	if (made(sys_pager_create(life.account, life.ep[2], 9, &life.pager)))
		give(life.pager, FUZZ_PAGER_SLOT, SYS_RIGHTS_SAME);
	if (made(sys_pager_create_vmo(life.pager, life.account, 0, 5, 16 * PAGE, &life.paged)))
		give(life.paged, FUZZ_PAGED_SLOT, SYS_RIGHTS_SAME);
	map_for_all(life.paged, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, PLAY_PAGED, 16 * PAGE);
	give(vmo_in_account(16 * PAGE, 0), FUZZ_AUX_SLOT, SYS_RIGHTS_SAME);
	if (made(sys_endpoint_create(life.account, &life.ep[0])))
		give(life.ep[0], FUZZ_ENDPOINT_SLOT, SYS_RIGHTS_SAME);
	for (unsigned p = 0; p < PROCESSES; p++)
		if (made(sys_reply_create(life.account, &reply)))
			sys_cap_move(reply, life.cnode[p], FUZZ_REPLY_SLOT, &reply);
}

static void make_objects(void)
{
	sys_cap_t cap = SYS_CAP_NULL, badged = SYS_CAP_NULL;

	if (made(sys_endpoint_create(life.account, &life.ep[1])))
		give_any(life.ep[1]);
	give_any(life.ep[2]);
	for (unsigned i = 0; i < 2; i++)
		if (made(sys_notification_create(life.account, &life.ntfn[i])))
			give_any(life.ntfn[i]);
	if (made(sys_cap_mint(life.ep[1], SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, 7, &badged)))
		give_any(badged);
	for (unsigned p = 0; p < PROCESSES; p++)
		if (made(sys_reply_create(life.account, &cap)))
			sys_cap_move(cap, life.cnode[p], SYS_SLOT_ANY, &cap);
	for (unsigned p = 0; p < PROCESSES; p++) {
		give_any(life.cnode[p]);
		give_any(life.vmar[p]);
	}
	if (made(sys_untyped_create(life.account, 32 * PAGE, &cap)))
		give_any(cap);
}

static void give_what_is_ours(void)
{
	const sys_rights_t resource = SYS_RIGHT_COPY | SYS_RIGHT_GRANT | SYS_RIGHT_INSPECT | SYS_RIGHT_READ |
				      SYS_RIGHT_BUS_MASTER | SYS_RIGHT_WX;

	give(life.account, SYS_CAP_UNTYPED, SYS_RIGHTS_SAME);
	give(SYS_CAP_CONSOLE, SYS_CAP_CONSOLE, SYS_RIGHT_READ | SYS_RIGHT_COPY | SYS_RIGHT_INSPECT);
	give(SYS_CAP_RESOURCE, SYS_CAP_RESOURCE, resource);
}

static void start_thread(unsigned i)
{
	unsigned p = i % PROCESSES;
	struct fuzzer *f = &states->fuzzer[i];
	sys_cap_t fault_ep = roll(2) ? life.ep[roll(3)] : SYS_CAP_NULL, got;
	uint64_t calls = f->calls;

	memset(f, 0, offsetof(struct fuzzer, tried));
	f->plan = &THEIRS->plan;
	f->random = random_next(&dice);
	f->calls = calls;
	life.thread[i] = SYS_CAP_NULL;
	life.waited[i] = 0;
	if (!made(sys_thread_create(life.account, life.cnode[p], life.vmar[p], fault_ep, &life.thread[i])))
		return;
	sys_cap_copy(life.thread[i], life.cnode[p], i < PROCESSES ? SYS_CAP_THREAD : SYS_SLOT_ANY, SYS_RIGHTS_SAME, &got);
	sys_thread_set_priority(life.thread[i], own_priority() - 1 - (uint32_t)roll(2));
	sys_thread_start(life.thread[i], (sys_vaddr_t)helper_entry, (sys_vaddr_t)THEIRS->stack[i] + FUZZ_STACK,
			 (uint64_t)fuzz_run, (uint64_t)&THEIRS->fuzzer[i]);
}

static uint64_t account_size(void)
{
	switch (roll(4)) {
	case 0: return (roll(300) + 40) * PAGE;
	case 1: return (roll(600) + 300) * PAGE;
	default: return ACCOUNT_MAX;
	}
}

static uint64_t calls_so_far(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < FUZZ_THREADS; i++)
		sum += states->fuzzer[i].calls;
	return sum;
}

static bool begin_life(void)
{
	memset(&life, 0, sizeof(life));
	OKAY(sys_untyped_create(ut, account_size(), &life.account));
	life.calls_at_start = calls_so_far();
	for (unsigned p = 0; p < PROCESSES; p++)
		if (!make_process(p))
			return false;
	give_what_is_ours();
	make_kept();
	make_memory();
	make_objects();
	for (unsigned i = 0; i < FUZZ_THREADS; i++)
		start_thread(i);
	return true;
}

/* ---- while they live ------------------------------------------------------------------------------------------- */

/* All that waits for a page or for a signal goes on. */
static void wake_all(void)
{
	for (unsigned i = 0; i < 2; i++)
		if (life.ntfn[i] != SYS_CAP_NULL)
			sys_notification_signal(life.ntfn[i], roll(8) + 1);
	if (life.pager != SYS_CAP_NULL && life.paged != SYS_CAP_NULL)
		sys_pager_op_range(life.pager, SYS_PAGER_OP_FAIL, life.paged, 0, 16 * PAGE, SYS_ERR_IO);
}

static void renew_endpoint(void)
{
	if (life.ep[1] == SYS_CAP_NULL)
		return;
	sys_cap_delete(life.ep[1]);
	life.ep[1] = SYS_CAP_NULL;
	if (made(sys_endpoint_create(life.account, &life.ep[1])))
		give_any(life.ep[1]);
}

static void help(unsigned i)
{
	switch (roll(4)) {
	case 0:
		return wake_all();
	case 1:
		return renew_endpoint();
	case 2:
		sys_thread_suspend(life.thread[i]);
		sys_thread_resume(life.thread[i]);
		return;
	default:                        /* copies of its capability would keep it: two on one state */
		sys_thread_kill(life.thread[i], -1);
		sys_cap_delete(life.thread[i]);
		return start_thread(i);
	}
}

/* Looks after a thread; false: it is gone, and there is no memory for another. */
static bool attend(unsigned i)
{
	sys_thread_info_t info;

	if (life.thread[i] == SYS_CAP_NULL)
		return false;
	if (sys_thread_info(life.thread[i], &info) != SYS_OK || info.state == SYS_THREAD_EXITED) {
		sys_cap_delete(life.thread[i]);
		start_thread(i);
	} else if (info.state == SYS_THREAD_SUSPENDED && roll(2)) {
		sys_thread_resume(life.thread[i]);
	} else if (info.state == SYS_THREAD_WAITING) {
		if (++life.waited[i] > STUCK_TICKS)
			help(i);
	} else {
		life.waited[i] = 0;
	}
	return life.thread[i] != SYS_CAP_NULL;
}

static void check_fuzzers(void)
{
	for (unsigned i = 0; i < FUZZ_THREADS; i++)
		if (states->fuzzer[i].bad_number != 0 || states->fuzzer[i].bad_status != 0)
			FAIL("seed %lu: call %lu gave %ld", (unsigned long)seed, (unsigned long)states->fuzzer[i].bad_number,
			     (long)states->fuzzer[i].bad_status);
}

static void live(void)
{
	sys_time_t end = after((sys_time_t)roll(LIFE_MAX));
	uint64_t quota = roll(LIFE_CALLS);
	sys_cap_t tick;
	uint64_t bits;
	bool anyone = true;

	OKAY(sys_notification_create(ut, &tick));
	while (anyone && sys_clock_get() < end && calls_so_far() - life.calls_at_start < quota) {
		STATUS(SYS_ERR_TIMED_OUT, sys_notification_wait(tick, &bits, after((sys_time_t)roll(TICK_MAX))));
		anyone = false;
		for (unsigned i = 0; i < FUZZ_THREADS; i++)
			anyone |= attend(i);
		check_fuzzers();
	}
	OKAY(sys_cap_delete(tick));
}

/* ---- a life ends ----------------------------------------------------------------------------------------------- */

static int64_t revokes(void *account_cap)
{
	return sys_cap_revoke((sys_cap_t)account_cap);
}

/* Another thread begins the revoke and is killed at some point of it. */
static void revoke_begun_by_another(void)
{
	sys_cap_t thread = helper_prepare(revokes, (void *)life.account, SYS_CAP_NULL, own_priority() - (uint32_t)roll(2));

	helper_go(thread);
	if (roll(2))
		sys_thread_yield();
	else
		sleep_for((sys_time_t)roll(TICK_MAX));
	OKAY(sys_cap_delete(thread));
	helper_drop(1);
}

static void end_life(const sys_untyped_info_t *before)
{
	switch (roll(4)) {
	case 0:
		for (unsigned i = 0; i < FUZZ_THREADS; i++)
			sys_cap_delete(life.thread[i]);
		break;
	case 1:
		revoke_begun_by_another();
		break;
	case 2:                         /* the copies' CSpaces go first: capabilities are deleted in steps */
		for (unsigned p = 0; p < PROCESSES; p++)
			sys_cap_delete(life.cnode[p]);
		break;
	default:
		break;
	}
	OKAY(sys_cap_revoke(life.account));
	sys_untyped_info_t left = account(life.account);
	EQ(left.used, 0);
	EQ(left.promised, 0);
	OKAY(sys_cap_delete(life.account));
	check_account(before, ut, __LINE__);
}

static void add_up(void)
{
	calls_made = calls_so_far();
	lives++;
	for (unsigned i = 0; i < FUZZ_THREADS; i++)
		for (unsigned n = 0; n < CALL_NUMBERS; n++) {
			worked[n] += states->fuzzer[i].worked[n];
			tried[n] += states->fuzzer[i].tried[n];
			states->fuzzer[i].worked[n] = states->fuzzer[i].tried[n] = 0;
		}
}

/* What never returns, gives no status, or is refused for the rights that it needs. */
static bool cannot_succeed(unsigned n)
{
	return n == NR_thread_exit || n == NR_clock_get || n == NR_vmo_replace_as_executable || n == NR_console_write ||
	       n == NR_system_shutdown;
}

static void report(void)
{
	printf("# fuzz: seed %lu, %lu calls, %lu lives; calls that never succeeded:", (unsigned long)seed, (unsigned long)calls_made,
	       (unsigned long)lives);
	for (unsigned n = 0; n < CALL_NUMBERS; n++)
		if (call_table[n].name != NULL && !call_table[n].later && !cannot_succeed(n) && worked[n] == 0)
			printf(" %s", call_table[n].name);
	printf("\n");
}

TEST("random system calls from several threads: no panic, and every frame back")
{
	dice = seed;
	states_vmo = new_vmo(STATES_BYTES);
	OKAY(sys_vmo_op_range(states_vmo, SYS_VMO_OP_COMMIT, 0, STATES_BYTES, NULL, 0));
	states = map(states_vmo, STATES_BYTES);
	image_begin();
	fuzz_make_plan(&states->plan);
	for (volatile char *at = (char *)states; at < (char *)(states + 1); at += PAGE)
		*at = *at;      /* so that no page table is made later */
	sys_untyped_info_t before = account(ut);
	while (calls_made < calls_wanted) {
		if (begin_life())
			live();
		end_life(&before);
		add_up();
		if (lives % 256 == 0) {
			printf("# fuzz: seed %lu, %lu calls\n", (unsigned long)seed, (unsigned long)calls_made);
			fflush(stdout);
		}
	}
	report();
	unmap(states, STATES_BYTES);
}

int guest_part(int argc, char **argv)
{
	calls_wanted = strtoull(argv[1], NULL, 0);
	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	return GUEST_RUN_TESTS;
}
