#!/usr/bin/env bash
# Measures what a node reads from MongoDB in clusters of 2, 4 and 8 nodes, while each node has the same to do.
#
#   scripts/growth.sh [--nodes N]... [--users N] [--rate EVENTS_PER_SECOND] [--seconds S] [--tolerance SHARE]
#
# Ends with status 1 if the largest cluster's nodes read more for an event than the smallest's, by more than the tolerance
# (0.25). Builds a release, starts clusters of its own on free ports, and ends them. About three minutes.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
    -h | --help) usage; exit 0 ;;
esac

need_apt libmongoc-dev zlib1g-dev pkg-config
need_mongo
need_venv
cd "$project"
need_release
exec "$venv/bin/python" -B scripts/growth.py "$@"
