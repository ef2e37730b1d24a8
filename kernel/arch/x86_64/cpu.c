/* SPDX-License-Identifier: BSD-2-Clause */
/* cpu.c: what the boot CPU must have and how it is set up; user contexts.
 * Kernel lock, and before that: the boot CPU alone. */
#include "arch/x86_64/cpu.h"
#include "arch/pagetable.h"
#include "lib/assert.h"
#include "lib/string.h"

#define CHECK_OFFSET(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #field)
CHECK_OFFSET(struct regs, rsi, R_RSI);
CHECK_OFFSET(struct regs, rdx, R_RDX);
CHECK_OFFSET(struct regs, r10, R_R10);
CHECK_OFFSET(struct regs, r8, R_R8);
CHECK_OFFSET(struct regs, r9, R_R9);
CHECK_OFFSET(struct regs, r12, R_R12);
CHECK_OFFSET(struct regs, r13, R_R13);
CHECK_OFFSET(struct regs, r14, R_R14);
CHECK_OFFSET(struct regs, r15, R_R15);
CHECK_OFFSET(struct regs, rax, R_RAX);
CHECK_OFFSET(struct regs, rbx, R_RBX);
CHECK_OFFSET(struct regs, rbp, R_RBP);
CHECK_OFFSET(struct regs, rcx, R_RCX);
CHECK_OFFSET(struct regs, r11, R_R11);
CHECK_OFFSET(struct regs, fs_base, R_FS);
CHECK_OFFSET(struct regs, gs_base, R_GS);
CHECK_OFFSET(struct regs, vector, R_VECTOR);
CHECK_OFFSET(struct regs, error, R_ERROR);
CHECK_OFFSET(struct regs, rip, R_RIP);
CHECK_OFFSET(struct regs, cs, R_CS);
CHECK_OFFSET(struct regs, rflags, R_RFLAGS);
CHECK_OFFSET(struct regs, rsp, R_RSP);
CHECK_OFFSET(struct regs, ss, R_SS);
CHECK_OFFSET(struct arch_context, root, C_ROOT);
CHECK_OFFSET(struct arch_context, fpu, C_FPU);
CHECK_OFFSET(struct cpu, self, CPU_SELF);
CHECK_OFFSET(struct cpu, current, CPU_CURRENT);
CHECK_OFFSET(struct cpu, user_rsp, CPU_USER_RSP);
CHECK_OFFSET(struct cpu, stack, CPU_STACK);
CHECK_OFFSET(struct cpu, fpu_owner, CPU_FPU);
CHECK_OFFSET(struct cpu, root, CPU_ROOT);
CHECK_OFFSET(struct cpu, user_gs, CPU_GS);
CHECK_OFFSET(struct cpu, xsave, CPU_XSAVE);
CHECK_OFFSET(struct cpu, pending, CPU_PENDING);
CHECK_OFFSET(struct cpu, number, CPU_NUMBER);
CHECK_OFFSET(struct cpu, tss.rsp[0], CPU_RSP0);
CHECK_OFFSET(struct cpu, area, CPU_AREA);
_Static_assert(sizeof(struct cpu) == CPU_SIZE, "whole pages");
_Static_assert(sizeof(struct regs) == R_SIZE && R_SIZE % 16 == 0, "traps start on the end of the registers");

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
#define FLAGS_USER 0x202u                       /* IF, and the bit that is always 1 */

struct cpu cpu0 __attribute__((aligned(PAGE_SIZE_)));
static struct arch_context nobody;       /* takes FPU state that nobody needs any more */
struct cpu_stacks cpu0_stacks __attribute__((aligned(PAGE_SIZE_)));

/* ---- descriptor tables --------------------------------------------------------------------------------------- */
struct gate { u16 offset0, selector; u8 ist, type; u16 offset1; u32 offset2, reserved; };
struct __attribute__((packed)) table_pointer { u16 limit; u64 base; };

static struct gate idt[256] __attribute__((aligned(16)));
extern u8 syscall_entry[], trap_stubs[], trap_stub_serial[], trap_stub_spurious_a[], trap_stub_spurious_b[],
	trap_stub_timer[], trap_stub_spurious[], trap_stub_stray[];

static void gate_set(unsigned vector, const u8 *stub, unsigned ist, unsigned privilege)
{
	u64 at = (u64)stub;
	idt[vector] = (struct gate){
		.offset0 = (u16)at, .offset1 = (u16)(at >> 16), .offset2 = (u32)(at >> 32),
		.selector = SEL_KERNEL_CODE, .ist = (u8)ist, .type = (u8)(0x8e | privilege << 5),
	};
}

static void idt_init(void)
{
	for (unsigned v = 0; v < VECTOR_STUBS; v++)
		gate_set(v, trap_stubs + v * TRAP_STUB_SIZE, 0, v == 3 ? 3 : 0);
	gate_set(2, trap_stubs + 2 * TRAP_STUB_SIZE, 1, 0);
	gate_set(8, trap_stubs + 8 * TRAP_STUB_SIZE, 2, 0);
	gate_set(18, trap_stubs + 18 * TRAP_STUB_SIZE, 3, 0);
	for (unsigned v = VECTOR_STUBS; v < ARRAY_LEN(idt); v++)
		gate_set(v, trap_stub_stray, 0, 0);
	gate_set(VECTOR_SERIAL, trap_stub_serial, 0, 0);
	gate_set(VECTOR_SPURIOUS_A, trap_stub_spurious_a, 0, 0);
	gate_set(VECTOR_SPURIOUS_B, trap_stub_spurious_b, 0, 0);
	gate_set(VECTOR_TIMER, trap_stub_timer, 0, 0);
	gate_set(VECTOR_SPURIOUS, trap_stub_spurious, 0, 0);
	struct table_pointer pointer = { sizeof idt - 1, (u64)idt };
	__asm__ volatile ("lidt %0" :: "m"(pointer));
}

static void gdt_init(struct cpu *cpu)
{
	u64 tss = (u64)&cpu->tss;
	cpu->gdt[SEL_KERNEL_CODE / 8] = 0x00af9b000000ffff;
	cpu->gdt[SEL_KERNEL_DATA / 8] = 0x00cf93000000ffff;
	cpu->gdt[SEL_USER_DATA / 8] = 0x00cff3000000ffff;
	cpu->gdt[SEL_USER_CODE / 8] = 0x00affb000000ffff;
	cpu->gdt[SEL_TSS / 8] = (sizeof cpu->tss - 1) | (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
	cpu->gdt[SEL_TSS / 8] |= 0x89ull << 40;         /* present, available TSS */
	cpu->gdt[SEL_TSS / 8 + 1] = tss >> 32;
	struct table_pointer pointer = { sizeof cpu->gdt - 1, (u64)cpu->gdt };
	__asm__ volatile ("lgdt %0" :: "m"(pointer));
	__asm__ volatile ("ltr %w0" :: "r"(SEL_TSS));
}

void cpu_init_traps(void)
{
	struct cpu *cpu = &cpu0;
	cpu->self = cpu;
	cpu->stack = (u64)cpu0_stacks.stack + STACK_SIZE;
	cpu->root = READ_CR(3);
	cpu->tss.io_map = sizeof cpu->tss;
	for (unsigned i = 0; i < ARRAY_LEN(cpu0_stacks.ist); i++) {
		u64 *top = (u64 *)(cpu0_stacks.ist[i] + IST_STACK_SIZE - 16);
		*top = (u64)cpu;                /* trap_ist looks for it here */
		cpu->tss.ist[i] = (u64)top;
	}
	gdt_init(cpu);
	write_msr(MSR_GS_BASE, (u64)cpu);
	idt_init();
}

/* ---- features ------------------------------------------------------------------------------------------------ */
static bool bit(u32 word, unsigned n) { return word >> n & 1; }

static u32 leaf7_b, leaf7_c;

static void leaf7_read(void)
{
	if (cpuid(0, 0).a >= 7) {
		struct cpuid c = cpuid(7, 0);
		leaf7_b = c.b;
		leaf7_c = c.c;
	}
}

const char *arch_cpu_missing(void)
{
	struct cpuid c = cpuid(1, 0), e = cpuid(0x80000001, 0);
	if (!bit(c.d, 4)) return "a time stamp counter";
	if (!bit(c.d, 5)) return "model-specific registers";
	if (!bit(c.d, 9)) return "a local APIC";
	if (!bit(c.d, 13)) return "global pages";
	if (!bit(c.d, 24)) return "FXSAVE";
	if (!bit(c.d, 26)) return "SSE2";
	if (!bit(e.d, 11)) return "the SYSCALL instruction";
	if (!bit(e.d, 20)) return "NX (no-execute pages)";
	if (!bit(e.d, 29)) return "64-bit long mode";
	return NULL;
}

bool cpu_has_gib_pages(void) { return bit(cpuid(0x80000001, 0).d, 26); }

static void fpu_init(struct cpu *cpu)
{
	cpu->fpu_owner = &nobody;
	u32 features = cpuid(1, 0).c;
	WRITE_CR(0, (READ_CR(0) & ~(u64)(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE);
	if (bit(features, 26)) {
		WRITE_CR(4, READ_CR(4) | CR4_OSXSAVE);
		u32 state = bit(features, 28) ? XCR0_X87_SSE | XCR0_AVX : XCR0_X87_SSE;
		__asm__ volatile ("xsetbv" :: "c"(0), "a"(state), "d"(0));
		ASSERT(cpuid(0xd, 0).b <= FPU_SIZE);
		cpu->xsave = 1;
	}
	__asm__ volatile ("fninit");
}

void cpu_init_features(void)
{
	leaf7_read();
	WRITE_CR(0, (READ_CR(0) & ~(u64)(CR0_AM | CR0_NW | CR0_CD)) | CR0_WP);
	u64 cr4 = CR4_PAE | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	if (bit(leaf7_b, 7)) cr4 |= CR4_SMEP;
	if (bit(leaf7_b, 20)) cr4 |= CR4_SMAP;
	if (bit(leaf7_c, 2)) cr4 |= CR4_UMIP;
	WRITE_CR(4, cr4);
	fpu_init(&cpu0);
	write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SCE);
	write_msr(MSR_STAR, (u64)SEL_KERNEL_CODE << 32 | (u64)(SEL_USER_DATA - 8) << 48);
	write_msr(MSR_LSTAR, (u64)syscall_entry);
	write_msr(MSR_FMASK, FLAGS_CLEARED_BY_SYSCALL);
	write_msr(MSR_KERNEL_GS, 0);
}

void cpu_brand(char *to, size_t size)
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
	value = state = (state ^ read_tsc()) + 0x9e3779b97f4a7c15;
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

/* ---- contexts ------------------------------------------------------------------------------------------------ */
#define FPU_INIT_SIZE 576               /* legacy area and XSAVE header; what the header does not name is initial */
#define FCW_INITIAL   0x37fu
#define MXCSR_INITIAL 0x1f80u

void arch_context_init(struct arch_context *c, paddr_t root)
{
	memset(&c->regs, 0, sizeof c->regs);
	c->regs.cs = SEL_USER_CODE;
	c->regs.ss = SEL_USER_DATA;
	c->regs.rflags = FLAGS_USER;
	c->root = root;
	memset(c->fpu, 0, FPU_INIT_SIZE);
	*(u16 *)c->fpu = FCW_INITIAL;
	*(u32 *)(c->fpu + 24) = MXCSR_INITIAL;
}

void arch_context_start(struct arch_context *c, u64 entry, u64 stack, u64 arg0, u64 arg1)
{
	c->regs.rip = entry;
	c->regs.rsp = stack;
	c->regs.rdi = arg0;
	c->regs.rsi = arg1;
	c->regs.vector = 0;                     /* leaves by iret, which loads all registers */
}

void arch_context_drop(struct arch_context *c)
{
	struct cpu *cpu = this_cpu();
	if (cpu->fpu_owner == c) {
		if (cpu->xsave)
			__asm__ volatile ("xsave64 (%0)" :: "r"(c->fpu), "a"(-1), "d"(-1) : "memory");
		else
			__asm__ volatile ("fxsave64 (%0)" :: "r"(c->fpu) : "memory");
		cpu->fpu_owner = &nobody;
	}
	if (cpu->current == c)
		cpu->current = NULL;
}

void arch_context_set_tls(struct arch_context *c, u64 fs_base)
{
	ASSERT(fs_base <= PT_USER_TOP);
	c->regs.fs_base = fs_base;
	if (this_cpu()->current == c)
		write_msr(MSR_FS_BASE, fs_base);
}

void arch_root_drop(paddr_t root)
{
	struct cpu *cpu = this_cpu();
	if (cpu->root != root)
		return;
	cpu->root = mmu_kernel_root;
	cpu->current = NULL;                    /* so that whoever leaves next loads its own */
	WRITE_CR(3, mmu_kernel_root);
}
