/* SPDX-License-Identifier: BSD-2-Clause */
/* window.h: whose content a memory object shows. A SLICE or a REFERENCE is a window: an object without content of its own,
 * that begins `shift` bytes into the content of another.
 *
 *      owner  <--base-- slice  <--base-- reference         base: what it was made from, which it holds a reference to
 *        ^                |^                |||
 *        |----content-----'|----shape-------'|             shape: whose size and stream size it has; a slice has its own,
 *        '----------------------content------'             a reference those of what it refers to
 *
 * Every call turns its bytes of the object into bytes of the content first (vmo_resolve), and every mapping shows the content
 * and remembers the window that it was made through (mapping->through), so nothing else needs to know of windows. A window
 * lives as long as something names it, a mapping goes through it, or a window was made from it. When an object is forced to
 * end, the windows made from it, and those made from them, are severed: their mappings go, calls give BAD_STATE.
 * Lock: the kernel lock.
 */
#pragma once
#include "vm/vmo.h"

sys_status_t window_resolve(struct vmo **v, u64 *offset, u64 size);
/* Bytes [*offset, *offset + size) of *v become those of the content that it shows. BAD_STATE (also: that is dying),
 * OUT_OF_RANGE (of *v itself). An error changes nothing. */
static inline sys_status_t vmo_resolve(struct vmo **v, u64 *offset, u64 size)
{
	struct vmo *o = *v;
	u64 at = *offset;
	if (likely(o->content == o && !object_dying(&o->object) && at <= o->size && size <= o->size - at))
		return SYS_OK;
	sys_status_t status = window_resolve(&o, &at, size);
	*v = o;
	*offset = at;
	return status;
}
static inline bool vmo_is_window(const struct vmo *v)
{
	return v->info_flags & (SYS_VMO_INFO_SLICE | SYS_VMO_INFO_REFERENCE);
}

/* Makes a window: options: SYS_VMO_CHILD_SLICE or _REFERENCE; good arguments. INVALID_ARGS (it is not inside of v),
 * NOT_SUPPORTED (a slice of what changes its size, or may be discarded), BAD_STATE, NO_MEMORY. */
sys_status_t window_create(struct vmo *v, struct account *a, u32 options, u64 offset, u64 size, struct vmo **out);
/* A dying window leaves what it was made from. */
void window_leave(struct vmo *w);
/* v is dying: severs a window from it, in steps. True: there are none. */
bool window_sever_step(struct vmo *v);
void window_check(const struct vmo *v);         /* walker */
