/* SPDX-License-Identifier: BSD-2-Clause */
/* commit.c: vmo_op_range COMMIT and DECOMMIT. The plain cases are vmo.c's. */
#include "common/client.h"
#include "common/content.h"

enum { ROUNDS = 100 };

TEST("vmo_op_range:ACCESS_DENIED COMMIT and DECOMMIT without WRITE (VMO-COMMIT-01, VMO-DECOMMIT-01)")
{
	sys_cap_t vmo = new_vmo(2 * PAGE), reader = less(vmo, SYS_RIGHT_WRITE), writer = less(vmo, SYS_RIGHT_READ);

	REFUSED(SYS_ERR_ACCESS_DENIED, range(reader, SYS_VMO_OP_COMMIT, 0, PAGE));
	REFUSED(SYS_ERR_ACCESS_DENIED, range(reader, SYS_VMO_OP_COMMIT, 0, 0));
	REFUSED(SYS_ERR_ACCESS_DENIED, range(reader, SYS_VMO_OP_DECOMMIT, 0, PAGE));
	commit(writer, 0, PAGE);
	EQ(committed_of(vmo), PAGE);
	OKAY(range(writer, SYS_VMO_OP_DECOMMIT, 0, PAGE));
	EQ(committed_of(vmo), 0);
}

TEST("vmo_op_range:OK COMMIT in the last of three copies gives it pages of its own, and the others none (VMO-COMMIT-04, "
     "VMO-COMMIT-05, VMO-COMMIT-06)")
{
	sys_cap_t vmo = numbered_with(32, 1, 0), middle = new_snapshot(vmo, 0, 32 * PAGE), last = new_snapshot(middle, 0, 32 * PAGE);

	put(middle, 3 * PAGE, 700);
	commit(last, 0, 30 * PAGE);
	EQ(private_of(last), 30 * PAGE);
	EQ(private_of(middle), PAGE);
	EQ(private_of(vmo), PAGE);              /* nobody else has that page now */
	PAGES_ARE(last, 0, 32, 1);
	EQ(get(middle, 3 * PAGE), 700);
	put(last, 0, 99);
	EQ(get(vmo, 0), 1);
	EQ(get(middle, 0), 1);
	sys_cap_t wider = new_snapshot(vmo, 0, 64 * PAGE);
	commit(wider, 0, 64 * PAGE);
	EQ(private_of(wider), 64 * PAGE);
	CHECK(all_bytes(wider, 32 * PAGE, 32 * PAGE, 0));
}

TEST("vmo_op_range:OK COMMIT of a root asks for what is missing, and ends when it is there (VMO-COMMIT-08)")
{
	pager_begin();
	supply(4, 2, 100);
	struct client client = {.act = COMMIT, .vmo = vmo, .offset = PAGE + 5, .len = 8 * PAGE};
	sys_cap_t thread = client_start(&client);
	expect(PAGE, 3, 0);
	supply(1, 2, 100);
	until_waiting(thread);
	supply(3, 1, 100);
	until_waiting(thread);
	expect(6 * PAGE, 4, 0);
	supply(6, 4, 100);
	EQ(until_exited(thread), SYS_OK);
	EQ(committed(), 9 * PAGE);
	PAGES_ARE(vmo, 1, 9, 101);
	expect_none();
}

TEST("vmo_op_range:IO COMMIT gives what the pager failed it with (VMO-COMMIT-09)")
{
	static const sys_status_t codes[] = {
		SYS_ERR_IO, SYS_ERR_IO_DATA_INTEGRITY, SYS_ERR_BAD_STATE, SYS_ERR_NO_SPACE, SYS_ERR_BUFFER_TOO_SMALL};

	pager_begin();
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct client client = {.act = COMMIT, .vmo = vmo, .offset = 0, .len = 4 * PAGE};
		sys_cap_t thread = client_start(&client);
		expect(0, 4, 0);
		fail_range(0, 4, codes[i]);
		EQ(until_exited(thread), codes[i]);
	}
	EQ(committed(), 0);
}

TEST("thread_suspend:OK in a COMMIT that waits; it asks again when it goes on (VMO-COMMIT-11)")
{
	pager_begin();
	struct client client = {.act = COMMIT, .vmo = vmo, .offset = 0, .len = 4 * PAGE};
	sys_cap_t thread = client_start(&client);

	OKAY(sys_thread_suspend(thread));
	expect_none();
	OKAY(sys_thread_resume(thread));
	expect(0, 4, 0);
	supply(0, 4, 100);
	EQ(until_exited(thread), SYS_OK);
	EQ(committed(), 4 * PAGE);
}

TEST("vmo_op_range:OK DECOMMIT is seen by every mapping, at whatever offset, and nothing beside it changes "
     "(VMO-DECOMMIT-04, VMO-DECOMMIT-05)")
{
	sys_cap_t vmo = numbered_with(16, 1, 0);
	volatile uint64_t *whole = map(vmo, 16 * PAGE), *part = map_in(SYS_CAP_VMAR, vmo, SYS_VM_PERM_READ, 5 * PAGE, 4 * PAGE);

	for (uint64_t i = 0; i < 4; i++)
		EQ(part[i * 512], 6 + i);
	OKAY(range(vmo, SYS_VMO_OP_DECOMMIT, 6 * PAGE, 2 * PAGE));
	for (uint64_t i = 0; i < 16; i++) {
		EQ(whole[i * 512], i == 6 || i == 7 ? 0 : i + 1);
		EQ(get(vmo, i * PAGE), i == 6 || i == 7 ? 0 : i + 1);
	}
	for (uint64_t i = 0; i < 4; i++)
		EQ(part[i * 512], i == 1 || i == 2 ? 0 : 6 + i);
	EQ(committed_of(vmo), 14 * PAGE);
	unmap((void *)whole, 16 * PAGE);
	unmap((void *)part, 4 * PAGE);
}

TEST("vmo_op_range:INVALID_ARGS DECOMMIT of parts of pages, also where nothing is (VMO-DECOMMIT-02)")
{
	sys_cap_t vmo = new_vmo(4 * PAGE);

	REFUSED(SYS_ERR_INVALID_ARGS, range(vmo, SYS_VMO_OP_DECOMMIT, 8, PAGE));
	REFUSED(SYS_ERR_INVALID_ARGS, range(vmo, SYS_VMO_OP_DECOMMIT, 0, 8));
	REFUSED(SYS_ERR_INVALID_ARGS, range(vmo, SYS_VMO_OP_DECOMMIT, PAGE - 1, 1));
}

struct writers { volatile uint64_t *at; volatile bool stop; };

static int64_t writes_all(void *arg)
{
	struct writers *writers = arg;
	for (uint64_t value = 1; !writers->stop; value++)
		for (uint64_t page = 0; page < 16; page++)
			writers->at[page * 512] = value;
	return 0;
}

TEST("vmo_op_range:OK DECOMMIT under three threads that write through a mapping (VMO-DECOMMIT-11)")
{
	sys_cap_t vmo = new_vmo(16 * PAGE), thread[3];
	struct writers writers = {map(vmo, 16 * PAGE), false};

	for (int i = 0; i < 3; i++)
		thread[i] = helper_start(writes_all, &writers);
	for (int round = 0; round < ROUNDS; round++) {
		OKAY(range(vmo, SYS_VMO_OP_DECOMMIT, (uint64_t)round % 5 * PAGE, 11 * PAGE));
		if (round % 10 == 0)
			sleep_for(20000 + round * 1777);
	}
	writers.stop = true;
	for (int i = 0; i < 3; i++)
		EQ(until_exited(thread[i]), 0);
	OKAY(range(vmo, SYS_VMO_OP_DECOMMIT, 0, 16 * PAGE));
	CHECK(all_bytes(vmo, 0, 16 * PAGE, 0));
	unmap((void *)(uintptr_t)writers.at, 16 * PAGE);
}
