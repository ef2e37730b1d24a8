/* SPDX-License-Identifier: BSD-2-Clause */
/* tables.c: hardware entries of a space, and the frames of its page tables.
 *
 * A space pays for SPACE_RESERVE tables when it is made and for each one beyond while it is in use. Where the
 * account does not pay any more the oldest leaf table is emptied and given back, and with it what stood only above
 * it; so a fault always finds its three tables. Leaf tables stand on a list by age, in their entries of the frame
 * table. frame.page.mapped counts the entries that name a page. Lock: the kernel lock.
 */
#include "lib/assert.h"
#include "mem/account.h"
#include "mem/frame.h"
#include "vm/space.h"

static u64 paid_for(u64 tables) { return MAX(tables, SPACE_RESERVE); }
static u32 number_of(paddr_t table) { return (u32)(table >> PAGE_SHIFT); }

/* ---- leaf tables by age ---------------------------------------------------------------------------------- */
static void leaf_push(struct space *s, paddr_t table, vaddr_t va)
{
	struct frame *f = frame_of(table);

	f->level = 1;
	f->list.owner = va & ~(PT_SPAN - 1);
	f->list.prev = s->newest;
	f->list.next = FRAME_NIL;
	if (s->newest != FRAME_NIL)
		frame_table[s->newest].list.next = number_of(table);
	else
		s->oldest = number_of(table);
	s->newest = number_of(table);
}

static void leaf_remove(struct space *s, paddr_t table)
{
	struct frame *f = frame_of(table);

	if (f->list.next != FRAME_NIL)
		frame_table[f->list.next].list.prev = f->list.prev;
	else
		s->newest = f->list.prev;
	if (f->list.prev != FRAME_NIL)
		frame_table[f->list.prev].list.next = f->list.next;
	else
		s->oldest = f->list.next;
}

static void give_back(struct space *s, const struct pt_freed *freed)
{
	u64 paid = paid_for(s->tables);

	for (unsigned i = 0; i < freed->count; i++) {
		if (freed->level[i] == 1)
			leaf_remove(s, freed->table[i]);
		frame_free(freed->table[i]);
		s->tables--;
	}
	account_uncharge(s->account, paid - paid_for(s->tables));
}

/* ---- removing entries ------------------------------------------------------------------------------------ */
static void entry_removed(void *context, vaddr_t va, struct pt_entry old)
{
	struct frame *f = frame_of(old.frame);

	(void)context;
	(void)va;
	DEBUG_ASSERT(f->kind == FRAME_PAGE && f->page.mapped > 0);
	f->page.mapped--;
	f->state |= old.flags & PT_DIRTY ? FRAME_WRITTEN : 0;
}

void space_unmap_span(struct space *s, vaddr_t va, vaddr_t end)
{
	struct pt_freed freed;

	pt_unmap(s->root, va, end, entry_removed, NULL, &freed);
	if (freed.count)
		give_back(s, &freed);
}

void space_restrict_span(struct space *s, vaddr_t va, vaddr_t end, u32 perm)
{
	if (perm)
		pt_restrict(s->root, va, end, space_flags(perm), NULL, NULL);
	else
		space_unmap_span(s, va, end);
}

bool space_drop_oldest(struct space *s)
{
	if (s->oldest == FRAME_NIL)
		return false;
	vaddr_t va = frame_table[s->oldest].list.owner;
	space_unmap_span(s, va, MIN(va + PT_SPAN, PT_USER_TOP));
	return true;
}

/* ---- entering -------------------------------------------------------------------------------------------- */
/* Pays for the tables that are missing on the way to va; returns how many. Charging may end things that are dying,
 * and so free tables on that way: then everything is looked at anew. */
static unsigned tables_reserve(struct space *s, vaddr_t va)
{
	for (;;) {
		unsigned missing = pt_missing(s->root, va);
		u64 before = s->tables, more = paid_for(before + missing) - paid_for(before);
		if (more == 0)
			return missing;
		if (account_charge(s->account, more) != SYS_OK) {
			if (before == s->tables)
				ASSERT(space_drop_oldest(s));
		} else if (before == s->tables && missing == pt_missing(s->root, va)) {
			return missing;
		} else {
			account_uncharge(s->account, more);
		}
	}
}

static void entered(vaddr_t va, paddr_t frame, struct pt_entry old)
{
	frame_of(frame)->page.mapped++;
	if (old.flags)
		entry_removed(NULL, va, old);
}

static __attribute__((noinline)) struct pt_entry enter_with_tables(struct space *s, vaddr_t va, paddr_t frame,
                     u32 flags)
{
	paddr_t tables[PT_LEVELS - 1];
	unsigned missing = tables_reserve(s, va);

	for (unsigned i = 0; i < missing; i++)
		tables[i] = frame_alloc_zeroed(FRAME_TABLE);
	leaf_push(s, tables[missing - 1], va);
	s->tables += missing;
	return pt_map(s->root, va, frame, flags, tables);
}

void space_enter(struct space *s, vaddr_t va, paddr_t frame, u32 flags)
{
	struct pt_entry old;

	if (unlikely(!pt_map_present(s->root, va, frame, flags, &old)))
		old = enter_with_tables(s, va, frame, flags);
	entered(va, frame, old);
}

void space_enter_present(struct space *s, struct mapping *m, vaddr_t va, vaddr_t end, u32 perm)
{
	struct page_ref ref[FAULT_NEIGHBOURS];
	struct pt_entry entry[FAULT_NEIGHBOURS];
	struct cursor c;
	unsigned there = va < end ? pt_absent(s->root, va, MIN((end - va) >> PAGE_SHIFT, FAULT_NEIGHBOURS)) : 0;

	if (there == 0)
		return;
	cursor_begin(&c, m->vmo, mapping_page(m, va), UINT64_MAX, 0, NULL);
	c.unseen = true;
	there = (unsigned)cursor_existing(&c, there, ref);
	for (unsigned i = 0; i < there; i++) {
		entry[i] = (struct pt_entry){ ref[i].frame, mapping_entry_flags(m, perm, &ref[i]) };
		frame_of(ref[i].frame)->page.mapped++;
		if (entry[i].flags & PT_WRITE)
			mapping_note_write(m, va + i * PAGE_SIZE_, va + (i + 1) * PAGE_SIZE_);
	}
	if (there)
		pt_map_absent(s->root, va, entry, there);
}
