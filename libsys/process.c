/* SPDX-License-Identifier: BSD-2-Clause */
/* process.c: waiting for a program and ending it. There is no call yet that tells of a thread's end, so the waiter
 * looks at the first thread again and again, at growing intervals.
 */
#include "internal.h"

enum { LOOK_FIRST_NS = 100000, LOOK_MAX_NS = 5000000 };

sys_status_t sys_process_wait(const sys_process_t *process, int64_t *code, sys_time_t deadline)
{
	sys_thread_info_t info;

	for (sys_time_t ns = LOOK_FIRST_NS;; ns = 2 * ns < LOOK_MAX_NS ? 2 * ns : LOOK_MAX_NS) {
		sys_status_t status = sys_thread_info(process->thread, &info);
		sys_time_t now = sys_clock_get();

		if (status != SYS_OK)
			return status;
		if (info.state == SYS_THREAD_EXITED) {
			*code = info.exit_code;
			return SYS_OK;
		}
		if (now >= deadline)
			return SYS_ERR_TIMED_OUT;
		libsys_sleep(deadline - now < ns ? deadline - now : ns);
	}
}

/* The other capabilities stand below the account's first one, so its revoke takes them too. */
sys_status_t sys_process_end(sys_process_t *process)
{
	sys_status_t status = sys_cap_revoke(process->untyped);

	if (status == SYS_OK)
		status = sys_cap_delete(process->untyped);
	if (status == SYS_OK)
		*process = (sys_process_t){ 0 };
	return status;
}
