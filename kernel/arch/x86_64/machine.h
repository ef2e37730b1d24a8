/* SPDX-License-Identifier: BSD-2-Clause */
/* machine.h: the inline part of arch.h for x86-64. */
#pragma once
#include "arch/x86_64/layout.h"
#include "lib/types.h"

/* A user context's registers. The last five words are the frame that the CPU pushes itself: the kernel's stack
 * pointer for traps from user mode (TSS.rsp0) is the end of the current context's registers. fs_base and gs_base are
 * what the kernel set: a program cannot change its own (CR4.FSGSBASE is off). rcx and r11 are not saved when the
 * context came by syscall. */
struct regs { u64 REGISTERS; };

struct arch_context {
	struct regs regs;                       /* first: entry.S */
	paddr_t root;
	_Alignas(64) u8 fpu[FPU_SIZE];          /* XSAVE area (standard form) or FXSAVE area */
};

static inline void *phys_to_virt(paddr_t p) { return (void *)(p + PHYSMAP_BASE); }
/* Only for addresses inside the physmap, that is: all but the kernel's image. */
static inline paddr_t virt_to_phys(const void *v) { return (paddr_t)v - PHYSMAP_BASE; }

/* This CPU's number, and what the layers above have of it. */
static inline unsigned arch_cpu(void)
{
	unsigned number;
	__asm__ ("movl %%gs:%c1, %0" : "=r"(number) : "i"(CPU_NUMBER));
	return number;
}
#define ARCH_CPU_AREA_SIZE (CPU_SIZE - CPU_AREA)
#define ARCH_THIS(type) ((__seg_gs type *)CPU_AREA)

/* Whether interrupts have noted something that nobody has taken. */
static inline bool arch_is_pending(void)
{
	bool noted;
	__asm__ volatile ("cmpb $0, %%gs:%c1" : "=@ccne"(noted) : "i"(CPU_PENDING) : "memory");
	return noted;
}

/* The time stamp counter. */
static inline u64 arch_cycles(void)
{
	u32 low, high;
	__asm__ volatile ("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

/* ---- what pagetable.c needs of the MMU ----------------------------------------------------------------------- */
/* The root that CR3 holds, and the kernel's own root (frames of page tables). */
extern paddr_t mmu_kernel_root;
static inline paddr_t mmu_current_root(void)
{
	paddr_t root;
	__asm__ ("mov %%gs:%c1, %0" : "=r"(root) : "i"(CPU_ROOT));
	return root;
}
/* Without address-space identifiers the TLB holds user entries of the loaded root only. invlpg drops the upper
 * levels' cache too. */
static inline void mmu_flush_page(paddr_t root, vaddr_t va)
{
	if (root == mmu_current_root())
		__asm__ volatile ("invlpg (%0)" :: "r"(va) : "memory");
}
static inline void mmu_flush_all(paddr_t root)
{
	if (root == mmu_current_root())
		__asm__ volatile ("mov %0, %%cr3" :: "r"(root) : "memory");
}
/* entry.S' careful ways are in use, and whoever runs kernel code has the lock (lock.c). */
extern bool entries_careful;
/* Can another CPU have a root loaded? -DVELLUM_NO_SHOOTDOWN says no, for tests that must fail then. */
static inline bool mmu_shared(void)
{
#ifdef VELLUM_NO_SHOOTDOWN
	return false;
#else
	return unlikely(entries_careful);
#endif
}
/* Every other CPU that has this root loaded forgets its user translations; returns when they have. Kernel lock. */
void mmu_shootdown(paddr_t root);
