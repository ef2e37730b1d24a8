/* SPDX-License-Identifier: BSD-2-Clause */
/* table.c: vellum/syscalls.def as the dispatcher needs it. Nothing is declared here: the preprocessor turns each line of the table into one entry. */
#include "syscall/table.h"

/* Words of the table, as values. */
enum {
	READ = SYS_RIGHT_READ, WRITE = SYS_RIGHT_WRITE, EXECUTE = SYS_RIGHT_EXECUTE, MAP = SYS_RIGHT_MAP, COPY = SYS_RIGHT_COPY,
	GRANT = SYS_RIGHT_GRANT, INSPECT = SYS_RIGHT_INSPECT, RESIZE = SYS_RIGHT_RESIZE, SET_PROPERTY = SYS_RIGHT_SET_PROPERTY,
	SEND = SYS_RIGHT_SEND, RECV = SYS_RIGHT_RECV, MANAGE = SYS_RIGHT_MANAGE, BUS_MASTER = SYS_RIGHT_BUS_MASTER, WX = SYS_RIGHT_WX,
	WAITS = CALL_WAITS, LATER = CALL_LATER,
};
#define TYPE_ANY          UINT32_MAX
#define TYPE_UNTYPED      (1u << SYS_TYPE_UNTYPED)
#define TYPE_CNODE        (1u << SYS_TYPE_CNODE)
#define TYPE_THREAD       (1u << SYS_TYPE_THREAD)
#define TYPE_ENDPOINT     (1u << SYS_TYPE_ENDPOINT)
#define TYPE_NOTIFICATION (1u << SYS_TYPE_NOTIFICATION)
#define TYPE_REPLY        (1u << SYS_TYPE_REPLY)
#define TYPE_VMO          (1u << SYS_TYPE_VMO)
#define TYPE_VMAR         (1u << SYS_TYPE_VMAR)
#define TYPE_PAGER        (1u << SYS_TYPE_PAGER)
#define TYPE_RESOURCE     (1u << SYS_TYPE_RESOURCE)
#define TYPE_IRQ          (1u << SYS_TYPE_IRQ)
#define TYPE_IOPORT       (1u << SYS_TYPE_IOPORT)
#define TYPE_CONSOLE      (1u << SYS_TYPE_CONSOLE)

/* EACH(m, (a, b, ...)): m(0, a) m(1, b) ... */
#define UNWRAP(...) __VA_ARGS__
#define EACH_0(m)
#define EACH_1(m, a)                   m(0, a)
#define EACH_2(m, a, b)                EACH_1(m, a) m(1, b)
#define EACH_3(m, a, b, c)             EACH_2(m, a, b) m(2, c)
#define EACH_4(m, a, b, c, d)          EACH_3(m, a, b, c) m(3, d)
#define EACH_5(m, a, b, c, d, e)       EACH_4(m, a, b, c, d) m(4, e)
#define EACH_6(m, a, b, c, d, e, f)    EACH_5(m, a, b, c, d, e) m(5, f)
#define EACH_7(m, a, b, c, d, e, f, g) EACH_6(m, a, b, c, d, e, f) m(6, g)
#define EACH_8(m, a, b, c, d, e, f, g, h)          EACH_7(m, a, b, c, d, e, f, g) m(7, h)
#define EACH_9(m, a, b, c, d, e, f, g, h, i)       EACH_8(m, a, b, c, d, e, f, g, h) m(8, i)
#define EACH_10(m, a, b, c, d, e, f, g, h, i, j)   EACH_9(m, a, b, c, d, e, f, g, h, i) m(9, j)
#define EACH_11(m, a, b, c, d, e, f, g, h, i, j, k) EACH_10(m, a, b, c, d, e, f, g, h, i, j) m(10, k)
#define EACH_12(m, a, b, c, d, e, f, g, h, i, j, k, l) EACH_11(m, a, b, c, d, e, f, g, h, i, j, k) m(11, l)
#define EACH_13(m, a, b, c, d, e, f, g, h, i, j, k, l, n) EACH_12(m, a, b, c, d, e, f, g, h, i, j, k, l) m(12, n)
#define EACH_14(m, a, b, c, d, e, f, g, h, i, j, k, l, n, o) EACH_13(m, a, b, c, d, e, f, g, h, i, j, k, l, n) m(13, o)
#define EACH_PICK(_, a, b, c, d, e, f, g, h, i, j, k, l, n, o, name, ...) name
#define EACH_OF(m, ...) EACH_PICK(_ __VA_OPT__(,) __VA_ARGS__, EACH_14, EACH_13, EACH_12, EACH_11, EACH_10, EACH_9, EACH_8, EACH_7, EACH_6, EACH_5, \
                                  EACH_4, EACH_3, EACH_2, EACH_1, EACH_0)(m __VA_OPT__(,) __VA_ARGS__)
#define EACH_CALL(m, ...) EACH_OF(m, __VA_ARGS__)
#define EACH(m, list) EACH_CALL(m, UNWRAP list)

/* One argument: an entry of `cap` if it is a capability, else nothing. */
#define ENTRY(i, tuple)               ENTRY_1(i, UNWRAP tuple)
#define ENTRY_1(i, ...)               ENTRY_2(i, __VA_ARGS__)
#define ENTRY_2(i, kind, ...)         ENTRY_##kind(i, __VA_ARGS__)
#define ENTRY_CAP(i, what, kinds, all)  { .arg = i, .types = TYPE_##kinds, .rights = all },
#define ENTRY_CAPO(i, what, kinds, all) { .arg = i, .types = TYPE_##kinds, .rights = all, .odd = true, .optional = true },
#define ENTRY_CAPX(i, what, kinds, all, some, from, set) \
	{ .arg = i, .types = TYPE_##kinds, .rights = all, .odd = true, .any = some, .select_arg = from, .select = select_##set },
#define ENTRY_IN(i, type, name)
#define ENTRY_OUT(i, type, name)

#define COUNT(i, tuple)               COUNT_1(i, UNWRAP tuple)
#define COUNT_1(i, ...)               COUNT_2(i, __VA_ARGS__)
#define COUNT_2(i, kind, ...)         COUNT_##kind
#define COUNT_CAP  + 1
#define COUNT_CAPO + 1
#define COUNT_CAPX + 1
#define COUNT_IN
#define COUNT_OUT

#define ERROR_BIT(i, name)            | 1u << -SYS_ERR_##name

#define SYSCALL(number, call_name, args, declared, call_flags) [number] = { \
	.name = #call_name, .handler = (call_flags) & LATER ? call_later : call_##call_name, .flags = call_flags, \
	.errors = 0u EACH(ERROR_BIT, declared), .caps = 0 EACH(COUNT, args), .cap = { EACH(ENTRY, args) } },
#define SYSCALL_HAND SYSCALL

/* A call of a later issue has no handler yet: its capabilities are checked, then it says so. */
static int call_later(struct call *c)
{
	(void)c;
	return SYS_ERR_NOT_SUPPORTED;
}

const struct syscall syscalls[SYSCALLS] = {
#include <vellum/syscalls.def>
};
