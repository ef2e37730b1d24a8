/* SPDX-License-Identifier: BSD-2-Clause */
/* object.c: how objects are made and destroyed, and the derivation list's links.
 *
 * Dying lists are stacks. object_end() pushes an object onto its account's; a step works on the topmost and leaves it
 * there until it is done, so what it ends meanwhile comes first. Accounts are objects too, and one that dies may hold
 * thousands, accounts among them: instead of going down into it, its reap hands its dying objects up, one at a time,
 * onto the stack that it stands on itself. So depth costs nothing, and
 *     - an object that dies is on exactly one stack until it is REAPED;
 *     - only accounts that live are on account_reapable (and those to be settled, at its front: account.c).
 * Lock: the kernel lock.
 */
#include "mem/object.h"
#include "arch/arch.h"
#include "lib/assert.h"
#include "mem/account.h"
#include "mem/slab.h"

static const struct object_type *types[SYS_TYPE_CONSOLE + 1];
static sys_koid_t last_koid;
static struct account *reaping;         /* whose stack a step works on right now; NULL: none */
u64 object_reap_steps;

BOOT void object_type_set(enum sys_type type, const struct object_type *ops)
{
	ASSERT(type > SYS_TYPE_NONE && type < ARRAY_LEN(types) && ops->size >= sizeof(struct object));
	types[type] = ops;
}

const struct object_type *object_type_of(const struct object *o)
{
	ASSERT(o->type < ARRAY_LEN(types) && types[o->type]);
	return types[o->type];
}

BOOT void object_init_static(struct object *o, enum sys_type type)
{
	*o = (struct object){ .type = (u8)type, .refs = 1, .koid = ++last_koid };
}

void *object_create(struct account *account, enum sys_type type, sys_status_t *status)
{
	ASSERT(type < ARRAY_LEN(types) && types[type]);
	struct object *o = slab_alloc(account, types[type]->size, (u8)type, status);
	if (!o)
		return NULL;
	o->account = account;
	o->koid = ++last_koid;
	account->objects++;
	return o;
}

void object_discard(struct object *o)
{
	ASSERT(!o->caps && !o->refs && !object_dying(o));
	o->account->objects--;
	slab_free(o, object_type_of(o)->size);
}

/* ---- the end of an object ---------------------------------------------------------------------------------------- */
static void push_dying(struct account *a, struct object *o)
{
	o->next_dying = a->dying;
	a->dying = o;
}

static struct object *pop_dying(struct account *a)
{
	struct object *o = a->dying;
	a->dying = o->next_dying;
	o->next_dying = NULL;
	return o;
}

void object_end(struct object *o)
{
	const struct object_type *type = object_type_of(o);
	struct account *a = o->account;

	if (object_dying(o) || !a)              /* again; or a static one */
		return;
	o->flags |= OBJECT_DYING;
	a->objects--;
	if (type->ended)
		type->ended(o);
	push_dying(a, o);
	if (!object_dying(&a->object) && !list_on(&a->dying_link))
		list_append(&account_reapable, &a->dying_link);
}

/* Nothing names it any more. */
static void unnamed(struct object *o)
{
	const struct object_type *type = object_type_of(o);

	if (o->flags & OBJECT_REAPED)
		slab_free(o, type->size);
	else if (!object_dying(o) && type->idle)
		type->idle(o);
	else
		object_end(o);
}

void object_unref(struct object *o)
{
	ASSERT(o->refs > 0);
	if (--o->refs == 0 && o->caps == 0)
		unnamed(o);
}

void object_uncap(struct object *o)
{
	const struct object_type *type = object_type_of(o);

	ASSERT(o->caps > 0);
	o->refs++;                              /* it stays while its hook runs */
	if (--o->caps == 0 && type->caps_gone && !object_dying(o))
		type->caps_gone(o);
	object_unref(o);
}

/* ---- destruction in steps ---------------------------------------------------------------------------------------- */
/* The account whose stack comes next, or one to be settled. */
static struct account *pick(struct account *a)
{
	struct account *first = list_first(&account_reapable, struct account, dying_link);

	if (!a || object_dying(&a->object))
		return first;
	if (a->dying)
		return a;
	return first && object_dying(&first->object) ? first : NULL;
}

/* The topmost object is cut from everything: takes it off. */
static void finish_top(struct account *a)
{
	struct object *o = pop_dying(a);

	o->flags = OBJECT_DYING | OBJECT_REAPED;
	if (!a->dying && !object_dying(&a->object))
		list_remove(&a->dying_link);
	if (!o->caps && !o->refs)
		slab_free(o, object_type_of(o)->size);
}

static void step_top(struct account *a)
{
	struct object *o = a->dying;
	const struct object_type *type = object_type_of(o);

	if (!(o->flags & OBJECT_CUT)) {
		reaping = a;
		bool done = !type->reap || type->reap(o);
		reaping = NULL;
		if (!done)
			return;
		o->flags |= OBJECT_CUT;
	}
	if (a->dying == o)                      /* else what it ended comes first */
		finish_top(a);
}

bool object_reap_step(struct account *account)
{
	if (reaping)
		return false;
	struct account *a = pick(account);
	if (!a)
		return false;
	object_reap_steps++;
	if (object_dying(&a->object))
		account_settle_step(a);
	else
		step_top(a);
	return true;
}

bool object_hand_up(struct account *a)
{
	ASSERT(reaping && reaping != a && object_dying(&a->object));
	if (!a->dying)
		return false;
	push_dying(reaping, pop_dying(a));
	return true;
}

bool object_reap(struct account *account)
{
	do {
		if (!watch_tell_step() && !object_reap_step(account))
			return true;
	} while (!arch_preempt_poll());
	return !pick(account) && !watch_pending();
}

/* ---- the derivation list ----------------------------------------------------------------------------------------- */
static u64 deriv_link(const struct deriv *d, enum deriv_kind kind)
{
	DEBUG_ASSERT(((uintptr_t)d & 7) == 0 && (unsigned)kind < 8);
	return (u64)(uintptr_t)d | kind;
}

void deriv_insert(struct deriv *after, enum deriv_kind after_kind, struct deriv *d, enum deriv_kind kind)
{
	DEBUG_ASSERT(!d->next && !d->prev);
	*d = (struct deriv){ .next = after->next, .prev = deriv_link(after, after_kind) };
	if (d->next)
		deriv_at(d->next)->prev = deriv_link(d, kind);
	after->next = deriv_link(d, kind);
}

void deriv_remove(struct deriv *d)
{
	if (d->prev)
		deriv_at(d->prev)->next = d->next;
	if (d->next)
		deriv_at(d->next)->prev = d->prev;
	*d = (struct deriv){ 0 };
}
