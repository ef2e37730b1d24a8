/* SPDX-License-Identifier: BSD-2-Clause */
/* heap.c: sbrk() on one sparse VMO of the program's account, mapped once. Growth is committed at once, so that malloc
 * learns of a full account by NULL and not by a fault later. Callers hold picolibc's lock (malloc does).
 */
#include <errno.h>
#include <unistd.h>
#include "internal.h"

#define HEAP_SIZE (64ull << 30)         /* of address space, not of memory */

static sys_cap_t heap_vmo;
static sys_vaddr_t heap_base;
static uint64_t heap_used, heap_committed;

static sys_status_t heap_open(void)
{
	sys_status_t status = sys_vmo_create(SYS_CAP_UNTYPED, HEAP_SIZE, 0, &heap_vmo);

	if (status != SYS_OK)
		return status;
	status = sys_vmar_map(SYS_CAP_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, heap_vmo, 0, HEAP_SIZE,
		&heap_base);
	if (status != SYS_OK) {
		sys_cap_delete(heap_vmo);
		heap_base = 0;
	}
	return status;
}

/* Commits or gives back whole pages, so that just what is in use is paid for. */
static sys_status_t heap_commit(uint64_t used)
{
	uint64_t want = (used + SYS_PAGE_SIZE - 1) / SYS_PAGE_SIZE * SYS_PAGE_SIZE;
	sys_status_t status = SYS_OK;

	if (want > heap_committed)
		status = sys_vmo_op_range(heap_vmo, SYS_VMO_OP_COMMIT, heap_committed, want - heap_committed, NULL, 0);
	else if (want < heap_committed)
		status = sys_vmo_op_range(heap_vmo, SYS_VMO_OP_DECOMMIT, want, heap_committed - want, NULL, 0);
	if (status == SYS_OK)
		heap_committed = want;
	return status;
}

void *sbrk(ptrdiff_t change)
{
	uint64_t used = heap_used + (uint64_t)change, old = heap_used;

	if ((!heap_base && heap_open() != SYS_OK) || used > HEAP_SIZE || heap_commit(used) != SYS_OK) {
		errno = ENOMEM;
		return (void *)-1;
	}
	heap_used = used;
	return (void *)(heap_base + old);
}
