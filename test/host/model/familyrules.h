/* SPDX-License-Identifier: BSD-2-Clause */
/* familyrules.h: what families.c knows of memory objects: plain arrays of bytes, and who can reach which.
 *
 * A content is a list of pages by number. A page here stands for one frame of the kernel: contents that share it after
 * a snapshot name the same one, and who writes to it then gets another. So what each object reaches alone, what all of
 * them use together, and what each account pays follow from counting. A content that stands before a root (a clone)
 * also knows where it begins in the root and how far it falls through to it. A window has no content: `owner` and
 * `shift` say what it shows. What was made with a capability names it in `below`, so deletion and revoking are a walk
 * over all. */
#pragma once
#include "common/user.h"
#include "model/engine.h"
#include "vm/source.h"
#include "vm/space.h"

#define VMOS     28
#define ENTRIES  72                     /* pages of a content */
#define CAPS     128
#define ACCOUNTS 4                      /* 0: the address space's, never revoked */
#define ARENA    256u                   /* pages of addresses for mappings */
#define SEGMENTS 48
#define NONE     -1

struct m_page { u32 refs; struct m_page *next; u8 byte[PAGE_SIZE_]; };
struct m_entry {
	u64 page;
	struct m_page *p;               /* NULL: known zero */
	/* Of a root's page: */
	bool away;                      /* it was given up: only the pager knows its bytes, and frames in use do not count it */
	bool was;                       /* it was there at some time since the operation began */
	bool written, guarded;          /* written to since it came; ALWAYS_NEED */
};

enum m_kind { ANONYMOUS, ROOT, CLONE, SLICE, REFERENCE };
struct m_vmo {
	struct vmo *v;                  /* NULL: the entry is free */
	enum m_kind kind;
	bool over;                      /* it was ended with its account, and is still named */
	int account, parent;            /* parent: NONE: it has ended */
	sys_koid_t parent_koid;
	u32 options, policy, locks;     /* SYS_VMO_* */
	bool orphan;                    /* a root: its pager has ended */
	bool contiguous, copied;        /* copied: it was made as a copy of another */
	bool discarded;                 /* since it was locked last */
	u64 size, stream;
	u64 children;
	int owner, base, shape;         /* of a window: who has the content, what it was made from, whose sizes it has;
	                                 * owner NONE: one of these has ended */
	u64 shift;                      /* where it begins in the content, in pages */
	int root, view_below;           /* of a clone; root NONE: the view has ended */
	u64 first, limit;               /* a copy: its page 0, counted in the first original; a clone: pages below limit
	                                 * fall through to the root; a root: those beyond are not the pager's */
	u32 count;
	struct m_entry entry[ENTRIES];
	paddr_t frame;                  /* contiguous: its first */
};
struct m_cap { sys_cap_t name; int vmo, parent; sys_rights_t rights; };  /* name 0: free; vmo NONE: an account's */
struct m_account { struct account *a; u64 total, most, fixed; };  /* fixed: frames that are used with nothing there */
struct m_segment {                      /* a mapping */
	bool live;
	int vmo, through, below;        /* the content; the window or NONE; the capability */
	u32 first, pages;               /* of the arena */
	u32 ceiling, options;
	u64 offset;                     /* in the content, in pages */
};

extern struct m_vmo vmo[VMOS];
extern struct m_cap capability[CAPS];          /* those of accounts first */
extern struct m_account payer[ACCOUNTS];
extern struct m_segment segment[SEGMENTS];
extern u8 permission[ARENA];
extern u64 pages_in_use;

void rules_start(void);

/* ---- contents ---- */
/* Who has the content that it shows; NONE: the owner has ended. */
int content_of(int i);
struct m_entry *entry_at(int c, u64 page);
/* Puts p (a reference is taken over), or known zero, where nothing is, or what is away. */
void entry_put(int c, u64 page, struct m_page *p);
void entry_remove(int c, struct m_entry *e);
void entries_remove(int c, u64 page, u64 end);
void entry_away(struct m_entry *e);
struct m_page *page_new(const struct m_page *copy);     /* of it, or (NULL) of zeros */
void page_release(struct m_page *p);
u64 pages_of(int c);                    /* that it reaches */
u64 private_pages(int c);
/* What is seen there. SHOULD_WAIT: it is in nobody's hands yet; BAD_STATE: it would be the root's, and the view has
 * ended. *p NULL: zeros. While a call is under way, what is seen now; afterwards, what the call saw when it came there,
 * but for the root's page that it was refused. */
sys_status_t see(int c, u64 page, struct m_page **p);
extern bool under_way;
extern struct refused { int root; u64 page; } refused;
/* A page of c's own there, with what is seen; as see(). */
sys_status_t own(int c, u64 page, struct m_page **p);
/* It is written to, besides. */
sys_status_t own_to_write(int c, u64 page, struct m_page **p);
/* Writing there takes a frame that is not paid yet. */
bool grows(int c, u64 page);
bool room_for(int c, u64 pages);        /* in the model */
/* Makes [from, to) bytes zero, page by page, from *from on: as see(). */
sys_status_t zero_bytes(int c, u64 *from, u64 to);
void shrink(int c, u64 size);

/* ---- lives ---- */
int vmo_new(struct vmo *v, enum m_kind kind, int a, u64 size);
int cap_new(sys_cap_t name, int i, int parent, sys_rights_t rights);
/* The child gets what lies in the window of pages [page, page + pages) of the content c. */
void copy_window(int child, int c, u64 page, u64 pages);
void become_child(int child, int parent);
void delete_cap(int c);
void revoke_cap(int c);
void revoke_account(int a);
/* What nobody names or needs ends. */
void settle(void);

/* ---- mappings ---- */
int segment_at(u32 page);
int segment_new(void);                  /* NONE: there is no room in the model */
void unmap(u32 page, u32 pages);
/* That were made through it. */
u64 segments_of(int i);
