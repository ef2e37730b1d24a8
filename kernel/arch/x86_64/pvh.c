/* SPDX-License-Identifier: BSD-2-Clause */
/* pvh.c: reads what a PVH loader hands over (QEMU's -kernel): fixed structures of version 1, by physical address. */
#include "arch/x86_64/boot.h"
#include "lib/assert.h"
#include "lib/string.h"

#define PVH_MAGIC   0x336ec578u
#define PVH_RAM     1u
#define MAP_MAX     4096u

struct pvh_info {
	u32 magic, version, flags, modules;
	u64 module_list, cmdline, rsdp;
	u64 memory_map;                         /* from version 1 on */
	u32 memory_entries, reserved;
};
struct pvh_module { u64 base, size, cmdline, reserved; };
struct pvh_memory { u64 base, size; u32 type, reserved; };

#define TEXT_MAX 4096u

BOOT static const char *loader_text(u64 at)
{
	return at ? boot_loader_memory(at, TEXT_MAX, "text") : "";
}

BOOT static void read_memory_map(const struct pvh_info *info)
{
	if (info->version < 1 || info->memory_entries == 0)
		refuse("the boot loader tells of no memory");
	if (info->memory_entries > MAP_MAX || info->memory_map % 8)
		refuse("the boot loader's memory map is broken (0x%lx, %u entries)", info->memory_map,
			info->memory_entries);
	const struct pvh_memory *map;
	map = boot_loader_memory(info->memory_map, info->memory_entries * sizeof *map, "memory map");
	for (u32 i = 0; i < info->memory_entries; i++)
		if (map[i].type == PVH_RAM)
			boot_add_ram(map[i].base, map[i].size);
	for (u32 i = 0; i < info->memory_entries; i++)
		if (map[i].type != PVH_RAM)
			boot_reserve(map[i].base, map[i].size);
}

BOOT static void read_modules(const struct pvh_info *info)
{
	if (info->modules > BOOT_MODULES || info->module_list % 8)
		refuse("the boot loader's list of %u modules is broken (0x%lx)", info->modules, info->module_list);
	if (info->modules == 0)
		return;
	const struct pvh_module *list;
	list = boot_loader_memory(info->module_list, info->modules * sizeof *list, "list of modules");
	for (u32 i = 0; i < info->modules; i++) {
		if (list[i].size > PHYSMAP_SIZE || list[i].base > PHYSMAP_SIZE)
			refuse("the boot loader's module %u lies out of reach (0x%lx, %lu bytes)", i, list[i].base,
				list[i].size);
		boot_add_module(list[i].base, list[i].size, loader_text(list[i].cmdline), TEXT_MAX);
	}
}

BOOT void pvh_parse(paddr_t at)
{
	const struct pvh_info *info = boot_loader_memory(at, sizeof *info, "information");
	if (at % 8 || info->magic != PVH_MAGIC)
		refuse("not started by a multiboot2 or PVH loader");
	boot_copy_text(boot_info.loader, sizeof boot_info.loader, "PVH", SIZE_MAX);
	boot_copy_text(boot_info.cmdline, sizeof boot_info.cmdline, loader_text(info->cmdline), TEXT_MAX);
	boot_info.rsdp = info->rsdp;
	read_memory_map(info);
	read_modules(info);
}
