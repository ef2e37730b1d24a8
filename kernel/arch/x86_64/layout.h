/* SPDX-License-Identifier: BSD-2-Clause */
/* layout.h: addresses, offsets and selectors that C and assembly must agree on. The offsets are checked in descriptors.c. */
#pragma once

/* Where things are. The image is linked at KERNEL_BASE + its physical address and fits one page table (2 MiB), whose
 * last entry is the local APIC's. All RAM is mapped from PHYSMAP_BASE. */
#define KERNEL_BASE     0xffffffff80000000
#define KERNEL_PHYS     0x200000
#define PHYSMAP_BASE    0xffff800000000000
#define PHYSMAP_SIZE    0x8000000000            /* 512 GiB: one entry of the root */
#define APIC_WINDOW     0xffffffff803ff000
/* The stacks and the block of each CPU but the first, which is in the image (struct cpu_slot). */
#define CPU_WINDOW      0xffffffff80400000
#define CPU_SLOT        0x10000

/* Segments, in the order that syscall and sysret want. There is no 32-bit user code segment. */
#define SEL_KERNEL_CODE 0x08
#define SEL_KERNEL_DATA 0x10
#define SEL_USER_DATA   0x1b
#define SEL_USER_CODE   0x23
#define SEL_TSS         0x28

/* struct regs: its words, in order. entry.S makes an offset R_name of each. */
#define REGISTERS \
	rdi, rsi, rdx, r10, r8, r9, r12, r13, r14, r15, rax, rbx, rbp, rcx, r11, fs_base, gs_base, \
	vector, error, rip, cs, rflags, rsp, ss
#define R_SIZE   192
/* struct arch_context: the registers, then */
#define C_ROOT   192
#define C_FPU    256
#define FPU_SIZE 2048

/* struct cpu */
#define CPU_SELF      0
#define CPU_CURRENT   8
#define CPU_USER_RSP  16
#define CPU_STACK     24
#define CPU_FPU       32
#define CPU_ROOT      40
#define CPU_GS        48
#define CPU_XSAVE     56
#define CPU_PENDING   57
#define CPU_NUMBER    60
#define CPU_RSP0      68
#define CPU_AREA      512               /* what the layers above have of each CPU */
#define CPU_SIZE      8192
#define LOCK_HOLDER   0                 /* struct lock */

/* regs.vector */
#define VECTOR_PAGE_FAULT 14
#define VECTOR_STUBS      32        /* 0 .. 31: exceptions */
#define VECTOR_PIC        32        /* 32 .. 47: the 8259 pair */
#define VECTOR_SERIAL     36
#define VECTOR_SPURIOUS_A 39
#define VECTOR_SPURIOUS_B 47
#define VECTOR_TIMER      48
#define VECTOR_IPI        49        /* from another CPU: struct cpu's requests */
#define VECTOR_STRAY      254       /* any other that nobody asked for */
#define VECTOR_SPURIOUS   255
#define VECTOR_SYSCALL    256       /* no vector: the context came in by `syscall` */

/* Those that have stubs of their own, in the stubs' order, behind the exceptions and before VECTOR_IPI. */
#define INTERRUPT_VECTORS \
	VECTOR_SERIAL, VECTOR_SPURIOUS_A, VECTOR_SPURIOUS_B, VECTOR_TIMER, VECTOR_SPURIOUS, VECTOR_STRAY
#define TRAP_STUB_SIZE 16
#define BOOT_BY_PVH    0x50564821        /* in place of a loader's magic number */
#define STACK_SIZE     16384
#define IST_STACK_SIZE 8192
