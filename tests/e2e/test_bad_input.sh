#!/usr/bin/env bash
# Goal: each kind of bad input is a clear error with its exit code, and changes nothing: the content hash of the store
# it was given to is the same before and after.
# Not on PostgreSQL: it tries each input on a copy of the hub's folder, which has the store in it
. "$(dirname "$0")/lib.sh"

hash_of() { # hash_of hub|NODE [HOME]
    local kind=node
    [ "$1" != hub ] || kind=hub
    "$bin/inspect" hash "$kind" "${2:-$work/$1}" "$work/pass" 2>>"$work/hash.err"
}
unchanged() { # unchanged CLAIM BEFORE AFTER
    if [ -n "$2" ] && [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "${2:-no hash} became ${3:-no hash}"; fi
}
flip() { # flip FILE AT OUT: one bit of the byte at AT, counted from 0
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    head -c "$2" "$1" >"$3"
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\x$(printf %x $((byte ^ 4)))" >>"$3"
    tail -c +$(($2 + 2)) "$1" >>"$3"
}
absent() { [ ! -e "$1" ]; }
same() { cmp "$1" "$2"; }

set_up() {
    make_hub
    exits 14 "an invitation is of no use while the hub is down" node c enrol --code-file "$work/c-site.code" --user Cid
    start_hub
    must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
    must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
    must node c enrol --code-file "$work/c-site.code" --user Cid >/dev/null
    must node a sync >/dev/null
    case_ref=$(must node a case new --area north --source 1A --need N1 --summary "First" --json | field reference)
    must node a case share "$case_ref" b >/dev/null
    must node a case share "$case_ref" c >/dev/null
    must node a sync >/dev/null
    must node b sync >/dev/null
    must node c sync >/dev/null
    stop_hub
}

wrong_code_and_passphrase() {
    local before
    echo "not the passphrase at all" >"$work/other.pass"
    before=$(hash_of hub)
    sed 's/^\(..\)./\1Z/; s/^\(..Z\)/\1/' "$work/b-site.code" | tr 'A' 'B' >"$work/mistyped.code"
    exits 15 "a mistyped invitation is refused" node d enrol --code-file "$work/mistyped.code" --user Bob
    exits 10 "a home without a node says so" node d status
    start_hub
    exits 13 "a used invitation is refused" node e enrol --code-file "$work/b-site.code" --user Bob
    stop_hub
    unchanged "refused invitations change nothing at the hub" "$before" "$(hash_of hub)"
    before=$(hash_of a)
    exits 12 "a wrong passphrase does not open a node" \
        "$bin/spoke" --home "$work/a" --passphrase-file "$work/other.pass" --no-input status
    exits 12 "a wrong passphrase does not open the hub" \
        "$bin/spoke-hub" --home "$work/hub" --passphrase-file "$work/other.pass" --no-input node list
    exits 11 "without a passphrase a node stays locked" "$bin/spoke" --home "$work/a" --no-input status
    unchanged "a wrong passphrase changes nothing" "$before" "$(hash_of a)"
    exits 64 "an unknown command is a wrong use" node a juggle
}

damaged_requests() {
    local before size at
    must node b record add "$case_ref" --kind note --title "From b" >/dev/null
    must node b bundle export "$work/b1.request" >/dev/null
    before=$(hash_of hub)
    size=$(wc -c <"$work/b1.request")
    for at in 0 1 40 $((size / 2)) $((size - 1)); do
        head -c "$at" "$work/b1.request" >"$work/bad"
        exits 15 "a request cut after $at of $size bytes is refused" hub bundle exchange "$work/bad" "$work/answer"
        flip "$work/b1.request" "$at" "$work/bad"
        # A changed recipient is a bundle for someone else.
        if [ "$at" -lt 40 ]; then
            claim "a request with byte $at flipped is refused" refused_somehow "$work/bad"
        else
            exits 15 "a request with byte $at flipped is refused" hub bundle exchange "$work/bad" "$work/answer"
        fi
    done
    cat "$work/b1.request" - <<<x >"$work/bad"
    exits 15 "a request with bytes after its end is refused" hub bundle exchange "$work/bad" "$work/answer"
    exits 1 "a request that is not there is refused" hub bundle exchange "$work/nowhere" "$work/answer"
    claim "none of them was answered" absent "$work/answer"
    unchanged "damaged requests change nothing at the hub" "$before" "$(hash_of hub)"
}
refused_somehow() {
    local got=0
    hub bundle exchange "$1" "$work/answer" || got=$?
    [ "$got" -eq 15 ] || [ "$got" -eq 13 ] || [ "$got" -eq 1 ]
}

answers() {
    local before size at
    claim "the whole request is answered" hub bundle exchange "$work/b1.request" "$work/b1.answer"
    claim "the same request again is answered" hub bundle exchange "$work/b1.request" "$work/b1.again"
    claim "with the same bytes" same "$work/b1.answer" "$work/b1.again"
    equal "and the hub knows that b has nothing more to send" 0 \
        "$(hub node list --json | tr '{' '\n' | sed -n '/"b-site"/s/.*"unsent":\([0-9]*\).*/\1/p')"
    before=$(hash_of c)
    must node c bundle export "$work/c1.request" >/dev/null
    exits 13 "an answer for another device is refused" node c bundle import "$work/b1.answer"
    exits 13 "a request is no answer" node c bundle import "$work/b1.request"
    unchanged "bundles for others change nothing" "$before" "$(hash_of c)"
    before=$(hash_of b)
    size=$(wc -c <"$work/b1.answer")
    for at in 60 $((size / 2)) $((size - 1)); do
        head -c "$at" "$work/b1.answer" >"$work/bad"
        exits 15 "an answer cut after $at of $size bytes is refused" node b bundle import "$work/bad"
        flip "$work/b1.answer" "$at" "$work/bad"
        exits 15 "an answer with byte $at flipped is refused" node b bundle import "$work/bad"
    done
    unchanged "damaged answers change nothing" "$before" "$(hash_of b)"
    must node b bundle import "$work/b1.answer" >/dev/null
    before=$(hash_of b)
    exits 1 "an answer that was taken before is refused" node b bundle import "$work/b1.answer"
    must node b bundle export "$work/b2.request" >/dev/null
    must hub bundle exchange "$work/b2.request" "$work/b2.answer" >/dev/null
    exits 1 "and so it is while another is awaited" node b bundle import "$work/b1.answer"
    must node b bundle import "$work/b2.answer" >/dev/null
    must node b bundle export "$work/b3.request" >/dev/null
    exits 1 "an answer of two rounds ago is refused" node b bundle import "$work/b1.answer"
    unchanged "old answers change nothing" "$before" "$(hash_of b)"
    before=$(hash_of hub)
    exits 3 "an old request came late, and is told apart from a device that was put back" hub bundle exchange "$work/b1.request" "$work/bad.answer"
    unchanged "an old request changes nothing at the hub" "$before" "$(hash_of hub)"
}

# Each on copies of the hub and of node c, so that none disturbs another.
forge() { # forge KIND: leaves $work/forged
    rm -rf "$work/c.copy" "$work/hub.copy" "$work/forged.answer"
    cp -a "$work/c" "$work/c.copy"
    cp -a "$work/hub" "$work/hub.copy"
    must "$bin/forge" "$1" "$work/c.copy" "$work/pass" "$work/forged"
}
exchange_copy() { "$bin/spoke-hub" --home "$work/hub.copy" --passphrase-file "$work/pass" --no-input \
    bundle exchange "$work/forged" "$work/forged.answer"; }
verdict_of_copy() { "$bin/inspect" verdicts "$work/hub.copy" "$work/pass" | tail -n 1 | cut -d ' ' -f 2; }

hostile_content() {
    local kind what before
    before=$(hash_of hub)
    while IFS=: read -r kind what; do
        forge "$kind"
        exits 0 "a signed change with $what is answered" exchange_copy
        equal "and judged a fault" fault "$(verdict_of_copy)"
        unchanged "and changes nothing at the hub" "$before" "$(hash_of hub "$work/hub.copy")"
    done <<'KINDS'
session-bug:the bytes 54 01 01, which hang SQLite's own reader,
unknown-table:an unknown table
missing-key:a missing key
column-count:a wrong column count
big-value:a value of 2 MiB
not-utf8:text that is no text
trailing:bytes after its end
KINDS
}

applied() { "$bin/inspect" verdicts "$1" "$work/pass" | grep -c applied; }
hostile_order() {
    local before after applied_before
    applied_before=$(applied "$work/hub")
    must node c record add "$case_ref" --kind note --title "One" >/dev/null
    must node c record add "$case_ref" --kind note --title "Two" >/dev/null
    before=$(hash_of hub)
    forge plain
    exits 0 "two changes of one device are taken" exchange_copy
    after=$(hash_of hub "$work/hub.copy")
    forge twice
    exits 0 "the same changes, each twice in the request, are taken" exchange_copy
    equal "and count once" "2 applied" "$(($(applied "$work/hub.copy") - applied_before)) applied"
    unchanged "and leave the hub as if they came once" "$after" "$(hash_of hub "$work/hub.copy")"
    forge skipped
    exits 13 "a change whose forerunner is missing is refused" exchange_copy
    unchanged "and changes nothing at the hub" "$before" "$(hash_of hub "$work/hub.copy")"
    forge reversed
    exits 13 "changes in the wrong order are refused" exchange_copy
    unchanged "and change nothing at the hub" "$before" "$(hash_of hub "$work/hub.copy")"
    forge foreign
    exits 13 "a bundle for someone else is refused" exchange_copy
    unchanged "and changes nothing at the hub" "$before" "$(hash_of hub "$work/hub.copy")"
    forge bomb
    exits 1 "a zip bomb is refused" exchange_copy
    unchanged "and changes nothing at the hub" "$before" "$(hash_of hub "$work/hub.copy")"
}

# A device put back from an old copy, and one that was cut off: on copies again, by file.
on_copy() { # on_copy HOME ARGUMENT...
    local home=$1
    shift
    "$bin/spoke" --home "$work/$home" --passphrase-file "$work/pass" --no-input "$@"
}
hub_copy() { "$bin/spoke-hub" --home "$work/hub.copy" --passphrase-file "$work/pass" --no-input "$@"; }
records_of_copy() { on_copy c.copy sql "select count(*) v from record" --json | field v; }
old_and_revoked_devices() {
    local before device records
    rm -rf "$work/hub.copy" "$work/c.copy"
    cp -a "$work/hub" "$work/hub.copy"
    cp -a "$work/c" "$work/c.copy" # c has two changes to send
    cp -a "$work/c" "$work/c.old"
    for _ in 1 2; do # a request from before them waits for its answer
        must on_copy c.copy bundle export "$work/request" >/dev/null
        must hub_copy bundle exchange "$work/request" "$work/answer" >/dev/null
        must on_copy c.copy bundle import "$work/answer" >/dev/null
    done
    before=$(hash_of hub "$work/hub.copy")
    must on_copy c.old record add "$case_ref" --kind note --title "In the old copy" >/dev/null
    must "$bin/forge" plain "$work/c.old" "$work/pass" "$work/request"
    exits 13 "a device put back from an old copy is refused" hub_copy bundle exchange "$work/request" "$work/bad.answer"
    unchanged "and changes nothing at the hub" "$before" "$(hash_of hub "$work/hub.copy")"
    equal "and keeps its work" 3 "$(on_copy c.old status --json | field unsent)"

    device=$(hub_copy node list --json | tr '{' '\n' | sed -n '/"c-site"/s/.*"id":"\([^"]*\)".*/\1/p')
    must hub_copy node revoke "$device" --reason "Left on a train" >/dev/null
    records=$(records_of_copy)
    must on_copy c.copy record add "$case_ref" --kind note --title "By whoever found it" >/dev/null
    must on_copy c.copy bundle export "$work/request" >/dev/null
    exits 0 "a request of a revoked device is answered" hub_copy bundle exchange "$work/request" "$work/answer"
    equal "but what it says is held" held "$(verdict_of_copy)"
    exits 13 "and the device says that it was cut off" on_copy c.copy bundle import "$work/answer"
    equal "and holds what it held before" "$records" "$(records_of_copy)"
}

census_cut_in_half() {
    local before at size
    before=$(hash_of a)
    "$root/packaging/sample/make-census" >"$work/census.xml"
    size=$(wc -c <"$work/census.xml")
    for at in 0 $((size / 2)) $((size - 12)); do
        head -c "$at" "$work/census.xml" >"$work/half.xml"
        exits 15 "a census file cut after $at of $size bytes is refused" node a import cin "$work/half.xml" --area north
    done
    exits 1 "a census file that is not there is refused" node a import cin "$work/nowhere.xml" --area north
    unchanged "and nothing of it is taken" "$before" "$(hash_of a)"
}

# A full disk: a small file system where this may be mounted, else a ceiling on the size of files.
small_node() { # small_node HOME ARGUMENT...
    local home=$1
    shift
    limited "$bin/spoke" --home "$work/small/$home" --passphrase-file "$work/pass" --no-input "$@"
}
small_hub() { limited "$bin/spoke-hub" --home "$work/small/hub" --passphrase-file "$work/pass" --no-input "$@"; }
limited() {
    if [ "$how" = "a full disk" ]; then "$@"; else (trap '' XFSZ && ulimit -f 60 && "$@"); fi
}
# Something long that a writes, c is to get, and neither fits.
something_long() {
    head -c 300000 /dev/urandom | base64 >"$work/long.txt"
    rm -rf "$work/hub.copy"
    cp -a "$work/hub" "$work/hub.copy"
    cp -a "$work/a" "$work/a.long"
    must on_copy a.long record add "$case_ref" --kind note --title Long --body-file "$work/long.txt" >/dev/null
    must on_copy a.long bundle export "$work/long.request" >/dev/null
    must hub_copy bundle exchange "$work/long.request" "$work/answer" >/dev/null
    must node c bundle export "$work/request" >/dev/null
    must hub_copy bundle exchange "$work/request" "$work/long.answer" >/dev/null
}
full_disk() {
    local before_a before_c before_hub small=$work/small how="a full disk"
    something_long
    before_a=$(hash_of a)
    before_c=$(hash_of c)
    before_hub=$(hash_of hub)
    mkdir "$small"
    mount -t tmpfs -o size=24m none "$small" 2>/dev/null ||
        how="a file that may not grow (no full disk: mounting is not allowed here)"
    cp -a "$work/a" "$work/c" "$work/hub" "$small"
    if [ "$how" = "a full disk" ]; then
        head -c 100m /dev/zero >"$small/filler" 2>/dev/null
        truncate -s -60K "$small/filler"
    fi
    exits 1 "$how stops an import" small_node a import cin "$work/census.xml" --area north
    exits 1 "$how stops a long record" small_node a record add "$case_ref" --kind note --title Long \
        --body-file "$work/long.txt"
    equal "and nobody is told that it was added" "" "$(cat "$work/out")"
    exits 1 "$how stops the taking of an answer" small_node c bundle import "$work/long.answer"
    exits 1 "$how stops an answer of the hub" small_hub bundle exchange "$work/long.request" "$small/out"
    rm -rf "$small/filler" "$work"/{a,c,hub}.copy
    cp -a "$small/a" "$work/a.copy"
    cp -a "$small/c" "$work/c.copy"
    cp -a "$small/hub" "$work/hub.copy"
    umount "$small" 2>/dev/null
    unchanged "and the content of the node that wrote is as it was" "$before_a" "$(hash_of a "$work/a.copy")"
    unchanged "and the content of the node that took is as it was" "$before_c" "$(hash_of c "$work/c.copy")"
    unchanged "and the hub's content is as it was" "$before_hub" "$(hash_of hub "$work/hub.copy")"
    claim "with room again the answer is taken" on_copy c.copy bundle import "$work/long.answer"
    equal "and holds what did not fit" 1 \
        "$(on_copy c.copy sql "select count(*) v from record where title = 'Long'" --json | field v)"
    claim "with room again the hub answers" hub_copy bundle exchange "$work/long.request" "$work/answer"
    claim "and the node is sound" on_copy a.copy verify
}

hub_down() {
    local unsent
    must node a record add "$case_ref" --kind note --title "While the hub is down" >/dev/null
    unsent=$(node a status --json | field unsent)
    exits 14 "a hub that is down is said so" node a sync
    equal "and the work stays queued" "$unsent" "$(node a status --json | field unsent)"
    start_hub
    send_junk
    claim "and goes when the hub is back" node a sync
    equal "with nothing left" 0 "$(node a status --json | field unsent)"
    claim "the other devices still exchange with the hub" node c sync
}
send_junk() {
    local reply=
    exec 8<>"/dev/tcp/127.0.0.1/$port"
    printf 'POST /v1/exchange HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9\r\n\r\nnot sealed' >&8
    IFS= read -r -t 30 reply <&8
    exec 8>&-
    case $reply in
        "HTTP/1.1 4"*) ok "bytes that are no bundle are answered with an error by HTTP" ;;
        *) not_ok "bytes that are no bundle are answered with an error by HTTP" "$reply" ;;
    esac
}

set_up
wrong_code_and_passphrase
damaged_requests
answers
hostile_content
hostile_order
old_and_revoked_devices
census_cut_in_half
full_disk
hub_down
done_with_claims
