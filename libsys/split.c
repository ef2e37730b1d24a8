/* SPDX-License-Identifier: BSD-2-Clause */
/* split.c: a command line into words. */
#include <libsys/libsys.h>

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Moves one word from *from to *to, without its quotes. False: a quote is not closed. */
static bool split_word(char **from, char **to)
{
	char *in = *from, *out = *to, quote = 0;

	for (; *in && (quote || !blank(*in)); in++) {
		if (quote ? *in == quote : *in == '"' || *in == '\'')
			quote = quote ? 0 : *in;
		else if (*in == '\\' && quote != '\'' && in[1])
			*out++ = *++in;
		else
			*out++ = *in;
	}
	*from = *in ? in + 1 : in;
	*out++ = '\0';
	*to = out;
	return !quote;
}

int libsys_split(char *line, char **word, int count)
{
	char *in = line, *out = line;
	int words = 0;

	for (;;) {
		while (blank(*in))
			in++;
		if (!*in)
			return words;
		if (words == count)
			return -1;
		word[words++] = out;
		if (!split_word(&in, &out))
			return -1;
	}
}
