/* SPDX-License-Identifier: BSD-2-Clause */
/* guest.c: the checks and the makers of guest.h. Main thread only. */
#include "guest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SMALL_ACCOUNT_FRAMES = 8 };

/* ---- checks ---- */

char guest_failure[512];

void guest_fails(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(guest_failure, sizeof(guest_failure), format, args);
	va_end(args);
	sys_cap_revoke(ut);
}

void check_equal(uint64_t a, uint64_t b, const char *a_text, const char *b_text, int line)
{
	if (a != b)
		FAIL("line %d: %s is 0x%lx, %s is 0x%lx", line, a_text, (unsigned long)a, b_text, (unsigned long)b);
}

void check_status(sys_status_t got, sys_status_t want, const char *call, int line)
{
	if (got != want)
		FAIL("line %d: %s gives %s, not %s", line, call, sys_status_string(got), sys_status_string(want));
}

void check_account(const sys_untyped_info_t *before, sys_cap_t account_cap, int line)
{
	sys_untyped_info_t now = account(account_cap);
	if (now.used != before->used || now.promised != before->promised || now.total != before->total)
		FAIL("line %d: account was used %ld promised %ld, is %ld %ld", line, (long)before->used,
		     (long)before->promised, (long)now.used, (long)now.promised);
}

/* ---- makers ---- */

sys_untyped_info_t account(sys_cap_t account_cap)
{
	sys_untyped_info_t info;
	OKAY(sys_untyped_info(account_cap, &info));
	return info;
}

uint64_t used(sys_cap_t account_cap)
{
	return account(account_cap).used;
}

sys_cap_t new_untyped(uint64_t bytes)
{
	sys_cap_t cap;
	OKAY(sys_untyped_create(ut, bytes, &cap));
	return cap;
}

sys_cap_t new_cnode(uint32_t slots)
{
	sys_cap_t cap;
	OKAY(sys_cnode_create(ut, slots, &cap));
	return cap;
}

sys_cap_t new_endpoint(void)
{
	sys_cap_t cap;
	OKAY(sys_endpoint_create(ut, &cap));
	return cap;
}

sys_cap_t new_notification(void)
{
	sys_cap_t cap;
	OKAY(sys_notification_create(ut, &cap));
	return cap;
}

sys_cap_t new_reply(void)
{
	sys_cap_t cap;
	OKAY(sys_reply_create(ut, &cap));
	return cap;
}

sys_cap_t new_vspace(void)
{
	sys_cap_t cap;
	OKAY(sys_vspace_create(ut, SYS_CAP_NULL, 0, &cap));
	return cap;
}

sys_cap_t new_thread(void)
{
	sys_cap_t cap;
	OKAY(sys_thread_create(ut, SYS_CAP_CNODE, SYS_CAP_VMAR, SYS_CAP_NULL, &cap));
	return cap;
}

sys_cap_t new_vmo_in(sys_cap_t account_cap, uint64_t size)
{
	sys_cap_t cap;
	OKAY(sys_vmo_create(account_cap, size, 0, &cap));
	return cap;
}

sys_cap_t new_vmo(uint64_t size)
{
	return new_vmo_in(ut, size);
}

sys_cap_t new_resizable(uint64_t size)
{
	sys_cap_t cap;
	OKAY(sys_vmo_create(ut, size, SYS_VMO_RESIZABLE, &cap));
	return cap;
}

sys_cap_t new_snapshot(sys_cap_t vmo, uint64_t offset, uint64_t size)
{
	sys_cap_t cap;
	OKAY(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT, offset, size, &cap));
	return cap;
}

sys_cap_t new_pager(sys_cap_t *ep)
{
	sys_cap_t pager, own = new_endpoint();

	OKAY(sys_pager_create(ut, own, 0, &pager));
	if (ep != NULL)
		*ep = own;
	return pager;
}

sys_cap_t new_object(enum sys_type type)
{
	switch (type) {
	case SYS_TYPE_UNTYPED:
		return new_untyped(16 * PAGE);
	case SYS_TYPE_CNODE:
		return new_cnode(16);
	case SYS_TYPE_THREAD:
		return new_thread();
	case SYS_TYPE_NOTIFICATION:
		return new_notification();
	case SYS_TYPE_REPLY:
		return new_reply();
	case SYS_TYPE_VMO:
		return new_vmo(2 * PAGE);
	case SYS_TYPE_VMAR:
		return new_vspace();
	case SYS_TYPE_PAGER:
		return new_pager(NULL);
	case SYS_TYPE_RESOURCE:
		return reduced(SYS_CAP_RESOURCE, SYS_RIGHTS_SAME);
	case SYS_TYPE_CONSOLE:
		return reduced(SYS_CAP_CONSOLE, SYS_RIGHTS_SAME);
	default:
		return new_endpoint();
	}
}

sys_cap_t new_region(sys_cap_t vmar, uint64_t size, sys_vaddr_t *base)
{
	sys_cap_t cap;
	OKAY(sys_vmar_allocate(vmar, SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE | SYS_VM_CAN_MAP_EXECUTE |
			       SYS_VM_CAN_MAP_SPECIFIC, 0, size, &cap, base));
	return cap;
}

sys_cap_t reduced(sys_cap_t cap, sys_rights_t rights)
{
	sys_cap_t out;
	OKAY(sys_cap_copy(cap, SYS_CAP_CNODE, SYS_SLOT_ANY, rights, &out));
	return out;
}

sys_cap_t less(sys_cap_t cap, sys_rights_t rights)
{
	return reduced(cap, cap_info(cap).rights & ~rights);
}

sys_cap_t stale_cap(void)
{
	sys_cap_t cap = new_endpoint();
	OKAY(sys_cap_delete(cap));
	return cap;
}

void *map_in(sys_cap_t vmar, sys_cap_t vmo, uint32_t options, uint64_t offset, uint64_t size)
{
	sys_vaddr_t at;
	OKAY(sys_vmar_map(vmar, options, 0, vmo, offset, size, &at));
	return (void *)at;
}

void *map(sys_cap_t vmo, uint64_t size)
{
	return map_in(SYS_CAP_VMAR, vmo, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, size);
}

void unmap(void *at, uint64_t size)
{
	OKAY(sys_vmar_unmap(SYS_CAP_VMAR, (sys_vaddr_t)at, size));
}

sys_cap_info_t cap_info(sys_cap_t cap)
{
	sys_cap_info_t info;
	OKAY(sys_cap_info(cap, &info));
	return info;
}

sys_vmo_info_t vmo_info(sys_cap_t vmo)
{
	sys_vmo_info_t info;
	memset(&info, 0, sizeof(info));
	OKAY(sys_vmo_info(vmo, &info));
	return info;
}

bool cap_is_gone(sys_cap_t cap)
{
	sys_cap_info_t info;
	return sys_cap_info(cap, &info) == SYS_ERR_BAD_CAP;
}

void fill_slots(void)
{
	sys_cap_t copy, first = new_endpoint();
	sys_status_t status;

	do
		status = sys_cap_copy(first, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &copy);
	while (status == SYS_OK);
	STATUS(SYS_ERR_NO_SLOT, status);
}

sys_cap_t full_account(void)
{
	sys_cap_t full = new_untyped(SMALL_ACCOUNT_FRAMES * PAGE),
		  vmo = new_vmo_in(full, 2 * SMALL_ACCOUNT_FRAMES * PAGE);
	uint64_t at = 0;

	while (sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, at, PAGE, NULL, 0) == SYS_OK)
		at += PAGE;
	sys_untyped_info_t info = account(full);
	EQ(info.used, info.total);
	return full;
}

/* ---- content ---- */

void put(sys_cap_t vmo, uint64_t offset, uint64_t value)
{
	OKAY(sys_vmo_write(vmo, &value, offset, sizeof(value)));
}

uint64_t get(sys_cap_t vmo, uint64_t offset)
{
	uint64_t value = 0x5a5a5a5a5a5a5a5a;
	OKAY(sys_vmo_read(vmo, &value, offset, sizeof(value)));
	return value;
}

/* ---- time, numbers ---- */

sys_time_t after(sys_time_t ns)
{
	return sys_clock_get() + ns;
}

void sleep_for(sys_time_t ns)
{
	sys_cap_t never = new_notification();
	uint64_t bits;
	STATUS(SYS_ERR_TIMED_OUT, sys_notification_wait(never, &bits, after(ns)));
	OKAY(sys_cap_delete(never));
}

uint64_t random_next(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15;
	uint64_t x = *state;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

void one_cpu(void)
{
	OKAY(sys_thread_set_affinity(SYS_CAP_THREAD, 1));
}
