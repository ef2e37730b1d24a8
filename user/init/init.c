/* SPDX-License-Identifier: BSD-2-Clause */
/* init: the first program. Starts the others as the boot's `args` say, and shuts down with their verdict.
 *
 * `args` is a module of that name (text), or else the kernel's command line from the first of these words on:
 *     shell [COMMANDS]        the shell, as without args; with commands (separated by ;) it runs them and ends
 *     test [NAME...]          test programs one after the other; without names all modules test/ and guest/
 *     bench [NAME...]         the same for modules bench/
 *     exec NAME [ARG...]      one program; its output stands between the lines `vellum: begin` and `vellum: end STATUS`
 * Whatever cannot be done ends in a message `init: ...` and a verdict that is not 0.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "init.h"

enum { ARGS_BYTES = 4096, RESERVE_SHARE = 16 };
#define RESERVE_MIN (1ull << 20)

void complain(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	printf("init: ");
	vprintf(format, arguments);
	printf("\n");
	va_end(arguments);
}

uint32_t priority_below(uint32_t below)
{
	sys_thread_info_t info;

	if (sys_thread_info(SYS_CAP_THREAD, &info) != SYS_OK || info.priority < below)
		return 0;
	return info.priority - below;
}

uint64_t memory_left(void)
{
	sys_untyped_info_t info;
	uint64_t left, reserve;

	if (sys_untyped_info(SYS_CAP_UNTYPED, &info) != SYS_OK)
		return 0;
	left = info.total - info.used - info.promised;
	reserve = left / RESERVE_SHARE > RESERVE_MIN ? left / RESERVE_SHARE : RESERVE_MIN;
	return left > reserve ? (left - reserve) / SYS_PAGE_SIZE * SYS_PAGE_SIZE : 0;
}

/* ---- what to do ---- */

static char args[ARGS_BYTES];

/* Fills `args` from the module. False: it is too long or cannot be read. */
static bool args_from_module(const struct module *module)
{
	if (module->size >= sizeof args || sys_vmo_read(module->vmo, args, 0, module->size) != SYS_OK)
		return false;
	args[module->size] = '\0';
	return true;
}

static bool is_mode(const char *word, size_t length)
{
	static const char *const modes[] = { "shell", "test", "bench", "exec" };

	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
		if (strlen(modes[i]) == length && strncmp(word, modes[i], length) == 0)
			return true;
	return false;
}

/* Fills `args` with the command line from its first mode word on; the words before it are the kernel's. */
static bool args_from_line(const char *line)
{
	while (*line) {
		size_t blanks = strspn(line, " \t"), length = strcspn(line + blanks, " \t");

		line += blanks;
		if (is_mode(line, length)) {
			if (strlen(line) >= sizeof args)
				return false;
			strcpy(args, line);
			return true;
		}
		line += length;
	}
	return true;
}

/* ---- modes ---- */

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static int64_t do_tests(char *names, const char *prefix)
{
	char *word[WORDS_MAX];
	int count = libsys_split(names, word, WORDS_MAX);

	if (count < 0) {
		complain("the list of programs cannot be read");
		return VERDICT_FAILED;
	}
	for (size_t i = 0; count == 0 && i < module_count(); i++) {
		const char *name = module_at(i)->name;

		if (begins(name, prefix) || (begins(prefix, "guest/") && begins(name, "test/")))
			word[count++] = (char *)name;
	}
	if (count == 0) {
		complain("there is no program to run");
		return VERDICT_FAILED;
	}
	return run_tests(count, word) == 0 ? 0 : VERDICT_FAILED;
}

static int64_t do_exec(char *line)
{
	char *word[WORDS_MAX];
	int count = libsys_split(line, word, WORDS_MAX);
	int64_t status;

	if (count <= 0) {
		complain(count ? "the program's arguments cannot be read" : "exec: which program?");
		return VERDICT_FAILED;
	}
	if (!module_find(word[0])) {
		complain("there is no module %s", word[0]);
		return VERDICT_FAILED;
	}
	printf("vellum: begin\n");
	if (!run_program(word[0], count, word, &status))
		return VERDICT_FAILED;
	printf("vellum: end %lld\n", (long long)status);
	return status & 255;
}

static int64_t do_args(void)
{
	char *mode = args + strspn(args, " \t\r\n"), *rest = mode + strcspn(mode, " \t\r\n");
	bool more = *rest != '\0';

	*rest = '\0';
	rest += more;
	rest += strspn(rest, " \t\r\n");
	if (*mode == '\0' || strcmp(mode, "shell") == 0)
		return services_run(*rest ? rest : NULL);
	if (strcmp(mode, "test") == 0)
		return do_tests(rest, "guest/");
	if (strcmp(mode, "bench") == 0)
		return do_tests(rest, "bench/");
	if (strcmp(mode, "exec") == 0)
		return do_exec(rest);
	complain("args: %s is none of shell, test, bench, exec", mode);
	return VERDICT_FAILED;
}

int main(int argc, char **argv)
{
	struct module *module;
	int64_t verdict;
	bool understood;

	modules_read();
	run_prepare();
	module = module_find("args");
	understood = module ? args_from_module(module) : args_from_line(argc > 1 ? argv[1] : "");
	if (understood) {
		verdict = do_args();
	} else {
		complain("args are longer than %u bytes, or cannot be read", ARGS_BYTES - 1);
		verdict = VERDICT_FAILED;
	}
	fflush(stdout);
	sys_system_shutdown(SYS_CAP_RESOURCE, verdict >= 0 && verdict < 256 ? (uint32_t)verdict : VERDICT_FAILED);
}
