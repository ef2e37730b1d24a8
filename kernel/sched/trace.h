/* SPDX-License-Identifier: BSD-2-Clause */
/* trace.h: the trace: what the kernel does, as records in a ring in a program's VMO (vellum/abi.h). There is one at most. While
 * there is none, trace_events is 0, which is all that the ways through the kernel ever look at; those of system calls do not
 * even do that: while there is one, others are taken instead (trace_hook, sched_long_way). Lock: the kernel lock.
 */
#pragma once
#include "sched/thread.h"

extern u8 trace_events;                 /* SYS_TRACE_*; 0: there is no trace */
/* Set at boot by the layer above: a trace begins, or is over. */
extern void (*trace_hook)(bool on);

/* INVALID_ARGS (unknown events, or none; no page), BAD_STATE (there is one; the VMO is dying), and as pagemap_open. Pages that it committed before it
 * failed stay committed. */
sys_status_t trace_start(struct vmo *v, u32 events, struct deriv *below);
sys_status_t trace_stop(void);          /* BAD_STATE: there is none */

/* A system call of t begins, and, when all else is done in this entry, the kernel is left into `to`. */
void trace_call(struct thread *t);
void trace_leave(struct thread *to);
void trace_fault(const struct thread *t, vaddr_t address, unsigned access, sys_status_t status);
void trace_exception(const struct thread *t, const u64 word[3]);
/* The CPU leaves the thread that it has, and goes to `to` (NULL: none). */
void trace_switch(struct thread *to);
void trace_interrupt(unsigned pending);
void trace_check(void);                 /* walker */
