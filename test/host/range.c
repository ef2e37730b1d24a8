/* SPDX-License-Identifier: BSD-2-Clause */
/* range.c: operations on ranges that go in steps: what else is going on between those, and content that is far apart. */
#include "common/contents.h"

static u64 done;

static sys_status_t once(struct vmo *v, u32 op, u64 page, u64 pages)
{
	return vmo_op_range(v, op, page * P, pages * P, &done, &poll);
}

static void whole(struct vmo *v, u32 op, u64 page, u64 pages)
{
	done = 0;
	must_ok(once(v, op, page, pages));
	must(done == pages * P);
}

/* Memory for what is committed comes from what is dying, in more steps than one entry does. */
START_TEST(commit_waits_for_the_dying)
{
	begin(1);
	struct account *mine = account_named(40);
	struct vmo *v = anonymous(mine, 8, 0), *dying = anonymous(mine, 30, 0), *copy[12];
	for (u64 i = 0; i < 24; i++)
		must_ok(put(dying, i, i));
	for (unsigned i = 0; i < 12; i++)
		copy[i] = clone_in(other, dying, SYS_VMO_CHILD_SNAPSHOT, 0, 2);
	u64 rest = account_free(mine) - 2;
	must_ok(account_charge(mine, rest));
	object_uncap(&dying->object);                           /* it hands its children over first */
	done = 0;
	host_preempt_every(1);
	eq(once(v, SYS_VMO_OP_COMMIT, 0, 8), VM_AGAIN);
	ck_assert(done == 0 && v->tree.charged == 0);
	host_preempt_every(0);
	must_ok(once(v, SYS_VMO_OP_COMMIT, 0, 8));
	ck_assert(done == 8 * P && v->tree.charged == 8);
	check(v);
	for (unsigned i = 0; i < 12; i++) {
		ck_assert_uint_eq(seen(copy[i], 1), 1);
		drop(&copy[i]->object);
	}
	drop(&v->object);
	account_uncharge(mine, rest);
	ck_assert_uint_eq(mine->used, 0);
	drop(&mine->object);
	end();
}
END_TEST

/* Of a root large markers are passed at a glance; who waits for pages of it goes on, in steps. */
START_TEST(zero_of_roots)
{
	struct page_wait w[40];
	struct page_ref ref;
	begin(600000);
	must_ok(supply(700, 5));
	whole(root, SYS_VMO_OP_ZERO, 0, 600000);
	u64 pages, nodes;
	tree_totals(&root->tree, &pages, &nodes);
	ck_assert(pages == 0 && nodes < 10 && seen(root, 700) == 0 && seen(root, 599999) == 0);
	whole(root, SYS_VMO_OP_ZERO, 0, 600000);                /* it is */
	whole(root, SYS_VMO_OP_ZERO, 100, 300);                 /* part of one of them */
	must_ok(put(root, 50, 7));
	whole(root, SYS_VMO_OP_ZERO, 0, 40);
	ck_assert(seen(root, 50) == 7 && pqueue_empty(&pager->queue));
	check(root);
	drop(&root->object);
	new_root(100);
	wakes = 0;
	for (unsigned i = 0; i < 40; i++) {
		page_wait_init(&w[i]);
		eq(need(root, 3, false, 1, 0, &w[i], &ref), SYS_ERR_SHOULD_WAIT);
	}
	done = 0;
	host_preempt_every(1);
	eq(once(root, SYS_VMO_OP_ZERO, 2, 4), VM_AGAIN);
	host_preempt_every(0);
	ck_assert(wakes < 40);
	must_ok(once(root, SYS_VMO_OP_ZERO, 2 + done / P, 4 - done / P));
	ck_assert(wakes == 40 && seen(root, 3) == 0);
	check(root);
	end();
}
END_TEST

/* Content becomes so small while it is measured that it stands in the header. */
START_TEST(measured_meanwhile)
{
	sys_vmo_info_t info;
	begin(1);
	struct vmo *v = anonymous(other, 1200, 0);
	for (u64 i = 0; i < 600; i++)
		must_ok(put(v, i, i));
	host_preempt_every(1);
	for (unsigned i = 0; i < 20; i++)
		eq(vmo_info(v, &info), VM_AGAIN);
	host_preempt_every(0);
	unsigned calls = 0;
	sys_status_t status;
	do {                                                    /* whatever ends may have shared it; but not for ever */
		host_preempt_every(0);
		struct vmo *short_lived = anonymous(other, 1, 0);
		drop(&short_lived->object);
		host_preempt_every(1);
		must(++calls < 200);
	} while ((status = vmo_info(v, &info)) == VM_AGAIN);
	ck_assert(status == SYS_OK && calls > 60 && info.committed == 600 * P && info.private_bytes == 600 * P);
	eq(vmo_info(v, &info), VM_AGAIN);
	host_preempt_every(0);
	whole(v, SYS_VMO_OP_DECOMMIT, 0, 1200);
	must_ok(put(v, 2, 1));
	must_ok(vmo_info(v, &info));
	ck_assert(info.committed == P && v->tree.inlined);
	must_ok(vmo_info(v, &info));
	ck_assert(info.committed == P && info.private_bytes == P && info.scaled_bytes == P);
	drop(&v->object);
	end();
}
END_TEST

/* Copies of where nothing is: beyond all nodes, between them, and of a part of one. */
START_TEST(copies_far_apart)
{
	begin(1);
	struct vmo *v = anonymous(other, 1ull << 30, 0);
	must_ok(put(v, 600, 1));
	must_ok(put(v, 601, 2));
	static const struct { u64 first, pages, has; } part[] = {
		{ 300000, 1000, 0 }, { 1ull << 29, 100, 0 }, { 0, 500, 0 }, { 590, 20, 2 }, { 601, 9, 1 }, { 512, 1ull << 20, 2 }, { 0, 601, 1 },
	};
	for (unsigned again_ = 0; again_ < 2; again_++) {
		for (unsigned i = 0; i < ARRAY_LEN(part); i++) {
			struct vmo *copy = clone_in(other, v, SYS_VMO_CHILD_SNAPSHOT, part[i].first, part[i].pages);
			u64 pages, nodes;
			tree_totals(&copy->tree, &pages, &nodes);
			ck_assert_uint_eq(pages, part[i].has);
			check(copy), check(v);
			drop(&copy->object);
		}
		must_ok(put(v, 1ull << 21, 3));                 /* now there are levels between */
	}
	drop(&v->object);
	end();
}
END_TEST

/* With MAP_RANGE entries are made at once, of what is there; not beyond the end of the stream where that bounds the mapping, nor
 * while access to the content is being taken away. */
START_TEST(mapped_at_once)
{
	vaddr_t at;
	u64 value;
	u32 options = RW | SYS_VM_MAP_RANGE | SYS_VM_ALLOW_FAULTS;
	begin(1);
	struct vmo *v = anonymous(other, 3000, 0), *copy;
	for (u64 i = 0; i < 3000; i += i < 1000 ? 1 : 500)
		must_ok(put(v, i, i));
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, options, 0, v, SYS_RIGHTS_VMO, 0, 3000 * P, NULL, &at));
	ck_assert(pt_query(space->root, at).flags && pt_query(space->root, at + 10 * P).flags && !pt_query(space->root, at + 1001 * P).flags);
	ck_assert(pt_query(space->root, at + 2000 * P).flags && !pt_query(space->root, at + 2500 * P).flags);        /* not too many */
	check(v);
	unmap(at, 3000);
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, options & ~RW, 0, v, SYS_RIGHTS_VMO, 0, 3000 * P, NULL, &at));
	ck_assert(!pt_query(space->root, at).flags);            /* nothing is allowed */
	unmap(at, 3000);
	host_preempt_every(1);                                  /* somebody asks for the CPU: up to the next multiple of 16 pages */
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, options | SYS_VM_SPECIFIC, (1ull << 30) + P - space->root_vmar.region.base, v,
	                 SYS_RIGHTS_VMO, 0, 3000 * P, NULL, &at));
	host_preempt_every(0);
	ck_assert(at == (1ull << 30) + P && pt_query(space->root, at + 14 * P).flags && !pt_query(space->root, at + 15 * P).flags);
	unmap(at, 3000);
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, options | SYS_VM_FAULT_BEYOND_STREAM_SIZE, 0, v, SYS_RIGHTS_VMO, 0, 3000 * P, NULL, &at));
	ck_assert(pt_query(space->root, at + 999 * P).flags && !pt_query(space->root, at + 2500 * P).flags);
	ck_assert_uint_eq(shown(at + 2500 * P), 2500);
	must_ok(put(v, 2501, 1));
	must_ok(put(v, 2502, 1));
	vaddr_t there = at + 2501 * P;
	ck_assert(shown(there) == 1 && pt_query(space->root, there + P).flags);
	unmap(at, 3000);
	u64 reached = 0;
	must_ok(vmo_set_stream_size(v, 5 * P + 1, &reached, &poll));
	for (u64 i = 0; i < 20; i++)
		must_ok(put(v, i, i));
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, options | SYS_VM_FAULT_BEYOND_STREAM_SIZE, 0, v, SYS_RIGHTS_VMO, 0, 20 * P, NULL, &at));
	ck_assert(pt_query(space->root, at + 5 * P).flags && !pt_query(space->root, at + 6 * P).flags);
	eq(load(at + 6 * P, &value, &poll), SYS_ERR_OUT_OF_RANGE);
	unmap(at, 20);
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, (options | SYS_VM_FAULT_BEYOND_STREAM_SIZE) & ~SYS_VM_MAP_RANGE, 0, v,
	                 SYS_RIGHTS_VMO, 0, 20 * P, NULL, &at));
	ck_assert_uint_eq(shown(at + P), 1);                    /* those beside it come along, up to there */
	ck_assert(pt_query(space->root, at + 5 * P).flags && !pt_query(space->root, at + 6 * P).flags);
	check(v);
	unmap(at, 20);
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, options, 0, v, SYS_RIGHTS_VMO, 0, 3000 * P, NULL, &at));
	copy = clone_in(other, v, SYS_VMO_CHILD_SNAPSHOT, 0, 3000);
	for (u64 i = 0; i < 20; i++)
		must(shown(at + i * P) == i);
	for (u64 i = 0; i < 12; i++)
		shown(map(v, 0, 20));
	done = 0;
	host_preempt_every(1);
	eq(once(v, SYS_VMO_OP_DECOMMIT, 0, 20), VM_AGAIN);
	host_preempt_every(0);
	ck_assert_uint_gt(v->closing.end, 0);
	vaddr_t late;
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, options, 0, v, SYS_RIGHTS_VMO, 0, 20 * P, NULL, &late));
	ck_assert(!pt_query(space->root, late).flags && !pt_query(space->root, late + 19 * P).flags);
	must_ok(once(v, SYS_VMO_OP_DECOMMIT, 0, 20));
	ck_assert(shown(late + 19 * P) == 0 && seen(copy, 19) == 19);
	check(v), check(copy);
	drop(&v->object), drop(&copy->object);
	end();
}
END_TEST

/* A page in a leaf that three share, and of which a fourth has a copy: a third of a half, to the last digit. */
START_TEST(scaled_exactly)
{
	sys_vmo_info_t info;
	begin(1);
	struct vmo *v = anonymous(other, 20, 0), *copy[3];
	must_ok(put(v, 9, 1));
	for (unsigned i = 0; i < 3; i++)
		copy[i] = clone_in(other, v, SYS_VMO_CHILD_SNAPSHOT, 0, 20);
	must_ok(put(copy[2], 10, 2));
	must_ok(again(vmo_info(v, &info)));
	ck_assert(info.private_bytes == 0 && info.scaled_bytes == 682 && info.scaled_fraction == 6148914691236517205u);
	must_ok(again(vmo_info(copy[2], &info)));
	ck_assert(info.private_bytes == P && info.scaled_bytes == P + 2048 && info.scaled_fraction == 0);
	for (unsigned i = 0; i < 3; i++)
		drop(&copy[i]->object);
	drop(&v->object);
	end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("range");
	add_test(s, commit_waits_for_the_dying);
	add_test(s, zero_of_roots);
	add_test(s, measured_meanwhile);
	add_test(s, copies_far_apart);
	add_test(s, mapped_at_once);
	add_test(s, scaled_exactly);
	return s;
}
