/* SPDX-License-Identifier: BSD-2-Clause */
/* watch.c: sys_cap_watch: each event, at once where it holds already and each time it comes true; what becomes of a
 * watch whose slot, notification or object moves or ends; thousands of watchers; accounts that run low, to the frame. */
#include "common/helper.h"

enum { FRAMES = 64, MANY = 5000, BITS = 64 };

static sys_cap_t ntfn, small, content;

/* What was signalled since the last look. */
static uint64_t bits_of(sys_cap_t from)
{
	uint64_t bits = 0;
	sys_status_t status = sys_notification_wait(from, &bits, SYS_TIME_POLL);

	CHECK(status == SYS_OK || status == SYS_ERR_TIMED_OUT);
	return status == SYS_OK ? bits : 0;
}

#define WATCH(CAP, EVENT, BITS_WANTED) OKAY(sys_cap_watch((CAP), SYS_EVENT_##EVENT, 0, ntfn, (BITS_WANTED)))
#define TOLD(BITS_WANTED) EQ(bits_of(ntfn), (BITS_WANTED))

static sys_cap_t copy_of(sys_cap_t cap) { return reduced(cap, SYS_RIGHTS_SAME); }
static sys_cap_t moved(sys_cap_t cap, sys_cap_t cnode)
{
	sys_cap_t name;
	OKAY(sys_cap_move(cap, cnode, SYS_SLOT_ANY, &name));
	return name;
}

/* ---- the events ---- */

TEST("cap_watch:OK ZERO_CHILDREN at once, and each time the last one goes")
{
	sys_cap_t vmo = new_vmo(4 * PAGE), one, two;

	ntfn = new_notification();
	WATCH(vmo, ZERO_CHILDREN, 1);
	TOLD(1);
	TOLD(0);
	for (int round = 0; round < 3; round++) {
		one = new_snapshot(vmo, 0, PAGE);
		two = new_snapshot(vmo, 0, 4 * PAGE);
		OKAY(sys_cap_delete(one));
		TOLD(0);
		OKAY(sys_cap_delete(two));
		TOLD(1);
	}
	one = new_snapshot(vmo, 0, PAGE);
	WATCH(vmo, ZERO_CHILDREN, 2);           /* not at once: there is one */
	TOLD(0);
	OKAY(sys_cap_delete(one));
	TOLD(2);
}

static int64_t returns_seven(void *arg)
{
	(void)arg;
	return 7;
}

TEST("cap_watch:OK EXITED by its own exit, by a kill, by its account's end, and at once")
{
	sys_cap_t own = helper_prepare(returns_seven, NULL, SYS_CAP_NULL, own_priority()), killed = new_thread();
	sys_cap_t account_cap = new_untyped(FRAMES * PAGE), ended;

	ntfn = new_notification();
	OKAY(sys_thread_create(account_cap, SYS_CAP_CNODE, SYS_CAP_VMAR, SYS_CAP_NULL, &ended));
	WATCH(own, EXITED, 1);
	WATCH(killed, EXITED, 2);
	WATCH(ended, EXITED, 4);
	TOLD(0);
	helper_go(own);
	EQ(until_exited(own), 7);
	TOLD(1);
	OKAY(sys_thread_kill(killed, 3));
	TOLD(2);
	OKAY(sys_cap_revoke(account_cap));
	TOLD(0);                                /* its slot went first, and the watch with it */
	WATCH(own, EXITED, 8);
	WATCH(killed, EXITED, 16);
	TOLD(8 | 16);
}

TEST("cap_watch:OK EXITED wakes who waits for it, before the killer goes on")
{
	sys_cap_t thread = new_thread();
	sys_thread_info_t info;
	uint64_t bits = 0;

	ntfn = new_notification();
	WATCH(thread, EXITED, 1ull << 63);
	OKAY(sys_thread_start(thread, (sys_vaddr_t)helper_entry, 0, 0, 0));      /* it jumps to nowhere */
	OKAY(sys_notification_wait(ntfn, &bits, after(LIMIT)));
	EQ(bits, 1ull << 63);
	OKAY(sys_thread_info(thread, &info));
	EQ(info.state, SYS_THREAD_EXITED);
}

TEST("cap_watch:OK ABANDONED when the last capability with RECV goes, seen through one with SEND")
{
	sys_cap_t ep = new_endpoint(), send = reduced(ep, SYS_RIGHT_SEND | SYS_RIGHT_INSPECT), recv = copy_of(ep);

	ntfn = new_notification();
	WATCH(send, ABANDONED, 1);
	OKAY(sys_cap_delete(ep));
	TOLD(0);
	OKAY(sys_cap_delete(recv));
	TOLD(1);
	WATCH(send, ABANDONED, 2);
	TOLD(2);
}

TEST("cap_watch:OK DETACHED when the pager goes, and when its endpoint does")
{
	sys_cap_t ep, pager = new_pager(NULL), other = new_pager(&ep), vmo, two, of_other;

	ntfn = new_notification();
	OKAY(sys_pager_create_vmo(pager, ut, 0, 1, PAGE, &vmo));
	OKAY(sys_pager_create_vmo(pager, ut, 0, 2, PAGE, &two));
	OKAY(sys_pager_create_vmo(other, ut, 0, 3, PAGE, &of_other));
	WATCH(vmo, DETACHED, 1);
	WATCH(two, DETACHED, 2);
	WATCH(of_other, DETACHED, 4);
	WATCH(vmo, ZERO_CHILDREN, 8);
	TOLD(8);
	OKAY(sys_cap_delete(pager));
	TOLD(1 | 2);
	EQ(vmo_info(of_other).flags, SYS_VMO_INFO_PAGER_BACKED);
	OKAY(sys_cap_delete(ep));
	TOLD(4);
	WATCH(two, DETACHED, 16);
	TOLD(16);
	EQ(vmo_info(two).flags, SYS_VMO_INFO_PAGER_BACKED | SYS_VMO_INFO_DETACHED);
	EQ(vmo_info(of_other).flags, SYS_VMO_INFO_PAGER_BACKED | SYS_VMO_INFO_DETACHED);
}

/* An account with so many frames free, and a content in it that pages can be put into one by one. */
static void small_account(void)
{
	ntfn = new_notification();
	small = new_untyped(FRAMES * PAGE);
	content = new_vmo_in(small, 4 * FRAMES * PAGE);
}

static uint64_t free_frames(void)
{
	sys_untyped_info_t info = account(small);
	return (info.total - info.used - info.promised) / PAGE;
}

/* One page more or less, until so many frames are free. */
static void leave_free(uint64_t frames)
{
	static uint64_t at;

	if (free_frames() > 56)
		at = 0;
	for (; free_frames() > frames; at += PAGE)
		OKAY(sys_vmo_op_range(content, SYS_VMO_OP_COMMIT, at, PAGE, NULL, 0));
	for (; free_frames() < frames; at -= PAGE)
		OKAY(sys_vmo_op_range(content, SYS_VMO_OP_DECOMMIT, at - PAGE, PAGE, NULL, 0));
	EQ(free_frames(), frames);
}

static void watch_low(uint64_t bytes, uint64_t bits)
{
	OKAY(sys_cap_watch(small, SYS_EVENT_LOW, bytes, ntfn, bits));
}

TEST("cap_watch:OK LOW crossing down again and again, exact to the frame")
{
	small_account();
	leave_free(40);
	watch_low(20 * PAGE, 1);
	TOLD(0);
	for (int round = 0; round < 5; round++) {
		leave_free(20);
		TOLD(0);
		leave_free(19);
		TOLD(1);
		leave_free(3);
		TOLD(0);                        /* it has told, and free was not 20 since */
		leave_free(19);
		leave_free(18);
		TOLD(0);
		leave_free(20);
		leave_free(19);
		TOLD(1);
		leave_free(40);
		TOLD(0);
	}
	watch_low(40 * PAGE + 1, 2);            /* holds at once: 40 pages are less */
	TOLD(2);
	watch_low(40 * PAGE, 4);
	TOLD(0);
	leave_free(39);
	TOLD(4);
	watch_low(UINT64_MAX, 8);
	TOLD(8);
	watch_low(0, 16);                       /* nothing is less */
	leave_free(1);
	TOLD(0);
}

TEST("cap_watch:OK LOW at several thresholds, each in its turn")
{
	sys_cap_t copy[6];

	small_account();
	for (uint64_t i = 0; i < 6; i++) {
		copy[i] = copy_of(small);
		OKAY(sys_cap_watch(copy[i], SYS_EVENT_LOW, (10 + i / 2 * 10) * PAGE, ntfn, 1ull << i));
	}
	leave_free(29);
	TOLD(0x30);
	leave_free(5);
	TOLD(0x0f);
	leave_free(25);
	TOLD(0);
	leave_free(15);
	TOLD(0x0c);
	OKAY(sys_cap_delete(copy[0]));
	leave_free(40);
	leave_free(9);
	TOLD(0x3e);
}

TEST("cap_watch:OK LOW by a page fault, by a promise, and by a resize")
{
	sys_cap_t child;

	small_account();
	leave_free(30);
	watch_low(30 * PAGE, 1);
	sys_cap_t touched = new_vmo_in(small, PAGE);
	bits_of(ntfn);
	OKAY(sys_cap_watch(small, SYS_EVENT_LOW, free_frames() * PAGE, ntfn, 2));
	volatile uint64_t *at = map(touched, PAGE);
	TOLD(0);
	*at = 1;
	TOLD(2);
	unmap((void *)at, PAGE);
	leave_free(30);
	watch_low(20 * PAGE, 4);
	OKAY(sys_untyped_create(small, 15 * PAGE, &child));
	TOLD(4);
	OKAY(sys_cap_delete(child));
	OKAY(sys_untyped_resize(ut, small, account(small).used + 20 * PAGE));
	TOLD(0);
	OKAY(sys_untyped_resize(ut, small, account(small).used + 19 * PAGE));
	TOLD(4);
	OKAY(sys_untyped_resize(ut, small, account(small).used + 20 * PAGE));
	TOLD(0);
	OKAY(sys_untyped_resize(ut, small, account(small).used));
	TOLD(4);
}

/* ---- refusals ---- */

TEST("cap_watch:INVALID_ARGS no such event, a threshold where there is none, nobody to tell")
{
	sys_cap_t thread = new_thread(), account_cap = new_untyped(PAGE);

	ntfn = new_notification();
	REFUSED(SYS_ERR_INVALID_ARGS, sys_cap_watch(thread, 0, 0, ntfn, 1));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_cap_watch(thread, SYS_EVENT_LOW + 1, 0, ntfn, 1));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_cap_watch(thread, 0x7fffffff, 0, ntfn, 1));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_cap_watch(thread, SYS_EVENT_EXITED, 1, ntfn, 1));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_cap_watch(thread, SYS_EVENT_EXITED, PAGE, ntfn, 0));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_cap_watch(thread, SYS_EVENT_EXITED, 0, SYS_CAP_NULL, 1));
	REFUSED(SYS_ERR_INVALID_ARGS, sys_cap_watch(account_cap, SYS_EVENT_LOW, PAGE, SYS_CAP_NULL, 1));
	OKAY(sys_thread_kill(thread, 0));
	TOLD(0);
}

TEST("cap_watch:WRONG_TYPE an object that has no such event")
{
	static const enum sys_type types[] = {
		SYS_TYPE_UNTYPED, SYS_TYPE_CNODE, SYS_TYPE_THREAD, SYS_TYPE_ENDPOINT, SYS_TYPE_NOTIFICATION,
		SYS_TYPE_REPLY, SYS_TYPE_VMO, SYS_TYPE_VMAR, SYS_TYPE_PAGER, SYS_TYPE_RESOURCE, SYS_TYPE_CONSOLE,
	};
	static const enum sys_type has[] = {
		[SYS_EVENT_ZERO_CHILDREN] = SYS_TYPE_VMO, [SYS_EVENT_EXITED] = SYS_TYPE_THREAD,
		[SYS_EVENT_ABANDONED] = SYS_TYPE_ENDPOINT, [SYS_EVENT_LOW] = SYS_TYPE_UNTYPED,
	};

	ntfn = new_notification();
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		sys_cap_t cap = new_object(types[i]);
		for (unsigned event = SYS_EVENT_ZERO_CHILDREN; event <= SYS_EVENT_LOW; event++)
			if (has[event] == types[i])
				OKAY(sys_cap_watch(cap, event, 0, ntfn, 0));
			else    /* a VMO without a pager has no DETACHED */
				REFUSED(SYS_ERR_WRONG_TYPE, sys_cap_watch(cap, event, 0, ntfn, 1));
	}
	TOLD(0);
}

/* A thread of this program in a CSpace of its own, which another account pays for. */
struct outsider { sys_cap_t thread, ntfn, wake; volatile bool stop, seen; };

static int64_t watches_once(void *arg)
{
	struct outsider *o = arg;
	return sys_cap_watch(o->thread, SYS_EVENT_EXITED, 0, o->ntfn, 1);
}

static sys_cap_t given(sys_cap_t cap, sys_cap_t cnode)
{
	sys_cap_t name;
	OKAY(sys_cap_copy(cap, cnode, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &name));
	return name;
}

TEST("cap_watch:NO_MEMORY the account of the slot's CNode is full")
{
	sys_cap_t cnode, thread = new_thread(), filler;

	small_account();
	OKAY(sys_cnode_create(small, 64, &cnode));
	ntfn = new_notification();
	struct outsider outsider = {.thread = given(thread, cnode), .ntfn = given(ntfn, cnode)};
	leave_free(0);
	filler = new_vmo(PAGE);                 /* that there is room elsewhere does not help */
	EQ((sys_status_t)until_exited(helper_start_in(cnode, watches_once, &outsider)), SYS_ERR_NO_MEMORY);
	EQ(free_frames(), 0);
	OKAY(sys_cap_delete(filler));
	leave_free(1);
	EQ((sys_status_t)until_exited(helper_start_in(cnode, watches_once, &outsider)), SYS_OK);
	EQ(free_frames(), 0);
	OKAY(sys_thread_kill(thread, 0));
	TOLD(1);
	EQ(free_frames(), 1);                   /* it can never tell again */
}

static int64_t watches_on(void *arg)
{
	struct outsider *o = arg;
	uint64_t bits;

	while (!o->stop) {
		sys_status_t status = sys_cap_watch(o->thread, SYS_EVENT_EXITED, 0, o->ntfn, 1);
		if (status == SYS_OK)
			status = sys_cap_watch(o->thread, SYS_EVENT_EXITED, 0, o->ntfn, 0);
		if (status != SYS_OK) {
			o->seen = status == SYS_ERR_BAD_STATE;         /* else it came too late */
			break;
		}
		sys_notification_wait(o->wake, &bits, sys_clock_get() + 50000);
	}
	return 0;
}

/* The test's thread steps down so that the outsider comes in the middle of its revoke; somebody must lift it again. */
struct lift { sys_cap_t ntfn; uint32_t priority; };
static int64_t lifts(void *arg)
{
	struct lift *lift = arg;
	uint64_t bits;

	sys_notification_wait(lift->ntfn, &bits, SYS_TIME_INFINITE);
	return sys_thread_set_priority(SYS_CAP_THREAD, lift->priority);
}

/* What was made first in the account is swept last: its copies keep the revoke busy while the CNode is still there. */
static void sweep_under(struct outsider *outsider, sys_cap_t thread, sys_cap_t wake)
{
	sys_cap_t swept = new_untyped(256 * PAGE), first, copy, cnode, helper;
	struct lift lift = {new_notification(), own_priority()};
	sys_cap_t lifter = helper_start(lifts, &lift);

	OKAY(sys_endpoint_create(swept, &first));
	OKAY(sys_cnode_create(swept, 64, &cnode));
	*outsider = (struct outsider){
		.thread = given(thread, cnode), .ntfn = given(ntfn, cnode), .wake = given(wake, cnode)};
	helper = helper_start_in(cnode, watches_on, outsider);
	until_waiting(lifter);
	OKAY(sys_thread_set_priority(SYS_CAP_THREAD, lift.priority - 1));
	while (sys_cap_copy(first, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &copy) == SYS_OK)
		;
	OKAY(sys_cap_revoke(swept));
	outsider->stop = true;
	OKAY(sys_notification_signal(wake, 1));
	OKAY(sys_notification_signal(lift.ntfn, 1));
	EQ(until_exited(lifter), SYS_OK);
	until_exited(helper);
	helper_drop(2);
	EQ(own_priority(), lift.priority);
	OKAY(sys_cap_delete(helper));
	OKAY(sys_cap_delete(lifter));
	OKAY(sys_cap_delete(swept));
}

TEST("cap_watch:BAD_STATE the account of the slot's CNode is being swept")
{
	sys_cap_t thread = new_thread(), wake = new_notification();
	struct outsider outsider = {.seen = false};

	one_cpu();
	ntfn = new_notification();
	for (int round = 0; round < 20 && !outsider.seen; round++)
		sweep_under(&outsider, thread, wake);
	CHECK(outsider.seen);
}

/* ---- one for each slot and event ---- */

TEST("cap_watch:OK a second one takes the first one's place, bits 0 ends it")
{
	sys_cap_t vmo = new_vmo(PAGE), other = new_notification(), child;

	ntfn = new_notification();
	child = new_snapshot(vmo, 0, PAGE);
	WATCH(vmo, ZERO_CHILDREN, 1);
	OKAY(sys_cap_watch(vmo, SYS_EVENT_ZERO_CHILDREN, 0, other, 2));
	OKAY(sys_cap_delete(child));
	TOLD(0);
	EQ(bits_of(other), 2);
	child = new_snapshot(vmo, 0, PAGE);
	OKAY(sys_cap_watch(vmo, SYS_EVENT_ZERO_CHILDREN, 0, SYS_CAP_NULL, 0));
	OKAY(sys_cap_delete(child));
	EQ(bits_of(other), 0);
	OKAY(sys_cap_watch(vmo, SYS_EVENT_ZERO_CHILDREN, 0, SYS_CAP_NULL, 0));  /* none is there: nothing to do */
	OKAY(sys_cap_watch(vmo, SYS_EVENT_ZERO_CHILDREN, 0, other, 0));
	TOLD(0);
}

TEST("cap_watch:OK several on one object, through several slots, bits of one notification gather")
{
	sys_cap_t thread = new_thread(), two = copy_of(thread), three = less(thread, SYS_RIGHT_MANAGE);
	sys_cap_t other = new_notification();

	ntfn = new_notification();
	WATCH(thread, EXITED, 1);
	WATCH(two, EXITED, 2);
	OKAY(sys_cap_watch(three, SYS_EVENT_EXITED, 0, other, 4));
	OKAY(sys_thread_kill(thread, 0));
	TOLD(3);
	EQ(bits_of(other), 4);
}

/* ---- what becomes of it ---- */

TEST("cap_watch:OK it moves with its slot, in the CSpace and out of it")
{
	sys_cap_t vmo = new_vmo(PAGE), cnode = new_cnode(16), child, name;

	ntfn = new_notification();
	child = new_snapshot(vmo, 0, PAGE);
	WATCH(vmo, ZERO_CHILDREN, 1);
	vmo = moved(vmo, SYS_CAP_CNODE);
	OKAY(sys_cap_delete(child));
	TOLD(1);
	child = new_snapshot(vmo, 0, PAGE);
	OKAY(sys_cap_watch(vmo, SYS_EVENT_ZERO_CHILDREN, 0, ntfn, 2));  /* found under its new name: the same one */
	name = moved(vmo, cnode);
	OKAY(sys_cap_delete(child));
	TOLD(2);
	child = new_vmo(PAGE);                  /* it takes the slot that was left: no watch is there */
	OKAY(sys_cap_delete(new_snapshot(child, 0, PAGE)));
	TOLD(0);
	OKAY(sys_cnode_delete(cnode, name));
	TOLD(0);
}

struct receiver { sys_cap_t ep; volatile sys_status_t status; sys_msg_t msg; };
static int64_t receives(void *arg)
{
	struct receiver *r = arg;

	r->msg.accept = 1;
	r->status = sys_ipc_recv(r->ep, SYS_CAP_NULL, &r->msg, NULL, SYS_TIME_INFINITE);
	return r->status;
}

TEST("cap_watch:OK it moves in a message")
{
	static struct receiver receiver;
	sys_cap_t cnode = new_cnode(64), thread = new_thread(), keep = copy_of(thread), ep = new_endpoint();
	sys_msg_t msg = {.caps = 1, .cap = {thread}};

	ntfn = new_notification();
	receiver = (struct receiver){.ep = given(ep, cnode)};
	sys_cap_t helper = helper_start_in(cnode, receives, &receiver);
	until_waiting(helper);
	WATCH(thread, EXITED, 1);
	OKAY(sys_ipc_send(ep, &msg, after(LIMIT)));
	EQ(until_exited(helper), SYS_OK);
	CHECK(cap_is_gone(thread));
	OKAY(sys_thread_kill(keep, 0));
	TOLD(1);
}

TEST("cap_watch:OK it ends with its slot: deleted, revoked, or its CNode deleted")
{
	sys_cap_t thread = new_thread(), cnode = new_cnode(16), deleted = copy_of(thread), below, name;

	ntfn = new_notification();
	WATCH(deleted, EXITED, 1);
	OKAY(sys_cap_delete(deleted));
	below = copy_of(thread);
	WATCH(below, EXITED, 2);
	OKAY(sys_cap_revoke(thread));
	below = copy_of(thread);
	WATCH(below, EXITED, 4);
	moved(below, cnode);
	below = copy_of(thread);
	WATCH(below, EXITED, 8);
	name = moved(below, cnode);
	OKAY(sys_cnode_delete(cnode, name));
	OKAY(sys_cap_delete(cnode));
	below = copy_of(thread);                /* a slot that was watched, used again */
	OKAY(sys_thread_kill(thread, 0));
	TOLD(0);
	WATCH(below, EXITED, 16);
	TOLD(16);
}

TEST("cap_watch:OK it ends with its notification")
{
	sys_cap_t vmo = new_vmo(PAGE), other = copy_of(vmo), child = new_snapshot(vmo, 0, PAGE), gone = new_notification();

	ntfn = new_notification();
	OKAY(sys_cap_watch(vmo, SYS_EVENT_ZERO_CHILDREN, 0, gone, 1));
	WATCH(other, ZERO_CHILDREN, 2);
	OKAY(sys_cap_delete(gone));
	OKAY(sys_cap_delete(child));
	TOLD(2);
	child = new_snapshot(vmo, 0, PAGE);
	WATCH(vmo, ZERO_CHILDREN, 4);
	OKAY(sys_cap_delete(child));
	TOLD(2 | 4);
}

static int64_t watches_and_sends(void *arg)
{
	struct outsider *o = arg;
	sys_msg_t msg = {.caps = 1, .cap = {o->thread}};
	sys_status_t status = sys_cap_watch(o->thread, SYS_EVENT_EXITED, 0, o->ntfn, 1);

	return status == SYS_OK ? sys_ipc_send(o->wake, &msg, SYS_TIME_INFINITE) : status;
}

TEST("cap_watch:OK it ends with the account that pays, when its slot has moved elsewhere")
{
	sys_cap_t cnode, thread = new_thread(), ep = new_endpoint(), helper;
	sys_msg_t msg = {.accept = 1};

	for (int round = 0; round < 2; round++) {
		small_account();
		OKAY(sys_cnode_create(small, 64, &cnode));
		struct outsider outsider = {
			.thread = given(thread, cnode), .ntfn = given(ntfn, cnode), .wake = given(ep, cnode)};
		helper = helper_start_in(cnode, watches_and_sends, &outsider);
		msg.accept = 1;
		OKAY(sys_ipc_recv(ep, SYS_CAP_NULL, &msg, NULL, after(LIMIT)));
		EQ(until_exited(helper), SYS_OK);
		OKAY(sys_cap_delete(helper));
		if (round == 0)                 /* the same slot, but from now on this program pays */
			WATCH(msg.cap[0], EXITED, 4);
		OKAY(sys_cap_revoke(small));
		EQ(account(small).used, 0);
		if (round == 0) {
			OKAY(sys_thread_kill(thread, 0));
			TOLD(4);
			thread = new_thread();
		} else {
			OKAY(sys_thread_kill(thread, 0));
			TOLD(0);
		}
	}
}

/* ---- many ---- */

/* Each watch stands in another slot; slots that this CSpace has no room for go, with their watches, to a large CNode. */
static void watch_many(sys_cap_t thread, sys_cap_t cnode, const sys_cap_t *to)
{
	for (int i = 0; i < MANY; i++) {
		sys_cap_t copy = copy_of(thread);
		OKAY(sys_cap_watch(copy, SYS_EVENT_EXITED, 0, to[i / BITS], 1ull << (i % BITS)));
		moved(copy, cnode);
	}
}

static void all_told(const sys_cap_t *to, sys_time_t limit)
{
	uint64_t got, bits;

	for (int i = 0; i < MANY; i += BITS) {
		uint64_t all = MANY - i >= BITS ? UINT64_MAX : (1ull << (MANY - i)) - 1;
		for (got = 0; got != all; got |= bits)
			OKAY(sys_notification_wait(to[i / BITS], &bits, limit));
	}
}

TEST("cap_watch:OK thousands of watches on one thread are all told: killed, and by its own exit")
{
	static sys_cap_t to[(MANY + BITS - 1) / BITS];
	sys_cap_t cnode = new_cnode(16384), thread = new_thread();

	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++)
		to[i] = new_notification();
	watch_many(thread, cnode, to);
	OKAY(sys_thread_kill(thread, 0));
	all_told(to, SYS_TIME_POLL);            /* who killed it has told them */
	thread = helper_prepare(returns_seven, NULL, SYS_CAP_NULL, own_priority());
	watch_many(thread, cnode, to);
	helper_go(thread);
	all_told(to, after(LIMIT));
}
