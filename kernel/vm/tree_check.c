/* SPDX-License-Identifier: BSD-2-Clause */
/* tree_check.c: looking at a whole tree: the walker that debug builds and tests run, and the survey that divides the
 * cost of shared pages among those who reach them.
 * Lock: the kernel lock. */
#include "vm/tree_node.h"

/* ---- the walker --------------------------------------------------------------------------------- */
struct sums { u64 pages, nodes; };

static struct sums check_page(tree_slot_t slot, u64 index)
{
	struct frame *f = frame_of(tree_frame(slot));
	ASSERT(f->kind == FRAME_PAGE && f->refs > 0 && f->page.index == index);
	return (struct sums){ 1, 0 };
}

static struct sums check_node(paddr_t node, unsigned level, u64 base)
{
	struct frame *f = frame_of(node);
	struct sums sum = { 0, 0 };
	unsigned used = 0;
	ASSERT(f->kind == FRAME_NODE && f->refs > 0);
	ASSERT(f->level == level && f->tree.base == base && base == node_base(base, level));
	for (unsigned i = 0; i < TREE_FANOUT; i++) {
		tree_slot_t slot = node_slots(node)[i];
		u64 index = base + i * slot_span(level);
		struct sums s = { 0, 0 };
		used += slot != TREE_EMPTY;
		if (tree_tag(slot) == TREE_NODE) {
			ASSERT(level > 0);
			s = check_node(tree_frame(slot), level - 1, index);
		} else if (tree_tag(slot) == TREE_PAGE) {
			ASSERT(level == 0);
			s = check_page(slot, index);
		} else {
			ASSERT(slot == TREE_EMPTY || slot == TREE_ZERO);
		}
		sum.pages += s.pages;
		sum.nodes += s.nodes;
	}
	ASSERT(used > 0 && used == f->state);
	ASSERT(sum.pages == f->tree.pages && sum.nodes == f->tree.nodes);
	sum.nodes++;
	return sum;
}

void tree_check(const struct tree *t)
{
	struct sums sum = { 0, 0 };
	ASSERT(t->bias <= TREE_INDEX_MASK);
	if (!t->inlined) {
		ASSERT(tree_tag(t->slot[0]) == TREE_NODE);
		struct frame *root = frame_of(tree_root(t));
		ASSERT(root->level < TREE_LEVELS);
		sum = check_node(tree_root(t), root->level, root->tree.base);
		for (unsigned i = 1; i < TREE_INLINE; i++)
			ASSERT(t->slot[i] == TREE_EMPTY);
	}
	for (unsigned i = 0; t->inlined && i < TREE_INLINE; i++) {
		ASSERT(tree_tag(t->slot[i]) == TREE_PAGE || t->slot[i] == TREE_ZERO || t->slot[i] == TREE_EMPTY);
		if (tree_tag(t->slot[i]) == TREE_PAGE)
			sum.pages += check_page(t->slot[i], tree_index(t, i)).pages;
	}
	ASSERT(sum.pages + sum.nodes == t->charged);
}

/* ---- the survey --------------------------------------------------------------------------------- */
/* a / d, rounded down to a unit of the fraction: long division by digits of 2^32 and 2^31, as no 128-bit division is at
 * hand. */
static struct tree_share share_divide(struct tree_share a, u32 d)
{
	if (d == 1)
		return a;
	u64 high = (a.bytes % d) << 32 | a.fraction >> 31;
	u64 low = (high % d) << 31 | (a.fraction & 0x7fffffff);
	return (struct tree_share){ a.bytes / d, (high / d) << 31 | low / d };
}

static void share_add(struct tree_share *sum, struct tree_share a)
{
	sum->fraction += a.fraction;
	sum->bytes += a.bytes + (sum->fraction >> 63);
	sum->fraction &= INT64_MAX;
}

/* Adds the pages of some slots, each of which is worth `worth` to this tree before its own sharing. */
static void survey_slots(const tree_slot_t *slot, unsigned count, struct tree_share worth, bool own,
                         struct tree_survey *s)
{
	for (; count > 0; count--, slot++) {
		if (tree_tag(*slot) != TREE_PAGE)
			continue;
		u32 refs = frame_of(tree_frame(*slot))->refs;
		share_add(&s->share, share_divide(worth, refs));
		s->private_pages += own && refs == 1;
	}
}

bool tree_survey_step(const struct tree *t, struct tree_survey *s)
{
	struct tree_share worth = { PAGE_SIZE_, 0 };
	bool own = true;
	if (t->inlined) {
		if (s->next < TREE_INLINE)
			survey_slots(&t->slot[s->next], TREE_INLINE - s->next, worth, true, s);
		return true;
	}
	s->next = tree_next(t, s->next, TREE_ALL);
	if (s->next >= TREE_ALL)
		return true;
	struct tree_path p;
	u64 index = tree_index(t, s->next);
	path_find(t, index, &p);
	for (unsigned level = p.top + 1; level-- > p.low;) {
		u32 refs = frame_of(p.node[level])->refs;
		worth = share_divide(worth, refs);
		own &= refs == 1;
	}
	u64 step = slot_span(p.low) - (index & (slot_span(p.low) - 1));
	if (p.low == 0) {
		unsigned number = slot_number(index, 0);
		step = MIN(TREE_FANOUT - number, TREE_STEP);
		survey_slots(&node_slots(p.node[0])[number], (unsigned)step, worth, own, s);
	}
	s->next += step;
	return s->next >= TREE_ALL;
}
