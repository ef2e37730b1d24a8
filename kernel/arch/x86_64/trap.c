/* SPDX-License-Identifier: BSD-2-Clause */
/* trap.c: what comes in by the interrupt table. From user mode: upcalls. From kernel mode: interrupts that were let
 * in, and the end of the kernel otherwise. */
#include <vellum/abi.h>
#include "arch/x86_64/cpu.h"
#include "lib/assert.h"

#define PF_WRITE    (1u << 1)
#define PF_RESERVED (1u << 3)
#define PF_FETCH    (1u << 4)

static unsigned access_of(u64 error)
{
	return error & PF_FETCH ? SYS_ACCESS_EXECUTE : error & PF_WRITE ? SYS_ACCESS_WRITE : SYS_ACCESS_READ;
}

static __attribute__((noinline)) struct arch_context *interrupted(struct arch_context *c)
{
	interrupt_note(c->regs.vector);
	return this_cpu()->pending ? kernel_interrupt(c) : c;
}

struct arch_context *trap_user(struct arch_context *c)
{
	struct regs *r = &c->regs;
	if (likely(r->vector == VECTOR_PAGE_FAULT)) {
		u64 address = READ_CR(2);
		if (unlikely(r->error & PF_RESERVED))
			panic("page table of user address 0x%lx names no memory", address);
		return kernel_page_fault(c, address, access_of(r->error));
	}
	if (r->vector < VECTOR_STUBS)
		return kernel_exception(c, r->vector, r->error);
	return interrupted(c);
}

/* ---- the kernel's own ---------------------------------------------------------------------------------------- */
static const char *const trap_name[VECTOR_STUBS] = {
	"division error", "debug trap", "non-maskable interrupt", "breakpoint", "overflow", "bound range exceeded",
	"invalid instruction", "no FPU", "double fault", NULL, "invalid TSS", "segment not present",
	"stack segment fault", "general protection fault", "page fault", NULL, "x87 exception", "alignment check",
	"machine check", "SIMD exception", "virtualization exception", "control protection fault",
};

/* UBSan's traps and __builtin_trap() are ud2 or ud1 instructions. */
static bool is_trap_instruction(u64 rip)
{
	const u8 *code = (const u8 *)rip;
	if (code < kernel_code || code + 1 >= kernel_text_end)
		return false;
	return code[0] == 0x0f && (code[1] == 0x0b || code[1] == 0xb9);
}

static bool in_guard(u64 address)
{
	const struct cpu_stacks *stacks = cpu_stacks_around(address);
	return stacks && (address - (u64)stacks->guard < PAGE_SIZE_ || address - (u64)stacks->ist_guard < PAGE_SIZE_);
}

noreturn void trap_fatal(struct regs *r)
{
	u64 address = READ_CR(2), start;
	const char *where = backtrace_symbol(r->rip, &start);
	const char *name = r->vector < VECTOR_STUBS && trap_name[r->vector] ? trap_name[r->vector] : "unknown trap";
	while (r->vector == 2 && cpu_was_halted())
		__asm__ volatile ("cli; hlt");
	backtrace_set_registers(r);
	if (!where) {
		where = r->cs & 3 ? "user code" : "unknown code";
		start = r->rip;
	}
	if ((r->vector == VECTOR_PAGE_FAULT || r->vector == 8) && in_guard(address))
		panic("the kernel stack is full at %s+0x%lx", where, r->rip - start);
	if (r->vector == VECTOR_PAGE_FAULT)
		panic("no kernel %s of 0x%lx is allowed at %s+0x%lx (error 0x%lx)",
			r->error & PF_FETCH ? "fetch" : r->error & PF_WRITE ? "write" : "read", address, where,
			r->rip - start, r->error);
	if (r->vector == 6 && !(r->cs & 3) && is_trap_instruction(r->rip))
		panic("undefined behaviour, or code that cannot be reached, at %s+0x%lx", where, r->rip - start);
	panic("%s (vector %lu, error 0x%lx) at %s+0x%lx", name, r->vector, r->error, where, r->rip - start);
}

void trap_kernel(struct regs *r)
{
	if (r->vector < VECTOR_STUBS)
		trap_fatal(r);
	interrupt_note(r->vector);
}
