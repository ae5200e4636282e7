#!/usr/bin/env bash
# Goal: a lead changes who sees what in a hub that lives: told beforehand what would appear and leave and on which devices,
# then in force, devices brought to it at their next contact; and told what is on a device before it is revoked.
. "$(dirname "$0")/lib.sh"

make_hub
start_hub
must node a enrol --code-file "$work/a-mash.code" --user "Ann" >/dev/null
must node b enrol --code-file "$work/b-site.code" --user "Bob" >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null
stop_hub
case=$(must node a case new --area north --source 1A --need N1 --summary "first" --json | field id)
must node a person add "$case" --family "One" --given "Child" >/dev/null
must node a case share "$case" b --access check >/dev/null
in_step a
in_step b
equal "the office, asked to check, knows who it is about" 1 "$(count b person)"
equal "and nothing of the work of the case" 0 "$(count b brief)"

# People for those who see the work alone, and the brief for all who take part.
hub policy text >"$work/old.sql" 2>/dev/null
sed -e "/SELECT 'person', id, case_id/s/'face'/'shared'/" -e "/SELECT 'brief', id, case_id/s/'shared'/'face'/" \
    "$work/old.sql" >"$work/new.sql"
claim "another policy is looked at before" keep hub preview policy "$work/new.sql"
claim "it says whose sight would change" said "b-site"
claim "which rows would leave" grep -q "^  person  *1 leave$" "$work/said"
claim "and which would appear" grep -q "^  brief  *1 appear$" "$work/said"
claim "and which device would have to forget" said "$(device_of b-site)"
hub preview policy "$work/new.sql" --json >"$work/said" 2>/dev/null
claim "for programs too" grep -q '"site":"b-site","table":"person","appear":0,"leave":1' "$work/said"
in_step b
equal "it was only looked at" 1 "$(count b person)"

exits 64 "a policy is not changed without a reason" hub policy apply "$work/new.sql"
exits 64 "there is nothing to go on with" hub policy continue
claim "it is put in force" keep hub policy apply "$work/new.sql" --reason "agreed by the partners"
claim "in plain words" said "is in force"
claim "the hub agrees with itself" hub verify
exits 1 "the same again is refused" hub policy apply "$work/new.sql" --reason "again"
hub policy text >"$work/said" 2>/dev/null
claim "and it is the one that is printed now" cmp -s "$work/said" "$work/new.sql"
in_step b
equal "who the case is about has left the office" 0 "$(count b person)"
equal "and the brief has come" 1 "$(count b brief)"
claim "which the office has confirmed" test "$(hub node show "$(device_of b-site)" --json | field unconfirmed_drops)" = 0
claim "the old one can be put back" keep hub policy apply "$work/old.sql" --reason "it did not work" --json
claim "for programs too" grep -q '"policy":3' "$work/said"
in_step b
equal "and all is as before" "1 0" "$(count b person) $(count b brief)"

device=$(device_of b-site)
must node b record add "$case" --kind visit --title "not sent" >/dev/null
claim "what is on a device is said before it is revoked" keep hub preview revoke "$device"
claim "rows by table" grep -q "^  person  *1$" "$work/said"
claim "and that nothing was changed" said "Nothing was changed."
hub preview revoke "$device" --json >"$work/said" 2>/dev/null
claim "for programs too" grep -q '"cases":1' "$work/said"
claim "the device is as it was" test "$(hub node show "$device" --json | field state)" = enrolled
exits 1 "a device that is not there cannot be looked at" hub preview revoke 0000000000
done_with_claims
