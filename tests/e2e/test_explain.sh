#!/usr/bin/env bash
# Goal: a tired person asks why a row is here, who saw what his agency wrote, what sharing a case would do, and opens a case in
# an emergency: over HTTP, with the hub out of reach, and by USB stick.
. "$(dirname "$0")/lib.sh"

rows_of() { # rows_of TABLE EFFECT: the count in the last reply
    tr '{' '\n' <"$work/out" | grep "\"table\":\"$1\"" | grep "\"effect\":\"$2\"" | field count
}

make_hub
cid=$(hub practitioner list --json | tr '{' '\n' | grep '"name":"Cid"' | field id)
must hub duty add "$cid" north manager >/dev/null
start_hub
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
must node c enrol --code-file "$work/c-site.code" --user Cid >/dev/null
for name in a b c; do must node "$name" sync >/dev/null; done
case_ref=$(must node a case new --area north --source 1A --need N1 --summary "seen twice" --json | field reference)
must node a person add "$case_ref" --family Pritchard --given Ann >/dev/null
must node a record add "$case_ref" --kind note --title "Told by phone" >/dev/null
must node a case share "$case_ref" b >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null
record=$(must node b record add "$case_ref" --kind note --title "Ours" --json | field id)

# ------------------------------------------------------------------------------------------------------------- explain
exits 0 "why a row is here is told in one contact, also of one that was never sent" node b explain "$record"
has "by which channels" "Why it is here"
has "in plain words" "Your agency wrote it"
has "how the site takes part" "It works on the case"
has "and who else sees it" "MASH room (Social care)"
lacks "not by their codes" "a-mash"
lacks "not who does not" "Clinic"
exits 0 "a case is told by its reference" node b explain "$case_ref"
has "the face of the case" "takes part in the case"
exits 0 "and for programs" node b explain "$record" --json
has "with its lines" '"what":"channel"'
has "with codes, and names beside" '"site":"a-mash","site_name":"MASH room","agency":"a","agency_name":"Social care"'
exits 1 "what is not here cannot be asked about" node c explain "$case_ref"
says "and it says so" "holds nothing called"

# ------------------------------------------------------------------------------------------------------------- who saw
must node a sync >/dev/null
exits 0 "the agency that wrote a row is told who saw it" node b who-saw "$record"
has "the room" "MASH room (Social care) from .*, and sees it still"
has "its device holds it, by its place and the beginning of its id" "a device at MASH room ([0-9a-f]\{8\}…) could hold it since"
lacks "and no more of it" "[0-9a-f]\{8\}-"
exits 0 "another agency's row: nothing is told" node a who-saw "$record"
has "and says whose it would be" "of what your own agency wrote"

# ------------------------------------------------------------------------------------------------------------ previews
exits 0 "what sharing would do" node a preview share "$case_ref" c --access view --json
person=$(rows_of person appear)
note=$(rows_of record appear)
equal "one person would appear" 1 "$person"
equal "and two records" 2 "$note"
equal "nothing is shared by asking" 0 "$(must node c sync >/dev/null && count c person)"
must node a case share "$case_ref" c --access view >/dev/null
must node a sync >/dev/null
must node c sync >/dev/null
equal "what appeared is what was said: persons" "$person" "$(count c person)"
equal "records" "$note" "$(count c record)"
exits 0 "what unsharing would do" node a preview unshare "$case_ref" c
has "in plain words" "2 records would leave"
has "and at which devices" "Clinic: 1 of its devices holds the case now"
must node a case unshare "$case_ref" c >/dev/null
must node a sync >/dev/null
exits 0 "a device that was told to forget" node b who-saw "$record"
has "has not confirmed it yet" "was told to forget it, and has not confirmed that"
must node c sync >/dev/null
exits 0 "until it says so" node b who-saw "$record"
has "with the time" "confirmed having forgotten it on"
exits 0 "who does not decide is told nothing" node b preview share "$case_ref" c
has "and why that may be" "decides who takes part"

# --------------------------------------------------------------------------------------------------------- out of reach
stop_hub
exits 14 "the hub out of reach: the question is kept" node b who-saw "$record" --at "$(date -u +%FT%TZ)"
exits 64 "a time to come is no time to ask about" node b who-saw "$record" --at 7d
exits 14 "the hub out of reach" node b explain "$case_ref"
says "nothing is lost" "kept here and goes with the next contact"
exits 14 "a preview, the hub out of reach" node a preview share "$case_ref" c --access check
has "what holds by the rules is said all the same" "They see no record of another agency"
says "and what becomes of the question" "kept here and goes with the next contact"
exits 0 "kept until there is contact" node a preview share "$case_ref" c --access contribute --offline
has "with the rules of that access" "each record that is not sensitive"
exits 64 "an access that is none" node a preview share "$case_ref" c --access all
exits 0 "what was replied before stands here" node b explain "$record" --offline
has "as it was told then" "Who else sees it"
person_id=$(must node b sql "select id v from person limit 1" --json | field v)
exits 0 "a new question waits" node b explain "$person_id" --offline
has "and says so" "It goes with the next contact"
for _ in 1 2; do # the request of the contact that failed, and then the one with the question
    must node b bundle export "$work/b.out" >/dev/null
    must hub bundle exchange "$work/b.out" "$work/b.in" >/dev/null
    must node b bundle import "$work/b.in" >/dev/null
done
exits 0 "the stick brought the reply" node b explain "$person_id" --offline
has "to be read" "How your site takes part"

# ------------------------------------------------------------------------------------------------- at the hub, for all
exits 0 "administrators are told of every site" hub who-saw "$record"
has "the room" "a-mash (a) could see it from .*, and sees it still"
has "a partner that saw it for a while" "c-site (c) could see it from .* until"
has "and whether its device confirmed" "c-site: device .* confirmed having forgotten it"
exits 0 "by the beginning of an id, for programs" hub who-saw "${record:0:30}" --json
has "with its lines" '"what":"device"'
exits 0 "by a case's reference" hub who-saw "$case_ref"
exits 0 "before it was there" hub who-saw "$record" --at 2020-01-01
has "nobody saw it" "Nobody could see it then"

# ----------------------------------------------------------------------------------------------------------- emergency
start_hub
exits 3 "break-glass is off by default" node c break-glass "$case_ref" --reason "Child at the clinic"
cp "$work/out" "$work/refused"
stop_hub
exits 64 "hours are bounded" hub emergency on --hours 100
exits 0 "administrators switch it on" hub emergency on --hours 4
start_hub
exits 3 "a case that does not exist" node c break-glass C-00000000 --reason "Child at the clinic"
equal "looks the same" "$(cat "$work/refused")" "$(cat "$work/out")"
exits 64 "a reason is needed" node c break-glass "$case_ref"
exits 0 "a manager on duty opens the case" node c break-glass "$case_ref" --reason "Child at the clinic"
has "and is told that others know" "have been told who opened it"
claim "it is there to be read" node c case show "$case_ref"
must node a sync >/dev/null
equal "the owners are told who and why" 1 \
    "$(count a "feedback where body like '%Cid at c-site opened this case in an emergency%Child at the clinic%'")"
exits 0 "a second time says that it is open" node c break-glass "$case_ref" --reason "Again"
has "and asks nothing" "is open here now"
must node a sync >/dev/null
equal "nobody is told twice" 1 "$(count a "feedback where channel = 'emergency'")"
exits 3 "whose site works on the case" node b break-glass "$case_ref" --reason "Nothing to open"
has "has it already" "What your site sees of the case is here already"
stop_hub
exits 0 "and off again" hub emergency off
exits 0 "administrators read of every attempt" hub act list
has "who, which case and why" "Cid at c-site, $case_ref: opened until .*Child at the clinic"
has "and why not" "C-00000000: not opened, there is no such case"
has "and of what they did themselves" "emergency off"

# ------------------------------------------------------------------------------------------- who loses it, beforehand
exits 0 "an own record made narrower" node b record set "$record" sensitivity=restricted
says "who it was for, and for whom it is now" "for everybody who takes part. With this change it is for your agency alone"
says "and what becomes of it elsewhere" "told to forget it"
exits 64 "to say the same again is no change" node b record set "$record" sensitivity=restricted title=Ours
says "and said to be none" "says that already"
done_with_claims
