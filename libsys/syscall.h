/* SPDX-License-Identifier: BSD-2-Clause */
/* syscall.h: how a call's arguments and results travel (kernel/abi/vellum/syscalls.def says which).
 * A stub fills a struct call by the inline functions below and makes it; all of them are inlined into the stub, so that
 * the structure lives in registers.
 */
#pragma once
#include <vellum/abi.h>

/* NR_<call>: the numbers, from the table. */
enum {
#define SYSCALL(number, name, tuples, errors, flags) NR_##name = number,
#define SYSCALL_HAND SYSCALL
#include <vellum/syscalls.def>
#undef SYSCALL
#undef SYSCALL_HAND
};

enum { CALL_ARGS = 10, CALL_RESULTS = 7, CALL_NARROW_ARGS = 6 };
#define CALL_NO_PLACE (1ull << 31)      /* in the number: the caller's place for results is not usable */
#define CALL_USER_END 0x00007ffffffff000ull

struct call {
	uint64_t number;
	uint64_t arg[CALL_ARGS], result[CALL_RESULTS];
	unsigned args, results;         /* arguments placed, results taken */
};

#define CALL_INLINE static inline __attribute__((always_inline))

CALL_INLINE void call_put(struct call *c, uint64_t value)
{
	c->arg[c->args++] = value;
}

/* A place that cannot be memory: page 0, or not wholly below the end of user space. */
CALL_INLINE bool call_bad_place(const void *place, size_t size)
{
	return (uintptr_t)place < SYS_PAGE_SIZE || (uintptr_t)place > CALL_USER_END - size;
}

CALL_INLINE void call_check_place(struct call *c, const void *place, size_t size)
{
	if (__builtin_expect(call_bad_place(place, size), 0))
		c->number |= CALL_NO_PLACE;
}

/* Up to six arguments and five results; makes the call and returns rax. */
CALL_INLINE int64_t call_make(struct call *c)
{
	register uint64_t rax __asm__("rax") = c->number;
	register uint64_t rdi __asm__("rdi") = c->arg[0];
	register uint64_t rsi __asm__("rsi") = c->arg[1];
	register uint64_t rdx __asm__("rdx") = c->arg[2];
	register uint64_t r10 __asm__("r10") = c->arg[3];
	register uint64_t r8 __asm__("r8") = c->arg[4];
	register uint64_t r9 __asm__("r9") = c->arg[5];

	__asm__ volatile("syscall"
		: "+r"(rax), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10), "+r"(r8), "+r"(r9)
		: : "rcx", "r11", "memory");
	c->result[0] = rdx;
	c->result[1] = r8;
	c->result[2] = r9;
	c->result[3] = r10;
	c->result[4] = rdi;
	return (int64_t)rax;
}

/* The last four arguments' registers, loaded. */
#define CALL_WIDE(c) \
	register uint64_t rax __asm__("rax") = (c)->number; \
	register uint64_t rdi __asm__("rdi") = (c)->arg[0]; \
	register uint64_t rsi __asm__("rsi") = (c)->arg[1]; \
	register uint64_t rdx __asm__("rdx") = (c)->arg[2]; \
	register uint64_t r10 __asm__("r10") = (c)->arg[3]; \
	register uint64_t r8 __asm__("r8") = (c)->arg[4]; \
	register uint64_t r9 __asm__("r9") = (c)->arg[5]; \
	register uint64_t r12 __asm__("r12") = (c)->arg[6]; \
	register uint64_t r13 __asm__("r13") = (c)->arg[7]; \
	register uint64_t r14 __asm__("r14") = (c)->arg[8]; \
	register uint64_t r15 __asm__("r15") = (c)->arg[9]

/* All ten arguments, three results. */
CALL_INLINE int64_t call_make_wide(struct call *c)
{
	CALL_WIDE(c);
	__asm__ volatile("syscall"
		: "+r"(rax), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10), "+r"(r8), "+r"(r9)
		: "r"(r12), "r"(r13), "r"(r14), "r"(r15) : "rcx", "r11", "memory");
	c->result[0] = rdx;
	c->result[1] = r8;
	c->result[2] = r9;
	return (int64_t)rax;
}

/* A message's address in rsi, which the kernel keeps; the results are a badge, a label, a header, and four words. */
CALL_INLINE int64_t call_make_message(struct call *c)
{
	CALL_WIDE(c);
	__asm__ volatile("syscall"
		: "+r"(rax), "+r"(rdi), "+r"(rdx), "+r"(r10), "+r"(r8), "+r"(r9), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)
		: "r"(rsi) : "rcx", "r11", "memory");
	c->result[0] = rdx;
	c->result[1] = r8;
	c->result[2] = r9;
	c->result[3] = r12;
	c->result[4] = r13;
	c->result[5] = r14;
	c->result[6] = r15;
	return (int64_t)rax;
}

/* The same for a call that brings no label and no words. */
CALL_INLINE int64_t call_make_receive(struct call *c)
{
	register uint64_t rax __asm__("rax") = c->number;
	register uint64_t rdi __asm__("rdi") = c->arg[0];
	register uint64_t rsi __asm__("rsi") = c->arg[1];
	register uint64_t rdx __asm__("rdx") = c->arg[2];
	register uint64_t r10 __asm__("r10") = c->arg[3];
	register uint64_t r9 __asm__("r9") = c->arg[5];
	register uint64_t r8 __asm__("r8");
	register uint64_t r12 __asm__("r12");
	register uint64_t r13 __asm__("r13");
	register uint64_t r14 __asm__("r14");
	register uint64_t r15 __asm__("r15");

	__asm__ volatile("syscall"
		: "+r"(rax), "+r"(rdi), "+r"(rdx), "+r"(r10), "=r"(r8), "+r"(r9), "=r"(r12), "=r"(r13), "=r"(r14), "=r"(r15)
		: "r"(rsi) : "rcx", "r11", "memory");
	c->result[0] = rdx;
	c->result[1] = r8;
	c->result[2] = r9;
	c->result[3] = r12;
	c->result[4] = r13;
	c->result[5] = r14;
	c->result[6] = r15;
	return (int64_t)rax;
}

/* The next result, in the order of the table. */
CALL_INLINE uint64_t call_take(struct call *c)
{
	return c->result[c->results++];
}
