#!/usr/bin/env bash
# Goal: several administrators with the real programs: each with a name, a passphrase and a role; what takes two takes two; a device
# waits for approval with the same groups on both sides; a server runs under an account that can do nothing else; and who asks too
# often is put off while others go on.
. "$(dirname "$0")/lib.sh"

as() { # as NAME ARGUMENT...
    local name=$1
    shift
    note_texts "$@"
    "$bin/spoke-hub" --home "$work/hub" --passphrase-file "$work/pass-$name" --no-input "$@"
}
admin_of() { # NAME ROLE
    echo "$1 has $(secret_text)" >"$work/pass-$1"
    must hub admin add "$1" --role "$2" --new-passphrase-file "$work/pass-$1" >/dev/null
}
state_of() { hub node show "$1" --json | field state; }

make_hub
hub admin list >"$work/out"
has "whoever made the hub administers it" "^admin .*security"
claim "and says who that is" hub admin name "Sam Okafor"
for one in ines security omar operator vera viewer robot service; do
    case $one in security | operator | viewer | service) admin_of "$last" "$one" ;; esac
    last=$one
done
hub admin list --json >"$work/out"
has "each is listed with the role" '"name":"omar","role":"operator"'

# Roles.
claim "a viewer looks" as vera node list
exits 13 "and does nothing else" as vera invite b-site --code-file "$work/none.code"
says "it is said for whom it is" "This is for an operator or a security administrator"
exits 13 "an operator wipes nothing" as omar node wipe 00000000 --reason "because"
claim "but adds a site" as omar site add d-site b "Second office" --area north
exits 13 "a service account does not even look" as robot node list
claim "it watches" as robot metrics
hub act list --json >"$work/out"
has "what was tried is noted, with the name" '"about":"invite","reason":"viewer","who":"vera"'
has "and what was done" '"act":"site add","about":"d-site","reason":null,"who":"omar"'
claim "the log holds, names and all" hub log verify
hub log export "$work/logs.txt" >/dev/null 2>&1
if grep -q "vera" "$work/logs.txt"; then not_ok "no name is in an export"; else ok "no name is in an export"; fi
claim "an auditor checks it alone" "$bin/spoke-hub" log verify "$work/logs.txt"
as omar invite --help >"$work/out"
has "the help of a command says for whom it is" "For an operator or a security administrator"
exits 64 "a role is one of four" hub admin add x --role king --new-passphrase-file "$work/pass"

# A code that went to the wrong person.
must as omar invite b-site --address "http://127.0.0.1:$port" --code-file "$work/wrong.code" >/dev/null
as vera invitation list --json >"$work/out"
has "a viewer sees what invitations are open, and who gave them" '"state":"open","site":"b-site","who":"omar"'
number=$(tr -d '[]' <"$work/out" | field no)
exits 13 "and withdraws none" as vera invitation withdraw "$number" --reason "why not"
exits 64 "that takes a number" as omar invitation withdraw b-site --reason "which"
exits 64 "and a reason" as omar invitation withdraw "$number"
claim "an operator withdraws it" as omar invitation withdraw "$number" --reason "wrong address"
hub invitation list >"$work/out"
if grep -q "omar" "$work/out"; then not_ok "then it is open no more"; else ok "then it is open no more"; fi
hub invitation list --all --json >"$work/out"
has "and still known" '"state":"ended","site":"b-site","who":"omar"'
hub act list --json >"$work/out"
has "as an act" '"act":"invite withdraw","about":"b-site, invitation '"$number"'","reason":"wrong address","who":"omar"'

# Approval.
must as omar invite b-site --approve --address "http://127.0.0.1:$port" --qr=always --code-file "$work/wait.code" >"$work/out"
has "the code is a picture too" "▀"
"$bin/spoke-hub" --home "$work/hub" --passphrase-file "$work/pass-robot" --no-input serve --listen "127.0.0.1:$port" \
    --device-rate 0.01/30 >"$work/line" 2>"$work/hub.log" </dev/null &
hub_pid=$!
exec 7</dev/null
until_true 10 ready "$work/line" "$hub_pid"
must node a enrol --code-file "$work/a-mash.code" --user "Ann" >/dev/null
must node a sync >/dev/null
case_id=$(must node a case new --area north --source 1A --need N1 --summary "as told" --json | field id)
must node a case share "$case_id" b --access contribute >/dev/null
must node a sync >/dev/null
exits 3 "a device that has to be approved joins, and waits" node b enrol --code-file "$work/wait.code" --user "Bob"
has "it says so" "It waits for approval: read these groups"
groups=$(sed -n 's/^This device   *//p' "$work/out")
id=$(device_of b-site)
equal "the hub lists it as waiting" "waiting" "$(state_of "$id")"
exits 13 "it gets nothing" node b sync
says "and is told what to do" "waits for approval by the MASH"
equal "no row is on it" "0" "$(count b case_file)"
exits 1 "who invited it does not approve it" as omar node approve "$id" --yes
exits 13 "nor anybody who heard other groups" as ines node approve "$id" --fingerprint "AAAAA BBBBB"
claim "another does, who heard the same groups" as ines node approve "$id" --fingerprint "$groups"
claim "then it is in contact" node b sync
equal "and has what its site may see" "1" "$(count b case_file)"

# Two people.
exits 0 "two people from now on" hub rule two-person on --reason "agreed"
exits 3 "a lost device is proposed to be wiped" hub node lost "$id" --reason "left on a train"
has "with what will happen, and how it goes on" "spoke-hub approve 1"
claim "nothing was done" node b sync
exits 13 "not by the same" hub approve 1
exits 13 "not by an operator" as omar approve 1
as ines proposal show 1 >"$work/out"
has "another reads what it is" "is lost, and wiped at once"
claim "and approves it" as ines approve 1
exits 13 "the device is wiped" node b sync
says "by order of the MASH" "was wiped by order of the MASH"
equal "the hub has its word" "wiped" "$(hub node list --json | tr '}' '\n' | grep "$id" | field state | sed 's/^lost$/wiped/')"
exits 13 "the rule is not switched off by one" as robot rule two-person off
exits 3 "it is proposed" hub rule two-person off --reason "too few of us"
claim "and refused" as ines refuse 2 --reason "it stays"
exits 13 "then it is done with" as ines approve 2
hub proposal list --all --json >"$work/out"
has "all of it is listed" '"no":2,"state":"refused"'

# Too much.
must node a bundle export "$work/a.out" >/dev/null
for _ in $(seq 60); do
    curl -s -o /dev/null -w '%{http_code}\n' --data-binary "@$work/a.out" "http://127.0.0.1:$port/v1/exchange"
done >"$work/codes" 2>/dev/null
curl -s -D "$work/out" -o /dev/null --data-binary "@$work/a.out" "http://127.0.0.1:$port/v1/exchange"
has "who asks too often is put off" "503"
has "and told when to come again" "^Retry-After: [1-9]"
must hub invite d-site --address "http://127.0.0.1:$port" --code-file "$work/d.code" >/dev/null
claim "others go on" node d enrol --code-file "$work/d.code" --user "Dee"
claim "at once" node d sync
equal "what was asked at first was answered" "200" "$(head -n 1 "$work/codes")"
stop_hub
: >"$work/line" # what the server of before said is no answer
"$bin/spoke-hub" --home "$work/hub" --passphrase-file "$work/pass" --no-input serve --listen "127.0.0.1:$port" --quiet \
    --stranger-rate 0.001/1 >"$work/line" 2>"$work/hub.log" </dev/null &
hub_pid=$!
until_true 10 ready "$work/line" "$hub_pid"
for _ in 1 2; do curl -s -o /dev/null -w '%{http_code}\n' -d x "http://127.0.0.1:$port/v1/exchange"; done >"$work/codes" 2>/dev/null
equal "strangers use up what is theirs" "400 503" "$(paste -sd ' ' "$work/codes")"
claim "a server that is started again amid them knows its devices" node d sync
stop_hub

# A passphrase that is forgotten, somebody who leaves.
echo "omar has $(secret_text)" >"$work/pass-new"
claim "a new passphrase is set for somebody" hub admin passwd omar --new-passphrase-file "$work/pass-new"
exits 12 "the one before opens nothing" as omar node list
exits 0 "somebody leaves" hub admin remove vera --reason "has left"
exits 12 "and gets in no more" as vera node list
exits 3 "a security administrator leaves by two" hub admin remove ines --reason "has left"
exits 1 "not below two, while it takes two" as ines refuse 99 --reason "there is none"
# The recovery key once more, for a hub that was put back.
exits 13 "a service account gives no recovery key" as robot restore unseal --recovery "$work/hub/recovery.key"
exits 1 "it is taken only where something waits for it" hub restore unseal --recovery "$work/hub/recovery.key" \
    --recovery-passphrase-file "$work/pass"
says "which is said" "Nothing that a device returned waits for the recovery key"
claim "the log holds to the end" hub log verify
done_with_claims
