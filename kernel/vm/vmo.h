/* SPDX-License-Identifier: BSD-2-Clause */
/* vmo.h: memory objects: a size, a content (tree.h), who maps it (mapping.h), where its pages come from (source.h).
 * Semantics: docs/abi.md and the numbered statements that the tests name. All calls here check their arguments in the
 * documented order (options and arguments, state, memory); capability types and rights are checked before by the
 * dispatcher.
 * Lock: the kernel lock.
 */
#pragma once
#include "vm/tree.h"
#include "mem/watch.h"
#include "vm/wait.h"

#define VMO_MAX_SIZE (UINT64_MAX - 64 * PAGE_SIZE_ + 1)         /* 2^64 - 64 pages' bytes */

/* In info_flags, for the kernel's own use: it has kept pages (pagemap.h); it is a clone of a root (view.h). */
#define VMO_KEPT     (1u << 31)
#define VMO_CLONE    (1u << 30)

struct source;
struct mapping;
struct interval;
struct view;

/* Access that is being taken away in steps (mapping.c): while it stands no hardware entry that it forbids is made. All
 * zero: none. */
struct vmo_closing {
	u64 page, end;                  /* no entries for these pages of the object */
	struct interval *at;            /* those in front of it (by object offset) have none left; NULL: begin anew */
	vaddr_t va;                     /* and in this one none below here */
	bool write;                     /* no writable entries at all */
};

struct vmo {
	struct object object;           /* refs: mappings, and children that need it (windows, a root's clones) */
	struct tree tree;
	u64 size, stream_size;          /* bytes; size in whole pages */
	u32 options;                    /* SYS_VMO_* of its creation */
	u32 info_flags;                 /* SYS_VMO_INFO_* that are fixed; VMO_KEPT, VMO_CLONE */
	u32 cache_policy;               /* enum sys_cache_policy: how mappings are entered (policy.c) */
	struct list children, sibling;  /* direct children; its place among its parent's */
	u64 child_count;
	struct vmo *parent;             /* weak both ways: severed when either goes */
	sys_koid_t parent_koid;
	struct vmo *content;            /* whose pages it shows: itself, or a window's owner; NULL: that has ended */
	struct vmo *shape;              /* whose size and stream size it has: itself, or what a REFERENCE refers to */
	u64 shift;                      /* a window: the byte of the content where it begins */
	struct vmo *base;               /* a window: what it was made from, to which it holds a reference; else NULL */
	struct list windows, window;    /* windows made from it; a window's place among them */
	struct list through;            /* a window: mappings made through it */
	struct list slots;              /* a window: slots that name it (the layer above) */
	struct view *view;              /* a clone of a root: what it sees of that; NULL: holes are zero */
	struct list views;              /* a root: its clones' views */
	struct list *untrimmed;         /* while trimming: the first of them that does not know the size yet */
	struct avl_tree mappings;       /* struct interval: its mappings, a root's clones' as well */
	u64 mapping_count;              /* those made with it */
	struct list writable;           /* mappings that may have writable hardware entries */
	struct vmo_closing closing;
	struct mapping *replacing;      /* during mapping_unmap_page() for a fault: the mapping whose entry the fault
	                                 * replaces by itself if that returns SYS_OK */
	struct source *source;          /* what stands behind a root; NULL: zero */
	bool trimming;                  /* it shrank, and content beyond its size is not all removed yet: nobody sees
	                                 * it, and it goes before the VMO grows or is copied */
	struct tree_survey survey;      /* how far vmo_info() is with measuring the content, if it has begun */
	u32 surveying;                  /* how often it has begun for who asks now */
	u64 surveyed_at;                /* object_reap_steps and tree.charged, when it began */
	struct watch_list watches;      /* ZERO_CHILDREN */
	struct list kept;               /* pages that the kernel itself writes to (pagemap.h) */
	u32 kept_count;
	u32 locks;                      /* a discardable one: while there are none its content may be given up (discard.c) */
	bool discarded;                 /* it has been, and nobody was told yet */
	struct list reclaim;            /* its place in one of the account's lists of what can be given up (reclaim.h) ... */
	u64 hand;                       /* ... the page that is looked at next, */
	u32 round;                      /* and, of a root, the last round that has looked at all of them */
};

extern const struct object_type vmo_type;
static inline u64 vmo_pages(const struct vmo *v) { return v->size >> PAGE_SHIFT; }

/* INVALID_ARGS, OUT_OF_RANGE, NO_MEMORY, BAD_STATE (account). */
sys_status_t vmo_create(struct account *a, u64 size, u32 options, struct vmo **out);
/* The common part of all ways to make one: arguments are good; info_flags as well as those that options imply.
 * NO_MEMORY, BAD_STATE (account). */
sys_status_t vmo_make(struct account *a, u64 size, u32 options, u32 info_flags, struct vmo **out);
/* Undoes vmo_make: nobody has seen it, it has no content. */
void vmo_discard(struct vmo *v);
/* A read-only boot module: its frames (FRAME_MODULE) become pages of the VMO, charged to the account. Only at boot. */
sys_status_t vmo_create_module(struct account *a, paddr_t base, u64 size, struct vmo **out);
/* A contiguous VMO of at least one page, aligned to 2^align_log2 bytes (0: to a page). *next and *start, both 0 at first,
 * are kept over VM_AGAIN and for the next function. It shows nothing until it is built. INVALID_ARGS, OUT_OF_RANGE,
 * NO_MEMORY, BAD_STATE (account), NO_RESOURCES (no free frames in a row). Cost: a look at all frames. */
sys_status_t vmo_create_contiguous(struct account *a, u64 size, u32 align_log2, u64 *next, u64 *start, struct vmo **out);
/* VM_AGAIN: goes on. An error (as above; BAD_STATE: it is dying): the caller ends it. Cost: the clearing of its pages. */
sys_status_t vmo_contiguous_build(struct vmo *v, u32 align_log2, u64 *next, u64 *start);
/* SLICE, REFERENCE: a window (window.h). SNAPSHOT, AT_LEAST_ON_WRITE, MODIFIED: of anonymous content all are the first; of a
 * root or a clone of one the last two are the same, a clone (view.h), and SNAPSHOT is NOT_SUPPORTED. VM_AGAIN: write
 * access is being taken from mappings. The caller places a clone's view: view_derive(). */
sys_status_t vmo_create_child(struct vmo *v, struct account *a, u32 options, u64 offset, u64 size, struct vmo **out);
/* Removes what is beyond the size, in steps. True: nothing is. */
bool vmo_trim(struct vmo *v);
sys_status_t vmo_get_size(struct vmo *v, bool of_stream, u64 *size);
/* can_resize: the capability has RESIZE (checked after state: not resizable is UNAVAILABLE, then ACCESS_DENIED).
 * VM_AGAIN: shrinking in steps. Of a clone that ends within a page that it sees of its root, that page becomes its own,
 * which may wait and fail as a write does. */
sys_status_t vmo_set_size(struct vmo *v, u64 size, bool can_resize, struct page_wait *w);
/* *reached (in/out): how far what must be zero is, 0 at first, kept by the caller over VM_AGAIN and SHOULD_WAIT. */
sys_status_t vmo_set_stream_size(struct vmo *v, u64 size, u64 *reached, struct page_wait *w);
/* Makes bytes of a content zero; *done as vmo_op_range(). Whole pages go, others are cleared in place. */
sys_status_t vmo_zero(struct vmo *v, u64 offset, u64 size, u64 *done, struct page_wait *w);
/* From now on mappings are entered so. *next, 0 at first, is kept over VM_AGAIN. INVALID_ARGS; BAD_STATE: it is mapped, has
 * children, is one, has pages that are not to be cached any more or accessors, or a pager stands behind it. Cost: its pages. */
sys_status_t vmo_set_cache_policy(struct vmo *v, u32 policy, u64 *next);
/* op_range's LOCK, TRY_LOCK and UNLOCK in two halves. The first says what is wrong: NOT_SUPPORTED (not discardable), OUT_OF_RANGE
 * (not all of it), BAD_STATE (dying; not locked), UNAVAILABLE (TRY_LOCK, and it was given up); else *v is the content and
 * *state what a lock tells. The second, in the same entry, does it. */
sys_status_t vmo_lock_check(struct vmo **v, u32 op, u64 offset, u64 size, sys_vmo_lock_state_t *state);
void vmo_lock(struct vmo *v, u32 op);
/* One step of giving up the content of an unlocked one. True: all is gone. */
bool vmo_discard_step(struct vmo *v);
/* op_range for COMMIT, DECOMMIT, ZERO (others of SYS_VMO_OP_*: NOT_SUPPORTED, unknown: INVALID_ARGS). `done` (in/out):
 * bytes already done, kept by the caller over VM_AGAIN and SHOULD_WAIT so that a restarted call goes on; 0 at first. */
sys_status_t vmo_op_range(struct vmo *v, u32 op, u64 offset, u64 size, u64 *done, struct page_wait *w);
/* Rights are filled in by the caller. VM_AGAIN: the content is large and is being measured in steps; exact if nobody
 * changes it, or what shares it, meanwhile. BAD_STATE: it is dying. metadata_bytes is 0 as long as there is no content. */
sys_status_t vmo_info(struct vmo *v, sys_vmo_info_t *info);

/* Makes the zero page (the root account pays for it), registers the types. Needs account_init(). */
void vmo_boot(void);

/* Walker: tree_check, sizes, lists, every mapping's hardware entries agree with the content (docs/architecture.md, invariant 5). */
void vmo_check(struct vmo *v);
