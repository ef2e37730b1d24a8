/* SPDX-License-Identifier: BSD-2-Clause */
/* cpu.h: the per-CPU block, found by %gs in the kernel, and what the machine's own files say to each other.
 * The block is its CPU's: no lock, but where a field says so. */
#pragma once
#include "arch/arch.h"
#include "arch/x86_64/io.h"
#include "arch/x86_64/layout.h"

struct tss {
	u32 reserved0;
	u64 rsp[3];                             /* rsp[0]: the end of the current context's registers */
	u64 reserved1, ist[7], reserved2;
	u16 reserved3, io_map;
} __attribute__((packed));

struct cpu {
	struct cpu *self;
	struct arch_context *current;           /* whom rsp0, CR3 and the segment bases are set for, or NULL */
	u64 user_rsp;                           /* for the instant of syscall_entry */
	u64 stack;                              /* top of the kernel stack */
	struct arch_context *fpu_owner;         /* whose FPU state is in the registers (cpu.c: nobody's, too) */
	paddr_t root;                           /* CR3 */
	u64 user_gs;                            /* the user's gs base, in MSR_KERNEL_GS */
	u8 xsave;                               /* XSAVE, or FXSAVE */
	u8 pending;                             /* enum arch_pending, noted by interrupts */
	u8 polls;                               /* arch_preempt_poll()s that said no since one said yes */
	u8 reserved;
	u32 number;
	struct tss tss;
	u64 gdt[7];
	_Alignas(CPU_AREA) u8 area[ARCH_CPU_AREA_SIZE];         /* kernel lock */
};

/* Each stack has a page below it that is not mapped; backtraces end at `top`. */
struct cpu_stacks {
	u8 guard[PAGE_SIZE_], stack[STACK_SIZE];
	u8 ist_guard[PAGE_SIZE_], ist[3][IST_STACK_SIZE];
};

extern struct cpu cpu0;
extern struct cpu_stacks cpu0_stacks;

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;
	__asm__ ("mov %%gs:%c1, %0" : "=r"(cpu) : "i"(CPU_SELF));
	return cpu;
}

/* The image, by its link script. */
extern u8 kernel_start[], kernel_text_end[], kernel_rodata_end[], kernel_end[], early_end[];
static inline paddr_t image_phys(const void *p) { return (paddr_t)p - KERNEL_BASE; }

/* Descriptor tables, task state, %gs: traps work from here on. Needs nothing but the image. */
void cpu_init_traps(void);
/* Control registers, syscall entry, FPU. After the check for what is missing. */
void cpu_init_features(void);
void cpu_brand(char *to, size_t size);
bool cpu_has_gib_pages(void);
/* Called by entry.S with the interrupted registers. */
struct arch_context *trap_user(struct arch_context *c);
void trap_kernel(struct regs *r);
noreturn void trap_fatal(struct regs *r);
/* The registers that a panic prints: those of a trap, where one is the reason. */
void backtrace_set_registers(const struct regs *r);
/* The function that holds a code address, and its start; NULL: none. */
const char *backtrace_symbol(u64 address, u64 *start);

/* 8259 and local APIC; interrupts come when they are let in. */
void interrupt_init(void);
/* Notes what came, answers the interrupt controller. */
void interrupt_note(u64 vector);
void time_init(u64 entry_tsc);
/* The timer's interrupt; true when the time asked for is there (else it was set again). */
bool time_interrupt(void);

void apic_init(void);
u32  apic_read(u32 reg);
void apic_write(u32 reg, u32 value);

void serial_init(void);
void serial_drain(void);                /* until the last byte has left: a machine that ends at once would lose it */
/* Takes what came into the ring; true when there is something. */
bool serial_interrupt(void);
