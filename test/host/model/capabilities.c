/* SPDX-License-Identifier: BSD-2-Clause */
/* capabilities.c: random sequences on capabilities against an executable model.
 *
 * The model is a plain tree: each capability has a parent, rights, a badge, a place and a name. After every
 * operation the whole derivation list is walked and must be that tree. Revokes, deletes and the taking apart of
 * CNodes stop at random points and others go on in between; then the model does not know how far they got, but it
 * knows what may go: what is below a capability under revoke, and what is in a CNode that has ended. Nothing else
 * may, and when a revoke says that it is done nothing is left below. Every slot's next generation is predicted
 * throughout.
 *
 * An account's first capability stays in the first CNode and is not deleted before its copies: else what is left
 * would depend on the order of destruction (revoke.c tests that by itself). */
#include <string.h>
#include "model/engine.h"

#define CAPS    160
#define OBJECTS 256
#define SLOTS   64
#define NONE    -1

struct m_object {
	struct object *object;          /* valid while caps > 0; NULL: the entry is free */
	enum sys_type type;
	unsigned caps, receivers;       /* capabilities to it; those with RECV */
	u32 slots;                      /* CNode: how many, who is where, and each slot's next generation */
	int at[SLOTS];
	u32 generation[SLOTS];
	unsigned taken;
};
struct m_cap {
	bool live, first, revoking;
	int object, parent, where;      /* where: the CNode */
	sys_rights_t rights;
	u64 badge;
	sys_cap_t name;
	struct slot *slot;
	u32 seen;
};
static struct m_object object[OBJECTS];
static struct m_cap cap[CAPS];
static int pending[4];                  /* capabilities whose revoke goes on some time */
static sys_cap_t pending_name[4];
static u32 walk;
static struct account *a;
static struct cnode *cs;

/* ---- the model --------------------------------------------------------------------------------------------------- */

static struct cnode *cnode_at(int where) { return (struct cnode *)object[where].object; }

static int object_add(struct object *o, enum sys_type type, u32 slots)
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
	if (object[i].caps == 0 && object[i].taken == 0)
		object[i].object = NULL;
}

static void place(int c, int where, struct slot *s)
{
	u32 index = slot_index(s);

	cap[c].where = where;
	cap[c].slot = s;
	cap[c].name = slot_cap(s);
	must(object[where].at[index] == NONE && cap[c].name >> 32 >= object[where].generation[index]);
	object[where].at[index] = c;
	object[where].generation[index] = (u32)(cap[c].name >> 32);
	object[where].taken++;
}

static void unplace(int c)
{
	struct m_object *node = &object[cap[c].where];

	node->at[(u32)cap[c].name] = NONE;
	node->generation[(u32)cap[c].name]++;
	node->taken--;
}

static int cap_add(int where, struct slot *s, int of, int parent, bool first)
{
	int c = 0;

	while (cap[c].live)
		must(++c < CAPS);
	cap[c] = (struct m_cap){ .live = true, .first = first, .object = of, .parent = parent, .rights = s->rights,
	                         .badge = s->badge };
	place(c, where, s);
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
	unplace(c);
	cap[c].live = false;
	of->caps--;
	of->receivers -= !!(cap[c].rights & SYS_RIGHT_RECV);
	forget_object(cap[c].object);
	forget_object(cap[c].where);
}

static bool below_revoke(int c)
{
	for (c = cap[c].parent; c != NONE; c = cap[c].parent)
		if (cap[c].revoking)
			return true;
	return false;
}

static bool ended(int i) { return object[i].caps == 0 || object_dying(object[i].object); }
static bool may_go(int c) { return below_revoke(c) || ended(cap[c].where); }

/* ---- the kernel's list must be the model's tree ------------------------------------------------------------------ */

static int cap_of(const struct slot *s)
{
	int where = slot_cnode(s)->object.unused, c = object[where].at[slot_index(s)];

	must(c != NONE && cap[c].live && cap[c].slot == s && slot_cap(s) == cap[c].name);
	return c;
}

/* Notes who stands in the list, below whom. */
static void walk_list(int parent_of[CAPS])
{
	int stack[CAPS], depth = 0;
	u64 link = (u64)&cap[0].slot->open | DERIV_SLOT_OPEN;

	walk++;
	do {
		if (deriv_kind_of(link) == DERIV_SLOT_OPEN) {
			int c = cap_of(container_of(deriv_at(link), struct slot, open));
			parent_of[c] = depth ? stack[depth - 1] : NONE;
			cap[c].seen = walk;
			must(depth < CAPS);
			stack[depth++] = c;
		} else {
			must(depth && &cap[stack[depth - 1]].slot->close == deriv_at(link));
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
		for (int c = 0; c < CAPS; c++)
			go[c] = cap[c].live && cap[c].seen != walk && may_go(c);
		for (int c = 0; c < CAPS; c++)
			if (go[c]) {
				cap_remove(c);
				again = true;
			}
	} while (again);
}

static void compare(int c, int parent)
{
	const struct m_object *of = &object[cap[c].object];
	const struct slot *s = cap[c].slot;

	must(cap[c].seen == walk && cap[c].parent == parent);
	must(s->object == of->object && s->rights == cap[c].rights && s->badge == cap[c].badge);
	must(of->object->caps == of->caps && of->object->type == of->type);
	if (of->type == SYS_TYPE_ENDPOINT)
		must(of->object->extra == of->receivers);
	if (of->type == SYS_TYPE_ENDPOINT && !of->receivers)
		must(object_dying(of->object));
	else    /* its account may have ended before the capability is reached */
		must(!object_dying(of->object) || below_revoke(c));
	if (cap[c].revoking && !(s->flags & SLOT_REVOKING)) {
		must(!slot_derived(s));
		cap[c].revoking = false;
	}
	must(cap[c].revoking == !!(s->flags & SLOT_REVOKING));
}

static void compare_all(void)
{
	int parent_of[CAPS];

	walk_list(parent_of);
	lose();
	for (int c = 0; c < CAPS; c++)
		if (cap[c].live)
			compare(c, parent_of[c]);
}

static void walkers(void)
{
	kernel_check();
	deriv_check(cap[0].slot);
	for (int i = 0; i < OBJECTS; i++)
		if (object[i].object && object[i].type == SYS_TYPE_CNODE && object[i].caps)
			cnode_check(cnode_at(i));
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

/* A random capability that a call may name: its CNode lives, and its object, but for an endpoint. NONE: there is
 * none. */
static bool usable(int c)
{
	return cap[c].live && !ended(cap[c].where) &&
		(object[cap[c].object].type == SYS_TYPE_ENDPOINT || !ended(cap[c].object));
}

static int pick(enum sys_type type)
{
	int c = (int)choose(CAPS);

	for (int n = 0; n < CAPS; n++, c = (c + 1) % CAPS)
		if (usable(c) && (!type || object[cap[c].object].type == type))
			return c;
	return NONE;
}

static int caps_live(void)
{
	int n = 0;

	for (int c = 0; c < CAPS; c++)
		n += cap[c].live;
	return n;
}

/* A destination, and what the kernel must say of it. */
static sys_status_t destination(int *where, struct slot **s, u32 *generation)
{
	sys_cap_t name = SYS_SLOT_ANY;
	sys_status_t expected, status;
	struct m_object *node;
	int c = chance(20) ? NONE : pick(SYS_TYPE_CNODE);

	*where = c == NONE ? 0 : cap[c].object;
	node = &object[*where];
	if (chance(60)) {
		expected = node->taken == node->slots - 1 ? SYS_ERR_NO_SLOT : SYS_OK;
	} else {
		u32 index = (u32)choose(node->slots + 2), wanted = (u32)choose(4);
		u32 next = index < node->slots ? node->generation[index] : 0;
		wanted = next + wanted < 1 ? 0 : next + wanted - 1;
		name = slot_name(index, wanted);
		if (index >= node->slots)
			expected = SYS_ERR_OUT_OF_RANGE;
		else if (index == 0 || wanted < next)
			expected = SYS_ERR_INVALID_ARGS;
		else
			expected = node->at[index] == NONE ? SYS_OK : SYS_ERR_ALREADY_EXISTS;
	}
	status = cnode_free_slot(cnode_at(*where), name, s, generation);
	must(status == expected);
	if (status == SYS_OK && name == SYS_SLOT_ANY)
		must(*generation == node->generation[slot_index(*s)]);
	else if (status == SYS_OK)
		must(slot_index(*s) == (u32)name && *generation == name >> 32);
	return status;
}

static struct object *make(enum sys_type type, struct account *from, u32 slots)
{
	sys_status_t status;
	struct object *o = NULL;

	if (type == SYS_TYPE_UNTYPED) {
		struct account *child;
		return account_create(from, 10 + choose(60), &child) == SYS_OK ? &child->object : NULL;
	}
	if (type == SYS_TYPE_CNODE) {
		struct cnode *c;
		if (cnode_create(from, slots, &c) != SYS_OK)
			return NULL;
		while (!cnode_build_step(c))
			;
		return &c->object;
	}
	o = object_create(from, type, &status);
	if (o && type == SYS_TYPE_ENDPOINT)
		endpoint_init((struct endpoint *)o);
	if (o && type == SYS_TYPE_NOTIFICATION)
		notification_init((struct notification *)o);
	return o;
}

static void op_create(void)
{
	static const enum sys_type types[] = {
		SYS_TYPE_UNTYPED, SYS_TYPE_CNODE, SYS_TYPE_CNODE, SYS_TYPE_ENDPOINT, SYS_TYPE_ENDPOINT,
		SYS_TYPE_NOTIFICATION,
	};
	enum sys_type type = types[choose(ARRAY_LEN(types))];
	u32 slots = type == SYS_TYPE_CNODE ? 16u << choose(3) : 0, generation;
	int ut = pick(SYS_TYPE_UNTYPED), where, made;
	struct object *o;
	struct slot *s;

	if (caps_live() > CAPS - 10)
		return;
	o = make(type, (struct account *)object[cap[ut].object].object, slots);
	if (!o)
		return;
	if (type == SYS_TYPE_UNTYPED) {
		where = 0;
		if (cnode_free_slot(cs, SYS_SLOT_ANY, &s, &generation) != SYS_OK)
			return object_end(o);
	} else if (destination(&where, &s, &generation) != SYS_OK) {
		return object_end(o);
	}
	slot_fill(s, generation, o, all_rights(type), 0, cap[ut].slot, SLOT_FIRST);
	made = object_add(o, type, slots);
	cap_add(where, s, made, ut, true);
}

static void op_copy(void)
{
	int c = pick(SYS_TYPE_NONE), where;
	sys_rights_t rights = cap[c].rights & (sys_rights_t)(choose(1 << 16) | choose(1 << 16));
	bool mint = object[cap[c].object].type == SYS_TYPE_ENDPOINT && !cap[c].badge && chance(50);
	u32 generation;
	struct slot *s;

	if (caps_live() > CAPS - 10 || destination(&where, &s, &generation) != SYS_OK)
		return;
	slot_fill(s, generation, object[cap[c].object].object, rights, mint ? 1 + choose(100) : cap[c].badge,
	          cap[c].slot, 0);
	cap_add(where, s, cap[c].object, c, false);
}

static void op_move(void)
{
	int c = pick(SYS_TYPE_NONE), where;
	bool stays = object[cap[c].object].type == SYS_TYPE_UNTYPED && cap[c].first;
	struct slot *s, *out = NULL;
	sys_status_t status;
	u32 generation;

	if (stays || c == 0 || destination(&where, &s, &generation) != SYS_OK)
		return;
	status = cap_move(cap[c].slot, cnode_at(where), slot_name(slot_index(s), generation), &out);
	must(status == SYS_OK || (status == VM_AGAIN && cap[c].revoking));
	if (status == SYS_OK) {
		must(out == s && !cap[c].revoking);
		unplace(c);
		place(c, where, out);
	}
}

/* c is gone from the list, and what was below it too if it was under revoke. */
static void deleted(int c)
{
	int parent_of[CAPS];

	walk_list(parent_of);
	must(cap[c].seen != walk);
	lose();
	for (int i = 0; cap[c].revoking && i < CAPS; i++)
		must(!cap[i].live || cap[i].parent != c);
	if (cap[c].live)
		cap_remove(c);
}

static void op_delete(void)
{
	int c = pick(SYS_TYPE_NONE);
	const struct m_object *of = &object[cap[c].object];
	sys_status_t status;

	if (c == 0 || cap[c].parent == NONE)
		return;
	if (of->type == SYS_TYPE_UNTYPED && of->caps > 1 && cap[c].first)
		return;
	if (of->type == SYS_TYPE_UNTYPED && of->caps == 1)
		cap[c].revoking = true;
	status = cap_delete(cap[c].slot);
	must(status == SYS_OK || (status == VM_AGAIN && cap[c].revoking));
	if (status == SYS_OK)
		deleted(c);
}

static void step_revoke(int slot)
{
	int c = pending[slot];
	sys_status_t status;

	if (!cap[c].live || cap[c].name != pending_name[slot] || !usable(c)) {
		pending[slot] = NONE;
		return;
	}
	cap[c].revoking = true;
	status = cap_revoke(cap[c].slot);
	must(status == SYS_OK || status == VM_AGAIN);
	if (status == SYS_OK)
		pending[slot] = NONE;
	compare_all();
	for (int i = 0; status == SYS_OK && i < CAPS; i++)
		must(!cap[c].revoking && (!cap[i].live || cap[i].parent != c));
}

static void op_revoke(bool start)
{
	int slot = (int)choose(4), c;

	if (pending[slot] == NONE && start && (c = pick(SYS_TYPE_NONE)) != NONE && (c != 0 || chance(2))) {
		pending[slot] = c;
		pending_name[slot] = cap[c].name;
	}
	if (pending[slot] != NONE)
		step_revoke(slot);
}

static void step(void)
{
	unsigned dice = (unsigned)choose(100);

	host_preempt_every((unsigned)choose(5));
	if (dice < 22)
		op_create();
	else if (dice < 55)
		op_copy();
	else if (dice < 70)
		op_move();
	else if (dice < 88)
		op_delete();
	else
		op_revoke(dice < 92);
	if (chance(50))
		object_reap(NULL);
}

/* Everything goes: the account is empty, to the frame. */
static void settle(u64 frames)
{
	host_preempt_every(3);
	must(revoke_all(cap[0].slot) == SYS_OK);
	kernel_reap();
	cap[0].revoking = true;
	compare_all();
	must(a->used == 0 && a->promised == 0 && a->objects == 0 && !a->closed && frame_count_free() == frames);
	must(caps_live() == 1);
	for (unsigned i = 0; i < ARRAY_LEN(pending); i++)
		pending[i] = NONE;
	walkers();
}

static u64 frames;                      /* that are free when nothing is there */

static void start(void)
{
	memset(object, 0, sizeof object);
	memset(cap, 0, sizeof cap);
	walk = 0;
	kernel_start(4096);
	a = account_new(account_root(), 3000);
	cs = cnode_new(account_root(), SLOTS);
	object_cap(&cs->object);
	object_add(&cs->object, SYS_TYPE_CNODE, SLOTS);
	object[0].caps = 1;
	object_add(&a->object, SYS_TYPE_UNTYPED, 0);
	cap_add(0, cap_put(cs, a, NULL, SLOT_FIRST), 1, NONE, true);
	for (unsigned i = 0; i < ARRAY_LEN(pending); i++)
		pending[i] = NONE;
	frames = frame_count_free();
}

static void step_and_compare(void)
{
	step();
	compare_all();
}

static void finish(void) { settle(frames); }

const struct model model = { "capabilities", 20000, start, step_and_compare, walkers, finish };
