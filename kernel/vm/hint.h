/* SPDX-License-Identifier: BSD-2-Clause */
/* hint.h: hints and cache operations of vmo_op_range() (hint.c). Both: done as vmo_op_range(), VM_AGAIN. Cost: the pages that
 * are there, and those that are asked for. Lock: the kernel lock. */
#pragma once
#include "vm/vmo.h"

/* ALWAYS_NEED, DONT_NEED, PREFETCH. OUT_OF_RANGE (of anonymous content only by PREFETCH), BAD_STATE, and what a read gives. */
sys_status_t vmo_hint(struct vmo *v, u32 op, u64 offset, u64 size, u64 *done, struct page_wait *w);
/* CACHE_*. INVALID_ARGS (size 0), NOT_SUPPORTED (INVALIDATE, since it would undo writes), OUT_OF_RANGE,
 * BAD_STATE. Caches are coherent here, so but for CLEAN_INVALIDATE there is nothing to do. */
sys_status_t vmo_cache(struct vmo *v, u32 op, u64 offset, u64 size, u64 *done);
