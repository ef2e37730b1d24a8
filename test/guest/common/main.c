/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c: gathers the tests of this program, runs them with Check (no fork, TAP on standard output) and watches the
 * accounts. Check writes its notes to memory of this process, so everything that may grow is made to grow before the
 * first test: then the program's own account must be the same before and after each test. */
#include "guest.h"

#include "helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SLOTS_MAX = 8192,
	TESTS_MAX = 1024,
	NAME_BYTES = 160,
	TABLE_MAX = 768,
	WARM_HEAP = 512 * 1024,
	WARM_STACK = 48 * 1024
};

/* The linker gathers the section; a program whose tests all come from tables has none. */
extern const struct guest_test *const __start_guest_tests[] __attribute__((weak));
extern const struct guest_test *const __stop_guest_tests[] __attribute__((weak));

extern char __libsys_data_start[], __libsys_data_end[];

sys_cap_t ut;
const char *guest_path;

static const struct guest_test *tests[TESTS_MAX];
static TTest check_tests[TESTS_MAX];
static size_t test_count;
static struct guest_test table_tests[TABLE_MAX];
static char table_names[TABLE_MAX][NAME_BYTES];
static size_t table_count;
static sys_untyped_info_t own_before;
static sys_cap_t own_names[SLOTS_MAX];

__attribute__((weak)) void guest_tables(void)
{
}

__attribute__((weak)) int guest_part(int argc, char **argv)
{
	(void)argc, (void)argv;
	return EXIT_FAILURE;
}

static void gather(const struct guest_test *test)
{
	if (test_count == TESTS_MAX)
		abort();
	size_t at = test_count++;
	for (; at > 0 && tests[at - 1]->line > test->line; at--)
		tests[at] = tests[at - 1];
	tests[at] = test;
}

void guest_add(const char *name, void (*run)(int), int index)
{
	if (table_count == TABLE_MAX || strlen(name) >= NAME_BYTES)
		abort();
	strcpy(table_names[table_count], name);
	table_tests[table_count] = (struct guest_test){table_names[table_count], run, __FILE__, INT32_MAX, index};
	gather(&table_tests[table_count++]);
}

/* Capabilities that a test left in our CSpace and that are not from its account (regions of our address space, copies
 * of what we were given) go with the test. */
static void for_each_capability(void (*see)(uint32_t slot, sys_cap_t name))
{
	sys_cap_info_t info;
	sys_cap_t name;

	for (uint32_t slot = 1; slot < SLOTS_MAX && sys_cnode_info(SYS_CAP_CNODE, slot, &name, &info) == SYS_OK; slot++)
		if (info.type != SYS_TYPE_NONE)
			see(slot, name);
}

static void note_capability(uint32_t slot, sys_cap_t name)
{
	own_names[slot] = name;
}

static void drop_if_new(uint32_t slot, sys_cap_t name)
{
	if (own_names[slot] != name)
		OKAY(sys_cap_delete(name));
}

static void drop_new_capabilities(void)
{
	for_each_capability(drop_if_new);
}

/* What the last test said goes out now: a runner takes long silence for a hang. */
static void test_begins(void)
{
	fflush(stdout);
	helper_reset();
	own_before = account(SYS_CAP_UNTYPED);
	OKAY(sys_untyped_create(SYS_CAP_UNTYPED, ACCOUNT_BYTES, &ut));
}

/* Nothing is left of a test when its account has been revoked, and our own account is what it was. */
static void test_ends(void)
{
	OKAY(sys_thread_set_affinity(SYS_CAP_THREAD, UINT64_MAX));
	OKAY(sys_cap_revoke(ut));
	sys_untyped_info_t left = account(ut);
	OKAY(sys_cap_delete(ut));
	drop_new_capabilities();
	EQ(left.used, 0);
	EQ(left.promised, 0);
	check_account(&own_before, SYS_CAP_UNTYPED, __LINE__);
}

/* Touches what a later test may be the first to touch. */
static __attribute__((noinline)) void warm_up(void)
{
	for (volatile char *at = __libsys_data_start; at < __libsys_data_end; at += SYS_PAGE_SIZE)
		*at = *at;
	volatile char stack[WARM_STACK];
	for (size_t i = 0; i < sizeof(stack); i += SYS_PAGE_SIZE)
		stack[i] = (char)i;
	char *heap = malloc(WARM_HEAP);
	if (heap == NULL)
		abort();
	memset(heap, (int)stack[0], WARM_HEAP);
	free(heap);
}

/* ---- a fault of the program itself: said in a line, so that a log tells more than a status ---- */

static char monitor_stack[8192] __attribute__((aligned(16)));
static sys_cap_t monitor_ep, monitor_reply;

static char *put_hex(char *to, const char *before, uint64_t value)
{
	while (*before != '\0')
		*to++ = *before++;
	for (int shift = 60; shift >= 0; shift -= 4)
		*to++ = "0123456789abcdef"[value >> shift & 15];
	return to;
}

static int64_t monitor(void *arg)
{
	static sys_msg_t msg;
	static char line[256];

	(void)arg;
	if (sys_ipc_recv(monitor_ep, monitor_reply, &msg, NULL, SYS_TIME_INFINITE) != SYS_OK)
		return 1;
	char *end = put_hex(line, "\nBail out! fault ", msg.label);
	for (uint32_t i = 0; i < msg.words && i < 4; i++)
		end = put_hex(end, " ", msg.word[i]);
	*end++ = '\n';
	sys_console_write(SYS_CAP_CONSOLE, line, (size_t)(end - line));
	return sys_thread_kill(SYS_CAP_THREAD, (int64_t)msg.word[3]);
}

static void start_monitor(void)
{
	sys_cap_t thread;

	if (sys_endpoint_create(SYS_CAP_UNTYPED, &monitor_ep) != SYS_OK ||
		sys_reply_create(SYS_CAP_UNTYPED, &monitor_reply) != SYS_OK ||
		sys_thread_create(SYS_CAP_UNTYPED, SYS_CAP_CNODE, SYS_CAP_VMAR, SYS_CAP_NULL, &thread) != SYS_OK ||
		sys_thread_start(thread, (sys_vaddr_t)helper_entry, (sys_vaddr_t)monitor_stack + sizeof(monitor_stack),
			(uint64_t)monitor, 0) != SYS_OK ||
		sys_thread_set_fault_endpoint(SYS_CAP_THREAD, monitor_ep) != SYS_OK)
		abort();
	while (thread_info(thread).state != SYS_THREAD_WAITING)
		sys_thread_yield();
}

static Suite *make_suite(const char *program)
{
	Suite *suite = suite_create(program);
	TCase *tcase = tcase_create(program);

	tcase_add_checked_fixture(tcase, test_begins, test_ends);
	for (size_t i = 0; i < test_count; i++) {
		const struct guest_test *test = tests[i];
		check_tests[i] = (TTest){test->name, test->run, test->file, test->line};
		_tcase_add_test(tcase, &check_tests[i], 0, 0, test->index, test->index + 1);
	}
	suite_add_tcase(suite, tcase);
	return suite;
}

/* guest/caps.elf is caps. */
static const char *program_name(const char *path)
{
	static char name[NAME_BYTES];
	const char *slash = strrchr(path, '/');

	strncpy(name, slash != NULL ? slash + 1 : path, sizeof(name) - 1);
	char *dot = strrchr(name, '.');
	if (dot != NULL)
		*dot = '\0';
	return name;
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		int status = guest_part(argc, argv);
		if (status != GUEST_RUN_TESTS)
			return status;
	}
	guest_path = argc > 0 ? argv[0] : "guest";
	for (const struct guest_test *const *test = __start_guest_tests; test < __stop_guest_tests; test++)
		gather(*test);
	guest_tables();
	SRunner *runner = srunner_create(make_suite(program_name(guest_path)));
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_set_tap(runner, "-");
	warm_up();
	start_monitor();
	for_each_capability(note_capability);
	srunner_run_all(runner, CK_SILENT);
	bool failed = srunner_ntests_failed(runner) != 0 || srunner_ntests_run(runner) == 0;
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
