/* SPDX-License-Identifier: BSD-2-Clause */
/* policy.c: the cache policy of a VMO: how its mappings are entered. The kernel's own view of memory is cached, so pages
 * that are to be seen past the caches are flushed when they are made (cursor.c) and when the policy changes; and the kernel
 * reads and writes no such VMO. Lock: the kernel lock.
 */
#include "arch/arch.h"
#include "vm/pagemap.h"

static bool may_change(const struct vmo *v)
{
	if (object_dying(&v->object) || v->content != v || v->source || v->info_flags & SYS_VMO_INFO_COW_CLONE)
		return false;
	return !v->mapping_count && !v->child_count && pagemap_next(v, 0, TREE_ALL) >= TREE_ALL;
}

sys_status_t vmo_set_cache_policy(struct vmo *v, u32 policy, u64 *next)
{
	u64 pages = vmo_pages(v);
	if (policy > SYS_CACHE_WRITE_COMBINING)
		return SYS_ERR_INVALID_ARGS;
	if (*next == 0) {
		bool pages_stay = v->cache_policy == SYS_CACHE_CACHED || policy == v->cache_policy;
		if (!may_change(v) || (!pages_stay && tree_next(&v->tree, 0, pages) < pages))
			return SYS_ERR_BAD_STATE;
		/* COMMIT: nobody reads or writes it by calls from now on, and it is not mapped */
		v->cache_policy = policy;
	}
	for (u64 page = *next; policy != SYS_CACHE_CACHED && (page = tree_next(&v->tree, page, pages)) < pages;) {
		arch_cache_flush(tree_frame(tree_lookup(&v->tree, page++)));    /* it has no markers */
		*next = page;
		if (arch_preempt_poll())
			return VM_AGAIN;
	}
	return SYS_OK;
}
