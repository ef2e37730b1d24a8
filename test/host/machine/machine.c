/* SPDX-License-Identifier: BSD-2-Clause */
/* machine.c: the fake machine of machine.h: arch.h for host tests. Contexts are registers and nothing
 * more. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "arch/arch.h"
#include "lib/assert.h"
#include "lib/string.h"

u8 *host_ram;
u64 host_ram_size;
paddr_t mmu_kernel_root;
u64 host_flushes_page, host_flushes_all;

struct host_cpu {
	i64 timer;
	unsigned pending;
	paddr_t root;
	u64 kicks, stops, shootdowns;
	_Alignas(64) u8 area[ARCH_CPU_AREA_SIZE];
};
static struct host_cpu cpus[ARCH_CPUS_MAX], *self = cpus;
static unsigned cpu_count = 1, stop_vector;

static i64 now;
static unsigned preempt_period, preempt_count;
static u64 random_state = 1;
static char output[65536], input[4096];
static size_t output_length, input_length, input_read;

/* ---- memory -------------------------------------------------------------------------------------------------- */
void host_machine_end(void)
{
	if (host_ram)
		munmap(host_ram, host_ram_size);
	host_ram = NULL;
	host_ram_size = 0;
}

void host_machine_init(u64 frames)
{
	host_machine_end();
	host_ram_size = frames * PAGE_SIZE_;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	void *ram = mmap(NULL, host_ram_size, PROT_READ | PROT_WRITE, flags, -1, 0);
	ASSERT(ram != MAP_FAILED);
	host_ram = ram;
	mmu_kernel_root = HOST_RAM_BASE;
	for (u64 i = 256; i < 512; i++)
		((u64 *)host_ram)[i] = i << PAGE_SHIFT | 3;
	now = 0;
	memset(cpus, 0, sizeof cpus);
	for (unsigned i = 0; i < ARCH_CPUS_MAX; i++)
		cpus[i].timer = INT64_MAX;
	self = cpus;
	cpu_count = 1;
	stop_vector = preempt_period = preempt_count = 0;
	host_flushes_page = host_flushes_all = 0;
	input_length = input_read = 0;
	host_console_clear();
}

void host_boot_info(struct boot_info *boot)
{
	memset(boot, 0, sizeof *boot);
	boot->ram[0] = (struct boot_range){ HOST_RAM_BASE, host_ram_size };
	boot->rams = 1;
	boot->taken[0] = (struct boot_range){ HOST_RAM_BASE, PAGE_SIZE_ };
	boot->takens = 1;
	snprintf(boot->loader, sizeof boot->loader, "host");
	snprintf(boot->cpu, sizeof boot->cpu, "host");
}

void *phys_to_virt(paddr_t p)
{
	ASSERT(p >= HOST_RAM_BASE && p - HOST_RAM_BASE < host_ram_size);
	return host_ram + (p - HOST_RAM_BASE);
}

paddr_t virt_to_phys(const void *v)
{
	ASSERT((const u8 *)v >= host_ram && (const u8 *)v < host_ram + host_ram_size);
	return HOST_RAM_BASE + (u64)((const u8 *)v - host_ram);
}

/* ---- page tables --------------------------------------------------------------------------------------------- */
void host_root_load(paddr_t root) { self->root = root; }
void mmu_flush_page(paddr_t root, vaddr_t va) { (void)va; host_flushes_page += root == self->root; }
void mmu_flush_all(paddr_t root) { host_flushes_all += root == self->root; }

bool mmu_shared(void) { return cpu_count > 1; }

void mmu_shootdown(paddr_t root)
{
	for (struct host_cpu *c = cpus; c < cpus + cpu_count; c++)
		c->shootdowns += c != self && c->root == root;
}

u64 host_shootdowns(unsigned cpu) { return cpus[cpu].shootdowns; }

void arch_root_drop(paddr_t root)
{
	for (struct host_cpu *c = cpus; c < cpus + cpu_count; c++)
		ASSERT(c == self || c->root != root);
	if (self->root == root)
		self->root = 0;
}

/* ---- CPUs ---------------------------------------------------------------------------------------------------- */
unsigned arch_cpus(void) { return cpu_count; }
unsigned arch_cpu(void) { return (unsigned)(self - cpus); }
void *host_area(void) { return self->area; }

void *arch_cpu_area(unsigned cpu)
{
	ASSERT(cpu < cpu_count);
	return cpus[cpu].area;
}

void host_cpus_set(unsigned count)
{
	ASSERT(count >= 1 && count <= ARCH_CPUS_MAX && arch_cpu() < count);
	cpu_count = count;
}

void host_cpu_set(unsigned cpu)
{
	ASSERT(cpu < cpu_count);
	self = cpus + cpu;
}

void arch_cpus_start(void) {}

static struct host_cpu *other(unsigned cpu)
{
	ASSERT(cpu < cpu_count && cpu != arch_cpu());
	return cpus + cpu;
}

void arch_cpu_kick(unsigned cpu)
{
	struct host_cpu *c = other(cpu);
	c->kicks++;
	c->pending |= ARCH_PENDING_KICK;
}

unsigned arch_cpu_stop(unsigned cpu)
{
	struct host_cpu *c = other(cpu);
	unsigned vector = stop_vector;
	c->stops++;
	c->root = 0;
	stop_vector = 0;
	return vector;
}

u64 host_kicks(unsigned cpu) { return cpus[cpu].kicks; }
u64 host_stops(unsigned cpu) { return cpus[cpu].stops; }
void host_stop_vector(unsigned vector) { stop_vector = vector; }

/* ---- contexts ------------------------------------------------------------------------------------------------ */
void arch_context_init(struct arch_context *c, paddr_t root)
{
	memset(c, 0, sizeof *c);
	c->root = root;
}

void arch_context_start(struct arch_context *c, u64 entry, u64 stack, u64 arg0, u64 arg1)
{
	c->regs.rip = entry;
	c->regs.rsp = stack;
	c->regs.rdi = arg0;
	c->regs.rsi = arg1;
}

void arch_context_drop(struct arch_context *c) { (void)c; }
void arch_context_set_tls(struct arch_context *c, u64 fs_base) { c->regs.fs_base = fs_base; }
noreturn void arch_leave(struct arch_context *c) { panic("the host has no user mode (context %p)", (void *)c); }

/* ---- time and interrupts ------------------------------------------------------------------------------------- */
static void timer_check(struct host_cpu *c)
{
	if (c->timer > now)
		return;
	c->timer = INT64_MAX;
	c->pending |= ARCH_PENDING_TIMER;
}

void host_time_set(i64 to)
{
	ASSERT(to >= now);
	now = to;
	for (struct host_cpu *c = cpus; c < cpus + cpu_count; c++)
		timer_check(c);
}

i64 host_timer(void) { return self->timer; }
u64 host_cache_flushes;
void arch_cache_flush(paddr_t page)
{
	ASSERT(page_aligned(page));
	host_cache_flushes++;
}

i64 arch_now(void) { return now; }
u64 arch_cycles(void) { return (u64)now; }
i64 arch_cycles_to_ns(u64 cycles) { return (i64)cycles; }

void arch_timer_set(i64 when)
{
	self->timer = when;
	timer_check(self);
}

void arch_measure_entries(void) {}
u64 arch_longest_entry(void) { return 0; }
bool arch_longest_entry_call(u64 *number) { *number = 0; return false; }

bool arch_is_pending(void) { return self->pending != 0; }

unsigned arch_take_pending(void)
{
	unsigned pending = self->pending;
	self->pending = 0;
	return pending;
}

void host_preempt_every(unsigned n)
{
	preempt_period = n;
	preempt_count = 0;
}

bool arch_preempt_poll(void)
{
	return preempt_period && ++preempt_count % preempt_period == 0;
}

void arch_breathe(void) {}

/* Time passes until the timer; without one, nothing would ever happen. */
void arch_idle(void)
{
	ASSERT(self->pending || self->timer != INT64_MAX);
	if (!self->pending)
		host_time_set(self->timer);
}

/* ---- console, end -------------------------------------------------------------------------------------------- */
void arch_console_write(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (output_length == sizeof output - 1) {
			memmove(output, output + sizeof output / 2, sizeof output / 2);
			output_length -= sizeof output / 2;
		}
		output[output_length++] = text[i];
	}
	output[output_length] = 0;
}

const char *host_console(void) { return output; }

void host_console_clear(void)
{
	output_length = 0;
	output[0] = 0;
}

void host_console_type(const char *text)
{
	size_t len = strlen(text);
	ASSERT(len <= sizeof input - input_length);
	memcpy(input + input_length, text, len);
	input_length += len;
	cpus[0].pending |= ARCH_PENDING_CONSOLE;
}

int arch_console_read(void)
{
	return input_read < input_length ? (u8)input[input_read++] : -1;
}

static void show_output(void)
{
	size_t tail = output_length > 4096 ? output_length - 4096 : 0;
	fprintf(stderr, "%s\n", output + tail);
}

noreturn void arch_shutdown(u32 code)
{
	if (code == ARCH_SHUTDOWN_REFUSED)
		show_output();
	fflush(NULL);
	exit((int)code);
}

void arch_cpus_halt(void) {}

noreturn void arch_panic_dump(void)
{
	show_output();
	abort();
}

void host_random_seed(u64 seed) { random_state = seed; }

u64 arch_random(void)
{
	u64 z = random_state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}
