/* Sections of the summary of a case (node/look_summary*.c). */
#ifndef SPOKE_NODE_LOOK_SUMMARY_H
#define SPOKE_NODE_LOOK_SUMMARY_H

#include "node/look_case.h"
#include "node/look_list.h"

/* What a section is made of. All strings are texts for people. */
struct look_section {
    struct json *o, *facts, *columns, *rows, *notes; /* handed over by look_section_end */
    size_t n;                                        /* facts, rows or notes in it */
};
void look_section_begin(struct look_section *s, const char *heading, const char *kind);
void look_section_fact(struct look_section *s, const char *label, const char *value); /* nothing for NULL and "" */
void look_section_columns(struct look_section *s, const char *const *names, size_t n);
void look_section_row(struct look_section *s, const char *const *cells, size_t n); /* NULL: an empty cell */
void look_section_note(struct look_section *s, const char *text);
/* Into the list. With nothing in it: with the sentence `none`, or not at all (NULL). */
void look_section_end(struct look_section *s, struct json *sections, const char *none);

/* What the sections are written from. */
struct look_written {
    struct node *n;
    struct look_days days;   /* which its chronology shows */
    struct json *c;          /* look_case */
    struct json *chronology; /* look_chronology */
    struct json *sections;
};
/* The label of a code; the code itself where the hub has none. Borrowed from `out`. */
MUST_CHECK enum err look_label(struct node *n, const char *list, const char *code, struct buf *out, struct why *why);
/* An RFC 3339 time as people here write it; "" for NULL. */
const char *look_when(const char *rfc3339, char out[LOOK_TIME_TEXT]);
const char *look_born(const char *iso, char out[LOOK_TIME_TEXT]);
/* "Red", "Not asked for": a word of an enumeration with a capital and blanks. */
const char *look_word(const char *word, char out[80]);

/* look_summary_part.c, in the order of the page. */
MUST_CHECK enum err look_summary_parts(struct look_written *w, struct why *why);

#endif
