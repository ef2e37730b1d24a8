/* SPDX-License-Identifier: BSD-2-Clause */
/* modules.c: the boot modules. What is run needs EXECUTE, which only the resource can add, and only to a capability
 * that is given up for it: so a copy is made and replaced, and the read-only capability stays for everyone else. */
#include <string.h>
#include "init.h"

static struct module modules[MODULES_MAX];
static size_t count;

void modules_read(void)
{
	static sys_startup_item_t item[MODULES_MAX];
	size_t all = sys_startup(item, MODULES_MAX);

	if (all > MODULES_MAX)
		complain("only %d of %zu modules can be used", MODULES_MAX, all);
	for (count = 0; count < all && count < MODULES_MAX; count++)
		modules[count] = (struct module){ item[count].name, item[count].vmo, SYS_CAP_NULL, item[count].size };
}

size_t module_count(void)
{
	return count;
}

struct module *module_at(size_t i)
{
	return &modules[i];
}

struct module *module_find(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < count; i++)
		if (strncmp(modules[i].name, name, length) == 0 &&
				(modules[i].name[length] == '\0' || strcmp(modules[i].name + length, ".elf") == 0))
			return &modules[i];
	return NULL;
}

sys_cap_t module_executable(struct module *module)
{
	sys_cap_t copy;

	if (module->executable)
		return module->executable;
	if (sys_cap_copy(module->vmo, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &copy) != SYS_OK)
		return SYS_CAP_NULL;
	if (sys_vmo_replace_as_executable(copy, SYS_CAP_RESOURCE, &module->executable) != SYS_OK) {
		sys_cap_delete(copy);
		module->executable = SYS_CAP_NULL;
	}
	return module->executable;
}
