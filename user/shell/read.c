/* SPDX-License-Identifier: BSD-2-Clause */
/* read.c: the commands that read files: ls, cat, head, sha256sum. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sha256.h"
#include "shell.h"

/* Is `name` this file, or a file in this directory? */
static bool within(const char *name, const char *place)
{
	size_t length = strlen(place);

	while (length > 0 && place[length - 1] == '/')
		length--;
	return strncmp(name, place, length) == 0 && (name[length] == '\0' || name[length] == '/');
}

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (within(name, argv[i]))
			return true;
	return argc == 1;
}

bool command_ls(int argc, char **argv)
{
	const sys_startup_item_t *server = shell_item("files", false);
	char name[FILES_NAME_MAX + 1];
	sys_status_t status = server ? SYS_OK : SYS_ERR_NOT_FOUND;
	uint64_t size, i = 0;
	bool shown = argc == 1;

	for (; status == SYS_OK; i++) {
		status = files_list(server->vmo, i, name, &size);
		if (status != SYS_OK || !wanted(name, argc, argv))
			continue;
		printf("%12" PRIu64 "  %s\n", size, name);
		shown = true;
	}
	if (status == SYS_ERR_NOT_FOUND && !shown)
		return shell_complain(argv[0], argv[1], status);
	return (status == SYS_ERR_NOT_FOUND && i > 0) || shell_complain(argv[0], "files", status);
}

/* Prints the first `limit` bytes, as far as there are so many; what follows on the console begins a new line. */
static bool print_file(const char *who, const char *name, uint64_t limit)
{
	struct file file;
	sys_status_t status = SYS_OK;
	char last = '\n';

	if (!shell_open(who, name, &file))
		return false;
	if (limit > file.size)
		limit = file.size;
	for (uint64_t at = 0; status == SYS_OK && at < limit; at += COPY_BYTES) {
		size_t n = limit - at < COPY_BYTES ? limit - at : COPY_BYTES;

		status = sys_vmo_read(file.vmo, shell_buffer, at, n);
		if (status == SYS_OK) {
			fwrite(shell_buffer, 1, n, stdout);
			last = shell_buffer[n - 1];
		}
	}
	if (last != '\n')
		printf("\n");
	fflush(stdout);
	sys_cap_delete(file.vmo);
	return status == SYS_OK || shell_complain(who, name, status);
}

bool command_cat(int argc, char **argv)
{
	bool good = true;

	for (int i = 1; i < argc; i++)
		good &= print_file(argv[0], argv[i], UINT64_MAX);
	return good;
}

bool command_head(int argc, char **argv)
{
	char *end = NULL;
	uint64_t bytes;

	errno = 0;
	bytes = argc == 4 && strcmp(argv[1], "-c") == 0 ? strtoull(argv[2], &end, 10) : 0;
	if (!end || end == argv[2] || *end || errno) {
		printf("usage: head -c N FILE\n");
		return false;
	}
	return print_file(argv[0], argv[3], bytes);
}

static bool sum_file(const char *who, const char *name)
{
	struct sha256 sha;
	struct file file;
	char text[SHA256_TEXT];
	sys_status_t status = SYS_OK;

	if (!shell_open(who, name, &file))
		return false;
	sha256_begin(&sha);
	for (uint64_t at = 0; status == SYS_OK && at < file.size; at += COPY_BYTES) {
		size_t n = file.size - at < COPY_BYTES ? file.size - at : COPY_BYTES;

		status = sys_vmo_read(file.vmo, shell_buffer, at, n);
		sha256_add(&sha, shell_buffer, n);
	}
	sha256_end(&sha, text);
	sys_cap_delete(file.vmo);
	if (status != SYS_OK)
		return shell_complain(who, name, status);
	printf("%s  %s\n", text, name);
	return true;
}

bool command_sha256sum(int argc, char **argv)
{
	bool good = true;

	for (int i = 1; i < argc; i++)
		good &= sum_file(argv[0], argv[i]);
	return good;
}
