/* SPDX-License-Identifier: BSD-2-Clause */
/* frame.c: kernel/mem/frame, function by function and error by error, and random layouts of RAM against a bitmap. */
#include <string.h>
#include "common/harness.h"
#include "mem/account.h"
#include "mem/frame.h"

#define RAM  (HOST_RAM_BASE >> PAGE_SHIFT)      /* first frame of the machine */
#define MANY 4096u                              /* frames of it: 16 MiB */

static struct boot_range frames_range(u64 first, u64 count)
{
	return (struct boot_range){ first << PAGE_SHIFT, count << PAGE_SHIFT };
}

START_TEST(frame_counts)
{
	struct boot_info boot;
	u64 table = (RAM + MANY) * 24;

	host_machine_init(MANY);
	host_boot_info(&boot);
	frame_init(&boot);
	ck_assert_uint_eq(frame_count(), MANY);
	ck_assert_uint_eq(frame_table_bytes(), table);
	ck_assert_uint_eq(frame_count_free(), MANY - 1 - (table + PAGE_MASK) / PAGE_SIZE_);
	ck_assert_uint_eq(frame_count_modules(), 0);
	frame_check();
}
END_TEST

/* A machine whose RAM begins at 0: frame 0 stays. Only the layout is made; there is nothing behind the low range. */
START_TEST(frame_zero_is_kept)
{
	struct boot_info boot;
	u64 before;

	host_machine_init(MANY);
	host_boot_info(&boot);
	frame_init(&boot);
	before = frame_count_free();
	boot.ram[1] = boot.ram[0];
	boot.ram[0] = frames_range(0, 16);
	boot.rams = 2;
	frame_init(&boot);
	ck_assert_uint_eq(frame_count_free(), before + 15);
	ck_assert_uint_eq(frame_count(), MANY + 16);
	frame_check();
}
END_TEST

static void alloc_one(void *kind) { frame_alloc(*(enum frame_kind *)kind); }
static void free_one(void *pa) { frame_free(*(paddr_t *)pa); }

START_TEST(frame_alloc_entry)
{
	enum frame_kind kinds[] = { FRAME_PAGE, FRAME_NODE, FRAME_SLAB, FRAME_OBJECT, FRAME_TABLE };

	machine_start(MANY);
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		u64 free = frame_count_free();
		paddr_t pa = frame_alloc(kinds[i]);
		struct frame *f = frame_of(pa);
		ck_assert(f->kind == kinds[i] && f->refs == 1 && !f->level && !f->state);
		ck_assert(!f->list.next && !f->list.prev && !f->list.owner);
		ck_assert_uint_eq(frame_addr(f), pa);
		ck_assert_uint_eq(*(u8 *)phys_to_virt(pa), MEM_POISON);
		ck_assert_uint_eq(frame_count_free(), free - 1);
		f->refs = 0;
		frame_free(pa);
		ck_assert(f->kind == FRAME_FREE);
		ck_assert_uint_eq(frame_count_free(), free);
		frame_check();
	}
}
END_TEST

START_TEST(frame_alloc_zeroed_clears)
{
	machine_start(MANY);
	for (unsigned round = 0; round < 2; round++) {          /* a fresh one, and one that was used */
		paddr_t pa = frame_alloc_zeroed(FRAME_PAGE);
		u8 *byte = phys_to_virt(pa);
		for (unsigned i = 0; i < PAGE_SIZE_; i++)
			must(byte[i] == 0);
		memset(byte, 0x77, PAGE_SIZE_);
		frame_free(pa);
	}
}
END_TEST

/* Each free frame can be had once, then none. */
START_TEST(frame_exhaustion)
{
	static bool seen[RAM + MANY];
	enum frame_kind kind = FRAME_NODE;

	machine_start(MANY);
	for (u64 n = frame_count_free(); n > 0; n--) {
		u64 number = frame_alloc(kind) >> PAGE_SHIFT;
		must(number > RAM && number < RAM + MANY && !seen[number]);
		must((u8 *)phys_to_virt(number << PAGE_SHIFT) >= (u8 *)frame_table + frame_table_bytes());
		seen[number] = true;
	}
	ck_assert_uint_eq(frame_count_free(), 0);
	frame_check();
	expect_panic(alloc_one, &kind, "free_frames > 0");
	for (u64 n = 0; n < RAM + MANY; n++)
		if (seen[n])
			frame_free(n << PAGE_SHIFT);
	frame_check();
}
END_TEST

static void free_twice(void *unused)
{
	(void)unused;
	paddr_t pa = frame_alloc(FRAME_PAGE);
	frame_free(pa);
	frame_free(pa);
}

static void free_shared(void *unused)
{
	(void)unused;
	paddr_t pa = frame_alloc(FRAME_PAGE);
	frame_of(pa)->refs = 2;
	frame_free(pa);
}

static void free_mapped(void *unused)
{
	(void)unused;
	paddr_t pa = frame_alloc(FRAME_PAGE);
	frame_of(pa)->page.mapped = 1;
	frame_free(pa);
}

static void write_after_free(void *unused)
{
	(void)unused;
	paddr_t pa = frame_alloc(FRAME_PAGE);
	frame_free(pa);
	((u8 *)phys_to_virt(pa))[1234] = 0;
	frame_alloc(FRAME_PAGE);
}

static void lose_one(void *unused)
{
	(void)unused;
	paddr_t pa = frame_alloc(FRAME_PAGE);
	frame_free(pa);
	frame_of(pa)->kind = FRAME_PAGE;
	frame_check();
}

START_TEST(frame_misuse)
{
	paddr_t root = HOST_RAM_BASE, unaligned, beyond = (RAM + MANY) << PAGE_SHIFT;

	machine_start(MANY);
	unaligned = frame_alloc(FRAME_PAGE) + 8;
	expect_panic(free_one, &root, "FRAME_NONE");
	expect_panic(free_one, &unaligned, "page_aligned");
	expect_panic(free_one, &beyond, "frame_table_len");
	expect_panic(free_twice, NULL, "FRAME_FREE");
	expect_panic(free_shared, NULL, "refs <= 1");
	expect_panic(free_mapped, NULL, "mapped == 0");
	expect_panic(write_after_free, NULL, "MEM_POISON");
	expect_panic(lose_one, NULL, "FRAME_FREE");
}
END_TEST

/* Modules are kept, then become pages, then free memory. */
START_TEST(frame_modules)
{
	struct boot_info boot;
	u64 free;

	host_machine_init(MANY);
	host_boot_info(&boot);
	boot.module[0] = (struct boot_module){ .base = (RAM + 100) << PAGE_SHIFT, .size = 3 * PAGE_SIZE_ + 1 };
	boot.module[1] = (struct boot_module){ .base = (RAM + 104) << PAGE_SHIFT, .size = 0 };
	boot.module[2] = (struct boot_module){ .base = (RAM + 110) << PAGE_SHIFT, .size = PAGE_SIZE_ };   /* none: of two */
	boot.modules = 2;
	memset(phys_to_virt(boot.module[0].base), 0x42, boot.module[0].size);
	frame_init(&boot);
	account_init();
	free = frame_count_free();
	ck_assert_uint_eq(frame_count_modules(), 4);
	ck_assert_uint_eq(account_root()->total, free + 4 - ACCOUNT_MARGIN);
	for (u64 n = 0; n < 4; n++) {
		paddr_t pa = (RAM + 100 + n) << PAGE_SHIFT;
		ck_assert(frame_of(pa)->kind == FRAME_MODULE);
		expect_panic(free_one, &pa, "FRAME_MODULE");
		ck_assert_int_eq(account_charge(account_root(), 1), SYS_OK);
		frame_take_module(pa);
		ck_assert(frame_of(pa)->kind == FRAME_PAGE && frame_of(pa)->refs == 1);
		ck_assert_uint_eq(*(u8 *)phys_to_virt(pa), 0x42);
		frame_check();
		account_check_all();
	}
	ck_assert(frame_of((RAM + 104) << PAGE_SHIFT)->kind == FRAME_NONE);
	for (u64 n = 0; n < 4; n++) {
		frame_free((RAM + 100 + n) << PAGE_SHIFT);
		account_uncharge(account_root(), 1);
		frame_check();
		account_check_all();
	}
	ck_assert_uint_eq(frame_count_free(), free + 4);
}
END_TEST

static void init_from(void *boot) { frame_init(boot); }

static void take_no_module(void *unused)
{
	(void)unused;
	frame_take_module(frame_alloc(FRAME_PAGE));
}

START_TEST(frame_take_module_misuse)
{
	machine_start(MANY);
	expect_panic(take_no_module, NULL, "FRAME_MODULE");
}
END_TEST

/* MEM_MINIMUM free is enough, one frame less is not; the text says how much there is. */
START_TEST(too_little_memory)
{
	struct boot_info boot;
	u64 table = (RAM + 2048) * 24 / PAGE_SIZE_ + 1; /* frames */

	host_machine_init(2048 + 100);
	host_boot_info(&boot);
	boot.ram[0].size = (2048 + 1 + table) * PAGE_SIZE_;     /* one is taken */
	frame_init(&boot);
	ck_assert_uint_eq(frame_count_free(), 2048);
	boot.ram[0].size -= PAGE_SIZE_;
	expect_panic(init_from, &boot,
		"too little memory: 8188 KiB free after the kernel and its modules, 8192 KiB needed");
	boot.ram[0].size = 3 * PAGE_SIZE_;
	expect_panic(init_from, &boot,
		"too little memory: 0 KiB free after the kernel and its modules, 8192 KiB needed");
	boot.rams = 0;
	expect_panic(init_from, &boot, "too little memory: 0 KiB free");
}
END_TEST

/* The table must lie in one piece: memory in splinters is no use. */
START_TEST(no_room_for_table)
{
	struct boot_info boot;
	u64 at = RAM;

	host_machine_init(MANY);
	host_boot_info(&boot);
	boot.takens = 0;
	for (boot.rams = 0; boot.rams < BOOT_RANGES; boot.rams++, at += 40)
		boot.ram[boot.rams] = frames_range(at, 35);
	boot.ram[BOOT_RANGES - 1].base = 0x40000000;            /* far up: a table of more than 35 frames */
	expect_panic(init_from, &boot, "too little memory");
}
END_TEST

/* Random ranges: what is given out is RAM that nobody has, less the table. */
START_TEST(random_layouts)
{
	for (unsigned round = 0; round < 60; round++) {
		struct boot_info boot = { .rams = 0 };
		bool usable[MANY] = { false }, module[MANY] = { false };
		u64 free = 0, table;

		host_machine_init(MANY);
		for (u64 at = random_below(8); at < MANY && boot.rams < 40;) {
			u64 len = 1 + random_below(round % 2 ? 3000 : 600);
			len = MIN(len, MANY - at);
			boot.ram[boot.rams++] = frames_range(RAM + at, len);
			memset(usable + at, true, len);
			at += len + random_below(4);
		}
		for (u32 takens = round % 3 ? (u32)random_below(20) : BOOT_RANGES; boot.takens < takens; boot.takens++) {      /* not aligned, overlapping, empty, half outside */
			u64 base = HOST_RAM_BASE + random_below(MANY << PAGE_SHIFT), size = random_below(20000);
			boot.taken[boot.takens] = (struct boot_range){ base, size };
			for (u64 n = base >> PAGE_SHIFT; n << PAGE_SHIFT < base + size; n++)
				if (n < RAM + MANY)
					usable[n - RAM] = false;
		}
		while (boot.modules < 10) {
			u64 first = random_below(MANY), len = 1 + random_below(20), good = 0;
			for (u64 n = first; n < MIN(first + len, MANY); n++)
				good += usable[n] && !module[n];
			if (good < len)
				continue;
			boot.module[boot.modules++] = (struct boot_module){ .base = (RAM + first) << PAGE_SHIFT,
				.size = (len << PAGE_SHIFT) - random_below(PAGE_SIZE_) };
			memset(module + first, true, len);
		}
		frame_init(&boot);
		frame_check();
		table = (frame_table_bytes() + PAGE_MASK) >> PAGE_SHIFT;
		for (u64 n = 0; n < MANY; n++) {
			must((frame_table[RAM + n].kind == FRAME_MODULE) == module[n]);
			free += usable[n] && !module[n];
		}
		must(frame_count_free() == free - table);
		for (u64 n = frame_count_free(); n > 0; n--) {
			u64 at = (frame_alloc(FRAME_PAGE) >> PAGE_SHIFT) - RAM;
			must(at < MANY && usable[at] && !module[at]);
			usable[at] = false;
		}
		frame_check();
		for (u64 n = 0; n < MANY; n++) {                        /* what is left are modules and the table */
			u64 into = ((RAM + n) << PAGE_SHIFT) - virt_to_phys(frame_table);
			must(!usable[n] || module[n] || into < table << PAGE_SHIFT);
		}
	}
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("frame");
	add_test(s, frame_counts);
	add_test(s, frame_zero_is_kept);
	add_test(s, frame_alloc_entry);
	add_test(s, frame_alloc_zeroed_clears);
	add_test(s, frame_exhaustion);
	add_test(s, frame_misuse);
	add_test(s, frame_modules);
	add_test(s, frame_take_module_misuse);
	add_test(s, too_little_memory);
	add_test(s, no_room_for_table);
	add_test(s, random_layouts);
	return s;
}
