/* SPDX-License-Identifier: BSD-2-Clause */
/* ipi.c: what one CPU asks of another: come by, give your context up, forget user translations.
 *
 * Requests are bits in the other's block. Only the holder of the kernel lock sets them, and then interrupts that CPU,
 * unless it waits for the lock: who waits looks at them all the time. It clears the bits when it has done what they
 * say; for all but the kick the holder waits for that. No two CPUs wait for each other: the one that is asked is in
 * user mode with its interrupts on, or on its way there, or waits for the lock, or halts; it never has the lock.
 *
 * An interrupt may come after its request was answered (by a CPU that waited for the lock): then it finds nothing.
 */
#include "arch/x86_64/cpu.h"
#include "lib/assert.h"
#include "lib/counters.h"

/* ---- the asked CPU's side ------------------------------------------------------------------------------------ */
/* The context came in by c->regs.vector. A system call that nobody has looked at is made again when it is resumed, a
 * fault comes again by itself; a trap would be lost, so the asker is told. */
static void give_up(struct cpu *cpu)
{
	struct arch_context *c = cpu->current;
	cpu->stop_vector = 0;
	if (!c)
		return;
	if (c->regs.vector == VECTOR_SYSCALL)
		arch_context_restart_syscall(c);
	else if (c->regs.vector == 1 || c->regs.vector == 3)
		cpu->stop_vector = (u8)c->regs.vector;
	context_forget();
	cpu->taken = true;
}

void requests_answer(void)
{
	struct cpu *cpu = this_cpu();
	u32 asked = __atomic_load_n(&cpu->requests, __ATOMIC_SEQ_CST);
	if (likely(!asked))
		return;
	if (asked & REQUEST_FLUSH)
		WRITE_CR(3, cpu->root);
	if (asked & REQUEST_STOP)
		give_up(cpu);
	if (asked & REQUEST_KICK)
		cpu->pending |= ARCH_PENDING_KICK;
	__atomic_and_fetch(&cpu->requests, ~asked, __ATOMIC_SEQ_CST);
}

/* ---- the holder's side --------------------------------------------------------------------------------------- */
static void ask(struct cpu *cpu, enum request request)
{
	DEBUG_ASSERT(lock_held());
	__atomic_or_fetch(&cpu->requests, request, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&cpu->waiting, __ATOMIC_SEQ_CST))
		apic_send(cpu->apic_id, VECTOR_IPI);
}

static void await(const struct cpu *cpu, enum request request)
{
	while (__atomic_load_n(&cpu->requests, __ATOMIC_SEQ_CST) & request)
		__asm__ volatile ("pause");
}

void arch_cpu_kick(unsigned number)
{
	ASSERT(number < arch_cpus() && number != arch_cpu());
	ask(cpu_block(number), REQUEST_KICK);
}

unsigned arch_cpu_stop(unsigned number)
{
	struct cpu *cpu = cpu_block(number);
	ASSERT(number < arch_cpus() && number != arch_cpu());
	if (!cpu->current)                      /* halts, was stopped before, or has not begun */
		return 0;
	ask(cpu, REQUEST_STOP);
	await(cpu, REQUEST_STOP);
	return cpu->stop_vector;
}

void mmu_shootdown(paddr_t root)
{
	unsigned self = arch_cpu();
	bool any = false;
	for (unsigned i = 0; i < arch_cpus(); i++)
		if (i != self && cpu_block(i)->root == root) {
			ask(cpu_block(i), REQUEST_FLUSH);
			any = true;
		}
	if (!any)
		return;
	counters.shootdowns++;
	for (unsigned i = 0; i < arch_cpus(); i++)
		if (i != self)
			await(cpu_block(i), REQUEST_FLUSH);
}

/* ---- the end ------------------------------------------------------------------------------------------------- */
static u32 halter;                      /* whose arch_cpus_halt() it is: its number + 1; the first wins */

bool cpu_was_halted(void)
{
	u32 who = __atomic_load_n(&halter, __ATOMIC_SEQ_CST);
	return who && who != arch_cpu() + 1;
}

void arch_cpus_halt(void)
{
	u32 nobody = 0;
	__atomic_compare_exchange_n(&halter, &nobody, arch_cpu() + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	while (cpu_was_halted())
		__asm__ volatile ("cli; hlt");
	for (unsigned i = 0; i < arch_cpus(); i++)
		if (i != arch_cpu() && __atomic_load_n(&cpu_block(i)->up, __ATOMIC_SEQ_CST))
			apic_send(cpu_block(i)->apic_id, APIC_NMI);
}
