/* SPDX-License-Identifier: BSD-2-Clause */
/* tree.c: persistent page trees: finding, editing, filling. Snapshots are cut in tree_snapshot.c, content is given up
 * in tree_remove.c, and tree_check.c tells what must hold.
 *
 * Two VMOs after `b` was made as a snapshot of `a`, and then `a` wrote its page 700:
 *
 *        a: bias 0                            b: bias 0
 *        slot[0] ---.                 .------ slot[0]
 *                   v                 v
 *                 [ R' ]            [ R  ]        level 1: 512 slots of 512 pages each
 *                  |  \              / |
 *                  |   \            /  |
 *                  |    `---.  .---'   |          R' and R both name leaf 0: it has two references, and its
 *                  |         \/        |          pages, though each has one, belong to both
 *                  |       [leaf 0]    |
 *                  v        p0 .. p511 v
 *               [leaf 1']            [leaf 1]     level 0
 *                 |   \    .---------'  |
 *                 |    `-.-'            |         p512 has two references: leaf 1' and leaf 1
 *                 v      v              v
 *               p700'   p512 ..        p700
 *
 * The write found R shared, so it copied R for itself (R'), then leaf 1, which R' and R now shared, then the page.
 * Everything else is named twice. Neither VMO is the other's parent: when `b` goes, its references go, and what `a`
 * alone reaches is `a`'s to write in place again. So there are no hidden parents, no chain to walk when a page is
 * looked up, none to merge when a VMO ends. In a chain of a thousand snapshots each lookup is one walk of its own tree.
 *
 * What persistence costs: the first write into a region after a snapshot copies its path, one node per level that is
 * still shared: at most six nodes of 512 slots, each slot a reference counted up. The next write beside it finds an
 * unshared path and copies only its page. To know that a page may be written in place takes a reference count of one at
 * every node of its path, not only at the page.
 *
 * Indices. Snapshots share nodes, so all that share must agree on where in a node a page stands: a page keeps its index
 * for life. A window at page 100 of a VMO is a tree with a bias of 100: its page 0 is index 100. Indices are modulo
 * 2^54. Slot i of an inline content is index bias + i, so a content moves out of its header into nodes, when its owner
 * touches a page beyond the first eight, without moving any index. The root stands as low as content allows: it covers
 * the 512^(level + 1) aligned indices around it, and the tree grows at the top when an index outside is touched.
 *
 * Counts. An entry of the frame table says how many pages and nodes are below a node, so that a subtree is charged,
 * dropped and measured without being walked. They are kept along the path on each change; only unshared nodes change.
 * Lock: the kernel lock.
 */
#include "lib/string.h"
#include "lib/words.h"
#include "vm/tree_node.h"

/* ---- charges ------------------------------------------------------------------------------------ */
sys_status_t tree_charge(struct tree *t, u64 frames)
{
	if (unlikely(t->reserve >= frames)) {
		t->reserve -= frames;
		t->charged += frames;
		return SYS_OK;
	}
	sys_status_t status = account_charge(t->account, frames);
	if (status == SYS_OK)
		t->charged += frames;
	return status;
}

sys_status_t tree_reserve(struct tree *t, u64 frames)
{
	sys_status_t status = account_charge(t->account, frames);
	if (status == SYS_OK)
		t->reserve += frames;
	return status;
}

void tree_release(struct tree *t)
{
	account_uncharge(t->account, t->reserve);
	t->reserve = 0;
}

void tree_uncharge(struct tree *t, u64 frames)
{
	DEBUG_ASSERT(t->charged >= frames);
	t->charged -= frames;
	if (unlikely(t->reserve))
		t->reserve += frames;
	else
		account_uncharge(t->account, frames);
}

/* ---- nodes and paths ---------------------------------------------------------------------------- */
paddr_t node_make(unsigned level, u64 index)
{
	paddr_t node = frame_alloc_zeroed(FRAME_NODE);
	struct frame *f = frame_of(node);
	f->level = level;
	f->tree.base = node_base(index, level);
	return node;
}

paddr_t node_copy(paddr_t shared)
{
	struct frame *old = frame_of(shared);
	paddr_t copy = frame_alloc(FRAME_NODE);
	struct frame *f = frame_of(copy);
	DEBUG_ASSERT(old->refs > 1);
	f->level = old->level;
	f->state = old->state;
	f->tree = old->tree;
	memcpy(node_slots(copy), node_slots(shared), PAGE_SIZE_);
	tree_slot_t *slot = node_slots(copy);
	struct frame *table = frame_table;      /* nothing below changes it, which the compiler cannot know */
	for (unsigned i = 0; i < TREE_FANOUT; i++) {
		u64 number = slot[i] >> PAGE_SHIFT;
		if (number != 0)
			table[number].refs++;
	}
	old->refs--;
	return copy;
}

void page_drop(paddr_t page)
{
	struct frame *f = frame_of(page);
	if (f->refs > 1)
		f->refs--;
	else
		frame_free(page);
}

void path_find(const struct tree *t, u64 index, struct tree_path *p)
{
	paddr_t node = tree_root(t);
	p->top = frame_of(node)->level;
	for (p->low = p->top;; p->low--) {
		p->node[p->low] = node;
		tree_slot_t slot = node_slots(node)[slot_number(index, p->low)];
		if (p->low == 0 || tree_tag(slot) != TREE_NODE)
			return;
		node = tree_frame(slot);
	}
}

void path_count(const struct tree_path *p, unsigned above, i64 pages, i64 nodes)
{
	for (unsigned level = above; level <= p->top; level++) {
		struct frame *f = frame_of(p->node[level]);
		DEBUG_ASSERT(f->refs == 1);
		f->tree.pages += (u32)pages;
		f->tree.nodes += (u32)nodes;
	}
}

/* A tree without nodes is an inline one. */
static void forget_root(struct tree *t)
{
	memset(t->slot, 0, sizeof t->slot);
	t->inlined = true;
}

void path_prune(struct tree *t, struct tree_path *p, u64 index)
{
	while (frame_of(p->node[p->low])->state == 0) {
		frame_free(p->node[p->low]);
		tree_uncharge(t, 1);
		if (p->low == p->top)
			return forget_root(t);
		p->low++;
		node_slots(p->node[p->low])[slot_number(index, p->low)] = TREE_EMPTY;
		frame_of(p->node[p->low])->state--;
		path_count(p, p->low, 0, -1);
	}
}

void tree_prune(struct tree *t, u64 page)
{
	struct tree_path p;
	u64 index = tree_index(t, page);
	if (t->inlined || !node_covers(frame_of(tree_root(t)), index))
		return;
	path_find(t, index, &p);
	path_prune(t, &p, index);
}

/* ---- finding ------------------------------------------------------------------------------------ */
void tree_init(struct tree *t, struct account *account)
{
	*t = (struct tree){ .inlined = true, .account = account };
}

static tree_slot_t locate_nowhere(struct tree_place *at)
{
	at->own = true;
	at->slot = NULL;
	return TREE_EMPTY;
}

tree_slot_t tree_locate(struct tree *t, u64 page, struct tree_place *at)
{
	tree_slot_t *slot, value;
	bool own = true;
	unsigned level = 0;
	if (t->inlined) {
		if (page >= TREE_INLINE)
			return locate_nowhere(at);
		slot = &t->slot[page];
		value = *slot;
	} else {
		u64 index = tree_index(t, page);
		paddr_t node = tree_root(t);
		level = frame_of(node)->level;
		if (!node_covers(frame_of(node), index))
			return locate_nowhere(at);
		for (at->path.top = level;; level--) {
			at->path.node[level] = node;
			own &= frame_of(node)->refs == 1;
			slot = &node_slots(node)[slot_number(index, level)];
			value = *slot;
			if (tree_tag(value) != TREE_NODE)
				break;
			node = tree_frame(value);
		}
		at->path.low = level;
	}
	at->slot = own && level == 0 ? slot : NULL;
	if (tree_tag(value) == TREE_PAGE)
		own &= frame_of(tree_frame(value))->refs == 1;
	at->own = own;
	return value;
}

tree_slot_t tree_find(const struct tree *t, u64 page, bool *own)
{
	struct tree_place at;
	tree_slot_t slot = tree_locate((struct tree *)(uintptr_t)t, page, &at);
	*own = at.own;
	return slot;
}

tree_slot_t tree_lookup(const struct tree *t, u64 page)
{
	bool own;
	return tree_find(t, page, &own);
}

/* How many pages from `index` on are certainly empty, for a tree of nodes; 0: something is there. Looks no further than
 * one node, nor for more than `enough`. */
static u64 empty_run(const struct tree *t, u64 index, u64 enough)
{
	paddr_t node = tree_root(t);
	struct frame *f = frame_of(node);
	if (!node_covers(f, index))
		return (f->tree.base - index) & TREE_INDEX_MASK;
	for (unsigned level = f->level;; level--) {
		tree_slot_t *slots = node_slots(node);
		unsigned first = slot_number(index, level), i = first;
		if (tree_tag(slots[i]) == TREE_NODE) {
			node = tree_frame(slots[i]);
			continue;
		}
		i = words_zero(slots, first, (unsigned)MIN((u64)TREE_FANOUT, first + (enough >> TREE_BITS * level) + 1));
		return i == first ? 0 : (u64)(i - first) * slot_span(level) - (index & (slot_span(level) - 1));
	}
}

u64 tree_next(const struct tree *t, u64 page, u64 end)
{
	if (t->inlined) {
		for (; page < end && page < TREE_INLINE; page++)
			if (t->slot[page] != TREE_EMPTY)
				return page;
		return end;
	}
	while (page < end) {
		u64 skip = empty_run(t, tree_index(t, page), end - page);
		if (skip == 0)
			return page;
		page += skip;
	}
	return end;
}

/* ---- editing ------------------------------------------------------------------------------------ */
/* Walks to `index`, whose root covers it, copying at most `copies` shared nodes. SYS_OK: *out is the slot where the
 * walk ended, in a node of *level. */
static sys_status_t own_path(struct tree *t, u64 index, unsigned copies, tree_slot_t **out, unsigned *level)
{
	tree_slot_t *link = &t->slot[0];
	for (*level = frame_of(tree_root(t))->level;; --*level) {
		if (frame_of(tree_frame(*link))->refs > 1) {
			if (copies-- == 0)
				return VM_AGAIN;
			*link = node_copy(tree_frame(*link)) | TREE_NODE;
		}
		link = &node_slots(tree_frame(*link))[slot_number(index, *level)];
		if (tree_tag(*link) != TREE_NODE)
			break;
	}
	*out = link;
	return SYS_OK;
}

/* One more level at the top. The old root may be shared: it is only named. */
static void grow_up(struct tree *t)
{
	struct frame *old = frame_of(tree_root(t));
	paddr_t root = node_make(old->level + 1, old->tree.base);
	struct frame *f = frame_of(root);
	node_slots(root)[slot_number(old->tree.base, f->level)] = t->slot[0];
	f->state = 1;
	f->tree.pages = old->tree.pages;
	f->tree.nodes = old->tree.nodes + 1;
	t->slot[0] = root | TREE_NODE;
}

/* Makes the nodes that are missing on the way to `index`; they are charged already, and nodes on the way are the tree's
 * own. */
static tree_slot_t *grow_path(struct tree *t, u64 index)
{
	struct tree_path p;
	if (t->slot[0] == TREE_EMPTY)
		t->slot[0] = node_make(0, index) | TREE_NODE;
	while (!node_covers(frame_of(tree_root(t)), index))
		grow_up(t);
	for (path_find(t, index, &p); p.low > 0;) {
		tree_slot_t *slot = &node_slots(p.node[p.low])[slot_number(index, p.low)];
		paddr_t child = node_make(p.low - 1, index);
		if (*slot == TREE_EMPTY) {
			frame_of(p.node[p.low])->state++;
		} else {                        /* a large zero marker becomes 512 smaller ones */
			for (unsigned i = 0; i < TREE_FANOUT; i++)
				node_slots(child)[i] = *slot;
			frame_of(child)->state = TREE_FANOUT;
		}
		*slot = child | TREE_NODE;
		path_count(&p, p.low, 0, 1);
		p.node[--p.low] = child;
	}
	return &node_slots(p.node[0])[slot_number(index, 0)];
}

/* The nodes that inline content and `index` need together: on each level, as many as there are different places, up to
 * where there is one. */
static unsigned nodes_to_spill(const struct tree *t, u64 index)
{
	u64 place[TREE_INLINE + 1] = { index };
	unsigned places = 1, nodes = 0;
	for (unsigned i = 0; i < TREE_INLINE; i++)
		if (t->slot[i] != TREE_EMPTY)
			place[places++] = tree_index(t, i);
	for (;;) {
		unsigned kept = 0;
		for (unsigned i = 0, j; i < places; i++) {
			u64 up = place[i] >> TREE_BITS;
			for (j = 0; j < kept && place[j] != up; j++)
				;
			if (j == kept)
				place[kept++] = up;
		}
		places = kept;
		nodes += places;
		if (places == 1)
			return nodes;
	}
}

/* Moves inline content out into leaf nodes. Charged already. */
static void spill(struct tree *t)
{
	tree_slot_t saved[TREE_INLINE];
	memcpy(saved, t->slot, sizeof saved);
	memset(t->slot, 0, sizeof t->slot);
	t->inlined = false;
	for (unsigned i = 0; i < TREE_INLINE; i++)
		if (saved[i] != TREE_EMPTY)
			tree_fill(t, i, grow_path(t, tree_index(t, i)), saved[i]);
}

/* Nodes to be made at the top until the root covers `index`, and down from there. */
static unsigned nodes_to_cover(const struct frame *root, u64 index)
{
	unsigned top = root->level + 1;
	while (node_base(index, top) != node_base(root->tree.base, top))
		top++;
	return top - root->level + top;
}

sys_status_t tree_edit(struct tree *t, u64 page, bool whole_path, tree_slot_t **out)
{
	u64 index = tree_index(t, page);
	unsigned missing;
	if (t->inlined && page < TREE_INLINE) {
		*out = &t->slot[page];
		return SYS_OK;
	}
	if (t->inlined) {
		missing = nodes_to_spill(t, index);
	} else if (!node_covers(frame_of(tree_root(t)), index)) {
		missing = nodes_to_cover(frame_of(tree_root(t)), index);
	} else {
		sys_status_t status = own_path(t, index, whole_path ? TREE_LEVELS : 1, out, &missing);
		if (status != SYS_OK || missing == 0)
			return status;
	}
	sys_status_t status = tree_charge(t, missing);
	if (status != SYS_OK)
		return status;
	if (t->inlined)
		spill(t);
	*out = grow_path(t, index);
	return SYS_OK;
}

sys_status_t tree_edit_at_slow(struct tree *t, u64 page, bool whole_path, struct tree_place *at)
{
	tree_slot_t *slot;
	sys_status_t status = tree_edit(t, page, whole_path, &slot);
	if (status == SYS_OK)
		tree_locate(t, page, at);
	return status;
}

void tree_fill_at(struct tree *t, u64 page, const struct tree_place *at, tree_slot_t content)
{
	bool is_page = tree_tag(content) == TREE_PAGE, was_empty = *at->slot == TREE_EMPTY;
	ASSERT(was_empty || (tree_tag(*at->slot) == TREE_ZERO && is_page));
	*at->slot = content;
	if (is_page)
		frame_of(tree_frame(content))->page.index = tree_index(t, page);
	if (t->inlined)
		return;
	struct frame *leaf = frame_of(at->path.node[0]);
	DEBUG_ASSERT(leaf->refs == 1);
	leaf->state += was_empty;
	leaf->tree.pages += is_page;
	path_count(&at->path, 1, is_page, 0);
}

u64 tree_row(const struct tree *t, u64 page)
{
	return t->inlined ? TREE_INLINE - page : TREE_FANOUT - slot_number(tree_index(t, page), 0);
}

void tree_fill_row(struct tree *t, u64 page, const struct tree_place *at, paddr_t first, u64 pages)
{
	u64 index = tree_index(t, page);
	DEBUG_ASSERT(pages <= tree_row(t, page));
	for (u64 i = 0; i < pages; i++, first += PAGE_SIZE_) {
		DEBUG_ASSERT(at->slot[i] == TREE_EMPTY);
		at->slot[i] = first | TREE_PAGE;
		frame_of(first)->page.index = index + i;
	}
	if (t->inlined)
		return;
	frame_of(at->path.node[0])->state += (u16)pages;
	path_count(&at->path, 0, (i64)pages, 0);
}

void tree_fill(struct tree *t, u64 page, tree_slot_t *slot, tree_slot_t content)
{
	struct tree_place at = { .slot = slot };
	if (!t->inlined)
		path_find(t, tree_index(t, page), &at.path);
	tree_fill_at(t, page, &at, content);
}

void tree_replace(struct tree *t, u64 page, tree_slot_t *slot, paddr_t copy)
{
	struct frame *old = frame_of(tree_frame(*slot));
	ASSERT(tree_tag(*slot) == TREE_PAGE && old->refs > 1);
	old->refs--;
	frame_of(copy)->page.index = tree_index(t, page);
	*slot = copy | TREE_PAGE;
}

paddr_t tree_take_at(struct tree *t, u64 page, struct tree_place *at)
{
	paddr_t frame = tree_frame(*at->slot);
	DEBUG_ASSERT(at->own && tree_tag(*at->slot) == TREE_PAGE);
	*at->slot = TREE_EMPTY;
	if (t->inlined)
		return frame;
	struct frame *leaf = frame_of(at->path.node[0]);
	DEBUG_ASSERT(leaf->refs == 1);
	leaf->state--;
	leaf->tree.pages--;
	path_count(&at->path, 1, -1, 0);
	if (unlikely(leaf->state == 0))
		path_prune(t, &at->path, tree_index(t, page));
	return frame;
}
