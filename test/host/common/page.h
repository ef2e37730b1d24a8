/* SPDX-License-Identifier: BSD-2-Clause */
/* page.h: one page of a memory object, by a cursor of its own. */
#pragma once
#include "vm/cursor.h"

/* cursor_require() at this page, where the caller wants `run` pages. */
static inline sys_status_t page_require(struct vmo *v, u64 page, bool write, u64 run, unsigned retries, struct page_wait *w,
                                        struct page_ref *out)
{
	struct cursor c;
	cursor_begin(&c, v, page, page + run, retries, w);
	return cursor_require(&c, write, out);
}
