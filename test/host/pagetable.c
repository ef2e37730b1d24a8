/* SPDX-License-Identifier: BSD-2-Clause */
/* pagetable.c: the x86-64 page tables, on the host, against a model that is a flat array of entries.
 *
 * The model covers a few windows of the address space, chosen so that they share tables at every level and touch
 * both of its ends. After each operation the entry concerned is compared; every now and then everything is: entries,
 * the counts in the tables, the frames that tables take, and that nothing was flushed that need not be, on the CPU
 * that the test acts as and on a second one that has the same root loaded. Hardware's marks come in between.
 */
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include "arch/arch.h"
#include "arch/pagetable.h"
#include "common/harness.h"

#define FRAMES  4096u
#define WINDOWS 6u
#define PAGES   1024u                   /* of a window: two leaf tables, aligned */

static const vaddr_t window[WINDOWS] = {
	0, PT_SPAN * 2, PT_SPAN * 512, 1ull << 39, 0x123456ull << 22, PT_USER_TOP + PAGE_SIZE_ - PAGES * PAGE_SIZE_,
};
static struct pt_entry model[WINDOWS][PAGES];
static paddr_t free_frame[FRAMES], root;
static unsigned frees;

static u64 rnd(u64 below) { return random_below(below); }
static vaddr_t va_of(unsigned w, unsigned page) { return window[w] + page * PAGE_SIZE_; }
static unsigned pages_of(unsigned w) { return w == WINDOWS - 1 ? PAGES - 1 : PAGES; }

static void table_put(paddr_t table)
{
	for (unsigned i = 0; i < 512; i++)
		ck_assert_uint_eq(((u64 *)phys_to_virt(table))[i], 0);
	free_frame[frees++] = table;
}

static paddr_t table_take(void)
{
	ck_assert_uint_gt(frees, 0);
	return free_frame[--frees];
}

static void setup(void)
{
	host_machine_init(FRAMES);
	for (u64 i = FRAMES - 1; i > 0; i--)
		free_frame[frees++] = HOST_RAM_BASE + i * PAGE_SIZE_;
	root = table_take();
	pt_root_init(root);
	host_cpus_set(3);
	for (unsigned cpu = 0; cpu < 3; cpu++) {
		host_cpu_set(cpu);
		host_root_load(cpu < 2 ? root : mmu_kernel_root);
	}
	host_cpu_set(0);
}

/* The second CPU had to forget what it knew if `want`, else not; the third, which runs something else, never. */
static void shot_down(bool want)
{
	static u64 before;
	u64 now = host_shootdowns(1);
	ck_assert_uint_eq(now - before, want);
	ck_assert_uint_eq(host_shootdowns(2), 0);
	before = now;
}

static void entry_eq(struct pt_entry a, struct pt_entry b)
{
	ck_assert_uint_eq(a.flags, b.flags);
	ck_assert_uint_eq(a.frame, b.flags ? b.frame : 0);
}

/* Of a page whose tables are there. */
static u64 *entry_at(vaddr_t va)
{
	u64 *at = (u64 *)phys_to_virt(root) + (va >> 39);
	for (unsigned shift = 30; shift >= 12; shift -= 9)
		at = (u64 *)phys_to_virt(*at & 0x000ffffffffff000) + (va >> shift & 511);
	return at;
}

/* ---- a walk of its own through the tables, to count what pagetable.c counts ---------------------------------- */
static unsigned tables_seen, pages_seen;

static unsigned count_table(paddr_t table, unsigned level)
{
	const u64 *entry = phys_to_virt(table);
	unsigned used = 0, end = level == 4 ? 256 : 512;
	tables_seen++;
	for (unsigned i = 0; i < end; i++) {
		if (!entry[i])
			continue;
		used++;
		ck_assert_uint_eq(entry[i] & 5, 5);     /* present, user */
		if (level == 1)
			pages_seen++;
		else
			ck_assert_uint_eq(count_table(entry[i] & 0x000ffffffffff000, level - 1), entry[i] >> 52 & 1023);
	}
	ck_assert(used || level == 4);
	return used;
}

static void check_all(void)
{
	unsigned pages = 0;
	for (unsigned w = 0; w < WINDOWS; w++)
		for (unsigned p = 0; p < pages_of(w); p++) {
			entry_eq(pt_query(root, va_of(w, p)), model[w][p]);
			pages += model[w][p].flags != 0;
		}
	tables_seen = pages_seen = 0;
	count_table(root, 4);
	ck_assert_uint_eq(pages_seen, pages);
	ck_assert_uint_eq(tables_seen + frees, FRAMES - 1);
}

/* ---- operations, on the tables and on the model -------------------------------------------------------------- */
static void do_map(unsigned w, unsigned p)
{
	static const u32 kinds[] = {
		PT_READ, PT_READ | PT_WRITE, PT_READ | PT_EXEC, PT_READ | PT_WRITE | PT_DIRTY | PT_ACCESSED,
		PT_READ | PT_UNCACHED, PT_READ | PT_WRITE | PT_COMBINING,
	};
	/* any frame number that an entry can hold; or one of this machine's memory, which can be reached */
	paddr_t frame = rnd(2) ? rnd(1ull << 40) << PAGE_SHIFT : HOST_RAM_BASE + rnd(FRAMES) * PAGE_SIZE_;
	struct pt_entry new = { frame, kinds[rnd(6)] };
	if (model[w][p].flags && rnd(2))
		new.frame = model[w][p].frame;
	unsigned missing = pt_missing(root, va_of(w, p));
	paddr_t tables[3];
	u64 flushes = host_flushes_page;
	ck_assert_uint_le(missing, 3);
	for (unsigned i = 0; i < missing; i++)
		tables[i] = table_take();
	entry_eq(pt_map(root, va_of(w, p), new.frame, new.flags, tables), model[w][p]);
	ck_assert_uint_eq(host_flushes_page - flushes, model[w][p].flags != 0);
	ck_assert_uint_eq(pt_missing(root, va_of(w, p)), 0);
	struct pt_entry old = model[w][p];
	u32 lost = old.flags & ~new.flags & (PT_WRITE | PT_EXEC | PT_DIRTY);
	shot_down(old.flags && (lost || old.frame != new.frame || (old.flags ^ new.flags) & PT_UNCACHED));
	model[w][p] = new;
}

struct visit { unsigned w, at, end, keep, seen; };

/* The entries come in order, each once, with what they were; `keep` 0: removed. */
static void visited(void *context, vaddr_t va, struct pt_entry old)
{
	struct visit *v = context;
	while (v->at < v->end && (!model[v->w][v->at].flags ||
			(v->keep && !(model[v->w][v->at].flags & (PT_WRITE | PT_EXEC) & ~v->keep))))
		v->at++;
	ck_assert_uint_lt(v->at, v->end);
	ck_assert_uint_eq(va, va_of(v->w, v->at));
	entry_eq(old, model[v->w][v->at]);
	v->at++;
	v->seen++;
}

/* A range inside one leaf table. */
static struct visit range(unsigned w)
{
	unsigned half = rnd(2) * 512, from = rnd(512), to = from + 1 + rnd(rnd(4) ? MIN(40u, 512 - from) : 512 - from);
	unsigned limit = pages_of(w) - half;
	if (from >= limit)
		from = limit - 1;
	return (struct visit){ .w = w, .at = half + from, .end = half + MAX(from + 1, MIN(to, limit)) };
}

static void do_unmap(unsigned w)
{
	struct visit v = range(w);
	unsigned from = v.at, present = 0;
	struct pt_freed freed;
	u64 flushes = host_flushes_page, all = host_flushes_all;
	for (unsigned p = from; p < v.end; p++)
		present += model[w][p].flags != 0;
	pt_unmap(root, va_of(w, from), va_of(w, v.end), visited, &v, &freed);
	ck_assert_uint_eq(v.seen, present);
	ck_assert_uint_eq(host_flushes_all - all, present > 32);
	ck_assert(!present || host_flushes_page > flushes);
	shot_down(present != 0);
	for (unsigned p = from; p < v.end; p++)
		model[w][p] = (struct pt_entry){ 0, 0 };
	ck_assert_uint_le(freed.count, 3);
	for (unsigned i = 0; i < freed.count; i++) {
		ck_assert_uint_eq(freed.level[i], i + 1);
		table_put(freed.table[i]);
	}
}

static void do_restrict(unsigned w)
{
	static const u32 keeps[] = { PT_READ, PT_READ | PT_WRITE, PT_READ | PT_EXEC, PT_READ | PT_WRITE | PT_EXEC };
	struct visit v = range(w);
	unsigned from = v.at, changed = 0;
	v.keep = keeps[rnd(4)];
	for (unsigned p = from; p < v.end; p++)
		changed += model[w][p].flags && model[w][p].flags & (PT_WRITE | PT_EXEC) & ~v.keep;
	pt_restrict(root, va_of(w, from), va_of(w, v.end), v.keep, visited, &v);
	ck_assert_uint_eq(v.seen, changed);
	shot_down(changed != 0);
	for (unsigned p = from; p < v.end; p++)
		model[w][p].flags &= v.keep | ~(u32)(PT_READ | PT_WRITE | PT_EXEC);
}

static void do_access(unsigned w, unsigned p)
{
	u32 need = rnd(2) ? PT_READ : PT_READ | PT_WRITE;
	struct pt_entry *m = &model[w][p];
	u64 within = rnd(PAGE_SIZE_);
	bool memory = m->frame >= HOST_RAM_BASE && m->frame < HOST_RAM_BASE + FRAMES * PAGE_SIZE_;
	void *got;
	if ((m->flags & need) == need && !memory)
		return;
	got = pt_reach(root, va_of(w, p) + within, need);
	if ((m->flags & need) != need) {
		ck_assert_ptr_null(got);
		return;
	}
	m->flags |= need & PT_WRITE ? PT_ACCESSED | PT_DIRTY : PT_ACCESSED;
	ck_assert_ptr_eq(got, (u8 *)phys_to_virt(m->frame) + within);
}

/* What the memory management unit of any CPU does at any time. */
static void do_mark(unsigned w, unsigned p)
{
	struct pt_entry *m = &model[w][p];
	u32 marks = m->flags & PT_WRITE && rnd(2) ? PT_ACCESSED | PT_DIRTY : PT_ACCESSED;
	if (!m->flags)
		return;
	m->flags |= marks;
	*entry_at(va_of(w, p)) |= marks << 2;
}

static bool leaf_exists(unsigned w, unsigned half)
{
	for (unsigned p = half * 512; p < MIN(half * 512 + 512, pages_of(w)); p++)
		if (model[w][p].flags)
			return true;
	return false;
}

static void do_next(unsigned w, unsigned p)
{
	/* The windows rise, so the answer is va itself or the first later leaf table of any window. */
	vaddr_t va = va_of(w, p), want = PT_USER_TOP;
	for (unsigned i = w; i < WINDOWS && want == PT_USER_TOP; i++)
		for (unsigned half = i == w ? p / 512 : 0; half < 2 && want == PT_USER_TOP; half++)
			if (leaf_exists(i, half))
				want = MAX(va, va_of(i, half * 512));
	ck_assert_uint_eq(pt_next(root, va, PT_USER_TOP), want);
	ck_assert_uint_eq(pt_next(root, va, va + 1), want == va ? va : va + 1);
}

/* PT-1: random operations agree with the model, and what is taken apart leaves nothing behind. */
START_TEST(random_operations)
{
	setup();
	for (unsigned i = 0; i < 100000; i++) {
		unsigned w = rnd(WINDOWS), p = rnd(pages_of(w));
		switch (rnd(11)) {
		case 0: case 1: case 2: case 3: do_map(w, p); break;
		case 4: case 5: do_unmap(w); break;
		case 6: do_restrict(w); break;
		case 7: do_access(w, p); break;
		case 8: do_next(w, p); break;
		case 9: do_mark(w, p); break;
		default: entry_eq(pt_query(root, va_of(w, p)), model[w][p]); break;
		}
		if (i % 5000 == 0)
			check_all();
	}
	for (unsigned w = 0; w < WINDOWS; w++)
		for (unsigned half = 0; half < 2; half++) {
			struct pt_freed freed;
			vaddr_t va = va_of(w, half * 512);
			pt_unmap(root, va, MIN(va + PT_SPAN, PT_USER_TOP), NULL, NULL, &freed);
			for (unsigned i = 0; i < freed.count; i++)
				table_put(freed.table[i]);
		}
	memset(model, 0, sizeof model);
	check_all();
	ck_assert_uint_eq(frees, FRAMES - 2);
}
END_TEST

/* PT-2: a new root has the kernel's half and no other. */
START_TEST(root_has_kernel_half)
{
	setup();
	const u64 *entry = phys_to_virt(root), *kernel = phys_to_virt(mmu_kernel_root);
	for (unsigned i = 0; i < 512; i++)
		ck_assert_uint_eq(entry[i], i < 256 ? 0 : kernel[i]);
}
END_TEST

/* PT-3: a root that is not loaded is never flushed. */
START_TEST(other_root_is_not_flushed)
{
	setup();
	paddr_t tables[3] = { table_take(), table_take(), table_take() };
	struct pt_freed freed;
	host_root_load(mmu_kernel_root);
	pt_map(root, PT_SPAN, 0x5000, PT_READ | PT_WRITE, tables);
	pt_map(root, PT_SPAN, 0x6000, PT_READ | PT_WRITE, NULL);
	pt_restrict(root, PT_SPAN, PT_SPAN + 1, PT_READ, NULL, NULL);
	pt_unmap(root, PT_SPAN, PT_SPAN * 2, NULL, NULL, &freed);
	ck_assert_uint_eq(freed.count, 3);
	ck_assert_uint_eq(freed.table[0], tables[2]);
	ck_assert_uint_eq(freed.table[2], tables[0]);
	ck_assert_uint_eq(host_flushes_page + host_flushes_all, 0);
}
END_TEST

/* PT-4: a right that is taken away at an upper level is gone from queries and from copies. */
START_TEST(query_ands_levels)
{
	setup();
	paddr_t tables[3] = { table_take(), table_take(), table_take() };
	pt_map(root, 0x1000, table_take(), PT_READ | PT_WRITE, tables);
	ck_assert_ptr_nonnull(pt_reach(root, 0x1000, PT_WRITE));
	((u64 *)phys_to_virt(tables[0]))[0] &= ~2ull;
	ck_assert_uint_eq(pt_query(root, 0x1000).flags, PT_READ | PT_ACCESSED | PT_DIRTY);
	ck_assert_ptr_null(pt_reach(root, 0x1000, PT_WRITE));
	ck_assert_ptr_nonnull(pt_reach(root, 0x1000, PT_READ));
}
END_TEST

/* ---- marks that come just now -------------------------------------------------------------------------------- */
#define ROUNDS 4000u
#define FRAME_OF(round) (HOST_RAM_BASE + (paddr_t)(round) * PAGE_SIZE_)
static bool marked[ROUNDS], seen_dirty[ROUNDS], over;   /* by the number that the round's frame has */

/* Another CPU writes to the page all the time: each time that it can, it marks the entry, as one operation. */
static void *write_always(void *entry)
{
	u64 *at = entry;
	while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST)) {
		u64 e = __atomic_load_n(at, __ATOMIC_SEQ_CST);
		if ((e & 3) == 3 && !(e & 0x40) && __atomic_compare_exchange_n(at, &e, e | 0x60, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			marked[((e & 0x000ffffffffff000) - HOST_RAM_BASE) >> PAGE_SHIFT] = true;
	}
	return NULL;
}

static void note_dirty(void *round, vaddr_t va, struct pt_entry old)
{
	(void)va;
	seen_dirty[*(unsigned *)round] |= (old.flags & PT_DIRTY) != 0;
}

static void change_always(void)
{
	struct pt_freed freed;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct pt_entry old;
		must(pt_map_present(root, 0x1000, FRAME_OF(round), PT_READ | PT_WRITE, &old));
		if (round && round % 3 == 0)
			note_dirty(&(unsigned){ round - 1 }, 0, old);
		while (round % 64 == 0 && !__atomic_load_n(&marked[round], __ATOMIC_SEQ_CST))
			sched_yield();                          /* the other gets a CPU, and then runs beside this one */
		for (unsigned n = (unsigned)rnd(200); n; n--)
			__asm__ volatile ("" ::: "memory");
		if (rnd(2))
			pt_reach(root, 0x1000, PT_READ);
		if (rnd(2))
			pt_restrict(root, 0x1000, 0x2000, PT_READ, note_dirty, &round);
		if (round % 3 != 2)
			pt_unmap(root, 0x1000, 0x2000, note_dirty, &round, &freed);
	}
}

/* PT-5: whatever is done to an entry while another CPU writes through it, no write goes unseen. */
START_TEST(no_mark_is_lost)
{
	setup();
	paddr_t tables[3] = { table_take(), table_take(), table_take() };
	pt_map(root, 0x2000, 0x9000, PT_READ, tables);          /* the tables stay */
	for (unsigned time = 0; time < 5; time++) {
		pthread_t other;
		memset(marked, 0, sizeof marked);
		memset(seen_dirty, 0, sizeof seen_dirty);
		over = false;
		ck_assert_int_eq(pthread_create(&other, NULL, write_always, entry_at(0x1000)), 0);
		change_always();
		__atomic_store_n(&over, true, __ATOMIC_SEQ_CST);
		pthread_join(other, NULL);
		note_dirty(&(unsigned){ ROUNDS - 1 }, 0, pt_query(root, 0x1000));
		for (unsigned round = 0; round < ROUNDS; round++)
			must(!marked[round] || seen_dirty[round]);
	}
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("pagetable");
	add_test(s, random_operations);
	add_test(s, root_has_kernel_half);
	add_test(s, other_root_is_not_flushed);
	add_test(s, query_ands_levels);
	add_test(s, no_mark_is_lost);
	return s;
}
