/* SPDX-License-Identifier: BSD-2-Clause */
/* vmo.c: memory objects: create, read, write, sizes, commit, decommit, info. Numbers in names are those of the
 * statements of docs/deviations.md (VMO-CREATE-01 and so on). Errors that a pager causes are pager.c's. */
#include "common/content.h"
#include "common/helper.h"

#include <string.h>

#define MAX_SIZE (UINT64_MAX - 64 * PAGE + 1)

static uint8_t in[3 * 4096], out[3 * 4096];

static void fill(uint8_t seed)
{
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(seed + i * 7 + (i >> 8));
	memset(out, 0xa5, sizeof(out));
}

/* ---- create, size ---- */

TEST("vmo_create:OK vmo_get_size:OK sizes are rounded up to pages (VMO-CREATE-01, VMO-CREATE-02)")
{
	static const uint64_t sizes[] = {
		0, 1, 2, 4095, 4096, 4097, 8191, 8192, 8193, 12288, 16384, 1ull << 32, (1ull << 40) + 1};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		sys_cap_t vmo = new_vmo(sizes[i]);
		EQ(size_of(vmo), (sizes[i] + PAGE - 1) & ~(PAGE - 1));
		EQ(vmo_info(vmo).size, size_of(vmo));
		EQ(vmo_info(vmo).stream_size, sizes[i]);
		OKAY(sys_cap_delete(vmo));
	}
}

TEST("vmo_create:OK the largest, sparse, and read and written at its end (VMO-CREATE-05)")
{
	sys_cap_t vmo = new_vmo(MAX_SIZE);

	EQ(size_of(vmo), MAX_SIZE);
	put(vmo, MAX_SIZE - 8, 77);
	put(vmo, 0, 78);
	EQ(get(vmo, MAX_SIZE - 8), 77);
	EQ(get(vmo, MAX_SIZE / 2), 0);
	EQ(vmo_info(vmo).committed, 2 * PAGE);
}

TEST("vmo_create:OUT_OF_RANGE larger than the largest (VMO-CREATE-06)")
{
	sys_cap_t vmo = 99;

	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_create(ut, MAX_SIZE + 1, 0, &vmo));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_create(ut, UINT64_MAX, 0, &vmo));
	EQ(vmo, 99);
}

TEST("vmo_create:INVALID_ARGS options that are none, or not for it (VMO-CREATE-11, VMO-CREATE-12, "
     "VMO-CREATE-13)")
{
	sys_cap_t vmo = 99;

	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create(ut, PAGE, 1u << 20, &vmo));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create(ut, PAGE, 1u << 31, &vmo));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create(ut, PAGE, SYS_VMO_TRAP_DIRTY, &vmo));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_create(ut, PAGE, SYS_VMO_UNBOUNDED | SYS_VMO_RESIZABLE, &vmo));
	EQ(vmo, 99);
}

TEST("vmo_create:OK vmo_info:OK costs no page, reads as zero, RESIZE with RESIZABLE only (VMO-CREATE-03, "
     "VMO-CREATE-04, VMO-CREATE-08, VMO-CREATE-09, VMO-CREATE-10)")
{
	sys_cap_t vmo = new_vmo(1 << 30), resizable = new_resizable(PAGE);
	sys_vmo_info_t info = vmo_info(vmo);

	CHECK(used(ut) <= 2 * PAGE);
	EQ(info.koid, cap_info(vmo).koid);
	EQ(info.parent_koid, 0);
	EQ(info.committed, 0);
	EQ(info.populated, 0);
	EQ(info.private_bytes, 0);
	EQ(info.scaled_bytes, 0);
	EQ(info.children, 0);
	EQ(info.mappings, 0);
	EQ(info.flags, 0);
	EQ(info.cache_policy, SYS_CACHE_CACHED);
	EQ(info.rights, SYS_RIGHTS_VMO & ~SYS_RIGHT_RESIZE);
	EQ(vmo_info(resizable).flags, SYS_VMO_INFO_RESIZABLE);
	EQ(vmo_info(resizable).rights, SYS_RIGHTS_VMO);
	EQ(vmo_info(reduced(vmo, SYS_RIGHT_INSPECT)).rights, SYS_RIGHT_INSPECT);
	fill(1);
	OKAY(sys_vmo_read(vmo, out, 123456, sizeof(out)));
	for (size_t i = 0; i < sizeof(out); i++)
		EQ(out[i], 0);
	EQ(vmo_info(vmo).committed, 0);
}

/* ---- read, write ---- */

TEST("vmo_write:OK vmo_read:OK any offset and length")
{
	static const struct {
		uint64_t offset;
		size_t len;
	} spans[] = {
		{0, 1},
		{0, 4096},
		{1, 4095},
		{4095, 1},
		{4095, 2},
		{4000, 200},
		{100, 8192},
		{4096, 8192},
		{3, 12000},
		{16383, 1},
		{16384, 0},
		{0, 0},
	};

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		sys_cap_t vmo = new_vmo(4 * PAGE);
		fill((uint8_t)i);
		OKAY(sys_vmo_write(vmo, in, spans[i].offset, spans[i].len));
		OKAY(sys_vmo_read(vmo, out, spans[i].offset, spans[i].len));
		EQ(memcmp(in, out, spans[i].len), 0);
		EQ(out[spans[i].len], 0xa5);
		if (spans[i].offset > 0) {
			OKAY(sys_vmo_read(vmo, out, spans[i].offset - 1, 1));
			EQ(out[0], 0);
		}
		if (spans[i].offset + spans[i].len < 4 * PAGE) {
			OKAY(sys_vmo_read(vmo, out, spans[i].offset + spans[i].len, 1));
			EQ(out[0], 0);
		}
		OKAY(sys_cap_delete(vmo));
	}
}

TEST("vmo_write:OK from within one VMO to another place of it, through a mapping (VMO-RW-13)")
{
	sys_cap_t vmo = new_vmo(4 * PAGE);
	uint64_t *at = map(vmo, 4 * PAGE);

	for (uint64_t i = 0; i < PAGE / 8; i++)
		at[i] = i;
	OKAY(sys_vmo_write(vmo, at, 2 * PAGE + 16, PAGE));
	EQ(at[2 * PAGE / 8 + 2 + 100], 100);
	OKAY(sys_vmo_read(vmo, at + 5, 2 * PAGE + 16, 800));
	EQ(at[5 + 99], 99);
	unmap(at, 4 * PAGE);
}

TEST("vmo_read:OUT_OF_RANGE vmo_write:OUT_OF_RANGE as a whole (VMO-RW-02, VMO-RW-03, VMO-RW-04, VMO-RW-05, "
     "VMO-RW-06, VMO-RW-07, VMO-RW-12)")
{
	static const struct {
		uint64_t offset;
		size_t len;
	} spans[] = {
		{2 * 4096, 1},
		{2 * 4096 + 1, 0},
		{2 * 4096 - 1, 2},
		{0, 2 * 4096 + 1},
		{UINT64_MAX, 1},
		{UINT64_MAX, 2},
		{4096, UINT64_MAX},
		{1, UINT64_MAX},
		{0, UINT64_MAX},
		{UINT64_MAX, 0},
	};
	sys_cap_t vmo = new_vmo(2 * PAGE);

	put(vmo, 0, 5);
	put(vmo, 2 * PAGE - 8, 6);
	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
		fill(3);
		REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_read(vmo, out, spans[i].offset, spans[i].len));
		REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_write(vmo, in, spans[i].offset, spans[i].len));
		REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_read(vmo, NULL, spans[i].offset, spans[i].len));
		EQ(out[0], 0xa5);
	}
	EQ(get(vmo, 0), 5);
	EQ(get(vmo, 2 * PAGE - 8), 6);
	OKAY(sys_vmo_read(vmo, out, 2 * PAGE, 0));
	OKAY(sys_vmo_write(vmo, in, 2 * PAGE, 0));
}

TEST("vmo_read:BAD_ADDRESS vmo_write:BAD_ADDRESS a buffer that ends in a hole, is reserved, or straddles the "
     "top (VMO-RW-08, VMO-RW-09, VMO-RW-10, VMO-RW-11)")
{
	sys_vaddr_t base, at;
	sys_cap_t region = new_region(SYS_CAP_VMAR, 4 * PAGE, &base), vmo = new_vmo(4 * PAGE), small = new_vmo(PAGE);

	OKAY(sys_vmar_map(region, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE | SYS_VM_SPECIFIC, PAGE, small, 0, PAGE, &at));
	put(vmo, 0, 1);
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_vmo_read(vmo, (void *)base, 0, 1));
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_vmo_write(vmo, (void *)base, 0, 8));
	STATUS(SYS_ERR_BAD_ADDRESS, sys_vmo_read(vmo, (void *)(base + PAGE), 0, PAGE + 1));
	STATUS(SYS_ERR_BAD_ADDRESS, sys_vmo_write(vmo, (void *)(base + 2 * PAGE - 1), 0, 2));
	STATUS(SYS_ERR_BAD_ADDRESS, sys_vmo_read(vmo, (void *)(0x7fffffffe000 - PAGE), 0, 2 * PAGE));
	STATUS(SYS_ERR_BAD_ADDRESS, sys_vmo_read(vmo, (void *)UINT64_MAX, 0, 2));
	EQ(get(vmo, 8), 0);
	OKAY(sys_vmo_read(vmo, NULL, 0, 0));
	unmap((void *)base, 4 * PAGE);
}

TEST("vmo_read:BAD_ADDRESS into a buffer whose account is full; vmo_write:NO_MEMORY content whose account is full")
{
	sys_cap_t small = new_untyped(16 * PAGE), hole = new_vmo_in(small, 32 * PAGE), vmo = new_vmo(PAGE);
	uint64_t page = 0;

	while (sys_vmo_op_range(hole, SYS_VMO_OP_COMMIT, page * PAGE, PAGE, NULL, 0) == SYS_OK)
		page++;
	char *at = map(hole, 32 * PAGE);
	put(vmo, 0, 1);
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_vmo_read(vmo, at + page * PAGE, 0, 8));
	REFUSED(SYS_ERR_NO_MEMORY, sys_vmo_write(hole, in, page * PAGE, 1));
	OKAY(sys_vmo_write(hole, in, (page - 1) * PAGE, PAGE));
	OKAY(sys_vmo_read(hole, out, page * PAGE, PAGE));
	EQ(out[0], 0);
	unmap(at, 32 * PAGE);
}

TEST("vmo_write:OK is seen through mappings, and the reverse, from the zero page on (VMO-RW-16)")
{
	sys_cap_t vmo = new_vmo(2 * PAGE);
	volatile uint64_t *a = map(vmo, 2 * PAGE), *b = map_in(SYS_CAP_VMAR, vmo, SYS_VM_PERM_READ, PAGE, PAGE);

	EQ(a[0], 0);
	EQ(b[0], 0);
	put(vmo, PAGE, 11);
	EQ(b[0], 11);
	EQ(a[512], 11);
	a[512] = 12;
	EQ(b[0], 12);
	EQ(get(vmo, PAGE), 12);
	EQ(vmo_info(vmo).mappings, 2);
	EQ(vmo_info(vmo).committed, PAGE);
	unmap((void *)a, 2 * PAGE);
	unmap((void *)b, PAGE);
	EQ(vmo_info(vmo).mappings, 0);
}

/* ---- set_size ---- */

TEST("vmo_set_size:OK grows as zero, shrinks and forgets (VMO-SIZE-05, VMO-SIZE-07, VMO-SIZE-08, VMO-SIZE-09, "
     "VMO-SIZE-10)")
{
	sys_cap_t vmo = new_resizable(3 * PAGE);
	uint64_t before = used(ut);

	put(vmo, 8, 1);
	put(vmo, PAGE + 16, 2);
	put(vmo, 2 * PAGE, 3);
	OKAY(sys_vmo_set_size(vmo, PAGE + 8));
	EQ(size_of(vmo), 2 * PAGE);
	EQ(vmo_info(vmo).stream_size, PAGE + 8);
	EQ(vmo_info(vmo).committed, 2 * PAGE);
	EQ(get(vmo, PAGE + 16), 0);
	OKAY(sys_vmo_set_size(vmo, 3 * PAGE));
	EQ(get(vmo, 2 * PAGE), 0);
	EQ(get(vmo, PAGE + 16), 0);
	EQ(get(vmo, 8), 1);
	OKAY(sys_vmo_set_size(vmo, 3 * PAGE));
	OKAY(sys_vmo_set_size(vmo, 0));
	EQ(size_of(vmo), 0);
	EQ(used(ut), before);
	STATUS(SYS_ERR_OUT_OF_RANGE, sys_vmo_read(vmo, out, 0, 1));
	OKAY(sys_vmo_set_size(vmo, MAX_SIZE));
	EQ(get(vmo, MAX_SIZE - 8), 0);
}

TEST("vmo_set_size:OK mapped: what is cut faults, what grows is there (VMO-SIZE-12, VMO-SIZE-13, MAP-59, "
     "MAP-60)")
{
	sys_cap_t vmo = new_resizable(2 * PAGE);
	volatile uint64_t *at = map(vmo, 4 * PAGE);

	at[0] = 1;
	at[512] = 2;
	FAULTS(READ, SYS_ERR_OUT_OF_RANGE, &at[1024]);
	OKAY(sys_vmo_set_size(vmo, PAGE));
	FAULTS(READ, SYS_ERR_OUT_OF_RANGE, &at[512]);
	FAULTS(WRITE, SYS_ERR_OUT_OF_RANGE, &at[512]);
	EQ(at[0], 1);
	OKAY(sys_vmo_set_size(vmo, 4 * PAGE));
	EQ(at[512], 0);
	at[1536] = 4;
	EQ(get(vmo, 3 * PAGE), 4);
	unmap((void *)at, 4 * PAGE);
}

TEST("vmo_set_size:UNAVAILABLE not resizable, with and without the right (VMO-SIZE-01, VMO-SIZE-04)")
{
	sys_cap_t vmo = new_vmo(2 * PAGE);

	put(vmo, PAGE, 9);
	REFUSED(SYS_ERR_UNAVAILABLE, sys_vmo_set_size(vmo, PAGE));
	REFUSED(SYS_ERR_UNAVAILABLE, sys_vmo_set_size(vmo, 4 * PAGE));
	REFUSED(SYS_ERR_UNAVAILABLE, sys_vmo_set_size(reduced(vmo, SYS_RIGHT_WRITE), 4 * PAGE));
	EQ(size_of(vmo), 2 * PAGE);
	EQ(get(vmo, PAGE), 9);
}

TEST("vmo_set_size:ACCESS_DENIED resizable, without RESIZE or WRITE (VMO-SIZE-02, VMO-SIZE-03)")
{
	sys_cap_t vmo = new_resizable(2 * PAGE);

	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmo_set_size(less(vmo, SYS_RIGHT_RESIZE), PAGE));
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmo_set_size(less(vmo, SYS_RIGHT_WRITE), PAGE));
	EQ(size_of(vmo), 2 * PAGE);
	OKAY(sys_vmo_set_size(reduced(vmo, SYS_RIGHT_WRITE | SYS_RIGHT_RESIZE), PAGE));
}

TEST("vmo_set_size:OUT_OF_RANGE larger than the largest (VMO-SIZE-06)")
{
	sys_cap_t vmo = new_resizable(2 * PAGE);

	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_set_size(vmo, UINT64_MAX));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_set_size(vmo, MAX_SIZE + 1));
	EQ(size_of(vmo), 2 * PAGE);
}

/* ---- op_range ---- */

TEST("vmo_op_range:OK COMMIT takes the pages it touches, and keeps what is there (VMO-COMMIT-02, "
     "VMO-COMMIT-04)")
{
	sys_cap_t vmo = new_vmo(16 * PAGE);

	put(vmo, 5 * PAGE, 55);
	uint64_t before = used(ut);
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 4 * PAGE + 100, PAGE, NULL, 0));
	EQ(vmo_info(vmo).committed, 2 * PAGE);
	EQ(get(vmo, 5 * PAGE), 55);
	EQ(get(vmo, 4 * PAGE), 0);
	CHECK(used(ut) >= before + PAGE);
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, 16 * PAGE, NULL, 0));
	EQ(vmo_info(vmo).committed, 16 * PAGE);
	EQ(vmo_info(vmo).private_bytes, 16 * PAGE);
	EQ(vmo_info(vmo).scaled_bytes, 16 * PAGE);
	CHECK(vmo_info(vmo).metadata_bytes > 0);
	EQ(get(vmo, 5 * PAGE), 55);
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 16 * PAGE, 0, NULL, 0));
}

TEST("vmo_op_range:OK DECOMMIT gives back, reads as zero, also mapped (VMO-DECOMMIT-04, VMO-DECOMMIT-05)")
{
	sys_cap_t vmo = new_vmo(32 * PAGE);
	volatile uint64_t *at = map(vmo, 32 * PAGE);
	uint64_t before = used(ut);

	for (uint64_t i = 0; i < 32; i++)
		at[i * 512] = i + 1;
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, 3 * PAGE, 20 * PAGE, NULL, 0));
	for (uint64_t i = 0; i < 32; i++)
		EQ(at[i * 512], i >= 3 && i < 23 ? 0 : i + 1);
	EQ(vmo_info(vmo).committed, 12 * PAGE);
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, 0, 32 * PAGE, NULL, 0));
	EQ(vmo_info(vmo).committed, 0);
	EQ(used(ut), before);
	at[512] = 6;
	EQ(get(vmo, PAGE), 6);
	unmap((void *)at, 32 * PAGE);
}

TEST("vmo_op_range:INVALID_ARGS DECOMMIT of a part of a page, an op that is none (VMO-DECOMMIT-02, VMO-OP-99)")
{
	sys_cap_t vmo = new_vmo(4 * PAGE);

	put(vmo, 0, 1);
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, 1, PAGE, NULL, 0));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, 0, PAGE - 1, NULL, 0));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_op_range(vmo, (enum sys_vmo_op)0, 0, PAGE, NULL, 0));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_op_range(vmo, (enum sys_vmo_op)99, 0, PAGE, NULL, 0));
	EQ(get(vmo, 0), 1);
}

TEST("vmo_op_range:OUT_OF_RANGE past the end, wrapping (VMO-COMMIT-03, VMO-DECOMMIT-03)")
{
	sys_cap_t vmo = new_vmo(4 * PAGE);

	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 4 * PAGE, 1, NULL, 0));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, 4 * PAGE + 1, NULL, 0));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, PAGE, UINT64_MAX - 10, NULL, 0));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, 3 * PAGE, 2 * PAGE, NULL, 0));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, PAGE, -PAGE, NULL, 0));
	EQ(vmo_info(vmo).committed, 0);
}

TEST("vmo_op_range:NO_MEMORY COMMIT beyond the account")
{
	sys_cap_t small = new_untyped(16 * PAGE), vmo = new_vmo_in(small, 64 * PAGE);

	STATUS(SYS_ERR_NO_MEMORY, sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, 64 * PAGE, NULL, 0));
	CHECK(account(small).used <= 16 * PAGE);
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, 0, 64 * PAGE, NULL, 0));
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, 8 * PAGE, NULL, 0));
	EQ(vmo_info(vmo).committed, 8 * PAGE);
}

/* ---- costs ---- */

TEST("content costs its pages and nodes, and is given back to the frame")
{
	uint64_t before = used(ut);

	for (uint64_t pages = 1; pages <= 1024; pages *= 4) {
		sys_cap_t vmo = new_vmo(1ull << 40);
		uint64_t empty = used(ut);
		for (uint64_t i = 0; i < pages; i++)
			put(vmo, i * PAGE, i + 1);
		sys_vmo_info_t info = vmo_info(vmo);
		EQ(info.committed, pages * PAGE);
		CHECK(used(ut) >= empty + pages * PAGE);
		CHECK(used(ut) <= empty + (pages + pages / 256 + 6) * PAGE);
		if (pages <= 8)
			EQ(used(ut), empty + pages * PAGE);     /* a small content has no node */
		for (uint64_t i = 0; i < pages; i++)
			EQ(get(vmo, i * PAGE), i + 1);
		OKAY(sys_cap_delete(vmo));
		EQ(used(ut), before);
	}
}

TEST("a sparse content keeps each page where it is")
{
	sys_cap_t vmo = new_vmo(MAX_SIZE);
	uint64_t state = 12, before = used(ut), offset[64];

	for (int i = 0; i < 64; i++) {
		offset[i] = random_next(&state) % (MAX_SIZE / PAGE) >> (i % 40);
		put(vmo, offset[i] * PAGE, offset[i] + 1);
	}
	for (int i = 0; i < 64; i++)
		EQ(get(vmo, offset[i] * PAGE), offset[i] + 1);
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, 0, MAX_SIZE, NULL, 0));
	for (int i = 0; i < 64; i++)
		EQ(get(vmo, offset[i] * PAGE), 0);
	EQ(used(ut), before);
}
