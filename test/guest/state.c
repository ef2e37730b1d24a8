/* SPDX-License-Identifier: BSD-2-Clause */
/* state.c: registers of other threads, read and written: what a debugger does, and what a fault handler does. */
#include "common/helper.h"

#include <string.h>

/* ---- a thread whose every register is known ---- */

/* What the recorder found in the registers when it began. */
sys_regs_t state_seen;
/* Spins with each register holding its own value. */
void state_spin(void), state_spin_loop(void), state_spin_end(void);
/* Stores all registers, then exits with code 12. */
void state_record(void);
__asm__(".text\n.globl state_spin, state_spin_loop, state_spin_end, state_record\n"
	"state_spin:\n"
	"	movabsq $0x1100000000000011, %rax\n"
	"	movabsq $0x2200000000000022, %rbx\n"
	"	movabsq $0x3300000000000033, %rcx\n"
	"	movabsq $0x4400000000000044, %rdx\n"
	"	movabsq $0x5500000000000055, %rsi\n"
	"	movabsq $0x6600000000000066, %rdi\n"
	"	movabsq $0x7700000000000077, %rbp\n"
	"	movabsq $0x8800000000000088, %r8\n"
	"	movabsq $0x9900000000000099, %r9\n"
	"	movabsq $0xaa000000000000aa, %r10\n"
	"	movabsq $0xbb000000000000bb, %r11\n"
	"	movabsq $0xcc000000000000cc, %r12\n"
	"	movabsq $0xdd000000000000dd, %r13\n"
	"	movabsq $0xee000000000000ee, %r14\n"
	"	movabsq $0xff000000000000ff, %r15\n"
	"	stc\n"
	"state_spin_loop:\n"
	"	nop\n"
	"	jmp state_spin_loop\n"
	"state_spin_end:\n"
	"state_record:\n"
	"	movq %rax, state_seen(%rip)\n"
	"	pushfq\n"
	"	popq %rax\n"
	"	movq %rax, state_seen+136(%rip)\n"
	"	movq %rbx, state_seen+8(%rip)\n"
	"	movq %rcx, state_seen+16(%rip)\n"
	"	movq %rdx, state_seen+24(%rip)\n"
	"	movq %rsi, state_seen+32(%rip)\n"
	"	movq %rdi, state_seen+40(%rip)\n"
	"	movq %rbp, state_seen+48(%rip)\n"
	"	movq %rsp, state_seen+56(%rip)\n"
	"	movq %r8, state_seen+64(%rip)\n"
	"	movq %r9, state_seen+72(%rip)\n"
	"	movq %r10, state_seen+80(%rip)\n"
	"	movq %r11, state_seen+88(%rip)\n"
	"	movq %r12, state_seen+96(%rip)\n"
	"	movq %r13, state_seen+104(%rip)\n"
	"	movq %r14, state_seen+112(%rip)\n"
	"	movq %r15, state_seen+120(%rip)\n"
	"	cld\n"
	"	movl $12, %edi\n"
	"	call sys_thread_exit\n");

static char stack[4096] __attribute__((aligned(16)));
#define STACK ((sys_vaddr_t)stack + sizeof(stack))
#define AT(FUNCTION) ((sys_vaddr_t)(FUNCTION))

static const sys_regs_t spinning = {
	.rax = 0x1100000000000011, .rbx = 0x2200000000000022, .rcx = 0x3300000000000033, .rdx = 0x4400000000000044,
	.rsi = 0x5500000000000055, .rdi = 0x6600000000000066, .rbp = 0x7700000000000077,
	.r8 = 0x8800000000000088, .r9 = 0x9900000000000099, .r10 = 0xaa000000000000aa, .r11 = 0xbb000000000000bb,
	.r12 = 0xcc000000000000cc, .r13 = 0xdd000000000000dd, .r14 = 0xee000000000000ee, .r15 = 0xff000000000000ff,
};

static sys_regs_t regs_of(sys_cap_t thread)
{
	sys_regs_t regs;
	memset(&regs, 0x5a, sizeof(regs));
	OKAY(sys_thread_read_state(thread, SYS_STATE_GENERAL, &regs, sizeof(regs)));
	return regs;
}

static void set_regs(sys_cap_t thread, const sys_regs_t *regs)
{
	OKAY(sys_thread_write_state(thread, SYS_STATE_GENERAL, regs, sizeof(*regs)));
}

/* Each of the sixteen but rsp. */
static void check_registers(const sys_regs_t *got, const sys_regs_t *want)
{
	EQ(got->rax, want->rax);
	EQ(got->rbx, want->rbx);
	EQ(got->rcx, want->rcx);
	EQ(got->rdx, want->rdx);
	EQ(got->rsi, want->rsi);
	EQ(got->rdi, want->rdi);
	EQ(got->rbp, want->rbp);
	EQ(got->r8, want->r8);
	EQ(got->r9, want->r9);
	EQ(got->r10, want->r10);
	EQ(got->r11, want->r11);
	EQ(got->r12, want->r12);
	EQ(got->r13, want->r13);
	EQ(got->r14, want->r14);
	EQ(got->r15, want->r15);
}

static bool spins(void *arg)
{
	sys_cap_t thread = *(sys_cap_t *)arg;
	sys_regs_t regs;

	OKAY(sys_thread_suspend(thread));
	regs = regs_of(thread);
	if (regs.rip >= AT(state_spin_loop) && regs.rip < AT(state_spin_end))
		return true;
	OKAY(sys_thread_resume(thread));
	return false;
}

/* A thread that was suspended while it spun. */
static sys_cap_t spinner(void)
{
	sys_cap_t thread = new_thread();

	OKAY(sys_thread_start(thread, AT(state_spin), STACK, 0, 0));
	CHECK(until(spins, &thread, LIMIT));
	return thread;
}

/* Other values for all, and then it records what it has. */
static sys_regs_t other_values(void)
{
	sys_regs_t regs;
	uint64_t *value = (uint64_t *)&regs, seed = 7;

	for (size_t i = 0; i < sizeof(regs) / sizeof(*value); i++)
		value[i] = random_next(&seed);
	regs.rip = AT(state_record);
	regs.rsp = STACK - 64;
	regs.rflags = 0x202;
	regs.fs_base = regs.gs_base = 0;
	return regs;
}

static void resume_and_compare(sys_cap_t thread, const sys_regs_t *want)
{
	memset(&state_seen, 0, sizeof(state_seen));
	OKAY(sys_thread_resume(thread));
	EQ(until_exited(thread), 12);
	check_registers(&state_seen, want);
	EQ(state_seen.rsp, want->rsp);
}

TEST("thread_read_state:OK a spinning thread's registers, each exact")
{
	sys_cap_t thread = spinner();
	sys_regs_t regs = regs_of(thread);

	check_registers(&regs, &spinning);
	EQ(regs.rsp, STACK);
	EQ(regs.rflags & ~0x8d4ull, 0x203);             /* carry, as it set it; nop and jmp change no flag */
	EQ(regs.fs_base, 0);
	EQ(regs.gs_base, 0);
}

TEST("thread_write_state:OK all registers of a thread that was interrupted, then it goes on elsewhere")
{
	sys_cap_t thread = spinner();
	sys_regs_t regs = other_values();

	set_regs(thread, &regs);
	sys_regs_t again = regs_of(thread);
	EQ(memcmp(&again, &regs, sizeof(regs)), 0);
	resume_and_compare(thread, &regs);
}

TEST("thread_write_state:OK one register at a time")
{
	sys_cap_t thread = spinner();

	for (size_t i = 0; i < 16; i++) {
		sys_regs_t before = regs_of(thread), after_it;
		if (i == offsetof(sys_regs_t, rsp) / 8)
			continue;
		((uint64_t *)&before)[i] = 0x1234567800000000 + i;
		set_regs(thread, &before);
		after_it = regs_of(thread);
		EQ(memcmp(&before, &after_it, sizeof(before)), 0);
	}
	sys_regs_t regs = regs_of(thread);
	regs.rip = AT(state_record);
	set_regs(thread, &regs);
	resume_and_compare(thread, &regs);
}

TEST("thread_write_state:OK flags: what a program may set itself, and never more")
{
	sys_cap_t thread = spinner();
	sys_regs_t regs = other_values();

	regs.rflags = ~0x100ull;                        /* all but the single step */
	set_regs(thread, &regs);
	EQ(regs_of(thread).rflags, 0x250ed7);
	resume_and_compare(thread, &regs);
	EQ(state_seen.rflags & ~0x10000ull, 0x240ed7);  /* pushf shows no RF */
	thread = spinner();
	regs.rflags = 0;
	set_regs(thread, &regs);
	EQ(regs_of(thread).rflags, 0x202);
	resume_and_compare(thread, &regs);
	EQ(state_seen.rflags, 0x202);
}

/* ---- threads stopped in a call ---- */

static int64_t waits_for_bits(void *arg)
{
	uint64_t bits = 0;
	sys_status_t status = sys_notification_wait(*(sys_cap_t *)arg, &bits, SYS_TIME_INFINITE);
	return status == SYS_OK ? (int64_t)bits : status;
}

enum { NR_NOTIFICATION_WAIT = 27, NR_IPC_RECV = 21 };

TEST("thread_read_state:OK a thread that was suspended in a call stands before it, with its arguments")
{
	sys_cap_t ntfn = new_notification(), thread = helper_start(waits_for_bits, &ntfn);

	until_waiting(thread);
	OKAY(sys_thread_suspend(thread));
	sys_regs_t regs = regs_of(thread);
	EQ(*(const uint16_t *)regs.rip, 0x050f);        /* syscall */
	EQ(regs.rax, NR_NOTIFICATION_WAIT);
	EQ(regs.rdi, ntfn);
	EQ(regs.rcx, regs.rip);
	EQ(regs.r11, regs.rflags);
	set_regs(thread, &regs);                        /* nothing is changed: the call is made again */
	OKAY(sys_thread_resume(thread));
	until_waiting(thread);
	OKAY(sys_notification_signal(ntfn, 0x77));
	EQ(until_exited(thread), 0x77);
}

TEST("thread_write_state:OK a call's argument is changed before it is made again")
{
	sys_cap_t ntfn = new_notification(), other = new_notification(), thread = helper_start(waits_for_bits, &ntfn);

	until_waiting(thread);
	OKAY(sys_thread_suspend(thread));
	sys_regs_t regs = regs_of(thread);
	regs.rdi = other;
	set_regs(thread, &regs);
	OKAY(sys_thread_resume(thread));
	until_waiting(thread);
	OKAY(sys_notification_signal(other, 0x99));
	EQ(until_exited(thread), 0x99);
}

TEST("thread_write_state:OK a call is left, and every register, rcx and r11 too, is as it was written")
{
	sys_cap_t ntfn = new_notification(), thread = helper_start(waits_for_bits, &ntfn);
	sys_regs_t regs = other_values();

	until_waiting(thread);
	OKAY(sys_thread_suspend(thread));
	set_regs(thread, &regs);
	resume_and_compare(thread, &regs);
	OKAY(sys_notification_signal(ntfn, 1));         /* nobody waits there any more */
	uint64_t bits;
	OKAY(sys_notification_wait(ntfn, &bits, SYS_TIME_POLL));
}

/* A listing in steps notes how far it is; another call in its place begins at its own beginning. */
struct transfer { sys_cap_t vmo; char *buffer; size_t len; };

static int64_t reads_all(void *arg)
{
	struct transfer *transfer = arg;
	return sys_vmo_read(transfer->vmo, transfer->buffer, 0, transfer->len);
}

TEST("thread_write_state:OK a call stopped in its middle goes on there")
{
	enum { SIZE = 64 };
	sys_cap_t pager_ep, pager = new_pager(&pager_ep), file, aux = new_vmo(PAGE), big = new_vmo(SIZE * PAGE);
	char *buffer = map(big, SIZE * PAGE);
	uint64_t fresh;

	OKAY(sys_pager_create_vmo(pager, ut, 0, 1, 2 * PAGE, &file));
	put(aux, 0, 41);
	OKAY(sys_pager_supply_pages(pager, file, 0, PAGE, aux, 0, &fresh));
	struct transfer transfer = {file, buffer, 2 * PAGE};
	sys_cap_t thread = helper_start(reads_all, &transfer);
	until_waiting(thread);
	OKAY(sys_thread_suspend(thread));
	sys_regs_t regs = regs_of(thread);
	EQ(regs.rsi, (uint64_t)buffer + PAGE);          /* one page is done */
	EQ(regs.r10, PAGE);
	regs.rsi += 8 * PAGE;
	set_regs(thread, &regs);
	OKAY(sys_thread_resume(thread));
	put(aux, 0, 42);
	OKAY(sys_pager_supply_pages(pager, file, PAGE, PAGE, aux, 0, &fresh));
	EQ(until_exited(thread), SYS_OK);
	EQ(*(uint64_t *)buffer, 41);
	EQ(*(uint64_t *)(buffer + PAGE), 0);
	EQ(*(uint64_t *)(buffer + 9 * PAGE), 42);
	unmap(buffer, SIZE * PAGE);
}

/* ---- threads whose result is still to come ---- */

static int64_t calls(void *arg)
{
	sys_msg_t msg = {.label = 3};
	sys_status_t status = sys_ipc_call(*(sys_cap_t *)arg, &msg, SYS_TIME_INFINITE);
	return status == SYS_OK ? (int64_t)msg.label : status;
}

TEST("thread_write_state:BAD_STATE a thread that waits for a reply, which will come into its registers")
{
	sys_cap_t ep = new_endpoint(), reply = new_reply(), thread = helper_start(calls, &ep);
	sys_msg_t msg = {0}, answer = {.label = 44};
	uint8_t area[4096];

	OKAY(sys_ipc_recv(ep, reply, &msg, NULL, after(LIMIT)));
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_read_state(thread, SYS_STATE_GENERAL, area, sizeof(area)));
	OKAY(sys_thread_suspend(thread));
	sys_regs_t regs = regs_of(thread);
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_write_state(thread, SYS_STATE_GENERAL, &regs, sizeof(regs)));
	OKAY(sys_thread_read_state(thread, SYS_STATE_FPU, area, sizeof(area)));
	OKAY(sys_thread_write_state(thread, SYS_STATE_FPU, area, sizeof(area)));
	OKAY(sys_ipc_reply(reply, &answer));
	regs = regs_of(thread);                         /* now it has its result */
	EQ(regs.rax, SYS_OK);
	EQ(regs.r8, 44);
	set_regs(thread, &regs);
	OKAY(sys_thread_resume(thread));
	EQ(until_exited(thread), 44);
}

struct receiver { sys_cap_t ep; sys_msg_t msg; };

static int64_t receives(void *arg)
{
	struct receiver *receiver = arg;
	return sys_ipc_recv(receiver->ep, SYS_CAP_NULL, &receiver->msg, NULL, SYS_TIME_INFINITE);
}

TEST("thread_write_state:BAD_STATE a message that is still to be copied into the thread's memory")
{
	static struct receiver receiver;
	sys_msg_t msg = {.label = 1, .words = SYS_MSG_WORDS};

	OKAY(sys_thread_set_affinity(SYS_CAP_THREAD, 1));       /* and the other's: a lower one does not run then */
	receiver.ep = new_endpoint();
	memset(&receiver.msg, 0, sizeof(receiver.msg));
	for (size_t i = 0; i < SYS_MSG_WORDS; i++)
		msg.word[i] = 1000 + i;
	sys_cap_t thread = helper_prepare(receives, &receiver, SYS_CAP_NULL, own_priority() - 1);
	helper_go(thread);
	while (thread_info(thread).state != SYS_THREAD_WAITING)
		sleep_for(MILLISECOND);                 /* it is lower than this one */
	OKAY(sys_ipc_send(receiver.ep, &msg, SYS_TIME_POLL));
	OKAY(sys_thread_suspend(thread));               /* before it ran */
	sys_regs_t regs = regs_of(thread);
	EQ(regs.rax, SYS_OK);
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_write_state(thread, SYS_STATE_GENERAL, &regs, sizeof(regs)));
	OKAY(sys_thread_resume(thread));
	while (thread_info(thread).state != SYS_THREAD_EXITED)
		sleep_for(MILLISECOND);
	OKAY(sys_thread_set_affinity(SYS_CAP_THREAD, UINT64_MAX));
	EQ(memcmp(receiver.msg.word, msg.word, sizeof(msg.word)), 0);
}

/* ---- who may be looked at ---- */

static int64_t exits(void *arg)
{
	return (int64_t)arg;
}

TEST("thread_read_state:BAD_STATE thread_write_state:BAD_STATE running, ready, waiting, exited")
{
	sys_cap_t ntfn = new_notification(), ended = helper_start(exits, NULL);
	sys_cap_t waiting = helper_start(waits_for_bits, &ntfn), running = spinner();
	sys_regs_t regs = regs_of(running);

	OKAY(sys_thread_resume(running));
	EQ(until_exited(ended), 0);
	until_waiting(waiting);
	sys_cap_t thread[] = {SYS_CAP_THREAD, ended, waiting, running};
	for (size_t i = 0; i < sizeof(thread) / sizeof(thread[0]); i++) {
		REFUSED(SYS_ERR_BAD_STATE, sys_thread_read_state(thread[i], SYS_STATE_GENERAL, &regs, sizeof(regs)));
		REFUSED(SYS_ERR_BAD_STATE, sys_thread_write_state(thread[i], SYS_STATE_GENERAL, &regs, sizeof(regs)));
	}
	OKAY(sys_thread_suspend(running));
	OKAY(sys_thread_kill(running, 1));
	REFUSED(SYS_ERR_BAD_STATE, sys_thread_read_state(running, SYS_STATE_GENERAL, &regs, sizeof(regs)));
}

TEST("thread_write_state:OK before a start: what the start does not give is as it was written")
{
	sys_cap_t thread = new_thread();
	sys_regs_t regs = regs_of(thread), want = other_values();
	sys_regs_t fresh = {.rflags = 0x202};

	EQ(memcmp(&regs, &fresh, sizeof(regs)), 0);
	set_regs(thread, &want);
	memset(&state_seen, 0, sizeof(state_seen));
	OKAY(sys_thread_start(thread, want.rip, want.rsp, want.rdi, want.rsi));
	EQ(until_exited(thread), 12);
	check_registers(&state_seen, &want);
}

/* ---- values that cannot be ---- */

TEST("thread_read_state:INVALID_ARGS thread_write_state:INVALID_ARGS kinds that are none")
{
	static const uint64_t kinds[] = {0, 4, 77, 1ull << 31};
	sys_cap_t thread = new_thread();
	uint8_t area[4096];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		enum sys_state_kind kind = (enum sys_state_kind)kinds[i];
		REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_read_state(thread, kind, area, sizeof(area)));
		REFUSED(SYS_ERR_INVALID_ARGS, sys_thread_write_state(thread, kind, area, sizeof(area)));
	}
}

TEST("thread_read_state:NOT_SUPPORTED thread_write_state:NOT_SUPPORTED debug registers")
{
	sys_cap_t thread = new_thread();
	uint8_t area[4096];

	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_thread_read_state(thread, SYS_STATE_DEBUG, area, sizeof(area)));
	REFUSED(SYS_ERR_NOT_SUPPORTED, sys_thread_write_state(thread, SYS_STATE_DEBUG, area, sizeof(area)));
}

TEST("thread_read_state:BUFFER_TOO_SMALL thread_write_state:BUFFER_TOO_SMALL nothing is copied")
{
	sys_cap_t thread = new_thread();
	uint8_t area[512], clean[512];

	memset(area, 0x3c, sizeof(area));
	memset(clean, 0x3c, sizeof(clean));
	for (size_t len = 0; len < sizeof(sys_regs_t); len += 53) {
		REFUSED(SYS_ERR_BUFFER_TOO_SMALL, sys_thread_read_state(thread, SYS_STATE_GENERAL, area, len));
		REFUSED(SYS_ERR_BUFFER_TOO_SMALL, sys_thread_write_state(thread, SYS_STATE_GENERAL, area, len));
	}
	REFUSED(SYS_ERR_BUFFER_TOO_SMALL,
		sys_thread_read_state(thread, SYS_STATE_GENERAL, area, sizeof(sys_regs_t) - 1));
	REFUSED(SYS_ERR_BUFFER_TOO_SMALL, sys_thread_read_state(thread, SYS_STATE_FPU, area, 511));
	REFUSED(SYS_ERR_BUFFER_TOO_SMALL, sys_thread_write_state(thread, SYS_STATE_FPU, area, 511));
	EQ(memcmp(area, clean, sizeof(area)), 0);
}

TEST("thread_write_state:INVALID_ARGS addresses that are not the program's")
{
	static const size_t fields[] = {offsetof(sys_regs_t, rip), offsetof(sys_regs_t, rsp),
					offsetof(sys_regs_t, fs_base), offsetof(sys_regs_t, gs_base)};
	static const uint64_t bad[] = {0x00007ffffffff001, 0x0000800000000000, KERNEL_HALF, UINT64_MAX};
	sys_cap_t thread = new_thread();
	sys_regs_t regs = regs_of(thread), before = regs;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		for (size_t j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
			regs = before;
			regs.rax = 5;
			memcpy((char *)&regs + fields[i], &bad[j], sizeof(bad[j]));
			REFUSED(SYS_ERR_INVALID_ARGS,
				sys_thread_write_state(thread, SYS_STATE_GENERAL, &regs, sizeof(regs)));
			regs = regs_of(thread);
			EQ(memcmp(&regs, &before, sizeof(regs)), 0);
		}
}

TEST("thread_read_state:BAD_ADDRESS thread_write_state:BAD_ADDRESS a buffer that ends in nothing")
{
	sys_cap_t thread = new_thread(), vmo = new_vmo(PAGE);
	char *page = map(vmo, PAGE);
	sys_regs_t regs = regs_of(thread);

	REFUSED(SYS_ERR_BAD_ADDRESS,
		sys_thread_write_state(thread, SYS_STATE_GENERAL, NOWHERE, sizeof(sys_regs_t)));
	memcpy(page, &regs, sizeof(regs));
	OKAY(sys_thread_write_state(thread, SYS_STATE_GENERAL, page, sizeof(regs)));
	unmap(page, PAGE);
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_thread_read_state(thread, SYS_STATE_GENERAL, page, sizeof(regs)));
	REFUSED(SYS_ERR_BAD_ADDRESS, sys_thread_write_state(thread, SYS_STATE_GENERAL, page, sizeof(regs)));
}

/* ---- segment bases ---- */

static uint64_t block[4];

static int64_t reads_bases(void *arg)
{
	uint64_t a, b;
	volatile uint64_t *go = arg;

	while (*go == 0)
		;
	__asm__ volatile("movq %%fs:8, %0\n movq %%gs:16, %1" : "=r"(a), "=r"(b));
	return (int64_t)(a * 1000 + b);
}

TEST("thread_write_state:OK fs and gs bases, and others keep theirs")
{
	static volatile uint64_t go;
	sys_cap_t with = helper_start(reads_bases, (void *)&go), without = helper_start(waits_for_bits, &ut);

	go = 0;
	block[1] = 21;
	block[2] = 34;
	sys_thread_yield();
	OKAY(sys_thread_suspend(with));
	sys_regs_t regs = regs_of(with);
	regs.fs_base = regs.gs_base = (uint64_t)block;
	set_regs(with, &regs);
	OKAY(sys_thread_resume(with));
	sys_thread_yield();
	EQ(until_exited(without), SYS_ERR_WRONG_TYPE);
	go = 1;
	EQ(until_exited(with), 21034);
}

/* ---- fault handlers ---- */

/* Adds 100 to rdi by an instruction that there is not. */
static int64_t emulated(void *arg)
{
	uint64_t value = (uint64_t)arg;
	__asm__ volatile("ud2" : "+D"(value));
	return (int64_t)value;
}

static sys_cap_t faults(helper_fn fn, void *arg, sys_cap_t reply, sys_msg_t *msg)
{
	sys_cap_t ep = new_endpoint(), thread = helper_start_with(fn, arg, ep);

	memset(msg, 0, sizeof(*msg));
	OKAY(sys_ipc_recv(ep, reply, msg, NULL, after(LIMIT)));
	return thread;
}

TEST("thread_read_state:OK thread_write_state:OK a fault handler does what an instruction should have done")
{
	sys_cap_t reply = new_reply();
	sys_msg_t msg, empty = {0};
	sys_cap_t thread = faults(emulated, (void *)5, reply, &msg);

	EQ(msg.label, SYS_FAULT_EXCEPTION);
	sys_regs_t regs = regs_of(thread);
	EQ(regs.rip, msg.word[2]);
	EQ(regs.rdi, 5);
	regs.rdi += 100;
	regs.rip += 2;
	set_regs(thread, &regs);
	OKAY(sys_ipc_reply(reply, &empty));
	EQ(until_exited(thread), 105);
}

static int64_t reads_through(void *at)
{
	uint64_t value;
	__asm__ volatile("movq (%%rbx), %0" : "=r"(value) : "b"(at));
	return (int64_t)value;
}

TEST("thread_write_state:OK a page fault's handler gives the access another address")
{
	static uint64_t there = 777;
	sys_cap_t reply = new_reply();
	sys_msg_t msg, empty = {0};
	sys_cap_t thread = faults(reads_through, NOWHERE, reply, &msg);

	EQ(msg.label, SYS_FAULT_PAGE);
	sys_regs_t regs = regs_of(thread);
	EQ(regs.rbx, (uint64_t)NOWHERE);
	regs.rbx = (uint64_t)&there;
	set_regs(thread, &regs);
	OKAY(sys_ipc_reply(reply, &empty));
	EQ(until_exited(thread), 777);
}

TEST("thread_write_state:OK a fault's thread that is also suspended, and one whose fault nobody has taken yet")
{
	sys_cap_t reply = new_reply(), ep = new_endpoint();
	sys_msg_t msg = {0}, empty = {0};
	sys_cap_t thread = helper_start_with(emulated, (void *)6, ep);

	until_waiting(thread);
	sys_regs_t regs = regs_of(thread);
	regs.rip += 2;
	set_regs(thread, &regs);
	OKAY(sys_ipc_recv(ep, reply, &msg, NULL, after(LIMIT)));
	OKAY(sys_thread_suspend(thread));
	regs.rdi = 50;
	set_regs(thread, &regs);
	OKAY(sys_ipc_reply(reply, &empty));
	sleep_for(MILLISECOND);
	EQ(thread_info(thread).state, SYS_THREAD_SUSPENDED);
	OKAY(sys_thread_resume(thread));
	EQ(until_exited(thread), 50);
}

TEST("thread_suspend:OK a fault's message that nobody has taken stays, and its reply is kept")
{
	sys_cap_t reply = new_reply(), ep = new_endpoint();
	sys_msg_t msg = {0}, empty = {0};
	sys_cap_t thread = helper_start_with(emulated, (void *)6, ep);

	until_waiting(thread);
	OKAY(sys_thread_suspend(thread));
	EQ(thread_info(thread).state, SYS_THREAD_SUSPENDED);
	OKAY(sys_ipc_recv(ep, reply, &msg, NULL, 0));
	CHECK((msg.label & SYS_LABEL_KERNEL) != 0);
	sys_regs_t regs = regs_of(thread);
	regs.rip += 2;
	regs.rdi = 51;
	set_regs(thread, &regs);
	OKAY(sys_ipc_reply(reply, &empty));
	sleep_for(MILLISECOND);
	EQ(thread_info(thread).state, SYS_THREAD_SUSPENDED);
	OKAY(sys_thread_resume(thread));
	EQ(until_exited(thread), 51);
}

/* ---- single steps ---- */

void state_steps(void), state_steps_end(void);
__asm__(".text\n.globl state_steps, state_steps_end\n"
	"state_steps:\n"
	"	incq %rax\n"
	"	incq %rax\n"
	"	incq %rax\n"
	"	incq %rax\n"
	"state_steps_end:\n"
	"	nop\n"
	"	movl $13, %edi\n"
	"	call sys_thread_exit\n");

TEST("thread_write_state:OK the trap flag steps a thread through its instructions")
{
	sys_cap_t ep = new_endpoint(), reply = new_reply(), thread = spinner();
	sys_msg_t msg = {0}, empty = {0};
	sys_regs_t regs = regs_of(thread);

	OKAY(sys_thread_set_fault_endpoint(thread, ep));
	regs.rip = AT(state_steps);
	regs.rax = 0;
	regs.rflags |= 0x100;
	set_regs(thread, &regs);
	OKAY(sys_thread_resume(thread));
	for (uint64_t i = 1; i <= 4; i++) {
		OKAY(sys_ipc_recv(ep, reply, &msg, NULL, after(LIMIT)));
		EQ(msg.label, SYS_FAULT_EXCEPTION);
		EQ(msg.word[0], 1);
		regs = regs_of(thread);
		EQ(regs.rax, i);
		EQ(regs.rip, AT(state_steps) + 3 * i);
		EQ(regs.rflags & 0x100, 0x100);
		if (i == 4) {
			regs.rflags &= ~0x100ull;
			set_regs(thread, &regs);
		}
		OKAY(sys_ipc_reply(reply, &empty));
	}
	EQ(until_exited(thread), 13);
}
