#!/usr/bin/env bash
# Sends forged signalling over a Link between two nodes, and checks that none is delivered and each message answered.
#
#   scripts/forge.sh [--count N]
#
#   --count N   forged messages (100000)
#
# Builds the nodes, starts two of them and a MongoDB cluster of its own on free ports, and ends them. SUBMERGENCE_BIN in the
# environment names an executable whose folder has the programs, in place of building them. Exit status 1: a message was
# delivered, or not answered.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
    -h | --help) usage; exit 0 ;;
esac

need_apt libmongoc-dev pkg-config
need_venv
cd "$project"
if [[ -z ${SUBMERGENCE_BIN:-} ]]; then
    say "building (a first build takes several minutes; later ones seconds)"
    swift build --product LinksApplication >&2
    SUBMERGENCE_BIN=$(swift build --show-bin-path)/submergence
fi
export SUBMERGENCE_BIN
exec "$venv/bin/python" -B scripts/forge.py "$@"
