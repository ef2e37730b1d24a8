/* SPDX-License-Identifier: BSD-2-Clause */
/* trampoline.S: from a start-up interrupt to smp_entry(): what CPUs other than the first run before they run C.
 *
 * smp.c copies trampoline_start .. trampoline_end to a page below 1 MiB and fills in the three addresses. The CPU
 * begins there in real mode, at offset 0 of that page's segment, and steps into long mode at once, on a root that has
 * this page at its own address besides the kernel's half (boot_low_root). It writes nothing.
 */
#include "arch/x86_64/layout.h"

#define CR0_PE (1 << 0)
#define CR0_WP (1 << 16)
#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define EFER_NXE (1 << 11)
#define HERE(symbol) ((symbol) - trampoline_start)

	.section .rodata
	.balign 16
	.globl trampoline_start, trampoline_end, trampoline_gdtr, trampoline_gdt, trampoline_far, trampoline_long, trampoline_root
	.code16
trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	lgdtl HERE(trampoline_gdtr)
	movl $CR4_PAE, %eax
	movl %eax, %cr4
	movl HERE(trampoline_root), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME | EFER_NXE, %eax
	wrmsr
	movl %cr0, %eax
	orl $CR0_PE | CR0_WP | CR0_PG, %eax
	movl %eax, %cr0
	ljmpl *HERE(trampoline_far)

	.code64
trampoline_long:
	movl $SEL_KERNEL_DATA, %eax
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movabsq $smp_begin, %rax
	jmp *%rax

	.balign 8
trampoline_gdt:                                 /* the kernel's selectors */
	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
trampoline_gdtr:
	.short . - trampoline_gdt - 1
	.long 0                                 /* trampoline_gdt's address */
	.balign 4
trampoline_far:
	.long 0                                 /* trampoline_long's */
	.short SEL_KERNEL_CODE
	.balign 4
trampoline_root:
	.long 0
trampoline_end:

/* Takes the block that is offered. One that comes when nothing is, too late, stays here. */
	.text
smp_begin:
	xorl %edi, %edi
	xchgq %rdi, smp_offer(%rip)
	testq %rdi, %rdi
	jz smp_halt
	movq CPU_STACK(%rdi), %rsp
	call smp_entry

/* noreturn void smp_halt(void): for ever, without its stack. */
	.globl smp_halt
smp_halt:
	cli
	hlt
	jmp smp_halt
	.section .note.GNU-stack, "", @progbits
