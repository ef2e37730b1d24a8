/* SPDX-License-Identifier: BSD-2-Clause */
/* libsys.h: all that a program may ask of Vellum: the system calls and what libsys builds on them (<vellum/abi.h>),
 * and a few conveniences that every program of this tree shares.
 */
#pragma once
#include <vellum/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sleeps for `ns` nanoseconds; needs no memory and no capability. */
void libsys_sleep(sys_time_t ns);

/* Splits a command line in place into at most `count` words, at blanks; "..." and '...' group, a backslash takes the
 * next character as it is (not within '...'). Returns the number of words, or -1: a quote is not closed, or more than
 * `count`. */
int libsys_split(char *line, char **word, int count);

#ifdef __cplusplus
}
#endif
