/* SPDX-License-Identifier: BSD-2-Clause */
/* familyrules.c: see familyrules.h. */
#include <string.h>
#include "model/familyrules.h"

#define POOL 4096

struct m_vmo vmo[VMOS];
struct m_cap capability[CAPS];
struct m_account payer[ACCOUNTS];
struct m_segment segment[SEGMENTS];
u8 permission[ARENA];
u64 pages_in_use;
bool under_way;
struct refused refused;

static struct m_page pool[POOL], *unused;

void rules_start(void)
{
	memset(vmo, 0, sizeof vmo);
	memset(capability, 0, sizeof capability);
	memset(payer, 0, sizeof payer);
	memset(segment, 0, sizeof segment);
	pages_in_use = 0;
	unused = NULL;
	for (struct m_page *p = pool; p < pool + POOL; p++) {
		p->next = unused;
		unused = p;
	}
}

/* ---- pages ------------------------------------------------------------------------------------------------------- */

struct m_page *page_new(const struct m_page *copy)
{
	struct m_page *p = unused;

	must(p != NULL);
	unused = p->next;
	p->refs = 1;
	pages_in_use++;
	if (copy)
		memcpy(p->byte, copy->byte, PAGE_SIZE_);
	else
		memset(p->byte, 0, PAGE_SIZE_);
	return p;
}

void page_release(struct m_page *p)
{
	if (!p || --p->refs)
		return;
	p->next = unused;
	unused = p;
	pages_in_use--;
}

struct m_entry *entry_at(int c, u64 page)
{
	for (u32 e = 0; e < vmo[c].count; e++)
		if (vmo[c].entry[e].page == page)
			return &vmo[c].entry[e];
	return NULL;
}

void entry_put(int c, u64 page, struct m_page *p)
{
	struct m_entry *e = entry_at(c, page);

	if (e && e->away)
		entry_remove(c, e);
	else
		must(vmo[c].count < ENTRIES && !e);
	vmo[c].entry[vmo[c].count++] = (struct m_entry){ .page = page, .p = p, .was = true };
}

void entry_remove(int c, struct m_entry *e)
{
	pages_in_use += e->away;
	page_release(e->p);
	*e = vmo[c].entry[--vmo[c].count];
}

void entry_away(struct m_entry *e)
{
	e->away = true;
	pages_in_use--;
}

void entries_remove(int c, u64 page, u64 end)
{
	for (u32 e = vmo[c].count; e-- > 0;)
		if (vmo[c].entry[e].page >= page && vmo[c].entry[e].page < end)
			entry_remove(c, &vmo[c].entry[e]);
}

u64 pages_of(int c)
{
	u64 count = 0;

	for (u32 e = 0; e < vmo[c].count; e++)
		count += vmo[c].entry[e].p && !vmo[c].entry[e].away;
	return count;
}

u64 private_pages(int c)
{
	u64 count = 0;

	for (u32 e = 0; e < vmo[c].count; e++)
		count += vmo[c].entry[e].p && vmo[c].entry[e].p->refs == 1 && !vmo[c].entry[e].away;
	return count;
}

/* ---- what is seen ------------------------------------------------------------------------------------------------ */

int content_of(int i)
{
	return vmo[i].kind == SLICE || vmo[i].kind == REFERENCE ? vmo[i].owner : i;
}

sys_status_t see(int c, u64 page, struct m_page **p)
{
	const struct m_entry *e = entry_at(c, page);

	bool away = e && e->away && (under_way || !e->was || (refused.root == c && refused.page == page));

	*p = e ? e->p : NULL;
	if ((e && !away) || vmo[c].kind == ANONYMOUS || page >= vmo[c].limit)
		return SYS_OK;
	if (vmo[c].kind == ROOT)
		return vmo[c].orphan ? SYS_ERR_BAD_STATE : SYS_ERR_SHOULD_WAIT;
	return vmo[c].root == NONE ? SYS_ERR_BAD_STATE : see(vmo[c].root, vmo[c].first + page, p);
}

sys_status_t own(int c, u64 page, struct m_page **p)
{
	struct m_entry *e = entry_at(c, page);
	sys_status_t status = see(c, page, p);

	if (status != SYS_OK || (e && e->p && e->p->refs == 1))
		return status;
	*p = page_new(*p);
	if (e) {
		page_release(e->p);
		e->p = *p;
		e->written = true;
	} else {
		entry_put(c, page, *p);
	}
	return SYS_OK;
}

sys_status_t own_to_write(int c, u64 page, struct m_page **p)
{
	sys_status_t status = own(c, page, p);
	struct m_entry *e = status == SYS_OK ? entry_at(c, page) : NULL;

	if (!e)
		return status;
	must(!e->away);                         /* it had been written to when it went */
	e->written = true;
	return SYS_OK;
}

bool grows(int c, u64 page)
{
	const struct m_entry *e = entry_at(c, page);

	return !e || !e->p || e->away;
}

bool room_for(int c, u64 pages) { return vmo[c].count + pages <= ENTRIES && pages_in_use + pages < POOL - 64; }

static sys_status_t zero_piece(int c, u64 from, u64 to)
{
	u64 page = from >> PAGE_SHIFT;
	struct m_entry *e = entry_at(c, page);
	bool whole = to - from == PAGE_SIZE_, stays = vmo[c].contiguous;
	struct m_page *p;

	if (whole && !stays) {
		bool falls = vmo[c].kind != ANONYMOUS && page < vmo[c].limit;
		if (e && e->p)
			entry_remove(c, e);
		if (falls && !entry_at(c, page))
			entry_put(c, page, NULL);
		return SYS_OK;
	}
	sys_status_t status = see(c, page, &p);
	if (status == SYS_OK && p)
		status = own_to_write(c, page, &p);
	if (status == SYS_OK && p)
		memset(p->byte + (from & PAGE_MASK), 0, to - from);
	return status;
}

/* A range that is far too long to go through page by page holds little: what is there goes. */
static void zero_pages_between(int c, u64 page, u64 end)
{
	entries_remove(c, page, end);
}

sys_status_t zero_bytes(int c, u64 *from, u64 to)
{
	while (*from < to) {
		u64 next = MIN(to, (*from & ~PAGE_MASK) + PAGE_SIZE_);
		if (to - *from > 64 * PAGE_SIZE_ && page_aligned(*from)) {
			must(vmo[c].kind == ANONYMOUS);
			next = to & ~PAGE_MASK;
			zero_pages_between(c, *from >> PAGE_SHIFT, next >> PAGE_SHIFT);
		} else {
			sys_status_t status = zero_piece(c, *from, next);
			if (status != SYS_OK)
				return status;
		}
		*from = next;
	}
	return SYS_OK;
}

void shrink(int c, u64 size)
{
	u64 pages = page_up(size) >> PAGE_SHIFT;

	entries_remove(c, pages, UINT64_MAX);
	vmo[c].limit = MIN(vmo[c].limit, pages);
	if (vmo[c].kind != ROOT)
		return;
	for (int i = 0; i < VMOS; i++)
		if (vmo[i].v && vmo[i].kind == CLONE && vmo[i].root == c)
			vmo[i].limit = MIN(vmo[i].limit, pages > vmo[i].first ? pages - vmo[i].first : 0);
}

/* ---- lives ------------------------------------------------------------------------------------------------------- */

int vmo_new(struct vmo *v, enum m_kind kind, int a, u64 size)
{
	int i = 0;

	while (i < VMOS && vmo[i].v)
		i++;
	must(i < VMOS);
	vmo[i] = (struct m_vmo){
		.v = v, .kind = kind, .account = a, .parent = NONE, .size = page_up(size), .stream = size,
		.owner = NONE, .base = NONE, .shape = i, .root = NONE, .view_below = NONE,
	};
	return i;
}

int cap_new(sys_cap_t name, int i, int parent, sys_rights_t rights)
{
	int c = 0;

	while (c < CAPS && capability[c].name)
		c++;
	must(c < CAPS);
	capability[c] = (struct m_cap){ name, i, parent, rights };
	return c;
}

void copy_window(int child, int c, u64 page, u64 pages)
{
	for (u32 e = 0; e < vmo[c].count; e++) {
		struct m_entry of = vmo[c].entry[e];
		if (of.page - page >= pages)
			continue;
		if (of.p)
			of.p->refs++;
		else if (vmo[child].kind != CLONE)
			continue;
		entry_put(child, of.page - page, of.p);
	}
}

void become_child(int child, int parent)
{
	vmo[child].parent = parent;
	vmo[child].parent_koid = vmo[parent].v->object.koid;
	vmo[parent].children++;
}

static bool needed(int i)
{
	for (int c = 0; c < CAPS; c++)
		if (capability[c].name && capability[c].vmo == i)
			return true;
	for (int s = 0; s < SEGMENTS; s++)
		if (segment[s].live && (segment[s].vmo == i || segment[s].through == i))
			return true;
	for (int o = 0; o < VMOS; o++)
		if (vmo[o].v && !vmo[o].over && (vmo[o].base == i || vmo[o].root == i))
			return true;
	return false;
}

static bool named(int i)
{
	for (int c = 0; c < CAPS; c++)
		if (capability[c].name && capability[c].vmo == i)
			return true;
	return false;
}

/* The window shows nothing any more, nor do those that were made from it. */
static void sever(int i)
{
	vmo[i].owner = vmo[i].base = NONE;
	vmo[i].shape = i;
	for (int s = 0; s < SEGMENTS; s++)
		segment[s].live &= segment[s].through != i;
	for (int o = 0; o < VMOS; o++)
		if (vmo[o].v && vmo[o].base == i)
			sever(o);
}

void delete_cap(int c)
{
	int parent = capability[c].parent;

	for (int i = 0; i < CAPS; i++)
		if (capability[i].name && capability[i].parent == c)
			capability[i].parent = parent;
	for (int s = 0; s < SEGMENTS; s++)
		if (segment[s].below == c)
			segment[s].below = parent;
	for (int i = 0; i < VMOS; i++)
		if (vmo[i].view_below == c)
			vmo[i].view_below = parent;
	capability[c].name = 0;
}

/* It ends, needed or not; while it is still named the entry stays. */
static void end_vmo(int i)
{
	entries_remove(i, 0, UINT64_MAX);
	for (int s = 0; s < SEGMENTS; s++)
		segment[s].live &= segment[s].vmo != i && segment[s].through != i;
	for (int o = 0; o < VMOS; o++) {
		if (vmo[o].v && vmo[o].base == i)
			sever(o);
		vmo[o].root = vmo[o].root == i ? NONE : vmo[o].root;
		if (vmo[o].parent != i)
			continue;
		vmo[o].parent = vmo[i].parent;
		if (vmo[i].parent != NONE)
			vmo[vmo[i].parent].children++;
	}
	if (vmo[i].parent != NONE)
		vmo[vmo[i].parent].children--;
	vmo[i].children = 0;
	vmo[i].parent = vmo[i].owner = vmo[i].base = vmo[i].root = NONE;
	for (int c = 0; c < CAPS; c++)          /* a window's, which may stand elsewhere than below its account */
		if (capability[c].name && capability[c].vmo == i)
			delete_cap(c);
	vmo[i].v = NULL;
}

void settle(void)
{
	for (bool again = true; again;) {
		again = false;
		for (int i = 0; i < VMOS; i++) {
			if (!vmo[i].v)
				continue;
			if (vmo[i].over && !named(i))
				vmo[i].v = NULL;
			if (vmo[i].v && !vmo[i].over && !needed(i)) {
				end_vmo(i);
				again = true;
			}
		}
	}
}

static bool stands_below(int c, int above)
{
	while (c != NONE && c != above)
		c = capability[c].parent;
	return c == above;
}

static void revoke(int c)
{
	for (int s = 0; s < SEGMENTS; s++)
		if (segment[s].live && stands_below(segment[s].below, c))
			segment[s].live = false;
	for (int i = 0; i < VMOS; i++)
		if (vmo[i].v && vmo[i].root != NONE && stands_below(vmo[i].view_below, c))
			vmo[i].root = NONE;
	for (int i = 0; i < CAPS; i++)
		if (i != c && capability[i].name && stands_below(i, c))
			capability[i].vmo = -2;                /* it goes, when all are known */
	for (int i = 0; i < CAPS; i++)
		if (capability[i].vmo == -2)
			capability[i] = (struct m_cap){ 0 };
}

void revoke_cap(int c)
{
	revoke(c);
	settle();
}

void revoke_account(int a)
{
	revoke(a);
	for (int i = 0; i < VMOS; i++)
		if (vmo[i].v && !vmo[i].over && vmo[i].account == a)
			end_vmo(i);
	settle();
}

/* ---- mappings ---------------------------------------------------------------------------------------------------- */

int segment_at(u32 page)
{
	for (int s = 0; s < SEGMENTS; s++)
		if (segment[s].live && page - segment[s].first < segment[s].pages)
			return s;
	return NONE;
}

int segment_new(void)
{
	for (int s = 0; s < SEGMENTS; s++)
		if (!segment[s].live)
			return s;
	return NONE;
}

void unmap(u32 page, u32 pages)
{
	for (int s = 0; s < SEGMENTS; s++) {
		struct m_segment old = segment[s];
		u32 end = page + pages, old_end = old.first + old.pages;
		int t;
		if (!old.live || old.first >= end || old_end <= page)
			continue;
		segment[s].live = false;
		if (old.first < page) {
			segment[s] = old;
			segment[s].pages = page - old.first;
		}
		if (old_end <= end)
			continue;
		t = segment_new();
		must(t != NONE);
		segment[t] = old;
		segment[t].first = end;
		segment[t].pages = old_end - end;
		segment[t].offset = old.offset + end - old.first;
	}
	settle();
}

u64 segments_of(int i)
{
	u64 count = 0;

	for (int s = 0; s < SEGMENTS; s++)
		count += segment[s].live && (segment[s].through == NONE ? segment[s].vmo : segment[s].through) == i;
	return count;
}
