#!/usr/bin/env bash
# Fuzzes what reads other people's bytes: libFuzzer and the address sanitizer on the codecs and machines of Wire.
#
#   scripts/fuzz.sh [SECONDS] [--target NAME]...
#
#   SECONDS         time for each target, 60 by default; the build comes on top (about a minute, the first time)
#   --target NAME   only this one; may be given several times. One of: payload frames packet json bson bus head query
#                   engine sockets multipart links (Fuzz/Sources/Targets/FuzzTarget.swift says what each of them is)
#
# Each target starts from its seeds (Fuzz/Seeds) and from what earlier runs here have found worth keeping
# (Fuzz/.build/corpus). The script goes on with the next target when one has found something, and fails at the end: it
# prints the input that does it and the command that does it again. Make a seed of that input, and a test of its cause.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

cd "$project"
seconds=60 targets=()
while (($#)); do
    case $1 in
        --target)
            [[ -d Fuzz/Seeds/${2:-.none} && ${2:-} =~ ^[a-z]+$ ]] || fail "there is no target \"${2:-}\"." "See --help."
            targets+=("$2")
            shift 2
            ;;
        -h | --help) usage; exit 0 ;;
        -*) fail "unknown argument: $1" "See --help." ;;
        *) need_number SECONDS "$1" 1 86400; seconds=$((10#$1)); shift ;;
    esac
done
if ((${#targets[@]} == 0)); then
    for folder in Fuzz/Seeds/*/; do targets+=("$(basename "$folder")"); done
fi

command -v swift >/dev/null || fail "there is no Swift toolchain (6.2 or later) in the PATH." \
    "Install one: https://www.swift.org/install/"
need_apt zlib1g-dev pkg-config
# The linker takes libFuzzer from the toolchain's own clang; a distribution's clang does not help here.
resources=$(swiftc -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
runtime=("$resources"/clang/lib/*/libclang_rt.fuzzer*.a)
[[ -e ${runtime[0]} ]] || fail "this Swift toolchain has no libFuzzer (libclang_rt.fuzzer)." \
    "The toolchains for Linux from https://www.swift.org/install/ have it."

say "building the fuzzers"
swift build --package-path Fuzz -c release >&2
fuzzer=$(swift build --package-path Fuzz -c release --show-bin-path)/Fuzz

# Swift's own reports take half a minute for each crash; libFuzzer prints a stack as well.
export SWIFT_BACKTRACE=enable=no
logs=Fuzz/.build/logs findings=Fuzz/.build/findings
mkdir -p "$logs" "$findings"
failed=()
for target in "${targets[@]}"; do
    corpus=Fuzz/.build/corpus/$target
    log=$logs/$target.log
    mkdir -p "$corpus"
    arguments=("-max_total_time=$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
        "-artifact_prefix=$findings/$target-")
    if [[ -e Fuzz/Dictionaries/$target.dict ]]; then arguments+=("-dict=Fuzz/Dictionaries/$target.dict"); fi
    say "$target, $seconds s"
    if FUZZ_TARGET=$target "$fuzzer" "${arguments[@]}" "$corpus" "Fuzz/Seeds/$target" >"$log" 2>&1 </dev/null; then
        note "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, $(
            sed -n 's/.*DONE *cov: \([0-9]*\).*/\1/p' "$log") edges reached"
    else
        input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
        note "$(grep -aEm 1 'Fatal error|ERROR: |SUMMARY: ' "$log" || echo "the fuzzer ended early")"
        note "the input: ${input:-none was written}; the report: $log"
        if [[ -n $input ]]; then
            note "again: SWIFT_BACKTRACE=enable=no FUZZ_TARGET=$target ${fuzzer#"$project/"} $input"
        fi
        failed+=("$target")
    fi
done
if ((${#failed[@]})); then fail "something was found in: ${failed[*]}"; fi
say "nothing was found"
