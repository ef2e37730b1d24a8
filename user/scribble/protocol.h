/* SPDX-License-Identifier: BSD-2-Clause */
/* protocol.h: what the shell's verify asks of scribble. The endpoint is passed as `orders` (to receive), the memory
 * to write to as `target`. */
#pragma once
#include <stdint.h>

enum {
	SCRIBBLE_GO = 1,                /* sent; word 0: bytes. Write over them, again and again */
	SCRIBBLE_STOP = 2,              /* a call; answered when it has stopped. Word 0: rounds made, > 0 */
};

#define SCRIBBLE_PATTERN 0x5c5c5c5c5c5c5c5cull  /* the complement of a round's number is put over it */
