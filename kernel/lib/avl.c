/* SPDX-License-Identifier: BSD-2-Clause */
/* avl.c: balanced trees by balance factors (height of the right subtree less that of the left one: -1, 0, 1).
 *
 * One pass goes from the changed place to the root: it repairs balance factors while the height of the subtree below
 * still differs, and summaries all the way. When a node is rotated everything below it is right already. The lock is
 * the owner's.
 */
#include "lib/avl.h"
#include "lib/assert.h"

static void summarise(const struct avl_tree *t, struct avl_node *n)
{
	if (t->augment)
		t->augment(n);
}

/* The link that names n. */
static struct avl_node **link_of(struct avl_tree *t, const struct avl_node *n)
{
	return n->parent ? &n->parent->child[n->parent->right == n] : &t->root;
}

/* Puts n (may be NULL) where `old` is; old's own links stay. */
static void replace(struct avl_tree *t, struct avl_node *old, struct avl_node *n)
{
	*link_of(t, old) = n;
	if (n)
		n->parent = old->parent;
}

/* x goes down to that side, its other child comes up. The new factors follow from the old ones alone, so double
 * rotations need no cases; they are computed as those of a rotation to the left, of which the other is the mirror. */
static struct avl_node *rotate(struct avl_tree *t, struct avl_node *x, bool right)
{
	struct avl_node *y = x->child[!right];
	i64 sign = right ? -1 : 1, lower = sign * x->balance - 1 - MAX(sign * y->balance, 0);

	replace(t, x, y);
	x->child[!right] = y->child[right];
	if (x->child[!right])
		x->child[!right]->parent = x;
	y->child[right] = x;
	x->parent = y;
	x->balance = sign * lower;
	y->balance += sign * (MIN(lower, 0) - 1);
	summarise(t, x);
	summarise(t, y);
	return y;
}

/* Repairs a factor of 2 or -2; returns the subtree's new top. */
static struct avl_node *rebalance(struct avl_tree *t, struct avl_node *n)
{
	bool right = n->balance > 0;

	if (n->balance >= -1 && n->balance <= 1)
		return n;
	if (n->child[right]->balance * n->balance < 0)
		rotate(t, n->child[right], right);
	return rotate(t, n, !right);
}

/* The subtree below p, on that side, has become higher or lower by one. */
static void settle(struct avl_tree *t, struct avl_node *p, bool right, bool higher)
{
	bool changed = true;

	while (p && (changed || t->augment)) {
		if (changed) {
			p->balance += right == higher ? 1 : -1;
			p = rebalance(t, p);
			changed = (p->balance == 0) != higher;
		}
		summarise(t, p);
		right = p->parent && p->parent->right == p;
		p = p->parent;
	}
}

void avl_insert(struct avl_tree *t, struct avl_node *n, avl_order *before)
{
	struct avl_node *parent = NULL, **link = &t->root;

	while (*link) {
		parent = *link;
		link = &parent->child[!before(n, parent)];
	}
	*n = (struct avl_node){ .parent = parent };
	*link = n;
	summarise(t, n);
	settle(t, parent, parent && parent->right == n, true);
}

/* n has two children: its successor takes its place. */
static void remove_inner(struct avl_tree *t, struct avl_node *n)
{
	struct avl_node *s = n->right;
	while (s->left)
		s = s->left;

	struct avl_node *from = s->parent == n ? s : s->parent;
	bool right = s->parent == n;
	if (!right) {
		replace(t, s, s->right);
		s->right = n->right;
		s->right->parent = s;
	}
	replace(t, n, s);
	s->left = n->left;
	s->left->parent = s;
	s->balance = n->balance;
	settle(t, from, right, false);
}

void avl_remove(struct avl_tree *t, struct avl_node *n)
{
	if (n->left && n->right) {
		remove_inner(t, n);
	} else if (t->root == n && !n->left && !n->right) {
		t->root = NULL;
	} else {
		struct avl_node *parent = n->parent;
		bool right = parent && parent->right == n;
		replace(t, n, n->left ? n->left : n->right);
		settle(t, parent, right, false);
	}
	*n = (struct avl_node){ 0 };
}

void avl_update(struct avl_tree *t, struct avl_node *n)
{
	for (; n && t->augment; n = n->parent)
		t->augment(n);
}

struct avl_node *avl_outermost(struct avl_node *n, bool right)
{
	while (n && n->child[right])
		n = n->child[right];
	return n;
}

struct avl_node *avl_neighbour(const struct avl_node *n, bool right)
{
	if (n->child[right])
		return avl_outermost(n->child[right], !right);
	while (n->parent && n->parent->child[right] == n)
		n = n->parent;
	return n->parent;
}

/* The height that the factors claim, down the higher side. If each agrees with its children's claims, all are true. */
static i64 claimed_height(const struct avl_node *n)
{
	i64 height = 0;

	for (; n; n = n->balance < 0 ? n->left : n->right)
		height++;
	return height;
}

static void check_node(const struct avl_tree *t, const struct avl_node *n)
{
	ASSERT(n->parent ? n->parent->left == n || n->parent->right == n : t->root == n);
	ASSERT(!n->left || n->left->parent == n);
	ASSERT(!n->right || n->right->parent == n);
	ASSERT(n->balance >= -1 && n->balance <= 1);
	ASSERT(claimed_height(n->right) - claimed_height(n->left) == n->balance);
}

size_t avl_check(const struct avl_tree *t, avl_order *before, bool (*summary_ok)(const struct avl_node *))
{
	size_t count = 0;

	for (const struct avl_node *n = avl_first(t), *last = NULL; n; last = n, n = avl_next(n), count++) {
		check_node(t, n);
		ASSERT(!last || !before(n, last));
		ASSERT(!summary_ok || summary_ok(n));
	}
	ASSERT(!t->root == !count);
	return count;
}
