/* SPDX-License-Identifier: BSD-2-Clause */
/* captree.c: see captree.h. */
#include <string.h>
#include "model/captree.h"
#include "vm/mapping.h"

struct m_object object[OBJECTS];
struct m_cap cap[CAPS];
struct m_place place[PLACES];
struct program program[PROGRAMS];
struct space *shown;
static u32 walk;

void tree_start(void)
{
	memset(object, 0, sizeof object);
	memset(cap, 0, sizeof cap);
	memset(place, 0, sizeof place);
	walk = 0;
}

/* ---- the model --------------------------------------------------------------------------------------------------- */

int object_add(struct object *o, enum sys_type type, u32 slots)
{
	int i = 0;

	while (object[i].object)
		must(++i < OBJECTS);
	object[i] = (struct m_object){ .object = o, .type = type, .slots = slots };
	memset(object[i].at, 0xff, sizeof object[i].at);
	o->unused = (u16)i;
	return i;
}

static void forget_object(int i)
{
	if (object[i].caps + object[i].base + object[i].mappings || object[i].taken)
		return;
	object[i].object = NULL;
	for (struct program *p = program; p < program + PROGRAMS; p++)
		if (p->waits && p->ep == i)
			p->ep = NONE;           /* it will be told */
}

void cap_place(int c, int where, struct slot *s)
{
	struct m_object *node = &object[where];
	u32 index = slot_index(s);

	cap[c].where = where;
	cap[c].slot = s;
	cap[c].name = slot_cap(s);
	must(node->at[index] == NONE && !node->retired[index] && cap[c].name >> 32 >= node->generation[index]);
	node->at[index] = c;
	node->generation[index] = (u32)(cap[c].name >> 32);
	node->taken++;
}

void cap_unplace(int c)
{
	struct m_object *node = &object[cap[c].where];
	u32 index = (u32)cap[c].name;

	node->at[index] = NONE;
	node->taken--;
	if (node->generation[index] == MAX_GENERATION) {
		node->retired[index] = true;
		node->lost++;
	} else {
		node->generation[index]++;
	}
}

int cap_add(int where, struct slot *s, int of, int parent, bool first)
{
	int c = 0;

	while (cap[c].live)
		must(++c < CAPS);
	cap[c] = (struct m_cap){ .live = true, .first = first, .object = of, .parent = parent, .rights = s->rights,
	                         .badge = s->badge };
	cap_place(c, where, s);
	object[of].caps++;
	object[of].receivers += !!(s->rights & SYS_RIGHT_RECV);
	return c;
}

static void cap_remove(int c)
{
	struct m_object *of = &object[cap[c].object];

	for (int i = 0; i < CAPS; i++)
		if (cap[i].live && cap[i].parent == c)
			cap[i].parent = cap[c].parent;
	for (int i = 0; i < PLACES; i++)
		if (place[i].live && place[i].parent == c)
			place[i].parent = cap[c].parent;
	cap_unplace(c);
	cap[c].live = false;
	of->caps--;
	of->receivers -= !!(cap[c].rights & SYS_RIGHT_RECV);
	forget_object(cap[c].object);
	forget_object(cap[c].where);
}

void place_remove(int i)
{
	place[i].live = false;
	object[place[i].object].mappings--;
	forget_object(place[i].object);
}

static bool revoked_above(int c)
{
	for (; c != NONE; c = cap[c].parent)
		if (cap[c].revoking)
			return true;
	return false;
}

static bool named(int i) { return object[i].caps + object[i].base > 0; }
static bool cap_may_go(int c) { return revoked_above(cap[c].parent) || !named(cap[c].where) || ended(cap[c].where); }
static bool place_may_go(int i) { return revoked_above(place[i].parent) || ended(place[i].object); }

/* ---- the kernel's list must be the model's tree ------------------------------------------------------------------ */

static int cap_of(const struct slot *s)
{
	int where = slot_cnode(s)->object.unused, c = object[where].at[slot_index(s)];

	must(c != NONE && cap[c].live && cap[c].slot == s && slot_cap(s) == cap[c].name);
	return c;
}

static int place_of(const struct mapping *m)
{
	u64 i = ((m->region.base - shown->root_vmar.region.base) >> PAGE_SHIFT) / 2;

	must(i < PLACES && place[i].live && &m->vmo->object == object[place[i].object].object);
	return (int)i;
}

/* Notes who stands in the list, below whom. */
static void walk_list(int parent_of[CAPS], int parent_of_place[PLACES])
{
	int stack[CAPS], depth = 0;
	u64 link = (u64)&cap[0].slot->open | DERIV_SLOT_OPEN;

	walk++;
	do {
		int above = depth ? stack[depth - 1] : NONE;

		if (deriv_kind_of(link) == DERIV_SLOT_OPEN) {
			int c = cap_of(container_of(deriv_at(link), struct slot, open));
			parent_of[c] = above;
			cap[c].seen = walk;
			must(depth < CAPS);
			stack[depth++] = c;
		} else if (deriv_kind_of(link) == DERIV_MAPPING) {
			int i = place_of(container_of(deriv_at(link), struct mapping, deriv));
			parent_of_place[i] = above;
			place[i].seen = walk;
		} else if (deriv_kind_of(link) == DERIV_ACCOUNT) {
			must(revoked_above(above));     /* an account's first capability went before its copies: the next to go */
		} else {
			must(depth && &cap[above].slot->close == deriv_at(link));
			depth--;
		}
		link = deriv_at(link)->next;
	} while (depth);
}

/* What the list has lost, the model loses too, if it may go. One thing may let another go: a CNode what is in it. */
static void lose(void)
{
	bool go[CAPS], again;

	do {
		again = false;
		for (int i = 0; i < PLACES; i++)
			if (place[i].live && place[i].seen != walk && place_may_go(i))
				place_remove(i);
		for (int c = 0; c < CAPS; c++)
			go[c] = cap[c].live && cap[c].seen != walk && cap_may_go(c);
		for (int c = 0; c < CAPS; c++)
			if (go[c]) {
				cap_remove(c);
				again = true;
			}
	} while (again);
}

/* The last capability of an account is going: what was made with it goes first. */
static bool last_goes(int c)
{
	return object[cap[c].object].type == SYS_TYPE_UNTYPED && object[cap[c].object].caps == 1 && (cap[c].slot->flags & SLOT_REVOKING);
}

/* Where an account's first capability has left its place, the last one takes it when it ends, around what stands there. */
static void inherit(int *parent, int now)
{
	if (now != NONE && *parent == cap[now].parent && last_goes(now))
		*parent = now;
}

static void compare_cap(int c, int parent)
{
	const struct m_object *of = &object[cap[c].object];
	const struct slot *s = cap[c].slot;

	must(cap[c].seen == walk && cap[c].parent == parent);
	must(s->object == of->object && s->rights == cap[c].rights && s->badge == cap[c].badge);
	must(of->object->caps == of->caps + of->base && of->object->type == of->type);
	if (of->type == SYS_TYPE_ENDPOINT)
		must(of->object->extra == of->receivers);
	if (of->type == SYS_TYPE_ENDPOINT && !of->receivers)
		must(object_dying(of->object));
	else    /* its account may have ended before the capability is reached */
		must(!object_dying(of->object) || revoked_above(cap[c].parent));
	if (cap[c].revoking && !(s->flags & SLOT_REVOKING)) {
		must(!slot_derived(s));
		cap[c].revoking = false;
	}
	if (last_goes(c) && (ended(cap[c].where) || !named(cap[c].where)))
		cap[c].revoking = true;         /* with its CNode */
	must(cap[c].revoking == !!(s->flags & SLOT_REVOKING));
}

/* Who waits does so until somebody comes, or its endpoint has ended. */
static void compare_program(struct program *p)
{
	if (!p->waits)
		return;
	if (p->t->state == SYS_THREAD_WAITING)
		return;
	must(p->ep == NONE || ended(p->ep));
	must(user_status(p->t) == SYS_ERR_PEER_CLOSED);
	p->waits = ACTS;
}

void compare_all(void)
{
	int parent_of[CAPS], parent_of_place[PLACES];

	walk_list(parent_of, parent_of_place);
	lose();
	for (int i = 0; i < PROGRAMS; i++)
		compare_program(&program[i]);
	for (int c = 0; c < CAPS; c++)
		if (cap[c].live && cap[c].seen == walk)
			inherit(&cap[c].parent, parent_of[c]);
	for (int c = 0; c < CAPS; c++)
		if (cap[c].live)
			compare_cap(c, parent_of[c]);
	for (int i = 0; i < PLACES; i++)
		if (place[i].live && place[i].seen == walk)
			inherit(&place[i].parent, parent_of_place[i]);
	for (int i = 0; i < PLACES; i++)
		must(!place[i].live || (place[i].seen == walk && place[i].parent == parent_of_place[i]));
}

/* c is gone from the list, and what was below it too if it was under revoke. */
void cap_deleted(int c)
{
	int parent_of[CAPS], parent_of_place[PLACES];

	walk_list(parent_of, parent_of_place);
	must(cap[c].seen != walk);
	lose();
	must(!cap[c].revoking || !cap_derived(c));
	if (cap[c].live)
		cap_remove(c);
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

int cap_named(int where, sys_cap_t name)
{
	u32 index = (u32)name;
	int c = index < object[where].slots ? object[where].at[index] : NONE;

	return c != NONE && cap[c].name == name ? c : NONE;
}

bool cap_derived(int c)
{
	for (int i = 0; i < CAPS; i++)
		if (cap[i].live && cap[i].parent == c)
			return true;
	for (int i = 0; i < PLACES; i++)
		if (place[i].live && place[i].parent == c)
			return true;
	return false;
}

int caps_live(void)
{
	int n = 0;

	for (int c = 0; c < CAPS; c++)
		n += cap[c].live;
	return n;
}
