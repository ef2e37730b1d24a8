/* SPDX-License-Identifier: BSD-2-Clause */
/* supply.c: the answers to requests: pages supplied in every way, ranges failed with every code, and the refusals of
 * both. Numbers in names are the statements' (docs/deviations.md). */
#include "common/client.h"
#include "common/content.h"

#include <string.h>

/* ---- supply ---- */

TEST("pager_supply_pages:OK moves the pages and their charge, aux reads as zero (SUPPLY-07, SUPPLY-15)")
{
	sys_cap_t of_aux = new_untyped(256 * PAGE), of_vmo = new_untyped(256 * PAGE),
		  aux = new_vmo_in(of_aux, 16 * PAGE);
	uint64_t fresh = 0;

	pager = new_pager(&ep);
	OKAY(sys_pager_create_vmo(pager, of_vmo, 0, KEY, PAGES * PAGE, &vmo));
	uint64_t empty = used(of_aux), empty_vmo = used(of_vmo);
	for (uint64_t i = 0; i < 16; i++)
		put(aux, i * PAGE, i + 1);
	volatile uint64_t *mapped = map(aux, 16 * PAGE);
	EQ(mapped[512], 2);
	OKAY(sys_pager_supply_pages(pager, vmo, 4 * PAGE, 16 * PAGE, aux, 0, &fresh));
	EQ(fresh, 16 * PAGE);
	EQ(used(of_aux), empty);
	CHECK(used(of_vmo) >= empty_vmo + 16 * PAGE);
	EQ(mapped[512], 0);
	EQ(get(aux, 0), 0);
	for (uint64_t i = 0; i < 16; i++)
		EQ(get(vmo, (4 + i) * PAGE), i + 1);
	EQ(committed(), 16 * PAGE);
	mapped[512] = 77;
	EQ(get(vmo, 5 * PAGE), 2);
	unmap((void *)mapped, 16 * PAGE);
}

TEST("pager_supply_pages:OK what is there stays; out_new counts what was not (SUPPLY-08)")
{
	pager_begin();
	EQ(supply(2, 2, 100), 2 * PAGE);
	put(vmo, 2 * PAGE, 5);
	EQ(supply(1, 4, 200), 2 * PAGE);
	EQ(get(vmo, PAGE), 201);
	EQ(get(vmo, 2 * PAGE), 5);
	EQ(get(vmo, 3 * PAGE), 103);
	EQ(get(vmo, 4 * PAGE), 204);
	EQ(supply(1, 4, 300), 0);
	EQ(get(vmo, PAGE), 201);
}

TEST("pager_supply_pages:OK what aux does not have is known to be zero, and costs no page (SUPPLY-09)")
{
	sys_cap_t aux = new_vmo(8 * PAGE);
	uint64_t fresh;

	pager_begin();
	put(aux, 3 * PAGE, 33);
	struct client client = {.act = VMO_READ, .vmo = vmo, .offset = 0, .len = 8 * PAGE};
	sys_cap_t thread = client_start(&client);
	expect(0, 8, SYS_ACCESS_READ);
	OKAY(sys_pager_supply_pages(pager, vmo, 0, 8 * PAGE, aux, 0, &fresh));
	EQ(fresh, 8 * PAGE);
	EQ(until_exited(thread), SYS_OK);
	EQ(committed(), PAGE);
	EQ(get(vmo, 3 * PAGE), 33);
	EQ(get(vmo, 0), 0);
	EQ(supply(0, 1, 100), 0);
	EQ(get(vmo, 0), 0);
	put(vmo, 0, 4);
	EQ(get(vmo, 0), 4);
	expect_none();
}

TEST("pager_supply_pages:OK in pieces, out of order; a reader goes on when its next page is there (READ-34, "
     "READ-37, READ-39)")
{
	pager_begin();
	struct client client = {.act = COMMIT, .vmo = vmo, .offset = 0, .len = 6 * PAGE};
	sys_cap_t thread = client_start(&client);

	expect(0, 6, 0);
	supply(4, 2, 1);
	supply(2, 1, 1);
	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	supply(0, 2, 1);
	sleep_for(MILLISECOND);
	until_waiting(thread);
	supply(3, 1, 1);
	EQ(until_exited(thread), SYS_OK);
	expect_none();
}

TEST("pager_supply_pages:OK before anybody asks; a request that is answered is withdrawn (READ-05, READ-11, "
     "READ-35)")
{
	pager_begin();
	supply(1, 1, 100);
	EQ(get(vmo, PAGE), 101);
	struct client client = {.act = VMO_READ, .vmo = vmo, .offset = 0, .len = 8};
	sys_cap_t thread = client_start(&client);
	supply(0, 1, 100);
	EQ(until_exited(thread), SYS_OK);
	expect_none();
}

TEST("pager_supply_pages:OK an aux that shares its pages keeps its relatives' content (SUPPLY-10)")
{
	sys_cap_t aux = new_vmo(4 * PAGE);
	uint64_t fresh;

	pager_begin();
	for (uint64_t i = 0; i < 4; i++)
		put(aux, i * PAGE, i + 1);
	sys_cap_t child = new_snapshot(aux, 0, 4 * PAGE);
	OKAY(sys_pager_supply_pages(pager, vmo, 0, 3 * PAGE, child, PAGE, &fresh));
	EQ(fresh, 3 * PAGE);
	for (uint64_t i = 0; i < 3; i++)
		EQ(get(vmo, i * PAGE), i + 2);
	for (uint64_t i = 0; i < 4; i++)
		EQ(get(aux, i * PAGE), i + 1);
	EQ(get(child, 0), 1);
	EQ(get(child, PAGE), 0);
	put(vmo, 0, 9);
	EQ(get(aux, PAGE), 2);
}

TEST("pager_supply_pages:INVALID_ARGS parts of pages, a VMO that is not this pager's (SUPPLY-02, SUPPLY-03)")
{
	sys_cap_t aux = new_vmo(4 * PAGE), other = new_pager(NULL), others;
	uint64_t fresh = 99;

	pager_begin();
	put(aux, 0, 7);
	OKAY(sys_pager_create_vmo(other, ut, 0, KEY, 4 * PAGE, &others));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_supply_pages(pager, vmo, 1, PAGE, aux, 0, &fresh));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_supply_pages(pager, vmo, 0, 100, aux, 0, &fresh));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_supply_pages(pager, vmo, 0, PAGE, aux, 1, &fresh));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_supply_pages(pager, vmo, 1, 0, aux, 0, &fresh));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_supply_pages(pager, others, 0, PAGE, aux, 0, &fresh));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_supply_pages(pager, aux, 0, PAGE, aux, PAGE, &fresh));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_supply_pages(other, vmo, 0, PAGE, aux, 0, &fresh));
	EQ(get(aux, 0), 7);
	EQ(committed(), 0);
}

TEST("pager_supply_pages:INVALID_ARGS pager_op_range:INVALID_ARGS a window on the pager's VMO, and a clone of it (SUPPLY-03, POP-03, PCLONE-12)")
{
	sys_cap_t aux = new_vmo(PAGE);
	uint64_t fresh = 99;

	pager_begin();
	const sys_cap_t others[] = {slice_of(vmo, 0, PAGE), reference_of(vmo), clone_of(vmo, 0, PAGE)};
	put(aux, 0, 7);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_supply_pages(pager, others[i], 0, PAGE, aux, 0, &fresh));
		REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, others[i], 0, PAGE, SYS_ERR_IO));
	}
	EQ(get(aux, 0), 7);
	EQ(committed(), 0);
}

TEST("pager_supply_pages:BAD_ADDRESS no place for the result: nothing is supplied")
{
	sys_cap_t aux = new_vmo(PAGE);

	pager_begin();
	put(aux, 0, 7);
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_pager_supply_pages(pager, vmo, 0, PAGE, aux, 0, NULL));
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_pager_supply_pages(pager, vmo, 0, PAGE, aux, 0, (uint64_t *)KERNEL_HALF));
	EQ(get(aux, 0), 7);
	EQ(committed(), 0);
}

TEST("pager_supply_pages:OUT_OF_RANGE of the VMO and of aux (SUPPLY-06)")
{
	sys_cap_t aux = new_vmo(4 * PAGE);
	uint64_t fresh;

	pager_begin();
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_pager_supply_pages(pager, vmo, PAGES * PAGE, PAGE, aux, 0, &fresh));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_pager_supply_pages(pager, vmo, (PAGES - 1) * PAGE, 2 * PAGE, aux, 0, &fresh));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_pager_supply_pages(pager, vmo, 0, PAGE, aux, 4 * PAGE, &fresh));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_pager_supply_pages(pager, vmo, 0, 5 * PAGE, aux, 0, &fresh));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_pager_supply_pages(pager, vmo, PAGE, -PAGE, aux, 0, &fresh));
	OKAY(sys_pager_supply_pages(pager, vmo, 0, 0, aux, 0, &fresh));
	EQ(fresh, 0);
}

TEST("pager_supply_pages:NOT_SUPPORTED an aux with a pager behind it (SUPPLY-04)")
{
	sys_cap_t second;
	uint64_t fresh;

	pager_begin();
	OKAY(sys_pager_create_vmo(pager, ut, 0, KEY + 1, 4 * PAGE, &second));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_pager_supply_pages(pager, vmo, 0, PAGE, second, 0, &fresh));
}

TEST("pager_supply_pages:NO_MEMORY the VMO's account is full, of what is no cache; how far it got is said, and it can go on")
{
	sys_cap_t of_vmo = new_untyped(16 * PAGE), aux = new_vmo(8 * PAGE), filler = new_vmo_in(of_vmo, 16 * PAGE);
	uint64_t fresh = 99, one = 1, filled = 0;

	pager = new_pager(&ep);
	OKAY(sys_pager_create_vmo(pager, of_vmo, 0, KEY, PAGES * PAGE, &vmo));
	while (sys_vmo_write(filler, &one, filled * PAGE, 8) == SYS_OK)
		filled++;
	for (uint64_t i = 4; i < 8; i++)
		put(aux, i * PAGE, i + 1);
	STATUS(SYS_ERR_NO_MEMORY, sys_pager_supply_pages(pager, vmo, 0, 8 * PAGE, aux, 0, &fresh));
	EQ(fresh, 4 * PAGE);                    /* known to be zero */
	EQ(committed(), 0);
	EQ(get(vmo, 3 * PAGE), 0);
	OKAY(sys_vmo_op_range(filler, SYS_VMO_OP_DECOMMIT, 0, 8 * PAGE, NULL, 0));
	OKAY(sys_pager_supply_pages(pager, vmo, 4 * PAGE, 4 * PAGE, aux, 4 * PAGE, &fresh));
	EQ(fresh, 4 * PAGE);
	for (uint64_t i = 4; i < 8; i++)
		EQ(get(vmo, i * PAGE), i + 1);
	EQ(get(filler, (filled - 1) * PAGE), 1);
}

/* ---- failure ---- */

static const sys_status_t fail_codes[] = {
	SYS_ERR_IO, SYS_ERR_IO_DATA_INTEGRITY, SYS_ERR_BAD_STATE, SYS_ERR_NO_SPACE, SYS_ERR_BUFFER_TOO_SMALL};
enum { FAIL_CODES = sizeof(fail_codes) / sizeof(fail_codes[0]) };

static void fails_all_clients(int index)
{
	static const enum act acts[] = {READ_MAPPED, WRITE_MAPPED, VMO_READ, VMO_WRITE, COMMIT};
	sys_status_t code = fail_codes[index];

	pager_begin();
	volatile uint8_t *at = map(vmo, PAGES * PAGE);
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		struct client client = {.act = acts[i], .vmo = vmo, .at = at, .offset = 5 * PAGE, .len = 100};
		sys_cap_t thread = client_start(&client);
		expect(5 * PAGE, 1, 0);
		OKAY(sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 5 * PAGE, PAGE, code));
		EQ(until_exited(thread), code);
		expect_none();
	}
	EQ(committed(), 0);
	/* a failure does not stick */
	struct client again = {.act = VMO_READ, .vmo = vmo, .offset = 5 * PAGE, .len = 8};
	sys_cap_t thread = client_start(&again);
	expect(5 * PAGE, 1, 0);
	supply(5, 1, 1);
	EQ(until_exited(thread), SYS_OK);
	unmap((void *)at, PAGES * PAGE);
}

void guest_tables(void)
{
	static const char *const names[] = {"IO", "IO_DATA_INTEGRITY", "BAD_STATE", "NO_SPACE", "BUFFER_TOO_SMALL"};
	char name[96];

	for (int i = 0; i < FAIL_CODES; i++) {
		strcpy(name, "vmo_read:");
		strcat(name, names[i]);
		strcat(name, " vmo_write:");
		strcat(name, names[i]);
		strcat(name, " vmo_op_range:");
		strcat(name, names[i]);
		strcat(name, " FAIL (-01, -02)");
		guest_add(name, fails_all_clients, i);
	}
}

TEST("pager_op_range:OK FAIL is a fault message's status")
{
	pager_begin();
	volatile uint8_t *at = map(vmo, PAGES * PAGE);
	sys_cap_t fault_ep = new_endpoint(), reply = new_reply();
	struct client client = {.act = READ_MAPPED, .at = at, .offset = PAGE};
	sys_cap_t thread = client_start_with(&client, fault_ep);
	sys_msg_t msg = {0}, empty = {0};

	expect(PAGE, 1, SYS_ACCESS_READ);
	OKAY(sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 0, 4 * PAGE, SYS_ERR_IO));
	OKAY(sys_ipc_recv(fault_ep, reply, &msg, NULL, after(LIMIT)));
	EQ(msg.label, SYS_FAULT_PAGE);
	EQ(msg.word[0], (uint64_t)at + PAGE);
	EQ(msg.word[1], SYS_ACCESS_READ);
	EQ((int64_t)msg.word[3], SYS_ERR_IO);
	OKAY(sys_ipc_reply(reply, &empty));             /* the access is made again, and asks again */
	expect(PAGE, 1, SYS_ACCESS_READ);
	supply(1, 1, 10);
	EQ(until_exited(thread), SYS_OK);
	EQ(client.seen, 11);
	unmap((void *)at, PAGES * PAGE);
}

TEST("pager_op_range:OK FAIL fails who needs the page next, and nobody else (FAIL-03, FAIL-04, FAIL-05, "
     "FAIL-06)")
{
	pager_begin();
	struct client whole = {.act = COMMIT, .vmo = vmo, .offset = 0, .len = 4 * PAGE};
	struct client joined = {.act = VMO_READ, .vmo = vmo, .offset = 0, .len = 8},
		      far = {.act = VMO_READ, .vmo = vmo, .offset = 9 * PAGE, .len = 8};
	sys_cap_t one = client_start(&whole), two = client_start(&joined), three = client_start(&far);

	expect(0, 4, 0);
	expect(9 * PAGE, 1, 0);
	OKAY(sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 20 * PAGE, PAGE, SYS_ERR_IO));
	EQ(thread_info(one).state, SYS_THREAD_WAITING);
	OKAY(sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 0, PAGE, SYS_ERR_NO_SPACE));
	EQ(until_exited(one), SYS_ERR_NO_SPACE);
	EQ(until_exited(two), SYS_ERR_NO_SPACE);
	EQ(thread_info(three).state, SYS_THREAD_WAITING);
	supply(9, 1, 1);
	EQ(until_exited(three), SYS_OK);
}

TEST("pager_op_range:OK FAIL of a later part: the reader gets what came before, then asks again (FAIL-05)")
{
	pager_begin();
	struct client client = {.act = COMMIT, .vmo = vmo, .offset = 0, .len = 4 * PAGE};
	sys_cap_t thread = client_start(&client);

	expect(0, 4, 0);
	OKAY(sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 2 * PAGE, 2 * PAGE, SYS_ERR_IO));
	supply(0, 2, 1);
	until_waiting(thread);
	expect(2 * PAGE, 2, 0);
	supply(2, 2, 1);
	EQ(until_exited(thread), SYS_OK);
}

TEST("pager_op_range:INVALID_ARGS other codes, parts of pages, others' VMOs (POP-02, POP-03, POP-06)")
{
	sys_cap_t plain = new_vmo(4 * PAGE), other = new_pager(NULL);

	pager_begin();
	static const int64_t codes[] = {SYS_OK, 1, SYS_ERR_NO_MEMORY, SYS_ERR_TIMED_OUT, SYS_ERR_INTERRUPTED, -1000,
		INT64_MIN, (1ll << 32) + SYS_ERR_IO, (int64_t)(uint32_t)SYS_ERR_IO};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 0, PAGE, codes[i]));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 1, PAGE, SYS_ERR_IO));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 0, 77, SYS_ERR_IO));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, plain, 0, PAGE, SYS_ERR_IO));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_pager_op_range(other, SYS_PAGER_OP_FAIL, vmo, 0, PAGE, SYS_ERR_IO));
}

TEST("pager_op_range:OUT_OF_RANGE pager_op_range:NOT_SUPPORTED past the end; ops that are none or later "
     "(POP-01, POP-02, POP-08)")
{
	pager_begin();
	REFUSED(SYS_ERR_OUT_OF_RANGE,
		sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, PAGES * PAGE, PAGE, SYS_ERR_IO));
	REFUSED(SYS_ERR_OUT_OF_RANGE, sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, PAGE, -PAGE, SYS_ERR_IO));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_pager_op_range(pager, (enum sys_pager_op)99, vmo, 0, PAGE, 0));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_pager_op_range(pager, SYS_PAGER_OP_DIRTY, vmo, 0, PAGE, 0));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_pager_op_range(pager, SYS_PAGER_OP_WRITEBACK_BEGIN, vmo, 0, PAGE, 0));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_pager_op_range(pager, SYS_PAGER_OP_WRITEBACK_END, vmo, 0, PAGE, 0));
}

TEST("pager_supply_pages:BAD_STATE pager_op_range:BAD_STATE the pager's endpoint has ended")
{
	sys_cap_t aux = new_vmo(PAGE);
	uint64_t fresh;

	pager_begin();
	supply(0, 1, 1);
	OKAY(sys_cap_delete(ep));
	REFUSED(SYS_ERR_BAD_STATE, sys_pager_supply_pages(pager, vmo, PAGE, PAGE, aux, 0, &fresh));
	REFUSED(SYS_ERR_BAD_STATE, sys_pager_op_range(pager, SYS_PAGER_OP_FAIL, vmo, 0, PAGE, SYS_ERR_IO));
	EQ(get(vmo, 0), 1);
}
