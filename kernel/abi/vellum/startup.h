/* SPDX-License-Identifier: BSD-2-Clause */
/* startup.h: the block of memory that a new program's first thread finds by its first argument (rdi). Written by the kernel for
 * init and by libsys' spawn for every other program; read by sys_startup() and the start code. All offsets are bytes from the
 * start of the block, strings end with NUL, and the block is the reader's own memory: a reader still checks every offset.
 *
 *     struct startup_block, then `items` times struct startup_item, then `argc` times uint32_t (offset of a string), then strings
 */
#pragma once
#include <stdint.h>

#define STARTUP_MAGIC 0x5041544cu       /* "LTAP" in memory */

struct startup_item {
	uint32_t name;                  /* offset of its name */
	uint32_t reserved;
	uint64_t cap;                   /* where it is in the program's CSpace */
	uint64_t size;                  /* bytes of a VMO's content; 0 for everything else */
};

struct startup_block {
	uint32_t magic, bytes;          /* bytes: the whole block */
	uint32_t items, argc;
};
