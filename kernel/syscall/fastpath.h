/* SPDX-License-Identifier: BSD-2-Clause */
/* fastpath.h: call and reply-and-receive between two threads, without the queues. It does nothing that the ordinary way would not do. */
#pragma once
#include "syscall/call.h"

/* Makes a call, and returns the context to leave into. */
typedef struct arch_context *call_way(struct thread *t);

/* dispatch.c: the way of each number, and the one that does for every number. */
extern call_way *syscall_ways[];
call_way syscall_ordinary;
/* At boot: the ordinary ways. */
void syscall_boot(void);
/* And then, but for the boot option `nofast`: the short ones, each of which goes the ordinary way unless all its conditions hold. */
void fast_ways_on(void);
