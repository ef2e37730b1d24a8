/* SPDX-License-Identifier: BSD-2-Clause */
/* avl.h: balanced search trees with the nodes inside their members (Adelson-Velsky and Landis, 1962), with augmentation.
 *
 * The owner looks things up by itself; this module links, unlinks and rebalances. `augment` recomputes a node's summary from its own
 * data and its two children; it is called bottom up for every node whose subtree changed, so it must be O(1). NULL: no summary.
 * Insert, remove: O(log n). No recursion. The lock is the owner's.
 */
#pragma once
#include "lib/types.h"

struct avl_node {
	union {
		struct { struct avl_node *left, *right; };
		struct avl_node *child[2];
	};
	struct avl_node *parent;
	i64 balance;
};
/* Whether a stands before b. Of members that are equal the one that came first does. */
typedef bool avl_order(const struct avl_node *a, const struct avl_node *b);
struct avl_tree { struct avl_node *root; void (*augment)(struct avl_node *); };

/* The same as insert and remove below, for a tree without summaries that is empty, or that holds nothing else, and a
 * node that was zero before it was inserted first: it is again whenever it is in no tree. */
static inline void avl_insert_alone(struct avl_tree *t, struct avl_node *n) { t->root = n; }
static inline bool avl_alone(const struct avl_tree *t, const struct avl_node *n) { return t->root == n && !n->left && !n->right; }
static inline void avl_remove_alone(struct avl_tree *t) { t->root = NULL; }

/* Links a new node at its place among the others, then rebalances. */
void avl_insert(struct avl_tree *t, struct avl_node *n, avl_order *before);
void avl_remove(struct avl_tree *t, struct avl_node *n);
/* The node's own data changed: recompute the summaries from it up to the root. */
void avl_update(struct avl_tree *t, struct avl_node *n);
/* The last node to that side from n (may be NULL) downwards; the next one to that side. */
struct avl_node *avl_outermost(struct avl_node *n, bool right);
struct avl_node *avl_neighbour(const struct avl_node *n, bool right);
static inline struct avl_node *avl_first(const struct avl_tree *t) { return avl_outermost(t->root, false); }
static inline struct avl_node *avl_last(const struct avl_tree *t) { return avl_outermost(t->root, true); }
static inline struct avl_node *avl_next(const struct avl_node *n) { return avl_neighbour(n, true); }
static inline struct avl_node *avl_prev(const struct avl_node *n) { return avl_neighbour(n, false); }
/* Walker: links, balance, order by `before`, summaries by `summary_ok` (may be NULL). Returns the number of nodes; asserts. */
size_t avl_check(const struct avl_tree *t, avl_order *before, bool (*summary_ok)(const struct avl_node *));
