#!/usr/bin/env bash
# Sends a node thousands of requests that are wrong in every way, and checks that each gets one answer, that the node lives, and
# that its memory returns to where it was.
#
#   scripts/mutate.sh [--count N] [--seed S] [--only http|socket]
#
#   --count N   requests (10000): half over HTTP, half over sockets
#   --seed S    of the random numbers; the same seed makes the same requests. Default: one that is printed
#   --only      one of the two
#
# Builds a release, starts nodes of its own on free ports, and ends them. SUBMERGENCE_BIN in the environment names an executable to
# run in place of building one; ActionsApplication lies beside it. Exit status 1: something was found; the request that did it is printed.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
    -h | --help) usage; exit 0 ;;
esac

need_apt libmongoc-dev pkg-config
need_venv
cd "$project"
if [[ -z ${SUBMERGENCE_BIN:-} ]]; then
    say "building the release (a first build takes several minutes; later ones seconds)"
    swift build -c release --product submergence >&2
    swift build -c release --product ActionsApplication >&2
    SUBMERGENCE_BIN=$(swift build -c release --show-bin-path)/submergence
fi
export SUBMERGENCE_BIN
exec "$venv/bin/python" -B scripts/mutate.py "$@"
