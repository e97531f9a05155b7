#!/usr/bin/env bash
# Makes one cluster of the replica sets in docker-compose.yml. May run again at any time.
set -euo pipefail

# ask HOST SCRIPT : runs JavaScript on a server, waiting for the server to come up.
ask() {
    local attempt
    for ((attempt = 0; attempt < 120; attempt++)); do
        if mongosh --quiet --host "$1" --eval 'quit(db.hello().ok ? 0 : 1)' >/dev/null 2>&1; then
            mongosh --quiet --host "$1" --eval "$2"
            return
        fi
        sleep 1
    done
    echo "no answer from $1" >&2
    return 1
}

# initiate HOST CONFIGURATION : starts a replica set that has not been started yet, and waits for its primary.
initiate() {
    ask "$1" "
        if (!db.hello().setName) rs.initiate($2);
        for (let i = 0; i < 600 && !db.hello().isWritablePrimary; i++) sleep(100);
        if (!db.hello().isWritablePrimary) throw new Error('no primary');"
}

initiate config:27019 '{_id: "config", configsvr: true, members: [{_id: 0, host: "config:27019"}]}'
initiate shard1:27018 '{_id: "shard1", members: [{_id: 0, host: "shard1:27018"}]}'
initiate shard2:27018 '{_id: "shard2", members: [{_id: 0, host: "shard2:27018"}]}'

ask router:27017 '
    const known = db.adminCommand({listShards: 1}).shards.map(shard => shard._id);
    for (const [name, host] of [["shard1", "shard1:27018"], ["shard2", "shard2:27018"]]) {
        if (!known.includes(name)) sh.addShard(name + "/" + host);
    }'
echo "the cluster has two shards"
