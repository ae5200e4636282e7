#!/usr/bin/env bash
# Goal: an information-governance lead can have a hub say in plain words who sees what, and try a changed policy before
# anybody is asked to live with it, on any computer and without touching the hub.
. "$(dirname "$0")/lib.sh"

make_hub
policy() { "$bin/$hub_program" --home "$work/nowhere" --no-input policy "$@"; }

claim "the hub prints the policy in force" hub policy text
cp "$work/out" "$work/own.sql"
claim "and says who sees what under it" hub policy check
cp "$work/out" "$work/own.txt"
claim "in a table" grep -q "^person  *yes *yes *yes *yes *open *yes *- *- *$" "$work/own.txt"
claim "and in a sentence" grep -q "^link: seen by the MASH room of the area; and always by the agency that wrote it.$" "$work/own.txt"
claim "a file is checked without a hub" policy check "$work/own.sql"
policy check "$work/own.sql" >"$work/said" 2>/dev/null
claim "and the same is said of the same text" cmp -s "$work/said" "$work/own.txt"

sed "/SELECT 'rating', id, case_id/d" "$work/own.sql" >"$work/less.sql"
exits 3 "a table that nobody would see wants a person" policy check "$work/less.sql"
policy check "$work/less.sql" >"$work/said" 2>/dev/null
claim "and is named" grep -q "^Warning: Rows of rating are in no channel" "$work/said"
policy check "$work/less.sql" --json >"$work/said" 2>/dev/null
claim "for programs too" grep -q '"warnings":\["Rows of rating are in no channel' "$work/said"

{ cat "$work/own.sql"; echo "DROP TABLE record;"; } >"$work/bad.sql"
exits 64 "a policy that does anything is refused" policy check "$work/bad.sql"
policy check "$work/bad.sql" 2>"$work/said" >/dev/null
claim "with the line" grep -q "^spoke-hub: Line $(wc -l <"$work/bad.sql") of the policy: only statements" "$work/said"
sed 's/FROM warning$/FROM h_node/' "$work/own.sql" >"$work/nosy.sql"
exits 64 "so is one that reads what is not shared" policy check "$work/nosy.sql"
exits 1 "and one that is not there" policy check "$work/none.sql"
hub policy text >"$work/said" 2>/dev/null
claim "none of which has changed the policy of the hub" cmp -s "$work/said" "$work/own.sql"
claim "nor was a hub made by it" test ! -e "$work/nowhere"
done_with_claims
