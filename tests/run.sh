#!/usr/bin/env bash
# Every test, in one go, on a fresh Debian 12: installs what is missing (as root, or with sudo),
# builds, and runs unit, integration and VM tests, then the unit tests under sanitizers, and each
# fuzz target over its corpus and for half a minute.
#
#   tests/run.sh                   everything
#   ASSAY_TEST_VM=0 tests/run.sh   without the virtual machine, where QEMU cannot be had
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/packages.sh
source deploy/packages.sh
# shellcheck source=deploy/guest/packages.sh
source deploy/guest/packages.sh
readonly fuzz_seconds=30

step() { printf '\n== %s (%d min %d s)\n' "$1" $((SECONDS / 60)) $((SECONDS % 60)); }

# build_and_test PRESET TARGET CTEST_OPTION...
build_and_test() {
  local preset=$1 target=$2
  shift 2
  step "$preset: build"
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" --target "$target"
  step "$preset: test"
  ctest --preset "$preset" --parallel "$(nproc)" "$@"
}

# Runs TARGET's seeds and what it has found before, then fuzzes it. One line says how it went; the
# rest only when it went wrong.
fuzz_one() {
  local target=$1 log=$1.log
  if ! tests/fuzz/run.sh "$target" --replay >"$log" 2>&1 ||
    ! tests/fuzz/run.sh "$target" "$fuzz_seconds" >>"$log" 2>&1; then
    cat "$log"
    return 1
  fi
  printf '%s: %d executions\n' "$(basename "$target")" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)"
}

# Under AddressSanitizer and UndefinedBehaviorSanitizer, as the preset says.
fuzz() {
  step "fuzz: build"
  cmake --preset fuzz >/dev/null
  cmake --build --preset fuzz
  step "fuzz: $fuzz_seconds s each, two at a time"
  export -f fuzz_one
  export fuzz_seconds
  # shellcheck disable=SC2016
  printf '%s\0' build/fuzz/bin/*_fuzz | xargs -0 -n 1 -P 2 bash -c 'fuzz_one "$1"' fuzz
}

step "packages"
packages=("${build_packages[@]}" "${test_packages[@]}")
[[ ${ASSAY_TEST_VM:-1} == 0 ]] || packages+=("${guest_host_packages[@]}")
install_missing "${packages[@]}"

without_vm=()
[[ ${ASSAY_TEST_VM:-1} == 0 ]] && without_vm=(-LE vm)
fuzz
build_and_test tsan thread_tests -L threads
build_and_test asan memory_tests -L memory
build_and_test release all "${without_vm[@]}"
step "done"
