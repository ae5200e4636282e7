#!/usr/bin/env bash
# Does tests/sim/check notice what it is there to notice? With programs in the place of sim that fail in one way each. And
# does sim itself say by its exit code what became of it?
set -u
check=$(cd "$(dirname "$0")/../sim" && pwd)/check
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

expect() { # expect CODE|CODE WORDS COMMAND...
    local code=$1 words=$2 out got
    shift 2
    out=$("$@" 2>&1)
    got=$?
    if [[ ! $got =~ ^($code)$ ]] || [[ $out != *"$words"* ]]; then
        echo "Exit code $got where $code should be, or it does not say \"$words\": $*"
        printf '%s\n' "$out" | head -n 5
        failed=1
    fi
}
stand_in() { # stand_in BODY: a program for the place of sim
    printf '#!/usr/bin/env bash\necho "$*" >>"%s/calls"\n%s\n' "$work" "$1" >"$work/sim"
    chmod +x "$work/sim"
    rm -f "$work/calls"
}
good='echo "sim: worlds; no promise was broken"'
export SIM_SEEDS=$work/seeds
printf '# a comment\n\n77 twins  what it found  (test that keeps it: none)\n88  another\n' >"$SIM_SEEDS"

stand_in "$good"
expect 0 "no promise was broken" "$check" "$work" 101
for call in '--seeds 1 --first 77 --twins 1' '--seeds 1 --first 88 --twins 0' '--twice' '--seeds 101 '; do
    if ! grep -q -e "$call" "$work/calls"; then
        echo "sim is not called with $call"
        failed=1
    fi
done
if [ "$(wc -l <"$work/calls")" -ne 4 ]; then
    echo "sim is called $(wc -l <"$work/calls") times instead of 4"
    failed=1
fi
for broken in '--first 88' '--twice' '--seeds 101 '; do
    stand_in "if [[ \"\$*\" == *'$broken'* ]]; then echo 'sim: seed 5: invariant 2' >&2; exit 3; fi; $good"
    expect 1 "invariant 2" "$check" "$work" 101
done
stand_in 'exit 0' # it ends well and has run nothing
expect 1 "" "$check" "$work" 101
expect 64 "Usage" "$check" "$work" many
expect 64 "Usage" "$check"
rm "$work/sim"
expect 1 "is not there" "$check" "$work"
stand_in "$good"
rm "$SIM_SEEDS"
expect 1 "is not there" "$check" "$work"

sim=$SPOKE_BIN/sim
expect 0 "--replay" "$sim" --help
expect 64 "Usage" "$sim" --nothing-like-that
expect 64 "Usage" "$sim" --seeds
expect 64 "Usage" "$sim" --seeds 1x
expect 64 "Usage" "$sim" 5
expect 0 "sim: 2 worlds from seed 7" "$sim" --seeds 2 --first 7 --events 20 --twins 0
expect 0 "sim: trace" "$sim" --replay 7 --events 20 --twins 0
expect 0 "breaks no promise" "$sim" --shrink 7 --events 20
expect "2|3" "python3 could not be started" env PATH="$work" "$sim" --seeds 1 --events 20 --twins 0
[ "$failed" -eq 0 ] && echo "The simulator's check notices what it should."
exit "$failed"
