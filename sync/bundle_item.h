/* Where does an item of a CBOR sequence end, when it comes piece by piece? Told without reading any byte twice, so that
 * an item of 80 MiB costs no more than its length. Only sync/bundle_reader.c reads this. */
#ifndef SPOKE_SYNC_BUNDLE_ITEM_H
#define SPOKE_SYNC_BUNDLE_ITEM_H

#include "base/cbor.h"

struct item_scan {
    uint64_t left[CBOR_MAX_DEPTH]; /* items still to come in each open container */
    unsigned depth;                /* containers open */
    uint64_t skip;                 /* bytes of a string still to come */
    uint64_t arg;                  /* argument of the head being read */
    unsigned arg_bytes;            /* bytes of it still to come */
    unsigned major;                /* its major type */
    bool begun;                    /* inside an item */
};

/* Take what belongs to the running item from in, at most all. Returns how many bytes; *out_whole when it ends there.
 * `max` bounds the bytes that any head may claim. Shape alone is judged (the whole item is checked strictly after):
 * false in *out_ok for what no head of ours can be. */
size_t item_scan_take(struct item_scan *s, struct bytes in, uint64_t max, bool *out_whole, bool *out_ok);

#endif
