#!/usr/bin/env bash
# Goal: a wipe order and the end of the lease reach `spoke serve` while somebody is signed in: the page is told with
# words, nothing is left that the order takes, nothing comes back, and where there is a way out it works.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/e2e/serve_lib.sh
. "$(dirname "$0")/serve_lib.sh"

left() { (cd "$work/$1" && find . ! -type d | sort | tr '\n' ' '); }
state_of() { hub node show "$1" --json | field state; }
quiet() { get "$1" "$2" "$3" -H 'X-Spoke-Quiet: 1'; }
ended() { quiet "$1" "$2" /api/board && [ "$status" = 401 ]; }
sent() { quiet "$1" "$2" /api/sync && grep -q '"unsent":0' "$work/out"; }
signed_in() { sign_in "$1" "$2" && [ "$status" = 200 ]; }
page_waits() { # page_waits NODE USER AFTER: as browsers do, after each event for the next, until it is told what it must know
    local after=$3 end=$((SECONDS + patience))
    while [ "$SECONDS" -lt "$end" ]; do
        curl -sN --max-time 25 -b "$work/$2.jar" "${address[$1]}/api/events?after=$after" >"$work/event"
        if grep -q '"locked"' "$work/event"; then return; fi
        after=$(sed -n 's/^id: *//p' "$work/event" | tail -n 1 | grep . || echo "$after")
    done
}

make_hub
start_hub
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
must node c enrol --code-file "$work/c-site.code" --user Cid >/dev/null
serve b
serve_b=$serve_pid
serve c
serve_c=$serve_pid
sign_in b bob
sign_in c cid
claim "both are in step" until_true 10 sent b bob
claim "and work" until_true 10 sent c cid
stop_hub
b_id=$(device_of b-site)

# ---- ordered to be wiped, with work that was not sent
post b bob /api/acts/case-new "$(new_case "$(secret_text)")"
answers "what is written while the hub is away is kept" 200
reference=$(field reference <"$work/out")
after=$(quiet b bob /api/session && field events <"$work/out")
must hub node wipe "$b_id" --reason "given up" >/dev/null
must hub node wipe "$(device_of a-mash)" --reason "stolen" --now >/dev/null
page_waits b bob "$after" &
waiting=$!
start_hub
post b bob /api/sync '{}'
claim "the order ends the session of who is signed in" until_true 15 ended b bob
has "with words" 'was wiped by order of the MASH on'
has "as what opens nothing any more" '"code":"locked"'
wait "$waiting"
claim "a page that waits is told at once" \
    grep -q '"locked","message":"This device was wiped by order of the MASH on' "$work/event"
get b bob /api/session
answers "a page that loads anew" 200
has "shows the way in" '"signed_in":false'
for path in /api/board "/api/cases/$reference" /api/reference /api/events; do
    get b bob "$path"
    answers "and not $path" 401
done
sign_in b bob
answers "the passphrase opens nothing" 403
has "as the words say" 'was wiped by order of the MASH on'
post b bob /api/session/launch "{\"token\":\"$(printf '0%.0s' {1..64})\"}"
claim "nor does any other way in" test "$status" -ge 400
claim "the service goes on" kill -0 "$serve_b"
end_serve "$serve_b"
equal "nothing is left but the word of it" "./wipe " "$(left b)"
exits 13 "and nothing is served there any more" "$bin/spoke" --home "$work/b" --no-input serve --listen 127.0.0.1:0
says "with the words" 'was wiped by order of the MASH on'
equal "nor made by asking" "./wipe " "$(left b)"
stop_hub
equal "the hub has its word" wiped "$(state_of "$b_id")"
equal "and what was written there waits for a manager" 1 "$(hub held list --json | tr '}' '\n' | grep -c waiting)"

# ---- ordered to be wiped, with nobody signed in
start_hub
serve a
claim "with nobody signed in the order is found at the start" until_true 10 test ! -e "$work/a/replica.db"
sign_in a ann
answers "and the passphrase opens nothing" 403
has "as the words say" 'was wiped by order of the MASH on'
end_serve "$serve_pid"
equal "nor is anything left" "./wipe " "$(left a)"
stop_hub

# ---- too long without contact
must "$bin/age" "$work/c" "$work/pass" 31
get c cid /api/board
answers "after too long without contact the session ends" 401
has "with words" 'no contact with the MASH for 3[12] days; 30 are allowed'
has "that keep calm" 'Nothing is lost'
sign_in c cid
answers "the passphrase does not let in" 403
equal "which is said as what it is" refused "$(code)"
has "with the same words" 'no contact with the MASH for 3[12] days; 30 are allowed'
has "and the way out" '"next":"This device now tries to reach the MASH'
lacks "which is none for a terminal" 'spoke '
get c cid /api/board
answers "and shows nothing" 401
sign_in c cid
answers "nor does trying again, while there is no hub" 403
start_hub
claim "with the first contact it lets in again" until_true 25 signed_in c cid
get c cid /api/board
answers "to all of it" 200
post c cid /api/acts/case-new "$(new_case "$(secret_text)")"
answers "and to work" 200
claim "which goes by itself" until_true 10 sent c cid
claim "the service went on all the time" kill -0 "$serve_c"
done_with_claims
