/* SPDX-License-Identifier: BSD-2-Clause */
/* shootdown.c: what a CPU remembers of translations is forgotten in time. A victim uses a page without end, on another CPU,
 * without a system call, so nothing but a shootdown makes that CPU look at the page tables again; meanwhile the page is
 * unmapped, protected, or replaced behind the mapping. When the call returns the victim faults, or sees what is there now:
 * never, at no later access, what was there before. On one CPU the victim is merely preempted, and the same holds.
 *
 * A kernel built with -DVELLUM_NO_SHOOTDOWN fails, on two CPUs, each test that is marked so (test/check.sh sees to that). */
#include "common/cpus.h"
#include "common/process.h"
#include "common/region.h"

#include <string.h>

#define READ_ONLY SYS_VM_PERM_READ
enum { OLD = 0x01dbad, NEW = 0x900d, ENOUGH = 1000 };

/* A reader reads; a writer writes ever larger numbers. `phase` is read before each access: what is seen in phase 1
 * was there after the call. */
static struct victim {
	volatile uint64_t *at;
	volatile uint64_t accesses;     /* also the number that a writer wrote last */
	volatile uint64_t stale;        /* accesses of phase 1 that saw `forbidden` */
	volatile uint64_t last;         /* what was read last */
	volatile uint64_t fresh;        /* accesses of phase 1 */
	volatile uint32_t phase;
	uint64_t forbidden;
	sys_cap_t thread, fault_ep, reply;
} victim;

static int64_t reads(void *arg)
{
	struct victim *v = arg;

	for (;;) {
		uint32_t phase = v->phase;
		uint64_t value = *v->at;
		v->last = value;
		if (phase != 0) {
			v->fresh++;
			v->stale += value == v->forbidden;
		}
		give_turn(++v->accesses);
	}
	return 0;
}

static int64_t writes(void *arg)
{
	struct victim *v = arg;

	for (;;) {
		*v->at = v->accesses + 1;
		v->fresh += v->phase != 0;
		give_turn(++v->accesses);
	}
	return 0;
}

static bool has_accessed(void *arg)
{
	return victim.accesses >= *(uint64_t *)arg;
}

static bool has_accessed_in_phase(void *arg)
{
	return victim.fresh >= *(uint64_t *)arg;
}

static void until_accesses(uint64_t more)
{
	uint64_t want = victim.accesses + more;
	CHECK(until(has_accessed, &want, LIMIT));
}

/* The next `ENOUGH` accesses and more are those of phase 1. (The victim alone writes `fresh`.) */
static void phase_1(void)
{
	uint64_t want = victim.fresh + ENOUGH;

	victim.phase = 1;
	CHECK(until(has_accessed_in_phase, &want, LIMIT));
}

/* Starts the victim on another CPU; returns when it has used the page often. */
static void victim_start(helper_fn fn, volatile uint64_t *at, unsigned cpu)
{
	memset(&victim, 0, sizeof(victim));
	victim.at = at;
	victim.forbidden = OLD;
	victim.fault_ep = new_endpoint();
	victim.reply = new_reply();
	victim.thread = helper_prepare(fn, &victim, victim.fault_ep, own_priority());
	bind(victim.thread, cpu);
	helper_go(victim.thread);
	until_accesses(ENOUGH);
}

static void victim_end(void)
{
	OKAY(sys_cap_delete(victim.thread));
	OKAY(sys_cap_delete(victim.fault_ep));
	OKAY(sys_cap_delete(victim.reply));
	helper_drop(1);
}

/* It has met a fault at its page, of this kind. */
static void check_faulted(uint64_t access, sys_status_t status, int line)
{
	struct fault fault = {0};
	sys_msg_t msg = {0};
	sys_status_t got = sys_ipc_recv(victim.fault_ep, victim.reply, &msg, &fault.badge, after(LIMIT));

	if (got != SYS_OK)
		FAIL("line %d: the victim met no fault (%s), it made %lu accesses", line, sys_status_string(got),
		     (unsigned long)victim.accesses);
	fault.label = msg.label;
	fault.words = msg.words;
	memcpy(fault.word, msg.word, sizeof(fault.word));
	check_page_fault(&fault, victim.at, access, status, line);
}
#define FAULTED(ACCESS, STATUS) check_faulted(ACCESS, STATUS, __LINE__)

/* What a writer wrote stays what it is although the writer goes on trying. */
static void check_quiet(sys_cap_t vmo, uint64_t offset, int line)
{
	uint64_t then = get(vmo, offset);

	sleep_for(2 * MILLISECOND);
	if (get(vmo, offset) != then)
		FAIL("line %d: a page is still written that may not be", line);
}
#define QUIET(VMO, OFFSET) check_quiet(VMO, OFFSET, __LINE__)

static sys_cap_t vmo;

/* A VMO of four pages of OLD, mapped in the region; and main stays on CPU 0. */
static void scene(uint32_t perms)
{
	cpus_begin();
	region_begin();
	vmo = new_vmo(4 * PAGE);
	for (uint64_t i = 0; i < 4; i++)
		put(vmo, i * PAGE, OLD);
	map_at(0, vmo, perms, 0, 4);
}

static void scene_end(void)
{
	victim_end();
	region_end();
	cpus_end();
}

/* ---- unmapped ---- */

TEST("vmar_unmap:OK a reader on another CPU faults (shootdown)")
{
	for (unsigned i = 0; i < 3; i++) {
		scene(READ_ONLY);
		victim_start(reads, page_at(1), other_cpu(i));
		OKAY(sys_vmar_unmap(region, base, 4 * PAGE));
		put(vmo, PAGE, NEW);
		FAULTED(SYS_ACCESS_READ, SYS_ERR_NOT_FOUND);
		EQ(victim.last, OLD);
		scene_end();
	}
}

TEST("vmar_unmap:OK a writer on another CPU faults, and writes no more when the call has returned (shootdown)")
{
	for (unsigned i = 0; i < 3; i++) {
		scene(RW);
		victim_start(writes, page_at(1), other_cpu(i));
		OKAY(sys_vmar_unmap(region, base + PAGE, PAGE));
		QUIET(vmo, PAGE);
		FAULTED(SYS_ACCESS_WRITE, SYS_ERR_NOT_FOUND);
		scene_end();
	}
}

TEST("cap_revoke:OK the VMO behind the mapping that another CPU uses (shootdown)")
{
	scene(RW);
	sys_cap_t copy = reduced(vmo, SYS_RIGHTS_SAME);
	OKAY(sys_vmar_unmap(region, base, 4 * PAGE));
	map_at(0, copy, RW, 0, 4);
	victim_start(writes, page_at(2), other_cpu(0));
	OKAY(sys_cap_revoke(copy));
	QUIET(vmo, 2 * PAGE);
	FAULTED(SYS_ACCESS_WRITE, SYS_ERR_NOT_FOUND);
	scene_end();
}

TEST("vmar_map:OK another VMO in the place of the one that another CPU reads (shootdown)")
{
	scene(READ_ONLY);
	victim_start(reads, page_at(0), other_cpu(0));
	sys_cap_t other = new_vmo(PAGE);
	sys_vaddr_t at;
	put(other, 0, NEW);
	OKAY(sys_vmar_map(region, READ_ONLY | SYS_VM_SPECIFIC_OVERWRITE, 0, other, 0, PAGE, &at));
	phase_1();
	EQ(victim.stale, 0);
	EQ(victim.last, NEW);
	scene_end();
}

/* ---- protected ---- */

TEST("vmar_protect:OK a writer on another CPU faults, and writes no more when the call has returned (shootdown)")
{
	for (unsigned i = 0; i < 3; i++) {
		scene(RW);
		victim_start(writes, page_at(3), other_cpu(i));
		OKAY(sys_vmar_protect(region, READ_ONLY, base, 4 * PAGE));
		QUIET(vmo, 3 * PAGE);
		FAULTED(SYS_ACCESS_WRITE, SYS_ERR_ACCESS_DENIED);
		scene_end();
	}
}

TEST("vmar_protect:OK a reader on another CPU reads on")
{
	scene(RW);
	victim_start(reads, page_at(3), other_cpu(0));
	OKAY(sys_vmar_protect(region, READ_ONLY, base, 4 * PAGE));
	victim.forbidden = NEW;
	phase_1();
	EQ(victim.stale, 0);
	EQ(victim.last, OLD);
	scene_end();
}

/* ---- the page replaced behind the mapping ---- */

TEST("vmo_op_range:OK DECOMMIT of a page that another CPU reads: zeros at once (shootdown)")
{
	for (unsigned i = 0; i < 3; i++) {
		scene(RW);
		victim_start(reads, page_at(1), other_cpu(i));
		OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, PAGE, PAGE, NULL, 0));
		phase_1();
		EQ(victim.stale, 0);
		EQ(victim.last, 0);
		scene_end();
	}
}

TEST("vmo_op_range:OK DECOMMIT of a page that another CPU writes: what it writes then is what the VMO has (shootdown)")
{
	scene(RW);
	victim_start(writes, page_at(1), other_cpu(0));
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, PAGE, PAGE, NULL, 0));
	uint64_t from = victim.accesses;
	until_accesses(ENOUGH);
	CHECK(get(vmo, PAGE) > from);
	scene_end();
}

TEST("vmo_op_range:OK COMMIT of a page that another CPU reads as zeros, then written (shootdown)")
{
	cpus_begin();
	region_begin();
	vmo = new_vmo(4 * PAGE);
	map_at(0, vmo, RW, 0, 4);
	victim_start(reads, page_at(1), other_cpu(0));
	EQ(victim.last, 0);
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, 4 * PAGE, NULL, 0));
	put(vmo, PAGE, NEW);
	victim.forbidden = 0;
	phase_1();
	EQ(victim.stale, 0);
	EQ(victim.last, NEW);
	scene_end();
}

TEST("vmo_set_size:OK a shrink under a reader on another CPU: it faults (shootdown)")
{
	cpus_begin();
	region_begin();
	vmo = new_resizable(4 * PAGE);
	put(vmo, 3 * PAGE, OLD);
	map_at(0, vmo, RW, 0, 4);
	victim_start(reads, page_at(3), other_cpu(0));
	OKAY(sys_vmo_set_size(vmo, 2 * PAGE));
	FAULTED(SYS_ACCESS_READ, SYS_ERR_OUT_OF_RANGE);
	EQ(victim.last, OLD);
	scene_end();
}

/* ---- snapshots ---- */

TEST("vmo_create_child:OK a snapshot of a page that another CPU writes stands still, the writer goes on (shootdown)")
{
	for (unsigned i = 0; i < 5; i++) {
		scene(RW);
		victim_start(writes, page_at(1), other_cpu(i));
		sys_cap_t child = new_snapshot(vmo, 0, 4 * PAGE);
		uint64_t then = get(child, PAGE), from = victim.accesses;
		CHECK(then >= ENOUGH && then <= from + 1);
		until_accesses(ENOUGH);
		EQ(get(child, PAGE), then);
		CHECK(get(vmo, PAGE) > from);
		scene_end();
	}
}

TEST("vmo_write:OK a page shared with a snapshot, which another CPU reads in the parent: it sees the new one (shootdown)")
{
	for (unsigned i = 0; i < 3; i++) {
		scene(RW);
		victim_start(reads, page_at(1), other_cpu(i));
		sys_cap_t child = new_snapshot(vmo, 0, 4 * PAGE);
		put(vmo, PAGE, NEW);                    /* the parent has another frame now */
		phase_1();
		EQ(victim.stale, 0);
		EQ(victim.last, NEW);
		EQ(get(child, PAGE), OLD);
		scene_end();
	}
}

TEST("vmo_write:OK a page shared with a snapshot, which another CPU reads in the child: it sees the old one")
{
	scene(RW);
	sys_cap_t child = new_snapshot(vmo, 0, 4 * PAGE);
	map_at(8, child, READ_ONLY, 0, 4);
	victim_start(reads, page_at(9), other_cpu(0));
	victim.forbidden = NEW;
	put(vmo, PAGE, NEW);
	phase_1();
	EQ(victim.stale, 0);
	EQ(victim.last, OLD);
	put(child, PAGE, NEW + 1);
	phase_1();
	EQ(victim.last, NEW + 1);
	scene_end();
}

/* ---- frames go round ---- */

/* A frame that was unmapped here is another VMO's right away: no write of the victim may land in it. */
TEST("no frame is reused while another CPU can still write to it (shootdown)")
{
	enum { ROUNDS = 30, PAGES = 64 };

	scene(RW);
	victim_start(writes, page_at(1), other_cpu(0));
	for (int round = 0; round < ROUNDS; round++) {
		OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, PAGE, PAGE, NULL, 0));
		sys_cap_t taker = new_vmo(PAGES * PAGE);
		OKAY(sys_vmo_op_range(taker, SYS_VMO_OP_COMMIT, 0, PAGES * PAGE, NULL, 0));
		until_accesses(100);
		for (uint64_t i = 0; i < PAGES; i++)
			EQ(get(taker, i * PAGE), 0);
		OKAY(sys_cap_delete(taker));
	}
	scene_end();
}

TEST("unmapping and mapping again, round after round, while another CPU writes: it writes to what is mapped (shootdown)")
{
	enum { ROUNDS = 40 };
	sys_cap_t behind[2];

	scene(RW);
	behind[0] = vmo;
	behind[1] = new_vmo(4 * PAGE);
	victim_start(writes, page_at(1), other_cpu(0));
	for (int round = 1; round <= ROUNDS; round++) {
		sys_vaddr_t at;
		OKAY(sys_vmar_map(region, RW | SYS_VM_SPECIFIC_OVERWRITE, 0, behind[round % 2], 0, 4 * PAGE, &at));
		uint64_t then = get(behind[1 - round % 2], PAGE), from = victim.accesses;
		until_accesses(100);
		EQ(get(behind[1 - round % 2], PAGE), then);
		CHECK(get(behind[round % 2], PAGE) > from);
	}
	scene_end();
}

/* ---- another address space ---- */

static struct { volatile uint64_t *at; } child;

static int64_t writes_there(void *arg)
{
	(void)arg;
	for (uint64_t n = 1;; n++) {
		*child.at = n;
		give_turn(n);
	}
	return 0;
}

static bool has_grown(void *arg)
{
	uint64_t *from = arg;
	return get(vmo, 0) > *from + ENOUGH;
}

TEST("vmar_unmap:OK vmar_protect:OK in another process, which uses the page on another CPU (shootdown)")
{
	sys_process_t process;
	uint64_t from;

	cpus_begin();
	for (unsigned i = 0; i < 4; i++) {
		vmo = new_vmo(PAGE);
		process_create(&process, SYS_CAP_NULL);
		child.at = map_in(process.vmar, vmo, RW, 0, PAGE);
		bind(process.thread, other_cpu(i));
		process_go(&process, writes_there, NULL);
		from = 0;
		CHECK(until(has_grown, &from, LIMIT));
		if (i % 2 == 0)
			OKAY(sys_vmar_unmap(process.vmar, (sys_vaddr_t)child.at, PAGE));
		else
			OKAY(sys_vmar_protect(process.vmar, READ_ONLY, (sys_vaddr_t)child.at, PAGE));
		QUIET(vmo, 0);
		EQ(until_exited(process.thread), i % 2 == 0 ? SYS_ERR_NOT_FOUND : SYS_ERR_ACCESS_DENIED);
		process_end(&process);
		OKAY(sys_cap_delete(vmo));
	}
	cpus_end();
}

/* ---- what it costs whom ---- */

static uint64_t shootdowns(void)
{
	sys_counters_t counters;

	OKAY(sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_COUNTERS, &counters, sizeof(counters)));
	return counters.shootdowns;
}

TEST("a CPU that runs another address space, or idles, is left alone")
{
	sys_process_t process;
	sys_cap_t shared = new_vmo(PAGE);

	cpus_begin();
	region_begin();
	vmo = new_vmo(PAGE);
	process_create(&process, SYS_CAP_NULL);
	child.at = map_in(process.vmar, vmo, RW, 0, PAGE);
	bind(process.thread, other_cpu(0));
	process_go(&process, writes_there, NULL);
	uint64_t from = 0;
	CHECK(until(has_grown, &from, LIMIT));
	uint64_t before = shootdowns();
	for (int i = 0; i < 20; i++) {
		map_at(0, shared, RW, 0, 1);
		*page_at(0) = 1;
		OKAY(sys_vmar_unmap(region, base, PAGE));
	}
	EQ(shootdowns(), before);
	process_end(&process);
	region_end();
	cpus_end();
}

TEST("the counter counts shootdowns, where there is another CPU to tell")
{
	scene(RW);
	victim_start(reads, page_at(3), other_cpu(0));
	uint64_t before = shootdowns();
	OKAY(sys_vmar_unmap(region, base, PAGE));                       /* never touched: nothing to forget */
	*page_at(1) = 5;
	OKAY(sys_vmar_unmap(region, base + PAGE, PAGE));
	uint64_t counted = shootdowns() - before;
	CHECK(cpu_count() == 1 ? counted == 0 : counted >= 1 && counted <= 2);
	scene_end();
}
