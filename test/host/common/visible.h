/* SPDX-License-Identifier: BSD-2-Clause */
/* visible.h: all that programs can see of the kernel's state, as text: accounts, objects, what is in each slot,
 * contents, layouts. Two such texts before and after a call that failed must be the same. Left out: peaks of accounts, which tell
 * the truth about a moment within the call, the number of free frames, since a node of content may have become unshared
 * on the way, and what the caller's registers hold. */
#pragma once
#include "common/kernel.h"

struct visible { u32 length; char text[200000]; };
/* Walks everything; the walkers run before. */
void visible_note(struct visible *v);
/* Both are the same; else fails with the first line that differs, and `what`. */
void visible_compare(const struct visible *before, const struct visible *after, const char *what);
