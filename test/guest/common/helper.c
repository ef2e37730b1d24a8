/* SPDX-License-Identifier: BSD-2-Clause */
/* helper.c: see helper.h. The stacks are ours and touched before the first test, so that a helper costs its creator's
 * account nothing but the thread. */
#include "helper.h"

#include <string.h>

static char stacks[HELPERS][HELPER_STACK] __attribute__((aligned(4096)));
static unsigned next_stack;
static struct { helper_fn fn; void *arg; char *top; } prepared;

/* rdi: the function, rsi: its argument, rsp: the aligned top of a stack. */
__asm__(".pushsection .text.helper_entry,\"ax\",@progbits\n"
	".globl helper_entry\n"
	".type helper_entry,@function\n"
	"helper_entry:\n"
	"	xorl %ebp, %ebp\n"
	"	movq %rdi, %rax\n"
	"	movq %rsi, %rdi\n"
	"	call *%rax\n"
	"	movq %rax, %rdi\n"
	"	call sys_thread_exit\n"
	"	ud2\n"
	".size helper_entry, . - helper_entry\n"
	".popsection\n");

void helper_reset(void)
{
	next_stack = 0;
}

void helper_drop(unsigned count)
{
	next_stack -= count;
}

static sys_cap_t prepare(sys_cap_t cspace, helper_fn fn, void *arg, sys_cap_t fault_ep)
{
	sys_cap_t thread;

	CHECK(next_stack < HELPERS);
	prepared.fn = fn;
	prepared.arg = arg;
	prepared.top = stacks[next_stack++] + HELPER_STACK;
	OKAY(sys_thread_create(ut, cspace, SYS_CAP_VMAR, fault_ep, &thread));
	return thread;
}

sys_cap_t helper_prepare(helper_fn fn, void *arg, sys_cap_t fault_ep, uint32_t priority)
{
	sys_cap_t thread = prepare(SYS_CAP_CNODE, fn, arg, fault_ep);
	OKAY(sys_thread_set_priority(thread, priority));
	return thread;
}

void helper_go(sys_cap_t thread)
{
	OKAY(sys_thread_start(thread, (sys_vaddr_t)helper_entry, (sys_vaddr_t)prepared.top, (uint64_t)prepared.fn,
			      (uint64_t)prepared.arg));
}

sys_cap_t helper_start_with(helper_fn fn, void *arg, sys_cap_t fault_ep)
{
	sys_cap_t thread = helper_prepare(fn, arg, fault_ep, own_priority());
	helper_go(thread);
	return thread;
}

sys_cap_t helper_start_in(sys_cap_t cspace, helper_fn fn, void *arg)
{
	sys_cap_t thread = prepare(cspace, fn, arg, SYS_CAP_NULL);
	helper_go(thread);
	return thread;
}

sys_cap_t helper_start(helper_fn fn, void *arg)
{
	return helper_start_with(fn, arg, SYS_CAP_NULL);
}

/* ---- waiting for them ---- */

sys_thread_info_t thread_info(sys_cap_t thread)
{
	sys_thread_info_t info;
	memset(&info, 0, sizeof(info));
	OKAY(sys_thread_info(thread, &info));
	return info;
}

uint32_t own_priority(void)
{
	return thread_info(SYS_CAP_THREAD).priority;
}

bool until(bool (*done)(void *), void *arg, sys_time_t limit)
{
	sys_time_t end = after(limit);

	while (!done(arg)) {
		if (sys_clock_get() > end)
			return false;
		sys_thread_yield();
	}
	return true;
}

struct awaited { sys_cap_t thread; uint32_t state; };

static bool in_state(void *arg)
{
	const struct awaited *awaited = arg;
	return thread_info(awaited->thread).state == awaited->state;
}

void until_state(sys_cap_t thread, uint32_t state)
{
	struct awaited awaited = {thread, state};

	if (!until(in_state, &awaited, LIMIT))
		FAIL("a thread is in state %u and not in state %u", thread_info(thread).state, state);
}

void until_waiting(sys_cap_t thread)
{
	until_state(thread, SYS_THREAD_WAITING);
}

void sleep_until(sys_cap_t thread, uint32_t state)
{
	sys_time_t ns = MILLISECOND / 10;

	for (sys_time_t end = after(LIMIT); thread_info(thread).state != state && sys_clock_get() < end; ns *= 2)
		libsys_sleep(ns);
	until_state(thread, state);
}

int64_t until_exited(sys_cap_t thread)
{
	until_state(thread, SYS_THREAD_EXITED);
	return thread_info(thread).exit_code;
}

/* ---- faults ---- */

enum { PROBE_DONE = 77 };

struct probe { helper_fn fn; void *arg; sys_cap_t ep; };

static int64_t probe_run(void *arg)
{
	struct probe *probe = arg;
	sys_msg_t msg;

	probe->fn(probe->arg);
	msg.label = PROBE_DONE;
	msg.words = 0;
	msg.caps = 0;
	msg.accept = 0;
	return sys_ipc_send(probe->ep, &msg, SYS_TIME_INFINITE);
}

struct fault fault_run(helper_fn fn, void *arg)
{
	sys_cap_t ep = new_endpoint(), reply = new_reply(), badged;
	struct probe probe = {fn, arg, ep};
	struct fault fault = {0};
	sys_msg_t msg = {0};

	OKAY(sys_cap_mint(ep, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHT_SEND, 4711, &badged));
	sys_cap_t thread = helper_start_with(probe_run, &probe, badged);
	OKAY(sys_ipc_recv(ep, reply, &msg, &fault.badge, after(LIMIT)));
	if (msg.label != PROBE_DONE) {
		fault.label = msg.label;
		fault.words = msg.words;
		memcpy(fault.word, msg.word, sizeof(fault.word));
		EQ(fault.badge, 4711);
		EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	}
	OKAY(sys_cap_delete(thread));
	OKAY(sys_cap_delete(badged));
	OKAY(sys_cap_delete(reply));
	OKAY(sys_cap_delete(ep));
	helper_drop(1);
	return fault;
}

static int64_t read_byte(void *at)
{
	return *(volatile uint8_t *)at;
}

static int64_t write_byte(void *at)
{
	*(volatile uint8_t *)at = 1;
	return 0;
}

static int64_t call_there(void *at)
{
	((void (*)(void))(uintptr_t)at)();
	return 0;
}

struct fault fault_access(uint64_t access, const volatile void *at)
{
	helper_fn fn = access == SYS_ACCESS_READ ? read_byte : access == SYS_ACCESS_WRITE ? write_byte : call_there;
	return fault_run(fn, (void *)(uintptr_t)at);
}

struct fault fault_read(const volatile void *at)
{
	return fault_access(SYS_ACCESS_READ, at);
}

struct fault fault_write(volatile void *at)
{
	return fault_access(SYS_ACCESS_WRITE, at);
}

struct fault fault_execute(const volatile void *at)
{
	return fault_access(SYS_ACCESS_EXECUTE, at);
}

void check_page_fault(
	const struct fault *fault, const volatile void *at, uint64_t access, sys_status_t status, int line)
{
	if (fault->label == 0)
		FAIL("line %d: access %lu at %p met no fault", line, (unsigned long)access, (const void *)at);
	if (fault->label != SYS_FAULT_PAGE || fault->words != 4 || fault->word[0] != (uint64_t)at ||
	    fault->word[1] != access || (int64_t)fault->word[3] != status)
		FAIL("line %d: label %lx words %u: address %lx access %lu status %ld, not %p %lu %s", line,
		     (unsigned long)fault->label, fault->words, (unsigned long)fault->word[0],
		     (unsigned long)fault->word[1], (long)fault->word[3], (const void *)at, (unsigned long)access,
		     sys_status_string(status));
}
