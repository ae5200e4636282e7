#!/usr/bin/env bash
# Goal: a node that waits at the hub (sync --wait) gets another site's change as soon as it is there, waits no longer
# than it said, and does not keep the hub from stopping.
. "$(dirname "$0")/lib.sh"

make_hub
start_hub
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null
case_ref=$(must node a case new --area north --source 1A --need N1 --summary "Waited for" --json | field reference)
must node a case share "$case_ref" b >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null

soon() { # since $from, of the 300 seconds that it might have waited
    if [ $((SECONDS - from)) -lt 150 ]; then ok "$1"; else not_ok "$1" "$((SECONDS - from)) s"; fi
}
wait_in_background() { # wait_in_background SECONDS: b in the background, until it is connected
    "$bin/spoke" --home "$work/b" --passphrase-file "$work/pass" --no-input sync --wait "$1" --json \
        >"$work/b.round" 2>"$work/b.err" </dev/null &
    waiting=$!
    until_true 10 met "$port" || not_ok "b begins to wait"
}

from=${EPOCHREALTIME/./}
claim "a wait without news ends by itself" node b sync --wait 2
took=$(((${EPOCHREALTIME/./} - from) / 1000))
if [ "$took" -ge 1500 ] && [ "$took" -lt 60000 ]; then ok "and in time"; else not_ok "and in time" "$took ms"; fi

from=$SECONDS
wait_in_background 300
must node a record add "$case_ref" --kind note --title "News" >/dev/null
must node a sync >/dev/null
got=0
wait "$waiting" || got=$?
equal "a waiting node comes back with another site's change" 0 "$got"
equal "which it has now" 1 "$(count b "record where title = 'News'")"
soon "long before its time was over"

wait_in_background 300
from=$SECONDS
got=0
kill -TERM "$hub_pid"
wait "$hub_pid" || got=$?
hub_pid=
exec 7<&-
equal "the hub stops cleanly while a node waits" 0 "$got"
got=0
wait "$waiting" || got=$?
soon "and at once"
case $got in
    0 | 14) ok "and the node ends as with any hub that went away, or had its answer before" ;;
    *) not_ok "and the node ends as with any hub that went away" "exit code $got: $(cat "$work/b.err")" ;;
esac
start_hub
# Its request, made to wait for five minutes, is still unanswered and goes out again as it is.
from=$SECONDS
claim "a plain sync after an interrupted wait is answered" node b sync
soon "and does not wait"
must node b record add "$case_ref" --kind note --title "After it" >/dev/null
claim "and what is written then goes out" node b sync
equal "to the last change" 0 "$(node b status --json | field unsent)"
done_with_claims
