/* SPDX-License-Identifier: BSD-2-Clause */
/* window.c: windows on content. See window.h. Lock: the kernel lock. */
#include "vm/window.h"
#include "lib/assert.h"
#include "vm/mapping.h"

sys_status_t window_resolve(struct vmo **v, u64 *offset, u64 size)
{
	struct vmo *content = (*v)->content;
	u64 limit = (*v)->shape->size;
	if (!content)
		return SYS_ERR_BAD_STATE;
	if (*offset > limit || size > limit - *offset)
		return SYS_ERR_OUT_OF_RANGE;
	if (object_dying(&content->object))
		return SYS_ERR_BAD_STATE;
	*offset += (*v)->shift;
	*v = content;
	return SYS_OK;
}

/* ---- making ------------------------------------------------------------------------------------- */
static sys_status_t slice_allowed(const struct vmo *v, u64 offset, u64 size)
{
	u64 limit = v->shape->size;
	if (offset > limit || page_up(size) > limit - offset)
		return SYS_ERR_INVALID_ARGS;
	if (v->content->options & (SYS_VMO_RESIZABLE | SYS_VMO_DISCARDABLE))
		return SYS_ERR_NOT_SUPPORTED;
	return SYS_OK;
}

sys_status_t window_create(struct vmo *v, struct account *a, u32 options, u64 offset, u64 size, struct vmo **out)
{
	bool slice = options & SYS_VMO_CHILD_SLICE;
	struct vmo *w;
	sys_status_t status = v->content ? SYS_OK : SYS_ERR_BAD_STATE;
	if (status == SYS_OK && slice)
		status = slice_allowed(v, offset, size);
	if (status == SYS_OK && object_dying(&v->content->object))
		status = SYS_ERR_BAD_STATE;
	if (status == SYS_OK)
		status = vmo_make(a, size, 0, slice ? SYS_VMO_INFO_SLICE : SYS_VMO_INFO_REFERENCE, &w);
	if (status != SYS_OK)
		return status;
	/* COMMIT */
	w->base = v;
	w->content = v->content;        /* NULL if its end was what made room for w */
	w->shift = v->shift + offset;
	if (!slice)
		w->shape = v->shape;
	object_ref(&v->object);
	list_append(&v->windows, &w->window);
	*out = w;
	return SYS_OK;
}

/* ---- ending ------------------------------------------------------------------------------------- */
void window_leave(struct vmo *w)
{
	struct vmo *base = w->base;
	list_remove(&w->window);
	w->content = w->base = NULL;
	w->shape = w;
	object_unref(&base->object);
}

bool window_sever_step(struct vmo *v)
{
	struct vmo *w = list_first(&v->windows, struct vmo, window);
	if (!w)
		return true;
	struct vmo *nested = list_first(&w->windows, struct vmo, window);
	w->content = NULL;                      /* nothing more is made through it */
	if (nested) {
		list_remove(&nested->window);
		list_append(&v->windows, &nested->window);
	} else if (mapping_end_step(w)) {
		window_leave(w);
	}
	return false;
}

/* ---- walker ------------------------------------------------------------------------------------- */
void window_check(const struct vmo *v)
{
	const struct vmo *base = v->base;
	u64 mappings = 0;
	list_each(l, &v->through) {
		ASSERT(container_of(l, struct mapping, through_link)->through == v);
		mappings++;
	}
	ASSERT(mappings == (vmo_is_window(v) ? v->mapping_count : 0));
	list_each(l, &v->windows)
		ASSERT(container_of(l, struct vmo, window)->base);
	ASSERT(list_on(&v->window) == (base != NULL));
	if (!vmo_is_window(v))
		ASSERT(v->shape == v && v->shift == 0 && !base);
	else if (v->content && base->content)
		ASSERT(v->content == base->content && v->shift >= base->shift &&
		       v->shift + v->shape->size <= v->content->size && (v->shape == v || v->shape == base->shape));
}
