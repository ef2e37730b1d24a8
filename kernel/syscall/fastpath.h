/* SPDX-License-Identifier: BSD-2-Clause */
/* fastpath.h: call and reply-and-receive between two threads, without the queues. It does nothing that the ordinary way would not do. */
#pragma once
#include "syscall/call.h"

enum { FAST_FIRST = NR_ipc_call, FAST_LAST = NR_ipc_reply_recv };

/* Makes the call if all its conditions hold: the thread to leave into, with t waiting. NULL: nothing was done, take the ordinary way. */
struct thread *fastpath(struct thread *t, u64 number);
