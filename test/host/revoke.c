/* SPDX-License-Identifier: BSD-2-Clause */
/* revoke.c: kernel/cap: revoke in steps, the end of CNodes and of accounts with all that is in them. */
#include "common/kernel.h"
#include "common/threads.h"

static struct account *root, *a;
static struct cnode *cs;                /* of 4096 slots, paid by the root */
static struct slot *top;                /* the account's first capability */
static u64 free_at_start;               /* frames, with the account empty */

static void start(u64 frames)
{
	kernel_start(frames + 3000);
	root = account_root();
	a = account_new(root, frames);
	cs = cnode_new(root, 4096);
	object_ref(&cs->object);
	top = cap_put(cs, a, NULL, SLOT_FIRST);
	free_at_start = frame_count_free();
}

static void check(void)
{
	kernel_check();
	cnode_check(cs);
	deriv_check(top);
}

/* All that the account had is back, and it is open. */
static void expect_empty(void)
{
	ck_assert(a->used == 0 && a->promised == 0 && a->objects == 0 && !a->closed && !a->dying);
	ck_assert(!slot_derived(top) && !(top->flags & SLOT_REVOKING) && frame_count_free() == free_at_start);
	check();
}

static void *notification(void) { return object_new(a, SYS_TYPE_NOTIFICATION); }

/* ---- descendants ------------------------------------------------------------------------------------------------- */

START_TEST(revoke_below)
{
	start(100);
	struct slot *s = cap_put(cs, notification(), top, SLOT_FIRST),
		*beside = cap_put(cs, notification(), top, SLOT_FIRST);
	struct slot *copy = cap_copy(cs, s), *below = cap_copy(cs, copy), *other = cap_copy(cs, s);
	struct object *o = s->object;

	ck_assert_int_eq(cap_revoke(copy), SYS_OK);
	ck_assert(!below->object && copy->object && other->object && o->caps == 3);
	ck_assert_int_eq(cap_revoke(s), SYS_OK);
	ck_assert(!copy->object && !other->object && s->object == o && beside->object && o->caps == 1 &&
	          s->flags == SLOT_FIRST);
	ck_assert_int_eq(cap_revoke(s), SYS_OK);                        /* nothing is below */
	ck_assert_int_eq(cap_revoke(top), SYS_OK);
	ck_assert(!s->object && !beside->object);
	kernel_reap();
	expect_empty();
}
END_TEST

/* Nine at least in each entry, however pressing an interrupt is. */
START_TEST(revoke_in_steps)
{
	start(100);
	struct slot *s = cap_put(cs, notification(), top, SLOT_FIRST);
	for (unsigned i = 0; i < 100; i++)
		cap_copy(cs, s);
	host_preempt_every(1);
	for (unsigned left = 100; left > 8;) {
		u32 before = s->object->caps;
		ck_assert_int_eq(cap_revoke(s), VM_AGAIN);
		ck_assert_uint_ge(before - s->object->caps, 8);
		ck_assert(s->flags & SLOT_REVOKING);
		left -= before - s->object->caps;
		check();
	}
	ck_assert_int_eq(cap_revoke(s), SYS_OK);
	ck_assert(s->object->caps == 1 && !(s->flags & SLOT_REVOKING));
	check();
}
END_TEST

/* Copies in many CNodes, copies of copies, a chain 1,000 deep. */
START_TEST(revoke_everywhere)
{
	start(2000);
	struct cnode *node[10];
	struct slot *last = cap_put(cs, notification(), top, SLOT_FIRST), *s = last;
	u32 free[10];

	for (unsigned i = 0; i < 10; i++) {
		node[i] = cnode_new(root, 256);
		for (free[i] = 0; cnode_has_free(node[i], free[i] + 1); free[i]++)
			;
	}
	for (unsigned i = 0; i < 1000; i++)
		last = cap_copy(node[i % 10], last);
	for (unsigned i = 0; i < 1000; i++)
		cap_copy(node[random_below(10)], s);
	ck_assert_uint_eq(s->object->caps, 2001);
	host_preempt_every(3);
	ck_assert_int_eq(revoke_all(s), SYS_OK);
	ck_assert_uint_gt(restarts, 100);
	ck_assert_uint_eq(s->object->caps, 1);
	for (unsigned i = 0; i < 10; i++) {
		ck_assert(cnode_has_free(node[i], free[i]));
		cnode_check(node[i]);
	}
	check();
}
END_TEST

/* Whoever meets a capability under revoke does steps of it: deleting it deletes all below; moving it too. */
START_TEST(meeting_a_revoke)
{
	start(100);
	struct slot *s = cap_put(cs, notification(), top, SLOT_FIRST), *out = NULL;
	struct object *o = s->object;

	for (unsigned i = 0; i < 40; i++)
		cap_copy(cs, s);
	host_preempt_every(1);
	ck_assert_int_eq(cap_revoke(s), VM_AGAIN);
	ck_assert_int_eq(cap_move(s, cs, SYS_SLOT_ANY, &out), VM_AGAIN);
	ck_assert(s->object == o && out == NULL && o->caps == 41 - 2 * 9);
	sys_status_t status;
	while ((status = cap_move(s, cs, 4000, &out)) == VM_AGAIN)
		check();
	ck_assert(status == SYS_OK && slot_cap(out) == 4000 && o->caps == 1 && !s->object);
	ck_assert(!(out->flags & SLOT_REVOKING));
	s = out;
	for (unsigned i = 0; i < 40; i++)
		cap_copy(cs, s);
	ck_assert_int_eq(cap_revoke(s), VM_AGAIN);
	ck_assert_int_eq(cap_delete(s), VM_AGAIN);
	ck_assert_int_eq(delete_all(s), SYS_OK);
	ck_assert(!slot_derived(top) && object_dying(o));
	host_preempt_every(0);
	kernel_reap();
	expect_empty();
}
END_TEST

/* An enclosing revoke deletes one that is under revoke itself; its revoker finds nothing any more. */
START_TEST(nested_revokes)
{
	start(100);
	struct slot *s = cap_put(cs, notification(), top, SLOT_FIRST), *inner = cap_copy(cs, s);
	sys_cap_t name = slot_cap(inner);

	for (unsigned i = 0; i < 40; i++)
		cap_copy(cs, inner);
	host_preempt_every(1);
	ck_assert_int_eq(cap_revoke(inner), VM_AGAIN);
	ck_assert_int_eq(revoke_all(s), SYS_OK);
	ck_assert(!cnode_lookup(cs, name) && s->object->caps == 1);
	check();
}
END_TEST

/* A capability that is copied again and again meanwhile: the revoke is faster. */
START_TEST(copier_and_revoker)
{
	start(100);
	struct slot *s = cap_put(cs, notification(), top, SLOT_FIRST);
	u64 entries = 0;
	sys_status_t status = VM_AGAIN;

	for (unsigned i = 0; i < 500; i++)
		cap_copy(cs, s);
	host_preempt_every(1);
	for (; status == VM_AGAIN; entries++) {
		cap_copy(cs, s);
		cap_copy(cs, s);
		status = cap_revoke(s);
	}
	ck_assert(status == SYS_OK && s->object->caps == 1);
	ck_assert_uint_lt(entries, 100);
}
END_TEST

/* ---- CNodes ------------------------------------------------------------------------------------------------------ */

/* One that ends: what was in it is deleted, what came from that falls to the parents; its threads lose their CSpace. */
START_TEST(cnode_ends)
{
	start(400);
	struct slot *s = cap_put(cs, notification(), top, SLOT_FIRST);
	struct cnode *c = cnode_new(a, 1024);
	struct slot *named = cap_put(cs, c, top, SLOT_FIRST), *inside = NULL, *below = NULL, *only;
	struct object *lost = object_new(a, SYS_TYPE_REPLY);

	for (unsigned i = 0; i < 200; i++) {
		inside = cap_copy(c, s);
		below = cap_copy(cs, inside);
	}
	only = cap_put(c, lost, top, SLOT_FIRST);
	(void)only;
	struct actor *x = actor_new(root, NULL, c, 10), *y = actor_new(root, x->t->space, c, 10);
	object_cap(lost);                                               /* keep its memory: it is looked at */
	ck_assert_int_eq(cap_delete(named), SYS_OK);
	ck_assert(object_dying(&c->object) && inside->object && x->t->cspace == c);
	host_preempt_every(1);
	kernel_reap();
	ck_assert(x->t->cspace == &cnode_none && y->t->cspace == &cnode_none && x->t->state == SYS_THREAD_READY);
	ck_assert(s->object->caps == 201 && below->object == s->object && !object_dying(lost));
	ck_assert(deriv_at(below->open.prev) && lost->caps == 1);
	object_uncap(lost);
	check();
	ck_assert_int_eq(revoke_all(s), SYS_OK);
	ck_assert_uint_eq(s->object->caps, 1);
	check();
}
END_TEST

/* It holds itself: only revoke, or its account's end, ends it. */
START_TEST(cnode_in_itself)
{
	for (unsigned way = 0; way < 3; way++) {
		start(400);
		struct cnode *c = cnode_new(a, 128);
		struct slot *s = cap_put(cs, c, top, SLOT_FIRST), *out;

		cap_copy(c, s);
		cap_copy(c, s);
		if (way == 0) {
			ck_assert_int_eq(revoke_all(s), SYS_OK);
			ck_assert(c->object.caps == 1 && !object_dying(&c->object));
			ck_assert_int_eq(cap_delete(s), SYS_OK);
		} else if (way == 1) {
			ck_assert_int_eq(cap_delete(s), SYS_OK);
			kernel_reap();
			ck_assert(c->object.caps == 2 && !object_dying(&c->object));
			ck_assert_int_eq(revoke_all(top), SYS_OK);
		} else {
			ck_assert_int_eq(cap_move(s, c, SYS_SLOT_ANY, &out), SYS_OK);
			check();
			ck_assert_int_eq(revoke_all(top), SYS_OK);
		}
		kernel_reap();
		expect_empty();
	}
}
END_TEST

/* Each holds the next one's only capability: taken apart without going down, a bounded step at a time. */
START_TEST(cnode_chain)
{
	start(4000);
	struct cnode *node[1000];
	struct slot *first = NULL;

	for (unsigned i = 0; i < 1000; i++) {
		node[i] = cnode_new(a, 16);
		struct slot *s = cap_put(i ? node[i - 1] : cs, node[i], top, SLOT_FIRST);
		if (!i)
			first = s;
	}
	ck_assert_int_eq(cap_delete(first), SYS_OK);
	ck_assert(object_dying(&node[0]->object) && !object_dying(&node[1]->object));
	host_preempt_every(1);
	kernel_reap();
	ck_assert_uint_ge(restarts, 1000);
	expect_empty();
}
END_TEST

/* Two that hold each other, a third in both. */
START_TEST(cnode_ring)
{
	start(400);
	struct cnode *c = cnode_new(a, 64), *d = cnode_new(a, 64), *e = cnode_new(a, 64);

	struct slot *s = cap_put(d, c, top, SLOT_FIRST), *t = cap_put(c, d, top, SLOT_FIRST),
		*u = cap_put(cs, e, top, SLOT_FIRST);
	cap_copy(c, u);
	cap_copy(d, u);
	cap_copy(e, s);
	cap_copy(e, t);
	ck_assert_int_eq(cap_delete(u), SYS_OK);
	kernel_reap();
	ck_assert(c->object.caps == 2 && d->object.caps == 2 && e->object.caps == 2);
	check();
	host_preempt_every(2);
	ck_assert_int_eq(revoke_all(top), SYS_OK);
	kernel_reap();
	expect_empty();
}
END_TEST

/* ---- accounts ---------------------------------------------------------------------------------------------------- */

/* A program's worth of things, below `ut` and named in c. */
static void populate(struct account *from, struct slot *ut, struct cnode *c)
{
	struct cnode *own = cnode_new(from, 128);
	struct slot *node = cap_put(c, own, ut, SLOT_FIRST);
	struct endpoint *e = object_new(from, SYS_TYPE_ENDPOINT);
	struct slot *ep = cap_put(c, e, ut, SLOT_FIRST);
	struct actor *x = actor_new(from, NULL, own, 10), *y = actor_new(from, x->t->space, own, 10),
		*z = actor_new(from, NULL, own, 20);

	cap_copy(own, node);
	cap_copy(own, ep);
	cap_copy(cs, ep);
	actor_name(x, c, ut);
	actor_name(y, own, ut);
	actor_name(z, own, ut);
	actor_memory(z, 4);
	actor_recv(x, e, object_new(from, SYS_TYPE_REPLY), SYS_TIME_INFINITE);
	actor_call(z, e, 0, SYS_TIME_INFINITE);
	ipc_set_fault_endpoint(y->t, e, 3);
	cap_put(own, object_new(from, SYS_TYPE_NOTIFICATION), ut, SLOT_FIRST);
	object_new(from, SYS_TYPE_NOTIFICATION);                        /* nobody names it */
}

START_TEST(revoke_account)
{
	start(2000);
	for (unsigned preempt = 0; preempt < 8; preempt++) {
		struct slot *copy = cap_copy(cs, top);
		struct account *child = account_new(a, 300), *below = account_new(child, 100);
		struct slot *ut = cap_put(cs, child, copy, SLOT_FIRST);

		populate(a, top, cs);
		populate(a, copy, cs);
		populate(child, ut, cs);
		populate(below, cap_put(cs, below, ut, SLOT_FIRST), cs);
		check();
		host_preempt_every(preempt);
		ck_assert_int_eq(revoke_all(top), SYS_OK);
		actors_forget();
		expect_empty();                                         /* at once: nothing is left to reap */
		host_preempt_every(0);
	}
}
END_TEST

/* Closed while it goes on; a copy's revoke ends only what is below the copy. */
START_TEST(account_under_revoke)
{
	sys_status_t status;

	start(2000);
	struct slot *copy = cap_copy(cs, top);
	populate(a, copy, cs);
	struct object *o = object_new(a, SYS_TYPE_NOTIFICATION);
	struct slot *kept = cap_put(cs, o, top, SLOT_FIRST);
	ck_assert_int_eq(revoke_all(copy), SYS_OK);
	kernel_reap();
	/* What is not named stays with the account. */
	ck_assert(kept->object == o && copy->object && a->used > 0 && !a->closed);
	for (unsigned i = 0; i < 50; i++)
		cap_copy(cs, kept);
	actors_forget();
	host_preempt_every(1);
	ck_assert_int_eq(cap_revoke(top), VM_AGAIN);
	ck_assert(a->closed && !object_create(a, SYS_TYPE_REPLY, &status) && status == SYS_ERR_BAD_STATE);
	ck_assert_int_eq(revoke_all(top), SYS_OK);
	expect_empty();
	ck_assert(object_create(a, SYS_TYPE_REPLY, &status) != NULL);
}
END_TEST

/* Deleting the last capability revokes, ends the account, and its parent has everything back. */
START_TEST(delete_account)
{
	start(2000);
	u64 used = root->used, promised = root->promised;
	for (unsigned preempt = 0; preempt < 5; preempt++) {
		struct account *child = account_new(a, 1000);
		struct slot *ut = cap_put(cs, child, top, SLOT_FIRST), *copy = cap_copy(cs, ut);
		populate(child, copy, cs);
		ck_assert_int_eq(cap_delete(ut), SYS_OK);               /* the copy still names it */
		ck_assert(copy->object == &child->object && !child->closed);
		host_preempt_every(preempt);
		ck_assert_int_eq(delete_all(copy), SYS_OK);
		kernel_reap();
		actors_forget();
		expect_empty();
		host_preempt_every(0);
	}
	ck_assert(root->used == used && root->promised == promised);
}
END_TEST

/* The first capability goes before a copy: what was made with it stays with the account, and ends with the last one. */
START_TEST(delete_account_first_first)
{
	start(2000);
	for (unsigned preempt = 0; preempt < 5; preempt++) {
		struct account *child = account_new(a, 1000), *inner = account_new(child, 10);
		struct slot *ut = cap_put(cs, child, top, SLOT_FIRST), *copy = cap_copy(cs, ut), *other = cap_copy(cs, ut);
		struct slot *made = cap_put(cs, object_new(child, SYS_TYPE_NOTIFICATION), ut, SLOT_FIRST);
		struct slot *below = cap_put(cs, inner, ut, SLOT_FIRST), *deep = cap_copy(cs, cap_copy(cs, copy));
		struct slot *its = cap_put(cs, object_new(inner, SYS_TYPE_REPLY), below, SLOT_FIRST);

		populate(child, other, cs);
		ck_assert_int_eq(cap_delete(ut), SYS_OK);
		check();
		ck_assert(made->object && below->object && child->from.next && slot_derived(top));
		ck_assert_int_eq(revoke_all(copy), SYS_OK);
		ck_assert(!deep->object && made->object);
		ck_assert_int_eq(cap_delete(other), SYS_OK);            /* what was made with it falls to the place */
		check();
		host_preempt_every(preempt);
		ck_assert_int_eq(delete_all(copy), SYS_OK);
		ck_assert(!made->object && !below->object && !its->object && !slot_derived(top));
		kernel_reap();
		actors_forget();
		expect_empty();
		host_preempt_every(0);
	}
}
END_TEST

/* The place that a first capability left goes with a revoke above it, and with an account that ends otherwise. */
START_TEST(left_place_goes)
{
	start(2000);
	for (unsigned way = 0; way < 4; way++) {
		struct account *outer = account_new(a, 1000), *child = account_new(outer, 500);
		struct slot *above = cap_put(cs, outer, top, SLOT_FIRST), *ut = cap_put(cs, child, above, SLOT_FIRST);
		struct slot *copy = cap_copy(cs, ut), *made = cap_put(cs, object_new(child, SYS_TYPE_REPLY), ut, SLOT_FIRST);

		ck_assert_int_eq(cap_delete(ut), SYS_OK);
		ck_assert(child->from.next && copy->object && made->object);
		host_preempt_every(1);
		if (way == 0) {
			ck_assert_int_eq(revoke_all(above), SYS_OK);
			ck_assert(!copy->object && !made->object && !slot_derived(above));
		} else if (way == 1) {
			ck_assert_int_eq(delete_all(above), SYS_OK);
		} else if (way == 2) {                          /* ended, and still named */
			object_end(&child->object);
			check();
			ck_assert(made->object && copy->object && !child->from.next);
			ck_assert_int_eq(delete_all(copy), SYS_OK);
		} else {                                        /* the same, while the first capability is there */
			struct slot *again = cap_put(cs, account_new(outer, 5), above, SLOT_FIRST), *its = cap_copy(cs, again);

			object_end(again->object);
			ck_assert_int_eq(cap_delete(again), SYS_OK);
			check();
			ck_assert_int_eq(cap_delete(its), SYS_OK);
		}
		host_preempt_every(0);
		kernel_reap();
		check();
		ck_assert_int_eq(revoke_all(top), SYS_OK);
		kernel_reap();
		expect_empty();
	}
}
END_TEST

/* Somebody who had begun to revoke an account is gone. The next who meets it finishes: it is open and empty,
 * whatever was asked of it. */
START_TEST(revoker_was_killed)
{
	for (unsigned entries = 1; entries < 60; entries++)
		for (unsigned then = 0; then < 2; then++) {
			struct slot *out = top;
			sys_status_t status = VM_AGAIN;

			start(2000);
			populate(a, top, cs);
			host_preempt_every(1);
			for (unsigned i = 0; i < entries && status == VM_AGAIN; i++)
				status = cap_revoke(top);
			if (then == 0)
				ck_assert_int_eq(revoke_all(top), SYS_OK);
			else if (status == VM_AGAIN)
				while ((status = cap_move(top, cs, SYS_SLOT_ANY, &out)) == VM_AGAIN)
					;
			ck_assert_int_eq(then ? status : SYS_OK, SYS_OK);
			if (then && out->object)
				top = out;
			host_preempt_every(0);
			actors_forget();
			expect_empty();
		}
}
END_TEST

/* The account's first capability lies in a CNode of the account itself: revoking it takes away the place that it
 * stood in. */
START_TEST(account_in_itself)
{
	start(2000);
	struct slot *ut, *out;
	struct account *child = account_new(a, 1000);
	struct cnode *own = cnode_new(child, 64);
	ut = cap_put(cs, child, top, SLOT_FIRST);
	populate(child, ut, cs);
	struct slot *node = cap_put(cs, own, ut, SLOT_FIRST);
	cap_copy(own, node);
	ck_assert_int_eq(cap_move(ut, own, SYS_SLOT_ANY, &out), SYS_OK);
	host_preempt_every(1);
	sys_status_t status = revoke_all(out);
	ck_assert(status == SYS_OK || status == SYS_ERR_BAD_CAP);
	host_preempt_every(0);
	kernel_reap();
	actors_forget();
	ck_assert_int_eq(revoke_all(top), SYS_OK);
	expect_empty();
}
END_TEST

/* A thread in another account's address space: the space's end ends it. */
START_TEST(space_of_another_account)
{
	start(2000);
	struct actor *host = actor_new(a, NULL, NULL, 10), *guest = actor_new(root, host->t->space, NULL, 10);
	actor_name(host, cs, top);
	ck_assert_int_eq(revoke_all(top), SYS_OK);
	ck_assert(guest->t->state == SYS_THREAD_EXITED && guest->t->exit_code == SYS_ERR_CANCELED && !guest->t->space);
	thread_check(guest->t);
	ck_assert(a->used == 0 && a->objects == 0);
	kernel_check();
}
END_TEST

/* A mapping falls to the parent when its capability goes, and ends with a revoke above. */
START_TEST(mappings)
{
	start(2000);
	struct actor *x = actor_new(root, NULL, NULL, 10);
	struct vmo *v = NULL;
	vaddr_t at[3];
	u64 value;

	ck_assert_int_eq(vmo_create(a, 16 * PAGE_SIZE_, 0, &v), SYS_OK);
	struct slot *s = cap_put(cs, v, top, SLOT_FIRST), *copy = cap_copy(cs, s), *below = cap_copy(cs, copy);
	struct slot *from[] = { s, copy, below };
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(vmar_map(&x->t->space->root_vmar, SYS_RIGHTS_VMAR,
		                          SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, v, SYS_RIGHTS_VMO,
		                          0, v->size, &from[i]->open, &at[i]), SYS_OK);
	actor_write(x, at[2], &(u64){ 4711 }, 8);
	ck_assert_int_eq(cap_delete(below), SYS_OK);                    /* its mapping hangs below the copy now */
	for (unsigned i = 0; i < 3; i++) {
		actor_read(x, at[i], &value, 8);
		ck_assert_uint_eq(value, 4711);
	}
	check();
	space_check(x->t->space);
	host_preempt_every(1);
	ck_assert_int_eq(revoke_all(copy), SYS_OK);
	ck_assert(!slot_derived(copy) && slot_derived(s));
	actor_read(x, at[0], &value, 8);
	ck_assert(!actor_can_read(x, at[1]) && !actor_can_read(x, at[2]));
	ck_assert_int_eq(revoke_all(top), SYS_OK);
	ck_assert(!actor_can_read(x, at[0]) && a->used == 0);
	space_check(x->t->space);
	check();
}
END_TEST

/* Ending a mapping is the work of six capabilities, whatever comes first. */
START_TEST(mappings_weigh)
{
	start(2000);
	struct actor *x = actor_new(root, NULL, NULL, 10);
	struct vmo *v = NULL;
	vaddr_t at;

	ck_assert_int_eq(vmo_create(a, 16 * PAGE_SIZE_, 0, &v), SYS_OK);
	struct slot *s = cap_put(cs, v, top, SLOT_FIRST);
	ck_assert_int_eq(vmar_map(&x->t->space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ, 0, v, SYS_RIGHTS_VMO, 0, v->size, &s->open, &at), SYS_OK);
	for (unsigned i = 0; i < 20; i++)
		cap_copy(cs, s);
	host_preempt_every(1);
	ck_assert_int_eq(cap_revoke(s), VM_AGAIN);
	ck_assert(v->object.caps == 21 - 3 && !v->mappings.root);
	ck_assert_int_eq(cap_revoke(s), VM_AGAIN);
	ck_assert(v->object.caps == 21 - 3 - 9);
	ck_assert_int_eq(revoke_all(top), SYS_OK);
	check();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("revoke");

	add_test(s, revoke_below);
	add_test(s, revoke_in_steps);
	add_test(s, revoke_everywhere);
	add_test(s, meeting_a_revoke);
	add_test(s, nested_revokes);
	add_test(s, copier_and_revoker);
	add_test(s, cnode_ends);
	add_test(s, cnode_in_itself);
	add_test(s, cnode_chain);
	add_test(s, cnode_ring);
	add_test(s, revoke_account);
	add_test(s, account_under_revoke);
	add_test(s, delete_account);
	add_test(s, delete_account_first_first);
	add_test(s, left_place_goes);
	add_test(s, revoker_was_killed);
	add_test(s, account_in_itself);
	add_test(s, space_of_another_account);
	add_test(s, mappings);
	add_test(s, mappings_weigh);
	return s;
}
