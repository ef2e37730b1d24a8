/* SPDX-License-Identifier: BSD-2-Clause */
/* image_check.c: walker over the kernel's own half of the page tables: no page may be both written and executed, none is the user's. Every root shares
 * that half, so looking at one is enough. Kernel lock. */
#include "arch/arch.h"
#include "lib/assert.h"
#include "lib/print.h"

#define PRESENT (1ull << 0)
#define WRITE   (1ull << 1)
#define USER    (1ull << 2)
#define LARGE   (1ull << 7)
#define NOEXEC  (1ull << 63)
#define FRAME   0x000ffffffffff000ull
#define ENTRIES 512u

struct tally { u64 writable, executable; };

/* allowed: the rights of the levels above, ANDed (NOEXEC: ORed). Depth: the four levels. */
static void check_table(paddr_t table, unsigned level, unsigned first, u64 allowed, struct tally *tally)
{
	const u64 *entry = phys_to_virt(table);

	for (unsigned i = first; i < ENTRIES; i++) {
		u64 rights = (entry[i] & allowed & (WRITE | USER)) | ((entry[i] | allowed) & NOEXEC);

		if (!(entry[i] & PRESENT))
			continue;
		if (level > 1 && !(entry[i] & LARGE)) {
			check_table(entry[i] & FRAME, level - 1, 0, rights, tally);
			continue;
		}
		ASSERT(!(rights & USER));
		ASSERT(!(rights & WRITE) || (rights & NOEXEC));
		tally->writable += (rights & WRITE) != 0;
		tally->executable += !(rights & NOEXEC);
	}
}

void arch_check(void)
{
	struct tally tally = { 0, 0 };

	check_table(mmu_kernel_root, 4, ENTRIES / 2, WRITE | USER, &tally);
	ASSERT(tally.writable > 0 && tally.executable > 0);
	kprintf("vellum: kernel pages: %lu writable, %lu executable, none both\n", tally.writable, tally.executable);
}
