#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# statements.sh LOG...: how the numbered statements of test/guest/statements.txt stand: which of them a passed test of these
# serial logs shows (its name has the id in parentheses), and whether that is what the list says. It counts those that are shown
# (`shown`, `part`), that wait for something (`waits`), and in which the kernel differs (`deviates`), and lists what is open.
#
# Exit status 1 if an id is listed as shown and no test shows it; if a test shows what waits; if a test names an id of these families that
# is not in the list; if a deviation is not named in docs/deviations.md, or if more than 3 % are own ones. What is listed as open and shown
# counts as shown; a test may show what the kernel does where it deviates.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || { echo "usage: statements.sh LOG..." >&2; exit 2; }
list=test/guest/statements.txt
own_most=3      # percent

with() { awk -v status="^($1)(:|$)" '$1 !~ /^#/ && $2 ~ status { print $1 }' "$list" | sort; }
families=$(with '.*' | sed 's/-.*//' | sort -u | paste -sd '|')
# The ids in the parentheses of the names of passed tests.
shown=$(tr -d '\r' <<<"$(cat "$@")" | sed -n 's/^ok //p' | grep -aoE '\([^()]*\)' | grep -oE "\b($families)(-[A-Z]+)?-[0-9]+\b" | sort -u || true)
all() { comm "$1" - <(echo "$shown"); }
say() { [ -z "$2" ] || { printf "$1: %s\n" $2; bad=1; }; }

bad=''
say 'no test shows it' "$(with 'shown|part' | all -23)"
say 'a test shows it, and it is listed as something else' "$(with waits | all -12)"
say 'a test names it, and it is not listed' "$(with '.*' | all -13)"
say 'not in the words of the list' "$(comm -23 <(with '.*') <(with 'shown|part|waits|deviates|open'))"
say 'docs/deviations.md does not name it' "$(for id in $(with deviates); do grep -q "\b$id\b" docs/deviations.md || echo "$id"; done)"
open=$(with open | all -23)
total=$(with '.*' | wc -l)
own=$(with deviates:own | wc -l)
[ $((own * 100)) -le $((total * own_most)) ] || { echo "$own of $total are own deviations, more than $own_most %"; bad=1; }

[ -z "$open" ] || printf 'open: %s\n' $open
echo "$total statements: $(with 'shown|open' | all -12 | wc -l) shown, $(with part | wc -l) in part, $(with waits | wc -l) wait," \
	"$(with deviates | wc -l) deviate ($own by own decision), $(wc -w <<<"$open") open"
[ -z "$bad" ]
