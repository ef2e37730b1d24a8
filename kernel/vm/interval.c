/* SPDX-License-Identifier: BSD-2-Clause */
/* interval.c: interval trees, after Cormen et al., "Introduction to Algorithms", 14.3. See interval.h. Lock: the kernel
 * lock. */
#include "vm/interval.h"
#include "lib/assert.h"

static struct interval *of(const struct avl_node *n) { return container_of(n, struct interval, node); }

static void augment(struct avl_node *n)
{
	struct interval *i = of(n);

	i->max_last = i->last;
	if (n->left)
		i->max_last = MAX(i->max_last, of(n->left)->max_last);
	if (n->right)
		i->max_last = MAX(i->max_last, of(n->right)->max_last);
}

static bool before(const struct avl_node *a, const struct avl_node *b) { return of(a)->first < of(b)->first; }

void interval_insert(struct avl_tree *t, struct interval *i, struct mapping *m, u64 first, u64 last)
{
	i->mapping = m;
	i->first = first;
	i->last = last;
	t->augment = augment;
	avl_insert(t, &i->node, before);
}

void interval_remove(struct avl_tree *t, struct interval *i)
{
	avl_remove(t, &i->node);
	i->mapping = NULL;
}

void interval_end_at(struct avl_tree *t, struct interval *i, u64 last)
{
	i->last = last;
	avl_update(t, &i->node);
}

struct interval *interval_first_in(const struct avl_tree *t, u64 lo, u64 last)
{
	struct avl_node *n = t->root;

	while (n) {
		struct interval *i = of(n);
		if (n->left && of(n->left)->max_last >= lo)
			n = n->left;            /* there, or nowhere: those behind it begin later still */
		else if (i->first > last)
			return NULL;
		else if (i->last >= lo)
			return i;
		else
			n = n->right;
	}
	return NULL;
}

static bool summary_ok(const struct avl_node *n)
{
	struct interval copy = *of(n);

	augment(&copy.node);
	return copy.max_last == of(n)->max_last && copy.first <= copy.last && copy.mapping;
}

void interval_check(const struct avl_tree *t) { avl_check(t, before, summary_ok); }
