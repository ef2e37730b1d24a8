/* SPDX-License-Identifier: BSD-2-Clause */
/* copy.c: the kernel's accesses to user memory, and reads and writes of memory objects.
 *
 * User memory is reached through the page tables, as the program itself would reach it, and copied through the
 * kernel's own view of the frame; a page that is not there is faulted in first. Any call into vm may take pages
 * away again, so of two pages that are needed at once the user's is looked up last, when the other is certain, and
 * all is done anew if it is gone. That is also why a buffer may be a mapping of the object itself. Lock: the
 * kernel lock.
 */
#include "arch/arch.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "vm/space.h"
#include "vm/window.h"

#define MEET_TRIES 4u                   /* how often two pages are tried to be there at once, in one entry */

static u32 need_of(unsigned access) { return access & SYS_ACCESS_WRITE ? PT_READ | PT_WRITE : PT_READ; }

/* What a failed fault means to a call. */
static sys_status_t copy_status(sys_status_t status)
{
	switch (status) {
	case SYS_OK: case VM_AGAIN: case SYS_ERR_SHOULD_WAIT: case SYS_ERR_TIMED_OUT:
		return status;
	default:
		return SYS_ERR_BAD_ADDRESS;
	}
}

static bool user_page(vaddr_t va) { return va >= SPACE_LOW && va < SPACE_HIGH; }

/* The kernel's address of the user's byte at va if hardware allows the access now, else NULL. */
static void *reach_now(struct space *s, vaddr_t va, unsigned access)
{
	return pt_reach(s->root, va, need_of(access));
}

sys_status_t space_reach(struct space *s, vaddr_t va, unsigned access, u64 *len, unsigned retries,
                         struct page_wait *w, void **out)
{
	if (!user_page(va))
		return SYS_ERR_BAD_ADDRESS;
	*len = MIN(*len, PAGE_SIZE_ - (va & PAGE_MASK));
	*out = reach_now(s, va, access);
	if (likely(*out))
		return SYS_OK;
	sys_status_t status = copy_status(vm_fault(s, va, access, retries, w));
	if (status != SYS_OK)
		return status;
	*out = reach_now(s, va, access);
	return *out ? SYS_OK : VM_AGAIN;
}

void *space_window(struct space *s, vaddr_t va, u64 len, unsigned access)
{
	return user_page(va) && (va & PAGE_MASK) + len <= PAGE_SIZE_ ? reach_now(s, va, access) : NULL;
}

sys_status_t space_shows(struct space *s, vaddr_t va, sys_koid_t *object, u64 *offset)
{
	const struct mapping *m = user_page(va) ? space_find(s, va) : NULL;
	vaddr_t until;

	if (!m || !(mapping_perm(m, va, &until) & SYS_VM_PERM_READ))
		return SYS_ERR_BAD_ADDRESS;
	*object = m->vmo->object.koid;
	*offset = m->own.first + (va - m->region.base);
	return SYS_OK;
}

static sys_status_t copy(struct space *s, vaddr_t va, u8 *kernel, bool in, u64 len, u64 *done, unsigned retries,
                         struct page_wait *w)
{
	unsigned access = in ? SYS_ACCESS_READ : SYS_ACCESS_WRITE;

	while (*done < len) {
		u64 n = len - *done;
		void *user;
		sys_status_t status = space_reach(s, va + *done, access, &n, retries, w, &user);
		if (status != SYS_OK)
			return status;
		if (in)
			memcpy(kernel + *done, user, n);
		else
			memcpy(user, kernel + *done, n);
		*done += n;
		if (n == PAGE_SIZE_ && *done < len && arch_preempt_poll())      /* not in what is small: its copiers begin anew */
			return VM_AGAIN;
	}
	return SYS_OK;
}

sys_status_t space_copy_in(struct space *s, void *to, vaddr_t from, u64 len, u64 *done, unsigned retries,
                           struct page_wait *w)
{
	return copy(s, from, to, true, len, done, retries, w);
}

sys_status_t space_copy_out(struct space *s, vaddr_t to, const void *from, u64 len, u64 *done, unsigned retries,
                            struct page_wait *w)
{
	return copy(s, to, (u8 *)(uintptr_t)from, false, len, done, retries, w);
}

/* ---- reads and writes of objects ------------------------------------------------------------------------- */
struct transfer {
	struct vmo *v;
	struct space *s;
	bool write;                     /* to the object */
	unsigned retries;
	struct page_wait *w;
};

/* Moves n bytes that lie within one page on each side; pages: how many of the object will follow. */
static sys_status_t transfer_piece(const struct transfer *t, vaddr_t buf, u64 pos, u64 n, u64 pages)
{
	unsigned access = t->write ? SYS_ACCESS_READ : SYS_ACCESS_WRITE;
	u64 within = pos & PAGE_MASK;
	struct page_ref ref;
	struct cursor c;
	void *user;

	for (unsigned i = 0; i < MEET_TRIES; i++) {
		sys_status_t status = space_reach(t->s, buf, access, &n, t->retries, t->w, &user);
		if (status != SYS_OK)
			return status;
		t->w->space = NULL;
		cursor_begin(&c, t->v, pos >> PAGE_SHIFT, (pos >> PAGE_SHIFT) + pages, t->retries, t->w);
		status = cursor_require(&c, t->write, &ref);
		if (status != SYS_OK)
			return status;
		user = reach_now(t->s, buf, access);
		if (unlikely(!user))
			continue;
		u8 *page = (u8 *)phys_to_virt(ref.frame) + within;
		memmove(t->write ? page : user, t->write ? user : page, n);
		return SYS_OK;
	}
	return VM_AGAIN;
}

static sys_status_t transfer(const struct transfer *t, vaddr_t buf, u64 offset, u64 len, u64 *done)
{
	if (t->v->cache_policy != SYS_CACHE_CACHED)
		return SYS_ERR_BAD_STATE;
	while (*done < len) {
		u64 pos = offset + *done, left = len - *done;
		vaddr_t va = buf + *done;
		u64 n = MIN(left, MIN(PAGE_SIZE_ - (pos & PAGE_MASK), PAGE_SIZE_ - (va & PAGE_MASK)));
		u64 pages = (((pos & PAGE_MASK) + left - 1) >> PAGE_SHIFT) + 1;
		sys_status_t status = transfer_piece(t, va, pos, n, pages);
		if (status != SYS_OK)
			return status;
		*done += n;
		if (*done < len && arch_preempt_poll())
			return VM_AGAIN;
	}
	return SYS_OK;
}

sys_status_t vmo_read(struct vmo *v, struct space *s, vaddr_t buf, u64 offset, u64 len, u64 *done, unsigned retries,
                      struct page_wait *w)
{
	sys_status_t status = vmo_resolve(&v, &offset, len);
	return status == SYS_OK ? transfer(&(struct transfer){ v, s, false, retries, w }, buf, offset, len, done) : status;
}

sys_status_t vmo_write(struct vmo *v, struct space *s, vaddr_t buf, u64 offset, u64 len, u64 *done, unsigned retries,
                       struct page_wait *w)
{
	sys_status_t status = vmo_resolve(&v, &offset, len);
	return status == SYS_OK ? transfer(&(struct transfer){ v, s, true, retries, w }, buf, offset, len, done) : status;
}
