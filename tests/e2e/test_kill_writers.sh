#!/usr/bin/env bash
# Goal: SIGKILLs (300) at random moments under three writer processes lose nothing that was acknowledged and leave no
# transaction in part: in the product's replica, in an encrypted database of one process at a time, and in one that all
# three have open together (as other people's programs do, with the extension). SPOKE_WRITER_KILLS: how many instead.
# For one of the three, any number, and a seed that was printed: tests/e2e/kill_writers.c.
. "$(dirname "$0")/lib.sh"

kills=${SPOKE_WRITER_KILLS:-300}
from=$SECONDS
writers() { # writers WAY KILLS OPTION...
    rm -rf "$work/w"
    mkdir "$work/w"
    "$bin/kill_writers" "$work/w" "$@"
}
told() { sed 's/^/      /' "$work/out"; }
finds_loss() { # of writers that speak too soon; no kill may come between the two words once, and hardly three times
    local try
    for try in 1 2 3; do
        writers "$1" "$2" --early >"$work/early" 2>&1 || grep -q '^kill_writers: LOST' "$work/early" && return
    done
    cat "$work/early"
    return 1
}

claim "nothing acknowledged is lost in the product's replica" writers node $((kills * 2 / 5))
told
claim "nor in an encrypted database that one after the other opens" writers pages $((kills * 3 / 10))
told
claim "nor in one that all have open at the same time" writers shared $((kills - kills * 2 / 5 - kills * 3 / 10))
told
for way in node pages shared; do
    claim "writers that acknowledge before they commit are found out ($way)" finds_loss $way 150
done
echo "      it took $((SECONDS - from)) s"
done_with_claims
