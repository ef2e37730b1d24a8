/* SPDX-License-Identifier: BSD-2-Clause */
/* engine.h: random operations on the kernel, each compared with an executable model of what it should do.
 *
 * One file of test/host/model is one subject: it defines `model`, makes its choices by choose() and chance() alone, and
 * says must() of all that it compares. The choices come from a generator with a seed (main.c) or are read from bytes
 * (test/fuzz), so what one has found the other can be made to do as well. A run goes in episodes, each on a fresh
 * machine with a seed of its own, so that whatever is found can be repeated at once. */
#pragma once
#include "common/kernel.h"

struct model {
	const char *name;
	u32 steps;                      /* of an episode */
	void (*start)(void);            /* a fresh machine, a model of it */
	void (*step)(void);             /* one operation; its results, and then all visible state, against the model */
	void (*walk)(void);             /* the walkers */
	void (*finish)(void);           /* everything ends; nothing may be left */
};
extern const struct model model;

/* A choice: 0 .. n - 1. When bytes have run out, always 0. */
u64 choose(u64 n);
bool chance(unsigned percent);

/* One episode with choices of a seed; the walkers run at every walk-th operation and at the end. */
void episode_seeded(u64 seed, u32 steps, unsigned walk);
/* One that ends with its bytes, or after so many operations. */
void episode_bytes(const u8 *bytes, size_t count, u32 steps);
/* must() prints what does not hold and aborts from now on: there is no Check around it. */
void episode_aborts(void);
