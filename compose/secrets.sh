#!/usr/bin/env bash
# Makes everything secret that docker-compose.yml needs, each file once and for its one reader.
#
#   secrets.sh FOLDER       FOLDER/mongo, /set-up, /node, /tls, /turn, /metrics, /operator
#
# Run as root it gives the files to the users of the containers: 999 (mongo), 10001 (submergence), 65534 (coturn,
# prometheus). Run again it makes only what is missing. CONFIGURATION in the environment is coturn.conf.
set -euo pipefail
folder=${1:?which folder? secrets.sh FOLDER}
umask 077

random() { head -c 32 /dev/urandom | base64 -w 0 | tr '+/' '-_' | tr -d '='; }

# once FILE COMMAND... : the file with what the command prints, unless it is there already.
once() {
    local file=$1
    shift
    [[ -s $file ]] && return
    "$@" >"$file.new"
    mv "$file.new" "$file"
}

own() { if ((EUID == 0)); then chown -R "$1" "$2"; fi; }

line() { printf '%s\n' "$1"; }

connection() { line "mongodb://$1:$(cat "$2")@router:27017/?directConnection=false"; }

mkdir -p "$folder"/{mongo,set-up,node,tls,turn,metrics,operator}
chmod 755 "$folder"/{mongo,set-up,node,tls,turn,metrics,operator}

# Servers of MongoDB know each other by the key file, which has 6 to 1024 base64 characters. The users' passwords: of admin,
# who makes the others; of submergenceSetUp, who is init-db; of submergence, who is the nodes.
once "$folder/mongo/key-file" head -c 96 <(head -c 72 /dev/urandom | base64 -w 0)
for user in admin submergenceSetUp submergence; do once "$folder/mongo/$user" random; done
own 999:999 "$folder/mongo"

once "$folder/set-up/mongodb" connection submergenceSetUp "$folder/mongo/submergenceSetUp"
once "$folder/set-up/mongodb-admin" connection admin "$folder/mongo/admin"
own 10001:10001 "$folder/set-up"

once "$folder/node/signing-keys" line "$(random)"
once "$folder/node/mongodb" connection submergence "$folder/mongo/submergence"
once "$folder/node/turn-secret" line "$(random)"
own 10001:10001 "$folder/node"
# The keys of the control API, which `submergence keys` makes, go here.
own 10001:10001 "$folder/metrics"
own 10001:10001 "$folder/operator"

relay() {
    cat "${CONFIGURATION:-/coturn.conf}"
    echo "static-auth-secret=$(cat "$folder/node/turn-secret")"
}
once "$folder/turn/turnserver.conf" relay
own 65534:65534 "$folder/turn"

if [[ ! -s $folder/tls/certificate.pem ]]; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 825 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -keyout "$folder/tls/certificate.key" -out "$folder/tls/certificate.new" 2>/dev/null
    mv "$folder/tls/certificate.new" "$folder/tls/certificate.pem"
    chmod 644 "$folder/tls/certificate.pem"
fi
