# SPDX-License-Identifier: BSD-2-Clause
# The mutants of the files given (after code.awk): a line each, FILE NUMBER LINE WHAT OLD NEW, with tabs between. With
# -v pick=NUMBER and one file it prints that file with the mutation made.
#
# A mutation is made in one statement, or in the head of one (`if (...)`), which may be several lines:
#   drop     an expression or an assignment goes; declarations, jumps and returns stay
#   negate   the condition of if, while and ?:, each operand of && and ||
#   bound    < and <=, > and >= change places; a decimal number becomes one more, one less. `{ 0 }` stays
# Assertions, panics, walkers and what the preprocessor reads are left alone.

function flat(s) { gsub(/[ \t\n]+/, " ", s); sub(/^ /, "", s); sub(/ $/, "", s); return s }

# In the statement, `length` characters from `at` on give place to s.
function emit(what, at, length_, s,   new) {
	if (s == substr(text, at, length_)) return
	count++
	new = substr(text, 1, at - 1) s substr(text, at + length_)
	if (!pick)
		printf "%s\t%d\t%d\t%s\t%s\t%s\n", FILENAME, count, line_of(at), what, flat(text), flat(new)
	else if (pick == count) {
		out[first] = new
		gone_from = first + 1; gone_to = first + gsub(/\n/, "\n", text)
	}
}
function line_of(at,   s) { s = substr(text, 1, at); return first + gsub(/\n/, "", s) }

# From `at`, to the right: where the operand ends that begins there. A connector, or what encloses it.
function operand_end(at,   depth, c, rest) {
	for (depth = 0; at <= length(code); at++) {
		c = substr(code, at, 1)
		rest = substr(code, at)
		if (c ~ /[([{]/) depth++
		else if (c ~ /[])}]/) { if (--depth < 0) return at }
		else if (!depth && (c ~ /[;,]/ || rest ~ /^[ \t\n](&&|\|\||\?|:)[ \t\n]/)) return at
	}
	return at
}

# To the left, from before `at`: where the operand begins that ends there; 0 if that is after a connector, so it was seen from there.
# whole: where the condition of a ?: begins, connectors being part of it.
function operand_begin(at, whole,   depth, c, before, i) {
	depth = 0
	for (i = at - 1; i > 0; i--) {
		c = substr(code, i, 1)
		before = substr(code, 1, i)
		if (c ~ /[])}]/) depth++
		else if (c ~ /[([{]/) { if (--depth < 0) return i + 1 }
		else if (!depth && c ~ /[;,]/) return i + 1
		else if (!depth && !whole && before ~ /(&&|\|\|)[ \t\n]$/) return 0
		else if (!depth && before ~ /[ \t\n](\?|:|[-+*\/|&^%]?=|<<=|>>=|return)[ \t\n]$/) return i + 1
	}
	return 0
}

function negate(begin, end) {
	while (substr(code, begin, 1) ~ /[ \t\n]/) begin++
	if (substr(code, begin, end - begin) ~ /^[0-9]*$/) return
	emit("negate", begin, end - begin, "!(" substr(text, begin, end - begin) ")")
}

function conditions(from,   at, rest, begin) {
	for (at = from; match(rest = substr(code, at), /(^|[^A-Za-z_])(if|while) \(/); at = at + RSTART + RLENGTH - 1) {
		begin = at + RSTART + RLENGTH - 1
		negate(begin, paren_end(begin))
	}
	for (at = from; match(rest = substr(code, at), /[ \t\n](&&|\|\|)[ \t\n]/); at = at + RSTART + RLENGTH - 1) {
		if ((begin = operand_begin(at + RSTART - 1, 0))) negate(begin, at + RSTART - 1)
		negate(at + RSTART + RLENGTH - 1, operand_end(at + RSTART + RLENGTH - 1))
	}
	for (at = from; match(rest = substr(code, at), /[ \t\n]\?[ \t\n]/); at = at + RSTART + RLENGTH - 1)
		if ((begin = operand_begin(at + RSTART - 1, 1))) negate(begin, at + RSTART - 1)
}

# From within a parenthesis: where it ends.
function paren_end(at,   depth, c) {
	for (depth = 0; at <= length(code); at++) {
		c = substr(code, at, 1)
		if (c == "(") depth++
		else if (c == ")" && --depth < 0) break
	}
	return at
}

function bounds(from,   at, rest, sign, number, suffix, begin) {
	for (at = from; match(rest = substr(code, at), /[ \t\n][<>]=?[ \t\n]/); at = at + RSTART + RLENGTH - 2) {
		begin = at + RSTART
		sign = substr(code, begin, RLENGTH - 2)
		emit("bound", begin, length(sign), length(sign) == 1 ? sign "=" : substr(sign, 1, 1))
	}
	for (at = from; match(rest = substr(code, at), /[^A-Za-z0-9_.][0-9]+(u|ul|ull|ll|l)?[^A-Za-z0-9_.]/); at = at + RSTART + RLENGTH - 2) {
		begin = at + RSTART
		number = suffix = substr(code, begin, RLENGTH - 2)
		sub(/^[0-9]+/, "", suffix)
		if (substr(code, begin - 2) ~ /^\{ 0 \}/) continue
		emit("bound", begin, length(number), (number + 1) suffix)
		if (number + 0 > 0) emit("bound", begin, length(number), (number - 1) suffix)
	}
}

function drops(from,   s, lead, begin, semicolons) {
	s = substr(code, from)
	begin = from
	if (substr(code, from, 1) == "{") { begin++; s = substr(s, 2); sub(/\}[ \t]*$/, "", s) }
	match(s, /^[ \t\n]*/)
	begin += RLENGTH
	s = substr(s, RLENGTH + 1)
	sub(/[ \t\n]+$/, "", s)
	if (s ~ /^(case .*|default):[ \t\n]/) return
	semicolons = gsub(/;/, ";", s)
	if (semicolons != 1 || s !~ /;$/ || s !~ /^([A-Za-z_(*]|\+\+|--)/) return
	if (s ~ /^(return|break|continue|goto|if|else|for|while|do|switch)([^A-Za-z0-9_]|$)/) return
	if (s ~ /^[A-Za-z_][A-Za-z0-9_]*[ \t\n]+\**[A-Za-z_]/ || s ~ /^\(void\)[a-z_]+(, \(void\)[a-z_]+)*;$/) return
	emit("drop", begin, length(s), ";")
}

function statement(   from) {
	if (!spoiled) {
		from = code ~ /^[a-z]/ ? index(code, "{") : 1
		drops(from); conditions(from); bounds(from)
	}
	text = ""
}

# Whether what has been gathered is a whole statement, or a whole head of one.
function complete(   s, control, depth) {
	s = code
	sub(/[ \t\n]+$/, "", s)
	control = s ~ /^[ \t]*(\}[ \t]*)?(else[ \t]+)?(if|for|while|switch|list_each)[ \t]*\(/
	depth = gsub(/[(\[]/, "&", s) - gsub(/[])]/, "&", s)
	if (!control && s !~ /^[^=]*\{$/ && s !~ /^\}/) depth += gsub(/\{/, "&", s) - gsub(/\}/, "&", s)
	if (depth > 0) return 0
	return s ~ /[;{}:]$/ || s ~ /(^|[^A-Za-z_])(else|do)$/ || (control && s ~ /\)$/)
}

FNR == 1 { count = 0; text = "" }
{
	out[FNR] = $0
	lines = FNR
	if (!inside || walker || (text == "" && clean ~ /^[ \t]*[{}]?[ \t]*$/)) { text = ""; next }
	if (text == "") { text = $0; code = clean; first = FNR; spoiled = facts }
	else { text = text "\n" $0; code = code "\n" clean; spoiled += facts }
	if (complete()) statement()
}
END {
	if (pick)
		for (i = 1; i <= lines; i++) if (i < gone_from || i > gone_to) print out[i]
}
