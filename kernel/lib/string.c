/* SPDX-License-Identifier: BSD-2-Clause */
/* string.c: see string.h. Written for few instructions: a page is one `rep` of 512 words, a small copy has no loop.
 *
 * The barriers in the loops keep the compiler from recognising them as the very functions that they implement.
 */
#include "lib/string.h"

#define BARRIER() __asm__ volatile ("" ::: "memory")

/* Words at any address. */
struct word64 { u64 v; } __attribute__((packed, may_alias));
struct word32 { u32 v; } __attribute__((packed, may_alias));
struct word16 { u16 v; } __attribute__((packed, may_alias));
#define W64(p) (((struct word64 *)(p))->v)
#define W32(p) (((struct word32 *)(p))->v)
#define W16(p) (((struct word16 *)(p))->v)

/* Fewer than 8 bytes: first and last word, which may overlap; both are read before either is written. */
static void copy_small(u8 *to, const u8 *from, size_t n)
{
	if (n >= 4) {
		u32 first = W32(from), last = W32(from + n - 4);
		W32(to) = first;
		W32(to + n - 4) = last;
	} else if (n >= 2) {
		u16 first = W16(from), last = W16(from + n - 2);
		W16(to) = first;
		W16(to + n - 2) = last;
	} else if (n) {
		*to = *from;
	}
}

/* Upwards; right for overlapping memory too where `to` lies below `from`. */
static inline void copy_up(u8 *to, const u8 *from, size_t n)
{
	u64 last = W64(from + n - 8), words = n / 8;
	u8 *end = to + n - 8;
	__asm__ volatile ("rep movsq" : "+D"(to), "+S"(from), "+c"(words) :: "memory");
	W64(end) = last;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	if (n >= 8)
		copy_up(to, from, n);
	else
		copy_small(to, from, n);
	return to;
}

static void copy_down(u8 *to, const u8 *from, size_t n)
{
	u64 first = W64(from);
	u8 *start = to;
	while (n >= 8) {
		n -= 8;
		W64(to + n) = W64(from + n);
		BARRIER();
	}
	W64(start) = first;
}

void *memmove(void *to, const void *from, size_t n)
{
	if (n < 8)
		copy_small(to, from, n);
	else if ((u64)to - (u64)from >= n)
		copy_up(to, from, n);
	else
		copy_down(to, from, n);
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	u64 word = (u8)byte * 0x0101010101010101ull, words = n / 8;
	u8 *at = to;
	if (n >= 8) {
		W64(at + n - 8) = word;
		__asm__ volatile ("rep stosq" : "+D"(at), "+c"(words) : "a"(word) : "memory");
	} else {
		for (; n; n--) {
			*at++ = (u8)byte;
			BARRIER();
		}
	}
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;
	for (; n && *p == *q; p++, q++)
		n--;
	return n ? *p - *q : 0;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;
	for (; n < max && s[n]; n++)
		BARRIER();
	return n;
}

size_t strlen(const char *s) { return strnlen(s, SIZE_MAX); }

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n && *a && *a == *b; a++, b++)
		n--;
	return n ? (u8)*a - (u8)*b : 0;
}

int strcmp(const char *a, const char *b) { return strncmp(a, b, SIZE_MAX); }
