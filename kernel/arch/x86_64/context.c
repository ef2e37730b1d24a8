/* SPDX-License-Identifier: BSD-2-Clause */
/* context.c: user contexts, and what a CPU holds of them outside their memory: FPU state, page-table root, segment bases. Only the CPU itself can
 * write that back, so another CPU's contexts are reached by arch_cpu_stop() (ipi.c). Kernel lock. */
#include "arch/x86_64/cpu.h"
#include "arch/pagetable.h"
#include "lib/assert.h"
#include "lib/string.h"

#define FLAGS_USER    0x202u            /* IF, and the bit that is always 1 */
#define FPU_INIT_SIZE 576               /* legacy area and XSAVE header; what the header does not name is initial */
#define FCW_INITIAL   0x37fu
#define MXCSR_INITIAL 0x1f80u

void arch_context_init(struct arch_context *c, paddr_t root)
{
	memset(&c->regs, 0, sizeof c->regs);
	c->regs.cs = SEL_USER_CODE;
	c->regs.ss = SEL_USER_DATA;
	c->regs.rflags = FLAGS_USER;
	c->root = root;
	memset(c->fpu, 0, FPU_INIT_SIZE);
	*(u16 *)c->fpu = FCW_INITIAL;
	*(u32 *)(c->fpu + 24) = MXCSR_INITIAL;
}

void arch_context_start(struct arch_context *c, u64 entry, u64 stack, u64 arg0, u64 arg1)
{
	c->regs.rip = entry;
	c->regs.rsp = stack;
	c->regs.rdi = arg0;
	c->regs.rsi = arg1;
	c->regs.vector = 0;                     /* leaves by iret, which loads all registers */
}

/* ---- what a CPU holds ---------------------------------------------------------------------------------------- */
struct arch_context context_nobody;

static void fpu_save(struct cpu *cpu)
{
	u8 *to = cpu->fpu_owner->fpu;
	if (cpu->fpu_owner == &context_nobody)
		return;
	if (cpu->xsave)
		__asm__ volatile ("xsave64 (%0)" :: "r"(to), "a"(-1), "d"(-1) : "memory");
	else
		__asm__ volatile ("fxsave64 (%0)" :: "r"(to) : "memory");
	cpu->fpu_owner = &context_nobody;
}

static void root_forget(struct cpu *cpu)
{
	cpu->root = mmu_kernel_root;
	cpu->current = NULL;                    /* so that whoever leaves next loads its own */
	WRITE_CR(3, mmu_kernel_root);
}

void context_forget(void)
{
	struct cpu *cpu = this_cpu();
	fpu_save(cpu);
	root_forget(cpu);
}

static bool held_elsewhere(const struct arch_context *c)
{
	for (unsigned i = 0; i < arch_cpus(); i++) {
		const struct cpu *cpu = cpu_block(i);
		if (i != arch_cpu() && (cpu->current == c || cpu->fpu_owner == c))
			return true;
	}
	return false;
}

void arch_context_drop(struct arch_context *c)
{
	struct cpu *cpu = this_cpu();
	DEBUG_ASSERT(!held_elsewhere(c));
	if (cpu->fpu_owner == c)
		fpu_save(cpu);
	if (cpu->current == c)
		cpu->current = NULL;
}

void arch_context_set_tls(struct arch_context *c, u64 fs_base)
{
	ASSERT(fs_base <= PT_USER_TOP);
	c->regs.fs_base = fs_base;
	if (this_cpu()->current == c)
		write_msr(MSR_FS_BASE, fs_base);
}

void arch_root_drop(paddr_t root)
{
	for (unsigned i = 0; i < arch_cpus(); i++)
		ASSERT(i == arch_cpu() || cpu_block(i)->root != root);
	if (this_cpu()->root == root)
		root_forget(this_cpu());
}
