/* SPDX-License-Identifier: BSD-2-Clause */
/* region.c: the tree of a VMAR's children, and how a place for a new one is found.
 *
 * A node's summary spans its subtree: [low, high), the largest hole inside of that, whether there are regions.
 * Holes at the two ends of a subtree are seen by whoever stands above it:
 *
 *        parent           hole between left.high and the node's base, inside of the left one, between the node's end
 *       /      \          and right.low, inside of the right one
 *    left      right
 *
 * Lock: the kernel lock.
 */
#include "vm/region.h"
#include "arch/arch.h"
#include "lib/assert.h"
#include "vm/vmar.h"

#define FIT_TRIES  64u
#define SKIP_PAGES 16u                  /* random pages left free before a new child that is not to be compact */

bool vm_randomise;

static struct region *of(const struct avl_node *n) { return container_of(n, struct region, node); }

static void region_augment(struct avl_node *n)
{
	struct region *c = of(n);

	c->subtree_low = c->base;
	c->subtree_high = region_end(c);
	c->subtree_gap = 0;
	c->subtree_regions = !region_is_mapping(c);
	if (n->left) {
		const struct region *l = of(n->left);
		c->subtree_low = l->subtree_low;
		c->subtree_gap = MAX(l->subtree_gap, c->base - l->subtree_high);
		c->subtree_regions |= l->subtree_regions;
	}
	if (n->right) {
		const struct region *r = of(n->right);
		c->subtree_high = r->subtree_high;
		c->subtree_gap = MAX(c->subtree_gap, MAX(r->subtree_gap, r->subtree_low - region_end(c)));
		c->subtree_regions |= r->subtree_regions;
	}
}

void region_tree_init(struct avl_tree *children)
{
	*children = (struct avl_tree){ .augment = region_augment };
}

static bool before(const struct avl_node *a, const struct avl_node *b) { return of(a)->base < of(b)->base; }

void region_insert(struct vmar *parent, struct region *c)
{
	c->parent = parent;
	avl_insert(&parent->children, &c->node, before);
}

void region_remove(struct region *c)
{
	avl_remove(&c->parent->children, &c->node);
	c->parent = NULL;
}

void region_changed(struct region *c) { avl_update(&c->parent->children, &c->node); }

struct region *region_first(const struct vmar *r, vaddr_t va)
{
	struct region *found = NULL;

	for (struct avl_node *n = r->children.root; n;) {
		struct region *c = of(n);
		if (va < region_end(c)) {
			found = c;
			n = va < c->base ? n->left : NULL;
		} else {
			n = n->right;
		}
	}
	return found;
}

struct region *region_next(const struct region *c)
{
	struct avl_node *n = avl_next(&c->node);
	return n ? of(n) : NULL;
}

struct region *region_at(const struct vmar *r, vaddr_t va)
{
	for (struct avl_node *n = r->children.root; n;) {
		struct region *c = of(n);
		if (va - c->base < c->size)
			return c;
		n = va < c->base ? n->left : n->right;
	}
	return NULL;
}

/* The lowest region of a subtree that has one. */
static struct region *lowest_region(struct avl_node *n)
{
	for (;;) {
		if (n->left && of(n->left)->subtree_regions)
			n = n->left;
		else if (!region_is_mapping(of(n)))
			return of(n);
		else
			n = n->right;
	}
}

struct region *region_first_region(const struct vmar *r, vaddr_t lo, vaddr_t hi)
{
	struct region *c = region_first(r, lo);

	while (c && region_is_mapping(c)) {
		struct avl_node *n = &c->node, *up;
		if (n->right && of(n->right)->subtree_regions) {
			c = lowest_region(n->right);
			break;
		}
		for (up = n->parent; up && n == up->right; up = up->parent)
			n = up;
		c = up ? of(up) : NULL;
	}
	return c && c->base < hi ? c : NULL;
}

/* ---- holes ----------------------------------------------------------------------------------------------- */
/* The lowest hole of at least `need` bytes inside a subtree that has one. */
static vaddr_t lowest_hole(const struct avl_node *n, u64 need)
{
	for (;;) {
		const struct region *c = of(n);
		if (n->left && of(n->left)->subtree_gap >= need)
			n = n->left;
		else if (n->left && c->base - of(n->left)->subtree_high >= need)
			return of(n->left)->subtree_high;
		else if (of(n->right)->subtree_low - region_end(c) >= need)
			return region_end(c);
		else
			n = n->right;
	}
}

/* The lowest hole of at least `need` bytes behind the child c; the end of r if there is none. */
static vaddr_t hole_behind(const struct vmar *r, const struct region *c, u64 need)
{
	const struct avl_node *n = &c->node;
	vaddr_t edge, end = region_end(&r->region);

	for (;;) {
		edge = region_end(of(n));
		if (n->right) {
			const struct region *right = of(n->right);
			if (right->subtree_low - edge >= need)
				return edge;
			if (right->subtree_gap >= need)
				return lowest_hole(n->right, need);
			edge = right->subtree_high;
		}
		const struct avl_node *up = n->parent;
		for (; up && n == up->right; up = up->parent)
			n = up;
		if (!up)
			return end - edge >= need ? edge : end;
		if (of(up)->base - edge >= need)
			return edge;
		n = up;
	}
}

/* The lowest free place of `need` bytes at or above `from`; false: none ends at or below `limit`. */
static bool hole_from(const struct vmar *r, vaddr_t from, u64 need, vaddr_t limit, vaddr_t *out)
{
	const struct region *c = region_first(r, from);

	if (c && c->base <= from) {
		from = region_end(c);
		c = region_next(c);
	}
	*out = from;
	if (c && c->base - from < need)
		*out = hole_behind(r, c, need);
	return *out <= limit && limit - *out >= need;
}

/* As hole_from, aligned: looks at holes one by one as long as the alignment may spoil them, then for one that it
 * cannot spoil. */
static bool fit(const struct vmar *r, vaddr_t from, u64 size, u64 align, vaddr_t limit, vaddr_t *out)
{
	vaddr_t hole, at;

	for (unsigned i = 0; i < FIT_TRIES; i++) {
		if (!hole_from(r, from, size, limit, &hole))
			return false;
		at = (hole + align - 1) & ~(align - 1);
		if (at == hole) {
			*out = at;
			return true;
		}
		if (at > limit || limit - at < size)
			return false;
		const struct region *c = region_first(r, at);
		if (!c || c->base >= at + size) {
			*out = at;
			return true;
		}
		from = region_end(c);           /* a start between `at` and c is not aligned, or leaves less */
	}
	if (!hole_from(r, from, size + align - PAGE_SIZE_, limit, &hole))
		return false;
	*out = (hole + align - 1) & ~(align - 1);
	return true;
}

bool region_place(const struct vmar *r, u64 size, u64 align, vaddr_t limit, bool compact, vaddr_t *out)
{
	align = MAX(align, PAGE_SIZE_);
	if (vm_randomise) {
		vaddr_t from = r->anchor + (compact ? 0 : arch_random() % SKIP_PAGES * PAGE_SIZE_);
		if (fit(r, from, size, align, limit, out))
			return true;
	}
	return fit(r, r->region.base, size, align, limit, out);
}

/* ---- walker ---------------------------------------------------------------------------------------------- */
static bool summary_ok(const struct avl_node *n)
{
	struct region copy = *of(n);

	region_augment(&copy.node);
	return copy.subtree_low == of(n)->subtree_low && copy.subtree_high == of(n)->subtree_high &&
	       copy.subtree_gap == of(n)->subtree_gap && copy.subtree_regions == of(n)->subtree_regions;
}

void region_check(const struct vmar *r)
{
	vaddr_t edge = r->region.base;

	avl_check(&r->children, before, summary_ok);
	for (struct avl_node *n = avl_first(&r->children); n; n = avl_next(n)) {
		const struct region *c = of(n);
		ASSERT(c->parent == r && c->size > 0 && page_aligned(c->base | c->size));
		ASSERT(c->base >= edge && c->size <= region_end(&r->region) - c->base);
		edge = region_end(c);
	}
}
