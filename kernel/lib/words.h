/* SPDX-License-Identifier: BSD-2-Clause */
/* words.h: looking through tables, which are mostly empty. */
#pragma once
#include "lib/types.h"

/* The first of word[first .. end) that is not 0, or end. Eight at a time, as far as they go. */
static inline unsigned words_zero(const u64 *word, unsigned first, unsigned end)
{
	unsigned i = first;

	while (i + 8 <= end && !(word[i] | word[i + 1] | word[i + 2] | word[i + 3] | word[i + 4] | word[i + 5] | word[i + 6] | word[i + 7]))
		i += 8;
	while (i < end && !word[i])
		i++;
	return i;
}
