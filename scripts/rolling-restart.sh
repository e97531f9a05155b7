#!/usr/bin/env bash
# Restarts all nodes of a cluster, one after the other, under clients that get events all the while, and checks what these
# and the application were promised: nothing lost, nobody forgotten, no one announced off line, no node overrun.
#
#   scripts/rolling-restart.sh [--nodes N] [--connections C] [--rate EVENTS_PER_SECOND] [--accept-rate R]
#                              [--recovery S] [--presence-grace S] [--max-drain S] [--shards S] [--replicas R]
#   scripts/rolling-restart.sh --url URL --control URL ... --restart COMMAND [--presence-log FILE ...]
#
# The first form builds a release, starts a cluster and nodes of its own on free ports, and ends them. SUBMERGENCE_BIN in
# the environment names an executable to run in place of building one. The second form is for nodes that are there: COMMAND
# has to restart the node whose number, from 1, stands in the place of {n}, and to return when it is ready again.
# Exit status 1: a promise was broken; which, is said last.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
    -h | --help) usage; exit 0 ;;
esac

need_apt libmongoc-dev pkg-config
need_mongo
need_venv
cd "$project"
need_release
exec "$venv/bin/python" -B scripts/rolling.py "$@"
