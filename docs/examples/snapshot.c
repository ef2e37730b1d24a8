/* SPDX-License-Identifier: BSD-2-Clause */
/* snapshot: fills 4 MiB, takes a snapshot, writes to both sides, and shows what each of them holds and what it costs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <libsys/libsys.h>

enum { BYTES = 4 << 20 };

static void must(sys_status_t status, const char *what)
{
	if (status == SYS_OK)
		return;
	printf("%s: %s\n", what, sys_status_string(status));
	exit(EXIT_FAILURE);
}

static void show(const char *name, sys_cap_t vmo)
{
	sys_vmo_info_t info;
	char text[16];

	must(sys_vmo_read(vmo, text, 0, sizeof text), "read");
	must(sys_vmo_info(vmo, &info), "info");
	printf("%-9s reads \"%s\": %" PRIu64 " pages, %" PRIu64 " of them its own\n", name, text,
		info.committed / SYS_PAGE_SIZE, info.private_bytes / SYS_PAGE_SIZE);
}

int main(void)
{
	sys_cap_t vmo, snapshot;

	must(sys_vmo_create(SYS_CAP_UNTYPED, BYTES, 0, &vmo), "create");
	must(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, BYTES, NULL, 0), "commit");
	must(sys_vmo_write(vmo, "as it was", 0, sizeof "as it was"), "write");
	must(sys_vmo_create_child(vmo, SYS_CAP_UNTYPED, SYS_VMO_CHILD_SNAPSHOT, 0, BYTES, &snapshot), "snapshot");
	must(sys_vmo_write(vmo, "one side", 0, sizeof "one side"), "write");
	show("original", vmo);
	show("snapshot", snapshot);
	must(sys_vmo_write(snapshot, "the other", 0, sizeof "the other"), "write");
	show("original", vmo);
	show("snapshot", snapshot);
	return 7;
}
