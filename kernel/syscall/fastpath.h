/* SPDX-License-Identifier: BSD-2-Clause */
/* fastpath.h: call and reply-and-receive between two threads, without the queues. It does nothing that the ordinary way would not do. */
#pragma once
#include "syscall/call.h"

/* Makes a call, and returns the context to leave into. */
typedef struct arch_context *call_way(struct thread *t);

/* The ways of ipc_call and the numbers behind it, up to ipc_reply_recv4: the short one where there is one, which goes the ordinary way unless all its conditions hold. */
#define FAST_WAYS (NR_ipc_reply_recv4 - NR_ipc_call + 1u)
extern call_way *fast_ways[FAST_WAYS];
/* Boot option `nofast`: the ordinary way for all, to test that it makes no difference. */
void fast_ways_off(void);
/* dispatch.c: the ordinary way. */
call_way syscall_ordinary;
