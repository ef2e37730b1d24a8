/* SPDX-License-Identifier: BSD-2-Clause */
/* policy.c: cache policies. How entries are made is seen on the host (test/host/policy.c). */
#include "common/helper.h"

TEST("vmo_set_cache_policy:OK vmo_set_cache_policy:INVALID_ARGS and back; a policy that is none (POLICY-01)")
{
	sys_cap_t vmo = new_vmo(4 * PAGE);

	for (uint32_t policy = SYS_CACHE_CACHED; policy <= SYS_CACHE_WRITE_COMBINING; policy++) {
		OKAY(sys_vmo_set_cache_policy(vmo, policy));
		EQ(vmo_info(vmo).cache_policy, policy);
	}
	REFUSED(SYS_ERR_INVALID_ARGS, sys_vmo_set_cache_policy(vmo, SYS_CACHE_WRITE_COMBINING + 1));
	OKAY(sys_vmo_set_cache_policy(vmo, SYS_CACHE_CACHED));
	put(vmo, 0, 1);
}

TEST("vmo_set_cache_policy:BAD_STATE while mapped, with children, on one (POLICY-02)")
{
	sys_cap_t vmo = new_vmo(4 * PAGE), child;
	sys_vaddr_t at;

	OKAY(sys_vmar_map(SYS_CAP_VMAR, SYS_VM_PERM_READ, 0, vmo, 0, PAGE, &at));
	REFUSED(SYS_ERR_BAD_STATE, sys_vmo_set_cache_policy(vmo, SYS_CACHE_UNCACHED));
	OKAY(sys_vmar_unmap(SYS_CAP_VMAR, at, PAGE));
	OKAY(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE, &child));
	REFUSED(SYS_ERR_BAD_STATE, sys_vmo_set_cache_policy(vmo, SYS_CACHE_UNCACHED));
	REFUSED(SYS_ERR_BAD_STATE, sys_vmo_set_cache_policy(child, SYS_CACHE_UNCACHED));
	OKAY(sys_cap_delete(child));
	OKAY(sys_vmo_set_cache_policy(vmo, SYS_CACHE_UNCACHED));
}

TEST("vmo_read:BAD_STATE vmo_write:BAD_STATE vmo_create_child:BAD_STATE of what is not cached (VMO-RW-15, "
     "CHILD-SNAP-06)")
{
	sys_cap_t vmo = new_vmo(4 * PAGE), child;
	uint64_t value = 0;

	OKAY(sys_vmo_set_cache_policy(vmo, SYS_CACHE_WRITE_COMBINING));
	REFUSED(SYS_ERR_BAD_STATE, sys_vmo_read(vmo, &value, 0, sizeof(value)));
	REFUSED(SYS_ERR_BAD_STATE, sys_vmo_write(vmo, &value, 0, sizeof(value)));
	REFUSED(SYS_ERR_BAD_STATE, sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE, &child));
}

TEST("vmo_set_cache_policy:OK content stays when caching ends, and is not cached again; mapped, it is memory (POLICY-03)")
{
	sys_cap_t vmo = new_vmo(4 * PAGE);
	sys_vaddr_t at;

	put(vmo, PAGE, 77);
	OKAY(sys_vmo_set_cache_policy(vmo, SYS_CACHE_UNCACHED_DEVICE));
	REFUSED(SYS_ERR_BAD_STATE, sys_vmo_set_cache_policy(vmo, SYS_CACHE_CACHED));
	OKAY(sys_vmar_map(SYS_CAP_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, vmo, 0, 4 * PAGE, &at));
	volatile uint64_t *word = (volatile uint64_t *)at;
	EQ(word[PAGE / 8], 77);
	word[2 * PAGE / 8] = 78;
	EQ(word[2 * PAGE / 8], 78);
	EQ(word[0], 0);
	OKAY(sys_vmar_unmap(SYS_CAP_VMAR, at, 4 * PAGE));
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, 0, 4 * PAGE, NULL, 0));
	OKAY(sys_vmo_set_cache_policy(vmo, SYS_CACHE_CACHED));
}

TEST("vmo_set_cache_policy:OK of the largest VMO (POLICY-04)")
{
	sys_cap_t vmo = new_vmo(UINT64_MAX - 64 * PAGE + 1);

	put(vmo, 1ull << 50, 1);
	OKAY(sys_vmo_set_cache_policy(vmo, SYS_CACHE_UNCACHED));
}

struct mapper { sys_cap_t vmo; volatile bool stop; volatile uint64_t mapped; };

static int64_t maps_and_unmaps(void *arg)
{
	struct mapper *mapper = arg;
	sys_status_t status = SYS_OK;
	sys_vaddr_t at;

	for (; !mapper->stop && status == SYS_OK; mapper->mapped++) {
		status = sys_vmar_map(SYS_CAP_VMAR, SYS_VM_PERM_READ, 0, mapper->vmo, 0, PAGE, &at);
		if (status == SYS_OK)
			status = sys_vmar_unmap(SYS_CAP_VMAR, at, PAGE);
	}
	return status;
}

TEST("vmo_set_cache_policy:OK vmo_set_cache_policy:BAD_STATE while another thread maps and unmaps: as long as there is a mapping the "
     "policy is what it was (POLICY-05)")
{
	sys_cap_t vmo = new_vmo(PAGE);
	struct mapper mapper = {vmo, false, 0};
	sys_cap_t thread = helper_start(maps_and_unmaps, &mapper);

	while (mapper.mapped == 0)
		sys_thread_yield();
	for (uint32_t round = 0; round < 400; round++) {
		uint32_t before = vmo_info(vmo).cache_policy;
		sys_status_t status = sys_vmo_set_cache_policy(vmo, round % 4);
		CHECK(status == SYS_OK || status == SYS_ERR_BAD_STATE);
		EQ(vmo_info(vmo).cache_policy, status == SYS_OK ? round % 4 : before);
		if (round % 8 == 0)
			sleep_for(20000 + round * 177);
	}
	void *at = map(vmo, PAGE);
	REFUSED(SYS_ERR_BAD_STATE, sys_vmo_set_cache_policy(vmo, SYS_CACHE_UNCACHED));
	unmap(at, PAGE);
	mapper.stop = true;
	EQ(until_exited(thread), SYS_OK);
}
