/* SPDX-License-Identifier: BSD-2-Clause */
/* lock.c: locks between the threads of a program: libsys' own, and those that picolibc asks for by __retarget_lock_*.
 * A waiter sleeps a little longer each time, so that a holder of lower priority gets the processor. All locks given to
 * picolibc are recursive; an owner is known by its TLS head.
 */
#include <stdlib.h>
#include <sys/lock.h>
#include "internal.h"

enum { SLEEP_FIRST_NS = 20000, SLEEP_MAX_NS = 1000000 };

struct __lock { struct tls_head *owner; unsigned depth; bool taken; };
enum { POOL = 8 };

struct __lock __lock___libc_recursive_mutex;
static struct __lock pool[POOL];        /* for the first few streams, so that printing needs no heap */

static sys_cap_t sleep_never;           /* a notification that nobody signals */

void libsys_sleep(sys_time_t ns)
{
	sys_cap_t made, none = SYS_CAP_NULL;
	uint64_t bits;

	if (!__atomic_load_n(&sleep_never, __ATOMIC_ACQUIRE)) {
		if (sys_notification_create(SYS_CAP_UNTYPED, &made) != SYS_OK) {
			sys_thread_yield();
			return;
		}
		if (!__atomic_compare_exchange_n(&sleep_never, &none, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			sys_cap_delete(made);
	}
	sys_notification_wait(sleep_never, &bits, sys_clock_get() + ns);
}

static sys_time_t longer(sys_time_t ns)
{
	return 2 * ns < SLEEP_MAX_NS ? 2 * ns : SLEEP_MAX_NS;
}

void libsys_lock(libsys_lock_t *lock)
{
	for (sys_time_t ns = SLEEP_FIRST_NS; __atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE); ns = longer(ns))
		libsys_sleep(ns);
}

void libsys_unlock(libsys_lock_t *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

static struct __lock *pool_take(void)
{
	for (int i = 0; i < POOL; i++)
		if (!__atomic_exchange_n(&pool[i].taken, true, __ATOMIC_ACQ_REL))
			return &pool[i];
	return calloc(1, sizeof(struct __lock));
}

static void pool_give(struct __lock *lock)
{
	if (lock >= pool && lock < pool + POOL)
		__atomic_store_n(&lock->taken, false, __ATOMIC_RELEASE);
	else
		free(lock);
}

/* Two threads may come here with the same stream; the first one's lock stays. NULL (no memory) is a lock that is never
 * held, which __retarget_lock_acquire accepts. */
void __retarget_lock_init_recursive(_LOCK_T *lock)
{
	struct __lock *none = NULL, *made = pool_take();

	if (made && !__atomic_compare_exchange_n(lock, &none, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		pool_give(made);
}

void __retarget_lock_close_recursive(_LOCK_T lock)
{
	if (lock)
		pool_give(lock);
}

static bool lock_try(struct __lock *lock, struct tls_head *self)
{
	struct tls_head *none = NULL;

	return __atomic_compare_exchange_n(&lock->owner, &none, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
	struct tls_head *self = tls_current();

	if (!lock)
		return;
	if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) != self)
		for (sys_time_t ns = SLEEP_FIRST_NS; !lock_try(lock, self); ns = longer(ns))
			libsys_sleep(ns);
	lock->depth++;
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
	if (lock && --lock->depth == 0)
		__atomic_store_n(&lock->owner, NULL, __ATOMIC_RELEASE);
}

void __retarget_lock_init(_LOCK_T *lock) { __retarget_lock_init_recursive(lock); }
void __retarget_lock_close(_LOCK_T lock) { __retarget_lock_close_recursive(lock); }
void __retarget_lock_acquire(_LOCK_T lock) { __retarget_lock_acquire_recursive(lock); }
void __retarget_lock_release(_LOCK_T lock) { __retarget_lock_release_recursive(lock); }
