/* SPDX-License-Identifier: BSD-2-Clause */
/* futexes.c: waits and wakes at futexes in several address spaces that show the same memory at various places, with
 * priorities, deadlines, suspensions, kills, and mappings and memory that come and go.
 *
 * The model has no tree: who is next is looked for among all waiting threads. It knows memory by the number of its
 * object (a new one for each object made) and what each address shows from its own table of mappings. */
#include <string.h>
#include "common/threads.h"
#include "ipc/futex.h"
#include "model/engine.h"

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

		must((t->x->t->wait == WAIT_FUTEX) == (t->state == WAITS && !t->again));
		if (t->state == DEAD)
			must(outcome == GONE && t->x->t->exit_code == t->status);
		else if (t->suspended || t->state == WAITS)
			must(outcome == BLOCKED);
		else
			must(outcome == t->status);
	}
}

/* ---- making and ending things ------------------------------------------------------------------------------------ */

static void thread_new(struct m_thread *t)
{
	if (t->x)
		actor_drop(t->x);
	*t = (struct m_thread){ .space = (int)choose(SPACES), .priority = 1 + choose(3) };
	t->x = actor_new(account_root(), space[t->space], NULL, (u8)t->priority);
	t->x->t->context.regs.rax = SYS_OK;
}

/* Sometimes a snapshot of another: it begins with the same values, and is other memory. */
static void object_make(int i)
{
	int from = (int)choose(OBJECTS);
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
	u32 perm = perms[choose(10) * 2 / 7];
	int i = (int)choose(OBJECTS);

	m->object = object[i].number;
	m->page = choose(PAGES);
	m->pages = 1 + choose(PAGES - m->page);
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
	kernel_start(4096);
	actors_forget();
	memset(thread, 0, sizeof thread);
	memset(mapping, 0, sizeof mapping);
	memset(object, 0, sizeof object);
	memset(wake, 0, sizeof wake);
	now = 0;
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
	const struct m_mapping *m = &mapping[s][choose(MAPPINGS)];
	vaddr_t va = m->base + choose(m->pages + 1) * PAGE_SIZE_ + word_at[choose(WORDS)];

	return chance(3) ? va + choose(4) : va;
}

static void op_wait(struct m_thread *t)
{
	static const i64 ahead[] = { -5, 0, 3, 20, 100 };
	struct key k;

	t->va = any_word(t->space);
	t->expected = (u32)choose(3);
	if (chance(80) && t->va % 4 == 0 && key_of(t->space, t->va, &k))
		t->expected = *value_of(k);
	t->deadline = chance(70) ? SYS_TIME_INFINITE : now + ahead[choose(ARRAY_LEN(ahead))];
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
	*w = (struct m_wake){ .thread = (int)choose(THREADS) };
	w->va = any_word(thread[w->thread].space);
	w->count = chance(50) ? (u32)choose(4) : UINT32_MAX;
}

/* One entry of a wake; what happens before the next one is up to the other operations. */
static void op_wake(struct m_wake *w)
{
	u64 woken;
	u32 count;
	int status;

	if (!w->under_way)
		wake_new(w);
	w->under_way = false;
	if (thread[w->thread].state == DEAD)
		return;
	count = w->count;
	woken = w->woken;
	host_preempt_every((unsigned)choose(4));
	status = futex_wake(thread[w->thread].x->t, w->va, &w->count, &w->woken);
	host_preempt_every(0);
	w->under_way = status == VM_AGAIN;
	must(w->woken - woken == count - w->count);
	compare_wake(w, count, status);
}

/* Through some mapping that may be written. */
static void op_store(void)
{
	int s = (int)choose(SPACES);
	vaddr_t va = any_word(s) & ~3ull;
	struct m_thread *t;
	struct key k;
	u32 value = (u32)choose(3);
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
	t->priority = 1 + choose(3);
	thread_set_priority(t->x->t, (u8)t->priority);
	t->arrival = ++arrivals;                                        /* behind its new equals */
}

static void op_kill(struct m_thread *t)
{
	t->status = (i64)choose(100);
	thread_exit(t->x->t, t->status);
	t->state = DEAD;
	t->again = t->suspended = false;
}

static void op_time(void)
{
	now += (i64)choose(6);
	time_pass(now);
	for (struct m_thread *t = thread; t < thread + THREADS; t++)
		if (t->state == WAITS && !t->again && t->deadline <= now)
			ends(t, SYS_ERR_TIMED_OUT);
}

static void op_map(void)
{
	int s = (int)choose(SPACES);
	struct m_mapping *m = &mapping[s][choose(MAPPINGS)];

	unmap(s, m);
	if (chance(80))
		map(s, m);
}

/* One page of a mapping loses all permissions, or can be read from now on. */
static void op_protect(void)
{
	int s = (int)choose(SPACES);
	struct m_mapping *m = &mapping[s][choose(MAPPINGS)];
	u64 page = choose(PAGES), done = 0;

	if (page >= m->pages)
		return;
	m->readable[page] = !m->readable[page];
	must(vmar_protect(region[s], SYS_RIGHTS_VMAR, m->readable[page] ? SYS_VM_PERM_READ : 0,
	                  m->base + page * PAGE_SIZE_, PAGE_SIZE_, &done) == SYS_OK);
}

/* An object ends, perhaps under threads that wait there; another one comes, which is other memory. */
static void op_end(void)
{
	int i = (int)choose(OBJECTS);

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
	struct m_thread *t = &thread[choose(THREADS)];
	u64 dice = choose(1000);

	if (dice < 450)
		return t->state == DEAD ? thread_new(t) : t->state == RUNS && !t->suspended ? op_wait(t) : (void)0;
	if (dice < 600)
		return op_wake(&wake[choose(WAKES)]);
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

static void step_and_compare(void)
{
	step();
	compare_all();
}

static void walk(void)
{
	futex_check();
	for (struct m_thread *t = thread; t < thread + THREADS; t++)
		futex_check_thread(t->x->t);
	actors_check();
	kernel_check();
}

/* The spaces go, with whoever waits in them. */
static void finish(void)
{
	for (int s = 0; s < SPACES; s++)
		object_end((struct object *)space[s]);
	kernel_reap();
	for (struct m_thread *t = thread; t < thread + THREADS; t++)
		must(actor_goes_on(t->x) == GONE);
	futex_check();
	kernel_check();
}

const struct model model = { "futexes", 20000, start, step_and_compare, walk, finish };
