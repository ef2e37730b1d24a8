#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs the benchmarks (`make bench`): boots the release build's programs of test/bench under instruction counting, prints
# each row beside other systems' figures (test/bench/peers.txt), and writes build/bench.json.
# A benchmark prints `bench ID MEDIAN MIN ROUNDS` for each row it measures, the kernel `vellum: boot N instructions` (from its
# entry to the first program's first instruction, in 512 MiB), and `revoke of ...` is said again; anything else is passed over. The longest
# kernel entry is that of a second boot, of the guest tests with the boot option `measure`; a third boot, with MEM=3G or what MEM says, is for the
# rows of test/bench/large.c, which are skipped with a line where this machine has not that much. What is allowed is a figure, or another row's
# median and so many percent more (ROW+N%). Exit status 1 if a row of peers.txt is missing or above what is allowed, or if a boot failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
# shellcheck source=test/lib.sh
. test/lib.sh
mkdir -p "$logs"

serial=$logs/bench.serial
large=$logs/bench-large.serial
large_rows='snapshot_1g first_write_1g clones_1000 clones_100000'
echo "bench: running (log: $serial)"
mapfile -t programs < <(tests bench | sed 's,.*/,,; s,\.elf$,,' | grep -v '^large$')
pack release "$logs/bench.bundle" bench bench "${programs[@]}" || exit
boot/run-qemu --icount --bundle "$logs/bench.bundle" --append norandom --mem 512M --log "$serial" build/release/kernel.elf >/dev/null
status=$?
guest release "$logs/latency.serial" "norandom measure" --icount || status=$?
tr -d '\r' <"$serial" | grep -a '^revoke of '
if [ "$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)" -ge $((4 << 20)) ]; then
	pack release "$logs/bench-large.bundle" bench bench large || exit
	boot/run-qemu --icount --bundle "$logs/bench-large.bundle" --append norandom --mem "${MEM:-3G}" --silence 300 --log "$large" \
		build/release/kernel.elf >/dev/null || status=$?
	large_rows=
else
	: >"$large"
	echo "bench: skipped $large_rows: 4 GiB of free memory are needed"
fi

{
	cat "$serial" "$large" | tr -d '\r' | grep -a '^bench [a-z0-9_]* [0-9]* [0-9]* [0-9]*$'
	tr -d '\r' <"$serial" | sed -n 's/^vellum: boot \([0-9]*\) instructions$/bench boot_to_init \1 \1 1/p'
	tr -d '\r' <"$logs/latency.serial" | sed -n 's/^vellum: longest entry \([0-9]*\) cycles.*/bench irq_latency_max \1 \1 1/p'
	boot/figures --bench build/release/kernel.elf | awk '{ print "bench", $1, $2, $2, 1 }'
} | awk -v json=build/bench.json -v skipped="$large_rows" '
	# What is allowed for this row, as a number; "-": anything.
	function allowed(id,    part) {
		if (most[id] !~ /[+]/) return most[id]
		split(most[id], part, /[+%]/)
		return part[1] in value ? value[part[1]] * (100 + part[2]) / 100 : 0
	}
	NR == FNR { if ($1 !~ /^#/ && NF == 5) { order[++n] = $1; peer[$1] = $2 " " $3 " " $4; most[$1] = $5 } next }
	{ if (!($2 in value)) { if (!($2 in most)) { order[++n] = $2; peer[$2] = "- - -"; most[$2] = "-" } }
	  value[$2] = $3; min[$2] = $4; rounds[$2] = $5 }
	END {
		value["mem_per_mapped_page"] += value["mem_per_frame"]; min["mem_per_mapped_page"] += value["mem_per_frame"]
		form = "%-22s %12s %12s %8s %12s %8s %12s %25s %s\n"
		printf form, "operation", "Vellum", "minimum", "rounds", "seL4", "MOS", "Linux", "at most", ""
		printf "{\"unit\": \"instructions\", \"rows\": [" >json
		for (i = 1; i <= n; i++) {
			id = order[i]; split(peer[id], p, " "); missing = !(id in value)
			if (missing && index(" " skipped " ", " " id " ")) continue
			over = !missing && most[id] != "-" && value[id] > allowed(id) + 0
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
