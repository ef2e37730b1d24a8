/* SPDX-License-Identifier: BSD-2-Clause */
/* smp.c: the CPUs that take part, and how those other than the first are started.
 *
 *   smp_find()         looks the CPUs up in ACPI's tables, while firmware's memory is mapped
 *   smp_reserve()      memory for them: stacks and block in the window, the page that they begin in
 *   arch_cpus_start()  wakes one after another: INIT, then start-up interrupts, until it has taken the block offered
 *   smp_entry()        such a CPU sets itself up as the first one is, says so, and waits for the lock
 *
 * A CPU that is not there, comes too late, or lacks what the first one has is left out: numbers have no gaps, the next
 * one takes its block. One that comes too late finds no offer and halts, or takes the one meant for the next, which
 * then does. The boot CPU alone until arch_cpus_start(), then the kernel lock; what is atomic says so.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/boot.h"
#include "lib/assert.h"
#include "lib/print.h"
#include "lib/string.h"

/* What stands in the window for each CPU, from its start; both guards, and what is left of it, are not mapped. */
struct cpu_slot { struct cpu_stacks stacks; struct cpu cpu; };
_Static_assert(sizeof(struct cpu_slot) <= CPU_SLOT, "a slot's size");

#define MS             1000000ll
#define INIT_WAIT      (10 * MS)        /* what CPUs want between INIT and start-up */
#define STARTUP_WAIT   (10 * MS)        /* for the first start-up interrupt, which may be lost */
#define TAKE_WAIT      (1000 * MS)      /* for the second: a virtual CPU may not be running */
#define SETUP_WAIT     (5000 * MS)

enum outcome { STARTING, UP, LACKING, ABANDONED };

static unsigned cpus = 1, others;
static u32 other[ARCH_CPUS_MAX - 1];    /* APIC ids of CPUs that may be started */
static paddr_t low_page, low_root;

struct cpu *smp_offer;                  /* trampoline.S: the block for the next CPU that comes; atomic */
static u32 outcome;                     /* enum outcome of the CPU being started; atomic, decide() alone ends STARTING */

extern const u8 trampoline_start[], trampoline_end[], trampoline_gdtr[], trampoline_gdt[], trampoline_far[],
	trampoline_long[], trampoline_root[];
noreturn void smp_entry(struct cpu *cpu);
noreturn void smp_halt(void);

/* ---- blocks -------------------------------------------------------------------------------------------------- */
static struct cpu_slot *slot(unsigned number) { return (void *)(CPU_WINDOW + (u64)number * CPU_SLOT); }

struct cpu *cpu_block(unsigned number) { return number ? &slot(number)->cpu : &cpu0; }
struct cpu_stacks *cpu_stacks(unsigned number) { return number ? &slot(number)->stacks : &cpu0_stacks; }

const struct cpu_stacks *cpu_stacks_around(u64 address)
{
	for (unsigned i = 0; i < cpus; i++)
		if (address - (u64)cpu_stacks(i) < sizeof(struct cpu_stacks))
			return cpu_stacks(i);
	return NULL;
}

unsigned arch_cpus(void) { return cpus; }

void *arch_cpu_area(unsigned cpu)
{
	ASSERT(cpu < cpus);
	return cpu_block(cpu)->area;
}

/* ---- finding them, and room ---------------------------------------------------------------------------------- */
BOOT void smp_find(void)
{
	static struct acpi_cpus found;
	unsigned left_out = 0;
	acpi_find_cpus(boot_info.rsdp, cpu_has_x2apic(), boot_firmware_memory, &found);
	for (u32 i = 0; i < found.count; i++) {
		if (found.apic_id[i] == cpu_apic_id())
			continue;
		if (others < ARRAY_LEN(other))
			other[others++] = found.apic_id[i];
		else
			left_out++;
	}
	if (left_out)
		kprintf("vellum: %u CPUs are left out: there is room for %u\n", left_out, ARCH_CPUS_MAX);
}

BOOT void smp_reserve(void)
{
	if (!others)
		return;
	low_page = boot_take_low();
	if (!low_page) {
		kprintf("vellum: %u CPUs are left out: no memory below 1 MiB to start them in\n", others);
		others = 0;
		return;
	}
	low_root = boot_low_root();
	for (unsigned i = 1; i <= others; i++)
		boot_map_cpu(i);
	cpus = 1 + others;
}

/* ---- the started CPU's side ---------------------------------------------------------------------------------- */
static bool decide(enum outcome how)
{
	u32 starting = STARTING;
	return __atomic_compare_exchange_n(&outcome, &starting, (u32)how, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

noreturn void smp_entry(struct cpu *cpu)
{
	WRITE_CR(3, mmu_kernel_root);
	if (!cpu_is_like_boot()) {
		decide(LACKING);
		smp_halt();
	}
	cpu_init_traps(cpu->number);
	cpu_init_features();
	interrupt_init(false);
	time_init_cpu();
	cpu->apic_id = cpu_apic_id();
	__atomic_store_n(&cpu->up, true, __ATOMIC_SEQ_CST);
	if (!decide(UP))
		smp_halt();
	lock_take();
	measure_begin();
	kernel_secondary();
}

/* ---- the boot CPU's side ------------------------------------------------------------------------------------- */
static u8 *low_at(const u8 *symbol) { return (u8 *)phys_to_virt(low_page) + (symbol - trampoline_start); }
static u32 low_address(const u8 *symbol) { return (u32)low_page + (u32)(symbol - trampoline_start); }

static void low_put(const u8 *symbol, unsigned offset, u32 value) { memcpy(low_at(symbol) + offset, &value, sizeof value); }

BOOT static void trampoline_write(void)
{
	memcpy(phys_to_virt(low_page), trampoline_start, (size_t)(trampoline_end - trampoline_start));
	low_put(trampoline_gdtr, 2, low_address(trampoline_gdt));
	low_put(trampoline_far, 0, low_address(trampoline_long));
	ASSERT(low_root <= UINT32_MAX);
	low_put(trampoline_root, 0, (u32)low_root);
}

BOOT static bool taken(void) { return __atomic_load_n(&smp_offer, __ATOMIC_SEQ_CST) == NULL; }
BOOT static bool decided(void) { return __atomic_load_n(&outcome, __ATOMIC_SEQ_CST) != STARTING; }
BOOT static bool never(void) { return false; }

/* Waits so long for that to become true. */
BOOT static bool wait_for(bool (*become)(void), i64 ns)
{
	i64 end = arch_now() + ns;
	while (!become()) {
		if (arch_now() >= end)
			return false;
		__asm__ volatile ("pause");
	}
	return true;
}

BOOT static bool offer_taken(u32 apic_id)
{
	u32 command = APIC_STARTUP | (u32)(low_page >> PAGE_SHIFT);
	apic_send(apic_id, command);
	if (wait_for(taken, STARTUP_WAIT))
		return true;
	apic_send(apic_id, command);
	/* Too late, and the offer is withdrawn; unless it was taken just now. */
	return wait_for(taken, TAKE_WAIT) || !__atomic_exchange_n(&smp_offer, NULL, __ATOMIC_SEQ_CST);
}

/* Starts a CPU with this number. *hung: it has the block, and nobody knows how far it will come with it; but no
 * farther than to the lock. */
BOOT static bool start(unsigned number, u32 apic_id, bool *hung)
{
	struct cpu *cpu = cpu_block(number);
	const char *why = "does not answer";
	cpu->number = number;
	cpu->apic_id = apic_id;
	cpu->stack = (u64)cpu_stacks(number)->stack + STACK_SIZE;
	__atomic_store_n(&outcome, STARTING, __ATOMIC_SEQ_CST);
	__atomic_store_n(&smp_offer, cpu, __ATOMIC_SEQ_CST);
	if (offer_taken(apic_id)) {
		*hung = !wait_for(decided, SETUP_WAIT) && decide(ABANDONED);
		if (!*hung && outcome == UP)
			return true;
		why = *hung ? "began and was not heard of again" : "lacks what the first one has";
	}
	kprintf("vellum: the CPU with APIC id %u is left out: it %s\n", apic_id, why);
	return false;
}

BOOT static void start_others(void)
{
	unsigned up = 1;
	bool hung = false;
	trampoline_write();
	lock_begin();
	for (unsigned i = 0; i < others; i++)
		apic_send(other[i], APIC_INIT);
	wait_for(never, INIT_WAIT);
	for (unsigned i = 0; i < others && !hung; i++)
		up += start(up, other[i], &hung);
	cpus = up;
	if (up == 1)
		lock_end();
}

BOOT void arch_cpus_start(void)
{
	if (others)
		start_others();
	kprintf("vellum: %u CPU%s\n", cpus, cpus == 1 ? "" : "s");
}
