/* SPDX-License-Identifier: BSD-2-Clause */
/* calls.h: what tests write often: calls of the memory system, some of which have to be made again. */
#pragma once
#include "common/harness.h"
#include "mem/object.h"

#define P  PAGE_SIZE_
#define RW (SYS_VM_PERM_READ | SYS_VM_PERM_WRITE)
#define eq(call, status) ck_assert_int_eq(call, status)
#define again(call) ({ sys_status_t s_; do s_ = (call); while (s_ == VM_AGAIN); s_; })
#define must_ok(call) must(again(call) == SYS_OK)
