#!/usr/bin/env bash
# Publishes inside transactions, a third of them aborted, while nodes are killed with -9: exactly the committed ones arrive, once.
#
#   scripts/outbox.sh [--transactions N] [--nodes N] [--kill-every S] [--publishers N] [--users N]
#
# Builds a release, starts a MongoDB replica set and nodes of its own on free ports, and ends them. SUBMERGENCE_BIN in the
# environment names an executable to run in place of building one. Exit status 1: something came twice, was missing, came of an
# aborted transaction, or out of order.
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
exec "$venv/bin/python" -B scripts/outbox.py "$@"
