/* SPDX-License-Identifier: BSD-2-Clause */
/* tree.c: the end of an account in the middle of everything. A tree of processes that uses all there is (common/grow.h)
 * is built up to a random point, and its account is revoked: every frame must be back, and what the parent lent must be
 * unharmed. The same while the tree is active, while it cannot get every frame that it wants, when the revoker dies, and
 * when the account holds its own capability. */
#include "common/grow.h"

#include <stdio.h>

enum { POINTS = 1000, POINTS_SMP = 200, CALLS_MAX = 360, SHORT_SEEDS = 3, TREE_BYTES = 8 << 20, SHORT_CALLS = 120 };

static sys_untyped_info_t before;
static uint64_t dice;

static uint64_t roll(uint64_t below)
{
	return (random_next(&dice) >> 11) % below;
}

/* Revoked to the last frame; then it goes. */
static void check_gone(sys_cap_t tree, uint64_t seed, unsigned calls)
{
	OKAY(sys_cap_revoke(tree));
	sys_untyped_info_t left = account(tree);
	if (left.used != 0 || left.promised != 0)
		FAIL("seed %lu, %u calls: %ld bytes used, %ld promised after the revoke", (unsigned long)seed, calls,
		     (long)left.used, (long)left.promised);
	OKAY(sys_cap_delete(tree));
	grow_check_lent();
	sys_untyped_info_t now = account(ut);
	if (now.used != before.used || now.promised != before.promised)
		FAIL("seed %lu, %u calls: the parent has used %ld and promised %ld, before %ld and %ld",
		     (unsigned long)seed, calls, (long)now.used, (long)now.promised, (long)before.used,
		     (long)before.promised);
}

static uint32_t cpus(void)
{
	sys_machine_info_t info;

	OKAY(sys_system_info(SYS_CAP_RESOURCE, SYS_TOPIC_MACHINE, &info, sizeof(info)));
	return info.cpus;
}

static void begin(void)
{
	grow_lend();
	before = account(ut);
	dice = 1;
}

TEST("a tree of processes is revoked at random points of its growth: a thousand, fewer with several CPUs")
{
	begin();
	for (uint64_t seed = 1; seed <= (cpus() == 1 ? POINTS : POINTS_SMP); seed++) {
		unsigned calls = (unsigned)roll(CALLS_MAX);
		sys_cap_t tree = new_untyped(TREE_BYTES);

		grow(tree, seed, calls, GROW_FREELY);
		check_gone(tree, seed, calls);
		if (seed % 100 == 0) {
			printf("# tree: %lu points\n", (unsigned long)seed);
			fflush(stdout);
		}
	}
}

/* Every size of the account up to what the whole build takes. Its threads run in between: in real time another build may
 * take somewhat less than the first. */
static void short_of_each_frame(uint64_t seed)
{
	sys_cap_t tree = new_untyped(TREE_BYTES);
	struct grown whole = grow(tree, seed, SHORT_CALLS, 0);
	unsigned last = 1;

	check_gone(tree, seed, SHORT_CALLS);
	for (uint64_t frames = 1; frames < whole.bytes / PAGE; frames++) {
		tree = new_untyped(frames * PAGE);
		struct grown grown = grow(tree, seed, SHORT_CALLS, last);

		if (grown.first_short == 0 && frames < whole.bytes / PAGE * 3 / 4)
			FAIL("seed %lu: %lu frames are enough, not %lu", (unsigned long)seed, (unsigned long)frames,
			     (unsigned long)(whole.bytes / PAGE));
		last = grown.first_short;
		check_gone(tree, seed, SHORT_CALLS);
	}
}

TEST("a tree whose account is short by any number of frames: a failed call has changed nothing")
{
	begin();
	OKAY(sys_thread_set_affinity(SYS_CAP_THREAD, 1));       /* nobody changes anything between two calls of ours */
	for (uint64_t seed = 1; seed <= SHORT_SEEDS; seed++)
		short_of_each_frame(seed);
	OKAY(sys_thread_set_affinity(SYS_CAP_THREAD, UINT64_MAX));
}

/* ---- each call that takes memory, in an account of every size until it succeeds ------------------------------------ */

static sys_cap_t source, space;         /* a VMO with content; an address space that the small account pays for */

static sys_status_t make_cnode(sys_cap_t a, sys_cap_t *out)
{
	return sys_cnode_create(a, 1024, out);
}

static sys_status_t make_untyped(sys_cap_t a, sys_cap_t *out)
{
	return sys_untyped_create(a, 3 * PAGE, out);
}

static sys_status_t make_space(sys_cap_t a, sys_cap_t *out)
{
	return sys_vspace_create(a, SYS_CAP_NULL, 0, out);
}

static sys_status_t make_thread(sys_cap_t a, sys_cap_t *out)
{
	return sys_thread_create(a, SYS_CAP_CNODE, SYS_CAP_VMAR, SYS_CAP_NULL, out);
}

static sys_status_t make_vmo(sys_cap_t a, sys_cap_t *out)
{
	return sys_vmo_create(a, 100 * PAGE, 0, out);
}

static sys_status_t make_contiguous(sys_cap_t a, sys_cap_t *out)
{
	return sys_vmo_create_contiguous(a, 4 * PAGE, 0, out);
}

static sys_status_t make_child(sys_cap_t a, uint32_t options, sys_cap_t *out)
{
	return sys_vmo_create_child(source, a, options, 0, options == SYS_VMO_CHILD_REFERENCE ? 0 : 64 * PAGE, out);
}

static sys_status_t make_snapshot(sys_cap_t a, sys_cap_t *out)
{
	return make_child(a, SYS_VMO_CHILD_SNAPSHOT, out);
}

static sys_status_t make_slice(sys_cap_t a, sys_cap_t *out)
{
	return make_child(a, SYS_VMO_CHILD_SLICE, out);
}

static sys_status_t make_reference(sys_cap_t a, sys_cap_t *out)
{
	return make_child(a, SYS_VMO_CHILD_REFERENCE, out);
}

static sys_status_t make_at_least(sys_cap_t a, sys_cap_t *out)
{
	return sys_vmo_create_child(grow_lent.paged, a, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE, 0, 4 * PAGE, out);
}

static sys_status_t make_pager(sys_cap_t a, sys_cap_t *out)
{
	return sys_pager_create(a, grow_lent.ep, 0, out);
}

static sys_status_t make_pager_vmo(sys_cap_t a, sys_cap_t *out)
{
	return sys_pager_create_vmo(grow_lent.pager, a, 0, 1, 100 * PAGE, out);
}

static sys_status_t make_pin(sys_cap_t a, sys_cap_t *out)
{
	sys_paddr_t at[16];
	return sys_vmo_pin(source, SYS_CAP_RESOURCE, a, SYS_PIN_READ, 0, 16 * PAGE, at, 16, out);
}

static sys_status_t make_clone(sys_cap_t a, sys_cap_t *out)
{
	return sys_vmar_clone(space, a, out);
}

static const struct { const char *name; sys_status_t (*make)(sys_cap_t, sys_cap_t *); } makers[] = {
	{"endpoint", sys_endpoint_create}, {"notification", sys_notification_create}, {"reply", sys_reply_create},
	{"cnode", make_cnode}, {"untyped", make_untyped}, {"vspace", make_space}, {"thread", make_thread},
	{"vmo", make_vmo}, {"contiguous", make_contiguous}, {"snapshot", make_snapshot}, {"slice", make_slice},
	{"reference", make_reference}, {"at least on write", make_at_least}, {"pager", make_pager},
	{"pager's vmo", make_pager_vmo}, {"pin", make_pin}, {"clone", make_clone},
};

/* Makes it in an account of so many frames; true: it succeeded, or is a call for later. */
static bool make_in(unsigned which, uint64_t frames)
{
	sys_cap_t small = new_untyped(frames * PAGE), out;
	sys_untyped_info_t parent = account(ut);
	sys_status_t status = makers[which].make(small, &out);

	check_account(&parent, ut, __LINE__);
	sys_untyped_info_t after_call = account(small);
	if (status != SYS_OK && (after_call.used != 0 || after_call.promised != 0))
		FAIL("%s in %lu frames gives %s and leaves %ld bytes used, %ld promised", makers[which].name,
		     (unsigned long)frames, sys_status_string(status), (long)after_call.used, (long)after_call.promised);
	if (status != SYS_OK && status != SYS_ERR_NO_MEMORY && status != SYS_ERR_NOT_SUPPORTED)
		FAIL("%s in %lu frames gives %s", makers[which].name, (unsigned long)frames, sys_status_string(status));
	if (status == SYS_OK) {
		OKAY(sys_cap_delete(out));
		EQ(used(small), 0);
	}
	OKAY(sys_cap_delete(small));
	return status != SYS_ERR_NO_MEMORY;
}

TEST("each call that makes an object fails without a trace, and succeeds in the first account that is large enough")
{
	sys_vaddr_t at;

	begin();
	source = new_vmo(64 * PAGE);
	space = new_vspace();
	for (uint64_t i = 0; i < 64; i += 5)
		put(source, i * PAGE, i);
	OKAY(sys_vmar_map(space, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, source, 0, 64 * PAGE, &at));
	for (unsigned which = 0; which < sizeof(makers) / sizeof(makers[0]); which++)
		for (uint64_t frames = 1; !make_in(which, frames); frames++)
			CHECK(frames < 200);
}

/* Mappings, regions and page tables: the address space's account pays. */
TEST("vmar_allocate:NO_MEMORY vmar_map:NO_MEMORY in an address space whose account is short: nothing has changed")
{
	sys_vaddr_t at, lowest = 0;
	sys_cap_t small, region;

	begin();
	source = new_vmo(64 * PAGE);
	for (uint64_t frames = 1; frames < 40; frames++) {
		small = new_untyped(frames * PAGE);
		if (sys_vspace_create(small, SYS_CAP_NULL, 0, &space) != SYS_OK)
			continue;
		for (unsigned i = 0; i < 2000; i++) {
			sys_untyped_info_t old = account(small);
			sys_vmar_info_t info;
			sys_status_t status = i % 2 ? sys_vmar_allocate(space, SYS_VM_CAN_MAP_READ, 0, PAGE, &region, &at) :
				sys_vmar_map(space, SYS_VM_PERM_READ, 0, source, 0, 64 * PAGE, &at);
			if (status == SYS_OK)
				continue;
			STATUS(SYS_ERR_NO_MEMORY, status);
			check_account(&old, small, __LINE__);
			OKAY(sys_vmar_info(space, &info));
			lowest = info.base;
			if (i % 2)
				break;
		}
		OKAY(sys_cap_revoke(small));
		EQ(used(small), 0);
		OKAY(sys_cap_delete(small));
		EQ(vmo_info(source).mappings, 0);
	}
	CHECK(lowest != 0);
}

/* ---- the revoker ----------------------------------------------------------------------------------------------- */

static int64_t revokes(void *cap)
{
	return sys_cap_revoke((sys_cap_t)cap);
}

static void until_gone(sys_cap_t thread)
{
	for (sys_time_t end = after(LIMIT); !cap_is_gone(thread);) {
		grow_run(MILLISECOND / 4);
		CHECK(sys_clock_get() < end);
	}
}

/* Below us: it runs while we sleep. */
static void until_revoked(sys_cap_t thread)
{
	for (sys_time_t end = after(LIMIT); thread_info(thread).state != SYS_THREAD_EXITED;) {
		grow_run(MILLISECOND / 4);
		CHECK(sys_clock_get() < end);
	}
	EQ(thread_info(thread).exit_code, SYS_OK);
}

static sys_cap_t active_tree(uint64_t seed)
{
	sys_cap_t tree = new_untyped(TREE_BYTES);

	grow(tree, seed, 200, GROW_FREELY);
	grow_activity();
	grow_run((sys_time_t)roll(300000));
	return tree;
}

TEST("another thread revokes a tree that goes on growing and sending")
{
	begin();
	for (uint64_t seed = 1; seed <= 40; seed++) {
		sys_cap_t tree = active_tree(seed);
		sys_cap_t thread = helper_prepare(revokes, (void *)tree, SYS_CAP_NULL, own_priority() - (uint32_t)roll(2));

		helper_go(thread);
		until_revoked(thread);
		EQ(used(tree), 0);
		OKAY(sys_cap_delete(thread));
		helper_drop(1);
		check_gone(tree, seed, 200);
	}
}

TEST("a revoker is killed in the middle, and a second revoke finishes")
{
	begin();
	for (uint64_t seed = 1; seed <= 60; seed++) {
		sys_cap_t tree = active_tree(seed);
		sys_cap_t thread = helper_prepare(revokes, (void *)tree, SYS_CAP_NULL, own_priority() - 1);

		helper_go(thread);
		grow_run((sys_time_t)roll(60000));
		OKAY(sys_cap_delete(thread));
		helper_drop(1);
		check_gone(tree, seed, 200);
	}
}

TEST("a thread of the tree revokes it, and with it itself")
{
	begin();
	for (uint64_t seed = 1; seed <= 40; seed++) {
		sys_cap_t tree = active_tree(seed), own_ut = ut, thread;

		ut = tree;                      /* the helper's thread is the tree's */
		thread = helper_prepare(revokes, (void *)tree, SYS_CAP_NULL, own_priority() - 1);
		ut = own_ut;
		helper_go(thread);
		until_gone(thread);
		helper_drop(1);
		check_gone(tree, seed, 200);
	}
}

/* ---- an account that holds the CNode in which its own capability lies --------------------------------------------- */

struct enclosed { sys_cap_t cnode, name; };

static struct enclosed enclose(sys_cap_t tree)
{
	struct enclosed enclosed;

	OKAY(sys_cnode_create(tree, 64, &enclosed.cnode));
	OKAY(sys_cap_move(tree, enclosed.cnode, SYS_SLOT_ANY, &enclosed.name));
	CHECK(cap_is_gone(tree));
	return enclosed;
}

/* Nobody waits for the end of such an account: it may come later, on another CPU. */
static void until_back(void)
{
	for (sys_time_t end = after(LIMIT); account(ut).promised != before.promised && sys_clock_get() < end;)
		grow_run(MILLISECOND);
}

TEST("an account whose capability lies in its own CNode: the CNode is deleted")
{
	begin();
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct enclosed enclosed = enclose(active_tree(seed));

		OKAY(sys_cap_delete(enclosed.cnode));
		until_back();
		grow_check_lent();
		check_account(&before, ut, __LINE__);
	}
}

TEST("an account whose capability lies in its own CNode is revoked from there")
{
	begin();
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct enclosed enclosed = enclose(active_tree(seed));
		sys_cap_t thread = helper_start_in(enclosed.cnode, revokes, (void *)enclosed.name);

		until_exited(thread);
		CHECK(cap_is_gone(enclosed.cnode));
		OKAY(sys_cap_delete(thread));
		helper_drop(1);
		until_back();
		grow_check_lent();
		check_account(&before, ut, __LINE__);
	}
}
