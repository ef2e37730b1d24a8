/* SPDX-License-Identifier: BSD-2-Clause */
/* smp.c: the CPUs that take part. So far that is the one that was started. Kernel lock. */
#include "arch/x86_64/cpu.h"
#include "lib/assert.h"

static unsigned cpus = 1;

unsigned arch_cpus(void) { return cpus; }

void *arch_cpu_area(unsigned cpu)
{
	ASSERT(cpu < cpus);
	return cpu0.area;
}

void arch_cpus_start(void) {}

void arch_cpu_kick(unsigned cpu) { ASSERT(cpu < cpus && cpu != arch_cpu()); }

unsigned arch_cpu_stop(unsigned cpu)
{
	ASSERT(cpu < cpus && cpu != arch_cpu());
	return 0;
}
