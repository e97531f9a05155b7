#!/usr/bin/env bash
# Prints an nginx configuration: the rules of the proxy have this one source, and docs/nginx.md explains them.
#
#   scripts/nginx-config.sh PORT NODE_PORT...      for development: loopback, plain HTTP
#   scripts/nginx-config.sh --reference            docs/nginx.conf: production, TLS, one domain
#   scripts/nginx-config.sh --compose              compose/nginx.conf: the same in containers
#   scripts/nginx-config.sh --write                writes these two files; a test looks whether they are what this prints
#
# The first form goes with a prefix folder of its own, where everything that nginx writes ends up; no root is needed:
#
#   mkdir -p DIR/tmp && scripts/nginx-config.sh 8080 8081 8082 >DIR/nginx.conf && nginx -p DIR/ -c nginx.conf
#
# There a node is expected to have its port as `--session-label`. Note that `ip_hash` looks at the first three bytes of an
# IPv4 address: all of 127.0.0.0/24 is one client.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# upstreams LABEL=ADDRESS... : all nodes together, each alone, and which of these a request goes to.
upstreams() {
    local node
    cat <<'CONF'
    upstream nodes {
        ip_hash;
CONF
    for node in "$@"; do echo "        server ${node#*=} max_fails=10 fail_timeout=1s;"; done
    echo "    }"
    echo
    for node in "$@"; do echo "    upstream node_${node%%=*} { server ${node#*=} max_fails=0; }"; done
    cat <<'CONF'

    map $arg_sid $node {
        default        nodes;
CONF
    for node in "$@"; do echo "        \"~^${node%%=*}-.{22}\$\"   node_${node%%=*};"; done
    cat <<'CONF'
    }

    # A request that asks for an upgrade gets one; every other one leaves the connection to the node alone.
    map $http_upgrade $connection_upgrade {
        default upgrade;
        ""      "";
    }
CONF
}

# forwarding HOST : the part of a server that passes requests on; HOST is nginx's variable for the name of the domain.
forwarding() {
    sed "s/HOST/$1/" <<'CONF'
        client_max_body_size 16m;

        location / {
            proxy_pass http://$node;
            proxy_http_version 1.1;
            proxy_set_header Host $HOST;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host "";
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_buffering off;
            proxy_request_buffering off;
            proxy_connect_timeout 2s;
            proxy_next_upstream error timeout http_503;
            proxy_next_upstream_tries 3;
            proxy_next_upstream_timeout 5s;
            proxy_read_timeout 1h;
            proxy_send_timeout 1h;
        }
    }
}
CONF
}

reference() {
    cat <<'CONF'
# The reference proxy configuration for production (SPEC TR-3): TLS in front of the nodes of one domain.
#
# - ip_hash spreads new clients. WebSocket-only clients need nothing more.
# - A session that polls stays on its node: every node puts its label (--session-label a, b, c) before the ids of its
#   sessions, and a request that names one goes there and nowhere else, also while the node drains. What it is answered with
#   goes to its client; a POST is never sent to a second node. Without labels only ip_hash keeps them together.
# - A handshake that a node refuses for now (503: it drains, is too busy, or has no MongoDB), and any request that a node
#   cannot be reached with, goes to the next node at once. That is safe: nginx passes on a POST only if nothing of it was
#   sent, as `non_idempotent` is not set.
# - A node that refuses or fails ten requests is left alone for a second; that is a matter of load, not of correctness.
# - Host is the name of the matched server, never the client's text; X-Real-IP and X-Forwarded-For are overwritten.
# - The default servers are closed: a request for another name, or without SNI, gets no answer.
# - Buffering is off, and reads wait longer than the heartbeat.
#
# Replace app.example, the certificate's paths and the nodes' addresses. The nodes believe these headers of loopback
# addresses only, unless the proxy's network is among their trusted proxies. docs/nginx.md explains it line by line.
# This file is printed by scripts/nginx-config.sh --reference.

user www-data;
worker_processes auto;
worker_rlimit_nofile 200000;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log warn;

events {
    worker_connections 65536;
}

http {
    server_tokens off;
    access_log off;

CONF
    upstreams a=10.0.0.11:8080 b=10.0.0.12:8080 c=10.0.0.13:8080
    cat <<'CONF'

    server {
        listen 80 default_server;
        listen [::]:80 default_server;
        return 444;
    }

    server {
        listen 443 ssl default_server;
        listen [::]:443 ssl default_server;
        ssl_reject_handshake on;
    }

    server {
        listen 80;
        listen [::]:80;
        server_name app.example;
        return 308 https://$server_name$request_uri;
    }

    server {
        listen 443 ssl;
        listen [::]:443 ssl;
        server_name app.example;

        ssl_certificate     /etc/ssl/app.example/fullchain.pem;
        ssl_certificate_key /etc/ssl/app.example/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:tls:10m;
        ssl_session_tickets off;

CONF
    forwarding server_name
}

compose() {
    cat <<'CONF'
# nginx of docker-compose.yml: docs/nginx.conf for the domain "localhost", with a certificate made at the first start.
# This file is printed by scripts/nginx-config.sh --compose.

worker_processes auto;
pid /tmp/nginx.pid;
error_log stderr warn;

events {
    worker_connections 16384;
}

http {
    server_tokens off;
    access_log off;

CONF
    upstreams a=node1:8080 b=node2:8080 c=node3:8080
    cat <<'CONF'

    server {
        listen 8443 ssl default_server;
        ssl_reject_handshake on;
    }

    server {
        listen 8443 ssl;
        server_name localhost;

        ssl_certificate     /secrets/certificate.pem;
        ssl_certificate_key /secrets/certificate.key;
        ssl_protocols TLSv1.2 TLSv1.3;

CONF
    forwarding server_name
}

# development LISTEN NODE_PORT...
development() {
    local listen=$1 port nodes=()
    shift
    for port in "$@"; do nodes+=("$port=127.0.0.1:$port"); done
    if ((EUID == 0)); then
        # Workers would become "nobody", who cannot reach a prefix folder inside root's home.
        echo "user $(id -un) $(id -gn);"
    fi
    cat <<'CONF'
daemon off;
worker_processes auto;
pid nginx.pid;
error_log error.log warn;

events {
    worker_connections 8192;
}

http {
    access_log off;
    server_tokens off;
    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;

CONF
    upstreams "${nodes[@]}"
    cat <<CONF

    # Whoever comes with another host name is not answered at all.
    server {
        listen 127.0.0.1:$listen default_server;
        return 444;
    }

    server {
        listen 127.0.0.1:$listen;
        server_name localhost *.localhost 127.0.0.1;

CONF
    # Any loopback name will do there, so the node is told which.
    forwarding host
}

case ${1:-} in
    -h | --help) usage ;;
    --reference | --compose | --write)
        (($# == 1)) || fail "$1 takes nothing behind it." "See --help."
        case $1 in
            --reference) reference ;;
            --compose) compose ;;
            --write)
                reference >"$project/docs/nginx.conf"
                compose >"$project/compose/nginx.conf"
                note "written: docs/nginx.conf, compose/nginx.conf"
                ;;
        esac
        ;;
    *)
        (($# >= 2)) || fail "which ports?" "See --help."
        for port in "$@"; do need_number "a port" "$port" 1 65535; done
        development "$@"
        ;;
esac
