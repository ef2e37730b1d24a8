/* SPDX-License-Identifier: BSD-2-Clause */
/* shell.h: what the shell's files share. A command prints its own complaints and returns whether all went well. */
#pragma once
#include <libsys/files.h>

enum { SHELL_ITEMS_MAX = 300, COPY_BYTES = 64 << 10 };

/* A capability passed by name; with_elf: ".elf" may be left out. NULL: there is none. */
const sys_startup_item_t *shell_item(const char *name, bool with_elf);
size_t shell_items(const sys_startup_item_t **items);

/* A file of the archive. shell_open complains in the name of `who`; the caller deletes file.vmo. */
struct file { sys_cap_t vmo; uint64_t size; };
bool shell_open(const char *who, const char *name, struct file *file);
/* Prints "WHO: NAME: STATUS"; false, for `return`. */
bool shell_complain(const char *who, const char *name, sys_status_t status);
/* COPY_BYTES of memory for whoever is copying. */
extern char shell_buffer[COPY_BYTES];

/* Starts a program from a capability with EXECUTE, in an account of `share` of what is left. */
sys_status_t shell_spawn(sys_cap_t elf, int argc, char *const *argv, size_t items, const sys_startup_item_t *item,
	unsigned share, sys_process_t *process);

bool command_ls(int argc, char **argv);
bool command_cat(int argc, char **argv);
bool command_head(int argc, char **argv);
bool command_sha256sum(int argc, char **argv);
bool command_mem(int argc, char **argv);
bool command_maps(int argc, char **argv);
bool command_stat(int argc, char **argv);
bool command_run(int argc, char **argv);
bool command_verify(int argc, char **argv);
