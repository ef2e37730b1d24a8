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
	bool taken;                             /* arch_cpu_stop() took its context, and it does not know yet; both write it */
	u32 number;
	struct tss tss;
	u64 gdt[7];

	u64 polled_entry, polled_first;         /* arch_preempt_poll(): which entry looked last (0: none), and when it did first */

	/* Between CPUs (ipi.c). */
	u32 requests;                           /* enum request; atomic: set by the lock's holder, cleared by this CPU when done */
	u32 apic_id;                            /* written before it runs */
	bool waiting;                           /* for the lock, and looks at requests meanwhile: needs no interrupt; atomic */
	bool halting;                           /* arch_idle() gave the lock up; this CPU's own */
	bool up;                                /* it can be sent interrupts; atomic */
	bool serial_late;                       /* a serial interrupt came then; this CPU's own */
	u8 stop_vector;                         /* the answer to REQUEST_STOP: what arch_cpu_stop() returns */
	u64 entered;                            /* when the entry under way began, if entries are measured; */
	u64 entered_vector, entered_call;       /* by which vector, and with which system call's number */
	i64 alarm;                              /* what arch_timer_set() was told; INT64_MAX: none */
	_Alignas(CPU_AREA) u8 area[ARCH_CPU_AREA_SIZE];         /* kernel lock */
};

/* Each stack has a page below it that is not mapped. */
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
extern u8 kernel_start[], kernel_boot_end[], kernel_text_end[], kernel_rodata_end[], kernel_end[], early_end[];
static inline paddr_t image_phys(const void *p) { return (paddr_t)p - KERNEL_BASE; }

extern const u8 *kernel_code;           /* where mapped code begins: kernel_start, and kernel_boot_end when boot is over */

/* Where a CPU's block and stacks are, from the moment that they are mapped. */
struct cpu *cpu_block(unsigned number);
struct cpu_stacks *cpu_stacks(unsigned number);
/* The CPU whose stacks this address is among, guard pages included; NULL: it is elsewhere. */
const struct cpu_stacks *cpu_stacks_around(u64 address);

/* Descriptor tables, task state, %gs: traps work from here on. Needs nothing but the image, and block and stacks of the CPU that calls. */
void cpu_init_traps(unsigned number);
/* Which of entry.S' two sets of ways in is used, by the interrupt table and by the `syscall` of this CPU (others: cpu_init_features()). */
void cpu_set_entries(bool careful);
void cpu_init_syscall(void);            /* the `syscall` of this CPU: as cpu_set_entries() was told last */
/* What this CPU lacks that the kernel needs; NULL: nothing. */
const char *cpu_missing(void);
/* The boot CPU's features become those of all: what the kernel uses. After the check for what is missing. */
void cpu_read_features(void);
/* Has this CPU all that the boot CPU has? */
bool cpu_is_like_boot(void);
/* Control registers, syscall entry, FPU. */
void cpu_init_features(void);
u32  cpu_apic_id(void);
bool cpu_has_x2apic(void);
bool cpu_has_tsc_deadline(void);
void cpu_brand(char *to, size_t size);
bool cpu_has_gib_pages(void);
/* Called by entry.S with the interrupted registers. */
struct arch_context *trap_user(struct arch_context *c);
void trap_kernel(struct regs *r);
noreturn void trap_fatal(struct regs *r);
struct arch_context *syscall_careful(struct arch_context *c);
struct arch_context *trap_user_careful(struct arch_context *c);
/* NULL: resume c, the lock was not needed. */
struct arch_context *trap_user_ipi(struct arch_context *c);
/* The registers that a panic prints: those of a trap, where one is the reason. */
void backtrace_set_registers(const struct regs *r);
/* The function that holds a code address, and its start; NULL: none. */
const char *backtrace_symbol(u64 address, u64 *start);

/* 8259, whose line goes to the boot CPU alone, as NMIs do, and local APIC; interrupts come when they are let in. */
void interrupt_init(bool boot_cpu);
/* Notes what came, answers the interrupt controller. */
void interrupt_note(u64 vector);
void time_init(u64 entry_tsc);
void time_init_cpu(void);               /* the alarm of this CPU, as the boot CPU measured it */
/* The timer's interrupt; true when the time asked for is there (else it was set again). */
bool time_interrupt(void);

u32  apic_read(u32 reg);
void apic_write(u32 reg, u32 value);
/* Sends an interrupt to the CPU of this APIC id; `command`: the low half of the interrupt command register. What was written before is seen there. */
void apic_send(u32 apic_id, u32 command);
#define APIC_NMI     0x4400u
#define APIC_INIT    0x4500u
#define APIC_STARTUP 0x4600u            /* and the number of the page below 1 MiB */

/* ---- the kernel lock (lock.c) ---- */
/* CPUs by number + 1; 0: none. */
struct lock { u32 holder, hungry, waiters; };
extern struct lock kernel_lock;
extern bool entries_careful;            /* machine.h */
void lock_take(void);                   /* waits, and does what the holder asks for meanwhile */
void lock_release(void);
bool lock_held(void);                   /* by this CPU; also where nobody takes it */
static inline bool lock_wanted(void)    /* by another CPU; of the holder */
{
	return entries_careful && __atomic_load_n(&kernel_lock.waiters, __ATOMIC_RELAXED);
}
/* From now on the lock is taken; the caller holds it. lock_end(): no more, unless entries are measured; the caller is the only CPU. */
void lock_begin(void);
void lock_end(void);
/* An entry's work begins, is over: for arch_measure_entries(). */
void measure_begin(void);
void measure_end(void);

/* ---- between CPUs (ipi.c) ---- */
enum request { REQUEST_KICK = 1, REQUEST_STOP = 2, REQUEST_FLUSH = 4 };
/* Does what the lock's holder asks of this CPU. */
void requests_answer(void);
/* Another CPU said so (arch_cpus_halt): an NMI has brought this one here. */
bool cpu_was_halted(void);
/* ---- contexts (context.c) ---- */
extern struct arch_context context_nobody;      /* takes FPU state that nobody needs any more; any CPU's */
/* This CPU holds nothing of any context, and has loaded the kernel's root. */
void context_forget(void);

void serial_init(void);
void serial_drain(void);                /* until the last byte has left: a machine that ends at once would lose it */
/* Takes what came into the ring; true when there is something. */
bool serial_interrupt(void);
