/* SPDX-License-Identifier: BSD-2-Clause */
/* lock.c: the kernel lock, and the ways into the kernel that take it. (entry.S' ways out give it back.)
 *
 * Whoever finds it free has it, but for one who waits: who waited first is let go first, for a while. (Tickets would be fair at once, but hand the lock to a CPU that may not run: a virtual one, whose host has
 * fewer.) A CPU that waits does what the holder asks of it meanwhile
 * (ipi.c): requests come from the holder alone, who waits for the answer, and the CPU that waits has its interrupts
 * off. Such a request may take its context away: then `taken` is set, and once it has the lock, the entry asks
 * kernel_taken() whom to run; the old context is not looked at, its memory may be another's by then.
 *
 * One CPU takes no lock, unless its entries are measured. Entries are timed from when they have the lock to when they
 * give it back, but for a few instructions at both ends.
 */
#include "arch/x86_64/cpu.h"
#include "lib/assert.h"

struct lock kernel_lock __attribute__((aligned(64)));
_Static_assert(offsetof(struct lock, holder) == LOCK_HOLDER, "holder");

static bool measuring;
static u64 longest, longest_vector, longest_call;       /* kernel lock */

/* ---- the lock ------------------------------------------------------------------------------------------------ */
/* Cycles for which the others let the one go first that waited first: more than an entry takes. It may be a virtual CPU that does not run. */
#define LET_FIRST_FOR 60000u

static u32 me(void) { return arch_cpu() + 1; }

BOOT void lock_begin(void)
{
	kernel_lock.holder = me();
	cpu_set_entries(true);
}

BOOT void lock_end(void)
{
	if (!measuring)
		cpu_set_entries(false);
}

static bool grab(void)
{
	u32 nobody = 0;
	return __atomic_compare_exchange_n(&kernel_lock.holder, &nobody, me(), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static u32 hungry(void) { return __atomic_load_n(&kernel_lock.hungry, __ATOMIC_RELAXED); }

/* May a CPU that has waited so long try to have the lock? */
static bool my_turn(u64 waited)
{
	u32 nobody = 0;
	if (!hungry())
		__atomic_compare_exchange_n(&kernel_lock.hungry, &nobody, me(), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	u32 first = hungry();
	return !first || first == me() || waited > LET_FIRST_FOR;
}

static void lock_wait(struct cpu *cpu)
{
	u64 begin = arch_cycles();
	__atomic_fetch_add(&kernel_lock.waiters, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&cpu->waiting, true, __ATOMIC_SEQ_CST);
	while (!my_turn(arch_cycles() - begin) || __atomic_load_n(&kernel_lock.holder, __ATOMIC_RELAXED) || !grab()) {
		requests_answer();
		__asm__ volatile ("pause");
	}
	__atomic_store_n(&cpu->waiting, false, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&kernel_lock.waiters, 1, __ATOMIC_SEQ_CST);
	if (hungry() == me())
		__atomic_store_n(&kernel_lock.hungry, 0, __ATOMIC_RELAXED);
	requests_answer();                      /* a kick just before the lock was free: no interrupt tells of it */
}

void lock_take(void)
{
	if (unlikely(hungry() || !grab()))
		lock_wait(this_cpu());
}

void lock_release(void)
{
	__atomic_store_n(&kernel_lock.holder, 0, __ATOMIC_RELEASE);
}

bool lock_held(void)
{
	return !entries_careful || __atomic_load_n(&kernel_lock.holder, __ATOMIC_RELAXED) == me();
}

/* ---- measuring ----------------------------------------------------------------------------------------------- */
BOOT void arch_measure_entries(void)
{
	measuring = true;
	measure_begin();
	if (!entries_careful)
		lock_begin();
}

u64 arch_longest_entry(void) { return longest; }

bool arch_longest_entry_call(u64 *number)
{
	*number = longest_vector == VECTOR_SYSCALL ? longest_call : longest_vector;
	return longest_vector == VECTOR_SYSCALL;
}

void measure_begin(void)
{
	if (measuring)
		this_cpu()->entered = arch_cycles();
}

void measure_end(void)
{
	u64 took = measuring ? arch_cycles() - this_cpu()->entered : 0;
	if (took <= longest)
		return;
	longest = took;
	longest_vector = this_cpu()->entered_vector;
	longest_call = this_cpu()->entered_call;
}

/* ---- ways in ------------------------------------------------------------------------------------------------- */
/* Takes the lock. False: the context that came in was taken away meanwhile. */
static bool enter(const struct arch_context *c)
{
	struct cpu *cpu = this_cpu();
	bool taken;
	if (cpu->current == c) {                /* else trap_user_ipi() has lost it already */
		cpu->entered_vector = c->regs.vector;
		cpu->entered_call = c->regs.rax;
	}
	lock_take();
	measure_begin();
	taken = cpu->taken;
	cpu->taken = false;
	return !taken;
}

static struct arch_context *leave(struct arch_context *c)
{
	DEBUG_ASSERT(lock_held());
	measure_end();
	return c;
}

struct arch_context *syscall_careful(struct arch_context *c)
{
	return leave(enter(c) ? kernel_syscall(c) : kernel_taken());
}

struct arch_context *trap_user_careful(struct arch_context *c)
{
	u64 vector = c->regs.vector;
	if (enter(c))
		return leave(trap_user(c));
	if (vector >= VECTOR_STUBS)             /* the interrupt is this CPU's, whatever became of the context */
		interrupt_note(vector);
	return leave(kernel_taken());
}

struct arch_context *trap_user_ipi(struct arch_context *c)
{
	struct cpu *cpu = this_cpu();
	interrupt_note(VECTOR_IPI);
	if (!cpu->taken && !cpu->pending)
		return NULL;
	return leave(enter(c) ? kernel_interrupt(c) : kernel_taken());
}
