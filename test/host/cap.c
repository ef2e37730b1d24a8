/* SPDX-License-Identifier: BSD-2-Clause */
/* cap.c: kernel/cap: CNodes, names and generations of slots, and how capabilities are put, moved and taken away one
 * by one. */
#include <stdio.h>
#include "common/kernel.h"

static struct account *root, *a;
static struct cnode *cs;                /* of 64 slots */
static struct slot *top;                /* the account's first capability, in cs */

static void start(void)
{
	kernel_start(4096);
	root = account_root();
	a = account_new(root, 1000);
	cs = cnode_new(root, 64);
	top = cap_put(cs, a, NULL, SLOT_FIRST);
}

static void check(void)
{
	kernel_check();
	cnode_check(cs);
	deriv_check(top);
}

static u32 count_free(struct cnode *c)
{
	u32 n = 0;

	while (cnode_has_free(c, n + 1))
		n++;
	return n;
}

/* The slots that the list names from here on, "(" opening and ")" closing, each by its index; "*" any other entry. */
static const char *shape(const struct slot *first)
{
	static char text[1024];
	char *end = text;
	const struct deriv *d = &first->open;
	u64 link = (u64)d | DERIV_SLOT_OPEN;

	text[0] = 0;
	for (; link; link = deriv_at(link)->next) {
		d = deriv_at(link);
		if (deriv_kind_of(link) == DERIV_SLOT_OPEN)
			end += sprintf(end, "%u(", slot_index(container_of(d, struct slot, open)));
		else
			end += sprintf(end, deriv_kind_of(link) == DERIV_SLOT_CLOSE ? ")" : "*");
	}
	return text;
}

#define expect_shape(text) ck_assert_str_eq(shape(top), text)

/* ---- CNodes ------------------------------------------------------------------------------------------------------ */

START_TEST(cnode_sizes)
{
	static const u32 wrong[] = { 0, 1, 8, 15, 17, 24, 100, 1u << 21, 3u << 19, UINT32_MAX, 1u << 31 };
	static const struct { u32 slots; u64 frames; } right[] = {
		{ 16, 1 }, { 32, 1 }, { 64, 1 }, { 128, 3 }, { 4096, 65 }, { 32768, 513 }, { 65536, 1 + 2 + 1024 },
		{ 1u << 20, 1 + 32 + 16384 },
	};
	struct cnode *c = NULL;

	kernel_start(40000);
	root = account_root();
	for (unsigned i = 0; i < ARRAY_LEN(wrong); i++)
		ck_assert_int_eq(cnode_create(root, wrong[i], &c), SYS_ERR_INVALID_ARGS);
	for (unsigned i = 0; i < ARRAY_LEN(right); i++) {
		u64 used = root->used, free = frame_count_free(), steps = 1;

		ck_assert_int_eq(cnode_create(root, right[i].slots, &c), SYS_OK);
		ck_assert_uint_eq(root->used, used + right[i].frames + 1);      /* and the slab that it lies in */
		ck_assert(cnode_lookup(c, 1) == NULL && cnode_slot(c, 0) == NULL && !cnode_has_free(c, 1));
		while (!cnode_build_step(c))
			steps++;
		ck_assert(cnode_build_step(c) && c->built == right[i].slots);
		ck_assert_uint_eq(steps, (right[i].slots + 63) / 64);
		ck_assert_uint_eq(frame_count_free(), free - right[i].frames - 1);
		object_end(&c->object);
		kernel_reap();
		ck_assert(root->used == used && frame_count_free() == free);
		kernel_check();
	}
}
END_TEST

/* Each slot is found by its index, knows it, and none lies past the end. */
START_TEST(cnode_slots)
{
	static const u32 sizes[] = { 16, 64, 128, 32768, 65536 };

	kernel_start(4096);
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		struct cnode *c = cnode_new(account_root(), sizes[i]);
		struct slot *last = NULL;

		for (u32 n = 0; n < c->slots; n++) {
			struct slot *s = cnode_slot(c, n);
			must(s && s != last && slot_index(s) == n && slot_cnode(s) == c && !s->object &&
			     s->generation == 0);
			last = s;
		}
		ck_assert(!cnode_slot(c, c->slots) && !cnode_slot(c, UINT32_MAX));
		ck_assert(cnode_has_free(c, c->slots - 1) && !cnode_has_free(c, c->slots));
		cnode_check(c);
	}
}
END_TEST

/* One that is not finished can be used up to where it is laid out, and taken apart at every point. */
START_TEST(cnode_unfinished)
{
	kernel_start(4096);
	root = account_root();
	u64 used = root->used, free = frame_count_free();
	for (u32 steps = 0; steps <= 4; steps++)
		for (u32 slots = 64; slots <= 65536; slots *= 4) {
			struct cnode *c;
			ck_assert_int_eq(cnode_create(root, slots, &c), SYS_OK);
			for (u32 i = 0; i < steps; i++)
				cnode_build_step(c);
			ck_assert(c->built == MIN(steps * 64, slots) && !cnode_slot(c, c->built));
			object_end(&c->object);
			kernel_reap();
			ck_assert(root->used == used && frame_count_free() == free);
		}
	kernel_check();
}
END_TEST

static void is_laid_out(const struct cnode *c)
{
	for (u32 n = 0; n < c->built; n += n % 64 == 63 || c->built - n < 64 ? 1 : 62) {
		struct slot *s = cnode_slot(c, n);
		must(s && slot_index(s) == n && slot_cnode(s) == c);
	}
	for (u32 n = c->built; n < c->slots + 64; n += 64)
		must(!cnode_slot(c, n));
}

/* At each point of its making and of its end its slots are found, as far as they are laid out. */
START_TEST(cnode_in_steps)
{
	kernel_start(4096);
	root = account_root();
	for (u32 slots = 16; slots <= 65536; slots *= 16) {
		struct cnode *c;
		unsigned step = 0;
		ck_assert_int_eq(cnode_create(root, slots, &c), SYS_OK);
		do
			is_laid_out(c);
		while (!cnode_build_step(c));
		ck_assert_uint_eq(c->built, slots);
		for (object_end(&c->object); c->built; step++) {
			if (step % 32 < 2)
				is_laid_out(c);
			must(object_reap_step(NULL));
		}
		kernel_reap();
	}
	kernel_check();
}
END_TEST

START_TEST(cnode_without_memory)
{
	struct cnode *c = NULL;

	start();
	u64 used = a->used, free = frame_count_free(), objects = a->objects;
	each_failure(n) {
		sys_status_t status = cnode_create(a, 4096, &c);
		if (!allocation_failed()) {
			ck_assert_int_eq(status, SYS_OK);
			continue;
		}
		ck_assert_int_eq(status, SYS_ERR_NO_MEMORY);
		ck_assert(a->used == used && frame_count_free() == free && a->objects == objects && !a->dying);
		ck_assert_uint_le(n, 2);
	}
	object_end(&c->object);
	kernel_reap();
	for (u64 frames = 1; frames <= 66; frames++) {
		struct account *small = account_new(a, frames);
		ck_assert_int_eq(cnode_create(small, 4096, &c), frames < 66 ? SYS_ERR_NO_MEMORY : SYS_OK);
		ck_assert_uint_eq(small->used, frames < 66 ? 0 : 66);
		small->closed = true;
		ck_assert_int_eq(cnode_create(small, 16, &c), SYS_ERR_BAD_STATE);
		object_end(&small->object);
		kernel_reap();
	}
	ck_assert(a->used == used && frame_count_free() == free);
	check();
}
END_TEST

/* ---- names ------------------------------------------------------------------------------------------------------- */

#define N(index, generation) slot_name(index, generation)

static sys_status_t fill_named(sys_cap_t name)
{
	struct slot *s = (struct slot *)1;
	u32 generation = 12345;
	sys_status_t status = cnode_free_slot(cs, name, &s, &generation);

	if (status != SYS_OK) {
		ck_assert(s == (struct slot *)1 && generation == 12345);
		return status;
	}
	slot_fill(s, generation, object_new(a, SYS_TYPE_NOTIFICATION), SYS_RIGHTS_NOTIFICATION, 0, top, SLOT_FIRST);
	if (name != SYS_SLOT_ANY)
		ck_assert(slot_cap(s) == name && cnode_lookup(cs, name) == s);
	return SYS_OK;
}

static void delete_named(sys_cap_t name)
{
	struct slot *s = cnode_lookup(cs, name);

	ck_assert_ptr_nonnull(s);
	ck_assert_int_eq(cap_delete(s), SYS_OK);
	ck_assert_ptr_null(cnode_lookup(cs, name));
}

START_TEST(names)
{
	start();
	ck_assert_uint_eq(slot_cap(top), 1);                            /* slot 0 is never given */
	ck_assert_int_eq(fill_named(5), SYS_OK);
	ck_assert_int_eq(fill_named(5), SYS_ERR_ALREADY_EXISTS);
	ck_assert_int_eq(fill_named(N(5, 9)), SYS_ERR_ALREADY_EXISTS);
	ck_assert(!cnode_lookup(cs, N(5, 1)) && !cnode_lookup(cs, 6) && !cnode_lookup(cs, 0) &&
	          !cnode_lookup(cs, SYS_SLOT_ANY));
	ck_assert(!cnode_lookup(cs, 64) && !cnode_lookup(cs, N(5 + 64, 0)) && !cnode_lookup(cs, UINT32_MAX));
	delete_named(5);
	ck_assert_int_eq(fill_named(5), SYS_ERR_INVALID_ARGS);          /* its generation is 1 now */
	ck_assert_int_eq(fill_named(N(5, 7)), SYS_OK);
	ck_assert_int_eq(fill_named(N(5, 6)), SYS_ERR_INVALID_ARGS);
	delete_named(N(5, 7));
	ck_assert_int_eq(fill_named(N(5, 7)), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(fill_named(N(5, 8)), SYS_OK);
	ck_assert_int_eq(fill_named(0), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(fill_named(N(0, 3)), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(fill_named(63), SYS_OK);
	ck_assert_int_eq(fill_named(64), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(fill_named(N(64, 1)), SYS_ERR_OUT_OF_RANGE);
	ck_assert_int_eq(fill_named(UINT32_MAX), SYS_ERR_OUT_OF_RANGE);
	check();
}
END_TEST

/* A slot retires with its last generation, and is not counted as free. */
START_TEST(generations)
{
	start();
	u32 free = count_free(cs);
	ck_assert_int_eq(fill_named(N(5, GENERATION_LAST - 1)), SYS_OK);
	delete_named(N(5, GENERATION_LAST - 1));
	ck_assert_uint_eq(cnode_slot(cs, 5)->generation, GENERATION_LAST);
	ck_assert_uint_eq(count_free(cs), free);
	ck_assert_int_eq(fill_named(N(5, GENERATION_LAST)), SYS_OK);
	ck_assert_int_eq(fill_named(N(5, GENERATION_LAST)), SYS_ERR_ALREADY_EXISTS);
	delete_named(N(5, GENERATION_LAST));
	ck_assert_int_eq(fill_named(N(5, GENERATION_LAST)), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(fill_named(5), SYS_ERR_INVALID_ARGS);
	ck_assert_uint_eq(count_free(cs), free - 1);
	for (u32 i = 0; i < free - 1; i++)
		ck_assert_int_eq(fill_named(SYS_SLOT_ANY), SYS_OK);
	ck_assert_int_eq(fill_named(SYS_SLOT_ANY), SYS_ERR_NO_SLOT);
	check();
	/* Moved away at the last generation: retired too. */
	struct slot *out;
	delete_named(7);
	ck_assert_int_eq(fill_named(N(7, GENERATION_LAST)), SYS_OK);
	delete_named(8);
	ck_assert_int_eq(cap_move(cnode_slot(cs, 7), cs, SYS_SLOT_ANY, &out), SYS_OK);
	ck_assert(slot_cap(out) == N(8, 1) && count_free(cs) == 0);
	check();
	struct cnode *c = cs;                                           /* ends with retired slots in it */
	cs = cnode_new(root, 64);
	ck_assert_int_eq(cap_move(top, cs, SYS_SLOT_ANY, &top), SYS_OK);
	object_end(&c->object);
	kernel_reap();
	check();
}
END_TEST

/* The slot that has been free for longest comes first. */
START_TEST(oldest_first)
{
	u32 order[62], at = 0;

	start();
	for (u32 i = 2; i < 64; i++) {
		ck_assert_int_eq(fill_named(SYS_SLOT_ANY), SYS_OK);
		ck_assert_ptr_nonnull(cnode_lookup(cs, i));
		order[i - 2] = i;
	}
	ck_assert_int_eq(fill_named(SYS_SLOT_ANY), SYS_ERR_NO_SLOT);
	for (u32 i = 61; i > 0; i--) {
		u32 j = (u32)random_below(i + 1), t = order[i];
		order[i] = order[j];
		order[j] = t;
	}
	for (u32 i = 0; i < 62; i++)
		delete_named(order[i]);
	ck_assert_uint_eq(count_free(cs), 62);
	ck_assert_int_eq(fill_named(N(order[30], 1)), SYS_OK);          /* by name, out of turn */
	for (; at < 62; at++)
		if (at != 30) {
			ck_assert_int_eq(fill_named(SYS_SLOT_ANY), SYS_OK);
			ck_assert_ptr_nonnull(cnode_lookup(cs, N(order[at], 1)));
		}
	ck_assert_uint_eq(count_free(cs), 0);
	check();
}
END_TEST

/* ---- one capability ---------------------------------------------------------------------------------------------- */

/* 1( 2( 5( 6() ) 4() ) 3() ): the latest child stands first. */
static void build_tree(struct slot *s[7])
{
	struct object *o = object_new(a, SYS_TYPE_NOTIFICATION);

	s[1] = top;
	s[2] = cap_put(cs, o, top, SLOT_FIRST);
	s[3] = cap_put(cs, object_new(a, SYS_TYPE_REPLY), top, SLOT_FIRST);
	s[4] = cap_copy(cs, s[2]);
	s[5] = cap_put_with(cs, o, SYS_RIGHT_SEND | SYS_RIGHT_COPY, 0, s[2]);
	s[6] = cap_put_with(cs, o, SYS_RIGHT_SEND, 0, s[5]);
}

START_TEST(fill)
{
	struct slot *s[7];

	start();
	build_tree(s);
	expect_shape("1(3()2(5(6())4()))");
	ck_assert_uint_eq(s[2]->object->caps, 4);
	ck_assert(slot_derived(top) && slot_derived(s[2]) && slot_derived(s[5]) && !slot_derived(s[6]) &&
	          !slot_derived(s[3]));
	ck_assert(s[6]->rights == SYS_RIGHT_SEND && s[4]->rights == SYS_RIGHTS_NOTIFICATION);
	struct slot *alone = cap_put_with(cs, s[2]->object, SYS_RIGHT_RECV, 77, NULL);
	ck_assert(!slot_derived(alone) && alone->badge == 77 && !alone->open.prev && !alone->close.next);
	deriv_check(alone);
	check();
}
END_TEST

/* An inner capability's children fall to its parent and keep their order. */
START_TEST(delete_inner)
{
	struct slot *s[7];

	start();
	build_tree(s);
	struct object *o = s[2]->object;
	ck_assert_int_eq(cap_delete(s[5]), SYS_OK);
	expect_shape("1(3()2(6()4()))");
	ck_assert_int_eq(cap_delete(s[2]), SYS_OK);
	expect_shape("1(3()6()4())");
	check();
	ck_assert(o->caps == 2 && !object_dying(o));
	ck_assert_int_eq(cap_delete(s[4]), SYS_OK);
	ck_assert_int_eq(cap_delete(s[6]), SYS_OK);
	ck_assert(object_dying(o));                                     /* the last one */
	ck_assert_int_eq(cap_delete(s[3]), SYS_OK);
	expect_shape("1()");
	kernel_reap();
	ck_assert_uint_eq(a->used, 0);
	check();
}
END_TEST

/* One that stands alone: what is below stands alone then. */
START_TEST(delete_alone)
{
	start();
	struct object *o = object_new(a, SYS_TYPE_NOTIFICATION);
	struct slot *alone = cap_put(cs, o, NULL, SLOT_FIRST), *x = cap_copy(cs, alone), *y = cap_copy(cs, alone),
		*z = cap_copy(cs, y);
	ck_assert_int_eq(cap_delete(alone), SYS_OK);
	ck_assert(y->open.prev == 0 && x->close.next == 0 && o->caps == 3);
	deriv_check(y);
	deriv_check(x);
	ck_assert_int_eq(revoke_all(y), SYS_OK);
	ck_assert(!z->object && x->object && y->object);
	check();
}
END_TEST

START_TEST(move)
{
	struct slot *s[7], *out = NULL;
	struct cnode *other;

	start();
	build_tree(s);
	other = cnode_new(a, 16);
	struct object *o = s[2]->object;
	sys_cap_t old = slot_cap(s[2]);
	ck_assert_int_eq(cap_move(s[2], cs, 0, &out), SYS_ERR_INVALID_ARGS);
	ck_assert_int_eq(cap_move(s[2], cs, 3, &out), SYS_ERR_ALREADY_EXISTS);
	ck_assert_int_eq(cap_move(s[2], other, 16, &out), SYS_ERR_OUT_OF_RANGE);
	ck_assert(out == NULL && s[2]->object == o);
	expect_shape("1(3()2(5(6())4()))");
	ck_assert_int_eq(cap_move(s[2], other, N(9, 4), &out), SYS_OK);
	expect_shape("1(3()9(5(6())4()))");
	ck_assert(slot_cnode(out) == other && slot_cap(out) == N(9, 4) && !cnode_lookup(cs, old) && o->caps == 4);
	ck_assert(out->object == o && out->rights == SYS_RIGHTS_NOTIFICATION && (out->flags & SLOT_FIRST));
	ck_assert(cs->free.prev == (struct list *)&s[2]->open);        /* last of the free ones */
	ck_assert_int_eq(cap_move(s[6], other, SYS_SLOT_ANY, &out), SYS_OK);
	expect_shape("1(3()9(5(1())4()))");
	ck_assert(out->rights == SYS_RIGHT_SEND && !slot_derived(out));
	ck_assert_int_eq(cap_move(top, cs, 60, &out), SYS_OK);
	top = out;
	expect_shape("60(3()9(5(1())4()))");
	for (u32 i = 0; i < 13; i++)
		cap_copy(other, cnode_lookup(cs, 4));
	ck_assert_int_eq(cap_move(s[5], other, SYS_SLOT_ANY, &out), SYS_ERR_NO_SLOT);
	cnode_check(other);
	check();
}
END_TEST

/* The endpoint ends with its last capability that can receive; the rest still name it. */
START_TEST(receive_rights)
{
	struct slot *send, *first, *copy, *out;
	struct endpoint *e;

	start();
	e = object_new(a, SYS_TYPE_ENDPOINT);
	first = cap_put(cs, e, top, SLOT_FIRST);
	copy = cap_copy(cs, first);
	send = cap_put_with(cs, e, SYS_RIGHT_SEND, 42, first);
	ck_assert_uint_eq(e->object.extra, 2);
	ck_assert_int_eq(cap_delete(first), SYS_OK);
	ck_assert(e->object.extra == 1 && !object_dying(&e->object));
	ck_assert_int_eq(cap_move(copy, cs, SYS_SLOT_ANY, &out), SYS_OK);
	ck_assert(e->object.extra == 1 && !object_dying(&e->object));
	ck_assert_int_eq(cap_delete(out), SYS_OK);
	ck_assert(object_dying(&e->object) && e->object.caps == 1 && send->badge == 42);
	kernel_reap();
	ck_assert_uint_eq(a->used, 1);
	ck_assert_int_eq(cap_delete(send), SYS_OK);
	kernel_reap();
	ck_assert_uint_eq(a->used, 0);
	check();
}
END_TEST

/* Misuse is the kernel's own mistake. */
static void more_rights(void *s)
{
	cap_put_with(cs, ((struct slot *)s)->object, SYS_RIGHTS_NOTIFICATION, 0, s);
	deriv_check(top);
}

static void fill_taken(void *s) { slot_fill(s, 1, object_new(a, SYS_TYPE_REPLY), 0, 0, top, 0); }
static void break_link(void *s) { ((struct slot *)s)->open.prev = 0; deriv_check(top); }

START_TEST(misuse)
{
	struct slot *s[7];

	start();
	build_tree(s);
	expect_panic(more_rights, s[5], "rights");
	expect_panic(fill_taken, s[2], "!s->object");
	expect_panic(break_link, s[2], "prev ==");
	check();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("cap");

	add_test(s, cnode_sizes);
	add_test(s, cnode_slots);
	add_test(s, cnode_unfinished);
	add_test(s, cnode_in_steps);
	add_test(s, cnode_without_memory);
	add_test(s, names);
	add_test(s, generations);
	add_test(s, oldest_first);
	add_test(s, fill);
	add_test(s, delete_inner);
	add_test(s, delete_alone);
	add_test(s, move);
	add_test(s, receive_rights);
	add_test(s, misuse);
	return s;
}
