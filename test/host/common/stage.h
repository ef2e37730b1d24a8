/* SPDX-License-Identifier: BSD-2-Clause */
/* stage.h: what tests of IPC begin with: one CSpace that has the root account, objects named below that, and, for those that need
 * one, a pager with its endpoint. Included by the one file of a test program. */
#pragma once
#include "common/threads.h"

static struct account *root;
static struct cnode *cs;
static struct slot *top;                /* the root account's capability */

static inline void stage(u64 frames, u32 slots)
{
	kernel_start(frames);
	actors_forget();
	root = account_root();
	cs = cnode_new(root, slots);
	object_cap(&cs->object);
	top = cap_put(cs, root, NULL, SLOT_FIRST);
}

static inline struct slot *named(void *object) { return cap_put(cs, object, top, SLOT_FIRST); }

/* A new one, named. cap: where its name is told, or NULL. */
static inline void *made(enum sys_type type, struct slot **cap)
{
	void *object = object_new(root, type);
	struct slot *s = named(object);
	if (cap)
		*cap = s;
	return object;
}

static struct endpoint *pages;          /* the pager's, badge 31 */
static struct pager *pager;
static struct vmo *v, *aux;             /* paged, key 77; where its pages are supplied from */
static struct slot *pages_cap, *pager_cap;

static inline void stage_pager(u64 size)
{
	pages = made(SYS_TYPE_ENDPOINT, &pages_cap);
	must(pager_create(root, 0, &pager) == SYS_OK);
	pager_cap = named(pager);
	ipc_bind_pager(pager, pages, 31);
	must(pager_create_vmo(pager, root, 0, 77, size, &v) == SYS_OK);
	named(v);
	must(vmo_create(root, 4 * PAGE_SIZE_, 0, &aux) == SYS_OK);
	named(aux);
}
