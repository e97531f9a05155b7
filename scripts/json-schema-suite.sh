#!/usr/bin/env bash
# Prints the folder of the official JSON-Schema-Test-Suite's cases for draft 2020-12, downloaded once. The unit tests call it.
#
#   scripts/json-schema-suite.sh
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
    "") ;;
    -h | --help) usage; exit 0 ;;
    *) fail "unknown argument: $1" "See --help." ;;
esac

need_venv
requirements=$project/Tests/ClusterTests/Node/Schema/suite-requirements.txt
package=$(sed -n 's/^\([a-z]*\)==\([0-9.]*\).*/\1-\2/p' "$requirements")
folder=$venv/json-schema-suite
if [[ ! -d $folder/$package/json/tests/draft2020-12 ]]; then
    say "downloading the JSON-Schema-Test-Suite"
    mkdir -p "$folder"
    # Without its dependencies, and without building anything: the sources are all that is wanted.
    "$venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary :all: --require-hashes \
        --dest "$folder" --requirement "$requirements" >&2 </dev/null
    tar -xzf "$folder/$package.tar.gz" -C "$folder" "$package/json/tests/draft2020-12"
fi
printf '%s\n' "$folder/$package/json/tests/draft2020-12"
