/* The board: all open cases in columns, the most urgent first. */
#include "node/look_board.h"
#include "node/look_kept.h"

#include <string.h>

#define SHOWN 40u /* cards a column; the rest is counted */

static const char *const titles[] = {"New", "Gathering", "Ready to meet", "Decided", "Closed"};

/* -------------------------------------------------------------------------------------------------------- order */
static int by_number(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

/* Overdue, then the graver, then what is due first; what has no time comes last, the oldest of it first. */
static bool more_urgent(const struct look_state *x, const struct look_state *y)
{
    if (x->overdue != y->overdue) return x->overdue;
    if (x->shown != y->shown) return x->shown > y->shown;
    if ((x->due_at == 0) != (y->due_at == 0)) return x->due_at != 0;
    int order = by_number(x->due_at, y->due_at);
    if (order == 0) order = by_number(x->received_at, y->received_at);
    return order != 0 ? order < 0 : memcmp(x->id, y->id, 16) < 0;
}

/* Nothing is urgent in a closed case: the last one closed is the one that is looked for. */
static bool comes_first(const struct look_state *x, const struct look_state *y)
{
    if (x->status != STATUS_CLOSED) return more_urgent(x, y);
    int order = by_number(y->closed_at, x->closed_at);
    return order != 0 ? order < 0 : memcmp(x->id, y->id, 16) < 0;
}

/* ------------------------------------------------------------------------------------------------------- columns */
struct column {
    const struct look_state *top[SHOWN]; /* in order */
    size_t n, total;
};

static void put_in(struct column *col, const struct look_state *c)
{
    size_t at = col->n;
    col->total++;
    if (at == SHOWN && !comes_first(c, col->top[SHOWN - 1])) return;
    if (at == SHOWN) at--;
    for (; at > 0 && comes_first(c, col->top[at - 1]); at--) col->top[at] = col->top[at - 1];
    col->top[at] = c;
    if (col->n < SHOWN) col->n++;
}

static bool wanted(const struct look_board *ask, enum look_rag rag, const struct look_state *c)
{
    return (!ask->mine || c->mine) && (!ask->overdue || c->overdue) && (ask->rag == NULL || c->shown == rag);
}

static void sort_in(const struct look_board *ask, const struct look_states *all, struct column cols[STATUSES])
{
    enum look_rag rag = ask->rag != NULL ? look_rag(bytes_of_str(ask->rag)) : RAG_NONE;
    for (size_t i = 0; i < all->n; i++) {
        const struct look_state *c = &all->list[i];
        if (wanted(ask, rag, c)) put_in(&cols[c->status], c);
    }
}

static enum err put_column(struct node *n, const struct look_card_ask *ask, enum look_status status,
                           const struct column *col, struct json *columns, struct why *why)
{
    struct json *column = json_object_new(), *cards = json_array_new();
    enum err e = ERR_OK;
    json_set_str(column, "status", look_status_word(status));
    json_set_str(column, "title", titles[status]);
    json_set_int(column, "total", (int64_t)col->total);
    for (size_t i = 0; i < col->n && e == ERR_OK; i++) {
        struct json *card = NULL;
        e = look_card(n, ask, col->top[i], &card, why);
        json_append(cards, card);
    }
    json_set_obj(column, "cases", cards);
    json_append(columns, column);
    return e;
}

static enum err put_columns(struct node *n, const struct look_board *ask, const struct look_card_ask *cards,
                            const struct look_states *all, struct json *out, struct why *why)
{
    struct column cols[STATUSES] = {0};
    struct json *columns = json_array_new();
    enum err e = ERR_OK;
    sort_in(ask, all, cols);
    for (enum look_status s = STATUS_NEW; s < (ask->all ? STATUSES : STATUS_CLOSED) && e == ERR_OK; s++)
        e = put_column(n, cards, s, &cols[s], columns, why);
    json_set_obj(out, "columns", columns);
    return e;
}

/* --------------------------------------------------------------------------------------------------------- asked */
static enum err check(const struct look_board *ask, struct why *why)
{
    if (ask->rag != NULL && look_rag(bytes_of_str(ask->rag)) == RAG_NONE)
        return why_set(why, ERR_USAGE, "A rating is red, amber, green or blue.");
    if (ask->subject != NULL && strcmp(ask->subject, "child") != 0 && strcmp(ask->subject, "adult") != 0)
        return why_set(why, ERR_USAGE, "A case is about a child or an adult.");
    return ERR_OK;
}

enum err look_board(struct node *n, const struct look_board *ask, struct json **out, struct why *why)
{
    const struct look_state_ask which = {
        .closed = ask->all, .area = ask->area, .subject = ask->subject, .allocated = ask->mine};
    struct look_card_ask cards = {.wall = ask->wall};
    struct look_states all = {0};
    struct look_times times = {0};
    struct json *board = NULL;
    *out = NULL;
    enum err e = check(ask, why);
    if (e == ERR_OK) e = look_times_new(n, &times, why);
    cards.times = &times;
    if (e == ERR_OK) e = look_states_new(n, &times, &which, &all, why);
    if (e == ERR_OK) e = look_unsent_new(n, &cards.unsent, why);
    if (e == ERR_OK && (board = json_object_new()) == NULL)
        e = why_set(why, ERR_NOMEM, "There is not enough memory for the board.");
    look_set_time(board, "now", times.now);
    if (e == ERR_OK) e = put_columns(n, ask, &cards, &all, board, why);
    json_set_null(board, "told"); /* nothing for a wall */
    if (e == ERR_OK && !ask->wall) e = look_told(n, board, why);
    if (e == ERR_OK)
        *out = board;
    else
        json_free(board);
    look_unsent_free(&cards.unsent);
    look_states_free(&all);
    look_times_free(&times);
    return e;
}

enum err look_board_ids(struct node *n, const struct look_board *ask, struct buf *out, struct why *why)
{
    const struct look_state_ask which = {
        .closed = ask->all, .area = ask->area, .subject = ask->subject, .allocated = ask->mine, .opened = ask->mine};
    struct look_states all = {0};
    struct look_times times = {0};
    enum err e = check(ask, why);
    if (e == ERR_OK) e = look_times_new(n, &times, why);
    if (e == ERR_OK) e = look_states_new(n, &times, &which, &all, why);
    enum look_rag rag = e == ERR_OK && ask->rag != NULL ? look_rag(bytes_of_str(ask->rag)) : RAG_NONE;
    for (size_t i = 0; e == ERR_OK && i < all.n; i++)
        if (wanted(ask, rag, &all.list[i])) buf_put(out, all.list[i].id, 16);
    if (e == ERR_OK && out->err != ERR_OK) e = why_set(why, out->err, "There are too many cases to be listed at once.");
    look_states_free(&all);
    look_times_free(&times);
    return e;
}
