/* SPDX-License-Identifier: BSD-2-Clause */
/* parts.c: kernel/vm/source.c: requests of which parts are answered, fail, are cut out or shrink away: what is left of them, to the
 * page, with whom. Pages are answered here without being supplied, so they can be asked for again at once. */
#include "common/contents.h"

static struct page_wait a, b, c;
static bool answered[REQUEST_PAGES];

static sys_status_t ask(struct page_wait *w, u64 page, u64 run)
{
	page_wait_init(w);
	return source_request(root->source, page, run, SYS_ACCESS_READ, w);
}

static void deliver(void)
{
	while (!pqueue_empty(&pager->queue))
		pager_take(pager);
}

static void answer(u64 page)
{
	struct page_ref zero = { zero_page, false, false };
	must(source_answer_step(root->source, page, &zero));
	if (page < REQUEST_PAGES)
		answered[page] = true;
}

/* Nobody waits and nothing was asked. */
static void forget(void)
{
	page_wait_cancel(&a), page_wait_cancel(&b), page_wait_cancel(&c);
	while (!source_end_step(root->source, SYS_OK))
		;
	root->source->limit = vmo_pages(root);
	memset(answered, 0, sizeof answered);
	source_check(root->source);
}

static bool bits_are(const u64 *bits, u64 first, u64 count)
{
	for (u64 i = 0; i < count; i++)
		if ((bits[i / 64] >> i % 64 & 1) != answered[first + i])
			return false;
	return true;
}

/* The record that begins at this page, or NULL. */
static const struct request_record *record(u64 first)
{
	for (unsigned i = 0; i < SOURCE_RECORDS; i++)
		if (root->source->record[i].count && root->source->record[i].first == first)
			return &root->source->record[i];
	return NULL;
}

static unsigned records(void)
{
	unsigned n = 0;
	for (unsigned i = 0; i < SOURCE_RECORDS; i++)
		n += root->source->record[i].count != 0;
	return n;
}

static void has_record(u64 first, u64 end)
{
	const struct request_record *r = record(first);
	must(r && r->count == end - first && bits_are(r->arrived, first, r->count));
}

/* b owns the request [first, first + count), delivered, and waits for `page`. */
static void own(u64 page, u64 first, u64 count)
{
	struct page_wait *asks = page == first ? &b : &a;
	must(ask(asks, first, count) == SYS_ERR_SHOULD_WAIT && asks->count == count);
	deliver();
	if (asks == &a) {
		must(ask(&b, page, 1) == SYS_ERR_SHOULD_WAIT && b.state == PAGE_WAIT_JOINED);
		page_wait_cancel(&a);
	}
	must(b.state == PAGE_WAIT_DELIVERED && b.first == first && b.count == count && b.page == page);
}

/* ---- cutting ------------------------------------------------------------------------------------------------------ */

static void answer_some(u64 but, u64 also)
{
	for (u64 page = 0; page < REQUEST_PAGES; page++)
		if (page == also || (page != but && page != REQUEST_PAGES - 1 && page != 0 && random_chance(50)))
			answer(page);
}

/* An answered page is needed again, in a request of 512 pages whose owner waits for the last, or the first, or is gone: it is asked
 * for, and what is known of the others stays known. */
START_TEST(cut)
{
	begin(600);
	for (u64 page = 1; page < REQUEST_PAGES - 1; page++)
		for (unsigned way = 0; way < 3; way++) {
			own(way ? 0 : REQUEST_PAGES - 1, 0, REQUEST_PAGES);
			answer_some(way ? 0 : REQUEST_PAGES - 1, page);
			if (way == 2)
				page_wait_cancel(&b);
			must(ask(&c, page, 1) == SYS_ERR_SHOULD_WAIT && c.state == PAGE_WAIT_QUEUED && c.first == page && c.count == 1);
			if (way == 0)
				must(b.first == page + 1 && b.count == REQUEST_PAGES - page - 1 && bits_are(b.arrived, b.first, b.count));
			else
				has_record(page + 1, REQUEST_PAGES);
			if (way == 1)
				must(b.first == 0 && b.count == page && bits_are(b.arrived, 0, page));
			else
				has_record(0, page);
			source_check(root->source);
			forget();
		}
	end();
}
END_TEST

/* Nothing of an earlier request is left in a new one. */
START_TEST(fresh_request)
{
	static const u64 counts[] = { 1, 2, 63, 64, 65, 127, 128, 129, 448, 449, 511, 512 };
	begin(600);
	for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
		page_wait_init(&a);
		memset(a.arrived, 0xff, sizeof a.arrived);
		eq(source_request(root->source, 0, counts[i], SYS_ACCESS_READ, &a), SYS_ERR_SHOULD_WAIT);
		ck_assert_uint_eq(a.count, counts[i]);
		ck_assert(bits_are(a.arrived, 0, counts[i]));
		forget();
	}
	end();
}
END_TEST

/* ---- what nobody waits for ------------------------------------------------------------------------------------------ */

/* The owner of a request of four goes when some are answered. What is not is not asked for again; what was and is needed again is. */
START_TEST(remembered)
{
	begin(8);
	for (unsigned mask = 0; mask < 16; mask++)
		for (u64 page = 0; page < 4; page++) {
			ask(&a, 0, 4);
			deliver();
			for (u64 p = 0; p < 4; p++)
				if (mask >> p & 1)
					answer(p);
			page_wait_cancel(&a);
			ck_assert_uint_eq(records(), mask != 15);
			eq(ask(&b, page, 1), SYS_ERR_SHOULD_WAIT);
			ck_assert_int_eq(b.state, mask >> page & 1 ? PAGE_WAIT_QUEUED : PAGE_WAIT_DELIVERED);
			source_check(root->source);
			forget();
		}
	end();
}
END_TEST

/* Nobody waits for it: the record goes with the last answer, or failure, whatever the order. */
START_TEST(record_goes)
{
	begin(8);
	for (unsigned order = 0; order < 256; order++)
		for (unsigned fails = 0; fails < 2; fails++) {
			unsigned done = 0;
			ask(&a, 0, 4);
			deliver();
			page_wait_cancel(&a);
			for (unsigned i = 0; i < 4; i++) {
				u64 page = order >> 2 * i & 3;
				if (fails)
					must(source_fail_step(root->source, page, page + 1, SYS_ERR_IO));
				else
					answer(page);
				done |= 1u << page;
				must(records() == (done != 15));
				source_check(root->source);
			}
			forget();
		}
	end();
}
END_TEST

/* ---- failing and shrinking --------------------------------------------------------------------------------------------- */

/* Of a request for [2, 8) the part [from, to) fails: who waits for a page of it is told, and only he; it is asked for again. */
START_TEST(fails)
{
	begin(16);
	for (u64 page = 2; page < 8; page++)
		for (u64 from = 0; from < 9; from++)
			for (u64 to = from + 1; to < 10; to++) {
				bool told = page >= from && page < to;
				own(page, 2, 6);
				wakes = 0;
				while (!source_fail_step(root->source, from, to, SYS_ERR_IO))
					;
				must(wakes == told && (b.state == PAGE_WAIT_IDLE) == told && (!told || b.status == SYS_ERR_IO));
				for (u64 p = 0; p < 10; p++)
					answered[p] = p >= from && p < to;
				if (!told)
					must(b.first == 2 && b.count == 6 && bits_are(b.arrived, 2, 6));
				else if (from > 2 || to < 8)
					has_record(2, 8);
				else
					must(records() == 0);
				source_check(root->source);
				forget();
			}
	end();
}
END_TEST

/* The root shrinks to so many pages: with an owner, and with a record. */
START_TEST(shrinks)
{
	begin(16);
	for (u64 page = 2; page < 8; page++)
		for (u64 pages = 0; pages < 10; pages++)
			for (unsigned recorded = 0; recorded < 2; recorded++) {
				bool told = page >= pages && !recorded;
				u64 end_of = MIN(pages, 8);
				own(page, 2, 6);
				if (recorded)
					page_wait_cancel(&b);
				wakes = 0;
				while (!source_shrink_step(root->source, pages))
					;
				must(root->source->limit == pages && wakes == told);
				if (!told && !recorded)
					must(b.state == PAGE_WAIT_DELIVERED && b.first == 2 && b.count == end_of - 2 && records() == 0);
				else if (end_of > 2)
					has_record(2, end_of);
				else
					must(records() == 0);
				root->source->limit = vmo_pages(root);
				source_check(root->source);
				forget();
			}
	end();
}
END_TEST

/* ---- pages that are held ---------------------------------------------------------------------------------------------------- */

/* A page that somebody waited for is held for him; one that nobody waited for is not, though it lies in a request. */
START_TEST(held)
{
	begin(8);
	for (unsigned waiting = 0; waiting < 3; waiting++) {
		u64 page = 2 * waiting;
		ask(&a, page, 2);
		deliver();
		if (waiting == 2)
			ask(&b, page + 1, 1);
		if (waiting == 0)
			page_wait_cancel(&a);
		must_ok(supply(page, 5));
		must_ok(supply(page + 1, 5));
		ck_assert(!(frame_of(tree_frame(tree_lookup(&root->tree, page)))->state & FRAME_HELD) == (waiting == 0));
		ck_assert(!(frame_of(tree_frame(tree_lookup(&root->tree, page + 1)))->state & FRAME_HELD) == (waiting != 2));
		forget();
	}
	end();
}
END_TEST

/* Whether the page came is known of the last wait alone. */
START_TEST(came)
{
	begin(8);
	page_wait_init(&a);
	for (unsigned round = 0; round < 2; round++) {
		must(source_request(root->source, 1, 1, SYS_ACCESS_WRITE, &a) == SYS_ERR_SHOULD_WAIT && !a.came && a.access == SYS_ACCESS_WRITE);
		answer(1);
		ck_assert(a.came && a.status == SYS_OK && a.state == PAGE_WAIT_IDLE);
		must(source_request(root->source, 2, 1, SYS_ACCESS_READ, &a) == SYS_ERR_SHOULD_WAIT && !a.came && a.access == SYS_ACCESS_READ);
		while (!source_fail_step(root->source, 2, 3, SYS_ERR_IO))
			;
		ck_assert(!a.came && a.status == SYS_ERR_IO && a.state == PAGE_WAIT_IDLE);
		must(source_request(root->source, 2, 1, SYS_ACCESS_READ, &a) == SYS_ERR_SHOULD_WAIT);
		page_wait_cancel(&a);
		ck_assert(!a.came && a.state == PAGE_WAIT_IDLE);
	}
	end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("parts");
	add_test(s, cut);
	add_test(s, fresh_request);
	add_test(s, remembered);
	add_test(s, record_goes);
	add_test(s, fails);
	add_test(s, shrinks);
	add_test(s, held);
	add_test(s, came);
	return s;
}
