/* SPDX-License-Identifier: BSD-2-Clause */
/* content.h: contents that the benchmarks of page trees stand on. All of it is paid from the program's own account. */
#pragma once
#include "bench.h"

sys_cap_t committed_vmo(uint64_t size);
sys_cap_t snapshot_of(sys_cap_t vmo, uint64_t size);
/* Its snapshot; then the snapshot that there was before ends. */
struct shared { sys_cap_t vmo, snapshot; uint64_t size; volatile uint64_t *at; };
void share_again(struct shared *shared);
/* The row of a snapshot of a committed, unmapped content, and of the first write to it, mapped and touched, after one. */
void bench_snapshot(const char *id, uint64_t size);
void bench_first_write(const char *id, uint64_t size);
