/* SPDX-License-Identifier: BSD-2-Clause */
/* object.c: kernel/mem/object: hooks, references, destruction in steps, the derivation list. */
#include <string.h>
#include "arch/arch.h"
#include "common/probe.h"
#include "mem/account.h"
#include "mem/slab.h"

#define expect_said(text) ck_assert_str_eq(probe_said(), text)

START_TEST(create_object)
{
	sys_status_t status;
	sys_koid_t last = 0;

	memory_start();
	struct account *a = child_of(account_root(), 3);
	for (unsigned i = 0; i < 64; i++) {
		struct object *o = object_create(a, SYS_TYPE_REPLY, &status);
		ck_assert(o && o->type == SYS_TYPE_REPLY && !o->caps && !o->refs && !o->flags && o->account == a);
		ck_assert_uint_gt(o->koid, last);
		ck_assert_ptr_eq(object_type_of(o), &probe_plain_type);
		last = o->koid;
	}
	ck_assert(a->used == 1 && a->objects == 64);
	ck_assert_ptr_nonnull(object_create(a, SYS_TYPE_THREAD, &status));
	ck_assert_ptr_nonnull(object_create(a, SYS_TYPE_THREAD, &status));
	ck_assert_ptr_null(object_create(a, SYS_TYPE_THREAD, &status));
	ck_assert_int_eq(status, SYS_ERR_NO_MEMORY);
	a->closed = true;
	ck_assert_ptr_null(object_create(a, SYS_TYPE_THREAD, &status));
	ck_assert_int_eq(status, SYS_ERR_BAD_STATE);
	memory_check();
}
END_TEST

START_TEST(discard_object)
{
	sys_status_t status;

	memory_start();
	struct account *a = child_of(account_root(), 3);
	struct object *o = object_create(a, SYS_TYPE_VMO, &status);
	sys_koid_t koid = o->koid;
	object_discard(o);
	ck_assert(a->used == 0 && a->objects == 0);
	expect_said("");
	o = object_create(a, SYS_TYPE_VMO, &status);
	ck_assert_uint_gt(o->koid, koid);                       /* never reused */
	memory_check();
}
END_TEST

static void unknown_type(void *unused)
{
	sys_status_t status;
	(void)unused;
	object_create(account_root(), SYS_TYPE_IRQ, &status);
}

static void unref_too_often(void *o) { object_unref(o); }
static void uncap_too_often(void *o) { object_uncap(o); }
static void discard_named(void *o)
{
	object_cap(o);
	object_discard(o);
}

static void small_type(void *unused)
{
	static const struct object_type small = { .name = "small", .size = 8 };
	(void)unused;
	object_type_set(SYS_TYPE_IRQ, &small);
}

START_TEST(object_misuse)
{
	sys_status_t status;

	memory_start();
	struct object *o = object_create(account_root(), SYS_TYPE_VMO, &status);
	expect_panic(unknown_type, NULL, "types[type]");
	expect_panic(small_type, NULL, "sizeof(struct object)");
	expect_panic(unref_too_often, o, "refs > 0");
	expect_panic(uncap_too_often, o, "caps > 0");
	expect_panic(discard_named, o, "!o->caps");
}
END_TEST

/* The last capability goes: hooks in order, then the memory. */
START_TEST(object_life)
{
	memory_start();
	struct account *a = child_of(account_root(), 3);
	struct probe *p = probe_new(a, 1, 2);

	object_cap(&p->object);
	object_uncap(&p->object);
	expect_said("");
	object_uncap(&p->object);
	expect_said("gone1 idle1 ended1 ");
	ck_assert(object_dying(&p->object) && a->objects == 0 && a->used == 1);
	memory_check();
	ck_assert(object_reap_step(a) && object_reap_step(a));
	ck_assert_uint_eq(a->used, 1);
	ck_assert(object_reap_step(a));
	expect_said("reap1 reap1 reap1 ");
	ck_assert_uint_eq(a->used, 0);
	ck_assert(!object_reap_step(a) && !object_reap_step(NULL));
	memory_check();
}
END_TEST

/* References keep it; the last capability is told all the same. */
START_TEST(object_references)
{
	memory_start();
	struct probe *p = probe_new(account_root(), 1, 0);

	object_ref(&p->object);
	object_uncap(&p->object);
	expect_said("gone1 ");
	ck_assert(!object_dying(&p->object));
	object_cap(&p->object);
	object_unref(&p->object);
	expect_said("");
	object_uncap(&p->object);
	expect_said("gone1 idle1 ended1 ");
	ck_assert(object_reap(NULL));
	memory_check();
}
END_TEST

/* Without hooks: object_end, and one step. */
START_TEST(object_without_hooks)
{
	sys_status_t status;

	memory_start();
	struct object *o = object_create(account_root(), SYS_TYPE_REPLY, &status);
	object_ref(o);
	object_unref(o);
	ck_assert(object_dying(o));
	ck_assert(object_reap_step(NULL));
	ck_assert_uint_eq(account_root()->used, 0);
	memory_check();
}
END_TEST

/* Ended by force while it is named: reaped, and its memory goes with the last name. */
START_TEST(object_ended_while_named)
{
	memory_start();
	struct account *root = account_root();
	struct probe *p = probe_new(root, 1, 0);

	object_ref(&p->object);
	object_end(&p->object);
	object_end(&p->object);
	expect_said("ended1 ");
	ck_assert(object_reap(NULL));
	expect_said("reap1 ");
	ck_assert(p->object.flags & OBJECT_REAPED);
	ck_assert_uint_eq(root->used, 1);
	memory_check();
	object_uncap(&p->object);
	ck_assert_uint_eq(root->used, 1);
	object_unref(&p->object);
	expect_said("");
	ck_assert_uint_eq(root->used, 0);
	memory_check();
}
END_TEST

/* The last name goes before the reaping is through. */
START_TEST(object_unnamed_while_dying)
{
	memory_start();
	struct probe *p = probe_new(account_root(), 1, 1);

	object_end(&p->object);
	object_reap_step(NULL);
	object_uncap(&p->object);
	ck_assert_uint_eq(account_root()->used, 1);
	object_reap_step(NULL);
	ck_assert_uint_eq(account_root()->used, 0);
	expect_said("ended1 reap1 reap1 ");
	memory_check();
}
END_TEST

/* One that ends others is put off until they are through; none is reaped inside another. */
START_TEST(object_chain)
{
	memory_start();
	struct account *root = account_root();
	struct probe *p[3];

	for (u16 i = 0; i < 3; i++) {
		p[i] = probe_new(root, i, i);
		if (i) {
			p[i]->holds = p[i - 1];
			object_ref(&p[i - 1]->object);
		}
	}
	object_uncap(&p[0]->object);
	object_uncap(&p[1]->object);
	expect_said("gone0 gone1 ");
	object_uncap(&p[2]->object);
	ck_assert(object_reap(root));
	expect_said("gone2 idle2 ended2 reap2 idle1 ended1 reap1 idle0 ended0 reap0 reap1 reap2 reap2 ");
	ck_assert_uint_eq(root->used, 0);
	memory_check();
}
END_TEST

/* One that is done in the very step that ended another: the other goes first, and it is not reaped again. */
START_TEST(object_done_at_once)
{
	memory_start();
	struct account *root = account_root();
	struct probe *held = probe_new(root, 1, 2), *p = probe_new(root, 2, 0);

	p->holds = held;
	object_ref(&held->object);
	object_uncap(&held->object);
	object_uncap(&p->object);
	probe_said();
	ck_assert(object_reap_step(root));
	expect_said("reap2 idle1 ended1 ");
	memory_check();
	ck_assert(object_reap(root));
	expect_said("reap1 reap1 reap1 ");
	ck_assert_uint_eq(root->used, 0);
	memory_check();
}
END_TEST

/* At least one step, then as far as no interrupt is pending. */
START_TEST(reap_is_preemptible)
{
	memory_start();
	struct probe *p = probe_new(account_root(), 1, 4);

	object_uncap(&p->object);
	expect_said("gone1 idle1 ended1 ");
	host_preempt_every(1);
	ck_assert(!object_reap(NULL));
	expect_said("reap1 ");
	host_preempt_every(3);
	ck_assert(!object_reap(NULL));
	expect_said("reap1 reap1 reap1 ");
	host_preempt_every(1);
	ck_assert(object_reap(NULL));                           /* the last step */
	expect_said("reap1 ");
	ck_assert(object_reap(NULL));
	ck_assert_uint_eq(account_root()->used, 0);
}
END_TEST

/* Each account's dying objects are its own to work off; NULL takes any. */
START_TEST(reap_by_account)
{
	memory_start();
	struct account *a = child_of(account_root(), 3), *b = child_of(account_root(), 3);

	object_uncap(&probe_new(a, 1, 0)->object);
	object_uncap(&probe_new(b, 2, 0)->object);
	expect_said("gone1 idle1 ended1 gone2 idle2 ended2 ");
	ck_assert(object_reap(b));
	expect_said("reap2 ");
	ck_assert(!object_reap_step(b));
	ck_assert(!object_reap_step(account_root()));
	ck_assert(object_reap_step(NULL));
	expect_said("reap1 ");
	ck_assert(a->used == 0 && b->used == 0);
	memory_check();
}
END_TEST

/* ---- derivation list --------------------------------------------------------------------------------------------- */
#define ENTRIES 64
struct entry { struct deriv deriv; enum deriv_kind kind; };
static struct entry entry[ENTRIES], *in_order[ENTRIES];
static unsigned entries;

static void check_deriv(void)
{
	for (unsigned i = 0; i < entries; i++) {
		u64 prev = in_order[i]->deriv.prev, next = in_order[i]->deriv.next;
		must(deriv_at(prev) == (i ? &in_order[i - 1]->deriv : NULL));
		must(!i || deriv_kind_of(prev) == in_order[i - 1]->kind);
		must(deriv_at(next) == (i + 1 < entries ? &in_order[i + 1]->deriv : NULL));
		must(i + 1 == entries || deriv_kind_of(next) == in_order[i + 1]->kind);
	}
}

static void insert_behind(unsigned at, struct entry *e)
{
	e->kind = (enum deriv_kind)random_below(4);
	deriv_insert(&in_order[at]->deriv, in_order[at]->kind, &e->deriv, e->kind);
	memmove(&in_order[at + 2], &in_order[at + 1], (entries - at - 1) * sizeof in_order[0]);
	in_order[at + 1] = e;
	entries++;
}

static void remove_entry(unsigned at)
{
	struct entry *e = in_order[at];

	deriv_remove(&e->deriv);
	must(!e->deriv.next && !e->deriv.prev);
	deriv_remove(&e->deriv);
	entries--;
	memmove(&in_order[at], &in_order[at + 1], (entries - at) * sizeof in_order[0]);
}

START_TEST(derivation_list)
{
	in_order[0] = &entry[0];
	entries = 1;
	for (unsigned step = 0; step < 20000; step++) {
		struct entry *e = &entry[random_below(ENTRIES)];
		unsigned at = 0;
		while (at < entries && in_order[at] != e)
			at++;
		if (at == entries)
			insert_behind((unsigned)random_below(entries), e);
		else if (entries > 1)
			remove_entry(at);
		check_deriv();
	}
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("object");
	add_test(s, create_object);
	add_test(s, discard_object);
	add_test(s, object_misuse);
	add_test(s, object_life);
	add_test(s, object_references);
	add_test(s, object_without_hooks);
	add_test(s, object_ended_while_named);
	add_test(s, object_unnamed_while_dying);
	add_test(s, object_chain);
	add_test(s, object_done_at_once);
	add_test(s, reap_is_preemptible);
	add_test(s, reap_by_account);
	add_test(s, derivation_list);
	return s;
}
