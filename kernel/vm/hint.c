/* SPDX-License-Identifier: BSD-2-Clause */
/* hint.c: what programs say of ranges of memory objects without changing what is in them: that it will be needed, or not,
 * and that caches are to be written back. Only pages that a pager stands behind are looked for or aged; of others there is
 * nothing to be brought, and reclaim never drops them for their age. Lock: the kernel lock.
 */
#include "arch/arch.h"
#include "vm/cursor.h"
#include "vm/hint.h"
#include "vm/mapping.h"
#include "vm/reclaim.h"
#include "vm/source.h"
#include "vm/view.h"
#include "vm/window.h"

#define HINT_BATCH 16u                  /* pages between looks at pending interrupts */

static void apply(u32 op, paddr_t page)
{
	u16 *state = &frame_of(page)->state;
	*state &= (u16)~FRAME_HELD;
	if (op == SYS_VMO_OP_ALWAYS_NEED)
		*state = (u16)((*state & ~FRAME_AGE) | FRAME_GUARDED);
	else if (op == SYS_VMO_OP_DONT_NEED)
		*state = (u16)((*state & ~FRAME_GUARDED) | FRAME_OLDEST);
	else if (op == SYS_VMO_OP_CACHE_CLEAN_INVALIDATE)
		arch_cache_flush(page);
}

/* Some pages of what is there, or over some of what is not. ALWAYS_NEED and PREFETCH ask for the latter. */
static sys_status_t step(struct cursor *c, u32 op)
{
	struct page_ref ref[HINT_BATCH];
	tree_slot_t kind;
	u64 there = cursor_existing(c, HINT_BATCH, ref);
	for (u64 i = 0; i < there; i++)
		apply(op, ref[i].frame);
	if (there)
		return SYS_OK;
	if (op != SYS_VMO_OP_ALWAYS_NEED && op != SYS_VMO_OP_PREFETCH) {
		cursor_skip_missing(c);
		return SYS_OK;
	}
	u64 run = tree_run(&c->v->tree, c->page, MIN(c->end, c->page + TREE_FANOUT), &kind);
	if (tree_tag(kind) == TREE_ZERO) {
		c->page = run;
		return SYS_OK;
	}
	c->wait->prefetch = op == SYS_VMO_OP_PREFETCH;
	sys_status_t status = cursor_require(c, false, ref);    /* it is asked for, or reads as zero: then there is nothing to be kept */
	c->wait->prefetch = false;
	return status;
}

static sys_status_t each_page(struct vmo *v, u32 op, u64 offset, u64 size, u64 *done, u64 end, struct page_wait *w)
{
	struct cursor c;
	cursor_begin(&c, v, (offset + *done) >> PAGE_SHIFT, MIN(end, (offset + size + PAGE_MASK) >> PAGE_SHIFT), 0, w);
	c.unseen = true;
	if (op == SYS_VMO_OP_DONT_NEED) {
		if (!mapping_unmap_all(v, c.page, c.end))       /* so that an access is seen */
			return VM_AGAIN;
		reclaim_oldest_first(v);
	}
	while (c.page < c.end) {
		sys_status_t status = step(&c, op);
		*done = MIN(size, MAX(offset + *done, c.page << PAGE_SHIFT) - offset);
		if (status != SYS_OK)
			return status;
		if (c.page < c.end && arch_preempt_poll())
			return VM_AGAIN;
	}
	return SYS_OK;
}

sys_status_t vmo_hint(struct vmo *v, u32 op, u64 offset, u64 size, u64 *done, struct page_wait *w)
{
	const struct vmo *content = v->content;
	bool anonymous = content && !(content->info_flags & SYS_VMO_INFO_PAGER_BACKED) && !content->view;
	sys_status_t status = vmo_resolve(&v, &offset, size);
	if (anonymous && status == SYS_ERR_OUT_OF_RANGE && op != SYS_VMO_OP_PREFETCH)
		return SYS_OK;
	if (status != SYS_OK || anonymous || size == 0)
		return status;
	u64 end = v->view ? view_limit(v->view) : v->source->limit;
	if (op == SYS_VMO_OP_DONT_NEED && v->view) {    /* of the root's pages */
		offset += v->view->first << PAGE_SHIFT;
		end += v->view->first;
		v = v->view->root;
	}
	return v ? each_page(v, op, offset, size, done, end, w) : SYS_OK;
}

sys_status_t vmo_cache(struct vmo *v, u32 op, u64 offset, u64 size, u64 *done)
{
	if (size == 0)
		return SYS_ERR_INVALID_ARGS;
	if (op == SYS_VMO_OP_CACHE_INVALIDATE)
		return SYS_ERR_NOT_SUPPORTED;
	sys_status_t status = vmo_resolve(&v, &offset, size);
	if (status != SYS_OK || op != SYS_VMO_OP_CACHE_CLEAN_INVALIDATE)
		return status;
	return each_page(v, op, offset, size, done, UINT64_MAX, NULL);
}
