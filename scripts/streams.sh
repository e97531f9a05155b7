#!/usr/bin/env bash
# Sends a gigabyte through a node, up and down, directly and behind nginx, and says what that costs its memory.
#
#   scripts/streams.sh [--megabytes N] [--bound MIB]
#
#   --megabytes N   how much, each time (1024)
#   --bound MIB     how much more than before the node may have meanwhile (32)
#
# Builds a release, starts a node and an nginx of its own on free ports, and ends them. SUBMERGENCE_BIN in the environment
# names an executable to run in place of building one. Exit status 1: the node's memory grew by more than the bound.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
    -h | --help) usage; exit 0 ;;
esac

need_apt libmongoc-dev pkg-config
need_command nginx nginx
need_venv
cd "$project"
if [[ -z ${SUBMERGENCE_BIN:-} ]]; then
    say "building the release (a first build takes several minutes; later ones seconds)"
    swift build -c release --product submergence >&2
    SUBMERGENCE_BIN=$(swift build -c release --show-bin-path)/submergence
fi
export SUBMERGENCE_BIN
exec "$venv/bin/python" -B scripts/streams.py "$@"
