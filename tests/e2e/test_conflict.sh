#!/usr/bin/env bash
# Goal: two people write one thing differently; a tired reader sees at once what, who, where, by which rule, and which of it
# cannot wait, and settles it with a reason that stays on record.
. "$(dirname "$0")/lib.sh"

listed() { # the ids of a list's cases, in its order
    node a conflict list --json "$@" 2>/dev/null | tr '{' '\n' | field reference
}
conflict_of() { node a sql "select id v from conflict where col = '$1' and $2" --json | field v; }

date_written='[0-9]* [A-Z][a-z][a-z] 20[0-9][0-9] at [0-9][0-9]:[0-9][0-9]'

make_hub
start_hub
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
must node a sync >/dev/null
green=$(must node a case new --area north --source 1A --need N1 --summary "a green one" --json | field reference)
red=$(must node a case new --area north --source 1A --need N1 --summary "a red one" --rag red --reason "seen" --json | field reference)
one=$(must node a person add "$green" --family Pritchard --given Ann --json | field id)
two=$(must node a person add "$red" --family Rees --given Mair --json | field id)
phone=$(must node a contact add "$one" phone "000" --json | field id)
must node a case share "$green" "$red" b >/dev/null
must node a sync >/dev/null
must node b sync >/dev/null

# The green one is found first; the red one wants to be read first.
for name in a b; do
    must node "$name" person set "$one" "given_names=Name of $name" >/dev/null
    must node "$name" contact set "$phone" "value=Number of $name" >/dev/null
    must node "$name" sync >/dev/null
done
must node a sync >/dev/null
for name in a b; do must node "$name" person set "$two" "given_names=Other of $name" >/dev/null; done
must node a sync >/dev/null
must node b sync >/dev/null
must node a sync >/dev/null

exits 3 "what waits for a decision wants a person" node a conflict list
has "both versions are shown" "Name of a.*Name of b"
has "with their authors, sites and agencies, and when each wrote" \
    "Ann  *MASH room, Social care  *$date_written .*Bob  *Office, Probation  *$date_written "
has "the rule is said in plain words" "somebody must decide"
lacks "and not in the engine's" "escalate"
lacks "what a rule decided does not wait" "Number of"
has "a red case says who is to be told" "red case: tell the manager now"
equal "red cases come first" "$red" "$(listed | head -n 1)"
equal "the green one is there too" "$green" "$(listed | tail -n 1)"

exits 0 "all of them, with what a rule decided" node a conflict list --all
has "and how it decided" "the later one stands.*decided by the rule"
equal "what waits comes before what is decided" "$red" "$(listed --all | head -n 1)"

name=$(conflict_of given_names "kept = 'Name of a'")
number=$(conflict_of value "state = 'ruled'")
claim "one of them is shown" node a conflict show "$name"
has "what is kept" "^Kept  *Name of a$"
has "and the other" "^Other  *Name of b$"
has "each with its author" "^by  *Ann$"
has "where that is" "^at  *MASH room, Social care$"
has "of the other too" "^at  *Office, Probation$"
equal "and when each was written" 2 "$(grep -c "^written  *$date_written$" "$work/out")"
has "when it was found" "^Found  *[0-9]"
has "what stands by now" "^Stands now  *Name of a$"
claim "programs get it as it is kept" node a conflict show "$name" --json
has "with where each was written, by its codes" '"kept_agency":"a","kept_site":"a-mash".*"lost_agency":"b","lost_site":"b-site"'
has "when each was written" '"kept_at":"20[0-9T:.-]*Z".*"lost_at":"20[0-9T:.-]*Z"'
has "with the policy's own word" '"policy":"escalate"'
has "and what a person reads" '"rule":"somebody must decide"'
has "not red" '"red":false'

exits 64 "no reason, no settling" node a conflict resolve "$name" --keep lost
says "and it says so" "reason"
exits 64 "an empty reason is none" node a conflict resolve "$name" --keep lost --reason ""
exits 64 "nor is a choice left open" node a conflict resolve "$name" --reason "so"
exits 64 "nor both" node a conflict resolve "$name" --keep kept --value-file "$work/pass" --reason "so"
exits 1 "what is not there" node a conflict resolve 00000000-0000-7000-8000-000000000000 --keep kept --reason "so"

claim "it is settled with a reason" node a conflict resolve "$name" --keep lost --reason "Birth certificate seen"
claim "what a rule decided is settled otherwise" node a conflict resolve "$number" --keep lost --reason "Rang both"
must node a sync >/dev/null
must node b sync >/dev/null
for at in a b; do
    equal "the name at $at" "Name of b" "$(node $at sql "select given_names v from person where family_name = 'Pritchard'" --json | field v)"
done
lost=$(node a sql "select lost v from conflict where col = 'value'" --json | field v)
equal "the number that had lost" "$lost" "$(node b sql "select value v from contact" --json | field v)"
exits 1 "nobody settles it twice" node a conflict resolve "$name" --keep kept --reason "No"
says "and where to read who did" "conflict show"
claim "settled ones stay" node b conflict show "$name"
has "with the reason" "^Reason  *Birth certificate seen$"
has "and who settled it" "^by  *Ann$"
has "both versions too" "^Other  *Name of b$"
equal "and when they were written" 2 "$(grep -c "^written  *$date_written$" "$work/out")"
lacks "and it waits no more" "to be decided"

printf 'Third\n' >"$work/third"
other=$(conflict_of given_names "kept = 'Other of a'")
claim "a third value settles too" node a conflict resolve "$other" --value-file "$work/third" --reason "Asked her"
must node a sync >/dev/null
must node b sync >/dev/null
equal "and stands everywhere" "Third" "$(node b sql "select given_names v from person where family_name = 'Rees'" --json | field v)"
exits 0 "nothing waits any more" node a conflict list
has "and it says where the others are" "conflict list --all"
stop_hub
done_with_claims
