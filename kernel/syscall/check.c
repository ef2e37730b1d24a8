/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c: all walkers at once, over all that lives. A debug kernel runs them whenever an account has been revoked (a process ended), and every so many
 * entries. Lock: the kernel lock. */
#include "syscall/check.h"

#include "mem/frame.h"
#include "sched/sched.h"
#include "syscall/call.h"

static void check_object(struct object *o)
{
	switch (o->type) {
	case SYS_TYPE_THREAD:   return thread_check((struct thread *)o);
	case SYS_TYPE_ENDPOINT: return endpoint_check((struct endpoint *)o);
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
	account_each_object(check_object);
}

#ifdef VELLUM_DEBUG
void check_sometimes(void)
{
	static u32 entries;

	if (++entries % CHECK_EVERY == 0)
		check_all();
}
#endif
