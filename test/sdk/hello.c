/* SPDX-License-Identifier: BSD-2-Clause */
/* What a first program outside the tree does: a VMO, a snapshot of it, a write to each, and an exit status. */
#include <libsys/libsys.h>
#include <stdio.h>
#include <stdlib.h>

static void check(sys_status_t status, const char *what)
{
	if (status == SYS_OK)
		return;
	printf("%s: %s\n", what, sys_status_string(status));
	exit(1);
}

int main(int argc, char **argv)
{
	static const char before[] = "before", after[] = "written";
	char a[sizeof after] = "", b[sizeof after] = "";
	sys_cap_t vmo, snapshot;

	printf("arguments:");
	for (int i = 1; i < argc; i++)
		printf(" %s", argv[i]);
	printf("\n");
	check(sys_vmo_create(SYS_CAP_UNTYPED, SYS_PAGE_SIZE, 0, &vmo), "create");
	check(sys_vmo_write(vmo, before, 0, sizeof before), "write");
	check(sys_vmo_create_child(vmo, SYS_CAP_UNTYPED, SYS_VMO_CHILD_SNAPSHOT, 0, SYS_PAGE_SIZE, &snapshot), "snapshot");
	check(sys_vmo_write(vmo, after, 0, sizeof after), "write to the original");
	check(sys_vmo_read(vmo, a, 0, sizeof after), "read the original");
	check(sys_vmo_read(snapshot, b, 0, sizeof before), "read the snapshot");
	printf("original: %s\nsnapshot: %s\n", a, b);
	return 42;
}
