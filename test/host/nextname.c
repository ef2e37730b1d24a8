/* SPDX-License-Identifier: BSD-2-Clause */
/* nextname.c: names that nobody has been given yet: an emptied slot's next one, with which it will be filled, names nothing, for
 * each call that looks a capability up, on the short way of calls too. */
#include "common/user.h"

static struct cnode *cs;
static struct slot *top;

/* A capability with all rights was in this slot: the name of the next one there. */
static sys_cap_t next_name(enum sys_type type)
{
	struct slot *s = cap_put(cs, object_new(account_root(), type), top, SLOT_FIRST);
	u32 index = slot_index(s), generation = s->generation;

	must(delete_all(s) == SYS_OK);
	must(s->generation == generation + 1 && !s->object);
	return slot_name(index, generation + 1);
}

START_TEST(names_nothing)
{
	static const u64 calls[] = { NR_ipc_send, NR_ipc_call, NR_ipc_call4, NR_ipc_reply, NR_ipc_reply_recv, NR_ipc_reply_recv4, NR_ipc_recv };
	struct space *space;

	user_boot(4096);
	cs = cnode_new(account_root(), 1024);
	object_cap(&cs->object);
	top = cap_put(cs, account_root(), NULL, SLOT_FIRST);
	must(space_create(account_root(), false, &space) == SYS_OK);
	user_new(account_root(), cs, space, 10);
	user_begin();
	struct slot *ep = cap_put(cs, object_new(account_root(), SYS_TYPE_ENDPOINT), top, SLOT_FIRST);
	struct slot *reply = cap_put(cs, object_new(account_root(), SYS_TYPE_REPLY), top, SLOT_FIRST);
	for (unsigned i = 0; i < ARRAY_LEN(calls); i++)
		for (unsigned type = 0; type < 2; type++) {
			sys_cap_t none = next_name(type ? SYS_TYPE_REPLY : SYS_TYPE_ENDPOINT);
			ck_assert_int_eq(user_call(calls[i], none, 0, slot_cap(type ? reply : ep), SYS_TIME_POLL), SYS_ERR_BAD_CAP);
			if (calls[i] == NR_ipc_reply_recv || calls[i] == NR_ipc_reply_recv4)
				ck_assert_int_eq(user_call(calls[i], slot_cap(reply), 0, none, SYS_TIME_POLL), SYS_ERR_BAD_CAP);
		}
	kernel_check();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("nextname");

	add_test(s, names_nothing);
	return s;
}
