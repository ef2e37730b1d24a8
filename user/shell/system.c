/* SPDX-License-Identifier: BSD-2-Clause */
/* system.c: the commands that look at the system: mem, maps, stat. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "shell.h"

#define ACCOUNT "account/"

static bool print_account(const char *name, sys_cap_t untyped)
{
	sys_untyped_info_t info;
	sys_status_t status = sys_untyped_info(untyped, &info);

	if (status != SYS_OK)
		return shell_complain("mem", name, status);
	printf("%-10s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 "\n", name, info.total / 1024,
		info.used / 1024, info.promised / 1024, info.peak / 1024);
	return true;
}

bool command_mem(int argc, char **argv)
{
	const sys_startup_item_t *item;
	size_t count = shell_items(&item);
	bool good = true;

	(void)argc, (void)argv;
	printf("%-10s %10s %10s %10s %10s\n", "KiB", "total", "used", "promised", "peak");
	for (size_t i = 0; i < count; i++)
		if (strncmp(item[i].name, ACCOUNT, strlen(ACCOUNT)) == 0)
			good &= print_account(item[i].name + strlen(ACCOUNT), item[i].vmo);
	return print_account("shell", SYS_CAP_UNTYPED) && good;
}

static void print_mapping(const sys_maps_t *m)
{
	char perms[] = "---";

	if (m->options & (m->kind ? SYS_VM_PERM_READ : SYS_VM_CAN_MAP_READ))
		perms[0] = 'r';
	if (m->options & (m->kind ? SYS_VM_PERM_WRITE : SYS_VM_CAN_MAP_WRITE))
		perms[1] = 'w';
	if (m->options & (m->kind ? SYS_VM_PERM_EXECUTE : SYS_VM_CAN_MAP_EXECUTE))
		perms[2] = 'x';
	printf("%*s%012" PRIx64 "-%012" PRIx64 " %s ", (int)m->depth * 2, "", m->base, m->base + m->size, perms);
	if (m->kind)
		printf("object %" PRIu64 " + %#" PRIx64 ", %" PRIu64 " KiB there\n", m->vmo_koid, m->vmo_offset,
			m->committed / 1024);
	else
		printf("region\n");
}

bool command_maps(int argc, char **argv)
{
	size_t actual = 0, available = 0;
	sys_status_t status = sys_vmar_maps(SYS_CAP_VMAR, NULL, 0, &actual, &available);
	sys_maps_t *maps = malloc((available + 1) * sizeof *maps);

	(void)argc;
	if (status == SYS_OK && maps)
		status = sys_vmar_maps(SYS_CAP_VMAR, maps, available + 1, &actual, &available);
	for (size_t i = 0; status == SYS_OK && maps && i < actual; i++)
		print_mapping(&maps[i]);
	free(maps);
	return status == SYS_OK || shell_complain(argv[0], "the shell", status);
}

bool command_stat(int argc, char **argv)
{
	sys_counters_t counters;
	sys_machine_info_t machine;
	sys_status_t status = sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_COUNTERS, &counters, sizeof counters);

	(void)argc;
	if (status == SYS_OK)
		status = sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_MACHINE, &machine, sizeof machine);
	if (status != SYS_OK)
		return shell_complain(argv[0], "system", status);
	printf("faults %" PRIu64 "; pages filled with zeros %" PRIu64 ", copied %" PRIu64 ", shared %" PRIu64 "\n",
		counters.faults, counters.zero_fills, counters.copies, counters.shares);
	printf("page requests %" PRIu64 ", pages supplied %" PRIu64 "\n", counters.requests, counters.pages_supplied);
	printf("free pages %" PRIu64 " of %" PRIu64 "\n", machine.free_frames, machine.frames);
	printf("kernel entries %" PRIu64 "\n", counters.entries);
	return true;
}
