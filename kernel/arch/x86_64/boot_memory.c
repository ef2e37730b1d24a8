/* SPDX-License-Identifier: BSD-2-Clause */
/* boot_memory.c: which memory there is, and the kernel's own page tables.
 *
 *   root[256]  physmap: all RAM, RW NX; pages of 1 GiB where they are whole and the CPU has them, else of 2 MiB. The
 *              image's own 2 MiB are mapped by 4 KiB, and its code and read-only data are read-only there too.
 *   root[511]  -> [510] -> [1] -> image: boot and text RX, rodata R, the rest RW NX; the pages below stacks are not
 *              mapped; the last page: the APIC.
 *                        -> [2] [3] -> stacks and blocks of the other CPUs, RW NX (boot_map_cpu)
 *
 * CPUs begin below 1 MiB, in real mode, and come up through a root of their own that has the first 2 MiB, to read and
 * execute, besides the kernel's half (boot_take_low, boot_low_root).
 *
 * Tables that the image has no room for come from RAM behind it, past the modules, and are noted as taken.
 * When boot is over the image's first pages go (arch_boot_over): they are not mapped as code any more, and become
 * writable in the physmap.
 * The boot CPU alone; pages are global, but for those, so that a new CR3 is enough to forget them. arch_boot_over(),
 * arch_check(): kernel lock.
 */
#include "arch/x86_64/boot.h"
#include "arch/x86_64/cpu.h"
#include "lib/assert.h"
#include "lib/print.h"
#include "lib/string.h"

#define LOWEST  PAGE_SIZE_              /* physical address 0 is nothing, and the first page the firmware's */
#define MIB2    (1ull << 21)
#define GIB     (1ull << 30)
#define EARLY_END (4 * GIB)             /* what boot.S has mapped */
#define LOW_END 0xa0000u                /* the end of RAM in the first MiB */

#define P_PRESENT  (1ull << 0)
#define P_WRITE    (1ull << 1)
#define P_USER     (1ull << 2)
#define P_UNCACHED (3ull << 3)
#define P_LARGE    (1ull << 7)
#define P_GLOBAL   (1ull << 8)
#define P_NOEXEC   (1ull << 63)
#define P_TABLE    (P_PRESENT | P_WRITE)
#define P_DATA     (P_PRESENT | P_WRITE | P_GLOBAL | P_NOEXEC)
#define P_RODATA   (P_PRESENT | P_GLOBAL | P_NOEXEC)
#define P_TEXT     (P_PRESENT | P_GLOBAL)
#define P_FRAME    0x000ffffffffff000ull

typedef u64 table[512] __attribute__((aligned(PAGE_SIZE_)));
static table root, physmap_pdpt, physmap_first, physmap_image, image_pdpt, image_directory, image_table;

paddr_t mmu_kernel_root;
const u8 *kernel_code = kernel_start;

/* ---- ranges -------------------------------------------------------------------------------------------------- */
static u64 range_end(const struct boot_range *r) { return r->base + r->size; }

BOOT static void range_drop(struct boot_range *list, u32 *count, u32 i)
{
	memmove(list + i, list + i + 1, (--*count - i) * sizeof *list);
}

/* Puts [base, end) in its place; when the list is full, the smallest of all goes (and is named). */
BOOT static void range_insert(struct boot_range *list, u32 *count, u64 base, u64 end)
{
	if (*count == BOOT_RANGES) {
		u32 smallest = 0;
		for (u32 i = 1; i < *count; i++)
			if (list[i].size < list[smallest].size)
				smallest = i;
		struct boot_range lost = { base, end - base };
		if (list[smallest].size < lost.size) {
			lost = list[smallest];
			range_drop(list, count, smallest);
		}
		kprintf("vellum: more than %u ranges of memory: the one at 0x%lx (%lu KiB) is left out\n", BOOT_RANGES,
			lost.base, lost.size >> 10);
		if (*count == BOOT_RANGES)
			return;
	}
	u32 at = 0;
	while (at < *count && list[at].base < base)
		at++;
	memmove(list + at + 1, list + at, (*count - at) * sizeof *list);
	list[at] = (struct boot_range){ base, end - base };
	++*count;
}

/* Adds [base, end), joining it with what it touches or overlaps. */
BOOT static void range_add(struct boot_range *list, u32 *count, u64 base, u64 end)
{
	for (u32 i = 0; i < *count;) {
		if (list[i].base > end || range_end(&list[i]) < base) {
			i++;
			continue;
		}
		base = MIN(base, list[i].base);
		end = MAX(end, range_end(&list[i]));
		range_drop(list, count, i);
	}
	range_insert(list, count, base, end);
}

static u64 end_of(u64 base, u64 size) { return size > PHYSMAP_SIZE - base ? PHYSMAP_SIZE : base + size; }

BOOT void boot_add_ram(u64 base, u64 size)
{
	if (base >= PHYSMAP_SIZE)
		return;
	u64 end = end_of(base, size) & ~PAGE_MASK;
	base = MAX(page_up(base), LOWEST);
	if (base < end)
		range_add(boot_info.ram, &boot_info.rams, base, end);
}

BOOT void boot_reserve(u64 base, u64 size)
{
	if (base >= PHYSMAP_SIZE || size == 0)
		return;
	u64 end = page_up(end_of(base, size));
	base &= ~PAGE_MASK;
	for (u32 i = 0; i < boot_info.rams;) {
		struct boot_range r = boot_info.ram[i];
		u64 r_end = range_end(&r);
		if (end <= r.base || r_end <= base) {
			i++;
			continue;
		}
		range_drop(boot_info.ram, &boot_info.rams, i);
		if (r.base < base)
			range_insert(boot_info.ram, &boot_info.rams, r.base, base);
		if (end < r_end)
			range_insert(boot_info.ram, &boot_info.rams, end, r_end);
		i = 0;          /* bounded: what is left no longer overlaps */
	}
}

/* ---- tables -------------------------------------------------------------------------------------------------- */
/* If [at, at + a page) touches a module, the end of that module; else 0. */
BOOT static u64 module_there(u64 at)
{
	for (u32 i = 0; i < boot_info.modules; i++) {
		const struct boot_module *m = &boot_info.module[i];
		if (at + PAGE_SIZE_ > m->base && at < page_up(m->base + m->size))
			return page_up(m->base + m->size);
	}
	return 0;
}

/* The first frame of [from, limit) that is RAM and no module's, noted as taken; 0: none. */
BOOT static paddr_t take_between(u64 from, u64 limit)
{
	for (u32 i = 0; i < boot_info.rams; i++) {
		u64 end = MIN(range_end(&boot_info.ram[i]), limit), skip;
		u64 at = MAX(from, boot_info.ram[i].base);
		while (at < end && (skip = module_there(at)))
			at = skip;
		if (at >= end)
			continue;
		range_add(boot_info.taken, &boot_info.takens, at, at + PAGE_SIZE_);
		return at;
	}
	return 0;
}

/* The next free frame behind the image, that boot.S has mapped; zeroed. */
BOOT static paddr_t frame_take(void)
{
	static u64 next;
	paddr_t at = take_between(MAX(next, image_phys(early_end)), EARLY_END);
	if (!at)
		refuse("too little memory for the kernel's page tables");
	next = at + PAGE_SIZE_;
	memset(phys_to_virt(at), 0, PAGE_SIZE_);
	return at;
}

BOOT static void map_ram(u64 base, u64 end, bool gib_pages)
{
	for (u64 at = base & ~(MIB2 - 1); at < end;) {
		u64 *upper = &physmap_pdpt[at / GIB];
		if (gib_pages && !*upper && at % GIB == 0 && at >= base && end - at >= GIB) {
			*upper = at | P_DATA | P_LARGE;
			at += GIB;
			continue;
		}
		if (!*upper)
			*upper = frame_take() | P_TABLE;
		u64 frame = *upper & P_FRAME;
		u64 *lower = frame == image_phys(physmap_first) ? physmap_first : phys_to_virt(frame);
		if (!lower[at % GIB / MIB2])
			lower[at % GIB / MIB2] = at | P_DATA | P_LARGE;
		at += MIB2;
	}
}

BOOT static void map_image(void)
{
	u64 base = (u64)kernel_start;
	for (u64 at = base; at < base + MIB2; at += PAGE_SIZE_) {
		u64 i = (at - base) / PAGE_SIZE_, frame = at - KERNEL_BASE;
		bool fixed = at < (u64)kernel_rodata_end;
		u64 all = at < (u64)kernel_boot_end ? ~P_GLOBAL : ~0ull;
		physmap_image[i] = (frame | (fixed ? P_RODATA : P_DATA)) & all;
		if (at < (u64)kernel_end)
			image_table[i] = (frame | (at < (u64)kernel_text_end ? P_TEXT : fixed ? P_RODATA : P_DATA)) & all;
	}
	image_table[((u64)cpu0_stacks.guard - base) / PAGE_SIZE_] = 0;
	image_table[((u64)cpu0_stacks.ist_guard - base) / PAGE_SIZE_] = 0;
	image_table[511] = (read_msr(MSR_APIC_BASE) & P_FRAME) | P_DATA | P_UNCACHED;
}

BOOT void boot_map_memory(void)
{
	bool gib_pages = cpu_has_gib_pages();
	paddr_t start = image_phys(kernel_start);
	boot_info.module[0].size = image_phys(kernel_boot_end) - start;
	range_add(boot_info.taken, &boot_info.takens, image_phys(kernel_boot_end), image_phys(kernel_end));

	map_image();
	physmap_first[start / MIB2] = image_phys(physmap_image) | P_TABLE;
	physmap_pdpt[0] = image_phys(physmap_first) | P_TABLE;
	for (u32 i = 0; i < boot_info.rams; i++)
		map_ram(boot_info.ram[i].base, range_end(&boot_info.ram[i]), gib_pages);
	image_directory[start / MIB2] = image_phys(image_table) | P_TABLE;
	image_pdpt[510] = image_phys(image_directory) | P_TABLE;
	root[256] = image_phys(physmap_pdpt) | P_TABLE;
	root[511] = image_phys(image_pdpt) | P_TABLE;

	mmu_kernel_root = image_phys(root);
	this_cpu()->root = mmu_kernel_root;
	WRITE_CR(3, mmu_kernel_root);
}

/* ---- other CPUs ---------------------------------------------------------------------------------------------- */
BOOT paddr_t boot_take_low(void) { return take_between(0, LOW_END); }

BOOT paddr_t boot_low_root(void)
{
	paddr_t low = frame_take(), pdpt = frame_take(), directory = frame_take();
	u64 *entry = phys_to_virt(low);
	entry[0] = pdpt | P_TABLE;
	entry[256] = root[256];
	entry[511] = root[511];
	*(u64 *)phys_to_virt(pdpt) = directory | P_TABLE;
	*(u64 *)phys_to_virt(directory) = P_PRESENT | P_LARGE;
	return low;
}

BOOT static void map_new(u64 at, u64 end)
{
	for (; at < end; at += PAGE_SIZE_) {
		u64 *upper = &image_directory[(at - KERNEL_BASE) / MIB2];
		if (!*upper)
			*upper = frame_take() | P_TABLE;
		((u64 *)phys_to_virt(*upper & P_FRAME))[at / PAGE_SIZE_ % 512] = frame_take() | P_DATA;
	}
}

/* Nothing is flushed: what was not present is in no TLB. */
BOOT void boot_map_cpu(unsigned number)
{
	const struct cpu_stacks *stacks = cpu_stacks(number);
	u64 block = (u64)cpu_block(number);
	map_new((u64)stacks->stack, (u64)stacks->ist_guard);
	map_new((u64)stacks->ist, (u64)(stacks + 1));
	map_new(block, block + CPU_SIZE);
}

/* ---- the end of boot ----------------------------------------------------------------------------------------- */
void arch_boot_over(void)
{
	for (u64 i = 0; kernel_code < kernel_boot_end; i++, kernel_code += PAGE_SIZE_) {
		image_table[i] = 0;
		physmap_image[i] |= P_WRITE;
	}
	mmu_flush_all(mmu_kernel_root);
	mmu_shootdown(mmu_kernel_root);
}

/* ---- walker -------------------------------------------------------------------------------------------------- */
struct tally { u64 writable, executable; };

/* allowed: the rights of the levels above, ANDed (P_NOEXEC: ORed). Depth: the four levels. */
static void check_table(const u64 *entry, unsigned level, unsigned first, u64 allowed, struct tally *tally)
{
	for (unsigned i = first; i < ARRAY_LEN(root); i++) {
		u64 rights = (entry[i] & allowed & (P_WRITE | P_USER)) | ((entry[i] | allowed) & P_NOEXEC);
		if (!(entry[i] & P_PRESENT))
			continue;
		if (level > 1 && !(entry[i] & P_LARGE)) {
			check_table(phys_to_virt(entry[i] & P_FRAME), level - 1, 0, rights, tally);
			continue;
		}
		ASSERT(!(rights & P_USER));
		ASSERT(!(rights & P_WRITE) || (rights & P_NOEXEC));
		tally->writable += (rights & P_WRITE) != 0;
		tally->executable += !(rights & P_NOEXEC);
	}
}

/* Every root shares the kernel's half, so looking at one is enough. */
void arch_check(void)
{
	struct tally tally = { 0, 0 };
	check_table(root, 4, ARRAY_LEN(root) / 2, P_WRITE | P_USER, &tally);
	ASSERT(tally.writable > 0 && tally.executable == (u64)(kernel_text_end - kernel_code) / PAGE_SIZE_);
	kprintf("vellum: kernel pages: %lu writable, %lu executable, none both\n", tally.writable, tally.executable);
}
