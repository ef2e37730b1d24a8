/* SPDX-License-Identifier: BSD-2-Clause */
/* discard.c: discardable VMOs: caches that programs fill, and that the kernel may empty when their account is short
 * (reclaim.c), but for those that are locked. Who locks one is told whether it was emptied since it was last locked. Until then
 * it reads as zero, and may be written. Locks are counted. Lock: the kernel lock.
 */
#include "lib/assert.h"
#include "vm/mapping.h"
#include "vm/reclaim.h"
#include "vm/window.h"

sys_status_t vmo_lock_check(struct vmo **v, u32 op, u64 offset, u64 size, sys_vmo_lock_state_t *state)
{
	struct vmo *c = (*v)->content;
	if (!c || object_dying(&c->object))
		return SYS_ERR_BAD_STATE;
	if (!(c->options & SYS_VMO_DISCARDABLE))
		return SYS_ERR_NOT_SUPPORTED;
	if (offset != 0 || size != c->size)
		return SYS_ERR_OUT_OF_RANGE;
	if (op == SYS_VMO_OP_UNLOCK && c->locks == 0)
		return SYS_ERR_BAD_STATE;
	if (op == SYS_VMO_OP_TRY_LOCK && c->discarded)
		return SYS_ERR_UNAVAILABLE;
	if (op == SYS_VMO_OP_LOCK && c->discarded && c->tree.charged && !vmo_discard_step(c))
		return VM_AGAIN;                /* all of it goes, or nothing */
	*state = (sys_vmo_lock_state_t){ .size = size, .discarded_size = c->discarded ? size : 0 };
	*v = c;
	return SYS_OK;
}

void vmo_lock(struct vmo *v, u32 op)
{
	bool lock = op != SYS_VMO_OP_UNLOCK;
	v->locks += lock ? 1 : -1u;
	v->discarded &= !lock;
	if (v->locks != lock)                   /* neither the first nor the last */
		return;
	if (lock)
		reclaim_withdraw(v);
	else
		reclaim_offer(v, &v->object.account->discardable);
}

bool vmo_discard_step(struct vmo *v)
{
	ASSERT(v->options & SYS_VMO_DISCARDABLE && v->locks == 0);
	v->discarded = true;
	return mapping_unmap_all(v, 0, TREE_ALL) && tree_remove_step(&v->tree, 0, TREE_ALL);
}
