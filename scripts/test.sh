#!/usr/bin/env bash
# Sets itself up, checks the sources and runs every test.
#
#   scripts/test.sh [--only unit|e2e] [--no-lint] [-- PYTEST_ARGUMENT...]
#
#   --only unit   the checks, `swift test` (machines, stores, the bus on real MongoDB clusters) and five seconds of each
#                 fuzzer (scripts/fuzz.sh runs them longer)
#   --only e2e    the end-to-end tests: the executable as processes, with official clients, nginx and Chromium
#   --no-lint     leaves out the checks of the sources
#
# SUBMERGENCE_BROWSER=firefox in the environment runs the tests of browsers on a cluster in Firefox (docs/browser.md).
# What is missing is installed with apt (announced; the one step that needs root) and into a Python environment of the
# project's own. Every cluster that a test needs is started by that test, on free ports, and ended with it. A run
# on two cores takes about an hour, half of it the end-to-end tests, which run two at a time (browsers one at a time).
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin

only=all lint=true
while (($#)); do
    case $1 in
        --only)
            case ${2:-} in unit | e2e) only=$2 ;; *) fail "--only takes unit or e2e." ;; esac
            shift 2
            ;;
        --no-lint) lint=false; shift ;;
        --) shift; break ;;
        -h | --help) usage; exit 0 ;;
        *) fail "unknown argument: $1" "See --help." ;;
    esac
done

step_started=$SECONDS
step() {
    note "($((SECONDS - step_started)) s)"
    step_started=$SECONDS
    say "$@"
}

cd "$project"
say "what the tests need"
command -v swift >/dev/null || fail "there is no Swift toolchain (6.2 or later) in the PATH." \
    "Install one: https://www.swift.org/install/"
need_apt libmongoc-dev zlib1g-dev pkg-config
need_command curl curl
need_mongo
need_venv
if [[ $only != unit ]]; then
    need_command nginx nginx
    need_command ss iproute2
    need_command openssl openssl
    need_command node nodejs
    need_command turnserver coturn
    need_command prometheus prometheus
    need_command docker-compose docker-compose
    need_command systemd-analyze systemd
    need_apt node-ws node-xmlhttprequest
    if [[ ${SUBMERGENCE_BROWSER:-} == firefox ]] && ! command -v firefox >/dev/null; then need_apt firefox-esr; fi
    if ! command -v chromium >/dev/null && ! command -v google-chrome >/dev/null; then need_apt chromium; fi
fi
scripts/mongo/mongo-cluster prepare

if $lint && [[ $only != e2e ]]; then
    step "checks"
    scripts/lint.sh
fi

if [[ $only == e2e ]]; then
    step "building the executable and the examples (debug)"
    for product in submergence Hello Chat Postboard Duet Bank ActionsApplication LinksApplication; do
        swift build --product "$product"
    done
else
    step "building everything (debug)"
    swift build --build-tests
    step "swift test"
    # One after the other: clusters of real servers and two cores do not go together with eight tests at a time.
    swift test --skip-build --no-parallel
    step "fuzzing"
    scripts/fuzz.sh 5
fi

if [[ $only != unit ]]; then
    step "end-to-end tests"
    SUBMERGENCE_BIN=${SUBMERGENCE_BIN:-$(swift build --show-bin-path)/submergence}
    export SUBMERGENCE_BIN
    # Two at a time, but browsers alone (conftest.py): tests mostly wait.
    "$venv/bin/python" -B -m pytest -p no:cacheprovider -n 2 --dist loadscope --no-loadscope-reorder \
        --durations 20 \
        Tests/ClusterTests/EndToEnd "$@" </dev/null
fi

step "all tests passed, in $((SECONDS / 60)) min $((SECONDS % 60)) s"
