/* SPDX-License-Identifier: BSD-2-Clause */
/* time.c: the clock is the time stamp counter; alarms come from the local APIC's timer, by TSC deadline where the
 * CPU has that.
 *
 * Both are measured against the PIT for half a millisecond at boot; where the CPU or a hypervisor states a frequency
 * that agrees, it is taken as the more exact. Conversions are a multiplication and a shift: no division after boot.
 *
 * Several CPUs: one clock, an alarm for each. The time stamp counters are taken to count the same, from the same
 * start (an invariant TSC that firmware left alone; QEMU and Bochs have that), and the APIC timers to run alike: only
 * the boot CPU measures.
 * The figures: set at boot. The alarm: its CPU's own, interrupts off.
 */
#include "arch/x86_64/cpu.h"
#include "lib/assert.h"

#define PIT_HZ       1193182u
#define PIT_COUNTER  0x42
#define PIT_CONTROL  0x43
#define PIT_GATE     0x61
#define WINDOW       597u               /* PIT ticks: half a millisecond */
#define TRIES        5u
#define POLLS        1000000u
#define AGREE        100u               /* a stated frequency counts within a hundredth of the measured one */

#define APIC_LVT_TIMER     0x320u
#define APIC_TIMER_INITIAL 0x380u
#define APIC_TIMER_CURRENT 0x390u
#define APIC_TIMER_DIVIDE  0x3e0u
#define DIVIDE_BY_16       3u
#define LVT_DEADLINE       (1u << 18)
#define NS 1000000000ull

static u64 tsc_start, tsc_hz, tsc_to_ns, ns_to_tsc, ns_to_apic;        /* factors: 32 bits behind the point */
static bool deadline_mode;

static u64 scale(u64 value, u64 factor) { return (unsigned __int128)value * factor >> 32; }

/* to / from with 32 bits behind the point; less than 2^32 times. */
BOOT static u64 factor_of(u64 to, u64 from)
{
	u64 high = to >> 32, low = to << 32;
	ASSERT(high < from);
	__asm__ ("divq %2" : "+a"(low), "+d"(high) : "rm"(from));
	return low;
}

/* ---- measuring ----------------------------------------------------------------------------------------------- */
BOOT static u16 pit_read(void)
{
	out8(PIT_CONTROL, 0x80);        /* latch channel 2 */
	u16 low = in8(PIT_COUNTER);
	return (u16)(low | in8(PIT_COUNTER) << 8);
}

BOOT static void pit_start(void)
{
	out8(PIT_GATE, (in8(PIT_GATE) & ~2u) | 1);      /* count, but no sound */
	out8(PIT_CONTROL, 0xb0);                        /* channel 2, both bytes, mode 0: down from 65535 once */
	out8(PIT_COUNTER, 0xff);
	out8(PIT_COUNTER, 0xff);
}

struct edge { u64 tsc, width; u32 apic; u16 count; };

/* The moment when the PIT's counter becomes `at` or less: between two reads that are `width` apart. */
BOOT static bool pit_edge(u16 at, struct edge *e)
{
	u64 before = arch_cycles();
	for (u32 i = 0; i < POLLS; i++) {
		u16 count = pit_read();
		u64 now = arch_cycles();
		if (count <= at) {
			*e = (struct edge){ now, now - before, apic_read(APIC_TIMER_CURRENT), count };
			return true;
		}
		before = now;
	}
	return false;
}

/* Measures TSC and APIC timer; the try with the sharpest edges counts, since a virtual CPU may be stopped at any
 * time. */
BOOT static void measure(u64 *tsc, u64 *apic)
{
	u64 best = UINT64_MAX;
	*tsc = *apic = 0;
	for (unsigned i = 0; i < TRIES; i++) {
		struct edge a, b;
		pit_start();
		apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
		if (!pit_edge(0xfff0, &a))
			return;
		if (a.count <= WINDOW)          /* read before the counter had its start value, or stopped for long */
			continue;
		if (!pit_edge((u16)(a.count - WINDOW), &b))
			return;
		u64 ticks = a.count - b.count, width = MAX(a.width, b.width);
		if (width < best) {
			best = width;
			*tsc = (b.tsc - a.tsc) * PIT_HZ / ticks;
			*apic = (u64)(a.apic - b.apic) * PIT_HZ / ticks;
		}
		if (best < (b.tsc - a.tsc) / 50)
			return;
	}
}

/* What the CPU (leaves 0x15, 0x16) or a hypervisor (leaf 0x40000010) says that its TSC runs at; 0: nothing. */
BOOT static u64 stated_hz(void)
{
	if (cpuid(1, 0).c >> 31)
		return cpuid(0x40000000, 0).a >= 0x40000010 ? cpuid(0x40000010, 0).a * 1000ull : 0;
	u32 leaves = cpuid(0, 0).a;
	struct cpuid ratio = leaves >= 0x15 ? cpuid(0x15, 0) : (struct cpuid){ 0, 0, 0, 0 };
	if (ratio.a && ratio.b && ratio.c)
		return (u64)ratio.c * ratio.b / ratio.a;
	return leaves >= 0x16 ? (cpuid(0x16, 0).a & 0xffff) * 1000000ull : 0;
}

BOOT void time_init(u64 entry_tsc)
{
	u64 apic_hz, stated = stated_hz();
	deadline_mode = cpu_has_tsc_deadline();
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
	measure(&tsc_hz, &apic_hz);
	if (!tsc_hz || (stated > tsc_hz - tsc_hz / AGREE && stated < tsc_hz + tsc_hz / AGREE))
		tsc_hz = stated;
	if (!tsc_hz || (!deadline_mode && !apic_hz))
		panic("neither PIT nor CPU tell how fast the clock runs");
	tsc_start = entry_tsc;
	tsc_to_ns = factor_of(NS, tsc_hz);
	ns_to_tsc = factor_of(tsc_hz, NS);
	ns_to_apic = factor_of(apic_hz, NS);
	time_init_cpu();
}

void time_init_cpu(void)
{
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_16);
	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_LVT_TIMER, (deadline_mode ? LVT_DEADLINE : 0) | VECTOR_TIMER);
	__asm__ volatile ("mfence" ::: "memory");       /* the mode before the first deadline */
}

/* ---- clock and alarm ----------------------------------------------------------------------------------------- */
i64 arch_now(void)
{
	return (i64)scale(arch_cycles() - tsc_start, tsc_to_ns);
}

static void program(i64 when)
{
	if (deadline_mode) {
		/* A little late rather than early: rounding is down, and 0 would mean no alarm. */
		u64 at = tsc_start + scale((u64)MAX(when, 0), ns_to_tsc) + 2;
		write_msr(MSR_TSC_DEADLINE, when == INT64_MAX ? 0 : at);
		return;
	}
	if (when == INT64_MAX) {
		apic_write(APIC_TIMER_INITIAL, 0);
		return;
	}
	i64 now = arch_now();
	u64 ticks = when > now ? scale((u64)(when - now), ns_to_apic) + 1 : 1;
	apic_write(APIC_TIMER_INITIAL, (u32)MIN(ticks, UINT32_MAX));
}

void arch_timer_set(i64 when)
{
	struct cpu *cpu = this_cpu();
	if (when == cpu->alarm)
		return;
	cpu->alarm = when;
	program(when);
}

/* An alarm farther away than the counter reaches, or one that was replaced just as it came, rings early. */
bool time_interrupt(void)
{
	struct cpu *cpu = this_cpu();
	if (cpu->alarm == INT64_MAX)
		return false;
	if (arch_now() < cpu->alarm) {
		program(cpu->alarm);
		return false;
	}
	cpu->alarm = INT64_MAX;
	return true;
}

i64 arch_cycles_to_ns(u64 cycles)
{
	return (i64)scale(cycles, tsc_to_ns);
}
