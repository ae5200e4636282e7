#!/usr/bin/env bash
# A device needs no PostgreSQL: the program spoke is linked without its library, which spoke-hub has.
set -eu
: "${SPOKE_BIN:?where spoke and spoke-hub are}"
if ldd "$SPOKE_BIN/spoke" | grep -q libpq; then
    echo "spoke is linked with libpq, which devices do not have"
    exit 1
fi
if ! ldd "$SPOKE_BIN/spoke-hub" | grep -q libpq; then
    echo "spoke-hub is not linked with libpq"
    exit 1
fi
