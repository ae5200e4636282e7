#!/usr/bin/env bash
# Goal: a device that is lost or given up is told to wipe itself, with the real programs: unlocked, what was written on it
# reaches the MASH first; locked, with nobody's passphrase; by stick; and nothing of it is left but the word that it was.
. "$(dirname "$0")/lib.sh"

locked() { # locked NAME ARGUMENT...: with nobody's passphrase
    local name=$1
    shift
    "$bin/spoke" --home "$work/$name" --no-input "$@"
}
id_of() { hub node list --json | tr '}' '\n' | grep "\"site\":\"$1\"" | field id | tail -n 1; }
state_of() { hub node show "$1" --json | field state; }
left() { (cd "$work/$1" && find . -type f | sort | tr '\n' ' '); }
holds_home() { test -e "$work/$1/replica.key" && test -e "$work/$1/replica.db" && test -e "$work/$1/device.secret"; }

make_hub
start_hub
must node a enrol --code-file "$work/a-mash.code" --user "Ann" >/dev/null
must node b enrol --code-file "$work/b-site.code" --user "Bob" >/dev/null
must node c enrol --code-file "$work/c-site.code" --user "Cid" >/dev/null
for one in a b c; do must node "$one" sync >/dev/null; done
stop_hub
case_id=$(must node a case new --area north --source 1A --need N1 --summary "as told" --json | field id)
must node a case share "$case_id" b --access contribute >/dev/null
must node a case share "$case_id" c --access contribute >/dev/null
in_step a
in_step b
in_step c
b_id=$(id_of b-site)
c_id=$(id_of c-site)

# How long it may be opened without contact.
exits 64 "a lease of no days is no lease" hub node lease "$b_id" 0
claim "the hub sets a lease" hub node lease "$b_id" 9
in_step b
hub node show "$b_id" --json >"$work/out"
has "the hub shows it" '"lease_days":9'
has "and that the device has taken it" '"lease_told":"yes"'

# Unlocked, with work that was not sent.
must node b person add "$case_id" --family "NotSentYet" --given "One" >/dev/null
exits 64 "a wipe wants a reason" hub node wipe "$b_id"
hub node wipe "$b_id" --reason "given up" >"$work/out" 2>"$work/err"
has "the hub says what it knows of work there" "everything on it had been sent"
has "and what --now would mean" "With --now"
equal "it is listed as to be wiped" "to be wiped" "$(state_of "$b_id")"
exits 1 "nobody orders it twice" hub node wipe "$b_id" --reason "given up"
start_hub
exits 3 "locked, it learns of it and waits for somebody to unlock it" locked b orders
has "it says so" "Unlock it and run spoke sync"
exits 13 "people are locked out meanwhile" node b case list
says "with words" "is to be wiped"
claim "nothing of it is gone yet" holds_home b
exits 13 "unlocked, it sends what it has and is wiped" node b sync
says "it says when" "was wiped by order of the MASH on"
says "and that the MASH knows, because the receipt went with the same contact" "The MASH knows"
equal "nothing is left but the word of it" "./wipe " "$(left b)"
exits 13 "no command does anything there any more" node b status
exits 13 "nor does enrolling in the same home" node b enrol --code-file "$work/b-site.code" --user "Bob"
stop_hub
equal "the hub has its word" "wiped" "$(state_of "$b_id")"
equal "no order to forget waits for it" 0 "$(hub node show "$b_id" --json | field unconfirmed_drops)"
must node a bundle export "$work/a.out" >/dev/null
must hub bundle exchange "$work/a.out" "$work/a.in" >/dev/null
must node a bundle import "$work/a.in" >/dev/null
equal "what was written on it waits for a manager" 1 "$(hub held list --json | tr '}' '\n' | grep -c waiting)"

# Locked, with nobody's passphrase, by the command that a timer calls; the link fails at the wrong moment.
hub node wipe "$c_id" --reason "stolen" --now >"$work/out" 2>"$work/err"
has "with --now the hub says what that means" "does not wait"
exits 14 "without a link a locked device asks in vain" locked c orders
exits 11 "and sync says that it is locked" locked c sync
claim "it has everything still" holds_home c
start_hub
exits 13 "sync without a passphrase knocks first" locked c sync
says "and it is wiped" "was wiped by order of the MASH on"
equal "nothing is left of it" "./wipe " "$(left c)"
stop_hub
equal "the hub has its word too" "wiped" "$(state_of "$c_id")"

# By stick: the order, the work, the wipe; the receipt with the first link that there is.
must hub invite b-site --address "http://127.0.0.1:$port" --code-file "$work/d.code" >/dev/null
start_hub
must node d enrol --code-file "$work/d.code" --user "Bob" >/dev/null
must node d sync >/dev/null
stop_hub
d_id=$(id_of b-site)
must hub node wipe "$d_id" --reason "closed down" >/dev/null
must node d bundle export "$work/d.out" >/dev/null
must hub bundle exchange "$work/d.out" "$work/d.in" >/dev/null
exits 13 "by stick it is wiped as well" node d bundle import "$work/d.in"
equal "with nothing left" "./wipe " "$(left d)"
equal "the hub does not know yet" "to be wiped" "$(state_of "$d_id")"
exits 13 "without a link the receipt waits" locked d sync
says "and it says what to do" "run spoke sync"
start_hub
exits 13 "it goes out with the first link" locked d orders
says "once it has" "The MASH knows"
stop_hub
equal "and the hub has it" "wiped" "$(state_of "$d_id")"

# Put back from an old copy, with work that was never sent: the hub does not hear it before it is set up anew.
must hub invite b-site --address "http://127.0.0.1:$port" --code-file "$work/e.code" >/dev/null
start_hub
must node e enrol --code-file "$work/e.code" --user "Bob" >/dev/null
must node e sync >/dev/null
stop_hub
cp -a "$work/e" "$work/e.image"
must node e person add "$case_id" --family "SentSince" --given "Two" >/dev/null
in_step e
rm -rf "$work/e"
cp -a "$work/e.image" "$work/e"
must node e person add "$case_id" --family "LastWords" --given "Three" >/dev/null
e_id=$(id_of b-site)
waiting=$(hub held list --json | tr '}' '\n' | grep -c waiting)
must hub invite b-site --address "http://127.0.0.1:$port" --code-file "$work/early.code" >/dev/null
must hub node wipe "$e_id" --reason "closed down" >/dev/null
must hub invite b-site --address "http://127.0.0.1:$port" --code-file "$work/late.code" >/dev/null
start_hub
exits 3 "locked, it learns of it and waits for its work to be sent" locked e orders
exits 13 "which the hub does not take from it as it is" node e sync
says "it is told what to do" "spoke enrol --again"
exits 13 "an invitation from before the order is not meant for it" node e enrol --again --code-file "$work/early.code"
claim "set up anew with one from after it" node e enrol --again --code-file "$work/late.code"
has "it says that it is to be wiped all the same" "still to be wiped"
exits 13 "people stay out" node e case list
exits 13 "its first contact brings its work, and it is wiped" node e sync
says "and says so" "was wiped by order of the MASH on"
equal "nothing is left of it" "./wipe " "$(left e)"
stop_hub
equal "the hub has the word of the device that it became" "wiped" "$(state_of "$(id_of b-site)")"
equal "what was written on it waits for a manager" "$((waiting + 1))" "$(hub held list --json | tr '}' '\n' | grep -c waiting)"
done_with_claims
