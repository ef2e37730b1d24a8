/* SPDX-License-Identifier: BSD-2-Clause */
/* check.h: the walkers of all layers, together. A debug kernel runs them on the way into system calls and when an account has been revoked (a process
 * ended); as they look at everything that lives, they take a fixed share of the time at most. */
#pragma once

#define CHECK_SHARE 4u                  /* a run is followed by so many times as long without one */

/* Every invariant that a walker knows (docs/architecture.md, "What must always hold"), over everything that lives; panics at the first that does not hold. */
void check_all(void);
#ifdef VELLUM_DEBUG
/* The same, if it is time. */
void check_sometimes(void);
#else
static inline void check_sometimes(void) { }
#endif
