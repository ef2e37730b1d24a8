/* SPDX-License-Identifier: BSD-2-Clause */
/* mutex.c: mutexes and conditions on futexes. See libsys/mutex.h.
 * The kernel is asked only when somebody must wait, or may be waiting. Here is nothing that needs a thread's own
 * variables, a heap or a capability, so all of it works before any setup.
 */
#include <libsys/mutex.h>

enum { FREE, HELD, WANTED };            /* WANTED: held, and its release wakes somebody */

static void wake(uint32_t *word, uint32_t count)
{
	uint32_t woken;

	sys_futex_wake(word, count, &woken);
}

bool libsys_mutex_try(libsys_mutex_t *mutex)
{
	uint32_t state = FREE;

	return __atomic_compare_exchange_n(&mutex->state, &state, HELD, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* Who has waited takes it as WANTED, since there may be more: at worst that is one wake-up for nobody. */
sys_status_t libsys_mutex_lock_until(libsys_mutex_t *mutex, sys_time_t deadline)
{
	if (libsys_mutex_try(mutex))
		return SYS_OK;
	while (__atomic_exchange_n(&mutex->state, WANTED, __ATOMIC_ACQUIRE) != FREE)
		if (sys_futex_wait(&mutex->state, WANTED, deadline) == SYS_ERR_TIMED_OUT)
			return SYS_ERR_TIMED_OUT;
	return SYS_OK;
}

void libsys_mutex_lock(libsys_mutex_t *mutex)
{
	while (libsys_mutex_lock_until(mutex, SYS_TIME_INFINITE) != SYS_OK)
		;
}

void libsys_mutex_unlock(libsys_mutex_t *mutex)
{
	if (__atomic_exchange_n(&mutex->state, FREE, __ATOMIC_RELEASE) == WANTED)
		wake(&mutex->state, 1);
}

sys_status_t libsys_condition_wait(libsys_condition_t *condition, libsys_mutex_t *mutex, sys_time_t deadline)
{
	uint32_t changes = __atomic_load_n(&condition->changes, __ATOMIC_RELAXED);
	sys_status_t status;

	libsys_mutex_unlock(mutex);
	status = sys_futex_wait(&condition->changes, changes, deadline);
	libsys_mutex_lock(mutex);
	return status == SYS_ERR_TIMED_OUT ? SYS_ERR_TIMED_OUT : SYS_OK;
}

void libsys_condition_signal(libsys_condition_t *condition)
{
	__atomic_add_fetch(&condition->changes, 1, __ATOMIC_RELEASE);
	wake(&condition->changes, 1);
}

void libsys_condition_broadcast(libsys_condition_t *condition)
{
	__atomic_add_fetch(&condition->changes, 1, __ATOMIC_RELEASE);
	wake(&condition->changes, UINT32_MAX);
}
