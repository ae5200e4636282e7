#!/usr/bin/env bash
# Goal: several people use one device, each with a passphrase of their own, and each act carries who did it; somebody who was
# removed is shut out; and nobody is shut out for ever who has the recovery code.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

as() { # as PASSPHRASE_FILE ARGUMENT...: on device b
    local pass=$1
    shift
    note_texts "$@"
    "$bin/spoke" --home "$work/b" --passphrase-file "$work/$pass" --no-input "$@"
}
passphrase() { # passphrase NAME: a file with a new one
    echo "$(secret_text) of $1" >"$work/$1"
}
id_of() { must hub practitioner add "$1" "$2" --json | field id | tr -d -; } # id_of SITE NAME

make_hub
passphrase bea
passphrase bob2
passphrase bea2
passphrase dov
echo "short" >"$work/short"
start_hub
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null

# ---- the first person, and the code for the day when the passphrase is forgotten
must as pass enrol --code-file "$work/b-site.code" --user Bob --json >"$work/enrolled"
field recovery_code <"$work/enrolled" >"$work/code"
equal "enrolment gives a recovery code, in groups" 1 "$(grep -cxE '([A-Z2-7]{4}-){7}[A-Z2-7]{4}' "$work/code")"
cat "$work/code" >>"$work/markers"
must node c enrol --code-file "$work/c-site.code" --user Cid >"$work/out"
has "people read it with what it is" 'Recovery code'
has "and where to keep it" 'not with the device'
sed -n 's/^Recovery code *//p' "$work/out" >>"$work/markers"
must as pass sync >/dev/null
exits 0 "one person can open it" as pass user list
has "and is told so" '^Bob .*(you)'

# ---- a second one
exits 1 "whom the MASH does not know gets no passphrase" as pass user add "Nobody Here" --new-passphrase-file "$work/bea"
says "and the way is said" 'spoke-hub practitioner add b-site NAME'
exits 1 "nor somebody of another site" as pass user add Cid --new-passphrase-file "$work/bea"
stop_hub
bea=$(id_of b-site Bea)
dov=$(id_of b-site "Dov Levi")
bob=$(must hub practitioner list --json | tr '}' '\n' | grep '"Bob"' | field id | tr -d -)
start_hub
must as pass sync >/dev/null
exits 64 "where nobody can be asked, a passphrase must be given" as pass user add Bea
exits 1 "one that is too short is refused" as pass user add Bea --new-passphrase-file "$work/short"
exits 12 "and opens nothing" as short user list
exits 12 "hers opens nothing yet" as bea user list
exits 0 "Bea gets a passphrase of her own" as pass user add Bea --new-passphrase-file "$work/bea" --json
has "by her id" "\"id\":\"${bea:0:8}-"
exits 1 "and no second one" as pass user add "${bea:0:13}" --new-passphrase-file "$work/bea2"
exits 0 "Dov gets one by the beginning of his id, read from a descriptor" \
    as pass user add "${dov}" --new-passphrase-fd 5 5<"$work/dov"
exits 0 "all are listed" as bea user list --json
equal "as JSON" 3 "$(grep -o '"added_at":"20' "$work/out" | wc -l)"
has "and who it is" '"name":"Bea","added_at":"[^"]*","self":true'

# ---- what each does is theirs
case_id=$(must as pass case new --area north --source 6 --need N4 --summary "$(secret_text)" --json | field id)
record=$(must as bea record add "$case_id" --kind note --title "$(secret_text)" --sensitivity sensitive --json | field id)
seq=$(must as bea outbox list --json | tr '}' '\n' | grep 'added a record' | field seq)
must as dov outbox show "$seq" >/dev/null # before it is sent: the hub has no such row yet
must as bea sync >/dev/null
audit() { must as pass sql "select lower(hex(user)) v from n_audit where what = '$1'" --json | field v; }
equal "Bob's edit is Bob's" "$bob" "$(audit 'opened a case')"
equal "Bea's is Bea's" "$bea" "$(audit 'added a record')"
equal "and who gave her a passphrase is noted" "$bob" "$(audit 'gave somebody a passphrase on this device' | head -n 1)"
for person in pass bea bea; do must as "$person" case show "$case_id" >/dev/null; done
must as dov case list >/dev/null
must as bea sync >/dev/null
stop_hub
"$bin/inspect" authors "$work/hub" "$work/pass" >"$work/authors"
equal "the hub has an envelope of each" "1 1" \
    "$(grep -cx "wrote $bob" "$work/authors") $(grep -cx "wrote $bea" "$work/authors")"
equal "and that each looked at the sensitive record, once" "1 1" \
    "$(grep -cx "looked $bob ${record//-/}" "$work/authors") $(grep -cx "looked $bea ${record//-/}" "$work/authors")"
equal "and that Dov read it in the list of what is not sent" 1 "$(grep -cx "looked $dov ${record//-/}" "$work/authors")"
equal "nobody else" 3 "$(grep -c '^looked' "$work/authors")"
start_hub

# ---- who asks in SQL looks too
title=$(secret_text)
second=$(must as bea record add "$case_id" --kind note --title "$title" --sensitivity restricted --json | field id)
must as bea sync >/dev/null
unsent() { must as dov sql "select count(*) v from n_view where request = 0" --json | field v; }
must as dov sql "select count(*) v from record" >/dev/null
must as dov sql "select id, sensitivity from record" >/dev/null
equal "who counts records, or lists them, looked at none" 0 "$(unsent)"
exits 0 "who asks for titles" as dov sql "select title from record"
has "sees them" "$title"
equal "and looked at the one that he had not seen yet" 1 "$(unsent)"
must as dov sql "select body from record" >/dev/null
equal "once an hour" 1 "$(unsent)"
must as dov sync >/dev/null
stop_hub
"$bin/inspect" authors "$work/hub" "$work/pass" >"$work/authors"
equal "the hub knows" 1 "$(grep -cx "looked $dov ${second//-/}" "$work/authors")"
equal "and of nobody else" 4 "$(grep -c '^looked' "$work/authors")"
start_hub
must as bea unlock >/dev/null
bare() { "$bin/spoke" --home "$work/b" --no-input "$@"; }
exits 0 "what Bea unlocked is used in her name" bare user list --json
has "and in nobody else's" '"name":"Bea","added_at":"[^"]*","self":true'
exits 11 "but that it is unlocked makes nobody a recovery code" bare user recovery-code
exits 11 "nor another passphrase" bare user passwd --new-passphrase-file "$work/bea.pass"

# ---- other passphrases
exits 0 "Bob sets another passphrase" as pass user passwd --new-passphrase-file "$work/bob2"
exits 12 "the one before opens nothing" as pass user list
exits 0 "the new one opens" as bob2 user list
exits 0 "for Bea, who forgot hers, too" as bob2 user passwd Bea --new-passphrase-file "$work/bea2"
exits 12 "hers from before opens nothing" as bea user list
exits 0 "the new one is hers" as bea2 user list
has "and nobody else's" '^Bea .*(you)'
exits 0 "what she unlocked before goes on" bare case list
exits 1 "a new one that is too short is refused" as bob2 user passwd --new-passphrase-file "$work/short"
exits 0 "and changes nothing" as bob2 user list

# ---- wrong tries
for try in 1 2 3 4 5; do exits 12 "wrong passphrase number $try is said to be wrong" as short user list; done
began=$(date +%s%N)
exits 12 "the sixth too" as short user list
got=0
as bob2 user list >"$work/out" 2>"$work/err" || got=$?
if [ $((($(date +%s%N) - began) / 1000000)) -lt 2000 ]; then # else this computer was too busy to see it
    equal "then the right one has to wait as well" 12 "$got"
    says "and for how long is said" 'again'
fi
exits 0 "what is unlocked needs no waiting" bare case list
claim "after some seconds it opens" until_true 20 as bob2 user list

# ---- removed
cp -a "$work/b" "$work/b.copied"
exits 0 "Bea is removed" as bob2 user remove Bea --yes
has "with what that does not do" 'spoke rekey'
exits 12 "her passphrase opens nothing" as bea2 user list
exits 11 "what she unlocked is worth nothing" bare case list
exits 11 "to the last" bare case list
must as bob2 case list >/dev/null
cp "$work/b/replica.key" "$work/key.new"
cp "$work/b.copied/replica.key" "$work/b/replica.key"
exits 15 "an older key file in the place of the newer is noticed" as bea2 user list
cp "$work/key.new" "$work/b/replica.key"
exits 1 "who is not there cannot be removed" as bob2 user remove Bea --yes
exits 0 "all gets new keys" as bob2 rekey
has "and what that does is said" 'cannot open'
cp "$work/b/replica.key" "$work/key.rekeyed"
cp "$work/b.copied/replica.key" "$work/b/replica.key"
exits 15 "the older key file opens nothing of it" as bea2 user list
cp "$work/key.rekeyed" "$work/b/replica.key"
exits 0 "Bob's passphrase goes on" as bob2 user list
exits 0 "and Dov's" as dov user list
exits 0 "Dov removes himself" as dov user remove "Dov Levi" --yes
exits 12 "and is out" as dov user list
exits 1 "the last one cannot be removed" as bob2 user remove Bob --yes
exits 0 "and everything is sound" as bob2 verify
rm -rf "$work/b.copied"

# ---- the recovery code
code() { must as bob2 user recovery-code --json | field recovery_code; }
recover() { "$bin/spoke" --home "$work/b" --no-input user recover "$@"; }
exits 0 "the code of enrolment still works after new keys" recover --code-file "$work/code" --new-passphrase-file "$work/bob2"
code >"$work/code2"
cat "$work/code2" >>"$work/markers"
exits 12 "another code makes the first worthless" recover --code-file "$work/code" --new-passphrase-file "$work/dov"
sed 's/^./#/' "$work/code2" >"$work/mistyped"
exits 64 "a mistyped one is told from a wrong one" recover --code-file "$work/mistyped" --new-passphrase-file "$work/dov"
tr -d - <"$work/code2" | tr 'A-Z' 'a-z' >"$work/as_typed"
exits 1 "for somebody who is not here it sets nothing" \
    recover Nobody --code-file "$work/as_typed" --new-passphrase-file "$work/dov"
exits 64 "the new passphrase has to be given" recover --code-file "$work/as_typed"
exits 0 "as people type it, it opens" recover Bob --code-file "$work/as_typed" --new-passphrase-file "$work/bob2"
shred -u "$work/b/device.secret"
exits 15 "without its own secret the device opens to nobody" as bob2 user list
exits 0 "but with the code" recover --code-file "$work/code2" --new-passphrase-file "$work/bob2"
exits 0 "and then as ever" as bob2 case list

# ---- a device secret elsewhere, and status
must mkdir "$work/stick"
must mv "$work/b/device.secret" "$work/stick/secret"
exits 15 "a device secret that is elsewhere opens nothing by itself" as bob2 user list
exits 0 "but where it is named" as bob2 --device-secret "$work/stick/secret" user list
printf '[spoke]\nunlock-time = 0\ndevice-secret = %s\n' "$work/stick/secret" >"$XDG_CONFIG_HOME/spoke/config"
exits 0 "or in the file of settings" as bob2 user list
exits 0 "status" as bob2 status --json
has "says the lease" '"lease_days":30,"lease_until":"20'
exits 0 "as people read it too" as bob2 status
has "with the day" 'Connect by [1-3]\{0,1\}[0-9] [A-Z][a-z]* 20[0-9][0-9], or this device locks'
has "and who it is" '^User  *Bob'
exits 64 "a time to check passphrases has its bounds" as bob2 user passwd --unlock-time 11 --new-passphrase-file "$work/bob2"
exits 0 "and may be chosen" as bob2 user passwd --unlock-time 0.1 --new-passphrase-file "$work/bob2"
done_with_claims
