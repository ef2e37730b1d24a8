/* SPDX-License-Identifier: BSD-2-Clause */
/* machine.c: the fake machine of arch/host/machine.h: arch.h for host tests. Contexts are registers and nothing
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

static i64 now, timer;
static unsigned pending, preempt_period, preempt_count;
static paddr_t loaded_root;
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
	timer = INT64_MAX;
	pending = preempt_period = preempt_count = 0;
	loaded_root = 0;
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
void host_root_load(paddr_t root) { loaded_root = root; }
void mmu_flush_page(paddr_t root, vaddr_t va) { (void)va; host_flushes_page += root == loaded_root; }
void mmu_flush_all(paddr_t root) { host_flushes_all += root == loaded_root; }
void arch_root_drop(paddr_t root) { if (root == loaded_root) loaded_root = 0; }

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
static void timer_check(void)
{
	if (timer > now)
		return;
	timer = INT64_MAX;
	pending |= ARCH_PENDING_TIMER;
}

void host_time_set(i64 to)
{
	ASSERT(to >= now);
	now = to;
	timer_check();
}

i64 host_timer(void) { return timer; }
i64 arch_now(void) { return now; }
u64 arch_cycles(void) { return (u64)now; }
i64 arch_cycles_to_ns(u64 cycles) { return (i64)cycles; }

void arch_timer_set(i64 when)
{
	timer = when;
	timer_check();
}

bool arch_is_pending(void) { return pending != 0; }

unsigned arch_take_pending(void)
{
	unsigned p = pending;
	pending = 0;
	return p;
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

/* Time passes until the timer; without one, nothing would ever happen. */
void arch_idle(void)
{
	ASSERT(pending || timer != INT64_MAX);
	if (!pending)
		host_time_set(timer);
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
	pending |= ARCH_PENDING_CONSOLE;
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

const char *arch_cpu_missing(void) { return NULL; }
