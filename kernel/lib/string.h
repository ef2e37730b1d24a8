/* SPDX-License-Identifier: BSD-2-Clause */
/* string.h: bytes and strings, as C defines them. The host build uses its own C library's. */
#pragma once
#ifdef VELLUM_HOST
#include <string.h>
#else
#include "lib/types.h"

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int   memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int   strcmp(const char *a, const char *b);
int   strncmp(const char *a, const char *b, size_t n);
#endif
