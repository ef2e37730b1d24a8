/* SPDX-License-Identifier: BSD-2-Clause */
/* panic.c: the end of a kernel whose facts do not hold. A panic inside a panic says so and prints no more. */
#include "arch/arch.h"
#include "lib/assert.h"
#include "lib/print.h"

static bool panicking;

noreturn void panic(const char *format, ...)
{
	va_list args;
	if (panicking) {
		kprintf("\nvellum: PANIC: again, while reporting the first\n");
		arch_shutdown(ARCH_SHUTDOWN_PANIC);
	}
	panicking = true;
	va_start(args, format);
	kprintf("vellum: PANIC: ");
	kvprintf(format, args);
	kprintf("\n");
	va_end(args);
	arch_panic_dump();
}
