/* SPDX-License-Identifier: BSD-2-Clause */
/* interrupt.c: the 8259 pair (COM1 only), the local APIC (timer), and what they note. Interrupts are off in the
 * kernel but in arch_idle() and arch_preempt_poll(). */
#include "arch/x86_64/cpu.h"
#include "lib/counters.h"

#define PIC_A 0x20
#define PIC_B 0xa0
#define PIC_EOI 0x20
#define PIC_READ_ISR 0x0b
#define PIC_SERIAL_ONLY 0xef

#define APIC_ENABLE      (1u << 11)
#define APIC_X2          (1u << 10)
#define APIC_TPR         0x080u
#define APIC_EOI         0x0b0u
#define APIC_SVR         0x0f0u
#define APIC_COMMAND     0x300u
#define APIC_COMMAND_TO  0x310u
#define APIC_LVT_TIMER   0x320u
#define APIC_LVT_LINT0   0x350u
#define APIC_LVT_LINT1   0x360u
#define APIC_LVT_ERROR   0x370u
#define COMMAND_BUSY     (1u << 12)
#define LVT_MASKED       (1u << 16)
#define LVT_EXTINT       0x700u
#define LVT_NMI          0x400u

static bool x2apic;

/* ---- local APIC ---------------------------------------------------------------------------------------------- */
u32 apic_read(u32 reg)
{
	return x2apic ? (u32)read_msr(MSR_X2APIC + reg / 16) : *(volatile u32 *)(APIC_WINDOW + reg);
}

void apic_write(u32 reg, u32 value)
{
	if (x2apic)
		write_msr(MSR_X2APIC + reg / 16, value);
	else
		*(volatile u32 *)(APIC_WINDOW + reg) = value;
}

void apic_send(u32 apic_id, u32 command)
{
	if (x2apic) {
		__asm__ volatile ("mfence; lfence" ::: "memory");       /* this write of an MSR waits for nothing by itself */
		write_msr(MSR_X2APIC + APIC_COMMAND / 16, (u64)apic_id << 32 | command);
		return;
	}
	while (apic_read(APIC_COMMAND) & COMMAND_BUSY)
		__asm__ volatile ("pause");
	apic_write(APIC_COMMAND_TO, apic_id << 24);
	apic_write(APIC_COMMAND, command);
}

/* ---- 8259 ---------------------------------------------------------------------------------------------------- */
static void pic_init(void)
{
	/* Initialise, vector, wiring, 8086 mode: first and second chip. */
	static const u8 words[4][2] = {
		{ 0x11, 0x11 }, { VECTOR_PIC, VECTOR_PIC + 8 }, { 1 << 2, 2 }, { 1, 1 },
	};
	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		out8(PIC_A + (i != 0), words[i][0]);
		out8(PIC_B + (i != 0), words[i][1]);
	}
	out8(PIC_A + 1, PIC_SERIAL_ONLY);
	out8(PIC_B + 1, 0xff);
}

/* Lines 7 and 15 come spuriously too, and are then not in service: no end-of-interrupt, but to the first chip for
 * the second's. */
static void pic_line7(u16 chip)
{
	out8(chip, PIC_READ_ISR);
	if (in8(chip) & 0x80)
		out8(chip, PIC_EOI);
	if (chip == PIC_B)
		out8(PIC_A, PIC_EOI);
}

/* ---- both ---------------------------------------------------------------------------------------------------- */
void interrupt_init(bool boot_cpu)
{
	u64 base = read_msr(MSR_APIC_BASE);
	if (boot_cpu)
		pic_init();
	x2apic = cpu_has_x2apic();
	write_msr(MSR_APIC_BASE, base | APIC_ENABLE);
	if (x2apic)
		write_msr(MSR_APIC_BASE, base | APIC_ENABLE | APIC_X2);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	apic_write(APIC_LVT_ERROR, LVT_MASKED | VECTOR_STRAY);
	apic_write(APIC_LVT_LINT0, boot_cpu ? LVT_EXTINT : LVT_MASKED);         /* the 8259's line */
	apic_write(APIC_LVT_LINT1, boot_cpu ? LVT_NMI : LVT_MASKED);
	apic_write(APIC_SVR, 0x100 | VECTOR_SPURIOUS);
}

/* The console's ring needs the kernel lock: while this CPU halts without it, the bytes stay in the UART. */
static void note_serial(struct cpu *cpu)
{
	if (cpu->halting)
		cpu->serial_late = true;
	if (cpu->halting || serial_interrupt())
		cpu->pending |= ARCH_PENDING_CONSOLE;
}

void interrupt_note(u64 vector)
{
	struct cpu *cpu = this_cpu();
	switch (vector) {
	case VECTOR_TIMER:
		apic_write(APIC_EOI, 0);
		if (time_interrupt())
			cpu->pending |= ARCH_PENDING_TIMER;
		break;
	case VECTOR_SERIAL:
		note_serial(cpu);
		out8(PIC_A, PIC_EOI);
		break;
	case VECTOR_IPI:
		apic_write(APIC_EOI, 0);
		requests_answer();
		break;
	case VECTOR_SPURIOUS_A: pic_line7(PIC_A); break;
	case VECTOR_SPURIOUS_B: pic_line7(PIC_B); break;
	case VECTOR_STRAY: apic_write(APIC_EOI, 0); break;
	}
}

unsigned arch_take_pending(void)
{
	struct cpu *cpu = this_cpu();
	unsigned pending = cpu->pending;
	cpu->pending = 0;
	return pending;
}

/* Entries are told apart by their count. Once it is so, it stays so for the entry: callers of whoever was told look too before they leave. */
static bool polled_long(struct cpu *cpu)
{
	u64 now = arch_cycles(), entry = counters.entries + counters.faults;
	if (cpu->polled_entry != entry) {
		cpu->polled_entry = entry;
		cpu->polled_first = now;
	}
	return now - cpu->polled_first > ARCH_POLL_CYCLES;
}

bool arch_preempt_poll(void)
{
	struct cpu *cpu = this_cpu();
	__asm__ volatile ("sti; nop; cli" ::: "memory");
	return cpu->pending || lock_wanted() || polled_long(cpu);
}

/* An interrupt between the look at `pending` and hlt would be slept through; it cannot come there: sti lets
 * interrupts in behind the instruction that follows it. */
static void halt(struct cpu *cpu)
{
	while (!*(volatile u8 *)&cpu->pending)
		__asm__ volatile ("sti; hlt; cli" ::: "memory");
}

static void halt_unlocked(struct cpu *cpu)
{
	context_forget();
	cpu->halting = true;
	lock_release();
	halt(cpu);
	lock_take();
	cpu->halting = false;
	if (cpu->serial_late)
		serial_interrupt();
	cpu->serial_late = false;
}

void arch_breathe(void)
{
	measure_end();
	__asm__ volatile ("sti; nop; cli" ::: "memory");
	if (lock_wanted()) {
		context_forget();
		lock_release();
		lock_take();
	}
	measure_begin();
}

void arch_idle(void)
{
	measure_end();
	if (arch_cpus() > 1)
		halt_unlocked(this_cpu());
	else
		halt(this_cpu());
	measure_begin();
}
