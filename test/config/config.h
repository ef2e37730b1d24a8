/* SPDX-License-Identifier: BSD-2-Clause */
/* What Check's configure would find on picolibc, written by hand: no processes, no signals, no timers. */
#pragma once
#define PACKAGE_VERSION "0.15.2"
#define ENABLE_REGEX 1
#define ENABLE_SUBUNIT 0
#define HAVE_FORK 0
#define HAVE_MKSTEMP 1
#define HAVE_REGEX 1

#define HAVE_DECL_ALARM 1
#define HAVE_DECL_CLOCK_GETTIME 1
#define HAVE_DECL_GETLINE 1
#define HAVE_DECL_GETTIMEOFDAY 1
#define HAVE_DECL_LOCALTIME_R 1
#define HAVE_DECL_SETENV 1
#define HAVE_DECL_STRDUP 1
#define HAVE_DECL_STRSIGNAL 1

#define HAVE_CLOCK_GETTIME 1
#define HAVE_FCNTL_H 1
#define HAVE_GETLINE 1
#define HAVE_GETTIMEOFDAY 1
#define HAVE_INTTYPES_H 1
#define HAVE_LOCALTIME_R 1
#define HAVE_MALLOC 1
#define HAVE_REALLOC 1
#define HAVE_SNPRINTF 1
#define HAVE_STDARG_H 1
#define HAVE_STDINT_H 1
#define HAVE_STDLIB_H 1
#define HAVE_STRDUP 1
#define HAVE_STRING_H 1
#define HAVE_STRSIGNAL 1
#define HAVE_SYS_TIME_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_UNISTD_H 1
#define HAVE_VSNPRINTF 1

/* Types: all are there. */
#define HAVE_INTMAX_T 1
#define HAVE_PTRDIFF_T 1
#define HAVE_STRUCT_TIMESPEC_TV_NSEC 1
#define HAVE_STRUCT_TIMESPEC_TV_SEC 1
#define HAVE_STRUCT_ITIMERSPEC_IT_INTERVAL 1
#define HAVE_STRUCT_ITIMERSPEC_IT_VALUE 1
#define HAVE_UINTMAX_T 1
#define HAVE_UINTPTR_T 1
