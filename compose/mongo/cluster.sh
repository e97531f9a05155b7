#!/usr/bin/env bash
# Makes one cluster of the servers in docker-compose.yml: replica sets, the user "admin", shards. May run again at any time.
#
#   cluster.sh SECRETS      SECRETS has key-file and admin (secrets.sh)
#
# The servers know each other by their key file. Before there is any user, who has that file may speak for a server
# (`__system` of the database "local"), and does so here, on the servers of the config set and the shards; not on the router.
set -euo pipefail
secrets=${1:?which folder? cluster.sh SECRETS}
key=$(tr -d '[:space:]' <"$secrets/key-file")
password=$(cat "$secrets/admin")

as_server=(--username __system --password "$key" --authenticationDatabase local)
as_admin=(--username admin --password "$password" --authenticationDatabase admin)

# ask HOST SCRIPT CREDENTIAL... : runs JavaScript on a server, waiting for the server to come up.
ask() {
    local host=$1 script=$2 attempt
    shift 2
    for ((attempt = 0; attempt < 120; attempt++)); do
        if mongosh --quiet --host "$host" --eval 'db.adminCommand({ hello: 1 })' >/dev/null 2>&1; then
            mongosh --quiet --host "$host" "$@" --eval "$script"
            return
        fi
        sleep 1
    done
    echo "no answer from $host" >&2
    return 1
}

# initiate HOST CONFIGURATION : starts a replica set that has not been started yet, and waits for its primary.
initiate() {
    ask "$1" "
        if (!db.adminCommand({ hello: 1 }).setName) db.adminCommand({ replSetInitiate: $2 });
        for (let i = 0; i < 600 && !db.adminCommand({ hello: 1 }).isWritablePrimary; i++) sleep(100);
        if (!db.adminCommand({ hello: 1 }).isWritablePrimary) throw new Error('no primary');" "${as_server[@]}"
}

initiate config:27019 '{ _id: "config", configsvr: true, members: [{ _id: 0, host: "config:27019" }] }'
initiate shard1:27018 '{ _id: "shard1", members: [{ _id: 0, host: "shard1:27018" }] }'
initiate shard2:27018 '{ _id: "shard2", members: [{ _id: 0, host: "shard2:27018" }] }'

# Users of the cluster lie on the config servers.
ask config:27019 "
    if (db.adminCommand({ usersInfo: 'admin' }).users.length == 0) {
        db.adminCommand({ createUser: 'admin', pwd: '$password', roles: ['root'] });
    }" "${as_server[@]}"

ask router:27017 '
    const known = db.adminCommand({ listShards: 1 }).shards.map(shard => shard._id);
    for (const [name, host] of [["shard1", "shard1:27018"], ["shard2", "shard2:27018"]]) {
        if (!known.includes(name)) db.adminCommand({ addShard: name + "/" + host, name: name });
    }' "${as_admin[@]}"
echo "the cluster has two shards"
