/* SPDX-License-Identifier: BSD-2-Clause */
/* transfer.h: moving pages from one content to another (transfer.c). Lock: the kernel lock. */
#pragma once
#include "vm/cursor.h"

/* What src has at its page becomes dst's, if that has nothing there; then src reads as zero. *ref: what dst has there now;
 * *fresh: that was put there just now. Nothing maps what dst has no page for. VM_AGAIN: make the same call again, also
 * when it was put there already; NO_MEMORY, BAD_STATE (account): nothing has changed. */
sys_status_t transfer_page(struct vmo *dst, u64 page, struct vmo *src, u64 src_page, struct page_ref *ref, bool *fresh);
/* v has nothing at this page any more, and reads as zero there. As above. */
sys_status_t transfer_drop(struct vmo *v, u64 page);
/* sys_vmo_transfer_data. done (in/out): bytes already moved, kept by the caller over VM_AGAIN and SHOULD_WAIT; 0 at first.
 * INVALID_ARGS, OUT_OF_RANGE, BAD_STATE, NOT_SUPPORTED, NO_MEMORY (what was moved by then stays moved), and what a read of
 * src gives. */
sys_status_t vmo_transfer(struct vmo *dst, u32 options, u64 offset, u64 len, struct vmo *src, u64 src_offset, u64 *done,
                          struct page_wait *w);
