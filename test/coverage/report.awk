# SPDX-License-Identifier: BSD-2-Clause
# The report of run.sh, from the sources and then gcov's counts (after ../mutants/code.awk). Not counted are
#   walkers          functions with `check` in their name that return no status. They are tests: what they would do for a
#                    kernel that is broken cannot be seen, and what they do for a sound one tells nothing about the tests
#   assertions       statements with ASSERT, DEBUG_ASSERT or panic: one of their branches is for broken kernels
# A function in a header counts once, whoever includes it.

FNR == 1 { counts = FILENAME ~ /counts$/; fact = 0 }

# ---- sources -------------------------------------------------------------------------------------------------------------
!counts {
	fact = fact || facts
	left_out[FILENAME, FNR] = fact || walker
	source[FILENAME, FNR] = $0
	if (clean ~ /;[ \t]*\}?[ \t]*$/) fact = 0
	next
}

# ---- gcov: COUNT: LINE: TEXT, and below it the branches of the line; count `-` has no code, `####` was not reached ------------
/^ *[^:]*: *0:Source:/ { file = $0; sub(/.*:Source:/, "", file); index_ = 0; next }
/^ *[^:]*: *[0-9]+:/ {
	split($0, field, ":")
	count = field[1]; line = field[2] + 0; branch = 0
	gsub(/[ *]/, "", count)
	wanted = ((file, line) in source) && !left_out[file, line]
	if (!wanted || count == "-") next
	lines[file, line]
	if (count !~ /^[#=]/) reached[file, line]
	next
}
/^branch / && wanted {
	branches[file, line, branch]
	if ($3 == "taken" && $4 > 0) taken[file, line, branch]
	branch++
}

function add(total, part, all, some,   k, p) {
	for (k in all) {
		split(k, p, SUBSEP)
		total[p[1]]++; total[folder(p[1])]++
		if (k in some) { part[p[1]]++; part[folder(p[1])]++ }
	}
}
function folder(name) { sub(/\/[^\/]*$/, "", name); return name }
function percent(part, all) { return all ? sprintf("%5.1f", 100 * part / all) : "    -" }
function row(name) {
	printf "%-32s %6d %s %9d %s\n", name, line_all[name], percent(line_some[name], line_all[name]), branch_all[name], percent(branch_some[name], branch_all[name])
}

END {
	add(line_all, line_some, lines, reached)
	add(branch_all, branch_some, branches, taken)
	printf "%-32s %6s %5s %9s %5s\n", "", "lines", "%", "branches", "%"
	for (i = 1; i < ARGC - 1; i++) if (line_all[ARGV[i]]) row(ARGV[i])
	n = split("kernel/mem kernel/cap kernel/ipc kernel/vm", folders, " ")
	for (i = 1; i <= n; i++) row(folders[i])
	for (i = 1; i < ARGC - 1; i++) if (list == "all" || ARGV[i] ~ /^kernel\/vm\//)
		for (l = 1; (ARGV[i], l) in source; l++) {
			missed = all = 0
			for (b = 0; (ARGV[i], l, b) in branches; b++) { all++; missed += !((ARGV[i], l, b) in taken) }
			text = source[ARGV[i], l]; sub(/^[ \t]+/, "", text)
			if (missed) printf "%s:%d: %d of %d not taken: %s\n", ARGV[i], l, missed, all, text
		}
	share = 100 * branch_some["kernel/vm"] / branch_all["kernel/vm"]
	printf "branches of kernel/vm: %.1f %%, bound %d %%\n", share, bound
	exit share < bound
}
