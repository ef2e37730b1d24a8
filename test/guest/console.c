/* SPDX-License-Identifier: BSD-2-Clause */
/* console.c: the console's calls. What is typed is the shell's and the boots' to test: here nobody types. */
#include "common/helper.h"

TEST("console_write:OK any length, from any place, nothing at all")
{
	static const char text[] = "# console_write says this\n";
	sys_cap_t vmo = new_vmo(2 * PAGE);
	char *at = map(vmo, 2 * PAGE), *line = at + PAGE - 10;

	OKAY(sys_console_write(SYS_CAP_CONSOLE, text, sizeof(text) - 1));
	for (size_t i = 0; i < sizeof(text); i++)
		line[i] = text[i];
	OKAY(sys_console_write(SYS_CAP_CONSOLE, line, sizeof(text) - 1));
	OKAY(sys_console_write(SYS_CAP_CONSOLE, text, 0));
	unmap(at, 2 * PAGE);
}

TEST("console_write:BAD_ADDRESS a text that is not there")
{
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_console_write(SYS_CAP_CONSOLE, NULL, 1));
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_console_write(SYS_CAP_CONSOLE, NOWHERE, 10));
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_console_write(SYS_CAP_CONSOLE, (const char *)KERNEL_HALF, 10));
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_console_write(SYS_CAP_CONSOLE, (const char *)-4096ull, 8192));
}

TEST("console_read:TIMED_OUT nobody types")
{
	char buf[8];
	size_t actual = 55;
	sys_time_t end = after(2 * MILLISECOND);

	REFUSED(SYS_ERR_TIMED_OUT, sys_console_read(SYS_CAP_CONSOLE, buf, sizeof(buf), &actual, SYS_TIME_POLL));
	REFUSED(SYS_ERR_TIMED_OUT, sys_console_read(SYS_CAP_CONSOLE, buf, sizeof(buf), &actual, end));
	CHECK(sys_clock_get() >= end);
	EQ(actual, 55);
}

TEST("console_read:OK no bytes asked for are there at once")
{
	char buf[8];
	size_t actual = 55;

	OKAY(sys_console_read(SYS_CAP_CONSOLE, buf, 0, &actual, SYS_TIME_INFINITE));
	EQ(actual, 0);
}

TEST("console_read:BAD_ADDRESS no place for the count")
{
	char buf[8];

	REFUSED(SYS_ERR_BAD_ADDRESS, sys_console_read(SYS_CAP_CONSOLE, buf, 8, (size_t *)KERNEL_HALF, SYS_TIME_POLL));
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_console_read(SYS_CAP_CONSOLE, buf, 8, (size_t *)8, SYS_TIME_POLL));
}

static int64_t reads_console(void *arg)
{
	char byte;
	size_t actual;
	(void)arg;
	return sys_console_read(SYS_CAP_CONSOLE, &byte, 1, &actual, SYS_TIME_INFINITE);
}

TEST("console_read: a reader waits, and can be killed")
{
	sys_cap_t first = helper_start(reads_console, NULL), second = helper_start(reads_console, NULL);

	until_waiting(first);
	until_waiting(second);
	OKAY(sys_thread_kill(first, 4));
	OKAY(sys_thread_kill(second, 5));
	EQ(thread_info(first).exit_code, 4);
}
