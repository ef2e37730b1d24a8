/* SPDX-License-Identifier: BSD-2-Clause */
/* futex.c: all threads that wait at futexes, in one tree. See futex.h. Lock: the kernel lock.
 *
 *     (object 7, offset 64):  t(200) - u(10) - w(10)      (object 7, offset 128):  x(90)      (object 9, ...)
 *
 * The order is that of keys and, at the same key, that of waking: priority, then arrival. So the next to wake is the
 * first that is not before its key; nothing is allocated, no table fills, and who picks a key can slow nobody down by
 * more than the tree's height.
 */
#include "ipc/futex.h"

#include "lib/assert.h"

static struct avl_tree waiters;

struct key { sys_koid_t object; u64 offset; };

static struct thread *thread_at(const struct avl_node *n) { return container_of(n, struct thread, futex.node); }

/* ---- order ------------------------------------------------------------------------------------------------------- */

static bool key_before(const struct thread *t, const struct key *k)
{
	return t->futex.object != k->object ? t->futex.object < k->object : t->futex.offset < k->offset;
}

static bool key_is(const struct thread *t, const struct key *k)
{
	return t->futex.object == k->object && t->futex.offset == k->offset;
}

static bool before(const struct avl_node *left, const struct avl_node *right)
{
	const struct thread *a = thread_at(left), *b = thread_at(right);
	const struct key k = { b->futex.object, b->futex.offset };

	if (!key_is(a, &k))
		return key_before(a, &k);
	return a->priority != b->priority ? a->priority > b->priority : a->arrival < b->arrival;
}

/* The next to wake at this key, or NULL. */
static struct thread *first_at(const struct key *k)
{
	struct thread *first = NULL;

	for (struct avl_node *n = waiters.root; n;) {
		struct thread *t = thread_at(n);

		if (!key_before(t, k))
			first = t;
		n = first == t ? n->left : n->right;
	}
	return first && key_is(first, k) ? first : NULL;
}

/* ---- who waits --------------------------------------------------------------------------------------------------- */

/* Behind its equals. */
static void enter(struct thread *t)
{
	t->arrival = ++thread_arrivals;
	avl_insert(&waiters, &t->futex.node, before);
}

static void leave(struct thread *t)
{
	avl_remove(&waiters, &t->futex.node);
}

BOOT void futex_boot(void)
{
	waiters = (struct avl_tree){ 0 };
	thread_hooks.futex_enter = enter;
	thread_hooks.futex_leave = leave;
}

/* ---- the two calls ----------------------------------------------------------------------------------------------- */

#define MISALIGNED(va) ((va) % sizeof(u32) != 0)

static sys_status_t read_word(struct thread *t, vaddr_t va, u32 *value)
{
	u64 len = sizeof(u32);
	void *word;
	sys_status_t status = space_reach(t->space, va, SYS_ACCESS_READ, &len, t->retries, &t->page, &word);

	if (status == SYS_OK)
		*value = __atomic_load_n((u32 *)word, __ATOMIC_ACQUIRE);        /* another CPU may be writing it */
	return status;
}

int futex_wait(struct thread *t, vaddr_t va, u32 expected, i64 deadline)
{
	struct key k;
	u32 value;
	sys_status_t status;

	if (MISALIGNED(va))
		return SYS_ERR_INVALID_ARGS;
	status = read_word(t, va, &value);
	if (status == SYS_OK)
		status = space_shows(t->space, va, &k.object, &k.offset);
	if (status != SYS_OK)
		return status;
	if (value != expected)
		return SYS_ERR_BAD_STATE;
	if (deadline != SYS_TIME_INFINITE && deadline <= arch_now())
		return SYS_ERR_TIMED_OUT;
	/* COMMIT */
	t->futex.object = k.object;
	t->futex.offset = k.offset;
	thread_block(t, WAIT_FUTEX, NULL, deadline, true);
	enter(t);
	return CALL_BLOCKED;
}

int futex_wake(struct thread *t, vaddr_t va, u32 *count, u64 *woken)
{
	struct thread *first;
	struct key k;

	if (MISALIGNED(va))
		return SYS_ERR_INVALID_ARGS;
	if (space_shows(t->space, va, &k.object, &k.offset) != SYS_OK)
		return *woken ? SYS_OK : SYS_ERR_BAD_ADDRESS;
	/* COMMIT */
	for (bool more = false; *count && (first = first_at(&k)) != NULL; more = true) {
		if (more && arch_preempt_poll())        /* not behind the last: he may wait again by then */
			return VM_AGAIN;
		thread_complete(first, SYS_OK);
		(*count)--;
		(*woken)++;
	}
	return SYS_OK;
}

/* ---- walkers ----------------------------------------------------------------------------------------------------- */

static bool says_so(const struct avl_node *n)
{
	const struct thread *t = thread_at(n);

	return t->state == SYS_THREAD_WAITING && t->wait == WAIT_FUTEX && !t->suspended && !t->waits_on;
}

void futex_check(void)
{
	avl_check(&waiters, before, says_so);
}

void futex_check_thread(const struct thread *t)
{
	struct avl_node *n = waiters.root;

	if (t->wait != WAIT_FUTEX)
		return;
	while (n && n != &t->futex.node)
		n = before(&t->futex.node, n) ? n->left : n->right;
	ASSERT(n);
}
