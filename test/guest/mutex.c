/* SPDX-License-Identifier: BSD-2-Clause */
/* mutex.c: libsys' mutexes and conditions (libsys/mutex.h), and the C library's own locks, which are made of them. */
#include "common/helper.h"

#include <libsys/mutex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 6, TURNS = 3000, ROOM = 4, ITEMS_MAX = 128, CHILD_ACCOUNT = 4 << 20, CHILD_THREADS = 4, ROUNDS = 400, CHARS = 20 };

static libsys_mutex_t mutex;
static libsys_condition_t condition;

static bool all_exited(void *threads)
{
	const sys_cap_t *thread = threads;

	for (int i = 0; i < THREADS; i++)
		if (thread_info(thread[i]).state != SYS_THREAD_EXITED)
			return false;
	return true;
}

/* All at different priorities, from ours down; we sleep meanwhile. */
static void run_all(helper_fn fn, void **arg)
{
	sys_time_t end = after(12 * LIMIT);
	sys_cap_t thread[THREADS];

	for (int i = 0; i < THREADS; i++) {
		thread[i] = helper_prepare(fn, arg[i], SYS_CAP_NULL, own_priority() - (uint32_t)i % 3);
		helper_go(thread[i]);
	}
	while (!all_exited(thread)) {
		CHECK(sys_clock_get() < end);
		sleep_for(MILLISECOND);
	}
	for (int i = 0; i < THREADS; i++)
		EQ(thread_info(thread[i]).exit_code, 0);
}

/* ---- mutexes ---- */

static int64_t locks(void *until)
{
	sys_status_t status = libsys_mutex_lock_until(&mutex, *(sys_time_t *)until);

	if (status == SYS_OK)
		libsys_mutex_unlock(&mutex);
	return status;
}

TEST("a mutex: free, held, tried, waited for, and given up")
{
	sys_time_t never = SYS_TIME_INFINITE, end = after(5 * MILLISECOND);
	sys_cap_t thread;

	mutex = (libsys_mutex_t){0};
	CHECK(libsys_mutex_try(&mutex));
	CHECK(!libsys_mutex_try(&mutex));
	EQ(libsys_mutex_lock_until(&mutex, SYS_TIME_POLL), SYS_ERR_TIMED_OUT);
	EQ(libsys_mutex_lock_until(&mutex, end), SYS_ERR_TIMED_OUT);
	CHECK(sys_clock_get() >= end);
	thread = helper_start(locks, &never);
	until_waiting(thread);
	libsys_mutex_unlock(&mutex);
	EQ(until_exited(thread), SYS_OK);
	libsys_mutex_lock(&mutex);
	libsys_mutex_unlock(&mutex);
	EQ(libsys_mutex_lock_until(&mutex, SYS_TIME_POLL), SYS_OK);
	libsys_mutex_unlock(&mutex);
	EQ(mutex.state, 0);
}

/* Two words that only differ while somebody holds the mutex, and for long enough for others to come. */
static struct { volatile uint64_t a, b; } pair;
static volatile uint32_t torn;

static int64_t counts(void *arg)
{
	uint64_t state = (uint64_t)arg;

	for (int i = 0; i < TURNS; i++) {
		libsys_mutex_lock(&mutex);
		if (pair.a != pair.b)
			torn++;
		pair.a++;
		if (random_next(&state) % 16 == 0)
			sys_thread_yield();
		if (random_next(&state) % 64 == 0)
			libsys_sleep((sys_time_t)(random_next(&state) % 20000));
		pair.b++;
		libsys_mutex_unlock(&mutex);
	}
	return 0;
}

TEST("a mutex: six threads of three priorities, one at a time, and every turn is had")
{
	void *seed[THREADS];

	for (uint64_t i = 0; i < THREADS; i++)
		seed[i] = (void *)(i * 1000003 + 1);
	mutex = (libsys_mutex_t){0};
	pair.a = pair.b = torn = 0;
	run_all(counts, seed);
	EQ(torn, 0);
	EQ(pair.a, THREADS * TURNS);
	EQ(pair.b, THREADS * TURNS);
	CHECK(libsys_mutex_try(&mutex));
}

/* ---- conditions ---- */

static int64_t waits_once(void *status_out)
{
	sys_status_t status;

	libsys_mutex_lock(&mutex);
	status = libsys_condition_wait(&condition, &mutex, SYS_TIME_INFINITE);
	libsys_mutex_unlock(&mutex);
	*(volatile sys_status_t *)status_out = status;
	return 0;
}

TEST("a condition: signal wakes one, broadcast all, a deadline comes; the mutex is held again each time")
{
	sys_status_t status[3] = {77, 77, 77};
	sys_cap_t thread[3];

	mutex = (libsys_mutex_t){0};
	condition = (libsys_condition_t){0};
	libsys_mutex_lock(&mutex);
	EQ(libsys_condition_wait(&condition, &mutex, after(3 * MILLISECOND)), SYS_ERR_TIMED_OUT);
	CHECK(!libsys_mutex_try(&mutex));
	libsys_mutex_unlock(&mutex);
	for (int i = 0; i < 3; i++) {
		thread[i] = helper_start(waits_once, &status[i]);
		until_waiting(thread[i]);
	}
	CHECK(libsys_mutex_try(&mutex));
	libsys_condition_signal(&condition);
	until_waiting(thread[0]);       /* for the mutex, now */
	EQ(status[0], 77);
	libsys_mutex_unlock(&mutex);
	EQ(until_exited(thread[0]), 0);
	EQ(thread_info(thread[1]).state, SYS_THREAD_WAITING);
	EQ(thread_info(thread[2]).state, SYS_THREAD_WAITING);
	libsys_condition_broadcast(&condition);
	EQ(until_exited(thread[1]), 0);
	EQ(until_exited(thread[2]), 0);
	for (int i = 0; i < 3; i++)
		EQ(status[i], SYS_OK);
	CHECK(libsys_mutex_try(&mutex));
}

static volatile bool held, go;

static int64_t holds_and_waits(void *arg)
{
	sys_status_t status;

	(void)arg;
	libsys_mutex_lock(&mutex);
	held = true;
	while (!go)
		libsys_sleep(100000);
	status = libsys_condition_wait(&condition, &mutex, SYS_TIME_INFINITE);
	libsys_mutex_unlock(&mutex);
	return status;
}

static int64_t signals(void *arg)
{
	(void)arg;
	libsys_mutex_lock(&mutex);
	libsys_condition_signal(&condition);
	libsys_mutex_unlock(&mutex);
	return 0;
}

TEST("a condition: a signal between giving up the mutex and waiting is not missed")
{
	sys_cap_t waiter, signaller;
	sys_time_t end = after(LIMIT);

	mutex = (libsys_mutex_t){0};
	condition = (libsys_condition_t){0};
	held = go = false;
	waiter = helper_prepare(holds_and_waits, NULL, SYS_CAP_NULL, own_priority() - 1);
	helper_go(waiter);
	while (!held)
		sleep_for(MILLISECOND);
	signaller = helper_start(signals, NULL);
	until_waiting(signaller);
	go = true;                      /* the waiter gives the mutex to its better, which runs at once */
	while (thread_info(waiter).state != SYS_THREAD_EXITED) {
		CHECK(sys_clock_get() < end);
		sleep_for(MILLISECOND);
	}
	EQ(thread_info(waiter).exit_code, SYS_OK);
	EQ(until_exited(signaller), 0);
}

/* A queue with little room, between three who put and three who take. */
static struct { uint64_t item[ROOM]; unsigned first, count; } queue;
static libsys_condition_t not_full, not_empty;
static uint64_t put_sum, taken_sum;

static void put_item(uint64_t item)
{
	libsys_mutex_lock(&mutex);
	while (queue.count == ROOM)
		libsys_condition_wait(&not_full, &mutex, SYS_TIME_INFINITE);
	queue.item[(queue.first + queue.count++) % ROOM] = item;
	put_sum += item;
	libsys_condition_signal(&not_empty);
	libsys_mutex_unlock(&mutex);
}

static uint64_t take_item(uint64_t *state)
{
	uint64_t item;

	libsys_mutex_lock(&mutex);
	while (queue.count == 0)        /* some give up now and then, and come again */
		libsys_condition_wait(&not_empty, &mutex, random_next(state) % 4 ? SYS_TIME_INFINITE : after(50000));
	item = queue.item[queue.first];
	queue.first = (queue.first + 1) % ROOM;
	queue.count--;
	taken_sum += item;
	libsys_condition_signal(&not_full);
	libsys_mutex_unlock(&mutex);
	return item;
}

static int64_t trades(void *arg)
{
	uint64_t number = (uint64_t)arg, state = number;

	for (uint64_t i = 0; i < TURNS; i++) {
		if (number % 2 == 0)
			put_item(1 + random_next(&state) % 1000);
		else if (take_item(&state) == 0)
			return 1;
		if (random_next(&state) % 8 == 0)
			libsys_sleep((sys_time_t)(random_next(&state) % 20000));
	}
	return 0;
}

TEST("a mutex and two conditions: what three threads put, three take, all of it")
{
	void *number[THREADS];

	for (uint64_t i = 0; i < THREADS; i++)
		number[i] = (void *)i;
	mutex = (libsys_mutex_t){0};
	not_full = not_empty = (libsys_condition_t){0};
	queue.first = queue.count = 0;
	put_sum = taken_sum = 0;
	run_all(trades, number);
	EQ(queue.count, 0);
	EQ(put_sum, taken_sum);
	CHECK(put_sum > 0);
}

/* ---- the C library's locks: a child whose threads allocate and print ---- */

static volatile uint32_t wrong;
static FILE *volatile file;

static int uses_libc(void *arg)
{
	uint64_t number = (uint64_t)arg, state = number;

	for (int i = 0; i < ROUNDS; i++) {
		size_t size = 1 + random_next(&state) % 2000;
		uint8_t *memory = malloc(size);

		if (memory == NULL)
			return 1;
		memset(memory, (int)number, size);
		if (random_next(&state) % 2 == 0)       /* better threads come back in the middle of anything */
			libsys_sleep((sys_time_t)(random_next(&state) % 50000));
		for (int j = 0; j < CHARS; j++)
			fputc('0' + (int)number, file);
		for (size_t j = 0; j < size; j++)
			wrong += memory[j] != number;
		free(memory);
	}
	return 0;
}

/* What each thread wrote is all there, and nothing else. */
static bool characters_good(void)
{
	int of[CHILD_THREADS + 1] = {0}, c;

	rewind(file);
	while ((c = fgetc(file)) != EOF) {
		if (c < '1' || c > '0' + CHILD_THREADS)
			return false;
		of[c - '0']++;
	}
	for (int i = 1; i <= CHILD_THREADS; i++)
		if (of[i] != ROUNDS * CHARS)
			return false;
	return true;
}

static int part_threads(void)
{
	sys_process_t thread[CHILD_THREADS] = {0};
	int64_t code;

	file = fopen("characters", "w+");
	if (file == NULL)
		return 2;
	for (uint64_t i = 0; i < CHILD_THREADS; i++)
		if (sys_thread_spawn(SYS_CAP_UNTYPED, uses_libc, (void *)(i + 1), 16384, &thread[i].thread) != SYS_OK ||
			sys_thread_set_priority(thread[i].thread, own_priority() - (uint32_t)i - 1) != SYS_OK)
			return 3;
	for (int i = 0; i < CHILD_THREADS; i++)
		if (sys_process_wait(&thread[i], &code, after(12 * LIMIT)) != SYS_OK || code != 0)
			return 4;
	return wrong != 0 ? 5 : characters_good() ? 60 : 6;
}

int guest_part(int argc, char **argv)
{
	(void)argc;
	return strcmp(argv[1], "threads") == 0 ? part_threads() : EXIT_FAILURE;
}

static sys_cap_t own_elf(void)
{
	static sys_startup_item_t items[ITEMS_MAX];
	size_t count = sys_startup(items, ITEMS_MAX);
	sys_cap_t elf = SYS_CAP_NULL;

	for (size_t i = 0; i < count && i < ITEMS_MAX; i++)
		if (strcmp(items[i].name, guest_path) == 0)
			elf = reduced(items[i].vmo, SYS_RIGHTS_SAME);
	CHECK(elf != SYS_CAP_NULL);
	OKAY(sys_vmo_replace_as_executable(elf, SYS_CAP_RESOURCE, &elf));
	return elf;
}

TEST("malloc and stdio: four threads of a program at once")
{
	char *argv[] = {"child", "threads"};
	sys_spawn_args_t args = {
		.elf = own_elf(), .ut = ut, .account = CHILD_ACCOUNT, .argc = 2, .argv = argv,
		.console = SYS_CAP_CONSOLE, .priority = own_priority()};
	sys_process_t process;
	int64_t code = 0;

	OKAY(sys_spawn(&args, &process));
	OKAY(sys_process_wait(&process, &code, after(12 * LIMIT)));
	EQ(code, 60);
	OKAY(sys_process_end(&process));
}
