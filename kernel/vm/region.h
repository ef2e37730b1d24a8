/* SPDX-License-Identifier: BSD-2-Clause */
/* region.h: what a VMAR's tree holds: mappings and regions, by address, augmented with the largest gap and with
 * whether there are regions.
 *
 * All searches here are O(log n) in the number of children of one VMAR. Lock: the kernel lock.
 */
#pragma once
#include "lib/avl.h"
#include "mem/object.h"

struct vmar;

struct region {
	u64 head[5];                    /* struct object (a VMAR), or the part's type byte (a mapping) */
	struct avl_node node;           /* in parent->children by base */
	vaddr_t base;
	u64 size;
	vaddr_t subtree_low, subtree_high;      /* first byte and end of its subtree */
	u64 subtree_gap;                /* the largest hole between neighbours within its subtree */
	struct vmar *parent;            /* NULL: a root, or no longer part of one */
	bool subtree_regions;           /* there is a region (not only mappings) in its subtree */
};
static inline bool region_is_mapping(const struct region *r) { return *(const u8 *)r >= 0x80; }
static inline vaddr_t region_end(const struct region *r) { return r->base + r->size; }
_Static_assert(sizeof(struct object) == 40, "region.head holds a struct object");

/* Set at boot: places are chosen by arch_random(), else the lowest free one is. */
extern bool vm_randomise;

void region_tree_init(struct avl_tree *children);
/* Makes c, whose base and size are set and free in `parent`, a child of it. */
void region_insert(struct vmar *parent, struct region *c);
void region_remove(struct region *c);           /* parent is NULL from now on */
/* Base or size of the child c changed within its old range: summaries. */
void region_changed(struct region *c);
/* The first child that ends above va, or NULL. */
struct region *region_first(const struct vmar *r, vaddr_t va);
/* The child that stands behind c, or NULL. */
struct region *region_next(const struct region *c);
/* The child that holds va, or NULL. */
struct region *region_at(const struct vmar *r, vaddr_t va);
/* The first child in [lo, hi) that is a region, or NULL. */
struct region *region_first_region(const struct vmar *r, vaddr_t lo, vaddr_t hi);
/* Chooses a free place of `size` bytes for a child, aligned, ending at or below `limit`; compact: near what is
 * there. False: there is none (with an alignment above a page: none found among the first 64 holes that are large
 * enough but for it). */
bool region_place(const struct vmar *r, u64 size, u64 align, vaddr_t limit, bool compact, vaddr_t *out);
/* Walker: order, disjoint, inside r, summaries, parents. */
void region_check(const struct vmar *r);
