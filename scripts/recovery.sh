#!/usr/bin/env bash
# Cuts many clients over and over while each gets events, kills a node in the middle, and checks what they were promised.
#
#   scripts/recovery.sh [--connections N] [--rate EVENTS_PER_SECOND] [--seconds S] [--cut-every S] [--cut-for S]
#                       [--nodes N] [--shards S] [--replicas R] [--no-kill]
#
# Builds a release, starts a cluster and nodes of its own on free ports, and ends them. SUBMERGENCE_BIN in the environment
# names an executable to run in place of building one. Exit status 1: a client that was told `recovered` missed something.
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
exec "$venv/bin/python" -B scripts/recovery.py "$@"
