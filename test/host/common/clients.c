/* SPDX-License-Identifier: BSD-2-Clause */
/* clients.c: see clients.h. */
#include <string.h>
#include "common/clients.h"
#include "common/page.h"

#define FRAMES  16384u
#define KEY     0x1234567ull

struct client client[THREADS];
struct account *account, *other;
struct pager *pager;
struct vmo *root, *aux;
bool known[PAGES], present[PAGES];
u64 value[PAGES], asked_twice, readies;
static u64 free_at_start;

void reap_all(void) { while (!object_reap(NULL)) ; }

static void woken(struct page_wait *w)
{
	struct client *c = container_of(w, struct client, wait);
	must(w->state == PAGE_WAIT_IDLE);
	c->wakes++;
	c->status = w->status;
}

static void ready(struct pager *p) { readies += p == pager; }

void setup(u64 pages, u32 options)
{
	memset(client, 0, sizeof client);
	memset(known, 0, sizeof known);
	memset(present, 0, sizeof present);
	memset(value, 0, sizeof value);
	asked_twice = readies = 0;
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
}

void check_end(void)
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

/* ---- what clients and the pager do -------------------------------------------------------------- */
static sys_status_t want(struct client *c, u64 page, u64 run)
{
	struct page_ref ref;
	sys_status_t status = again(page_require(root, page, false, run, 0, &c->wait, &ref));
	if (status == SYS_OK)
		must(present[page] || page >= root->source->limit);
	if (status == SYS_OK)
		must(*(u64 *)phys_to_virt(ref.frame) == (page < PAGES ? value[page] : 0));
	return status;
}

sys_status_t run(struct client *c)
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

sys_status_t start(unsigned i, u64 page, u64 end)
{
	client[i].page = page;
	client[i].end = end;
	client[i].active = true;
	client[i].wakes = 0;
	return run(&client[i]);
}

bool receive(u64 *page, u64 *count)
{
	sys_pager_request_t r;
	if (pqueue_empty(&pager->queue))
		return false;
	r = page_request(pager_take(pager));
	*page = r.offset / PAGE_SIZE_;
	*count = r.length / PAGE_SIZE_;
	must(r.key == KEY && r.type == 0 && r.access == SYS_ACCESS_READ && *count > 0 && *count <= REQUEST_PAGES);
	for (u64 p = *page; p < *page + *count; p++) {
		asked_twice += known[p];
		known[p] = !present[p];
	}
	return true;
}

void fill_aux(u64 page, u64 v)
{
	struct page_wait none;
	struct page_ref ref;
	page_wait_init(&none);
	must_ok(page_require(aux, page, true, 1, TREE_LEVELS + 1, &none, &ref));
	*(u64 *)phys_to_virt(ref.frame) = v;
}

static u64 aux_value(u64 page)
{
	struct page_ref ref;
	must(cursor_peek(aux, page, &ref));
	return *(u64 *)phys_to_virt(ref.frame);
}

sys_status_t supply(u64 page, u64 count, u64 from)
{
	u64 v[AUX], done = 0, fresh = 0, expected = 0;
	for (u64 i = 0; i < count; i++)
		v[i] = aux_value(from + i);
	sys_status_t status = again(pager_supply(pager, root, page * PAGE_SIZE_, count * PAGE_SIZE_, aux,
	                                         from * PAGE_SIZE_, &done, &fresh));
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

sys_status_t fail_range(u64 page, u64 count, i64 code)
{
	sys_status_t status = again(pager_op_range(pager, SYS_PAGER_OP_FAIL, root, page * PAGE_SIZE_,
	                                           count * PAGE_SIZE_, code));
	for (u64 p = page; p < page + count; p++)
		known[p] = false;
	return status;
}

void check(void)
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

