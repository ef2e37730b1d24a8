/* SPDX-License-Identifier: BSD-2-Clause */
/* run.c: programs one after the other, and what each leaves behind in init's account. */
#include <stdio.h>
#include <string.h>
#include "init.h"

enum { STACK_TOUCHED = 64 << 10 };

extern char __libsys_data_start[], __libsys_data_end[];

static void __attribute__((noinline)) touch_stack(void)
{
	volatile char stack[STACK_TOUCHED];

	for (size_t i = 0; i < sizeof stack; i += SYS_PAGE_SIZE)
		stack[i] = 0;
}

void run_prepare(void)
{
	touch_stack();
	for (volatile char *p = __libsys_data_start; p < __libsys_data_end; p += SYS_PAGE_SIZE)
		*p = *p;
	libsys_sleep(1);
}

static sys_status_t spawn(struct module *module, int argc, char *const *argv, sys_process_t *process)
{
	static sys_startup_item_t item[MODULES_MAX];
	sys_spawn_args_t args = {
		.elf = module_executable(module), .ut = SYS_CAP_UNTYPED, .account = memory_left(),
		.argc = argc, .argv = argv, .items = module_count(), .item = item,
		.console = SYS_CAP_CONSOLE, .resource = SYS_CAP_RESOURCE, .priority = priority_below(1),
	};

	for (size_t i = 0; i < module_count(); i++)
		item[i] = (sys_startup_item_t){ module_at(i)->name, module_at(i)->vmo, module_at(i)->size };
	return sys_spawn(&args, process);
}

bool run_program(const char *name, int argc, char *const *argv, int64_t *exit_status)
{
	struct module *module = module_find(name);
	sys_process_t process;
	sys_status_t status;

	if (!module) {
		complain("there is no module %s", name);
		return false;
	}
	status = spawn(module, argc, argv, &process);
	if (status != SYS_OK) {
		complain("%s cannot be started: %s", name, sys_status_string(status));
		return false;
	}
	status = sys_process_wait(&process, exit_status, SYS_TIME_INFINITE);
	if (status != SYS_OK)
		complain("waiting for %s: %s", name, sys_status_string(status));
	if (sys_process_end(&process) != SYS_OK) {
		complain("%s cannot be ended", name);
		status = SYS_ERR_BAD_STATE;
	}
	return status == SYS_OK;
}

static uint64_t bytes_taken(void)
{
	sys_untyped_info_t info;

	return sys_untyped_info(SYS_CAP_UNTYPED, &info) == SYS_OK ? info.used + info.promised : 0;
}

/* True: it ended with status 0, and init's account is what it was before, to the frame. */
static bool run_test(char *name)
{
	char *argv[] = { name, NULL };
	struct module *module = module_find(name);
	uint64_t before, after;
	int64_t status;
	bool ran;

	if (module)
		module_executable(module);
	before = bytes_taken();
	printf("# program %s\n", name);
	ran = run_program(name, 1, argv, &status);
	if (ran)
		printf("# end %s status %lld\n", name, (long long)status);
	after = bytes_taken();
	if (after != before)
		printf("# leak %s %lld\n", name, (long long)(after - before));
	return ran && status == 0 && after == before;
}

int run_tests(int count, char *const *name)
{
	int failed = 0;

	for (int i = 0; i < count; i++)
		failed += !run_test(name[i]);
	return failed;
}
