/* SPDX-License-Identifier: BSD-2-Clause */
/* run.c: the command run. A program is a boot module, or else a file of the archive, whose pages come as it runs. */
#include <stdio.h>
#include "shell.h"

enum { ACCOUNT_SHARE = 2 };             /* a program gets half of what the shell has left */

sys_status_t shell_spawn(sys_cap_t elf, int argc, char *const *argv, size_t items, const sys_startup_item_t *item,
	unsigned share, sys_process_t *process)
{
	sys_untyped_info_t account;
	sys_thread_info_t self;
	sys_spawn_args_t args = {
		.elf = elf, .ut = SYS_CAP_UNTYPED, .argc = argc, .argv = argv, .items = items, .item = item,
		.console = SYS_CAP_CONSOLE,
	};
	sys_status_t status = sys_untyped_info(SYS_CAP_UNTYPED, &account);

	if (status == SYS_OK)
		status = sys_thread_info(SYS_CAP_THREAD, &self);
	if (status != SYS_OK)
		return status;
	args.account = (account.total - account.used - account.promised) / share / SYS_PAGE_SIZE * SYS_PAGE_SIZE;
	args.priority = self.priority;
	return sys_spawn(&args, process);
}

/* A capability of its own to run the program with. */
static sys_status_t open_program(const char *name, sys_cap_t *elf)
{
	const sys_startup_item_t *item = shell_item(name, true), *server = shell_item("files", false);
	sys_cap_t file;
	sys_status_t status;
	uint64_t size;

	if (item)
		return sys_cap_copy(item->vmo, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, elf);
	status = server ? files_open(server->vmo, name, &file, &size) : SYS_ERR_NOT_FOUND;
	if (status != SYS_OK)
		return status;
	status = sys_vmo_replace_as_executable(file, SYS_CAP_RESOURCE, elf);
	if (status != SYS_OK)
		sys_cap_delete(file);
	return status;
}

static void print_end(const char *name, int64_t code)
{
	if (code >= SYS_ERR_IO_MISSED_DEADLINE && code < 0)
		printf("%s ended: %s\n", name, sys_status_string((sys_status_t)code));
	else if (code < INT64_MIN + 32)
		printf("%s ended: exception %lld\n", name, (long long)(code - INT64_MIN));
	else
		printf("%s ended with status %lld\n", name, (long long)code);
}

bool command_run(int argc, char **argv)
{
	const sys_startup_item_t *server = shell_item("files", false);
	sys_process_t process;
	sys_status_t status;
	sys_cap_t elf;
	int64_t code = -1;

	if (argc < 2) {
		printf("usage: run PROGRAM [ARG...]\n");
		return false;
	}
	status = open_program(argv[1], &elf);
	if (status != SYS_OK)
		return shell_complain(argv[0], argv[1], status);
	status = shell_spawn(elf, argc - 1, argv + 1, server ? 1 : 0, server, ACCOUNT_SHARE, &process);
	if (status == SYS_OK) {
		status = sys_process_wait(&process, &code, SYS_TIME_INFINITE);
		sys_process_end(&process);
	}
	sys_cap_delete(elf);
	if (status != SYS_OK)
		return shell_complain(argv[0], argv[1], status);
	print_end(argv[1], code);
	return code == 0;
}
