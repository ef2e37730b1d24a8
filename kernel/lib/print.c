/* SPDX-License-Identifier: BSD-2-Clause */
/* print.c: see print.h. Numbers are made in a small array on the stack. */
#include "arch/arch.h"
#include "lib/print.h"
#include "lib/string.h"

static void put_text(const char *text)
{
	text = text ? text : "(null)";
	arch_console_write(text, strlen(text));
}

static void put_number(u64 value, unsigned base, unsigned width)
{
	char digits[20];
	size_t at = sizeof digits;
	do
		digits[--at] = "0123456789abcdef"[value % base];
	while ((value /= base) || (at > 0 && sizeof digits - at < width));
	arch_console_write(digits + at, sizeof digits - at);
}

static void put_signed(i64 value)
{
	if (value < 0)
		put_text("-");
	put_number(value < 0 ? -(u64)value : (u64)value, 10, 0);
}

/* `at` stands behind the per cent sign. Returns where the text goes on. */
static const char *directive(const char *at, va_list *args)
{
	unsigned width = 0;
	for (; *at >= '0' && *at <= '9'; at++)
		width = width * 10 + (unsigned)(*at - '0');
	bool wide = *at == 'l';
	at += wide;
	switch (*at) {
	case 's': put_text(va_arg(*args, const char *)); break;
	case 'd': put_signed(va_arg(*args, int)); break;
	case 'u': case 'x':
		put_number(wide ? va_arg(*args, u64) : va_arg(*args, unsigned), *at == 'u' ? 10 : 16, width);
		break;
	default: put_text("%"); return at;
	}
	return at + 1;
}

void kvprintf(const char *format, va_list args)
{
	va_list rest;
	va_copy(rest, args);
	while (*format) {
		const char *text = format;
		while (*format && *format != '%')
			format++;
		arch_console_write(text, (size_t)(format - text));
		if (*format)
			format = directive(format + 1, &rest);
	}
	va_end(rest);
}

void kprintf(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	kvprintf(format, args);
	va_end(args);
}
