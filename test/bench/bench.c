/* SPDX-License-Identifier: BSD-2-Clause */
/* bench.c: what the operations that everything rests on cost, in executed instructions: under instruction counting the
 * time stamp counter advances one per instruction, so an operation is what lies between two readings less what two
 * readings cost. Uses public libsys only. The rows and what they mean are those of test/bench/peers.txt; a line is
 *
 *     bench ID MEDIAN MINIMUM ROUNDS
 *
 * Where a row says `other`, the other side is a process of its own: this program again, with the name of a part as
 * argument. */
#include <libsys/libsys.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE ((uint64_t)SYS_PAGE_SIZE)
#define RW (SYS_VM_PERM_READ | SYS_VM_PERM_WRITE)
enum { ROUNDS = 240, WARM = 16, ITEMS_MAX = 256, SIDE_ACCOUNT = 16 << 20, PAGER_KEY = 1 };

static uint64_t sample[ROUNDS];
static uint64_t reading;                        /* what two readings of the counter cost by themselves */

static inline uint64_t counter(void)
{
	uint32_t low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return low | (uint64_t)high << 32;
}

static void must(sys_status_t status, const char *what)
{
	if (status == SYS_OK)
		return;
	printf("bench: %s: %s\n", what, sys_status_string(status));
	exit(EXIT_FAILURE);
}
#define MUST(CALL) must((CALL), #CALL)

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static void report(const char *id, unsigned rounds)
{
	qsort(sample, rounds, sizeof(sample[0]), ascending);
	printf("bench %s %lu %lu %u\n", id, (unsigned long)sample[rounds / 2], (unsigned long)sample[0], rounds);
}

/* Measures `rounds` of `op(argument, round)` after WARM that are not counted. */
static void measure(const char *id, void (*op)(void *, unsigned), void *argument, unsigned rounds)
{
	for (unsigned i = 0; i < WARM + rounds; i++) {
		uint64_t begin = counter();
		op(argument, i);
		uint64_t end = counter();
		if (i >= WARM)
			sample[i - WARM] = end - begin - reading;
	}
	if (id != NULL)
		report(id, rounds);
}

static void nothing(void *argument, unsigned round)
{
	(void)argument, (void)round;
	__asm__ volatile("" ::: "memory");
}

static void calibrate(void)
{
	measure(NULL, nothing, NULL, ROUNDS);
	qsort(sample, ROUNDS, sizeof(sample[0]), ascending);
	reading = sample[0];
}

/* ---- the other side ---- */

static sys_startup_item_t items[ITEMS_MAX];

static sys_cap_t find(const char *name)
{
	size_t count = sys_startup(items, ITEMS_MAX);

	for (size_t i = 0; i < count && i < ITEMS_MAX; i++)
		if (strcmp(items[i].name, name) == 0)
			return items[i].vmo;
	printf("bench: nothing named %s was passed\n", name);
	exit(EXIT_FAILURE);
}

static void start_side(
	const char *self, const char *part, const sys_startup_item_t *given, size_t count, sys_process_t *process)
{
	char *const argv[] = {(char *)(uintptr_t)self, (char *)(uintptr_t)part};
	sys_thread_info_t own;
	sys_cap_t elf;

	MUST(sys_cap_copy(find(self), SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &elf));
	MUST(sys_vmo_replace_as_executable(elf, SYS_CAP_RESOURCE, &elf));
	MUST(sys_thread_info(SYS_CAP_THREAD, &own));
	sys_spawn_args_t args = {
		.elf = elf,
		.ut = SYS_CAP_UNTYPED,
		.account = SIDE_ACCOUNT,
		.argc = 2,
		.argv = argv,
		.items = count,
		.item = given,
		.console = SYS_CAP_CONSOLE,
		.priority = own.priority,
	};
	MUST(sys_spawn(&args, process));
	MUST(sys_cap_delete(elf));
}

static int side_echo(void)
{
	sys_cap_t ep = find("ep"), reply;
	sys_msg_t msg = {0};

	MUST(sys_reply_create(SYS_CAP_UNTYPED, &reply));
	sys_status_t status = sys_ipc_recv(ep, reply, &msg, NULL, SYS_TIME_INFINITE);
	while (status == SYS_OK)
		status = sys_ipc_reply_recv(reply, &msg, ep, NULL, SYS_TIME_INFINITE);
	return EXIT_FAILURE;
}

/* Answers each request with pages of its own that were there before. */
static _Noreturn void side_pager(void)
{
	sys_cap_t ep = find("ep"), pager = find("pager"), vmo = find("vmo"), aux;
	sys_msg_t msg = {0};
	uint64_t size, next = 0, fresh;

	MUST(sys_vmo_get_size(vmo, &size));
	MUST(sys_vmo_create(SYS_CAP_UNTYPED, size, 0, &aux));
	MUST(sys_vmo_op_range(aux, SYS_VMO_OP_COMMIT, 0, size, NULL, 0));
	for (;;) {
		MUST(sys_ipc_recv(ep, SYS_CAP_NULL, &msg, NULL, SYS_TIME_INFINITE));
		MUST(sys_pager_supply_pages(pager, vmo, msg.word[1], msg.word[2], aux, next, &fresh));
		next += msg.word[2];
	}
}

/* ---- the rows ---- */

static void op_cap_info(void *argument, unsigned round)
{
	sys_cap_info_t info;
	(void)round;
	MUST(sys_cap_info(*(const sys_cap_t *)argument, &info));
}

static void bench_syscall(void)
{
	sys_cap_t ep;

	MUST(sys_endpoint_create(SYS_CAP_UNTYPED, &ep));
	measure("syscall_null", op_cap_info, &ep, ROUNDS);
	MUST(sys_cap_delete(ep));
}

static void op_call(void *argument, unsigned round)
{
	static sys_msg_t msg;
	(void)round;
	MUST(sys_ipc_call(*(const sys_cap_t *)argument, &msg, SYS_TIME_INFINITE));
}

static void bench_ipc(const char *self)
{
	sys_startup_item_t given = {"ep", SYS_CAP_NULL, 0};
	sys_process_t side;

	MUST(sys_endpoint_create(SYS_CAP_UNTYPED, &given.vmo));
	start_side(self, "echo", &given, 1, &side);
	measure("ipc_0w_other", op_call, &given.vmo, ROUNDS);
	MUST(sys_process_end(&side));
	MUST(sys_cap_delete(given.vmo));
}

static void op_write_page(void *argument, unsigned round)
{
	*(volatile uint64_t *)((char *)argument + round * PAGE) = round + 1;
}

static void op_read_page(void *argument, unsigned round)
{
	(void)*(volatile uint64_t *)((char *)argument + round * PAGE);
}

static sys_vaddr_t map(sys_cap_t vmo, uint64_t size)
{
	sys_vaddr_t at;
	MUST(sys_vmar_map(SYS_CAP_VMAR, RW, 0, vmo, 0, size, &at));
	return at;
}

/* First writes to anonymous pages, one after the other; then, after a snapshot, the copies: all below one leaf, which
 * the first (uncounted) one has copied. */
static void bench_faults(void)
{
	const uint64_t size = (WARM + ROUNDS) * PAGE;
	sys_cap_t vmo, child;

	MUST(sys_vmo_create(SYS_CAP_UNTYPED, size, 0, &vmo));
	sys_vaddr_t at = map(vmo, size);
	measure("fault_zero_write", op_write_page, (void *)at, ROUNDS);
	MUST(sys_vmo_create_child(vmo, SYS_CAP_UNTYPED, SYS_VMO_CHILD_SNAPSHOT, 0, size, &child));
	measure("fault_cow_write", op_write_page, (void *)at, ROUNDS);
	MUST(sys_vmar_unmap(SYS_CAP_VMAR, at, size));
	MUST(sys_cap_delete(child));
	MUST(sys_cap_delete(vmo));
}

static void bench_pager(const char *self)
{
	const uint64_t size = (WARM + ROUNDS) * PAGE;
	sys_cap_t ep, pager, vmo;
	sys_process_t side;

	MUST(sys_endpoint_create(SYS_CAP_UNTYPED, &ep));
	MUST(sys_pager_create(SYS_CAP_UNTYPED, ep, 0, &pager));
	MUST(sys_pager_create_vmo(pager, SYS_CAP_UNTYPED, 0, PAGER_KEY, size, &vmo));
	const sys_startup_item_t given[] = {{"ep", ep, 0}, {"pager", pager, 0}, {"vmo", vmo, 0}};
	start_side(self, "pager", given, 3, &side);
	sys_vaddr_t at = map(vmo, size);
	measure("pager_read_other", op_read_page, (void *)at, ROUNDS);
	MUST(sys_vmar_unmap(SYS_CAP_VMAR, at, size));
	MUST(sys_process_end(&side));
	MUST(sys_cap_delete(vmo));
	MUST(sys_cap_delete(pager));
	MUST(sys_cap_delete(ep));
}

static int side(const char *part)
{
	if (strcmp(part, "pager") == 0)
		side_pager();
	return strcmp(part, "echo") == 0 ? side_echo() : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return side(argv[1]);
	calibrate();
	bench_syscall();
	bench_ipc(argv[0]);
	bench_faults();
	bench_pager(argv[0]);
	return EXIT_SUCCESS;
}
