#!/usr/bin/env bash
# How many lines of each parser the fuzz targets reach: runs every target over its seeds and over
# what the preset `fuzz` has found so far, and prints a table. Needs clang and Debian's package llvm.
#
#   tests/fuzz/coverage.sh            every target
#   tests/fuzz/coverage.sh ima_log    this one alone
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly build=build/fuzz-coverage
readonly parsers=(
  core/ima_log.cc core/ima_template.cc core/ima_replay.cc core/boot/boot_log.cc core/tpm_quote.cc
  core/tpm_public.cc core/ak_public.cc core/enrolment/ek_*.cc core/buffer/*.cc core/certificate/*.cc core/signature/*.cc golden/set_file.cc golden/dpkg/database.cc golden/image/*.cc golden/signed_envelope.cc
  core/attribution/pod_label.cc verifier/cluster/pod_list.cc
  verifier/identity/identity_token.cc verifier/identity/key_set.cc verifier/identity/strict_json.cc
  core/text.cc)

if [[ $# -gt 0 ]]; then
  targets=("${@/%/_fuzz}")
else
  targets=()
  for source in tests/fuzz/*_fuzz.cc; do targets+=("$(basename "$source" .cc)"); done
fi
cmake --preset fuzz-coverage >/dev/null
cmake --build --preset fuzz-coverage --target "${targets[@]}" >/dev/null

objects=()
profiles=()
for target in "${targets[@]}"; do
  work=$build/tests/fuzz/$target
  found=build/fuzz/tests/fuzz/$target/corpus
  mkdir -p "$found" "$work"
  LLVM_PROFILE_FILE=$work/run.profraw TSS2_LOG=all+none "$build/bin/$target" -runs=0 -verbosity=0 \
    -seed_inputs=@"$work.seeds" "$found" 2>"$work/run.log" || { cat "$work/run.log" >&2; exit 1; }
  profiles+=("$work/run.profraw")
  objects+=(${objects:+-object} "$build/bin/$target")
done
llvm-profdata merge -o $build/fuzz.profdata "${profiles[@]}"
llvm-cov export -summary-only -instr-profile $build/fuzz.profdata "${objects[@]}" |
  python3 -c '
import json, os, sys
for file in json.load(sys.stdin)["data"][0]["files"]:
    name, lines = os.path.relpath(file["filename"]), file["summary"]["lines"]
    if name in sys.argv[1:]:
        print("%-34s %4d of %4d lines %6.1f %%" % (name, lines["covered"], lines["count"], lines["percent"]))
' "${parsers[@]}"
