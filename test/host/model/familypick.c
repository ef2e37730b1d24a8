/* SPDX-License-Identifier: BSD-2-Clause */
/* familypick.c: see familyops.h. */
#include "model/familyops.h"

static u64 free_before[ACCOUNTS];

void prepare(void)
{
	for (int a = 0; a < ACCOUNTS; a++)
		free_before[a] = account_free(payer[a].a);
	reclaim_prepare();
	world_arm = chance(4) ? 1 + choose(4) : 0;
	world_fired = false;
}

bool may_be_short(int a, u64 most) { return world_fired || free_before[a] + reclaimable(a) < most; }

/* ---- choosing ---------------------------------------------------------------------------------------------------- */

bool pick_kind(struct target *t, int kind)
{
	int c = (int)choose(CAPS);

	for (int n = 0; n < CAPS; n++, c = (c + 1) % CAPS) {
		int i = capability[c].vmo;
		if (!capability[c].name || i == NONE || (kind != NONE && (int)vmo[i].kind != kind))
			continue;
		*t = (struct target){ c, i, content_of(i), vmo[vmo[i].shape].size, vmo[i].shift, capability[c].name };
		return true;
	}
	return false;
}

bool pick(struct target *t) { return pick_kind(t, NONE); }

u64 any_place(u64 size)
{
	u64 at = choose(NEAR);

	if (size > NEAR && chance(20))
		at = chance(70) ? FAR + choose(2 * PAGE_SIZE_) : size - choose(2 * PAGE_SIZE_);
	return chance(40) ? at & ~PAGE_MASK : at;
}

static u64 any_length(u64 most)
{
	u64 length = choose(chance(50) ? PAGE_SIZE_ / 4 : most);

	return chance(30) ? page_up(length) : length;
}

void any_range(const struct target *t, u64 most, u64 *offset, u64 *length)
{
	*offset = any_place(t->size);
	*length = any_length(most);
	if (chance(90) && *offset > t->size)
		*offset = t->size ? choose(t->size) : 0;
	if (chance(90) && *length > t->size - MIN(*offset, t->size))
		*length = t->size - MIN(*offset, t->size);
	if (chance(1))
		*(chance(50) ? offset : length) = UINT64_MAX - choose(2 * PAGE_SIZE_);
}

void make_pages(u64 *offset, u64 *length)
{
	*offset &= ~PAGE_MASK;
	*length = MIN(*length, MANY);
	*length = *length & PAGE_MASK && chance(50) ? *length & ~PAGE_MASK : page_up(*length);
}

u64 any_size(void)
{
	if (chance(10))
		return chance(80) ? FAR + choose(8 * PAGE_SIZE_) : VMO_MAX_SIZE + 4 - choose(8);
	return chance(50) ? (1 + choose(24)) << PAGE_SHIFT : choose(NEAR);
}

int any_payer(void) { return 1 + (int)choose(ACCOUNTS - 1); }

bool any_room(void)
{
	int objects = 0, names = 0;

	for (int i = 0; i < VMOS; i++)
		objects += vmo[i].v != NULL;
	for (int c = 0; c < CAPS; c++)
		names += capability[c].name != 0;
	return objects < VMOS && names < CAPS - 4;
}

/* ---- judging ----------------------------------------------------------------------------------------------------- */

sys_status_t allowed(const struct target *t, sys_rights_t all, sys_rights_t any)
{
	if (vmo[t->i].over)
		return SYS_ERR_BAD_CAP;
	if ((capability[t->c].rights & all) != all || (any && !(capability[t->c].rights & any)))
		return SYS_ERR_ACCESS_DENIED;
	return SYS_OK;
}

sys_status_t judge_range(const struct target *t, sys_rights_t rights, u64 offset, u64 length)
{
	sys_status_t status = allowed(t, rights, 0);

	if (status == SYS_OK && t->o == NONE)
		status = SYS_ERR_BAD_STATE;
	if (status == SYS_OK && outside(t->size, offset, length))
		status = SYS_ERR_OUT_OF_RANGE;
	return status;
}

sys_status_t judge_copy(const struct target *t, sys_rights_t rights, u64 offset, u64 length)
{
	sys_status_t status = judge_range(t, rights, offset, length);

	return status == SYS_OK && vmo[t->o].policy != SYS_CACHE_CACHED ? SYS_ERR_BAD_STATE : status;
}

struct wants wants_of(const struct target *t, u64 offset, u64 length)
{
	u64 from = t->shift + (offset >> PAGE_SHIFT);

	if (t->o == NONE || !length || outside(t->size, offset, length))
		return NO_WANTS;
	return WANTS(t->o, from, t->shift + ((offset + length - 1) >> PAGE_SHIFT) + 1);
}

sys_status_t ended_with(sys_status_t status)
{
	if (status != SYS_ERR_SHOULD_WAIT)
		return status;
	must(world_failed != SYS_OK);
	return world_failed;
}
