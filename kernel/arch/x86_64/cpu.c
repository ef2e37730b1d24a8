/* SPDX-License-Identifier: BSD-2-Clause */
/* cpu.c: what a CPU must have and how its features are set up. Each CPU for itself, before it runs anything. */
#include "arch/x86_64/cpu.h"
#include "lib/assert.h"
#include "lib/string.h"

#define CR0_MP (1u << 1)
#define CR0_EM (1u << 2)
#define CR0_TS (1u << 3)
#define CR0_NE (1u << 5)
#define CR0_WP (1u << 16)
#define CR0_AM (1u << 18)
#define CR0_NW (1u << 29)
#define CR0_CD (1u << 30)
#define CR4_PAE        (1u << 5)
#define CR4_MCE        (1u << 6)
#define CR4_PGE        (1u << 7)
#define CR4_OSFXSR     (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_UMIP       (1u << 11)
#define CR4_OSXSAVE    (1u << 18)
#define CR4_SMEP       (1u << 20)
#define CR4_SMAP       (1u << 21)
#define EFER_SCE       (1u << 0)
#define XCR0_X87_SSE   3u
#define XCR0_AVX       4u

#define FLAGS_CLEARED_BY_SYSCALL 0x254700u      /* TF IF DF NT RF AC ID */

/* ---- features ------------------------------------------------------------------------------------------------ */
static bool bit(u32 word, unsigned n) { return word >> n & 1; }

/* Words of CPUID, reduced to what this kernel looks at anywhere. */
enum { BASIC_C, BASIC_D, EXTENDED_D, LEAF7_B, LEAF7_C, FEATURE_WORDS };
struct features { u32 word[FEATURE_WORDS]; };
static const struct features relevant = { {
	[BASIC_C] = 1u << 21 | 1u << 24 | 1u << 26 | 1u << 28,          /* x2APIC, TSC deadline, XSAVE, AVX */
	[BASIC_D] = 1u << 4 | 1u << 5 | 1u << 9 | 1u << 13 | 1u << 24 | 1u << 26,
	[EXTENDED_D] = 1u << 11 | 1u << 20 | 1u << 26 | 1u << 29,       /* SYSCALL, NX, pages of 1 GiB, long mode */
	[LEAF7_B] = 1u << 7 | 1u << 20,                                 /* SMEP, SMAP */
	[LEAF7_C] = 1u << 2,                                            /* UMIP */
} };
static struct features features;        /* the boot CPU's; the others are set up for the same */

static struct features features_read(void)
{
	struct cpuid basic = cpuid(1, 0), extended = cpuid(0x80000001, 0), seven = { 0, 0, 0, 0 };
	if (cpuid(0, 0).a >= 7)
		seven = cpuid(7, 0);
	struct features f = { { basic.c, basic.d, extended.d, seven.b, seven.c } };
	for (unsigned i = 0; i < FEATURE_WORDS; i++)
		f.word[i] &= relevant.word[i];
	return f;
}

BOOT const char *cpu_missing(void)
{
	struct features f = features_read();
	if (!bit(f.word[BASIC_D], 4)) return "a time stamp counter";
	if (!bit(f.word[BASIC_D], 5)) return "model-specific registers";
	if (!bit(f.word[BASIC_D], 9)) return "a local APIC";
	if (!bit(f.word[BASIC_D], 13)) return "global pages";
	if (!bit(f.word[BASIC_D], 24)) return "FXSAVE";
	if (!bit(f.word[BASIC_D], 26)) return "SSE2";
	if (!bit(f.word[EXTENDED_D], 11)) return "the SYSCALL instruction";
	if (!bit(f.word[EXTENDED_D], 20)) return "NX (no-execute pages)";
	if (!bit(f.word[EXTENDED_D], 29)) return "64-bit long mode";
	return NULL;
}

BOOT void cpu_read_features(void) { features = features_read(); }

bool cpu_is_like_boot(void)
{
	struct features mine = features_read();
	for (unsigned i = 0; i < FEATURE_WORDS; i++)
		if (features.word[i] & ~mine.word[i])
			return false;
	return true;
}

BOOT bool cpu_has_gib_pages(void) { return bit(features.word[EXTENDED_D], 26); }
bool cpu_has_x2apic(void) { return bit(features.word[BASIC_C], 21); }
BOOT bool cpu_has_tsc_deadline(void) { return bit(features.word[BASIC_C], 24); }
u32 cpu_apic_id(void) { return cpu_has_x2apic() && cpuid(0, 0).a >= 0xb ? cpuid(0xb, 0).d : cpuid(1, 0).b >> 24; }

static void fpu_init(struct cpu *cpu)
{
	cpu->fpu_owner = &context_nobody;
	WRITE_CR(0, (READ_CR(0) & ~(u64)(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE);
	if (bit(features.word[BASIC_C], 26)) {
		WRITE_CR(4, READ_CR(4) | CR4_OSXSAVE);
		u32 state = bit(features.word[BASIC_C], 28) ? XCR0_X87_SSE | XCR0_AVX : XCR0_X87_SSE;
		__asm__ volatile ("xsetbv" :: "c"(0), "a"(state), "d"(0));
		ASSERT(cpuid(0xd, 0).b <= FPU_SIZE);
		cpu->xsave = 1;
	}
	__asm__ volatile ("fninit");
}

void cpu_init_features(void)
{
	WRITE_CR(0, (READ_CR(0) & ~(u64)(CR0_AM | CR0_NW | CR0_CD)) | CR0_WP);
	u64 cr4 = CR4_PAE | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	if (bit(features.word[LEAF7_B], 7)) cr4 |= CR4_SMEP;
	if (bit(features.word[LEAF7_B], 20)) cr4 |= CR4_SMAP;
	if (bit(features.word[LEAF7_C], 2)) cr4 |= CR4_UMIP;
	WRITE_CR(4, cr4);
	fpu_init(this_cpu());
	write_msr(MSR_PAT, PAT_VALUE);
	write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SCE);
	write_msr(MSR_STAR, (u64)SEL_KERNEL_CODE << 32 | (u64)(SEL_USER_DATA - 8) << 48);
	cpu_init_syscall();
	write_msr(MSR_FMASK, FLAGS_CLEARED_BY_SYSCALL);
	write_msr(MSR_KERNEL_GS, 0);
}

#define CACHE_LINE 64u                  /* of every x86-64 CPU there is */

void arch_cache_flush(paddr_t page)
{
	for (u8 *line = phys_to_virt(page), *end = line + PAGE_SIZE_; line < end; line += CACHE_LINE)
		__asm__ volatile ("clflush %0" : "+m"(*line));
	__asm__ volatile ("mfence" ::: "memory");
}

BOOT void cpu_brand(char *to, size_t size)
{
	char text[49] = "unnamed x86-64";
	if (cpuid(0x80000000, 0).a >= 0x80000004)
		for (u32 i = 0; i < 3; i++) {
			struct cpuid c = cpuid(0x80000002 + i, 0);
			memcpy(text + i * sizeof c, &c, sizeof c);
		}
	const char *from = text;
	while (*from == ' ')
		from++;
	size_t n = MIN(strlen(from), size - 1);
	while (n && from[n - 1] == ' ')
		n--;
	memcpy(to, from, n);
	to[n] = 0;
}

u64 arch_random(void)
{
	static u64 state;
	u64 value;
	bool ok = false;
	for (unsigned tries = 0; bit(cpuid(1, 0).c, 30) && !ok && tries < 10; tries++)
		__asm__ volatile ("rdrand %0; setc %1" : "=r"(value), "=qm"(ok));
	if (ok)
		return value;
	value = state = (state ^ arch_cycles()) + 0x9e3779b97f4a7c15;
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}
