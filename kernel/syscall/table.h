/* SPDX-License-Identifier: BSD-2-Clause */
/* table.h: the table of system calls as data (made by table.c from vellum/syscalls.def), and the rights that options select. */
#pragma once
#include "syscall/call.h"

#define SYSCALLS 128u
#define NR_NO_PLACE (1ull << 31)        /* the caller's place for results is not usable */

enum call_flags { CALL_WAITS = 1, CALL_LATER = 2 };

struct cap_arg {
	u16 rights;                     /* all of these */
	u8 arg;                         /* which argument register */
	bool odd;                       /* one of the three below is in use */
	u32 types;                      /* 1 << enum sys_type, those that are accepted */
	bool optional;
	u8 select_arg;
	u16 any;                        /* at least one of those (0: none asked) */
	u16 (*select)(u64 value);       /* the rights that argument select_arg asks for */
};

struct syscall {
	const char *name;
	int (*handler)(struct call *c);
	u8 flags, caps;
	u32 errors;                     /* 1 << -status, besides those that capability arguments imply */
	struct cap_arg cap[CALL_CAPS];
} __attribute__((aligned(128)));        /* a shift finds its entry */
extern const struct syscall syscalls[SYSCALLS];

/* The selections that the table names. */
u16 select_vmo_op(u64 op);
u16 select_can_map(u64 options);
u16 select_perm(u64 options);
u16 select_vmo_perm(u64 options);
u16 select_pin(u64 options);
