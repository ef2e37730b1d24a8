/* SPDX-License-Identifier: BSD-2-Clause */
/* descriptors.c: the tables that a CPU finds its way into the kernel by. Segments and task state are each CPU's own; the interrupt table is the
 * same for all, and changes only while one CPU runs. */
#include "arch/x86_64/cpu.h"

#define CHECK_OFFSET(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #field)
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
CHECK_OFFSET(struct arch_context, root, C_ROOT);
CHECK_OFFSET(struct arch_context, fpu, C_FPU);
_Static_assert(sizeof(struct regs) == R_SIZE && R_SIZE % 16 == 0, "traps start on the end of the registers");
_Static_assert(sizeof(struct cpu) == CPU_SIZE, "whole pages");

struct gate { u16 offset0, selector; u8 ist, type; u16 offset1; u32 offset2, reserved; };
struct __attribute__((packed)) table_pointer { u16 limit; u64 base; };

struct cpu cpu0 __attribute__((aligned(PAGE_SIZE_)));
struct cpu_stacks cpu0_stacks __attribute__((aligned(PAGE_SIZE_)));
bool entries_careful;

static struct gate idt[256] __attribute__((aligned(16)));
static const u8 interrupt_vectors[] = { INTERRUPT_VECTORS, VECTOR_IPI };
#define STUBS (VECTOR_STUBS + ARRAY_LEN(interrupt_vectors))
extern u8 syscall_entry[], syscall_entry_careful[];
extern u8 trap_stubs[STUBS][TRAP_STUB_SIZE], trap_stubs_careful[STUBS][TRAP_STUB_SIZE];

/* ---- interrupt table ----------------------------------------------------------------------------------------- */
static void gate_set(unsigned vector, const u8 *stub, unsigned ist, unsigned privilege)
{
	u64 at = (u64)stub;
	idt[vector] = (struct gate){
		.offset0 = (u16)at, .offset1 = (u16)(at >> 16), .offset2 = (u32)(at >> 32),
		.selector = SEL_KERNEL_CODE, .ist = (u8)ist, .type = (u8)(0x8e | privilege << 5),
	};
}

static unsigned stub_of(u8 vector)
{
	unsigned i = 0;
	while (i < ARRAY_LEN(interrupt_vectors) - 1 && interrupt_vectors[i] != vector)
		i++;
	return VECTOR_STUBS + i;
}

static void idt_set(const u8 (*stubs)[TRAP_STUB_SIZE])
{
	const u8 *stray = stubs[stub_of(VECTOR_STRAY)];
	for (unsigned v = 0; v < VECTOR_STUBS; v++)
		gate_set(v, stubs[v], v == 2 ? 1 : v == 8 ? 2 : v == 18 ? 3 : 0, v == 3 ? 3 : 0);
	for (unsigned v = VECTOR_STUBS; v < ARRAY_LEN(idt); v++)
		gate_set(v, stray, 0, 0);
	for (unsigned i = 0; i < ARRAY_LEN(interrupt_vectors); i++)
		gate_set(interrupt_vectors[i], stubs[VECTOR_STUBS + i], 0, 0);
}

BOOT void cpu_set_entries(bool careful)
{
	entries_careful = careful;
	idt_set(careful ? trap_stubs_careful : trap_stubs);
	cpu_init_syscall();
}

void cpu_init_syscall(void)
{
	write_msr(MSR_LSTAR, (u64)(entries_careful ? syscall_entry_careful : syscall_entry));
}

/* ---- each CPU's own ------------------------------------------------------------------------------------------ */
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

static void idt_load(void)
{
	struct table_pointer pointer = { sizeof idt - 1, (u64)idt };
	__asm__ volatile ("lidt %0" :: "m"(pointer));
}

void cpu_init_traps(unsigned number)
{
	struct cpu *cpu = cpu_block(number);
	struct cpu_stacks *stacks = cpu_stacks(number);
	cpu->self = cpu;
	cpu->number = number;
	cpu->stack = (u64)stacks->stack + STACK_SIZE;
	cpu->root = READ_CR(3);
	cpu->alarm = INT64_MAX;
	cpu->tss.io_map = sizeof cpu->tss;
	for (unsigned i = 0; i < ARRAY_LEN(stacks->ist); i++) {
		u64 *top = (u64 *)(stacks->ist[i] + IST_STACK_SIZE - 16);
		*top = (u64)cpu;                /* trap_ist looks for it here */
		cpu->tss.ist[i] = (u64)top;
	}
	gdt_init(cpu);
	write_msr(MSR_GS_BASE, (u64)cpu);
	if (number == 0)
		idt_set(trap_stubs);
	idt_load();
}
