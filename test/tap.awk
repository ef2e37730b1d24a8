# SPDX-License-Identifier: BSD-2-Clause
# Reads what test programs printed and writes one result a line: `ok - SUITE PROGRAM: TEST`, `not ok - ... (log: LOG)`.
#
# Input, possibly among other lines: `# program NAME`, the program's TAP, `# end NAME status N`. A program that does not
# end, prints no plan or another number of tests than planned, or ends with a status that its tests do not explain, is a
# failure of its own; so is a program of `expected` that never began, memory left behind (`# leak NAME BYTES`), and a panic.
# Variables: suite, serial (the log), expected (names separated by spaces).
function short(name) { sub(/^.*\//, "", name); sub(/\.elf$/, "", name); return name }
function fail(what) { printf "not ok - %s %s (log: %s)\n", suite, what, serial; failures++ }

function finish(status) {
	if (program == "") return
	if (status == "") fail(program ": did not end")
	else if (planned < 0) fail(program ": no plan")
	else if (planned != tests) fail(program ": " tests " tests, " planned " planned")
	else if (status != 0 && !bad) fail(program ": ended with status " status)
	program = ""
}

{ sub(/\r$/, "") }
/^# program / { finish(""); program = short($3); began[program] = 1; planned = -1; tests = bad = failures = 0; next }
/^# end / { if (short($3) == program) finish($5 ""); next }
/^# leak / { fail(short($3) ": leaves " $4 " bytes behind in its account") }
/vellum: PANIC/ { fail((program == "" ? "" : program ": ") "kernel panic: " $0) }
program == "" { next }
/^1\.\.[0-9]+/ { planned = substr($1, 4) + 0 }
/^Bail out!/ { fail(program ": " $0) }
/^(not )?ok / {
	tests++
	name = $0
	sub(/^(not )?ok [0-9]* *-? */, "", name)
	sub(/^[^:]*\.c:/, "", name)
	sub(/: Passed$/, "", name)
	if ($1 == "not") { bad++; fail(program ": " name) }
	else printf "ok - %s %s: %s\n", suite, program, name
}
END {
	finish("")
	n = split(expected, names, " ")
	for (i = 1; i <= n; i++) if (!(short(names[i]) in began)) fail(short(names[i]) ": never began")
	if (n == 0) fail("there are no test programs")
}
