/* SPDX-License-Identifier: BSD-2-Clause */
/* cpus.h: threads on CPUs of their own. Everything here works on one CPU too: all numbers then mean that one, and threads
 * take turns by their slices. A test that begins with cpus_begin() runs on CPU 0 from then on; cpus_end() frees it. */
#pragma once
#include "helper.h"

unsigned cpu_count(void);
unsigned other_cpu(unsigned i);                 /* not CPU 0 where there is another; for i = 0, 1, ... in turn */
void bind(sys_cap_t thread, unsigned cpu);      /* it may run there only */
/* As until_exited(), for threads that hand each other much: sleeps meanwhile, and has patience with a busy host. */
int64_t until_done(sys_cap_t thread);
void cpus_begin(void);
void cpus_end(void);
/* Once in a while in a loop without system calls: an emulator that runs its CPUs in turn goes on to the next one. */
static inline void give_turn(uint64_t count)
{
	if (count % 512 == 0)
		__asm__ volatile("pause");
}
uint32_t cpu_id(void);                          /* which one this thread runs on: the machine's number, by CPUID */

/* A thread that counts without system calls until `stop`. */
struct spinner {
	volatile uint64_t count;
	volatile uint32_t id, stop;             /* where it counted last */
	sys_cap_t thread;
};
int64_t spin(void *spinner);
void spinner_start(struct spinner *spinner, unsigned cpu);      /* at our priority; returns when it counts */
/* Sleeps meanwhile, so it may be one of lower priority. Fails the test if it does not go on counting. */
void until_counts(struct spinner *spinner);
/* Fails the test if it counts on, though a moment passes in which it would. */
void check_stands(struct spinner *spinner, int line);
#define STANDS(SPINNER) check_stands(SPINNER, __LINE__)
