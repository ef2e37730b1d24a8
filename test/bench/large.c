/* SPDX-License-Identifier: BSD-2-Clause */
/* large.c: rows that need a machine of 3 GiB: contents of 1 GiB, and very many clones at once. */
#include "common/content.h"

#include <stdio.h>

enum { FEW = 1000, MANY = 100000, CNODE_SLOTS = 1 << 17 };

const struct bench_side bench_sides[] = {{NULL, NULL}};

/* So many snapshots of a page made, all alive at once (in a CNode of their own), and closed: instructions for each of them. */
static void bench_clones(const char *id, unsigned count)
{
	sys_cap_t vmo = committed_vmo(PAGE), cnode;
	static sys_cap_t name[MANY];

	MUST(sys_cnode_create(SYS_CAP_UNTYPED, CNODE_SLOTS, &cnode));
	uint64_t begin = counter();
	for (unsigned i = 0; i < count; i++)
		MUST(sys_cap_move(snapshot_of(vmo, PAGE), cnode, SYS_SLOT_ANY, &name[i]));
	for (unsigned i = 0; i < count; i++)
		MUST(sys_cnode_delete(cnode, name[i]));
	uint64_t each = (counter() - begin) / count;
	printf("bench %s %lu %lu %u\n", id, (unsigned long)each, (unsigned long)each, count);
	MUST(sys_cap_delete(cnode));
	MUST(sys_cap_delete(vmo));
}

void bench_rows(void)
{
	bench_snapshot("snapshot_1g", 1ull << 30);
	bench_first_write("first_write_1g", 1ull << 30);
	bench_clones("clones_1000", FEW);
	bench_clones("clones_100000", MANY);
}
