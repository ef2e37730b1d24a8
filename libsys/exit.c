/* SPDX-License-Identifier: BSD-2-Clause */
/* exit.c: the end of a program. It ends when its first thread ends, so whoever calls exit() ends that one. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "internal.h"

void _exit(int status)
{
	if (!tls_current()->first)
		sys_thread_kill(SYS_CAP_THREAD, status);
	sys_thread_exit(status);
}

pid_t getpid(void)
{
	return 1;
}

/* There is only this process to send a signal to. */
int kill(pid_t pid, int signal)
{
	(void)pid;
	return raise(signal);
}
