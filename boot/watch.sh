# SPDX-License-Identifier: BSD-2-Clause
# Sourced by run-qemu and run-bochs: shows what a machine writes to its serial log and reads the verdict from it.
#
# The kernel's last line is `vellum: shutdown N`; N is the verdict. `vellum: PANIC`, a loader's failure, silence, too long
# a run and an end without a verdict are failures, told on standard error with the name of the log.
# Globals: log, timeout (seconds for the whole run), silence (seconds without a byte), bare (set: no firmware and no loader
# write to the line before the guest).
# shellcheck shell=bash disable=SC2034,SC2154

no_verdict=125 # exit status where the guest gave none; 124 when it was stopped for time

# The machine's firmware and loader share the line: nothing of theirs is shown unless the guest never spoke.
watch_show() {
	local size
	size=$(stat -c %s "$log")
	if [ "$shown" = 0 ] && [ -z "${bare-}" ]; then
		shown=$(grep -abo -m1 'vellum: ' "$log" | head -n 1 | cut -d: -f1)
		if [ -z "$shown" ]; then shown=0; return; fi
	fi
	[ "$size" -gt "$shown" ] || return 0
	tail -c "+$((shown + 1))" "$log" | head -c "$((size - shown))" | tr -d '\r'
	shown=$size
}

watch_fail() {
	echo "$1 (log: $log)" >&2
	if [ "$shown" = 0 ] && [ -s "$log" ]; then
		echo "The guest wrote nothing of its own; the end of the serial line:" >&2
		tail -c 2000 "$log" | sed 's/\x1b\[[0-9;=?]*[A-Za-z]//g' | tr -cd '\11\12\40-\176' | tail -n 12 >&2
	fi
}

# watch_verdict: read the log of a machine that has ended; sets status.
watch_verdict() {
	local n
	n=$(grep -aoE '^vellum: shutdown [0-9]+' "$log" | tail -n 1 | cut -d' ' -f3)
	if grep -aq 'vellum: PANIC' "$log"; then
		watch_fail "The kernel panicked" && status=$no_verdict
	elif grep -aq 'vellum: the loader could not' "$log"; then
		watch_fail "The loader failed" && status=$no_verdict
	elif [ -z "$n" ]; then
		watch_fail "The machine ended without a verdict" && status=$no_verdict
	else
		status=$((n > 255 ? 255 : n))
	fi
}

# watch_machine PID: follow the log until the process ends or must be ended; sets status.
watch_machine() {
	local pid=$1 start=$SECONDS last=$SECONDS old=-1 size ended='' why=''
	shown=0
	trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM HUP
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.1
		size=$(stat -c %s "$log")
		if [ "$size" != "$old" ]; then
			old=$size last=$SECONDS
			watch_show
			tail -c 4096 "$log" | grep -aqE '^vellum: (shutdown [0-9]|the loader could not)' && ended=${ended:-$SECONDS}
			tail -c 65536 "$log" | grep -aq 'vellum: PANIC' && ended=${ended:-$SECONDS}
		fi
		# The last word was said: a machine that does not stop by itself is given a moment to finish its lines.
		if [ -n "$ended" ] && [ $((SECONDS - ended)) -ge 2 ]; then break; fi
		if [ -z "$ended" ] && [ $((SECONDS - start)) -ge "$timeout" ]; then why="Stopped after $timeout s"; break; fi
		if [ -z "$ended" ] && [ $((SECONDS - last)) -ge "$silence" ]; then why="Stopped after $silence s of silence"; break; fi
	done
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	watch_show
	if [ -n "$why" ]; then watch_fail "$why" && status=124; else watch_verdict; fi
}
