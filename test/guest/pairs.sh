#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# pairs.sh LOG...: which pairs call:ERROR of the table of system calls (kernel/abi/vellum/syscalls.def) no passed test of these
# serial logs names. For a call of this issue: call:OK, its declared errors, and what follows from its arguments (BAD_CAP, WRONG_TYPE,
# ACCESS_DENIED, BAD_ADDRESS); for a later one call:NOT_SUPPORTED. Pairs that nothing can provoke yet stand in unreachable.txt
# with the reason; a pair there that a test does show is an error too. Exit status 1 if anything is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || { echo "usage: pairs.sh LOG..." >&2; exit 2; }

wanted() {
	printf '%s\n' '#define SYSCALL(n, name, args, errors, flags) CALL name ARGS args ERRORS errors FLAGS flags STOP_HERE' \
		'#define SYSCALL_HAND SYSCALL' '#include <vellum/syscalls.def>' |
		gcc -E -P -Ikernel/abi -x c - | tr '\n' ' ' | sed 's/ STOP_HERE/\n/g' | awk '
		{
			match($0, /CALL [a-z0-9_]+/); name = substr($0, RSTART + 5, RLENGTH - 5)
			a = index($0, "ARGS"); e = index($0, "ERRORS"); f = index($0, "FLAGS")
			args = substr($0, a, e - a); errors = substr($0, e + 6, f - e - 6); flags = substr($0, f)
			if (name == "") next
			if (flags ~ /LATER/) { print name ":NOT_SUPPORTED"; next }
			print name ":OK"
			gsub(/[(),]/, " ", errors)
			n = split(errors, list, " ")
			for (i = 1; i <= n; i++) print name ":" list[i]
			while (match(args, /\((CAP|CAPO|CAPX), *[a-z0-9_]+, *[A-Z]+, *[^,)]*/)) {
				split(substr(args, RSTART + 1, RLENGTH - 1), part, / *, */)
				args = substr(args, RSTART + RLENGTH)
				print name ":BAD_CAP"
				if (part[3] != "ANY") print name ":WRONG_TYPE"
				if (part[1] == "CAPX" || part[4] !~ /^0$/) print name ":ACCESS_DENIED"
			}
			if ($0 ~ /\(OUT,/) print name ":BAD_ADDRESS"
		}' | sort -u
}

shown() { tr -d '\r' <"$1" | sed -n 's/^ok //p' | grep -aoE '\b[a-z][a-z0-9_]+:[A-Z][A-Z_]+' || true; }
# CALL:* stands for all pairs of a call.
excused() {
	sed -n 's/^\([a-z0-9_]*:[A-Z_*]*\) .*/\1/p' test/guest/unreachable.txt | while IFS=: read -r call error; do
		if [ "$error" = '*' ]; then wanted | grep "^$call:"; else echo "$call:$error"; fi
	done | sort -u
}

shown_all=$(for log; do shown "$log"; done | sort -u)
missing=$(comm -23 <(wanted) <(sort -u <(echo "$shown_all") <(excused)))
stale=$(comm -12 <(excused) <(echo "$shown_all"))
unknown=$(comm -23 <(excused) <(wanted))
echo "$(wanted | wc -l) pairs, $(comm -12 <(wanted) <(echo "$shown_all") | wc -l) shown, $(excused | wc -l) excused"
[ -z "$missing" ] || printf 'not shown: %s\n' $missing
[ -z "$stale" ] || printf 'excused, but shown: %s\n' $stale
[ -z "$unknown" ] || printf 'excused, but not declared: %s\n' $unknown
[ -z "$missing$stale$unknown" ]
