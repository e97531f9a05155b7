#!/usr/bin/env bash
# Starts a sharded MongoDB cluster on loopback, for development and tests, and prints its URI as the last line.
#
#   scripts/mongo-sharded-up.sh [--shards S] [--replicas R] [--dir D] [--base-port P]
#   scripts/mongo-sharded-up.sh --down [--wipe] [--dir D]
#
#   --shards S      shards, 1 to 9 (2)
#   --replicas R    members of each shard's replica set, 1 to 7 (1)
#   --dir D         folder for data, logs and process ids (run/mongo in the project)
#   --base-port P   router on P, config server on P+40, member k of shard i on P+100*i+k (27100); 0 finds free ports
#   --down          ends exactly the processes that were started for this folder; the data stays
#   --wipe          with --down: removes the folder as well
#
# Running it again starts what is down and leaves the rest alone; a cluster keeps the options that it was made with.
# A `mongod` comes from $MONGOD, the PATH or, failing both, a Python wheel; a real `mongos` from $MONGOS or the PATH is
# preferred, else a stand-in for tests is built (scripts/mongo/README.md, which also has the commands that break things:
# scripts/mongo/mongo-cluster kill-shard, pause-shard, stop-primary ...). No authentication, no TLS: not for production.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

dir=$run_dir/mongo options=() down=false wipe=()
while (($#)); do
    case $1 in
        --shards | --replicas | --dir | --base-port) (($# > 1)) || fail "$1 takes a value." "See --help." ;;&
        --shards) need_number "$1" "$2" 1 9; options+=("$1" "$2"); shift 2 ;;
        --replicas) need_number "$1" "$2" 1 7; options+=("$1" "$2"); shift 2 ;;
        --base-port) need_number "$1" "$2" 0 64000; options+=("$1" "$2"); shift 2 ;;
        --dir) dir=$2; shift 2 ;;
        --down) down=true; shift ;;
        --wipe) wipe=(--wipe); shift ;;
        -h | --help) usage; exit 0 ;;
        *) fail "unknown argument: $1" "See --help." ;;
    esac
done

cluster=("$project/scripts/mongo/mongo-cluster" --dir "$dir")
if $down; then
    [[ -e $dir/cluster.json ]] || { note "no cluster in $dir"; exit 0; }
    "${cluster[@]}" down ${wipe[@]+"${wipe[@]}"}
    exit 0
fi
((${#wipe[@]} == 0)) || fail "--wipe goes with --down."

need_mongo
say "starting a sharded MongoDB cluster in $dir"
"${cluster[@]}" up ${options[@]+"${options[@]}"}
