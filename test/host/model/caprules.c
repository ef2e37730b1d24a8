/* SPDX-License-Identifier: BSD-2-Clause */
/* caprules.c: see caprules.h. Checks are made in the order of docs/abi.md. */
#include "model/caprules.h"

/* Argument i of p's call must name an object of this type (NONE: any), with these rights. */
static sys_status_t argument(const struct program *p, unsigned i, enum sys_type type, sys_rights_t rights, int *c)
{
	const u32 usable = 1u << SYS_TYPE_ENDPOINT | 1u << SYS_TYPE_THREAD | 1u << SYS_TYPE_VMAR | 1u << SYS_TYPE_PAGER;
	enum sys_type is;

	*c = cap_named(p->home, p->arg[i]);
	if (*c == NONE)
		return SYS_ERR_BAD_CAP;
	is = object[cap[*c].object].type;
	if (ended(cap[*c].object) && !(usable >> is & 1) && p->number != NR_cap_delete)
		return SYS_ERR_BAD_CAP;
	if (type && is != type)
		return SYS_ERR_WRONG_TYPE;
	return (cap[*c].rights & rights) == rights ? SYS_OK : SYS_ERR_ACCESS_DENIED;
}

/* Whether a capability can be put there. */
static sys_status_t destination(int where, sys_cap_t name, struct effect *e)
{
	const struct m_object *node = &object[where];
	u32 index = (u32)name;

	e->where = where;
	e->any = name == SYS_SLOT_ANY;
	e->index = index;
	if (e->any)
		return node->taken + node->lost == node->slots - 1 ? SYS_ERR_NO_SLOT : SYS_OK;
	if (index >= node->slots)
		return SYS_ERR_OUT_OF_RANGE;
	if (index == 0 || name >> 32 < node->generation[index] || node->retired[index])
		return SYS_ERR_INVALID_ARGS;
	return node->at[index] == NONE ? SYS_OK : SYS_ERR_ALREADY_EXISTS;
}

static sys_status_t judge_derive(const struct program *p, struct effect *e, u64 badge)
{
	int node;
	sys_status_t status = argument(p, 0, SYS_TYPE_NONE, SYS_RIGHT_COPY, &e->cap);

	if (status == SYS_OK)
		status = argument(p, 1, SYS_TYPE_CNODE, SYS_RIGHT_WRITE, &node);
	if (status != SYS_OK)
		return status;
	e->rights = p->arg[3] == SYS_RIGHTS_SAME ? cap[e->cap].rights : (sys_rights_t)p->arg[3];
	e->badge = badge ? badge : cap[e->cap].badge;
	if (e->rights & ~cap[e->cap].rights)
		return SYS_ERR_INVALID_ARGS;
	if (badge && (object[cap[e->cap].object].type != SYS_TYPE_ENDPOINT || cap[e->cap].badge))
		return SYS_ERR_INVALID_ARGS;
	return destination(cap[node].object, p->arg[2], e);
}

static sys_status_t judge_move(const struct program *p, struct effect *e)
{
	int node;
	sys_status_t status = argument(p, 0, SYS_TYPE_NONE, 0, &e->cap);

	if (status == SYS_OK)
		status = argument(p, 1, SYS_TYPE_CNODE, SYS_RIGHT_WRITE, &node);
	if (status == SYS_OK)
		status = destination(cap[node].object, p->arg[2], e);
	return status == SYS_OK && cap[e->cap].revoking ? VM_AGAIN : status;
}

/* Deleting the last one of an account revokes first. */
static sys_status_t judge_delete(const struct program *p, struct effect *e)
{
	sys_status_t status = argument(p, 0, p->number == NR_cap_delete ? SYS_TYPE_NONE : SYS_TYPE_CNODE,
	                               p->number == NR_cap_delete ? 0 : SYS_RIGHT_WRITE, &e->cap);

	if (status == SYS_OK && p->number == NR_cnode_delete)
		e->cap = cap_named(cap[e->cap].object, p->arg[1]);
	if (status != SYS_OK || e->cap == NONE)
		return status != SYS_OK ? status : SYS_ERR_BAD_CAP;
	if (object[cap[e->cap].object].type == SYS_TYPE_UNTYPED && object[cap[e->cap].object].caps == 1)
		cap[e->cap].revoking = true;
	return SYS_OK;
}

static sys_status_t judge_revoke(const struct program *p, struct effect *e)
{
	sys_status_t status = argument(p, 0, SYS_TYPE_NONE, 0, &e->cap);

	if (status == SYS_OK)
		cap[e->cap].revoking = true;
	return status;
}

/* NO_MEMORY is the accounts' matter (accounts.c): it may come as well. */
static sys_status_t judge_create(const struct program *p, struct effect *e)
{
	sys_status_t status = argument(p, 0, SYS_TYPE_UNTYPED, SYS_RIGHT_WRITE, &e->cap);

	if (status != SYS_OK)
		return status;
	if (((struct account *)object[cap[e->cap].object].object)->closed)
		return SYS_ERR_BAD_STATE;
	return destination(p->home, SYS_SLOT_ANY, e);
}

static sys_status_t judge_map(const struct program *p, struct effect *e)
{
	int region;
	sys_status_t status = argument(p, 0, SYS_TYPE_VMAR, SYS_RIGHT_READ, &region);

	if (status == SYS_OK)
		status = argument(p, 3, SYS_TYPE_VMO, SYS_RIGHT_MAP | SYS_RIGHT_READ, &e->cap);
	e->index = (u32)(p->arg[2] >> PAGE_SHIFT) / 2;
	if (status != SYS_OK)
		return status;
	return place[e->index].live ? SYS_ERR_ALREADY_EXISTS : SYS_OK;
}

struct program *waiting_at(int ep, int how)
{
	for (struct program *p = program; p < program + PROGRAMS; p++)
		if ((int)p->waits == how && p->ep == ep)
			return p;
	return NULL;
}

/* Whether the capabilities of a message may go, in the order in which they are looked at. */
static sys_status_t sendable(const struct program *p, sys_status_t under_revoke)
{
	for (u32 i = 0; i < p->count; i++) {
		int c = cap_named(p->home, p->sent[i]);

		if (c == NONE)
			return SYS_ERR_BAD_CAP;
		if (!(cap[c].rights & SYS_RIGHT_GRANT))
			return SYS_ERR_ACCESS_DENIED;
		for (u32 j = 0; j < i; j++)
			if (p->sent[i] == p->sent[j])
				return SYS_ERR_INVALID_ARGS;
	}
	for (u32 i = 0; i < p->count; i++)
		if (cap[cap_named(p->home, p->sent[i])].revoking)
			return under_revoke;
	return SYS_OK;
}

/* What the hand-over of a message comes to, for its sender. */
static sys_status_t hand_over(const struct program *from, const struct program *to)
{
	const struct m_object *home = &object[to->home];
	sys_status_t status = sendable(from, SYS_OK);

	if (from->count > to->count)
		return SYS_ERR_BUFFER_TOO_SMALL;
	if (status != SYS_OK)
		return status;
	if (home->slots - 1 - home->taken - home->lost < from->count)
		return SYS_ERR_NO_SLOT;
	return sendable(from, SYS_ERR_BAD_CAP);
}

static sys_status_t judge_send(const struct program *p, struct effect *e)
{
	int ep;
	sys_status_t status = argument(p, 0, SYS_TYPE_ENDPOINT, SYS_RIGHT_SEND, &ep);
	const struct program *to;

	if (status != SYS_OK)
		return status;
	e->other = cap[ep].object;
	if (ended(e->other))
		return SYS_ERR_PEER_CLOSED;
	status = sendable(p, VM_AGAIN);
	if (status != SYS_OK)
		return status;
	to = waiting_at(e->other, RECEIVES);
	if (to)
		return hand_over(p, to);
	e->waits = SENDS;
	return p->arg[2] == SYS_TIME_POLL ? SYS_ERR_TIMED_OUT : SYS_OK;
}

static sys_status_t judge_recv(const struct program *p, struct effect *e)
{
	sys_status_t status = argument(p, 0, SYS_TYPE_ENDPOINT, SYS_RIGHT_RECV, &e->cap);
	const struct program *from;

	if (status != SYS_OK)
		return status;
	e->other = cap[e->cap].object;
	if (ended(e->other))
		return SYS_ERR_PEER_CLOSED;
	from = waiting_at(e->other, SENDS);
	e->told = from ? hand_over(from, p) : SYS_OK;
	if (!from || e->told != SYS_OK)
		e->waits = RECEIVES;
	return SYS_OK;
}

sys_status_t judge(const struct program *p, struct effect *e)
{
	int c;

	switch (p->number) {
	case NR_cap_copy:     return judge_derive(p, e, 0);
	case NR_cap_mint:     return judge_derive(p, e, p->arg[4]);
	case NR_cap_move:     return judge_move(p, e);
	case NR_cap_delete:
	case NR_cnode_delete: return judge_delete(p, e);
	case NR_cap_revoke:   return judge_revoke(p, e);
	case NR_cap_info:     return argument(p, 0, SYS_TYPE_NONE, 0, &e->cap);
	case NR_vmar_map:     return judge_map(p, e);
	case NR_vmar_unmap:   return argument(p, 0, SYS_TYPE_VMAR, 0, &c);
	case NR_ipc_send:     return judge_send(p, e);
	case NR_ipc_recv:     return judge_recv(p, e);
	case NR_reap_rest:    return SYS_OK;
	default:              return judge_create(p, e);
	}
}
