/* SPDX-License-Identifier: BSD-2-Clause */
/* grant.c: capabilities in messages, and the layers' hooks. A message names its capabilities; they stay in the sender's slots until the hand-over, where
 * each name and its GRANT right are looked at again. Lock: the kernel lock. */
#include "cap/slot.h"
#include "ipc/ipc.h"
#include "lib/assert.h"

/* The slots of capabilities that t may give away. The same one twice cannot move twice. */
static sys_status_t names_good(struct thread *t, const sys_cap_t *name, u32 count, struct slot **out)
{
	for (u32 i = 0; i < count; i++) {
		struct slot *s = out[i] = cnode_lookup(t->cspace, name[i]);

		if (!s)
			return SYS_ERR_BAD_CAP;
		if (!(s->rights & SYS_RIGHT_GRANT))
			return SYS_ERR_ACCESS_DENIED;
		for (u32 j = 0; j < i; j++)
			if (name[i] == name[j])
				return SYS_ERR_INVALID_ARGS;
	}
	return SYS_OK;
}

/* The sender's own look, before it queues. Who meets a capability under revoke does its steps first (its revoker may have been killed), and then makes the
 * call again: anything that it has looked up may be gone. */
static sys_status_t caps_check(struct thread *t, const sys_cap_t *name, u32 count)
{
	struct slot *s[SYS_MSG_CAPS];
	sys_status_t status = names_good(t, name, count, s);

	for (u32 i = 0; i < count && status == SYS_OK; i++)
		if (s[i]->flags & SLOT_REVOKING) {
			cap_revoke(s[i]);
			return VM_AGAIN;
		}
	return status;
}

/* A capability that came under revoke meanwhile goes nowhere: to the sender it is gone. */
static sys_status_t caps_move(struct thread *from, struct thread *to, u32 count)
{
	struct slot *src[SYS_MSG_CAPS], *dst;
	sys_status_t status;
	u32 generation;

	status = names_good(from, from->cap, count, src);
	if (status != SYS_OK)
		return status;
	if (object_dying(&to->cspace->object) || !cnode_has_free(to->cspace, count))
		return SYS_ERR_NO_SLOT;
	for (u32 i = 0; i < count; i++)
		if (src[i]->flags & SLOT_REVOKING)
			return SYS_ERR_BAD_CAP;
	/* COMMIT */
	for (u32 i = 0; i < count; i++) {
		status = cnode_free_slot(to->cspace, SYS_SLOT_ANY, &dst, &generation);
		ASSERT(status == SYS_OK);
		slot_move(src[i], dst, generation);
		to->cap[i] = slot_cap(dst);
	}
	return SYS_OK;
}

static void cspace_left(struct thread *t)
{
	cnode_set_cspace(t, NULL);
}

static void uncap_window(struct vmo *w)
{
	slot_clear(list_first(&w->slots, struct slot, listed));
}

BOOT void cap_boot(void)
{
	vm_hooks.uncap_window = uncap_window;
	object_type_set(SYS_TYPE_CNODE, &cnode_type);
	ipc_hooks = (struct ipc_hooks){ caps_check, caps_move, cspace_left };
}
