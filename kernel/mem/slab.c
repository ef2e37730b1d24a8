/* SPDX-License-Identifier: BSD-2-Clause */
/* slab.c: small objects in frames of one size class and one account.
 *
 * A slab is a frame of equal cells. A free cell is { 0, next free cell + 1 } and, in debug, poison. The frame-table
 * entry holds the number of cells in use, the first free cell, the account, and the links of the account's list for the
 * class: of those with room, or of the full ones.
 * A class of one frame per cell has FRAME_OBJECT frames, always full. Lock: the kernel lock.
 */
#include "mem/slab.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mem/account.h"
#include "mem/frame.h"

#define UNIT        64u                                 /* sizes are rounded up to classes in units of this */
#define WHOLE       (SLAB_CLASSES - 1)                  /* the class of a frame of its own */
#define FIRST_PART  0x80

static const u16 class_size[SLAB_CLASSES] = { 64, 128, 192, 256, 384, 512, 768, 1024, 4096 };
static const u8 class_of_units[17] = { 0, 0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7 };

struct free_cell { u8 type, next; u8 poison[]; };

static unsigned class_of(size_t size)
{
	ASSERT(size > 0 && size <= PAGE_SIZE_);
	return size <= 1024 ? class_of_units[(size + UNIT - 1) / UNIT] : WHOLE;
}

static unsigned cells_in(unsigned class) { return (unsigned)PAGE_SIZE_ / class_size[class]; }
static u8 used_of(const struct frame *f) { return (u8)f->state; }
static u8 head_of(const struct frame *f) { return (u8)(f->state >> 8); }
static void set_state(struct frame *f, unsigned used, unsigned head) { f->state = (u16)(used | head << 8); }
static u32 number_of(const struct frame *f) { return (u32)(f - frame_table); }
static struct account *owner_of(const struct frame *f) { return (struct account *)(uintptr_t)f->list.owner; }
static void *cell_at(const struct frame *f, unsigned i)
{
	return (u8 *)phys_to_virt(frame_addr(f)) + i * class_size[f->level];
}

/* ---- the account's lists ----------------------------------------------------------------------------------------- */
/* For walks the lists have an order: full ones and those with room, class by class. */
static u32 *list_head(struct account *a, unsigned i) { return i % 2 ? &a->slabs[i / 2] : &a->full[i / 2]; }
static unsigned list_of(const struct frame *f) { return 2u * f->level + (head_of(f) ? 1 : 0); }

static u32 first_from(struct account *a, unsigned list)
{
	for (; list < 2 * SLAB_CLASSES; list++)
		if (*list_head(a, list) != FRAME_NIL)
			return *list_head(a, list);
	return FRAME_NIL;
}

static u32 next_of(struct account *a, const struct frame *f)
{
	return f->list.next != FRAME_NIL ? f->list.next : first_from(a, list_of(f) + 1);
}

static void link_slab(struct account *a, struct frame *f)
{
	u32 *head = list_head(a, list_of(f));

	f->list.next = *head;
	f->list.prev = FRAME_NIL;
	if (*head != FRAME_NIL)
		frame_table[*head].list.prev = number_of(f);
	*head = number_of(f);
}

/* Before its state changes: which list it is on follows from that. */
static void unlink_slab(struct account *a, struct frame *f)
{
	if (a->sweep == number_of(f))
		a->sweep = next_of(a, f);
	if (f->list.next != FRAME_NIL)
		frame_table[f->list.next].list.prev = f->list.prev;
	if (f->list.prev != FRAME_NIL)
		frame_table[f->list.prev].list.next = f->list.next;
	else
		*list_head(a, list_of(f)) = f->list.next;
}

/* ---- cells ------------------------------------------------------------------------------------------------------- */
static struct frame *slab_new(struct account *a, unsigned class)
{
	struct frame *f = frame_of(frame_alloc(class == WHOLE ? FRAME_OBJECT : FRAME_SLAB));

	f->level = (u8)class;
	f->list.owner = (uintptr_t)a;
	for (unsigned i = 0, n = cells_in(class); i < n; i++)
		*(struct free_cell *)cell_at(f, i) = (struct free_cell){ 0, (u8)(i + 1 < n ? i + 2 : 0) };
	set_state(f, 0, 1);
	link_slab(a, f);
	return f;
}

static void poison_check(const struct free_cell *c, unsigned size)
{
	for (unsigned i = 0; i < size - sizeof *c; i++)
		ASSERT(c->poison[i] == MEM_POISON);         /* nobody wrote to it since it was freed */
}

static void *take_cell(struct account *a, struct frame *f)
{
	struct free_cell *c = cell_at(f, head_of(f) - 1u);

	ASSERT(c->type == 0);
	if (MEM_POISONING)
		poison_check(c, class_size[f->level]);
	if (c->next == 0) {                             /* the last one: the slab changes lists */
		unlink_slab(a, f);
		set_state(f, used_of(f) + 1u, 0);
		link_slab(a, f);
	} else {
		set_state(f, used_of(f) + 1u, c->next);
	}
	return c;
}

void *slab_alloc(struct account *a, size_t size, u8 type, sys_status_t *status)
{
	unsigned class = class_of(size);
	struct frame *f;

	ASSERT(type != 0);
	if (a->closed) {
		*status = SYS_ERR_BAD_STATE;
		return NULL;
	}
	if (a->slabs[class] != FRAME_NIL) {
		*status = account_fail_here() ? SYS_ERR_NO_MEMORY : SYS_OK;
		f = &frame_table[a->slabs[class]];
	} else {
		*status = account_charge(a, 1);
		f = *status == SYS_OK ? slab_new(a, class) : NULL;
	}
	if (*status != SYS_OK)
		return NULL;
	u8 *cell = take_cell(a, f);
	memset(cell, 0, size);
	*cell = type;
	return cell;
}

static void put_cell(struct frame *f, u8 *cell)
{
	unsigned size = class_size[f->level], i = (unsigned)((u64)(uintptr_t)cell % PAGE_SIZE_) / size;

	if (MEM_POISONING)
		memset(cell, MEM_POISON, size);
	*(struct free_cell *)cell = (struct free_cell){ 0, head_of(f) };
	set_state(f, used_of(f) - 1u, i + 1);
}

void slab_free(void *cell, size_t size)
{
	struct frame *f = frame_of(virt_to_phys(cell) & ~PAGE_MASK);
	struct account *a = owner_of(f);

	ASSERT(f->kind == FRAME_SLAB || f->kind == FRAME_OBJECT);
	ASSERT(f->level == class_of(size) && (uintptr_t)cell % PAGE_SIZE_ % class_size[f->level] == 0);
	ASSERT(*(u8 *)cell != 0);                       /* not freed twice */
	if (used_of(f) == 1) {
		unlink_slab(a, f);
		frame_free(frame_addr(f));
		account_uncharge(a, 1);
	} else if (head_of(f) == 0) {
		unlink_slab(a, f);
		put_cell(f, cell);
		link_slab(a, f);
	} else {
		put_cell(f, cell);
	}
}

/* ---- walks ------------------------------------------------------------------------------------------------------- */
static struct object *object_at(const struct frame *f, unsigned i)
{
	struct object *o = cell_at(f, i);
	return o->type != 0 && o->type < FIRST_PART ? o : NULL;
}

struct object *slab_first_object(struct account *a)
{
	u32 n = a->sweep != FRAME_NIL ? a->sweep : first_from(a, 0);

	if (n == FRAME_NIL)
		return NULL;
	a->sweep = n;
	for (unsigned i = 0; i < cells_in(frame_table[n].level); i++) {
		struct object *o = object_at(&frame_table[n], i);
		if (o && !object_dying(o))
			return o;
	}
	a->sweep = next_of(a, &frame_table[n]);
	return NULL;
}

void slab_each_object(struct account *a, void (*visit)(struct object *))
{
	for (unsigned list = 0; list < 2 * SLAB_CLASSES; list++)
		for (u32 n = *list_head(a, list); n != FRAME_NIL; n = frame_table[n].list.next)
			for (unsigned i = 0; i < cells_in(frame_table[n].level); i++) {
				struct object *o = object_at(&frame_table[n], i);
				if (o && !object_dying(o))
					visit(o);
			}
}

/* Counts the objects that live; asserts that cells and free list agree. */
static u64 check_cells(const struct account *a, const struct frame *f)
{
	unsigned cells = cells_in(f->level), free = 0, busy = 0;
	u64 live = 0;

	for (unsigned i = head_of(f); i; free++) {
		struct free_cell *c = cell_at(f, i - 1);
		ASSERT(i <= cells && free < cells && c->type == 0);
		i = c->next;
	}
	for (unsigned i = 0; i < cells; i++) {
		struct object *o = object_at(f, i);
		busy += *(u8 *)cell_at(f, i) != 0;
		ASSERT(!o || o->account == a);
		live += o && !object_dying(o);
	}
	ASSERT(busy == used_of(f) && busy > 0 && busy + free == cells);
	return live;
}

void slab_check(const struct account *a)
{
	u64 frames = 0, live = 0;
	bool sweep_seen = a->sweep == FRAME_NIL;

	for (unsigned list = 0; list < 2 * SLAB_CLASSES; list++) {
		u32 prev = FRAME_NIL;
		u32 n = *list_head((struct account *)a, list);
		for (; n != FRAME_NIL; prev = n, n = frame_table[n].list.next) {
			const struct frame *f = &frame_table[n];
			ASSERT(n < frame_table_len && f->list.prev == prev && owner_of(f) == a && list_of(f) == list);
			ASSERT(f->kind == (f->level == WHOLE ? FRAME_OBJECT : FRAME_SLAB));
			live += check_cells(a, f);
			sweep_seen |= n == a->sweep;
			frames++;
		}
	}
	ASSERT(frames <= a->used && live == a->objects && sweep_seen);
}
