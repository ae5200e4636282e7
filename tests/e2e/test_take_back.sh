#!/usr/bin/env bash
# Goal: a case that is taken back from an agency leaves its device, whatever lies unsent in it, and administrators see until
# then what has not been confirmed: with the real programs, by files on a stick.
. "$(dirname "$0")/lib.sh"

of_device() { hub node show "$1" --json | field "$2"; }
metric() { hub metrics | sed -n "s/^$1{.*site=\"$2\"} //p"; }

make_hub
start_hub
must node a enrol --code-file "$work/a-mash.code" --user "Ann" >/dev/null
must node b enrol --code-file "$work/b-site.code" --user "Bob" >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null
stop_hub

lost=$(must node a case new --area north --source 1A --need N1 --summary "taken back" --json | field id)
given=$(must node a case new --area north --source 1A --need N1 --summary "given instead" --json | field id)
must node a person add "$lost" --family "Losty" --given "One" >/dev/null
must node a person add "$given" --family "Given" --given "Two" >/dev/null
must node a case share "$lost" b --access contribute >/dev/null
in_step a
in_step b
equal "the probation office has the case" 1 "$(count b "case_file where hex(id) = '$(tr -d - <<<"${lost^^}")'")"
hex=$(tr -d - <<<"${lost^^}")
device=$(device_of b-site)
equal "nothing is to be forgotten yet" 0 "$(of_device "$device" unconfirmed_drops)"
equal "and the figures say so" 0 "$(metric spoke_unconfirmed_drops b-site)"

# Offline: a note is written; meanwhile the case is taken back and another one given.
must node b record add "$lost" --kind visit --title "what may protect the child" >/dev/null
must node a case unshare "$lost" b >/dev/null
must node a case share "$given" b --access contribute >/dev/null
in_step a
owed=$(of_device "$device" unconfirmed_drops)
claim "rows are to be forgotten there, and not confirmed" test "$owed" -ge 4
equal "the figures name as many" "$owed" "$(metric spoke_unconfirmed_drops b-site)"
age=$(metric spoke_oldest_unconfirmed_drop_age_seconds b-site)
claim "with how long the oldest has waited" test "${age#*.}" != "$age"
claim "the figures of a device without such orders have no age" test -z "$(metric spoke_oldest_unconfirmed_drop_age_seconds a-mash)"
claim "the device's page can be read" keep hub node show "$device"
claim "it says since when" said "To forget since"
claim "and what a confirmation covers" said "says nothing of blocks of its disk that were freed before"
claim "figures name no case, person or text" test -z "$(hub metrics | grep -iE 'losty|taken|child')"

# It comes back, by stick.
must node b bundle export "$work/b.out" >/dev/null
must hub bundle exchange "$work/b.out" "$work/b.in" >/dev/null
must node b bundle import "$work/b.in" >/dev/null
equal "nothing is believed gone before its receipt" "$owed" "$(of_device "$device" unconfirmed_drops)"
in_step b
equal "every row is confirmed removed" 0 "$(of_device "$device" unconfirmed_drops)"
claim "and listed as such" test "$(of_device "$device" confirmed_drops)" -ge "$owed"
equal "no age is left" "" "$(metric spoke_oldest_unconfirmed_drop_age_seconds b-site)"
equal "the note was taken in" applied "$(node b outbox list --json | field state | tail -n 1)"
equal "the other case is there" 1 "$(count b "person where family_name = 'Given'")"
for t in case_file brief person; do
    equal "nothing of the lost case is left in $t" 0 "$(count b "$t where hex(case_id) = '$hex' and agency <> 'b'")"
done
equal "what the office wrote stays with it" 1 "$(count b "record where title = 'what may protect the child'")"
in_step a
equal "and the MASH room reads it" 1 "$(count a "record where title = 'what may protect the child'")"
claim "the hub agrees with the policy, row by row" hub verify
exits 3 "who does not lead the case hears that a manager must accept it" node b case share "$given" c
cp "$work/err" "$work/said"
claim "in words" said "keeps this back until a manager accepts it"
done_with_claims
