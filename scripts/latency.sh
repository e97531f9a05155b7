#!/usr/bin/env bash
# Measures the latency of single events between two nodes on an idle two-shard cluster, with both ways of reading.
#
#   scripts/latency.sh [--tail auto|stream|cursor]... [--count N] [--rate EVENTS_PER_SECOND] [--replicas R]
#
# Builds a release, starts a cluster and two nodes of its own on free ports, and ends them. About a minute and a half.
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
exec "$venv/bin/python" -B scripts/latency.py "$@"
