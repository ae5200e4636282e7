#!/usr/bin/env bash
# Goal: a MASH goes from one version of its tables to the next, hub first, device first and long after, with the programs
# that people run. Every order, and many values, are in tests/schema/test_upgrade.c. Of the versions (tests/schema) the second
# adds person.nickname, and as the product itself when two versions were written; the third person.height, the fourth
# person.shoe_size.
. "$(dirname "$0")/lib.sh"

hub_of() { # hub_of PROGRAM: stops the running one
    stop_hub
    hub_program=$1
    start_hub
}
people() { count "$1" "person where $2"; }
two_versions() { # two_versions COLUMN VALUE VALUE: a and b write it differently, each without knowing
    must node a sql --write "update person set $1 = '$2' where given_names = 'Ivy'" >/dev/null
    must node b sql --write "update person set $1 = '$3' where given_names = 'Ivy'" >/dev/null
    for name in a b a c; do must node "$name" sync >/dev/null; done
}

hub_program=spoke-hub-v1
make_hub
start_hub
program[a]=spoke-v1
program[c]=spoke-v1
program[b]=spoke-v2 # newer than the hub from the first day
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
must node c enrol --code-file "$work/c-site.code" --user Cid >/dev/null
must node a sync >/dev/null
case_ref=$(must node a case new --area north --source 1A --need N1 --summary "Goes on for years" --json | field reference)
must node a person add "$case_ref" --family Wren --given Ivy --role child >/dev/null
must node a case share "$case_ref" b >/dev/null
must node a case share "$case_ref" c >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null
must node c sync >/dev/null

exits 64 "a new device at an old hub cannot write what the hub would not know" \
    node b sql --write "update person set nickname = 'Wrennie'"
two_versions sex 'Of a' 'Of b'
exits 3 "and shows two versions of before anybody kept when they were written" node b conflict list
has "and says that it is not known" "Of a .*Ann .*not known .*Of b .*Bob .*not known"
must node b person add "$case_ref" --family Wren --given Una --role parent >/dev/null
must node a person add "$case_ref" --family Wren --given Gus --role adult >/dev/null # unsent when a is updated

hub_of spoke-hub-v2
claim "a newer device gets the hub's version with its first contact" node b sync
claim "and then has the new columns" node b sql --write "update person set nickname = 'Wrennie' where given_names = 'Ivy'"
must node b sync >/dev/null
claim "an old device goes on exchanging" node c sync
equal "and has what its version knows" 2 "$(people c "family_name = 'Wren'")"
program[a]=spoke-v2
claim "a device is updated with work that it had not sent" node a sync
equal "what was written in a new column before its update arrives after it" Ivy \
    "$(node a sql "select given_names v from person where nickname = 'Wrennie'" --json | field v)"
must node b sync >/dev/null
equal "and the work that waited is everywhere" 1 "$(people b "given_names = 'Gus'")"
two_versions died_on 2020-01-01 2020-01-02
equal "two versions say when they were written" 1 \
    "$(count b "conflict where col = 'died_on' and kept_at between found_at - 600000 and lost_at and lost_at <= found_at")"
exits 3 "an old device has them too" node c conflict list
has "without the times" "2020-01-01 .*Ann .*not known .*2020-01-02 .*Bob .*not known"
program[a]=spoke-v1
exits 1 "an older program does not touch a newer store" node a status
grep -q "newer version of Spoke" "$work/err" && ok "and says so" || not_ok "and says so"
program[a]=spoke-v2

hub_of spoke-hub-v4
must node c person add "$case_ref" --family Wren --given Zeb --role sibling >/dev/null
exits 1 "a device more than two versions behind is told to update" node c sync
grep -q "too old for the MASH server" "$work/err" && ok "in words for people" || not_ok "in words for people"
exits 1 "again and again" node c sync
equal "and nothing of it was taken in" 0 "$(must node a sync >/dev/null; people a "given_names = 'Zeb'")"
program[c]=spoke-v4
claim "until it is updated" node c sync
must node a sync >/dev/null
equal "then its work arrives" 1 "$(people a "given_names = 'Zeb'")"
equal "and what it had missed" Ivy \
    "$(node c sql "select given_names v from person where nickname = 'Wrennie'" --json | field v)"
equal "with when two versions were written" 1 \
    "$(count c "conflict where col = 'died_on' and kept_at is not null and lost_at is not null")"
equal "which of those before stays unknown" 1 "$(count c "conflict where kept_at is null and lost_at is null")"
must node c sql --write "update person set shoe_size = 38, height = 160 where given_names = 'Zeb'" >/dev/null
must node c sync >/dev/null
program[a]=spoke-v4
claim "the last device is updated" node a sync
equal "and has everything" 1 "$(people a "shoe_size = 38 and height = 160")"
claim "and its store is sound" node a verify
stop_hub
hub_program=spoke-hub-v1
exits 1 "an older hub program does not open a newer store" hub node list
done_with_claims
