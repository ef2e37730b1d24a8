/* SPDX-License-Identifier: BSD-2-Clause */
/* verify.c: every file's SHA-256 against MANIFEST.sha256 of the archive, its bytes taken in three ways: through a
 * mapping, through sys_vmo_read, and through snapshots of an anonymous copy while another process (user/scribble)
 * writes to the copy. The third goes window by window, so that it needs little memory. A line for each file that is
 * right: its sum and its name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../scribble/protocol.h"
#include "sha256.h"
#include "shell.h"

#define MANIFEST "MANIFEST.sha256"
#define WINDOW_BYTES (1ull << 20)
#define ORDER_NS 10000000000ll          /* no answer for so long: the other process is gone */
enum { SUM_DIGITS = SHA256_TEXT - 1, SCRIBBLE_SHARE = 4, THREAD_STACK = 16 << 10 };

static sys_process_t scribbler;
static sys_cap_t orders, copy;          /* the endpoint to the other process, and the memory that it writes to */

/* ---- the three ways: each adds a file's bytes to `sha` ---- */

struct job { struct sha256 *sha; const void *bytes; uint64_t size; };

static int add_bytes(void *argument)
{
	struct job *job = argument;

	sha256_add(job->sha, job->bytes, job->size);
	return SYS_OK;
}

/* In a thread of its own: a page that cannot be had ends it, and its exit status says why. */
static sys_status_t add_mapped(struct sha256 *sha, sys_cap_t vmo, uint64_t size)
{
	sys_process_t thread = { 0 };
	struct job job;
	sys_vaddr_t bytes;
	int64_t code = SYS_OK;
	sys_status_t status = size ? sys_vmar_map(SYS_CAP_VMAR, SYS_VM_PERM_READ, 0, vmo, 0, size, &bytes) : SYS_OK;

	if (status != SYS_OK || size == 0)
		return status;
	job = (struct job){ sha, (const void *)bytes, size };
	status = sys_thread_spawn(SYS_CAP_UNTYPED, add_bytes, &job, THREAD_STACK, &thread.thread);
	if (status == SYS_OK) {
		status = sys_process_wait(&thread, &code, SYS_TIME_INFINITE);
		sys_cap_delete(thread.thread);
	}
	sys_vmar_unmap(SYS_CAP_VMAR, bytes, size);
	return status == SYS_OK ? (sys_status_t)code : status;
}

static sys_status_t add_read(struct sha256 *sha, sys_cap_t vmo, uint64_t size)
{
	sys_status_t status = SYS_OK;

	for (uint64_t at = 0; status == SYS_OK && at < size; at += COPY_BYTES) {
		size_t n = size - at < COPY_BYTES ? size - at : COPY_BYTES;

		status = sys_vmo_read(vmo, shell_buffer, at, n);
		if (status == SYS_OK)
			sha256_add(sha, shell_buffer, n);
	}
	return status;
}

static sys_status_t fill_copy(sys_cap_t vmo, uint64_t offset, uint64_t size)
{
	sys_status_t status = SYS_OK;

	for (uint64_t at = 0; status == SYS_OK && at < size; at += COPY_BYTES) {
		size_t n = size - at < COPY_BYTES ? size - at : COPY_BYTES;

		status = sys_vmo_read(vmo, shell_buffer, offset + at, n);
		if (status == SYS_OK)
			status = sys_vmo_write(copy, shell_buffer, at, n);
	}
	return status;
}

static uint64_t page_up(uint64_t n)
{
	return (n + SYS_PAGE_SIZE - 1) / SYS_PAGE_SIZE * SYS_PAGE_SIZE;
}

/* From here on the other process writes over the window, until the order to stop has been answered. */
static sys_status_t scribble_go(uint64_t bytes)
{
	sys_msg_t msg = { .label = SCRIBBLE_GO, .words = 1, .word = { bytes } };
	sys_status_t status = sys_ipc_send(orders, &msg, sys_clock_get() + ORDER_NS);

	sys_thread_yield();
	return status;
}

/* BAD_STATE: it did not write. */
static sys_status_t scribble_stop(void)
{
	sys_msg_t msg = { .label = SCRIBBLE_STOP };
	sys_status_t status = sys_ipc_call(orders, &msg, sys_clock_get() + ORDER_NS);
	uint64_t word = 0;

	if (status == SYS_OK)
		status = sys_vmo_read(copy, &word, 0, sizeof word);
	if (status == SYS_OK && (msg.words < 1 || msg.word[0] == 0 || word != (SCRIBBLE_PATTERN ^ ~(msg.word[0] - 1))))
		status = SYS_ERR_BAD_STATE;
	return status;
}

static sys_status_t add_window(struct sha256 *sha, uint64_t size)
{
	sys_cap_t snapshot;
	sys_status_t stopped, status;

	status = sys_vmo_create_child(copy, SYS_CAP_UNTYPED, SYS_VMO_CHILD_SNAPSHOT, 0, page_up(size), &snapshot);
	if (status != SYS_OK)
		return status;
	status = scribble_go(page_up(size));
	if (status == SYS_OK) {
		status = add_mapped(sha, snapshot, size);
		stopped = scribble_stop();
		status = status != SYS_OK ? status : stopped;
	}
	sys_cap_delete(snapshot);
	return status;
}

static sys_status_t add_snapshots(struct sha256 *sha, sys_cap_t vmo, uint64_t size)
{
	sys_status_t status = SYS_OK;

	for (uint64_t at = 0; status == SYS_OK && at < size; at += WINDOW_BYTES) {
		uint64_t n = size - at < WINDOW_BYTES ? size - at : WINDOW_BYTES;

		status = fill_copy(vmo, at, n);
		if (status == SYS_OK)
			status = add_window(sha, n);
	}
	return status;
}

/* ---- one file ---- */

static bool check_way(const char *name, const struct file *file, const char *way,
	sys_status_t (*add)(struct sha256 *, sys_cap_t, uint64_t), const char *expected, char sum[SHA256_TEXT])
{
	struct sha256 sha;
	sys_status_t status;

	sha256_begin(&sha);
	status = add(&sha, file->vmo, file->size);
	sha256_end(&sha, sum);
	if (status == SYS_OK && strcmp(sum, expected) == 0)
		return true;
	if (status != SYS_OK)
		printf("verify: %s: %s: %s\n", name, way, sys_status_string(status));
	else
		printf("verify: %s: %s: the sum is %s and should be %s\n", name, way, sum, expected);
	return false;
}

static bool check_file(const char *name, const char *expected)
{
	char sum[SHA256_TEXT], ignored[SHA256_TEXT];
	struct file file;
	bool good;

	if (!shell_open("verify", name, &file))
		return false;
	good = check_way(name, &file, "through a mapping", add_mapped, expected, sum);
	good &= check_way(name, &file, "through sys_vmo_read", add_read, expected, ignored);
	good &= check_way(name, &file, "through snapshots", add_snapshots, expected, ignored);
	sys_cap_delete(file.vmo);
	if (good)
		printf("%s  %s\n", sum, name);
	return good;
}

/* ---- the manifest: lines `SUM  NAME`; a line that begins with \ has \\ and \n in its name ---- */

static void unescape(char *name)
{
	char *out = name;

	for (; *name; name++) {
		if (*name == '\\' && name[1])
			*out++ = *++name == 'n' ? '\n' : *name == 'r' ? '\r' : *name;
		else
			*out++ = *name;
	}
	*out = '\0';
}

/* Takes a line apart in place. False: it is not one of a manifest. */
static bool parse_line(char *line, char **sum, char **name)
{
	bool escaped = *line == '\\';

	*sum = line + escaped;
	*name = *sum + SUM_DIGITS + 2;
	if (strlen(*sum) < SUM_DIGITS + 3 || strspn(*sum, "0123456789abcdef") != SUM_DIGITS || (*name)[-2] != ' ')
		return false;
	(*name)[-2] = '\0';
	if (escaped)
		unescape(*name);
	return true;
}

static char *read_manifest(void)
{
	struct file file;
	sys_status_t status;
	char *text;

	if (!shell_open("verify", MANIFEST, &file))
		return NULL;
	text = malloc(file.size + 1);
	status = text ? sys_vmo_read(file.vmo, text, 0, file.size) : SYS_ERR_NO_MEMORY;
	sys_cap_delete(file.vmo);
	if (status != SYS_OK) {
		shell_complain("verify", MANIFEST, status);
		free(text);
		return NULL;
	}
	text[file.size] = '\0';
	return text;
}

/* Checks the files of the manifest; counts its lines and those that were wrong. */
static void check_all(char *text, uint64_t *files, uint64_t *wrong)
{
	char *sum, *name;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		++*files;
		if (parse_line(line, &sum, &name)) {
			*wrong += !check_file(name, sum);
		} else {
			printf("verify: %s: line %llu is not a sum and a name\n", MANIFEST, (unsigned long long)*files);
			++*wrong;
		}
		fflush(stdout);
	}
}

/* ---- the other process ---- */

static sys_status_t scribble_start(void)
{
	const sys_startup_item_t *program = shell_item("scribble", true);
	char *argv[] = { "scribble", NULL };
	sys_startup_item_t item[2];
	sys_status_t status = program ? sys_vmo_create(SYS_CAP_UNTYPED, WINDOW_BYTES, 0, &copy) : SYS_ERR_NOT_FOUND;

	if (status == SYS_OK)
		status = sys_endpoint_create(SYS_CAP_UNTYPED, &orders);
	item[0] = (sys_startup_item_t){ "orders", orders, 0 };
	item[1] = (sys_startup_item_t){ "target", copy, WINDOW_BYTES };
	if (status == SYS_OK)
		status = shell_spawn(program->vmo, 1, argv, 2, item, SCRIBBLE_SHARE, &scribbler);
	return status;
}

static void scribble_end(void)
{
	if (scribbler.untyped)
		sys_process_end(&scribbler);
	if (orders)
		sys_cap_delete(orders);
	if (copy)
		sys_cap_delete(copy);
	orders = copy = SYS_CAP_NULL;
}

bool command_verify(int argc, char **argv)
{
	uint64_t files = 0, wrong = 0, count = 0;
	char why[FILES_NAME_MAX + 1], *text = read_manifest();
	sys_status_t status;

	(void)argc;
	if (!text)
		return false;
	status = scribble_start();
	if (status == SYS_OK)
		check_all(text, &files, &wrong);
	scribble_end();
	free(text);
	if (status != SYS_OK)
		return shell_complain(argv[0], "scribble", status);
	status = files_status(shell_item("files", false)->vmo, &count, why, SYS_TIME_INFINITE);
	if (status != SYS_OK)
		return shell_complain(argv[0], "files", status);
	if (count != files + 1)
		printf("verify: the archive holds %llu files, its manifest names %llu\n",
			(unsigned long long)count - 1, (unsigned long long)files);
	printf("verify: %llu files, %llu wrong\n", (unsigned long long)files, (unsigned long long)wrong);
	return wrong == 0 && count == files + 1;
}
