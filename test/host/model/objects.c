/* SPDX-License-Identifier: BSD-2-Clause */
/* objects.c: a program makes objects of all types in nested accounts, through the dispatcher, and lets them end in every
 * way: its capability goes, its account is revoked (in steps, its revoker killed in the middle) or deleted, what it
 * needs ends. Accounts are resized, contents grow, shrink and are copied, objects are mapped.
 *
 * The model says which objects there must be, and what each account pays to the frame: for each distinct frame in which a
 * cell of it lies (an object, an account of its own, a mapping), and for what objects have beyond that. accounts.c looks
 * at the layer below this one, while destruction is under way; here everything is destroyed when it is compared. */
#include <string.h>
#include "common/user.h"
#include "model/engine.h"
#include "syscall/check.h"
#include "vm/space.h"

#define ACCOUNTS 12
#define THINGS   100
#define MAPPINGS 40
#define PLACES   16                     /* in each space, of PAGES pages, apart from each other */
#define PAGES    8u                     /* of a memory object: its content has no nodes */
#define NONE     -1

struct m_account { struct account *a; sys_cap_t name; int parent; u64 total; };
struct m_thing {
	struct object *object;          /* NULL: the entry is free */
	enum sys_type type;
	int account, space;             /* space: a thread's */
	sys_cap_t name;                 /* 0: it lives because something needs it */
	u64 slots;                      /* a CNode's */
	u32 content;                    /* a memory object's pages, as bits */
	int endpoint;                   /* a pager's */
	bool over;                      /* a thread that has exited, a pager that is dead */
};
struct m_mapping { bool live; int space, vmo, place; void *cell; };

static struct m_account account[ACCOUNTS];      /* 0: the one that never ends */
static struct m_thing thing[THINGS];
static struct m_mapping mapping[MAPPINGS];
static struct cnode *cs;
static struct space *own;
static sys_cap_t cs_cap;
static u64 frames;                      /* that are free when nothing is there */

/* ---- what there must be ------------------------------------------------------------------------------------------ */

static bool needed(int i)
{
	for (int t = 0; t < THINGS; t++)
		if (thing[t].object && thing[t].type == SYS_TYPE_THREAD && !thing[t].over && thing[t].space == i)
			return true;
	for (int m = 0; m < MAPPINGS; m++)
		if (mapping[m].live && mapping[m].vmo == i)
			return true;
	return false;
}

static void lose_thing(int i)
{
	thing[i].object = NULL;
	for (int m = 0; m < MAPPINGS; m++)
		if (mapping[m].vmo == i || mapping[m].space == i)
			mapping[m].live = false;
	for (int t = 0; t < THINGS; t++)
		thing[t].over |= thing[t].type == SYS_TYPE_THREAD ? thing[t].space == i
		                                                  : thing[t].type == SYS_TYPE_PAGER && thing[t].endpoint == i;
}

/* What nobody names and nothing needs is gone, and with it what it needed. */
static void settle_model(void)
{
	for (bool again = true; again;) {
		again = false;
		for (int i = 0; i < THINGS; i++)
			if (thing[i].object && !thing[i].name && !needed(i)) {
				lose_thing(i);
				again = true;
			}
	}
}

/* All that an account has paid for ends, and accounts in it. */
static void end_content(int a)
{
	for (int i = 1; i < ACCOUNTS; i++)
		if (account[i].a && account[i].parent == a) {
			end_content(i);
			account[i].a = NULL;
		}
	for (int i = 0; i < THINGS; i++)
		if (thing[i].object && thing[i].account == a)
			lose_thing(i);
	settle_model();
}

/* ---- what it must cost ------------------------------------------------------------------------------------------- */

struct cells { u64 frame[THINGS + MAPPINGS + ACCOUNTS]; unsigned count; };

static void add_cell(struct cells *c, const void *cell)
{
	u64 frame = virt_to_phys(cell) >> PAGE_SHIFT;

	for (unsigned i = 0; i < c->count; i++)
		if (c->frame[i] == frame)
			return;
	c->frame[c->count++] = frame;
}

static u64 cnode_frames(u64 slots)
{
	u64 leaves = (slots + SLOTS_PER_FRAME - 1) / SLOTS_PER_FRAME;

	return leaves == 1 ? 1 : 1 + leaves;
}

/* What it has beyond its own cell. */
static u64 beyond(const struct m_thing *t)
{
	switch (t->type) {
	case SYS_TYPE_CNODE: return cnode_frames(t->slots);
	case SYS_TYPE_VMAR:  return 1 + SPACE_RESERVE;
	case SYS_TYPE_VMO:   return (u64)__builtin_popcount(t->content);
	default:             return 0;
	}
}

/* It has ended, but is still named; so it does not count among the objects that live. */
static bool dead(const struct m_thing *t) { return t->type == SYS_TYPE_PAGER && t->over; }

static void compare_thing(const struct m_thing *t)
{
	must(object_dying(t->object) == dead(t));
	must(t->object->type == t->type && t->object->account == account[t->account].a);
	must(t->object->caps == (t->name ? 1 : 0));
	if (t->name)
		must(cnode_lookup(cs, t->name)->object == t->object);
	if (t->type == SYS_TYPE_THREAD)
		must(((struct thread *)t->object)->state == (t->over ? SYS_THREAD_EXITED : SYS_THREAD_NEW));
}

/* Returns what is used by it. */
static u64 compare_account(int i)
{
	const struct account *a = account[i].a;
	struct cells cells = { .count = 0 };
	u64 more = 0, promised = 0, objects = 0;

	for (int t = 0; t < THINGS; t++)
		if (thing[t].object && thing[t].account == i) {
			add_cell(&cells, thing[t].object);
			more += beyond(&thing[t]);
			objects += !dead(&thing[t]);
		}
	for (int m = 0; m < MAPPINGS; m++)
		if (mapping[m].live && thing[mapping[m].space].account == i)
			add_cell(&cells, mapping[m].cell);
	for (int c = 1; c < ACCOUNTS; c++)
		if (account[c].a && account[c].parent == i) {
			add_cell(&cells, account[c].a);
			promised += account[c].total;
			objects++;
		}
	must(a->used == cells.count + more && a->promised == promised && a->objects == objects);
	must(a->total == account[i].total && a->peak >= a->used && !a->closed);
	return a->used;
}

static void compare_all(void)
{
	u64 used = 0;
	u32 names = 0;

	kernel_reap();
	for (int t = 0; t < THINGS; t++)
		if (thing[t].object) {
			compare_thing(&thing[t]);
			names += thing[t].name != 0;
		}
	for (int i = 0; i < ACCOUNTS; i++)
		if (account[i].a) {
			used += compare_account(i);
			names++;
		}
	for (u32 s = 1; s < cs->slots; s++)
		names -= cnode_slot(cs, s)->object != NULL;
	must(names == (u32)-1);                                 /* the CSpace's own */
	must(frames - frame_count_free() <= used);
}

/* ---- picking, making --------------------------------------------------------------------------------------------- */

static u64 result(void) { return user->context.regs.rdx; }

static int pick_account(void)
{
	int i = (int)choose(ACCOUNTS);

	return account[i].a ? i : 0;
}

/* A thing of this type that is named, or NONE. */
static int pick(enum sys_type type)
{
	int i = (int)choose(THINGS);

	for (int n = 0; n < THINGS; n++, i = (i + 1) % THINGS)
		if (thing[i].object && thing[i].name && (!type || thing[i].type == type))
			return i;
	return NONE;
}

static sys_cap_t name_of(int i) { return i == NONE ? SYS_CAP_NULL : thing[i].name; }

/* So many frames the account has at least if it did not say NO_MEMORY, and less than that with a fresh slab if it did. */
static void check_room(sys_status_t status, u64 least, u64 most, u64 free)
{
	must(status == SYS_OK || status == SYS_ERR_NO_MEMORY);
	if (status == SYS_OK)
		must(free >= least);
	else
		must(free < most);
}

static void op_create(void)
{
	static const enum sys_type types[] = {
		SYS_TYPE_ENDPOINT, SYS_TYPE_NOTIFICATION, SYS_TYPE_REPLY, SYS_TYPE_CNODE, SYS_TYPE_THREAD, SYS_TYPE_VMO,
		SYS_TYPE_VMO, SYS_TYPE_VMAR, SYS_TYPE_PAGER,
	};
	struct m_thing made = { .type = types[choose(ARRAY_LEN(types))], .account = pick_account(), .space = NONE };
	sys_cap_t ut = account[made.account].name;
	u64 free = account_free(account[made.account].a), more;
	sys_status_t status = SYS_OK;
	int i = 0;

	while (i < THINGS && thing[i].object)
		i++;
	if (i == THINGS)
		return;
	switch (made.type) {
	case SYS_TYPE_ENDPOINT:     status = user_call(NR_endpoint_create, ut); break;
	case SYS_TYPE_NOTIFICATION: status = user_call(NR_notification_create, ut); break;
	case SYS_TYPE_REPLY:        status = user_call(NR_reply_create, ut); break;
	case SYS_TYPE_CNODE:
		made.slots = 16u << choose(6);
		status = user_call(NR_cnode_create, ut, made.slots);
		break;
	case SYS_TYPE_VMO:
		status = user_call(NR_vmo_create, ut, PAGES * PAGE_SIZE_, 0);
		break;
	case SYS_TYPE_VMAR:
		status = user_call(NR_vspace_create, ut, SYS_CAP_NULL, 0);
		break;
	case SYS_TYPE_THREAD:
		made.space = pick(SYS_TYPE_VMAR);
		if (made.space == NONE)
			return;
		status = user_call(NR_thread_create, ut, cs_cap, name_of(made.space), SYS_CAP_NULL);
		break;
	default:
		made.endpoint = pick(SYS_TYPE_ENDPOINT);
		if (made.endpoint == NONE)
			return;
		status = user_call(NR_pager_create, ut, name_of(made.endpoint), 1);
		break;
	}
	more = beyond(&made);
	check_room(status, more, more + 1, free);
	if (status != SYS_OK)
		return;
	made.name = result();
	made.object = cnode_lookup(cs, made.name)->object;
	thing[i] = made;
}

static void op_create_account(void)
{
	int parent = pick_account(), i = 1;
	u64 total = 1 + choose(chance(20) ? 900 : 120), free = account_free(account[parent].a);
	sys_status_t status;

	while (i < ACCOUNTS && account[i].a)
		i++;
	if (i == ACCOUNTS)
		return;
	status = user_call(NR_untyped_create, account[parent].name, total * PAGE_SIZE_);
	check_room(status, total, total + 1, free);
	if (status != SYS_OK)
		return;
	account[i] = (struct m_account){ .name = result(), .parent = parent, .total = total };
	account[i].a = (struct account *)cnode_lookup(cs, account[i].name)->object;
}

static void op_resize(void)
{
	int parent = pick_account(), child = pick_account();
	struct m_account *c = &account[child];
	u64 total = 1 + choose(150), held = c->a->used + c->a->promised, free = account_free(account[parent].a);
	sys_status_t expected = SYS_OK, status;

	if (c->parent != parent)
		expected = SYS_ERR_INVALID_ARGS;
	else if (total < held)
		expected = SYS_ERR_BAD_STATE;
	else if (total > c->total && total - c->total > free)
		expected = SYS_ERR_NO_MEMORY;
	status = user_call(NR_untyped_resize, account[parent].name, c->name, total * PAGE_SIZE_);
	must(status == expected);
	if (status == SYS_OK)
		c->total = total;
}

/* ---- contents ---------------------------------------------------------------------------------------------------- */

static void op_commit(void)
{
	int i = pick(SYS_TYPE_VMO);
	u32 page = (u32)choose(PAGES);
	u64 more, free;

	if (i == NONE)
		return;
	more = !(thing[i].content >> page & 1);
	free = account_free(account[thing[i].account].a);
	sys_status_t status = user_call(NR_vmo_op_range, thing[i].name, SYS_VMO_OP_COMMIT, page * PAGE_SIZE_, PAGE_SIZE_);
	check_room(status, more, more, free);
	if (status == SYS_OK)
		thing[i].content |= 1u << page;
}

static void op_decommit(void)
{
	int i = pick(SYS_TYPE_VMO);
	u32 page = (u32)choose(PAGES), pages = 1 + (u32)choose(PAGES - page);

	if (i == NONE)
		return;
	must(user_call(NR_vmo_op_range, thing[i].name, SYS_VMO_OP_DECOMMIT, page * PAGE_SIZE_, pages * PAGE_SIZE_) == SYS_OK);
	thing[i].content &= ~(((1u << pages) - 1) << page);
}

static void op_snapshot(void)
{
	int of = pick(SYS_TYPE_VMO), i = 0, payer = pick_account();
	u64 free = account_free(account[payer].a), more;
	sys_status_t status;

	while (i < THINGS && thing[i].object)
		i++;
	if (of == NONE || i == THINGS)
		return;
	more = beyond(&thing[of]);
	status = user_call(NR_vmo_create_child, thing[of].name, account[payer].name, SYS_VMO_CHILD_SNAPSHOT, 0, PAGES * PAGE_SIZE_);
	check_room(status, more, more + 1, free);
	if (status != SYS_OK)
		return;
	thing[i] = (struct m_thing){ .type = SYS_TYPE_VMO, .account = payer, .space = NONE, .name = result(),
	                             .content = thing[of].content };
	thing[i].object = cnode_lookup(cs, thing[i].name)->object;
}

static vaddr_t place_at(int space, int place)
{
	return vmar_of(thing[space].object)->region.base + (1 + (u64)place * 2) * PAGES * PAGE_SIZE_;
}

static struct m_mapping *mapping_at(int space, int place)
{
	for (int m = 0; m < MAPPINGS; m++)
		if (mapping[m].live && mapping[m].space == space && mapping[m].place == place)
			return &mapping[m];
	return NULL;
}

static void op_map(void)
{
	int space = pick(SYS_TYPE_VMAR), vmo = pick(SYS_TYPE_VMO), place = (int)choose(PLACES), m = 0;
	struct vmar *region;
	sys_status_t status;
	u64 free;

	while (m < MAPPINGS && mapping[m].live)
		m++;
	if (space == NONE || vmo == NONE || m == MAPPINGS)
		return;
	region = vmar_of(thing[space].object);
	free = account_free(account[thing[space].account].a);
	status = user_call(NR_vmar_map, thing[space].name, SYS_VM_PERM_READ | SYS_VM_SPECIFIC,
	                   place_at(space, place) - region->region.base, thing[vmo].name, 0, PAGES * PAGE_SIZE_);
	if (mapping_at(space, place) && status == SYS_ERR_ALREADY_EXISTS)
		return;
	must(status == SYS_ERR_NO_MEMORY || !mapping_at(space, place));
	check_room(status, 0, 1, free);
	if (status == SYS_OK)
		mapping[m] = (struct m_mapping){ true, space, vmo, place, vmar_find(region, place_at(space, place)) };
}

static void op_unmap(void)
{
	int space = pick(SYS_TYPE_VMAR), place = (int)choose(PLACES);
	struct m_mapping *m;

	if (space == NONE)
		return;
	must(user_call(NR_vmar_unmap, thing[space].name, place_at(space, place), PAGES * PAGE_SIZE_) == SYS_OK);
	m = mapping_at(space, place);
	if (m)
		m->live = false;
	settle_model();
}

/* ---- ends -------------------------------------------------------------------------------------------------------- */

static void op_delete(void)
{
	int i = pick(SYS_TYPE_NONE);

	if (i == NONE)
		return;
	must(user_call(NR_cap_delete, thing[i].name) == SYS_OK);
	thing[i].name = 0;
	if (thing[i].type == SYS_TYPE_THREAD)
		thing[i].over = true;
	settle_model();
}

static void new_program(void)
{
	user_new(account_root(), cs, own, 1);
	user_begin();
}

/* The one that revokes is killed, another finds the account closed, or open and with something left in it, and goes on. */
static void kill_revoker(int a)
{
	struct thread *t = user;
	sys_status_t status;

	thread_exit(t, 0);
	user_new(account_root(), cs, own, 1);
	user_interrupt();
	object_uncap(&t->object);
	status = user_call(NR_notification_create, account[a].name);
	must(status == SYS_ERR_BAD_STATE || !account[a].a->closed);
	if (status == SYS_OK)
		must(user_call(NR_cap_delete, result()) == SYS_OK);
}

/* In steps, the walkers in between; again, if its program was killed. */
static void op_revoke(void)
{
	int a = pick_account();
	u64 patience = choose(30);

	host_preempt_every(1);
	user_enter(NR_cap_revoke, account[a].name);
	while (user_in_call(user)) {
		if (patience-- == 0) {
			kill_revoker(a);
			user_enter(NR_cap_revoke, account[a].name);
		} else {
			user_again();
		}
		account_check_all();
	}
	must(user_status(user) == SYS_OK);
	end_content(a);
}

static void op_delete_account(void)
{
	int a = pick_account();

	if (a == 0)
		return;
	must(user_call(NR_cap_delete, account[a].name) == SYS_OK);
	end_content(a);
	account[a].a = NULL;
}

/* What a program is told of an account. */
static void op_info(void)
{
	int a = pick_account();
	const struct account *of = account[a].a;
	const struct regs *r;

	must(user_call(NR_untyped_info, account[a].name) == SYS_OK);
	r = &user->context.regs;
	must(r->rdx == of->total * PAGE_SIZE_ && r->r8 == of->used * PAGE_SIZE_ && r->r9 == of->promised * PAGE_SIZE_);
	must(r->r10 == of->peak * PAGE_SIZE_);
}

static void step(void)
{
	u64 dice = choose(1000);

	host_preempt_every((unsigned)choose(4));
	if (dice < 330)
		op_create();
	else if (dice < 400)
		op_create_account();
	else if (dice < 460)
		op_resize();
	else if (dice < 580)
		op_commit();
	else if (dice < 630)
		op_decommit();
	else if (dice < 680)
		op_snapshot();
	else if (dice < 760)
		op_map();
	else if (dice < 800)
		op_unmap();
	else if (dice < 950)
		op_delete();
	else if (dice < 960)
		op_revoke();
	else if (dice < 980)
		op_delete_account();
	else
		op_info();
	compare_all();
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static void start(void)
{
	struct slot *top;

	memset(account, 0, sizeof account);
	memset(thing, 0, sizeof thing);
	memset(mapping, 0, sizeof mapping);
	user_boot(2600);
	cs = cnode_new(account_root(), 256);
	object_cap(&cs->object);
	must(space_create(account_root(), false, &own) == SYS_OK);
	object_cap((struct object *)own);
	account[0] = (struct m_account){ .a = account_new(account_root(), 1500), .parent = NONE, .total = 1500 };
	top = cap_put(cs, account[0].a, NULL, SLOT_FIRST);
	account[0].name = slot_cap(top);
	cs_cap = slot_cap(cap_put(cs, cs, NULL, SLOT_FIRST));
	frames = frame_count_free() - 1;                        /* the program's */
	new_program();
}

static void finish(void)
{
	host_preempt_every(0);
	must(user_call(NR_cap_revoke, account[0].name) == SYS_OK);
	end_content(0);
	compare_all();
	must(account[0].a->used == 0 && frame_count_free() == frames);
}

const struct model model = { "objects", 5000, start, step, check_all, finish };
