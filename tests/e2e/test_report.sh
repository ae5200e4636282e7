#!/usr/bin/env bash
# Goal: what was done is on record, by whom and in which case, without a word of what was written; and how the MASH does can be
# counted. With commands alone, through two devices and a real hub.
. "$(dirname "$0")/lib.sh"

both() {
    must node "$1" sync >/dev/null
    must node "$2" sync >/dev/null
}

make_hub
start_hub
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
must node a sync >/dev/null
case=$(must node a case new --area north --source 1A --need N1 --summary "A bruise on the arm" --rag red --reason "Seen" --json | field reference)
other=$(must node a case new --area north --source 1A --need N2 --summary "A cold home" --rag green --reason "Cold" --json | field reference)
must node a case share "$case" b >/dev/null
request=$(must node a request send "$case" b --question "Is the family known?" --basis "Children Act 1989 s47" --json | field id)
both a b
must node b record add "$case" --kind note --title "Two visits" --body-file - <<<"The health visitor worried." >/dev/null
must node b request answer "$request" --result known >/dev/null
must node a decide "$case" --decision "Assess the family" --outcome ASSESS --rag amber --reason "Father has left" >/dev/null
both b a

# ---- how the MASH does
exits 0 "a report is counted" node a report
has "all cases" "^Cases: 2\."
has "who referred, in words" "2  Individual: family member, relative or carer"
has "reds within their time" "Red cases decided within their time: 1 of 1"
has "ratings before and after" "1  red, then amber"
has "what has no decision yet" "1  green, then none"
has "answers of partners" "1  asked of .*: 1 answered, 0 declined, 0 late.*100% in time"
exits 0 "programs get the same" node a report --json
has "with its shares" '"red_in_time":{"cases":1,"within":1,"share":1'
exits 0 "a time before is empty" node a report --to 2020-01-01
has "and says so" "^Cases: 0\."
exits 64 "a time that ends before it begins is refused" node a report --from 2031-01-02 --to 2031-01-01
exits 0 "one area alone" node a report --area nowhere --json
has "has no cases here" '"cases":0'
claim "a line a case goes into a file" node a report --csv "$work/report.csv"
equal "with its heading" 3 "$(grep -c . "$work/report.csv")"
equal "and the ratings" 1 "$(grep -c "^$case,north,.*,1A,N1,.*,red,amber,ASSESS," "$work/report.csv")"

# ---- what was done
exits 0 "the audit lists what was done here" node a audit list
has "by whom, and in which case" "collection *$case *Ann: opened a case"
has "what was disclosed" "disclosure *$case *Ann: shared a case with an agency"
has "and asked" "disclosure *$case *Ann: asked an agency what it knows"
lacks "but not what was written" "bruise"
lacks "nor asked" "family known"
exits 0 "of one case alone" node a audit list --case "$other" --json
has "it has that" '"what":"opened a case"'
lacks "and nothing of another" '"what":"shared a case'
exits 0 "of one kind alone" node a audit list --kind disclosure --json
lacks "and no other" '"kind":"collection"'
exits 64 "of the six kinds" node a audit list --kind gossip
says "which it names" "collection, alteration, consultation, disclosure, combination, erasure"
claim "all of it goes into a file" node a audit list --csv "$work/audit.csv"
equal "with who and which case" 1 "$(grep -c "collection,opened a case,Ann,.*,$case," "$work/audit.csv")"
exits 0 "the other device has its own" node b audit list
has "with what was done there" "disclosure *$case *Bob: answered a request"
lacks "and nothing of the first" "Ann: "
rm -f "$work/report.csv" "$work/audit.csv"
done_with_claims
