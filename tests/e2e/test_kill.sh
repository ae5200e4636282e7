#!/usr/bin/env bash
# Goal: killing (SIGKILL) a node or the hub at random moments of their exchange, and losing answers after the hub has
# committed, loses no committed edit, leaves no row where it may not be, and always converges. SPOKE_KILLS: how often.
# First with processes that do nothing else, so that nearly every kill hits the exchange; then a few times with spoke
# and spoke-hub themselves, over HTTP.
. "$(dirname "$0")/lib.sh"

kills=${SPOKE_KILLS:-80}
mkdir "$work/kill"
claim "no edit is lost and no row strays in $kills kills" "$bin/kill" "$work/kill" "$kills" ${SPOKE_SEED:+"$SPOKE_SEED"}
sed 's/^/      /' "$work/out"

pause() { read -r -t "0.$(printf %03d $((RANDOM % 350)))" _ <&9; } # nothing is ever written there
same() { cmp "$1" "$2"; }
set_up() {
    local name
    mkfifo "$work/silence"
    exec 9<>"$work/silence"
    make_hub
    start_hub
    must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
    must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
    must node a sync >/dev/null
    must node b sync >/dev/null
    case_ref=$(must node a case new --area north --source 1A --need N1 --summary "Killed" --json | field reference)
    must node a case share "$case_ref" b >/dev/null
    must node a sync >/dev/null
    must node b sync >/dev/null
}
# Each round: both nodes write, one is killed or loses its hub while it exchanges, the other goes unharmed.
round() {
    local name=$1 harm=$2 pid
    head -c $((RANDOM * 4)) /dev/urandom | base64 >"$work/body"
    must node a record add "$case_ref" --kind note --title "By a" --body-file "$work/body" >/dev/null
    must node b record add "$case_ref" --kind note --title "By b" --body-file "$work/body" >/dev/null
    "$bin/spoke" --home "$work/$name" --passphrase-file "$work/pass" --no-input sync >/dev/null 2>&1 </dev/null &
    pid=$! # of the program, not of a shell around it
    pause
    if [ "$harm" = node ]; then
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    else
        kill -KILL "$hub_pid"
        wait "$pid" "$hub_pid" 2>/dev/null
        exec 7<&-
        start_hub
    fi
}

rounds=12
set_up
for ((i = 0; i < rounds; i++)); do
    if ((i % 2)); then name=a; else name=b; fi
    if ((i % 4 < 2)); then round "$name" node; else round "$name" hub; fi
done 2>/dev/null
for name in a b a b; do must node "$name" sync >/dev/null; done
for name in a b; do
    equal "after $rounds kills of whole programs $name has every record" $((2 * rounds)) "$(count "$name" record)"
    equal "and nothing unsent" 0 "$(node "$name" status --json | field unsent)"
    claim "and is sound" node "$name" verify
done
stop_hub
claim "and so is the hub" "$bin/inspect" verify "$work/hub" "$work/pass"
for name in a:a-mash b:b-site; do
    "$bin/inspect" rows hub "$work/hub" "$work/pass" "${name#*:}" 2>"$work/err" | sort >"$work/hub.rows"
    "$bin/inspect" rows node "$work/${name%:*}" "$work/pass" 2>>"$work/err" | sort >"$work/node.rows"
    claim "${name%:*} holds exactly the $(wc -l <"$work/hub.rows") rows that its site may see" \
        same "$work/hub.rows" "$work/node.rows"
done
done_with_claims
