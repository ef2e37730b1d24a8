/* SPDX-License-Identifier: BSD-2-Clause */
/* pagemap.c: the kernel's access to objects in pages of VMOs: where they may lie, what is kept, what becomes of a kept
 * page when its content is copied, emptied, resized or ends, and who ends an accessor. At the end random operations on
 * relatives whose pages are kept, against plain arrays. */
#include <string.h>
#include "common/calls.h"
#include "common/kernel.h"
#include "common/page.h"
#include "mem/slab.h"
#include "vm/pagemap.h"
#include "vm/source.h"

enum { OBJECT = 16 };

static struct account *root, *a, *b;
static struct cnode *cs;
static struct slot *top;
static unsigned endings;
static struct accessor *ended_last;

static void note_end(struct accessor *x)
{
	endings++;
	ended_last = x;
}

static void start(u64 frames)
{
	kernel_start(frames + 3000);
	root = account_root();
	a = account_new(root, frames);
	b = account_new(root, 512);
	cs = cnode_new(root, 4096);
	object_ref(&cs->object);
	top = cap_put(cs, a, NULL, SLOT_FIRST);
	object_cap(&b->object);
	endings = 0;
}

static struct vmo *vmo_new(u64 pages)
{
	struct vmo *v;
	must_ok(vmo_create(a, pages * PAGE_SIZE_, SYS_VMO_RESIZABLE, &v));
	object_cap(&v->object);
	return v;
}

static struct vmo *snapshot(struct vmo *v, struct account *payer, u64 first, u64 pages)
{
	struct vmo *child;
	must_ok(vmo_create_child(v, payer, SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_RESIZABLE, first * PAGE_SIZE_,
	                         pages * PAGE_SIZE_, &child));
	object_cap(&child->object);
	return child;
}

/* As a program's access. */
static u64 *word(struct vmo *v, u64 page, bool write)
{
	struct page_ref ref;
	struct page_wait w;
	page_wait_init(&w);
	must_ok(page_require(v, page, write, 1, 0, &w, &ref));
	return (u64 *)phys_to_virt(ref.frame);
}

static u64 get(struct vmo *v, u64 page) { return *word(v, page, false); }
static void put(struct vmo *v, u64 page, u64 value) { *word(v, page, true) = value; }

static sys_status_t open_at(struct vmo *v, u64 offset, struct accessor *x)
{
	x->ended = note_end;
	return again(pagemap_open(v, offset, OBJECT, NULL, x));
}

static void write_word(struct accessor *x, u64 value) { accessor_write(x, 0, &value, sizeof value); }
static u64 read_word(struct accessor *x)
{
	u64 value;
	accessor_read(x, 0, &value, sizeof value);
	return value;
}

static void check(struct vmo *v)
{
	kernel_check();
	vmo_check(v);
}

/* ---- where objects may lie ----------------------------------------------------------------------------------------- */

START_TEST(places)
{
	start(200);
	struct vmo *v = vmo_new(2);

	ck_assert_int_eq(pagemap_place(v, 0, 16, 16), SYS_OK);
	ck_assert_int_eq(pagemap_place(v, PAGE_SIZE_ - 16, 16, 16), SYS_OK);
	ck_assert_int_eq(pagemap_place(v, 2 * PAGE_SIZE_ - 16, 16, 16), SYS_OK);
	ck_assert_int_eq(pagemap_place(v, PAGE_SIZE_, PAGE_SIZE_, 64), SYS_OK);
	ck_assert_int_eq(pagemap_place(v, 8, 16, 16), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pagemap_place(v, PAGE_SIZE_ - 8, 16, 8), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pagemap_place(v, 16, PAGE_SIZE_, 16), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(pagemap_place(v, 2 * PAGE_SIZE_, 16, 16), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(pagemap_place(v, UINT64_MAX - 15, 16, 16), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(pagemap_place(v, UINT64_MAX, 1, 1), SYS_ERR_OUT_OF_RANGE);
	struct vmo *empty = vmo_new(0);
	ck_assert_int_eq(pagemap_place(empty, 0, 16, 16), SYS_ERR_OUT_OF_RANGE);
}
END_TEST

START_TEST(refusals)
{
	struct accessor x[PAGEMAP_KEEPS + 1] = { 0 };
	struct pager *p;
	struct vmo *paged;

	start(400);
	struct vmo *v = vmo_new(PAGEMAP_KEEPS + 1);
	for (unsigned i = 0; i < PAGEMAP_KEEPS; i++)
		ck_assert_int_eq(open_at(v, i * PAGE_SIZE_, &x[i]), SYS_OK);
	u64 used = a->used;
	ck_assert_int_eq(open_at(v, PAGEMAP_KEEPS * PAGE_SIZE_, &x[PAGEMAP_KEEPS]), SYS_ERR_NO_RESOURCES);
	ck_assert(!accessor_open(&x[PAGEMAP_KEEPS]) && a->used == used);
	ck_assert_int_eq(open_at(v, 3 * PAGE_SIZE_ + 64, &x[PAGEMAP_KEEPS]), SYS_OK);   /* a kept page takes more */
	check(v);
	accessor_close(&x[5]);
	ck_assert_int_eq(open_at(v, PAGEMAP_KEEPS * PAGE_SIZE_, &x[5]), SYS_OK);
	check(v);

	must_ok(pager_create(a, 0, &p));
	object_cap(&p->object);
	must_ok(pager_create_vmo(p, a, 0, 1, PAGE_SIZE_, &paged));
	object_cap(&paged->object);
	struct accessor y = { 0 };
	ck_assert_int_eq(open_at(paged, 0, &y), SYS_ERR_NOT_SUPPORTED);
	object_ref(&v->object);
	object_end(&v->object);
	ck_assert_int_eq(open_at(v, 0, &y), SYS_ERR_BAD_STATE);
	object_unref(&v->object);
}
END_TEST

START_TEST(no_memory)
{
	start(400);
	struct vmo *v = vmo_new(600);
	put(v, 0, 7);

	each_failure(n) {
		struct accessor x = { 0 };
		u64 used = a->used, refs = v->object.refs;
		sys_status_t status = open_at(v, 500 * PAGE_SIZE_, &x);
		if (allocation_failed()) {
			ck_assert_int_eq(status, SYS_ERR_NO_MEMORY);
			ck_assert(!accessor_open(&x) && a->used == used && v->object.refs == refs && v->kept_count == 0);
		} else {
			ck_assert_int_eq(status, SYS_OK);
			accessor_close(&x);
		}
		check(v);
	}
	ck_assert_uint_eq(get(v, 0), 7);
}
END_TEST

/* ---- keeping ------------------------------------------------------------------------------------------------------- */

START_TEST(one_entry_for_a_page)
{
	struct accessor x = { 0 }, y = { 0 }, z = { 0 };

	start(200);
	struct vmo *v = vmo_new(3);
	put(v, 1, 5);
	u64 used = a->used;
	ck_assert_int_eq(open_at(v, PAGE_SIZE_, &x), SYS_OK);
	u64 with_one = a->used;
	ck_assert_int_eq(open_at(v, PAGE_SIZE_ + 32, &y), SYS_OK);
	ck_assert_int_eq(open_at(v, PAGE_SIZE_, &z), SYS_OK);
	ck_assert(x.page == y.page && x.page == z.page && a->used == with_one && v->kept_count == 1);
	check(v);
	ck_assert_uint_eq(read_word(&x), 5);
	write_word(&z, 6);
	ck_assert(read_word(&x) == 6 && get(v, 1) == 6);
	write_word(&y, 9);
	ck_assert_uint_eq(word(v, 1, false)[4], 9);
	accessor_close(&x);
	accessor_close(&x);
	accessor_close(&z);
	ck_assert_uint_eq(read_word(&y), 9);
	ck_assert_int_eq(open_at(v, 0, &y), SYS_OK);            /* moves: the old page is let go */
	ck_assert(v->kept_count == 1 && pagemap_next(v, 0, 3) == 0);
	ck_assert_int_eq(open_at(v, 48, &y), SYS_OK);           /* and within its page */
	ck_assert(v->kept_count == 1);
	check(v);
	accessor_close(&y);
	ck_assert(a->used == used + 1 && v->kept_count == 0 && endings == 0);   /* page 0 stays committed */
	check(v);
}
END_TEST

static void write_past(void *x)
{
	u64 value = 0;
	accessor_write(x, 9, &value, sizeof value);
}

START_TEST(out_of_bounds)
{
	struct accessor x = { 0 };
	start(200);
	ck_assert_int_eq(open_at(vmo_new(1), 32, &x), SYS_OK);
	u64 value = 0;
	accessor_write(&x, 8, &value, 8);
	expect_panic(write_past, &x, "len <= a->size - field");
}
END_TEST

START_TEST(decommit_clears_in_place)
{
	struct accessor x = { 0 }, y = { 0 };
	struct page_wait w;
	u64 done = 0;

	start(900);
	page_wait_init(&w);
	struct vmo *v = vmo_new(600);
	for (u64 i = 0; i < 600; i++)
		put(v, i, i + 1);
	ck_assert_int_eq(open_at(v, 64, &x), SYS_OK);
	ck_assert_int_eq(open_at(v, 599 * PAGE_SIZE_, &y), SYS_OK);
	u64 *first = word(v, 0, false), *last = word(v, 599, false);
	host_preempt_every(1);
	must_ok(vmo_op_range(v, SYS_VMO_OP_DECOMMIT, 0, 600 * PAGE_SIZE_, &done, &w));
	host_preempt_every(0);
	ck_assert(word(v, 0, false) == first && word(v, 599, false) == last && !*first && !*last);
	ck_assert_uint_eq(v->tree.charged, 2 + 3);
	check(v);
	write_word(&y, 4);
	ck_assert_uint_eq(get(v, 599), 4);
	done = 0;
	must_ok(vmo_op_range(v, SYS_VMO_OP_DECOMMIT, 0, 0, &done, &w));
	must_ok(vmo_op_range(v, SYS_VMO_OP_DECOMMIT, 598 * PAGE_SIZE_, PAGE_SIZE_, &done, &w));
	ck_assert_uint_eq(get(v, 599), 4);
	accessor_close(&x);
	accessor_close(&y);
	done = 0;
	must_ok(vmo_op_range(v, SYS_VMO_OP_DECOMMIT, 0, 600 * PAGE_SIZE_, &done, &w));
	ck_assert_uint_eq(v->tree.charged, 0);
	check(v);
}
END_TEST

START_TEST(shrink_is_refused)
{
	struct accessor x = { 0 };

	start(400);
	struct vmo *v = vmo_new(20);
	put(v, 3, 33);
	put(v, 15, 55);
	ck_assert_int_eq(open_at(v, 10 * PAGE_SIZE_, &x), SYS_OK);
	ck_assert_int_eq(again(vmo_set_size(v, 10 * PAGE_SIZE_, true, NULL)), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(again(vmo_set_size(v, 3 * PAGE_SIZE_ + 4, true, NULL)), SYS_ERR_BAD_STATE);
	ck_assert(v->size == 20 * PAGE_SIZE_ && get(v, 3) == 33 && get(v, 15) == 55);
	check(v);
	write_word(&x, 77);
	must_ok(vmo_set_size(v, 10 * PAGE_SIZE_ + 4, true, NULL));   /* the rest of its page is cleared in place */
	ck_assert(v->size == 11 * PAGE_SIZE_ && read_word(&x) == 77);
	must_ok(vmo_set_size(v, 30 * PAGE_SIZE_, true, NULL));
	accessor_close(&x);
	must_ok(vmo_set_size(v, 0, true, NULL));
	check(v);
}
END_TEST

START_TEST(supply_is_refused)
{
	struct accessor x = { 0 };
	struct pager *p;
	struct vmo *paged;
	u64 done = 0, fresh = 0;

	start(400);
	must_ok(pager_create(a, 0, &p));
	object_cap(&p->object);
	must_ok(pager_create_vmo(p, a, 0, 1, PAGE_SIZE_, &paged));
	object_cap(&paged->object);
	struct vmo *aux = vmo_new(2);
	ck_assert_int_eq(open_at(aux, 0, &x), SYS_OK);
	write_word(&x, 3);
	ck_assert_int_eq(again(pager_supply(p, paged, 0, PAGE_SIZE_, aux, 0, &done, &fresh)), SYS_ERR_NOT_SUPPORTED);
	ck_assert(fresh == 0 && read_word(&x) == 3);
	accessor_close(&x);
	ck_assert_int_eq(again(pager_supply(p, paged, 0, PAGE_SIZE_, aux, 0, &done, &fresh)), SYS_OK);
	ck_assert_uint_eq(get(paged, 0), 3);
}
END_TEST

/* ---- snapshots ----------------------------------------------------------------------------------------------------- */

/* A parent of so many pages, some kept, with both accounts full: the kernel's writes stay the parent's. */
static void snapshot_of(u64 pages, u64 first, u64 count, const u64 *kept, unsigned keeps)
{
	struct accessor x[8] = { 0 };
	struct vmo *v = vmo_new(pages), *child;

	for (u64 i = 0; i < pages; i++)
		put(v, i, 1000 + i);
	for (unsigned i = 0; i < keeps; i++)
		ck_assert_int_eq(open_at(v, kept[i] * PAGE_SIZE_, &x[i]), SYS_OK);
	for (unsigned generation = 0; generation < 3; generation++) {
		child = snapshot(v, b, first, count);
		u64 used = a->used, child_used = b->used, charge_a = a->total - a->used, charge_b = b->total - b->used;
		must_ok(account_charge(a, charge_a));           /* neither has a frame left */
		must_ok(account_charge(b, charge_b));
		check(v);
		vmo_check(child);
		for (unsigned i = 0; i < keeps; i++) {
			u64 *frame = word(v, kept[i], false), *at = word(v, kept[i], true), value = 7000 + generation * 10 + i;
			ck_assert(frame == at);                 /* the program's write goes to the same */
			write_word(&x[i], value);
			ck_assert_uint_eq(get(v, kept[i]), value);
			if (kept[i] >= first && kept[i] < first + count) {
				u64 was = generation ? value - 10 : 1000 + kept[i];
				ck_assert_uint_eq(get(child, kept[i] - first), was);
			}
		}
		for (u64 i = 0; i < count; i++)
			put(child, i, 5);                       /* all that it reaches is paid for */
		for (u64 i = 0; i < pages; i++)
			ck_assert_uint_ne(get(v, i), 5);
		check(v);
		vmo_check(child);
		account_uncharge(a, charge_a);
		account_uncharge(b, charge_b);
		ck_assert(a->used == used && b->used == child_used);
		object_uncap(&child->object);
		kernel_reap();
	}
	object_end(&v->object);
	object_uncap(&v->object);
	kernel_reap();
	ck_assert_uint_eq(endings, keeps);
	ck_assert(a->used == 0 && b->used == 0);
	endings = 0;
	kernel_check();
}

START_TEST(snapshots)
{
	start(1400);
	snapshot_of(6, 0, 6, (const u64 []){ 0, 3, 5 }, 3);             /* both inline */
	snapshot_of(40, 10, 6, (const u64 []){ 9, 10, 15, 16 }, 4);     /* the child inline */
	snapshot_of(40, 0, 40, (const u64 []){ 0, 39 }, 2);
	snapshot_of(600, 0, 300, (const u64 []){ 0, 299, 300, 511, 512 }, 5);
	snapshot_of(600, 5, 290, (const u64 []){ 4, 5, 294, 295, 599 }, 5);
}
END_TEST

/* What a snapshot would copy in one step, pages and nodes; where that is too much there is none, and nothing has changed. */
START_TEST(snapshot_of_too_many)
{
	struct accessor x[20] = { 0 };
	struct vmo *child = NULL;
	u64 far = 1ull << 40;

	start(400);
	struct vmo *v = vmo_new(far + 600);
	for (unsigned i = 0; i < 16; i++)
		ck_assert_int_eq(open_at(v, (500 + i) * PAGE_SIZE_, &x[i]), SYS_OK);
	ck_assert_uint_eq(pagemap_copies(v), 16 + 6 + 1);
	child = snapshot(v, b, 0, 40);
	check(child);
	ck_assert_int_eq(open_at(v, far << PAGE_SHIFT, &x[16]), SYS_OK);
	ck_assert_uint_eq(pagemap_copies(v), 16 + 6 + 1 + 1 + 4);
	u64 used = b->used;
	child = NULL;
	ck_assert_int_eq(vmo_create_child(v, b, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE_SIZE_, &child), SYS_ERR_BAD_STATE);
	ck_assert(!child && b->used == used);
	check(v);
	for (unsigned i = 3; i < 9; i++)
		accessor_close(&x[i]);
	child = snapshot(v, b, 0, 40);
	check(v);
	check(child);
}
END_TEST

/* A page far out, whose path was shared node by node, and pages that are kept in a child. */
START_TEST(far_and_below)
{
	struct accessor x = { 0 }, y = { 0 };
	u64 far = 1ull << 40;

	start(400);
	struct vmo *v = vmo_new(far + 1);
	put(v, 0, 1);
	put(v, far, 2);
	ck_assert_int_eq(open_at(v, far << PAGE_SHIFT, &x), SYS_OK);
	struct vmo *child = snapshot(v, b, 0, far + 1);
	ck_assert_int_eq(open_at(child, far << PAGE_SHIFT, &y), SYS_OK);
	write_word(&x, 3);
	write_word(&y, 4);
	struct vmo *last = snapshot(child, b, far, 1), *beside = snapshot(v, b, 1, far);
	write_word(&x, 5);
	write_word(&y, 6);
	ck_assert(get(v, far) == 5 && get(child, far) == 6 && get(last, 0) == 4 && get(beside, far - 1) == 3);
	check(v);
	check(child);
	check(last);
	check(beside);
}
END_TEST

/* ---- windows, and what is not cached ---- */

START_TEST(windows)
{
	struct accessor x = { 0 }, y = { 0 };
	struct vmo *slice, *reference;

	start(400);
	struct vmo *v, *grows = vmo_new(4);
	must_ok(vmo_create(a, 8 * PAGE_SIZE_, 0, &v));
	object_cap(&v->object);
	must_ok(vmo_create_child(v, a, SYS_VMO_CHILD_SLICE, 3 * PAGE_SIZE_, 2 * PAGE_SIZE_, &slice));
	object_cap(&slice->object);
	must_ok(vmo_create_child(grows, b, SYS_VMO_CHILD_REFERENCE, 0, 0, &reference));
	object_cap(&reference->object);
	ck_assert_int_eq(pagemap_place(slice, 2 * PAGE_SIZE_, OBJECT, 16), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(pagemap_place(reference, 3 * PAGE_SIZE_, OBJECT, 16), SYS_OK);
	ck_assert_int_eq(open_at(slice, PAGE_SIZE_ + 32, &x), SYS_OK);
	ck_assert_int_eq(open_at(reference, 3 * PAGE_SIZE_, &y), SYS_OK);
	write_word(&x, 5);
	write_word(&y, 6);
	ck_assert(word(v, 4, false)[4] == 5 && get(grows, 3) == 6 && v->kept_count == 1 && slice->kept_count == 0);
	ck_assert_int_eq(again(vmo_set_size(reference, PAGE_SIZE_, true, NULL)), SYS_ERR_BAD_STATE);
	check(v);
	check(grows);
	object_end(&slice->object);             /* the accessor is the content's */
	object_uncap(&slice->object);
	kernel_reap();
	ck_assert(accessor_open(&x) && endings == 0);
	object_end(&grows->object);
	kernel_reap();
	ck_assert(!accessor_open(&y) && endings == 1);
	ck_assert_int_eq(pagemap_place(reference, 0, OBJECT, 16), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(open_at(reference, 0, &y), SYS_ERR_BAD_STATE);
}
END_TEST

START_TEST(uncached)
{
	struct accessor x = { 0 };
	u64 next = 0;

	start(400);
	struct vmo *v = vmo_new(2);
	ck_assert_int_eq(open_at(v, 0, &x), SYS_OK);
	ck_assert_int_eq(again(vmo_set_cache_policy(v, SYS_CACHE_UNCACHED, &next)), SYS_ERR_BAD_STATE);
	accessor_close(&x);
	must_ok(vmo_set_cache_policy(v, SYS_CACHE_UNCACHED, &next));
	ck_assert_int_eq(open_at(v, 0, &x), SYS_ERR_BAD_STATE);
}
END_TEST

/* ---- ends ---------------------------------------------------------------------------------------------------------- */

START_TEST(revoke_and_delete)
{
	struct accessor x = { .ended = note_end }, y = { .ended = note_end };

	start(400);
	struct vmo *v = vmo_new(2);
	struct slot *s = cap_put(cs, v, top, SLOT_FIRST);
	object_uncap(&v->object);
	struct slot *copy = cap_copy(cs, s), *lower = cap_copy(cs, copy);
	must_ok(pagemap_open(v, 0, OBJECT, &lower->open, &x));
	must_ok(pagemap_open(v, PAGE_SIZE_, OBJECT, &copy->open, &y));
	deriv_check(top);
	must_ok(pagemap_open(v, PAGE_SIZE_, OBJECT, &copy->open, &x));  /* it leaves its place, and comes back */
	deriv_check(top);
	must_ok(pagemap_open(v, 0, OBJECT, &lower->open, &x));
	deriv_check(top);
	must_ok(delete_all(lower));                     /* falls to its parent */
	write_word(&x, 1);
	ck_assert(accessor_open(&x) && get(v, 0) == 1);
	must_ok(revoke_all(copy));
	ck_assert(!accessor_open(&x) && !accessor_open(&y) && endings == 2 && v->kept_count == 0);
	must_ok(pagemap_open(v, 0, OBJECT, &copy->open, &x));
	must_ok(delete_all(copy));
	must_ok(delete_all(s));                         /* below the account's now; the page keeps the VMO */
	ck_assert(accessor_open(&x) && !object_dying(&v->object) && v->object.caps == 0);
	check(v);
	deriv_check(top);
	accessor_close(&x);
	ck_assert(object_dying(&v->object) && endings == 2);
	kernel_reap();
	ck_assert_uint_eq(a->used, 0);
}
END_TEST

START_TEST(forced_ends)
{
	struct accessor x[3] = { 0 };

	start(400);
	struct vmo *v = vmo_new(2);
	ck_assert_int_eq(open_at(v, 0, &x[0]), SYS_OK);
	ck_assert_int_eq(open_at(v, 0, &x[1]), SYS_OK);
	ck_assert_int_eq(open_at(v, PAGE_SIZE_, &x[2]), SYS_OK);
	object_end(&v->object);
	kernel_reap();
	for (unsigned i = 0; i < 3; i++)
		ck_assert(!accessor_open(&x[i]));
	ck_assert_uint_eq(endings, 3);
	object_uncap(&v->object);
	kernel_reap();
	ck_assert_uint_eq(a->used, 0);

	v = vmo_new(2);                                 /* and by its account */
	cap_put(cs, v, top, SLOT_FIRST);
	object_uncap(&v->object);
	ck_assert_int_eq(open_at(v, 0, &x[0]), SYS_OK);
	must_ok(revoke_all(top));
	ck_assert(!accessor_open(&x[0]) && endings == 4 && ended_last == &x[0] && a->used == 0);
	kernel_check();
}
END_TEST

/* ---- random -------------------------------------------------------------------------------------------------------- */

enum { VMOS = 6, PAGES = 560, ACCESSORS = 40 };
static struct { struct vmo *v; u64 pages, value[PAGES]; } model[VMOS];
static struct { struct accessor x; unsigned vmo; u64 page; } use[ACCESSORS];
static u64 next_value;

static u64 random_page(unsigned i) { return random_chance(50) ? random_below(MIN(model[i].pages, 9)) : random_below(model[i].pages); }

static void drop(unsigned i)
{
	object_end(&model[i].v->object);
	object_uncap(&model[i].v->object);
	model[i].v = NULL;
	kernel_reap();
	for (unsigned j = 0; j < ACCESSORS; j++)
		must(use[j].vmo != i || !accessor_open(&use[j].x));
}

static void make(unsigned i)
{
	unsigned from = (unsigned)random_below(VMOS);
	memset(&model[i], 0, sizeof model[i]);
	model[i].pages = 1 + random_below(random_chance(30) ? 8 : PAGES);
	if (!model[from].v || from == i || pagemap_copies(model[from].v) > PAGEMAP_COPIES) {
		model[i].v = vmo_new(model[i].pages);
		return;
	}
	u64 first = random_chance(50) ? 0 : random_page(from);
	model[i].v = snapshot(model[from].v, a, first, model[i].pages);
	for (u64 p = 0; p < model[i].pages && first + p < model[from].pages; p++)
		model[i].value[p] = model[from].value[first + p];
}

static bool kept(unsigned i, u64 from, u64 end)
{
	for (unsigned j = 0; j < ACCESSORS; j++)
		if (accessor_open(&use[j].x) && use[j].vmo == i && use[j].page >= from && use[j].page < end)
			return true;
	return false;
}

static void empty(unsigned i)
{
	u64 from = random_page(i), pages = 1 + random_below(model[i].pages - from), done = 0;
	struct page_wait w;
	page_wait_init(&w);
	must_ok(vmo_op_range(model[i].v, random_chance(50) ? SYS_VMO_OP_DECOMMIT : SYS_VMO_OP_ZERO, from * PAGE_SIZE_, pages * PAGE_SIZE_, &done, &w));
	memset(&model[i].value[from], 0, pages * sizeof(u64));
}

static void resize(unsigned i)
{
	u64 pages = 1 + random_below(PAGES), old = model[i].pages;
	sys_status_t status = again(vmo_set_size(model[i].v, pages * PAGE_SIZE_, true, NULL));
	must(status == (kept(i, pages, PAGES) ? SYS_ERR_BAD_STATE : SYS_OK));
	if (status != SYS_OK)
		return;
	model[i].pages = pages;
	if (pages < old)
		memset(&model[i].value[pages], 0, (old - pages) * sizeof(u64));
}

static void use_one(unsigned i)
{
	unsigned j = (unsigned)random_below(ACCESSORS);
	struct accessor *x = &use[j].x;
	u64 page = random_page(i);
	if (random_chance(20)) {
		accessor_close(x);
	} else if (accessor_open(x) && random_chance(80)) {
		must(read_word(x) == model[use[j].vmo].value[use[j].page]);
		write_word(x, model[use[j].vmo].value[use[j].page] = ++next_value);
	} else if (open_at(model[i].v, page * PAGE_SIZE_, x) == SYS_OK) {
		use[j].vmo = i;
		use[j].page = page;
	}
}

static void random_step(void)
{
	unsigned i = (unsigned)random_below(VMOS);
	if (!model[i].v)
		return make(i);
	u64 page = random_page(i);
	switch (random_below(24)) {
	case 0: return drop(i);
	case 1: return resize(i);
	case 2: return empty(i);
	case 3: case 4: case 5: case 6: case 7: case 8: case 9: case 10: return use_one(i);
	case 11: case 12: case 13: must(get(model[i].v, page) == model[i].value[page]); return;
	default: put(model[i].v, page, model[i].value[page] = ++next_value);
	}
}

static void check_values(bool all)
{
	kernel_check();
	for (unsigned i = 0; i < VMOS; i++) {
		if (!model[i].v)
			continue;
		vmo_check(model[i].v);
		for (u64 p = 0; p < model[i].pages; p += all ? 1 : 1 + random_below(90))
			must(get(model[i].v, p) == model[i].value[p]);
	}
	for (unsigned j = 0; j < ACCESSORS; j++)
		if (accessor_open(&use[j].x))
			must(read_word(&use[j].x) == model[use[j].vmo].value[use[j].page]);
}

START_TEST(random_keeps)
{
	start(9000);
	for (unsigned step = 0; step < 20000; step++) {
		host_preempt_every((unsigned)random_below(4));
		random_step();
		if (step % 16 == 0)
			check_values(step % 512 == 0);
	}
	host_preempt_every(0);
	for (unsigned i = 0; i < VMOS; i++)
		if (model[i].v)
			drop(i);
	ck_assert_uint_eq(a->used, 0);
	kernel_check();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("pagemap");
	add_test(s, places);
	add_test(s, refusals);
	add_test(s, no_memory);
	add_test(s, one_entry_for_a_page);
	add_test(s, out_of_bounds);
	add_test(s, decommit_clears_in_place);
	add_test(s, shrink_is_refused);
	add_test(s, supply_is_refused);
	add_test(s, snapshots);
	add_test(s, snapshot_of_too_many);
	add_test(s, far_and_below);
	add_test(s, windows);
	add_test(s, uncached);
	add_test(s, revoke_and_delete);
	add_test(s, forced_ends);
	add_test(s, random_keeps);
	return s;
}
