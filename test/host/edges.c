/* SPDX-License-Identifier: BSD-2-Clause */
/* edges.c: kernel/vm: where ranges end: what lies right in front of them and right behind stays as it is, and is not waited for. */
#include "common/contents.h"
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
			frame_of(tree_frame(tree_lookup(&root->tree, page)))->state = 0;
		u32 round = payer->round.number;
		must_ok(again(vmo_op_range(root, SYS_VMO_OP_DONT_NEED, rows[i].offset, rows[i].size, &done, &poll)));
		ck_assert(done == rows[i].size && payer->round.number == round + (rows[i].size != 0));
		for (u64 page = 0; page < 24; page++)
			must(state_of(page) == (page >= rows[i].first && page < rows[i].end ? FRAME_OLDEST : 0));
		u64 flushes = host_cache_flushes;
		done = 0;
		eq(again(vmo_op_range(root, SYS_VMO_OP_CACHE_CLEAN_INVALIDATE, rows[i].offset, rows[i].size, &done, &poll)),
		   rows[i].size ? SYS_OK : SYS_ERR_INVALID_ARGS);
		ck_assert_uint_eq(host_cache_flushes - flushes, rows[i].end - rows[i].first);
	}
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
	add_test(s, hinted);
	add_test(s, contiguous);
	return s;
}
