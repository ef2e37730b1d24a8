/* SPDX-License-Identifier: BSD-2-Clause */
/* start.c: from the first instruction to main(), and what the parent passed (sys_startup).
 * The startup block is read with care, although it is this program's own memory: what does not fit in it is not there.
 */
#include <stdlib.h>
#include <sys/lock.h>
#include <unistd.h>
#include <vellum/startup.h>
#include "internal.h"

extern int main(int argc, char **argv);
extern void __libc_init_array(void);
void libsys_start(const struct startup_block *block) __attribute__((noreturn));

/* picolibc has a heap and locks of its own; naming ours here makes the linker take them first. */
void *(*const libsys_use_heap)(ptrdiff_t) = sbrk;
void (*const libsys_use_locks)(_LOCK_T) = __retarget_lock_acquire;

static const struct startup_block *startup;

static bool block_is_whole(const struct startup_block *block)
{
	uint64_t need;

	if (!block || block->magic != STARTUP_MAGIC || block->bytes < sizeof *block)
		return false;
	need = sizeof *block + (uint64_t)block->items * sizeof(struct startup_item) +
		(uint64_t)block->argc * sizeof(uint32_t);
	/* A string that begins in the block ends in it, if its last byte is a NUL. */
	return need <= block->bytes && (need == block->bytes || ((const char *)block)[block->bytes - 1] == '\0');
}

static const struct startup_item *block_items(void)
{
	return (const struct startup_item *)(startup + 1);
}

static char *block_string(uint32_t offset)
{
	return offset < startup->bytes ? (char *)(uintptr_t)startup + offset : (char *)"";
}

size_t sys_startup(sys_startup_item_t *buf, size_t count)
{
	const struct startup_item *item;

	if (!startup)
		return 0;
	item = block_items();
	for (size_t i = 0; i < startup->items && i < count; i++)
		buf[i] = (sys_startup_item_t){ block_string(item[i].name), item[i].cap, item[i].size };
	return startup->items;
}

void libsys_start(const struct startup_block *block)
{
	/* The first thread's variables lie in this frame, which never ends. No libc function may run before they are
	 * there. */
	struct tls_head *tls = tls_make(__builtin_alloca(tls_size()), true);
	sys_status_t status = sys_thread_set_tls(SYS_CAP_THREAD, (sys_vaddr_t)tls);
	int argc = 0;
	char **argv;

	if (status != SYS_OK)
		sys_thread_exit(status);
	startup = block_is_whole(block) ? block : NULL;
	if (startup)
		argc = (int)startup->argc;
	argv = __builtin_alloca(((size_t)argc + 1) * sizeof *argv);
	for (int i = 0; i < argc; i++)
		argv[i] = block_string(((const uint32_t *)(block_items() + startup->items))[i]);
	argv[argc] = NULL;
	__libc_init_array();
	exit(main(argc, argv));
}
