#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# run.sh [FILE...]: would the host tests notice? Makes one small mistake at a time in kernel/mem, vm, cap and ipc, or in the files
# given, and runs them (sites.awk says which mistakes). `make mutants SEED=1 N=100 JOBS=2`:
#   SEED   which are sampled; the same seed takes the same ones as long as the files are the same
#   N      how many; 0: all
#   JOBS   how many at a time; each works in a copy of its own, in build/mutants
#   EXCUSED=1  instead of a sample, all those that equivalent.txt excuses: one that a test kills is no excuse (exit status 1)
# Prints a line for each: `killed`, by which test, or `survived`, or `excused`, if equivalent.txt says that it changes nothing that can be
# noticed. One that does not compile gives place to the next. Then survivors as diffs, and the share killed of those not
# excused: below 90 % the exit status is 1.
set -euo pipefail
cd "$(dirname "$0")/../.."
seed=${SEED:-1} number=${N:-100} jobs=${JOBS:-2} doubt=${EXCUSED:-} work=$(realpath -m "${O:-build}/mutants")
limit=60                        # seconds of tests for one mutant; ten times as many for one that is excused
operations=10000                # of each model
[ ! "$doubt" ] || limit=$((limit * 10))
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES O SEED N EXCUSED
export ASAN_OPTIONS=detect_leaks=0
ulimit -c 0

files=("$@")
[ $# -gt 0 ] || files=(kernel/{mem,vm,cap,ipc}/*.[ch])

# ---- copies of the tree, built --------------------------------------------------------------------------------------
build() { nice make -s -C "$1" O=out 'warnings=-w' "${@:2}"; }

sources() { (cd "$1" && find GNUmakefile boot kernel test/host test/config -type f); }

# The first is brought up to date with the tree: what differs is new there, whatever its time. The others are made from the first.
# One in which a mutant was left standing is made anew.
copy_tree() {
	local dir=$work/$1 file
	if [ "$1" != 1 ] || [ -e "$dir/standing" ]; then rm -rf "$dir"; fi
	if [ "$1" != 1 ]; then
		cp -rp "$work/1" "$dir"
		return
	fi
	mkdir -p "$dir"/{boot,kernel,test/host,test/config}
	touch "$dir/GNUmakefile"
	sources "$dir" | while read -r file; do [ -e "$file" ] || rm "$dir/$file"; done
	sources . | while read -r file; do
		cmp -s "$file" "$dir/$file" || { mkdir -p "$(dirname "$dir/$file")"; cp "$file" "$dir/$file"; }
	done
	build "$dir" -j"$jobs" host-tests >/dev/null
}

# run_test DIR NAME SECONDS: one program of host/; what it prints is in DIR/log.
run_test() {
	local arguments=()
	[[ $2 != model/* ]] || arguments=(seed=1 "steps=$operations" walk=4)
	(ulimit -f 100000; SEED=1 exec nice timeout -k 1 "$3" "$1/out/host/$2" "${arguments[@]}") >"$1/log" 2>&1
}

# Tests as they must be, and what each takes, in ms, in $work/tests: NAME MS. The quick ones come first.
baseline() {
	local name begin
	for name in $(cd "$work/1/test/host" && printf "%s\n" ./*.c model/*.c | sed "s/^\.\///; s/\.c$//"); do
		[ -x "$work/1/out/host/$name" ] || continue
		begin=$(date +%s%N)
		run_test "$work/1" "$name" $limit || { echo "# $name fails as it is, and is left out" >&2; continue; }
		echo "$name $((($(date +%s%N) - begin) / 1000000))"
	done | sort -n -k 2 >"$work/tests"
}

# Which programs have which object file in them, in $work/uses: NAME OBJECT. They have all of its global symbols then.
uses() {
	local name object
	for object in "${files[@]}"; do
		[[ $object == *.c ]] || continue
		nm --defined-only -g "$work/1/out/host/obj/$object.o" | awk -v o="$object" 'NF == 3 { print "object", o, $3 }'
	done >"$work/symbols"
	while read -r name _; do
		nm --defined-only -g "$work/1/out/host/$name" | awk -v p="$name" 'NF == 3 { print "program", p, $3 }'
	done <"$work/tests" >>"$work/symbols"
	awk '$1 == "object" { has[$3] = has[$3] " " $2; all[$2]++ }
	     $1 == "program" { n = split(has[$3], o, " "); for (i = 1; i <= n; i++) count[$2 " " o[i]]++ }
	     END { for (k in count) { split(k, f, " "); if (count[k] == all[f[2]]) print k } }' "$work/symbols" >"$work/uses"
}

# The tests for a file: those named after it, or after its folder, then the others, quick ones first.
tests_for() {
	awk -v file="$1" -v uses="$work/uses" '
		BEGIN {
			while ((getline <uses) > 0) used[$1] = used[$1] " " $2 " "
			n = split(file, part, "/"); folder = part[n - 1]; base = part[n]; sub(/\..$/, "", base)
			near["mem"] = " mem object frame watch entries model/accounts model/objects "
			near["vm"] = " tree treecosts vmo vmar fault source paging places model/families "
			near["cap"] = " cap revoke entries model/capabilities "
			near["ipc"] = " ipc ipcwait ipcpage futex pagerrecv model/ipc model/futexes "
		}
		file ~ /\.h$/ || index(used[$1], " " file " ") {
			print ($1 ~ "(^|/)" base "s?$" ? 0 : index(near[folder], " " $1 " ") ? 1 : 2), $2, $1
		}' "$work/tests" | sort -n -k 1,1 -k 2,2 | cut -d ' ' -f 3
}

# ---- the plan: all mutants in random order, FILE NUMBER LINE WHAT OLD NEW -------------------------------------------------
plan() {
	awk -f test/mutants/code.awk -f test/mutants/sites.awk "${files[@]}" >"$work/all"
	awk -v seed="$seed" 'BEGIN { x = seed + 1 }
		{ for (i = 0; i < 3; i++) x = (x * 16807 + seed) % 2147483647; printf "%d\t%s\n", x, $0 }' "$work/all" | sort -n | cut -f 2- >"$work/plan"
	if [ "$doubt" ]; then
		awk 'FNR == NR { excuse[$1 "\n" $2 "\n" $3]; next } ($1 "\n- " $5 "\n+ " $6) in excuse' \
			RS= FS='\n' test/mutants/equivalent.txt RS='\n' FS='\t' "$work/plan" >"$work/excused"
		mv "$work/excused" "$work/plan"
		number=0
	fi
	if [ "$number" = 0 ]; then number=$(wc -l <"$work/plan"); fi
}

# Each paragraph of equivalent.txt fits one mutant: where it fits none the statement has changed; of several its reason may hold for one.
check_excuses() {
	awk 'FNR == NR { made[$1 "\n- " $5 "\n+ " $6]++; file[$1]; next }
		$1 in file && made[$1 "\n" $2 "\n" $3] != 1 { print "# equivalent.txt: of " $1 ", not exactly one mutant: " $3; wrong = 1 }
		END { exit wrong }' FS='\t' "$work/all" RS= FS='\n' test/mutants/equivalent.txt >&2
}

# Whether equivalent.txt has FILE, OLD and NEW: a paragraph `FILE`, `- OLD`, `+ NEW`, the reason, indented.
excused() {
	file=$1 old=$2 new=$3 awk 'BEGIN { RS = ""; FS = "\n" }
		$1 == ENVIRON["file"] && $2 == "- " ENVIRON["old"] && $3 == "+ " ENVIRON["new"] { found = 1 }
		END { exit !found }' test/mutants/equivalent.txt
}

# ---- one mutant -----------------------------------------------------------------------------------------------------
# Which test of it failed first, from its log.
failed_test() {
	local name
	name=$(sed -n 's/^not ok [0-9]* - [^:]*:[^:]*:\([^:]*\):.*/\1/p' "$1" | head -n 1)
	echo "${name:+ $name}"
}

# judge DIR FILE: prints what becomes of the mutant in DIR. Its status is 2 if it does not compile.
judge() {
	local dir=$1 file=$2 name status ms left=$((limit * 1000)) begin enough allowed
	if [[ $file == *.c ]]; then build "$dir" "out/host/obj/$file.o" >/dev/null 2>&1 || return 2; fi
	while read -r name; do
		if ! build "$dir" "out/host/$name" >"$dir/log" 2>&1; then
			if [[ $file == *.h ]]; then return 2; fi
			echo "killed by the linker"
			return
		fi
		ms=$(awk -v n="$name" '$1 == n { print $2 }' "$work/tests")
		enough=$((ms * 10 + 5000))
		allowed=$((enough < left ? enough : left))
		begin=$(date +%s%N)
		status=0
		run_test "$dir" "$name" $((allowed / 1000 + 1)) || status=$?
		left=$((left - ($(date +%s%N) - begin) / 1000000))
		if [ "$status" = 124 ] || [ "$status" = 137 ]; then
			if [ "$allowed" -lt "$enough" ]; then break; fi         # it might have, with more time
			echo "killed by $name, which did not end"
			return
		fi
		if [ "$status" != 0 ]; then echo "killed by $name$(failed_test "$dir/log")"; return; fi
		if [ "$left" -le 0 ]; then break; fi
	done < <(tests_for "$file")
	echo survived
}

# A header is in almost everything: all that was built before it changed is kept, and comes back as it was.
keep() { cp -p "$1/$2" "$1/original" && rm -rf "$1/kept" && cp -rp "$1/out" "$1/kept"; }
bring_back() { rm -rf "$1/out" && mv "$1/kept" "$1/out" && mv "$1/original" "$1/$2"; }

# mutant DIR INDEX FILE NUMBER LINE WHAT OLD NEW
mutant() {
	local dir=$1 index=$2 file=$3 number=$4 begin=$SECONDS verdict what="$3:$5: $6"
	if [ ! "$doubt" ] && excused "$file" "$7" "$8"; then
		verdict=excused
	else
		: >"$dir/standing"
		if [[ $file == *.h ]]; then keep "$dir" "$file"; fi
		awk -v pick="$number" -f test/mutants/code.awk -f test/mutants/sites.awk "$file" >"$dir/$file"
		verdict=$(judge "$dir" "$file") || verdict=refused
		if [ "$verdict" = survived ]; then diff -u --label "$file" --label "$file: survivor $index" "$file" "$dir/$file" >"$work/survivors/$index.diff" || true; fi
		if [[ $file == *.h ]]; then bring_back "$dir" "$file"
		else cp "$file" "$dir/$file" && build "$dir" "out/host/obj/$file.o" >/dev/null
		fi
		rm "$dir/standing"
	fi
	case $6 in
	drop) what+=" $7" ;;
	*) what+=" $7 -> $8" ;;
	esac
	printf '%d - %s # %s (%d s)\n' "$index" "$what" "$verdict" $((SECONDS - begin))
}

# Takes the next of the plan until there are enough: what does not compile is replaced.
worker() {
	local index row
	while
		exec 9>"$work/lock" && flock 9
		index=$(($(wc -l <"$work/taken") + 1))
		row=$(sed -n "${index}p" "$work/plan")
		[ -n "$row" ] && [ $((index - $(grep -c '# refused' "$work/results"))) -le "$number" ]
	do
		echo "$row" >>"$work/taken"
		exec 9>&-
		IFS=$'\t' read -r -a field <<<"$row"
		mutant "$work/$1" "$index" "${field[@]}" >"$work/$1/result" 9>&-
		cat "$work/$1/result" >>"$work/results"
		grep -v '# refused' "$work/$1/result" || true
	done
}

rm -rf "$work/survivors"
mkdir -p "$work/survivors"
for file in results taken; do : >"$work/$file"; done
plan
check_excuses
for ((job = 1; job <= jobs; job++)); do copy_tree "$job"; done
baseline
uses
echo "# seed $seed: $number of $(wc -l <"$work/plan") mutants"
for ((job = 1; job <= jobs; job++)); do worker "$job" & done
wait

count() { grep -c "# $1" "$work/results" || true; }
if [ "$doubt" ]; then
	echo "# $(count survived) excuses hold, $(count killed) do not"
	[ "$(count killed)" = 0 ]
	exit
fi
for file in "$work"/survivors/*.diff; do [ ! -e "$file" ] || { echo; cat "$file"; }; done
killed=$(count killed) survived=$(count survived)
awk -v killed="$killed" -v survived="$survived" -v excused="$(count excused)" -v refused="$(count refused)" -v seed="$seed" 'BEGIN {
	all = killed + survived
	share = all ? 100 * killed / all : 100
	printf "# seed %s: %d of %d killed (%.1f %%); %d excused, %d did not compile\n", seed, killed, all, share, excused, refused
	exit share < 90
}'
