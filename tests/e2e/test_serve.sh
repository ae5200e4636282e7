#!/usr/bin/env bash
# spoke serve and spoke open: who is let in, who is not, and what a browser is told. With curl in the browser's place.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

# shellcheck source=tests/e2e/serve_lib.sh
. "$(dirname "$0")/serve_lib.sh"

sign_in() { # sign_in NAME WHO [PASSPHRASE]
    : >"$work/$2.jar"
    post "$1" "$2" /api/session "{\"passphrase\":\"${3:-$(cat "$work/pass")}\"}"
}
online() { get "$1" "$2" /api/sync -H 'X-Spoke-Quiet: 1' && grep -q '"online":true' "$work/out"; }
offline() { get "$1" "$2" /api/sync -H 'X-Spoke-Quiet: 1' && grep -q '"online":false' "$work/out"; }
sent() { get "$1" "$2" /api/sync -H 'X-Spoke-Quiet: 1' && grep -q '"unsent":0' "$work/out"; }

make_hub
start_hub
for n in b c; do
    must node $n enrol --code-file "$work/$n-site.code" --user "$([ $n = b ] && echo Bob || echo Cid)" >/dev/null
done
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null

# ---- before anybody signed in
serve b --phone "01632 960 000"
b=$serve_pid
exits 1 "nobody serves a home twice" "$bin/spoke" --home "$work/b" --no-input serve --listen 127.0.0.1:0
says "and the way to the pages is said" 'spoke open'
for path in /api/board /api/events /api/sync /api/reference /api/cases/C-12345678; do
    get b nobody $path
    answers "without signing in $path is not told" 401
done
get b nobody /api/session
answers "who is not signed in may ask whether they are" 200
has "and learns whom to ring" '01632 960 000'
lacks "but not who works here" 'Bob'
get b nobody /some/page
claim "every answer says what a browser may do with it" grep -qi "^content-security-policy: default-src 'none'" "$work/head"

# ---- strangers
sign_in b bob
answers "the passphrase lets in" 200
has "and says who is there" '"name":"Bob"'
claim "by a cookie that no script sees and no other site sends" grep -q 'HttpOnly; SameSite=Strict' "$work/head"
get b bob /api/board
answers "then the board is shown" 200
ask b GET /api/board -b "$work/bob.jar" -H "Host: attacker.example"
answers "under a stranger's name (DNS rebinding) nothing is told" 403
ask b GET /api/board -b "$work/bob.jar" -H "Host: 127.0.0.1"
answers "nor without the port" 403
for origin in http://attacker.example null "http://127.0.0.1:1" "${address[b]}.attacker.example"; do
    ask b POST /api/lock -b "$work/bob.jar" -H "Origin: $origin" -H 'Content-Type: application/json' -d '{}'
    answers "a page of $origin locks nothing" 403
done
ask b POST /api/lock -b "$work/bob.jar" -H 'Content-Type: application/json' -d '{}'
answers "nor what does not say where it comes from" 403
for type in text/plain application/x-www-form-urlencoded 'multipart/form-data; boundary=x' ''; do
    ask b POST /api/lock -b "$work/bob.jar" -H "Origin: ${address[b]}" -H "Content-Type: $type" -d '{}'
    answers "nor a form (${type:-no type})" 403
done
ask b GET /api/board -b "$work/bob.jar" -H 'Sec-Fetch-Site: cross-site'
answers "a browser that says it asks for another site is believed" 403
ask b GET /api/board -b "${address[b]##*:}=x; spoke_session_${address[b]##*:}=$(printf '0%.0s' {1..64})"
answers "a made-up cookie opens nothing" 401
for path in '/../etc/passwd' '/%2e%2e/x' '/a%2fb' '/a%00b' '/a//b' '/./x' '/%zz' '/api/cases/%2e%2e' '/a\b' "/$(printf 'x%.0s' {1..3000})"; do
    get b bob "$path"
    answers "there is no ${path:0:30}" 400
done
ask b HEAD /api/session -I
answers "HEAD is answered as GET" 200
ask b PUT /api/session -b "$work/bob.jar" -H "Origin: ${address[b]}" -H 'Content-Type: application/json' -d '{}'
answers "nobody can do what there is not" 405
post b bob /api/acts/rate '{"case_id":'
answers "half a request changes nothing" 400

# ---- another user of this computer: has the cookie, say, which browsers send to whatever listens at another port
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    cookie=$(sed -n 's/.*\(spoke_session_[0-9]*\)[[:space:]]*\([0-9a-f]*\)$/\1=\2/p' "$work/bob.jar")
    stolen() { setpriv --reuid=65534 --clear-groups curl -s --max-time 10 -H "Cookie: $cookie" "${address[b]}/api/board"; }
    stolen >"$work/out" 2>"$work/err"
    lacks "another user of this computer is told nothing, even with the cookie" '.'
    get b nobody /api/board -H "Cookie: $cookie"
    answers "which opens the board to its owner" 200
fi
get b bob /api/session
who=$(sed -n 's/.*"person":{"id":"\([^"]*\)".*/\1/p' "$work/out")
get b bob /api/board -H "X-Spoke-Person: $who"
answers "a page that says whose it is is answered" 200
get b bob /api/board -H "X-Spoke-Person: 01a20462-0000-7000-8000-000000000000"
answers "one that another person left open is not" 401

# ---- passphrases
for n in 1 2 3 4 5; do sign_in b wrong "not my passphrase"; done
answers "a wrong passphrase lets nobody in" 401
equal "and says so" passphrase "$(code)"
sign_in b wrong "not my passphrase"
claim "after several the next has to wait" test "$(field wait_seconds <"$work/out")" -gt 0
get b bob /api/board
answers "who is in stays in" 200
rm -f "$work/b/replica.key.tries"

# ---- two people
exits 0 "somebody else may work at this device" node b user list
sign_in b bob2
answers "a second browser has a session of its own" 200
ask b DELETE /api/session -b "$work/bob2.jar" -H "Origin: ${address[b]}"
answers "which ends" 200
get b bob2 /api/board
answers "for good" 401
get b bob /api/board
answers "without ending the other" 200
sign_in b bob2
get b bob /api/session
after=$(field events <"$work/out")
get b bob "/api/events?after=$after" --max-time 2 # what came of signing in
after=$(sed -n 's/^id: //p' "$work/out" | tail -n 1)
ask b DELETE /api/session -b "$work/bob2.jar" -H "Origin: ${address[b]}"
get b bob "/api/events?after=${after:-0}" --max-time 3
lacks "nor is it told to put its page away" '"reason":"locked"'

# ---- work, events, and another device
sign_in b bob
until_true 5 online b bob
claim "signing in makes contact" online b bob
quiet_session() { get b bob /api/session -H 'X-Spoke-Quiet: 1' && field events <"$work/out"; }
curl -s -o "$work/event" --max-time 120 -b "$work/bob.jar" "${address[b]}/api/events?after=$(quiet_session)" 2>"$work/event.err" &
waiting=$!
serve c
c=$serve_pid
sign_in c cid
text=$(secret_text)
post c cid /api/acts/case-new "{\"area\":\"north\",\"source\":\"1A\",\"primary_need\":\"N4\",\"presenting_issue\":null,\"summary\":\"$text\",\"subject_kind\":\"child\",\"rag\":\"red\",\"rag_reason\":\"$text\",\"referrer\":null,\"external_ref\":null,\"people\":[]}"
answers "a case is written in the pages" 200
reference=$(field reference <"$work/out")
claim "and goes by itself" until_true 8 sent c cid
must node a sync >/dev/null
must node a case share "$reference" b --access contribute --basis protection >/dev/null
must node a sync >/dev/null
wait "$waiting"
claim "a page that waits is told when something comes" grep -q '^event: change' "$work/event"
here() { get b bob "/api/cases/$reference" -H 'X-Spoke-Quiet: 1' && [ "$status" = 200 ]; }
claim "and the case of another agency is there" until_true 8 here
exits 0 "commands work beside the pages" node b status
exits 0 "also those that write" node b case list

# ---- offline and back
stop_hub
post b bob /api/sync '{}'
answers "contact is asked for" 202
claim "without the hub the pages say so" until_true 10 offline b bob
get b bob "/api/cases/$reference"
answers "and go on" 200
start_hub
post b bob /api/sync '{}'
claim "and they say when it is back" until_true 10 online b bob
stop_hub # else the pages might bring it by themselves first, and the stick would come late
ask b POST /api/bundle/export -b "$work/bob.jar" -H "Origin: ${address[b]}" -H 'Content-Type: application/json' -d '{}'
answers "the same goes on a stick" 200
cp "$work/out" "$work/b.stick"
must hub bundle exchange "$work/b.stick" "$work/b.back" >/dev/null
ask b POST /api/bundle/import -b "$work/bob.jar" -H "Origin: ${address[b]}" -H 'Content-Type: application/octet-stream' \
    --data-binary "@$work/b.back"
answers "and its answer is taken" 200
has "with what it brought" '"rows_in":'
ask b POST /api/bundle/import -b "$work/bob.jar" -H "Origin: ${address[b]}" -H 'Content-Type: application/octet-stream' \
    --data-binary "@$work/b.back"
answers "once" 409
start_hub

# ---- locked from the terminal; launched from there
exits 0 "lock at the terminal" "$bin/spoke" --home "$work/b" lock
get b bob /api/board
answers "ends what is open in a browser" 401
has "with words" 'was locked'
exits 0 "open gives a way in" node b open --print
way=$(sed -n 's/.*#//p' "$work/out")
post b bob /api/session/launch "{\"token\":\"$(printf '0%.0s' {1..64})\"}"
answers "which is not to be guessed" 401
: >"$work/bob.jar"
post b bob /api/session/launch "{\"token\":\"$way\"}"
answers "lets in whoever has it" 200
has "as who unlocked" '"name":"Bob"'
: >"$work/thief.jar"
post b thief /api/session/launch "{\"token\":\"$way\"}"
answers "once" 401
must node b open --print >"$work/out"
way=$(sed -n 's/.*#//p' "$work/out")
claim "only its hash lies in the home" test "$(wc -c <"$work/b/launch")" -eq 40
{
    head -c 32 "$work/b/launch"
    printf '\0\0\1\0\0\0\0\0'
} >"$work/old" && cat "$work/old" >"$work/b/launch"
post b thief /api/session/launch "{\"token\":\"$way\"}"
answers "and not after its time" 401
look_at_live
post b bob /api/lock '{}'
answers "lock in the page" 200
get b bob /api/board
answers "ends the session" 401
exits 11 "and locks the device" "$bin/spoke" --home "$work/b" --no-input status
exits 1 "open says when nobody serves" node a open --print
says "and what to type" 'spoke serve'

# ---- the end
memory=$(sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$b/status")
echo "      idle memory of spoke serve: $memory kB"
if ! grep -q __asan_init "$bin/spoke"; then # the sanitizers keep as much again
    claim "it is small when idle" test "$memory" -lt 24576
fi
end_serve "$c"
serve c --idle 1s
sign_in c cid
answers "with a short time" 200
sleep 1.2
get c cid /api/board
answers "who does nothing is signed out" 401
has "and told so" 'Nobody was at work'
began=$SECONDS
end_serve "$serve_pid"
claim "asked to end, it ends" test $((SECONDS - began)) -le 10
end_serve "$b"
claim "and leaves no socket behind" test ! -e "$work/b/serve.sock"
exits 64 "the pages travel no network in clear" "$bin/spoke" --home "$work/b" --no-input serve --listen 0.0.0.0:0
done_with_claims
