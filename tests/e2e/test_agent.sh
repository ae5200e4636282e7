#!/usr/bin/env bash
# unlock, lock, and what keeps a device open in between; and what every program does before it touches a secret.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

bare() { # bare NODE ARGUMENT...: a command without any passphrase
    local name=$1
    shift
    note_texts "$@"
    "$bin/spoke" --home "$work/$name" --no-input "$@"
}
agent_of() { # agent_of NODE: the process that keeps it open
    local p
    for p in /proc/[0-9]*; do
        if [ "$(cat "$p/comm" 2>/dev/null)" = spoke-agent ] && tr '\0' '\n' <"$p/cmdline" 2>/dev/null | grep -qxF "$work/$1"; then
            echo "${p#/proc/}"
        fi
    done
}
ended() { [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
gone() { [ -n "$1" ] && until_true 10 ended "$1"; } # gone PID: soon
locked() { # locked CLAIM NODE
    exits 11 "$1" bare "$2" case list
}
open_() { # open_ CLAIM NODE
    exits 0 "$1" bare "$2" case list
}

make_hub
start_hub
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
must node c enrol --code-file "$work/c-site.code" --user Cid >/dev/null
must node b sync >/dev/null
must node c sync >/dev/null

# ---- unlock and lock
locked "without a passphrase nothing is shown" b
says "and the way out is said" 'spoke unlock'
echo "not my passphrase" >"$work/wrong"
exits 12 "a wrong passphrase unlocks nothing" "$bin/spoke" --home "$work/b" --passphrase-file "$work/wrong" unlock
locked "it is still locked after that" b
exits 10 "a home that is not there is not unlocked" "$bin/spoke" --home "$work/none" --passphrase-file "$work/pass" unlock
for minutes in 0 721 -1 soon ""; do
    exits 64 "--idle $minutes is refused" node b unlock "--idle=$minutes"
done
exits 0 "it is unlocked with the passphrase" node b unlock
has "and says when it locks by itself" '15 minutes'
open_ "after that commands ask for none" b
exits 0 "work is written" bare b case new --area north --source 6 --need N4 --summary "$(secret_text)" --json
exits 0 "and sent" bare b sync
exits 0 "status says until when" bare b status
has "as people read it" '^Unlocked  *until .* if nothing is done'
exits 0 "and as JSON" bare b status --json
has "with the time" '"unlocked_until":"20'
locked "the device beside it stays locked" c
equal "socket and folder are their owner's alone" "600 700" \
    "$(stat -c %a "$XDG_RUNTIME_DIR"/spoke/*.sock) $(stat -c %a "$XDG_RUNTIME_DIR/spoke")"
pid=$(agent_of b)
equal "nothing of the terminal stays with it" "/" "$(readlink "/proc/$pid/cwd")"
equal "it writes no core file" 0 "$(sed -n 's/^Max core file size *\([0-9]*\).*/\1/p' "/proc/$pid/limits")"
look_at_live
exits 12 "a passphrase that is given counts more than what is unlocked" "$bin/spoke" --home "$work/b" \
    --passphrase-file "$work/wrong" case list
exits 0 "lock closes it" bare b lock
has "and says that it was open" '^Locked'
claim "what kept it open is gone" gone "$pid"
locked "the next command is refused" b
exits 0 "lock again is no fault" bare b lock
has "and says that it was locked" 'already'
exits 0 "JSON says the same" bare b lock --json
has "as a boolean" '"was_unlocked":false'

# ---- replaced, killed, hung, asleep
must node b unlock --idle 30 >/dev/null
first=$(agent_of b)
must node b unlock --idle 60 >/dev/null
claim "a second unlock ends the first" gone "$first"
open_ "and takes its place" b
equal "one process keeps it open" 1 "$(agent_of b | wc -l)"
pid=$(agent_of b)
kill -KILL "$pid"
claim "it is killed" gone "$pid"
locked "killed, it keeps nothing open" b
must node b unlock >/dev/null
open_ "and it can be unlocked again" b
pid=$(agent_of b)
kill -STOP "$pid"
began=$SECONDS
locked "one that hangs keeps nobody waiting" b
says "and the way out is said" 'spoke lock'
claim "for more than some seconds" test $((SECONDS - began)) -le 15
exits 0 "with the passphrase everything goes on" node b case list
exits 0 "lock ends it" bare b lock
claim "whatever it did" gone "$pid"
for signal in USR1 TERM HUP; do
    must node b unlock >/dev/null
    pid=$(agent_of b)
    kill "-$signal" "$pid"
    claim "signal $signal (sleep, shutdown) ends it" gone "$pid"
    locked "and it keeps nothing open" b
done
mkdir "$work/stub"
printf '#!/bin/sh\necho "$*" >>"%s"\nexit 1\n' "$work/stub/said" >"$work/stub/pkill"
chmod +x "$work/stub/pkill"
claim "before sleep all are told" env PATH="$work/stub:$PATH" "$root/packaging/lock-on-suspend" pre suspend
claim "after it nobody is" env PATH="$work/stub:$PATH" "$root/packaging/lock-on-suspend" post suspend
equal "by the signal that ends them" "-USR1 -x spoke-agent" "$(cat "$work/stub/said")"

# ---- keys that changed, homes that changed
must node b unlock >/dev/null
exits 0 "everything gets new keys while it is unlocked" bare b rekey
open_ "whoever unlocked it goes on working" b
exits 0 "the passphrase too" node b case list
exits 0 "everything gets new keys by passphrase" node b rekey --json
has "and it is said that it is locked now" '"locked":true'
locked "what was unlocked is worth nothing now" b
must node b unlock >/dev/null
mv "$work/b" "$work/b.aside"
mv "$work/c" "$work/b"
locked "another home in its place is not opened with its keys" b
mv "$work/b" "$work/c"
mv "$work/b.aside" "$work/b"
exits 0 "nobody minds a lock after that" bare b lock
must node b unlock >/dev/null
rm -r "$XDG_RUNTIME_DIR/spoke"
locked "who logs out leaves nothing open" b
XDG_RUNTIME_DIR='' must node b unlock >/dev/null
equal "without a runtime folder it listens in the home" 600 "$(stat -c %a "$work/b/agent.sock")"
XDG_RUNTIME_DIR='' open_ "and is found there" b
XDG_RUNTIME_DIR='' exits 0 "and locked" bare b lock

# ---- from a session that has not the folder of the one that unlocked it: su, ssh, cron
for pid in $(agent_of b); do # the one whose folder was removed would see it within half a minute
    kill "$pid"
    claim "nothing of before is left" gone "$pid"
done
elsewhere() { env -u XDG_RUNTIME_DIR "$bin/spoke" --home "$work/b" --no-input "$@"; }
must node b unlock >/dev/null
pid=$(agent_of b)
equal "the way to it is in the home" "$(echo "$XDG_RUNTIME_DIR"/spoke/*.sock)" "$(readlink "$work/b/agent.sock")"
exits 0 "another session of the same user finds it open" elsewhere case list
exits 0 "and locks it" elsewhere lock
has "and is told that it was open" '^Locked'
claim "what kept it open is gone" gone "$pid"
locked "and it is locked for the session that unlocked it" b
equal "the way to it is gone too" "" "$(ls -d "$work/b"/agent.sock* 2>/dev/null)"
must node b unlock >/dev/null
pid=$(agent_of b)
exits 0 "unlocked there as well" env -u XDG_RUNTIME_DIR "$bin/spoke" --home "$work/b" --passphrase-file "$work/pass" unlock
claim "the one before ends" gone "$pid"
equal "and one keeps it open" 1 "$(agent_of b | wc -l)"
open_ "that everybody finds" b
pid=$(agent_of b)
kill -KILL "$pid"
claim "killed" gone "$pid"
must node b unlock >/dev/null
open_ "it is replaced" b
pid=$(agent_of b)
rm "$work/b/agent.sock"
bare b case list >/dev/null 2>&1 # makes it look
claim "one that not everybody could find any more ends" gone "$pid"
must node b unlock >/dev/null
kill -KILL "$(agent_of b)"
cp -a "$work/b" "$work/d"
must node b unlock >/dev/null
exits 11 "a copy of the home does not follow the way that came with it" bare d case list
exits 0 "nor lock what is not its own" bare d lock
open_ "which stays open" b
rm -r "$work/d"
exits 0 "until it is locked" bare b lock
has "by name" '^Locked'

# ---- homes that others can look into, and what every program does first
for mode in 750 701 720; do
    chmod "$mode" "$work/b"
    exits 1 "a home of mode $mode is refused" node b status
    says "with what to type" "chmod 700 '$work/b'"
    exits 1 "and not unlocked" node b unlock
done
chmod 700 "$work/b"
exits 0 "mended, it opens" node b case list
stop_hub
chmod 755 "$work/hub"
exits 1 "a hub's home that others may read is refused" hub node list
says "with what to type" "chmod 700 '$work/hub'"
mkdir -m 755 "$work/prepared"
exits 1 "and none is made in one" "$bin/spoke-hub" --home "$work/prepared" --passphrase-file "$work/pass" init --name X
equal "so that nothing lies there" "" "$(ls -A "$work/prepared")"
chmod 700 "$work/hub"
if [ "$(id -u)" = 0 ]; then
    chown 65534 "$work/b"
    exits 1 "another user's home is refused" node b status
    says "with whose it is" 'another user'
    chown 0 "$work/b"
fi
(
    umask 022
    ulimit -c unlimited
    start_hub
    equal "the server writes no core file, whatever the shell allows" 0 \
        "$(sed -n 's/^Max core file size *\([0-9]*\).*/\1/p' "/proc/$hub_pid/limits")"
    equal "nothing that it makes is open to others" "" "$(find "$work/hub" -mindepth 1 -perm /077)"
    stop_hub
    [ "$failures" -eq 0 ]
) || failures=$((failures + 1))
equal "nothing of a node is open to others" "" "$(find "$work/b" "$work/c" -mindepth 1 -perm /077)"

# ---- a terminal that asks is not needed for any of this
if command -v script >/dev/null; then
    must node b unlock >/dev/null
    exits 0 "on a terminal nobody is asked while it is unlocked" \
        script -qec "'$bin/spoke' --home '$work/b' case list" /dev/null
    lacks "not even once" 'assphrase'
    must bare b lock >/dev/null
fi
done_with_claims
