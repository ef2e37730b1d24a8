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
/* Where each word of sys_regs_t is in struct regs. */
#define AT(name) (offsetof(struct regs, name) / sizeof(u64))
static const u8 place[] = {
	AT(rax), AT(rbx), AT(rcx), AT(rdx), AT(rsi), AT(rdi), AT(rbp), AT(rsp), AT(r8), AT(r9), AT(r10), AT(r11),
	AT(r12), AT(r13), AT(r14), AT(r15), AT(rip), AT(rflags), AT(fs_base), AT(gs_base),
};
_Static_assert(sizeof(sys_regs_t) == ARRAY_LEN(place) * sizeof(u64), "a place for each register");
_Static_assert(offsetof(sys_regs_t, r8) == 8 * sizeof(u64), "in order");
_Static_assert(offsetof(sys_regs_t, rip) == 16 * sizeof(u64), "in order");

/* `syscall` leaves rip in rcx and rflags in r11, and nothing else of them is saved. */
static void general_read(const struct regs *r, sys_regs_t *out)
{
	for (unsigned i = 0; i < ARRAY_LEN(place); i++)
		((u64 *)out)[i] = ((const u64 *)r)[place[i]];
	if (r->vector == VECTOR_SYSCALL) {
		out->rcx = r->rip;
		out->r11 = r->rflags;
	}
}

static bool general_write(struct regs *r, const sys_regs_t *in)
{
	if (in->rip > PT_USER_TOP || in->rsp > PT_USER_TOP || in->fs_base > PT_USER_TOP || in->gs_base > PT_USER_TOP)
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(place); i++)
		((u64 *)r)[place[i]] = ((const u64 *)in)[i];
	r->rflags = (in->rflags & FLAGS_SETTABLE) | FLAGS_FIXED;
	r->vector = 0;                          /* leaves by iret, which loads all of them */
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
