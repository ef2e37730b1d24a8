/* SPDX-License-Identifier: BSD-2-Clause */
/* wx.c: writable or executable, never both without a right that says so; how code comes to run; the program's own
 * image. */
#include "common/helper.h"

#include <string.h>

#define RW (SYS_VM_PERM_READ | SYS_VM_PERM_WRITE)
#define RX (SYS_VM_PERM_READ | SYS_VM_PERM_EXECUTE)
#define RWX (RW | SYS_VM_PERM_EXECUTE)

/* movl $42, %eax; ret */
static const uint8_t code[] = {0xb8, 42, 0, 0, 0, 0xc3};

static sys_cap_t executable(void)
{
	sys_cap_t vmo = new_vmo(PAGE);

	OKAY(sys_vmo_write(vmo, code, 0, sizeof(code)));
	OKAY(sys_vmo_replace_as_executable(vmo, SYS_CAP_RESOURCE, &vmo));
	return vmo;
}

TEST("vmo_replace_as_executable:OK the old capability goes, the new one can run (EXEC-01)")
{
	sys_cap_t vmo = new_vmo(PAGE), out;
	sys_cap_info_t before = cap_info(vmo);

	OKAY(sys_vmo_replace_as_executable(vmo, SYS_CAP_RESOURCE, &out));
	CHECK(out == vmo || cap_is_gone(vmo));
	EQ(cap_info(out).rights, before.rights | SYS_RIGHT_EXECUTE);
	EQ(cap_info(out).koid, before.koid);
	OKAY(sys_vmo_write(out, code, 0, sizeof(code)));
	int (*run)(void) = (int (*)(void))(uintptr_t)map_in(SYS_CAP_VMAR, out, RX, 0, PAGE);
	EQ(run(), 42);
	FAULTS(WRITE, SYS_ERR_ACCESS_DENIED, (void *)(uintptr_t)run);
	unmap((void *)(uintptr_t)run, PAGE);
}

TEST("vmo_replace_as_executable:ACCESS_DENIED vmo_replace_as_executable:WRONG_TYPE who has no resource may not, and keeps the "
     "capability (EXEC-01, EXEC-02)")
{
	sys_cap_t vmo = new_vmo(PAGE), endpoint = new_endpoint(), out = 99;

	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmo_replace_as_executable(vmo, less(SYS_CAP_RESOURCE, SYS_RIGHT_MANAGE), &out));
	REFUSED(SYS_ERR_WRONG_TYPE, sys_vmo_replace_as_executable(vmo, endpoint, &out));
	REFUSED(SYS_ERR_BAD_CAP, sys_vmo_replace_as_executable(vmo, SYS_CAP_NULL, &out));
	EQ(out, 99);
	EQ(cap_info(vmo).rights, SYS_RIGHTS_VMO & ~SYS_RIGHT_RESIZE);
}

TEST("vmar_map:ACCESS_DENIED code from a VMO that is not executable")
{
	sys_cap_t vmo = new_vmo(PAGE), weak = less(executable(), SYS_RIGHT_EXECUTE);
	sys_vaddr_t at = 99;

	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmar_map(SYS_CAP_VMAR, RX, 0, vmo, 0, PAGE, &at));
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmar_map(SYS_CAP_VMAR, RX, 0, weak, 0, PAGE, &at));
	EQ(at, 99);
}

TEST("vmar_map:ACCESS_DENIED vmar_protect:ACCESS_DENIED writable and executable")
{
	sys_cap_t vmo = executable();
	sys_vaddr_t at = 99;

	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmar_map(SYS_CAP_VMAR, RWX, 0, vmo, 0, PAGE, &at));
	EQ(at, 99);
	void *rw = map(vmo, PAGE), *rx = map_in(SYS_CAP_VMAR, vmo, RX, 0, PAGE);
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmar_protect(SYS_CAP_VMAR, RWX, (sys_vaddr_t)rw, PAGE));
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmar_protect(SYS_CAP_VMAR, RWX, (sys_vaddr_t)rx, PAGE));
	FAULTS(EXECUTE, SYS_ERR_ACCESS_DENIED, rw);
	FAULTS(WRITE, SYS_ERR_ACCESS_DENIED, rx);
	unmap(rw, PAGE);
	unmap(rx, PAGE);
}

TEST("vmar_map:OK writable and executable with the right; regions inherit it")
{
	sys_cap_t root, region, vmo = executable(), none;
	sys_vaddr_t at;

	OKAY(sys_vspace_create(ut, SYS_CAP_RESOURCE, 0, &root));
	OKAY(sys_vmar_map(root, RWX, 0, vmo, 0, PAGE, &at));
	region = new_region(root, 4 * PAGE, &at);
	CHECK(cap_info(region).rights & SYS_RIGHT_WX);
	OKAY(sys_vmar_map(region, RWX, 0, vmo, 0, PAGE, &at));
	none = less(root, SYS_RIGHT_WX);
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmar_map(none, RWX, 0, vmo, 0, PAGE, &at));
}

TEST("code that was written after it ran is what runs next")
{
	sys_cap_t vmo = executable();
	volatile uint8_t *rw = map(vmo, PAGE);
	int (*run)(void) = (int (*)(void))(uintptr_t)map_in(SYS_CAP_VMAR, vmo, RX, 0, PAGE);

	EQ(run(), 42);
	rw[1] = 43;
	EQ(run(), 43);
	uint8_t next = 44;
	OKAY(sys_vmo_write(vmo, &next, 1, 1));
	EQ(run(), 44);
	unmap((void *)rw, PAGE);
	unmap((void *)(uintptr_t)run, PAGE);
}

TEST("snapshots lose EXECUTE, unless they are NO_WRITE (EXEC-03)")
{
	sys_cap_t vmo = executable(), child;

	OKAY(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE, &child));
	CHECK(!(cap_info(child).rights & SYS_RIGHT_EXECUTE));
	OKAY(sys_vmo_create_child(vmo, ut, SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_NO_WRITE, 0, PAGE, &child));
	CHECK((cap_info(child).rights & (SYS_RIGHT_EXECUTE | SYS_RIGHT_WRITE)) == SYS_RIGHT_EXECUTE);
}

TEST("no mapping of this program is writable and executable")
{
	static sys_maps_t maps[128];
	size_t count, available, code_maps = 0;

	OKAY(sys_vmar_maps(SYS_CAP_VMAR, maps, 128, &count, &available));
	EQ(count, available);
	for (size_t i = 0; i < count; i++) {
		if (maps[i].kind != 1)
			continue;
		CHECK((maps[i].options & RWX) != RWX);
		code_maps += (maps[i].options & SYS_VM_PERM_EXECUTE) != 0;
	}
	CHECK(code_maps >= 1);
}
