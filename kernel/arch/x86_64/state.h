/* SPDX-License-Identifier: BSD-2-Clause */
/* state.h: what state.c must know of the CPU (fpu.c; the host says something of its own). */
#pragma once
#include "lib/types.h"

/* The area that FPU state is kept in, as the CPU writes and loads it. */
struct fpu_form {
	u32 size;               /* XSAVE's standard format for all of XCR0, or FXSAVE's 512 bytes */
	u32 mxcsr;              /* MXCSR bits that may be set */
	u64 features;           /* XCR0; 0: FXSAVE */
};
struct fpu_form fpu_form(void);
