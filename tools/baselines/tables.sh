#!/usr/bin/env bash
# Measures the tables of docs/NEVER-HANGS.md anew, on a machine that has
# nothing else to do, and writes them into it: some ten minutes. With the name
# of a table (drill, baselines, patience), only that.
set -euo pipefail
cd "$(dirname "$0")"
doc=../../docs/NEVER-HANGS.md
which=${1:-all}

case $which in all | drill)
	weir=$(mktemp)
	trap 'rm -f "$weir"' EXIT
	(cd ../.. && CGO_ENABLED=0 go build -o "$weir" ./cmd/weir)
	"$weir" drill --markdown | go run . -paste -name drill -into "$doc"
	;;
esac
case $which in all | baselines) go run . -name baselines -into "$doc" ;; esac
case $which in all | patience) go run . -no-deadline -name patience -into "$doc" ;; esac
