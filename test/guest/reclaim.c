/* SPDX-License-Identifier: BSD-2-Clause */
/* reclaim.c: what an account gives up before a charge fails: pages of zeros, unlocked discardable VMOs, clean pages of roots. Each
 * test has an account that is smaller than what it puts there. */
#include "common/client.h"
#include "common/content.h"

static sys_cap_t small;

static uint64_t reclaimable(void)
{
	sys_untyped_info_t info;

	OKAY(sys_untyped_info(small, &info));
	return info.reclaimable;
}

static void root_in_small(uint64_t pages)
{
	small = new_untyped(pages * PAGE);
	pager = new_pager(&ep);
	OKAY(sys_pager_create_vmo(pager, small, 0, KEY, PAGES * PAGE, &vmo));
}

/* Writes pages of new VMOs in the account until it is full; how many. */
static uint64_t fill(uint64_t first_word)
{
	sys_cap_t filler = new_vmo_in(small, 64 * PAGE);
	uint64_t n = 0;

	while (n < 64 && sys_vmo_write(filler, &first_word, n * PAGE, 8) == SYS_OK)
		n++;
	return n;
}

TEST("vmo_write:OK pages of zeros go when the account is short, others stay; each is looked at once (EVICT-10)")
{
	small = new_untyped(24 * PAGE);
	sys_cap_t zeros = new_vmo_in(small, 8 * PAGE), data = new_vmo_in(small, 4 * PAGE);
	uint64_t zero = 0;

	for (uint64_t i = 0; i < 8; i++)
		OKAY(sys_vmo_write(zeros, &zero, i * PAGE, 8));
	put(zeros, 3 * PAGE + 8, 7);
	for (uint64_t i = 0; i < 4; i++)
		put(data, i * PAGE, i + 1);
	EQ(committed_of(zeros), 8 * PAGE);
	CHECK(fill(9) > 8);
	EQ(committed_of(zeros), PAGE);
	EQ(get(zeros, 0), 0);
	EQ(get(zeros, 3 * PAGE + 8), 7);
	for (uint64_t i = 0; i < 4; i++)
		EQ(get(data, i * PAGE), i + 1);
}

TEST("vmo_op_range:UNAVAILABLE an unlocked discardable VMO goes whole, a locked one stays, LOCK tells (VMO-LOCK-06, VMO-LOCK-07, "
     "VMO-LOCK-11, EVICT-13)")
{
	small = new_untyped(40 * PAGE);
	sys_cap_t cache[2];
	sys_vmo_lock_state_t state;

	for (size_t i = 0; i < 2; i++) {
		OKAY(sys_vmo_create(small, 8 * PAGE, SYS_VMO_DISCARDABLE, &cache[i]));
		OKAY(sys_vmo_op_range(cache[i], SYS_VMO_OP_LOCK, 0, 8 * PAGE, &state, sizeof(state)));
		for (uint64_t p = 0; p < 8; p++)
			put(cache[i], p * PAGE, p + 1);
	}
	sys_vaddr_t mapped;
	OKAY(sys_vmar_map(SYS_CAP_VMAR, SYS_VM_PERM_READ | SYS_VM_ALLOW_FAULTS, 0, cache[0], 0, 8 * PAGE, &mapped));
	const volatile uint64_t *at = (void *)mapped;
	EQ(*at, 1);
	EQ(reclaimable(), 0);
	OKAY(range(cache[0], SYS_VMO_OP_UNLOCK, 0, 8 * PAGE));
	EQ(reclaimable(), 8 * PAGE);
	CHECK(fill(9) > 8);
	EQ(reclaimable(), 0);
	EQ(committed_of(cache[0]), 0);
	EQ(*at, 0);
	EQ(get(cache[1], 7 * PAGE), 8);
	REFUSED(SYS_ERR_UNAVAILABLE, range(cache[0], SYS_VMO_OP_TRY_LOCK, 0, 8 * PAGE));
	OKAY(sys_vmo_op_range(cache[0], SYS_VMO_OP_LOCK, 0, 8 * PAGE, &state, sizeof(state)));
	EQ(state.discarded_offset, 0);
	EQ(state.discarded_size, 8 * PAGE);
	OKAY(sys_vmo_op_range(cache[0], SYS_VMO_OP_LOCK, 0, 8 * PAGE, &state, sizeof(state)));
	EQ(state.discarded_size, 0);
	OKAY(sys_vmo_op_range(cache[1], SYS_VMO_OP_LOCK, 0, 8 * PAGE, &state, sizeof(state)));
	EQ(state.discarded_size, 0);
	OKAY(sys_vmar_unmap(SYS_CAP_VMAR, mapped, 8 * PAGE));
}

TEST("pager_supply_pages:OK clean pages go before a charge fails, and are asked for again; anonymous ones stay (EVICT-01, EVICT-02)")
{
	root_in_small(24);
	sys_cap_t data = new_vmo_in(small, 4 * PAGE);

	for (uint64_t i = 0; i < 4; i++)
		put(data, i * PAGE, i + 1);
	EQ(supply(0, 8, 100), 8 * PAGE);
	EQ(reclaimable(), 8 * PAGE);
	CHECK(fill(9) > 8);
	CHECK(committed() < 8 * PAGE);
	EQ(reclaimable(), committed());
	for (uint64_t i = 0; i < 4; i++)
		EQ(get(data, i * PAGE), i + 1);
	struct client client = {.act = READ_MAPPED, .at = map(vmo, PAGES * PAGE)};
	sys_cap_t thread = client_start(&client);
	expect(0, 1, SYS_ACCESS_READ);
	fail_range(0, 1, SYS_ERR_IO);
	until_exited(thread);
	unmap((void *)client.at, PAGES * PAGE);
}

TEST("vmo_write:OK pages of a root that were written to stay: by a call, through a mapping, through one that is gone (EVICT-03)")
{
	root_in_small(24);
	EQ(supply(0, 8, 100), 8 * PAGE);
	volatile uint64_t *gone = map(vmo, 8 * PAGE), *at;
	gone[PAGE / 8] = 201;
	unmap((void *)gone, 8 * PAGE);
	put(vmo, 2 * PAGE, 202);
	at = map(vmo, 8 * PAGE);
	at[3 * PAGE / 8] = 203;
	EQ(at[4 * PAGE / 8], 104);
	CHECK(fill(9) > 8);
	EQ(committed(), 3 * PAGE);
	for (uint64_t i = 1; i <= 3; i++)
		EQ(get(vmo, i * PAGE), 200 + i);
	EQ(at[3 * PAGE / 8], 203);
	unmap((void *)at, 8 * PAGE);
}

TEST("vmo_op_range:OK COMMIT of a root's pages leaves them clean, and what its clones write too: all of them go (VMO-COMMIT-08, "
     "CHILD-ALOW-04)")
{
	root_in_small(24);
	EQ(supply(0, 8, 100), 8 * PAGE);
	sys_cap_t clone = clone_of(vmo, 0, 8 * PAGE);
	volatile uint64_t *at = map(clone, 8 * PAGE), *shown = map(vmo, 8 * PAGE);

	OKAY(range(vmo, SYS_VMO_OP_COMMIT, 0, 8 * PAGE));
	put(clone, 2 * PAGE, 50);
	at[3 * PAGE / 8] = 51;
	OKAY(range(clone, SYS_VMO_OP_COMMIT, 4 * PAGE, PAGE));
	for (uint64_t i = 0; i < 8; i++)
		EQ(shown[i * 512], 100 + i);
	CHECK(fill(9) > 8);
	EQ(committed(), 0);
	EQ(get(clone, 2 * PAGE), 50);
	EQ(at[3 * PAGE / 8], 51);
	EQ(get(clone, 4 * PAGE), 104);
	unmap((void *)at, 8 * PAGE);
	unmap((void *)shown, 8 * PAGE);
}

TEST("vmo_op_range:OK ALWAYS_NEED guards pages, DONT_NEED has them go first (EVICT-04, EVICT-05)")
{
	root_in_small(24);
	EQ(supply(0, 8, 100), 8 * PAGE);
	OKAY(range(vmo, SYS_VMO_OP_ALWAYS_NEED, 0, 4 * PAGE));
	OKAY(range(vmo, SYS_VMO_OP_DONT_NEED, 6 * PAGE, PAGE));
	EQ(committed(), 8 * PAGE);
	sys_cap_t filler = new_vmo_in(small, 64 * PAGE);
	for (uint64_t n = 0; committed() == 8 * PAGE; n++)
		put(filler, n * PAGE, 1);
	EQ(get(vmo, 7 * PAGE), 107);
	EQ(get(vmo, 5 * PAGE), 105);
	fill(9);
	EQ(committed(), 4 * PAGE);
	for (uint64_t i = 0; i < 4; i++)
		EQ(get(vmo, i * PAGE), 100 + i);
}

/* Those of the root's first eight pages that are there, a bit for each. Looking is no access. */
static uint64_t present(void)
{
	uint64_t mask = 0, word;

	OKAY(sys_thread_set_page_timeout(SYS_CAP_THREAD, 0));
	for (uint64_t i = 0; i < 8; i++)
		mask |= (uint64_t)(sys_vmo_read(vmo, &word, i * PAGE, 8) == SYS_OK) << i;
	OKAY(sys_thread_set_page_timeout(SYS_CAP_THREAD, SYS_TIME_INFINITE));
	return mask;
}

TEST("vmo_op_range:OK DONT_NEED has pages go first that were accessed before, unless they are accessed again, by calls or through "
     "mappings (VMO-HINT-10)")
{
	root_in_small(32);
	EQ(supply(0, 8, 100), 8 * PAGE);
	sys_cap_t clone = clone_of(vmo, 0, 8 * PAGE), filler = new_vmo_in(small, 64 * PAGE);
	volatile uint64_t *at = map(vmo, 8 * PAGE), *through = map(clone, 8 * PAGE);

	for (uint64_t i = 0; i < 8; i++)
		EQ(at[i * 512] + through[i * 512], 2 * (100 + i));
	OKAY(range(vmo, SYS_VMO_OP_DONT_NEED, 2 * PAGE, 4 * PAGE));
	OKAY(range(clone, SYS_VMO_OP_DONT_NEED, 6 * PAGE, PAGE));
	EQ(at[3 * 512], 103);
	EQ(get(vmo, 4 * PAGE), 104);
	EQ(through[5 * 512], 105);
	for (uint64_t n = 0; committed() > 6 * PAGE; n++)
		put(filler, n * PAGE, 1);
	EQ(present(), 0xbb);
	unmap((void *)at, 8 * PAGE);
	unmap((void *)through, 8 * PAGE);
}

TEST("vmo_op_range:OK ALWAYS_NEED, also through a clone, keeps pages however full the account is, until DONT_NEED (VMO-HINT-09)")
{
	root_in_small(32);
	EQ(supply(0, 8, 100), 8 * PAGE);
	sys_cap_t clone = clone_of(vmo, 4 * PAGE, 4 * PAGE);

	OKAY(range(vmo, SYS_VMO_OP_ALWAYS_NEED, 0, 2 * PAGE));
	OKAY(range(clone, SYS_VMO_OP_ALWAYS_NEED, PAGE, 2 * PAGE));
	CHECK(fill(9) > 4);
	EQ(present(), 0x63);
	OKAY(range(vmo, SYS_VMO_OP_DONT_NEED, 5 * PAGE, PAGE));
	EQ(fill(9), 1);
	EQ(present(), 0x43);
}

TEST("vmo_op_range:OK PREFETCH and ALWAYS_NEED through a clone bring back what reclaim took, but for what the clone has forked "
     "(VMO-PREFETCH-05, VMO-HINT-06)")
{
	const enum sys_vmo_op ops[] = {SYS_VMO_OP_PREFETCH, SYS_VMO_OP_ALWAYS_NEED};

	for (unsigned i = 0; i < 2; i++) {
		root_in_small(32);
		EQ(supply(0, 8, 100), 8 * PAGE);
		sys_cap_t clone = clone_of(vmo, 0, 8 * PAGE);
		put(clone, 3 * PAGE, 50);
		OKAY(range(vmo, SYS_VMO_OP_ALWAYS_NEED, 0, PAGE));
		sys_cap_t filler = new_vmo_in(small, 64 * PAGE);
		for (uint64_t n = 0; committed() > PAGE; n++)
			put(filler, n * PAGE, 1);
		OKAY(sys_cap_delete(filler));
		struct client client = {.act = RANGE, .vmo = clone, .op = ops[i], .offset = 0, .len = 6 * PAGE};
		sys_cap_t thread = client_start(&client);
		expect(PAGE, 2, i ? SYS_ACCESS_READ : SYS_ACCESS_PREFETCH);
		supply(1, 2, 200);
		until_waiting(thread);
		expect(4 * PAGE, 2, i ? SYS_ACCESS_READ : SYS_ACCESS_PREFETCH);
		supply(4, 2, 200);
		EQ(until_exited(thread), SYS_OK);
		expect_none();
		EQ(present(), 0x37);
		EQ(get(clone, 3 * PAGE), 50);
		EQ(get(clone, 2 * PAGE), 202);
	}
}

TEST("vmo_read:OK what is read through a mapping stays longer than what is not (EVICT-07, EVICT-09)")
{
	root_in_small(24);
	EQ(supply(0, 8, 100), 8 * PAGE);
	sys_cap_t clone = clone_of(vmo, 0, 8 * PAGE), filler = new_vmo_in(small, 64 * PAGE);
	volatile uint64_t *at = map(clone, 8 * PAGE);

	for (uint64_t n = 0; committed() > 4 * PAGE; n++) {
		put(filler, n * PAGE, 1);
		EQ(*at, 100);
	}
	EQ(get(vmo, 0), 100);
	unmap((void *)at, 8 * PAGE);
}

TEST("pager_supply_pages:OK another account's pages never go")
{
	root_in_small(24);
	sys_cap_t mine = vmo, other = small;
	EQ(supply(0, 8, 100), 8 * PAGE);
	small = new_untyped(16 * PAGE);
	CHECK(fill(9) > 4);
	vmo = mine;
	EQ(committed(), 8 * PAGE);
	small = other;
	EQ(reclaimable(), 8 * PAGE);
}

struct reader { volatile uint64_t *at; uint64_t offset; volatile uint64_t read; };

/* Through a mapping, or (at: NULL) by calls. */
static int64_t reads_on(void *arg)
{
	struct reader *reader = arg;
	uint64_t word;
	sys_status_t status = SYS_OK;

	for (; status == SYS_OK; reader->read++) {
		if (reader->at)
			word = reader->at[reader->offset / 8];
		else
			status = sys_vmo_read(vmo, &word, reader->offset, 8);
		sys_thread_yield();
	}
	return status;
}

/* The pager runs before its readers do, and answers all that it is asked. */
TEST("pager_supply_pages:OK several who need different pages go on, in an account with room for one of them")
{
	enum { READERS = 4, SUPPLIES = 200, TURNS = 5 };
	struct reader reader[READERS];
	sys_pager_request_t request;
	sys_cap_t thread[READERS];
	size_t actual;

	one_cpu();
	root_in_small(16);
	OKAY(sys_untyped_resize(ut, small, used(small) + PAGE));
	volatile uint64_t *at = map(vmo, 8 * PAGE);
	for (unsigned i = 0; i < READERS; i++) {
		reader[i] = (struct reader){i % 2 ? NULL : at, i * PAGE, 0};
		thread[i] = helper_prepare(reads_on, &reader[i], SYS_CAP_NULL, own_priority() - 1);
		helper_go(thread[i]);
	}
	for (unsigned i = 0; i < SUPPLIES; i++) {
		OKAY(sys_pager_recv(pager, &request, 1, &actual, after(LIMIT)));
		supply(request.offset / PAGE, 1, 100);
	}
	for (unsigned i = 0; i < READERS; i++) {
		CHECK(reader[i].read >= TURNS);
		OKAY(sys_thread_kill(thread[i], 0));
	}
	unmap((void *)at, 8 * PAGE);
}
