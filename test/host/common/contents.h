/* SPDX-License-Identifier: BSD-2-Clause */
/* contents.h: one world for tests of contents of all kinds: a root whose pager is the test, what it is supplied from, two
 * accounts, a space; pages by calls and through mappings. Included by the one file of a test program. */
#pragma once
#include <string.h>
#include "arch/arch.h"
#include "arch/pagetable.h"
#include "common/calls.h"
#include "common/kernel.h"
#include "lib/counters.h"
#include "vm/cursor.h"
#include "vm/mapping.h"
#include "vm/reclaim.h"
#include "vm/source.h"
#include "vm/space.h"
#include "vm/view.h"

#define ALOW SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE
#define MOD  SYS_VMO_CHILD_SNAPSHOT_MODIFIED
#define RESIZABLE SYS_VMO_CHILD_RESIZABLE

static struct account *payer, *other;   /* the root's; the clones', and the space's */
static struct pager *pager;
static struct vmo *root, *aux;
static struct space *space;
static struct page_wait poll;           /* asks nobody */
static unsigned wakes;
static u64 free_at_start;

static inline void woken(struct page_wait *w)
{
	wakes++;
	must(w->state == PAGE_WAIT_IDLE);
}

static inline void ready(struct pager *p) { (void)p; }

static inline struct account *account_named(u64 frames)
{
	struct account *a = account_new(account_root(), frames);
	object_cap(&a->object);
	return a;
}

static inline void new_root(u64 pages)
{
	must_ok(pager_create_vmo(pager, payer, SYS_VMO_RESIZABLE, 77, pages * P, &root));
	object_cap(&root->object);
}

static inline void begin(u64 pages)
{
	kernel_start(16384);
	object_type_set(SYS_TYPE_VMAR, &vmar_type);
	vm_hooks = (struct vm_hooks){ .wake = woken, .pager_ready = ready };
	free_at_start = frame_count_free();
	payer = account_named(3000);
	other = account_named(6000);
	must_ok(pager_create(account_root(), 7, &pager));
	object_cap(&pager->object);
	new_root(pages);
	must_ok(vmo_create(account_root(), 64 * P, 0, &aux));
	object_cap(&aux->object);
	must_ok(space_create(other, false, &space));
	object_cap((struct object *)space);
	page_wait_init(&poll);
	poll.poll = true;
	wakes = 0;
}

static inline void drop(void *object)
{
	object_uncap(object);
	kernel_reap();
}

static inline void check(struct vmo *v)
{
	vmo_check(v);
	if (v != root && root)
		vmo_check(root);
	space_check(space);
	account_check_all();
}

static inline void end(void)
{
	drop(space);
	ck_assert_uint_eq(other->used, 0);
	if (root)
		drop(&root->object);
	drop(&aux->object);
	drop(&pager->object);
	ck_assert_uint_eq(payer->used, 0);
	drop(&payer->object);
	drop(&other->object);
	ck_assert_uint_eq(frame_of(zero_page)->page.mapped, 0);
	ck_assert_uint_eq(frame_count_free(), free_at_start);
	frame_check();
}

static inline struct vmo *clone_in(struct account *a, struct vmo *v, u32 options, u64 first, u64 pages)
{
	struct vmo *child;
	must_ok(vmo_create_child(v, a, options, first * P, pages * P, &child));
	object_cap(&child->object);
	return child;
}

static inline struct vmo *clone_of(struct vmo *v, u64 first, u64 pages)
{
	return clone_in(other, v, (random_chance(50) ? ALOW : MOD) | RESIZABLE, first, pages);
}

/* One entry of a call that needs a page, and may want so many. */
static inline sys_status_t need(struct vmo *v, u64 page, bool write, u64 run, unsigned retries, struct page_wait *w,
                         struct page_ref *ref)
{
	struct cursor c;
	cursor_begin(&c, v, page, page + run, retries, w);
	return cursor_require(&c, write, ref);
}

/* A word of a page, as a call reads or writes it. */
static inline sys_status_t get(struct vmo *v, u64 page, u64 *value)
{
	struct page_ref ref;
	sys_status_t status = again(need(v, page, false, 1, 9, &poll, &ref));
	if (status == SYS_OK)
		*value = *(u64 *)phys_to_virt(ref.frame);
	return status;
}

static inline sys_status_t put(struct vmo *v, u64 page, u64 value)
{
	struct page_ref ref;
	sys_status_t status = again(need(v, page, true, 1, 9, &poll, &ref));
	must(status != SYS_OK || (ref.writable && ref.frame != zero_page));
	if (status == SYS_OK)
		*(u64 *)phys_to_virt(ref.frame) = value;
	return status;
}

static inline u64 seen(struct vmo *v, u64 page)
{
	u64 value = 0;
	must(get(v, page, &value) == SYS_OK);
	return value;
}

static inline sys_status_t supply(u64 page, u64 value)
{
	u64 done = 0, fresh = 0;
	u64 fail_at = host_fail_charge_at;
	host_fail_charge_at = 0;
	if (value)
		must_ok(put(aux, 0, value));
	host_fail_charge_at = fail_at;
	return again(pager_supply(pager, root, page * P, P, aux, value ? 0 : P, &done, &fresh));
}

static inline vaddr_t map(struct vmo *v, u64 page, u64 pages)
{
	vaddr_t at;
	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW | SYS_VM_ALLOW_FAULTS, 0, v, SYS_RIGHTS_VMO, page * P,
	                 pages * P, NULL, &at));
	return at;
}

static inline void unmap(vaddr_t at, u64 pages) { must_ok(vmar_unmap(&space->root_vmar, true, at, pages * P)); }

/* The same through a mapping, as a program's instruction does it. */
static inline sys_status_t load(vaddr_t at, u64 *value, struct page_wait *w)
{
	void *p;
	sys_status_t status = SYS_OK;
	while (!(p = pt_reach(space->root, at, PT_READ)) && status == SYS_OK)
		status = again(vm_fault(space, at, SYS_ACCESS_READ, 9, w));
	if (status == SYS_OK)
		*value = *(u64 *)p;
	return status;
}

static inline sys_status_t store(vaddr_t at, u64 value, struct page_wait *w)
{
	void *p;
	sys_status_t status = SYS_OK;
	while (!(p = pt_reach(space->root, at, PT_READ | PT_WRITE)) && status == SYS_OK)
		status = again(vm_fault(space, at, SYS_ACCESS_WRITE, 9, w));
	if (status == SYS_OK)
		*(u64 *)p = value;
	return status;
}

static inline u64 shown(vaddr_t at)
{
	u64 value = 0;
	must(load(at, &value, &poll) == SYS_OK);
	return value;
}

/* ---- what accounts can have again ---------------------------------------------------------------- */
static inline struct vmo *anonymous(struct account *a, u64 pages, u32 options)
{
	struct vmo *v;
	must_ok(vmo_create(a, pages * P, options, &v));
	object_cap(&v->object);
	return v;
}

static inline bool there(const struct vmo *v, u64 page) { return tree_tag(tree_lookup(&v->tree, page)) == TREE_PAGE; }

/* A charge of one frame more than there is, and what the way out of the kernel does then: VM_AGAIN, or it was in vain. */
static inline sys_status_t press(struct account *a)
{
	must(account_charge(a, account_free(a) + 1) == SYS_ERR_NO_MEMORY);
	return reclaim_step();
}

/* The same until it is in vain; how many steps were done. */
static inline unsigned press_all(struct account *a)
{
	unsigned steps = 0;
	while (press(a) == VM_AGAIN) {
		account_check_all();
		must(++steps < 10000);
	}
	return steps;
}
