/* SPDX-License-Identifier: BSD-2-Clause */
/* image.c: see image.h. */
#include "image.h"

enum { MAPS_MAX = 96, PARTS_MAX = 4 };
#define IMAGE_START 0x400000ul
#define PERMS (SYS_VM_PERM_READ | SYS_VM_PERM_WRITE | SYS_VM_PERM_EXECUTE)
extern char __libsys_data_end[];

static struct { sys_cap_t vmo; sys_vaddr_t base; uint64_t size; uint32_t perms; } part[PARTS_MAX];
static unsigned parts;
static sys_maps_t maps[MAPS_MAX];

static void add_part(const sys_maps_t *from)
{
	sys_cap_t vmo = new_vmo(from->size);

	CHECK(parts < PARTS_MAX);
	OKAY(sys_vmo_write(vmo, (const void *)from->base, 0, from->size));
	if (from->options & SYS_VM_PERM_EXECUTE)
		OKAY(sys_vmo_replace_as_executable(vmo, SYS_CAP_RESOURCE, &vmo));
	part[parts].vmo = vmo;
	part[parts].base = from->base;
	part[parts].size = from->size;
	part[parts++].perms = from->options & PERMS;
}

void image_begin(void)
{
	size_t count = 0, available = 0;

	parts = 0;
	OKAY(sys_vmar_maps(SYS_CAP_VMAR, maps, MAPS_MAX, &count, &available));
	EQ(count, available);
	for (size_t i = 0; i < count; i++)
		if (maps[i].kind == 1 && maps[i].base >= IMAGE_START && maps[i].base < (sys_vaddr_t)__libsys_data_end &&
		    !(maps[i].options & SYS_VM_PERM_WRITE))
			add_part(&maps[i]);
	CHECK(parts > 0);
}

sys_status_t image_map_at(sys_cap_t root_vmar, uint32_t perms, sys_vaddr_t at, sys_cap_t vmo, uint64_t offset,
			  uint64_t size)
{
	sys_vaddr_t got;

	return sys_vmar_map(root_vmar, perms | SYS_VM_SPECIFIC, at - SYS_PAGE_SIZE, vmo, offset, size, &got);
}

sys_status_t image_map(sys_cap_t root_vmar)
{
	sys_status_t status = SYS_OK;

	for (unsigned i = 0; i < parts && status == SYS_OK; i++)
		status = image_map_at(root_vmar, part[i].perms, part[i].base, part[i].vmo, 0, part[i].size);
	return status;
}
