/* SPDX-License-Identifier: BSD-2-Clause */
/* bench.h: what the programs of test/bench share. One file NAME.c is one program and one subject; common/ holds main().
 *
 * The unit is executed instructions: under instruction counting the time stamp counter advances one per instruction, so
 * an operation is what lies between two readings less what two readings cost. Public libsys only. The rows and what they
 * mean are those of test/bench/peers.txt; a line is
 *
 *     bench ID MEDIAN MINIMUM ROUNDS
 *
 * Where a row says `other`, the other side is a process of its own: the same program again, with the name of a side as
 * argument (bench_sides). Where it says `same`, it is another thread. */
#pragma once
#include <libsys/libsys.h>
#include <stdint.h>

#define PAGE ((uint64_t)SYS_PAGE_SIZE)
#define RW (SYS_VM_PERM_READ | SYS_VM_PERM_WRITE)
enum { ROUNDS = 240, WARM = 16 };

/* ---- what a program defines ---- */

void bench_rows(void);                  /* measures and prints its rows */
struct bench_side { const char *name; void (*run)(void); };
extern const struct bench_side bench_sides[];   /* the last has no name */

/* ---- measuring ---- */

static inline uint64_t counter(void)
{
	uint32_t low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return low | (uint64_t)high << 32;
}

struct operation {
	const char *id;
	void (*prepare)(void *argument, unsigned round);        /* not counted; NULL: nothing to prepare */
	void (*run)(void *argument, unsigned round);
	void *argument;
	unsigned rounds;                                        /* 0: ROUNDS */
};
/* Prints the row of an operation: WARM rounds that are not counted (numbered from 0), then the others. */
void measure(const struct operation *op);
/* For what is not an operation between two readings: so many counts, each with this much that is not part of it. */
void report(const char *id, uint64_t *count, unsigned rounds, uint64_t less);
extern uint64_t reading;                /* what two readings of the counter cost by themselves */

/* Ends the program, with a line, when a call fails. In line: it stands within what is counted. */
_Noreturn void failed(sys_status_t status, const char *what);
static inline void must(sys_status_t status, const char *what)
{
	if (__builtin_expect(status != SYS_OK, 0))
		failed(status, what);
}
#define MUST(CALL) must((CALL), #CALL)

/* ---- the other side ---- */

/* A process that runs this side, with these capabilities under these names; at the caller's priority. */
void side_start(const char *side, const sys_startup_item_t *given, size_t count, sys_process_t *process);
/* In a side: the capability of this name. */
sys_cap_t side_find(const char *name);
