#!/bin/sh
# Runs one libFuzzer target of the preset `fuzz`, from the seeds in tests/data and from what earlier
# runs have found, for some seconds or for a number of executions. An input that breaks it is kept
# as crash-… beside the corpus. Without either, every seed and found input is run once.
#
#   tests/fuzz/run.sh build/fuzz/bin/ima_log_fuzz 60
#   tests/fuzz/run.sh build/fuzz/bin/ima_log_fuzz --runs 10000000
#   tests/fuzz/run.sh build/fuzz/bin/ima_log_fuzz --replay
set -eu

usage() {
  echo "usage: $0 TARGET SECONDS | TARGET --runs N | TARGET --replay" >&2
  exit 2
}

[ $# -ge 2 ] || usage
target=$1
shift
case $1 in
  --runs) [ $# -eq 2 ] || usage; limit=-runs=$2 ;;
  --replay) [ $# -eq 1 ] || usage; limit=-runs=0 ;;
  *) [ $# -eq 1 ] || usage; limit=-max_total_time=$1 ;;
esac
work=$(dirname "$target")/../tests/fuzz/$(basename "$target")
mkdir -p "$work/corpus"
# tss2-mu writes a line for everything that it refuses.
TSS2_LOG=all+none exec "$target" "$limit" -rss_limit_mb=1024 -verbosity=0 \
  -print_final_stats=1 -artifact_prefix="$work/" -seed_inputs=@"$work.seeds" "$work/corpus"
