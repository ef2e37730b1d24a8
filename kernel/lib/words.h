/* SPDX-License-Identifier: BSD-2-Clause */
/* words.h: tables, which are mostly empty or full of the same. */
#pragma once
#include "lib/types.h"

/* The first of word[first .. end) that is not `value`, or end; first <= end. */
static inline unsigned words_same(const u64 *word, u64 value, unsigned first, unsigned end)
{
	const u64 *at = word + first;
	u64 left = end - first;
	bool all;

	__asm__ ("cmp %[value], %[value]; repe scasq"   /* scasq does not set flags where none is left */
	         : "+D"(at), "+c"(left), "=@cce"(all) : [value] "a"(value) : "memory");
	return all ? end : (unsigned)(at - word) - 1;
}
static inline unsigned words_zero(const u64 *word, unsigned first, unsigned end) { return words_same(word, 0, first, end); }

static inline void words_fill(u64 *word, u64 value, u64 count)
{
	__asm__ volatile ("rep stosq" : "+D"(word), "+c"(count) : "a"(value) : "memory");
}
