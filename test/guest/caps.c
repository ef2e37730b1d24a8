/* SPDX-License-Identifier: BSD-2-Clause */
/* caps.c: copy, mint, move, delete, revoke, info, and names. Wrong capabilities are rights.c's. */
#include "common/helper.h"

#include <string.h>

enum { SLOTS = 16, MANY = 600 };

static sys_cap_info_t info_at(sys_cap_t cnode, uint32_t slot, sys_cap_t *name)
{
	sys_cap_info_t info;
	OKAY(sys_cnode_info(cnode, slot, name, &info));
	return info;
}

TEST("cap_copy:OK the copy is the same object with fewer rights")
{
	sys_cap_t vmo = new_vmo(PAGE), copy;

	CHECK(!cap_info(vmo).derived);
	OKAY(sys_cap_copy(vmo, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHT_READ | SYS_RIGHT_COPY, &copy));
	sys_cap_info_t of_vmo = cap_info(vmo), of_copy = cap_info(copy);
	CHECK(of_vmo.derived && !of_copy.derived);
	EQ(of_copy.type, SYS_TYPE_VMO);
	EQ(of_copy.koid, of_vmo.koid);
	EQ(of_copy.badge, 0);
	EQ(of_copy.rights, SYS_RIGHT_READ | SYS_RIGHT_COPY);
	put(vmo, 0, 42);
	EQ(get(copy, 0), 42);
	STATUS(SYS_ERR_ACCESS_DENIED, sys_vmo_write(copy, "x", 0, 1));
	OKAY(sys_cap_delete(vmo));
	EQ(get(copy, 0), 42);
}

TEST("cap_copy:OK rights stay the same where asked")
{
	sys_cap_t ep = new_endpoint();
	EQ(cap_info(reduced(ep, SYS_RIGHTS_SAME)).rights, SYS_RIGHTS_ENDPOINT);
	EQ(cap_info(reduced(ep, 0)).rights, 0);
}

TEST("cap_copy:OK to a name, which it then has")
{
	sys_cap_t cnode = new_cnode(SLOTS), ep = new_endpoint(), name, next;

	OKAY(sys_cap_copy(ep, cnode, 5, SYS_RIGHTS_SAME, &name));
	EQ(name, 5);
	sys_cap_t later = 6 | 9ull << 32;
	OKAY(sys_cap_copy(ep, cnode, later, SYS_RIGHTS_SAME, &name));
	EQ(name, later);
	EQ(info_at(cnode, 6, &next).koid, cap_info(ep).koid);
	EQ(next, later);
}

TEST("cap_copy:INVALID_ARGS more rights, unknown rights, an old generation")
{
	sys_cap_t cnode = new_cnode(SLOTS), ep = new_endpoint(), out = 99;
	sys_cap_t weak = reduced(ep, SYS_RIGHT_COPY | SYS_RIGHT_SEND);

	REFUSED(SYS_ERR_INVALID_ARGS, sys_cap_copy(weak, cnode, SYS_SLOT_ANY, SYS_RIGHT_RECV, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_cap_copy(ep, cnode, SYS_SLOT_ANY, 1u << 30, &out));
	OKAY(sys_cap_copy(ep, cnode, 5 | 7ull << 32, SYS_RIGHTS_SAME, &out));
	OKAY(sys_cnode_delete(cnode, out));
	out = 99;
	REFUSED(SYS_ERR_INVALID_ARGS, sys_cap_copy(ep, cnode, 5 | 7ull << 32, SYS_RIGHTS_SAME, &out));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_cap_copy(ep, cnode, 5, SYS_RIGHTS_SAME, &out));
	EQ(out, 99);
	OKAY(sys_cap_copy(ep, cnode, 5 | 8ull << 32, SYS_RIGHTS_SAME, &out));
}

/* What copy, mint and move have in common about places; each is tried on the same CNode. */
enum { COPY, MINT, MOVE, PLACERS };

static sys_status_t place(int how, sys_cap_t src, sys_cap_t cnode, sys_cap_t dst, sys_cap_t *out)
{
	if (how == COPY)
		return sys_cap_copy(src, cnode, dst, SYS_RIGHTS_SAME, out);
	if (how == MINT)
		return sys_cap_mint(src, cnode, dst, SYS_RIGHTS_SAME, 7, out);
	return sys_cap_move(src, cnode, dst, out);
}

static void place_out_of_range(int how)
{
	sys_cap_t cnode = new_cnode(SLOTS), ep = new_endpoint(), out;

	REFUSED(SYS_ERR_OUT_OF_RANGE, place(how, ep, cnode, SLOTS, &out));
	REFUSED(SYS_ERR_OUT_OF_RANGE, place(how, ep, cnode, 0xffffffff, &out));
	REFUSED(SYS_ERR_OUT_OF_RANGE, place(how, ep, cnode, SLOTS | 3ull << 32, &out));
	CHECK(!cap_is_gone(ep));
	OKAY(place(how, ep, cnode, SLOTS - 1, &out));
}

static void place_exists(int how)
{
	sys_cap_t cnode = new_cnode(SLOTS), ep = new_endpoint(), other = new_notification(), name, out = 99;

	OKAY(sys_cap_copy(other, cnode, 3, SYS_RIGHTS_SAME, &name));
	REFUSED(SYS_ERR_ALREADY_EXISTS, place(how, ep, cnode, 3, &out));
	EQ(out, 99);
	EQ(info_at(cnode, 3, &name).koid, cap_info(other).koid);
	CHECK(!cap_is_gone(ep));
	CHECK(!cap_info(ep).derived);
}

static void place_no_slot(int how)
{
	sys_cap_t cnode = new_cnode(SLOTS), ep = new_endpoint(), first = new_endpoint(), name, out = 99;

	for (uint32_t slot = 1; slot < SLOTS; slot++)
		OKAY(sys_cap_copy(first, cnode, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &name));
	REFUSED(SYS_ERR_NO_SLOT, place(how, ep, cnode, SYS_SLOT_ANY, &out));
	EQ(out, 99);
	CHECK(!cap_is_gone(ep));
	OKAY(sys_cnode_delete(cnode, name));
	OKAY(place(how, ep, cnode, SYS_SLOT_ANY, &out));
	EQ(out & 0xffffffff, name & 0xffffffff);
	CHECK(out != name);
}

static void place_null(int how)
{
	sys_cap_t cnode = new_cnode(SLOTS), ep = new_endpoint(), out;
	sys_status_t status = place(how, ep, cnode, 0, &out);

	CHECK(status != SYS_OK);        /* slot 0 is never used */
	CHECK(!cap_is_gone(ep));
}

static void place_old_generation(int how)
{
	sys_cap_t cnode = new_cnode(SLOTS), ep = new_endpoint(), name, out = 99;

	OKAY(sys_cap_copy(ep, cnode, 3, SYS_RIGHTS_SAME, &name));
	OKAY(sys_cnode_delete(cnode, name));
	REFUSED(SYS_ERR_INVALID_ARGS, place(how, ep, cnode, 3, &out));
	EQ(out, 99);
	OKAY(place(how, ep, cnode, 3 | 1ull << 32, &out));
}

/* A CNode that is being laid out stands in its maker's slot already. A thread that wakes again and again meanwhile, and
 * knows the name that it will have, finds it unfinished. */
struct impatient {
	int how;
	sys_cap_t ntfn;
	volatile sys_cap_t cnode, ep;
	uint32_t priority;
	volatile bool stop, refused;
	volatile sys_status_t other;
};

static int64_t is_impatient(void *arg)
{
	struct impatient *me = arg;
	sys_cap_t out;
	uint64_t bits;

	while (!me->stop) {
		sys_status_t status = place(me->how, me->ep, me->cnode, SYS_SLOT_ANY, &out);
		me->refused = me->refused || status == SYS_ERR_BAD_STATE;
		if (status != SYS_ERR_BAD_STATE && status != SYS_ERR_BAD_CAP)
			me->other = status;
		sys_notification_wait(me->ntfn, &bits, sys_clock_get() + 30000);
	}
	return sys_thread_set_priority(SYS_CAP_THREAD, me->priority);
}

enum { TRIES = 8 };     /* a busy host's timer may come too late, hardly each time */

static void place_unfinished(int how)
{
	struct impatient other = {.how = how, .ntfn = new_notification(), .priority = own_priority()};
	sys_cap_t thread = helper_prepare(is_impatient, &other, SYS_CAP_NULL, own_priority()), ep[TRIES],
		  cnode = new_endpoint();

	one_cpu();
	OKAY(sys_thread_set_affinity(thread, 1));
	for (int i = 0; i < TRIES; i++)
		ep[i] = new_endpoint();
	fill_slots();
	OKAY(sys_thread_set_priority(SYS_CAP_THREAD, own_priority() - 1));
	helper_go(thread);
	for (int i = 0; i < TRIES && !other.refused; i++) {
		if (i > 0 && cap_is_gone(ep[i - 1]))
			fill_slots();                   /* it was moved to the CNode, which was finished before */
		OKAY(sys_cap_delete(cnode));
		other.ep = ep[i];
		other.cnode = cnode + (1ull << 32);     /* the only free slot */
		OKAY(sys_cnode_create(ut, 1 << 17, &cnode));
		EQ(cnode, other.cnode);
		other.cnode = SYS_CAP_NULL;
	}
	other.stop = true;
	OKAY(sys_notification_signal(other.ntfn, 1));
	EQ(until_exited(thread), SYS_OK);
	CHECK(other.refused);
	EQ(other.other, SYS_OK);
}

void guest_tables(void)
{
	static const char *const names[PLACERS] = {"cap_copy", "cap_mint", "cap_move"};
	static const struct { const char *what; void (*run)(int); } cases[] = {
		{":OUT_OF_RANGE past the end", place_out_of_range}, {":ALREADY_EXISTS a taken name", place_exists},
		{":NO_SLOT a full CNode", place_no_slot}, {": slot 0 is no place", place_null},
		{":INVALID_ARGS a generation that was", place_old_generation},
		{":BAD_STATE a CNode that is being made", place_unfinished},
	};
	char name[96];

	for (int how = 0; how < PLACERS; how++)
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			strcpy(name, names[how]);
			strcat(name, cases[i].what);
			guest_add(name, cases[i].run, how);
		}
}

TEST("cap_mint:OK a badge, and fewer rights")
{
	sys_cap_t ep = new_endpoint(), badged;

	OKAY(sys_cap_mint(
		ep, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHT_SEND | SYS_RIGHT_COPY, 0xfeedface12345678, &badged));
	EQ(cap_info(badged).badge, 0xfeedface12345678);
	EQ(cap_info(badged).rights, SYS_RIGHT_SEND | SYS_RIGHT_COPY);
	EQ(cap_info(badged).koid, cap_info(ep).koid);
	EQ(cap_info(ep).badge, 0);
	EQ(cap_info(reduced(badged, SYS_RIGHT_SEND)).badge, 0xfeedface12345678);
}

TEST("cap_mint:INVALID_ARGS a badge on a badge")
{
	sys_cap_t ep = new_endpoint(), badged, out = 99;

	OKAY(sys_cap_mint(ep, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, 5, &badged));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_cap_mint(badged, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, 6, &out));
	EQ(out, 99);
	REFUSED(SYS_ERR_INVALID_ARGS,
		sys_cap_mint(reduced(ep, SYS_RIGHT_COPY), SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHT_SEND, 6, &out));
}

TEST("cap_move:OK into another CNode and within the own")
{
	sys_cap_t cnode = new_cnode(SLOTS), vmo = new_vmo(PAGE), copy = reduced(vmo, SYS_RIGHTS_SAME), name, moved;
	sys_koid_t koid = cap_info(vmo).koid;

	OKAY(sys_cap_move(vmo, SYS_CAP_CNODE, SYS_SLOT_ANY, &moved));
	CHECK(moved != vmo);
	CHECK(cap_is_gone(vmo));
	CHECK(cap_info(moved).derived);                 /* what came from it comes from it still */
	OKAY(sys_cap_move(moved, cnode, 4, &name));
	EQ(name, 4);
	CHECK(cap_is_gone(moved));
	EQ(info_at(cnode, 4, &name).koid, koid);
	EQ(info_at(cnode, 4, &name).rights, SYS_RIGHTS_VMO & ~SYS_RIGHT_RESIZE);
	EQ(get(copy, 0), 0);
}

TEST("cap_delete:OK the name is dead, the next in the slot has another")
{
	sys_cap_t cnode = new_cnode(SLOTS), ep = new_endpoint(), name, next;

	OKAY(sys_cap_copy(ep, cnode, 2, SYS_RIGHTS_SAME, &name));
	OKAY(sys_cnode_delete(cnode, name));
	EQ(info_at(cnode, 2, &next).type, SYS_TYPE_NONE);
	EQ(next, 2 | 1ull << 32);
	STATUS(SYS_ERR_BAD_CAP, sys_cnode_delete(cnode, name));
	OKAY(sys_cap_delete(ep));
	CHECK(cap_is_gone(ep));
	STATUS(SYS_ERR_BAD_CAP, sys_cap_delete(ep));
}

TEST("cap_delete:OK the children of a deleted capability fall to its parent")
{
	sys_cap_t vmo = new_vmo(PAGE), middle = reduced(vmo, SYS_RIGHTS_SAME), leaf = reduced(middle, SYS_RIGHTS_SAME);

	OKAY(sys_cap_delete(middle));
	EQ(get(leaf, 0), 0);
	CHECK(cap_info(vmo).derived);
	OKAY(sys_cap_revoke(vmo));
	CHECK(cap_is_gone(leaf));
	CHECK(!cap_is_gone(vmo));
}

TEST("cap_delete:OK the last capability of an object gives its memory back")
{
	uint64_t before = used(ut);
	sys_cap_t vmo = new_vmo(8 * PAGE), ep = new_endpoint(), ntfn = new_notification(), reply = new_reply();
	sys_cap_t cnode = new_cnode(1024), thread = new_thread(), vspace = new_vspace(),
		  copy = reduced(vmo, SYS_RIGHTS_SAME);

	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, 8 * PAGE, NULL, 0));
	CHECK(used(ut) >= before + 8 * PAGE + 1024 * 16);
	OKAY(sys_cap_delete(vmo));
	EQ(get(copy, 0), 0);
	sys_cap_t all[] = {copy, ep, ntfn, reply, cnode, thread, vspace};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		OKAY(sys_cap_delete(all[i]));
	EQ(used(ut), before);
}

TEST("cap_revoke:OK takes all that is derived, and nothing else")
{
	sys_cap_t cnode = new_cnode(SLOTS), vmo = new_vmo(PAGE), sister = reduced(vmo, SYS_RIGHTS_SAME);
	sys_cap_t child = reduced(vmo, SYS_RIGHTS_SAME), grandchild = reduced(child, SYS_RIGHTS_SAME), far, name;

	OKAY(sys_cap_copy(child, cnode, 3, SYS_RIGHTS_SAME, &far));
	OKAY(sys_cap_revoke(child));
	CHECK(cap_is_gone(grandchild));
	EQ(info_at(cnode, 3, &name).type, SYS_TYPE_NONE);
	CHECK(!cap_is_gone(child) && !cap_is_gone(sister) && !cap_is_gone(vmo));
	CHECK(!cap_info(child).derived);
	OKAY(sys_cap_revoke(vmo));
	CHECK(cap_is_gone(child) && cap_is_gone(sister));
	EQ(get(vmo, 0), 0);
}

TEST("cap_revoke:OK unmaps what was mapped with a capability below")
{
	sys_cap_t vmo = new_vmo(PAGE), child = reduced(vmo, SYS_RIGHTS_SAME);
	volatile uint64_t *by_child = map(child, PAGE), *by_vmo = map(vmo, PAGE);

	*by_child = 5;
	EQ(*by_vmo, 5);
	OKAY(sys_cap_revoke(child));
	FAULTS(READ, SYS_ERR_NOT_FOUND, by_child);
	EQ(*by_vmo, 5);
	OKAY(sys_cap_delete(child));
	OKAY(sys_cap_revoke(vmo));
	FAULTS(READ, SYS_ERR_NOT_FOUND, by_vmo);
	EQ(get(vmo, 0), 5);
}

TEST("cap_revoke:OK a deleted capability's mapping falls to the parent and ends with its revoke")
{
	sys_cap_t vmo = new_vmo(PAGE), child = reduced(vmo, SYS_RIGHTS_SAME);
	volatile uint64_t *at = map(child, PAGE);

	OKAY(sys_cap_delete(child));
	*at = 6;
	EQ(get(vmo, 0), 6);
	OKAY(sys_cap_revoke(vmo));
	FAULTS(WRITE, SYS_ERR_NOT_FOUND, at);
}

TEST("cap_revoke:OK many descendants, in a chain and in a row")
{
	sys_cap_t vmo = new_vmo(PAGE), last = vmo, out;
	uint64_t before = used(ut);

	for (int i = 0; i < MANY; i++) {
		OKAY(sys_cap_copy(last, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &out));
		last = out;
	}
	for (int i = 0; i < MANY; i++)
		OKAY(sys_cap_copy(vmo, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &out));
	OKAY(sys_cap_revoke(vmo));
	CHECK(cap_is_gone(last) && cap_is_gone(out));
	CHECK(!cap_info(vmo).derived);
	EQ(used(ut), before);
}

TEST("cap_revoke:OK of an account ends all that was made from it and leaves it open")
{
	sys_cap_t child = new_untyped(64 * PAGE), vmo, ep, grandchild, inner;
	uint64_t before = used(ut);

	OKAY(sys_vmo_create(child, 4 * PAGE, 0, &vmo));
	OKAY(sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, 0, 4 * PAGE, NULL, 0));
	OKAY(sys_endpoint_create(child, &ep));
	OKAY(sys_untyped_create(child, 16 * PAGE, &grandchild));
	OKAY(sys_endpoint_create(grandchild, &inner));
	volatile uint64_t *at = map(vmo, PAGE);
	*at = 1;
	OKAY(sys_cap_revoke(child));
	CHECK(cap_is_gone(vmo) && cap_is_gone(ep) && cap_is_gone(grandchild) && cap_is_gone(inner));
	EQ(account(child).used, 0);
	EQ(account(child).promised, 0);
	FAULTS(READ, SYS_ERR_NOT_FOUND, at);
	EQ(used(ut), before);
	OKAY(sys_vmo_create(child, 4 * PAGE, 0, &vmo));
}

TEST("cap_revoke:OK of a copy of an account's capability takes only what stands below the copy")
{
	sys_cap_t child = new_untyped(64 * PAGE), copy = reduced(child, SYS_RIGHTS_SAME), ep, other;

	OKAY(sys_endpoint_create(child, &ep));
	OKAY(sys_endpoint_create(copy, &other));
	OKAY(sys_cap_revoke(copy));
	CHECK(!cap_is_gone(ep) && !cap_is_gone(copy));
	OKAY(sys_endpoint_create(child, &other));
}

TEST("cap_info:OK every type")
{
	static const struct {
		enum sys_type type;
		sys_rights_t rights;
	} want[] = {
		{SYS_TYPE_UNTYPED, SYS_RIGHTS_UNTYPED},
		{SYS_TYPE_CNODE, SYS_RIGHTS_CNODE},
		{SYS_TYPE_THREAD, SYS_RIGHTS_THREAD},
		{SYS_TYPE_ENDPOINT, SYS_RIGHTS_ENDPOINT},
		{SYS_TYPE_NOTIFICATION, SYS_RIGHTS_NOTIFICATION},
		{SYS_TYPE_REPLY, SYS_RIGHTS_REPLY},
		{SYS_TYPE_VMO, SYS_RIGHTS_VMO & ~SYS_RIGHT_RESIZE},
		{SYS_TYPE_VMAR, SYS_RIGHTS_VMAR},
		{SYS_TYPE_PAGER, SYS_RIGHTS_PAGER},
	};
	sys_koid_t last = 0;

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		sys_cap_info_t info = cap_info(new_object(want[i].type));
		EQ(info.type, want[i].type);
		EQ(info.rights, want[i].rights);
		EQ(info.badge, 0);
		CHECK(info.koid > last);
		last = info.koid;
	}
	EQ(cap_info(SYS_CAP_CONSOLE).type, SYS_TYPE_CONSOLE);
	EQ(cap_info(SYS_CAP_RESOURCE).type, SYS_TYPE_RESOURCE);
	EQ(cap_info(new_resizable(PAGE)).rights, SYS_RIGHTS_VMO);
}

TEST("cap_delete:OK a CNode's content goes with its last capability")
{
	sys_cap_t cnode = new_cnode(SLOTS), ep = new_endpoint(), vmo = new_vmo(PAGE), name;
	uint64_t before = used(ut);
	sys_cap_t second = new_cnode(SLOTS);

	OKAY(sys_cap_copy(ep, second, 1, SYS_RIGHTS_SAME, &name));
	OKAY(sys_cap_move(vmo, second, 2, &name));
	CHECK(cap_info(ep).derived);
	OKAY(sys_cap_delete(second));
	CHECK(!cap_info(ep).derived);
	CHECK(used(ut) <= before);
	EQ(info_at(cnode, 1, &name).type, SYS_TYPE_NONE);
}
