/* SPDX-License-Identifier: BSD-2-Clause */
/* system.c: what the machine is and what the kernel has done; and that nobody without the right ends it. */
#include "common/process.h"

#include <string.h>

TEST("system_info:OK the machine")
{
	sys_machine_info_t info;

	memset(&info, 0xee, sizeof(info));
	OKAY(sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_MACHINE, &info, sizeof(info)));
	CHECK(info.frames > 1000 && info.free_frames > 0 && info.free_frames < info.frames);
	CHECK(info.cpus >= 1 && info.cpus <= 64);
	CHECK(memchr(info.loader, 0, sizeof(info.loader)) && memchr(info.cpu, 0, sizeof(info.cpu)));
	CHECK(memchr(info.version, 0, sizeof(info.version)) && info.version[0] != 0);
}

TEST("system_info:OK free frames go down and come back")
{
	sys_machine_info_t before, with, after_it;

	OKAY(sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_MACHINE, &before, sizeof(before)));
	sys_cap_t vmo = new_vmo(64 * PAGE);
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, 64 * PAGE, NULL, 0));
	OKAY(sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_MACHINE, &with, sizeof(with)));
	CHECK(before.free_frames - with.free_frames >= 64);
	OKAY(sys_cap_delete(vmo));
	OKAY(sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_MACHINE, &after_it, sizeof(after_it)));
	EQ(after_it.free_frames, before.free_frames);
}

TEST("system_info:OK the counters count faults, zero fills, copies and entries")
{
	sys_counters_t before, now;
	sys_cap_t vmo = new_vmo(4 * PAGE);
	volatile uint64_t *at = map(vmo, 4 * PAGE);

	OKAY(sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_COUNTERS, &before, sizeof(before)));
	at[0] = 1;
	at[512] = 1;
	sys_cap_t child = new_snapshot(vmo, 0, 4 * PAGE);
	at[0] = 2;
	OKAY(sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_COUNTERS, &now, sizeof(now)));
	CHECK(now.faults >= before.faults + 3);
	CHECK(now.zero_fills >= before.zero_fills + 2);
	CHECK(now.copies >= before.copies + 1);
	CHECK(now.entries >= before.entries + 5);
	EQ(get(child, 0), 1);
	unmap((void *)at, 4 * PAGE);
}

TEST("system_info:INVALID_ARGS no such topic")
{
	sys_machine_info_t info = {.frames = 5};

	REFUSED(SYS_ERR_INVALID_ARGS, sys_system_info(SYS_CAP_RESOURCE, (enum sys_topic)0, &info, sizeof(info)));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_system_info(SYS_CAP_RESOURCE, (enum sys_topic)99, &info, sizeof(info)));
	EQ(info.frames, 5);
}

TEST("system_info:BUFFER_TOO_SMALL room for less than there is")
{
	sys_machine_info_t info = {.frames = 5};

	REFUSED(SYS_ERR_BUFFER_TOO_SMALL,
		sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_MACHINE, &info, sizeof(info) - 1));
	REFUSED(SYS_ERR_BUFFER_TOO_SMALL, sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_COUNTERS, &info, 0));
	EQ(info.frames, 5);
}

enum { SYSTEM_SHUTDOWN = 125 };

/* The stub does not return, so the call is made by hand; the answer is where a status is. */
static int64_t shutdown_with(sys_cap_t cap)
{
	int64_t status;
	__asm__ volatile("syscall" : "=a"(status) : "a"((uint64_t)SYSTEM_SHUTDOWN), "D"(cap), "S"(9ull)
			 : "rcx", "r11", "rdx", "r8", "r9", "r10", "r12", "r13", "r14", "r15", "memory");
	return status;
}

TEST("system_shutdown:BAD_CAP system_shutdown:WRONG_TYPE system_shutdown:ACCESS_DENIED argument 0 MANAGE, of the resource")
{
	EQ(shutdown_with(SYS_CAP_NULL), SYS_ERR_BAD_CAP);
	EQ(shutdown_with(stale_cap()), SYS_ERR_BAD_CAP);
	EQ(shutdown_with(SYS_CAP_CONSOLE), SYS_ERR_WRONG_TYPE);
	EQ(shutdown_with(less(SYS_CAP_RESOURCE, SYS_RIGHT_MANAGE)), SYS_ERR_ACCESS_DENIED);
}

static int64_t shuts_down(void *arg)
{
	(void)arg;
	return shutdown_with(SYS_CAP_RESOURCE);
}

TEST("system_shutdown:BAD_CAP from a process that was not given the resource")
{
	sys_process_t process;

	process_create(&process, SYS_CAP_NULL);
	process_go(&process, shuts_down, NULL);
	EQ(until_exited(process.thread), SYS_ERR_BAD_CAP);
	process_end(&process);
}
