/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzzer.h: a thread that makes random and plausible system calls, in a process of its own. It runs on a state of its
 * own (struct fuzzer), which the process has mapped and no call of its own is pointed at on purpose, so that a seed gives
 * the same calls again. Arguments are drawn by what the table says of them: names of capabilities of the right type
 * (mostly), stale ones, boundary values, good and bad pointers.
 *
 * What the process must have: the program's image (image.h), the states at FUZZ_STATES, memory to play with at PLAY
 * (FUZZ_PAGES pages, the rest may be anything), a CSpace of FUZZ_SLOTS slots with itself at slot 1. */
#pragma once
#include "calltable.h"

enum { FUZZ_SLOTS = 256, FUZZ_PAGES = 8, FUZZ_TYPES = 16, FUZZ_KNOWN = 8, FUZZ_MAPPED = 4, FUZZ_STACK = 8192, FUZZ_THREADS = 6 };
#define FUZZ_STATES 0x13579000ul                 /* not where offsets that are drawn lead */
#define PLAY 0x26543000ul
#define PLAY_READ_ONLY (PLAY + 16 * PAGE)       /* 4 pages that are not writable */
#define PLAY_PAGED (PLAY + 32 * PAGE)           /* 16 pages that a pager supplies */
/* What stands in slots of its own: a pager, its VMO, one to supply from; an endpoint and a reply to meet at. */
enum { FUZZ_PAGER_SLOT = 8, FUZZ_PAGED_SLOT, FUZZ_AUX_SLOT, FUZZ_ENDPOINT_SLOT, FUZZ_REPLY_SLOT, FUZZ_KEPT };
#define PLAY_SNAPSHOT (PLAY + 64 * PAGE)        /* 8 pages, a snapshot's */

/* How an argument of a call is drawn, from its name and its type. */
enum value {
	VALUE_CAP, VALUE_CAP_OR_NONE, VALUE_NAME, VALUE_RIGHTS, VALUE_NUMBER, VALUE_SMALL, VALUE_OFFSET, VALUE_OPTIONS, VALUE_TIME,
	VALUE_POINTER, VALUE_MESSAGE, VALUE_SUPPLY, VALUE_HEADER, VALUE_LABEL, VALUE_ADDRESS, VALUE_SLOTS, VALUE_BYTES,
	VALUE_ENTRY, VALUE_STACK, VALUE_FAULT_CODE, VALUE_BADGE, VALUE_WORD, VALUE_NONE
};

struct fuzz_plan {                              /* the same for all: made once, never changed */
	uint32_t numbers;
	uint8_t number[4 * CALL_NUMBERS];       /* the calls there are, some several times */
	uint8_t rare[CALL_NUMBERS], value[CALL_NUMBERS][CALL_ARGS];
	uint32_t types[CALL_NUMBERS][CALL_ARGS];
	uint8_t arguments[CALL_NUMBERS];
};

struct fuzzer {
	const struct fuzz_plan *plan;
	uint64_t random;
	uint64_t calls, limit;                  /* calls so far; it ends at the limit (0: never) */
	uint64_t bad_number, bad_status;        /* a status that no call may give, and of which call */
	uint64_t number, argument[CALL_ARGS];   /* what it is doing: for a debugger */
	sys_cap_t known[FUZZ_TYPES][FUZZ_KNOWN], fresh;
	uint64_t mapped[FUZZ_MAPPED];           /* where it mapped something last */
	sys_msg_t message;
	sys_pager_supply_t supply;
	uint32_t tried[CALL_NUMBERS], worked[CALL_NUMBERS];     /* how often, and with SYS_OK */
};

void fuzz_make_plan(struct fuzz_plan *plan);
/* A thread's function: its argument is its struct fuzzer. */
int64_t fuzz_run(void *fuzzer);
