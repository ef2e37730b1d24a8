/* SPDX-License-Identifier: BSD-2-Clause */
/* harness.c: see harness.h. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "arch/arch.h"
#include "common/harness.h"
#include "mem/account.h"
#include "mem/frame.h"

void machine_start(u64 frames)
{
	struct boot_info boot;

	host_machine_init(frames);
	host_boot_info(&boot);
	frame_init(&boot);
	account_init();
}

void (*must_hook)(const char *file, int line, const char *fact);

noreturn void must_failed(const char *file, int line, const char *fact)
{
	if (must_hook)
		must_hook(file, line, fact);
	_ck_assert_failed(file, line, fact, NULL);
	abort();
}

u64 random_u64(void) { return arch_random(); }
u64 random_below(u64 n) { return arch_random() % n; }
bool random_chance(unsigned percent) { return random_below(100) < percent; }

void expect_panic(void (*call)(void *), void *argument, const char *text)
{
	char said[8192] = "";
	size_t length = 0;
	int end[2], status;

	ck_assert_int_eq(pipe(end), 0);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		dup2(end[1], STDERR_FILENO);
		call(argument);
		_exit(0);
	}
	close(end[1]);
	for (ssize_t n; (n = read(end[0], said + length, sizeof said - 1 - length)) > 0; length += (size_t)n)
		;
	close(end[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	bool panicked = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
	bool refused = WIFEXITED(status) && WEXITSTATUS(status) == ARCH_SHUTDOWN_REFUSED;
	ck_assert_msg(panicked || refused, "neither panic nor refusal; expected: %s", text);
	ck_assert_msg(strstr(said, text) != NULL, "expected: %s; it said: %s", text, said);
}

bool failure_arm(u64 n)
{
	bool go_on = n == 1 || host_fail_charge_at == 0;
	host_fail_charge_at = go_on ? n : 0;
	return go_on;
}

bool allocation_failed(void) { return host_fail_charge_at == 0; }
void failure_disarm(void) { host_fail_charge_at = 0; }
