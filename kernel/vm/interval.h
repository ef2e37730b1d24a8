/* SPDX-License-Identifier: BSD-2-Clause */
/* interval.h: which mappings show a range of a content: an interval tree by byte offset, augmented with the largest
 * end, so that all that meet a range are found in O(log n + hits). A mapping stands in its own content's tree, and, where
 * that is a clone of a root, in the root's as well. Lock: the kernel lock.
 */
#pragma once
#include "lib/avl.h"

struct mapping;
struct interval {
	struct avl_node node;
	u64 first, last;                /* bytes of the content whose tree this is, both inclusive */
	u64 max_last;                   /* the largest `last` of its subtree */
	struct mapping *mapping;        /* whose; NULL: it is in no tree */
};

/* Several may be equal. O(log n), as all of these. */
void interval_insert(struct avl_tree *t, struct interval *i, struct mapping *m, u64 first, u64 last);
void interval_remove(struct avl_tree *t, struct interval *i);
/* It ends elsewhere now. */
void interval_end_at(struct avl_tree *t, struct interval *i, u64 last);
/* The first, by offset, that meets [lo, last], or NULL; and the one behind it, which may begin beyond. */
struct interval *interval_first_in(const struct avl_tree *t, u64 lo, u64 last);
static inline struct interval *interval_of(struct avl_node *n) { return n ? container_of(n, struct interval, node) : NULL; }
static inline struct interval *interval_next(struct interval *i) { return interval_of(avl_next(&i->node)); }
/* Walker: order and ends. */
void interval_check(const struct avl_tree *t);
