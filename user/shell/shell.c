/* SPDX-License-Identifier: BSD-2-Clause */
/* shell: commands from the console, or from `-c COMMANDS` (separated by ;), on the files of the boot archive.
 * Exit status: 0 if every command given by -c succeeded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "shell.h"

enum { LINE_BYTES = 1024, WORDS_MAX = 64, BACKSPACE = 8, DELETE = 127, CTRL_C = 3, CTRL_D = 4, CTRL_U = 21 };

struct command { const char *name, *arguments, *what; bool (*run)(int argc, char **argv); };

char shell_buffer[COPY_BYTES];
static sys_startup_item_t items[SHELL_ITEMS_MAX];
static size_t item_count;
static bool ended;

static bool command_help(int argc, char **argv);
static bool command_shutdown(int argc, char **argv);

static const struct command commands[] = {
	{ "help", "", "this list", command_help },
	{ "ls", "[NAME...]", "the files and their sizes, or those named or in there", command_ls },
	{ "cat", "FILE...", "print files", command_cat },
	{ "head", "-c N FILE", "print a file's first N bytes", command_head },
	{ "sha256sum", "FILE...", "print files' SHA-256 sums", command_sha256sum },
	{ "mem", "", "the accounts of memory", command_mem },
	{ "maps", "", "what is mapped in the shell", command_maps },
	{ "stat", "", "faults, requests, pages supplied and copied, free pages", command_stat },
	{ "run", "PROGRAM [ARG...]", "run a program module or file, print its exit status", command_run },
	{ "verify", "", "compare every file with the manifest, read in three ways", command_verify },
	{ "shutdown", "", "end", command_shutdown },
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static bool command_help(int argc, char **argv)
{
	(void)argc, (void)argv;
	for (int i = 0; i < COMMANDS; i++)
		printf("%-10s %-18s %s\n", commands[i].name, commands[i].arguments, commands[i].what);
	printf("Names with spaces: \"a name\". Several commands on a line: separated by ;\n");
	return true;
}

static bool command_shutdown(int argc, char **argv)
{
	(void)argc, (void)argv;
	ended = true;
	return true;
}

/* ---- shared ---- */

const sys_startup_item_t *shell_item(const char *name, bool with_elf)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < item_count; i++) {
		const char *rest = items[i].name + length;

		if (strncmp(items[i].name, name, length) == 0 && (!*rest || (with_elf && strcmp(rest, ".elf") == 0)))
			return &items[i];
	}
	return NULL;
}

size_t shell_items(const sys_startup_item_t **all)
{
	*all = items;
	return item_count;
}

bool shell_complain(const char *who, const char *name, sys_status_t status)
{
	printf("%s: %s: %s\n", who, name, sys_status_string(status));
	return false;
}

bool shell_open(const char *who, const char *name, struct file *file)
{
	const sys_startup_item_t *server = shell_item("files", false);
	sys_status_t status = server ? files_open(server->vmo, name, &file->vmo, &file->size) : SYS_ERR_NOT_FOUND;

	return status == SYS_OK || shell_complain(who, name, status);
}

/* ---- lines ---- */

/* A command without arguments is not given any. */
static bool takes(const struct command *command, int words)
{
	if (words == 1 || *command->arguments)
		return true;
	printf("%s: takes no arguments\n", command->name);
	return false;
}

static bool run_command(char *line)
{
	char *word[WORDS_MAX];
	int words = libsys_split(line, word, WORDS_MAX);

	if (words < 0) {
		printf("shell: a quote is not closed, or there are more than %d words\n", WORDS_MAX);
		return false;
	}
	if (words == 0)
		return true;
	for (int i = 0; i < COMMANDS; i++)
		if (strcmp(word[0], commands[i].name) == 0)
			return takes(&commands[i], words) && commands[i].run(words, word);
	printf("shell: there is no command %s; try help\n", word[0]);
	return false;
}

/* The end of the command that begins at `line`: a ; outside quotes, or the NUL. */
static char *command_end(char *line)
{
	char quote = 0;

	for (; *line && (quote || *line != ';'); line++) {
		if (*line == '\\' && quote != '\'' && line[1])
			line++;
		else if (quote ? *line == quote : *line == '"' || *line == '\'')
			quote = quote ? 0 : *line;
	}
	return line;
}

static bool run_line(char *line)
{
	bool good = true;

	while (!ended && *line) {
		char *end = command_end(line), *next = *end ? end + 1 : end;

		*end = '\0';
		good &= run_command(line);
		fflush(stdout);
		line = next;
	}
	return good;
}

static void echo(const char *text)
{
	sys_console_write(SYS_CAP_CONSOLE, text, strlen(text));
}

/* Reads a line with its own echo; backspace takes back a character, Ctrl-U and Ctrl-C the line. False: Ctrl-D, or no
 * console. */
static bool read_line(char *line)
{
	size_t length = 0, got;
	char c, typed[2] = "";

	for (;;) {
		if (sys_console_read(SYS_CAP_CONSOLE, &c, 1, &got, SYS_TIME_INFINITE) != SYS_OK ||
				(c == CTRL_D && length == 0))
			return false;
		if (c == '\r' || c == '\n') {
			echo("\n");
			line[length] = '\0';
			return true;
		}
		if (c == BACKSPACE || c == DELETE || c == CTRL_U || c == CTRL_C) {
			for (size_t n = c == BACKSPACE || c == DELETE ? length > 0 : length; n > 0; n--, length--)
				echo("\b \b");
		} else if ((unsigned char)c >= ' ' && length < LINE_BYTES - 1) {
			line[length++] = typed[0] = c;
			echo(typed);
		}
	}
}

int main(int argc, char **argv)
{
	static char line[LINE_BYTES];

	item_count = sys_startup(items, SHELL_ITEMS_MAX);
	if (item_count > SHELL_ITEMS_MAX)
		item_count = SHELL_ITEMS_MAX;
	if (argc == 3 && strcmp(argv[1], "-c") == 0)
		return run_line(argv[2]) ? EXIT_SUCCESS : EXIT_FAILURE;
	printf("Vellum. `help` lists the commands, `shutdown` ends.\n");
	while (!ended) {
		echo("> ");
		if (!read_line(line))
			break;
		run_line(line);
	}
	return EXIT_SUCCESS;
}
