#!/usr/bin/env bash
# Runs what `submergence init-db --print-roles` has printed: on the router, and the parts for shards on these directly.
#
#   users.sh SECRETS SCRIPT     SECRETS has key-file, admin, submergence, submergenceSetUp (secrets.sh)
#
# What is there already stays as it is.
set -euo pipefail
secrets=${1:?which folder? users.sh SECRETS SCRIPT}
script=${2:?which script? users.sh SECRETS SCRIPT}
key=$(tr -d '[:space:]' <"$secrets/key-file")

# The printed script is for people at a prompt: `use` is for the prompt alone, and passwords are asked for.
# part SHARD : the script for a shard; without a name the one for the router.
part() {
    awk -v wanted="$1" '
        /^\/\/ Directly on the primary of shard / { here = $8; sub(/,$/, "", here) }
        here == wanted && !/^use admin$/' "$script" |
        sed -e '/"submergenceSetUp", pwd/s/passwordPrompt()/process.env.SET_UP_PASSWORD/' \
            -e 's/passwordPrompt()/process.env.NODE_PASSWORD/'
}

# run HOST SHARD ROLE CREDENTIAL... : unless the role is there.
run() {
    local host=$1 text
    text=$(part "$2")
    [[ $text == *createUser* ]] || { echo "the script says nothing about ${2:-the router}" >&2; return 1; }
    text="if (db.adminCommand({ rolesInfo: '$3' }).roles.length == 0) {
$text
}"
    shift 3
    mongosh --quiet --host "$host" "$@" --eval "$text" admin
    echo "users of $host are there"
}

SET_UP_PASSWORD=$(cat "$secrets/submergenceSetUp")
NODE_PASSWORD=$(cat "$secrets/submergence")
export SET_UP_PASSWORD NODE_PASSWORD
as_server=(--username __system --password "$key" --authenticationDatabase local)
run router:27017 '' submergenceNode --username admin --password "$(cat "$secrets/admin")" --authenticationDatabase admin
for shard in shard1 shard2; do run "$shard:27018" "$shard" submergenceTail "${as_server[@]}"; done
