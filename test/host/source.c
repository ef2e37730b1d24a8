/* SPDX-License-Identifier: BSD-2-Clause */
/* source.c: page requests and pagers. Threads are records that want a run of pages, one after the other; the pager is the test. It remembers what it was asked for
 * and has not answered, so at any time: whoever waits, waits for a page that is in the pager's queue or that the pager knows of. */
#include <stdlib.h>
#include <string.h>
#include "arch/arch.h"
#include "arch/pagetable.h"
#include "common/harness.h"
#include "vm/source.h"
#include "vm/vmar.h"

#define FRAMES  16384u
#define PAGES   700u
#define THREADS 24u
#define AUX     40u
#define KEY     0x1234567ull

struct client { struct page_wait wait; u64 page, end; bool active; unsigned wakes; sys_status_t status; };
static struct client client[THREADS];
static struct account *account, *other;
static struct pager *pager;
static struct vmo *root, *aux;
static bool known[PAGES];               /* the pager was asked for it and has not answered */
static u64 value[PAGES];                /* what it supplied; 0: zero, or nothing yet */
static bool present[PAGES];
static u64 next_value, free_at_start, asked_twice, readies, received;

#define again(call) ({ sys_status_t s_; do s_ = (call); while (s_ == VM_AGAIN); s_; })
#define must_ok(call) must(again(call) == SYS_OK)

static void reap_all(void) { while (!object_reap(NULL)) ; }

static void woken(struct page_wait *w)
{
	struct client *c = container_of(w, struct client, wait);
	must(w->state == PAGE_WAIT_IDLE);
	c->wakes++;
	c->status = w->status;
}

static void ready(struct pager *p) { readies += p == pager; }

static void setup(u64 pages, u32 options)
{
	memset(client, 0, sizeof client);
	memset(known, 0, sizeof known);
	memset(present, 0, sizeof present);
	memset(value, 0, sizeof value);
	asked_twice = readies = received = 0;
	machine_start(FRAMES);
	vmo_boot();
	object_type_set(SYS_TYPE_VMAR, &vmar_type);
	vm_hooks = (struct vm_hooks){ .wake = woken, .pager_ready = ready };
	free_at_start = frame_count_free();
	must_ok(account_create(account_root(), 6000, &account));
	must_ok(account_create(account_root(), 6000, &other));
	object_cap(&account->object);
	object_cap(&other->object);
	must_ok(pager_create(other, 7, &pager));
	object_cap(&pager->object);
	must_ok(pager_create_vmo(pager, account, options, KEY, pages * PAGE_SIZE_, &root));
	object_cap(&root->object);
	must_ok(vmo_create(other, AUX * PAGE_SIZE_, 0, &aux));
	object_cap(&aux->object);
	for (unsigned i = 0; i < THREADS; i++) {
		page_wait_init(&client[i].wait);
		client[i].wait.priority = (u8)(i % 3);
	}
	next_value = 1;
}

static void check_end(void)
{
	for (unsigned i = 0; i < THREADS; i++)
		page_wait_cancel(&client[i].wait);
	object_uncap(&root->object);
	object_uncap(&aux->object);
	object_uncap(&pager->object);
	reap_all();
	ck_assert_uint_eq(account->used, 0);
	ck_assert_uint_eq(other->used, 0);
	object_uncap(&account->object);
	object_uncap(&other->object);
	reap_all();
	ck_assert_uint_eq(frame_count_free(), free_at_start);
	frame_check();
}

/* ---- what clients and the pager do ------------------------------------------------------------------------------------------------------ */
static sys_status_t want(struct client *c, u64 page, u64 run)
{
	struct page_ref ref;
	sys_status_t status = again(cursor_require(root, page, false, run, 0, &c->wait, &ref));
	if (status == SYS_OK)
		must(present[page] || page >= root->source->limit);
	if (status == SYS_OK)
		must(*(u64 *)phys_to_virt(ref.frame) == (page < PAGES ? value[page] : 0));
	return status;
}

/* Runs a client until it waits or is done. */
static sys_status_t run(struct client *c)
{
	sys_status_t status = SYS_OK;
	while (c->active && c->wait.state == PAGE_WAIT_IDLE && status == SYS_OK) {
		status = c->page < c->end ? want(c, c->page, c->end - c->page) : SYS_OK;
		if (status == SYS_OK && ++c->page >= c->end)
			c->active = false;
	}
	if (status != SYS_OK && status != SYS_ERR_SHOULD_WAIT)
		c->active = false;
	return status;
}

static sys_status_t start(unsigned i, u64 page, u64 end)
{
	client[i].page = page;
	client[i].end = end;
	client[i].active = true;
	client[i].wakes = 0;
	return run(&client[i]);
}

static bool receive(u64 *page, u64 *count)
{
	sys_pager_request_t r;
	if (!pager_take(pager, &r))
		return false;
	*page = r.offset / PAGE_SIZE_;
	*count = r.length / PAGE_SIZE_;
	must(r.key == KEY && r.type == 0 && r.access == SYS_ACCESS_READ && *count > 0 && *count <= REQUEST_PAGES);
	received++;
	for (u64 p = *page; p < *page + *count; p++) {
		asked_twice += known[p];
		known[p] = !present[p];
	}
	return true;
}

static void fill_aux(u64 page, u64 v)
{
	struct page_wait none;
	struct page_ref ref;
	page_wait_init(&none);
	must_ok(cursor_require(aux, page, true, 1, TREE_LEVELS + 1, &none, &ref));
	*(u64 *)phys_to_virt(ref.frame) = v;
}

static u64 aux_value(u64 page)
{
	struct page_ref ref;
	must(cursor_peek(aux, page, &ref));
	return *(u64 *)phys_to_virt(ref.frame);
}

/* Supplies pages whose values stand in aux; checks what is new, and that aux is empty there afterwards. */
static sys_status_t supply(u64 page, u64 count, u64 from)
{
	u64 v[AUX], done = 0, fresh = 0, expected = 0;
	for (u64 i = 0; i < count; i++)
		v[i] = aux_value(from + i);
	sys_status_t status = again(pager_supply(pager, root, page * PAGE_SIZE_, count * PAGE_SIZE_, aux, from * PAGE_SIZE_, &done, &fresh));
	must(status != SYS_OK || done == count * PAGE_SIZE_);
	for (u64 i = 0; i < done / PAGE_SIZE_; i++) {
		u64 p = page + i;
		must(aux_value(from + i) == 0);
		known[p] = false;
		if (present[p] || p >= root->source->limit)
			continue;
		present[p] = true;
		value[p] = v[i];
		expected += PAGE_SIZE_;
	}
	must(fresh == expected);
	return status;
}

static sys_status_t fail_range(u64 page, u64 count, i64 code)
{
	sys_status_t status = again(pager_op_range(pager, SYS_PAGER_OP_FAIL, root, page * PAGE_SIZE_, count * PAGE_SIZE_, code));
	for (u64 p = page; p < page + count; p++)
		known[p] = false;
	return status;
}

static void check(void)
{
	vmo_check(root);
	vmo_check(aux);
	pager_check(pager);
	account_check_all();
	for (unsigned i = 0; i < THREADS; i++) {
		struct page_wait *w = &client[i].wait;
		if (w->state == PAGE_WAIT_IDLE)
			continue;
		must(w->page == client[i].page && !present[w->page]);
		if (w->state == PAGE_WAIT_DELIVERED)
			must(known[w->page]);
		if (w->state != PAGE_WAIT_JOINED || known[w->page])
			continue;
		bool queued = false;            /* it joined a request that is still in the queue */
		for (unsigned j = 0; j < THREADS; j++) {
			struct page_wait *o = &client[j].wait;
			queued |= o->state == PAGE_WAIT_QUEUED && w->page - o->first < o->count;
		}
		must(queued);
	}
}

/* ---- single rules ------------------------------------------------------------------------------------------------------------------------ */
START_TEST(one_page)
{
	u64 page, count;
	setup(100, 0);
	ck_assert_int_eq(start(0, 5, 6), SYS_ERR_SHOULD_WAIT);
	ck_assert_uint_eq(readies, 1);
	ck_assert(receive(&page, &count));
	ck_assert(page == 5 && count == 1);
	ck_assert(!receive(&page, &count));
	fill_aux(0, 77);
	u64 used = account->used, paid = other->used;
	must_ok(supply(5, 1, 0));
	ck_assert_uint_eq(account->used, used + 1);             /* the frame moved, and its charge */
	ck_assert_uint_eq(other->used, paid - 1);
	ck_assert_uint_eq(client[0].wakes, 1);
	ck_assert_int_eq(run(&client[0]), SYS_OK);
	ck_assert_int_eq(start(1, 5, 6), SYS_OK);
	fill_aux(0, 78);                                        /* what is there stays, what came goes */
	must_ok(supply(5, 1, 0));
	ck_assert_int_eq(start(1, 5, 6), SYS_OK);
	ck_assert_uint_eq(other->used, paid - 1);
	check();
	check_end();
}
END_TEST

/* A run stops at a page that is there, at another request, at 512 pages; one that starts inside a request joins it. */
START_TEST(request_ranges)
{
	u64 page, count;
	setup(700, 0);
	must_ok(supply(50, 1, 0));                              /* known zero */
	ck_assert_uint_eq(root->tree.charged, 1);               /* a leaf for the marker */
	start(0, 10, 100);
	start(1, 20, 30);
	start(2, 0, 40);
	start(3, 60, 700);
	ck_assert_int_eq(client[1].wait.state, PAGE_WAIT_JOINED);
	check();
	for (unsigned i = 0; i < 3; i++) {                      /* by priority, then age: client 2, then 0 and 3 */
		static const u64 expected[3][2] = { { 0, 10 }, { 10, 40 }, { 60, 512 } };
		ck_assert(receive(&page, &count));
		ck_assert_uint_eq(page, expected[i][0]);
		ck_assert_uint_eq(count, expected[i][1]);
	}
	ck_assert(!receive(&page, &count));
	ck_assert_uint_eq(asked_twice, 0);
	check();
	check_end();
}
END_TEST

/* Answers out of order; early wake; what is left is not asked for again. */
START_TEST(early_wake)
{
	u64 page, count;
	setup(100, 0);
	start(0, 0, 10);
	start(1, 4, 5);
	ck_assert(receive(&page, &count));
	must_ok(supply(7, 3, 0));
	ck_assert_uint_eq(client[0].wakes + client[1].wakes, 0);
	must_ok(supply(4, 1, 0));
	ck_assert_uint_eq(client[1].wakes, 1);
	must_ok(supply(0, 2, 0));
	ck_assert_uint_eq(client[0].wakes, 1);
	check();
	ck_assert_uint_eq(root->source->record[0].count, 10);
	ck_assert_int_eq(run(&client[0]), SYS_ERR_SHOULD_WAIT);
	ck_assert_int_eq(client[0].wait.state, PAGE_WAIT_DELIVERED);
	ck_assert(!receive(&page, &count));
	must_ok(supply(2, 2, 0));
	run(&client[0]);
	must_ok(supply(5, 2, 0));
	ck_assert_int_eq(run(&client[0]), SYS_OK);
	ck_assert(!client[0].active && !receive(&page, &count));
	ck_assert_uint_eq(root->source->record[0].count, 0);
	ck_assert_uint_eq(root->source->request_count, 1);
	check();
	check_end();
}
END_TEST

START_TEST(cancelled_owner)
{
	u64 page, count;
	setup(100, 0);
	start(0, 0, 10);                                        /* undelivered: withdrawn, the joiner asks for itself */
	start(1, 3, 4);
	page_wait_cancel(&client[0].wait);
	ck_assert_uint_eq(client[1].wakes, 1);
	ck_assert(!receive(&page, &count));
	run(&client[1]);
	ck_assert(receive(&page, &count));
	ck_assert(page == 3 && count == 1);
	start(0, 10, 20);                                       /* delivered: it stands; a joiner has it now */
	start(2, 15, 16);
	ck_assert(receive(&page, &count));
	page_wait_cancel(&client[0].wait);
	ck_assert_int_eq(client[2].wait.state, PAGE_WAIT_DELIVERED);
	start(0, 12, 14);
	ck_assert_int_eq(client[0].wait.state, PAGE_WAIT_JOINED);
	check();
	page_wait_cancel(&client[2].wait);
	page_wait_cancel(&client[0].wait);                      /* nobody left: a record */
	start(0, 19, 25);
	ck_assert_int_eq(client[0].wait.state, PAGE_WAIT_DELIVERED);
	ck_assert(!receive(&page, &count));
	ck_assert_uint_eq(asked_twice, 0);
	check();
	for (unsigned i = 0; i < 8; i++) {                      /* more than there are records: at worst asked for twice */
		start(5, 30 + 3 * i, 31 + 3 * i);
		ck_assert(receive(&page, &count));
		page_wait_cancel(&client[5].wait);
		check();
	}
	start(5, 30, 31);
	ck_assert(!receive(&page, &count));
	start(6, 30 + 21, 52);
	ck_assert(receive(&page, &count));
	ck_assert_uint_eq(asked_twice, 1);
	check_end();
}
END_TEST

START_TEST(failing)
{
	u64 page, count;
	setup(100, 0);
	start(0, 0, 20);
	start(1, 8, 9);
	start(2, 8, 9);
	ck_assert(receive(&page, &count));
	ck_assert_int_eq(fail_range(0, 1, SYS_ERR_NOT_FOUND), SYS_ERR_INVALID_ARGS);
	known[0] = true;
	ck_assert_int_eq(fail_range(90, 10, SYS_ERR_IO), SYS_OK);     /* nothing outstanding */
	ck_assert_int_eq(fail_range(8, 2, SYS_ERR_IO_DATA_INTEGRITY), SYS_OK);
	ck_assert_int_eq(client[1].status, SYS_ERR_IO_DATA_INTEGRITY);
	ck_assert_int_eq(client[2].status, SYS_ERR_IO_DATA_INTEGRITY);
	ck_assert_uint_eq(client[0].wakes, 0);                  /* it needs page 0 first */
	start(1, 8, 30);                                        /* not sticky: a new request, up to what is still outstanding */
	ck_assert(receive(&page, &count));
	ck_assert(page == 8);
	check();
	start(3, 15, 16);
	must_ok(supply(0, 8, 0));
	run(&client[0]);
	check();
	ck_assert_int_eq(fail_range(0, 100, SYS_ERR_NO_SPACE), SYS_OK);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(client[i].wait.state, PAGE_WAIT_IDLE);
	ck_assert_int_eq(client[0].status, SYS_ERR_NO_SPACE);
	start(4, 12, 13);                                       /* nothing of the old requests stands */
	ck_assert(receive(&page, &count));
	ck_assert(page == 12 && count == 1 && asked_twice == 0);
	page_wait_cancel(&client[4].wait);                      /* now it stands in a record */
	ck_assert_int_eq(fail_range(12, 1, SYS_ERR_IO), SYS_OK);
	ck_assert_uint_eq(root->source->record[0].count, 0);
	start(4, 12, 13);
	ck_assert(receive(&page, &count) && asked_twice == 0);
	check_end();
}
END_TEST

/* An owner that waits behind a failed page, and somebody who needs that page: the request is cut in two around it. */
START_TEST(cut_in_front_of_the_owner)
{
	u64 page, count;
	setup(100, 0);
	start(0, 0, 20);
	start(1, 12, 13);
	start(2, 3, 4);
	ck_assert(receive(&page, &count));
	page_wait_cancel(&client[0].wait);                      /* client 2 owns it now */
	page_wait_cancel(&client[2].wait);                      /* client 1 does, at page 12 */
	ck_assert_int_eq(client[1].wait.state, PAGE_WAIT_DELIVERED);
	ck_assert_uint_eq(client[1].wait.first, 0);
	start(3, 2, 3);
	ck_assert_int_eq(fail_range(5, 3, SYS_ERR_IO), SYS_OK);
	start(0, 6, 20);
	ck_assert(receive(&page, &count));
	ck_assert(page == 6 && count == 1 && asked_twice == 0);
	ck_assert_uint_eq(client[1].wait.first, 7);
	ck_assert_int_eq(client[3].wait.state, PAGE_WAIT_DELIVERED);
	ck_assert(client[3].wait.first == 0 && client[3].wait.count == 6);
	check();
	must_ok(supply(0, 20, 0));
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(client[i].wait.state, PAGE_WAIT_IDLE);
	check_end();
}
END_TEST

/* The same with a long request: bits move over several words. */
START_TEST(cut_long_request)
{
	u64 page, count;
	setup(700, 0);
	start(0, 0, 512);
	start(1, 300, 301);
	ck_assert(receive(&page, &count) && count == 512);
	page_wait_cancel(&client[0].wait);
	for (u64 p = 100; p < 512; p += 3)
		if (p != 300)
			must_ok(supply(p, 1, 0));
	ck_assert_int_eq(fail_range(85, 1, SYS_ERR_IO), SYS_OK);
	start(2, 85, 86);
	ck_assert(receive(&page, &count) && page == 85 && count == 1 && asked_twice == 0);
	const struct page_wait *w = &client[1].wait;
	ck_assert(w->first == 86 && w->count == 512 - 86);
	for (u64 p = 86; p < 512; p++)
		ck_assert_uint_eq(w->arrived[(p - 86) / 64] >> (p - 86) % 64 & 1, p >= 100 && p % 3 == 1 && p != 300);
	check();
	check_end();
}
END_TEST

/* More than one step's worth of waiters for one page: interrupted, each is woken once. */
START_TEST(many_waiters)
{
	u64 page, count;
	setup(100, SYS_VMO_RESIZABLE);
	host_preempt_every(1);
	for (unsigned way = 0; way < 3; way++) {
		for (unsigned i = 0; i < THREADS; i++)
			ck_assert_int_eq(start(i, 50 + way, 51 + way), SYS_ERR_SHOULD_WAIT);
		ck_assert(receive(&page, &count) && !receive(&page, &count));
		if (way == 0)
			ck_assert_int_eq(fail_range(50, 1, SYS_ERR_IO), SYS_OK);
		else if (way == 1)
			must_ok(supply(51, 1, 0));
		else
			must_ok(vmo_set_size(root, 10 * PAGE_SIZE_, true));
		for (unsigned i = 0; i < THREADS; i++) {
			ck_assert_uint_eq(client[i].wakes, 1);
			ck_assert_int_eq(client[i].status, way == 0 ? SYS_ERR_IO : SYS_OK);
			client[i].active = false;
		}
		check();
	}
	check_end();
}
END_TEST

/* A mapping goes: who waits for an access through it is woken, the others are not. */
START_TEST(mapping_goes)
{
	struct space *one = (struct space *)8, *two = (struct space *)16;       /* names only: nothing is supplied */
	u64 page, count;
	setup(100, 0);
	for (unsigned i = 0; i < 6; i++) {
		client[i].wait.space = i % 2 ? one : two;
		client[i].wait.va = 0x10000 + i * PAGE_SIZE_;
		start(i, 10 + i % 3, 14);
	}
	ck_assert(receive(&page, &count) && page == 10);
	while (!source_unmap_step(root->source, 0, 50, one, 0x10000, 0x14000))
		check();
	for (unsigned i = 0; i < 6; i++)
		ck_assert_uint_eq(client[i].wakes, i == 1 || i == 3);
	while (!source_unmap_step(root->source, 0, 50, two, 0x10000, 0x14000))
		check();
	for (unsigned i = 0; i < 6; i++)
		ck_assert_uint_eq(client[i].wakes, i < 4);
	check_end();
}
END_TEST

/* A supply that cannot be paid for leaves pages, charges and waiters as they were. */
START_TEST(supply_without_memory)
{
	struct vmo *child;
	setup(100, 0);
	start(0, 20, 21);
	fill_aux(0, 1);
	fill_aux(1, 2);
	must_ok(vmo_create_child(aux, other, SYS_VMO_CHILD_SNAPSHOT, PAGE_SIZE_, PAGE_SIZE_, &child));
	object_cap(&child->object);                             /* page 1 is shared, page 0 is not, page 2 is known zero */
	for (u64 from = 0; from < 3; from++) {
		u64 failures = 0, used = account->used, paid = other->used;
		each_failure(n) {
			sys_status_t status = supply(20 + from, 1, from);
			if (!allocation_failed()) {
				ck_assert_int_eq(status, SYS_OK);
				continue;
			}
			failures++;
			ck_assert_int_eq(status, SYS_ERR_NO_MEMORY);
			ck_assert(account->used == used && other->used == paid);
			ck_assert(from != 0 || client[0].wakes == 0);
			check();
		}
		failure_disarm();
		ck_assert_uint_eq(failures, from == 0 ? 2 : from == 1 ? 1 : 0);
	}
	ck_assert_uint_eq(client[0].wakes, 1);
	object_uncap(&child->object);
	check_end();
}
END_TEST

START_TEST(arguments)
{
	struct vmo *v;
	struct pager *second;
	u64 done = 0, fresh = 0;
	setup(10, 0);
	must_ok(pager_create(other, 0, &second));
	ck_assert_int_eq(pager_create_vmo(pager, account, SYS_VMO_DISCARDABLE, 0, 1, &v), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pager_create_vmo(pager, account, SYS_VMO_UNBOUNDED | SYS_VMO_RESIZABLE, 0, 1, &v), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pager_create_vmo(pager, account, 0, 0, UINT64_MAX, &v), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(pager_create_vmo(pager, account, SYS_VMO_TRAP_DIRTY, 0, 1, &v), SYS_ERR_NOT_SUPPORTED);
	ck_assert_int_eq(pager_supply(pager, root, 1, 0, aux, 0, &done, &fresh), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pager_supply(pager, root, 0, 0, aux, 1, &done, &fresh), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pager_supply(second, root, 0, PAGE_SIZE_, aux, 0, &done, &fresh), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pager_supply(pager, aux, 0, PAGE_SIZE_, aux, 0, &done, &fresh), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pager_supply(pager, root, 0, 11 * PAGE_SIZE_, aux, 0, &done, &fresh), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(pager_supply(pager, root, 0, PAGE_SIZE_, aux, AUX * PAGE_SIZE_, &done, &fresh), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(pager_supply(pager, root, 0, PAGE_SIZE_, root, 0, &done, &fresh), SYS_ERR_NOT_SUPPORTED);
	ck_assert_int_eq(pager_op_range(pager, 99, root, 0, PAGE_SIZE_, 0), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pager_op_range(pager, SYS_PAGER_OP_DIRTY, root, 0, PAGE_SIZE_, 0), SYS_ERR_NOT_SUPPORTED);
	ck_assert_int_eq(pager_op_range(pager, SYS_PAGER_OP_FAIL, root, 1, PAGE_SIZE_, SYS_ERR_IO), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(vmo_op_range(root, SYS_VMO_OP_DECOMMIT, 0, PAGE_SIZE_, &done, &client[0].wait), SYS_ERR_NOT_SUPPORTED);
	ck_assert_int_eq(vmo_create_child(root, account, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE_SIZE_, &v), SYS_ERR_NOT_SUPPORTED);
	object_cap(&second->object);
	pager_kill(second);
	ck_assert_int_eq(pager_create_vmo(second, account, 0, 0, 1, &v), SYS_ERR_BAD_STATE);
	object_uncap(&second->object);
	each_failure(n) {
		sys_status_t status = pager_create_vmo(pager, other, 0, KEY, 1, &v);
		if (allocation_failed())
			ck_assert_int_eq(status, SYS_ERR_NO_MEMORY);
		else
			object_end(&v->object);
	}
	failure_disarm();
	reap_all();
	check_end();
}
END_TEST

/* COMMIT waits for what is missing, in runs, and makes pages of what is known zero. */
START_TEST(commit_asks)
{
	u64 page, count, done = 0;
	setup(10, 0);
	fill_aux(0, 9);
	must_ok(supply(3, 2, 0));                               /* page 3, and page 4 known zero */
	ck_assert_uint_eq(root->tree.charged, 1);
	ck_assert_int_eq(vmo_op_range(root, SYS_VMO_OP_COMMIT, 0, 10 * PAGE_SIZE_, &done, &client[0].wait), SYS_ERR_SHOULD_WAIT);
	ck_assert(receive(&page, &count) && page == 0 && count == 3);
	must_ok(supply(0, 3, 0));
	ck_assert_int_eq(vmo_op_range(root, SYS_VMO_OP_COMMIT, 0, 10 * PAGE_SIZE_, &done, &client[0].wait), SYS_ERR_SHOULD_WAIT);
	ck_assert_uint_eq(done, 5 * PAGE_SIZE_);
	ck_assert(receive(&page, &count) && page == 5 && count == 5);
	must_ok(supply(5, 5, 0));
	must_ok(vmo_op_range(root, SYS_VMO_OP_COMMIT, 0, 10 * PAGE_SIZE_, &done, &client[0].wait));
	ck_assert_uint_eq(root->tree.charged, 11);              /* nine pages more, and the leaf for pages 8 and 9 */
	check_end();
}
END_TEST

START_TEST(resizing)
{
	u64 page, count;
	setup(100, SYS_VMO_RESIZABLE);
	start(0, 90, 91);
	start(1, 20, 60);
	start(2, 55, 56);
	must_ok(vmo_set_size(root, 40 * PAGE_SIZE_, true));
	ck_assert_uint_eq(client[0].wakes, 1);
	ck_assert_uint_eq(client[2].wakes, 1);
	ck_assert_int_eq(run(&client[0]), SYS_ERR_OUT_OF_RANGE);
	ck_assert(receive(&page, &count));                      /* priority 1; the one for page 90 was withdrawn */
	ck_assert(page == 20 && count == 20);
	ck_assert(!receive(&page, &count));
	check();
	must_ok(vmo_set_size(root, 100 * PAGE_SIZE_, true));
	ck_assert_int_eq(start(0, 40, 100), SYS_OK);            /* grown by: zero, and nobody is asked */
	fill_aux(0, 5);
	must_ok(supply(41, 1, 0));                              /* ignored */
	ck_assert_int_eq(start(0, 41, 42), SYS_OK);
	check();
	check_end();
}
END_TEST

/* The pager dies: everybody is woken, what is there stays. */
START_TEST(pager_dies)
{
	u64 page, count, done = 0, fresh = 0;
	setup(100, 0);
	fill_aux(0, 3);
	must_ok(supply(0, 1, 0));
	start(0, 0, 10);
	start(1, 5, 6);
	ck_assert(receive(&page, &count));
	for (unsigned i = 2; i < THREADS; i++)
		start(i, 20 + i / 2, 40);
	pager_kill(pager);
	reap_all();
	for (unsigned i = 0; i < THREADS; i++) {
		ck_assert_int_eq(client[i].wait.state, PAGE_WAIT_IDLE);
		ck_assert_int_eq(client[i].status, SYS_ERR_BAD_STATE);
	}
	ck_assert_int_eq(start(1, 50, 51), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(start(1, 0, 1), SYS_OK);
	ck_assert_int_eq(pager_supply(pager, root, 0, PAGE_SIZE_, aux, 0, &done, &fresh), SYS_ERR_BAD_STATE);
	vmo_check(root);
	check_end();
}
END_TEST

START_TEST(root_dies)
{
	u64 page, count;
	setup(100, 0);
	fill_aux(0, 3);
	must_ok(supply(0, 1, 0));
	for (unsigned i = 0; i < THREADS; i++)
		start(i, 1 + i / 2, 30);
	ck_assert(receive(&page, &count));
	object_end(&root->object);
	reap_all();
	for (unsigned i = 0; i < THREADS; i++) {
		ck_assert_int_eq(client[i].wait.state, PAGE_WAIT_IDLE);
		ck_assert_int_eq(client[i].status, SYS_ERR_BAD_STATE);
	}
	ck_assert(!receive(&page, &count));
	ck_assert(list_empty(&pager->roots));
	ck_assert_int_eq(start(0, 0, 1), SYS_ERR_BAD_STATE);
	check_end();
}
END_TEST

/* ---- a fault that waits -------------------------------------------------------------------------------------------------------------------- */
/* The entry is there before the thread runs, and aux's own entries are gone before the frame moves. */
START_TEST(fault_is_finished)
{
	struct space *space;
	vaddr_t at, aux_at;
	u64 page, count;
	setup(100, 0);
	must_ok(space_create(other, false, &space));
	object_cap((struct object *)space);
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, root, SYS_RIGHTS_VMO, 0, 100 * PAGE_SIZE_, NULL, &at));
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, aux, SYS_RIGHTS_VMO, 0, AUX * PAGE_SIZE_, NULL, &aux_at));
	must_ok(vm_fault(space, aux_at, SYS_ACCESS_WRITE, 0, &client[1].wait));
	*(u64 *)phys_to_virt(pt_query(space->root, aux_at).frame) = 42;
	client[0].page = 9;
	ck_assert_int_eq(again(vm_fault(space, at + 9 * PAGE_SIZE_, SYS_ACCESS_READ, 0, &client[0].wait)), SYS_ERR_SHOULD_WAIT);
	ck_assert(receive(&page, &count) && page == 9 && count == 1);
	must_ok(supply(9, 1, 0));
	ck_assert_uint_eq(client[0].wakes, 1);
	ck_assert_uint_eq(pt_query(space->root, aux_at).flags, 0);
	struct pt_entry e = pt_query(space->root, at + 9 * PAGE_SIZE_);
	ck_assert(e.flags & PT_READ);
	ck_assert_uint_eq(*(u64 *)phys_to_virt(e.frame), 42);
	space_check(space);
	check();
	object_uncap((struct object *)space);
	reap_all();
	check_end();
}
END_TEST

/* ---- random ---------------------------------------------------------------------------------------------------------------------------------- */
static void shake_aux(void)
{
	struct vmo *child;
	for (unsigned i = 0; i < 8; i++)
		if (random_chance(60))
			fill_aux(random_below(AUX), next_value++);
	if (random_chance(20)) {                                /* shared for a while: supply has to copy */
		must_ok(vmo_create_child(aux, other, SYS_VMO_CHILD_SNAPSHOT, 0, AUX * PAGE_SIZE_, &child));
		object_end(&child->object);
		if (random_chance(50))
			reap_all();
	}
}

static void resize(void)
{
	u64 pages = 100 + random_below(PAGES - 100), old = root->source->limit;
	must_ok(vmo_set_size(root, pages * PAGE_SIZE_, true));
	for (u64 p = MIN(pages, old); p < PAGES; p++) {
		known[p] = present[p] = false;
		value[p] = 0;
	}
}

static void random_step(u64 spread)
{
	unsigned i = (unsigned)random_below(THREADS);
	u64 page = random_below(root->size / PAGE_SIZE_) / spread, count = 1 + random_below(AUX - 1), from, length;
	count = MIN(count, root->size / PAGE_SIZE_ - page);
	switch (random_below(12)) {
	case 0: case 1: case 2: case 3:
		if (client[i].active)
			run(&client[i]);
		else
			start(i, page, page + count);
		break;
	case 4:
		page_wait_cancel(&client[i].wait);
		client[i].active = false;
		break;
	case 5: case 6: receive(&from, &length); break;
	case 7: case 8: case 9:
		shake_aux();
		host_fail_charge_at = random_chance(10) ? 1 + random_below(4) : 0;
		supply(page, 1 + random_below(count), random_below(AUX - count + 1));
		host_fail_charge_at = 0;
		break;
	case 10: must(fail_range(page, count, SYS_ERR_IO) == SYS_OK); break;
	default:
		if (random_chance(3))
			resize();
	}
}

START_TEST(random_requests)
{
	u64 page, count;
	for (unsigned round = 0; round < 4; round++) {
		setup(PAGES, SYS_VMO_RESIZABLE);
		for (unsigned step = 0; step < 3000; step++) {
			host_preempt_every((unsigned)random_below(4));
			random_step(1 + 3 * round);
			check();
		}
		/* Nobody sleeps for ever: once everything is received and answered, all run to their end. */
		for (unsigned turn = 0; turn < PAGES; turn++) {
			while (receive(&page, &count))
				;
			for (u64 p = 0; p < root->size / PAGE_SIZE_; p++)
				if (known[p])
					must_ok(supply(p, 1, 0));
			for (unsigned i = 0; i < THREADS; i++)
				run(&client[i]);
			check();
		}
		for (unsigned i = 0; i < THREADS; i++)
			ck_assert(!client[i].active);
		check_end();
	}
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("source");
	add_test(s, one_page);
	add_test(s, request_ranges);
	add_test(s, early_wake);
	add_test(s, cancelled_owner);
	add_test(s, failing);
	add_test(s, cut_in_front_of_the_owner);
	add_test(s, cut_long_request);
	add_test(s, many_waiters);
	add_test(s, mapping_goes);
	add_test(s, supply_without_memory);
	add_test(s, arguments);
	add_test(s, commit_asks);
	add_test(s, resizing);
	add_test(s, pager_dies);
	add_test(s, root_dies);
	add_test(s, fault_is_finished);
	add_test(s, random_requests);
	return s;
}
