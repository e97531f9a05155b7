#!/usr/bin/env bash
# Checks the rules that a compiler does not: layering, formatting, the scripts.
#
#   scripts/lint.sh
#
# scripts/format.sh puts formatting right.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
    "") ;;
    -h | --help) usage; exit 0 ;;
    *) fail "unknown argument: $1" "See --help." ;;
esac

need_venv
cd "$project"
failed=false

say "layers"
python3 scripts/layers.py || failed=true

say "Swift formatting"
swift format lint --strict --recursive --parallel Package.swift Sources Tests Fuzz/Package.swift Fuzz/Sources || failed=true

say "shell scripts"
"$venv/bin/shellcheck" --external-sources --source-path=scripts scripts/*.sh compose/*.sh compose/mongo/*.sh .ci/run || failed=true

say "Python scripts"
"$venv/bin/ruff" check --no-cache --quiet --config scripts/ruff.toml "${python_sources[@]}" || failed=true
"$venv/bin/ruff" format --no-cache --check --quiet --config scripts/ruff.toml "${python_sources[@]}" || {
    note "scripts/format.sh puts that right"
    failed=true
}

if $failed; then fail "the checks above failed."; fi
