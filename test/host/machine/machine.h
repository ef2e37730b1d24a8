/* SPDX-License-Identifier: BSD-2-Clause */
/* machine.h: a fake machine below host tests: some frames of memory, a clock that the test sets, a console in a
 * buffer. One thread; nothing here is locked. */
#pragma once
#include "arch/x86_64/layout.h"
#include "lib/types.h"

struct regs { u64 REGISTERS; };

struct arch_context {
	struct regs regs;
	paddr_t root;
	u8 fpu[FPU_SIZE];
};

/* The machine's memory: physical addresses HOST_RAM_BASE .. + frames * 4096. Physical address 0 is no memory. */
#define HOST_RAM_BASE 0x100000ull
extern u8 *host_ram;
extern u64 host_ram_size;

void *phys_to_virt(paddr_t p);                   /* asserts that p lies in the machine's memory */
paddr_t virt_to_phys(const void *v);

u64 arch_cycles(void);                           /* nanoseconds of the fake clock */
bool arch_is_pending(void);

#define ARCH_CPU_AREA_SIZE 8192ull
unsigned arch_cpu(void);
void *host_area(void);                           /* of the CPU that the test acts as */
#define ARCH_THIS(type) ((type *)host_area())

/* ---- what pagetable.c needs of the MMU: each CPU's loaded root is the one named last by host_root_load() there */
extern paddr_t mmu_kernel_root;
void mmu_flush_page(paddr_t root, vaddr_t va);
void mmu_flush_all(paddr_t root);
bool mmu_shared(void);                           /* there is more than one CPU */
void mmu_shootdown(paddr_t root);

/* ---- for tests ----------------------------------------------------------------------------------------------- */
/* A machine of so many zeroed frames; what was before is gone. Frame 0 of them becomes the kernel's page-table root,
 * its upper half filled: a test hands out frames from 1 on. */
void host_machine_init(u64 frames);
void host_machine_end(void);
/* The RAM as a boot loader would tell it (struct boot_info). */
struct boot_info;
void host_boot_info(struct boot_info *boot);
void host_time_set(i64 now);                     /* a due timer becomes pending, on each CPU */
i64  host_timer(void);                           /* what arch_timer_set() was told last, on the CPU that the test acts as */
/* arch_cpus() is so many from now on; their areas are zero at host_machine_init(). */
void host_cpus_set(unsigned cpus);
void host_cpu_set(unsigned cpu);                 /* the test acts as this CPU: arch_cpu(), its area, what is pending there, its timer and loaded root */
/* How often arch_cpu_kick() and arch_cpu_stop() named this CPU. A kick makes ARCH_PENDING_KICK pending there; a stop makes it load no root. */
u64  host_kicks(unsigned cpu);
u64  host_stops(unsigned cpu);
void host_stop_vector(unsigned vector);          /* what the next arch_cpu_stop() returns, once */
u64  host_shootdowns(unsigned cpu);              /* how often it had to forget its user translations for another's sake */
/* Pages that arch_cache_flush() was called for. */
extern u64 host_cache_flushes;
/* arch_preempt_poll() says yes every n-th time (0: never). */
void host_preempt_every(unsigned n);
void host_root_load(paddr_t root);
extern u64 host_flushes_page, host_flushes_all;  /* of the loaded root, by the CPU itself */
void host_random_seed(u64 seed);                  /* outlives host_machine_init() */
const char *host_console(void);                  /* what was written, oldest first, at most the last 64 KiB */
void host_console_clear(void);
void host_console_type(const char *text);        /* bytes for arch_console_read(); notes ARCH_PENDING_CONSOLE */
