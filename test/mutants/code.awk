# SPDX-License-Identifier: BSD-2-Clause
# Reads C in the style of this tree, for sites.awk and ../coverage/report.awk, which come after it on awk's command line. Of each line:
#   clean    the line, as long as it was, with comments, strings and characters blanked
#   inside   it is part of a function's body. A body begins with `{` in the first column, or stands in the line of its name
#   walker   the function is a walker, or of one: `check` is in its name, and it returns no status; or it is below a heading
#            `/* ---- walkers ---- */`
#   facts    it holds an assertion or a panic

function blank(n,   s) { s = sprintf("%" n "s", ""); return s }

# The line without comments, strings and characters; in_comment goes on from line to line.
function clean_line(line,   out, c, two, end) {
	out = ""
	while (line != "") {
		c = substr(line, 1, 1); two = substr(line, 1, 2)
		if (in_comment) {
			end = index(line, "*/")
			in_comment = !end
			end = end ? end + 1 : length(line)
		} else if (two == "//") end = length(line)
		else if (two == "/*") { in_comment = 1; end = 2 }
		else if (c == "\"" || c == "'") {
			for (end = 2; end <= length(line) && substr(line, end, 1) != c; end++)
				if (substr(line, end, 1) == "\\") end++
		} else {
			out = out c; line = substr(line, 2)
			continue
		}
		out = out blank(end); line = substr(line, end + 1)
	}
	return out
}

# The name before the first parenthesis of a line that begins a function.
function head_name(line) {
	sub(/\(.*/, "", line)
	sub(/.*[ *]/, "", line)
	return line
}

FNR == 1 { in_comment = directive = body = walkers = 0; name = head = "" }
/^\/\* ----/ { walkers = /walker/ }
{
	clean = clean_line($0)
	if (directive || clean ~ /^[ \t]*#/) {
		directive = clean ~ /\\[ \t]*$/
		clean = blank(length(clean))
	}
	if (!body && clean ~ /^[a-z].*\(/) { name = head_name(clean); head = clean }
	if (clean ~ /^\{/) body = 1
	inside = body || clean ~ /^[a-z].*\).*\{.*\}[ \t]*$/
	if (clean ~ /^\}/ || clean ~ /^\{.*\}[ \t]*$/) body = 0
	walker = walkers || name ~ /check/ && head !~ /sys_status_t/
	facts = clean ~ /(^|[^A-Za-z_])((DEBUG_)?ASSERT|static_assert|panic) ?\(/
}
