/* SPDX-License-Identifier: BSD-2-Clause */
/* call.h: what a handler of a system call sees.
 *
 * The dispatcher has looked up the capabilities that the table names (vellum/syscalls.def) and checked their types and rights; a handler never sees a wrong one. Every handler has
 * the same shape: check arguments and state, reserve what can fail, COMMIT, return. Before the commit nothing has changed; after it nothing can fail.
 *
 * A handler returns a status; VM_AGAIN (made again at once or after others ran; what is done already is noted in the arguments); SYS_ERR_SHOULD_WAIT of vm: with the thread's
 * page wait registered it waits for the page (else, by its page timeout of 0, that is the status); CALL_BLOCKED (the thread waits); CALL_DONE (its registers say all). Lock: the kernel lock.
 */
#pragma once
#include "cap/slot.h"
#include "ipc/ipc.h"
#include "vm/source.h"
#include "vm/vmar.h"

#define CALL_CAPS 4u

/* NR_<call>: the numbers. */
enum {
#define SYSCALL(number, name, args, errors, flags) NR_##name = number,
#define SYSCALL_HAND SYSCALL
#include <vellum/syscalls.def>
#undef SYSCALL
#undef SYSCALL_HAND
};

struct call {
	struct thread *t;
	struct regs *r;                 /* its arguments; results go into rdx r8 r9 r10 rdi; a message's into r8 r9 r12 to r15 */
	struct slot *slot[CALL_CAPS];   /* the capability arguments in order; NULL: SYS_CAP_NULL where that is allowed */
};

static inline void *call_object(const struct call *c, unsigned i) { return c->slot[i] ? c->slot[i]->object : NULL; }
static inline void *call_given(const struct call *c, unsigned i) { return c->slot[i]->object; }          /* of an argument that may not be left out */
static inline struct account *call_account(const struct call *c, unsigned i) { return call_object(c, i); }

/* COMMIT of every create: names a new object in a free slot of the caller's CSpace, below `parent`; the name is the call's first result. NO_SLOT: the object is ended. */
sys_status_t call_install(struct call *c, struct object *o, sys_rights_t rights, struct slot *parent);
/* The same for an object made in the account that capability 0 names. */
static inline sys_status_t call_install_first(struct call *c, struct object *o, sys_rights_t rights)
{
	return call_install(c, o, rights, c->slot[0]);
}
/* Copies a result structure to the caller's memory: SYS_OK, BAD_ADDRESS, or it waits. */
int call_copy_out(struct call *c, vaddr_t to, const void *from, u64 len);

/* The message of a call of four words: in registers only, it accepts no capabilities. */
static inline void call_set_four(struct regs *r)
{
	r->rsi = 0;
	r->r9 = header_make(REGISTER_WORDS, 0);
}

/* kernel/syscall/console.c, system.c: the objects behind the two capabilities that init gets. */
struct object *console_object(void);
struct object *resource_object(void);
void console_boot(void);
void system_boot(const struct boot_info *boot);

#define SYSCALL(number, name, args, errors, flags) int call_##name(struct call *c);
#define SYSCALL_HAND SYSCALL
#include <vellum/syscalls.def>
#undef SYSCALL
#undef SYSCALL_HAND
