/* SPDX-License-Identifier: BSD-2-Clause */
/* calltable.c: see calltable.h. The preprocessor makes one entry of each line; nothing is declared here. */
#include "calltable.h"

#define TYPE_ANY          UINT32_MAX
#define TYPE_UNTYPED      (1u << SYS_TYPE_UNTYPED)
#define TYPE_CNODE        (1u << SYS_TYPE_CNODE)
#define TYPE_THREAD       (1u << SYS_TYPE_THREAD)
#define TYPE_ENDPOINT     (1u << SYS_TYPE_ENDPOINT)
#define TYPE_NOTIFICATION (1u << SYS_TYPE_NOTIFICATION)
#define TYPE_REPLY        (1u << SYS_TYPE_REPLY)
#define TYPE_VMO          (1u << SYS_TYPE_VMO)
#define TYPE_VMAR         (1u << SYS_TYPE_VMAR)
#define TYPE_PAGER        (1u << SYS_TYPE_PAGER)
#define TYPE_PIN          (1u << SYS_TYPE_PIN)
#define TYPE_RESOURCE     (1u << SYS_TYPE_RESOURCE)
#define TYPE_IRQ          (1u << SYS_TYPE_IRQ)
#define TYPE_IOPORT       (1u << SYS_TYPE_IOPORT)
#define TYPE_CONSOLE      (1u << SYS_TYPE_CONSOLE)

#define WAITS 1
#define LATER 2

/* EACH(m, (a, b, ...)): m(a) m(b) ..., up to ten. */
#define UNWRAP(...) __VA_ARGS__
#define EACH_0(m)
#define EACH_1(m, a) m(a)
#define EACH_2(m, a, ...) m(a) EACH_1(m, __VA_ARGS__)
#define EACH_3(m, a, ...) m(a) EACH_2(m, __VA_ARGS__)
#define EACH_4(m, a, ...) m(a) EACH_3(m, __VA_ARGS__)
#define EACH_5(m, a, ...) m(a) EACH_4(m, __VA_ARGS__)
#define EACH_6(m, a, ...) m(a) EACH_5(m, __VA_ARGS__)
#define EACH_7(m, a, ...) m(a) EACH_6(m, __VA_ARGS__)
#define EACH_8(m, a, ...) m(a) EACH_7(m, __VA_ARGS__)
#define EACH_9(m, a, ...) m(a) EACH_8(m, __VA_ARGS__)
#define EACH_10(m, a, ...) m(a) EACH_9(m, __VA_ARGS__)
#define EACH_PICK(_, a, b, c, d, e, f, g, h, i, j, name, ...) name
#define EACH_OF(m, ...) \
	EACH_PICK(_ __VA_OPT__(,) __VA_ARGS__, EACH_10, EACH_9, EACH_8, EACH_7, EACH_6, EACH_5, EACH_4, EACH_3, EACH_2, \
		  EACH_1, EACH_0)(m __VA_OPT__(,) __VA_ARGS__)
#define EACH_CALL(m, ...) EACH_OF(m, __VA_ARGS__)
#define EACH(m, list) EACH_CALL(m, UNWRAP list)

#define ENTRY(tuple) ENTRY_1(UNWRAP tuple)
#define ENTRY_1(...) ENTRY_2(__VA_ARGS__)
#define ENTRY_2(kind, ...) ENTRY_##kind(__VA_ARGS__)
#define ENTRY_CAP(what, kinds, ...) {ARGUMENT_CAP, false, TYPE_##kinds, #what, NULL},
#define ENTRY_CAPO(what, kinds, ...) {ARGUMENT_CAP, true, TYPE_##kinds, #what, NULL},
#define ENTRY_CAPX ENTRY_CAP
#define ENTRY_IN(type, what) {ARGUMENT_IN, false, 0, #what, #type},
#define ENTRY_OUT(type, what) {ARGUMENT_OUT, false, 0, #what, #type},
#define ONE(tuple) + 1

#define SYSCALL(number, call, tuples, errors, flags) \
	[number] = {#call, ((flags) & LATER) != 0, ((flags) & WAITS) != 0, 0 EACH(ONE, tuples), {EACH(ENTRY, tuples)}},
#define SYSCALL_HAND SYSCALL

const struct call_line call_table[CALL_NUMBERS] = {
#include <vellum/syscalls.def>
};

/* rdi: the number, rsi: the arguments, rdx: where the result goes. */
__asm__(".pushsection .text.call_raw,\"ax\",@progbits\n"
	".globl call_raw\n"
	".type call_raw,@function\n"
	"call_raw:\n"
	"	pushq %rbx\n"
	"	pushq %rbp\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rdx, %rbx\n"
	"	movq %rsi, %rbp\n"
	"	movq %rdi, %rax\n"
	"	movq 0(%rbp), %rdi\n"
	"	movq 8(%rbp), %rsi\n"
	"	movq 16(%rbp), %rdx\n"
	"	movq 24(%rbp), %r10\n"
	"	movq 32(%rbp), %r8\n"
	"	movq 40(%rbp), %r9\n"
	"	movq 48(%rbp), %r12\n"
	"	movq 56(%rbp), %r13\n"
	"	movq 64(%rbp), %r14\n"
	"	movq 72(%rbp), %r15\n"
	"	syscall\n"
	"	movq %rdx, (%rbx)\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbp\n"
	"	popq %rbx\n"
	"	ret\n"
	".size call_raw, . - call_raw\n"
	".popsection\n");
