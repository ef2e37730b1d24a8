/* SPDX-License-Identifier: BSD-2-Clause */
/* spawn.c: libsys' processes: sys_spawn, sys_startup, sys_process_wait, sys_process_end. The program that is spawned is
 * this one, from the boot module that it came from; with an argument it plays a part instead of running its tests. */
#include "common/helper.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS_MAX = 128, CHILD_ACCOUNT = 4 << 20 };

static sys_startup_item_t items[ITEMS_MAX];

static sys_cap_t find(const char *name)
{
	size_t count = sys_startup(items, ITEMS_MAX);
	for (size_t i = 0; i < count && i < ITEMS_MAX; i++)
		if (strcmp(items[i].name, name) == 0)
			return items[i].vmo;
	return SYS_CAP_NULL;
}

/* ---- parts ---- */

static int part_count(int argc, char **argv)
{
	return argc == 4 && strcmp(argv[2], "") == 0 && strcmp(argv[3], "with space") == 0 ? 40 + argc : 1;
}

static int part_libc(void)
{
	char *memory = malloc(300000);
	if (memory == NULL)
		return 2;
	memset(memory, 7, 300000);
	int sum = memory[299999];
	free(memory);
	errno = 0;
	if (strtol("99999999999999999999999", NULL, 10) != LONG_MAX || errno != ERANGE)
		return 3;
	char text[32];
	snprintf(text, sizeof(text), "%d %s", sum, "seven");
	return strcmp(text, "7 seven") == 0 ? 50 : 4;
}

static int part_talk(void)
{
	sys_msg_t msg = {.label = 1, .words = 1, .word = {5}};
	sys_cap_t ep = find("talk");
	if (ep == SYS_CAP_NULL || sys_ipc_call(ep, &msg, SYS_TIME_INFINITE) != SYS_OK)
		return 5;
	return (int)msg.word[0];
}

static int part(int argc, char **argv)
{
	if (strcmp(argv[1], "count") == 0)
		return part_count(argc, argv);
	if (strcmp(argv[1], "libc") == 0)
		return part_libc();
	if (strcmp(argv[1], "talk") == 0)
		return part_talk();
	if (strcmp(argv[1], "fault") == 0)
		return *(volatile int *)(uintptr_t)strtoul("10", NULL, 0);
	if (strcmp(argv[1], "abort") == 0)
		abort();
	for (;;)
		sys_thread_yield();
}

/* Called by the common main() when there are arguments. */
int guest_part(int argc, char **argv)
{
	return part(argc, argv);
}

/* ---- the parent's side ---- */

static sys_cap_t own_elf(void)
{
	sys_cap_t elf = find(guest_path);
	CHECK(elf != SYS_CAP_NULL);
	elf = reduced(elf, SYS_RIGHTS_SAME);
	OKAY(sys_vmo_replace_as_executable(elf, SYS_CAP_RESOURCE, &elf));
	return elf;
}

static void spawn(
	sys_process_t *process, int argc, const char *const *argv, const sys_startup_item_t *item, sys_cap_t fault_ep)
{
	sys_cap_t elf = own_elf();
	sys_spawn_args_t args = {
		.elf = elf,
		.ut = ut,
		.account = CHILD_ACCOUNT,
		.argc = argc,
		.argv = (char *const *)(uintptr_t)argv,
		.items = item != NULL,
		.item = item,
		.console = SYS_CAP_CONSOLE,
		.fault_ep = fault_ep,
		.priority = own_priority(),
	};
	OKAY(sys_spawn(&args, process));
	OKAY(sys_cap_delete(elf));
}

static int64_t run_part(int argc, const char *const *argv)
{
	sys_untyped_info_t before = account(ut);
	sys_process_t process;
	int64_t code = -77;

	spawn(&process, argc, argv, NULL, SYS_CAP_NULL);
	OKAY(sys_process_wait(&process, &code, after(LIMIT)));
	OKAY(sys_process_end(&process));
	check_account(&before, ut, __LINE__);
	return code;
}

TEST("sys_spawn: arguments arrive, the exit status comes back, the account is whole")
{
	static const char *const argv[] = {"child", "count", "", "with space"};
	EQ(run_part(4, argv), 44);
}

TEST("sys_spawn: the child has malloc, errno and printf of its own")
{
	static const char *const argv[] = {"child", "libc"};
	EQ(run_part(2, argv), 50);
}

TEST("sys_spawn: a child without a fault endpoint ends with its fault's status")
{
	static const char *const argv[] = {"child", "fault"};
	EQ(run_part(2, argv), SYS_ERR_NOT_FOUND);
}

TEST("sys_spawn: abort is not success")
{
	static const char *const argv[] = {"child", "abort"};
	CHECK(run_part(2, argv) != 0);
}

TEST("sys_spawn: what is passed by name is found by name")
{
	static const char *const argv[] = {"child", "talk"};
	sys_untyped_info_t before;
	sys_cap_t ep = new_endpoint(), reply = new_reply();
	sys_startup_item_t item = {"talk", ep, 0};
	sys_process_t process;
	sys_msg_t msg = {0};
	int64_t code;

	before = account(ut);
	spawn(&process, 2, argv, &item, SYS_CAP_NULL);
	OKAY(sys_ipc_recv(ep, reply, &msg, NULL, after(LIMIT)));
	EQ(msg.word[0], 5);
	msg.word[0] = 66;
	OKAY(sys_ipc_reply(reply, &msg));
	OKAY(sys_process_wait(&process, &code, after(LIMIT)));
	EQ(code, 66);
	OKAY(sys_process_end(&process));
	check_account(&before, ut, __LINE__);
}

TEST("sys_spawn: a child's fault is a message to its fault endpoint; sys_process_wait: TIMED_OUT meanwhile")
{
	static const char *const argv[] = {"child", "fault"};
	sys_cap_t ep = new_endpoint(), reply = new_reply();
	sys_untyped_info_t before = account(ut);
	sys_process_t process;
	sys_msg_t msg = {0};
	int64_t code = 5;

	spawn(&process, 2, argv, NULL, ep);
	OKAY(sys_ipc_recv(ep, reply, &msg, NULL, after(LIMIT)));
	EQ(msg.label, SYS_FAULT_PAGE);
	EQ(msg.word[0], 10);
	STATUS(SYS_ERR_TIMED_OUT, sys_process_wait(&process, &code, after(3 * MILLISECOND)));
	EQ(code, 5);
	OKAY(sys_process_end(&process));
	msg = (sys_msg_t){0};
	STATUS(SYS_ERR_BAD_STATE, sys_ipc_reply(reply, &msg));
	check_account(&before, ut, __LINE__);
}

/* ---- waiting ---- */

enum { WAITED = 2, WAITERS = 5 };
struct waits { const sys_process_t *process; sys_time_t deadline; volatile int64_t code; };

static int64_t waits_for(void *arg)
{
	struct waits *waits = arg;
	int64_t code = -1;
	sys_status_t status = sys_process_wait(waits->process, &code, waits->deadline);

	waits->code = code;
	return status;
}

TEST("sys_process_wait: several threads wait for several programs, asleep")
{
	static const char *const argv[] = {"child", "talk"};
	sys_cap_t ep = new_endpoint(), reply[WAITED], helper[WAITERS], ntfn = new_notification();
	sys_startup_item_t item = {"talk", ep, 0};
	struct waits waits[WAITERS];
	sys_process_t process[WAITED];
	uint64_t bits, switches[WAITERS];
	sys_msg_t msg;

	for (int i = 0; i < WAITED; i++) {      /* each is started, and waits for its answer */
		reply[i] = new_reply();
		spawn(&process[i], 2, argv, &item, SYS_CAP_NULL);
		msg = (sys_msg_t){0};
		OKAY(sys_ipc_recv(ep, reply[i], &msg, NULL, after(LIMIT)));
	}
	OKAY(sys_cap_watch(process[0].thread, SYS_EVENT_EXITED, 0, ntfn, 4));   /* and the test's own watch stays */
	sys_time_t begin = sys_clock_get();
	for (int i = 0; i < WAITERS; i++) {
		sys_time_t deadline = i == WAITERS - 1 ? after(20 * MILLISECOND) : SYS_TIME_INFINITE;
		waits[i] = (struct waits){&process[i % WAITED], deadline, -1};
		helper[i] = helper_start(waits_for, &waits[i]);
		if (i < WAITERS - 1)
			until_waiting(helper[i]);
		switches[i] = thread_info(helper[i]).switches;
	}
	EQ((sys_status_t)until_exited(helper[WAITERS - 1]), SYS_ERR_TIMED_OUT);
	sleep_for(50 * MILLISECOND);
	for (int i = 0; i < WAITERS - 1; i++) { /* it may look once in a second; polling would be at every 5 ms */
		uint64_t seconds = (uint64_t)((sys_clock_get() - begin) / SECOND);
		CHECK(thread_info(helper[i]).switches <= switches[i] + 4 * (seconds + 1));
	}
	for (int i = 0; i < WAITED; i++) {
		msg = (sys_msg_t){.words = 1, .word = {70 + (uint64_t)i}};
		OKAY(sys_ipc_reply(reply[i], &msg));
		for (int j = i; j < WAITERS - 1; j += WAITED) {
			EQ((sys_status_t)until_exited(helper[j]), SYS_OK);
			EQ(waits[j].code, 70 + i);
		}
	}
	OKAY(sys_notification_wait(ntfn, &bits, SYS_TIME_POLL));
	EQ(bits, 4);
	for (int i = 0; i < WAITED; i++)
		OKAY(sys_process_end(&process[i]));
}

TEST("sys_process_wait: of a program that is ended meanwhile, and without a slot to watch through")
{
	static const char *const argv[] = {"child", "spin"};
	sys_process_t process;
	sys_status_t status;
	struct waits waits = {&process, SYS_TIME_INFINITE, -1};

	spawn(&process, 2, argv, NULL, SYS_CAP_NULL);
	sys_cap_t helper = helper_start(waits_for, &waits);
	until_waiting(helper);
	sys_process_t ended = process;
	OKAY(sys_process_end(&ended));
	status = (sys_status_t)until_exited(helper);
	CHECK(status == SYS_ERR_BAD_CAP || (status == SYS_OK && waits.code == SYS_ERR_CANCELED));
	spawn(&process, 2, argv, NULL, SYS_CAP_NULL);
	fill_slots();
	waits.deadline = after(20 * MILLISECOND);
	EQ((sys_status_t)waits_for(&waits), SYS_ERR_TIMED_OUT);
	OKAY(sys_thread_kill(process.thread, 9));
	waits.deadline = after(LIMIT);
	EQ((sys_status_t)waits_for(&waits), SYS_OK);
	EQ(waits.code, 9);
	OKAY(sys_process_end(&process));
}

TEST("sys_process_end: of a process that runs, at any moment of its start")
{
	static const char *const argv[] = {"child", "spin"};
	sys_process_t process;

	for (int i = 0; i < 30; i++) {
		sys_untyped_info_t before = account(ut);
		spawn(&process, 2, argv, NULL, SYS_CAP_NULL);
		sleep_for(i * 9973);
		OKAY(sys_process_end(&process));
		EQ(process.untyped, SYS_CAP_NULL);
		check_account(&before, ut, __LINE__);
	}
}

TEST("sys_spawn: refused for want of memory, for a file that is no program; nothing is left")
{
	sys_cap_t elf = own_elf(), text = new_vmo(PAGE);
	char *const argv[] = {"child"};
	sys_spawn_args_t args = {
		.elf = elf, .ut = ut, .account = 20 * PAGE, .argc = 1, .argv = argv, .priority = own_priority()};
	sys_process_t process;

	REFUSED(SYS_ERR_NO_MEMORY, sys_spawn(&args, &process));
	args.account = 1ull << 40;
	REFUSED(SYS_ERR_NO_MEMORY, sys_spawn(&args, &process));
	args.account = CHILD_ACCOUNT;
	args.elf = text;
	REFUSED(SYS_ERR_INVALID_ARGS, sys_spawn(&args, &process));
	OKAY(sys_vmo_write(text, "\177ELF and then nothing", 0, 21));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_spawn(&args, &process));
	args.elf = less(elf, SYS_RIGHT_EXECUTE);
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_spawn(&args, &process));
	EQ(process.untyped, SYS_CAP_NULL);
}
