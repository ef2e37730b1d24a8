/* SPDX-License-Identifier: BSD-2-Clause */
/* bench.c: see bench.h. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS_MAX = 256, SIDE_ACCOUNT = 16 << 20 };

uint64_t reading;
static const char *self;                /* argv[0]: the boot module that holds this program */

void failed(sys_status_t status, const char *what)
{
	printf("bench: %s: %s\n", what, sys_status_string(status));
	exit(EXIT_FAILURE);
}

/* ---- measuring ---- */

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

void report(const char *id, uint64_t *count, unsigned rounds, uint64_t less)
{
	qsort(count, rounds, sizeof(count[0]), ascending);
	uint64_t median = count[rounds / 2] - less, least = count[0] - less;
	printf("bench %s %lu %lu %u\n", id, (unsigned long)median, (unsigned long)least, rounds);
}

#ifdef __clang__                        /* it has no such attribute, and clones nothing */
#define ONE_COPY __attribute__((noinline))
#else
#define ONE_COPY __attribute__((noinline, noclone))
#endif

/* Fills `count` with what lay between the readings, without taking off what they cost. One function for all, so that the
 * call of `run` costs the same whatever is measured. */
ONE_COPY static void count_rounds(const struct operation *op, uint64_t *count, unsigned rounds)
{
	for (unsigned i = 0; i < WARM + rounds; i++) {
		if (op->prepare != NULL)
			op->prepare(op->argument, i);
		uint64_t begin = counter();
		op->run(op->argument, i);
		uint64_t end = counter();
		if (i >= WARM)
			count[i - WARM] = end - begin;
	}
}

void measure(const struct operation *op)
{
	static uint64_t count[ROUNDS];
	unsigned rounds = op->rounds ? op->rounds : ROUNDS;

	count_rounds(op, count, rounds);
	report(op->id, count, rounds, reading);
}

static void nothing(void *argument, unsigned round)
{
	(void)argument, (void)round;
	__asm__ volatile("" ::: "memory");
}

static void calibrate(void)
{
	static uint64_t count[ROUNDS];

	count_rounds(&(struct operation){.run = nothing}, count, ROUNDS);
	qsort(count, ROUNDS, sizeof(count[0]), ascending);
	reading = count[0];
}

/* ---- the other side ---- */

sys_cap_t side_find(const char *name)
{
	static sys_startup_item_t items[ITEMS_MAX];
	size_t count = sys_startup(items, ITEMS_MAX);

	for (size_t i = 0; i < count && i < ITEMS_MAX; i++)
		if (strcmp(items[i].name, name) == 0)
			return items[i].vmo;
	printf("bench: nothing named %s was passed\n", name);
	exit(EXIT_FAILURE);
}

void side_start(const char *side, const sys_startup_item_t *given, size_t count, sys_process_t *process)
{
	char *const argv[] = {(char *)(uintptr_t)self, (char *)(uintptr_t)side};
	sys_thread_info_t own;
	sys_cap_t elf;

	MUST(sys_cap_copy(side_find(self), SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &elf));
	MUST(sys_vmo_replace_as_executable(elf, SYS_CAP_RESOURCE, &elf));
	MUST(sys_thread_info(SYS_CAP_THREAD, &own));
	sys_spawn_args_t args = {
		.elf = elf,
		.ut = SYS_CAP_UNTYPED,
		.account = SIDE_ACCOUNT,
		.argc = 2,
		.argv = argv,
		.items = count,
		.item = given,
		.console = SYS_CAP_CONSOLE,
		.priority = own.priority,
	};
	MUST(sys_spawn(&args, process));
	MUST(sys_cap_delete(elf));
}

/* A side ends with its process; it returns only when it failed. */
static int run_side(const char *name)
{
	for (const struct bench_side *side = bench_sides; side->name != NULL; side++)
		if (strcmp(side->name, name) == 0)
			side->run();
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc > 1)
		return run_side(argv[1]);
	calibrate();
	bench_rows();
	return EXIT_SUCCESS;
}
