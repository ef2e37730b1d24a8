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
	if (!n->parent)
		return &t->root;
	return n->parent->left == n ? &n->parent->left : &n->parent->right;
}

/* Puts n (may be NULL) where `old` is; old's own links stay. */
static void replace(struct avl_tree *t, struct avl_node *old, struct avl_node *n)
{
	*link_of(t, old) = n;
	if (n)
		n->parent = old->parent;
}

/* The right child comes up. The new factors follow from the old ones alone, so double rotations need no cases. */
static struct avl_node *rotate_left(struct avl_tree *t, struct avl_node *x)
{
	struct avl_node *y = x->right;

	replace(t, x, y);
	x->right = y->left;
	if (x->right)
		x->right->parent = x;
	y->left = x;
	x->parent = y;
	x->balance = x->balance - 1 - MAX(y->balance, 0);
	y->balance = y->balance - 1 + MIN(x->balance, 0);
	summarise(t, x);
	summarise(t, y);
	return y;
}

static struct avl_node *rotate_right(struct avl_tree *t, struct avl_node *x)
{
	struct avl_node *y = x->left;

	replace(t, x, y);
	x->left = y->right;
	if (x->left)
		x->left->parent = x;
	y->right = x;
	x->parent = y;
	x->balance = x->balance + 1 - MIN(y->balance, 0);
	y->balance = y->balance + 1 + MAX(x->balance, 0);
	summarise(t, x);
	summarise(t, y);
	return y;
}

/* Repairs a factor of 2 or -2; returns the subtree's new top. */
static struct avl_node *rebalance(struct avl_tree *t, struct avl_node *n)
{
	if (n->balance == 2) {
		if (n->right->balance < 0)
			rotate_right(t, n->right);
		return rotate_left(t, n);
	}
	if (n->balance == -2) {
		if (n->left->balance > 0)
			rotate_left(t, n->left);
		return rotate_right(t, n);
	}
	return n;
}

void avl_insert(struct avl_tree *t, struct avl_node *n, struct avl_node *parent, struct avl_node **link)
{
	DEBUG_ASSERT(!*link && (parent ? link == &parent->left || link == &parent->right : link == &t->root));
	*n = (struct avl_node){ .parent = parent };
	*link = n;
	summarise(t, n);

	bool higher = true;
	struct avl_node *child = n;
	for (struct avl_node *p = parent; p && (higher || t->augment); child = p, p = p->parent) {
		if (higher) {
			p->balance += p->left == child ? -1 : 1;
			higher = p->balance == 1 || p->balance == -1;
			p = rebalance(t, p);
		}
		summarise(t, p);
	}
}

/* The subtree below p, on that side, has become lower by one. */
static void lowered(struct avl_tree *t, struct avl_node *p, bool left)
{
	bool lower = true;

	while (p && (lower || t->augment)) {
		if (lower) {
			p->balance += left ? 1 : -1;
			p = rebalance(t, p);
			lower = p->balance == 0;
		}
		summarise(t, p);
		left = p->parent && p->parent->left == p;
		p = p->parent;
	}
}

/* n has two children: its successor takes its place. */
static void remove_inner(struct avl_tree *t, struct avl_node *n)
{
	struct avl_node *s = n->right;
	while (s->left)
		s = s->left;

	struct avl_node *from = s->parent == n ? s : s->parent;
	bool left = s->parent != n;
	if (left) {
		replace(t, s, s->right);
		s->right = n->right;
		s->right->parent = s;
	}
	replace(t, n, s);
	s->left = n->left;
	s->left->parent = s;
	s->balance = n->balance;
	lowered(t, from, left);
}

void avl_remove(struct avl_tree *t, struct avl_node *n)
{
	if (n->left && n->right) {
		remove_inner(t, n);
	} else if (t->root == n && !n->left && !n->right) {
		t->root = NULL;
	} else {
		struct avl_node *parent = n->parent;
		bool left = parent && parent->left == n;
		replace(t, n, n->left ? n->left : n->right);
		lowered(t, parent, left);
	}
	*n = (struct avl_node){ 0 };
}

void avl_update(struct avl_tree *t, struct avl_node *n)
{
	for (; n && t->augment; n = n->parent)
		t->augment(n);
}

static struct avl_node *leftmost(struct avl_node *n)
{
	while (n && n->left)
		n = n->left;
	return n;
}

static struct avl_node *rightmost(struct avl_node *n)
{
	while (n && n->right)
		n = n->right;
	return n;
}

struct avl_node *avl_first(const struct avl_tree *t) { return leftmost(t->root); }
struct avl_node *avl_last(const struct avl_tree *t) { return rightmost(t->root); }

struct avl_node *avl_next(const struct avl_node *n)
{
	if (n->right)
		return leftmost(n->right);
	while (n->parent && n->parent->right == n)
		n = n->parent;
	return n->parent;
}

struct avl_node *avl_prev(const struct avl_node *n)
{
	if (n->left)
		return rightmost(n->left);
	while (n->parent && n->parent->left == n)
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

size_t avl_check(const struct avl_tree *t, int (*compare)(const struct avl_node *, const struct avl_node *),
	bool (*summary_ok)(const struct avl_node *))
{
	size_t count = 0;

	for (const struct avl_node *n = avl_first(t), *before = NULL; n; before = n, n = avl_next(n), count++) {
		check_node(t, n);
		ASSERT(!before || compare(before, n) < 0);
		ASSERT(!summary_ok || summary_ok(n));
	}
	ASSERT(!t->root == !count);
	return count;
}
