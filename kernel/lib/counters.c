/* SPDX-License-Identifier: BSD-2-Clause */
/* counters.c: see counters.h. */
#include "lib/counters.h"

sys_counters_t counters;
