/* SPDX-License-Identifier: BSD-2-Clause */
/* transfer.h: moving pages from one content to another (transfer.c). Lock: the kernel lock. */
#pragma once
#include "vm/cursor.h"

/* sys_vmo_transfer_data. done (in/out): bytes already moved, kept by the caller over VM_AGAIN and SHOULD_WAIT; 0 at first.
 * INVALID_ARGS, OUT_OF_RANGE, BAD_STATE, NOT_SUPPORTED, NO_MEMORY (what was moved by then stays moved), and what a read of
 * src gives. */
sys_status_t vmo_transfer(struct vmo *dst, u32 options, u64 offset, u64 len, struct vmo *src, u64 src_offset, u64 *done,
                          struct page_wait *w);
