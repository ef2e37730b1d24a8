/* SPDX-License-Identifier: BSD-2-Clause */
/* family.c: children of VMOs, whatever their kind: who may make them, who counts them, in which order they end. What each kind
 * shows of its parent is snapshot.c's, slice.c's, reference.c's, rootclone.c's and modified.c's. */
#include "common/content.h"
#include "common/helper.h"

enum { ROUNDS = 60, CLOSERS = 4 };

TEST("vmo_create_child:ACCESS_DENIED without COPY or READ (CHILD-02)")
{
	sys_cap_t vmo = new_vmo(4 * PAGE), out = 99;

	REFUSED(SYS_ERR_ACCESS_DENIED,
		sys_vmo_create_child(less(vmo, SYS_RIGHT_READ), ut, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE, &out));
	sys_cap_t no_copy = less(vmo, SYS_RIGHT_COPY);
	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmo_create_child(no_copy, ut, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE, &out));
	EQ(out, 99);
	OKAY(sys_vmo_create_child(reduced(vmo, SYS_RIGHT_READ | SYS_RIGHT_COPY), ut, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE, &out));
}

TEST("vmo_create_child:OK rights of a snapshot: the parent's and WRITE, less EXECUTE; with NO_WRITE the other way round "
     "(CHILD-09, CHILD-10, EXEC-03)")
{
	sys_cap_t code = new_vmo(PAGE);

	OKAY(sys_vmo_replace_as_executable(code, SYS_CAP_RESOURCE, &code));
	sys_rights_t all = cap_info(code).rights;
	CHECK(all & SYS_RIGHT_EXECUTE);
	sys_cap_t reader = less(code, SYS_RIGHT_WRITE);
	EQ(cap_info(child_of(reader, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE)).rights, all & ~SYS_RIGHT_EXECUTE);
	EQ(cap_info(child_of(reader, SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_NO_WRITE, 0, PAGE)).rights, all & ~SYS_RIGHT_WRITE);
	EQ(cap_info(child_of(code, SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_NO_WRITE, 0, PAGE)).rights, all & ~SYS_RIGHT_WRITE);
	sys_cap_t few = reduced(code, SYS_RIGHT_READ | SYS_RIGHT_COPY);
	sys_rights_t got = cap_info(child_of(few, SYS_VMO_CHILD_SNAPSHOT, 0, PAGE)).rights;
	EQ(got & (SYS_RIGHT_READ | SYS_RIGHT_COPY | SYS_RIGHT_WRITE | SYS_RIGHT_EXECUTE | SYS_RIGHT_MAP),
	   SYS_RIGHT_READ | SYS_RIGHT_COPY | SYS_RIGHT_WRITE);
}

TEST("vmo_write:ACCESS_DENIED on a read-only child; a snapshot of it can be written (CHILD-12, CHILD-13)")
{
	sys_cap_t vmo = numbered_with(2, 1, 0), fixed = child_of(vmo, SYS_VMO_CHILD_SNAPSHOT | SYS_VMO_CHILD_NO_WRITE, 0, 2 * PAGE);

	REFUSED(SYS_ERR_ACCESS_DENIED, sys_vmo_write(fixed, "x", 0, 1));
	sys_cap_t again = new_snapshot(fixed, 0, 2 * PAGE);
	put(again, 0, 50);
	EQ(get(again, 0), 50);
	EQ(get(fixed, 0), 1);
}

TEST("cap_watch:OK a child is counted when it is made, and until it and its mappings are gone (CHILD-14, CHILD-15)")
{
	sys_cap_t vmo = new_vmo(4 * PAGE), ntfn = watch_children(vmo);

	CHECK(told(ntfn));
	sys_cap_t child = new_snapshot(vmo, 0, 4 * PAGE);
	EQ(vmo_info(vmo).children, 1);
	sys_cap_t later = watch_children(vmo);
	CHECK(!told(later));
	void *at = map(child, 4 * PAGE);
	OKAY(sys_cap_delete(child));
	EQ(vmo_info(vmo).children, 1);
	CHECK(!told(later));
	unmap(at, 4 * PAGE);
	EQ(vmo_info(vmo).children, 0);
	CHECK(told(later));
}

TEST("cap_watch:OK a child in the middle ends: its own child keeps their parent from being without (CHILD-15, CHILD-16)")
{
	sys_cap_t vmo = numbered_with(4, 1, 0), middle = new_snapshot(vmo, 0, 4 * PAGE), last = new_snapshot(middle, 0, 4 * PAGE);
	sys_cap_t ntfn = watch_children(vmo);

	OKAY(sys_cap_delete(middle));
	CHECK(!told(ntfn));
	EQ(vmo_info(vmo).children, 1);
	PAGES_ARE(last, 0, 4, 1);
	OKAY(sys_cap_delete(last));
	CHECK(told(ntfn));
	EQ(vmo_info(vmo).children, 0);
}

TEST("vmo_info:OK whose child it is, and how many there are of each parent (CHILD-17, CHILD-18)")
{
	sys_cap_t vmo = new_vmo(4 * PAGE), a = new_snapshot(vmo, 0, PAGE), b = new_snapshot(vmo, PAGE, PAGE), c = new_snapshot(a, 0, PAGE);

	EQ(vmo_info(vmo).parent_koid, 0);
	EQ(vmo_info(a).parent_koid, cap_info(vmo).koid);
	EQ(vmo_info(b).parent_koid, cap_info(vmo).koid);
	EQ(vmo_info(c).parent_koid, cap_info(a).koid);
	EQ(vmo_info(vmo).children, 2);
	EQ(vmo_info(a).children, 1);
	EQ(vmo_info(b).children, 0);
}

struct closer { sys_cap_t cap[2]; volatile bool go; };

static int64_t closes(void *arg)
{
	struct closer *closer = arg;
	while (!closer->go)
		sys_thread_yield();
	sys_cap_delete(closer->cap[0]);
	sys_cap_delete(closer->cap[1]);
	return 0;
}

TEST("cap_delete:OK parents and children at the same time, by several threads (CHILD-20, CHILD-21)")
{
	uint64_t before = used(ut);

	for (int round = 0; round < ROUNDS; round++) {
		sys_cap_t vmo = numbered_with(24, 1, 0), kept = new_snapshot(vmo, 0, 24 * PAGE), thread[CLOSERS];
		struct closer closer[CLOSERS];
		for (int i = 0; i < CLOSERS; i++) {
			sys_cap_t parent = i == 0 ? vmo : new_snapshot(vmo, 0, 24 * PAGE);
			put(parent, (uint64_t)i * PAGE, 70);
			closer[i] = (struct closer){{parent, new_snapshot(parent, 0, 24 * PAGE)}, false};
			put(closer[i].cap[1], 20 * PAGE, 71);
			thread[i] = helper_start(closes, &closer[i]);
		}
		for (int i = 0; i < CLOSERS; i++)
			closer[i].go = true;
		for (int i = 0; i < CLOSERS; i++) {
			EQ(until_exited(thread[i]), 0);
			OKAY(sys_cap_delete(thread[i]));
		}
		helper_drop(CLOSERS);
		PAGES_ARE(kept, 0, 24, 1);
		EQ(private_of(kept), 24 * PAGE);
		OKAY(sys_cap_delete(kept));
	}
	EQ(used(ut), before);
}

TEST("vmo_create_child:OK pages that nobody had, and pages that no child sees, are nobody's copies (CHILD-SNAP-09, "
     "CHILD-SNAP-11)")
{
	sys_cap_t vmo = new_vmo(64 * PAGE);

	number(vmo, 0, 16, 1);
	sys_cap_t child = new_snapshot(vmo, 0, 16 * PAGE);
	put(vmo, 40 * PAGE, 9);                 /* behind what the child sees */
	put(child, 15 * PAGE + 8, 9);
	EQ(private_of(vmo), 2 * PAGE);          /* that one, and what the child has left behind */
	EQ(private_of(child), PAGE);
	sys_cap_t sparse = new_snapshot(vmo, 0, 64 * PAGE);
	uint64_t before = committed_of(vmo);
	put(sparse, 30 * PAGE, 5);
	EQ(private_of(sparse), PAGE);
	EQ(committed_of(vmo), before);
	EQ(get(vmo, 30 * PAGE), 0);
}

TEST("vmar_map:OK MAP_RANGE of a snapshot copies no page (CHILD-SNAP-18)")
{
	sys_cap_t vmo = numbered_with(16, 1, 0), child = new_snapshot(vmo, 0, 16 * PAGE);
	volatile uint64_t *at = map_in(SYS_CAP_VMAR, child, SYS_VM_PERM_READ | SYS_VM_MAP_RANGE, 0, 16 * PAGE);

	EQ(private_of(child), 0);
	for (uint64_t i = 0; i < 16; i++)
		EQ(at[i * 512], i + 1);
	EQ(private_of(child), 0);
	put(vmo, 3 * PAGE, 70);
	EQ(at[3 * 512], 4);
	unmap((void *)at, 16 * PAGE);
}
