/* SPDX-License-Identifier: BSD-2-Clause */
/* familychecks.c: compares what the kernel has with familyrules.h, by looking into it; what calls give back is compared
 * where they are made. */
#include <string.h>
#include "model/familyops.h"
#include "syscall/check.h"

static u64 base_pages;                  /* frames with content when no family is there */

void compare_page(int c, u64 page)
{
	tree_slot_t slot = tree_lookup(&vmo[c].v->tree, page);

	reclaim_settle(c, page);
	const struct m_entry *e = entry_at(c, page);
	must((tree_tag(slot) == TREE_PAGE) == (e && e->p && !e->away));
	if (vmo[c].kind != ANONYMOUS && page < vmo[c].limit)
		must((tree_tag(slot) == TREE_ZERO) == (e && !e->p));
	if (!e || !e->p || e->away)
		return;
	must(memcmp(phys_to_virt(tree_frame(slot)), e->p->byte, PAGE_SIZE_) == 0);
	must(!vmo[c].contiguous || tree_frame(slot) == vmo[c].frame + (page << PAGE_SHIFT));
}

void compare_range(const struct target *t, u64 offset, u64 length)
{
	u64 page = t->shift + (offset >> PAGE_SHIFT), end = t->shift + (page_up(offset + length) >> PAGE_SHIFT);

	if (t->o == NONE || outside(t->size, offset, length))
		return;
	for (unsigned i = 0; i < 8 && page < end; i++)
		compare_page(t->o, page++);
}

static void compare_content(int c)
{
	u64 pages, nodes;

	tree_totals(&vmo[c].v->tree, &pages, &nodes);
	must(pages == pages_of(c));
	for (u32 e = 0; e < vmo[c].count; e++)
		compare_page(c, vmo[c].entry[e].page);
	for (u64 page = 0; page < MIN(vmo[c].limit, NEAR >> PAGE_SHIFT); page++)
		compare_page(c, page);
}

static u32 info_flags(int i)
{
	int c = content_of(i), root = vmo[c].kind == ROOT ? c : vmo[c].root;
	u32 flags = 0;

	flags |= vmo[c].options & SYS_VMO_RESIZABLE && vmo[i].kind != SLICE ? SYS_VMO_INFO_RESIZABLE : 0;
	flags |= vmo[c].options & SYS_VMO_DISCARDABLE ? SYS_VMO_INFO_DISCARDABLE : 0;
	flags |= vmo[c].options & SYS_VMO_UNBOUNDED && vmo[i].shape == c ? SYS_VMO_INFO_UNBOUNDED : 0;
	flags |= vmo[i].kind == SLICE ? SYS_VMO_INFO_SLICE : vmo[i].kind == REFERENCE ? SYS_VMO_INFO_REFERENCE : 0;
	flags |= vmo[i].copied ? SYS_VMO_INFO_COW_CLONE : 0;
	flags |= root != NONE || vmo[c].kind == ROOT ? SYS_VMO_INFO_PAGER_BACKED : 0;
	flags |= vmo[c].orphan ? SYS_VMO_INFO_DETACHED : 0;
	flags |= vmo[c].contiguous ? SYS_VMO_INFO_CONTIGUOUS : 0;
	return flags;
}

void compare_info(int i)
{
	sys_vmo_info_t info;
	int c = content_of(i);

	if (vmo[i].over || c == NONE)
		return;
	while (vmo_info(vmo[i].v, &info) == VM_AGAIN)
		;
	must(info.koid == vmo[i].v->object.koid && info.parent_koid == vmo[i].parent_koid);
	must(info.size == vmo[vmo[i].shape].size && info.stream_size == vmo[vmo[i].shape].stream);
	must(info.children == vmo[i].children && info.flags == info_flags(i));
	must(info.cache_policy == vmo[c].policy);
	must(info.mappings == segments_of(i));
	if (c != i) {
		must(!info.committed && !info.private_bytes && !info.scaled_bytes && !info.scaled_fraction);
		return;
	}
	must(info.committed == pages_of(c) << PAGE_SHIFT && info.populated == info.committed);
	must(info.private_bytes == private_pages(c) << PAGE_SHIFT);
}

void compare_some(void)
{
	int i = (int)choose(VMOS);

	kernel_reap();
	if (!vmo[i].v || vmo[i].over)
		return;
	compare_info(i);
	if (content_of(i) == i && vmo[i].count)
		compare_page(i, vmo[i].entry[choose(vmo[i].count)].page);
}

/* ---- counting ---------------------------------------------------------------------------------------------------- */

struct census { u64 pages, slabs[ACCOUNTS]; };

static void census(struct census *n)
{
	*n = (struct census){ 0 };
	for (u64 i = 0; i < frame_table_len; i++) {
		const struct frame *f = &frame_table[i];
		n->pages += f->kind == FRAME_PAGE;
		for (int a = 0; a < ACCOUNTS && f->kind == FRAME_SLAB; a++)
			n->slabs[a] += f->list.owner == (u64)(uintptr_t)payer[a].a;
	}
}

/* Each pays for its slabs, and for all pages and nodes that its contents reach. */
static void compare_accounts(const struct census *n)
{
	u64 used[ACCOUNTS], roots[ACCOUNTS] = { 0 }, discardable[ACCOUNTS] = { 0 };

	memcpy(used, n->slabs, sizeof used);
	for (int i = 0; i < VMOS; i++) {
		u64 pages, nodes;
		if (!vmo[i].v || vmo[i].over || content_of(i) != i)
			continue;
		tree_totals(&vmo[i].v->tree, &pages, &nodes);
		must(vmo[i].v->tree.charged == pages + nodes && pages == pages_of(i));
		used[vmo[i].account] += pages + nodes;
		roots[vmo[i].account] += vmo[i].kind == ROOT && !vmo[i].orphan ? pages + nodes : 0;
		discardable[vmo[i].account] += vmo[i].options & SYS_VMO_DISCARDABLE && !vmo[i].locks ? pages + nodes : 0;
		must(vmo[i].v->discarded == vmo[i].discarded && vmo[i].v->locks == vmo[i].locks);
	}
	for (int a = 1; a < ACCOUNTS; a++) {
		must(payer[a].a->used == used[a] && payer[a].a->total == payer[a].total);
		must(payer[a].a->roots.frames == roots[a] && payer[a].a->discardable.frames == discardable[a]);
	}
}

/* The shares of all objects add up to what is in use, less one unit for each division. */
static void compare_shares(void)
{
	unsigned __int128 sum = 0, all = (unsigned __int128)(pages_in_use << PAGE_SHIFT) << 63;
	sys_vmo_info_t info;

	for (int i = 0; i < VMOS; i++) {
		if (!vmo[i].v || vmo[i].over || content_of(i) == NONE)
			continue;
		must(vmo_info(vmo[i].v, &info) == SYS_OK);
		sum += ((unsigned __int128)info.scaled_bytes << 63) + info.scaled_fraction;
	}
	must(sum <= all && all - sum <= pages_in_use * (TREE_LEVELS + 1) * VMOS);
}

void compare_nothing(void)
{
	struct census n;

	kernel_reap();
	census(&n);
	base_pages = n.pages;
	for (int a = 0; a < ACCOUNTS; a++)
		payer[a].fixed = payer[a].a->used;
}

void compare_families(void)
{
	struct census n;

	kernel_reap();
	for (int i = 0; i < VMOS; i++) {
		if (!vmo[i].v || vmo[i].over)
			continue;
		compare_info(i);
		if (content_of(i) == i)
			compare_content(i);
	}
	census(&n);
	must(n.pages == base_pages + pages_in_use);
	compare_accounts(&n);
	compare_shares();
	check_all();
}
