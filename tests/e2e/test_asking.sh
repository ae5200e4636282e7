#!/usr/bin/env bash
# Goal: agencies ask each other and tell each other, at a real hub with three devices. The owner sees before it goes exactly
# what the other gets; the other gets that and nothing else; consent, override and mistakes show and take back the same.
. "$(dirname "$0")/lib.sh"

value() { node "$1" sql "select $2 v from $3" --json | field v; } # value NODE COLUMN FROM
everybody() { # what one wrote reaches all the others
    local at
    for at in a b c a b c; do must node $at sync >/dev/null; done
}
sees() { equal "$1" "$3" "$(count "$2" "$4")"; } # sees CLAIM NODE HOW-MANY FROM
id_of() { must node "$@" --json | field id; }

make_hub
start_hub
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
must node c enrol --code-file "$work/c-site.code" --user Cid >/dev/null
must node a sync >/dev/null
case=$(must node a case new --area north --source 1A --need N1 --summary "Bruising" --rag red --reason "Seen" --json | field reference)
child=$(id_of a person add "$case" --family Pritchard --given Ada --nhs 9434765919)
must node a case share "$case" c >/dev/null
everybody
must node c contact add "$child" phone "01632 960001" --protected >/dev/null
everybody

# ---- asking brings an agency in as far as it must
exits 1 "an agency that nobody knows is not asked" node a request send "$case" probation --question "Known?"
says "and it says where the codes are" "agency"
exits 64 "nor is a question without words" node a request send "$case" b
claim "an agency is asked" node a request send "$case" b --question "Is Ada known to you?" --basis "s47" --json
request=$(field id <"$work/out")
has "by when an answer is due" '"due_at":"20'
has "it is brought in" '"brought_in":true'
claim "another that takes part is asked too" node a request send "$case" c --question "Any injuries?" --json
has "and is not brought in twice" '"brought_in":false'
everybody
exits 0 "the asked agency sees what waits for it" node b request list --in
has "with the question" "Is Ada known to you"
has "and that it waits" "no answer yet"
sees "it sees who it is about" b 1 "person"
sees "not what else is in the case" b 0 "brief"
sees "nor what others were asked" b 1 "request"
sees "the third agency does not see it either" c 1 "request"
sees "a number of the scheme health may know is at health's" c 1 "identifier"
sees "and not at probation's" b 0 "identifier"
sees "a protected contact is with its writer" c 1 "contact"
sees "and the MASH room" a 1 "contact"
sees "and nowhere else" b 0 "contact"

known=$(id_of b record add "$case" --kind check --title "Seen in May" --sensitivity sensitive)
exits 64 "an answer must say what it is" node b request answer "$request"
exits 1 "nobody answers for another" node c request answer "$request" --result known
claim "the answer goes out" node b request answer "${request:0:13}" --result known --record "$known"
says "who will see the record is said" "the MASH room alone"
exits 1 "once" node b request answer "$request" --result not_known
everybody
claim "the asker reads the answer" node a request show "$request" --json
has "what" '"result":"known"'
has "whose" '"answered_name":"Bob"'
sees "the record that says more is in the room" a 1 "record where title = 'Seen in May'"
sees "and not elsewhere" c 0 "record where title = 'Seen in May'"
equal "no record names its request" "" "$(value a "hex(request_id)" "record where title = 'Seen in May'")"
other=$(value c "id" "request")
claim "another declines, with its reason" node c request decline "$other" --reason "No lawful basis given"
everybody
exits 0 "which the asker reads" node a request list --out
has "in the list" "declined: No lawful basis given"

# ---- a pointer tells that there is something, not what
printf 'He was seen with a knife.\nThe informant is his aunt.\n' >"$work/text"
secret=$(id_of b record add "$case" --kind visit --title "Informant" --body-file "$work/text" --sensitivity restricted)
pointer=$(id_of b pointer add "$case" --note "Ask our safeguarding lead" --contact "Bob")
everybody
equal "everybody reads the pointer" "Ask our safeguarding lead" "$(value c note pointer)"
sees "nobody what it points at" a 0 "record where title = 'Informant'"
claim "a case shows it in plain words" node c case show "$case"
has "as somebody to ask" "Ask our safeguarding lead"

# ---- releases: the preview is what they get
ask=$(id_of a release ask "$case" b --pointer "$pointer" --reason "Strategy meeting")
everybody
exits 0 "the owner sees who wants to know" node b release list --waiting
has "and what for" "Strategy meeting"
before=$(count b "release")
claim "the owner looks first" node b release grant "$secret" a --whole --for "$ask" --conditions "Not to the family" --until 3d --dry-run
has "at whom it goes to" "Social care (a) will get exactly this"
has "the title" "^  Title  *Informant$"
has "every line of it" "^    | The informant is his aunt\.$"
has "the conditions" "^  Conditions  *Not to the family$"
has "the end" "^  Until  *[0-9]"
has "that it is all" "That is all they get"
has "and that it was restricted" "restricted to your own agency"
equal "looking writes nothing" "$before" "$(count b "release")"
claim "programs get it with the schema's names" node b release grant "$secret" a --whole --for "$ask" --conditions "Not to the family" --dry-run --json
for name in title body conditions; do sed -n "s/.*\"$name\":\(\"[^\"]*\"\).*/\1/p" "$work/out"; done >"$work/shown"
asking() { # no terminal at all, or one on which this is typed
    local what="$bin/spoke --home $work/b --passphrase-file $work/pass release grant $secret c --spoken"
    if [ "$1" = - ]; then setsid -w $what; else printf '%s\n' "$1" | script -qec "$what" /dev/null; fi
}
exits 64 "where nobody can be asked nothing goes" asking -
says "and it says how" "dry-run"
asking no >"$work/out" 2>"$work/err"
has "no is no" "Nothing was released"
asking yes >"$work/out" 2>"$work/err"
has "yes is yes" "Released with the next contact"
equal "so one went" 1 "$(count b "release where how = 'spoken'")"
must node b void "$(value b id "release where how = 'spoken'")" --reason "Only tried" >/dev/null
claim "it goes" node b release grant "$secret" a --whole --for "$ask" --conditions "Not to the family" --yes --json
told=$(field id <"$work/out")
everybody
claim "the asker reads it" node a release show "$told" --json
for name in title body conditions; do sed -n "s/.*\"$name\":\(\"[^\"]*\"\).*/\1/p" "$work/out"; done >"$work/got"
has "no record is named" '"records":\[\]'
claim "word for word it is what was shown" cmp "$work/shown" "$work/got"
sees "nor is the record there" a 0 "record where title = 'Informant'"
sees "nor what it was made of" a 0 "release_source"
sees "the third agency knows nothing of it" c 0 "release"
equal "the question is answered" "granted Bob" "$(value a "r.state || ' ' || p.name" "release r join practitioner p on p.id = r.decided_by where r.id = x'${ask//-/}'")"
claim "its owner sees from what it was made" node b release show "$told"
has "by the record's id" "$secret"

printf 'Keep him away from the school today.\n' >"$work/red"
exits 64 "one way of telling" node b release grant "$secret" c --whole --spoken --yes
exits 1 "only the owner tells" node a release grant "$known" c --whole --yes
redacted=$(id_of b release grant "$secret" c --redacted-file "$work/red" --title "School" --yes)
spoken=$(id_of b release grant "$secret" c --spoken --conditions "By telephone" --yes)
everybody
claim "the redacted words arrive" node c release show "$redacted"
has "as they are" "Keep him away from the school today"
lacks "and no other" "informant"
looked() { value c "count(*)" "n_view where id = x'${spoken//-/}'"; }
equal "what was told in person nobody there has looked at" 0 "$(looked)"
exits 0 "a list has how it must be handled" node c release list
has "in its words" "By telephone"
equal "and to have read that is a look" 1 "$(looked)"
equal "what was told in person comes without a word" "spoken||By telephone" "$(value c "how || '|' || coalesce(title, '') || coalesce(body, '') || '|' || conditions" "release where id = x'${spoken//-/}'")"
sees "what one agency is told another is not" a 0 "release where how in ('redacted', 'spoken')"

gone=$(id_of c release ask "$case" b --reason "By mistake")
must node c sync >/dev/null
claim "a question is taken back" node c release cancel "$gone"
ask=$(id_of c release ask "$case" b --reason "Curious")
everybody
exits 64 "a refusal has its reason" node b release refuse "$ask"
exits 1 "nobody else takes a question back" node b release cancel "$ask"
claim "the owner refuses" node b release refuse "$ask" --reason "Not needed for your task"
everybody
exits 0 "the asker reads that" node c release list
has "and why" "refused: Not needed for your task"
equal "its own words are not changed" "Curious" "$(value c reason "release where id = x'${ask//-/}'")"

short=$(id_of b release grant "$secret" c --redacted-file "$work/red" --title "Short" --until 4s --yes)
everybody
for ((try = 0; try < 60; try++)); do # by the hub's clock
    [ "$(count c "release where id = x'${short//-/}'")" = 0 ] && break
    must node c sync --wait 1 >/dev/null
done
sees "what was told until a time is gone after it" c 0 "release where id = x'${short//-/}'"
sees "its owner keeps it" b 1 "release where id = x'${short//-/}'"
sees "and what was told without an end stays" c 1 "release where id = x'${redacted//-/}'"

# ---- consent
clinic=$(id_of c record add "$case" --kind visit --title "Clinic" --person "$child" --needs-consent)
claim "whoever writes what needs consent is told" node c record add "$case" --kind visit --title "Second" --person "$child" --needs-consent
says "that nobody sees it" "Nobody else can see"
says "and that risk may decide" "significant harm you may share without consent"
says "how" "spoke record override RECORD --reason"
everybody
sees "nobody does" a 0 "record where agency = 'c'"
exits 1 "a scope that is no agency would bear on nothing" node a consent give "$case" "$child" --scope health
says "and it says so" "code of no agency"
exits 64 "not sought needs a reason" node a consent not-sought "$case" "$child" --scope c
claim "consent is given" node a consent give "$case" "$child" --scope c --told 2026-01-05
everybody
sees "the records are told" a 2 "record where agency = 'c'"
claim "their agency notes that it was taken back" node c consent withdraw "$case" "$child" --scope c --reason "Mother rang"
says "two wait again" "2 records of your agency in this case wait for consent"
says "what a decision rests upon stays" "recorded decision rests upon stays"
equal "in one row" 1 "$(count c consent)"
everybody
sees "they are taken back" a 0 "record where agency = 'c'"
exits 1 "nobody overrides for another" node a record override "$clinic" --reason "risk"
claim "the owner overrides for one" node c record override "$clinic" --reason "Injury, child under 1"
everybody
equal "that one is told" "Clinic" "$(value a title "record where agency = 'c'")"
claim "consent is not sought, and why" node a consent not-sought "$case" "$child" --scope c --reason "Asking puts her at risk"
claim "a case shows it in plain words" node a case show "$case"
has "as it is" "not sought  *Asking puts her at risk"

exits 3 "who only checks is told that his consent will be held" node b consent give "$case" "$child" --scope b
says "until a manager accepts it" "until a manager accepts it"
must node b sync >/dev/null
exits 0 "as it is" node b outbox list
has "by the hub" "held"
claim "and he lets it go" node b outbox discard "$(node b outbox list --json | tr '{' '\n' | grep '"held"' | field seq)"

# ---- mistakes
must node a case share "$case" b --access view >/dev/null
visit=$(id_of c record add "$case" --kind visit --title "Wrong child")
everybody
sees "an open record is with all who take part" b 1 "record where title = 'Wrong child'"
exits 1 "only its writer takes it back" node a void "$visit" --reason "Wrong"
exits 64 "with a reason" node c void "$visit"
claim "taken back" node c void "${visit:0:13}" --reason "Another family"
everybody
sees "it leaves the others" b 0 "record where title = 'Wrong child'"
sees "the MASH room keeps it" a 1 "record where title = 'Wrong child'"
sees "its writer too" c 1 "record where title = 'Wrong child'"
for at in a b c; do
    claim "all is sound at $at" node $at verify
    exits 0 "and nothing is held" node $at held list
done
stop_hub
done_with_claims
