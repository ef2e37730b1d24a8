/* SPDX-License-Identifier: BSD-2-Clause */
/* process.c: see process.h. The image is found in the list of this program's own mappings: everything that begins
 * between the link address and the end of the variables, and nothing else does. */
#include "process.h"

#include <string.h>

enum { MAPS_MAX = 96 };

#define IMAGE_START 0x400000ul
extern char __libsys_data_end[];

static sys_maps_t maps[MAPS_MAX];
static char process_stack[HELPER_STACK] __attribute__((aligned(4096)));


/* The kernel copies: it reads the mapping as our own memory. */
static void copy_mapping(const sys_process_t *process, const sys_maps_t *from)
{
	uint32_t perms = from->options & (SYS_VM_PERM_READ | SYS_VM_PERM_WRITE | SYS_VM_PERM_EXECUTE);
	sys_cap_t vmo;
	sys_vaddr_t at;

	OKAY(sys_vmo_create(process->untyped, from->size, 0, &vmo));
	OKAY(sys_vmo_write(vmo, (const void *)from->base, 0, from->size));
	if (perms & SYS_VM_PERM_EXECUTE)
		OKAY(sys_vmo_replace_as_executable(vmo, SYS_CAP_RESOURCE, &vmo));
	OKAY(sys_vmar_map(process->vmar, perms | SYS_VM_SPECIFIC, from->base - SYS_PAGE_SIZE, vmo, 0, from->size, &at));
	EQ(at, from->base);
	OKAY(sys_cap_delete(vmo));
}

static void copy_image(const sys_process_t *process)
{
	size_t count = 0, available = 0, copied = 0;

	OKAY(sys_vmar_maps(SYS_CAP_VMAR, maps, MAPS_MAX, &count, &available));
	EQ(count, available);
	for (size_t i = 0; i < count; i++)
		if (maps[i].kind == 1 && maps[i].base >= IMAGE_START && maps[i].base < (sys_vaddr_t)__libsys_data_end) {
			copy_mapping(process, &maps[i]);
			copied++;
		}
	CHECK(copied > 0);
}

static void put_into(const sys_process_t *process, sys_cap_t cap, uint32_t slot)
{
	sys_cap_t name;
	OKAY(sys_cap_copy(cap, process->cspace, slot, SYS_RIGHTS_SAME, &name));
	EQ(name, slot);
}

void process_create(sys_process_t *process, sys_cap_t fault_ep)
{
	sys_vmar_info_t info;

	process->untyped = new_untyped(PROCESS_ACCOUNT);
	OKAY(sys_cnode_create(process->untyped, PROCESS_SLOTS, &process->cspace));
	OKAY(sys_vspace_create(process->untyped, SYS_CAP_NULL, 0, &process->vmar));
	OKAY(sys_vmar_info(process->vmar, &info));
	EQ(info.base, SYS_PAGE_SIZE);
	OKAY(sys_thread_create(process->untyped, process->cspace, process->vmar, fault_ep, &process->thread));
	put_into(process, process->cspace, SYS_CAP_CNODE);
	put_into(process, process->vmar, SYS_CAP_VMAR);
	put_into(process, process->untyped, SYS_CAP_UNTYPED);
	put_into(process, process->thread, SYS_CAP_THREAD);
}

sys_cap_t process_give(const sys_process_t *process, sys_cap_t cap, uint32_t slot)
{
	put_into(process, cap, SYS_CAP_FIRST_FREE + slot);
	return SYS_CAP_FIRST_FREE + slot;
}

void process_go(const sys_process_t *process, helper_fn fn, void *arg)
{
	copy_image(process);
	OKAY(sys_thread_start(process->thread, (sys_vaddr_t)helper_entry,
		(sys_vaddr_t)process_stack + sizeof(process_stack), (uint64_t)fn, (uint64_t)arg));
}

void process_end(sys_process_t *process)
{
	OKAY(sys_process_end(process));
	memset(process, 0, sizeof(*process));
}
