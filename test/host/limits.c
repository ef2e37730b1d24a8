/* SPDX-License-Identifier: BSD-2-Clause */
/* limits.c: kernel: how much one entry does when somebody asks for the CPU at each look: to the number, since that is what bounds how
 * long an entry takes, and what must not become nothing. Whole calls: steps.c. */
#include "common/contents.h"
#include "vm/transfer.h"
#include "vm/vmar.h"

#define ONE_ENTRY(call) ({ host_preempt_every(1); __auto_type result_ = (call); host_preempt_every(0); result_; })

/* ---- capabilities ------------------------------------------------------------------------------------------------ */

static struct cnode *cs;

static unsigned named(const struct cnode *c)
{
	unsigned n = 0;
	for (u32 i = 1; i < c->slots; i++)
		n += cnode_slot(c, i)->object != NULL;
	return n;
}

/* Nine at least; with many CPUs one more than twice as many as there are. */
START_TEST(revoke)
{
	static const struct { unsigned cpus, caps; } rows[] = { { 1, 9 }, { 4, 9 }, { 5, 11 }, { 8, 17 } };
	begin(1);
	cs = cnode_new(account_root(), 128);
	object_cap(&cs->object);
	struct slot *top = cap_put(cs, account_root(), NULL, SLOT_FIRST);
	struct slot *s = cap_put(cs, object_new(account_root(), SYS_TYPE_NOTIFICATION), top, SLOT_FIRST);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		for (unsigned n = 0; n < 40; n++)
			cap_copy(cs, s);
		host_cpus_set(rows[i].cpus);
		eq(ONE_ENTRY(cap_revoke(s)), VM_AGAIN);
		host_cpus_set(1);
		ck_assert_uint_eq(named(cs), 2 + 40 - rows[i].caps);
		eq(cap_revoke(s), SYS_OK);
	}
	delete_all(s);
	delete_all(top);
	drop(&cs->object);
	end();
}
END_TEST

/* A mapping counts as six capabilities: what stands below one, from the oldest on, and how much of it goes. */
START_TEST(revoke_of_mappings)
{
	static const struct { const char *below; unsigned gone; } rows[] = {
		{ "cccmcc", 4 }, { "ccmccc", 4 }, { "cmcccc", 4 }, { "mmmmmm", 2 }, { "mccccc", 4 }, { "cccccc", 6 }, { "ccccmc", 5 },
	};
	begin(1);
	cs = cnode_new(account_root(), 128);
	object_cap(&cs->object);
	struct vmo *v = anonymous(other, 1, 0);
	struct slot *s = cap_put(cs, v, NULL, SLOT_FIRST);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		for (const char *c = rows[i].below; *c; c++) {
			vaddr_t at;
			if (*c == 'c')
				cap_copy(cs, s);
			else
				must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW, 0, v, SYS_RIGHTS_VMO, 0, P, &s->open, &at));
		}
		eq(ONE_ENTRY(cap_revoke(s)), rows[i].gone == 6 ? SYS_OK : VM_AGAIN);
		ck_assert_uint_eq(named(cs) - 1 + v->mapping_count, 6 - rows[i].gone);
		eq(cap_revoke(s), SYS_OK);
	}
	delete_all(s);
	drop(&cs->object);
	drop(&v->object);
	end();
}
END_TEST

START_TEST(cnode_ends)
{
	begin(1);
	cs = cnode_new(account_root(), 128);
	object_cap(&cs->object);
	object_uncap(&cs->object);
	for (u32 built = 128; built > 0; built -= 16) {
		ck_assert_uint_eq(cs->built, built);
		must(object_reap_step(NULL));
	}
	kernel_reap();
	end();
}
END_TEST

/* ---- frames ------------------------------------------------------------------------------------------------------ */

START_TEST(frames_in_a_row)
{
	u64 next = 0, start = 0;
	begin(1);
	for (u64 looked = 64; looked <= HOST_RAM_BASE >> PAGE_SHIFT; looked += 64) {    /* there is no RAM */
		eq(frame_find_row(&next, &start, 1, 1), VM_AGAIN);
		ck_assert_uint_eq(next, looked);
	}
	end();
}
END_TEST

/* Those in front of it are listed first, 64 of them in one step. */
START_TEST(frame_is_taken)
{
	machine_start(4096);
	u64 first = (frame_alloc(FRAME_OBJECT) >> PAGE_SHIFT) + 1, free = frame_count_free();
	eq(frame_take(first + 64, FRAME_OBJECT), SYS_OK);
	eq(frame_take(first + 65 + 65, FRAME_OBJECT), VM_AGAIN);
	ck_assert_uint_eq(frame_count_free(), free - 1);
	eq(frame_take(first + 65 + 65, FRAME_OBJECT), SYS_OK);
	ck_assert_uint_eq(frame_count_free(), free - 2);
	frame_check();
}
END_TEST

/* ---- who waits --------------------------------------------------------------------------------------------------- */

#define WAITERS 40u
static struct page_wait w[WAITERS];

/* So many wait for this page of v, the first of whom asked. */
static void wait_for(struct vmo *v, u64 page, unsigned n)
{
	struct page_ref ref;
	for (unsigned i = 0; i < n; i++) {
		page_wait_init(&w[i]);
		must(need(v, page, false, 1, 0, &w[i], &ref) == SYS_ERR_SHOULD_WAIT);
	}
	pager_take(pager);
	wakes = 0;
}

START_TEST(answers)
{
	for (unsigned n = 1; n < WAITERS; n++) {
		u64 done = 0, fresh = 0;
		begin(8);
		wait_for(root, 3, n);
		sys_status_t status = pager_supply(pager, root, 3 * P, P, aux, P, &done, &fresh);
		eq(status, n > 17 ? VM_AGAIN : SYS_OK);         /* sixteen who joined, then who asked */
		ck_assert_uint_eq(wakes, n > 17 ? 16 : n);
		must_ok(pager_supply(pager, root, 3 * P, P, aux, P, &done, &fresh));
		ck_assert(wakes == n && fresh == P);
		end();
	}
}
END_TEST

START_TEST(failures)
{
	for (unsigned n = 1; n < WAITERS; n++) {
		begin(8);
		wait_for(root, 3, n);
		eq(ONE_ENTRY(pager_op_range(pager, SYS_PAGER_OP_FAIL, root, 0, 8 * P, SYS_ERR_IO)), VM_AGAIN);
		ck_assert_uint_eq(wakes, n > 17 ? 16 : n);
		must_ok(pager_op_range(pager, SYS_PAGER_OP_FAIL, root, 0, 8 * P, SYS_ERR_IO));
		ck_assert_uint_eq(wakes, n);
		end();
	}
}
END_TEST

/* Who waits at an address that is unmapped. */
START_TEST(mapping_goes)
{
	for (unsigned n = 1; n < WAITERS; n++) {
		u64 value;
		begin(8);
		vaddr_t at = map(root, 0, 8);
		for (unsigned i = 0; i < n; i++) {
			page_wait_init(&w[i]);
			eq(load(at + n % 8 * P, &value, &w[i]), SYS_ERR_SHOULD_WAIT);
		}
		wakes = 0;
		eq(ONE_ENTRY(vmar_unmap(&space->root_vmar, true, at, 8 * P)), n >= 8 ? VM_AGAIN : SYS_OK);
		ck_assert_uint_eq(wakes, n >= 8 ? 8 : n);
		if (n >= 8)
			unmap(at, 8);
		ck_assert_uint_eq(wakes, n);
		end();
	}
}
END_TEST

/* ---- views ------------------------------------------------------------------------------------------------------- */

START_TEST(view_ends)
{
	for (unsigned n = 1; n < WAITERS; n++) {
		begin(8);
		struct vmo *c = clone_of(root, 0, 8);
		wait_for(c, n % 8, n);
		ck_assert(view_end_step(c->view) == (n < 16));
		ck_assert_uint_eq(wakes, MIN(n, 16));
		while (!view_end_step(c->view))
			;
		ck_assert_uint_eq(wakes, n);
		drop(&c->object);
		end();
	}
}
END_TEST

static unsigned in_root(const struct vmo *c)
{
	unsigned n = 0;
	for (struct interval *i = interval_of(avl_first(&c->mappings)); i; i = interval_next(i))
		n += i->mapping->root.mapping != NULL;
	return n;
}

START_TEST(view_ends_for_mappings)
{
	for (unsigned n = 1; n < 36; n++) {
		begin(8);
		struct vmo *c = clone_of(root, 0, 8);
		for (unsigned i = 0; i < n; i++)
			map(c, 0, 8);
		ck_assert(view_end_step(c->view) == (n <= 16));
		ck_assert_uint_eq(in_root(c), n > 16 ? n - 16 : 0);
		while (!view_end_step(c->view))
			;
		drop(space);
		must_ok(space_create(other, false, &space));
		object_cap((struct object *)space);
		drop(&c->object);
		end();
	}
}
END_TEST

/* The root shrinks: so many views are told in one step. */
START_TEST(views_are_trimmed)
{
	struct vmo *c[40];
	begin(8);
	for (unsigned i = 0; i < 40; i++)
		c[i] = clone_of(root, i % 8, 8 - i % 8);
	eq(ONE_ENTRY(vmo_set_size(root, 4 * P, true, &poll)), VM_AGAIN);
	unsigned told = 0;
	for (unsigned i = 0; i < 40; i++) {
		u64 left = i % 8 < 4 ? 4 - i % 8 : 0;
		told += c[i]->view->limit == left;
		ck_assert_uint_eq(view_limit(c[i]->view), left);        /* it holds for all at once */
	}
	ck_assert_uint_eq(told, 16);
	ck_assert(vmo_trim(root));
	for (unsigned i = 0; i < 40; i++) {
		ck_assert_uint_eq(c[i]->view->limit, i % 8 < 4 ? 4 - i % 8 : 0);
		drop(&c[i]->object);
	}
	end();
}
END_TEST

/* ---- mappings ---------------------------------------------------------------------------------------------------- */

#define CHANGES 200u

/* Every second page may not be written to, so permissions change at each page but the first. */
static struct mapping *many_changes(struct vmo *v, vaddr_t *at)
{
	*at = map(v, 0, CHANGES);
	for (u64 i = 1; i < CHANGES; i += 2) {
		u64 done = 0;
		must_ok(vmar_protect(&space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ, *at + i * P, P, &done));
	}
	return vmar_find(&space->root_vmar, *at);
}

/* From the front and from the end 64 points go in one step; a split moves as many. */
START_TEST(points_of_change)
{
	vaddr_t at;
	begin(1);
	struct vmo *v = anonymous(other, CHANGES, 0);
	struct mapping *m = many_changes(v, &at);
	eq(mapping_cut_step(m, at, at + (CHANGES - 1) * P), VM_AGAIN);
	ck_assert(m->region.base == at + 64 * P && mapping_end_va(m) == at + CHANGES * P);
	check(v);
	eq(mapping_cut_step(m, at + 65 * P, at + CHANGES * P), VM_AGAIN);
	ck_assert(m->region.base == at + 64 * P && mapping_end_va(m) == at + (CHANGES - 64) * P);
	check(v);
	unmap(at, CHANGES);
	m = many_changes(v, &at);
	eq(mapping_cut_step(m, at + 10 * P, at + 11 * P), VM_AGAIN);
	ck_assert_uint_eq(mapping_end_va(m), at + (CHANGES - 64) * P);
	for (u64 i = 0; i < CHANGES; i++) {
		vaddr_t until;
		struct mapping *here = vmar_find(&space->root_vmar, at + i * P);
		must(here && (here == m) == (i < CHANGES - 64));
		must(mapping_perm(here, at + i * P, &until) == (i % 2 ? (u32)SYS_VM_PERM_READ : (u32)RW));
	}
	check(v);
	unmap(at, CHANGES);
	drop(&v->object);
	end();
}
END_TEST

/* Entries go mapping by mapping, eight that have none in one step, or rows of 128 pages of one. */
START_TEST(access_goes)
{
	vaddr_t at[20];
	begin(1);
	struct vmo *v = anonymous(other, 1000, 0);
	for (unsigned i = 0; i < 20; i++)
		at[i] = map(v, i, 1);
	for (unsigned step = 1; step <= 2; step++) {
		must(!mapping_unmap_step(v, 0, 1000));
		ck_assert(v->closing.at && v->closing.at->first == step * 8 * P && v->closing.va == 0);
	}
	must(mapping_unmap_step(v, 0, 1000) && !v->closing.end);
	for (unsigned i = 0; i < 20; i++)
		unmap(at[i], 1);
	for (u64 i = 0; i < 1000; i++)
		must_ok(put(v, i, i + 1));
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW | SYS_VM_SPECIFIC, 1024 * P - SPACE_LOW, v, SYS_RIGHTS_VMO, 0, 1000 * P, NULL, at));
	for (u64 i = 0; i < 1000; i++)
		must(shown(at[0] + i * P) == i + 1);
	for (u64 gone = 128; gone < 1000; gone += 128) {
		must(!mapping_unmap_step(v, 0, 1000));
		ck_assert(pt_query(space->root, at[0] + gone * P).flags && !pt_query(space->root, at[0] + (gone - 1) * P).flags);
		ck_assert_uint_eq(v->closing.va, at[0] + gone * P);
	}
	must(mapping_unmap_step(v, 0, 1000));
	unmap(at[0], 1000);
	drop(&v->object);
	end();
}
END_TEST

/* What a mapping takes the place of goes at once if it is no more than four. */
START_TEST(overwriting)
{
	for (unsigned n = 1; n < 8; n++) {
		vaddr_t at, first = 0x10000000;
		begin(1);
		struct vmo *v = anonymous(other, 8, 0);
		for (unsigned i = 0; i < n; i++)
			must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW | SYS_VM_SPECIFIC, first + i * P - SPACE_LOW, v, SYS_RIGHTS_VMO, i * P, P, NULL, &at));
		eq(ONE_ENTRY(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW | SYS_VM_SPECIFIC_OVERWRITE, first - SPACE_LOW, v, SYS_RIGHTS_VMO, 0,
		                      8 * P, NULL, &at)), n > 4 ? VM_AGAIN : SYS_OK);
		ck_assert_uint_eq(v->mapping_count, n > 4 ? n - 4 : 1);
		unmap(first, 8);
		drop(&v->object);
		end();
	}
}
END_TEST

/* A copy is made in the entry that took write access away, if that was from few. */
START_TEST(write_access_goes)
{
	for (unsigned n = 1; n < 10; n++) {
		struct vmo *copy;
		vaddr_t at[10];
		begin(1);
		struct vmo *v = anonymous(other, 4, 0);
		for (unsigned i = 0; i < n; i++) {
			at[i] = map(v, 0, 4);
			must_ok(store(at[i], 5, &poll));
		}
		sys_status_t status = vmo_create_child(v, other, SYS_VMO_CHILD_SNAPSHOT, 0, 4 * P, &copy);
		eq(status, n > 5 ? VM_AGAIN : SYS_OK);
		if (status != SYS_OK)
			must_ok(vmo_create_child(v, other, SYS_VMO_CHILD_SNAPSHOT, 0, 4 * P, &copy));
		object_cap(&copy->object);
		for (unsigned i = 0; i < n; i++)
			unmap(at[i], 4);
		drop(&copy->object), drop(&v->object);
		end();
	}
}
END_TEST

/* What is refused within the first 128 ranges has changed nothing; behind them it is found out on the way. */
START_TEST(protect_ahead)
{
	for (u64 refused = 126; refused < 131; refused++) {
		vaddr_t at, first = 0x10000000, until;
		u64 done = 0;
		begin(1);
		struct vmo *v = anonymous(other, 140, 0);
		for (u64 i = 0; i < 140; i++)
			must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ | SYS_VM_SPECIFIC, first + i * P - SPACE_LOW, v,
			                 SYS_RIGHTS_VMO & ~(i == refused ? (u32)SYS_RIGHT_WRITE : 0), i * P, P, NULL, &at));
		eq(vmar_protect(&space->root_vmar, SYS_RIGHTS_VMAR, RW, first, 140 * P, &done), SYS_ERR_ACCESS_DENIED);
		ck_assert_uint_eq(done, refused < 128 ? 0 : refused * P);
		for (u64 i = 0; i < 140; i++)
			must((mapping_perm(vmar_find(&space->root_vmar, first + i * P), first + i * P, &until) == RW) == (refused >= 128 && i < refused));
		unmap(first, 140);
		drop(&v->object);
		end();
	}
}
END_TEST

/* ---- ranges ------------------------------------------------------------------------------------------------------ */

/* Of what a pager supplied sixteen pages are aged in one entry, of zeros as many as one node says. */
START_TEST(hints)
{
	u64 done = 0, fresh = 0, at = 0;
	begin(2000);
	for (u64 i = 0; i < 40; i++)
		must_ok(supply(i, i + 1));
	struct vmo *nothing = anonymous(other, 1024, 0);
	must_ok(pager_supply(pager, root, 512 * P, 1024 * P, nothing, 0, &at, &fresh));
	drop(&nothing->object);
	for (u64 pages = 16; pages < 40; pages += 16) {
		eq(ONE_ENTRY(vmo_op_range(root, SYS_VMO_OP_DONT_NEED, 0, 40 * P, &done, &poll)), VM_AGAIN);
		ck_assert_uint_eq(done, pages * P);
	}
	eq(ONE_ENTRY(vmo_op_range(root, SYS_VMO_OP_DONT_NEED, 0, 40 * P, &done, &poll)), SYS_OK);
	ck_assert_uint_eq(done, 40 * P);
	for (u64 pages = 512; pages <= 1024; pages += 512) {
		at = 0;
		eq(ONE_ENTRY(vmo_op_range(root, SYS_VMO_OP_PREFETCH, pages * P, 600 * P, &at, &poll)), VM_AGAIN);
		ck_assert_uint_eq(at, 512 * P);
	}
	end();
}
END_TEST

/* Where there is nothing a transfer goes on at once; of zeros by eight nodes. */
START_TEST(transfers)
{
	u64 done = 0;
	begin(1);
	struct vmo *src = anonymous(other, 10000, 0), *dst = anonymous(other, 10000, 0);
	eq(ONE_ENTRY(vmo_transfer(dst, 0, 0, 10000 * P, src, 0, &done, &poll)), SYS_OK);
	must_ok(put(src, 9999, 1));
	u64 page = 0;
	while (tree_zero_step(&src->tree, &page, 9000, TREE_CLEAN) == VM_AGAIN)
		;
	done = 0;
	for (u64 pages = 4096; pages < 9000; pages += 4096) {
		eq(ONE_ENTRY(vmo_transfer(dst, 0, 0, 10000 * P, src, 0, &done, &poll)), VM_AGAIN);
		ck_assert_uint_eq(done, pages * P);
	}
	must_ok(vmo_transfer(dst, 0, 0, 10000 * P, src, 0, &done, &poll));
	ck_assert(seen(dst, 9999) == 1 && seen(src, 9999) == 0 && done == 10000 * P);
	drop(&src->object), drop(&dst->object);
	end();
}
END_TEST

/* ---- what can be had again ------------------------------------------------------------------------------------------ */

/* Of pages that may hold zeros two are read in one step, sixteen others are passed by. */
START_TEST(zeros)
{
	begin(1);
	struct account *mine = account_named(200);
	struct vmo *v = anonymous(mine, 60, 0);
	u64 done = 0;
	must_ok(vmo_op_range(v, SYS_VMO_OP_COMMIT, 0, 40 * P, &done, &poll));
	for (u64 i = 40; i < 50; i++)
		must_ok(put(v, i, 1));
	static const u64 hands[] = { 16, 32, 41, 43, 45, 47, 49 };
	for (unsigned i = 0; i < ARRAY_LEN(hands); i++) {
		eq(press(mine), VM_AGAIN);
		ck_assert_uint_eq(v->hand, hands[i]);
	}
	eq(press(mine), VM_AGAIN);
	ck_assert(v->hand == 0 && !list_on(&v->reclaim));
	drop(&v->object);
	drop(&mine->object);
	end();
}
END_TEST

/* Sixteen discardable objects that hold nothing are passed by in one step. */
START_TEST(discardable)
{
	for (unsigned empty = 14; empty < 18; empty++) {
		struct vmo *v[18], *full;
		begin(1);
		struct account *mine = account_named(200);
		for (unsigned i = 0; i < empty; i++)
			v[i] = anonymous(mine, 1, SYS_VMO_DISCARDABLE);
		full = anonymous(mine, 1, SYS_VMO_DISCARDABLE);
		u64 done = 0;
		must_ok(vmo_op_range(full, SYS_VMO_OP_COMMIT, 0, P, &done, &poll));
		eq(press(mine), VM_AGAIN);
		ck_assert(full->discarded == (empty < 16));
		eq(press(mine), empty < 16 ? SYS_ERR_NO_MEMORY : VM_AGAIN);
		ck_assert(full->discarded);
		for (unsigned i = 0; i < empty; i++)
			drop(&v[i]->object);
		drop(&full->object), drop(&mine->object);
		end();
	}
}
END_TEST

/* Sixteen pages of a root are looked at in one step. */
START_TEST(pages_of_roots)
{
	begin(60);
	for (u64 i = 0; i < 50; i++) {
		must_ok(supply(i, i + 1));
		frame_of(tree_frame(tree_lookup(&root->tree, i)))->state |= FRAME_GUARDED;
	}
	for (u64 hand = 16; hand < 50; hand += 16) {
		eq(press(payer), VM_AGAIN);
		ck_assert_uint_eq(root->hand, hand);
	}
	eq(press(payer), VM_AGAIN);
	ck_assert_uint_eq(root->hand, 0);
	end();
}
END_TEST

/* So many rounds are made before it is known that there is nothing: then one more begins at the next charge. */
START_TEST(rounds)
{
	begin(8);
	must_ok(supply(0, 1));
	frame_of(tree_frame(tree_lookup(&root->tree, 0)))->state |= FRAME_GUARDED;
	u32 number = payer->round.number;
	unsigned steps = press_all(payer);
	ck_assert_uint_eq(payer->round.number, number + 8);
	ck_assert_uint_eq(steps, 15);
	ck_assert_uint_eq(press_all(payer), 15);
	ck_assert(there(root, 0));
	end();
}
END_TEST

/* A page that is accessed in each round stays young for four of them in which nothing went, and goes when it has grown old. In how
 * many mappings that is looked for: a page with more of them counts as accessed. */
START_TEST(accessed)
{
	for (unsigned n = 15; n < 19; n++) {
		begin(8);
		must_ok(supply(0, 1));
		vaddr_t at[20];
		for (unsigned i = 0; i < n; i++) {
			at[i] = map(root, 0, 1);
			must(shown(at[i]) == 1);
		}
		for (unsigned i = 0; i < n; i++)
			pt_harvest(space->root, at[i], tree_frame(tree_lookup(&root->tree, 0)));
		frame_of(tree_frame(tree_lookup(&root->tree, 0)))->state = 0;
		u32 number = payer->round.number;
		unsigned rounds = 0;
		while (there(root, 0) && rounds < 20) {
			eq(press(payer), VM_AGAIN);
			rounds = payer->round.number - number;
		}
		ck_assert_uint_eq(rounds, n > 16 ? 5 : 1);
		end();
	}
}
END_TEST

/* ---- measuring ----------------------------------------------------------------------------------------------------- */

/* Something is destroyed each time: it begins anew, but not for ever. */
START_TEST(survey)
{
	sys_vmo_info_t info;
	unsigned entries = 1;
	begin(1);
	struct vmo *v = anonymous(other, 100, 0);
	for (u64 i = 0; i < 100; i++)
		must_ok(put(v, i, 1));
	while (ONE_ENTRY(vmo_info(v, &info)) == VM_AGAIN) {
		object_reap_steps++;
		must(++entries < 1000);
	}
	ck_assert_uint_eq(entries, 64 + 7);
	ck_assert_uint_eq(info.private_bytes, 100 * P);
	must(ONE_ENTRY(vmo_info(v, &info)) == VM_AGAIN);
	for (u64 page = 0; page < 50;)                          /* it has less than when that began: anew, too */
		must_ok(tree_zero_step(&v->tree, &page, 50, TREE_CLEAN));
	while (ONE_ENTRY(vmo_info(v, &info)) == VM_AGAIN)
		;
	ck_assert(info.private_bytes == 50 * P && info.committed == 50 * P);
	drop(&v->object);
	end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("limits");
	add_test(s, revoke);
	add_test(s, revoke_of_mappings);
	add_test(s, cnode_ends);
	add_test(s, frames_in_a_row);
	add_test(s, frame_is_taken);
	add_test(s, answers);
	add_test(s, failures);
	add_test(s, mapping_goes);
	add_test(s, view_ends);
	add_test(s, view_ends_for_mappings);
	add_test(s, views_are_trimmed);
	add_test(s, points_of_change);
	add_test(s, access_goes);
	add_test(s, overwriting);
	add_test(s, write_access_goes);
	add_test(s, protect_ahead);
	add_test(s, hints);
	add_test(s, transfers);
	add_test(s, zeros);
	add_test(s, discardable);
	add_test(s, pages_of_roots);
	add_test(s, rounds);
	add_test(s, accessed);
	add_test(s, survey);
	return s;
}
