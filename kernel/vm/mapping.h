/* SPDX-License-Identifier: BSD-2-Clause */
/* mapping.h: one VMO's range at one range of addresses, and what vmo.c needs to reach hardware entries.
 *
 * A mapping stands in three structures: its region's tree by address (vmar.h), its VMO's interval tree by object offset (augmented with the largest end, so that
 * all mappings that meet a range of the object are found in O(log n + hits)), and the derivation list below the capability it was made with.
 * It holds a reference to its VMO. Its protection is a first value and change points, so protecting a part does not split it. Lock: the kernel lock.
 */
#pragma once
#include "vm/region.h"
#include "vm/vmo.h"

struct mapping {
	struct region region;           /* first byte PART_MAPPING; base, size, parent */
	struct vmo *vmo;
	u64 vmo_offset;
	struct avl_node node;           /* in vmo->mappings */
	u64 max_end;                    /* largest last byte (inclusive) of object offsets in its subtree */
	struct deriv deriv;             /* DERIV_MAPPING */
	struct list writable;           /* on vmo->writable while it may have writable hardware entries ... */
	vaddr_t write_low, write_high;  /* ... and those lie in here */
	u32 options;                    /* PERM_* of its first page, ALLOW_FAULTS ... */
	u32 ceiling;                    /* PERM_* that the capabilities of its creation allow */
	struct avl_tree changes;        /* struct range_change by address */
};
struct range_change { u8 part; u32 perm; vaddr_t from; struct avl_node node; };   /* PART_RANGE: perm holds from here on */

u32 mapping_perm(const struct mapping *m, vaddr_t va, vaddr_t *until);   /* PERM_* at va, and how far they hold */

/* ---- for vmo.c ------------------------------------------------------------------------------------------------------------------ */
/* One bounded step of taking write access away from every mapping of v: true when no writable hardware entry to v is left. */
bool mapping_protect_step(struct vmo *v);
/* Removes the hardware entries of object pages [page, end) in all mappings of v; one bounded step. True: none is left. */
bool mapping_unmap_step(struct vmo *v, u64 page, u64 end);
/* A page was put where mappings may show the zero page: removes those entries (of this page only). True: done. */
bool mapping_unmap_page(struct vmo *v, u64 page);
/* Ends one mapping of v (v is dying): unmaps a bounded part; true: there are no more mappings. */
bool mapping_end_step(struct vmo *v);
/* Ends this mapping (revoke of the capability it hangs below): bounded; true: gone. */
bool mapping_end(struct mapping *m);
