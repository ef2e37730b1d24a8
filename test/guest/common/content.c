/* SPDX-License-Identifier: BSD-2-Clause */
/* content.c: see content.h. */
#include "content.h"

#include <string.h>

sys_cap_t child_of(sys_cap_t vmo, uint32_t options, uint64_t offset, uint64_t size)
{
	sys_cap_t child;
	OKAY(sys_vmo_create_child(vmo, ut, options, offset, size, &child));
	return child;
}

sys_cap_t slice_of(sys_cap_t vmo, uint64_t offset, uint64_t size)
{
	return child_of(vmo, SYS_VMO_CHILD_SLICE, offset, size);
}

sys_cap_t reference_of(sys_cap_t vmo)
{
	return child_of(vmo, SYS_VMO_CHILD_REFERENCE, 0, 0);
}

sys_cap_t clone_of(sys_cap_t vmo, uint64_t offset, uint64_t size)
{
	return child_of(vmo, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE, offset, size);
}

sys_cap_t modified_of(sys_cap_t vmo, uint64_t offset, uint64_t size)
{
	return child_of(vmo, SYS_VMO_CHILD_SNAPSHOT_MODIFIED, offset, size);
}

sys_status_t range(sys_cap_t vmo, enum sys_vmo_op op, uint64_t offset, uint64_t size)
{
	return sys_vmo_op_range(vmo, op, offset, size, NULL, 0);
}

void commit(sys_cap_t vmo, uint64_t offset, uint64_t size)
{
	OKAY(range(vmo, SYS_VMO_OP_COMMIT, offset, size));
}

void zero(sys_cap_t vmo, uint64_t offset, uint64_t size)
{
	OKAY(range(vmo, SYS_VMO_OP_ZERO, offset, size));
}

uint64_t size_of(sys_cap_t vmo)
{
	uint64_t size = 77;
	OKAY(sys_vmo_get_size(vmo, &size));
	return size;
}

uint64_t stream_of(sys_cap_t vmo)
{
	uint64_t size = 77;
	OKAY(sys_vmo_get_stream_size(vmo, &size));
	return size;
}

uint64_t private_of(sys_cap_t vmo)
{
	return vmo_info(vmo).private_bytes;
}

uint64_t committed_of(sys_cap_t vmo)
{
	return vmo_info(vmo).committed;
}

static uint8_t bytes[4096];

void put_bytes(sys_cap_t vmo, uint64_t offset, uint64_t len, uint8_t value)
{
	memset(bytes, value, sizeof(bytes));
	for (uint64_t step; len > 0; offset += step, len -= step) {
		step = len < sizeof(bytes) ? len : sizeof(bytes);
		OKAY(sys_vmo_write(vmo, bytes, offset, step));
	}
}

bool all_bytes(sys_cap_t vmo, uint64_t offset, uint64_t len, uint8_t value)
{
	for (uint64_t step; len > 0; offset += step, len -= step) {
		step = len < sizeof(bytes) ? len : sizeof(bytes);
		memset(bytes, value + 1, sizeof(bytes));
		OKAY(sys_vmo_read(vmo, bytes, offset, step));
		for (uint64_t i = 0; i < step; i++)
			if (bytes[i] != value)
				return false;
	}
	return true;
}

void check_pages(sys_cap_t vmo, uint64_t page, uint64_t pages, uint64_t first, int line)
{
	for (uint64_t i = 0; i < pages; i++)
		check_equal(get(vmo, (page + i) * PAGE), first + i, "a page", "what was put there", line);
}

void number(sys_cap_t vmo, uint64_t page, uint64_t pages, uint64_t tag)
{
	for (uint64_t i = 0; i < pages; i++)
		put(vmo, (page + i) * PAGE, tag + i);
}

sys_cap_t numbered_with(uint64_t pages, uint64_t tag, uint32_t options)
{
	sys_cap_t vmo;
	OKAY(sys_vmo_create(ut, pages * PAGE, options, &vmo));
	number(vmo, 0, pages, tag);
	return vmo;
}

sys_cap_t watch_children(sys_cap_t vmo)
{
	sys_cap_t ntfn = new_notification();
	OKAY(sys_cap_watch(vmo, SYS_EVENT_ZERO_CHILDREN, 0, ntfn, 1));
	return ntfn;
}

bool told(sys_cap_t ntfn)
{
	uint64_t bits = 0;
	sys_status_t status = sys_notification_wait(ntfn, &bits, SYS_TIME_POLL);
	CHECK(status == SYS_OK || status == SYS_ERR_TIMED_OUT);
	return status == SYS_OK;
}
