/* SPDX-License-Identifier: BSD-2-Clause */
/* system.c: the resource capability: what the machine is, what the kernel has done, and the end. Lock: the kernel lock. */
#include "lib/counters.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mem/frame.h"
#include "sched/trace.h"
#include "syscall/call.h"

#ifndef VELLUM_VERSION
#define VELLUM_VERSION "unknown"
#endif

static struct object resource;
static sys_machine_info_t machine;
static const struct object_type resource_type = { .name = "resource", .size = sizeof(resource) };

struct object *resource_object(void) { return &resource; }

BOOT void system_boot(const struct boot_info *boot)
{
	object_type_set(SYS_TYPE_RESOURCE, &resource_type);
	object_init_static(&resource, SYS_TYPE_RESOURCE);
	memcpy(machine.loader, boot->loader, sizeof(machine.loader));
	memcpy(machine.cpu, boot->cpu, sizeof(machine.cpu));
	memcpy(machine.version, VELLUM_VERSION, MIN(sizeof(VELLUM_VERSION), sizeof(machine.version) - 1));
}

int call_system_info(struct call *c)
{
	static sys_counters_t shown;
	const void *from = &machine;
	u64 size = sizeof(machine), len = c->r->r10;

	switch (c->r->rsi) {
	case SYS_TOPIC_MACHINE:
		machine.cpus = arch_cpus();
		machine.frames = frame_count();
		machine.free_frames = frame_count_free();
		break;
	case SYS_TOPIC_COUNTERS:
		counters.longest_entry = arch_longest_entry();
		shown = counters;
		shown.entries += counters.faults;       /* those are counted once */
		from = &shown;
		size = sizeof(counters);
		break;
	default:
		return SYS_ERR_INVALID_ARGS;
	}
	if (len < size)
		return SYS_ERR_BUFFER_TOO_SMALL;
	return call_copy_out(c, c->r->rdx, from, size);
}

int call_trace_start(struct call *c) { return trace_start(call_object(c, 1), (u32)c->r->rdx, &c->slot[1]->open); }

int call_trace_stop(struct call *c)
{
	(void)c;
	return trace_stop();
}

/* Where entries are measured. */
static void say_longest_entry(void)
{
	u64 number;
	bool by_call = arch_longest_entry_call(&number);

	if (arch_longest_entry())
		kprintf("vellum: longest entry %lu cycles, by %s %lu\n", arch_longest_entry(), by_call ? "system call" : "vector", number);
}

int call_system_shutdown(struct call *c)
{
	u32 code = (u32)c->r->rsi;

	say_longest_entry();
	kprintf("vellum: shutdown %u\n", code);
	arch_shutdown(code);
}
