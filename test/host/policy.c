/* SPDX-License-Identifier: BSD-2-Clause */
/* policy.c: cache policies: when one may change, what is flushed then, how mappings are entered. */
#include <string.h>
#include "arch/pagetable.h"
#include "common/user.h"
#include "vm/vmar.h"

static struct account *a;
static struct vmo *v;

static void start(u64 pages)
{
	user_boot(4096);
	a = account_new(account_root(), 2048);
	must(vmo_create(a, pages * PAGE_SIZE_, SYS_VMO_RESIZABLE, &v) == SYS_OK);
	object_cap(&v->object);
}

static sys_status_t set(u32 policy)
{
	u64 next = 0;
	sys_status_t status;
	while ((status = vmo_set_cache_policy(v, policy, &next)) == VM_AGAIN)
		;
	return status;
}

static void commit(u64 page, u64 pages)
{
	u64 done = 0;
	must(vmo_op_range(v, SYS_VMO_OP_COMMIT, page * PAGE_SIZE_, pages * PAGE_SIZE_, &done, NULL) == SYS_OK);
}

START_TEST(pages_are_flushed_once)
{
	start(1u << 20);
	commit(3, 40);
	commit(700000, 5);
	host_preempt_every(1);
	ck_assert_int_eq(set(4), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(set(SYS_CACHE_CACHED), SYS_OK);
	ck_assert_uint_eq(host_cache_flushes, 0);
	ck_assert_int_eq(set(SYS_CACHE_WRITE_COMBINING), SYS_OK);
	ck_assert_uint_eq(host_cache_flushes, 45);
	ck_assert_int_eq(set(SYS_CACHE_UNCACHED), SYS_ERR_BAD_STATE);   /* it has pages */
	ck_assert_int_eq(set(SYS_CACHE_CACHED), SYS_ERR_BAD_STATE);
	ck_assert_uint_eq(v->cache_policy, SYS_CACHE_WRITE_COMBINING);
	host_preempt_every(0);
	ck_assert_int_eq(vmo_set_size(v, 0, true, NULL), SYS_OK);
	ck_assert_int_eq(set(SYS_CACHE_CACHED), SYS_OK);
}
END_TEST

/* On a VMO as large as there can be it costs what is there. */
START_TEST(sparse_is_cheap)
{
	u64 next = 0;

	start(VMO_MAX_SIZE >> PAGE_SHIFT);
	commit(1ull << 50, 1);
	ck_assert_int_eq(vmo_set_cache_policy(v, SYS_CACHE_UNCACHED, &next), SYS_OK);
	ck_assert_uint_eq(host_cache_flushes, 1);
}
END_TEST

START_TEST(mappings_are_entered_so)
{
	static const struct { u32 policy, flags; } kinds[] = {
		{ SYS_CACHE_CACHED, 0 }, { SYS_CACHE_UNCACHED, PT_UNCACHED }, { SYS_CACHE_UNCACHED_DEVICE, PT_UNCACHED },
		{ SYS_CACHE_WRITE_COMBINING, PT_COMBINING },
	};
	struct space *s;
	struct page_wait w;
	vaddr_t at;

	start(4);
	must(space_create(a, false, &s) == SYS_OK);
	object_cap((struct object *)s);
	page_wait_init(&w);
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		ck_assert_int_eq(set(kinds[i].policy), SYS_OK);
		must(vmar_map(&s->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0, v, SYS_RIGHTS_VMO, 0,
		              4 * PAGE_SIZE_, NULL, &at) == SYS_OK);
		u64 flushes = host_cache_flushes;
		must(vm_fault(s, at, SYS_ACCESS_WRITE, 0, &w) == SYS_OK);
		must(vm_fault(s, at + PAGE_SIZE_, SYS_ACCESS_READ, 0, &w) == SYS_OK);
		ck_assert_uint_eq(pt_query(s->root, at).flags & PT_UNCACHED, kinds[i].flags);
		ck_assert_uint_eq(host_cache_flushes - flushes, kinds[i].policy ? 1 : 0);       /* the page that was made */
		ck_assert_int_eq(set(SYS_CACHE_CACHED), SYS_ERR_BAD_STATE);
		vmo_check(v);
		while (vmar_unmap(&s->root_vmar, true, at, 4 * PAGE_SIZE_) == VM_AGAIN)
			;
		must(vmo_set_size(v, 0, true, NULL) == SYS_OK);
		must(vmo_set_size(v, 4 * PAGE_SIZE_, true, NULL) == SYS_OK);
	}
}
END_TEST

/* Who has children, is one, or is dying keeps its policy; and an uncached one is neither copied nor read. */
START_TEST(not_with_relatives)
{
	struct vmo *child, *kept = v;

	start(4);
	kept = v;
	must(vmo_create_child(v, a, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE_SIZE_, &child) == SYS_OK);
	object_cap(&child->object);
	ck_assert_int_eq(set(SYS_CACHE_UNCACHED), SYS_ERR_BAD_STATE);
	v = child;
	ck_assert_int_eq(set(SYS_CACHE_UNCACHED), SYS_ERR_BAD_STATE);
	object_uncap(&child->object);
	v = kept;
	ck_assert_int_eq(set(SYS_CACHE_UNCACHED), SYS_OK);
	ck_assert_int_eq(vmo_create_child(v, a, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE_SIZE_, &child), SYS_ERR_BAD_STATE);
	object_end(&v->object);
	ck_assert_int_eq(set(SYS_CACHE_UNCACHED), SYS_ERR_BAD_STATE);
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("policy");
	add_test(s, pages_are_flushed_once);
	add_test(s, sparse_is_cheap);
	add_test(s, mappings_are_entered_so);
	add_test(s, not_with_relatives);
	return s;
}
