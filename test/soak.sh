#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# soak.sh MINUTES: the guest tests of the debug build again and again for that long, in real time and with random placement,
# so that interrupts and addresses fall differently each time. Stops at the first round with a failure and keeps its log.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
# shellcheck source=test/lib.sh
. test/lib.sh
mkdir -p "$logs"
make -j2 DEBUG=1 all build/bundle >"$logs/soak-build.log" 2>&1 || { echo "soak: the build failed (log: $logs/soak-build.log)" >&2; exit 1; }

serial=$logs/soak.serial round=0
until [ $SECONDS -ge $(($1 * 60)) ] && [ $round -gt 0 ]; do
	round=$((round + 1))
	guest debug "$serial" ""
	status=$?
	failures=$(awk -v suite="soak round $round" -v serial="$serial" -v expected="$(tests guest | tr '\n' ' ')" -f test/tap.awk "$serial" | grep '^not ok')
	if [ $status != 0 ] || [ -n "$failures" ]; then
		echo "${failures:-the boot ended with status $status}"
		echo "soak: round $round failed (log: $serial)"
		exit 1
	fi
	echo "soak: round $round passed after $SECONDS s"
done
