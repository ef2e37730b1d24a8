/* SPDX-License-Identifier: BSD-2-Clause */
/* counters.h: what the kernel has done since boot, for sys_system_info. Each is counted where it happens. Lock: the kernel lock. */
#pragma once
#include <vellum/abi.h>

extern sys_counters_t counters;
