/* SPDX-License-Identifier: BSD-2-Clause */
/* caprules.h: what each call of a program of capabilities.c must say, by the model of captree.h. */
#pragma once
#include "model/captree.h"

/* What a call that succeeds does. */
struct effect {
	int cap, where, other, waits;
	u32 index;
	bool any;
	sys_rights_t rights;
	u64 badge;
	sys_status_t told;              /* to the sender whose message was received, or not */
};

/* The status of the next entry of p's call: SYS_OK too where it may go in steps, VM_AGAIN where it must be made again. *e is
 * what it does then. NO_MEMORY is left out. What is revoked from here on is marked. */
sys_status_t judge(const struct program *p, struct effect *e);
/* Who waits like this (RECEIVES, SENDS) at an endpoint, or NULL. One program at most: order is the other model's matter
 * (ipc.c). */
struct program *waiting_at(int ep, int how);
