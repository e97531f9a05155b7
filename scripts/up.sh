#!/usr/bin/env bash
# Starts everything on this machine: a sharded MongoDB cluster, nodes in development mode, and an nginx in front.
#
#   scripts/up.sh [--nodes N] [--shards S] [--replicas R] [--port P] [--detach]
#
#   --nodes N       nodes, 1 to 50 (3)
#   --shards S      MongoDB shards, 1 to 9 (2)
#   --replicas R    members of each shard's replica set, 1 to 7 (1)
#   --port P        nginx listens on P (8080), node i on P+i, its control listener on P+1000+i, MongoDB from P+2000 on
#   --detach        returns when everything is up; without it, Ctrl-C ends everything again
#
# scripts/down.sh ends what this script started, and nothing else. All state is in the project's run/ folder; the data
# of MongoDB stays there (scripts/down.sh --wipe removes it). Everything listens on 127.0.0.1 only. What is missing is
# installed with apt, which is announced and is the one step that needs root. The first build takes minutes;
# SUBMERGENCE_BIN in the environment names an executable to run in place of building one.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin

nodes=3 shards=2 replicas=1 port=8080 detach=false
while (($#)); do
    case $1 in
        --nodes | --shards | --replicas | --port) (($# > 1)) || fail "$1 takes a value." "See --help." ;;&
        --nodes) need_number "$1" "$2" 1 50; nodes=$2; shift 2 ;;
        --shards) need_number "$1" "$2" 1 9; shards=$2; shift 2 ;;
        --replicas) need_number "$1" "$2" 1 7; replicas=$2; shift 2 ;;
        --port) need_number "$1" "$2" 1024 60000; port=$2; shift 2 ;;
        --detach) detach=true; shift ;;
        -h | --help) usage; exit 0 ;;
        *) fail "unknown argument: $1" "See --help." ;;
    esac
done

up_dir=$run_dir/up
shape="nodes=$nodes shards=$shards replicas=$replicas port=$port"

node_port() { echo $((port + $1)); }
control_port() { echo $((port + 1000 + $1)); }
is_ready() { curl -fsS -m 2 -o /dev/null "http://127.0.0.1:$(control_port "$1")/.well-known/submergence/ready" 2>/dev/null; }
is_taken() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

print_addresses() {
    local i
    echo
    echo "  demo         http://localhost:$port/demo/        (through nginx)"
    for ((i = 1; i <= nodes; i++)); do
        echo "  node-$i       http://localhost:$(node_port $i)/demo/        metrics http://127.0.0.1:$(control_port $i)/metrics"
    done
    echo "  MongoDB      $(cat "$up_dir/mongodb-uri")"
    echo "  logs         ${up_dir#"$PWD/"}"
    echo
    echo "  nginx uses ip_hash: all of 127.0.0.0/24 is sent to one node. Open a node's own address to reach that node."
}

# ---- already up?

if [[ -e $up_dir/shape ]]; then
    if [[ $(cat "$up_dir/shape") == "$shape" ]] && is_taken "$port"; then
        all_ready=true
        for ((i = 1; i <= nodes; i++)); do is_ready $i || all_ready=false; done
        if $all_ready; then
            say "already up; scripts/down.sh ends it"
            print_addresses
            exit 0
        fi
    fi
    fail "started before with: $(cat "$up_dir/shape")" "Run scripts/down.sh first."
fi

# ---- what is needed

command -v swift >/dev/null || fail "there is no Swift toolchain (6.2 or later) in the PATH." \
    "Install one: https://www.swift.org/install/"
need_apt libmongoc-dev zlib1g-dev pkg-config
need_command curl curl
need_command nginx nginx
need_mongo

taken=()
for ((i = 0; i <= nodes; i++)); do
    for candidate in "$(node_port $i)" "$(control_port $i)"; do
        if is_taken "$candidate"; then taken+=("$candidate"); fi
    done
done
((${#taken[@]} == 0)) || fail "in use by other programs: port ${taken[*]}" "Choose another block of ports with --port."

need_release

# ---- start; whatever happens before the end of this script, the trap takes down what was started

mkdir -p "$up_dir/nodes" "$up_dir/nginx/tmp"
echo "$shape" >"$up_dir/shape"
# shellcheck disable=SC2329 # called by the trap
take_down() {
    local status=$?
    trap - EXIT INT TERM HUP
    "$project/scripts/down.sh" || true
    exit "$status"
}
trap take_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

mongo_dir=$run_dir/mongo-$((port + 2000))-${shards}x$replicas
echo "$mongo_dir" >"$up_dir/mongo-dir"
uri=$("$project/scripts/mongo-sharded-up.sh" \
    --shards "$shards" --replicas "$replicas" --dir "$mongo_dir" --base-port $((port + 2000)) | tail -n 1)
[[ $uri == mongodb://* ]] || fail "MongoDB did not start; see the messages above and the logs in $mongo_dir"
echo "$uri" >"$up_dir/mongodb-uri"

# The nodes share one signing key: a session that one of them signed is good at all of them.
keys=$run_dir/signing-keys
if [[ ! -s $keys ]]; then
    (umask 077 && head -c 32 /dev/urandom | base64 -w 0 | tr '+/' '-_' | tr -d '=' >"$keys.new" && echo >>"$keys.new")
    mv "$keys.new" "$keys"
fi
chmod 600 "$keys"

say "starting $nodes node(s)"
children=()
for ((i = 1; i <= nodes; i++)); do
    log=$up_dir/nodes/node-$i.log
    # A session of its own: Ctrl-C reaches this script, which lets the nodes drain before MongoDB goes.
    setsid "$SUBMERGENCE_BIN" serve --dev --name "node-$i" --port "$(node_port $i)" --control-port "$(control_port $i)" \
        --session-label "$(node_port $i)" --address "http://127.0.0.1:$(node_port $i)" \
        --mongodb "$uri" --signing-keys "$keys" </dev/null >"$log" 2>&1 &
    echo $! >"$up_dir/nodes/node-$i.pid"
    children+=($!)
done

for ((i = 1; i <= nodes; i++)); do
    for ((attempt = 0; ; attempt++)); do
        if is_ready $i; then break; fi
        if ! kill -0 "${children[i - 1]}" 2>/dev/null || ((attempt == 300)); then
            tail -n 20 "$up_dir/nodes/node-$i.log" | sed 's/^/    /' >&2
            if kill -0 "${children[i - 1]}" 2>/dev/null; then fail "node-$i is not ready after a minute; its log is above."; fi
            fail "node-$i has ended; the last lines of its log are above."
        fi
        sleep 0.2
    done
    note "node-$i is ready"
done

say "starting nginx"
node_ports=()
for ((i = 1; i <= nodes; i++)); do node_ports+=("$(node_port $i)"); done
"$project/scripts/nginx-config.sh" "$port" "${node_ports[@]}" >"$up_dir/nginx/nginx.conf"
early_log=()
if nginx -h 2>&1 | grep -q -- '-e filename'; then early_log=(-e error.log); fi
setsid nginx -p "$up_dir/nginx/" -c nginx.conf ${early_log[@]+"${early_log[@]}"} </dev/null >"$up_dir/nginx/start.log" 2>&1 &
echo $! >"$up_dir/nginx/master.pid"
children+=($!)
for ((attempt = 0; attempt < 50; attempt++)); do
    if is_taken "$port"; then break; fi
    if ! kill -0 "${children[nodes]}" 2>/dev/null; then attempt=50; fi
    sleep 0.1
done
if ! is_taken "$port"; then
    cat "$up_dir/nginx/start.log" >&2
    fail "nginx did not start; its messages are above."
fi

say "everything is up"
print_addresses

if $detach; then
    echo "  scripts/down.sh ends it."
    trap - EXIT INT TERM HUP
    exit 0
fi

echo "  Ctrl-C ends it."
wait -n "${children[@]}" || true
if [[ ! -e $up_dir/shape ]]; then exit 0; fi # scripts/down.sh was run elsewhere
for ((i = 1; i <= nodes; i++)); do
    if ! kill -0 "${children[i - 1]}" 2>/dev/null; then
        tail -n 20 "$up_dir/nodes/node-$i.log" | sed 's/^/    /' >&2
        fail "node-$i has ended; the last lines of its log are above. Ending the rest."
    fi
done
fail "nginx has ended (see ${up_dir#"$PWD/"}/nginx/error.log). Ending the rest."
