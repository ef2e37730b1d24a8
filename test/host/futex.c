/* SPDX-License-Identifier: BSD-2-Clause */
/* futex.c: kernel/ipc/futex.c: waits and wakes in several address spaces that show the same memory at various places,
 * with priorities, deadlines, suspensions, kills, and mappings and memory that come and go; against a model.
 *
 * The model has no tree: who is next is looked for among all waiting threads. It knows memory by the number of its
 * object (a new one for each object made) and what each address shows from its own table of mappings. */
#include <string.h>
#include "common/threads.h"
#include "ipc/futex.h"

#define STEPS    200000u
#define THREADS  20
#define SPACES   3
#define OBJECTS  3
#define PAGES    3
#define MAPPINGS 5                      /* of each space */
#define WORDS    3                      /* of each page */
#define WAKES    3                      /* that are under way at the same time */
#define NONE     -1

static const u32 word_at[WORDS] = { 0, 4, 4092 };

struct key { int object; u64 offset; };

/* In the first spaces they lie in the root, in the last one in a region. */
struct m_mapping { vaddr_t base; int object; u64 page, pages; bool readable[PAGES]; };  /* pages 0: none */
struct m_thread {
	struct actor *x;
	int space;
	enum { RUNS, WAITS, DEAD } state;
	bool suspended, again;          /* again: makes its call anew when it is resumed */
	u64 priority, arrival;
	i64 status, deadline;           /* status: of its last call; its exit code when it is dead */
	vaddr_t va;
	u32 expected;
	struct key key;
};
struct m_wake { bool under_way; int thread; vaddr_t va; u32 count; u64 woken; };

static struct m_thread thread[THREADS];
static struct m_mapping mapping[SPACES][MAPPINGS];
static struct { struct vmo *v; int number; u32 value[PAGES][WORDS]; } object[OBJECTS];
static struct m_wake wake[WAKES];
static struct space *space[SPACES];
static struct vmar *region[SPACES];
static int objects_made;
static u64 arrivals;
static i64 now;
static u64 happened[64];                /* by minus the status; VM_AGAIN's own place is the last */

static void note(int status) { happened[status == VM_AGAIN ? 63 : -status]++; }

/* ---- the model --------------------------------------------------------------------------------------------------- */

static int object_numbered(int number)
{
	for (int i = 0; i < OBJECTS; i++)
		if (object[i].number == number)
			return i;
	return NONE;
}

static struct m_mapping *mapping_at(int s, vaddr_t va)
{
	for (struct m_mapping *m = mapping[s]; m < mapping[s] + MAPPINGS; m++)
		if (m->pages && va - m->base < m->pages * PAGE_SIZE_)
			return m;
	return NULL;
}

static bool key_of(int s, vaddr_t va, struct key *k)
{
	struct m_mapping *m = mapping_at(s, va);

	if (!m || !m->readable[(va - m->base) >> PAGE_SHIFT])
		return false;
	*k = (struct key){ m->object, m->page * PAGE_SIZE_ + (va - m->base) };
	return true;
}

static u32 *value_of(struct key k)
{
	for (int w = 0; w < WORDS; w++)
		if (word_at[w] == (k.offset & PAGE_MASK))
			return &object[object_numbered(k.object)].value[k.offset >> PAGE_SHIFT][w];
	must(!"a word");
	return NULL;
}

static struct m_thread *first_at(struct key k)
{
	struct m_thread *best = NULL;

	for (struct m_thread *t = thread; t < thread + THREADS; t++)
		if (t->state == WAITS && !t->again && t->key.object == k.object && t->key.offset == k.offset &&
		    (!best || t->priority > best->priority ||
		     (t->priority == best->priority && t->arrival < best->arrival)))
			best = t;
	return best;
}

static void ends(struct m_thread *t, i64 status)
{
	note((int)status);
	t->state = RUNS;
	t->again = false;
	t->status = status;
}

static void model_wait(struct m_thread *t)
{
	t->again = false;
	if (t->va % 4)
		return ends(t, SYS_ERR_INVALID_ARGS);
	if (!key_of(t->space, t->va, &t->key))
		return ends(t, SYS_ERR_BAD_ADDRESS);
	if (*value_of(t->key) != t->expected)
		return ends(t, SYS_ERR_BAD_STATE);
	if (t->deadline <= now)
		return ends(t, SYS_ERR_TIMED_OUT);
	t->state = WAITS;
	t->arrival = ++arrivals;
}

/* ---- what every thread's outcome must be ------------------------------------------------------------------------- */

static void compare_all(void)
{
	for (struct m_thread *t = thread; t < thread + THREADS; t++) {
		int outcome = actor_goes_on(t->x);

		thread_check(t->x->t);
		futex_check_thread(t->x->t);
		must((t->x->t->wait == WAIT_FUTEX) == (t->state == WAITS && !t->again));
		if (t->state == DEAD)
			must(outcome == GONE && t->x->t->exit_code == t->status);
		else if (t->suspended || t->state == WAITS)
			must(outcome == BLOCKED);
		else
			must(outcome == t->status);
	}
	futex_check();
	sched_check();
}

/* ---- making and ending things ------------------------------------------------------------------------------------ */

static void thread_new(struct m_thread *t)
{
	if (t->x)
		actor_drop(t->x);
	*t = (struct m_thread){ .space = (int)random_below(SPACES), .priority = 1 + random_below(3) };
	t->x = actor_new(account_root(), space[t->space], NULL, (u8)t->priority);
	t->x->t->context.regs.rax = SYS_OK;
}

/* Sometimes a snapshot of another: it begins with the same values, and is other memory. */
static void object_make(int i)
{
	int from = (int)random_below(OBJECTS);
	sys_status_t status;

	object[i].number = ++objects_made;
	if (from != i && object[from].v) {
		do
			status = vmo_create_child(object[from].v, account_root(), SYS_VMO_CHILD_SNAPSHOT, 0,
			                          PAGES * PAGE_SIZE_, &object[i].v);
		while (status == VM_AGAIN);
		must(status == SYS_OK);
		memcpy(object[i].value, object[from].value, sizeof object[i].value);
	} else {
		must(vmo_create(account_root(), PAGES * PAGE_SIZE_, 0, &object[i].v) == SYS_OK);
		memset(object[i].value, 0, sizeof object[i].value);
	}
	object_cap(&object[i].v->object);
}

static void map(int s, struct m_mapping *m)
{
	static const u32 perms[] = { SYS_VM_PERM_READ, SYS_VM_PERM_READ | SYS_VM_PERM_WRITE, 0 };
	u32 perm = perms[random_below(10) * 2 / 7];
	int i = (int)random_below(OBJECTS);

	m->object = object[i].number;
	m->page = random_below(PAGES);
	m->pages = 1 + random_below(PAGES - m->page);
	for (u64 page = 0; page < m->pages; page++)
		m->readable[page] = perm != 0;
	must(vmar_map(region[s], SYS_RIGHTS_VMAR, perm, 0, object[i].v, SYS_RIGHTS_VMO, m->page * PAGE_SIZE_,
	              m->pages * PAGE_SIZE_, NULL, &m->base) == SYS_OK);
}

static void unmap(int s, struct m_mapping *m)
{
	sys_status_t status;

	if (!m->pages)
		return;
	while ((status = vmar_unmap(region[s], true, m->base, m->pages * PAGE_SIZE_)) == VM_AGAIN)
		;
	must(status == SYS_OK);
	m->pages = 0;
}

static void start(void)
{
	kernel_start(40000);
	actors_forget();
	for (int s = 0; s < SPACES; s++) {
		must(space_create(account_root(), false, &space[s]) == SYS_OK);
		object_cap((struct object *)space[s]);
		region[s] = &space[s]->root_vmar;
	}
	must(vmar_allocate(region[SPACES - 1], SYS_RIGHTS_VMAR, SYS_VM_CAN_MAP_READ | SYS_VM_CAN_MAP_WRITE, 0,
	                   1 << 30, &region[SPACES - 1]) == SYS_OK);
	object_cap((struct object *)region[SPACES - 1]);
	for (int i = 0; i < OBJECTS; i++)
		object_make(i);
	for (int s = 0; s < SPACES; s++)
		for (int m = 0; m < MAPPINGS; m++)
			map(s, &mapping[s][m]);
	for (int i = 0; i < THREADS; i++)
		thread_new(&thread[i]);
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

/* A word of a mapping of this space; rarely something else. */
static vaddr_t any_word(int s)
{
	const struct m_mapping *m = &mapping[s][random_below(MAPPINGS)];
	vaddr_t va = m->base + random_below(m->pages + 1) * PAGE_SIZE_ + word_at[random_below(WORDS)];

	return random_chance(3) ? va + random_below(4) : va;
}

static void op_wait(struct m_thread *t)
{
	static const i64 ahead[] = { -5, 0, 3, 20, 100 };
	struct key k;

	t->va = any_word(t->space);
	t->expected = (u32)random_below(3);
	if (random_chance(80) && t->va % 4 == 0 && key_of(t->space, t->va, &k))
		t->expected = *value_of(k);
	t->deadline = random_chance(70) ? SYS_TIME_INFINITE : now + ahead[random_below(ARRAY_LEN(ahead))];
	actor_futex(t->x, t->va, t->expected, t->deadline);
	model_wait(t);
}

/* What one entry of a wake did: `count` was left before it. */
static void compare_wake(const struct m_wake *w, u32 count, int status)
{
	bool aligned = w->va % 4 == 0;
	struct key k;

	if (!aligned || !key_of(thread[w->thread].space, w->va, &k)) {
		must(status == (!aligned ? SYS_ERR_INVALID_ARGS : w->woken ? SYS_OK : SYS_ERR_BAD_ADDRESS));
		must(w->count == count);
		return;
	}
	must(status == SYS_OK || (status == VM_AGAIN && w->count > 0 && w->count < count));
	for (u32 n = count - w->count; n > 0; n--) {
		must(first_at(k));
		ends(first_at(k), SYS_OK);
	}
	must(status == VM_AGAIN || w->count == 0 || !first_at(k));
}

static void wake_new(struct m_wake *w)
{
	*w = (struct m_wake){ .thread = (int)random_below(THREADS) };
	w->va = any_word(thread[w->thread].space);
	w->count = random_chance(50) ? (u32)random_below(4) : UINT32_MAX;
}

/* One entry of a wake; what happens before the next one is up to the other operations. */
static void op_wake(struct m_wake *w)
{
	u32 count;
	int status;

	if (!w->under_way)
		wake_new(w);
	w->under_way = false;
	if (thread[w->thread].state == DEAD)
		return;
	count = w->count;
	host_preempt_every((unsigned)random_below(4));
	status = futex_wake(thread[w->thread].x->t, w->va, &w->count, &w->woken);
	host_preempt_every(0);
	note(status);
	w->under_way = status == VM_AGAIN;
	compare_wake(w, count, status);
}

/* Through some mapping that may be written. */
static void op_store(void)
{
	int s = (int)random_below(SPACES);
	vaddr_t va = any_word(s) & ~3ull;
	struct m_thread *t;
	struct key k;
	u32 value = (u32)random_below(3);
	u64 done = 0;

	for (t = thread; t < thread + THREADS && (t->space != s || t->state == DEAD); t++)
		;
	if (t == thread + THREADS || !key_of(s, va, &k) ||
	    space_copy_out(space[s], va, &value, 4, &done, 0, &t->x->t->page) != SYS_OK)
		return;
	*value_of(k) = value;
}

static void op_suspend(struct m_thread *t)
{
	sys_status_t status = t->suspended ? thread_resume(t->x->t) : thread_suspend(t->x->t);

	must(status == (t->state == DEAD ? SYS_ERR_BAD_STATE : SYS_OK));
	if (t->state == DEAD)
		return;
	t->suspended = !t->suspended;
	if (t->suspended && t->state == WAITS) {
		t->again = true;
	} else if (!t->suspended && t->again) {
		actor_goes_on(t->x);
		model_wait(t);
	}
}

static void op_priority(struct m_thread *t)
{
	t->priority = 1 + random_below(3);
	thread_set_priority(t->x->t, (u8)t->priority);
	t->arrival = ++arrivals;                                        /* behind its new equals */
}

static void op_kill(struct m_thread *t)
{
	t->status = (i64)random_below(100);
	thread_exit(t->x->t, t->status);
	t->state = DEAD;
	t->again = t->suspended = false;
}

static void op_time(void)
{
	now += (i64)random_below(6);
	time_pass(now);
	for (struct m_thread *t = thread; t < thread + THREADS; t++)
		if (t->state == WAITS && !t->again && t->deadline <= now)
			ends(t, SYS_ERR_TIMED_OUT);
}

static void op_map(void)
{
	int s = (int)random_below(SPACES);
	struct m_mapping *m = &mapping[s][random_below(MAPPINGS)];

	unmap(s, m);
	if (random_chance(80))
		map(s, m);
}

/* One page of a mapping loses all permissions, or can be read from now on. */
static void op_protect(void)
{
	int s = (int)random_below(SPACES);
	struct m_mapping *m = &mapping[s][random_below(MAPPINGS)];
	u64 page = random_below(PAGES), done = 0;

	if (page >= m->pages)
		return;
	m->readable[page] = !m->readable[page];
	must(vmar_protect(region[s], SYS_RIGHTS_VMAR, m->readable[page] ? SYS_VM_PERM_READ : 0,
	                  m->base + page * PAGE_SIZE_, PAGE_SIZE_, &done) == SYS_OK);
}

/* An object ends, perhaps under threads that wait there; another one comes, which is other memory. */
static void op_end(void)
{
	int i = (int)random_below(OBJECTS);

	for (int s = 0; s < SPACES; s++)
		for (int m = 0; m < MAPPINGS; m++)
			if (mapping[s][m].object == object[i].number)
				unmap(s, &mapping[s][m]);
	object_uncap(&object[i].v->object);
	object[i].v = NULL;
	kernel_reap();
	object_make(i);
}

static void step(void)
{
	struct m_thread *t = &thread[random_below(THREADS)];
	u64 dice = random_below(1000);

	if (dice < 450)
		return t->state == DEAD ? thread_new(t) : t->state == RUNS && !t->suspended ? op_wait(t) : (void)0;
	if (dice < 600)
		return op_wake(&wake[random_below(WAKES)]);
	if (dice < 700)
		return op_suspend(t);
	if (dice < 780)
		return t->state == DEAD ? (void)0 : op_priority(t);
	if (dice < 860)
		return op_time();
	if (dice < 910)
		return op_store();
	if (dice < 950)
		return op_map();
	if (dice < 975)
		return op_protect();
	if (dice < 995)
		return t->state == DEAD ? (void)0 : op_kill(t);
	op_end();
}

START_TEST(model)
{
	static const int often[] = { SYS_OK, SYS_ERR_INVALID_ARGS, SYS_ERR_BAD_ADDRESS, SYS_ERR_BAD_STATE,
	                             SYS_ERR_TIMED_OUT };

	start();
	for (u32 i = 0; i < STEPS; i++) {
		step();
		compare_all();
		if (i % 1000 == 0)
			kernel_check();
	}
	for (unsigned i = 0; i < ARRAY_LEN(often); i++)
		ck_assert_msg(happened[-often[i]] > 300, "%d: %d times", often[i], (int)happened[-often[i]]);
	ck_assert_msg(happened[63] > 300, "%d steps", (int)happened[63]);
}
END_TEST

/* ---- single cases ------------------------------------------------------------------------------------------------ */

static struct actor *x[8];
static vaddr_t at;

/* Eight threads of one space, of this priority, with memory at x[0]->memory. */
static void few(u8 priority)
{
	kernel_start(4096);
	actors_forget();
	x[0] = actor_new(account_root(), NULL, NULL, priority);
	for (int i = 1; i < 8; i++)
		x[i] = actor_new(account_root(), x[0]->t->space, NULL, priority);
	actor_memory(x[0], 2);
	at = x[0]->memory;
}

static int wait_at(int i, vaddr_t va) { return actor_futex(x[i], va, 0, SYS_TIME_INFINITE); }

static u64 wake_all(vaddr_t va, u32 count)
{
	u64 woken = 0;
	int status;

	while ((status = futex_wake(x[0]->t, va, &count, &woken)) == VM_AGAIN)
		;
	ck_assert_int_eq(status, SYS_OK);
	futex_check();
	actors_check();
	return woken;
}

/* The first look at the memory faults its page in; nothing that waits costs memory. */
START_TEST(costs_nothing)
{
	u64 used;

	few(10);
	ck_assert_int_eq(actor_futex(x[1], at, 1, SYS_TIME_INFINITE), SYS_ERR_BAD_STATE);
	used = account_root()->used;
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(wait_at(i, at + 8 * (u64)i), BLOCKED);
	ck_assert_uint_eq(account_root()->used, used);
	for (int i = 0; i < 8; i++)
		ck_assert_uint_eq(wake_all(at + 8 * (u64)i, 2), 1);
	kernel_check();
}
END_TEST

/* One a step when interrupts keep coming; who comes meanwhile is woken too, who leaves is not counted. */
START_TEST(steps)
{
	u32 count = UINT32_MAX;
	u64 woken = 0;

	few(10);
	for (int i = 1; i < 6; i++)
		ck_assert_int_eq(wait_at(i, at), BLOCKED);
	host_preempt_every(1);
	ck_assert_int_eq(futex_wake(x[0]->t, at, &count, &woken), VM_AGAIN);
	ck_assert(woken == 1 && count == UINT32_MAX - 1);
	ck_assert_int_eq(actor_goes_on(x[1]), SYS_OK);
	ck_assert_int_eq(wait_at(6, at), BLOCKED);
	thread_exit(x[2]->t, 0);
	ck_assert_int_eq(thread_suspend(x[3]->t), SYS_OK);
	ck_assert_int_eq(futex_wake(x[0]->t, at, &count, &woken), VM_AGAIN);
	ck_assert_int_eq(actor_goes_on(x[4]), SYS_OK);
	ck_assert_int_eq(actor_goes_on(x[5]), BLOCKED);
	ck_assert_int_eq(futex_wake(x[0]->t, at, &count, &woken), VM_AGAIN);
	ck_assert_int_eq(futex_wake(x[0]->t, at, &count, &woken), VM_AGAIN);
	ck_assert_int_eq(futex_wake(x[0]->t, at, &count, &woken), SYS_OK);
	ck_assert_uint_eq(woken, 4);
	host_preempt_every(0);
	ck_assert_int_eq(thread_resume(x[3]->t), SYS_OK);
	ck_assert_int_eq(actor_goes_on(x[3]), BLOCKED);
	ck_assert_uint_eq(wake_all(at, 1), 1);
}
END_TEST

/* What is woken is told, though the memory is gone when the rest's turn comes. */
START_TEST(unmapped_between_steps)
{
	u32 count = 3;
	u64 woken = 0;

	few(10);
	for (int i = 1; i < 4; i++)
		ck_assert_int_eq(wait_at(i, at), BLOCKED);
	host_preempt_every(1);
	ck_assert_int_eq(futex_wake(x[0]->t, at, &count, &woken), VM_AGAIN);
	host_preempt_every(0);
	while (vmar_unmap(&x[0]->t->space->root_vmar, true, at, 2 * PAGE_SIZE_) == VM_AGAIN)
		;
	ck_assert_int_eq(futex_wake(x[0]->t, at, &count, &woken), SYS_OK);
	ck_assert_uint_eq(woken, 1);
	woken = 0;
	ck_assert_int_eq(futex_wake(x[0]->t, at, &count, &woken), SYS_ERR_BAD_ADDRESS);
	ck_assert_int_eq(actor_goes_on(x[2]), BLOCKED);
	thread_exit(x[2]->t, 0);
	thread_exit(x[3]->t, 0);
	futex_check();
}
END_TEST

/* A deadline so near that it comes before the thread has left the CPU. */
START_TEST(deadline_on_the_way_out)
{
	few(10);
	thread_set_priority(x[1]->t, 20);
	ck_assert_ptr_eq(sched_next(), x[1]->t);
	ck_assert_int_eq(futex_wait(x[1]->t, at, 0, 10), CALL_BLOCKED);
	futex_check();
	host_time_set(10);
	ck_assert_ptr_eq(sched_next(), x[1]->t);
	ck_assert((int)x[1]->t->context.regs.rax == SYS_ERR_TIMED_OUT && !x[1]->t->timed);
	futex_check();
}
END_TEST

/* The space ends under its waiters: they end, and stand nowhere any more. */
START_TEST(space_ends)
{
	struct space *s;

	few(10);
	s = x[0]->t->space;
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(wait_at(i, at), BLOCKED);
	object_end((struct object *)s);
	kernel_reap();
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(actor_goes_on(x[i]), GONE);
	futex_check();
	kernel_check();
}
END_TEST

Suite *test_suite(void)
{
	Suite *s = suite_create("futex");

	add_test(s, costs_nothing);
	add_test(s, steps);
	add_test(s, unmapped_between_steps);
	add_test(s, deadline_on_the_way_out);
	add_test(s, space_ends);
	add_test(s, model);
	return s;
}
