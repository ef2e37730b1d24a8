/* SPDX-License-Identifier: BSD-2-Clause */
/* smp.c: threads on several CPUs: where they run, that they run at the same time, that they are woken, stopped, moved and
 * ended from another CPU while they run. On one CPU the same must come out, by slices. Translations on other CPUs:
 * shootdown.c. */
#include "common/cpus.h"
#include "common/ipcjob.h"
#include "common/process.h"

#include <stdio.h>
#include <string.h>

enum { CPUS_MAX = 16, ROUNDS = 60 };   /* more CPUs than that are not looked at */

static unsigned cpus_tried(void)
{
	return cpu_count() < CPUS_MAX ? cpu_count() : CPUS_MAX;
}

/* ---- where ---- */

static int64_t says_where(void *arg)
{
	(void)arg;
	return cpu_id();
}

TEST("thread_set_affinity:OK a thread runs where it may, on each CPU, and no two have the same number")
{
	uint32_t id[CPUS_MAX];

	for (unsigned i = 0; i < cpus_tried(); i++) {
		sys_cap_t thread = helper_prepare(says_where, NULL, SYS_CAP_NULL, own_priority());
		bind(thread, i);
		EQ(thread_info(thread).affinity, 1ull << i);
		helper_go(thread);
		id[i] = (uint32_t)until_exited(thread);
		for (unsigned j = 0; j < i; j++)
			CHECK(id[j] != id[i]);
	}
}

TEST("thread_set_affinity:INVALID_ARGS no CPU that is there, for each CPU that is not")
{
	sys_cap_t thread = new_thread();
	uint64_t all = thread_info(thread).affinity;

	EQ(all, cpu_count() == 64 ? UINT64_MAX : (1ull << cpu_count()) - 1);
	for (unsigned i = cpu_count(); i < 64; i++)
		REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_set_affinity(thread, 1ull << i));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_set_affinity(SYS_CAP_THREAD, ~all));
	EQ(thread_info(thread).affinity, all);
	EQ(thread_info(SYS_CAP_THREAD).affinity, all);
}

TEST("thread_set_affinity:BAD_STATE a thread that ended on another CPU")
{
	sys_cap_t thread = helper_prepare(says_where, NULL, SYS_CAP_NULL, own_priority());

	bind(thread, other_cpu(0));
	helper_go(thread);
	until_exited(thread);
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_set_affinity(thread, 1));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_set_affinity(thread, 0));
}

TEST("thread_set_affinity:OK oneself: back in the program one is there")
{
	uint32_t id[CPUS_MAX];

	for (int round = 0; round < 3; round++)
		for (unsigned i = 0; i < cpus_tried(); i++) {
			bind(SYS_CAP_THREAD, i);
			uint32_t here = cpu_id();
			if (round == 0)
				id[i] = here;
			EQ(here, id[i]);
		}
	cpus_end();
}

TEST("thread_set_affinity:OK a running thread: it is there when the call returns")
{
	static struct spinner spinner;
	uint32_t id[CPUS_MAX];

	cpus_begin();
	memset(&spinner, 0, sizeof(spinner));
	spinner_start(&spinner, 0);
	for (unsigned step = 0; step < 3 * cpus_tried(); step++) {
		unsigned cpu = step % cpus_tried();
		bind(spinner.thread, cpu);
		uint64_t from = spinner.count;
		until_counts(&spinner);
		uint32_t now = spinner.id;
		if (step < cpus_tried())
			id[cpu] = now;
		EQ(now, id[cpu]);
		CHECK(spinner.count > from);
	}
	OKAY(sys_thread_kill(spinner.thread, 0));
	cpus_end();
}

TEST("a new thread may run where its creator may")
{
	bind(SYS_CAP_THREAD, other_cpu(0));
	sys_cap_t thread = new_thread();
	EQ(thread_info(thread).affinity, 1ull << other_cpu(0));
	cpus_end();
}

/* ---- at the same time ---- */

/* A ball goes round between threads that make no system call. (The pause lets an emulator that runs its CPUs in turn go on
 * to the next one.) */
struct player { volatile uint32_t *ball; uint32_t self, players; sys_cap_t done; };

static int64_t plays(void *arg)
{
	const struct player *player = arg;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		while (*player->ball % player->players != player->self)
			__asm__ volatile("pause");
		++*player->ball;
	}
	return sys_notification_signal(player->done, 1ull << player->self);
}

/* On one CPU each pass takes a switch of threads. */
static void all_at_once(int index)
{
	static struct player player[CPUS_MAX];
	static volatile uint32_t ball;
	unsigned players = cpus_tried();
	sys_cap_t thread[CPUS_MAX];
	uint64_t switches = 0, done = 0, bits;
	sys_cap_t ntfn = new_notification();

	(void)index;
	if (players == 1)
		return;
	ball = 0;
	for (unsigned i = 0; i < players; i++) {
		player[i] = (struct player){&ball, i, players, ntfn};
		thread[i] = helper_prepare(plays, &player[i], SYS_CAP_NULL, own_priority());
		bind(thread[i], i);
		helper_go(thread[i]);
	}
	for (; done != (1ull << players) - 1; done |= bits)
		OKAY(sys_notification_wait(ntfn, &bits, after(8 * LIMIT)));     /* who polls takes turns with them */
	for (unsigned i = 0; i < players; i++) {
		EQ(until_done(thread[i]), SYS_OK);
		switches += thread_info(thread[i]).switches;
	}
	EQ(ball, players * ROUNDS);
	CHECK(switches < ball / 2);
}

/* ---- woken from another CPU ---- */

struct pong { sys_cap_t ping, pong; };

static int64_t answers_signals(void *arg)
{
	const struct pong *pong = arg;
	uint64_t bits;

	for (int i = 0; i < ROUNDS; i++)
		if (sys_notification_wait(pong->ping, &bits, SYS_TIME_INFINITE) != SYS_OK ||
			sys_notification_signal(pong->pong, bits) != SYS_OK)
			return 1;
	return 0;
}

TEST("notification_signal:OK wakes a thread on another CPU, and it this one, again and again")
{
	static struct pong pong;
	uint64_t bits;

	cpus_begin();
	for (unsigned i = 0; i < 2; i++) {
		pong = (struct pong){new_notification(), new_notification()};
		sys_cap_t thread = helper_prepare(answers_signals, &pong, SYS_CAP_NULL, own_priority());
		bind(thread, other_cpu(i));
		helper_go(thread);
		for (uint64_t round = 1; round <= ROUNDS; round++) {
			OKAY(sys_notification_signal(pong.ping, round));
			OKAY(sys_notification_wait(pong.pong, &bits, after(LIMIT)));
			EQ(bits, round);
		}
		EQ(until_done(thread), 0);
	}
	cpus_end();
}

struct server { sys_cap_t ep, reply; uint32_t calls; };

static int64_t serves(void *arg)
{
	const struct server *server = arg;
	uint64_t label, word[4];
	sys_msg_t msg = {.label = 0};
	sys_status_t status = sys_ipc_recv(server->ep, server->reply, &msg, NULL, SYS_TIME_INFINITE);

	label = msg.label;
	memcpy(word, msg.word, sizeof(word));
	for (uint32_t i = 1; i < server->calls && status == SYS_OK; i++) {
		word[0] += 1;
		status = sys_ipc_reply_recv4(server->reply, &label, word, server->ep, NULL);
	}
	msg = (sys_msg_t){.label = label, .words = 1, .word = {word[0] + 1}};
	return status == SYS_OK ? sys_ipc_reply(server->reply, &msg) : status;
}

struct caller { sys_cap_t ep; uint64_t begin, calls; };

static int64_t calls(void *arg)
{
	const struct caller *caller = arg;

	for (uint64_t i = 0; i < caller->calls; i++) {
		uint64_t label = 3, word[4] = {caller->begin + i};
		sys_status_t status = sys_ipc_call4(caller->ep, &label, word);
		if (status != SYS_OK)
			return status;
		if (word[0] != caller->begin + i + 1)
			return 1;
	}
	return 0;
}

TEST("ipc_call4:OK ipc_reply_recv4:OK callers on all CPUs, one server on another: each gets its own answer")
{
	static struct server server;
	static struct caller caller[CPUS_MAX];
	sys_cap_t thread[CPUS_MAX];
	unsigned callers = cpus_tried();

	cpus_begin();
	server = (struct server){new_endpoint(), new_reply(), (callers + 1) * ROUNDS};
	sys_cap_t serving = helper_prepare(serves, &server, SYS_CAP_NULL, own_priority());
	bind(serving, other_cpu(0));
	helper_go(serving);
	for (unsigned i = 0; i < callers; i++) {
		caller[i] = (struct caller){server.ep, 1000000 * (i + 1), ROUNDS};
		thread[i] = helper_prepare(calls, &caller[i], SYS_CAP_NULL, own_priority());
		bind(thread[i], i);
		helper_go(thread[i]);
	}
	struct caller self = {server.ep, 7, ROUNDS};
	EQ(calls(&self), 0);
	for (unsigned i = 0; i < callers; i++)
		EQ(until_done(thread[i]), 0);
	EQ(until_done(serving), SYS_OK);
	cpus_end();
}

struct tick { uint32_t word[2] __attribute__((aligned(8))); };

static int64_t answers_futex(void *arg)
{
	struct tick *tick = arg;
	uint32_t woken;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		while (__atomic_load_n(&tick->word[0], __ATOMIC_SEQ_CST) == i)
			sys_futex_wait(&tick->word[0], i, SYS_TIME_INFINITE);
		__atomic_store_n(&tick->word[1], i + 1, __ATOMIC_SEQ_CST);
		sys_futex_wake(&tick->word[1], 1, &woken);
	}
	return 0;
}

TEST("futex_wait:OK futex_wake:OK between two CPUs, again and again")
{
	static struct tick tick;
	uint32_t woken;

	cpus_begin();
	memset(&tick, 0, sizeof(tick));
	sys_cap_t thread = helper_prepare(answers_futex, &tick, SYS_CAP_NULL, own_priority());
	bind(thread, other_cpu(0));
	helper_go(thread);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		sys_time_t end = after(LIMIT);
		__atomic_store_n(&tick.word[0], i + 1, __ATOMIC_SEQ_CST);
		OKAY(sys_futex_wake(&tick.word[0], 1, &woken));
		while (__atomic_load_n(&tick.word[1], __ATOMIC_SEQ_CST) == i)
			CHECK(sys_futex_wait(&tick.word[1], i, end) != SYS_ERR_TIMED_OUT);
	}
	EQ(until_done(thread), 0);
	cpus_end();
}

/* ---- done to a thread while it runs on another CPU ---- */

static struct spinner spinner, second;

static void spinners_begin(void)
{
	cpus_begin();
	memset(&spinner, 0, sizeof(spinner));
	memset(&second, 0, sizeof(second));
}

TEST("thread_kill:OK a thread that runs on another CPU is off it when the call returns")
{
	spinners_begin();
	for (unsigned i = 0; i < cpus_tried(); i++) {
		spinner_start(&spinner, i);
		OKAY(sys_thread_kill(spinner.thread, -7));
		STANDS(&spinner);
		EQ(thread_info(spinner.thread).state, SYS_THREAD_EXITED);
		EQ(thread_info(spinner.thread).exit_code, -7);
	}
	cpus_end();
}

TEST("thread_suspend:OK thread_resume:OK a thread that runs on another CPU stands still when the call returns")
{
	spinners_begin();
	spinner_start(&spinner, other_cpu(0));
	for (int i = 0; i < 5; i++) {
		OKAY(sys_thread_suspend(spinner.thread));
		STANDS(&spinner);
		EQ(thread_info(spinner.thread).state, SYS_THREAD_SUSPENDED);
		OKAY(sys_thread_resume(spinner.thread));
		until_counts(&spinner);
	}
	cpus_end();
}

TEST("thread_read_state:OK thread_write_state:OK the registers of a thread that was stopped on another CPU")
{
	sys_regs_t regs;

	spinners_begin();
	spinner_start(&spinner, other_cpu(0));
	OKAY(sys_thread_suspend(spinner.thread));
	OKAY(sys_thread_read_state(spinner.thread, SYS_STATE_GENERAL, &regs, sizeof(regs)));
	CHECK(regs.rip - (uint64_t)spin < 256 || regs.rip - (uint64_t)cpu_id < 64);
	regs.rip = (uint64_t)helper_entry;
	regs.rdi = (uint64_t)says_where;
	regs.rsp &= ~15ull;
	OKAY(sys_thread_write_state(spinner.thread, SYS_STATE_GENERAL, &regs, sizeof(regs)));
	OKAY(sys_thread_resume(spinner.thread));
	EQ(until_exited(spinner.thread), spinner.id);
	cpus_end();
}

TEST("thread_set_priority:OK lowered while it runs on another CPU: who waits there goes before it")
{
	uint32_t own = own_priority();

	spinners_begin();
	spinner_start(&spinner, other_cpu(0));
	second.thread = helper_prepare(spin, &second, SYS_CAP_NULL, own - 1);
	bind(second.thread, other_cpu(0));
	helper_go(second.thread);
	STANDS(&second);
	OKAY(sys_thread_set_priority(spinner.thread, own - 2));
	until_counts(&second);
	STANDS(&spinner);
	OKAY(sys_thread_set_priority(spinner.thread, own));
	until_counts(&spinner);
	STANDS(&second);
	cpus_end();
}

static int64_t notes_where(void *arg)
{
	volatile uint32_t *id = arg;
	*id = cpu_id() + 1;
	return 0;
}

TEST("a thread of higher priority takes another CPU from one of lower priority")
{
	static volatile uint32_t id;
	uint32_t own = own_priority();

	spinners_begin();
	second.thread = helper_prepare(spin, &second, SYS_CAP_NULL, own - 1);
	bind(second.thread, other_cpu(0));
	helper_go(second.thread);
	until_counts(&second);
	for (int i = 0; i < 20; i++) {
		id = 0;
		sys_cap_t thread = helper_prepare(notes_where, (void *)&id, SYS_CAP_NULL, own);
		bind(thread, other_cpu(0));
		helper_go(thread);
		until_exited(thread);
		EQ(id, second.id + 1);
		OKAY(sys_cap_delete(thread));
		helper_drop(1);
	}
	cpus_end();
}

TEST("cap_delete:OK the last capability of a thread that runs on another CPU")
{
	spinners_begin();
	for (int i = 0; i < 10; i++) {
		uint64_t before = used(ut);
		spinner_start(&spinner, other_cpu((unsigned)i));
		OKAY(sys_cap_delete(spinner.thread));
		STANDS(&spinner);
		EQ(used(ut), before);
		helper_drop(1);
	}
	cpus_end();
}

/* A spinner whose thread is paid by this account. */
static void spin_in(sys_cap_t pays, sys_cap_t vmar, unsigned cpu)
{
	static char stack[4096] __attribute__((aligned(4096)));

	memset(&spinner, 0, sizeof(spinner));
	OKAY(sys_thread_create(pays, SYS_CAP_CNODE, vmar, SYS_CAP_NULL, &spinner.thread));
	bind(spinner.thread, cpu);
	OKAY(sys_thread_start(spinner.thread, (sys_vaddr_t)helper_entry, (sys_vaddr_t)stack + sizeof(stack),
		(uint64_t)spin, (uint64_t)&spinner));
	until_counts(&spinner);
}

TEST("cap_revoke:OK the account of a thread that runs on another CPU")
{
	spinners_begin();
	for (int i = 0; i < 10; i++) {
		sys_cap_t pays = new_untyped(64 * PAGE);
		spin_in(pays, SYS_CAP_VMAR, other_cpu((unsigned)i));
		OKAY(sys_cap_revoke(pays));
		STANDS(&spinner);
		CHECK(cap_is_gone(spinner.thread));
		EQ(used(pays), 0);
		OKAY(sys_cap_delete(pays));
	}
	cpus_end();
}

/* In a process that counts in memory which we see too. */
static volatile uint64_t *seen;
static struct { volatile uint64_t *count; } child;

static int64_t counts_there(void *arg)
{
	(void)arg;
	for (;;) {
		give_turn(++*child.count);
	}
	return 0;
}

static bool it_counts(void *arg)
{
	return *seen > *(uint64_t *)arg;
}

static void process_begin(sys_process_t *process, sys_cap_t vmo, unsigned cpu)
{
	uint64_t from = *seen;

	process_create(process, SYS_CAP_NULL);
	child.count = map_in(process->vmar, vmo, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, PAGE);
	bind(process->thread, cpu);
	process_go(process, counts_there, NULL);
	CHECK(until(it_counts, &from, LIMIT));
}

static void counts_no_more(void)
{
	uint64_t then = *seen;

	sleep_for(2 * MILLISECOND);
	EQ(*seen, then);
}

TEST("cap_revoke:OK the account of a process that runs on another CPU")
{
	sys_process_t process;
	sys_cap_t vmo = new_vmo(PAGE);

	cpus_begin();
	seen = map(vmo, PAGE);
	for (int i = 0; i < 6; i++) {
		process_begin(&process, vmo, other_cpu((unsigned)i));
		OKAY(sys_cap_revoke(process.untyped));
		counts_no_more();
		process_end(&process);
	}
	unmap((void *)seen, PAGE);
	cpus_end();
}

/* Counts at its argument, without a stack; gives turns as give_turn(). */
__asm__(".pushsection .rodata\n"
	"counting_code:\n"
	"	incq (%rdi)\n"
	"	testl $511, (%rdi)\n"
	"	jnz counting_code\n"
	"	pause\n"
	"	jmp counting_code\n"
	"counting_code_end:\n"
	".popsection\n");
extern const uint8_t counting_code[], counting_code_end[];

/* An address space in this account, with that code and the VMO in it; the thread is ours. */
static sys_cap_t start_alone(sys_cap_t pays, sys_cap_t vmo, unsigned cpu)
{
	sys_cap_t vspace, code = new_vmo(PAGE), thread;
	uint64_t from = *seen;

	OKAY(sys_vspace_create(pays, SYS_CAP_NULL, 0, &vspace));
	OKAY(sys_vmo_write(code, counting_code, 0, (size_t)(counting_code_end - counting_code)));
	OKAY(sys_vmo_replace_as_executable(code, SYS_CAP_RESOURCE, &code));
	void *entry = map_in(vspace, code, SYS_VM_PERM_READ | SYS_VM_PERM_EXECUTE, 0, PAGE);
	void *count = map_in(vspace, vmo, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, PAGE);
	OKAY(sys_thread_create(ut, SYS_CAP_CNODE, vspace, SYS_CAP_NULL, &thread));
	bind(thread, cpu);
	OKAY(sys_thread_start(thread, (sys_vaddr_t)entry, (sys_vaddr_t)count, (uint64_t)count, 0));
	CHECK(until(it_counts, &from, LIMIT));
	return thread;
}

TEST("cap_revoke:OK the address space in which a thread of another account runs on another CPU")
{
	sys_cap_t vmo = new_vmo(PAGE);

	cpus_begin();
	seen = map(vmo, PAGE);
	for (int i = 0; i < 6; i++) {
		sys_cap_t pays = new_untyped(64 * PAGE), thread = start_alone(pays, vmo, other_cpu((unsigned)i));
		if (i % 2 == 0)
			OKAY(sys_cap_revoke(pays));
		else
			OKAY(sys_cap_delete(pays));
		counts_no_more();
		EQ(thread_info(thread).state, SYS_THREAD_EXITED);
		EQ(thread_info(thread).exit_code, SYS_ERR_CANCELED);
	}
	unmap((void *)seen, PAGE);
	cpus_end();
}

/* ---- threads that are in and out of the kernel ---- */

static int64_t asks_always(void *arg)
{
	struct spinner *s = arg;
	sys_cap_info_t info;

	for (;;) {
		sys_cap_info(SYS_CAP_CNODE, &info);
		sys_thread_yield();
		++s->count;
	}
	return 0;
}

TEST("thread_kill:OK thread_suspend:OK threads on all CPUs that make system calls without end")
{
	static struct spinner asker[CPUS_MAX];
	unsigned askers = cpus_tried();

	cpus_begin();
	for (int round = 0; round < 2; round++) {
		memset(asker, 0, sizeof(asker));
		for (unsigned i = 0; i < askers; i++) {
			asker[i].thread = helper_prepare(asks_always, &asker[i], SYS_CAP_NULL, own_priority());
			bind(asker[i].thread, i);
			helper_go(asker[i].thread);
		}
		for (unsigned i = 0; i < askers; i++) {
			until_counts(&asker[i]);
			OKAY(sys_thread_suspend(asker[i].thread));
			STANDS(&asker[i]);
			OKAY(sys_thread_resume(asker[i].thread));
			until_counts(&asker[i]);
			OKAY(sys_thread_kill(asker[i].thread, 5));
			STANDS(&asker[i]);
			EQ(thread_info(asker[i].thread).exit_code, 5);
			OKAY(sys_cap_delete(asker[i].thread));
		}
		helper_drop(askers);
	}
	cpus_end();
}

/* ---- what a thread has in registers goes with it ---- */

struct traveller { volatile uint64_t count, wrong; volatile uint32_t stop; };

static int64_t travels(void *arg)
{
	struct traveller *traveller = arg;
	uint64_t in[2] __attribute__((aligned(16))), out[2] __attribute__((aligned(16)));

	for (uint64_t n = 1; !traveller->stop; n++) {
		in[0] = n;
		in[1] = ~n;
		__asm__ volatile("movaps (%[in]), %%xmm9\n"
				 "mov $2000, %%ecx\n"
				 "1: loop 1b\n"
				 "pause\n"
				 "movaps %%xmm9, (%[out])\n"
				 : : [in] "r"(in), [out] "r"(out) : "rcx", "memory", "xmm9");
		traveller->wrong += out[0] != n || out[1] != ~n;
		traveller->count = n;
	}
	return 0;
}

static bool has_travelled(void *arg)
{
	return ((struct traveller *)arg)->count > 0;
}

TEST("thread_set_affinity:OK vector registers of two threads that are sent from CPU to CPU")
{
	static struct traveller traveller[2];
	sys_cap_t thread[2];

	cpus_begin();
	memset(traveller, 0, sizeof(traveller));
	for (int i = 0; i < 2; i++) {
		thread[i] = helper_prepare(travels, &traveller[i], SYS_CAP_NULL, own_priority());
		helper_go(thread[i]);
	}
	for (unsigned step = 0; step < 60; step++) {
		bind(thread[step % 2], step / 2 % cpus_tried());
		sleep_for(step % 8 * 10000);
	}
	for (int i = 0; i < 2; i++) {
		CHECK(until(has_travelled, &traveller[i], LIMIT));
		traveller[i].stop = 1;
	}
	for (int i = 0; i < 2; i++) {
		EQ(until_exited(thread[i]), 0);
		EQ(traveller[i].wrong, 0);
	}
	cpus_end();
}

struct fs_reader { volatile uint64_t value, count; };

static int64_t reads_fs_always(void *arg)
{
	struct fs_reader *reader = arg;

	for (;;) {
		uint64_t value;
		__asm__ volatile("movq %%fs:0, %0" : "=r"(value));
		reader->value = value;
		give_turn(++reader->count);
	}
	return 0;
}

static bool reads_value(void *arg)
{
	const struct fs_reader *reader = arg;
	return reader[0].value == reader[1].value;
}

TEST("thread_set_tls:OK of a thread that runs on another CPU")
{
	static uint64_t block[3] = {100, 101, 102};
	static struct fs_reader reader[2];      /* the second is what is awaited */

	cpus_begin();
	sys_cap_t thread = helper_prepare(reads_fs_always, &reader[0], SYS_CAP_NULL, own_priority());
	OKAY(sys_thread_set_tls(thread, (sys_vaddr_t)&block[0]));
	bind(thread, other_cpu(0));
	helper_go(thread);
	for (int i = 0; i < 12; i++) {
		reader[1].value = block[i % 3];
		OKAY(sys_thread_set_tls(thread, (sys_vaddr_t)&block[i % 3]));
		CHECK(until(reads_value, reader, LIMIT));
	}
	cpus_end();
}

void guest_tables(void)
{
	guest_add(cpu_count() > 1 ? "threads on all CPUs run at the same time"
				  : "threads on all CPUs run at the same time # SKIP there is one CPU", all_at_once, 0);
}
