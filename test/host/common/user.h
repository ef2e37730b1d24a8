/* SPDX-License-Identifier: BSD-2-Clause */
/* user.h: programs on the fake machine, which come into the kernel as real ones do: registers in, status out, through
 * the dispatcher with its checks of types and rights, the fast path and the scheduler.
 *
 * One CPU: `user` is the thread that has it. A call is one entry. Afterwards another thread may have the CPU, the same
 * one may have to make its call again (user_in_call), or it has a result. Somebody must always be ready to run: a test has
 * one thread that never waits. */
#pragma once
#include "common/kernel.h"
#include "syscall/fastpath.h"

extern struct thread *user;

/* Every layer set up as at boot, on a machine of so many frames. */
void user_boot(u64 frames);
/* A thread that is started; the test itself counts as a capability to it. */
struct thread *user_new(struct account *a, struct cnode *cspace, struct space *space, u8 priority);
/* The first thread gets the CPU. */
void user_begin(void);

/* Where threads run: thread_start()'s entry, for those that are started by a call. */
#define USER_ENTRY 0x400002ull

/* It is in a call that is not over: it waits, or is to make it again. */
bool user_in_call(const struct thread *t);
/* The running thread, in no call, makes one: arguments in order of the registers of vellum/syscalls.def. */
void user_enter_with(u64 number, const u64 *arg, unsigned args);
#define USER_ARGS(...) (const u64[]){ 0, ##__VA_ARGS__ } + 1, sizeof((const u64[]){ 0, ##__VA_ARGS__ }) / sizeof(u64) - 1
#define user_enter(number, ...) user_enter_with(number, USER_ARGS(__VA_ARGS__))
/* The running thread, whose call is not over, makes it again. */
void user_again(void);
/* The running thread's access there fails; it comes by an exception. */
void user_fault(vaddr_t address, unsigned access);
void user_exception(u64 vector, u64 error);
/* An interrupt comes; user_time: the clock is set first. */
void user_interrupt(void);
void user_time(i64 to);
/* The running thread, which is alone but for the one that never waits, makes a call until it is over. */
sys_status_t user_call_with(u64 number, const u64 *arg, unsigned args);
#define user_call(number, ...) user_call_with(number, USER_ARGS(__VA_ARGS__))

/* The status of a thread's last call. */
static inline sys_status_t user_status(const struct thread *t) { return (sys_status_t)t->context.regs.rax; }
/* Readable and writable memory in s; then what is in it, which must be there. */
vaddr_t user_memory(struct space *s, u64 pages);
void user_poke(struct space *s, vaddr_t at, const void *from, u64 size);
void user_peek(struct space *s, vaddr_t at, void *to, u64 size);
