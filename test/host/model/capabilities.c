/* SPDX-License-Identifier: BSD-2-Clause */
/* capabilities.c: programs with CSpaces of their own that make, copy, mint, move, give away, delete and revoke
 * capabilities, in their own and in each other's CNodes, and map memory objects with them, against an executable model.
 *
 * The model is a plain tree (captree.h). After every kernel entry the whole derivation list is walked and must be that
 * tree. Revokes, deletes and the taking apart of CNodes stop at random points, other programs go on in between, and those
 * that revoke are killed. What a call must say is judged anew at each entry. Every slot's next generation is predicted
 * throughout.
 *
 * An account's first capability stays where it was made and is not deleted before its copies: else what is left
 * would depend on the order of destruction (revoke.c tests that by itself). */
#include <string.h>
#include "model/captree.h"
#include "syscall/check.h"

/* What a call that succeeds does. */
struct effect { int cap, where, other; u32 index; bool any; sys_rights_t rights; u64 badge; };

static struct thread *idler;
static i64 now;
static u64 frames;                      /* that are free when nothing is there */
static struct account *a;

/* ---- what a call must say ---------------------------------------------------------------------------------------- */

/* Argument i of p's call must name an object of this type (NONE: any), with these rights. */
static sys_status_t argument(const struct program *p, unsigned i, enum sys_type type, sys_rights_t rights, int *c)
{
	const u32 usable = 1u << SYS_TYPE_ENDPOINT | 1u << SYS_TYPE_THREAD | 1u << SYS_TYPE_VMAR | 1u << SYS_TYPE_PAGER;
	enum sys_type is;

	*c = cap_named(p->home, p->arg[i]);
	if (*c == NONE)
		return SYS_ERR_BAD_CAP;
	is = object[cap[*c].object].type;
	if (ended(cap[*c].object) && !(usable >> is & 1) && p->number != NR_cap_delete)
		return SYS_ERR_BAD_CAP;
	if (type && is != type)
		return SYS_ERR_WRONG_TYPE;
	return (cap[*c].rights & rights) == rights ? SYS_OK : SYS_ERR_ACCESS_DENIED;
}

/* Whether a capability can be put there. */
static sys_status_t destination(int where, sys_cap_t name, struct effect *e)
{
	const struct m_object *node = &object[where];
	u32 index = (u32)name;

	e->where = where;
	e->any = name == SYS_SLOT_ANY;
	e->index = index;
	if (e->any)
		return node->taken + node->lost == node->slots - 1 ? SYS_ERR_NO_SLOT : SYS_OK;
	if (index >= node->slots)
		return SYS_ERR_OUT_OF_RANGE;
	if (index == 0 || name >> 32 < node->generation[index] || node->retired[index])
		return SYS_ERR_INVALID_ARGS;
	return node->at[index] == NONE ? SYS_OK : SYS_ERR_ALREADY_EXISTS;
}

static sys_status_t judge_derive(const struct program *p, struct effect *e, u64 badge)
{
	int node;
	sys_status_t status = argument(p, 0, SYS_TYPE_NONE, SYS_RIGHT_COPY, &e->cap);

	if (status == SYS_OK)
		status = argument(p, 1, SYS_TYPE_CNODE, SYS_RIGHT_WRITE, &node);
	if (status != SYS_OK)
		return status;
	e->rights = p->arg[3] == SYS_RIGHTS_SAME ? cap[e->cap].rights : (sys_rights_t)p->arg[3];
	e->badge = badge ? badge : cap[e->cap].badge;
	if (e->rights & ~cap[e->cap].rights)
		return SYS_ERR_INVALID_ARGS;
	if (badge && (object[cap[e->cap].object].type != SYS_TYPE_ENDPOINT || cap[e->cap].badge))
		return SYS_ERR_INVALID_ARGS;
	return destination(cap[node].object, p->arg[2], e);
}

static sys_status_t judge_move(const struct program *p, struct effect *e)
{
	int node;
	sys_status_t status = argument(p, 0, SYS_TYPE_NONE, 0, &e->cap);

	if (status == SYS_OK)
		status = argument(p, 1, SYS_TYPE_CNODE, SYS_RIGHT_WRITE, &node);
	if (status == SYS_OK)
		status = destination(cap[node].object, p->arg[2], e);
	return status == SYS_OK && cap[e->cap].revoking ? VM_AGAIN : status;
}

/* Deleting the last one of an account revokes first. */
static sys_status_t judge_delete(const struct program *p, struct effect *e)
{
	sys_status_t status = argument(p, 0, p->number == NR_cap_delete ? SYS_TYPE_NONE : SYS_TYPE_CNODE,
	                               p->number == NR_cap_delete ? 0 : SYS_RIGHT_WRITE, &e->cap);

	if (status == SYS_OK && p->number == NR_cnode_delete)
		e->cap = cap_named(cap[e->cap].object, p->arg[1]);
	if (status != SYS_OK || e->cap == NONE)
		return status != SYS_OK ? status : SYS_ERR_BAD_CAP;
	if (object[cap[e->cap].object].type == SYS_TYPE_UNTYPED && object[cap[e->cap].object].caps == 1)
		cap[e->cap].revoking = true;
	return SYS_OK;
}

static sys_status_t judge_revoke(const struct program *p, struct effect *e)
{
	sys_status_t status = argument(p, 0, SYS_TYPE_NONE, 0, &e->cap);

	if (status == SYS_OK)
		cap[e->cap].revoking = true;
	return status;
}

/* NO_MEMORY is the accounts' matter (accounts.c): it may come as well. */
static sys_status_t judge_create(const struct program *p, struct effect *e)
{
	sys_status_t status = argument(p, 0, SYS_TYPE_UNTYPED, SYS_RIGHT_WRITE, &e->cap);

	if (status != SYS_OK)
		return status;
	if (((struct account *)object[cap[e->cap].object].object)->closed)
		return SYS_ERR_BAD_STATE;
	return destination(p->home, SYS_SLOT_ANY, e);
}

static sys_status_t judge_map(const struct program *p, struct effect *e)
{
	int region;
	sys_status_t status = argument(p, 0, SYS_TYPE_VMAR, SYS_RIGHT_READ, &region);

	if (status == SYS_OK)
		status = argument(p, 3, SYS_TYPE_VMO, SYS_RIGHT_MAP | SYS_RIGHT_READ, &e->cap);
	e->index = (u32)(p->arg[2] >> PAGE_SHIFT) / 2;
	if (status != SYS_OK)
		return status;
	return place[e->index].live ? SYS_ERR_ALREADY_EXISTS : SYS_OK;
}

static struct program *receiver_at(int ep)
{
	for (struct program *p = program; p < program + PROGRAMS; p++)
		if (p->waits && p->ep == ep)
			return p;
	return NULL;
}

static sys_status_t judge_send(const struct program *p, struct effect *e)
{
	int ep;
	sys_status_t status = argument(p, 0, SYS_TYPE_ENDPOINT, SYS_RIGHT_SEND, &ep);
	const struct program *to;
	const struct m_object *home;

	if (status != SYS_OK)
		return status;
	e->other = cap[ep].object;
	if (ended(e->other))
		return SYS_ERR_PEER_CLOSED;
	for (u32 i = 0; i < p->count; i++) {
		int c = cap_named(p->home, p->sent[i]);

		if (c == NONE)
			return SYS_ERR_BAD_CAP;
		if (!(cap[c].rights & SYS_RIGHT_GRANT))
			return SYS_ERR_ACCESS_DENIED;
		for (u32 j = 0; j < i; j++)
			if (p->sent[i] == p->sent[j])
				return SYS_ERR_INVALID_ARGS;
	}
	for (u32 i = 0; i < p->count; i++)
		if (cap[cap_named(p->home, p->sent[i])].revoking)
			return VM_AGAIN;
	to = receiver_at(e->other);
	if (!to)
		return SYS_ERR_TIMED_OUT;
	home = &object[to->home];
	if (p->count > to->count)
		return SYS_ERR_BUFFER_TOO_SMALL;
	return home->slots - 1 - home->taken - home->lost < p->count ? SYS_ERR_NO_SLOT : SYS_OK;
}

static sys_status_t judge_recv(const struct program *p, struct effect *e)
{
	sys_status_t status = argument(p, 0, SYS_TYPE_ENDPOINT, SYS_RIGHT_RECV, &e->cap);

	if (status != SYS_OK)
		return status;
	e->other = cap[e->cap].object;
	return ended(e->other) ? SYS_ERR_PEER_CLOSED : SYS_OK;
}

static sys_status_t judge(const struct program *p, struct effect *e)
{
	int c;

	switch (p->number) {
	case NR_cap_copy:     return judge_derive(p, e, 0);
	case NR_cap_mint:     return judge_derive(p, e, p->arg[4]);
	case NR_cap_move:     return judge_move(p, e);
	case NR_cap_delete:
	case NR_cnode_delete: return judge_delete(p, e);
	case NR_cap_revoke:   return judge_revoke(p, e);
	case NR_cap_info:     return argument(p, 0, SYS_TYPE_NONE, 0, &e->cap);
	case NR_vmar_map:     return judge_map(p, e);
	case NR_vmar_unmap:   return argument(p, 0, SYS_TYPE_VMAR, 0, &c);
	case NR_ipc_send:     return judge_send(p, e);
	case NR_ipc_recv:     return judge_recv(p, e);
	case NR_reap_rest:    return SYS_OK;
	default:              return judge_create(p, e);
	}
}

/* ---- what it does ------------------------------------------------------------------------------------------------ */

static struct slot *slot_at(int where, sys_cap_t name)
{
	struct slot *s = cnode_lookup(cnode_at(where), name);

	must(s != NULL);
	return s;
}

/* The name that the call gave: as was asked for. */
static struct slot *result_slot(const struct program *p, const struct effect *e)
{
	sys_cap_t name = p->t->context.regs.rdx;

	must(e->any ? (u32)(name >> 32) == object[e->where].generation[(u32)name] : name == p->arg[2]);
	return slot_at(e->where, name);
}

static void created(const struct program *p, const struct effect *e)
{
	struct slot *s = result_slot(p, e);
	u32 slots = p->number == NR_cnode_create ? (u32)p->arg[1] : 0;
	sys_rights_t resize = s->object->type == SYS_TYPE_VMO ? SYS_RIGHT_RESIZE : 0;

	must(s->rights == (all_rights(s->object->type) & ~resize) && !s->badge);
	cap_add(e->where, s, object_add(s->object, s->object->type, slots), e->cap, true);
}

static void told(const struct program *p, int c)
{
	const struct regs *r = &p->t->context.regs;
	const struct object *o = object[cap[c].object].object;

	must(r->rdx == (o->type | (u64)cap[c].rights << 32) && r->r8 == cap[c].badge);
	must(r->r9 == o->koid && r->r10 == cap_derived(c));
}

/* The message's capabilities stand where the receiver is told that they do. */
static void sent(const struct program *p, const struct effect *e)
{
	struct program *to = receiver_at(e->other);

	to->waits = false;
	must(user_status(to->t) == SYS_OK);
	for (u32 i = 0; i < p->count; i++) {
		int c = cap_named(p->home, p->sent[i]);

		cap_unplace(c);
		cap_place(c, to->home, slot_at(to->home, to->t->cap[i]));
	}
}

/* p's call succeeded. */
static void happened(struct program *p, const struct effect *e)
{
	struct slot *s;

	switch (p->number) {
	case NR_cap_copy:
	case NR_cap_mint:
		s = result_slot(p, e);
		must(s->rights == e->rights && s->badge == e->badge);
		cap_add(e->where, s, cap[e->cap].object, e->cap, false);
		return;
	case NR_cap_move:
		cap_unplace(e->cap);
		cap_place(e->cap, e->where, result_slot(p, e));
		return;
	case NR_cap_delete:
	case NR_cnode_delete:
		return cap_deleted(e->cap);
	case NR_cap_info:
		return told(p, e->cap);
	case NR_vmar_map:
		place[e->index] = (struct m_place){ .live = true, .object = cap[e->cap].object, .parent = e->cap };
		object[cap[e->cap].object].mappings++;
		return;
	case NR_vmar_unmap:
		if (place[p->arg[4]].live)
			place_remove((int)p->arg[4]);
		return;
	case NR_ipc_send:
		return sent(p, e);
	case NR_cap_revoke:
	case NR_reap_rest:
		return;
	default:
		return created(p, e);
	}
}

/* A revoke is done: nothing is left below. */
static void revoked(int c)
{
	must(!cap[c].live || (!cap[c].revoking && !cap_derived(c)));
}

/* May the call be made again? What meets a mark or ends an account goes in steps, and so does an unmapping. */
static bool may_restart(const struct program *p, sys_status_t expected)
{
	return expected == VM_AGAIN || p->number == NR_cap_revoke || p->number == NR_cap_delete ||
		p->number == NR_cnode_delete || p->number == NR_vmar_unmap || p->number == NR_reap_rest;
}

/* May find no memory. */
static bool allocates(u64 number)
{
	return number == NR_untyped_create || number == NR_cnode_create || number == NR_endpoint_create ||
		number == NR_notification_create || number == NR_vmo_create || number == NR_vmar_map;
}

/* One entry of p's call, fresh or made again. */
static void enter(struct program *p, bool fresh)
{
	struct effect e = { .cap = NONE, .where = NONE };
	sys_status_t expected = judge(p, &e), status;
	bool known = expected == SYS_OK || expected == VM_AGAIN;
	bool was_rest = p->number == NR_reap_rest;

	if (fresh)
		user_enter_with(p->number, p->arg, 6);
	else
		user_again();
	if (p->number == NR_ipc_recv && expected == SYS_OK) {
		p->waits = true;
		p->ep = e.other;
		must(p->t->state == SYS_THREAD_WAITING);
		return;
	}
	bool rest = user_in_call(p->t) && p->t->context.regs.rax == NR_reap_rest && !was_rest;
	if (user_in_call(p->t) && !rest) {
		must(may_restart(p, expected) && (known || was_rest));
		return;
	}
	status = rest ? SYS_OK : user_status(p->t);
	if (allocates(p->number) && status == SYS_ERR_NO_MEMORY && (known || expected == SYS_ERR_NO_SLOT))
		return;
	must(status == expected);
	if (status == SYS_OK)
		happened(p, &e);
	if (rest && p->number != NR_cap_revoke)
		p->number = NR_reap_rest;
	if (status != SYS_OK || p->number != NR_cap_revoke)
		return;
	compare_all();
	revoked(e.cap);
	if (rest)
		p->number = NR_reap_rest;
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

/* A name of p's: mostly of a capability of this type. */
static sys_cap_t pick(const struct program *p, enum sys_type type)
{
	const struct m_object *home = &object[p->home];
	u32 i = (u32)choose(SLOTS);

	if (chance(4))
		return slot_name(i, (u32)choose(3));
	for (u32 n = chance(4) ? SLOTS : 0; n < SLOTS; n++, i = (i + 1) % SLOTS)
		if (home->at[i] != NONE && (!type || object[cap[home->at[i]].object].type == type))
			break;
	return slot_name(i, home->generation[i]);
}

/* A place for a capability in a CNode that p can name. */
static sys_cap_t pick_place(const struct program *p, sys_cap_t node)
{
	int c = cap_named(p->home, node);
	const struct m_object *to = c == NONE || !object[cap[c].object].slots ? &object[p->home] : &object[cap[c].object];
	u32 index = (u32)choose(to->slots + 2);
	u64 next = index < to->slots ? to->generation[index] : 0;

	if (chance(60))
		return SYS_SLOT_ANY;
	if (chance(1))
		return slot_name(index, MAX_GENERATION);
	next += choose(4);
	return slot_name(index, (u32)MIN(next ? next - 1 : 0, (u64)MAX_GENERATION));
}

/* An account's first capability stays: see above. */
static bool stays(int c) { return c != NONE && cap[c].first && object[cap[c].object].type == SYS_TYPE_UNTYPED; }

static bool choose_create(struct program *p)
{
	static const u64 calls[] = {
		NR_untyped_create, NR_cnode_create, NR_cnode_create, NR_endpoint_create, NR_endpoint_create,
		NR_notification_create, NR_vmo_create,
	};

	p->number = calls[choose(ARRAY_LEN(calls))];
	p->arg[0] = pick(p, SYS_TYPE_UNTYPED);
	p->arg[1] = p->number == NR_cnode_create ? 16u << choose(3) : (10 + choose(60)) * PAGE_SIZE_;
	p->arg[2] = 0;
	return caps_live() < CAPS - 10;
}

static bool choose_derive(struct program *p)
{
	p->number = chance(40) ? NR_cap_mint : NR_cap_copy;
	p->arg[0] = pick(p, p->number == NR_cap_mint && chance(80) ? SYS_TYPE_ENDPOINT : SYS_TYPE_NONE);
	p->arg[1] = chance(10) ? p->arg[0] : pick(p, SYS_TYPE_CNODE);   /* a CNode into itself, too */
	p->arg[2] = pick_place(p, p->arg[1]);
	int c = cap_named(p->home, p->arg[0]);
	p->arg[3] = choose(1 << 16) | choose(1 << 16);
	if (c != NONE && !chance(2))
		p->arg[3] &= cap[c].rights;
	if (chance(30))
		p->arg[3] = SYS_RIGHTS_SAME;
	p->arg[4] = chance(20) ? 0 : 1 + choose(100);
	return caps_live() < CAPS - 10;
}

static bool choose_move(struct program *p)
{
	p->number = NR_cap_move;
	p->arg[0] = pick(p, SYS_TYPE_NONE);
	p->arg[1] = pick(p, SYS_TYPE_CNODE);
	p->arg[2] = pick_place(p, p->arg[1]);
	return !stays(cap_named(p->home, p->arg[0]));
}

static bool choose_delete(struct program *p)
{
	int where = p->home, c;
	sys_cap_t name;

	p->number = chance(40) ? NR_cnode_delete : NR_cap_delete;
	p->arg[0] = pick(p, p->number == NR_cnode_delete ? SYS_TYPE_CNODE : SYS_TYPE_NONE);
	if (p->number == NR_cnode_delete) {
		c = cap_named(p->home, p->arg[0]);
		where = c == NONE || !object[cap[c].object].slots ? where : cap[c].object;
		u32 i = (u32)choose(object[where].slots);
		for (u32 n = 0; n < SLOTS && object[where].at[i] == NONE; n++)
			i = (i + 1) % object[where].slots;
		p->arg[1] = slot_name(i, object[where].generation[i]);
	}
	name = p->number == NR_cnode_delete ? p->arg[1] : p->arg[0];
	c = cap_named(where, name);
	return c != 0 && !(stays(c) && object[cap[c].object].caps > 1);
}

static bool choose_map(struct program *p)
{
	u64 i = choose(PLACES), offset = 2 * i * PAGE_SIZE_;

	p->arg[0] = pick(p, SYS_TYPE_VMAR);
	p->number = chance(70) ? NR_vmar_map : NR_vmar_unmap;
	if (p->number == NR_vmar_unmap) {
		p->arg[1] = shown->root_vmar.region.base + offset;
		p->arg[2] = PAGE_SIZE_;
		p->arg[4] = i;
		return true;
	}
	p->arg[1] = SYS_VM_PERM_READ | SYS_VM_SPECIFIC;
	p->arg[2] = offset;
	p->arg[3] = pick(p, SYS_TYPE_VMO);
	p->arg[4] = 0;
	p->arg[5] = PAGE_SIZE_;
	return true;
}

static bool choose_send(struct program *p)
{
	sys_msg_t m;

	p->number = NR_ipc_send;
	p->arg[0] = pick(p, SYS_TYPE_ENDPOINT);
	for (unsigned n = 0; n < 8 && (cap_named(p->home, p->arg[0]) == NONE ||
	                               !receiver_at(cap[cap_named(p->home, p->arg[0])].object)); n++)
		p->arg[0] = pick(p, SYS_TYPE_ENDPOINT);
	p->count = (u32)choose(SYS_MSG_CAPS + 1);
	for (u32 i = 0; i < p->count; i++) {
		p->sent[i] = pick(p, SYS_TYPE_NONE);
		if (stays(cap_named(p->home, p->sent[i])))
			return false;
	}
	memcpy(m.cap, p->sent, sizeof m.cap);
	user_poke(p->space, p->memory, &m, sizeof m);
	p->arg[1] = p->memory;
	p->arg[2] = SYS_TIME_POLL;
	p->arg[4] = 0;
	p->arg[5] = (u64)p->count << 32;
	return true;
}

/* One receiver at each endpoint: order is the other model's matter (ipc.c). */
static bool choose_recv(struct program *p)
{
	int c;

	p->number = NR_ipc_recv;
	p->arg[0] = pick(p, SYS_TYPE_ENDPOINT);
	p->count = (u32)choose(SYS_MSG_CAPS + 1);
	p->arg[1] = p->memory;
	p->arg[2] = SYS_CAP_NULL;
	p->arg[3] = (u64)SYS_TIME_INFINITE;
	p->arg[5] = (u64)p->count << 48;
	c = cap_named(p->home, p->arg[0]);
	return c == NONE || !receiver_at(cap[c].object);
}

static bool choose_call(struct program *p)
{
	u64 dice = choose(100);

	if (dice < 18)
		return choose_create(p);
	if (dice < 46)
		return choose_derive(p);
	if (dice < 56)
		return choose_move(p);
	if (dice < 71)
		return choose_delete(p);
	if (dice < 79)
		return choose_map(p);
	if (dice < 86)
		return choose_send(p);
	if (dice < 92)
		return choose_recv(p);
	p->number = dice < 96 ? NR_cap_revoke : NR_cap_info;
	p->arg[0] = pick(p, SYS_TYPE_NONE);
	return cap_named(p->home, p->arg[0]) != 0 || chance(2);
}

static void new_program(struct program *p)
{
	p->t = user_new(account_root(), cnode_at(p->home), p->space, 2);
	p->waits = false;
	user_interrupt();
}

/* Killed wherever it is: its revoke stays half done. */
static void kill(struct program *p)
{
	thread_exit(p->t, 1);
	user_interrupt();
	object_uncap(&p->t->object);
	kernel_reap();
	new_program(p);
}

/* Who runs next: its slice is over, and those of the ones after it, until it is this one's turn. */
static struct program *turn(void)
{
	u64 slices = chance(60) ? 0 : choose(PROGRAMS);

	for (u64 i = 0; i < slices; i++)
		user_time(now += QUANTUM);
	if (slices)
		compare_all();                  /* the clock destroys, too */
	for (struct program *p = program; p < program + PROGRAMS; p++)
		if (p->t == user)
			return p;
	return NULL;
}

static void step(void)
{
	struct program *p = turn();

	host_preempt_every((unsigned)choose(5));
	if (!p || chance(1))
		kill(&program[choose(PROGRAMS)]);
	else if (user_in_call(p->t))
		enter(p, false);
	else if (choose_call(p))
		enter(p, true);
	if (chance(30))
		object_reap(NULL);
	compare_all();
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static void give(int where, int of)
{
	sys_rights_t rights = all_rights(object[of].type);
	struct slot *s = cap_put_with(cnode_at(where), object[of].object, rights, 0, cap[0].slot);

	cap_add(where, s, of, 0, false);
}

/* What programs begin with: their own CSpace, each other's, the region for mappings; the first has the account. */
static void give_all(void)
{
	for (int i = 0; i < PROGRAMS; i++) {
		for (int j = 0; j < PROGRAMS; j++)
			give(program[i].home, program[j].home);
		give(program[i].home, ((struct object *)shown)->unused);
		give(program[i].home, cap[0].object);
	}
}

/* Everything goes: the account is empty, to the frame. */
static void settle(void)
{
	for (int i = 0; i < PROGRAMS; i++)
		kill(&program[i]);
	host_preempt_every(3);
	must(revoke_all(cap[0].slot) == SYS_OK);
	kernel_reap();
	cap[0].revoking = true;
	compare_all();
	must(a->used == 0 && a->promised == 0 && a->objects == 0 && !a->closed && frame_count_free() == frames);
	must(caps_live() == 1);
}

static void make_program(struct program *p)
{
	struct cnode *home = cnode_new(account_root(), SLOTS);

	object_cap(&home->object);
	p->home = object_add(&home->object, SYS_TYPE_CNODE, SLOTS);
	object[p->home].base = 1;
	must(space_create(account_root(), false, &p->space) == SYS_OK);
	object_cap((struct object *)p->space);
	p->memory = user_memory(p->space, 1);
	p->t = user_new(account_root(), home, p->space, 2);
	p->waits = false;
}

static void start(void)
{
	struct cnode *none;
	int i;

	tree_start();
	now = 0;
	user_boot(2400);
	a = account_new(account_root(), 1500);
	must(space_create(account_root(), false, &shown) == SYS_OK);
	object_cap((struct object *)shown);
	i = object_add((struct object *)shown, SYS_TYPE_VMAR, 0);
	object[i].base = 1;
	for (struct program *p = program; p < program + PROGRAMS; p++)
		make_program(p);
	none = cnode_new(account_root(), 16);
	object_cap(&none->object);
	idler = user_new(account_root(), none, program[0].space, 1);
	user_begin();
	i = object_add(&a->object, SYS_TYPE_UNTYPED, 0);
	cap_add(program[0].home, cap_put(cnode_at(program[0].home), a, NULL, SLOT_FIRST), i, NONE, true);
	frames = frame_count_free();
	give_all();
}

static void walkers(void)
{
	check_all();
	deriv_check(cap[0].slot);
}


const struct model model = { "capabilities", 5000, start, step, walkers, settle };
