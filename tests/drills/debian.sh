# For drills about installing: tools, the commands of docs/deploy, and what a person sees. Sourced, not run.
# shellcheck shell=bash

drill=$(basename "$0")
scratch=$(mktemp -d "/tmp/bailiwick-$drill.XXXXXX")

say() { printf '%s: %s\n' "$drill" "$*"; }
die() { printf '%s: FAILED: %s\n' "$drill" "$*" >&2; exit 1; }

# need PACKAGE…: installs what is missing of these packages of Debian.
need() {
    local -a missing
    [ "$(id -u)" = 0 ] || die 'only root can install a package, change the root of a process or mount: run it as root'
    mapfile -t missing < <(for name in "$@"; do dpkg -s "$name" >/dev/null 2>&1 || echo "$name"; done)
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
        >"$scratch/apt.log" 2>&1 || { tail -n 20 "$scratch/apt.log" >&2; die "apt-get could not install ${missing[*]}"; }
}

# documented FILE NAME: the commands of docs/deploy/FILE in the block after the comment `drill: NAME`.
documented() {
    local commands
    commands=$(awk -v mark="<!-- drill: $2 -->" '
        $0 == mark { wanted = 1 }
        wanted && /^```$/ { exit }
        inside { print }
        wanted && /^```sh$/ { inside = 1 }' "docs/deploy/$1")
    [ -n "$commands" ] || die "docs/deploy/$1 has no commands after <!-- drill: $2 -->"
    printf '%s\n' "$commands"
}

# wait_for SECONDS COMMAND…: until it succeeds.
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

# is_first_page CURL…: whether this command, a curl, gets the page for signing in at the first address. grep reads all of
# it, as curl fails otherwise.
is_first_page() { "$@" -fsSL http://127.0.0.1:8000/ | grep '<title>Sign in' >/dev/null; }

# sign_up CURL…: somebody signs up on the page, so that a password is hashed, rows are written and mail is sent.
sign_up() {
    local jar=$scratch/jar token
    token=$("$@" -fsS -c "$jar" http://127.0.0.1:8000/sign-up | grep -oE 'name="csrf" value="[^"]+"' | head -n 1 | cut -d '"' -f 4)
    [ -n "$token" ] || die 'the page to sign up has no token'
    "$@" -fsS -b "$jar" -o /dev/null -w '%{http_code}\n' --data-urlencode "csrf=$token" --data-urlencode 'name=Owner One' \
        --data-urlencode 'email=owner-one@example.com' --data-urlencode 'password=correct horse battery staple 9' \
        --data-urlencode 'workspace=acme' http://127.0.0.1:8000/sign-up | grep -qx 303 || die 'nobody can sign up'
}
