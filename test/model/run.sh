#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Checks the models with spin: each as it is, which must show no error in any of its states, and with each of its planted
# mistakes, which must be found, and by the property that is there for it. Prints a TAP result for each, then the plan; the
# logs are in build/models. Exit status 1 if any is not as it should be. JOBS (default 2) run at a time.
set -uo pipefail
cd "$(dirname "$0")" || exit
logs=../../build/models
mkdir -p "$logs"
logs=$(realpath "$logs")

# MODEL KIND WANTED FLAGS...: KIND is safety or a property's name, which is then checked under weak fairness. WANTED is what pan must
# say, as a pattern, or - for no error.
runs() {
	cat <<-'END'
	ipc safety - -DTHREADS=2 -DOPS=2 -DDISTURBANCES=2
	ipc safety - -DTHREADS=3 -DOPS=1 -DDISTURBANCES=2 -DROLES
	ipc all_end - -DTHREADS=2 -DOPS=1 -DDISTURBANCES=1
	ipc safety reply!=15 -DTHREADS=2 -DRACE_STALE_REPLY
	ipc safety invalid.end.state -DTHREADS=2 -DRACE_STALE_REPLY -DNO_WALKERS
	ipc safety caller==i -DTHREADS=2 -DRACE_DROPPED_REPLY
	ipc safety invalid.end.state -DTHREADS=2 -DRACE_DROPPED_REPLY -DNO_WALKERS
	ipc all_end acceptance.cycle -DTHREADS=2 -DOPS=1 -DRACE_DROPPED_REPLY -DNO_WALKERS
	ipc safety gift -DTHREADS=2 -DRACE_NO_LOOKUP
	ipc safety q_len -DTHREADS=2 -DRACE_LOOK_THEN_QUEUE
	ipc safety timed -DTHREADS=2 -DRACE_TIMER_STAYS
	ipc safety came==1 -DTHREADS=2 -DRACE_TIMER_STAYS -DNO_WALKERS
	ipc safety suspended -DTHREADS=2 -DRACE_SUSPENDED_STAYS
	ipc safety delivered==1 -DTHREADS=2 -DRACE_CALL_AGAIN
	ipc safety wait!=0 -DTHREADS=2 -DRACE_KILLED_STAYS
	ipc safety delivered==1 -DTHREADS=2 -DRACE_KILLED_STAYS -DNO_WALKERS
	ipc safety ep_reaped -DTHREADS=2 -DRACE_NO_DYING_CHECK
	ipc safety invalid.end.state -DTHREADS=2 -DRACE_NO_DYING_CHECK -DNO_WALKERS
	ipc safety ep_reaped -DTHREADS=2 -DRACE_RECEIVERS_FORGOTTEN
	ipc safety invalid.end.state -DTHREADS=2 -DRACE_RECEIVERS_FORGOTTEN -DNO_WALKERS
	wake safety - -DCPUS=2 -DTHREADS=3 -DOPS=1
	wake safety - -DCPUS=2 -DTHREADS=2 -DOPS=2
	wake safety - -DCPUS=3 -DTHREADS=2 -DOPS=1
	wake safety - -DCPUS=3 -DTHREADS=3 -DOPS=1 -DSTOPS_ONLY
	wake both_run - -DCPUS=2 -DTHREADS=2 -DFOREVER
	wake safety state!=1 -DOPS=1 -DRACE_CHECK_THEN_HALT
	wake both_run acceptance.cycle -DTHREADS=2 -DFOREVER -DRACE_CHECK_THEN_HALT
	wake safety state!=1 -DOPS=1 -DRACE_HALTING_LATE
	wake safety state!=1 -DOPS=1 -DRACE_KICK_UNNOTED
	wake safety state!=1 -DOPS=1 -DRACE_WAITING_STAYS
	wake safety halts -DOPS=1 -DRACE_DEAF
	wake safety freed -DOPS=1 -DRACE_NOT_TAKEN
	wake safety calls_made -DOPS=1 -DRACE_CALL_LOST
	wake safety cpu==c -DOPS=1 -DRACE_MOVE_RUNNING
	wake safety remembered -DOPS=1 -DRACE_FLUSH_UNAWAITED
	wake safety remembered -DOPS=1 -DRACE_ROOT_LATE
	END
}

# Says what pan found: a result line.
verdict() {
	local wanted=$1 name=$2 log=$3 found states
	found=$(sed -n 's/^pan:1: *//p' "$log" | sed 's/ (at depth.*//' | head -n 1)
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$log" | head -n 1)
	if grep -qE 'max search depth too small|Search not completed|out of memory' "$log" && [ -z "$found" ]; then
		echo "not ok - $name: the search was not completed (log: $log)"
	elif [ "$wanted" = - ] && [ -z "$found" ] && grep -q 'errors: 0' "$log"; then
		echo "ok - $name: no error in $states states"
	elif [ "$wanted" != - ] && grep -qE -- "$wanted" <<<"$found"; then
		echo "ok - $name: found (${found//[[:space:]]/ })"
	else
		echo "not ok - $name: ${found:-no error found} (log: $log)"
	fi
}

one() {
	local model=$1 kind=$2 wanted=$3 name dir log optimise
	shift 3
	name="model $model, $kind: $(sed 's/-D//g; s/=/ /g' <<<"$*")"
	dir=$(mktemp -d) || exit
	log=$logs/$model-$kind$(tr -d ' ' <<<"$*").log
	cp "$model.pml" "$dir/"
	optimise=-O2
	[ "$wanted" = - ] || optimise=-O0       # a mistake is found long before a slow search would matter
	(
		cd "$dir" || exit
		spin -a "$@" "$model.pml" || exit
		if [ "$kind" = safety ]; then
			gcc -w $optimise -DSAFETY -DNOCLAIM -DNOREDUCE -DMEMLIM=1500 -o pan pan.c && timeout 200 ./pan -m200000
		else
			gcc -w $optimise -DNOREDUCE -DNFAIR=3 -DMEMLIM=1500 -o pan pan.c && timeout 200 ./pan -a -f -m200000
		fi
	) >"$log" 2>&1
	verdict "$wanted" "$name" "$log"
	rm -rf "$dir"
}

export logs
export -f one verdict
if ! command -v spin >/dev/null; then
	echo "not ok - models: spin is not installed (make setup)"
	exit 1
fi
results=$(runs | xargs -P "${JOBS:-2}" -I '{}' bash -c 'one {}')
sort <<<"$results"
echo "1..$(runs | wc -l)"
[ "$(grep -c '^ok' <<<"$results")" = "$(runs | wc -l)" ]
