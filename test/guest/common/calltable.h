/* SPDX-License-Identifier: BSD-2-Clause */
/* calltable.h: the table of system calls (vellum/syscalls.def) as data, for tests that make calls without knowing them:
 * a call that is added there is among them the next time. */
#pragma once
#include "guest.h"

enum { CALL_NUMBERS = 128, CALL_ARGS = 10, CALL_NO_PLACE_BIT = 31 };

/* NR_<call>: the numbers. */
enum {
#define SYSCALL(number, name, arguments, errors, flags) NR_##name = number,
#define SYSCALL_HAND SYSCALL
#include <vellum/syscalls.def>
#undef SYSCALL
#undef SYSCALL_HAND
};

enum argument { ARGUMENT_CAP, ARGUMENT_IN, ARGUMENT_OUT };

struct call_argument {
	enum argument kind;
	bool optional;                  /* may be SYS_CAP_NULL */
	uint32_t types;                 /* a capability: bits by enum sys_type; all: any */
	const char *name, *type;        /* a value's; a capability has a name only */
};

struct call_line {
	const char *name;               /* NULL: no call has this number */
	bool later, waits;
	unsigned arguments;
	struct call_argument argument[CALL_ARGS];
};

extern const struct call_line call_table[CALL_NUMBERS];

/* Makes the call with all ten registers; what comes back in rdx is stored in *rdx. Saves what a call may change. */
int64_t call_raw(uint64_t number, const uint64_t argument[CALL_ARGS], uint64_t *rdx);
