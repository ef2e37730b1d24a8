/* SPDX-License-Identifier: BSD-2-Clause */
/* untyped.c: accounts: what they promise, what they refuse, and that every maker of objects answers to its account:
 * NO_MEMORY when it is full, NO_SLOT when there is no place for the name, BAD_STATE while the account is being swept.
 */
#include "common/helper.h"

#include <string.h>

enum { SMALL_FRAMES = 24, MANY = 4000 };

TEST("untyped_create:OK is promised by the parent and given back")
{
	sys_untyped_info_t before = account(ut);
	sys_cap_t child = new_untyped(100 * PAGE);
	sys_untyped_info_t with = account(ut), of_child = account(child);

	EQ(with.promised, before.promised + 100 * PAGE);
	EQ(of_child.total, 100 * PAGE);
	EQ(of_child.used, 0);
	EQ(of_child.promised, 0);
	OKAY(sys_cap_delete(child));
	EQ(account(ut).promised, before.promised);
	EQ(account(ut).used, before.used);
}

TEST("untyped_create:OK grandchildren, and the middle one's end takes them along")
{
	sys_cap_t child = new_untyped(100 * PAGE), grandchild, vmo;
	uint64_t before = used(ut);

	OKAY(sys_untyped_create(child, 50 * PAGE, &grandchild));
	OKAY(sys_vmo_create(grandchild, 8 * PAGE, 0, &vmo));
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, 8 * PAGE, NULL, 0));
	CHECK(account(grandchild).used >= 8 * PAGE);
	EQ(account(child).promised, 50 * PAGE);
	OKAY(sys_cap_delete(child));
	CHECK(cap_is_gone(grandchild) && cap_is_gone(vmo));
	EQ(account(ut).promised, 0);
	CHECK(used(ut) <= before);
}

TEST("cap_delete:OK an account's last capability ends what any of them made")
{
	for (int order = 0; order < 3; order++) {
		sys_untyped_info_t before = account(ut);
		sys_cap_t first = new_untyped(100 * PAGE), copy, deep, node, x, one, two, inner;

		OKAY(sys_cap_copy(first, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &copy));
		OKAY(sys_cap_copy(copy, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &deep));
		OKAY(sys_endpoint_create(first, &one));
		OKAY(sys_endpoint_create(copy, &two));
		OKAY(sys_untyped_create(first, 10 * PAGE, &inner));
		OKAY(sys_cap_delete(order == 0 ? first : copy));
		OKAY(sys_cap_delete(order == 0 ? copy : first));
		CHECK(!cap_is_gone(one) && !cap_is_gone(two) && !cap_is_gone(inner));
		if (order == 2) {                                       /* with a CNode that ends */
			OKAY(sys_cnode_create(ut, 16, &node));
			OKAY(sys_cap_move(deep, node, 1, &x));
			OKAY(sys_cap_delete(node));
		} else {
			OKAY(sys_cap_delete(deep));
		}
		CHECK(cap_is_gone(one) && cap_is_gone(two) && cap_is_gone(inner));
		EQ(account(ut).promised, before.promised);
		CHECK(account(ut).used <= before.used);
	}
}

TEST("untyped_create:NO_MEMORY more than is free, also after a part is used")
{
	sys_untyped_info_t info = account(ut);
	sys_cap_t out = 99, child = new_untyped(64 * PAGE), vmo;

	REFUSED(SYS_ERR_NO_MEMORY, sys_untyped_create(ut, info.total + PAGE, &out));
	REFUSED(SYS_ERR_NO_MEMORY, sys_untyped_create(ut, 1ull << 60, &out));
	REFUSED(SYS_ERR_NO_MEMORY, sys_untyped_create(child, 65 * PAGE, &out));
	vmo = new_vmo_in(child, 16 * PAGE);
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, 16 * PAGE, NULL, 0));
	REFUSED(SYS_ERR_NO_MEMORY, sys_untyped_create(child, 64 * PAGE, &out));
	REFUSED(SYS_ERR_NO_MEMORY, sys_untyped_create(child, 48 * PAGE, &out));
	EQ(out, 99);
	OKAY(sys_untyped_create(child, 32 * PAGE, &out));
}

TEST("untyped_create:INVALID_ARGS no bytes")
{
	sys_cap_t out = 99;
	REFUSED(SYS_ERR_INVALID_ARGS, sys_untyped_create(ut, 0, &out));
	EQ(out, 99);
}

TEST("untyped_info:OK used, promised, peak")
{
	sys_cap_t child = new_untyped(64 * PAGE);
	sys_cap_t vmo = new_vmo_in(child, 20 * PAGE);

	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, 20 * PAGE, NULL, 0));
	sys_untyped_info_t full = account(child);
	CHECK(full.used >= 20 * PAGE && full.used % PAGE == 0);
	OKAY(sys_cap_delete(vmo));
	sys_untyped_info_t empty = account(child);
	EQ(empty.used, 0);
	CHECK(empty.peak >= full.used);
	EQ(empty.total, 64 * PAGE);
	EQ(empty.reclaimable, 0);
}

/* ---- resizing ---- */

static void fill(sys_cap_t vmo, uint64_t pages)
{
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, pages * PAGE, NULL, 0));
}

TEST("untyped_resize:OK grows and shrinks, and the parent promises just that")
{
	sys_cap_t child = new_untyped(64 * PAGE), vmo = new_vmo_in(child, 128 * PAGE);
	sys_untyped_info_t before = account(ut);

	for (uint64_t frames = 64; frames <= 512; frames += 64) {
		OKAY(sys_untyped_resize(ut, child, frames * PAGE));
		EQ(account(child).total, frames * PAGE);
		EQ(account(ut).promised, before.promised + (frames - 64) * PAGE);
	}
	fill(vmo, 100);
	OKAY(sys_untyped_resize(ut, child, account(child).used));
	STATUS(SYS_ERR_NO_MEMORY, sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 100 * PAGE, PAGE, NULL, 0));
	OKAY(sys_untyped_resize(ut, child, account(child).used + PAGE));
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 100 * PAGE, PAGE, NULL, 0));
	STATUS(SYS_ERR_NO_MEMORY, sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 101 * PAGE, PAGE, NULL, 0));
	OKAY(sys_cap_delete(child));
	EQ(account(ut).promised, before.promised - 64 * PAGE);
}

TEST("untyped_resize:BAD_STATE below what it uses and has promised, to the frame")
{
	sys_cap_t child = new_untyped(64 * PAGE), vmo = new_vmo_in(child, 20 * PAGE), grandchild;

	fill(vmo, 20);
	OKAY(sys_untyped_create(child, 30 * PAGE, &grandchild));
	sys_untyped_info_t info = account(child);
	EQ(info.promised, 30 * PAGE);
	REFUSED(SYS_ERR_BAD_STATE, sys_untyped_resize(ut, child, info.used + info.promised - PAGE));
	REFUSED(SYS_ERR_BAD_STATE, sys_untyped_resize(ut, child, PAGE));
	EQ(account(child).total, 64 * PAGE);
	OKAY(sys_untyped_resize(ut, child, info.used + info.promised));
	OKAY(sys_untyped_resize(child, grandchild, PAGE));
	OKAY(sys_untyped_resize(ut, child, info.used + PAGE));
}

TEST("untyped_resize:NO_MEMORY beyond what the parent has free, to the frame")
{
	sys_cap_t child = new_untyped(64 * PAGE), grandchild;

	OKAY(sys_untyped_create(child, PAGE, &grandchild));
	sys_untyped_info_t info = account(child);
	uint64_t most = info.total - info.used;
	REFUSED(SYS_ERR_NO_MEMORY, sys_untyped_resize(child, grandchild, most + PAGE));
	REFUSED(SYS_ERR_NO_MEMORY, sys_untyped_resize(child, grandchild, -PAGE));
	EQ(account(grandchild).total, PAGE);
	OKAY(sys_untyped_resize(child, grandchild, most));
	EQ(account(child).used + account(child).promised, account(child).total);
}

TEST("untyped_resize:INVALID_ARGS no whole pages, none at all, another's child")
{
	sys_cap_t child = new_untyped(64 * PAGE), other = new_untyped(64 * PAGE), grandchild;

	OKAY(sys_untyped_create(child, PAGE, &grandchild));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_untyped_resize(ut, child, 0));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_untyped_resize(ut, child, 64 * PAGE + 1));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_untyped_resize(ut, child, 63));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_untyped_resize(ut, grandchild, 2 * PAGE));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_untyped_resize(other, child, 2 * PAGE));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_untyped_resize(child, child, 2 * PAGE));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_untyped_resize(grandchild, child, 2 * PAGE));
	EQ(account(child).total, 64 * PAGE);
}

TEST("untyped_resize:OK shrinks over what has just been deleted")
{
	sys_cap_t child = new_untyped(600 * PAGE), vmo = new_vmo_in(child, 512 * PAGE);

	fill(vmo, 512);
	OKAY(sys_cap_delete(vmo));
	OKAY(sys_untyped_resize(ut, child, PAGE));
	EQ(account(child).used, 0);
	EQ(account(child).total, PAGE);
}

TEST("an account is filled to the frame, and what is freed can be had again")
{
	sys_cap_t child = new_untyped(64 * PAGE), vmo = new_vmo_in(child, 128 * PAGE);
	uint64_t committed[2] = {0, 0};

	for (int round = 0; round < 2; round++) {
		while (sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, committed[round], PAGE, NULL, 0) == SYS_OK)
			committed[round] += PAGE;
		EQ(account(child).used, 64 * PAGE);
		STATUS(SYS_ERR_NO_MEMORY, sys_vmo_write(vmo, "x", committed[round], 1));
		OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, 0, 128 * PAGE, NULL, 0));
	}
	EQ(committed[0], committed[1]);
	CHECK(committed[0] >= 56 * PAGE);
}

/* ---- everything that is made from an account ---- */

struct maker {
	const char *call;
	sys_status_t (*make)(sys_cap_t from, sys_cap_t *out);
	bool no_account;                /* the account is not asked for memory, or is asked for much at once */
};
static sys_cap_t some_vmo, some_pager, some_endpoint, some_region;

#define MAKER(NAME, ...) \
	static sys_status_t make_##NAME(sys_cap_t from, sys_cap_t *out) \
	{ \
		(void)from; \
		return sys_##NAME(__VA_ARGS__); \
	}
MAKER(cnode_create, from, 16, out)
MAKER(untyped_create, from, PAGE, out)
MAKER(endpoint_create, from, out)
MAKER(notification_create, from, out)
MAKER(reply_create, from, out)
MAKER(vspace_create, from, SYS_CAP_NULL, 0, out)
MAKER(thread_create, from, SYS_CAP_CNODE, SYS_CAP_VMAR, SYS_CAP_NULL, out)
MAKER(vmo_create, from, PAGE, 0, out)
MAKER(vmo_create_contiguous, from, PAGE, 0, out)
MAKER(vmo_create_child, some_vmo, from, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE, out)
MAKER(pager_create, from, some_endpoint, 0, out)
MAKER(pager_create_vmo, some_pager, from, 0, 0, PAGE, out)

static sys_status_t make_vmar_allocate(sys_cap_t from, sys_cap_t *out)
{
	sys_vaddr_t at;
	(void)from;
	return sys_vmar_allocate(some_region, 0, 0, PAGE, out, &at);
}

static const struct maker makers[] = {
	{"cnode_create", make_cnode_create, false}, {"untyped_create", make_untyped_create, false},
	{"endpoint_create", make_endpoint_create, false}, {"notification_create", make_notification_create, false},
	{"reply_create", make_reply_create, false}, {"vspace_create", make_vspace_create, false},
	{"thread_create", make_thread_create, false}, {"vmo_create", make_vmo_create, false},
	{"vmo_create_contiguous", make_vmo_create_contiguous, false}, {"vmo_create_child", make_vmo_create_child, false},
	{"pager_create", make_pager_create, false}, {"pager_create_vmo", make_pager_create_vmo, false}, {"vmar_allocate", make_vmar_allocate, true},
};
enum { MAKERS = sizeof(makers) / sizeof(makers[0]) };

static void prepare_makers(void)
{
	some_vmo = new_vmo(PAGE);
	put(some_vmo, 0, 1);
	some_pager = new_pager(&some_endpoint);
	some_region = new_vspace();
}

static void success(int index)
{
	sys_cap_t small = new_untyped(SMALL_FRAMES * 8 * PAGE), out;

	prepare_makers();
	OKAY(makers[index].make(small, &out));
	CHECK(!cap_is_gone(out));
	CHECK(account(small).used + account(small).promised > 0 || makers[index].no_account);
	OKAY(sys_cap_delete(out));
	EQ(account(small).used, 0);
}

/* The program's CSpace is too small to fill an account with some of these one by one: they go to a CNode. */
static void no_memory(int index)
{
	sys_cap_t small = new_untyped(SMALL_FRAMES * PAGE), keep = new_cnode(4096), out = 99, kept;
	sys_status_t status = SYS_OK;

	prepare_makers();
	for (int i = 0; i < MANY && status == SYS_OK; i++) {
		status = makers[index].make(small, &out);
		if (status == SYS_OK)
			OKAY(sys_cap_move(out, keep, SYS_SLOT_ANY, &kept));
	}
	STATUS(SYS_ERR_NO_MEMORY, status);
	sys_untyped_info_t full = account(small);
	out = 99;
	REFUSED(SYS_ERR_NO_MEMORY, makers[index].make(small, &out));
	EQ(out, 99);
	EQ(account(small).used, full.used);
	OKAY(sys_cap_revoke(small));
	EQ(account(small).used, 0);
	EQ(account(small).promised, 0);
	OKAY(makers[index].make(new_untyped(SMALL_FRAMES * 8 * PAGE), &out));
}

static void no_slot(int index)
{
	sys_cap_t small = new_untyped(SMALL_FRAMES * 8 * PAGE), out = 99;

	prepare_makers();
	fill_slots();
	REFUSED(SYS_ERR_NO_SLOT, makers[index].make(small, &out));
	EQ(out, 99);
	EQ(account(small).used, 0);
	EQ(account(small).promised, 0);
}

/* A thread that wakes again and again while the account is being swept finds it closed. It runs above us, and gives up
 * when it has seen the refusal. */
struct watcher { sys_cap_t account, ntfn; int maker; uint32_t priority; volatile bool stop, seen; };

static int64_t watch(void *arg)
{
	struct watcher *watcher = arg;
	sys_cap_t out;
	uint64_t bits;

	while (!watcher->stop) {
		sys_status_t status = makers[watcher->maker].make(watcher->account, &out);
		if (status == SYS_OK)
			sys_cap_delete(out);
		watcher->seen = watcher->seen || status == SYS_ERR_BAD_STATE;
		sys_notification_wait(watcher->ntfn, &bits, sys_clock_get() + 50000);
	}
	return sys_thread_set_priority(SYS_CAP_THREAD, watcher->priority);
}

static void bad_state(int index)
{
	sys_cap_t small = new_untyped(256 * PAGE), first, copy;
	uint32_t priority = own_priority();
	struct watcher watcher = {.account = small, .ntfn = new_notification(), .maker = index, .priority = priority};

	one_cpu();
	prepare_makers();
	sys_cap_t thread = helper_prepare(watch, &watcher, SYS_CAP_NULL, priority);
	OKAY(sys_thread_set_priority(SYS_CAP_THREAD, priority - 1));
	for (int round = 0; round < 20 && !watcher.seen; round++) {
		OKAY(sys_endpoint_create(small, &first));
		while (sys_cap_copy(first, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &copy) == SYS_OK)
			;
		OKAY(sys_cap_delete(copy));
		OKAY(sys_cap_delete(first));
		if (round == 0)
			helper_go(thread);
		OKAY(sys_cap_revoke(small));
	}
	watcher.stop = true;
	OKAY(sys_notification_signal(watcher.ntfn, 1));
	EQ(until_exited(thread), SYS_OK);
	OKAY(sys_cap_delete(thread));
	CHECK(watcher.seen);
	EQ(own_priority(), priority);
}

void guest_tables(void)
{
	static const struct {
		const char *what;
		void (*run)(int);
		bool account;
	} cases[] = {
		{":OK makes and gives back", success, false},
		{":NO_MEMORY a full account", no_memory, true},
		{":NO_SLOT a full CSpace", no_slot, false},
		{":BAD_STATE an account that is being swept", bad_state, true},
	};
	char name[96];

	for (int maker = 0; maker < MAKERS; maker++)
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			if (cases[i].account && makers[maker].no_account)
				continue;
			strcpy(name, makers[maker].call);
			strcat(name, cases[i].what);
			guest_add(name, cases[i].run, maker);
		}
}
