/* SPDX-License-Identifier: BSD-2-Clause */
/* tree_survey.c: who pays what: the survey that divides the cost of shared pages among those who reach them.
 *
 * A page is worth its 4096 bytes, divided by the references to each node on the way to it and to itself. Seen from
 * below: each of a page's references carries its share up to a node, whose references carry theirs, until all has come
 * to roots. So what all trees are told adds up to the pages in use; who shares higher up pays less of what is below.
 * Lock: the kernel lock. */
#include "vm/tree_node.h"

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
		step = MIN(MIN(TREE_FANOUT - number, TREE_STEP), TREE_ALL - s->next);
		survey_slots(&node_slots(p.node[0])[number], (unsigned)step, worth, own, s);
	}
	s->next += step;
	return s->next >= TREE_ALL;
}
