/* SPDX-License-Identifier: BSD-2-Clause */
/* message.h: what the files of kernel/ipc share among themselves. Lock: the kernel lock. */
#pragma once
#include "ipc/ipc.h"

bool message_finish(struct thread *t);                  /* thread_hooks.finish */
void message_pager_ready(struct pager *p);              /* vm_hooks.pager_ready */
/* Ends the receive of `to`, which waits or makes it now, with a message of the kernel's: these bits. What it offers for a reply stays free. */
void message_put_bits(struct thread *to, u64 bits);
void notification_receive(struct thread *t);            /* the same with the bits that its bound notification has (thread_has_news) */
