#!/usr/bin/env bash
# Measures everything that docs/performance.md says, three times each, and prints the medians: docs/performance.sh [folder]
# The folder's disk counts. Give the machine nothing else to do meanwhile.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --package sagactl
folder="${1:-target/bench}"
runs=3
bench() { ./target/release/sagactl bench "$@" --runs "$runs" --store "sqlite:$folder" --output wide; }

bench floor -c 1,64,256
bench saga -c 1,64,256
bench saga --refuse-last -c 1,64,256
bench saga --ask -c 1,64,256
bench saga --ask --refuse-last -c 64
bench append -c 1,64,256
bench append -c 1 --batch 100
bench replay
bench load
bench restart --open 10000
# A million sagas before the first that counts take some minutes.
runs=1
bench saga -c 64 --ended 1000000
