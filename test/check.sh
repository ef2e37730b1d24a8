#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs all tests (`make check`): builds with gcc and clang, host tests, guest tests in release and debug, boots, refusals,
# repeatability, the SDK. Results are one TAP stream; the last line is `N passed, N failed, N skipped`.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
# shellcheck source=test/lib.sh
. test/lib.sh

build() { make -j2 "$@"; }

host_tests() {
	local name names log=$logs/host.log
	mapfile -t names < <(tests host)
	for name in "${names[@]}"; do
		name=$(basename "$name" .elf)
		echo "# program $name"
		CK_DEFAULT_TIMEOUT=120 timeout 300 "build/host/$name"
		echo "# end $name status $?"
	done >"$log" 2>&1
	results < <(awk -v suite=host -v serial="$log" -v expected="${names[*]}" -f test/tap.awk "$log")
}

# both NAME LOG COMMAND -- NAME LOG COMMAND ...: as step for each, two at a time; a command is words of its own, each limited to 300 s.
both() {
	local names=() files=() words=() i
	begin() {
		[ "$(jobs -rp | wc -l)" -lt 2 ] || wait -n
		names+=("$1") files+=("$logs/$2")
		{ timeout 300 "${@:3}" >"$logs/$2" 2>&1; echo "status $?" >>"$logs/$2"; } &
	}
	while [ $# -gt 0 ]; do
		words=()
		while [ $# -gt 0 ] && [ "$1" != -- ]; do words+=("$1"); shift; done
		shift
		begin "${words[@]}"
	done
	wait
	for i in "${!names[@]}"; do
		if [ "$(tail -n 1 "${files[i]}")" = "status 0" ]; then
			results <<<"ok - ${names[i]}"
		else
			results <<<"not ok - ${names[i]} (log: ${files[i]})"
		fi
	done
}

# Random operations on the kernel against executable models: by a seed (SEED=N, else 1), then by libFuzzer's bytes.
models() {
	local model name jobs=()
	for model in build/host/model/*; do
		name=$(basename "$model")
		jobs+=("model $name: random operations, walkers after each" "model-$name.log" "$model" seconds=20 --)
	done
	for model in build/fuzz/*; do
		[ -f "$model" ] && [ -x "$model" ] || continue
		name=$(basename "$model")
		jobs+=("model $name: libFuzzer" "fuzz-$name.log" "$model" -seed=1 -max_total_time=5 -max_len=4096 -timeout=30 "-artifact_prefix=$logs/fuzz-$name-" --)
	done
	both "${jobs[@]}"
}

# Its last line is the result's name.
coverage() {
	local log=$logs/coverage.log verdict=ok
	make coverage >"$log" 2>&1 || verdict='not ok'
	results <<<"$verdict - coverage: $(grep '^branches of' "$log" || echo failed) (log: $log)"
}

# guest_tests NAME VARIANT WORDS RUN-QEMU-OPTION...: WORDS are the kernel's command line; the serial line is in
# guest-NAME.serial, with - for what is no letter or digit.
guest_tests() {
	local suite="guest $1" file=$logs/guest-${1//[^a-z0-9]/-}
	local log=$file.serial
	shift
	step "$suite: boot and orderly end" "${file##*/}.log" guest "$1" "$log" "${@:2}"
	[ -f "$log" ] || : >"$log"
	results < <(awk -v suite="$suite" -v serial="$log" -v expected="$(tests guest | tr '\n' ' ')" -f test/tap.awk "$log")
}

repeatable() {
	local run
	grep -q '^# end' "$logs/guest-release.serial" || return
	for run in 2 3; do
		guest release "$logs/repeat$run.serial" norandom --icount
		cmp "$logs/guest-release.serial" "$logs/repeat$run.serial" || return
	done
}

# A kernel that tells no other CPU what to forget: the tests that are there for it must all fail.
no_shootdown() {
	local serial=$logs/no-shootdown.serial bundle=$logs/no-shootdown.bundle failed
	build O=build/no-shootdown DEFINES=-DVELLUM_NO_SHOOTDOWN kernel || return
	echo "test guest/shootdown.elf" >"$bundle.args"
	build/bundle "$bundle" "${system[@]}" guest/shootdown.elf=build/release/guest/shootdown.elf "args=$bundle.args" || return
	boot/run-qemu --bundle "$bundle" --append norandom --smp 2 --icount --timeout 200 --log "$serial" \
		build/no-shootdown/release/kernel.elf
	failed=$(grep -ac '^not ok .*(shootdown)' "$serial")
	echo "$failed tests failed"
	[ "$failed" -ge 8 ] && ! grep -a '^ok .*(shootdown)' "$serial"
}

# Boots an image on which init verifies every file; the sums it prints must be the host's.
smoke() {
	local sum log=$1
	shift
	"$@" --log "$log" "$logs/verify.iso" || return
	while read -r sum _; do
		grep -aq "$sum" "$log" || { echo "the sum $sum of the manifest was not printed"; return 1; }
	done < <(find "$logs/files" -type f -exec sha256sum {} +)
}

smoke_image() {
	echo "shell verify" >"$logs/verify.args"
	boot/mkiso "$logs/verify.iso" build/release/kernel.elf "${system[@]}" "files.zip=$logs/files.zip" "args=$logs/verify.args"
}

# The main job as its user meets it. Ten bytes of a file of 64 MiB may bring no more than the page and what is read ahead.
read_ahead=15
run_job() { make -s run "$@" </dev/null; }
run_head() {
	local out counts
	out=$(run_job RUN='stat; head -c 10 big.txt; stat') || return
	echo "$out"
	mapfile -t counts < <(sed -n 's/.*pages supplied //p' <<<"$out")
	[ ${#counts[@]} = 2 ] && [ $((counts[1] - counts[0])) -ge 1 ] && [ $((counts[1] - counts[0])) -le $((1 + read_ahead)) ]
}

# refused PATTERN RUN-QEMU-ARG... IMAGE: the boot must end by itself within 30 s with a failing verdict, and say why in a
# line that matches the pattern; a panic with another text is no explanation.
refused() {
	local pattern=$1 serial=$logs/refused.serial status
	shift
	boot/run-qemu --timeout 30 --log "$serial" "$@" >/dev/null
	status=$?
	tail -n 20 "$serial" | cat -v
	[ $status != 0 ] && [ $status != 124 ] && grep -aiE "$pattern" "$serial" && ! grep -a PANIC "$serial" | grep -aviqE "$pattern"
}

refusals() {
	local kernel=build/release/kernel.elf verify="args=$logs/verify.args"
	head -c $(($(stat -c %s "$logs/files.zip") / 2)) "$logs/files.zip" >"$logs/cut.zip"
	build/bundle "$logs/cut.bundle" "${system[@]}" "files.zip=$logs/cut.zip" "$verify"
	build/bundle "$logs/verify.bundle" "${system[@]}" "files.zip=$logs/files.zip" "$verify"
	build/bundle "$logs/no-init.bundle" "files.zip=$logs/files.zip"
	boot/mkiso "$logs/empty.iso" $kernel
	boot/mkiso "$logs/big.iso" $kernel "${system[@]}" files.zip=build/files.zip "$verify"
	step "refusal: archive cut in half" refused-archive.log refused 'archive|zip' --bundle "$logs/cut.bundle" $kernel
	step "refusal: 8 MiB of memory" refused-memory.log refused 'memory' --mem 8M --bundle "$logs/verify.bundle" $kernel
	step "refusal: 16 MiB of memory, 64 MiB of files" refused-iso.log refused 'memory' --mem 16M --mode bios "$logs/big.iso"
	step "refusal: ISO without modules" refused-modules.log refused 'module' --mode bios "$logs/empty.iso"
	step "refusal: no module init" refused-init.log refused 'module' --bundle "$logs/no-init.bundle" $kernel
	step "refusal: CPU without long mode" refused-cpu.log refused 'cpu|processor' --bundle "$logs/verify.bundle" $kernel -- -cpu pentium3
	step "refusal: CPU without NX" refused-nx.log refused 'cpu|processor' --bundle "$logs/verify.bundle" $kernel -- -cpu qemu64,-nx
}

# The SDK from outside the tree: moved, then used.
sdk() {
	local dir
	dir=$(mktemp -d) || return
	make sdk && cp -r build/sdk "$dir/moved sdk" && cp test/sdk/hello.c "$dir/" && (
		cd "$dir" || exit
		"moved sdk/bin/vellum-cc" -Wall -Wextra -Werror -std=c11 -o hello hello.c
		"moved sdk/bin/vellum-run" --test hello one two >out
		status=$?
		"moved sdk/bin/vellum-mkiso" hello.iso hello && "moved sdk/bin/vellum-run" hello.iso >out.iso
		echo "exit status $status, then $?"
		cat out
		[ $status = 42 ] && diff out - <<-END && grep -q 'original: written' out.iso
			arguments: one two
			original: written
			snapshot: before
		END
	)
	local status=$?
	rm -rf "$dir"
	return $status
}

# The example that README.md shows: its text and its output must be there.
example() {
	local line out status
	build/sdk/bin/vellum-cc -Wall -Wextra -Werror -std=c11 -o "$logs/snapshot" docs/examples/snapshot.c || return
	out=$(build/sdk/bin/vellum-run --test "$logs/snapshot")
	status=$?
	echo "exit status $status"
	while IFS= read -r line; do
		grep -qF -- "$line" README.md || { echo "README.md has not: $line"; return 1; }
	done < <(echo "$out"; sed -n '/^int main/,/^}/p' docs/examples/snapshot.c)
	[ "$status" = 7 ] && [ -n "$out" ]
}

rm -rf "$logs"
mkdir -p "$logs"
note "builds (logs are in $logs)"
step "build: release" build-release.log build all build/bundle
step "build: debug" build-debug.log build DEBUG=1 all
step "build: host tests, models" build-host.log build host models
step "build: models under libFuzzer" build-fuzz.log build fuzz
step "build: clang, release" build-clang.log build CC=clang O=build/clang all
step "build: clang, debug" build-clang-debug.log build CC=clang O=build/clang DEBUG=1 all
mapfile -t system < <(programs release)
{ boot/mkfiles sample "$logs/files" 1 && boot/mkfiles archive "$logs/files.zip" "$logs/files"; } || { echo "check: the sample files cannot be made" >&2; exit 1; }

note "host tests"
host_tests
note "models"
models
note "coverage"
coverage
note "protocols"
results < <(test/model/run.sh | grep -v '^1\.\.')
note "guest tests"
guest_tests release release norandom --icount
guest_tests debug debug norandom --icount
guest_tests "release, nofast" release "norandom nofast" --icount
guest_tests "release, 2 CPUs in real time" release "" --smp 2
guest_tests "release, 4 CPUs" release norandom --smp 4 --icount
guest_tests "debug, 4 CPUs" debug norandom --smp 4 --icount
step "guest: without shootdowns their tests fail" no-shootdown.log no_shootdown
step "guest: a test for each declared pair of call and error" pairs.log test/guest/pairs.sh "$logs/guest-release.serial"
step "guest: numbered statements about VMOs" statements.log test/guest/statements.sh "$logs/guest-release.serial"
sed 's/^/# /' "$logs/statements.log"
step "kernel: no page of its own is writable and executable" pages.log grep -a 'kernel pages: .*, none both' "$logs/guest-debug.serial"
step "three runs of the guest tests are identical" repeatable.log repeatable
note "boots"
step "image for the boots" image.log smoke_image
step "boot: QEMU BIOS" boot-bios.log smoke "$logs/bios.serial" boot/run-qemu --mode bios
step "boot: QEMU UEFI" boot-uefi.log smoke "$logs/uefi.serial" boot/run-qemu --mode uefi
step "boot: Bochs, 2 CPUs" boot-bochs.log smoke "$logs/bochs.serial" boot/run-bochs --smp 2
step "run: sample files with one of 64 MiB" run.log run_job
step "run: head of a 64 MiB file supplies at most $((1 + read_ahead)) pages" run-head.log run_head
step "run: FILES=/usr/share/common-licenses" run-files.log run_job FILES=/usr/share/common-licenses
note "refusals"
refusals
note "SDK"
step "SDK: a program outside the tree" sdk.log sdk
note "documentation"
step "docs: the page of system calls is that of the table" docs.log docs/make-syscalls --check
step "docs: the example of the README does what is shown there" example.log example

echo "1..$((passed + failed + skipped))"
for failure in "${failures[@]}"; do note "failed: $failure"; done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
