/* SPDX-License-Identifier: BSD-2-Clause */
/* services.c: the pager, which serves the boot archive, and the shell, each in an account of its own.
 *
 * The endpoint between them is init's only to send to: the one capability to receive is the pager's, so when the
 * pager ends, its clients are told at once (PEER_CLOSED). The shell also gets the programs, and the accounts to look
 * at.
 */
#include <stdio.h>
#include <string.h>
#include <libsys/files.h>
#include "init.h"

#define ARCHIVE "files.zip"
#define SHELL_MIN (16ull << 20)         /* the pager leaves this much to the shell and its programs */
#define PAGER_OVERHEAD (8ull << 20)
enum { ANSWER_TRIES = 100, LOOK_NS = 100000000 };
enum { SHELL_ENDED = 1, PAGER_ENDED = 2 };

static sys_process_t pager, shell;
static sys_cap_t files;                 /* the endpoint, to send to */

static struct module *need(const char *name)
{
	struct module *module = module_find(name);

	if (!module)
		complain("there is no module %s", name);
	return module;
}

static bool copy(sys_cap_t cap, sys_rights_t rights, sys_cap_t *out)
{
	return sys_cap_copy(cap, SYS_CAP_CNODE, SYS_SLOT_ANY, rights, out) == SYS_OK;
}

static bool start(const char *name, const sys_spawn_args_t *args, sys_process_t *process)
{
	sys_status_t status = sys_spawn(args, process);

	if (status != SYS_OK)
		complain("%s cannot be started: %s", name, sys_status_string(status));
	return status == SYS_OK;
}

/* ---- the pager ---- */

/* Enough for all of the archive's files where that leaves the shell what it needs; the pager makes do with less. */
static uint64_t pager_account(uint64_t archive)
{
	uint64_t left = memory_left(), want = archive + archive / 8 + PAGER_OVERHEAD;

	if (want < left / 2)
		want = left / 2;
	if (want + SHELL_MIN > left)
		want = left > SHELL_MIN ? left - SHELL_MIN : left / 2;
	return want / SYS_PAGE_SIZE * SYS_PAGE_SIZE;
}

static bool start_pager(struct module *program, const struct module *archive)
{
	char *argv[] = { "pager", NULL };
	sys_startup_item_t item[] = { { "archive", archive->vmo, archive->size }, { "files", SYS_CAP_NULL, 0 } };
	sys_spawn_args_t args = {
		.elf = module_executable(program), .ut = SYS_CAP_UNTYPED, .account = pager_account(archive->size),
		.argc = 1, .argv = argv, .items = 2, .item = item, .console = SYS_CAP_CONSOLE,
		.priority = priority_below(1),
	};
	sys_cap_t endpoint;
	bool started;

	if (sys_endpoint_create(SYS_CAP_UNTYPED, &endpoint) != SYS_OK ||
			!copy(endpoint, SYS_RIGHTS_BASIC | SYS_RIGHT_SEND, &files) ||
			!copy(endpoint, SYS_RIGHTS_BASIC | SYS_RIGHT_RECV, &item[1].vmo)) {
		complain("the endpoint of the pager cannot be made");
		return false;
	}
	started = start("pager", &args, &pager);
	sys_cap_delete(item[1].vmo);
	sys_cap_delete(endpoint);
	return started;
}

/* The first question: has the archive been read, and is it whole? The pager may be long at it, or have ended. */
static bool pager_ready(void)
{
	char why[FILES_NAME_MAX + 1] = "";
	sys_status_t status = SYS_ERR_TIMED_OUT;
	uint64_t count;
	int64_t code;

	for (int i = 0; status == SYS_ERR_TIMED_OUT && i < ANSWER_TRIES; i++) {
		status = files_status(files, &count, why, sys_clock_get() + LOOK_NS);
		if (status == SYS_ERR_TIMED_OUT && sys_process_wait(&pager, &code, SYS_TIME_POLL) == SYS_OK)
			status = SYS_ERR_PEER_CLOSED;
	}
	if (status == SYS_ERR_IO_DATA_INTEGRITY)
		complain("the archive %s is damaged: %s", ARCHIVE, why);
	else if (status != SYS_OK)
		complain("the pager does not answer: %s", sys_status_string(status));
	return status == SYS_OK;
}

/* ---- the shell ---- */

static sys_cap_t account_to_see(sys_cap_t untyped)
{
	sys_cap_t seen;

	return copy(untyped, SYS_RIGHTS_BASIC, &seen) ? seen : SYS_CAP_NULL;
}

static bool is_program(const struct module *module)
{
	size_t length = strlen(module->name);

	return length > 4 && strcmp(module->name + length - 4, ".elf") == 0;
}

static size_t shell_items(sys_startup_item_t *item)
{
	size_t n = 0;

	item[n++] = (sys_startup_item_t){ "files", files, 0 };
	item[n++] = (sys_startup_item_t){ "account/all", account_to_see(SYS_CAP_UNTYPED), 0 };
	item[n++] = (sys_startup_item_t){ "account/pager", account_to_see(pager.untyped), 0 };
	for (size_t i = 0; i < module_count(); i++) {
		struct module *m = module_at(i);

		if (is_program(m))
			item[n++] = (sys_startup_item_t){ m->name, module_executable(m), m->size };
	}
	return n;
}

static bool start_shell(struct module *program, const char *commands)
{
	static sys_startup_item_t item[MODULES_MAX + 3];
	char *argv[] = { "shell", "-c", (char *)commands, NULL };
	sys_spawn_args_t args = {
		.elf = module_executable(program), .ut = SYS_CAP_UNTYPED, .argc = commands ? 3 : 1, .argv = argv,
		.items = shell_items(item), .item = item, .console = SYS_CAP_CONSOLE, .resource = SYS_CAP_RESOURCE,
		.priority = priority_below(2),
	};

	args.account = memory_left();
	return start("shell", &args, &shell);
}

/* A pager that ends is taken away, so that whoever waits for it is told. */
static void look_at_pager(void)
{
	int64_t code;

	if (!pager.untyped || sys_process_wait(&pager, &code, SYS_TIME_POLL) != SYS_OK)
		return;
	complain("the pager has ended with status %lld", (long long)code);
	if (sys_process_end(&pager) != SYS_OK)
		complain("the pager cannot be taken away");
}

/* Until the shell ends; if the pager does before, it is taken away. */
static int64_t shell_status(void)
{
	int64_t code = 0;
	uint64_t bits;
	sys_cap_t ntfn;
	sys_status_t status = sys_notification_create(SYS_CAP_UNTYPED, &ntfn);

	if (status == SYS_OK)
		status = sys_cap_watch(shell.thread, SYS_EVENT_EXITED, 0, ntfn, SHELL_ENDED);
	if (status == SYS_OK)
		status = sys_cap_watch(pager.thread, SYS_EVENT_EXITED, 0, ntfn, PAGER_ENDED);
	for (bits = 0; status == SYS_OK && !(bits & SHELL_ENDED);) {
		status = sys_notification_wait(ntfn, &bits, SYS_TIME_INFINITE);
		if (status == SYS_OK && (bits & PAGER_ENDED))
			look_at_pager();
	}
	if (status == SYS_OK)
		status = sys_process_wait(&shell, &code, SYS_TIME_POLL);
	if (status != SYS_OK || code < 0)
		complain("the shell has ended: %s", sys_status_string(status != SYS_OK ? status : (sys_status_t)code));
	return status == SYS_OK ? code : VERDICT_FAILED;
}

int64_t services_run(const char *commands)
{
	struct module *archive = need(ARCHIVE), *pager_program = need("pager"), *shell_program = need("shell");

	if (!archive || !pager_program || !shell_program)
		return VERDICT_FAILED;
	if (!start_pager(pager_program, archive) || !pager_ready() || !start_shell(shell_program, commands))
		return VERDICT_FAILED;
	return shell_status();
}
