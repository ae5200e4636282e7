/* Frames of a copy and what is counted of them, for hub/dump*.c alone (hub/DUMP.md, Bytes). */
#ifndef SPOKE_HUB_DUMP_FRAME_H
#define SPOKE_HUB_DUMP_FRAME_H

#include "base/cbor.h"
#include "hub/dump_tables.h"

#define DUMP_FRAME_MAX (96u << 20)
#define DUMP_MARK      "spoke-hub-dump"
#define DUMP_VERSION   1

enum dump_frame { DUMP_HEAD, DUMP_TABLE, DUMP_ROW, DUMP_TABLE_END, DUMP_END };

/* The head of a byte string of n bytes; returns its length, 1 to 5. */
size_t dump_frame_head(uint8_t out[5], size_t n);

void dump_put_value(struct buf *b, struct value v);
/* Borrows from what r reads. False: none of ours; r may be in error. */
bool dump_get_value(struct cbor_reader *r, struct value *out);

/* Follows a stream: counts and hashes are the same for who writes one and who reads it. */
struct dump_count {
    struct dump_sum *sum;
    struct hash_run all, table;
};
void dump_count_begin(struct dump_count *c, struct dump_sum *sum);
/* Each frame, with the head of its byte string; beside it for each what follows here. */
void dump_count_frame(struct dump_count *c, enum dump_frame kind, struct bytes head, struct bytes content);
bool dump_count_table(struct dump_count *c, struct bytes name); /* false: too many, or too long a name */
void dump_count_row(struct dump_count *c);
struct dump_table *dump_count_table_end(struct dump_count *c); /* before the frame of its end: what that has to say */
void dump_count_end(struct dump_count *c);                     /* before the last frame: sum is complete */

#endif
