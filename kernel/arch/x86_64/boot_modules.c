/* SPDX-License-Identifier: BSD-2-Clause */
/* boot_modules.c: the modules that a loader placed, and bundles: several modules in one file, for loaders that pass
 * only one.
 *
 *   bundle:  magic[16] "VELLUM-BUNDLE-1\n"  u32 count  u32 0  count entries { name[48]  u64 offset  u64 size }  data
 *
 * Numbers are little endian; offsets count from the bundle's start, rise, and are page aligned; a name ends in a
 * zero.
 */
#include "arch/x86_64/boot.h"
#include "arch/x86_64/cpu.h"
#include "lib/assert.h"
#include "lib/string.h"

struct bundle_entry { char name[48]; u64 offset, size; };
struct bundle { char magic[16]; u32 count, reserved; struct bundle_entry entry[]; };

static const char bundle_magic[16] = "VELLUM-BUNDLE-1\n";

BOOT static struct boot_module *module_new(void)
{
	if (boot_info.modules == BOOT_MODULES)
		refuse("more than %u boot modules", BOOT_MODULES);
	return &boot_info.module[boot_info.modules++];
}

BOOT void boot_add_module(paddr_t base, u64 size, const char *name, size_t max)
{
	struct boot_module *m = module_new();
	size_t n = 0, start = 0;
	for (; n < max && name[n] && name[n] != ' '; n++)
		if (name[n] == '/')
			start = n + 1;
	*m = (struct boot_module){ .base = base, .size = size };
	boot_copy_text(m->name, sizeof m->name, name + start, n - start);
	if (!m->name[0])
		boot_copy_text(m->name, sizeof m->name, "module", SIZE_MAX);
}

static bool overlap(u64 a, u64 a_end, u64 b, u64 b_end) { return a < b_end && b < a_end; }

BOOT static void check_place(const struct boot_module *m)
{
	u64 end = m->base + m->size;
	bool in_ram = false;
	if (!page_aligned(m->base))
		refuse("module \"%s\" at 0x%lx is not page aligned", m->name, m->base);
	for (u32 i = 0; i < boot_info.rams; i++) {
		const struct boot_range *r = &boot_info.ram[i];
		in_ram |= m->base >= r->base && m->size <= r->size && page_up(end) <= r->base + r->size;
	}
	if (!in_ram && m->size)
		refuse("module \"%s\" (0x%lx, %lu bytes) does not lie in RAM", m->name, m->base, m->size);
	for (const struct boot_module *o = boot_info.module; o < m; o++)
		if (overlap(m->base, page_up(end), o->base, page_up(o->base + o->size)))
			refuse("modules \"%s\" and \"%s\" overlap", o->name, m->name);
}

BOOT void boot_check_modules(void)
{
	for (u32 i = 0; i < boot_info.modules; i++)
		check_place(&boot_info.module[i]);
}

/* `end`: where the entry before this one ended. Returns where this one does. */
BOOT static u64 unpack_entry(const struct boot_module *b, const struct bundle_entry *e, u32 index, u64 end)
{
	if (e->name[0] == 0 || e->name[sizeof e->name - 1] != 0)
		refuse("bundle \"%s\" is broken: the name of entry %u", b->name, index);
	if (!page_aligned(e->offset) || e->offset < end || e->offset > b->size || e->size > b->size - e->offset)
		refuse("bundle \"%s\" is broken: entry %u, \"%s\", has offset 0x%lx and size 0x%lx", b->name, index,
			e->name, e->offset, e->size);
	struct boot_module *m = module_new();
	*m = (struct boot_module){ .base = b->base + e->offset, .size = e->size };
	memcpy(m->name, e->name, sizeof m->name);
	return e->offset + e->size;
}

BOOT static void unpack(const struct boot_module *b)
{
	const struct bundle *header = phys_to_virt(b->base);
	if (b->size < sizeof *header)
		refuse("bundle \"%s\" is broken: %lu bytes", b->name, b->size);
	if (header->count > (b->size - sizeof *header) / sizeof header->entry[0])
		refuse("bundle \"%s\" is broken: %u entries in %lu bytes", b->name, header->count, b->size);
	u64 end = sizeof *header + header->count * sizeof header->entry[0];
	for (u32 i = 0; i < header->count; i++)
		end = page_up(unpack_entry(b, &header->entry[i], i, end));
}

BOOT static bool is_bundle(const struct boot_module *m)
{
	return m->size >= sizeof bundle_magic && memcmp(phys_to_virt(m->base), bundle_magic, sizeof bundle_magic) == 0;
}

BOOT void boot_unpack_bundles(void)
{
	u32 loaded = boot_info.modules;
	for (u32 i = 0; i < loaded;) {
		struct boot_module b = boot_info.module[i];
		if (!is_bundle(&b)) {
			i++;
			continue;
		}
		memmove(&boot_info.module[i], &boot_info.module[i + 1], (--boot_info.modules - i) * sizeof b);
		loaded--;
		unpack(&b);
	}
}
