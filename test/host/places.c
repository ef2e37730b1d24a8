/* SPDX-License-Identifier: BSD-2-Clause */
/* places.c: kernel/vm: address spaces with real objects: rights to write and execute, where regions go when places are random or
 * aligned, mappings that enter what is there, many permissions in one mapping, regions that are going. */
#include "arch/arch.h"
#include "common/calls.h"
#include "mem/account.h"
#include "mem/frame.h"
#include "vm/source.h"
#include "vm/space.h"

#define RO  SYS_VM_PERM_READ
#define RWX (RW | SYS_VM_PERM_EXECUTE)

static struct account *account, *other;
static struct space *space;
static struct vmar *root;
static struct page_wait none;

static void begin_with(bool wx, u64 frames)
{
	machine_start(16384);
	vmo_boot();
	object_type_set(SYS_TYPE_VMAR, &vmar_type);
	eq(account_create(account_root(), frames, &account), SYS_OK);
	eq(account_create(account_root(), 4000, &other), SYS_OK);
	object_cap(&account->object);
	object_cap(&other->object);
	eq(space_create(account, wx, &space), SYS_OK);
	object_cap((struct object *)space);
	root = &space->root_vmar;
	page_wait_init(&none);
}

static void begin(void) { begin_with(false, 4000); }

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
	ck_assert(account->used == 0 && other->used == 0);
	drop(&account->object);
	drop(&other->object);
	account_check(account_root());
	frame_check();
}

static struct vmo *object(u64 pages, u32 options)
{
	struct vmo *v;

	eq(vmo_create(other, pages * P, options, &v), SYS_OK);
	object_cap(&v->object);
	return v;
}

static sys_status_t map_at(struct vmar *r, sys_rights_t rights, u32 options, u64 offset, struct vmo *v, u64 page, u64 pages, vaddr_t *at)
{
	return again(vmar_map(r, rights, options, offset, v, SYS_RIGHTS_VMO | SYS_RIGHT_EXECUTE, page * P, pages * P, NULL, at));
}

static vaddr_t map(struct vmo *v, u32 options, u64 page, u64 pages)
{
	vaddr_t at = 0;

	eq(map_at(root, SYS_RIGHTS_VMAR, options, 0, v, page, pages, &at), SYS_OK);
	return at;
}

static struct vmar *region(struct vmar *in, u32 options, u64 offset, u64 pages)
{
	struct vmar *r = NULL;

	eq(vmar_allocate(in, SYS_RIGHTS_VMAR, options, offset, pages * P, &r), SYS_OK);
	object_cap((struct object *)r);
	return r;
}

static sys_status_t protect(struct vmar *r, sys_rights_t rights, u32 perm, vaddr_t at, u64 pages, u64 *done)
{
	*done = 0;
	return again(vmar_protect(r, rights, perm, at, pages * P, done));
}

static sys_status_t fault(vaddr_t at, unsigned access) { return again(vm_fault(space, at, access, 9, &none)); }
static u32 entry(vaddr_t at) { return pt_query(space->root, at).flags & (PT_READ | PT_WRITE | PT_EXEC); }

/* ---- writing and executing --------------------------------------------------------------------------------------------- */

/* Both at once needs a space that may, and WX on the capability: to map, and to protect. */
START_TEST(write_and_execute)
{
	for (unsigned i = 0; i < 4; i++) {
		bool wx = i & 1;
		sys_rights_t rights = SYS_RIGHTS_VMAR | (i & 2 ? SYS_RIGHT_WX : 0);
		sys_status_t both = i == 3 ? SYS_OK : SYS_ERR_ACCESS_DENIED;
		vaddr_t at, inner_at;
		u64 done;

		begin_with(wx, 4000);
		struct vmo *v = object(4, 0);
		struct vmar *r = region(root, SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE | SYS_VM_CAN_MAP_EXECUTE, 0, 64);
		eq(map_at(root, rights, RWX, 0, v, 0, 4, &at), both);
		eq(map_at(r, rights, RWX, 0, v, 0, 4, &at), both);
		eq(map_at(root, rights, RW, 0, v, 0, 4, &at), SYS_OK);
		eq(map_at(r, rights, RO | SYS_VM_PERM_EXECUTE, 0, v, 0, 4, &inner_at), SYS_OK);
		eq(protect(root, rights, RWX, at, 1, &done), both);
		eq(protect(r, rights, RWX, inner_at, 1, &done), both);
		eq(protect(root, rights, RO | SYS_VM_PERM_EXECUTE, at + P, 1, &done), SYS_OK);
		eq(fault(at, SYS_ACCESS_WRITE), SYS_OK);
		eq(fault(at, SYS_ACCESS_EXECUTE), i == 3 ? SYS_OK : SYS_ERR_ACCESS_DENIED);
		ck_assert_uint_eq(entry(at), PT_READ | PT_WRITE | (i == 3 ? PT_EXEC : 0));
		eq(fault(at + P, SYS_ACCESS_WRITE), SYS_ERR_ACCESS_DENIED);
		drop(r);
		drop(&v->object);
		end();
	}
}
END_TEST

/* From outside of a region permissions can only be taken; MANAGE is needed to reach into one. */
START_TEST(protect_reaches_in)
{
	vaddr_t at;
	u64 done;

	begin();
	struct vmo *v = object(4, 0);
	struct vmar *r = region(root, SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE, 0, 4);
	eq(map_at(r, SYS_RIGHTS_VMAR, RW, 0, v, 0, 4, &at), SYS_OK);
	eq(protect(root, SYS_RIGHTS_VMAR & ~SYS_RIGHT_MANAGE, RO, at, 4, &done), SYS_ERR_INVALID_ARGS);
	eq(protect(root, SYS_RIGHTS_VMAR, RO, at + P, 1, &done), SYS_OK);
	eq(protect(root, SYS_RIGHTS_VMAR, RW, at + P, 1, &done), SYS_ERR_ACCESS_DENIED);
	eq(protect(root, SYS_RIGHTS_VMAR, RW, at, 1, &done), SYS_OK);
	eq(protect(r, SYS_RIGHTS_VMAR & ~SYS_RIGHT_MANAGE, RW, at, 4, &done), SYS_OK);
	eq(fault(at + P, SYS_ACCESS_WRITE), SYS_OK);
	drop(r);
	drop(&v->object);
	end();
}
END_TEST

/* More ranges than protect looks at in advance: what is wrong far behind is found on the way, and it says how far it got. */
START_TEST(protect_far)
{
	enum { RANGES = 200 };
	vaddr_t at;
	u64 done;

	begin();
	struct vmo *v = object(RANGES, 0);
	at = map(v, RW, 0, RANGES);
	for (u64 i = 1; i < RANGES; i += 2)
		eq(protect(root, SYS_RIGHTS_VMAR, RO, at + i * P, 1, &done), SYS_OK);
	space_check(space);
	eq(protect(root, SYS_RIGHTS_VMAR, RO, at, RANGES + 1, &done), SYS_ERR_NOT_FOUND);
	ck_assert_uint_eq(done, RANGES * P);
	eq(protect(root, SYS_RIGHTS_VMAR, RW, at + 150 * P, 51, &done), SYS_ERR_NOT_FOUND);
	ck_assert_uint_eq(done, 0);
	eq(fault(at + 150 * P, SYS_ACCESS_WRITE), SYS_ERR_ACCESS_DENIED);
	drop(&v->object);
	end();
}
END_TEST

/* A mapping of very many permissions is cut at the front, at the end and in the middle, in steps. */
START_TEST(cut_many_ranges)
{
	enum { RANGES = 400 };

	for (unsigned way = 0; way < 3; way++) {
		vaddr_t at, from = way == 0 ? 0 : way == 1 ? 100 : 150, count = way == 2 ? 10 : 300;
		u64 done, steps = 0;
		sys_status_t status;

		begin();
		struct vmo *v = object(RANGES, 0);
		at = map(v, RW, 0, RANGES);
		for (u64 i = 1; i < RANGES; i += 2)
			eq(protect(root, SYS_RIGHTS_VMAR, i % 4 == 1 ? RO : 0, at + i * P, 1, &done), SYS_OK);
		host_preempt_every(1);
		while ((status = vmar_unmap(root, true, at + from * P, count * P)) == VM_AGAIN) {
			steps++;
			space_check(space);
		}
		host_preempt_every(0);
		eq(status, SYS_OK);
		ck_assert(steps >= 1);
		for (u64 i = 0; i < RANGES; i++) {
			bool gone = i >= from && i < from + count;
			bool writes = i % 2 == 0, reads = i % 4 != 3;

			eq(fault(at + i * P, SYS_ACCESS_WRITE), gone ? SYS_ERR_NOT_FOUND : writes ? SYS_OK : SYS_ERR_ACCESS_DENIED);
			eq(fault(at + i * P, SYS_ACCESS_READ), gone ? SYS_ERR_NOT_FOUND : reads ? SYS_OK : SYS_ERR_ACCESS_DENIED);
		}
		drop(&v->object);
		end();
	}
}
END_TEST

/* Points between ranges go and come as neighbours become alike. */
START_TEST(ranges_meet)
{
	vaddr_t at;
	u64 done, used;

	begin();
	struct vmo *v = object(8, 0);
	at = map(v, RW, 0, 8);
	used = account->used;
	static const struct { u8 page, pages; u32 perm; } step[] = {
		{ 2, 2, RO }, { 4, 2, 0 }, { 4, 2, RO }, { 3, 3, 0 }, { 2, 1, RW }, { 3, 3, RW }, { 0, 4, RO }, { 4, 4, RO }, { 2, 4, 0 },
		{ 2, 2, RO }, { 4, 1, RO }, { 5, 3, RO }, { 0, 8, RW },
	};
	u32 is[8] = { RW, RW, RW, RW, RW, RW, RW, RW };
	for (unsigned i = 0; i < ARRAY_LEN(step); i++) {
		eq(protect(root, SYS_RIGHTS_VMAR, step[i].perm, at + step[i].page * P, step[i].pages, &done), SYS_OK);
		for (unsigned k = step[i].page; k < step[i].page + step[i].pages; k++)
			is[k] = step[i].perm;
		for (unsigned k = 0; k < 8; k++) {
			eq(fault(at + k * P, SYS_ACCESS_READ), is[k] ? SYS_OK : SYS_ERR_ACCESS_DENIED);
			eq(fault(at + k * P, SYS_ACCESS_WRITE), is[k] == RW ? SYS_OK : SYS_ERR_ACCESS_DENIED);
		}
		space_check(space);
	}
	eq(again(vmar_unmap(root, true, at, 8 * P)), SYS_OK);
	ck_assert(account->used <= used);
	drop(&v->object);
	end();
}
END_TEST

/* ---- where things go ----------------------------------------------------------------------------------------------------- */

/* Aligned places among holes that the alignment spoils: the low ones are tried one by one, then one that fits anyhow. */
START_TEST(aligned_places)
{
	vaddr_t at;

	for (unsigned random = 0; random < 2; random++) {
		begin();
		vm_randomise = random;
		struct vmo *v = object(1, 0);
		struct vmar *r = region(root, SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_SPECIFIC | SYS_VM_ALIGN(20), 0, 4096);
		r->anchor = r->region.base;
		eq(map_at(r, SYS_RIGHTS_VMAR, RO | SYS_VM_SPECIFIC, 0, v, 0, 1, &at), SYS_OK);
		for (u64 i = 0; i < 200; i++)                   /* holes of 14 pages, none with an aligned run of 9 */
			eq(map_at(r, SYS_RIGHTS_VMAR, RO | SYS_VM_SPECIFIC, (16 * i + 15) * P, v, 0, 2, &at), SYS_OK);
		eq(map_at(r, SYS_RIGHTS_VMAR, RO | SYS_VM_ALIGN(15), 0, v, 0, 9, &at), SYS_OK);
		ck_assert_uint_eq(at, r->region.base + 3208 * P);
		eq(map_at(r, SYS_RIGHTS_VMAR, RO | SYS_VM_ALIGN(15), 0, v, 0, 900, &at), SYS_ERR_NO_RESOURCES);
		eq(map_at(r, SYS_RIGHTS_VMAR, RO | SYS_VM_ALIGN(20), 0, v, 0, 256, &at), SYS_OK);
		ck_assert_uint_eq(at % (256 * P), 0);
		eq(map_at(r, SYS_RIGHTS_VMAR, RO, 0, v, 0, 4096, &at), SYS_ERR_NO_RESOURCES);
		space_check(space);
		drop(r);
		drop(&v->object);
		end();
		vm_randomise = false;
	}
}
END_TEST

/* Random places: apart from each other unless compact, within an upper limit, and all of the room is found in the end. */
START_TEST(random_places)
{
	vaddr_t at;
	u64 seen = 0;

	begin();
	vm_randomise = true;
	struct vmo *v = object(1, 0);
	struct vmar *r = region(root, SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_SPECIFIC, 0, 64);
	for (unsigned i = 0; i < 64; i++) {
		u32 compact = i % 2 ? SYS_VM_COMPACT : 0;

		eq(map_at(r, SYS_RIGHTS_VMAR, RO | compact, 0, v, 0, 1, &at), SYS_OK);
		ck_assert(at >= r->region.base && at < region_end(&r->region));
		ck_assert(!(seen >> ((at - r->region.base) / P) & 1));
		seen |= 1ull << ((at - r->region.base) / P);
	}
	ck_assert_uint_eq(seen, UINT64_MAX);
	eq(map_at(r, SYS_RIGHTS_VMAR, RO, 0, v, 0, 1, &at), SYS_ERR_NO_RESOURCES);
	eq(again(vmar_unmap(r, true, r->region.base + 3 * P, 2 * P)), SYS_OK);
	eq(map_at(r, SYS_RIGHTS_VMAR, RO | SYS_VM_OFFSET_IS_UPPER_LIMIT, 4 * P, v, 0, 2, &at), SYS_ERR_NO_RESOURCES);
	eq(map_at(r, SYS_RIGHTS_VMAR, RO | SYS_VM_OFFSET_IS_UPPER_LIMIT, 5 * P, v, 0, 2, &at), SYS_OK);
	ck_assert_uint_eq(at, r->region.base + 3 * P);
	space_check(space);
	drop(r);
	drop(&v->object);
	end();
	vm_randomise = false;
}
END_TEST

/* Ranges that end where numbers do. */
START_TEST(ends_of_numbers)
{
	vaddr_t at;
	u64 done = 0;

	begin();
	struct vmo *v = object(4, 0);
	at = map(v, RW, 0, 4);
	static const u64 from[] = { 2 * P, 1ull << 63, -P };
	for (unsigned i = 0; i < ARRAY_LEN(from); i++) {
		vaddr_t unused;

		eq(vmar_map(root, SYS_RIGHTS_VMAR, RO, 0, v, SYS_RIGHTS_VMO, from[i], UINT64_MAX, NULL, &unused), SYS_ERR_OUT_OF_RANGE);
		eq(vmar_map(root, SYS_RIGHTS_VMAR, RO, 0, v, SYS_RIGHTS_VMO, from[i], -from[i], NULL, &unused), SYS_ERR_OUT_OF_RANGE);
		eq(vmar_map(root, SYS_RIGHTS_VMAR, RO, 0, v, SYS_RIGHTS_VMO, from[i], P - from[i], NULL, &unused), SYS_ERR_OUT_OF_RANGE);
	}
	eq(vmar_unmap(root, true, at, UINT64_MAX), SYS_ERR_INVALID_ARGS);
	eq(vmar_unmap(root, true, at, UINT64_MAX - P + 1), SYS_ERR_INVALID_ARGS);
	eq(vmar_unmap(root, true, root->region.base - P, P), SYS_ERR_INVALID_ARGS);
	eq(vmar_unmap(root, true, root->region.base - P, 2 * P), SYS_ERR_INVALID_ARGS);
	eq(vmar_unmap(root, true, region_end(&root->region), P), SYS_ERR_INVALID_ARGS);
	eq(vmar_unmap(root, true, region_end(&root->region) + P, P), SYS_ERR_INVALID_ARGS);
	eq(vmar_unmap(root, true, region_end(&root->region) - P, P + 1), SYS_ERR_INVALID_ARGS);
	eq(vmar_unmap(root, true, region_end(&root->region) - P, P), SYS_OK);
	u8 byte[16];
	eq(space_copy_in(space, byte, UINT64_MAX - 3, 16, &done, 9, &none), SYS_ERR_BAD_ADDRESS);
	eq(vmo_read(v, space, UINT64_MAX - 3, 0, 16, &done, 9, &none), SYS_ERR_BAD_ADDRESS);
	ck_assert(!space_window(space, UINT64_MAX - 3, 4, SYS_ACCESS_READ) && !space_window(space, 0, 4, SYS_ACCESS_READ));
	eq(fault(at, SYS_ACCESS_READ), SYS_OK);
	ck_assert(space_window(space, at, P, SYS_ACCESS_READ) && !space_window(space, at + 1, P, SYS_ACCESS_READ));
	sys_koid_t koid;
	u64 offset;
	eq(space_shows(space, at + 2 * P + 5, &koid, &offset), SYS_OK);
	ck_assert(koid == v->object.koid && offset == 2 * P + 5);
	eq(space_shows(space, UINT64_MAX, &koid, &offset), SYS_ERR_BAD_ADDRESS);
	eq(space_shows(space, at + 4 * P, &koid, &offset), SYS_ERR_BAD_ADDRESS);
	eq(protect(root, SYS_RIGHTS_VMAR, 0, at, 1, &done), SYS_OK);
	eq(space_shows(space, at, &koid, &offset), SYS_ERR_BAD_ADDRESS);
	drop(&v->object);
	end();
}
END_TEST

/* ---- entering what is there ------------------------------------------------------------------------------------------------ */

static void commit(struct vmo *v, u64 page, u64 pages)
{
	u64 done = 0;

	eq(again(vmo_op_range(v, SYS_VMO_OP_COMMIT, page * P, pages * P, &done, &none)), SYS_OK);
}

/* MAP_RANGE and the neighbours of a fault: as far as the stream, not more than so many, nothing without permission. */
START_TEST(enters_what_is_there)
{
	vaddr_t at;

	begin();
	struct vmo *v = object(700, 0);
	commit(v, 0, 600);
	v->stream_size = 5 * P - 100;
	at = map(v, RO | SYS_VM_MAP_RANGE | SYS_VM_ALLOW_FAULTS | SYS_VM_FAULT_BEYOND_STREAM_SIZE, 0, 700);
	for (u64 i = 0; i < 10; i++)
		ck_assert_uint_eq(entry(at + i * P), i < 5 ? PT_READ : 0);
	eq(again(vmar_unmap(root, true, at, 700 * P)), SYS_OK);
	at = map(v, RO | SYS_VM_ALLOW_FAULTS | SYS_VM_FAULT_BEYOND_STREAM_SIZE, 0, 700);
	eq(fault(at, SYS_ACCESS_READ), SYS_OK);
	ck_assert(entry(at + 4 * P) == PT_READ && entry(at + 5 * P) == 0);
	eq(fault(at + 4 * P, SYS_ACCESS_READ), SYS_OK);
	eq(fault(at + 5 * P, SYS_ACCESS_READ), SYS_ERR_OUT_OF_RANGE);
	eq(again(vmar_unmap(root, true, at, 700 * P)), SYS_OK);
	at = map(v, RO | SYS_VM_ALLOW_FAULTS | SYS_VM_FAULT_BEYOND_STREAM_SIZE, 6, 10);
	eq(fault(at, SYS_ACCESS_READ), SYS_ERR_OUT_OF_RANGE);
	eq(again(vmar_unmap(root, true, at, 10 * P)), SYS_OK);
	v->stream_size = 700 * P;
	at = map(v, RO | SYS_VM_MAP_RANGE | SYS_VM_ALLOW_FAULTS | SYS_VM_FAULT_BEYOND_STREAM_SIZE, 0, 8);
	ck_assert(entry(at) && entry(at + 7 * P) && !entry(at + 8 * P));
	eq(again(vmar_unmap(root, true, at, 8 * P)), SYS_OK);
	at = map(v, RO | SYS_VM_ALLOW_FAULTS | SYS_VM_FAULT_BEYOND_STREAM_SIZE, 0, 8);
	eq(fault(at, SYS_ACCESS_READ), SYS_OK);
	ck_assert(entry(at + 7 * P) && !entry(at + 8 * P));
	eq(again(vmar_unmap(root, true, at, 8 * P)), SYS_OK);
	at = map(v, SYS_VM_MAP_RANGE, 0, 700);
	ck_assert(entry(at) == 0 && entry(at + P) == 0);
	eq(again(vmar_unmap(root, true, at, 700 * P)), SYS_OK);
	at = map(v, RW | SYS_VM_MAP_RANGE, 0, 700);
	u64 entered = 0;
	for (u64 i = 0; i < 700; i++)
		entered += entry(at + i * P) == (PT_READ | PT_WRITE);
	ck_assert(entered >= 16 && entered <= 600);
	ck_assert(entry(at) && !entry(at + 600 * P));
	eq(again(vmar_unmap(root, true, at, 700 * P)), SYS_OK);
	host_preempt_every(1);
	at = map(v, RO | SYS_VM_MAP_RANGE, 0, 700);             /* an interrupt is pending: the first pages only */
	host_preempt_every(0);
	ck_assert_uint_eq(entry(at + 40 * P), 0);
	drop(&v->object);
	end();
}
END_TEST

/* How far MAP_RANGE goes when somebody interrupts: to the first address, or the second, that is a multiple of 16 pages. */
START_TEST(enters_rows)
{
	begin();
	struct vmo *v = object(100, 0);
	commit(v, 0, 100);
	for (u64 into = 0; into < 16; into++)
		for (unsigned every = 1; every <= 2; every++) {
			u64 expected = (into ? 16 - into : 0) + 16 * (every - 1);
			vaddr_t at;
			host_preempt_every(every);
			eq(map_at(root, SYS_RIGHTS_VMAR, RO | SYS_VM_MAP_RANGE | SYS_VM_SPECIFIC, (1023 + into) * P, v, 0, 100, &at), SYS_OK);
			host_preempt_every(0);
			for (u64 i = 0; i < 100; i++)
				ck_assert_uint_eq(entry(at + i * P), i < expected ? PT_READ : 0);
			eq(again(vmar_unmap(root, true, at, 100 * P)), SYS_OK);
		}
	drop(&v->object);
	end();
}
END_TEST

/* ---- taking entries away -------------------------------------------------------------------------------------------------- */

#define SHOWN 300u                      /* parts of two leaf tables, and of four of the rows of 128 that a step takes */
static struct vmo *seen_v;
static vaddr_t seen_at;

static sys_status_t op(u32 what, u64 page, u64 pages)
{
	u64 done = 0;
	return again(vmo_op_range(seen_v, what, page * P, pages * P, &done, &none));
}

static void go_decommit(u64 page, u64 pages) { eq(op(SYS_VMO_OP_DECOMMIT, page, pages), SYS_OK); }
static void go_zero(u64 page, u64 pages) { eq(op(SYS_VMO_OP_ZERO, page, pages), SYS_OK); }
static void go_step(u64 page, u64 pages) { while (!mapping_unmap_all(seen_v, page, page + pages)) ; }
static void go_unmap(u64 page, u64 pages) { eq(again(vmar_unmap(root, true, seen_at + page * P, pages * P)), SYS_OK); }
static void go_protect(u64 page, u64 pages)
{
	u64 done;
	eq(protect(root, SYS_RIGHTS_VMAR, 0, seen_at + page * P, pages, &done), SYS_OK);
}
static void go_read_only(u64 page, u64 pages)
{
	u64 done;
	eq(protect(root, SYS_RIGHTS_VMAR, RO, seen_at + page * P, pages, &done), SYS_OK);
}
static void go_overwrite(u64 page, u64 pages)
{
	vaddr_t at;
	eq(map_at(root, SYS_RIGHTS_VMAR, RO | SYS_VM_SPECIFIC_OVERWRITE, seen_at + page * P - SPACE_LOW, seen_v, 0, pages, &at), SYS_OK);
	ck_assert_uint_eq(at, seen_at + page * P);
}

static const struct { void (*go)(u64 page, u64 pages); u32 left; bool elsewhere; } takers[] = {
	{ go_decommit, 0, true }, { go_zero, 0, true }, { go_step, 0, true },
	{ go_unmap, 0, false }, { go_protect, 0, false }, { go_read_only, PT_READ, false }, { go_overwrite, 0, false },
};
static const struct { u64 page, pages; } parts[] = {
	{ 10, 1 }, { 10, 20 }, { 99, 1 }, { 100, 1 }, { 99, 2 }, { 90, 200 }, { 228, 1 }, { 227, 2 }, { 1, SHOWN - 2 },
};

/* Exactly the entries that must go do, whoever takes them, wherever the range begins and ends; in the other mapping, which shows it
 * from its page 50 on, where that is so for all mappings. */
START_TEST(exactly_these_entries)
{
	for (unsigned t = 0; t < ARRAY_LEN(takers); t++)
		for (unsigned n = 0; n < ARRAY_LEN(parts); n++)
			for (unsigned every = 0; every < 2; every++) {
				u64 page = parts[n].page, end_of = page + parts[n].pages;
				vaddr_t other_at;
				begin();
				seen_v = object(SHOWN, 0);
				commit(seen_v, 0, SHOWN);
				eq(map_at(root, SYS_RIGHTS_VMAR, RW | SYS_VM_SPECIFIC, 1024 * P - 100 * P - SPACE_LOW, seen_v, 0, SHOWN, &seen_at), SYS_OK);
				other_at = map(seen_v, RW, 50, SHOWN - 50);
				for (u64 i = 0; i < SHOWN; i++)
					eq(fault(seen_at + i * P, SYS_ACCESS_WRITE), SYS_OK);
				for (u64 i = 0; i < SHOWN - 50; i++)
					eq(fault(other_at + i * P, SYS_ACCESS_WRITE), SYS_OK);
				host_preempt_every(every);
				takers[t].go(page, end_of - page);
				host_preempt_every(0);
				for (u64 i = 0; i < SHOWN; i++) {
					bool in = i >= page && i < end_of;
					ck_assert_uint_eq(entry(seen_at + i * P), in ? takers[t].left : (u32)RW);
					if (i >= 50)
						ck_assert_uint_eq(entry(other_at + (i - 50) * P), in && takers[t].elsewhere ? 0 : (u32)RW);
				}
				drop(&seen_v->object);
				end();
			}
}
END_TEST

/* While access to pages is being taken away nothing is entered for them, and faults help. */
START_TEST(while_closing)
{
	vaddr_t at[40];
	unsigned steps = 0;

	begin();
	struct vmo *v = object(600, SYS_VMO_RESIZABLE);
	commit(v, 0, 600);
	for (unsigned i = 0; i < 40; i++) {
		at[i] = map(v, RW, 0, 600);
		for (u64 page = 0; page < 600; page += 100)
			eq(fault(at[i] + page * P, SYS_ACCESS_WRITE), SYS_OK);
	}
	ck_assert(!mapping_unmap_step(v, 100, 200));
	vaddr_t late = map(v, RW | SYS_VM_MAP_RANGE, 0, 600);
	ck_assert_uint_eq(entry(late), 0);
	ck_assert(!mapping_unmap_step(v, 50, 120));             /* another: both together */
	ck_assert(v->closing.page == 50 && v->closing.end == 200);
	ck_assert(!mapping_unmap_step(v, 150, 250));
	ck_assert(v->closing.page == 50 && v->closing.end == 250);
	ck_assert(!mapping_unmap_step(v, 60, 70) || v->closing.end == 0);
	eq(vm_fault(space, at[39] + 400 * P, SYS_ACCESS_READ, 9, &none), SYS_OK);      /* not one of these pages */
	ck_assert(entry(at[39] + 400 * P));
	while (v->closing.end && vm_fault(space, at[39] + 100 * P, SYS_ACCESS_READ, 9, &none) == VM_AGAIN)
		steps++;
	ck_assert(steps >= 1 && v->closing.end == 0);
	for (unsigned i = 0; i < 39; i++)
		must(!entry(at[i] + 100 * P) && !entry(at[i] + 200 * P) && entry(at[i] + 300 * P));
	while (!mapping_protect_step(v))
		must(v->closing.write);
	space_check(space);
	drop(&v->object);
	end();
}
END_TEST

/* ---- objects and regions that go --------------------------------------------------------------------------------------------- */

START_TEST(objects_that_go)
{
	vaddr_t at, unused;
	u64 done = 0;

	begin();
	struct vmo *v = object(8, 0);
	at = map(v, RW, 0, 8);
	eq(fault(at, SYS_ACCESS_WRITE), SYS_OK);
	object_end(&v->object);
	eq(fault(at + P, SYS_ACCESS_READ), SYS_ERR_BAD_STATE);
	eq(map_at(root, SYS_RIGHTS_VMAR, RO, 0, v, 0, 8, &unused), SYS_ERR_BAD_STATE);
	eq(protect(root, SYS_RIGHTS_VMAR, RO, at, 8, &done), SYS_ERR_NOT_FOUND);       /* it helped to unmap it */
	drop(&v->object);
	space_check(space);
	end();
}
END_TEST

/* A region that is destroyed in steps: dead at once, for all calls; what is in it goes, whoever helps. */
START_TEST(regions_that_go)
{
	enum { INNER = 20 };
	vaddr_t at;
	u64 done = 0;
	struct vmar *inner[INNER], *out;

	for (unsigned way = 0; way < 2; way++) {
		begin();
		struct vmo *v = object(600, 0);
		struct vmar *r = region(root, SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE, 0, 40000);
		commit(v, 0, 600);
		for (unsigned i = 0; i < INNER; i++) {
			inner[i] = region(r, SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE, 0, 1000);
			eq(map_at(inner[i], SYS_RIGHTS_VMAR, RW | SYS_VM_MAP_RANGE, 0, v, 0, 600, &at), SYS_OK);
		}
		host_preempt_every(1);
		eq(vmar_destroy(r), VM_AGAIN);
		host_preempt_every(0);
		ck_assert(vmar_is_dead(r) && vmar_is_dead(inner[0]) && vmar_is_dead(inner[INNER - 1]));
		eq(vmar_allocate(r, SYS_RIGHTS_VMAR, 0, 0, P, &out), SYS_ERR_BAD_STATE);
		eq(vmar_allocate(inner[INNER - 1], SYS_RIGHTS_VMAR, 0, 0, P, &out), SYS_ERR_BAD_STATE);
		eq(map_at(inner[INNER - 1], SYS_RIGHTS_VMAR, RO, 0, v, 0, 1, &at), SYS_ERR_BAD_STATE);
		eq(vmar_destroy(inner[INNER - 1]), SYS_ERR_BAD_STATE);
		eq(vmar_unmap(inner[INNER - 1], true, inner[INNER - 1]->region.base, P), SYS_ERR_BAD_STATE);
		if (way)
			eq(again(vmar_destroy(r)), SYS_OK);
		else
			eq(again(vmar_unmap(root, true, r->region.base, r->region.size)), SYS_OK);
		eq(vmar_destroy(r), SYS_ERR_BAD_STATE);
		for (unsigned i = 0; i < INNER; i++) {
			eq(vmar_destroy(inner[i]), SYS_ERR_BAD_STATE);
			drop(inner[i]);
		}
		eq(protect(root, SYS_RIGHTS_VMAR, RO, root->region.base, 1, &done), SYS_ERR_NOT_FOUND);
		space_check(space);
		drop(r);
		drop(&v->object);
		end();
	}
}
END_TEST

/* The whole space, which nobody can use afterwards. */
START_TEST(root_that_goes)
{
	vaddr_t at;
	u64 done;

	begin();
	struct vmo *v = object(600, 0);
	struct vmar *r = region(root, SYS_VM_CAN_MAP_READ, 0, 1000);
	eq(map_at(r, SYS_RIGHTS_VMAR, RO, 0, v, 0, 600, &at), SYS_OK);
	at = map(v, RW, 0, 600);
	eq(fault(at, SYS_ACCESS_WRITE), SYS_OK);
	host_preempt_every(1);
	eq(vmar_destroy(root), VM_AGAIN);
	host_preempt_every(0);
	eq(fault(at, SYS_ACCESS_READ), SYS_ERR_NOT_FOUND);
	eq(again(vmar_destroy(root)), SYS_OK);
	eq(vmar_destroy(root), SYS_ERR_BAD_STATE);
	eq(vmar_destroy(r), SYS_ERR_BAD_STATE);
	eq(map_at(root, SYS_RIGHTS_VMAR, RO, 0, v, 0, 1, &at), SYS_ERR_BAD_STATE);
	eq(protect(root, SYS_RIGHTS_VMAR, RO, at, 1, &done), SYS_ERR_BAD_STATE);
	ck_assert(!root->children.root && !entry(at));
	drop(r);
	drop(&v->object);
	end();
}
END_TEST

/* Regions are unmapped as a whole or not at all, at either end of a range. */
START_TEST(regions_as_a_whole)
{
	vaddr_t at, base;

	begin();
	struct vmo *v = object(4, 0);
	struct vmar *all = region(root, SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_SPECIFIC, 0, 64);
	struct vmar *a = region(all, SYS_VM_SPECIFIC | SYS_VM_CAN_MAP_READ, 8 * P, 8);
	struct vmar *b = region(all, SYS_VM_SPECIFIC | SYS_VM_CAN_MAP_READ, 24 * P, 8);
	base = all->region.base;
	eq(map_at(all, SYS_RIGHTS_VMAR, RO | SYS_VM_SPECIFIC, 18 * P, v, 0, 4, &at), SYS_OK);
	eq(vmar_unmap(all, true, base + 9 * P, 20 * P), SYS_ERR_INVALID_ARGS);          /* begins in a */
	eq(vmar_unmap(all, true, base + 8 * P, 20 * P), SYS_ERR_INVALID_ARGS);          /* ends in b */
	eq(vmar_unmap(all, true, base + 17 * P, 8 * P), SYS_ERR_INVALID_ARGS);
	eq(vmar_unmap(all, false, base + 8 * P, 8 * P), SYS_ERR_INVALID_ARGS);
	eq(vmar_unmap(all, false, base + 19 * P, 5 * P), SYS_OK);                       /* up to b */
	eq(fault(base + 18 * P, SYS_ACCESS_READ), SYS_OK);
	eq(fault(base + 19 * P, SYS_ACCESS_READ), SYS_ERR_NOT_FOUND);
	eq(vmar_unmap(all, true, base + 8 * P, 24 * P), SYS_OK);
	ck_assert(vmar_is_dead(a) && vmar_is_dead(b) && !all->children.root);
	drop(a);
	drop(b);
	drop(all);
	drop(&v->object);
	end();
}
END_TEST

/* A region that nobody names ends with its parent, its content in steps. */
START_TEST(unnamed_region)
{
	vaddr_t at;

	begin();
	struct vmo *v = object(600, 0);
	struct vmar *r = region(root, SYS_VM_CAN_MAP_READ, 0, 1000), *in = region(r, SYS_VM_CAN_MAP_READ, 0, 700);
	eq(map_at(in, SYS_RIGHTS_VMAR, RO, 0, v, 0, 600, &at), SYS_OK);
	drop(in);
	drop(r);
	eq(fault(at, SYS_ACCESS_READ), SYS_OK);                 /* it still stands */
	drop(&v->object);
	end();
}
END_TEST

/* The account of the space is ended: its regions are ended one by one, in no order. */
START_TEST(account_ends)
{
	vaddr_t at;

	begin();
	struct vmo *v = object(600, 0);
	struct vmar *r = region(root, SYS_VM_CAN_MAP_READ, 0, 1000), *in = region(r, SYS_VM_CAN_MAP_READ, 0, 700);
	eq(map_at(in, SYS_RIGHTS_VMAR, RO, 0, v, 0, 600, &at), SYS_OK);
	eq(fault(at, SYS_ACCESS_READ), SYS_OK);
	object_end((struct object *)in);
	object_end((struct object *)r);
	while (object_reap_step(NULL)) {
	}
	ck_assert(!root->children.root);
	eq(fault(at, SYS_ACCESS_READ), SYS_ERR_NOT_FOUND);
	drop(in);
	drop(r);
	drop(&v->object);
	end();
}
END_TEST

/* ---- maps ----------------------------------------------------------------------------------------------------------------------- */

/* Counting what a mapping shows goes in steps; a mapping that changes meanwhile is counted anew. */
START_TEST(counted_in_steps)
{
	sys_maps_t line;
	struct maps_count k = { 0 };
	vaddr_t at = 0, first, second;
	u32 depth = 0;
	u64 steps = 0;

	begin();
	struct vmo *v = object(2000, 0);
	commit(v, 0, 300);
	commit(v, 1000, 20);
	first = map(v, RW, 0, 2000);
	second = map(v, RO, 100, 100);
	ck_assert(vmar_maps_next(root, &at, &depth, &line));
	ck_assert(line.base == MIN(first, second) && line.depth == 1 && line.kind == 1);
	line.base = first;
	while (!vmar_maps_count(root, &line, &k))
		if (steps++ == 2) {                             /* somebody asks for another in between */
			line.base = second;
			while (!vmar_maps_count(root, &line, &k)) {
			}
			ck_assert_uint_eq(line.committed, 100 * P);
			line.base = first;
		}
	ck_assert(steps > 5 && line.committed == 320 * P && line.private_bytes == 320 * P && line.shared_bytes == 0);
	line.base = region_end(&root->region) - P;              /* nothing is there */
	ck_assert(vmar_maps_count(root, &line, &k));
	ck_assert_uint_eq(line.committed, 0);
	line.base = map(v, RO, 2000, 10);                       /* behind the object's end */
	ck_assert(vmar_maps_count(root, &line, &k));
	ck_assert_uint_eq(line.committed, 0);
	drop(&v->object);
	end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("places");

	add_test(s, write_and_execute);
	add_test(s, protect_reaches_in);
	add_test(s, protect_far);
	add_test(s, cut_many_ranges);
	add_test(s, ranges_meet);
	add_test(s, aligned_places);
	add_test(s, random_places);
	add_test(s, ends_of_numbers);
	add_test(s, enters_what_is_there);
	add_test(s, enters_rows);
	add_test(s, exactly_these_entries);
	add_test(s, while_closing);
	add_test(s, objects_that_go);
	add_test(s, regions_that_go);
	add_test(s, root_that_goes);
	add_test(s, regions_as_a_whole);
	add_test(s, unnamed_region);
	add_test(s, account_ends);
	add_test(s, counted_in_steps);
	return s;
}
