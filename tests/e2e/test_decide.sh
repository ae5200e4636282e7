#!/usr/bin/env bash
# Goal: a partner who rates a case otherwise is heard and decides nothing; social care decides about it, and the case; whoever took
# part learns the outcome and says so. With commands alone, through two devices and a real hub.
. "$(dirname "$0")/lib.sh"

value() { node "$1" sql "select $2 v from $3" --json | field v; } # value NODE COLUMN FROM
both() {
    must node "$1" sync >/dev/null
    must node "$2" sync >/dev/null
}

make_hub
claim "a time scale by working hours is set at the hub" hub timescale set green 8h --clock working
exits 64 "red is never counted so" hub timescale set red 4h --clock working
exits 0 "time scales are listed" hub timescale list
has "with their clock" "green.*decision.*480.*working"
lacks "blue has none" "blue"
claim "a bank holiday is added" hub holiday add 2031-04-14 "Easter Monday"
exits 0 "the days are listed" hub holiday list
has "with their names" "2031-04-14.*Easter Monday"
claim "and taken back" hub holiday remove 2031-04-14
exits 1 "once" hub holiday remove 2031-04-14
start_hub
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
must node a sync >/dev/null
case=$(must node a case new --area north --source 1A --need N1 --summary "A bruise on the arm" --rag amber --reason "Seen" --json | field reference)
must node a case share "$case" b >/dev/null
both a b

# ---- a rating that differs
exits 64 "a rating needs its reason" node b rate "$case" red
claim "a partner rates otherwise" node b rate "$case" red --reason "Two bruises before" --json
has "which is a dispute" '"disputed":true'
has "and not the case's rating" '"stands":false'
dispute=$(field challenge_id <"$work/out")
says "that is said" "stays as it is until social care decides"
both b a
equal "the case stays as it is rated" amber "$(value a rag case_file)"
exits 3 "the dispute waits for a person" node a dispute list
has "with what they say" "b  *the rating  *amber  *red  *Two bruises before"
exits 1 "who raised it does not decide it" node b dispute decide "$dispute" upheld --reason "We are right"
claim "social care upholds it" node a dispute decide "$dispute" upheld --reason "The school nurse agrees"
both a b
equal "it is the case's rating now" red "$(value b rag case_file)"
exits 0 "nothing waits any more" node b dispute list --all
has "and the reason is read by who raised it" "upheld.*Ann.*The school nurse agrees"

# ---- the meeting, the decision
claim "a meeting is noted" node a meeting add "$case" --outcome "All see a pattern" --present Ann --dissent "Bob=A visit tonight"
claim "what is to be done" node b action add "$case" "Visit the home" --due 2d
action=$(sed -n 's/^Action //p' "$work/out")
exits 1 "a partner does not decide" node b decide "$case" --decision "Nothing" --outcome NFA
says "and is told who does" "led by 'a'"
exits 3 "who leads it decides, and is told what is open" node a decide "$case" --decision "Assess the family" --outcome ASSESS \
    --rag amber --reason "The father has left"
says "that nobody was told yet" "has not been told the outcome"
claim "it is allocated" node a allocate "$case" Ann --role "social worker"
both a b
must node a sync >/dev/null
equal "the partner reads the decision" "Assess the family" "$(value b decision brief)"
equal "and who did not agree" "A visit tonight" "$(value b dissent "attendance where dissent is not null")"
claim "an action is done" node a action set "$action" done --note "Seen, all well"

# ---- feedback
echo "An assessment begins on Monday." >"$work/outcome"
claim "the outcome is told" node a feedback send "$case" b c --body-file "$work/outcome" --to Bob --json
feedback=$(tr '{' '\n' <"$work/out" | grep '"to_agency":"b"' | field id)
both a b
exits 0 "the partner finds it" node b feedback list --in
has "in words" "An assessment begins on Monday"
equal "and not what others were told" 1 "$(count b feedback)"
claim "and says so" node b feedback ack "$feedback"
exits 1 "once" node b feedback ack "$feedback"
both b a
equal "which the other reads" Bob "$(value a name "practitioner where id = (select ack_by from feedback where ack_at is not null)")"
claim "the case is closed" node a decide "$case" --close RC8
both a b
equal "everywhere" closed "$(value b status case_file)"
done_with_claims
