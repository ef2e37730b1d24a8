/* SPDX-License-Identifier: BSD-2-Clause */
/* vmar.c: kernel/vm's address regions: the documented refusals in their order, and random operations against a
 * flat model of pages. */
#include "common/calls.h"
#include "common/fakevmo.h"

#define RWX (RW | SYS_VM_PERM_EXECUTE)
#define ALL_VMAR SYS_RIGHTS_VMAR
#define ALL_VMO (SYS_RIGHTS_VMO | SYS_RIGHT_EXECUTE)
#define CAN_RW (SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE)
#define CAN_ALL (CAN_RW | SYS_VM_CAN_MAP_EXECUTE | SYS_VM_CAN_MAP_SPECIFIC)

static struct vmar *root;
static struct fake *vmo;
static vaddr_t at;

static void start(void)
{
	fake_start(4000);
	root = &space->root_vmar;
	vmo = fake_create(account, 64);
}

static void end(void)
{
	object_uncap(&vmo->v.object);
	fake_end();
}

static sys_status_t map(struct vmar *r, u32 options, u64 offset, u64 vmo_offset, u64 len)
{
	return vmar_map(r, ALL_VMAR, options, offset, &vmo->v, ALL_VMO, vmo_offset, len, NULL, &at);
}

static struct vmar *region(struct vmar *parent, u32 options, u64 offset, u64 size)
{
	struct vmar *r;
	eq(vmar_allocate(parent, ALL_VMAR, options, offset, size, &r), SYS_OK);
	object_cap((struct object *)r);
	return r;
}

static void drop(struct vmar *r) { object_uncap((struct object *)r); }

static sys_status_t unmap(struct vmar *r, vaddr_t va, u64 len)
{
	sys_status_t status;
	while ((status = vmar_unmap(r, true, va, len)) == VM_AGAIN)
		space_check(space);
	return status;
}

static sys_status_t protect(struct vmar *r, u32 perm, vaddr_t va, u64 len)
{
	u64 done = 0;
	sys_status_t status;
	while ((status = vmar_protect(r, ALL_VMAR, perm, va, len, &done)) == VM_AGAIN)
		space_check(space);
	return status;
}

static sys_status_t touch(vaddr_t va, unsigned access)
{
	sys_status_t status;
	while ((status = vm_fault(space, va, access, 0, &wait_here)) == VM_AGAIN) {
	}
	return status;
}

/* ---- allocate -------------------------------------------------------------------------------------------- */
START_TEST(allocate_refusals)
{
	struct vmar *r, *small;

	start();
#define allocate(parent, rights, options, offset, size) vmar_allocate(parent, rights, options, offset, size, &r)
	small = region(root, CAN_RW, 0, 16 * P);
	eq(allocate(small, ALL_VMAR, SYS_VM_CAN_MAP_EXECUTE, 0, P), SYS_ERR_ACCESS_DENIED); /* VMAR-ALLOC-01 */
	eq(allocate(small, SYS_RIGHT_READ, CAN_RW, 0, P), SYS_ERR_ACCESS_DENIED);
	eq(allocate(small, ALL_VMAR, SYS_VM_CAN_MAP_SPECIFIC, 0, P), SYS_OK);                            /* -03 */
	eq(allocate(r, ALL_VMAR, SYS_VM_CAN_MAP_READ, 0, P), SYS_ERR_ACCESS_DENIED);                     /* -02 */
	eq(allocate(small, ALL_VMAR, SYS_VM_SPECIFIC, P, P), SYS_ERR_ACCESS_DENIED);                     /* -04 */
	eq(allocate(small, ALL_VMAR, SYS_VM_SPECIFIC_OVERWRITE, P, P), SYS_ERR_ACCESS_DENIED);
	eq(allocate(small, ALL_VMAR, SYS_VM_OFFSET_IS_UPPER_LIMIT, 4 * P, P), SYS_ERR_ACCESS_DENIED);
	eq(allocate(root, ALL_VMAR, 0, 0, 0), SYS_ERR_INVALID_ARGS);                                     /* -05 */
	eq(allocate(root, ALL_VMAR, 0, 0, UINT64_MAX), SYS_ERR_INVALID_ARGS);
	eq(allocate(root, ALL_VMAR, 0, 0, P + 1), SYS_ERR_INVALID_ARGS);                                 /* -06 */
	eq(allocate(root, ALL_VMAR, SYS_VM_SPECIFIC, 1, P), SYS_ERR_INVALID_ARGS);
	eq(allocate(root, ALL_VMAR, 0, P, P), SYS_ERR_INVALID_ARGS);                                     /* -07 */
	eq(allocate(root, ALL_VMAR, SYS_VM_SPECIFIC | SYS_VM_OFFSET_IS_UPPER_LIMIT, 64 * P, P),
		SYS_ERR_INVALID_ARGS); /* -08 */
	eq(allocate(root, ALL_VMAR, SYS_VM_SPECIFIC_OVERWRITE | SYS_VM_OFFSET_IS_UPPER_LIMIT, 64 * P, P),
		SYS_ERR_INVALID_ARGS);
	for (unsigned bit = 0; bit < 24; bit++)                                                          /* -09 */
		if ((1u << bit) & (RWX | SYS_VM_MAP_RANGE | SYS_VM_ALLOW_FAULTS | SYS_VM_SHARED | 0xff0000u |
			SYS_VM_REQUIRE_NON_RESIZABLE))
			eq(allocate(root, ALL_VMAR, 1u << bit, 0, P), SYS_ERR_INVALID_ARGS);
	eq(allocate(small, ALL_VMAR, 0, 0, 17 * P), SYS_ERR_INVALID_ARGS);                               /* -10 */
	eq(allocate(small, ALL_VMAR, 0, 0, 16 * P), SYS_ERR_NO_RESOURCES);
	eq(allocate(root, ALL_VMAR, SYS_VM_SPECIFIC, root->region.size - P, 2 * P), SYS_ERR_INVALID_ARGS); /* -11 */
	eq(allocate(root, ALL_VMAR, SYS_VM_SPECIFIC, root->region.size, P), SYS_ERR_INVALID_ARGS);
	eq(allocate(root, ALL_VMAR, SYS_VM_SPECIFIC, small->region.base - root->region.base + 15 * P, 2 * P),
		SYS_ERR_ALREADY_EXISTS); /* -12 */
	for (u32 log2 = 1; log2 < 256; log2++)                                                           /* -16 */
		eq(allocate(root, ALL_VMAR, SYS_VM_ALIGN(log2), 0, P), log2 >= 10 && log2 <= 32 ? SYS_OK :
			SYS_ERR_INVALID_ARGS);
	eq(allocate(root, ALL_VMAR, SYS_VM_ALIGN(14) | SYS_VM_SPECIFIC, 64 * P - P + P, P),
		SYS_ERR_INVALID_ARGS); /* -18: the root begins at P */
	eq(allocate(small, ALL_VMAR, SYS_VM_ALIGN(30), 0, P), SYS_ERR_NO_RESOURCES);                     /* -19 */
	drop(small);
	space_check(space);
	end();
}
END_TEST

START_TEST(allocate_places)
{
	struct vmar *a, *b;

	start();
	ck_assert(root->region.base == P && SPACE_HIGH == 0x00007fffffffe000ull); /* VMAR-ALLOC-20, -21 */
	eq(map(root, RW | SYS_VM_SPECIFIC, 0x200000 - P, 0, P), SYS_OK);
	a = region(root, CAN_ALL, 0, 8 * P);
	b = region(a, CAN_ALL, 0, 8 * P);                                                                /* -13 */
	ck_assert(b->region.base == a->region.base);
	drop(a);                                                                                         /* -14 */
	eq(map(b, RW, 0, 0, P), SYS_OK);
	for (u32 log2 = 10; log2 <= 32; log2++) {                                                        /* -17 */
		struct vmar *r = region(root, SYS_VM_ALIGN(log2) | SYS_VM_COMPACT, 0, P);
		ck_assert_uint_eq(r->region.base % (1ull << log2), 0);
		drop(r);
	}
	vm_randomise = true;
	for (unsigned i = 0; i < 64; i++) {
		struct vmar *r = region(root, i % 2 ? SYS_VM_COMPACT : SYS_VM_ALIGN(16), 0, (1 + i % 5) * P);
		drop(r);
	}
	space_check(space);
	vm_randomise = false;
	for (struct vmar *r = root;;) {                 /* no deeper than a fault can look */
		struct vmar *inner;
		sys_status_t status = vmar_allocate(r, ALL_VMAR, 0, 0, r == root ? P : r->region.size, &inner);
		if (status != SYS_OK) {
			eq(status, SYS_ERR_NO_RESOURCES);
			ck_assert_uint_eq(r->depth, VMAR_DEPTH);
			break;
		}
		r = inner;
	}
	drop(b);
	end();
}
END_TEST

/* ---- map ------------------------------------------------------------------------------------------------- */
START_TEST(map_refusals)
{
	struct vmar *r;

	start();
	eq(map(root, RW, 0, 0, 0), SYS_ERR_INVALID_ARGS);                                                /* MAP-01 */
	eq(map(root, RW, 0, 0, 1), SYS_OK);                                                              /* -02 */
	eq(map(root, RW | SYS_VM_SPECIFIC, 1, 0, P), SYS_ERR_INVALID_ARGS);                              /* -03 */
	eq(map(root, RW, 0, 1, P), SYS_ERR_INVALID_ARGS);
	eq(map(root, RW | SYS_VM_MAP_RANGE, 0, 1, P), SYS_ERR_INVALID_ARGS);
	eq(map(root, RW, 0, 0, UINT64_MAX - P + 2), SYS_ERR_OUT_OF_RANGE);                               /* -04 */
	eq(map(root, RW, 0, 0, UINT64_MAX - P + 1), SYS_ERR_INVALID_ARGS);                               /* there is no such room */
	eq(map(root, RW, 0, UINT64_MAX - P + 1, P), SYS_ERR_OUT_OF_RANGE);                               /* -05 */
	eq(map(root, RW, 0, UINT64_MAX - 2 * P + 1, P), SYS_OK);
	eq(touch(at, SYS_ACCESS_READ), SYS_ERR_OUT_OF_RANGE);
	for (unsigned bit = 11; bit < 24; bit++)                                                         /* -06 */
		if (1u << bit != SYS_VM_SHARED)
			eq(map(root, RW | 1u << bit, 0, 0, P), SYS_ERR_INVALID_ARGS);
	eq(map(root, RW | SYS_VM_MAP_RANGE | SYS_VM_SPECIFIC_OVERWRITE, 64 * P, 0, P), SYS_ERR_INVALID_ARGS); /* -07 */
	eq(map(root, SYS_VM_PERM_WRITE, 0, 0, P), SYS_ERR_INVALID_ARGS);                                 /* -08 */
	eq(map(root, 0, 0, 0, P), SYS_OK);                                                               /* -10 */
	eq(touch(at, SYS_ACCESS_READ), SYS_ERR_ACCESS_DENIED);
	eq(protect(root, SYS_VM_PERM_READ, at, P), SYS_OK);
	eq(touch(at, SYS_ACCESS_READ), SYS_OK);
	eq(map(root, RW | SYS_VM_SPECIFIC, root->region.size, 0, P), SYS_ERR_INVALID_ARGS);              /* -11 */
	eq(map(root, RW | SYS_VM_SPECIFIC, UINT64_MAX - P + 1, 0, P), SYS_ERR_INVALID_ARGS);
	eq(map(root, RW, P, 0, P), SYS_ERR_INVALID_ARGS);                                                /* -12 */
	eq(map(root, RW | SYS_VM_FAULT_BEYOND_STREAM_SIZE, 0, 0, P), SYS_ERR_INVALID_ARGS);              /* -52 */
	vmo->v.options = SYS_VMO_RESIZABLE;
	eq(map(root, RW | SYS_VM_REQUIRE_NON_RESIZABLE, 0, 0, P), SYS_ERR_NOT_SUPPORTED);                /* -53 */
	vmo->v.options = 0;
	eq(map(root, RW | SYS_VM_REQUIRE_NON_RESIZABLE, 0, 0, P), SYS_OK);
	/* rights and limits: MAP-20 .. -23 */
	eq(vmar_map(root, ALL_VMAR & ~(u32)SYS_RIGHT_WRITE, RW, 0, &vmo->v, ALL_VMO, 0, P, NULL, &at),
		SYS_ERR_ACCESS_DENIED);
	eq(vmar_map(root, ALL_VMAR, RW, 0, &vmo->v, ALL_VMO & ~(u32)SYS_RIGHT_WRITE, 0, P, NULL, &at),
		SYS_ERR_ACCESS_DENIED);
	r = region(root, SYS_VM_CAN_MAP_READ, 0, 4 * P);
	eq(map(r, RW, 0, 0, P), SYS_ERR_ACCESS_DENIED);
	eq(map(r, SYS_VM_PERM_READ | SYS_VM_SPECIFIC, 0, 0, P), SYS_ERR_ACCESS_DENIED);
	eq(map(r, SYS_VM_PERM_READ, 0, 0, 5 * P), SYS_ERR_INVALID_ARGS);
	eq(map(r, SYS_VM_PERM_READ, 0, 0, 4 * P), SYS_OK);
	eq(map(r, SYS_VM_PERM_READ, 0, 0, P), SYS_ERR_NO_RESOURCES);                                     /* -40 */
	eq(map(root, RWX, 0, 0, P), SYS_ERR_ACCESS_DENIED);                                              /* W and X */
	root->wx = true;
	eq(map(root, RWX, 0, 0, P), SYS_ERR_ACCESS_DENIED);
	eq(vmar_map(root, ALL_VMAR | SYS_RIGHT_WX, RWX, 0, &vmo->v, ALL_VMO, 0, P, NULL, &at), SYS_OK);
	root->wx = false;
	eq(vmar_destroy(r), SYS_OK);
	eq(map(r, SYS_VM_PERM_READ, 0, 0, P), SYS_ERR_BAD_STATE);                                        /* -14 */
	drop(r);
	end();
}
END_TEST

START_TEST(map_places)
{
	struct vmar *r, *inner;
	vaddr_t base;

	start();
	r = region(root, CAN_ALL, 0, 8 * P);
	base = r->region.base;
	eq(map(r, RW | SYS_VM_SPECIFIC, 2 * P, 0, 2 * P), SYS_OK);
	eq(map(r, RW | SYS_VM_SPECIFIC, 2 * P, 0, P), SYS_ERR_ALREADY_EXISTS);                           /* MAP-30 */
	eq(map(r, RW | SYS_VM_SPECIFIC, 0, 0, 8 * P), SYS_ERR_ALREADY_EXISTS);
	eq(map(r, RW | SYS_VM_SPECIFIC, 7 * P, 0, 2 * P), SYS_ERR_INVALID_ARGS);                         /* -33 */
	eq(touch(base + 2 * P, SYS_ACCESS_WRITE), SYS_OK);
	eq(touch(base + 3 * P, SYS_ACCESS_WRITE), SYS_OK);
	eq(map(r, RW | SYS_VM_SPECIFIC_OVERWRITE, 3 * P, 16 * P, 2 * P), SYS_OK);                        /* -31 */
	ck_assert(pt_query(space->root, base + 2 * P).flags == 0 || pt_query(space->root, base + 2 * P).flags &
		PT_WRITE);
	ck_assert_uint_eq(pt_query(space->root, base + 3 * P).flags, 0);
	ck_assert_uint_eq(mapping_page(vmar_find(root, base + 3 * P), base + 3 * P), 16);
	ck_assert_uint_eq(mapping_page(vmar_find(root, base + 2 * P), base + 2 * P), 0);
	inner = region(r, CAN_ALL | SYS_VM_SPECIFIC, 6 * P, P);
	eq(map(r, RW | SYS_VM_SPECIFIC_OVERWRITE, 5 * P, 0, 3 * P), SYS_ERR_INVALID_ARGS);               /* -32 */
	eq(map(r, RW | SYS_VM_SPECIFIC, 6 * P, 0, P), SYS_ERR_ALREADY_EXISTS);                           /* -42 */
	eq(map(r, RW | SYS_VM_OFFSET_IS_UPPER_LIMIT, 2 * P, 0, P), SYS_OK);                              /* -34 */
	ck_assert(at + P <= base + 2 * P);
	eq(map(r, RW | SYS_VM_OFFSET_IS_UPPER_LIMIT, 9 * P, 0, P), SYS_ERR_INVALID_ARGS);                /* -35 */
	eq(map(r, RW | SYS_VM_OFFSET_IS_UPPER_LIMIT, P, 0, 2 * P), SYS_ERR_INVALID_ARGS);
	eq(map(r, RW | SYS_VM_OFFSET_IS_UPPER_LIMIT, P + 1, 0, P), SYS_ERR_INVALID_ARGS);                /* -38 */
	eq(map(r, RW | SYS_VM_OFFSET_IS_UPPER_LIMIT, 2 * P, 0, P), SYS_OK);
	eq(map(r, RW | SYS_VM_OFFSET_IS_UPPER_LIMIT, 2 * P, 0, P), SYS_ERR_NO_RESOURCES);                /* -37 */
	eq(map(r, RW, 0, 0, P), SYS_OK);
	eq(unmap(r, base, 8 * P), SYS_OK);
	eq(map(r, RW | SYS_VM_OFFSET_IS_UPPER_LIMIT, 8 * P, 0, 8 * P), SYS_OK);                          /* -36 */
	ck_assert_uint_eq(at, base);
	ck_assert(vmar_is_dead(inner));
	drop(inner);
	drop(r);
	end();
}
END_TEST

START_TEST(map_range_enters_what_is_there)
{
	start();
	eq(map(root, RW, 0, 0, 64 * P), SYS_OK);
	for (u64 i = 0; i < 64; i += 3)
		eq(touch(at + i * P, SYS_ACCESS_WRITE), SYS_OK);
	fake_share(vmo);
	eq(touch(at + 3 * P, SYS_ACCESS_WRITE), SYS_OK);
	u64 used = account->used;
	eq(map(root, RW | SYS_VM_MAP_RANGE, 0, P, 70 * P), SYS_OK); /* MAP-70 .. -74 */
	for (u64 i = 0; i < 70; i++) {
		u32 flags = pt_query(space->root, at + i * P).flags;
		ck_assert_uint_eq(flags != 0, i + 1 < 64 && (i + 1) % 3 == 0);
		ck_assert_uint_eq((flags & PT_WRITE) != 0, i + 1 == 3);
	}
	ck_assert_uint_le(account->used, used + 1);
	space_check(space);
	mapping_check(&vmo->v);
	end();
}
END_TEST

/* ---- unmap, protect, destroy ----------------------------------------------------------------------------- */
START_TEST(unmap_refusals)
{
	struct vmar *r, *inner;
	vaddr_t base;

	start();
	r = region(root, CAN_ALL, 0, 16 * P);
	base = r->region.base;
	eq(map(r, RW | SYS_VM_SPECIFIC, 0, 0, 6 * P), SYS_OK);
	eq(unmap(r, base + 1, P), SYS_ERR_INVALID_ARGS);                                                 /* UNMAP-01 */
	eq(unmap(r, base, 0), SYS_ERR_INVALID_ARGS);
	eq(unmap(r, base, UINT64_MAX), SYS_ERR_INVALID_ARGS);
	eq(unmap(r, base - P, P), SYS_ERR_INVALID_ARGS);                                                 /* -03 */
	eq(unmap(r, base, 17 * P), SYS_ERR_INVALID_ARGS);
	eq(unmap(r, base + 16 * P, P), SYS_ERR_INVALID_ARGS);
	eq(unmap(r, base + 2 * P, 1), SYS_OK);                                                           /* -02, -04 */
	ck_assert_ptr_null(vmar_find(root, base + 2 * P));
	ck_assert_uint_eq(mapping_page(vmar_find(root, base + 3 * P), base + 3 * P), 3);
	inner = region(r, CAN_ALL | SYS_VM_SPECIFIC, 8 * P, 4 * P);
	eq(map(inner, RW, 0, 0, P), SYS_OK);
	eq(unmap(r, base, 10 * P), SYS_ERR_INVALID_ARGS);                                                /* -07 */
	eq(unmap(r, base + 10 * P, 6 * P), SYS_ERR_INVALID_ARGS);
	eq(unmap(r, base + 9 * P, P), SYS_ERR_INVALID_ARGS);
	ck_assert_ptr_nonnull(vmar_find(root, base));
	eq(vmar_unmap(r, false, base, 16 * P), SYS_ERR_INVALID_ARGS);                                    /* -08 */
	eq(vmar_unmap(r, false, base, 8 * P), SYS_OK);
	eq(unmap(r, base, 16 * P), SYS_OK);                                                              /* -05, -06 */
	eq(map(inner, RW, 0, 0, P), SYS_ERR_BAD_STATE);
	eq(touch(base + 8 * P, SYS_ACCESS_READ), SYS_ERR_NOT_FOUND);                                     /* -09 */
	drop(inner);
	drop(r);
	end();
}
END_TEST

START_TEST(protect_refusals)
{
	struct vmar *r, *inner;
	vaddr_t base;
	u64 done = 0;

	start();
	r = region(root, CAN_ALL, 0, 16 * P);
	base = r->region.base;
	eq(map(r, RW | SYS_VM_SPECIFIC, 0, 0, 6 * P), SYS_OK);
	eq(protect(r, RW, base + 1, P), SYS_ERR_INVALID_ARGS);                                           /* PROT-01 */
	eq(protect(r, RW, base, 0), SYS_ERR_INVALID_ARGS);
	eq(protect(r, RW, base, UINT64_MAX), SYS_ERR_INVALID_ARGS);
	eq(protect(r, RW, base, 17 * P), SYS_ERR_INVALID_ARGS);
	eq(protect(r, RW | SYS_VM_SHARED, base, P), SYS_ERR_INVALID_ARGS);                               /* -02 */
	eq(protect(r, RW | SYS_VM_CAN_MAP_READ, base, P), SYS_ERR_INVALID_ARGS);
	eq(protect(r, SYS_VM_PERM_WRITE, base, P), SYS_ERR_INVALID_ARGS);                                /* -03 */
	eq(map(r, RW | SYS_VM_SPECIFIC, 6 * P, 0, P), SYS_OK);
	eq(protect(r, SYS_VM_PERM_READ, base + P, 6 * P), SYS_OK);                                       /* -04 */
	eq(touch(base + 6 * P, SYS_ACCESS_WRITE), SYS_ERR_ACCESS_DENIED);
	eq(touch(base, SYS_ACCESS_WRITE), SYS_OK);                                                       /* -10 */
	eq(protect(r, RW, base + 4 * P, 4 * P), SYS_ERR_NOT_FOUND);                                      /* -05 */
	eq(protect(r, RWX, base, P), SYS_ERR_ACCESS_DENIED);
	eq(vmar_protect(r, SYS_RIGHT_READ | SYS_RIGHT_MANAGE, RW, base, P, &done), SYS_ERR_ACCESS_DENIED); /* -06 */
	eq(vmar_map(r, ALL_VMAR, SYS_VM_PERM_READ | SYS_VM_SPECIFIC, 7 * P, &vmo->v, SYS_RIGHT_READ | SYS_RIGHT_MAP,
		0, P, NULL, &at), SYS_OK);
	eq(protect(r, RW, at, P), SYS_ERR_ACCESS_DENIED);
	inner = region(r, CAN_ALL | SYS_VM_SPECIFIC, 8 * P, 2 * P);
	eq(protect(r, SYS_VM_PERM_READ, base + 8 * P, P), SYS_ERR_NOT_FOUND);
	eq(map(inner, RW | SYS_VM_SPECIFIC, 0, 0, 2 * P), SYS_OK);
	eq(vmar_protect(r, ALL_VMAR & ~(u32)SYS_RIGHT_MANAGE, SYS_VM_PERM_READ, base + 8 * P, P, &done),
		SYS_ERR_INVALID_ARGS); /* -09 */
	eq(protect(r, SYS_VM_PERM_READ, base + 8 * P, P), SYS_OK);                                       /* -07 */
	eq(protect(r, RW, base + 8 * P, P), SYS_ERR_ACCESS_DENIED);
	eq(protect(r, RW, base + 9 * P, P), SYS_OK);
	eq(protect(inner, RW, base + 8 * P, P), SYS_OK);                                                 /* -08 */
	eq(touch(base + 8 * P, SYS_ACCESS_WRITE), SYS_OK);
	eq(protect(r, 0, base + 8 * P, P), SYS_OK);                                                      /* -14 */
	eq(touch(base + 8 * P, SYS_ACCESS_READ), SYS_ERR_ACCESS_DENIED);
	eq(touch(base + 8 * P, SYS_ACCESS_EXECUTE), SYS_ERR_ACCESS_DENIED);                              /* FAULT-12 */
	drop(inner);
	drop(r);
	end();
}
END_TEST

START_TEST(protect_alternating)
{
	vaddr_t until;

	start();
	eq(map(root, RW | SYS_VM_SPECIFIC, 511 * P, 0, 64 * P), SYS_OK); /* PROT-11, -15, -17 */
	for (u64 i = 0; i < 64; i += 2)
		eq(protect(root, SYS_VM_PERM_READ, at + i * P, P), SYS_OK);
	for (u64 i = 0; i < 64; i++) {
		struct mapping *m = vmar_find(root, at + i * P);
		ck_assert_uint_eq(mapping_perm(m, at + i * P, &until), i % 2 ? RW : SYS_VM_PERM_READ);
		ck_assert_uint_eq(until, at + (i + 1) * P);
		eq(touch(at + i * P, SYS_ACCESS_WRITE), i % 2 ? SYS_OK : SYS_ERR_ACCESS_DENIED);
	}
	mapping_check(&vmo->v);
	unsigned steps = 0;
	for (host_preempt_every(1); vmar_unmap(root, true, at + 20 * P, 11 * P) == VM_AGAIN; steps++)
		mapping_check(&vmo->v);         /* first it is split, at a point */
	host_preempt_every(0);
	ck_assert_uint_gt(steps, 0);
	for (u64 i = 0; i < 64; i++) {
		struct mapping *m = vmar_find(root, at + i * P);
		ck_assert_uint_eq(m != NULL, i < 20 || i >= 31);
		ck_assert(!m || mapping_perm(m, at + i * P, &until) == (i % 2 ? RW : SYS_VM_PERM_READ));
	}
	eq(protect(root, RW, at, 20 * P), SYS_OK);
	ck_assert_ptr_null(vmar_find(root, at)->changes.root);          /* points that say nothing go */
	eq(protect(root, RW, at + 31 * P, 33 * P), SYS_OK);
	ck_assert_ptr_null(vmar_find(root, at + 40 * P)->changes.root);
	mapping_check(&vmo->v);
	space_check(space);
	end();
}
END_TEST

START_TEST(destroy)
{
	struct vmar *r, *a, *b;

	start();
	r = region(root, CAN_ALL, 0, 64 * P);
	a = region(r, CAN_ALL, 0, 32 * P);
	b = region(a, CAN_ALL, 0, 16 * P);
	eq(map(b, RW, 0, 0, 4 * P), SYS_OK);
	vaddr_t va = at;
	eq(map(a, RW, 0, 0, 4 * P), SYS_OK);
	eq(touch(va, SYS_ACCESS_WRITE), SYS_OK);
	host_preempt_every(1);
	eq(vmar_destroy(r), VM_AGAIN);
	struct vmar *all[] = { r, a, b };
	for (unsigned i = 0; i < 3; i++) { /* VDEST-02, -03 */
		u64 done = 0;
		eq(vmar_map(all[i], ALL_VMAR, RW, 0, &vmo->v, ALL_VMO, 0, P, NULL, &at), SYS_ERR_BAD_STATE);
		eq(vmar_unmap(all[i], true, all[i]->region.base, P), SYS_ERR_BAD_STATE);
		eq(vmar_protect(all[i], ALL_VMAR, RW, all[i]->region.base, P, &done), SYS_ERR_BAD_STATE);
		if (all[i] != r)
			eq(vmar_destroy(all[i]), SYS_ERR_BAD_STATE);
	}
	eq(touch(va, SYS_ACCESS_READ), SYS_ERR_NOT_FOUND);                                               /* -04 */
	space_check(space);
	while (vmar_destroy(r) == VM_AGAIN)
		space_check(space);
	eq(vmar_destroy(r), SYS_ERR_BAD_STATE);
	eq(map(root, RW | SYS_VM_SPECIFIC, va - root->region.base, 0, P), SYS_OK);                       /* -05 */
	drop(r);
	drop(b);
	drop(a);
	end();
}
END_TEST

START_TEST(maps)
{
	struct vmar *r, *a;
	vaddr_t where = SPACE_LOW;
	u32 depth = 0;
	struct maps_count count = { 0 };
	sys_maps_t e;

	start();
	eq(map(root, RW | SYS_VM_SPECIFIC, 0, 2 * P, P), SYS_OK);
	r = region(root, CAN_ALL | SYS_VM_SPECIFIC, 4 * P, 8 * P);
	a = region(r, CAN_RW | SYS_VM_SPECIFIC, 0, 4 * P);
	eq(map(a, RW | SYS_VM_SHARED, 0, 0, 2 * P), SYS_OK);
	eq(touch(at, SYS_ACCESS_WRITE), SYS_OK);
	eq(map(r, SYS_VM_PERM_READ, 0, 0, P), SYS_OK);
	eq(map(root, RW | SYS_VM_SPECIFIC, 12 * P, 0, P), SYS_OK);
	static const struct { u32 kind, depth; u64 page, pages, committed; } expect[] = {
		{ 1, 1, 1, 1, 0 }, { 0, 1, 5, 8, 0 }, { 0, 2, 5, 4, 0 }, { 1, 3, 5, 2, 1 }, { 1, 2, 9, 1, 1 }, { 1,
			1, 13, 1, 1 },
	};
	for (unsigned i = 0; i < ARRAY_LEN(expect); i++) {
		ck_assert(vmar_maps_next(root, &where, &depth, &e));
		while (e.kind == 1 && !vmar_maps_count(root, &e, &count))
			;
		ck_assert_uint_eq(e.kind, expect[i].kind);
		ck_assert_uint_eq(e.depth, expect[i].depth);
		ck_assert_uint_eq(e.base, expect[i].page * P);
		ck_assert_uint_eq(e.size, expect[i].pages * P);
		ck_assert_uint_eq(e.committed, expect[i].committed * P);
		ck_assert(e.kind == 0 || e.vmo_koid == vmo->v.object.koid);
	}
	ck_assert(!vmar_maps_next(root, &where, &depth, &e));
	where = r->region.base;
	depth = 0;
	for (unsigned i = 0; i < 3; i++)
		ck_assert(vmar_maps_next(r, &where, &depth, &e));
	ck_assert(!vmar_maps_next(r, &where, &depth, &e));
	drop(a);
	drop(r);
	end();
}
END_TEST

/* ---- failures -------------------------------------------------------------------------------------------- */
static bool failed(sys_status_t status)
{
	ck_assert_int_eq(status, allocation_failed() ? SYS_ERR_NO_MEMORY : SYS_OK);
	return allocation_failed();
}

START_TEST(failures_change_nothing)
{
	struct vmar *r;
	sys_status_t status;

	start();
	eq(map(root, RW | SYS_VM_SPECIFIC, 64 * P, 0, 16 * P), SYS_OK);
	vaddr_t base = at;
	u64 used = account->used;
	each_failure(n) {
		status = vmar_allocate(root, ALL_VMAR, CAN_ALL, 0, P, &r);
		if (failed(status))
			ck_assert_uint_eq(account->used, used);
		else
			eq(vmar_destroy(r), SYS_OK);
		space_check(space);
	}
	each_failure(n) {
		status = map(root, RW, 0, 0, P);
		if (failed(status))
			ck_assert_uint_eq(account->used, used);
		else
			eq(unmap(root, at, P), SYS_OK);
		space_check(space);
	}
	each_failure(n) {
		status = unmap(root, base + 4 * P, P);
		if (failed(status))
			ck_assert_uint_eq(vmar_find(root, base)->region.size, 16 * P);
		else
			ck_assert_uint_eq(vmar_find(root, base)->region.size, 4 * P);
	}
	each_failure(n) {
		status = map(root, RW | SYS_VM_SPECIFIC_OVERWRITE, 64 * P + 8 * P, 0, P);
		if (failed(status))
			ck_assert_uint_eq(vmar_find(root, base + 8 * P)->region.size, 11 * P);
		else
			ck_assert_uint_eq(vmar_find(root, base + 8 * P)->region.size, P);
	}
	each_failure(n) {
		status = protect(root, SYS_VM_PERM_READ, base + 11 * P, P);
		if (failed(status))
			ck_assert_ptr_null(vmar_find(root, base + 11 * P)->changes.root);
		mapping_check(&vmo->v);
	}
	each_failure(n) {                               /* tables do not fail */
		eq(touch(base + 4 * P + P, SYS_ACCESS_READ), SYS_OK);
		space_check(space);
		while (space_drop_oldest(space)) {
		}
	}
	failure_disarm();
	end();
}
END_TEST

/* ---- random operations against a flat model -------------------------------------------------------------- */
#define PAGES  1536u                    /* of the window: parts of four leaf tables */
#define WINDOW (P * 700)                /* its offset in the root */
#define VMOS   3u
struct cell { u8 vmo, perm, inner; u16 page; };         /* vmo 0: nothing */
static struct cell model[PAGES];
static struct fake *vmos[VMOS + 1];
static struct vmar *sub[4];             /* fixed regions of 96 pages in the window, or NULL */
static u64 sub_first(unsigned i) { return 200 + i * 300; }

static bool in_sub(u64 page, unsigned *which)
{
	for (unsigned i = 0; i < 4; i++)
		if (sub[i] && page >= sub_first(i) && page < sub_first(i) + 96) {
			*which = i + 1;
			return true;
		}
	*which = 0;
	return false;
}

/* How far the range may go so that it lies in one VMAR; which: 0 the root, else sub[which - 1]. */
static u64 random_range(u64 *first, unsigned *which)
{
	*first = random_below(PAGES);
	in_sub(*first, which);
	u64 n = 1, most = 1 + random_below(random_chance(10) ? 700 : 40);
	unsigned other;
	while (n < most && *first + n < PAGES && (in_sub(*first + n, &other), other == *which))
		n++;
	return n;
}

static vaddr_t va_of(u64 page) { return root->region.base + WINDOW + page * P; }
static struct vmar *owner(unsigned which) { return which ? sub[which - 1] : root; }

static void random_map(void)
{
	unsigned which, k = 1 + (unsigned)random_below(VMOS);
	u64 first, n = random_range(&first, &which), page = random_below(600);
	bool free = true, over = random_chance(40);
	static const u32 perms[] = { 0, SYS_VM_PERM_READ, RW, SYS_VM_PERM_READ | SYS_VM_PERM_EXECUTE };
	u32 perm = perms[random_below(4)];

	for (u64 i = 0; i < n; i++)
		free &= model[first + i].vmo == 0;
	struct vmar *r = owner(which);
	sys_status_t status;
	do
		status = vmar_map(r, ALL_VMAR, perm | (over ? SYS_VM_SPECIFIC_OVERWRITE : SYS_VM_SPECIFIC),
			va_of(first) - r->region.base,
		                  &vmos[k]->v, ALL_VMO, page * P, n * P, NULL, &at);
	while (status == VM_AGAIN);
	must(status == (free || over ? SYS_OK : SYS_ERR_ALREADY_EXISTS));
	for (u64 i = 0; status == SYS_OK && i < n; i++)
		model[first + i] = (struct cell){ (u8)k, (u8)perm, (u8)which, (u16)(page + i) };
}

static void random_unmap(void)
{
	unsigned which;
	u64 first, n = random_range(&first, &which);

	must(unmap(owner(which), va_of(first), n * P) == SYS_OK);
	memset(&model[first], 0, n * sizeof model[0]);
}

/* At most 128 pages, so that all is looked at before the first changes: what is refused changes nothing. */
static void random_protect(void)
{
	unsigned which;
	u64 first, n = random_range(&first, &which);
	u32 perm = random_chance(50) ? RW : random_chance(50) ? SYS_VM_PERM_READ : 0;
	bool hole = false;

	n = MIN(n, 128);
	for (u64 i = 0; i < n; i++)
		hole |= !model[first + i].vmo;
	must(protect(owner(which), perm, va_of(first), n * P) == (hole ? SYS_ERR_NOT_FOUND : SYS_OK));
	for (u64 i = 0; i < n && !hole; i++)
		model[first + i].perm = (u8)perm;
}

static void random_sub(void)
{
	unsigned i = (unsigned)random_below(4);
	u64 first = sub_first(i);

	if (sub[i]) {
		u64 around = random_chance(50) ? 5 : 0;
		sys_status_t status;
		if (around)
			status = unmap(root, va_of(first - around), (96 + 2 * around) * P);
		else
			while ((status = vmar_destroy(sub[i])) == VM_AGAIN) {
			}
		must(status == SYS_OK && vmar_is_dead(sub[i]));
		memset(&model[first - around], 0, (96 + 2 * around) * sizeof model[0]);
		drop(sub[i]);
		sub[i] = NULL;
		return;
	}
	for (u64 k = 0; k < 96; k++)
		if (model[first + k].vmo)
			return;
	sub[i] = region(root, CAN_ALL | SYS_VM_SPECIFIC, va_of(first) - root->region.base, 96 * P);
}

static void random_touch(void)
{
	u64 page = random_below(PAGES);
	const struct cell *c = &model[page];
	unsigned access = random_chance(50) ? SYS_ACCESS_WRITE : SYS_ACCESS_READ;
	sys_status_t expect = !c->vmo ? SYS_ERR_NOT_FOUND : access & ~c->perm ? SYS_ERR_ACCESS_DENIED : c->page >=
		512 ? SYS_ERR_OUT_OF_RANGE : SYS_OK;

	must(touch(va_of(page) + random_below(P), access) == expect);
	if (expect == SYS_OK) {
		struct page_ref ref;
		struct pt_entry e = pt_query(space->root, va_of(page));
		must(cursor_peek(&vmos[c->vmo]->v, c->page, &ref) && e.frame == ref.frame);
		must(access == SYS_ACCESS_READ || e.flags & PT_WRITE);
	}
}

static void random_content(void)
{
	struct fake *f = vmos[1 + random_below(VMOS)];
	u64 first = random_below(512), most = 1 + random_below(100), n = MIN(most, 512 - first);

	if (random_chance(50)) {
		fake_share(f);
		return;
	}
	while (!mapping_unmap_step(&f->v, first, first + n)) {
	}
	for (u64 i = first; i < first + n; i++)
		fake_page_drop(f, i);
}

static void check_model(void)
{
	vaddr_t until;

	for (u64 i = 0; i < PAGES; i++) {
		const struct mapping *m = vmar_find(root, va_of(i));
		must((m != NULL) == (model[i].vmo != 0));
		if (!m)
			continue;
		must(m->vmo == &vmos[model[i].vmo]->v && mapping_page(m, va_of(i)) == model[i].page);
		must(mapping_perm(m, va_of(i), &until) == model[i].perm);
		must(m->region.parent == owner(model[i].inner));
	}
	for (unsigned k = 1; k <= VMOS; k++)
		mapping_check(&vmos[k]->v);
	space_check(space);
}

static void run_random(unsigned steps)
{
	start();
	for (unsigned k = 1; k <= VMOS; k++)
		vmos[k] = fake_create(account, 512);
	for (unsigned step = 0; step < steps; step++) {
		host_preempt_every((unsigned)random_below(4));
		switch (random_below(16)) {
		case 0: case 1: case 2: random_map(); break;
		case 3: case 4: random_unmap(); break;
		case 5: case 6: random_protect(); break;
		case 7: random_sub(); break;
		case 8: random_content(); break;
		default: random_touch();
		}
		if (step % 16 == 0)
			check_model();
	}
	check_model();
	for (unsigned i = 0; i < 4; i++)
		if (sub[i])
			drop(sub[i]);
	for (unsigned k = 1; k <= VMOS; k++)
		object_uncap(&vmos[k]->v.object);
	end();
}

START_TEST(random_operations) { run_random(12000); }
END_TEST

/* The same with a space that has hardly more tables than its reserve: the oldest are used again all the time. */
START_TEST(gaps)
{
	static u8 taken[256];

	start();
	struct vmar *r = region(root, CAN_ALL | SYS_VM_ALIGN(20), 0, 256 * P);
	for (unsigned step = 0; step < 20000; step++) {
		u64 n = 1 + random_below(24), a = 1ull << random_below(5), limit = random_chance(50) ? 256 :
			n + random_below(257 - n), lowest = 256;
		if (random_chance(45)) {
			u64 first = random_below(256 - n);
			must(unmap(r, r->region.base + first * P, n * P) == SYS_OK);
			memset(taken + first, 0, n);
			continue;
		}
		for (u64 i = 0; i + n <= limit && lowest == 256; i += a)
			if (!memchr(taken + i, 1, n))
				lowest = i;
		u32 options = RW | (a > 1 ? SYS_VM_ALIGN(12 + __builtin_ctzll(a)) : 0) | (limit < 256 ?
			SYS_VM_OFFSET_IS_UPPER_LIMIT : 0);
		sys_status_t status = map(r, options, limit < 256 ? limit * P : 0, 0, n * P);
		must(status == (lowest < 256 ? SYS_OK : SYS_ERR_NO_RESOURCES));
		if (status == SYS_OK) {
			must(at == r->region.base + lowest * P);
			memset(taken + lowest, 1, n);
		}
		if (step % 64 == 0)
			region_check(r);
	}
	drop(r);
	end();
}
END_TEST

START_TEST(end_in_the_middle)
{
	start();
	for (unsigned i = 0; i < 20; i++) {
		struct vmar *r = region(root, CAN_ALL | SYS_VM_ALIGN(30), 0, 8 * P);
		eq(map(r, RW, 0, i * P, 4 * P), SYS_OK);
		eq(protect(r, SYS_VM_PERM_READ, at + P, P), SYS_OK);
		eq(touch(at, SYS_ACCESS_WRITE), SYS_OK);
		drop(r);
	}
	space_check(space);
	object_end(&vmo->v.object);             /* forced: its account is swept */
	eq(touch(at, SYS_ACCESS_READ), SYS_ERR_BAD_STATE);
	eq(unmap(root, at, P), SYS_ERR_INVALID_ARGS);
	while (object_reap_step(NULL))
		space_check(space);
	eq(touch(at, SYS_ACCESS_READ), SYS_ERR_NOT_FOUND);
	ck_assert_uint_eq(space->tables, 0);
	end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("vmar");
	add_test(s, allocate_refusals);
	add_test(s, allocate_places);
	add_test(s, map_refusals);
	add_test(s, map_places);
	add_test(s, map_range_enters_what_is_there);
	add_test(s, unmap_refusals);
	add_test(s, protect_refusals);
	add_test(s, protect_alternating);
	add_test(s, destroy);
	add_test(s, maps);
	add_test(s, failures_change_nothing);
	add_test(s, gaps);
	add_test(s, end_in_the_middle);
	add_test(s, random_operations);
	return s;
}
