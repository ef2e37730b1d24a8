/* SPDX-License-Identifier: BSD-2-Clause */
/* entries.c: kernel/cap, kernel/mem, kernel/ipc: how much one entry into the kernel does: all of it when nobody asks for the CPU, a
 * step when somebody does, nothing more when its own caller is gone. And exceptions that are delivered later. */
#include "common/threads.h"

static struct account *root, *a;
static struct cnode *cs;
static struct slot *top;

static void start(void)
{
	kernel_start(8192);
	actors_forget();
	root = account_root();
	a = account_new(root, 2000);
	cs = cnode_new(root, 4096);
	object_cap(&cs->object);
	top = cap_put(cs, a, NULL, SLOT_FIRST);
}

/* The thread that makes the calls from here on. */
static struct thread *caller(void)
{
	struct actor *x = actor_new(root, NULL, cs, 10);

	ck_assert_ptr_eq(sched_next(), x->t);
	return x->t;
}

static struct slot *copies(unsigned n)
{
	struct slot *s = cap_put(cs, object_new(a, SYS_TYPE_NOTIFICATION), top, SLOT_FIRST);

	while (n--)
		cap_copy(cs, s);
	return s;
}

static void unnamed(unsigned n)
{
	while (n--)
		object_new(a, SYS_TYPE_NOTIFICATION);
}

/* ---- revoking ----------------------------------------------------------------------------------------------------------- */

START_TEST(revoke_at_once)
{
	start();
	caller();
	unnamed(50);
	ck_assert_int_eq(cap_revoke(copies(100)), SYS_OK);
	copies(100);
	ck_assert_int_eq(cap_revoke(top), SYS_OK);
	ck_assert(a->used == 0 && !a->closed && !(top->flags & SLOT_REVOKING));
	kernel_check();
}
END_TEST

/* Objects that no capability names are ended one by one. */
START_TEST(sweep_in_steps)
{
	unsigned entries = 0;

	start();
	caller();
	unnamed(50);
	host_preempt_every(1);
	while (cap_revoke(top) == VM_AGAIN) {
		entries++;
		ck_assert(a->closed && top->flags & SLOT_REVOKING);
		account_check_all();
	}
	ck_assert_uint_ge(entries, 50);
	ck_assert(a->used == 0 && !a->closed && !(top->flags & SLOT_REVOKING));
}
END_TEST

START_TEST(caller_is_gone)
{
	start();
	struct slot *s = copies(100);
	unnamed(50);
	struct thread *t = caller();
	object_ref(&t->object);
	thread_exit(t, 0);
	ck_assert_int_eq(cap_revoke(s), VM_AGAIN);
	ck_assert_uint_eq(s->object->caps, 100);
	ck_assert_int_eq(cap_delete(s), VM_AGAIN);              /* what is under revoke is finished first */
	ck_assert_uint_eq(s->object->caps, 99);
	my_cpu->current = NULL;
	ck_assert_int_eq(cap_delete(s), SYS_OK);
	my_cpu->current = t;
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(cap_revoke(top), VM_AGAIN);
	ck_assert(a->closed && a->used > 0);
	my_cpu->current = NULL;
	ck_assert_int_eq(cap_revoke(top), SYS_OK);
	ck_assert(a->used == 0 && !a->closed);
	account_check_all();
}
END_TEST

/* ---- CNodes -------------------------------------------------------------------------------------------------------------- */

/* Small ones are looked up without their index; so are larger ones as far as they are built. */
START_TEST(direct_slots)
{
	start();
	for (u32 slots = CNODE_MIN_SLOTS; slots <= 65536; slots *= 2) {
		struct cnode *c;
		bool direct = slots <= SLOTS_PER_FRAME * 512;

		must(cnode_create(root, slots, &c) == SYS_OK);
		ck_assert_uint_eq(c->direct, 0);
		while (!cnode_build_step(c))
			ck_assert_uint_eq(c->direct, direct ? c->built : 0);
		ck_assert_uint_eq(c->direct, direct ? slots : 0);
		for (u32 i = 1; i < slots; i += 97)
			must(!direct || c->leaf[i / SLOTS_PER_FRAME] + i % SLOTS_PER_FRAME == cnode_slot(c, i));
		object_end(&c->object);
		host_preempt_every(1);
		kernel_reap();
		host_preempt_every(0);
	}
	kernel_check();
}
END_TEST

/* ---- accounts ------------------------------------------------------------------------------------------------------------- */

/* To find memory for a child the parent destroys what is dying; the child's last name may be among that: it ends afterwards. */
START_TEST(resize_of_the_unnamed)
{
	start();
	struct account *child = account_new(a, 100);
	struct cnode *c = cnode_new(a, 4096);
	cap_put(c, child, top, SLOT_FIRST);
	u64 free = account_free(a);
	object_ref(&child->object);
	object_end(&c->object);
	ck_assert_int_eq(account_resize(a, child, 100 + free + 5), SYS_OK);
	ck_assert(child->object.caps == 0 && !child->closed && child->total == 100 + free + 5);
	object_unref(&child->object);
	ck_assert(child->closed);
	kernel_reap();
	ck_assert(a->promised == 0 && a->used == 0);
	kernel_check();
}
END_TEST

/* What is short by more than all that is dying has destroyed it nevertheless, and says so. */
START_TEST(resize_in_vain)
{
	start();
	struct account *child = account_new(a, 100);
	struct cnode *c = cnode_new(a, 4096);
	u64 frames = c->frames, free = account_free(a);

	object_cap(&child->object);
	object_end(&c->object);
	ck_assert_int_eq(account_resize(a, child, 100 + free + frames + 10), SYS_ERR_NO_MEMORY);
	ck_assert(child->total == 100 && a->used == 1);         /* the slab with the child's own object */
	ck_assert_int_eq(account_resize(a, child, 100 + account_free(a)), SYS_OK);
	ck_assert_uint_eq(account_free(a), 0);
	ck_assert_int_eq(account_resize(a, child, child->total + 1), SYS_ERR_NO_MEMORY);
	ck_assert_int_eq(account_charge(child, 7), SYS_OK);
	ck_assert_int_eq(account_resize(a, child, 6), SYS_ERR_BAD_STATE);
	ck_assert_int_eq(account_resize(a, child, 7), SYS_OK);
	ck_assert_int_eq(account_charge(child, 1), SYS_ERR_NO_MEMORY);
	ck_assert_int_eq(account_resize(root, child, 8), SYS_ERR_INVALID_ARGS);
	account_uncharge(child, 7);
	ck_assert_int_eq(account_resize(a, child, 0), SYS_OK);
	ck_assert_uint_eq(account_free(a), a->total - a->used);
	object_uncap(&child->object);
	kernel_reap();
	ck_assert_uint_eq(a->used, 0);
	kernel_check();
}
END_TEST

/* An account that ended while something of it stays charged: its parent has the frames when that goes. */
START_TEST(parked)
{
	start();
	struct account *child = account_new(a, 100), *below = account_new(child, 40);

	object_cap(&child->object);
	ck_assert_int_eq(account_charge(below, 3), SYS_OK);
	ck_assert_int_eq(account_charge(child, 2), SYS_OK);
	object_uncap(&child->object);
	kernel_reap();
	ck_assert(child->parked && below->parked && a->promised == 100);
	ck_assert_int_eq(account_charge(child, 1), SYS_ERR_BAD_STATE);
	account_uncharge(below, 1);
	account_uncharge(child, 1);
	kernel_reap();
	ck_assert(child->parked && below->parked);
	account_uncharge(child, 1);                             /* what its child promised is left */
	kernel_reap();
	ck_assert(child->parked && a->promised == 100);
	account_uncharge(below, 2);
	object_ref(&child->object);
	kernel_reap();
	ck_assert(!child->parked && a->promised == 0);
	account_uncharge(child, 0);                             /* nothing is settled twice */
	ck_assert(list_empty(&account_reapable));
	object_unref(&child->object);
	ck_assert_uint_eq(a->used, 0);
	kernel_check();
}
END_TEST

/* ---- exceptions ------------------------------------------------------------------------------------------------------------ */

/* One that a thread had taken when it was stopped: a message, or its end. */
START_TEST(trapped_when_stopped)
{
	start();
	struct endpoint *e = object_new(root, SYS_TYPE_ENDPOINT);
	struct reply *r = object_new(root, SYS_TYPE_REPLY);
	struct actor *x = actor_new(root, NULL, cs, 10), *y = actor_new(root, NULL, cs, 10), *z = actor_new(root, NULL, cs, 10);

	cap_put(cs, e, top, SLOT_FIRST);
	cap_put(cs, r, top, SLOT_FIRST);
	ipc_set_fault_endpoint(x->t, e, 9);
	u64 rip = x->t->context.regs.rip;
	thread_hooks.trapped(x->t, 1);
	ck_assert(x->t->state == SYS_THREAD_WAITING && x->t->wait == WAIT_FAULT);
	actors_check();
	ck_assert_int_eq(actor_recv(z, e, r, SYS_TIME_POLL), SYS_OK);
	const struct regs *g = &z->t->context.regs;
	ck_assert(g->rdx == 9 && g->r8 == SYS_FAULT_EXCEPTION && g->r9 == 3);
	ck_assert(g->r12 == 1 && g->r13 == 0 && g->r14 == rip && g->r15 == 0);
	actor_word(z, 0, 0);
	ck_assert_int_eq(actor_reply(z, r), SYS_OK);
	ck_assert_int_eq(x->t->state, SYS_THREAD_READY);
	thread_hooks.trapped(y->t, 4);
	ck_assert(y->t->state == SYS_THREAD_EXITED && y->t->exit_code == INT64_MIN + 4);
	kernel_check();
	actors_check();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("entries");

	add_test(s, revoke_at_once);
	add_test(s, sweep_in_steps);
	add_test(s, caller_is_gone);
	add_test(s, direct_slots);
	add_test(s, resize_of_the_unnamed);
	add_test(s, resize_in_vain);
	add_test(s, parked);
	add_test(s, trapped_when_stopped);
	return s;
}
