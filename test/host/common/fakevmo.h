/* SPDX-License-Identifier: BSD-2-Clause */
/* fakevmo.h: memory objects for tests of address spaces alone: an array of frames behind the two calls of the
 * cursor. Included by the one file of a test program, which then has no others. A page can be made shared (as
 * after a snapshot) and an object can have its missing pages asked for. */
#pragma once
#include <stdlib.h>
#include <string.h>
#include "common/harness.h"
#include "mem/account.h"
#include "mem/frame.h"
#include "vm/source.h"
#include "vm/reclaim.h"
#include "vm/space.h"

struct fake { struct vmo v; paddr_t *frame; paddr_t *old; bool paged; u64 asked; };
paddr_t zero_page;
static unsigned fake_vmos;              /* that live */

static struct fake *fake_of(struct vmo *v) { return container_of(v, struct fake, v); }

static void fake_page_drop(struct fake *f, u64 page)
{
	if (f->old[page]) {
		frame_of(f->old[page])->refs = 1;
		frame_free(f->old[page]);
	}
	if (f->frame[page] && f->frame[page] != f->old[page])
		frame_free(f->frame[page]);
	if (f->frame[page] || f->old[page])
		account_uncharge(f->v.object.account, 1);
	f->frame[page] = f->old[page] = 0;
}

static bool fake_reap(struct object *o)
{
	struct fake *f = fake_of((struct vmo *)o);

	if (!mapping_end_step(&f->v))
		return false;
	for (u64 i = 0; i < f->v.size >> PAGE_SHIFT; i++)
		fake_page_drop(f, i);
	free(f->frame);
	free(f->old);
	fake_vmos--;
	return true;
}

static const struct object_type fake_type = { .name = "vmo", .size = sizeof(struct fake), .reap = fake_reap };

/* Its capability is the caller's: object_uncap() ends it when nobody maps it. */
static struct fake *fake_create(struct account *a, u64 pages)
{
	sys_status_t status;
	struct fake *f = object_create(a, SYS_TYPE_VMO, &status);

	ck_assert_ptr_nonnull(f);
	f->v.size = f->v.stream_size = pages * PAGE_SIZE_;
	f->frame = calloc(pages, sizeof *f->frame);
	f->old = calloc(pages, sizeof *f->old);
	list_init(&f->v.writable);
	list_init(&f->v.through);
	f->v.content = f->v.shape = &f->v;
	object_cap(&f->v.object);
	fake_vmos++;
	return f;
}

/* As a snapshot does: write access is taken away, then all pages are shared with someone. */
static void fake_share(struct fake *f)
{
	while (!mapping_protect_step(&f->v)) {
	}
	for (u64 i = 0; i < f->v.size >> PAGE_SHIFT; i++)
		if (f->frame[i] && !f->old[i]) {
			f->old[i] = f->frame[i];
			frame_of(f->old[i])->refs = 2;
		}
}

static bool fake_is_shared(const struct fake *f, u64 page) { return f->frame[page] && f->frame[page] == f->old[page]; }

static sys_status_t fake_own(struct fake *f, u64 page, struct mapping *but)
{
	sys_status_t status = f->old[page] ? SYS_OK : account_charge(f->v.object.account, 1);

	if (status != SYS_OK)
		return status;
	if (!mapping_unmap_page(&f->v, page, but)) {
		if (!f->old[page])
			account_uncharge(f->v.object.account, 1);
		return VM_AGAIN;
	}
	paddr_t copy = frame_alloc_zeroed(FRAME_PAGE);
	if (f->frame[page])
		memcpy(phys_to_virt(copy), phys_to_virt(f->frame[page]), PAGE_SIZE_);
	f->frame[page] = copy;
	return SYS_OK;
}

sys_status_t cursor_find(struct cursor *c, bool write, bool own, struct page_ref *out)
{
	struct fake *f = fake_of(c->v);
	sys_status_t status = SYS_OK;

	(void)write;
	ck_assert(c->page < c->end);
	if (object_dying(&c->v->object))
		return SYS_ERR_BAD_STATE;
	if (c->page >= vmo_pages(c->v))
		return SYS_ERR_OUT_OF_RANGE;
	if (!f->frame[c->page] && f->paged) {
		f->asked++;
		c->wait->page = c->page;
		return SYS_ERR_SHOULD_WAIT;
	}
	if (own && (!f->frame[c->page] || fake_is_shared(f, c->page)))
		status = fake_own(f, c->page, c->replacing);
	if (status == SYS_OK)
		must(cursor_peek(c->v, c->page++, out));
	out->fresh = false;
	return status;
}

u64 cursor_existing(struct cursor *c, u64 max, struct page_ref *out)
{
	struct fake *f = fake_of(c->v);
	u64 n = 0, end = MIN(c->end, vmo_pages(c->v));

	for (; n < max && c->page < end && f->frame[c->page]; n++)
		must(cursor_peek(c->v, c->page++, &out[n]));
	return n;
}

bool cursor_peek(struct vmo *v, u64 page, struct page_ref *out)
{
	struct fake *f = fake_of(v);

	if (page >= v->size >> PAGE_SHIFT || (!f->frame[page] && f->paged))
		return false;
	out->frame = f->frame[page] ? f->frame[page] : zero_page;
	out->writable = f->frame[page] && !fake_is_shared(f, page);
	return true;
}

bool source_unmap_step(struct source *s, u64 page, u64 end, const struct space *in, vaddr_t low, vaddr_t high)
{
	(void)s, (void)page, (void)end, (void)in, (void)low, (void)high;
	return true;                    /* nobody waits: the test is all there is */
}

u64 tree_next(const struct tree *t, u64 page, u64 end)
{
	(void)t;
	return MIN(page, end);          /* page by page: its content is small */
}

void tree_count(const struct tree *t, u64 page, u64 end, struct tree_counts *out)
{
	const struct fake *f = container_of(container_of(t, struct vmo, tree), struct fake, v);

	*out = (struct tree_counts){ 0 };
	for (; page < end; page++) {
		out->pages += f->frame[page] != 0;
		out->private_pages += f->frame[page] && !fake_is_shared(f, page);
	}
}

/* There is nothing to give up. */
sys_status_t reclaim_step(void) { return SYS_ERR_NO_MEMORY; }

/* A machine, the zero page, an account of so many frames, a space in it. */
static struct account *account;
static struct space *space;
static struct page_wait wait_here;

static void fake_start(u64 frames)
{
	machine_start(8192);
	object_type_set(SYS_TYPE_VMO, &fake_type);
	object_type_set(SYS_TYPE_VMAR, &vmar_type);
	ck_assert_int_eq(account_charge(account_root(), 1), SYS_OK);
	zero_page = frame_alloc_zeroed(FRAME_PAGE);
	ck_assert_int_eq(account_create(account_root(), frames, &account), SYS_OK);
	object_cap(&account->object);
	ck_assert_int_eq(space_create(account, false, &space), SYS_OK);
	object_cap((struct object *)space);
}

/* The space goes; then the account must be empty and all walkers agree. */
static void fake_end(void)
{
	object_uncap((struct object *)space);
	while (object_reap_step(NULL)) {
	}
	ck_assert_uint_eq(fake_vmos, 0);
	ck_assert_uint_eq(account->used, 0);
	ck_assert_uint_eq(frame_of(zero_page)->page.mapped, 0);
	account_check(account_root());
	frame_check();
}
