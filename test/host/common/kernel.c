/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel.c: see kernel.h. */
#include "common/kernel.h"
#include "sched/sched.h"

u64 restarts;

void kernel_start(u64 frames)
{
	machine_start(frames);
	vmo_boot();
	sched_init();
	thread_boot();
	ipc_boot();
	cap_boot();
}

void kernel_check(void)
{
	frame_check();
	account_check_all();
	sched_check();
}

struct account *account_new(struct account *parent, u64 frames)
{
	struct account *a = NULL;

	must(account_create(parent, frames, &a) == SYS_OK);
	return a;
}

struct cnode *cnode_new(struct account *a, u32 slots)
{
	struct cnode *c = NULL;

	must(cnode_create(a, slots, &c) == SYS_OK);
	while (!cnode_build_step(c))
		;
	return c;
}

void *object_new(struct account *a, enum sys_type type)
{
	sys_status_t status;
	struct object *o = object_create(a, type, &status);

	must(o != NULL);
	if (type == SYS_TYPE_ENDPOINT)
		endpoint_init((struct endpoint *)o);
	if (type == SYS_TYPE_NOTIFICATION)
		notification_init((struct notification *)o);
	return o;
}

sys_rights_t all_rights(enum sys_type type)
{
	static const sys_rights_t rights[] = {
		[SYS_TYPE_UNTYPED] = SYS_RIGHTS_UNTYPED, [SYS_TYPE_CNODE] = SYS_RIGHTS_CNODE,
		[SYS_TYPE_THREAD] = SYS_RIGHTS_THREAD,
		[SYS_TYPE_ENDPOINT] = SYS_RIGHTS_ENDPOINT, [SYS_TYPE_NOTIFICATION] = SYS_RIGHTS_NOTIFICATION,
		[SYS_TYPE_REPLY] = SYS_RIGHTS_REPLY, [SYS_TYPE_VMO] = SYS_RIGHTS_VMO, [SYS_TYPE_VMAR] = SYS_RIGHTS_VMAR,
		[SYS_TYPE_PAGER] = SYS_RIGHTS_PAGER,
	};

	must(type < ARRAY_LEN(rights) && rights[type]);
	return rights[type];
}

static struct slot *put(struct cnode *c, void *object, sys_rights_t rights, u64 badge, struct slot *parent, u16 flags)
{
	struct slot *s = NULL;
	u32 generation;

	must(cnode_free_slot(c, SYS_SLOT_ANY, &s, &generation) == SYS_OK);
	slot_fill(s, generation, object, rights, badge, parent, flags);
	return s;
}

struct slot *cap_put(struct cnode *c, void *object, struct slot *parent, u16 flags)
{
	return put(c, object, all_rights(((struct object *)object)->type), 0, parent, flags);
}

struct slot *cap_put_with(struct cnode *c, void *object, sys_rights_t rights, u64 badge, struct slot *parent)
{
	return put(c, object, rights, badge, parent, 0);
}

struct slot *cap_copy(struct cnode *c, struct slot *source)
{
	return put(c, source->object, source->rights, source->badge, source, 0);
}

/* What the dispatcher does with VM_AGAIN: the name is looked up anew. */
static sys_status_t again(sys_status_t (*call)(struct slot *), struct slot *s)
{
	struct cnode *c = slot_cnode(s);
	sys_cap_t name = slot_cap(s);
	sys_status_t status;

	while ((status = call(s)) == VM_AGAIN) {
		restarts++;
		s = cnode_lookup(c, name);
		if (!s || object_dying(&c->object))
			return SYS_ERR_BAD_CAP;
	}
	return status;
}

sys_status_t revoke_all(struct slot *s) { return again(cap_revoke, s); }
sys_status_t delete_all(struct slot *s) { return again(cap_delete, s); }

void kernel_reap(void)
{
	while (!object_reap(NULL))
		restarts++;
}
