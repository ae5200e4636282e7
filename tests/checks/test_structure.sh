#!/usr/bin/env bash
# Goal: tests/checks/structure lets a good tree pass, and finds each fault it promises to find.
# A small good tree is made; faults are put into copies of it, as many at once as do not hide each other: each has to be
# said, of the file that it is in, and nothing else.
set -u
check=$(cd "$(dirname "$0")" && pwd)/structure
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
good=$work/good
tree=$work/main
passed=0
failed=0

lines() { # lines COUNT TEXT
    awk -v n="$1" -v text="$2" 'BEGIN { while (n-- > 0) print text }'
}
long_function() { # long_function LINES: as many from its name to its closing brace
    echo "int long_one(int a)"
    echo "{"
    lines $(($1 - 4)) "    a++;"
    printf '    return a;\n}\n'
}
make_good_tree() {
    mkdir -p "$good"/{base,crypto,sync,node,hub,cli,tests/unit,packaging} "$work/shared"
    cd "$good" || exit 1
    printf '#include <stdbool.h>\n/* unlike sqlite3changeset_next */ const int err_count = 1;\n' >base/err.c
    printf '#include "base/err.h"\n' >base/err.h
    printf '#include <microhttpd.h>\n#include <pthread.h>\n' >base/httpd.c
    printf '#include <jansson.h>\n' >base/json.c
    printf '#include "base/err.h"\n#include <sodium.h>\n' >crypto/secret.c
    printf '#include <sqlite3.h>\n#include <pthread.h>\n' >crypto/pagevfs.c
    printf '#include "crypto/secret.h"\n#include <zstd.h>\n// no sqlite3session_create here\n' >sync/bundle.c
    printf '#include <sqlite3.h>\n' >sync/db.c
    printf '#include <libpq-fe.h>\n' >sync/db_postgres.c
    printf '#include "sync/db.h"\n#include <sqlite3.h>\nint c(void)\n{\n    return sqlite3session_enable(0, 0);\n}\n' >node/capture.c
    printf '#include <curl/curl.h>\n' >node/carrier_http.c
    printf '#include "sync/db.h"\n#include "hub/store.h"\n' >hub/store.c
    printf '#include <libxml/parser.h>\n#include "node/replica.h"\n#include "hub/store.h"\n' >cli/import_cin.c
    printf '#include "node/replica.h"\n#include "hub/store.h"\n#include <sqlite3.h>\n' >tests/unit/test_x.c
    printf 'int z(void)\n{\n    return sqlite3changeset_next(0);\n}\n' >>tests/unit/test_x.c
    long_function 70 >cli/long.c
    lines 500 "/* full */" >cli/full.c
    printf 'bytes\n' >sync/FORMAT.md
    printf 'See `sync/FORMAT.md`, `base/err`, `tests/unit/test_*.c`, `../shared/cli.md`, `no/such`.\n' >README.md
    printf '\n```\nbase/   the floor\n./packaging/demo --serve\n```\n' >>README.md
    : >packaging/demo
    : >"$work/shared/cli.md"
}
expect_good() { # expect_good CLAIM [BUILD_DIR]
    if out=$("$check" --root "$tree" ${2:+"$2"}); then
        passed=$((passed + 1))
    else
        printf 'not ok: %s\n%s\n' "$1" "$out"
        failed=$((failed + 1))
    fi
    rm -rf "$tree"
}
# Faults that a copy of the good tree is given.
begin() {
    cp -r "$good" "$tree"
    expected=()
}
plant() { # plant FILE LINE WHAT-IT-SAYS: at the end of FILE
    printf '%s\n' "$2" >>"$tree/$1"
    expected+=("$1"$'\t'"$3")
}
expect_all() { # expect_all [BUILD_DIR]: what was planted is said, and nothing else
    local fault out missing=
    if out=$("$check" --root "$tree" ${1:+"$1"}); then
        printf 'not ok: passed with %s faults\n' "${#expected[@]}"
        failed=$((failed + ${#expected[@]}))
        rm -rf "$tree"
        return
    fi
    for fault in "${expected[@]}"; do
        if awk -v file="${fault%%$'\t'*}" -v text="${fault#*$'\t'}" \
            'index($0, file ":") == 1 && index($0, text) { found = 1 } END { exit !found }' <<<"$out"; then
            passed=$((passed + 1))
        else
            printf 'not ok: should say of %s: %s\n' "${fault%%$'\t'*}" "${fault#*$'\t'}"
            failed=$((failed + 1))
            missing=yes
        fi
    done
    if [ -n "$missing" ] || ! grep -q " ${#expected[@]} faults\$" <<<"$out"; then
        printf 'not ok: should say %s faults and says\n%s\n' "${#expected[@]}" "$out"
        failed=$((failed + 1))
    fi
    rm -rf "$tree"
}

make_good_tree
cp -r "$good" "$tree"
expect_good "a good tree passes"

begin
# layers
plant base/err.c '#include "crypto/secret.h"' "base must not include from crypto"
plant crypto/secret.c '#include "sync/db.h"' "crypto must not include from sync"
plant sync/db.c '#include "node/replica.h"' "sync must not include from node"
plant sync/db.c '  #  include <hub/store.h>' "sync must not include from hub"
plant node/replica.h '#include "hub/store.h"' "node must not include from hub"
plant hub/store.c '#include "node/replica.h"' "hub must not include from node"
plant hub/store.c '#include "cli/long.h"' "hub must not include from cli"
plant hub/store.c '#include "tests/lib/x.h"' "hub must not include from tests"
plant base/err.c '#include "err.h"' "includes start at the root"
plant base/err.c '#include HEADER' "an include must name its header"
plant base/err.c '/* long */ #include "hub/store.h" // end' "base must not include from hub"
# foreign headers
plant hub/store.c '#include <sodium.h>' "<sodium.h> outside its room"
plant hub/store.c '#include <sodium/utils.h>' "<sodium/utils.h> outside its room"
plant hub/store.c '#include <sqlite3.h>' "<sqlite3.h> outside its room"
plant crypto/secret.c '#include <sqlite3.h>' "<sqlite3.h> outside its room"
plant sync/db.c '#include <zstd.h>' "<zstd.h> outside its room"
plant node/capture.c '#include <curl/curl.h>' "<curl/curl.h> outside its room"
plant hub/store.c '#include <microhttpd.h>' "<microhttpd.h> outside its room"
plant cli/long.c '#include <jansson.h>' "<jansson.h> outside its room"
plant cli/long.c '#include <csv.h>' "<csv.h> outside its room"
plant cli/long.c '#include <libxml/tree.h>' "<libxml/tree.h> outside its room"
plant sync/db.c '#include <libpq-fe.h>' "<libpq-fe.h> outside its room"
plant node/capture.c '#include <pthread.h>' "<pthread.h> outside its room"
# the session extension
plant node/replica.c 'int a = sqlite3session_create;' "sqlite3session_* belongs to node/capture"
plant node/capture.c 'int a = sqlite3changeset_next;' "may only record"
plant sync/db.c 'int a = sqlite3changegroup_new;' "may only record"
plant hub/store.c '/* "*/ int a = sqlite3rebaser_create; /* */' "may only record"
# sizes
plant cli/long2.c "$(long_function 71)" "long_one has 71 lines, over 70"
plant tests/unit/test_y.c "$(long_function 71)" "long_one has 71 lines, over 70"
plant cli/full.c '/* one more */' "over 500 lines"
plant base/err.h "/* $(lines 1 "$(printf 'x%.0s' {1..115})") */" "a comment over 120 columns"
plant base/err.h " * $(printf 'x%.0s' {1..118})" "a comment over 120 columns"
plant cli/full.h "$(lines 501 '/* full */')" "over 500 lines"
expect_all

begin
# documents
plant README.md 'See `crypto/FORMAT.md`.' "names crypto/FORMAT.md, which does not exist"
plant README.md 'See `DESIGN.md`.' "names DESIGN.md, which does not exist"
plant README.md 'Type `packaging/check --quick`.' "names packaging/check, which does not exist"
plant README.md 'See `tests/unit/test_z*.c`.' "names tests/unit/test_z*.c, which does not exist"
plant sync/FORMAT.md 'See `../shared/style.md`.' "names ../shared/style.md, which does not exist"
plant README.md $'```\nweb/   pages\n```' "names web/, which does not exist"
# words, hosts and paths that belong in no file
plant cli/long.c "/* TO""DO: later */" "a word for unfinished work"
plant README.md "FIX""ME" "a word for unfinished work"
plant packaging/demo "# XX""X" "a word for unfinished work"
plant packaging/demo "curl http://deb.""debian.org/" "names the host of a package registry"
plant packaging/demo "curl https://registry.""npmjs.org/" "names the host of a package registry"
plant README.md "see /wo""rk/main" "names a path of one machine"
plant README.md "see /ro""ot/x" "names a path of one machine"
plant README.md "see /tmp/""b-x/y" "names a path of one machine"
plant tests/tool.py "HOME = '/ro""ot/x'" "1: names a path of one machine"
plant tests/tool "cd /wo""rk/main" "1: names a path of one machine"
expect_all

cp -r "$good" "$tree"
printf '%s\n' 'See `../shared/cli.md`.' >>"$tree/README.md"; mv "$work/shared" "$work/away"
expect_good "documents may name ../shared where it is not present"; mv "$work/away" "$work/shared"

# mutable globals
build() { # build SOURCE LINE: with its object, as CMake would lay it below the build folder $tree/build
    printf '%s\n' "$2" >>"$tree/$1"
    mkdir -p "$tree/build/CMakeFiles/spoke_base.dir/${1%/*}"
    cc -fPIE -O1 -fno-builtin -c "$tree/$1" -o "$tree/build/CMakeFiles/spoke_base.dir/$1.o" || exit 1
}
global() { # global SOURCE LINE WHAT-IT-SAYS
    build "$1" "$2"
    expected+=("$1"$'\t'"$3")
}
begin
build base/g.c 'static int f(void) { return 1; } int (*const g[])(void) = { f }; const char *const h[] = { "a" };'
expect_good "constant tables are no mutable globals" "$tree/build"
begin
global base/g.c 'static int g = 1; int f(void); int f(void) { return g++; }' "g is a mutable global"
global base/h.c 'int f(void); int f(void) { static int g; return g++; }' "is a mutable global"
global base/i.c '_Thread_local int g;' "g is a mutable global"
global cli/j.c 'const char *g[] = { "a" };' "g is a mutable global"
expect_all "$tree/build"

# the outside world
asks() { # asks FILE NAME...: FILE of the good tree calls them, and its object is built
    local file=$1 name text=
    shift
    for name in "$@"; do text+="extern long $name(void); long asks_$name(void); long asks_$name(void) { return $name(); }"$'\n'; done
    : >"$tree/$file"
    build "$file" "$text"
}
refused() { # refused FILE NAME...: none of them is for it
    local file=$1 name
    asks "$@"
    shift
    for name in "$@"; do expected+=("$file"$'\t'"calls $name: what is outside comes through struct env"); done
}
begin
refused sync/db.c time clock_gettime gettimeofday localtime_r sleep usleep nanosleep getrandom getentropy rand random \
    arc4random_buf randombytes_buf open open64 openat openat64 creat fopen fopen64 rename unlink mkdir stat stat64 lstat \
    fstatat __xstat statx mmap mmap64 read write fsync socket connect bind listen accept accept4 poll getaddrinfo \
    curl_easy_init MHD_start_daemon pthread_create pthread_mutex_lock fork execvp system popen posix_spawn getenv \
    secure_getenv getpid
for file in base/err.c node/capture.c hub/store.c crypto/secret.c; do refused "$file" time; done
refused base/env_posix.c socket pthread_create
refused base/httpd.c getrandom
expect_all "$tree/build"

begin
asks crypto/secret.c randombytes_buf # crypto draws from libsodium
asks sync/db.c strlen                # memory and texts are nobody's outside
asks base/env_posix.c clock_gettime getrandom openat rename mmap
asks base/httpd.c pthread_create
asks base/listener.c accept
asks node/carrier_http.c curl_easy_init
asks cli/long.c getenv # the programs may ask
expect_good "each has what is in its room" "$tree/build"

begin; mkdir "$tree/build"; expected=("$tree/build"$'\t'"holds no objects"); expect_all "$tree/build"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
