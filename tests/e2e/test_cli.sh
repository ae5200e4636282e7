#!/usr/bin/env bash
# Goal: the commands are what a script may rely on: each exit code of the programs is met for a real cause, --json is one
# JSON value on stdout or one error object on stderr, ids may be shortened, and no received text steers a terminal.
. "$(dirname "$0")/lib.sh"

# One JSON value and nothing else on stdout: balanced outside strings, of the kind wanted ("[" or "{").
one_json() { # one_json KIND FILE
    awk -v kind="$1" '
        { text = text $0 "\n" }
        END {
            sub(/\n$/, "", text)
            if (substr(text, 1, 1) != kind) exit 1
            n = length(text)
            for (i = 1; i <= n; i++) {
                c = substr(text, i, 1)
                if (quoted) { if (c == "\\") i++; else if (c == "\"") quoted = 0; continue }
                if (c == "\"") quoted = 1
                else if (c == "{" || c == "[") depth++
                else if (c == "}" || c == "]") { depth--; if (depth == 0 && i != n) exit 1 }
            }
            exit depth != 0 || quoted
        }' "$2"
}
prints() { # prints KIND CLAIM COMMAND...: exit 0 or 3, one JSON value on stdout
    local kind=$1 text=$2 got=0
    shift 2
    "$@" >"$work/out" 2>"$work/err" </dev/null || got=$?
    if { [ "$got" -eq 0 ] || [ "$got" -eq 3 ]; } && one_json "$kind" "$work/out"; then
        ok "$text"
    else
        not_ok "$text" "exit code $got: $(head -c 300 "$work/out")"
    fi
}
error_is() { # error_is CODE WORD CLAIM COMMAND...: that exit code; one error object on stderr, nothing on stdout
    local wanted=$1 word=$2 text=$3 got=0
    shift 3
    "$@" >"$work/out" 2>"$work/err" </dev/null || got=$?
    if [ "$got" -eq "$wanted" ] && [ ! -s "$work/out" ] && one_json "{" "$work/err" &&
        grep -q "^{\"error\":{\"code\":\"$word\",\"message\":\".*\",\"next\":\".*\"}}$" "$work/err"; then
        ok "$text"
    else
        not_ok "$text" "exit code $got"
    fi
}
clean() { # clean CLAIM FILE: no control character but the newline, no U+0080 to U+009F, nothing that turns text around
    if LC_ALL=C grep -q $'[\001-\011\013-\037\177]\|\302[\200-\237]\|\342\200[\252-\256]' "$2"; then
        not_ok "$1" "$(cat -v "$2" | head -c 300)"
    else
        ok "$1"
    fi
}

usage() {
    exits 64 "no command at all is a wrong use" "$bin/spoke"
    exits 64 "an unknown command is a wrong use" "$bin/spoke" juggle
    error_is 64 usage "so it is in JSON" "$bin/spoke" juggle --json
    error_is 64 usage "no command at all in JSON" "$bin/spoke" --json
    error_is 64 usage "an unknown option in JSON" "$bin/spoke" case list --bogus --json
    error_is 64 usage "a missing word in JSON" "$bin/spoke" --json case show
    error_is 64 usage "a word too many in JSON" "$bin/spoke-hub" --json node list x
    error_is 64 usage "an option without its value in JSON" "$bin/spoke" --json case list --rag
    exits 0 "help is no error" "$bin/spoke" --help
    exits 0 "help of a command is no error" "$bin/spoke" case new --help
    error_is 10 not_initialised "a home without a node" \
        "$bin/spoke" --home "$work/none" --passphrase-file "$work/pass" --json status
    error_is 10 not_initialised "a home without a hub" \
        "$bin/spoke-hub" --home "$work/none" --passphrase-file "$work/pass" --json node list
}

passphrases() {
    echo "not the passphrase at all" >"$work/wrong"
    : >"$work/empty"
    error_is 12 wrong_passphrase "a wrong passphrase" "$bin/spoke" --home "$work/a" --passphrase-file "$work/wrong" --json status
    error_is 11 locked "no passphrase" "$bin/spoke" --home "$work/a" --no-input --json status
    error_is 11 locked "an empty passphrase file" "$bin/spoke" --home "$work/a" --passphrase-file "$work/empty" --json status
    error_is 11 locked "a passphrase file that is not there" \
        "$bin/spoke" --home "$work/a" --passphrase-file "$work/absent" --json status
    error_is 11 locked "a descriptor that is not open" "$bin/spoke" --home "$work/a" --passphrase-fd 77 --json status
    if "$bin/spoke" --home "$work/a" --passphrase-fd 5 --no-input status 5<"$work/pass" >/dev/null 2>"$work/err"; then
        ok "a passphrase from a descriptor opens a node"
    else
        not_ok "a passphrase from a descriptor opens a node"
    fi
    mkdir "$work/credentials"
    cp "$work/pass" "$work/credentials/spoke"
    exits 0 "a service's credentials open a node" env "CREDENTIALS_DIRECTORY=$work/credentials" "$bin/spoke" --home "$work/a" status
}

options_in_a_file() {
    mkdir -p "$work/xdg/spoke"
    printf '# of this test\n[spoke]\nhome = %s\npassphrase-file = %s\n' "$work/a" "$work/pass" >"$work/xdg/spoke/config"
    exits 0 "home and passphrase come from the file" env -u SPOKE_HOME "XDG_CONFIG_HOME=$work/xdg" "$bin/spoke" status
    exits 12 "an option on the command line wins" \
        env "XDG_CONFIG_HOME=$work/xdg" "$bin/spoke" --passphrase-file "$work/wrong" status
    exits 10 "so does the environment" env "SPOKE_HOME=$work/none" "XDG_CONFIG_HOME=$work/xdg" "$bin/spoke" status
    printf '[spoke]\nhome = %s\npassphrase = nonsense\n' "$work/a" >"$work/xdg/spoke/config"
    error_is 64 usage "a wrong line is refused" env "XDG_CONFIG_HOME=$work/xdg" "$bin/spoke" --json status
    says "and its number told" "line 3"
}

shapes() {
    local id short
    prints "{" "case new prints one object" node a case new --area north --source 1A --need N1 --json \
        --summary "$(printf 'evil \033[31m \302\23331m \342\200\256 end')"
    case_ref=$(field reference <"$work/out")
    id=$(field id <"$work/out")
    equal "an id is a lower-case hyphenated UUID" "$id" "$(grep -o '[0-9a-f]\{8\}-[0-9a-f]\{4\}-7[0-9a-f]\{3\}-[0-9a-f]\{4\}-[0-9a-f]\{12\}' "$work/out")"
    for command in "case list" "outbox list" "held list" "conflict list"; do
        # shellcheck disable=SC2086 # a command of two words
        prints "[" "$command is an array" node a $command --json
    done
    prints "{" "status is an object" node a status --json
    prints "{" "case show is an object" node a case show "$case_ref" --json
    prints "{" "verify is an object" node a verify --json
    prints "{" "outbox show is an object" node a outbox show 1 --json
    node a outbox show 1 >"$work/shown" 2>&1
    claim "it says in words what was written" grep -q "^New case file" "$work/shown"
    clean "a hostile summary does not steer the terminal from there either" "$work/shown"
    error_is 1 denied "what is not decided yet is not sent again" node a outbox send-again 1 --json
    error_is 1 denied "nor let go" node a outbox discard 1 --json
    error_is 1 not_found "a change that nobody wrote" node a outbox discard 4711 --json
    error_is 1 not_found "held work that is not here" node a outbox show 0192f3d5 --json
    error_is 64 usage "send-again of nothing" node a outbox send-again --json
    exits 0 "help of outbox send-again is no error" "$bin/spoke" outbox send-again --help
    prints "[" "sql is an array" node a sql "select 1 x" --json
    short=$(echo "$id" | tr -d -)
    claim "a prefix of 8 is enough" node a case show "${short:0:8}"
    claim "so is the reference in small letters" node a case show "$(echo "$case_ref" | tr 'A-Z' 'a-z')"
    error_is 1 not_found "a prefix of 7 is not" node a case show "${short:0:7}" --json
    node a case show "$case_ref" >"$work/shown" 2>&1
    clean "a hostile summary does not steer the terminal" "$work/shown"
    error_is 64 usage "a list by a word that is no rating" node a case list --rag purple --json
    error_is 64 usage "a word that is no rating" node a case set "$case_ref" rag=purple --json
    error_is 1 denied "keys are not read by SQL" node a sql "select * from secret_state" --json
    error_is 1 denied "what is refused when it is saved prints nothing before" \
        node a sql --write "update case_file set agency = 'b'" --json
}

network_and_files() {
    error_is 14 unreachable "no hub: the work is queued" node a sync --json
    says "and how much of it" "1 change waits"
    exits 14 "a sync that waits does not wait for a hub that is not there" node a sync --wait 30
    exits 64 "a wait without a number" node a sync --wait soon
    prints "{" "bundle export prints one object" node a bundle export "$work/to-hub" --json
    error_is 15 corrupt "a file that is no bundle" node a bundle import "$work/pass" --json
    error_is 13 refused "the own request is no answer" node a bundle import "$work/to-hub" --json
    error_is 1 not_found "a file that is not there" node a bundle import "$work/absent" --json
    mkfifo "$work/pipe"
    error_is 1 io "an export never takes the place of a pipe or device" node a bundle export "$work/pipe" --json
    if [ -p "$work/pipe" ]; then ok "the pipe is still one"; else not_ok "the pipe is still one"; fi
    exits 1 "an export into a folder that is not there" node a bundle export "$work/absent/file"
    must hub bundle exchange "$work/to-hub" "$work/from-hub" >/dev/null
    prints "{" "bundle import prints one object" node a bundle import "$work/from-hub" --json
    error_is 1 exists "an answer is taken once" node a bundle import "$work/from-hub" --json
    # The hub had that request, and its answer is lost: what was written since goes beside it.
    must node a bundle export "$work/to-hub" >/dev/null
    must hub bundle exchange "$work/to-hub" "$work/from-hub" >/dev/null
    must node a case set "$case_ref" summary="Written after the first file" >/dev/null
    must node a bundle export "$work/to-hub" >/dev/null
    must hub bundle exchange "$work/to-hub" "$work/from-hub" >/dev/null
    exits 0 "the answer to that file" node a bundle import "$work/from-hub"
    has "what has no answer yet, and where it is" "1 of your changes has no answer yet. What was in that file is at the MASH"
    must node a bundle export "$work/to-hub" >/dev/null
    must hub bundle exchange "$work/to-hub" "$work/from-hub" >/dev/null
    node a bundle import "$work/from-hub" >"$work/out" 2>"$work/err"
    has "the next file brings its answer" "; 1 changes sent"
    lacks "and nothing waits any more" "no answer yet"
    if [ -c /dev/full ]; then
        node a case list >/dev/full 2>"$work/err" </dev/null
        equal "results that cannot be written are an error" 1 $?
    fi
}

interrupted() {
    local pid got=0
    mkfifo "$work/silent"
    "$bin/spoke" --home "$work/a" --passphrase-file "$work/silent" --no-input status >/dev/null 2>&1 </dev/null &
    pid=$!
    exec 6>"$work/silent" # it waits for a passphrase that never comes
    kill -INT "$pid" 2>/dev/null || true
    # A shell gives its background commands no SIGINT (POSIX 2.11), so TERM is what ends it there.
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" || got=$?
    exec 6>&-
    if [ "$got" -eq 130 ] || [ "$got" -eq 143 ]; then ok "a signal ends a command"; else not_ok "a signal ends a command" "exit code $got"; fi
    claim "and leaves the node whole" node a verify
}

wants_a_person() {
    local seq
    start_hub
    must node b sync >/dev/null
    must node a sync >/dev/null
    exits 64 "a share that has ended before it begins is refused" node a case share "$case_ref" b --until 2020-01-01
    must node a case share "$case_ref" b --access check >/dev/null
    must node a sync >/dev/null
    must node b sync >/dev/null
    node b case set "$case_ref" status=closed >/dev/null 2>&1 </dev/null
    exits 3 "work that is held wants a person" node b sync --json
    exits 3 "status says so too" node b status
    stop_hub
    seq=$(node b outbox list --json | tr '{' '\n' | grep '"state":"held"' | sed -n 's/.*"seq":\([0-9]*\).*/\1/p' | head -n 1)
    node b outbox show "$seq" >"$work/shown" 2>&1
    claim "its author still reads what was held" grep -q "status *closed" "$work/shown"
    prints "[" "administrators see that something is held" hub held list --json
    if grep -q '"age_ms":' "$work/out" && grep -q '"fault":' "$work/out" && ! grep -q closed "$work/out"; then
        ok "its age, and never what it says"
    else
        not_ok "its age, and never what it says" "$(head -c 300 "$work/out")"
    fi
    error_is 64 usage "a column that it says nothing of" node b outbox send-again "$seq" rag=red --json
    prints "{" "it is sent again with another value" node b outbox send-again "$seq" status=ready --json
    error_is 1 not_found "and the old text is gone" node b outbox show "$seq" --json
    claim "the new one stands here" node b case list
    must hub node list --json >"$work/nodes"
    id=$(tr '{' '\n' <"$work/nodes" | grep b-site | sed -n 's/.*"id":"\([^"]*\)".*/\1/p' | head -n 1)
    must hub node revoke "$id" --reason "lost" >/dev/null
    start_hub
    error_is 13 refused "a revoked device is refused" node b sync --json
    stop_hub
}

make_hub
start_hub
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
must node a sync >/dev/null
stop_hub
usage
passphrases
options_in_a_file
shapes
network_and_files
interrupted
wants_a_person
done_with_claims
