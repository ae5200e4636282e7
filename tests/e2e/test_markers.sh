#!/usr/bin/env bash
# Goal: 200 texts that stand nowhere else in the world are typed into cases by the ordinary commands, and as passphrases,
# and travel from device to hub to device; none of them is then in any file that the programs made, nor in temporary
# files, nor in memory that may be written to swap. The search is shown to find what is there. Every other script of this
# folder looks for its own texts with the same tool when it ends (tests/e2e/lib.sh).
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

"$bin/markers" new 200 >"$work/planted" || exit 1
cat "$work/planted" >>"$work/markers"
mapfile -t planted <"$work/planted"
next=0
take() { # take N: the next N of them, in $words
    words="${planted[*]:next:$1}"
    next=$((next + $1))
}
mkdir "$work/clear" # what a person has in clear at home: bodies of records, passphrases
body() { # body N: a file with N of them, a few lines each
    take "$1"
    body=$work/clear/body$next
    printf 'Seen today. %s\n' $words >"$body"
}
id_of() { must node "$@" --json | field id; }
everybody() {
    local at
    for at in a b c a b c; do must node $at sync >/dev/null; done
}
finds() { ! "$@"; }
value() { node "$1" sql "select $2 v from $3" --json | field v; }

# ---------------------------------------------------------------------------------------------- the search itself
search_finds() {
    local form
    mkdir "$work/shown"
    must "$bin/markers" plain "$work/shown/plain.db" "$work/planted"
    "$bin/markers" files "$work/planted" "$work/shown" >"$work/out"
    has "of a database that is not encrypted all 200 are found" ' 200 found$'
    echo "SQLite format 3" >"$work/mark"
    claim "and what it is, too" finds "$bin/markers" files "$work/mark" "$work/shown"
    rm "$work/shown/plain.db"
    for form in "cat" "base64 -w0" "od -An -v -tx1" "iconv -t UTF-16LE"; do
        printf 'x%s' "${planted[7]}" | $form | tr -d ' \n' >"$work/shown/file"
        claim "a text written by '$form' is found" finds "$bin/markers" files "$work/planted" "$work/shown"
    done
    head -c 3000000 /dev/urandom >"$work/shown/file"
    claim "in other bytes nothing is found" "$bin/markers" files "$work/planted" "$work/shown"
    rm -r "$work/shown"
}
held_in_memory() { # held_in_memory CLAIM HOW-MANY [--locked]: what the search of a process with all of them finds
    local claim=$1 wanted=$2 pid got=0
    shift 2
    mkfifo "$work/hold.in" "$work/hold.out"
    (ulimit -c 0 && exec "$bin/markers" hold "$work/planted" "$@") <"$work/hold.in" >"$work/hold.out" &
    pid=$!
    exec 8>"$work/hold.in" 6<"$work/hold.out"
    rm "$work/hold.in" "$work/hold.out"
    if IFS= read -r -t 60 _ <&6; then
        "$bin/markers" live "$work/planted" "$bin" "$work" >"$work/out" 2>"$work/err" || got=$?
        if [ "$got" -eq 77 ]; then
            echo "skipped: $claim: $(tail -n 1 "$work/out")"
        else
            has "$claim" " 1 live processes, .* $wanted found$"
        fi
    else
        echo "skipped: $claim: so much memory cannot be locked here"
    fi
    exec 8>&- 6<&-
    wait "$pid"
}

# --------------------------------------------------------------------------------------------------------- planting
people() { # Bob has b with the passphrase of this script, Bea with one of her own; Cid forgot his and has the code
    take 1
    echo "$words of Bea" >"$work/clear/bea"
    must node b user add Bea --new-passphrase-file "$work/clear/bea" >/dev/null
    take 1
    echo "$words of Cid" >"$work/clear/cid"
    must "$bin/spoke" --home "$work/c" --no-input user recover --code-file "$work/clear/code" \
        --new-passphrase-file "$work/clear/cid" >/dev/null
    take 1
    echo "$words of Cid" >"$work/clear/cid2"
    must "$bin/spoke" --home "$work/c" --passphrase-file "$work/clear/cid" --no-input user passwd \
        --new-passphrase-file "$work/clear/cid2" >/dev/null
    must "$bin/spoke" --home "$work/c" --passphrase-file "$work/clear/cid2" --no-input user passwd \
        --new-passphrase-file "$work/pass" >/dev/null
}
in_a_case() {
    take 4
    case=$(must node a case new --area north --source 1A --need N1 --summary "${words% *}" --rag red \
        --reason "${words##* }" --json | field reference)
    take 3
    must node a case set "$case" "presenting_issue=${words% *}" "basis=${words##* }" >/dev/null
    take 3
    child=$(id_of a person add "$case" --family "${words%% *}" --given "${words#* }")
    take 2
    mother=$(id_of a person add "$case" --role parent --family "${words% *}" --given "${words#* }")
    must node a kin add "$case" "$child" "$mother" mother >/dev/null
    take 2
    must node a contact add "$mother" address "${words% *}" --note "${words#* }" --protected >/dev/null
    take 1
    must node a warning add "$case" violence --note "$words" >/dev/null
    take 1
    must node a case share "$case" b --basis "$words" >/dev/null
    must node a case share "$case" c >/dev/null
    everybody
}
in_records() {
    local name how
    for name in a b c; do
        for how in open sensitive restricted; do
            body 10
            take 2
            must node $name record add "$case" --kind visit --title "${words% *}" --handling "${words#* }" \
                --sensitivity $how --body-file "$body" >/dev/null
        done
    done
    # Long and hostile: over many pages, with what a terminal, a web page or a shell would take for its own.
    body 24
    {
        cat "$body"
        printf '\033[2J\302\23331m<script>alert("$(id)")</script> %%n %%s \342\200\256\r'
        head -c 200000 /dev/urandom | base64
    } >"$work/clear/hostile"
    must node b record add "$case" --kind note --title "Long" --body-file "$work/clear/hostile" >/dev/null
    take 1
    mistaken=$(id_of b record add "$case" --kind note --title "$words")
    take 1
    must node b void "$mistaken" --reason "$words" >/dev/null
    take 1
    needs=$(id_of b record add "$case" --kind note --title "$words" --needs-consent)
    take 1
    must node b record override "$needs" --reason "$words" >/dev/null
    take 2
    must node a consent refuse "$case" "$child" --scope all --reason "$words" >/dev/null
    everybody
}
between_agencies() {
    local request ask told
    take 2
    request=$(id_of a request send "$case" b --question "${words% *}" --basis "${words#* }")
    take 2
    must node a request send "$case" c --question "${words% *}" --basis "${words#* }" >/dev/null
    everybody
    must node b request answer "$request" --result known >/dev/null
    take 1
    must node c request decline "$(value c id "request where to_agency = 'c'")" --reason "$words" >/dev/null
    take 2
    must node b pointer add "$case" --note "${words% *}" --contact "${words#* }" >/dev/null
    everybody
    take 1
    ask=$(id_of c release ask "$case" b --reason "$words")
    take 1
    told=$(id_of b record add "$case" --kind note --title "$words" --sensitivity restricted)
    everybody
    body 3
    take 2
    must node b release grant "$told" c --redacted-file "$body" --title "${words% *}" --conditions "${words#* }" \
        --for "$ask" --yes >/dev/null
    take 1
    ask=$(id_of a release ask "$case" b --reason "$words")
    everybody
    take 1
    must node b release refuse "$ask" --reason "$words" >/dev/null
    everybody
}
in_two_versions() { # and in work that is held, rescued from an unsent edit, or replaced
    take 2
    must node a person set "$child" "given_names=${words% *}" >/dev/null
    must node b person set "$child" "given_names=${words#* }" >/dev/null
    everybody
    take 2
    echo "${words% *}" >"$work/clear/version"
    must node a conflict resolve "$(value a id "conflict where col = 'given_names'")" \
        --value-file "$work/clear/version" --reason "${words#* }" >/dev/null
    take 1
    must node b case set "$case" "closure_reason=$words" status=closed >/dev/null
    everybody
}
forgotten() { # what was here and went is in no free page that anybody could read, either
    must node a case unshare "$case" c >/dev/null
    everybody
    equal "c has forgotten what was not its own" 0 "$(count c "record where agency <> 'c'")"
}
unsent() { # what waits on a stick, in either direction
    local left=$((200 - next))
    take "$left"
    printf 'Unsent. %s\n' $words >"$work/clear/rest"
    must node b record add "$case" --kind note --title "By stick" --body-file "$work/clear/rest" >/dev/null
    stop_hub
    by_stick b
    must node b bundle export "$work/b.out" >/dev/null
    by_stick a
}

# ---------------------------------------------------------------------------------------------------- looking for them
nowhere() { # nowhere CLAIM: in no file of this script's folder but those that are clear by nature
    rm -f "$work"/{out,err,said,typed,found,live,shown} # what the script itself wrote down
    cat "$work/markers" "$work/planted" - >"$work/clear/all" <<<$'SQLite format 3\nCREATE TABLE'
    "$bin/markers" files "$work/clear/all" "$work" --not "$work/clear" --not "$work/markers" --not "$work/planted" \
        --not "$work/texts" --not "$work/pass" --not "$work/mark" >"$work/clear/found" 2>&1
    if [ $? -eq 0 ]; then ok "$1: $(cat "$work/clear/found")"; else not_ok "$1" "$(cat "$work/clear/found")"; fi
    equal "no temporary file was ever made" "$temp_made" "$(stat -c %y "$TMPDIR")"
}
not_in_memory() { # not_in_memory CLAIM HOW-MANY OPTION...: of so many processes at least
    local claim=$1 wanted=$2 got=0 there
    shift 2
    "$bin/markers" live "$work/planted" "$bin" "$work" "$@" >"$work/live" 2>&1 || got=$?
    there=$(sed -n 's/.* \([0-9]*\) live processes.*/\1/p' "$work/live")
    case $got in
        0)
            if [ "$there" -ge "$wanted" ]; then
                ok "$claim: $(cat "$work/live")"
            else
                not_ok "$claim" "only $there processes"
            fi
            ;;
        77) echo "skipped: $claim: $(tail -n 1 "$work/live")" ;;
        *) not_ok "$claim" "$(cat "$work/live")" ;;
    esac
}
waiting_round() { # b waits at the hub for news, while its memory is looked at
    local pid
    "$bin/spoke" --home "$work/b" --passphrase-file "$work/pass" --no-input sync --wait 300 >/dev/null 2>&1 </dev/null &
    pid=$!
    until_true 20 met "$port" || not_ok "b begins to wait"
    not_in_memory "nor of hub, waiting round and agents" 4 --keys "$work/hub" "$work/pass" --keys "$work/b" "$work/pass"
    kill -TERM "$pid"
    wait "$pid" 2>/dev/null
}
closed_to_others() { # without any privilege, as the same user: the guard that debuggers and crash reporters meet
    local pid got=0 claim="the memory of a running command is closed to other programs of its user"
    setpriv --bounding-set=-all --inh-caps=-all true 2>/dev/null || { echo "skipped: $claim: no setpriv here"; return; }
    setpriv --bounding-set=-all --inh-caps=-all sleep 60 &
    pid=$!
    until [ "$(cat "/proc/$pid/comm")" = sleep ]; do read -r -t 0.02 _ <&9; done
    "$bin/markers" peek "$pid" >"$work/out" 2>"$work/err" || got=$?
    kill "$pid"
    wait "$pid" 2>/dev/null
    if [ "$got" -ne 1 ]; then
        echo "skipped: $claim: so is that of any other program: $(cat "$work/out")"
        return
    fi
    mkfifo "$work/silent"
    setpriv --bounding-set=-all --inh-caps=-all "$bin/spoke" --home "$work/a" --passphrase-file "$work/silent" \
        --no-input status >/dev/null 2>&1 </dev/null &
    pid=$!
    exec 6>"$work/silent" # opens when the command does: it waits for a passphrase that never comes
    got=0
    "$bin/markers" peek "$pid" >"$work/out" 2>"$work/err" || got=$?
    if [ "$got" -eq 77 ]; then echo "skipped: $claim: $(cat "$work/out")"; else equal "$claim" 0 "$got"; fi
    kill -TERM "$pid"
    exec 6>&-
    wait "$pid" 2>/dev/null
}

not_locked() { # a key in a program of ours that may lock no memory at all is found: the search sees what it should
    local got=0 claim="a key in memory that could not be locked is found"
    local without=(setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock)
    "${without[@]}" true 2>/dev/null || { echo "skipped: $claim: no setpriv here"; return; }
    exits 0 "a device is unlocked where no memory may be locked" \
        "${without[@]}" bash -c 'ulimit -l 0 && exec "$@"' - "$bin/spoke" --home "$work/c" --passphrase-file "$work/pass" \
        --no-input unlock
    "$bin/markers" live "$work/planted" "$bin" "$work/c" --keys "$work/c" "$work/pass" \
        >"$work/out" 2>"$work/err" || got=$?
    if [ "$got" -eq 77 ]; then
        echo "skipped: $claim: $(tail -n 1 "$work/out")"
    else
        has "$claim" "^the data key of a home, as it is"
    fi
    must node c lock >/dev/null
}

mkfifo "$work/silence"
exec 9<>"$work/silence" # nothing is ever written there
search_finds
held_in_memory "in memory that may be swapped all 200 are found" '200'
held_in_memory "in locked memory none is" '[0-4]' --locked # what reading the file left behind may be there
make_hub
must hub practitioner add b-site Bea >/dev/null
temp_made=$(stat -c %y "$TMPDIR")
start_hub
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
must node c enrol --code-file "$work/c-site.code" --user Cid --json | field recovery_code >"$work/clear/code"
tee -a "$work/markers" <"$work/clear/code" >>"$work/planted"
everybody
people
must node a unlock >/dev/null
must node b unlock >/dev/null
in_a_case
in_records
between_agencies
in_two_versions
nowhere "none of the texts is in any file while hub and agents run"
waiting_round
closed_to_others
not_locked
forgotten
unsent
equal "all 200 are planted" 200 "$next"
for name in hub a b c; do
    claim "no key of $name is in any file of any home" "$bin/scan_keys" "$work/$name" "$work/pass" "$work"/{hub,a,b,c} \
        ${SPOKE_TEST_POSTGRES_DIR:+"$SPOKE_TEST_POSTGRES_DIR"}
done
must node a rekey >/dev/null
for name in a b; do must node $name verify >/dev/null; done
not_in_memory "nor in what keeps a device unlocked" 1 --keys "$work/b" "$work/pass"
must "$bin/spoke" --home "$work/b" --passphrase-file "$work/clear/bea" --no-input verify >/dev/null
nowhere "nor when all is over"
done_with_claims
