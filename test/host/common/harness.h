/* SPDX-License-Identifier: BSD-2-Clause */
/* harness.h: what host tests share. A test program is one file of test/host that defines test_suite(); main()
 * (common/main.c) runs it and prints TAP. Each test runs in a process of its own, so a panic fails one test and every
 * test finds a fresh kernel. */
#pragma once
#include <check.h>
#include "lib/types.h"

/* The program's tests. */
Suite *test_suite(void);

/* A fake machine of so many frames of RAM (8 MiB and the table must fit), with frame table and root account set up. */
void machine_start(u64 frames);

/* Random numbers. Each test begins with the same seed, which main() prints; SEED=number repeats a run. */
u64 random_u64(void);
u64 random_below(u64 n);                /* 0 .. n - 1 */
bool random_chance(unsigned percent);

/* As ck_assert, but for loops: ck_assert costs a system call each time. */
#define must(fact) do { if (!(fact)) must_failed(__FILE__, __LINE__, #fact); } while (0)
noreturn void must_failed(const char *file, int line, const char *fact);
/* What it calls instead where Check does not run the program; does not return. */
extern void (*must_hook)(const char *file, int line, const char *fact);

/* Asserts that the call panics with this text in it. The panic happens in another process: nothing changes here. */
void expect_panic(void (*call)(void *), void *argument, const char *text);

/* For tests of "a failed call changed nothing": the body runs with the first, the second, ... allocation failing, until
 * none was left to fail:
 *     each_failure(n) {
 *             status = call();
 *             if (allocation_failed()) check that nothing changed; else check that it worked;
 *     }
 */
bool failure_arm(u64 n);                /* true while the last one (n > 1) was used up */
bool allocation_failed(void);
void failure_disarm(void);
#define each_failure(n) for (u64 n = 1; failure_arm(n); n++)

/* Adds a test case of one test; the time limit is a hang detector only. */
#define add_test(suite, test) do { \
	TCase *add_test_case = tcase_create(#test); \
	tcase_set_timeout(add_test_case, 120); \
	tcase_add_test(add_test_case, test); \
	suite_add_tcase(suite, add_test_case); \
} while (0)
