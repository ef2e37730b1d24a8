/* SPDX-License-Identifier: BSD-2-Clause */
/* fpu.c: what FPU state looks like on this CPU. The same on all CPUs; reads only. */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/state.h"

#define FXSAVE_SIZE   512u
#define FX_MXCSR_MASK 28u
#define MXCSR_OLDEST  0xffbfu           /* where the CPU names no mask: no denormals-are-zeros */

/* What is in the registers does not matter: the mask is the CPU's. */
static u32 mxcsr_mask(void)
{
	_Alignas(16) u8 area[FXSAVE_SIZE];
	__asm__ volatile ("fxsave64 %0" : "=m"(area));
	u32 mask = *(const u32 *)(area + FX_MXCSR_MASK);
	return mask ? mask : MXCSR_OLDEST;
}

static u64 xcr0(void)
{
	u32 low, high;
	__asm__ volatile ("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (u64)high << 32 | low;
}

struct fpu_form fpu_form(void)
{
	struct fpu_form form = { .size = FXSAVE_SIZE, .mxcsr = mxcsr_mask() };
	if (this_cpu()->xsave) {
		form.size = cpuid(0xd, 0).b;
		form.features = xcr0();
	}
	return form;
}
