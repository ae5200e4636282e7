#!/usr/bin/env bash
# Goal: an auditor with an export file and a checkpoint that he kept sees whatever was changed in the logs of a hub, with
# nothing else at hand.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

lacks_text() { # lacks_text FILE TEXT...: in no entry of it, decoded
    python3 - "$@" <<'PY'
import base64, sys
found = b""
for line in open(sys.argv[1]):
    word, *fields = line.split()
    if word == "leaf" and fields[2] != "-":
        found += base64.b64decode(fields[2]) + b"\n"
for text in sys.argv[2:]:
    if text.encode() in found:
        sys.exit(f"{text} is in an entry")
PY
}

make_hub
start_hub
for pair in a:a-mash:Ann b:b-site:Bob; do
    IFS=: read -r name site person <<<"$pair"
    must node "$name" enrol --code-file "$work/$site.code" --user "$person" >/dev/null
    must node "$name" sync >/dev/null
done
case=$(must node a case new --area north --source 1A --need N1 --summary "first" --json | field id)
must node a case share "$case" b --access contribute --basis "agreed" >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null
must node a case unshare "$case" b >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null
must node b sync >/dev/null

claim "a checkpoint is printed while the hub serves" keep hub log checkpoint
cp "$work/said" "$work/kept.txt"
claim "it is a signed note of the hub's own log" grep -Eq '^spoke/[0-9a-f]{32}$' "$work/kept.txt"
claim "with a key that other programs take" keep hub log key
claim "for the same name" grep -q "^$(head -n 1 "$work/kept.txt")+[0-9a-f]\{8\}+" "$work/said"
claim "a device has a log of its own" keep hub log checkpoint --node "$(device_of b-site)"
cp "$work/said" "$work/kept-b.txt"
claim "and prints what the hub signed of it last" keep node a log checkpoint
cp "$work/said" "$work/kept-a.txt"
claim "under the name of its own log" grep -Eq '^spoke/[0-9a-f]{32}/[0-9a-f]{32}$' "$work/kept-a.txt"
claim "a device says that its hub has kept to its word" keep node a verify
claim "since when" said "nothing that this device was shown since"
claim "and has a change of its own proved" keep node a verify --change 1
claim "with what became of it" said "What became of it then: applied"
exits 1 "but none that it never wrote" node a verify --change 4711
exits 64 "nor what is no number" node a verify --change first
exits 1 "it found nothing against its hub" node a log evidence
must node a case set "$case" summary="second" >/dev/null
must node a sync >/dev/null
must hub node revoke "$(device_of b-site)" --reason "Little Jimmy was seen with it" >/dev/null
claim "the hub's own logs hold together, and fit what it keeps" hub log verify
claim "all of it is exported" hub log export "$work/logs.txt"
exits 1 "no file is written over" hub log export "$work/logs.txt"
stop_hub
mv "$work/hub" "$work/away" # an auditor has the files alone
claim "an export is checked without a hub" keep "$bin/spoke-hub" --no-input log verify "$work/logs.txt"
claim "it says whose logs these are" said "Test MASH"
claim "and goes on from the checkpoints that were kept" keep "$bin/spoke-hub" --no-input --json log verify "$work/logs.txt" \
    --checkpoint "$work/kept.txt" --checkpoint "$work/kept-b.txt" --checkpoint "$work/kept-a.txt"
claim "all of them, of the hub's own log and of devices'" said '"checkpoints":3'
claim "no word of the case is in it" lacks_text "$work/logs.txt" "first" "second" "Jimmy" "$(printf '%s' "$case" | tr -d -)"

sed '$d' "$work/logs.txt" >"$work/cut.txt"
exits 15 "an export that was cut off is found" "$bin/spoke-hub" --no-input log verify "$work/cut.txt"
awk '/^leaf / && ++n == 5 { next } { print }' "$work/logs.txt" >"$work/removed.txt"
exits 15 "an entry that was left out is found" "$bin/spoke-hub" --no-input log verify "$work/removed.txt"
awk '/^leaf / && ++n == 5 { $4 = "AAAA" $4 } { print }' "$work/logs.txt" >"$work/edited.txt"
exits 15 "and one that was edited" "$bin/spoke-hub" --no-input log verify "$work/edited.txt"
says "with where" "at entry"
exits 15 "a file that is something else is no export" "$bin/spoke-hub" --no-input log verify "$work/pass"
exits 1 "nor is one that is not there" "$bin/spoke-hub" --no-input log verify "$work/none"

mv "$work/away" "$work/hub"
claim "an entry is proved" keep hub log proof 3
cp "$work/said" "$work/proof.txt"
claim "and the proof checked" keep "$bin/spoke-hub" --no-input log verify "$work/proof.txt"
claim "for what it is" said "entry 3 is in the log"
exits 64 "a checkpoint of another size says nothing of it" "$bin/spoke-hub" --no-input log verify "$work/proof.txt" \
    --checkpoint "$work/kept.txt"
yes x | tr -d '\n' | head -c 5000000 >"$work/long.txt"
exits 15 "a line without an end is not read to its end" "$bin/spoke-hub" --no-input log verify "$work/long.txt"
exits 1 "there is no proof of an entry that is not there" hub log proof 100000
exits 64 "nor of something that is no number" hub log proof first

# A closed case is erased: its words are gone, and what was proved before still is.
start_hub
exits 1 "an open case is not erased" hub erase "$case" --reason "too early" --yes
must node a case set "$case" status=closed >/dev/null
must node a sync >/dev/null
claim "nothing leaves a hub that was told no times" keep hub retention
claim "which it says" said "never"
claim "times are set" keep hub retention set --partners 90 --erase 2190 --reason "schedule of the partnership"
claim "and said" said "after 90 days"
exits 64 "not such as contradict each other" hub retention set --erase 20 --reason "too soon"
claim "a case is held for an inquiry" hub retention hold "$case" --reason "an inquiry"
exits 1 "and not erased then" hub erase "$case" --reason "too early" --yes
claim "until it is released" hub retention release "$case" --reason "it is over"
claim "what is due is done" hub retention run
claim "a closed case is erased" hub erase "$case" --reason "asked for by the family" --yes
claim "that it was is known" keep hub retention erased
claim "and why" said "asked for by the family"
must node a sync >/dev/null
exits 1 "its devices have forgotten it" node a case show "$case"
must node a sync >/dev/null
claim "the logs hold" hub log verify
claim "and all else" hub verify
claim "they are exported" hub log export "$work/after.txt"
stop_hub
claim "and go on from what was kept before" keep "$bin/spoke-hub" --no-input log verify "$work/after.txt" --checkpoint "$work/kept.txt"
done_with_claims
