#!/usr/bin/env bash
# Prints an nginx configuration for development: one listener on loopback in front of nodes on loopback.
#
#   scripts/nginx-config.sh PORT NODE_PORT...
#
# Use it with a prefix folder of its own, where everything that nginx writes ends up; no root is needed:
#
#   mkdir -p DIR && scripts/nginx-config.sh 8080 8081 8082 >DIR/nginx.conf && nginx -p DIR/ -c nginx.conf
#
# The same rules as in production (docs/nginx.conf, SPEC TR-3), without TLS: `ip_hash` spreads new clients, and keeps the
# polling requests of one client on one node; where a node was started with its port as `--session-label`, they stay there
# while it drains, too. Host and the address headers are set here and never taken from the client, unknown hosts get no
# answer. Note that `ip_hash` looks at the first three bytes of an IPv4 address: all of 127.0.0.0/24 is one client.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
    -h | --help) usage; exit 0 ;;
esac
(($# >= 2)) || fail "which ports?" "See --help."
for port in "$@"; do need_number "a port" "$port" 1 65535; done
listen=$1
shift

if ((EUID == 0)); then
    # Workers would become "nobody", who cannot reach a prefix folder inside root's home.
    echo "user $(id -un) $(id -gn);"
fi
cat <<CONF
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

    upstream nodes {
        ip_hash;
CONF
for port in "$@"; do echo "        server 127.0.0.1:$port max_fails=10 fail_timeout=1s;"; done
echo "    }"
echo
for port in "$@"; do echo "    upstream node_$port { server 127.0.0.1:$port max_fails=0; }"; done
cat <<CONF

    map \$arg_sid \$node {
        default nodes;
CONF
for port in "$@"; do echo "        \"~^$port-.{22}\$\" node_$port;"; done
cat <<CONF
    }

    # A request that asks for an upgrade gets one; every other one leaves the connection to the node alone.
    map \$http_upgrade \$connection_upgrade {
        default upgrade;
        ""      "";
    }

    # Whoever comes with another host name is not answered at all.
    server {
        listen 127.0.0.1:$listen default_server;
        return 444;
    }

    server {
        listen 127.0.0.1:$listen;
        server_name localhost *.localhost 127.0.0.1;
        client_max_body_size 16m;

        location / {
            proxy_pass http://\$node;
            proxy_http_version 1.1;
            proxy_set_header Host \$host;
            proxy_set_header X-Real-IP \$remote_addr;
            proxy_set_header X-Forwarded-For \$remote_addr;
            proxy_set_header X-Forwarded-Proto \$scheme;
            proxy_set_header X-Forwarded-Host "";
            proxy_set_header Upgrade \$http_upgrade;
            proxy_set_header Connection \$connection_upgrade;
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
