/* SPDX-License-Identifier: BSD-2-Clause */
/* acpi.c: reads the ACPI tables for the one thing that is asked of them: which CPUs there are.
 *
 *   RSDP -> XSDT (addresses of 64 bits) or RSDT (of 32) -> MADT: a list of entries { u8 type, u8 length, ... }
 *
 * The tables are input: bytes at any alignment, whose lengths and addresses are checked before they are used, and
 * whose checksums must be right. Everything that is read comes from `memory`, which knows what is in reach. Loops are
 * bounded by TABLE_MAX, what is said of it by SAID_MAX. Pure: the host's tests feed it damaged tables. The boot CPU alone.
 */
#include "arch/x86_64/acpi.h"
#include "lib/print.h"
#include "lib/string.h"

#define TABLE_MAX   (1u << 18)          /* a longer table is taken as damaged */
#define SAID_MAX    8u                  /* complaints; the rest is passed over in silence */
#define HEADER      36u                 /* signature, length, revision, checksum, and names */
#define RSDP_OLD    20u                 /* the part that the first checksum covers */
#define RSDP_NEW    36u
#define MADT_FIXED  44u                 /* header, the local APICs' address, flags */
#define CPU_ENABLED 1u
#define APIC_ID_ALL 0xffu

#define EBDA_SEGMENT 0x40eu             /* the word in BIOS' data that says where its extended data is */
#define EBDA_SCAN    1024u
#define BIOS_START   0xe0000u
#define BIOS_SIZE    0x20000u

struct scan { acpi_memory *memory; bool x2apic; unsigned said; struct acpi_cpus *out; };

BOOT static void complain(struct scan *s, const char *what, u64 value)
{
	if (s->said++ < SAID_MAX)
		kprintf("vellum: ACPI: %s (0x%lx)\n", what, value);
}

/* ---- bytes --------------------------------------------------------------------------------------------------- */
typedef u32 any32 __attribute__((aligned(1)));
typedef u64 any64 __attribute__((aligned(1)));
static u32 get32(const u8 *at) { return *(const any32 *)at; }
static u64 get64(const u8 *at) { return *(const any64 *)at; }

BOOT static bool sum_is_zero(const u8 *at, u32 size)
{
	u8 sum = 0;
	for (u32 i = 0; i < size; i++)
		sum = (u8)(sum + at[i]);
	return sum == 0;
}

/* ---- the root pointer ---------------------------------------------------------------------------------------- */
BOOT static const u8 *rsdp_at(struct scan *s, paddr_t at)
{
	const u8 *p = s->memory(at, RSDP_OLD);
	return p && memcmp(p, "RSD PTR ", 8) == 0 && sum_is_zero(p, RSDP_OLD) ? p : NULL;
}

BOOT static paddr_t rsdp_scan(struct scan *s, paddr_t from, u32 size)
{
	for (u32 at = 0; at + RSDP_OLD <= size; at += 16)
		if (rsdp_at(s, from + at))
			return from + at;
	return 0;
}

BOOT static paddr_t rsdp_find(struct scan *s)
{
	const u8 *segment = s->memory(EBDA_SEGMENT, 2);
	paddr_t ebda = segment ? (paddr_t)(segment[0] | segment[1] << 8) << 4 : 0;
	paddr_t found = ebda ? rsdp_scan(s, ebda, EBDA_SCAN) : 0;
	return found ? found : rsdp_scan(s, BIOS_START, BIOS_SIZE);
}

/* ---- tables -------------------------------------------------------------------------------------------------- */
/* A whole and undamaged table with this signature, or NULL: it says so, but where it is merely another table. */
BOOT static const u8 *table_at(struct scan *s, paddr_t at, const char *signature, u32 *size)
{
	const u8 *t = s->memory(at, HEADER);
	if (!t)
		complain(s, "a table lies out of reach", at);
	if (!t || memcmp(t, signature, 4) != 0)
		return NULL;
	*size = get32(t + 4);
	t = *size >= HEADER && *size <= TABLE_MAX ? s->memory(at, *size) : NULL;
	if (t && sum_is_zero(t, *size))
		return t;
	complain(s, "a table is damaged", at);
	return NULL;
}

/* The first good MADT that the root table names. */
BOOT static const u8 *madt_below(struct scan *s, paddr_t root, bool wide, u32 *size)
{
	u32 root_size, step = wide ? 8 : 4;
	const u8 *r = table_at(s, root, wide ? "XSDT" : "RSDT", &root_size);
	if (!r)
		return NULL;
	for (u32 at = HEADER; at + step <= root_size; at += step) {
		paddr_t where = wide ? get64(r + at) : get32(r + at);
		const u8 *madt = where ? table_at(s, where, "APIC", size) : NULL;
		if (madt)
			return madt;
	}
	return NULL;
}

BOOT static const u8 *madt_find(struct scan *s, paddr_t rsdp, u32 *size)
{
	const u8 *p = rsdp_at(s, rsdp), *madt = NULL;
	if (!p) {
		complain(s, "no root pointer is where the loader says", rsdp);
		return NULL;
	}
	u32 rsdt = get32(p + 16);
	const u8 *whole = p[15] >= 2 ? s->memory(rsdp, RSDP_NEW) : NULL;
	if (whole && sum_is_zero(whole, RSDP_NEW) && get64(whole + 24))
		madt = madt_below(s, get64(whole + 24), true, size);
	return madt || !rsdt ? madt : madt_below(s, rsdt, false, size);
}

/* ---- CPUs ---------------------------------------------------------------------------------------------------- */
BOOT static void cpu_add(struct scan *s, u32 apic_id, u32 flags)
{
	struct acpi_cpus *out = s->out;
	if (!(flags & CPU_ENABLED))
		return;
	if (apic_id >= APIC_ID_ALL && (!s->x2apic || apic_id == UINT32_MAX)) {
		complain(s, "a CPU cannot be reached by its APIC id", apic_id);
		return;
	}
	for (u32 i = 0; i < out->count; i++)
		if (out->apic_id[i] == apic_id)
			return;
	if (out->count < ACPI_CPUS_MAX)
		out->apic_id[out->count++] = apic_id;
}

BOOT static void read_entry(struct scan *s, const u8 *e)
{
	if (e[0] == 0 && e[1] >= 8)                     /* local APIC: an id of eight bits, 255 is nobody's */
		cpu_add(s, e[3], e[3] == APIC_ID_ALL ? 0 : get32(e + 4));
	else if (e[0] == 9 && e[1] >= 16)               /* local x2APIC */
		cpu_add(s, get32(e + 4), get32(e + 8));
}

BOOT static void read_madt(struct scan *s, const u8 *madt, u32 size)
{
	for (u32 at = MADT_FIXED; at < size; at += madt[at + 1]) {
		if (size - at < 2 || madt[at + 1] < 2 || madt[at + 1] > size - at) {
			complain(s, "the list of CPUs breaks off at byte", at);
			return;
		}
		read_entry(s, madt + at);
	}
}

BOOT void acpi_find_cpus(paddr_t rsdp, bool x2apic, acpi_memory *memory, struct acpi_cpus *out)
{
	struct scan s = { .memory = memory, .x2apic = x2apic, .out = out };
	u32 size = 0;
	out->count = 0;
	if (!rsdp)
		rsdp = rsdp_find(&s);
	const u8 *madt = rsdp ? madt_find(&s, rsdp, &size) : NULL;
	if (madt)
		read_madt(&s, madt, size);
	else
		complain(&s, "no table of CPUs", rsdp);
}
