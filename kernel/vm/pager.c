/* SPDX-License-Identifier: BSD-2-Clause */
/* pager.c: what pager servers call: making roots, supplying pages, failing requests; and how a pager ends.
 *
 * Supplying a page, by what aux has there:
 *      a page that only aux reaches    its frame changes trees and accounts; aux's hardware entries are removed
 *                                      first, so nobody writes to it any more
 *      a shared page                   a copy; then aux gives its reference up, as if the frame had moved
 *      nothing                         a zero marker: known zero, no memory
 * What the root has already stays as it is, and aux's page is given up nevertheless: aux reads as zero where it was
 * supplied from. The new page is charged before anything changes; then waiters' faults are finished and the waiters
 * woken.
 * Lock: the kernel lock.
 */
#include "arch/arch.h"
#include "lib/assert.h"
#include "lib/counters.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "vm/cursor.h"
#include "vm/mapping.h"
#include "vm/source.h"
#include "vm/window.h"

/* ---- making ------------------------------------------------------------------------------------- */
sys_status_t pager_create(struct account *a, u64 badge, struct pager **out)
{
	sys_status_t status;
	struct pager *p = object_create(a, SYS_TYPE_PAGER, &status);
	if (!p)
		return status;
	pqueue_init(&p->queue);
	pqueue_init(&p->receivers);
	pqueue_node_init(&p->above);
	list_init(&p->roots);
	list_init(&p->endpoint_link);
	p->badge = badge;
	*out = p;
	return SYS_OK;
}

static sys_status_t add_source(struct vmo *v, struct pager *p, u64 key)
{
	sys_status_t status;
	struct source *s = slab_alloc(v->object.account, sizeof *s, PART_SOURCE, &status);
	if (!s)
		return status;
	s->root = v;
	s->pager = p;
	s->key = key;
	s->limit = v->size >> PAGE_SHIFT;
	watch_list_init(&s->watches);
	list_append(&p->roots, &s->link);
	v->source = s;
	return SYS_OK;
}

sys_status_t pager_create_vmo(struct pager *p, struct account *a, u32 options, u64 key, u64 size, struct vmo **out)
{
	if (options & ~(SYS_VMO_RESIZABLE | SYS_VMO_TRAP_DIRTY | SYS_VMO_UNBOUNDED))
		return SYS_ERR_INVALID_ARGS;
	if ((options & SYS_VMO_UNBOUNDED) && ((options & SYS_VMO_RESIZABLE) || size > VMO_MAX_SIZE))
		return SYS_ERR_INVALID_ARGS;
	if (size > VMO_MAX_SIZE)
		return SYS_ERR_OUT_OF_RANGE;
	if (p->dead)
		return SYS_ERR_BAD_STATE;
	if (options & SYS_VMO_TRAP_DIRTY)
		return SYS_ERR_NOT_SUPPORTED;
	sys_status_t status = vmo_make(a, size, options, SYS_VMO_INFO_PAGER_BACKED, out);
	if (status != SYS_OK)
		return status;
	status = add_source(*out, p, key);
	if (status != SYS_OK)
		vmo_discard(*out);
	return status;
}

/* ---- what supply and op_range have in common ---------------------------------------------------- */
/* *v is this pager's own root, or a window on it: from here on the root. One without a pager was somebody's, perhaps this
 * one's: BAD_STATE. */
static inline sys_status_t check_root(const struct pager *p, struct vmo **v, u64 *offset, u64 len)
{
	const struct vmo *root = (*v)->content;
	if (!page_aligned(*offset) || !page_aligned(len))
		return SYS_ERR_INVALID_ARGS;
	const struct source *s = root ? root->source : NULL;
	bool own = s && s->pager == p;
	if (!own && root && (s ? s->pager != NULL : !(root->info_flags & SYS_VMO_INFO_PAGER_BACKED)))
		return SYS_ERR_INVALID_ARGS;
	sys_status_t status = vmo_resolve(v, offset, len);
	return status == SYS_OK && (!own || p->dead) ? SYS_ERR_BAD_STATE : status;
}

/* ---- supply ------------------------------------------------------------------------------------- */
/* Nothing maps aux's page any more, or VM_AGAIN. */
static sys_status_t hide(struct vmo *aux, u64 page, paddr_t frame)
{
	if (!aux->mappings.root || !frame_of(frame)->page.mapped)
		return SYS_OK;
	return mapping_unmap_step(aux, page, page + 1) ? SYS_OK : VM_AGAIN;
}

/* Aux's page is no longer wanted. */
__attribute__((noinline)) static sys_status_t give_up(struct vmo *aux, u64 page)
{
	tree_slot_t slot = tree_lookup(&aux->tree, page);
	if (slot == TREE_EMPTY)
		return SYS_OK;
	if (tree_tag(slot) == TREE_PAGE && hide(aux, page, tree_frame(slot)) != SYS_OK)
		return VM_AGAIN;
	while (!tree_remove_step(&aux->tree, page, page + 1))   /* at most a path */
		;
	return SYS_OK;
}

__attribute__((noinline)) static sys_status_t supply_zero(struct vmo *v, u64 page, struct tree_place *to)
{
	sys_status_t status = tree_edit_at(&v->tree, page, true, to);
	if (status == SYS_OK)
		tree_fill_at(&v->tree, page, to, TREE_ZERO);
	return status;
}

static sys_status_t supply_move(struct vmo *v, u64 page, struct tree_place *to, struct vmo *aux, u64 aux_page,
                                struct tree_place *from)
{
	if (hide(aux, aux_page, tree_frame(*from->slot)) != SYS_OK)
		return VM_AGAIN;
	sys_status_t status = tree_edit_at(&v->tree, page, true, to);
	if (status != SYS_OK)
		return status;
	status = tree_move_charge(&aux->tree, &v->tree, 1);
	if (status != SYS_OK) {
		tree_prune(&v->tree, page);
		return status;
	}
	/* COMMIT */
	tree_fill_at(&v->tree, page, to, tree_take_at(&aux->tree, aux_page, from) | TREE_PAGE);
	return SYS_OK;
}

__attribute__((noinline)) static sys_status_t supply_copy(struct vmo *v, u64 page, struct tree_place *to, paddr_t shared)
{
	sys_status_t status = tree_charge(&v->tree, 1);
	if (status != SYS_OK)
		return status;
	status = tree_edit_at(&v->tree, page, true, to);
	if (status != SYS_OK) {
		tree_uncharge(&v->tree, 1);
		return status;
	}
	/* COMMIT */
	paddr_t copy = frame_alloc(FRAME_PAGE);
	memcpy(phys_to_virt(copy), phys_to_virt(shared), PAGE_SIZE_);
	tree_fill_at(&v->tree, page, to, copy | TREE_PAGE);
	return SYS_OK;
}

/* What aux has at its page becomes v's, which has nothing there. *moved: aux has it no more. */
static sys_status_t supply_missing(struct vmo *v, u64 page, struct tree_place *to, struct vmo *aux, u64 aux_page,
                                   bool *moved)
{
	struct tree_place from;
	sys_status_t status;
	tree_slot_t slot = tree_locate(&aux->tree, aux_page, &from);
	*moved = tree_tag(slot) == TREE_PAGE && from.own;
	if (tree_tag(slot) != TREE_PAGE)
		status = supply_zero(v, page, to);
	else if (*moved)
		status = supply_move(v, page, to, aux, aux_page, &from);
	else
		status = supply_copy(v, page, to, tree_frame(slot));
	counters.pages_supplied += status == SYS_OK;
	return status;
}

/* What was put into the root's own slot just now, for those who wait for it. */
static struct page_ref supplied(tree_slot_t slot)
{
	if (tree_tag(slot) == TREE_PAGE)
		return (struct page_ref){ .frame = tree_frame(slot), .writable = true };
	return (struct page_ref){ .frame = zero_page };
}

/* One page, from nothing to answered. */
static sys_status_t supply_page(struct vmo *v, u64 page, struct vmo *aux, u64 aux_page, u64 *fresh)
{
	struct tree_place to;
	struct page_ref ref, *is = NULL;
	bool moved = false;
	sys_status_t status;
	if (page < v->source->limit && tree_locate(&v->tree, page, &to) == TREE_EMPTY) {
		status = supply_missing(v, page, &to, aux, aux_page, &moved);
		if (status != SYS_OK)
			return status;
		*fresh += PAGE_SIZE_;
		is = &ref;
		ref = supplied(*to.slot);
	}
	status = moved ? SYS_OK : give_up(aux, aux_page);
	if (status != SYS_OK)
		return status;
	return source_answer_step(v->source, page, is) ? SYS_OK : VM_AGAIN;
}

sys_status_t pager_supply(struct pager *p, struct vmo *v, u64 offset, u64 len, struct vmo *aux, u64 aux_offset,
                          u64 *done, u64 *fresh)
{
	sys_status_t status = page_aligned(aux_offset) ? check_root(p, &v, &offset, len) : SYS_ERR_INVALID_ARGS;
	if (status == SYS_OK)
		status = vmo_resolve(&aux, &aux_offset, len);
	if (status != SYS_OK)
		return status;
	if (aux->view || (aux->info_flags & (SYS_VMO_INFO_PAGER_BACKED | SYS_VMO_INFO_CONTIGUOUS | VMO_KEPT)))
		return SYS_ERR_NOT_SUPPORTED;
	while (*done < len) {
		status = supply_page(v, (offset + *done) >> PAGE_SHIFT, aux, (aux_offset + *done) >> PAGE_SHIFT, fresh);
		if (status != SYS_OK)
			return status;
		*done += PAGE_SIZE_;
		if (*done < len && arch_preempt_poll())
			return VM_AGAIN;
	}
	return SYS_OK;
}

/* ---- fail --------------------------------------------------------------------------------------- */
static bool may_fail_with(i64 code)
{
	return code == SYS_ERR_IO || code == SYS_ERR_IO_DATA_INTEGRITY || code == SYS_ERR_BAD_STATE ||
	       code == SYS_ERR_NO_SPACE || code == SYS_ERR_BUFFER_TOO_SMALL;
}

sys_status_t pager_op_range(struct pager *p, u32 op, struct vmo *v, u64 offset, u64 len, i64 data)
{
	if (op < SYS_PAGER_OP_FAIL || op > SYS_PAGER_OP_WRITEBACK_END)
		return SYS_ERR_NOT_SUPPORTED;
	if (op == SYS_PAGER_OP_FAIL && !may_fail_with(data))
		return SYS_ERR_INVALID_ARGS;
	sys_status_t status = check_root(p, &v, &offset, len);
	if (status != SYS_OK)
		return status;
	if (op != SYS_PAGER_OP_FAIL)
		return SYS_ERR_NOT_SUPPORTED;
	while (!source_fail_step(v->source, offset >> PAGE_SHIFT, (offset + len) >> PAGE_SHIFT, (sys_status_t)data))
		if (arch_preempt_poll())
			return VM_AGAIN;
	return SYS_OK;
}

/* ---- the end ------------------------------------------------------------------------------------ */
void pager_kill(struct pager *p)
{
	p->dead = true;
	object_end(&p->object);
}

static void pager_end_begins(struct object *o)
{
	container_of(o, struct pager, object)->dead = true;
}

static bool pager_reap(struct object *o)
{
	struct pager *p = container_of(o, struct pager, object);
	struct source *s = list_first(&p->roots, struct source, link);
	if (s) {
		if (source_end_step(s, SYS_ERR_BAD_STATE)) {
			list_remove(&s->link);
			s->pager = NULL;
			watch_fire(&s->watches);
		}
		return false;
	}
	return !vm_hooks.pager_ended || vm_hooks.pager_ended(p);
}

const struct object_type pager_type = {
	.name = "pager", .size = sizeof(struct pager), .ended = pager_end_begins, .reap = pager_reap,
};

void pager_check(const struct pager *p)
{
	list_each(l, &p->roots) {
		const struct source *s = container_of(l, struct source, link);
		ASSERT(s->pager == p);
		source_check(s);
	}
	list_each(l, &p->queue.all) {
		const struct pqueue_node *n = container_of(l, struct pqueue_node, all);
		const struct page_wait *w = container_of(n, struct page_wait, queue);
		ASSERT(w->state == PAGE_WAIT_QUEUED && w->root->source->pager == p);
	}
}
