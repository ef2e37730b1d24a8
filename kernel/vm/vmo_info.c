/* SPDX-License-Identifier: BSD-2-Clause */
/* vmo_info.c: what a memory object tells about itself. Lock: the kernel lock. */
#include "arch/arch.h"
#include "lib/assert.h"
#include "vm/source.h"
#include "vm/view.h"
#include "vm/window.h"

#define SURVEY_TRIES 64u

/* Measures what needs a walk over all leaves. The state is the VMO's: callers that ask at the same time do it
 * together. If anything was destroyed meanwhile, which may have shared it, or the VMO has more or less than it had, they
 * begin anew, but not for ever. */
static bool survey(struct vmo *v)
{
	u64 now = object_reap_steps + (v->tree.charged << 32);
	if (!v->surveying || (v->surveyed_at != now && v->surveying < SURVEY_TRIES)) {
		v->survey = (struct tree_survey){ 0 };
		v->surveyed_at = now;
		v->surveying++;
	}
	while (!tree_survey_step(&v->tree, &v->survey))
		if (arch_preempt_poll())
			return false;
	v->surveying = 0;
	return true;
}

/* SYS_VMO_INFO_*. A window tells of its owner what holds for itself too: of a size, only one that has the owner's. */
static u32 flags_of(const struct vmo *v)
{
	u32 not = SYS_VMO_INFO_COW_CLONE | (v->shape == v->content ? 0 : SYS_VMO_INFO_UNBOUNDED);
	u32 owners = vmo_is_window(v) ? v->content->info_flags & ~not : 0;
	const struct view *view = v->content->view;
	u32 paged = view && !view->ended ? SYS_VMO_INFO_PAGER_BACKED :
	            v->content->source && !v->content->source->pager ? SYS_VMO_INFO_DETACHED : 0;
	return ((v->info_flags | owners) & ~(VMO_KEPT | VMO_CLONE)) | paged;
}

sys_status_t vmo_info(struct vmo *v, sys_vmo_info_t *info)
{
	struct tree_counts counts = { 0 };
	if (!v->content || object_dying(&v->content->object))
		return SYS_ERR_BAD_STATE;
	if (!vmo_trim(v) || !survey(v))
		return VM_AGAIN;
	tree_totals(&v->tree, &counts.pages, &counts.nodes);
	*info = (sys_vmo_info_t){
		.koid = v->object.koid, .parent_koid = v->parent_koid,
		.size = v->shape->size, .stream_size = v->shape->stream_size,
		.committed = counts.pages * PAGE_SIZE_, .populated = counts.pages * PAGE_SIZE_,
		.private_bytes = v->survey.private_pages * PAGE_SIZE_,
		.scaled_bytes = v->survey.share.bytes, .scaled_fraction = v->survey.share.fraction,
		.metadata_bytes = counts.pages + counts.nodes ? counts.nodes * PAGE_SIZE_ + sizeof(*v) : 0,
		.children = v->child_count, .mappings = v->mapping_count,
		.flags = flags_of(v), .cache_policy = v->content->cache_policy,
	};
	return SYS_OK;
}

