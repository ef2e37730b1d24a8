/* SPDX-License-Identifier: BSD-2-Clause */
/* familyworld.c: see familyworld.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "model/familyops.h"

#define AUX_PAGES 64u
#define PAGER_BADGE 77
#define MANY_ENTRIES  200000u            /* of the kernel, for one call */
#define MANY_REQUESTS 3000u             /* what is given up for a call may have to be brought again for it, but not for ever */

struct cnode *cs;
sys_cap_t cs_cap, pager_cap, vmar_cap;
sys_status_t world_failed;
u64 world_arm;
bool world_fired;

static struct thread *program, *server;
static struct space *space;
static sys_cap_t ep_cap, reply_cap, aux_cap;
static vaddr_t buffer, aux;
static struct wants wanted;
static sys_status_t fault_status;
static u64 stamp;
static unsigned requests;               /* of this call or access */
static bool refuses;                    /* some of them; else all that there is room for are answered */

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

void world_pattern(u8 *to, u64 size)
{
	u64 word = ++stamp * 0x9e3779b97f4a7c15;

	for (u64 i = 0; i < size; i += sizeof word, word += 0x0101010101010101)
		memcpy(to + i, &word, MIN(size - i, sizeof word));
}

vaddr_t world_buffer(void) { return buffer; }
void world_fill(u64 offset, const void *from, u64 size) { user_poke(space, buffer + offset, from, size); }
void world_take(u64 offset, void *to, u64 size) { user_peek(space, buffer + offset, to, size); }
const struct regs *world_regs(void) { return &program->context.regs; }
vaddr_t arena_at(u32 page) { return (1ull << 30) + ((u64)page - ARENA / 2) * PAGE_SIZE_; }

/* With TRACE in the environment, what was called and what came of it. */
static void trace(const struct thread *t, u64 number, const u64 *arg, unsigned args)
{
	static int on = -1;

	if (on < 0)
		on = getenv("TRACE") != NULL;
	if (!on)
		return;
	fprintf(stderr, "%s%" PRIu64, t == server ? "    " : "", number);
	for (unsigned i = 0; i < args; i++)
		fprintf(stderr, " %" PRIx64, arg[i]);
	fprintf(stderr, " -> %d %" PRIx64 "\n", user_status(t), t->context.regs.rdx);
}

/* ---- the server -------------------------------------------------------------------------------------------------- */

static sys_status_t serve_with(u64 number, const u64 *arg, unsigned args)
{
	user_enter_with(number, arg, args);
	while (user_in_call(server)) {
		must(user == server);
		user_again();
	}
	must(user == server);
	trace(server, number, arg, args);
	return user_status(server);
}
#define serve(number, ...) serve_with(number, USER_ARGS(__VA_ARGS__))

static void wait_for_work(void)
{
	user_enter(NR_ipc_recv, ep_cap, 0, reply_cap, SYS_TIME_INFINITE, 0, 4);
	while (user == server && user_in_call(server))
		user_again();
}

/* This page of the root is to come from the pager for that range. */
static bool is_wanted(const struct range *r, int root, u64 page)
{
	int c = r->c;
	struct m_page *p;
	u64 own_page = page;

	if (c == NONE || page >= vmo[root].limit || see(root, page, &p) != SYS_ERR_SHOULD_WAIT)
		return false;
	if (vmo[c].kind == CLONE) {
		if (vmo[c].root != root || page < vmo[c].first)
			return false;
		own_page = page - vmo[c].first;
	} else if (c != root) {
		return false;
	}
	return own_page >= r->lo && own_page < r->hi && see(c, own_page, &p) == SYS_ERR_SHOULD_WAIT;
}

/* Supplies pages [from, to) of the root, from the pages of aux with these numbers less `from`. */
static bool supply(int root, sys_cap_t name, u64 from, u64 to)
{
	static u8 bytes[AUX_PAGES][PAGE_SIZE_];
	bool zero[AUX_PAGES];
	sys_status_t status;
	u64 given, spared = reclaim_spared;

	for (u64 i = 0; i < to - from; i++) {
		const struct m_entry *e = entry_at(root, from + i);
		zero[i] = !e && chance(25);
		if (zero[i])
			continue;
		if (e)                          /* it comes back as it went */
			memcpy(bytes[i], e->p->byte, PAGE_SIZE_);
		else
			world_pattern(bytes[i], PAGE_SIZE_);
		user_poke(space, aux + i * PAGE_SIZE_, bytes[i], PAGE_SIZE_);
	}
	status = serve(NR_pager_supply_pages, pager_cap, name, from << PAGE_SHIFT, (to - from) << PAGE_SHIFT, aux_cap,
	               0);
	given = server->context.regs.rdx >> PAGE_SHIFT;
	spared = reclaim_spared - spared;
	must(given + spared <= to - from && (status == SYS_OK ? given + spared == to - from : status == SYS_ERR_NO_MEMORY));
	for (u64 i = 0; i < to - from; i++) {
		if (there_is(root, from + i) == TREE_EMPTY)
			continue;               /* the next one has not come, or has gone already, which was counted or not */
		struct m_page *p = zero[i] ? NULL : page_new(NULL);
		if (p)
			memcpy(p->byte, bytes[i], PAGE_SIZE_);
		entry_put(root, from + i, p);
		must(given-- > 0);
	}
	must(given == 0 || reclaimed[vmo[root].account]);
	if (status == SYS_OK)
		return true;
	must(serve(NR_vmo_op_range, aux_cap, SYS_VMO_OP_DECOMMIT, 0, AUX_PAGES * PAGE_SIZE_, 0, 0) == SYS_OK);
	return false;
}

static bool waits_for_page(void) { return program->state == SYS_THREAD_WAITING && program->wait == WAIT_PAGE; }

/* It is the end of the call or access if that waits for one of these pages. */
static void give_error(int root, sys_cap_t name, u64 from, u64 to, sys_status_t code)
{
	bool waits = waits_for_page();
	u64 page = program->page.page;

	must(serve(NR_pager_op_range, pager_cap, SYS_PAGER_OP_FAIL, name, from << PAGE_SHIFT, (to - from) << PAGE_SHIFT,
	           (u64)code) == SYS_OK);
	if (!waits || waits_for_page())
		return;
	world_failed = code;
	refused = (struct refused){ root, page };
}

static bool all_wanted(const struct range *r, int root, u64 first, u64 end)
{
	for (u64 page = first; page < end; page++)
		if (!is_wanted(r, root, page))
			return false;
	return wanted.pieces || end - first == REQUEST_PAGES || !is_wanted(r, root, end);
}

static void check_request(int root, u64 first, u64 end)
{
	must(first < end && end - first <= REQUEST_PAGES);
	must(all_wanted(&wanted.first, root, first, end) || all_wanted(&wanted.also, root, first, end));
}

/* Answers all pages of a request, in pieces of any order. */
static void answer(int root, u64 first, u64 end)
{
	static const sys_status_t code[] = {
		SYS_ERR_IO, SYS_ERR_IO_DATA_INTEGRITY, SYS_ERR_BAD_STATE, SYS_ERR_NO_SPACE, SYS_ERR_BUFFER_TOO_SMALL,
	};
	sys_cap_t name = slot_cap(cap_put(cs, vmo[root].v, NULL, 0));   /* a capability that the model has no part in */
	struct m_page *p;

	check_request(root, first, end);
	must(++requests < MANY_REQUESTS);
	while (first < end) {
		u64 from = first, to = end, split = first + choose(end - first);
		if (split != first && chance(50))
			from = split;
		else if (split != first)
			to = split;
		to = MIN(to, from + AUX_PAGES);
		for (u64 page = from; page < to; page++)
			if (see(root, page, &p) == SYS_OK)
				to = page;
		if (from == to) {
			first += from == first;
		} else if ((refuses && chance(25)) || !room_for(root, to - from) || !supply(root, name, from, to)) {
			give_error(root, name, from, end, code[choose(ARRAY_LEN(code))]);
			end = from;
		}
	}
	must(!waits_for_page());
	must(serve(NR_cap_delete, name) == SYS_OK);
}

static void disarm(void)
{
	world_fired |= world_arm && !host_fail_charge_at;
	host_fail_charge_at = world_arm = 0;
}

/* The message that came. */
static void work(void)
{
	const struct regs r = server->context.regs;

	must(user_status(server) == SYS_OK);
	disarm();
	if (r.r8 == SYS_PAGER_READ) {
		must(r.rdx == PAGER_BADGE && r.r12 < VMOS && vmo[r.r12].v && vmo[r.r12].kind == ROOT);
		must(page_aligned(r.r13) && page_aligned(r.r14));
		answer((int)r.r12, r.r13 >> PAGE_SHIFT, (r.r13 + r.r14) >> PAGE_SHIFT);
		return;
	}
	must(r.r8 == SYS_FAULT_PAGE);
	fault_status = (sys_status_t)(i64)r.r15;
	must(fault_status < 0);
	must(serve(NR_ipc_reply, reply_cap, 0, 0, 0, 0, 0) == SYS_OK);
}

static void begin(struct wants wants)
{
	wanted = wants;
	world_failed = SYS_OK;
	refused.root = NONE;
	requests = 0;
	refuses = chance(50) || wants.also.c != NONE;   /* two pages at once may not have room, however often they are brought */
	host_fail_charge_at = world_arm;
	under_way = true;
}

static void until_back(void)
{
	unsigned entries = 0;

	while (user != program || user_in_call(program)) {
		if (user == program) {
			must(++entries < MANY_ENTRIES);
			user_again();
		} else {
			must(user == server);
			if (!user_in_call(server))
				work();
			wait_for_work();
		}
	}
}

/* ---- the first program ------------------------------------------------------------------------------------------- */

sys_status_t world_call_with(struct wants wants, u64 number, const u64 *arg, unsigned args)
{
	must(user == program);
	begin(wants);
	user_enter_with(number, arg, args);
	until_back();
	under_way = false;
	disarm();
	trace(program, number, arg, args);
	return user_status(program);
}

sys_status_t world_access(struct wants wants, u32 page, bool write, u8 **at)
{
	vaddr_t va = arena_at(page);

	begin(wants);
	fault_status = SYS_OK;
	while (!(*at = pt_reach(space->root, va, write ? PT_WRITE : PT_READ))) {
		user_fault(va, write ? SYS_ACCESS_WRITE : SYS_ACCESS_READ);
		until_back();
		if (fault_status != SYS_OK)
			break;
	}
	under_way = false;
	disarm();
	return fault_status;
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

static void make_accounts(void)
{
	static const u64 least[ACCOUNTS] = { 40, 20, 60, 200 };

	for (int i = 0; i < ACCOUNTS; i++) {
		u64 total = least[i] + choose(2 * least[i]);
		struct account *a = account_new(account_root(), total);
		int c = cap_new(slot_cap(cap_put(cs, a, NULL, SLOT_FIRST)), NONE, NONE, SYS_RIGHTS_UNTYPED);
		must(c == i);
		payer[i] = (struct m_account){ .a = a, .total = total, .most = total };
	}
}

static void make_pager(void)
{
	struct pager *p;

	must(pager_create(account_root(), PAGER_BADGE, &p) == SYS_OK);
	ipc_bind_pager(p, (struct endpoint *)cnode_lookup(cs, ep_cap)->object, PAGER_BADGE);
	pager_cap = slot_cap(cap_put(cs, p, NULL, SLOT_FIRST));
}

void world_new_pager(void)
{
	must(world_call(NO_WANTS, NR_cap_delete, pager_cap) == SYS_OK);
	for (int i = 0; i < VMOS; i++)
		vmo[i].orphan |= vmo[i].v && vmo[i].kind == ROOT;
	make_pager();
}

static void make_server(void)
{
	struct vmo *v;
	struct endpoint *ep = object_new(account_root(), SYS_TYPE_ENDPOINT);

	ep_cap = slot_cap(cap_put(cs, ep, NULL, SLOT_FIRST));
	make_pager();
	ipc_set_fault_endpoint(program, ep, 0);
	reply_cap = slot_cap(cap_put(cs, object_new(account_root(), SYS_TYPE_REPLY), NULL, SLOT_FIRST));
	must(vmo_create(account_root(), AUX_PAGES * PAGE_SIZE_, 0, &v) == SYS_OK);
	aux_cap = slot_cap(cap_put(cs, v, NULL, SLOT_FIRST));
	must(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, v, SYS_RIGHTS_VMO, 0,
	              v->size, NULL, &aux) == SYS_OK);
}

void world_start(void)
{
	user_boot(3400);
	stamp = 0;
	cs = cnode_new(account_root(), 256);
	object_cap(&cs->object);
	make_accounts();
	must(space_create(payer[0].a, false, &space) == SYS_OK);
	cs_cap = slot_cap(cap_put(cs, cs, NULL, SLOT_FIRST));
	vmar_cap = slot_cap(cap_put(cs, space, NULL, SLOT_FIRST));
	buffer = user_memory(space, BUFFER_PAGES);
	program = user_new(account_root(), cs, space, 1);
	server = user_new(account_root(), cs, space, 2);
	make_server();
	user_begin();
	must(user == server);
	wait_for_work();
	must(user == program);
}
