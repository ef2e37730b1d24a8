/* SPDX-License-Identifier: BSD-2-Clause */
/* edges.c: kernel/vm: where ranges end: what lies right in front of them and right behind stays as it is, and is not waited for. */
#include "common/contents.h"
#include "vm/transfer.h"
#include "vm/vmar.h"

static bool entered(vaddr_t at) { return pt_query(space->root, at).flags; }

/* ---- views -------------------------------------------------------------------------------------------------------- */

/* A view ends: entries of the pages below its limit go, those from there on stay. The limit is that of what the root had once. */
START_TEST(view_ends)
{
	begin(8);
	struct vmo *c = clone_in(other, root, ALOW, 0, 8);
	must_ok(vmo_set_size(root, 4 * P, true, &poll));
	must_ok(vmo_set_size(root, 8 * P, true, &poll));
	for (u64 i = 0; i < 4; i++)
		must_ok(supply(i, 10 + i));
	vaddr_t at = map(c, 0, 8), part = map(c, 3, 5), behind = map(c, 4, 4), of_root = map(root, 0, 8);
	for (u64 i = 0; i < 8; i++)
		ck_assert(shown(at + i * P) == (i < 4 ? 10 + i : 0) && (i >= 4 || shown(of_root + i * P) == 10 + i));
	for (u64 i = 3; i < 8; i++)
		shown(part + (i - 3) * P);
	for (u64 i = 4; i < 8; i++)
		shown(behind + (i - 4) * P);
	ck_assert(vmar_find(&space->root_vmar, at)->root.mapping && !vmar_find(&space->root_vmar, behind)->root.mapping);
	struct vmo *later = clone_in(other, root, ALOW, 0, 8);
	ck_assert(later->view->limit == 8 && seen(later, 4) == 0 && seen(later, 7) == 0 && seen(later, 3) == 13);     /* no pager's any more */
	drop(&later->object);
	must_ok(store(of_root + 4 * P, 5, &poll));      /* behind what the clone sees, the root's pages are its own affair */
	ck_assert(entered(at + 4 * P) && entered(part + P) && entered(behind));
	must(mapping_unmap_all(root, 4, 8));
	ck_assert(entered(at + 4 * P) && entered(part + P) && entered(behind) && !entered(of_root + 4 * P) && entered(of_root + 3 * P));
	must(mapping_unmap_all(root, 3, 4));
	ck_assert(!entered(at + 3 * P) && !entered(part) && entered(at + 2 * P) && entered(at + 4 * P));
	shown(at + 3 * P), shown(part);
	while (!view_end_step(c->view))
		;
	for (u64 i = 0; i < 8; i++)
		ck_assert(entered(at + i * P) == (i >= 4) && (i < 3 || entered(part + (i - 3) * P) == (i >= 4)));
	ck_assert(entered(behind) && entered(behind + 3 * P));
	check(c);
	drop(&c->object);
	unmap(at, 8), unmap(part, 5), unmap(behind, 4), unmap(of_root, 8);
	end();
}
END_TEST

/* ---- closing ------------------------------------------------------------------------------------------------------ */

/* For one page the mapping that faults keeps its entry; where others are taken away with it, it does not. */
START_TEST(but_one)
{
	begin(1);
	struct vmo *v = anonymous(other, 8, 0);
	vaddr_t a = map(v, 0, 8), b = map(v, 0, 8);
	for (u64 i = 0; i < 8; i++) {
		must_ok(put(v, i, i));
		shown(a + i * P), shown(b + i * P);
	}
	struct mapping *but = vmar_find(&space->root_vmar, b);
	must(mapping_unmap_page(v, 3, but));
	for (u64 i = 2; i < 5; i++)
		ck_assert(entered(a + i * P) == (i != 3) && entered(b + i * P));
	v->closing.page = 4;
	v->closing.end = 6;
	must(mapping_unmap_page(v, 5, but) && v->closing.end == 0);
	for (u64 i = 2; i < 8; i++)
		ck_assert(entered(a + i * P) == (i != 3 && i != 4 && i != 5) && entered(b + i * P) == (i != 4 && i != 5));
	check(v);
	unmap(a, 8), unmap(b, 8);
	drop(&v->object);
	end();
}
END_TEST

/* So that one step does not end it: these show the pages, too. */
static void many(struct vmo *v, vaddr_t *at, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		at[i] = map(v, 0, 8);
}

/* While access to [2, 5) is being taken away: who touches 1 or 5 is not held up, who touches 2 or 4 does a share of it. */
START_TEST(faults_while_closing)
{
	vaddr_t at[40];
	begin(1);
	struct vmo *v = anonymous(other, 8, 0);
	for (u64 i = 0; i < 8; i++)
		must_ok(put(v, i, i));
	many(v, at, 40);
	for (u64 page = 1; page <= 5; page++)
		for (unsigned write = 0; write < 2; write++) {
			bool inside = page >= 2 && page < 5;
			must(!mapping_unmap_step(v, 2, 5));
			vaddr_t va = v->closing.va;
			struct interval *stands = v->closing.at;
			eq(vm_fault(space, at[39] + page * P, write ? SYS_ACCESS_WRITE : SYS_ACCESS_READ, 0, &poll), inside ? VM_AGAIN : SYS_OK);
			ck_assert(entered(at[39] + page * P) == !inside);
			ck_assert((v->closing.at == stands && v->closing.va == va) == !inside);
			must(mapping_unmap_all(v, 2, 5));
		}
	check(v);
	for (unsigned i = 0; i < 40; i++)
		unmap(at[i], 8);
	drop(&v->object);
	end();
}
END_TEST

/* The same where a page comes: for 1 and 5 the entry is made, for 2 and 4 not. */
START_TEST(pages_come_while_closing)
{
	vaddr_t at[40];
	for (u64 page = 1; page <= 5; page++) {
		struct page_wait w;
		u64 value, done = 0, fresh = 0;
		begin(8);
		must_ok(put(aux, 0, 7));
		page_wait_init(&w);
		many(root, at, 40);
		eq(load(at[39] + page * P, &value, &w), SYS_ERR_SHOULD_WAIT);
		ck_assert(w.first == page && w.count == 1);             /* a fault asks for one page */
		must(!mapping_unmap_step(root, 2, 5));
		must_ok(pager_supply(pager, root, page * P, P, aux, 0, &done, &fresh));
		ck_assert(w.state == PAGE_WAIT_IDLE && entered(at[39] + page * P) == (page < 2 || page >= 5));
		must(mapping_unmap_all(root, 2, 5));
		ck_assert_uint_eq(shown(at[39] + page * P), 7);
		end();
	}
}
END_TEST

/* Looking at a mapping and clearing 112 pages of it is one step; 111 leave room for the next mapping. */
START_TEST(step_of_closing)
{
	for (u64 pages = 111; pages <= 112; pages++) {
		begin(1);
		struct vmo *v = anonymous(other, 200, 0);
		for (u64 i = 0; i < 200; i++)
			must_ok(put(v, i, i));
		vaddr_t at, next;
		must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW | SYS_VM_SPECIFIC, 1024 * P - SPACE_LOW, v, SYS_RIGHTS_VMO, 0, pages * P, NULL, &at));
		next = map(v, 1, 1);
		shown(at), shown(next);
		ck_assert(mapping_unmap_step(v, 0, 200) == (pages == 111));
		ck_assert(!entered(at) && entered(next) == (pages == 112));
		must(mapping_unmap_all(v, 0, 200));
		unmap(at, pages), unmap(next, 1);
		drop(&v->object);
		end();
	}
}
END_TEST

/* ---- cutting ------------------------------------------------------------------------------------------------------- */

/* Of a mapping of 2^30 pages that has one entry, both ends go in a few steps, wherever that is: the quarters of its leaf table. */
START_TEST(far_ends)
{
	const u64 pages = 1ull << 30;
	static const struct { u64 entry; unsigned front, tail; } rows[] = {
		{ 0, 1, 4 }, { 1ull << 29, 1, 5 }, { (1ull << 30) - 1, 0, 2 }, { 12345678, 3, 3 },
	};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		for (unsigned tail = 0; tail < 2; tail++) {
			begin(1);
			struct vmo *v = anonymous(other, pages, 0);
			vaddr_t at = map(v, 0, pages);
			unsigned steps = 0;
			sys_status_t status;
			must_ok(store(at + rows[i].entry * P, 1, &poll));
			host_preempt_every(1);
			while ((status = vmar_unmap(&space->root_vmar, true, at + (tail ? P : 0), (pages - 1) * P)) == VM_AGAIN)
				steps++;
			host_preempt_every(0);
			ck_assert_int_eq(status, SYS_OK);
			ck_assert_uint_eq(steps, tail ? rows[i].tail : rows[i].front);
			unmap(at, pages);
			drop(&v->object);
			end();
		}
}
END_TEST

/* Who waits at the first page of what goes, or at the last, is woken; who waits beside it is not. */
START_TEST(waiters_of_what_goes)
{
	for (unsigned cloned = 0; cloned < 2; cloned++)
		for (unsigned front = 0; front < 2; front++)
			for (u64 page = 0; page < 8; page++) {
				struct page_wait w;
				u64 value;
				begin(16);
				struct vmo *v = cloned ? clone_in(other, root, ALOW, 5, 8) : root;
				vaddr_t at = map(v, 0, 8);
				page_wait_init(&w);
				eq(load(at + page * P, &value, &w), SYS_ERR_SHOULD_WAIT);
				unmap(front ? at : at + 3 * P, front ? 3 : 5);
				ck_assert((w.state == PAGE_WAIT_IDLE) == (front ? page < 3 : page >= 3));
				page_wait_cancel(&w);
				unmap(at, 8);
				if (cloned)
					drop(&v->object);
				end();
			}
}
END_TEST

/* A mapping is split: which part may have writable entries. */
START_TEST(split_of_what_was_written)
{
	for (unsigned which = 1; which < 4; which++) {
		begin(1);
		struct vmo *v = anonymous(other, 8, 0);
		vaddr_t at = map(v, 0, 8);
		for (u64 page = 2; page < 4 && which & 1; page++)       /* up to where it is split */
			must_ok(store(at + page * P, 1, &poll));
		if (which & 2)
			must_ok(store(at + 4 * P, 1, &poll));
		unmap(at + 3 * P, 1);
		struct mapping *low = vmar_find(&space->root_vmar, at), *high = vmar_find(&space->root_vmar, at + 4 * P);
		ck_assert(low != high && list_on(&low->writable) == (which & 1) && list_on(&high->writable) == (which >> 1));
		check(v);
		unmap(at, 8);
		drop(&v->object);
		end();
	}
}
END_TEST

/* ---- the cursor ------------------------------------------------------------------------------------------------------ */

/* Of what is dying nothing is there; where a clone's view ends what is missing is passed at once. */
START_TEST(cursors)
{
	struct page_ref ref[8];
	struct cursor c;
	begin(8);
	struct vmo *v = anonymous(other, 8, 0), *clone = clone_in(other, root, ALOW, 0, 8);
	must_ok(put(v, 0, 1));
	cursor_begin(&c, v, 0, 8, 0, &poll);
	ck_assert(cursor_existing(&c, 8, ref) == 1 && c.page == 1);
	object_end(&v->object);
	cursor_begin(&c, v, 0, 8, 0, &poll);
	ck_assert(cursor_existing(&c, 8, ref) == 0 && c.page == 0);
	clone->view->limit = 3;
	for (u64 from = 2; from <= 4; from++) {
		cursor_begin(&c, clone, from, 8, 0, &poll);
		cursor_skip_missing(&c);
		ck_assert_uint_eq(c.page, from < 3 ? from + 1 : 8);
	}
	drop(&v->object), drop(&clone->object);
	end();
}
END_TEST

/* The seventh time that a write is made again it copies its whole path, before that a node each time. */
START_TEST(whole_path)
{
	struct page_ref ref;
	begin(1);
	struct vmo *v = anonymous(other, 1ull << 20, 0), *copy;
	for (u64 i = 0; i < 4; i++)
		must_ok(put(v, i << 18, i + 1));
	for (unsigned retries = 0; retries < 9; retries++)
		for (u64 page = 0; page < 2; page++) {
			copy = clone_in(other, v, SYS_VMO_CHILD_SNAPSHOT, 0, 1ull << 20);
			unsigned entries = 1;
			while (need(v, page, true, 1, retries, &poll, &ref) == VM_AGAIN)
				entries++;
			ck_assert_uint_eq(entries, retries > 6 ? 1 : 3);
			drop(&copy->object);
		}
	u64 done = 0;
	copy = clone_in(other, v, SYS_VMO_CHILD_SNAPSHOT, 0, 1ull << 20);
	eq(vmo_op_range(v, SYS_VMO_OP_COMMIT, 0, 2 * P, &done, &poll), SYS_OK);        /* a call copies it at once */
	for (u64 page = 2; page < 4; page++) {
		ck_assert_uint_eq(there(v, page), false);
		done = 0;
		must_ok(vmo_op_range(v, SYS_VMO_OP_COMMIT, page * P, P, &done, &poll));
		ck_assert_uint_eq(frame_of(tree_frame(tree_lookup(&v->tree, page)))->state, FRAME_WRITTEN);
	}
	drop(&copy->object);
	drop(&v->object);
	end();
}
END_TEST

/* ---- copies ------------------------------------------------------------------------------------------------------------ */

/* The lowest page, a whole page, and no more than there is. */
START_TEST(user_memory)
{
	static u8 from[2 * P], to[2 * P];
	vaddr_t at;
	u64 done = 0;
	begin(1);
	struct vmo *v = anonymous(other, 2, 0);
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW | SYS_VM_SPECIFIC, 0, v, SYS_RIGHTS_VMO, 0, 2 * P, NULL, &at));
	ck_assert_uint_eq(at, SPACE_LOW);
	for (u64 i = 0; i < sizeof from; i++)
		from[i] = (u8)(i * 7 + 1);
	must_ok(space_copy_out(space, at, from, 2 * P, &done, 9, &poll));
	done = 0;
	host_preempt_every(1);
	eq(space_copy_in(space, to, at + P, P, &done, 9, &poll), SYS_OK);       /* the last one: nobody has to ask for more */
	done = 0;
	eq(space_copy_out(space, at + P, from, P, &done, 9, &poll), SYS_OK);
	host_preempt_every(0);
	ck_assert(done == P && !memcmp(to, from + P, P));
	ck_assert(space_window(space, at, P, SYS_ACCESS_READ) && space_window(space, at + 8, P - 8, SYS_ACCESS_WRITE));
	ck_assert(!space_window(space, at + 8, P - 7, SYS_ACCESS_READ) && !space_window(space, at - 1, 1, SYS_ACCESS_READ));
	unmap(at, 2);
	drop(&v->object);
	end();
}
END_TEST

/* A read or write of an object asks its pager for as many pages as its bytes lie in. */
START_TEST(pages_asked_for)
{
	static const struct { u64 offset, len, first, count; } rows[] = {
		{ 0, 1, 0, 1 }, { 0, P, 0, 1 }, { 0, P + 1, 0, 2 }, { P - 1, 1, 0, 1 }, { P - 1, 2, 0, 2 }, { 3 * P, 5 * P, 3, 5 },
		{ 3 * P + 5, 5 * P, 3, 6 }, { 15 * P, P, 15, 1 },
	};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		for (unsigned write = 0; write < 2; write++) {
			struct page_wait w;
			u64 done = 0;
			begin(16);
			struct vmo *v = anonymous(other, 16, 0);
			vaddr_t at = map(v, 0, 16);
			page_wait_init(&w);
			for (u64 page = 0; page < 16; page++)
				must_ok(store(at + page * P, 1, &poll));
			eq(again((write ? vmo_write : vmo_read)(root, space, at, rows[i].offset, rows[i].len, &done, 9, &w)), SYS_ERR_SHOULD_WAIT);
			ck_assert(w.first == rows[i].first && w.count == rows[i].count && done == 0);
			page_wait_cancel(&w);
			unmap(at, 16);
			drop(&v->object);
			end();
		}
}
END_TEST

/* To make a part of a page zero takes that page alone. */
START_TEST(zeroed)
{
	for (u64 page = 0; page < 3; page++) {
		struct page_wait w;
		u64 done = 0;
		begin(8);
		page_wait_init(&w);
		eq(vmo_op_range(root, SYS_VMO_OP_ZERO, page * P + 10, 100, &done, &w), SYS_ERR_SHOULD_WAIT);
		ck_assert(w.first == page && w.count == 1 && done == 0);
		page_wait_cancel(&w);
		end();
	}
}
END_TEST

/* ---- sizes ------------------------------------------------------------------------------------------------------------- */

/* The largest size, and one byte more; a window's end, and one byte behind it. */
START_TEST(sizes)
{
	struct vmo *v, *child;
	static const struct { u64 offset, size; sys_status_t status; } rows[] = {
		{ 0, VMO_MAX_SIZE, SYS_OK }, { 0, VMO_MAX_SIZE + 1, SYS_ERR_OUT_OF_RANGE }, { P, VMO_MAX_SIZE - P, SYS_OK },
		{ P, VMO_MAX_SIZE - P + 1, SYS_ERR_OUT_OF_RANGE }, { VMO_MAX_SIZE, 0, SYS_OK }, { VMO_MAX_SIZE, 1, SYS_ERR_OUT_OF_RANGE },
	};
	begin(1);
	must_ok(vmo_create(other, VMO_MAX_SIZE, SYS_VMO_RESIZABLE, &v));
	object_cap(&v->object);
	eq(vmo_create(other, VMO_MAX_SIZE + 1, 0, &child), SYS_ERR_OUT_OF_RANGE);
	eq(vmo_set_size(v, VMO_MAX_SIZE + 1, true, &poll), SYS_ERR_OUT_OF_RANGE);
	must_ok(vmo_set_size(v, P, true, &poll));
	must_ok(vmo_set_size(v, VMO_MAX_SIZE, true, &poll));
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		eq(again(vmo_create_child(v, other, SYS_VMO_CHILD_SNAPSHOT, rows[i].offset, rows[i].size, &child)), rows[i].status);
		if (rows[i].status == SYS_OK) {
			object_cap(&child->object);
			drop(&child->object);
		}
	}
	eq(pager_create_vmo(pager, payer, 0, 1, VMO_MAX_SIZE + 1, &child), SYS_ERR_OUT_OF_RANGE);
	must_ok(pager_create_vmo(pager, payer, 0, 1, VMO_MAX_SIZE, &child));
	object_cap(&child->object);
	drop(&child->object);
	must_ok(pager_create_vmo(pager, payer, SYS_VMO_UNBOUNDED, 1, VMO_MAX_SIZE, &child));
	object_cap(&child->object);
	drop(&child->object);
	drop(&v->object);
	v = anonymous(other, 8, 0);
	must_ok(vmo_create_child(v, other, SYS_VMO_CHILD_SLICE, 2 * P, 3 * P, &child));
	object_cap(&child->object);
	for (u64 at = 3 * P - 1; at <= 3 * P + 1; at++)
		for (u64 size = 0; size < 3; size++) {
			struct vmo *w = child;
			u64 offset = at;
			eq(vmo_resolve(&w, &offset, size), at + size <= 3 * P ? SYS_OK : SYS_ERR_OUT_OF_RANGE);
			ck_assert(at + size > 3 * P || (w == v && offset == at + 2 * P));
		}
	struct vmo *inner;
	must_ok(vmo_create_child(child, other, SYS_VMO_CHILD_SLICE, 3 * P, 0, &inner));
	object_cap(&inner->object);
	drop(&inner->object);
	eq(vmo_create_child(child, other, SYS_VMO_CHILD_SLICE, 3 * P, 1, &inner), SYS_ERR_INVALID_ARGS);
	drop(&child->object), drop(&v->object);
	end();
}
END_TEST

/* A snapshot of the last eight pages keeps them in its header, wherever they stood. */
START_TEST(small_snapshot)
{
	begin(1);
	struct vmo *v = anonymous(other, 600, 0);
	for (u64 i = 0; i < 600; i++)
		must_ok(put(v, i, i));
	for (u64 pages = 7; pages < 10; pages++) {
		struct vmo *c = clone_in(other, v, SYS_VMO_CHILD_SNAPSHOT, 600 - pages, pages);
		ck_assert(c->tree.inlined == (pages <= TREE_INLINE) && (pages > TREE_INLINE || c->tree.charged == pages));
		drop(&c->object);
	}
	drop(&v->object);
	end();
}
END_TEST

/* What there is from the start: the zero page, and it is paid for. */
START_TEST(paid_at_boot)
{
	machine_start(4096);
	u64 used = account_root()->used, free = frame_count_free();
	vmo_boot();
	ck_assert(account_root()->used == used + 1 && frame_count_free() == free - 1);
}
END_TEST

/* ---- hints -------------------------------------------------------------------------------------------------------------- */

static u16 state_of(u64 page) { return frame_of(tree_frame(tree_lookup(&root->tree, page)))->state; }

/* Exactly the pages that the bytes lie in; of no bytes none, and no round of reclaim begins for them. */
START_TEST(hinted)
{
	static const struct { u64 offset, size, first, end; } rows[] = {
		{ 0, 1, 0, 1 }, { P, P, 1, 2 }, { P, P + 1, 1, 3 }, { 2 * P - 1, 1, 1, 2 }, { 2 * P - 1, 2, 1, 3 }, { 3 * P, 16 * P, 3, 19 }, { P, 0, 1, 1 },
	};
	begin(24);
	for (u64 i = 0; i < 24; i++)
		must_ok(supply(i, 1 + i));
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		u64 done = 0;
		for (u64 page = 0; page < 24; page++)
			frame_of(tree_frame(tree_lookup(&root->tree, page)))->state = FRAME_HELD;
		u32 round = payer->round.number;
		must_ok(again(vmo_op_range(root, SYS_VMO_OP_DONT_NEED, rows[i].offset, rows[i].size, &done, &poll)));
		ck_assert(done == rows[i].size && payer->round.number == round + (rows[i].size != 0));
		for (u64 page = 0; page < 24; page++)
			must(state_of(page) == (page >= rows[i].first && page < rows[i].end ? FRAME_OLDEST : FRAME_HELD));
		u64 flushes = host_cache_flushes;
		done = 0;
		eq(again(vmo_op_range(root, SYS_VMO_OP_CACHE_CLEAN_INVALIDATE, rows[i].offset, rows[i].size, &done, &poll)),
		   rows[i].size ? SYS_OK : SYS_ERR_INVALID_ARGS);
		ck_assert_uint_eq(host_cache_flushes - flushes, rows[i].end - rows[i].first);
	}
	end();
}
END_TEST

/* ---- transfers ----------------------------------------------------------------------------------------------------------- */

/* Exactly the pages, and their entries, that were named: of what they come from, and of where they go. */
START_TEST(moved)
{
	for (unsigned kind = 0; kind < 3; kind++)
		for (u64 pages = 1; pages < 4; pages++) {
			u64 done = 0;
			begin(16);
			struct vmo *src = kind == 2 ? clone_in(other, root, ALOW, 0, 8) : anonymous(other, 8, 0), *dst = anonymous(other, 8, 0), *copy = NULL;
			for (u64 i = 0; i < 8; i++) {
				must_ok(supply(i, 50 + i));
				must_ok(put(dst, i, 20 + i));
				if (kind < 2 || i & 1)
					must_ok(put(src, i, 10 + i));
			}
			if (kind == 1)
				copy = clone_in(other, src, SYS_VMO_CHILD_SNAPSHOT, 0, 8);
			vaddr_t from = map(src, 0, 8), to = map(dst, 0, 8);
			u64 had[8];
			for (u64 i = 0; i < 8; i++) {
				had[i] = shown(from + i * P);
				shown(to + i * P);
			}
			sys_status_t status;
			host_preempt_every(1);
			while ((status = vmo_transfer(dst, 0, 3 * P, pages * P, src, 2 * P, &done, &poll)) == VM_AGAIN)
				must(done < pages * P);         /* who is done does not ask for another entry */
			host_preempt_every(0);
			ck_assert(status == SYS_OK && done == pages * P);
			for (u64 i = 0; i < 8; i++) {
				bool gone = i >= 2 && i < 2 + pages, came = i >= 3 && i < 3 + pages;
				ck_assert(entered(from + i * P) == !gone && entered(to + i * P) == !came);
				ck_assert(seen(src, i) == (gone ? 0 : had[i]) && seen(dst, i) == (came ? had[i - 1] : 20 + i));
				ck_assert(seen(root, i) == 50 + i && (!copy || seen(copy, i) == 10 + i));
			}
			check(src), check(dst);
			unmap(from, 8), unmap(to, 8);
			if (copy)
				drop(&copy->object);
			drop(&src->object), drop(&dst->object);
			end();
		}
}
END_TEST

/* Within one object: side by side, but not over each other. */
START_TEST(moved_within)
{
	begin(1);
	struct vmo *v = anonymous(other, 16, 0);
	for (u64 to = 0; to < 12; to++)
		for (u64 from = 0; from < 12; from++) {
			u64 done = 0;
			bool apart = to + 3 <= from || from + 3 <= to;
			for (u64 i = 0; i < 16; i++)
				must_ok(put(v, i, i + 1));
			eq(vmo_transfer(v, 0, to * P, 3 * P, v, from * P, &done, &poll), apart ? SYS_OK : SYS_ERR_INVALID_ARGS);
			for (u64 i = 0; i < 16; i++)
				must(seen(v, i) == (apart && i - from < 3 ? 0 : apart && i - to < 3 ? from + i - to + 1 : i + 1));
		}
	drop(&v->object);
	end();
}
END_TEST

/* From the page on with which a root grew it is no pager's. One page is one entry. */
START_TEST(supplied)
{
	begin(8);
	must_ok(vmo_set_size(root, 4 * P, true, &poll));
	must_ok(vmo_set_size(root, 8 * P, true, &poll));
	for (u64 i = 2; i < 6; i++) {
		u64 done = 0, fresh = 0;
		must_ok(put(aux, 0, 9));
		host_preempt_every(1);
		eq(pager_supply(pager, root, i * P, P, aux, 0, &done, &fresh), SYS_OK);
		host_preempt_every(0);
		ck_assert(done == P && fresh == (i < 4 ? P : 0) && there(root, i) == (i < 4) && seen(root, i) == (i < 4 ? 9 : 0) && !there(aux, 0));
	}
	check(root);
	end();
}
END_TEST

/* What is counted: each thing once, and nothing else. */
START_TEST(counted)
{
	u64 done = 0, fresh = 0;
	begin(8);
	struct vmo *v = anonymous(other, 8, 0), *copy, *clone = clone_in(other, root, ALOW, 0, 8);
	typeof(counters) before = counters;
#define COUNT(what, n) do { before.what += n; must(!memcmp(&before, &counters, sizeof before)); } while (0)
	must_ok(put(v, 0, 1));
	COUNT(zero_fills, 1);
	must_ok(put(v, 0, 2));
	must(seen(v, 0) == 2 && seen(v, 1) == 0);
	COUNT(zero_fills, 0);
	copy = clone_in(other, v, SYS_VMO_CHILD_SNAPSHOT, 0, 8);
	must(seen(v, 0) == 2);
	COUNT(shares, 1);
	must_ok(put(v, 0, 3));
	COUNT(copies, 1);
	must_ok(put(aux, 0, 7));
	COUNT(zero_fills, 1);
	must_ok(pager_supply(pager, root, 0, 2 * P, aux, 0, &done, &fresh));    /* a page, and one that is known to be zero */
	COUNT(pages_supplied, 2);
	done = 0;
	must_ok(pager_supply(pager, root, 0, 2 * P, aux, 0, &done, &fresh));
	COUNT(pages_supplied, 0);
	must(seen(clone, 0) == 7 && seen(clone, 1) == 0);
	must_ok(put(clone, 0, 8));
	COUNT(copies, 1);
	must_ok(put(clone, 1, 8));
	COUNT(zero_fills, 1);
	struct page_wait w[2];
	page_wait_init(&w[0]), page_wait_init(&w[1]);
	struct page_ref ref;
	eq(need(root, 5, false, 2, 0, &w[0], &ref), SYS_ERR_SHOULD_WAIT);
	COUNT(requests, 1);
	eq(need(root, 6, false, 1, 0, &w[1], &ref), SYS_ERR_SHOULD_WAIT);
	COUNT(requests, 0);
	page_wait_cancel(&w[0]), page_wait_cancel(&w[1]);
	while (there(root, 0))
		eq(press(payer), VM_AGAIN);
	COUNT(evictions, 1);
	drop(&v->object), drop(&copy->object), drop(&clone->object);
	end();
}
END_TEST

/* One step is done for a charge that was short, and a page is left for it alone. */
START_TEST(one_step)
{
	begin(8);
	for (u64 i = 0; i < 8; i++)
		must_ok(supply(i, 1));
	eq(reclaim_step(), SYS_ERR_NO_MEMORY);
	eq(press(payer), VM_AGAIN);
	ck_assert(!account_short && !reclaim_leaves);
	eq(reclaim_step(), SYS_ERR_NO_MEMORY);
	must(account_charge(payer, account_free(payer) + 1) == SYS_ERR_NO_MEMORY);
	eq(reclaim_but(tree_frame(tree_lookup(&root->tree, 7)), SYS_ERR_NO_MEMORY), SYS_ERR_NO_MEMORY);
	ck_assert(account_short == payer && reclaim_leaves == tree_frame(tree_lookup(&root->tree, 7)));
	eq(reclaim_step(), VM_AGAIN);
	ck_assert(!account_short && !reclaim_leaves);
	end();
}
END_TEST

/* ---- what can be had again ---------------------------------------------------------------------------------------------------- */

/* A page of a root goes, or one that holds zeros: its neighbours stay, with their entries. */
START_TEST(given_up)
{
	for (unsigned kind = 0; kind < 3; kind++) {
		begin(8);
		struct account *mine = account_named(200);
		struct vmo *v = kind == 0 ? root : kind == 1 ? anonymous(mine, 8, 0) : clone_in(mine, root, ALOW, 0, 8);
		for (u64 i = 0; i < 8; i++) {
			must_ok(supply(i, kind == 2 ? 0 : 10 + i));
			if (kind)
				must_ok(put(v, i, i == 3 ? 0 : 10 + i));
			else
				frame_of(tree_frame(tree_lookup(&root->tree, i)))->state = i == 3 ? FRAME_OLDEST : FRAME_GUARDED;
		}
		vaddr_t at = map(v, 0, 8);
		for (u64 i = 0; i < 8; i++)
			shown(at + i * P);
		pt_harvest(space->root, at + 3 * P, tree_frame(tree_lookup(&v->tree, 3)));
		if (kind == 0)
			frame_of(tree_frame(tree_lookup(&root->tree, 3)))->state = FRAME_OLDEST;
		while (there(v, 3))
			eq(press(kind ? mine : payer), VM_AGAIN);
		for (u64 i = 0; i < 8; i++)
			ck_assert(there(v, i) == (i != 3) && entered(at + i * P) == (i != 3) && (i == 3 || shown(at + i * P) == 10 + i));
		ck_assert(kind == 0 || shown(at + 3 * P) == 0);
		check(v);
		unmap(at, 8);
		if (kind)
			drop(&v->object);
		drop(&mine->object);
		end();
	}
}
END_TEST

/* Zeros that are to be seen past the caches stay pages. */
START_TEST(not_given_up)
{
	u64 next = 0;
	begin(1);
	struct account *mine = account_named(200);
	struct vmo *v = anonymous(mine, 8, 0);
	must_ok(put(v, 0, 0));
	must_ok(put(v, 1, 0));
	must_ok(vmo_set_cache_policy(v, SYS_CACHE_UNCACHED, &next));
	press_all(mine);
	ck_assert(there(v, 0) && there(v, 1));
	drop(&v->object), drop(&mine->object);
	end();
}
END_TEST

/* ---- entries ------------------------------------------------------------------------------------------------------------------ */

/* An entry that is gone has told whether it was written through, and nothing else. A fault brings its one neighbour along. */
START_TEST(entries)
{
	begin(8);
	for (u64 i = 0; i < 8; i++)
		must_ok(supply(i, 10 + i));
	for (u64 pages = 1; pages < 4; pages++)
		for (unsigned write = 0; write < 2; write++) {
			vaddr_t at = map(root, 0, pages);
			for (u64 i = 0; i < 8; i++)
				frame_of(tree_frame(tree_lookup(&root->tree, i)))->state = 0;
			if (write)
				must_ok(store(at, 10, &poll));
			else
				shown(at);
			for (u64 i = 0; i < 4; i++)
				ck_assert(entered(at + i * P) == (i < pages));
			unmap(at, pages);
			ck_assert_uint_eq(state_of(0), write ? FRAME_WRITTEN : 0);
			for (u64 i = 1; i < 8; i++)
				ck_assert_uint_eq(state_of(i), 0);
		}
	end();
}
END_TEST

/* The mapping that was found last is looked at first: if it is one of the root's own, and as long as it is there. */
START_TEST(found_last)
{
	struct vmar *r;
	vaddr_t inner;
	begin(1);
	struct vmo *v = anonymous(other, 8, 0);
	vaddr_t at = map(v, 0, 2), next = map(v, 0, 2);
	must_ok(vmar_allocate(&space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_CAN_MAP_READ, 0, 8 * P, &r));
	must_ok(vmar_map(r, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ, 0, v, SYS_RIGHTS_VMO, 0, P, NULL, &inner));
	for (unsigned i = 0; i < 2; i++) {
		const struct mapping *m = space_find(space, at + P - 1);
		ck_assert(m && m->region.base == at && space->recent == m && space_find(space, at) == m);
		m = space_find(space, next + P);
		ck_assert(m && m->region.base == next && space->recent == m);
		m = space_find(space, inner);
		ck_assert(m && m->region.parent == r && !space->recent);
		ck_assert(space_find(space, next) && !space_find(space, inner + P) && !space->recent);
	}
	ck_assert(space_find(space, at) && space->recent);
	unmap(at, 2);
	ck_assert(!space->recent && !space_find(space, at));
	unmap(next, 2);
	must_ok(vmar_destroy(r));
	drop(&v->object);
	end();
}
END_TEST

/* Who runs in a space that ends has left its tables when they go. */
START_TEST(space_is_left)
{
	begin(1);
	struct space *s;
	must_ok(space_create(other, false, &s));
	object_cap((struct object *)s);
	paddr_t tables = s->root;
	u64 flushes = host_flushes_all;
	host_root_load(tables);
	drop(s);
	mmu_flush_all(tables);
	ck_assert_uint_eq(host_flushes_all, flushes);
	end();
}
END_TEST

/* Where places are random a compact one is where the region's anchor says, if that is free. */
START_TEST(anchors)
{
	vaddr_t highest = 0;
	begin(1);
	vm_randomise = true;
	for (unsigned i = 0; i < 60; i++) {
		struct space *s;
		struct vmar *r;
		must_ok(space_create(other, false, &s));
		object_cap((struct object *)s);
		must_ok(vmar_allocate(&s->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_COMPACT, 0, P, &r));
		ck_assert(r->region.base == s->root_vmar.anchor && page_aligned(r->region.base));
		ck_assert_uint_lt(s->root_vmar.anchor, SPACE_HIGH / 2 + 2 * P);
		highest = MAX(highest, s->root_vmar.anchor);
		drop(s);
	}
	ck_assert_uint_gt(highest, SPACE_HIGH / 5 * 2);         /* anywhere in the lower half */
	vm_randomise = false;
	end();
}
END_TEST

/* ---- contiguous ------------------------------------------------------------------------------------------------------------ */

static u64 first_row(u64 pages, u32 align)
{
	u64 next = 0, start = 0;
	while (frame_find_row(&next, &start, pages, 1ull << (align > 11 ? align - 12 : 0)) == VM_AGAIN)
		;
	return start;
}

START_TEST(contiguous)
{
	static const u64 sizes[] = { 1, 2, 8, 9, 511, 512, 513, 1024, 1025 };
	static const struct { u32 align; u64 size; sys_status_t status; } wrong[] = {
		{ 0, 0, SYS_ERR_INVALID_ARGS }, { 11, P, SYS_ERR_INVALID_ARGS }, { 64, P, SYS_ERR_INVALID_ARGS }, { 63, P, SYS_ERR_NO_RESOURCES },
		{ 62, P, SYS_ERR_NO_RESOURCES }, { 12, VMO_MAX_SIZE, SYS_ERR_NO_RESOURCES }, { 12, VMO_MAX_SIZE + 1, SYS_ERR_OUT_OF_RANGE },
	};
	struct vmo *v;
	begin(1);
	struct vmo *room = anonymous(other, 1, 0);      /* there is a slab for headers */
	for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
		u64 next = 0, start = 0;
		eq(again(vmo_create_contiguous(other, wrong[i].size, wrong[i].align, &next, &start, &v)), wrong[i].status);
	}
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
		for (u32 align = 11; align < 16; align++) {
			u64 next = 0, start = 0, found = first_row(sizes[i], align), row = 1ull << (align > 11 ? align - 12 : 0);
			must_ok(account_charge(account_root(), 1));     /* so that rows begin at odd frames, too */
			eq(again(frame_take(found, FRAME_OBJECT)), SYS_OK);
			paddr_t held = found << PAGE_SHIFT;
			found = first_row(sizes[i], align);
			must_ok(vmo_create_contiguous(other, sizes[i] * P - 100 * (i & 1), align == 11 ? 0 : align, &next, &start, &v));
			object_cap(&v->object);
			must_ok(vmo_contiguous_build(v, align == 11 ? 0 : align, &next, &start));
			u64 first = tree_frame(tree_lookup(&v->tree, 0)) >> PAGE_SHIFT;
			ck_assert(first % row == 0 && (sizes[i] > TREE_INLINE || first == found));
			for (u64 page = 0; page < sizes[i]; page++)
				must(tree_frame(tree_lookup(&v->tree, page)) == (first + page) << PAGE_SHIFT);
			ck_assert_uint_eq(v->tree.reserve, 0);          /* all that was charged in advance was needed */
			check(v);
			drop(&v->object);
			frame_free(held);
			account_uncharge(account_root(), 1);
		}
	drop(&room->object);
	end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("edges");
	add_test(s, view_ends);
	add_test(s, but_one);
	add_test(s, faults_while_closing);
	add_test(s, pages_come_while_closing);
	add_test(s, step_of_closing);
	add_test(s, far_ends);
	add_test(s, waiters_of_what_goes);
	add_test(s, split_of_what_was_written);
	add_test(s, cursors);
	add_test(s, whole_path);
	add_test(s, user_memory);
	add_test(s, pages_asked_for);
	add_test(s, zeroed);
	add_test(s, sizes);
	add_test(s, small_snapshot);
	add_test(s, paid_at_boot);
	add_test(s, hinted);
	add_test(s, moved);
	add_test(s, moved_within);
	add_test(s, supplied);
	add_test(s, counted);
	add_test(s, one_step);
	add_test(s, given_up);
	add_test(s, not_given_up);
	add_test(s, entries);
	add_test(s, found_last);
	add_test(s, space_is_left);
	add_test(s, anchors);
	add_test(s, contiguous);
	return s;
}
