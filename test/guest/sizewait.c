/* SPDX-License-Identifier: BSD-2-Clause */
/* sizewait.c: sizes that end within a page which a pager brings, and what it says of that. */
#include "common/client.h"
#include "common/content.h"

static sys_cap_t clone_in(sys_cap_t account)
{
	sys_cap_t clone;
	OKAY(sys_vmo_create_child(vmo, account, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE | SYS_VMO_CHILD_RESIZABLE, 0, 4 * PAGE,
	                          &clone));
	return clone;
}

static int64_t shrinks(void *clone) { return sys_vmo_set_size(*(sys_cap_t *)clone, PAGE + 8); }
static int64_t lowers(void *paged) { return sys_vmo_set_stream_size(*(sys_cap_t *)paged, PAGE + 8); }

TEST("vmo_set_size:OK a clone asks for the page in which it ends, and shows nothing of it behind that (VMO-SIZE-08, VMO-SIZE-10)")
{
	pager_begin();
	sys_cap_t clone = clone_in(ut), thread = helper_start(shrinks, &clone);

	expect(PAGE, 1, SYS_ACCESS_WRITE);
	EQ(size_of(clone), 4 * PAGE);
	char bytes[16];
	memset(bytes, 7, sizeof bytes);
	supply(1, 1, 10);
	EQ(until_exited(thread), SYS_OK);
	EQ(size_of(clone), 2 * PAGE);
	OKAY(sys_vmo_write(vmo, bytes, 2 * PAGE - 16, 16));
	OKAY(sys_vmo_set_size(clone, 4 * PAGE));
	EQ(get(clone, PAGE), 11);
	CHECK(all_bytes(clone, PAGE + 8, 3 * PAGE - 8, 0));
	CHECK(all_bytes(vmo, 2 * PAGE - 16, 16, 7));
	expect_none();
}

TEST("vmo_set_size:OK nothing is asked for by whole pages, or by a pager's own object")
{
	pager_begin_with(SYS_VMO_RESIZABLE);
	sys_cap_t clone = clone_in(ut);

	OKAY(sys_vmo_set_size(clone, 2 * PAGE));
	EQ(size_of(clone), 2 * PAGE);
	OKAY(sys_vmo_set_size(vmo, PAGE + 8));
	EQ(size_of(vmo), 2 * PAGE);
	expect_none();
}

static const sys_status_t codes[] = {SYS_ERR_IO, SYS_ERR_IO_DATA_INTEGRITY, SYS_ERR_NO_SPACE, SYS_ERR_BUFFER_TOO_SMALL};

static void fails_with_each(int64_t (*call)(void *), sys_cap_t v, uint64_t request)
{
	for (unsigned i = 0; i < 4; i++) {
		sys_cap_t thread = helper_start(call, &v);
		expect(PAGE, request, SYS_ACCESS_WRITE);
		fail_range(1, 1, codes[i]);
		EQ(until_exited(thread), codes[i]);
	}
}

TEST("vmo_set_size:IO vmo_set_size:IO_DATA_INTEGRITY vmo_set_size:NO_SPACE vmo_set_size:BUFFER_TOO_SMALL what a pager says")
{
	pager_begin();
	sys_cap_t clone = clone_in(ut);

	fails_with_each(shrinks, clone, 1);
	EQ(size_of(clone), 4 * PAGE);
}

TEST("vmo_set_stream_size:IO vmo_set_stream_size:IO_DATA_INTEGRITY vmo_set_stream_size:NO_SPACE "
     "vmo_set_stream_size:BUFFER_TOO_SMALL what a pager says")
{
	pager_begin();
	fails_with_each(lowers, vmo, 1);
	EQ(stream_of(vmo), PAGES * PAGE);
}

TEST("vmo_set_size:SHOULD_WAIT vmo_set_size:TIMED_OUT as the thread's page timeout says")
{
	pager_begin();
	sys_cap_t clone = clone_in(ut);

	OKAY(sys_thread_set_page_timeout(SYS_CAP_THREAD, 0));
	REFUSED(SYS_ERR_SHOULD_WAIT, sys_vmo_set_size(clone, PAGE + 8));
	OKAY(sys_thread_set_page_timeout(SYS_CAP_THREAD, 1000000));
	REFUSED(SYS_ERR_TIMED_OUT, sys_vmo_set_size(clone, PAGE + 8));
	OKAY(sys_thread_set_page_timeout(SYS_CAP_THREAD, SYS_TIME_INFINITE));
	EQ(size_of(clone), 4 * PAGE);
}

TEST("vmo_set_size:NO_MEMORY vmo_set_stream_size:NO_MEMORY a clone's account does not pay for the page in which it ends")
{
	pager_begin();
	supply(0, 4, 10);
	sys_cap_t poor = new_untyped(8 * PAGE), clone = clone_in(poor);

	while (sys_vmo_create(poor, PAGE, 0, &(sys_cap_t){0}) == SYS_OK)
		;
	REFUSED(SYS_ERR_NO_MEMORY, sys_vmo_set_size(clone, PAGE + 8));
	REFUSED(SYS_ERR_NO_MEMORY, sys_vmo_set_stream_size(clone, PAGE + 8));
	EQ(size_of(clone), 4 * PAGE);
	EQ(stream_of(clone), 4 * PAGE);
	EQ(get(clone, PAGE), 11);
}
