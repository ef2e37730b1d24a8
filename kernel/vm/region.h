/* SPDX-License-Identifier: BSD-2-Clause */
/* region.h: what a VMAR's tree holds: mappings and regions, by address, augmented with the largest gap. */
#pragma once
#include "lib/avl.h"
#include "mem/object.h"

struct vmar;

struct region {
	u64 head[5];                    /* room for struct object (a VMAR), or the part's type byte (a mapping): the first byte tells which */
	struct avl_node node;           /* in parent->children by base */
	vaddr_t base;
	u64 size;
	vaddr_t subtree_low, subtree_high;      /* first byte and end of its subtree */
	u64 subtree_gap;                /* the largest hole between neighbours within its subtree */
	struct vmar *parent;            /* NULL: a root, or no longer part of one */
};
static inline bool region_is_mapping(const struct region *r) { return *(const u8 *)r >= 0x80; }
_Static_assert(sizeof(struct object) == 40, "region.head holds a struct object");
