/* SPDX-License-Identifier: BSD-2-Clause */
/* assert.h: facts that must hold. A user's mistake is never one of them: that is a status.
 *
 * ASSERT is always compiled in; DEBUG_ASSERT is evaluated in debug and host builds only (the expression is still compiled in release).
 * The text of a failure is the violated fact itself, then file and line; panic adds registers and a backtrace and ends the machine.
 */
#pragma once
#include "lib/types.h"

/* Prints "vellum: PANIC: " and the text, what the machine knows, and stops as failed. On the host: prints and aborts. */
noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

/* Ends the machine as failed where it is not the kernel that is wrong: loader, memory, modules or CPU are not what it needs. "vellum: cannot start: " and the text, which says
 * what is missing; no registers, no backtrace. */
noreturn void refuse(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

/* panic() with a text that is one literal: what every fact costs in code is a test and a call with one argument. */
noreturn void panic_fact(const char *text) __attribute__((cold));
#define FACT_LINE(line) #line
#define FACT_AT(file, line) " (" file ":" FACT_LINE(line) ")"
#define ASSERT(fact) do { if (unlikely(!(fact))) panic_fact(#fact FACT_AT(__FILE__, __LINE__)); } while (0)
#ifdef VELLUM_DEBUG
#define DEBUG_ASSERT(fact) ASSERT(fact)
#else
#define DEBUG_ASSERT(fact) do { if (0) (void)(fact); } while (0)
#endif
