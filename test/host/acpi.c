/* SPDX-License-Identifier: BSD-2-Clause */
/* acpi.c: ACPI tables, whole and damaged: which CPUs are found in them. The x86-64 file itself is compiled here.
 * Whatever it asks of memory it gets as a copy of exactly that size, so that the sanitizer sees each byte too far. */
#include <stdlib.h>
#include <string.h>
#include "../../kernel/arch/x86_64/acpi.c"
#include "arch/arch.h"
#include "common/harness.h"

#define SIZE    0x100000u               /* the first MiB; the tables stand below what is scanned */
#define RSDP    0x1230u
#define RSDT    0x2000u
#define XSDT    0x3000u
#define OTHER   0x3801u                 /* not aligned, like the next */
#define MADT    0x4003u
#define COPIES  65536u

static u8 firmware[SIZE];
static u64 end;                         /* of what is in reach */
static void *copy[COPIES];
static unsigned copies;
static struct acpi_cpus cpus;

static const void *memory(paddr_t at, u64 size)
{
	if (at >= end || size > end - at || copies == COPIES)
		return NULL;
	void *p = malloc(size);
	memcpy(p, firmware + at, size);
	return copy[copies++] = p;
}

static void find(paddr_t rsdp, bool x2apic)
{
	acpi_find_cpus(rsdp, x2apic, memory, &cpus);
	while (copies)
		free(copy[--copies]);
}

/* ---- building ------------------------------------------------------------------------------------------------ */
static void put(u32 at, u64 value, u32 bytes) { memcpy(firmware + at, &value, bytes); }

static void seal(u32 at, u32 size, u32 sum_at)
{
	u8 sum = 0;
	firmware[at + sum_at] = 0;
	for (u32 i = 0; i < size; i++)
		sum = (u8)(sum + firmware[at + i]);
	firmware[at + sum_at] = (u8)-sum;
}

static void table_seal(u32 at) { seal(at, get32(firmware + at + 4), 9); }

static void table(u32 at, const char *signature, u32 size)
{
	memcpy(firmware + at, signature, 4);
	put(at + 4, size, 4);
	table_seal(at);
}

static void rsdp_seal(u32 at)
{
	seal(at, RSDP_OLD, 8);
	seal(at, RSDP_NEW, 32);
}

static void rsdp(u32 at, u8 revision)
{
	memcpy(firmware + at, "RSD PTR ", 8);
	firmware[at + 15] = revision;
	put(at + 16, RSDT, 4);
	put(at + 20, RSDP_NEW, 4);
	put(at + 24, revision >= 2 ? XSDT : 0, 8);
	rsdp_seal(at);
}

static u32 madt_end(void) { return MADT + get32(firmware + MADT + 4); }

static void entry(u8 type, u8 size, u32 id, u32 flags)
{
	u32 at = madt_end();
	memset(firmware + at, 0, size);
	firmware[at] = type;
	firmware[at + 1] = size;
	if (type == 0) {
		firmware[at + 3] = (u8)id;
		put(at + 4, flags, 4);
	} else {
		put(at + 4, id, 4);
		put(at + 8, flags, 4);
	}
	put(MADT + 4, at + size - MADT, 4);
	table_seal(MADT);
}

/* Both roots name some other table, then the MADT, which is empty. */
static void setup(void)
{
	memset(firmware, 0, sizeof firmware);
	end = SIZE;
	host_machine_init(16);
	rsdp(RSDP, 2);
	put(RSDT + HEADER, OTHER, 4);
	put(RSDT + HEADER + 4, MADT, 4);
	table(RSDT, "RSDT", HEADER + 8);
	put(XSDT + HEADER, OTHER, 8);
	put(XSDT + HEADER + 8, MADT, 8);
	table(XSDT, "XSDT", HEADER + 16);
	table(OTHER, "FACP", 244);
	table(MADT, "APIC", MADT_FIXED);
}

static void four_cpus(void)
{
	for (u32 i = 0; i < 4; i++)
		entry(0, 8, i * 2, 1);
}

static void expect(u32 count, const u32 *id)
{
	ck_assert_uint_eq(cpus.count, count);
	for (u32 i = 0; i < count; i++)
		ck_assert_uint_eq(cpus.apic_id[i], id[i]);
}

static void expect_four(void) { expect(4, (u32[]){ 0, 2, 4, 6 }); }
static bool said(const char *what) { return strstr(host_console(), what) != NULL; }

/* ---- whole tables -------------------------------------------------------------------------------------------- */

/* AC-1: enabled CPUs in the tables' order, by the new root and by the old one; nothing is complained of. */
START_TEST(cpus_of_both_roots)
{
	setup();
	four_cpus();
	find(RSDP, false);
	expect_four();
	rsdp(RSDP, 0);
	find(RSDP, false);
	expect_four();
	ck_assert_str_eq(host_console(), "");
}
END_TEST

/* AC-2: not enabled, named twice, entries of other types and longer ones than expected: each counts for what it is. */
START_TEST(entries)
{
	setup();
	entry(0, 8, 3, 1);
	entry(0, 8, 4, 0);
	entry(0, 8, 5, 2);                      /* can be enabled, is not */
	entry(1, 12, 0, 1);
	entry(9, 16, 7, 1);
	entry(0, 8, 3, 1);
	entry(0, 20, 9, 1);
	entry(9, 16, 3, 1);
	entry(127, 2, 0, 0);
	find(RSDP, false);
	expect(3, (u32[]){ 3, 7, 9 });
}
END_TEST

/* AC-3: ids of more than eight bits are for a local APIC that has them. */
START_TEST(wide_ids)
{
	setup();
	entry(0, 8, 255, 1);                    /* nobody's */
	entry(9, 16, 255, 1);
	entry(9, 16, 300, 1);
	entry(9, 16, UINT32_MAX, 1);            /* everybody's */
	entry(9, 16, 1, 1);
	find(RSDP, false);
	expect(1, (u32[]){ 1 });
	ck_assert(said("cannot be reached"));
	find(RSDP, true);
	expect(3, (u32[]){ 255, 300, 1 });
}
END_TEST

/* AC-4: no loader named the root pointer: it is found in the extended BIOS data, else in the BIOS' own area. */
START_TEST(root_pointer_is_looked_for)
{
	setup();
	four_cpus();
	rsdp(0xf5670, 2);
	find(0, false);
	expect_four();
	memset(firmware + 0xf5670, 0, RSDP_NEW);
	find(0, false);
	expect(0, NULL);
	ck_assert(said("no table of CPUs"));
	put(EBDA_SEGMENT, 0x9fc0, 2);
	rsdp(0x9fc00 + 1024 - 48, 2);
	find(0, false);
	expect_four();
}
END_TEST

/* AC-5: more CPUs than there is room for: the first ones. */
START_TEST(too_many)
{
	setup();
	for (u32 i = 0; i < ACPI_CPUS_MAX + 9; i++)
		entry(9, 16, 1000 + i, 1);
	find(RSDP, true);
	ck_assert_uint_eq(cpus.count, ACPI_CPUS_MAX);
	ck_assert_uint_eq(cpus.apic_id[ACPI_CPUS_MAX - 1], 1000 + ACPI_CPUS_MAX - 1);
}
END_TEST

/* ---- damaged ones -------------------------------------------------------------------------------------------- */

/* AC-6: what has a wrong checksum, length or signature is not used; a damaged new root leaves the old one. */
START_TEST(damaged_tables)
{
	setup();
	four_cpus();
	firmware[XSDT + 30] ^= 1;
	find(RSDP, false);
	expect_four();
	ck_assert(said("a table is damaged (0x3000)"));
	firmware[RSDT + 30] ^= 1;
	find(RSDP, false);
	expect(0, NULL);

	setup();
	four_cpus();
	firmware[MADT + 50] ^= 4;
	find(RSDP, false);
	expect(0, NULL);
	for (u32 i = 0; i < 3; i++) {
		put(MADT + 4, (u32[]){ 0, HEADER - 1, UINT32_MAX }[i], 4);
		find(RSDP, false);
		expect(0, NULL);
	}

	setup();
	four_cpus();
	firmware[RSDP + 3] = 'x';
	rsdp_seal(RSDP);
	find(RSDP, false);
	expect(0, NULL);
	ck_assert(said("no root pointer"));
}
END_TEST

/* AC-7: a list that breaks off: what came before counts. */
START_TEST(broken_list)
{
	for (u32 length = 0; length < 256; length += length == 1 ? 16 : 1) {
		setup();
		entry(0, 8, 1, 1);
		entry(0, 8, 2, 1);
		entry(0, 8, 3, 1);
		firmware[MADT + MADT_FIXED + 8 + 1] = (u8)length;
		table_seal(MADT);
		find(RSDP, false);
		ck_assert_uint_ge(cpus.count, 1);
		ck_assert_uint_eq(cpus.apic_id[0], 1);
		ck_assert(length >= 2 || (cpus.count == 1 && said("breaks off at byte (0x34)")));
	}
	setup();
	entry(0, 8, 1, 1);
	entry(0, 8, 2, 1);
	put(MADT + 4, MADT_FIXED + 9, 4);
	table_seal(MADT);
	find(RSDP, false);
	expect(1, (u32[]){ 1 });
}
END_TEST

/* AC-8: memory that ends anywhere: no CPU that is not there, and the same ones where enough of it is in reach. */
START_TEST(cut_memory)
{
	setup();
	four_cpus();
	u32 whole = madt_end();
	for (end = 0; end < whole + 16; end++) {
		find(RSDP, false);
		ck_assert_uint_eq(cpus.count, end >= whole ? 4 : 0);
	}
}
END_TEST

/* AC-9: tables that name themselves, each other, or nothing but themselves a thousand times, end. */
START_TEST(circles)
{
	setup();
	u32 size = HEADER + 8 * 3000;
	for (u32 i = 0; i < 3000; i++)
		put(0x10000 + HEADER + 8 * i, i % 2 ? 0x10000 : UINT64_MAX - i, 8);
	table(0x10000, "XSDT", size);
	put(RSDP + 24, 0x10000, 8);
	put(RSDP + 16, RSDP, 4);
	rsdp_seal(RSDP);
	find(RSDP, false);
	expect(0, NULL);
	ck_assert(said("out of reach"));
	ck_assert_uint_lt(strlen(host_console()), 1000);
}
END_TEST

static void damage(void)
{
	static const u32 place[] = { RSDP, RSDT, XSDT, OTHER, MADT };
	static const u32 size[] = { RSDP_NEW, HEADER + 8, HEADER + 16, HEADER, 200 };
	for (u64 n = 1 + random_below(4); n; n--) {
		u64 which = random_below(5);
		u32 at = place[which] + (u32)random_below(size[which]);
		firmware[at] = (u8)(random_chance(50) ? random_below(256) : firmware[at] ^ 1u << random_below(8));
	}
}

/* Checksums right again where lengths allow, or the loop would see nothing but wrong checksums. */
static void reseal(void)
{
	static const u32 place[] = { RSDT, XSDT, MADT };
	for (u32 i = 0; i < 3; i++) {
		u32 length = get32(firmware + place[i] + 4);
		if (length >= HEADER && length < 0x1000)
			table_seal(place[i]);
	}
	rsdp_seal(RSDP);
}

/* AC-10: random damage: whatever comes out is a list of ids that can be reached, each once. */
START_TEST(random_damage)
{
	unsigned whole = 0, some = 0;
	for (unsigned round = 0; round < 20000; round++) {
		bool x2apic = random_chance(50);
		setup();
		four_cpus();
		entry(9, 16, 8, 1);
		entry(1, 12, 0, 1);
		damage();
		if (random_chance(80))
			reseal();
		if (random_chance(20))
			end = random_below(0x5000);
		find(random_chance(90) ? RSDP : random_below(SIZE), x2apic);
		must(cpus.count <= ACPI_CPUS_MAX);
		for (u32 i = 0; i < cpus.count; i++) {
			must(x2apic ? cpus.apic_id[i] != UINT32_MAX : cpus.apic_id[i] < APIC_ID_ALL);
			for (u32 j = 0; j < i; j++)
				must(cpus.apic_id[i] != cpus.apic_id[j]);
		}
		whole += cpus.count == 5;
		some += cpus.count != 0;
	}
	must(whole > 1000 && some > whole);
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("acpi");
	add_test(s, cpus_of_both_roots);
	add_test(s, entries);
	add_test(s, wide_ids);
	add_test(s, root_pointer_is_looked_for);
	add_test(s, too_many);
	add_test(s, damaged_tables);
	add_test(s, broken_list);
	add_test(s, cut_memory);
	add_test(s, circles);
	add_test(s, random_damage);
	return s;
}
