/* SPDX-License-Identifier: BSD-2-Clause */
/* thread.c: further threads of a program, each with a stack between guard pages and its own variables above the stack.
 *
 * A thread cannot unmap the stack it runs on. Its record (on the heap) says when it no longer needs it, and the next
 * sys_thread_spawn unmaps what is done with. The stack of a thread that is killed stays until the program ends.
 */
#include <stdlib.h>
#include "internal.h"
#include "syscall.h"

enum { GUARD_BYTES = SYS_PAGE_SIZE, ENTRY_ALIGN = 16 };

struct record {
	uint32_t done;                  /* the thread has left its stack */
	int (*fn)(void *);
	void *arg;
	sys_vaddr_t region;
	uint64_t region_size, stack_size;
	struct record *next;
};

static libsys_mutex_t records_lock;
static struct record *records;

/* Where the thread begins (no caller) and ends: from the store to `done` on, it uses no stack. */
static _Noreturn void thread_main(struct record *record)
{
	int64_t code = record->fn(record->arg);

	__asm__ volatile("movl $1, (%0)\n\tsyscall\n\tud2"
		: : "r"(&record->done), "a"((uint64_t)NR_thread_exit), "D"(code) : "memory");
	__builtin_unreachable();
}

static void records_reap(void)
{
	struct record **at = &records, *record;

	libsys_mutex_lock(&records_lock);
	while ((record = *at)) {
		if (!__atomic_load_n(&record->done, __ATOMIC_ACQUIRE)) {
			at = &record->next;
			continue;
		}
		*at = record->next;
		sys_vmar_unmap(SYS_CAP_VMAR, record->region, record->region_size);
		free(record);
	}
	libsys_mutex_unlock(&records_lock);
}

/* Reserves the record's region and maps the stack into its middle. On failure nothing stays. */
static sys_status_t map_stack(struct record *record, sys_cap_t ut)
{
	const uint32_t can = SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE | SYS_VM_CAN_MAP_SPECIFIC;
	const uint32_t perms = SYS_VM_PERM_READ | SYS_VM_PERM_WRITE;
	sys_cap_t region, vmo;
	sys_vaddr_t base;
	sys_status_t status = sys_vmar_allocate(SYS_CAP_VMAR, can, 0, record->region_size, &region, &record->region);

	if (status != SYS_OK)
		return status;
	status = sys_vmo_create(ut, record->stack_size, 0, &vmo);
	if (status == SYS_OK) {
		status = sys_vmar_map(region, perms | SYS_VM_SPECIFIC, GUARD_BYTES, vmo, 0, record->stack_size, &base);
		sys_cap_delete(vmo);
	}
	sys_cap_delete(region);
	if (status != SYS_OK)
		sys_vmar_unmap(SYS_CAP_VMAR, record->region, record->region_size);
	return status;
}

static sys_status_t make_thread(struct record *record, sys_cap_t ut, sys_cap_t *out)
{
	sys_vaddr_t variables = record->region + GUARD_BYTES + record->stack_size - tls_size();
	sys_vaddr_t stack = variables / ENTRY_ALIGN * ENTRY_ALIGN - sizeof(uint64_t);   /* as after a call */
	sys_status_t status = sys_thread_create(ut, SYS_CAP_CNODE, SYS_CAP_VMAR, SYS_CAP_NULL, out);

	if (status != SYS_OK)
		return status;
	status = sys_thread_set_tls(*out, (sys_vaddr_t)tls_make((void *)variables, false));
	if (status == SYS_OK)
		status = sys_thread_start(*out, (sys_vaddr_t)thread_main, stack, (uint64_t)record, 0);
	if (status != SYS_OK)
		sys_cap_delete(*out);
	return status;
}

static sys_status_t start(struct record *record, sys_cap_t ut, sys_cap_t *out)
{
	sys_status_t status = map_stack(record, ut);

	if (status != SYS_OK)
		return status;
	status = make_thread(record, ut, out);
	if (status != SYS_OK)
		sys_vmar_unmap(SYS_CAP_VMAR, record->region, record->region_size);
	return status;
}

sys_status_t sys_thread_spawn(sys_cap_t ut, int (*fn)(void *), void *arg, size_t stack, sys_cap_t *out)
{
	struct record *record;
	sys_status_t status;

	if (!fn || stack == 0 || stack > (1ull << 40))
		return SYS_ERR_INVALID_ARGS;
	records_reap();
	record = calloc(1, sizeof *record);
	if (!record)
		return SYS_ERR_NO_MEMORY;
	record->fn = fn;
	record->arg = arg;
	record->stack_size = (stack + tls_size() + SYS_PAGE_SIZE - 1) / SYS_PAGE_SIZE * SYS_PAGE_SIZE;
	record->region_size = record->stack_size + 2 * GUARD_BYTES;
	status = start(record, ut, out);
	if (status != SYS_OK) {
		free(record);
		return status;
	}
	libsys_mutex_lock(&records_lock);
	record->next = records;
	records = record;
	libsys_mutex_unlock(&records_lock);
	return SYS_OK;
}
