#!/usr/bin/env bash
# Formats the sources: Swift with the toolchain's formatter (.swift-format), Python with ruff (scripts/ruff.toml).
#
#   scripts/format.sh
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
    "") ;;
    -h | --help) usage; exit 0 ;;
    *) fail "unknown argument: $1" "See --help." ;;
esac

need_venv
cd "$project"
swift format format --in-place --recursive --parallel Package.swift Sources Tests Fuzz/Package.swift Fuzz/Sources
"$venv/bin/ruff" format --no-cache --quiet --config scripts/ruff.toml "${python_sources[@]}"
