#!/usr/bin/env bash
# Every test, in one go, on a fresh Debian 12: installs what is missing (as root, or with sudo),
# builds, and runs unit, integration and VM tests, then the unit tests under sanitizers, and each
# fuzz target for some seconds.
#
#   tests/run.sh                   everything
#   ASSAY_TEST_VM=0 tests/run.sh   without the virtual machine, where QEMU cannot be had
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/packages.sh
source deploy/packages.sh
# shellcheck source=deploy/guest/packages.sh
source deploy/guest/packages.sh
readonly fuzz_seconds=10

step() { printf '\n== %s (%d min %d s)\n' "$1" $((SECONDS / 60)) $((SECONDS % 60)); }

# build_and_test PRESET TARGET CTEST_OPTION...
build_and_test() {
  local preset=$1 target=$2
  shift 2
  step "$preset: build"
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" --target "$target"
  step "$preset: test"
  ctest --preset "$preset" "$@"
}

fuzz() {
  local target
  step "fuzz: build"
  cmake --preset fuzz >/dev/null
  cmake --build --preset fuzz
  for target in build/fuzz/bin/*_fuzz; do
    step "fuzz: $(basename "$target")"
    tests/fuzz/run.sh "$target" "$fuzz_seconds"
  done
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
