/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel.h: all of the portable kernel on the fake machine, and what tests of capabilities and IPC share. */
#pragma once
#include "cap/slot.h"
#include "common/harness.h"
#include "ipc/ipc.h"
#include "mem/account.h"
#include "mem/frame.h"

/* A machine of so many frames, every layer set up as at boot. */
void kernel_start(u64 frames);
/* The walkers of memory and of the run queues. */
void kernel_check(void);

/* The call must succeed. A child account without a capability. */
struct account *account_new(struct account *parent, u64 frames);
/* A CNode of so many slots, laid out, without a capability. */
struct cnode *cnode_new(struct account *a, u32 slots);
/* An endpoint, a notification or a reply object, ready for use, without a capability. */
void *object_new(struct account *a, enum sys_type type);
/* Names it in the oldest free slot, with all rights of its type. NULL parent: it stands alone. flags: enum
 * slot_flags. */
struct slot *cap_put(struct cnode *c, void *object, struct slot *parent, u16 flags);
/* The same with less rights, or a badge: a copy when the object is the parent's. */
struct slot *cap_put_with(struct cnode *c, void *object, sys_rights_t rights, u64 badge, struct slot *parent);
struct slot *cap_copy(struct cnode *c, struct slot *source);
sys_rights_t all_rights(enum sys_type type);

/* Makes a call that goes in steps again until it is done; counts how often in restarts. */
extern u64 restarts;
sys_status_t revoke_all(struct slot *s);
sys_status_t delete_all(struct slot *s);
void kernel_reap(void);
