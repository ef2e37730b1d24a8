/* SPDX-License-Identifier: BSD-2-Clause */
/* arch.h: all that the kernel asks of a machine, and all that a machine asks of the kernel.
 *
 * Two implementations: arch/x86_64 (the machine) and test/host/machine (a fake one, below host tests). arch/ARCH/machine.h holds the inline
 * part: phys_to_virt, virt_to_phys, struct arch_context's registers. Page tables have a header of their own, arch/pagetable.h.
 *
 * Rules: everything here is called with interrupts off and the kernel lock held. There is one lock, and it is the machine's to take
 * and to give back: it is held whenever kernel code runs, but from the instant of an entry until it is taken, from the end of the way
 * out to user mode, and while arch_idle() halts. So an upcall runs alone, and with one CPU there is nothing to take.
 * Interrupts are taken in user mode, in arch_idle() and in arch_preempt_poll() only; the handler itself only notes what came
 * (enum arch_pending) and the kernel looks at it on its way out.
 */
#pragma once
#include "lib/types.h"
#ifdef VELLUM_HOST
#include "machine/machine.h"
#else
#include "arch/x86_64/machine.h"
#endif

/* ---- from machine.h --------------------------------------------------------------------------------------------------
 * void *phys_to_virt(paddr_t);  paddr_t virt_to_phys(const void *);      the kernel's view of all RAM
 * struct arch_context { struct regs regs; paddr_t root; ... };           what a thread is to the machine (registers, FPU state, page-table root)
 * struct regs: u64 fields, argument registers first and in argument order, so that `&regs->rdi` is the array of a call's arguments:
 *     rdi rsi rdx r10 r8 r9 r12 r13 r14 r15  rax rbx rbp rcx r11  fs_base gs_base  vector error  rip cs rflags rsp ss
 * u64 arch_cycles(void);           the machine's own clock, since power on: instructions under icount
 * bool arch_is_pending(void);      whether interrupts have noted something that nobody has taken
 * unsigned arch_cpu(void);         this CPU's number, 0 the boot CPU
 * ARCH_THIS(type)                  this CPU's area as a pointer to `type`; for members only: what & makes of one is no ordinary pointer
 * ARCH_CPU_AREA_SIZE               its size
 */

/* ---- boot ------------------------------------------------------------------------------------------------------------- */
#define BOOT_RANGES  64u
#define BOOT_MODULES 64u
struct boot_range  { paddr_t base; u64 size; };
/* Page aligned, inside one range of ram, apart from each other and from what is taken; the rest of the last page is anything. The first is the kernel's
 * own: its BOOT code. */
struct boot_module { paddr_t base; u64 size; char name[48]; };
struct boot_info {
	struct boot_range  ram[BOOT_RANGES];     u32 rams;      /* usable, page aligned, ascending, disjoint; kernel image, modules and early tables still inside */
	struct boot_range  taken[BOOT_RANGES];   u32 takens;    /* parts of it in use: the rest of the image, boot page tables (not the modules) */
	struct boot_module module[BOOT_MODULES]; u32 modules;   /* bundles already unpacked */
	char cmdline[512], loader[64], cpu[64];
	u64 entry_tsc;                                          /* the time stamp counter at the kernel's first instruction */
	paddr_t rsdp;                                           /* 0: unknown */
};

/* The kernel's entry, on the boot CPU's kernel stack, paging and traps on. */
noreturn void kernel_main(const struct boot_info *boot);

/* No BOOT function runs from now on, on any CPU: the first module is plain memory afterwards, which nothing maps but the view of all RAM. */
void arch_boot_over(void);

/* ---- CPUs -------------------------------------------------------------------------------------------------------------- */
#define ARCH_CPUS_MAX 64u
/* How many CPUs take part; they are numbered from 0. Known before kernel_main(); arch_cpus_start() takes those off that do not answer. */
unsigned arch_cpus(void);
/* The area of any CPU below arch_cpus(), zero at boot: the layers above keep there what each CPU has of its own. */
void *arch_cpu_area(unsigned cpu);
/* Starts the other CPUs, once. Each sets itself up, takes the lock and calls kernel_secondary() on its own stack. Returns, the lock
 * still held, when all that answer in time are up. */
void arch_cpus_start(void);
noreturn void kernel_secondary(void);                                /* upcall: a CPU other than the first begins */
/* Another CPU is interrupted: it notes ARCH_PENDING_KICK and comes by kernel_interrupt(), or leaves arch_idle(). Does not wait for it. */
void arch_cpu_kick(unsigned cpu);
/* Takes another CPU away from what it runs. Afterwards that CPU waits for the lock, or idles, and has no context: registers and FPU state of
 * what it ran are in memory (as after arch_context_drop) and it has loaded the kernel's own root. If it had just come in by `syscall`,
 * that one is made again when the context is resumed. Returns 0, or the vector of an exception of the trap kind (1, 3) that the context took and that
 * nobody has seen: the caller delivers it. When that CPU has the lock it does not look at the old context, whose memory may be gone, but
 * calls kernel_taken(). Cost: an interrupt and its answer, of a CPU that may be just leaving the kernel. */
unsigned arch_cpu_stop(unsigned cpu);
struct arch_context *kernel_taken(void);                             /* upcall: what to leave into instead */

/* ---- contexts: leaving to and coming from user mode ------------------------------------------------------------------------ */
/* Fresh user context: all registers zero but these; FPU state initial. `root` is the page-table root that it runs on. */
void arch_context_init(struct arch_context *c, paddr_t root);
void arch_context_start(struct arch_context *c, u64 entry, u64 stack, u64 arg0, u64 arg1);
/* The context's memory goes away or its FPU state is about to be read: this CPU keeps nothing of it in registers afterwards. (Another that runs it
 * is stopped first.) */
void arch_context_drop(struct arch_context *c);
void arch_context_set_tls(struct arch_context *c, u64 fs_base);      /* also when it is the current one; fs_base <= PT_USER_TOP (asserted) */
/* A context's registers as data, by enum sys_state_kind (state.c). Nobody is in it, and it was dropped (arch_context_drop). The size is 0 where there is no such kind.
 * A write that is refused (false) has changed nothing; after one of GENERAL the context leaves with all registers as they were written. */
#define ARCH_STATE_MAX 2048u
u32 arch_state_size(unsigned kind);
void arch_state_read(const struct arch_context *c, unsigned kind, void *to);
bool arch_state_write(struct arch_context *c, unsigned kind, const void *from);
/* Makes the syscall (2 bytes) that the context came in by be executed again. */
static inline void arch_context_restart_syscall(struct arch_context *c) { c->regs.rip -= 2; }
/* Leaves the kernel into this context: loads FPU state, page tables, registers. Only for the first thread; else return it from an upcall. */
noreturn void arch_leave(struct arch_context *c);
/* Forget a page-table root that is about to be freed: switches to the kernel's own where this CPU has it loaded. (Another that has is stopped
 * first.) */
void arch_root_drop(paddr_t root);

/* Upcalls: implemented by the kernel, called by the machine's entry code on the CPU's kernel stack with the context's registers saved.
 * Each returns the context to leave into. */
struct arch_context *kernel_syscall(struct arch_context *c);
struct arch_context *kernel_page_fault(struct arch_context *c, vaddr_t address, unsigned access);  /* access: one SYS_ACCESS_* */
struct arch_context *kernel_exception(struct arch_context *c, u64 vector, u64 error);
struct arch_context *kernel_interrupt(struct arch_context *c);       /* something is pending */

/* What caches of any CPU hold of this page is written back and dropped. */
void arch_cache_flush(paddr_t page);

/* ---- interrupts and time -------------------------------------------------------------------------------------------------- */
enum arch_pending { ARCH_PENDING_TIMER = 1, ARCH_PENDING_CONSOLE = 2, ARCH_PENDING_KICK = 4 };
/* Takes and clears what interrupts have noted on this CPU. */
unsigned arch_take_pending(void);
/* A preemption point: lets interrupts in for an instant and says whether to come to an end: something is pending (it stays noted), another CPU waits for
 * the lock, or this entry has looked for ARCH_POLL_CYCLES (so that it is bounded even if nobody interrupts it: by that and the longest step between two
 * looks; a step is to cost less than twice as much). Entries are told apart by counters.entries and counters.faults. */
bool arch_preempt_poll(void);
#define ARCH_POLL_CYCLES 5000u
/* Sleeps until something is pending. With several CPUs, drops what this one holds of any context, loads the kernel's root, and is without the lock
 * meanwhile. */
void arch_idle(void);
/* Between two steps of what goes on in an entry without a way out: interrupts are let in and other CPUs have the lock, which may stop or end any thread.
 * Then this CPU holds nothing of any context. */
void arch_breathe(void);
i64 arch_cycles_to_ns(u64 cycles);
/* Nanoseconds since boot; never goes back. */
i64 arch_now(void);
/* One timer interrupt on this CPU at this time (in the past: at once); INT64_MAX: none. */
void arch_timer_set(i64 when);
/* From now on each entry into the kernel is timed, from when it has the lock; halting does not count. Costs nothing where it was not asked for. */
void arch_measure_entries(void);
u64 arch_longest_entry(void);                                        /* the longest so far on any CPU, in cycles; 0: not measured */
bool arch_longest_entry_call(u64 *number);                           /* it was a system call, of this number; else an interrupt of this vector */

/* ---- console, end --------------------------------------------------------------------------------------------------------- */
void arch_console_write(const char *text, size_t len);               /* polls; \n becomes \r\n */
int  arch_console_read(void);                                        /* next byte that came, or -1 */
/* Ends the machine: QEMU by isa-debug-exit, Bochs by port 0x8900, else ACPI-less halt. Prints nothing. */
noreturn void arch_shutdown(u32 code);
#define ARCH_SHUTDOWN_PANIC 255u
#define ARCH_SHUTDOWN_REFUSED 254u      /* refuse(), lib/assert.h */
/* Stops all other CPUs for ever, wherever they are: panic() begins with it, so that what is printed is whole. Returns on the first CPU that calls it only. */
void arch_cpus_halt(void);
/* panic()'s second half: registers, symbolised backtrace, then arch_shutdown as failed. */
noreturn void arch_panic_dump(void);
/* Walker: no page of the kernel's own is writable and executable, none is the user's; says on the console what it found. */
void arch_check(void);
u64 arch_random(void);                                               /* RDRAND where there is one, else mixed TSC */
