/* SPDX-License-Identifier: BSD-2-Clause */
/* engine.c: see engine.h. */
#include <stdio.h>
#include <stdlib.h>
#include "model/engine.h"

static u64 state;                       /* of the generator */
static const u8 *byte, *end;            /* NULL: the generator chooses */

static u64 generate(void)
{
	u64 z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* As many bytes as a choice among n needs. */
static u64 read_for(u64 n)
{
	u64 value = 0;

	for (u64 left = n - 1; left && byte < end; left >>= 8)
		value = value << 8 | *byte++;
	return value;
}

u64 choose(u64 n)
{
	if (byte)
		return read_for(n) % n;
	if (n <= UINT32_MAX)
		return (generate() >> 32) * n >> 32;
	return generate() % n;
}

bool chance(unsigned percent) { return choose(100) < percent; }

static void walk_all(void)
{
	model.walk();
}

void episode_seeded(u64 seed, u32 steps, unsigned walk)
{
	byte = NULL;
	state = seed * 0xd1342543de82ef95 + 1;
	host_random_seed(seed);
	model.start();
	for (u32 i = 1; i <= steps; i++) {
		model.step();
		if (i % walk == 0)
			walk_all();
	}
	model.finish();
	walk_all();
}

void episode_bytes(const u8 *bytes, size_t count, u32 steps)
{
	byte = bytes;
	end = bytes + count;
	host_random_seed(1);
	model.start();
	for (u32 i = 0; i < steps && byte < end; i++) {
		model.step();
		walk_all();
	}
	byte = end;
	model.finish();
	walk_all();
}

static void failed(const char *file, int line, const char *fact)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, fact);
	abort();
}

void episode_aborts(void) { must_hook = failed; }
