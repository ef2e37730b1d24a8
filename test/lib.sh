# SPDX-License-Identifier: BSD-2-Clause
# Sourced by the runners: results as one TAP stream on standard output, and boots of the guest's test programs.
# shellcheck shell=bash
# A log per step is kept in $logs.

passed=0 failed=0 skipped=0 failures=()
logs=build/check
mkdir -p "$logs"

# results: number and count the result lines on standard input (`ok - NAME`, `not ok - NAME`, either with ` # SKIP`).
# No line at all is a failure: whoever should have written them is broken.
results() {
	local line before=$((passed + failed + skipped))
	while IFS= read -r line; do
		case $line in
		*'# SKIP'*) skipped=$((skipped + 1)) ;;
		'ok '*) passed=$((passed + 1)) ;;
		*) failed=$((failed + 1)) failures+=("${line#not ok - }") ;;
		esac
		printf '%sok %d%s\n' "${line%%ok -*}" $((passed + failed + skipped)) "${line#*ok}"
	done
	[ $((passed + failed + skipped)) -gt "$before" ] || results <<<"not ok - no results"
}

# step NAME LOG COMMAND...: a result of its own, good if the command succeeds; its output goes to LOG.
step() {
	local name=$1 log=$logs/$2 begin=$SECONDS
	shift 2
	if "$@" >"$log" 2>&1; then
		results <<<"ok - $name ($((SECONDS - begin)) s)"
	else
		results <<<"not ok - $name (status $?, log: $log)"
		return 1
	fi
}

note() { printf '# %s\n' "$*"; }

# programs VARIANT: boot modules of the programs in user/, init first.
programs() {
	local file
	echo "init=build/$1/user/init.elf"
	for file in build/"$1"/user/*.elf; do
		[ "$file" = "build/$1/user/init.elf" ] || echo "$(basename "$file")=$file"
	done
}

# tests FOLDER: the programs of test/FOLDER as names of boot modules (FOLDER/NAME.elf).
tests() { local f; for f in test/"$1"/*.c; do [ ! -e "$f" ] || echo "$1/$(basename "$f" .c).elf"; done; }

# pack VARIANT BUNDLE FOLDER WORD [NAME...]: a bundle in which init does WORD (test, bench) with the programs of test/FOLDER, or with these of it.
pack() {
	local variant=$1 out=$2 folder=$3 word=$4 list modules name
	shift 4
	mapfile -t list < <(if [ $# = 0 ]; then tests "$folder"; else printf "$folder/%s.elf\n" "$@"; fi)
	mapfile -t modules < <(programs "$variant")
	for name in "${list[@]}"; do modules+=("$name=build/$variant/$name"); done
	echo "$word ${list[*]}" >"$out.args"
	build/bundle "$out" "${modules[@]}" "args=$out.args"
}

# guest VARIANT LOG WORDS [RUN-QEMU-OPTION...]: boot the tests of the variant, each program in turn, WORDS being the
# kernel's command line; the serial line is in LOG. Only what is stuck is stopped: others may have the machine's time. CPUs that wait
# for a lock take turns with whoever holds it where there are more of them than the machine has.
guest() {
	local variant=$1 log=$2 words=$3
	shift 3
	pack "$variant" "$logs/$variant.bundle" guest test || return
	boot/run-qemu --bundle "$logs/$variant.bundle" --append "$words" --timeout 1800 --silence 300 --log "$log" "$@" \
		"build/$variant/kernel.elf" >/dev/null
}
