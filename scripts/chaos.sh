#!/usr/bin/env bash
# A cluster under fire: three nodes, MongoDB, nginx and many clients, faults at random; then the history is checked.
#
#   scripts/chaos.sh [--minutes M] [--seed S] [--users N] [--keep DIR] [--faults LIST] [--rate EVENTS_PER_SECOND]
#                    [--replicas R] [--grace SECONDS] [--tail auto|stream|cursor]
#
#   --minutes M     how long faults go on (5)
#   --seed S        decides the schedule of faults (one at random; it is printed first)
#   --users N       in each of the two domains, with up to three tabs (300)
#   --keep DIR      keep history and logs there; without it they are kept only if there was a violation
#   --faults LIST   only these, e.g. kill,pause,step-down; none
#
# Builds a release, starts everything of its own on free ports, and ends it. SUBMERGENCE_BIN in the environment names an
# executable to run in place of building one. docs/chaos.md tells what is done and what is checked.
#
# Example: scripts/chaos.sh --minutes 10 --seed 42 --keep run/chaos-42
#
# Exit status: 0 clean, 1 a violation, 2 it could not run.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin

case ${1:-} in
    -h | --help) usage; exit 0 ;;
esac

cd "$project"
trap 'exit 2' EXIT
need_apt libmongoc-dev pkg-config libfaketime
need_mongo
need_command nginx nginx
need_venv
need_release
trap - EXIT
exec "$venv/bin/python" -B scripts/chaos/run.py "$@"
