/* SPDX-License-Identifier: BSD-2-Clause */
/* check.h: the walkers of all layers, together. */
#pragma once

#define CHECK_EVERY 4096u               /* system calls between two runs, in a debug kernel */

/* Every invariant that a walker knows (design.md 9), over everything that lives; panics at the first that does not hold. */
void check_all(void);
#ifdef VELLUM_DEBUG
void check_sometimes(void);
#else
static inline void check_sometimes(void) { }
#endif
