/* SPDX-License-Identifier: BSD-2-Clause */
/* mem.c: accounts and slabs, function by function and error by error. Random sequences on a model are in model/accounts.c. */
#include <string.h>
#include "common/probe.h"
#include "mem/account.h"
#include "mem/frame.h"
#include "mem/slab.h"

#define expect_said(text) ck_assert_str_eq(probe_said(), text)

/* ---- accounts ---------------------------------------------------------------------------------------------------- */
START_TEST(root_account)
{
	memory_start();
	struct account *root = account_root();
	ck_assert_uint_eq(root->total, frame_count_free() - ACCOUNT_MARGIN);
	ck_assert(!root->used && !root->promised && !root->peak && !root->parent && !root->closed);
	ck_assert_uint_eq(root->object.type, SYS_TYPE_UNTYPED);
	ck_assert_uint_ne(root->object.koid, 0);
	object_cap(&root->object);
	object_uncap(&root->object);
	object_end(&root->object);
	ck_assert(!object_dying(&root->object));
	memory_check();
}
END_TEST

/* A machine that starts knows nothing of what was there before: who was short, what was dying, what was in use. */
START_TEST(start_anew)
{
	for (unsigned i = 0; i < 2; i++) {
		memory_start();
		struct account *root = account_root();
		ck_assert(!account_short && list_empty(&account_reapable) && !object_reap_step(NULL) && !watch_pending());
		ck_assert(!root->used && !root->promised && !root->objects && !root->dying && !root->closed && list_empty(&root->children));
		memory_check();
		struct account *a = child_of(root, 100);
		ck_assert_int_eq(account_charge(root, 10), SYS_OK);
		list_push(&root->forks, &a->forks);     /* so that giving up would help */
		ck_assert_int_eq(account_charge(root, root->total), SYS_ERR_NO_MEMORY);
		ck_assert_ptr_eq(account_short, root);
		object_end(&a->object);
		root->closed = true;
		struct list *never = &root->watches;    /* a list that fired and was not told */
		list_push(&watch_firing, never);
		ck_assert(!list_empty(&account_reapable) && watch_pending());
	}
}
END_TEST

/* Whose memory is short is remembered until it ends, and no longer. */
START_TEST(short_until_it_ends)
{
	memory_start();
	struct account *root = account_root(), *a = child_of(root, 10), *b = child_of(root, 10);
	list_push(&root->forks, &a->forks);             /* so that giving up would help */
	ck_assert_int_eq(account_charge(a, 11), SYS_ERR_NO_MEMORY);
	ck_assert_ptr_eq(account_short, a);
	list_remove(&a->forks);
	list_init(&a->forks);
	object_end(&b->object);
	ck_assert_ptr_eq(account_short, a);
	object_end(&a->object);
	ck_assert_ptr_null(account_short);
	memory_check();
}
END_TEST

START_TEST(charge)
{
	memory_start();
	struct account *a = child_of(account_root(), 10);
	ck_assert_int_eq(account_charge(a, 0), SYS_OK);
	ck_assert_int_eq(account_charge(a, 4), SYS_OK);
	ck_assert_int_eq(account_charge(a, 6), SYS_OK);
	ck_assert_uint_eq(account_free(a), 0);
	ck_assert_int_eq(account_charge(a, 1), SYS_ERR_NO_MEMORY);
	ck_assert_int_eq(account_charge(a, UINT64_MAX), SYS_ERR_NO_MEMORY);
	ck_assert(a->used == 10 && a->peak == 10);
	account_uncharge(a, 7);
	ck_assert(a->used == 3 && a->peak == 10);
	ck_assert_int_eq(account_charge(a, 8), SYS_ERR_NO_MEMORY);
	a->closed = true;
	ck_assert_int_eq(account_charge(a, 1), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(account_charge(a, 100), SYS_ERR_BAD_STATE);
	a->closed = false;
	ck_assert_int_eq(account_charge(a, 7), SYS_OK);
	memory_check();
}
END_TEST

static void uncharge_too_much(void *a) { account_uncharge(a, 3); }

START_TEST(uncharge_misuse)
{
	memory_start();
	struct account *a = child_of(account_root(), 10);
	ck_assert_int_eq(account_charge(a, 2), SYS_OK);
	expect_panic(uncharge_too_much, a, "n <= a->used");
}
END_TEST

START_TEST(move_charge)
{
	memory_start();
	struct account *a = child_of(account_root(), 10), *b = child_of(account_root(), 5);
	ck_assert_int_eq(account_charge(a, 8), SYS_OK);
	ck_assert_int_eq(account_move_charge(a, a, 8), SYS_OK);
	ck_assert_int_eq(account_move_charge(a, b, 6), SYS_ERR_NO_MEMORY);
	ck_assert(a->used == 8 && b->used == 0 && b->peak == 0);
	ck_assert_int_eq(account_move_charge(a, b, 5), SYS_OK);
	ck_assert(a->used == 3 && b->used == 5 && b->peak == 5 && a->peak == 8);
	a->closed = true;
	ck_assert_int_eq(account_move_charge(b, a, 1), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(account_move_charge(a, a, 1), SYS_OK);
	ck_assert(a->used == 3 && b->used == 5);
	memory_check();
}
END_TEST

/* A promise is as good as a charge; the account object is the parent's to pay. */
START_TEST(create_child)
{
	struct account *c;

	memory_start();
	struct account *a = child_of(account_root(), 10);
	ck_assert(account_root()->used == 1 && account_root()->promised == 10);
	struct account *b = child_of(a, 4);
	ck_assert(a->used == 1 && a->promised == 4 && account_free(a) == 5 && a->peak == 1);
	ck_assert(b->parent == a && b->object.account == a && b->total == 4);
	ck_assert_uint_gt(b->object.koid, a->object.koid);
	ck_assert_int_eq(account_charge(a, 6), SYS_ERR_NO_MEMORY);
	ck_assert_int_eq(account_create(a, 6, &c), SYS_ERR_NO_MEMORY);
	ck_assert_int_eq(account_create(a, UINT64_MAX, &c), SYS_ERR_NO_MEMORY);
	ck_assert_int_eq(account_create(a, 5, &c), SYS_OK);
	memory_check();
	ck_assert_int_eq(account_create(b, 4, &c), SYS_ERR_NO_MEMORY);          /* the object needs a frame too */
	ck_assert(b->used == 0 && b->promised == 0);
	b->closed = true;
	ck_assert_int_eq(account_create(b, 1, &c), SYS_ERR_BAD_STATE);
	memory_check();
}
END_TEST

START_TEST(create_child_failures)
{
	memory_start();
	struct account *a = child_of(account_root(), 10), *c = NULL;
	unsigned failures = 0;

	each_failure(n) {
		sys_status_t status = account_create(a, 3, &c);
		if (allocation_failed()) {
			ck_assert_int_eq(status, SYS_ERR_NO_MEMORY);
			ck_assert(!a->used && !a->promised && !a->peak && !a->objects && !c);
			ck_assert(list_empty(&a->children));
			failures++;
		} else {
			ck_assert_int_eq(status, SYS_OK);
		}
		memory_check();
	}
	ck_assert_uint_eq(failures, 2);
}
END_TEST

/* A child that is named. */
static struct account *named_child(struct account *parent, u64 frames)
{
	struct account *a = child_of(parent, frames);

	object_cap(&a->object);
	return a;
}

/* What a resize answers, and that a refused one has changed nothing. */
static sys_status_t resized(struct account *parent, struct account *child, u64 frames)
{
	u64 total = child->total, promised = parent->promised;
	sys_status_t status = account_resize(parent, child, frames);

	if (status == SYS_OK)
		must(child->total == frames && parent->promised == promised - total + frames);
	else
		must(child->total == total && parent->promised == promised);
	memory_check();
	return status;
}

/* To the frame, both ways. */
START_TEST(resize)
{
	memory_start();
	struct account *a = named_child(account_root(), 20), *b = named_child(a, 10), *c = named_child(b, 3);
	ck_assert_int_eq(account_charge(b, 2), SYS_OK);         /* and one frame for c's object */
	ck_assert_int_eq(resized(a, b, 5), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(resized(a, b, 6), SYS_OK);
	ck_assert_int_eq(account_charge(b, 1), SYS_ERR_NO_MEMORY);
	ck_assert_int_eq(resized(a, b, 20), SYS_ERR_NO_MEMORY);
	ck_assert_int_eq(resized(a, b, 1ull << 52), SYS_ERR_NO_MEMORY);
	ck_assert_int_eq(resized(a, b, 19), SYS_OK);            /* all but the frame for b's object */
	ck_assert_int_eq(account_charge(a, 1), SYS_ERR_NO_MEMORY);
	ck_assert_int_eq(account_charge(b, 13), SYS_OK);
	ck_assert_int_eq(account_charge(b, 1), SYS_ERR_NO_MEMORY);
	ck_assert_int_eq(resized(a, b, 19), SYS_OK);
	ck_assert_int_eq(resized(b, c, 4), SYS_ERR_NO_MEMORY);
	ck_assert_int_eq(resized(b, c, 2), SYS_OK);
	ck_assert_int_eq(resized(a, b, 18), SYS_OK);
}
END_TEST

START_TEST(resize_refusals)
{
	memory_start();
	struct account *a = named_child(account_root(), 20), *b = named_child(a, 10), *c = named_child(b, 3);
	ck_assert_int_eq(resized(a, c, 4), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(resized(b, a, 4), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(resized(a, a, 20), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(resized(account_root(), account_root(), 20), SYS_ERR_INVALID_ARGS);
	a->closed = true;
	ck_assert_int_eq(resized(a, b, 11), SYS_ERR_BAD_STATE);
	a->closed = false;
	b->closed = true;
	ck_assert_int_eq(resized(a, b, 11), SYS_ERR_BAD_STATE);
	b->closed = false;
	failure_arm(1);
	ck_assert_int_eq(resized(a, b, 11), SYS_ERR_NO_MEMORY);
	ck_assert(allocation_failed());
	ck_assert_int_eq(resized(a, b, 11), SYS_OK);
}
END_TEST

/* Growing takes what is dying in the parent; and there the child's own end may be found. */
START_TEST(resize_reaps)
{
	sys_status_t status;

	memory_start();
	struct account *a = named_child(account_root(), 20), *b = named_child(a, 10), *c = child_of(a, 8);
	object_end(&c->object);
	ck_assert_int_eq(account_resize(a, b, 19), SYS_OK);
	ck_assert(b->total == 19 && a->promised == 19 && a->used == 1);
	memory_check();
	ck_assert_int_eq(account_charge(b, 1), SYS_OK);
	struct object *o = object_create(b, SYS_TYPE_VMO, &status);
	ck_assert_ptr_nonnull(o);
	object_end(o);
	ck_assert_int_eq(resized(a, b, 1), SYS_ERR_BAD_STATE);
	object_reap(b);
	ck_assert_int_eq(resized(a, b, 1), SYS_OK);
}
END_TEST

static void break_promise(void *a)
{
	((struct account *)a)->promised++;
	account_check(a);
}

static void break_used(void *unused)
{
	(void)unused;
	ck_assert_int_eq(account_charge(account_root(), 1), SYS_OK);
	frame_alloc(FRAME_PAGE);
	frame_alloc(FRAME_PAGE);
	account_check_all();
}

static void break_objects(void *a)
{
	((struct account *)a)->objects++;
	account_check(a);
}

START_TEST(account_walker_finds_damage)
{
	memory_start();
	struct account *a = child_of(account_root(), 10);
	expect_panic(break_promise, account_root(), "promised == a->promised");
	expect_panic(break_used, NULL, "<= charged");
	expect_panic(break_objects, a, "live == a->objects");
}
END_TEST

/* ---- slabs ------------------------------------------------------------------------------------------------------- */
static const u16 class_size[] = { 64, 128, 192, 256, 384, 512, 768, 1024, 4096 };

/* Each class: as many cells to a frame as fit, zeroed, charged by the frame, given back with the frame's last one. */
START_TEST(slab_classes)
{
	memory_start();
	struct account *a = child_of(account_root(), 100);
	u64 free = frame_count_free();

	for (unsigned c = 0; c < ARRAY_LEN(class_size); c++) {
		u32 size = class_size[c], cells = PAGE_SIZE_ / size, low = c ? class_size[c - 1] + 1u : 1;
		void *cell[129];
		sys_status_t status;
		for (u32 i = 0; i <= 2 * cells; i++) {
			u32 asked = i % 2 ? size : low;
			cell[i] = slab_alloc(a, asked, 0x80, &status);
			ck_assert_int_eq(status, SYS_OK);
			for (u32 b = 1; b < asked; b++)
				must(((u8 *)cell[i])[b] == 0);
			must(*(u8 *)cell[i] == 0x80 && (uintptr_t)cell[i] % 64 == 0);
			memset(cell[i], 0x81, asked);
			must(a->used == i / cells + 1);
			slab_check(a);
		}
		for (u32 i = 0; i <= 2 * cells; i++) {                  /* the first frame's first, then backwards */
			u32 at = i < cells ? i : 3 * cells - i;
			slab_free(cell[at], at % 2 ? size : low);
			slab_check(a);
		}
		ck_assert_uint_eq(a->used, 0);
		ck_assert_uint_eq(frame_count_free(), free);
	}
	memory_check();
}
END_TEST

/* A cell that was freed is the next one given out; a full slab that gets room is used before a new one is made. */
START_TEST(slab_reuse)
{
	sys_status_t status;
	void *cell[8];

	memory_start();
	struct account *a = child_of(account_root(), 2);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_ptr_nonnull(cell[i] = slab_alloc(a, 1000, 0x80, &status));
	ck_assert_ptr_null(slab_alloc(a, 1000, 0x80, &status));
	ck_assert_int_eq(status, SYS_ERR_NO_MEMORY);
	slab_free(cell[2], 1000);
	slab_check(a);
	ck_assert_ptr_eq(slab_alloc(a, 800, 0x80, &status), cell[2]);
	ck_assert_uint_eq(a->used, 2);
	ck_assert_ptr_null(slab_alloc(a, 10, 0x80, &status));           /* another class: no frame for it */
	ck_assert_int_eq(status, SYS_ERR_NO_MEMORY);
	a->closed = true;
	slab_free(cell[3], 1000);
	ck_assert_ptr_null(slab_alloc(a, 1000, 0x80, &status));
	ck_assert_int_eq(status, SYS_ERR_BAD_STATE);
	memory_check();
}
END_TEST

static unsigned visits;
static void visit(struct object *o) { visits += o->extra++ == 0; }

/* Objects of each size, in slabs that are full and that have room, in accounts beside and below each other: each once. */
START_TEST(each_object)
{
	static const enum sys_type types[] = { SYS_TYPE_REPLY, SYS_TYPE_THREAD };
	struct object *o = NULL;
	unsigned made = 0;
	sys_status_t status;

	memory_start();
	struct account *a[3] = { child_of(account_root(), 400) };
	a[1] = child_of(a[0], 100);
	a[2] = child_of(account_root(), 100);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		for (unsigned t = 0; t < ARRAY_LEN(types); t++)
			for (unsigned n = 0; n < 64 + 64 * !t + i; n++, made++)         /* full ones, and beside those one with room */
				ck_assert_ptr_nonnull(o = object_create(a[i], types[t], &status));
	object_cap(o);
	object_end(o);                                  /* what is dying is not visited */
	visits = 0;
	account_each_object(visit);
	ck_assert_uint_eq(visits, made - 1 + ARRAY_LEN(a));
	slab_each_object(a[1], visit);
	ck_assert_uint_eq(visits, made - 1 + ARRAY_LEN(a));
}
END_TEST

static void free_cell_twice(void *cell)
{
	slab_free(cell, 64);
	slab_free(cell, 64);
}

static void free_wrong_size(void *cell) { slab_free(cell, 65); }
static void free_inside(void *cell) { slab_free((u8 *)cell + 8, 64); }
static void free_no_cell(void *unused)
{
	(void)unused;
	slab_free(phys_to_virt(frame_alloc(FRAME_PAGE)), 64);
}

static void write_freed_cell(void *cell)
{
	sys_status_t status;
	slab_free(cell, 64);
	((u8 *)cell)[40] = 1;
	slab_alloc(account_root(), 64, 0x80, &status);
}

static void too_large(void *unused)
{
	sys_status_t status;
	(void)unused;
	slab_alloc(account_root(), 4097, 0x80, &status);
}

static void break_free_list(void *cell)
{
	slab_free(cell, 64);
	((u8 *)cell)[1] = 0;
	slab_check(account_root());
}

START_TEST(slab_misuse)
{
	sys_status_t status;

	memory_start();
	void *kept = slab_alloc(account_root(), 64, 0x80, &status);
	void *cell = slab_alloc(account_root(), 64, 0x80, &status);
	ck_assert(kept && cell);
	expect_panic(free_cell_twice, cell, "!= 0");
	expect_panic(free_wrong_size, cell, "class_of(size)");
	expect_panic(free_inside, cell, "class_size");
	expect_panic(free_no_cell, NULL, "FRAME_SLAB");
	expect_panic(write_freed_cell, cell, "MEM_POISON");
	expect_panic(too_large, NULL, "PAGE_SIZE_");
	expect_panic(break_free_list, cell, "busy");
}
END_TEST

/* ---- short allocations ------------------------------------------------------------------------------------------- */
/* A charge that does not fit destroys what is dying in its account, and only as much as it needs. */
START_TEST(short_charge_reaps)
{
	sys_status_t status;

	memory_start();
	struct account *a = child_of(account_root(), 4);
	for (unsigned i = 0; i < 4; i++) {
		struct object *o = object_create(a, SYS_TYPE_THREAD, &status);
		object_end(o);
	}
	ck_assert_uint_eq(a->used, 4);
	ck_assert_int_eq(account_charge(a, 2), SYS_OK);
	ck_assert_uint_eq(a->used, 4);
	ck_assert_ptr_nonnull(object_create(a, SYS_TYPE_THREAD, &status));
	ck_assert_int_eq(account_charge(a, 2), SYS_ERR_NO_MEMORY);
	ck_assert_int_eq(account_charge(a, 1), SYS_OK);
	ck_assert_int_eq(account_charge(a, 1), SYS_ERR_NO_MEMORY);
	ck_assert_ptr_null(a->dying);
	memory_check();
}
END_TEST

/* More than the account can ever have is refused without destroying anything. */
START_TEST(hopeless_charge_does_nothing)
{
	memory_start();
	struct account *a = child_of(account_root(), 4);
	object_uncap(&probe_new(a, 1, 0)->object);
	probe_said();
	ck_assert_int_eq(account_charge(a, 5), SYS_ERR_NO_MEMORY);
	expect_said("");
	ck_assert_int_eq(account_charge(a, 4), SYS_OK);
	expect_said("reap1 ");
}
END_TEST

/* One step for each call, if somebody waits. */
START_TEST(short_charge_is_bounded)
{
	memory_start();
	struct account *a = child_of(account_root(), 1);
	struct probe *p = probe_new(a, 1, 1);       /* two calls' worth */

	object_uncap(&p->object);
	host_preempt_every(1);
	ck_assert_int_eq(account_charge(a, 1), VM_AGAIN);
	ck_assert_uint_eq(p->object.extra, 0);
	ck_assert_int_eq(account_charge(a, 1), SYS_OK);
	memory_check();
}
END_TEST

/* A child that ends gives its promise back to a parent that runs short. */
START_TEST(short_promise_reaps)
{
	struct account *c;

	memory_start();
	struct account *a = child_of(account_root(), 10), *b = child_of(a, 9);
	ck_assert_int_eq(account_create(a, 1, &c), SYS_ERR_NO_MEMORY);
	object_end(&b->object);
	ck_assert_int_eq(account_create(a, 9, &c), SYS_OK);
	ck_assert(a->promised == 9 && a->used == 1);
	memory_check();
}
END_TEST

/* ---- the end of an account --------------------------------------------------------------------------------------- */
/* Everything in it ends, and the parent has all back, to the frame. */
START_TEST(end_account)
{
	sys_status_t status;

	memory_start();
	struct account *root = account_root();
	u64 free = frame_count_free();
	struct account *a = child_of(root, 100), *b = child_of(a, 60);

	for (u16 i = 0; i < 40; i++) {
		ck_assert_ptr_nonnull(object_create(i % 2 ? a : b, SYS_TYPE_REPLY, &status));
		ck_assert_ptr_nonnull(object_create(i % 2 ? a : b, SYS_TYPE_THREAD, &status));
	}
	object_cap(&a->object);
	object_uncap(&a->object);
	ck_assert(a->closed && object_dying(&a->object));
	ck_assert_int_eq(account_charge(a, 1), SYS_ERR_BAD_STATE);
	memory_check();
	while (object_reap_step(NULL))
		memory_check();
	ck_assert(root->used == 0 && root->promised == 0 && root->objects == 0);
	ck_assert_uint_eq(frame_count_free(), free);
}
END_TEST

/* A sweep leaves the account: open again, with all that it had. Children come first. */
START_TEST(sweep)
{
	sys_status_t status;
	struct account *child = NULL;

	memory_start();
	struct account *a = child_of(account_root(), 100);
	for (u16 i = 0; i < 70; i++) {                          /* a full slab, one with room, and whole frames */
		ck_assert_ptr_nonnull(object_create(a, SYS_TYPE_REPLY, &status));
		if (i % 10 == 0)
			ck_assert_ptr_nonnull(object_create(a, SYS_TYPE_THREAD, &status));
		if (i % 20 == 0)
			child = child_of(a, 5);
	}
	a->closed = true;
	ck_assert(!account_sweep_step(a));
	ck_assert(object_dying(&child->object));
	while (!account_sweep_step(a))
		memory_check();
	ck_assert(a->used == 0 && a->promised == 0 && a->objects == 0 && !a->dying);
	ck_assert(!object_dying(&a->object) && a->total == 100);
	a->closed = false;
	ck_assert_int_eq(account_charge(a, 100), SYS_OK);
	memory_check();
}
END_TEST

/* The sweep passes over what is reaped already but named, and over parts. */
START_TEST(sweep_passes_the_named)
{
	sys_status_t status;

	memory_start();
	struct account *a = child_of(account_root(), 100);
	struct probe *p[100];
	void *part = slab_alloc(a, sizeof(struct probe), 0x81, &status);
	ck_assert_ptr_nonnull(part);
	for (u16 i = 0; i < 100; i++)
		p[i] = probe_new(a, i, 0);
	for (u16 i = 0; i < 80; i++)
		object_end(&p[i]->object);
	probe_said();
	ck_assert(object_reap(a));
	probe_said();
	a->closed = true;
	for (unsigned steps = 0; !account_sweep_step(a); steps++, probe_said())
		ck_assert_uint_lt(steps, 200);
	ck_assert_uint_eq(a->objects, 0);
	ck_assert_uint_eq(a->used, 2);
	for (u16 i = 0; i < 100; i++) {
		ck_assert(p[i]->object.flags & OBJECT_REAPED);
		object_uncap(&p[i]->object);
		memory_check();
	}
	slab_free(part, sizeof(struct probe));
	ck_assert_uint_eq(a->used, 0);
	ck_assert(account_sweep_step(a));
}
END_TEST

/* An account nested a thousand deep ends in bounded steps, from the top. */
START_TEST(end_deep)
{
	memory_start();
	struct account *root = account_root(), *a = root;
	u64 free = frame_count_free(), steps = 0, total = 2001;

	for (unsigned depth = 0; depth < 1000; depth++, total -= 2)
		a = child_of(a, total);
	object_end(&container_of(root->children.next, struct account, sibling)->object);
	for (; object_reap_step(root); steps++)
		if (steps % 100 == 0)
			memory_check();
	ck_assert_uint_le(steps, 4000);                                 /* for each: look, hand up, end */
	ck_assert_uint_eq(frame_count_free(), free);
	ck_assert(root->used == 0 && root->promised == 0);
	memory_check();
}
END_TEST

/* The parent ends while a child is half reaped, on the parent's own stack. */
START_TEST(end_parent_meanwhile)
{
	sys_status_t status;

	memory_start();
	struct account *root = account_root(), *a, *b, *c;
	for (unsigned before = 0; before < 12; before++) {
		u64 free = frame_count_free();
		a = child_of(root, 50);
		b = child_of(a, 40);
		c = child_of(b, 30);
		for (unsigned i = 0; i < 3; i++)
			ck_assert(object_create(b, SYS_TYPE_THREAD, &status) &&
				object_create(c, SYS_TYPE_THREAD, &status));
		object_end(&b->object);
		for (unsigned i = 0; i < before; i++) {
			ck_assert(object_reap_step(a));
			memory_check();
		}
		object_end(&a->object);
		memory_check();
		ck_assert(object_reap_step(b));                         /* a dying account: whatever there is */
		while (object_reap_step(NULL))
			memory_check();
		ck_assert_uint_eq(frame_count_free(), free);
		ck_assert(root->used == 0 && root->promised == 0);
	}
}
END_TEST

/* Something of an ended account is still named: the account waits, its frames too, until the name goes. */
START_TEST(end_with_named_object)
{
	memory_start();
	struct account *root = account_root(), *a = child_of(root, 50), *b = child_of(a, 20);
	struct probe *p = probe_new(b, 1, 0);

	object_cap(&a->object);
	object_end(&a->object);
	ck_assert(object_reap(NULL));
	ck_assert(p->object.flags & OBJECT_REAPED);
	ck_assert(a->parked && b->parked && root->promised == 50);
	memory_check();
	object_uncap(&p->object);
	memory_check();
	ck_assert(object_reap_step(root));                              /* b is settled, then a */
	memory_check();
	ck_assert_uint_eq(root->promised, 50);
	ck_assert(object_reap(root));
	ck_assert(root->promised == 0 && root->used == 1);              /* a itself is named too */
	memory_check();
	object_uncap(&a->object);
	ck_assert_uint_eq(root->used, 0);
	memory_check();
}
END_TEST

/* A short parent settles what waits for it. */
START_TEST(short_charge_settles)
{
	memory_start();
	struct account *a = child_of(account_root(), 50), *b = child_of(a, 49);
	struct probe *p = probe_new(b, 1, 0);

	object_end(&b->object);
	ck_assert(object_reap(NULL));
	ck_assert_int_eq(account_charge(a, 10), SYS_ERR_NO_MEMORY);
	object_uncap(&p->object);
	ck_assert_int_eq(account_charge(a, 50), SYS_OK);
	memory_check();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("mem");
	add_test(s, root_account);
	add_test(s, start_anew);
	add_test(s, short_until_it_ends);
	add_test(s, charge);
	add_test(s, uncharge_misuse);
	add_test(s, move_charge);
	add_test(s, create_child);
	add_test(s, create_child_failures);
	add_test(s, resize);
	add_test(s, resize_refusals);
	add_test(s, resize_reaps);
	add_test(s, account_walker_finds_damage);
	add_test(s, slab_classes);
	add_test(s, slab_reuse);
	add_test(s, each_object);
	add_test(s, slab_misuse);
	add_test(s, short_charge_reaps);
	add_test(s, hopeless_charge_does_nothing);
	add_test(s, short_charge_is_bounded);
	add_test(s, short_promise_reaps);
	add_test(s, end_account);
	add_test(s, sweep);
	add_test(s, sweep_passes_the_named);
	add_test(s, end_deep);
	add_test(s, end_parent_meanwhile);
	add_test(s, end_with_named_object);
	add_test(s, short_charge_settles);
	return s;
}
