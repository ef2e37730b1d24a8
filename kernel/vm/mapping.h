/* SPDX-License-Identifier: BSD-2-Clause */
/* mapping.h: one VMO's range at one range of addresses (mapping.c), cutting it (cut.c), and what the object's files need
 * to reach hardware entries (closing.c).
 *
 * A mapping stands in its region's tree by address (vmar.h), in its VMO's interval tree by object offset (interval.h),
 * and where that VMO is a clone of a root also in the root's, and in the derivation list below the capability it was
 * made with. It holds a reference to its VMO, or to the window that it was made through, which holds the VMO's. Its
 * protection is a first value and change points, so protecting a part does not split it. Lock: the kernel lock.
 */
#pragma once
#include "vm/interval.h"
#include "vm/region.h"
#include "vm/vmo.h"

struct mapping {
	struct region region;           /* first byte PART_MAPPING; base, size, parent */
	struct vmo *vmo;                /* whose content it shows: no window */
	struct vmo *through;            /* the window that it was made through, or NULL ... */
	struct list through_link;       /* ... and its place among those of that */
	struct interval own;            /* in vmo->mappings: the bytes of the object that it shows */
	struct interval root;           /* where vmo is a clone of a root: in that one's mappings, what falls through */
	struct deriv deriv;             /* DERIV_MAPPING */
	struct list writable;           /* on vmo->writable while it may have writable hardware entries ... */
	vaddr_t write_low, write_high;  /* ... and those lie in here */
	u32 options;                    /* PERM_* of its first page, ALLOW_FAULTS ... */
	u32 ceiling;                    /* PERM_* that the capabilities of its creation allow */
	struct avl_tree changes;        /* struct range_change by address */
};
struct space;
/* PART_RANGE: perm holds from here on. */
struct range_change { u8 part; u32 perm; vaddr_t from; struct avl_node node; };
static inline struct range_change *change_of(const struct avl_node *n) { return container_of(n, struct range_change, node); }

#define MAPPING_PERMS (SYS_VM_PERM_READ | SYS_VM_PERM_WRITE | SYS_VM_PERM_EXECUTE)

static inline struct mapping *mapping_of(struct region *r) { return container_of(r, struct mapping, region); }
static inline vaddr_t mapping_end_va(const struct mapping *m) { return m->region.base + m->region.size; }
/* The object's page that va shows. */
static inline u64 mapping_page(const struct mapping *m, vaddr_t va)
{
	return (m->own.first + (va - m->region.base)) >> PAGE_SHIFT;
}

/* In options: accesses may end before the content does: mapping_limit(). */
#define MAPPING_IS_SLICE (1u << 31)
#define MAPPING_LIMITED  (SYS_VM_FAULT_BEYOND_STREAM_SIZE | MAPPING_IS_SLICE)
/* Where accesses end: at the end of what it was made with, or of its stream. */
static inline vaddr_t mapping_limit(const struct mapping *m)
{
	const struct vmo *v = m->through ? m->through : m->vmo, *shape = v->shape;
	bool stream = m->options & SYS_VM_FAULT_BEYOND_STREAM_SIZE;
	u64 end = v->shift + (stream ? page_up(shape->stream_size) : shape->size);
	return end <= m->own.first ? m->region.base : m->region.base + MIN(end - m->own.first, m->region.size);
}

u32 mapping_perm_slow(const struct mapping *m, vaddr_t va, vaddr_t *until);
/* PERM_* at va, and how far they hold. */
static inline u32 mapping_perm(const struct mapping *m, vaddr_t va, vaddr_t *until)
{
	if (unlikely(m->changes.root))
		return mapping_perm_slow(m, va, until);
	*until = mapping_end_va(m);
	return m->options & MAPPING_PERMS;
}

/* Memory for a mapping of s, on nothing yet; NULL: *status. mapping_discard() gives it back. */
struct mapping *mapping_alloc(struct space *s, sys_status_t *status);
void mapping_discard(struct mapping *m);
/* Puts an allocated mapping, filled in but for its links, into its VMAR, its VMO's tree and (below != NULL) the
 * derivation list; takes a reference to the VMO. */
void mapping_attach(struct mapping *m, struct vmar *parent, struct deriv *below, enum deriv_kind below_kind);
/* One bounded step of unmapping what of m lies in [lo, hi). SYS_OK: nothing of it does any more, and m is gone if
 * all of it did; VM_AGAIN: go on; NO_MEMORY, BAD_STATE: the middle goes, and the account does not pay for another
 * mapping; nothing was changed. */
sys_status_t mapping_cut_step(struct mapping *m, vaddr_t lo, vaddr_t hi);
/* Its base and size have changed: it begins at this byte of the object now; its end has changed. */
void mapping_moved(struct mapping *m, u64 first);
void mapping_shortened(struct mapping *m);
/* It may show pages of its clone's root; `stood`: it has entries already. It shows none any more. */
void mapping_enter_root(struct mapping *m, bool stood);
void mapping_leave_root(struct mapping *m);
/* Frees it; it has no hardware entries and no change points any more. */
void mapping_gone(struct mapping *m);
void mapping_change_insert(struct mapping *m, struct range_change *c);
void mapping_change_remove(struct mapping *m, struct range_change *c);   /* and frees it */
/* Sets the permissions of [lo, *hi), a range of one permission within m. *hi becomes less when an interrupt is
 * pending. NO_MEMORY, BAD_STATE: nothing was changed. */
sys_status_t mapping_protect(struct mapping *m, vaddr_t lo, vaddr_t *hi, u32 perm);
/* A writable entry for the pages of [va, end) is about to be made. */
static inline void mapping_note_write(struct mapping *m, vaddr_t va, vaddr_t end)
{
	if (list_on(&m->writable)) {
		m->write_low = MIN(m->write_low, va);
		m->write_high = MAX(m->write_high, end);
	} else {
		m->write_low = va;
		m->write_high = end;
		list_push(&m->vmo->writable, &m->writable);
	}
}
/* If the VMO's closing record forbids this page (write: a writable entry): does a share of its steps. True: it
 * does not forbid it any more. */
bool mapping_help_close(struct vmo *v, u64 page, bool write);

/* ---- taking access away (closing.c) ---------------------------------------------------------------------- */
/* Does no mapping show pages of v, but `but` (NULL: none)? */
static inline bool vmo_shown_only_by(const struct vmo *v, const struct mapping *but)
{
	return but ? avl_alone(&v->mappings, &but->own.node) : !v->mappings.root;
}

/* Each of these does one bounded step. While it returns false the content must not be changed yet: let the call or
 * the access be made again (VM_AGAIN) and call it again, from the start. A record on the VMO keeps what was done,
 * and keeps entries from coming back; true means that at this moment no such entry exists. */

/* Takes write access away from every mapping of v. */
bool mapping_protect_step(struct vmo *v);
/* Removes the hardware entries of object pages [page, end) in all mappings of v. */
bool mapping_unmap_step(struct vmo *v, u64 page, u64 end);
/* As many such steps as it needs, or as are made before somebody interrupts. */
bool mapping_unmap_all(struct vmo *v, u64 page, u64 end);
/* The same for one page, before its zero page or shared page is replaced by one of v's own; the mapping that faults
 * (`but`, or NULL) is left out. */
bool mapping_unmap_page(struct vmo *v, u64 page, struct mapping *but);
/* Removes the entries of what stands in the root's tree, one span from *va on. True: there are none. */
bool mapping_clear_root_step(struct mapping *m, vaddr_t *va);
/* Ends one mapping of v, or one made through it (v is dying): unmaps a bounded part; true: there are no more. */
bool mapping_end_step(struct vmo *v);
/* Ends this mapping (revoke of the capability it hangs below): bounded; true: gone. */
bool mapping_end(struct mapping *m);
/* Walker: the interval tree of v, its list of writable mappings, and each hardware entry of its mappings against
 * the content (docs/architecture.md, invariant 5). */
void mapping_check(struct vmo *v);
