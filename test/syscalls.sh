#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# syscalls.sh CALLS [SEED [SMP]]: random system calls (test/guest/fuzz.c) on the debug build, in boots of a million calls each
# with the seeds SEED, SEED + 1, ... (default: a random one), on SMP CPUs (1), two boots at a time. A boot is exactly
# repeatable: `test/syscalls.sh 1000000 SEED SMP` makes the same calls again. Exit status 1 if any failed; its log is named.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
[ $# -ge 1 ] || { sed -n "3,6s/^# //p" "$0" >&2; exit 2; }
# shellcheck source=test/lib.sh
. test/lib.sh
boot_calls=1000000 calls=$1 seed=${2:-$RANDOM} smp=${3:-1}

# boot SEED CALLS
boot() {
	local log=$logs/fuzz-$1.serial bundle=$logs/fuzz-$1.bundle
	echo "exec guest/fuzz.elf $2 $1" >"$bundle.args"
	build/bundle "$bundle" init=build/debug/user/init.elf guest/fuzz.elf=build/debug/guest/fuzz.elf "args=$bundle.args" || return
	boot/run-qemu --bundle "$bundle" --append norandom --smp "$smp" --timeout 900 --silence 300 --log "$log" --icount \
		build/debug/kernel.elf >/dev/null
	local status=$?
	rm -f "$bundle" "$bundle.args"
	tr -d '\r' <"$log" | grep -a '^# fuzz: .* lives'
	[ $status = 0 ] && grep -aq '^ok 1 ' "$log" && return
	tr -d '\r' <"$log" | grep -aE '^not ok|PANIC|^Bail' 
	echo "fuzz: seed $1 failed with status $status (log: $log)"
	return 1
}

bad=0
for ((done = 0; done < calls && bad == 0; done += 2 * boot_calls)); do
	pids=()
	for ((i = 0; i < 2 && done + i * boot_calls < calls; i++)); do
		left=$((calls - done - i * boot_calls))
		boot "$seed" $((left < boot_calls ? left : boot_calls)) &
		pids+=($!)
		seed=$((seed + 1))
	done
	for pid in "${pids[@]}"; do wait "$pid" || bad=1; done
done
exit $bad
