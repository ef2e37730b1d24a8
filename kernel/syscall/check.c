/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c: all walkers at once, over all that lives. See check.h. Lock: the kernel lock. */
#include "syscall/check.h"

#include "ipc/futex.h"
#include "mem/frame.h"
#include "sched/sched.h"
#include "sched/trace.h"
#include "syscall/call.h"

static void check_object(struct object *o)
{
	switch (o->type) {
	case SYS_TYPE_THREAD:
		thread_check((struct thread *)o);
		return futex_check_thread((struct thread *)o);
	case SYS_TYPE_ENDPOINT: return endpoint_check((struct endpoint *)o);
	case SYS_TYPE_NOTIFICATION: return notification_check((struct notification *)o);
	case SYS_TYPE_CNODE:    return cnode_check((struct cnode *)o);
	case SYS_TYPE_VMO:      return vmo_check((struct vmo *)o);
	case SYS_TYPE_PAGER:    return pager_check((struct pager *)o);
	case SYS_TYPE_VMAR:
		if (vmar_of(o)->depth == 0)
			space_check(vmar_of(o)->space);
		return;
	}
}

void check_all(void)
{
	frame_check();
	account_check_all();
	sched_check();
	futex_check();
	account_each_object(check_object);
	cap_watch_check();
	trace_check();
}

#ifdef VELLUM_DEBUG
void check_sometimes(void)
{
	static u64 next;
	u64 begin = arch_cycles(), end;

	if (begin <= next)
		return;
	check_all();
	end = arch_cycles();
	next = end + CHECK_SHARE * (end - begin);
}
#endif
