#!/bin/sh
# Runs one libFuzzer target of the preset `fuzz` for some seconds, from the seeds in tests/data and
# from what earlier runs have found. An input that breaks it is kept as crash-… beside the corpus.
#
#   tests/fuzz/run.sh build/fuzz/bin/ima_log_fuzz 60
set -eu

if [ $# -ne 2 ]; then
  echo "usage: $0 TARGET SECONDS" >&2
  exit 2
fi
work=$(dirname "$1")/../tests/fuzz/$(basename "$1")
mkdir -p "$work/corpus"
# tss2-mu writes a line for everything that it refuses.
TSS2_LOG=all+none exec "$1" -max_total_time="$2" -rss_limit_mb=1024 -verbosity=0 \
  -print_final_stats=1 -artifact_prefix="$work/" -seed_inputs=@"$work.seeds" "$work/corpus"
