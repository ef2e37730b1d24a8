/* SPDX-License-Identifier: BSD-2-Clause */
/* thread.c: threads: their life, registers at the start, priorities, slices, suspension, and time. */
#include "common/ipcjob.h"

#include <string.h>

/* ---- the first instruction ---- */

uint64_t start_registers[18];
void start_recorder(void);
__asm__(".text\n.globl start_recorder\n"
	"start_recorder:\n"
	"	movq %rax, start_registers(%rip)\n"
	"	movq %rbx, start_registers+8(%rip)\n"
	"	movq %rcx, start_registers+16(%rip)\n"
	"	movq %rdx, start_registers+24(%rip)\n"
	"	movq %rsi, start_registers+32(%rip)\n"
	"	movq %rdi, start_registers+40(%rip)\n"
	"	movq %rbp, start_registers+48(%rip)\n"
	"	movq %rsp, start_registers+56(%rip)\n"
	"	movq %r8, start_registers+64(%rip)\n"
	"	movq %r9, start_registers+72(%rip)\n"
	"	movq %r10, start_registers+80(%rip)\n"
	"	movq %r11, start_registers+88(%rip)\n"
	"	movq %r12, start_registers+96(%rip)\n"
	"	movq %r13, start_registers+104(%rip)\n"
	"	movq %r14, start_registers+112(%rip)\n"
	"	movq %r15, start_registers+120(%rip)\n"
	"	pushfq\n"
	"	popq %rax\n"
	"	movq %rax, start_registers+128(%rip)\n"
	"	stmxcsr start_registers+136(%rip)\n"
	"	movl $11, %edi\n"
	"	call sys_thread_exit\n");

enum { RSI = 4, RDI = 5, RSP = 7, RFLAGS = 16, MXCSR = 17 };
static char start_stack[4096] __attribute__((aligned(16)));
#define START ((sys_vaddr_t)start_recorder)
#define STACK ((sys_vaddr_t)start_stack + sizeof(start_stack))

TEST("thread_start:OK rdi, rsi and rsp as given, the rest 0")
{
	sys_cap_t thread = new_thread();

	memset(start_registers, 0xee, sizeof(start_registers));
	EQ(thread_info(thread).state, SYS_THREAD_NEW);
	OKAY(sys_thread_start(thread, START, STACK, 0x1234567890abcdef, ~1ull));
	EQ(until_exited(thread), 11);
	for (int i = 0; i < 16; i++) {
		uint64_t want = i == RDI ? 0x1234567890abcdef : i == RSI ? ~1ull : i == RSP ? STACK : 0;
		EQ(start_registers[i], want);
	}
	EQ(start_registers[RFLAGS] & ~0x10ull, 0x202);  /* interrupts on; nothing else */
	EQ((uint32_t)start_registers[MXCSR], 0x1f80);
}

static int64_t returns_arg(void *arg)
{
	return (int64_t)arg;
}

TEST("thread_create:OK thread_info:OK a new thread has its creator's priority and an identity")
{
	sys_cap_t thread = new_thread();
	sys_thread_info_t info = thread_info(thread);

	EQ(info.koid, cap_info(thread).koid);
	EQ(info.state, SYS_THREAD_NEW);
	EQ(info.priority, own_priority());
	EQ(info.switches, 0);
	EQ(info.cpu_time, 0);
	EQ(thread_info(SYS_CAP_THREAD).state, SYS_THREAD_RUNNING);
	CHECK(thread_info(SYS_CAP_THREAD).cpu_time > 0);
}

TEST("thread_exit:OK the code is kept, however large")
{
	EQ(until_exited(helper_start(returns_arg, (void *)0)), 0);
	EQ(until_exited(helper_start(returns_arg, (void *)INT64_MIN)), (uint64_t)INT64_MIN);
	sys_cap_t thread = helper_start(returns_arg, (void *)42);
	EQ(until_exited(thread), 42);
	sys_thread_info_t info = thread_info(thread);
	CHECK(info.switches >= 1);
	CHECK(info.cpu_time > 0);
}

TEST("thread_start:BAD_STATE a second time, and after the end")
{
	sys_cap_t thread = helper_start(returns_arg, (void *)1);

	REFUSED(SYS_ERR_BAD_STATE, sys_thread_start(thread, START, STACK, 0, 0));
	EQ(until_exited(thread), 1);
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_start(thread, START, STACK, 0, 0));
}

TEST("thread_start:INVALID_ARGS an entry or a stack that is no user address")
{
	static const uint64_t bad[] = {KERNEL_HALF, 0x0000800000000000, UINT64_MAX, 0xffffffff80000000};
	sys_cap_t thread = new_thread();

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_start(thread, bad[i], STACK, 0, 0));
		REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_start(thread, START, bad[i], 0, 0));
	}
	EQ(thread_info(thread).state, SYS_THREAD_NEW);
	OKAY(sys_thread_start(thread, START, STACK, 0, 0));
	EQ(until_exited(thread), 11);
}

TEST("thread_create:INVALID_ARGS a region is no address space")
{
	sys_vaddr_t base;
	sys_cap_t region = new_region(SYS_CAP_VMAR, PAGE, &base), out = 99;

	REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_create(ut, SYS_CAP_CNODE, region, SYS_CAP_NULL, &out));
	EQ(out, 99);
	unmap((void *)base, PAGE);
}

/* ---- kill ---- */

static int64_t spins(void *arg)
{
	volatile uint64_t *counter = arg;
	for (;;)
		++*counter;
	return 0;
}

TEST("thread_kill:OK a spinning, a waiting and a new thread")
{
	volatile uint64_t counter = 0;
	sys_cap_t spinner = helper_start(spins, (void *)&counter), fresh = new_thread();
	struct ipc_job job = {.op = JOB_RECV, .ep = new_endpoint()};
	sys_cap_t waiter = job_start(&job);

	until_waiting(waiter);
	while (counter == 0)
		sys_thread_yield();
	OKAY(sys_thread_kill(spinner, -5));
	OKAY(sys_thread_kill(waiter, 6));
	OKAY(sys_thread_kill(fresh, INT64_MAX));
	uint64_t then = counter;
	sys_thread_yield();
	EQ(counter, then);
	EQ(thread_info(spinner).exit_code, -5);
	EQ(thread_info(waiter).exit_code, 6);
	EQ(thread_info(fresh).exit_code, INT64_MAX);
	EQ(thread_info(fresh).state, SYS_THREAD_EXITED);
	EQ(job.status, 77);
}

static int64_t kills_itself(void *arg)
{
	sys_thread_kill(*(volatile sys_cap_t *)arg, 33);
	return 1;
}

TEST("thread_kill:OK oneself")
{
	volatile sys_cap_t self;
	sys_cap_t thread = helper_prepare(kills_itself, (void *)&self, SYS_CAP_NULL, own_priority());
	self = thread;
	helper_go(thread);
	EQ(until_exited(thread), 33);
}

TEST("thread_kill:BAD_STATE thread_suspend:BAD_STATE thread_set_priority:BAD_STATE thread_set_tls:BAD_STATE "
     "thread_resume:BAD_STATE thread_set_affinity:BAD_STATE of the dead")
{
	sys_cap_t thread = helper_start(returns_arg, (void *)3);

	EQ(until_exited(thread), 3);
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_kill(thread, 4));
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_suspend(thread));
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_resume(thread));
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_set_priority(thread, 1));
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_set_tls(thread, 0));
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_set_affinity(thread, 1));
	EQ(thread_info(thread).exit_code, 3);
}

TEST("cap_delete:OK the last capability of a thread kills it")
{
	volatile uint64_t counter = 0;

	one_cpu();
	sys_cap_t thread = helper_start(spins, (void *)&counter), copy = reduced(thread, SYS_RIGHT_INSPECT);

	OKAY(sys_cap_delete(thread));
	while (counter == 0)
		sys_thread_yield();
	EQ(thread_info(copy).state, SYS_THREAD_READY);
	OKAY(sys_cap_delete(copy));
	uint64_t then = counter;
	sys_thread_yield();
	EQ(counter, then);
}

/* ---- suspend ---- */

struct growth { volatile uint64_t *counter; uint64_t from; };

static bool has_grown(void *arg)
{
	const struct growth *growth = arg;
	return *growth->counter > growth->from;
}

TEST("thread_suspend:OK thread_resume:OK a spinning thread stands still and goes on")
{
	volatile uint64_t counter = 0;
	sys_cap_t thread = helper_start(spins, (void *)&counter);

	while (counter == 0)
		sys_thread_yield();
	OKAY(sys_thread_suspend(thread));
	EQ(thread_info(thread).state, SYS_THREAD_SUSPENDED);
	uint64_t then = counter;
	sleep_for(MILLISECOND);
	EQ(counter, then);
	OKAY(sys_thread_resume(thread));
	bool grown = until(has_grown, &(struct growth){&counter, then}, LIMIT);
	OKAY(sys_thread_kill(thread, 0));               /* it writes to our stack */
	CHECK(grown);
}

TEST("thread_resume:BAD_STATE a thread that is not suspended")
{
	volatile uint64_t counter = 0;
	sys_cap_t thread = helper_start(spins, (void *)&counter), fresh = new_thread();

	REFUSED(SYS_ERR_BAD_STATE, sys_thread_resume(thread));
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_resume(fresh));
	OKAY(sys_thread_suspend(thread));
	OKAY(sys_thread_resume(thread));
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_resume(thread));
	OKAY(sys_thread_kill(thread, 0));               /* it writes to our stack */
}

TEST("thread_suspend:OK a waiting thread leaves its list and comes back to it")
{
	struct ipc_job job = {.op = JOB_RECV, .ep = new_endpoint()};
	sys_cap_t thread = job_start(&job);
	sys_msg_t msg = {.label = 5};

	until_waiting(thread);
	OKAY(sys_thread_suspend(thread));
	EQ(thread_info(thread).state, SYS_THREAD_SUSPENDED);
	STATUS(SYS_ERR_TIMED_OUT, sys_ipc_send(job.ep, &msg, SYS_TIME_POLL));
	EQ(job.status, 77);
	OKAY(sys_thread_resume(thread));
	OKAY(sys_ipc_send(job.ep, &msg, after(LIMIT)));
	EQ(until_exited(thread), SYS_OK);
	EQ(job.msg.label, 5);
}

TEST("thread_suspend:OK a suspended caller's reply is kept for it")
{
	struct ipc_job job = {0};
	sys_cap_t thread, reply = job_held_call(&job, &thread);
	sys_msg_t msg = {.label = 8, .words = 6, .word = {1, 2, 3, 4, 5, 6}};

	OKAY(sys_thread_suspend(thread));
	OKAY(sys_ipc_reply(reply, &msg));
	sleep_for(MILLISECOND);
	EQ(thread_info(thread).state, SYS_THREAD_SUSPENDED);
	EQ(job.status, 77);
	OKAY(sys_thread_resume(thread));
	EQ(until_exited(thread), SYS_OK);
	EQ(job.msg.label, 8);
	EQ(job.msg.word[5], 6);
}

TEST("thread_suspend:OK a thread that is not started starts suspended")
{
	sys_cap_t thread = helper_prepare(returns_arg, (void *)9, SYS_CAP_NULL, own_priority());

	OKAY(sys_thread_suspend(thread));
	helper_go(thread);
	sleep_for(MILLISECOND);
	EQ(thread_info(thread).state, SYS_THREAD_SUSPENDED);
	OKAY(sys_thread_resume(thread));
	EQ(until_exited(thread), 9);
}

/* ---- priorities ---- */

static volatile uint32_t order[8], order_count;

static int64_t notes_itself(void *arg)
{
	order[order_count++] = (uint32_t)(uintptr_t)arg;
	return 0;
}

enum { TRIES = 5 };     /* a host that takes the CPU away for a slice has equals change places: hardly each time */

static bool highest_first(void)
{
	uint32_t own = own_priority();
	static const struct { uint32_t below, name; } threads[] = {{3, 1}, {1, 2}, {2, 3}, {1, 4}, {3, 5}};
	static const uint32_t want[] = {2, 4, 3, 1, 5};
	sys_cap_t thread[5];

	order_count = 0;
	for (int i = 0; i < 5; i++) {
		thread[i] = helper_prepare(notes_itself, (void *)(uintptr_t)threads[i].name, SYS_CAP_NULL,
					   own - threads[i].below);
		helper_go(thread[i]);
	}
	EQ(order_count, 0);                             /* they wait for us */
	for (int i = 0; i < 5; i++)
		sleep_until(thread[i], SYS_THREAD_EXITED);
	helper_drop(5);
	return memcmp((void *)(uintptr_t)order, want, sizeof(want)) == 0;
}

TEST("thread_set_priority:OK the highest runs first, equals in the order of their start")
{
	int tries = 0;

	one_cpu();
	while (!highest_first())
		CHECK(++tries < TRIES);
}

struct raise { volatile sys_cap_t self; uint32_t to; };

static int64_t raises_itself(void *arg)
{
	struct raise *raise = arg;
	return sys_thread_set_priority(raise->self, raise->to);
}

TEST("thread_set_priority:OUT_OF_RANGE above one's own, above all")
{
	uint32_t own = own_priority();
	struct raise raise = {.to = own};
	sys_cap_t thread = helper_prepare(raises_itself, &raise, SYS_CAP_NULL, own - 1), fresh = new_thread();

	raise.self = thread;
	helper_go(thread);
	sleep_until(thread, SYS_THREAD_EXITED);
	EQ(until_exited(thread), SYS_ERR_OUT_OF_RANGE);
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_thread_set_priority(fresh, 256));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_thread_set_priority(fresh, UINT32_MAX));
	if (own < 255)
		REFUSED(SYS_ERR_OUT_OF_RANGE, sys_thread_set_priority(fresh, own + 1));
	EQ(thread_info(fresh).priority, own);
	OKAY(sys_thread_set_priority(fresh, 0));
	EQ(thread_info(fresh).priority, 0);
}

TEST("thread_set_affinity:OK thread_set_affinity:INVALID_ARGS those CPUs that are there count")
{
	sys_cap_t thread = helper_prepare(returns_arg, (void *)3, SYS_CAP_NULL, own_priority());
	uint64_t all = thread_info(thread).affinity;

	EQ(all, thread_info(SYS_CAP_THREAD).affinity);
	CHECK((all & 1) != 0 && (all & (all + 1)) == 0);
	REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_set_affinity(thread, 0));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_set_affinity(thread, ~all));
	EQ(thread_info(thread).affinity, all);
	OKAY(sys_thread_set_affinity(thread, UINT64_MAX));
	EQ(thread_info(thread).affinity, all);
	OKAY(sys_thread_set_affinity(thread, 1 | ~all));
	EQ(thread_info(thread).affinity, 1);
	helper_go(thread);
	EQ(until_exited(thread), 3);
}

/* Three spin for a while: whether each had much of it. */
static bool equals_share(void)
{
	enum { SPINNERS = 3 };
	static volatile uint64_t counter[SPINNERS];
	sys_cap_t thread[SPINNERS];
	sys_time_t least = INT64_MAX, most = 0;
	bool all_ran = true;

	for (int i = 0; i < SPINNERS; i++) {
		counter[i] = 0;
		thread[i] = helper_start(spins, (void *)(uintptr_t)&counter[i]);
	}
	sleep_for(300 * MILLISECOND);
	for (int i = 0; i < SPINNERS; i++) {
		OKAY(sys_thread_suspend(thread[i]));
		sys_thread_info_t info = thread_info(thread[i]);
		all_ran = all_ran && info.switches >= 2 && counter[i] > 0;
		least = info.cpu_time < least ? info.cpu_time : least;
		most = info.cpu_time > most ? info.cpu_time : most;
		OKAY(sys_cap_delete(thread[i]));
	}
	helper_drop(SPINNERS);
	return all_ran && least > 0 && most < 4 * least;
}

TEST("round robin: spinning equals share the processor")
{
	int tries = 0;

	one_cpu();
	while (!equals_share())
		CHECK(++tries < TRIES);
}

struct low { sys_cap_t ntfn; volatile uint32_t step; };

static int64_t signals(void *arg)
{
	struct low *low = arg;
	low->step = 1;
	sys_notification_signal(low->ntfn, 1);
	low->step = 2;
	return 0;
}

TEST("a woken thread of higher priority runs at once")
{
	struct low low = {.ntfn = new_notification()};

	one_cpu();
	sys_cap_t thread = helper_prepare(signals, &low, SYS_CAP_NULL, own_priority() - 1);
	uint64_t bits;

	helper_go(thread);
	EQ(low.step, 0);
	OKAY(sys_notification_wait(low.ntfn, &bits, after(LIMIT)));
	EQ(low.step, 1);
	sleep_until(thread, SYS_THREAD_EXITED);
	EQ(low.step, 2);
}

TEST("a deadline ends a wait although a thread of lower priority spins")
{
	volatile uint64_t counter = 0;
	sys_cap_t thread = helper_prepare(spins, (void *)&counter, SYS_CAP_NULL, own_priority() - 1);

	bool spun = false;
	helper_go(thread);
	for (int i = 1; i <= 5 || (!spun && i < 1000); i++) {
		sys_time_t end = after(i % 6 * 300000);
		uint64_t then = counter;
		sleep_for(i % 6 * 300000);
		CHECK(sys_clock_get() >= end && sys_clock_get() < end + LIMIT);
		spun = spun || counter > then;
	}
	OKAY(sys_thread_kill(thread, 0));               /* it writes to our stack */
	CHECK(spun);
}

static int64_t turns(void *arg)
{
	uint32_t name = (uint32_t)(uintptr_t)arg;
	for (int i = 0; i < 3; i++) {
		order[order_count++] = name;
		sys_thread_yield();
	}
	return 0;
}

static bool equals_take_turns(void)
{
	static const uint32_t want[] = {1, 2, 1, 2, 1, 2};
	sys_cap_t thread[2];

	order_count = 0;
	for (uintptr_t i = 0; i < 2; i++) {
		thread[i] = helper_prepare(turns, (void *)(i + 1), SYS_CAP_NULL, own_priority() - 1);
		helper_go(thread[i]);
	}
	for (int i = 0; i < 2; i++)
		sleep_until(thread[i], SYS_THREAD_EXITED);
	helper_drop(2);
	return memcmp((void *)(uintptr_t)order, want, sizeof(want)) == 0;
}

TEST("thread_yield:OK equals take turns")
{
	int tries = 0;

	one_cpu();
	while (!equals_take_turns())
		CHECK(++tries < TRIES);
}

/* ---- TLS, time ---- */

/* When it may: at once without an argument. */
static int64_t reads_fs(void *arg)
{
	volatile uint32_t *allowed = arg;
	int64_t value;
	while (allowed && !*allowed)
		sys_thread_yield();
	__asm__ volatile("movq %%fs:0, %0" : "=r"(value));
	return value;
}

TEST("thread_set_tls:OK before the start and while it runs")
{
	static uint64_t block[2] = {1234, 5678};
	sys_cap_t thread = helper_prepare(reads_fs, NULL, SYS_CAP_NULL, own_priority());

	OKAY(sys_thread_set_tls(thread, (sys_vaddr_t)&block[0]));
	helper_go(thread);
	EQ(until_exited(thread), 1234);
	volatile uint32_t allowed = 0;
	thread = helper_prepare(reads_fs, (void *)(uintptr_t)&allowed, SYS_CAP_NULL, own_priority());
	helper_go(thread);
	OKAY(sys_thread_suspend(thread));
	OKAY(sys_thread_set_tls(thread, (sys_vaddr_t)&block[1]));
	OKAY(sys_thread_resume(thread));
	allowed = 1;
	EQ(until_exited(thread), 5678);
}

TEST("thread_set_tls:INVALID_ARGS an address that is not the user's")
{
	static const uint64_t bad[] = {KERNEL_HALF, 0x0000800000000000, UINT64_MAX};
	sys_cap_t thread = new_thread();

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_set_tls(thread, bad[i]));
}

TEST("clock_get:OK never goes back, and sleeping takes as long as asked")
{
	sys_time_t last = sys_clock_get();

	CHECK(last > 0);
	for (int i = 0; i < 1000; i++) {
		sys_time_t now = sys_clock_get();
		CHECK(now >= last);
		last = now;
	}
	sys_time_t start = sys_clock_get();
	sleep_for(10 * MILLISECOND);
	CHECK(sys_clock_get() - start >= 10 * MILLISECOND);
	CHECK(sys_clock_get() - start < LIMIT);
}

/* ---- registers of the floating-point unit ---- */

struct fpu_job { uint8_t seed; uint64_t rounds; volatile uint64_t wrong; };

/* Fills all vector registers and the x87 stack with the job's own pattern, runs long without touching them, and
 * compares. */
static int64_t computes(void *arg)
{
	struct fpu_job *job = arg;
	uint64_t in[32] __attribute__((aligned(16))), out[32] __attribute__((aligned(16)));
	uint32_t mxcsr_in = 0x1f80 | (job->seed & 3u) << 13, mxcsr_out;
	long double x87_in = job->seed * 1.5L, x87_out;

	for (int i = 0; i < 32; i++)
		in[i] = (uint64_t)job->seed * 0x0101010101010101 + (uint64_t)i;
	for (int round = 0; round < 6; round++) {
		uint64_t left = job->rounds;
		__asm__ volatile(
			"ldmxcsr %[mi]\n fldt %[xi]\n"
			"movaps (%[in]), %%xmm0\n movaps 16(%[in]), %%xmm1\n"
			"movaps 32(%[in]), %%xmm2\n movaps 48(%[in]), %%xmm3\n"
			"movaps 64(%[in]), %%xmm4\n movaps 80(%[in]), %%xmm5\n"
			"movaps 96(%[in]), %%xmm6\n movaps 112(%[in]), %%xmm7\n"
			"movaps 128(%[in]), %%xmm8\n movaps 144(%[in]), %%xmm9\n"
			"movaps 160(%[in]), %%xmm10\n movaps 176(%[in]), %%xmm11\n"
			"movaps 192(%[in]), %%xmm12\n movaps 208(%[in]), %%xmm13\n"
			"movaps 224(%[in]), %%xmm14\n movaps 240(%[in]), %%xmm15\n"
			"1: decq %[left]\n jnz 1b\n"
			"movaps %%xmm0, (%[out])\n movaps %%xmm1, 16(%[out])\n"
			"movaps %%xmm2, 32(%[out])\n movaps %%xmm3, 48(%[out])\n"
			"movaps %%xmm4, 64(%[out])\n movaps %%xmm5, 80(%[out])\n"
			"movaps %%xmm6, 96(%[out])\n movaps %%xmm7, 112(%[out])\n"
			"movaps %%xmm8, 128(%[out])\n movaps %%xmm9, 144(%[out])\n"
			"movaps %%xmm10, 160(%[out])\n movaps %%xmm11, 176(%[out])\n"
			"movaps %%xmm12, 192(%[out])\n movaps %%xmm13, 208(%[out])\n"
			"movaps %%xmm14, 224(%[out])\n movaps %%xmm15, 240(%[out])\n"
			"fstpt %[xo]\n stmxcsr %[mo]\n"
			: [left] "+r"(left), [xo] "=m"(x87_out), [mo] "=m"(mxcsr_out)
			: [in] "r"(in), [out] "r"(out), [xi] "m"(x87_in), [mi] "m"(mxcsr_in)
			: "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			  "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
		for (int i = 0; i < 32; i++)
			job->wrong += in[i] != out[i];
		job->wrong += x87_in != x87_out || mxcsr_in != (mxcsr_out & ~0x3fu);
	}
	return 0;
}

TEST("SSE and x87 registers survive preemption between threads that use them")
{
	enum { COMPUTERS = 3 };
	struct fpu_job job[COMPUTERS];
	sys_cap_t thread[COMPUTERS];

	one_cpu();
	for (int i = 0; i < COMPUTERS; i++) {
		job[i] = (struct fpu_job){.seed = (uint8_t)(17 * i + 1), .rounds = 2000000};
		thread[i] = helper_start(computes, &job[i]);
	}
	double own = 1;
	for (int i = 0; i < 1000; i++) {
		own = own * 1.0625 + 0.5;
		sys_thread_yield();
	}
	double again = 1;
	for (int i = 0; i < 1000; i++)
		again = again * 1.0625 + 0.5;
	CHECK(own == again);
	for (int i = 0; i < COMPUTERS; i++) {
		for (int tries = 0; tries < 100 && thread_info(thread[i]).state != SYS_THREAD_EXITED; tries++)
			sleep_for(20 * MILLISECOND);
		EQ(until_exited(thread[i]), 0);
		EQ(job[i].wrong, 0);
		CHECK(thread_info(thread[i]).switches >= 2);
	}
}
