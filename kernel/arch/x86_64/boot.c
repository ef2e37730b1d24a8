/* SPDX-License-Identifier: BSD-2-Clause */
/* boot.c: from boot.S to kernel_main(): traps first, so that whatever goes wrong can be told; then the loader's
 * information, the final page tables, interrupts and time. The boot CPU alone, interrupts off. */
#include "arch/x86_64/boot.h"
#include <multiboot2.h>
#include "arch/x86_64/cpu.h"
#include "lib/assert.h"
#include "lib/string.h"

#define LOADER_MEMORY_END (4ull << 30)

struct boot_info boot_info;

BOOT const void *boot_firmware_memory(paddr_t at, u64 size)
{
	return at < LOADER_MEMORY_END && size <= LOADER_MEMORY_END - at ? phys_to_virt(at) : NULL;
}

BOOT const void *boot_loader_memory(paddr_t at, u64 size, const char *what)
{
	if (at == 0 || at >= LOADER_MEMORY_END || size > LOADER_MEMORY_END - at)
		refuse("the boot loader's %s lies out of reach (0x%lx, %lu bytes)", what, at, size);
	return phys_to_virt(at);
}

BOOT void boot_copy_text(char *to, size_t size, const char *from, size_t max)
{
	size_t n = strnlen(from, MIN(max, size - 1));
	memcpy(to, from, n);
	to[n] = 0;
}

noreturn void arch_boot(u32 magic, u32 info, u64 tsc);
BOOT noreturn void arch_boot(u32 magic, u32 info, u64 tsc)
{
	cpu_init_traps(0);
	serial_init();
	if (magic != BOOT_BY_PVH && magic != MULTIBOOT2_BOOTLOADER_MAGIC)
		refuse("not started by a multiboot2 or PVH loader");
	const char *missing = cpu_missing();
	if (missing)
		refuse("this CPU lacks %s", missing);
	cpu_read_features();
	cpu_init_features();
	boot_info.entry_tsc = tsc;
	/* The whole image, until all is checked and mapped. */
	boot_info.module[boot_info.modules++] = (struct boot_module){ KERNEL_PHYS, (u64)(early_end - kernel_start), "kernel" };
	cpu_brand(boot_info.cpu, sizeof boot_info.cpu);
	if (magic == BOOT_BY_PVH)
		pvh_parse(info);
	else
		multiboot2_parse(info);
	smp_find();
	boot_check_modules();
	boot_map_memory();
	smp_reserve();
	boot_unpack_bundles();
	interrupt_init(true);
	time_init(tsc);
	kernel_main(&boot_info);
}
