/* SPDX-License-Identifier: BSD-2-Clause */
/* avl.h: balanced search trees with the nodes inside their members (Adelson-Velsky and Landis, 1962), with augmentation.
 *
 * The owner descends and compares by itself; this module links, unlinks and rebalances. `augment` recomputes a node's summary from its own
 * data and its two children; it is called bottom up for every node whose subtree changed, so it must be O(1). NULL: no summary.
 * Insert, remove: O(log n). No recursion. The lock is the owner's.
 */
#pragma once
#include "lib/types.h"

struct avl_node { struct avl_node *left, *right, *parent; i64 balance; };
struct avl_tree { struct avl_node *root; void (*augment)(struct avl_node *); };

/* The same as insert and remove below, for a tree without summaries that is empty, or that holds nothing else. */
static inline void avl_insert_alone(struct avl_tree *t, struct avl_node *n)
{
	*n = (struct avl_node){ 0 };
	t->root = n;
}
static inline bool avl_alone(const struct avl_tree *t, const struct avl_node *n) { return t->root == n && !n->left && !n->right; }
static inline void avl_remove_alone(struct avl_tree *t) { t->root = NULL; }     /* the node is zero already */

/* Links a new node at the empty place `*link` below `parent` (NULL: the root), then rebalances. */
void avl_insert(struct avl_tree *t, struct avl_node *n, struct avl_node *parent, struct avl_node **link);
void avl_remove(struct avl_tree *t, struct avl_node *n);
/* The node's own data changed: recompute the summaries from it up to the root. */
void avl_update(struct avl_tree *t, struct avl_node *n);
struct avl_node *avl_first(const struct avl_tree *t);
struct avl_node *avl_last(const struct avl_tree *t);
struct avl_node *avl_next(const struct avl_node *n);
struct avl_node *avl_prev(const struct avl_node *n);
/* Walker: links, balance, order by `compare` (< 0: a before b), summaries by `summary_ok` (may be NULL). Returns the number of nodes; asserts. */
size_t avl_check(const struct avl_tree *t, int (*compare)(const struct avl_node *, const struct avl_node *), bool (*summary_ok)(const struct avl_node *));
