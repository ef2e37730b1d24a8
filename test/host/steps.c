/* SPDX-License-Identifier: BSD-2-Clause */
/* steps.c: kernel/vm: long calls stop when somebody asks for the CPU, often enough, and go on where they were; when nobody asks they
 * are done in one entry. Either way the result is the same. */
#include <string.h>
#include "arch/arch.h"
#include "common/harness.h"
#include "mem/account.h"
#include "mem/frame.h"
#include "vm/source.h"
#include "vm/space.h"

#define P     PAGE_SIZE_
#define RW    (SYS_VM_PERM_READ | SYS_VM_PERM_WRITE)
#define PAGES 1000u
#define VIEWS 30u

static struct account *account;
static struct space *space;
static struct vmo *v, *child, *alone;   /* alone: nobody maps it */
static vaddr_t at[VIEWS];               /* v's mappings */
static vaddr_t buffer;
static struct page_wait none;
static u64 done;
static unsigned asked;                  /* whether somebody asks for the CPU at each step */
static sys_vmo_info_t info;
static u8 big[64 * PAGE_SIZE_];

#define must_ok(call) must((call) == SYS_OK)

static void reap_all(void)
{
	while (object_reap_step(NULL)) {
	}
}

static struct vmo *object(u64 pages)
{
	struct vmo *o;

	must_ok(vmo_create(account, pages * P, SYS_VMO_RESIZABLE, &o));
	object_cap(&o->object);
	return o;
}

static vaddr_t map(struct vmo *o, u64 pages)
{
	vaddr_t va;

	must_ok(vmar_map(&space->root_vmar, SYS_RIGHTS_VMAR, RW, 0, o, SYS_RIGHTS_VMO, 0, pages * P, NULL, &va));
	return va;
}

static u64 *word(u64 page)
{
	struct page_ref ref;

	must(cursor_peek(v, page, &ref));
	return phys_to_virt(ref.frame);
}

/* An object whose pages have their numbers in them, mapped often, seen everywhere; a buffer. */
static void start(void)
{
	machine_start(16384);
	vmo_boot();
	object_type_set(SYS_TYPE_VMAR, &vmar_type);
	must_ok(account_create(account_root(), 6000, &account));
	object_cap(&account->object);
	must_ok(space_create(account, false, &space));
	object_cap((struct object *)space);
	page_wait_init(&none);
	v = object(PAGES);
	child = alone = NULL;
	done = 0;
	must_ok(vmo_op_range(v, SYS_VMO_OP_COMMIT, 0, PAGES * P, &done, &none));
	for (u64 i = 0; i < PAGES; i++)
		*word(i) = i + 1;
	for (unsigned i = 0; i < VIEWS; i++) {
		at[i] = map(v, PAGES);
		for (u64 page = 0; page < PAGES; page += 7) {
			sys_status_t status;

			while ((status = vm_fault(space, at[i] + page * P, SYS_ACCESS_WRITE, 9, &none)) == VM_AGAIN) {
			}
			must_ok(status);
		}
	}
	struct vmo *b = object(64);
	done = 0;
	must_ok(vmo_op_range(b, SYS_VMO_OP_COMMIT, 0, 64 * P, &done, &none));
	buffer = map(b, 64);
	object_uncap(&b->object);
	done = 0;
	memset(big, 7, sizeof big);
}

static void end(void)
{
	vmo_check(v);
	space_check(space);
	if (child)
		object_uncap(&child->object);
	if (alone)
		object_uncap(&alone->object);
	object_uncap(&v->object);
	object_uncap((struct object *)space);
	reap_all();
	must(account->used == 0);
	object_uncap(&account->object);
	reap_all();
	account_check_all();
	frame_check();
}

/* ---- calls ---------------------------------------------------------------------------------------------------------------- */

static sys_status_t shrink(void) { return vmo_set_size(v, 10 * P + 5, true, NULL); }
static sys_status_t decommit(void) { return vmo_op_range(v, SYS_VMO_OP_DECOMMIT, 10 * P, 900 * P, &done, &none); }
static sys_status_t zero(void) { return vmo_op_range(v, SYS_VMO_OP_ZERO, 10 * P + 100, 900 * P, &done, &none); }
static sys_status_t look(void) { return vmo_info(v, &info); }
static sys_status_t read_all(void) { return vmo_read(v, space, buffer, 100, 63 * P, &done, 9, &none); }
static sys_status_t write_all(void) { return vmo_write(v, space, buffer, 100, 63 * P, &done, 9, &none); }
static sys_status_t copy_in(void) { return space_copy_in(space, big, at[0] + 100, 63 * P, &done, 9, &none); }
static sys_status_t copy_out(void) { return space_copy_out(space, at[0] + 100, big, 63 * P, &done, 9, &none); }
static sys_status_t unmap(void) { return vmar_unmap(&space->root_vmar, true, at[0] + 100 * P, 800 * P); }
static sys_status_t protect(void) { return vmar_protect(&space->root_vmar, SYS_RIGHTS_VMAR, SYS_VM_PERM_READ, at[0] + P, 900 * P, &done); }
static sys_status_t destroy(void) { return vmar_destroy(&space->root_vmar); }

static sys_status_t commit(void)
{
	alone = done ? alone : object(PAGES);
	return vmo_op_range(alone, SYS_VMO_OP_COMMIT, 0, PAGES * P, &done, &none);
}
static sys_status_t trim(void)
{
	if (!done++) {
		u64 reached = 0;

		alone = object(PAGES);
		host_preempt_every(0);
		must_ok(vmo_op_range(alone, SYS_VMO_OP_COMMIT, 0, PAGES * P, &reached, &none));
		host_preempt_every(asked);
	}
	return vmo_set_size(alone, P, true, NULL);
}

static sys_status_t snapshot(void)
{
	sys_status_t status = vmo_create_child(v, account, SYS_VMO_CHILD_SNAPSHOT, 0, PAGES * P, &child);

	if (status == SYS_OK)
		object_cap(&child->object);
	return status;
}
static sys_status_t reap(void)
{
	if (!done++) {
		object_uncap(&v->object);
		object_end(&v->object);
		v = object(1);
	}
	return object_reap(NULL) ? SYS_OK : VM_AGAIN;
}

/* What page i of the object holds after a call. */
static u64 kept(u64 i) { return i + 1; }
static u64 shrunk(u64 i) { return i <= 10 ? i + 1 : 0; }
static u64 emptied(u64 i) { return i < 10 || i >= 910 ? i + 1 : 0; }
static u64 zeroed(u64 i) { return i <= 10 || i > 910 ? i + 1 : 0; }

/* times: it comes back so often when somebody asks at each step, no more and no less: so much is what one step does, which bounds how
 * long an entry takes, and nothing is done twice. anyway: when nobody asks. */
static const struct { const char *name; sys_status_t (*call)(void); u64 (*after)(u64 page); unsigned times, anyway; } calls[] = {
	{ "shrink",   shrink,    shrunk,  297, 0 },
	{ "decommit", decommit,  emptied, 3258, 0 },
	{ "zero",     zero,      zeroed,  3259, 0 },
	{ "info",     look,      kept,    63, 0 },
	{ "read",     read_all,  kept,    125, 0 },
	{ "write",    write_all, NULL,    125, 0 },
	{ "copy in",  copy_in,   kept,    62, 0 },
	{ "copy out", copy_out,  NULL,    62, 0 },
	{ "unmap",    unmap,     kept,    9, 0 },
	{ "protect",  protect,   kept,    7, 0 },
	{ "destroy",  destroy,   kept,    264, 0 },
	{ "commit",   commit,    kept,    124, 0 },
	{ "trim",     trim,      kept,    63, 0 },
	{ "snapshot", snapshot,  kept,    262, 1 },
	{ "reap",     reap,      NULL,    325, 0 },
};

static void content(u64 (*after)(u64))
{
	for (u64 i = 0; after && i < v->size / P; i++)
		must(*word(i) == after(i));
}

START_TEST(entries)
{
	for (unsigned i = 0; i < ARRAY_LEN(calls); i++)
		for (asked = 0; asked < 2; asked++) {
			unsigned again = 0;
			sys_status_t status;

			start();
			host_preempt_every(asked);
			while ((status = calls[i].call()) == VM_AGAIN)
				again++;
			host_preempt_every(0);
			ck_assert_msg(status == SYS_OK, "%s: %d", calls[i].name, status);
			ck_assert_msg(again == (asked ? calls[i].times : calls[i].anyway), "%s: %u times again", calls[i].name, again);
			content(calls[i].after);
			end();
		}
}
END_TEST

/* ---- two at the same time ------------------------------------------------------------------------------------------------- */

static const u64 ends[] = { 0, 3 * P + 7, 3 * P + 900, 5 * P, 8 * P + 100, 11 * P };

/* All bytes of v are 9 but for those in [low, high), which are zero. */
static void zero_between(u64 low, u64 high)
{
	static u8 want[P];

	for (u64 at = 0; at < v->size; at += P) {
		u64 from = MIN(MAX(low, at), at + P) - at, to = MIN(MAX(high, at), at + P) - at;

		memset(want, 9, P);
		memset(want + from, 0, to - from);
		ck_assert_mem_eq(word(at / P), want, P);
	}
}

struct setter { u64 size, reached; bool done; };

/* One entry of it, if it is not done. */
static void step(struct setter *s, u64 *last)
{
	if (s->done)
		return;
	sys_status_t status = vmo_set_stream_size(v, s->size, &s->reached, &none);
	must(status == SYS_OK || status == VM_AGAIN);
	s->done = status == SYS_OK;
	if (s->done)
		*last = s->size;
}

/* The first sets the stream size from `from` to `a`; after so many entries of that the second sets it to `b`, whole or in turns with
 * the rest of the first. False: the first was done before. */
static bool interleave(u64 from, u64 a, u64 b, unsigned entries, bool turns)
{
	struct setter first = { .size = a }, second = { .size = b };
	u64 last = from, size;

	v->stream_size = from;
	done = 0;
	must_ok(vmo_op_range(v, SYS_VMO_OP_COMMIT, 0, v->size, &done, &none));
	for (u64 i = 0; i < v->size / P; i++)
		memset(word(i), 9, P);
	host_preempt_every(1);
	while (entries--)
		step(&first, &last);
	bool met = !first.done;
	while (!first.done || !second.done) {
		step(&second, &last);
		if (turns || second.done)
			step(&first, &last);
	}
	host_preempt_every(0);
	must_ok(vmo_get_size(v, true, &size));
	ck_assert_uint_eq(size, last);
	zero_between(MIN(from, MIN(a, b)), MAX(from, MAX(a, b)));
	return met;
}

/* It ends as the one that is done last wants it, and what lies between any two of the three sizes is zero, no byte more. */
START_TEST(two_set_the_stream_size)
{
	start();
	object_uncap(&v->object);
	v = object(12);
	for (unsigned i = 0; i < ARRAY_LEN(ends) * ARRAY_LEN(ends) * ARRAY_LEN(ends); i++) {
		u64 from = ends[i % ARRAY_LEN(ends)], a = ends[i / ARRAY_LEN(ends) % ARRAY_LEN(ends)], b = ends[i / ARRAY_LEN(ends) / ARRAY_LEN(ends)];

		for (unsigned entries = 0; interleave(from, a, b, entries, false); entries++)
			interleave(from, a, b, entries, true);
	}
	end();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("steps");

	add_test(s, entries);
	add_test(s, two_set_the_stream_size);
	return s;
}
