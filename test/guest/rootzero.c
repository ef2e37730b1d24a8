/* SPDX-License-Identifier: BSD-2-Clause */
/* rootzero.c: vmo_op_range ZERO of a pager's VMO (a root) and of its clones. */
#include "common/client.h"
#include "common/content.h"

TEST("vmo_op_range:OK ZERO of a root's pages asks nobody, and they read as zero; what waits for them has them (VMO-ZERO-13, "
     "VMO-ZERO-16)")
{
	pager_begin();
	supply(0, 2, 100);
	zero(vmo, PAGE, 4 * PAGE);
	expect_none();
	CHECK(all_bytes(vmo, PAGE, 4 * PAGE, 0));
	EQ(get(vmo, 0), 100);
	expect_none();
	EQ(committed(), PAGE);
	struct client client = {.act = VMO_READ, .vmo = vmo, .offset = 8 * PAGE, .len = 2 * PAGE};
	sys_cap_t thread = client_start(&client);
	expect(8 * PAGE, 2, SYS_ACCESS_READ);
	client_bytes[0] = client_bytes[PAGE] = 5;
	zero(vmo, 8 * PAGE, 2 * PAGE);
	EQ(until_exited(thread), SYS_OK);
	EQ(client_bytes[0], 0);
	EQ(client_bytes[PAGE], 0);
	EQ(supply(8, 1, 300), 0);               /* there is something: zeros */
	EQ(get(vmo, 8 * PAGE), 0);
}

TEST("vmo_op_range:OK ZERO of a clone's pages asks nobody, and they stay zero whatever is supplied (VMO-ZERO-06, VMO-ZERO-17, "
     "VMO-ZERO-18)")
{
	pager_begin();
	supply(0, 2, 100);
	sys_cap_t clone = clone_of(vmo, 0, 8 * PAGE);
	zero(clone, PAGE, 4 * PAGE);
	expect_none();
	CHECK(all_bytes(clone, PAGE, 4 * PAGE, 0));
	sys_cap_t again = modified_of(clone, 0, 8 * PAGE);
	zero(again, 5 * PAGE, PAGE);
	supply(2, 6, 100);
	CHECK(all_bytes(clone, PAGE, 4 * PAGE, 0));
	CHECK(all_bytes(again, PAGE, 5 * PAGE, 0));
	EQ(get(clone, 5 * PAGE), 105);
	EQ(get(again, 6 * PAGE), 106);
	PAGES_ARE(vmo, 0, 8, 100);
	put(clone, PAGE + 8, 1);
	EQ(get(clone, PAGE), 0);
	expect_none();
}
