/* SPDX-License-Identifier: BSD-2-Clause */
/* discard.c: discardable VMOs and their locks. What happens to unlocked ones under pressure is in reclaim.c. */
#include "common/helper.h"

static sys_cap_t vmo;
static sys_vmo_lock_state_t state;

static void begin(uint64_t size)
{
	OKAY(sys_vmo_create(ut, size, SYS_VMO_DISCARDABLE, &vmo));
	state = (sys_vmo_lock_state_t){1, 2, 3, 4};
}

static sys_status_t lock(void) { return sys_vmo_op_range(vmo, SYS_VMO_OP_LOCK, 0, 4 * PAGE, &state, sizeof(state)); }
static sys_status_t op(enum sys_vmo_op what) { return sys_vmo_op_range(vmo, what, 0, 4 * PAGE, NULL, 0); }

TEST("vmo_create:OK a discardable one begins unlocked and empty, and says what it is (VMO-CREATE-17, VMO-CREATE-18, "
     "VMO-LOCK-10)")
{
	begin(4 * PAGE);
	CHECK(vmo_info(vmo).flags & SYS_VMO_INFO_DISCARDABLE);
	REFUSED(SYS_ERR_BAD_STATE, op(SYS_VMO_OP_UNLOCK));
	OKAY(op(SYS_VMO_OP_TRY_LOCK));
	OKAY(lock());
	EQ(vmo_info(vmo).committed, 0);
	put(vmo, 8, 1);
	EQ(get(vmo, 8), 1);
}

TEST("vmo_op_range:OK LOCK says what is locked, and that nothing was lost; locks are counted (VMO-LOCK-05, VMO-LOCK-06, "
     "VMO-LOCK-08, VMO-LOCK-09)")
{
	begin(4 * PAGE);
	OKAY(lock());
	EQ(state.offset, 0);
	EQ(state.size, 4 * PAGE);
	EQ(state.discarded_offset, 0);
	EQ(state.discarded_size, 0);
	OKAY(op(SYS_VMO_OP_TRY_LOCK));
	OKAY(op(SYS_VMO_OP_UNLOCK));
	OKAY(op(SYS_VMO_OP_UNLOCK));
	REFUSED(SYS_ERR_BAD_STATE, op(SYS_VMO_OP_UNLOCK));
}

TEST("vmo_op_range:INVALID_ARGS vmo_op_range:BAD_ADDRESS LOCK without a place for what it says (VMO-LOCK-04)")
{
	begin(4 * PAGE);
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_op_range(vmo, SYS_VMO_OP_LOCK, 0, 4 * PAGE, NULL, sizeof(state)));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_op_range(vmo, SYS_VMO_OP_LOCK, 0, 4 * PAGE, &state, 0));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_op_range(vmo, SYS_VMO_OP_LOCK, 0, 4 * PAGE, &state, sizeof(state) - 1));
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_vmo_op_range(vmo, SYS_VMO_OP_LOCK, 0, 4 * PAGE, (void *)8, sizeof(state)));
	REFUSED(SYS_ERR_BAD_STATE, op(SYS_VMO_OP_UNLOCK));
}

TEST("vmo_op_range:OUT_OF_RANGE locks are for all of it (VMO-LOCK-03)")
{
	begin(4 * PAGE);
	for (enum sys_vmo_op what = SYS_VMO_OP_LOCK; what <= SYS_VMO_OP_UNLOCK; what++) {
		REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_op_range(vmo, what, 0, 3 * PAGE, &state, sizeof(state)));
		REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_op_range(vmo, what, PAGE, 3 * PAGE, &state, sizeof(state)));
		REFUSED(SYS_ERR_OUT_OF_RANGE, sys_vmo_op_range(vmo, what, 0, 5 * PAGE, &state, sizeof(state)));
	}
}

TEST("vmo_op_range:NOT_SUPPORTED locks of another VMO; children of a discardable one but references; a mapping without "
     "ALLOW_FAULTS (VMO-LOCK-01, VMO-LOCK-12, VMO-LOCK-13, MAP-51)")
{
	static const uint32_t kinds[] = {SYS_VMO_CHILD_SNAPSHOT, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE,
		SYS_VMO_CHILD_SNAPSHOT_MODIFIED, SYS_VMO_CHILD_SLICE};
	sys_cap_t child, reference;
	sys_vaddr_t at;

	vmo = new_vmo(4 * PAGE);
	for (enum sys_vmo_op what = SYS_VMO_OP_LOCK; what <= SYS_VMO_OP_UNLOCK; what++)
		for (size_t room = 0; room <= sizeof(state); room += sizeof(state))     /* also with no place for what it tells */
			REFUSED(SYS_ERR_NOT_SUPPORTED, sys_vmo_op_range(vmo, what, 0, 4 * PAGE, room ? &state : NULL, room));
	begin(4 * PAGE);
	for (size_t i = 0; i < 4; i++)
		REFUSED(SYS_ERR_NOT_SUPPORTED, sys_vmo_create_child(vmo, ut, kinds[i], 0, PAGE, &child));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_vmar_map(SYS_CAP_VMAR, SYS_VM_PERM_READ, 0, vmo, 0, PAGE, &at));
	OKAY(sys_vmar_map(SYS_CAP_VMAR, SYS_VM_PERM_READ | SYS_VM_ALLOW_FAULTS, 0, vmo, 0, PAGE, &at));
	OKAY(sys_vmar_unmap(SYS_CAP_VMAR, at, PAGE));
	OKAY(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_REFERENCE, 0, 0, &reference));
	OKAY(sys_vmo_op_range(reference, SYS_VMO_OP_TRY_LOCK, 0, 4 * PAGE, NULL, 0));
	OKAY(op(SYS_VMO_OP_UNLOCK));
}

TEST("vmo_op_range:ACCESS_DENIED a lock needs READ or WRITE (VMO-LOCK-02)")
{
	sys_cap_t weak;

	begin(4 * PAGE);
	sys_cap_t full = vmo;
	static const sys_rights_t enough[] = {SYS_RIGHT_READ, SYS_RIGHT_WRITE};
	for (size_t i = 0; i < 2; i++) {
		OKAY(sys_cap_copy(full, SYS_CAP_CNODE, SYS_SLOT_ANY, enough[i], &vmo));
		OKAY(lock());
		OKAY(op(SYS_VMO_OP_UNLOCK));
	}
	OKAY(sys_cap_copy(full, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_VMO & ~(SYS_RIGHT_READ | SYS_RIGHT_WRITE | SYS_RIGHT_RESIZE), &weak));
	vmo = weak;
	REFUSED(SYS_ERR_ACCESS_DENIED, lock());
	REFUSED(SYS_ERR_ACCESS_DENIED, op(SYS_VMO_OP_TRY_LOCK));
	REFUSED(SYS_ERR_ACCESS_DENIED, op(SYS_VMO_OP_UNLOCK));
}

TEST("pager_create_vmo:INVALID_ARGS a discardable one (VMO-LOCK-14)")
{
	sys_cap_t ep, pager = new_pager(&ep), out;

	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_create_vmo(pager, ut, SYS_VMO_DISCARDABLE, 1, PAGE, &out));
}
