/* SPDX-License-Identifier: BSD-2-Clause */
/* fault.c: what a program cannot do, and what its fault endpoint is told: page faults of every status, exceptions,
 * privileged instructions; how a reply, a dropped reply and a missing endpoint end it. Nothing else is disturbed: the
 * test itself runs on. */
#include "common/helper.h"

#include <string.h>

#define GENERAL_PROTECTION 13

static volatile uint8_t data[64] = {0xc3};
static const uint8_t constant[64] = {0xc3};

/* ---- page faults ---- */

TEST("fault NOT_FOUND: nothing is mapped there")
{
	FAULTS(READ, SYS_ERR_NOT_FOUND, NOWHERE);
	FAULTS(WRITE, SYS_ERR_NOT_FOUND, (char *)NOWHERE + 12345);
	FAULTS(EXECUTE, SYS_ERR_NOT_FOUND, NOWHERE);
	FAULTS(READ, SYS_ERR_NOT_FOUND, (void *)0);
	FAULTS(WRITE, SYS_ERR_NOT_FOUND, (void *)8);
	FAULTS(READ, SYS_ERR_NOT_FOUND, (void *)0x7ffffffff000);
	FAULTS(READ, SYS_ERR_NOT_FOUND, (void *)0x7fffffffefff);
}

TEST("fault NOT_FOUND: the kernel's half can be neither read, written nor run")
{
	static const uint64_t places[] = {
		KERNEL_HALF, 0xffff900000000000, 0xffffffff80000000, 0xffffffff80100000, 0xfffffffffffff000};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		FAULTS(READ, SYS_ERR_NOT_FOUND, (void *)places[i]);
		FAULTS(WRITE, SYS_ERR_NOT_FOUND, (void *)places[i]);
		FAULTS(EXECUTE, SYS_ERR_NOT_FOUND, (void *)places[i]);
	}
}

TEST("fault ACCESS_DENIED: data cannot be run, code and constants cannot be written")
{
	FAULTS(EXECUTE, SYS_ERR_ACCESS_DENIED, data);
	FAULTS(EXECUTE, SYS_ERR_ACCESS_DENIED, constant);
	FAULTS(WRITE, SYS_ERR_ACCESS_DENIED, constant);
	FAULTS(WRITE, SYS_ERR_ACCESS_DENIED, (void *)(uintptr_t)fault_run);
	EQ(constant[0], 0xc3);
	NO_FAULT(READ, data);
	NO_FAULT(WRITE, data + 1);
	NO_FAULT(READ, constant);
	uint8_t stack[16] = {0xc3};
	FAULTS(EXECUTE, SYS_ERR_ACCESS_DENIED, stack);
}

TEST("fault OUT_OF_RANGE: past the end of the VMO")
{
	sys_cap_t vmo = new_vmo(PAGE);
	char *at = map(vmo, 3 * PAGE);

	NO_FAULT(WRITE, at + PAGE - 1);
	FAULTS(READ, SYS_ERR_OUT_OF_RANGE, at + PAGE);
	FAULTS(WRITE, SYS_ERR_OUT_OF_RANGE, at + 3 * PAGE - 1);
	FAULTS(READ, SYS_ERR_NOT_FOUND, at + 3 * PAGE);
	unmap(at, 3 * PAGE);
}

TEST("fault NO_MEMORY: the account that pays for the content is full")
{
	sys_cap_t small = new_untyped(16 * PAGE), vmo = new_vmo_in(small, 64 * PAGE);
	char *at = map(vmo, 64 * PAGE);
	uint64_t page = 0;

	while (sys_vmo_op_range(vmo, SYS_VMO_OP_COMMIT, page * PAGE, PAGE, NULL, 0) == SYS_OK)
		page++;
	CHECK(page > 8);
	FAULTS(WRITE, SYS_ERR_NO_MEMORY, at + page * PAGE);
	NO_FAULT(READ, at + page * PAGE);               /* the shared zero page costs nothing */
	NO_FAULT(WRITE, at);
	unmap(at, 64 * PAGE);
}

struct resumed { volatile uint64_t *at; volatile uint64_t seen; };

static int64_t read_there(void *arg)
{
	struct resumed *resumed = arg;
	resumed->seen = *resumed->at;
	return 7;
}

/* Lets `fn(arg)` fault in a thread of its own; returns with the fault message received and held by *reply. */
static sys_cap_t faulting(helper_fn fn, void *arg, sys_cap_t *reply, sys_msg_t *msg)
{
	sys_cap_t ep = new_endpoint();

	*reply = new_reply();
	memset(msg, 0, sizeof(*msg));
	sys_cap_t thread = helper_start_with(fn, arg, ep);
	OKAY(sys_ipc_recv(ep, *reply, msg, NULL, after(LIMIT)));
	return thread;
}

TEST("ipc_reply:OK to a fault: the access is made again, and works when its cause is gone")
{
	sys_vaddr_t base, at;
	sys_cap_t region = new_region(SYS_CAP_VMAR, PAGE, &base), vmo = new_vmo(PAGE), reply;
	struct resumed resumed = {(volatile uint64_t *)base, 0};
	sys_msg_t msg, empty = {0};

	sys_cap_t thread = faulting(read_there, &resumed, &reply, &msg);
	EQ(msg.label, SYS_FAULT_PAGE);
	EQ(msg.words, 4);
	EQ(msg.caps, 0);
	EQ(msg.word[0], base);
	CHECK(msg.word[2] >= (uint64_t)read_there && msg.word[2] < (uint64_t)read_there + 64);
	put(vmo, 0, 321);
	OKAY(sys_vmar_map(region, SYS_VM_PERM_READ | SYS_VM_SPECIFIC, 0, vmo, 0, PAGE, &at));
	OKAY(sys_ipc_reply(reply, &empty));
	EQ(until_exited(thread), 7);
	EQ(resumed.seen, 321);
	unmap((void *)base, PAGE);
}

TEST("ipc_reply:OK to a fault whose cause is still there: it faults again")
{
	struct resumed resumed = {NOWHERE, 0};
	sys_msg_t msg, empty = {0};
	sys_cap_t ep = new_endpoint(), reply = new_reply(), thread = helper_start_with(read_there, &resumed, ep);

	for (int i = 0; i < 3; i++) {
		OKAY(sys_ipc_recv(ep, reply, &msg, NULL, after(LIMIT)));
		EQ(msg.label, SYS_FAULT_PAGE);
		OKAY(sys_ipc_reply(reply, &empty));
	}
	CHECK(thread_info(thread).faults >= 3);
}

TEST("a fault whose reply is dropped ends the thread with CANCELED")
{
	struct resumed resumed = {NOWHERE, 0};
	sys_msg_t msg;
	sys_cap_t reply, thread = faulting(read_there, &resumed, &reply, &msg);

	EQ(thread_info(thread).state, SYS_THREAD_WAITING);
	OKAY(sys_cap_delete(reply));
	EQ(until_exited(thread), SYS_ERR_CANCELED);
}

TEST("without a fault endpoint a fault ends the thread with its status")
{
	struct resumed resumed = {NOWHERE, 0};
	EQ(until_exited(helper_start(read_there, &resumed)), SYS_ERR_NOT_FOUND);
	resumed.at = (volatile uint64_t *)KERNEL_HALF;
	EQ(until_exited(helper_start(read_there, &resumed)), SYS_ERR_NOT_FOUND);
}

TEST("a fault whose endpoint has ended ends the thread with its status")
{
	struct resumed resumed = {NOWHERE, 0};
	sys_cap_t ep = new_endpoint(), thread = helper_prepare(read_there, &resumed, ep, own_priority());

	OKAY(sys_cap_delete(ep));
	helper_go(thread);
	EQ(until_exited(thread), SYS_ERR_NOT_FOUND);
}

TEST("a fault message waits for its receiver, and a kill takes it back")
{
	struct resumed resumed = {NOWHERE, 0};
	sys_cap_t ep = new_endpoint(), thread = helper_start_with(read_there, &resumed, ep);
	sys_msg_t msg = {0};

	until_waiting(thread);
	OKAY(sys_thread_kill(thread, 5));
	STATUS(SYS_ERR_TIMED_OUT, sys_ipc_recv(ep, SYS_CAP_NULL, &msg, NULL, SYS_TIME_POLL));
	EQ(thread_info(thread).exit_code, 5);
}

TEST("thread_set_fault_endpoint:OK thread_set_fault_endpoint:BAD_STATE before a start, of a running thread, to NULL")
{
	struct resumed resumed = {NOWHERE, 0};
	sys_cap_t ep = new_endpoint(), reply = new_reply(), badged;
	sys_msg_t msg = {0};
	uint64_t badge = 0;

	OKAY(sys_cap_mint(ep, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHT_SEND, 99, &badged));
	sys_cap_t thread = helper_prepare(read_there, &resumed, SYS_CAP_NULL, own_priority());
	OKAY(sys_thread_set_fault_endpoint(thread, badged));
	helper_go(thread);
	OKAY(sys_ipc_recv(ep, reply, &msg, &badge, after(LIMIT)));
	EQ(badge, 99);
	EQ(msg.label, SYS_FAULT_PAGE);
	OKAY(sys_thread_set_fault_endpoint(thread, SYS_CAP_NULL));
	sys_msg_t empty = {0};
	OKAY(sys_ipc_reply(reply, &empty));
	EQ(until_exited(thread), SYS_ERR_NOT_FOUND);
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_set_fault_endpoint(thread, ep));
}

/* ---- exceptions: each function does one thing that a program must not ---- */

#define DOES(NAME, CODE)                                                                                         \
	static int64_t does_##NAME(void *arg)                                                                    \
	{                                                                                                        \
		(void)arg;                                                                                       \
		__asm__ volatile(CODE ::: "rax", "rcx", "rdx", "memory");                                        \
		return 0;                                                                                        \
	}
DOES(divide, "xorl %%ecx, %%ecx; xorl %%edx, %%edx; movl $1, %%eax; divl %%ecx")
DOES(breakpoint, "int3")
DOES(undefined, "ud2")
DOES(hlt, "hlt")
DOES(cli, "cli")
DOES(sti, "sti")
DOES(read_cr3, "movq %%cr3, %%rax")
DOES(write_cr3, "xorl %%eax, %%eax; movq %%rax, %%cr3")
DOES(write_cr0, "xorl %%eax, %%eax; movq %%rax, %%cr0")
DOES(write_cr4, "xorl %%eax, %%eax; movq %%rax, %%cr4")
DOES(in, "movw $0x64, %%dx; inb %%dx, %%al")
DOES(out, "movw $0xf4, %%dx; xorl %%eax, %%eax; outb %%al, %%dx")
DOES(rdmsr, "movl $0xc0000080, %%ecx; rdmsr")
DOES(wrmsr, "movl $0xc0000082, %%ecx; xorl %%eax, %%eax; xorl %%edx, %%edx; wrmsr")
DOES(lgdt, "lgdt (%%rsp)")
DOES(lidt, "lidt (%%rsp)")
DOES(ltr, "xorl %%eax, %%eax; ltr %%ax")
DOES(invlpg, "invlpg (%%rsp)")
DOES(wbinvd, "wbinvd")
DOES(swapgs, "swapgs")
DOES(sysret, "movq $0x1000, %%rcx; sysretq")
DOES(interrupt, "int $0x80")
DOES(page_fault_vector, "int $14")
DOES(far_address, "movq $0x0000800000000000, %%rax; movb (%%rax), %%al")
DOES(write_far, "movq $0xffff7fffffffffff, %%rax; movb %%al, (%%rax)")

static const struct { const char *name; helper_fn fn; uint64_t vector;
} forbidden[] = {
	{"exception: division by zero", does_divide, 0},
	{"exception: int3", does_breakpoint, 3},
	{"exception: ud2", does_undefined, 6},
	{"privileged: hlt", does_hlt, GENERAL_PROTECTION},
	{"privileged: cli", does_cli, GENERAL_PROTECTION},
	{"privileged: sti", does_sti, GENERAL_PROTECTION},
	{"privileged: read cr3", does_read_cr3, GENERAL_PROTECTION},
	{"privileged: write cr3", does_write_cr3, GENERAL_PROTECTION},
	{"privileged: write cr0", does_write_cr0, GENERAL_PROTECTION},
	{"privileged: write cr4", does_write_cr4, GENERAL_PROTECTION},
	{"privileged: in", does_in, GENERAL_PROTECTION},
	{"privileged: out", does_out, GENERAL_PROTECTION},
	{"privileged: rdmsr", does_rdmsr, GENERAL_PROTECTION},
	{"privileged: wrmsr", does_wrmsr, GENERAL_PROTECTION},
	{"privileged: lgdt", does_lgdt, GENERAL_PROTECTION},
	{"privileged: lidt", does_lidt, GENERAL_PROTECTION},
	{"privileged: ltr", does_ltr, GENERAL_PROTECTION},
	{"privileged: invlpg", does_invlpg, GENERAL_PROTECTION},
	{"privileged: wbinvd", does_wbinvd, GENERAL_PROTECTION},
	{"privileged: swapgs", does_swapgs, GENERAL_PROTECTION},
	{"privileged: sysret", does_sysret, GENERAL_PROTECTION},
	{"privileged: an interrupt vector that is not the program's", does_interrupt, GENERAL_PROTECTION},
	{"privileged: the page fault's vector by hand", does_page_fault_vector, GENERAL_PROTECTION},
	{"exception: an address that is none", does_far_address, GENERAL_PROTECTION},
	{"exception: write to an address that is none", does_write_far, GENERAL_PROTECTION},
};

static void forbidden_test(int index)
{
	struct fault fault = fault_run(forbidden[index].fn, NULL);
	uint64_t from = (uint64_t)forbidden[index].fn;

	EQ(fault.label, SYS_FAULT_EXCEPTION);
	EQ(fault.words, 3);
	EQ(fault.word[0], forbidden[index].vector);
	CHECK(fault.word[2] >= from && fault.word[2] < from + 128);
	/* without a fault endpoint it ends its thread */
	EQ(until_exited(helper_start(forbidden[index].fn, NULL)), INT64_MIN + (int64_t)forbidden[index].vector);
}

void guest_tables(void)
{
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		guest_add(forbidden[i].name, forbidden_test, (int)i);
}

TEST("ipc_reply:OK to int3: the thread goes on behind it")
{
	sys_msg_t msg, empty = {0};
	sys_cap_t reply, thread = faulting(does_breakpoint, NULL, &reply, &msg);

	EQ(msg.label, SYS_FAULT_EXCEPTION);
	OKAY(sys_ipc_reply(reply, &empty));
	EQ(until_exited(thread), 0);
}

/* ---- a stack pointer or a syscall that makes no sense ---- */

DOES(bad_stack, "movq %%rsp, %%rcx; movq $0xffff800000001000, %%rsp; pushq %%rax; movq %%rcx, %%rsp")
DOES(odd_stack, "movq %%rsp, %%rcx; movq $0x0000900000000001, %%rsp; pushq %%rax; movq %%rcx, %%rsp")
DOES(trap_flag, "pushfq; orq $0x100, (%%rsp); popfq; nop; nop")

TEST("fault: a stack that is not there")
{
	struct fault fault = fault_run(does_bad_stack, NULL);
	EQ(fault.label, SYS_FAULT_PAGE);
	EQ(fault.word[0], 0xffff800000000ff8);
	EQ(fault.word[1], SYS_ACCESS_WRITE);
	fault = fault_run(does_odd_stack, NULL);
	EQ(fault.label, SYS_FAULT_EXCEPTION);
	CHECK(fault.word[0] == 12 || fault.word[0] == GENERAL_PROTECTION);
}

TEST("exception: single step")
{
	struct fault fault = fault_run(does_trap_flag, NULL);
	EQ(fault.label, SYS_FAULT_EXCEPTION);
	EQ(fault.word[0], 1);
}

static int64_t raw_call(uint64_t number)
{
	int64_t status;
	__asm__ volatile("syscall"
			 : "=a"(status)
			 : "a"(number)
			 : "rcx", "r11", "rdi", "rsi", "rdx", "r8", "r9", "r10", "r12", "r13", "r14", "r15", "memory");
	return status;
}

TEST("a call that does not exist is BAD_SYSCALL")
{
	static const uint64_t numbers[] = {29, 63, 126, 127, 128, 1000, 0x7fffffff, 1ull << 32, UINT64_MAX};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		EQ(raw_call(numbers[i]), SYS_ERR_BAD_SYSCALL);
}
