#!/usr/bin/env bash
# Measures the tables of docs/NEVER-HANGS.md anew, on a machine that has
# nothing else to do, and writes them into it: some ten minutes. With the name
# of a table (drill, baselines, patience), or of the verdicts by other doors
# (doors, or one of them), only that.
set -euo pipefail
cd "$(dirname "$0")"
doc=../../docs/NEVER-HANGS.md
which=${1:-all}

weir=$(mktemp)
trap 'rm -f "$weir"' EXIT
(cd ../.. && CGO_ENABLED=0 go build -o "$weir" ./cmd/weir)
case $which in all | drill) "$weir" drill --markdown | go run . -paste -name drill -into "$doc" ;; esac
# Of the other doors the verdict is enough.
for door in vector mcp cli embeddings ask chat; do
	case $which in
	all | doors | "$door") "$weir" drill --through "$door" --markdown | grep -v '^|' | go run . -paste -name "drill-$door" -into "$doc" ;;
	esac
done
case $which in all | baselines) go run . -name baselines -into "$doc" ;; esac
case $which in all | patience) go run . -no-deadline -name patience -into "$doc" ;; esac
