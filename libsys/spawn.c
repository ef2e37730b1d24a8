/* SPDX-License-Identifier: BSD-2-Clause */
/* spawn.c: a new program in an account, a CSpace and an address space of its own. Everything it is made of comes from
 * its account, so whatever goes wrong on the way is undone by ending the account.
 */
#include <string.h>
#include <vellum/startup.h>
#include "internal.h"

enum { CSPACE_SLOTS = 4096, STACK_BYTES = 256 << 10, GUARD_BYTES = SYS_PAGE_SIZE };

static sys_status_t make_objects(const sys_spawn_args_t *args, sys_process_t *p)
{
	sys_status_t status = sys_untyped_create(args->ut, args->account, &p->untyped);

	if (status == SYS_OK)
		status = sys_cnode_create(p->untyped, CSPACE_SLOTS, &p->cspace);
	if (status == SYS_OK)
		status = sys_vspace_create(p->untyped, SYS_CAP_NULL, 0, &p->vmar);
	if (status == SYS_OK)
		status = sys_thread_create(p->untyped, p->cspace, p->vmar, args->fault_ep, &p->thread);
	return status;
}

static sys_status_t give(const sys_process_t *p, sys_cap_t cap, sys_cap_t slot)
{
	sys_cap_t name;

	return cap == SYS_CAP_NULL ? SYS_OK : sys_cap_copy(cap, p->cspace, slot, SYS_RIGHTS_SAME, &name);
}

static sys_status_t give_all(const sys_spawn_args_t *args, const sys_process_t *p)
{
	const struct { sys_cap_t cap, slot; } fixed[] = {
		{ p->cspace, SYS_CAP_CNODE }, { p->vmar, SYS_CAP_VMAR }, { p->untyped, SYS_CAP_UNTYPED },
		{ p->thread, SYS_CAP_THREAD }, { args->console, SYS_CAP_CONSOLE }, { args->resource, SYS_CAP_RESOURCE },
	};
	sys_status_t status = args->items <= CSPACE_SLOTS - SYS_CAP_FIRST_FREE ? SYS_OK : SYS_ERR_NO_SLOT;

	for (size_t i = 0; status == SYS_OK && i < sizeof fixed / sizeof fixed[0]; i++)
		status = give(p, fixed[i].cap, fixed[i].slot);
	for (size_t i = 0; status == SYS_OK && i < args->items; i++)
		status = give(p, args->item[i].vmo, SYS_CAP_FIRST_FREE + i);
	return status;
}

/* A stack between two pages that nothing else can take. Returns its top. */
static sys_status_t make_stack(const sys_process_t *p, sys_vaddr_t *top)
{
	const uint32_t can = SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE | SYS_VM_CAN_MAP_SPECIFIC;
	const uint32_t perms = SYS_VM_PERM_READ | SYS_VM_PERM_WRITE;
	sys_cap_t region, vmo;
	sys_vaddr_t base;
	sys_status_t status = sys_vmar_allocate(p->vmar, can, 0, STACK_BYTES + 2 * GUARD_BYTES, &region, &base);

	if (status != SYS_OK)
		return status;
	status = sys_vmo_create(p->untyped, STACK_BYTES, 0, &vmo);
	if (status == SYS_OK) {
		status = sys_vmar_map(region, perms | SYS_VM_SPECIFIC, GUARD_BYTES, vmo, 0, STACK_BYTES, &base);
		sys_cap_delete(vmo);
	}
	sys_cap_delete(region);
	*top = base + STACK_BYTES;
	return status;
}

/* The startup block is written piece by piece: the fixed part at its place, strings behind each other at `string`. */
struct block { sys_cap_t vmo; uint64_t string; };

static uint64_t block_size(const sys_spawn_args_t *args)
{
	uint64_t size = sizeof(struct startup_block) + args->items * sizeof(struct startup_item) +
		(uint64_t)args->argc * sizeof(uint32_t);

	for (size_t i = 0; i < args->items; i++)
		size += strlen(args->item[i].name) + 1;
	for (int i = 0; i < args->argc; i++)
		size += strlen(args->argv[i]) + 1;
	return size;
}

static sys_status_t put_string(struct block *block, const char *string, uint32_t *offset)
{
	size_t len = strlen(string) + 1;

	*offset = (uint32_t)block->string;
	block->string += len;
	return sys_vmo_write(block->vmo, string, *offset, len);
}

static sys_status_t write_block(const sys_spawn_args_t *args, sys_cap_t vmo, uint64_t size)
{
	struct startup_block head = { STARTUP_MAGIC, (uint32_t)size, (uint32_t)args->items, (uint32_t)args->argc };
	uint64_t at = sizeof head, words = at + args->items * sizeof(struct startup_item);
	struct block block = { vmo, words + (uint64_t)args->argc * sizeof(uint32_t) };
	sys_status_t status = sys_vmo_write(vmo, &head, 0, sizeof head);

	for (size_t i = 0; status == SYS_OK && i < args->items; i++, at += sizeof(struct startup_item)) {
		struct startup_item item = { .cap = SYS_CAP_FIRST_FREE + i, .size = args->item[i].size };

		status = put_string(&block, args->item[i].name, &item.name);
		if (status == SYS_OK)
			status = sys_vmo_write(vmo, &item, at, sizeof item);
	}
	for (int i = 0; status == SYS_OK && i < args->argc; i++, words += sizeof(uint32_t)) {
		uint32_t offset;

		status = put_string(&block, args->argv[i], &offset);
		if (status == SYS_OK)
			status = sys_vmo_write(vmo, &offset, words, sizeof offset);
	}
	return status;
}

static sys_status_t make_block(const sys_spawn_args_t *args, const sys_process_t *p, sys_vaddr_t *addr)
{
	uint64_t size = block_size(args);
	sys_cap_t vmo;
	sys_status_t status = size <= UINT32_MAX ? sys_vmo_create(p->untyped, size, 0, &vmo) : SYS_ERR_INVALID_ARGS;

	if (status != SYS_OK)
		return status;
	status = write_block(args, vmo, size);
	if (status == SYS_OK)
		status = sys_vmar_map(p->vmar, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, vmo, 0, size, addr);
	sys_cap_delete(vmo);
	return status;
}

/* What sys_thread_start needs. */
struct start { sys_vaddr_t entry, stack, block; };

/* Everything but the start. */
static sys_status_t build(const sys_spawn_args_t *args, sys_process_t *p, struct start *start)
{
	struct elf_image image;
	sys_status_t status = elf_read(args->elf, &image);

	if (status == SYS_OK)
		status = make_objects(args, p);
	if (status == SYS_OK)
		status = elf_map(args->elf, &image, p->untyped, p->vmar);
	if (status == SYS_OK)
		status = make_stack(p, &start->stack);
	if (status == SYS_OK)
		status = make_block(args, p, &start->block);
	if (status == SYS_OK)
		status = give_all(args, p);
	if (status == SYS_OK)
		status = sys_thread_set_priority(p->thread, args->priority);
	start->entry = image.entry;
	return status;
}

sys_status_t sys_spawn(const sys_spawn_args_t *args, sys_process_t *out)
{
	struct start start;
	sys_status_t status;

	*out = (sys_process_t){ 0 };
	if (args->argc < 0)
		return SYS_ERR_INVALID_ARGS;
	status = build(args, out, &start);
	if (status == SYS_OK)
		status = sys_thread_start(out->thread, start.entry, start.stack, start.block, 0);
	if (status != SYS_OK && out->untyped != SYS_CAP_NULL)
		sys_process_end(out);
	return status;
}
