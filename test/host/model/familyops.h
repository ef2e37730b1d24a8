/* SPDX-License-Identifier: BSD-2-Clause */
/* familyops.h: what the operations of families.c share: choosing, judging, comparing; and the operations, by the file
 * that they are in. Each makes its choices, makes the call, and must find what the model says. */
#pragma once
#include "model/familyworld.h"

#define NEAR  (24 * PAGE_SIZE_)         /* most of what happens, happens below here */
#define FAR   (1ull << 34)              /* and some here */
#define MANY  (9 * PAGE_SIZE_)          /* of an operation that goes page by page */

/* ---- familypick.c: choosing, judging ---- */
struct target {
	int c, i, o;                    /* the capability, the object, the content; o NONE: it has ended */
	u64 size, shift;                /* bytes; where the object begins in the content, in pages */
	sys_cap_t name;
};
bool pick(struct target *t);
bool pick_kind(struct target *t, int kind);
/* A place at or below the size, mostly; a range within it, mostly. */
u64 any_place(u64 size);
void any_range(const struct target *t, u64 most, u64 *offset, u64 *length);
/* As whole pages, a few. */
void make_pages(u64 *offset, u64 *length);
u64 any_size(void);
int any_payer(void);
/* There is room in the model for another object, with a capability. */
bool any_room(void);
static inline bool outside(u64 size, u64 offset, u64 length) { return offset > size || length > size - offset; }
static inline bool is_window(int i) { return vmo[i].kind == SLICE || vmo[i].kind == REFERENCE; }
/* What the dispatcher says of the capability. */
sys_status_t allowed(const struct target *t, sys_rights_t all, sys_rights_t any);
/* That, the range, whether there is a content. */
sys_status_t judge_range(const struct target *t, sys_rights_t rights, u64 offset, u64 length);
/* That, and that it may be read and written by calls. */
sys_status_t judge_copy(const struct target *t, sys_rights_t rights, u64 offset, u64 length);
/* The pages of the range may be asked for. */
struct wants wants_of(const struct target *t, u64 offset, u64 length);
/* What the pager has failed it with, where see() or own() say SHOULD_WAIT. */
sys_status_t ended_with(sys_status_t status);

/* Before each operation. */
void prepare(void);
/* The call may say NO_MEMORY: it needs up to so many frames of this account, or an allocation was made to fail. */
bool may_be_short(int a, u64 most);
/* What writing to so many pages that are not there takes at most: the pages, their nodes. */
static inline u64 most_for(u64 pages) { return pages ? 2 * pages + 2 * TREE_LEVELS : 0; }
/* What the kernel has there: where a call that may stop does not say how far it got. */
static inline enum tree_tag there_is(int c, u64 page) { return tree_tag(tree_lookup(&vmo[c].v->tree, page)); }

/* familyranges.c: the bytes of the content that a ZERO made zero which found no memory; NO_MEMORY. */
sys_status_t zero_until(const struct target *t, u64 from, u64 to);

/* ---- familyreclaim.c: what is given up when an account is short ---- */
void reclaim_prepare(void);
/* Frames of this account that could have gone before the operation; of which account some may have in it. */
u64 reclaimable(int a);
extern bool reclaimed[ACCOUNTS];
extern u64 reclaim_spared;              /* pages that were supplied in the operation and went as they came */
/* This page has gone in the operation, at least once. */
bool went(int c, u64 page);
/* It may have been made and gone. */
void reclaim_note(int c, u64 page);
/* The operation is over, and the model knows of it: the page may have gone meanwhile. */
void reclaim_settle(int c, u64 page);
void reclaim_settle_all(void);

/* ---- familychecks.c: comparing ---- */
void compare_page(int c, u64 page);
/* The first few pages of these bytes of the content. */
void compare_range(const struct target *t, u64 offset, u64 length);
void compare_some(void);
void compare_info(int i);
/* All there is, then what the frames in use are for; then the walkers. */
void compare_families(void);
/* When no family is there. */
void compare_nothing(void);

/* ---- the operations: familymake.c, familydata.c, familyranges.c, familymove.c, familymaps.c ---- */
void op_create(void), op_create_root(void), op_create_contiguous(void), op_copy(void), op_child(void);
void op_delete(void), op_revoke(void);
void op_read(void), op_write(void), op_info(void);
void op_get_size(void), op_set_size(void), op_get_stream(void), op_set_stream(void);
void op_commit(void), op_decommit(void), op_zero(void), op_lock(void), op_hint(void), op_cache(void), op_policy(void);
void op_supply(void), op_transfer(void);
void op_map(void), op_unmap(void), op_protect(void), op_access(void), op_across(void);
