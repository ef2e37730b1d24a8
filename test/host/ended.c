/* SPDX-License-Identifier: BSD-2-Clause */
/* ended.c: kernel/vm: what calls say of an object whose end has begun, or whose owner's has: BAD_STATE, from the first moment on;
 * that whoever meets an unfinished shrink goes on with it; and locks of discardable objects. */
#include "arch/arch.h"
#include "common/calls.h"
#include "mem/account.h"
#include "mem/frame.h"
#include "vm/source.h"
#include "vm/space.h"


static struct account *account;
static struct space *space;
static struct page_wait none;

static void reap_all(void)
{
	while (object_reap_step(NULL)) {
	}
}

static void start(void)
{
	machine_start(16384);
	vmo_boot();
	object_type_set(SYS_TYPE_VMAR, &vmar_type);
	eq(account_create(account_root(), 6000, &account), SYS_OK);
	object_cap(&account->object);
	eq(space_create(account, false, &space), SYS_OK);
	object_cap((struct object *)space);
	page_wait_init(&none);
}

static void end(void)
{
	object_uncap((struct object *)space);
	reap_all();
	ck_assert_uint_eq(account->used, 0);
	object_uncap(&account->object);
	reap_all();
	account_check_all();
	frame_check();
}

static struct vmo *object(u64 pages, u32 options)
{
	struct vmo *v;
	u64 done = 0;

	eq(vmo_create(account, pages * P, options, &v), SYS_OK);
	object_cap(&v->object);
	eq(vmo_op_range(v, SYS_VMO_OP_COMMIT, 0, pages * P, &done, &none), SYS_OK);
	return v;
}

static struct vmo *child(struct vmo *v, u32 options, u64 size)
{
	struct vmo *c;

	eq(vmo_create_child(v, account, options, 0, size, &c), SYS_OK);
	object_cap(&c->object);
	return c;
}

static void drop(struct vmo *v)
{
	object_uncap(&v->object);
	reap_all();
}

/* Every call on it. */
static void refuses(struct vmo *v)
{
	struct vmo *out;
	sys_vmo_info_t info;
	vaddr_t at;
	u64 size, done = 0;

	eq(vmo_get_size(v, false, &size), SYS_ERR_BAD_STATE);
	eq(vmo_get_size(v, true, &size), SYS_ERR_BAD_STATE);
	eq(vmo_set_stream_size(v, P, &done, &none), SYS_ERR_BAD_STATE);
	eq(vmo_info(v, &info), SYS_ERR_BAD_STATE);
	for (u32 op = SYS_VMO_OP_COMMIT; op <= SYS_VMO_OP_ZERO; op++)
		if (op == SYS_VMO_OP_COMMIT || op == SYS_VMO_OP_DECOMMIT || op == SYS_VMO_OP_ZERO)
			eq(vmo_op_range(v, op, 0, P, &done, &none), SYS_ERR_BAD_STATE);
	static const u32 kinds[] = { SYS_VMO_CHILD_SNAPSHOT, SYS_VMO_CHILD_SLICE, SYS_VMO_CHILD_REFERENCE };
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		eq(vmo_create_child(v, account, kinds[i], 0, kinds[i] == SYS_VMO_CHILD_REFERENCE ? 0 : P, &out), SYS_ERR_BAD_STATE);
	eq(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW, 0, v, SYS_RIGHTS_VMO, 0, P, NULL, &at), SYS_ERR_BAD_STATE);
	ck_assert_uint_eq(done, 0);
}

/* What is to be copied ends in the charge for the copy, which finds room in something else that is dying. */
START_TEST(source_ends_in_charge)
{
	for (u64 left = 0; left < 40; left++) {
		struct account *poor, *inner;
		struct vmo *v, *big, *c = NULL;
		u64 done = 0;
		start();
		eq(account_create(account, 150, &poor), SYS_OK);
		object_cap(&poor->object);
		eq(account_create(poor, 40, &inner), SYS_OK);
		object_cap(&inner->object);
		eq(vmo_create(inner, 30 * P, 0, &v), SYS_OK);
		object_cap(&v->object);
		eq(vmo_op_range(v, SYS_VMO_OP_COMMIT, 0, 30 * P, &done, &none), SYS_OK);
		eq(vmo_create(poor, 60 * P, 0, &big), SYS_OK);
		object_cap(&big->object);
		done = 0;
		eq(vmo_op_range(big, SYS_VMO_OP_COMMIT, 0, 60 * P, &done, &none), SYS_OK);
		u64 taken = account_free(poor) - left;
		eq(account_charge(poor, taken), SYS_OK);
		object_uncap(&big->object);
		object_uncap(&inner->object);   /* it is reaped first */
		sys_status_t status;
		while ((status = vmo_create_child(v, poor, SYS_VMO_CHILD_SNAPSHOT, 0, 30 * P, &c)) == VM_AGAIN)
			account_check_all();
		eq(status, left < 31 ? SYS_ERR_BAD_STATE : SYS_OK);
		account_uncharge(poor, taken);
		drop(v);
		if (c) {
			object_end(&c->object);
			reap_all();
		}
		object_uncap(&poor->object);
		reap_all();
		end();
	}
}
END_TEST

/* An owner ends: it, and the windows that it leaves behind, before and after it is taken apart. */
START_TEST(owner_ends)
{
	vaddr_t at[3];

	start();
	struct vmo *v = object(20, 0), *slice = child(v, SYS_VMO_CHILD_SLICE, 10 * P), *ref = child(v, SYS_VMO_CHILD_REFERENCE, 0);
	struct vmo *w[3] = { v, slice, ref };
	for (unsigned i = 0; i < 3; i++) {
		eq(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW, 0, w[i], SYS_RIGHTS_VMO, 0, 4 * P, NULL, &at[i]), SYS_OK);
		eq(vm_fault(space, at[i], SYS_ACCESS_WRITE, 9, &none), SYS_OK);
	}
	object_end(&v->object);
	for (unsigned i = 0; i < 3; i++)
		refuses(w[i]);
	reap_all();
	for (unsigned i = 0; i < 3; i++) {
		refuses(w[i]);
		eq(vm_fault(space, at[i], SYS_ACCESS_READ, 9, &none), SYS_ERR_NOT_FOUND);
	}
	for (unsigned i = 3; i-- > 0;)
		drop(w[i]);
	end();
}
END_TEST

/* A window ends that is mapped: its mappings go, the owner's stay. */
START_TEST(window_ends)
{
	vaddr_t own, through;

	start();
	struct vmo *v = object(20, 0), *slice = child(v, SYS_VMO_CHILD_SLICE, 10 * P);
	eq(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW, 0, v, SYS_RIGHTS_VMO, 0, 4 * P, NULL, &own), SYS_OK);
	eq(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW, 0, slice, SYS_RIGHTS_VMO, 0, 4 * P, NULL, &through), SYS_OK);
	object_end(&slice->object);
	reap_all();
	eq(vm_fault(space, own, SYS_ACCESS_WRITE, 9, &none), SYS_OK);
	eq(vm_fault(space, through, SYS_ACCESS_READ, 9, &none), SYS_ERR_NOT_FOUND);
	drop(slice);
	drop(v);
	end();
}
END_TEST

/* Locks are counted; the last one that goes leaves the content to who needs memory. What was discarded is told once. */
START_TEST(locks)
{
	sys_vmo_lock_state_t state;

	start();
	struct vmo *v = object(10, SYS_VMO_DISCARDABLE), *plain = object(10, 0), *c = v;
	u64 size = 10 * P;
	eq(vmo_lock_check(&plain, SYS_VMO_OP_LOCK, 0, size, &state), SYS_ERR_NOT_SUPPORTED);
	eq(vmo_lock_check(&c, SYS_VMO_OP_LOCK, P, size - P, &state), SYS_ERR_OUT_OF_RANGE);
	eq(vmo_lock_check(&c, SYS_VMO_OP_LOCK, 0, size - P, &state), SYS_ERR_OUT_OF_RANGE);
	eq(vmo_lock_check(&c, SYS_VMO_OP_UNLOCK, 0, size, &state), SYS_ERR_BAD_STATE);
	for (unsigned i = 0; i < 2; i++) {
		eq(vmo_lock_check(&c, SYS_VMO_OP_TRY_LOCK, 0, size, &state), SYS_OK);
		ck_assert(c == v && state.size == size && state.discarded_size == 0);
		vmo_lock(v, SYS_VMO_OP_TRY_LOCK);
	}
	for (unsigned i = 2; i-- > 0;) {
		eq(vmo_lock_check(&c, SYS_VMO_OP_UNLOCK, 0, size, &state), SYS_OK);
		vmo_lock(v, SYS_VMO_OP_UNLOCK);
		ck_assert(v->locks == i && list_on(&v->reclaim) == (i == 0));
	}
	while (!vmo_discard_step(v)) {
	}
	ck_assert_uint_eq(v->tree.charged, 0);
	eq(vmo_lock_check(&c, SYS_VMO_OP_TRY_LOCK, 0, size, &state), SYS_ERR_UNAVAILABLE);
	eq(vmo_lock_check(&c, SYS_VMO_OP_LOCK, 0, size, &state), SYS_OK);
	ck_assert_uint_eq(state.discarded_size, size);
	vmo_lock(v, SYS_VMO_OP_LOCK);
	ck_assert(!list_on(&v->reclaim));
	eq(vmo_lock_check(&c, SYS_VMO_OP_LOCK, 0, size, &state), SYS_OK);
	ck_assert_uint_eq(state.discarded_size, 0);
	vmo_check(v);
	drop(v);
	drop(plain);
	end();
}
END_TEST

/* Each of these finds an unfinished shrink, and stops in it when asked. */
START_TEST(meets_a_shrink)
{
	for (unsigned who = 0; who < 6; who++) {
		struct vmo *out = NULL;
		sys_vmo_info_t info;
		u64 done = 0;
		sys_status_t status;
		unsigned again = 0;

		start();
		struct vmo *v = object(1000, SYS_VMO_RESIZABLE);
		host_preempt_every(1);
		while (!v->trimming)
			eq(vmo_set_size(v, 10 * P, true, NULL), VM_AGAIN);
		do {
			switch (who) {
			case 0:  status = vmo_info(v, &info); break;
			case 1:  status = vmo_op_range(v, SYS_VMO_OP_DECOMMIT, 0, P, &done, &none); break;
			case 2:  status = vmo_op_range(v, SYS_VMO_OP_ZERO, 0, P, &done, &none); break;
			case 3:  status = vmo_create_child(v, account, SYS_VMO_CHILD_SNAPSHOT, 0, P, &out); break;
			case 4:  status = vmo_set_size(v, 20 * P, true, NULL); break;
			default: status = vmo_set_size(v, 5 * P, true, NULL);
			}
			again += v->trimming;
		} while (status == VM_AGAIN);
		host_preempt_every(0);
		eq(status, SYS_OK);
		ck_assert(again >= 5 && !v->trimming);
		vmo_check(v);
		if (out) {
			object_cap(&out->object);
			drop(out);
		}
		drop(v);
		end();
	}
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("ended");

	add_test(s, owner_ends);
	add_test(s, source_ends_in_charge);
	add_test(s, window_ends);
	add_test(s, locks);
	add_test(s, meets_a_shrink);
	return s;
}
