/* SPDX-License-Identifier: BSD-2-Clause */
/* bootinfo.c: what boot loaders hand over, right and wrong: ranges of memory, the PVH structures, modules, bundles.
 * The x86-64 files themselves are compiled here, on the fake machine's memory; only what runs privileged
 * instructions is not called. */
#include <stdio.h>
#include <string.h>
#define mmu_kernel_root x86_kernel_root         /* the fake machine has one of its own */
#include "../../kernel/arch/x86_64/boot_memory.c"
#include "../../kernel/arch/x86_64/boot_modules.c"
#include "../../kernel/arch/x86_64/pvh.c"
#include "common/harness.h"

#define FRAMES 1024u
#define AT(page) (HOST_RAM_BASE + (page) * PAGE_SIZE_)

struct boot_info boot_info;
struct cpu cpu0;
struct cpu_stacks cpu0_stacks;
struct cpu *cpu_block(unsigned number) { return (void *)(CPU_WINDOW + number * (u64)CPU_SLOT + sizeof(struct cpu_stacks)); }
struct cpu_stacks *cpu_stacks(unsigned number) { return (void *)(CPU_WINDOW + number * (u64)CPU_SLOT); }
/* One symbol for all: the kernel's image is empty, and not in the fake machine's memory. */
u8 kernel_start[1], kernel_boot_end[1], early_end[1], kernel_text_end[1], kernel_rodata_end[1], kernel_end[1];

bool cpu_has_gib_pages(void) { return false; }

const void *boot_loader_memory(paddr_t at, u64 size, const char *what)
{
	if (at < HOST_RAM_BASE || at - HOST_RAM_BASE > host_ram_size || size > host_ram_size - (at - HOST_RAM_BASE))
		panic("the boot loader's %s lies out of reach", what);
	return phys_to_virt(at);
}

void boot_copy_text(char *to, size_t size, const char *from, size_t max)
{
	size_t n = strnlen(from, MIN(max, size - 1));
	memcpy(to, from, n);
	to[n] = 0;
}

static void setup(void)
{
	host_machine_init(FRAMES);
	memset(&boot_info, 0, sizeof boot_info);
}

/* ---- ranges -------------------------------------------------------------------------------------------------- */
#define PAGES 512u
static bool ram_model[PAGES];

static void check_ranges(void)
{
	bool seen[PAGES] = { false };
	u64 before = 0;
	for (u32 i = 0; i < boot_info.rams; i++) {
		struct boot_range r = boot_info.ram[i];
		must(page_aligned(r.base) && page_aligned(r.size) && r.size > 0 && r.base > before);
		for (u64 p = r.base / PAGE_SIZE_; p < (r.base + r.size) / PAGE_SIZE_; p++)
			seen[p] = true;
		before = r.base + r.size;
	}
	for (unsigned p = 0; p < PAGES; p++)
		must(seen[p] == ram_model[p]);
}

/* BI-1: any maps, in any order, overlapping and not page aligned, give the whole pages that are RAM and not
 * reserved. */
START_TEST(ranges_agree_with_model)
{
	for (unsigned round = 0; round < 300; round++) {
		memset(&boot_info, 0, sizeof boot_info);
		memset(ram_model, 0, sizeof ram_model);
		for (unsigned i = 0; i < 40; i++) {
			u64 base = random_below(PAGES * PAGE_SIZE_), room = PAGES * PAGE_SIZE_ - base;
			u64 size = random_below(random_chance(70) ? MIN(room, 20 * PAGE_SIZE_) : room);
			bool usable = i < 20;
			if (usable)
				boot_add_ram(base, size);
			else
				boot_reserve(base, size);
			u64 first = usable ? MAX(page_up(base) / PAGE_SIZE_, 1) : base / PAGE_SIZE_;
			u64 end = usable ? (base + size) / PAGE_SIZE_ : page_up(base + size) / PAGE_SIZE_;
			for (u64 p = first; p < end && (usable || size); p++)
				ram_model[p] = usable;
			check_ranges();
		}
	}
}
END_TEST

/* BI-2: too many ranges: the smallest are left out, with a word on the console; the rest stays in order. */
START_TEST(smallest_range_is_left_out)
{
	setup();
	for (u64 i = 1; i <= BOOT_RANGES + 6; i++)
		boot_add_ram(i * 1000 * PAGE_SIZE_, (i == 5 ? 1 : i == BOOT_RANGES + 3 ? 2 : 3 + i) * PAGE_SIZE_);
	ck_assert_uint_eq(boot_info.rams, BOOT_RANGES);
	for (u32 i = 0; i < boot_info.rams; i++) {
		ck_assert_uint_ge(boot_info.ram[i].size, 5 * PAGE_SIZE_);
		if (i)
			ck_assert_uint_gt(boot_info.ram[i].base, boot_info.ram[i - 1].base);
	}
	ck_assert_ptr_nonnull(strstr(host_console(), "more than 64 ranges of memory"));
}
END_TEST

/* BI-3: nothing wraps at the end of addresses, and what the physmap does not cover is no RAM. */
START_TEST(ranges_at_the_end)
{
	setup();
	boot_add_ram(PHYSMAP_SIZE - 2 * PAGE_SIZE_, UINT64_MAX);
	boot_add_ram(UINT64_MAX, UINT64_MAX);
	ck_assert_uint_eq(boot_info.rams, 1);
	ck_assert_uint_eq(boot_info.ram[0].size, 2 * PAGE_SIZE_);
	boot_reserve(UINT64_MAX - 5, UINT64_MAX);
	boot_reserve(PHYSMAP_SIZE - PAGE_SIZE_, UINT64_MAX);
	ck_assert_uint_eq(boot_info.ram[0].size, PAGE_SIZE_);
}
END_TEST

/* ---- PVH ----------------------------------------------------------------------------------------------------- */
static struct pvh_info *info;
static struct pvh_memory *map;
static struct pvh_module *list;

static void pvh_setup(void)
{
	setup();
	info = phys_to_virt(AT(1));
	map = phys_to_virt(AT(2));
	list = phys_to_virt(AT(3));
	*info = (struct pvh_info){
		.magic = PVH_MAGIC, .version = 1, .modules = 1, .module_list = AT(3), .cmdline = AT(4), .rsdp = 0x1234,
		.memory_map = AT(2), .memory_entries = 2,
	};
	map[0] = (struct pvh_memory){ HOST_RAM_BASE, 500 * PAGE_SIZE_, PVH_RAM, 0 };
	map[1] = (struct pvh_memory){ AT(100), PAGE_SIZE_, 2, 0 };
	list[0] = (struct pvh_module){ AT(200), 5000, AT(5), 0 };
	strcpy(phys_to_virt(AT(4)), "a line of commands");
	strcpy(phys_to_virt(AT(5)), "/some/where/archive with arguments");
}

/* BI-4 */
START_TEST(pvh_is_read)
{
	pvh_setup();
	pvh_parse(AT(1));
	boot_check_modules();
	ck_assert_str_eq(boot_info.cmdline, "a line of commands");
	ck_assert_uint_eq(boot_info.rsdp, 0x1234);
	ck_assert_uint_eq(boot_info.rams, 2);
	ck_assert_uint_eq(boot_info.ram[1].base, AT(101));
	ck_assert_uint_eq(boot_info.modules, 1);
	ck_assert_str_eq(boot_info.module[0].name, "archive");
	ck_assert_uint_eq(boot_info.module[0].size, 5000);
}
END_TEST

static void parse(void *argument)
{
	(void)argument;
	pvh_parse(AT(1));
	boot_check_modules();
}

/* BI-5: each way to be wrong ends with its reason. */
START_TEST(pvh_refusals)
{
#define REFUSED(change, text) pvh_setup(); change; expect_panic(parse, NULL, text)
	REFUSED(info->magic++, "not started by a multiboot2 or PVH loader");
	REFUSED(info->version = 0, "tells of no memory");
	REFUSED(info->memory_entries = 0, "tells of no memory");
	REFUSED(info->memory_entries = UINT32_MAX, "memory map is broken");
	REFUSED(info->memory_map++, "memory map is broken");
	REFUSED(info->memory_map = 1ull << 40, "memory map lies out of reach");
	REFUSED(info->memory_entries = 4096; info->memory_map = AT(FRAMES - 1), "memory map lies out of reach");
	REFUSED(info->modules = 65, "list of 65 modules is broken");
	REFUSED(info->module_list = UINT64_MAX - 7, "list of modules lies out of reach");
	REFUSED(info->cmdline = 1ull << 50, "text lies out of reach");
	REFUSED(list[0].size = UINT64_MAX, "module 0 lies out of reach");
	REFUSED(list[0].base++, "is not page aligned");
	REFUSED(list[0].base = AT(499), "does not lie in RAM");
	REFUSED(list[0].base = AT(99), "does not lie in RAM");
	REFUSED(list[0].base = AT(700), "does not lie in RAM");
	REFUSED(info->modules = 2; list[1] = list[0]; list[1].base = AT(201), "overlap");
}
END_TEST

/* ---- bundles ------------------------------------------------------------------------------------------------- */
#define BUNDLE AT(300)
static struct bundle *bundle;

static void bundle_setup(void)
{
	setup();
	boot_add_ram(HOST_RAM_BASE, host_ram_size);
	memset(phys_to_virt(BUNDLE), 0xee, 8 * PAGE_SIZE_);
	bundle = phys_to_virt(BUNDLE);
	memcpy(bundle->magic, bundle_magic, sizeof bundle_magic);
	bundle->count = 3;
	bundle->entry[0] = (struct bundle_entry){ "init", PAGE_SIZE_, 5000 };
	bundle->entry[1] = (struct bundle_entry){ "nothing", 3 * PAGE_SIZE_, 0 };
	bundle->entry[2] = (struct bundle_entry){ "archive", 3 * PAGE_SIZE_, 100 };
	boot_add_module(AT(10), 10, "plain", SIZE_MAX);
	boot_add_module(BUNDLE, 3 * PAGE_SIZE_ + 100, "bundle", SIZE_MAX);
}

/* BI-6: a bundle's modules take its place, and nothing of them changes. */
START_TEST(bundle_is_unpacked)
{
	bundle_setup();
	boot_check_modules();
	boot_unpack_bundles();
	ck_assert_uint_eq(boot_info.modules, 4);
	ck_assert_str_eq(boot_info.module[0].name, "plain");
	ck_assert_str_eq(boot_info.module[1].name, "init");
	ck_assert_uint_eq(boot_info.module[1].base, BUNDLE + PAGE_SIZE_);
	ck_assert_uint_eq(boot_info.module[1].size, 5000);
	ck_assert_uint_eq(boot_info.module[2].size, 0);
	ck_assert_str_eq(boot_info.module[3].name, "archive");
	const u8 *byte = phys_to_virt(BUNDLE);
	ck_assert_uint_eq(byte[PAGE_SIZE_ + 4999], 0xee);
	for (u64 i = PAGE_SIZE_ + 5000; i < 4 * PAGE_SIZE_; i++)
		must(byte[i] == 0xee);
}
END_TEST

static void unpack_all(void *argument)
{
	(void)argument;
	boot_check_modules();
	boot_unpack_bundles();
}

static void add_modules(u32 n)
{
	for (u32 i = 0; i < n; i++)
		boot_add_module(AT(20 + i), 1, "m", SIZE_MAX);
}

/* BI-7 */
START_TEST(bundle_refusals)
{
#define BROKEN(change, text) bundle_setup(); change; expect_panic(unpack_all, NULL, text)
	BROKEN(bundle->count = UINT32_MAX, "4294967295 entries");
	BROKEN(boot_info.module[1].size = 20, "is broken: 20 bytes");
	BROKEN(boot_info.module[1].size = 100, "3 entries in 100 bytes");
	BROKEN(boot_info.module[1].size = 3 * PAGE_SIZE_ + 99, "entry 2, \"archive\"");
	BROKEN(memset(bundle->entry[1].name, 'x', 48), "name of entry 1");
	BROKEN(bundle->entry[0].name[0] = 0, "name of entry 0");
	BROKEN(bundle->entry[0].offset = 0, "offset 0x0");
	BROKEN(bundle->entry[0].offset++, "offset 0x1001");
	BROKEN(bundle->entry[0].offset = -PAGE_SIZE_, "offset 0xfffffffffffff000");
	BROKEN(bundle->entry[0].size = UINT64_MAX, "size 0xffffffffffffffff");
	BROKEN(bundle->entry[2].offset = 2 * PAGE_SIZE_, "entry 2, \"archive\"");
	BROKEN(add_modules(BOOT_MODULES - 3), "more than 64 boot modules");
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("bootinfo");
	add_test(s, ranges_agree_with_model);
	add_test(s, smallest_range_is_left_out);
	add_test(s, ranges_at_the_end);
	add_test(s, pvh_is_read);
	add_test(s, pvh_refusals);
	add_test(s, bundle_is_unpacked);
	add_test(s, bundle_refusals);
	return s;
}
