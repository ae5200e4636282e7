# Shared by the scripts of this folder: a directory of their own, claims that are counted, a hub that is always stopped.
# Source it; it needs bash, coreutils, grep, sed and awk, and the programs in $SPOKE_BIN.
# shellcheck shell=bash
set -u
# The log of whoever runs the tests comes here open, with words of other scripts in it, and is not for our programs.
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
export LC_ALL=C
umask 077
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${SPOKE_BIN:?the folder of spoke, spoke-hub and the tools of this folder}
work=$(mktemp -d) || exit 1
# Neither this computer's settings nor what is unlocked on it; and passphrases that are checked at once.
export XDG_CONFIG_HOME=$work/config XDG_RUNTIME_DIR=$work/runtime
unset CREDENTIALS_DIRECTORY
mkdir -p "$XDG_CONFIG_HOME/spoke" "$XDG_RUNTIME_DIR"
printf '[spoke]\nunlock-time = 0\n[spoke-hub]\nunlock-time = 0\n' >"$XDG_CONFIG_HOME/spoke/config"
hub_pid=
port=
failures=0

finish() {
    local status=$?
    trap - EXIT
    stop_hub
    if [ "$status" -ne 130 ] && ! look_for_secrets; then status=1; fi
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

ok() { echo "ok    $1"; }
not_ok() {
    failures=$((failures + 1))
    echo "FAILED $1${2:+: $2}"
    if [ -s "$work/err" ]; then sed 's/^/       /' "$work/err"; fi
}
equal() { # equal CLAIM WANTED GOT
    if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "wanted $2, got ${3:-nothing}"; fi
}
claim() { # claim TEXT COMMAND...
    local text=$1 got=0
    shift
    "$@" >"$work/out" 2>"$work/err" </dev/null || got=$?
    if [ "$got" -eq 0 ]; then
        ok "$text"
    else
        not_ok "$text" "exit code $got"
        tail -n 10 "$work/out" | sed 's/^/       /'
    fi
}
exits() { # exits CODE CLAIM COMMAND...: its exit code, and a message on stderr when it is not 0
    local wanted=$1 text=$2 got=0
    shift 2
    "$@" >"$work/out" 2>"$work/err" </dev/null || got=$?
    if [ "$got" -ne "$wanted" ]; then
        not_ok "$text" "exit code $got instead of $wanted"
    elif [ "$wanted" -ne 0 ] && [ "$wanted" -ne 3 ] && [ ! -s "$work/err" ]; then
        not_ok "$text" "no message"
    else
        ok "$text"
    fi
}
has() { # has CLAIM PATTERN: what the last command printed matches
    if grep -q -e "$2" "$work/out"; then ok "$1"; else not_ok "$1" "no '$2' in: $(head -c 600 "$work/out")"; fi
}
lacks() {
    if grep -q -e "$2" "$work/out"; then not_ok "$1" "'$2' in: $(head -c 600 "$work/out")"; else ok "$1"; fi
}
says() { # the same of its messages
    if grep -q -e "$2" "$work/err"; then ok "$1"; else not_ok "$1" "stderr lacks '$2'"; fi
}
keep() { "$@" >"$work/said" 2>&1; } # for `said`
said() { grep -qF -- "$1" "$work/said"; }
# What has not come after so many seconds never does: a bound on what hangs, however slow the machine is.
patience=120
until_true() { # until_true SECONDS COMMAND...: in SECONDS where nothing else is going on, or $patience where much is
    local end=$((SECONDS + ($1 > patience ? $1 : patience)))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}
ready() { # ready FILE PID: the server that writes there listens, or has ended
    grep -q '^listening on ' "$1" || ! kill -0 "$2" 2>/dev/null
}
met() { awk '{ print $3, $4, "" }' /proc/net/tcp | grep -q "$(printf ':%04X 01 ' "$1")"; } # somebody is connected to this port
done_with_claims() {
    [ "$failures" -eq 0 ] || echo "$failures claims do not hold."
    [ "$failures" -eq 0 ]
    exit
}

# ---- What people typed, and what is secret, may be nowhere but in the files that the script itself wrote: not in a
# home, nor in temporary files, nor in memory that may be swapped. Looked for when the hub stops, and at the end.
export TMPDIR=$work/temp
mkdir "$TMPDIR"
: >"$work/began"
: >"$work/texts"
secret_text() { # a text that stands nowhere else in the world, for a person to type
    "$bin/markers" new 1 | tee -a "$work/markers"
}
note_texts() { # the same of the arguments of a command, as far as they are about somebody
    while [ $# -gt 1 ]; do
        case $1 in
            --summary | --title | --note | --family | --given | --question | --reason | --conditions | --basis)
                [ "${#2}" -lt 8 ] || printf '%s\n' "$2" >>"$work/texts"
                ;;
        esac
        shift
    done
}
looked=0
unseen=
look_at_live() { # the programs of this script that run at this moment, by tests/e2e/markers.c
    local got=0 there
    cat "$work/markers" "$work/texts" >"$work/typed"
    "$bin/markers" live "$work/typed" "$bin" "$work" "$@" >"$work/live" 2>&1 || got=$?
    there=$(sed -n 's/.* \([0-9]*\) live processes.*/\1/p' "$work/live")
    looked=$((looked + ${there:-0}))
    case $got in
        0) ;;
        77) unseen=$(tail -n 1 "$work/live") ;;
        *) not_ok "no program has a secret in memory that may be swapped" "$(cat "$work/live")" ;;
    esac
}
homes() { # every folder here in which a node or a hub keeps something
    {
        cat "$work/homes" 2>/dev/null
        find "$work" \( -name '*.key' -o -name '*.db' -o -name '*.db-wal' -o -name device.secret -o -name spool \) \
            -printf '%h\n'
    } | sort -u | grep -vxF -e "$work" | while IFS= read -r home; do
        if [ -d "$home" ]; then printf '%s\n' "$home"; fi
    done
}
look_for_secrets() {
    local all
    look_at_live
    mapfile -t all < <(homes)
    cat "$work/markers" "$work/texts" - >"$work/typed" <<<$'SQLite format 3\nCREATE TABLE'
    if ! "$bin/markers" files "$work/typed" "$TMPDIR" "$XDG_RUNTIME_DIR" "${all[@]}" >"$work/looked" 2>&1; then
        not_ok "nothing that was typed is in a home, or in temporary files" "$(cat "$work/looked")"
    elif ! "$bin/markers" files "$work/markers" /tmp /var/tmp /dev/shm --newer "$work/began" --not "$work" \
        --not "${SPOKE_TEST_POSTGRES_DIR:-$work}" >"$work/found" 2>&1; then
        not_ok "no secret is in the temporary files of this computer" "$(cat "$work/found")"
    elif [ -n "${SPOKE_TEST_POSTGRES_DIR:-}" ] && grep -hoF -f "$work/markers" "$work"/pass* >"$work/passphrases" &&
        ! "$bin/markers" files "$work/passphrases" "$SPOKE_TEST_POSTGRES_DIR" >"$work/found" 2>&1; then
        not_ok "a database has cases in it (hub/STORE.md), and no passphrase" "$(cat "$work/found")"
    else
        unseen="$looked looks at running programs${unseen:+, but $unseen}"
        ok "no secret outside: ${#all[@]} homes: $(cat "$work/looked"); $unseen"
    fi
    [ "$failures" -eq 0 ]
}
secret_text >/dev/null

must() { # a step of setting up: the script ends when it fails. Exit 3 is a success that wants a person.
    local got=0
    "$@" 2>"$work/err" </dev/null || got=$?
    if [ "$got" -ne 0 ] && [ "$got" -ne 3 ]; then
        echo "FAILED setting up: exit code $got of: $*" >&2
        sed 's/^/       /' "$work/err" >&2
        [ "$BASHPID" = $$ ] || kill -TERM $$
        exit 1
    fi
}

# Programs of another schema version: hub_program=spoke-hub-v2, program[NODE]=spoke-v1 (tests/schema).
hub_program=spoke-hub
declare -A program=()
# With SPOKE_TEST_POSTGRES (tests/postgres/run) its store is a schema of its own there, which goes with the database.
hub() {
    if [ "${1:-}" = init ] && [ -n "${SPOKE_TEST_POSTGRES:-}" ]; then
        set -- "$@" --store "$SPOKE_TEST_POSTGRES&schema=e2e_$$_$RANDOM"
    fi
    "$bin/$hub_program" --home "$work/hub" --passphrase-file "$work/pass" --no-input "$@"
}
node() { # node NAME ARGUMENT...
    local name=$1
    shift
    echo "$work/$name" >>"$work/homes"
    note_texts "$@"
    "$bin/${program[$name]:-spoke}" --home "$work/$name" --passphrase-file "$work/pass" --no-input "$@"
}
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }
count() { node "$1" sql "select count(*) v from $2" --json | field v; }
device_of() { hub node list --json | tr '}' '\n' | grep "\"site\":\"$1\"" | field id; } # device_of SITE
by_stick() { # the round of node NAME by files; the hub is not serving
    must node "$1" bundle export "$work/$1.out" >/dev/null
    must hub bundle exchange "$work/$1.out" "$work/$1.in" >/dev/null
    must node "$1" bundle import "$work/$1.in" >/dev/null
}
in_step() { # by stick until nothing is left to pull, send or confirm
    local i
    for i in 1 2 3; do by_stick "$1"; done
}

start_hub() {
    mkfifo "$work/line"
    "$bin/$hub_program" --home "$work/hub" --passphrase-file "$work/pass" --no-input serve \
        --listen "${hub_listen:-127.0.0.1:$port}" >"$work/line" 2>"$work/hub.log" </dev/null &
    hub_pid=$!
    exec 7<"$work/line"
    rm "$work/line"
    if ! IFS= read -r -t "$patience" _ <&7; then
        echo "FAILED the hub did not start"
        cat "$work/hub.log"
        exit 1
    fi
}
stop_hub() {
    [ -n "$hub_pid" ] || return 0
    look_at_live
    kill -TERM "$hub_pid" 2>/dev/null
    wait "$hub_pid" 2>/dev/null
    hub_pid=
    exec 7<&-
}
free_port() { # invitations carry the address, so it is chosen before the hub listens; below the system's own range
    local try
    for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
        port=$((10240 + (RANDOM * 32768 + RANDOM) % 20000))
        (exec 8<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
    done
    echo "FAILED no free port after $try tries"
    exit 1
}

# A hub with three agencies (codes a, b and c; a has the MASH room) and an invitation file each.
make_hub() {
    local code id
    echo "correct horse $(secret_text) staple" >"$work/pass"
    free_port
    must hub init --name "Test MASH" >/dev/null
    must hub agency add a "Social care" --kind social_care >/dev/null
    must hub agency add b "Probation" --kind probation >/dev/null
    must hub agency add c "Health" --kind health >/dev/null
    must hub site add a-mash a "MASH room" --kind mash --area north >/dev/null
    must hub site add b-site b "Office" --kind partner --area north >/dev/null
    must hub site add c-site c "Clinic" --kind partner --area north >/dev/null
    id=$(must hub practitioner add a-mash "Ann" --json | field id)
    must hub practitioner add b-site "Bob" >/dev/null
    must hub practitioner add c-site "Cid" >/dev/null
    must hub duty add "$id" north manager >/dev/null
    must hub duty add "$id" north social_care >/dev/null
    for code in a-mash b-site c-site; do
        must hub invite "$code" --address "http://127.0.0.1:$port" --code-file "$work/$code.code" >/dev/null
    done
}
