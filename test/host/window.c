/* SPDX-License-Identifier: BSD-2-Clause */
/* window.c: slices and references: what they show, and what becomes of them and of what is made from them when their owner ends. */
#include "common/contents.h"
#include "vm/pagemap.h"
#include "vm/window.h"

#define SLICE     SYS_VMO_CHILD_SLICE
#define REFERENCE SYS_VMO_CHILD_REFERENCE

/* The owner is ended: all windows are severed, those made from windows too, and their mappings go. */
START_TEST(severed)
{
	u64 value, size;
	begin(1);
	u64 used = payer->used;
	struct vmo *v = anonymous(other, 16, 0), *a = clone_in(payer, v, SLICE, 4, 8), *b = clone_in(payer, a, SLICE, 2, 4);
	struct vmo *c = clone_in(payer, b, REFERENCE, 0, 0), *d = clone_in(payer, v, REFERENCE, 0, 0);
	vaddr_t at[4];
	must_ok(put(v, 7, 5));
	for (unsigned i = 0; i < 4; i++)
		at[i] = map(i < 2 ? a : i < 3 ? b : c, 0, 4);
	ck_assert(shown(at[0] + 3 * P) == 5 && shown(at[1] + 3 * P) == 5 && shown(at[2] + P) == 5 && shown(at[3] + P) == 5);
	check(v);
	window_check(a), window_check(b), window_check(c), window_check(d);
	object_end(&v->object);
	eq(vmo_get_size(c, false, &size), SYS_ERR_BAD_STATE);
	while (object_reap_step(NULL))
		window_check(a), window_check(b), window_check(c), window_check(d);
	kernel_reap();
	for (unsigned i = 0; i < 4; i++)
		eq(load(at[i] + P, &value, &poll), SYS_ERR_NOT_FOUND);
	struct vmo *none;
	u64 done = 0, fresh = 0;
	eq(vmo_get_size(a, false, &size), SYS_ERR_BAD_STATE);
	eq(vmo_create_child(b, other, REFERENCE, 0, 0, &none), SYS_ERR_BAD_STATE);
	eq(vmo_create_child(b, other, SLICE, 0, P, &none), SYS_ERR_BAD_STATE);
	eq(vmo_create_child(c, other, SYS_VMO_CHILD_SNAPSHOT, 0, P, &none), SYS_ERR_BAD_STATE);
	eq(pager_supply(pager, d, 0, P, aux, 0, &done, &fresh), SYS_ERR_INVALID_ARGS);
	drop(&a->object), drop(&b->object), drop(&c->object), drop(&d->object), drop(&v->object);
	ck_assert_uint_eq(payer->used, used);
	end();
}
END_TEST

/* A root's windows are not its pager's to supply through; the root is, until it dies. */
START_TEST(of_roots)
{
	u64 done = 0, fresh = 0;
	struct accessor record = { 0 };
	begin(8);
	struct vmo *w = clone_in(payer, root, REFERENCE, 0, 0), *c = clone_of(root, 0, 8);
	must_ok(put(aux, 0, 5));
	eq(pager_supply(pager, w, 3 * P, P, aux, 0, &done, &fresh), SYS_ERR_INVALID_ARGS);
	must_ok(pager_supply(pager, root, 3 * P, P, aux, 0, &done, &fresh));
	ck_assert(fresh == P && seen(root, 3) == 5);
	eq(pagemap_open(w, 3 * P, 64, NULL, &record), SYS_ERR_NOT_SUPPORTED);
	eq(pagemap_open(c, 3 * P, 64, NULL, &record), SYS_ERR_NOT_SUPPORTED);
	object_end(&root->object);
	done = 0;
	eq(pager_supply(pager, w, 2 * P, P, aux, 0, &done, &fresh), SYS_ERR_INVALID_ARGS);
	eq(pager_supply(pager, root, 2 * P, P, aux, 0, &done, &fresh), SYS_ERR_BAD_STATE);
	kernel_reap();
	eq(pager_supply(pager, root, 2 * P, P, aux, 0, &done, &fresh), SYS_ERR_BAD_STATE);
	drop(&w->object), drop(&c->object), drop(&root->object);
	root = NULL;
	end();
}
END_TEST

/* What the list of a space's mappings says of one that was made through a window; where it may lie. */
START_TEST(mapped)
{
	sys_maps_t row;
	vaddr_t va = 0, none;
	u32 depth = 0;
	begin(1);
	struct vmo *v = anonymous(other, 16, 0), *a = clone_in(payer, v, SLICE, 4, 8);
	must_ok(put(v, 6, 5));
	vaddr_t at = map(a, 1, 2);
	ck_assert(vmar_maps_next(&space->root_vmar, &va, &depth, &row));
	ck_assert(row.base == at && row.size == 2 * P && row.vmo_koid == a->object.koid && row.vmo_offset == P);
	ck_assert_uint_eq(shown(at + P), 5);
	vaddr_t beyond = map(a, 7, 2), whole = map(v, 11, 2);           /* the slice ends where its owner goes on */
	must_ok(vm_fault(space, beyond, SYS_ACCESS_READ, 0, &poll));
	eq(vm_fault(space, beyond + P, SYS_ACCESS_READ, 0, &poll), SYS_ERR_OUT_OF_RANGE);
	must_ok(vm_fault(space, whole + P, SYS_ACCESS_READ, 0, &poll));
	unmap(beyond, 2), unmap(whole, 2);
	u32 options = RW | SYS_VM_ALLOW_FAULTS;
	eq(again(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, options, 0, a, SYS_RIGHTS_VMO, UINT64_MAX & ~PAGE_MASK, P, NULL, &none)),
	   SYS_ERR_OUT_OF_RANGE);
	eq(again(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, options, 0, v, SYS_RIGHTS_VMO, UINT64_MAX & ~PAGE_MASK, 2 * P, NULL, &none)),
	   SYS_ERR_OUT_OF_RANGE);
	eq(again(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, options, 0, v, SYS_RIGHTS_VMO, 0, UINT64_MAX, NULL, &none)),
	   SYS_ERR_OUT_OF_RANGE);
	check(v);
	unmap(at, 2);
	drop(&v->object), drop(&a->object);
	end();
}
END_TEST

/* An account that is full, in which what ends to make room for a child may be the owner of the window that the child is made from. */
static struct { struct account *mine, *inner; struct vmo *owner, *w, *spare, *filler[700]; unsigned n; } full;

static void full_begin(void)
{
	begin(1);
	full.mine = account_new(account_root(), 60);
	full.inner = account_new(full.mine, 20);
	object_cap(&full.mine->object), object_cap(&full.inner->object);
}

static void full_fill(void)
{
	object_cap(&full.owner->object);
	full.spare = anonymous(full.mine, 4, 0);
	must_ok(put(full.spare, 0, 1));
	for (full.n = 0; vmo_create(full.mine, P, 0, &full.filler[full.n]) == SYS_OK; full.n++) {
		object_cap(&full.filler[full.n]->object);
		must(full.n + 1 < ARRAY_LEN(full.filler));
	}
}

/* Both end when memory is short, the owner first. */
static void full_let_go(void)
{
	object_uncap(&full.spare->object);
	object_uncap(&full.inner->object);
}

static void full_end(void)
{
	while (full.n > 0)
		drop(&full.filler[--full.n]->object);
	drop(&full.w->object), drop(&full.owner->object);
	ck_assert_uint_eq(full.mine->used, 0);
	drop(&full.mine->object);
	end();
}

START_TEST(room_ends_the_owner)
{
	static const u32 kinds[] = { SYS_VMO_CHILD_SNAPSHOT, REFERENCE };
	for (unsigned k = 0; k < ARRAY_LEN(kinds); k++) {
		struct vmo *child;
		full_begin();
		must_ok(vmo_create(full.inner, 12 * P, 0, &full.owner));
		must_ok(put(full.owner, 9, 1));
		full.w = clone_in(full.mine, full.owner, SLICE, 0, 12);
		full_fill();
		full_let_go();
		sys_status_t status = again(vmo_create_child(full.w, full.mine, kinds[k], 0, kinds[k] == REFERENCE ? 0 : 12 * P, &child));
		if (kinds[k] == REFERENCE) {            /* made in time, of nothing */
			must_ok(status);
			ck_assert_ptr_null(child->content);
			object_cap(&child->object), drop(&child->object);
		} else {
			eq(status, SYS_ERR_BAD_STATE);
		}
		ck_assert_ptr_null(full.w->content);
		window_check(full.w);
		full_end();
	}
}
END_TEST

/* The same of a root, when there was room for the child and not for its view: no view is left behind. */
START_TEST(room_ends_the_root)
{
	struct vmo *child;
	full_begin();
	must_ok(pager_create_vmo(pager, full.inner, 0, 78, 12 * P, &full.owner));
	full.w = clone_in(full.mine, full.owner, REFERENCE, 0, 0);
	full_fill();
	drop(&full.filler[--full.n]->object);
	u64 used = full.mine->used;
	full_let_go();
	eq(again(vmo_create_child(full.w, full.mine, MOD, 0, 8 * P, &child)), SYS_ERR_BAD_STATE);
	ck_assert(!full.w->content && full.mine->used < used && list_empty(&full.owner->views));
	full_end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("window");
	add_test(s, severed);
	add_test(s, of_roots);
	add_test(s, mapped);
	add_test(s, room_ends_the_owner);
	add_test(s, room_ends_the_root);
	return s;
}
