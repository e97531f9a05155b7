#!/usr/bin/env bash
# Opens, closes and reloads tabs of two people in a real browser, and cuts their networks, at random and for minutes; after every
# burst of changes each tab must reach each tab of the other, browser to browser.
#
#   scripts/mesh.sh [--minutes M] [--seed S] [--bound SECONDS]
#
#   --minutes M        how long (10)
#   --seed S           of the changes (a random one, which is printed)
#   --bound SECONDS    that a mesh may take to be complete after the last change, or after a tab has come back (5)
#
# Starts a MongoDB cluster of two shards, two nodes of Examples/Duet and nginx of its own on free ports, and ends them.
# SUBMERGENCE_BIN in the environment names an executable that Duet lies beside, to run in place of building one. Exit status 1:
# a mesh was late, or was never complete; which, is said last.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
    -h | --help) usage; exit 0 ;;
esac

need_apt libmongoc-dev pkg-config
need_command nginx nginx
need_command chromium chromium
need_mongo
need_venv
cd "$project"
if [[ -z ${SUBMERGENCE_BIN:-} ]]; then
    swift build --product submergence >&2
    swift build --product Duet >&2
fi
exec "$venv/bin/python" -B scripts/mesh.py "$@"
