/* SPDX-License-Identifier: BSD-2-Clause */
/* print.h: formatted text on the console, piece by piece: no limit on the length.
 *
 * Understood: %s, %d, and %u, %x, %lu, %lx, which may have a width, to be filled with zeros (%016lx). Nothing else: of an
 * unknown directive only the per cent sign is one.
 */
#pragma once
#include <stdarg.h>
#include "lib/types.h"

void kprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void kvprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
