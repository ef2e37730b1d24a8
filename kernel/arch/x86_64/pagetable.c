/* SPDX-License-Identifier: BSD-2-Clause */
/* pagetable.c: x86-64 page tables of user address spaces (arch/pagetable.h), 4 KiB pages.
 *
 *   root (level 4) -> level 3 -> level 2 -> leaf table (level 1) -> page          each: 512 entries of 8 bytes, 9
 *   bits of va
 *
 * Only the lower half of a root is this file's: the upper half is the kernel's and the same in all roots, fixed at
 * boot. An entry that names a table allows everything (write rights may be taken away there later: queries AND the
 * levels) and counts, in the bits that hardware ignores, the present entries of that table. No table below the root
 * is empty. Flushing: an entry that was not present is in no TLB, so only changes and removals flush, after the
 * change; other CPUs once at the end (mmu_shootdown), and not where an entry only allows more than before, which they
 * find out by a fault at worst. Their hardware marks entries accessed and dirty meanwhile, so an entry that is present
 * is changed by one atomic operation, and what it was is what that found. Also compiled for the host (test/host/machine). Lock: the kernel lock.
 */
#include "arch/arch.h"
#include "arch/pagetable.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "lib/words.h"

#define E_PRESENT  (1ull << 0)
#define E_WRITE    (1ull << 1)
#define E_USER     (1ull << 2)
#define E_CACHE    (3ull << 3)          /* PWT and PCD: an entry of the PAT, which cpu.c sets */
#define E_ACCESSED (1ull << 5)
#define E_DIRTY    (1ull << 6)
#define E_NOEXEC   (1ull << 63)
#define E_FRAME    0x000ffffffffff000ull
#define E_COUNT    52u
#define E_COUNT_ONE (1ull << E_COUNT)
#define E_COUNT_MASK (1023ull << E_COUNT)

#define ENTRIES 512u
#define FLUSH_MAX 32u                   /* removing more than this flushes the whole TLB instead of page by page */

/* The way to an entry: at[l] is the entry of the level-l table, at[1] that of the page. Valid from level 4 down to
 * `level`. */
struct way { u64 *at[PT_LEVELS + 1]; unsigned level; };

static unsigned index_of(vaddr_t va, unsigned level) { return va >> (PAGE_SHIFT + 9 * (level - 1)) & (ENTRIES - 1); }

static u64 *table_at(paddr_t table, vaddr_t va, unsigned level)
{
	return (u64 *)phys_to_virt(table & E_FRAME) + index_of(va, level);
}

/* Follows va as far down as tables exist; returns the AND of the rights of the entries that name tables. */
COLD static u64 walk(struct way *way, paddr_t root, vaddr_t va)
{
	u64 rights = E_PRESENT | E_WRITE | E_USER;
	DEBUG_ASSERT(va < PT_USER_TOP);
	way->level = PT_LEVELS;
	way->at[PT_LEVELS] = table_at(root, va, PT_LEVELS);
	while (way->level > 1 && *way->at[way->level] & E_PRESENT) {
		u64 entry = *way->at[way->level];
		rights &= entry;
		way->level--;
		way->at[way->level] = table_at(entry, va, way->level);
	}
	return rights;
}

/* The entry of va's page, without a loop: for what is done most. NULL: a table is missing. `above`: the entry that names the leaf table. */
static inline u64 *leaf_entry(paddr_t root, vaddr_t va, u64 *rights, u64 **above)
{
	u64 e4 = *table_at(root, va, 4), e3, e2;

	DEBUG_ASSERT(va < PT_USER_TOP);
	if (!(e4 & E_PRESENT) || !((e3 = *table_at(e4, va, 3)) & E_PRESENT))
		return NULL;
	*above = table_at(e3, va, 2);
	e2 = **above;
	*rights = e4 & e3 & e2;
	return e2 & E_PRESENT ? table_at(e2, va, 1) : NULL;
}

/* Puts `entry` in the place; returns what hardware left there. */
static inline u64 entry_swap(u64 *at, u64 entry) { return __atomic_exchange_n(at, entry, __ATOMIC_RELAXED); }

/* Must other CPUs forget `old`, now that the entry is `new`? If that is another page or allows less, or is not marked dirty any more: they would
 * reach what they must not, or write without a mark. */
static inline bool entry_outlived(u64 old, u64 new)
{
	u64 lost = (old & ~new & (E_WRITE | E_DIRTY)) | (new & ~old & E_NOEXEC);
	return (old & E_PRESENT) && (lost || ((old ^ new) & (E_FRAME | E_CACHE)));
}

/* Flags and entries have these bits in common, but for their places: then no bit is looked at by itself. */
#define USED (PT_ACCESSED | PT_DIRTY)
#define USED_SHIFT 2
#define CACHE_SHIFT 2
_Static_assert(E_WRITE == PT_WRITE && (u64)USED << USED_SHIFT == (E_ACCESSED | E_DIRTY) &&
               PT_UNCACHED >> CACHE_SHIFT == E_CACHE, "bits in common");

static inline u64 entry_make(paddr_t frame, u32 flags)
{
	u64 e = frame | E_PRESENT | E_USER | (flags & PT_WRITE) | (flags & USED) << USED_SHIFT;
	e |= (flags & PT_UNCACHED) >> CACHE_SHIFT;
	return flags & PT_EXEC ? e : e | E_NOEXEC;
}

static inline struct pt_entry entry_read(u64 e, u64 rights)
{
	if (!(e & E_PRESENT))
		return (struct pt_entry){ 0, 0 };
	u32 flags = PT_READ | (e & rights & E_WRITE) | (e >> USED_SHIFT & USED) | (e << CACHE_SHIFT & PT_UNCACHED);
	if (!(e & E_NOEXEC)) flags |= PT_EXEC;
	return (struct pt_entry){ e & E_FRAME, flags };
}

void pt_root_init(paddr_t root)
{
	size_t half = PAGE_SIZE_ / 2;
	memcpy((u8 *)phys_to_virt(root) + half, (u8 *)phys_to_virt(mmu_kernel_root) + half, half);
}

unsigned pt_missing(paddr_t root, vaddr_t va)
{
	struct way way;
	walk(&way, root, va);
	return way.level - 1;
}

struct pt_entry pt_map(paddr_t root, vaddr_t va, paddr_t frame, u32 flags, const paddr_t *tables)
{
	struct way way;
	struct pt_entry old = { 0, 0 };
	walk(&way, root, va);
	while (way.level > 1) {
		u64 *entry = way.at[way.level];
		*entry = *tables | E_PRESENT | E_WRITE | E_USER;
		if (way.level < PT_LEVELS)
			*way.at[way.level + 1] += E_COUNT_ONE;
		way.level--;
		way.at[way.level] = table_at(*tables++, va, way.level);
	}
	pt_map_present(root, va, frame, flags, &old);
	return old;
}

/* Apart, so that the way of what was not there needs few registers. True. */
static __attribute__((noinline)) bool entry_replaced(paddr_t root, vaddr_t va, u64 was, u64 new, u64 rights, struct pt_entry *old)
{
	mmu_flush_page(root, va);
	if (mmu_shared() && entry_outlived(was, new))
		mmu_shootdown(root);
	*old = entry_read(was, rights);
	return true;
}

bool pt_map_present(paddr_t root, vaddr_t va, paddr_t frame, u32 flags, struct pt_entry *old)
{
	u64 rights, *above, *entry = leaf_entry(root, va, &rights, &above);
	if (!entry)
		return false;
	DEBUG_ASSERT(page_aligned(frame) && (frame & ~E_FRAME) == 0 && flags & PT_READ);
	u64 new = entry_make(frame, flags), was = entry_swap(entry, new);
	if (was & E_PRESENT)
		return entry_replaced(root, va, was, new, rights, old);
	old->flags = 0;
	*above += E_COUNT_ONE;
	return true;
}

unsigned pt_absent(paddr_t root, vaddr_t va, unsigned max)
{
	u64 rights, *above, *entry = leaf_entry(root, va, &rights, &above);
	unsigned n = 0;
	max = entry ? MIN(max, ENTRIES - index_of(va, 1)) : 0;
	while (n < max && !(entry[n] & E_PRESENT))
		n++;
	return n;
}

void pt_map_absent(paddr_t root, vaddr_t va, const struct pt_entry *e, unsigned n)
{
	u64 rights, *above, *entry = leaf_entry(root, va, &rights, &above);
	if (!entry)
		return;
	*above += n * E_COUNT_ONE;
	for (; n > 0; n--, e++) {
		DEBUG_ASSERT(!(*entry & E_PRESENT));
		*entry++ = entry_make(e->frame, e->flags);
	}
}

struct pt_entry pt_query(paddr_t root, vaddr_t va)
{
	u64 rights, *above, *entry = leaf_entry(root, va, &rights, &above);
	return entry ? entry_read(*entry, rights) : (struct pt_entry){ 0, 0 };
}

COLD bool pt_harvest(paddr_t root, vaddr_t va, paddr_t frame)
{
	u64 rights, *above, *entry = leaf_entry(root, va, &rights, &above);
	if (!entry || (*entry & (E_FRAME | E_PRESENT)) != (frame | E_PRESENT))
		return false;
	if (!(__atomic_fetch_and(entry, ~E_ACCESSED, __ATOMIC_RELAXED) & E_ACCESSED))
		return false;
	mmu_flush_page(root, va);
	return true;
}

void *pt_reach(paddr_t root, vaddr_t va, u32 need)
{
	u64 rights, *above, *entry = leaf_entry(root, va, &rights, &above), e;
	u64 asked = need & PT_WRITE ? E_PRESENT | E_WRITE : E_PRESENT;
	u64 marks = need & PT_WRITE ? E_ACCESSED | E_DIRTY : E_ACCESSED;
	if (unlikely(!entry))
		return NULL;
	e = *entry;
	if (unlikely((e & rights & asked) != asked))
		return NULL;
	if (unlikely((e & marks) != marks))
		(void)__atomic_or_fetch(entry, marks, __ATOMIC_RELAXED);
	return (u8 *)phys_to_virt(e & E_FRAME) + (va & PAGE_MASK);
}

/* Hands back the leaf table and the tables above it that have become empty. */
static void free_empty(struct way *way, struct pt_freed *freed)
{
	for (unsigned level = 2; level <= PT_LEVELS; level++) {
		u64 *entry = way->at[level];
		if (*entry & E_COUNT_MASK)
			return;
		freed->table[freed->count] = *entry & E_FRAME;
		freed->level[freed->count++] = level - 1;
		*entry = 0;
		if (level < PT_LEVELS)
			*way->at[level + 1] -= E_COUNT_ONE;
	}
}

COLD void pt_unmap(paddr_t root, vaddr_t va, vaddr_t end, pt_visit *visit, void *context, struct pt_freed *freed)
{
	struct way way;
	u64 rights = walk(&way, root, va);
	unsigned removed = 0;
	freed->count = 0;
	DEBUG_ASSERT(va < end && (va & ~(PT_SPAN - 1)) == ((end - 1) & ~(PT_SPAN - 1)));
	if (way.level != 1)
		return;
	for (vaddr_t at = va; at < end; at += PAGE_SIZE_, way.at[1]++) {
		if (!(*way.at[1] & E_PRESENT))
			continue;
		u64 old = entry_swap(way.at[1], 0);
		*way.at[2] -= E_COUNT_ONE;
		if (++removed <= FLUSH_MAX)
			mmu_flush_page(root, at);
		if (visit)
			visit(context, at, entry_read(old, rights));
	}
	free_empty(&way, freed);
	if (removed > FLUSH_MAX)
		mmu_flush_all(root);
	else if (freed->count)
		mmu_flush_page(root, va);       /* the CPU may have kept the way to the tables that are gone */
	if (removed && mmu_shared())
		mmu_shootdown(root);
}

COLD void pt_restrict(paddr_t root, vaddr_t va, vaddr_t end, u32 keep, pt_visit *visit, void *context)
{
	struct way way;
	u64 rights = walk(&way, root, va);
	u64 clear = keep & PT_WRITE ? 0 : E_WRITE, set = keep & PT_EXEC ? 0 : E_NOEXEC;
	unsigned changed = 0;
	DEBUG_ASSERT(keep & PT_READ && va < end && (va & ~(PT_SPAN - 1)) == ((end - 1) & ~(PT_SPAN - 1)));
	if (way.level != 1)
		return;
	for (vaddr_t at = va; at < end; at += PAGE_SIZE_, way.at[1]++) {
		u64 old = *way.at[1];
		if (!(old & E_PRESENT) || ((old & ~clear) | set) == old)
			continue;
		while (!__atomic_compare_exchange_n(way.at[1], &old, (old & ~clear) | set, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			;
		if (++changed <= FLUSH_MAX)
			mmu_flush_page(root, at);
		if (visit)
			visit(context, at, entry_read(old, rights));
	}
	if (changed > FLUSH_MAX)
		mmu_flush_all(root);
	if (changed && mmu_shared())
		mmu_shootdown(root);
}

vaddr_t pt_next(paddr_t root, vaddr_t va, vaddr_t end)
{
	struct way way;
	while (va < end) {
		walk(&way, root, va);
		if (way.level == 1)
			return va;
		/* On to the table's next entry that is there, or to the next table; few times, since each table that exists leads to a leaf. */
		u64 span = PAGE_SIZE_ << 9 * (way.level - 1);
		unsigned at = index_of(va, way.level), next = words_zero(way.at[way.level] - at, at, ENTRIES);
		va = (va & ~(span - 1)) + (next - at) * span;
	}
	return end;
}
