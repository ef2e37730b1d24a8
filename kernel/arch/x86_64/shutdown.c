/* SPDX-License-Identifier: BSD-2-Clause */
/* shutdown.c: the end of the machine. */
#include "arch/x86_64/cpu.h"

#define PORT_QEMU_EXIT  0xf4            /* isa-debug-exit: QEMU's exit status becomes code << 1 | 1, eight bits */
#define PORT_BOCHS_EXIT 0x8900

noreturn void arch_shutdown(u32 code)
{
	serial_drain();
	out32(PORT_QEMU_EXIT, code);
	for (const char *text = "Shutdown"; *text; text++)
		out8(PORT_BOCHS_EXIT, (u8)*text);
	arch_cpus_halt();
	for (;;)
		__asm__ volatile ("cli; hlt");
}
