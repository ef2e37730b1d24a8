/* SPDX-License-Identifier: BSD-2-Clause */
/* fastpath.h: call and reply-and-receive between two threads, without the queues. It does nothing that the ordinary way would not do. */
#pragma once
#include "syscall/call.h"

/* Make the call: in the short way if all its conditions hold, else in the ordinary one. The context to leave into. */
struct arch_context *fast_call(struct thread *t);
struct arch_context *fast_reply_recv(struct thread *t);
/* dispatch.c: the ordinary way. */
struct arch_context *syscall_ordinary(struct thread *t);
