/* SPDX-License-Identifier: BSD-2-Clause */
/* smp.c: the CPUs that take part. So far that is the one that was started. Kernel lock. */
#include "arch/x86_64/cpu.h"
#include "lib/assert.h"

/* What stands in the window for each CPU, from its start; both guards, and what is left of it, are not mapped. */
struct cpu_slot { struct cpu_stacks stacks; struct cpu cpu; };
_Static_assert(sizeof(struct cpu_slot) <= CPU_SLOT, "a slot's size");

static unsigned cpus = 1;

unsigned arch_cpus(void) { return cpus; }

static struct cpu_slot *slot(unsigned number) { return (void *)(CPU_WINDOW + (u64)number * CPU_SLOT); }

struct cpu *cpu_block(unsigned number) { return number ? &slot(number)->cpu : &cpu0; }
struct cpu_stacks *cpu_stacks(unsigned number) { return number ? &slot(number)->stacks : &cpu0_stacks; }

const struct cpu_stacks *cpu_stacks_around(u64 address)
{
	for (unsigned i = 0; i < cpus; i++)
		if (address - (u64)cpu_stacks(i) < sizeof(struct cpu_stacks))
			return cpu_stacks(i);
	return NULL;
}

void *arch_cpu_area(unsigned cpu)
{
	ASSERT(cpu < cpus);
	return cpu_block(cpu)->area;
}

void arch_cpus_start(void) {}
