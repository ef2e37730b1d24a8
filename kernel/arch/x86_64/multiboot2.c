/* SPDX-License-Identifier: BSD-2-Clause */
/* multiboot2.c: reads what a multiboot2 loader hands over: a list of tags, each with a size that is checked before
 * it is used. */
#include <multiboot2.h>
#include "arch/x86_64/boot.h"
#include "arch/x86_64/cpu.h"
#include "lib/assert.h"
#include "lib/string.h"

#define INFO_MAX (16u << 20)            /* more would be no list of tags */

struct info_header { u32 size, reserved; };

/* What stands behind a tag's fixed part. */
BOOT static size_t tail(const struct multiboot_tag *tag, size_t fixed)
{
	if (tag->size < fixed)
		refuse("the boot loader's tag of type %u has only %u bytes", tag->type, tag->size);
	return tag->size - fixed;
}

BOOT static void read_module(const struct multiboot_tag *tag)
{
	const struct multiboot_tag_module *m = (const void *)tag;
	size_t max = tail(tag, sizeof *m);
	size_t space = 0;
	if (m->mod_end < m->mod_start)
		refuse("the boot loader's module %u ends before it starts", boot_info.modules);
	/* GRUB passes what stands behind the file's name; others the whole line. The last word names the module. */
	for (size_t i = 0; i < max && m->cmdline[i]; i++)
		if (m->cmdline[i] == ' ')
			space = i + 1;
	boot_add_module(m->mod_start, m->mod_end - m->mod_start, m->cmdline + space, max - space);
}

BOOT static void read_memory_map(const struct multiboot_tag *tag, bool usable)
{
	const struct multiboot_tag_mmap *map = (const void *)tag;
	size_t size = tail(tag, sizeof *map);
	if (map->entry_size < sizeof map->entries[0] || map->entry_size % 8)
		refuse("the boot loader's memory map has entries of %u bytes", map->entry_size);
	for (size_t at = 0; size - at >= map->entry_size; at += map->entry_size) {
		const struct multiboot_mmap_entry *e = (const void *)((const u8 *)map->entries + at);
		if (usable && e->type == MULTIBOOT_MEMORY_AVAILABLE)
			boot_add_ram(e->addr, e->len);
		else if (!usable && e->type != MULTIBOOT_MEMORY_AVAILABLE)
			boot_reserve(e->addr, e->len);
	}
}

BOOT static void read_tag(const struct multiboot_tag *tag)
{
	const char *text = (const char *)(tag + 1);
	if (tag->type == MULTIBOOT_TAG_TYPE_CMDLINE)
		boot_copy_text(boot_info.cmdline, sizeof boot_info.cmdline, text, tail(tag, sizeof *tag));
	else if (tag->type == MULTIBOOT_TAG_TYPE_BOOT_LOADER_NAME)
		boot_copy_text(boot_info.loader, sizeof boot_info.loader, text, tail(tag, sizeof *tag));
	else if (tag->type == MULTIBOOT_TAG_TYPE_MODULE)
		read_module(tag);
	else if (tag->type == MULTIBOOT_TAG_TYPE_MMAP)
		read_memory_map(tag, true);
	else if (tag->type == MULTIBOOT_TAG_TYPE_ACPI_NEW || (tag->type == MULTIBOOT_TAG_TYPE_ACPI_OLD && !boot_info.rsdp))
		boot_info.rsdp = virt_to_phys(text);            /* a copy of the table */
}

BOOT static void each_tag(const u8 *info, u32 size, void (*read)(const struct multiboot_tag *))
{
	for (u64 at = sizeof(struct info_header); at + sizeof(struct multiboot_tag) <= size;) {
		const struct multiboot_tag *tag = (const void *)(info + at);
		if (tag->type == MULTIBOOT_TAG_TYPE_END)
			return;
		if (tag->size < sizeof *tag || tag->size > size - at)
			refuse("the boot loader's tag of type %u has %u bytes", tag->type, tag->size);
		read(tag);
		at += (tag->size + MULTIBOOT_TAG_ALIGN - 1) & ~(u64)(MULTIBOOT_TAG_ALIGN - 1);
	}
	refuse("the boot loader's information has no end");
}

BOOT static void reserve_tag(const struct multiboot_tag *tag)
{
	if (tag->type == MULTIBOOT_TAG_TYPE_MMAP)
		read_memory_map(tag, false);
}

BOOT void multiboot2_parse(paddr_t info)
{
	const struct info_header *header = boot_loader_memory(info, sizeof *header, "information");
	if (info % MULTIBOOT_INFO_ALIGN || header->size > INFO_MAX)
		refuse("the boot loader's information is no list of tags (0x%lx, %u bytes)", info, header->size);
	const u8 *tags = boot_loader_memory(info, header->size, "information");
	each_tag(tags, header->size, read_tag);
	each_tag(tags, header->size, reserve_tag);
	if (boot_info.rams == 0)
		refuse("the boot loader tells of no memory");
}
