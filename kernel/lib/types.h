/* SPDX-License-Identifier: BSD-2-Clause */
/* types.h: the words every file of the kernel uses. Lowest header: includes nothing of the kernel's. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t  u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t  i64;
typedef uint64_t paddr_t;               /* a physical address */
typedef uint64_t vaddr_t;               /* a user virtual address: never dereferenced by the kernel */

#define PAGE_SHIFT 12u
#define PAGE_SIZE_ 4096ull
#define PAGE_MASK  (PAGE_SIZE_ - 1)

#define ARRAY_LEN(a)     (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)        ((a) < (b) ? (a) : (b))
#define MAX(a, b)        ((a) > (b) ? (a) : (b))
#define likely(x)        __builtin_expect(!!(x), 1)
#define unlikely(x)      __builtin_expect(!!(x), 0)
#define noreturn         _Noreturn
#define COLD             __attribute__((cold, noinline))         /* rare: made small, and out of the way of what is not */
#define BOOT             __attribute__((cold, section(".boot")))  /* boot alone runs it: gone afterwards, its memory too (kernel.ld) */
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

static inline bool page_aligned(u64 x) { return (x & PAGE_MASK) == 0; }

/* Rounds up to whole pages; the caller knows that x + PAGE_MASK does not wrap. */
static inline u64 page_up(u64 x) { return (x + PAGE_MASK) & ~PAGE_MASK; }
