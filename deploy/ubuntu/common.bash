# What the scripts beside this file share: where things are, and the steps they have in common.
# shellcheck shell=bash disable=SC2034 # Not every script uses every name.
set -euo pipefail
umask 022

NAME=socialapi
BASE=/srv/$NAME
RELEASES=$BASE/releases
CONFIG=/etc/$NAME
SOCKET=/run/$NAME.sock
BACKUPS=/var/backups/$NAME
# Past the connection pooler, if there is one: what migrates or copies needs sessions.
DATABASE=postgresql://$NAME@%2Frun%2Fpostgresql
POOLED_DATABASE=postgresql://$NAME@%2Frun%2F$NAME-pgbouncer:6432/$NAME
# Upper and lower case in any script, and an order that no update of the system changes.
UTF8=(--template template0 --encoding UTF8 --locale C.UTF-8)
# Releases that are kept beside the present one and the one before.
KEEP=2

say() {
    printf '== %s\n' "$*"
}

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

need_root() {
    [[ "$(id -u)" == 0 ]] || fail "Run this as root: sudo $0 $*"
}

need_service() {
    [[ -n "$(current)" ]] ||
        fail "No version is in service yet. Begin with: sudo deploy/ubuntu/install api.example.org"
}

# Whether the settings name this machine's own database, through the pooler or not.
is_local() {
    local url
    url=$(sed --quiet 's/^DATABASE_URL=//p' "$CONFIG/env" | tail --lines 1)
    [[ "$url" == "$DATABASE/$NAME" || "$url" == "$POOLED_DATABASE" ]]
}

need_local() {
    is_local || fail "DATABASE_URL in $CONFIG/env is not this machine's own database." "$@"
}

# One at a time changes the machine. The lock ends with this process.
lock() {
    exec 9>"/run/lock/$NAME"
    flock --nonblock 9 || fail "Another install, upgrade, rollback or restore is running."
}

# Runs a command as the service's user, with the service's settings and nothing else.
AS_SERVICE=(
    setpriv "--reuid=$NAME" "--regid=$NAME" --init-groups --no-new-privs
    env --ignore-environment PATH=/usr/bin:/bin LANG=C.UTF-8 "ENV_FILE=$CONFIG/env"
)
as_service() {
    "${AS_SERVICE[@]}" "$@" 9>&-
}

as_postgres() {
    (cd / && setpriv --reuid=postgres --regid=postgres --init-groups "$@")
}

# Runs manage.py of a release: manage RELEASE DATABASE COMMAND...
# DATABASE is one of this machine's, unless the settings name another machine's: then it is that.
manage() {
    local release=$1 url=DATABASE_URL=$DATABASE/$2
    shift 2
    is_local || url=
    # A migration that waits for a lock makes all who come after it wait as well.
    (cd "$release" && as_service ${url:+"$url"} \
        PGOPTIONS='-c lock_timeout=5s' .venv/bin/python manage.py "$@")
}

# Waits until a path of the API answers 200 at a socket, for 30 seconds at most.
answers() {
    local socket=$1 path=$2
    for _ in {1..60}; do
        curl --silent --fail --max-time 5 --output /dev/null --unix-socket "$socket" \
            "http://localhost$path" && return
        sleep 0.5
    done
    return 1
}

current() {
    readlink --canonicalize-existing "$BASE/current" || true
}

# Makes a release the one that starts next.
switch() {
    ln --symbolic --force --no-dereference "$1" "$BASE/current.new"
    mv --no-target-directory "$BASE/current.new" "$BASE/current"
}

# Starts the release that `switch` chose, and waits until it is ready. Meanwhile clients wait.
restart() {
    systemctl restart "$NAME.service" && answers "$SOCKET" /health/ready
}

# What the head of each script says.
if [[ "${1:-}" =~ ^(-h|--help)$ ]]; then
    sed --quiet '2,/^[^#]/ { /^# shellcheck/d; s/^# \{0,1\}//p }' "$0"
    exit
fi
