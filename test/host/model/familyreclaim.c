/* SPDX-License-Identifier: BSD-2-Clause */
/* familyreclaim.c: what the kernel gives up when an account is short (vm/reclaim.c), seen from outside. Each of its steps
 * is looked at: only contents of the account that is short may lose pages, roots one at a time and last, and only those
 * that may go. What went is noted at once where it shows; what the call under way has changed meanwhile, which the
 * model will know when the call is over, is settled then. */
#include <string.h>
#include "model/familyops.h"
#include "vm/reclaim.h"

bool reclaimed[ACCOUNTS];
u64 reclaim_spared;

static u64 can_go[ACCOUNTS];
static struct { u64 charged; bool there[ENTRIES]; } before[VMOS];
static struct { int c; u64 page; } gone[64];
static unsigned gone_count;

static bool is_content(int i) { return vmo[i].v && !vmo[i].over && content_of(i) == i; }
static bool unlocked(int c) { return vmo[c].options & SYS_VMO_DISCARDABLE && !vmo[c].locks; }

u64 reclaimable(int a) { return can_go[a]; }

void reclaim_note(int c, u64 page)
{
	if (gone_count == ARRAY_LEN(gone))
		return;
	gone[gone_count].c = c;
	gone[gone_count++].page = page;
}

/* Of what was discarded while the call went on, anything may have gone that the call had made before. */
bool went(int c, u64 page)
{
	if (unlocked(c) && vmo[c].discarded && reclaimed[vmo[c].account])
		return true;
	for (unsigned i = 0; i < gone_count; i++)
		if (gone[i].c == c && gone[i].page == page)
			return true;
	return false;
}

/* A page that the pager brought and nobody has written to, nor guards. */
static bool clean(int c, const struct m_entry *e)
{
	return vmo[c].kind == ROOT && !vmo[c].orphan && e->p && !e->away && !e->written && !e->guarded &&
	       e->page < vmo[c].limit;
}

void reclaim_prepare(void)
{
	bool forgets = choose(8) == 0;          /* the pager: what it is asked for again is something else */

	gone_count = 0;
	reclaim_spared = 0;
	memset(reclaimed, 0, sizeof reclaimed);
	memset(can_go, 0, sizeof can_go);
	for (int c = 0; c < VMOS; c++) {
		if (!is_content(c))
			continue;
		for (u32 i = vmo[c].count; i-- > 0;) {
			struct m_entry *e = &vmo[c].entry[i];
			e->was = !e->away;
			can_go[vmo[c].account] += clean(c, e) || (unlocked(c) && e->p);
			if (e->away && forgets)
				entry_remove(c, e);
		}
	}
}

/* ---- one page ---------------------------------------------------------------------------------------------------- */

static bool is_zero(const struct m_page *p)
{
	for (u64 i = 0; i < PAGE_SIZE_; i++)
		if (p->byte[i])
			return false;
	return true;
}

/* A page of zeros becomes known zero. */
static void become_nothing(int c, struct m_entry *e)
{
	u64 page = e->page;

	must(vmo[c].kind != ROOT && e->p->refs == 1 && !vmo[c].contiguous && vmo[c].policy == SYS_CACHE_CACHED);
	entry_remove(c, e);
	if (vmo[c].kind == CLONE && page < vmo[c].limit)
		entry_put(c, page, NULL);
}

static void lose_clean(int c, struct m_entry *e)
{
	must(clean(c, e) && there_is(c, e->page) == TREE_EMPTY);
	entry_away(e);
}

/* A clone's page was made from nothing, and went before it was written to: it is known zero now. */
static void settle_hole(int c, u64 page)
{
	struct m_page *p;

	if (vmo[c].kind != CLONE || page >= vmo[c].limit || there_is(c, page) != TREE_ZERO)
		return;
	must(see(c, page, &p) == SYS_OK && !p);
	entry_put(c, page, NULL);
}

/* The kernel has no page there, without having been told so: it must be one of those that may go. */
void reclaim_settle(int c, u64 page)
{
	struct m_entry *e = entry_at(c, page);

	if (!e && reclaimed[vmo[c].account])
		settle_hole(c, page);
	if (!e || !e->p || e->away || !reclaimed[vmo[c].account] || there_is(c, e->page) == TREE_PAGE)
		return;
	if (vmo[c].kind == ROOT) {
		lose_clean(c, e);
	} else if (unlocked(c) && vmo[c].discarded) {
		entry_remove(c, e);
	} else {
		must(is_zero(e->p));
		become_nothing(c, e);
	}
}

void reclaim_settle_all(void)
{
	for (int c = 0; c < VMOS; c++)
		for (u32 i = is_content(c) && reclaimed[vmo[c].account] ? vmo[c].count : 0; i-- > 0;)
			reclaim_settle(c, vmo[c].entry[i].page);
	for (unsigned i = 0; i < gone_count; i++)
		if (is_content(gone[i].c))
			reclaim_settle(gone[i].c, gone[i].page);
}

/* ---- one step ---------------------------------------------------------------------------------------------------- */

static void look(int a)
{
	for (int c = 0; c < VMOS; c++) {
		if (!is_content(c))
			continue;
		before[c].charged = vmo[c].v->tree.charged;
		for (u32 i = 0; vmo[c].account == a && i < vmo[c].count; i++) {
			const struct m_entry *e = &vmo[c].entry[i];
			before[c].there[i] = e->p && !e->away && there_is(c, e->page) == TREE_PAGE;
		}
	}
}

/* Roots are asked last. */
static bool could_discard(int a)
{
	for (int c = 0; c < VMOS; c++)
		if (is_content(c) && vmo[c].account == a && unlocked(c) && before[c].charged)
			return true;
	return false;
}

/* This page went in the step. True: it is of those that go one at a time. */
static bool page_went(int c, struct m_entry *e)
{
	reclaim_note(c, e->page);
	if (unlocked(c)) {
		must(vmo[c].v->discarded);
		entry_remove(c, e);
		return false;
	}
	if (vmo[c].kind == ROOT) {
		must(!could_discard(vmo[c].account));
		lose_clean(c, e);
		return true;
	}
	if (is_zero(e->p) && e->p->refs == 1)   /* else the call has made it so, or it must not go: reclaim_settle() */
		become_nothing(c, e);
	return false;
}

static unsigned content_stepped(int c)
{
	unsigned alone = 0;

	if (vmo[c].v->discarded && !vmo[c].discarded) {
		must(unlocked(c));
		vmo[c].discarded = true;
	}
	for (u32 i = vmo[c].count; i-- > 0;)
		if (before[c].there[i] && there_is(c, vmo[c].entry[i].page) != TREE_PAGE)
			alone += page_went(c, &vmo[c].entry[i]);
	return alone;
}

static int payer_of(const struct account *account)
{
	int a = 0;

	while (a < ACCOUNTS && payer[a].a != account)
		a++;
	return a;
}

bool __real_reclaim_spares(struct account *account);
bool __wrap_reclaim_spares(struct account *account);

/* A page that is supplied goes as it comes. */
bool __wrap_reclaim_spares(struct account *account)
{
	bool spares = __real_reclaim_spares(account);
	int a = payer_of(account);

	must(!spares || a < ACCOUNTS);
	if (spares)
		reclaimed[a] = true;
	reclaim_spared += spares;
	return spares;
}

sys_status_t __real_reclaim_step(void);
sys_status_t __wrap_reclaim_step(void);

sys_status_t __wrap_reclaim_step(void)
{
	int a = payer_of(account_short);
	unsigned alone = 0;

	if (a == ACCOUNTS)
		return __real_reclaim_step();
	look(a);
	sys_status_t status = __real_reclaim_step();
	reclaimed[a] |= status == VM_AGAIN;
	for (int c = 0; c < VMOS; c++) {
		if (!is_content(c))
			continue;
		if (vmo[c].account == a)
			alone += content_stepped(c);
		else
			must(vmo[c].v->tree.charged == before[c].charged);
	}
	must(alone <= 1);
	return status;
}
