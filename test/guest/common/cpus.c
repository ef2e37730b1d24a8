/* SPDX-License-Identifier: BSD-2-Clause */
/* cpus.c: see cpus.h. */
#include "cpus.h"

#include <string.h>

unsigned cpu_count(void)
{
	sys_machine_info_t info;

	memset(&info, 0, sizeof(info));
	OKAY(sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_MACHINE, &info, sizeof(info)));
	return info.cpus;
}

unsigned other_cpu(unsigned i)
{
	unsigned cpus = cpu_count();

	return cpus > 1 ? 1 + i % (cpus - 1) : 0;
}

void bind(sys_cap_t thread, unsigned cpu)
{
	OKAY(sys_thread_set_affinity(thread, 1ull << cpu));
}

int64_t until_done(sys_cap_t thread)
{
	for (int tries = 0; tries < 40000 && thread_info(thread).state != SYS_THREAD_EXITED; tries++)
		sleep_for(MILLISECOND);
	return until_exited(thread);
}

void cpus_begin(void)
{
	bind(SYS_CAP_THREAD, 0);
}

void cpus_end(void)
{
	OKAY(sys_thread_set_affinity(SYS_CAP_THREAD, UINT64_MAX));
}

/* Leaf 1 says the local APIC's number; cpuid itself is kept from no program. */
uint32_t cpu_id(void)
{
	uint32_t a = 1, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b >> 24;
}

int64_t spin(void *arg)
{
	struct spinner *spinner = arg;

	while (!spinner->stop) {
		spinner->id = cpu_id();
		give_turn(++spinner->count);
	}
	return 0;
}

void until_counts(struct spinner *spinner)
{
	uint64_t want = spinner->count + 3;

	for (sys_time_t end = after(LIMIT); spinner->count < want && sys_clock_get() < end;)
		sleep_for(MILLISECOND / 10);
	if (spinner->count < want)
		FAIL("a thread that should run does not: state %u", thread_info(spinner->thread).state);
}

void spinner_start(struct spinner *spinner, unsigned cpu)
{
	spinner->thread = helper_prepare(spin, spinner, SYS_CAP_NULL, own_priority());
	bind(spinner->thread, cpu);
	helper_go(spinner->thread);
	until_counts(spinner);
}

void check_stands(struct spinner *spinner, int line)
{
	uint64_t then = spinner->count;

	sleep_for(2 * MILLISECOND);
	if (spinner->count != then)
		FAIL("line %d: a thread that should not run counts on", line);
}
