#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# soak.sh MINUTES OPERATIONS: so many random operations on each model, ten million random system calls, then the guest tests of the debug build again and again for that
# long, with four CPUs and with one in turn, in real time and with random placement, so that interrupts and addresses fall differently each time. Stops at the
# first failure, keeps its log, and says how to repeat it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
# shellcheck source=test/lib.sh
. test/lib.sh
mkdir -p "$logs"
make -j2 DEBUG=1 all build/bundle >"$logs/soak-build.log" 2>&1 || { echo "soak: the build failed (log: $logs/soak-build.log)" >&2; exit 1; }

# model NAME BUILD OPERATIONS: in parts of at most half an hour, each with a fresh seed, the walkers at every 64th operation.
model() {
	local left=$3 seed=${SEED:-$(date +%s)} part=0 log done
	while [ "$left" -gt 0 ]; do
		part=$((part + 1)) log=$logs/soak-$2-$1-$part.log
		echo "soak: model $1, $2 build, part $part: seed $seed, $left operations left"
		"build/$2/model/$1" "seed=$seed" "steps=$left" seconds=1780 walk=64 >"$log" 2>&1 || {
			cat "$log"
			echo "soak: model $1 failed (log: $log)"
			return 1
		}
		done=$(sed -n 's/.*: \([0-9]*\) operations in .*/\1/p' "$log")
		sed -n 's/^/soak: model /; /operations in/p' "$log"
		left=$((left - ${done:?}))
		seed=$((seed + 1000000))
	done
}

# Two at a time; a hundredth of the operations once more under sanitizers.
models() {
	local name jobs=() pid status=0
	for name in build/fast/model/*; do
		name=$(basename "$name")
		[ "$(jobs -rp | wc -l)" -lt 2 ] || wait -n || return
		{ model "$name" host $((($1 + 99) / 100)) && model "$name" fast "$1"; } &
		jobs+=($!)
	done
	for pid in "${jobs[@]}"; do wait "$pid" || status=1; done
	return $status
}

make -j2 models >"$logs/soak-models.log" 2>&1 || { echo "soak: the models' build failed (log: $logs/soak-models.log)" >&2; exit 1; }
models "$2" || exit 1
test/syscalls.sh 10000000 "${SEED:-$RANDOM}" || exit 1
test/syscalls.sh 2000000 "${SEED:-$RANDOM}" 4 || exit 1

serial=$logs/soak.serial round=0 begin=$SECONDS
until [ $((SECONDS - begin)) -ge $(($1 * 60)) ] && [ $round -gt 0 ]; do
	round=$((round + 1))
	cpus=$((round % 2 ? 4 : 1))
	guest debug "$serial" "" --smp $cpus
	status=$?
	failures=$(awk -v suite="soak round $round" -v serial="$serial" -v expected="$(tests guest | tr '\n' ' ')" -f test/tap.awk "$serial" | grep '^not ok')
	if [ $status != 0 ] || [ -n "$failures" ]; then
		echo "${failures:-the boot ended with status $status}"
		echo "soak: round $round failed (log: $serial)"
		exit 1
	fi
	echo "soak: round $round passed with $cpus CPUs after $((SECONDS - begin)) s"
done
