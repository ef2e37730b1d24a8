/* SPDX-License-Identifier: BSD-2-Clause */
/* print.c: see print.h. Text goes in pieces to a sink: the console, or a buffer. Numbers are made in a small array
 * on the stack. */
#include "arch/arch.h"
#include "lib/print.h"
#include "lib/string.h"

struct sink { char *to; size_t room, length; };         /* to NULL: the console */

static void emit(struct sink *s, const char *text, size_t n)
{
	if (!s->to)
		arch_console_write(text, n);
	else if (s->length < s->room)
		memcpy(s->to + s->length, text, MIN(n, s->room - s->length));
	s->length += n;
}

static void fill(struct sink *s, char c, size_t width, size_t length)
{
	for (; length < width; length++)
		emit(s, &c, 1);
}

struct spec { bool left, zero; unsigned longs; size_t width, precision; };

static size_t parse_number(const char **at)
{
	size_t n = 0;
	for (; **at >= '0' && **at <= '9'; (*at)++)
		n = n * 10 + (size_t)(**at - '0');
	return n;
}

static void parse_spec(const char **at, struct spec *spec, va_list *args)
{
	*spec = (struct spec){ .precision = SIZE_MAX };
	for (;; (*at)++) {
		if (**at == '-') spec->left = true;
		else if (**at == '0') spec->zero = true;
		else break;
	}
	spec->width = parse_number(at);
	if (**at == '.') {
		(*at)++;
		if (**at == '*') {
			spec->precision = (size_t)va_arg(*args, int);
			(*at)++;
		} else {
			spec->precision = parse_number(at);
		}
	}
	for (; **at == 'l' || **at == 'z'; (*at)++)
		spec->longs++;
}

static void put_text(struct sink *s, const struct spec *spec, const char *text)
{
	size_t n = strnlen(text ? text : "(null)", spec->precision);
	if (!spec->left)
		fill(s, ' ', spec->width, n);
	emit(s, text ? text : "(null)", n);
	if (spec->left)
		fill(s, ' ', spec->width, n);
}

static void put_number(struct sink *s, const struct spec *spec, u64 value, unsigned base, const char *prefix)
{
	char digits[20];
	size_t at = sizeof digits, before = strlen(prefix);
	do
		digits[--at] = "0123456789abcdef"[value % base];
	while (value /= base);
	size_t n = sizeof digits - at + before;
	if (!spec->left && !spec->zero)
		fill(s, ' ', spec->width, n);
	emit(s, prefix, before);
	if (!spec->left && spec->zero)
		fill(s, '0', spec->width, n);
	emit(s, digits + at, sizeof digits - at);
	if (spec->left)
		fill(s, ' ', spec->width, n);
}

static void put_signed(struct sink *s, const struct spec *spec, i64 value)
{
	put_number(s, spec, value < 0 ? -(u64)value : (u64)value, 10, value < 0 ? "-" : "");
}

static u64 next_unsigned(const struct spec *spec, va_list *args)
{
	return spec->longs ? va_arg(*args, unsigned long) : va_arg(*args, unsigned);
}

/* One directive; `at` stands behind the per cent sign. False: not understood. */
static bool directive(struct sink *s, const char **at, va_list *args)
{
	struct spec spec;
	parse_spec(at, &spec, args);
	switch (*(*at)++) {
	case '%': emit(s, "%", 1); return true;
	case 's': put_text(s, &spec, va_arg(*args, const char *)); return true;
	case 'c': {
		char text[2] = { (char)va_arg(*args, int), 0 };
		spec.precision = 1;
		put_text(s, &spec, text);
		return true;
	}
	case 'd': case 'i': put_signed(s, &spec, spec.longs ? va_arg(*args, long) : va_arg(*args, int)); return true;
	case 'u': put_number(s, &spec, next_unsigned(&spec, args), 10, ""); return true;
	case 'x': put_number(s, &spec, next_unsigned(&spec, args), 16, ""); return true;
	case 'p': put_number(s, &spec, (u64)va_arg(*args, void *), 16, "0x"); return true;
	default: return false;
	}
}

static void format_to(struct sink *s, const char *format, va_list args)
{
	va_list rest;
	va_copy(rest, args);
	while (*format) {
		const char *text = format;
		while (*format && *format != '%')
			format++;
		if (format != text)
			emit(s, text, (size_t)(format - text));
		if (!*format)
			break;
		text = format++;
		if (!directive(s, &format, &rest)) {
			if (!format[-1])
				format--;
			emit(s, text, (size_t)(format - text));
		}
	}
	va_end(rest);
}

void kvprintf(const char *format, va_list args)
{
	struct sink s = { NULL, 0, 0 };
	format_to(&s, format, args);
}

void kprintf(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	kvprintf(format, args);
	va_end(args);
}

size_t kvsnprintf(char *to, size_t size, const char *format, va_list args)
{
	struct sink s = { to, size - 1, 0 };
	format_to(&s, format, args);
	to[MIN(s.length, size - 1)] = 0;
	return s.length;
}

size_t ksnprintf(char *to, size_t size, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	size_t n = kvsnprintf(to, size, format, args);
	va_end(args);
	return n;
}
