#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# pairs.sh LOG...: which pairs call:ERROR of the table of system calls (kernel/abi/vellum/syscalls.def) no passed test of these
# serial logs names. For a call of this issue: call:OK, its declared errors, and what follows from its arguments (BAD_CAP, WRONG_TYPE,
# ACCESS_DENIED, BAD_ADDRESS); for a later one call:NOT_SUPPORTED. Pairs that nothing can provoke yet stand in unreachable.txt
# with the reason; a pair there that a test does show is an error too.
#
# The same for rights: for each right that the table asks of a capability argument, always or by options, a test whose name has
# `call:ACCESS_DENIED argument N RIGHT` (N counts the capabilities of the call from 0; READ_OR_WRITE: either is enough). A reply is
# never copied, so it always has its rights. Exit status 1 if anything is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || { echo "usage: pairs.sh LOG..." >&2; exit 2; }

# A line `CALL name ARGS ... ERRORS ... FLAGS ...` for each call.
lines() {
	printf '%s\n' '#define SYSCALL(n, name, args, errors, flags) CALL name ARGS args ERRORS errors FLAGS flags STOP_HERE' \
		'#define SYSCALL_HAND SYSCALL' '#include <vellum/syscalls.def>' |
		gcc -E -P -Ikernel/abi -x c - | tr '\n' ' ' | sed 's/ STOP_HERE/\n/g'
}

wanted() {
	lines | awk '
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

# The rights that a selection by options (select_* in kernel/syscall/dispatch.c) can ask for are repeated here.
wanted_rights() {
	lines | awk '
		BEGIN {
			of["vmo_op"] = of["pin"] = "READ WRITE"
			of["can_map"] = of["vmo_perm"] = "READ WRITE EXECUTE"
			of["perm"] = "READ WRITE EXECUTE WX"
		}
		function want(rights,    list, n, i) {
			gsub(/[|]/, " ", rights)
			n = split(rights, list, " ")
			for (i = 1; i <= n; i++) if (list[i] != "0") print name ":ACCESS_DENIED argument " count " " list[i]
		}
		{
			match($0, /CALL [a-z0-9_]+/); name = substr($0, RSTART + 5, RLENGTH - 5)
			if (name == "") next
			args = substr($0, index($0, "ARGS"), index($0, "ERRORS") - index($0, "ARGS"))
			for (count = 0; match(args, /\((CAP|CAPO|CAPX),[^)]*/); count++) {
				n = split(substr(args, RSTART + 1, RLENGTH - 1), part, / *, */)
				args = substr(args, RSTART + RLENGTH)
				if (part[3] == "REPLY") continue
				want(part[4])
				if (part[1] != "CAPX") continue
				if (part[5] != "0") { gsub(/ *[|] */, "_OR_", part[5]); want(part[5]) }
				if (!(part[7] in of)) { print "pairs.sh: which rights can " part[7] " select?" >"/dev/stderr"; print name ":unknown" }
				else want(of[part[7]])
			}
		}' | sort -u
}

shown_rights() { tr -d '\r' <"$1" | sed -n 's/^ok //p' | grep -aoE '\b[a-z][a-z0-9_]+:ACCESS_DENIED argument [0-9]+ [A-Z_]+' || true; }
excused_rights() { sed -nE 's/^([a-z0-9_]+:ACCESS_DENIED argument [0-9]+ [A-Z_]+) .*/\1/p' test/guest/unreachable.txt | sort -u; }

shown() { tr -d '\r' <"$1" | sed -n 's/^ok //p' | grep -aoE '\b[a-z][a-z0-9_]+:[A-Z][A-Z_]+' || true; }
# CALL:* stands for all pairs of a call.
excused() {
	grep -v ':ACCESS_DENIED argument ' test/guest/unreachable.txt | sed -n 's/^\([a-z0-9_]*:[A-Z_*]*\) .*/\1/p' | while IFS=: read -r call error; do
		if [ "$error" = '*' ]; then wanted | grep "^$call:"; else echo "$call:$error"; fi
	done | sort -u
}

shown_all=$(for log; do shown "$log"; done | sort -u)
missing=$(comm -23 <(wanted) <(sort -u <(echo "$shown_all") <(excused)))
stale=$(comm -12 <(excused) <(echo "$shown_all"))
unknown=$(comm -23 <(excused) <(wanted))
echo "$(wanted | wc -l) pairs, $(comm -12 <(wanted) <(echo "$shown_all") | wc -l) shown, $(excused | wc -l) excused"
rights_shown=$(for log; do shown_rights "$log"; done | sort -u)
rights_missing=$(comm -23 <(wanted_rights) <(sort -u <(echo "$rights_shown") <(excused_rights)))
rights_stale=$(comm -12 <(excused_rights) <(echo "$rights_shown"))
echo "$(wanted_rights | wc -l) rights of calls, $(comm -12 <(wanted_rights) <(echo "$rights_shown") | wc -l) shown, $(excused_rights | wc -l) excused"
[ -z "$rights_missing" ] || sed 's/^/not shown: /' <<<"$rights_missing"
[ -z "$rights_stale" ] || sed 's/^/excused, but shown: /' <<<"$rights_stale"
[ -z "$missing" ] || printf 'not shown: %s\n' $missing
[ -z "$stale" ] || printf 'excused, but shown: %s\n' $stale
[ -z "$unknown" ] || printf 'excused, but not declared: %s\n' $unknown
[ -z "$missing$stale$unknown$rights_missing$rights_stale" ]
