/* SPDX-License-Identifier: BSD-2-Clause */
/* vmorw.c: vmo_read and vmo_write: rights, limits, and buffers of every kind. The plain cases are vmo.c's. */
#include "common/content.h"
#include "common/helper.h"

enum { ROUNDS = 200 };

static uint64_t word = 1;

TEST("vmo_read:ACCESS_DENIED vmo_write:ACCESS_DENIED each has its own right, also for nothing (VMO-RW-01)")
{
	sys_cap_t vmo = new_vmo(PAGE), reader = less(vmo, SYS_RIGHT_WRITE), writer = less(vmo, SYS_RIGHT_READ);

	put(writer, 0, 5);
	EQ(get(reader, 0), 5);
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmo_read(writer, &word, 0, 8));
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmo_read(writer, &word, 0, 0));
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmo_write(reader, &word, 0, 8));
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmo_write(reader, &word, 0, 0));
	EQ(get(vmo, 0), 5);
	EQ(word, 1);
}

TEST("vmo_write:OK vmo_read:OK up to the end of the last page, not of the stream (VMO-RW-03)")
{
	sys_cap_t vmo = new_vmo(PAGE + 100);

	EQ(vmo_info(vmo).stream_size, PAGE + 100);
	put(vmo, PAGE + 96, 6);
	put(vmo, 2 * PAGE - 8, 7);
	EQ(get(vmo, PAGE + 96), 6);
	EQ(get(vmo, 2 * PAGE - 8), 7);
	EQ(vmo_info(vmo).stream_size, PAGE + 100);
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_write(vmo, &word, 2 * PAGE - 7, 8));
}

TEST("vmo_read:BAD_ADDRESS vmo_write:BAD_ADDRESS no buffer, or one of the kernel's; a bad range is said first (VMO-RW-08, "
     "VMO-RW-09, VMO-RW-12)")
{
	static const uint64_t bad[] = {0, 8, KERNEL_HALF, KERNEL_HALF + 123, 0xffffffff80200000, 0x7ffffffffffc, 0x800000000000, UINT64_MAX - 7};
	sys_cap_t vmo = new_vmo(2 * PAGE);

	put(vmo, 0, 5);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		void *buf = (void *)(uintptr_t)bad[i];
		REFUSED(SYS_ERR_BAD_ADDRESS, sys_vmo_read(vmo, buf, 0, 8));
		REFUSED(SYS_ERR_BAD_ADDRESS, sys_vmo_write(vmo, buf, 0, 8));
		REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_read(vmo, buf, 2 * PAGE, 8));
		REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_write(vmo, buf, 2 * PAGE, 8));
	}
	EQ(get(vmo, 0), 5);
}

TEST("vmo_write:BAD_ADDRESS leaves what was written up to the hole, and nothing behind it (VMO-RW-18)")
{
	sys_cap_t from = new_vmo(3 * PAGE), vmo = new_vmo(4 * PAGE);

	put_bytes(from, 0, 3 * PAGE, 9);
	char *at = map(from, 3 * PAGE);
	unmap(at + 2 * PAGE, PAGE);
	STATUS(SYS_ERR_BAD_ADDRESS, sys_vmo_write(vmo, at, 0, 3 * PAGE));
	for (uint64_t i = 0; i < 2; i++)
		CHECK(all_bytes(vmo, i * PAGE, PAGE, 9) || all_bytes(vmo, i * PAGE, PAGE, 0));
	CHECK(all_bytes(vmo, 2 * PAGE, 2 * PAGE, 0));
	STATUS(SYS_ERR_BAD_ADDRESS, sys_vmo_read(vmo, at, 0, 3 * PAGE));
	unmap(at, 2 * PAGE);
}

struct crossing { sys_cap_t vmo; void *into; };

static int64_t reads_over(void *arg)
{
	struct crossing *crossing = arg;
	sys_status_t status = SYS_OK;

	for (int i = 0; i < ROUNDS && status == SYS_OK; i++)
		status = sys_vmo_read(crossing->vmo, crossing->into, 0, 4 * PAGE);
	return status;
}

TEST("vmo_read:OK two threads, each into a mapping of what the other reads, and both come to an end (VMO-RW-14)")
{
	sys_cap_t a = new_vmo(4 * PAGE), b = new_vmo(4 * PAGE);
	struct crossing one = {a, map(b, 4 * PAGE)}, two = {b, map(a, 4 * PAGE)};

	put_bytes(a, 0, 4 * PAGE, 3);
	put_bytes(b, 0, 4 * PAGE, 3);
	sys_cap_t first = helper_start(reads_over, &one), second = helper_start(reads_over, &two);
	EQ(until_exited(first), SYS_OK);
	EQ(until_exited(second), SYS_OK);
	CHECK(all_bytes(a, 0, 4 * PAGE, 3));
	CHECK(all_bytes(b, 0, 4 * PAGE, 3));
	unmap(one.into, 4 * PAGE);
	unmap(two.into, 4 * PAGE);
}

TEST("vmo_read:OK takes no page, of anonymous content and of a snapshot (VMO-RW-17)")
{
	sys_cap_t vmo = new_vmo(64 * PAGE);

	put(vmo, 9 * PAGE, 1);
	sys_cap_t child = new_snapshot(vmo, 0, 64 * PAGE);
	uint64_t before = used(ut);
	CHECK(all_bytes(vmo, 10 * PAGE, 54 * PAGE, 0));
	CHECK(all_bytes(child, 10 * PAGE, 54 * PAGE, 0));
	EQ(get(child, 9 * PAGE), 1);
	EQ(used(ut), before);
	EQ(committed_of(vmo), PAGE);
	EQ(private_of(child), 0);
}
