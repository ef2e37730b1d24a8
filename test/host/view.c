/* SPDX-License-Identifier: BSD-2-Clause */
/* view.c: clones of roots: what falls through, what does not, and how a view ends. A pager is there, but nobody behind
 * it: the test supplies. Then random operations on a root, its clones and theirs, against plain arrays. */
#include "common/contents.h"
#include "lib/counters.h"

/* ---- rule by rule ------------------------------------------------------------------------------- */
START_TEST(falls_through)
{
	struct vmo *c;
	u64 value;
	begin(8);
	c = clone_of(root, 2, 9);
	ck_assert_uint_eq(c->view->limit, 6);
	eq(get(c, 0, &value), SYS_ERR_SHOULD_WAIT);
	ck_assert_uint_eq(seen(c, 6), 0);                       /* the root ends there */
	must_ok(supply(2, 5));
	must_ok(supply(3, 0));                                  /* known zero */
	ck_assert_uint_eq(seen(c, 0), 5);
	ck_assert_uint_eq(seen(c, 1), 0);
	ck_assert_uint_eq(c->tree.charged, 0);
	must_ok(put(root, 2, 6));
	must_ok(put(root, 3, 7));
	ck_assert(seen(c, 0) == 6 && seen(c, 1) == 7);
	u64 copies = counters.copies, fills = counters.zero_fills;
	must_ok(put(c, 0, 8));
	ck_assert(counters.copies == copies + 1 && counters.zero_fills == fills);
	must_ok(put(c, 8, 9));
	ck_assert_uint_eq(counters.zero_fills, fills + 1);
	ck_assert(seen(root, 2) == 6 && seen(c, 0) == 8 && seen(c, 8) == 9);
	must_ok(put(root, 2, 10));
	ck_assert_uint_eq(seen(c, 0), 8);
	eq(put(c, 3, 1), SYS_ERR_SHOULD_WAIT);
	check(c);
	drop(&c->object);
	end();
}
END_TEST

START_TEST(clones_of_clones)
{
	struct vmo *a, *b, *c;
	begin(8);
	for (u64 i = 0; i < 8; i++)
		must_ok(supply(i, 100 + i));
	a = clone_of(root, 1, 6);
	must_ok(put(a, 0, 1));
	must_ok(put(a, 5, 2));
	b = clone_of(a, 0, 20);                                 /* the tree's and the root's */
	ck_assert(b->view->limit == 6 && b->view->first == 1 && b->tree.charged == a->tree.charged);
	must_ok(put(a, 0, 3));
	must_ok(put(a, 1, 4));
	ck_assert(seen(b, 0) == 1 && seen(b, 1) == 102 && seen(b, 5) == 2 && seen(b, 6) == 0);
	must_ok(vmo_set_size(b, 3 * P, true, NULL));
	must_ok(vmo_set_size(b, 8 * P, true, NULL));
	ck_assert(b->view->limit == 3 && seen(b, 2) == 103 && seen(b, 3) == 0 && seen(b, 5) == 0);
	c = clone_of(b, 1, 7);
	ck_assert(c->view->limit == 2 && c->view->first == 2 && seen(c, 0) == 102 && seen(c, 2) == 0);
	must_ok(put(root, 3, 9));
	ck_assert(seen(a, 2) == 9 && seen(b, 2) == 9 && seen(c, 1) == 9);
	drop(&b->object);
	ck_assert(seen(c, 1) == 9);
	check(a);
	check(c);
	drop(&root->object);                                    /* its clones keep it */
	root = c->view->root;
	must_ok(put(root, 3, 10));
	ck_assert(seen(c, 1) == 10);
	drop(&a->object);
	drop(&c->object);
	root = NULL;
	ck_assert_uint_eq(payer->used, 0);
	end();
}
END_TEST

START_TEST(root_shrinks)
{
	struct vmo *c[40];
	u64 value;
	begin(8);
	for (unsigned i = 0; i < 40; i++)                       /* more than one step's */
		c[i] = clone_of(root, 1, 7);
	for (u64 i = 0; i < 8; i++)
		must_ok(supply(i, 100 + i));
	vaddr_t at = map(c[39], 0, 7);
	ck_assert(shown(at + 3 * P) == 104 && shown(at + 5 * P) == 106);
	host_preempt_every(1);
	sys_status_t status;
	bool between = false;
	while ((status = vmo_set_size(root, 4 * P, true, NULL)) == VM_AGAIN) {
		if (!root->trimming)
			continue;
		between |= c[0]->view->limit != c[39]->view->limit;
		ck_assert(seen(c[39], 3) == 0 && shown(at + 3 * P) == 0 && seen(c[0], 2) == 103);
		if (between && c[20])
			drop(&c[20]->object), c[20] = NULL;
		check(c[39]);
	}
	host_preempt_every(0);
	ck_assert(status == SYS_OK && between);
	must_ok(vmo_set_size(root, 8 * P, true, NULL));
	must_ok(put(root, 4, 5));
	ck_assert(shown(at + 3 * P) == 0 && seen(c[1], 3) == 0 && shown(at + 2 * P) == 103);
	must_ok(vmo_set_size(c[39], 0, true, NULL));
	eq(load(at, &value, &poll), SYS_ERR_OUT_OF_RANGE);
	must_ok(vmo_set_size(root, 0, true, NULL));
	ck_assert_uint_eq(seen(c[0], 0), 0);
	for (unsigned i = 0; i < 40; i++)
		if (c[i])
			check(c[i]), drop(&c[i]->object);
	end();
}
END_TEST

/* A clone that ends within a page it sees of its root shows nothing of that behind its end, when it has grown again. */
START_TEST(tail)
{
	begin(4);
	struct vmo *c = clone_of(root, 0, 4), *poor;
	struct account *little = account_named(4);
	eq(again(vmo_set_size(c, 2 * P + 3, true, &poll)), SYS_ERR_SHOULD_WAIT);
	ck_assert(c->size == 4 * P && c->stream_size == 4 * P);
	must_ok(supply(2, 0x1122334455667788));
	must_ok(vmo_create_child(root, little, MOD | RESIZABLE, 0, 4 * P, &poor));
	object_cap(&poor->object);
	must_ok(account_charge(little, account_free(little)));
	eq(again(vmo_set_size(poor, 2 * P + 3, true, &poll)), SYS_ERR_NO_MEMORY);
	ck_assert(poor->size == 4 * P && seen(poor, 2) == 0x1122334455667788);
	vaddr_t at = map(c, 0, 4);
	ck_assert(shown(at + 2 * P) == 0x1122334455667788);
	must_ok(vmo_set_size(c, 2 * P + 3, true, &poll));
	ck_assert(shown(at + 2 * P) == 0x667788 && c->stream_size == 2 * P + 3);
	must_ok(vmo_set_size(c, 4 * P, true, &poll));
	ck_assert(shown(at + 2 * P) == 0x667788 && seen(c, 3) == 0 && seen(root, 2) == 0x1122334455667788);
	must_ok(vmo_set_size(poor, 2 * P, true, &poll));                /* nothing to clear: no page, no request */
	must_ok(vmo_set_size(root, P + 3, true, &poll));
	ck_assert(pqueue_empty(&pager->queue));
	check(c), check(poor);
	unmap(at, 4);
	account_uncharge(little, 2);
	drop(&c->object), drop(&poor->object), drop(&little->object);
	end();
}
END_TEST

/* Markers of a clone hide the root, in its copies too. */
START_TEST(zeroed)
{
	u64 done = 0;
	begin(2000);
	for (u64 i = 0; i < 2000; i += 100)
		must_ok(supply(i, 1 + i));
	struct vmo *c = clone_of(root, 0, 2000);
	vaddr_t at = map(c, 0, 2000);
	ck_assert(shown(at + 100 * P) == 101 && shown(at + 700 * P) == 701);
	must_ok(put(c, 500, 5));
	must_ok(vmo_op_range(c, SYS_VMO_OP_ZERO, 1 * P, 1798 * P, &done, &poll));
	ck_assert(done == 1798 * P && shown(at + 100 * P) == 0 && shown(at + 700 * P) == 0 && seen(c, 1) == 0);
	ck_assert(shown(at) == 1 && seen(c, 1800) == 1801 && seen(root, 500) == 501);
	struct vmo *inside = clone_of(c, 600, 40), *all = clone_of(c, 0, 2000), *part = clone_of(c, 1795, 20);
	ck_assert(seen(inside, 0) == 0 && seen(all, 500) == 0 && seen(all, 1900) == 1901);
	ck_assert(seen(part, 3) == 0 && seen(part, 5) == 1801);
	must_ok(put(all, 500, 6));
	ck_assert(seen(c, 500) == 0 && seen(all, 501) == 0 && pqueue_empty(&pager->queue));
	check(c), check(inside), check(all), check(part);
	unmap(at, 2000);
	drop(&c->object), drop(&inside->object), drop(&all->object), drop(&part->object);
	end();
}
END_TEST

/* What mappings of clones show follows the root, until the clone has its own. */
START_TEST(mapped)
{
	begin(8);
	struct vmo *c = clone_of(root, 2, 6);
	must_ok(supply(2, 5));
	must_ok(supply(3, 0));
	must_ok(supply(4, 6));
	vaddr_t at = map(c, 0, 6), same = map(c, 0, 6), own = map(root, 0, 8);
	ck_assert(shown(at) == 5 && shown(at + P) == 0 && shown(same + P) == 0 && shown(same + 2 * P) == 6);
	check(c);
	struct vmo *over = clone_of(root, 6, 4);                /* its last two pages are nobody's: no part of the root is shown */
	vaddr_t behind = map(over, 2, 2);
	ck_assert_uint_eq(shown(behind), 0);
	check(over);
	unmap(behind, 2);
	drop(&over->object);
	must_ok(store(own + 3 * P, 7, &poll));                  /* the marker's entries go */
	ck_assert(shown(at + P) == 7 && shown(same + P) == 7);
	must_ok(store(own + 2 * P, 8, &poll));
	ck_assert(shown(at) == 8);
	must_ok(store(at, 9, &poll));
	ck_assert(shown(same) == 9 && shown(own + 2 * P) == 8);
	check(c);
	unmap(at + P, 1);                                       /* split, then cut at both ends */
	unmap(same, 1);
	unmap(same + 5 * P, 1);
	check(c);
	must_ok(vmo_set_size(root, 2 * P, true, NULL));
	ck_assert(shown(at) == 9 && shown(at + 2 * P) == 0 && shown(same + P) == 0);
	check(c);
	drop(&c->object);                                       /* its mappings keep it */
	unmap(at, 6);
	unmap(same, 6);
	kernel_reap();
	check(root);
	unmap(own, 8);
	end();
}
END_TEST

/* While the root takes entries away nobody enters its pages through a clone. */
START_TEST(root_closes)
{
	begin(300);
	for (u64 i = 0; i < 300; i++)
		must_ok(supply(i, 1000 + i));
	struct vmo *c = clone_of(root, 0, 300);
	vaddr_t at = map(c, 0, 300), more[30];
	for (unsigned i = 0; i < 30; i++)
		more[i] = map(c, 0, 300);
	for (u64 i = 0; i < 300; i++)
		ck_assert_uint_eq(shown(at + i * P), 1000 + i);
	ck_assert_uint_eq(shown(more[29] + 200 * P), 1200);
	host_preempt_every(1);
	eq(vmo_set_size(root, 100 * P, true, NULL), VM_AGAIN);
	ck_assert(root->closing.end == 300);
	struct page_ref ref;
	eq(need(c, 200, false, 1, 0, &poll, &ref), VM_AGAIN);
	eq(need(c, 50, false, 1, 0, &poll, &ref), SYS_OK);
	eq(vm_fault(space, more[0] + 98 * P, SYS_ACCESS_READ, 0, &poll), SYS_OK);
	ck_assert(!pt_query(space->root, more[0] + 100 * P).flags && root->closing.end);
	vaddr_t late;
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW | SYS_VM_ALLOW_FAULTS | SYS_VM_MAP_RANGE, 0, c, SYS_RIGHTS_VMO, 0, 300 * P, NULL,
	                 &late));
	ck_assert(root->closing.end && !pt_query(space->root, late).flags && !pt_query(space->root, late + 150 * P).flags);
	unmap(late, 300);
	host_preempt_every(0);
	must_ok(vmo_set_size(root, 100 * P, true, NULL));
	ck_assert(shown(at + 200 * P) == 0 && shown(more[29] + 200 * P) == 0);
	check(c);
	unmap(at, 300);
	for (unsigned i = 0; i < 30; i++)
		unmap(more[i], 300);
	drop(&c->object);
	end();
}
END_TEST

/* Who waits, waits at the root; and is woken by all that can end that. */
START_TEST(waiting)
{
	struct page_wait w[3];
	struct page_ref ref;
	u64 value;
	begin(16);
	for (unsigned i = 0; i < 3; i++)
		page_wait_init(&w[i]);
	struct vmo *c = clone_of(root, 2, 14);
	must_ok(supply(6, 1));
	must_ok(supply(12, 1));
	must_ok(put(c, 4, 1));
	must_ok(vmo_set_size(c, 8 * P, true, NULL));
	eq(need(c, 0, true, 512, 0, &w[0], &ref), SYS_ERR_SHOULD_WAIT);
	ck_assert(w[0].first == 2 && w[0].count == 4 && w[0].root == root && w[0].access == SYS_ACCESS_WRITE);
	eq(need(c, 5, false, 512, 0, &w[1], &ref), SYS_ERR_SHOULD_WAIT);
	ck_assert(w[1].first == 7 && w[1].count == 3);
	vaddr_t at = map(c, 0, 8);
	eq(load(at + 6 * P, &value, &w[2]), SYS_ERR_SHOULD_WAIT);
	ck_assert(w[2].state == PAGE_WAIT_JOINED && w[2].page == 8);
	eq(pager_take(pager) == &w[0], true);
	must_ok(supply(8, 5));                                  /* its fault is finished */
	ck_assert(wakes == 1 && pt_query(space->root, at + 6 * P).flags == PT_READ);
	must_ok(vmo_set_size(c, 5 * P, true, NULL));                  /* w[1] finds out */
	ck_assert(wakes == 2 && w[1].state == PAGE_WAIT_IDLE && w[0].state == PAGE_WAIT_DELIVERED);
	eq(load(at, &value, &w[2]), SYS_ERR_SHOULD_WAIT);
	unmap(at, 8);
	ck_assert(wakes == 3 && w[2].state == PAGE_WAIT_IDLE);
	drop(&c->object);                                       /* of w[0] only the request stays */
	ck_assert(wakes == 4 && w[0].state == PAGE_WAIT_IDLE && !w[0].through);
	eq(need(root, 3, false, 1, 0, &w[0], &ref), SYS_ERR_SHOULD_WAIT);
	ck_assert(w[0].state == PAGE_WAIT_DELIVERED);
	must_ok(supply(3, 1));
	ck_assert_uint_eq(wakes, 5);
	end();
}
END_TEST

/* The root's account ends, the clone's lives on with what it has; and the other way round. */
START_TEST(accounts_end)
{
	struct page_wait w;
	u64 value;
	begin(64);
	struct cnode *cs = cnode_new(account_root(), 256);
	object_cap(&cs->object);
	struct slot *first = cap_put(cs, payer, NULL, SLOT_FIRST), *second = cap_put(cs, other, NULL, SLOT_FIRST);
	page_wait_init(&w);
	struct vmo *a = clone_of(root, 0, 64), *b = clone_of(a, 0, 64);
	for (u64 i = 1; i < 64; i++)
		must_ok(supply(i, 100 + i));
	must_ok(put(a, 1, 5));
	vaddr_t at[25];
	for (unsigned i = 0; i < 25; i++) {
		at[i] = map(i % 2 ? a : b, 0, 64);
		for (u64 j = i + 1; j < 64; j += 3)
			must(shown(at[i] + j * P) == (i % 2 && j == 1 ? 5 : 100 + j));
	}
	eq(load(at[0], &value, &w), SYS_ERR_SHOULD_WAIT);
	object_uncap(&root->object);                            /* their views keep it */
	root = NULL;
	host_preempt_every(1);
	sys_status_t status;
	while ((status = cap_revoke(first)) == VM_AGAIN) {
		vmo_check(a);
		vmo_check(b);
		must(load(at[3] + P, &value, &poll) == SYS_OK && value == 5);   /* that holds nothing up */
		if (a->view->ended == VIEW_CLOSING && at[5])
			unmap(at[5], 40), unmap(at[7] + 3 * P, 2), at[5] = 0;
	}
	host_preempt_every(0);
	ck_assert(status == SYS_OK && payer->used == 0 && wakes == 1);
	eq(get(a, 2, &value), SYS_ERR_BAD_STATE);
	eq(load(at[1] + 2 * P, &value, &poll), SYS_ERR_BAD_STATE);
	ck_assert_uint_eq(shown(at[1] + P), 5);
	struct vmo *none;
	none = clone_of(a, 1, 3);                               /* it has as much */
	ck_assert_uint_eq(seen(none, 0), 5);
	eq(get(none, 1, &value), SYS_ERR_BAD_STATE);
	drop(&none->object);
	eq(again(vmo_create_child(a, other, SYS_VMO_CHILD_SNAPSHOT, 0, P, &none)), SYS_ERR_NOT_SUPPORTED);
	must_ok(vmo_set_size(a, 2 * P, true, NULL));
	must_ok(vmo_set_size(a, 8 * P, true, NULL));
	ck_assert_uint_eq(seen(a, 2), 0);
	check(a);
	new_root(8);                                            /* the clones' account ends */
	must_ok(supply(0, 1));
	struct vmo *c = clone_of(root, 0, 8), *d = clone_of(c, 0, 8);
	must_ok(put(c, 0, 2));
	ck_assert_uint_eq(shown(map(d, 0, 8)), 1);
	object_uncap(&a->object), object_uncap(&b->object), object_uncap(&c->object), object_uncap(&d->object);
	object_uncap((struct object *)space);
	must(revoke_all(second) == SYS_OK);
	ck_assert_uint_eq(other->used, 0);
	ck_assert(list_empty(&root->views) && root->object.refs == 0);
	vmo_check(root);
	must_ok(space_create(other, false, &space));
	object_cap((struct object *)space);
	drop(&cs->object);
	end();
}
END_TEST

/* A revoke above ends views, of clones' clones too; deleting the capability does not. */
START_TEST(revoked)
{
	u64 value;
	begin(8);
	struct cnode *cs = cnode_new(account_root(), 256);
	object_cap(&cs->object);
	struct slot *top = cap_put(cs, root, NULL, SLOT_FIRST), *lent = cap_copy(cs, top), *kept = cap_copy(cs, top);
	must_ok(supply(1, 5));
	struct vmo *a = clone_of(root, 0, 8), *b, *c = clone_of(root, 0, 8);
	view_derive(a, &lent->open, DERIV_SLOT_OPEN);
	view_derive(c, &kept->open, DERIV_SLOT_OPEN);
	b = clone_of(a, 1, 2);
	view_derive(b, &kept->open, DERIV_SLOT_OPEN);           /* it has its place already */
	vaddr_t at = map(b, 0, 2);
	ck_assert_uint_eq(shown(at), 5);
	deriv_check(top);
	must(delete_all(kept) == SYS_OK);
	ck_assert_uint_eq(seen(c, 1), 5);
	must(revoke_all(lent) == SYS_OK);
	deriv_check(top);
	eq(get(a, 1, &value), SYS_ERR_BAD_STATE);
	eq(load(at, &value, &poll), SYS_ERR_BAD_STATE);
	eq(put(b, 0, 1), SYS_ERR_BAD_STATE);
	ck_assert_uint_eq(seen(c, 1), 5);
	check(a), check(b), check(c);
	must(revoke_all(top) == SYS_OK);
	eq(get(c, 1, &value), SYS_ERR_BAD_STATE);
	ck_assert(list_empty(&root->views) && seen(root, 1) == 5);
	unmap(at, 2);
	drop(&a->object), drop(&b->object), drop(&c->object);
	must(delete_all(top) == SYS_OK);
	drop(&cs->object);
	end();
}
END_TEST

/* What a charge ends may be the root whose page is about to be copied. */
START_TEST(charge_ends_root)
{
	begin(8);
	struct account *mine = account_new(account_root(), 60), *inner = account_new(mine, 20);
	struct vmo *dying, *spare;
	u64 done = 0, fresh = 0, value;
	object_cap(&mine->object);
	object_cap(&inner->object);
	must_ok(pager_create_vmo(pager, inner, 0, 78, 8 * P, &dying));
	object_cap(&dying->object);
	must_ok(put(aux, 0, 99));
	must_ok(pager_supply(pager, dying, 0, P, aux, 0, &done, &fresh));
	struct vmo *c = clone_in(mine, dying, ALOW, 0, 8);
	must_ok(vmo_create(mine, 4 * P, 0, &spare));
	object_cap(&spare->object);
	must_ok(put(spare, 0, 1));
	u64 taken = 0;
	while (account_charge(mine, 1) == SYS_OK)
		taken++;
	object_uncap(&spare->object);                           /* both end, the root first, when memory is short */
	object_uncap(&inner->object);
	eq(get(c, 0, &value), SYS_OK);
	eq(put(c, 0, 5), SYS_ERR_BAD_STATE);
	ck_assert(c->tree.charged == 0 && c->view->ended == VIEW_GONE);
	vmo_check(c);
	account_uncharge(mine, taken);
	drop(&dying->object);
	drop(&c->object);
	ck_assert_uint_eq(mine->used, 0);
	drop(&mine->object);
	end();
}
END_TEST

START_TEST(refusals)
{
	struct vmo *c, *none, *anon;
	u64 done = 0, fresh = 0;
	begin(8);
	must_ok(supply(1, 5));
	c = clone_of(root, 0, 8);
	eq(vmo_create_child(root, other, SYS_VMO_CHILD_SNAPSHOT, 0, P, &none), SYS_ERR_NOT_SUPPORTED);
	eq(vmo_create_child(c, other, SYS_VMO_CHILD_SNAPSHOT, 0, P, &none), SYS_ERR_NOT_SUPPORTED);
	eq(vmo_create_child(root, other, ALOW | MOD, 0, P, &none), SYS_ERR_INVALID_ARGS);
	eq(vmo_op_range(c, SYS_VMO_OP_DECOMMIT, 0, P, &done, &poll), SYS_ERR_NOT_SUPPORTED);
	eq(pager_supply(pager, c, 0, P, aux, 0, &done, &fresh), SYS_ERR_INVALID_ARGS);
	eq(pager_op_range(pager, SYS_PAGER_OP_FAIL, c, 0, P, SYS_ERR_IO), SYS_ERR_INVALID_ARGS);
	eq(pager_supply(pager, root, 0, P, c, 0, &done, &fresh), SYS_ERR_NOT_SUPPORTED);
	must_ok(vmo_create(other, 4 * P, 0, &anon));
	object_cap(&anon->object);
	must_ok(put(anon, 0, 1));
	struct vmo *copy = clone_of(anon, 0, 4);
	must_ok(put(anon, 0, 2));
	ck_assert(seen(copy, 0) == 1 && !copy->view);           /* CHILD-ALOW-01, CHILD-MOD-08 */
	each_failure(n) {
		u64 used = other->used;
		sys_status_t status = again(vmo_create_child(root, other, ALOW, 0, 4 * P, &none));
		ck_assert_int_eq(status, allocation_failed() ? SYS_ERR_NO_MEMORY : SYS_OK);
		ck_assert(status == SYS_OK || other->used == used);
		if (status == SYS_OK)
			object_cap(&none->object), drop(&none->object);
		check(root);
	}
	must_ok(put(c, 1, 6));
	each_failure(n) {
		u64 used = other->used;
		sys_status_t status = again(vmo_create_child(c, other, MOD, 0, 4 * P, &none));
		ck_assert_int_eq(status, allocation_failed() ? SYS_ERR_NO_MEMORY : SYS_OK);
		ck_assert(status == SYS_OK || other->used == used);
		if (status == SYS_OK)
			object_cap(&none->object), drop(&none->object);
		check(c);
	}
	drop(&c->object), drop(&copy->object), drop(&anon->object);
	end();
}
END_TEST

/* A view that ends: its walk over the clone's mappings stands at one that goes, or is cut. What is left goes on. */
START_TEST(ends_among_mappings)
{
	u64 value;
	for (unsigned kind = 0; kind < 4; kind++) {
		begin(1200);
		must_ok(supply(1, 5));
		must_ok(supply(600, 6));
		must_ok(supply(1199, 7));
		struct vmo *c = clone_of(root, 0, 1200);
		vaddr_t at[20];
		for (unsigned i = 0; i < 20; i++) {             /* in the order of what they show */
			at[i] = map(c, i < 19 ? 0 : 1, 1199);
			ck_assert(shown(at[i] + (i < 19 ? P : 0)) == 5 && shown(at[i] + (i < 19 ? 600 : 599) * P) == 6);
		}
		unsigned last = 19;
		bool to_last = kind == 3;
		do
			must(!view_end_step(c->view) && c->view->ended == VIEW_CLOSING);
		while (!c->view->at || (to_last && c->view->at->first == 0));
		struct mapping *m = c->view->at->mapping;
		vaddr_t here = m->region.base;
		if (kind == 0)
			unmap(here, 1199);                      /* it goes */
		else if (kind == 1)
			unmap(here, 2);                         /* it begins further on, where the walk goes on behind others */
		else if (kind == 2)
			unmap(at[last], 2);                     /* one behind it */
		else
			unmap(here, 700);                       /* the last */
		check(c);
		while (!view_end_step(c->view))
			check(c);
		check(c);
		eq(load(at[5] + 600 * P, &value, &poll), kind == 0 && here == at[5] ? SYS_ERR_NOT_FOUND : SYS_ERR_BAD_STATE);
		ck_assert(!pt_query(space->root, at[last] + 599 * P).flags && seen(root, 600) == 6);
		drop(&c->object);
		for (unsigned i = 0; i < 20; i++)
			unmap(at[i], 1199);
		kernel_reap();
		end();
	}
}
END_TEST

/* The walk stands within a mapping that goes, and the next one lies below it in the space: that is looked at from its beginning. */
START_TEST(ends_within_a_mapping)
{
	vaddr_t high, low;
	begin(1200);
	must_ok(supply(1, 5));
	must_ok(supply(600, 6));
	struct vmo *c = clone_of(root, 0, 1200);
	u32 options = RW | SYS_VM_ALLOW_FAULTS | SYS_VM_SPECIFIC;
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, options, 2ull << 30, c, SYS_RIGHTS_VMO, 0, 1200 * P, NULL, &high));
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, options, 1ull << 30, c, SYS_RIGHTS_VMO, P, 1199 * P, NULL, &low));
	ck_assert(shown(high + P) == 5 && shown(high + 600 * P) == 6 && shown(low) == 5 && shown(low + 599 * P) == 6);
	must(!view_end_step(c->view));
	ck_assert(c->view->at->mapping->region.base == high && c->view->va > high && c->view->va < high + 600 * P);
	unmap(high, 1200);
	while (!view_end_step(c->view))
		check(c);
	ck_assert(!pt_query(space->root, low).flags && !pt_query(space->root, low + 599 * P).flags);
	check(c);
	unmap(low, 1199);
	drop(&c->object);
	end();
}
END_TEST

/* Many wait through it, by calls: they are woken in steps, when it ends and when its clone does. */
START_TEST(ends_among_waiters)
{
	struct page_wait w[40];
	struct page_ref ref;
	begin(8);
	for (unsigned i = 0; i < 40; i++)
		page_wait_init(&w[i]);
	for (unsigned round = 0; round < 2; round++) {
		struct vmo *c = clone_of(root, 0, 8);
		wakes = 0;
		for (unsigned i = 0; i < 40; i++)
			eq(need(c, i % 8, false, 1, 0, &w[i], &ref), SYS_ERR_SHOULD_WAIT);
		if (round == 0) {
			must(!view_end_step(c->view));
			ck_assert(wakes > 0 && wakes < 40);
			check(c);
			while (!view_end_step(c->view))
				;
			ck_assert_uint_eq(wakes, 40);
			eq(need(c, 0, false, 1, 0, &w[0], &ref), SYS_ERR_BAD_STATE);
		} else {
			object_uncap(&c->object);
			while (object_reap_step(NULL))
				;
			ck_assert_uint_eq(wakes, 40);
		}
		check(root);
		if (round == 0)
			drop(&c->object);
	}
	end();
}
END_TEST

/* A root that is dying gives nothing to its clones and theirs; what lies beyond its end was never its own. */
START_TEST(root_is_dying)
{
	u64 value;
	struct deriv none = { 0 };
	begin(8);
	must_ok(supply(1, 4));
	must_ok(supply(2, 5));
	struct vmo *a = clone_of(root, 0, 8), *beyond = clone_of(root, 20, 4), *b;
	ck_assert(beyond->view->limit == 0 && seen(beyond, 1) == 0);
	must_ok(put(a, 1, 6));
	object_end(&root->object);
	eq(get(a, 2, &value), SYS_ERR_BAD_STATE);
	b = clone_of(a, 0, 8);
	ck_assert(b->view->ended == VIEW_GONE && seen(b, 1) == 6);
	eq(get(b, 2, &value), SYS_ERR_BAD_STATE);
	view_derive(b, &none, DERIV_SLOT_OPEN);                 /* there is nothing to end */
	ck_assert(!none.next && !b->view->deriv.prev);
	check(a), check(b), check(beyond);
	kernel_reap();
	eq(get(a, 2, &value), SYS_ERR_BAD_STATE);
	check(a), check(b), check(beyond);
	drop(&a->object), drop(&b->object), drop(&beyond->object), drop(&root->object);
	root = NULL;
	end();
}
END_TEST

/* While a root shrinks: the clone at which that stands goes; clones of clones wait until it is done. Where clones may lie. */
START_TEST(shrinks_meanwhile)
{
	struct vmo *c[40], *none;
	begin(300);
	for (u64 i = 0; i < 300; i++)
		must_ok(supply(i, i));
	for (unsigned i = 0; i < 40; i++)
		c[i] = clone_of(root, 100, 80);
	host_preempt_every(1);
	while (vmo_set_size(root, 120 * P, true, NULL) == VM_AGAIN && (!root->trimming || root->untrimmed == root->views.next))
		;
	must(root->trimming);
	unsigned at = 0;
	while (root->untrimmed != &c[at]->view->link)
		must(++at < 39);
	drop(&c[at]->object);
	ck_assert_ptr_eq(root->untrimmed, &c[at + 1]->view->link);
	eq(vmo_create_child(c[0], other, MOD, 0, 8 * P, &none), VM_AGAIN);
	host_preempt_every(0);
	c[at] = clone_of(c[0], 0, 80);
	ck_assert(!root->trimming && c[at]->view->limit == 20 && seen(c[at], 19) == 119 && seen(c[39], 20) == 0);
	eq(vmo_set_size(c[0], VMO_MAX_SIZE, true, &poll), SYS_ERR_INVALID_ARGS);
	eq(vmo_create_child(c[0], other, MOD, VMO_MAX_SIZE - P, P, &none), SYS_ERR_INVALID_ARGS);
	for (unsigned i = 0; i < 40; i++) {
		check(c[i]);
		drop(&c[i]->object);
	}
	end();
}
END_TEST

/* ---- random operations -------------------------------------------------------------------------- */
#define OBJECTS 7u                      /* model[0] is the root */
#define PAGES   24u
#define WAITERS 4u

struct model {
	struct vmo *v;
	u64 pages, first, limit;
	bool own[PAGES], ended;
	u64 value[PAGES];
	vaddr_t at[2];                  /* where it is mapped, whole and beyond; 0: not */
};
static struct model model[OBJECTS];
static u64 source_limit;
static struct waiter { struct page_wait w; struct model *m; unsigned which; u64 page; bool active, write; } waiter[WAITERS];

/* What a read of the page must give. */
static sys_status_t expected(const struct model *m, u64 page, u64 *value)
{
	*value = 0;
	if (page >= m->pages)
		return SYS_ERR_OUT_OF_RANGE;
	if (m->own[page]) {
		*value = m->value[page];
		return SYS_OK;
	}
	if (m == &model[0])
		return page < source_limit ? SYS_ERR_SHOULD_WAIT : SYS_OK;
	if (page >= m->limit)
		return SYS_OK;
	return m->ended ? SYS_ERR_BAD_STATE : expected(&model[0], m->first + page, value);
}

/* One access of m, by a call (which == 2) or through its mapping; as the model says. */
static sys_status_t access_page(struct model *m, unsigned which, u64 page, bool write, struct page_wait *w)
{
	u64 value, is = 0, fresh = random_u64();
	sys_status_t right = expected(m, page, &value), status;
	struct page_ref ref;
	w->space = NULL;
	if (which < 2) {
		vaddr_t at = m->at[which] + page * P;
		status = write ? store(at, fresh, w) : load(at, &is, w);
	} else {
		status = again(need(m->v, page, write, 1 + random_below(8), (unsigned)random_below(8), w, &ref));
		if (status == SYS_OK && write)
			*(u64 *)phys_to_virt(ref.frame) = fresh;
		else if (status == SYS_OK)
			is = *(u64 *)phys_to_virt(ref.frame);
	}
	if (status == SYS_ERR_NO_MEMORY)
		return status;
	must(status == right && (status != SYS_OK || write || is == value));
	if (status == SYS_OK && write) {
		m->own[page] = true;
		m->value[page] = fresh;
	}
	return status;
}

static void go_on(struct waiter *x)
{
	if (x->active && x->w.state == PAGE_WAIT_IDLE)
		x->active = access_page(x->m, x->which, x->page, x->write, &x->w) == SYS_ERR_SHOULD_WAIT;
}

/* Nobody waits through what goes now. */
static void forget_waiters(const struct model *m, unsigned which)
{
	for (struct waiter *x = waiter; x < waiter + WAITERS; x++)
		if (x->active && x->m == m && (which == 3 || x->which == which)) {
			page_wait_cancel(&x->w);
			x->active = false;
		}
}

static void touch(struct model *m)
{
	unsigned which = (unsigned)random_below(3);
	u64 page = random_below(m->pages + 1);
	struct waiter *x = &waiter[random_below(WAITERS)];
	if (which < 2 && (!m->at[which] || page >= PAGES))
		which = 2;
	if (random_chance(80) || x->active) {
		access_page(m, which, page, random_chance(50), &poll);
		return;
	}
	*x = (struct waiter){ .w = x->w, .m = m, .which = which, .page = page, .write = random_chance(50), .active = true };
	go_on(x);
}

static void make(struct model *m)
{
	struct model *from = &model[random_below(OBJECTS)];
	u64 first = random_below(10), pages = random_below(PAGES + 1);
	if (!from->v || from == m)
		return;
	sys_status_t status = again(vmo_create_child(from->v, other, (random_chance(50) ? ALOW : MOD) | RESIZABLE,
	                                             first * P, pages * P, &m->v));
	if (status != SYS_OK) {
		must(status == SYS_ERR_NO_MEMORY);
		m->v = NULL;
		return;
	}
	object_cap(&m->v->object);
	struct vmo *v = m->v;
	*m = (struct model){ .v = v, .pages = pages, .first = first + from->first, .ended = from->ended };
	u64 left = from == &model[0] ? from->pages : from->limit;
	m->limit = MIN(pages, left > first ? left - first : 0);
	for (u64 i = 0; from != &model[0] && i < pages && first + i < from->pages; i++) {
		m->own[i] = from->own[first + i];
		m->value[i] = from->value[first + i];
	}
	must(m->v->view->limit == m->limit);
}

static void resize(struct model *m)
{
	u64 pages = random_below(PAGES + 1);
	sys_status_t status = again(vmo_set_size(m->v, pages * P, true, NULL));
	must(status == SYS_OK);
	for (u64 i = pages; i < PAGES; i++)
		m->own[i] = false;
	m->pages = pages;
	m->limit = MIN(m->limit, pages);
	if (m != &model[0])
		return;
	source_limit = MIN(source_limit, pages);
	for (struct model *c = model + 1; c < model + OBJECTS; c++)
		if (!c->ended)
			c->limit = MIN(c->limit, pages > c->first ? pages - c->first : 0);
}

static void random_supply(void)
{
	u64 page = random_below(PAGES), value = random_chance(70) ? random_u64() : 0;
	if (page >= model[0].pages)
		return;
	sys_status_t status = supply(page, value);
	if (status == SYS_ERR_NO_MEMORY)
		return;
	must(status == SYS_OK);
	if (page < source_limit && !model[0].own[page]) {
		model[0].own[page] = true;
		model[0].value[page] = value;
	}
}

static void remap(struct model *m, unsigned which)
{
	if (m->at[which]) {
		unmap(m->at[which], PAGES);
		m->at[which] = 0;
		for (struct waiter *x = waiter; x < waiter + WAITERS; x++)
			must(!x->active || x->m != m || x->which != which || x->w.state == PAGE_WAIT_IDLE);
		forget_waiters(m, which);
	} else {
		host_fail_charge_at = 0;
		m->at[which] = map(m->v, 0, PAGES);
	}
}

static void end_object(struct model *m)
{
	for (unsigned i = 0; i < 2; i++)
		if (m->at[i])
			remap(m, i);
	object_uncap(&m->v->object);
	if (random_chance(50))
		kernel_reap();
	forget_waiters(m, 3);
	m->v = NULL;
}

/* A clone's pages are zero from now on, and hide the root's. Nobody is asked. */
static void zero(struct model *m)
{
	u64 first = random_below(m->pages + 1), n = random_below(m->pages - first + 1), done = 0;
	host_fail_charge_at = 0;
	must_ok(vmo_op_range(m->v, SYS_VMO_OP_ZERO, first * P, n * P, &done, &poll));
	for (u64 i = first; i < first + n; i++) {
		m->own[i] = true;
		m->value[i] = 0;
	}
}

/* The view alone, as a revoke does it. */
static void end_view(struct model *m)
{
	while (!view_end_step(m->v->view))
		if (random_chance(20))
			vmo_check(m->v);
	m->ended = true;
}

static void step(void)
{
	struct model *m = &model[random_below(OBJECTS)];
	if (!m->v)
		return make(m);
	switch (random_below(24)) {
	case 0: resize(m); break;
	case 1: remap(m, (unsigned)random_below(2)); break;
	case 2: case 3: case 4: random_supply(); break;
	case 5: if (m != model && random_chance(30)) end_object(m); break;
	case 6: if (m != model && random_chance(10)) end_view(m); break;
	case 7: if (m != model) zero(m); break;
	default: touch(m);
	}
	for (struct waiter *x = waiter; x < waiter + WAITERS; x++)
		go_on(x);
}

static void check_all(void)
{
	u64 value;
	for (struct model *m = model; m < model + OBJECTS; m++) {
		if (!m->v)
			continue;
		check(m->v);
		for (u64 page = 0; page <= m->pages; page++)
			must(expected(m, page, &value) == access_page(m, 2, page, false, &poll));
	}
}

START_TEST(random_operations)
{
	begin(PAGES);
	for (unsigned i = 0; i < WAITERS; i++)
		page_wait_init(&waiter[i].w);
	for (unsigned episode = 0; episode < 12; episode++) {
		model[0] = (struct model){ .v = root, .pages = PAGES };
		source_limit = PAGES;
		for (unsigned i = 0; i < 1500; i++) {
			host_preempt_every((unsigned)random_below(4));
			host_fail_charge_at = random_chance(5) ? 1 + random_below(3) : 0;
			step();
			host_fail_charge_at = 0;
			if (i % 16 == 0)
				check_all();
		}
		host_preempt_every(0);
		for (unsigned i = OBJECTS; i-- > 0;)
			if (model[i].v)
				end_object(&model[i]);
		kernel_reap();
		new_root(PAGES);
	}
	end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("view");
	add_test(s, falls_through);
	add_test(s, clones_of_clones);
	add_test(s, root_shrinks);
	add_test(s, tail);
	add_test(s, zeroed);
	add_test(s, mapped);
	add_test(s, root_closes);
	add_test(s, waiting);
	add_test(s, accounts_end);
	add_test(s, revoked);
	add_test(s, charge_ends_root);
	add_test(s, refusals);
	add_test(s, ends_among_mappings);
	add_test(s, ends_within_a_mapping);
	add_test(s, ends_among_waiters);
	add_test(s, root_is_dying);
	add_test(s, shrinks_meanwhile);
	add_test(s, random_operations);
	return s;
}
