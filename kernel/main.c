/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c: the order in which the kernel comes to life, and nothing else. */
#include "cap/slot.h"
#include "init.h"
#include "ipc/ipc.h"
#include "lib/assert.h"
#include "lib/print.h"
#include "lib/string.h"
#include "sched/sched.h"
#include "syscall/fastpath.h"

/* Is this word on the command line? */
BOOT static bool option(const struct boot_info *boot, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = boot->cmdline; *at; at++)
		if ((at == boot->cmdline || at[-1] == ' ') && strncmp(at, word, len) == 0 && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

BOOT static void memory_init(const struct boot_info *boot)
{
	frame_init(boot);
	account_init();
	kprintf("vellum: %lu MiB of memory, %lu MiB free\n", frame_count() >> 8, frame_count_free() >> 8);
}

/* Boot's code goes, and what it lay in: the root account, which counts all modules, has the frames of those that were given to nobody, the kernel's
 * own and init's. */
COLD static noreturn void boot_over(const struct boot_info *boot)
{
	arch_boot_over();
	for (const struct boot_module *m = boot->module; m < boot->module + boot->modules; m++)
		for (paddr_t at = m->base; at < m->base + m->size && frame_of(at)->kind == FRAME_MODULE; at += PAGE_SIZE_) {
			frame_take_module(at);
			frame_free(at);
		}
	ASSERT(frame_count_modules() == 0 && frame_of(boot->module->base)->kind == FRAME_FREE);
#ifdef VELLUM_DEBUG
	arch_check();
	account_check_all();
#endif
	arch_leave(&sched_next()->context);
}

BOOT noreturn void kernel_main(const struct boot_info *boot)
{
	kprintf("vellum: started by %s on %s\n", boot->loader, boot->cpu);
	memory_init(boot);
	vm_randomise = !option(boot, "norandom");
	vmo_boot();
	sched_init();
	thread_boot();
	ipc_boot();
	cap_boot();
	console_boot();
	system_boot(boot);
	syscall_boot();
	if (!option(boot, "nofast"))
		fast_ways_on();
	arch_cpus_start();
	init_start(boot);
	if (option(boot, "measure"))
		arch_measure_entries();
	kprintf("vellum: boot %lu instructions\n", arch_cycles() - boot->entry_tsc);
	boot_over(boot);
}
