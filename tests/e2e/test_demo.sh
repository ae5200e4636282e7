#!/usr/bin/env bash
# Goal: the demo does what it says, and what it leaves behind keeps the promises: counts, three nodes that hold exactly
# what the hub says their sites may see, nothing else in any byte of their decrypted databases, no plaintext on disk.
. "$(dirname "$0")/lib.sh"

cases_at() { demo_sql "$1" "select count(*) n from case_file" | field n; }
demo_sql() { "$bin/spoke" --home "$demo/$1" --passphrase-file "$demo/$1.pass" --no-input sql "$2" --json; }

# One question for every value of every column of kind BLOB or TEXT in every synced table, as lower-case hex.
awk '/^CREATE TABLE/ { table = $3; sub(/\(.*/, "", table) }
    /^    [a-z_]+ (BLOB|TEXT)/ {
        printf "%sselect lower(hex(%s)) h from %s where length(%s) > 5", sep, $1, table, $1
        sep = " union "
    }' \
    "$root/sync/schema.sql" >"$work/values.sql"

values() { # values NODE: sorted hex strings
    demo_sql "$1" "$(cat "$work/values.sql")" | tr '}' '\n' | sed -n 's/.*"h":"\([0-9a-f]*\)".*/\1/p' | sort -u
}
with_uuids() { # ids (16 bytes) also as people read them
    awk '{ print }
        length($0) == 32 {
            out = ""
            for (i = 1; i <= 32; i++) {
                c = substr($0, i, 1)
                out = out (c ~ /[0-9]/ ? "3" c : "6" index("abcdef", c))
                if (i == 8 || i == 12 || i == 16 || i == 20) out = out "2d"
            }
            print out
        }'
}
file_as_hex() { od -An -v -tx1 "$1" | tr -d ' \n'; echo; }

nothing_found() { ! grep -rlaF -f "$1" "$demo/hub" "$demo/csc" "$demo/probation" "$demo/health"; }
same() { cmp "$1" "$2"; }
finds_key() { ! "$bin/scan_keys" "$@"; }
finds_something() { ! "$bin/scan_replica" "$@"; }

# What the demo left on health's device alone, on purpose, goes to the hub and from there to the MASH room, by stick.
stick() { # stick NAME: one round
    local status=0
    "$bin/spoke" --home "$demo/$1" --passphrase-file "$demo/$1.pass" --no-input bundle export "$work/stick.out" || return
    "$bin/spoke-hub" --home "$demo/hub" --passphrase-file "$demo/hub.pass" --no-input bundle exchange "$work/stick.out" \
        "$work/stick.in" || return
    "$bin/spoke" --home "$demo/$1" --passphrase-file "$demo/$1.pass" --no-input bundle import "$work/stick.in" || status=$?
    rm -f "$work/stick.out" "$work/stick.in"
    [ "$status" -eq 0 ] || [ "$status" -eq 3 ]
}
bring_the_rest() {
    local name
    for name in health csc health csc probation; do stick "$name" || return; done
}

check_sight() {
    local name site
    for name in csc probation health; do
        values "$name" >"$work/$name.values"
        claim "$1: $name has values to look at" test -s "$work/$name.values"
    done
    sort -u "$work"/{csc,probation,health}.values >"$work/all.values"
    for name in probation health csc; do
        comm -23 "$work/all.values" "$work/$name.values" | with_uuids >"$work/$name.forbidden"
        { with_uuids <"$work/$name.values"; file_as_hex "$root/sync/schema.sql"; file_as_hex "$root/node/store.sql"
            file_as_hex "$root/node/later.sql"; printf hub_address >"$work/name"; file_as_hex "$work/name"; } \
            >"$work/$name.allowed"
        claim "$1: no id, name or text of a row hidden from $name is in any byte of its database" \
            "$bin/scan_replica" "$demo/$name" "$demo/$name.pass" "$work/$name.forbidden" "$work/$name.allowed"
    done
    claim "$1: the same search finds them at csc, which may see them" \
        finds_something "$demo/csc" "$demo/csc.pass" "$work/probation.forbidden" "$work/probation.allowed"
    for name in csc:csc-mash probation:probation-office health:health-clinic; do
        site=${name#*:} name=${name%:*}
        "$bin/inspect" rows hub "$demo/hub" "$demo/hub.pass" "$site" 2>"$work/err" | sort >"$work/hub.rows"
        "$bin/inspect" rows node "$demo/$name" "$demo/$name.pass" 2>>"$work/err" | sort >"$work/node.rows"
        claim "$1: $name holds exactly the $(wc -l <"$work/hub.rows") rows that its site may see" \
            same "$work/hub.rows" "$work/node.rows"
    done
    claim "$1: what the hub keeps about sight agrees with its policy" "$bin/inspect" verify "$demo/hub" "$demo/hub.pass"
}
check_disk() {
    local name
    # Every text of six bytes or more, one a line, and marks of SQLite itself.
    printf '%b' "$(sed 's/../\\x&/g; s/$/\\n/' "$work/all.values")" | tr -d '\000' |
        grep -aE '^[ -~]{6,}$' >"$work/plain"
    printf '%s\n' 'SQLite format 3' 'CREATE TABLE' 'case_file' 'BEGIN PRIVATE' >>"$work/plain"
    claim "$1: no file of any home has any of $(wc -l <"$work/plain") plain texts in it" nothing_found "$work/plain"
    for name in hub csc probation health; do
        claim "$1: no key of $name is in any file of any home" "$bin/scan_keys" "$demo/$name" "$demo/$name.pass" \
            "$demo/hub" "$demo/csc" "$demo/probation" "$demo/health"
    done
    claim "$1: the same search finds the passphrase in its own file" finds_key "$demo/csc" "$demo/csc.pass" "$demo"
}

try() { # try NAME EXPECTED-CASES|'' [CENSUS]
    local label=$1 cases=$2 from=$SECONDS
    shift 2
    demo=$work/demo
    export SPOKE_BIN=$bin SPOKE_DEMO_DIR=$demo
    claim "$label: the demo ends well" "$root/packaging/demo-run" "$@"
    cp "$work/out" "$work/story"
    [ -s "$work/err" ] && cat "$work/err"
    if [ ! -e "$demo/port" ]; then
        cat "$work/story"
        return
    fi
    echo "      it took $((SECONDS - from)) s and told $(grep -c '^ *[0-9]*\. ' "$work/story") steps"
    [ -n "$cases" ] || cases=$(grep -c '<CINdetails>' "$demo/synthetic-return.xml")
    equal "$label: csc sees the $cases imported cases, the new referral and four more" $((cases + 5)) "$(cases_at csc)"
    equal "$label: probation lost one case, opened one and takes part in four more" 44 "$(cases_at probation)"
    equal "$label: health sees its cases, one of which has not left its device" 45 "$(cases_at health)"
    claim "$label: the referral that was on health's device alone reaches the MASH by stick" bring_the_rest
    equal "$label: csc sees it" $((cases + 6)) "$(cases_at csc)"
    check_sight "$label"
    check_disk "$label"
}

# One of the two is enough for a check; SPOKE_DEMO_BOTH=1 tries both.
census=$root/../shared/data/cin/fake_CIN_data.xml
if [ ! -f "$census" ] || [ -n "${SPOKE_DEMO_BOTH:-}" ]; then
    try "synthetic return" ""
fi
mkdir "$work/mine"
touch "$work/mine/kept"
SPOKE_DEMO_DIR=$work/mine exits 1 "the demo does not take over a folder that it did not make" "$root/packaging/demo-run"
equal "and leaves it as it is" kept "$(ls "$work/mine")"
if [ -f "$census" ]; then
    try "census file" 402 "$census"
else
    echo "skipped: the demo on a real census file, because ../shared/data/cin/fake_CIN_data.xml is not here"
fi
done_with_claims
