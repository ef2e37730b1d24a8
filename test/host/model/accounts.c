/* SPDX-License-Identifier: BSD-2-Clause */
/* accounts.c: random sequences on accounts, slabs and objects against an executable model.
 *
 * A thing is an object of some size with pages, parts (cells of its account) and at most one reference to an older
 * thing. Its reap gives all that back in steps and cuts those that hold it, as kernel objects do. What the kernel
 * should charge follows from the model alone: an account pays for its things' pages, and for each distinct frame that holds a
 * cell of it.
 *
 * Between settlements destruction is under way and only the walkers look, after every step; after a settlement
 * (everything reaped) the model knows all figures exactly.
 */
#include <string.h>
#include "mem/slab.h"
#include "model/engine.h"

#define ACCOUNTS 24
#define THINGS   200
#define PAGES    6
#define PARTS    3
#define PART     128

struct m_account {
	struct account *account;        /* NULL: the entry is free */
	struct m_account *parent;
	u64 total;
	unsigned caps;
	bool ended;
};
struct thing {
	struct object *object;          /* NULL: the entry is free */
	struct m_account *account;
	u32 size;
	unsigned caps;
	bool ended;                     /* for certain; an unnamed one may have ended too */
	/* what the object has (the kernel side's view: reap takes it away) */
	struct thing *holds;
	unsigned pages, parts;
	paddr_t page[PAGES];
	void *part[PARTS];
};
static struct m_account account[ACCOUNTS];
static struct thing thing[THINGS];
static u64 frames_at_start;

/* ---- the things' type -------------------------------------------------------------------------------------------- */
static const u32 type_size[] = { 64, 200, 300, 1000, 4096 };
static const enum sys_type type_name[] = {
	SYS_TYPE_REPLY, SYS_TYPE_ENDPOINT, SYS_TYPE_VMO, SYS_TYPE_PAGER, SYS_TYPE_THREAD,
};

static struct thing *thing_of(const struct object *o) { return &thing[o->extra]; }

/* A thing's memory is full of its number behind the header: nobody else has written there. */
static void fill_thing(struct object *o, u32 size) { memset(o + 1, (int)(o->extra % 251 + 1), size - sizeof *o); }
static void check_thing(const struct object *o, u32 size)
{
	const u8 *byte = (const u8 *)(o + 1);
	for (u32 i = 0; i < size - sizeof *o; i++)
		must(byte[i] == o->extra % 251 + 1);
}

static void drop_page(struct thing *t)
{
	struct account *a = t->object->account;
	frame_free(t->page[--t->pages]);
	account_uncharge(a, 1);
}

static void let_go(struct thing *t)
{
	struct object *held = t->holds->object;
	t->holds = NULL;
	object_unref(held);
}

static struct thing *holder_of(const struct thing *t)
{
	for (unsigned i = 0; i < THINGS; i++)
		if (thing[i].object && thing[i].holds == t)
			return &thing[i];
	return NULL;
}

static bool reap_thing(struct object *o)
{
	struct thing *t = thing_of(o);

	must(t->object == o);
	check_thing(o, t->size);
	if (t->holds)
		let_go(t);
	else if (holder_of(t))
		let_go(holder_of(t));
	else if (t->parts)
		slab_free(t->part[--t->parts], PART);
	else if (t->pages)
		drop_page(t);
	else
		return true;
	return false;
}

static struct object_type types[ARRAY_LEN(type_size)];

static void start(void)
{
	machine_start(2560);
	for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
		types[i] = (struct object_type){ .name = "thing", .size = type_size[i], .reap = reap_thing };
		object_type_set(type_name[i], &types[i]);
	}
	memset(account, 0, sizeof account);
	memset(thing, 0, sizeof thing);
	account[0] = (struct m_account){ .account = account_root(), .total = account_root()->total, .caps = 1 };
	frames_at_start = frame_count_free();
}

/* ---- what the model says ----------------------------------------------------------------------------------------- */
static bool account_lives(const struct m_account *a)
{
	for (; a; a = a->parent)
		if (a->ended)
			return false;
	return true;
}

static bool ended_for_certain(const struct thing *t) { return t->ended || !account_lives(t->account); }

/* Named by a capability, or by a thing that lives. References go to older things only, so this ends. */
static bool thing_lives(const struct thing *t)
{
	if (ended_for_certain(t))
		return false;
	if (t->caps)
		return true;
	for (unsigned i = 0; i < THINGS; i++)
		if (thing[i].object && thing[i].holds == t && thing_lives(&thing[i]))
			return true;
	return false;
}

/* After everything was reaped: what ended is still there while it is named, or (an account) something of it is. */
static bool account_stays(const struct m_account *a)
{
	if (!a->account)
		return false;
	if (account_lives(a) || a->caps)
		return true;
	for (unsigned i = 0; i < THINGS; i++)
		if (thing[i].object && thing[i].account == a && thing[i].caps)
			return true;
	for (unsigned i = 0; i < ACCOUNTS; i++)
		if (account[i].parent == a && account_stays(&account[i]))
			return true;
	return false;
}

/* Its frames are still promised to it. */
static bool account_holds_total(const struct m_account *a)
{
	if (account_lives(a))
		return true;
	for (unsigned i = 0; i < THINGS; i++)
		if (thing[i].object && thing[i].account == a && thing[i].caps)
			return true;
	for (unsigned i = 0; i < ACCOUNTS; i++)
		if (account[i].parent == a && account_stays(&account[i]))
			return true;
	return false;
}

/* ---- comparison after a settlement ------------------------------------------------------------------------------- */
struct cells { u64 frame[1024]; unsigned count; };

static void add_cell(struct cells *c, const void *cell)
{
	u64 frame = virt_to_phys(cell) >> PAGE_SHIFT;
	for (unsigned i = 0; i < c->count; i++)
		if (c->frame[i] == frame)
			return;
	must(c->count < ARRAY_LEN(c->frame));
	c->frame[c->count++] = frame;
}

static u64 compare_account(const struct m_account *a)
{
	struct cells cells = { .count = 0 };
	u64 pages = 0, promised = 0, objects = 0;

	for (unsigned i = 0; i < THINGS; i++) {
		const struct thing *t = &thing[i];
		if (!t->object || t->account != a)
			continue;
		add_cell(&cells, t->object);
		for (unsigned p = 0; p < t->parts; p++)
			add_cell(&cells, t->part[p]);
		pages += t->pages;
		objects += thing_lives(t);
	}
	for (unsigned i = 0; i < ACCOUNTS; i++) {
		const struct m_account *child = &account[i];
		if (!child->account || child->parent != a)
			continue;
		add_cell(&cells, child->account);
		promised += account_holds_total(child) ? child->total : 0;
		objects += account_lives(child);
	}
	must(a->account->used == pages + cells.count);
	must(a->account->promised == promised);
	must(a->account->objects == objects);
	must(a->account->total == (account_holds_total(a) ? a->total : 0));
	must(object_dying(&a->account->object) == !account_lives(a));
	must(a->account->object.caps == a->caps || a == account);
	return a->account->used;
}

static void compare_thing(const struct thing *t)
{
	bool lives = thing_lives(t);

	must(t->object->caps == t->caps && t->object->extra == (u32)(t - thing));
	must(t->object->flags == (lives ? 0 : OBJECT_DYING | OBJECT_REAPED));
	must(lives || (!t->pages && !t->parts && !t->holds && !t->object->refs));
	check_thing(t->object, t->size);
}

/* Destroys all that is to be destroyed; forgets what is gone; compares the rest to the frame. */
static void settle(void)
{
	u64 used = 0;

	while (!object_reap(NULL))
		;
	for (unsigned i = THINGS; i-- > 0;)                     /* dying things have let go of what they held */
		if (thing[i].object && !thing_lives(&thing[i]) && !thing[i].caps)
			thing[i].object = NULL;
	for (bool more = true; more;) {
		more = false;
		for (unsigned i = 1; i < ACCOUNTS; i++)
			if (account[i].account && !account_stays(&account[i])) {
				account[i] = (struct m_account){ 0 };
				more = true;
			}
	}
	for (unsigned i = 0; i < THINGS; i++)
		if (thing[i].object)
			compare_thing(&thing[i]);
	for (unsigned i = 0; i < ACCOUNTS; i++)
		if (account[i].account)
			used += compare_account(&account[i]);
	must(frames_at_start - frame_count_free() == used);
}

/* ---- operations -------------------------------------------------------------------------------------------------- */
static struct m_account *pick_account(void)
{
	struct m_account *a = &account[choose(ACCOUNTS)];
	return a->account && account_lives(a) && a->caps ? a : account;
}

/* One that is named: so it is there. */
static struct thing *pick_thing(bool alive)
{
	for (unsigned tries = 0; tries < 20; tries++) {
		struct thing *t = &thing[choose(THINGS)];
		if (t->object && t->caps && (!alive || thing_lives(t)))
			return t;
	}
	return NULL;
}

/* A refusal is right if the account is really short once all that dies in it is reaped. */
static void check_refusal(sys_status_t status, const struct m_account *a, u64 frames)
{
	must(status == SYS_ERR_NO_MEMORY);
	while (object_reap_step(a->account))
		;
	must(frames > account_free(a->account));
	settle();
}

static void do_create_account(void)
{
	struct m_account *parent = pick_account(), *a = account + 1;
	struct account *made;
	u64 frames = 1 + choose(chance(10) ? 4000 : 120);

	while (a < account + ACCOUNTS && a->account)
		a++;
	if (a == account + ACCOUNTS)
		return;
	sys_status_t status = account_create(parent->account, frames, &made);
	if (status != SYS_OK) {
		check_refusal(status, parent, frames + 1);      /* a slab for the object, perhaps */
		return;
	}
	object_cap(&made->object);
	*a = (struct m_account){ .account = made, .parent = parent, .total = frames, .caps = 1 };
}

/* To any size, also one that is refused. */
static void do_resize(void)
{
	struct m_account *a = pick_account(), *parent = chance(90) ? a->parent : pick_account();
	u64 frames = 1 + choose(chance(10) ? 4000 : 120), held = a->account->used + a->account->promised, total = a->total;

	if (!parent)
		return;
	sys_status_t status = account_resize(parent->account, a->account, frames);
	if (status == SYS_OK)
		a->total = frames;
	must(a->account->total == a->total);
	if (parent != a->parent)
		must(status == SYS_ERR_INVALID_ARGS);
	else if (frames < held)
		must(status == SYS_ERR_BAD_STATE);
	else if (status != SYS_OK)
		check_refusal(status, parent, frames - total);
}

static void do_create_thing(void)
{
	struct m_account *a = pick_account();
	unsigned kind = (unsigned)choose(ARRAY_LEN(type_size)), i = 0;
	sys_status_t status;

	while (i < THINGS && thing[i].object)
		i++;
	if (i == THINGS)
		return;
	struct object *o = object_create(a->account, type_name[kind], &status);
	if (!o) {
		check_refusal(status, a, 1);
		return;
	}
	if (chance(10)) {
		object_discard(o);
		return;
	}
	object_cap(o);
	o->extra = i;
	fill_thing(o, type_size[kind]);
	thing[i] = (struct thing){ .object = o, .account = a, .size = type_size[kind], .caps = 1 };
}

static void do_pages(void)
{
	struct thing *t = pick_thing(true);
	u64 more = choose(PAGES + 1);

	if (!t)
		return;
	if (more < t->pages) {
		while (t->pages > more)
			drop_page(t);
		return;
	}
	more -= t->pages;
	sys_status_t status = account_charge(t->account->account, more);
	if (status != SYS_OK) {
		check_refusal(status, t->account, more);
		return;
	}
	for (; more > 0; more--)
		t->page[t->pages++] = frame_alloc(FRAME_PAGE);
}

static void do_move_page(void)
{
	struct thing *from = pick_thing(true), *to = pick_thing(true);

	if (!from || !to || from == to || !from->pages || to->pages == PAGES)
		return;
	sys_status_t status = account_move_charge(from->account->account, to->account->account, 1);
	if (status == SYS_OK)
		to->page[to->pages++] = from->page[--from->pages];
	else
		check_refusal(status, to->account, 1);
}

static void do_part(void)
{
	struct thing *t = pick_thing(true);
	sys_status_t status;

	if (!t)
		return;
	if (t->parts && chance(40)) {
		slab_free(t->part[--t->parts], PART);
	} else if (t->parts < PARTS) {
		void *part = slab_alloc(t->account->account, PART, 0x80, &status);
		if (part)
			t->part[t->parts++] = part;
		else
			check_refusal(status, t->account, 1);
	}
}

static void do_hold(void)
{
	struct thing *t = pick_thing(true), *older = pick_thing(true);

	if (!t)
		return;
	if (t->holds) {
		let_go(t);
	} else if (older && older->object->koid < t->object->koid) {
		t->holds = older;
		object_ref(older->object);
	}
}

/* The last name of a reaped one takes it away at once; all others the model forgets at the next settlement. */
static void do_caps(void)
{
	struct thing *t = pick_thing(false);

	if (!t)
		return;
	if (thing_lives(t) && chance(30)) {
		object_cap(t->object);
		t->caps++;
		return;
	}
	bool gone = t->caps == 1 && t->object->flags & OBJECT_REAPED && !t->object->refs;
	t->caps--;
	object_uncap(t->object);
	if (gone)
		t->object = NULL;
}

static void do_end_thing(void)
{
	struct thing *t = pick_thing(true);

	if (!t)
		return;
	t->ended = true;
	object_end(t->object);
}

static void do_end_account(void)
{
	struct m_account *a = &account[1 + choose(ACCOUNTS - 1)];

	if (!a->account || !a->caps)
		return;
	if (account_lives(a) && chance(30)) {
		a->ended = true;
		object_end(&a->account->object);
		return;
	}
	a->ended = true;
	a->caps--;
	object_uncap(&a->account->object);
}

static void do_reap(void)
{
	struct account *a = chance(50) ? NULL : pick_account()->account;

	for (u64 n = choose(20); n > 0 && object_reap_step(a); n--)
		account_check_all();
}

/* Revoke, as the capability layer does it: names go first, then the account is swept; it stays. */
static bool below(const struct m_account *a, const struct m_account *top)
{
	for (; a; a = a->parent)
		if (a == top)
			return true;
	return false;
}

static void do_revoke(void)
{
	struct m_account *top = pick_account();

	settle();
	top->account->closed = true;
	for (unsigned i = 0; i < THINGS; i++)
		if (thing[i].object && below(thing[i].account, top)) {
			struct thing *t = &thing[i];
			object_ref(t->object);                  /* lest it go with its last name, under this loop */
			for (t->ended = true; t->caps > 0; t->caps--)
				object_uncap(t->object);
			object_end(t->object);
			object_unref(t->object);
		}
	for (unsigned i = 1; i < ACCOUNTS; i++)
		if (account[i].account && account[i].parent && below(account[i].parent, top)) {
			struct m_account *a = &account[i];
			for (a->ended = true; a->caps > 0; a->caps--)
				object_uncap(&a->account->object);
		}
	while (!account_sweep_step(top->account))
		account_check_all();
	must(top->account->used == 0 && top->account->promised == 0 && top->account->objects == 0);
	top->account->closed = false;
	settle();
}

/* What an allocation that fails leaves behind: nothing. */
struct figures { u64 used, promised, peak, objects, free; };
static struct figures figures_of(const struct account *a)
{
	return (struct figures){ a->used, a->promised, a->peak, a->objects, frame_count_free() };
}

/* Nothing to grow: then the charge fails instead. */
static sys_status_t fail_resize(const struct m_account *a)
{
	if (!a->parent)
		return account_charge(a->account, 1);
	return account_resize(a->parent->account, a->account, a->total + 1);
}

static void do_failures(void)
{
	struct m_account *a = pick_account();
	struct account *account_made;
	sys_status_t status;

	settle();
	struct figures before = figures_of(a->account), after;
	for (unsigned call = 0; call < 5; call++) {
		failure_arm(1);
		switch (call) {
		case 0: status = account_charge(a->account, 1); break;
		case 1: status = account_create(a->account, 1, &account_made); break;
		case 2: status = fail_resize(a); break;
		case 3: must(!slab_alloc(a->account, PART, 0x80, &status)); break;
		default: must(!object_create(a->account, SYS_TYPE_VMO, &status)); break;
		}
		must(allocation_failed());
		must(status == SYS_ERR_NO_MEMORY);
		after = figures_of(a->account);
		must(memcmp(&before, &after, sizeof before) == 0);
	}
	settle();
}

static void step(void)
{
	u64 n = choose(1000);

	if (n < 50) do_create_account();
	else if (n < 80) do_resize();
	else if (n < 350) do_create_thing();
	else if (n < 500) do_pages();
	else if (n < 550) do_move_page();
	else if (n < 650) do_part();
	else if (n < 750) do_hold();
	else if (n < 870) do_caps();
	else if (n < 910) do_end_thing();
	else if (n < 935) do_end_account();
	else if (n < 975) do_reap();
	else if (n < 990) settle();
	else if (n < 996) do_failures();
	else do_revoke();
}

/* Every name goes, of accounts, then of things. */
static void end_everything(void)
{
	for (unsigned i = 1; i < ACCOUNTS; i++)
		for (; account[i].account && account[i].caps; account[i].caps--) {
			account[i].ended = true;
			object_uncap(&account[i].account->object);
		}
	settle();
	for (unsigned i = 0; i < THINGS; i++)
		if (thing[i].object) {
			struct thing *t = &thing[i];
			object_ref(t->object);
			for (; t->caps > 0; t->caps--)
				object_uncap(t->object);
			object_unref(t->object);
			t->ended = true;
		}
	settle();
	must(frame_count_free() == frames_at_start);
	must(account_root()->used == 0 && account_root()->promised == 0 && account_root()->objects == 0);
}

static void walkers(void)
{
	frame_check();
	account_check_all();
}

const struct model model = { "accounts", 10000, start, step, walkers, end_everything };
