#!/usr/bin/env bash
# Benchmarks of a release build: what an operation costs, and what a node on one core does, next to two controls.
#
#   scripts/bench.sh [--only SCENARIO]... [--rounds N] [--seconds S] [--connections N] [--storm N] [--no-peer] [--json FILE]
#   scripts/bench.sh --micro [--update]
#
#   --only        one of connects, connects+db, storm, echo1, echo16, fanout100, fanout1000, cross; default: all
#   --micro       the micro benchmarks only, held against Benchmarks/thresholds.json; with --update they are written there
#
# The node is on one core and the load client on another: use a machine that does nothing else. Without arguments it takes
# about twenty minutes, and builds first. docs/performance.md explains the figures.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

cd "$project"
micro=false check=--check arguments=()
while (($#)); do
    case $1 in
        --micro) micro=true; shift ;;
        --update) check=--update; shift ;;
        -h | --help) usage; exit 0 ;;
        *) arguments+=("$1"); shift ;;
    esac
done

need_apt zlib1g-dev pkg-config
say "building the benchmarks"
swift build --package-path Benchmarks -c release >&2
built=$(swift build --package-path Benchmarks -c release --show-bin-path)
if $micro; then SWIFT_DETERMINISTIC_HASHING=1 exec "$built/Micro" "$check" Benchmarks/thresholds.json; fi
[[ $check == --check ]] || fail "--update goes with --micro."

(($(nproc) >= 2)) || fail "a machine with two cores is needed: one for the node, one for the load client."
need_command taskset util-linux
need_apt libmongoc-dev
need_mongo
need_venv
need_release
peers=$project/.build-peers
if ! cmp -s Benchmarks/peers/requirements.txt "$peers/list"; then
    say "installing the Python packages of the peer into ${peers#"$project/"}"
    rm -rf -- "$peers"
    python3 -m venv "$peers"
    "$peers/bin/pip" install --quiet --disable-pip-version-check --requirement Benchmarks/peers/requirements.txt >&2
    cp Benchmarks/peers/requirements.txt "$peers/list"
fi
exec "$venv/bin/python" -B scripts/bench.py --bare "$built/BareEcho" --peer-python "$peers/bin/python" "${arguments[@]}"
