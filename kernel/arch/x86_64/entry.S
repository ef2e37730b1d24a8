/* SPDX-License-Identifier: BSD-2-Clause */
/* entry.S: the ways into the kernel and out of it.
 *
 * In user mode %gs is the user's; in the kernel it is the CPU's block (struct cpu). User registers go straight into
 * the current context: `syscall` finds it by %gs, traps from user mode start on its end (TSS.rsp0), so the CPU
 * pushes its frame in place. Then the kernel runs on the CPU's own stack, from its top, with interrupts off; what it
 * returns is the context to leave into. Traps in kernel mode push the same struct regs on the stack in use. NMI,
 * double fault and machine check have stacks of their own (IST) and never return, so nothing of the interrupted
 * state needs to be sound.
 *
 * Everything is there twice: plain, where one CPU runs and has nothing to take, and careful (lock.c), where the
 * kernel lock is taken in C on the way in and given back here on the way out, when all that another CPU could ask
 * for is in memory: FPU state, page-table root, who is current. lock.c says which one is in use.
 */
#include "arch/x86_64/layout.h"

#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define TRAPS_WITH_ERROR 0x60227d00             /* a bit for each vector: 8, 10-14, 17, 21, 29, 30 */

	.set offset, 0
	.irp name, REGISTERS
	.set R_\name, offset
	.set offset, offset + 8
	.endr

	.text

/* ---- syscall ------------------------------------------------------------------------------------------------- */
	.macro save_syscall_registers           /* rcx: user's rip, r11: its rflags; the flags are clean (MSR_FMASK) */
	swapgs
	movq %rsp, %gs:CPU_USER_RSP
	movq %gs:CPU_CURRENT, %rsp
	movq %rdi, R_rdi(%rsp)
	movq %rsi, R_rsi(%rsp)
	movq %rdx, R_rdx(%rsp)
	movq %r10, R_r10(%rsp)
	movq %r8, R_r8(%rsp)
	movq %r9, R_r9(%rsp)
	movq %r12, R_r12(%rsp)
	movq %r13, R_r13(%rsp)
	movq %r14, R_r14(%rsp)
	movq %r15, R_r15(%rsp)
	movq %rax, R_rax(%rsp)
	movq %rbx, R_rbx(%rsp)
	movq %rbp, R_rbp(%rsp)
	movq %rcx, R_rip(%rsp)
	movq %r11, R_rflags(%rsp)
	movq %gs:CPU_USER_RSP, %rcx
	movq %rcx, R_rsp(%rsp)
	movq $VECTOR_SYSCALL, R_vector(%rsp)
	movq %rsp, %rdi
	movq %gs:CPU_STACK, %rsp
	xorl %ebp, %ebp
	.endm

/* ---- out: rax is the context to leave into ------------------------------------------------------------------- */
	.macro way_out again, careful
	movq %rax, %rbx
	cmpq %rbx, %gs:CPU_CURRENT
	je 5f

	/* Make it the current context: address space, segment bases, FPU. */
	movq %rbx, %gs:CPU_CURRENT
	leaq R_SIZE(%rbx), %rcx
	movq %rcx, %gs:CPU_RSP0
	movq C_ROOT(%rbx), %rcx
	cmpq %gs:CPU_ROOT, %rcx
	je 1f
	movq %rcx, %gs:CPU_ROOT
	movq %rcx, %cr3
1:	movl $MSR_FS_BASE, %ecx                 /* always: loading a selector, a program can zero what is there */
	movl R_fs_base(%rbx), %eax
	movl R_fs_base + 4(%rbx), %edx
	wrmsr
	movq R_gs_base(%rbx), %rdx                   /* almost always 0, before and after */
	orq %gs:CPU_GS, %rdx
	jnz 3f
2:	movq %gs:CPU_FPU, %rcx                  /* whose state is in the registers; nobody's has a place too */
	cmpq %rcx, %rbx
	je 5f
	movq %rbx, %gs:CPU_FPU
	cmpb $0, %gs:CPU_XSAVE
	je 4f
	orl $-1, %eax                           /* all that XCR0 names */
	orl $-1, %edx
	xsave64 C_FPU(%rcx)
	xrstor64 C_FPU(%rbx)

5:	cmpq $VECTOR_SYSCALL, R_vector(%rbx)    /* rbx is current */
	jne 6f
	.if \careful
	movl $0, kernel_lock + LOCK_HOLDER(%rip)
	.endif
	movq R_rip(%rbx), %rcx                  /* canonical: it came by `syscall`, from below the last page, which is never mapped */
	movq R_rflags(%rbx), %r11
	movq R_rdi(%rbx), %rdi
	movq R_rsi(%rbx), %rsi
	movq R_rdx(%rbx), %rdx
	movq R_r10(%rbx), %r10
	movq R_r8(%rbx), %r8
	movq R_r9(%rbx), %r9
	movq R_r12(%rbx), %r12
	movq R_r13(%rbx), %r13
	movq R_r14(%rbx), %r14
	movq R_r15(%rbx), %r15
	movq R_rax(%rbx), %rax
	movq R_rbp(%rbx), %rbp
	movq R_rsp(%rbx), %rsp
	movq R_rbx(%rbx), %rbx
	swapgs
	sysretq

6:	movq R_rip(%rbx), %rcx
	shrq $47, %rcx
	jnz 7f
	.if \careful
	movl $0, kernel_lock + LOCK_HOLDER(%rip)
	.endif
	movq %rbx, %rsp
	swapgs
	pop_registers
	iretq

3:	movq R_gs_base(%rbx), %rax
	movq %rax, %gs:CPU_GS
	movq %rax, %rdx
	shrq $32, %rdx
	movl $MSR_KERNEL_GS_BASE, %ecx
	wrmsr
	jmp 2b

4:	fxsave64 C_FPU(%rcx)
	fxrstor64 C_FPU(%rbx)
	jmp 5b

7:	movq %rbx, %rdi                         /* no address for a program: its own general protection fault */
	movl $13, %esi
	xorl %edx, %edx
	call kernel_exception
	jmp \again
	.endm

	.macro push_registers
	subq $R_vector - R_fs_base, %rsp             /* fs_base and gs_base stay */
	pushq %r11
	pushq %rcx
	pushq %rbp
	pushq %rbx
	pushq %rax
	pushq %r15
	pushq %r14
	pushq %r13
	pushq %r12
	pushq %r9
	pushq %r8
	pushq %r10
	pushq %rdx
	pushq %rsi
	pushq %rdi
	.endm

	.macro pop_registers
	popq %rdi
	popq %rsi
	popq %rdx
	popq %r10
	popq %r8
	popq %r9
	popq %r12
	popq %r13
	popq %r14
	popq %r15
	popq %rax
	popq %rbx
	popq %rbp
	popq %rcx
	popq %r11
	addq $R_rip - R_fs_base, %rsp
	.endm

	.globl syscall_entry, syscall_entry_careful
	.balign 64
syscall_entry:
	save_syscall_registers
	call kernel_syscall
leave:
	way_out leave, 0

	.balign 64
syscall_entry_careful:
	save_syscall_registers
	call syscall_careful
leave_careful:
	way_out leave_careful, 1

/* noreturn void arch_leave(struct arch_context *) */
	.globl arch_leave
arch_leave:
	movq %rdi, %rax
	movq %gs:CPU_STACK, %rsp
	xorl %ebp, %ebp
	cmpb $0, entries_careful(%rip)
	je leave
	jmp leave_careful

/* ---- traps --------------------------------------------------------------------------------------------------- */
	.macro trap_stub vector, target
	.if \vector >= 32 || ((TRAPS_WITH_ERROR >> (\vector & 31)) & 1) == 0
	pushq $0                                /* the CPU pushes no error code */
	.endif
	pushq $\vector
	jmp \target
	.balign TRAP_STUB_SIZE
	.endm

	/* Exceptions, then the interrupts of INTERRUPT_VECTORS (layout.h), in that order. */
	.macro trap_table target
	.set vector, 0
	.rept VECTOR_STUBS
	.if vector == 2 || vector == 8 || vector == 18
	trap_stub vector, trap_ist
	.else
	trap_stub vector, \target
	.endif
	.set vector, vector + 1
	.endr
	.irp vector, INTERRUPT_VECTORS
	trap_stub \vector, \target
	.endr
	trap_stub VECTOR_IPI, trap_ipi
	.endm

	.globl trap_stubs, trap_stubs_careful
	.balign TRAP_STUB_SIZE
trap_stubs:
	trap_table trap_common
trap_stubs_careful:
	trap_table trap_common_careful

	/* Saves the registers; from user mode, takes the CPU's stack. */
	.macro enter_trap
	push_registers
	testb $3, R_cs(%rsp)
	jz trap_in_kernel
	swapgs
	movq %rsp, %rdi
	movq %gs:CPU_STACK, %rsp
	pushq $2                                /* no flag of the user's: AC, DF, NT */
	popfq
	xorl %ebp, %ebp
	.endm

	.balign 64
trap_common:
	enter_trap
	call trap_user
	jmp leave

	.balign 64
trap_common_careful:
	enter_trap
	call trap_user_careful
	jmp leave_careful

/* Another CPU asks for something: what can be answered without the lock, is, and the context goes on. */
trap_ipi:
	enter_trap
	call trap_user_ipi
	testq %rax, %rax
	jnz leave_careful
	movq %gs:CPU_CURRENT, %rsp
	swapgs
	pop_registers
	iretq

trap_in_kernel:
	movq %rsp, %rdi
	cld
	call trap_kernel                        /* returns from interrupts only */
	pop_registers
	iretq

/* The CPU's block stands above the frame, since %gs may still be the user's. */
trap_ist:
	push_registers
	movl R_SIZE(%rsp), %eax
	movl R_SIZE + 4(%rsp), %edx
	movl $MSR_GS_BASE, %ecx
	wrmsr
	pushq $2
	popfq
	movq %rsp, %rdi
	call trap_fatal
	.section .note.GNU-stack, "", @progbits
