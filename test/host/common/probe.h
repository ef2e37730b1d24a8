/* SPDX-License-Identifier: BSD-2-Clause */
/* probe.h: objects that tell what is done to them, for tests of kernel/mem. */
#pragma once
#include "common/harness.h"
#include "mem/object.h"

/* A machine of 16 MiB, with three types of objects: SYS_TYPE_VMO is the probe, SYS_TYPE_REPLY plain and of 64 bytes,
 * SYS_TYPE_THREAD plain and of a frame. */
void memory_start(void);
/* All walkers of kernel/mem. */
void memory_check(void);

/* A child without a capability; the call must succeed. */
struct account *child_of(struct account *parent, u64 frames);

/* Its hooks write their name and its number; its reap takes object.extra more steps and drops what it holds first. */
struct probe { struct object object; struct probe *holds; };
/* A probe with one capability. */
struct probe *probe_new(struct account *a, u16 number, u32 steps);
/* What probes have said since the last call, as "gone1 idle1 ended1 reap1 ". */
const char *probe_said(void);

extern const struct object_type probe_plain_type;
