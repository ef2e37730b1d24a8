/* SPDX-License-Identifier: BSD-2-Clause */
/* watches.c: watches of all events through capabilities that are copied, moved, deleted and revoked, on objects whose
 * conditions come and go, with notifications, CNodes and payers that end.
 *
 * Each watch of the model has a bit that no other has, so what a notification holds says who has told. A watch is `due`
 * from the moment that its condition comes true until it has told. Telling goes in steps, with operations in between: a
 * due watch may tell at any time, must tell before it ends (unless its notification has ended), and nobody who is not
 * due tells. One exception, which kernel/mem/low.c explains: an account whose free frames fall while it still has
 * something to tell may tell others of its LOW watches too (`may`).
 */
#include <string.h>
#include "model/engine.h"
#include "vm/source.h"

#define OBJECTS ARRAY_LEN(kind_of)
#define COPIES  4
#define NTFNS   5
#define HOMES   3                       /* CNodes; the first one's account, the root, does not end */
#define WATCHES 64
#define CHILDREN 3
#define ROOM    40                      /* frames of a watched account, at first */

enum kind { VMO, ROOT, THREAD, ENDPOINT, ACCOUNT };
static const enum kind kind_of[] = {
	VMO, VMO, VMO, ROOT, ROOT, ROOT, THREAD, THREAD, THREAD, ENDPOINT, ENDPOINT, ENDPOINT, ACCOUNT, ACCOUNT,
};
static const enum sys_type type_of[] = {
	SYS_TYPE_VMO, SYS_TYPE_VMO, SYS_TYPE_THREAD, SYS_TYPE_ENDPOINT, SYS_TYPE_UNTYPED,
};

struct m_object {
	enum kind kind;
	struct object *object;
	struct slot *top;               /* its first capability, never watched; NULL: an endpoint's that was deleted */
	struct slot *copy[COPIES];      /* derived from it; NULL: none */
	int home[COPIES];               /* the CNode */
	struct object *child[CHILDREN]; /* of a VMO, or of an account */
	struct pager *pager;
	u64 charged;
	bool past;                      /* it has exited, is abandoned, or detached */
	bool busy;                      /* an account: perhaps it has something to tell still */
	u64 free;                       /* an account: its free frames after the last change */
};
struct m_watch {
	bool live, due, may;
	int object, copy, ntfn, payer;
	enum sys_event event;
	u64 threshold;
};

static struct m_object object[OBJECTS];
static struct m_watch watch[WATCHES];
static struct { struct notification *n; u64 bits; } ntfn[NTFNS];
static struct { struct account *payer; struct cnode *node; struct slot *account_name, *node_name; } home[HOMES];
static struct space *space;
static int focus;

static struct account *account_of(const struct m_object *o) { return container_of(o->object, struct account, object); }
static u64 bit(const struct m_watch *w) { return 1ull << (w - watch); }
static bool once(enum sys_event e) { return e != SYS_EVENT_ZERO_CHILDREN && e != SYS_EVENT_LOW; }

#define each_watch(w) for (struct m_watch *w = watch; w < watch + WATCHES; w++) if (!w->live) continue; else

/* ---- who has told ------------------------------------------------------------------------------------------------- */

static void told(struct m_watch *w)
{
	ntfn[w->ntfn].bits |= bit(w);
	w->due = false;
	if (once(w->event))
		w->live = false;
}

/* Those that may have told have, if their bits are there now. Where a bit was there before, that cannot be seen. */
static void compare(void)
{
	each_watch(w) {
		if (w->due && ntfn[w->ntfn].bits & bit(w)) {
			w->due = false;
			w->may = true;
		} else if ((w->due || w->may) && ntfn[w->ntfn].n->bits & bit(w)) {
			told(w);
		}
	}
	for (int i = 0; i < NTFNS; i++)
		must(ntfn[i].n->bits == ntfn[i].bits);
}

static void tell_all(void)
{
	while (watch_tell_step())
		;
	compare();
	each_watch(w) {
		must(!w->due);
		w->may = false;
	}
	for (unsigned i = 0; i < OBJECTS; i++)
		object[i].busy = false;
}

static void fire(const struct m_object *o, enum sys_event event)
{
	each_watch(w)
		if (&object[w->object] == o && w->event == event)
			w->due = true;
}

/* The kernel has ended it: what it was to tell, it has told. */
static void end_watch(struct m_watch *w)
{
	if (w->due || (w->may && ntfn[w->ntfn].n->bits & bit(w)))
		told(w);
	w->live = false;
}

static void end_watches_of(int o, int copy)
{
	each_watch(w)
		if (w->object == o && w->copy == copy)
			end_watch(w);
}

static struct m_watch *find(int o, int copy, enum sys_event event)
{
	each_watch(w)
		if (w->object == o && w->copy == copy && w->event == event)
			return w;
	return NULL;
}

/* One whose bit is nowhere. */
static struct m_watch *free_watch(void)
{
	u64 taken = 0;

	for (int i = 0; i < NTFNS; i++)
		taken |= ntfn[i].bits;
	for (struct m_watch *w = watch; w < watch + WATCHES; w++)
		if (!w->live && !(taken & bit(w)))
			return w;
	return NULL;
}

/* The account's free frames have changed once. */
static void free_changed(struct m_object *o)
{
	u64 before = o->free, free = account_free(account_of(o));
	bool was_busy = o->busy;

	o->free = free;
	each_watch(w)
		if (&object[w->object] == o && free < w->threshold && w->threshold <= before)
			w->due = o->busy = true;
	each_watch(w)
		if (&object[w->object] == o && was_busy && free < before)
			w->may = true;
}

/* ---- making and ending things -------------------------------------------------------------------------------------- */

static void reap(void)
{
	while (object_reap_step(NULL))
		;
}

static void make(struct m_object *o)
{
	struct vmo *v;
	struct thread *t;

	switch (o->kind) {
	case VMO:
		must(vmo_create(account_root(), PAGE_SIZE_, 0, &v) == SYS_OK);
		o->object = &v->object;
		break;
	case ROOT:
		must(pager_create(account_root(), 0, &o->pager) == SYS_OK);
		object_cap(&o->pager->object);
		must(pager_create_vmo(o->pager, account_root(), 0, 1, PAGE_SIZE_, &v) == SYS_OK);
		o->object = &v->object;
		break;
	case THREAD:
		must(thread_create(account_root(), space, 1, &t) == SYS_OK);
		o->object = &t->object;
		break;
	case ENDPOINT:
		o->object = object_new(account_root(), SYS_TYPE_ENDPOINT);
		break;
	case ACCOUNT:
		o->object = &account_new(account_root(), ROOM)->object;
		o->free = ROOM;
		break;
	}
	o->top = cap_put(home[0].node, o->object, home[0].account_name, SLOT_FIRST);
}

/* The last of an endpoint's capabilities to receive is gone? */
static void look_at_receivers(struct m_object *o)
{
	if (o->kind != ENDPOINT || o->past || o->top)
		return;
	for (int c = 0; c < COPIES; c++)
		if (o->copy[c] && o->copy[c]->rights & SYS_RIGHT_RECV)
			return;
	o->past = true;
	fire(o, SYS_EVENT_ABANDONED);
}

static void end_child(struct m_object *o, int i)
{
	bool last = true;

	object_uncap(o->child[i]);
	o->child[i] = NULL;
	for (int j = 0; j < CHILDREN; j++)
		last &= !o->child[j];
	if (o->kind == ACCOUNT) {
		reap();                         /* which gives its frames back */
		free_changed(o);
	} else if (last) {
		fire(o, SYS_EVENT_ZERO_CHILDREN);
	}
}

/* The kernel has deleted it. */
static void copy_gone(int index, int c)
{
	object[index].copy[c] = NULL;
	end_watches_of(index, c);
	look_at_receivers(&object[index]);
}

/* It ends, and another one takes its place. */
static void renew(int index)
{
	struct m_object *o = &object[index];

	for (int i = 0; i < CHILDREN; i++)
		if (o->child[i])
			end_child(o, i);
	for (int c = 0; c < COPIES; c++)
		if (o->copy[c]) {
			must(delete_all(o->copy[c]) == SYS_OK);
			copy_gone(index, c);
		}
	if (o->charged)
		account_uncharge(account_of(o), o->charged);
	if (o->top)
		must(delete_all(o->top) == SYS_OK);
	if (o->pager && !o->past)
		object_uncap(&o->pager->object);
	reap();
	*o = (struct m_object){ .kind = o->kind };
	make(o);
}

static void renew_if_unnamed(int index)
{
	for (int c = 0; c < COPIES; c++)
		if (object[index].copy[c])
			return;
	if (!object[index].top)
		renew(index);
}

/* They went in some order: an endpoint that was abandoned on the way may have told watches that went later. */
static void copies_at_home_gone(int h)
{
	each_watch(w)
		if (object[w->object].home[w->copy] == h) {
			w->may |= w->event == SYS_EVENT_ABANDONED;
			end_watch(w);
		}
	for (unsigned i = 0; i < OBJECTS; i++)
		for (int c = 0; c < COPIES; c++)
			if (object[i].copy[c] && object[i].home[c] == h)
				copy_gone((int)i, c);
	for (unsigned i = 0; i < OBJECTS; i++)
		renew_if_unnamed((int)i);
}

static void make_node(int h)
{
	home[h].node = cnode_new(home[h].payer, 128);
	home[h].node_name = cap_put(home[0].node, home[h].node, home[h].account_name, SLOT_FIRST);
}

static void start(void)
{
	kernel_start(4096);
	focus = 0;
	memset(object, 0, sizeof object);
	memset(watch, 0, sizeof watch);
	memset(ntfn, 0, sizeof ntfn);
	memset(home, 0, sizeof home);
	must(space_create(account_root(), false, &space) == SYS_OK);
	object_cap((struct object *)space);
	home[0].payer = account_root();
	home[0].node = cnode_new(account_root(), 256);
	object_cap(&home[0].node->object);
	home[0].account_name = cap_put(home[0].node, account_root(), NULL, SLOT_FIRST);
	for (int h = 1; h < HOMES; h++) {
		home[h].payer = account_new(account_root(), 64);
		home[h].account_name = cap_put(home[0].node, home[h].payer, home[0].account_name, SLOT_FIRST);
		make_node(h);
	}
	for (int i = 0; i < NTFNS; i++) {
		ntfn[i].n = object_new(account_root(), SYS_TYPE_NOTIFICATION);
		object_cap(&ntfn[i].n->object);
	}
	for (unsigned i = 0; i < OBJECTS; i++) {
		object[i].kind = kind_of[i];
		make(&object[i]);
	}
}

/* ---- setting ------------------------------------------------------------------------------------------------------- */

static bool has_event(const struct m_object *o, u64 event)
{
	switch (event) {
	case SYS_EVENT_ZERO_CHILDREN: return o->kind == VMO || o->kind == ROOT;
	case SYS_EVENT_EXITED:        return o->kind == THREAD;
	case SYS_EVENT_ABANDONED:     return o->kind == ENDPOINT;
	case SYS_EVENT_DETACHED:      return o->kind == ROOT;
	default:                      return o->kind == ACCOUNT;
	}
}

static bool holds(const struct m_object *o, enum sys_event event, u64 threshold)
{
	bool any = false;

	for (int i = 0; i < CHILDREN; i++)
		any |= o->child[i] != NULL;
	switch (event) {
	case SYS_EVENT_ZERO_CHILDREN: return !any;
	case SYS_EVENT_LOW:           return o->free < threshold;
	default:                      return o->past;
	}
}

/* What it is refused for, before memory. */
static sys_status_t refusal(const struct m_object *o, u64 event, u64 bytes, bool somebody, u64 bits)
{
	if (event < SYS_EVENT_ZERO_CHILDREN || event > SYS_EVENT_LOW)
		return SYS_ERR_INVALID_ARGS;
	if (!has_event(o, event))
		return SYS_ERR_WRONG_TYPE;
	if ((event != SYS_EVENT_LOW && bytes) || (bits && !somebody))
		return SYS_ERR_INVALID_ARGS;
	return SYS_OK;
}

static u64 any_event(const struct m_object *o)
{
	static const enum sys_event of[] = {
		SYS_EVENT_ZERO_CHILDREN, SYS_EVENT_DETACHED, SYS_EVENT_EXITED, SYS_EVENT_ABANDONED, SYS_EVENT_LOW,
	};

	if (chance(5))
		return choose(7);
	return o->kind == ROOT && chance(50) ? SYS_EVENT_ZERO_CHILDREN : of[o->kind];
}

static void set(int index, int c)
{
	struct m_object *o = &object[index];
	struct m_watch *old, *w = free_watch();
	u64 event = any_event(o), bytes = event == SYS_EVENT_LOW || chance(3) ? choose(ROOM * PAGE_SIZE_) : 0;
	int n = (int)choose(NTFNS);
	bool somebody = !chance(3), fails = chance(10), allocates;
	sys_status_t status, expected;

	if (!w)
		return;
	u64 bits = chance(10) ? 0 : bit(w);
	expected = refusal(o, event, bytes, somebody, bits);
	old = find(index, c, (enum sys_event)event);
	allocates = expected == SYS_OK && bits && !(o->past && once((enum sys_event)event)) &&
		(!old || old->payer != o->home[c]);
	if (fails)
		failure_arm(1);
	status = cap_watch(o->copy[c], event, bytes, somebody ? ntfn[n].n : NULL, bits);
	must(!fails || allocation_failed() == allocates);
	failure_disarm();
	must(status == (fails && allocates ? SYS_ERR_NO_MEMORY : expected));
	if (status != SYS_OK)
		return;
	u64 threshold = (bytes + PAGE_SIZE_ - 1) / PAGE_SIZE_;
	int payer = old && !allocates ? old->payer : o->home[c];
	if (old)
		end_watch(old);
	if (!bits)
		return;
	*w = (struct m_watch){ !(o->past && once((enum sys_event)event)), false, o->busy, index, c, n, payer,
	                       (enum sys_event)event, threshold };
	if (holds(o, (enum sys_event)event, threshold))
		ntfn[n].bits |= bit(w);
}

/* ---- other operations ----------------------------------------------------------------------------------------------- */

/* Most operations are on one object for a while, so that much happens to it before it has told. */
static int any_object(void)
{
	if (chance(1))
		focus = (int)choose(OBJECTS);
	return chance(60) ? focus : (int)choose(OBJECTS);
}

static bool any_copy(int *index, int *c)
{
	*index = any_object();
	*c = (int)choose(COPIES);
	return object[*index].copy[*c] != NULL;
}

static void op_copy(int index, int c)
{
	struct m_object *o = &object[index];
	int h = (int)choose(HOMES);
	sys_rights_t rights = all_rights(type_of[o->kind]);

	if (!o->top)
		return;
	if (chance(50))
		rights &= ~SYS_RIGHT_RECV;
	o->copy[c] = cap_put_with(home[h].node, o->object, rights, 0, o->top);
	o->home[c] = h;
}

static void op_move(int index, int c)
{
	int h = (int)choose(HOMES);
	struct slot *at;

	must(cap_move(object[index].copy[c], home[h].node, SYS_SLOT_ANY, &at) == SYS_OK);
	object[index].copy[c] = at;
	object[index].home[c] = h;
}

static void op_delete(int index, int c)
{
	must(delete_all(object[index].copy[c]) == SYS_OK);
	copy_gone(index, c);
	renew_if_unnamed(index);
}

static void op_revoke(int index)
{
	if (!object[index].top || object[index].kind == ACCOUNT)        /* that one would sweep it */
		return;
	must(revoke_all(object[index].top) == SYS_OK);
	for (int c = 0; c < COPIES; c++)
		if (object[index].copy[c])
			copy_gone(index, c);
}

static void op_child(struct m_object *o)
{
	int i = (int)choose(CHILDREN);
	struct account *a;
	struct vmo *v;

	if (o->child[i])
		return end_child(o, i);
	if (o->kind == VMO) {
		sys_status_t status;
		do
			status = vmo_create_child(container_of(o->object, struct vmo, object), account_root(),
			                          SYS_VMO_CHILD_SNAPSHOT, 0, PAGE_SIZE_, &v);
		while (status == VM_AGAIN);
		must(status == SYS_OK);
		o->child[i] = &v->object;
	} else if (o->kind == ACCOUNT && o->free > 1) {
		must(account_create(account_of(o), 1 + choose(o->free - 1), &a) == SYS_OK);
		o->child[i] = &a->object;
		free_changed(o);
	} else {
		return;
	}
	object_cap(o->child[i]);
}

/* Something happens that can happen once. */
static void op_happen(struct m_object *o)
{
	if (o->past)
		return;
	if (o->kind == THREAD) {
		thread_exit(container_of(o->object, struct thread, object), 0);
		o->past = true;
		fire(o, SYS_EVENT_EXITED);
	} else if (o->kind == ROOT) {
		object_uncap(&o->pager->object);
		reap();
		o->past = true;
		fire(o, SYS_EVENT_DETACHED);
	} else if (o->kind == ENDPOINT && o->top) {
		must(delete_all(o->top) == SYS_OK);
		o->top = NULL;
		look_at_receivers(o);
		renew_if_unnamed((int)(o - object));
	}
}

static void op_free(struct m_object *o)
{
	struct account *a = account_of(o);
	u64 n;

	switch (choose(3)) {
	case 0:
		n = choose(MIN(o->free, 12) + 1);
		must(account_charge(a, n) == SYS_OK);
		o->charged += n;
		break;
	case 1:
		n = choose(MIN(o->charged, 12) + 1);
		account_uncharge(a, n);
		o->charged -= n;
		break;
	default:
		n = a->used + a->promised + choose(ROOM);
		must(account_resize(account_root(), a, n) == SYS_OK);
	}
	free_changed(o);
}

static void op_take(int n)
{
	compare();
	ntfn[n].n->bits = ntfn[n].bits = 0;
}

static void op_end_ntfn(int n)
{
	object_uncap(&ntfn[n].n->object);
	reap();
	each_watch(w)
		if (w->ntfn == n)
			w->live = false;
	ntfn[n].n = object_new(account_root(), SYS_TYPE_NOTIFICATION);
	object_cap(&ntfn[n].n->object);
	ntfn[n].bits = 0;
}

static void op_end_node(int h)
{
	must(delete_all(home[h].node_name) == SYS_OK);
	reap();
	copies_at_home_gone(h);
	make_node(h);
}

/* All that it has made and pays for goes; it stays. */
static void op_end_payer(int h)
{
	must(revoke_all(home[h].account_name) == SYS_OK);
	must(home[h].payer->used == 0);
	copies_at_home_gone(h);
	each_watch(w)
		if (w->payer == h)
			end_watch(w);
	make_node(h);
}

static void step(void)
{
	u64 dice = choose(1000);
	int o = any_object(), n = (int)choose(NTFNS), index, c;
	bool there = any_copy(&index, &c);

	if (dice < 300 && there) set(index, c);
	else if (dice < 380 && !there) op_copy(index, c);
	else if (dice < 450 && there) op_move(index, c);
	else if (dice < 490 && there) op_delete(index, c);
	else if (dice < 500) op_revoke(o);
	else if (dice < 600) op_child(&object[o]);
	else if (dice < 630) op_happen(&object[o]);
	else if (dice < 760 && object[o].kind == ACCOUNT) op_free(&object[o]);
	else if (dice < 840) for (u64 i = choose(4); i > 0; i--) watch_tell_step();
	else if (dice < 870) tell_all();
	else if (dice < 950) op_take(n);
	else if (dice < 955) renew(o);
	else if (dice < 975) op_end_ntfn(n);
	else if (dice < 982) op_end_node(1 + (int)choose(HOMES - 1));
	else if (dice < 988) op_end_payer(1 + (int)choose(HOMES - 1));
	compare();
}

static u64 watches_in(const struct list *paid)
{
	u64 count = 0;

	list_each(l, paid)
		count++;
	return count;
}

static void walk(void)
{
	kernel_check();
	cap_watch_check();
	for (unsigned i = 0; i < OBJECTS; i++) {
		struct object *o = object[i].object;
		switch (object[i].kind) {
		case VMO: case ROOT: vmo_check(container_of(o, struct vmo, object)); break;
		case THREAD:         thread_check(container_of(o, struct thread, object)); break;
		case ENDPOINT:       endpoint_check(container_of(o, struct endpoint, object)); break;
		case ACCOUNT:        break;
		}
	}
	for (int h = 0; h < HOMES; h++) {
		u64 count = 0;
		each_watch(w)
			count += w->payer == h;
		must(watches_in(&home[h].payer->watches) == count);
		cnode_check(home[h].node);
	}
}

/* All notifications end: no watch is left, and nothing to tell. */
static void finish(void)
{
	tell_all();
	for (int n = 0; n < NTFNS; n++)
		op_end_ntfn(n);
	for (int h = 0; h < HOMES; h++)
		must(list_empty(&home[h].payer->watches));
	must(!watch_pending() && !watch_tell_step());
	for (unsigned i = 0; i < OBJECTS; i++)
		renew((int)i);
	for (int h = 1; h < HOMES; h++)
		op_end_payer(h);
}

const struct model model = { "watches", 20000, start, step, walk, finish };
