/* SPDX-License-Identifier: BSD-2-Clause */
/* time.c: the C library's clocks. There is one: time since boot. */
#include <errno.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>
#include "internal.h"

#define NS_PER_S 1000000000ll

int clock_gettime(clockid_t clock, struct timespec *now)
{
	sys_time_t ns = sys_clock_get();

	(void)clock;
	now->tv_sec = ns / NS_PER_S;
	now->tv_nsec = ns % NS_PER_S;
	return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	sys_time_t ns = sys_clock_get();

	(void)zone;
	now->tv_sec = ns / NS_PER_S;
	now->tv_usec = ns % NS_PER_S / 1000;
	return 0;
}

/* The first thread's processor time stands for the program's. */
clock_t times(struct tms *out)
{
	sys_thread_info_t info = { 0 };

	if (sys_thread_info(SYS_CAP_THREAD, &info) != SYS_OK)
		info.cpu_time = 0;
	*out = (struct tms){ .tms_utime = (clock_t)(info.cpu_time / (NS_PER_S / CLOCKS_PER_SEC)) };
	return (clock_t)(sys_clock_get() / (NS_PER_S / CLOCKS_PER_SEC));
}

int nanosleep(const struct timespec *time, struct timespec *left)
{
	if (time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec >= NS_PER_S) {
		errno = EINVAL;
		return -1;
	}
	libsys_sleep(time->tv_sec * NS_PER_S + time->tv_nsec);
	if (left)
		*left = (struct timespec){ 0, 0 };
	return 0;
}

int usleep(useconds_t us)
{
	libsys_sleep((sys_time_t)us * 1000);
	return 0;
}

unsigned sleep(unsigned seconds)
{
	libsys_sleep(seconds * NS_PER_S);
	return 0;
}
