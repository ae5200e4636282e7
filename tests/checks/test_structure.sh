#!/usr/bin/env bash
# Goal: tests/checks/structure lets a good tree pass, and finds each fault it promises to find.
# A small good tree is made, one fault at a time is put into a copy of it.
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
expect_fault() { # expect_fault WHAT-IT-SAYS [BUILD_DIR]
    if out=$("$check" --root "$tree" ${2:+"$2"}); then
        printf 'not ok: passed, but should say: %s\n' "$1"
        failed=$((failed + 1))
    elif ! grep -qF -- "$1" <<<"$out" || ! grep -q ' 1 faults$' <<<"$out"; then
        printf 'not ok: should say just: %s\n%s\n' "$1" "$out"
        failed=$((failed + 1))
    else
        passed=$((passed + 1))
    fi
    rm -rf "$tree"
}
# Put standard input at the end of FILE in a fresh copy of the good tree.
with() { # with FILE
    cp -r "$good" "$tree" && cat >>"$tree/$1"
}
with_line() { # with_line FILE LINE
    printf '%s\n' "$2" | with "$1"
}

make_good_tree
with base/err.c </dev/null
expect_good "a good tree passes"

# layers
with_line base/err.c '#include "crypto/secret.h"'; expect_fault "base must not include from crypto"
with_line crypto/secret.c '#include "sync/db.h"'; expect_fault "crypto must not include from sync"
with_line sync/db.c '#include "node/replica.h"'; expect_fault "sync must not include from node"
with_line sync/db.c '  #  include <hub/store.h>'; expect_fault "sync must not include from hub"
with_line node/replica.h '#include "hub/store.h"'; expect_fault "node must not include from hub"
with_line hub/store.c '#include "node/replica.h"'; expect_fault "hub must not include from node"
with_line hub/store.c '#include "cli/long.h"'; expect_fault "hub must not include from cli"
with_line hub/store.c '#include "tests/lib/x.h"'; expect_fault "hub must not include from tests"
with_line base/err.c '#include "err.h"'; expect_fault "includes start at the root"
with_line base/err.c '#include HEADER'; expect_fault "an include must name its header"
with_line base/err.c '/* long */ #include "hub/store.h" // end'; expect_fault "base must not include from hub"

# foreign headers
with_line hub/store.c '#include <sodium.h>'; expect_fault "<sodium.h> outside its room"
with_line hub/store.c '#include <sodium/utils.h>'; expect_fault "<sodium/utils.h> outside its room"
with_line hub/store.c '#include <sqlite3.h>'; expect_fault "<sqlite3.h> outside its room"
with_line crypto/secret.c '#include <sqlite3.h>'; expect_fault "<sqlite3.h> outside its room"
with_line sync/db.c '#include <zstd.h>'; expect_fault "<zstd.h> outside its room"
with_line node/capture.c '#include <curl/curl.h>'; expect_fault "<curl/curl.h> outside its room"
with_line hub/store.c '#include <microhttpd.h>'; expect_fault "<microhttpd.h> outside its room"
with_line cli/long.c '#include <jansson.h>'; expect_fault "<jansson.h> outside its room"
with_line cli/long.c '#include <csv.h>'; expect_fault "<csv.h> outside its room"
with_line cli/long.c '#include <libxml/tree.h>'; expect_fault "<libxml/tree.h> outside its room"
with_line sync/db.c '#include <libpq-fe.h>'; expect_fault "<libpq-fe.h> outside its room"
with_line node/capture.c '#include <pthread.h>'; expect_fault "<pthread.h> outside its room"

# the session extension
with_line node/replica.c 'int a = sqlite3session_create;'; expect_fault "sqlite3session_* belongs to node/capture"
with_line node/capture.c 'int a = sqlite3changeset_next;'; expect_fault "may only record"
with_line sync/db.c 'int a = sqlite3changegroup_new;'; expect_fault "may only record"
with_line hub/store.c '/* "*/ int a = sqlite3rebaser_create; /* */'; expect_fault "may only record"

# sizes
long_function 71 | with cli/long2.c; expect_fault "long_one has 71 lines, over 70"
long_function 71 | with tests/unit/test_y.c; expect_fault "long_one has 71 lines, over 70"
with_line cli/full.c '/* one more */'; expect_fault "cli/full.c: over 500 lines"
lines 501 '/* full */' | with cli/full.h; expect_fault "cli/full.h: over 500 lines"

# documents
with_line README.md 'See `crypto/FORMAT.md`.'; expect_fault "names crypto/FORMAT.md, which does not exist"
with_line README.md 'See `DESIGN.md`.'; expect_fault "names DESIGN.md, which does not exist"
with_line README.md 'Type `packaging/check --quick`.'; expect_fault "names packaging/check, which does not exist"
with_line README.md 'See `tests/unit/test_z*.c`.'; expect_fault "names tests/unit/test_z*.c, which does not exist"
with_line sync/FORMAT.md 'See `../shared/style.md`.'; expect_fault "names ../shared/style.md, which does not exist"
printf '```\nweb/   pages\n```\n' | with README.md; expect_fault "names web/, which does not exist"
with_line README.md 'See `../shared/cli.md`.'; mv "$work/shared" "$work/away"
expect_good "documents may name ../shared where it is not present"; mv "$work/away" "$work/shared"

# words, hosts and paths that belong in no file
with_line cli/long.c "/* TO""DO: later */"; expect_fault "a word for unfinished work"
with_line README.md "FIX""ME"; expect_fault "a word for unfinished work"
with_line packaging/demo "# XX""X"; expect_fault "a word for unfinished work"
with_line packaging/demo "curl http://deb.""debian.org/"; expect_fault "names the host of a package registry"
with_line packaging/demo "curl https://registry.""npmjs.org/"; expect_fault "names the host of a package registry"
with_line README.md "see /wo""rk/main"; expect_fault "names a path of one machine"
with_line README.md "see /ro""ot/x"; expect_fault "names a path of one machine"
with_line README.md "see /tmp/""b-x/y"; expect_fault "names a path of one machine"
with_line tests/tool.py "HOME = '/ro""ot/x'"; expect_fault "tests/tool.py:1: names a path of one machine"
with_line tests/tool "cd /wo""rk/main"; expect_fault "tests/tool:1: names a path of one machine"

# mutable globals
build() { # build SOURCE: as CMake would lay the object, below the build folder $tree/build
    mkdir -p "$tree/build/CMakeFiles/spoke_base.dir/base"
    cc -fPIE -O1 -c "$tree/$1" -o "$tree/build/CMakeFiles/spoke_base.dir/$1.o" || exit 1
}
with_line base/g.c 'static int f(void) { return 1; } int (*const g[])(void) = { f }; const char *const h[] = { "a" };'
build base/g.c; expect_good "constant tables are no mutable globals" "$tree/build"
with_line base/g.c 'static int g = 1; int f(void); int f(void) { return g++; }'
build base/g.c; expect_fault "base/g.c: g is a mutable global" "$tree/build"
with_line base/g.c 'int f(void); int f(void) { static int g; return g++; }'
build base/g.c; expect_fault "is a mutable global" "$tree/build"
with_line base/g.c '_Thread_local int g;'
build base/g.c; expect_fault "base/g.c: g is a mutable global" "$tree/build"
with_line base/g.c 'const char *g[] = { "a" };'
build base/g.c; expect_fault "base/g.c: g is a mutable global" "$tree/build"

# the outside world
asks() { # asks FILE NAME: FILE of the good tree calls NAME, and its object is built
    printf 'extern long %s(void);\nlong asks(void);\nlong asks(void) { return %s(); }\n' "$2" "$2" >"$work/asks.c"
    with "$1" <"$work/asks.c"
    mkdir -p "$tree/build/CMakeFiles/spoke_x.dir/${1%/*}"
    cc -fPIE -O1 -fno-builtin -c "$work/asks.c" -o "$tree/build/CMakeFiles/spoke_x.dir/$1.o" || exit 1
}
core_asks() { # core_asks NAME...: none of them is for the core
    local name
    for name in "$@"; do
        asks sync/db.c "$name"
        expect_fault "sync/db.c: calls $name: what is outside comes through struct env" "$tree/build"
    done
}
core_asks time clock_gettime gettimeofday localtime_r
core_asks sleep usleep nanosleep
core_asks getrandom getentropy rand random arc4random_buf randombytes_buf
core_asks open open64 openat openat64 creat fopen fopen64 rename unlink mkdir stat stat64 lstat fstatat __xstat statx mmap \
    mmap64 read write fsync
core_asks socket connect bind listen accept accept4 poll getaddrinfo curl_easy_init MHD_start_daemon
core_asks pthread_create pthread_mutex_lock fork execvp system popen posix_spawn
core_asks getenv secure_getenv getpid
for layer in base/err.c node/capture.c hub/store.c; do
    asks "$layer" time; expect_fault "$layer: calls time: " "$tree/build"
done
asks crypto/secret.c time; expect_fault "crypto/secret.c: calls time: " "$tree/build"
asks crypto/secret.c randombytes_buf; expect_good "crypto draws from libsodium" "$tree/build"
asks sync/db.c strlen; expect_good "memory and texts are nobody's outside" "$tree/build"
for name in clock_gettime getrandom openat rename mmap; do
    asks base/env_posix.c "$name"; expect_good "base/env_posix is the room of $name" "$tree/build"
done
asks base/env_posix.c socket; expect_fault "base/env_posix.c: calls socket: " "$tree/build"
asks base/env_posix.c pthread_create; expect_fault "base/env_posix.c: calls pthread_create: " "$tree/build"
asks base/httpd.c pthread_create; expect_good "base/httpd has threads" "$tree/build"
asks base/listener.c accept; expect_good "base/listener has sockets" "$tree/build"
asks base/httpd.c getrandom; expect_fault "base/httpd.c: calls getrandom: " "$tree/build"
asks node/carrier_http.c curl_easy_init; expect_good "node/carrier_http has curl" "$tree/build"
asks cli/long.c getenv; expect_good "the programs may ask" "$tree/build"

with build-empty </dev/null; mkdir "$tree/build"; expect_fault "holds no objects" "$tree/build"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
