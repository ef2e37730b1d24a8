/* SPDX-License-Identifier: BSD-2-Clause */
/* window.c: how windows (SLICE, REFERENCE) end, and what of a stream's size needs a pager. What windows show is slice.c's and
 * reference.c's, what a stream's size does stream.c's. */
#include "common/client.h"
#include "common/helper.h"

TEST("vmo_get_size:BAD_STATE vmo_info:BAD_STATE vmo_get_stream_size:BAD_STATE vmo_set_stream_size:BAD_STATE a window whose "
     "middle one ended with its account, of which nothing stays in use")
{
	sys_cap_t vmo = new_vmo(4 * PAGE), middle, slice, nested, out = 99;
	sys_vmo_info_t info;
	uint64_t size;

	OKAY(sys_untyped_create(ut, 64 * PAGE, &middle));
	OKAY(sys_vmo_create_child(vmo, middle, SYS_VMO_CHILD_SLICE, PAGE, 2 * PAGE, &slice));
	OKAY(sys_vmo_create_child(slice, ut, SYS_VMO_CHILD_REFERENCE, 0, 0, &nested));
	void *at = map(nested, PAGE);
	put(nested, 0, 5);
	EQ(*(uint64_t *)at, 5);
	EQ(vmo_info(vmo).children, 1);
	OKAY(sys_cap_revoke(middle));
	EQ(account(middle).used, 0);
	STATUS(SYS_ERR_BAD_CAP, sys_vmo_get_size(slice, &size));
	STATUS(SYS_ERR_BAD_STATE, sys_vmo_get_size(nested, &size));
	STATUS(SYS_ERR_BAD_STATE, sys_vmo_info(nested, &info));
	STATUS(SYS_ERR_BAD_STATE, sys_vmo_get_stream_size(nested, &size));
	STATUS(SYS_ERR_BAD_STATE, sys_vmo_set_stream_size(nested, 0));
	STATUS(SYS_ERR_BAD_STATE, sys_vmo_create_child(nested, ut, SYS_VMO_CHILD_REFERENCE, 0, 0, &out));
	STATUS(SYS_ERR_BAD_STATE, sys_vmo_read(nested, &size, 0, 8));
	STATUS(SYS_ERR_BAD_ADDRESS, sys_vmo_write(vmo, at, 0, 8));      /* it was unmapped */
	EQ(get(vmo, PAGE), 5);
}

TEST("cap_revoke:OK of a VMO's capability deletes those of its windows and of theirs")
{
	sys_cap_t vmo = new_vmo(4 * PAGE), slice, nested, copy;
	uint64_t size;

	OKAY(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SLICE, 0, PAGE, &slice));
	OKAY(sys_vmo_create_child(slice, ut, SYS_VMO_CHILD_REFERENCE, 0, 0, &nested));
	OKAY(sys_cap_copy(nested, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &copy));
	EQ(cap_info(copy).badge, 0);
	OKAY(sys_cap_revoke(vmo));
	STATUS(SYS_ERR_BAD_CAP, sys_vmo_get_size(slice, &size));
	STATUS(SYS_ERR_BAD_CAP, sys_vmo_get_size(nested, &size));
	STATUS(SYS_ERR_BAD_CAP, sys_vmo_get_size(copy, &size));
	EQ(vmo_info(vmo).children, 0);
}

TEST("vmo_set_stream_size:SHOULD_WAIT vmo_set_stream_size:TIMED_OUT within a page that a pager has to bring")
{
	sys_cap_t pager = new_pager(NULL), paged;
	uint64_t size;

	OKAY(sys_pager_create_vmo(pager, ut, 0, 1, 4 * PAGE, &paged));
	OKAY(sys_thread_set_page_timeout(SYS_CAP_THREAD, 0));
	STATUS(SYS_ERR_SHOULD_WAIT, sys_vmo_set_stream_size(paged, PAGE + 8));
	OKAY(sys_thread_set_page_timeout(SYS_CAP_THREAD, MILLISECOND));
	STATUS(SYS_ERR_TIMED_OUT, sys_vmo_set_stream_size(paged, PAGE + 8));
	OKAY(sys_thread_set_page_timeout(SYS_CAP_THREAD, SYS_TIME_INFINITE));
	OKAY(sys_vmo_get_stream_size(paged, &size));
	EQ(size, 4 * PAGE);
	OKAY(sys_vmo_set_stream_size(paged, PAGE));             /* whole pages are zero without being asked for */
	EQ(get(paged, 2 * PAGE), 0);
}
