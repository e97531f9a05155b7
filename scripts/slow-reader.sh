#!/usr/bin/env bash
# Lets one client read a kilobyte a second among a hundred fast ones, and says what that costs the node and the others.
#
#   scripts/slow-reader.sh [--rounds N] [--seconds S] [--slow-rate BYTES] [--rate EVENTS_PER_SECOND] [--bytes N]
#                          [--memory MIB] [--ratio R]
#
#   --rounds N     pairs of runs, one with the slow reader and one with a fast one in its place (3)
#   --memory MIB   how much more the node may have than at the start of a run (8: the budget of a socket is 4)
#   --ratio R      how many times the others' p99 may be what it is without a slow reader, by the medians (1.5)
#
# Builds a release, starts a node of its own for each run on free ports, and ends it. SUBMERGENCE_BIN in the environment
# names an executable to run in place of building one. Exit status 1: a bound was passed; which, is said last. Run it on a
# machine that does nothing else: it compares times.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
    -h | --help) usage; exit 0 ;;
esac

need_apt libmongoc-dev pkg-config
need_venv
cd "$project"
need_release
exec "$venv/bin/python" -B scripts/slow_reader.py "$@"
