/* SPDX-License-Identifier: BSD-2-Clause */
/* print.h: formatted text.
 *
 * Understood: %% %s %c %d %i %u %x %p, with l, ll or z before d, i, u, x; a width, `-` (to the left), `0` (zeros
 * before a number); a precision (`.N`, `.*`) for %s. Nothing else: an unknown directive is printed as it stands.
 */
#pragma once
#include <stdarg.h>
#include "lib/types.h"

/* To the console, piece by piece: no limit on the length. */
void kprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void kvprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
/* Into `to`, at most size bytes with the final zero (size > 0); returns the length that there would have been
 * without the limit. */
size_t ksnprintf(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
size_t kvsnprintf(char *to, size_t size, const char *format, va_list args) __attribute__((format(printf, 3, 0)));
