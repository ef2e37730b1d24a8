/* SPDX-License-Identifier: BSD-2-Clause */
/* state.c: a context's registers as data, for debuggers and fault handlers. What is written comes from a program, so
 * each value that the CPU would refuse on the way out of the kernel is refused here: iretq, wrmsr and xrstor must never
 * fault. Pure memory; fpu.c says what this CPU can load. The host's machine compiles it too. Kernel lock. */
#include <vellum/abi.h>
#include "arch/arch.h"
#include "arch/pagetable.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/state.h"
#include "lib/assert.h"
#include "lib/string.h"

#define FLAGS_SETTABLE 0x250dd5u        /* CF PF AF ZF SF TF DF OF RF AC ID */
#define FLAGS_FIXED    0x202u           /* IF, and the bit that is always 1; IOPL is 0 */

#define FPU_MXCSR      24u              /* offsets in the area */
#define FPU_HEADER     512u
#define FPU_HEADER_END 576u

_Static_assert(FPU_SIZE == ARCH_STATE_MAX, "the FPU's is the largest");

/* ---- general registers --------------------------------------------------------------------------------------- */
/* `syscall` leaves rip in rcx and rflags in r11, and nothing else of them is saved. */
static void general_read(const struct regs *r, sys_regs_t *out)
{
	bool by_syscall = r->vector == VECTOR_SYSCALL;

	*out = (sys_regs_t){
		.rax = r->rax, .rbx = r->rbx, .rcx = by_syscall ? r->rip : r->rcx, .rdx = r->rdx,
		.rsi = r->rsi, .rdi = r->rdi, .rbp = r->rbp, .rsp = r->rsp,
		.r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = by_syscall ? r->rflags : r->r11,
		.r12 = r->r12, .r13 = r->r13, .r14 = r->r14, .r15 = r->r15,
		.rip = r->rip, .rflags = r->rflags, .fs_base = r->fs_base, .gs_base = r->gs_base,
	};
}

static bool general_write(struct regs *r, const sys_regs_t *in)
{
	if (in->rip > PT_USER_TOP || in->rsp > PT_USER_TOP || in->fs_base > PT_USER_TOP || in->gs_base > PT_USER_TOP)
		return false;
	*r = (struct regs){
		.rdi = in->rdi, .rsi = in->rsi, .rdx = in->rdx, .r10 = in->r10, .r8 = in->r8, .r9 = in->r9,
		.r12 = in->r12, .r13 = in->r13, .r14 = in->r14, .r15 = in->r15,
		.rax = in->rax, .rbx = in->rbx, .rbp = in->rbp, .rcx = in->rcx, .r11 = in->r11,
		.fs_base = in->fs_base, .gs_base = in->gs_base,
		.vector = 0,                    /* leaves by iret, which loads all of them */
		.rip = in->rip, .rflags = (in->rflags & FLAGS_SETTABLE) | FLAGS_FIXED, .rsp = in->rsp,
		.cs = r->cs, .ss = r->ss,
	};
	return true;
}

/* ---- the FPU's ----------------------------------------------------------------------------------------------- */
static bool fpu_good(const u8 *area, const struct fpu_form *form)
{
	u64 header[(FPU_HEADER_END - FPU_HEADER) / sizeof(u64)];
	u32 mxcsr;

	memcpy(&mxcsr, area + FPU_MXCSR, sizeof mxcsr);
	if (mxcsr & ~form->mxcsr)
		return false;
	if (form->size < FPU_HEADER_END)
		return true;
	memcpy(header, area + FPU_HEADER, sizeof header);
	for (unsigned i = 1; i < ARRAY_LEN(header); i++)
		if (header[i])
			return false;
	return !(header[0] & ~form->features);
}

/* ---- the interface ------------------------------------------------------------------------------------------- */
u32 arch_state_size(unsigned kind)
{
	switch (kind) {
	case SYS_STATE_GENERAL:
		return sizeof(sys_regs_t);
	case SYS_STATE_FPU:
		return fpu_form().size;
	default:
		return 0;
	}
}

void arch_state_read(const struct arch_context *c, unsigned kind, void *to)
{
	if (kind == SYS_STATE_GENERAL)
		general_read(&c->regs, to);
	else
		memcpy(to, c->fpu, arch_state_size(kind));
}

bool arch_state_write(struct arch_context *c, unsigned kind, const void *from)
{
	if (kind == SYS_STATE_GENERAL)
		return general_write(&c->regs, from);
	struct fpu_form form = fpu_form();
	if (!fpu_good(from, &form))
		return false;
	memcpy(c->fpu, from, form.size);
	return true;
}
