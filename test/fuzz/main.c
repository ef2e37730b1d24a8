/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c: a model (test/host/model) under libFuzzer: its choices are the fuzzer's bytes. The makefile links it with each
 * subject. Each input is an episode on a fresh machine. */
#include "model/engine.h"

#define STEPS 2000u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
	episode_aborts();
	if (count)
		episode_bytes(bytes, count, STEPS);
	return 0;
}
