/* SPDX-License-Identifier: BSD-2-Clause */
/* tree.c: persistent page trees: what they are, finding and filling slots. How they grow is in tree_edit.c, known
 * zeros, dirty state and what else concerns whole ranges is in tree_range.c, snapshots in tree_snapshot.c, giving up in
 * tree_remove.c, who pays what in tree_survey.c, and what must hold in tree_check.c.
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
 * every node of its path, not only at the page. And content that is far from all other content has nodes of its own:
 *
 *      pages at             nodes                   pages at                   nodes
 *      0 .. 7               none: inline            0 and 511                  1
 *      0 and 512            3: a root, two leaves   0, 2^51 and 2^52           16: a root, three paths of five below
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
#include "vm/tree_node.h"

/* ---- charges ------------------------------------------------------------------------------------ */
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
	tree_charged(t, -frames);
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

/* One more reference to what eight slots name; most often that is nothing. */
static void name_again(const tree_slot_t *slot)
{
	struct frame *table = frame_table;      /* nothing below changes it, which the compiler cannot know */
	if ((slot[0] | slot[1] | slot[2] | slot[3] | slot[4] | slot[5] | slot[6] | slot[7]) < PAGE_SIZE_)
		return;
	for (unsigned i = 0; i < 8; i++) {
		u64 number = slot[i] >> PAGE_SHIFT;
		if (number != 0)
			table[number].refs++;
	}
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
	for (unsigned i = 0; i < TREE_FANOUT; i += 8)
		name_again(slot + i);
	old->refs--;
	return copy;
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

/* ---- finding ------------------------------------------------------------------------------------ */
void tree_init(struct tree *t, struct account *account)
{
	*t = (struct tree){ .inlined = true, .account = account, .counted = &account->uncached };
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
		const struct frame *f = frame_of(node);
		level = f->level;
		if (!node_covers(f, index))
			return locate_nowhere(at);
		for (at->path.top = level;; level--, f = frame_of(node)) {
			at->path.node[level] = node;
			own &= f->refs == 1;
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

const tree_slot_t *tree_slots(const struct tree *t, u64 page, u64 *count, bool *own)
{
	u64 index = tree_index(t, page);
	paddr_t node = tree_root(t);
	*own = true;
	if (t->inlined) {
		*count = TREE_INLINE - page;
		return page < TREE_INLINE ? &t->slot[page] : NULL;
	}
	if (!node_covers(frame_of(node), index))
		return NULL;
	for (unsigned level = frame_of(node)->level;; level--) {
		tree_slot_t *slot = &node_slots(node)[slot_number(index, level)];
		*own &= frame_of(node)->refs == 1;
		*count = TREE_FANOUT - slot_number(index, level);
		if (level == 0)
			return slot;
		if (tree_tag(*slot) != TREE_NODE)
			return NULL;
		node = tree_frame(*slot);
	}
}

/* ---- filling ------------------------------------------------------------------------------------ */
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

BOOT void tree_fill_row(struct tree *t, u64 page, const struct tree_place *at, paddr_t first, u64 pages)
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
