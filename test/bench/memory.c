/* SPDX-License-Identifier: BSD-2-Clause */
/* memory.c: faults that the kernel resolves by itself, and those that a pager in another address space resolves. */
#include "common/bench.h"

enum { PAGER_KEY = 1 };

static const uint64_t size = (WARM + ROUNDS) * PAGE;

/* Answers each request with pages of its own that were there before. */
static void side_pager(void)
{
	sys_cap_t ep = side_find("ep"), pager = side_find("pager"), vmo = side_find("vmo"), aux;
	sys_msg_t msg = {0};
	uint64_t next = 0, fresh;

	MUST(sys_vmo_create(SYS_CAP_UNTYPED, size, 0, &aux));
	MUST(sys_vmo_op_range(aux, SYS_VMO_OP_COMMIT, 0, size, NULL, 0));
	for (;;) {
		MUST(sys_ipc_recv(ep, SYS_CAP_NULL, &msg, NULL, SYS_TIME_INFINITE));
		MUST(sys_pager_supply_pages(pager, vmo, msg.word[1], msg.word[2], aux, next, &fresh));
		next += msg.word[2];
	}
}

const struct bench_side bench_sides[] = {{"pager", side_pager}, {NULL, NULL}};

static void run_write_page(void *argument, unsigned round)
{
	*(volatile uint64_t *)((char *)argument + round * PAGE) = round + 1;
}

static void run_read_page(void *argument, unsigned round)
{
	(void)*(volatile uint64_t *)((char *)argument + round * PAGE);
}

static void *map(sys_cap_t vmo)
{
	sys_vaddr_t at;
	MUST(sys_vmar_map(SYS_CAP_VMAR, RW, 0, vmo, 0, size, &at));
	return (void *)at;
}

static void unmap(void *at)
{
	MUST(sys_vmar_unmap(SYS_CAP_VMAR, (sys_vaddr_t)at, size));
}

/* First reads of anonymous pages, then first writes to others, one after the other; then, after a snapshot, the copies: all below
 * one leaf, which the first (uncounted) one has copied; then, after a snapshot that has ended again, writes where nothing is copied. */
static void bench_faults(void)
{
	sys_cap_t vmo, child;

	MUST(sys_vmo_create(SYS_CAP_UNTYPED, size, 0, &vmo));
	void *at = map(vmo);
	measure(&(struct operation){.id = "fault_zero_read", .run = run_read_page, .argument = at});
	unmap(at);
	at = map(vmo);
	measure(&(struct operation){.id = "fault_zero_write", .run = run_write_page, .argument = at});
	MUST(sys_vmo_create_child(vmo, SYS_CAP_UNTYPED, SYS_VMO_CHILD_SNAPSHOT, 0, size, &child));
	measure(&(struct operation){.id = "fault_cow_write", .run = run_write_page, .argument = at});
	MUST(sys_cap_delete(child));
	MUST(sys_vmo_create_child(vmo, SYS_CAP_UNTYPED, SYS_VMO_CHILD_SNAPSHOT, 0, size, &child));
	MUST(sys_cap_delete(child));
	measure(&(struct operation){.id = "fault_cow_last", .run = run_write_page, .argument = at});
	unmap(at);
	MUST(sys_cap_delete(vmo));
}

/* Reads of sixteen pages in a row that are there and shared with a snapshot, by page. */
static void bench_resident(void)
{
	enum { TIMES = (WARM + ROUNDS) / 16 };
	static uint64_t count[TIMES];
	sys_cap_t vmo, child;

	MUST(sys_vmo_create(SYS_CAP_UNTYPED, size, 0, &vmo));
	MUST(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, size, NULL, 0));
	MUST(sys_vmo_create_child(vmo, SYS_CAP_UNTYPED, SYS_VMO_CHILD_SNAPSHOT, 0, size, &child));
	void *at = map(vmo);
	for (unsigned i = 0; i < TIMES; i++) {
		uint64_t begin = counter();
		for (unsigned page = 0; page < 16; page++)
			run_read_page(at, i * 16 + page);
		count[i] = (counter() - begin - reading) / 16;
	}
	report("fault_minor_read_16", count, TIMES, 0);
	unmap(at);
	MUST(sys_cap_delete(child));
	MUST(sys_cap_delete(vmo));
}

static void bench_pager(void)
{
	sys_cap_t ep, pager, vmo;
	sys_process_t process;

	MUST(sys_endpoint_create(SYS_CAP_UNTYPED, &ep));
	MUST(sys_pager_create(SYS_CAP_UNTYPED, ep, 0, &pager));
	MUST(sys_pager_create_vmo(pager, SYS_CAP_UNTYPED, 0, PAGER_KEY, size, &vmo));
	const sys_startup_item_t given[] = {{"ep", ep, 0}, {"pager", pager, 0}, {"vmo", vmo, 0}};
	side_start("pager", given, 3, &process);
	void *at = map(vmo);
	measure(&(struct operation){.id = "pager_read_other", .run = run_read_page, .argument = at});
	unmap(at);
	MUST(sys_process_end(&process));
	MUST(sys_cap_delete(vmo));
	MUST(sys_cap_delete(pager));
	MUST(sys_cap_delete(ep));
}

void bench_rows(void)
{
	bench_faults();
	bench_resident();
	bench_pager();
}
