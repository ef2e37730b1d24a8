/* SPDX-License-Identifier: BSD-2-Clause */
/* fault.c: accesses of programs and of calls: what a fault enters, how tables are paid for and used again, copies,
 * reads and writes of objects through buffers, waits for a pager. Real memory objects; a program's access is made
 * by the page tables, with faults until it works. */
#include <string.h>
#include "arch/arch.h"
#include "common/calls.h"
#include "common/page.h"
#include "mem/account.h"
#include "vm/source.h"
#include "vm/space.h"

#define RO SYS_VM_PERM_READ

static struct account *account, *other;
static struct space *space;
static struct page_wait wait_here;
static unsigned wakes;
static sys_status_t woken_with;
static u64 free_at_start;


static void woken(struct page_wait *w)
{
	wakes++;
	woken_with = w->status;
}

static void ready(struct pager *p) { (void)p; }

static void start(u64 frames)
{
	machine_start(16384);
	vmo_boot();
	object_type_set(SYS_TYPE_VMAR, &vmar_type);
	vm_hooks = (struct vm_hooks){ .wake = woken, .pager_ready = ready };
	free_at_start = frame_count_free();
	eq(account_create(account_root(), frames, &account), SYS_OK);
	eq(account_create(account_root(), 4000, &other), SYS_OK);
	object_cap(&account->object);
	object_cap(&other->object);
	eq(space_create(account, false, &space), SYS_OK);
	object_cap((struct object *)space);
	page_wait_init(&wait_here);
}

static void drop(void *object)
{
	object_uncap(object);
	while (object_reap_step(NULL)) {
	}
}

static void end(void)
{
	space_check(space);
	drop(space);
	ck_assert_uint_eq(account->used, 0);
	ck_assert_uint_eq(other->used, 0);
	drop(&account->object);
	drop(&other->object);
	ck_assert_uint_eq(frame_of(zero_page)->page.mapped, 0);
	account_check(account_root());
	frame_check();
	ck_assert_uint_eq(frame_count_free(), free_at_start);
}

static struct vmo *object(struct account *a, u64 pages)
{
	struct vmo *v;
	eq(vmo_create(a, pages * P, SYS_VMO_RESIZABLE, &v), SYS_OK);
	object_cap(&v->object);
	return v;
}

static vaddr_t map_in(struct space *s, struct vmo *v, u32 options, u64 page, u64 pages)
{
	vaddr_t at;
	sys_rights_t rights = SYS_RIGHTS_VMO | SYS_RIGHT_EXECUTE;
	eq(vmar_map(&s->root_vmar, SYS_RIGHTS_VMAR, options, 0, v, rights, page * P, pages * P, NULL, &at), SYS_OK);
	return at;
}

static vaddr_t map(struct vmo *v, u32 options, u64 page, u64 pages) { return map_in(space, v, options, page, pages); }
static sys_status_t fault(vaddr_t va, unsigned access) { return again(vm_fault(space, va, access, 9, &wait_here)); }
static u32 entry(vaddr_t va) { return pt_query(space->root, va).flags & (PT_READ | PT_WRITE | PT_EXEC); }

/* A program's access to a u64. */
static sys_status_t load(struct space *s, vaddr_t va, u64 *value)
{
	u64 done = 0;
	return again(space_copy_in(s, value, va, sizeof *value, &done, 9, &wait_here));
}

static sys_status_t store(struct space *s, vaddr_t va, u64 value)
{
	u64 done = 0;
	return again(space_copy_out(s, va, &value, sizeof value, &done, 9, &wait_here));
}

static void expect(struct space *s, vaddr_t va, u64 value)
{
	u64 now;
	must(load(s, va, &now) == SYS_OK);
	ck_assert_uint_eq(now, value);
}

static struct vmo *snapshot(struct vmo *v, u64 pages)
{
	struct vmo *child;
	eq(again(vmo_create_child(v, v->object.account, SYS_VMO_CHILD_SNAPSHOT, 0, pages * P, &child)), SYS_OK);
	object_cap(&child->object);
	return child;
}

/* ---- what a fault says and enters ------------------------------------------------------------------------ */
START_TEST(statuses)
{
	start(1000);
	struct vmo *v = object(account, 4);
	vaddr_t ro = map(v, RO, 0, 8), rw = map(v, RW, 0, 8), x = map(v, SYS_VM_PERM_EXECUTE, 0, 1);
	eq(fault(SPACE_LOW - P, SYS_ACCESS_READ), SYS_ERR_NOT_FOUND);                    /* FAULT-01 */
	eq(fault(SPACE_HIGH, SYS_ACCESS_READ), SYS_ERR_NOT_FOUND);
	eq(fault(rw + 8 * P + 64 * P, SYS_ACCESS_READ), SYS_ERR_NOT_FOUND);
	eq(fault(ro, SYS_ACCESS_WRITE), SYS_ERR_ACCESS_DENIED);                          /* FAULT-02, MAP-24 */
	eq(fault(rw, SYS_ACCESS_EXECUTE), SYS_ERR_ACCESS_DENIED);                        /* FAULT-12 */
	eq(fault(x, SYS_ACCESS_READ), SYS_ERR_ACCESS_DENIED);
	eq(fault(x + 123, SYS_ACCESS_EXECUTE), SYS_OK);
	ck_assert_uint_eq(entry(x), PT_READ | PT_EXEC);
	eq(fault(rw + 4 * P, SYS_ACCESS_READ), SYS_ERR_OUT_OF_RANGE);                    /* FAULT-03, MAP-54 */
	u64 used = account->used;
	eq(fault(rw, SYS_ACCESS_READ), SYS_OK);                                          /* FAULT-08 */
	ck_assert_uint_eq(account->used, used);
	ck_assert_uint_eq(entry(rw), PT_READ);
	eq(fault(rw, SYS_ACCESS_WRITE), SYS_OK);
	ck_assert_uint_eq(entry(rw), PT_READ | PT_WRITE);
	ck_assert_uint_eq(account->used, used + 1);
	eq(fault(ro, SYS_ACCESS_READ), SYS_OK);                                          /* MAP-26 */
	ck_assert_uint_eq(entry(ro), PT_READ);
	eq(again(vmo_set_size(v, 2 * P, true, NULL)), SYS_OK);                                 /* MAP-59, -60 */
	eq(fault(rw + 2 * P, SYS_ACCESS_READ), SYS_ERR_OUT_OF_RANGE);
	eq(again(vmo_set_size(v, 4 * P, true, NULL)), SYS_OK);
	expect(space, rw + 2 * P, 0);
	object_end(&v->object);
	eq(fault(rw, SYS_ACCESS_READ), SYS_ERR_BAD_STATE);
	drop(&v->object);
	eq(fault(rw, SYS_ACCESS_READ), SYS_ERR_NOT_FOUND);
	end();
}
END_TEST

START_TEST(stream_size)
{
	start(1000);
	struct vmo *v = object(account, 4);
	v->stream_size = P + 100;
	vaddr_t cut = map(v, RW | SYS_VM_ALLOW_FAULTS | SYS_VM_FAULT_BEYOND_STREAM_SIZE, 0, 4), all = map(v, RW, 0, 4);
	eq(fault(cut + P + 200, SYS_ACCESS_WRITE), SYS_OK);                              /* MAP-58 */
	eq(fault(cut + 2 * P, SYS_ACCESS_READ), SYS_ERR_OUT_OF_RANGE);                   /* MAP-55 */
	eq(fault(all + 2 * P, SYS_ACCESS_WRITE), SYS_OK);                                /* MAP-56 */
	eq(fault(cut + P, SYS_ACCESS_READ), SYS_OK);
	ck_assert_uint_eq(entry(cut + 2 * P), 0);                                        /* not as a neighbour either */
	v->stream_size = 4 * P;
	eq(fault(cut + 2 * P, SYS_ACCESS_READ), SYS_OK);                                 /* MAP-57 */
	drop(&v->object);
	end();
}
END_TEST

START_TEST(neighbours)
{
	start(1000);
	struct vmo *v = object(account, 600);
	vaddr_t at = map(v, RW, 0, 600);
	eq(fault(at, SYS_ACCESS_READ), SYS_OK);
	ck_assert_uint_eq(entry(at + P), 0);                    /* all zero: no use in entering those */
	for (u64 i = 0; i < 600; i++)
		if (i != 40)
			must(store(space, at + i * P, i) == SYS_OK);
	while (space_drop_oldest(space)) {
	}
	ck_assert_uint_eq(space->tables, 0);
	eq(fault(at, SYS_ACCESS_READ), SYS_OK);
	for (u64 i = 0; i < 20; i++)                            /* writable at once: they are the object's own */
		ck_assert_uint_eq(entry(at + i * P), i < FAULT_NEIGHBOURS ? PT_READ | PT_WRITE : 0);
	eq(fault(at + 30 * P, SYS_ACCESS_READ), SYS_OK);
	for (u64 i = 30; i < 60; i++)
		ck_assert_uint_eq(entry(at + i * P), i < 40 ? PT_READ | PT_WRITE : 0);
	u64 done = 0;
	eq(vmar_protect(&space->root_vmar, SYS_RIGHTS_VMAR, RO, at + 104 * P, 4 * P, &done), SYS_OK);
	eq(fault(at + 100 * P, SYS_ACCESS_READ), SYS_OK);
	ck_assert_uint_eq(entry(at + 103 * P), PT_READ | PT_WRITE);
	ck_assert_uint_eq(entry(at + 104 * P), 0);              /* another permission */
	u64 last = (span_end(at) - at) / P - 1;
	eq(fault(at + last * P, SYS_ACCESS_READ), SYS_OK);
	ck_assert_uint_eq(entry(at + (last + 1) * P), 0);       /* another leaf table */
	mapping_check(v);
	drop(&v->object);
	end();
}
END_TEST

/* A page that takes the place of the zero page or of a shared one shows in every mapping. */
START_TEST(replaced_pages_show_everywhere)
{
	struct space *second;

	start(1000);
	eq(space_create(other, false, &second), SYS_OK);
	object_cap((struct object *)second);
	struct vmo *v = object(account, 4);
	vaddr_t a = map(v, RW, 0, 4), b = map(v, RO, 1, 3), c = map_in(second, v, RW, 0, 4);
	expect(space, b, 0);
	expect(second, c + P, 0);
	expect(space, a + P, 0);
	eq(store(space, a + P, 77), SYS_OK);
	expect(space, b, 77);
	expect(second, c + P, 77);
	struct vmo *child = snapshot(v, 4);
	vaddr_t d = map(child, RW, 0, 4);
	mapping_check(v);
	expect(space, b, 77);
	eq(store(second, c + P, 78), SYS_OK);
	expect(space, a + P, 78);
	expect(space, b, 78);
	expect(space, d + P, 77);
	eq(store(space, d + P, 79), SYS_OK);
	expect(second, c + P, 78);
	u64 value = 80, done = 0;
	eq(store(space, a + 3 * P, 0), SYS_OK);
	eq(store(space, a + 2 * P, value), SYS_OK);
	expect(space, b + P, 80);
	eq(again(vmo_write(v, space, a + 2 * P, 3 * P, 8, &done, 9, &wait_here)), SYS_OK); /* by a call: VMO-RW-16 */
	expect(second, c + 3 * P, 80);
	mapping_check(v);
	mapping_check(child);
	space_check(second);
	drop(&child->object);
	drop(second);
	drop(&v->object);
	end();
}
END_TEST

/* Many mappings of one page show zeros: they lose it in steps, and whoever meets that helps. */
START_TEST(closing_in_steps)
{
	static vaddr_t at[200];
	struct page_ref ref;

	start(1000);
	struct vmo *v = object(account, 2);
	for (unsigned i = 0; i < 200; i++) {
		at[i] = map(v, RW, i % 2, 1);
		eq(fault(at[i], SYS_ACCESS_READ), SYS_OK);
	}
	eq(page_require(v, 0, true, 1, 9, &wait_here, &ref), VM_AGAIN);
	ck_assert(v->closing.end == 1);
	vm_fault(space, at[0], SYS_ACCESS_READ, 0, &wait_here);
	for (unsigned i = 0; i < 200 && v->closing.end; i += 2) {
		ck_assert_uint_eq(pt_query(space->root, at[0]).flags, 0);        /* held off */
		vm_fault(space, at[0], SYS_ACCESS_READ, 0, &wait_here);
	}
	eq(store(space, at[198], 5), SYS_OK);
	for (unsigned i = 0; i < 200; i += 2)
		expect(space, at[i], 5);
	ck_assert_uint_eq(v->closing.end, 0);
	/* The one at which the walk stands goes away. */
	while (space_drop_oldest(space)) {
	}
	for (unsigned i = 1; i < 200; i += 2)
		eq(fault(at[i], SYS_ACCESS_READ), SYS_OK);
	eq(page_require(v, 1, true, 1, 9, &wait_here, &ref), VM_AGAIN);
	ck_assert_ptr_nonnull(v->closing.at);
	eq(again(vmar_unmap(&space->root_vmar, true, v->closing.at->mapping->region.base, P)), SYS_OK);
	ck_assert_ptr_null(v->closing.at);
	eq(again(page_require(v, 1, true, 1, 9, &wait_here, &ref)), SYS_OK);
	mapping_check(v);
	drop(&v->object);
	end();
}
END_TEST

/* While pages are being taken away somebody writes to one that is shared: it is copied, but may not be entered yet;
 * and the old page must not stay entered, since it may go with the other one that has it. */
START_TEST(write_while_closing)
{
	start(4000);
	struct vmo *v = object(account, 1600);
	vaddr_t at = map(v, RW | SYS_VM_ALIGN(21), 0, 1600), va = at + 1500 * P;
	eq(store(space, va, 1), SYS_OK);
	eq(fault(at, SYS_ACCESS_READ), SYS_OK);
	eq(fault(at + 600 * P, SYS_ACCESS_READ), SYS_OK);
	struct vmo *child = snapshot(v, 1600);
	ck_assert(!mapping_unmap_step(v, 0, 1600));
	ck_assert_uint_eq(entry(va), PT_READ);
	eq(vm_fault(space, va, SYS_ACCESS_WRITE, 9, &wait_here), VM_AGAIN);
	ck_assert_uint_eq(entry(va), 0);
	mapping_check(v);
	drop(&child->object);
	eq(store(space, va, 2), SYS_OK);
	ck_assert_uint_eq(v->closing.end, 0);
	vmo_check(v);
	drop(&v->object);
	end();
}
END_TEST

/* ---- tables ---------------------------------------------------------------------------------------------- */
START_TEST(tables_are_given_back)
{
	start(1000);
	struct vmo *v = object(other, 1);
	u64 used = account->used;
	ck_assert_uint_eq(used, 1 + SPACE_RESERVE + 1);         /* root, reserve, and the slab it stands in */
	for (unsigned round = 0; round < 3; round++) {
		vaddr_t at[40];
		for (unsigned i = 0; i < 40; i++) {
			eq(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW | SYS_VM_SPECIFIC,
				(1ull << 39) * (i + 1), v, SYS_RIGHTS_VMO, 0, P, NULL, &at[i]), SYS_OK);
			eq(fault(at[i], SYS_ACCESS_READ), SYS_OK);
			ck_assert_uint_eq(space->tables, 3 * (i + 1));
		}
		space_check(space);
		for (unsigned i = 0; i < 40; i++)
			eq(vmar_unmap(&space->root_vmar, true, at[i], P), SYS_OK);
		ck_assert_uint_eq(space->tables, 0);
		ck_assert_uint_eq(account->used, used);
	}
	drop(&v->object);
	end();
}
END_TEST

/* An account that pays for nothing beyond the reserve: the oldest tables are used again, and nothing is lost. */
START_TEST(tables_are_used_again)
{
	static vaddr_t at[60];

	start(1 + SPACE_RESERVE + 1 + 60 / 10);
	struct vmo *v = object(other, 60);
	for (unsigned i = 0; i < 60; i++)
		eq(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW | SYS_VM_SPECIFIC, (1ull << 30) * (i + 1), v,
			SYS_RIGHTS_VMO, i * P, P, NULL, &at[i]), SYS_OK);
	for (unsigned step = 0; step < 3000; step++) {
		unsigned i = (unsigned)random_below(60);
		u64 value;
		must(load(space, at[i], &value) == SYS_OK);
		must(store(space, at[i], value + 1) == SYS_OK);
		must(account->used <= account->total);
		/* six pages of one instruction can be there at once */
		unsigned base = (unsigned)random_below(55);
		unsigned there = 0;
		for (unsigned faults = 0; there < 6; faults++) {
			must(faults < 12);
			for (there = 0; there < 6 && entry(at[base + there]); there++) {
			}
			must(there == 6 || load(space, at[base + there], &value) == SYS_OK);
		}
	}
	ck_assert_uint_ge(space->tables, SPACE_RESERVE - 3);
	u64 sum = 0, value;
	for (unsigned i = 0; i < 60; i++) {
		eq(load(space, at[i], &value), SYS_OK);
		sum += value;
	}
	ck_assert_uint_eq(sum, 3000);
	mapping_check(v);
	drop(&v->object);
	end();
}
END_TEST

/* ---- copies ---------------------------------------------------------------------------------------------- */
START_TEST(copy_refusals)
{
	static u8 buffer[3 * PAGE_SIZE_];

	start(1000);
	struct vmo *v = object(account, 2);
	vaddr_t at = map(v, RW, 0, 2), ro = map(v, RO, 0, 2);
	eq(again(vmar_unmap(&space->root_vmar, true, ro + P, P)), SYS_OK);
	static const vaddr_t bad[] = { 0, 1, P - 1, SPACE_HIGH, 0x00007ffffffff000ull, 0x0000800000000000ull,
		0xffff800000000000ull, UINT64_MAX - 4, UINT64_MAX };
#define in(va, len) ({ u64 done_ = 0; again(space_copy_in(space, buffer, va, len, &done_, 9, &wait_here)); })
#define out(va, len) ({ u64 done_ = 0; again(space_copy_out(space, va, buffer, len, &done_, 9, &wait_here)); })
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		eq(in(bad[i], 8), SYS_ERR_BAD_ADDRESS);
		eq(out(bad[i], 8), SYS_ERR_BAD_ADDRESS);
		eq(in(bad[i], 0), SYS_OK);
	}
	eq(out(ro, 1), SYS_ERR_BAD_ADDRESS);
	eq(in(ro + P - 4, 4), SYS_OK);
	eq(in(ro + P - 4, 8), SYS_ERR_BAD_ADDRESS);
	for (unsigned i = 0; i < sizeof buffer; i++)
		buffer[i] = (u8)(i * 7);
	eq(out(at + 100, 2 * P - 200), SYS_OK);
	memset(buffer, 0, sizeof buffer);
	eq(in(ro + 100, P - 100), SYS_OK);
	for (unsigned i = 0; i < P - 100; i++)
		must(buffer[i] == (u8)(i * 7));
	drop(&v->object);
	end();
}
END_TEST

START_TEST(read_write_refusals)
{
	u64 done = 0;

	start(1000);
	struct vmo *v = object(account, 2), *w = object(account, 4);
	vaddr_t buf = map(w, RW, 0, 4), ro = map(w, RO, 0, 4);
#define rd(buf, offset, len) ({ done = 0; again(vmo_read(v, space, buf, offset, len, &done, 9, &wait_here)); })
#define wr(buf, offset, len) ({ done = 0; again(vmo_write(v, space, buf, offset, len, &done, 9, &wait_here)); })
	eq(rd(buf, P, P + 1), SYS_ERR_OUT_OF_RANGE);                                     /* VMO-RW-02 */
	ck_assert_uint_eq(done, 0);
	eq(rd(buf, 2 * P, 0), SYS_OK);                                                   /* -04 */
	eq(rd(buf, 2 * P + 1, 0), SYS_ERR_OUT_OF_RANGE);                                 /* -05 */
	eq(rd(buf, 16, UINT64_MAX - 8), SYS_ERR_OUT_OF_RANGE);                           /* -06 */
	eq(rd(buf, 0, UINT64_MAX), SYS_ERR_OUT_OF_RANGE);                                /* -07 */
	eq(rd(0, 0, 1), SYS_ERR_BAD_ADDRESS);                                            /* -08 */
	eq(rd(0, 0, 0), SYS_OK);
	eq(wr(SPACE_HIGH - 8, 0, 16), SYS_ERR_BAD_ADDRESS);                              /* -09 */
	eq(rd(0xffff800000000000ull, 0, 1), SYS_ERR_BAD_ADDRESS);
	eq(wr(UINT64_MAX - 3, 0, 8), SYS_ERR_BAD_ADDRESS);
	eq(rd(buf + 256 * P, 0, 1), SYS_ERR_BAD_ADDRESS);                                /* -10 */
	eq(again(vmar_unmap(&space->root_vmar, true, buf + P, P)), SYS_OK);
	eq(rd(buf, 0, 2 * P), SYS_ERR_BAD_ADDRESS);                                      /* -11 */
	ck_assert_uint_eq(done, P);
	eq(rd(0, 0, 3 * P), SYS_ERR_OUT_OF_RANGE);                                       /* -12 */
	eq(rd(ro, 0, 8), SYS_ERR_BAD_ADDRESS);
	u64 used = account->used;
	eq(wr(0, 0, 8), SYS_ERR_BAD_ADDRESS);
	ck_assert_uint_eq(account->used, used); /* nothing was committed for it */
	eq(rd(buf, 0, 8), SYS_OK);                                                       /* -17 */
	ck_assert_uint_eq(account->used, used);
	v->stream_size = 2 * P - 100;                                                    /* -03 */
	eq(wr(ro, 2 * P - 8, 8), SYS_OK);
	object_end(&v->object);
	eq(rd(buf, 0, 8), SYS_ERR_BAD_STATE);
	drop(&v->object);
	drop(&w->object);
	end();
}
END_TEST

/* The buffer is a mapping of the object itself, or of a snapshot of it; interrupted at every look, short of tables. */
#define LEN (40 * PAGE_SIZE_)
static u8 bytes[LEN], was[LEN];

START_TEST(read_write_itself)
{
	start(400);
	struct vmo *v = object(account, 40);
	vaddr_t at = map(v, RW, 0, 40);
	for (unsigned step = 0; step < 400; step++) {
		struct vmo *child = random_chance(50) ? snapshot(v, 40) : NULL;
		u64 n = random_below(12 * P) + 1, from = random_below(LEN - n + 1), to = random_below(LEN - n + 1),
			done = 0;
		bool write = random_chance(50), apart = from + n <= to || to + n <= from;
		host_preempt_every((unsigned)random_below(3));
		if (random_chance(30))
			space_drop_oldest(space);
		if (!apart && from != to)
			from = to;
		if (random_chance(40)) {
			u8 fill[64];
			memset(fill, (int)step + 1, sizeof fill);
			n = MIN(n, sizeof fill);
			must(again(space_copy_out(space, at + to, fill, n, &done, 9, &wait_here)) == SYS_OK);
			memcpy(bytes + to, fill, n);
		} else {
			must(again(write ? vmo_write(v, space, at + from, to, n, &done, 9, &wait_here) :
			                   vmo_read(v, space, at + to, from, n, &done, 9, &wait_here)) == SYS_OK);
			memmove(bytes + to, bytes + from, n);
		}
		done = 0;
		must(again(space_copy_in(space, was, at, LEN, &done, 9, &wait_here)) == SYS_OK);
		must(memcmp(was, bytes, LEN) == 0);
		mapping_check(v);
		if (child)
			drop(&child->object);
	}
	vmo_check(v);
	drop(&v->object);
	end();
}
END_TEST

/* ---- pagers ---------------------------------------------------------------------------------------------- */
static struct pager *pager;
static struct vmo *file, *aux;

static void pager_start(void)
{
	start(1000);
	eq(pager_create(other, 1, &pager), SYS_OK);
	object_cap(&pager->object);
	eq(pager_create_vmo(pager, other, 0, 5, 8 * P, &file), SYS_OK);
	object_cap(&file->object);
	aux = object(other, 8);
}

static void supply(u64 page, u8 byte)
{
	struct page_ref ref;
	u64 done = 0, fresh = 0;
	eq(page_require(aux, page, true, 1, 9, &wait_here, &ref), SYS_OK);
	memset(phys_to_virt(ref.frame), byte, P);
	eq(again(pager_supply(pager, file, page * P, P, aux, page * P, &done, &fresh)), SYS_OK);
	ck_assert_uint_eq(fresh, P);
}

static void expect_request(u64 page, u64 pages)
{
	sys_pager_request_t request;
	ck_assert(!pqueue_empty(&pager->queue));
	request = page_request(pager_take(pager));
	ck_assert_uint_eq(request.offset, page * P);
	ck_assert_uint_eq(request.length, pages * P);
	ck_assert(pqueue_empty(&pager->queue));
}

static void pager_end(void)
{
	drop(&file->object);
	drop(&aux->object);
	drop(&pager->object);
	end();
}

START_TEST(supply_finishes_the_fault)
{
	struct page_wait second;

	pager_start();
	page_wait_init(&second);
	vaddr_t at = map(file, RW, 0, 8);
	eq(vm_fault(space, at + 3 * P + 5, SYS_ACCESS_READ, 0, &wait_here), SYS_ERR_SHOULD_WAIT);
	eq(vm_fault(space, at + 3 * P, SYS_ACCESS_WRITE, 0, &second), SYS_ERR_SHOULD_WAIT);
	expect_request(3, 1);                                                            /* READ-12 */
	supply(4, 2);                           /* nobody asked */
	ck_assert_uint_eq(wakes, 0);
	supply(3, 1);
	ck_assert(wakes == 2 && woken_with == SYS_OK);
	ck_assert_uint_eq(entry(at + 3 * P), PT_READ | PT_WRITE);
	ck_assert_uint_eq(entry(at + 4 * P), 0);
	eq(fault(at + 3 * P, SYS_ACCESS_READ), SYS_OK);         /* the one behind comes along from here */
	ck_assert_uint_ne(entry(at + 4 * P), 0);
	expect(space, at + 4 * P, 0x0202020202020202ull);
	/* What does not allow it any more when the page comes. */
	eq(vm_fault(space, at + 6 * P, SYS_ACCESS_WRITE, 0, &wait_here), SYS_ERR_SHOULD_WAIT);
	expect_request(6, 1);
	u64 done = 0;
	eq(vmar_protect(&space->root_vmar, SYS_RIGHTS_VMAR, RO, at + 6 * P, P, &done), SYS_OK);
	supply(6, 3);
	ck_assert(wakes == 3 && entry(at + 6 * P) == 0);
	mapping_check(file);
	pager_end();
}
END_TEST

START_TEST(waiter_whose_mapping_goes)
{
	pager_start();
	vaddr_t at = map(file, RW, 0, 8), keep = map(file, RO, 0, 8);
	struct page_wait second;
	page_wait_init(&second);
	for (unsigned part = 0; part < 3; part++) {             /* the front, the tail, the middle */
		vaddr_t va = at + (part == 0 ? 0 : part == 1 ? 7 : 4) * P;
		wakes = 0;
		eq(vm_fault(space, va, SYS_ACCESS_READ, 0, &wait_here), SYS_ERR_SHOULD_WAIT);
		eq(vm_fault(space, keep + (va - at), SYS_ACCESS_READ, 0, &second), SYS_ERR_SHOULD_WAIT);
		eq(again(vmar_unmap(&space->root_vmar, true, va, P)), SYS_OK);
		ck_assert(wakes >= 1 && woken_with == SYS_OK && wait_here.state == PAGE_WAIT_IDLE);      /* at once */
		eq(vm_fault(space, va, SYS_ACCESS_READ, 0, &wait_here), SYS_ERR_NOT_FOUND);
		page_wait_cancel(&second);
	}
	pager_end();
}
END_TEST

START_TEST(calls_wait_too)
{
	u64 done = 0;

	pager_start();
	struct vmo *v = object(account, 8);
	vaddr_t at = map(file, RW, 0, 8), plain = map(v, RW, 0, 8);
	eq(vmo_read(file, space, plain, 0, 8 * P, &done, 0, &wait_here), SYS_ERR_SHOULD_WAIT);
	ck_assert_ptr_null(wait_here.space);
	expect_request(0, 8);                                                            /* READ-13 */
	for (u64 i = 0; i < 3; i++)
		supply(i, (u8)(i + 1));
	ck_assert_uint_eq(wakes, 1); /* READ-36: early, not for each */
	eq(vmo_read(file, space, plain, 0, 8 * P, &done, 0, &wait_here), SYS_ERR_SHOULD_WAIT);
	ck_assert_uint_eq(done, 3 * P);
	expect(space, plain + 2 * P, 0x0303030303030303ull);
	eq(pager_op_range(pager, SYS_PAGER_OP_FAIL, file, 3 * P, 5 * P, SYS_ERR_IO), SYS_OK);
	ck_assert_int_eq(woken_with, SYS_ERR_IO);
	/* The buffer's own page is missing: VMO-RW-19, FAULT-13. */
	done = wakes = 0;
	eq(vmo_write(v, space, at + 5 * P, 0, 8, &done, 0, &wait_here), SYS_ERR_SHOULD_WAIT);
	ck_assert_ptr_eq(wait_here.space, space);
	ck_assert_uint_eq(wait_here.va, at + 5 * P);
	expect_request(5, 1);
	supply(5, 9);
	ck_assert_uint_eq(wakes, 1);
	eq(vmo_write(v, space, at + 5 * P, 0, 8, &done, 0, &wait_here), SYS_OK);
	expect(space, plain, 0x0909090909090909ull);
	/* The pager is gone: FAULT-05. */
	object_uncap(&pager->object);
	while (object_reap_step(NULL)) {
	}
	eq(fault(at + 7 * P, SYS_ACCESS_READ), SYS_ERR_BAD_STATE);
	done = 0;
	eq(vmo_write(v, space, at + 7 * P, 0, 8, &done, 0, &wait_here), SYS_ERR_BAD_ADDRESS);
	eq(fault(at + 5 * P, SYS_ACCESS_READ), SYS_OK);
	drop(&v->object);
	drop(&file->object);
	drop(&aux->object);
	end();
}
END_TEST

/* ---- random: several spaces and objects against plain arrays --------------------------------------------- */
#define SPACES  3u
#define OBJECTS 4u
#define PAGES   48u
static u64 content[OBJECTS][PAGES];
static struct vmo *objects[OBJECTS];
static struct space *spaces[SPACES];
static vaddr_t views[SPACES][OBJECTS];
static u64 shown[SPACES][OBJECTS];      /* first page of the view, of half the object */

static void remap(unsigned s, unsigned o)
{
	if (views[s][o])
		must(again(vmar_unmap(&spaces[s]->root_vmar, true, views[s][o], PAGES / 2 * P)) == SYS_OK);
	shown[s][o] = random_below(PAGES / 2);
	views[s][o] = map_in(spaces[s], objects[o], RW, shown[s][o], PAGES / 2);
}

static void renew(unsigned o)           /* becomes a snapshot of another one */
{
	unsigned of = (unsigned)random_below(OBJECTS);
	struct vmo *old = objects[o];

	for (unsigned s = 0; s < SPACES; s++) {
		if (views[s][o])
			must(again(vmar_unmap(&spaces[s]->root_vmar, true, views[s][o], PAGES / 2 * P)) == SYS_OK);
		views[s][o] = 0;
	}
	objects[o] = snapshot(objects[of], PAGES);
	memcpy(content[o], content[of], sizeof content[o]);
	drop(old);
	for (unsigned s = 0; s < SPACES; s++)
		remap(s, o);
}

START_TEST(random_accesses)
{
	start(700);
	for (unsigned s = 0; s < SPACES; s++) {
		eq(space_create(s ? other : account, false, &spaces[s]), SYS_OK);
		object_cap((struct object *)spaces[s]);
	}
	for (unsigned o = 0; o < OBJECTS; o++)
		objects[o] = object(account, PAGES);
	for (unsigned s = 0; s < SPACES; s++)
		for (unsigned o = 0; o < OBJECTS; o++)
			remap(s, o);
	for (u64 step = 1; step <= 20000; step++) {
		unsigned s = (unsigned)random_below(SPACES), o = (unsigned)random_below(OBJECTS);
		u64 i = random_below(PAGES / 2), page = shown[s][o] + i;
		vaddr_t va = views[s][o] + i * P + 8 * random_below(1);
		host_preempt_every((unsigned)random_below(4));
		if (random_chance(45)) {
			expect(spaces[s], va, content[o][page]);
		} else if (random_chance(80)) {
			must(store(spaces[s], va, step) == SYS_OK);
			content[o][page] = step;
		} else if (random_chance(50)) {
			u64 done = 0, n = 1 + random_below(4);
			page = random_below(PAGES - 4);
			must(again(vmo_op_range(objects[o], SYS_VMO_OP_DECOMMIT, page * P, n * P, &done,
				&wait_here)) == SYS_OK);
			memset(&content[o][page], 0, n * sizeof(u64));
		} else if (random_chance(60)) {
			remap(s, o);
		} else if (random_chance(30)) {
			renew(o);
		} else {
			space_drop_oldest(spaces[s]);
		}
		if (step % 200 == 0)
			for (unsigned k = 0; k < OBJECTS; k++)
				vmo_check(objects[k]);
	}
	for (unsigned s = 0; s < SPACES; s++) {
		space_check(spaces[s]);
		drop(spaces[s]);
	}
	for (unsigned o = 0; o < OBJECTS; o++)
		drop(&objects[o]->object);
	end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("fault");
	add_test(s, statuses);
	add_test(s, stream_size);
	add_test(s, neighbours);
	add_test(s, replaced_pages_show_everywhere);
	add_test(s, closing_in_steps);
	add_test(s, write_while_closing);
	add_test(s, tables_are_given_back);
	add_test(s, tables_are_used_again);
	add_test(s, copy_refusals);
	add_test(s, read_write_refusals);
	add_test(s, read_write_itself);
	add_test(s, supply_finishes_the_fault);
	add_test(s, waiter_whose_mapping_goes);
	add_test(s, calls_wait_too);
	add_test(s, random_accesses);
	return s;
}
