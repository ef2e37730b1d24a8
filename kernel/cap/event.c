/* SPDX-License-Identifier: BSD-2-Clause */
/* event.c: watches through capabilities: which object has which event, and whether it holds already. See mem/watch.h.
 * Lock: the kernel lock. */
#include "cap/slot.h"
#include "ipc/ipc.h"
#include "lib/assert.h"
#include "mem/account.h"

static const u8 type_with[] = {
	[SYS_EVENT_ZERO_CHILDREN] = SYS_TYPE_VMO, [SYS_EVENT_EXITED] = SYS_TYPE_THREAD, [SYS_EVENT_ABANDONED] = SYS_TYPE_ENDPOINT,
	[SYS_EVENT_DETACHED] = SYS_TYPE_VMO, [SYS_EVENT_LOW] = SYS_TYPE_UNTYPED,
};

/* What stands behind a VMO, or behind the one on which it is a window. */
static struct source *source_of(const struct object *o)
{
	const struct vmo *content = container_of(o, struct vmo, object)->content;

	return content ? content->source : NULL;
}

/* DETACHED is for a pager's VMO: what never had a pager cannot lose it. */
static bool has_event(const struct object *o, enum sys_event event)
{
	return o->type == type_with[event] && (event != SYS_EVENT_DETACHED || source_of(o));
}

static struct watch_list *list_of(struct object *o, enum sys_event event)
{
	switch (event) {
	case SYS_EVENT_ZERO_CHILDREN: return &container_of(o, struct vmo, object)->watches;
	case SYS_EVENT_EXITED:        return &container_of(o, struct thread, object)->watches;
	case SYS_EVENT_ABANDONED:     return &container_of(o, struct endpoint, object)->watches;
	case SYS_EVENT_DETACHED:      return &source_of(o)->watches;
	case SYS_EVENT_LOW:           break;
	}
	return NULL;
}

/* It happened, and cannot happen again. */
static bool is_past(const struct object *o, enum sys_event event)
{
	switch (event) {
	case SYS_EVENT_EXITED:    return container_of(o, struct thread, object)->state == SYS_THREAD_EXITED;
	case SYS_EVENT_ABANDONED: return object_dying(o);
	case SYS_EVENT_DETACHED:  return !source_of(o)->pager;
	default:                  return false;
	}
}

static bool holds_now(const struct object *o, enum sys_event event, u64 threshold)
{
	if (event == SYS_EVENT_LOW)
		return account_free(container_of(o, struct account, object)) < threshold;
	return event == SYS_EVENT_ZERO_CHILDREN && container_of(o, struct vmo, object)->child_count == 0;
}

/* w: the one that is there. It stays, unless it came here with its slot and another account pays for it. */
static sys_status_t set(struct slot *s, enum sys_event event, const struct watch_target *to, struct watch *w)
{
	struct watch_subject of = { s, s->object, list_of(s->object, event), event };
	struct account *payer = slot_cnode(s)->object.account;

	if (!w || w->payer != payer)
		return watch_create(payer, &of, to);
	watch_change(w, to);
	return SYS_OK;
}

sys_status_t cap_watch(struct slot *s, u64 event, u64 threshold, struct notification *n, u64 bits)
{
	struct watch *w = NULL;
	sys_status_t status;

	if (event < SYS_EVENT_ZERO_CHILDREN || event > SYS_EVENT_LOW)
		return SYS_ERR_INVALID_ARGS;
	if (!has_event(s->object, (enum sys_event)event))
		return SYS_ERR_WRONG_TYPE;
	if ((threshold && event != SYS_EVENT_LOW) || (bits && !n))
		return SYS_ERR_INVALID_ARGS;
	if (s->flags & SLOT_WATCHED)
		w = watch_find(s, (enum sys_event)event);
	if (bits == 0 || is_past(s->object, (enum sys_event)event)) {
		if (w)
			watch_end(w);
		if (bits)
			notification_signal(n, bits);
		return SYS_OK;
	}
	threshold = threshold / PAGE_SIZE_ + (threshold % PAGE_SIZE_ != 0);
	struct watch_target to = { &n->object, &n->watches, bits, threshold };
	status = set(s, (enum sys_event)event, &to, w);
	if (status != SYS_OK)
		return status;
	/* COMMIT */
	s->flags |= SLOT_WATCHED;
	if (holds_now(s->object, (enum sys_event)event, threshold))
		notification_signal(n, bits);
	return SYS_OK;
}

/* ---- walker ------------------------------------------------------------------------------------------------------ */
static bool names(const void *slot, const struct object *o)
{
	const struct slot *s = slot;

	return s->object == o && (s->flags & SLOT_WATCHED) && slot_cnode(s)->object.type == SYS_TYPE_CNODE;
}

void cap_watch_check(void)
{
	watch_check(names);
}
