/* SPDX-License-Identifier: BSD-2-Clause */
/* backtrace.c: the second half of a panic: registers, and the way here, with names from the image's own table
 * (boot/ksyms). There are no frame pointers (they cost every call two instructions and a register): what on the stack
 * looks like a return address is printed, and may be left over from an earlier call. Trusts nothing that it reads. */
#include "arch/x86_64/cpu.h"
#include "lib/print.h"
#include "lib/string.h"

#define DEPTH 32u

struct ksym { u64 address; char name[56]; };
extern const struct ksym ksyms_start[], ksyms_end[];

static const struct regs *trap_registers;

void backtrace_set_registers(const struct regs *r) { trap_registers = r; }

static bool in_code(u64 a) { return a >= (u64)kernel_code && a < (u64)kernel_text_end; }

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

/* Is there a call to something in the kernel just before it? */
static bool after_call(u64 a)
{
	int32_t direct;

	if (!in_code(a - 7) || !in_code(a))
		return false;
	const u8 *at = (const u8 *)a;
	memcpy(&direct, at - 4, sizeof(direct));
	if (at[-5] == 0xe8 && in_code(a + (u64)(i64)direct))
		return true;
	return at[-2] == 0xff || at[-3] == 0xff || at[-6] == 0xff || at[-7] == 0xff;    /* through a pointer */
}

/* Of the stack that `from` lies on: guard pages are not mapped. */
static void print_stack(u64 from)
{
	const struct cpu_stacks *s = cpu_stacks_around(from);

	if (!s)
		return;
	u64 end = from < (u64)s->ist_guard ? (u64)s->ist_guard : (u64)(s + 1);
	u64 low = end == (u64)(s + 1) ? (u64)s->ist : (u64)s->stack;
	const u64 *at = (const u64 *)((MAX(from, low) + 7) & ~7ull);
	for (unsigned shown = 0; at < (const u64 *)end && shown < DEPTH; at++)
		if (after_call(*at)) {
			print_address("  from", *at, 1);
			shown++;
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
		kprintf("vellum: user context 0x%lx: rip %lx rsp %lx rax %lx vector %lu\n", (u64)c, c->regs.rip,
			c->regs.rsp, c->regs.rax, c->regs.vector);
	if (r && !(r->cs & 3)) {
		print_address("    at", r->rip, 0);
		print_stack(r->rsp);
	} else {
		print_stack((u64)__builtin_frame_address(0));
	}
	arch_shutdown(ARCH_SHUTDOWN_PANIC);
}
