#!/usr/bin/env bash
# Makes the reference of the library `Node` with DocC: the catalogue in Sources/Node/Node.docc and all public symbols.
#
#   scripts/docc.sh [FOLDER]
#
#   FOLDER    where the archive goes (run/Node.doccarchive); any web server can serve it
#
# A mistake in the catalogue ends it with an error. SUBMERGENCE_BIN in the environment names an executable of a debug build
# whose modules are taken in place of building them.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
    -h | --help) usage; exit 0 ;;
    -*) fail "unknown argument: $1" "See --help." ;;
esac
archive=$(realpath -m -- "${1:-$run_dir/Node.doccarchive}")
cd "$project"
if [[ -z ${SUBMERGENCE_BIN:-} ]]; then
    say "building the library (debug)"
    swift build --target Node >&2
    build=$(swift build --show-bin-path)
else
    build=$(dirname -- "$(realpath -- "$SUBMERGENCE_BIN")")
fi
[[ -d $build/Modules ]] || fail "there are no modules in $build" "SUBMERGENCE_BIN must be of a debug build."

# What the modules import of C: the headers of the packages, and the maps that the build has made for them.
flags=()
while IFS= read -r folder; do flags+=(-Xcc "-I$folder"); done < <(
    find "$build/../../checkouts" -type d -name include -path '*/Sources/*'
)
while IFS= read -r map; do flags+=(-Xcc "-fmodule-map-file=$map"); done < <(
    find "$build" -path '*.build/module.modulemap' -not -path '*/include/*'
    find Sources -name module.modulemap
)
for flag in $(pkg-config --cflags libmongoc-1.0); do flags+=(-Xcc "$flag"); done

graphs=$(mktemp -d)
trap 'rm -rf -- "$graphs"' EXIT
toolchain=$(dirname -- "$(realpath -- "$(command -v swift)")")
say "collecting the public symbols of Node"
target=$(swift -print-target-info | python3 -c 'import json, sys; print(json.load(sys.stdin)["target"]["unversionedTriple"])')
swift symbolgraph-extract -module-name Node -minimum-access-level public -target "$target" -I "$build/Modules" \
    "${flags[@]}" -output-dir "$graphs" >&2
say "converting"
mkdir -p "$(dirname -- "$archive")"
"$toolchain/docc" convert Sources/Node/Node.docc --additional-symbol-graph-dir "$graphs" --fallback-display-name Node \
    --fallback-bundle-identifier org.submergence.Node --output-path "$archive" --diagnostics-file "$graphs/diagnostics.json" \
    >"$graphs/log" 2>&1 || { cat "$graphs/log" >&2; fail "docc has failed; its messages are above."; }

# Comments in sources may leave parameters out; the catalogue may not name what is not there.
python3 - "$graphs/diagnostics.json" <<'PYTHON' || fail "the catalogue has the mistakes above."
import json
import sys

with open(sys.argv[1], encoding="utf8") as file:
    found = json.load(file)["diagnostics"]
mistakes = [entry for entry in found if "/Node.docc/" in entry.get("source", "")]
for entry in mistakes:
    line = entry.get("range", {}).get("start", {}).get("line", "?")
    print(f"{entry['source'].split('/Node.docc/')[1]}:{line}: {entry['summary']}", file=sys.stderr)
sys.exit(bool(mistakes))
PYTHON
note "written: $archive"
