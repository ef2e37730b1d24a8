/* SPDX-License-Identifier: BSD-2-Clause */
/* pager.c: what pager servers call: making roots, failing requests; and how a pager ends. Supply is in transfer.c. Lock:
 * the kernel lock. */
#include "arch/arch.h"
#include "lib/assert.h"
#include "lib/counters.h"
#include "lib/string.h"
#include "mem/slab.h"
#include "vm/cursor.h"
#include "vm/mapping.h"
#include "vm/reclaim.h"
#include "vm/source.h"
#include "vm/transfer.h"
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
	if (status == SYS_OK)
		reclaim_offer(*out, &a->roots);
	else
		vmo_discard(*out);
	return status;
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
	sys_status_t status = pager_root(p, v, offset, len);
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
			reclaim_withdraw(s->root);      /* nobody would bring its pages again */
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
