#!/usr/bin/env bash
# Ends what scripts/up.sh started, and nothing else: nginx, the nodes (which drain their clients first), MongoDB.
#
#   scripts/down.sh [--wipe]
#
#   --wipe    removes everything in the project's run/ folder afterwards, MongoDB's data and logs included
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

wipe=false
while (($#)); do
    case $1 in
        --wipe) wipe=true; shift ;;
        -h | --help) usage; exit 0 ;;
        *) fail "unknown argument: $1" "See --help." ;;
    esac
done

up_dir=$run_dir/up

# is_ours PID_FILE TEXT : the process is alive, and its command line has a text that only ours has. A process id that
# the system has given to somebody else since is thus left alone.
is_ours() {
    local pid
    [[ -s $1 ]] && read -r pid <"$1" && [[ -r /proc/$pid/cmdline ]] || return 1
    tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$2"
}

# end PID_FILE TEXT SECONDS : asks it to end; kills it when it has not ended by then.
end() {
    local pid attempt
    is_ours "$1" "$2" || { rm -f "$1"; return 0; }
    read -r pid <"$1"
    kill -TERM "$pid" 2>/dev/null || true
    for ((attempt = 0; attempt < $3 * 10; attempt++)); do
        is_ours "$1" "$2" || { rm -f "$1"; return 0; }
        sleep 0.1
    done
    note "process $pid has not ended within $3 s: killing it"
    kill -KILL "$pid" 2>/dev/null || true
    rm -f "$1"
}

if [[ -e $up_dir/shape ]]; then
    say "ending nginx"
    end "$up_dir/nginx/master.pid" "$up_dir/nginx/" 10

    say "ending the nodes"
    ending=()
    for file in "$up_dir"/nodes/*.pid; do
        [[ -e $file ]] || continue
        end "$file" "--signing-keys $run_dir/signing-keys" 90 &
        ending+=($!)
    done
    for job in ${ending[@]+"${ending[@]}"}; do wait "$job"; done

    if [[ -s $up_dir/mongo-dir ]]; then
        say "ending MongoDB"
        "$project/scripts/mongo-sharded-up.sh" --down --dir "$(cat "$up_dir/mongo-dir")"
    fi
    rm -f "$up_dir/shape" "$up_dir/mongo-dir" "$up_dir/mongodb-uri"
else
    note "nothing is up"
fi

if $wipe; then
    say "removing $run_dir"
    for cluster in "$run_dir"/mongo*/cluster.json; do
        if [[ -e $cluster ]]; then "$project/scripts/mongo-sharded-up.sh" --down --dir "$(dirname -- "$cluster")"; fi
    done
    rm -rf -- "$run_dir"
fi
