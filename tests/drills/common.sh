# What drills of backups share: a server, somebody who writes to it, and a PostgreSQL. To be sourced.
# shellcheck shell=bash
set -euo pipefail

: "${BAILIWICK:?run bin/drills}"
: "${DRILLS_HOME:?run bin/drills}"
drills=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d /tmp/bailiwick-drill.XXXXXX)
children=() # what is ended at the end

say() { printf '   %s\n' "$*"; }
die() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

clean_up() {
    local status=$?
    trap - EXIT
    for child in "${children[@]}"; do kill_now "$child"; done
    if [ -f "$scratch/cluster/postmaster.pid" ]; then
        as_postgres "$postgres_bin/pg_ctl" -D "$scratch/cluster" -m immediate -w stop >/dev/null 2>&1 || true
    fi
    rm -rf -- "$scratch"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Waits until a command succeeds.
wait_for() {
    local tries
    for tries in $(seq 600); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    die "after $tries tries: $*"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# serve FOLDER: starts a server in a folder, whose settings are in the environment, and waits for it. Its address is in
# $server, its process in $server_pid.
serve() {
    local port
    port=$(free_port)
    server=http://127.0.0.1:$port
    (cd "$1" && exec env BAILIWICK_BIND="127.0.0.1:$port" BAILIWICK_MAIL=file:mail BAILIWICK_CALLS_PER_MINUTE=0 \
        "$BAILIWICK" serve >>"$1/server.log" 2>&1) &
    server_pid=$!
    children+=("$server_pid")
    wait_for curl -sf "$server/readyz"
}

# kill_now PROCESS…: kill -9, without a word of the shell about it.
kill_now() { { kill -9 "$@" && wait "$@"; } 2>/dev/null || true; }

# key_of FOLDER: adds a workspace to the database of a folder; prints an API key of an Owner.
key_of() {
    (cd "$1" && "$BAILIWICK" seed --workspaces 1 --members 5 --keys 1) |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["workspaces"][0]["api_keys"][0])'
}

# write_to SERVER KEY FILE: invites people one after the other, until the server is gone, and writes those that were
# acknowledged to the file, each with the time. Its process is in $writer_pid.
write_to() {
    python3 "$drills/writer.py" "$@" &
    writer_pid=$!
    children+=("$writer_pid")
}

acknowledged() { wc -l <"$1"; }
wait_for_lines() { wait_for test_lines "$1" "$2"; }
test_lines() { [ -f "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]; }

# verify FOLDER: the audit record is whole.
verify() { (cd "$1" && "$BAILIWICK" verify-audit) >"$scratch/verify.log" 2>&1 || { cat "$scratch/verify.log" >&2; die 'the audit record is not whole'; }; }

# ---- PostgreSQL -------------------------------------------------------------------------------

# PostgreSQL refuses to run as root; Debian's package made a user for it.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then (cd "$scratch" && runuser -u postgres -- "$@"); else "$@"; fi
}

# A cluster of its own that flushes to disk, as one in use does.
start_postgres() {
    local initdb
    initdb=$(command -v initdb || printf '%s\n' /usr/lib/postgresql/*/bin/initdb | sort -V | tail -n 1)
    [ -x "$initdb" ] || die 'PostgreSQL is missing: apt-get install postgresql'
    postgres_bin=$(dirname "$(readlink -f "$initdb")")
    if [ "$(id -u)" = 0 ]; then chown postgres "$scratch"; fi
    as_postgres "$postgres_bin/initdb" -D "$scratch/cluster" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >/dev/null
    postgres_port=$(free_port)
    as_postgres "$postgres_bin/pg_ctl" -D "$scratch/cluster" -l "$scratch/postgres.log" -w \
        -o "-c listen_addresses=127.0.0.1 -c unix_socket_directories='$scratch' -p $postgres_port" start >/dev/null
}

postgres_url() { printf 'postgres://postgres@127.0.0.1:%s/%s' "$postgres_port" "$1"; }
