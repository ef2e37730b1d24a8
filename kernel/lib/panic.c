/* SPDX-License-Identifier: BSD-2-Clause */
/* panic.c: the end of a kernel whose facts do not hold, or that cannot start on what it was given. A panic inside a panic says so and prints no more. */
#include "arch/arch.h"
#include "lib/assert.h"
#include "lib/print.h"

static bool panicking;

noreturn void panic(const char *format, ...)
{
	va_list args;
	arch_cpus_halt();
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

noreturn void panic_fact(const char *text)
{
	panic("%s", text);
}

BOOT noreturn void refuse(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	kprintf("vellum: cannot start: ");
	kvprintf(format, args);
	va_end(args);
	kprintf("\nvellum: shutdown %u\n", ARCH_SHUTDOWN_REFUSED);
	arch_shutdown(ARCH_SHUTDOWN_REFUSED);
}
