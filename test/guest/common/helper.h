/* SPDX-License-Identifier: BSD-2-Clause */
/* helper.h: more threads in this program, and faults caught. A helper runs a plain function on a stack of its own,
 * without TLS, with this program's CSpace and address space, at the priority of its creator. It ends when its function
 * returns (the value is its exit code). Helpers die with the test's account. */
#pragma once
#include "guest.h"

typedef int64_t (*helper_fn)(void *arg);

enum { HELPERS = 24, HELPER_STACK = 16384 };

sys_cap_t helper_start(helper_fn fn, void *arg);
sys_cap_t helper_start_with(helper_fn fn, void *arg, sys_cap_t fault_ep);
sys_cap_t helper_start_in(sys_cap_t cspace, helper_fn fn, void *arg);      /* with another CSpace */
sys_cap_t helper_prepare(helper_fn fn, void *arg, sys_cap_t fault_ep, uint32_t priority); /* created, not started */
void helper_go(sys_cap_t thread);                               /* starts what was prepared last */
void helper_entry(void);                                /* the first instructions of a thread: rdi(rsi), then exit */
void helper_drop(unsigned count);                        /* the stacks of the last ones started are free: they ended */
void helper_reset(void);                                        /* all stacks are free again */

sys_thread_info_t thread_info(sys_cap_t thread);
/* Lets others run until the thread is in this state; fails the test when it takes too long. */
void until_state(sys_cap_t thread, uint32_t state);
void until_waiting(sys_cap_t thread);
/* As until_state(), for threads of lower priority, and where yielding disturbs: sleeps meanwhile, ever longer. */
void sleep_until(sys_cap_t thread, uint32_t state);
int64_t until_exited(sys_cap_t thread);                         /* the exit code */
bool until(bool (*done)(void *), void *arg, sys_time_t limit);  /* polls, yielding */
uint32_t own_priority(void);

/* What an access or a function run in a thread of its own met. label 0: it met nothing. */
struct fault {
	uint64_t label, badge;
	uint64_t word[4];
	uint32_t words;
};
struct fault fault_run(helper_fn fn, void *arg);
struct fault fault_read(const volatile void *at);
struct fault fault_write(volatile void *at);
struct fault fault_execute(const volatile void *at);            /* jumps there; a `ret` there returns */
/* Checks that the access fails with this page fault and nothing else. */
void check_page_fault(
	const struct fault *fault, const volatile void *at, uint64_t access, sys_status_t status, int line);
#define FAULTS(ACCESS, STATUS_WANTED, AT)                                                                        \
	do {                                                                                                     \
		const volatile void *faults_at = (AT);                                                           \
		struct fault faults_got = fault_access(SYS_ACCESS_##ACCESS, faults_at);                          \
		check_page_fault(&faults_got, faults_at, SYS_ACCESS_##ACCESS, (STATUS_WANTED), __LINE__);        \
	} while (0)
#define NO_FAULT(ACCESS, AT) EQ(fault_access(SYS_ACCESS_##ACCESS, (AT)).label, 0)
struct fault fault_access(uint64_t access, const volatile void *at);
