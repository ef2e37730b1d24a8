/* SPDX-License-Identifier: BSD-2-Clause */
/* process.h: another process, with an account, a CSpace and an address space of its own, running a function of this
 * program. Its address space holds a copy of this program's image (what is linked: code, constants, variables as they
 * are now, the stacks of helpers), at the same addresses, so a pointer to a static variable is good there; no heap, no
 * TLS. It knows nothing but what it is given: in its CSpace, slot 1 is the CNode, 2 its root VMAR, 3 its account, 4 its
 * first thread as always, and process_give() puts more from slot 8 on (slot N is named N there). It is a sys_process_t
 * and ends by sys_process_end(). */
#pragma once
#include "helper.h"

enum { PROCESS_ACCOUNT = 6 << 20, PROCESS_SLOTS = 64 };

/* Makes the process; its thread is not started. `fault_ep` may be SYS_CAP_NULL. */
void process_create(sys_process_t *process, sys_cap_t fault_ep);
/* Copies a capability into it, and says under which name. */
sys_cap_t process_give(const sys_process_t *process, sys_cap_t cap, uint32_t slot);
/* Starts its first thread at fn(arg); the exit code is what fn returns. */
void process_go(const sys_process_t *process, helper_fn fn, void *arg);
void process_end(sys_process_t *process);
