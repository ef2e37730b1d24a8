#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# run.sh: which lines and branches of kernel/mem, vm, cap and ipc the host tests and short runs of the models come to
# (`make coverage`), by gcov. Prints a table by file, then each branch of kernel/vm that was never taken. Exit status 1 if
# these are more than 5 %, or a test fails. Objects and counts are in build/coverage. What is not counted: report.awk.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=${O:-build}/coverage
operations=10000                # of each model
bound=${BOUND:-95}             # percent of the branches of kernel/vm
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES O

make -s -j2 O="$out" CC=gcc sanitize='--coverage -O0' host-tests >/dev/null
find "$out" -name '*.gcda' -delete

# Not one by one: programs add to the same counts, each when it ends, and they lock them.
run() {
	local name=$1 arguments=()
	[[ $name != model/* ]] || arguments=(seed=1 "steps=$operations" walk=64)
	SEED=1 timeout 300 "$out/host/$name" "${arguments[@]}" >"$out/host/$name.log" 2>&1 ||
		{ echo "coverage: $name failed: $out/host/$name.log" >&2; return 1; }
}
failed=0
for file in test/host/*.c test/host/model/*.c; do
	name=${file#test/host/} name=${name%.c}
	[ -x "$out/host/$name" ] || continue
	[ "$(jobs -rp | wc -l)" -lt 2 ] || wait -n || failed=1
	run "$name" &
done
while [ "$(jobs -p | wc -l)" -gt 0 ]; do wait -n || failed=1; done

objects=()
for file in kernel/{mem,vm,sched,cap,ipc,syscall}/*.c; do objects+=("$out/host/obj/$file.gcda"); done
gcov -t -b -c "${objects[@]}" 2>"$out/gcov.log" >"$out/counts"
awk -v bound="$bound" -f test/mutants/code.awk -f test/coverage/report.awk kernel/{mem,vm,cap,ipc}/*.[ch] "$out/counts" || exit
exit $failed
