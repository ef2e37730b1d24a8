/* SPDX-License-Identifier: BSD-2-Clause */
/* futex.h: waiting at an address while it holds a value, for locks that programs build in their own memory.
 *
 * A futex is no object. It is known by what its address shows: the id of the memory object that is mapped there, and
 * the offset in it. So whoever maps the same memory, in whatever space and at whatever address, means the same futex;
 * a snapshot has an id, and so futexes, of its own. Ids are never used again: who waits at memory that has ended waits
 * on until its deadline, suspension or end, and nothing need be cut. Lock: the kernel lock.
 */
#pragma once
#include "sched/thread.h"

/* t, which runs, waits until it is woken, if the aligned word at va is `expected`. It is read and t is queued in one
 * entry, so no wake-up that follows a change of the word is missed. INVALID_ARGS: not aligned; BAD_ADDRESS: nothing
 * readable there; BAD_STATE: another value; TIMED_OUT: at the deadline, or at once. VM_AGAIN, SHOULD_WAIT: the word's
 * page is being fetched. Woken: SYS_OK, by thread_complete(). O(log of all that wait at futexes). */
int futex_wait(struct thread *t, vaddr_t va, u32 expected, i64 deadline);
/* Wakes up to *count of those that wait at what va shows in t's space: the highest priority first, then who came
 * first. INVALID_ARGS, BAD_ADDRESS as above; never waits. Goes in steps, each O(log of all waiters): VM_AGAIN with
 * *count reduced and *woken (0 at first) raised by what is done; both are the caller's to keep. If nothing is mapped
 * there any more when it goes on, that is all: SYS_OK. */
int futex_wake(struct thread *t, vaddr_t va, u32 *count, u64 *woken);

void futex_boot(void);
/* Walkers: all that wait are in order, and say so; a thread that says so is among them. */
void futex_check(void);
void futex_check_thread(const struct thread *t);
