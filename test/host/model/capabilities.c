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
#include "model/caprules.h"
#include "syscall/check.h"

static struct thread *idler;
static i64 now;
static u64 frames;                      /* that are free when nothing is there */
static struct account *a;

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
static void passed(const struct program *from, const struct program *to)
{
	must(user_status(to->t) == SYS_OK && user_status(from->t) == SYS_OK);
	for (u32 i = 0; i < from->count; i++) {
		int c = cap_named(from->home, from->sent[i]);

		cap_unplace(c);
		cap_place(c, to->home, slot_at(to->home, to->t->cap[i]));
	}
}

/* p sent, or waits to; its receiver has the message. */
static void sent(const struct program *p, const struct effect *e)
{
	struct program *to = waiting_at(e->other, RECEIVES);

	to->waits = ACTS;
	passed(p, to);
}

/* p received, or its sender was told why not. */
static void received(const struct program *p, const struct effect *e)
{
	struct program *from = waiting_at(e->other, SENDS);

	if (!from)
		return;
	from->waits = ACTS;
	must(user_status(from->t) == e->told && !user_in_call(from->t));
	if (e->told == SYS_OK)
		passed(from, p);
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
	case NR_ipc_recv:
		return received(p, e);
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

/* May find no memory. */
static bool allocates(u64 number)
{
	return number == NR_untyped_create || number == NR_cnode_create || number == NR_endpoint_create ||
		number == NR_notification_create || number == NR_vmo_create || number == NR_vmar_map;
}

/* May the call be made again? What meets a mark or ends an account goes in steps, and so do an unmapping and the search
 * for memory. */
static bool may_restart(const struct program *p, sys_status_t expected)
{
	return expected == VM_AGAIN || p->number == NR_cap_revoke || p->number == NR_cap_delete ||
		p->number == NR_cnode_delete || p->number == NR_vmar_unmap || p->number == NR_reap_rest || allocates(p->number);
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
	if (e.waits && expected == SYS_OK) {
		if (p->number == NR_ipc_recv)
			received(p, &e);
		/* a receiver may have to come again: after a sender that failed */
		must(p->t->state == SYS_THREAD_WAITING || (e.told != SYS_OK && user_in_call(p->t)));
		if (p->t->state != SYS_THREAD_WAITING)
			return;
		p->waits = e.waits;
		p->ep = e.other;
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
	if (chance(30))
		for (u32 n = 0; n < SLOTS; n++)         /* one that somebody revokes, or began to */
			if (home->at[n] != NONE && cap[home->at[n]].revoking)
				return cap[home->at[n]].name;
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

/* Where p's call deletes. */
static int deletes_in(const struct program *p)
{
	int c = p->number == NR_cnode_delete ? cap_named(p->home, p->arg[0]) : NONE;

	return c == NONE || !object[cap[c].object].slots ? p->home : cap[c].object;
}

/* p's call would delete what must stay: also when it is made again, since others make copies meanwhile. */
static bool deletes_too_early(const struct program *p)
{
	int c;

	if (p->number != NR_cap_delete && p->number != NR_cnode_delete)
		return false;
	c = cap_named(deletes_in(p), p->number == NR_cnode_delete ? p->arg[1] : p->arg[0]);
	return c == 0 || (stays(c) && object[cap[c].object].caps > 1);
}

static bool choose_delete(struct program *p)
{
	p->number = chance(40) ? NR_cnode_delete : NR_cap_delete;
	p->arg[0] = pick(p, p->number == NR_cnode_delete ? SYS_TYPE_CNODE : SYS_TYPE_NONE);
	if (p->number == NR_cnode_delete) {
		int where = deletes_in(p);
		u32 i = (u32)choose(object[where].slots);
		for (u32 n = 0; n < SLOTS && object[where].at[i] == NONE; n++)
			i = (i + 1) % object[where].slots;
		p->arg[1] = slot_name(i, object[where].generation[i]);
	}
	return !deletes_too_early(p);
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

/* Somebody waits like this at the endpoint that p's call names. */
static bool waits_at(const struct program *p, int how)
{
	int c = cap_named(p->home, p->arg[0]);

	return c != NONE && waiting_at(cap[c].object, how);
}

/* Nobody is about to wait like p's call. */
static bool alone(const struct program *p)
{
	for (const struct program *q = program; q < program + PROGRAMS; q++)
		if (q != p && user_in_call(q->t) && !q->waits && q->number == p->number)
			return false;
	return true;
}

static bool choose_send(struct program *p)
{
	sys_msg_t m;

	p->number = NR_ipc_send;
	p->arg[0] = pick(p, SYS_TYPE_ENDPOINT);
	for (unsigned n = 0; n < 8 && !waits_at(p, RECEIVES); n++)
		p->arg[0] = pick(p, SYS_TYPE_ENDPOINT);
	p->count = (u32)choose(SYS_MSG_CAPS + 1);
	for (u32 i = 0; i < p->count; i++) {
		p->sent[i] = pick(p, SYS_TYPE_NONE);
		for (const struct program *q = program; i == 0 && q < program + PROGRAMS; q++)
			if (q->home == p->home && q->copies && chance(70))
				p->sent[i] = q->source; /* will be under revoke soon */
		if (stays(cap_named(p->home, p->sent[i])))
			return false;
	}
	memcpy(m.cap, p->sent, sizeof m.cap);
	user_poke(p->space, p->memory, &m, sizeof m);
	p->arg[1] = p->memory;
	p->arg[2] = chance(50) ? SYS_TIME_POLL : (u64)SYS_TIME_INFINITE;
	p->arg[4] = 0;
	p->arg[5] = (u64)p->count << 32;
	return !waits_at(p, SENDS) && alone(p);
}

static bool choose_recv(struct program *p)
{
	p->number = NR_ipc_recv;
	p->arg[0] = pick(p, SYS_TYPE_ENDPOINT);
	for (unsigned n = 0; n < 8 && !waits_at(p, SENDS); n++)
		p->arg[0] = pick(p, SYS_TYPE_ENDPOINT);
	p->count = (u32)choose(SYS_MSG_CAPS + 1);
	p->arg[1] = p->memory;
	p->arg[2] = SYS_CAP_NULL;
	p->arg[3] = (u64)SYS_TIME_INFINITE;
	p->arg[5] = (u64)p->count << 48;
	return !waits_at(p, RECEIVES) && alone(p);
}

/* One of many copies; at last they are revoked, which takes several entries, and is met by others or given up. */
static bool choose_copies(struct program *p)
{
	p->arg[0] = p->source;
	p->number = --p->copies ? NR_cap_copy : NR_cap_revoke;
	p->arg[1] = pick(p, SYS_TYPE_CNODE);
	p->arg[2] = SYS_SLOT_ANY;
	p->arg[3] = SYS_RIGHTS_SAME;
	if (cap_named(p->home, p->source) == NONE)
		p->copies = 0;
	return caps_live() < CAPS - 10 && cap_named(p->home, p->source) != 0;
}

static bool choose_call(struct program *p)
{
	u64 dice = choose(100);

	if (p->copies)
		return choose_copies(p);
	if (chance(2)) {
		p->source = pick(p, SYS_TYPE_NONE);
		p->copies = 1 + (u32)choose(40);
	}
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
	p->waits = ACTS;
	p->copies = 0;
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

	host_preempt_every(chance(60) ? 1 : (unsigned)choose(5));
	if (p && user_in_call(p->t) && (deletes_too_early(p) || chance(20)))
		kill(p);                        /* what it revokes stays marked */
	else if (!p || chance(1))
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
	p->home = p == program + PROGRAMS - 1 ? p[-1].home : NONE;
	if (p->home == NONE) {
		struct cnode *home = cnode_new(account_root(), SLOTS);

		object_cap(&home->object);
		p->home = object_add(&home->object, SYS_TYPE_CNODE, SLOTS);
		object[p->home].base = 1;
	}
	must(space_create(account_root(), false, &p->space) == SYS_OK);
	object_cap((struct object *)p->space);
	p->memory = user_memory(p->space, 1);
	p->t = user_new(account_root(), cnode_at(p->home), p->space, 2);
	p->waits = ACTS;
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
