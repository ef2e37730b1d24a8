/* SPDX-License-Identifier: BSD-2-Clause */
/* lock.c: the locks that picolibc asks for by __retarget_lock_*, and sleeping.
 * All locks given to picolibc are recursive; an owner is known by its TLS head. They are mutexes (mutex.c), and need no
 * setup: the one of malloc and those of the first streams lie in the program's image.
 */
#include <stdlib.h>
#include <sys/lock.h>
#include "internal.h"

struct __lock { libsys_mutex_t mutex; unsigned depth; struct tls_head *owner; bool taken; };
enum { POOL = 8 };

struct __lock __lock___libc_recursive_mutex;
static struct __lock pool[POOL];        /* for the first few streams, so that printing needs no heap */

/* At a word of its own, which nobody wakes and whose value stays. */
void libsys_sleep(sys_time_t ns)
{
	const uint32_t word = 0;
	sys_time_t now = sys_clock_get(), deadline = ns < SYS_TIME_INFINITE - now ? now + ns : SYS_TIME_INFINITE;

	while (sys_futex_wait(&word, 0, deadline) == SYS_OK)
		;
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

/* Nobody else writes this thread's own head there, so what it reads is its own or not. */
void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
	struct tls_head *self = tls_current();

	if (!lock)
		return;
	if (__atomic_load_n(&lock->owner, __ATOMIC_RELAXED) != self) {
		libsys_mutex_lock(&lock->mutex);
		__atomic_store_n(&lock->owner, self, __ATOMIC_RELAXED);
	}
	lock->depth++;
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
	if (!lock || --lock->depth > 0)
		return;
	__atomic_store_n(&lock->owner, NULL, __ATOMIC_RELAXED);
	libsys_mutex_unlock(&lock->mutex);
}

void __retarget_lock_init(_LOCK_T *lock) { __retarget_lock_init_recursive(lock); }
void __retarget_lock_close(_LOCK_T lock) { __retarget_lock_close_recursive(lock); }
void __retarget_lock_acquire(_LOCK_T lock) { __retarget_lock_acquire_recursive(lock); }
void __retarget_lock_release(_LOCK_T lock) { __retarget_lock_release_recursive(lock); }
