/* SPDX-License-Identifier: BSD-2-Clause */
/* caps.c: a system call, and operations on capabilities. What is copied and moved is an unbadged endpoint, within one
 * CNode, into whatever slot is free. */
#include "common/bench.h"

enum { MANY = 1024, ROUNDS_MANY = 24, BADGE = 7 };

const struct bench_side bench_sides[] = {{NULL, NULL}};

static sys_cap_t ep, made;

static void run_cap_info(void *argument, unsigned round)
{
	sys_cap_info_t info;
	(void)argument, (void)round;
	MUST(sys_cap_info(ep, &info));
}

static void run_copy(void *argument, unsigned round)
{
	(void)argument, (void)round;
	MUST(sys_cap_copy(ep, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, &made));
}

static void run_mint(void *argument, unsigned round)
{
	(void)argument, (void)round;
	MUST(sys_cap_mint(ep, SYS_CAP_CNODE, SYS_SLOT_ANY, SYS_RIGHTS_SAME, BADGE, &made));
}

static void run_move(void *argument, unsigned round)
{
	(void)argument, (void)round;
	MUST(sys_cap_move(made, SYS_CAP_CNODE, SYS_SLOT_ANY, &made));
}

static void run_delete(void *argument, unsigned round)
{
	(void)argument, (void)round;
	MUST(sys_cap_delete(made));
}

/* So many copies, all derived from `ep` itself. */
static void make_copies(void *argument, unsigned round)
{
	for (unsigned i = 0; i < *(const unsigned *)argument; i++)
		run_copy(NULL, round);
}

static void run_revoke(void *argument, unsigned round)
{
	(void)argument, (void)round;
	MUST(sys_cap_revoke(ep));
}

void bench_rows(void)
{
	static unsigned one = 1, many = MANY;

	MUST(sys_endpoint_create(SYS_CAP_UNTYPED, &ep));
	measure(&(struct operation){.id = "syscall_null", .run = run_cap_info});
	measure(&(struct operation){.id = "cap_copy", .run = run_copy});
	measure(&(struct operation){.id = "cap_mint", .run = run_mint});
	measure(&(struct operation){.id = "cap_move", .run = run_move});
	measure(&(struct operation){.id = "cap_delete", .prepare = run_copy, .run = run_delete});
	MUST(sys_cap_revoke(ep));
	measure(&(struct operation){.id = "cap_revoke_1", .prepare = make_copies, .run = run_revoke, .argument = &one});
	measure(&(struct operation){
		.id = "cap_revoke_1024", .prepare = make_copies, .run = run_revoke, .argument = &many, .rounds = ROUNDS_MANY});
	MUST(sys_cap_delete(ep));
}
