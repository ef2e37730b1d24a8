/* SPDX-License-Identifier: BSD-2-Clause */
/* frame.c: the frame table and the free frames.
 *
 * A free frame is on the list (used before, FRAME_FREE), or in one of the fresh spans (never given out since boot,
 * FRAME_NONE). So boot costs the clearing of the table and nothing for each frame, and memory that is never needed is
 * never touched.
 * Lock: the kernel lock.
 */
#include "mem/frame.h"
#include "lib/assert.h"
#include "lib/string.h"

struct span { u64 first, end; };                        /* frame numbers */

struct frame *frame_table;
u64 frame_table_len;

static struct span cut[1 + BOOT_RANGES + BOOT_MODULES]; /* frame 0, what is taken, modules */
static u32 cuts;
static struct span fresh[BOOT_RANGES + ARRAY_LEN(cut)];
static u32 fresh_spans, fresh_at;
static u32 free_head;
static u64 free_frames, ram_frames, module_frames;

/* ---- layout ------------------------------------------------------------------------------------------------------ */
/* Ranges of RAM shrink to whole frames, everything else grows to them. */
static struct span span_inside(struct boot_range r)
{
	return (struct span){ page_up(r.base) >> PAGE_SHIFT, (r.base + r.size) >> PAGE_SHIFT };
}

static struct span span_around(paddr_t base, u64 size)
{
	return (struct span){ base >> PAGE_SHIFT, page_up(base + size) >> PAGE_SHIFT };
}

static u64 span_len(struct span s) { return s.end > s.first ? s.end - s.first : 0; }

/* What may not be given out. */
BOOT static void collect_cuts(const struct boot_info *boot)
{
	cuts = 0;
	cut[cuts++] = (struct span){ 0, 1 };
	for (u32 i = 0; i < boot->takens; i++)
		cut[cuts++] = span_around(boot->taken[i].base, boot->taken[i].size);
	for (u32 i = 0; i < boot->modules; i++) {
		struct span s = span_around(boot->module[i].base, boot->module[i].size);
		ASSERT(page_aligned(boot->module[i].base));
		cut[cuts++] = s;
		module_frames += span_len(s);
	}
}

/* The first cut that ends behind `at`; an empty one at the end if there is none. */
BOOT static struct span next_cut(u64 at, u64 end)
{
	struct span found = { end, end };

	for (u32 i = 0; i < cuts; i++)
		if (cut[i].end > at && cut[i].first < found.first)
			found = cut[i];
	return found;
}

BOOT static void collect_fresh(struct span ram)
{
	for (u64 at = ram.first; at < ram.end;) {
		struct span c = next_cut(at, ram.end);
		if (c.first > at) {
			fresh[fresh_spans++] = (struct span){ at, c.first };
			free_frames += c.first - at;
		}
		at = MAX(at, c.end);
	}
}

/* The table goes to the beginning of the largest span. */
BOOT static void place_table(void)
{
	u64 need = page_up(frame_table_bytes()) >> PAGE_SHIFT, least = MEM_MINIMUM >> PAGE_SHIFT;
	struct span *largest = &fresh[0];

	for (u32 i = 1; i < fresh_spans; i++)
		if (span_len(fresh[i]) > span_len(*largest))
			largest = &fresh[i];
	if (!fresh_spans || span_len(*largest) < need || free_frames < need + least)
		refuse("too little memory: %lu KiB free after the kernel and its modules, %lu KiB needed",
			(free_frames > need ? free_frames - need : 0) * 4, least * 4);

	frame_table = phys_to_virt(largest->first << PAGE_SHIFT);
	memset(frame_table, 0, frame_table_bytes());
	largest->first += need;
	free_frames -= need;
}

BOOT static void mark_modules(const struct boot_info *boot)
{
	for (u32 i = 0; i < boot->modules; i++) {
		struct span s = span_around(boot->module[i].base, boot->module[i].size);
		for (u64 n = s.first; n < s.end; n++)
			frame_table[n] = (struct frame){ .kind = FRAME_MODULE, .refs = 1 };
	}
}

BOOT void frame_init(const struct boot_info *boot)
{
	fresh_spans = fresh_at = free_head = 0;
	free_frames = ram_frames = module_frames = frame_table_len = 0;

	collect_cuts(boot);
	for (u32 i = 0; i < boot->rams; i++) {
		struct span ram = span_inside(boot->ram[i]);
		ram_frames += span_len(ram);
		frame_table_len = MAX(frame_table_len, ram.end);
		collect_fresh(ram);
	}
	ASSERT(frame_table_len <= UINT32_MAX);          /* links are 32-bit frame numbers */
	place_table();
	mark_modules(boot);
}

/* ---- giving out and taking back ---------------------------------------------------------------------------------- */
static void poison_check(const struct frame *f)
{
	const u64 *word = phys_to_virt(frame_addr(f));
	for (unsigned i = 0; i < PAGE_SIZE_ / sizeof *word; i++)
		ASSERT(word[i] == 0x0101010101010101ull * MEM_POISON);
}

static void poison(const struct frame *f) { memset(phys_to_virt(frame_addr(f)), MEM_POISON, PAGE_SIZE_); }

/* The head's own `prev` says nothing. */
static void list_free(struct frame *f)
{
	if (MEM_POISONING)
		poison(f);
	*f = (struct frame){ .kind = FRAME_FREE, .list.next = free_head };
	frame_table[free_head].list.prev = (u32)(f - frame_table);
	free_head = (u32)(f - frame_table);
	free_frames++;
}

static struct frame *take_listed(void)
{
	struct frame *f = &frame_table[free_head];

	DEBUG_ASSERT(f->kind == FRAME_FREE);
	free_head = f->list.next;
	if (MEM_POISONING)
		poison_check(f);
	return f;
}

static struct frame *take_fresh(void)
{
	while (!span_len(fresh[fresh_at]))
		fresh_at++;
	struct frame *f = &frame_table[fresh[fresh_at].first++];
	if (MEM_POISONING)
		poison(f);
	return f;
}

static inline paddr_t take(enum frame_kind kind, u16 state)
{
	ASSERT(free_frames > 0);                        /* accounts never promise more than there is */
	struct frame *f = free_head != FRAME_NIL ? take_listed() : take_fresh();
	free_frames--;
	*f = (struct frame){ .kind = (u8)kind, .state = state, .refs = 1 };
	return frame_addr(f);
}

paddr_t frame_alloc(enum frame_kind kind) { return take(kind, 0); }

paddr_t frame_alloc_page(u16 state)
{
	paddr_t pa = take(FRAME_PAGE, state);
	memset(phys_to_virt(pa), 0, PAGE_SIZE_);
	return pa;
}

paddr_t frame_alloc_zeroed(enum frame_kind kind)
{
	paddr_t pa = frame_alloc(kind);
	memset(phys_to_virt(pa), 0, PAGE_SIZE_);
	return pa;
}

void frame_free(paddr_t pa)
{
	struct frame *f = frame_of(pa);

	ASSERT(page_aligned(pa) && pa >> PAGE_SHIFT < frame_table_len);
	ASSERT(f->kind != FRAME_NONE && f->kind != FRAME_FREE && f->kind != FRAME_MODULE);
	ASSERT(f->refs <= 1 && (f->kind != FRAME_PAGE || (f->page.mapped == 0 && f->page.kept == 0)));
	list_free(f);
}

void frame_take_module(paddr_t pa)
{
	ASSERT(page_aligned(pa) && pa >> PAGE_SHIFT < frame_table_len && frame_of(pa)->kind == FRAME_MODULE);
	*frame_of(pa) = (struct frame){ .kind = FRAME_PAGE, .refs = 1 };
	module_frames--;
}

u64 frame_count(void) { return ram_frames; }
u64 frame_count_free(void) { return free_frames; }
u64 frame_count_modules(void) { return module_frames; }
u64 frame_table_bytes(void) { return frame_table_len * sizeof(struct frame); }

/* ---- frames in a row --------------------------------------------------------------------------------------------- */
#define LOOK_STEP 64u

/* The fresh span that holds a frame that was never used, or NULL. */
static struct span *fresh_span_of(u64 n)
{
	for (u32 i = fresh_at; i < fresh_spans; i++)
		if (n >= fresh[i].first && n < fresh[i].end)
			return &fresh[i];
	return NULL;
}

static bool is_free(u64 n)
{
	u8 kind = frame_table[n].kind;
	return kind == FRAME_FREE || (kind == FRAME_NONE && fresh_span_of(n));
}

sys_status_t frame_find_row(u64 *next, u64 *start, u64 count, u64 align)
{
	*start = (*start + align - 1) & ~(align - 1);
	if (*next < *start || *next > frame_table_len)
		*next = *start;
	for (unsigned i = 0; i < LOOK_STEP; i++) {
		if (*next >= *start && *next - *start >= count)
			return SYS_OK;
		if (*start > frame_table_len || count > frame_table_len - *start)
			return SYS_ERR_NO_RESOURCES;
		if (is_free((*next)++))
			continue;
		*next = *start = (*next + align - 1) & ~(align - 1);
	}
	return VM_AGAIN;
}

/* Frames of a span are used from its front: those before the wanted one become listed, some at a time. */
static bool take_from_span(struct span *s, u64 n)
{
	for (unsigned i = 0; s->first < n && i < LOOK_STEP; i++) {
		free_frames--;
		list_free(&frame_table[s->first++]);
	}
	if (s->first < n)
		return false;
	if (MEM_POISONING)
		poison(&frame_table[n]);
	s->first++;
	return true;
}

static void take_from_list(struct frame *f)
{
	u32 n = (u32)(f - frame_table);

	if (free_head == n)
		free_head = f->list.next;
	else
		frame_table[f->list.prev].list.next = f->list.next;
	frame_table[f->list.next].list.prev = f->list.prev;
	if (MEM_POISONING)
		poison_check(f);
}

sys_status_t frame_take(u64 n, enum frame_kind kind)
{
	struct frame *f = &frame_table[n];

	if (n >= frame_table_len || !is_free(n))
		return SYS_ERR_NO_RESOURCES;
	if (f->kind == FRAME_FREE)
		take_from_list(f);
	else if (!take_from_span(fresh_span_of(n), n))
		return VM_AGAIN;
	free_frames--;
	*f = (struct frame){ .kind = (u8)kind, .refs = 1 };
	return SYS_OK;
}

/* ---- walker ------------------------------------------------------------------------------------------------------ */
static u64 check_list(void)
{
	u64 listed = 0;

	for (u32 n = free_head, prev = FRAME_NIL; n != FRAME_NIL; prev = n, n = frame_table[n].list.next, listed++) {
		ASSERT(n < frame_table_len && frame_table[n].kind == FRAME_FREE);
		ASSERT(n == free_head || frame_table[n].list.prev == prev);
		ASSERT(listed < free_frames);           /* no circle */
	}
	return listed;
}

void frame_check(void)
{
	u64 listed = check_list(), unused = 0, kinds[FRAME_MODULE + 1] = { 0 };

	for (u64 n = 0; n < frame_table_len; n++) {
		ASSERT(frame_table[n].kind <= FRAME_MODULE);
		kinds[frame_table[n].kind]++;
	}
	for (u32 i = fresh_at; i < fresh_spans; i++) {
		unused += span_len(fresh[i]);
		for (u64 n = fresh[i].first; n < fresh[i].end; n++)
			ASSERT(frame_table[n].kind == FRAME_NONE);
	}
	ASSERT(listed == kinds[FRAME_FREE] && listed + unused == free_frames);
	ASSERT(kinds[FRAME_MODULE] == module_frames && frame_table[0].kind == FRAME_NONE);
}
