/* SPDX-License-Identifier: BSD-2-Clause */
/* process.c: waiting for a program and ending it.
 *
 * Who waits has a notification of its own, and watches the first thread through a capability of its own, so that
 * several threads can wait for the same program, each for as long as it likes, and the caller's own watches stay as
 * they are. A capability that is taken away tells nobody: so the waiter looks again now and then. It also looks, more
 * often, where there is no memory or no slot for these things.
 */
#include "internal.h"

enum { LOOK_AGAIN_NS = 1000000000, LOOK_OFTEN_NS = 5000000 };

struct waiting { sys_cap_t ntfn, thread; bool watched; };

static void waiting_begin(struct waiting *w, sys_cap_t thread)
{
	sys_status_t status = sys_notification_create(SYS_CAP_UNTYPED, &w->ntfn);

	if (status == SYS_OK)
		status = sys_cap_copy(thread, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHT_INSPECT, &w->thread);
	if (status == SYS_OK)
		status = sys_cap_watch(w->thread, SYS_EVENT_EXITED, 0, w->ntfn, 1);
	w->watched = status == SYS_OK;
}

static void waiting_end(const struct waiting *w)
{
	if (w->thread != SYS_CAP_NULL)
		sys_cap_delete(w->thread);
	if (w->ntfn != SYS_CAP_NULL)
		sys_cap_delete(w->ntfn);
}

static void waiting_sleep(const struct waiting *w, sys_time_t now, sys_time_t deadline)
{
	sys_time_t ns = w->watched ? LOOK_AGAIN_NS : LOOK_OFTEN_NS;
	uint64_t bits;

	if (deadline - now < ns)
		ns = deadline - now;
	if (w->watched)
		sys_notification_wait(w->ntfn, &bits, now + ns);
	else
		libsys_sleep(ns);
}

/* SHOULD_WAIT: it runs. */
static sys_status_t look(sys_cap_t thread, int64_t *code)
{
	sys_thread_info_t info;
	sys_status_t status = sys_thread_info(thread, &info);

	if (status != SYS_OK)
		return status;
	if (info.state != SYS_THREAD_EXITED)
		return SYS_ERR_SHOULD_WAIT;
	*code = info.exit_code;
	return SYS_OK;
}

sys_status_t sys_process_wait(const sys_process_t *process, int64_t *code, sys_time_t deadline)
{
	struct waiting waiting = { 0 };
	sys_time_t now = sys_clock_get();
	sys_status_t status = look(process->thread, code);

	if (status == SYS_ERR_SHOULD_WAIT && now < deadline)
		waiting_begin(&waiting, process->thread);
	for (; status == SYS_ERR_SHOULD_WAIT && now < deadline; now = sys_clock_get()) {
		waiting_sleep(&waiting, now, deadline);
		status = look(process->thread, code);
	}
	waiting_end(&waiting);
	return status == SYS_ERR_SHOULD_WAIT ? SYS_ERR_TIMED_OUT : status;
}

/* The other capabilities stand below the account's first one, so its revoke takes them too. The first thread is ended
 * before, while who waits for it can still be told. */
sys_status_t sys_process_end(sys_process_t *process)
{
	sys_status_t status;

	sys_thread_kill(process->thread, SYS_ERR_CANCELED);
	status = sys_cap_revoke(process->untyped);
	if (status == SYS_OK)
		status = sys_cap_delete(process->untyped);
	if (status == SYS_OK)
		*process = (sys_process_t){ 0 };
	return status;
}
