/* SPDX-License-Identifier: BSD-2-Clause */
/* init.h: what init's files share. init has one thread; nothing here is locked. */
#pragma once
#include <libsys/libsys.h>

enum { MODULES_MAX = 256, WORDS_MAX = 256 };
enum { VERDICT_FAILED = 1 };

/* A boot module. `executable`: a capability to run it, made on demand. */
struct module { const char *name; sys_cap_t vmo, executable; uint64_t size; };

/* modules.c */
void modules_read(void);
size_t module_count(void);
struct module *module_at(size_t i);
/* By its name, or by its name without ".elf". NULL: there is none. */
struct module *module_find(const char *name);
/* A capability to its content with EXECUTE, which stays init's; SYS_CAP_NULL: it cannot be made. */
sys_cap_t module_executable(struct module *module);

/* run.c: programs one after the other. Each is given the console, the resource and the modules, and what is left of
 * memory. */
/* Touches all of init's memory that can be touched, so that its account does not change any more by itself. */
void run_prepare(void);
/* Runs a program to its end; *status is its exit status. False: it could not be started (a message says why). */
bool run_program(const char *name, int argc, char *const *argv, int64_t *status);
/* The test programs named, or all that there are; prints a report. The number of those that failed or left something
 * behind. */
int run_tests(int count, char *const *name);

/* services.c: the pager and the shell. */
/* Starts both; the shell runs `commands` and ends, or talks to the console (NULL). Returns the shell's exit status, or
 * VERDICT_FAILED with a message. */
int64_t services_run(const char *commands);

/* Prints "init: " and the message on a line. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The priority for a program `below` steps under init's own. */
uint32_t priority_below(uint32_t below);
/* What is left of init's account, less a reserve for init itself. */
uint64_t memory_left(void);
