#!/usr/bin/env bash
# Goal: a hub whose machine is gone comes back from an old backup and the journal on another machine: what was written since is there, and who was
# cut off since stays cut off; the folder gives nothing away, and one that is away stops nobody.
. "$(dirname "$0")/lib.sh"

make_hub
mkdir "$work/far"
serve_journal() { # serve_journal: until it listens
    : >"$work/hub.line"
    "$bin/spoke-hub" --home "$work/hub" --passphrase-file "$work/pass" --no-input serve --listen "127.0.0.1:$port" \
        --journal "$work/far" >"$work/hub.line" 2>>"$work/hub.log" </dev/null &
    hub_pid=$!
    exec 7</dev/null
    until_true 20 ready "$work/hub.line" "$hub_pid"
}
waiting() { # waiting WORD: of how many entries: none, some
    local n
    n=$(hub journal --json | field waiting)
    { [ "$1" = none ] && [ "$n" = 0 ]; } || { [ "$1" = some ] && [ "${n:-0}" -gt 0 ]; }
}
waits() { until_true 20 waiting "$1"; }
# On PostgreSQL it comes back into a schema of its own; and there is a second server, which goes on when the first is killed.
back=()
second_pid=
more_than() { [ "$(hub journal --json | field entries)" -gt "$1" ]; } # more_than N: entries
if [ -n "${SPOKE_TEST_POSTGRES:-}" ]; then back=(--store "$SPOKE_TEST_POSTGRES&schema=e2e_$$_back"); fi
second() { # second stop | start OPTION...
    if [ -z "${SPOKE_TEST_POSTGRES:-}" ]; then return; fi
    local how=$1
    shift
    if [ "$how" = stop ]; then
        kill -TERM "$second_pid"
        wait "$second_pid" 2>/dev/null
        return
    fi
    : >"$work/second.line"
    "$bin/spoke-hub" --home "$work/hub" --passphrase-file "$work/pass" --no-input serve --listen 127.0.0.1:0 "$@" \
        >"$work/second.line" 2>>"$work/hub.log" </dev/null &
    second_pid=$!
    until_true 20 ready "$work/second.line" "$second_pid"
    kill -0 "$second_pid" || not_ok "a second server starts"
}

exits 1 "a folder that is not there is not made" hub serve --listen "127.0.0.1:$port" --journal "$work/nowhere"
serve_journal
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null
exits 3 "a journal that goes on from no backup wants one" hub doctor
has "by its code" '^journal-apart: '
must hub backup "$work/old.backup" >/dev/null

# Work, and an act by another process than the one that writes the journal.
summary=$(secret_text)
must node a case new --area north --source 1A --need N1 --summary "$summary" >/dev/null
must node a sync >/dev/null
must hub node revoke "$(device_of b-site)" --reason "the laptop is gone" >/dev/null
claim "what both did is in the folder soon" waits none
claim "which tells nobody what stands in it" "$bin/markers" files "$work/markers" "$work/far"

# The folder goes away, and comes back.
mv "$work/far" "$work/away"
must hub agency add d "Housing" --kind housing >/dev/null
claim "a folder that is away stops nobody, and it is said that something waits" waits some
mv "$work/away" "$work/far"
claim "when it is back it gets what waited" waits none

second start
kill -KILL "$hub_pid"
wait "$hub_pid" 2>/dev/null
hub_pid=
if [ -n "$second_pid" ]; then
    made=$(hub journal --json | field entries)
    must hub agency add f "Fire" --kind other >/dev/null
    claim "a server that is given no folder gathers what is to be written" until_true 20 more_than "$made"
    claim "and it waits" waits some
fi
second stop
second start --journal "$work/far"
if [ -n "$second_pid" ]; then
    must hub agency add e "Education" --kind education >/dev/null
    claim "a server goes on where another one was killed" waits none
fi
second stop
mv "$work/hub" "$work/burnt"
exits 1 "another folder is refused" hub restore "$work/old.backup" --recovery "$work/burnt/recovery.key" --journal "$work" \
    "${back[@]}"
exits 0 "the hub comes back from both" hub restore "$work/old.backup" --recovery "$work/burnt/recovery.key" \
    --journal "$work/far" "${back[@]}"
has "and says how far the journal goes" 'The journal goes to'
claim "who was revoked after the backup is revoked" keep hub node list
claim "as it was" said "revoked"
claim "and the agency is there" keep hub agency list
claim "that came while the folder was away" said "Housing"
if [ -n "$second_pid" ]; then claim "and that which came when the first server was dead" said "Education"; fi
serve_journal
must node a sync >/dev/null
equal "the only device that is waited for ends the gathering" done "$(hub restore status --json | field state)"
exits 3 "the new hub's journal is another one, and wants a backup" hub journal
exits 0 "which ends it" hub backup "$work/new.backup"
claim "the work is at the hub" keep hub verify
equal "and on the device" 1 "$(count a case_file)"
stop_hub
done_with_claims
