/* SPDX-License-Identifier: BSD-2-Clause */
/* discard.c: discardable memory objects: what locks say, and what goes when their account is short. */
#include "common/contents.h"
#include "vm/pagemap.h"
#include "vm/window.h"

static sys_vmo_lock_state_t state;

/* A call that locks or unlocks all of it. */
static sys_status_t lock(struct vmo *v, u32 op)
{
	sys_status_t status = again(vmo_lock_check(&v, op, 0, v->shape->size, &state));
	if (status == SYS_OK)
		vmo_lock(v, op);
	return status;
}

static struct vmo *cache(u64 pages, u64 filled)
{
	struct vmo *v = anonymous(other, pages, SYS_VMO_DISCARDABLE);
	for (u64 i = 0; i < filled; i++)
		must_ok(put(v, i, 100 + i));
	return v;
}

START_TEST(locks)
{
	begin(1);
	struct vmo *v = cache(40, 0), *plain = anonymous(other, 4, 0);
	must_ok(lock(v, SYS_VMO_OP_LOCK));
	ck_assert(state.offset == 0 && state.size == 40 * P && state.discarded_offset == 0 && state.discarded_size == 0);
	must_ok(put(v, 3, 0));                                  /* a fork of a locked one */
	must_ok(put(v, 4, 6));
	must_ok(lock(v, SYS_VMO_OP_TRY_LOCK));
	must_ok(lock(v, SYS_VMO_OP_UNLOCK));
	press_all(other);
	ck_assert(!there(v, 3) && seen(v, 4) == 6 && other->discardable.frames == 0);
	must_ok(lock(v, SYS_VMO_OP_UNLOCK));
	ck_assert_uint_eq(other->discardable.frames, v->tree.charged);
	eq(lock(v, SYS_VMO_OP_UNLOCK), SYS_ERR_BAD_STATE);
	must_ok(lock(v, SYS_VMO_OP_TRY_LOCK));                  /* it was not needed */
	must_ok(lock(v, SYS_VMO_OP_UNLOCK));
	check(v);
	press_all(other);
	ck_assert(v->tree.charged == 0 && seen(v, 4) == 0);
	eq(lock(v, SYS_VMO_OP_TRY_LOCK), SYS_ERR_UNAVAILABLE);
	must_ok(lock(v, SYS_VMO_OP_LOCK));
	ck_assert_uint_eq(state.discarded_size, 40 * P);
	must_ok(lock(v, SYS_VMO_OP_LOCK));
	ck_assert_uint_eq(state.discarded_size, 0);             /* it was told */
	eq(lock(plain, SYS_VMO_OP_LOCK), SYS_ERR_NOT_SUPPORTED);
	struct vmo *whole = v;
	eq(vmo_lock_check(&whole, SYS_VMO_OP_UNLOCK, P, 39 * P, &state), SYS_ERR_OUT_OF_RANGE);
	eq(vmo_lock_check(&whole, SYS_VMO_OP_UNLOCK, 0, 39 * P, &state), SYS_ERR_OUT_OF_RANGE);
	check(v);
	drop(&v->object), drop(&plain->object);
	end();
}
END_TEST

/* What was written after it was given up goes too before it is locked: all of it, or nothing. */
START_TEST(lock_finishes)
{
	begin(1);
	struct vmo *v = cache(700, 600);
	vaddr_t at[12];
	for (unsigned i = 0; i < 12; i++) {
		at[i] = map(v, 0, 700);
		ck_assert(shown(at[i] + 599 * P) == 699 && shown(at[i]) == 100);
	}
	host_preempt_every(1);
	eq(press(other), VM_AGAIN);                             /* entries first */
	ck_assert(v->discarded && v->closing.end && seen(v, 599) == 699);
	while (there(v, 0))
		eq(press(other), VM_AGAIN);
	ck_assert(there(v, 599) && !v->closing.end);
	must_ok(store(at[3] + 5 * P, 8, &poll));
	ck_assert(shown(at[7] + 5 * P) == 8 && seen(v, 0) == 0);
	struct vmo *same = v;
	eq(vmo_lock_check(&same, SYS_VMO_OP_LOCK, 0, 700 * P, &state), VM_AGAIN);
	check(v);
	must_ok(lock(v, SYS_VMO_OP_LOCK));
	host_preempt_every(0);
	ck_assert(state.discarded_size == 700 * P && v->tree.charged == 0);
	ck_assert(shown(at[7] + 5 * P) == 0 && shown(at[0] + 599 * P) == 0);
	check(v);
	for (unsigned i = 0; i < 12; i++)
		unmap(at[i], 700);
	drop(&v->object);
	end();
}
END_TEST

/* The one that is unlocked for longest goes first, whole; those with nothing in them are passed. */
START_TEST(in_order)
{
	struct vmo *empty[20], *a, *b, *locked;
	begin(1);
	for (unsigned i = 0; i < 20; i++)
		empty[i] = cache(4, 0);
	a = cache(8, 6), b = cache(8, 6), locked = cache(8, 6);
	must_ok(lock(locked, SYS_VMO_OP_TRY_LOCK));
	must_ok(lock(a, SYS_VMO_OP_LOCK));
	must_ok(lock(a, SYS_VMO_OP_UNLOCK));                    /* behind b now */
	while (b->tree.charged)
		eq(press(other), VM_AGAIN);
	ck_assert(a->tree.charged == 6 && seen(a, 5) == 105 && !a->discarded && b->discarded && !empty[0]->discarded);
	press_all(other);
	ck_assert(a->tree.charged == 0 && locked->tree.charged == 6 && seen(locked, 5) == 105);
	ck_assert_uint_eq(other->discardable.frames, 0);
	check(a), check(b), check(locked);
	drop(&a->object), drop(&b->object), drop(&locked->object);
	for (unsigned i = 0; i < 20; i++)
		drop(&empty[i]->object);
	end();
}
END_TEST

/* The kernel itself writes to it: it stays, until it is unlocked the next time. */
START_TEST(kept)
{
	struct accessor record = { 0 };
	begin(1);
	struct vmo *v = cache(8, 4);
	must_ok(pagemap_open(v, 2 * P, 64, NULL, &record));
	ck_assert_uint_eq(other->discardable.frames, v->tree.charged);
	eq(press(other), VM_AGAIN);
	eq(press(other), SYS_ERR_NO_MEMORY);
	ck_assert(seen(v, 0) == 100 && seen(v, 3) == 103 && !v->discarded && other->discardable.frames == 0);
	check(v);
	accessor_close(&record);
	eq(press(other), SYS_ERR_NO_MEMORY);
	must_ok(lock(v, SYS_VMO_OP_LOCK));
	ck_assert_uint_eq(state.discarded_size, 0);
	must_ok(lock(v, SYS_VMO_OP_UNLOCK));
	ck_assert_uint_ge(press_all(other), 1);
	ck_assert(v->discarded && seen(v, 3) == 0);
	drop(&v->object);
	end();
}
END_TEST

/* Through a REFERENCE it is the same object; of one that has ended nothing can be locked. */
START_TEST(through_windows)
{
	begin(1);
	struct vmo *v = cache(8, 4), *w = clone_in(payer, v, SYS_VMO_CHILD_REFERENCE, 0, 0), *none;
	must_ok(lock(w, SYS_VMO_OP_LOCK));
	press_all(other);
	ck_assert_uint_eq(seen(v, 3), 103);
	must_ok(lock(v, SYS_VMO_OP_UNLOCK));
	ck_assert_uint_eq(v->locks, 0);
	eq(vmo_create_child(v, other, SYS_VMO_CHILD_SLICE, 0, P, &none), SYS_ERR_NOT_SUPPORTED);
	eq(vmo_create_child(w, other, SYS_VMO_CHILD_SNAPSHOT, 0, P, &none), SYS_ERR_NOT_SUPPORTED);
	object_end(&v->object);
	eq(lock(w, SYS_VMO_OP_LOCK), SYS_ERR_BAD_STATE);        /* it is dying */
	eq(lock(v, SYS_VMO_OP_LOCK), SYS_ERR_BAD_STATE);
	kernel_reap();
	eq(lock(w, SYS_VMO_OP_UNLOCK), SYS_ERR_BAD_STATE);      /* it is gone */
	ck_assert_uint_eq(other->discardable.frames, 0);
	drop(&v->object), drop(&w->object);
	end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("discard");
	add_test(s, locks);
	add_test(s, lock_finishes);
	add_test(s, in_order);
	add_test(s, kept);
	add_test(s, through_windows);
	return s;
}
