/* SPDX-License-Identifier: BSD-2-Clause */
/* allocfail.c: each call that declares NO_MEMORY, through the dispatcher, with its first, second, ... allocation
 * failing until none was left to fail. A call that failed has changed nothing that can be seen (visible.h), and works
 * when it is made again. A call of the table that declares NO_MEMORY and has no case here is a failure too. */
#include <string.h>
#include "common/user.h"
#include "common/visible.h"
#include "syscall/table.h"

#define HOME_ROOM  200u                 /* frames of the two accounts */
#define PAYER_ROOM 2600u
#define READ_WRITE (SYS_VM_PERM_READ | SYS_VM_PERM_WRITE)

/* The world of one run: one program, its CSpace, and what calls need. */
static struct account *home, *payer;    /* the program's own things; what the call under test makes */
static struct cnode *cs;
static struct space *own;
static vaddr_t buffer;
static sys_cap_t home_cap, payer_cap, cs_cap, own_cap;
static struct visible before, after;

static u64 fail_at;                     /* the failing allocation of this run */
static bool hit;                        /* it was reached in the call under test */
static bool refused;                    /* ... and the call failed */
static sys_status_t refusal;            /* what it says then */

static sys_cap_t name_of(void *object, struct slot *parent)
{
	return slot_cap(cap_put(cs, object, parent, SLOT_FIRST));
}
static u64 result(void) { return user->context.regs.rdx; }

static void world(void)
{
	struct slot *top;

	user_boot(3072);
	cs = cnode_new(account_root(), 64);
	object_cap(&cs->object);
	top = cap_put(cs, account_root(), NULL, SLOT_FIRST);
	home = account_new(account_root(), HOME_ROOM);
	home_cap = name_of(home, top);
	payer = account_new(account_root(), PAYER_ROOM);
	payer_cap = name_of(payer, top);
	cs_cap = name_of(cs, top);
	must(space_create(home, false, &own) == SYS_OK);
	own_cap = name_of(own, top);
	buffer = user_memory(own, 4);
	user_new(home, cs, own, 10);
	user_begin();
}

#define makes(number, ...) ({ must(user_call(number, __VA_ARGS__) == SYS_OK); (sys_cap_t)result(); })
static sys_cap_t vmo(u64 pages, u32 options) { return makes(NR_vmo_create, payer_cap, pages * PAGE_SIZE_, options); }
static void commit(sys_cap_t v, u64 page, u64 pages)
{
	must(user_call(NR_vmo_op_range, v, SYS_VMO_OP_COMMIT, page * PAGE_SIZE_, pages * PAGE_SIZE_) == SYS_OK);
}
static u64 map(sys_cap_t v, u64 pages, u32 options, u64 offset)
{
	must(user_call(NR_vmar_map, own_cap, READ_WRITE | options, offset, v, 0, pages * PAGE_SIZE_) == SYS_OK);
	return result();
}

/* The call under test. */
static void tried(u64 number, const u64 *arg, unsigned args)
{
	sys_status_t status;

	while (!object_reap(NULL))
		;
	visible_note(&before);
	failure_arm(1);
	host_fail_charge_at = fail_at;
	status = user_call_with(number, arg, args);
	hit = allocation_failed();
	failure_disarm();
	refused = hit && status == refusal;
	ck_assert_msg(hit || status == SYS_OK, "%s: status %d without a failure", syscalls[number].name, status);
	ck_assert_msg(refused || status == SYS_OK, "%s: status %d", syscalls[number].name, status);
	if (!refused)
		return;
	while (!object_reap(NULL))
		;
	visible_note(&after);
	visible_compare(&before, &after, syscalls[number].name);
	must(user_call_with(number, arg, args) == SYS_OK);
}
#define try(number, ...) \
	tried(number, (const u64[]){ __VA_ARGS__ }, sizeof((const u64[]){ __VA_ARGS__ }) / sizeof(u64))

/* ---- the cases: each makes what it needs and tries one call -------------------------------------------------------- */

static void cnode_small(void) { try(NR_cnode_create, payer_cap, 64); }
static void cnode_large(void) { try(NR_cnode_create, payer_cap, 4096); }
static void untyped(void) { try(NR_untyped_create, payer_cap, 10 * PAGE_SIZE_); }
static void untyped_grow(void)
{
	try(NR_untyped_resize, payer_cap, makes(NR_untyped_create, payer_cap, 10 * PAGE_SIZE_), 20 * PAGE_SIZE_);
}
/* The account of the slot's CNode pays. */
static void watch(void)
{
	sys_cap_t n = makes(NR_notification_create, payer_cap), ep = makes(NR_endpoint_create, payer_cap);

	try(NR_cap_watch, ep, SYS_EVENT_ABANDONED, 0, n, 1);
}
static void endpoint(void) { try(NR_endpoint_create, payer_cap); }
static void notification(void) { try(NR_notification_create, payer_cap); }
static void reply(void) { try(NR_reply_create, payer_cap); }
static void vspace(void) { try(NR_vspace_create, payer_cap, SYS_CAP_NULL, 0); }
static void thread(void)
{
	sys_cap_t ep = makes(NR_endpoint_create, payer_cap);

	try(NR_thread_create, payer_cap, cs_cap, own_cap, ep);
}
/* The VMO's account pays for the page and what keeps it. */
static void status_record(void)
{
	sys_cap_t t = makes(NR_thread_create, payer_cap, cs_cap, own_cap, SYS_CAP_NULL), v = vmo(400000, 0);

	try(NR_thread_set_status_record, t, v, 399999 * PAGE_SIZE_);
}

static void vmo_contiguous(void) { try(NR_vmo_create_contiguous, payer_cap, 20 * PAGE_SIZE_, 0); }
/* Of a longer ring the pages that it could commit would stay. */
static void trace(void)
{
	sys_cap_t resource = slot_cap(cap_put_with(cs, resource_object(), SYS_RIGHTS_RESOURCE, 0, NULL));

	try(NR_trace_start, resource, vmo(1, 0), SYS_TRACE_SWITCH);
	must(user_call(NR_trace_stop, resource) == SYS_OK);     /* the next world begins without */
}

static void vmo_small(void) { try(NR_vmo_create, payer_cap, PAGE_SIZE_, 0); }
static void vmo_snapshot(void)
{
	sys_cap_t v = vmo(1200, 0);

	commit(v, 3, 5);
	commit(v, 600, 20);
	try(NR_vmo_create_child, v, payer_cap, SYS_VMO_CHILD_SNAPSHOT, 4 * PAGE_SIZE_, 700 * PAGE_SIZE_);
}
static void vmo_write_inline(void) { try(NR_vmo_write, vmo(4, 0), buffer, 5000, 8); }
static void vmo_write_deep(void) { try(NR_vmo_write, vmo(400000, 0), buffer, 399999 * PAGE_SIZE_, 8); }
static void vmo_write_shared(void)
{
	sys_cap_t v = vmo(1200, 0);

	commit(v, 3, 2);
	commit(v, 600, 20);
	makes(NR_vmo_create_child, v, payer_cap, SYS_VMO_CHILD_SNAPSHOT, 0, 1200 * PAGE_SIZE_);
	try(NR_vmo_write, v, buffer, 700 * PAGE_SIZE_, 8);              /* a hole below a node that is shared */
}
/* What is read into is memory that is not there yet: its object's pages, its tables. */
static void vmo_read_into_hole(void)
{
	sys_cap_t v = vmo(4, 0);

	commit(v, 0, 1);
	try(NR_vmo_read, v, map(vmo(600, 0), 600, 0, 0) + 599 * PAGE_SIZE_, 0, 8);
}
static void vmo_shrink(void)
{
	sys_cap_t v = vmo(8, SYS_VMO_RESIZABLE);

	commit(v, 0, 8);
	try(NR_vmo_set_size, v, 4 * PAGE_SIZE_);
}
static void vmo_shrink_shared(void)
{
	sys_cap_t v = vmo(1200, SYS_VMO_RESIZABLE);

	commit(v, 0, 1000);
	makes(NR_vmo_create_child, v, payer_cap, SYS_VMO_CHILD_SNAPSHOT, 0, 1200 * PAGE_SIZE_);
	try(NR_vmo_set_size, v, 500 * PAGE_SIZE_);
}
static void vmo_stream_shared(void)
{
	sys_cap_t v = vmo(1200, 0);

	commit(v, 0, 1000);
	makes(NR_vmo_create_child, v, payer_cap, SYS_VMO_CHILD_SNAPSHOT, 0, 1200 * PAGE_SIZE_);
	try(NR_vmo_set_stream_size, v, 500 * PAGE_SIZE_ + 1);
}
static void vmo_zero_shared(void)
{
	sys_cap_t v = vmo(1200, 0);

	commit(v, 0, 1000);
	makes(NR_vmo_create_child, v, payer_cap, SYS_VMO_CHILD_SNAPSHOT, 0, 1200 * PAGE_SIZE_);
	try(NR_vmo_op_range, v, SYS_VMO_OP_ZERO, 100 * PAGE_SIZE_ + 1, 600 * PAGE_SIZE_);
}
/* Into the middle of an empty object of three levels: moved, copied, and what was shared is given up. */
static void vmo_transfer(void)
{
	sys_cap_t src = vmo(4, 0), dst = vmo(400000, 0);

	commit(src, 0, 2);
	makes(NR_vmo_create_child, src, payer_cap, SYS_VMO_CHILD_SNAPSHOT, PAGE_SIZE_, PAGE_SIZE_);
	try(NR_vmo_transfer_data, dst, 0, 300000 * PAGE_SIZE_, PAGE_SIZE_, src, PAGE_SIZE_);
}
static void vmo_slice(void) { try(NR_vmo_create_child, vmo(4, 0), payer_cap, SYS_VMO_CHILD_SLICE, 0, PAGE_SIZE_); }
static void vmo_reference(void) { try(NR_vmo_create_child, vmo(4, 0), payer_cap, SYS_VMO_CHILD_REFERENCE, 0, 0); }
static void vmo_commit(void) { try(NR_vmo_op_range, vmo(4, 0), SYS_VMO_OP_COMMIT, 2 * PAGE_SIZE_, PAGE_SIZE_); }
static void vmo_commit_deep(void)
{
	try(NR_vmo_op_range, vmo(400000, 0), SYS_VMO_OP_COMMIT, 300000 * PAGE_SIZE_, PAGE_SIZE_);
}
static void vmo_decommit_shared(void)
{
	sys_cap_t v = vmo(1200, 0);

	commit(v, 0, 200);
	makes(NR_vmo_create_child, v, payer_cap, SYS_VMO_CHILD_SNAPSHOT, 0, 1200 * PAGE_SIZE_);
	try(NR_vmo_op_range, v, SYS_VMO_OP_DECOMMIT, 100 * PAGE_SIZE_, PAGE_SIZE_);
}

static void region(void)
{
	try(NR_vmar_allocate, own_cap, SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE, 0, 16 * PAGE_SIZE_);
}
static void mapping(void) { try(NR_vmar_map, own_cap, READ_WRITE, 0, vmo(4, 0), 0, 4 * PAGE_SIZE_); }
static void mapping_at_once(void)
{
	sys_cap_t v = vmo(40, 0);

	commit(v, 0, 40);
	try(NR_vmar_map, own_cap, READ_WRITE | SYS_VM_MAP_RANGE, 0, v, 0, 40 * PAGE_SIZE_);
}
static void unmap_middle(void)
{
	u64 at = map(vmo(9, 0), 9, 0, 0);

	try(NR_vmar_unmap, own_cap, at + 3 * PAGE_SIZE_, 3 * PAGE_SIZE_);
}
static void protect_middle(void)
{
	u64 at = map(vmo(9, 0), 9, 0, 0);

	try(NR_vmar_protect, own_cap, SYS_VM_PERM_READ, at + 3 * PAGE_SIZE_, 3 * PAGE_SIZE_);
}

static sys_cap_t pager(void)
{
	sys_cap_t ep = makes(NR_endpoint_create, payer_cap);

	return makes(NR_pager_create, payer_cap, ep, 5);
}
/* A root's clone is a view, with a tree that is empty; a clone's has a copy of its tree. */
static sys_cap_t paged(sys_cap_t *p)
{
	*p = pager();
	return makes(NR_pager_create_vmo, *p, payer_cap, 0, 77, 1200 * PAGE_SIZE_);
}
static void root_clone(u32 kind)
{
	sys_cap_t p;

	try(NR_vmo_create_child, paged(&p), payer_cap, kind, 4 * PAGE_SIZE_, 700 * PAGE_SIZE_);
}
static void clone_clone(u32 kind)
{
	sys_cap_t p, root = paged(&p), aux = makes(NR_vmo_create, home_cap, 40 * PAGE_SIZE_, 0);
	sys_cap_t c = makes(NR_vmo_create_child, root, payer_cap, kind, 0, 1200 * PAGE_SIZE_);

	commit(aux, 0, 40);
	must(user_call(NR_pager_supply_pages, p, root, 600 * PAGE_SIZE_, 40 * PAGE_SIZE_, aux, 0) == SYS_OK);
	commit(c, 600, 20);
	must(user_call(NR_vmo_op_range, c, SYS_VMO_OP_ZERO, 3 * PAGE_SIZE_, 5 * PAGE_SIZE_) == SYS_OK);
	try(NR_vmo_create_child, c, payer_cap, kind, 4 * PAGE_SIZE_, 610 * PAGE_SIZE_);
}
static void root_at_least(void) { root_clone(SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE); }
static void root_modified(void) { root_clone(SYS_VMO_CHILD_SNAPSHOT_MODIFIED); }
static void clone_at_least(void) { clone_clone(SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE); }
static void clone_modified(void) { clone_clone(SYS_VMO_CHILD_SNAPSHOT_MODIFIED); }
/* What a clone of a root writes to, or moves elsewhere, becomes its own. */
static void clone_write(void)
{
	sys_cap_t p, root = paged(&p), aux = makes(NR_vmo_create, home_cap, PAGE_SIZE_, 0);
	sys_cap_t c = makes(NR_vmo_create_child, root, payer_cap, SYS_VMO_CHILD_SNAPSHOT_MODIFIED, 0, 1200 * PAGE_SIZE_);

	commit(aux, 0, 1);
	must(user_call(NR_pager_supply_pages, p, root, 1000 * PAGE_SIZE_, PAGE_SIZE_, aux, 0) == SYS_OK);
	try(NR_vmo_write, c, buffer, 1000 * PAGE_SIZE_, 8);
}
static void clone_zero(void)
{
	sys_cap_t p, root = paged(&p);
	sys_cap_t c = makes(NR_vmo_create_child, root, payer_cap, SYS_VMO_CHILD_SNAPSHOT_MODIFIED, 0, 1200 * PAGE_SIZE_);

	try(NR_vmo_op_range, c, SYS_VMO_OP_ZERO, 700 * PAGE_SIZE_, 3 * PAGE_SIZE_);
}
static void pager_new(void)
{
	sys_cap_t ep = makes(NR_endpoint_create, payer_cap);

	try(NR_pager_create, payer_cap, ep, 5);
}
static void pager_object(void)
{
	sys_cap_t p = pager();

	try(NR_pager_create_vmo, p, payer_cap, 0, 77, 100 * PAGE_SIZE_);
}
/* The pages come from another account's object: their charge moves. */
static void pager_supply_one(u64 page)
{
	sys_cap_t p = pager(), v = makes(NR_pager_create_vmo, p, payer_cap, 0, 77, 2000 * PAGE_SIZE_);
	sys_cap_t aux = makes(NR_vmo_create, home_cap, PAGE_SIZE_, 0);

	commit(aux, 0, 1);
	try(NR_pager_supply_pages, p, v, page * PAGE_SIZE_, PAGE_SIZE_, aux, 0);
}
static void pager_fail(void)
{
	sys_cap_t p = pager(), v = makes(NR_pager_create_vmo, p, payer_cap, 0, 77, 100 * PAGE_SIZE_);

	try(NR_pager_op_range, p, SYS_PAGER_OP_FAIL, v, 0, PAGE_SIZE_, (u64)(i64)SYS_ERR_IO);
}
static void pager_supply_inline(void) { pager_supply_one(2); }
static void pager_supply_deep(void) { pager_supply_one(1999); }

/* ---- the table ------------------------------------------------------------------------------------------------------ */

/* sites: so many allocations, at least, fail the call. 0: none can now; it declares NO_MEMORY for a later issue's sake.
 * status: what it says then, if that is another: a buffer for which there is no memory is a bad one. */
static const struct { u16 number, sites; void (*run)(void); sys_status_t status; } cases[] = {
	{ NR_cnode_create, 2, cnode_small, 0 },
	{ NR_cnode_create, 2, cnode_large, 0 },
	{ NR_untyped_create, 2, untyped, 0 },
	{ NR_untyped_resize, 1, untyped_grow, 0 },
	{ NR_cap_watch, 1, watch, 0 },
	{ NR_endpoint_create, 1, endpoint, 0 },
	{ NR_notification_create, 1, notification, 0 },
	{ NR_reply_create, 1, reply, 0 },
	{ NR_vspace_create, 2, vspace, 0 },
	{ NR_thread_create, 1, thread, 0 },
	{ NR_thread_set_status_record, 2, status_record, 0 },
	{ NR_trace_start, 2, trace, 0 },
	{ NR_vmo_create, 1, vmo_small, 0 },
	{ NR_vmo_create_contiguous, 2, vmo_contiguous, 0 },
	{ NR_vmo_create_child, 2, vmo_snapshot, 0 },
	{ NR_vmo_write, 1, vmo_write_inline, 0 },
	{ NR_vmo_write, 1, vmo_write_deep, 0 },
	{ NR_vmo_write, 1, vmo_write_shared, 0 },
	{ NR_vmo_read, 1, vmo_read_into_hole, SYS_ERR_BAD_ADDRESS },
	{ NR_vmo_set_size, 0, vmo_shrink, 0 },
	{ NR_vmo_set_size, 0, vmo_shrink_shared, 0 },
	{ NR_vmo_create_child, 1, vmo_slice, 0 },
	{ NR_vmo_create_child, 1, vmo_reference, 0 },
	{ NR_vmo_set_stream_size, 0, vmo_stream_shared, 0 },
	{ NR_vmo_transfer_data, 1, vmo_transfer, 0 },
	{ NR_vmo_op_range, 0, vmo_zero_shared, 0 },
	{ NR_vmo_op_range, 1, vmo_commit, 0 },
	{ NR_vmo_op_range, 1, vmo_commit_deep, 0 },
	{ NR_vmo_op_range, 0, vmo_decommit_shared, 0 },
	{ NR_vmar_allocate, 1, region, 0 },
	{ NR_vmar_map, 1, mapping, 0 },
	{ NR_vmar_map, 1, mapping_at_once, 0 },
	{ NR_vmar_unmap, 1, unmap_middle, 0 },
	{ NR_vmar_protect, 1, protect_middle, 0 },
	{ NR_vmo_create_child, 2, root_at_least, 0 },
	{ NR_vmo_create_child, 2, root_modified, 0 },
	{ NR_vmo_create_child, 3, clone_at_least, 0 },
	{ NR_vmo_create_child, 3, clone_modified, 0 },
	{ NR_vmo_write, 2, clone_write, 0 },
	{ NR_vmo_op_range, 1, clone_zero, 0 },
	{ NR_pager_create, 1, pager_new, 0 },
	{ NR_pager_create_vmo, 1, pager_object, 0 },
	{ NR_pager_supply_pages, 1, pager_supply_inline, 0 },
	{ NR_pager_supply_pages, 1, pager_supply_deep, 0 },
	{ NR_pager_op_range, 0, pager_fail, 0 },
};

/* Each run in a fresh world, until the failure lies behind the call. */
START_TEST(case_fails)
{
	unsigned sites = 0;

	refusal = cases[_i].status ? cases[_i].status : SYS_ERR_NO_MEMORY;
	for (fail_at = 1, hit = true; hit; fail_at++) {
		world();
		hit = false;
		cases[_i].run();
		sites += refused && hit;
		must(fail_at < 10000);
	}
	ck_assert_msg(sites >= cases[_i].sites, "%s: only %u allocations fail it", syscalls[cases[_i].number].name, sites);
}
END_TEST

START_TEST(every_declared_call_is_here)
{
	for (u32 n = 0; n < SYSCALLS; n++) {
		const struct syscall *sc = &syscalls[n];
		bool here = false;

		if (!sc->handler || (sc->flags & CALL_LATER) || !(sc->errors >> -SYS_ERR_NO_MEMORY & 1))
			continue;
		for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
			here |= cases[i].number == n;
		ck_assert_msg(here, "%s declares NO_MEMORY and has no case in allocfail.c", sc->name);
	}
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("allocfail");
	TCase *each = tcase_create("case_fails");

	tcase_set_timeout(each, 120);
	tcase_add_loop_test(each, case_fails, 0, ARRAY_LEN(cases));
	suite_add_tcase(s, each);
	add_test(s, every_declared_call_is_here);
	return s;
}
