/* SPDX-License-Identifier: BSD-2-Clause */
/* grow.c: see grow.h. */
#include "grow.h"

#include <string.h>

#include "image.h"

enum { NODES = 10, POOL = 12, STACK_PAGES = 2, STACKS = 8, LENT_PAGES = 8, PAGED_PAGES = 16, LISTINGS = 4 };
#define TREE_STACKS 0x31415000ul
#define TREE_PAGED 0x35426000ul
#define RW (SYS_VM_PERM_READ | SYS_VM_PERM_WRITE)

/* Names in the CSpace of each process of the tree. */
enum { OWN_EP = SYS_CAP_FIRST_FREE, OWN_NTFN, OWN_REPLY, OWN_PAGED, OWN_PAGER, OWN_LENT_EP, OWN_LENT_NTFN, OWN_LENT_PAGED };

struct grow_lent grow_lent;

struct node { sys_cap_t account, cnode, vmar; unsigned stacks; };

static struct {
	uint64_t random;
	unsigned left, made, list_from;         /* calls; from which one on capabilities are listed before it */
	struct grown grown;
	bool strict, stopped;
	sys_cap_t root;
	struct node node[NODES];
	unsigned nodes;
	sys_cap_t pool[SYS_TYPE_CONSOLE + 1][POOL];
} tree;

static uint64_t draw(uint64_t below)
{
	return (random_next(&tree.random) >> 11) % below;
}

/* ---- one call -------------------------------------------------------------------------------------------------- */

/* What a failed call must not have changed: the accounts, and what stands in our CSpace. */
struct picture { sys_untyped_info_t account[NODES + 1]; uint64_t listing; };

static uint64_t list_capabilities(void)
{
	uint64_t sum = 0;
	sys_cap_info_t info;
	sys_cap_t name;

	for (uint32_t slot = 1; sys_cnode_info(SYS_CAP_CNODE, slot, &name, &info) == SYS_OK; slot++)
		sum = sum * 31 + (name ^ info.koid ^ (uint64_t)info.rights << 40 ^ (uint64_t)info.derived << 39);
	return sum;
}

static void take_picture(struct picture *picture)
{
	memset(picture, 0, sizeof(*picture));
	for (unsigned i = 0; i <= tree.nodes; i++) {
		sys_cap_t cap = i == 0 ? tree.root : tree.node[i - 1].account;
		if (sys_untyped_info(cap, &picture->account[i]) == SYS_OK)
			picture->account[i].peak = 0;
	}
	if (tree.made >= tree.list_from && tree.made < tree.list_from + LISTINGS)
		picture->listing = list_capabilities();
}

static struct picture before;

static bool may_call(void)
{
	if (tree.left == 0) {
		tree.stopped = true;
		return false;
	}
	tree.left--;
	tree.made++;
	if (tree.strict) {
		take_picture(&before);
		uint64_t taken = before.account[0].used + before.account[0].promised;
		tree.grown.bytes = taken > tree.grown.bytes ? taken : tree.grown.bytes;
	}
	return true;
}

static bool called(sys_status_t status, const char *what)
{
	static struct picture now;

	if (status == SYS_OK)
		return true;
	if (status == SYS_ERR_NO_MEMORY && tree.grown.first_short == 0)
		tree.grown.first_short = tree.made;
	if (tree.strict) {
		take_picture(&now);
		for (unsigned i = 0; i <= tree.nodes; i++)
			if (now.account[i].used > before.account[i].used ||     /* less, where pages of zeros went */
			    now.account[i].promised != before.account[i].promised)
				FAIL("%s gives %s, and account %u has changed: used %ld, was %ld; promised %ld, was %ld",
				     what, sys_status_string(status), i, (long)now.account[i].used,
				     (long)before.account[i].used, (long)now.account[i].promised,
				     (long)before.account[i].promised);
		if (now.listing != before.listing)
			FAIL("%s gives %s, and capabilities have changed", what, sys_status_string(status));
	}
	return false;
}

/* Makes the call if there is one left; true: it succeeded. */
#define DO(CALL) outcome(may_call() && called((CALL), #CALL))
static bool outcome(bool succeeded)
{
	return succeeded;
}

/* ---- what there is --------------------------------------------------------------------------------------------- */

static void remember(enum sys_type type, sys_cap_t cap)
{
	tree.pool[type][draw(POOL)] = cap;
}

static sys_cap_t any(enum sys_type type)
{
	uint64_t from = draw(POOL);

	for (unsigned i = 0; i < POOL; i++)
		if (tree.pool[type][(from + i) % POOL] != SYS_CAP_NULL)
			return tree.pool[type][(from + i) % POOL];
	return SYS_CAP_NULL;
}

static sys_cap_t any_at_all(void)
{
	return any((enum sys_type)(SYS_TYPE_UNTYPED + draw(SYS_TYPE_PIN)));
}

static struct node *any_node(void)
{
	return tree.nodes > 0 ? &tree.node[draw(tree.nodes)] : NULL;
}

static sys_cap_t any_account(void)
{
	const struct node *node = any_node();
	return node != NULL && draw(4) ? node->account : tree.root;
}

static sys_cap_t any_cnode(void)
{
	const struct node *node = any_node();

	switch (draw(4)) {
	case 0: return grow_lent.cnode;
	case 1: return SYS_CAP_CNODE;
	default: return node != NULL && node->cnode != SYS_CAP_NULL ? node->cnode : grow_lent.cnode;
	}
}

/* ---- what the tree's threads do: constants and their own stacks only --------------------------------------------- */

enum act {
	SPIN, SEND, SEND_CAPS, SEND_LENT, CALL, CALL_LENT, RECEIVE, SERVE_NEVER, WAIT, WAIT_LENT, SLEEP, FUTEX, FAULT, TRAP,
	TOUCH, TOUCH_LENT, READ_PAGED, COMMIT_PAGED, RECEIVE_REQUESTS, MAKE_THINGS, MAKE_PROCESSES, END, ACTS
};

static sys_status_t send_caps(sys_cap_t ep)
{
	sys_msg_t msg;

	memset(&msg, 0, sizeof(msg));
	msg.words = SYS_MSG_WORDS;
	for (msg.caps = 0; msg.caps < SYS_MSG_CAPS; msg.caps++)
		if (sys_cap_copy(OWN_NTFN, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &msg.cap[msg.caps]) != SYS_OK)
			break;
	return sys_ipc_send(ep, &msg, SYS_TIME_INFINITE);
}

static sys_status_t message(enum act act)
{
	sys_msg_t msg;
	uint64_t badge;

	memset(&msg, 0, sizeof(msg));
	msg.words = 12;
	msg.accept = SYS_MSG_CAPS;
	if (act == CALL || act == CALL_LENT)
		return sys_ipc_call(act == CALL ? OWN_EP : OWN_LENT_EP, &msg, SYS_TIME_INFINITE);
	if (act == RECEIVE || act == SERVE_NEVER)
		return sys_ipc_recv(OWN_EP, OWN_REPLY, &msg, &badge, SYS_TIME_INFINITE);
	return sys_ipc_send(act == SEND ? OWN_EP : OWN_LENT_EP, &msg, SYS_TIME_INFINITE);
}

/* Objects, memory that is used, accounts, threads that never start: until the account is full, and then again. */
static void make_things(void)
{
	sys_cap_t made[6];
	uint64_t word = 1;

	for (;;) {
		memset(made, 0, sizeof(made));
		sys_endpoint_create(SYS_CAP_UNTYPED, &made[0]);
		if (sys_vmo_create(SYS_CAP_UNTYPED, 4 * PAGE, 0, &made[1]) == SYS_OK)
			sys_vmo_write(made[1], &word, PAGE, sizeof(word));
		sys_vmo_create_child(made[1], SYS_CAP_UNTYPED, SYS_VMO_CHILD_SNAPSHOT, 0, 4 * PAGE, &made[2]);
		sys_thread_create(SYS_CAP_UNTYPED, SYS_CAP_CNODE, SYS_CAP_VMAR, made[0], &made[3]);
		sys_untyped_create(SYS_CAP_UNTYPED, PAGE, &made[4]);
		sys_vspace_create(SYS_CAP_UNTYPED, SYS_CAP_NULL, 0, &made[5]);
		if (word++ % 2)
			for (unsigned i = 0; i < 6; i++)
				sys_cap_delete(made[i]);
	}
}

static void spin(void)
{
	for (volatile bool on = true; on;)
		__asm__ volatile("pause");
}

/* Threads in its own process that do something else. */
static int64_t act(void *arg);
static void make_processes(void)
{
	for (uint64_t i = 0;; i++) {
		sys_cap_t thread;
		sys_time_t end = sys_clock_get() + 20000;
		uint64_t bits, what = i % 2 ? SEND_CAPS : CALL;

		if (sys_thread_create(SYS_CAP_UNTYPED, SYS_CAP_CNODE, SYS_CAP_VMAR, OWN_EP, &thread) == SYS_OK)
			sys_thread_start(thread, (sys_vaddr_t)helper_entry, TREE_STACKS + PAGE, (uint64_t)act, what);
		sys_notification_wait(OWN_NTFN, &bits, end);
		if (i % 3 == 0)
			sys_cap_delete(thread);
	}
}

static int64_t act(void *arg)
{
	uint64_t bits, word[64] = {0};
	const uint32_t *futex = (const uint32_t *)TREE_STACKS;
	sys_pager_request_t request;
	size_t actual;

	switch ((enum act)(uint64_t)arg) {
	case SEND: case SEND_LENT: case CALL: case CALL_LENT: case RECEIVE: return message((enum act)(uint64_t)arg);
	case SEND_CAPS: return send_caps(OWN_EP);
	case SERVE_NEVER: message(SERVE_NEVER); return sys_notification_wait(OWN_NTFN, &bits, SYS_TIME_INFINITE);
	case WAIT: return sys_notification_wait(OWN_NTFN, &bits, SYS_TIME_INFINITE);
	case WAIT_LENT: return sys_notification_wait(OWN_LENT_NTFN, &bits, SYS_TIME_INFINITE);
	case SLEEP: return sys_notification_wait(OWN_NTFN, &bits, sys_clock_get() + 1000 * SECOND);
	case FUTEX: return sys_futex_wait(futex, *futex, SYS_TIME_INFINITE);
	case FAULT: __asm__ volatile("movq 8, %%rax" ::: "rax"); return 0;
	case TRAP: __asm__ volatile("ud2"); return 0;
	case TOUCH: return *(volatile int64_t *)TREE_PAGED;
	case TOUCH_LENT: return sys_vmo_write(OWN_LENT_PAGED, word, 2 * PAGE, sizeof(word));
	case READ_PAGED: return sys_vmo_read(OWN_PAGED, word, PAGE, sizeof(word));
	case COMMIT_PAGED: return sys_vmo_op_range(OWN_PAGED, SYS_VMO_OP_COMMIT, 0, 8 * PAGE, NULL, 0);
	case RECEIVE_REQUESTS: return sys_pager_recv(OWN_PAGER, &request, 1, &actual, SYS_TIME_INFINITE);
	case MAKE_THINGS: make_things(); return 0;
	case MAKE_PROCESSES: make_processes(); return 0;
	case SPIN: spin(); return 0;
	case END: case ACTS: break;
	}
	return 0;
}

/* ---- a process ------------------------------------------------------------------------------------------------- */

static void give(const struct node *node, sys_cap_t cap, sys_cap_t name)
{
	sys_cap_t got;

	if (cap != SYS_CAP_NULL)
		DO(sys_cap_copy(cap, node->cnode, name, SYS_RIGHTS_SAME, &got));
}

static void give_all(const struct node *node)
{
	give(node, node->cnode, SYS_CAP_CNODE);         /* a CNode that holds itself */
	give(node, node->vmar, SYS_CAP_VMAR);
	give(node, node->account, SYS_CAP_UNTYPED);     /* and its own account's capability */
	give(node, grow_lent.ep, OWN_LENT_EP);
	give(node, grow_lent.ntfn, OWN_LENT_NTFN);
	give(node, grow_lent.paged, OWN_LENT_PAGED);
	give(node, any(SYS_TYPE_ENDPOINT), OWN_EP);
	give(node, any(SYS_TYPE_NOTIFICATION), OWN_NTFN);
	give(node, any(SYS_TYPE_PAGER), OWN_PAGER);
}

static void fill_space(const struct node *node)
{
	sys_cap_t stacks, reply, got, paged = any(SYS_TYPE_VMO);

	DO(image_map(node->vmar));
	if (DO(sys_vmo_create(node->account, STACKS * STACK_PAGES * PAGE, 0, &stacks)))
		DO(image_map_at(node->vmar, RW, TREE_STACKS, stacks, 0, STACKS * STACK_PAGES * PAGE));
	give(node, paged, OWN_PAGED);
	if (paged != SYS_CAP_NULL)
		DO(image_map_at(node->vmar, RW, TREE_PAGED, paged, 0, PAGE));
	if (DO(sys_reply_create(node->account, &reply)))
		DO(sys_cap_move(reply, node->cnode, OWN_REPLY, &got));
}

static void new_process(void)
{
	struct node node = {0};

	if (tree.nodes == NODES || !DO(sys_untyped_create(any_account(), (tree.strict ? 50 + draw(50) : 60 + draw(300)) * PAGE, &node.account)))
		return;
	struct node *own = &tree.node[tree.nodes++];
	*own = node;
	remember(SYS_TYPE_UNTYPED, own->account);
	if (!DO(sys_cnode_create(own->account, 64u << draw(2), &own->cnode)) ||
	    !DO(sys_vspace_create(own->account, SYS_CAP_NULL, 0, &own->vmar)))
		return;
	remember(SYS_TYPE_CNODE, own->cnode);
	remember(SYS_TYPE_VMAR, own->vmar);
	give_all(own);
	fill_space(own);
}

static void new_thread_in(struct node *node, enum act what)
{
	sys_cap_t thread, fault_ep = draw(2) ? any(SYS_TYPE_ENDPOINT) : SYS_CAP_NULL, got;

	if (node->vmar == SYS_CAP_NULL || node->stacks == STACKS ||
	    !DO(sys_thread_create(node->account, node->cnode, node->vmar, fault_ep, &thread)))
		return;
	remember(SYS_TYPE_THREAD, thread);
	bool busy = what == SPIN || what == MAKE_THINGS || what == MAKE_PROCESSES;
	DO(sys_thread_set_priority(thread, own_priority() - (busy ? 2 : 1)));
	DO(sys_cap_copy(thread, node->cnode, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &got));
	DO(sys_thread_start(thread, (sys_vaddr_t)helper_entry, TREE_STACKS + ++node->stacks * STACK_PAGES * PAGE,
			    (uint64_t)act, what));
}

static void new_thread_somewhere(void)
{
	struct node *node = any_node();
	if (node != NULL)
		new_thread_in(node, (enum act)draw(ACTS));
}

/* ---- objects --------------------------------------------------------------------------------------------------- */

static void new_small_object(void)
{
	static sys_status_t (*const create[])(sys_cap_t, sys_cap_t *) = {
		sys_endpoint_create, sys_notification_create, sys_reply_create};
	static const enum sys_type type[] = {SYS_TYPE_ENDPOINT, SYS_TYPE_NOTIFICATION, SYS_TYPE_REPLY};
	uint64_t which = draw(3);
	sys_cap_t cap;

	if (DO(create[which](any_account(), &cap)))
		remember(type[which], cap);
}

static void new_pager_and_vmo(void)
{
	sys_cap_t own, server, paged, aux, account = any_account();
	uint64_t fresh;

	if (!DO(sys_endpoint_create(account, &own)) || !DO(sys_pager_create(any_account(), own, 1, &server)))
		return;
	remember(SYS_TYPE_ENDPOINT, own);
	remember(SYS_TYPE_PAGER, server);
	if (!DO(sys_pager_create_vmo(server, any_account(), draw(2) ? SYS_VMO_RESIZABLE : 0, 3, PAGED_PAGES * PAGE, &paged)))
		return;
	remember(SYS_TYPE_VMO, paged);
	if (draw(2) && DO(sys_vmo_create(account, PAGE, 0, &aux)))
		DO(sys_pager_supply_pages(server, paged, draw(PAGED_PAGES) * PAGE, PAGE, aux, 0, &fresh));
}

static void new_vmo_somewhere(void)
{
	sys_cap_t vmo;
	uint64_t word = tree.random, at = draw(64) * PAGE;

	if (!DO(sys_vmo_create(any_account(), 64 * PAGE, draw(2) ? SYS_VMO_RESIZABLE : 0, &vmo)))
		return;
	remember(SYS_TYPE_VMO, vmo);
	DO(sys_vmo_write(vmo, &word, at, sizeof(word)));
	DO(sys_vmo_write(vmo, &word, draw(64) * PAGE, sizeof(word)));
}

static void new_child(void)
{
	static const uint32_t kinds[] = {
		SYS_VMO_CHILD_SNAPSHOT, SYS_VMO_CHILD_SNAPSHOT, SYS_VMO_CHILD_SNAPSHOT_AT_LEAST_ON_WRITE,
		SYS_VMO_CHILD_SNAPSHOT_MODIFIED, SYS_VMO_CHILD_SLICE, SYS_VMO_CHILD_REFERENCE};
	uint32_t kind = kinds[draw(6)];
	bool whole = kind == SYS_VMO_CHILD_REFERENCE;
	sys_cap_t child;

	if (DO(sys_vmo_create_child(any(SYS_TYPE_VMO), any_account(), kind, whole ? 0 : draw(8) * PAGE,
				    whole ? 0 : (1 + draw(16)) * PAGE, &child)))
		remember(SYS_TYPE_VMO, child);
}

static void new_mapping(void)
{
	sys_cap_t inner;
	sys_vaddr_t at;

	if (draw(3) == 0 && DO(sys_vmar_allocate(any(SYS_TYPE_VMAR), SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE, 0,
						 (1 + draw(64)) * PAGE, &inner, &at)))
		remember(SYS_TYPE_VMAR, inner);
	if (DO(sys_vmar_map(any(SYS_TYPE_VMAR), RW, 0, draw(8) ? any(SYS_TYPE_VMO) : grow_lent.vmo, 0,
			    (1 + draw(16)) * PAGE, &at)) && draw(3) == 0)
		DO(sys_vmar_protect(any(SYS_TYPE_VMAR), SYS_VM_PERM_READ, at, PAGE));
}

/* ---- use ------------------------------------------------------------------------------------------------------- */

static void change_content(void)
{
	sys_cap_t vmo = any(SYS_TYPE_VMO);

	switch (draw(4)) {
	case 0: DO(sys_vmo_set_size(vmo, draw(80) * PAGE)); break;
	case 1: DO(sys_vmo_op_range(vmo, SYS_VMO_OP_DECOMMIT, 0, draw(16) * PAGE, NULL, 0)); break;
	case 2: DO(sys_vmo_op_range(vmo, SYS_VMO_OP_ZERO, PAGE, PAGE, NULL, 0)); break;
	default: DO(sys_pager_op_range(any(SYS_TYPE_PAGER), SYS_PAGER_OP_FAIL, vmo, 0, PAGE, SYS_ERR_IO)); break;
	}
}

static void receive_something(void)
{
	sys_msg_t msg = {.accept = (uint16_t)draw(5)};

	DO(sys_ipc_recv(draw(4) ? any(SYS_TYPE_ENDPOINT) : grow_lent.ep, any(SYS_TYPE_REPLY), &msg, NULL, SYS_TIME_POLL));
}

static void treat_thread(void)
{
	sys_cap_t thread = any(SYS_TYPE_THREAD);

	switch (draw(7)) {
	case 0: case 1: DO(sys_thread_suspend(thread)); break;
	case 2: DO(sys_thread_resume(thread)); break;
	case 3: DO(sys_thread_kill(thread, 3)); break;
	case 4: DO(sys_thread_bind_notification(thread, any(SYS_TYPE_NOTIFICATION))); break;
	case 5: DO(sys_thread_set_fault_endpoint(thread, any(SYS_TYPE_ENDPOINT))); break;
	default: DO(sys_thread_set_status_record(thread, any(SYS_TYPE_VMO), 0)); break;
	}
}

static void spread(void)
{
	sys_cap_t cap = any_at_all(), to = any_cnode(), got;

	switch (draw(5)) {
	case 0: DO(sys_cap_mint(any(SYS_TYPE_ENDPOINT), to, SYS_SLOT_ANY, SYS_RIGHTS_SAME, draw(9) + 1, &got)); break;
	case 1: DO(sys_cap_move(cap, to, SYS_SLOT_ANY, &got)); break;
	default: DO(sys_cap_copy(cap, to, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &got)); break;
	}
}

static void watch_something(void)
{
	enum sys_event event = (enum sys_event)(1 + draw(5));
	DO(sys_cap_watch(any_at_all(), event, PAGE, draw(2) ? grow_lent.ntfn : any(SYS_TYPE_NOTIFICATION), 1));
}

static void clone_space(void)
{
	const struct node *node = any_node();
	sys_cap_t copy;

	if (node != NULL && DO(sys_vmar_clone(node->vmar, any_account(), &copy)))
		remember(SYS_TYPE_VMAR, copy);
}

static void new_pin(void)
{
	sys_paddr_t address;
	sys_cap_t pin;

	if (DO(sys_vmo_pin(any(SYS_TYPE_VMO), SYS_CAP_RESOURCE, any_account(), SYS_PIN_READ, 0, PAGE, &address, 1, &pin)))
		remember(SYS_TYPE_PIN, pin);
}

static void end_something(void)
{
	if (draw(3))
		DO(sys_cap_delete(any_at_all()));
	else
		DO(sys_cap_revoke(any_at_all()));
}

static void run_a_little(void)
{
	grow_run((sys_time_t)draw(60000));
}

static void (*const steps[])(void) = {
	new_process, new_process, new_thread_somewhere, new_thread_somewhere, new_thread_somewhere, new_small_object,
	new_small_object, new_pager_and_vmo, new_vmo_somewhere, new_vmo_somewhere, new_child, new_child, new_mapping,
	new_mapping, change_content, receive_something, treat_thread, spread, spread, watch_something, clone_space,
	new_pin, end_something, run_a_little, run_a_little, run_a_little,
};

struct grown grow(sys_cap_t root, uint64_t seed, unsigned calls, unsigned strict_from)
{
	memset(&tree, 0, sizeof(tree));
	tree.random = seed;
	tree.left = calls;
	tree.strict = strict_from != GROW_FREELY;
	tree.list_from = strict_from;
	tree.root = root;
	while (!tree.stopped) {
		unsigned left = tree.left;
		steps[draw(sizeof(steps) / sizeof(steps[0]))]();
		tree.stopped |= tree.left == 0 && left == 0;
	}
	return tree.grown;
}

void grow_activity(void)
{
	tree.left = 1000;
	for (unsigned i = 0; i < tree.nodes; i++) {
		new_thread_in(&tree.node[i], MAKE_THINGS);
		new_thread_in(&tree.node[i], MAKE_PROCESSES);
		new_thread_in(&tree.node[i], SEND_LENT);
	}
}

/* ---- the parent's ---------------------------------------------------------------------------------------------- */

void grow_run(sys_time_t ns)
{
	sys_time_t end = after(ns);
	static sys_cap_t never;
	uint64_t bits;

	if (cap_is_gone(never))
		never = new_notification();
	STATUS(SYS_ERR_TIMED_OUT, sys_notification_wait(never, &bits, end));
}

void grow_lend(void)
{
	grow_lent.ep = new_endpoint();
	grow_lent.ntfn = new_notification();
	grow_lent.vmo = new_vmo(LENT_PAGES * PAGE);
	for (uint64_t i = 0; i < LENT_PAGES; i++)
		put(grow_lent.vmo, i * PAGE, 500 + i);
	grow_lent.pager = new_pager(&grow_lent.pager_ep);
	OKAY(sys_pager_create_vmo(grow_lent.pager, ut, 0, 8, PAGED_PAGES * PAGE, &grow_lent.paged));
	grow_lent.cnode = new_cnode(1024);
	image_begin();
	grow_run(1);
}

static void check_foreign(void)
{
	sys_cap_info_t info;
	sys_cap_t name;

	for (uint32_t slot = 1; slot < 256; slot++) {
		OKAY(sys_cnode_info(grow_lent.cnode, slot, &name, &info));
		if (info.type == SYS_TYPE_NONE)
			continue;
		OKAY(sys_cnode_delete(grow_lent.cnode, name));
		/* Minted from, or copies of, what the parent lent: nothing else can be left. */
		CHECK(info.koid == cap_info(grow_lent.ep).koid || info.koid == cap_info(grow_lent.ntfn).koid);
	}
}

void grow_check_lent(void)
{
	sys_msg_t msg = {0};
	uint64_t bits;

	check_foreign();
	STATUS(SYS_ERR_TIMED_OUT, sys_ipc_recv(grow_lent.ep, SYS_CAP_NULL, &msg, NULL, SYS_TIME_POLL));
	STATUS(SYS_ERR_TIMED_OUT, sys_ipc_send(grow_lent.ep, &msg, SYS_TIME_POLL));
	OKAY(sys_notification_signal(grow_lent.ntfn, 4));
	OKAY(sys_notification_wait(grow_lent.ntfn, &bits, SYS_TIME_POLL));
	CHECK(bits & 4);
	for (uint64_t i = 0; i < LENT_PAGES; i++)
		EQ(get(grow_lent.vmo, i * PAGE), 500 + i);
	EQ(vmo_info(grow_lent.vmo).mappings, 0);
	sys_pager_request_t request;
	size_t actual;
	STATUS(SYS_ERR_TIMED_OUT, sys_pager_recv(grow_lent.pager, &request, 1, &actual, SYS_TIME_POLL));
}
