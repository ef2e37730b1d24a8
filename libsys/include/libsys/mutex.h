/* SPDX-License-Identifier: BSD-2-Clause */
/* mutex.h: mutexes and conditions, in 4 bytes each; who waits sleeps at a futex (sys_futex_wait).
 *
 * All zero is a good beginning. They work wherever their memory does: between the threads of a program, and between
 * programs that map the same object, at whatever addresses. They need no capability, no heap and no thread variables.
 * A mutex is not recursive, and who ends while holding one leaves it held. Waiters are woken by priority, then by the
 * time of their coming, but a mutex is free to whoever takes it first.
 */
#pragma once
#include <vellum/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct { uint32_t state; } libsys_mutex_t;      /* 0 free, 1 held, 2 held and somebody may be waiting */
typedef struct { uint32_t changes; } libsys_condition_t;

void libsys_mutex_lock(libsys_mutex_t *mutex);
bool libsys_mutex_try(libsys_mutex_t *mutex);           /* takes it if it is free */
/* Waits for it until the deadline: SYS_OK, or TIMED_OUT. */
sys_status_t libsys_mutex_lock_until(libsys_mutex_t *mutex, sys_time_t deadline);
void libsys_mutex_unlock(libsys_mutex_t *mutex);

/* Gives the mutex up, waits until the condition is signalled (SYS_OK, perhaps without reason: look again) or the
 * deadline (TIMED_OUT), and takes it again, which may be later. No signal after the mutex was given up is missed. */
sys_status_t libsys_condition_wait(libsys_condition_t *condition, libsys_mutex_t *mutex, sys_time_t deadline);
void libsys_condition_signal(libsys_condition_t *condition);    /* wakes one who waits, if there is one */
void libsys_condition_broadcast(libsys_condition_t *condition); /* wakes all */

#ifdef __cplusplus
}
#endif
