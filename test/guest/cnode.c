/* SPDX-License-Identifier: BSD-2-Clause */
/* cnode.c: tables of capabilities: made, listed, and things deleted there. */
#include "common/guest.h"

enum { SLOTS = 16, LARGEST = 1 << 20 };

TEST("cnode_create:OK every power of two is charged whole and given back")
{
	for (uint32_t slots = 16; slots <= 65536; slots *= 4) {
		uint64_t before = used(ut);
		sys_cap_t cnode = new_cnode(slots), name;
		sys_cap_info_t info;

		CHECK(slots < 256 || used(ut) >= before + slots * 8ull);
		uint64_t whole = used(ut);
		OKAY(sys_cnode_info(cnode, slots - 1, &name, &info));
		EQ(name, slots - 1);
		STATUS(SYS_ERR_OUT_OF_RANGE, sys_cnode_info(cnode, slots, &name, &info));
		sys_cap_t ep = new_endpoint(), put_at;
		OKAY(sys_cap_move(ep, cnode, slots - 1, &put_at));
		CHECK(used(ut) <= whole + PAGE);        /* the endpoint's slab, and nothing for the slot */
		OKAY(sys_cap_delete(cnode));
		EQ(used(ut), before);
	}
}

TEST("cnode_create:INVALID_ARGS too few, too many, no power of two")
{
	static const uint32_t bad[] = {0, 1, 8, 15, 17, 24, 4095, LARGEST + 1, 2 * LARGEST, 0xffffffff};
	sys_cap_t out = 99;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		REFUSED(SYS_ERR_INVALID_ARGS, sys_cnode_create(ut, bad[i], &out));
	EQ(out, 99);
}

TEST("cnode_create:NO_MEMORY more than the account has")
{
	sys_cap_t small = new_untyped(16 * PAGE), out = 99;

	REFUSED(SYS_ERR_NO_MEMORY, sys_cnode_create(small, LARGEST, &out));
	EQ(used(small), 0);
	EQ(out, 99);
	OKAY(sys_cnode_create(small, SLOTS, &out));
}

TEST("cnode_delete:OK")
{
	sys_cap_t cnode = new_cnode(SLOTS), ep = new_endpoint(), vmo = new_vmo(PAGE), name, empty;
	sys_cap_info_t info;

	uint64_t before = used(ut);
	OKAY(sys_cap_copy(ep, cnode, 7, SYS_RIGHTS_SAME, &name));
	OKAY(sys_cap_move(vmo, cnode, 8, &name));
	OKAY(sys_cnode_delete(cnode, 7));
	OKAY(sys_cnode_delete(cnode, 8));               /* the last of the VMO */
	CHECK(used(ut) <= before);
	OKAY(sys_cnode_info(cnode, 8, &empty, &info));
	EQ(info.type, SYS_TYPE_NONE);
	EQ(empty, 8 | 1ull << 32);
	CHECK(!cap_is_gone(ep));
}

TEST("cnode_delete:BAD_CAP nothing there, another generation, past the end, slot 0")
{
	sys_cap_t cnode = new_cnode(SLOTS), ep = new_endpoint(), name;

	OKAY(sys_cap_copy(ep, cnode, 7, SYS_RIGHTS_SAME, &name));
	REFUSED(SYS_ERR_BAD_CAP, sys_cnode_delete(cnode, 6));
	REFUSED(SYS_ERR_BAD_CAP, sys_cnode_delete(cnode, 7 | 1ull << 32));
	REFUSED(SYS_ERR_BAD_CAP, sys_cnode_delete(cnode, SLOTS));
	REFUSED(SYS_ERR_BAD_CAP, sys_cnode_delete(cnode, UINT64_MAX));
	REFUSED(SYS_ERR_BAD_CAP, sys_cnode_delete(cnode, 0));
	CHECK(cap_info(ep).derived);
}

TEST("cnode_info:OK what is there, and the next name of what is not")
{
	sys_cap_t cnode = new_cnode(SLOTS), ep = new_endpoint(), badged, name;
	sys_cap_info_t info;

	OKAY(sys_cnode_info(cnode, 3, &name, &info));
	EQ(info.type, SYS_TYPE_NONE);
	EQ(name, 3);
	OKAY(sys_cap_mint(ep, cnode, 3, SYS_RIGHT_SEND, 12, &badged));
	OKAY(sys_cnode_info(cnode, 3, &name, &info));
	EQ(name, 3);
	EQ(info.type, SYS_TYPE_ENDPOINT);
	EQ(info.rights, SYS_RIGHT_SEND);
	EQ(info.badge, 12);
	EQ(info.koid, cap_info(ep).koid);
	CHECK(!info.derived);
	OKAY(sys_cnode_info(SYS_CAP_CNODE, SYS_CAP_VMAR, &name, &info));
	EQ(name, SYS_CAP_VMAR);
	EQ(info.type, SYS_TYPE_VMAR);
}

TEST("cnode_info:OUT_OF_RANGE past the end")
{
	sys_cap_t cnode = new_cnode(SLOTS), name = 99;
	sys_cap_info_t info = {.type = 77};

	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_cnode_info(cnode, SLOTS, &name, &info));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_cnode_info(cnode, 0xffffffff, &name, &info));
	EQ(name, 99);
	EQ(info.type, 77);
}

TEST("the program's CSpace has at least 4096 slots, and what a program starts with is there")
{
	static const enum sys_type want[] = {
		[SYS_CAP_CNODE] = SYS_TYPE_CNODE,
		[SYS_CAP_VMAR] = SYS_TYPE_VMAR,
		[SYS_CAP_UNTYPED] = SYS_TYPE_UNTYPED,
		[SYS_CAP_THREAD] = SYS_TYPE_THREAD,
		[SYS_CAP_CONSOLE] = SYS_TYPE_CONSOLE,
		[SYS_CAP_RESOURCE] = SYS_TYPE_RESOURCE,
	};
	sys_cap_t name;
	sys_cap_info_t info;

	OKAY(sys_cnode_info(SYS_CAP_CNODE, 4095, &name, &info));
	for (uint32_t slot = 1; slot < sizeof(want) / sizeof(want[0]); slot++) {
		if (slot == SYS_CAP_PARENT)
			continue;
		OKAY(sys_cnode_info(SYS_CAP_CNODE, slot, &name, &info));
		EQ(info.type, want[slot]);
	}
	OKAY(sys_cnode_info(SYS_CAP_CNODE, SYS_CAP_NULL, &name, &info));
	EQ(info.type, SYS_TYPE_NONE);
}

TEST("free slots are taken oldest first")
{
	sys_cap_t cnode = new_cnode(SLOTS), ep = new_endpoint(), name, first = 0;

	for (int i = 1; i < SLOTS; i++)
		OKAY(sys_cap_copy(ep, cnode, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &name));
	OKAY(sys_cnode_delete(cnode, 9));
	OKAY(sys_cnode_delete(cnode, 4));
	OKAY(sys_cap_copy(ep, cnode, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &first));
	EQ(first, 9 | 1ull << 32);
	OKAY(sys_cap_copy(ep, cnode, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &name));
	EQ(name, 4 | 1ull << 32);
}
