/* SPDX-License-Identifier: BSD-2-Clause */
/* backtrace.c: the second half of a panic: registers, and the way here by frame pointers with names from the image's
 * own table (boot/ksyms). Trusts nothing that it reads: each frame must lie on one of the kernel's stacks, above the
 * one before. */
#include "arch/x86_64/cpu.h"
#include "lib/print.h"

#define DEPTH 32u

struct ksym { u64 address; char name[56]; };
extern const struct ksym ksyms_start[], ksyms_end[];

static const struct regs *trap_registers;

void backtrace_set_registers(const struct regs *r) { trap_registers = r; }

static bool in_code(u64 a) { return a >= (u64)kernel_start && a < (u64)kernel_text_end; }

const char *backtrace_symbol(u64 address, u64 *start)
{
	const struct ksym *low = ksyms_start, *high = ksyms_end;
	if (!in_code(address))
		return NULL;
	while (high - low > 1) {
		const struct ksym *middle = low + (high - low) / 2;
		if (middle->address <= address)
			low = middle;
		else
			high = middle;
	}
	if (low == high || low->address > address)
		return NULL;
	*start = low->address;
	return low->name;
}

/* `back`: how far before the address to look for the function. A return address may already be the next function's.
 * */
static void print_address(const char *what, u64 address, u64 back)
{
	u64 start;
	const char *name = backtrace_symbol(address - back, &start);
	if (name)
		kprintf("vellum: %s %016lx %s+0x%lx\n", what, address, name, address - start);
	else
		kprintf("vellum: %s %016lx\n", what, address);
}

static bool on_stack(u64 frame)
{
	const struct cpu_stacks *stacks = cpu_stacks_around(frame);
	return stacks && frame <= (u64)(stacks + 1) - 16 && frame % 8 == 0;
}

static void print_frames(u64 frame)
{
	for (unsigned i = 0; i < DEPTH && on_stack(frame); i++) {
		const u64 *at = (const u64 *)frame;
		if (!in_code(at[1]))
			return;
		print_address("  from", at[1], 1);
		if (at[0] <= frame)
			return;
		frame = at[0];
	}
}

static void print_registers(const struct regs *r)
{
	kprintf("vellum: rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
	kprintf("vellum: rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", r->rsi, r->rdi, r->rbp, r->rsp);
	kprintf("vellum: r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", r->r8, r->r9, r->r10, r->r11);
	kprintf("vellum: r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", r->r12, r->r13, r->r14, r->r15);
	kprintf("vellum: cs %lx ss %lx rflags %lx\n", r->cs, r->ss, r->rflags);
}

noreturn void arch_panic_dump(void)
{
	const struct regs *r = trap_registers;
	const struct arch_context *c = this_cpu()->current;
	if (r)
		print_registers(r);
	kprintf("vellum: cr0 %lx cr2 %lx cr3 %lx cr4 %lx\n", READ_CR(0), READ_CR(2), READ_CR(3), READ_CR(4));
	if (c)
		kprintf("vellum: user context %p: rip %lx rsp %lx rax %lx vector %lu\n", (const void *)c, c->regs.rip,
			c->regs.rsp, c->regs.rax, c->regs.vector);
	if (r && !(r->cs & 3)) {
		print_address("    at", r->rip, 0);
		print_frames(r->rbp);
	} else {
		print_frames((u64)__builtin_frame_address(0));
	}
	arch_shutdown(ARCH_SHUTDOWN_PANIC);
}
