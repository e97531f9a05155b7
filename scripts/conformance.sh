#!/usr/bin/env bash
# Runs every case of both official protocol suites, as tests of our own, against `submergence conformance`; with it the
# byte-exact examples and the decision table of Socket.IO packets. Prints a table, case by case.
#
#   scripts/conformance.sh [--runs N] [--through direct|nginx|both] [--loops N[,N]] [--polling-minutes M] [--release]
#
#   --runs N              how often, one run after the other; default 1
#   --through WAY         to the server directly, through nginx with the project's reference rules, or both (default)
#   --loops N[,N]         event loops of the server, one round each; default 1,4
#   --polling-minutes M   then keeps clients that only poll connected for M minutes, through nginx; default 0, none
#   --release             builds and runs the release build
#
# The official suites themselves are programs for Node.js that need packages of its registry. To run them, start the server
# as they expect it, and the suites in their own folders:
#
#   submergence conformance --port 3000
#
# exits with 0 when every case passed in every run, 1 when one did not, 2 when the tests could not be run.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin

runs=1 through=both loops=1,4 minutes=0 configuration=debug
while (($#)); do
    case $1 in
        --runs) need_number "$1" "${2:-}" 1 1000; runs=$2; shift 2 ;;
        --through)
            case ${2:-} in direct | nginx | both) through=$2 ;; *) fail "--through takes direct, nginx or both." ;; esac
            shift 2
            ;;
        --loops)
            [[ ${2:-} =~ ^[1-9][0-9]?(,[1-9][0-9]?)*$ ]] || fail "--loops takes numbers from 1 to 99, as in 1,4."
            loops=$2
            shift 2
            ;;
        --polling-minutes) need_number "$1" "${2:-}" 0 1440; minutes=$2; shift 2 ;;
        --release) configuration=release; shift ;;
        -h | --help) usage; exit 0 ;;
        *) fail "unknown argument: $1" "See --help." ;;
    esac
done

cd "$project"
need_apt libmongoc-dev pkg-config zlib1g-dev
need_command curl curl
need_command ss iproute2
need_command nginx nginx
need_venv

if [[ -z ${SUBMERGENCE_BIN:-} ]]; then
    say "building the executable ($configuration)"
    swift build --configuration "$configuration" --product submergence >&2
    SUBMERGENCE_BIN=$(swift build --configuration "$configuration" --show-bin-path)/submergence
fi
export SUBMERGENCE_BIN

status=0
"$venv/bin/python" -B scripts/conformance.py --runs "$runs" --through "$through" --loops "$loops" </dev/null || status=$?

if ((minutes > 0)); then
    say "clients that only poll, for $minutes minutes, through nginx"
    "$venv/bin/python" -B -m pytest -p no:cacheprovider -q --polling-seconds "$((minutes * 60))" \
        Tests/ClusterTests/EndToEnd/test_polling.py </dev/null || status=1
fi
exit "$status"
