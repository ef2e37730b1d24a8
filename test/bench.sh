#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs the benchmarks (`make bench`): boots the release build's programs of test/bench under instruction counting, prints
# each row beside other systems' figures (test/bench/peers.txt), and writes build/bench.json.
# A benchmark prints `bench ID MEDIAN MIN ROUNDS` for each row it measures, the kernel `vellum: boot N instructions` (from its
# entry to the first program's first instruction, in 512 MiB), and `revoke of ...` is said again; anything else is passed over. The longest
# kernel entry is that of a second boot, of the guest tests with the boot option `measure`. Exit status 1 if a row of peers.txt is missing or
# above what is allowed, or if a boot failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
# shellcheck source=test/lib.sh
. test/lib.sh
mkdir -p "$logs"

serial=$logs/bench.serial
echo "bench: running (log: $serial)"
pack release "$logs/bench.bundle" bench bench || exit
boot/run-qemu --icount --bundle "$logs/bench.bundle" --append norandom --mem 512M --log "$serial" build/release/kernel.elf >/dev/null
status=$?
guest release "$logs/latency.serial" "norandom measure" --icount || status=$?
tr -d '\r' <"$serial" | grep -a '^revoke of '

{
	tr -d '\r' <"$serial" | grep -a '^bench [a-z0-9_]* [0-9]* [0-9]* [0-9]*$'
	tr -d '\r' <"$serial" | sed -n 's/^vellum: boot \([0-9]*\) instructions$/bench boot_to_init \1 \1 1/p'
	tr -d '\r' <"$logs/latency.serial" | sed -n 's/^vellum: longest entry \([0-9]*\) cycles.*/bench irq_latency_max \1 \1 1/p'
	boot/figures --bench build/release/kernel.elf | awk '{ print "bench", $1, $2, $2, 1 }'
} | awk -v json=build/bench.json '
	NR == FNR { if ($1 !~ /^#/ && NF == 5) { order[++n] = $1; peer[$1] = $2 " " $3 " " $4; most[$1] = $5 } next }
	{ if (!($2 in value)) { if (!($2 in most)) { order[++n] = $2; peer[$2] = "- - -"; most[$2] = "-" } }
	  value[$2] = $3; min[$2] = $4; rounds[$2] = $5 }
	END {
		form = "%-20s %12s %12s %8s %12s %8s %12s %10s %s\n"
		printf form, "operation", "Vellum", "minimum", "rounds", "seL4", "MOS", "Linux", "at most", ""
		printf "{\"unit\": \"instructions\", \"rows\": [" >json
		for (i = 1; i <= n; i++) {
			id = order[i]; split(peer[id], p, " "); missing = !(id in value)
			over = !missing && most[id] != "-" && value[id] > most[id] + 0
			printf form, id, missing ? "-" : value[id], missing ? "-" : min[id], missing ? "-" : rounds[id], p[1], p[3], p[2], most[id], \
				missing ? "MISSING" : over ? "ABOVE" : ""
			bad += missing || over
			above += over
			if (!missing) {
				printf "%s\n  {\"id\": \"%s\", \"value\": %s, \"min\": %s, \"n\": %s}", sep, id, value[id], min[id], rounds[id] >json
				sep = ","
			}
		}
		printf "\n]}\n" >json
		if (above) printf "bench: %d of %d rows above what is allowed\n", above, n
		exit bad > 0
	}' test/bench/peers.txt - || exit 1
[ "$status" = 0 ] || echo "bench: a boot failed with status $status (logs: $serial, $logs/latency.serial)" >&2
exit "$status"
