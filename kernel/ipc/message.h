/* SPDX-License-Identifier: BSD-2-Clause */
/* message.h: what the files of kernel/ipc share among themselves. Lock: the kernel lock. */
#pragma once
#include "ipc/ipc.h"

bool message_finish(struct thread *t);                  /* thread_hooks.finish */
void message_pager_ready(struct pager *p);              /* vm_hooks.pager_ready */
