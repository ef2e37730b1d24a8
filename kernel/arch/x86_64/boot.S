/* SPDX-License-Identifier: BSD-2-Clause */
/* boot.S: from a boot loader (multiboot2, or PVH as QEMU's -kernel does) to arch_boot() in long mode.
 *
 * Both loaders enter in 32-bit protected mode without paging, interrupts off, with flat segments. The tables made
 * here map the first 4 GiB three times with 2 MiB pages: at 0 (for the step into paging), at PHYSMAP_BASE, and (its
 * start) at KERNEL_BASE. boot_memory.c replaces them. Symbols are linked high: P() is where they are now.
 */
#define ASM_FILE
#include <multiboot2.h>
#include "arch/x86_64/layout.h"

#define P(symbol) ((symbol) - KERNEL_BASE)

#define CR0_PE (1 << 0)
#define CR0_WP (1 << 16)
#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define MSR_EFER 0xc0000080
#define EFER_LME (1 << 8)
#define EFER_NXE (1 << 11)
#define CPUID_LM (1 << 29)
#define CPUID_NX (1 << 20)
#define EFLAGS_ID (1 << 21)
#define COM1 0x3f8

	.section .multiboot2, "a", @progbits
	.balign MULTIBOOT_HEADER_ALIGN
header:
	.long MULTIBOOT2_HEADER_MAGIC, MULTIBOOT2_ARCHITECTURE_I386, header_end - header
	.long -(MULTIBOOT2_HEADER_MAGIC + MULTIBOOT2_ARCHITECTURE_I386 + (header_end - header))

	.balign MULTIBOOT_TAG_ALIGN
1:	.short MULTIBOOT_HEADER_TAG_INFORMATION_REQUEST, 0
	.long 2f - 1b
	.long MULTIBOOT_TAG_TYPE_CMDLINE, MULTIBOOT_TAG_TYPE_BOOT_LOADER_NAME
	.long MULTIBOOT_TAG_TYPE_MODULE, MULTIBOOT_TAG_TYPE_MMAP
2:	.balign MULTIBOOT_TAG_ALIGN
	.short MULTIBOOT_HEADER_TAG_MODULE_ALIGN, 0
	.long 8
	.balign MULTIBOOT_TAG_ALIGN
	.short MULTIBOOT_HEADER_TAG_ENTRY_ADDRESS, 0
	.long 12, P(boot_multiboot2)
	.balign MULTIBOOT_TAG_ALIGN
	.short MULTIBOOT_HEADER_TAG_END, 0
	.long 8
header_end:

	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, 18                          /* name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long P(boot_pvh)

	.section .early, "aw", @nobits
	.balign 4096
early_root: .skip 4096
early_pdpt: .skip 4096
early_pds:  .skip 4 * 4096

	.section .rodata
	.balign 8
early_gdt:
	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
early_gdtr:
	.short . - early_gdt - 1
	.long P(early_gdt)
no_long_mode: .asciz "vellum: PANIC: this CPU lacks 64-bit long mode\r\n"
no_nx:        .asciz "vellum: PANIC: this CPU lacks NX (no-execute pages)\r\n"
bochs_end:    .asciz "Shutdown"

	.section .boot, "ax", @progbits
	.code32
	.globl boot_multiboot2, boot_pvh
boot_multiboot2:
	movl %eax, %esi                         /* the loader's magic number */
	rdtsc
	jmp boot_common
boot_pvh:
	rdtsc
	movl $BOOT_BY_PVH, %esi
boot_common:
	cld
	cli
	movl $P(cpu0_stacks + 4096 + STACK_SIZE), %esp
	pushl %edx                              /* what arch_boot() wants: time stamp, */
	pushl %eax
	pushl %ebx                              /* loader's information, */
	pushl %esi                              /* its magic number */

	pushfl                                  /* is there CPUID? */
	popl %eax
	movl %eax, %ecx
	xorl $EFLAGS_ID, %eax
	pushl %eax
	popfl
	pushfl
	popl %eax
	cmpl %eax, %ecx
	movl $P(no_long_mode), %esi
	je boot_fail
	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb boot_fail
	movl $0x80000001, %eax
	cpuid
	testl $CPUID_LM, %edx
	jz boot_fail
	movl $P(no_nx), %esi
	testl $CPUID_NX, %edx
	jz boot_fail

	movl $P(early_pds), %edi                /* 2048 pages of 2 MiB */
	movl $0x83, %eax
	movl $2048, %ecx
1:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	decl %ecx
	jnz 1b
	movl $P(early_pds) + 3, %eax
	movl $P(early_pdpt), %edi
	movl %eax, 510 * 8(%edi)
	movl $4, %ecx
2:	movl %eax, (%edi)
	addl $4096, %eax
	addl $8, %edi
	decl %ecx
	jnz 2b
	movl $P(early_root), %edi
	movl $P(early_pdpt) + 3, %eax
	movl %eax, (%edi)
	movl %eax, 256 * 8(%edi)
	movl %eax, 511 * 8(%edi)

	movl %edi, %cr3
	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME | EFER_NXE, %eax
	wrmsr
	movl %cr0, %eax
	orl $CR0_PE | CR0_WP | CR0_PG, %eax
	movl %eax, %cr0
	lgdt P(early_gdtr)
	ljmp $SEL_KERNEL_CODE, $P(boot_long)

/* Prints the text at %esi, and ends the machine as failed. */
boot_fail:
	movw $COM1 + 5, %dx
	movl $65536, %ecx
1:	inb %dx, %al
	testb $0x20, %al
	jnz 2f
	decl %ecx
	jnz 1b
2:	lodsb
	movw $COM1, %dx
	testb %al, %al
	jz 3f
	outb %al, %dx
	jmp boot_fail
3:	movw $0xf4, %dx
	movl $255, %eax
	outl %eax, %dx
	movl $P(bochs_end), %esi
	movw $0x8900, %dx
4:	lodsb
	outb %al, %dx
	testb %al, %al
	jnz 4b
5:	cli
	hlt
	jmp 5b

	.code64
boot_long:
	movq $boot_high, %rax
	jmp *%rax
boot_high:
	movl $SEL_KERNEL_DATA, %eax
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movq $cpu0_stacks + 4096 + STACK_SIZE, %rsp
	movl -16(%rsp), %edi
	movl -12(%rsp), %esi
	movq -8(%rsp), %rdx
	call arch_boot
	.section .note.GNU-stack, "", @progbits
