/* SPDX-License-Identifier: BSD-2-Clause */
/* crt0.S: where a program's first thread begins: rdi = its startup block, SSE usable. Nothing called it. */
	.section .text._start, "ax", @progbits
	.globl _start
	.type _start, @function
_start:
	.cfi_startproc
	.cfi_undefined rip
	xor %ebp, %ebp
	and $-16, %rsp
	call libsys_start
	ud2
	.cfi_endproc
	.size _start, . - _start

	.section .note.GNU-stack, "", @progbits
