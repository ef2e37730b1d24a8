/* SPDX-License-Identifier: BSD-2-Clause */
/* frame.h: the frame table, one entry for each 4 KiB of RAM, and the one list of free frames.
 *
 * Nobody asks for a frame who has not been charged for it (account.h): as accounts never promise more than there is, frame_alloc()
 * cannot fail, and asserts so. What an entry's union holds follows from its kind. Lock: the kernel lock.
 */
#pragma once
#include "arch/arch.h"
#include "mem/object.h"

enum frame_kind {
	FRAME_NONE,             /* not RAM, the kernel's own for ever, or free and never used yet */
	FRAME_FREE,             /* given back */
	FRAME_PAGE,             /* content */
	FRAME_NODE,             /* a node of a page tree */
	FRAME_SLAB,             /* small objects of one account */
	FRAME_OBJECT,           /* one large object (a thread), or frames of slots */
	FRAME_TABLE,            /* a page table */
	FRAME_MODULE,           /* the loader's memory, becomes FRAME_PAGE in a boot module's VMO (frame_take_module) */
};

struct frame {
	u8 kind;
	u8 level;               /* node: 0 a leaf; table: 1 a leaf; slab: size class */
	u16 state;              /* slab: cells in use (low byte), first free cell + 1 (high byte); page: FRAME_* below */
	u32 refs;               /* page, node: slots of nodes and contents that name it */
	union {
		struct { u32 next, prev; u64 owner; } list;             /* free; slab: links of its list and the account; table: links, virtual address */
		struct { u32 pages, nodes; u64 base; } tree;            /* node: what is below it (itself left out), its first index */
		struct { u32 mapped, kept; u64 index; } page;           /* page: hardware entries that name it; what keeps it where it is; its index in its tree */
	};
};
_Static_assert(sizeof(struct frame) == 24, "mem_per_frame: 24 bytes of table per frame");

/* frame.state of a page. Its age: how many rounds of reclaim have not seen it accessed, none if it is young; what is oldest
 * goes first. An access by a call sets it young (vm/cursor.h), one by a program marks the hardware entry. */
#define FRAME_AGE       0x00ffu
#define FRAME_OLDEST    0x00ffu         /* as if nobody had ever accessed it: DONT_NEED */
#define FRAME_GUARDED   0x0100u         /* ALWAYS_NEED: reclaim leaves it */
#define FRAME_ZERO_FORK 0x0200u         /* made from zero by an access: may hold zeros only, and nobody has looked yet */

#define FRAME_WRITTEN   0x0400u         /* since it was supplied: by a call, or through an entry that is gone. Reclaim leaves it */

#define FRAME_HELD      0x0800u         /* a root's: somebody waited for it, and has not used it since it came */

#define FRAME_NIL 0u            /* frame 0 is never given out */

/* Debug: free memory is full of this byte, and is looked through before it is given out again. */
#define MEM_POISON 0xa5
#ifdef VELLUM_DEBUG
enum { MEM_POISONING = 1 };
#else
enum { MEM_POISONING = 0 };
#endif

#define MEM_MINIMUM (8ull << 20)        /* bytes that must be free after the kernel, its table and its modules */

/* Lays the table out over the machine's RAM. `taken` ranges stay FRAME_NONE; modules become FRAME_MODULE. Panics with a clear text when there is too little
 * memory: less than MEM_MINIMUM free. Costs the clearing of the table; nothing for each frame. */
void frame_init(const struct boot_info *boot);
/* A frame of that kind, refs 1, the rest of the entry zero; its content is whatever it was (debug: poison). The caller was charged. */
paddr_t frame_alloc(enum frame_kind kind);
paddr_t frame_alloc_zeroed(enum frame_kind kind);
/* A zeroed FRAME_PAGE in this state. */
paddr_t frame_alloc_page(u16 state);
/* Gives it back. refs must be 0 or 1, no hardware entry may name it. */
void frame_free(paddr_t frame);
/* Frames in a row, by frame number. Looks for `count` free ones that begin at a multiple of `align` (a power of two), from *start on: SYS_OK: they begin at
 * *start; VM_AGAIN: a step was done, *next and *start (both 0 at first; any value does no harm) say where to go on; NO_RESOURCES: there are none. */
sys_status_t frame_find_row(u64 *next, u64 *start, u64 count, u64 align);
/* frame_alloc of this very frame: SYS_OK; VM_AGAIN: a step was done; NO_RESOURCES: it is not free. */
sys_status_t frame_take(u64 number, enum frame_kind kind);
/* A module's frame becomes a FRAME_PAGE, refs 1, its content kept. Modules count in the root account's total, so the caller has charged for it
 * as for any page, and it is freed as any page is. */
void frame_take_module(paddr_t frame);

u64 frame_count(void);          /* frames of RAM */
u64 frame_count_free(void);
u64 frame_count_modules(void);  /* those that are still FRAME_MODULE */
u64 frame_table_bytes(void);
void frame_check(void);         /* walker: the free list and the counts agree with the table */

extern struct frame *frame_table;
extern u64 frame_table_len;
static inline struct frame *frame_of(paddr_t pa) { return &frame_table[pa >> PAGE_SHIFT]; }
static inline paddr_t frame_addr(const struct frame *f) { return (paddr_t)(f - frame_table) << PAGE_SHIFT; }
