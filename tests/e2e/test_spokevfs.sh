#!/usr/bin/env bash
# Goal: an investigator with the key file can look into a replica with the stock sqlite3 and spokevfs.so (check it, search
# it, copy it, pack it, print it), and gets one error for each thing that is wrong; programs that know nothing of Spoke,
# Python's own tests of SQLite among them, work through spokevfs-preload.so.
# Not on PostgreSQL: it is about a device's files
. "$(dirname "$0")/lib.sh"

command -v sqlite3 >/dev/null || { echo "FAILED this needs sqlite3 (packaging/deps installs it)"; exit 1; }
# A build with sanitizers: the programs that load it are without, so its runtime comes first. They leave what they like.
sanitizer=$(ldd "$bin/spokevfs.so" | awk '/lib[au]b?san/ { printf "%s%s", sep, $3; sep = ":" }')
export ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-}

make_hub
start_hub
must node a enrol --code-file "$work/a-mash.code" --user Ann >/dev/null
must node a sync >/dev/null
case_ref=$(must node a case new --area north --source 1A --need N1 --summary "Harbour and lighthouse" --json | field reference)
must node a record add "$case_ref" --kind note --title "Seen at the harbour" >/dev/null
must node a record add "$case_ref" --kind note --title "Telephone call" >/dev/null
replica=$work/a/replica.db

uri() { printf 'file:%s?keyfile=%s&passphrase-file=%s' "$1" "$work/a/replica.key" "$work/pass"; } # uri DATABASE
shell() { # shell DATABASE COMMAND...: the stock shell with the extension; a line of input each
    local database=$1 line
    shift
    {
        printf '.bail on\n.load %s\n.log stderr\n' "$bin/spokevfs.so"
        printf '.open "%s"\n' "$(uri "$database")"
        for line in "$@"; do printf '%s\n' "$line"; done
    } | LD_PRELOAD=$sanitizer sqlite3 -batch -init /dev/null
}
answers() { # answers CLAIM WANTED DATABASE COMMAND...
    local text=$1 wanted=$2
    shift 2
    shell "$@" >"$work/out" 2>"$work/err"
    equal "$text" "$wanted" "$(cat "$work/out")"
}
one_error() { # one_error CLAIM PATTERN DATABASE: it says so, and nothing of what is in there
    local got=0
    shell "$3" "select count(*), group_concat(title) from record;" >"$work/out" 2>"$work/err" || got=$?
    if [ "$got" -ne 0 ] && grep -q -e "$2" "$work/err" && ! grep -q -e harbour "$work/out"; then
        ok "$1"
    else
        not_ok "$1" "exit code $got: $(cat "$work/out")"
    fi
}
encrypted() { # encrypted CLAIM FILE
    if [ "$(head -c 4 "$2")" = SPK1 ] && ! grep -q -a -e harbour -e 'CREATE TABLE' "$2"*; then ok "$1"; else not_ok "$1"; fi
}

# ---- an investigator ----
answers "integrity_check is ok" ok "$replica" "pragma integrity_check;"
answers "the notes are there" 2 "$replica" "select count(*) from record where kind = 'note';"
answers "full-text search finds the one" "Seen at the harbour" "$replica" \
    "create virtual table temp.f using fts5(title);" "insert into temp.f select title from record;" \
    "select title from temp.f where f match 'harbour';"
answers "a backup is made" "" "$replica" ".backup $work/a/copy.db"
encrypted "and is encrypted" "$work/a/copy.db"
answers "and whole" $'ok\n2' "$work/a/copy.db" "pragma integrity_check;" "select count(*) from record where kind = 'note';"
if cmp -s -n 4096 "$replica" "$work/a/copy.db"; then
    not_ok "a copy has another number than the replica"
else
    ok "a copy has another number than the replica"
fi
answers "a copy is packed" ok "$work/a/copy.db" "delete from record where title = 'Telephone call';" "vacuum;" "pragma integrity_check;"
answers "VACUUM INTO makes a copy" "" "$replica" "vacuum into 'file:$work/a/packed.db?vacuum=1';"
encrypted "and it is encrypted" "$work/a/packed.db"
answers "and whole, beside the replica" $'ok\n1' "$replica" "attach '$work/a/packed.db' as p;" "pragma p.integrity_check;" \
    "select (select count(*) from record) = (select count(*) from p.record);"
shell "$replica" .dump >"$work/dump" 2>"$work/err"
equal "the dump has every row" 2 \
    "$({ cat "$work/dump"; echo "select count(*) from record where kind = 'note';"; } | sqlite3 -batch :memory: 2>"$work/err")"
answers "what nobody commits changes nothing" 2 "$replica" "begin;" "delete from record;" "rollback;" \
    "select count(*) from record where kind = 'note';"
answers "reading only is possible" 2 "$replica" ".open 'file:$replica?mode=ro'" "select count(*) from record where kind = 'note';"
answers "the replica itself can be packed" ok "$replica" "vacuum;" "pragma integrity_check;"
claim "and the node works on as before" node a verify
equal "with everything that was there" 2 "$(count a "record where kind = 'note'")"
leftover=$(find "$work/a" -name '*-index' -o -name '*-journal' -o -name '*-shm')
equal "nothing of it is left in the home" "" "$leftover"
shell "$replica" "attach 'file:$work/plain.db?vfs=unix' as p;" >"$work/out" 2>"$work/err"
if [ ! -e "$work/plain.db" ] && grep -q "no such vfs" "$work/err"; then
    ok "nothing in clear can be attached"
else
    not_ok "nothing in clear can be attached"
fi

# ---- what is wrong is one error ----
damaged() { # damaged NAME: the replica's files under another name, to be damaged
    cp "$replica" "$work/a/$1"
    [ ! -e "$replica-wal" ] || cp "$replica-wal" "$work/a/$1-wal"
}
must node b enrol --code-file "$work/b-site.code" --user Bob >/dev/null
pages=$(($(stat -c %s "$replica") / 4096))
one_error "a replica under another device's key is no database" "not a database" "$work/b/replica.db"
damaged flipped.db
for page in $(seq 2 $((pages - 1))); do # every page, so that whatever a query reads has one
    printf '\377\377' | dd of="$work/a/flipped.db" bs=1 seek=$((page * 4096 + 1000)) conv=notrunc status=none
done
one_error "flipped bytes are an I/O error" "page .* is not authentic" "$work/a/flipped.db"
damaged short.db
truncate -s $((2 * 4096 + 100)) "$work/a/short.db"
one_error "a file cut short is an error" "malformed\|not authentic" "$work/a/short.db"
damaged first.db
# Eight bytes: what is encrypted has any one of them already one time in 256.
printf '\377\377\377\377\377\377\377\377' | dd of="$work/a/first.db" bs=1 seek=2000 conv=notrunc status=none
one_error "a damaged first page is an error" "page 1 is not authentic" "$work/a/first.db"
cp "$work/pass" "$work/pass.right"
echo "not the passphrase" >"$work/pass"
one_error "a wrong passphrase is refused" "authorization denied" "$replica"
mv "$work/pass.right" "$work/pass"
mv "$work/a/replica.key" "$work/a/away.key"
one_error "so is a key file that is not there" "authorization denied" "$replica"
mv "$work/a/away.key" "$work/a/replica.key"
mkdir "$work/elsewhere"
mv "$work/a/device.secret" "$work/elsewhere/"
one_error "and a device secret that is not there" "authorization denied" "$replica"
uri() { printf 'file:%s?keyfile=%s&passphrase-file=%s&device=%s' "$1" "$work/a/replica.key" "$work/pass" "$work/elsewhere/device.secret"; }
answers "which may lie elsewhere" 2 "$replica" "select count(*) from record where kind = 'note';"
mv "$work/elsewhere/device.secret" "$work/a/"
{ printf '.load %s\n' "$bin/spokevfs.so"; printf '.open %s\nselect 1 from record;\n' "$replica"; } |
    LD_PRELOAD=$sanitizer sqlite3 -batch -bail -init /dev/null >"$work/out" 2>"$work/err"
says "and no key at all" "authorization denied"

# ---- programs that know nothing ----
export SPOKE_VFS_KEYFILE=$work/a/replica.key SPOKE_VFS_PASSPHRASE_FILE=$work/pass
preload=${sanitizer:+$sanitizer:}$bin/spokevfs-preload.so
equal "a preloaded shell reads the replica" 2 \
    "$(LD_PRELOAD=$preload sqlite3 -batch "$replica" "select count(*) from record where kind = 'note'" 2>"$work/err")"
LD_PRELOAD=$preload sqlite3 -batch "$work/a/made.db" "create table t(x); insert into t values ('harbour')" 2>"$work/err"
encrypted "and makes what it makes encrypted" "$work/a/made.db"
SPOKE_VFS_KEYFILE='' LD_PRELOAD=$preload sqlite3 -batch "$work/plain.db" "create table t(x)" 2>"$work/err"
equal "without a key file's name it does nothing" "SQLite format 3" "$(head -c 15 "$work/plain.db")"

# Python's own tests. Left out, by name:
#   test_ctx_mgr_rollback_if_commit_failed   wants a reader to lock out a writer, as a rollback journal does and a log does not
left_out=(-i test_ctx_mgr_rollback_if_commit_failed)
python=
for candidate in /usr/bin/python3 "$(command -v python3)"; do # some distributions leave these tests out of their package
    module=$("$candidate" -c 'import _sqlite3, test.test_sqlite3.test_dbapi; print(_sqlite3.__file__)' 2>/dev/null | tail -n 1)
    if [ -f "$module" ] && ldd "$module" | grep -q libsqlite3; then # the system's, and not a copy of its own
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "skip  no python3 here has its own tests of SQLite (test.test_sqlite3) and the system's SQLite"
else
    python=$("$python" -c 'import sys; print(sys.executable)')
    mkdir "$work/python"
    cd "$work/python" || exit 1
    LD_PRELOAD=$preload "$python" -c 'import sqlite3
c = sqlite3.connect("made.db"); c.execute("create table t(x)"); c.commit()' 2>"$work/err"
    encrypted "Python's databases are encrypted" "$work/python/made.db"
    claim "Python's own tests of SQLite pass" env LD_PRELOAD="$preload" PYTHONDONTWRITEBYTECODE=1 \
        timeout 240 "$python" -m test test_sqlite3 "${left_out[@]}"
    grep -e '^Total tests' "$work/out" | sed 's/^/      /'
    cd "$work" || exit 1
fi
done_with_claims
