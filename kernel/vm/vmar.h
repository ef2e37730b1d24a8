/* SPDX-License-Identifier: BSD-2-Clause */
/* vmar.h: address regions and address spaces. A space is a root VMAR, page tables, and the few table frames that
 * it has reserved.
 *
 * All calls check arguments in the documented order; rights of capabilities (and the PERM/CAN_MAP rights selected
 * by options) were checked by the dispatcher, and come in as `rights` where the region's own limits depend on
 * them. Lock: the kernel lock.
 */
#pragma once
#include "arch/arch.h"
#include "vm/mapping.h"
#include "vm/region.h"

#define SPACE_LOW        0x1000ull
#define SPACE_HIGH       0x00007fffffffe000ull          /* the last page below the top is never mapped */
#define SPACE_RESERVE    18u            /* table frames one instruction can need: six pages, three tables each */
#define FAULT_NEIGHBOURS 16u            /* pages entered per fault at most */
#define VMAR_DEPTH       32u            /* a region at this depth has no regions: a fault looks at no more levels */

struct page_ref;
struct vmar {
	struct region region;           /* starts with its struct object */
	struct avl_tree children;
	u32 options;                    /* SYS_VM_CAN_MAP_* it allows */
	bool wx;                        /* W+X mappings are allowed (SYS_RIGHT_WX was given at the root) */
	bool destroyed;                 /* calls give BAD_STATE, accesses find nothing; its content goes */
	u8 depth;                       /* 0: a root */
	struct space *space;            /* NULL: no longer part of one */
	vaddr_t anchor;                 /* where places are looked for first when they are random */
};
extern const struct object_type vmar_type;

struct space {                          /* lives inside the root VMAR's object */
	struct vmar root_vmar;
	paddr_t root;                   /* page-table root */
	struct account *account;        /* pays for tables, mappings, regions */
	u64 tables;                     /* in use, root left out; SPACE_RESERVE are paid for in advance */
	u32 oldest, newest;             /* leaf tables by age (frame table links), to be reused */
	struct mapping *recent;         /* where the last fault was, if that is a mapping of the root VMAR itself; else NULL */
	struct list threads;            /* back links of the threads that run in it (the layer above) */
	struct avl_tree waits;          /* page_wait.in_space: who waits for a page that was missing at one of its addresses */
	/* Set by the layer above: the space ends. Called, a step each, until it has no threads. */
	void (*ended)(struct space *);
};
static inline struct vmar *vmar_of(struct object *o) { return (struct vmar *)o; }

/* wx: W+X mappings allowed. */
sys_status_t space_create(struct account *a, bool wx, struct space **out);

/* INVALID_ARGS, ACCESS_DENIED (the region's own limits), BAD_STATE, ALREADY_EXISTS, NO_RESOURCES (no room; deeper
 * than VMAR_DEPTH), NO_MEMORY. */
sys_status_t vmar_allocate(struct vmar *parent, sys_rights_t rights, u32 options, u64 offset, u64 size,
                           struct vmar **out);
/* INVALID_ARGS, ACCESS_DENIED, OUT_OF_RANGE, NOT_SUPPORTED, BAD_STATE, ALREADY_EXISTS, NO_RESOURCES, NO_MEMORY.
 * VM_AGAIN: SPECIFIC_OVERWRITE did a step. below: the entry below which the mapping stands (the VMO capability's
 * opening entry; NULL: none). rights_vmar, rights_vmo: of the capabilities. */
sys_status_t vmar_map(struct vmar *r, sys_rights_t rights_vmar, u32 options, u64 vmar_offset, struct vmo *vmo,
                      sys_rights_t rights_vmo, u64 vmo_offset, u64 len,
                      struct deriv *below, vaddr_t *out);
/* VM_AGAIN: did a step, what is unmapped stays so. manage: the capability has MANAGE (may touch subregions).
 * INVALID_ARGS, BAD_STATE, NO_MEMORY (a mapping's middle goes, and its other end needs a mapping of its own). */
sys_status_t vmar_unmap(struct vmar *r, bool manage, vaddr_t addr, u64 len);
/* *done (in/out): bytes already handled, 0 at first, kept by the caller over VM_AGAIN. INVALID_ARGS, BAD_STATE,
 * NOT_FOUND, ACCESS_DENIED, NO_MEMORY: from *done on nothing was changed. */
sys_status_t vmar_protect(struct vmar *r, sys_rights_t rights, u32 options, vaddr_t addr, u64 len, u64 *done);
/* Ends all that lies in r, and r itself unless it is a root: calls on it and on what was below give BAD_STATE from
 * the first step on. OK or VM_AGAIN. */
sys_status_t vmar_destroy(struct vmar *r);
/* It or something above it is destroyed or dying. */
bool vmar_is_dead(const struct vmar *r);
/* What lies in r in address order, a region before its content, r's own children at depth 1. at, depth (in/out):
 * where to go on; r's base and 0 at first. False: no more. O(log n) per level. */
bool vmar_maps_next(struct vmar *r, vaddr_t *at, u32 *depth, sys_maps_t *out);
/* Counts the pages that a mapping which was so found shows, in bounded steps, and puts them into *out. k: zero at first, kept between steps; one that
 * is gone meanwhile shows nothing more. True: done, *k is zero again. */
struct maps_count { vaddr_t base; u64 next, pages, private_pages; };
bool vmar_maps_count(const struct vmar *r, sys_maps_t *out, struct maps_count *k);

/* A page fault of a user access. access: one SYS_ACCESS_*. SYS_OK: entered, run on. VM_AGAIN: run on, it will
 * fault again. SHOULD_WAIT: w registered. Else the status of the fault message: NOT_FOUND (no mapping),
 * ACCESS_DENIED, OUT_OF_RANGE, NO_MEMORY, BAD_STATE, or the pager's code. */
sys_status_t vm_fault(struct space *s, vaddr_t va, unsigned access, unsigned retries, struct page_wait *w);
/* The page that the access behind w waits for is there: enters it if mapping and rights still allow; never allocates beyond the reserve.
 * ref: the page w->page of w->root; its frame is 0: look it up. */
void vm_fault_finish(const struct page_wait *w, const struct page_ref *ref);

/* Copies between kernel memory and the user memory of a space, one page-run at a time, faulting pages in. *done
 * (in/out) counts bytes. SYS_OK; VM_AGAIN; SHOULD_WAIT; BAD_ADDRESS. */
sys_status_t space_copy_in(struct space *s, void *to, vaddr_t from, u64 len, u64 *done, unsigned retries,
                           struct page_wait *w);
sys_status_t space_copy_out(struct space *s, vaddr_t to, const void *from, u64 len, u64 *done, unsigned retries,
                            struct page_wait *w);
/* Kernel address of user bytes at va for this access, valid until the next call into vm: up to *len bytes (cut at
 * the page's end). */
sys_status_t space_reach(struct space *s, vaddr_t va, unsigned access, u64 *len, unsigned retries,
                         struct page_wait *w, void **out);
/* The same for [va, va + len) if it lies in one page and needs no fault; else NULL. */
void *space_window(struct space *s, vaddr_t va, u64 len, unsigned access);

/* What memory va shows, told apart from all other: the id of the object that is mapped there, and the byte's offset in
 * it. BAD_ADDRESS: nothing is, or not to be read. Looks for no page. O(log mappings) for each level of regions. */
sys_status_t space_shows(struct space *s, vaddr_t va, sys_koid_t *object, u64 *offset);

/* vmo_read / vmo_write of one call: moves bytes between the VMO and user memory from *done on; bounded pages per
 * entry (then VM_AGAIN when an interrupt is pending). */
sys_status_t vmo_read(struct vmo *v, struct space *s, vaddr_t buf, u64 offset, u64 len, u64 *done, unsigned retries,
                      struct page_wait *w);
sys_status_t vmo_write(struct vmo *v, struct space *s, vaddr_t buf, u64 offset, u64 len, u64 *done, unsigned retries,
                       struct page_wait *w);

/* Walker: the trees, gaps, and every hardware entry agrees with a mapping and its content (docs/architecture.md, invariant 5). */
void space_check(struct space *s);
